# SPDX-License-Identifier: MIT
"""A wire in memory: two ports, each reading what the other sent.

With `offload` (the default) super-frames and unfinished checksums cross as they are, with their
virtio-net header, exactly as on a TAP; without, frames are what a plain Ethernet carries.  With
`big` the other end takes those beyond 64 KiB, as Linux does behind a TAP.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from stack.base.head import Head
from stack.base.units import View
from stack.link.seam import CSUM, TSO4, TSO6, USO
from stack.wire import vnet
from tap.frames import join
from tap.port import Port

QUEUE_LIMIT: Final = 4096
"""Frames waiting at one end; more are dropped, as by any full device."""


class MemoryPort(Port):
    """One end of a memory wire."""

    def __init__(self, mac: bytes, mtu: int, offload: bool) -> None:
        self.mac = mac
        self.mtu = mtu
        self.header = vnet.LENGTH if offload else 0
        self.features = CSUM | TSO4 | TSO6 | USO if offload else 0
        self._inbox: deque[bytes] = deque()
        self._peer = self
        self._notify: Callable[[], None] | None = None

    def join(self, peer: MemoryPort) -> None:
        """What is sent here arrives at `peer`."""
        self._peer = peer

    def transmit(self, head: Head, views: Sequence[View]) -> bool:
        return self._peer.put(join(head, views, self.header))

    def put(self, frame: bytes) -> bool:
        """A frame arrives at this end; False if its queue is full."""
        if len(self._inbox) >= QUEUE_LIMIT:
            return False
        self._inbox.append(frame)
        if self._notify is not None:
            self._notify()
        return True

    def read(self) -> bytes | None:
        return self._inbox.popleft() if self._inbox else None

    def announce_to(self, notify: Callable[[], None]) -> None:
        self._notify = notify

    def deadline(self) -> int:
        return 0 if self._inbox else super().deadline()


def wire(
    mac_a: bytes, mac_b: bytes, mtu: int = 1500, offload: bool = True, big: bool = False
) -> tuple[MemoryPort, MemoryPort]:
    """Two joined ports."""
    a = MemoryPort(mac_a, mtu, offload)
    b = MemoryPort(mac_b, mtu, offload)
    a.join(b)
    b.join(a)
    if big and offload:
        a.big_peer, b.big_peer = mac_b, mac_a
    return a, b
