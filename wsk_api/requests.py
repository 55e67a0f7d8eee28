# SPDX-License-Identifier: MIT
"""How a call becomes work on the stack's thread (wsk.md 2.1).

Any thread may call WSK.  On the stack's own thread an operation runs at once and may finish
inline; from any other it is handed over and STATUS_PENDING returned.

Every client has an engine of its own, which knows what is outstanding: WskDeregister waits for
that, and once the provider has left, every function answers here (see `departure`).
"""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar

from stack.base.seam import Executor
from wsk_api.completions import Completions
from wsk_api.irp import IRP, not_begun
from wsk_api.ntstatus import (
    STATUS_CANCELLED,
    STATUS_FILE_FORCED_CLOSED,
    STATUS_INVALID_PARAMETER,
    STATUS_PENDING,
    STATUS_UNSUCCESSFUL,
)

log = logging.getLogger("wskstack.wsk")

_WRONG_TYPES: Final = (AttributeError, TypeError, ValueError)
"""What Python says where a C compiler would have refused.  The caller gets a status, the log the
place; the stack's thread lives on."""

_WRONG: Final = "a WSK function was given an argument of a wrong kind"

T = TypeVar("T")

Operation = Callable[[IRP], tuple[int, Any]]
"""Does the work for an IRP: (status, information); (STATUS_PENDING, _) if the IRP is kept."""
Transfer = Callable[[Any, int, IRP], tuple[int, Any]]
"""The same for a buffer and flags."""


class Engine:
    """Runs operations for one client and its sockets."""

    def __init__(self, executor: Executor, completions: Completions | None = None) -> None:
        self.executor = executor
        self.completions = completions or Completions(executor)
        self.outstanding: set[IRP] = set()
        self.dead = False  # the provider has left

    def issue(self, irp: IRP | None, operation: Operation, closing: bool = False) -> int:
        """Run `operation` for `irp`.  Returns what the WSK function returns.

        `closing`: WskCloseSocket, which neither a cancellation nor a dead provider stops.
        """
        if irp is None or irp.busy or irp.CurrentLocation < 2:
            return _unfit(irp)
        executor = self.executor
        irp.take(executor)
        if executor.inside():
            return self._run(irp, operation, closing)
        self.outstanding.add(irp)
        irp.set_cancel(not_begun)
        executor.submit(lambda: self._begin(irp, operation, closing))
        return STATUS_PENDING

    def transfer(self, irp: IRP | None, operation: Transfer, buffer: Any, flags: int) -> int:
        """`issue` for what every send and receive is, `operation(buffer, flags, irp)`: on the
        stack's own thread without a function that is made for each."""
        if irp is None or irp.busy or irp.CurrentLocation < 2:
            return _unfit(irp)
        executor = self.executor
        if irp.Cancel or self.dead or not executor.inside():
            return self.issue(irp, lambda request: operation(buffer, flags, request))
        irp.take(executor)
        try:
            status, information = operation(buffer, flags, irp)
        except _WRONG_TYPES:
            log.exception(_WRONG)
            status, information = STATUS_INVALID_PARAMETER, 0
        return self._ended(irp, status, information)

    def call(self, operation: Callable[[], int]) -> int:
        """Run an operation that has no IRP and answers at once."""
        if self.executor.inside():
            return self._guarded(operation)
        box: list[int] = []
        self.executor.submit(lambda: box.append(self._guarded(operation)))
        if not self.executor.wait(lambda: bool(box), None):
            return STATUS_UNSUCCESSFUL  # the stack stopped
        return box[0]

    def later(self, operation: Callable[[], None]) -> None:
        """Run `operation` on the stack's thread, now if this is it."""
        if self.executor.inside():
            operation()
        else:
            self.executor.submit(operation)

    def kept(self, address: T) -> T:
        """An address as it is now: it is the caller's again when the call returns (wsk.md 2.1
        point 8), which is before a call from another thread begins."""
        return address if self.executor.inside() else copy.copy(address)

    def complete(self, irp: IRP, status: int, information: Any = 0) -> int:
        """Complete a queued IRP."""
        if self.outstanding:
            self.outstanding.discard(irp)
        if self.dead and status == STATUS_CANCELLED:
            status = STATUS_FILE_FORCED_CLOSED  # withdrawn because the provider left
        return self.completions.complete(irp, status, information)

    def _begin(self, irp: IRP, operation: Operation, closing: bool) -> None:
        irp.set_cancel(None)
        self._run(irp, operation, closing)

    def _run(self, irp: IRP, operation: Operation, closing: bool) -> int:
        status, information = STATUS_CANCELLED, 0
        if (not irp.Cancel and not self.dead) or closing:
            try:
                status, information = operation(irp)
            except _WRONG_TYPES:
                log.exception(_WRONG)
                status, information = STATUS_INVALID_PARAMETER, 0
        elif self.dead:
            status = STATUS_FILE_FORCED_CLOSED
        return self._ended(irp, status, information)

    def _ended(self, irp: IRP, status: int, information: Any) -> int:
        """An operation has come back: its request is kept, or complete."""
        if status != STATUS_PENDING:
            return self.complete(irp, status, information)
        if irp.queued:
            self.outstanding.add(irp)
        return STATUS_PENDING

    def _guarded(self, operation: Callable[[], int]) -> int:
        if self.dead:
            return STATUS_FILE_FORCED_CLOSED
        try:
            return operation()
        except _WRONG_TYPES:
            log.exception(_WRONG)
            return STATUS_INVALID_PARAMETER


def refuse(irp: IRP | None, status: int, information: Any = 0) -> int:
    """Complete an IRP for which there is no client, and so no engine.  On the calling thread."""
    if irp is None or irp.busy or irp.CurrentLocation < 2:
        return _unfit(irp)
    irp.take(None)
    _nowhere.completions.complete(irp, status, information)
    _nowhere.turn()
    return status


def _unfit(irp: IRP | None) -> int:
    """In use, or without a free location, an IRP is somebody else's to complete."""
    if irp is not None:
        log.error("an IRP was issued that is %s", irp.busy or "without a free stack location")
    return STATUS_INVALID_PARAMETER


class _Nowhere(threading.local, Executor):
    """The calling thread as the one that completes; its turns are the calls themselves."""

    def __init__(self) -> None:
        self.completions = Completions(self)
        self._tasks: list[Callable[[], None]] = []

    def submit(self, task: Callable[[], None]) -> None:
        self._tasks.append(task)

    def turn(self) -> None:
        """Run what was put off, unless a routine further out does so."""
        while self._tasks and not self.completions.running:
            self._tasks.pop()()


_nowhere = _Nowhere()
