# SPDX-License-Identifier: MIT
"""Frames in and out: addresses, ethertypes, the virtio-net header, offload in software."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from stack import Stack
from stack.base import addr
from stack.base.head import Head
from stack.link.offload import Offloader
from stack.link.seam import CSUM, TSO4, TSO6, USO, Device
from stack.wire import ethernet, ipv4, ipv6, tcp, udp, vnet
from stack.wire.tcp import ACK, CWR, FIN, PSH
from tests.harness import Host, World, quiet


def give(host: Host, frame: bytes) -> dict[str, int]:
    host.stack.receive(host.nic, frame)
    return host.drops()


@pytest.mark.parametrize("size", [0, 1, 13])
def test_short_frames(world: World, size: int) -> None:
    host, _ = world.host()
    assert give(host, bytes(size)) == {"frame_short": 1}


def test_frames_for_others(world: World) -> None:
    host, _ = world.host()
    assert give(host, b"\x02\0\0\0\0\x99" + bytes(40)) == {"frame_other_host": 1}


def test_group_sources_are_impossible(world: World) -> None:
    host, _ = world.host()
    frame = host.port.mac + b"\xff" * 6 + b"\x08\x00" + bytes(40)
    assert give(host, frame) == {"frame_source_invalid": 1}


def test_unknown_ethertype_and_length_field(world: World) -> None:
    host, _ = world.host()
    source = b"\x02\0\0\0\0\x09"
    give(host, host.port.mac + source + b"\x88\xcc" + bytes(40))
    assert give(host, host.port.mac + source + b"\x00\x20" + bytes(40)) == {
        "ethertype_unknown": 1,
        "frame_length_field": 1,
    }


def test_ethernet_padding_is_ignored(world: World, family: int) -> None:
    host, peer = world.host()
    peer.family = family
    endpoint = host.datagram()
    endpoint.bind(b"", 7, 0)
    bare = bytes.fromhex("9c4000070009000041")
    datagram = peer.checked(17, bare, 6, peer.mine, peer.theirs)
    kind, packet = peer.packet_bytes(17, datagram)
    peer.frame(kind, packet + bytes(30))
    world.run(0)
    assert host.drops() == {}
    assert host.stack.udp.counters.in_datagrams == 1


def test_vouched_checksums_are_believed(world: World, family: int) -> None:
    """A frame whose virtio-net header says "unfinished checksum" is not verified."""
    host, peer = world.host(offload=True)
    peer.family = family
    endpoint = host.datagram()
    endpoint.bind(b"", 7, 0)
    kind, packet = peer.packet_bytes(17, bytes.fromhex("9c400007000900ff41"))
    ether = host.port.mac + peer.port.mac + kind + packet
    plain = vnet.PLAIN
    vouched = vnet.build(0, 0, 0, 34, 6)
    host.stack.receive(host.nic, plain + ether)
    assert host.drops() == {"udp_checksum": 1}
    host.stack.receive(host.nic, vouched + ether)
    assert host.stack.udp.counters.in_datagrams == 1


def test_a_segment_size_without_a_size_is_refused(world: World) -> None:
    host, peer = world.host(offload=True)
    header = vnet.HEADER.pack(1, vnet.GSO_TCPV4, 0, 0, 34, 16)
    assert give(host, header + host.port.mac + peer.port.mac + bytes(60)) == {"vnet_invalid": 1}


class Box(Device):
    """A device that keeps what it is given."""

    mac = bytes.fromhex("020000000001")
    mtu = 1500

    def __init__(self, features: int) -> None:
        self.features = features
        self.sent: list[tuple[bytes, int, int]] = []

    def transmit(self, head: Head, views: object) -> bool:
        frame = b"".join((head.written(), *views))  # type: ignore[misc]
        self.sent.append((frame, head.csum, head.gso_size))
        return True


def super_segment(family: int, payload: bytes, flags: int) -> tuple[Head, list[memoryview]]:
    """A TCP super-segment as TCP hands it down."""
    src = bytes((10, 0, 0, 1)) if family == addr.V4 else bytes(15) + b"\x01"
    dst = bytes((10, 0, 0, 2)) if family == addr.V4 else bytes(15) + b"\x02"
    length = 20 + len(payload)
    pseudo = (int.from_bytes(src + dst, "big") + 6 + length) % 0xFFFF
    head = Head()
    head.push(tcp.HEADER.pack(1, 2, 0xFFFFFF00, 7, 5 << 12 | flags, 100, pseudo, 0))
    head.l4 = head.start
    head.csum = 16
    head.gso_size = 1000
    if family == addr.V4:
        head.push(ipv4.build(0, 20 + length, 5, 0x4000, 64, 6, src, dst))
        head.gso_type = vnet.GSO_TCPV4
    else:
        head.push(ipv6.build(0, 9, length, 6, 64, src, dst))
        head.gso_type = vnet.GSO_TCPV6
    head.net = head.start
    head.push(ethernet.build(bytes(6), bytes(6), b"\x08\x00" if family == addr.V4 else b"\x86\xdd"))
    return head, [memoryview(payload)[:1500], memoryview(payload)[1500:]]


def test_software_segmentation(family: int) -> None:
    """Cut by us or by scapy's arithmetic: the same segments, CWR first, FIN and PSH last."""
    payload = bytes(n % 253 for n in range(3500))
    for features in (0, CSUM):
        box = Box(features)
        head, views = super_segment(family, payload, ACK | PSH | FIN | CWR)
        assert Offloader(box).transmit(head, views)
        assert len(box.sent) == 4
        seen = b""
        for number, (frame, csum, gso) in enumerate(box.sent):
            packet = Ether(frame)
            segment = packet[TCP]
            assert gso == 0
            assert segment.seq == (0xFFFFFF00 + 1000 * number) % 2**32
            assert bool(segment.flags & 0x80) == (number == 0)
            assert bool(segment.flags & 0x09) == (number == 3)
            body = bytes(segment.payload)
            assert len(body) == (1000 if number < 3 else 500)
            seen += body
            if features & CSUM:
                assert csum == 16
            else:
                assert csum == -1
                again = packet.copy()
                del again[TCP].chksum
                assert bytes(again) == frame
            if family == addr.V4:
                assert packet[IP].id == 5 + number
                again = packet.copy()
                del again[IP].chksum, again[IP].len
                assert bytes(again)[:34] == frame[:34]
        assert seen == payload


