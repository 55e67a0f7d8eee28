# SPDX-License-Identifier: MIT
"""The ideal send backlog (wsk.md 3.8): follows the path and the peer, is told with moderation."""

from __future__ import annotations

import itertools

from stack.base.units import KIB, MIB, MS, SECOND
from stack.transport.seam import Stream
from tap.impair import Impairment
from tests.harness import World
from tests.tcp.users import User, joined

LONG = Impairment(delay=20 * MS)


def far_apart(world: World, family: int) -> tuple[User, User]:
    a, b = world.pair(there=LONG, back=LONG)
    return joined(world, a, b, family)


def test_it_is_told_only_to_who_wants_to_hear(world: World, family: int) -> None:
    user, _ = far_apart(world, family)
    user.send(bytes(2 * MIB))
    world.run(5 * SECOND)
    assert user.backlogs == []
    assert user.stream.ideal_backlog() > 0


def test_it_grows_with_the_path_and_is_told_by_steps(world: World, family: int) -> None:
    user, _ = far_apart(world, family)
    before = user.stream.ideal_backlog()
    user.stream.watch_backlog(True)
    user.send(bytes(8 * MIB))
    world.run(20 * SECOND)
    assert user.stream.ideal_backlog() > 8 * before
    steps = [before, *user.backlogs]
    assert 3 <= len(steps) < 40
    for old, new in itertools.pairwise(steps):
        assert abs(new - old) * 4 >= old


class Obedient(User):
    """Has as much outstanding as he is told to, and no more."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self.out = 0
        self.delivered = 0
        self.feed()

    def feed(self) -> None:
        while self.out < self.stream.ideal_backlog():
            self.send(bytes(8 * KIB), "fed")
            self.out += 8 * KIB

    def done(self, token: object, result: int, count: int) -> None:
        self.delivered += count
        self.out -= count
        self.feed()

    def backlog_changed(self, ideal: int) -> None:
        self.feed()


def test_following_it_fills_the_path(world: World, family: int) -> None:
    """Who keeps that much outstanding is as fast as who queues everything at once."""
    slow = Impairment(delay=20 * MS, rate=20_000_000, queue=200 * KIB)
    greedy, _ = joined(world, *world.pair(there=slow, back=LONG), family)
    for _ in range(100):
        greedy.send(bytes(64 * KIB))
    other = World(seed=1)
    first, _ = joined(other, *other.pair(there=slow, back=LONG), family)
    obedient = Obedient(first.stream)
    first.stream.attach(obedient)
    first.stream.watch_backlog(True)
    world.run(2 * SECOND)
    other.run(2 * SECOND)
    whole = sum(e[2] for e in greedy.events if e[0] == "send")
    assert whole > 3 * MIB
    assert obedient.delivered > whole * 9 // 10


def test_a_closed_window_brings_it_down_to_a_segment(world: World, family: int) -> None:
    user, reader = far_apart(world, family)
    user.stream.watch_backlog(True)
    reader.keep = True
    user.send(bytes(4 * MIB))
    world.run(10 * SECOND)
    low = user.stream.ideal_backlog()
    assert 0 < low <= 1500  # window probes need something to carry
    assert user.backlogs[-1] == low
    reader.keep = False
    reader.stream.grant(reader.kept)
    world.run(30 * SECOND)
    assert user.backlogs[-1] > 10 * low
    assert user.events[-1] == ("send", "OK", 4 * MIB)


def test_it_has_a_top(world: World, family: int) -> None:
    a, b = world.pair()
    user, _ = joined(world, a, b, family)
    (tcb,) = a.stack.tcp.connections()
    tcb.cc.window = tcb.snd.wnd = 1 << 30
    assert user.stream.ideal_backlog() == 16 * MIB


def test_nothing_to_send_is_no_backlog(world: World, family: int) -> None:
    user, _ = far_apart(world, family)
    user.stream.watch_backlog(True)
    told = list(user.backlogs)
    user.stream.disconnect("fin")
    world.run(SECOND)
    assert user.stream.ideal_backlog() == 0
    assert user.backlogs == told


def test_no_longer_told_when_switched_off(world: World, family: int) -> None:
    user, _ = far_apart(world, family)
    user.stream.watch_backlog(True)
    user.stream.watch_backlog(False)
    user.send(bytes(2 * MIB))
    world.run(5 * SECOND)
    assert user.backlogs == []
