# SPDX-License-Identifier: MIT
"""How a call becomes work on the stack's thread (wsk.md 2.1).

Any thread may call WSK.  On the stack's own thread an operation runs at once and may finish
inline; from any other it is handed over and STATUS_PENDING returned.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from stack.base.seam import Executor
from wsk_api.irp import IRP, Completions
from wsk_api.ntstatus import (
    STATUS_CANCELLED,
    STATUS_INVALID_PARAMETER,
    STATUS_PENDING,
    STATUS_UNSUCCESSFUL,
)

log = logging.getLogger("wskstack.wsk")

_WRONG_TYPES: Final = (AttributeError, TypeError, ValueError)
"""What Python says where a C compiler would have refused.  The caller gets a status, the log the
place; the stack's thread lives on."""

Operation = Callable[[IRP], tuple[int, Any]]
"""Does the work for an IRP: (status, information); (STATUS_PENDING, _) if the IRP is kept."""


class Engine:
    """Runs operations for the sockets of one provider."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.completions = Completions()

    def issue(self, irp: IRP | None, operation: Operation) -> int:
        """Run `operation` for `irp`.  Returns what the WSK function returns."""
        if irp is None or irp.queued:
            # Without an IRP there is nothing to complete; a queued one belongs to another call.
            return STATUS_INVALID_PARAMETER
        irp.queued = True
        irp.executor = self.executor
        irp.PendingReturned = False
        if self.executor.inside():
            return self._run(irp, operation)
        self.executor.submit(lambda: self._start(irp, operation))
        return STATUS_PENDING

    def call(self, operation: Callable[[], int]) -> int:
        """Run an operation that has no IRP and answers at once."""
        if self.executor.inside():
            return _guarded(operation)
        box: list[int] = []
        self.executor.submit(lambda: box.append(_guarded(operation)))
        if not self.executor.wait(lambda: bool(box), None):
            return STATUS_UNSUCCESSFUL  # the stack stopped
        return box[0]

    def later(self, operation: Callable[[], None]) -> None:
        """Run `operation` on the stack's thread, now if this is it."""
        if self.executor.inside():
            operation()
        else:
            self.executor.submit(operation)

    def complete(self, irp: IRP, status: int, information: Any = 0) -> int:
        """Complete a queued IRP."""
        return self.completions.complete(irp, status, information)

    def _start(self, irp: IRP, operation: Operation) -> None:
        self._run(irp, operation)

    def _run(self, irp: IRP, operation: Operation) -> int:
        if irp.Cancel:
            return self.complete(irp, STATUS_CANCELLED)
        try:
            status, information = operation(irp)
        except _WRONG_TYPES:
            log.exception("a WSK function was given an argument of a wrong kind")
            status, information = STATUS_INVALID_PARAMETER, 0
        if status == STATUS_PENDING:
            return STATUS_PENDING
        return self.complete(irp, status, information)


def _guarded(operation: Callable[[], int]) -> int:
    try:
        return operation()
    except _WRONG_TYPES:
        log.exception("a WSK function was given an argument of a wrong kind")
        return STATUS_INVALID_PARAMETER
