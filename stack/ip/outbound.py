# SPDX-License-Identifier: MIT
"""Floor 4: the half of `IpLayer` that faces outwards: paths, addresses, routes, interfaces.

RFC 1122 3.3.1 (routing outbound datagrams), RFC 6724 5 through `source`, strong host model (RFC
1122 3.3.4.2) with the weak one to be had per interface.  Called by transports for paths, by
`core` and the services to set things up, by the link for what `NetworkLayer` says.
"""

from __future__ import annotations

from stack.base import addr
from stack.base.head import Head, Parked
from stack.base.packet import UNICAST, Packet
from stack.base.timers import NEVER
from stack.ip.addrconf import MANUAL, SCHEDULE4, SCHEDULE6, AddressManager, LocalAddress
from stack.ip.counters import IpCounters, total
from stack.ip.host import IpHost
from stack.ip.interface import IpInterface
from stack.ip.path import Path
from stack.ip.routes import CONNECTED, STATIC, Route
from stack.ip.seam import UNRESOLVED, TransportLayer
from stack.ip.source import select
from stack.link.neighbor import Neighbor
from stack.link.nic import Nic
from stack.link.seam import NetworkLayer


class Outbound(NetworkLayer):
    """What both families do alike towards the outside."""

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
        self.stats: list[IpCounters] = [IpCounters()]
        """Counters by interface index; the first are of what had no interface."""
        self.interfaces: dict[int, IpInterface] = {}
        self.protocols: dict[int, TransportLayer] = {}
        self.local: dict[bytes, LocalAddress] = {}
        schedule = SCHEDULE4 if self.size == 4 else SCHEDULE6
        self.addresses = AddressManager(host.env, host.timers, schedule, self._address_changed)
        self.head = Head()
        self.loopback: Nic | None = None
        self.generation = 0
        """Another number whenever routes or addresses may have changed."""
        self._paths: dict[bytes, Path] = {}
        self._known_sources: set[bytes] = set()
        host.layers[self.size] = self  # type: ignore[assignment]

    # What a family must say.

    def is_broadcast(self, index: int, address: bytes) -> bool:
        """`address` is a broadcast address on interface `index`."""
        raise NotImplementedError

    def make_path(self, nic: Nic, src: bytes, dst: bytes, neighbor: Neighbor, mtu: int) -> Path:
        """A path of this family; nothing is looked up."""
        raise NotImplementedError

    def address_changed(self, entry: LocalAddress) -> None:
        """`entry` changed its state: broadcast addresses, solicited-node groups."""
        raise NotImplementedError

    def own_header(self, parked: Parked) -> tuple[bytes, bytes, int]:
        """Source, destination and protocol of a packet we built ourselves."""
        raise NotImplementedError

    def forwarded_in_vain(self, parked: Parked) -> None:
        """The next hop of a packet that we forwarded does not answer."""
        raise NotImplementedError

    # Interfaces.

    def add_interface(self, nic: Nic) -> None:
        """`nic` speaks this family too."""
        counters = IpCounters()
        while len(self.stats) <= nic.index:
            self.stats.append(IpCounters())
        self.stats[nic.index] = counters
        self.interfaces[nic.index] = IpInterface(self, nic, self.config, counters)  # type: ignore[arg-type]

    def interface(self, nic: Nic) -> IpInterface:
        """Settings and counters of this family on `nic`."""
        return self.interfaces[nic.index]

    @property
    def counters(self) -> IpCounters:
        """The sum over all interfaces (ipSystemStatsTable): a snapshot."""
        return total(self.stats)

    # Paths.

    def path(self, dst: bytes, src: bytes = b"", nic: Nic | None = None) -> Path | None:
        """The way to `dst`, from `src` if one is given, over `nic` if one is given.

        None if there is no route, or no address to send from.
        """
        key = dst + src if nic is None else b"%b%b%d" % (dst, src, nic.index)
        path = self._paths.get(key)
        if path is None or not path.valid:
            path = self._find_path(dst, src, nic)
            if path is None:
                self.stats[0].out_no_routes += 1
                return None
            if len(self._paths) >= self.config.path_limit:
                self._paths.pop(next(iter(self._paths))).valid = False
            self._paths[key] = path
        return path

    def reply_path(self, pkt: Packet) -> Path | None:
        """The way back to whoever sent `pkt`, from the address it was sent to if we can."""
        src = pkt.dst if pkt.group == UNICAST and pkt.dst in self.local else b""
        nic = pkt.nic
        scoped = addr.is_link_scope(pkt.src) or pkt.group != UNICAST
        return self.path(pkt.src, src, nic if scoped and isinstance(nic, Nic) else None)

    def _find_path(self, dst: bytes, src: bytes, nic: Nic | None) -> Path | None:
        if dst == self.any:
            return None
        if dst in self.local or (addr.is_loopback(dst) and src in (b"", *self.local)):
            return self._loopback_path(dst, src)
        way = self._way(dst, src, nic)
        if way is None:
            return None
        nic, gateway = way
        if not src:
            chosen = select((a for a in self.local.values() if a.nic is nic), dst)
            if chosen is None:
                return None
            src = chosen.address
        elif src not in self.local:
            return None
        neighbor = self._neighbor(nic, gateway or dst)
        mtu = self.host.pmtu.limit(dst, self.interfaces[nic.index].mtu)
        return self.make_path(nic, src, dst, neighbor, mtu)

    def _way(self, dst: bytes, src: bytes, nic: Nic | None) -> tuple[Nic, bytes] | None:
        """The interface and gateway towards another host or a group."""
        gateway = b""
        if addr.is_multicast(dst) or self.is_broadcast_anywhere(dst):
            nic = nic or self._nic_of(src)
        else:
            if addr.is_link_scope(dst):
                nic = nic or self._nic_of(src)
            elif nic is None and src in self.local:
                nic = self._strong_nic(src)
            route = self.host.routes.lookup(dst, nic)
            if route is None:
                return None
            nic, gateway = route.nic, route.gateway
        if nic is None or addr.is_loopback(dst):
            return None
        return nic, gateway

    def unnumbered_path(self, nic: Nic, dst: bytes, src: bytes = b"") -> Path:
        """A path for a packet to a group or to everybody on `nic` that has no source address, or
        one that is not ours yet: duplicate address detection, DHCP, membership reports."""
        return self.make_path(
            nic, src or self.any, dst, self._neighbor(nic, dst), self.interfaces[nic.index].mtu
        )

    def _strong_nic(self, src: bytes) -> Nic | None:
        """The interface that packets from `src` must leave by in the strong host model (RFC 1122
        3.3.4.2 b)."""
        nic = self.local[src].nic
        interface = self.interfaces[nic.index]
        return None if interface.weak_send or interface.forwarding else nic

    def next_hop(self, dst: bytes) -> tuple[Nic, Neighbor] | None:
        """Where a packet for `dst`, which is another's, goes next; None without a route."""
        way = self._way(dst, b"", None)
        return None if way is None else (way[0], self._neighbor(way[0], way[1] or dst))

    def source_to(self, dst: bytes) -> LocalAddress | None:
        """The address `dst` would be written to from, None if it cannot be reached."""
        if dst in self.local:
            return self.local[dst]
        if addr.is_loopback(dst):
            own = (a for a in self.local.values() if addr.is_loopback(a.address))
            return next(own, None)
        way = self._way(dst, b"", None)
        if way is None:
            return None
        return select((a for a in self.local.values() if a.nic is way[0]), dst)

    def _loopback_path(self, dst: bytes, src: bytes) -> Path | None:
        nic = self.loopback
        if nic is None:
            return None
        src = src or dst
        return self.make_path(nic, src, dst, nic.neighbors.fixed(dst, nic.mac), nic.mtu)

    def _nic_of(self, src: bytes) -> Nic | None:
        """The interface that has `src`, or the only one there is to choose from."""
        if src in self.local:
            return self.local[src].nic
        real = [nic for nic in self.host.nics if not nic.is_loopback]
        return real[0] if len(real) == 1 else None

    def is_broadcast_anywhere(self, address: bytes) -> bool:
        return any(self.is_broadcast(nic.index, address) for nic in self.host.nics)

    def _neighbor(self, nic: Nic, next_hop: bytes) -> Neighbor:
        if addr.is_multicast(next_hop):
            return nic.neighbors.fixed(next_hop, addr.multicast_mac(next_hop))
        if self.is_broadcast(nic.index, next_hop):
            return nic.neighbors.fixed(next_hop, addr.MAC_BROADCAST)
        return nic.neighbors.lookup(next_hop)

    # Addresses and routes.

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

        An address that is there already gets the new lifetimes and stays what it is.
        """
        if probe is None:
            probe = self.config.dad
        entry = self.addresses.add(nic, address, prefix_length, probe, origin, preferred, valid)
        entry.on_link = on_link
        if on_link and not nic.is_loopback:
            prefix = addr.mask(address, prefix_length)
            self.host.routes.add(Route(prefix, prefix_length, nic, b"", 0, CONNECTED))
        self.invalidate()
        return entry

    def remove_address(self, address: bytes) -> bool:
        """Give an address up, and the route to its prefix unless another one needs it.

        False if it is not ours.
        """
        entry = self.addresses.remove(address)
        if entry is None:
            return False
        length, nic = entry.prefix_length, entry.nic
        prefix = addr.mask(address, length)
        needed = any(
            other.nic is nic
            and other.on_link
            and other.prefix_length == length
            and addr.mask(other.address, length) == prefix
            for other in self.addresses.all.values()
        )
        if entry.on_link and not needed:
            self.host.routes.remove(prefix, length, nic, b"", CONNECTED)
        self.invalidate()
        return True

    def add_route(
        self,
        prefix: bytes,
        length: int,
        nic: Nic,
        gateway: bytes,
        metric: int = 0,
        origin: int = STATIC,
    ) -> None:
        """Add a route; `gateway` empty means the prefix is on the link."""
        route = Route(addr.mask(prefix, length), length, nic, gateway, metric, origin)
        self.host.routes.add(route)
        self.invalidate()

    def remove_route(
        self, prefix: bytes, length: int, nic: Nic, gateway: bytes | None = None
    ) -> bool:
        """Remove the routes to a prefix over `nic`, through `gateway` if one is given; False if
        there was none."""
        found = self.host.routes.remove(addr.mask(prefix, length), length, nic, gateway)
        if found:
            self.invalidate()
        return found

    def invalidate(self) -> None:
        """Routes or addresses changed: every path must be found again."""
        self.generation += 1
        for path in self._paths.values():
            path.valid = False
        self._paths.clear()
        self._known_sources.clear()

    def mtu_changed(self, dst: bytes) -> None:
        """What we know about the path MTU to `dst` changed."""
        for path in self._paths.values():
            if path.dst == dst:
                path.resize(self.host.pmtu.limit(dst, self.interfaces[path.nic.index].mtu))

    def _address_changed(self, entry: LocalAddress) -> None:
        before = self.local.get(entry.address)
        if entry.usable:
            self.local[entry.address] = entry
        else:
            self.local.pop(entry.address, None)
        self.address_changed(entry)
        self.invalidate()
        if self.local.get(entry.address) is not before:
            self.host.addresses_changed(self.mask)
        self.host.address_changed(entry)

    # NetworkLayer, as the link sees us.

    def answers_for(self, nic: Nic, address: bytes) -> bool:
        entry = self.local.get(address)
        return entry is not None and entry.nic is nic

    def claimed(self, nic: Nic, address: bytes, lladdr: bytes) -> None:
        self.addresses.conflict(nic, address)

    def source_for(self, nic: Nic, target: bytes) -> bytes:
        chosen = select((a for a in self.local.values() if a.nic is nic), target)
        return self.any if chosen is None else chosen.address

    def unresolved(self, neighbor: Neighbor, packets: list[Parked]) -> None:
        for parked in packets:
            src, dst, proto = self.own_header(parked)
            if src not in self.addresses.all and src != self.any:
                self.forwarded_in_vain(parked)
                continue
            handler = self.protocols.get(proto)
            self.stats[neighbor.cache.nic.index].out_discards += 1
            if handler is not None:
                quoted = parked.headers[len(parked.headers) - parked.l4 :]
                handler.on_error(UNRESOLVED, 0, src, dst, quoted)
