# SPDX-License-Identifier: MIT
"""Duplicate address detection, source selection, routes and paths."""

from __future__ import annotations

from typing import Any

import pytest

from stack import Config
from stack.base import addr, status
from stack.base.units import SECOND
from stack.ip import addrconf
from stack.wire import arp, ethernet, icmp6, ndp
from tests.harness import Host, Peer, World, quiet

OTHER_MAC = bytes.fromhex("020000000099")


def probes(peer: Peer, family: int) -> list[str]:
    """Probes for the host's address (the link-local one has the same solicited-node group)."""
    peer.received()
    mark = "tell 0.0.0.0" if family == addr.V4 else ":: > ff02::1:ff00:1"
    return [line for line in peer.log if line[0] == "<" and mark in line]


def announcements(peer: Peer, family: int) -> list[str]:
    peer.received()
    mark = "10.77.0.1 tell 10.77.0.1" if family == addr.V4 else "fd77::1 > ff02::1 "
    return [line for line in peer.log if line[0] == "<" and mark in line]


def state(host: Host, family: int) -> int:
    manager = host.stack.host.layer_of(host.address(family)).addresses
    return manager.all[host.address(family)].state


def test_an_address_is_probed_then_announced(family: int) -> None:
    """RFC 4862 5.4: one solicitation; RFC 5227 2.1: three probes, two announcements."""
    world = World()
    host, peer = world.host(Config(dad=True))
    assert state(host, family) == addrconf.TENTATIVE
    world.run(20 * SECOND)
    assert state(host, family) == addrconf.PREFERRED
    assert len(probes(peer, family)) == (3 if family == addr.V4 else 2)
    assert len(announcements(peer, family)) == 2


def test_probing_can_be_switched_off(family: int) -> None:
    world = World()
    host, peer = world.host(quiet())
    assert state(host, family) == addrconf.PREFERRED
    world.run(20 * SECOND)
    assert probes(peer, family) == []


def test_a_tentative_address_is_no_source_and_hears_nothing(family: int) -> None:
    world = World()
    host, peer = world.host(Config(dad=True))
    peer.family = family
    endpoint = host.datagram()
    assert endpoint.bind(peer.theirs, 7, 0) != 0
    assert endpoint.bind(b"", 7, 0) == 0
    peer.sends_udp(b"hello?")
    world.run(0)
    assert host.stack.udp.counters.in_datagrams == 0
    assert host.drops() == {"ip_tentative": 1}


def claim4(peer: Peer, host: Host) -> None:
    """Another host answers the probe, or probes for the same address itself."""
    reply = arp.build(arp.REPLY, OTHER_MAC, host.v4, host.port.mac, addr.ANY4)
    peer.frame(ethernet.TYPE_ARP, reply)


def probe4(peer: Peer, host: Host) -> None:
    probe = arp.build(arp.REQUEST, OTHER_MAC, addr.ANY4, addr.MAC_NONE, host.v4)
    peer.frame(ethernet.TYPE_ARP, probe, addr.MAC_BROADCAST)


def claim6(peer: Peer, host: Host) -> None:
    body = ndp.build(icmp6.NEIGHBOR_ADVERTISEMENT, ndp.FLAG_OVERRIDE, host.v6, 2, OTHER_MAC)
    body = peer.checked(58, body, 2, host.v6, addr.ALL_NODES)
    packet = peer.packet_bytes(58, body, src=host.v6, dst=addr.ALL_NODES, ttl=255)
    peer.frame(*packet, addr.multicast_mac(addr.ALL_NODES))


def probe6(peer: Peer, host: Host) -> None:
    group = addr.solicited_node(host.v6)
    body = ndp.build(icmp6.NEIGHBOR_SOLICITATION, 0, host.v6, 1, b"")
    body = peer.checked(58, body, 2, addr.ANY6, group)
    packet = peer.packet_bytes(58, body, src=addr.ANY6, dst=group, ttl=255)
    peer.frame(*packet, addr.multicast_mac(group))


