# SPDX-License-Identifier: MIT
"""Clauses of the floors below TCP that no other test shows: ARP, probing, IP, ICMPv6, ND."""

from __future__ import annotations

from itertools import pairwise

import pytest

from stack import Config
from stack.base import addr
from stack.base.units import SECOND
from stack.link import neighbor
from stack.wire import arp, ethernet, icmp6, ipv6, ndp
from tests.harness import Host, Peer, Seen, World
from tests.tcp.scenes import Scene

# ARP and probing.


def frames(peer: Peer, ethertype: bytes) -> list[bytes]:
    """Everything of one ethertype on the wire, unanswered."""
    found = []
    while (frame := peer.port.read()) is not None:
        if frame[12:14] == ethertype:
            found.append(frame)
    return found


def test_questions_are_broadcast_and_answers_are_not(world: World) -> None:
    """ARP-4, ARP-1, ACD-10."""
    host, peer = world.host()
    host.stack.icmp_for(peer.v4).echo(peer.v4, 1, 1, b"x")
    world.run(0)
    (question,) = frames(peer, ethernet.TYPE_ARP)
    assert question[:6] == addr.MAC_BROADCAST
    ask = arp.build(arp.REQUEST, peer.port.mac, peer.v4, addr.MAC_NONE, host.v4)
    peer.frame(ethernet.TYPE_ARP, ask, addr.MAC_BROADCAST)
    world.run(0)
    (answer,) = frames(peer, ethernet.TYPE_ARP)
    assert answer[:6] == peer.port.mac
    assert answer[20:22] == bytes((0, 2))


