# SPDX-License-Identifier: MIT
"""Floor 4: ICMP for IPv4 (RFC 792, RFC 1122 3.2.2, RFC 1191, RFC 4884, RFC 6633, RFC 6918).

Done: echo, unreachable, time exceeded and parameter problem both ways.  Errors are sent with TOS 0
and answers with the TOS of what they answer.  Source quench and the messages that RFC 6918 takes
back are dropped by a name of their own.  Redirects are `redirects`'s.
Not done: timestamps, which are optional (RFC 1122 3.2.2.8) and would only tell strangers about this
host's clock.
"""

from __future__ import annotations

from typing import Final

from stack.base import fate
from stack.base.packet import UNICAST, Packet
from stack.ip import options4, seam
from stack.ip.icmp import Icmp
from stack.ip.path import Path
from stack.ip.pmtu import MIN4, plateau_below
from stack.wire import icmp4, icmp_extensions, ipv4

_QUOTE: Final = 576 - ipv4.LENGTH - icmp4.LENGTH  # RFC 1812 4.3.2.3: no larger than 576

_UNREACHABLE: Final = {
    icmp4.NET: seam.NET_UNREACHABLE,
    icmp4.HOST: seam.HOST_UNREACHABLE,
    icmp4.PROTOCOL: seam.PROTOCOL_UNREACHABLE,
    icmp4.PORT: seam.PORT_UNREACHABLE,
    icmp4.FRAGMENTATION_NEEDED: seam.TOO_BIG,
    icmp4.SOURCE_ROUTE_FAILED: seam.HOST_UNREACHABLE,
    6: seam.NET_UNREACHABLE,
    7: seam.HOST_UNREACHABLE,
    8: seam.HOST_UNREACHABLE,
    9: seam.PROHIBITED,
    10: seam.PROHIBITED,
    11: seam.NET_UNREACHABLE,
    12: seam.HOST_UNREACHABLE,
    13: seam.PROHIBITED,
    14: seam.PROHIBITED,
    15: seam.PROHIBITED,
}


class Icmp4(Icmp):
    """ICMP."""

    proto = ipv4.PROTO_ICMP
    echo_request = icmp4.ECHO_REQUEST
    echo_reply = icmp4.ECHO_REPLY

    def is_error(self, kind: int) -> bool:
        return kind in icmp4.ERRORS

    def address_sum(self, pkt: Packet, length: int) -> int:
        return 0

    def path_sum(self, path: Path, length: int) -> int:
        return 0

    def echo_welcome(self, pkt: Packet) -> bool:
        return pkt.group == UNICAST or self.layer.config.echo_broadcast

    def kind_of(self, pkt: Packet) -> int:
        if pkt.proto != self.proto or pkt.end <= pkt.l4:
            return -1
        return pkt.frame[pkt.l4]

    def options_for(self, pkt: Packet, own: bytes) -> bytes:
        start = pkt.net + ipv4.LENGTH
        if pkt.l4 <= start:
            return b""
        layer = self.layer
        return options4.answer(pkt.frame[start : pkt.l4], own, layer.env.now, layer.local)

    def message(self, pkt: Packet, kind: int, code: int, rest: int) -> None:
        if kind == icmp4.UNREACHABLE:
            # RFC 1122 3.2.2.1: an unknown code is still an unreachable destination.
            what = _UNREACHABLE.get(code, seam.HOST_UNREACHABLE)
        elif kind == icmp4.TIME_EXCEEDED:
            what = seam.TIME_EXCEEDED
        elif kind == icmp4.PARAMETER_PROBLEM:
            what = seam.PARAMETER
        elif kind == icmp4.REDIRECT:
            self.layer.host.redirects.receive4(pkt, code, rest.to_bytes(4, "big"))
            return
        else:
            known = kind in icmp4.DEPRECATED
            self.door.drop(pkt, fate.ICMP_DEPRECATED if known else fate.ICMP_TYPE_UNKNOWN)
            return
        self._error(pkt, what, kind, code, rest)

    def _error(self, pkt: Packet, what: int, kind: int, code: int, rest: int) -> None:
        """Find the transport whose packet is quoted (RFC 1122 3.2.2)."""
        frame = pkt.frame
        at = pkt.l4 + icmp4.LENGTH
        if pkt.end - at < ipv4.LENGTH or frame[at] >> 4 != 4:
            self.door.drop(pkt, fate.ICMP_QUOTE_INVALID)
            return
        end, extensions = icmp_extensions.locate(frame, at, pkt.end, (rest >> 16 & 0xFF) * 4)
        _, _, total, _, frag, _, proto, _, src, dst = ipv4.HEADER.unpack_from(frame, at)
        size = (frame[at] & 15) * 4
        if size < ipv4.LENGTH or end - at < size + 8 or frag & ipv4.OFFSET:
            self.door.drop(pkt, fate.ICMP_QUOTE_INVALID)
            return
        quoted = frame[at + size : min(end, at + max(total, size + 8))]
        report = seam.ErrorReport(what, src, dst, proto, quoted)
        report.type, report.code = kind, code
        report.extensions = frame[extensions : pkt.end]
        if what == seam.TOO_BIG:
            report.mtu = rest & 0xFFFF or plateau_below(total)
            if report.mtu < MIN4:
                self.door.drop(pkt, fate.ICMP_MTU_INVALID)  # RFC 1191 3
                return
        self.pass_on(pkt, report)

    def send_error(self, pkt: Packet, kind: int, code: int, rest: int) -> None:
        """Report `kind`/`code` about `pkt` to its source, if the rules allow."""
        if kind == icmp4.UNREACHABLE and not self.layer.config.icmp_unreachables:
            return
        if self.may_report(pkt, group_ok=False):
            self.report(pkt, kind, code, rest, _QUOTE)
