# SPDX-License-Identifier: MIT
"""IRPs: allocate, complete, cancel (wsk.md 2.1, 5.7, 5.8).

The contract: a function that takes an IRP completes it exactly once, on every path, also when it
returns an error at once.  The result is `Irp.IoStatus`; then the completion routine runs.

An IRP is *queued* while a function of WSK holds it and *complete* otherwise.  Completing one
that is not queued is a bug of the provider and asserts.

Completion routines run one after the other on the stack's thread, never inside one another, so
that a routine which issues the next request does not grow the call stack.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from stack.base.seam import Executor
from wsk_api.ntstatus import NT_SUCCESS, STATUS_CANCELLED, STATUS_PENDING, STATUS_SUCCESS

log = logging.getLogger("wskstack.wsk")

CompletionRoutine = Callable[[Any, "IRP", Any], int]
"""(DeviceObject, Irp, Context) -> STATUS_MORE_PROCESSING_REQUIRED, for an IRP of one's own."""


class IO_STATUS_BLOCK:
    """The result of a request.  Undefined until completion."""

    __slots__ = ("Information", "Status")

    def __init__(self) -> None:
        self.Status = STATUS_SUCCESS
        self.Information: Any = 0


class IRP:
    """An I/O request packet."""

    __slots__ = (
        "Cancel",
        "IoStatus",
        "PendingReturned",
        "_cancel",
        "_context",
        "_invoke",
        "_routine",
        "executor",
        "queued",
        "token",
    )

    def __init__(self) -> None:
        self.IoStatus = IO_STATUS_BLOCK()
        self.PendingReturned = False
        self.Cancel = False
        self.queued = False
        self.token: Any = None  # the provider's own note
        self.executor: Executor | None = None
        self._routine: CompletionRoutine | None = None
        self._context: Any = None
        self._invoke = (False, False, False)
        self._cancel: Callable[[IRP], None] | None = None

    def set_cancel(self, routine: Callable[[IRP], None] | None) -> None:
        """How the provider withdraws this request; None once that is no longer possible."""
        self._cancel = routine

    def run_cancel(self) -> None:
        """Withdraw, if the request is still queued.  Stack thread."""
        routine, self._cancel = self._cancel, None
        if self.queued and routine is not None:
            routine(self)

    @property
    def cancellable(self) -> bool:
        return self.queued and self._cancel is not None

    @property
    def has_routine(self) -> bool:
        """Somebody wants to hear of the completion."""
        return self._routine is not None

    def set_routine(self, routine: CompletionRoutine, context: Any, invoke: Any) -> None:
        self._routine = routine
        self._context = context
        self._invoke = invoke

    def run_routine(self) -> None:
        """Call the completion routine, if it wants to hear of this outcome."""
        on_success, on_error, on_cancel = self._invoke
        wanted = on_success if NT_SUCCESS(self.IoStatus.Status) else on_error
        if self.IoStatus.Status == STATUS_CANCELLED:
            wanted = wanted or on_cancel
        if self._routine is None or not wanted:
            return
        try:
            self._routine(None, self, self._context)
        except Exception:
            log.exception("a completion routine raised; the request stays complete")

    def reset(self) -> None:
        self.IoStatus.Status = STATUS_SUCCESS
        self.IoStatus.Information = 0
        self.PendingReturned = False
        self.Cancel = False
        self.token = None
        self._cancel = None


def IoAllocateIrp(StackSize: int = 1, ChargeQuota: bool = False) -> IRP:
    """A fresh IRP.  `StackSize` must be 1 at least, which here costs nothing."""
    return IRP()


def IoFreeIrp(Irp: IRP) -> None:
    """Give an IRP back.  It must not be queued."""
    assert not Irp.queued, "IoFreeIrp: the request is still queued; wait for its completion"


def IoReuseIrp(Irp: IRP, Status: int = STATUS_SUCCESS) -> None:
    """Make a completed IRP fit for another request.  The completion routine is kept."""
    assert not Irp.queued, "IoReuseIrp: the request is still queued; wait for its completion"
    Irp.reset()
    Irp.IoStatus.Status = Status


def IoSetCompletionRoutine(
    Irp: IRP,
    CompletionRoutine: CompletionRoutine,
    Context: Any = None,
    InvokeOnSuccess: bool = True,
    InvokeOnError: bool = True,
    InvokeOnCancel: bool = True,
) -> None:
    """Have `CompletionRoutine(DeviceObject, Irp, Context)` called when the request completes.

    For an IRP of one's own all three flags are TRUE and the routine returns
    STATUS_MORE_PROCESSING_REQUIRED.
    """
    invoke = (InvokeOnSuccess, InvokeOnError, InvokeOnCancel)
    Irp.set_routine(CompletionRoutine, Context, invoke)


def IoMarkIrpPending(Irp: IRP) -> None:
    """Note that completion comes later."""
    Irp.PendingReturned = True


def IoCancelIrp(Irp: IRP) -> bool:
    """Ask for a request to be cancelled.  Any thread.

    True if it is queued and can be withdrawn: unless it completes by itself first, it completes
    with STATUS_CANCELLED.  False if it is not queued or has gone too far.
    """
    Irp.Cancel = True
    executor = Irp.executor
    if not Irp.queued or executor is None:
        return False
    if executor.inside():
        if not Irp.cancellable:
            return False
        Irp.run_cancel()
        return not Irp.queued
    possible = Irp.cancellable
    executor.submit(Irp.run_cancel)
    return possible


class Completions:
    """Completes IRPs for one provider, in order, without recursion.  Stack thread only."""

    def __init__(self) -> None:
        self._waiting: deque[IRP] = deque()
        self._running = False

    def complete(self, irp: IRP, status: int, information: Any = 0) -> int:
        """Complete `irp`; returns `status`."""
        assert irp.queued, "an IRP was completed twice"
        assert status != STATUS_PENDING
        irp.queued = False
        irp.token = None
        irp.set_cancel(None)
        irp.IoStatus.Status = status
        irp.IoStatus.Information = information
        if not irp.has_routine:
            return status
        self._waiting.append(irp)
        if not self._running:
            self._running = True
            try:
                while self._waiting:
                    self._waiting.popleft().run_routine()
            finally:
                self._running = False
        return status
