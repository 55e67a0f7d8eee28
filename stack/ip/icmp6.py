# SPDX-License-Identifier: MIT
"""Floor 4: ICMPv6 (RFC 4443), and the door to neighbour discovery and to MLD.

Done: echo (multicast requests too, answered from a unicast address), all four errors both
ways.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stack.base import fate
from stack.base.packet import UNICAST, Packet
from stack.ip import seam
from stack.ip.icmp import Icmp
from stack.ip.path import Path
from stack.wire import ext6, icmp6, ipv6, mld

if TYPE_CHECKING:
    from stack.ip.mld import Mld
    from stack.ip.ndp import NdpResolver

_QUOTE: Final = ipv6.MIN_MTU - ipv6.LENGTH - icmp6.LENGTH  # RFC 4443 2.4 c

_UNREACHABLE: Final = {
    icmp6.NO_ROUTE: seam.NET_UNREACHABLE,
    icmp6.PROHIBITED: seam.PROHIBITED,
    icmp6.BEYOND_SCOPE: seam.NET_UNREACHABLE,
    icmp6.ADDRESS: seam.HOST_UNREACHABLE,
    icmp6.PORT: seam.PORT_UNREACHABLE,
    icmp6.POLICY: seam.PROHIBITED,
    icmp6.REJECT_ROUTE: seam.PROHIBITED,
}

_DISCOVERY: Final = frozenset(
    (
        icmp6.NEIGHBOR_SOLICITATION,
        icmp6.NEIGHBOR_ADVERTISEMENT,
        icmp6.ROUTER_ADVERTISEMENT,
        icmp6.REDIRECT,
    )
)


class Icmp6(Icmp):
    """ICMPv6."""

    proto = icmp6.PROTO
    echo_request = icmp6.ECHO_REQUEST
    echo_reply = icmp6.ECHO_REPLY

    ndp: NdpResolver
    mld: Mld

    def is_error(self, kind: int) -> bool:
        return kind < icmp6.FIRST_INFORMATIONAL or kind == icmp6.REDIRECT

    def address_sum(self, pkt: Packet, length: int) -> int:
        return int.from_bytes(pkt.src + pkt.dst, "big") + icmp6.PROTO + length

    def path_sum(self, path: Path, length: int) -> int:
        return path.address_sum + icmp6.PROTO + length

    def echo_welcome(self, pkt: Packet) -> bool:
        return True

    def message(self, pkt: Packet, kind: int, code: int, rest: int) -> None:
        if kind < icmp6.FIRST_INFORMATIONAL:
            self._error(pkt, kind, code, rest)
        elif kind in _DISCOVERY:
            self.ndp.receive(pkt, kind)
        elif kind == icmp6.ROUTER_SOLICITATION:
            self.door.drop(pkt, fate.NDP_NOT_FOR_HOSTS)
        elif kind in mld.TYPES:
            self.mld.receive(pkt, kind)
        else:
            self.door.drop(pkt, fate.ICMP_TYPE_UNKNOWN)

    def _error(self, pkt: Packet, kind: int, code: int, rest: int) -> None:
        self.counters.in_errors += 1
        mtu = 0
        if kind == icmp6.UNREACHABLE:
            what = _UNREACHABLE.get(code, seam.HOST_UNREACHABLE)
        elif kind == icmp6.PACKET_TOO_BIG:
            what, mtu = seam.TOO_BIG, rest
        elif kind == icmp6.TIME_EXCEEDED:
            what = seam.TIME_EXCEEDED
        elif kind == icmp6.PARAMETER_PROBLEM and code == icmp6.BAD_NEXT_HEADER:
            what = seam.PROTOCOL_UNREACHABLE
        else:
            # Unknown errors are passed up as well (RFC 4443 2.4 a).
            what = seam.PARAMETER
        self._dispatch(pkt, what, mtu)

    def _dispatch(self, pkt: Packet, what: int, mtu: int) -> None:
        """Hand the error to the transport whose packet is quoted (RFC 4443 2.4 d)."""
        frame = pkt.frame
        net = pkt.l4 + icmp6.LENGTH
        if pkt.end - net < ipv6.LENGTH or frame[net] >> 4 != 6:
            self.door.drop(pkt, fate.ICMP_QUOTE_INVALID)
            return
        _, _, proto, _, src, dst = ipv6.HEADER.unpack_from(frame, net)
        at = net + ipv6.LENGTH
        while proto in ext6.KNOWN:
            size = (
                ext6.FRAGMENT_LENGTH if proto == ext6.FRAGMENT else ext6.length(frame, at, pkt.end)
            )
            if proto == ext6.NO_NEXT or not size or at + size > pkt.end:
                break
            proto, at = frame[at], at + size
        handler = self.layer.protocols.get(proto)
        if handler is None or src not in self.layer.local or pkt.end - at < 8:
            self.door.drop(pkt, fate.ICMP_QUOTE_INVALID)
            return
        handler.on_error(what, mtu, src, dst, frame[at : pkt.end])

    def send_error(
        self, pkt: Packet, kind: int, code: int, rest: int, group_ok: bool = False
    ) -> None:
        """Report `kind`/`code` about `pkt` to its source, if the rules allow."""
        if pkt.group != UNICAST and not group_ok:
            return
        if self.may_report(pkt, group_ok):
            self.report(pkt, kind, code, rest, _QUOTE)
