# SPDX-License-Identifier: MIT
"""WSK_BUFs: the views they describe, filling them, and indications made of received views."""

from __future__ import annotations

from typing import Final

from wsk_api.types import MDL, WSK_BUF, WSK_DATA_INDICATION

_MOST_EMPTY: Final = 65_536
"""MDLs of no octets in one chain; a chain with more may be a ring."""


def views(buffer: WSK_BUF | None, writable: bool = False) -> list[memoryview] | None:
    """The memory `buffer` describes, piece by piece; None if it describes none.

    Refused are an offset outside the first MDL, a length beyond the chain, and memory that is
    read-only where it is to be written, and a ring of empty MDLs.
    """
    if buffer is None:
        return None
    left, mdl, offset = buffer.Length, buffer.Mdl, buffer.Offset
    if mdl is not None and not offset and left and left == len(mdl.view) and not writable:
        return [mdl.view]
    if left < 0 or offset < 0:
        return None
    pieces: list[memoryview] = []
    empty = 0
    if mdl is None:
        return pieces if left == 0 else None
    if offset > mdl.ByteCount or (offset == mdl.ByteCount and left):
        return None
    while left:
        if mdl is None or (writable and mdl.view.readonly):
            return None
        piece = mdl.view[offset : offset + left]
        if piece:
            pieces.append(piece)
        else:
            empty += 1
            if empty > _MOST_EMPTY:
                return None
        left -= len(piece)
        offset = 0
        mdl = mdl.Next
    return pieces


class Filler:
    """A receive buffer that is filled from the front."""

    __slots__ = ("_at", "_index", "_pieces", "filled", "size")

    def __init__(self, pieces: list[memoryview], size: int) -> None:
        self._pieces = pieces
        self._index = 0
        self._at = 0
        self.filled = 0
        self.size = size

    @property
    def room(self) -> int:
        """Octets that still fit."""
        return self.size - self.filled

    def put(self, data: memoryview) -> int:
        """Copy as much of `data` as fits; returns how much that was."""
        done = 0
        while done < len(data) and self._index < len(self._pieces):
            piece = self._pieces[self._index]
            count = min(len(piece) - self._at, len(data) - done)
            piece[self._at : self._at + count] = data[done : done + count]
            done += count
            self._at += count
            if self._at == len(piece):
                self._index += 1
                self._at = 0
        self.filled += done
        return done


def indication(received: list[memoryview]) -> WSK_DATA_INDICATION:
    """Received views as the list a WskReceiveEvent gets.  At least one view."""
    head: WSK_DATA_INDICATION | None = None
    for view in reversed(received):
        head = WSK_DATA_INDICATION(WSK_BUF(MDL(view), 0, len(view)), head)
    assert head is not None
    return head
