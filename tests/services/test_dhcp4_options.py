# SPDX-License-Identifier: MIT
"""DHCPv4: what comes with an address: routes, name servers, MTU; DHCPINFORM; floods and noise."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack.base import addr, status
from stack.base.units import MINUTE, SECOND
from stack.services.dhcp4_states import HOLDING
from stack.wire import dhcp4
from stack.wire import dhcp4_options as opt
from stack.wire.dhcp4 import Message
from tests.services.dhcp4_kit import Scene, scene

LINK = ("192.0.2.0/24", "")
R1, R2 = addr.parse("192.0.2.1"), addr.parse("192.0.2.2")


def bound(options: dict[int, bytes | None], **settings: Any) -> Scene:
    """A host that was told these options beside the usual ones; None takes one away."""
    it = scene(**settings)
    for code, value in options.items():
        if value is None:
            del it.server.options[code]
        else:
            it.server.options[code] = value
    it.bind()
    return it


# Masks.


@pytest.mark.parametrize(
    ("mask", "length"),
    [
        (b"\xff\xff\xff\x80", 25),
        (b"\xff\xff\xff\xff", 32),
        (None, 24),  # the class's
        (b"\xff\0\xff\0", 24),  # as if it were absent
        (b"\xff\xff", 24),
    ],
)
def test_the_subnet_mask(mask: bytes | None, length: int) -> None:
    it = bound({opt.SUBNET_MASK: mask})
    assert it.auto.state()["address"] == f"192.0.2.50/{length}"
    prefix = addr.text(addr.mask(it.server.yiaddr, length))
    assert (f"{prefix}/{length}", "") in it.routes()


# Routes.


def test_routers_are_taken_in_order_of_preference() -> None:
    it = bound({opt.ROUTER: R2 + R1})
    assert it.routes() == {LINK, ("0.0.0.0/0", "192.0.2.1"), ("0.0.0.0/0", "192.0.2.2")}
    route = it.host.stack.host.routes.lookup(addr.parse("8.8.8.8"))
    assert route is not None
    assert route.gateway == R2


def test_the_order_of_routers_may_change() -> None:
    it = bound({opt.ROUTER: R2 + R1})
    it.server.options[opt.ROUTER] = R1 + R2
    it.server.run(1800 * SECOND)
    route = it.host.stack.host.routes.lookup(addr.parse("8.8.8.8"))
    assert route is not None
    assert route.gateway == R1


def test_no_more_than_four_routers() -> None:
    it = bound({opt.ROUTER: b"".join(bytes((192, 0, 2, n)) for n in range(1, 40))})
    assert len(it.routes()) == 1 + 4


@pytest.mark.parametrize(
    "router", [None, b"", b"\1\2\3", bytes(4), b"\xe0\0\0\1", b"\x7f\0\0\1", b"\xff" * 4]
)
def test_routers_that_are_none(router: bytes | None) -> None:
    assert bound({opt.ROUTER: router}).routes() == {LINK}


def test_our_own_address_is_no_router() -> None:
    assert bound({opt.ROUTER: addr.parse("192.0.2.50")}).routes() == {LINK}


def test_classless_routes_override_routers_and_static_routes() -> None:
    """RFC 3442: options 3 and 33 are ignored; 0.0.0.0 is the link itself."""
    classless = opt.encode_routes(
        [
            (addr.parse("198.51.100.0"), 24, R2),
            (addr.parse("203.0.113.9"), 32, addr.ANY4),
            (addr.ANY4, 0, R2),
        ]
    )
    it = bound(
        {
            opt.CLASSLESS_ROUTES: classless,
            opt.ROUTER: R1,
            opt.STATIC_ROUTE: addr.parse("10.0.0.0") + R1,
        }
    )
    assert it.routes() == {
        LINK,
        ("198.51.100.0/24", "192.0.2.2"),
        ("203.0.113.9/32", ""),
        ("0.0.0.0/0", "192.0.2.2"),
    }
    path = it.host.stack.v4.path(addr.parse("203.0.113.9"))
    assert path is not None
    assert path.neighbor.address == addr.parse("203.0.113.9")


def test_classless_routes_without_a_default_leave_none() -> None:
    classless = opt.encode_routes([(addr.parse("198.51.100.0"), 24, R2)])
    it = bound({opt.CLASSLESS_ROUTES: classless, opt.ROUTER: R1})
    assert it.host.stack.v4.path(addr.parse("8.8.8.8")) is None


def test_malformed_classless_routes_are_as_good_as_absent() -> None:
    it = bound({opt.CLASSLESS_ROUTES: b"\x21" + bytes(9), opt.ROUTER: R1})
    assert it.routes() == {LINK, ("0.0.0.0/0", "192.0.2.1")}


def test_static_routes_without_classless_ones() -> None:
    it = bound({opt.STATIC_ROUTE: addr.parse("10.0.0.0") + R2})
    assert ("10.0.0.0/8", "192.0.2.2") in it.routes()


def test_the_number_of_routes_is_bounded() -> None:
    many = [(bytes((10, n, 0, 0)), 16, R1) for n in range(150)]
    it = scene()
    it.server.options[opt.CLASSLESS_ROUTES] = opt.encode_routes(many)
    it.bind()
    assert len(it.routes()) == 1 + 64


def test_a_host_address_with_a_gateway_beyond_it() -> None:
    """A /32 with an on-link route to its gateway, as clouds have it."""
    gateway = addr.parse("203.0.113.1")
    routes = [(gateway, 32, addr.ANY4), (addr.ANY4, 0, gateway)]
    it = bound({opt.SUBNET_MASK: b"\xff" * 4, opt.CLASSLESS_ROUTES: opt.encode_routes(routes)})
    path = it.host.stack.v4.path(addr.parse("8.8.8.8"))
    assert path is not None
    assert path.neighbor.address == gateway


def test_a_route_that_was_there_before_stays_when_the_lease_goes() -> None:
    it = scene()
    it.host.stack.add_route("0.0.0.0", 0, it.host.nic, "192.0.2.1")
    it.bind()
    it.auto.stop()
    it.server.run(SECOND)
    assert it.routes() == {("0.0.0.0/0", "192.0.2.1")}


def test_routes_are_withdrawn_when_a_renewal_has_none() -> None:
    it = bound({opt.STATIC_ROUTE: addr.parse("10.0.0.0") + R2})
    it.server.options.clear()
    it.server.set_lease(3600)
    it.server.run(1800 * SECOND)
    assert it.routes() == {LINK}
    assert it.host.stack.host.name_servers.servers() == []


# Names.


def test_name_servers_reach_the_resolver() -> None:
    it = scene()
    resolver = it.host.stack.resolver
    it.bind()
    assert [server.address for server in resolver.means.servers] == [addr.parse("192.0.2.53")]
    assert resolver.domain() == "example.org"
    it.auto.stop()
    assert resolver.means.servers == []
    assert resolver.domain() == ""


def test_the_search_list_goes_before_the_domain() -> None:
    it = bound({opt.DOMAIN_SEARCH: b"\3eng\5apple\3com\0\x09marketing\xc0\x04"})
    assert it.host.stack.host.name_servers.search() == ["eng.apple.com", "marketing.apple.com"]
    it = bound({opt.DOMAIN_SEARCH: b"\3eng"})
    assert it.host.stack.host.name_servers.search() == ["example.org"]


def test_name_servers_that_are_none() -> None:
    bad = b"\xe0\0\0\1" + bytes(4) + b"\x7f\0\0\1" + addr.parse("192.0.2.9")
    it = bound({opt.NAME_SERVER: bad})
    assert it.host.stack.host.name_servers.servers() == [(addr.parse("192.0.2.9"), 0)]


# MTU.


@pytest.mark.parametrize(
    ("said", "expected"),
    [(1400, 1400), (1500, 1500), (9000, 1500), (576, 576), (575, 1500), (68, 1500), (0, 1500)],
)
def test_the_interface_mtu(said: int, expected: int) -> None:
    """Never above the device's, nor below `Config.dhcp4_mtu_min`."""
    it = bound({opt.INTERFACE_MTU: said.to_bytes(2, "big")})
    path = it.host.stack.v4.path(R1)
    assert path is not None
    assert path.mtu == expected
    assert it.host.stack.v6.interface(it.host.nic).mtu == 1500


