# SPDX-License-Identifier: MIT
"""Super-frames that are longer than an IP packet, to a neighbour that takes them (BIG TCP)."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.base import addr
from stack.base.checksum import finish
from stack.base.head import Head
from stack.base.units import SECOND, View
from stack.link.seam import LARGEST, LARGEST_BIG
from stack.tcp.congestion import ALGORITHMS
from stack.wire import describe, ethernet, ext6, ipv4, ipv6, tcp, vnet
from tap.frames import join
from tap.port import Port, Wrapper
from tests.harness import Host, World, quiet
from tests.harness.routing import Crossing, line
from tests.tcp.users import User, connect, serve

FRONT = vnet.LENGTH + ethernet.LENGTH
MIB = 1 << 20


class Sent(Wrapper):
    """Keeps what leaves, and refuses what is longer than `limit`."""

    def __init__(self, inner: Port, limit: int = LARGEST_BIG) -> None:
        super().__init__(inner)
        self.frames: list[bytes] = []
        self.refused: list[int] = []
        self.limit = limit

    def transmit(self, head: Head, views: Sequence[View]) -> bool:
        frame = join(head, views, self.header)
        if len(frame) - FRONT > self.limit:
            self.refused.append(len(frame) - FRONT)
            return False
        self.frames.append(frame)
        return self.inner.transmit(head, views)

    @property
    def big(self) -> list[bytes]:
        """Those that no IP packet could be."""
        return [frame for frame in self.frames if len(frame) - FRONT > LARGEST]


def opened(world: World, a: Host, b: Host, family: int, port: int = 80) -> tuple[User, User]:
    """A connection from a to b: both ends."""
    acceptor = serve(b, port)
    user = connect(a, b.address(family), port)
    world.run(SECOND)
    return user, acceptor.users[0]


def bulk(world: World, ends: tuple[User, User], octets: int = 8 * MIB) -> None:
    """So much goes from the first to the second, in requests of a quarter of it, and arrives."""
    user, server = ends
    data = random.Random(octets).randbytes(octets)
    server.parts.clear()
    for at in range(0, octets, octets // 4):
        user.send(data[at : at + octets // 4])
    world.run(100 * SECOND)
    assert server.data == data


def pair(
    world: World, limit: int = LARGEST_BIG, **settings: object
) -> tuple[Host, Host, Sent, Sent]:
    """Two hosts, and what each of them sends."""
    ports: list[Sent] = []

    def record(port: Port) -> Port:
        ports.append(Sent(port, limit))
        return ports[-1]

    a, b = world.pair(quiet(**settings), wrap=record, big=True)
    return a, b, ports[0], ports[1]


def test_what_they_look_like(world: World, family: int) -> None:
    """As Linux makes them: IPv4 without a length, IPv6 with the jumbo payload option; the checksum
    is to be finished, over the length that there is."""
    a, b, out, _ = pair(world)
    bulk(world, opened(world, a, b, family), 64 * MIB)
    assert LARGEST_BIG - 4000 < max(map(len, out.big)) - FRONT <= LARGEST_BIG
    for frame in out.big:
        packet = frame[FRONT:]
        flags, gso_type, header, mss, start, at = vnet.HEADER.unpack_from(frame)
        l4 = start - ethernet.LENGTH
        room = 1500 - (ipv4.LENGTH if family == addr.V4 else ipv6.LENGTH)
        assert (flags, at, mss) == (vnet.NEEDS_CSUM, tcp.CHECKSUM_AT, room - (header - start))
        if family == addr.V4:
            assert (gso_type, packet[2:4]) == (vnet.GSO_TCPV4, b"\0\0")
            assert finish(int.from_bytes(packet[: ipv4.LENGTH], "big")) == 0
            ends = packet[12:20]
        else:
            assert (gso_type, packet[4:7]) == (vnet.GSO_TCPV6, bytes(3))
            length = len(packet) - ipv6.LENGTH
            assert packet[ipv6.LENGTH : l4] == ext6.build_jumbo(ipv4.PROTO_TCP, length)
            ends = packet[8:40]
        pseudo = int.from_bytes(ends, "big") + ipv4.PROTO_TCP + len(packet) - l4
        assert int.from_bytes(packet[l4 + 16 : l4 + 18], "big") == pseudo % 0xFFFF
        octets = len(packet) - (header - ethernet.LENGTH)
        assert f" len {octets} ack " in describe.frame(frame, vnet.LENGTH)
    assert b.drops() == {}


def test_four_of_them_make_a_window(world: World, family: int) -> None:
    """Whoever acknowledges each as a whole would otherwise acknowledge once in a round trip."""
    a, b, out, _ = pair(world, tcp_receive_buffer=500_000, tcp_autotuning="disabled")
    bulk(world, opened(world, a, b, family))
    assert out.big
    assert max(map(len, out.big)) <= 500_000 // 4 + 200


@settings(max_examples=20)
@given(
    st.lists(st.integers(1, 2 * MIB), min_size=1, max_size=2),
    st.sampled_from(sorted(ALGORITHMS)),
    st.booleans(),
    st.sampled_from((addr.V4, addr.V6)),
    st.integers(1000, MIB),
)
def test_any_sizes(sizes: list[int], name: str, pacing: bool, family: int, step: int) -> None:
    world = World()
    a, b, _, _ = pair(world, tcp_congestion=name, tcp_pacing=pacing)
    user, server = opened(world, a, b, family)
    data = b""
    for size in sizes:
        more = random.Random(size).randbytes(size)
        for at in range(0, size, step):
            user.send(more[at : at + step])
        data += more
        world.run(100 * SECOND)
    assert server.data == data
    assert b.drops() == {}


def test_a_device_that_has_no_memory_for_them(world: World, family: int) -> None:
    """What it refuses is counted and sent again in smaller ones; there are no more large ones."""
    a, b, out, _ = pair(world, limit=LARGEST)
    ends = opened(world, a, b, family)
    bulk(world, ends)
    assert out.refused
    assert out.big == []
    assert a.drops() == {"device_full": len(out.refused)}
    assert a.nic.counters.out_discards == len(out.refused)
    refused = len(out.refused)
    bulk(world, ends, 64 * MIB)
    assert len(out.refused) == refused


def test_none_to_another_station(world: World, family: int) -> None:
    """A bridge would have to cut them: only the kernel's own address is good for it."""
    a, b, out, _ = pair(world)
    a.nic.big_peer = bytes.fromhex("020000000099")
    bulk(world, opened(world, a, b, family))
    assert out.big == []


