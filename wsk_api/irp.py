# SPDX-License-Identifier: MIT
"""IRPs: stack locations, completion routines, reuse, cancellation (wsk.md 2.1, 5.7, 5.8).

The contract: a function that takes an IRP completes it exactly once, on every path, also when it
returns an error at once.  The result is `Irp.IoStatus`; then the completion routines run, from
the location WSK was given upwards, until one keeps the IRP.

An IRP is *queued* while a function of WSK holds it.  From its completion until its first routine
begins it is still *busy*: it belongs to the provider and is neither freed, reused nor issued.

Cancellation has one rule: whoever comes first on the stack's thread decides.  IoCancelIrp on
another thread is handed over, and meets there the very request it was meant for, or nothing.

Who runs the routines and in which order is `completions`; who issues is `requests`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from stack.base.seam import Executor
from wsk_api.ntstatus import (
    NT_SUCCESS,
    STATUS_CANCELLED,
    STATUS_MORE_PROCESSING_REQUIRED,
    STATUS_PENDING,
    STATUS_SUCCESS,
)

log = logging.getLogger("wskstack.wsk")

CompletionRoutine = Callable[[Any, "IRP", Any], int]
"""(DeviceObject, Irp, Context) -> STATUS_MORE_PROCESSING_REQUIRED, for an IRP of one's own."""

# IO_STACK_LOCATION.Control
SL_PENDING_RETURNED: Final = 0x01
SL_INVOKE_ON_CANCEL: Final = 0x20
SL_INVOKE_ON_SUCCESS: Final = 0x40
SL_INVOKE_ON_ERROR: Final = 0x80

_INVOKE_ALWAYS: Final = SL_INVOKE_ON_SUCCESS | SL_INVOKE_ON_ERROR

_RAISED: Final = "a completion routine raised; the request stays complete"

# Why an IRP may not be touched.
QUEUED: Final = "still queued; wait for its completion"
COMPLETING: Final = "complete, but its completion routine has not run yet"
FREED: Final = "freed"


class IO_STATUS_BLOCK:
    """The result of a request.  Undefined until completion."""

    __slots__ = ("Information", "Status")

    def __init__(self) -> None:
        self.Status = STATUS_SUCCESS
        self.Information: Any = 0


class IO_STACK_LOCATION:
    """What one driver asks of the next one down, and what it wants to hear of the end."""

    __slots__ = (
        "CompletionRoutine",
        "Context",
        "Control",
        "DeviceObject",
        "MajorFunction",
        "MinorFunction",
        "Parameters",
    )

    def __init__(self) -> None:
        self.CompletionRoutine: CompletionRoutine | None = None
        self.Context: Any = None
        self.Control = 0
        self.DeviceObject: Any = None
        self.MajorFunction = 0
        self.MinorFunction = 0
        self.Parameters: Any = None


class IRP(IO_STACK_LOCATION):
    """An I/O request packet.

    Location `StackCount` belongs to the driver the IRP was first given to, 1 to the last;
    `CurrentLocation` is one more than `StackCount` while its owner has it.  The packet is itself
    its location 1, since nearly every IRP has no other.
    """

    __slots__ = (
        "Cancel",
        "CurrentLocation",
        "IoStatus",
        "PendingReturned",
        "StackCount",
        "_above",
        "_cancel",
        "busy",
        "executor",
        "queued",
        "serial",
        "token",
    )

    def __init__(self, StackSize: int = 1) -> None:
        # Of its location 1 only this is defined: the rest is for WSK to fill.
        self.CompletionRoutine = None
        self.Context = None
        self.Control = 0
        self.IoStatus = IO_STATUS_BLOCK()
        self.PendingReturned = False
        self.Cancel = False
        self.StackCount = StackSize
        self.CurrentLocation = StackSize + 1
        self._above: tuple[IO_STACK_LOCATION, ...] = ()
        if StackSize > 1:
            self._above = tuple(IO_STACK_LOCATION() for _ in range(StackSize - 1))
        self._cancel: Callable[[IRP], None] | None = None
        self.queued = False
        self.busy = ""  # why it may not be touched: QUEUED, COMPLETING, FREED
        self.serial = 0  # which request this is: one more whenever it is issued
        self.executor: Executor | None = None
        self.token: Any = None  # the provider's own note

    # Locations.

    def location(self, number: int) -> IO_STACK_LOCATION:
        """A stack location; 1 is the lowest."""
        return self._above[number - 2] if number > 1 else self

    def wanted(self, control: int) -> bool:
        """Whether a routine that was set with these flags is called."""
        if control & _INVOKE_ALWAYS == _INVOKE_ALWAYS:
            return True
        status = self.IoStatus.Status
        if control & (SL_INVOKE_ON_SUCCESS if NT_SUCCESS(status) else SL_INVOKE_ON_ERROR):
            return True
        cancelled = self.Cancel or status == STATUS_CANCELLED
        return cancelled and bool(control & SL_INVOKE_ON_CANCEL)

    # The provider's side.

    def take(self, executor: Executor | None) -> None:
        """WSK holds this request from now on, in the next location down."""
        self.serial += 1
        self.queued = True
        self.busy = QUEUED
        self.executor = executor
        self.CurrentLocation -= 1

    def end(self, status: int, information: Any) -> None:
        """WSK is done with this request; its routines are still to be called."""
        assert self.queued, "an IRP was completed twice"
        assert status != STATUS_PENDING
        self.queued = False
        self.busy = COMPLETING
        self.token = None
        self._cancel = None
        outcome = self.IoStatus
        outcome.Status = status
        outcome.Information = information

    def give_back(self) -> None:
        """Undo `take`, for a request of the provider's own that was not accepted."""
        self.queued = False
        self.busy = ""
        self._cancel = None
        self.CurrentLocation += 1

    def set_cancel(self, routine: Callable[[IRP], None] | None) -> None:
        """The request is kept, and `routine` withdraws it; None once that is not possible."""
        self._cancel = routine
        if routine is not None:
            current = self if self.CurrentLocation == 1 else self.location(self.CurrentLocation)
            current.Control |= SL_PENDING_RETURNED

    def run_cancel(self, serial: int = 0) -> None:
        """Withdraw, if the request (the one numbered `serial`) is still queued.  Stack thread."""
        if serial and serial != self.serial:
            return
        routine, self._cancel = self._cancel, None
        if self.queued and routine is not None:
            routine(self)

    @property
    def cancellable(self) -> bool:
        return self.queued and self._cancel is not None

    @property
    def begun(self) -> bool:
        """The stack's thread knows of it: it is not on its way there from another one."""
        return self._cancel is not not_begun

    def reset(self) -> None:
        self.CompletionRoutine = self.Context = None
        self.Control = 0
        for location in self._above:
            location.CompletionRoutine = location.Context = None
            location.Control = 0
        outcome = self.IoStatus
        outcome.Status = STATUS_SUCCESS
        outcome.Information = 0
        self.PendingReturned = False
        self.Cancel = False
        self.token = None
        self._cancel = None


