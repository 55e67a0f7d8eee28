# SPDX-License-Identifier: MIT
"""Floor 4: what is IPv4's own on the way in (RFC 791, RFC 1122 3.2, RFC 6864).

Done: options, by `options4`; fragments that cannot be right; addresses that nobody can have or be
spoken to by.  The way out is `path4`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack.base import addr, fate
from stack.base.head import Parked
from stack.base.packet import Packet
from stack.ip import options4
from stack.ip.addrconf import LocalAddress
from stack.ip.forward import Forwarder4
from stack.ip.fragments import Datagram
from stack.ip.host import IpHost
from stack.ip.layer import IpLayer
from stack.ip.path import Path
from stack.ip.path4 import GroupPath4, Path4
from stack.link.neighbor import Neighbor
from stack.link.nic import Nic
from stack.wire import icmp4, ipv4

if TYPE_CHECKING:
    from stack.ip.icmp4 import Icmp4


class V4Layer(IpLayer):
    """The IPv4 half of the IP layer."""

    size = 4
    any = addr.ANY4
    mask = addr.V4
    checksum_optional = True
    default_mss = 536

    def __init__(self, host: IpHost) -> None:
        super().__init__(host)
        self._broadcasts: dict[tuple[int, bytes], int] = {}  # how many addresses it follows from
        self._directed: dict[bytes, tuple[int, bytes]] = {}  # what follows from an address
        self.icmp: Icmp4
        self.forwarder = Forwarder4(self)

    read = staticmethod(ipv4.read)

    def walk(self, pkt: Packet) -> bool:
        """RFC 1122 3.2.1.8: unknown options are ignored, malformed ones reported."""
        reason, at = options4.judge(pkt.frame, pkt.net + ipv4.LENGTH, pkt.l4)
        if not reason:
            return True
        self.stats[pkt.nic.index].in_hdr_errors += 1
        if reason == fate.IP_OPTION_MALFORMED:
            self.icmp.send_error(pkt, icmp4.PARAMETER_PROBLEM, 0, at - pkt.net << 24)
        self.door.drop(pkt, reason)
        return False

    def fragment_fault(self, pkt: Packet, offset: int, more: bool) -> int:
        size = pkt.end - pkt.l4
        if size == 0 or (more and size % 8):
            return fate.FRAGMENT_MALFORMED
        if pkt.l4 - pkt.net + offset + size > ipv4.MAX_LENGTH:
            return fate.FRAGMENT_TOO_LONG
        return fate.DELIVERED

    def bad_source(self, pkt: Packet) -> bool:
        src = pkt.src
        if src == addr.ANY4 and pkt.proto == ipv4.PROTO_IGMP:
            return False  # hosts and switches that have no address yet (RFC 3376 4.2.13, RFC 4541)
        return not addr.is_host4(src) or self.is_broadcast(pkt.nic.index, src)

    def bad_destination(self, dst: bytes) -> bool:
        return dst[0] in (0, 127) or (dst[0] >= 240 and dst != addr.BROADCAST4)

    def is_broadcast(self, index: int, address: bytes) -> bool:
        return address == addr.BROADCAST4 or (index, address) in self._broadcasts

    def fragment_key(self, pkt: Packet, ident: int) -> bytes:
        return pkt.src + pkt.dst + bytes((pkt.proto, ident >> 8, ident & 0xFF))

    def rebuild(self, datagram: Datagram) -> bytes:
        first = datagram.first
        assert first is not None
        header = first.frame[first.net : first.l4]
        total = len(header) + datagram.total
        if total > ipv4.MAX_LENGTH:
            return b""
        return ipv4.reheaded(header, total, 0) + datagram.data()

    def make_path(self, nic: Nic, src: bytes, dst: bytes, neighbor: Neighbor, mtu: int) -> Path:
        if dst[0] >= 224 or self.is_broadcast(nic.index, dst):
            return GroupPath4(self, nic, src, dst, neighbor, mtu)
        return Path4(self, nic, src, dst, neighbor, mtu)

    def address_changed(self, entry: LocalAddress) -> None:
        """Which addresses are everybody's on a link follows from ours (RFC 1122 3.2.1.3)."""
        before = self._directed.pop(entry.address, None)
        if before is not None:
            self._broadcasts[before] -= 1
            if not self._broadcasts[before]:
                del self._broadcasts[before]
        own = self.local.get(entry.address)
        if own is None or own.prefix_length >= 31 or own.nic.is_loopback:
            return
        key = (own.nic.index, addr.directed_broadcast(own.address, own.prefix_length))
        self._directed[own.address] = key
        self._broadcasts[key] = self._broadcasts.get(key, 0) + 1

    def protocol_unknown(self, pkt: Packet) -> None:
        self.stats[pkt.nic.index].in_unknown_protos += 1
        self.icmp.send_error(pkt, icmp4.UNREACHABLE, icmp4.PROTOCOL, 0)
        self.door.drop(pkt, fate.IP_PROTOCOL_UNKNOWN)

    def port_unreachable(self, pkt: Packet) -> None:
        self.icmp.send_error(pkt, icmp4.UNREACHABLE, icmp4.PORT, 0)

    def reassembly_expired(self, first: Packet) -> None:
        self.icmp.send_error(first, icmp4.TIME_EXCEEDED, icmp4.REASSEMBLY_EXPIRED, 0)

    def own_header(self, parked: Parked) -> tuple[bytes, bytes, int]:
        net = len(parked.headers) - parked.net
        header = parked.headers[net : net + ipv4.LENGTH]
        return header[12:16], header[16:20], header[9]
