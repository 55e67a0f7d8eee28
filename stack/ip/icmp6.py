# SPDX-License-Identifier: MIT
"""Floor 4: ICMPv6 (RFC 4443), and the door to neighbour discovery and to MLD.

Done: echo (multicast requests too, answered from a unicast address), all four errors both ways,
limits on extension headers told (RFC 8883).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stack.base import fate
from stack.base.checksum import data_sum, finish
from stack.base.packet import UNICAST, Packet
from stack.ip import seam
from stack.ip.icmp import Icmp
from stack.ip.path import Path
from stack.ip.pmtu import MIN6
from stack.wire import ext6, icmp6, icmp_extensions, ipv6, mld

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

    def complete(self, path: Path, message: bytes) -> bytes:
        """`message`, whose checksum field is zero, as it goes over `path`; counted."""
        self.count_out(message[0])
        check = finish(data_sum(message) + self.path_sum(path, len(message)))
        return message[:2] + check.to_bytes(2, "big") + message[4:]

    def echo_welcome(self, pkt: Packet) -> bool:
        return pkt.group == UNICAST or self.layer.config.echo_multicast6

    def kind_of(self, pkt: Packet) -> int:
        """Whatever stands in front of it: errors are about the whole packet."""
        start = pkt.net + ipv6.LENGTH
        frame = pkt.frame
        proto, at, later = ext6.upper(frame, frame[pkt.net + 6], start, pkt.end)
        return frame[at] if proto == self.proto and at < pkt.end and not later else -1

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
        """Find the transport whose packet is quoted (RFC 4443 2.4 d)."""
        stated = 0
        if kind == icmp6.UNREACHABLE:
            what = _UNREACHABLE.get(code, seam.HOST_UNREACHABLE)
            stated = (rest >> 24) * 8  # RFC 4884 4.4
        elif kind == icmp6.PACKET_TOO_BIG:
            what = seam.TOO_BIG
        elif kind == icmp6.TIME_EXCEEDED:
            what = seam.TIME_EXCEEDED
            stated = (rest >> 24) * 8
        elif kind == icmp6.PARAMETER_PROBLEM and code == icmp6.BAD_NEXT_HEADER:
            what = seam.PROTOCOL_UNREACHABLE
        else:
            # Unknown errors are passed up as well (RFC 4443 2.4 a).
            what = seam.PARAMETER
        frame = pkt.frame
        net = pkt.l4 + icmp6.LENGTH
        if pkt.end - net < ipv6.LENGTH or frame[net] >> 4 != 6:
            self.door.drop(pkt, fate.ICMP_QUOTE_INVALID)
            return
        end = extensions = pkt.end
        if kind in (icmp6.UNREACHABLE, icmp6.TIME_EXCEEDED):
            end, extensions = icmp_extensions.locate(frame, net, pkt.end, stated)
        _, length, proto, _, src, dst = ipv6.HEADER.unpack_from(frame, net)
        proto, at, later = ext6.upper(frame, proto, net + ipv6.LENGTH, end)
        if later or end - at < 8:
            self.door.drop(pkt, fate.ICMP_QUOTE_INVALID)
            return
        quoted = frame[at : min(end, max(net + ipv6.LENGTH + length, at + 8))]
        report = seam.ErrorReport(what, src, dst, proto, quoted)
        report.type, report.code = kind, code
        report.extensions = frame[extensions : pkt.end]
        if what == seam.TOO_BIG:
            report.mtu = rest
            if rest < MIN6:
                self.door.drop(pkt, fate.ICMP_MTU_INVALID)  # RFC 8201 4
                return
        self.pass_on(pkt, report)

    def send_error(
        self, pkt: Packet, kind: int, code: int, rest: int, group_ok: bool = False
    ) -> None:
        """Report `kind`/`code` about `pkt` to its source, if the rules allow."""
        if kind == icmp6.UNREACHABLE and not self.layer.config.icmp_unreachables:
            return
        if self.may_report(pkt, group_ok):
            self.report(pkt, kind, code, rest, _QUOTE)
