# SPDX-License-Identifier: MIT
"""Floor 3: the reachability machine of RFC 4861 7.3, for IPv6 *and* IPv4 neighbours.

::

    INCOMPLETE --answer--> REACHABLE --30 s--> STALE --use--> DELAY --5 s--> PROBE --3 tries--> GONE
         |                     ^                                |             |
         '--3 tries--> GONE    '------------ confirmed ---------'-------------'

Done: RFC 4861 7.2.2-7.2.5, 7.3; RFC 1122 2.3.2.1-2 (time-out, unicast poll, queueing while
unresolved), for ARP through the same states.  Not done: RFC 7048 (keep probing), RFC 9131.

Called by `nic` for sending, by `arp` and `ip/ndp` for what they hear, by transports (through
`ip/path`) with word of forward progress.  Bounded: the table, and the queue of each entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from stack.base import fate
from stack.base.fate import DropDoor
from stack.base.head import Head, Parked
from stack.base.seam import Env, TimerOwner
from stack.base.timers import Timer, TimerHeap
from stack.base.units import SECOND, View
from stack.link.seam import NetworkLayer, Resolver
from stack.wire import ethernet

if TYPE_CHECKING:
    from stack.link.nic import Nic

INCOMPLETE: Final = 0
REACHABLE: Final = 1
STALE: Final = 2
DELAY: Final = 3
PROBE: Final = 4
GONE: Final = 5

STATE_NAMES: Final = ("INCOMPLETE", "REACHABLE", "STALE", "DELAY", "PROBE", "GONE")

# RFC 4861 10
MAX_SOLICIT: Final = 3
RETRANS_TIMER: Final = SECOND
REACHABLE_TIME: Final = 30 * SECOND
DELAY_FIRST_PROBE: Final = 5 * SECOND

QUEUE_LIMIT: Final = 16
"""Packets kept for one unresolved neighbour; the oldest gives way (RFC 4861 7.2.2)."""

_EVICTION_SCAN: Final = 32


class Neighbor(TimerOwner):
    """A next hop.  `header` is the finished Ethernet header for packets to it."""

    __slots__ = (
        "address",
        "cache",
        "header",
        "is_router",
        "lladdr",
        "queue",
        "state",
        "timer",
        "tries",
    )

    def __init__(self, cache: NeighborCache, address: bytes) -> None:
        self.cache = cache
        self.address = address
        self.state = GONE
        self.lladdr = b""
        self.header = b""
        self.is_router = False
        self.queue: list[Parked] = []
        self.timer = Timer(self)
        self.tries = 0

    def ready(self, head: Head, views: Sequence[View]) -> bool:
        """May this packet go out now?  If not it has been queued.

        Called by `Nic.send` for every state but REACHABLE.
        """
        if self.state == STALE:
            self.state = DELAY
            self.cache.arm(self, DELAY_FIRST_PROBE)
            return True
        if self.state in (DELAY, PROBE):
            return True
        if len(self.queue) >= QUEUE_LIMIT:
            lost = self.queue.pop(0)
            self.cache.door.drop_frame(lost.headers, fate.NEIGHBOR_QUEUE_FULL)
        self.queue.append(Parked(head, views))
        if self.state == GONE:
            self.cache.begin(self)
        return False

    def confirm(self) -> None:
        """A protocol above saw forward progress through this neighbour (RFC 4861 7.3.1)."""
        if self.state in (STALE, DELAY, PROBE):
            self.cache.reached(self)

    def doubt(self) -> None:
        """A protocol above gets no answers through this neighbour (RFC 1122 4.2.3.5, R1).

        The next packet starts the delay after which the neighbour is probed.
        """
        if self.state == REACHABLE and self.timer.armed:
            self.cache.suspect(self)

    def fired(self, timer: Timer) -> None:
        self.cache.expired(self)


class NeighborCache:
    """The neighbours of one interface, both families in one table."""

    def __init__(self, nic: Nic, env: Env, timers: TimerHeap, door: DropDoor, limit: int) -> None:
        self.nic = nic
        self.door = door
        self.entries: dict[bytes, Neighbor] = {}
        self._env = env
        self._timers = timers
        self._limit = limit
        self._resolvers: dict[int, tuple[Resolver, NetworkLayer]] = {}
        self._head = Head()

    def serve(self, length: int, resolver: Resolver, layer: NetworkLayer) -> None:
        """Resolve addresses of `length` octets with `resolver`, on behalf of `layer`."""
        self._resolvers[length] = (resolver, layer)

    def lookup(self, address: bytes) -> Neighbor:
        """The entry for `address`, made if need be.  Nothing is sent until it is used."""
        entry = self.entries.get(address)
        if entry is None:
            entry = self._insert(address)
        return entry

    def fixed(self, address: bytes, lladdr: bytes) -> Neighbor:
        """An entry outside the table that needs no resolution: a group, or the loopback."""
        entry = Neighbor(self, address)
        self._set_lladdr(entry, lladdr)
        entry.state = REACHABLE
        return entry

    def flush(self) -> None:
        """The link is another one, or gone: nothing that is known holds any more."""
        for entry in self.entries.values():
            self._end(entry, fate.NEIGHBOR_FAILED)
        self.entries.clear()

    def remove(self, address: bytes) -> bool:
        """Forget `address`; False if it is not known."""
        entry = self.entries.pop(address, None)
        if entry is None:
            return False
        self._end(entry, fate.NEIGHBOR_FAILED)
        return True

    # What the resolvers heard.

    def heard(self, address: bytes, lladdr: bytes, create: bool) -> None:
        """A packet from `address` carried `lladdr` without being an answer to us.

        RFC 826's merge, and the source link-layer option of RFC 4861 7.2.3: the entry
        becomes STALE if it is new or its address changed, and is left alone otherwise.
        """
        entry = self.entries.get(address)
        if entry is None or entry.state == GONE:
            if not create:
                return
            entry = entry or self._insert(address)
        elif entry.lladdr == lladdr and entry.state != INCOMPLETE:
            return
        self._set_lladdr(entry, lladdr)
        self._stale(entry)
        self._flush(entry)

    def advertised(
        self, address: bytes, lladdr: bytes, solicited: bool, override: bool, router: bool
    ) -> bool:
        """An answer arrived (RFC 4861 7.2.5).  False if nobody had asked about `address`.

        `lladdr` is empty when the answer carried none.
        """
        entry = self.entries.get(address)
        if entry is None or entry.state == GONE:
            return False
        if entry.state == INCOMPLETE:
            if lladdr:
                self._set_lladdr(entry, lladdr)
                entry.is_router = router
                if solicited:
                    self.reached(entry)
                else:
                    self._stale(entry)
                self._flush(entry)
            return True
        changed = lladdr not in (b"", entry.lladdr)
        if changed and not override:
            if entry.state == REACHABLE:
                self._stale(entry)
            return True
        if changed:
            self._set_lladdr(entry, lladdr)
        entry.is_router = router
        if solicited:
            self.reached(entry)
        elif changed:
            self._stale(entry)
        return True

    def asking(self, address: bytes) -> bool:
        """A solicitation of ours for `address` is outstanding."""
        entry = self.entries.get(address)
        return entry is not None and entry.state in (INCOMPLETE, PROBE)

    # The machine.

    def begin(self, entry: Neighbor) -> None:
        """Start resolving."""
        if self.entries.get(entry.address) is not entry:
            self._make_room()
            self.entries[entry.address] = entry
        entry.state = INCOMPLETE
        entry.tries = 0
        self._ask(entry)

    def reached(self, entry: Neighbor) -> None:
        """Reachability is confirmed: no doubt for a random time around 30 s."""
        entry.state = REACHABLE
        entry.tries = 0
        spread = self._env.random_below(REACHABLE_TIME)
        self.arm(entry, REACHABLE_TIME // 2 + spread)

    def suspect(self, entry: Neighbor) -> None:
        """Reachability is in doubt: STALE before its time."""
        self._stale(entry)

    def arm(self, entry: Neighbor, delay: int) -> None:
        self._timers.arm(entry.timer, self._env.now + delay)

    def expired(self, entry: Neighbor) -> None:
        """The entry's timer fired."""
        if entry.state == REACHABLE:
            entry.state = STALE
        elif entry.state == DELAY:
            entry.state = PROBE
            entry.tries = 0
            self._ask(entry)
        elif entry.state in (INCOMPLETE, PROBE):
            if entry.tries < MAX_SOLICIT:
                self._ask(entry)
            else:
                self._give_up(entry)

    def _ask(self, entry: Neighbor) -> None:
        entry.tries += 1
        self.arm(entry, RETRANS_TIMER)
        resolver, _ = self._resolvers[len(entry.address)]
        resolver.solicit(self.nic, entry.address, entry.lladdr if entry.state == PROBE else b"")

    def _give_up(self, entry: Neighbor) -> None:
        lost, entry.queue = entry.queue, []
        entry.state = GONE
        entry.lladdr = entry.header = b""
        self.entries.pop(entry.address, None)
        for parked in lost:
            self.door.drop_frame(parked.headers, fate.NEIGHBOR_FAILED)
        _, layer = self._resolvers[len(entry.address)]
        layer.unresolved(entry, lost)

    def _stale(self, entry: Neighbor) -> None:
        entry.state = STALE
        entry.timer.disarm()

    def _set_lladdr(self, entry: Neighbor, lladdr: bytes) -> None:
        entry.lladdr = lladdr
        kind = ethernet.TYPE_IPV4 if len(entry.address) == 4 else ethernet.TYPE_IPV6
        entry.header = ethernet.build(lladdr, self.nic.mac, kind)

    def _flush(self, entry: Neighbor) -> None:
        waiting, entry.queue = entry.queue, []
        for parked in waiting:
            self._head.load(parked)
            self.nic.send(entry, self._head, (parked.payload,))

    def _insert(self, address: bytes) -> Neighbor:
        self._make_room()
        entry = self.entries[address] = Neighbor(self, address)
        return entry

    def _make_room(self) -> None:
        """Keep the table bounded: an idle entry among the oldest leaves, else the oldest."""
        if len(self.entries) < self._limit:
            return
        oldest: Neighbor | None = None
        for count, entry in enumerate(self.entries.values()):
            oldest = oldest or entry
            if entry.state in (STALE, GONE):
                oldest = entry
                break
            if count == _EVICTION_SCAN:
                break
        if oldest is not None:
            self._end(oldest, fate.NEIGHBOR_TABLE_FULL)
            del self.entries[oldest.address]

    def _end(self, entry: Neighbor, reason: int) -> None:
        for parked in entry.queue:
            self.door.drop_frame(parked.headers, reason)
        entry.queue = []
        entry.state = GONE
        entry.timer.disarm()
