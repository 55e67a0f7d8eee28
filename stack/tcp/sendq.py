# SPDX-License-Identifier: MIT
"""TCP: the send queue.  Borrowed views of the user's memory, by offset.

Nothing is copied: a segment is a slice of these views, a retransmission the same slice again.
A request's token comes back when its last octet has been acknowledged, which is when the user
may have his memory back.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from stack.base.units import View

_COMPACT: Final = 64
_MAX_VIEWS: Final = 64
"""More pieces than this in one segment are joined: gathering would cost more than copying."""


class SendQueue:
    """Data between `start` (oldest unacknowledged) and `end` (last queued), as offsets."""

    __slots__ = ("_answered", "_first", "_starts", "_tokens", "_views", "end", "start")

    def __init__(self) -> None:
        self.start = 1  # offset 0 is the SYN's
        self.end = 1
        self._starts: list[int] = []
        self._views: list[memoryview | None] = []
        self._first = 0
        # A list, of which the beginning is over: an empty deque is ten times as large.
        self._tokens: list[tuple[int, object, int]] = []
        self._answered = 0

    def __len__(self) -> int:
        return self.end - self.start

    def append(self, views: Sequence[View], count: int, token: object) -> None:
        """Queue `count` octets, borrowed until `release` hands `token` back."""
        end = self.end
        for view in views:
            if view:
                self._starts.append(end)
                self._views.append(view if type(view) is memoryview else memoryview(view))
                end += len(view)
        assert end - self.end == count
        self.end = end
        self._tokens.append((end, token, count))

    def take(self, offset: int, count: int) -> list[View]:
        """Views of `count` octets from `offset` on; they must be queued."""
        first = self._first
        if self._starts[first] == offset:
            view = self._views[first]
            if view is not None and len(view) == count:
                return [view]  # the oldest piece as it is
        index = bisect_right(self._starts, offset, first) - 1
        skip = offset - self._starts[index]
        views: list[View] = []
        while count:
            view = self._views[index]
            assert view is not None
            size = len(view) - skip
            if size > count:
                views.append(view[skip : skip + count])
                break
            views.append(view[skip:] if skip else view)
            count -= size
            skip = 0
            index += 1
        return views if len(views) <= _MAX_VIEWS else [b"".join(views)]

    def release(self, offset: int) -> list[tuple[object, int]]:
        """Everything before `offset` was acknowledged: the requests that are complete by it."""
        if offset >= self.end:
            return self._release_all()
        if offset > self.start:
            self.start = offset
        views, starts, first = self._views, self._starts, self._first
        count = len(views)
        while first < count:
            view = views[first]
            assert view is not None
            if starts[first] + len(view) > offset:
                break
            views[first] = None
            first += 1
        if first > _COMPACT and first * 2 > count:
            del views[:first]
            del starts[:first]
            first = 0
        self._first = first
        return self._complete(offset)

    def _complete(self, offset: int) -> list[tuple[object, int]]:
        tokens, answered = self._tokens, self._answered
        while answered < len(tokens) and tokens[answered][0] <= offset:
            answered += 1
        complete = [(token, count) for _, token, count in tokens[self._answered : answered]]
        if answered == len(tokens) or answered > _COMPACT:
            del tokens[:answered]
            answered = 0
        self._answered = answered
        return complete

    def _release_all(self) -> list[tuple[object, int]]:
        """Nothing is left: what was queued last, and perhaps our FIN, was acknowledged."""
        self.start = self.end
        self._views.clear()
        self._starts.clear()
        self._first = 0
        return self._complete(self.end)

    def withdraw(self, token: object, sent: int) -> bool:
        """Take a request back if none of its octets lies before `sent`."""
        tokens = self._tokens[self._answered :]
        for index, (end, known, count) in enumerate(tokens):
            if known is not token:
                continue
            begin = end - count
            if begin < sent:
                return False
            self._cut(begin, end)
            later = [(e - count, t, n) for e, t, n in tokens[index + 1 :]]
            self._tokens, self._answered = tokens[:index] + later, 0
            return True
        return False

    def drain(self) -> list[object]:
        """Forget everything: the tokens of what was not acknowledged."""
        tokens = [token for _, token, _ in self._tokens[self._answered :]]
        self._tokens.clear()
        self._answered = 0
        self._views.clear()
        self._starts.clear()
        self._first = 0
        self.start = self.end
        return tokens

    def _cut(self, begin: int, end: int) -> None:
        """Remove whole views in [begin, end) and move what follows down."""
        starts, views = [], []
        for start, view in zip(
            self._starts[self._first :], self._views[self._first :], strict=True
        ):
            if start < begin:
                starts.append(start)
                views.append(view)
            elif start >= end:
                starts.append(start - (end - begin))
                views.append(view)
        self._starts, self._views, self._first = starts, views, 0
        self.end -= end - begin
