# SPDX-License-Identifier: MIT
"""Floor 3: the neighbours of one interface, both families, and what moves them between states.

Done: RFC 4861 7.2.2-7.2.5, 7.3; RFC 7048 (after three unicast probes, multicast ones, ever more
rarely); RFC 1122 2.3.2.1-2 (time-out, unicast poll, queueing while unresolved, no floods) for ARP
through the same states; RFC 6583 6-7 (bounded and rated resolution, known neighbours first).

Called by `nic` for sending, by `arp` and `ip/ndp` for what they hear, by `ip/gateways` to ask after
a router.  Bounded: the table, what is unresolved in it, the queue of each entry, and how many
resolutions begin in a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stack.base import fate
from stack.base.config import Config
from stack.base.fate import DropDoor
from stack.base.head import Head, Parked
from stack.base.seam import Env
from stack.base.timers import TimerHeap
from stack.base.units import SECOND
from stack.link.neighbor import (
    BACKOFF_MULTIPLE,
    DELAY,
    DELAY_FIRST_PROBE,
    FAILED,
    GONE,
    INCOMPLETE,
    MAX_RETRANS_TIMER,
    MAX_SOLICIT,
    PROBE,
    REACHABLE,
    STALE,
    UNREACHABLE,
    Neighbor,
)
from stack.link.seam import NetworkLayer, Resolver
from stack.wire import ethernet

if TYPE_CHECKING:
    from stack.link.nic import Nic

_EVICTION_SCAN: Final = 32


class NeighborCache:
    """The neighbours of one interface."""

    def __init__(
        self, nic: Nic, env: Env, timers: TimerHeap, door: DropDoor, config: Config
    ) -> None:
        self.nic = nic
        self.door = door
        self.entries: dict[bytes, Neighbor] = {}
        self.queue_limit = config.neighbor_queue
        self._env = env
        self._timers = timers
        self._limit = config.neighbor_limit
        self._incomplete_limit = min(config.neighbor_unresolved_limit, config.neighbor_limit)
        self._hold_off = config.neighbor_hold_off
        self._patient = config.neighbor_patience
        self._interval = SECOND // config.neighbor_rate
        self._when = 0  # when the next resolution is due at that rate
        self._incomplete: dict[bytes, Neighbor] = {}
        self._spent: dict[bytes, Neighbor] = {}  # GONE and FAILED: nothing is lost with them
        self._resolvers: dict[int, tuple[Resolver, NetworkLayer]] = {}
        self._head = Head()

    def serve(self, length: int, resolver: Resolver, layer: NetworkLayer) -> None:
        """Resolve addresses of `length` octets with `resolver`, on behalf of `layer`."""
        self._resolvers[length] = (resolver, layer)

    def lookup(self, address: bytes) -> Neighbor:
        """The entry for `address`, made if need be.  Nothing is sent until it is used."""
        entry = self.entries.get(address)
        if entry is None:
            entry = Neighbor(self, address)
            if self._make_room(resolving=False):
                self._insert(entry)
        return entry

    def fixed(self, address: bytes, lladdr: bytes) -> Neighbor:
        """An entry outside the table that needs no resolution: a group, or the loopback."""
        entry = Neighbor(self, address)
        self._set_lladdr(entry, lladdr)
        entry.state = REACHABLE
        return entry

    def add_static(self, address: bytes, lladdr: bytes) -> Neighbor:
        """`address` is at `lladdr`, whatever anybody says, until `remove`."""
        entry = self.lookup(address)
        if entry.address not in self.entries:
            self._insert(entry)  # the administrator's word goes beyond the limit
        entry.permanent = True
        entry.timer.disarm()
        self._set_lladdr(entry, lladdr)
        self._move(entry, REACHABLE)
        self._flush(entry)
        self._layer(entry).neighbor_answers(entry)
        return entry

    def remove(self, address: bytes) -> bool:
        """Forget `address`, configured or learnt; False if it is not known."""
        entry = self.entries.get(address)
        if entry is None:
            return False
        self._discard(entry, fate.NEIGHBOR_FAILED)
        return True

    def flush(self) -> None:
        """The link is another one, or gone: nothing that was learnt holds any more."""
        for entry in [e for e in self.entries.values() if not e.permanent]:
            self._discard(entry, fate.NEIGHBOR_FAILED)

    def mac_changed(self) -> None:
        """Our own link-layer address is another one."""
        for entry in self.entries.values():
            if entry.lladdr:
                self._set_lladdr(entry, entry.lladdr)

    def check(self, address: bytes) -> None:
        """Ask once whether `address` is there again (RFC 4191 3.5).

        Nothing happens if that is known, or being found out.
        """
        entry = self.lookup(address)
        if entry.state == UNREACHABLE:
            self._solicit(entry, b"")
        elif entry.state in (GONE, FAILED) and self._admit(entry):
            entry.tries = MAX_SOLICIT - 1
            self._move(entry, INCOMPLETE)
            self._ask(entry)

    def announce(self, address: bytes) -> None:
        """Tell the link that `address`, one of ours, is here."""
        resolver, _ = self._resolvers[len(address)]
        resolver.announce(self.nic, address)

    # What the resolvers heard.

    def heard(self, address: bytes, lladdr: bytes, create: bool) -> None:
        """A packet from `address` carried `lladdr` without being an answer to us.

        RFC 826's merge, and the source link-layer option of RFC 4861 7.2.3: the entry
        becomes STALE if it is new or its address changed, and is left alone otherwise.
        """
        entry = self.entries.get(address)
        if entry is None or entry.state in (GONE, FAILED):
            if not create:
                return
            if entry is None:
                entry = Neighbor(self, address)
                if not self._make_room(resolving=False):
                    return
                self._insert(entry)
        elif entry.permanent or (entry.lladdr == lladdr and entry.state != INCOMPLETE):
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
        if entry is None or entry.state in (GONE, FAILED):
            return False
        if entry.permanent:
            entry.is_router = router
            return True
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
        return entry is not None and entry.state in (INCOMPLETE, PROBE, UNREACHABLE)

    # The machine.

    def begin(self, entry: Neighbor) -> None:
        """Start resolving, unless too many are at it."""
        if not self._admit(entry):
            return
        entry.tries = 0
        self._move(entry, INCOMPLETE)
        self._ask(entry)

    def refuse(self, entry: Neighbor) -> None:
        """Nobody answered a moment ago: tell the sender so, not from inside of his call."""
        self._timers.arm(entry.timer, self._env.now)

    def delay(self, entry: Neighbor) -> None:
        """A packet goes to a neighbour that is not known to be there: it has five seconds."""
        self._move(entry, DELAY)
        self._arm(entry, DELAY_FIRST_PROBE)

    def reached(self, entry: Neighbor) -> None:
        """Reachability is confirmed: no doubt for a random time (RFC 4861 6.3.2), drawn anew each
        time."""
        again = entry.state in (INCOMPLETE, UNREACHABLE)
        self._move(entry, REACHABLE)
        entry.tries = 0
        entry.confirmed = True
        base, _ = self._layer(entry).neighbor_times(self.nic)
        self._arm(entry, base // 2 + self._env.random_below(base))
        if again:
            self._layer(entry).neighbor_answers(entry)

    def suspect(self, entry: Neighbor) -> None:
        """Reachability is in doubt: STALE before its time."""
        self._stale(entry)

    def expired(self, entry: Neighbor) -> None:
        """The entry's timer fired."""
        state = entry.state
        if state == REACHABLE:
            self._move(entry, STALE)
        elif state == DELAY:
            self._move(entry, PROBE)
            entry.tries = 0
            self._ask(entry)
        elif state in (INCOMPLETE, PROBE):
            if entry.tries < MAX_SOLICIT:
                self._ask(entry)
            else:
                self._unanswered(entry)
        elif state == UNREACHABLE:
            if entry.used:
                self._ask_again(entry)
            else:
                self._discard(entry, fate.NEIGHBOR_FAILED)
        elif state == FAILED:
            self._refused(entry)

    def _ask(self, entry: Neighbor) -> None:
        entry.tries += 1
        _, retrans = self._layer(entry).neighbor_times(self.nic)
        self._arm(entry, retrans)
        self._solicit(entry, entry.lladdr if entry.state == PROBE else b"")

    def _ask_again(self, entry: Neighbor) -> None:
        """RFC 7048 3: by multicast, for it may have another link-layer address, and ever later."""
        _, retrans = self._layer(entry).neighbor_times(self.nic)
        pause = retrans * BACKOFF_MULTIPLE ** (entry.tries - MAX_SOLICIT + 1)
        if pause < MAX_RETRANS_TIMER:
            entry.tries += 1
        entry.used = False
        self._arm(entry, min(pause, max(MAX_RETRANS_TIMER, retrans)))
        self._solicit(entry, b"")

    def _solicit(self, entry: Neighbor, lladdr: bytes) -> None:
        resolver, _ = self._resolvers[len(entry.address)]
        waiting = entry.queue[-1] if entry.queue else None
        resolver.solicit(self.nic, entry.address, lladdr, waiting)

    def _unanswered(self, entry: Neighbor) -> None:
        if entry.state == PROBE and self._patient:
            self._move(entry, UNREACHABLE)
            self._ask_again(entry)
            self._layer(entry).neighbor_failed(entry)
            return
        lost, entry.queue = entry.queue, []
        entry.lladdr = entry.header = b""
        self._move(entry, FAILED)
        entry.until = self._env.now + self._hold_off
        self._timers.arm(entry.timer, entry.until)
        self._layer(entry).neighbor_failed(entry)
        self._report(entry, lost)

    def _refused(self, entry: Neighbor) -> None:
        """The moment is over, or somebody sent while it lasted."""
        lost, entry.queue = entry.queue, []
        if self._env.now < entry.until:
            self._timers.arm(entry.timer, entry.until)
        else:
            self._discard(entry, fate.NEIGHBOR_FAILED)
        self._report(entry, lost)

    def _report(self, entry: Neighbor, lost: list[Parked]) -> None:
        for parked in lost:
            self.door.drop_frame(parked.headers, fate.NEIGHBOR_FAILED)
        self._layer(entry).unresolved(entry, lost)

    def _stale(self, entry: Neighbor) -> None:
        again = entry.state in (INCOMPLETE, UNREACHABLE, FAILED, GONE)
        self._move(entry, STALE)
        entry.timer.disarm()
        if again:
            self._layer(entry).neighbor_answers(entry)

    def _move(self, entry: Neighbor, state: int) -> None:
        address = entry.address
        self._incomplete.pop(address, None)
        self._spent.pop(address, None)
        entry.state = state
        if state == INCOMPLETE:
            self._incomplete[address] = entry
        elif state in (GONE, FAILED):
            self._spent[address] = entry

    def _arm(self, entry: Neighbor, delay: int) -> None:
        self._timers.arm(entry.timer, self._env.now + delay)

    def _layer(self, entry: Neighbor) -> NetworkLayer:
        return self._resolvers[len(entry.address)][1]

    def _set_lladdr(self, entry: Neighbor, lladdr: bytes) -> None:
        if lladdr != entry.lladdr:
            entry.confirmed = False
        entry.lladdr = lladdr
        kind = ethernet.TYPE_IPV4 if len(entry.address) == 4 else ethernet.TYPE_IPV6
        entry.header = ethernet.build(lladdr, self.nic.mac, kind)

    def _flush(self, entry: Neighbor) -> None:
        waiting, entry.queue = entry.queue, []
        for parked in waiting:
            self._head.load(parked)
            total = len(parked.headers) + len(parked.payload)
            self.nic.send(entry, self._head, (parked.payload,), total)

    # Room.

    def _insert(self, entry: Neighbor) -> None:
        self.entries[entry.address] = entry
        self._move(entry, GONE)

    def _admit(self, entry: Neighbor) -> bool:
        """RFC 6583 6.2, 7.1: one more resolution may begin.  If not, what waits for it is lost."""
        now = self._env.now
        when = max(self._when, now)
        if when - now >= SECOND:
            self._drop_waiting(entry, fate.NEIGHBOR_RATE)
            return False
        self._when = when + self._interval
        while len(self._incomplete) >= self._incomplete_limit:
            oldest = next(iter(self._incomplete.values()))
            self._discard(oldest, fate.NEIGHBOR_TABLE_FULL)
        if self.entries.get(entry.address) is not entry:
            if not self._make_room(resolving=True):
                self._drop_waiting(entry, fate.NEIGHBOR_TABLE_FULL)
                return False
            self._insert(entry)
        return True

    def _make_room(self, resolving: bool) -> bool:
        """Keep the table bounded.  False if there is nothing to be given up.

        First what is known to be nobody, then who has not been heard of for long.  Whoever is
        being resolved gives way only to somebody else to be resolved; a gateway, or somebody who
        is known to be there, to nobody (RFC 6583 7.1).
        """
        if len(self.entries) < self._limit:
            return True
        victim = next(iter(self._spent.values()), None) or self._idle()
        if victim is None and resolving:
            victim = next(iter(self._incomplete.values()), None)
        if victim is None:
            return False
        self._discard(victim, fate.NEIGHBOR_TABLE_FULL)
        return True

    def _idle(self) -> Neighbor | None:
        """One of the oldest entries that nobody would miss.  The others move to the end.

        Those who only spoke to us are not known to be there, whatever we have sent them since;
        and anybody can say that he is a router.
        """
        entries = self.entries
        for _ in range(min(_EVICTION_SCAN, len(entries))):
            address = next(iter(entries))
            entry = entries[address]
            silent = not entry.confirmed and entry.state in (DELAY, PROBE)
            if (silent or entry.state in (STALE, UNREACHABLE)) and not entry.gateway:
                return entry
            entries[address] = entries.pop(address)
        return None

    def _discard(self, entry: Neighbor, reason: int) -> None:
        self._drop_waiting(entry, reason)
        entry.timer.disarm()
        entry.permanent = False
        entry.lladdr = entry.header = b""
        self._move(entry, GONE)
        del self._spent[entry.address]
        del self.entries[entry.address]

    def _drop_waiting(self, entry: Neighbor, reason: int) -> None:
        lost, entry.queue = entry.queue, []
        for parked in lost:
            self.door.drop_frame(parked.headers, reason)
