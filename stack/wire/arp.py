# SPDX-License-Identifier: MIT
"""Floor 1: ARP for IPv4 over Ethernet (RFC 826)::

 0                   1                   2                   3
+-------------------------------+-------------------------------+
|  hardware type (1 Ethernet)   |  protocol type (0x0800)       |
+---------------+---------------+-------------------------------+
|  hlen (6)     |  plen (4)     |  operation                    |
+---------------+---------------+-------------------------------+
|  sender hardware address (6)  |  sender protocol address (4)  |
+-------------------------------+-------------------------------+
|  target hardware address (6)  |  target protocol address (4)  |
+-------------------------------+-------------------------------+
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from stack.base import addr

_HEADER: Final = Struct("!HHBBH6s4s6s4s")
LENGTH: Final = _HEADER.size  # 28

REQUEST: Final = 1
REPLY: Final = 2


class Arp:
    """One ARP packet."""

    __slots__ = ("operation", "sha", "spa", "tha", "tpa")

    def __init__(self, operation: int, sha: bytes, spa: bytes, tha: bytes, tpa: bytes) -> None:
        self.operation = operation
        self.sha = sha
        self.spa = spa
        self.tha = tha
        self.tpa = tpa


def parse(frame: bytes, start: int, end: int) -> Arp | None:
    """The ARP packet at frame[start:end], or None if it is not Ethernet/IPv4 ARP."""
    if end - start < LENGTH:
        return None
    hrd, pro, hln, pln, op, sha, spa, tha, tpa = _HEADER.unpack_from(frame, start)
    if hrd != 1 or pro != 0x0800 or hln != 6 or pln != 4:
        return None
    return Arp(op, sha, spa, tha, tpa)


def build(operation: int, sha: bytes, spa: bytes, tha: bytes, tpa: bytes) -> bytes:
    """The twenty-eight octets of one ARP packet."""
    return _HEADER.pack(1, 0x0800, 6, 4, operation, sha, spa, tha, tpa)


def describe(frame: bytes, start: int, end: int) -> str:
    """One line for a trace."""
    arp = parse(frame, start, end)
    if arp is None:
        return "arp malformed"
    if arp.operation == REQUEST:
        return f"arp who-has {addr.text(arp.tpa)} tell {addr.text(arp.spa)}"
    return f"arp {addr.text(arp.spa)} is-at {addr.mac_text(arp.sha)}"
