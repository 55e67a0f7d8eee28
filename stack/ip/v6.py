# SPDX-License-Identifier: MIT
"""Floor 4: what is IPv6's own (RFC 8200, RFC 4291).

Done: the walk over extension headers in order of appearance with bounds on their number
(RFC 8504 5.3), option actions (4.2), routing headers (RFC 5095), fragments including atomic
ones (RFC 6946) and first fragments that must hold the whole chain (RFC 7112), fragmentation
on sending with unpredictable identifications (RFC 7739), flow labels.
Not done: sending extension headers other than the fragment header.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from stack.base import addr, fate
from stack.base.head import NO_CHECKSUM, Head, Parked
from stack.base.packet import UNICAST, WHOLE, Packet
from stack.base.status import NO_MEMORY, OK, TOO_BIG
from stack.base.units import View
from stack.ip.addrconf import LocalAddress
from stack.ip.forward import Forwarder6
from stack.ip.fragments import MAX_DATAGRAM, Datagram
from stack.ip.host import IpHost
from stack.ip.layer import IpLayer
from stack.ip.path import Path
from stack.link.neighbor import Neighbor
from stack.link.nic import Nic
from stack.link.offload import finish_checksum
from stack.wire import ext6, icmp6, ipv4, ipv6, tcp, udp, vnet

if TYPE_CHECKING:
    from stack.ip.icmp6 import Icmp6

_pack_header: Final = ipv6.HEADER.pack_into

_NEXT_HEADER_AT: Final = 6
_LENGTH_AT: Final = 4

# Octets of an upper-layer header that a first fragment must hold (RFC 7112 5).
_UPPER: Final = {
    ipv4.PROTO_TCP: tcp.LENGTH,
    ipv4.PROTO_UDP: udp.LENGTH,
    icmp6.PROTO: icmp6.LENGTH,
}


class Path6(Path):
    """A path over IPv6."""

    __slots__ = ("_counters", "_hops", "_layer")

    overhead = ipv6.LENGTH

    def __init__(
        self, layer: V6Layer, nic: Nic, src: bytes, dst: bytes, neighbor: Neighbor, mtu: int
    ) -> None:
        super().__init__(nic, src, dst, neighbor, mtu)
        self._layer = layer
        interface = layer.interfaces[nic.index]
        self._counters = interface.counters
        self._hops = interface.hop_limit

    def send(
        self,
        head: Head,
        views: Sequence[View],
        length: int,
        proto: int,
        tos: int = 0,
        ttl: int = 0,
        label: int = 0,
        df: bool = True,
    ) -> int:
        gso = head.gso_size
        if length > self.room and not gso:
            if df:
                return TOO_BIG
            return self._send_fragments(head, views, length, proto, tos, ttl, label)
        start = head.start - 40
        _pack_header(
            head.buf,
            start,
            0x60000000 | tos << 20 | label,
            length,
            proto,
            ttl or self._hops,
            self.src,
            self.dst,
        )
        head.net = head.start = start
        if gso:
            head.gso_type = vnet.GSO_TCPV6
        counters = self._counters
        counters.out_requests += 1
        counters.out_octets += length + 40
        return OK if self.nic.send(self.neighbor, head, views) else NO_MEMORY

    def _send_fragments(
        self,
        head: Head,
        views: Sequence[View],
        length: int,
        proto: int,
        tos: int,
        ttl: int,
        label: int,
    ) -> int:
        """RFC 8200 4.5: only the source fragments, and only what is larger than the path MTU."""
        if length > MAX_DATAGRAM:
            return TOO_BIG
        if head.csum != NO_CHECKSUM:
            finish_checksum(head, views)
        data = memoryview(b"".join((head.written(), *views)))
        ident = int.from_bytes(self._layer.env.random(4), "big")
        counters = self._counters
        counters.out_requests += 1
        counters.out_frag_reqds += 1
        counters.out_frag_oks += 1
        step = (self.room - ext6.FRAGMENT_LENGTH) & ~7
        piece = Head()
        sent = True
        for offset in range(0, length, step):
            part = data[offset : offset + step]
            piece.reset()
            piece.push(ext6.build_fragment(proto, offset, offset + step < length, ident))
            payload = ext6.FRAGMENT_LENGTH + len(part)
            hops = ttl or self._hops
            piece.push(ipv6.build(tos, label, payload, ext6.FRAGMENT, hops, self.src, self.dst))
            piece.net = piece.start
            counters.out_frag_creates += 1
            sent = self.nic.send(self.neighbor, piece, (part,)) and sent
        return OK if sent else NO_MEMORY


class V6Layer(IpLayer):
    """The IPv6 half of the IP layer."""

    size = 16
    any = addr.ANY6
    mask = addr.V6
    checksum_optional = False
    default_mss = 1220

    def __init__(self, host: IpHost) -> None:
        super().__init__(host)
        self.icmp: Icmp6
        self.forwarder = Forwarder6(self)

    def read(self, pkt: Packet) -> int:
        return ipv6.read(pkt)

    # Extension headers.

    def walk(self, pkt: Packet) -> bool:
        """Process extension headers strictly in order (RFC 8200 4).

        Leaves `pkt.proto` and `pkt.l4` at the upper layer, or at a fragment's data with
        `pkt.fragment` saying so.  `field` is where the current next-header value stands, which is
        what a parameter problem points at.
        """
        frame = pkt.frame
        field = pkt.net + _NEXT_HEADER_AT
        at = pkt.net + ipv6.LENGTH
        proto = pkt.proto
        count = 0
        while proto in ext6.KNOWN:
            if proto == ext6.NO_NEXT:
                self.door.drop(pkt, fate.IP_NO_NEXT_HEADER)
                return False
            if proto == ext6.HOP_BY_HOP and count:
                # Only directly behind the fixed header; elsewhere it is unrecognised.
                self._problem(pkt, icmp6.BAD_NEXT_HEADER, field, fate.EXT_ORDER)
                return False
            count += 1
            if count > self.config.extension_limit:
                self.door.drop(pkt, fate.EXT_TOO_MANY)
                return False
            if proto == ext6.FRAGMENT:
                if not self._fragment_header(pkt, at):
                    return False
                if pkt.fragment is not None and pkt.fragment[1:] != WHOLE:
                    return True
                size = ext6.FRAGMENT_LENGTH
            else:
                size = ext6.length(frame, at, pkt.end)
                if not size:
                    self.stats[pkt.nic.index].in_hdr_errors += 1
                    self.door.drop(pkt, fate.EXT_MALFORMED)
                    return False
                if not self._accept_extension(pkt, proto, at, size):
                    return False
            field, proto, at = at, frame[at], at + size
        pkt.proto = proto
        pkt.l4 = at
        if proto not in self.protocols and not (self.raw is not None and self.raw.wants(proto)):
            self._problem(pkt, icmp6.BAD_NEXT_HEADER, field, fate.IP_PROTOCOL_UNKNOWN)
            return False
        return True

    def _accept_extension(self, pkt: Packet, proto: int, at: int, size: int) -> bool:
        if proto == ext6.ROUTING:
            # RFC 8200 4.4: unrecognised types are skipped once there is nothing left to do;
            # type 0 counts as unrecognised (RFC 5095).
            if pkt.frame[at + 3] == 0:
                return True
            self._problem(pkt, icmp6.BAD_FIELD, at + 2, fate.EXT_ROUTING)
            return False
        return self._options(pkt, at + 2, at + size)

    def _options(self, pkt: Packet, start: int, end: int) -> bool:
        """RFC 8200 4.2: the two highest bits of an unknown option say what to do."""
        found = ext6.options(pkt.frame, start, end)
        if found is None:
            self.stats[pkt.nic.index].in_hdr_errors += 1
            self.door.drop(pkt, fate.EXT_MALFORMED)
            return False
        if len(found) > self.config.option_limit:
            self.door.drop(pkt, fate.EXT_TOO_MANY)
            return False
        for kind, at, _ in found:
            action = kind >> 6
            if action == 0:
                continue
            if action == 2 or (action == 3 and pkt.group == UNICAST):
                self._problem(
                    pkt, icmp6.BAD_OPTION, at, fate.EXT_OPTION_UNKNOWN, group_ok=action == 2
                )
            else:
                self.door.drop(pkt, fate.EXT_OPTION_UNKNOWN)
            return False
        return True

    def _fragment_header(self, pkt: Packet, at: int) -> bool:
        """Note what the fragment header says.  Atomic fragments stay whole (RFC 6946)."""
        if pkt.end - at < ext6.FRAGMENT_LENGTH:
            self.stats[pkt.nic.index].in_hdr_errors += 1
            self.door.drop(pkt, fate.FRAGMENT_MALFORMED)
            return False
        following, _, bits, ident = ext6.FRAGMENT_HEADER.unpack_from(pkt.frame, at)
        offset, more = bits & ~7, bool(bits & 1)
        if offset == 0 and not more:
            pkt.fragment = (ident, 0, False)  # some may want to know (RFC 6980)
            return True
        data = at + ext6.FRAGMENT_LENGTH
        size = pkt.end - data
        if more and size % 8:
            self._problem(pkt, icmp6.BAD_FIELD, pkt.net + _LENGTH_AT, fate.FRAGMENT_MALFORMED)
            return False
        if offset + size > MAX_DATAGRAM:
            self._problem(pkt, icmp6.BAD_FIELD, at + 2, fate.FRAGMENT_TOO_LONG)
            return False
        if offset == 0 and not self._chain_fits(pkt.frame, following, data, pkt.end):
            self._problem(pkt, icmp6.INCOMPLETE_CHAIN, pkt.net, fate.FRAGMENT_HEADERS)
            return False
        pkt.proto = following
        pkt.l4 = data
        pkt.fragment = (ident, offset, more)
        return True

    @staticmethod
    def _chain_fits(frame: bytes, proto: int, at: int, end: int) -> bool:
        """All headers up to and including the upper layer's lie before `end` (RFC 7112)."""
        while proto in ext6.KNOWN and proto != ext6.NO_NEXT:
            size = ext6.FRAGMENT_LENGTH if proto == ext6.FRAGMENT else ext6.length(frame, at, end)
            if not size or at + size > end:
                return False
            proto, at = frame[at], at + size
        return end - at >= _UPPER.get(proto, 0)

    def _problem(
        self, pkt: Packet, code: int, at: int, reason: int, group_ok: bool = False
    ) -> None:
        """A parameter problem that points at offset `at` of the frame, and the drop."""
        self.stats[pkt.nic.index].in_hdr_errors += 1
        pointer = at - pkt.net
        self.icmp.send_error(pkt, icmp6.PARAMETER_PROBLEM, code, pointer, group_ok)
        self.door.drop(pkt, reason)

    # The rest of what a family must say.

    def bad_source(self, pkt: Packet) -> bool:
        src = pkt.src
        if src == addr.ANY6:
            # Only neighbour discovery and group membership speak without an address.
            return pkt.proto not in (icmp6.PROTO, ext6.HOP_BY_HOP)
        return src[0] == 0xFF or src == addr.LOOPBACK6 or addr.is_mapped(src)

    def is_broadcast(self, index: int, address: bytes) -> bool:
        return False

    def fragment_key(self, pkt: Packet, ident: int) -> bytes:
        return pkt.src + pkt.dst + ident.to_bytes(4, "big")

    def rebuild(self, datagram: Datagram) -> bytes:
        """RFC 8200 4.5: the first fragment's headers without its fragment header."""
        first = datagram.first
        assert first is not None
        cut = first.l4 - ext6.FRAGMENT_LENGTH
        header = bytearray(first.frame[first.net : cut])
        length = len(header) - ipv6.LENGTH + datagram.total
        if length > MAX_DATAGRAM:
            return b""
        header[4:6] = length.to_bytes(2, "big")
        field, at = _NEXT_HEADER_AT, ipv6.LENGTH
        while at < len(header):
            field, at = at, at + (header[at + 1] + 1) * 8
        header[field] = first.frame[cut]
        return bytes(header) + datagram.data()

    def make_path(self, nic: Nic, src: bytes, dst: bytes, neighbor: Neighbor, mtu: int) -> Path:
        return Path6(self, nic, src, dst, neighbor, mtu)

    def address_changed(self, entry: LocalAddress) -> None:
        """Listen to the solicited-node group from the first probe on (RFC 4862 5.4.2)."""
        groups = self.host.groups
        group = addr.solicited_node(entry.address)
        if entry.address in self.addresses.all:
            if not groups.joined(entry.nic.index, group):
                groups.join(entry.nic, group)
        elif not any(
            addr.solicited_node(other.address) == group and other.nic is entry.nic
            for other in self.addresses.all.values()
        ):
            groups.leave(entry.nic, group)

    def protocol_unknown(self, pkt: Packet) -> None:
        self._problem(
            pkt, icmp6.BAD_NEXT_HEADER, pkt.net + _NEXT_HEADER_AT, fate.IP_PROTOCOL_UNKNOWN
        )

    def port_unreachable(self, pkt: Packet) -> None:
        self.icmp.send_error(pkt, icmp6.UNREACHABLE, icmp6.PORT, 0)

    def reassembly_expired(self, first: Packet) -> None:
        self.stats[first.nic.index].reasm_fails += 1
        self.icmp.send_error(first, icmp6.TIME_EXCEEDED, icmp6.REASSEMBLY_EXPIRED, 0)

    def own_header(self, parked: Parked) -> tuple[bytes, bytes, int]:
        net = len(parked.headers) - parked.net
        header = parked.headers[net : net + ipv6.LENGTH]
        proto = header[6]
        if proto == ext6.FRAGMENT and net + ipv6.LENGTH < len(parked.headers):
            # Of what was forwarded or written raw, only the IP header need be here.
            proto = parked.headers[net + ipv6.LENGTH]
        return header[8:24], header[24:40], proto
