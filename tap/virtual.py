# SPDX-License-Identifier: MIT
"""asyncio on the virtual clock: programs that await, in worlds where hours pass in milliseconds.

    env = VirtualEnv(seed=1)                     # stacks are built on it as ever
    run_virtual(env.loop, main())                # asyncio.run, in virtual time

`loop.time()`, `asyncio.sleep` and time-outs follow `Env.now`.  When no task can go on, the world
turns, after a jump of its clock to whatever comes first.  A program that waits for what can never
happen gets `Deadlock` instead of hanging.  One thread: `run_in_executor` is not for it.
Who calls it: tests, and whoever simulates programs.
"""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from stack.base.timers import NEVER
from stack.base.units import SECOND
from tap.loop import VirtualLoop

T = TypeVar("T")

_Ready = list[tuple[selectors.SelectorKey, int]]


class Deadlock(RuntimeError):  # noqa: N818 - it says what it is
    """Every task waits, and nothing in the world will ever happen."""


class _WorldSelector(selectors.DefaultSelector):
    """Where asyncio would sleep, the world turns."""

    def __init__(self, world: VirtualLoop) -> None:
        super().__init__()
        self._world = world

    def select(self, timeout: float | None = None) -> _Ready:
        """No task can go on (or, with a `timeout` of 0, some can): on to the next instant."""
        world = self._world
        if timeout != 0:
            now = world.env.now
            when = world.deadline()
            if timeout is not None:
                when = min(when, now + math.ceil(max(timeout, 0) * SECOND))
            if when >= NEVER:
                raise Deadlock("every task waits, and nothing is left to happen")
            world.env.now = max(now, when)
        world.turn()
        return super().select(0)


class VirtualEventLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock is a virtual world's."""

    def __init__(self, world: VirtualLoop) -> None:
        super().__init__(_WorldSelector(world))
        self._world = world

    def time(self) -> float:
        return self._world.env.now / SECOND


def run_virtual(world: VirtualLoop, main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` in `world`."""
    with asyncio.Runner(loop_factory=lambda: VirtualEventLoop(world)) as runner:
        return runner.run(main)
