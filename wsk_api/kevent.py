# SPDX-License-Identifier: MIT
"""KEVENT: how a client's own thread waits for a completion routine (wsk.md 2.1 points 3 and 9).

    KeInitializeEvent(event, SynchronizationEvent, False)
    ... a completion routine calls KeSetEvent(event, 0, False) ...
    KeWaitForSingleObject(event, Executive, KernelMode, False, None)

Waiting on the stack's own thread, in a routine or a callback, is refused.
"""

from __future__ import annotations

from typing import Final

from wsk_api.ntstatus import STATUS_SUCCESS, STATUS_TIMEOUT
from wsk_api.subsystem import Subsystem, default_subsystem
from wsk_api.waiting import Changes

NotificationEvent: Final = 0
"""Stays signalled until it is cleared; lets every waiter go."""
SynchronizationEvent: Final = 1
"""Lets one waiter go and is not signalled any more."""

Executive: Final = 0
KernelMode: Final = 0

_UNIT: Final = 100
"""ns in a unit of `Timeout`."""


class KEVENT:
    """An event.  `subsystem` is ours: whose thread must not wait; the default one if not said."""

    __slots__ = ("State", "Type", "_changes", "_subsystem")

    def __init__(self, subsystem: Subsystem | None = None) -> None:
        self.Type = NotificationEvent
        self.State = False
        self._subsystem = subsystem or default_subsystem()
        self._changes = Changes()

    def set(self, state: bool) -> int:
        """Change the state; the one before."""
        with self._changes.lock:
            before, self.State = self.State, state
        self._changes.tell()
        return int(before)

    def wait(self, timeout: int | None) -> bool:
        """Wait, in ns, and use the signal up if it is for one."""
        self._changes.executor = self._subsystem.executor
        return self._changes.wait(self._taken, timeout, "KeWaitForSingleObject")

    def _taken(self) -> bool:
        with self._changes.lock:
            if not self.State:
                return False
            if self.Type == SynchronizationEvent:
                self.State = False
            return True


def KeInitializeEvent(Event: KEVENT, Type: int, State: bool) -> None:
    """Make an event fit for use."""
    Event.Type = Type
    Event.State = bool(State)


def KeSetEvent(Event: KEVENT, Increment: int = 0, Wait: bool = False) -> int:
    """Signal; non-zero if it was signalled before.  Any thread."""
    return Event.set(True)


def KeResetEvent(Event: KEVENT) -> int:
    """Take the signal back; non-zero if it was signalled before."""
    return Event.set(False)


def KeClearEvent(Event: KEVENT) -> None:
    """Take the signal back."""
    Event.set(False)


def KeReadStateEvent(Event: KEVENT) -> int:
    """Non-zero if signalled."""
    return int(Event.State)


def KeWaitForSingleObject(
    Object: KEVENT,
    WaitReason: int = Executive,
    WaitMode: int = KernelMode,
    Alertable: bool = False,
    Timeout: int | None = None,
) -> int:
    """Wait until the event is signalled.  STATUS_SUCCESS or STATUS_TIMEOUT.

    `Timeout` counts 100 ns, negative for a span as usual; None waits for ever, 0 only looks.
    Points in time (positive values) are refused with ValueError.  On the stack's own thread a
    wait that would block is refused with `StackThreadWait`.
    """
    if Timeout is not None and Timeout > 0:
        raise ValueError("KeWaitForSingleObject: only a span (negative) or 0 is understood")
    span = None if Timeout is None else -Timeout * _UNIT
    return STATUS_SUCCESS if Object.wait(span) else STATUS_TIMEOUT
