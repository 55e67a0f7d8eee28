# SPDX-License-Identifier: MIT
"""`Port`: a `Device` that a loop can also read from.

Implemented by `memory`, `fdport` and the wrappers `impair` and `pcapng`.  Wrappers hold a port
and are one, so they stack in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stack.base.head import Head
from stack.base.timers import NEVER
from stack.base.units import View
from stack.link.seam import Device


class Port(Device):
    """Both directions of one attachment to a link."""

    def read(self) -> bytes | None:
        """The next received frame, or None if none is waiting.  Never blocks."""
        raise NotImplementedError

    def fileno(self) -> int:
        """A descriptor that becomes readable when a frame waits; -1 if there is none."""
        return -1

    def poll(self, now: int) -> None:
        """Do what is due at `now` (ns): let delayed frames go."""

    def deadline(self) -> int:
        """When `poll` or `read` should be called next even if nothing becomes readable."""
        return NEVER

    def announce_to(self, notify: Callable[[], None]) -> None:
        """Call `notify` when `deadline` may have come nearer outside of a turn."""

    def close(self) -> None:
        """Give the device back."""


class Wrapper(Port):
    """A port around a port: passes everything through until a subclass does otherwise."""

    def __init__(self, inner: Port) -> None:
        self.inner = inner
        self.mac = inner.mac
        self.mtu = inner.mtu
        self.header = inner.header
        self.features = inner.features
        self.big_peer = inner.big_peer

    def transmit(self, head: Head, views: Sequence[View]) -> bool:
        return self.inner.transmit(head, views)

    def read(self) -> bytes | None:
        return self.inner.read()

    def fileno(self) -> int:
        return self.inner.fileno()

    def poll(self, now: int) -> None:
        self.inner.poll(now)

    def deadline(self) -> int:
        return self.inner.deadline()

    def announce_to(self, notify: Callable[[], None]) -> None:
        self.inner.announce_to(notify)

    def close(self) -> None:
        self.inner.close()
