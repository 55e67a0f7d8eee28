# SPDX-License-Identifier: MIT
"""Completes IRPs: in order, without recursion, and not for ever (wsk.md 2.1, 5.7).

Completion routines run one after the other on the stack's thread, never inside one another: a
routine that issues the next request does not grow the call stack.  Nor does it hold up the
stack: after `BATCH` routines in a row the others wait for the next turn.

Used by `requests`; the walk over an IRP's routines is `irp.complete_upwards`.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from stack.base.seam import Executor
from wsk_api.irp import IRP, complete_upwards

BATCH: Final = 128
"""Completion routines that run in a row, each set off by the one before."""


class Completions:
    """The order of the completions of one provider.  Stack thread only."""

    __slots__ = ("_deferred", "_executor", "_running", "_waiting")

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._waiting: deque[IRP] = deque()
        self._running = False
        self._deferred = False

    @property
    def idle(self) -> bool:
        """Every routine has been called."""
        return not self._waiting and not self._running

    @property
    def running(self) -> bool:
        """A routine is being called."""
        return self._running

    def complete(self, irp: IRP, status: int, information: Any = 0) -> int:
        """Complete `irp`; returns `status`."""
        irp.end(status, information)
        if self._running or self._deferred:
            self._waiting.append(irp)
            return status
        irp.busy = ""
        self._running = True
        try:
            complete_upwards(irp)
        finally:
            self._running = False
        if self._waiting:
            self._drain()
        return status

    def _drain(self) -> None:
        waiting = self._waiting
        self._running = True
        try:
            for _ in range(BATCH):
                irp = waiting.popleft()
                irp.busy = ""
                complete_upwards(irp)
                if not waiting:
                    return
        finally:
            self._running = False
        self._deferred = True
        self._executor.submit(self._go_on)

    def _go_on(self) -> None:
        self._deferred = False
        if self._waiting:
            self._drain()
