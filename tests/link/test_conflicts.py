# SPDX-License-Identifier: MIT
"""IPv4 address conflict detection, RFC 5227: probing, announcing, and defence ever after."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import ARP, Ether

from stack import Config
from stack.base import addr, status
from stack.base.units import SECOND
from stack.ip.addrconf import DUPLICATED, PREFERRED, TENTATIVE
from stack.wire.tcp import RST
from tests.harness import quiet
from tests.ip.addressing import Scene
from tests.tcp.users import User, serve

OURS = "10.77.0.1"
OTHER = "02:00:00:00:00:99"


def settled(**settings: Any) -> Scene:
    """The address is in use, and everything about it has been said."""
    scene = Scene(Config(**settings))
    scene.run(20)
    assert scene.state(OURS) == PREFERRED
    return scene


def defences(scene: Scene) -> int:
    return len(scene.announcements(OURS)) - 2


# 2.1: probing; 2.3: announcing.


def test_the_form_of_a_probe() -> None:
    """2.1.1: sender address zero, target hardware address ignored and zero, broadcast."""
    scene = settled()
    for _, packet in scene.probes(OURS):
        message = packet[ARP]
        assert packet[Ether].dst == "ff:ff:ff:ff:ff:ff"
        assert (message.op, message.hwsrc, message.hwdst) == (1, scene.mac, "00:00:00:00:00:00")
        assert (message.psrc, message.pdst) == ("0.0.0.0", OURS)


def test_the_form_of_an_announcement() -> None:
    """2.3: identical, but for both addresses being the new one."""
    scene = settled()
    for _, packet in scene.announcements(OURS):
        message = packet[ARP]
        assert packet[Ether].dst == "ff:ff:ff:ff:ff:ff"
        assert (message.op, message.hwsrc) == (1, scene.mac)
        assert (message.psrc, message.pdst) == (OURS, OURS)


def test_the_times_of_1_1() -> None:
    """PROBE_WAIT 1 s, PROBE_NUM 3, PROBE_MIN 1 s, PROBE_MAX 2 s, ANNOUNCE_WAIT 2 s, ANNOUNCE_NUM 2,
    ANNOUNCE_INTERVAL 2 s; random, so different each time."""
    waits, gaps = set(), set()
    for seed in range(1, 12):
        scene = Scene(Config(), seed=seed)
        start = scene.world.now
        scene.run(20)
        probes = [when for when, _ in scene.probes(OURS)]
        said = [when for when, _ in scene.announcements(OURS)]
        assert len(probes) == 3
        assert 0 <= probes[0] - start <= SECOND
        waits.add(probes[0] - start)
        for a, b in pairwise(probes):
            assert SECOND <= b - a <= 2 * SECOND
            gaps.add(b - a)
        assert said == [probes[2] + 2 * SECOND, probes[2] + 4 * SECOND]
    assert len(waits) > 8
    assert len(gaps) > 16


def test_no_periodic_checks() -> None:
    """2.1: once is enough; nothing more is said of an address nobody disputes."""
    scene = settled()
    before = len(scene.heard(ARP))
    scene.run(10000)
    assert len(scene.heard(ARP)) == before


# 2.1.1: conflicts while probing.


@pytest.mark.parametrize("moment", ["before", "between", "after the last"])
@pytest.mark.parametrize(
    ("op", "psrc", "pdst"),
    [(1, OURS, "10.77.0.9"), (2, OURS, "10.77.0.9"), (1, OURS, OURS), (1, "0.0.0.0", OURS)],
    ids=["request", "reply", "announcement", "probe"],
)
def test_a_conflict_while_probing(moment: str, op: int, psrc: str, pdst: str) -> None:
    """Any ARP packet with the address as its sender's, and another's probe for it; from the
    beginning until ANNOUNCE_WAIT after the last probe."""
    scene = Scene()
    wanted = {"before": 0, "between": 1, "after the last": 3}[moment]
    while len(scene.probes(OURS)) < wanted:
        scene.run(0.1)
    if wanted == 3:
        scene.run(1.8)
    assert scene.state(OURS) == TENTATIVE
    scene.arp(op, psrc, pdst)
    assert scene.state(OURS) == DUPLICATED
    scene.run(20)
    assert scene.announcements(OURS) == []
    assert scene.source("10.77.0.9") is None
    assert scene.stack.v4.addresses.counters.moved() == {"duplicates": 1}


def test_our_own_probe_back_is_no_conflict() -> None:
    """2.1.1: only if the sender's hardware address is none of ours, of whichever interface."""
    scene = Scene()
    second = scene.stack.add_nic(scene.world.host()[0].port, "second")
    for _ in range(4):
        scene.run(1)
        scene.arp(1, "0.0.0.0", OURS, hwsrc=scene.mac)
        scene.arp(1, "0.0.0.0", OURS, hwsrc=addr.mac_text(second.mac))
    scene.run(20)
    assert scene.state(OURS) == PREFERRED


def test_others_addresses_are_others_business() -> None:
    scene = Scene()
    scene.run(1)
    scene.arp(1, "0.0.0.0", "10.77.0.9")
    scene.arp(2, "10.77.0.9", "10.77.0.8")
    scene.run(20)
    assert scene.state(OURS) == PREFERRED


