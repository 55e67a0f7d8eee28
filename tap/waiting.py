# SPDX-License-Identifier: MIT
"""Threads that wait for a stack: shared by the runtimes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from stack.base.units import SECOND


class Waiters:
    """Blocks threads until something a turn did makes their condition true."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._count = 0
        self._over = False

    def wait(self, done: Callable[[], bool], timeout: int | None) -> bool:
        """Block until `done()`, for `timeout` ns at most, or until the runtime is over."""
        limit = None if timeout is None else time.monotonic_ns() + timeout
        with self._condition:
            self._count += 1
            try:
                while not done() and not self._over:
                    left = None
                    if limit is not None:
                        left = (limit - time.monotonic_ns()) / SECOND
                        if left <= 0:
                            break
                    self._condition.wait(left)
            finally:
                self._count -= 1
        return done()

    def turned(self) -> None:
        """A turn is over: let everybody look again."""
        if self._count:
            with self._condition:
                self._condition.notify_all()

    def end(self) -> None:
        """There will be no more turns."""
        with self._condition:
            self._over = True
            self._condition.notify_all()
