# SPDX-License-Identifier: MIT
"""Floor 4: next hops of forwarded packets, remembered by destination until routes change.

The forwarder's counterpart of `Path`: no source of ours, no path MTU, only the way out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack.link.neighbor import Neighbor
from stack.link.nic import Nic

if TYPE_CHECKING:
    from stack.ip.outbound import Outbound


class Hop:
    """The way out to one destination."""

    __slots__ = ("counters", "mtu", "neighbor", "nic")

    def __init__(self, layer: Outbound, nic: Nic, neighbor: Neighbor) -> None:
        interface = layer.interface(nic)
        self.nic = nic
        self.neighbor = neighbor
        self.mtu = interface.mtu
        self.counters = interface.counters


class Hops:
    """The ways out of one family."""

    def __init__(self, layer: Outbound, limit: int) -> None:
        self._layer = layer
        self._limit = limit
        self._known: dict[bytes, Hop] = {}
        self._generation = 0

    def find(self, dst: bytes) -> Hop | None:
        """The next hop to `dst`, which is not ours; None if there is no route."""
        layer = self._layer
        if self._generation != layer.generation:
            self._generation = layer.generation
            self._known.clear()
        hop = self._known.get(dst)
        if hop is None:
            found = layer.next_hop(dst)
            if found is None:
                return None
            if len(self._known) >= self._limit:
                del self._known[next(iter(self._known))]
            hop = self._known[dst] = Hop(layer, *found)
        return hop
