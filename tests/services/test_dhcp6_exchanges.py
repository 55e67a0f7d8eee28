# SPDX-License-Identifier: MIT
"""A DHCPv6 client gets addresses and keeps them: RFC 8415 18.2.1, 18.2.2, 18.2.4, 18.2.5."""

from __future__ import annotations

import pytest
from scapy.layers import dhcp6 as sc
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from stack.base import addr
from stack.base.lifetimes import INFINITY
from stack.base.timers import NEVER
from stack.base.units import SECOND
from stack.wire import dhcp6
from stack.wire.dhcp6 import ABSENT
from tests.services.dhcp6_server import (
    HOUR,
    LEASED,
    OTHER,
    SECOND_ADDRESS,
    SERVER,
    Heard,
    Scene,
)


def options(heard: Heard) -> set[str]:
    """The options of a message, by scapy's eyes."""
    return {layer.__name__ for layer in Ether(heard.seen.frame).layers()}


# Solicit, Advertise, Request, Reply.


def test_four_messages_give_an_address() -> None:
    scene = Scene()
    solicit = scene.next("solicit")
    scene.advertise(solicit)
    scene.silent(0)  # others may have something better to offer
    request = scene.next("request")
    message = request.message
    assert message.server == SERVER
    assert request.addresses == [LEASED]
    assert message.transaction != solicit.message.transaction
    scene.grant(request)
    assert scene.at() == "bound"
    assert scene.leased() == [LEASED]
    state = scene.client.state()
    assert state["server"] == SERVER.hex()
    assert (state["t1"], state["t2"]) == (1000, 2000)
    assert state["addresses"] == [{"address": LEASED, "preferred": HOUR, "valid": 2 * HOUR}]
    assert scene.counted() == {"solicits": 1, "advertises": 1, "requests": 1, "replies": 1}
    assert scene.stack.snapshot()["dhcp6"]["replies"] == 1


def test_where_messages_come_from_and_go_to() -> None:
    """RFC 8415 7.1, 7.2; the source is the interface's link-local address."""
    scene = Scene()
    packet = Ether(scene.next("solicit").seen.frame)
    assert packet.dst == "33:33:00:01:00:02"
    assert (packet[IPv6].src, packet[IPv6].dst) == (addr.text(scene.link_local), "ff02::1:2")
    assert (packet["UDP"].sport, packet["UDP"].dport) == (546, 547)
    assert packet[sc.DHCP6_Solicit].msgtype == 1


def test_what_a_solicit_says() -> None:
    """18.2.1: identifier, association, elapsed time, SOL_MAX_RT requested."""
    scene = Scene()
    message = scene.next("solicit").message
    assert message.client == scene.duid
    assert message.server == b""
    assert [ia.iaid for ia in message.associations] == [int.from_bytes(scene.duid[-4:], "big")]
    assert message.associations[0].addresses == []
    assert message.elapsed == 0
    assert set(message.wanted) == {23, 24, 56, dhcp6.OPT_SOL_MAX_RT}
    assert message.reconfigure_accept
    assert not message.rapid_commit


@pytest.mark.parametrize("accept", [True, False])
def test_reconfigure_accept_is_a_matter_of_configuration(accept: bool) -> None:
    scene = Scene(dhcp6_reconfigure=accept)
    assert scene.next("solicit").message.reconfigure_accept == accept


def test_which_options_go_into_which_message() -> None:
    """RFC 8415 appendix B."""
    scene = Scene()
    ids, ia = {"Ether", "IPv6", "UDP", "DHCP6OptClientId", "DHCP6OptElapsedTime"}, {"DHCP6OptIA_NA"}
    server, more = {"DHCP6OptServerId"}, {"DHCP6OptOptReq", "DHCP6OptReconfAccept"}
    request = scene.bind()
    assert options(request) == ids | server | ia | more | {"DHCP6_Request"}
    assert options(scene.next("renew")) == ids | server | ia | more | {"DHCP6_Renew"}
    while (rebind := scene.next()).kind != "rebind":
        pass
    assert options(rebind) == ids | ia | more | {"DHCP6_Rebind"}
    scene.grant(rebind)
    scene.flap(0)
    confirm = scene.next("confirm")
    assert options(confirm) == ids | ia | {"DHCP6_Confirm"}
    scene.reply(confirm, status=0)
    scene.client.stop()
    assert options(scene.next("release")) == ids | server | ia | {"DHCP6_Release"}
    inform = Scene(started=False)
    inform.client.start(stateful=False)
    assert options(inform.next()) == ids | more | {"DHCP6_InfoRequest"}


