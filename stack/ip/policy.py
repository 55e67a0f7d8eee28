# SPDX-License-Identifier: MIT
"""Floor 4: what RFC 6724 says of single addresses: scope (3.1) and policy table (2.1).

An IPv4 address is looked up as the mapped one (3.2).  The table is the default one; a way to
change it (RFC 7078) is not done.  Read by `source` and by `destination`.
"""

from __future__ import annotations

from typing import Final

from stack.base import addr

_MAPPED: Final = bytes(10) + b"\xff\xff"

_TABLE: Final = tuple(
    (int(length), addr.parse(prefix), int(precedence), int(label))
    for prefix, length, precedence, label in (
        ("::1", 128, 50, 0),
        ("::ffff:0:0", 96, 35, 4),
        ("::", 96, 1, 3),
        ("2001::", 32, 5, 5),
        ("2002::", 16, 30, 2),
        ("3ffe::", 16, 1, 12),
        ("fec0::", 10, 1, 11),
        ("fc00::", 7, 3, 13),
        ("::", 0, 40, 1),
    )
)
"""RFC 6724 2.1, longest prefix first."""


def scope(address: bytes) -> int:
    """RFC 6724 3.1: 2 link-local, 5 site-local, 14 global, the scope field of a multicast address.

    IPv4 is scoped as if mapped (3.2): 127/8 and 169.254/16 are link-local.
    """
    if len(address) == 16 and address[0] == 0xFF:
        return address[1] & 0x0F
    if addr.is_link_local(address) or addr.is_loopback(address):
        return 2
    if len(address) == 16 and address[0] == 0xFE and address[1] & 0xC0 == 0xC0:
        return 5
    return 14


def label(address: bytes) -> int:
    """Sources and destinations of one label belong together."""
    return _row(address)[3]


def precedence(address: bytes) -> int:
    """The higher, the sooner a destination is tried."""
    return _row(address)[2]


def _row(address: bytes) -> tuple[int, bytes, int, int]:
    if len(address) == 4:
        address = _MAPPED + address
    for row in _TABLE:
        if addr.common_prefix(address, row[1]) >= row[0]:
            return row
    raise AssertionError("the last row fits everything")
