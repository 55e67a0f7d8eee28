# SPDX-License-Identifier: MIT
"""Floor 4: what is IPv6's own on the way in (RFC 8200, RFC 4291): addresses that nobody can have or
be spoken to by, reassembled packets, solicited-node groups.

The walk over extension headers is in `extensions`, the way out in `path6`.
"""

from __future__ import annotations

from stack.base import addr
from stack.base.head import Parked
from stack.base.packet import Packet
from stack.ip.addrconf import DUPLICATED, LocalAddress
from stack.ip.extensions import NEXT_HEADER_AT, Extensions
from stack.ip.forward import Forwarder6
from stack.ip.fragments import MAX_DATAGRAM, Datagram
from stack.ip.host import IpHost
from stack.ip.path import Path
from stack.ip.path6 import GroupPath6, Path6
from stack.link.neighbor import Neighbor
from stack.link.nic import Nic
from stack.wire import ext6, icmp6, ipv6


class V6Layer(Extensions):
    """The IPv6 half of the IP layer."""

    size = 16
    any = addr.ANY6
    mask = addr.V6
    checksum_optional = False
    default_mss = 1220

    def __init__(self, host: IpHost) -> None:
        super().__init__(host)
        self._solicited: dict[bytes, Nic] = {}  # where the group of an address is joined
        self.forwarder = Forwarder6(self)

    read = staticmethod(ipv6.read)

    def bad_source(self, pkt: Packet) -> bool:
        src = pkt.src
        if src == addr.ANY6:
            # Only neighbour discovery and group membership speak without an address.
            return pkt.proto not in (icmp6.PROTO, ext6.HOP_BY_HOP)
        return src[0] == 0xFF or src == addr.LOOPBACK6 or addr.is_mapped(src)

    def bad_destination(self, dst: bytes) -> bool:
        if dst[0] == 0xFF:
            # Scope 0 is reserved, scope 1 ends within the sender (RFC 4291 2.7).
            return dst[1] & 15 <= 1
        return dst in (addr.ANY6, addr.LOOPBACK6) or addr.is_mapped(dst)

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
        field, at = NEXT_HEADER_AT, ipv6.LENGTH
        while at < len(header):
            fixed = header[field] == ext6.FRAGMENT
            size = ext6.FRAGMENT_LENGTH if fixed else (header[at + 1] + 1) * 8
            field, at = at, at + size
        header[field] = first.frame[cut]
        return bytes(header) + datagram.data()

    def make_path(self, nic: Nic, src: bytes, dst: bytes, neighbor: Neighbor, mtu: int) -> Path:
        if dst[0] == 0xFF:
            return GroupPath6(self, nic, src, dst, neighbor, mtu)
        return Path6(self, nic, src, dst, neighbor, mtu)

    def address_changed(self, entry: LocalAddress) -> None:
        """Listen to the solicited-node group from the first probe on (RFC 4862 5.4.2)."""
        group = addr.solicited_node(entry.address)
        owner = self.addresses.all.get(entry.address)
        before = self._solicited.pop(entry.address, None)
        after = None if owner is None or owner.state == DUPLICATED else owner.nic
        if after is not None:
            self._solicited[entry.address] = after
        if before is after:
            return
        if after is not None:
            self.host.groups.join(after, group)
        if before is not None:
            self.host.groups.leave(before, group)

    def protocol_unknown(self, pkt: Packet) -> None:
        self.unknown_protocol(pkt, pkt.net + NEXT_HEADER_AT)

    def port_unreachable(self, pkt: Packet) -> None:
        self.icmp.send_error(pkt, icmp6.UNREACHABLE, icmp6.PORT, 0)

    def reassembly_expired(self, first: Packet) -> None:
        self.icmp.send_error(first, icmp6.TIME_EXCEEDED, icmp6.REASSEMBLY_EXPIRED, 0)

    def own_header(self, parked: Parked) -> tuple[bytes, bytes, int]:
        net = len(parked.headers) - parked.net
        header = parked.headers[net : net + ipv6.LENGTH]
        proto = header[6]
        if proto == ext6.FRAGMENT:
            # Of what we forward, or was written raw, extension headers are payload, if anything.
            behind = (parked.headers[net + ipv6.LENGTH :] or parked.payload)[:1]
            proto = behind[0] if behind else proto
        return header[8:24], header[24:40], proto
