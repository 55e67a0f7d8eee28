# SPDX-License-Identifier: MIT
"""The processes of several shards: forked from one that has no threads yet, and gone with it.

    crew = Crew()
    for index in range(1, count):
        crew.fork(lambda until: follower(index, until))
    crew.watch(lambda: ...)          # one ended by itself
    ...
    crew.stop()

A follower's body is called with a function that blocks until it is to end: when `stop` is called,
or when the first process is gone, however it went.  Ctrl-C is for the first process alone.
Called by `tools/world` and by whoever writes such a program.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Final

Body = Callable[[Callable[[], None]], None]

_PATIENCE: Final = 5.0
"""Seconds that a follower may take to end."""


class Crew:
    """The followers of one process."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()  # its end is the followers' sign to end
        self._children: dict[int, int] = {}  # pidfd by pid
        self._stopping = False

    def fork(self, body: Body) -> int:
        """Run `body` in a process of its own; its pid.  Raises RuntimeError if there are threads,
        of which a fork would take the locks and not the threads."""
        if threading.active_count() != 1:
            raise RuntimeError("shards are forked before any thread is started")
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        pid = os.fork()
        if pid == 0:
            self._live(body)
        self._children[pid] = os.pidfd_open(pid)
        return pid

    def watch(self, lost: Callable[[], None]) -> None:
        """Call `lost`, once and on a thread of its own, if a follower ends before it is told to."""
        threading.Thread(target=self._watch, args=(lost,), name="crew", daemon=True).start()

    def stop(self) -> None:
        """Tell the followers to end, and wait; who does not in five seconds is killed."""
        if self._stopping:
            return
        self._stopping = True
        os.close(self._write)
        os.close(self._read)
        until = time.monotonic() + _PATIENCE
        for pid, fd in self._children.items():
            ended, _, _ = select.select([fd], (), (), max(until - time.monotonic(), 0))
            if not ended:
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(fd)

    def _live(self, body: Body) -> None:
        """The life of a follower.  Does not return."""
        status = 1
        try:
            os.close(self._write)
            for number in (signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            body(self._until_the_end)
            status = 0
        except BaseException:  # noqa: BLE001 - it is the end, and nobody else would say why
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def _until_the_end(self) -> None:
        os.read(self._read, 1)  # nobody writes: it returns when the last writer is gone

    def _watch(self, lost: Callable[[], None]) -> None:
        poller = select.poll()
        for fd in self._children.values():
            poller.register(fd, select.POLLIN)
        poller.poll()
        if not self._stopping:
            lost()
