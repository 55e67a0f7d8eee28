# SPDX-License-Identifier: MIT
"""Floor 1: one readable line for a whole frame, for traces and failing tests.

Never on the packet path.  Total: any octets give a line.
"""

from __future__ import annotations

from typing import Final

from stack.base import addr
from stack.wire import arp, dhcp4, ethernet, ext6, icmp4, icmp6, igmp, ipv4, ipv6, mld, tcp, udp

_DHCP4: Final = {dhcp4.SERVER_PORT, dhcp4.CLIENT_PORT}


def frame(data: bytes, start: int = 0) -> str:
    """The line for the Ethernet frame at data[start:]."""
    if len(data) - start < ethernet.LENGTH:
        return f"short frame ({len(data) - start} octets)"
    kind = data[start + 12 : start + 14]
    net = start + ethernet.LENGTH
    if kind == ethernet.TYPE_ARP:
        return arp.describe(data, net, len(data))
    if kind == ethernet.TYPE_IPV4:
        return packet4(data, net, len(data))
    if kind == ethernet.TYPE_IPV6:
        return packet6(data, net, len(data))
    source = addr.mac_text(data[start + 6 : start + 12])
    return f"ethertype {kind.hex()} from {source}, {len(data) - start} octets"


def packet4(data: bytes, net: int, end: int) -> str:
    """The line for the IPv4 packet at data[net:end]."""
    line = ipv4.describe(data, net, end)
    if end - net < ipv4.LENGTH:
        return line
    l4 = net + (data[net] & 15) * 4
    total = int.from_bytes(data[net + 2 : net + 4], "big")
    if total != ipv4.BIG:
        end = min(end, net + total)
    if int.from_bytes(data[net + 6 : net + 8], "big") & ipv4.OFFSET:
        return line
    return f"{line}: {_transport(data, data[net + 9], l4, end)}"


def packet6(data: bytes, net: int, end: int) -> str:
    """The line for the IPv6 packet at data[net:end]."""
    line = ipv6.describe(data, net, end)
    if end - net < ipv6.LENGTH:
        return line
    length = int.from_bytes(data[net + 4 : net + 6], "big")
    proto, at = data[net + 6], net + ipv6.LENGTH
    if length or proto != ext6.HOP_BY_HOP:  # which may have the length of a jumbogram
        end = min(end, at + length)
    while proto in ext6.KNOWN and proto != ext6.NO_NEXT and end - at >= 8:
        if proto == ext6.FRAGMENT:
            bits = int.from_bytes(data[at + 2 : at + 4], "big")
            line += f" frag @{bits & ~7}{'+' if bits & 1 else ''}"
            if bits & ~7:
                return line
            proto, at = data[at], at + ext6.FRAGMENT_LENGTH
            continue
        size = ext6.length(data, at, end)
        if not size:
            break
        proto, at = data[at], at + size
    return f"{line}: {_transport(data, proto, at, end)}"


def _transport(data: bytes, proto: int, l4: int, end: int) -> str:
    if proto == ipv4.PROTO_TCP:
        return tcp.describe(data, l4, end)
    if proto == ipv4.PROTO_UDP:
        return _datagram(data, l4, end)
    if proto == ipv4.PROTO_ICMP:
        return icmp4.describe(data, l4, end)
    if proto == ipv4.PROTO_IGMP:
        return igmp.describe(data, l4, end)
    if proto == icmp6.PROTO and l4 < end and data[l4] in mld.TYPES:
        return mld.describe(data, l4, end)
    if proto == icmp6.PROTO:
        return icmp6.describe(data, l4, end)
    return f"protocol {proto}"


def _datagram(data: bytes, l4: int, end: int) -> str:
    line = udp.describe(data, l4, end)
    if end - l4 >= udp.LENGTH and {*udp.HEADER.unpack_from(data, l4)[:2]} <= _DHCP4:
        line += ": " + dhcp4.describe(data, l4 + udp.LENGTH, end)
    return line
