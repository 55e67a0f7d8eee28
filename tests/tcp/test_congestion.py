# SPDX-License-Identifier: MIT
"""Congestion control by its formulas, algorithm by algorithm, without a connection around them.

RFC 5681, 9438 (CUBIC), 9406 (HyStart++), 7661 (validation), Compound TCP, LEDBAT++.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack.base.addr import V4
from stack.base.status import NOT_SUPPORTED, OK
from stack.base.units import MINUTE, MS, SECOND
from stack.tcp.congestion import ALGORITHMS
from stack.tcp.congestion.compound import Compound
from stack.tcp.congestion.cubic import ALPHA, Cubic
from stack.tcp.congestion.hystart import HyStart
from stack.tcp.congestion.ledbat import TARGET, Ledbat
from stack.tcp.congestion.reno import Reno
from stack.tcp.congestion.rounds import Rounds
from stack.tcp.congestion.seam import AckSample, CongestionControl
from stack.tcp.congestion.window import UNKNOWN, WindowBased
from tests.harness import World, quiet
from tests.tcp.scenes import Scene
from tests.tcp.test_rack import flight, measured, sacked
from tests.tcp.users import User, serve

MSS = 1000
EVERY = [kind for kind in dict.fromkeys(ALGORITHMS.values()) if issubclass(kind, WindowBased)]


class Path:
    """Acknowledges what an algorithm allows, a segment at a time."""

    def __init__(self, cc: WindowBased, window: int = 10, rtt: int = 100 * MS) -> None:
        cc.start(MSS, 10)
        cc.window = window * MSS
        self.cc = cc
        self.rtt = rtt
        self.now = SECOND

    def ack(self, segments: int = 1, limited: bool = True, size: int = MSS) -> None:
        """So many acknowledgments of `size` octets, spread over the round trip."""
        for _ in range(segments):
            flight = max(self.cc.window, size)
            self.now += self.rtt * size // flight
            self.cc.on_ack(AckSample(size, flight, self.rtt, limited, self.now))

    def round(self, limited: bool = True) -> None:
        """A window's worth."""
        self.ack(self.cc.window // MSS, limited)

    def avoidance(self) -> Path:
        """From here on in congestion avoidance."""
        self.cc.ssthresh = self.cc.window
        return self

    def lose(self) -> None:
        """Something is lost and recovered."""
        self.cc.on_loss(self.cc.window, self.now)
        self.cc.on_recovered(self.cc.window)


# Choosing.


def test_an_unknown_name_is_refused_with_a_list() -> None:
    with pytest.raises(ValueError, match=r"'vegas'; there are bbr, compound, cubic, ledbat"):
        World().host(quiet(tcp_congestion="vegas"))


def test_config_chooses_for_a_stack(world: World) -> None:
    assert isinstance(Scene(world, V4).tcb.cc, Cubic)
    assert isinstance(Scene(World(), V4, tcp_congestion="compound").tcb.cc, Compound)


def test_a_stream_chooses_for_itself(world: World) -> None:
    a, b = world.pair()
    serve(b)
    user = User(a.stream())
    assert user.stream.set_congestion("ledbat") == OK
    assert user.stream.set_congestion("vegas") == NOT_SUPPORTED
    user.stream.attach(user)
    user.stream.bind(b"", 0, 0)
    user.stream.connect(b.v4, 80, 0, "connect")
    world.run(SECOND)
    assert isinstance(a.stack.tcp.connections()[0].cc, Ledbat)


def test_a_live_connection_changes_and_keeps_its_window(world: World) -> None:
    scene = Scene(world, V4)
    scene.user.send(bytes(40_000))
    world.run(0)
    for number in range(1, 6):
        scene.sends(ack=number * 1000)
    before = scene.tcb.cc.window
    assert before == 15_000
    assert scene.user.stream.set_congestion("reno") == OK
    assert isinstance(scene.tcb.cc, Reno)
    assert scene.tcb.cc.window == before
    scene.sends(ack=6000)
    assert scene.tcb.cc.window == 16_000


class Fixed(CongestionControl):
    """Five segments, whatever happens: the seam alone, nothing of `WindowBased`."""

    def __init__(self) -> None:
        self.window = 0
        self.ssthresh = UNKNOWN
        self.heard: list[str] = []

    def start(self, mss: int, segments: int) -> None:
        self.window = 5 * mss

    def resize(self, mss: int) -> None:
        self.window = 5 * mss

    def on_ack(self, sample: AckSample) -> None:
        self.heard.append("ack")

    def on_loss(self, flight: int, now: int) -> None:
        self.heard.append("loss")

    def on_recovered(self, flight: int) -> None:
        self.heard.append("recovered")

    def on_timeout(self, flight: int, again: bool, now: int) -> None:
        self.heard.append("again" if again else "timeout")

    def after_idle(self) -> None:
        self.heard.append("idle")


@pytest.fixture
def fixed() -> Iterator[str]:
    """The name under which `Fixed` can be chosen."""
    ALGORITHMS["fixed"] = Fixed
    yield "fixed"
    del ALGORITHMS["fixed"]


def test_the_seam_is_all_a_connection_asks_for(world: World, fixed: str) -> None:
    scene = Scene(world, V4, tcp_congestion=fixed)
    cc = scene.tcb.cc
    assert isinstance(cc, Fixed)
    cc.heard.clear()
    scene.user.send(bytes(20_000))
    world.run(0)
    assert len(scene.sent()) == 5
    scene.sends(ack=1000)
    for _ in range(3):
        scene.sends(ack=1000)
    scene.sends(ack=scene.tcb.snd.nxt_at - 1)
    assert cc.heard[:3] == ["ack", "loss", "recovered"]
    world.run(5 * SECOND)
    assert cc.heard[3:5] == ["timeout", "again"]
    scene.sends(ack=scene.tcb.snd.nxt_at - 1)
    while scene.tcb.snd.flight:
        scene.sends(ack=scene.tcb.snd.nxt_at - 1)
    world.run(30 * SECOND)
    scene.user.send(bytes(1000))
    world.run(0)
    assert cc.heard[-1] == "idle"


# What they share.


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_every_algorithm_keeps_the_house_rules(kind: type[WindowBased]) -> None:
    """RFC 5681 3.1: a time-out leaves one segment; a loss never less than two."""
    path = Path(kind(), window=3)
    path.lose()
    assert path.cc.window >= 2 * MSS
    path.ack(200)
    before = path.cc.window
    path.cc.on_timeout(before, False, path.now)
    assert path.cc.window == MSS
    assert 2 * MSS <= path.cc.ssthresh < before
    threshold = path.cc.ssthresh
    path.cc.on_timeout(MSS, True, path.now)
    assert path.cc.ssthresh == threshold
    path.cc.on_undo()
    assert path.cc.window == before


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_an_unused_window_stays(kind: type[WindowBased]) -> None:
    path = Path(kind())
    before = path.cc.window
    path.ack(100, limited=False)
    path.avoidance().ack(100, limited=False)
    assert path.cc.window <= before


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_another_segment_size_keeps_the_octets(kind: type[WindowBased]) -> None:
    path = Path(kind(), window=20)
    path.cc.resize(500)
    assert path.cc.mss == 500
    assert path.cc.window == 10_000


def test_slow_start_counts_octets() -> None:
    """RFC 3465: two segments for an acknowledgment of many."""
    path = Path(Reno())
    path.ack(size=2 * MSS)
    path.ack(size=9 * MSS)
    path.ack(size=100)
    assert path.cc.window == 14_100


def test_reno_halves_and_adds_one() -> None:
    path = Path(Reno(), window=40)
    path.lose()
    assert path.cc.window == path.cc.ssthresh == 20_000
    path.round()
    assert path.cc.window == 21_000


def test_a_window_unused_for_five_minutes_halves() -> None:
    """RFC 7661 4.4.3; pipeACK is one segment all the time."""
    path = Path(Reno(), window=100)
    cc = path.cc
    halved_at = 0
    while not halved_at:
        path.now += SECOND
        cc.on_ack(AckSample(MSS, MSS, path.rtt, False, path.now))
        halved_at = path.now if cc.window < 100_000 else 0
    assert 5 * MINUTE <= halved_at <= 5 * MINUTE + 10 * SECOND
    assert (cc.window, cc.ssthresh) == (50_000, UNKNOWN)
    cc.ssthresh = 20_000
    while path.now - halved_at < 20 * MINUTE:
        path.now += SECOND
        cc.on_ack(AckSample(MSS, MSS, path.rtt, False, path.now))
    assert cc.window == 10_000  # the initial window is the floor
    assert cc.ssthresh == 37_500  # 3/4 of 50


def test_a_loss_in_an_unused_window_counts_what_was_used() -> None:
    """RFC 7661 4.4.1: max(pipeACK, FlightSize), not the window."""
    path = Path(Reno(), window=100)
    for _ in range(5):
        path.now += path.rtt
        path.cc.on_ack(AckSample(30 * MSS, 30 * MSS, path.rtt, False, path.now))
    path.cc.on_loss(10 * MSS, path.now)
    assert path.cc.ssthresh == 15_000


def test_flight_that_grew_in_recovery_is_no_measure() -> None:
    path = Path(Reno(), window=20)
    path.cc.on_timeout(200 * MSS, False, path.now)
    assert path.cc.ssthresh == 10_000


def test_after_silence_slow_start_leads_back() -> None:
    path = Path(Reno(), window=80).avoidance()
    path.cc.after_idle()
    assert (path.cc.window, path.cc.ssthresh) == (10_000, 80_000)


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


# Anything in any order.

troubles = ("loss", "timeout", "again", "recovered")
spans = st.integers(0, 3 * SECOND)
events = st.lists(
    st.one_of(
        st.tuples(
            st.just("ack"), st.integers(1, 70_000), st.integers(0, 3 * SECOND), st.booleans()
        ),
        st.tuples(st.just("round"), st.integers(1, 400 * MS)),
        st.tuples(
            st.sampled_from(("loss", "timeout", "again", "recovered")), st.integers(0, 10**7)
        ),
        st.tuples(st.sampled_from(("idle", "undo"))),
        st.tuples(st.just("resize"), st.integers(48, 9000)),
        st.tuples(st.just("wait"), st.integers(0, 20 * MINUTE)),
    ),
    max_size=60,
)


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
@given(events)
def test_nothing_brings_a_window_out_of_its_bounds(
    kind: type[WindowBased], happening: list[tuple[Any, ...]]
) -> None:
    path = Path(kind())
    cc = path.cc
    for what, *with_ in happening:
        before = cc.window
        if what == "ack":
            acked, rtt, limited = with_
            path.now += rtt
            cc.on_ack(AckSample(acked, max(before, acked), rtt, limited, path.now))
            assert cc.window <= before + max(acked, 3 * cc.mss) * 2
        elif what == "round":
            path.rtt = with_[0]
            path.round()
        elif what == "loss":
            cc.on_loss(with_[0], path.now)
            assert cc.window <= max(before, 2 * cc.mss)
        elif what == "recovered":
            cc.on_recovered(with_[0])
        elif what in ("timeout", "again"):
            cc.on_timeout(with_[0], what == "again", path.now)
            assert cc.window == cc.mss
        elif what == "idle":
            cc.after_idle()
            assert cc.window <= before
        elif what == "undo":
            cc.on_undo()
        elif what == "resize":
            cc.resize(with_[0])
        else:
            path.now += with_[0]
        assert isinstance(cc.window, int)
        assert isinstance(cc.ssthresh, int)
        assert cc.window >= cc.mss
        assert cc.ssthresh > 0
