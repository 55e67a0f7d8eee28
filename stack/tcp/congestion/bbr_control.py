# SPDX-License-Identifier: MIT
"""TCP congestion control: what BBR lets out (draft-ietf-ccwg-bbr 5.6): pacing rate, send quantum
and window, from the model of the path and the state `bbr` is in.
"""

from __future__ import annotations

from typing import Final

from stack.base.units import MS, SECOND
from stack.tcp.congestion.bbr_model import INFINITE, PathModel
from stack.tcp.congestion.seam import CongestionControl, RateSample
from stack.tcp.congestion.window import UNKNOWN

STARTUP: Final = 0
DRAIN: Final = 1
DOWN: Final = 2
CRUISE: Final = 3
REFILL: Final = 4
UP: Final = 5
PROBE_RTT: Final = 6
PROBE_BW: Final = frozenset((DOWN, CRUISE, REFILL, UP))
PACING_GAIN: Final = (2.77, 0.5, 0.9, 1.0, 1.0, 1.25, 1.0)
_WINDOW_GAIN: Final = (2.0, 2.0, 2.0, 2.0, 2.0, 2.25, 0.5)

_MARGIN: Final = 0.99  # of the bandwidth, so that queues are not kept
_MIN_SEGMENTS: Final = 4
_LARGEST_QUANTUM: Final = 65536
_QUANTA: Final = 3  # in the sender, under way, at the receiver


class Controlled(CongestionControl):
    """The three parameters, and what they depend on.

    state       one of the above
    model       the path
    guessed     the pacing rate does not come from a measurement
    recovering  from a loss or a time-out, or about to
    """

    __slots__ = (
        "_initial",
        "_prior_window",
        "guessed",
        "model",
        "mss",
        "pacing_rate",
        "recovering",
        "send_quantum",
        "ssthresh",
        "state",
        "window",
    )

    def __init__(self) -> None:
        self.mss = 536
        self.window = self.pacing_rate = self.send_quantum = 0
        self.ssthresh = UNKNOWN  # BBR has none
        self.model = PathModel(0, 0)
        self.state = STARTUP
        self.guessed = True
        self.recovering = False
        self._initial = self._prior_window = 0

    def start(self, mss: int, segments: int) -> None:
        self.mss = mss
        self.window = self._initial = segments * mss

    def resize(self, mss: int) -> None:
        self._initial = self._initial // self.mss * mss
        self.mss = mss
        self.window = max(self.window, mss)

    def guess_rate(self, rtt: int) -> None:
        """Before there is a bandwidth: the initial window in a round trip, of a millisecond while
        that is not known either."""
        self.guessed = not rtt
        self.pacing_rate = int(PACING_GAIN[STARTUP] * self._initial * SECOND) // (rtt or MS)
        self._set_quantum()

    def set_rate(self, gain: float) -> None:
        rate = int(gain * self.model.bw * _MARGIN)
        if rate and (self.model.full_bw_reached or rate > self.pacing_rate):
            self.pacing_rate = rate
        self._set_quantum()

    def _set_quantum(self) -> None:
        quantum = min(self.pacing_rate * MS // SECOND, _LARGEST_QUANTUM)
        self.send_quantum = max(quantum, 2 * self.mss)

    def set_window(self, sample: RateSample) -> None:
        most = self.budgeted(self.bdp(_WINDOW_GAIN[self.state]) + self.model.extra_acked)
        window = self.window
        if self.model.full_bw_reached:
            window = min(window + sample.acked, most)
        elif window < most or sample.total < self._initial:
            window += sample.acked
        window = max(window, self.least)
        if self.state == PROBE_RTT:
            window = min(window, self.probe_rtt_window())
        self.window = min(window, self._cap())

    def _cap(self) -> int:
        """The most that losses seen so far suggest."""
        model = self.model
        cap = INFINITE
        if self.state in (CRUISE, PROBE_RTT):
            cap = model.with_headroom(self.mss)
        elif self.state in PROBE_BW:
            cap = model.inflight_longterm
        return max(min(cap, model.inflight_shortterm), self.least)

    def bdp(self, gain: float) -> int:
        return self._initial if self.model.min_rtt == INFINITE else self.model.bdp(gain)

    def budgeted(self, octets: int) -> int:
        """No less than keeps quanta and delayed acknowledgments going."""
        octets = max(octets, _QUANTA * self.send_quantum, self.least)
        return octets + 2 * self.mss if self.state == UP else octets

    def inflight(self, gain: float) -> int:
        return self.budgeted(self.bdp(gain))

    def target(self) -> int:
        return min(self.bdp(1.0), self.window)

    def probe_rtt_window(self) -> int:
        return max(self.bdp(_WINDOW_GAIN[PROBE_RTT]), self.least)

    @property
    def least(self) -> int:
        return _MIN_SEGMENTS * self.mss

    def save_window(self) -> None:
        """The last good window, which neither recovery nor ProbeRTT had made small."""
        if self.recovering or self.state == PROBE_RTT:
            self._prior_window = max(self._prior_window, self.window)
        else:
            self._prior_window = self.window

    def restore_window(self) -> None:
        self.window = max(self.window, self._prior_window)
