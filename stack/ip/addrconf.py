# SPDX-License-Identifier: MIT
"""Floor 4: the addresses of this host, from tentative to invalid, both families alike.

::

    TENTATIVE --nobody has it--> PREFERRED <--lifetimes--> DEPRECATED
     |    |                          |                         |
     |    '--first probe--> OPTIMISTIC (if wanted)      valid no longer
     |                          |    |                         |
     '----somebody has it-------'----'--> DUPLICATED        INVALID, and gone

Done: RFC 4862 5.5.4 (lifetimes) for addresses of every origin, in one index by address and one by
interface.  A tentative address is no source, receives nothing and answers nobody.  Finding out
whether somebody has an address is `dad`'s, making them up is `slaac`'s.

Owned by `holding`, which hears of every move.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Final

from stack.base.counters import Counters
from stack.base.lifetimes import after
from stack.base.seam import Env, TimerOwner
from stack.base.timers import NEVER, Timer, TimerHeap
from stack.ip.seam import Attendant
from stack.link.nic import Nic
from stack.link.seam import Resolver

if TYPE_CHECKING:
    from stack.ip.dad import Prober

TENTATIVE: Final = 0
PREFERRED: Final = 1
DEPRECATED: Final = 2
DUPLICATED: Final = 3
OPTIMISTIC: Final = 4
INVALID: Final = 5

STATE_NAMES: Final = (
    "tentative",
    "preferred",
    "deprecated",
    "duplicated",
    "optimistic",
    "invalid",
)

# Who configured an address.
MANUAL: Final = 0
LINK_LOCAL: Final = 1
SLAAC: Final = 2
TEMPORARY: Final = 3
DHCP: Final = 4

ORIGIN_NAMES: Final = ("manual", "link-local", "slaac", "temporary", "dhcp")

_USABLE: Final = (PREFERRED, DEPRECATED, OPTIMISTIC)
_SETTLED: Final = (PREFERRED, DEPRECATED)

_PROBING: Final = 0
_AGING: Final = 1


class AddressCounters(Counters):
    """What became of a family's addresses.

    claims           another station used, or wanted, an address of ours
    defended         and was told so (RFC 5227 2.4)
    duplicates       addresses found to be another's while they were tentative or optimistic
    expired          valid lifetimes that ran out
    looped           probes of ours that came back (RFC 7527)
    lost             addresses given up after they had been in use (RFC 5227 2.4)
    prefixes_ignored advertised prefixes that RFC 4862 5.5.3 does not let us use
    prefixes_refused and those beyond `Config.slaac_limit`
    """

    __slots__ = (
        "claims",
        "defended",
        "duplicates",
        "expired",
        "looped",
        "lost",
        "prefixes_ignored",
        "prefixes_refused",
    )
    claims: int
    defended: int
    duplicates: int
    expired: int
    looped: int
    lost: int
    prefixes_ignored: int
    prefixes_refused: int


class LocalAddress(TimerOwner):
    """One address of this host.

    origin           who configured it
    on_link          its prefix is reached straight over the interface
    preferred_until, valid_until  ns, NEVER for ever
    probed           others are asked before it is used
    number           in order of configuration: what decides when nothing else does
    conflicts        how often another station claimed it
    removed          this host has it no longer
    """

    __slots__ = (
        "address",
        "conflicts",
        "defended_at",
        "life",
        "looped",
        "manager",
        "nic",
        "nonces",
        "number",
        "on_link",
        "origin",
        "preferred_until",
        "prefix_length",
        "probed",
        "removed",
        "sent",
        "state",
        "timer",
        "valid_until",
        "wanted",
    )

    def __init__(
        self, manager: AddressManager, nic: Nic, address: bytes, prefix_length: int
    ) -> None:
        self.manager = manager
        self.nic = nic
        self.address = address
        self.prefix_length = prefix_length
        self.number = 0
        self.origin = MANUAL
        self.on_link = True
        self.preferred_until = NEVER
        self.valid_until = NEVER
        self.probed = False
        self.removed = False
        self.state = TENTATIVE
        self.sent = 0  # probes, then announcements
        self.wanted = 0  # probes altogether
        self.conflicts = 0
        self.defended_at = -NEVER
        self.nonces: list[bytes] = []  # of the probes sent last
        self.looped = False  # one of them came back
        self.timer = Timer(self, _PROBING)
        self.life = Timer(self, _AGING)

    @property
    def usable(self) -> bool:
        """Packets may be sent from it and to it."""
        return self.state in _USABLE

    @property
    def shunned(self) -> bool:
        """Sources are better not this one (RFC 6724 5 rule 3, RFC 4429 3.1)."""
        return self.state != PREFERRED

    def fired(self, timer: Timer) -> None:
        if timer.kind == _AGING:
            self.manager.age(self)
        else:
            self.manager.prober.step(self)


class AddressManager(Attendant):
    """The addresses of one family.

    all      every one, by address
    env, timers, counters are for `prober` too
    """

    prober: Prober

    def __init__(
        self, env: Env, timers: TimerHeap, changed: Callable[[LocalAddress], None]
    ) -> None:
        self.all: dict[bytes, LocalAddress] = {}
        self.counters = AddressCounters()
        self.env = env
        self.timers = timers
        self._changed = changed
        self._by_nic: dict[int, dict[bytes, LocalAddress]] = {}
        self._usable: dict[int, dict[bytes, LocalAddress]] = {}
        self._numbers = 0

    def serve(self, resolver: Resolver) -> None:
        """Ask and tell the link through `resolver`."""
        self.prober.serve(resolver)

    # Looking.

    def on(self, index: int) -> Collection[LocalAddress]:
        """Every address of interface `index`, whatever its state."""
        return self._by_nic.get(index, {}).values()

    def usable(self, index: int) -> Collection[LocalAddress]:
        """Those that may be used."""
        return self._usable.get(index, {}).values()

    # Taking and giving up.

    def add(
        self,
        nic: Nic,
        address: bytes,
        prefix_length: int,
        probe: bool,
        origin: int = MANUAL,
        preferred: int = NEVER,
        valid: int = NEVER,
        on_link: bool = True,
    ) -> LocalAddress:
        """Take `address`, at once or after probing; `preferred` and `valid` are ns from now."""
        known = self.all.get(address)
        if known is not None:
            if known.nic is nic and known.state != DUPLICATED:
                if origin == MANUAL:
                    known.origin = origin
                self.renew(known, preferred, valid)
                return known
            self.remove(address)
        entry = LocalAddress(self, nic, address, prefix_length)
        self._numbers += 1
        entry.number = self._numbers
        entry.origin = origin
        entry.on_link = on_link
        entry.probed = probe and not nic.is_loopback
        self.all[address] = entry
        self._by_nic.setdefault(nic.index, {})[address] = entry
        self._set(entry, preferred, valid)
        if entry.probed:
            self.prober.begin(entry)
        else:
            self.settle(entry)
        if not entry.removed:
            self.age(entry)
        return entry

    def remove(self, address: bytes) -> LocalAddress | None:
        """Give an address up."""
        entry = self.all.pop(address, None)
        if entry is not None:
            self._by_nic[entry.nic.index].pop(address, None)
            entry.removed = True
            entry.timer.disarm()
            entry.life.disarm()
            self.move(entry, INVALID)
        return entry

    # Lifetimes (RFC 4862 5.5.4).

    def renew(self, entry: LocalAddress, preferred: int, valid: int) -> None:
        """New lifetimes, ns from now.  A valid lifetime of 0 ends the address."""
        self._set(entry, preferred, valid)
        self.age(entry)

    def _set(self, entry: LocalAddress, preferred: int, valid: int) -> None:
        now = self.env.now
        entry.valid_until = after(now, valid)
        entry.preferred_until = min(after(now, preferred), entry.valid_until)

    def age(self, entry: LocalAddress) -> None:
        """Bring `entry` into the state its lifetimes give it, and wait for their next end."""
        now = self.env.now
        if entry.valid_until <= now:
            self.counters.expired += 1
            self.remove(entry.address)
            return
        if entry.state in _SETTLED and entry.state != self._due(entry):
            self.move(entry, self._due(entry))
        preferred = entry.preferred_until
        self.timers.arm(entry.life, preferred if preferred > now else entry.valid_until)

    def _due(self, entry: LocalAddress) -> int:
        return PREFERRED if entry.preferred_until > self.env.now else DEPRECATED

    # Moves.

    def settle(self, entry: LocalAddress) -> None:
        """`entry` is ours alone."""
        self.move(entry, self._due(entry))

    def move(self, entry: LocalAddress, state: int) -> None:
        """`entry` is in `state`; everybody hears of it."""
        entry.state = state
        table = self._usable.setdefault(entry.nic.index, {})
        if entry.usable:
            table[entry.address] = entry
        else:
            table.pop(entry.address, None)
        self.note(entry, STATE_NAMES[state])
        self._changed(entry)

    def note(self, entry: LocalAddress, what: str) -> None:
        """A line in the trace."""
        if self.env.trace is not None:
            self.env.trace.address(entry.nic.name, entry.address, what)

    # The link.

    def nic_up(self, nic: Nic) -> None:
        """Another link, perhaps: what was ours there may be another's here (RFC 4862 5.4, RFC
        5227 2.1)."""
        self.prober.link_up(nic)

    def nic_down(self, nic: Nic) -> None:
        """Nobody can be asked, and nobody can answer."""
        for entry in self.on(nic.index):
            entry.timer.disarm()