def super_datagrams(family: int, payload: bytes, size: int) -> tuple[Head, list[memoryview]]:
    """Datagrams of `size` octets as UDP hands them down, in three views that fit none of them."""
    src = bytes((10, 0, 0, 1)) if family == addr.V4 else bytes(15) + b"\x01"
    dst = bytes((10, 0, 0, 2)) if family == addr.V4 else bytes(15) + b"\x02"
    length = 8 + len(payload)
    pseudo = (int.from_bytes(src + dst, "big") + 17 + length) % 0xFFFF
    head = Head()
    head.push(udp.HEADER.pack(1000, 7, length, pseudo))
    head.l4, head.csum = head.start, 6
    head.gso_size, head.gso_type = size, vnet.GSO_UDP_L4
    if family == addr.V4:
        head.push(ipv4.build(0x28, 20 + length, 0xFFFE, 0, 64, 17, src, dst))
    else:
        head.push(ipv6.build(0x28, 9, length, 17, 64, src, dst))
    head.net = head.start
    head.push(ethernet.build(bytes(6), bytes(6), b"\x08\x00" if family == addr.V4 else b"\x86\xdd"))
    view = memoryview(payload)
    return head, [view[:1], view[1:777], view[777:]]


@pytest.mark.parametrize("features", [0, CSUM, CSUM | TSO4 | TSO6])
@pytest.mark.parametrize("size", [1000, 1001, 64])
def test_datagrams_cut_in_software(family: int, features: int, size: int) -> None:
    """Each has lengths, an identification and checksums of its own, as scapy computes them."""
    payload = bytes(n % 253 for n in range(3500))
    box = Box(features)
    head, views = super_datagrams(family, payload, size)
    assert Offloader(box).transmit(head, views)
    bodies = []
    for number, (frame, csum, gso) in enumerate(box.sent):
        packet = Ether(frame)
        assert (gso, csum) == (0, 6 if features & CSUM else -1)
        again = packet.copy()
        again[UDP].len = None
        if not features & CSUM:
            again[UDP].chksum = None
        if family == addr.V4:
            assert packet[IP].id == (0xFFFE + number) & 0xFFFF
            again[IP].chksum = again[IP].len = None
        else:
            again[IPv6].plen = None
        assert bytes(again) == frame
        body = bytes(packet[UDP].payload)
        bodies.append(body)
        if features & CSUM:
            ends = frame[26:34] if family == addr.V4 else frame[22:54]
            pseudo = int.from_bytes(ends, "big") + 17 + 8 + len(body)
            assert packet[UDP].chksum == pseudo % 0xFFFF
    assert [len(body) for body in bodies[:-1]] == [size] * (len(bodies) - 1)
    assert b"".join(bodies) == payload


def test_datagrams_pass_a_device_that_can(family: int) -> None:
    box = Box(CSUM | USO)
    head, views = super_datagrams(family, bytes(3500), 100)
    assert Offloader(box).transmit(head, views)
    assert [gso for _, _, gso in box.sent] == [100]


def test_super_segments_pass_a_device_that_can(family: int) -> None:
    box = Box(CSUM | TSO4 | TSO6)
    head, views = super_segment(family, bytes(3500), ACK)
    Offloader(box).transmit(head, views)
    assert len(box.sent) == 1
    assert box.sent[0][2] == 1000


def test_a_full_device_is_a_counted_drop(world: World) -> None:
    class Full(Box):
        def transmit(self, head: Head, views: object) -> bool:
            return False

    stack = Stack(world.env, quiet())
    nic = stack.add_nic(Full(0))
    stack.add_address(nic, "10.0.0.1", 24)
    stack.icmp_for(target := addr.parse("10.0.0.2")).echo(target, 1, 1, b"")
    assert stack.door.snapshot() == {"device_full": 1}
    assert nic.counters.out_discards == 1


def test_loopback_carries_everything_to_itself(world: World, family: int) -> None:
    host, _ = world.host()
    got = []
    loop = addr.LOOPBACK4 if family == addr.V4 else addr.LOOPBACK6
    for target in (loop, host.address(family)):
        icmp = host.stack.icmp_for(target)
        icmp.listen(3, lambda *seen: got.append(seen))
        icmp.echo(target, 3, 1, bytes(3000))
        world.run()
    assert [size for _, _, size, _, _ in got] == [3000, 3000]
    assert host.nic.counters.out_packets == 0
