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
    world = World()
    host, peer = world.host(quiet(extension_limit=4, option_limit=3))
    rest = ext(DST) * 4 + ext(UDP) + udp(peer, host)
    assert send(world, host, peer, DST, rest) == {"ext_too_many": 1}
    many = bytes((0x05, 0)) * 4 + bytes((1, 4, 0, 0, 0, 0))
    assert send(world, host, peer, DST, ext(UDP, many) + udp(peer, host)) == {"ext_too_many": 2}


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
