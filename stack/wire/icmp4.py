# SPDX-License-Identifier: MIT
"""Floor 1: ICMP for IPv4 (RFC 792, RFC 1122 3.2.2, RFC 1191)::

+---------------+---------------+-------------------------------+
|     type      |     code      |           checksum            |
+---------------+---------------+-------------------------------+
|       rest of header: id and sequence, MTU, pointer ...       |
+---------------------------------------------------------------+
"""

from __future__ import annotations

from struct import Struct
from typing import Final

HEADER: Final = Struct("!BBHI")
LENGTH: Final = HEADER.size  # 8

ECHO_REPLY: Final = 0
UNREACHABLE: Final = 3
SOURCE_QUENCH: Final = 4
REDIRECT: Final = 5
ECHO_REQUEST: Final = 8
ROUTER_ADVERTISEMENT: Final = 9
ROUTER_SOLICITATION: Final = 10
TIME_EXCEEDED: Final = 11
PARAMETER_PROBLEM: Final = 12

DEPRECATED: Final = frozenset((SOURCE_QUENCH, 6, 15, 16, 17, 18, *range(30, 40)))
"""RFC 6633; RFC 6918."""

ERRORS: Final = frozenset((UNREACHABLE, SOURCE_QUENCH, REDIRECT, TIME_EXCEEDED, PARAMETER_PROBLEM))

NET: Final = 0
HOST: Final = 1
PROTOCOL: Final = 2
PORT: Final = 3
FRAGMENTATION_NEEDED: Final = 4
SOURCE_ROUTE_FAILED: Final = 5

TTL_EXPIRED: Final = 0
REASSEMBLY_EXPIRED: Final = 1


def describe(frame: bytes, start: int, end: int) -> str:
    """One line for a trace."""
    if end - start < LENGTH:
        return "icmp short"
    kind, code, _, rest = HEADER.unpack_from(frame, start)
    if kind in (ECHO_REQUEST, ECHO_REPLY):
        word = "request" if kind == ECHO_REQUEST else "reply"
        return f"icmp echo {word} id {rest >> 16} seq {rest & 0xFFFF}"
    return f"icmp type {kind} code {code}"
