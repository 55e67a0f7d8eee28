# SPDX-License-Identifier: MIT
"""Raw endpoints: IP headers that the user wrote (IP_HDRINCL, IPV6_HDRINCL).

He says what he likes; what only this host can know is filled in: lengths and IPv4's checksum
always, the source address and IPv4's identification where they are zero.  A packet that is not
one of its family's is refused.  Called by `endpoint`.
"""

from __future__ import annotations

from stack.base.addr import ANY4, ANY6
from stack.base.checksum import finish
from stack.wire import ipv4, ipv6


def complete(packet: bytearray, src: bytes, ident: int) -> int:
    """Fill in the header of a packet that leaves from `src`; its size in octets, or 0."""
    if len(src) == 4:
        return _complete4(packet, src, ident)
    return _complete6(packet, src)


def _complete4(packet: bytearray, src: bytes, ident: int) -> int:
    if len(packet) < ipv4.LENGTH or packet[0] >> 4 != 4:
        return 0
    size = (packet[0] & 15) * 4
    if not ipv4.LENGTH <= size <= len(packet) <= ipv4.MAX_LENGTH:
        return 0
    packet[2:4] = len(packet).to_bytes(2, "big")
    if packet[4:6] == b"\0\0":
        packet[4:6] = ident.to_bytes(2, "big")
    if packet[12:16] == ANY4:
        packet[12:16] = src
    packet[10:12] = b"\0\0"
    packet[10:12] = finish(int.from_bytes(packet[:size], "big")).to_bytes(2, "big")
    return size


def _complete6(packet: bytearray, src: bytes) -> int:
    length = len(packet) - ipv6.LENGTH
    if not 0 <= length <= 0xFFFF or packet[0] >> 4 != 6:
        return 0
    packet[4:6] = length.to_bytes(2, "big")
    if packet[8:24] == ANY6:
        packet[8:24] = src
    return ipv6.LENGTH
