# SPDX-License-Identifier: MIT
"""Floor 0: a set of integers kept as sorted, disjoint, non-adjacent ranges.

IP reassembly asks it what has arrived, TCP asks it what it holds out of order.  Both only
ever hold a bounded number of ranges, so a sorted list with bisection is the right size of
tool: O(log n) to find, one memmove to insert.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class RangeSet:
    """Half-open ranges [start, end) of integers."""

    __slots__ = ("_ends", "_starts")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(zip(self._starts, self._ends, strict=True))

    def add(self, start: int, end: int) -> None:
        """Put [start, end) in, merging with every range it touches."""
        if start >= end:
            return
        first = bisect_left(self._ends, start)
        last = bisect_right(self._starts, end)
        if first < last:
            start = min(start, self._starts[first])
            end = max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]

    def remove_below(self, limit: int) -> None:
        """Take out every integer below `limit`."""
        keep = bisect_right(self._ends, limit)
        del self._starts[:keep]
        del self._ends[:keep]
        if self._starts and self._starts[0] < limit:
            self._starts[0] = limit

    def overlaps(self, start: int, end: int) -> bool:
        """Some integer of [start, end) is in the set."""
        index = bisect_right(self._ends, start)
        return start < end and index < len(self._starts) and self._starts[index] < end

    def first_overlap(self, start: int, end: int) -> tuple[int, int] | None:
        """The first part of [start, end) that is in the set, or None."""
        index = bisect_right(self._ends, start)
        if start >= end or index == len(self._starts) or self._starts[index] >= end:
            return None
        return max(start, self._starts[index]), min(end, self._ends[index])

    def covers(self, start: int, end: int) -> bool:
        """Every integer of [start, end) is in the set."""
        if start >= end:
            return True
        index = bisect_right(self._starts, start) - 1
        return index >= 0 and self._ends[index] >= end

    def find(self, point: int) -> tuple[int, int] | None:
        """The range that holds `point`, or None."""
        index = bisect_right(self._starts, point) - 1
        if index >= 0 and point < self._ends[index]:
            return self._starts[index], self._ends[index]
        return None

    def gaps(self, start: int, end: int) -> list[tuple[int, int]]:
        """The parts of [start, end) that are not in the set."""
        found = []
        index = bisect_right(self._ends, start)
        while index < len(self._starts) and self._starts[index] < end:
            if start < self._starts[index]:
                found.append((start, self._starts[index]))
            start = self._ends[index]
            index += 1
        if start < end:
            found.append((start, end))
        return found

    def total(self) -> int:
        """How many integers the set holds."""
        return sum(self._ends) - sum(self._starts)