def test_the_rhythm_of_probing_and_announcing() -> None:
    """ACD-2, ACD-5, ACD-6: 0-1 s, three probes 1-2 s apart, 2 s, two announcements, silence."""
    world = World()
    host, peer = world.host(Config(dad=True))
    start = world.now
    probes: list[int] = []
    announcements: list[int] = []
    for _ in range(2000):
        for frame in frames(peer, ethernet.TYPE_ARP):
            sender = frame[28:32]
            (announcements if sender == host.v4 else probes).append(world.now - start)
        world.run(SECOND // 100)
    assert 0 <= probes[0] <= SECOND + SECOND // 100
    assert len(probes) == 3
    gaps = [b - a for a, b in pairwise(probes)]
    assert all(0.98 * SECOND <= gap <= 2.02 * SECOND for gap in gaps)
    assert announcements[0] - probes[-1] >= 1.98 * SECOND
    assert len(announcements) == 2
    assert abs(announcements[1] - announcements[0] - 2 * SECOND) <= SECOND // 50
    world.run(24 * 3600 * SECOND)
    assert frames(peer, ethernet.TYPE_ARP) == []


# IP.


def test_a_datagram_that_arrives_with_no_hops_left_is_ours(world: World, family: int) -> None:
    """IP4-15, IP6-15: the limit is for those who forward."""
    host, peer = world.host()
    peer.family = family
    for ttl in (1, 0):
        bare = b"\x9c\x40\0\x07\0\x09\0\0x"
        peer.packet(17, peer.checked(17, bare, 6, peer.mine, peer.theirs), ttl=ttl)
    world.run(0)
    assert host.drops() == {"udp_no_port": 2}


def test_tcp_never_allows_fragments(world: World) -> None:
    """IP4-13: atomic datagrams (RFC 6864 4.1)."""
    scene = Scene(world, addr.V4)
    scene.user.send(bytes(3000))
    world.run(0)
    for seen in scene.peer.received():
        header = seen.frame[seen.pkt.net :]
        assert header[6:8] == bytes((0x40, 0))


def error_about(peer: Peer, tos: int, dst: bytes | None = None) -> Seen:
    """The ICMP error that a datagram to a closed port meets."""
    to = dst or peer.theirs
    bare = b"\x9c\x40\0\x09\0\x09\0\0x"
    peer.packet(17, peer.checked(17, bare, 6, peer.mine, to), tos=tos, dst=to)
    peer.world.run(0)
    seen = peer.next_ip()
    assert seen is not None
    return seen


def test_errors_come_from_the_address_that_was_meant_with_no_special_service(
    world: World, family: int
) -> None:
    """IC4-4, IC6-4, IP4-22."""
    host, peer = world.host()
    peer.family = family
    second = addr.parse("10.77.0.9" if family == addr.V4 else "fd77::9")
    host.stack.add_address(host.nic, addr.text(second), 24 if family == addr.V4 else 64)
    for own in (host.address(family), second):
        seen = error_about(peer, 0xB8, own)
        assert seen.pkt.src == own
        assert seen.pkt.tos == 0


@pytest.mark.parametrize("kind", [1, 2, 3, 4, 100, 127, 137])
def test_no_error_about_an_icmpv6_error(world: World, kind: int) -> None:
    """IC6-5."""
    host, peer = world.host()
    peer.family = addr.V6
    inner = ipv6.build(0, 0, 8, 200, 64, host.v6, peer.v6) + bytes(8)
    peer.sends_icmp(kind, 0, 0, inner)
    world.run(0)
    assert peer.next_ip() is None


# Neighbor Discovery.


def solicit(peer: Peer, host: Host, *options: bytes, reserved: int = 0) -> None:
    body = ndp.build(icmp6.NEIGHBOR_SOLICITATION, reserved, host.v6, 1, peer.port.mac)
    body = peer.checked(58, body + b"".join(options), 2, peer.v6, host.v6)
    packet = peer.packet_bytes(58, body, src=peer.v6, dst=host.v6, ttl=255)
    peer.frame(*packet)
    peer.world.run(0)


def test_a_solicitation_teaches_its_senders_address(world: World) -> None:
    """ND-17: STALE, made or changed."""
    host, peer = world.host()
    solicit(peer, host)
    entry = host.nic.neighbors.entries[peer.v6]
    # STALE until the answer itself used it.
    assert (entry.state, entry.lladdr) == (neighbor.DELAY, peer.port.mac)
    assert not entry.is_router


def test_unknown_options_and_reserved_bits_are_ignored(world: World) -> None:
    """ND-3: also options that have no business here, in any order."""
    host, peer = world.host()
    strange = bytes((99, 1)) + bytes(6)
    prefix = bytes((3, 4)) + bytes(30)
    solicit(peer, host, strange, prefix, reserved=0x1FFFFFFF)
    peer.received()
    assert any("fd77::1 > fd77::2" in line and "advertisement" in line for line in peer.log)
    assert host.drops() == {}


def test_an_advertisement_to_a_group_cannot_be_solicited(world: World) -> None:
    """ND-5."""
    host, peer = world.host()
    for target, flags in ((addr.ALL_NODES, 0), (peer.v6, ndp.FLAG_SOLICITED)):
        body = ndp.build(icmp6.NEIGHBOR_ADVERTISEMENT, flags, target, 2, peer.port.mac)
        body = peer.checked(58, body, 2, peer.v6, addr.ALL_NODES)
        packet = peer.packet_bytes(58, body, src=peer.v6, dst=addr.ALL_NODES, ttl=255)
        peer.frame(*packet, addr.multicast_mac(addr.ALL_NODES))
    world.run(0)
    assert host.drops() == {"ndp_malformed": 2}


def test_fragmented_discovery_is_refused(world: World) -> None:
    """ND-2 (RFC 6980): even if it is one fragment only."""
    host, peer = world.host()
    body = ndp.build(icmp6.NEIGHBOR_SOLICITATION, 0, host.v6, 1, peer.port.mac)
    body = peer.checked(58, body, 2, peer.v6, host.v6)
    atomic = bytes((58, 0, 0, 0, 0, 0, 0, 9)) + body
    packet = ipv6.build(0, 0, len(atomic), 44, 255, peer.v6, host.v6) + atomic
    peer.frame(ethernet.TYPE_IPV6, packet)
    world.run(0)
    peer.received()
    assert not any("advertisement" in line for line in peer.log)
    assert peer.v6 not in host.nic.neighbors.entries
    assert host.drops() == {"icmp_fragmented": 1}


def test_fragment_identifications_are_not_predictable(world: World) -> None:
    """IP6-13: no counter, not even one per destination."""
    host, peer = world.host()
    peer.family = addr.V6
    idents = []
    for _ in range(6):
        host.stack.icmp_for(peer.v6).echo(peer.v6, 1, 1, bytes(2000))
        world.run(0)
        seen = [peer.next_ip(), peer.next_ip()]
        found = {one.frame[58:62] for one in seen if one is not None}
        assert len(found) == 1
        idents.append(int.from_bytes(found.pop(), "big"))
    gaps = {b - a for a, b in pairwise(idents)}
    assert len(gaps) == 5
    assert all(abs(gap) > 1000 for gap in gaps)
