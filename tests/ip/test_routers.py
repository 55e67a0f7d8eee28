# SPDX-License-Identifier: MIT
"""Router advertisements: validation, parameters, default routers, more specific routes (RFC 4861
6.1.2, 6.3.4-5, RFC 4191)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from stack.base import addr, status
from stack.base.lifetimes import INFINITY
from stack.base.units import MS, SECOND
from stack.link import neighbor
from stack.wire import ethernet, ipv6, ndp, ndp_options
from tests.harness import Peer, World, quiet
from tests.harness.segment import Station
from tests.ip.advertised import (
    FAR,
    HIGH,
    LOW,
    RESERVED,
    Scene,
    prefix,
    route,
)
from tests.tcp.users import serve


@pytest.fixture
def scene(world: World) -> Scene:
    return Scene(world)


# Validation (RFC 4861 6.1.2).


def advertisement(station: Station, **how: Any) -> None:
    src = how.pop("src", station.local)
    dst = how.pop("dst", addr.ALL_NODES)
    hops = how.pop("hops", 255)
    code = how.pop("code", 0)
    cut = how.pop("cut", None)
    check = how.pop("check", True)
    atomic = how.pop("atomic", False)
    body = ndp.build_advertisement(134, 64, 0, 1800, options=how.pop("options", b""))
    body = body[:1] + bytes((code,)) + body[2:cut]
    body = Peer.checked(58, body, 2, src, dst)
    if not check:
        body = body[:2] + bytes((body[2] ^ 1,)) + body[3:]
    proto = 58
    if atomic:
        body, proto = bytes((58, 0, 0, 0, 0, 0, 0, 9)) + body, 44
    packet = ipv6.build(0, 0, len(body), proto, hops, src, dst) + body
    station.frame(ethernet.TYPE_IPV6, packet, addr.multicast_mac(addr.ALL_NODES))
    station.segment.world.run(0)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"src": addr.parse("fd77::8")}, "ndp_source"),
        ({"src": addr.parse("2001:db8::8")}, "ndp_source"),
        ({"src": addr.ANY6}, "ndp_source"),
        ({"hops": 254}, "ndp_hop_limit"),
        ({"hops": 1}, "ndp_hop_limit"),
        ({"check": False}, "icmp_checksum"),
        ({"code": 1}, "ndp_malformed"),
        ({"cut": 15}, "ndp_malformed"),
        ({"options": bytes((1, 0)) + bytes(6)}, "ndp_malformed"),
        ({"options": bytes((1, 2)) + bytes(6)}, "ndp_malformed"),
        ({"options": bytes(4)}, "ndp_malformed"),
        ({"options": bytes((200, 1, 0, 0, 0, 0, 0, 0)) * 129}, "ndp_malformed"),
        ({"atomic": True}, "icmp_fragmented"),
    ],
)
def test_invalid_advertisements_change_nothing(
    scene: Scene, how: dict[str, object], reason: str
) -> None:
    advertisement(scene.x, **how)
    assert scene.drops() == {reason: 1}
    assert scene.defaults() == []
    assert scene.stack.routers.listing() == []
    assert scene.nic.neighbors.entries == {}


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"dst": addr.parse("fd77::1")},
        {"options": bytes((200, 3)) + bytes(22)},
        {"options": bytes((26, 1)) + b"\xff" * 6},  # flags extension, RFC 5175
        {"options": bytes((3, 1)) + bytes(6)},  # a prefix information option of the wrong size
        {"options": bytes((200, 1, 0, 0, 0, 0, 0, 0)) * 128},
    ],
)
def test_valid_ones_whatever_else_is_in_them(scene: Scene, how: dict[str, object]) -> None:
    advertisement(scene.x, **how)
    assert scene.drops() == {}
    assert scene.defaults() == ["fe80::8"]


def test_hosts_drop_solicitations_of_routers(scene: Scene) -> None:
    """ND-7."""
    scene.x.packet6(58, ndp.build_solicitation(133, scene.x.mac), scene.x.local, addr.ALL_NODES)
    scene.world.run(0)
    assert scene.drops() == {"ndp_not_for_hosts": 1}


@pytest.mark.parametrize("forwarding", [False, True])
@pytest.mark.parametrize("forced", [False, True])
def test_who_forwards_heeds_none_unless_told_to(
    world: World, forwarding: bool, forced: bool
) -> None:
    scene = Scene(world)
    scene.interface.forwarding = forwarding
    scene.interface.accept_ra_forwarding = forced
    scene.x.advertises()
    heeded = forced or not forwarding
    assert scene.defaults() == (["fe80::8"] if heeded else [])
    assert scene.drops() == ({} if heeded else {"ra_refused": 1})


def test_it_can_be_switched_off(world: World) -> None:
    scene = Scene(world, accept_ra=False)
    scene.x.advertises()
    assert scene.drops() == {"ra_refused": 1}
    scene.interface.accept_ra = True
    scene.x.advertises()
    assert scene.defaults() == ["fe80::8"]


# Parameters.


def test_parameters_are_adopted_and_unspecified_ones_left(scene: Scene) -> None:
    """ND-9, ND-10."""
    scene.x.advertises(hops=33, reachable=20_000, retrans=500, options=ndp_options.mtu(1400))
    interface = scene.interface
    assert interface.hop_limit == 33
    assert interface.reachable_time == 20 * SECOND
    assert interface.retrans_timer == 500 * MS
    assert interface.mtu == 1400
    scene.y.advertises()
    assert (interface.hop_limit, interface.mtu) == (33, 1400)
    assert (interface.reachable_time, interface.retrans_timer) == (20 * SECOND, 500 * MS)


def test_the_hop_limit_is_that_of_what_is_sent(scene: Scene) -> None:
    scene.x.advertises(hops=33)
    scene.segment.ping(FAR)
    assert scene.x.heard[-1].pkt.ttl == 33
    scene.x.advertises(hops=44)
    scene.segment.ping(FAR)
    assert scene.x.heard[-1].pkt.ttl == 44


@pytest.mark.parametrize(
    ("said", "taken"), [(1279, 1500), (1280, 1280), (1500, 1500), (1501, 1500), (0xFFFFFFFF, 1500)]
)
def test_the_mtu_is_taken_within_bounds(scene: Scene, said: int, taken: int) -> None:
    scene.x.advertises(options=ndp_options.mtu(said))
    assert scene.interface.mtu == taken
    path = scene.stack.v6.path(FAR)
    assert path is not None
    assert path.mtu == taken
    assert scene.stack.v4.interface(scene.nic).mtu == 1500


def test_a_connection_follows_the_mtu(world: World) -> None:
    """The next segment is as small as the router wants it; the peer's MSS was larger."""
    host, peer = world.host(quiet(tcp_timestamps=False))
    peer.family = addr.V6
    acceptor = serve(host)
    peer.handshake(mss=1440)
    router = addr.parse("fe80::8")
    body = ndp.build_advertisement(134, 0, 0, 0, options=ndp_options.mtu(1300))
    body = Peer.checked(58, body, 2, router, addr.ALL_NODES)
    packet = peer.packet_bytes(58, body, src=router, dst=addr.ALL_NODES, ttl=255)
    peer.frame(*packet, addr.multicast_mac(addr.ALL_NODES))
    world.run(0)
    acceptor.users[0].send(bytes(3000))
    world.run(0)
    first = peer.next_tcp()
    assert first is not None
    assert len(first.data) == 1300 - 60


