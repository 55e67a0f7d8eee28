# SPDX-License-Identifier: MIT
"""What is asked of a kernel, and what wires and wrappers make of frames with many datagrams."""

from __future__ import annotations

import io
import socket

import pytest
from scapy.layers.inet import UDP
from scapy.utils import PcapNgReader

from stack.link.seam import CSUM, TSO4, TSO6, USO
from stack.transport.datagram_seam import Datagram
from stack.wire import vnet
from tap.frames import Unjoin, finished, join
from tap.impair import ImpairedPort, Impairment
from tap.ioctls import OpenTap, ask_for_offload, big_peer, finished_by_kernel
from tap.pcapng import Capture, CapturingPort
from tap.port import Port
from tests.harness import Host, World
from tests.harness.datagrams import Joiner


@pytest.mark.parametrize(
    ("granted", "asked", "features"),
    [
        (0x6F, [0x6F], CSUM | TSO4 | TSO6 | USO),
        (0x0F, [0x6F, 0x0F], CSUM | TSO4 | TSO6),
        (0x01, [0x6F, 0x0F, 0x01], CSUM | TSO4 | TSO6),
        (0x00, [0x6F, 0x0F, 0x01, 0], CSUM | TSO4 | TSO6),
        (None, [0x6F, 0x0F, 0x01, 0], CSUM | TSO4 | TSO6),
    ],
)
def test_a_kernel_is_asked_for_less_until_it_agrees(
    granted: int | None, asked: list[int], features: int
) -> None:
    seen = []

    def ask(wanted: int) -> None:
        seen.append(wanted)
        if granted is None or wanted & ~granted:
            raise OSError

    assert ask_for_offload(ask) == features
    assert seen == asked


@pytest.mark.parametrize(
    ("release", "takes"),
    [("6.2.0", True), ("6.18.44-x", True), ("10.0", True), ("6.1.99", False), ("5.15.0", False)],
)
def test_kernels_that_take_datagrams_in_one_frame(release: str, takes: bool) -> None:
    assert bool(finished_by_kernel(release) & USO) == takes
    assert finished_by_kernel("what is this") == CSUM | TSO4 | TSO6


def test_no_frames_beyond_64_kib_but_to_a_tap_of_a_new_kernel() -> None:
    """Nothing is asked of a descriptor that is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        assert big_peer(OpenTap(other.fileno(), "", 10, CSUM | TSO4), "6.18") == b""
        assert big_peer(OpenTap(-1, "", 10, CSUM), "6.18") == b""
    assert big_peer(OpenTap(-1, "", 10, CSUM | TSO4), "6.2.9") == b""


def send(world: World, a: Host, b: Host, family: int) -> Joiner:
    """Ten datagrams of 100 octets in one call; what arrives."""
    sink = Joiner()
    b.hears(sink)
    endpoint: Datagram = a.datagram()
    endpoint.bind(b"", 1000, 0)
    endpoint.send((b"",), 0, b.address(family), 7, 0)
    world.run(10**9)
    sink.got.clear()
    data = bytes(n % 251 for n in range(1000))
    assert endpoint.send_segments((data,), 1000, 100, b.address(family), 7, 0) == (0, 1000)
    world.run(10**9)
    return sink


@pytest.mark.parametrize(("offload", "counts"), [(False, [1] * 10), (True, [10])])
def test_a_bad_wire_carries_pieces_unless_told_otherwise(
    world: World, family: int, offload: bool, counts: list[int]
) -> None:
    def wrap(port: Port) -> Port:
        return ImpairedPort(port, lambda: world.now, Impairment(delay=1000), offload=offload)

    a, b = world.pair(wrap=wrap)
    sink = send(world, a, b, family)
    assert [one.count for one in sink.got] == counts
    assert b"".join(one.view for one in sink.got) == bytes(n % 251 for n in range(1000))


def test_a_super_frame_with_a_wrong_bit_is_one_still(world: World, family: int) -> None:
    """It goes as what it is, its checksum finished, and is refused; nothing is invented."""

    a, b = world.pair()
    sink = send(world, a, b, family)
    assert [one.count for one in sink.got] == [10]
    whole = bytes(sink.got[0].view.obj)
    done = finished(whole, vnet.LENGTH)
    frame = join(*Unjoin().split(done, vnet.LENGTH), vnet.LENGTH)
    assert vnet.HEADER.unpack_from(frame)[:2] == (0, vnet.GSO_UDP_L4)
    before = b.stack.udp.counters.in_datagrams
    b.stack.receive(b.nic, frame)
    assert b.stack.udp.counters.in_datagrams == before + 10
    b.stack.receive(b.nic, frame[:-1] + bytes((frame[-1] ^ 4,)))
    assert b.drops() == {"udp_checksum": 1}


def test_a_capture_shows_it_as_one_packet(world: World, family: int) -> None:
    files: list[io.BytesIO] = []

    class Kept(io.BytesIO):
        def close(self) -> None:
            files.append(io.BytesIO(self.getvalue()))

    ports: list[Port] = []

    def wrap(port: Port) -> Port:
        ports.append(CapturingPort(port, Capture(Kept()), lambda: world.now))
        return ports[-1]

    a, b = world.pair(wrap=wrap)
    send(world, a, b, family)
    for port in ports:
        port.close()
    for file in files:
        seen = [packet[UDP] for packet in PcapNgReader(file) if UDP in packet]  # type: ignore[arg-type]
        assert [len(one.payload) for one in seen if one.dport == 7] == [0, 1000]