def test_the_address_is_on_no_link_and_usable() -> None:
    """18.2.10.1, RFC 5942: an address says nothing about what is on the link."""
    scene = Scene()
    scene.bind()
    entry = scene.stack.v6.local[addr.parse(LEASED)]
    assert entry.prefix_length == 128
    assert not any(r.prefix == entry.address for r in scene.stack.host.routes.all())
    assert entry.preferred_until == scene.world.now + HOUR * SECOND
    assert entry.valid_until == scene.world.now + 2 * HOUR * SECOND


def test_infinite_lifetimes() -> None:
    scene = Scene()
    scene.bind(addresses=[(LEASED, INFINITY, INFINITY)], t1=INFINITY, t2=INFINITY)
    state = scene.client.state()
    assert state["addresses"] == [{"address": LEASED, "preferred": None, "valid": None}]
    assert (state["t1"], state["t2"]) == (None, None)
    scene.silent(400 * 86400 * SECOND)
    assert scene.leased() == [LEASED]


def test_a_lease_becomes_infinite() -> None:
    scene = Scene()
    scene.bind()
    forever = [(LEASED, INFINITY, INFINITY)]
    scene.grant(scene.next("renew"), addresses=forever, t1=INFINITY, t2=INFINITY)
    scene.silent(400 * 86400 * SECOND)
    assert scene.leased() == [LEASED]


def test_several_addresses() -> None:
    scene = Scene()
    scene.bind(addresses=[(LEASED, 100, 200), (SECOND_ADDRESS, 300, 400)])
    assert scene.leased() == [LEASED, SECOND_ADDRESS]


# Who is asked (18.2.9).


def offers(scene: Scene, *preferences: int) -> list[bytes]:
    """Servers that answer one Solicit, in this order; preference ABSENT is no option."""
    solicit = scene.next("solicit")
    servers = [bytes.fromhex(f"0003000102000000{n:04x}") for n in range(len(preferences))]
    for server, preference in zip(servers, preferences, strict=True):
        scene.advertise(solicit, server=server, preference=preference)
    return servers


@pytest.mark.parametrize(
    ("preferences", "chosen"),
    [
        ((1, 2, 3), 2),
        ((3, 2, 1), 0),
        ((0, ABSENT), 0),  # no option is preference 0, and who was first stays first
        ((ABSENT, 0), 0),
        ((ABSENT, 1), 1),
        ((254, 7, 254), 0),
        ((5, 255, 9), 1),
    ],
)
def test_the_most_preferred_server_is_asked(preferences: tuple[int, ...], chosen: int) -> None:
    scene = Scene()
    servers = offers(scene, *preferences)
    assert scene.next("request").message.server == servers[chosen]


def test_preference_255_ends_the_waiting() -> None:
    scene = Scene()
    solicit = scene.next("solicit")
    scene.advertise(solicit, preference=255)
    assert scene.next("request").when == solicit.when


def test_others_are_waited_for_until_the_first_time_out() -> None:
    scene = Scene()
    solicit = scene.next("solicit")
    scene.advertise(solicit, preference=254)
    request = scene.next("request")
    assert SECOND < request.when - solicit.when <= 1.1 * SECOND


def test_after_the_first_time_out_the_first_offer_is_taken() -> None:
    scene = Scene()
    scene.next("solicit")
    solicit = scene.next("solicit")
    scene.advertise(solicit)
    assert scene.next("request").when == solicit.when


def test_of_equals_the_one_with_name_servers_is_asked() -> None:
    scene = Scene()
    solicit = scene.next("solicit")
    scene.advertise(solicit)
    scene.advertise(solicit, server=OTHER, name_servers=[addr.parse("2001:db8::53")])
    assert scene.next("request").message.server == OTHER


def test_a_servers_second_offer_replaces_its_first() -> None:
    scene = Scene()
    solicit = scene.next("solicit")
    scene.advertise(solicit)
    scene.advertise(solicit, addresses=[(SECOND_ADDRESS, 10, 20)])
    request = scene.next("request")
    assert request.addresses == [SECOND_ADDRESS]


def test_a_silent_server_gives_way_to_the_next_best() -> None:
    """18.2.2: ten Requests, then another server that had offered something, then all anew."""
    scene = Scene()
    first, second = offers(scene, 9, 8)
    requests = [scene.next("request") for _ in range(20)]
    assert [r.message.server for r in requests] == [first] * 10 + [second] * 10
    assert len({r.message.transaction for r in requests}) == 2
    scene.next("solicit")
    assert scene.counted()["failures"] == 2


# Rapid Commit (18.2.1).


