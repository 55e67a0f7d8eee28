# SPDX-License-Identifier: MIT
"""IPv4 link-local addresses (RFC 3927), alone and as what is left when DHCP is silent."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from stack.base import addr
from stack.base.units import MINUTE, SECOND
from stack.services.linklocal4 import LinkLocal4, candidate
from stack.wire import arp, ethernet
from tests.services.dhcp4_kit import OTHER_MAC, Scene, scene

DELAY = 20 * SECOND
LINGER = 60 * SECOND


def alone() -> tuple[Scene, LinkLocal4]:
    """A host on a silent wire, link-local addresses allowed."""
    it = scene(linklocal4=True, dad=True)
    it.server.offers = it.server.acks = False
    return it, it.auto.link_local


def own(it: Scene) -> list[bytes]:
    """Usable link-local addresses."""
    return [
        entry.address
        for entry in it.host.stack.v4.local.values()
        if addr.is_link_local(entry.address)
    ]


def arps(it: Scene, mark: str) -> list[str]:
    it.server.peer.received()
    return [
        line for line in it.server.peer.log if line[0] == "<" and "arp" in line and mark in line
    ]


# Candidates (2.1).


@given(st.binary(min_size=6, max_size=6), st.integers(0, 1000))
def test_candidates_are_in_the_range_of_the_rfc(mac: bytes, number: int) -> None:
    found = candidate(mac, number)
    assert addr.parse("169.254.1.0") <= found <= addr.parse("169.254.254.255")
    assert candidate(mac, number) == found


def test_candidates_differ_between_hosts_and_attempts() -> None:
    macs = [bytes((2, 0, 0, 0, n >> 8, n & 255)) for n in range(1000)]
    assert len({candidate(mac, 0) for mac in macs}) > 980
    assert len({candidate(macs[0], n) for n in range(1000)}) > 980
    assert len({candidate(mac, 0)[2] for mac in macs}) > 240  # all over the range


# As a last resort.


def test_when_dhcp_is_silent_an_address_is_chosen_probed_and_announced() -> None:
    it, own_address = alone()
    it.auto.start()
    it.server.run(DELAY - SECOND)
    assert own(it) == []
    assert it.auto.state()["link_local"] == "stopped"
    it.server.run(12 * SECOND)
    first = candidate(it.host.port.mac, 0)
    assert own(it) == [first] == [own_address.address]
    text = addr.text(first)
    assert len(arps(it, f"who-has {text} tell 0.0.0.0")) == 3
    assert len(arps(it, f"who-has {text} tell {text}")) == 2
    assert it.routes() == {("169.254.0.0/16", "")}
    assert it.auto.state()["link_local_address"] == text
    assert it.state() == "selecting"  # DHCP goes on (2.11)
    it.server.take()
    it.server.run(2 * MINUTE)
    assert set(it.server.kinds()) == {"discover"}


def test_it_can_be_switched_off() -> None:
    it = scene(linklocal4=False)
    it.server.offers = False
    it.auto.start()
    it.server.run(MINUTE)
    assert own(it) == []


def test_no_link_local_address_beside_a_routable_one() -> None:
    """1.9."""
    it, _ = alone()
    it.host.stack.v4.add_address(it.host.nic, addr.parse("192.0.2.77"), 24, probe=False)
    it.auto.start()
    it.server.run(MINUTE)
    assert own(it) == []


def test_it_is_probed_even_where_nothing_else_is() -> None:
    """2.2.1: MUST; who chooses at random has to look."""
    it = scene(linklocal4=True, dad=False)
    it.server.offers = False
    it.auto.start()
    it.server.run(DELAY + 10 * SECOND)
    assert len(arps(it, "tell 0.0.0.0")) == 3


def test_a_lease_makes_it_deprecated_and_then_removes_it() -> None:
    """1.9: at once no source of anything new that leads beyond the link."""
    it, _ = alone()
    it.auto.start()
    it.server.run(40 * SECOND)
    (old,) = own(it)
    it.server.offers = it.server.acks = True
    while not it.address():
        it.server.run(SECOND)
    began = it.world.now
    assert own(it) == [old]
    assert it.auto.state()["link_local"] == "retiring"
    path = it.host.stack.v4.path(it.server.address)
    assert path is not None
    assert path.src == it.server.yiaddr
    entry = it.host.stack.v4.addresses.all[old]
    assert entry.preferred_until <= began
    assert entry.valid_until <= began + LINGER
    it.server.run(LINGER + SECOND)
    assert own(it) == []
    assert ("169.254.0.0/16", "") not in it.routes()
    assert it.auto.state()["link_local"] == "stopped"


def test_without_lingering_it_goes_at_once() -> None:
    it = scene(linklocal4=True, linklocal4_linger=0)
    it.server.offers = False
    it.auto.start()
    it.server.run(40 * SECOND)
    assert len(own(it)) == 1
    it.server.offers = True
    it.server.run(70 * SECOND)
    assert it.address()
    assert own(it) == []


def test_an_address_by_hand_retires_it_too() -> None:
    it, _ = alone()
    it.auto.start()
    it.server.run(40 * SECOND)
    assert len(own(it)) == 1
    it.host.stack.v4.add_address(it.host.nic, addr.parse("192.0.2.77"), 24, probe=False)
    assert it.auto.state()["link_local"] == "retiring"


def test_when_the_lease_is_lost_the_same_one_comes_back() -> None:
    """2.1: the address is remembered."""
    it, _ = alone()
    it.auto.start()
    it.server.run(40 * SECOND)
    (old,) = own(it)
    it.server.offers = it.server.acks = True
    it.server.set_lease(300)
    it.server.run(3 * MINUTE)
    assert own(it) == []
    it.server.offers = it.server.acks = False
    it.server.run(6 * MINUTE)
    assert own(it) == [old]
    assert it.address() == b""


def test_a_lease_that_is_lost_while_it_retires_keeps_it() -> None:
    it = scene(linklocal4=True, linklocal4_linger=3600 * SECOND, linklocal4_delay=5 * SECOND)
    it.server.offers = False
    it.auto.start()
    it.server.run(40 * SECOND)
    (old,) = own(it)
    it.server.offers = True
    it.server.set_lease(60)
    it.server.run(70 * SECOND)
    assert it.auto.state()["link_local"] == "retiring"
    it.server.offers = it.server.acks = False
    it.server.run(2 * MINUTE)
    assert it.auto.state()["link_local"] == "claimed"
    assert own(it) == [old]
    assert len(arps(it, f"who-has {addr.text(old)} tell 0.0.0.0")) == 3  # not probed again


def test_stopping_removes_it_at_once() -> None:
    it, _ = alone()
    it.auto.start()
    it.server.run(40 * SECOND)
    it.auto.stop()
    assert own(it) == []
    it.server.run(MINUTE)
    assert own(it) == []
    assert it.auto.state()["link_local"] == "stopped"


# Conflicts (2.2.1, 2.5).


def test_a_taken_candidate_gives_way_to_the_next() -> None:
    it, own_address = alone()
    it.auto.start()
    it.server.run(DELAY + 3 * SECOND)
    assert own_address.address == candidate(it.host.port.mac, 0)
    it.server.claims(own_address.address)
    it.server.run(10 * SECOND)
    assert own(it) == [candidate(it.host.port.mac, 1)]
    assert own_address.conflicts == 0  # all is well again
    assert candidate(it.host.port.mac, 0) not in it.host.stack.v4.addresses.all


def test_a_probe_by_another_is_a_conflict_while_we_probe() -> None:
    it, own_address = alone()
    it.auto.start()
    it.server.run(DELAY + 3 * SECOND)
    tried = own_address.address
    probe = arp.build(arp.REQUEST, OTHER_MAC, addr.ANY4, addr.MAC_NONE, tried)
    it.server.peer.frame(ethernet.TYPE_ARP, probe, addr.MAC_BROADCAST)
    it.server.run(10 * SECOND)
    assert own(it) == [candidate(it.host.port.mac, 1)]


def test_after_ten_conflicts_one_candidate_a_minute() -> None:
    """2.2.1: MAX_CONFLICTS, RATE_LIMIT_INTERVAL."""
    it, own_address = alone()
    it.auto.start()
    it.server.run(DELAY + SECOND)
    tried: list[tuple[int, bytes]] = []
    end = it.world.now + 10 * MINUTE
    while it.world.now < end:
        address = own_address.address
        if address and (not tried or tried[-1][1] != address):
            tried.append((it.world.now, address))
        if address in it.host.stack.v4.addresses.all:
            it.server.claims(address)
        it.server.run(SECOND // 10)
    assert [address for _, address in tried] == [
        candidate(it.host.port.mac, n) for n in range(len(tried))
    ]
    gaps = [(b[0] - a[0]) / SECOND for a, b in pairwise(tried)]
    assert all(gap < 5 for gap in gaps[:10])
    assert all(gap >= 60 for gap in gaps[10:])
    assert 8 <= len(gaps[10:]) <= 10
    it.server.run(2 * MINUTE)  # at last nobody has it
    assert len(own(it)) == 1


def test_an_address_that_cannot_be_defended_gives_way_to_the_next() -> None:
    """2.5: one defence in ten seconds; then it goes, and another is chosen."""
    it = linked()
    (old,) = own(it)
    for _ in range(2):
        assert own(it) == [old]
        it.server.claims(old)
    assert own(it) == []
    mark = f"who-has {addr.text(old)} tell {addr.text(old)}"
    assert len(arps(it, mark)) == 3  # two announcements, one defence
    it.server.run(10 * SECOND)
    assert own(it) == [candidate(it.host.port.mac, 1)]
    assert len(arps(it, mark)) == 3


def test_somebody_removes_it() -> None:
    it, _ = alone()
    it.auto.start()
    it.server.run(40 * SECOND)
    (old,) = own(it)
    it.host.stack.remove_address(addr.text(old))
    assert it.auto.state()["link_local"] == "stopped"


def test_another_link_is_asked_anew() -> None:
    it, _ = alone()
    it.auto.start()
    it.server.run(40 * SECOND)
    (old,) = own(it)
    it.host.stack.set_link(it.host.nic, False)
    it.server.run(SECOND)
    it.host.stack.set_link(it.host.nic, True)
    it.server.run(15 * SECOND)
    assert own(it) == [old]
    assert len(arps(it, f"who-has {addr.text(old)} tell 0.0.0.0")) >= 6


# Traffic.


def linked() -> Scene:
    it, _ = alone()
    it.auto.start()
    it.server.run(40 * SECOND)
    assert len(own(it)) == 1
    return it


def test_nothing_to_or_from_a_link_local_address_goes_through_a_router() -> None:
    """2.6.2: ARP for the destination instead."""
    it = linked()
    stack, nic = it.host.stack, it.host.nic
    stack.add_route("0.0.0.0", 0, nic, "169.254.200.1")
    far = addr.parse("198.51.100.7")
    path = stack.v4.path(far)
    assert path is not None
    assert path.src == own(it)[0]
    assert path.neighbor.address == far
    stack.v4.add_address(nic, addr.parse("192.0.2.77"), 24, probe=False)
    stack.add_route("0.0.0.0", 0, nic, "192.0.2.1")
    path = stack.v4.path(far)
    assert path is not None
    assert path.src == addr.parse("192.0.2.77")
    assert path.neighbor.address != far
    it.auto.stop()
    near = addr.parse("169.254.77.77")
    path = stack.v4.path(near)  # with a routable address only
    assert path is not None
    assert path.neighbor.address == near


def test_arp_with_a_link_local_sender_is_broadcast() -> None:
    """2.5: replies too."""
    it = linked()
    (mine,) = own(it)
    peer = it.server.peer
    seen: list[bytes] = []
    question = arp.build(arp.REQUEST, peer.port.mac, addr.parse("169.254.9.9"), addr.MAC_NONE, mine)
    peer.frame(ethernet.TYPE_ARP, question, addr.MAC_BROADCAST)
    it.world.run(0)
    while (frame := peer.port.read()) is not None:
        if frame[12:14] == ethernet.TYPE_ARP:
            seen.append(frame)
    (reply,) = seen
    assert reply[:6] == addr.MAC_BROADCAST
    message = arp.parse(reply, 14, len(reply))
    assert message is not None
    assert (message.operation, message.spa, message.tha) == (arp.REPLY, mine, peer.port.mac)


def test_another_link_local_host_can_be_reached() -> None:
    it = linked()
    peer = it.server.peer
    peer.v4 = addr.parse("169.254.9.9")
    (mine,) = own(it)
    it.host.v4 = mine
    peer.received()
    peer.inbox.clear()
    assert it.host.stack.v4.icmp.echo(peer.v4, 1, 1, b"x") == 0
    it.world.run(0)
    seen = peer.next_ip()
    assert seen is not None
    assert (seen.pkt.src, seen.pkt.dst) == (mine, peer.v4)
