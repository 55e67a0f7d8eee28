# SPDX-License-Identifier: MIT
"""TCP: the round-trip estimator and the retransmission time-out (RFC 6298 2-3, 5.5-5.7).

Samples come from send times in nanoseconds, not from the timestamp option, whose milliseconds
are coarse on a fast link; the caller obeys Karn's rule.
"""

from __future__ import annotations

from stack.base.units import MS, SECOND

_GRANULARITY = MS
_AFTER_LOST_SYN = 3 * SECOND
_LEAST_FOR = 300 * SECOND


class RttEstimator:
    """SRTT, RTTVAR and RTO of one connection; all in ns, 0 before the first sample."""

    __slots__ = ("_initial", "_max", "_min", "backoff", "least", "least_at", "rto", "srtt", "var")

    def __init__(self, initial: int, least: int, most: int) -> None:
        self._initial = initial
        self._min = least
        self._max = most
        self.srtt = 0
        self.var = 0
        self.rto = initial  # before back-off
        self.backoff = 0  # doublings in force
        self.least = 0  # the shortest round trip of the last minutes
        self.least_at = 0

    def sample(self, rtt: int, now: int = 0) -> None:
        """A measurement (RFC 6298 2.2-2.4).  It also ends the back-off (5.7)."""
        if rtt <= self.least or not self.least or now - self.least_at > _LEAST_FOR:
            self.least = rtt
            self.least_at = now
        if self.srtt == 0:
            self.srtt = rtt
            self.var = rtt >> 1
        else:
            error = rtt - self.srtt
            self.var += ((error if error > 0 else -error) - self.var) >> 2
            self.srtt += error >> 3
        margin = 4 * self.var
        rto = self.srtt + (margin if margin > _GRANULARITY else _GRANULARITY)
        if rto < self._min:
            rto = self._min
        self.rto = rto if rto < self._max else self._max
        self.backoff = 0

    def timeout(self) -> int:
        """How long to wait for an acknowledgment now."""
        rto = self.rto << self.backoff
        return rto if rto < self._max else self._max

    def back_off(self) -> None:
        """The time-out expired (5.5)."""
        if self.rto << self.backoff < self._max:
            self.backoff += 1

    def syn_was_lost(self) -> None:
        """The handshake needed a retransmission: data starts with 3 s (RFC 6298 5.7)."""
        if self.srtt == 0:
            self.rto = max(self.rto, _AFTER_LOST_SYN)
        self.backoff = 0