def test_two_messages_with_rapid_commit() -> None:
    scene = Scene(dhcp6_rapid_commit=True)
    solicit = scene.next("solicit")
    assert solicit.message.rapid_commit
    scene.grant(solicit, rapid_commit=True)
    assert scene.at() == "bound"
    assert scene.leased() == [LEASED]


@pytest.mark.parametrize(("wished", "said"), [(True, False), (False, True), (False, False)])
def test_a_reply_to_solicit_needs_rapid_commit_on_both_sides(wished: bool, said: bool) -> None:
    scene = Scene(dhcp6_rapid_commit=wished)
    scene.grant(scene.next("solicit"), rapid_commit=said)
    assert scene.at() == "soliciting"
    assert scene.drops() == {"dhcp6_rapid_commit": 1}


def test_an_advertise_will_do_when_rapid_commit_was_offered() -> None:
    scene = Scene(dhcp6_rapid_commit=True)
    solicit = scene.next("solicit")
    scene.advertise(solicit)
    request = scene.next("request")
    scene.grant(solicit, rapid_commit=True)  # late: the Request is what counts now
    assert scene.drops() == {"dhcp6_transaction": 1}
    scene.grant(request)
    assert scene.at() == "bound"


# Renew and Rebind.


def test_renewing_at_t1_with_the_server_we_have() -> None:
    scene = Scene()
    scene.bind()
    bound = scene.world.now
    renew = scene.next("renew")
    assert renew.when == bound + 1000 * SECOND
    assert renew.message.server == SERVER
    assert renew.addresses == [LEASED]
    assert scene.at() == "renewing"
    scene.grant(renew)
    assert scene.at() == "bound"
    entry = scene.stack.v6.local[addr.parse(LEASED)]
    assert entry.valid_until == scene.world.now + 2 * HOUR * SECOND
    assert scene.next("renew").when == renew.when + 1000 * SECOND


def test_rebinding_at_t2_with_any_server() -> None:
    scene = Scene()
    scene.bind()
    bound = scene.world.now
    heard = scene.next("renew")
    while heard.kind == "renew":
        heard = scene.next()
    assert heard.kind == "rebind"
    assert heard.when == bound + 2000 * SECOND
    assert heard.message.server == b""
    assert heard.addresses == [LEASED]
    scene.grant(heard, server=OTHER)
    assert scene.client.state()["server"] == OTHER.hex()
    assert scene.next("renew").message.server == OTHER


def test_when_every_address_has_expired_servers_are_discovered_anew() -> None:
    scene = Scene()
    scene.bind(name_servers=[addr.parse("2001:db8::53")])
    bound = scene.world.now
    said = scene.all(2 * HOUR * SECOND - 1)
    assert {heard.kind for heard in said} == {"renew", "rebind"}
    assert scene.leased() == [LEASED]
    solicit = scene.next("solicit")
    assert solicit.when >= bound + 2 * HOUR * SECOND
    assert scene.leased() == []
    assert scene.servers() == []
    assert scene.counted()["expiries"] == 1


def test_an_address_expires_by_itself() -> None:
    scene = Scene()
    scene.bind(addresses=[(LEASED, 10, 20), (SECOND_ADDRESS, HOUR, HOUR)])
    scene.pause(21)
    assert scene.leased() == [SECOND_ADDRESS]
    assert scene.at() == "bound"
    assert scene.next("renew").addresses == [SECOND_ADDRESS]


def test_a_lifetime_of_zero_takes_an_address_away() -> None:
    scene = Scene()
    scene.bind(addresses=[(LEASED, 10, HOUR), (SECOND_ADDRESS, HOUR, HOUR)])
    scene.grant(scene.next("renew"), addresses=[(LEASED, 0, 0)])
    assert scene.leased() == [SECOND_ADDRESS]
    scene.grant(scene.next("renew"), addresses=[(SECOND_ADDRESS, 0, 0)])
    assert scene.leased() == []
    scene.next("solicit")


def test_an_address_that_is_not_mentioned_stays() -> None:
    """18.2.10.1: leave unchanged what the server does not speak of."""
    scene = Scene()
    scene.bind()
    before = scene.stack.v6.local[addr.parse(LEASED)].valid_until
    scene.grant(scene.next("renew"), addresses=[(SECOND_ADDRESS, HOUR, HOUR)])
    assert scene.leased() == [LEASED, SECOND_ADDRESS]
    assert scene.stack.v6.local[addr.parse(LEASED)].valid_until == before


def test_a_reply_without_our_association_is_as_none() -> None:
    scene = Scene()
    scene.bind()
    renew = scene.next("renew")
    scene.reply(renew)
    scene.reply(renew, addresses=[(LEASED, 10, 20)], iaid=12345)
    scene.reply(renew, addresses=[])
    assert scene.drops() == {"dhcp6_no_association": 3}
    assert scene.at() == "renewing"
    again = scene.next("renew")
    assert again.message.transaction == renew.message.transaction