def test_none_beyond_a_router(world: World, family: int) -> None:
    """It would have to cut them; ours would drop them."""
    here, router, there = line(world)
    here.nic.big_peer = next(nic.mac for nic in router.host.nics if nic.name == "net1")
    bulk(world, opened(world, here, there, family))
    assert router.door.snapshot() == {}


def big_frame(crossing: Crossing, family: int, dst: bytes, octets: int, said: int) -> bytes:
    """A super-frame to `dst` with so much payload; `said` is the length of the jumbogram."""
    near = crossing.near
    head = tcp.HEADER.pack(40000, 7, 1, 1, 5 << 12 | tcp.ACK, 1000, 0, 0)
    mac = near.host.port.mac + near.port.mac
    if family == addr.V4:
        packet = bytearray(ipv4.build(0, 0, 0, ipv4.DF, 64, ipv4.PROTO_TCP, near.mine, dst))
        kind, above, gso = ethernet.TYPE_IPV4, b"", vnet.GSO_TCPV4
    else:
        packet = bytearray(ipv6.build(0, 0, 0, ext6.HOP_BY_HOP, 64, near.mine, dst))
        kind, above, gso = ethernet.TYPE_IPV6, ext6.build_jumbo(6, said), vnet.GSO_TCPV6
    l4 = ethernet.LENGTH + len(packet) + len(above)
    prefix = vnet.HEADER.pack(vnet.NEEDS_CSUM, gso, l4 + len(head), 1400, l4, tcp.CHECKSUM_AT)
    return prefix + mac + kind + bytes(packet) + above + head + bytes(octets)


def given_one(world: World, family: int, octets: int, off: int = 0) -> dict[str, int]:
    """What becomes of one that is for us."""
    crossing = Crossing(world, family, offload=True)
    said = 8 + tcp.LENGTH + octets + off
    frame = big_frame(crossing, family, crossing.near.theirs, octets, said)
    crossing.stack.receive(crossing.near.host.nic, frame)
    world.run(0)
    return crossing.drops()


def test_one_for_nobody(world: World, family: int) -> None:
    """It is read, up to the port that nobody has."""
    assert given_one(world, family, 70_000) == {"tcp_no_port": 1}


def test_short_ones_have_a_length(world: World, family: int) -> None:
    """Zero is none for what could have said it."""
    reason = "ip_total_length" if family == addr.V4 else "ext_jumbo"
    assert given_one(world, family, 60_000) == {reason: 1}


@pytest.mark.parametrize("off", [-1, 1])
def test_a_jumbogram_that_is_as_long_as_it_says(world: World, off: int) -> None:
    assert given_one(world, addr.V6, 70_000, off) == {"ext_jumbo": 1}


def test_they_are_not_passed_on(world: World, family: int) -> None:
    crossing = Crossing(world, family, offload=True)
    frame = big_frame(crossing, family, crossing.far.mine, 70_000, 8 + tcp.LENGTH + 70_000)
    crossing.stack.receive(crossing.near.host.nic, frame)
    world.run(0)
    assert crossing.drops() == {"forward_headers": 1}
    assert crossing.far.received() == []
