# SPDX-License-Identifier: MIT
"""Floor 4: reassembly (RFC 791 3.2, RFC 815, RFC 8200 4.5), one table for both families.

A datagram is identified by source, destination, protocol and identification; RFC 815's hole
list is the complement of a `RangeSet`.  Overlap discards the whole datagram and what follows
of it (RFC 5722, and for IPv4 by the same good reason); an exact duplicate of a fragment is
harmless and ignored.  Memory and number are capped: beyond the cap the oldest datagram goes.

Called by `layer` with one fragment at a time; answers with the pieces of a whole datagram.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from stack.base import fate
from stack.base.fate import DropDoor
from stack.base.packet import Packet
from stack.base.ranges import RangeSet
from stack.base.seam import Env, TimerOwner
from stack.base.timers import Timer, TimerHeap

MAX_DATAGRAM: Final = 65535


_NOT_ECT_SEEN: Final = 1 << 0
_CE_SEEN: Final = 1 << 3


class Datagram:
    """One incomplete datagram."""

    __slots__ = ("broken", "ecn", "first", "held", "key", "parts", "ranges", "total", "until")

    def __init__(self, key: bytes, until: int) -> None:
        self.key = key
        self.until = until
        self.ranges = RangeSet()
        self.parts: dict[int, bytes] = {}
        self.total = -1  # length, once the last fragment is here
        self.first: Packet | None = None
        self.held = 0
        self.broken = False  # overlap was seen: swallow the rest
        self.ecn = 0  # one bit for each ECN field seen

    @property
    def marked(self) -> bool:
        """A router marked one of the fragments (RFC 3168 5.3)."""
        return bool(self.ecn & _CE_SEEN)

    @property
    def contradicts(self) -> bool:
        """A mark on one, and another whose sender does not know of marks: it counts as lost."""
        return self.ecn & (_CE_SEEN | _NOT_ECT_SEEN) == _CE_SEEN | _NOT_ECT_SEEN

    def data(self) -> bytes:
        """The payload, complete."""
        return b"".join(self.parts[at] for at in sorted(self.parts))


class Reassembler(TimerOwner):
    """All incomplete datagrams of one stack."""

    def __init__(
        self,
        env: Env,
        timers: TimerHeap,
        door: DropDoor,
        lifetime: int,
        limit: int,
        memory: int,
        expired: Callable[[Packet], None],
    ) -> None:
        self._env = env
        self._timers = timers
        self._door = door
        self._lifetime = lifetime
        self._limit = limit
        self._memory = memory
        self._expired = expired
        self._table: dict[bytes, Datagram] = {}  # in order of arrival, hence of expiry
        self._held = 0
        self._timer = Timer(self)

    def __len__(self) -> int:
        return len(self._table)

    @property
    def held(self) -> int:
        """Octets of fragments in the table."""
        return self._held

    def add(self, pkt: Packet, key: bytes, offset: int, more: bool) -> Datagram | None:
        """Take the fragment pkt.frame[pkt.l4:pkt.end]; the whole datagram if it is the last."""
        datagram = self._table.get(key)
        if datagram is None:
            datagram = self._open(key)
        size = pkt.end - pkt.l4
        end = offset + size
        if datagram.broken:
            self._door.drop(pkt, fate.FRAGMENT_OVERLAP)
            return None
        if datagram.ranges.overlaps(offset, end) or size == 0:
            if size and len(datagram.parts.get(offset, b"")) == size:
                self._door.drop(pkt, fate.FRAGMENT_DUPLICATE)
            else:
                self._break(datagram, pkt)
            return None
        if not self._fits(datagram, end, more):
            self._break(datagram, pkt)
            return None
        if not more:
            datagram.total = end
        if offset == 0:
            datagram.first = pkt
        datagram.ecn |= 1 << (pkt.tos & 3)
        datagram.parts[offset] = pkt.frame[pkt.l4 : pkt.end]
        datagram.ranges.add(offset, end)
        datagram.held += size
        self._held += size
        if datagram.total >= 0 and datagram.ranges.covers(0, datagram.total):
            self._close(datagram)
            return datagram
        while self._held > self._memory and self._table:
            self._discard(next(iter(self._table.values())), fate.FRAGMENT_TABLE_FULL)
        return None

    def fired(self, timer: Timer) -> None:
        """The oldest datagram is out of time, and perhaps more of them."""
        now = self._env.now
        while self._table:
            datagram = next(iter(self._table.values()))
            if datagram.until > now:
                self._timers.arm(timer, datagram.until)
                return
            first = datagram.first
            self._discard(datagram, fate.FRAGMENT_TIMEOUT)
            if first is not None and not datagram.broken:
                self._expired(first)

    @staticmethod
    def _fits(datagram: Datagram, end: int, more: bool) -> bool:
        """Nothing lies beyond the last fragment, and there is only one last."""
        if datagram.total >= 0:
            return more and end <= datagram.total
        highest = max((last for _, last in datagram.ranges), default=0)
        return more or highest <= end

    def _open(self, key: bytes) -> Datagram:
        if len(self._table) >= self._limit:
            self._discard(next(iter(self._table.values())), fate.FRAGMENT_TABLE_FULL)
        until = self._env.now + self._lifetime
        datagram = self._table[key] = Datagram(key, until)
        if not self._timer.armed:
            self._timers.arm(self._timer, until)
        return datagram

    def _break(self, datagram: Datagram, pkt: Packet) -> None:
        """Overlap: nothing of this datagram can be trusted, now or later (RFC 5722)."""
        self._door.drop(pkt, fate.FRAGMENT_OVERLAP)
        datagram.broken = True
        self._held -= datagram.held
        datagram.held = 0
        datagram.parts = {}
        datagram.first = None

    def _close(self, datagram: Datagram) -> None:
        del self._table[datagram.key]
        self._held -= datagram.held
        if not self._table:
            self._timer.disarm()

    def _discard(self, datagram: Datagram, reason: int) -> None:
        self._close(datagram)
        if datagram.first is not None:
            self._door.drop(datagram.first, reason)
        else:
            self._door.drop_frame(b"", reason)
