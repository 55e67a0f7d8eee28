# SPDX-License-Identifier: MIT
"""Floor 1: what routers append to ICMP errors (RFC 4884 7)::

    +-------+-----------------------+-------------------------------+
    |Version|       reserved        |           checksum            |
    +-------+-----------------------+---------------+---------------+
    |          object length        |   class-num   |    c-type     |
    +-------------------------------+---------------+---------------+
    |                       object payload ...                      |
    +---------------------------------------------------------------+

Done: RFC 4884 with its compatibility rules (5.1-5.5), MPLS label stacks (RFC 4950), interface
information (RFC 5837).  Only reads: this host appends nothing.
Called by `ip/icmp4` and `ip/icmp6` for `locate`, by whoever shows errors for the rest.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from stack.base.checksum import data_sum

_HEADER: Final = Struct("!BBH")
_OBJECT: Final = Struct("!HBB")
_VERSION: Final = 2
_LEGACY_QUOTE: Final = 128
"""Octets quoted by routers that append and do not say so (RFC 4884 5.5)."""
_LIMIT: Final = 64

CLASS_MPLS: Final = 1
CLASS_INTERFACE: Final = 2

# Roles in interface information (RFC 5837 4.1).
ROLE_INCOMING: Final = 0
ROLE_SUB_IP: Final = 1
ROLE_OUTGOING: Final = 2
ROLE_NEXT_HOP: Final = 3

_HAS_INDEX: Final = 8
_HAS_ADDRESS: Final = 4
_HAS_NAME: Final = 2
_HAS_MTU: Final = 1


class Object:
    """One object: `number` is its class, `kind` its c-type."""

    __slots__ = ("data", "kind", "number")

    def __init__(self, number: int, kind: int, data: bytes) -> None:
        self.number = number
        self.kind = kind
        self.data = data


class InterfaceInfo:
    """An interface of the router (RFC 5837): what it did not say is 0 or empty."""

    __slots__ = ("address", "index", "mtu", "name", "role")

    def __init__(self, role: int) -> None:
        self.role = role
        self.index = 0
        self.address = b""
        self.name = ""
        self.mtu = 0


def locate(frame: bytes, quote: int, end: int, stated: int) -> tuple[int, int]:
    """Where the quoted packet that begins at `quote` ends, and where the extensions begin.

    `stated` are the octets that the ICMP header's length field claims for the quote, 0 for none.
    Without extensions both are `end`; extensions that are not sound count as none.
    """
    if stated:
        # At least 128 octets are quoted if anything is appended, padded if need be (RFC 4884 5).
        if stated < _LEGACY_QUOTE or quote + stated > end:
            return end, end
        start = quote + stated
        return start, start if sound(frame, start, end) else end
    start = quote + _LEGACY_QUOTE
    if start < end and sound(frame, start, end):
        return start, start
    return end, end


def sound(frame: bytes, start: int, end: int) -> bool:
    """An extension structure with the right version and checksum fills frame[start:end]."""
    if end - start < _HEADER.size or frame[start] >> 4 != _VERSION:
        return False
    # A checksum of zero was not computed (RFC 4884 7), and so is no evidence either.
    check = frame[start + 2] << 8 | frame[start + 3]
    return check != 0 and data_sum(frame[start:end]) == 0


def parse(structure: bytes) -> list[Object]:
    """The objects of a sound structure, up to the first that is not."""
    found: list[Object] = []
    at = _HEADER.size
    while at + _OBJECT.size <= len(structure) and len(found) < _LIMIT:
        size, number, kind = _OBJECT.unpack_from(structure, at)
        if size < _OBJECT.size or at + size > len(structure):
            break
        found.append(Object(number, kind, structure[at + _OBJECT.size : at + size]))
        at += size
    return found


def labels(one: Object) -> list[tuple[int, int, bool, int]]:
    """The label stack of an MPLS object (RFC 4950): (label, traffic class, last, TTL) each."""
    if one.number != CLASS_MPLS:
        return []
    words = (int.from_bytes(one.data[at : at + 4], "big") for at in range(0, len(one.data) - 3, 4))
    return [(word >> 12, word >> 9 & 7, bool(word >> 8 & 1), word & 0xFF) for word in words]


def interface(one: Object) -> InterfaceInfo | None:
    """The interface that an object describes (RFC 5837 4), None if it is none or not sound."""
    if one.number != CLASS_INTERFACE:
        return None
    info = InterfaceInfo(one.kind >> 6)
    data = one.data
    if one.kind & _HAS_INDEX:
        info.index = int.from_bytes(data[:4], "big")
        data = data[4:]
    if one.kind & _HAS_ADDRESS:
        size = {1: 4, 2: 16}.get(int.from_bytes(data[:2], "big"), 0)
        info.address = data[4 : 4 + size]
        if not size or len(info.address) < size:
            return None
        data = data[4 + size :]
    if one.kind & _HAS_NAME:
        size = data[0] if data else 0
        if not 4 <= size <= len(data) or size % 4:
            return None
        info.name = data[1:size].rstrip(b"\0").decode("utf-8", "replace")
        data = data[size:]
    if one.kind & _HAS_MTU:
        info.mtu = int.from_bytes(data[:4], "big")
        data = data[4:] if len(data) >= 4 else b"?"
    return None if data else info
