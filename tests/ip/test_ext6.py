# SPDX-License-Identifier: MIT
"""IPv6 extension headers (RFC 8200 4, RFC 5095, RFC 6946, RFC 7112)."""

from __future__ import annotations

import pytest

from stack.wire import ethernet, ipv6
from tests.harness import Host, Peer, World, quiet

HOP, DST, ROUTE, FRAG, NONE, UDP = 0, 60, 43, 44, 59, 17
PROBLEM = 4


def udp(peer: Peer, host: Host, dport: int = 7) -> bytes:
    bare = b"\x9c\x40" + dport.to_bytes(2, "big") + b"\0\x0c\0\0data"
    return peer.checked(17, bare, 6, peer.v6, host.v6)


def ext(following: int, options: bytes = bytes((1, 4, 0, 0, 0, 0))) -> bytes:
    """One options header; `options` fills it up to a multiple of eight."""
    return bytes((following, (len(options) + 2) // 8 - 1)) + options


def send(world: World, host: Host, peer: Peer, first: int, rest: bytes) -> dict[str, int]:
    packet = ipv6.build(0, 0, len(rest), first, 64, peer.v6, host.v6) + rest
    peer.frame(ethernet.TYPE_IPV6, packet)
    world.run(0)
    return host.drops()


def answer(peer: Peer) -> tuple[int, int, int]:
    """(type, code, pointer) of the ICMPv6 error that came."""
    seen = peer.next_ip()
    assert seen is not None
    return seen.body[0], seen.body[1], int.from_bytes(seen.body[4:8], "big")


@pytest.fixture
def pair(world: World) -> tuple[Host, Peer]:
    host, peer = world.host()
    endpoint = host.datagram()
    endpoint.bind(b"", 7, 0)
    return host, peer


@pytest.mark.parametrize(
    "chain",
    [
        [HOP],
        [DST],
        [HOP, DST],
        [DST, DST],
        [DST, ROUTE, DST],
        [HOP, DST, ROUTE, FRAG, DST],
    ],
)
def test_headers_in_any_order_lead_to_the_transport(
    world: World, pair: tuple[Host, Peer], chain: list[int]
) -> None:
    host, peer = pair
    rest = udp(peer, host)
    following = UDP
    for kind in reversed(chain):
        if kind == ROUTE:
            rest = bytes((following, 0, 3, 0, 0, 0, 0, 0)) + rest
        elif kind == FRAG:
            rest = bytes((following, 0, 0, 0, 0, 0, 0, 9)) + rest  # atomic (RFC 6946)
        else:
            rest = ext(following) + rest
        following = kind
    assert send(world, host, peer, following, rest) == {}
    assert host.stack.udp.counters.in_datagrams == 1


def test_hop_by_hop_elsewhere_is_unrecognised(world: World, pair: tuple[Host, Peer]) -> None:
    host, peer = pair
    rest = ext(HOP) + ext(UDP) + udp(peer, host)
    assert send(world, host, peer, DST, rest) == {"ext_order": 1}
    assert answer(peer) == (PROBLEM, 1, 40)


def test_no_next_header_ends_in_silence(world: World, pair: tuple[Host, Peer]) -> None:
    host, peer = pair
    assert send(world, host, peer, NONE, b"rubbish") == {"ip_no_next_header": 1}
    assert peer.next_ip() is None


@pytest.mark.parametrize(
    ("kind", "answered", "group_answered"),
    [(0x05, None, None), (0x45, False, False), (0x85, True, True), (0xC5, True, False)],
)
def test_unknown_options_by_their_action_bits(
    world: World,
    pair: tuple[Host, Peer],
    kind: int,
    answered: bool | None,
    group_answered: bool | None,
) -> None:
    """RFC 8200 4.2: skip, discard, report, report unless to a group."""
    host, peer = pair
    rest = ext(UDP, bytes((kind, 2, 0, 0, 1, 0))) + udp(peer, host)
    drops = send(world, host, peer, DST, rest)
    if answered is None:
        assert drops == {}
        return
    assert drops == {"ext_option_unknown": 1}
    if answered:
        assert answer(peer) == (PROBLEM, 2, 42)
    else:
        assert peer.next_ip() is None
    group = bytes.fromhex("ff02") + bytes(13) + b"\x01"
    packet = ipv6.build(0, 0, len(rest), DST, 64, peer.v6, group) + rest
    peer.frame(ethernet.TYPE_IPV6, packet, b"\x33\x33\0\0\0\1")
    world.run(0)
    assert (peer.next_ip() is not None) == group_answered


def test_routing_header_type_0_and_unknown(world: World, pair: tuple[Host, Peer]) -> None:
    host, peer = pair
    for kind in (0, 77):
        rest = bytes((UDP, 0, kind, 1, 0, 0, 0, 0)) + udp(peer, host)
        send(world, host, peer, ROUTE, rest)
        assert answer(peer) == (PROBLEM, 0, 42)
    assert host.drops() == {"ext_routing": 2}


def test_unknown_next_header_behind_extensions(world: World, pair: tuple[Host, Peer]) -> None:
    host, peer = pair
    rest = ext(DST) + ext(222) + bytes(8)
    assert send(world, host, peer, DST, rest) == {"ip_protocol_unknown": 1}
    assert answer(peer) == (PROBLEM, 1, 48)


def test_truncated_headers(world: World, pair: tuple[Host, Peer]) -> None:
    host, peer = pair
    assert send(world, host, peer, DST, bytes((UDP, 9)) + bytes(6)) == {"ext_malformed": 1}
    assert send(world, host, peer, DST, bytes((UDP, 0, 0))) == {"ext_malformed": 2}
    over = bytes((UDP, 0, 0x05, 60, 0, 0, 0, 0))
    assert send(world, host, peer, DST, over) == {"ext_malformed": 3}
    assert send(world, host, peer, FRAG, bytes(4))["fragment_malformed"] == 1


def test_bounds_on_number_of_headers_and_options() -> None:
    """RFC 8504 5.3 has the bounds, RFC 8883 the codes: the pointer is where the bound was met."""
    world = World()
    knobs = {"extension_limit": 4, "option_limit": 3, "extension_chain_limit": 64}
    host, peer = world.host(quiet(**knobs))
    assert send(world, host, peer, DST, ext(DST) * 4 + ext(UDP) + udp(peer, host)) == {
        "ext_too_many": 1
    }
    assert answer(peer) == (PROBLEM, 8, 40 + 4 * 8)
    many = bytes((0x05, 0)) * 4 + bytes((1, 4, 0, 0, 0, 0))
    assert send(world, host, peer, DST, ext(UDP, many) + udp(peer, host)) == {"ext_too_many": 2}
    assert answer(peer) == (PROBLEM, 9, 40 + 2 + 3 * 2)
    long = ext(DST, bytes((1, 28)) + bytes(28)) + ext(DST, bytes((1, 28)) + bytes(28)) + ext(UDP)
    send(world, host, peer, DST, long + udp(peer, host))
    assert host.drops() == {"ext_too_many": 2, "ext_too_long": 1}
    assert answer(peer) == (PROBLEM, 7, 40 + 64)
    assert host.stack.v6.counters.in_hdr_errors == 3


PADDING = [
    (bytes((1, 4, 0, 0, 0, 0)), True),
    (bytes(6), True),
    (bytes((1, 4, 0, 0, 0, 9)), False),  # it carries something
    (bytes((1, 12)) + bytes(12), False),  # longer than alignment needs
    (bytes(14), False),
    (bytes((1, 2, 0, 0)) + bytes((0, 0)) + bytes((1, 6)) + bytes(6), False),  # in pieces
    (bytes((0, 0, 0, 0x1E, 0, 0)), True),
]


@pytest.mark.parametrize(("options", "fine"), PADDING)
@pytest.mark.parametrize("strict", [False, True])
def test_padding(options: bytes, fine: bool, strict: bool) -> None:
    """RFC 8504 5.3: refused where that is configured, in silence."""
    world = World()
    host, peer = world.host(quiet(strict_padding=strict))
    host.datagram().bind(b"", 7, 0)
    send(world, host, peer, DST, ext(UDP, options) + udp(peer, host))
    refused = strict and not fine
    assert host.drops() == ({"ext_padding": 1} if refused else {})
    assert host.stack.udp.counters.in_datagrams == (not refused)
    assert peer.next_ip() is None


@pytest.mark.parametrize("first", [HOP, DST])
def test_router_alert_and_home_address(world: World, pair: tuple[Host, Peer], first: int) -> None:
    """RFC 2711: hosts need not care.  RFC 6275: unknown here, and to be reported."""
    host, peer = pair
    rest = ext(UDP, bytes((5, 2, 0, 0, 0, 0))) + udp(peer, host)
    assert send(world, host, peer, first, rest) == {}
    assert host.stack.udp.counters.in_datagrams == 1
    rest = ext(UDP, bytes((1, 2, 0, 0, 0xC9, 16)) + bytes(16)) + udp(peer, host)
    assert send(world, host, peer, first, rest) == {"ext_option_unknown": 1}
    assert answer(peer) == (PROBLEM, 2, 46)


def test_jumbograms_are_refused(world: World, pair: tuple[Host, Peer]) -> None:
    """RFC 2675 is not done: its option is an unknown one (RFC 8200 4.2), wherever the length is."""
    host, peer = pair
    body = ext(UDP, bytes((0xC2, 4, 0, 1, 0, 0))) + bytes(1200)
    packet = ipv6.build(0, 0, 0, HOP, 64, peer.v6, host.v6) + body
    peer.frame(ethernet.TYPE_IPV6, packet)
    world.run(0)
    assert host.drops() == {"ext_jumbo": 1}
    assert answer(peer) == (PROBLEM, 2, 42)
    assert send(world, host, peer, HOP, body) == {"ext_jumbo": 1, "ext_option_unknown": 1}
    assert answer(peer) == (PROBLEM, 2, 42)


@pytest.mark.parametrize("rest", [b"", ext(UDP), bytes((UDP, 9)) + bytes(6)])
def test_a_length_of_zero_and_no_jumbo_option(
    world: World, pair: tuple[Host, Peer], rest: bytes
) -> None:
    """RFC 2675 3: the payload length is wrong then."""
    host, peer = pair
    peer.frame(ethernet.TYPE_IPV6, ipv6.build(0, 0, 0, HOP, 64, peer.v6, host.v6) + rest)
    world.run(0)
    assert host.drops() == {"ext_malformed": 1}
    assert answer(peer) == (PROBLEM, 0, 4)


@pytest.mark.parametrize("kind", [0, 2, 3, 4, 5, 253, 254])
def test_routing_headers_of_every_type(world: World, pair: tuple[Host, Peer], kind: int) -> None:
    """RFC 8200 4.4, RFC 5095: all of them are unrecognised."""
    host, peer = pair
    done = bytes((UDP, 2, kind, 0)) + bytes(20)
    assert send(world, host, peer, ROUTE, done + udp(peer, host)) == {}
    assert host.stack.udp.counters.in_datagrams == 1
    left = bytes((UDP, 2, kind, 1)) + bytes(20)
    assert send(world, host, peer, ROUTE, left + udp(peer, host)) == {"ext_routing": 1}
    assert answer(peer) == (PROBLEM, 0, 42)


@pytest.mark.parametrize("proto", [50, 51, 4, 41, 135, 139, 140, 222])
def test_protocols_that_nobody_speaks(world: World, pair: tuple[Host, Peer], proto: int) -> None:
    """Encryption, authentication, tunnels, mobility: the pointer is at the octet that names it."""
    host, peer = pair
    assert send(world, host, peer, proto, bytes(24)) == {"ip_protocol_unknown": 1}
    assert answer(peer) == (PROBLEM, 1, 6)
    send(world, host, peer, DST, ext(proto) + bytes(24))
    assert answer(peer) == (PROBLEM, 1, 40)
    counters = host.stack.v6.counters
    assert (counters.in_unknown_protos, counters.in_hdr_errors) == (2, 0)


def test_a_pointer_beyond_what_is_quoted(world: World, pair: tuple[Host, Peer]) -> None:
    """RFC 4443 3.4: it points at where the octet would be."""
    host, peer = pair
    padding = bytes((0x1E, 253)) + bytes(253) + bytes((0x1E, 253)) + bytes(253)
    long = ext(DST, padding * 2 + bytes((1, 2, 0, 0)) + bytes((1, 4, 0, 0, 0, 0)))
    assert len(long) % 8 == 0
    rest = long + long + ext(222) + bytes(200)
    assert send(world, host, peer, DST, rest) == {"ip_protocol_unknown": 1}
    seen = peer.next_ip()
    assert seen is not None
    assert seen.body[:2] == bytes((PROBLEM, 1))
    assert int.from_bytes(seen.body[4:8], "big") == 40 + 2 * len(long)
    assert seen.pkt.end - seen.pkt.net == 1280 < 40 + 2 * len(long)


def test_no_error_about_an_error_behind_extension_headers(
    world: World, pair: tuple[Host, Peer]
) -> None:
    """RFC 4443 2.4 e.1, whatever stands in front of it."""
    host, peer = pair
    bad = ext(58, bytes((0x85, 2, 0, 0, 1, 0)))
    for kind, answered in ((1, False), (127, False), (137, False), (128, True)):
        send(world, host, peer, DST, bad + bytes((kind,)) + bytes(47))
        assert (peer.next_ip() is not None) == answered
        send(
            world,
            host,
            peer,
            DST,
            ext(FRAG) + bytes((58, 0, 0, 1, 0, 0, 0, kind)) + bytes((kind,)) + bytes(6),
        )
        assert (peer.next_ip() is not None) == answered


def test_first_fragment_must_hold_all_headers(world: World, pair: tuple[Host, Peer]) -> None:
    """RFC 7112 5."""
    host, peer = pair
    # A destination options header that continues beyond the fragment.
    rest = bytes((DST, 0, 0, 1, 0, 0, 0, 9)) + bytes((UDP, 3)) + bytes(14)
    assert send(world, host, peer, FRAG, rest) == {"fragment_headers": 1}
    assert answer(peer) == (PROBLEM, 3, 0)


def test_fragment_length_and_total_size(world: World, pair: tuple[Host, Peer]) -> None:
    host, peer = pair
    odd = bytes((UDP, 0, 0, 1, 0, 0, 0, 9)) + bytes(13)
    assert send(world, host, peer, FRAG, odd) == {"fragment_malformed": 1}
    assert answer(peer) == (PROBLEM, 0, 4)
    beyond = bytes((UDP, 0, 0xFF, 0xF8, 0, 0, 0, 9)) + bytes(64)
    assert send(world, host, peer, FRAG, beyond)["fragment_too_long"] == 1
    assert answer(peer) == (PROBLEM, 0, 42)