def test_rfc_2132s_own_bound_of_the_mtu() -> None:
    for said, expected in ((68, 68), (67, 1500)):
        it = bound({opt.INTERFACE_MTU: said.to_bytes(2, "big")}, dhcp4_mtu_min=68)
        assert it.host.stack.v4.interface(it.host.nic).mtu == expected


def test_the_mtu_goes_with_the_lease() -> None:
    it = bound({opt.INTERFACE_MTU: b"\x05\x00"})
    it.auto.stop()
    it.server.run(SECOND)
    assert it.host.stack.v4.interface(it.host.nic).mtu == 1500


# The form of answers.


def test_an_overloaded_answer() -> None:
    """RFC 2131 4.1, RFC 3396: routes that fill options, file and sname."""
    it = scene()
    it.server.offers = it.server.acks = False
    many = [(bytes((10, n, 0, 0)), 24, R1) for n in range(37)]
    it.server.options[opt.CLASSLESS_ROUTES] = opt.encode_routes(many)
    it.auto.start()
    for kind, answer in (("discover", opt.OFFER), ("request", opt.ACK)):
        question = it.server.run_until(kind).message
        reply = it.server.reply(answer, question)
        wire = dhcp4.build(reply, 420)
        assert wire[44] != 0  # sname
        assert wire[108] != 0  # file
        it.server.send_bytes(wire)
    assert it.state() == "bound"
    assert len(it.routes()) == 1 + 37


