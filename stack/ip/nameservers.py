# SPDX-License-Identifier: MIT
"""Floor 4: name servers and search domains that the network told us (RFC 8106, 3646, 2132).

Whoever hears of some tells it here under a source of its own, with a lifetime; the resolver reads
the sum.  Order: sources as they came, except that one heard of again keeps its place (RFC 8106
6.1 asks for a stable list), and that routers come last: DHCP goes before them (5.3.1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from stack.base.seam import Env, TimerOwner
from stack.base.timers import NEVER, Timer, TimerHeap

ROUTER: Final = "ra"
"""The first word of a source that is a router."""

_SOURCES: Final = 64
_SERVERS: Final = 8
_DOMAINS: Final = 16


class NameSource:
    """What one source said."""

    __slots__ = ("search", "servers", "until")

    def __init__(self) -> None:
        self.servers: tuple[tuple[bytes, int], ...] = ()
        self.search: tuple[str, ...] = ()
        self.until = NEVER


class NameServerTable(TimerOwner):
    """All of one host."""

    def __init__(self, env: Env, timers: TimerHeap) -> None:
        self._env = env
        self._timers = timers
        self._sources: dict[tuple[object, ...], NameSource] = {}
        self._timer = Timer(self)
        self.watchers: list[Callable[[], None]] = []
        """Called when the servers or the domains have become others."""

    def learn(
        self,
        source: tuple[object, ...],
        servers: Sequence[tuple[bytes, int]],
        search: Sequence[str] = (),
        lifetime: int = NEVER,
    ) -> None:
        """`source` names these servers (address, scope) and domains, for `lifetime` ns from now.

        Replaces what it said before.
        """
        known = self._sources.get(source)
        if known is None:
            if len(self._sources) >= _SOURCES:
                return
            known = self._sources[source] = NameSource()
        said = (tuple(servers[:_SERVERS]), tuple(search[:_DOMAINS]))
        changed = said != (known.servers, known.search)
        known.servers, known.search = said
        known.until = NEVER if lifetime >= NEVER else self._env.now + lifetime
        self._arm()
        if changed:
            self._tell()

    def forget(self, source: tuple[object, ...]) -> None:
        """`source` is not to be believed any more."""
        if self._sources.pop(source, None) is not None:
            self._arm()
            self._tell()

    def servers(self) -> list[tuple[bytes, int]]:
        """(address, scope) of every server, each once."""
        return list(dict.fromkeys(s for known in self._ordered() for s in known.servers))

    def search(self) -> list[str]:
        """Every search domain, each once."""
        return list(dict.fromkeys(d for known in self._ordered() for d in known.search))

    def fired(self, timer: Timer) -> None:
        """Something has grown too old."""
        now = self._env.now
        for source in [s for s, known in self._sources.items() if known.until <= now]:
            del self._sources[source]
        self._arm()
        self._tell()

    def _ordered(self) -> list[NameSource]:
        said = sorted(self._sources.items(), key=lambda entry: entry[0][0] == ROUTER)
        return [known for _, known in said]

    def _arm(self) -> None:
        until = min((known.until for known in self._sources.values()), default=NEVER)
        if until < NEVER:
            self._timers.arm(self._timer, until)
        else:
            self._timer.disarm()

    def _tell(self) -> None:
        for changed in self.watchers:
            changed()
