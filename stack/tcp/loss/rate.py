# SPDX-License-Identifier: MIT
"""TCP loss: how fast the network delivers (draft-ietf-ccwg-bbr 4.1, which took over
draft-cheng-iccrg-delivery-rate-estimation).

When a span leaves, what had been delivered by then is noted with it; when it has arrived, what was
delivered in between, by the longer of the times it took to send and to be acknowledged, is a
sample.  All parts of a span that a SACK cuts share one note: how much was in flight when the last
octet of a part left follows from its offset.

Done: 4.1.2 whole, with the least round trip as the shortest credible interval.  Not done: counting
duplicate ACKs as deliveries for a peer without SACK (4.1.3.5); samples are the coarser for it.

One `RateSampler` per connection whose congestion control wants rates.  It lies in the scoreboard,
which calls `sent` and `given_up`; `acking` says what arrived, `output` what there was to send.
"""

from __future__ import annotations

from typing import Final

from stack.base.seam import Env
from stack.base.units import SECOND
from stack.tcp.congestion.seam import CongestionControl, LossSample, RateSample
from stack.tcp.loss.scoreboard import NOT_MEASURED, Acked
from stack.tcp.tcb import NO_RECOVERY, Tcb

NOT_LIMITED: Final = 0


class Sent:
    """What was known when a span left.

    at            when that was
    end           the span's end
    flight        octets in flight, the span included
    delivered     octets delivered by then
    delivered_at  when the last of them were
    first_at      when the octets left whose delivery began the sending interval
    lost          octets given up by then
    app_limited   there was too little to send
    """

    __slots__ = (
        "app_limited",
        "at",
        "delivered",
        "delivered_at",
        "end",
        "first_at",
        "flight",
        "lost",
    )

    def __init__(self, rate: RateSampler, flight: int, end: int, now: int) -> None:
        self.at = now
        self.end = end
        self.flight = flight
        self.delivered = rate.delivered
        self.delivered_at = rate.delivered_at
        self.first_at = rate.first_at
        self.lost = rate.lost
        self.app_limited = rate.limited_until != NOT_LIMITED


class RateSampler:
    """The state of one connection (4.1.2.1.1).

    delivered      octets delivered so far
    delivered_at   when the last of them were
    first_at       when the span left that was delivered last
    lost           octets given up so far
    limited_until  `delivered` behind the last octet sent while there was too little to send
    full_at        `delivered` when the window was last full, -1 before that
    drained        everything has been sent, and the window would have allowed more
    """

    __slots__ = (
        "_cc",
        "_env",
        "_lost_before",
        "delivered",
        "delivered_at",
        "drained",
        "first_at",
        "full_at",
        "limited_until",
        "lost",
    )

    def __init__(self, cc: CongestionControl, env: Env) -> None:
        self._cc = cc
        self._env = env
        self._lost_before = 0  # `lost` at the last sample
        self.delivered = 0
        self.delivered_at = self.first_at = env.now
        self.lost = 0
        self.limited_until = NOT_LIMITED
        self.full_at = -1
        self.drained = False

    # What the scoreboard says.

    def sent(self, flight: int, size: int, end: int, now: int) -> Sent:
        """`size` octets up to `end` left, which makes `flight` in the network."""
        if flight <= size:
            self.first_at = self.delivered_at = now
        return Sent(self, flight, end, now)

    def given_up(self, sent: Sent, start: int, end: int) -> None:
        """[start, end) is lost."""
        self.lost += end - start
        loss = LossSample(start, end, self.delivered, self._env.now)
        loss.sent_flight = sent.flight - max(sent.end - end, 0)
        loss.sent_lost = self.lost - sent.lost
        loss.app_limited = sent.app_limited
        self._cc.on_lost(loss)

    # What acknowledgments say.

    def arrived(self, result: Acked) -> None:
        """Before anything is concluded from it: what an acknowledgment delivered."""
        self.delivered += result.delivered
        if result.delivered:
            self.delivered_at = self._env.now

    def report(self, tcb: Tcb, result: Acked) -> None:
        """After losses were found: the sample (4.1.2.3)."""
        now = self._env.now
        if self.limited_until and self.delivered > self.limited_until:
            self.limited_until = NOT_LIMITED
        if not result.delivered:
            return
        flight = tcb.pipe
        sample = RateSample(result.delivered, self.delivered, flight, now)
        sample.lost = self.lost - self._lost_before
        self._lost_before = self.lost
        sample.recovering = tcb.recover != NO_RECOVERY
        if result.sent_at != NOT_MEASURED:
            sample.rtt = max(now - result.sent_at, 1)
        newest = result.newest
        if newest is not None:
            self._measure(sample, newest, result.newest_end, tcb.rtt.least)
        self._cc.on_delivery(sample)
        if sample.dry:
            self.ran_dry(flight)

    def _measure(self, sample: RateSample, newest: Sent, end: int, least: int) -> None:
        """The rate at which all was delivered that came after `newest` had left."""
        sample.prior = newest.delivered
        sample.delivered = self.delivered - newest.delivered
        sample.sent_flight = newest.flight - max(newest.end - end, 0)
        sample.sent_lost = self.lost - newest.lost
        sample.app_limited = newest.app_limited
        sample.window_limited = self.full_at >= newest.delivered
        self.first_at = newest.at
        interval = max(newest.at - newest.first_at, sample.now - newest.delivered_at)
        if interval >= max(least, 1):
            sample.rate = sample.delivered * SECOND // interval

    # What output says.

    def supply(self, tcb: Tcb) -> None:
        """Before anything is sent: if there was nothing to send while something could have been
        sent, rates will be low for that reason."""
        pacer = tcb.pacer
        if self.drained and (pacer is None or pacer.next_at <= self._env.now):
            self.ran_dry(tcb.pipe)
        self.drained = False

    def full(self) -> None:
        """The window, and nothing else, keeps something from being sent."""
        self.full_at = self.delivered

    def ran_dry(self, flight: int) -> None:
        """There was nothing to send: until `flight` octets are delivered, rates are what the
        application made of them (4.1.2.4)."""
        self.limited_until = max(self.delivered + flight, 1)
