# SPDX-License-Identifier: MIT
"""One outgoing frame as one `bytes`, with a virtio-net header where the link carries them.

For ports that must keep a frame: the memory wire, delays, captures.
"""

from __future__ import annotations

from collections.abc import Sequence

from stack.base.checksum import data_sum, finish
from stack.base.head import NO_CHECKSUM, Head
from stack.base.units import View
from stack.wire import vnet


def vnet_header(head: Head) -> bytes:
    """What the device is asked to finish, in the link's own words."""
    if head.csum == NO_CHECKSUM and not head.gso_size:
        return vnet.PLAIN
    start = head.start
    if head.csum == NO_CHECKSUM:
        return vnet.HEADER.pack(0, head.gso_type, head.end - start, head.gso_size, 0, 0)
    return vnet.HEADER.pack(
        vnet.NEEDS_CSUM,
        head.gso_type if head.gso_size else vnet.GSO_NONE,
        head.end - start,
        head.gso_size,
        head.l4 - start,
        head.csum,
    )


def join(head: Head, views: Sequence[View], header: int) -> bytes:
    """The frame, behind a virtio-net header if `header` is not 0."""
    prefix = vnet_header(head) if header else b""
    return b"".join((prefix, head.written(), *views))


class Unjoin:
    """The way back: a joined frame as the `Head` and views that `Device.transmit` takes."""

    def __init__(self) -> None:
        self._head = Head()

    def split(self, frame: bytes, header: int) -> tuple[Head, tuple[memoryview]]:
        """Valid until the next call."""
        head = self._head
        head.reset()
        view = memoryview(frame)[header:]
        keep = min(len(view), 128)
        head.push(bytes(view[:keep]))
        if header:
            flags, gso_type, _, gso_size, start, offset = vnet.HEADER.unpack_from(frame)
            head.gso_size = gso_size
            head.gso_type = gso_type
            if flags & vnet.NEEDS_CSUM:
                head.csum = offset
                head.l4 = head.start + start
                head.net = head.start + 14
        return head, (view[keep:],)


def finished(frame: bytes, header: int) -> bytes:
    """A joined frame whose transport checksum is complete, as it would be on a real wire."""
    if not header:
        return frame
    flags, gso_type, length, gso_size, start, offset = vnet.HEADER.unpack_from(frame)
    if not flags & vnet.NEEDS_CSUM:
        return frame
    at = header + start
    check = finish(data_sum(frame[at:])) or 0xFFFF
    data = bytearray(frame)
    data[at + offset : at + offset + 2] = check.to_bytes(2, "big")
    vnet.HEADER.pack_into(data, 0, 0, gso_type, length, gso_size, 0, 0)
    return bytes(data)
