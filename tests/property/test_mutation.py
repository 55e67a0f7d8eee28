# SPDX-License-Identifier: MIT
"""Frames that are nearly right, with their checksums declared good: they reach the depths.

Whatever they say, nothing leaves the stack as an exception, memory stays bounded, and the host
answers a ping afterwards.
"""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from stack.base import addr
from stack.base.units import SECOND
from stack.wire import vnet
from stack.wire.tcp import ACK, FIN, PSH, SYN
from tests.harness import Host, Peer, World
from tests.tcp.users import serve

VALID = vnet.HEADER.pack(vnet.DATA_VALID, 0, 0, 0, 0, 0)
SUPER = vnet.HEADER.pack(vnet.DATA_VALID, vnet.GSO_TCPV4, 0, 500, 0, 0)


class Bench:
    """A host with a listener, an established connection and a UDP endpoint."""

    def __init__(self, family: int) -> None:
        self.world = World(1)
        self.host: Host
        self.peer: Peer
        self.host, self.peer = self.world.host(offload=True)
        self.peer.family = family
        self.acceptor = serve(self.host)
        self.datagram = self.host.datagram()
        self.datagram.bind(b"", 7, 0)
        synack = self.peer.handshake(seq=100, mss=1000, sack_ok=True, wscale=7, ts=(1, 0))
        self.una = synack.seq + 1
        self.acceptor.users[0].send(bytes(20_000))
        self.world.run(0)

    def frames(self) -> list[bytes]:
        """Everything a peer would say, well formed."""
        peer = self.peer
        ts = (2, 0)
        sacks = [(self.una + 3000, self.una + 5000)]
        segments = [
            peer.segment(ACK | PSH, 101, self.una, b"data" * 100, ts=ts),
            peer.segment(ACK, 101, self.una + 1000, ts=ts, sacks=sacks),
            peer.segment(ACK, 701, self.una, b"ahead" * 20, ts=ts),
            peer.segment(ACK | FIN, 101, self.una, ts=ts),
            peer.segment(SYN, 5000, mss=1460, wscale=14, sack_ok=True, ts=ts, sport=40001),
            peer.segment(ACK, 5001, 12345, ts=ts, sport=40001),
        ]
        packets = [peer.packet_bytes(6, segment) for segment in segments]
        packets.append(peer.packet_bytes(17, bytes.fromhex("9c4000070010000001020304 05060708")))
        packets.append(peer.packet_bytes(17, bytes(1000), frag=0x2000))
        kind = 1 if peer.family == addr.V4 else 58
        packets.append(peer.packet_bytes(kind, bytes((8 if kind == 1 else 128, 0)) + bytes(30)))
        quoted = packets[0][1][:60]
        packets.append(
            peer.packet_bytes(kind, bytes((3 if kind == 1 else 2, 4, 0, 0, 0, 0, 5, 0)) + quoted)
        )
        head = self.host.port.mac + peer.port.mac
        return [head + ethertype + packet for ethertype, packet in packets]


def mutate(rng: random.Random, frame: bytes) -> bytes:
    data = bytearray(frame)
    for _ in range(rng.randrange(4)):
        at = rng.randrange(12, len(data))
        how = rng.randrange(4)
        if how == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif how == 1:
            data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif how == 2:
            data[at : at + rng.randrange(8)] = rng.randbytes(rng.randrange(8))
        else:
            del data[max(14, at) :]
        if len(data) < 20:
            break
    return (SUPER if rng.randrange(8) == 0 else VALID) + bytes(data)


@settings(max_examples=150)
@given(st.sampled_from((addr.V4, addr.V6)), st.integers(0, 2**32))
def test_nearly_right_frames(family: int, seed: int) -> None:
    rng = random.Random(seed)
    bench = Bench(family)
    host, world = bench.host, bench.world
    frames = bench.frames()
    for _ in range(60):
        frame = mutate(rng, rng.choice(frames))
        host.stack.receive(host.nic, frame)
        if rng.randrange(4) == 0:
            world.run(rng.choice((0, SECOND // 10, 2 * SECOND)))
            bench.peer.received()
            bench.peer.inbox.clear()
    world.run(200 * SECOND)
    assert len(host.stack.tcp.connections()) <= 10
    bench.peer.received()
    bench.peer.inbox.clear()
    pinged = 8 if family == addr.V4 else 128
    bench.peer.sends_icmp(pinged, 0, 1, b"still there?")
    world.run(SECOND)
    answers = [seen for seen in bench.peer.received() if seen.pkt.proto in (1, 58)]
    assert any(b"still there?" in seen.frame for seen in answers)
