# SPDX-License-Identifier: MIT
"""The timer heap against a naive list of deadlines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stack.base.seam import TimerOwner
from stack.base.timers import NEVER, Timer, TimerHeap


class Owner(TimerOwner):
    def __init__(self) -> None:
        self.log: list[int] = []

    def fired(self, timer: Timer) -> None:
        self.log.append(timer.kind)


actions = st.lists(
    st.one_of(
        st.tuples(st.just("arm"), st.integers(0, 4), st.integers(1, 50)),
        st.tuples(st.just("disarm"), st.integers(0, 4), st.just(0)),
        st.tuples(st.just("run"), st.just(0), st.integers(1, 20)),
    ),
    max_size=60,
)


@given(actions)
def test_fires_what_a_naive_list_would(steps: list[tuple[str, int, int]]) -> None:
    owner, heap, now = Owner(), TimerHeap(), 0
    timers = [Timer(owner, n) for n in range(5)]
    naive: dict[int, int] = {}
    for action, which, value in steps:
        if action == "arm":
            heap.arm(timers[which], now + value)
            naive[which] = now + value
        elif action == "disarm":
            timers[which].disarm()
            naive.pop(which, None)
        else:
            now += value
            owner.log.clear()
            heap.run(now)
            due = {n for n, when in naive.items() if when <= now}
            assert set(owner.log) == due
            assert len(owner.log) == len(due)
            naive = {n: when for n, when in naive.items() if n not in due}
        assert heap.next_deadline() <= min(naive.values(), default=NEVER)
        assert {t.kind for t in heap.armed()} == set(naive)


def test_rearming_later_does_not_grow_the_heap() -> None:
    owner, heap = Owner(), TimerHeap()
    timer = Timer(owner)
    for when in range(1000, 200_000):
        heap.arm(timer, when)
    heap.run(1_000_000)
    assert owner.log == [0]
    assert heap.next_deadline() == NEVER


def test_rearming_earlier_and_earlier_stays_bounded() -> None:
    owner, heap = Owner(), TimerHeap()
    timers = [Timer(owner, n) for n in range(10)]
    for when in range(100_000, 1, -1):
        heap.arm(timers[when % 10], when)
    assert len(heap.armed()) == 10
    heap.run(200_000)
    assert len(owner.log) == 10


def test_rearmed_while_firing_waits_for_the_next_run() -> None:
    heap = TimerHeap()

    class Again(TimerOwner):
        count = 0

        def fired(self, timer: Timer) -> None:
            self.count += 1
            heap.arm(timer, 5)

    owner = Again()
    heap.arm(Timer(owner), 10)
    heap.run(10)
    assert owner.count == 1
    heap.run(10)
    assert owner.count == 2


def test_disarmed_by_another_timer_does_not_fire() -> None:
    heap = TimerHeap()
    fired = []

    class Killer(TimerOwner):
        def fired(self, timer: Timer) -> None:
            fired.append(timer.kind)
            victim.disarm()

    owner = Killer()
    victim = Timer(owner, 2)
    heap.arm(Timer(owner, 1), 5)
    heap.arm(victim, 6)
    heap.run(10)
    assert fired == [1]
