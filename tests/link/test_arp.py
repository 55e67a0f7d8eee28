# SPDX-License-Identifier: MIT
"""ARP after RFC 826 and RFC 1122 2.3.2, against a peer that writes frames."""

from __future__ import annotations

from itertools import pairwise

import pytest

from stack.base import addr
from stack.base.units import SECOND
from stack.link import neighbor
from stack.wire import arp, ethernet
from tests.harness import Peer, World

OTHER_MAC = bytes.fromhex("020000000055")
OTHER = addr.parse("10.77.0.55")


def arps(peer: Peer) -> list[str]:
    peer.received()
    return [line for line in peer.log if line.startswith("< arp")]


def say(peer: Peer, message: bytes, dst: bytes | None = None) -> None:
    peer.frame(ethernet.TYPE_ARP, message, dst)
    peer.world.run(0)


def test_answers_a_request_for_its_address(world: World) -> None:
    host, peer = world.host()
    say(
        peer,
        arp.build(arp.REQUEST, peer.port.mac, peer.v4, addr.MAC_NONE, host.v4),
        addr.MAC_BROADCAST,
    )
    assert arps(peer) == [f"< arp 10.77.0.1 is-at {addr.mac_text(host.port.mac)}"]


def test_the_asker_is_learnt_and_not_asked_back(world: World) -> None:
    host, peer = world.host()
    say(peer, arp.build(arp.REQUEST, peer.port.mac, peer.v4, addr.MAC_NONE, host.v4))
    entry = host.nic.neighbors.entries[peer.v4]
    assert entry.state == neighbor.STALE
    assert entry.lladdr == peer.port.mac


def test_silent_about_other_addresses_and_learns_nothing(world: World) -> None:
    host, peer = world.host()
    say(peer, arp.build(arp.REQUEST, peer.port.mac, peer.v4, addr.MAC_NONE, OTHER))
    assert arps(peer) == []
    assert peer.v4 not in host.nic.neighbors.entries
    assert host.drops() == {"arp_not_for_us": 1}


def test_merge_updates_a_known_sender_even_if_not_for_us(world: World) -> None:
    host, peer = world.host()
    say(peer, arp.build(arp.REQUEST, peer.port.mac, peer.v4, addr.MAC_NONE, host.v4))
    say(peer, arp.build(arp.REQUEST, OTHER_MAC, peer.v4, addr.MAC_NONE, OTHER))
    assert host.nic.neighbors.entries[peer.v4].lladdr == OTHER_MAC


@pytest.mark.parametrize(
    ("sha", "spa"),
    [
        (bytes(6), "10.77.0.2"),
        (b"\xff" * 6, "10.77.0.2"),
        (b"\x01\0\x5e\0\0\1", "10.77.0.2"),
        (OTHER_MAC, "224.0.0.1"),
        (OTHER_MAC, "255.255.255.255"),
        (OTHER_MAC, "127.0.0.1"),
    ],
)
def test_impossible_senders_are_dropped(world: World, sha: bytes, spa: str) -> None:
    host, peer = world.host()
    say(peer, arp.build(arp.REQUEST, sha, addr.parse(spa), addr.MAC_NONE, host.v4))
    assert arps(peer) == []
    assert host.drops() == {"arp_sender_invalid": 1}
    assert host.nic.neighbors.entries == {}


def test_somebody_with_our_address_is_no_neighbour(world: World) -> None:
    host, peer = world.host()
    say(peer, arp.build(arp.REQUEST, OTHER_MAC, host.v4, addr.MAC_NONE, peer.v4))
    assert host.nic.neighbors.entries == {}
    assert host.stack.v4.addresses.all[host.v4].conflicts == 1


@pytest.mark.parametrize("cut", [0, 10, 27])
def test_short_packets(world: World, cut: int) -> None:
    host, peer = world.host()
    whole = arp.build(arp.REQUEST, peer.port.mac, peer.v4, addr.MAC_NONE, host.v4)
    say(peer, whole[:cut])
    assert host.drops() == {"arp_malformed": 1}


def test_wrong_hardware_or_protocol(world: World) -> None:
    host, peer = world.host()
    whole = arp.build(arp.REQUEST, peer.port.mac, peer.v4, addr.MAC_NONE, host.v4)
    for at in (1, 3, 4, 5):
        say(peer, whole[:at] + b"\x63" + whole[at + 1 :])
    assert host.drops() == {"arp_malformed": 4}


def test_out_of_date_after_as_long_as_is_said(world: World) -> None:
    """RFC 1122 2.3.2.1: the time-out can be set, for each interface."""
    host, peer = world.host()
    host.stack.v4.interface(host.nic).reachable_time = 1000 * SECOND
    host.stack.icmp_for(peer.v4).echo(peer.v4, 1, 1, b"x")
    world.run(0)
    peer.received()
    entry = host.nic.neighbors.entries[peer.v4]
    world.run(499 * SECOND)
    assert entry.state == neighbor.REACHABLE
    world.run(1002 * SECOND)
    assert entry.state == neighbor.STALE


def test_a_stranger_may_not_answer_what_nobody_asked(world: World) -> None:
    host, peer = world.host()
    reply = arp.build(arp.REPLY, OTHER_MAC, OTHER, host.port.mac, host.v4)
    say(peer, reply)
    # It is addressed to us, so RFC 826 learns the sender; but only as a hint.
    assert host.nic.neighbors.entries[OTHER].state == neighbor.STALE


def test_requests_are_spaced_by_a_second_and_limited(world: World) -> None:
    host, peer = world.host()
    peer.silent = True
    when: list[int] = []
    for _ in range(50):
        host.stack.icmp_for(peer.v4).echo(peer.v4, 1, 1, b"x")
        world.run(SECOND // 10)
        before = len(arps(peer))
        when += [world.now] * (before - len(when))
    gaps = [b - a for a, b in pairwise(when)]
    assert all(gap >= SECOND * 9 // 10 for gap in gaps)
    assert 3 <= len(when) <= 6
