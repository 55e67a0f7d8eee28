# SPDX-License-Identifier: MIT
"""Floor 3: the loopback device.  What is sent comes back on the next turn.

It offers every offload, so a super-frame crosses in one piece and no checksum is computed:
the virtio-net header says so to the receiving side, as on a TAP.  Drained by
`compartment`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stack.base.addr import MAC_NONE
from stack.base.head import NO_CHECKSUM, Head
from stack.base.units import View
from stack.link.seam import CSUM, TSO4, TSO6, USO, Device
from stack.wire import vnet

QUEUE_LIMIT: Final = 1000


class LoopbackDevice(Device):
    """A device that queues to itself."""

    mac = MAC_NONE
    mtu = 65535
    header = vnet.LENGTH
    features = CSUM | TSO4 | TSO6 | USO

    def __init__(self) -> None:
        self.queue: list[bytes] = []
        """Frames that wait to be received."""

    def transmit(self, head: Head, views: Sequence[View]) -> bool:
        if len(self.queue) >= QUEUE_LIMIT:
            return False
        if head.csum == NO_CHECKSUM:
            prefix = vnet.PLAIN
        else:
            prefix = vnet.build(head.gso_type if head.gso_size else 0, 0, head.gso_size, 0, 0)
        self.queue.append(b"".join((prefix, head.written(), *views)))
        return True

    def drain(self) -> list[bytes]:
        """Everything queued so far."""
        frames, self.queue = self.queue, []
        return frames
