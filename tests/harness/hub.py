# SPDX-License-Identifier: MIT
"""A link of more than two stations, and a port that keeps what left through it and when."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stack.base.head import Head
from stack.base.units import View
from tap.frames import join
from tap.memory import MemoryPort
from tap.port import Port, Wrapper


class HubPort(MemoryPort):
    """One station of a hub: what is sent here arrives at all the others."""

    def __init__(self, mac: bytes, mtu: int) -> None:
        super().__init__(mac, mtu, offload=False)
        self.others: list[MemoryPort] = []

    def transmit(self, head: Head, views: Sequence[View]) -> bool:
        frame = join(head, views, 0)
        taken = [other.put(frame) for other in self.others]
        return all(taken)


def hub(macs: Sequence[bytes], mtu: int) -> list[HubPort]:
    """As many stations as there are addresses."""
    ports = [HubPort(mac, mtu) for mac in macs]
    for port in ports:
        port.others = [other for other in ports if other is not port]
    return ports


class StampedPort(Wrapper):
    """Keeps every frame that leaves through it, and when."""

    def __init__(self, inner: Port, now: Callable[[], int]) -> None:
        super().__init__(inner)
        self.frames: list[tuple[int, bytes]] = []
        self._now = now

    def transmit(self, head: Head, views: Sequence[View]) -> bool:
        self.frames.append((self._now(), join(head, views, 0)))
        return super().transmit(head, views)
