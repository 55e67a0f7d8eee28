# SPDX-License-Identifier: MIT
"""Which of several gateways is taken, and what happens when one dies and comes back.

RFC 1122 3.3.1.4-5, RFC 816, RFC 4861 6.3.6, RFC 4191 3.2 and 3.5, RFC 8028 3; both families through
the same rules.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from stack import Stack
from stack.base import addr, status
from stack.base.units import MINUTE, SECOND
from stack.ip import gateways
from stack.link import neighbor
from stack.wire import ndp_options
from tap.memory import wire
from tests.harness import Host, World, quiet
from tests.harness.hub import Hub, HubPort
from tests.harness.segment import Segment, Station
from tests.tcp.users import joined

FAR = {addr.V4: addr.parse("192.0.2.1"), addr.V6: addr.parse("2001:db8:ffff::1")}


class Two:
    """A host with two default gateways, x the better one."""

    def __init__(self, world: World, family: int, **settings: object) -> None:
        self.world = world
        self.family = family
        self.far = FAR[family]
        self.segment = Segment(world, quiet(**settings))
        self.stack = self.segment.host.stack
        self.nic = self.segment.host.nic
        self.x, self.y = self.segment.station(8), self.segment.station(9)
        for metric, station in ((0, self.x), (10, self.y)):
            self.route(station, metric)

    def route(self, station: Station, metric: int, prefix: str = "", length: int = 0) -> None:
        any_ = "0.0.0.0" if self.family == addr.V4 else "::"
        gateway = addr.text(station.address(self.family))
        self.stack.add_route(prefix or any_, length, self.nic, gateway, metric)

    def sends(self, count: int = 1, far: bytes = b"") -> Station | None:
        """A packet to the other side; who got it."""
        for station in (self.x, self.y):
            station.heard.clear()
        for _ in range(count):
            assert self.segment.ping(far or self.far) == status.OK
        got = [s for s in (self.x, self.y) if s.heard]
        assert len(got) <= 1
        return got[0] if got else None

    def keeps_sending(self, seconds: int) -> list[Station | None]:
        """A packet every second, and who got each."""
        got = []
        for _ in range(seconds):
            got.append(self.sends())
            self.world.run(SECOND)
        return got


@pytest.fixture
def two(world: World, family: int) -> Two:
    return Two(world, family)


def test_the_better_one_is_used_while_it_answers(two: Two) -> None:
    assert set(two.keeps_sending(120)) == {two.x}
    assert two.y.asked == []


def test_a_gateway_that_never_answers_is_left_after_three_questions(two: Two) -> None:
    two.x.alive = False
    got = two.keeps_sending(5)
    assert got == [None, None, None, two.y, two.y]


def test_a_gateway_that_dies_is_left_within_the_time_of_the_rfc(two: Two) -> None:
    """REACHABLE ends after 45 s at most, DELAY takes 5 s, three probes 3 s (RFC 4861 10)."""
    assert two.sends() is two.x
    two.x.alive = False
    died = two.world.now
    while two.sends() is not two.y:
        assert two.world.now - died <= 54 * SECOND
        two.world.run(SECOND)
    assert two.world.now - died >= 15 * SECOND


def test_advice_from_above_hastens_it(two: Two) -> None:
    """RFC 1122 3.3.1.4: a transport that gets no answers says so; then it takes 8 s."""
    assert two.sends() is two.x
    two.x.alive = False
    path = two.stack.host.layer_of(two.far).path(two.far)
    assert path is not None
    path.doubt()
    got = two.keeps_sending(10)
    assert got.index(two.y) in (8, 9)
    assert not path.valid


def test_it_is_used_again_when_it_is_back(two: Two) -> None:
    """RFC 4191 3.5: asked for once a minute, not more often, and taken back when it answers."""
    two.x.alive = False
    assert two.keeps_sending(10)[-1] is two.y
    mark = "who-has 10.77.0.8" if two.family == addr.V4 else "> ff02::1:ff00:8"
    before = len(two.segment.questions(mark))
    two.keeps_sending(300)
    asked = two.segment.questions(mark)[before:]
    assert 4 <= len(asked) <= 6
    assert all(b - a >= gateways.CHECK_INTERVAL for a, b in pairwise(asked))
    two.x.alive = True
    got = two.keeps_sending(62)
    assert got[-1] is two.x
    assert got.index(two.x) <= 61
    assert set(got[got.index(two.x) :]) == {two.x}


def test_nobody_asks_for_it_without_traffic(two: Two) -> None:
    """RFC 4191 3.5: MUST NOT probe in the absence of useful traffic."""
    two.x.alive = False
    two.keeps_sending(10)
    two.world.run(2 * MINUTE)
    before = len(two.segment.log)
    two.world.run(30 * MINUTE)
    assert two.segment.log[before:] == []


def test_a_word_from_the_gateway_itself_brings_it_back(two: Two) -> None:
    two.x.alive = False
    assert two.keeps_sending(10)[-1] is two.y
    two.x.alive = True
    two.nic.neighbors.heard(two.x.address(two.family), two.x.mac, create=True)
    assert two.sends() is two.x


def test_if_all_are_dead_each_is_tried(two: Two) -> None:
    """RFC 4861 6.3.6: round robin; whoever comes back first is found."""
    two.x.alive = two.y.alive = False
    two.keeps_sending(30)
    two.y.alive = True
    got = two.keeps_sending(75)
    assert two.y in got
    two.x.alive = True
    got = two.keeps_sending(130)
    assert got[-1] is two.x


def test_a_single_gateway_is_not_given_up(world: World, family: int) -> None:
    """RFC 7048: there is no other way, so packets still go where it was."""
    two = Two(world, family)
    two.stack.remove_route(
        "0.0.0.0" if family == addr.V4 else "::", 0, two.nic, addr.text(two.y.address(family))
    )
    assert two.sends() is two.x
    entry = two.nic.neighbors.entries[two.x.address(family)]
    two.x.alive = False
    two.keeps_sending(90)
    assert entry.state == neighbor.UNREACHABLE
    two.x.alive = True
    assert two.sends() is two.x


def test_routes_by_hand_do_not_fall_back_to_a_shorter_prefix(two: Two) -> None:
    prefix = "192.0.2.0" if two.family == addr.V4 else "2001:db8:ffff::"
    station = two.segment.station(20)
    station.alive = False
    two.route(station, 0, prefix, 24 if two.family == addr.V4 else 48)
    assert two.keeps_sending(10) == [None] * 10


def test_an_interface_that_is_down_has_no_routes(two: Two) -> None:
    two.stack.set_link(two.nic, False)
    assert two.segment.ping(two.far) == status.NO_ROUTE
    two.stack.set_link(two.nic, True)
    assert two.sends() is two.x


def test_the_interfaces_metric_counts(two: Two) -> None:
    """It is added to that of every route over the interface."""
    port, _ = wire(b"\2\0\0\0\7\1", b"\2\0\0\0\7\2", offload=False)
    nic = two.stack.add_nic(port, "other")
    four = two.family == addr.V4
    two.stack.add_address(nic, "10.78.0.1" if four else "fd78::1", 24 if four else 64)
    gateway = "10.78.0.2" if four else "fd78::2"
    two.stack.add_route("0.0.0.0" if four else "::", 0, nic, gateway, metric=5)
    layer = two.stack.host.layer_of(two.far)
    for metric, expected in ((0, two.nic), (5, two.nic), (6, nic)):
        layer.interface(two.nic).metric = metric
        layer.invalidate()
        path = layer.path(two.far)
        assert path is not None
        assert path.nic is expected


def test_paths_are_chosen_anew_when_a_gateway_is_removed(two: Two) -> None:
    assert two.sends() is two.x
    any_ = "0.0.0.0" if two.family == addr.V4 else "::"
    assert two.stack.remove_route(any_, 0, two.nic, addr.text(two.x.address(two.family)))
    assert two.sends() is two.y


# Routers that advertise themselves (IPv6).


class Advertised:
    """Two routers of equal merit."""

    def __init__(self, world: World, lladdr: bool = True) -> None:
        self.world = world
        self.segment = Segment(world)
        self.stack = self.segment.host.stack
        self.x, self.y = self.segment.station(8), self.segment.station(9)
        for station in (self.x, self.y):
            station.advertises(lladdr=lladdr)

    def to(self, number: int) -> Station | None:
        for station in (self.x, self.y):
            station.heard.clear()
        self.segment.ping(addr.parse(f"2001:db8::{number:x}"))
        return next((s for s in (self.x, self.y) if s.heard), None)


def test_equal_routers_nobody_knows_are_tried_in_turn(world: World) -> None:
    """RFC 4861 6.3.6, second rule: not the same again until all have been."""
    scene = Advertised(world, lladdr=False)
    scene.x.alive = scene.y.alive = False
    for number in range(4):
        scene.to(number)
    marks = ("> ff02::1:ff00:8", "> ff02::1:ff00:9")
    assert [len(scene.segment.questions(mark)) for mark in marks] == [1, 1]
    neighbors = scene.segment.host.nic.neighbors.entries
    assert [len(neighbors[s.local].queue) for s in (scene.x, scene.y)] == [2, 2]


def test_a_router_that_may_answer_comes_before_an_unknown_one(world: World) -> None:
    """RFC 4861 6.3.6, first rule; and the one that would be better is asked for."""
    segment = Segment(world)
    x, y = segment.station(8), segment.station(9)
    x.advertises(lladdr=False, flags=8)  # high, but not in the neighbour cache
    x.alive = False
    y.advertises()
    far = FAR[addr.V6]
    segment.ping(far)
    assert len(y.heard) == 1
    assert len(segment.questions("> ff02::1:ff00:8")) == 1
    x.alive = True
    world.run(2 * MINUTE)
    segment.ping(far)
    world.run(SECOND)
    segment.ping(far)
    assert len(x.heard) >= 1


def test_a_more_specific_route_through_a_dead_router_falls_back(world: World) -> None:
    """RFC 4191 3.2: the next best route is consulted, and back when the router is."""
    segment = Segment(world)
    x, y = segment.station(8), segment.station(9)
    info = ndp_options.RouteInfo(48, 0, 1800, addr.parse("2001:db8:ffff::"))
    x.advertises(lifetime=0, options=ndp_options.route(info))
    y.advertises()
    far = FAR[addr.V6]
    segment.ping(far)
    assert (len(x.heard), len(y.heard)) == (1, 0)
    x.alive = False
    for _ in range(60):
        world.run(SECOND)
        segment.ping(far)
    assert y.heard
    x.alive = True
    x.heard.clear()
    for _ in range(62):
        world.run(SECOND)
        segment.ping(far)
    assert x.heard


def test_the_router_that_gave_the_source_its_prefix_is_preferred(world: World) -> None:
    """RFC 8028 3.2, by the source that the sender chose; without one the metric decides."""
    segment = Segment(world)
    x, y = segment.station(8), segment.station(9)
    for station, text in ((x, "2001:db8:8::"), (y, "2001:db8:9::")):
        info = ndp_options.PrefixInfo(64, 0x40, 1800, 1800, addr.parse(text))
        station.advertises(options=ndp_options.prefix(info), flags=8 if station is x else 0)
        segment.host.stack.add_address(segment.host.nic, text + "1", 64)
    layer = segment.host.stack.v6
    far = FAR[addr.V6]
    for source, station in (("2001:db8:8::1", x), ("2001:db8:9::1", y), ("fd77::1", x)):
        path = layer.path(far, addr.parse(source))
        assert path is not None
        assert path.neighbor.address == station.local
    path = layer.path(far)
    assert path is not None
    assert path.neighbor.address == x.local
    nic = segment.host.nic
    table = segment.host.stack.host.gateways
    assert table.get(nic, x.local).advertised(addr.parse("2001:db8:8::77"))
    assert not table.get(nic, x.local).advertised(addr.parse("2001:db8:9::77"))
    assert not table.get(nic, addr.parse("fe80::99")).advertised(far)


# Connections.


class Redundant:
    """near -- [link 1] -- routers x and y -- [link 2] -- far, all of them stacks."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.links = (Hub(), Hub())
        self.x, self.y = (self._router(n) for n in (8, 9))
        self.near, self.far = (self._end(n) for n in (1, 2))

    def _router(self, number: int) -> list[HubPort]:
        stack = Stack(self.world.env, quiet(forwarding=True))
        ports = []
        for network, link in enumerate(self.links, 1):
            port = link.port(bytes((2, 0, 0, network, 0, number)))
            self._attach(stack, port, network, number)
            ports.append(port)
        return ports

    def _end(self, network: int) -> Host:
        stack = Stack(self.world.env, quiet(tcp_rto_max=10 * SECOND))
        host = self._attach(
            stack, self.links[network - 1].port(bytes((2, 0, 0, network, 0, 1))), network, 1
        )
        for metric, number in ((0, 8), (1, 9)):
            stack.add_route("0.0.0.0", 0, host.nic, f"10.{network}.0.{number}", metric)
            stack.add_route("::", 0, host.nic, f"fd00:{network}::{number}", metric)
        return host

    def _attach(self, stack: Stack, port: HubPort, network: int, number: int) -> Host:
        nic = stack.add_nic(port, f"net{network}")
        host = Host(stack, nic, port)
        host.v4 = addr.parse(f"10.{network}.0.{number}")
        host.v6 = addr.parse(f"fd00:{network}::{number}")
        stack.add_address(nic, addr.text(host.v4), 24)
        stack.add_address(nic, addr.text(host.v6), 64)
        self.world.loop.add(stack, nic, port)
        return host

    def plug(self, router: list[HubPort], plugged: bool) -> None:
        """A router's both cables."""
        for port in router:
            port.plugged = plugged


