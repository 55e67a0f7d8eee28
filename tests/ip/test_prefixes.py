# SPDX-License-Identifier: MIT
"""Prefixes, name servers, another link, bounds and judges of router advertisements (RFC 4861
6.3.4-5, RFC 5942, RFC 8106)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet6 import (
    ICMPv6ND_RA,
    ICMPv6NDOptDNSSL,
    ICMPv6NDOptMTU,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptRDNSS,
    ICMPv6NDOptRouteInfo,
    ICMPv6NDOptSrcLLAddr,
    ICMPv6NDOptUnknown,
    IPv6,
)

from stack.base import addr
from stack.base.lifetimes import INFINITY
from stack.base.timers import NEVER
from stack.base.units import SECOND
from stack.ip.routes import ADVERTISED, CONNECTED
from stack.wire import ethernet, ndp, ndp_options
from stack.wire.ndp_options import PrefixInfo
from tests.harness import World
from tests.ip.advertised import (
    FAR,
    NET,
    Listener,
    Scene,
    prefix,
    route,
    servers,
)


@pytest.fixture
def scene(world: World) -> Scene:
    return Scene(world)


# Prefixes.


def test_prefixes_on_the_link(scene: Scene) -> None:
    """ND-12: for the valid lifetime, not longer."""
    near = addr.parse("2001:db8:1::5")
    scene.x.advertises(options=prefix(100))
    assert scene.on_link()
    scene.segment.ping(near)
    assert scene.segment.questions("> ff02::1:ff00:5") == [scene.world.now]
    scene.world.run(100 * SECOND)
    assert not scene.on_link()
    scene.segment.ping(near)
    assert scene.x.heard[-1].pkt.dst == near


def test_nothing_is_on_the_link_that_nobody_said_so_of(scene: Scene) -> None:
    """RFC 5942 4: an address of our own says nothing about its prefix, nor does L=0."""
    scene.stack.v6.add_address(scene.nic, NET[:15] + b"\1", 64, on_link=False)
    scene.x.advertises(options=prefix(flags=0x40))
    assert not scene.on_link()
    scene.segment.ping(NET[:15] + b"\5")
    assert scene.x.heard


def test_l_clear_takes_nothing_back(scene: Scene) -> None:
    scene.x.advertises(options=prefix())
    scene.x.advertises(options=prefix(0, flags=0))
    assert scene.on_link()


def test_a_lifetime_of_zero_takes_a_prefix_back_at_once(scene: Scene) -> None:
    scene.x.advertises(options=prefix(INFINITY))
    scene.world.run(100 * 86400 * SECOND)
    assert scene.on_link()
    assert scene.stack.routers.prefixes() == [(scene.nic, NET, 64, NEVER)]
    scene.y.advertises(options=prefix(0))
    assert not scene.on_link()


@pytest.mark.parametrize(("text", "length"), [("fe80::", 10), ("fe80::", 64), ("ff02::", 16)])
def test_prefixes_that_are_ignored(scene: Scene, text: str, length: int) -> None:
    before = len(scene.stack.host.routes.all())
    scene.x.advertises(lifetime=0, options=prefix(text=text, length=length))
    assert len(scene.stack.host.routes.all()) == before
    assert scene.drops() == {}


def test_bits_beyond_the_length_do_not_matter(scene: Scene) -> None:
    scene.x.advertises(options=prefix(text="2001:db8:1::ffff"))
    assert scene.on_link()
    scene.x.advertises(options=prefix(0, text="2001:db8:1::1"))
    assert not scene.on_link()


def test_a_prefix_by_hand_outlives_the_advertised_one(scene: Scene) -> None:
    scene.stack.add_address(scene.nic, "2001:db8:1::1", 64)
    scene.x.advertises(options=prefix(10))
    scene.world.run(10 * SECOND)
    assert not scene.on_link()
    route = scene.stack.host.routes.lookup(NET[:15] + b"\5")
    assert route is not None
    assert route.origin == CONNECTED


def test_listeners_hear_of_prefixes_and_flags(scene: Scene) -> None:
    listener = Listener()
    scene.stack.host.prefix_listeners.append(listener)
    options = b"".join(
        (
            prefix(100, 0xC0),
            prefix(0, 0x40),
            prefix(text="fe80::"),
            ndp_options.prefix(PrefixInfo(56, 0, INFINITY, 7, NET)),
        )
    )
    scene.x.advertises(flags=0x80, options=options)
    scene.y.advertises(flags=0x40)
    scene.y.advertises(flags=0)
    net = "2001:db8:1::"
    assert listener.told == [
        (net, 64, 100 * SECOND, 100 * SECOND, True, True, "fe80::8"),
        (net, 64, 0, 0, True, False, "fe80::8"),
        (net, 56, NEVER, 7 * SECOND, False, False, "fe80::8"),
        (True, False),
        (False, True),
        (False, False),
    ]


# Name servers (RFC 8106).


def test_name_servers_and_search_lists(scene: Scene) -> None:
    table = scene.stack.host.name_servers
    index = scene.nic.index
    scene.x.advertises(
        options=servers(60, "2001:db8::53", "fe80::53")
        + ndp_options.domains(90, ("example.com", "example.org"))
    )
    scene.y.advertises(options=servers(120, "2001:db8::35"))
    a, b, c = (addr.parse(t) for t in ("2001:db8::53", "fe80::53", "2001:db8::35"))
    assert table.servers() == [(a, 0), (b, index), (c, 0)]
    assert table.search() == ["example.com", "example.org"]
    scene.world.run(60 * SECOND)
    assert table.servers() == [(c, 0)]
    assert table.search() == ["example.com", "example.org"]
    scene.world.run(30 * SECOND)
    assert table.search() == []
    scene.world.run(30 * SECOND)
    assert table.servers() == []


def test_a_lifetime_of_zero_takes_one_name_server_back(scene: Scene) -> None:
    table = scene.stack.host.name_servers
    scene.x.advertises(options=servers(INFINITY, "2001:db8::53", "2001:db8::54"))
    scene.y.advertises(options=servers(100, "2001:db8::53"))
    scene.x.advertises(options=servers(0, "2001:db8::53") + ndp_options.domains(0, ("a.b",)))
    assert {addr.text(s) for s, _ in table.servers()} == {"2001:db8::53", "2001:db8::54"}
    scene.y.advertises(options=servers(0, "2001:db8::53"))
    assert table.servers() == [(addr.parse("2001:db8::54"), 0)]
    scene.world.run(400 * 86400 * SECOND)
    assert table.servers() == [(addr.parse("2001:db8::54"), 0)]


def test_impossible_name_servers_are_left_out(scene: Scene) -> None:
    scene.x.advertises(options=servers(60, "ff02::53", "::"))
    assert scene.stack.host.name_servers.servers() == []


# The link.


def test_another_link_has_other_routers(scene: Scene) -> None:
    options = prefix() + route("2001:db8:5::", 48) + servers(60, "2001:db8::53")
    scene.x.advertises(
        hops=33, reachable=9000, retrans=9000, options=options + ndp_options.mtu(1400)
    )
    scene.stack.set_link(scene.nic, False)
    assert scene.defaults() == []
    assert not scene.on_link()
    assert scene.stack.routers.listing() == []
    assert scene.stack.routers.prefixes() == []
    assert scene.stack.host.name_servers.servers() == []
    assert (scene.interface.hop_limit, scene.interface.mtu) == (64, 1500)
    assert (scene.interface.reachable_time, scene.interface.retrans_timer) == (30 * SECOND, SECOND)
    assert not any(t.armed for t in scene.stack.timers.armed() if t.owner is scene.stack.routers)
    scene.stack.set_link(scene.nic, True)
    scene.x.advertises()
    assert scene.defaults() == ["fe80::8"]


# Bounds.


def test_a_flood_of_routers_is_bounded(world: World) -> None:
    """The first to come stay, and what they say anew is heeded all the while."""
    scene = Scene(world, ra_router_limit=4)
    scene.x.advertises()
    for number in range(20, 220):
        scene.segment.station(number).advertises(
            options=prefix(text=f"2001:db8:{number}::") + servers(60, f"2001:db8::{number}")
        )
    assert len(scene.stack.routers.listing()) == 4
    assert len(scene.defaults()) == 4
    assert scene.drops() == {"ra_too_many_routers": 197}
    assert len(scene.stack.routers.prefixes()) == 3
    assert len(scene.stack.host.name_servers.servers()) == 3
    scene.x.advertises(lifetime=0)
    scene.y.advertises()
    assert "fe80::9" in scene.defaults()


def test_a_flood_of_prefixes_and_routes_is_bounded(world: World) -> None:
    scene = Scene(world, ra_prefix_limit=8, ra_route_limit=8)
    routes = len(scene.stack.host.routes.all())
    for start in range(0, 200, 20):
        scene.x.advertises(
            options=b"".join(
                prefix(flags=0xC0, text=f"2001:db8:{n}::") + route(f"2001:db8:9:{n}::", 64)
                for n in range(start, start + 20)
            )
        )
    assert len(scene.stack.host.routes.all()) - routes == 17
    (router,) = scene.stack.routers.listing()
    assert (len(router.routes), len(router.prefixes)) == (9, 8)
    assert scene.drops() == {"ra_too_many_prefixes": 10}
    scene.y.advertises(options=route("2001:db8:77::", 64))
    assert scene.drops() == {"ra_too_many_prefixes": 10, "ra_too_many_routes": 1}
    # Whatever one has filled, another can be a default router (RFC 4861 6.3.4: two at least).
    assert scene.defaults() == ["fe80::8", "fe80::9"]


def test_a_flood_of_those_who_are_no_routers_leaves_room_for_neighbours(world: World) -> None:
    """RFC 4861 6.3.4 wants IsRouter set in the entries of all of them; none is a gateway."""
    scene = Scene(world, ra_prefix_limit=1, ra_route_limit=1, neighbor_limit=16)
    scene.x.advertises(options=prefix() + route("2001:db8:7::", 48))
    for number in range(20, 80):
        scene.segment.station(number).advertises(lifetime=0, options=route("2001:db8:8::", 48))
    neighbors = scene.nic.neighbors.entries
    assert len(neighbors) == 16
    assert neighbors[scene.segment.stations[-1].local].is_router
    assert scene.x.local in neighbors
    other = scene.segment.station(90)
    scene.segment.ping(other.v6)
    assert other.heard


def test_the_true_router_finds_room_when_invented_ones_do_not_answer(world: World) -> None:
    """As after `flood_router26`: those that filled the table give way once they were tried."""
    scene = Scene(world, ra_router_limit=2, neighbor_limit=16)
    for number in (20, 21):
        scene.segment.station(number).advertises(lifetime=9000, options=prefix(text="2001:db8:9::"))
        scene.segment.stations[-1].alive = False
    scene.x.advertises()
    assert scene.drops() == {"ra_too_many_routers": 1}
    for _ in range(12):
        scene.segment.ping(FAR)
        world.run(SECOND)
    scene.y.advertises(lifetime=0, options=servers(60, "2001:db8::53"))
    assert scene.drops() == {"ra_too_many_routers": 2}  # one that is no default router waits
    scene.x.advertises()
    assert "fe80::8" in scene.defaults()
    assert len(scene.stack.routers.listing()) == 2
    for _ in range(12):
        scene.segment.ping(FAR)
        world.run(SECOND)
    scene.x.heard.clear()
    scene.segment.ping(FAR)
    assert scene.x.heard
    scene.y.advertises()
    assert scene.defaults() == ["fe80::8", "fe80::9"]  # that the first answers protects it
    scene.segment.station(30).advertises()
    assert scene.defaults() == ["fe80::8", "fe80::9"]


def test_prefixes_of_routers_that_are_dead_make_room(world: World) -> None:
    scene = Scene(world, slaac=True, slaac_limit=2, temporary_addresses=False)
    texts = ("2001:db8:1::", "2001:db8:2::", "2001:db8:3::", "2001:db8:4::")
    ours = scene.stack.v6.addresses.all
    first, second, third, fourth = (prefix(valid=9000, flags=0xC0, text=text) for text in texts)

    def has(text: str) -> bool:
        return any(address[:8] == addr.parse(text)[:8] for address in ours)

    scene.x.advertises(options=first + second + third)
    scene.y.advertises(options=third + fourth)
    assert [has(text) for text in texts] == [True, True, False, False]
    scene.x.alive = False
    for _ in range(12):
        scene.segment.ping(FAR)
        world.run(SECOND)
    scene.y.advertises(options=second + third)
    assert [has(text) for text in texts] == [False, True, True, False]
    scene.y.advertises(options=fourth)
    assert [has(text) for text in texts] == [False, True, True, False]


def test_a_flood_of_name_servers_is_bounded(scene: Scene) -> None:
    for start in range(0, 100, 10):
        scene.x.advertises(
            options=servers(60, *(f"2001:db8::{n:x}" for n in range(start, start + 10)))
            + ndp_options.domains(60, tuple(f"d{n}.example" for n in range(start, start + 10)))
        )
    table = scene.stack.host.name_servers
    assert (len(table.servers()), len(table.search())) == (8, 16)


# Judges.


def test_what_scapy_advertises(scene: Scene) -> None:
    """Every option, built by somebody else."""
    listener = Listener()
    scene.stack.host.prefix_listeners.append(listener)
    packet = (
        IPv6(src="fe80::8", dst="ff02::1", hlim=255)
        / ICMPv6ND_RA(
            chlim=77, M=1, O=0, prf=1, routerlifetime=600, reachabletime=0, retranstimer=0
        )
        / ICMPv6NDOptSrcLLAddr(lladdr=addr.mac_text(scene.x.mac))
        / ICMPv6NDOptMTU(mtu=1300)
        / ICMPv6NDOptPrefixInfo(
            prefix="2001:db8:1::", prefixlen=64, L=1, A=1, validlifetime=100, preferredlifetime=50
        )
        / ICMPv6NDOptRouteInfo(prefix="2001:db8:5::", plen=48, prf=3, rtlifetime=200)
        / ICMPv6NDOptRDNSS(dns=["2001:db8::53", "2001:db8::54"], lifetime=300)
        / ICMPv6NDOptDNSSL(searchlist=["example.com", "sub.example.org"], lifetime=400)
        / ICMPv6NDOptUnknown(type=222, len=2, data=bytes(14))
    )
    scene.x.frame(ethernet.TYPE_IPV6, bytes(packet), addr.multicast_mac(addr.ALL_NODES))
    scene.world.run(0)
    assert scene.drops() == {}
    (router,) = scene.stack.routers.listing()
    assert router.default_until == scene.world.now + 600 * SECOND
    assert router.preference == ndp.HIGH
    assert router.routes[addr.parse("2001:db8:5::"), 48] == (
        scene.world.now + 200 * SECOND,
        ndp.LOW,
    )
    assert (scene.interface.hop_limit, scene.interface.mtu) == (77, 1300)
    assert scene.on_link()
    table = scene.stack.host.name_servers
    assert [addr.text(s) for s, _ in table.servers()] == ["2001:db8::53", "2001:db8::54"]
    assert table.search() == ["example.com", "sub.example.org"]
    assert listener.told == [
        ("2001:db8:1::", 64, 100 * SECOND, 50 * SECOND, True, True, "fe80::8"),
        (True, False),
    ]
    assert scene.nic.neighbors.entries[scene.x.local].lladdr == scene.x.mac


_OPTIONS = st.one_of(
    st.builds(
        lambda v, f, n, length: prefix(v, f, f"2001:db8:{n}::", length),
        st.sampled_from([0, 1, 100, INFINITY]),
        st.sampled_from([0, 0x40, 0x80, 0xC0]),
        st.integers(0, 30),
        st.integers(0, 128),
    ),
    st.builds(
        lambda n, length, life, pref: route(f"2001:db8:{n}::", length, life, pref),
        st.integers(0, 30),
        st.integers(0, 128),
        st.sampled_from([0, 1, 100, INFINITY]),
        st.integers(0, 3),
    ),
    st.builds(
        lambda life, n: servers(life, f"2001:db8::{n:x}"),
        st.sampled_from([0, 1, 100, INFINITY]),
        st.integers(0, 30),
    ),
    st.binary(min_size=6, max_size=6).map(lambda data: bytes((1, 1)) + data),
    st.binary(min_size=8, max_size=8),
)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.sampled_from([0, 1, 50, 65535]),
            st.integers(0, 255),
            st.lists(_OPTIONS, max_size=6),
            st.integers(0, 40),
        ),
        max_size=20,
    )
)
def test_whatever_is_advertised_what_is_left_ends(
    said: list[tuple[int, int, int, list[bytes], int]],
) -> None:
    """Any advertisements: every advertised route belongs to a record, and goes with it."""
    scene = Scene(World(), ra_router_limit=2, ra_prefix_limit=4, ra_route_limit=4)
    stations = [scene.segment.station(number) for number in range(40, 44)]
    for which, lifetime, flags, options, pause in said:
        stations[which].advertises(lifetime, flags=flags, options=b"".join(options))
        scene.world.run(pause * SECOND)
        routers = scene.stack.routers.listing()
        held = {(*p, r.address) for r in routers for p in r.routes}
        held |= {(p, length, b"") for _, p, length, _ in scene.stack.routers.prefixes()}
        table = [r for r in scene.stack.host.routes.all() if r.origin == ADVERTISED]
        assert {(r.prefix, r.length, r.gateway) for r in table} == held
        assert len(table) == len(held) <= 8
        assert len(routers) <= 2
    scene.stack.set_link(scene.nic, False)
    assert not any(r.origin == ADVERTISED for r in scene.stack.host.routes.all())
    assert scene.stack.routers.listing() == []
