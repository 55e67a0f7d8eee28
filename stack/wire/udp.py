# SPDX-License-Identifier: MIT
"""Floor 1: the UDP header (RFC 768)::

+-------------------------------+-------------------------------+
|          source port          |       destination port        |
+-------------------------------+-------------------------------+
|            length             |           checksum            |
+-------------------------------+-------------------------------+
"""

from __future__ import annotations

from struct import Struct
from typing import Final

HEADER: Final = Struct("!HHHH")
LENGTH: Final = HEADER.size  # 8
CHECKSUM_AT: Final = 6


def describe(frame: bytes, start: int, end: int) -> str:
    """One line for a trace."""
    if end - start < LENGTH:
        return "udp short"
    sport, dport, length, _ = HEADER.unpack_from(frame, start)
    return f"udp {sport} > {dport} len {length - LENGTH}"
