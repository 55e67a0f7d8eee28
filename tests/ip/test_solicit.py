# SPDX-License-Identifier: MIT
"""Asking for routers: when, from where, how long (RFC 4861 6.3.7, RFC 7559)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from scapy.layers.inet6 import ICMPv6ND_RS, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import Ether

from stack.base import addr
from stack.base.units import SECOND
from stack.ip.solicit import IRT, MRT
from stack.wire import icmp6, ndp
from tests.harness import World, quiet
from tests.harness.segment import MAC, Segment

DAY = 86400 * SECOND


def asked(segment: Segment) -> list[int]:
    """When it asked for routers, ns."""
    return segment.questions("router solicitation")


def solicitations(segment: Segment) -> list[Ether]:
    frames = (Ether(frame) for _, frame in segment.frames)
    return [frame for frame in frames if ICMPv6ND_RS in frame]


def asking(world: World, **settings: object) -> Segment:
    return Segment(world, quiet(router_solicitations=True, **settings))


def test_the_message(world: World) -> None:
    """ND-8: from the link-local address to all routers, with our link-layer address."""
    segment = asking(world)
    world.run(2 * SECOND)
    (frame,) = solicitations(segment)
    assert frame.dst == "33:33:00:00:00:02"
    assert (frame[IPv6].src, frame[IPv6].dst) == ("fe80::ff:fe00:1", "ff02::2")
    assert frame[IPv6].hlim == 255
    assert frame[ICMPv6ND_RS].code == 0
    assert frame[ICMPv6NDOptSrcLLAddr].lladdr == addr.mac_text(MAC)
    again = frame.copy()
    del again[ICMPv6ND_RS].cksum
    assert bytes(again) == bytes(frame)


@pytest.mark.parametrize("seed", range(5))
def test_it_goes_on_ever_more_rarely(seed: int) -> None:
    """RFC 7559 2: 4 s, then twice as long each time, to an hour; all within a tenth."""
    world = World(seed)
    began = world.now
    segment = asking(world)
    world.run(DAY)
    times = asked(segment)
    assert 0 <= times[0] - began < SECOND
    pauses = [b - a for a, b in pairwise(times)]
    assert IRT * 0.9 <= pauses[0] <= IRT * 1.1
    for before, pause in pairwise(pauses):
        if 2.1 * before <= MRT * 0.9:
            assert 1.9 * before <= pause <= 2.1 * before
    assert all(MRT * 0.9 <= pause <= MRT * 1.1 for pause in pauses[12:])
    assert len(set(pauses)) == len(pauses)
    assert len(times) > 24


def test_a_router_ends_it(world: World) -> None:
    segment = asking(world)
    router = segment.station(8)
    world.run(10 * SECOND)
    before = len(asked(segment))
    assert before == 2
    router.advertises()
    world.run(DAY)
    assert len(asked(segment)) == before


def test_somebody_who_is_no_default_router_does_not(world: World) -> None:
    """RFC 4861 6.3.7: a non-zero router lifetime is what ends it."""
    segment = asking(world)
    segment.station(8).advertises(lifetime=0)
    world.run(100 * SECOND)
    assert len(asked(segment)) == 5


def test_an_invalid_advertisement_does_not(world: World) -> None:
    segment = asking(world)
    world.run(2 * SECOND)
    body = ndp.build_advertisement(icmp6.ROUTER_ADVERTISEMENT, 0, 0, 1800)
    station = segment.station(8)
    station.packet6(58, body, station.local, addr.ALL_NODES, hops=64)
    world.run(4 * SECOND)
    assert len(asked(segment)) == 2


def test_an_unasked_advertisement_leaves_one_question(world: World) -> None:
    """RFC 4861 6.3.7: it may be incomplete, so one is asked for all the same."""
    segment = asking(world)
    segment.station(8).advertises()
    world.run(DAY)
    assert len(asked(segment)) == 1


def test_it_begins_anew_when_the_link_comes_up(world: World) -> None:
    segment = asking(world)
    router = segment.station(8)
    world.run(2 * SECOND)
    router.advertises()
    segment.host.stack.set_link(segment.host.nic, False)
    world.run(DAY)
    assert len(asked(segment)) == 1
    segment.host.stack.set_link(segment.host.nic, True)
    came = world.now
    world.run(10 * SECOND)
    again = asked(segment)[1:]
    assert len(again) == 2
    assert came <= again[0] < came + SECOND


def test_a_link_that_goes_down_is_not_asked(world: World) -> None:
    segment = asking(world)
    world.run(2 * SECOND)
    segment.host.stack.set_link(segment.host.nic, False)
    world.run(DAY)
    assert len(asked(segment)) == 1


def test_it_waits_for_the_link_local_address(world: World) -> None:
    """RFC 4861 4.1, RFC 4862 5.4: not from a tentative address."""
    segment = asking(world, dad=True)
    world.run(20 * SECOND)
    first = solicitations(segment)[0]
    assert first[IPv6].src == "fe80::ff:fe00:1"
    probed = segment.questions(":: > ff02::1:ff00:1")
    assert asked(segment)[0] >= probed[0] + SECOND


def test_without_a_link_local_address_it_asks_from_none(world: World) -> None:
    """After four seconds, and without a link-layer address."""
    began = world.now
    segment = asking(world, dad=True)
    segment.host.stack.v6.remove_address(addr.link_local(MAC))
    world.run(20 * SECOND)
    first = solicitations(segment)[0]
    assert first[IPv6].src == "::"
    assert ICMPv6NDOptSrcLLAddr not in first
    assert IRT <= asked(segment)[0] - began < IRT + SECOND


@pytest.mark.parametrize("how", [{"forwarding": True}, {"accept_ra": False}])
def test_who_would_not_listen_does_not_ask(world: World, how: dict[str, object]) -> None:
    segment = asking(world, **how)
    world.run(100 * SECOND)
    assert asked(segment) == []


@pytest.mark.parametrize("mtu", [1500, 1200])
@pytest.mark.parametrize("on", [True, False])
def test_only_where_it_makes_sense(world: World, on: bool, mtu: int) -> None:
    """Not if it is switched off, and not on a link that cannot carry IPv6."""
    segment = Segment(world, quiet(router_solicitations=on), mtu)
    world.run(100 * SECOND)
    assert bool(asked(segment)) == (on and mtu == 1500)
