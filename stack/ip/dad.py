# SPDX-License-Identifier: MIT
"""Floor 4: whether another station has an address of ours: one machine, two sets of rules.

`Dad`, IPv6: RFC 4862 5.4 with the random delay of 5.4.2, RFC 7527 (a nonce tells a probe that came
back from a rival's) and RFC 4429 (optimistic addresses, for those we make up ourselves).  A claim
to an address in use is counted and traced, no more: RFC 4862 has nothing against it.
`Acd`, IPv4: RFC 5227 2.1-2.4: probes, announcements, and the defence of an address in use.
Not done: RFC 4429 3.2's way through the default router while a neighbour is unknown; packets wait.

Called by `addrconf` when an address is new or a timer fires, by `holding` with what `arp` and
`ndp` hear.  Messages go out through the `Resolver` seam.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stack.base import addr, fate
from stack.base.fate import DropDoor
from stack.base.packet import Packet
from stack.base.units import SECOND
from stack.ip.addrconf import (
    DUPLICATED,
    LINK_LOCAL,
    MANUAL,
    OPTIMISTIC,
    SLAAC,
    TEMPORARY,
    TENTATIVE,
    LocalAddress,
)
from stack.link.nic import Nic
from stack.link.seam import NetworkLayer, Resolver
from stack.wire import ethernet

if TYPE_CHECKING:
    from stack.ip.holding import Holding

ANNOUNCE_COUNT: Final = 2  # RFC 5227 1.1
ANNOUNCE_INTERVAL: Final = 2 * SECOND

# RFC 4861 10
MAX_RTR_SOLICITATION_DELAY: Final = SECOND
MAX_MULTICAST_SOLICIT: Final = 3

# RFC 5227 1.1
PROBE_WAIT: Final = SECOND
PROBE_NUM: Final = 3
PROBE_MIN: Final = SECOND
PROBE_MAX: Final = 2 * SECOND
ANNOUNCE_WAIT: Final = 2 * SECOND
MAX_CONFLICTS: Final = 10
RATE_LIMIT_INTERVAL: Final = 60 * SECOND
DEFEND_INTERVAL: Final = 10 * SECOND

NONCE_LENGTH: Final = 6  # RFC 3971 5.3.2
_NONCES: Final = 8


class Prober:
    """What both families do alike: so many probes, a wait after each, then announcements."""

    def __init__(self, layer: Holding) -> None:
        self.layer = layer
        self.addresses = layer.addresses
        self.env = layer.env
        self._resolver: Resolver | None = None
        self._quiet: dict[int, int] = {}  # frames sent when the interface came up, by index

    def serve(self, resolver: Resolver) -> None:
        """Probe through `resolver`."""
        self._resolver = resolver

    # What a family must say.

    def count(self, entry: LocalAddress) -> int:
        """How many probes: none makes an address usable at once."""
        raise NotImplementedError

    def delay(self, entry: LocalAddress) -> int:
        """ns before the first one."""
        raise NotImplementedError

    def probe(self, resolver: Resolver, entry: LocalAddress) -> int:
        """Send one; how long to wait, ns."""
        raise NotImplementedError

    def enough(self, entry: LocalAddress) -> bool:
        """No more probes, now that the wait after the last is over."""
        raise NotImplementedError

    def claimed(self, entry: LocalAddress, lladdr: bytes, nonce: bytes) -> None:
        """The station with `lladdr` uses or probes this address; it is not one of ours."""
        raise NotImplementedError

    # The machine.

    def begin(self, entry: LocalAddress) -> None:
        """Ask the link, and until it has had time to answer do not use the address."""
        entry.sent = 0
        entry.wanted = self.count(entry)
        entry.nonces.clear()
        entry.looped = False
        if not entry.wanted or self._resolver is None:
            self.addresses.settle(entry)
            return
        self.addresses.move(entry, TENTATIVE)
        if entry.nic.up and not self.layer.interface(entry.nic).disabled:
            self._arm(entry, self.delay(entry))

    def step(self, entry: LocalAddress) -> None:
        """The next probe or announcement is due."""
        resolver = self._resolver
        assert resolver is not None
        if entry.state in (TENTATIVE, OPTIMISTIC):
            if entry.sent < entry.wanted or not self.enough(entry):
                entry.sent += 1
                self._arm(entry, self.probe(resolver, entry))
                return
            entry.sent = 0
            self.addresses.settle(entry)
        resolver.announce(entry.nic, entry.address)
        entry.sent += 1
        if entry.sent < ANNOUNCE_COUNT:
            self._arm(entry, ANNOUNCE_INTERVAL)

    def heard(self, nic: Nic, address: bytes, lladdr: bytes, nonce: bytes) -> None:
        """A station on `nic` with `lladdr` (empty: unknown) uses or probes `address`."""
        entry = self.addresses.all.get(address)
        if entry is not None and entry.nic is nic and entry.state != DUPLICATED:
            self.claimed(entry, lladdr, nonce)

    def duplicated(self, entry: LocalAddress) -> None:
        """The address is another's, and was never ours."""
        entry.conflicts += 1
        entry.timer.disarm()
        self.addresses.counters.duplicates += 1
        self.addresses.move(entry, DUPLICATED)

    def link_up(self, nic: Nic) -> None:
        """The link is there, for the first time or again: all addresses are in doubt."""
        self._quiet[nic.index] = nic.counters.out_packets
        for entry in list(self.addresses.on(nic.index)):
            again = entry.state != DUPLICATED or entry.origin in (MANUAL, LINK_LOCAL)
            if entry.probed and again:
                self.begin(entry)

    def first(self, nic: Nic) -> bool:
        """Nothing was sent since the interface came up."""
        return nic.counters.out_packets == self._quiet.get(nic.index, 0)

    def _arm(self, entry: LocalAddress, delay: int) -> None:
        self.addresses.timers.arm(entry.timer, self.env.now + delay)


