# SPDX-License-Identifier: MIT
"""A patch cable: what one port receives the other sends, on a thread of its own.

    patch = Patch(ImpairedPort(one, monotonic_ns, bad, bad), other)
    patch.start()

puts two kernels on the wire that otherwise leads from a kernel to the stack, so that both are
seen through the same code.  It sleeps like `thread` does, in `select` until the next deadline.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from typing import Final

from stack.base.units import SECOND
from tap.frames import Unjoin
from tap.port import Port

_BATCH: Final = 64
_LONGEST: Final = 3600.0


class Patch:
    """Two ports, joined.  It owns and closes them."""

    def __init__(self, one: Port, other: Port) -> None:
        if one.header != other.header:
            raise ValueError("a frame of one port must be a frame of the other")
        self._ports = (one, other)
        self._unjoin = Unjoin()
        self._stopping = False
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._run, name="patch", daemon=True)
        self.refused = 0
        """Frames that a device did not take."""

    def start(self) -> None:
        """Begin carrying."""
        self._thread.start()

    def stop(self) -> None:
        """Stop carrying and give the devices back."""
        self._stopping = True
        os.write(self._wake_write, b"\0")
        self._thread.join()
        for port in self._ports:
            port.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _run(self) -> None:
        one, other = self._ports
        while not self._stopping:
            more = self._carry(one, other)
            if not self._carry(other, one) and not more:
                self._sleep()

    def _carry(self, source: Port, sink: Port) -> bool:
        """A bounded batch in one direction; True if there may be more."""
        source.poll(time.monotonic_ns())
        for _ in range(_BATCH):
            frame = source.read()
            if frame is None:
                return False
            if not sink.transmit(*self._unjoin.split(frame, source.header)):
                self.refused += 1
        return True

    def _sleep(self) -> None:
        when = min(port.deadline() for port in self._ports)
        timeout = min((when - time.monotonic_ns()) / SECOND, _LONGEST)
        if timeout > 0:
            fds = [port.fileno() for port in self._ports]
            with contextlib.suppress(InterruptedError):
                select.select([self._wake_read, *fds], (), (), timeout)