@pytest.mark.parametrize("wish", ["10.9.8.7", "172.16.0.9"])
def test_offers_without_a_mask_get_the_class(wish: str) -> None:
    it = scene()
    del it.server.options[opt.SUBNET_MASK]
    it.server.yiaddr = addr.parse(wish)
    it.bind()
    assert it.auto.state()["address"] == f"{wish}/{8 if wish[:2] == '10' else 16}"


# DHCPINFORM.


def informed(it: Scene) -> Message:
    it.server.offers = it.server.acks = False
    it.host.stack.add_address(it.host.nic, "192.0.2.50", 24)
    assert it.auto.inform("192.0.2.50") == status.OK
    return it.server.run_until("inform").message


def test_inform_asks_for_parameters_only() -> None:
    """RFC 2131 3.4, 4.4.3."""
    it = scene()
    message = informed(it)
    (heard,) = it.server.take()
    assert (heard.src, heard.dst) == (it.server.yiaddr, addr.BROADCAST4)
    assert message.ciaddr == it.server.yiaddr
    for code in (opt.REQUESTED_ADDRESS, opt.LEASE_TIME, opt.SERVER_ID):
        assert code not in message.options
    assert not {51, 58, 59} & set(message.options[opt.PARAMETER_LIST])
    answer = it.server.reply(opt.ACK, message)
    del answer.options[opt.LEASE_TIME]
    answer.yiaddr = addr.ANY4
    it.server.send(answer)
    assert it.auto.state()["inform"] == "informed"
    assert it.auto.state()["name_servers"] == ["192.0.2.53"]
    assert it.host.stack.host.name_servers.search() == ["example.org"]
    assert it.routes() == {LINK}
    assert it.counters() == {"out_informs": 1, "in_acks": 1}
    it.server.run(3600 * SECOND)
    assert it.server.take() == []
    it.auto.stop()
    assert it.host.stack.host.name_servers.servers() == []
    assert it.address() == it.server.yiaddr