class Dad(Prober):
    """IPv6."""

    def count(self, entry: LocalAddress) -> int:
        return self.layer.config.dad_transmits

    def delay(self, entry: LocalAddress) -> int:
        """RFC 4862 5.4.2: stations that came up together, or heard the same advertisement, do not
        ask together."""
        if entry.origin in (SLAAC, TEMPORARY) or self.first(entry.nic):
            return self.env.random_below(MAX_RTR_SOLICITATION_DELAY)
        return 0

    def probe(self, resolver: Resolver, entry: LocalAddress) -> int:
        config = self.layer.config
        nonce = b""
        if config.enhanced_dad:
            nonce = self.env.random(NONCE_LENGTH)  # another for each (RFC 7527 4.1)
            entry.nonces.append(nonce)
            del entry.nonces[:-_NONCES]
        resolver.probe(entry.nic, entry.address, nonce)
        if config.optimistic_dad and entry.state == TENTATIVE and entry.origin != MANUAL:
            # RFC 4429 3.3: in use from the first solicitation on.  Not what a person typed in (3.1)
            self.addresses.move(entry, OPTIMISTIC)
        return self.layer.interface(entry.nic).retrans_timer

    def enough(self, entry: LocalAddress) -> bool:
        """RFC 7527 4.1: on a looped link nobody knows, so go on until it is none."""
        if not entry.looped:
            return True
        entry.looped = False
        entry.wanted += MAX_MULTICAST_SOLICIT
        return False

    def claimed(self, entry: LocalAddress, lladdr: bytes, nonce: bytes) -> None:
        """RFC 4862 5.4.3-4."""
        counters = self.addresses.counters
        if nonce in entry.nonces:
            counters.looped += 1
            entry.looped = True
            return
        if not nonce and lladdr == entry.nic.mac:
            return  # an echo of what we said ourselves
        if entry.state not in (TENTATIVE, OPTIMISTIC):
            entry.conflicts += 1
            counters.claims += 1
            self.addresses.note(entry, "claimed by another station")
            return
        self.duplicated(entry)
        if entry.origin == LINK_LOCAL and entry.address == addr.link_local(entry.nic.mac):
            self._disable(entry.nic)

    def _disable(self, nic: Nic) -> None:
        """RFC 4862 5.4.5: with a MAC that is not unique nothing will work."""
        self.layer.interface(nic).disabled = True
        nic.attach(ethernet.TYPE_IPV6, Deaf(self.layer.door))
        for entry in list(self.addresses.on(nic.index)):
            entry.timer.disarm()
            if entry.state != DUPLICATED:
                self.addresses.move(entry, TENTATIVE)

    def link_up(self, nic: Nic) -> None:
        """Coming up again enables an interface that was disabled."""
        interface = self.layer.interface(nic)
        if interface.disabled:
            interface.disabled = False
            nic.attach(ethernet.TYPE_IPV6, self.layer)
            self.layer.invalidate()
        super().link_up(nic)


