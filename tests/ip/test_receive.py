# SPDX-License-Identifier: MIT
"""What the IP layer accepts, and the named fate of what it does not."""

from __future__ import annotations

import pytest

from stack.base import addr
from stack.base.checksum import finish
from stack.wire import ethernet, ipv4, ipv6
from tests.harness import Host, Peer, World, quiet


def fate_of(world: World, host: Host, peer: Peer, kind: bytes, packet: bytes) -> dict[str, int]:
    peer.frame(kind, packet)
    world.run(0)
    return host.drops()


def v4(world: World, **changes: int) -> tuple[Host, Peer, bytearray]:
    """An IPv4 packet that is right but for what the test changes."""
    host, peer = world.host()
    _, packet = peer.packet_bytes(17, bytes(8))
    return host, peer, bytearray(packet)


def resum(packet: bytearray) -> bytes:
    packet[10:12] = b"\0\0"
    size = (packet[0] & 15) * 4
    packet[10:12] = finish(int.from_bytes(packet[:size], "big")).to_bytes(2, "big")
    return bytes(packet)


def test_v4_short(world: World) -> None:
    host, peer, packet = v4(world)
    assert fate_of(world, host, peer, ethernet.TYPE_IPV4, bytes(packet[:19])) == {"ip_short": 1}


def test_v4_version(world: World) -> None:
    host, peer, packet = v4(world)
    packet[0] = 0x55
    assert fate_of(world, host, peer, ethernet.TYPE_IPV4, resum(packet)) == {"ip_version": 1}


@pytest.mark.parametrize("words", [0, 4, 15])
def test_v4_header_length(world: World, words: int) -> None:
    host, peer, packet = v4(world)
    packet[0] = 0x40 | words
    assert fate_of(world, host, peer, ethernet.TYPE_IPV4, bytes(packet)) == {"ip_header_length": 1}


@pytest.mark.parametrize("total", [0, 19])
def test_v4_total_length(world: World, total: int) -> None:
    host, peer, packet = v4(world)
    packet[2:4] = total.to_bytes(2, "big")
    assert fate_of(world, host, peer, ethernet.TYPE_IPV4, resum(packet)) == {"ip_total_length": 1}
    assert host.stack.v4.counters.in_hdr_errors == 1


@pytest.mark.parametrize("total", [29, 65535])
def test_v4_truncated(world: World, total: int) -> None:
    """The frame holds less than the header says (RFC 4293 ipIfStatsInTruncatedPkts)."""
    host, peer, packet = v4(world)
    packet[2:4] = total.to_bytes(2, "big")
    assert fate_of(world, host, peer, ethernet.TYPE_IPV4, resum(packet)) == {"ip_truncated": 1}
    assert host.stack.v4.counters.in_truncated_pkts == 1


def test_v4_checksum(world: World) -> None:
    host, peer, packet = v4(world)
    packet[10] ^= 0xFF
    assert fate_of(world, host, peer, ethernet.TYPE_IPV4, bytes(packet)) == {"ip_checksum": 1}


