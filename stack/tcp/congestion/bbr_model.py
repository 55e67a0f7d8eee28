# SPDX-License-Identifier: MIT
"""TCP congestion control: BBR's model of the path (draft-ietf-ccwg-bbr 5.5).

What the path can carry, learned from rate samples: the bandwidth and the round trip whose product
is the flight that fills it, how far acknowledgments come in lumps, and by how much recent losses
say that less is wise.  The long term lasts for two cycles of probing, the short term until the next
probe begins.  `bbr` decides by it what to try next; nothing here knows of its states.

Names are the draft's.  Octets, ns, octets per second.
"""

from __future__ import annotations

from typing import Final

from stack.base.units import MS, SECOND
from stack.tcp.congestion.seam import RateSample

INFINITE: Final = 1 << 62
LOSS_THRESH: Final = 0.02
BETA: Final = 0.7
HEADROOM: Final = 0.15
MIN_RTT_FILTER_LEN: Final = 10 * SECOND
PROBE_RTT_INTERVAL: Final = 5 * SECOND
PROBE_RTT_DURATION: Final = 200 * MS
EXTRA_ACKED_FILTER_LEN: Final = 10
_GROWTH: Final = 1.25  # of the rate in a round, or the pipe may be full
_FULL_ROUNDS: Final = 3


