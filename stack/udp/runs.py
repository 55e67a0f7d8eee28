# SPDX-License-Identifier: MIT
"""Floor 6: datagrams that one turn sends one by one, and that leave together.

The first datagram of a turn goes at once.  What the same endpoint sends to the same place behind
it is held until the turn ends, as long as it is of one size, and leaves as one super-frame: one
pass through IP and one system call for up to 64 datagrams.  On the wire nothing differs: whoever
cuts the frame, the device or the kernel behind it, makes of it the datagrams that were sent, in
their order, each with an identification of its own.  Only devices that take super-frames of
datagrams (USO) are given any.

A datagram is the caller's again when his call returns, so it is copied where it lies in memory that
may change and is small; a large one of that kind is not held.

Used by `endpoint`; `protocol` flushes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from stack.base.seam import Executor
from stack.base.units import View
from stack.ip.path import Path
from stack.wire import ipv6, udp

if TYPE_CHECKING:
    from stack.udp.sending import Sending

_SMALL: Final = 512
MAX_SUPER: Final = 65535 - ipv6.LENGTH - udp.LENGTH
"""Payload of a super-frame, in either family."""
MOST_SEGMENTS: Final = 64
"""Datagrams of one: what every kernel that knows of them takes (UDP_MAX_SEGMENTS)."""
MOST_VIEWS: Final = 1000
"""A writev takes 1024 pieces (IOV_MAX), headers included."""


class Run:
    """Datagrams of `size` octets to one place; the last may be shorter."""

    __slots__ = ("count", "size", "total", "views")

    def __init__(self, size: int) -> None:
        self.size = size
        self.count = 0
        self.total = 0
        self.views: list[View] = []


_Place = tuple["Sending", Path, int]


class Runs:
    """What the endpoints of one stack hold until the turn ends."""

    __slots__ = ("_executor", "held")

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.held: dict[_Place, Run] = {}

    def add(
        self, endpoint: Sending, path: Path, port: int, views: Sequence[View], count: int
    ) -> bool:
        """Hold a datagram of `count` octets, at least one, that fits `path` in one piece.

        False if its memory has to be left alone.
        """
        kept = _kept(views, count)
        if not kept:
            return False
        place = (endpoint, path, port)
        run = self.held.get(place)
        if run is not None and (count > run.size or run.total + count > MAX_SUPER):
            self._leave(place)
            run = None
        if run is None:
            if not self.held:
                self._executor.wanted()
            run = self.held[place] = Run(count)
        run.views += kept
        run.count += 1
        run.total += count
        if count < run.size or run.count == MOST_SEGMENTS:
            self._leave(place)
        return True

    def flush(self) -> None:
        """Send everything that is held.  What the device has no room for is lost and counted there,
        as a datagram may be."""
        for place in list(self.held):
            self._leave(place)

    def _leave(self, place: _Place) -> None:
        run = self.held.pop(place)
        endpoint, path, port = place
        endpoint.send_run(path, port, run)


def _kept(views: Sequence[View], count: int) -> Sequence[View]:
    """Memory with these octets that nobody will change; empty if that would be a large copy."""
    if len(views) == 1:
        view = views[0]
        if type(view) is bytes or (type(view) is memoryview and type(view.obj) is bytes):
            return views
    return (b"".join(views),) if count <= _SMALL else ()