@pytest.mark.parametrize(
    ("reachable", "retrans", "times"),
    [
        (1, 1, (SECOND, 100 * MS)),
        (0xFFFFFFFF, 0xFFFFFFFF, (3600 * SECOND, 60 * SECOND)),
    ],
)
def test_times_out_of_reason_are_bounded(
    scene: Scene, reachable: int, retrans: int, times: tuple[int, int]
) -> None:
    scene.x.advertises(reachable=reachable, retrans=retrans)
    assert (scene.interface.reachable_time, scene.interface.retrans_timer) == times


def test_reachability_lasts_half_to_one_and_a_half_of_what_was_said(scene: Scene) -> None:
    """RFC 4861 6.3.2, 6.3.4, and another time for each confirmation; IPv4 is not concerned."""
    scene.x.advertises(reachable=100_000)
    spans = set()
    for _ in range(30):
        scene.segment.ping(scene.y.v6)
        entry = scene.nic.neighbors.entries[scene.y.v6]
        scene.nic.neighbors.reached(entry)
        spans.add(entry.timer.deadline - scene.world.now)
        scene.world.run(SECOND)
    assert 50 * SECOND <= min(spans) < 75 * SECOND < max(spans) < 150 * SECOND
    assert len(spans) == 30
    scene.segment.ping(scene.y.v4)
    entry = scene.nic.neighbors.entries[scene.y.v4]
    assert entry.timer.deadline - scene.world.now <= 45 * SECOND


