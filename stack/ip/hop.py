# SPDX-License-Identifier: MIT
"""Floor 4: the way out to one destination, and those of forwarded packets, remembered by
destination until routes change.

A `Path` is a `Hop` with a source of ours, and with a path MTU instead of the link's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stack.base.head import Head
from stack.base.status import NO_MEMORY, OK
from stack.base.units import View
from stack.ip.counters import IpCounters
from stack.link.neighbor import Neighbor
from stack.link.nic import Nic

if TYPE_CHECKING:
    from stack.ip.outbound import Outbound


class Hop:
    """The way out to one destination.

    mtu        largest IP packet that fits, octets
    counters   of the interface, where what leaves is counted
    """

    __slots__ = ("counters", "mtu", "neighbor", "nic")

    def __init__(self, nic: Nic, neighbor: Neighbor, mtu: int, counters: IpCounters) -> None:
        self.nic = nic
        self.neighbor = neighbor
        self.mtu = mtu
        self.counters = counters

    def put(self, head: Head, views: Sequence[View], total: int) -> int:
        """Hand the link a packet of `total` octets whose IP header is in `head`, and count it: OK,
        or NO_MEMORY when the device is full."""
        if self.nic.send(self.neighbor, head, views, total):
            self.counters.out_octets += total
            return OK
        self.counters.out_discards += 1
        return NO_MEMORY


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
            nic, neighbor = found
            interface = layer.interface(nic)
            hop = self._known[dst] = Hop(nic, neighbor, interface.mtu, interface.counters)
        return hop
