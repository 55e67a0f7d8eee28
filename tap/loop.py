# SPDX-License-Identifier: MIT
"""The turn: frames, calls, timers, settling; and its twin on a virtual clock.

    now -> frames (a bounded batch) -> calls from elsewhere -> timers -> indicate -> output

`Loop` knows no clock and never waits: a runtime (`thread`, `aio`, or `VirtualLoop` here) sets
the time, calls `turn`, and sleeps as long as `deadline` allows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from stack.base.seam import Env, Executor
from stack.base.timers import NEVER
from stack.core import Stack
from stack.link.nic import Nic
from stack.link.seam import TSO4
from tap.port import Port

BATCH: Final = 32
"""Frames read from one port in one turn.

A sender who fills his window waits for the acknowledgment that leaves at the end of the turn: more
would have him wait longer, fewer would have the turn's own cost shared by fewer.
"""
PLAIN_BATCH: Final = 64
"""The same where a frame is a segment: all of the 45 that a sender cuts 64 KB into, who would
otherwise be answered in the middle."""


class Loop:
    """Drives any number of stacks that share one `Env`."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self.stacks: list[Stack] = []
        self.ports: list[Port] = []
        self.heard = 0
        """When the last frame or call came, ns."""
        self._inputs: list[tuple[Nic, Port, int]] = []
        self._calls: deque[Callable[[], None]] = deque()

    def add(self, stack: Stack, nic: Nic, port: Port) -> None:
        """Feed `nic` of `stack` from `port`, and drive `stack`."""
        batch = BATCH if port.features & TSO4 else PLAIN_BATCH
        self._inputs.append((nic, port, batch))
        self.ports.append(port)
        if stack not in self.stacks:
            self.stacks.append(stack)

    def call(self, task: Callable[[], None]) -> None:
        """Run `task` in the next turn.  Any thread."""
        self._calls.append(task)

    def turn(self) -> bool:
        """One turn at `env.now`.  True if there is more to do at once."""
        now = self.env.now
        more = False
        for nic, port, batch in self._inputs:
            port.poll(now)
            if self._feed(nic, port.read, batch):
                more = True
        if self._calls:
            self.heard = now
            for _ in range(len(self._calls)):
                self._calls.popleft()()
        for stack in self.stacks:
            if stack.step():
                more = True
        return more or bool(self._calls)

    def _feed(self, nic: Nic, read: Callable[[], bytes | None], most: int) -> bool:
        """Give `nic` what has come, no more than `most` frames.  True if it was as many.

        What is there goes up together.  More of a stream arrives while that is worked on, and
        belongs to the same turn; one frame alone is no stream, and nobody looks for a second.
        """
        left = most
        while left:
            frames = []
            for _ in range(left):
                frame = read()
                if frame is None:
                    break
                frames.append(frame)
            count = len(frames)
            if not count:
                break
            self.heard = self.env.now
            nic.receive_all(frames)
            left -= count
            if count == 1:
                break
        nic.pause()
        return not left

    def deadline(self) -> int:
        """When the next turn is due if nothing arrives before."""
        if self._calls:
            return 0
        when = NEVER
        for stack in self.stacks:
            if stack.busy():
                return 0
            due = stack.timers.next_deadline()
            if due < when:
                when = due
        for port in self.ports:
            due = port.deadline()
            if due < when:
                when = due
        return when

    def close(self) -> None:
        """Give all devices back."""
        for port in self.ports:
            port.close()


class VirtualExecutor(Executor):
    """The executor of a virtual world: one thread, and waiting means running the world."""

    def __init__(self) -> None:
        self.loop: VirtualLoop | None = None

    def inside(self) -> bool:
        return True

    def submit(self, task: Callable[[], None]) -> None:
        assert self.loop is not None
        self.loop.call(task)

    def wanted(self) -> None:
        return

    def wait(self, done: Callable[[], bool], timeout: int | None) -> bool:
        loop = self.loop
        assert loop is not None
        if loop.turning:
            return done()
        limit = NEVER if timeout is None else loop.env.now + timeout
        loop.run_until(done, limit)
        over = done()
        if not over and timeout is not None:
            loop.env.now = limit  # nothing happened until then, and the wait took its time
        return over

    def may_wait(self) -> bool:
        return self.loop is not None and not self.loop.turning


class VirtualLoop(Loop):
    """A loop whose clock jumps from one event to the next: hours pass in milliseconds."""

    def __init__(self, env: Env, executor: VirtualExecutor) -> None:
        super().__init__(env)
        executor.loop = self
        self.turning = False
        self.turns = 0

    def run(self, until: int = NEVER) -> None:
        """Run to idleness, or to `until` (ns), where the clock then stands."""
        self.run_until(lambda: False, until)
        if until != NEVER and self.env.now < until:
            self.env.now = until

    def run_until(self, done: Callable[[], bool], limit: int) -> None:
        """Run until `done()`, or nothing is left to do before `limit`."""
        while not done():
            if self.turn():
                continue
            when = self.deadline()
            if when >= NEVER or when > limit:
                return
            if when > self.env.now:
                self.env.now = when

    def turn(self) -> bool:
        self.turning = True
        try:
            return super().turn()
        finally:
            self.turning = False
            self.turns += 1
