# SPDX-License-Identifier: MIT
"""A stack on a thread of its own, for the few rules that are about threads; and timed deeds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from stack import Stack
from stack.base.seam import TimerOwner
from stack.base.timers import Timer
from tap.memory import wire
from tap.thread import ThreadRuntime
from tests.harness import Host, World, quiet
from wsk_api import (
    MAKE_WSK_VERSION,
    STATUS_SUCCESS,
    WSK_CLIENT_DISPATCH,
    WSK_CLIENT_NPI,
    WSK_REGISTRATION,
    Subsystem,
    WskRegister,
)

PATIENCE = 20
"""Seconds after which a thread is given up for lost."""


def registered(subsystem: Subsystem, version: int = MAKE_WSK_VERSION(1, 0)) -> WSK_REGISTRATION:
    """A client that has registered, with nothing captured."""
    registration = WSK_REGISTRATION(subsystem)
    npi = WSK_CLIENT_NPI(None, WSK_CLIENT_DISPATCH(version))
    assert WskRegister(npi, registration) == STATUS_SUCCESS
    return registration


class Real:
    """One stack that is turned by a thread, and its subsystem."""

    def __init__(self) -> None:
        self.runtime = ThreadRuntime()
        ports = wire(bytes((2, 0, 0, 0, 0, 1)), bytes((2, 0, 0, 0, 0, 2)))
        self.stack = Stack(self.runtime.env, quiet())
        nic = self.stack.add_nic(ports[0], "wsk1")
        self.stack.add_address(nic, "fd77::1", 64)
        self.runtime.loop.add(self.stack, nic, ports[0])
        self.subsystem = Subsystem()
        self.subsystem.attach(self.stack.providers, self.runtime)

    def __enter__(self) -> Real:
        self.runtime.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.runtime.stop()

    def inside(self, work: Callable[[], Any]) -> Any:
        """Do `work` on the stack's thread; what it returned, or raised."""
        box: list[Any] = []

        def run() -> None:
            try:
                box.append(work())
            except (RuntimeError, AssertionError) as error:
                box.append(error)

        self.runtime.submit(run)
        assert self.runtime.wait(lambda: bool(box), PATIENCE * 10**9)
        return box[0]


class Threaded:
    """A call on a thread of its own, and how it ended."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._box: list[Any] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._box.append(self._work())

    @property
    def running(self) -> bool:
        return not self._box

    def result(self) -> Any:
        self._thread.join(PATIENCE)
        assert self._box, "the thread hangs, or failed"
        return self._box[0]


class _Deed(TimerOwner):
    def __init__(self, deed: Callable[[], Any]) -> None:
        self.deed = deed

    def fired(self, timer: Timer) -> None:
        self.deed()


def after(world: World, host: Host, span: int, deed: Callable[[], Any]) -> None:
    """Do something in `span` ns of virtual time, in the middle of a turn."""
    host.stack.timers.arm(Timer(_Deed(deed)), world.now + span)
