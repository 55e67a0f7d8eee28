# SPDX-License-Identifier: MIT
"""Floor 4: packets for others, passed on from one interface to the next (RFC 1812 5, RFC 8200).

Done: the checks on addresses (RFC 1812 5.3.4-7, RFC 4291 2.5.2-6, RFC 3927 2.6.2, RFC 2644), hop
limit, next hop by the routes, fragmentation of IPv4 without DF (RFC 791 3.2), the errors that a
router owes: time exceeded, no route, too big, beyond scope, and unreachable when the next hop does
not answer.  Super-frames up to 64 KiB and unfinished checksums pass as they came; where datagrams
of one are to be fragmented, each is.  IPv4 options that record are filled in (RFC 1812
5.3.13.5-6), source routes were refused before; extension headers are not looked at (RFC 8200 4 lets
routers ignore hop-by-hop options).  Not done: longer super-frames, redirects to senders, multicast
and directed broadcast forwarding, reverse path checks (RFC 3704).

Called by `layer` with a packet that is not for this host, where `IpInterface.forwarding` is on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from stack.base import addr, checksum, fate
from stack.base.head import NO_CHECKSUM, Head, Parked
from stack.base.packet import UNICAST, Packet
from stack.base.units import View
from stack.ip import options4
from stack.ip.hop import Hop, Hops
from stack.ip.path4 import put_pieces
from stack.link.nic import Nic
from stack.link.offload import datagrams, finish_checksum
from stack.link.seam import LARGEST
from stack.wire import ext6, icmp4, icmp6, ipv4, ipv6, tcp, udp, vnet

if TYPE_CHECKING:
    from stack.ip.v4 import V4Layer
    from stack.ip.v6 import V6Layer

_ROOM: Final = 200  # octets of headers that fit into a Head below the link's


class Forwarder:
    """What both families do alike."""

    def __init__(self, layer: V4Layer | V6Layer) -> None:
        self._layer = layer
        self._door = layer.door
        self._hops = Hops(layer, layer.config.path_limit)
        self._head = Head()

    # What a family must say.

    def header(self, pkt: Packet) -> int:
        """Octets of the IP header that a transport or extension header follows."""
        raise NotImplementedError

    def refused(self, pkt: Packet) -> bool:
        """Something in the header forbids it; counted and dropped."""
        return False

    def scope_error(self, pkt: Packet) -> None:
        """The source means nothing beyond its link."""
        raise NotImplementedError

    def expired(self, pkt: Packet) -> None:
        """The last hop is used up."""
        raise NotImplementedError

    def no_route(self, pkt: Packet) -> None:
        """Nobody knows the way."""
        raise NotImplementedError

    def unreachable(self, pkt: Packet) -> None:
        """The next hop does not answer."""
        raise NotImplementedError

    def too_big(self, pkt: Packet, hop: Hop, head: Head, data: memoryview) -> bool:
        """The packet, already loaded, does not fit: fragment it, or say so.  False if it ended
        here."""
        raise NotImplementedError

    def count_down(self, head: Head, hop: Hop) -> None:
        """One hop less in the loaded header, which leaves by `hop`."""
        raise NotImplementedError

    # The way.

    def forward(self, pkt: Packet) -> None:
        """Pass `pkt` on, or drop it with a reason and, where one is due, an error."""
        layer = self._layer
        came = layer.stats[pkt.nic.index]
        if not self._may_cross(pkt):
            came.in_addr_errors += 1
            return
        if self.refused(pkt):
            return
        if pkt.ttl <= 1:
            came.in_hdr_errors += 1
            self.expired(pkt)
            self._door.drop(pkt, fate.FORWARD_HOPS)
            return
        came.in_forw_datagrams += 1
        hop = self._hops.find(pkt.dst)
        if hop is None:
            came.in_no_routes += 1
            self.no_route(pkt)
            self._door.drop(pkt, fate.FORWARD_NO_ROUTE)
            return
        head = self._head
        data = self._load(pkt, head)
        if data is None:
            self._door.drop(pkt, fate.FORWARD_HEADERS)
            return
        self.count_down(head, hop)
        size = head.end - head.net + (head.gso_size or len(data))
        if size > hop.mtu:
            if self.too_big(pkt, hop, head, data):
                hop.counters.out_forw_datagrams += 1
            return
        hop.counters.out_forw_datagrams += 1
        hop.put(head, (data,), pkt.end - pkt.net)

    def _may_cross(self, pkt: Packet) -> bool:
        """RFC 1812 5.3.4, 5.3.7; RFC 4291 2.5.2, 2.5.3, 2.5.6."""
        layer = self._layer
        src, dst = pkt.src, pkt.dst
        if pkt.cast != UNICAST:
            self._door.drop(pkt, fate.IP_LINK_BROADCAST)
        elif dst in layer.addresses.all:
            # One that is ours and still did not arrive is the loopback interface's.
            ours = dst in layer.local
            self._door.drop(pkt, fate.IP_NOT_LOCAL if ours else fate.IP_TENTATIVE)
        elif not addr.is_routable(dst) or layer.is_broadcast_anywhere(dst) or src == layer.any:
            self._door.drop(pkt, fate.FORWARD_ADDRESS)
        elif addr.is_link_local(src):
            self.scope_error(pkt)
            self._door.drop(pkt, fate.FORWARD_SCOPE)
        else:
            return True
        return False

    def _load(self, pkt: Packet, head: Head) -> memoryview | None:
        """The headers into `head`, with what is still to be done to them; the rest is returned.

        None for headers that cannot be passed on as they are.
        """
        head.reset()
        frame, net = pkt.frame, pkt.net
        stop = net + self.header(pkt)
        unfinished = self._unfinished(pkt)
        if unfinished is not None:
            l4, field = unfinished
            stop = l4 + _transport_header(frame, l4, field, pkt.end)
            plain = l4 - net == self._plain_length
            cuttable = plain and pkt.end - net <= LARGEST
            if stop - net > _ROOM or stop > pkt.end or (pkt.gso_size and not cuttable):
                return None
            head.csum = field
            head.gso_size = pkt.gso_size
            head.gso_type = frame[1] & ~vnet.GSO_ECN
            if pkt.gso_size and not _can_be_cut(head, pkt, l4, stop):
                return None
        elif pkt.gso_size:
            return None
        head.push(frame[net:stop])
        head.net = head.start
        if unfinished is not None:
            head.l4 = head.end - (stop - l4)
        return memoryview(frame)[stop : pkt.end]

    _plain_length = 0

    @staticmethod
    def _unfinished(pkt: Packet) -> tuple[int, int] | None:
        """(transport header's offset, checksum field's offset in it) if the device that brought
        the packet left the checksum to whoever sends it."""
        nic = pkt.nic
        if not pkt.csum_ok or not isinstance(nic, Nic) or not nic.device.header:
            return None
        flags, _, _, _, start, field = vnet.HEADER.unpack_from(pkt.frame)
        l4 = nic.device.header + start
        if not flags & vnet.NEEDS_CSUM or not pkt.net < l4 or l4 + field + 2 > pkt.end:
            return None
        return l4, field

    # Trouble further on.

    def unresolved(self, parked: Parked) -> None:
        """The next hop of a forwarded packet did not answer."""
        layer = self._layer
        frame = parked.headers[len(parked.headers) - parked.net :] + parked.payload
        pkt = Packet(frame, layer.host.nics[0], 0, len(frame), False, 0, UNICAST, layer.env.now)
        if layer.read(pkt) <= 0:
            self.unreachable(pkt)


def _can_be_cut(head: Head, pkt: Packet, l4: int, stop: int) -> bool:
    """The kind of super-frame agrees with the header that its checksum says there is, and there
    is something to cut; UDP is as strict with what is for this host."""
    octets = pkt.end - stop
    if head.gso_type == vnet.GSO_UDP_L4:
        length = int.from_bytes(pkt.frame[l4 + 4 : l4 + 6], "big")
        said = head.csum == udp.CHECKSUM_AT and length == pkt.end - l4
        return said and octets > head.gso_size
    return head.csum == tcp.CHECKSUM_AT and octets > 0


def _transport_header(frame: bytes, l4: int, field: int, end: int) -> int:
    """Length of the header whose checksum is at `field`: TCP's and UDP's are known by it."""
    if field == tcp.CHECKSUM_AT and l4 + tcp.LENGTH <= end:
        return (frame[l4 + 12] >> 4) * 4
    return udp.LENGTH if field == udp.CHECKSUM_AT else (field + 3) & ~1


class Forwarder4(Forwarder):
    """IPv4's."""

    _layer: V4Layer
    _plain_length = ipv4.LENGTH

    def header(self, pkt: Packet) -> int:
        return pkt.l4 - pkt.net

    def refused(self, pkt: Packet) -> bool:
        """Malformed options, and source routes (RFC 7126 4.3, 4.4)."""
        return pkt.l4 - pkt.net > ipv4.LENGTH and not self._layer.walk(pkt)

    def scope_error(self, pkt: Packet) -> None:
        return

    def expired(self, pkt: Packet) -> None:
        self._layer.icmp.send_error(pkt, icmp4.TIME_EXCEEDED, icmp4.TTL_EXPIRED, 0)

    def no_route(self, pkt: Packet) -> None:
        self._layer.icmp.send_error(pkt, icmp4.UNREACHABLE, icmp4.NET, 0)

    def unreachable(self, pkt: Packet) -> None:
        self._layer.icmp.send_error(pkt, icmp4.UNREACHABLE, icmp4.HOST, 0)

    def count_down(self, head: Head, hop: Hop) -> None:
        buf, net = head.buf, head.net
        buf[net + 8] -= 1
        check = int.from_bytes(buf[net + 10 : net + 12], "big")
        buf[net + 10 : net + 12] = checksum.update(check, 0x0100, 0).to_bytes(2, "big")
        if buf[net] != 0x45:
            self._record(buf, net, hop)

    def _record(self, buf: bytearray, net: int, hop: Hop) -> None:
        """This router in the options that record (RFC 1812 5.3.13.5-6), by the address of the
        interface that the packet leaves by (RFC 791 3.1)."""
        layer = self._layer
        own = layer.source_for(hop.nic, hop.neighbor.address)
        if own == layer.any:
            return  # an interface without addresses has nothing to record
        start, end = net + ipv4.LENGTH, net + (buf[net] & 15) * 4
        options = options4.passed(bytes(buf[start:end]), own, layer.env.now, layer.local)
        if options != buf[start:end]:
            buf[start:end] = options
            buf[net + 10 : net + 12] = b"\0\0"
            check = checksum.finish(int.from_bytes(buf[net:end], "big"))
            buf[net + 10 : net + 12] = check.to_bytes(2, "big")

    def too_big(self, pkt: Packet, hop: Hop, head: Head, data: memoryview) -> bool:
        frag = int.from_bytes(head.buf[head.net + 6 : head.net + 8], "big")
        if frag & ipv4.DF or (head.gso_size and head.gso_type != vnet.GSO_UDP_L4):
            hop.counters.out_frag_fails += 1
            self._layer.icmp.send_error(pkt, icmp4.UNREACHABLE, icmp4.FRAGMENTATION_NEEDED, hop.mtu)
            self._door.drop(pkt, fate.FORWARD_TOO_BIG)
            return False
        size = pkt.l4 - pkt.net
        if head.gso_size:
            piece = Head()
            for part in datagrams(head, (data,), piece):
                self._fragment(hop, piece, part, size)
            return True
        if head.csum != NO_CHECKSUM:
            finish_checksum(head, (data,))
        self._fragment(hop, head, (data,), size)
        return True

    @staticmethod
    def _fragment(hop: Hop, head: Head, views: Sequence[View], size: int) -> None:
        """The packet in `head`, whose IP header has `size` octets, in pieces that fit."""
        header = bytes(head.buf[head.net : head.net + size])
        rest = bytes(head.buf[head.net + size : head.end])
        hop.counters.out_frag_reqds += 1
        put_pieces(hop, header, b"".join((rest, *views)))


