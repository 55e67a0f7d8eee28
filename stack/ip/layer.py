# SPDX-License-Identifier: MIT
"""Floor 4: `IpLayer`, everything both families share, in the order a packet is received.

    read -> source -> ours? -> options or extension headers -> reassembly -> transport

RFC 1122 3.2-3.3, RFC 8200, RFC 6724 through `source`; strong host model (RFC 1122 3.3.4.2).
Not done: forwarding; IGMP and MLD; router discovery.

Called by `link/nic` with packets, by transports for paths, by `core` to set things up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from stack.base import addr, fate
from stack.base.config import Config
from stack.base.counters import Counters
from stack.base.fate import DropDoor
from stack.base.head import Head, Parked
from stack.base.packet import BROADCAST, MULTICAST, UNICAST, WHOLE, Packet
from stack.base.seam import Env
from stack.base.timers import TimerHeap
from stack.ip.addrconf import SCHEDULE4, SCHEDULE6, AddressManager, LocalAddress
from stack.ip.errors import ErrorGate
from stack.ip.fragments import Datagram, Reassembler
from stack.ip.groups import Groups
from stack.ip.path import Path
from stack.ip.pmtu import PathMtu
from stack.ip.routes import Route, RouteTable
from stack.ip.seam import UNRESOLVED, RawTap, TransportLayer
from stack.ip.source import select
from stack.link.neighbor import Neighbor
from stack.link.nic import Nic
from stack.link.seam import NetworkLayer

_KNOWN_SOURCES: Final = 4096


class IpCounters(Counters):
    """RFC 4293 names."""

    __slots__ = (
        "in_addr_errors",
        "in_delivers",
        "in_discards",
        "in_hdr_errors",
        "in_receives",
        "in_unknown_protos",
        "out_discards",
        "out_frag_creates",
        "out_frag_fails",
        "out_frag_oks",
        "out_no_routes",
        "out_requests",
        "reasm_fails",
        "reasm_oks",
        "reasm_reqds",
    )
    in_addr_errors: int
    in_delivers: int
    in_discards: int
    in_hdr_errors: int
    in_receives: int
    in_unknown_protos: int
    out_discards: int
    out_frag_creates: int
    out_frag_fails: int
    out_frag_oks: int
    out_no_routes: int
    out_requests: int
    reasm_fails: int
    reasm_oks: int
    reasm_reqds: int


class IpHost:
    """What the two layers of one stack share: tables and the error gate."""

    def __init__(self, env: Env, timers: TimerHeap, door: DropDoor, config: Config) -> None:
        self.env = env
        self.timers = timers
        self.door = door
        self.config = config
        self.layers: dict[int, IpLayer] = {}
        self.nics: list[Nic] = []
        self.watchers: list[tuple[int, Callable[[], None]]] = []
        self.routes = RouteTable()
        self.groups = Groups()
        self.pmtu = PathMtu(env, timers, config.pmtu_age, self._mtu_changed)
        self.gate = ErrorGate(
            env,
            config.icmp_error_rate,
            config.icmp_error_burst,
            config.icmp_host_rate,
            config.icmp_host_burst,
        )
        self.reassembler = Reassembler(
            env,
            timers,
            door,
            config.reassembly_time,
            config.reassembly_limit,
            config.reassembly_memory,
            self._reassembly_expired,
        )

    def layer_of(self, address: bytes) -> IpLayer:
        """The layer of an address's family."""
        return self.layers[len(address)]

    def addresses_changed(self, family: int) -> None:
        """Tell those who watch this family, not from inside of whatever changed it."""
        for families, changed in self.watchers:
            if families & family:
                self.env.executor.submit(changed)

    def _mtu_changed(self, dst: bytes) -> None:
        self.layers[len(dst)].mtu_changed(dst)

    def _reassembly_expired(self, first: Packet) -> None:
        self.layers[len(first.src)].reassembly_expired(first)


