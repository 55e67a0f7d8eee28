# SPDX-License-Identifier: MIT
"""The two worlds a stack can live in, each an `Env`.

`SystemEnv` is the real one: the monotonic clock and the system's randomness.  `VirtualEnv` has a
clock that is set and randomness that repeats: tests, the laboratory and the simulations.
"""

from __future__ import annotations

import os
import time
from random import Random

from stack.base.seam import Env, Executor, Trace
from stack.base.units import SECOND
from tap.loop import VirtualExecutor, VirtualLoop


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


class VirtualEnv(Env):
    """A world of its own, and `loop`, which runs it.  Equal seeds make equal worlds."""

    def __init__(self, seed: int, now: int = SECOND) -> None:
        self.now = now  # not 0, which would hide "never set" bugs
        executor = VirtualExecutor()
        self.executor = executor
        self.loop = VirtualLoop(self, executor)
        self._random = Random(seed)

    def random(self, count: int) -> bytes:
        return self._random.randbytes(count)
