# SPDX-License-Identifier: MIT
"""Neighbor solicitations and advertisements: who is answered how, and what is sent unasked
(RFC 4861 7.2, RFC 7527, RFC 9131)."""

from __future__ import annotations

import pytest
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6
from scapy.layers.l2 import Ether

from stack.base import addr
from stack.base.units import SECOND
from stack.ip.ndp import NdpResolver
from stack.link import neighbor
from stack.wire import icmp6, ndp
from tests.harness import World
from tests.harness.segment import MAC, Segment, Station


@pytest.fixture
def segment(world: World) -> Segment:
    return Segment(world)


def solicit(
    station: Station,
    target: bytes,
    src: bytes | None = None,
    dst: bytes = b"",
    lladdr: bytes | None = None,
    nonce: bytes = b"",
) -> None:
    src = station.v6 if src is None else src
    lladdr = station.mac if lladdr is None else lladdr
    body = ndp.build(icmp6.NEIGHBOR_SOLICITATION, 0, target, 1, lladdr, nonce)
    station.packet6(58, body, src, dst or addr.solicited_node(target))
    station.segment.world.run(0)


def answers(segment: Segment) -> list[Ether]:
    frames = (Ether(frame) for _, frame in segment.frames)
    return [frame for frame in frames if ICMPv6ND_NA in frame]


def resolver(segment: Segment) -> NdpResolver:
    return segment.host.stack.v6.icmp.ndp


@pytest.mark.parametrize("how", ["multicast", "unicast"])
def test_a_question_is_answered_to_who_asked(segment: Segment, how: str) -> None:
    """ND-18: S=1, O=1, R=0, with the link-layer address."""
    station = segment.station(9)
    ours = segment.host.v6
    solicit(station, ours, dst=ours if how == "unicast" else b"")
    (answer,) = answers(segment)
    assert answer.dst == addr.mac_text(station.mac)
    assert (answer[IPv6].src, answer[IPv6].dst) == ("fd77::1", "fd77::9")
    assert answer[IPv6].hlim == 255
    said = answer[ICMPv6ND_NA]
    assert (said.R, said.S, said.O, said.tgt) == (0, 1, 1, "fd77::1")
    assert answer[ICMPv6NDOptDstLLAddr].lladdr == addr.mac_text(MAC)


@pytest.mark.parametrize("same", [True, False])
def test_a_question_of_somebody_we_know(segment: Segment, same: bool) -> None:
    """ND-17, RFC 4861 7.2.3: STALE if the address is another one, and left alone if it is not; a
    router stays one."""
    station = segment.station(9)
    station.router = True
    segment.ping(station.v6)
    segment.world.run(0)
    entry = segment.host.nic.neighbors.entries[station.v6]
    assert (entry.state, entry.is_router) == (neighbor.REACHABLE, True)
    other = bytes.fromhex("020000000077")
    solicit(station, segment.host.v6, lladdr=station.mac if same else other)
    assert entry.lladdr == (station.mac if same else other)
    # The answer itself uses it: STALE is DELAY by now.
    assert entry.state == (neighbor.REACHABLE if same else neighbor.DELAY)
    assert entry.is_router


def test_nobody_is_learnt_from_a_probe(segment: Segment) -> None:
    """RFC 4861 7.2.3: not from the unspecified address."""
    solicit(segment.station(9), segment.host.v6, src=addr.ANY6, lladdr=b"")
    assert len(answers(segment)) == 1
    assert segment.host.nic.neighbors.entries == {}


def test_a_probe_is_answered_to_all(segment: Segment) -> None:
    """RFC 4861 7.2.4: S=0, to all nodes."""
    solicit(segment.station(9), segment.host.v6, src=addr.ANY6, lladdr=b"")
    (answer,) = answers(segment)
    assert answer[IPv6].dst == "ff02::1"
    said = answer[ICMPv6ND_NA]
    assert (said.R, said.S, said.O) == (0, 0, 1)


def test_who_forwards_says_so(segment: Segment) -> None:
    """The R flag."""
    segment.host.stack.v6.interface(segment.host.nic).forwarding = True
    solicit(segment.station(9), segment.host.v6)
    (answer,) = answers(segment)
    assert answer[ICMPv6ND_NA].R == 1


def test_somebody_with_our_link_layer_address_is_ignored(segment: Segment) -> None:
    station = segment.station(9)
    solicit(station, segment.host.v6, lladdr=MAC)
    assert answers(segment) == []
    assert segment.host.drops() == {"ndp_own_lladdr": 1}
    assert station.v6 not in segment.host.nic.neighbors.entries


