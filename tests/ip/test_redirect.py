# SPDX-License-Identifier: MIT
"""Redirects: every rule of RFC 4861 8.1 and RFC 1122 3.2.2.2, what they do, and when they end."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import (
    ICMPv6ND_Redirect,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptRedirectedHdr,
    IPv6,
)

from stack.base import addr
from stack.base.checksum import finish
from stack.base.units import MINUTE, SECOND
from stack.ip.redirects import Redirect
from stack.link import neighbor
from stack.wire import ethernet, icmp6, ipv4, ipv6, ndp, ndp_options
from tests.harness import Peer, World
from tests.harness.segment import Station
from tests.ip import advertised

FAR6 = addr.parse("2001:db8::77")
FAR4 = addr.parse("192.0.2.77")


class Scene(advertised.Scene):
    """A host with the default router x; y would be better."""

    def __init__(self, world: World, **settings: object) -> None:
        super().__init__(world, **settings)
        self.stack.add_route("0.0.0.0", 0, self.nic, addr.text(self.x.v4))
        self.stack.add_route("::", 0, self.nic, addr.text(self.x.local))

    def sends(self, far: bytes) -> Station | None:
        """A packet there; who got it."""
        for station in self.segment.stations:
            station.heard.clear()
        self.segment.ping(far)
        self.world.run(0)
        return next((s for s in self.segment.stations if s.heard), None)

    def redirect6(self, **how: Any) -> None:
        sender: Station = how.pop("sender", self.x)
        src = how.pop("src", sender.local)
        target = how.pop("target", self.y.local)
        dst = how.pop("dst", FAR6)
        hops = how.pop("hops", 255)
        code = how.pop("code", 0)
        cut = how.pop("cut", None)
        atomic = how.pop("atomic", False)
        lladdr = how.pop("lladdr", self.y.mac)
        options = how.pop("options", ndp_options.lladdr(2, lladdr) if lladdr else b"")
        body = ndp.build_redirect(icmp6.REDIRECT, target, dst, options)
        body = body[:1] + bytes((code,)) + body[2:cut]
        ours = self.segment.host.v6
        body, proto = Peer.checked(58, body, 2, src, ours), 58
        if atomic:
            body, proto = bytes((58, 0, 0, 0, 0, 0, 0, 9)) + body, 44
        packet = ipv6.build(0, 0, len(body), proto, hops, src, ours) + body
        sender.frame(ethernet.TYPE_IPV6, packet)
        self.world.run(0)

    def redirect4(self, **how: Any) -> None:
        sender: Station = how.pop("sender", self.x)
        gateway = how.pop("gateway", self.y.v4)
        dst = how.pop("dst", FAR4)
        code = how.pop("code", 1)
        src = how.pop("src", self.segment.host.v4)
        quote = ipv4.build(0, 84, 1, 0, 63, 1, src, dst) + bytes(8)
        quote = how.pop("quote", quote)
        body = bytes((5, code, 0, 0)) + gateway + quote
        body = body[:2] + finish(int.from_bytes(body, "big")).to_bytes(2, "big") + body[4:]
        sender.packet4(1, body, sender.v4, self.segment.host.v4)
        self.world.run(0)

    def known(self) -> list[Redirect]:
        return self.stack.host.redirects.listing()

    def drops(self) -> dict[str, int]:
        return self.stack.door.snapshot()


@pytest.fixture
def scene(world: World) -> Scene:
    return Scene(world)


# IPv6.


def test_a_better_router(scene: Scene) -> None:
    """ND-23, ND-24: the target is in no prefix of the link, and a router from now on."""
    assert scene.sends(FAR6) is scene.x
    path = scene.stack.v6.path(FAR6)
    scene.redirect6()
    assert path is not None
    assert not path.valid
    entry = scene.nic.neighbors.entries[scene.y.local]
    assert (entry.state, entry.lladdr) == (neighbor.STALE, scene.y.mac)
    assert entry.is_router
    assert scene.sends(FAR6) is scene.y
    assert scene.sends(addr.parse("2001:db8::78")) is scene.x
    assert scene.drops() == {}


def test_a_destination_on_the_link(scene: Scene) -> None:
    """Target and destination are the same: it is a neighbour, and need be no router."""
    other = scene.segment.station(20)
    other.v6 = FAR6
    scene.sends(FAR6)
    scene.redirect6(target=FAR6, lladdr=other.mac)
    assert scene.sends(FAR6) is other
    assert not scene.nic.neighbors.entries[FAR6].is_router


def test_a_flood_of_targets_leaves_room_for_neighbours(world: World) -> None:
    scene = Scene(world, neighbor_limit=16)
    scene.sends(FAR6)
    for number in range(100):
        target = addr.parse(f"fe80::7:{number:x}")
        dst = addr.parse(f"2001:db8:7::{number:x}")
        scene.redirect6(target=target, dst=dst, lladdr=bytes((2, 0, 0, 0, 7, number)))
        scene.sends(dst)
    assert len(scene.known()) == 100
    other = scene.segment.station(30)
    assert scene.sends(other.v6) is other
    assert scene.x.local in scene.nic.neighbors.entries


def test_a_destination_that_nothing_was_sent_to(scene: Scene) -> None:
    """RFC 4861 8.3: an entry is made for it; from the router that would be asked, and no other."""
    scene.redirect6(src=addr.parse("fe80::9"))
    assert scene.drops() == {"redirect_not_first_hop": 1}
    scene.redirect6()
    assert scene.sends(FAR6) is scene.y
    assert scene.sends(addr.parse("2001:db8::78")) is scene.x


def test_where_no_router_is_known_nobody_redirects(scene: Scene) -> None:
    scene.stack.v6.remove_route(addr.ANY6, 0, scene.nic)
    scene.redirect6()
    assert scene.drops() == {"redirect_not_first_hop": 1}
    assert scene.known() == []


def test_without_a_link_layer_address_the_target_is_asked_for(scene: Scene) -> None:
    scene.sends(FAR6)
    scene.redirect6(lladdr=b"")
    assert scene.sends(FAR6) is scene.y
    assert scene.y.asked


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"hops": 254}, "ndp_hop_limit"),
        ({"code": 1}, "ndp_malformed"),
        ({"cut": 39, "options": b""}, "ndp_malformed"),
        ({"options": bytes((2, 0)) + bytes(6)}, "ndp_malformed"),
        ({"options": bytes((2, 9)) + bytes(6)}, "ndp_malformed"),
        ({"atomic": True}, "icmp_fragmented"),
        ({"src": addr.parse("fd77::8")}, "ndp_source"),
        ({"dst": addr.ALL_NODES}, "redirect_invalid"),
        ({"dst": addr.parse("fd77::1")}, "redirect_invalid"),
        ({"target": addr.parse("2001:db8::99")}, "redirect_invalid"),
        ({"target": addr.parse("fd77::9")}, "redirect_invalid"),
        ({"target": addr.parse("fe80::ff:fe00:1")}, "redirect_invalid"),
        ({"dst": addr.parse("fd77::20")}, "redirect_not_first_hop"),
        ({"dst": addr.parse("fe80::20")}, "redirect_not_first_hop"),
        ({"dst": addr.ANY6}, "redirect_not_first_hop"),
        ({"dst": addr.parse("::1")}, "redirect_invalid"),
        ({"src": addr.parse("fe80::9")}, "redirect_not_first_hop"),
    ],
)
def test_invalid_ones_change_nothing(scene: Scene, how: dict[str, object], reason: str) -> None:
    scene.sends(FAR6)
    scene.redirect6(**how)
    assert scene.drops() == {reason: 1}
    assert scene.known() == []
    assert scene.sends(FAR6) is scene.x
    assert scene.y.local not in scene.nic.neighbors.entries


def test_unknown_options_are_ignored(scene: Scene) -> None:
    scene.sends(FAR6)
    scene.redirect6(options=bytes((99, 2)) + bytes(14) + ndp_options.lladdr(2, scene.y.mac))
    assert scene.sends(FAR6) is scene.y


@pytest.mark.parametrize("lladdr", [b"\xff" * 6, bytes.fromhex("020000000001")])
def test_impossible_link_layer_addresses_are_ignored(scene: Scene, lladdr: bytes) -> None:
    scene.sends(FAR6)
    scene.redirect6(lladdr=lladdr)
    assert scene.nic.neighbors.entries[scene.y.local].lladdr == b""
    assert scene.sends(FAR6) is scene.y


def test_the_routers_own_advertised_lifetime_ends_it(world: World) -> None:
    scene = Scene(world)
    assert scene.stack.remove_route("::", 0, scene.nic, addr.text(scene.x.local))
    scene.x.advertises(lifetime=100)
    z = scene.segment.station(20)
    z.advertises(flags=3 << 3)
    scene.sends(FAR6)
    scene.redirect6()
    assert scene.sends(FAR6) is scene.y
    world.run(100 * SECOND)
    assert scene.known() == []
    assert scene.sends(FAR6) is z


def test_a_target_that_is_no_router_ends_it(scene: Scene) -> None:
    """RFC 4861 7.2.5."""
    scene.sends(FAR6)
    scene.redirect6()
    assert scene.sends(FAR6) is scene.y
    scene.y.neighbor_advertisement(scene.y.local, ndp.FLAG_OVERRIDE)
    scene.world.run(0)
    assert scene.known() == []
    assert scene.sends(FAR6) is scene.x


# IPv4.


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_a_better_gateway(scene: Scene, code: int) -> None:
    """IC4-8: codes for nets and for types of service count for the host."""
    assert scene.sends(FAR4) is scene.x
    scene.redirect4(code=code)
    assert scene.sends(FAR4) is scene.y
    assert scene.sends(addr.parse("192.0.2.78")) is scene.x
    assert scene.drops() == {}


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"code": 4}, "redirect_invalid"),
        ({"gateway": addr.parse("198.51.100.1")}, "redirect_invalid"),
        ({"gateway": addr.parse("10.77.0.1")}, "redirect_invalid"),
        ({"gateway": addr.parse("10.77.0.8")}, "redirect_invalid"),
        ({"gateway": addr.parse("10.77.0.255")}, "redirect_invalid"),
        ({"gateway": addr.parse("255.255.255.255")}, "redirect_invalid"),
        ({"gateway": addr.parse("224.0.0.1")}, "redirect_invalid"),
        ({"gateway": addr.parse("127.0.0.1")}, "redirect_invalid"),
        ({"gateway": addr.ANY4}, "redirect_invalid"),
        ({"dst": addr.parse("224.0.0.9")}, "redirect_invalid"),
        ({"dst": addr.parse("10.77.0.255")}, "redirect_invalid"),
        ({"dst": addr.parse("10.77.0.1")}, "redirect_invalid"),
        ({"dst": addr.parse("192.0.2.1")}, "redirect_not_first_hop"),
        ({"src": addr.parse("10.77.0.99")}, "icmp_quote_invalid"),
        ({"quote": bytes((0x45,)) + bytes(25)}, "icmp_quote_invalid"),
        ({"quote": bytes((0x60,)) + bytes(41)}, "icmp_quote_invalid"),
    ],
)
def test_invalid_ones_for_ipv4(scene: Scene, how: dict[str, object], reason: str) -> None:
    scene.sends(FAR4)
    scene.redirect4(**how)
    assert scene.drops() == {reason: 1}
    assert scene.known() == []
    assert scene.sends(FAR4) is scene.x


def test_only_the_current_gateway_may_redirect(scene: Scene) -> None:
    scene.sends(FAR4)
    scene.redirect4(sender=scene.segment.station(20))
    assert scene.drops() == {"redirect_not_first_hop": 1}


# Both.


class Both:
    """The same words for both families."""

    def __init__(self, scene: Scene, family: int) -> None:
        self.scene = scene
        self.family = family
        self.far = FAR4 if family == addr.V4 else FAR6

    def redirect(self, sender: Station, target: Station, far: bytes = b"") -> None:
        dst = far or self.far
        if self.family == addr.V4:
            self.scene.redirect4(sender=sender, gateway=target.v4, dst=dst)
        else:
            self.scene.redirect6(sender=sender, target=target.local, dst=dst, lladdr=target.mac)

    def sends(self) -> Station | None:
        return self.scene.sends(self.far)


@pytest.fixture
def both(scene: Scene, family: int) -> Both:
    return Both(scene, family)


def test_redirected_once_more(both: Both) -> None:
    """The hop of the first redirect is the current one; only it may say more."""
    scene = both.scene
    z = scene.segment.station(20)
    both.sends()
    both.redirect(scene.x, scene.y)
    assert both.sends() is scene.y
    both.redirect(scene.x, z)
    assert both.sends() is scene.y
    assert scene.drops() == {"redirect_not_first_hop": 1}
    both.redirect(scene.y, z)
    assert both.sends() is z
    both.redirect(z, scene.x)
    assert both.sends() is scene.x
    assert scene.known() == []


def test_it_ages(both: Both) -> None:
    scene = both.scene
    both.sends()
    both.redirect(scene.x, scene.y)
    scene.world.run(10 * MINUTE - 1)
    assert both.sends() is scene.y
    scene.world.run(1)
    assert both.sends() is scene.x
    assert scene.known() == []


def test_how_long_it_holds_is_configured(world: World, family: int) -> None:
    both = Both(Scene(world, redirect_age=MINUTE), family)
    both.sends()
    both.redirect(both.scene.x, both.scene.y)
    world.run(MINUTE - 1)
    assert both.sends() is both.scene.y
    world.run(1)
    assert both.sends() is both.scene.x


def test_it_ends_when_its_target_dies(both: Both) -> None:
    scene = both.scene
    both.sends()
    both.redirect(scene.x, scene.y)
    assert both.sends() is scene.y
    scene.y.alive = False
    for _ in range(60):
        got = both.sends()
        scene.world.run(SECOND)
    assert got is scene.x
    assert scene.known() == []


def test_it_does_not_survive_its_router(both: Both) -> None:
    """What x said is nothing to somebody who uses z."""
    scene = both.scene
    z = scene.segment.station(20)
    both.sends()
    both.redirect(scene.x, scene.y)
    assert both.sends() is scene.y
    any_ = "0.0.0.0" if both.family == addr.V4 else "::"
    scene.stack.add_route(any_, 0, scene.nic, addr.text(z.address(both.family)), metric=5)
    assert both.sends() is scene.y
    scene.stack.remove_route(any_, 0, scene.nic, addr.text(scene.x.address(both.family)))
    assert both.sends() is z


def test_it_does_not_survive_the_link(both: Both) -> None:
    scene = both.scene
    both.sends()
    both.redirect(scene.x, scene.y)
    scene.stack.set_link(scene.nic, False)
    scene.stack.set_link(scene.nic, True)
    assert scene.known() == []
    assert both.sends() is scene.x


def test_the_table_is_bounded_and_the_oldest_gives_way(world: World, family: int) -> None:
    both = Both(Scene(world, redirect_limit=4), family)
    scene = both.scene
    for number in range(10):
        far = both.far[:-1] + bytes((number,))
        scene.sends(far)
        both.redirect(scene.x, scene.y, far)
    assert [r.dst[-1] for r in scene.known()] == [6, 7, 8, 9]
    assert scene.sends(both.far[:-1] + b"\5") is scene.x
    assert scene.sends(both.far[:-1] + b"\6") is scene.y


@pytest.mark.parametrize("how", ["config", "interface", "forwarding"])
def test_it_can_be_refused(world: World, family: int, how: str) -> None:
    both = Both(Scene(world, accept_redirects=how != "config"), family)
    scene = both.scene
    interface = scene.stack.host.layer_of(both.far).interface(scene.nic)
    if how == "interface":
        interface.accept_redirects = False
    elif how == "forwarding":
        interface.forwarding = True
    both.sends()
    both.redirect(scene.x, scene.y)
    assert scene.drops() == {"redirect_refused": 1}
    assert both.sends() is scene.x


def test_what_scapy_sends(both: Both) -> None:
    scene = both.scene
    ours = scene.segment.host.address(both.family)
    both.sends()
    if both.family == addr.V4:
        quoted = IP(src=addr.text(ours), dst=addr.text(FAR4)) / ICMP(id=7, seq=1)
        message = ICMP(type=5, code=1, gw=addr.text(scene.y.v4)) / quoted
        four = IP(src=addr.text(scene.x.v4), dst=addr.text(ours)) / message
        scene.x.frame(ethernet.TYPE_IPV4, bytes(four))
    else:
        inner = IPv6(src=addr.text(ours), dst=addr.text(FAR6)) / bytes(30)
        packet = (
            IPv6(src=addr.text(scene.x.local), dst=addr.text(ours), hlim=255)
            / ICMPv6ND_Redirect(tgt=addr.text(scene.y.local), dst=addr.text(FAR6))
            / ICMPv6NDOptDstLLAddr(lladdr=addr.mac_text(scene.y.mac))
            / ICMPv6NDOptRedirectedHdr(pkt=inner)
        )
        scene.x.frame(ethernet.TYPE_IPV6, bytes(packet))
    scene.world.run(0)
    assert scene.drops() == {}
    assert both.sends() is scene.y
