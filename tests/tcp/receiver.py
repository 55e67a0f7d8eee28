# SPDX-License-Identifier: MIT
"""A connection whose frames arrive in turns, all of them at once or one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stack.base import addr
from stack.base.packet import Packet
from stack.link.nic import Nic
from stack.link.seam import NetworkLayer
from stack.wire import ethernet, vnet
from stack.wire.tcp import ACK, SYN
from tests.harness import RecordingPort, World, quiet
from tests.tcp.users import serve

SIZE = 1000


class Counted(NetworkLayer):
    """Stands before an IP layer and counts what goes up there."""

    def __init__(self, layer: NetworkLayer) -> None:
        self.layer = layer
        self.came = 0

    def receive(self, pkt: Packet) -> None:
        self.came += 1
        self.layer.receive(pkt)

    def taken(self, nic: Nic, packets: int, octets: int) -> None:
        self.layer.taken(nic, packets, octets)


class Receiver:
    """A connection of a peer to a stack, and the peer's frames."""

    def __init__(
        self,
        family: int,
        ts: bool = True,
        win: int = 65535,
        offload: bool = False,
        flags: int = SYN,
        vouched: bool = False,
        segment: int = 0,
        **config: Any,
    ) -> None:
        """`segment`: frames of more than so many octets are super-frames."""
        self.world = World(seed=1)
        ports: list[RecordingPort] = []

        def record(port: Any) -> Any:
            ports.append(RecordingPort(port))
            return ports[-1]

        self.host, self.peer = self.world.host(quiet(**config), wrap=record, offload=offload)
        self.port = ports[0]
        self.peer.family = family
        self.acceptor = serve(self.host)
        self.peer.handshake(
            mss=1460, win=win, wscale=7, sack_ok=True, flags=flags, ts=(1, 0) if ts else None
        )
        self.user = self.acceptor.users[0]
        self.ts = (5, 0) if ts else None
        self.prefix = b""
        if offload:
            self.prefix = vnet.build(0, 66, 0, 34, 16) if vouched else vnet.PLAIN
        self.segment = segment
        layer = self.host.stack.v4 if family == addr.V4 else self.host.stack.v6
        self.counted = Counted(layer)
        kind = ethernet.TYPE_IPV4 if family == addr.V4 else ethernet.TYPE_IPV6
        self.host.nic.attach(kind, self.counted)

    def frame(
        self,
        at: int,
        data: bytes,
        flags: int = ACK,
        packet: dict[str, Any] | None = None,
        **how: Any,
    ) -> bytes:
        """`data` at `at` of the stream."""
        peer = self.peer
        how = {"win": 1000, "ts": self.ts, "ack": peer.iss + 1, **how}
        segment = peer.segment(flags, 101 + at, data=data, **how)
        prefix = self.prefix
        if prefix and self.segment and len(data) > self.segment:
            gso = vnet.GSO_TCPV4 if peer.family == addr.V4 else vnet.GSO_TCPV6
            prefix = vnet.build(gso, 66, self.segment, 34, 16)
        return self.around(*peer.packet_bytes(6, segment, **(packet or {})), prefix)

    def around(self, kind: bytes, packet: bytes, prefix: bytes | None = None) -> bytes:
        """A frame with `packet`."""
        front = self.prefix if prefix is None else prefix
        return front + self.host.port.mac + self.peer.port.mac + kind + packet

    def row(self, count: int, size: int = SIZE) -> list[bytes]:
        return [self.frame(index * size, letters(index, size)) for index in range(count)]

    def turn(self, frames: list[bytes], together: bool = True, cuts: Sequence[int] = ()) -> None:
        """One turn with `frames`."""
        self.host.hears_frames(frames, together, cuts)
        self.world.run(0)


def letters(index: int, size: int) -> bytes:
    return bytes((index * 31 + at) & 0xFF for at in range(size))


def stream(count: int, size: int = SIZE) -> bytes:
    return b"".join(letters(index, size) for index in range(count))