def test_an_unanswered_inform_ends_after_a_minute() -> None:
    it = scene()
    informed(it)
    it.server.run(2 * MINUTE)
    assert it.server.kinds() == ["inform"] * 4
    assert it.auto.state()["inform"] == "unanswered"
    assert it.auto.inform("192.0.2.50") == status.OK
    assert it.auto.state()["inform"] == "informing"


@pytest.mark.parametrize("what", ["nak", "xid", "server"])
def test_what_is_no_answer_to_an_inform(what: str) -> None:
    it = scene()
    message = informed(it)
    answer = it.server.reply(opt.NAK if what == "nak" else opt.ACK, message)
    if what == "xid":
        answer.xid ^= 1
    elif what == "server":
        del answer.options[opt.SERVER_ID]
    it.server.send(answer)
    assert it.auto.state()["inform"] == "informing"
    assert sum(it.dhcp_drops().values()) == 1


def test_inform_and_lease_exclude_each_other() -> None:
    it = scene()
    assert it.auto.inform("192.0.2.50") == status.NOT_LOCAL
    informed(it)
    assert it.auto.start() == status.STATE
    it.auto.stop()
    assert it.auto.start() == status.OK
    assert it.auto.inform("192.0.2.50") == status.STATE


# Floods and noise.


def test_a_flood_does_nothing_but_count() -> None:
    it = scene()
    it.bind()
    before = len(it.host.stack.timers.armed())
    forged = Message(dhcp4.BOOTREPLY, 1, it.host.port.mac)
    forged.options.update({opt.MESSAGE_TYPE: b"\6", opt.SERVER_ID: R1})
    for xid in range(2000):
        forged.xid = xid
        it.server.send(forged)
    assert it.state() == "bound"
    assert it.dhcp_drops() == {"dhcp4_not_for_us": 2000}
    assert it.counters()["ignored"] == 2000
    assert len(it.host.stack.timers.armed()) == before
    assert it.server.take() == []


_noise = st.binary(max_size=400)
_options = st.dictionaries(st.integers(1, 254), st.binary(max_size=40), max_size=6)


@given(st.lists(st.tuples(_noise, st.booleans()), max_size=20))
def test_noise_on_the_port_changes_nothing(batch: list[tuple[bytes, bool]]) -> None:
    it = scene()
    it.bind()
    for data, with_head in batch:
        head = dhcp4.build(Message(2, 7, it.host.port.mac))[:240] if with_head else b""
        it.server.send_bytes(head + data)
    assert it.state() == "bound"
    assert it.server.take() == []
    assert sum(it.dhcp_drops().values()) == len(batch)


@given(st.lists(st.tuples(st.integers(0, 9), _options, st.booleans()), max_size=25), st.integers())
def test_whatever_a_server_says_the_machine_stays_sound(
    script: list[tuple[int, dict[int, bytes], bool]], seed: int
) -> None:
    """Answers with the right transaction and any contents, in any state: it never breaks, holds
    an address only with a lease, and still gets one from a server that behaves."""
    it = scene(abs(seed) % 1000)
    it.server.offers = it.server.acks = False
    it.auto.start()
    it.server.run(2 * SECOND)
    for kind, options, sound in script:
        if not it.server.log:
            break
        answer = it.server.reply(opt.ACK if sound else opt.OFFER, it.server.log[-1].message)
        answer.options.update(options)
        answer.options[opt.MESSAGE_TYPE] = bytes((kind,))
        it.server.send(answer)
        it.server.run(5 * SECOND)
        held = it.auto.client.lease is not None
        assert bool(it.address()) == held
        assert not held or it.auto.client.state in HOLDING
    it.auto.stop()
    it.server.run(SECOND)
    assert it.address() == b""
    it.server.offers = it.server.acks = True
    it.auto.start()
    it.server.run(20 * SECOND)
    assert it.state() == "bound"
