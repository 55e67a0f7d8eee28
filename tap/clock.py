# SPDX-License-Identifier: MIT
"""The real world as an `Env`: the monotonic clock and the system's randomness."""

from __future__ import annotations

import os
import time

from stack.base.seam import Env, Executor, Trace


class SystemEnv(Env):
    """What a stack on a real clock gets.  The runtime calls `tick` once per turn."""

    def __init__(self, executor: Executor, trace: Trace | None = None) -> None:
        self.executor = executor
        self.trace = trace
        self.now = time.monotonic_ns()

    def tick(self) -> None:
        """Now is now."""
        self.now = time.monotonic_ns()

    def random(self, count: int) -> bytes:
        return os.urandom(count)
