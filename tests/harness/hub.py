# SPDX-License-Identifier: MIT
"""A link with any number of stacks on it, whose cables can be pulled and put elsewhere; and a port
that keeps what left through it and when."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stack.base.head import Head
from stack.base.units import View
from tap.frames import join
from tap.memory import MemoryPort
from tap.port import Port, Wrapper


class HubPort(MemoryPort):
    """One stack's end; `plugged` False and nothing passes in either direction."""

    def __init__(self, hub: Hub, mac: bytes, mtu: int) -> None:
        super().__init__(mac, mtu, offload=False)
        self.plugged = True
        self._hub = hub

    def move(self, hub: Hub) -> None:
        """The cable leads to another hub from now on."""
        self._hub.ports.remove(self)
        self._hub = hub
        hub.ports.append(self)

    def transmit(self, head: Head, views: Sequence[View]) -> bool:
        if self.plugged:
            frame = join(head, views, self.header)
            for port in self._hub.ports:
                if port is not self and port.plugged:
                    port.put(frame)
        return True


class Hub:
    """The link: what one sends arrives at all others."""

    def __init__(self, mtu: int = 1500) -> None:
        self.ports: list[HubPort] = []
        self._mtu = mtu

    def port(self, mac: bytes) -> HubPort:
        """A further end."""
        made = HubPort(self, mac, self._mtu)
        self.ports.append(made)
        return made


class StampedPort(Wrapper):
    """Keeps every frame that leaves through it, and when."""

    def __init__(self, inner: Port, now: Callable[[], int]) -> None:
        super().__init__(inner)
        self.frames: list[tuple[int, bytes]] = []
        self._now = now

    def transmit(self, head: Head, views: Sequence[View]) -> bool:
        self.frames.append((self._now(), join(head, views, 0)))
        return super().transmit(head, views)
