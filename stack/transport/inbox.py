# SPDX-License-Identifier: MIT
"""Floor 5: `Inbox`, the receiving half of every datagram endpoint, with ports or without.

What arrived waits, charged to the endpoint's buffer, until the indicate phase hands over all of it
in one call; what the user leaves waits for `resume`.  What became of datagrams that were sent (ICMP
errors) is told him before that.

Base of the endpoints of `udp` and `raw`, whose protocols decide what is for whom.
"""

from __future__ import annotations

from typing import Any, Final

from stack.base.worklist import Workable, Worklist
from stack.transport.datagram_seam import Datagram, DatagramSink, Received, after, apart

_MAX_TROUBLES: Final = 16
_SILENT: Final = DatagramSink()


class Inbox(Workable, Datagram):
    """What was received and not yet taken."""

    __slots__ = (
        "_charged",
        "_families",
        "_open",
        "_paused",
        "_queue",
        "_room",
        "_troubles",
        "_work",
        "sink",
    )

    def __init__(self, families: int, room: int, work: Worklist[Any]) -> None:
        """`room` octets fit, as charged; `work` is where endpoints with news are marked."""
        super().__init__()
        self.sink: DatagramSink = _SILENT
        self._charged = 0
        self._families = families
        self._open = True
        self._paused = False
        self._queue: list[Received] = []
        self._room = room
        self._troubles: list[tuple[int, bytes, int]] = []
        self._work = work

    def attach(self, sink: DatagramSink) -> None:
        self.sink = sink

    @property
    def families(self) -> int:
        """A mask of addr.V4 and addr.V6."""
        return self._families

    def queued(self) -> int:
        """Octets, as charged, that were received and not yet taken."""
        return sum(one.charge for one in self._queue)

    def resume(self) -> None:
        self._paused = False
        if self._queue:
            self._work.mark(self)

    def grant(self, charge: int) -> None:
        self._charged -= charge

    def indicate(self) -> None:
        """Hand everything queued to the sink."""
        while self._troubles:
            self.sink.troubled(*self._troubles.pop(0))
        if self._paused or not self._queue:
            return
        batch = self._queue
        self._queue = []
        sink = self.sink
        if not sink.joined:
            batch = apart(batch)
        rest = after(batch, sink.received(batch))
        if rest and self._open:
            self._queue = rest + self._queue
            self._paused = True

    # For those who are one.

    def _arrived(self, one: Received) -> None:
        """`one`, for which there is room."""
        self._charged += one.charge
        self._queue.append(one)
        if not self._paused and not self.marked:
            self._work.mark(self)

    def _went_wrong(self, result: int, address: bytes, port: int) -> None:
        """What was sent to `address` and `port` did not arrive."""
        if len(self._troubles) < _MAX_TROUBLES:
            self._troubles.append((result, address, port))
            self._work.mark(self)

    def _shut(self) -> None:
        """Nobody is told anything any more."""
        self.sink = _SILENT
        self._open = False
        self._queue = []
        self._troubles.clear()