def test_a_connection_goes_on_over_the_other_router_and_back(world: World, family: int) -> None:
    """RFC 1122 3.3.1.4: the connection never learns of it; nothing is lost or doubled."""
    scene = Redundant(world)
    user, server = joined(world, scene.near, scene.far, family)
    sent = b""

    def talk(seconds: int) -> bool:
        nonlocal sent
        before = len(server.data)
        for number in range(seconds):
            part = bytes((number & 0xFF,)) * 3000
            user.send(part)
            sent += part
            world.run(SECOND)
        return len(server.data) > before

    assert talk(5)
    scene.plug(scene.x, False)
    talk(60)
    assert talk(5)  # over y
    scene.plug(scene.x, True)
    assert talk(70)
    scene.plug(scene.y, False)
    assert talk(10)  # x has been taken back before y went
    world.run(MINUTE)
    assert server.data == sent
    assert user.final == ""


def test_a_forwarder_takes_the_other_gateway_too(world: World, family: int) -> None:
    """What is not ours goes by the same rules."""
    two = Two(world, family, forwarding=True)
    station = two.segment.station(30)
    got: list[Station | None] = []
    two.x.alive = False
    for _ in range(8):
        two.y.heard.clear()
        if family == addr.V4:
            station.packet4(253, b"data", addr.parse("198.51.100.1"), two.far)
        else:
            station.packet6(253, b"datadata", addr.parse("2001:db8::1"), two.far, hops=9)
        world.run(SECOND)
        got.append(two.y if two.y.heard else None)
    assert got[0] is None
    assert got[-1] is two.y
