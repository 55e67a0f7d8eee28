# SPDX-License-Identifier: MIT
"""Who starts a DHCPv6 client, who it is, and what it gets without addresses (RFC 8415 18.2.6)."""

from __future__ import annotations

import pytest

from stack.base import addr
from stack.base.units import SECOND
from stack.ip.nameservers import ROUTER
from stack.transport.seam import SHARE_EXCLUSIVE
from stack.wire import dhcp6, icmp6, ndp
from stack.wire.dhcp6 import ABSENT, INFINITY
from tap.memory import wire
from tests.harness import World
from tests.services.dhcp6_server import (
    ALL_SERVERS,
    HOUR,
    LEASED,
    Heard,
    Scene,
)

# Information-request (18.2.6).


def informed(scene: Scene, **fields: object) -> Heard:
    scene.client.start(stateful=False)
    request = scene.next("information-request")
    fields.setdefault("name_servers", [addr.parse("2001:db8::53"), addr.parse("fe80::53")])
    scene.reply(request, **fields)
    return request


def test_other_configuration_only() -> None:
    scene = Scene(started=False)
    request = informed(scene, domains=["example.com"], ntp_servers=[addr.parse("2001:db8::123")])
    message = request.message
    assert message.associations == []
    assert message.server == b""
    assert message.client == scene.duid
    assert set(message.wanted) == {23, 24, 56, dhcp6.OPT_REFRESH_TIME, dhcp6.OPT_INF_MAX_RT}
    assert scene.at() == "informed"
    index = scene.host.nic.index
    assert scene.servers() == [("2001:db8::53", 0), ("fe80::53", index)]
    assert scene.stack.host.name_servers.search() == ["example.com"]
    assert scene.client.state()["ntp_servers"] == ["2001:db8::123"]
    assert scene.leased() == []


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (ABSENT, 86400),
        (0, 600),
        (599, 600),
        (600, 600),
        (5000, 5000),
        (10 * 86400, 7 * 86400),
        (INFINITY, 7 * 86400),
    ],
)
def test_information_is_refreshed(said: int, expected: int) -> None:
    """21.23: IRT_DEFAULT, IRT_MINIMUM, our maximum; and a random delay of a second at most."""
    scene = Scene(started=False)
    informed(scene, refresh_time=said)
    assert scene.client.state()["refresh"] == expected
    now = scene.world.now
    again = scene.next("information-request")
    assert 0 <= again.when - (now + expected * SECOND) <= SECOND
    assert len(scene.servers()) == 2  # what is known counts until it is replaced
    scene.reply(again, name_servers=[addr.parse("2001:db8::54")], refresh_time=said)
    assert scene.servers() == [("2001:db8::54", 0)]


def test_without_a_maximum_infinity_is_infinite() -> None:
    scene = Scene(started=False, dhcp6_refresh_max=1 << 62)
    informed(scene, refresh_time=INFINITY)
    scene.silent(1000 * 86400 * SECOND)


def test_what_is_missing_from_the_latest_reply_is_not_in_force() -> None:
    """18.2.10."""
    scene = Scene(started=False)
    informed(scene)
    scene.reply(scene.next("information-request"))
    assert scene.servers() == []
    other = Scene()
    other.bind(name_servers=[addr.parse("2001:db8::53")])
    assert other.servers() == [("2001:db8::53", 0)]
    other.grant(other.next("renew"))
    assert other.servers() == []


def test_what_dhcp_says_goes_before_what_routers_say() -> None:
    """RFC 8106 5.3.1: whichever was first; and what routers said stays, in its order."""
    scene = Scene(started=False)
    table = scene.stack.host.name_servers
    index = scene.host.nic.index
    for number in (1, 2):
        server = addr.parse(f"2001:db8::{number}")
        table.learn((ROUTER, index, server), [(server, 0)], [f"ra{number}.example"])
    informed(scene, domains=["dhcp.example"], name_servers=[addr.parse("2001:db8::53")])
    assert scene.servers() == [("2001:db8::53", 0), ("2001:db8::1", 0), ("2001:db8::2", 0)]
    assert table.search() == ["dhcp.example", "ra1.example", "ra2.example"]
    scene.client.stop()
    assert scene.servers() == [("2001:db8::1", 0), ("2001:db8::2", 0)]


def test_another_link_is_asked_anew() -> None:
    scene = Scene(started=False)
    informed(scene)
    scene.flap()
    scene.next("information-request", 3 * SECOND)


def test_stopping_forgets() -> None:
    scene = Scene(started=False)
    informed(scene)
    scene.client.stop()
    assert scene.servers() == []
    scene.silent(100 * 86400 * SECOND)


# Who starts it.


@pytest.mark.parametrize(
    ("managed", "other", "kind"),
    [(True, True, "solicit"), (True, False, "solicit"), (False, True, "information-request")],
)
def test_router_flags(managed: bool, other: bool, kind: str) -> None:
    scene = Scene(started=False)
    scene.stack.dhcp6.on_router_flags(scene.host.nic, managed, other)
    assert scene.next().kind == kind


