# SPDX-License-Identifier: MIT
"""Floor 3 seam: devices below, network layers and address resolution above.

`Device` is implemented by `tap/`, by `loopback` and by the wires of the tests;
`NetworkLayer` by `ip/layer`; `Resolver` by `arp` and `ip/ndp`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from stack.base.head import Head, Parked
from stack.base.packet import Packet
from stack.base.units import View

if TYPE_CHECKING:
    from stack.link.neighbor import Neighbor
    from stack.link.nic import Nic

CSUM: Final = 1
"""Feature: the device finishes transport checksums (virtio NEEDS_CSUM)."""
TSO4: Final = 2
"""Feature: the device cuts TCP super-frames over IPv4."""
TSO6: Final = 4
"""Feature: the device cuts TCP super-frames over IPv6."""
USO: Final = 8
"""Feature: the device cuts UDP super-frames of either family."""
EVERYTHING: Final = CSUM | TSO4 | TSO6 | USO
"""A device with these features gets every frame as the transport made it."""

LARGEST: Final = 65535
"""Octets of the largest IP packet in a super-frame."""
LARGEST_BIG: Final = 1 << 18
"""The same for a `Device.big_peer`: larger ones gained nothing, and need more memory in a piece."""


class Device:
    """Something that carries Ethernet frames.

    mac        the stack's address on this link, six octets
    mtu        largest IP packet, 68 .. 65535 (1280 at least for IPv6)
    header     octets before the Ethernet header of every frame it delivers: 0, or 10 when
               frames carry a virtio-net header
    features   what it does on sending: CSUM, TSO4, TSO6, USO
    big_peer   the MAC address of a station that takes TCP super-frames longer than an IP packet, as
               Linux behind a TAP does (BIG TCP); empty if none does.  Their IPv4 total length is
               0, which stands for the frame's; those of IPv6 are jumbograms (RFC 2675)

    Received frames are fresh immutable `bytes`, handed to `Stack.receive` by whoever runs
    the device; a device never calls into the stack.
    """

    mac: bytes
    mtu: int
    header: int = 0
    features: int = 0
    big_peer: bytes = b""

    def transmit(self, head: Head, views: Sequence[View]) -> bool:
        """Send one frame: `head.written()` followed by `views`.

        `head` and `views` are the caller's again when this returns; a device that keeps the
        frame longer copies it.  `head.csum` and `head.gso_size` ask only for what `features`
        offers.  Returns False if the frame was dropped because the device is full.
        """
        raise NotImplementedError


class NetworkLayer:
    """Who receives packets of one ethertype, and owns addresses on a link."""

    def receive(self, pkt: Packet) -> None:
        """A packet whose network header starts at `pkt.net`.  Drops go through the door."""
        raise NotImplementedError

    def taken(self, nic: Nic, packets: int, octets: int) -> None:
        """So many packets came on `nic` and were delivered with the one before them."""
        raise NotImplementedError

    def answers_for(self, nic: Nic, address: bytes) -> bool:
        """We may tell the link that `address` is at `nic` (it is ours and not tentative)."""
        raise NotImplementedError

    def claimed(self, nic: Nic, address: bytes, lladdr: bytes, nonce: bytes = b"") -> None:
        """A station with `lladdr` uses or probes `address`, which may be one of ours.

        `nonce` is that of its probe, empty if it had none: our own probe may have come back to us
        (RFC 7527).
        """
        raise NotImplementedError

    def source_for(self, nic: Nic, target: bytes, waiting: Parked | None = None) -> bytes:
        """The own address to put into a solicitation for `target`; unspecified if none.

        That of `waiting`, the packet that asks for it, if `nic` has it (RFC 4861 7.2.2).
        """
        raise NotImplementedError

    def unresolved(self, neighbor: Neighbor, packets: list[Parked]) -> None:
        """Resolution of `neighbor` failed; `packets` were waiting for it."""
        raise NotImplementedError

    def neighbor_times(self, nic: Nic) -> tuple[int, int]:
        """BaseReachableTime and RetransTimer on `nic`, ns (RFC 4861 6.3.2)."""
        raise NotImplementedError

    def neighbor_failed(self, neighbor: Neighbor) -> None:
        """`neighbor` does not answer: who has another way takes it."""

    def neighbor_answers(self, neighbor: Neighbor) -> None:
        """`neighbor` was not known, or did not answer, and does now."""


class Resolver:
    """Asks the link who has an address: ARP or NDP."""

    ethertype: bytes
    """What packets to a resolved neighbour are labelled with."""

    def solicit(
        self, nic: Nic, target: bytes, lladdr: bytes, waiting: Parked | None = None
    ) -> None:
        """Ask for `target`: by unicast to `lladdr`, or by broadcast/multicast if it is empty.

        `waiting` is a packet to it, if there is one.
        """
        raise NotImplementedError

    def probe(self, nic: Nic, address: bytes, nonce: bytes = b"") -> None:
        """Ask whether anybody has `address`, which is to become ours (RFC 5227, RFC 4862).

        `nonce` marks the question as ours (RFC 7527), six octets or six more than a multiple of
        eight; ARP has no place for it.
        """
        raise NotImplementedError

    def announce(self, nic: Nic, address: bytes) -> None:
        """Tell everybody that `address` is ours."""
        raise NotImplementedError
