# SPDX-License-Identifier: MIT
"""A port over a file descriptor: a TAP, or a packet socket.

Both carry one Ethernet frame per read and write, behind a virtio-net header if they were told
to.  A frame leaves with one `writev` of the headers and views of the user's memory.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from stack.base import checksum
from stack.base.head import NO_CHECKSUM, Head
from stack.base.units import View
from stack.link.seam import CSUM
from stack.wire import vnet
from tap.port import Port

_MAX_FRAME: Final = 65535 + 14 + vnet.LENGTH
_pack_vnet: Final = vnet.HEADER.pack_into
_HEADER: Final = vnet.LENGTH


class FdPort(Port):
    """Frames through `fd`, which this port owns and closes."""

    def __init__(
        self, fd: int, mac: bytes, mtu: int, header: int, features: int, big_peer: bytes = b""
    ) -> None:
        self.mac = mac
        self.mtu = mtu
        self.header = header
        self.features = features
        self.big_peer = big_peer
        if not features & CSUM:
            checksum.use_numpy()
        self.errors = 0
        """Frames the kernel refused."""
        self._fd = fd

    def fileno(self) -> int:
        return self._fd

    def read(self) -> bytes | None:
        try:
            return os.read(self._fd, _MAX_FRAME)
        except BlockingIOError:
            return None
        except OSError:
            # The interface was taken down or away: nothing comes any more.
            self.errors += 1
            return None

    def transmit(self, head: Head, views: Sequence[View]) -> bool:
        start = head.start
        if self.header:
            start -= _HEADER
            if head.csum == NO_CHECKSUM:
                head.buf[start : head.start] = vnet.PLAIN
            else:
                _pack_vnet(
                    head.buf,
                    start,
                    vnet.NEEDS_CSUM,
                    head.gso_type if head.gso_size else 0,
                    head.end - head.start,
                    head.gso_size,
                    head.l4 - head.start,
                    head.csum,
                )
        try:
            os.writev(self._fd, (head.view[start:], *views))
        except BlockingIOError:
            return False
        except OSError:
            self.errors += 1
            return False
        return True

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