@pytest.mark.parametrize(
    ("family", "intrude"),
    [(addr.V4, claim4), (addr.V4, probe4), (addr.V6, claim6), (addr.V6, probe6)],
    ids=["arp reply", "arp probe", "advertisement", "solicitation"],
)
def test_a_conflict_while_probing_gives_the_address_up(family: int, intrude) -> None:
    world = World()
    host, peer = world.host(Config(dad=True))
    world.run(SECOND // 2)
    intrude(peer, host)
    world.run(20 * SECOND)
    assert state(host, family) == addrconf.DUPLICATED
    assert announcements(peer, family) == []
    path = host.stack.host.layer_of(peer.v4 if family == addr.V4 else peer.v6).path(
        peer.v4 if family == addr.V4 else peer.v6
    )
    assert path is None or path.src != host.address(family)


def test_our_own_probe_looped_back_is_no_conflict() -> None:
    """RFC 4862 5.4.3."""
    world = World()
    host, peer = world.host(Config(dad=True))
    while not probes(peer, addr.V6):
        world.run(SECOND // 10)
    group = addr.solicited_node(host.v6)
    body = ndp.build(icmp6.NEIGHBOR_SOLICITATION, 0, host.v6, 1, b"")
    body = peer.checked(58, body, 2, addr.ANY6, group)
    kind, packet = peer.packet_bytes(58, body, src=addr.ANY6, dst=group, ttl=255)
    host.stack.receive(host.nic, addr.multicast_mac(group) + host.port.mac + kind + packet)
    world.run(5 * SECOND)
    assert state(host, addr.V6) == addrconf.PREFERRED


def test_a_probe_for_our_address_is_answered(world: World) -> None:
    host, peer = world.host()
    probe6(peer, host)
    world.run(0)
    peer.received()
    assert any("fd77::1 > ff02::1 " in line for line in peer.log)
    probe4(peer, host)
    world.run(0)
    peer.received()
    assert any("arp 10.77.0.1 is-at" in line for line in peer.log)


def test_link_local_address_is_formed_from_the_mac(world: World) -> None:
    host, _ = world.host()
    assert addr.link_local(host.port.mac) in host.stack.v6.local


# Neighbor discovery's own rules (RFC 4861 7.1).


def solicitation(peer: Peer, host: Host, **how: Any) -> None:
    group = addr.solicited_node(host.v6)
    src = how.pop("src", peer.v6)
    dst = how.pop("dst", group)
    ttl = how.pop("ttl", 255)
    option = how.pop("option", peer.port.mac)
    target = how.pop("target", host.v6)
    cut = how.pop("cut", None)
    code = how.pop("code", 0)
    body = ndp.build(icmp6.NEIGHBOR_SOLICITATION, 0, target, 1, option)
    body = body[:1] + bytes((code,)) + body[2 : cut or len(body)]
    body = peer.checked(58, body, 2, src, dst)
    kind, packet = peer.packet_bytes(58, body, src=src, dst=dst, ttl=ttl)
    peer.frame(kind, packet, addr.multicast_mac(dst) if addr.is_multicast(dst) else None)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"ttl": 254}, "ndp_hop_limit"),
        ({"code": 1}, "ndp_malformed"),
        ({"cut": 23}, "ndp_malformed"),
        ({"cut": 28}, "ndp_malformed"),
        ({"target": addr.ALL_NODES}, "ndp_malformed"),
        ({"src": addr.ANY6}, "ndp_malformed"),  # unspecified source with a link-layer option
        ({"src": addr.ANY6, "option": b"", "dst": addr.ALL_NODES}, "ndp_malformed"),
        ({"target": addr.parse("fd77::99")}, "ndp_not_for_us"),
    ],
)
def test_invalid_solicitations(world: World, how: dict[str, object], reason: str) -> None:
    host, peer = world.host()
    solicitation(peer, host, **how)
    world.run(0)
    peer.received()
    assert host.drops() == {reason: 1}
    assert not any("advertisement" in line for line in peer.log)


def test_a_zero_length_option_is_malformed(world: World) -> None:
    host, peer = world.host()
    body = ndp.build(icmp6.NEIGHBOR_SOLICITATION, 0, host.v6, 1, b"") + bytes((1, 0)) + bytes(6)
    body = peer.checked(58, body, 2, peer.v6, host.v6)
    peer.frame(*peer.packet_bytes(58, body, ttl=255, dst=host.v6, src=peer.v6))
    peer.family = addr.V6
    world.run(0)
    assert host.drops() == {"ndp_malformed": 1}


def test_valid_solicitation_is_answered_to_the_asker(world: World) -> None:
    host, peer = world.host()
    solicitation(peer, host)
    world.run(0)
    peer.received()
    assert any("fd77::1 > fd77::2" in line and "advertisement" in line for line in peer.log)
    assert host.drops() == {}


# Source selection and routes.


def two_addresses(world: World) -> Host:
    host, _ = world.host()
    host.stack.add_address(host.nic, "2001:db8:1::1", 64)
    host.stack.add_address(host.nic, "192.0.2.1", 24)
    host.stack.add_route("0.0.0.0", 0, host.nic, "10.77.0.2")
    host.stack.add_route("::", 0, host.nic, "fd77::2")
    return host