@pytest.mark.parametrize(
    "source",
    ["0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "10.77.0.255"],
)
def test_v4_impossible_sources(world: World, source: str) -> None:
    host, peer, packet = v4(world)
    packet[12:16] = addr.parse(source)
    assert fate_of(world, host, peer, ethernet.TYPE_IPV4, resum(packet)) == {"ip_source_invalid": 1}


@pytest.mark.parametrize("source", ["ff02::1", "::1", "::ffff:1.2.3.4", "::"])
def test_v6_impossible_sources(world: World, source: str) -> None:
    host, peer = world.host()
    packet = ipv6.build(0, 0, 8, 17, 64, addr.parse(source), host.v6) + bytes(8)
    assert fate_of(world, host, peer, ethernet.TYPE_IPV6, packet) == {"ip_source_invalid": 1}


def test_our_own_address_as_source_is_a_lie(world: World, family: int) -> None:
    host, peer = world.host()
    peer.family = family
    peer.packet(17, bytes(8), src=peer.theirs)
    world.run(0)
    assert host.drops() == {"ip_source_invalid": 1}


def test_a_source_once_good_is_not_good_for_ever(world: World, family: int) -> None:
    """The cache of good sources forgets when addresses change."""
    host, peer = world.host()
    peer.family = family
    peer.sends_udp(b"x", dport=9)
    world.run(0)
    host.stack.add_address(host.nic, addr.text(peer.mine), 24 if family == addr.V4 else 64)
    peer.sends_udp(b"x", dport=9)
    world.run(0)
    assert host.drops()["ip_source_invalid"] == 1


@pytest.mark.parametrize("destination", ["10.77.0.9", "192.168.0.1", "224.0.0.9"])
def test_v4_not_for_us(world: World, destination: str) -> None:
    host, peer, packet = v4(world)
    packet[16:20] = addr.parse(destination)
    assert fate_of(world, host, peer, ethernet.TYPE_IPV4, resum(packet)) == {"ip_not_local": 1}


@pytest.mark.parametrize(
    "destination", ["0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.254", "240.0.0.1", "255.0.0.1"]
)
def test_v4_impossible_destinations(world: World, destination: str) -> None:
    host, peer, packet = v4(world)
    packet[16:20] = addr.parse(destination)
    drops = fate_of(world, host, peer, ethernet.TYPE_IPV4, resum(packet))
    assert drops == {"ip_destination_invalid": 1}
    assert peer.next_ip() is None


@pytest.mark.parametrize("destination", ["::", "::1", "::ffff:10.77.0.1", "ff00::1", "ff01::1"])
def test_v6_impossible_destinations(world: World, destination: str) -> None:
    """RFC 4291 2.5.2, 2.5.3, 2.5.5.2, 2.7: none of these is ever on a wire."""
    host, peer = world.host()
    group = addr.parse(destination)
    if group[0] == 0xFF:
        host.stack.host.groups.join(host.nic, group)
    packet = ipv6.build(0, 0, 8, 17, 64, peer.v6, group) + bytes(8)
    drops = fate_of(world, host, peer, ethernet.TYPE_IPV6, packet)
    assert drops == {"ip_destination_invalid": 1}
    assert peer.next_ip() is None


@pytest.mark.parametrize("destination", ["fd77::9", "ff02::5", "2001:db8::1"])
def test_v6_not_for_us(world: World, destination: str) -> None:
    host, peer = world.host()
    packet = ipv6.build(0, 0, 8, 17, 64, peer.v6, addr.parse(destination)) + bytes(8)
    assert fate_of(world, host, peer, ethernet.TYPE_IPV6, packet) == {"ip_not_local": 1}


def test_v4_unicast_in_a_broadcast_frame(world: World) -> None:
    """RFC 1122 3.3.6: silently discarded."""
    host, peer, packet = v4(world)
    peer.frame(ethernet.TYPE_IPV4, resum(packet), addr.MAC_BROADCAST)
    world.run(0)
    assert host.drops() == {"ip_link_broadcast": 1}
    assert peer.next_ip() is None


def test_v6_short_version_and_length(world: World) -> None:
    host, peer = world.host()
    good = bytearray(ipv6.build(0, 0, 8, 17, 64, peer.v6, host.v6) + bytes(8))
    fate_of(world, host, peer, ethernet.TYPE_IPV6, bytes(good[:39]))
    fate_of(world, host, peer, ethernet.TYPE_IPV6, b"\x50" + bytes(good[1:]))
    good[4:6] = b"\0\x09"
    assert fate_of(world, host, peer, ethernet.TYPE_IPV6, bytes(good)) == {
        "ip_short": 1,
        "ip_version": 1,
        "ip_truncated": 1,
    }
    assert host.stack.v6.counters.in_truncated_pkts == 2


def test_strong_host_model_and_its_switch(family: int) -> None:
    """A packet for another interface's address is not for us, unless configured."""
    for weak in (False, True):
        world = World()
        host, peer = world.host(quiet(weak_host=weak))
        peer.family = family
        from tap.memory import wire

        port, _ = wire(b"\x02\0\0\0\0\x31", b"\x02\0\0\0\0\x32")
        nic = host.stack.add_nic(port, "other")
        there = "10.99.0.1" if family == addr.V4 else "fd99::1"
        host.stack.add_address(nic, there, 24 if family == addr.V4 else 64)
        bare = (40000).to_bytes(2, "big") + (7).to_bytes(2, "big") + b"\0\x08\0\0"
        dst = addr.parse(there)
        peer.packet(17, peer.checked(17, bare, 6, peer.mine, dst), dst=dst)
        world.run(0)
        assert host.drops() == ({"udp_no_port": 1} if weak else {"ip_not_local": 1})


def test_unknown_protocol_is_answered(world: World, family: int) -> None:
    host, peer = world.host()
    peer.family = family
    peer.packet(200, b"what is this")
    world.run(0)
    assert host.drops() == {"ip_protocol_unknown": 1}
    seen = peer.next_ip()
    assert seen is not None
    if family == addr.V4:
        assert seen.body[:2] == bytes((3, 2))  # destination unreachable, protocol
    else:
        assert seen.body[:2] == bytes((4, 1))  # parameter problem, next header
        assert int.from_bytes(seen.body[4:8], "big") == 6
    assert b"what is this" in seen.body


def v4_with_options(peer: Peer, host: Host, options: bytes) -> bytes:
    body = bytes(8)
    head = bytearray(ipv4.build(0, 20 + len(options) + 8, 1, 0, 64, 17, peer.v4, host.v4))
    head[0] = 0x40 | (20 + len(options)) // 4
    return resum(bytearray(bytes(head) + options + body))


def test_v4_unknown_options_are_ignored(world: World) -> None:
    host, peer = world.host()
    packet = v4_with_options(peer, host, bytes((1, 0x99, 3, 7, 0x88, 4, 0, 0)))
    assert fate_of(world, host, peer, ethernet.TYPE_IPV4, packet) == {"udp_length": 1}


@pytest.mark.parametrize("option", [bytes((7, 0, 0, 0)), bytes((7, 1, 0, 0)), bytes((1, 1, 7, 9))])
def test_v4_malformed_options_are_reported(world: World, option: bytes) -> None:
    host, peer = world.host()
    packet = v4_with_options(peer, host, option)
    assert fate_of(world, host, peer, ethernet.TYPE_IPV4, packet) == {"ip_option_malformed": 1}
    seen = peer.next_ip()
    assert seen is not None
    assert seen.body[:2] == bytes((12, 0))


def test_v4_source_routes_are_refused(world: World) -> None:
    host, peer = world.host()
    packet = v4_with_options(peer, host, bytes((131, 7, 4, 1, 2, 3, 4, 0)))
    assert fate_of(world, host, peer, ethernet.TYPE_IPV4, packet) == {"ip_source_route": 1}
    assert peer.next_ip() is None
