# SPDX-License-Identifier: MIT
"""Floor 0: lists of views, cut without copying.

Called by `link/offload` and by the datagram seam.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stack.base.units import View


def cut(views: Sequence[View], size: int) -> Iterator[list[View]]:
    """Lists of `size` octets each that together are `views`; the last may be shorter.

    `size` is positive.  Views of no octets vanish.
    """
    piece: list[View] = []
    room = size
    for view in views:
        length = len(view)
        if length < room:
            if length:
                piece.append(view)
                room -= length
            continue
        if length == room:
            piece.append(view)
            yield piece
            piece, room = [], size
            continue
        whole = memoryview(view)
        at = 0
        while length - at >= room:
            piece.append(whole[at : at + room])
            at += room
            yield piece
            piece, room = [], size
        if at < length:
            piece.append(whole[at:])
            room -= length - at
    if piece:
        yield piece
