# SPDX-License-Identifier: MIT
"""Pacing, and the samples of the delivery rate (draft-ietf-ccwg-bbr 4.1, 5.6.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from stack.base.units import MS, SECOND
from stack.tcp.congestion import ALGORITHMS
from stack.tcp.congestion.seam import AckSample, CongestionControl, LossSample, RateSample
from stack.wire.tcp import ACK, FIN, RST
from tests.harness import World
from tests.tcp.scenes import Scene
from tests.tcp.test_rack import RTT, flight, measured, sacked


class Open(CongestionControl):
    """Twenty segments, whatever happens, at a rate that may be given."""

    wants_rate: ClassVar[bool] = True
    own_recovery: ClassVar[bool] = True

    def __init__(self) -> None:
        self.window = 0
        self.ssthresh = 1 << 30
        self.samples: list[RateSample] = []
        self.losses: list[LossSample] = []
        self.restarts: list[int] = []

    def start(self, mss: int, segments: int) -> None:
        self.window = 20 * mss

    def on_ack(self, sample: AckSample) -> None:
        pass

    def on_loss(self, flight: int, now: int) -> None:
        pass

    def on_recovered(self, flight: int) -> None:
        pass

    def on_timeout(self, flight: int, again: bool, now: int) -> None:
        pass

    def after_idle(self) -> None:
        pass

    def on_delivery(self, sample: RateSample) -> None:
        self.samples.append(sample)

    def on_lost(self, sample: LossSample) -> None:
        self.losses.append(sample)

    def on_restart(self, now: int) -> None:
        self.restarts.append(now)


class Slow(Open):
    """Two segments every two seconds."""

    pacing_rate = 1000


@pytest.fixture
def fixed() -> Iterator[None]:
    """`Open` and `Slow` can be chosen."""
    ALGORITHMS["open"], ALGORITHMS["slow"] = Open, Slow
    yield
    del ALGORITHMS["open"], ALGORITHMS["slow"]


def left(scene: Scene, span: int = 0) -> list[tuple[int, int, int]]:
    """(ms after the scene was measured, offset, length) of every segment with data that leaves
    within `span` ms."""
    found = []
    for _ in range(span + 1):
        when = (scene.world.now - SECOND - RTT) // MS
        found += [(when, at, length) for at, length in scene.sent()]
        scene.world.run(MS if span else 0)
    return found


def queue(scene: Scene, size: int) -> None:
    """`size` octets to send, at ms 0."""
    assert scene.world.now == SECOND + RTT
    scene.sent()
    scene.user.send(bytes(size))
    scene.world.run(0)


# Windows, spread.


def test_without_it_a_window_leaves_at_once(world: World, family: int) -> None:
    scene = measured(world, family, tcp_congestion="reno")
    queue(scene, 10_000)
    assert [when for when, _, _ in left(scene)] == [0] * 10
    assert scene.tcb.pacer is None
    assert scene.tcb.board.rate is None


def test_slow_start_sends_two_windows_per_round_trip(world: World, family: int) -> None:
    """10,010 octets of window, so two segments every 10 ms; and what a segment costs stays."""
    scene = measured(world, family, tcp_congestion="reno", tcp_pacing=True)
    queue(scene, 30_000)
    times = (0, 0, 10, 10, 20, 20, 30, 30, 40, 40)
    assert left(scene, 90) == [(when, 10 + 1000 * n, 1000) for n, when in enumerate(times)]


def test_later_it_is_a_little_more_than_one(world: World, family: int) -> None:
    """1.2 windows in 100 ms: two segments every 16.6 ms."""
    scene = measured(world, family, tcp_congestion="reno", tcp_pacing=True)
    scene.tcb.cc.ssthresh = scene.tcb.cc.window
    queue(scene, 30_000)
    assert [when for when, _, _ in left(scene, 90)] == [0, 0, 17, 17, 34, 34, 50, 50, 67, 67]


def test_a_window_that_is_paced_grows_all_the_same(world: World, family: int) -> None:
    """What pacing holds back the application would have sent: the window is in use."""
    scene = measured(world, family, tcp_congestion="reno", tcp_pacing=True)
    queue(scene, 60_000)
    for number in range(10):
        world.run(RTT)
        scene.sends(ack=scene.tcb.snd.nxt_at - 1)
        assert number > 3 or scene.tcb.cc.window > 10_010 + 1000 * number


def test_a_rate_of_zero_is_no_pacing(world: World, family: int, fixed: None) -> None:
    scene = measured(world, family, tcp_congestion="open")
    queue(scene, 20_000)
    assert [when for when, _, _ in left(scene)] == [0] * 20


# What is not held back.


def slow(world: World, family: int, size: int, **settings: Any) -> Scene:
    """At 1000 octets per second: `size` octets queued, two segments on their way."""
    scene = measured(world, family, tcp_congestion="slow", **settings)
    pacer = scene.tcb.pacer
    assert pacer is not None
    pacer.stop()  # measuring has used up some time already
    queue(scene, size)
    assert left(scene) == [(0, 10, 1000), (0, 1010, 1000)]
    return scene


def test_a_timer_sends_what_was_held(world: World, family: int, fixed: None) -> None:
    """And while it is held nobody takes it for a closed window."""
    scene = slow(world, family, 5000)
    scene.sends(ack=2010)
    assert left(scene, 2100) == [(2000, 2010, 1000), (2000, 3010, 1000)]


def test_a_time_out_is_not_held(world: World, family: int, fixed: None) -> None:
    scene = slow(world, family, 5000, tcp_rack=False)
    first, *_ = left(scene, 400)
    assert first == (300, 10, 1000)


def test_a_tail_loss_probe_is_not_held(world: World, family: int, fixed: None) -> None:
    scene = slow(world, family, 5000)
    assert left(scene, 250) == [(202, 2010, 1000)]


def test_a_window_probe_is_not_held(world: World, family: int, fixed: None) -> None:
    scene = slow(world, family, 5000)
    scene.sends(ack=2010, win=0)
    assert [(at, length) for _, at, length in left(scene, 400)] == [(2010, 1)]


def test_acknowledgments_are_not_held(world: World, family: int, fixed: None) -> None:
    scene = slow(world, family, 5000)
    scene.sends(data=b"x" * 500, ack=10)
    scene.sends(data=b"x" * 500, seq=500, ack=10)
    scene.sees(ACK, ack=1000)


def test_a_fin_is_not_held(world: World, family: int, fixed: None) -> None:
    scene = slow(world, family, 2000)
    scene.user.stream.disconnect("bye")
    world.run(0)
    scene.sees(ACK | FIN, seq=2010)


def test_the_end_takes_the_timer_along(world: World, family: int, fixed: None) -> None:
    scene = slow(world, family, 5000)
    pacer = scene.tcb.pacer
    assert pacer is not None
    assert pacer.waiting
    scene.sends(RST)
    assert scene.host.tcp_timers() == []


def test_changing_back_takes_it_all_away(world: World, family: int, fixed: None) -> None:
    scene = slow(world, family, 5000)
    scene.user.stream.set_congestion("reno")
    world.run(0)
    assert scene.tcb.pacer is None
    assert scene.tcb.board.rate is None
    scene.sends(ack=1010)
    assert left(scene) == [(0, 2010, 1000), (0, 3010, 1000), (0, 4010, 1000)]


# Samples.


def listening(world: World, family: int, **settings: Any) -> tuple[Scene, Open]:
    scene = measured(world, family, tcp_congestion="open", **settings)
    cc = scene.tcb.cc
    assert isinstance(cc, Open)
    cc.samples.clear()
    return scene, cc


def test_the_rate_is_what_was_delivered_since_it_left(
    world: World, family: int, fixed: None
) -> None:
    scene, cc = listening(world, family)
    queue(scene, 40_000)  # a window of 20 segments
    world.run(RTT)
    for number in range(1, 21):
        scene.sends(ack=10 + 1000 * number)
        world.run(10 * MS)
    assert [sample.delivered for sample in cc.samples] == [1000 * n for n in range(1, 21)]
    assert cc.samples[0].rate == 10_000
    assert cc.samples[19].rate == 20_000 * SECOND // (290 * MS)
    assert not any(sample.prior != cc.samples[0].prior for sample in cc.samples)
    assert cc.samples[0].window_limited
    assert [sample.flight for sample in cc.samples[:3]] == [19_000, 19_000, 19_000]
    scene.sends(ack=21_010)  # what left when the first ACK came
    last = cc.samples[-1]
    assert last.prior - cc.samples[0].prior == 1000
    assert last.delivered == 20_000
    assert last.rate == 20_000 * SECOND // (200 * MS)  # since that ACK, not since the sending


def test_too_little_to_send_marks_what_follows(world: World, family: int, fixed: None) -> None:
    scene, cc = listening(world, family)
    queue(scene, 3000)
    world.run(RTT)
    scene.sends(ack=3010)
    assert cc.samples[-1].app_limited  # `measured` has left the connection idle
    assert cc.restarts[-1] == SECOND + RTT
    scene.user.send(bytes(60_000))
    world.run(RTT)
    scene.sends(ack=23_010)
    assert cc.samples[-1].app_limited
    world.run(RTT)
    scene.sends(ack=43_010)
    assert not cc.samples[-1].app_limited
    world.run(RTT)
    scene.sends(ack=63_010)
    assert not cc.samples[-1].app_limited


def test_the_parts_of_a_super_segment_know_their_place(
    world: World, family: int, fixed: None
) -> None:
    """One note for twenty segments; what was in flight follows from the offset."""
    scene, cc = listening(world, family)
    queue(scene, 20_000)
    world.run(RTT)
    sacked(scene, 10, (2010, 4010))
    sacked(scene, 10, (2010, 8010))
    first, second = cc.samples
    assert (first.acked, first.sent_flight, first.flight) == (2000, 4000, 18_000)
    assert (second.acked, second.sent_flight, second.flight) == (4000, 8000, 12_000)
    assert second.delivered == 6000
    assert second.rtt == RTT
    assert (second.lost, second.sent_lost) == (2000, 2000)
    assert not first.recovering
    assert second.recovering
    (loss,) = cc.losses
    assert (loss.start, loss.end) == (11, 2011)  # the SYN counts
    assert (loss.sent_flight, loss.sent_lost) == (2000, 2000)
    world.run(RTT)
    sacked(scene, 8010)
    assert cc.samples[-1].acked == 2000
    assert cc.samples[-1].rtt == 0  # it was sent twice
    assert cc.samples[-1].delivered == 2000


def test_ones_own_recovery_is_the_window_less_the_pipe(
    world: World, family: int, fixed: None
) -> None:
    scene, cc = listening(world, family)
    queue(scene, 60_000)
    world.run(RTT)
    scene.sent()
    sacked(scene, 10, (1010, 5010))
    assert scene.tcb.fast
    assert scene.tcb.prr is None
    assert scene.sent() == [(10, 1000), *((20_010 + 1000 * n, 1000) for n in range(4))]
    assert scene.tcb.pipe == cc.window


def test_others_hear_nothing_of_it(world: World, family: int) -> None:
    scene = measured(world, family, tcp_congestion="reno")
    flight(scene)
    sacked(scene, 10, (1010, 5010))
    assert scene.tcb.prr is not None
    assert all(span.sent is None for span in scene.tcb.board)
