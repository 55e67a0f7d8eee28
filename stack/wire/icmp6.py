# SPDX-License-Identifier: MIT
"""Floor 1: ICMPv6 (RFC 4443).  The header has the same shape as ICMP's::

    +---------------+---------------+-------------------------------+
    |     type      |     code      |           checksum            |
    +---------------+---------------+-------------------------------+
    |          id and sequence, MTU, pointer or unused              |
    +---------------------------------------------------------------+

Types below 128 are errors.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

HEADER: Final = Struct("!BBHI")
LENGTH: Final = HEADER.size  # 8
PROTO: Final = 58
CHECKSUM_AT: Final = 2

UNREACHABLE: Final = 1
PACKET_TOO_BIG: Final = 2
TIME_EXCEEDED: Final = 3
PARAMETER_PROBLEM: Final = 4
ECHO_REQUEST: Final = 128
ECHO_REPLY: Final = 129
MLD_QUERY: Final = 130
MLD_REPORT: Final = 131
MLD_DONE: Final = 132
ROUTER_SOLICITATION: Final = 133
ROUTER_ADVERTISEMENT: Final = 134
NEIGHBOR_SOLICITATION: Final = 135
NEIGHBOR_ADVERTISEMENT: Final = 136
REDIRECT: Final = 137
MLD2_REPORT: Final = 143

FIRST_INFORMATIONAL: Final = 128

NO_ROUTE: Final = 0
PROHIBITED: Final = 1
BEYOND_SCOPE: Final = 2
ADDRESS: Final = 3
PORT: Final = 4
POLICY: Final = 5
REJECT_ROUTE: Final = 6

HOP_LIMIT_EXPIRED: Final = 0
REASSEMBLY_EXPIRED: Final = 1

BAD_FIELD: Final = 0
BAD_NEXT_HEADER: Final = 1
BAD_OPTION: Final = 2
INCOMPLETE_CHAIN: Final = 3  # RFC 7112
CHAIN_TOO_LONG: Final = 7  # RFC 8883, as the next two
TOO_MANY_HEADERS: Final = 8
TOO_MANY_OPTIONS: Final = 9


def describe(frame: bytes, start: int, end: int) -> str:
    """One line for a trace."""
    if end - start < LENGTH:
        return "icmp6 short"
    kind, code, _, rest = HEADER.unpack_from(frame, start)
    if kind in (ECHO_REQUEST, ECHO_REPLY):
        word = "request" if kind == ECHO_REQUEST else "reply"
        return f"icmp6 echo {word} id {rest >> 16} seq {rest & 0xFFFF}"
    names = {
        NEIGHBOR_SOLICITATION: "neighbor solicitation",
        NEIGHBOR_ADVERTISEMENT: "neighbor advertisement",
        ROUTER_SOLICITATION: "router solicitation",
        ROUTER_ADVERTISEMENT: "router advertisement",
        REDIRECT: "redirect",
        PACKET_TOO_BIG: f"packet too big mtu {rest}",
    }
    return "icmp6 " + names.get(kind, f"type {kind} code {code}")
