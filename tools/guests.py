# SPDX-License-Identifier: MIT
"""Somebody's program beside the demo's services: `tools/demo --with FILE`.

The file has a function `serve(subsystem)`.  An ordinary one is called, and may return an object
with `stop()`; an `async` one runs on an event loop and a thread of its own until the demo ends, and
is then cancelled.  PORT and UDP_PORT, if it has them, are forwarded on the in-memory wire.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import runpy
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from wsk_api import Subsystem


class Guest:
    """One such file."""

    def __init__(self, path: Path) -> None:
        names = runpy.run_path(str(path))
        self._serve: Callable[[Subsystem], Any] = names["serve"]
        self.port: int = names.get("PORT", 0)
        self.udp_port: int = names.get("UDP_PORT", 0)
        self._running: Any = None

    def serve(self, subsystem: Subsystem) -> None:
        """Begin."""
        if inspect.iscoroutinefunction(self._serve):
            self._running = Program(lambda: self._serve(subsystem))
        else:
            self._running = self._serve(subsystem)

    def stop(self) -> None:
        """End it, if it can be ended."""
        stop = getattr(self._running, "stop", None)
        if stop is not None:
            stop()


class Program:
    """A coroutine on an event loop and a thread of its own."""

    def __init__(self, main: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self._main = main
        self._begun = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._task: asyncio.Task[Any] | None = None
        self._thread = threading.Thread(target=self._run, name="guest", daemon=True)
        self._thread.start()
        self._begun.wait()

    def stop(self) -> None:
        """Cancel it and wait."""
        assert self._task is not None
        with contextlib.suppress(RuntimeError):  # it has ended by itself, and its loop with it
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._body())

    async def _body(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._begun.set()
        await self._main()
