# SPDX-License-Identifier: MIT
"""Floor 4: the part of `IpLayer` that holds addresses: giving and taking them, and choosing one.

Every transition of `addrconf` passes `_address_changed`: the table of usable addresses, the route
to the prefix, what the family keeps (broadcasts, groups), paths, and those who are told.  RFC 6724
5 through `source`; RFC 5227 2.4 (connections end with their address).  Called by `core`, `slaac`
and the services to set addresses up, by the link for what `NetworkLayer` says of them.
"""

from __future__ import annotations

from stack.base import addr
from stack.base.head import Parked
from stack.base.timers import NEVER
from stack.ip.addrconf import DUPLICATED, MANUAL, OPTIMISTIC, AddressManager, LocalAddress
from stack.ip.dad import Acd, Dad
from stack.ip.host import IpHost
from stack.ip.interface import IpInterface
from stack.ip.routes import CONNECTED, Route
from stack.ip.seam import TransportLayer
from stack.ip.source import Candidates, Chooser, select
from stack.link.nic import Nic
from stack.link.seam import NetworkLayer


class Holding(NetworkLayer):
    """The addresses of one family.  `local` has those that are usable."""

    size: int
    """Octets in an address."""
    any: bytes
    """The unspecified address."""
    mask: int
    """The family's bit: addr.V4 or addr.V6."""

    def __init__(self, host: IpHost) -> None:
        self.host = host
        self.env = host.env
        self.door = host.door
        self.config = host.config
        self.interfaces: dict[int, IpInterface] = {}
        self.protocols: dict[int, TransportLayer] = {}
        self.local: dict[bytes, LocalAddress] = {}
        self._candidates: dict[int, Candidates] = {}  # by interface, until its addresses change
        self.addresses = AddressManager(host.env, host.timers, self._address_changed)
        self.addresses.prober = Acd(self) if self.size == 4 else Dad(self)
        host.attendants.append(self.addresses)

    # What the other parts of the layer must say.

    def address_changed(self, entry: LocalAddress) -> None:
        """`entry` changed its state: broadcast addresses, solicited-node groups."""
        raise NotImplementedError

    def invalidate(self) -> None:
        """Routes or addresses changed: every path must be found again."""
        raise NotImplementedError

    def own_header(self, parked: Parked) -> tuple[bytes, bytes, int]:
        """Source, destination and protocol of a packet we built ourselves."""
        raise NotImplementedError

    def interface(self, nic: Nic) -> IpInterface:
        """Settings and counters of this family on `nic`."""
        return self.interfaces[nic.index]

    # Giving and taking.

    def add_address(
        self,
        nic: Nic,
        address: bytes,
        prefix_length: int,
        *,
        probe: bool | None = None,
        preferred: int = NEVER,
        valid: int = NEVER,
        origin: int = MANUAL,
        on_link: bool = True,
    ) -> LocalAddress:
        """Give `nic` an address, and with `on_link` the route to its prefix.

        probe             look for duplicates first; None is as configured
        preferred, valid  ns for which it is so, from now
        origin            who says so, one of `addrconf`'s

        An address that is there already gets the new lifetimes and prefix length, is given (MANUAL)
        if it is now, and stays what it is otherwise.
        """
        if probe is None:
            probe = self.config.dad
        known = self.addresses.all.get(address)
        before = None if known is None else (known.prefix_length, known.on_link)
        entry = self.addresses.add(
            nic, address, prefix_length, probe, origin, preferred, valid, on_link
        )
        if entry is known and before != (prefix_length, on_link) and not entry.removed:
            self._withdraw(entry)
            entry.prefix_length, entry.on_link = prefix_length, on_link
            self._candidates.pop(nic.index, None)
            self._connect(entry)
            self.address_changed(entry)
            self.invalidate()
        return entry

    def remove_address(self, address: bytes) -> bool:
        """Give an address up, and the route to its prefix unless another one needs it.

        Connections from it are reset.  False if it is not ours.
        """
        return self.addresses.remove(address) is not None

    def _connect(self, entry: LocalAddress) -> None:
        """A route to the prefix of `entry`, if it is on the link."""
        nic, length = entry.nic, entry.prefix_length
        if entry.on_link and not nic.is_loopback:
            prefix = addr.mask(entry.address, length)
            self.host.routes.add(Route(prefix, length, nic, b"", 0, CONNECTED))
            self.invalidate()

    def _withdraw(self, entry: LocalAddress) -> None:
        """Take back the route to the prefix of `entry` unless another address needs it."""
        length, nic = entry.prefix_length, entry.nic
        prefix = addr.mask(entry.address, length)
        needed = any(
            other is not entry
            and other.on_link
            and other.state != DUPLICATED
            and other.prefix_length == length
            and addr.mask(other.address, length) == prefix
            for other in self.addresses.on(nic.index)
        )
        if entry.on_link and not needed and not nic.is_loopback:
            self.host.routes.remove(prefix, length, nic, b"", CONNECTED)

    # What follows from a transition.

    def _address_changed(self, entry: LocalAddress) -> None:
        self._candidates.pop(entry.nic.index, None)
        before = self.local.get(entry.address)
        gone = entry.removed or entry.state == DUPLICATED
        if entry.usable:
            self.local[entry.address] = entry
        elif before is entry:
            if gone:
                self._lose(entry)
            del self.local[entry.address]
        if gone:
            self._withdraw(entry)
        elif not entry.usable or before is None:
            self._connect(entry)
        self.address_changed(entry)
        if entry.usable or before is entry or gone:
            self.invalidate()
        if self.local.get(entry.address) is not before:
            self.host.addresses_changed(self.mask)
        self.host.address_changed(entry)

    def _lose(self, entry: LocalAddress) -> None:
        """Tell the transports, who may say goodbye unless IPv6 forbids it: an address that is
        invalid (RFC 4862 5.5.4) or was another's all along (RFC 4429 3.3) sends nothing."""
        farewell = self.size == 4 or entry.state != DUPLICATED
        if entry.valid_until <= self.env.now:
            farewell = False
        for handler in self.protocols.values():
            handler.address_lost(entry.address, farewell)

    # Choosing.

    def choose_source(self, nic: Nic, dst: bytes, gateway: bytes) -> LocalAddress | None:
        """The source for `dst` over `nic`: of its own addresses, and of those of interfaces whose
        packets may leave by another one."""
        index = nic.index
        router = self.host.gateways.find(nic, gateway)
        candidates = list(self._kinds(index).among(dst, router))
        if not addr.is_multicast(dst) and not addr.is_link_scope(dst):
            for other in self.interfaces.values():
                if other.weak_send and other.nic is not nic:
                    candidates += (
                        entry
                        for entry in self._kinds(other.nic.index).among(dst, router)
                        if not addr.is_loopback(entry.address)
                    )
        prefer = self.config.prefer_temporary
        return select(candidates, Chooser(dst, index, router, self.host.policy, prefer))

    def _kinds(self, index: int) -> Candidates:
        known = self._candidates.get(index)
        if known is None:
            usable = self.addresses.usable(index)
            known = self._candidates[index] = Candidates(usable, self.host.policy)
        return known

    # NetworkLayer, as the link sees us.

    def answers_for(self, nic: Nic, address: bytes) -> bool:
        entry = self.local.get(address)
        return entry is not None and entry.nic is nic

    def is_optimistic(self, address: bytes) -> bool:
        """`address` is ours, and in use before that is certain (RFC 4429)."""
        entry = self.local.get(address)
        return entry is not None and entry.state == OPTIMISTIC

    def claimed(self, nic: Nic, address: bytes, lladdr: bytes, nonce: bytes = b"") -> None:
        self.addresses.prober.heard(nic, address, lladdr, nonce)

    def source_for(self, nic: Nic, target: bytes, waiting: Parked | None = None) -> bytes:
        """Not an optimistic address: neighbours would learn what may not be so (RFC 4429 3.2)."""
        index = nic.index
        if waiting is not None:
            own = self.local.get(self.own_header(waiting)[0])
            if own is not None and own.nic is nic and own.state != OPTIMISTIC:
                return own.address
        kinds = self._kinds(index).among(target, None)
        sure = [entry for entry in kinds if entry.state != OPTIMISTIC]
        chosen = select(sure, Chooser(target, index, None, self.host.policy))
        return self.any if chosen is None else chosen.address
