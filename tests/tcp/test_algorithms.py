# SPDX-License-Identifier: MIT
"""The algorithms of congestion control by their numbers: CUBIC, HyStart++, Compound, LEDBAT++."""

from __future__ import annotations

import pytest

from stack.base.addr import V4
from stack.base.units import MINUTE, MS, SECOND
from stack.tcp.congestion.compound import Compound
from stack.tcp.congestion.cubic import ALPHA, Cubic
from stack.tcp.congestion.hystart import HyStart
from stack.tcp.congestion.ledbat import TARGET, Ledbat
from stack.tcp.congestion.rounds import Rounds
from stack.tcp.congestion.seam import AckSample
from stack.tcp.congestion.window import UNKNOWN
from tests.harness import World
from tests.tcp.paths import MSS, Path
from tests.tcp.test_rack import flight, measured, sacked

# CUBIC.


def test_cubic_function_by_numbers() -> None:
    """RFC 9438 4.2: W_max 100, so cwnd_epoch 70, K = cbrt(30 / 0.4) = 4.217 s."""
    path = Path(Cubic(), window=100, rtt=200 * MS)
    cc = path.cc
    assert isinstance(cc, Cubic)
    path.lose()
    assert cc.window == cc.ssthresh == 70_000
    path.ack()
    began = path.now
    assert cc.k == pytest.approx(4.2172, abs=1e-4)
    windows = {}
    for second in (1, 2, 4, 6):
        while path.now < began + second * SECOND:
            path.ack()
        windows[second] = cc.window / MSS
    for second, window in windows.items():
        # It aims at W(t + RTT) and so is at W(t) a round trip later.
        expected = 0.4 * (second - 4.2172) ** 3 + 100
        assert window == pytest.approx(expected, abs=0.5), second
    assert windows[2] < 100 < windows[6]


def test_cubic_grows_by_half_a_window_in_a_round_trip_at_most() -> None:
    """RFC 9438 4.2: the target is capped."""
    path = Path(Cubic(), window=100)
    path.lose()
    path.ack()
    path.rtt = 20 * SECOND  # far out on the convex side
    before = path.cc.window
    path.ack()
    assert path.cc.window <= before + 0.5 * MSS + 1


def test_cubics_reno_friendly_region() -> None:
    """RFC 9438 4.3: alpha = 3 * 0.3 / 1.7 until W_est has reached cwnd_prior, 1 from there."""
    assert pytest.approx(0.5294, abs=1e-4) == ALPHA
    path = Path(Cubic(), window=20, rtt=5 * MS)
    cc = path.cc
    assert isinstance(cc, Cubic)
    path.lose()
    before = cc.window
    for _ in range(4):
        path.round()
    assert (cc.w_est - before) / MSS == pytest.approx(4 * ALPHA, rel=0.05)
    assert cc.window == int(cc.w_est)  # K is 2.5 s: on such a path Reno is faster
    while cc.w_est < 20 * MSS:
        path.ack()
    reached = cc.w_est
    for _ in range(4):
        path.round()
    assert (cc.w_est - reached) / MSS == pytest.approx(4, rel=0.1)


def test_cubics_fast_convergence() -> None:
    """RFC 9438 4.7: below the last maximum, the next is 0.85 of the window."""
    path = Path(Cubic(), window=100)
    cc = path.cc
    assert isinstance(cc, Cubic)
    path.lose()
    assert cc.w_max == 100_000
    path.lose()
    assert cc.w_max == pytest.approx(0.85 * 70_000)
    assert cc.window == 49_000


def test_cubic_after_a_time_out() -> None:
    """RFC 9438 4.8: K = 0 and W_max is the window when congestion avoidance begins."""
    path = Path(Cubic(), window=100)
    cc = path.cc
    assert isinstance(cc, Cubic)
    cc.on_timeout(100 * MSS, False, path.now)
    assert (cc.window, cc.ssthresh) == (MSS, 70_000)
    while cc.window < cc.ssthresh:
        path.ack()
    path.ack()
    assert cc.k == 0
    assert cc.w_max == pytest.approx(70_000, abs=MSS)


def test_cubic_undo_restores_the_curve() -> None:
    """RFC 9438 4.9."""
    path = Path(Cubic(), window=100)
    cc = path.cc
    assert isinstance(cc, Cubic)
    path.lose()
    for _ in range(5):
        path.round()
    before = (cc.window, cc.ssthresh, cc.w_max, cc.k, cc.w_est, cc.elapsed)
    cc.on_loss(cc.window, path.now)
    assert cc.window < before[0]
    cc.on_undo()
    assert (cc.window, cc.ssthresh, cc.w_max, cc.k, cc.w_est, cc.elapsed) == before


def test_a_connection_tells_cubic_of_a_spurious_recovery(world: World) -> None:
    scene = measured(world, V4)
    cc = scene.tcb.cc
    assert isinstance(cc, Cubic)
    cc.w_max = 50_000.0
    flight(scene)
    sacked(scene, 10, (1010, 4010))
    assert cc.w_max < 50_000
    sacked(scene, 4010, (10, 1010))
    assert cc.w_max == 50_000


