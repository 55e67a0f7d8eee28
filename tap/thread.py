# SPDX-License-Identifier: MIT
"""A runtime on a thread of its own.

    runtime = ThreadRuntime()
    stack = Stack(runtime.env)
    runtime.loop.add(stack, stack.add_nic(port), port)
    with runtime: ...

The thread sleeps in `select`, whose time-outs are as fine as the kernel's timers, until a
descriptor is readable, a deadline is reached or another thread submits a call.

Waking a sleeper on another core takes several times as long as answering him.  With `busy_poll`
the thread looks again and again for so many nanoseconds after the last frame before it sleeps: a
request that follows an answer soon finds it awake.  It costs a processor while there is traffic,
and for that long after it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final

from stack.base.seam import Executor, Trace
from stack.base.timers import NEVER
from stack.base.units import SECOND
from tap.clock import SystemEnv
from tap.loop import Loop
from tap.waiting import Waiters

log = logging.getLogger("wskstack.tap")

_LONGEST: Final = 3600.0
_SELECT_LIMIT: Final = 1024


class ThreadRuntime(Executor):
    """Turns a loop on a thread, and is the `Executor` of its stacks.

    busy_poll   ns to look for more before sleeping; 0 to sleep at once
    """

    def __init__(self, trace: Trace | None = None, busy_poll: int = 0) -> None:
        self.env = SystemEnv(self, trace)
        self.loop = Loop(self.env)
        self._busy_poll = busy_poll
        self.failure: BaseException | None = None
        """What ended the thread, if it was a bug."""
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._fds: list[int] = []
        self._watched = -1
        self._thread: threading.Thread | None = None
        self._ident = threading.get_ident()  # until it starts, whoever builds the stack
        self._stopping = False
        self._waiters = Waiters()

    def start(self) -> None:
        """Begin turning.  Until now the stack belonged to the calling thread."""
        self._thread = threading.Thread(target=self._run, name="wskstack", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop turning and give the devices back.  Any thread but the stack's own."""
        self._stopping = True
        self._wake()
        if self._thread is not None:
            self._thread.join()
        self.loop.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def __enter__(self) -> ThreadRuntime:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # Executor.

    def inside(self) -> bool:
        return threading.get_ident() == self._ident

    def submit(self, task: Callable[[], None]) -> None:
        self.loop.call(task)
        self._wake()

    def wanted(self) -> None:
        return  # only the stack's own thread marks work, and it looks before it sleeps

    def wait(self, done: Callable[[], bool], timeout: int | None) -> bool:
        return done() if self.inside() else self._waiters.wait(done, timeout)

    # The thread.

    def _run(self) -> None:
        self._ident = threading.get_ident()
        env, loop, busy_poll = self.env, self.loop, self._busy_poll
        try:
            while not self._stopping:
                env.tick()
                more = loop.turn()
                self._waiters.turned()
                if not more and env.now - loop.heard >= busy_poll:
                    self._sleep()
        except BaseException as error:
            # Our own bug.  It is not hidden: the thread ends, and everybody who waits is told.
            self.failure = error
            log.exception("the stack's thread ended by an error of its own")
        finally:
            self._waiters.end()

    def _sleep(self) -> None:
        when = self.loop.deadline()
        timeout = _LONGEST
        if when < NEVER:
            timeout = (when - time.monotonic_ns()) / SECOND
            if timeout <= 0:
                return
            if timeout > _LONGEST:
                timeout = _LONGEST
        if self._watched != len(self.loop.ports):
            self._watch()
        if self._wake_read in self._wait(timeout):
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_read, 4096)

    def _watch(self) -> None:
        """Ports were added: theirs are the descriptors to wait for, the largest last."""
        ports = self.loop.ports
        self._watched = len(ports)
        fds = [self._wake_read, *(port.fileno() for port in ports)]
        self._fds = sorted(fd for fd in fds if fd >= 0)

    def _wait(self, timeout: float) -> list[int]:
        """The descriptors that are readable, within `timeout` seconds."""
        if self._fds[-1] < _SELECT_LIMIT:
            return select.select(self._fds, (), (), timeout)[0]
        poller = select.poll()
        for fd in self._fds:
            poller.register(fd, select.POLLIN)
        return [fd for fd, _ in poller.poll(timeout * 1000)]

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full: it will wake all the same
            os.write(self._wake_write, b"\0")