@pytest.mark.parametrize(
    ("flags", "kind"),
    [(0x80, "solicit"), (0xC0, "solicit"), (0x40, "information-request"), (0, "")],
)
def test_flags_in_a_router_advertisement(flags: int, kind: str) -> None:
    """RFC 4861 4.2, 4.3: from the frame to the first message."""
    scene = Scene(started=False)
    body = ndp.build_advertisement(icmp6.ROUTER_ADVERTISEMENT, 0, flags, 1800)
    peer = scene.peer
    body = peer.checked(58, body, 2, peer.v6, addr.ALL_NODES)
    packet = peer.packet_bytes(58, body, peer.v6, addr.ALL_NODES, ttl=255)
    peer.frame(*packet, addr.multicast_mac(addr.ALL_NODES))
    heard = scene.poll(10 * SECOND)
    assert (heard.kind if heard else "") == kind


def test_no_flags_no_client() -> None:
    scene = Scene(started=False)
    scene.stack.dhcp6.on_router_flags(scene.host.nic, False, False)
    scene.silent(HOUR * SECOND)
    assert scene.at() == "stopped"
    assert scene.stack.udp.ports.in_use() == 0


def test_flags_that_go_do_not_stop_anything() -> None:
    scene = Scene(started=False)
    flags = scene.stack.dhcp6.on_router_flags
    flags(scene.host.nic, True, True)
    scene.bind()
    flags(scene.host.nic, False, True)
    flags(scene.host.nic, False, False)
    assert scene.at() == "bound"
    assert scene.leased() == [LEASED]


def test_a_stateless_client_becomes_a_stateful_one() -> None:
    scene = Scene(started=False)
    informed(scene)
    scene.stack.dhcp6.on_router_flags(scene.host.nic, True, False)
    scene.bind()
    assert scene.client.state()["mode"] == "stateful"


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("off", ""), ("auto", ""), ("stateless", "information-request"), ("stateful", "solicit")],
)
def test_what_configuration_starts(mode: str, kind: str) -> None:
    scene = Scene(started=False, dhcp6=mode)
    heard = scene.poll(10 * SECOND)
    assert (heard.kind if heard else "") == kind


@pytest.mark.parametrize("mode", ["off", "stateless", "stateful"])
def test_flags_mean_nothing_where_it_is_configured(mode: str) -> None:
    scene = Scene(started=False, dhcp6=mode)
    scene.stack.dhcp6.on_router_flags(scene.host.nic, True, True)
    heard = scene.poll(10 * SECOND)
    expected = {"off": None, "stateless": "information-request", "stateful": "solicit"}
    assert (heard.kind if heard else None) == expected[mode]


def test_nothing_is_said_before_there_is_a_link_local_address() -> None:
    """6.1: the source is a link-local address, and that is being probed first."""
    world = World(seed=3)
    scene = Scene(world, dad=True)
    began = world.now
    assert scene.at() == "waiting"
    solicit = scene.next("solicit")
    assert solicit.when >= began + SECOND  # one probe and one second of quiet
    assert solicit.seen.pkt.src == scene.link_local
    assert solicit.seen.pkt.dst == ALL_SERVERS


def test_nothing_is_said_while_the_link_is_down() -> None:
    scene = Scene(started=False)
    scene.stack.set_link(scene.host.nic, False)
    scene.client.start(stateful=True)
    scene.silent(HOUR * SECOND)
    scene.stack.set_link(scene.host.nic, True)
    scene.next("solicit")


def test_a_port_that_is_taken() -> None:
    scene = Scene(started=False)
    squatter = scene.host.datagram()
    assert squatter.bind(b"", 546, SHARE_EXCLUSIVE) == 0
    scene.client.start(stateful=True)
    scene.silent(10 * SECOND)
    assert scene.counted()["send_failures"] >= 3
    squatter.close()
    scene.next("solicit")


def test_a_lost_link_local_address_silences() -> None:
    scene = Scene()
    scene.next("solicit")
    assert scene.stack.remove_address(addr.text(scene.link_local))
    scene.silent(100 * SECOND)
    assert scene.counted()["send_failures"] >= 3
    scene.stack.add_address(scene.host.nic, addr.text(scene.link_local), 64)
    scene.next("solicit")


# Identity (11, 12).


def test_the_identity_is_that_of_the_interface_or_as_configured() -> None:
    scene = Scene()
    assert scene.next().message.client == b"\0\3\0\1" + scene.host.port.mac
    expected = bytes.fromhex("0004123456789abcdef0123456789abcdef0")
    named = Scene(dhcp_duid=expected)
    assert named.next().message.client == expected


def test_an_association_is_numbered_by_the_interfaces_own_address() -> None:
    """12: distinct, and the same after a restart; the host's identity stays its first one's."""
    scene = Scene(started=False)
    macs = ("02aabbccddee", "06aabbccddee", "02aabbccddee")
    ports = [wire(bytes.fromhex(mac), bytes(6), 1500, False)[0] for mac in macs]
    clients = [scene.stack.dhcp6.client(scene.stack.add_nic(port)) for port in ports]
    numbers = [client.lease.iaid for client in clients if client is not None]
    assert numbers == [0xBBCCDDEE, 0xBBCCDDEF, 0xBBCCDDF0]
    assert {one["duid"] for one in scene.stack.dhcp6.state()} == {scene.duid.hex()}


def test_where_ipv6_cannot_be_there_is_no_client() -> None:
    scene = Scene(started=False)
    port, _ = wire(bytes.fromhex("02aabbccddee"), bytes(6), 1279, False)
    nic = scene.stack.add_nic(port)
    assert scene.stack.dhcp6.client(nic) is None
    scene.stack.dhcp6.on_router_flags(nic, True, True)
    loopback = scene.stack.host.nics[0]
    assert scene.stack.dhcp6.client(loopback) is None
