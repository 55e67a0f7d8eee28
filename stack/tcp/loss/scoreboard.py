# SPDX-License-Identifier: MIT
"""TCP loss: the scoreboard of sent spans (RFC 2018 5, RFC 6675 3, RFC 8985 5).

A span is what one transmission carried, often 64 KB.  Spans tile everything between SND.UNA
and SND.NXT in order of offset; SACK blocks and partial retransmissions split them.  Each knows
when it was last sent and whether it was delivered (SACKed), given up (lost) or sent again.

Those in flight, neither delivered nor given up, are also linked in the order of their last
transmission, which is how RACK looks at them: oldest first, and no further than it must.

All arguments are offsets (see `tcb`).  Finding a span is a bisection; no operation walks more
spans than it changes, but for `mark_lost_by_sack`, which looks for the highest SACKed ones.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from stack.tcp.loss.rate import RateSampler, Sent

_COMPACT: Final = 64
NOT_MEASURED: Final = -1


class Span:
    """Sequence space [start, end), sent together."""

    __slots__ = ("end", "lost", "newer", "older", "resent", "sacked", "sent", "sent_at", "start")

    def __init__(self, start: int, end: int, sent_at: int) -> None:
        self.start = start
        self.end = end
        self.sent_at = sent_at
        self.sacked = False
        self.lost = False
        self.resent = False
        self.sent: Sent | None = None  # what was known when it left, where rates are sampled
        self.older: Span | None = None  # neighbours in order of transmission, while in flight
        self.newer: Span | None = None


class Acked:
    """What one acknowledgment, cumulative and selective, brought.

    delivered             octets not known to be delivered before
    resent                something acknowledged cumulatively had been sent more than once
    sent_at, end          of the newest span delivered that was sent once; NOT_MEASURED if none
    lowest                the lowest end of a span delivered that was sent once, or 0
    resent_at, resent_end of the span delivered that was sent again last
    highest               the highest end of anything delivered
    newest, newest_end    what was known when the span delivered that was sent last left
    """

    __slots__ = (
        "delivered",
        "end",
        "highest",
        "lowest",
        "newest",
        "newest_end",
        "resent",
        "resent_at",
        "resent_end",
        "sent_at",
    )

    def __init__(self) -> None:
        self.delivered = 0
        self.resent = False
        self.sent_at = NOT_MEASURED
        self.end = 0
        self.lowest = 0
        self.resent_at = NOT_MEASURED
        self.resent_end = 0
        self.highest = 0
        self.newest: Sent | None = None
        self.newest_end = 0

    def note(self, span: Span, size: int, end: int) -> None:
        """`size` octets of `span`, up to `end`, are delivered."""
        if not self.delivered and not span.resent and span.sent is None:
            self.delivered, self.sent_at = size, span.sent_at
            self.highest = self.lowest = self.end = end
            return
        self.delivered += size
        if end > self.highest:
            self.highest = end
        if span.sent is not None:
            self._compare(span.sent, end)
        if span.resent:
            if (span.sent_at, end) > (self.resent_at, self.resent_end):
                self.resent_at, self.resent_end = span.sent_at, end
            return
        if not self.lowest or end < self.lowest:
            self.lowest = end
        if (span.sent_at, end) > (self.sent_at, self.end):
            self.sent_at, self.end = span.sent_at, end

    def _compare(self, sent: Sent, end: int) -> None:
        newest = self.newest
        if newest is None or (sent.at, end) > (newest.at, self.newest_end):
            self.newest, self.newest_end = sent, end


class Scoreboard:
    """Every span in flight.

    sacked   octets the peer reported out of order
    lost     octets given up and not yet sent again
    credit   without SACK: octets that must have left the network, by duplicate ACKs
    rate     samples the rate of delivery, if congestion control wants that
    """

    __slots__ = (
        "_first",
        "_judged",
        "_lost_from",
        "_newest",
        "_oldest",
        "_spans",
        "_starts",
        "credit",
        "lost",
        "rate",
        "sacked",
    )

    def __init__(self) -> None:
        self.rate: RateSampler | None = None
        self.sacked = 0
        self.lost = 0
        self.credit = 0
        self._spans: list[Span] = []
        self._starts: list[int] = []
        self._first = 0
        self._lost_from = 0  # no lost span starts before this
        self._judged = 0  # spans before this were judged by `mark_lost_by_sack`
        self._oldest: Span | None = None  # in flight, in order of transmission
        self._newest: Span | None = None

    def __len__(self) -> int:
        return len(self._spans) - self._first

    def __iter__(self) -> Iterator[Span]:
        return iter(self._spans[self._first :])

    def add(self, start: int, end: int, now: int) -> None:
        """[start, end) was sent for the first time; it follows everything sent before."""
        span = Span(start, end, now)
        self._spans.append(span)
        self._starts.append(start)
        self._link(span)
        if self.rate is not None:
            span.sent = self.rate.sent(self.flight, end - start, end, now)

    @property
    def flight(self) -> int:
        """Octets believed to be in the network (RFC 6675 4)."""
        if self._first == len(self._spans):
            return 0
        out = self._spans[-1].end - self._spans[self._first].start
        return out - self.sacked - self.lost - self.credit

    def sample(self, rate: RateSampler | None) -> None:
        """From now on with `rate`, or without; what another one remembered is void."""
        self.rate = rate
        for span in self:
            span.sent = None

    def ack(self, upto: int, result: Acked) -> None:
        """Everything before `upto` was acknowledged."""
        spans, first = self._spans, self._first
        count = len(spans)
        while first < count:
            span = spans[first]
            start, end = span.start, span.end
            if start >= upto:
                break
            if end > upto:
                end = upto
            if span.sacked:
                self.sacked -= end - start
            else:
                if span.lost:
                    self.lost -= end - start
                result.note(span, end - start, end)
            if span.resent:
                result.resent = True
            if span.end > upto:
                span.start = self._starts[first] = upto
                break
            if not span.sacked and not span.lost:
                self._unlink(span)
            first += 1
        self._first = first
        if first > _COMPACT and first * 2 > count:
            del spans[:first]
            del self._starts[:first]
            self._first = 0

    def sack(self, start: int, end: int, result: Acked) -> int:
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
                else:
                    self._unlink(span)
                result.note(span, size, span.end)
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
                marked += self._give_up(span)
            index += 1
        self._judged = limit
        return marked

    def mark_lost_by_time(
        self, newest: tuple[int, int], patience: int, now: int
    ) -> tuple[int, int]:
        """RFC 8985 6.2 step 5: give up spans sent before the `newest` delivered one (time sent,
        end) and more than `patience` ns ago.

        Returns (octets marked, when the next span is due or 0).
        """
        marked = 0
        span = self._oldest
        while span is not None and (span.sent_at, span.end) < newest:
            due = span.sent_at + patience
            if due > now:
                return marked, due
            newer = span.newer
            marked += self._give_up(span)
            span = newer
        return marked, 0

    def mark_first_lost(self, size: int) -> None:
        """Give up the first `size` octets at SND.UNA (RFC 5681 3.2, RFC 6582 3.2)."""
        if self._first == len(self._spans):
            return
        span = self._spans[self._first]
        if span.sacked or span.lost or span.resent:
            return
        if span.end - span.start > size:
            self._split(self._first, span.start + size)
        self._give_up(span)

    def first(self) -> Span | None:
        """The span at SND.UNA."""
        return self._spans[self._first] if self._first < len(self._spans) else None

    def mark_lost(self, start: int, end: int) -> None:
        """Give up what is in flight of the spans that begin in [start, end)."""
        index = self._at(start)
        while index < len(self._spans) and self._spans[index].start < end:
            span = self._spans[index]
            if not span.sacked and not span.lost:
                self._mark(span)
            index += 1

    def lost_exactly(self, start: int, end: int) -> bool:
        """[start, end) was given up, and nothing else."""
        if self.lost != end - start:
            return False
        span = self._spans[self._at(start)]
        return span.lost and (span.start, span.end) == (start, end)

    def mark_all_lost(self, congestion: bool = False) -> None:
        """Give up everything not SACKed (RFC 6298 5.4, RFC 6675 5.1).

        Without `congestion` it is only to be sent again: a sampler of rates does not hear of it.
        """
        self.credit = 0
        self._renege()
        span = self._oldest
        while span is not None:
            newer = span.newer
            if congestion:
                self._give_up(span)
            else:
                self._mark(span)
            span = newer
        if self._first < len(self._spans):
            self._judged = self._spans[-1].end

    def mark_expired(self, before: int) -> None:
        """RFC 8985 6.3: give up the first span, and all that were sent no later than `before`."""
        self._renege()
        if self._first < len(self._spans):
            first = self._spans[self._first]
            if not first.sacked and not first.lost:
                self._give_up(first)
        span = self._oldest
        while span is not None and span.sent_at <= before:
            newer = span.newer
            self._give_up(span)
            span = newer

    def restore(self) -> None:
        """What was given up and not sent again was not lost after all: it is in flight."""
        if not self.lost:
            return
        self.lost = 0
        self._oldest = self._newest = None
        flying = [span for span in self._spans[self._first :] if not span.sacked]
        for span in sorted(flying, key=lambda s: (s.sent_at, s.end)):
            span.lost = False
            span.newer = None
            self._link(span)

    def in_flight(self) -> int:
        """Octets neither delivered nor given up, counted one by one: for tests."""
        count = 0
        span = self._oldest
        while span is not None:
            assert not span.sacked
            assert not span.lost
            count += span.end - span.start
            span = span.newer
        return count

    def mark_last_lost(self, size: int) -> None:
        """Have the last `size` octets sent again: a tail loss probe (RFC 8985 7.3)."""
        span = self._spans[-1]
        if span.sacked or span.lost:
            return
        if span.end - span.start > size:
            span = self._split(len(self._spans) - 1, span.end - size)
        self._mark(span)

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
        self._link(span)
        if self.rate is not None:
            size = span.end - span.start
            span.sent = self.rate.sent(self.flight, size, span.end, now)

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
        rest.sent = span.sent
        span.end = at
        self._spans.insert(index + 1, rest)
        self._starts.insert(index + 1, at)
        if not span.sacked and not span.lost:
            rest.older, rest.newer = span, span.newer
            if span.newer is None:
                self._newest = rest
            else:
                span.newer.older = rest
            span.newer = rest
        return rest

    def _renege(self) -> None:
        """If the first span is SACKed and yet not acknowledged, the peer has dropped what it
        held, and no SACK is believed any more (RFC 2018 8)."""
        if self._first == len(self._spans) or not self._spans[self._first].sacked:
            return
        for span in self._spans[self._first :]:
            if span.sacked:
                span.sacked = False
                span.lost = True
                size = span.end - span.start
                self.sacked -= size
                self.lost += size
        self._lost_from = 0

    def _link(self, span: Span) -> None:
        """`span` has just been sent."""
        newest = self._newest
        span.older = newest
        if newest is None:
            self._oldest = span
        else:
            newest.newer = span
        self._newest = span

    def _unlink(self, span: Span) -> None:
        """`span` is not in flight any more."""
        older, newer = span.older, span.newer
        if older is None:
            self._oldest = newer
        else:
            older.newer = newer
        if newer is None:
            self._newest = older
        else:
            newer.older = older
        span.older = span.newer = None

    def _mark(self, span: Span) -> int:
        """Give up a span that is in flight."""
        size = span.end - span.start
        self._unlink(span)
        span.lost = True
        self.lost += size
        self._lost_from = min(self._lost_from, span.start)
        return size

    def _give_up(self, span: Span) -> int:
        """The same, and the network is to blame."""
        if self.rate is not None and span.sent is not None:
            self.rate.given_up(span.sent, span.start, span.end)
        return self._mark(span)

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
