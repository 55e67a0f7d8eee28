# SPDX-License-Identifier: MIT
"""TCP congestion control: Compound TCP (draft-sridharan-tcpm-ctcp-02; Tan et al., INFOCOM 2006).

A loss-based window as Reno's, and beside it a delay-based one that takes what is free and gives
it back as a queue builds up.  Done: both windows, their decrease at a loss, gamma and its tuning
by what Reno alone would have queued, none of it below the window at which Reno is good enough.
Slow start is watched by HyStart++, which came later than the draft.

Not settled by the draft: the delay of a round is the smallest measured in it, which leaves the
peer's delayed acknowledgments out; gamma follows a new sample by half.
"""

from __future__ import annotations

from typing import ClassVar, Final

from stack.tcp.congestion.rounds import NO_RTT
from stack.tcp.congestion.seam import AckSample
from stack.tcp.congestion.window import WindowBased

ALPHA: Final = 0.125
BETA: Final = 0.5
K: Final = 0.75
ZETA: Final = 1.0
GAMMA: Final = 30.0
GAMMA_LOW: Final = 5.0
LAMBDA: Final = 0.5
LOW_WINDOW: Final = 38
"""Segments of loss window below which there is no delay window (RFC 3649's Low_Window)."""
_UNMEASURED: Final = -1.0


class Compound(WindowBased):
    """window = loss window + delay window.

    dwnd    octets of the delay window
    gamma   segments in the queue at which it begins to shrink
    """

    delay_aware: ClassVar[bool] = True

    __slots__ = ("_counted", "_diff_reno", "dwnd", "gamma")

    def __init__(self) -> None:
        super().__init__()
        self.dwnd = 0
        self.gamma = GAMMA
        self._counted = 0  # octets acknowledged towards the loss window's next increase
        self._diff_reno = _UNMEASURED  # segments the loss window alone would have queued

    @property
    def cwnd(self) -> int:
        """Octets of the loss window."""
        return self.window - self.dwnd

    def resize(self, mss: int) -> None:
        self.dwnd = self.dwnd * min(mss, self.mss) // self.mss
        super().resize(mss)

    def avoid(self, sample: AckSample, round_ended: bool) -> None:
        if sample.limited:
            self._counted += sample.acked
            if self._counted >= self.window:
                self._counted -= self.window
                self.window += self.mss
        if round_ended and self.rounds.rtt != NO_RTT:
            self._adjust(sample.limited)

    def _adjust(self, limited: bool) -> None:
        """Once a round trip, the delay window."""
        mss, cwnd = self.mss, self.cwnd
        queued = 1 - self.rounds.base / self.rounds.rtt  # share of the window
        segments = self.window / mss
        diff = segments * queued
        self._diff_reno = cwnd / mss * queued
        dwnd = self.dwnd / mss
        if cwnd < LOW_WINDOW * mss:
            dwnd = 0.0
        elif diff >= self.gamma:
            dwnd = max(dwnd - ZETA * diff, 0.0)
        elif limited:
            dwnd += max(ALPHA * segments**K - 1, 0.0)
        self.dwnd = int(dwnd * mss)
        self.window = cwnd + self.dwnd

    def on_loss(self, flight: int, now: int) -> None:
        if self._diff_reno != _UNMEASURED:
            sample = self._diff_reno * 3 / 4
            self.gamma += LAMBDA * (sample - self.gamma)
            self.gamma = min(max(self.gamma, GAMMA_LOW), GAMMA)
            self._diff_reno = _UNMEASURED
        cwnd = self.cwnd
        super().on_loss(flight, now)
        self.dwnd = max(self.window - max(cwnd // 2, 2 * self.mss), 0)

    def on_recovered(self, flight: int) -> None:
        super().on_recovered(flight)
        self.dwnd = max(min(self.dwnd, self.window - 2 * self.mss), 0)

    def on_timeout(self, flight: int, again: bool, now: int) -> None:
        super().on_timeout(flight, again, now)
        self.dwnd = 0

    def reduced(self, used: int) -> int:
        self._counted = 0
        return int(used * (1 - BETA))

    def on_undo(self) -> None:
        super().on_undo()
        self.dwnd = 0

    def after_idle(self) -> None:
        super().after_idle()
        self.dwnd = 0
