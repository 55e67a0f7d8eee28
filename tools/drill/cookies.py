# SPDX-License-Identifier: MIT
"""Fast Open cookies: the script's, and the ones that this stack gives.

A server's cookie is a secret of its own, so a script cannot know it.  The one that the runner of
a collection calls TFO_COOKIE stands for the right one; any other is what the stack was seen to
give for it, or a wrong one.  What a client is given it only repeats, and needs no translation.
"""

from __future__ import annotations

from tools.drill.script import RIGHT
from tools.drill.world import World


class Cookies:
    """The cookies of one script."""

    def __init__(self, world: World, right: str) -> None:
        builder = world.builder
        self._world = world
        self._addresses = builder.local, builder.remote
        self._given: dict[bytes, bytes] = {}
        self._right = {RIGHT}
        if right:
            self._right.add(bytes.fromhex(right))

    def live(self, cookie: bytes) -> bytes:
        """The cookie of a client's SYN, as it goes to the stack."""
        if cookie in self._right:
            return self._world.stack.tcp.fast_open.cookie(*self._addresses)
        return self._given.get(cookie, cookie)

    def script(self, cookie: bytes, live: bytes) -> bytes:
        """The cookie that came in a SYN-ACK, as the script calls it, which expects `cookie`."""
        if not cookie or not live or cookie in self._right:
            return cookie if self.live(cookie) == live else live
        return cookie if self._given.setdefault(cookie, live) == live else live
