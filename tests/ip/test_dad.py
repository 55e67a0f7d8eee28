# SPDX-License-Identifier: MIT
"""Duplicate address detection for IPv6: RFC 4862 5.4, RFC 7527, RFC 4429; and what a link that
comes up again means to both families."""

from __future__ import annotations

from itertools import pairwise

import pytest
from scapy.layers.inet6 import (
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RS,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import ARP, Ether

from stack import Config
from stack.base import addr
from stack.base.units import SECOND
from stack.ip.addrconf import (
    DHCP,
    DUPLICATED,
    MANUAL,
    OPTIMISTIC,
    PREFERRED,
    TENTATIVE,
)
from tests.harness import quiet
from tests.ip.addressing import Scene
from tests.tcp.users import serve

OURS = "fd77::1"
LINK_LOCAL = "fe80::ff:fe00:1"
LATER = "2001:db8::77"


def nonce_of(packet: object) -> bytes:
    """What lies behind the target in a probe: the nonce option's data."""
    body = bytes(packet[ICMPv6ND_NS])  # type: ignore[index]
    return body[26:] if body[24:26] == bytes((14, 1)) else b""


# RFC 4862 5.4.2: sending.


def test_the_form_of_a_probe() -> None:
    """From nobody, to the solicited-node group, hop limit 255, no link-layer option."""
    scene = Scene()
    scene.run(5)
    ((_, packet),) = scene.probes(OURS)
    assert packet[Ether].dst == "33:33:ff:00:00:01"
    assert packet[IPv6].dst == "ff02::1:ff00:1"
    assert packet[IPv6].hlim == 255
    body = bytes(packet[ICMPv6ND_NS])
    assert len(body) == 24 + 8
    assert len(nonce_of(packet)) == 6  # RFC 3971 5.3.2


@pytest.mark.parametrize("transmits", [1, 2, 5])
@pytest.mark.parametrize("retrans", [1, 3])
def test_so_many_probes_so_far_apart(transmits: int, retrans: int) -> None:
    """DupAddrDetectTransmits probes, RetransTimer between them and after the last."""
    scene = Scene(Config(dad_transmits=transmits))
    scene.stack.v6.interface(scene.nic).retrans_timer = retrans * SECOND
    start = scene.world.now
    scene.run(transmits * retrans + 5)
    when = [time for time, _ in scene.probes(OURS)]
    assert len(when) == transmits
    assert 0 <= when[0] - start <= SECOND
    assert [b - a for a, b in pairwise(when)] == [retrans * SECOND] * (transmits - 1)
    (first, *_) = scene.announcements(OURS)
    assert first[0] == when[-1] + retrans * SECOND
    assert scene.moves.of(OURS) == [PREFERRED]


def test_no_transmissions_no_detection() -> None:
    scene = Scene(Config(dad_transmits=0))
    assert scene.state(OURS) == PREFERRED
    scene.run(5)
    assert scene.heard(ICMPv6ND_NS) == []


def test_only_what_comes_first_is_delayed() -> None:
    """5.4.2: a random delay if the probe is the first message since the interface came up, or was
    provoked by a multicast; none for an address given later."""
    delays = set()
    for seed in range(1, 9):
        scene = Scene(seed=seed)
        start = scene.world.now
        scene.run(2)
        delays.add(scene.probes(OURS)[0][0] - start)
        given = scene.world.now
        scene.stack.add_address(scene.nic, LATER, 64)
        scene.run(2)
        assert scene.probes(LATER)[0][0] == given
    assert len(delays) > 4
    assert all(0 <= delay <= SECOND for delay in delays)


def test_the_group_is_heard_before_the_first_probe() -> None:
    """5.4.2: from the start, delay or no; and by a duplicate no more."""
    scene = Scene()
    group = addr.solicited_node(addr.parse("2001:db8::abcd:1"))
    scene.stack.add_address(scene.nic, "2001:db8::abcd:1", 64)
    scene.stack.add_address(scene.nic, "2001:db8:2::abcd:1", 64)
    groups = scene.stack.host.groups
    assert groups.joined(scene.nic.index, group)
    scene.solicit("2001:db8::abcd:1")
    assert scene.state("2001:db8::abcd:1") == DUPLICATED
    assert groups.joined(scene.nic.index, group)  # the other address has the same one
    scene.stack.remove_address("2001:db8:2::abcd:1")
    assert not groups.joined(scene.nic.index, group)
    scene.stack.remove_address("2001:db8::abcd:1")
    assert not groups.joined(scene.nic.index, group)


# RFC 4862 5.4.3-5: receiving.


@pytest.mark.parametrize("delay", [0.0, 1.0])
@pytest.mark.parametrize("nonce", [b"", b"sixsix"])
def test_who_else_probes_for_it_has_it_taken_from_both(delay: float, nonce: bytes) -> None:
    scene = Scene(Config(dad_transmits=3))
    scene.run(delay)
    scene.solicit(OURS, nonce=nonce)
    assert scene.state(OURS) == DUPLICATED
    scene.run(10)
    assert scene.announcements(OURS) == []
    assert scene.stack.v6.addresses.counters.moved() == {"duplicates": 1}


def test_who_has_it_says_so() -> None:
    scene = Scene(Config(dad_transmits=3))
    scene.run(1)
    scene.advertise_self(OURS)
    assert scene.state(OURS) == DUPLICATED
    sent = len(scene.probes(OURS))
    scene.run(10)
    assert len(scene.probes(OURS)) == sent
    assert scene.announcements(OURS) == []


def test_a_question_of_a_neighbour_is_ignored_while_tentative() -> None:
    """5.4.3: a specified source only asks; he gets no answer, and nothing is concluded."""
    scene = Scene(Config(dad_transmits=3))
    scene.run(1)
    scene.solicit(OURS, src="fd77::9")
    assert scene.state(OURS) == TENTATIVE
    assert scene.heard(ICMPv6ND_NA) == []
    scene.run(10)
    assert scene.state(OURS) == PREFERRED


def test_each_address_is_probed_by_itself() -> None:
    """5.4: a duplicate says nothing about another address with the same identifier."""
    scene = Scene()
    scene.stack.add_address(scene.nic, "2001:db8::1", 64)
    scene.solicit(OURS)
    scene.run(5)
    assert scene.state(OURS) == DUPLICATED
    assert scene.state("2001:db8::1") == PREFERRED


def test_ours_stays_ours_whoever_claims_it() -> None:
    """Only a tentative address can be lost; a claim to another is counted and traced."""
    scene = Scene()
    scene.run(10)
    before = len(scene.announcements(OURS))
    scene.advertise_self(OURS)
    scene.solicit(OURS)
    assert scene.state(OURS) == PREFERRED
    assert scene.entry(OURS).conflicts == 2
    assert scene.stack.v6.addresses.counters.moved() == {"claims": 2}
    assert "wsk1 fd77::1 claimed by another station" in scene.world.trace.lines
    assert len(scene.announcements(OURS)) == before + 1  # the answer to the probe


def test_a_duplicate_of_the_macs_own_address_disables_the_interface() -> None:
    """5.4.5: the MAC is somebody else's too.  Nothing goes out, nothing comes in."""
    scene = Scene()
    scene.run(10)
    assert scene.source("fd77::9") == OURS
    scene.stack.set_link(scene.nic, False)
    scene.stack.set_link(scene.nic, True)
    scene.solicit(LINK_LOCAL)
    assert scene.state(LINK_LOCAL) == DUPLICATED
    assert scene.state(OURS) == TENTATIVE
    assert scene.stack.v6.interface(scene.nic).disabled
    assert scene.source("fd77::9") is None
    sent = len(scene.heard(IPv6))
    drops = scene.host.drops()
    scene.solicit(OURS, src="fd77::9")
    scene.stack.add_address(scene.nic, LATER, 64)
    scene.run(20)
    assert len(scene.heard(IPv6)) == sent
    assert scene.host.drops() == {**drops, "ip_disabled": 1}
    assert scene.source("10.77.0.9") == "10.77.0.1"  # IPv4 goes on
    scene.stack.set_link(scene.nic, False)
    scene.stack.set_link(scene.nic, True)
    scene.run(10)
    assert {scene.state(text) for text in (LINK_LOCAL, OURS, LATER)} == {PREFERRED}
    assert scene.source("fd77::9") == OURS


def test_an_address_that_was_typed_in_disables_nothing() -> None:
    scene = Scene()
    scene.stack.add_address(scene.nic, "fe80::77", 64)
    scene.solicit("fe80::77")
    assert scene.state("fe80::77") == DUPLICATED
    assert not scene.stack.v6.interface(scene.nic).disabled


# RFC 7527: probes that come back.


def test_each_probe_has_a_nonce_of_its_own() -> None:
    """RFC 7527 4.1, RFC 3971 5.3.2: six octets, never the same."""
    scene = Scene(Config(dad_transmits=5))
    scene.run(10)
    nonces = [nonce_of(packet) for _, packet in scene.probes(OURS)]
    assert len(set(nonces)) == 5
    assert {len(nonce) for nonce in nonces} == {6}


def test_without_it_probes_have_none() -> None:
    scene = Scene(Config(enhanced_dad=False))
    scene.run(5)
    ((_, packet),) = scene.probes(OURS)
    assert nonce_of(packet) == b""


@pytest.mark.parametrize("loops", [1, 2, 5])
def test_a_looped_link_is_waited_out(loops: int) -> None:
    """RFC 7527 4.1: MAX_MULTICAST_SOLICIT more probes whenever one came back; 4.2: no failure."""
    scene = Scene()
    for number in range(1, loops + 1):
        while len(scene.probes(OURS)) < 3 * number - 2:  # the first of each round
            scene.run(0.1)
        _, packet = scene.probes(OURS)[-1]
        scene.inject(packet)
        assert scene.state(OURS) == TENTATIVE
    scene.run(20)
    assert scene.state(OURS) == PREFERRED
    assert len(scene.probes(OURS)) == 1 + 3 * loops
    when = [time for time, _ in scene.probes(OURS)]
    assert all(b - a == SECOND for a, b in pairwise(when))
    assert scene.stack.v6.addresses.counters.moved() == {"looped": loops}


def test_a_station_with_our_mac_is_told_from_an_echo() -> None:
    """RFC 7527 4.2: by its nonce, which is not one of ours."""
    scene = Scene()
    scene.run(1)
    scene.solicit(OURS, mac=scene.mac, nonce=b"foreig")
    assert scene.state(OURS) == DUPLICATED


# RFC 4429: optimistic addresses.


def optimistic() -> Scene:
    scene = Scene(Config(optimistic_dad=True))
    scene.run(10)
    packed = addr.parse(LATER)
    scene.stack.v6.add_address(scene.nic, packed, 64, origin=DHCP)
    scene.world.run(0)
    assert scene.state(LATER) == OPTIMISTIC
    return scene


def test_an_optimistic_address_is_used_from_the_first_probe_on() -> None:
    """3.3: optimistic once its solicitation has left, preferred once detection is over."""
    scene = Scene(Config(optimistic_dad=True))
    assert scene.state(LINK_LOCAL) == TENTATIVE
    scene.run(10)
    assert scene.moves.of(LINK_LOCAL) == [OPTIMISTIC, PREFERRED]
    assert scene.moves.of(OURS) == [PREFERRED]  # 3.1: never one that a person typed in
    assert scene.entry(OURS).origin == MANUAL


def test_it_is_a_source_where_there_is_no_better() -> None:
    """3.1: no better than a deprecated one."""
    scene = optimistic()
    assert scene.source("2001:db8::9") == OURS
    scene.stack.remove_address(OURS)
    assert scene.source("2001:db8::9") == LATER


def test_it_asks_nobody() -> None:
    """3.2: a solicitation comes from another address, or waits until detection is over."""
    scene = optimistic()
    scene.peer.silent = True
    scene.stack.remove_address(OURS)
    scene.stack.remove_address(LINK_LOCAL)
    scene.stack.v6.icmp.echo(addr.parse("2001:db8::9"), 1, 1, b"")
    scene.run(0.5)
    questions = [p for _, p in scene.heard(ICMPv6ND_NS) if p[ICMPv6ND_NS].tgt == "2001:db8::9"]
    assert questions == []
    scene.run(2)
    questions = [p for _, p in scene.heard(ICMPv6ND_NS) if p[ICMPv6ND_NS].tgt == "2001:db8::9"]
    assert {p[IPv6].src for p in questions} == {LATER}


def test_it_asks_routers_without_its_link_layer_address() -> None:
    """3.2: no source link-layer option in a solicitation from an optimistic address."""
    early = 0
    for seed in range(1, 9):
        scene = Scene(Config(optimistic_dad=True), seed=seed)
        scene.run(8)
        sure = scene.probes(LINK_LOCAL)[0][0] + SECOND
        asked = scene.heard(ICMPv6ND_RS)
        assert {packet[IPv6].src for _, packet in asked} == {LINK_LOCAL}
        for when, packet in asked:
            assert (ICMPv6NDOptSrcLLAddr in packet) == (when >= sure)
            early += when < sure
    assert early >= 4


def test_it_overrides_nothing() -> None:
    """3.2: O is clear in what is said of an optimistic address, and set afterwards."""
    scene = optimistic()
    scene.solicit(LATER, src="2001:db8::9")
    scene.run(10)
    scene.solicit(LATER, src="2001:db8::9")
    flags = [p[ICMPv6ND_NA].O for _, p in scene.announcements(LATER) if p[ICMPv6ND_NA].S]
    assert flags == [0, 1]


@pytest.mark.parametrize("deed", ["solicit", "advertise_self"])
def test_who_else_wants_it_gets_it(deed: str) -> None:
    """3.3: no answer to a rival's probe; the address goes."""
    scene = optimistic()
    getattr(scene, deed)(LATER)
    assert scene.state(LATER) == DUPLICATED
    assert scene.announcements(LATER) == []
    assert addr.parse(LATER) not in scene.stack.v6.local


# The link goes and comes (RFC 4862 5.3, RFC 5227 2.1).


def test_a_link_that_comes_up_again_puts_all_in_doubt(family: int) -> None:
    scene = Scene()
    scene.run(20)
    text = addr.text(scene.host.address(family))
    before = len(scene.probes(text))
    scene.stack.set_link(scene.nic, False)
    scene.run(20)
    assert scene.state(text) == PREFERRED
    scene.stack.set_link(scene.nic, True)
    assert scene.state(text) == TENTATIVE
    scene.run(20)
    assert scene.state(text) == PREFERRED
    assert len(scene.probes(text)) == 2 * before


def test_a_connection_outlives_the_doubt(family: int) -> None:
    """Nothing is sent from a tentative address, but the connection is not lost with the link."""
    scene = Scene(Config(router_solicitations=False))
    scene.run(20)
    acceptor = serve(scene.host)
    peer = scene.peer
    peer.family = family
    peer.handshake()
    scene.run(1)
    (user,) = acceptor.users
    scene.stack.set_link(scene.nic, False)
    scene.run(5)
    scene.stack.set_link(scene.nic, True)
    start = scene.world.now
    peer.received()
    peer.inbox.clear()
    user.send(b"still here")
    for _ in range(100):
        scene.run(0.2)
        peer.received()
    assert user.final == ""
    seen = [found for found in peer.inbox if found.seg is not None]
    assert seen[0].data == b"still here"
    assert all(found.when >= start for found in seen)
    text = addr.text(scene.host.address(family))
    ready = scene.probes(text)[-1][0]
    assert all(found.when > ready for found in seen)


def test_an_address_given_while_the_link_is_down_waits(family: int) -> None:
    scene = Scene()
    scene.run(20)
    scene.stack.set_link(scene.nic, False)
    text = "10.77.0.50" if family == addr.V4 else LATER
    scene.stack.add_address(scene.nic, text, 24)
    scene.run(20)
    assert (scene.state(text), scene.probes(text)) == (TENTATIVE, [])
    scene.stack.set_link(scene.nic, True)
    scene.run(20)
    assert scene.state(text) == PREFERRED


def test_without_detection_nothing_is_in_doubt(family: int) -> None:
    scene = Scene(quiet())
    scene.stack.set_link(scene.nic, False)
    scene.stack.set_link(scene.nic, True)
    scene.run(10)
    assert scene.moves.seen == []
    assert scene.heard(ARP) == scene.heard(ICMPv6ND_NS) == []


def test_a_duplicate_is_tried_again_on_another_link(family: int) -> None:
    scene = Scene()
    text = addr.text(scene.host.address(family))
    scene.run(1)
    if family == addr.V4:
        scene.arp(2, text, "10.77.0.9")
    else:
        scene.advertise_self(text)
    assert scene.state(text) == DUPLICATED
    scene.stack.set_link(scene.nic, False)
    scene.stack.set_link(scene.nic, True)
    scene.run(20)
    assert scene.state(text) == PREFERRED


def test_giving_the_address_again_starts_anew(family: int) -> None:
    """A duplicate stays one until somebody wants it again."""
    scene = Scene()
    text = addr.text(scene.host.address(family))
    if family == addr.V4:
        scene.arp(2, text, "10.77.0.9")
    else:
        scene.advertise_self(text)
    scene.run(20)
    assert scene.state(text) == DUPLICATED
    again = scene.stack.add_address(scene.nic, text, 24)
    assert again.state == TENTATIVE
    scene.run(20)
    assert scene.state(text) == PREFERRED
    assert scene.source("10.77.0.9" if family == addr.V4 else "fd77::9") == text
