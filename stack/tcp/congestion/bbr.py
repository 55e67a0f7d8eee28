# SPDX-License-Identifier: MIT
"""TCP congestion control: BBR version 3 (draft-ietf-ccwg-bbr, editors' copy of August 2026).

BBR sends at the rate at which the path delivers and keeps in flight what fills it, both of which
it measures (`bbr_model`, `bbr_control`); now and then it sends faster to see whether there is
more, and less to see the path without a queue.

    STARTUP -> DRAIN -> DOWN -> CRUISE -> REFILL -> UP -> DOWN ..., and PROBE_RTT every five seconds

Done: section 5 whole, for which read it beside the draft: the four phases of ProbeBW with
precautionary probes, both ways out of Startup, restart from idle, the response to losses and
time-outs, taking it back, pacing rate, send quantum and window.

Not settled by the draft, or different from it: what to undo is saved once per recovery, as its
prose says, not once per round with losses; a time-out leaves one segment, not the flight and one;
the filter of extra_acked is two halves of its window; a router's mark (ECN), for which the draft
has no response of its own but demands one, counts as a loss.
"""

from __future__ import annotations

from typing import ClassVar, Final

from stack.base.units import SECOND
from stack.tcp.congestion.bbr_control import (
    CRUISE,
    DOWN,
    DRAIN,
    PACING_GAIN,
    PROBE_BW,
    PROBE_RTT,
    REFILL,
    STARTUP,
    UP,
    Controlled,
)
from stack.tcp.congestion.bbr_model import (
    BETA,
    INFINITE,
    LOSS_THRESH,
    PROBE_RTT_DURATION,
    PathModel,
)
from stack.tcp.congestion.seam import AckSample, LossSample, RateSample

_NO_STATE: Final = -1
_PROBING: Final = frozenset((STARTUP, REFILL, UP))

# What acknowledgments tell about a probe for bandwidth.
_INIT: Final = 0
_REFILLING: Final = 1
_STARTING: Final = 2
_FEEDBACK: Final = 3
_STOPPING: Final = 4

_STARTUP_LOSSES: Final = 6
_DRAIN_ROUNDS: Final = 3
_RENO_ROUNDS: Final = 63
_PROBE_WAIT: Final = 2 * SECOND  # and up to one more


