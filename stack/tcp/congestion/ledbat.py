# SPDX-License-Identifier: MIT
"""TCP congestion control: LEDBAT++ for background traffic (draft-irtf-iccrg-ledbat-plus-plus).

Keeps the queue it causes at 60 ms and so steps aside for everybody else.  Done: delay from round
trips, the smallest of the last four against a base of ten one-minute minima (RFC 6817 4.2); the
reduced gain (4.2 of the draft), multiplicative decrease (4.3), slow start from two segments that
ends at three quarters of the target (4.1), initial and periodic slowdown (4.4); halving at a loss.

Not done: one-way delay from timestamps, for which the draft sees no need.  A route that becomes
longer is noticed after ten minutes, as in RFC 6817.
"""

from __future__ import annotations

from typing import Final

from stack.base.units import MINUTE, MS
from stack.tcp.congestion.rounds import NO_RTT
from stack.tcp.congestion.seam import AckSample
from stack.tcp.congestion.window import UNKNOWN, WindowBased

TARGET: Final = 60 * MS
CONSTANT: Final = 1.0
BASE_HISTORY: Final = 10
CURRENT_FILTER: Final = 4
MIN_CWND: Final = 2
SLOWDOWN_ROUNDS: Final = 2
"""Round trips from slow start to the first slowdown, and at the bottom of each."""
SLOWDOWN_PERIOD: Final = 9
"""A slowdown follows after so many times the length of the last: a tenth of the time at most."""
_NEVER: Final = 1 << 62

# Where in the cycle.
_RAMP: Final = 0  # slow start, towards ssthresh or the queue
_STEADY: Final = 1
_FROZEN: Final = 2  # two segments, so that the queue shows its bottom


class Delays:
    """Base and current delay (RFC 6817 4.2).  Round trips, since only differences matter."""

    __slots__ = ("_bases", "_minute", "_recent", "base")

    def __init__(self) -> None:
        self.base = NO_RTT
        self._bases: list[int] = []
        self._minute = 0
        self._recent: list[int] = []

    def measured(self, rtt: int, now: int) -> None:
        """A round trip of `rtt` ns."""
        self._recent.append(rtt)
        del self._recent[:-CURRENT_FILTER]
        if not self._bases or now - self._minute >= MINUTE:
            self._minute = now
            self._bases.append(rtt)
            del self._bases[:-BASE_HISTORY]
        elif rtt < self._bases[-1]:
            self._bases[-1] = rtt
        self.base = min(self._bases)

    @property
    def queuing(self) -> int:
        """ns that packets wait in queues now."""
        return min(self._recent) - self.base if self._recent else 0


class Ledbat(WindowBased):
    """Yields to everybody, and fills what is left."""

    __slots__ = ("_bottom_until", "_fraction", "_phase", "_slowdown_at", "_slowed_at", "delays")

    def __init__(self) -> None:
        super().__init__()
        self.delays = Delays()
        self._phase = _RAMP
        self._slowdown_at = _NEVER
        self._slowed_at = 0  # when the slowdown under way began; 0 in the initial slow start
        self._bottom_until = 0
        self._fraction = 0.0

    def start(self, mss: int, segments: int) -> None:
        super().start(mss, min(segments, MIN_CWND))

    @property
    def gain(self) -> float:
        """Growth per round trip in segments, at most Reno's 1; the less, the shorter the path."""
        base = self.delays.base
        return 1 / 16 if base <= 0 else 1 / min(16, -(-2 * TARGET // base))

    def on_ack(self, sample: AckSample) -> None:
        if sample.rtt:
            self.delays.measured(sample.rtt, sample.now)
        super().on_ack(sample)

    def slow_start(self, sample: AckSample, round_ended: bool) -> None:
        now = sample.now
        if self._phase == _FROZEN:
            if now < self._bottom_until:
                return
            self._phase = _RAMP
        if self.ssthresh == UNKNOWN and self.delays.queuing > TARGET * 3 // 4:
            self.ssthresh = self.window
            self._settle(now)
        elif sample.limited:
            self._grow(self.gain * min(sample.acked, 2 * self.mss * sample.count))

    def avoid(self, sample: AckSample, round_ended: bool) -> None:
        now = sample.now
        if self._phase != _STEADY:
            self._settle(now)
        elif now >= self._slowdown_at:
            self._slow_down(now)
            return
        share = sample.acked / self.window  # of a round trip
        delay = self.delays.queuing
        gain = self.gain
        if delay < TARGET:
            if sample.limited:
                self._grow(gain * self.mss * share)
            return
        change = gain * self.mss - CONSTANT * self.window * (delay / TARGET - 1)
        self._grow(max(change, -self.window / 2) * share)
        self.window = max(self.window, MIN_CWND * self.mss)
        self.ssthresh = min(self.ssthresh, self.window)

    def _grow(self, octets: float) -> None:
        grown = self.window + self._fraction + octets
        self.window = int(grown)
        self._fraction = grown - self.window

    def _settle(self, now: int) -> None:
        """Slow start is over; when does the next slowdown begin?"""
        self._phase = _STEADY
        if self._slowed_at:
            self._slowdown_at = now + SLOWDOWN_PERIOD * (now - self._slowed_at)
        else:
            self._slowdown_at = now + SLOWDOWN_ROUNDS * self.rounds.srtt
        self._slowed_at = 0

    def _slow_down(self, now: int) -> None:
        self._phase = _FROZEN
        self._slowed_at = now
        self._slowdown_at = _NEVER
        self._bottom_until = now + SLOWDOWN_ROUNDS * self.rounds.srtt
        self.ssthresh = max(self.window, (MIN_CWND + 1) * self.mss)
        self.window = MIN_CWND * self.mss

    def on_loss(self, flight: int, now: int) -> None:
        if self._phase == _STEADY or self.ssthresh == UNKNOWN:
            super().on_loss(flight, now)
            return
        # What was lost belongs to the window before the slowdown: that one is halved.
        self._remember()
        self.ssthresh = max(self.ssthresh // 2, MIN_CWND * self.mss)
        self.window = min(self.window, self.ssthresh)

    def reduced(self, used: int) -> int:
        return used // 2