@pytest.mark.parametrize(
    ("destination", "source"),
    [
        ("fd77::9", "fd77::1"),
        ("2001:db8:1::9", "2001:db8:1::1"),
        ("2001:db8:ffff::9", "2001:db8:1::1"),
        ("fe80::9", "fe80::ff:fe00:1"),
        ("10.77.0.9", "10.77.0.1"),
        ("192.0.2.9", "192.0.2.1"),
    ],
)
def test_source_selection(world: World, destination: str, source: str) -> None:
    host = two_addresses(world)
    packed = addr.parse(destination)
    path = host.stack.host.layer_of(packed).path(packed)
    assert path is not None
    assert addr.text(path.src) == source


def test_longest_prefix_then_metric(world: World) -> None:
    host, _ = world.host()
    stack, nic = host.stack, host.nic
    stack.add_route("0.0.0.0", 0, nic, "10.77.0.10")
    stack.add_route("192.0.2.0", 24, nic, "10.77.0.20", metric=5)
    stack.add_route("192.0.2.0", 24, nic, "10.77.0.21", metric=1)
    stack.add_route("192.0.2.128", 25, nic, "10.77.0.30")
    for destination, gateway in (
        ("8.8.8.8", "10.77.0.10"),
        ("192.0.2.1", "10.77.0.21"),
        ("192.0.2.200", "10.77.0.30"),
    ):
        route = stack.host.routes.lookup(addr.parse(destination))
        assert route is not None
        assert addr.text(route.gateway) == gateway
    assert [route.length for route in stack.host.routes.all() if len(route.prefix) == 4] == [
        25,
        24,
        24,
        24,
        0,
    ]


def test_no_route_no_path(world: World) -> None:
    host, _ = world.host()
    for text in ("8.8.8.8", "2001:db8::1", "0.0.0.0", "::"):
        packed = addr.parse(text)
        assert host.stack.host.layer_of(packed).path(packed) is None


def test_loopback_never_leaves(world: World, family: int) -> None:
    host, peer = world.host()
    target = bytes((127, 9, 9, 9)) if family == addr.V4 else addr.LOOPBACK6
    host.stack.icmp_for(target).echo(target, 1, 1, b"")
    world.run()
    assert peer.next_ip() is None


@pytest.mark.parametrize("model", [{}, {"weak_host": True}, {"forwarding": True}])
def test_a_loopback_source_never_leaves(family: int, model: dict[str, object]) -> None:
    """RFC 1122 3.2.1.3 g, RFC 4291 2.5.3: by no host model, through no router, to no group."""
    world = World()
    host, peer = world.host(quiet(**model))
    peer.family = family
    four = family == addr.V4
    host.stack.add_route("0.0.0.0" if four else "::", 0, host.nic, addr.text(peer.mine))
    endpoint = host.datagram()
    assert endpoint.bind(addr.LOOPBACK4 if four else addr.LOOPBACK6, 7, 0) == status.OK
    far, group = ("192.0.2.1", "239.1.1.1") if four else ("2001:db8::1", "ff05::7")
    for scope in (0, host.nic.index):
        for target in (peer.mine, addr.parse(far)):
            assert endpoint.send([b"x"], 1, target, 9, scope) == status.NO_ROUTE
        endpoint.send([b"x"], 1, addr.parse(group), 9, scope)  # to this host's members, if any
    world.run()
    assert peer.received() == []
    assert peer.log == []


def test_gateway_is_the_one_resolved(world: World, family: int) -> None:
    host, peer = world.host()
    peer.family = family
    far = addr.parse("8.8.8.8" if family == addr.V4 else "2001:db8::8")
    host.stack.add_route(
        "0.0.0.0" if family == addr.V4 else "::", 0, host.nic, addr.text(peer.mine)
    )
    host.stack.icmp_for(far).echo(far, 1, 1, b"")
    world.run(0)
    seen = peer.next_ip()
    assert seen is not None
    assert seen.pkt.dst == far
    assert seen.frame[:6] == peer.port.mac


def test_changing_addresses_invalidates_paths(world: World, family: int) -> None:
    host, peer = world.host()
    peer.family = family
    layer = host.stack.host.layer_of(peer.mine)
    path = layer.path(peer.mine)
    assert path is not None
    assert layer.path(peer.mine) is path
    host.stack.add_address(host.nic, "10.5.5.5" if family == addr.V4 else "fd05::5", 24)
    assert not path.valid
    assert layer.path(peer.mine) is not path


def test_path_memory_is_bounded(family: int) -> None:
    world = World()
    host, peer = world.host(quiet(path_limit=16))
    base = peer.v4[:3] if family == addr.V4 else peer.v6[:15]
    layer = host.stack.host.layer_of(peer.v4 if family == addr.V4 else peer.v6)
    held = layer.path(base + b"\x50")
    for number in range(100, 200):
        layer.path(base + bytes((number,)))
    assert held is not None
    assert not held.valid
