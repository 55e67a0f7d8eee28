# SPDX-License-Identifier: MIT
"""scapy judges every header this stack emits: it must dissect to what we meant, and rebuilding
the packet with lengths and checksums computed by scapy must give our bytes again."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoReply,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    IPv6,
    IPv6ExtHdrFragment,
)
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet as ScapyPacket

from stack.base import addr
from stack.base.status import OK, PENDING
from stack.transport.seam import StreamSink
from tap.port import Port
from tests.harness import Host, RecordingPort, World, quiet


def recompute(packet: ScapyPacket) -> bytes:
    """The packet built anew, every length and checksum by scapy.

    What a fragment carries is part of something whole, whose lengths and checksums it cannot
    know: below the fragmented layer everything stays as it is.
    """
    again = packet.copy()
    layer = again
    while layer and layer.name != "NoPayload":
        for field in ("chksum", "cksum", "len", "plen", "ihl", "dataofs"):
            if field in layer.fields:
                delattr(layer, field)
        if isinstance(layer, IPv6ExtHdrFragment):
            break
        if layer.name == "IP" and (layer.flags & 1 or layer.frag):
            break
        layer = layer.payload
    return bytes(again)


Tapes = tuple[World, Host, Host, list[RecordingPort]]


@pytest.fixture
def tapes(world: World) -> Tapes:
    """Two hosts without offload, and everything that crosses their wire."""
    ends: list[RecordingPort] = []

    def wrap(port: Port) -> Port:
        ends.append(RecordingPort(port))
        return ends[-1]

    a, b = world.pair(offload=False, wrap=wrap)
    return world, a, b, ends


def all_packets(ends: list[RecordingPort]) -> list[ScapyPacket]:
    return [Ether(frame) for end in ends for frame in end.frames]


def test_everything_survives_being_rebuilt(tapes: Tapes) -> None:
    """A bit of all protocols in both families, every frame equal to scapy's own building."""
    world, a, b, ends = tapes
    exercise(world, a, b)
    packets = all_packets(ends)
    kinds = {layer for packet in packets for layer in (ARP, IP, IPv6, TCP, UDP) if layer in packet}
    assert kinds == {ARP, IP, IPv6, TCP, UDP}
    assert any(ICMPv6ND_NS in p for p in packets)
    assert any(ICMPv6ND_NA in p for p in packets)
    assert any(ICMPv6EchoReply in p for p in packets)
    assert any(IPv6ExtHdrFragment in p for p in packets)
    assert any(IP in p and p[IP].flags == "MF" for p in packets)
    for packet in packets:
        assert bytes(packet) == recompute(packet), packet.summary()


def test_tcp_options_mean_what_we_meant(tapes: Tapes, family: int) -> None:
    world, a, b, ends = tapes
    transfer(world, a, b, family)
    segments = [p[TCP] for p in all_packets(ends) if TCP in p]
    syn = next(s for s in segments if s.flags == "S")
    synack = next(s for s in segments if s.flags == "SA")
    mss = 1460 if family == addr.V4 else 1440
    for segment in (syn, synack):
        options = dict(segment.options)
        assert options["MSS"] == mss
        assert options["SAckOK"] == b""
        assert options["WScale"] == 8
        assert "Timestamp" in options
    for segment in segments:
        if not segment.flags & 0x02:
            names = [name for name, _ in segment.options if name not in ("NOP", "EOL")]
            assert names == ["Timestamp"]
        assert segment.reserved == 0


def test_ipv4_header_fields(tapes: Tapes) -> None:
    world, a, b, ends = tapes
    transfer(world, a, b, addr.V4)
    for packet in all_packets(ends):
        if TCP in packet:
            assert packet[IP].flags == "DF"
            assert packet[IP].ttl == 64
            assert packet[IP].len == len(packet) - 14


def test_flow_label_is_one_per_flow(tapes: Tapes) -> None:
    world, a, b, ends = tapes
    transfer(world, a, b, addr.V6)
    for one in ends:
        labels = {p[IPv6].fl for p in all_packets([one]) if TCP in p}
        assert len(labels) == 1
        assert labels != {0}


def test_sack_option_in_scapys_words(world: World, family: int) -> None:
    from stack.wire.tcp import ACK

    host, peer = world.host(quiet(tcp_timestamps=False))
    peer.family = family
    listener = host.listener()
    listener.bind(b"", 80, 0)
    synack = peer.handshake(sack_ok=True)
    for start in (1000, 3000, 5000):
        peer.sends(ACK, seq=101 + start, ack=synack.seq + 1, data=bytes(100))
    frames = [peer.next_tcp() for _ in range(3)]
    last = frames[-1]
    assert last is not None
    segment = Ether(last.frame)[TCP]
    sack = dict(segment.options)["SAck"]
    assert sack == (5101, 5201, 3101, 3201, 1101, 1201)


def test_icmp_errors_quote_and_checksum(world: World, family: int) -> None:
    _, peer = world.host()
    peer.family = family
    peer.sends_udp(b"nobody is here", dport=999)
    world.run(0)
    seen = peer.next_ip()
    assert seen is not None
    packet = Ether(seen.frame)
    assert bytes(packet) == recompute(packet)
    if family == addr.V4:
        assert (packet[ICMP].type, packet[ICMP].code) == (3, 3)
    else:
        assert b"nobody is here" in bytes(packet)


def exercise(world: World, a: Host, b: Host) -> None:
    """Something of everything."""
    for family in (addr.V4, addr.V6):
        icmp = a.stack.icmp_for(a.address(family))
        assert icmp.echo(b.address(family), 1, 1, bytes(100)) == OK
        assert icmp.echo(b.address(family), 1, 2, bytes(4000)) == OK
        world.run(10**9)
        echo = b.datagram()
        echo.bind(b"", 700 + family, 0)
        sender = a.datagram()
        sender.bind(b"", 0, 0)
        for size in (0, 1, 999, 5000):
            data = bytes(n & 0xFF for n in range(size))
            assert sender.send([memoryview(data)], size, b.address(family), 700 + family, 0) == OK
        world.run(10**9)
        transfer(world, a, b, family)


def transfer(world: World, a: Host, b: Host, family: int) -> None:
    """A connection with data and an orderly close."""
    listener = b.listener()
    port = 900 + family
    assert listener.bind(b"", port, 0) == OK
    stream = a.stream()
    stream.attach(StreamSink())
    assert stream.bind(b"", 0, 0) == OK
    assert stream.connect(b.address(family), port, 0, "c") == PENDING
    world.run(10**9)
    data = bytes(n % 251 for n in range(10_001))
    assert stream.send([memoryview(data)], len(data), 0, "s") == PENDING
    world.run(10**9)
    accepted = listener.accept()
    assert accepted is not None
    stream.disconnect("d")
    accepted.disconnect("d")
    world.run(10**9)
    stream.close()
    accepted.close()
    listener.close()