def test_after_ten_conflicts_one_attempt_a_minute() -> None:
    """MAX_CONFLICTS, RATE_LIMIT_INTERVAL."""
    scene = Scene()
    attempts: list[int] = []
    for number in range(1, 16):
        text = f"10.77.1.{number}"
        scene.stack.add_address(scene.nic, text, 24)
        while not scene.probes(text):
            scene.run(0.5)
        attempts.append(scene.probes(text)[0][0])
        scene.arp(2, text, "10.77.0.9")
    gaps = [b - a for a, b in pairwise(attempts)]
    assert all(gap < 3 * SECOND for gap in gaps[:9])
    assert all(gap >= 60 * SECOND for gap in gaps[9:])
    scene.stack.set_link(scene.nic, False)
    scene.stack.set_link(scene.nic, True)  # another link, another count
    scene.stack.add_address(scene.nic, "10.77.2.1", 24)
    scene.run(2)
    assert len(scene.probes("10.77.2.1")) >= 1


# 2.4: an address in use.


def test_who_probes_for_it_is_answered() -> None:
    """2.2: from the first announcement on; and that is no conflict, and costs no defence."""
    scene = settled()
    for _ in range(3):
        scene.arp(1, "0.0.0.0", OURS)
    replies = [p[ARP] for _, p in scene.heard(ARP) if p[ARP].op == 2]
    assert [(reply.psrc, reply.hwdst, reply.pdst) for reply in replies] == [
        (OURS, OTHER, "0.0.0.0")
    ] * 3
    assert scene.entry(OURS).conflicts == 0
    assert defences(scene) == 0


@pytest.mark.parametrize("op", [1, 2])
def test_a_first_conflict_is_answered_by_one_announcement(op: int) -> None:
    """2.4 b, the default."""
    scene = settled()
    scene.arp(op, OURS, "10.77.0.9")
    assert (scene.state(OURS), defences(scene)) == (PREFERRED, 1)
    assert scene.stack.v4.addresses.counters.moved() == {"claims": 1, "defended": 1}
    assert "wsk1 10.77.0.1 claimed by another station, defended" in scene.world.trace.lines


def test_a_second_within_ten_seconds_ends_it() -> None:
    scene = settled()
    scene.arp(2, OURS, "10.77.0.9")
    scene.run(9.9)
    scene.arp(2, OURS, "10.77.0.9")
    assert scene.state(OURS) == DUPLICATED
    scene.run(100)
    assert defences(scene) == 1  # MUST NOT send another
    assert scene.stack.v4.addresses.counters.moved() == {"claims": 2, "defended": 1, "lost": 1}


def test_a_second_after_ten_seconds_is_a_first() -> None:
    scene = settled()
    for number in range(1, 6):
        scene.arp(2, OURS, "10.77.0.9")
        assert (scene.state(OURS), defences(scene)) == (PREFERRED, number)
        scene.run(10.1)


def test_abandon_gives_up_at_once() -> None:
    """2.4 a."""
    scene = settled(conflict_policy="abandon")
    scene.arp(1, OURS, "10.77.0.9")
    assert (scene.state(OURS), defences(scene)) == (DUPLICATED, 0)


def test_insist_never_gives_up_and_never_floods() -> None:
    """2.4 c: one announcement in DEFEND_INTERVAL, whatever comes."""
    scene = settled(conflict_policy="insist")
    for _ in range(300):
        scene.arp(2, OURS, "10.77.0.9")
        scene.run(0.1)
    assert scene.state(OURS) == PREFERRED
    assert 3 <= defences(scene) <= 4
    assert scene.entry(OURS).conflicts == 300


def test_the_robber_is_no_neighbour() -> None:
    scene = settled()
    scene.arp(2, OURS, "10.77.0.9")
    assert addr.parse(OURS) not in scene.nic.neighbors.entries


# ACD-8: what a lost address takes with it.


def rob(scene: Scene) -> None:
    scene.arp(2, OURS, "10.77.0.9")
    scene.arp(2, OURS, "10.77.0.9")
    assert scene.state(OURS) == DUPLICATED


def test_connections_are_reset_before_the_address_is_given_up() -> None:
    """2.4: actively, so that nobody goes on talking to whoever has the address now."""
    scene = Scene(quiet())
    acceptor = serve(scene.host)
    scene.peer.handshake()
    scene.world.run(0)
    (user,) = acceptor.users
    assert user.send(b"x" * 10) == status.PENDING
    scene.world.run(0)
    rob(scene)
    assert user.final == "ABORTED"
    assert ("send", "ABORTED", 0) in user.events
    resets = [p for _, p in scene.heard(TCP) if int(p[TCP].flags) & RST]
    assert [p[IP].src for p in resets] == [OURS]
    assert resets[0][TCP].seq == (scene.peer.sees(data=b"x" * 10).seq + 10) & 0xFFFFFFFF
    sent = len(scene.heard(IP))
    scene.run(300)
    assert len(scene.heard(IP)) == sent


def test_users_are_told_once_and_bindings_stay() -> None:
    scene = Scene(quiet())
    scene.stack.add_address(scene.nic, "192.0.2.1", 24)
    watched: list[None] = []
    scene.stack.udp.watch(addr.V4, lambda: watched.append(None))
    endpoint = scene.host.datagram()
    assert endpoint.bind(addr.parse(OURS), 7, 0) == status.OK
    stream = scene.host.stream()
    user = User(stream)
    stream.attach(user)
    assert stream.bind(addr.parse(OURS), 0, 0) == status.OK
    rob(scene)
    assert len(watched) == 1
    assert scene.moves.of(OURS) == [DUPLICATED]
    assert endpoint.send((b"x",), 1, addr.parse("10.77.0.9"), 9, 0) == status.NO_ROUTE
    assert stream.connect(addr.parse("10.77.0.9"), 80, 0, "connect") == status.NO_ROUTE
    assert scene.source("192.0.2.9") == "192.0.2.1"
    assert not scene.stack.v4.is_broadcast(scene.nic.index, addr.parse("10.77.0.255"))
    assert all(r.prefix != addr.parse("10.77.0.0") for r in scene.stack.host.routes.all())
