# SPDX-License-Identifier: MIT
"""DHCPv4: how a lease is obtained, message by message (RFC 2131 3.1, 4.1, 4.4.1, 4.4.2)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from stack import Config
from stack.base import addr, status
from stack.base.units import MS, SECOND
from stack.services.autoconf4 import Autoconf4
from stack.transport.seam import SHARE_EXCLUSIVE
from stack.wire import dhcp4
from stack.wire import dhcp4_options as opt
from stack.wire.dhcp4 import Message
from tap.memory import wire
from tests.harness import Host, Peer
from tests.services.dhcp4_kit import LEASE, Heard, Scene, Server, scene


def gaps(log: list[Heard]) -> list[float]:
    """Seconds between one message and the next."""
    return [(b.when - a.when) / SECOND for a, b in pairwise(log)]


def test_four_messages_and_everything_is_configured() -> None:
    it = scene()
    it.server.options[opt.BROADCAST_ADDRESS] = addr.parse("192.0.2.255")
    assert it.state() == "stopped"
    it.bind()
    assert it.address() == it.server.yiaddr
    assert it.routes() == {("192.0.2.0/24", ""), ("0.0.0.0/0", "192.0.2.1")}
    assert it.host.stack.host.name_servers.servers() == [(addr.parse("192.0.2.53"), 0)]
    assert it.host.stack.host.name_servers.search() == ["example.org"]
    assert it.counters() == {"out_discovers": 1, "in_offers": 1, "out_requests": 1, "in_acks": 1}
    shown = it.auto.state()
    assert shown["address"] == "192.0.2.50/24"
    assert shown["server"] == "192.0.2.1"
    assert shown["broadcast"] == "192.0.2.255"
    assert shown["expires"] in range(LEASE - 11, LEASE)
    assert shown["t1"] in range(LEASE * 9 // 20, LEASE // 2)
    assert shown["t2"] in range(LEASE * 8 // 10, LEASE * 7 // 8)


def test_the_host_can_use_its_address() -> None:
    it = scene()
    it.bind()
    echo = it.host.datagram()
    assert echo.bind(b"", 7, 0) == status.OK
    it.server.peer.sends_udp(b"hello")
    it.world.run(0)
    assert it.host.stack.udp.counters.in_datagrams == 3  # the offer, the ack, this


def test_discover_and_request_as_scapy_reads_them() -> None:
    """RFC 2131 4.4.1 table 5; 4.1: from 0.0.0.0 to everybody, answers to everybody."""
    it = scene(dhcp4_hostname="toaster")
    it.auto.start()
    it.server.run(SECOND)
    discover, request = (Ether(heard.frame) for heard in it.server.take())
    for packet in (discover, request):
        assert packet.dst == "ff:ff:ff:ff:ff:ff"
        assert (packet[IP].src, packet[IP].dst) == ("0.0.0.0", "255.255.255.255")
        assert (packet[UDP].sport, packet[UDP].dport) == (68, 67)
        again = packet.copy()
        del again[IP].chksum, again[UDP].chksum
        assert bytes(again.__class__(bytes(again))) == bytes(packet)
        boot = packet[BOOTP]
        assert (boot.op, boot.htype, boot.hlen, boot.hops) == (1, 1, 6, 0)
        assert (boot.ciaddr, boot.yiaddr, boot.giaddr) == ("0.0.0.0",) * 3
        assert boot.flags.B
        assert boot.chaddr[:6] == it.host.port.mac
        assert len(bytes(boot)) >= 300
    said: list[dict[str, Any]] = [
        dict(o for o in p[DHCP].options if isinstance(o, tuple)) for p in (discover, request)
    ]
    assert [one["message-type"] for one in said] == [1, 3]
    for one in said:
        assert one["client_id"] == b"\xff" + it.host.port.mac[2:] + b"\0\3\0\1" + it.host.port.mac
        assert one["max_dhcp_size"] == 1500
        assert one["hostname"] == b"toaster"
        wanted = one["param_req_list"]
        assert {1, 3, 6, 15, 26, 28, 33, 51, 58, 59, 119, 121} == set(wanted)
        assert wanted.index(121) < min(wanted.index(3), wanted.index(33))  # RFC 3442
    assert "requested_addr" not in said[0]
    assert "server_id" not in said[0]
    assert said[1]["requested_addr"] == "192.0.2.50"
    assert said[1]["server_id"] == "192.0.2.1"


def test_without_a_host_name_none_is_sent() -> None:
    it = scene()
    it.bind()
    it.auto.stop()
    it.auto.start()
    heard = it.server.run_until("discover")
    assert opt.HOST_NAME not in heard.message.options


def test_client_id_and_duid_can_be_configured() -> None:
    choices: list[tuple[dict[str, Any], bytes]] = [
        ({"dhcp4_client_id": b"\1abcdef"}, b"\1abcdef"),
        ({"dhcp_duid": b"\0\4" + bytes(16)}, b"\xff\0\0\0\1\0\4" + bytes(16)),
    ]
    for settings, expected in choices:
        it = scene(**settings)
        it.auto.start()
        heard = it.server.run_until("discover")
        assert heard.message.options[opt.CLIENT_ID] == expected


@pytest.mark.parametrize(
    "settings",
    [
        {"dhcp_duid": b"\0\3"},
        {"dhcp4_client_id": b"x"},
        {"dhcp4_client_id": bytes(256)},
        {"dhcp4_hostname": "x" * 64},
        {"dhcp4_hostname": "b\u00e4r"},
        {"dhcp4_hostname": "a\nb"},
        {"dhcp4_decline_wait": 9 * SECOND},
        {"dhcp4_mtu_min": 67},
    ],
)
def test_settings_that_could_not_work_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        Config(**settings)  # type: ignore[arg-type]


def test_the_first_message_comes_after_a_random_while() -> None:
    """4.4.1: of 1 to 10 seconds, as configured here."""
    delays = set()
    for seed in range(12):
        it = scene(seed, dhcp4_initial_delay=10 * SECOND)
        began = it.world.now
        it.auto.start()
        delays.add((it.server.run_until("discover").when - began) / SECOND)
    assert len(delays) == 12
    assert all(1 <= delay <= 10 for delay in delays)
    assert max(delays) > 6 > 4 > min(delays)


def test_silence_is_met_with_doubling_waits_up_to_64_seconds() -> None:
    """4.1: 4, 8, 16, 32, 64 seconds, each with a random second more or less."""
    seen = []
    for seed in (1, 2, 3):
        it = scene(seed)
        it.server.offers = False
        it.auto.start()
        it.server.run(400 * SECOND)
        log = it.server.take()
        assert {heard.kind for heard in log} == {"discover"}
        assert len({heard.message.xid for heard in log}) == 1
        waits = gaps(log)
        assert len(waits) >= 7
        for wait, usual in zip(waits, (4, 8, 16, 32, 64, 64, 64), strict=False):
            assert usual - 1 <= wait <= usual + 1
        seen.append(waits[0])
        for heard in log:  # secs: since this began
            assert heard.message.secs == (heard.when - log[0].when) // SECOND
        assert it.state() == "selecting"
    assert len(set(seen)) == 3


def test_secs_has_room_for_eighteen_hours() -> None:
    it = scene()
    it.server.offers = False
    it.auto.start()
    it.server.run(70000 * SECOND)
    assert it.server.take()[-1].message.secs == 0xFFFF


def test_a_lost_offer_is_found_by_the_next_discover() -> None:
    it = scene()
    it.server.offers = False
    it.auto.start()
    it.server.run(2 * SECOND)
    it.server.offers = True
    it.server.run(10 * SECOND)
    assert it.state() == "bound"
    assert it.server.kinds() == ["discover", "discover", "request"]


def test_a_late_offer_to_an_earlier_discover_is_taken() -> None:
    it = scene()
    it.server.offers = False
    it.auto.start()
    it.server.run(20 * SECOND)
    first = it.server.log[0].message
    it.server.offer(first)
    it.server.run(SECOND)
    assert it.state() == "bound"


def test_an_unanswered_request_is_repeated_for_a_minute_then_all_begins_anew() -> None:
    """3.1.5: four times, 60 seconds together; 4.4.1: secs as in the DISCOVER."""
    it = scene()
    it.server.acks = False
    it.auto.start()
    discover = it.server.run_until("discover")
    it.server.run(0)
    assert it.state() == "requesting"
    again = it.server.run_until("discover")
    log = it.server.take()
    requests = [heard for heard in log if heard.kind == "request"][:4]
    assert [heard.kind for heard in log[:6]] == ["discover", *["request"] * 4, "discover"]
    assert 56 <= (again.when - requests[0].when) / SECOND <= 64
    assert {heard.message.secs for heard in requests} == {discover.message.secs}
    assert {heard.message.xid for heard in requests} == {discover.message.xid}
    assert again.message.xid != discover.message.xid
    assert again.message.secs == 0


def test_secs_of_the_request_is_that_of_the_discover_that_was_answered() -> None:
    it = scene()
    it.server.offers = False
    it.auto.start()
    it.server.run(14 * SECOND)
    it.server.offers = True
    request = it.server.run_until("request")
    discover = it.server.log[-2]
    assert discover.kind == "discover"
    assert discover.message.secs > 0
    assert request.message.secs == discover.message.secs


def test_the_lease_runs_from_when_it_was_asked_for() -> None:
    """4.4.1: not from when the answer came."""
    it = scene()
    it.server.acks = False
    it.auto.start()
    request = it.server.run_until("request")
    it.server.run(3 * SECOND)
    it.server.ack(request.message)
    lease = it.auto.client.lease
    assert lease is not None
    assert lease.expires == request.when + LEASE * SECOND


# Several servers.


def test_the_first_offer_is_taken_and_others_come_too_late() -> None:
    it = scene()
    it.server.offers = it.server.acks = False
    it.auto.start()
    discover = it.server.run_until("discover").message
    it.server.offer(discover)
    other = it.server.reply(opt.OFFER, discover)
    other.options[opt.SERVER_ID] = addr.parse("192.0.2.2")
    it.server.send(other)
    it.server.run(0)
    request = it.server.take()[-1].message
    assert request.options[opt.SERVER_ID] == it.server.address
    assert it.dhcp_drops() == {"dhcp4_unexpected": 1}


@pytest.mark.parametrize("kind", [opt.ACK, opt.NAK])
def test_a_server_that_was_not_selected_has_no_say(kind: int) -> None:
    it = scene()
    it.server.acks = False
    it.auto.start()
    request = it.server.run_until("request").message
    stranger = it.server.reply(kind, request)
    stranger.options[opt.SERVER_ID] = addr.parse("192.0.2.2")
    it.server.send(stranger)
    assert it.state() == "requesting"
    assert it.dhcp_drops() == {"dhcp4_unexpected": 1}
    it.server.ack(request)
    assert it.state() == "bound"


def test_offers_can_be_collected() -> None:
    """The address that the interface had before wins, else the first offer does."""
    it = scene(dhcp4_offer_wait=500 * MS)
    it.server.offers = False
    it.auto.start()
    discover = it.server.run_until("discover").message
    for number in (7, 8, 9):
        offer = it.server.reply(opt.OFFER, discover)
        offer.yiaddr = bytes((192, 0, 2, number))
        it.server.send(offer)
    it.server.run(400 * MS)
    assert it.state() == "selecting"
    it.server.yiaddr = bytes((192, 0, 2, 7))
    it.server.run(200 * MS)
    assert it.address() == bytes((192, 0, 2, 7))


def test_an_offer_of_the_wished_address_ends_the_collecting() -> None:
    it = scene(dhcp4_offer_wait=5 * SECOND)
    it.server.acks = False
    it.auto.start("192.0.2.50")
    it.server.offers = False
    discover = it.server.run_until("discover").message
    assert discover.options[opt.REQUESTED_ADDRESS] == it.server.yiaddr
    other = it.server.reply(opt.OFFER, discover)
    other.yiaddr = bytes((192, 0, 2, 7))
    it.server.send(other)
    assert it.state() == "selecting"
    it.server.offer(discover)
    it.server.run(0)
    request = it.server.take()[-1].message
    assert request.options[opt.REQUESTED_ADDRESS] == it.server.yiaddr


def test_offers_are_not_collected_without_end() -> None:
    it = scene(dhcp4_offer_wait=5 * SECOND)
    it.server.offers = False
    it.auto.start()
    discover = it.server.run_until("discover").message
    for _ in range(100):
        it.server.offer(discover)
    assert it.dhcp_drops() == {"dhcp4_unexpected": 92}


# What is not an answer.


SPOILT_OPTIONS: dict[str, tuple[int, bytes | None]] = {
    "client id": (opt.CLIENT_ID, b"\xffsomebody else"),
    "no type": (opt.MESSAGE_TYPE, None),
    "two types": (opt.MESSAGE_TYPE, b"\2\2"),
    "strange type": (opt.MESSAGE_TYPE, b"\x63"),
    "no server": (opt.SERVER_ID, None),
    "server 0.0.0.0": (opt.SERVER_ID, addr.ANY4),
    "long server": (opt.SERVER_ID, b"\xc0\0\2\1\1"),
    "no lease": (opt.LEASE_TIME, None),
    "short lease option": (opt.LEASE_TIME, b"\1\1"),
    "lease 0": (opt.LEASE_TIME, bytes(4)),
    "lease 9": (opt.LEASE_TIME, b"\0\0\0\x09"),
}


def spoil(message: Message, what: str) -> None:
    """Make one thing about a good answer wrong."""
    if what in SPOILT_OPTIONS:
        code, value = SPOILT_OPTIONS[what]
        message.options.pop(code, None)
        if value is not None:
            message.options[code] = value
    elif what == "xid":
        message.xid ^= 1
    elif what == "chaddr":
        message.chaddr = message.chaddr[:5] + b"\x77"
    elif what == "hlen":
        message.chaddr = message.chaddr[:5]
    elif what == "htype":
        message.htype = 6
    elif what == "op":
        message.op = dhcp4.BOOTREQUEST
    else:
        message.yiaddr = addr.parse(what)


IGNORED = [
    ("xid", "dhcp4_not_for_us"),
    ("chaddr", "dhcp4_not_for_us"),
    ("hlen", "dhcp4_not_for_us"),
    ("htype", "dhcp4_not_for_us"),
    ("client id", "dhcp4_not_for_us"),  # RFC 6842 3
    ("op", "dhcp4_malformed"),
    ("no type", "dhcp4_unexpected"),
    ("two types", "dhcp4_unexpected"),
    ("strange type", "dhcp4_unexpected"),
    ("no server", "dhcp4_invalid"),
    ("server 0.0.0.0", "dhcp4_invalid"),
    ("long server", "dhcp4_invalid"),
    ("no lease", "dhcp4_invalid"),
    ("short lease option", "dhcp4_invalid"),
    ("lease 0", "dhcp4_invalid"),
    ("lease 9", "dhcp4_invalid"),
    ("0.0.0.0", "dhcp4_invalid"),
    ("127.0.0.1", "dhcp4_invalid"),
    ("224.0.0.1", "dhcp4_invalid"),
    ("255.255.255.255", "dhcp4_invalid"),
    ("169.254.7.7", "dhcp4_invalid"),
    ("192.0.2.0", "dhcp4_invalid"),
    ("192.0.2.255", "dhcp4_invalid"),
]


@pytest.mark.parametrize(("what", "reason"), IGNORED)
@pytest.mark.parametrize("kind", [opt.OFFER, opt.ACK])
def test_what_is_no_answer_changes_nothing(kind: int, what: str, reason: str) -> None:
    it = scene()
    it.server.offers = kind != opt.OFFER
    it.server.acks = False
    it.auto.start()
    question = it.server.run_until("discover" if kind == opt.OFFER else "request").message
    it.server.run(0)
    before, said = it.state(), len(it.server.log)
    bad = it.server.reply(kind, question)
    spoil(bad, what)
    it.server.send(bad)
    it.server.run(MS)
    assert it.state() == before
    assert len(it.server.log) == said
    assert it.dhcp_drops() == {reason: 1}
    assert it.address() == b""
    it.server.send(it.server.reply(kind, question))
    assert it.state() == ("requesting" if kind == opt.OFFER else "bound")


def test_a_server_that_echoes_our_client_id_is_believed() -> None:
    """RFC 6842."""
    it = scene()
    it.server.options[opt.CLIENT_ID] = it.auto.client.client_id
    it.bind()


def test_an_ack_of_another_address_is_ignored() -> None:
    it = scene()
    it.server.acks = False
    it.auto.start()
    request = it.server.run_until("request").message
    bad = it.server.reply(opt.ACK, request)
    bad.yiaddr = addr.parse("192.0.2.51")
    it.server.send(bad)
    assert it.state() == "requesting"
    assert it.dhcp_drops() == {"dhcp4_unexpected": 1}


def test_an_ack_to_a_discover_is_ignored() -> None:
    """4.4.1: any DHCPACK is silently discarded in SELECTING."""
    it = scene()
    it.server.offers = False
    it.auto.start()
    discover = it.server.run_until("discover").message
    for kind in (opt.ACK, opt.NAK):
        it.server.send(it.server.reply(kind, discover))
    assert it.state() == "selecting"
    assert it.dhcp_drops() == {"dhcp4_unexpected": 2}


# NAK.


def test_a_nak_leads_back_to_the_beginning_at_once() -> None:
    """3.1.5."""
    it = scene()
    it.server.acks = False
    it.auto.start()
    request = it.server.run_until("request")
    it.server.acks = True
    it.server.refuse(request.message)
    it.server.run(MS)
    assert it.state() == "bound"
    assert it.server.kinds() == ["discover", "request", "discover", "request"]
    discover = it.server.log[2]
    assert discover.when == request.when
    assert discover.message.xid != request.message.xid
    assert opt.REQUESTED_ADDRESS not in discover.message.options


def test_a_server_that_always_says_no_is_not_hammered() -> None:
    it = scene()
    it.server.nak = True
    it.auto.start()
    it.server.run(600 * SECOND)
    assert it.counters()["in_naks"] < 16
    it.server.nak = False
    it.server.run(70 * SECOND)
    assert it.state() == "bound"


def test_a_nak_without_a_server_identifier_is_ignored() -> None:
    it = scene()
    it.server.acks = False
    it.auto.start()
    request = it.server.run_until("request").message
    nak = it.server.reply(opt.NAK, request)
    del nak.options[opt.SERVER_ID]
    it.server.send(nak)
    assert it.state() == "requesting"
    assert it.dhcp_drops() == {"dhcp4_invalid": 1}


# The port.


def test_the_port_is_ours_while_dhcp_runs() -> None:
    it = scene()
    assert it.auto.start() == status.OK
    assert it.auto.start() == status.STATE
    other = it.host.datagram()
    assert other.bind(b"", 68, 0) == status.IN_USE
    it.auto.stop()
    assert other.bind(b"", 68, SHARE_EXCLUSIVE) == status.OK
    assert it.auto.start() == status.IN_USE
    assert it.state() == "stopped"


def second_wire(it: Scene) -> tuple[Server, Autoconf4]:
    """Another interface of the same host, with a server of its own."""
    port, far = wire(b"\2\0\0\0\1\1", b"\2\0\0\0\1\2", 1500, False)
    stack = it.host.stack
    nic = stack.add_nic(port, "second")
    it.world.loop.add(stack, nic, port)
    host = Host(stack, nic, port)
    server = Server(it.world, host, Peer(it.world, far, host, 2), "198.51.100.1")
    server.yiaddr = addr.parse("198.51.100.50")
    server.options[opt.ROUTER] = server.address
    return server, stack.autoconf4(nic)


def test_two_interfaces_share_the_port_and_nothing_else() -> None:
    it = scene()
    server, auto = second_wire(it)
    assert it.auto.client.client_id != auto.client.client_id
    assert it.auto.start() == auto.start() == status.OK
    for _ in range(5):
        it.server.run(SECOND)
        server.run(0)
    assert it.auto.state()["address"] == "192.0.2.50/24"
    assert auto.state()["address"] == "198.51.100.50/24"
    for _ in range(LEASE // 2):  # both renew by unicast
        it.server.run(SECOND)
        server.run(0)
    assert it.server.kinds() == server.kinds() == ["discover", "request", "request"]
    assert it.server.log[-1].dst == it.server.address
    assert server.log[-1].dst == server.address
    auto.stop()
    it.server.run(SECOND)
    assert it.state() == "bound"
    assert auto.state()["state"] == "stopped"
    assert it.routes() == {("192.0.2.0/24", ""), ("0.0.0.0/0", "192.0.2.1")}


def test_an_answer_on_the_wrong_interface_is_ignored() -> None:
    it = scene()
    server, auto = second_wire(it)
    it.server.offers = False
    it.auto.start()
    discover = it.server.run_until("discover").message
    server.offer(discover)
    assert it.dhcp_drops() == {"dhcp4_not_for_us": 1}
    auto.start()
    server.offer(discover)
    assert it.dhcp_drops() == {"dhcp4_not_for_us": 2}
    assert it.state() == "selecting"


@pytest.mark.parametrize("text", ["::1", "192.0.2", "toaster"])
def test_a_wish_that_is_no_address(text: str) -> None:
    it = scene()
    with pytest.raises(ValueError):
        it.auto.start(text)
    assert it.state() == "stopped"