class PathModel:
    """One connection's path.

    max_bw, bw                  the most measured in two cycles; the same bounded by the short term
    min_rtt                     the least of ten seconds, INFINITE before the first
    round_count, round_start    round trips so far; this acknowledgment began one
    inflight_longterm           a flight that did not lose too much, INFINITE while none did
    inflight_shortterm          bounds since the last probe for bandwidth, INFINITE while nothing
    bw_shortterm                has been lost
    loss_in_round               something was lost in this round trip
    loss_round_start            a round trip since the first loss ended
    loss_ranges                 separate ranges lost in it
    inflight_latest             the most delivered within a round trip, of late
    extra_acked                 octets by which acknowledgments run ahead of the bandwidth
    full_bw_reached             the pipe has been full once; `full_bw_now`: since we last asked
    probe_rtt_expired           the least round trip of five seconds is to be measured anew
    total                       octets delivered
    """

    __slots__ = (
        "_aggregated",
        "_aggregated_since",
        "_bw_latest",
        "_bws",
        "_extra",
        "_extra_round",
        "_full_bw",
        "_full_count",
        "_lost_end",
        "_min_rtt_at",
        "_probe_rtt_min",
        "_round_ends",
        "bw",
        "bw_shortterm",
        "extra_acked",
        "full_bw_now",
        "full_bw_reached",
        "inflight_latest",
        "inflight_longterm",
        "inflight_shortterm",
        "loss_in_round",
        "loss_ranges",
        "loss_round_ends",
        "loss_round_start",
        "max_bw",
        "min_rtt",
        "probe_rtt_at",
        "probe_rtt_expired",
        "round_count",
        "round_start",
        "total",
    )

    def __init__(self, rtt: int, now: int) -> None:
        self.max_bw = self.bw = 0
        self._bws = [0, 0]  # the most of the last cycle, of this one
        self.min_rtt = self._probe_rtt_min = rtt or INFINITE
        self._min_rtt_at = self.probe_rtt_at = now
        self.probe_rtt_expired = False
        self.total = self.round_count = self._round_ends = 0
        self.round_start = False
        self.inflight_longterm = INFINITE
        self.inflight_shortterm = self.bw_shortterm = INFINITE
        self.loss_in_round = self.loss_round_start = False
        self.loss_round_ends = 0
        self.loss_ranges = self._lost_end = 0
        self._bw_latest = self.inflight_latest = 0
        self.extra_acked = self._extra_round = self._aggregated = 0
        self._extra = [0, 0]  # the most of the last rounds, of these
        self._aggregated_since = now
        self.full_bw_reached = self.full_bw_now = False
        self._full_bw = self._full_count = 0

    # An acknowledgment.

    def observe(self, sample: RateSample, window: int, probing: bool) -> None:
        """Take in `sample` (5.2.3, the first half); not `probing`, losses lower the short term."""
        self.total = sample.total
        self.loss_round_start = False
        self._bw_latest = max(self._bw_latest, sample.rate)
        self.inflight_latest = max(self.inflight_latest, sample.delivered)
        if sample.prior >= self.loss_round_ends:
            self.loss_round_ends = sample.total
            self.loss_round_start = True
        self._count_round(sample)
        if sample.rate and (sample.rate >= self.max_bw or not sample.app_limited):
            self._bws[1] = max(self._bws[1], sample.rate)
            self.max_bw = max(self._bws)
        if self.loss_round_start:
            if self.loss_in_round and not probing:
                self._lower(window)
            self.loss_in_round = False
        self._aggregate(sample, window)
        self._check_full(sample)

    def conclude(self, sample: RateSample) -> None:
        """The end of an acknowledgment (5.2.3, the second half)."""
        if self.loss_round_start:
            self._bw_latest = sample.rate
            self.inflight_latest = sample.delivered
            self.loss_ranges = 0
        self.bound()

    def bound(self) -> None:
        """The bandwidth to use."""
        self.bw = min(self.max_bw, self.bw_shortterm)

    def measure_rtt(self, sample: RateSample) -> None:
        """5.3.4.3: the least round trip of five seconds, and from it that of ten."""
        now, rtt = sample.now, sample.rtt
        self.probe_rtt_expired = now > self.probe_rtt_at + PROBE_RTT_INTERVAL
        if rtt and (rtt < self._probe_rtt_min or self.probe_rtt_expired):
            self._probe_rtt_min = rtt
            self.probe_rtt_at = now
        if self._probe_rtt_min < self.min_rtt or now > self._min_rtt_at + MIN_RTT_FILTER_LEN:
            self.min_rtt = self._probe_rtt_min
            self._min_rtt_at = self.probe_rtt_at

    def _count_round(self, sample: RateSample) -> None:
        self.round_start = sample.prior >= self._round_ends
        if self.round_start:
            self.start_round()
            self.round_count += 1

    def _aggregate(self, sample: RateSample, window: int) -> None:
        """5.5.9.  Two halves of the filter's length stand for a window that slides."""
        expected = self.bw * (sample.now - self._aggregated_since) // SECOND
        if self._aggregated <= expected:
            self.aggregate_from(sample.now)
            expected = 0
        self._aggregated += sample.acked
        extra = min(self._aggregated - expected, window)
        half = EXTRA_ACKED_FILTER_LEN // 2 if self.full_bw_reached else 1
        if self.round_count >= self._extra_round + half:
            self._extra = [self._extra[1] if self.full_bw_reached else 0, 0]
            self._extra_round = self.round_count
        self._extra[1] = max(self._extra[1], extra)
        self.extra_acked = max(self._extra)

    def _check_full(self, sample: RateSample) -> None:
        """5.3.1.2: three rounds without much growth."""
        if self.full_bw_now or not self.round_start or sample.app_limited:
            return
        if sample.rate >= self._full_bw * _GROWTH:
            self.look_for_full_pipe(sample.rate)
            return
        self._full_count += 1
        if self._full_count >= _FULL_ROUNDS:
            self.full_bw_now = self.full_bw_reached = True

    def _lower(self, window: int) -> None:
        """5.5.10.3: a round with losses brings the short term down to what was delivered in it."""
        if self.bw_shortterm == INFINITE:
            self.bw_shortterm = self.max_bw
        if self.inflight_shortterm == INFINITE:
            self.inflight_shortterm = window
        self.bw_shortterm = max(self._bw_latest, int(BETA * self.bw_shortterm))
        self.inflight_shortterm = max(self.inflight_latest, int(BETA * self.inflight_shortterm))

    # What the state machine asks for.

    def start_round(self) -> None:
        """A round trip begins with what is sent next."""
        self._round_ends = self.total

    def next_cycle(self) -> None:
        """Bandwidth from before the last cycle is forgotten, if this one has any."""
        if self._bws[1]:
            self._bws = [self._bws[1], 0]
            self.max_bw = max(self._bws)

    def look_for_full_pipe(self, base: int) -> None:
        """From now on, by growth over `base`."""
        self._full_bw = base
        self._full_count = 0
        self.full_bw_now = False

    def forget_signals(self) -> None:
        """Losses and deliveries so far concern another phase."""
        self.loss_in_round = False
        self.loss_ranges = 0
        self._bw_latest = self.inflight_latest = 0

    def forget_short_term(self) -> None:
        self.bw_shortterm = self.inflight_shortterm = INFINITE

    def aggregate_from(self, now: int) -> None:
        """Acknowledgments are expected from `now` on."""
        self._aggregated = 0
        self._aggregated_since = now

    def lost(self, start: int, end: int) -> None:
        """[start, end) was lost."""
        if not self.loss_in_round:
            self.loss_round_ends = self.total
            self.loss_in_round = True
        if start != self._lost_end:
            self.loss_ranges += 1
        self._lost_end = end

    def bdp(self, gain: float = 1.0) -> int:
        """`gain` times what fills the path; known only once `min_rtt` is."""
        return int(gain * self.bw * self.min_rtt / SECOND)

    def with_headroom(self, mss: int) -> int:
        """The long-term bound less what others may need."""
        longterm = self.inflight_longterm
        if longterm == INFINITE:
            return INFINITE
        return longterm - max(mss, int(HEADROOM * longterm))
