# SPDX-License-Identifier: MIT
"""Floor 1: the IPv4 header (RFC 791 3.1)::

     0                   1                   2                   3
    +-------+-------+---------------+-------------------------------+
    |Version|  IHL  |type of service|          total length         |
    +-------+-------+---------------+-----+-------------------------+
    |         identification        |flags|     fragment offset     |
    +---------------+---------------+-----+-------------------------+
    |  time to live |    protocol   |        header checksum        |
    +---------------+---------------+-------------------------------+
    |                        source address                         |
    +---------------------------------------------------------------+
    |                     destination address                       |
    +---------------------------------------------------------------+

Read straight into the `Packet`, which is the record of a received datagram.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from stack.base import addr, checksum, fate
from stack.base.packet import Packet

HEADER: Final = Struct("!BBHHHBBH4s4s")
LENGTH: Final = HEADER.size  # 20
MAX_LENGTH: Final = 65535
BIG: Final = 0
"""The total length of a super-frame that is longer: the frame's own is meant (Linux, BIG TCP)."""

DF: Final = 0x4000
MF: Final = 0x2000
OFFSET: Final = 0x1FFF

PROTO_ICMP: Final = 1
PROTO_IGMP: Final = 2
PROTO_TCP: Final = 6
PROTO_UDP: Final = 17

OPT_END: Final = 0
OPT_NOP: Final = 1
OPT_RECORD_ROUTE: Final = 7
OPT_TIMESTAMP: Final = 68
OPT_LSRR: Final = 131
OPT_SSRR: Final = 137
OPT_ROUTER_ALERT: Final = 148
OPT_COPIED: Final = 0x80
"""The bit of an option's type that takes it into every fragment."""
MAX_OPTIONS: Final = 40

ROUTER_ALERT: Final = bytes((OPT_ROUTER_ALERT, 4, 0, 0))
"""The option that asks routers to look at the packet (RFC 2113 2.1)."""

_unpack = HEADER.unpack_from
_from_bytes = int.from_bytes


UNUSUAL: Final = -1
"""What `read` returns for a sound header that is followed by options."""


def read(pkt: Packet) -> int:
    """Fill `pkt` from its IPv4 header.  Returns a drop reason, DELIVERED, or UNUSUAL.

    RFC 1122 3.2.1.1-2: version, header length, total length and checksum must be right.
    Octets after the total length (Ethernet padding) are cut off by moving `pkt.end`.
    """
    frame = pkt.frame
    net = pkt.net
    room = pkt.end - net
    if room < LENGTH:
        return fate.IP_SHORT
    first, tos, total, ident, frag, ttl, proto, _, src, dst = _unpack(frame, net)
    if first != 0x45:
        if first >> 4 != 4:
            return fate.IP_VERSION
        length = (first & 15) * 4
        if length < LENGTH or length > room:
            return fate.IP_HEADER_LENGTH
    else:
        length = LENGTH
    if total < length or total > room:
        if total != BIG or room <= MAX_LENGTH or not pkt.gso_size or proto != PROTO_TCP:
            return fate.IP_TRUNCATED if total > room else fate.IP_TOTAL_LENGTH
        total = room
    if _from_bytes(frame[net : net + length], "big") % 0xFFFF:
        return fate.IP_CHECKSUM
    pkt.end = net + total
    pkt.l4 = net + length
    pkt.src = src
    pkt.dst = dst
    pkt.proto = proto
    pkt.tos = tos
    pkt.ttl = ttl
    if frag & 0x3FFF:
        pkt.fragment = (ident, (frag & OFFSET) * 8, frag & MF != 0)
    return fate.DELIVERED if length == LENGTH else UNUSUAL


def options(frame: bytes, start: int, end: int) -> list[tuple[int, int, int]] | None:
    """The options in frame[start:end] as (type, offset, length), or None if malformed.

    NOP is passed over and END stops, as RFC 791 has it.
    """
    found: list[tuple[int, int, int]] = []
    at = start
    while at < end:
        kind = frame[at]
        if kind == OPT_END:
            break
        if kind == OPT_NOP:
            at += 1
            continue
        if at + 1 >= end:
            return None
        length = frame[at + 1]
        if length < 2 or at + length > end:
            return None
        found.append((kind, at, length))
        at += length
    return found


def options_fault(frame: bytes, start: int, end: int) -> int:
    """Where options that `options` finds malformed go wrong: the offset of the octet.

    A type without a length is at fault itself; otherwise it is the length.
    """
    at = start
    while at < end:
        if frame[at] == OPT_END:
            break
        if frame[at] == OPT_NOP:
            at += 1
            continue
        if at + 1 >= end:
            return at
        if frame[at + 1] < 2 or at + frame[at + 1] > end:
            return at + 1
        at += frame[at + 1]
    return end


def build(
    tos: int,
    total: int,
    ident: int,
    frag: int,
    ttl: int,
    proto: int,
    src: bytes,
    dst: bytes,
    options: bytes = b"",
) -> bytes:
    """A header, checksum included; `options` are a multiple of four octets, 40 at most."""
    first = 0x45 + len(options) // 4
    bare = HEADER.pack(first, tos, total, ident, frag, ttl, proto, 0, src, dst) + options
    check = checksum.finish(_from_bytes(bare, "big"))
    return bare[:10] + check.to_bytes(2, "big") + bare[12:]


def copied_options(area: bytes) -> bytes:
    """The options that every fragment has (RFC 791 3.1), padded; `area` is that of the whole."""
    found = options(area, 0, len(area)) or []
    kept = b"".join(area[at : at + size] for kind, at, size in found if kind & OPT_COPIED)
    return kept + bytes(-len(kept) % 4)


def pieces(header: bytes, data: bytes, mtu: int) -> list[tuple[bytes, memoryview]]:
    """RFC 791 3.2: (header, data) of each fragment of a datagram, or of a fragment of one.

    Options without the copied flag stay with the first.  `mtu` has room for `header` and eight
    octets.
    """
    view = memoryview(data)
    frag = _from_bytes(header[6:8], "big")
    own, later = header, header[:LENGTH] + copied_options(header[LENGTH:])
    found = []
    at = 0
    while at < len(view):
        part = view[at : at + (mtu - len(own) & ~7)]
        bits = frag + at // 8
        if at + len(part) < len(view):
            bits |= MF
        found.append((reheaded(own, len(own) + len(part), bits), part))
        at += len(part)
        own = later
    return found


def reheaded(header: bytes, total: int, frag: int) -> bytes:
    """`header` with another total length, other fragment bits, and the checksum of that."""
    first = 0x40 | len(header) // 4
    bare = b"".join(
        (
            bytes((first,)),
            header[1:2],
            total.to_bytes(2, "big"),
            header[4:6],
            frag.to_bytes(2, "big"),
            header[8:10],
            b"\0\0",
            header[12:],
        )
    )
    check = checksum.finish(_from_bytes(bare, "big"))
    return bare[:10] + check.to_bytes(2, "big") + bare[12:]


def describe(frame: bytes, start: int, end: int) -> str:
    """One line for a trace, without what the packet carries."""
    if end - start < LENGTH:
        return "ip4 short"
    _, _, total, ident, frag, ttl, proto, _, src, dst = _unpack(frame, start)
    size = total if total != BIG else end - start
    line = f"{addr.text(src)} > {addr.text(dst)} ttl {ttl} len {size} proto {proto}"
    if frag & 0x3FFF:
        more = "+" if frag & MF else ""
        line += f" frag {ident}@{(frag & OFFSET) * 8}{more}"
    return line