class Acd(Prober):
    """IPv4."""

    def __init__(self, layer: Holding) -> None:
        super().__init__(layer)
        self._conflicts: dict[int, int] = {}  # by interface, since it came up
        self._attempt: dict[int, int] = {}  # when the last address was tried there, ns

    def count(self, entry: LocalAddress) -> int:
        return PROBE_NUM

    def delay(self, entry: LocalAddress) -> int:
        """RFC 5227 2.1.1: random, and a minute after the last attempt once there have been ten
        conflicts."""
        index = entry.nic.index
        start = self.env.now + self.env.random_below(PROBE_WAIT)
        if self._conflicts.get(index, 0) >= MAX_CONFLICTS:
            start = max(start, self._attempt[index] + RATE_LIMIT_INTERVAL)
        self._attempt[index] = start
        return start - self.env.now

    def probe(self, resolver: Resolver, entry: LocalAddress) -> int:
        resolver.probe(entry.nic, entry.address)
        if entry.sent < entry.wanted:
            return PROBE_MIN + self.env.random_below(PROBE_MAX - PROBE_MIN + 1)
        return ANNOUNCE_WAIT

    def enough(self, entry: LocalAddress) -> bool:
        return True

    def claimed(self, entry: LocalAddress, lladdr: bytes, nonce: bytes) -> None:
        """RFC 5227 2.1.1 while probing, 2.4 ever after."""
        if any(nic.mac == lladdr for nic in self.layer.host.nics):
            return  # another interface of this host on the same link
        index = entry.nic.index
        self._conflicts[index] = self._conflicts.get(index, 0) + 1
        if entry.state == TENTATIVE:
            self.duplicated(entry)
        else:
            self._in_use(entry)

    def _in_use(self, entry: LocalAddress) -> None:
        """RFC 5227 2.4 a, b or c, as configured."""
        counters = self.addresses.counters
        policy = self.layer.config.conflict_policy
        entry.conflicts += 1
        counters.claims += 1
        quiet = self.env.now - entry.defended_at > DEFEND_INTERVAL
        if quiet and policy != "abandon":
            entry.defended_at = self.env.now
            counters.defended += 1
            self.addresses.note(entry, "claimed by another station, defended")
            if self._resolver is not None:
                self._resolver.announce(entry.nic, entry.address)
        elif policy != "insist":
            entry.timer.disarm()
            counters.lost += 1
            self.addresses.move(entry, DUPLICATED)

    def link_up(self, nic: Nic) -> None:
        self._conflicts.pop(nic.index, None)
        super().link_up(nic)


class Deaf(NetworkLayer):
    """Where packets go on an interface that has been disabled."""

    def __init__(self, door: DropDoor) -> None:
        self._door = door

    def receive(self, pkt: Packet) -> None:
        self._door.drop(pkt, fate.IP_DISABLED)
