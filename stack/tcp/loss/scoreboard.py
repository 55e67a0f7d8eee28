# SPDX-License-Identifier: MIT
"""TCP loss: the scoreboard of sent spans (RFC 2018 5, RFC 6675 3).

A span is what one transmission carried, often 64 KB.  Spans tile everything between SND.UNA
and SND.NXT in order of offset; SACK blocks and partial retransmissions split them.  Each knows
when it was last sent and whether it was delivered (SACKed), given up (lost) or sent again.

All arguments are offsets (see `tcb`).  Finding a span is a bisection; no operation walks more
spans than it changes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

_COMPACT: Final = 64
_NOT_MEASURED: Final = -1


class Span:
    """Sequence space [start, end), sent together."""

    __slots__ = ("end", "lost", "resent", "sacked", "sent_at", "start")

    def __init__(self, start: int, end: int, sent_at: int) -> None:
        self.start = start
        self.end = end
        self.sent_at = sent_at
        self.sacked = False
        self.lost = False
        self.resent = False


class Acked:
    """What a cumulative acknowledgment brought."""

    __slots__ = ("delivered", "resent", "sent_at")

    def __init__(self) -> None:
        self.delivered = 0  # octets not known to be delivered before
        self.resent = False  # some of it had been sent more than once
        self.sent_at = _NOT_MEASURED  # when the newest span sent only once had left


class Scoreboard:
    """Every span in flight.

    sacked   octets the peer reported out of order
    lost     octets given up and not yet sent again
    credit   without SACK: octets that must have left the network, by duplicate ACKs
    """

    __slots__ = ("_first", "_judged", "_lost_from", "_spans", "_starts", "credit", "lost", "sacked")

    def __init__(self) -> None:
        self.sacked = 0
        self.lost = 0
        self.credit = 0
        self._spans: list[Span] = []
        self._starts: list[int] = []
        self._first = 0
        self._lost_from = 0  # no lost span starts before this
        self._judged = 0  # spans before this were judged by `mark_lost_by_sack`

    def __len__(self) -> int:
        return len(self._spans) - self._first

    def __iter__(self) -> Iterator[Span]:
        return iter(self._spans[self._first :])

    def add(self, start: int, end: int, now: int) -> None:
        """[start, end) was sent for the first time; it follows everything sent before."""
        self._spans.append(Span(start, end, now))
        self._starts.append(start)

    def ack(self, upto: int) -> Acked:
        """Everything before `upto` was acknowledged."""
        result = Acked()
        spans, first = self._spans, self._first
        while first < len(spans):
            span = spans[first]
            if span.start >= upto:
                break
            end = min(span.end, upto)
            size = end - span.start
            self._forget(span, size)
            if not span.sacked:
                result.delivered += size
            if span.resent:
                result.resent = True
            elif not span.sacked:
                result.sent_at = span.sent_at
            if span.end > upto:
                span.start = self._starts[first] = upto
                break
            first += 1
        self._first = first
        if first > _COMPACT and first * 2 > len(spans):
            del spans[:first]
            del self._starts[:first]
            self._first = 0
        return result

    def sack(self, start: int, end: int) -> int:
        """The peer holds [start, end).  Returns how many octets of it are news."""
        if self._first == len(self._spans):
            return 0
        start = max(start, self._spans[self._first].start)
        end = min(end, self._spans[-1].end)
        if start >= end:
            return 0
        news = 0
        index = self._at(start)
        while index < len(self._spans):
            span = self._spans[index]
            if span.start >= end:
                break
            if not span.sacked:
                if span.start < start:
                    index += 1
                    span = self._split(index - 1, start)
                if span.end > end:
                    self._split(index, end)
                size = span.end - span.start
                if span.lost:
                    span.lost = False
                    self.lost -= size
                span.sacked = True
                self.sacked += size
                news += size
            index += 1
        return news

    def mark_lost_by_sack(self, threshold: int) -> int:
        """RFC 6675 IsLost: give up spans with enough SACKed above them.

        Enough is more than `threshold` octets, or three separate runs.  A span is judged once:
        a retransmission that is lost again is the time-out's business.  Returns octets marked.
        """
        limit = self._lost_limit(threshold)
        if limit <= self._judged:
            return 0
        index = max(self._at(self._judged), self._first)
        marked = 0
        while index < len(self._spans) and self._spans[index].end <= limit:
            span = self._spans[index]
            if not span.sacked and not span.lost and not span.resent:
                marked += self._mark(span)
            index += 1
        self._judged = limit
        return marked

    def mark_first_lost(self, size: int) -> None:
        """Give up the first `size` octets at SND.UNA (RFC 5681 3.2, RFC 6582 3.2)."""
        if self._first == len(self._spans):
            return
        span = self._spans[self._first]
        if span.sacked or span.lost or span.resent:
            return
        if span.end - span.start > size:
            self._split(self._first, span.start + size)
        self._mark(span)

    def mark_all_lost(self) -> None:
        """Give up everything not SACKed (RFC 6298 5.4, RFC 6675 5.1).

        If the first span is SACKed and yet not acknowledged, the peer has dropped what it held,
        and no SACK is believed any more (RFC 2018 8).
        """
        self.credit = 0
        spans = self._spans[self._first :]
        reneged = bool(spans) and spans[0].sacked
        for span in spans:
            if reneged and span.sacked:
                span.sacked = False
                self.sacked -= span.end - span.start
            if not span.sacked and not span.lost:
                self._mark(span)
        if spans:
            self._judged = spans[-1].end

    def next_lost(self) -> Span | None:
        """The first span that is to be sent again."""
        if not self.lost:
            return None
        index = max(self._at(self._lost_from), self._first)
        while index < len(self._spans):
            span = self._spans[index]
            if span.lost:
                self._lost_from = span.start
                return span
            index += 1
        raise AssertionError("lost octets without a lost span")

    def resend(self, span: Span, size: int, now: int) -> None:
        """The first `size` octets of a lost span are on their way again."""
        if span.end - span.start > size:
            self._split(self._at(span.start), span.start + size)
        span.lost = False
        span.resent = True
        span.sent_at = now
        self.lost -= span.end - span.start
        self._lost_from = span.end

    def forgive(self) -> None:
        """A new recovery may judge again what was sent again in the last one."""
        self._judged = 0

    # Inside.

    def _at(self, offset: int) -> int:
        """The index of the span that holds `offset`, or of the first one after it."""
        return max(bisect_right(self._starts, offset, self._first) - 1, self._first)

    def _split(self, index: int, at: int) -> Span:
        """Cut the span at `index` in two at offset `at`; returns the second part."""
        span = self._spans[index]
        rest = Span(at, span.end, span.sent_at)
        rest.sacked, rest.lost, rest.resent = span.sacked, span.lost, span.resent
        span.end = at
        self._spans.insert(index + 1, rest)
        self._starts.insert(index + 1, at)
        return rest

    def _mark(self, span: Span) -> int:
        size = span.end - span.start
        span.lost = True
        self.lost += size
        self._lost_from = min(self._lost_from, span.start)
        return size

    def _forget(self, span: Span, size: int) -> None:
        if span.sacked:
            self.sacked -= size
        elif span.lost:
            self.lost -= size

    def _lost_limit(self, threshold: int) -> int:
        """The offset below which enough is SACKed."""
        octets = 0
        runs = 0
        below = -1
        for index in range(len(self._spans) - 1, self._first - 1, -1):
            span = self._spans[index]
            if not span.sacked:
                continue
            octets += span.end - span.start
            if span.end != below:
                runs += 1
            below = span.start
            if octets > threshold or runs >= 3:
                return span.start
        return 0