def test_cubics_time_stands_still_while_the_application_is_slow() -> None:
    """RFC 9438 4.2: or the window would jump when it comes back."""
    path = Path(Cubic(), window=100)
    cc = path.cc
    assert isinstance(cc, Cubic)
    path.lose()
    path.round()
    path.round()
    elapsed = cc.elapsed
    path.ack(limited=False)
    path.now += 30 * SECOND
    path.ack(limited=False)
    path.now += 30 * SECOND
    path.ack()
    assert cc.elapsed == elapsed
    path.ack()
    assert elapsed < cc.elapsed < elapsed + path.rtt


# HyStart++.


def rounds_of(hystart: HyStart, rounds: Rounds, rtt: int, samples: int = 10) -> bool:
    """One round trip of measurements.  True if slow start is over."""
    for _ in range(samples):
        rounds.acked(AckSample(MSS, MSS, rtt, True, 0))
        hystart.watch(rounds)
    over = hystart.round_ended()
    rounds.next(AckSample(MSS, MSS, rtt, True, 0))
    return over


@pytest.mark.parametrize(
    ("base", "increase", "seen"),
    [
        (10, 3, False),
        (10, 4, True),  # the least threshold is 4 ms
        (80, 9, False),
        (80, 10, True),  # an eighth in between
        (400, 15, False),
        (400, 16, True),  # 16 ms at most
    ],
)
def test_hystart_threshold(base: int, increase: int, seen: bool) -> None:
    """RFC 9406 4.2: RttThresh = max(4 ms, min(lastRoundMinRTT / 8, 16 ms))."""
    hystart, rounds = HyStart(), Rounds()
    rounds_of(hystart, rounds, base * MS)
    rounds_of(hystart, rounds, (base + increase) * MS)
    assert (hystart.css > 0) == seen


def test_hystart_wants_eight_samples() -> None:
    hystart, rounds = HyStart(), Rounds()
    rounds_of(hystart, rounds, 20 * MS)
    rounds_of(hystart, rounds, 90 * MS, samples=7)
    assert hystart.css == 0


def test_hystart_leaves_after_five_conservative_rounds() -> None:
    hystart, rounds = HyStart(), Rounds()
    rounds_of(hystart, rounds, 20 * MS)
    over = [rounds_of(hystart, rounds, 50 * MS) for _ in range(5)]
    assert over == [False, False, False, False, True]  # the round it began in counts
    assert hystart.growth(4000, MSS) == 1000


def test_hystart_goes_back_when_the_delay_does() -> None:
    hystart, rounds = HyStart(), Rounds()
    rounds_of(hystart, rounds, 20 * MS)
    rounds_of(hystart, rounds, 50 * MS)
    assert hystart.css
    rounds_of(hystart, rounds, 30 * MS)
    assert hystart.css == 0
    assert hystart.growth(4000, MSS) == 4000
    assert hystart.growth(64_000, MSS) == 8000  # L = 8


def test_slow_start_ends_by_delay() -> None:
    path = Path(Cubic(), rtt=50 * MS)
    for _ in range(3):
        path.round()
    path.rtt = 80 * MS
    for _ in range(7):
        path.round()
    assert path.cc.ssthresh < UNKNOWN
    assert isinstance(path.cc, Cubic)
    assert path.cc.k == 0


# Compound.


def test_compounds_windows_by_the_draft() -> None:
    """dwnd grows by alpha * win^k - 1 each round trip, cwnd by one."""
    path = Path(Compound(), window=100).avoidance()
    cc = path.cc
    assert isinstance(cc, Compound)
    path.ack()
    grown = 0.125 * 100**0.75 - 1
    assert cc.dwnd / MSS == pytest.approx(grown, abs=0.01)
    assert cc.cwnd == 100_000
    window = cc.window / MSS
    path.ack(107)
    assert cc.cwnd == 101_000
    assert cc.dwnd / MSS == pytest.approx(grown + 0.125 * window**0.75 - 1, abs=0.05)


def test_compound_gives_back_what_queues() -> None:
    """diff = win * (1 - base / RTT); at gamma and above dwnd falls by zeta * diff."""
    path = Path(Compound(), window=100).avoidance()
    cc = path.cc
    assert isinstance(cc, Compound)
    path.ack()
    cc.window += 50 * MSS
    cc.dwnd += 50 * MSS
    path.rtt = 150 * MS
    path.round()
    dwnd, window = cc.dwnd, cc.window
    path.round()
    assert dwnd > cc.dwnd
    assert cc.dwnd / MSS == pytest.approx(max((dwnd - window / 3) / MSS, 0), abs=1.5)


def test_compounds_loss_halves_both() -> None:
    path = Path(Compound(), window=100).avoidance()
    cc = path.cc
    assert isinstance(cc, Compound)
    cc.dwnd = 30 * MSS
    cc.on_loss(cc.window, path.now)
    assert (cc.window, cc.cwnd, cc.dwnd) == (50_000, 35_000, 15_000)
    cc.on_timeout(cc.window, False, path.now)
    assert cc.dwnd == 0


