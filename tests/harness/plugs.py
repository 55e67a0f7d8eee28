# SPDX-License-Identifier: MIT
"""A link with any number of stacks on it, whose cables can be pulled."""

from __future__ import annotations

from collections.abc import Sequence

from stack.base.head import Head
from stack.base.units import View
from tap.frames import join
from tap.memory import MemoryPort


class HubPort(MemoryPort):
    """One stack's end; `plugged` False and nothing passes in either direction."""

    def __init__(self, hub: Hub, mac: bytes, mtu: int) -> None:
        super().__init__(mac, mtu, offload=False)
        self.hub = hub
        self.plugged = True

    def transmit(self, head: Head, views: Sequence[View]) -> bool:
        if self.plugged:
            frame = join(head, views, self.header)
            for port in self.hub.ports:
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
