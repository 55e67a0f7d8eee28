# SPDX-License-Identifier: MIT
"""Floor 5: the checksums of a train (`link/train`), which are its transport's to verify.

Called by `tcp/train` and `udp/endpoint`.
"""

from __future__ import annotations

from typing import Final

from stack.base.checksum import data_sum, swapped_sums
from stack.base.packet import Packet

_STEP: Final = 8
"""So many are summed at first, and as many again as were right: a peer who sends wrong ones has
little summed in vain."""

_from_bytes = int.from_bytes


def intact(pkt: Packet, frames: list[bytes]) -> int:
    """How many of `frames` there are before the first whose checksum is wrong.

    Octets before the transport header are summed too and subtracted, which is cheaper than a copy
    without them.  Packets of one size have the same there: what differs in an IPv4 header is
    made up for by its own checksum.
    """
    l4 = pkt.l4
    pseudo = _from_bytes(pkt.src + pkt.dst, "big") + pkt.proto - l4
    size = wanted = count = 0
    step = _STEP
    while count < len(frames):
        part = frames[count : count + step]
        for frame, total in zip(part, swapped_sums(part), strict=True):
            if len(frame) != size:
                size = len(frame)
                wanted = data_sum(frame[:l4]) - pseudo - size << 8
            if (total - wanted) % 0xFFFF:
                return count
            count += 1
        step *= 2
    return count
