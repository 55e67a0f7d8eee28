# SPDX-License-Identifier: MIT
"""Which shard a frame is for, as far as one look at it tells; and what only the leader says.

Of several stacks that are one host (`shards`) each has connections of its own.  A segment or
datagram stays where the kernel put it.  What belongs to no connection is for all of them, or for
the first, the leader, alone; and the leader alone speaks for the host, so that nobody hears an
answer twice.

Called by `shards` with every frame of a queue, and with those that leave by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Final

from stack.base.head import Head
from stack.base.units import View

HERE: Final = 0
"""It stays with the shard whose queue it was in."""
ALL: Final = 1
"""Every shard hears it: ARP, ICMP, groups."""
LEADER: Final = 2
"""The leader's alone: echo requests; fragments and what hides behind extension headers, of which
only a whole packet says whose it is; protocols without ports."""

_read: Final = Struct("!B11xHB5xHxB").unpack_from
"""From the Ethernet header: the first octet of the destination, the ethertype, the first octet of
the packet, IPv4's fragment field (or IPv6's next header and hop limit), IPv4's protocol."""
_LENGTH: Final = 24

_IPV4: Final = 0x0800
_ARP: Final = 0x0806
_IPV6: Final = 0x86DD
_FRAGMENT: Final = 0x3FFF
_NO_OPTIONS: Final = 0x45
_ICMP4, _TCP, _UDP, _ICMP6 = 1, 6, 17, 58
_ECHO4: Final = 8
_ECHO6: Final = 128

# Echo replies, errors; for IPv6 also what routers say, advertisements of neighbours, redirects.
_ANSWERS4: Final = frozenset((0, 3, 5, 11, 12, 14))
_ANSWERS6: Final = frozenset((1, 2, 3, 4, 129, 133, 134, 136, 137))


def sort(frame: bytes, at: int) -> int:
    """HERE, ALL or LEADER for a frame from the kernel, whose Ethernet header is at `at`."""
    if len(frame) < at + _LENGTH:
        return HERE  # whoever has it drops it
    dst, kind, first, field, proto = _read(frame, at)
    if kind == _IPV4:
        if field & _FRAGMENT:
            return ALL if dst & 1 else LEADER
        if proto == _TCP or (proto == _UDP and not dst & 1):
            return HERE
        if proto == _ICMP4 and first == _NO_OPTIONS and frame[at + 34 : at + 35] == b"\x08":
            return ALL if dst & 1 else LEADER
        return ALL if dst & 1 or proto == _ICMP4 else LEADER
    if kind == _IPV6:
        proto = field >> 8
        group = frame[at + 38 : at + 39] == b"\xff"
        if proto == _TCP or (proto == _UDP and not group):
            return HERE
        if proto == _ICMP6 and frame[at + 54 : at + 55] != b"\x80":
            return ALL
        return ALL if group else LEADER
    return ALL if kind == _ARP else HERE


def speaks_for_host(head: Head, views: Sequence[View]) -> bool:
    """The frame says what only the leader says: it answers for an address, a port or a protocol
    of the host, or announces one.  Questions of a shard's own are no such thing."""
    frame = bytes(head.written()) + bytes(views[0][:32] if views else b"")
    if len(frame) < 42:
        return False
    kind = frame[12] << 8 | frame[13]
    if kind == _IPV4:
        return frame[23] == _ICMP4 and frame[14 + (frame[14] & 15) * 4] in _ANSWERS4
    if kind == _IPV6:
        return frame[20] == _ICMP6 and frame[54:55] != b"" and frame[54] in _ANSWERS6
    if kind == _ARP:
        sender, target = frame[28:32], frame[38:42]
        return frame[21] == 2 or sender == target or not any(sender)
    return False
