# SPDX-License-Identifier: MIT
"""TCP congestion control: what all algorithms with a congestion window share.

Done here, once: the initial window (RFC 6928, chosen by Config), slow start (RFC 5681 3.1) with
byte counting (RFC 3465) or HyStart++ (RFC 9406), the loss window after a time-out (RFC 5681 3.1),
the end of recovery (RFC 6582 3.2), restart after idleness (RFC 5681 4.1), validation of the
window (RFC 7661), undo of what a spurious loss did (RFC 4015 in its simplest form).

An algorithm adds `avoid`, its congestion avoidance, and `reduced`, its multiplicative decrease.

During recovery the window stays at ssthresh; how much is sent meanwhile is decided by PRR, or
without SACK by what duplicate acknowledgments say has left the network (`loss/`).
"""

from __future__ import annotations

from typing import ClassVar, Final

from stack.tcp.congestion.hystart import HyStart
from stack.tcp.congestion.rounds import Rounds
from stack.tcp.congestion.seam import AckSample, CongestionControl
from stack.tcp.congestion.validation import Validation

UNKNOWN: Final = 1 << 30
"""ssthresh before anything was lost: "arbitrarily high" (RFC 5681 3.1)."""
_APPROPRIATE: Final = 2  # RFC 3465's L: segments of growth per ACK in slow start


class WindowBased(CongestionControl):
    """Slow start, then whatever the subclass does.

    mss      octets of a full segment
    rounds   round trips and their delays
    """

    delay_aware: ClassVar[bool] = False
    """HyStart++ watches the initial slow start."""

    __slots__ = (
        "_before",
        "_hystart",
        "_initial",
        "mss",
        "rounds",
        "ssthresh",
        "validation",
        "window",
    )

    def __init__(self) -> None:
        self.mss = 536
        self.window = 0
        self.ssthresh = UNKNOWN
        self.rounds = Rounds()
        self.validation = Validation()
        self._initial = 0
        self._hystart = HyStart() if self.delay_aware else None
        self._before = (0, UNKNOWN)  # window and ssthresh before the last reduction

    # What an algorithm adds.

    def avoid(self, sample: AckSample, round_ended: bool) -> None:
        """Congestion avoidance: an acknowledgment arrived, the window being at ssthresh or above.

        Grow only if `sample.limited`.
        """
        raise NotImplementedError

    def reduced(self, used: int) -> int:
        """The window after a loss, `used` octets having been in the network."""
        raise NotImplementedError

    # What they share.

    def start(self, mss: int, segments: int) -> None:
        self.mss = mss
        self.window = self._initial = segments * mss

    def resize(self, mss: int) -> None:
        # As many segments when they shrink, as many octets when they grow (RFC 4821 7.6.1).
        self.window = max(mss, self.window * min(mss, self.mss) // self.mss)
        self.ssthresh = max(self.ssthresh, 2 * mss)
        self._initial = self._initial // self.mss * mss
        self.mss = mss

    def on_ack(self, sample: AckSample) -> None:
        rounds = self.rounds
        ended = rounds.acked(sample)
        if self.window < self.ssthresh:
            self.slow_start(sample, ended)
        else:
            self.avoid(sample, ended)
        if ended:
            rounds.next(sample)
            now, validation = sample.now, self.validation
            validation.measured(rounds.volume, rounds.srtt, now)
            if validation.expired(self.window, now):
                self._keep_threshold()
                self.window = max(self.window // 2, min(self._initial, self.window))

    def slow_start(self, sample: AckSample, round_ended: bool) -> None:
        """RFC 5681 3.1: a segment for each that was acknowledged, or HyStart++'s share."""
        # As long as half of the window is used it is valid, and doubling it no leap into the dark
        # (RFC 7661 4.3).
        rounds = self.rounds
        window = self.window
        limited = sample.limited or 2 * rounds.peak > window or 2 * rounds.before > window
        hystart = self._hystart
        if hystart is None or self.ssthresh != UNKNOWN:
            if limited:
                self.window += min(sample.acked, _APPROPRIATE * self.mss * sample.count)
            return
        hystart.watch(rounds)
        if limited:
            self.window += hystart.growth(sample.acked, self.mss * sample.count)
        if round_ended and hystart.round_ended():
            self.ssthresh = self.window

    def on_loss(self, flight: int, now: int) -> None:
        self._remember()
        used = self.validation.used(self.window, flight)
        self.ssthresh = max(self.reduced(used), 2 * self.mss)
        self.window = self.ssthresh

    def on_recovered(self, flight: int) -> None:
        # RFC 6582 3.2 step 3, full acknowledgment, first choice: no burst after recovery.
        self.window = min(self.ssthresh, max(flight, self.mss) + self.mss)
        self.rounds.restart()
        self.validation.forget()

    def on_timeout(self, flight: int, again: bool, now: int) -> None:
        if not again:
            self._remember()
            used = self.validation.used(self.window, flight)
            self.ssthresh = max(self.reduced(used), 2 * self.mss)
        self.window = self.mss
        self.rounds.restart()
        self.validation.forget()

    def on_undo(self) -> None:
        window, ssthresh = self._before
        if self.window < window:
            self.window, self.ssthresh = window, ssthresh

    def after_idle(self) -> None:
        if self.window > self._initial:
            self._keep_threshold()
            self.window = self._initial
        if self._hystart is not None:
            self._hystart = HyStart()
        self.rounds.restart()
        self.validation.forget()

    def _remember(self) -> None:
        self._before = (self.window, self.ssthresh)

    def _keep_threshold(self) -> None:
        """RFC 7661 4.4.3: slow start leads back to most of a window that is being given up."""
        self.ssthresh = max(self.ssthresh, 3 * self.window // 4)
