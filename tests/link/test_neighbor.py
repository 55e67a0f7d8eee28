# SPDX-License-Identifier: MIT
"""The reachability machine (RFC 4861 7.3), one body for ARP and NDP."""

from __future__ import annotations

import pytest

from stack import Config
from stack.base import addr
from stack.base.units import MS, SECOND
from stack.link import neighbor
from stack.link.neighbor import Neighbor
from stack.wire import describe, icmp6, ndp
from stack.wire.tcp import ACK
from tests.harness import Host, Peer, World, quiet


def setup(world: World, family: int, config: Config | None = None) -> tuple[Host, Peer]:
    host, peer = world.host(config)
    peer.family = family
    return host, peer


def ping(host: Host, peer: Peer, count: int = 1) -> None:
    for number in range(count):
        host.stack.icmp_for(peer.mine).echo(peer.mine, 7, number, b"data")


def entry(host: Host, peer: Peer) -> Neighbor:
    return host.nic.neighbors.entries[peer.mine]


def questions(peer: Peer) -> int:
    """ARP requests or neighbor solicitations the stack has sent."""
    peer.received()
    marks = ("who-has", "neighbor solicitation")
    return sum(any(m in line for m in marks) for line in peer.log if line[0] == "<")


def test_resolves_on_use_and_sends_what_waited(world: World, family: int) -> None:
    host, peer = setup(world, family)
    ping(host, peer, 3)
    world.run(0)
    assert entry(host, peer).state == neighbor.INCOMPLETE
    assert questions(peer) == 1
    assert len(peer.inbox) == 3
    assert entry(host, peer).state == neighbor.REACHABLE


@pytest.mark.parametrize("limit", [1, 16])
def test_queue_keeps_the_latest_and_counts_the_rest(world: World, family: int, limit: int) -> None:
    host, peer = setup(world, family, quiet(neighbor_queue=limit))
    peer.silent = True
    ping(host, peer, limit + 5)
    world.run(0)
    assert host.drops() == {"neighbor_queue_full": 5}
    assert len(entry(host, peer).queue) == limit


def test_gives_up_after_three_questions(world: World, family: int) -> None:
    host, peer = setup(world, family)
    peer.silent = True
    ping(host, peer, 2)
    world.run(10 * SECOND)
    assert questions(peer) == 3
    assert host.drops() == {"neighbor_failed": 2}
    assert peer.mine not in host.nic.neighbors.entries


def test_a_failed_neighbour_can_come_back(world: World, family: int) -> None:
    host, peer = setup(world, family)
    peer.silent = True
    ping(host, peer)
    world.run(10 * SECOND)
    peer.silent = False
    ping(host, peer)
    world.run(0)
    peer.received()
    assert entry(host, peer).state == neighbor.REACHABLE
    assert len(peer.inbox) == 1


def test_reachable_grows_stale_without_traffic(world: World, family: int) -> None:
    host, peer = setup(world, family)
    ping(host, peer)
    peer.received()
    world.run(46 * SECOND)
    assert entry(host, peer).state == neighbor.STALE
    assert questions(peer) == 1


def test_stale_is_used_then_probed_by_unicast(world: World, family: int) -> None:
    host, peer = setup(world, family)
    ping(host, peer)
    peer.received()
    world.run(46 * SECOND)
    ping(host, peer)
    world.run(0)
    assert entry(host, peer).state == neighbor.DELAY
    world.run(5 * SECOND + MS)
    assert entry(host, peer).state == neighbor.PROBE
    probe = None
    while (frame := peer.port.read()) is not None:
        probe = frame
    assert probe is not None
    assert probe[:6] == peer.port.mac
    assert ("who-has" in describe.frame(probe)) or ("solicitation" in describe.frame(probe))


def test_probe_without_answer_ends_the_entry(world: World, family: int) -> None:
    """RFC 4861 7.3.3, to the letter."""
    host, peer = setup(world, family, quiet(neighbor_patience=False))
    ping(host, peer)
    peer.received()
    peer.silent = True
    world.run(46 * SECOND)
    ping(host, peer)
    world.run(9 * SECOND)
    assert peer.mine not in host.nic.neighbors.entries
    assert questions(peer) == 4  # the first, and three probes


def test_progress_above_confirms(world: World, family: int) -> None:
    """RFC 4861 7.3.1: a TCP acknowledgment spares the probe."""
    host, peer = setup(world, family)
    listener = host.listener()
    listener.bind(b"", 80, 0)
    synack = peer.handshake()
    stream = listener.accept()
    assert stream is not None
    world.run(46 * SECOND)
    assert entry(host, peer).state == neighbor.STALE
    stream.send([memoryview(b"hello")], 5, 0, None)
    world.run(0)
    assert entry(host, peer).state == neighbor.DELAY
    peer.sends(ACK, seq=101, ack=synack.seq + 6)
    assert entry(host, peer).state == neighbor.REACHABLE
    before = questions(peer)
    world.run(10 * SECOND)
    assert questions(peer) == before


def test_the_table_is_bounded(family: int) -> None:
    world = World()
    host, peer = world.host(quiet(neighbor_limit=16))
    base = peer.v4[:3] if family == addr.V4 else peer.v6[:15]
    for number in range(100, 200):
        target = base + bytes((number,))
        host.stack.icmp_for(target).echo(target, 1, 1, b"")
    world.run(0)
    assert len(host.nic.neighbors.entries) <= 16
    assert host.drops()["neighbor_table_full"] >= 84


def test_advertisement_without_override_does_not_change_the_address(world: World) -> None:
    """RFC 4861 7.2.5: O=0 with another address turns REACHABLE into STALE and no more."""
    host, peer = setup(world, addr.V6)
    ping(host, peer)
    peer.received()
    cache = host.nic.neighbors
    other = bytes.fromhex("020000000077")
    cache.advertised(peer.v6, other, solicited=False, override=False, router=False)
    assert entry(host, peer).state == neighbor.STALE
    assert entry(host, peer).lladdr == peer.port.mac
    cache.advertised(peer.v6, other, solicited=False, override=True, router=False)
    assert entry(host, peer).state == neighbor.STALE
    assert entry(host, peer).lladdr == other
    cache.advertised(peer.v6, other, solicited=True, override=False, router=True)
    assert entry(host, peer).state == neighbor.REACHABLE
    assert entry(host, peer).is_router


def test_unasked_advertisement_creates_nothing(world: World) -> None:
    host, peer = setup(world, addr.V6)
    body = ndp.build(icmp6.NEIGHBOR_ADVERTISEMENT, ndp.FLAG_OVERRIDE, peer.v6, 2, peer.port.mac)
    body = peer.checked(58, body, 2, peer.v6, host.v6)
    peer.frame(*peer.packet_bytes(58, body, src=peer.v6, dst=host.v6, ttl=255))
    world.run(0)
    assert host.drops() == {"ndp_unknown_neighbor": 1}
    assert host.nic.neighbors.entries == {}
