# SPDX-License-Identifier: MIT
"""Floor 4: a `Path` is the answer to "how do I reach this address from here", kept.

It holds the chosen source, the next hop's neighbour entry and the path MTU, and it is the
only way from a transport to an interface.  Paths are shared by all flows between two
addresses and remembered by the layer; when routes or addresses change they are declared
invalid and their holders ask again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stack.base.addr import is_multicast
from stack.base.head import Head
from stack.base.status import OK
from stack.base.units import View
from stack.ip.hop import Hop
from stack.link.neighbor import REACHABLE, Neighbor
from stack.link.nic import Nic
from stack.link.seam import LARGEST, LARGEST_BIG

if TYPE_CHECKING:
    from stack.ip.outbound import Outbound


class Path(Hop):
    """One way from `src` to `dst`.

    mtu     largest IP packet that fits, from the link and from what routers reported
    room    largest transport header and payload in one packet: mtu less the IP header
    avoids  True if a better gateway does not answer: look again now and then
    valid   False once the route may have changed: ask the layer for a new path
    """

    __slots__ = ("_hops", "address_sum", "avoids", "dst", "room", "src", "valid")

    overhead = 0
    to_many = False
    """The destination is a group, or everybody."""

    def __init__(
        self, layer: Outbound, nic: Nic, src: bytes, dst: bytes, neighbor: Neighbor, mtu: int
    ) -> None:
        interface = layer.interface(nic)
        super().__init__(nic, neighbor, mtu, interface.counters)
        self.src = src
        self.dst = dst
        self.valid = True
        self.avoids = False
        self.address_sum = int.from_bytes(src + dst, "big")
        self.room = mtu - self.overhead
        self._hops = interface.hop_limit

    def resize(self, mtu: int) -> None:
        """The path MTU changed."""
        self.mtu = mtu
        self.room = mtu - self.overhead

    @property
    def largest(self) -> int:
        """Octets of the largest packet in a super-frame of TCP's.  Beyond 64 KiB only to a
        neighbour: what a router or a bridge passes on it would have to cut itself."""
        peer, neighbor = self.nic.big_peer, self.neighbor
        near = peer and peer == neighbor.lladdr and neighbor.address == self.dst
        return LARGEST_BIG if near else LARGEST

    def flow(self) -> int:
        """A flow label for what has no better one: the same for all of it (RFC 6437 3)."""
        return 0

    def confirm(self) -> None:
        """The peer acknowledged something new: its next hop is alive (RFC 4861 7.3.1)."""
        if self.neighbor.state != REACHABLE:
            self.neighbor.confirm()

    def doubt(self) -> None:
        """Nothing comes back: let the next hop be checked (RFC 9293 MUST-20, R1)."""
        self.neighbor.doubt()

    def pseudo(self, proto: int, length: int) -> int:
        """The pseudo-header's sum, folded, as a device that finishes checksums wants it."""
        return (self.address_sum + proto + length) % 0xFFFF

    def send(
        self,
        head: Head,
        views: Sequence[View],
        length: int,
        proto: int,
        tos: int = 0,
        ttl: int = 0,
        label: int = 0,
        df: bool = True,
    ) -> int:
        """Send a transport packet whose header is in `head` and whose payload is `views`.

        length   transport header and payload together, octets
        tos      traffic class octet, DSCP and ECN
        ttl      hop limit, 0 for the configured one
        label    flow label, 20 bits; IPv4 has none
        df       never fragment: TOO_BIG is returned instead

        Returns a status: OK, or TOO_BIG, or NO_MEMORY when the device is full (the packet is
        then counted as dropped).  A packet that waits for its neighbour counts as sent.
        """
        raise NotImplementedError

    def repeat(self, head: Head, views: Sequence[View], total: int) -> int:
        """Send once more what `send` has just sent, with other payload of the same size.

        For a run of super-frames: their headers differ in a sequence number, which the caller has
        changed in `head`.  `total` is the IP packet's length.  Returns what `send` does.
        """
        head.start = head.net
        self.counters.out_requests += 1
        return self.put(head, views, total)

    def send_built(self, head: Head, views: Sequence[View], total: int) -> int:
        """Send a packet of ours whose IP header is in `head` already; otherwise as `put`."""
        self.counters.out_requests += 1
        return self.put(head, views, total)


class ToMany(Path):
    """Mixed into the paths to groups and to everybody: counts what is theirs (RFC 4293)."""

    __slots__ = ()
    to_many = True

    def send(
        self,
        head: Head,
        views: Sequence[View],
        length: int,
        proto: int,
        tos: int = 0,
        ttl: int = 0,
        label: int = 0,
        df: bool = True,
    ) -> int:
        counters = self.counters
        before = counters.out_octets
        result = super().send(head, views, length, proto, tos, ttl, label, df)
        if result == OK:
            if is_multicast(self.dst):
                counters.out_mcast_pkts += 1
                counters.out_mcast_octets += counters.out_octets - before
            else:
                counters.out_bcast_pkts += 1
        return result
