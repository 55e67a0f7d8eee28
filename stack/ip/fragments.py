# SPDX-License-Identifier: MIT
"""Floor 4: reassembly (RFC 791 3.2, RFC 815, RFC 8200 4.5), one table for both families.

A datagram is identified by source, destination, protocol and identification; RFC 815's hole
list is the complement of a `RangeSet`.  Overlap discards the whole datagram and what follows
of it (RFC 5722, and for IPv4 by the same good reason); an exact duplicate of a fragment is
harmless and ignored.

What the table may cost is fixed: `Config.reassembly_memory` octets, counted with what Python
spends on keeping them, `reassembly_limit` datagrams, `reassembly_source_limit` of one source and
`reassembly_fragments` of one datagram.  Beyond the first two the oldest datagram of whoever holds
most gives way, so that a flood from one source costs nobody else anything.  Sources that hold
about as much as each other, within a factor of two, take turns.  Nothing here takes longer the
more there is, but for the logarithm of the fragments of one datagram.

Called by `layer` with one fragment at a time; answers with the pieces of a whole datagram.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from stack.base import fate
from stack.base.config import Config
from stack.base.fate import DropDoor
from stack.base.packet import Packet
from stack.base.ranges import RangeSet
from stack.base.seam import Env, TimerOwner
from stack.base.timers import Timer, TimerHeap

MAX_DATAGRAM: Final = 65535

DATAGRAM_COST: Final = 1536
"""What an incomplete datagram costs beside its fragments, at most; measured."""
FRAGMENT_COST: Final = 192
"""And a fragment beside its octets."""

_RANKS: Final = 64
_NOT_ECT_SEEN: Final = 1 << 0
_CE_SEEN: Final = 1 << 3


class Source:
    """Somebody whose datagrams are incomplete."""

    __slots__ = ("address", "charge", "datagrams", "rank")

    def __init__(self, address: bytes) -> None:
        self.address = address
        self.datagrams: dict[bytes, Datagram] = {}  # in order of arrival
        self.charge = 0
        self.rank = 0


class Datagram:
    """One incomplete datagram."""

    __slots__ = (
        "broken",
        "charge",
        "ecn",
        "first",
        "highest",
        "index",
        "key",
        "parts",
        "ranges",
        "source",
        "total",
        "until",
    )

    def __init__(self, key: bytes, source: Source, index: int, until: int) -> None:
        self.key = key
        self.source = source
        self.index = index  # of the interface the earliest fragment came in on
        self.until = until
        self.ranges = RangeSet()
        self.parts: dict[int, bytes] = {}
        self.total = -1  # length, once the last fragment is here
        self.highest = 0  # end of what lies furthest
        self.first: Packet | None = None
        self.charge = 0
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
    """All incomplete datagrams of one stack.

    `failed` is told of every datagram that will never be whole, before `expired` is told of the
    first fragment of one that ran out of time.
    """

    def __init__(
        self,
        env: Env,
        timers: TimerHeap,
        door: DropDoor,
        config: Config,
        failed: Callable[[Datagram], None],
        expired: Callable[[Packet], None],
    ) -> None:
        self._env = env
        self._timers = timers
        self._door = door
        self._config = config
        self._failed = failed
        self._expired = expired
        self._table: dict[bytes, Datagram] = {}  # in order of arrival, hence of expiry
        self._sources: dict[bytes, Source] = {}
        self._ranks: list[dict[bytes, Source]] = [{} for _ in range(_RANKS)]
        self._held = 0
        self._timer = Timer(self)

    def __len__(self) -> int:
        return len(self._table)

    @property
    def held(self) -> int:
        """What the table costs, octets."""
        return self._held

    def add(self, pkt: Packet, key: bytes, offset: int, more: bool) -> Datagram | None:
        """Take the fragment pkt.frame[pkt.l4:pkt.end]; the whole datagram if it is the last."""
        datagram = self._table.get(key)
        if datagram is None:
            datagram = self._open(key, pkt)
        if datagram.broken:
            self._door.drop(pkt, fate.FRAGMENT_OVERLAP)
            return None
        end = offset + pkt.end - pkt.l4
        if not self._agrees(datagram, pkt, offset, end, more):
            return None
        if not more:
            datagram.total = end
        if end > datagram.highest:
            datagram.highest = end
        cost = FRAGMENT_COST + end - offset
        if offset == 0:
            datagram.first = pkt
            cost += len(pkt.frame)
        datagram.ecn |= 1 << (pkt.tos & 3)
        datagram.parts[offset] = pkt.frame[pkt.l4 : pkt.end]
        datagram.ranges.add(offset, end)
        if datagram.total >= 0 and datagram.ranges.covers(0, datagram.total):
            self._close(datagram)
            return datagram
        self._charge(datagram, cost)
        while self._held > self._config.reassembly_memory and self._table:
            self._discard(self._victim(), fate.FRAGMENT_TABLE_FULL)
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
            if first is not None:
                self._expired(first)

    # One fragment against the others.

    def _agrees(self, datagram: Datagram, pkt: Packet, offset: int, end: int, more: bool) -> bool:
        """The fragment is new and contradicts none of the others."""
        if datagram.ranges.overlaps(offset, end):
            same = datagram.parts.get(offset) == pkt.frame[pkt.l4 : pkt.end]
            if same and more == (end != datagram.total):
                self._door.drop(pkt, fate.FRAGMENT_DUPLICATE)
            else:
                self._break(datagram, pkt, fate.FRAGMENT_OVERLAP)
            return False
        # Nothing lies beyond the last fragment, and there is only one last.
        fits = (
            more and end <= datagram.total
            if datagram.total >= 0
            else more or datagram.highest <= end
        )
        if not fits:
            self._break(datagram, pkt, fate.FRAGMENT_OVERLAP)
        elif len(datagram.parts) >= self._config.reassembly_fragments:
            self._break(datagram, pkt, fate.FRAGMENT_TOO_MANY)
            return False
        return fits

    def _break(self, datagram: Datagram, pkt: Packet, reason: int) -> None:
        """Nothing of this datagram can be trusted, now or later (RFC 5722)."""
        self._door.drop(pkt, reason)
        self._failed(datagram)
        datagram.broken = True
        datagram.parts = {}
        datagram.ranges = RangeSet()
        datagram.first = None
        self._charge(datagram, DATAGRAM_COST - datagram.charge)

    # The table.

    def _open(self, key: bytes, pkt: Packet) -> Datagram:
        source = self._sources.get(pkt.src)
        if source is not None and len(source.datagrams) >= self._config.reassembly_source_limit:
            self._discard(next(iter(source.datagrams.values())), fate.FRAGMENT_TABLE_FULL)
        if len(self._table) >= self._config.reassembly_limit:
            self._discard(self._victim(), fate.FRAGMENT_TABLE_FULL)
        source = self._sources.get(pkt.src)
        if source is None:
            source = self._sources[pkt.src] = Source(pkt.src)
        until = self._env.now + self._config.reassembly_time
        datagram = Datagram(key, source, pkt.nic.index, until)
        self._table[key] = source.datagrams[key] = datagram
        self._charge(datagram, DATAGRAM_COST)
        if not self._timer.armed:
            self._timers.arm(self._timer, until)
        return datagram

    def _charge(self, datagram: Datagram, cost: int) -> None:
        """`datagram` costs so much more; its source moves among those who hold as much."""
        datagram.charge += cost
        self._held += cost
        source = datagram.source
        source.charge += cost
        rank = source.charge.bit_length()
        if rank != source.rank:
            self._ranks[source.rank].pop(source.address, None)
            source.rank = rank
            if rank:
                self._ranks[rank][source.address] = source

    def _victim(self) -> Datagram:
        """The oldest datagram of whoever holds most."""
        for rank in reversed(self._ranks):
            if rank:
                source = next(iter(rank.values()))
                return next(iter(source.datagrams.values()))
        raise AssertionError("an empty table has no room to make")

    def _close(self, datagram: Datagram) -> None:
        source = datagram.source
        del self._table[datagram.key]
        del source.datagrams[datagram.key]
        self._charge(datagram, -datagram.charge)
        if not source.datagrams:
            del self._sources[source.address]
        if not self._table:
            self._timer.disarm()

    def _discard(self, datagram: Datagram, reason: int) -> None:
        self._close(datagram)
        if not datagram.broken:
            self._failed(datagram)
        if datagram.first is not None:
            self._door.drop(datagram.first, reason)
        else:
            self._door.drop_frame(b"", reason)
