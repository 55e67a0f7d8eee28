# SPDX-License-Identifier: MIT
"""Many datagrams at once: frames with a segment size, and what was sent as lists."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from stack.base import addr
from stack.base.head import Head
from stack.base.units import View
from stack.transport.datagram_seam import DatagramSink, Received
from stack.wire import udp, vnet
from tap.port import Port, Wrapper
from tests.harness.peer import Peer

WHATEVER = (
    st.integers(0, 400),
    st.one_of(st.integers(0, 70), st.integers(0, 0xFFFF)),
    st.one_of(st.sampled_from((0, 1, 3, 4, 5)), st.integers(0, 0xFF)),
    st.one_of(st.none(), st.integers(0, 0xFFFF)),
)
"""Octets of data, and what a frame may say of them: `size`, `kind` and `length` of one."""


def super_frame(
    peer: Peer,
    data: bytes,
    size: int,
    dport: int = 7,
    kind: int = vnet.GSO_UDP_L4,
    length: int | None = None,
    flags: int = vnet.NEEDS_CSUM,
    dst: bytes | None = None,
    frag: int = 0,
) -> bytes:
    """A frame from `peer` as a device hands it up: `data` is to be datagrams of `size` octets."""
    to = peer.theirs if dst is None else dst
    total = 8 + len(data) if length is None else length
    pseudo = (int.from_bytes(peer.mine + to, "big") + 17 + total) % 0xFFFF
    body = udp.HEADER.pack(40000, dport, total, pseudo) + data
    ethertype, packet = peer.packet_bytes(17, body, dst=to, frag=frag)
    header = 20 if peer.family == addr.V4 else 40
    prefix = vnet.HEADER.pack(flags, kind, 14 + header + 8, size, 14 + header, 6)
    return prefix + peer.host.port.mac + peer.port.mac + ethertype + packet


def give(peer: Peer, frame: bytes) -> None:
    """`frame` arrives."""
    peer.host.stack.receive(peer.host.nic, frame)
    peer.world.run(0)


class Box(DatagramSink):
    """Takes everything, or as much as it is told to."""

    def __init__(self, take: int = 1 << 30) -> None:
        self.got: list[Received] = []
        self.calls = 0
        self.take = take

    def received(self, batch: list[Received]) -> int:
        self.calls += 1
        taken = batch[: self.take]
        self.got += taken
        return len(taken)

    @property
    def data(self) -> list[bytes]:
        """What was in them."""
        return [bytes(one.view) for one in self.got]

    @property
    def tos(self) -> list[int]:
        """Their traffic classes."""
        return [one.tos for one in self.got]


class Joiner(DatagramSink):
    """Takes super-frames as they are, so many datagrams at each call, and keeps the pieces."""

    joined = True

    def __init__(self, take: int = 1 << 30) -> None:
        self.take = take
        self.offered: list[list[Received]] = []
        self.got: list[Received] = []

    def received(self, batch: list[Received]) -> int:
        self.offered.append(batch)
        left = self.take
        for one in batch:
            if left >= one.count:
                self.got.append(one)
            elif left:
                self.got.append(one.part(0, left))
            left = max(left - one.count, 0)
        return min(self.take, sum(one.count for one in batch))


class Out(Wrapper):
    """Keeps what is handed to a device: (payload octets per segment, the views themselves)."""

    def __init__(self, inner: Port) -> None:
        super().__init__(inner)
        self.sent: list[tuple[int, list[View]]] = []
        self.heads: list[bytes] = []

    def transmit(self, head: Head, views: Sequence[View]) -> bool:
        self.sent.append((head.gso_size, list(views)))
        self.heads.append(bytes(head.written()))
        return super().transmit(head, views)
