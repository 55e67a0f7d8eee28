# SPDX-License-Identifier: MIT
"""Ports: the memory wire, impairments, captures."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.utils import PcapNgReader

from stack.base.addr import V6
from stack.base.head import Head
from stack.base.units import MS, SECOND
from stack.wire import vnet
from tap.frames import Unjoin, join
from tap.impair import Direction, ImpairedPort, Impairment
from tap.memory import QUEUE_LIMIT, wire
from tap.pcapng import Capture, CapturingPort
from tests.harness import World
from tests.tcp.users import connect, joined, serve

MACS = (bytes((2, 0, 0, 0, 0, 1)), bytes((2, 0, 0, 0, 0, 2)))


def send(port: object, data: bytes) -> bool:
    head = Head()
    head.push(data[:20])
    return bool(port.transmit(head, (memoryview(data)[20:],)))  # type: ignore[attr-defined]


@pytest.mark.parametrize("offload", [False, True])
def test_what_one_end_sends_the_other_reads(offload: bool) -> None:
    a, b = wire(*MACS, offload=offload)
    assert b.read() is None
    assert send(a, b"x" * 100)
    prefix = vnet.PLAIN if offload else b""
    assert b.deadline() == 0
    assert b.read() == prefix + b"x" * 100
    assert b.read() is None


def test_a_full_end_says_so() -> None:
    a, b = wire(*MACS)
    assert all(send(a, bytes(60)) for _ in range(QUEUE_LIMIT))
    assert not send(a, bytes(60))
    b.read()
    assert send(a, bytes(60))


@given(st.binary(min_size=14, max_size=300), st.sampled_from((0, vnet.LENGTH)))
def test_unjoining_is_the_way_back(frame: bytes, header: int) -> None:
    head, views = Unjoin().split(vnet.PLAIN[:header] + frame, header)
    assert join(head, views, header) == vnet.PLAIN[:header] + frame


def through(settings: Impairment, seed: int, count: int = 1000) -> list[tuple[int, bytes]]:
    """(when, frame) of what comes out of frames entering one millisecond apart."""
    direction = Direction(settings, seed, 0)
    out = []
    for number in range(count):
        direction.put(number.to_bytes(60, "big"), number * MS)
    while (when := direction.due()) < 1 << 62:
        frame = direction.get(when)
        assert frame is not None
        out.append((when, frame))
    return out


bad = Impairment(
    loss=0.1, duplicate=0.1, corrupt=0.1, reorder=0.1, reorder_by=5 * MS, delay=MS, jitter=MS
)


def test_the_same_seed_is_the_same_fate() -> None:
    assert through(bad, 1) == through(bad, 1)
    assert through(bad, 1) != through(bad, 2)


def test_each_impairment_does_what_it_says() -> None:
    plain = through(Impairment(), 1)
    frames = [frame for _, frame in plain]
    assert [when for when, _ in plain] == [n * MS for n in range(1000)]
    assert 850 < len(through(Impairment(loss=0.1), 1)) < 950
    assert 1050 < len(through(Impairment(duplicate=0.1), 1)) < 1150
    corrupted = [frame for _, frame in through(Impairment(corrupt=0.1), 1)]
    assert 50 < sum(a != b for a, b in zip(frames, corrupted, strict=True)) < 150
    late = through(Impairment(delay=7 * MS), 1)
    assert all(b - a == 7 * MS for (a, _), (b, _) in zip(plain, late, strict=True))
    jittered = through(Impairment(jitter=10 * MS), 1)
    assert [frame for _, frame in jittered] == frames  # jitter alone keeps the order
    shuffled = [f for _, f in through(Impairment(reorder=0.1, reorder_by=5 * MS), 1)]
    assert shuffled != frames
    assert sorted(shuffled) == sorted(frames)


def test_rate_and_queue() -> None:
    slow = through(Impairment(rate=60 * 8 * 500), 1, 100)  # 500 frames per second
    assert [when for when, _ in slow] == [(n + 1) * 2 * MS for n in range(100)]
    short = through(Impairment(rate=60 * 8 * 500, queue=600), 1, 100)
    assert len(short) < 100
    assert all(when - 2 * MS * 11 <= int.from_bytes(f, "big") * MS for when, f in short)


@pytest.mark.parametrize("name", ["loss", "duplicate", "corrupt", "reorder"])
@pytest.mark.parametrize("value", [-0.1, 1.5])
def test_no_probability(name: str, value: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Impairment(**{name: value})  # type: ignore[arg-type]


def test_super_frames_cross_only_where_asked_for() -> None:
    inner, _ = wire(*MACS, offload=True)
    assert inner.features
    assert not ImpairedPort(inner, lambda: 0).features
    assert ImpairedPort(inner, lambda: 0, offload=True).features == inner.features


def test_corruption_is_seen_even_with_checksum_offload(world: World, family: int) -> None:
    """Every frame has one bit wrong: nothing wrong may get through as data.

    A bit of the Ethernet header is nobody's but the frame check sequence's to find.
    """
    a, b = world.pair(there=Impairment(), back=Impairment(delay=MS))
    client, server = joined(world, a, b, family)
    assert isinstance(a.port, ImpairedPort)
    a.port.out = Direction(Impairment(corrupt=1.0), 1, a.port.header)
    data = bytes(range(250)) * 100
    for at in range(0, len(data), 500):
        client.send(data[at : at + 500])
        world.run(100 * MS)
        assert data.startswith(server.data)
    assert b.drops()["tcp_checksum"] > 2


class Tape(io.BytesIO):
    """A file whose contents survive closing."""

    def close(self) -> None:
        self.seek(0)


def test_a_capture_reads_back(world: World, family: int) -> None:
    """scapy, which knows nothing of us, finds the handshake with its times and directions."""
    tape = Tape()
    capture = Capture(tape)
    a, b = world.pair(
        offload=False, wrap=lambda port: CapturingPort(port, capture, lambda: world.now)
    )
    serve(b)
    user = connect(a, b.address(family))
    world.run(SECOND)
    assert user.events
    capture.close()
    packets = list(PcapNgReader(tape))  # type: ignore[arg-type]
    flags = [str(p[TCP].flags) for p in packets if TCP in p]
    assert flags == ["S", "S", "SA", "SA", "A", "A"]  # each seen at both ends
    assert all(Ether in p and float(p.time) >= 1 for p in packets)
    assert any(IPv6 in p for p in packets) == (family == V6)
