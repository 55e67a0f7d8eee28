# SPDX-License-Identifier: MIT
"""Waiting for IRPs: one `Request`, and two ways to wait for it.

A request completes on the stack's thread, which may be the waiter's own or another.  The logic of
the facade is written once, as coroutines over a `Waiter`: `AsyncWaiter` suspends the task,
`blocking.ThreadWaiter` blocks the thread and so never suspends.

The rule of both: who stops waiting (a cancelled task, a time-out, Ctrl-C) cancels the IRP and
stays until it has completed; if it succeeded all the same, what it made is undone.  Only what was
queued on a connection (sends, the FIN) outlives the call that issued it; closing ends it.
Who calls it: the rest of the facade.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable
from typing import Any, Final

from wsk_api.facade.errors import error
from wsk_api.irp import IRP, IoAllocateIrp, IoCancelIrp, IoSetCompletionRoutine
from wsk_api.ntstatus import (
    NT_SUCCESS,
    STATUS_CANCELLED,
    STATUS_IO_TIMEOUT,
    STATUS_MORE_PROCESSING_REQUIRED,
)

NEVER: Final = math.inf

Issue = Callable[[IRP], int]
"""Calls one WSK function with an IRP."""
Undo = Callable[[Any], Issue | None]
"""Gets rid of a result nobody wants any more: at once, or by a call it returns."""


class Signal:
    """Tells whoever waits to look again.  `notify` from any thread, the rest from one."""

    __slots__ = ("_wakes",)

    def __init__(self) -> None:
        self._wakes: tuple[Callable[[], None], ...] = ()

    def add(self, wake: Callable[[], None]) -> None:
        self._wakes += (wake,)

    def remove(self, wake: Callable[[], None]) -> None:
        self._wakes = tuple(other for other in self._wakes if other is not wake)

    def notify(self) -> None:
        for wake in self._wakes:
            wake()


class Request(Signal):
    """An IRP under way.  `told` hears of its completion on the stack's thread, before anybody."""

    __slots__ = ("done", "irp", "told")

    def __init__(self, issue: Issue, told: Callable[[Request], None] | None = None) -> None:
        super().__init__()
        self.done = False
        self.told = told
        self.irp = IoAllocateIrp(1, False)
        IoSetCompletionRoutine(self.irp, self._completed, None, True, True, True)
        issue(self.irp)

    def _completed(self, _: Any, irp: IRP, __: Any) -> int:
        if self.told is not None:
            self.told(self)
        self.done = True
        self.notify()
        return STATUS_MORE_PROCESSING_REQUIRED

    def finished(self) -> bool:
        return self.done

    @property
    def status(self) -> int:
        """The NTSTATUS, once done."""
        return self.irp.IoStatus.Status

    @property
    def succeeded(self) -> bool:
        return NT_SUCCESS(self.irp.IoStatus.Status)

    @property
    def result(self) -> Any:
        """Its Information, once done."""
        return self.irp.IoStatus.Information

    def cancel(self) -> None:
        """Ask for cancellation; completion follows, this way or the other."""
        IoCancelIrp(self.irp)


class Waiter:
    """How a front end waits."""

    def now(self) -> float:
        """Seconds, on the clock of the limits."""
        raise NotImplementedError

    async def until(self, condition: Callable[[], bool], signal: Signal, limit: float) -> bool:
        """Wait for `condition`, which may become true when `signal` is notified.

        False once `limit` is reached.
        """
        raise NotImplementedError

    def changed(self, signal: Signal) -> None:
        """Notify from the caller's side: something changed that no request completed."""
        signal.notify()

    def limit(self, timeout: float | None) -> float:
        """When `timeout` seconds will be over."""
        return NEVER if timeout is None else self.now() + timeout

    async def settle(self, request: Request) -> None:
        """Wait for completion and let nothing come in between."""
        raise NotImplementedError

    async def request(
        self, issue: Issue, what: str, limit: float = NEVER, undo: Undo | None = None
    ) -> Any:
        """Issue a request and wait for it; its Information.  Raises the status otherwise."""
        return await self.finish(Request(issue), what, limit, undo)

    async def finish(
        self, request: Request, what: str, limit: float = NEVER, undo: Undo | None = None
    ) -> Any:
        """Wait for a request that was issued, or withdraw it."""
        late = False
        try:
            if not await self.until(request.finished, request, limit):
                late = True
                request.cancel()
                await self.settle(request)
        except GeneratorExit:
            request.cancel()  # nobody will ever run this coroutine again
            raise
        except BaseException:
            await self._withdraw(request, undo)
            raise
        if request.succeeded:
            return request.result
        if late and request.status == STATUS_CANCELLED:
            raise error(STATUS_IO_TIMEOUT, f"{what}: no answer in time")
        raise error(request.status, what)

    async def _withdraw(self, request: Request, undo: Undo | None) -> None:
        request.cancel()
        try:
            await self.settle(request)
        finally:
            if request.done and request.succeeded and undo is not None:
                issue = undo(request.result)
                if issue is not None:
                    await self.settle(Request(issue))


class AsyncWaiter(Waiter):
    """Suspends the task.  The stack may be on this thread or on another."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def until(self, condition: Callable[[], bool], signal: Signal, limit: float) -> bool:
        if condition():
            return True
        loop = asyncio.get_running_loop()
        here = threading.get_ident()
        while True:
            future: asyncio.Future[None] = loop.create_future()

            def wake(future: asyncio.Future[None] = future) -> None:
                if threading.get_ident() == here:
                    _resolve(future)
                else:
                    loop.call_soon_threadsafe(_resolve, future)

            timer = loop.call_at(limit, _resolve, future) if limit < NEVER else None
            signal.add(wake)
            try:
                # Looked at again: it may have come true on the other thread before the wake-up
                # was in place.
                if not condition():
                    await future
            finally:
                signal.remove(wake)
                if timer is not None:
                    timer.cancel()
            if condition():
                return True
            if loop.time() >= limit:
                return False

    async def settle(self, request: Request) -> None:
        cancelled: asyncio.CancelledError | None = None
        while not request.done:
            try:
                await self.until(request.finished, request, NEVER)
            except asyncio.CancelledError as again:
                cancelled = again
        if cancelled is not None:
            raise cancelled


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
