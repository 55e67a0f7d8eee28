# SPDX-License-Identifier: MIT
"""Floor 1: Ethernet II framing (RFC 894, RFC 2464)::

    +---------------------+---------------------+-----------+
    | destination (6)     | source (6)          | type (2)  |
    +---------------------+---------------------+-----------+

Not done: 802.3/LLC/SNAP (RFC 1042), VLAN tags.
"""

from __future__ import annotations

from typing import Final

LENGTH: Final = 14
MIN_FRAME: Final = 60  # without the frame check sequence; the kernel pads on real links

TYPE_IPV4: Final = b"\x08\x00"
TYPE_ARP: Final = b"\x08\x06"
TYPE_IPV6: Final = b"\x86\xdd"


def build(dst: bytes, src: bytes, ethertype: bytes) -> bytes:
    """The fourteen octets in front of every packet to one neighbour."""
    return dst + src + ethertype
