# SPDX-License-Identifier: MIT
"""TCP congestion control: round trips, as several algorithms count them (RFC 9406 4.2, RFC 7661).

A round ends when the last octet that was in flight at its beginning is acknowledged.  Offsets
here count only what `AckSample` reported, so a recovery in between has to be told with `restart`.
"""

from __future__ import annotations

from typing import Final

from stack.tcp.congestion.seam import AckSample

NO_RTT: Final = 1 << 62
"""Larger than every measurement."""


class Rounds:
    """The current round trip and the one before.

    rtt      smallest measurement of this round in ns, or NO_RTT
    last     the same of the round before
    samples  measurements in this round
    volume   octets acknowledged in the last whole round
    srtt     the smoothed round-trip time (RFC 6298 2.3), or 0
    base     the smallest measurement ever, or NO_RTT
    peak     the most octets that were in flight in this round
    before   the same of the round before
    """

    __slots__ = (
        "_acked",
        "_began",
        "_end",
        "base",
        "before",
        "last",
        "peak",
        "rtt",
        "samples",
        "srtt",
        "volume",
    )

    def __init__(self) -> None:
        self.rtt = self.last = self.base = NO_RTT
        self.samples = self.volume = self.srtt = 0
        self.peak = self.before = 0
        self._acked = 0  # octets acknowledged so far
        self._began = 0  # the same when this round began
        self._end = 0  # and when it will end

    def acked(self, sample: AckSample) -> bool:
        """An acknowledgment.  True if it is the last of its round; `next` then begins another."""
        self._acked += sample.acked
        if sample.flight > self.peak:
            self.peak = sample.flight
        rtt = sample.rtt
        if rtt:
            self.samples += 1
            self.srtt = (7 * self.srtt + rtt) // 8 if self.srtt else rtt
            if rtt < self.rtt:
                self.rtt = rtt
                if rtt < self.base:
                    self.base = rtt
        return self._acked >= self._end

    def next(self, sample: AckSample) -> None:
        """What is in flight after `sample` makes the next round."""
        self.volume = self._acked - self._began
        self._began = self._acked
        self._end = self._acked + sample.flight - sample.acked
        self.last, self.rtt = self.rtt, NO_RTT
        self.before, self.peak = self.peak, 0
        self.samples = 0

    def restart(self) -> None:
        """Measurements from before do not belong together with those to come."""
        self._began = self._end = self._acked
        self.last = self.rtt = NO_RTT
        self.peak = self.before = 0
        self.samples = 0
