# SPDX-License-Identifier: MIT
"""TCP congestion control: CUBIC (RFC 9438), the default.

Done: the window function (4.2) with time that counts only while the window is what holds the
connection back, the Reno-friendly region (4.3), concave and convex regions (4.4, 4.5),
multiplicative decrease (4.6), fast convergence (4.7), time-out (4.8), restoring after spurious
events (4.9), HyStart++ in slow start (4.10).  A router's mark (ECN) is told as a loss.

Windows are octets, times ns; the RFC's segments and seconds appear in `_cubic` only.  Floating
point is deterministic, and nothing here needs more than its 53 bits.
"""

from __future__ import annotations

from math import cbrt
from typing import ClassVar, Final

from stack.base.units import SECOND
from stack.tcp.congestion.seam import AckSample
from stack.tcp.congestion.window import WindowBased

C: Final = 0.4
BETA: Final = 0.7
ALPHA: Final = 3 * (1 - BETA) / (1 + BETA)
"""What makes AIMD(ALPHA, BETA) as fast on average as Reno's AIMD(1, 0.5)."""


class Cubic(WindowBased):
    """A window that is a cubic function of the time since the last reduction.

    w_max       octets at which the function is flat
    k           seconds from the beginning of the epoch to there
    w_est       what Reno would have by now
    elapsed     ns of the epoch in which the window was in use
    """

    delay_aware: ClassVar[bool] = True

    __slots__ = (
        "_at",
        "_fraction",
        "_lossless",
        "_prior",
        "_saved",
        "_started",
        "_was_limited",
        "elapsed",
        "k",
        "w_est",
        "w_max",
    )

    def __init__(self) -> None:
        super().__init__()
        self.w_max = self.w_est = self.k = 0.0
        self.elapsed = 0
        self._started = False  # an epoch, one stage of congestion avoidance
        self._lossless = True  # slow start ended by itself, or after a time-out: no old maximum
        self._prior = 0  # cwnd_prior: the window before ssthresh was last set
        self._at = 0  # when the last acknowledgment came
        self._was_limited = False
        self._fraction = 0.0  # of an octet, not yet in the window
        self._saved = (0.0, 0.0, 0.0, 0, False, True, 0)

    def resize(self, mss: int) -> None:
        scale = min(mss / self.mss, 1.0)
        super().resize(mss)
        self.w_max *= scale
        self.w_est *= scale
        self._prior = int(self._prior * scale)

    def avoid(self, sample: AckSample, round_ended: bool) -> None:
        if not self._started:
            self._begin()
        elif sample.limited and self._was_limited:
            self.elapsed += sample.now - self._at
        self._at = sample.now
        self._was_limited = sample.limited
        if not sample.limited:
            return
        window = self.window
        alpha = ALPHA if self.w_est < self._prior else 1.0
        self.w_est += alpha * self.mss * sample.acked / window
        grown = window + self._fraction
        if self._cubic(self.elapsed) < self.w_est:
            grown = max(self.w_est, grown)
        else:
            target = min(self._cubic(self.elapsed + self.rounds.srtt), 1.5 * window)
            grown += max(target - window, 0.0) * sample.acked / window
        self.window = int(grown)
        self._fraction = grown - self.window

    def _begin(self) -> None:
        """A stage of congestion avoidance begins (4.2, 4.8, 4.10)."""
        self._started = True
        self._was_limited = False
        self.elapsed = 0
        self._fraction = 0.0
        self.w_est = float(self.window)
        if self._lossless or self.w_max < self.window:
            self.w_max = float(self.window)
        self.k = cbrt((self.w_max - self.window) / self.mss / C)

    def _cubic(self, elapsed: int) -> float:
        """W_cubic: octets at `elapsed` ns into the epoch."""
        t = elapsed / SECOND
        return C * (t - self.k) ** 3 * self.mss + self.w_max

    def on_loss(self, flight: int, now: int) -> None:
        self._save()
        # Fast convergence: below the last maximum somebody else needs room, so leave some.  In
        # whole segments, or a flow alone would take its own rounding for somebody else.
        shrinking = self.window // self.mss < self.w_max // self.mss
        self.w_max = self.window * (1 + BETA) / 2 if shrinking else float(self.window)
        self._prior = self.window
        self._started = False
        self._lossless = False
        super().on_loss(flight, now)

    def on_timeout(self, flight: int, again: bool, now: int) -> None:
        if not again:
            self._save()
            self._prior = self.window
        self._started = False
        self._lossless = True
        super().on_timeout(flight, again, now)

    def reduced(self, used: int) -> int:
        return int(used * BETA)

    def on_undo(self) -> None:
        if self.window >= self._before[0]:
            return  # what has been learned since is worth more
        super().on_undo()
        (
            self.w_max,
            self.k,
            self.w_est,
            self.elapsed,
            self._started,
            self._lossless,
            self._prior,
        ) = self._saved

    def after_idle(self) -> None:
        super().after_idle()
        self._was_limited = False

    def _save(self) -> None:
        self._saved = (
            self.w_max,
            self.k,
            self.w_est,
            self.elapsed,
            self._started,
            self._lossless,
            self._prior,
        )
