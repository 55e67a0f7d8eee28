# SPDX-License-Identifier: MIT
"""Floor 0: `Head`, the headers of one outgoing packet, written from right to left.

A transport puts its header at the end of a reused buffer, each floor below writes its own
just before, and the device sends `head` plus views of the caller's payload with one
`writev`: nobody copies payload, nobody joins headers.

The fields beside the buffer are what the virtio-net header tells a device (and what
`link/offload` does in software when the device cannot): where the transport header is, which
checksum is still to be finished, and how large the wire segments of a super-frame are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stack.base.units import View

SIZE: Final = 256  # vnet 10 + Ethernet 14 + IPv6 40 + fragment 8 + TCP 60, and room for options

NO_CHECKSUM: Final = -1


class Parked:
    """A packet that had to wait: headers and payload copied, offsets counted from the end."""

    __slots__ = ("csum", "gso_size", "gso_type", "headers", "l4", "net", "payload")

    def __init__(self, head: Head, views: Sequence[View]) -> None:
        self.headers = bytes(head.written())
        self.payload = b"".join(views)
        self.net = head.end - head.net
        self.l4 = head.end - head.l4
        self.csum = head.csum
        self.gso_size = head.gso_size
        self.gso_type = head.gso_type


class Head:
    """Headers of one packet on its way out.

    start, end   the bytes written so far are buf[start:end]; `end` never moves
    net, l4      where the IP and the transport header start in `buf`
    csum         offset of the checksum field inside the transport header that holds only
                 the pseudo-header's sum so far, or NO_CHECKSUM when nothing is left to do
    gso_size     payload octets per wire segment, 0 if the packet leaves as it is
    gso_type     virtio-net segmentation type, set by the IP layer when gso_size is not 0
    options      options for the IPv4 header of this packet, a multiple of four octets
    """

    __slots__ = (
        "buf",
        "csum",
        "end",
        "gso_size",
        "gso_type",
        "l4",
        "net",
        "options",
        "start",
        "view",
    )

    def __init__(self) -> None:
        self.buf = bytearray(SIZE)
        self.view = memoryview(self.buf)
        self.end = SIZE
        self.start = SIZE
        self.net = SIZE
        self.l4 = SIZE
        self.csum = NO_CHECKSUM
        self.gso_size = 0
        self.gso_type = 0
        self.options = b""

    def reset(self) -> None:
        """Start a new packet."""
        self.start = self.l4 = self.net = self.end
        self.csum = NO_CHECKSUM
        self.gso_size = 0
        self.gso_type = 0
        self.options = b""

    def begin(self, length: int, csum: int) -> int:
        """Start a new packet with a transport header of `length` octets whose checksum, at offset
        `csum`, is to be finished (or NO_CHECKSUM); returns where in `buf` to write it."""
        start = self.end - length
        self.start = self.l4 = start
        self.csum = csum
        self.gso_size = 0
        self.options = b""
        return start

    def push(self, data: bytes) -> None:
        """Write `data` in front of what is there."""
        start = self.start - len(data)
        self.buf[start : self.start] = data
        self.start = start

    def load(self, parked: Parked) -> None:
        """Take up a packet again where `Parked` left it."""
        self.start = self.end - len(parked.headers)
        self.buf[self.start : self.end] = parked.headers
        self.net = self.end - parked.net
        self.l4 = self.end - parked.l4
        self.csum = parked.csum
        self.gso_size = parked.gso_size
        self.gso_type = parked.gso_type

    def written(self) -> memoryview:
        """The headers so far, as a view that is valid until the next packet is started."""
        return self.view[self.start : self.end]