# T1, T2 and lifetimes that make no sense (14.2, 21.4, 21.6).


@pytest.mark.parametrize(
    ("t1", "t2", "lifetimes", "expected"),
    [
        (0, 0, (1000, 2000), (500, 800)),
        (0, 0, (INFINITY, INFINITY), (None, None)),
        (0, 0, (0, 1000), (500, 800)),
        (0, 0, (1, 1000), (1, 1)),  # never at once (14.2)
        (0, 0, (1, 1), (0.5, 0.8)),
        (100, 0, (1000, 2000), (100, 800)),
        (900, 0, (1000, 2000), (900, 900)),
        (0, 400, (1000, 2000), (400, 400)),
        (0, 900, (1000, 2000), (500, 900)),
        (INFINITY, INFINITY, (1000, 2000), (None, None)),
        (500, INFINITY, (1000, 2000), (500, None)),
        (500, 500, (1000, 2000), (500, 500)),
        (5000, 8000, (1000, 2000), (1000, 1600)),  # of no use after the last address is gone
        (1500, 8000, (1000, 2000), (1500, 1600)),
    ],
)
def test_t1_and_t2(
    t1: int, t2: int, lifetimes: tuple[int, int], expected: tuple[float | None, float | None]
) -> None:
    scene = Scene()
    scene.advertise(scene.next("solicit"), preference=255)
    scene.grant(scene.next("request"), t1=t1, t2=t2, addresses=[(LEASED, *lifetimes)])
    lease, now = scene.client.lease, scene.world.now
    found = [None if at == NEVER else (at - now) / SECOND for at in (lease.t1, lease.t2)]
    assert tuple(found) == expected


def test_the_shortest_preferred_lifetime_decides() -> None:
    scene = Scene()
    scene.bind(t1=0, t2=0, addresses=[(LEASED, 5000, 9000), (SECOND_ADDRESS, 2000, 9000)])
    assert (scene.client.state()["t1"], scene.client.state()["t2"]) == (1000, 1600)


def test_an_association_with_t1_after_t2_is_not_there() -> None:
    """21.4."""
    scene = Scene()
    solicit = scene.next("solicit")
    scene.advertise(solicit, t1=2, t2=1)
    assert scene.drops() == {"dhcp6_no_addresses": 1}
    scene.advertise(solicit, t1=20, t2=0, preference=255)
    request = scene.next("request")
    scene.grant(request, t1=2000, t2=1000)
    assert scene.drops() == {"dhcp6_no_addresses": 1, "dhcp6_no_association": 1}
    assert scene.leased() == []


@pytest.mark.parametrize(
    "bad",
    [
        (LEASED, 20, 10),  # preferred for longer than valid (21.6)
        ("ff02::1", 10, 20),
        ("::", 10, 20),
        ("::1", 10, 20),
        ("fe80::9", 10, 20),
        ("::ffff:192.0.2.1", 10, 20),
        (LEASED, 10, 20, dhcp6.UNSPEC_FAIL),
    ],
)
def test_addresses_no_host_can_have_are_left_out(bad: tuple[object, ...]) -> None:
    scene = Scene()
    scene.bind(addresses=[bad, (SECOND_ADDRESS, HOUR, HOUR)])
    assert scene.leased() == [SECOND_ADDRESS]
    other = Scene()
    other.advertise(other.next("solicit"), addresses=[bad])
    assert other.drops() == {"dhcp6_no_addresses": 1}
    scene.grant(scene.next("renew"), addresses=[bad])
    assert scene.drops() == {"dhcp6_no_association": 1}


def test_only_so_many_addresses_are_kept() -> None:
    scene = Scene()
    scene.bind(addresses=[(f"2001:db8::{n:x}", HOUR, HOUR) for n in range(1, 15)])
    renew = scene.next("renew")
    scene.grant(renew, addresses=[(f"2001:db8::1:{n:x}", HOUR, HOUR) for n in range(1, 15)])
    assert len(scene.leased()) == dhcp6.ADDRESS_LIMIT


def test_an_address_of_somebody_elses_making_is_left_alone() -> None:
    """What was configured by hand keeps its lifetimes, and stays when the lease ends."""
    scene = Scene(started=False)
    scene.stack.add_address(scene.host.nic, LEASED, 64)
    scene.client.start(stateful=True)
    scene.bind(addresses=[(LEASED, 10, 20)])
    scene.pause(30)
    assert addr.parse(LEASED) in scene.stack.v6.local
