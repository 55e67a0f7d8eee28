# SPDX-License-Identifier: MIT
"""Floor 4: the half of `IpLayer` that faces outwards: paths, routes, interfaces.

RFC 1122 3.3.1 (routing outbound datagrams), strong host model (RFC
1122 3.3.4.2) with the weak one to be had per interface.  Called by transports for paths, by
`compartment` and the services to set things up, by the link for what `NetworkLayer` says.
"""

from __future__ import annotations

from stack.base import addr
from stack.base.head import Head, Parked
from stack.base.packet import UNICAST, Packet
from stack.ip.addrconf import LocalAddress
from stack.ip.counters import IpCounters, total
from stack.ip.holding import Holding
from stack.ip.host import IpHost
from stack.ip.interface import IpInterface
from stack.ip.path import Path
from stack.ip.routes import STATIC, Route
from stack.ip.seam import UNRESOLVED, ErrorReport
from stack.link.neighbor import Neighbor
from stack.link.nic import Nic


class Outbound(Holding):
    """What both families do alike towards the outside."""

    def __init__(self, host: IpHost) -> None:
        super().__init__(host)
        self.stats: list[IpCounters] = [IpCounters()]
        """Counters by interface index; the first are of what had no interface."""
        self.head = Head()
        self.loopback: Nic | None = None
        self.generation = 0
        """Another number whenever routes or addresses may have changed."""
        self._paths: dict[bytes, Path] = {}
        self.sources: list[set[bytes]] = [set()]
        """Sources that were found good, by interface index."""

    # What a family must say.

    def is_broadcast(self, index: int, address: bytes) -> bool:
        """`address` is a broadcast address on interface `index`."""
        raise NotImplementedError

    def make_path(self, nic: Nic, src: bytes, dst: bytes, neighbor: Neighbor, mtu: int) -> Path:
        """A path of this family; nothing is looked up."""
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
            self.sources.append(set())
        self.stats[nic.index] = counters
        self.interfaces[nic.index] = IpInterface(self, nic, self.config, counters)

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
        if pkt.group == UNICAST and (self.size == 4 or not addr.is_link_scope(pkt.src)):
            return self.path(pkt.src, src)
        nic = pkt.nic
        return self.path(pkt.src, src, nic if isinstance(nic, Nic) else None)

    def _find_path(self, dst: bytes, src: bytes, nic: Nic | None) -> Path | None:
        if dst == self.any or (src and src not in self.local):
            return None
        if dst in self.local or addr.is_loopback(dst):
            return self._loopback_path(dst, src)
        way = self._way(dst, src, nic, sending=True)
        if way is not None and src and self._strong_nic(src) not in (None, way[0]):
            return None
        if way is None:
            return None
        nic, gateway, avoids = way
        if self.interface(nic).disabled:
            return None
        if not src:
            chosen = self.choose_source(nic, dst, gateway)
            if chosen is None:
                return None
            src = chosen.address
        if gateway and self.size == 4 and (addr.is_link_local(src) or addr.is_link_local(dst)):
            gateway = b""  # RFC 3927 2.6.2: never through a router
        neighbor = self._first_hop(nic, gateway, dst)
        mtu = self.host.pmtu.limit(dst, nic.index, self.interface(nic).mtu)
        path = self.make_path(nic, src, dst, neighbor, mtu)
        path.avoids = avoids
        return path

    def _way(
        self, dst: bytes, src: bytes, nic: Nic | None, sending: bool = False
    ) -> tuple[Nic, bytes, bool] | None:
        """The interface and gateway towards another host or a group, and whether a better gateway
        is avoided; with `sending` that one is asked after."""
        gateway, avoids = b"", False
        if addr.is_multicast(dst) or self.is_broadcast_anywhere(dst):
            nic = nic or self._nic_of(src)
        else:
            if addr.is_link_scope(dst):
                nic = nic or self._nic_of(src)
            elif nic is None and src in self.local:
                nic = self._strong_nic(src)
            route, avoids = self.host.gateways.choose(self, dst, src, nic, sending)
            if route is None:
                return None
            nic, gateway = route.nic, route.gateway
            if gateway:
                gateway = self.host.redirects.target(nic, dst, gateway)
        if nic is None or addr.is_loopback(dst):
            return None
        return nic, gateway, avoids

    def unnumbered_path(self, nic: Nic, dst: bytes, src: bytes = b"") -> Path:
        """A path for a packet to a group or to everybody on `nic` that has no source address, or
        one that is not ours yet: duplicate address detection, DHCP, membership reports."""
        return self.make_path(
            nic, src or self.any, dst, self.neighbor(nic, dst), self.interface(nic).mtu
        )

    def _strong_nic(self, src: bytes) -> Nic | None:
        """The interface that packets from `src` must leave by in the strong host model (RFC 1122
        3.3.4.2 b)."""
        nic = self.local[src].nic
        if addr.is_loopback(src):
            return self.loopback  # MUST NOT appear outside of the host (RFC 1122 3.2.1.3 g)
        if nic.is_loopback:
            return None  # an address of the host, which has no link of its own
        interface = self.interface(nic)
        return None if interface.weak_send or interface.forwarding else nic

    def next_hop(self, dst: bytes) -> tuple[Nic, Neighbor] | None:
        """Where a packet for `dst`, which is another's, goes next; None without a route."""
        way = self._way(dst, b"", None, sending=True)
        return None if way is None else (way[0], self._first_hop(way[0], way[1], dst))

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
        return self.choose_source(way[0], dst, way[1])

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

    def _first_hop(self, nic: Nic, gateway: bytes, dst: bytes) -> Neighbor:
        neighbor = self.neighbor(nic, gateway or dst)
        if gateway and self.host.gateways.find(nic, gateway):
            neighbor.gateway = True  # of a route, not of a redirect: anybody can send a thousand
        return neighbor

    def neighbor(self, nic: Nic, next_hop: bytes) -> Neighbor:
        """The entry of a next hop on `nic`, which may be a group or everybody."""
        if addr.is_multicast(next_hop):
            return nic.neighbors.fixed(next_hop, addr.multicast_mac(next_hop))
        if self.is_broadcast(nic.index, next_hop):
            return nic.neighbors.fixed(next_hop, addr.MAC_BROADCAST)
        return nic.neighbors.lookup(next_hop)

    # Routes.

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
        self,
        prefix: bytes,
        length: int,
        nic: Nic,
        gateway: bytes | None = None,
        origin: int | None = None,
    ) -> bool:
        """Remove the routes to a prefix over `nic`, of one gateway and origin if those are given;
        False if there was none."""
        found = self.host.routes.remove(addr.mask(prefix, length), length, nic, gateway, origin)
        if found:
            self.invalidate()
        return found

    def invalidate(self) -> None:
        """Routes or addresses changed: every path must be found again."""
        self.generation += 1
        for path in self._paths.values():
            path.valid = False
        self._paths.clear()
        for known in self.sources:
            known.clear()

    def reroute(self, nic: Nic, next_hop: bytes) -> None:
        """Whatever goes through `next_hop` on `nic` must find its way anew (RFC 4861 6.3.5)."""
        self._forget_paths(
            [
                key
                for key, path in self._paths.items()
                if path.neighbor.address == next_hop and path.nic is nic
            ]
        )

    def redirect(self, dst: bytes) -> None:
        """Another first hop leads to `dst` now."""
        self._forget_paths([key for key, path in self._paths.items() if path.dst == dst])

    def reconsider(self) -> None:
        """A gateway that was avoided may be there again."""
        self._forget_paths([key for key, path in self._paths.items() if path.avoids])

    def _forget_paths(self, keys: list[bytes]) -> None:
        self.generation += 1
        for key in keys:
            self._paths.pop(key).valid = False

    def goes_through(self, nic: Nic, dst: bytes, next_hop: bytes) -> bool:
        """`next_hop` is the current first hop of something we send to `dst` over `nic`."""
        return any(
            path.dst == dst and path.nic is nic and path.neighbor.address == next_hop
            for path in self._paths.values()
        )

    def would_go_through(self, nic: Nic, dst: bytes, next_hop: bytes) -> bool:
        """Nothing of ours goes to `dst` yet, and `next_hop` would be its first hop over `nic`."""
        if dst == self.any or any(path.dst == dst for path in self._paths.values()):
            return False
        way = self._way(dst, b"", nic)
        return way is not None and (way[1] or dst) == next_hop

    def mtu_changed(self, dst: bytes, index: int) -> None:
        """What we know about the path MTU to `dst` over interface `index` changed."""
        for path in self._paths.values():
            if path.dst == dst and path.nic.index == index:
                self._resize(path)

    def link_mtu_changed(self, interface: IpInterface) -> None:
        """Packets on an interface may be larger, or must be smaller, than before."""
        self.generation += 1
        for path in self._paths.values():
            if path.nic is interface.nic:
                self._resize(path)

    def _resize(self, path: Path) -> None:
        index = path.nic.index
        path.resize(self.host.pmtu.limit(path.dst, index, self.interfaces[index].mtu))

    # NetworkLayer, as the link sees us.

    def neighbor_times(self, nic: Nic) -> tuple[int, int]:
        interface = self.interface(nic)
        return interface.reachable_time, interface.retrans_timer

    def neighbor_failed(self, neighbor: Neighbor) -> None:
        self.host.gateways.failed(neighbor)

    def neighbor_answers(self, neighbor: Neighbor) -> None:
        self.host.gateways.answers(neighbor)

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
                handler.on_error(ErrorReport(UNRESOLVED, src, dst, proto, quoted))