def not_begun(_: IRP) -> None:
    """The cancel routine of what is on its way to the stack's thread: there `Cancel` is seen."""


def complete_upwards(irp: IRP) -> None:
    """The I/O manager's part of a completion: the routines, from the current location up."""
    if irp.StackCount == 1:
        # Nobody is above: what the routine answers changes nothing.
        irp.CurrentLocation = 2
        control, routine, context = irp.Control, irp.CompletionRoutine, irp.Context
        irp.CompletionRoutine = irp.Context = None
        irp.Control = 0
        irp.PendingReturned = control & SL_PENDING_RETURNED != 0
        always = control & _INVOKE_ALWAYS == _INVOKE_ALWAYS
        if routine is not None and (always or irp.wanted(control)):
            try:
                routine(None, irp, context)
            except Exception:
                log.exception(_RAISED)
        return
    serial, count = irp.serial, irp.StackCount
    while (number := irp.CurrentLocation) <= count:
        left = irp.location(number)
        above = irp.location(number + 1) if number < count else None
        irp.CurrentLocation = number + 1
        control, routine, context = left.Control, left.CompletionRoutine, left.Context
        left.Control = 0
        left.CompletionRoutine = left.Context = None
        irp.PendingReturned = bool(control & SL_PENDING_RETURNED)
        if routine is None or not irp.wanted(control):
            if above is not None:
                above.Control |= control & SL_PENDING_RETURNED
            continue
        device = above.DeviceObject if above is not None else None
        if _call(routine, device, irp, context) == STATUS_MORE_PROCESSING_REQUIRED:
            return
        if irp.busy or irp.serial != serial:
            # Its routine freed or issued it again, and had to say so by keeping it.
            if above is not None:
                log.error("a completion routine used up an IRP that belongs to a driver above")
            return


def _call(routine: CompletionRoutine, device: Any, irp: IRP, context: Any) -> int:
    try:
        return routine(device, irp, context)
    except Exception:
        log.exception(_RAISED)
        return STATUS_SUCCESS


def IoAllocateIrp(StackSize: int = 1, ChargeQuota: bool = False) -> IRP:
    """A fresh IRP with `StackSize` locations, of which WSK needs one."""
    assert StackSize >= 1, "IoAllocateIrp: WSK needs a stack location"
    return IRP(StackSize)


def IoFreeIrp(Irp: IRP) -> None:
    """Give an IRP of one's own back.  It must not be in use, nor passed down by somebody else."""
    assert not Irp.busy, f"IoFreeIrp: the request is {Irp.busy}"
    assert Irp.CurrentLocation > Irp.StackCount, "IoFreeIrp: it belongs to a driver above"
    Irp.busy = FREED


def IoReuseIrp(Irp: IRP, Status: int = STATUS_SUCCESS) -> None:
    """Make a completed IRP of one's own fit for another request.

    As on Windows nothing of the last request is left: the completion routine is set again.
    """
    assert not Irp.busy, f"IoReuseIrp: the request is {Irp.busy}"
    assert Irp.CurrentLocation > Irp.StackCount, "IoReuseIrp: it belongs to a driver above"
    Irp.reset()
    Irp.IoStatus.Status = Status