def test_compounds_gamma_follows_what_reno_would_queue() -> None:
    """3/4 of diff_reno, between 5 and 30."""
    path = Path(Compound(), window=60).avoidance()
    cc = path.cc
    assert isinstance(cc, Compound)
    path.ack()
    path.rtt = 125 * MS
    path.round()
    path.round()
    path.lose()
    assert cc.gamma == pytest.approx((30 + 0.75 * 61 * 0.2) / 2, abs=0.5)
    for _ in range(10):
        path.rtt = 100 * MS
        path.round()
        path.round()
        path.lose()
    assert cc.gamma == 5


def test_a_small_compound_window_is_renos() -> None:
    path = Path(Compound(), window=20).avoidance()
    for _ in range(5):
        path.round()
    assert isinstance(path.cc, Compound)
    assert path.cc.dwnd == 0
    assert path.cc.window == 25_000


# LEDBAT++.


@pytest.mark.parametrize(
    ("base", "share"), [(1, 16), (7, 16), (8, 15), (20, 6), (60, 2), (119, 2), (120, 1), (300, 1)]
)
def test_ledbats_gain(base: int, share: int) -> None:
    """4.2: 1 / min(16, ceil(2 * TARGET / base))."""
    cc = Ledbat()
    cc.delays.measured(base * MS, SECOND)
    assert cc.gain == 1 / share


def steady(rtt: int = 20 * MS, window: int = 100) -> Path:
    """LEDBAT++ after slow start, its first slowdown far away."""
    path = Path(Ledbat(), rtt=rtt)
    path.ack(4)
    path.cc.window = window * MSS
    path.avoidance().ack()
    return path


def test_ledbat_grows_by_the_gain_below_the_target() -> None:
    path = steady()
    before = path.cc.window
    path.ack(100)
    assert (path.cc.window - before) / MSS == pytest.approx(1 / 6, rel=0.1)


def test_ledbat_shrinks_in_proportion_above_the_target() -> None:
    """4.3: GAIN - Constant * W * (delay / target - 1), and no more than half."""
    for over, change in ((1.1, -10), (1.2, -20), (9, -50)):
        path = steady(rtt=200 * MS)
        before = path.cc.window
        path.rtt += int(TARGET * over)
        path.ack(4)
        one = path.cc.window
        path.ack(1)
        # One segment of a hundred: a hundredth of what a round trip takes.
        share = (path.cc.window - one) / MSS * (one / MSS)
        assert share == pytest.approx((change + 1) * one / before, rel=0.15), over


def test_ledbats_slow_start_ends_at_three_quarters_of_the_target() -> None:
    path = Path(Ledbat(), rtt=20 * MS)
    assert path.cc.window == 10_000
    path.ack(10)
    path.rtt = 64 * MS
    path.ack(5)
    assert path.cc.ssthresh == UNKNOWN
    path.rtt = 66 * MS
    path.ack(5)
    assert path.cc.ssthresh == pytest.approx(path.cc.window, abs=MSS)


def test_ledbat_begins_with_two_segments() -> None:
    cc = Ledbat()
    cc.start(MSS, 10)
    assert cc.window == 2 * MSS


def test_ledbats_slowdowns() -> None:
    """4.4: two round trips after slow start, at two segments for two, then nine times as long."""
    path = steady(window=30)
    cc = path.cc
    began = path.now
    while cc.window > 2 * MSS:
        path.ack()
    assert 2 * path.rtt <= path.now - began <= 3 * path.rtt
    assert cc.ssthresh == pytest.approx(30_000, abs=MSS)
    slowed = path.now
    while cc.window == 2 * MSS:
        path.ack()
    assert 2 * path.rtt <= path.now - slowed <= 3 * path.rtt
    while cc.window < cc.ssthresh:
        path.ack()
    path.ack()
    back = path.now
    while cc.window > 2 * MSS:
        path.ack()
    assert (path.now - back) / (back - slowed) == pytest.approx(9, rel=0.05)


def test_a_loss_in_a_slowdown_halves_the_window_to_come() -> None:
    path = steady(window=30)
    while path.cc.window > 2 * MSS:
        path.ack()
    path.cc.on_loss(30 * MSS, path.now)
    assert path.cc.window == 2 * MSS
    assert path.cc.ssthresh == pytest.approx(15_000, abs=MSS)


def test_ledbat_forgets_old_base_delays() -> None:
    """RFC 6817 4.2: ten minima of a minute each."""
    cc = Ledbat()
    cc.delays.measured(10 * MS, SECOND)
    for minute in range(1, 10):
        cc.delays.measured(50 * MS, SECOND + minute * MINUTE)
        assert cc.delays.base == 10 * MS
    cc.delays.measured(50 * MS, SECOND + 10 * MINUTE)
    assert cc.delays.base == 50 * MS
