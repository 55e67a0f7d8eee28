# SPDX-License-Identifier: MIT
"""TCP congestion control: Reno (RFC 5681), byte counting (RFC 3465), restart (RFC 5681 4.1).

During recovery the window stays at ssthresh and the scoreboard's pipe shrinks with every
duplicate or selective acknowledgment, which is RFC 6675's accounting; without SACK it amounts
to RFC 5681's inflation and deflation.
"""

from __future__ import annotations

from typing import Final

from stack.tcp.congestion.seam import AckSample, CongestionControl

_UNKNOWN: Final = 1 << 30  # "arbitrarily high" (RFC 5681 3.1)
_APPROPRIATE: Final = 2  # RFC 3465's L: segments of growth per ACK in slow start


class Reno(CongestionControl):
    """The algorithm every other is compared with."""

    __slots__ = ("_counted", "_initial", "_mss", "ssthresh", "window")

    def __init__(self) -> None:
        self._mss = 536
        self._initial = 0
        self._counted = 0  # octets acknowledged towards the next increase
        self.window = 0
        self.ssthresh = _UNKNOWN

    def start(self, mss: int, segments: int) -> None:
        self._mss = mss
        self._initial = segments * mss
        self.window = self._initial

    def resize(self, mss: int) -> None:
        self.window = max(mss, self.window * mss // self._mss)
        self._initial = self._initial // self._mss * mss
        self._mss = mss

    def on_ack(self, sample: AckSample) -> None:
        if not sample.limited:
            return  # a window that was not used proves nothing (RFC 7661)
        mss = self._mss
        if self.window < self.ssthresh:
            self.window += min(sample.acked, _APPROPRIATE * mss)
            return
        self._counted += sample.acked
        if self._counted >= self.window:
            self._counted -= self.window
            self.window += mss

    def on_loss(self, flight: int, now: int) -> None:
        self.ssthresh = max(flight // 2, 2 * self._mss)
        self.window = self.ssthresh
        self._counted = 0

    def on_recovered(self, flight: int) -> None:
        # RFC 6582 3.2 step 3, full acknowledgment, first choice: no burst after recovery.
        self.window = min(self.ssthresh, max(flight, self._mss) + self._mss)

    def on_timeout(self, flight: int, again: bool, now: int) -> None:
        if not again:
            self.ssthresh = max(flight // 2, 2 * self._mss)
        self.window = self._mss
        self._counted = 0

    def after_idle(self) -> None:
        self.window = min(self.window, self._initial)