def test_solicitations_are_as_far_apart_as_was_said(scene: Scene) -> None:
    scene.x.advertises(retrans=2500)
    scene.y.alive = False
    scene.segment.ping(scene.y.v6)
    scene.world.run(20 * SECOND)
    asked = scene.segment.questions("> ff02::1:ff00:9")
    assert [b - a for a, b in pairwise(asked)] == [2500 * MS] * 2


# The router as a neighbour.


def test_the_router_becomes_a_stale_neighbour(scene: Scene) -> None:
    """ND-11."""
    scene.x.advertises()
    entry = scene.nic.neighbors.entries[scene.x.local]
    assert (entry.state, entry.lladdr) == (neighbor.STALE, scene.x.mac)
    assert entry.is_router
    scene.segment.ping(FAR)
    scene.world.run(6 * SECOND)
    assert entry.state == neighbor.REACHABLE
    scene.x.advertises()
    assert entry.state == neighbor.REACHABLE
    scene.x.mac = b"\2\0\0\0\0\x77"
    scene.x.advertises()
    assert (entry.state, entry.lladdr) == (neighbor.STALE, b"\2\0\0\0\0\x77")


def test_an_advertisement_confirms_no_reachability(scene: Scene) -> None:
    """ND-22."""
    scene.x.advertises()
    scene.x.advertises()
    assert scene.nic.neighbors.entries[scene.x.local].state == neighbor.STALE


@pytest.mark.parametrize("lladdr", [b"\xff" * 6, b"\1\0\x5e\0\0\1", bytes.fromhex("020000000001")])
def test_impossible_link_layer_addresses_are_ignored(scene: Scene, lladdr: bytes) -> None:
    """Of groups, and our own."""
    scene.x.advertises(lladdr=False, options=bytes((1, 1)) + lladdr)
    assert scene.nic.neighbors.entries == {}
    assert scene.defaults() == ["fe80::8"]


# Default routers.


def test_a_default_router_lasts_as_long_as_it_says(scene: Scene) -> None:
    scene.x.advertises(lifetime=30)
    assert scene.segment.ping(FAR) == status.OK
    scene.world.run(29 * SECOND)
    scene.x.advertises(lifetime=30)  # again
    scene.world.run(29 * SECOND + SECOND - 1)
    assert scene.defaults() == ["fe80::8"]
    scene.world.run(1)
    assert scene.defaults() == []
    assert scene.segment.ping(FAR) == status.NO_ROUTE
    assert scene.stack.routers.listing() == []


def test_a_lifetime_of_zero_ends_it_at_once_and_paths_go_elsewhere(scene: Scene) -> None:
    """ND-9, ND-13."""
    scene.x.advertises()
    scene.y.advertises(flags=LOW)
    scene.segment.ping(FAR)
    assert scene.x.heard
    path = scene.stack.v6.path(FAR)
    assert path is not None
    scene.x.advertises(lifetime=0)
    assert not path.valid
    assert scene.defaults() == ["fe80::9"]
    scene.segment.ping(FAR)
    assert scene.y.heard


def test_repetitions_leave_paths_alone(scene: Scene) -> None:
    options = prefix() + route("2001:db8:5::", 48) + ndp_options.mtu(1400)
    scene.x.advertises(options=options, hops=5)
    path = scene.stack.v6.path(FAR)
    scene.world.run(10 * SECOND)
    scene.x.advertises(options=options, hops=5)
    assert path is not None
    assert path.valid


@pytest.mark.parametrize(
    ("of_x", "of_y", "best"),
    [
        (HIGH, 0, "fe80::8"),
        (0, HIGH, "fe80::9"),
        (LOW, 0, "fe80::9"),
        (0, LOW, "fe80::8"),
        (LOW, HIGH, "fe80::9"),
        (RESERVED, LOW, "fe80::8"),  # the reserved value counts as medium
        (RESERVED, HIGH, "fe80::9"),
    ],
)
def test_preferences(scene: Scene, of_x: int, of_y: int, best: str) -> None:
    """RFC 4191 2.2."""
    scene.x.advertises(flags=of_x)
    scene.y.advertises(flags=of_y)
    assert scene.defaults()[0] == best