class IpLayer(NetworkLayer):
    """One family.  `V4Layer` and `V6Layer` fill in what differs."""

    size: int
    """Octets in an address."""
    any: bytes
    """The unspecified address."""
    mask: int
    """The family's bit: addr.V4 or addr.V6."""
    checksum_optional: bool
    """A UDP checksum of zero means that there is none."""
    default_mss: int
    """What a TCP peer can take that does not say (RFC 9293 MUST-15)."""

    def __init__(self, host: IpHost) -> None:
        self.host = host
        self.env = host.env
        self.door = host.door
        self.config = host.config
        self.counters = IpCounters()
        self.protocols: dict[int, TransportLayer] = {}
        self.raw: RawTap | None = None  # while there are raw endpoints
        self.local: dict[bytes, LocalAddress] = {}
        schedule = SCHEDULE4 if self.size == 4 else SCHEDULE6
        self.addresses = AddressManager(host.env, host.timers, schedule, self._address_changed)
        self.head = Head()
        self.loopback: Nic | None = None
        self._paths: dict[bytes, Path] = {}
        self._known_sources: set[bytes] = set()
        host.layers[self.size] = self

    # What a family must say.

    def read(self, pkt: Packet) -> int:
        """Fill `pkt` from the header: a drop reason, 0, or a negative number if options or
        extension headers follow."""
        raise NotImplementedError

    def walk(self, pkt: Packet) -> bool:
        """Process options or extension headers.  False if the packet ended there."""
        raise NotImplementedError

    def bad_source(self, pkt: Packet) -> bool:
        """`pkt.src` cannot be the source of a packet from the wire."""
        raise NotImplementedError

    def is_broadcast(self, index: int, address: bytes) -> bool:
        """`address` is a broadcast address on interface `index`."""
        raise NotImplementedError

    def fragment_key(self, pkt: Packet, ident: int) -> bytes:
        """What fragments of one datagram have in common."""
        raise NotImplementedError

    def rebuild(self, datagram: Datagram) -> bytes:
        """A whole datagram as one unfragmented IP packet; empty if it grew too long."""
        raise NotImplementedError

    def make_path(self, nic: Nic, src: bytes, dst: bytes, neighbor: Neighbor, mtu: int) -> Path:
        raise NotImplementedError

    def address_changed(self, entry: LocalAddress) -> None:
        """`entry` changed its state: broadcast addresses, solicited-node groups."""
        raise NotImplementedError

    def protocol_unknown(self, pkt: Packet) -> None:
        """Nobody here speaks `pkt.proto`: count, answer, drop."""
        raise NotImplementedError

    def port_unreachable(self, pkt: Packet) -> None:
        """Tell the source that no endpoint has the port it addressed."""
        raise NotImplementedError

    def reassembly_expired(self, first: Packet) -> None:
        """Tell the source that its datagram never became whole."""
        raise NotImplementedError

    # Receiving.

    def receive(self, pkt: Packet) -> None:
        counters = self.counters
        counters.in_receives += 1
        reason = self.read(pkt)
        if reason > 0:
            counters.in_hdr_errors += 1
            self.door.drop(pkt, reason)
            return
        if pkt.src not in self._known_sources and not self._source_is_good(pkt):
            return
        entry = self.local.get(pkt.dst)
        if entry is not None and (entry.nic is pkt.nic or self._reachable(entry, pkt)):
            if pkt.cast != UNICAST and self.size == 4:
                self.door.drop(pkt, fate.IP_LINK_BROADCAST)  # RFC 1122 3.3.6
                return
        elif not self._for_group(pkt):
            return
        if reason and not self.walk(pkt):
            return
        if pkt.fragment is not None and pkt.fragment[1:] != WHOLE:
            self._reassemble(pkt)
            return
        self._deliver(pkt)

    def _deliver(self, pkt: Packet) -> None:
        heard = self.raw is not None and self.raw.copy(pkt)
        handler = self.protocols.get(pkt.proto)
        if handler is not None:
            self.counters.in_delivers += 1
            handler.receive(pkt)
        elif heard:
            self.counters.in_delivers += 1
        else:
            self.counters.in_unknown_protos += 1
            self.protocol_unknown(pkt)

    def _source_is_good(self, pkt: Packet) -> bool:
        """RFC 1122 3.2.1.3: a source must be able to be one host's, and not be us."""
        nic = pkt.nic
        looped = isinstance(nic, Nic) and nic.is_loopback
        if looped:
            return True
        if self.bad_source(pkt) or pkt.src in self.local:
            self.counters.in_addr_errors += 1
            self.door.drop(pkt, fate.IP_SOURCE_INVALID)
            return False
        if pkt.src != self.any:
            if len(self._known_sources) >= _KNOWN_SOURCES:
                self._known_sources.clear()
            self._known_sources.add(pkt.src)
        return True

    def _reachable(self, entry: LocalAddress, pkt: Packet) -> bool:
        """An own address may be addressed through another interface."""
        nic = pkt.nic
        if isinstance(nic, Nic) and nic.is_loopback:
            return True
        return self.config.weak_host and not entry.nic.is_loopback

    def _for_group(self, pkt: Packet) -> bool:
        """A group destination we listen to; anything else is dropped (hosts do not forward)."""
        if addr.is_multicast(pkt.dst):
            pkt.group = MULTICAST
            if self.host.groups.joined(pkt.nic.index, pkt.dst):
                return True
        elif self.is_broadcast(pkt.nic.index, pkt.dst):
            pkt.group = BROADCAST
            return True
        self.counters.in_addr_errors += 1
        tentative = pkt.dst in self.addresses.all and pkt.dst not in self.local
        self.door.drop(pkt, fate.IP_TENTATIVE if tentative else fate.IP_NOT_LOCAL)
        return False

    def _reassemble(self, pkt: Packet) -> None:
        counters = self.counters
        counters.reasm_reqds += 1
        assert pkt.fragment is not None
        ident, offset, more = pkt.fragment
        key = self.fragment_key(pkt, ident)
        whole = self.host.reassembler.add(pkt, key, offset, more)
        if whole is None:
            return
        if whole.contradicts:
            counters.reasm_fails += 1
            self.door.drop(pkt, fate.FRAGMENT_ECN)
            return
        frame = self.rebuild(whole)
        if not frame:
            counters.reasm_fails += 1
            self.door.drop(pkt, fate.FRAGMENT_TOO_LONG)
            return
        counters.reasm_oks += 1
        joined = Packet(frame, pkt.nic, 0, len(frame), False, 0, pkt.cast, pkt.arrived)
        reason = self.read(joined)
        joined.group = pkt.group
        joined.fragment = None
        if reason < 0 and not self.walk(joined):
            return
        joined.fragment = (ident, 0, False)
        if whole.marked:
            joined.tos |= 3
        self._deliver(joined)

    # Sending.

    def path(self, dst: bytes, src: bytes = b"", nic: Nic | None = None) -> Path | None:
        """The way to `dst`, from `src` if one is given, over `nic` if one is given.

        None if there is no route, or no address to send from.
        """
        key = dst + src if nic is None else b"%b%b%d" % (dst, src, nic.index)
        path = self._paths.get(key)
        if path is None or not path.valid:
            path = self._find_path(dst, src, nic)
            if path is None:
                self.counters.out_no_routes += 1
                return None
            if len(self._paths) >= self.config.path_limit:
                self._paths.pop(next(iter(self._paths))).valid = False
            self._paths[key] = path
        return path

    def reply_path(self, pkt: Packet) -> Path | None:
        """The way back to whoever sent `pkt`, from the address it was sent to if we can."""
        src = pkt.dst if pkt.group == UNICAST else b""
        nic = pkt.nic
        scoped = addr.is_link_scope(pkt.src) or not src
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
        mtu = self.host.pmtu.limit(dst, nic.mtu)
        return self.make_path(nic, src, dst, neighbor, mtu)

    def _way(self, dst: bytes, src: bytes, nic: Nic | None) -> tuple[Nic, bytes] | None:
        """The interface and gateway towards another host or a group."""
        gateway = b""
        if addr.is_multicast(dst) or self.is_broadcast_anywhere(dst):
            nic = nic or self._nic_of(src)
        else:
            if addr.is_link_scope(dst):
                nic = nic or self._nic_of(src)
            route = self.host.routes.lookup(dst, nic)
            if route is None:
                return None
            nic, gateway = route.nic, route.gateway
        if nic is None or addr.is_loopback(dst):
            return None
        return nic, gateway

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

    def add_address(self, nic: Nic, address: bytes, prefix_length: int) -> LocalAddress:
        """Give `nic` an address and the on-link route that comes with it."""
        entry = self.addresses.add(nic, address, prefix_length, self.config.dad)
        if not nic.is_loopback:
            prefix = addr.mask(address, prefix_length)
            self.host.routes.add(Route(prefix, prefix_length, nic, b"", 0))
        self.invalidate()
        return entry

    def add_route(self, prefix: bytes, length: int, nic: Nic, gateway: bytes, metric: int) -> None:
        """Add a route; `gateway` empty means the prefix is on the link."""
        self.host.routes.add(Route(addr.mask(prefix, length), length, nic, gateway, metric))
        self.invalidate()

    def invalidate(self) -> None:
        """Routes or addresses changed: every path must be found again."""
        for path in self._paths.values():
            path.valid = False
        self._paths.clear()
        self._known_sources.clear()

    def mtu_changed(self, dst: bytes) -> None:
        """What we know about the path MTU to `dst` changed."""
        for path in self._paths.values():
            if path.dst == dst:
                path.resize(self.host.pmtu.limit(dst, path.nic.mtu))

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
            handler = self.protocols.get(proto)
            self.counters.out_discards += 1
            if handler is not None:
                quoted = parked.headers[len(parked.headers) - parked.l4 :]
                handler.on_error(UNRESOLVED, 0, src, dst, quoted)

    def own_header(self, parked: Parked) -> tuple[bytes, bytes, int]:
        """Source, destination and protocol of a packet we built ourselves."""
        raise NotImplementedError