class Bbr(Controlled):
    """One connection."""

    wants_rate: ClassVar[bool] = True
    own_recovery: ClassVar[bool] = True

    __slots__ = (
        "_ack_phase",
        "_chance",
        "_cycle_at",
        "_drain_round",
        "_idle_restart",
        "_precautionary",
        "_probe_rtt_done_at",
        "_probe_rtt_round_done",
        "_probe_sample",
        "_probe_wait",
        "_rounds_since_probe",
        "_sack",
        "_too_high",
        "_undo",
        "_undo_state",
        "_up_acked",
        "_up_per_step",
        "_up_rounds",
    )

    def __init__(self) -> None:
        super().__init__()
        self._sack = True
        self._chance = 1
        self._ack_phase = _INIT
        self._cycle_at = self._probe_wait = self._rounds_since_probe = 0
        self._probe_sample = False  # what is acknowledged now was sent to probe
        self._too_high = False  # the last probe was
        self._precautionary = False  # the last probe went no further than that
        self._up_acked = self._up_rounds = 0
        self._up_per_step = INFINITE
        self._drain_round = 0
        self._probe_rtt_done_at = 0
        self._probe_rtt_round_done = False
        self._idle_restart = False
        self._undo_state = _NO_STATE
        self._undo = (INFINITE, INFINITE, INFINITE)

    # What the connection tells.

    def settle_in(self, rtt: int, sack: bool, seed: int, now: int) -> None:
        self.model = PathModel(rtt, now)
        self._sack = sack
        self._chance = seed | 1
        self.guess_rate(rtt)

    def on_ack(self, sample: AckSample) -> None:
        pass  # `on_delivery` says more

    def on_delivery(self, sample: RateSample) -> None:
        model = self.model
        if self.recovering and not sample.recovering:
            self.recovering = False
            self.restore_window()
        model.observe(sample, self.window, self.state in _PROBING)
        self._rounds_since_probe += model.round_start
        if self.guessed and sample.rtt:
            self.guess_rate(sample.rtt)
        self._check_startup_loss(sample)
        if self.state == STARTUP and model.full_bw_reached:
            self.state = DRAIN
            self._drain_round = model.round_count
        if self.state == DRAIN and self._drained(sample.flight):
            self._go_down(sample.now)
        if model.full_bw_reached and not self._adapt(sample):
            self._cycle(sample)
        model.measure_rtt(sample)
        self._check_probe_rtt(sample)
        model.conclude(sample)
        self.set_rate(PACING_GAIN[self.state])
        if sample.prior >= 0:  # what left before we were asked, as the SYN did, tells nothing
            self.set_window(sample)

    def on_lost(self, sample: LossSample) -> None:
        self._note_loss()
        self.model.lost(sample.start, sample.end)
        lost, flight = sample.sent_lost, sample.sent_flight
        if self._probe_sample and self._loses_too_much(lost, flight):
            # Where in the span, which may be large, did it become too much?
            size = sample.end - sample.start
            before = flight - size
            share = (LOSS_THRESH * before - (lost - size)) / (1 - LOSS_THRESH)
            self._inflight_too_high(int(before + share), sample.app_limited, sample.now)

    def on_congestion(self, flight: int, now: int) -> None:
        self._note_loss()
        self.model.lost(0, 0)
        if self._probe_sample:
            self._inflight_too_high(flight, False, now)

    def on_loss(self, flight: int, now: int) -> None:
        self._note_loss()

    def on_recovered(self, flight: int) -> None:
        pass  # the next sample is not `recovering`

    def on_timeout(self, flight: int, again: bool, now: int) -> None:
        self._note_loss()
        self.window = self.mss

    def on_undo(self) -> None:
        """5.5.11.2."""
        model = self.model
        self.recovering = False
        self.restore_window()
        model.loss_in_round = False
        model.look_for_full_pipe(0)
        bw, shortterm, longterm = self._undo
        model.bw_shortterm = max(model.bw_shortterm, bw)
        model.inflight_shortterm = max(model.inflight_shortterm, shortterm)
        model.inflight_longterm = max(model.inflight_longterm, longterm)
        model.bound()
        back, self._undo_state = self._undo_state, _NO_STATE
        if back == STARTUP and self.state != STARTUP:
            model.full_bw_reached = False
            if self.state != PROBE_RTT:
                self.state = STARTUP
        elif back == UP and self.state not in (UP, PROBE_RTT):
            self._refill()

    def after_idle(self) -> None:
        pass  # the window stays: what is sent is paced

    def on_restart(self, now: int) -> None:
        self._idle_restart = True
        self.model.aggregate_from(now)
        if self.state in PROBE_BW:
            self.set_rate(1.0)
        elif self.state == PROBE_RTT:
            self._check_probe_rtt_done(now)

    # Startup and Drain (5.3.1, 5.3.2).

    def _check_startup_loss(self, sample: RateSample) -> None:
        """5.3.1.3: a whole round of recovery that lost too much, and in many places."""
        model = self.model
        if model.full_bw_reached or not sample.recovering:
            return
        if self._sack:
            high = (
                model.loss_round_start
                and model.loss_ranges >= _STARTUP_LOSSES
                and self._loses_too_much(sample.sent_lost, sample.sent_flight)
            )
        else:
            high = model.loss_ranges > 0
        if high:
            self._undo_state = STARTUP
            model.full_bw_reached = model.full_bw_now = True
            model.inflight_longterm = max(self.bdp(1.0), model.inflight_latest)

    def _drained(self, flight: int) -> bool:
        waited = self.model.round_count - self._drain_round
        return flight <= self.inflight(1.0) or waited > _DRAIN_ROUNDS

    # ProbeBW (5.3.3).

    def _go_down(self, now: int) -> None:
        self.model.forget_signals()
        self._up_per_step = INFINITE
        self._rounds_since_probe = self._draw(2)
        self._probe_wait = _PROBE_WAIT + self._draw(SECOND)
        self._cycle_at = now
        self._ack_phase = _STOPPING
        self.model.start_round()
        self.state = DOWN

    def _refill(self) -> None:
        self.model.forget_short_term()
        self._up_rounds = self._up_acked = 0
        self._precautionary = False
        self._ack_phase = _REFILLING
        self.model.start_round()
        self.state = REFILL

    def _go_up(self, sample: RateSample) -> None:
        self._ack_phase = _STARTING
        self.model.start_round()
        self.model.look_for_full_pipe(sample.rate)
        self.state = UP
        self._steepen()

    def _cycle(self, sample: RateSample) -> None:
        state = self.state
        if state in (DOWN, CRUISE):
            if self._time_to_probe(sample.now):
                self._refill()
            elif state == DOWN and self._time_to_cruise(sample.flight):
                self.state = CRUISE
        elif state == REFILL:
            if self.model.round_start:
                self._probe_sample = True
                self._go_up(sample)
        elif state == UP and self._time_to_go_down(sample):
            self._too_high = False  # nothing was lost yet
            self._go_down(sample.now)

    def _time_to_probe(self, now: int) -> bool:
        """After two to three seconds, or when Reno would have grown by as much."""
        rounds = min(self.target() // self.mss, _RENO_ROUNDS)
        return now > self._cycle_at + self._probe_wait or self._rounds_since_probe >= rounds

    def _time_to_cruise(self, flight: int) -> bool:
        model = self.model
        headroom = max(model.with_headroom(self.mss), self.least)
        full = self.budgeted(int(model.max_bw * model.min_rtt / SECOND))
        return flight <= headroom and flight <= full

    def _time_to_go_down(self, sample: RateSample) -> bool:
        model = self.model
        if self._too_high and sample.flight >= model.inflight_longterm:
            self._precautionary = True
            return True
        if sample.window_limited and self.window >= model.inflight_longterm:
            model.look_for_full_pipe(sample.rate)  # it is the bound that limits the bandwidth
            return False
        return model.full_bw_now

    def _adapt(self, sample: RateSample) -> bool:
        """The long-term model, from what a probe has brought; True if a state has ended by it."""
        model = self.model
        if self._ack_phase == _STARTING and model.round_start:
            self._ack_phase = _FEEDBACK
        if self._ack_phase == _STOPPING and model.round_start:
            self._probe_sample = False
            self._ack_phase = _INIT
            if self.state in PROBE_BW:
                if not sample.app_limited:
                    model.next_cycle()
                if self._precautionary and not self._too_high:
                    self._refill()
                    return True
        if model.inflight_longterm != INFINITE and not self._loses_too_much(
            sample.sent_lost, sample.sent_flight
        ):
            model.inflight_longterm = max(model.inflight_longterm, sample.sent_flight)
            if self.state == UP:
                self._raise_longterm(sample)
        return False

    def _steepen(self) -> None:
        """The long-term bound grows by 1, 2, 4 ... segments per round of a probe."""
        growth = 1 << self._up_rounds
        self._up_rounds = min(self._up_rounds + 1, 30)
        self._up_per_step = max(self.window // growth, self.mss)

    def _raise_longterm(self, sample: RateSample) -> None:
        model = self.model
        if not sample.window_limited or self.window < model.inflight_longterm:
            return
        self._up_acked += sample.acked
        steps, self._up_acked = divmod(self._up_acked, self._up_per_step)
        model.inflight_longterm += steps * self.mss
        if model.round_start:
            self._steepen()

    # Losses (5.5.10, 5.5.11).

    def _note_loss(self) -> None:
        """Remember what is about to change, should the recovery that begins be a mistake."""
        if self.recovering:
            return
        model = self.model
        self.save_window()
        self.recovering = True
        self._undo_state = _NO_STATE
        self._undo = (model.bw_shortterm, model.inflight_shortterm, model.inflight_longterm)

    def _loses_too_much(self, lost: int, flight: int) -> bool:
        return lost > flight * LOSS_THRESH or (lost > 0 and not self._sack)

    def _inflight_too_high(self, flight: int, app_limited: bool, now: int) -> None:
        self._too_high = True
        self._probe_sample = False  # one response per probe
        if not app_limited:
            self.model.inflight_longterm = max(flight, int(self.target() * BETA))
        if self.state == UP:
            self._undo_state = UP
            self._go_down(now)

    # ProbeRTT (5.3.4).

    def _check_probe_rtt(self, sample: RateSample) -> None:
        model = self.model
        if self.state != PROBE_RTT and model.probe_rtt_expired and not self._idle_restart:
            self.save_window()
            self.state = PROBE_RTT
            self._probe_rtt_done_at = 0
            self._ack_phase = _STOPPING
            model.start_round()
        if self.state == PROBE_RTT:
            self._handle_probe_rtt(sample)
        if sample.delivered:
            self._idle_restart = False

    def _handle_probe_rtt(self, sample: RateSample) -> None:
        sample.dry = True
        if not self._probe_rtt_done_at:
            if sample.flight <= self.probe_rtt_window():
                self._probe_rtt_done_at = sample.now + PROBE_RTT_DURATION
                self._probe_rtt_round_done = False
                self.model.start_round()
            return
        if self.model.round_start:
            self._probe_rtt_round_done = True
        if self._probe_rtt_round_done:
            self._check_probe_rtt_done(sample.now)

    def _check_probe_rtt_done(self, now: int) -> None:
        if not self._probe_rtt_done_at or now <= self._probe_rtt_done_at:
            return
        self.model.probe_rtt_at = now
        self.restore_window()
        self.model.forget_short_term()
        if self.model.full_bw_reached:
            self._go_down(now)
            self.state = CRUISE
        else:
            self.state = STARTUP

    def _draw(self, limit: int) -> int:
        """A number below `limit` (Marsaglia's xorshift: chance enough for flows not to march in
        step, and the same from the same seed)."""
        x = self._chance
        x ^= x << 13 & 0xFFFFFFFF
        x ^= x >> 17
        x ^= x << 5 & 0xFFFFFFFF
        self._chance = x
        return x % limit