def test_an_anycast_address_is_answered_late_and_meekly(world: World) -> None:
    """RFC 4861 7.2.7: within a second, at random, O=0."""
    delays = set()
    for seed in range(8):
        world = World(seed)
        segment = Segment(world)
        shared = addr.parse("fd77::a")
        segment.host.stack.v6.add_address(segment.host.nic, shared, 64, probe=False)
        resolver(segment).anycast.add(shared)
        asked = world.now
        solicit(segment.station(9), shared)
        assert answers(segment) == []
        world.run(SECOND)
        (answer,) = answers(segment)
        said = answer[ICMPv6ND_NA]
        assert (said.S, said.O, said.tgt) == (1, 0, "fd77::a")
        delays.add(segment.questions("advertisement")[0] - asked)
    assert len(delays) == 8
    assert all(0 <= delay < SECOND for delay in delays)


def test_delayed_answers_are_bounded(segment: Segment) -> None:
    shared = addr.parse("fd77::a")
    segment.host.stack.v6.add_address(segment.host.nic, shared, 64, probe=False)
    resolver(segment).anycast.add(shared)
    station = segment.station(9)
    for _ in range(200):
        solicit(station, shared)
    segment.world.run(SECOND)
    assert len(answers(segment)) == 64
    solicit(station, shared)
    segment.host.stack.remove_address("fd77::a")
    segment.world.run(SECOND)
    assert len(answers(segment)) == 64


def test_routers_are_told_of_a_new_address(segment: Segment) -> None:
    """RFC 9131 6.1: to all routers, unsolicited, without overriding."""
    resolver(segment).announce(segment.host.nic, segment.host.v6, routers=True)
    segment.world.run(0)
    (answer,) = answers(segment)
    assert answer.dst == "33:33:00:00:00:02"
    assert (answer[IPv6].src, answer[IPv6].dst) == ("fd77::1", "ff02::2")
    said = answer[ICMPv6ND_NA]
    assert (said.R, said.S, said.O, said.tgt) == (0, 0, 0, "fd77::1")
    assert answer[ICMPv6NDOptDstLLAddr].lladdr == addr.mac_text(MAC)
    again = answer.copy()
    del again[ICMPv6ND_NA].cksum
    assert bytes(again) == bytes(answer)


def test_a_probe_carries_its_nonce(segment: Segment) -> None:
    """RFC 7527 4.1; from the unspecified address, and no link-layer address beside it."""
    nonce = bytes(range(6))
    target = addr.parse("fd77::abc")
    resolver(segment).probe(segment.host.nic, target, nonce)
    segment.world.run(0)
    frame = segment.frames[-1][1]
    message = ndp.parse(frame, 54, len(frame))
    assert message is not None
    assert (message.target, message.nonce, message.source_lladdr) == (target, nonce, b"")
    assert len(frame) == 14 + 40 + 24 + 8


def test_a_looped_probe_is_known_by_its_nonce(segment: Segment) -> None:
    """RFC 7527 4.2: one without is ours if it has our MAC address; one with a nonce that we never
    sent is somebody else's whatever address it has."""
    station = segment.station(9)
    ours = segment.host.v6
    entry = segment.host.stack.v6.addresses.all[ours]
    station.mac = MAC
    solicit(station, ours, src=addr.ANY6, lladdr=b"")
    assert entry.conflicts == 0
    solicit(station, ours, src=addr.ANY6, lladdr=b"", nonce=b"looped")
    assert entry.conflicts == 1


@pytest.mark.parametrize(
    ("flags", "state", "router"),
    [
        (ndp.FLAG_OVERRIDE, neighbor.STALE, False),
        (ndp.FLAG_OVERRIDE | ndp.FLAG_SOLICITED, neighbor.REACHABLE, False),
        (ndp.FLAG_ROUTER | ndp.FLAG_SOLICITED, neighbor.REACHABLE, True),
    ],
)
def test_an_answer_to_our_question(segment: Segment, flags: int, state: int, router: bool) -> None:
    """ND-19: from INCOMPLETE."""
    station = segment.station(9)
    station.alive = False
    segment.ping(station.v6)
    station.neighbor_advertisement(station.v6, flags)
    segment.world.run(0)
    entry = segment.host.nic.neighbors.entries[station.v6]
    # Sending what waited is use: STALE is DELAY by now.
    assert entry.state == (neighbor.DELAY if state == neighbor.STALE else state)
    assert entry.is_router == router
    assert entry.lladdr == station.mac


def test_an_answer_without_a_link_layer_address_is_none(segment: Segment) -> None:
    station = segment.station(9)
    station.alive = False
    segment.ping(station.v6)
    body = ndp.build(icmp6.NEIGHBOR_ADVERTISEMENT, ndp.FLAG_SOLICITED, station.v6, 2, b"")
    station.packet6(58, body, station.v6, segment.host.v6)
    segment.world.run(0)
    assert segment.host.nic.neighbors.entries[station.v6].state == neighbor.INCOMPLETE