def test_a_changed_preference_counts_at_once(scene: Scene) -> None:
    scene.x.advertises()
    scene.y.advertises(flags=LOW)
    path = scene.stack.v6.path(FAR)
    scene.y.advertises(flags=HIGH)
    assert path is not None
    assert not path.valid
    assert scene.defaults() == ["fe80::9", "fe80::8"]


def test_a_route_by_hand_comes_first(scene: Scene) -> None:
    scene.x.advertises(flags=HIGH)
    scene.stack.add_route("::", 0, scene.nic, "fe80::9")
    assert scene.defaults() == ["fe80::9", "fe80::8"]
    scene.x.advertises(lifetime=0)
    assert scene.defaults() == ["fe80::9"]


def test_the_same_gateway_by_hand_and_by_advertisement(scene: Scene) -> None:
    """What is configured stays when the advertisement ends."""
    scene.stack.add_route("::", 0, scene.nic, "fe80::8")
    scene.x.advertises(lifetime=5)
    scene.world.run(6 * SECOND)
    assert scene.defaults() == ["fe80::8"]


def test_a_neighbour_that_is_no_router_any_more(scene: Scene) -> None:
    """RFC 4861 7.2.5: the router flag falls, and with it its routes; what else it said stays."""
    scene.x.advertises(options=prefix() + route("2001:db8:5::", 48))
    scene.y.advertises(flags=LOW)
    assert scene.segment.ping(FAR) == status.OK
    flags = ndp.FLAG_OVERRIDE
    scene.x.neighbor_advertisement(scene.x.local, flags | ndp.FLAG_ROUTER)
    scene.world.run(0)
    assert scene.defaults()[0] == "fe80::8"
    scene.x.neighbor_advertisement(scene.x.local, flags)
    scene.world.run(0)
    assert scene.defaults() == ["fe80::9"]
    assert scene.on_link()
    assert all(r.gateway != scene.x.local for r in scene.stack.host.routes.all())


# More specific routes (RFC 4191).


def test_more_specific_routes(scene: Scene) -> None:
    scene.x.advertises(lifetime=0, options=route("2001:db8:5::", 48, 60))
    scene.y.advertises()
    scene.segment.ping(addr.parse("2001:db8:5::1"))
    assert (len(scene.x.heard), len(scene.y.heard)) == (1, 0)
    scene.segment.ping(FAR)
    assert (len(scene.x.heard), len(scene.y.heard)) == (1, 1)
    scene.world.run(60 * SECOND)
    scene.segment.ping(addr.parse("2001:db8:5::1"))
    assert (len(scene.x.heard), len(scene.y.heard)) == (1, 2)


def test_a_lifetime_of_zero_takes_a_route_back(scene: Scene) -> None:
    scene.x.advertises(options=route("2001:db8:5::", 48, INFINITY))
    scene.world.run(10 * 86400 * SECOND)
    (router,) = scene.stack.routers.listing()
    assert list(router.routes) == [(addr.parse("2001:db8:5::"), 48)]
    scene.x.advertises(lifetime=0, options=route("2001:db8:5::", 48, 0))
    assert scene.stack.routers.listing() == []


@pytest.mark.parametrize(
    ("text", "length", "preference"),
    [("2001:db8:5::", 48, 2), ("fe80::", 64, 0), ("ff00::", 8, 0), ("::1", 128, 0)],
)
def test_routes_that_are_ignored(scene: Scene, text: str, length: int, preference: int) -> None:
    """RFC 4191 2.3: the reserved preference; and what no router has a say in."""
    scene.x.advertises(lifetime=0, options=route(text, length, 1800, preference))
    assert scene.stack.routers.listing() == []


def test_a_default_route_as_an_option_overrides_the_header(scene: Scene) -> None:
    """RFC 4191 3.1, type C."""
    scene.y.advertises()
    scene.x.advertises(lifetime=9000, flags=LOW, options=route("::", 0, 10, 1))
    assert scene.defaults() == ["fe80::8", "fe80::9"]
    scene.world.run(10 * SECOND)
    assert scene.defaults() == ["fe80::9"]
    scene.x.advertises(lifetime=9000, options=route("::", 0, 0))
    assert scene.defaults() == ["fe80::9"]
