# SPDX-License-Identifier: MIT
"""Floor 4: ICMP for IPv4 (RFC 792, RFC 1122 3.2.2, RFC 1191, RFC 6633).

Done: echo, unreachable, time exceeded and parameter problem both ways.  Source quench is
dropped (RFC 6633).  Redirects are `redirects`'s.  Not done: timestamp and the deprecated messages
(RFC 6918).
"""

from __future__ import annotations

from typing import Final

from stack.base import fate
from stack.base.packet import UNICAST, Packet
from stack.ip import seam
from stack.ip.icmp import Icmp
from stack.ip.path import Path
from stack.ip.pmtu import plateau_below
from stack.wire import icmp4, ipv4

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
            self.door.drop(pkt, fate.ICMP_TYPE_UNKNOWN)
            return
        self.counters.in_errors += 1
        self._dispatch(pkt, what, rest & 0xFFFF)

    def _dispatch(self, pkt: Packet, what: int, mtu: int) -> None:
        """Hand the error to the transport whose packet is quoted (RFC 1122 3.2.2)."""
        frame = pkt.frame
        at = pkt.l4 + icmp4.LENGTH
        room = pkt.end - at
        if room < ipv4.LENGTH or frame[at] >> 4 != 4:
            self.door.drop(pkt, fate.ICMP_QUOTE_INVALID)
            return
        _, _, total, _, frag, _, proto, _, src, dst = ipv4.HEADER.unpack_from(frame, at)
        size = (frame[at] & 15) * 4
        handler = self.layer.protocols.get(proto)
        known = src in self.layer.local and handler is not None
        if size < ipv4.LENGTH or room < size + 8 or frag & ipv4.OFFSET or not known:
            self.door.drop(pkt, fate.ICMP_QUOTE_INVALID)
            return
        assert handler is not None
        if what != seam.TOO_BIG:
            mtu = 0
        elif mtu == 0:
            mtu = plateau_below(total)
        handler.on_error(what, mtu, src, dst, frame[at + size : pkt.end])

    def send_error(self, pkt: Packet, kind: int, code: int, rest: int) -> None:
        """Report `kind`/`code` about `pkt` to its source, if the rules allow."""
        if self.may_report(pkt, group_ok=False):
            self.report(pkt, kind, code, rest, _QUOTE)
