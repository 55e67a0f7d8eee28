# SPDX-License-Identifier: MIT
"""Floor 1: the IPv6 header (RFC 8200 3)::

     0                   1                   2                   3
    +-------+---------------+---------------------------------------+
    |Version| traffic class |              flow label               |
    +-------+---------------+-------+---------------+---------------+
    |         payload length        |  next header  |   hop limit   |
    +-------------------------------+---------------+---------------+
    |                    source address (16)                        |
    +---------------------------------------------------------------+
    |                  destination address (16)                     |
    +---------------------------------------------------------------+

Read straight into the `Packet`.  Extension headers: `ext6`, which a jumbogram's length is in.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from stack.base import addr, fate
from stack.base.packet import Packet
from stack.wire import ext6

HEADER: Final = Struct("!IHBB16s16s")
LENGTH: Final = HEADER.size  # 40
MIN_MTU: Final = 1280

_unpack = HEADER.unpack_from


UNUSUAL: Final = -1
"""What `read` returns for a sound header that is followed by extension headers."""


def read(pkt: Packet) -> int:
    """Fill `pkt` from its IPv6 header.  Returns a drop reason, DELIVERED, or UNUSUAL.

    `pkt.proto` is the first next-header value; the walk over extension headers changes it.
    """
    net = pkt.net
    room = pkt.end - net
    if room < LENGTH:
        return fate.IP_SHORT
    first, length, proto, hops, src, dst = _unpack(pkt.frame, net)
    if first >> 28 != 6:
        return fate.IP_VERSION
    if length + LENGTH > room:
        return fate.IP_TRUNCATED
    pkt.end = net + LENGTH + length
    pkt.l4 = net + LENGTH
    pkt.src = src
    pkt.dst = dst
    pkt.proto = proto
    pkt.tos = first >> 20 & 0xFF
    pkt.ttl = hops
    return UNUSUAL if proto in ext6.KNOWN else fate.DELIVERED


def build(
    tos: int, label: int, length: int, proto: int, hops: int, src: bytes, dst: bytes
) -> bytes:
    """A header in front of `length` octets."""
    return HEADER.pack(0x60000000 | tos << 20 | label, length, proto, hops, src, dst)


def describe(frame: bytes, start: int, end: int) -> str:
    """One line for a trace, without what the packet carries."""
    if end - start < LENGTH:
        return "ip6 short"
    _, length, proto, hops, src, dst = _unpack(frame, start)
    return f"{addr.text(src)} > {addr.text(dst)} hlim {hops} len {length} next {proto}"
