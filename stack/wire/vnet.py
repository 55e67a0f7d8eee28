# SPDX-License-Identifier: MIT
"""Floor 1: the virtio-net header that precedes a frame on an offloading device.

Virtio 1.2 section 5.1.6 in its short legacy form of ten octets, native byte order, as Linux
speaks it on a TAP (IFF_VNET_HDR) and on a packet socket (PACKET_VNET_HDR)::

    +-------+----------+-----------+-----------+-------------+--------------+
    | flags | gso_type | hdr_len   | gso_size  | csum_start  | csum_offset  |
    |   8   |    8     |    16     |    16     |     16      |      16      |
    +-------+----------+-----------+-----------+-------------+--------------+

Read by `link/nic`, written by the devices of `tap/` and by `link/loopback`.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

HEADER: Final = Struct("=BBHHHH")
LENGTH: Final = HEADER.size  # 10

NEEDS_CSUM: Final = 1
"""The checksum field holds the pseudo-header's sum only; the data itself is intact."""
DATA_VALID: Final = 2
"""The device has verified the checksum."""

GSO_NONE: Final = 0
GSO_TCPV4: Final = 1
GSO_UDP: Final = 3  # old UDP fragmentation; not used here
GSO_TCPV6: Final = 4
GSO_UDP_L4: Final = 5  # datagrams of equal size behind one header
GSO_ECN: Final = 0x80  # bit: the super-frame carries CWR on its first segment only

CUTTABLE: Final = frozenset(
    (
        GSO_TCPV4,
        GSO_TCPV6,
        GSO_UDP_L4,
        GSO_TCPV4 | GSO_ECN,
        GSO_TCPV6 | GSO_ECN,
    )
)
"""The kinds of super-frames that are understood."""

PLAIN: Final = bytes(LENGTH)
"""The header of a frame that asks for nothing."""


def build(gso_type: int, header_length: int, gso_size: int, start: int, offset: int) -> bytes:
    """A header that asks for the checksum at `start + offset` (from the Ethernet header) and,
    if `gso_size` is not 0, for segmentation."""
    return HEADER.pack(NEEDS_CSUM, gso_type, header_length, gso_size, start, offset)
