# SPDX-License-Identifier: MIT
"""Floor 4: the walk over IPv6 extension headers (RFC 8200 4).

Done: strictly in order of appearance, with bounds on their number, on their length together and on
options (RFC 8504 5.3) that are told to whoever went beyond (RFC 8883); option actions (4.2);
routing headers of every type (RFC 5095); fragments including atomic ones (RFC 6946), and first
fragments that must hold the whole chain (RFC 7112).
Of jumbograms (RFC 2675) those that a device made of many packets are taken; the option of any other
is unknown here and refused as that.  Not done: mobility, authentication and encryption, which are
protocols that nobody speaks.

`V6Layer` is the rest of the family.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stack.base import fate
from stack.base.packet import UNICAST, WHOLE, Packet
from stack.ip.fragments import MAX_DATAGRAM
from stack.ip.layer import IpLayer
from stack.wire import ext6, icmp6, ipv4, ipv6, tcp, udp

if TYPE_CHECKING:
    from stack.ip.icmp6 import Icmp6

NEXT_HEADER_AT: Final = 6
_LENGTH_AT: Final = 4

# Octets of an upper-layer header that a first fragment must hold (RFC 7112 5).
_UPPER: Final = {
    ipv4.PROTO_TCP: tcp.LENGTH,
    ipv4.PROTO_UDP: udp.LENGTH,
    icmp6.PROTO: icmp6.LENGTH,
}


class Extensions(IpLayer):
    """The half of `V6Layer` that reads what lies between the header and the upper layer."""

    icmp: Icmp6

    def walk(self, pkt: Packet) -> bool:
        """Leaves `pkt.proto` and `pkt.l4` at the upper layer, or at a fragment's data with
        `pkt.fragment` saying so.  `field` is where the current next-header value stands, which is
        what a parameter problem points at.
        """
        frame = pkt.frame
        field = pkt.net + NEXT_HEADER_AT
        start = at = pkt.net + ipv6.LENGTH
        proto = pkt.proto
        count = 0
        if proto == ext6.HOP_BY_HOP and pkt.end == at:
            if not self._is_big(pkt, at):
                self._refuse_jumbo(pkt, at)
                return False
            at += ext6.JUMBO_LENGTH
            proto = frame[start]
        while proto in ext6.KNOWN:
            if proto == ext6.NO_NEXT:
                self.stats[pkt.nic.index].in_discards += 1
                self.door.drop(pkt, fate.IP_NO_NEXT_HEADER)
                return False
            if proto == ext6.HOP_BY_HOP and count:
                # Only directly behind the fixed header; elsewhere it is unrecognised.
                self._problem(pkt, icmp6.BAD_NEXT_HEADER, field, fate.EXT_ORDER)
                return False
            count += 1
            if count > self.config.extension_limit:
                self._problem(pkt, icmp6.TOO_MANY_HEADERS, at, fate.EXT_TOO_MANY)
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
                    self._malformed(pkt, fate.EXT_MALFORMED)
                    return False
                if at + size - start > self.config.extension_chain_limit:
                    self._problem(pkt, icmp6.CHAIN_TOO_LONG, at, fate.EXT_TOO_LONG)
                    return False
                if not self._accept_extension(pkt, proto, at, size):
                    return False
            field, proto, at = at, frame[at], at + size
        pkt.proto = proto
        pkt.l4 = at
        if proto not in self.protocols and not (self.raw is not None and self.raw.wants(proto)):
            self.unknown_protocol(pkt, field)
            return False
        return True

    def unknown_protocol(self, pkt: Packet, field: int) -> None:
        """Nobody speaks the protocol that is named at offset `field` of the frame."""
        self.stats[pkt.nic.index].in_unknown_protos += 1
        pointer = field - pkt.net
        self.icmp.send_error(pkt, icmp6.PARAMETER_PROBLEM, icmp6.BAD_NEXT_HEADER, pointer)
        self.door.drop(pkt, fate.IP_PROTOCOL_UNKNOWN)

    @staticmethod
    def _is_big(pkt: Packet, at: int) -> bool:
        """A super-frame of TCP's, longer than a payload length can say; `pkt.end` is set then."""
        end = len(pkt.frame)
        if not pkt.gso_size or end - at <= MAX_DATAGRAM or pkt.frame[at] != ipv4.PROTO_TCP:
            return False
        if ext6.jumbo_length(pkt.frame, at, end) != end - at:
            return False
        pkt.end = end
        return True

    def _refuse_jumbo(self, pkt: Packet, at: int) -> None:
        """A payload length of zero and options behind it: the length is in one of these, or
        nowhere (RFC 2675 3).  What the frame holds is looked at, the octets of Ethernet's padding
        too."""
        frame = pkt.frame
        pkt.end = len(frame)
        size = ext6.length(frame, at, pkt.end)
        found = ext6.options(frame, at + 2, at + size) if size else None
        for kind, where, _ in found or ():
            if kind == ext6.OPT_JUMBO:
                self._problem(pkt, icmp6.BAD_OPTION, where, fate.EXT_JUMBO)
                return
        self._problem(pkt, icmp6.BAD_FIELD, pkt.net + _LENGTH_AT, fate.EXT_MALFORMED)

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
            self._malformed(pkt, fate.EXT_MALFORMED)
            return False
        if self.config.strict_padding and ext6.padding_fault(pkt.frame, start, end):
            self._malformed(pkt, fate.EXT_PADDING)
            return False
        limit = self.config.option_limit
        for kind, at, _ in found[:limit]:
            action = kind >> 6
            if action == 0:
                continue
            if action == 2 or (action == 3 and pkt.group == UNICAST):
                code, both = icmp6.BAD_OPTION, action == 2
                self._problem(pkt, code, at, fate.EXT_OPTION_UNKNOWN, group_ok=both)
            else:
                self._malformed(pkt, fate.EXT_OPTION_UNKNOWN)
            return False
        if len(found) > limit:
            self._problem(pkt, icmp6.TOO_MANY_OPTIONS, found[limit][1], fate.EXT_TOO_MANY)
            return False
        return True

    def _fragment_header(self, pkt: Packet, at: int) -> bool:
        """Note what the fragment header says.  Atomic fragments stay whole (RFC 6946)."""
        if pkt.end - at < ext6.FRAGMENT_LENGTH:
            self._malformed(pkt, fate.FRAGMENT_MALFORMED)
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
        if size == 0:
            self._malformed(pkt, fate.FRAGMENT_MALFORMED)
            return False
        if at - pkt.net - ipv6.LENGTH + offset + size > MAX_DATAGRAM:
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
        proto, at, later = ext6.upper(frame, proto, at, end)
        if later:
            return True  # what follows is no header: a fragment within a fragment
        if proto in ext6.KNOWN:
            return proto == ext6.NO_NEXT
        return end - at >= _UPPER.get(proto, 0)

    def _malformed(self, pkt: Packet, reason: int) -> None:
        """An error in the headers that nobody is told of."""
        self.stats[pkt.nic.index].in_hdr_errors += 1
        self.door.drop(pkt, reason)

    def _problem(
        self, pkt: Packet, code: int, at: int, reason: int, group_ok: bool = False
    ) -> None:
        """A parameter problem that points at offset `at` of the frame, and the drop."""
        self.stats[pkt.nic.index].in_hdr_errors += 1
        pointer = at - pkt.net
        self.icmp.send_error(pkt, icmp6.PARAMETER_PROBLEM, code, pointer, group_ok)
        self.door.drop(pkt, reason)