class Forwarder6(Forwarder):
    """IPv6's."""

    _layer: V6Layer
    _plain_length = ipv6.LENGTH

    def header(self, pkt: Packet) -> int:
        return ipv6.LENGTH

    def scope_error(self, pkt: Packet) -> None:
        self._error(pkt, icmp6.UNREACHABLE, icmp6.BEYOND_SCOPE, 0)

    def expired(self, pkt: Packet) -> None:
        self._error(pkt, icmp6.TIME_EXCEEDED, icmp6.HOP_LIMIT_EXPIRED, 0)

    def no_route(self, pkt: Packet) -> None:
        self._error(pkt, icmp6.UNREACHABLE, icmp6.NO_ROUTE, 0)

    def unreachable(self, pkt: Packet) -> None:
        self._error(pkt, icmp6.UNREACHABLE, icmp6.ADDRESS, 0)

    def count_down(self, head: Head, hop: Hop) -> None:
        head.buf[head.net + 7] -= 1

    def too_big(self, pkt: Packet, hop: Hop, head: Head, data: memoryview) -> bool:
        hop.counters.out_frag_fails += 1
        self._error(pkt, icmp6.PACKET_TOO_BIG, 0, hop.mtu)
        self._door.drop(pkt, fate.FORWARD_TOO_BIG)
        return False

    def _error(self, pkt: Packet, kind: int, code: int, rest: int) -> None:
        """Errors are not answered, whatever is in front of them: find the upper layer first."""
        pkt.proto, pkt.l4, offset = ext6.upper(pkt.frame, pkt.proto, pkt.l4, pkt.end)
        if offset:
            pkt.fragment = (0, offset, False)
        self._layer.icmp.send_error(pkt, kind, code, rest)
