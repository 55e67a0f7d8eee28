# SPDX-License-Identifier: MIT
"""Threads of a client that wait: for a provider, for a deregistration, for a KEVENT.

A wait on the stack's own thread would never end, since nobody else makes progress: it is refused
with `StackThreadWait`.  In a virtual world, outside of a turn, waiting means running the world.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from stack.base.seam import Executor
from stack.base.units import SECOND


class StackThreadWait(RuntimeError):
    """A blocking wait was asked for on the stack's own thread (in a callback, a routine)."""


def refuse_on_stack_thread(executor: Executor | None, what: str) -> None:
    """Raise unless the calling thread may wait for the thread of `executor`."""
    if executor is not None and executor.inside() and not executor.may_wait():
        raise StackThreadWait(f"{what} cannot wait on the stack's own thread")


class Changes:
    """Something that changes, and the threads that wait for it to."""

    __slots__ = ("executor", "lock")

    def __init__(self, executor: Executor | None = None) -> None:
        self.lock = threading.Condition()
        self.executor = executor  # whose thread must not wait; None while unknown

    def tell(self) -> None:
        """Let everybody look again.  Any thread."""
        with self.lock:
            self.lock.notify_all()

    def wait(self, done: Callable[[], bool], timeout: int | None, what: str) -> bool:
        """Wait until `done()`, for `timeout` ns at most; its last value.

        `done` is called under the lock and may act on what it sees: not again once it is true.
        """
        over: list[bool] = []

        def look() -> bool:
            with self.lock:
                if not over and done():
                    over.append(True)
            return bool(over)

        if look() or timeout == 0:
            return bool(over)
        executor = self.executor
        refuse_on_stack_thread(executor, what)
        if executor is not None and executor.inside():
            return executor.wait(look, timeout)
        with self.lock:
            return self.lock.wait_for(look, None if timeout is None else timeout / SECOND)
