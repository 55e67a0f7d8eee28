# SPDX-License-Identifier: MIT
"""BBR version 3 (draft-ietf-ccwg-bbr), mostly its appendix of test cases, on a bottleneck.

Four Mbit/s, so 500 octets per millisecond, 40 ms, and a queue of four times their product where
nothing else is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

import pytest

from stack.base.addr import V4
from stack.base.head import Head
from stack.base.units import MS, SECOND, View
from stack.tcp.congestion.bbr import Bbr
from stack.tcp.congestion.bbr_control import (
    CRUISE,
    DOWN,
    DRAIN,
    PROBE_BW,
    PROBE_RTT,
    REFILL,
    STARTUP,
    UP,
)
from stack.tcp.congestion.bbr_model import INFINITE
from stack.tcp.congestion.cubic import Cubic
from stack.tcp.congestion.seam import LossSample, RateSample
from stack.tcp.tcb import Tcb
from tap.impair import ImpairedPort, Impairment
from tap.port import Port, Wrapper
from tests.harness import World, quiet
from tests.tcp.users import Acceptor, User, connect, serve

RATE: Final = 4_000_000
PAYLOAD: Final = 1448 / 1514  # of a full frame, over IPv4 with timestamps
ROUND: Final = 40 * MS
PRODUCT: Final = RATE // 8 * 40 // 1000


class Timed(Wrapper):
    """Knows when how much left."""

    def __init__(self, inner: Port, world: World) -> None:
        super().__init__(inner)
        self.world = world
        self.sent: list[tuple[int, int]] = []

    def transmit(self, head: Head, views: Sequence[View]) -> bool:
        size = sum(len(view) for view in views)
        if size:
            self.sent.append((self.world.now, size))
        return super().transmit(head, views)


class Path:
    """A connection over a bottleneck, established and idle."""

    def __init__(
        self,
        family: int = V4,
        algorithm: str = "bbr",
        buffer: float = 4.0,
        delay: int = ROUND // 2,
        settings: dict[str, Any] | None = None,
        **there: Any,
    ) -> None:
        self.world = World(seed=5)
        self.dark = False
        usual = Impairment(
            rate=RATE,
            delay=delay,
            queue=int(PRODUCT * buffer),
            drop=lambda number, frame: self.dark,
        )
        out = replace(usual, **there)
        config = quiet(tcp_congestion=algorithm, **settings or {})
        self.ports: list[Timed] = []
        self.a, self.b = self.world.pair(
            config, there=out, back=Impairment(delay=delay), wrap=self._wrap
        )
        self.acceptor: Acceptor = serve(self.b)
        self.family = family
        self.user = self.another()
        self.tcb: Tcb = self.a.stack.tcp.connections()[0]

    def _wrap(self, port: Port) -> Port:
        self.ports.append(Timed(port, self.world))
        return self.ports[-1]

    def another(self, algorithm: str = "") -> User:
        """One more connection."""
        user = connect(self.a, self.b.address(self.family))
        if algorithm:
            user.stream.set_congestion(algorithm)
        self.world.run(SECOND)
        assert user.events == [("connect", "OK", 0)]
        return user

    @property
    def bbr(self) -> Bbr:
        assert isinstance(self.tcb.cc, Bbr)
        return self.tcb.cc

    @property
    def wire(self) -> ImpairedPort:
        """The bottleneck itself."""
        port = self.ports[0].inner
        assert isinstance(port, ImpairedPort)
        return port

    def fill(self, seconds: float) -> None:
        """More to send than the wire carries in that time."""
        self.user.send(bytes(int(RATE / 8 * seconds)), "data")

    def arrived(self, number: int = 0) -> int:
        return sum(map(len, self.acceptor.users[number].parts))

    def share(self, seconds: float, number: int = 0) -> float:
        """Of the rate, what arrives as payload from now on."""
        before = self.arrived(number)
        self.world.run(int(seconds * SECOND))
        return (self.arrived(number) - before) * 8 / (RATE * seconds)

    def until(self, *states: int, most: float = 10.0) -> None:
        """Let time pass until BBR is in one of `states`."""
        end = self.world.now + int(most * SECOND)
        while self.bbr.state not in states:
            assert self.world.now < end, f"still in {self.bbr.state}"
            self.world.run(MS)


# Startup and Drain.


def test_startup_finds_the_bandwidth(family: int) -> None:
    path = Path(family)
    path.fill(10)
    assert path.bbr.state == STARTUP
    path.until(DRAIN, most=1)
    assert path.bbr.model.full_bw_reached
    assert path.bbr.model.max_bw * 8 == pytest.approx(RATE * PAYLOAD, rel=0.03)
    assert path.tcb.resent == 0


def test_drain_empties_the_queue(family: int) -> None:
    path = Path(family)
    path.fill(10)
    path.until(DRAIN)
    assert path.tcb.pipe > 1.5 * path.bbr.model.bdp()
    began = path.world.now
    path.until(DOWN, CRUISE)
    assert path.tcb.pipe <= path.bbr.inflight(1.0)
    assert path.world.now - began < 5 * ROUND


def test_a_short_queue_ends_startup_by_its_losses() -> None:
    path = Path(buffer=0.5, delay=100 * MS)  # a tenth of the product there
    path.fill(20)
    path.until(DRAIN)
    model = path.bbr.model
    assert model.inflight_longterm != INFINITE
    assert path.share(5) > 0.75
    assert path.tcb.resent < 0.1 * path.arrived()


# Steady state.


def test_the_queue_stays_short() -> None:
    """Where a Reno flow fills all there is."""
    waiting = {}
    for algorithm in ("bbr", "reno"):
        path = Path(algorithm=algorithm)
        path.fill(10)
        path.world.run(2 * SECOND)
        waits = []
        for _ in range(150):
            path.world.run(20 * MS)
            waits.append(path.tcb.rtt.srtt - ROUND)
        waiting[algorithm] = sum(waits) / len(waits) / MS
        assert path.share(3) > 0.85
    assert waiting["bbr"] < waiting["reno"] / 4
    assert waiting["bbr"] < 30


def test_the_states_follow_each_other() -> None:
    path = Path()
    path.fill(10)
    seen = [STARTUP]
    while len(seen) < 10:
        path.world.run(MS)
        if path.bbr.state != seen[-1]:
            seen.append(path.bbr.state)
    assert seen[:2] == [STARTUP, DRAIN]  # what ends Drain is enough for CRUISE
    assert seen[2:] == [CRUISE, REFILL, UP, DOWN, CRUISE, REFILL, UP, DOWN]


def test_probe_rtt_comes_every_five_seconds(family: int) -> None:
    """For 200 ms at least, at half of the product at most; and not much is lost by it."""
    path = Path(family)
    path.fill(30)
    entered, left = [], []
    before = path.arrived()
    for _ in range(1700):
        state = path.bbr.state
        path.world.run(10 * MS)
        if path.bbr.state == PROBE_RTT != state:
            entered.append(path.world.now)
            window = path.bbr.probe_rtt_window()
        if state == PROBE_RTT != path.bbr.state:
            left.append(path.world.now)
            assert path.bbr.model.min_rtt < ROUND + 10 * MS
            assert window <= path.bbr.model.bdp(0.6)
    assert len(left) == 3
    for start, end in zip(entered, left, strict=True):
        assert 200 * MS <= end - start <= 400 * MS
    for end, start in zip(left, entered[1:], strict=False):
        assert 4.9 * SECOND <= start - end <= 5.5 * SECOND
    assert (path.arrived() - before) * 8 > 0.88 * RATE * 17


def test_what_leaves_is_spread(family: int) -> None:
    """Nothing larger than the quantum, and after each the time it takes at the rate."""
    path = Path(family)
    path.fill(10)
    path.world.run(SECOND)
    path.until(DOWN)
    path.until(CRUISE)
    rate, quantum = path.bbr.pacing_rate, path.bbr.send_quantum
    assert quantum == 2 * path.bbr.mss
    path.ports[0].sent.clear()
    path.world.run(3 * ROUND)
    assert path.bbr.state == CRUISE
    bursts: dict[int, int] = {}
    for when, size in path.ports[0].sent:
        bursts[when] = bursts.get(when, 0) + size
    assert max(bursts.values()) <= quantum
    times = sorted(bursts)
    assert len(times) > 15
    gaps = [b - a for a, b in pairwise(times)]
    assert min(gaps) >= 0.9 * quantum * SECOND / rate


def test_random_losses_do_little_harm() -> None:
    """One per cent over 100 ms."""
    shares = {}
    for algorithm in ("bbr", "cubic"):
        path = Path(algorithm=algorithm, delay=50 * MS, loss=0.01)
        path.fill(12)
        path.world.run(2 * SECOND)
        shares[algorithm] = path.share(8)
    assert shares["bbr"] > 0.8
    assert shares["bbr"] > 1.5 * shares["cubic"]


@pytest.mark.parametrize("settings", [{"tcp_sack": False}, {"tcp_rack": False}], ids=str)
def test_without_the_newer_ways_to_find_losses(settings: dict[str, Any]) -> None:
    path = Path(settings=settings, loss=0.001)
    path.fill(10)
    path.world.run(2 * SECOND)
    assert path.share(6) > 0.6


def test_reordering_is_no_loss() -> None:
    path = Path(reorder=0.05, reorder_by=5 * MS)
    path.fill(10)
    path.world.run(2 * SECOND)
    assert path.share(6) > 0.85


# A path that changes.


def test_ten_times_the_bandwidth_is_found() -> None:
    path = Path(rate=RATE // 10)
    path.fill(20)
    path.world.run(5 * SECOND)
    path.until(*PROBE_BW)
    path.wire.out.settings = replace(path.wire.out.settings, rate=RATE)
    path.world.run(8 * SECOND)
    assert path.share(3) > 0.8


def test_a_tenth_of_the_bandwidth_is_accepted() -> None:
    path = Path(buffer=1.0)  # ten products afterwards
    path.fill(10)
    path.world.run(2 * SECOND)
    path.wire.out.settings = replace(path.wire.out.settings, rate=RATE // 10)
    path.world.run(12 * SECOND)
    assert path.bbr.model.bw * 8 < 0.15 * RATE
    before = path.tcb.resent
    assert path.share(5) > 0.08
    assert path.tcb.resent - before < 0.1 * RATE / 10 / 8 * 5


# An application that has little to say.


def test_little_to_send_does_not_lower_the_estimate(family: int) -> None:
    path = Path(family)
    path.fill(1)
    path.world.run(4 * SECOND)
    found = path.bbr.model.max_bw
    assert found * 8 > 0.9 * RATE
    for _ in range(80):
        path.user.send(bytes(3000), "little")
        path.world.run(100 * MS)
    assert path.bbr.model.max_bw >= 0.95 * found


def test_after_silence_it_goes_on_where_it_was(family: int) -> None:
    """Paced at the bandwidth, and no ProbeRTT: the queue has been empty all the time."""
    path = Path(family)
    path.fill(2)
    path.world.run(8 * SECOND)
    path.until(*PROBE_BW)
    assert path.tcb.pipe == 0
    window = path.bbr.window
    path.world.run(7 * SECOND)
    path.fill(2)
    path.world.run(MS)
    assert path.bbr.window == window
    assert path.bbr.pacing_rate == int(0.99 * path.bbr.model.bw)
    path.world.run(ROUND + 5 * MS)
    assert path.bbr.state in PROBE_BW
    assert path.share(1) > 0.85


# Time-outs and mistakes.


def test_after_a_black_out_it_is_soon_back(family: int) -> None:
    path = Path(family, settings={"tcp_black_hole_detection": False})
    path.fill(20)
    path.world.run(2 * SECOND)
    path.dark = True
    path.world.run(3 * SECOND)
    assert path.tcb.retries > 1
    assert path.bbr.window == path.bbr.mss
    path.dark = False
    path.world.run(3 * SECOND)
    assert path.tcb.retries == 0
    assert path.share(3) > 0.85


def sample(total: int, prior: int, now: int, **more: Any) -> RateSample:
    found = RateSample(1000, total, 20_000, now)
    found.prior = prior
    found.delivered = total - prior
    found.rate = 100_000
    found.rtt = 100 * MS
    for name, value in more.items():
        setattr(found, name, value)
    return found


def loss(start: int, size: int, now: int, flight: int, lost: int) -> LossSample:
    found = LossSample(start, start + size, start, now)
    found.sent_flight, found.sent_lost = flight, lost
    return found


def probing() -> tuple[Bbr, int, int]:
    """In ProbeBW_UP, its samples coming in; with octets delivered and the time."""
    bbr = Bbr()
    bbr.start(1000, 10)
    bbr.settle_in(100 * MS, True, 3, SECOND)
    total, now = 0, SECOND
    for _ in range(4000):
        prior = total
        total += 1000
        now += 10 * MS
        bbr.on_delivery(sample(total, max(prior - 10_000, 0), now, flight=9000, sent_flight=9000))
        if bbr.state == UP:
            return bbr, total, now
    raise AssertionError(f"state {bbr.state}")


def test_too_many_losses_end_a_probe_and_a_mistake_resumes_it() -> None:
    bbr, total, now = probing()
    assert bbr.model.inflight_longterm == INFINITE
    bbr.on_lost(loss(total, 1000, now, 20_000, 1000))
    assert bbr.state == DOWN
    assert bbr.model.inflight_longterm == int(19_000 + 0.02 * 19_000 / 0.98)
    bbr.on_loss(20_000, now)
    bbr.on_undo()
    assert bbr.model.inflight_longterm == INFINITE
    assert bbr.state == REFILL


def test_few_losses_do_not_end_a_probe() -> None:
    bbr, total, now = probing()
    bbr.on_lost(loss(total, 1000, now, 60_000, 1000))
    assert bbr.state == UP
    assert bbr.model.inflight_longterm == INFINITE


def test_the_place_in_a_large_span_where_it_became_too_much() -> None:
    """50,000 octets lost at once, the last of 100,000: 2 % were lost 1020 octets into them."""
    bbr, total, now = probing()
    bbr.on_lost(loss(total, 50_000, now, 100_000, 50_000))
    assert bbr.model.inflight_longterm == int(50_000 + 0.02 * 50_000 / 0.98)


def test_losses_between_probes_lower_the_short_term_only() -> None:
    bbr, total, now = probing()
    bbr.on_lost(loss(total, 1000, now, 20_000, 1000))
    longterm = bbr.model.inflight_longterm
    for number in range(40):
        total, now = total + 1000, now + 10 * MS
        if bbr.model.loss_in_round or number == 10:
            bbr.on_lost(loss(total, 1000, now, 20_000, 1000))
        bbr.on_delivery(sample(total, total - 10_000, now, rate=80_000, recovering=True))
    assert bbr.state in (DOWN, CRUISE)
    assert bbr.model.inflight_longterm <= longterm + 1000
    assert 80_000 <= bbr.model.bw_shortterm < 100_000
    assert bbr.model.bw == bbr.model.bw_shortterm
    assert bbr.model.inflight_shortterm < INFINITE


def test_a_mark_is_a_loss() -> None:
    """The draft demands that much of whoever says that it can be marked."""
    bbr, _, now = probing()
    bbr.on_congestion(20_000, now)
    assert bbr.state == DOWN
    assert bbr.model.inflight_longterm == 20_000


# Company.


def test_two_of_them_share() -> None:
    path = Path()
    path.fill(40)
    path.world.run(SECOND)
    path.another().send(bytes(RATE // 8 * 40))
    path.world.run(8 * SECOND)
    before = path.arrived(1)
    one = path.share(15)
    two = (path.arrived(1) - before) * 8 / (RATE * 15)
    assert one + two > 0.85
    assert (one + two) ** 2 / (2 * (one**2 + two**2)) > 0.9


def test_a_live_connection_changes_to_it_and_back(family: int) -> None:
    path = Path(family, algorithm="cubic", loss=0.01)
    data = bytes(range(256)) * 6000
    path.user.send(data)
    path.world.run(SECOND)
    path.user.stream.set_congestion("bbr")
    path.world.run(SECOND)
    assert isinstance(path.tcb.cc, Bbr)
    assert path.bbr.model.max_bw
    assert path.tcb.pacer is not None
    path.user.stream.set_congestion("cubic")
    assert isinstance(path.tcb.cc, Cubic)
    assert path.tcb.pacer is None
    path.world.run(20 * SECOND)
    assert path.acceptor.users[0].data == data


def test_nothing_is_left_behind(family: int) -> None:
    path = Path(family, loss=0.02)
    path.fill(2)
    path.user.stream.disconnect("bye")
    path.world.run(10 * SECOND)
    path.acceptor.users[0].stream.disconnect("bye")
    path.world.run(120 * SECOND)
    assert ("bye", "OK", 0) in path.user.events
    assert path.arrived() == RATE // 8 * 2
    assert path.a.tcp_timers() == path.b.tcp_timers() == []
