# SPDX-License-Identifier: MIT
"""Floor 4: local addresses, and finding out whether somebody else has them.

Done: duplicate address detection for addresses we are given, by one machine for both
families: RFC 4862 5.4 (one solicitation, one second) and RFC 5227 2.1-2.3 (three probes, two
announcements).  A tentative address is not a source, receives nothing and answers nobody.
Not done: SLAAC, lifetimes, defence of an address in use (RFC 5227 2.4), optimistic DAD.

Owned by `layer`; messages go through the `Resolver` seam.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from stack.base.seam import Env, TimerOwner
from stack.base.timers import NEVER, Timer, TimerHeap
from stack.base.units import SECOND
from stack.link.nic import Nic
from stack.link.seam import Resolver

TENTATIVE: Final = 0
PREFERRED: Final = 1
DEPRECATED: Final = 2
DUPLICATED: Final = 3

STATE_NAMES: Final = ("tentative", "preferred", "deprecated", "duplicated")

# Who configured an address.
MANUAL: Final = 0
LINK_LOCAL: Final = 1
SLAAC: Final = 2
TEMPORARY: Final = 3
DHCP: Final = 4

ORIGIN_NAMES: Final = ("manual", "link-local", "slaac", "temporary", "dhcp")

ANNOUNCE_COUNT: Final = 2  # RFC 5227 1.1
ANNOUNCE_INTERVAL: Final = 2 * SECOND


class Schedule:
    """How a family probes: RFC 4862 5.1 and RFC 5227 1.1 as numbers."""

    __slots__ = ("count", "delay", "interval", "spread", "wait")

    def __init__(self, count: int, delay: int, interval: int, spread: int, wait: int) -> None:
        self.count = count  # probes
        self.delay = delay  # longest random delay before the first
        self.interval = interval  # shortest time between two
        self.spread = spread  # random addition to it
        self.wait = wait  # quiet after the last


SCHEDULE4: Final = Schedule(3, SECOND, SECOND, SECOND, 2 * SECOND)
SCHEDULE6: Final = Schedule(1, SECOND, SECOND, 0, SECOND)


class LocalAddress(TimerOwner):
    """One address of this host, and where it stands in its probing."""

    __slots__ = (
        "address",
        "conflicts",
        "manager",
        "nic",
        "on_link",
        "origin",
        "preferred_until",
        "prefix_length",
        "removed",
        "sent",
        "state",
        "timer",
        "valid_until",
    )

    def __init__(
        self, manager: AddressManager, nic: Nic, address: bytes, prefix_length: int
    ) -> None:
        self.manager = manager
        self.nic = nic
        self.address = address
        self.prefix_length = prefix_length
        self.origin = MANUAL
        self.on_link = True
        self.preferred_until = NEVER  # ns
        self.valid_until = NEVER
        self.removed = False
        self.state = TENTATIVE
        self.sent = 0
        self.conflicts = 0
        self.timer = Timer(self)

    @property
    def usable(self) -> bool:
        return self.state in (PREFERRED, DEPRECATED)

    def fired(self, timer: Timer) -> None:
        self.manager.step(self)


class AddressManager:
    """The addresses of one family."""

    def __init__(
        self,
        env: Env,
        timers: TimerHeap,
        schedule: Schedule,
        changed: Callable[[LocalAddress], None],
    ) -> None:
        self.all: dict[bytes, LocalAddress] = {}
        self._env = env
        self._timers = timers
        self._schedule = schedule
        self._changed = changed
        self._resolver: Resolver | None = None

    def serve(self, resolver: Resolver) -> None:
        """Probe through `resolver`."""
        self._resolver = resolver

    def add(
        self,
        nic: Nic,
        address: bytes,
        prefix_length: int,
        probe: bool,
        origin: int = MANUAL,
        preferred: int = NEVER,
        valid: int = NEVER,
    ) -> LocalAddress:
        """Take `address`, at once or after probing; `preferred` and `valid` are ns from now."""
        known = self.all.get(address)
        if known is not None and known.nic is nic and known.state != DUPLICATED:
            self._set_lifetimes(known, preferred, valid)
            return known
        entry = self.all[address] = LocalAddress(self, nic, address, prefix_length)
        entry.origin = origin
        self._set_lifetimes(entry, preferred, valid)
        if probe and self._resolver is not None and not nic.is_loopback:
            self._move(entry, TENTATIVE)
            delay = self._env.random_below(self._schedule.delay)
            self._timers.arm(entry.timer, self._env.now + delay)
        else:
            self._move(entry, PREFERRED)
        return entry

    def remove(self, address: bytes) -> LocalAddress | None:
        """Give an address up."""
        entry = self.all.pop(address, None)
        if entry is not None:
            entry.timer.disarm()
            entry.state = DUPLICATED
            entry.removed = True
            self._changed(entry)
        return entry

    def _set_lifetimes(self, entry: LocalAddress, preferred: int, valid: int) -> None:
        now = self._env.now
        entry.preferred_until = NEVER if preferred >= NEVER else now + preferred
        entry.valid_until = NEVER if valid >= NEVER else now + valid

    def step(self, entry: LocalAddress) -> None:
        """The next probe or announcement is due."""
        resolver = self._resolver
        assert resolver is not None
        schedule = self._schedule
        now = self._env.now
        if entry.state == TENTATIVE and entry.sent < schedule.count:
            resolver.probe(entry.nic, entry.address)
            entry.sent += 1
            pause = schedule.wait
            if entry.sent < schedule.count:
                pause = schedule.interval + self._env.random_below(schedule.spread or 1)
            self._timers.arm(entry.timer, now + pause)
            return
        if entry.state == TENTATIVE:
            entry.sent = 0
            self._move(entry, PREFERRED)
        resolver.announce(entry.nic, entry.address)
        entry.sent += 1
        if entry.sent < ANNOUNCE_COUNT:
            self._timers.arm(entry.timer, now + ANNOUNCE_INTERVAL)

    def conflict(self, nic: Nic, address: bytes) -> None:
        """Another station on `nic` has, or wants, `address`."""
        entry = self.all.get(address)
        if entry is None or entry.nic is not nic:
            return
        entry.conflicts += 1
        if entry.state == TENTATIVE:
            entry.timer.disarm()
            self._move(entry, DUPLICATED)

    def _move(self, entry: LocalAddress, state: int) -> None:
        entry.state = state
        if self._env.trace is not None:
            self._env.trace.address(entry.nic.name, entry.address, STATE_NAMES[state])
        self._changed(entry)
