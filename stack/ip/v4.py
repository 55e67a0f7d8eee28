# SPDX-License-Identifier: MIT
"""Floor 4: what is IPv4's own (RFC 791, RFC 1122 3.2, RFC 6864).

Done: options parsed with a bound and ignored, source-routed packets refused (RFC 7126),
fragmentation on sending for what does not ask for DF, identification that is only random
where it means something.  Not done: sending options.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from stack.base import addr, fate
from stack.base.checksum import finish
from stack.base.head import NO_CHECKSUM, Head, Parked
from stack.base.packet import Packet
from stack.base.status import NO_MEMORY, OK, TOO_BIG
from stack.base.units import View
from stack.ip.addrconf import LocalAddress
from stack.ip.forward import Forwarder4
from stack.ip.fragments import Datagram
from stack.ip.host import IpHost
from stack.ip.layer import IpLayer
from stack.ip.path import Path
from stack.link.neighbor import Neighbor
from stack.link.nic import Nic
from stack.link.offload import finish_checksum
from stack.wire import icmp4, ipv4, vnet

if TYPE_CHECKING:
    from stack.ip.icmp4 import Icmp4

_pack_header: Final = ipv4.HEADER.pack_into


class Path4(Path):
    """A path over IPv4."""

    __slots__ = ("_base", "_counters", "_ident", "_layer", "_ttl")

    overhead = ipv4.LENGTH

    def __init__(
        self, layer: V4Layer, nic: Nic, src: bytes, dst: bytes, neighbor: Neighbor, mtu: int
    ) -> None:
        super().__init__(nic, src, dst, neighbor, mtu)
        self._layer = layer
        interface = layer.interfaces[nic.index]
        self._counters = interface.counters
        self._ttl = interface.hop_limit
        self._base = self.address_sum + 0x4500
        self._ident = layer.env.random_below(0x10000)

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
        if head.options:
            return self._send_optioned(head, views, length, proto, tos, ttl, df)
        total = length + 20
        gso = head.gso_size
        if total > self.mtu and not gso:
            if df:
                return TOO_BIG
            return self._send_fragments(head, views, length, proto, tos, ttl)
        if df:
            # An atomic datagram: its identification means nothing (RFC 6864 4.1).
            ident = 0
            frag = 0x4000
        else:
            self._ident = ident = (self._ident + 1) & 0xFFFF
            frag = 0
        ttl = ttl or self._ttl
        check = -(self._base + tos + total + ident + frag + (ttl << 8 | proto)) % 0xFFFF
        start = head.start - 20
        _pack_header(
            head.buf, start, 0x45, tos, total, ident, frag, ttl, proto, check, self.src, self.dst
        )
        head.net = head.start = start
        if gso:
            head.gso_type = vnet.GSO_TCPV4
        counters = self._counters
        counters.out_requests += 1
        counters.out_octets += length + 20
        return OK if self.nic.send(self.neighbor, head, views) else NO_MEMORY

    def _send_optioned(
        self,
        head: Head,
        views: Sequence[View],
        length: int,
        proto: int,
        tos: int,
        ttl: int,
        df: bool,
    ) -> int:
        """With options the header is longer, and the packet is never fragmented."""
        options = head.options
        total = ipv4.LENGTH + len(options) + length
        if total > self.mtu:
            return TOO_BIG
        ident = 0
        if not df:
            self._ident = ident = (self._ident + 1) & 0xFFFF
        frag = ipv4.DF if df else 0
        head.push(
            ipv4.build(
                tos, total, ident, frag, ttl or self._ttl, proto, self.src, self.dst, options
            )
        )
        head.net = head.start
        self._counters.out_requests += 1
        self._counters.out_octets += total
        return OK if self.nic.send(self.neighbor, head, views) else NO_MEMORY

    def _send_fragments(
        self, head: Head, views: Sequence[View], length: int, proto: int, tos: int, ttl: int
    ) -> int:
        """RFC 791 3.2: pieces in units of eight octets, all with one identification."""
        if length + 20 > ipv4.MAX_LENGTH:
            return TOO_BIG
        if head.csum != NO_CHECKSUM:
            finish_checksum(head, views)
        data = memoryview(b"".join((head.written(), *views)))
        self._ident = ident = (self._ident + 1) & 0xFFFF
        counters = self._counters
        counters.out_requests += 1
        counters.out_frag_reqds += 1
        counters.out_frag_oks += 1
        step = self.room & ~7
        piece = Head()
        sent = True
        for offset in range(0, length, step):
            part = data[offset : offset + step]
            more = ipv4.MF if offset + step < length else 0
            piece.reset()
            piece.push(
                ipv4.build(
                    tos,
                    20 + len(part),
                    ident,
                    offset // 8 | more,
                    ttl or self._ttl,
                    proto,
                    self.src,
                    self.dst,
                )
            )
            piece.net = piece.start
            counters.out_frag_creates += 1
            sent = self.nic.send(self.neighbor, piece, (part,)) and sent
        return OK if sent else NO_MEMORY


class V4Layer(IpLayer):
    """The IPv4 half of the IP layer."""

    size = 4
    any = addr.ANY4
    mask = addr.V4
    checksum_optional = True
    default_mss = 536

    def __init__(self, host: IpHost) -> None:
        super().__init__(host)
        self._broadcasts: set[tuple[int, bytes]] = set()
        self.icmp: Icmp4
        self.forwarder = Forwarder4(self)

    def read(self, pkt: Packet) -> int:
        return ipv4.read(pkt)

    def walk(self, pkt: Packet) -> bool:
        """RFC 1122 3.2.1.8: unknown options are ignored, malformed ones reported."""
        start = pkt.net + ipv4.LENGTH
        found = ipv4.options(pkt.frame, start, pkt.l4)
        if found is None:
            self.icmp.send_error(pkt, icmp4.PARAMETER_PROBLEM, 0, ipv4.LENGTH << 24)
            self.stats[pkt.nic.index].in_hdr_errors += 1
            self.door.drop(pkt, fate.IP_OPTION_MALFORMED)
            return False
        if any(kind in (ipv4.OPT_LSRR, ipv4.OPT_SSRR) for kind, _, _ in found):
            self.door.drop(pkt, fate.IP_SOURCE_ROUTE)
            return False
        return True

    def bad_source(self, pkt: Packet) -> bool:
        src = pkt.src
        return src[0] in (0, 127) or src[0] >= 224 or self.is_broadcast(pkt.nic.index, src)

    def is_broadcast(self, index: int, address: bytes) -> bool:
        return address == addr.BROADCAST4 or (index, address) in self._broadcasts

    def fragment_key(self, pkt: Packet, ident: int) -> bytes:
        return pkt.src + pkt.dst + bytes((pkt.proto, ident >> 8, ident & 0xFF))

    def rebuild(self, datagram: Datagram) -> bytes:
        first = datagram.first
        assert first is not None
        header = bytearray(first.frame[first.net : first.l4])
        total = len(header) + datagram.total
        if total > ipv4.MAX_LENGTH:
            return b""
        header[2:4] = total.to_bytes(2, "big")
        header[6:8] = header[10:12] = b"\0\0"
        header[10:12] = finish(int.from_bytes(header, "big")).to_bytes(2, "big")
        return bytes(header) + datagram.data()

    def make_path(self, nic: Nic, src: bytes, dst: bytes, neighbor: Neighbor, mtu: int) -> Path:
        return Path4(self, nic, src, dst, neighbor, mtu)

    def address_changed(self, entry: LocalAddress) -> None:
        if entry.prefix_length >= 31 or entry.nic.is_loopback:
            return
        key = (
            entry.nic.index,
            addr.directed_broadcast(entry.address, entry.prefix_length),
        )
        if entry.usable:
            self._broadcasts.add(key)
        else:
            self._broadcasts.discard(key)

    def protocol_unknown(self, pkt: Packet) -> None:
        self.icmp.send_error(pkt, icmp4.UNREACHABLE, icmp4.PROTOCOL, 0)
        self.door.drop(pkt, fate.IP_PROTOCOL_UNKNOWN)

    def port_unreachable(self, pkt: Packet) -> None:
        self.icmp.send_error(pkt, icmp4.UNREACHABLE, icmp4.PORT, 0)

    def reassembly_expired(self, first: Packet) -> None:
        self.stats[first.nic.index].reasm_fails += 1
        self.icmp.send_error(first, icmp4.TIME_EXCEEDED, icmp4.REASSEMBLY_EXPIRED, 0)

    def own_header(self, parked: Parked) -> tuple[bytes, bytes, int]:
        net = len(parked.headers) - parked.net
        header = parked.headers[net : net + ipv4.LENGTH]
        return header[12:16], header[16:20], header[9]
