# SPDX-License-Identifier: MIT
"""A runtime on an asyncio event loop: stacks beside other asyncio code, in one thread.

runtime = AsyncioRuntime()              # inside a running loop
stack = Stack(runtime.env)
runtime.loop.add(stack, stack.add_nic(port), port)
runtime.start()
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

from stack.base.seam import Executor, Trace
from stack.base.timers import NEVER
from stack.base.units import SECOND
from tap.clock import SystemEnv
from tap.loop import Loop
from tap.waiting import Waiters


class AsyncioRuntime(Executor):
    """Turns a loop from an asyncio event loop, and is the `Executor` of its stacks."""

    def __init__(self, trace: Trace | None = None) -> None:
        self.env = SystemEnv(self, trace)
        self.loop = Loop(self.env)
        self._aio = asyncio.get_running_loop()
        self._ident = threading.get_ident()
        self._turn_handle: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = NEVER
        self._turning = False
        self._watched: list[int] = []
        self._waiters = Waiters()

    def start(self) -> None:
        """Begin turning."""
        for port in self.loop.ports:
            port.announce_to(self.wanted)
            fd = port.fileno()
            if fd >= 0:
                self._aio.add_reader(fd, self._turn)
                self._watched.append(fd)
        self._schedule()

    def stop(self) -> None:
        """Stop turning and give the devices back."""
        for fd in self._watched:
            self._aio.remove_reader(fd)
        self._watched.clear()
        for handle in (self._turn_handle, self._timer):
            if handle is not None:
                handle.cancel()
        self._waiters.end()
        self.loop.close()

    # Executor.

    def inside(self) -> bool:
        return threading.get_ident() == self._ident

    def submit(self, task: Callable[[], None]) -> None:
        self.loop.call(task)
        self._aio.call_soon_threadsafe(self._schedule)

    def wanted(self) -> None:
        if not self._turning:
            self._schedule()

    def wait(self, done: Callable[[], bool], timeout: int | None) -> bool:
        return done() if self.inside() else self._waiters.wait(done, timeout)

    # Turns.

    def _schedule(self) -> None:
        if self._turn_handle is None:
            self._turn_handle = self._aio.call_soon(self._turn)

    def _turn(self) -> None:
        if self._turn_handle is not None:
            self._turn_handle.cancel()
            self._turn_handle = None
        self.env.tick()
        self._turning = True
        try:
            more = self.loop.turn()
        finally:
            self._turning = False
        self._waiters.turned()
        if more:
            self._schedule()
        else:
            self._set_timer(self.loop.deadline())

    def _set_timer(self, when: int) -> None:
        if when == self._timer_at and self._timer is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at = when
        if when < NEVER:
            delay = max(0, when - time.monotonic_ns()) / SECOND
            self._timer = self._aio.call_later(delay, self._fire)

    def _fire(self) -> None:
        self._timer = None
        self._turn()