def IoSetCompletionRoutine(
    Irp: IRP,
    CompletionRoutine: CompletionRoutine | None,
    Context: Any = None,
    InvokeOnSuccess: bool = True,
    InvokeOnError: bool = True,
    InvokeOnCancel: bool = True,
) -> None:
    """Have `CompletionRoutine(DeviceObject, Irp, Context)` called when the request completes.

    Holds for one request.  For an IRP of one's own all three flags are TRUE and the routine
    returns STATUS_MORE_PROCESSING_REQUIRED; for one that was passed down it may also return
    STATUS_SUCCESS, after IoMarkIrpPending if `Irp.PendingReturned`.
    """
    assert not Irp.busy, f"IoSetCompletionRoutine: the request is {Irp.busy}"
    location = Irp if Irp.CurrentLocation == 2 else IoGetNextIrpStackLocation(Irp)
    location.CompletionRoutine = CompletionRoutine
    location.Context = Context
    if InvokeOnSuccess and InvokeOnError and InvokeOnCancel:
        location.Control = _INVOKE_ALWAYS | SL_INVOKE_ON_CANCEL
        return
    location.Control = (
        (SL_INVOKE_ON_SUCCESS if InvokeOnSuccess else 0)
        | (SL_INVOKE_ON_ERROR if InvokeOnError else 0)
        | (SL_INVOKE_ON_CANCEL if InvokeOnCancel else 0)
    )


def IoSetCompletionRoutineEx(
    DeviceObject: Any,
    Irp: IRP,
    CompletionRoutine: CompletionRoutine | None,
    Context: Any = None,
    InvokeOnSuccess: bool = True,
    InvokeOnError: bool = True,
    InvokeOnCancel: bool = True,
) -> int:
    """As IoSetCompletionRoutine, for a driver that may unload.  Always STATUS_SUCCESS here."""
    flags = (InvokeOnSuccess, InvokeOnError, InvokeOnCancel)
    IoSetCompletionRoutine(Irp, CompletionRoutine, Context, *flags)
    return STATUS_SUCCESS


def IoGetCurrentIrpStackLocation(Irp: IRP) -> IO_STACK_LOCATION:
    """What was asked of the driver that has the IRP; none for an IRP of one's own."""
    assert Irp.CurrentLocation <= Irp.StackCount, "an IRP of one's own has no current location"
    return Irp.location(Irp.CurrentLocation)


def IoGetNextIrpStackLocation(Irp: IRP) -> IO_STACK_LOCATION:
    """What will be asked of the next driver down."""
    assert Irp.CurrentLocation > 1, "the IRP has no free stack location left"
    return Irp.location(Irp.CurrentLocation - 1)


def IoSetNextIrpStackLocation(Irp: IRP) -> None:
    """One location down, as when the IRP is handed to the next driver."""
    assert Irp.CurrentLocation > 1, "the IRP has no free stack location left"
    Irp.CurrentLocation -= 1


def IoSkipCurrentIrpStackLocation(Irp: IRP) -> None:
    """Let the next driver down have the current location: whoever is above hears at once."""
    assert Irp.CurrentLocation <= Irp.StackCount, "an IRP of one's own has no current location"
    Irp.CurrentLocation += 1


def IoCopyCurrentIrpStackLocationToNext(Irp: IRP) -> None:
    """Ask of the next driver down what was asked of this one; its routine is not copied."""
    current, below = IoGetCurrentIrpStackLocation(Irp), IoGetNextIrpStackLocation(Irp)
    below.MajorFunction = current.MajorFunction
    below.MinorFunction = current.MinorFunction
    below.Parameters = current.Parameters
    below.CompletionRoutine = below.Context = None
    below.Control = 0


def IoMarkIrpPending(Irp: IRP) -> None:
    """The driver that has the IRP returns STATUS_PENDING; whoever is above sees PendingReturned."""
    IoGetCurrentIrpStackLocation(Irp).Control |= SL_PENDING_RETURNED


def IoCompleteRequest(Irp: IRP, PriorityBoost: int = 0) -> None:
    """Complete an IRP that was passed down and is kept here: on with the routines above."""
    assert not Irp.busy, f"IoCompleteRequest: the request is {Irp.busy}"
    assert Irp.CurrentLocation <= Irp.StackCount, "IoCompleteRequest: nobody above gave this IRP"
    complete_upwards(Irp)


def IoCancelIrp(Irp: IRP) -> bool:
    """Ask for a request to be cancelled.  Any thread.

    True if it is queued and can be withdrawn: unless it completes by itself first, it completes
    with STATUS_CANCELLED.  False if it is not queued or has gone too far; it then completes, or
    has completed, as if nothing had been asked.
    """
    assert Irp.busy != FREED, "IoCancelIrp: the request is freed"
    Irp.Cancel = True
    executor = Irp.executor
    if not Irp.queued or executor is None:
        return False
    possible, serial = Irp.cancellable, Irp.serial
    if not executor.inside():
        executor.submit(lambda: Irp.run_cancel(serial))
        return possible
    Irp.run_cancel(serial)
    return possible and not Irp.cancellable
