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
from stack.tcp.congestion.cubic import Cubic
from stack.tcp.congestion.ledbat import Ledbat
from stack.tcp.congestion.reno import Reno
from stack.tcp.congestion.seam import AckSample, CongestionControl
from stack.tcp.congestion.window import UNKNOWN, WindowBased
from tests.harness import World, quiet
from tests.tcp.paths import MSS, Path
from tests.tcp.scenes import Scene
from tests.tcp.users import User, serve

EVERY = [kind for kind in dict.fromkeys(ALGORITHMS.values()) if issubclass(kind, WindowBased)]


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
    path.ack(100, limited=False, used=4 * MSS)
    path.avoidance().ack(100, limited=False)
    assert path.cc.window <= before


@pytest.mark.parametrize("kind", [Reno, Cubic, Compound], ids=lambda kind: kind.__name__)
def test_a_window_that_is_half_used_doubles_in_slow_start(kind: type[WindowBased]) -> None:
    """RFC 7661 4.3: it is valid; beyond twice what is used it is not."""
    path = Path(kind())
    path.ack(100, limited=False, used=6 * MSS)
    assert 11 * MSS <= path.cc.window <= 14 * MSS


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
