# SPDX-License-Identifier: MIT
"""TCP: the receive queue.  Views of frames, in order for the user, out of order for later.

Offsets count octets of the stream from 0.  Data ahead of `next` waits in pieces that never
overlap (the first to arrive wins) and becomes SACK blocks, most recently touched first (RFC
2018 4); a bounded number of pieces is kept.

Views pin whole frames.  A trimmed remainder much smaller than its frame is copied, and runs
of small pieces are joined, so that what is held stays near what it says.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from stack.base.ranges import RangeSet

_SMALL: Final = 512
_JOIN: Final = 128
_RECENT: Final = 4


class Budget:
    """Octets that all connections together may hold out of order."""

    __slots__ = ("limit", "used")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0


class ReceiveQueue:
    """Received data that the user has not taken."""

    __slots__ = (
        "_budget",
        "_limit",
        "_ooo_starts",
        "_ooo_views",
        "_ranges",
        "_recent",
        "_small",
        "ahead",
        "next",
        "ready",
        "size",
    )

    def __init__(self, limit: int, budget: Budget) -> None:
        self.next = 0  # offset of the next octet in order
        self.ready: list[memoryview] = []  # in order, for the user
        self.size = 0  # octets in `ready`
        self.ahead = 0  # octets that wait out of order
        self._limit = limit
        self._budget = budget
        self._small = 0
        # Made on first use: most connections never see reordering.
        self._ranges: RangeSet | None = None
        self._ooo_starts: list[int] = []
        self._ooo_views: list[memoryview] = []
        self._recent: list[int] = []

    @property
    def reordered(self) -> bool:
        """Something waits out of order."""
        return self.ahead > 0

    def append(self, view: memoryview) -> None:
        """The next octets in order."""
        count = len(view)
        self.next += count
        self.size += count
        self.ready.append(view)
        if count >= _SMALL:
            self._small = 0
            return
        self._small += 1
        if self._small >= _JOIN:
            self._join()

    def extend(self, views: list[memoryview], count: int) -> None:
        """The next `count` octets in order, in several pieces."""
        if min(map(len, views)) < _SMALL:
            for view in views:
                self.append(view)
            return
        self.next += count
        self.size += count
        self.ready += views
        self._small = 0

    def insert(self, offset: int, view: memoryview) -> int:
        """Take data at `offset`, at or ahead of `next`.

        Returns how far `next` advanced, or -1 if there was no room for another piece.
        """
        if offset != self.next:
            return self._keep(offset, view)
        before = self.next
        end = offset + len(view)
        while self.next < end:
            # What is held already stays; the new data fills what lies between.
            limit = self._ooo_starts[0] if self._ooo_starts else end
            self.append(view[self.next - offset : limit - offset])
            self._drain()
        return self.next - before

    def held_of(self, start: int, end: int) -> tuple[int, int] | None:
        """The first part of [start, end) that waits out of order already."""
        return None if self._ranges is None else self._ranges.first_overlap(start, end)

    def take(self) -> list[memoryview]:
        """All data in order; the queue's part of it is empty afterwards."""
        views = self.ready
        self.ready = []
        self.size = 0
        self._small = 0
        return views

    def put_back(self, views: list[memoryview], taken: int) -> None:
        """The user took only the first `taken` octets of what `take` gave."""
        rest: list[memoryview] = []
        for view in views:
            if taken >= len(view):
                taken -= len(view)
            else:
                rest.append(view[taken:])
                taken = 0
        self.size += sum(len(view) for view in rest)
        self.ready = rest + self.ready

    def blocks(self, count: int) -> list[tuple[int, int]]:
        """Up to `count` ranges held out of order, most recently touched first."""
        found: list[tuple[int, int]] = []
        if self._ranges is None or count <= 0:
            return found
        for point in self._recent:
            block = self._ranges.find(point)
            if block is not None and block not in found:
                found.append(block)
                if len(found) == count:
                    return found
        for block in self._ranges:
            if len(found) == count:
                break
            if block not in found:
                found.append(block)
        return found

    def clear(self) -> None:
        """Forget all data."""
        if self.size:
            self.take()
        if self.ahead:
            self.drop_ahead()

    def drop_ahead(self) -> None:
        """Forget what waits out of order: what is before it will not come any more."""
        self._budget.used -= self.ahead
        self.ahead = 0
        self._ooo_starts.clear()
        self._ooo_views.clear()
        self._recent.clear()
        self._ranges = None

    def _join(self) -> None:
        """A run of small pieces becomes one."""
        ready = self.ready
        tail = ready[-_JOIN:]
        ready[-_JOIN:] = [memoryview(b"".join(tail))]
        self._small = 0

    def _drain(self) -> None:
        """Pieces that have become in order move over."""
        count = 0
        for start, view in zip(self._ooo_starts, self._ooo_views, strict=True):
            if start > self.next:
                break
            count += 1
            self.append(view)
        if count:
            moved = sum(map(len, self._ooo_views[:count]))
            self.ahead -= moved
            self._budget.used -= moved
            del self._ooo_starts[:count]
            del self._ooo_views[:count]
            assert self._ranges is not None
            self._ranges.remove_below(self.next)
            if not self._ooo_starts:
                self._recent.clear()

    def _keep(self, offset: int, view: memoryview) -> int:
        """Hold what is new of `view` until the hole before it is filled."""
        ranges = self._ranges
        if ranges is None:
            ranges = self._ranges = RangeSet()
        end = offset + len(view)
        at = offset
        budget = self._budget
        for start, stop in ranges.gaps(offset, end):
            size = stop - start
            if len(self._ooo_starts) >= self._limit or budget.used + size > budget.limit:
                return -1
            piece = view[start - offset : stop - offset]
            if len(piece) * 4 < len(view):
                piece = memoryview(bytes(piece))
            index = bisect_left(self._ooo_starts, start)
            self._ooo_starts.insert(index, start)
            self._ooo_views.insert(index, piece)
            ranges.add(start, stop)
            self.ahead += size
            budget.used += size
            at = start
        if at in self._recent:
            self._recent.remove(at)
        self._recent.insert(0, at)
        del self._recent[_RECENT:]
        return 0
