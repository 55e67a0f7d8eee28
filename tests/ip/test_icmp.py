# SPDX-License-Identifier: MIT
"""ICMP both ways, both families: echo, errors sent within the rules, errors honoured."""

from __future__ import annotations

import pytest

from stack.base import addr
from stack.base.units import MINUTE, SECOND
from stack.wire import ipv4, ipv6
from tests.harness import Host, Peer, World, quiet


def setup(world: World, family: int, **settings: object) -> tuple[Host, Peer]:
    host, peer = world.host(quiet(**settings))
    peer.family = family
    return host, peer


def request_type(family: int) -> int:
    return 8 if family == addr.V4 else 128


@pytest.mark.parametrize("size", [0, 1, 56, 1400])
def test_echo_returns_everything(world: World, family: int, size: int) -> None:
    """Identifier, sequence and data unchanged, from the address that was asked."""
    host, peer = setup(world, family)
    data = bytes(n % 255 for n in range(size))
    peer.sends_icmp(request_type(family), 0, 0x12345678, data)
    world.run(0)
    seen = peer.next_ip()
    assert seen is not None
    assert seen.pkt.src == host.address(family)
    assert seen.body[0] == (0 if family == addr.V4 else 129)
    assert seen.body[4:] == bytes.fromhex("12345678") + data
    neighbor = 0 if family == addr.V4 else 1  # a solicitation and its answer are ICMPv6 too
    assert host.stack.icmp_for(peer.mine).counters.moved() == {
        "in_msgs": 1 + neighbor,
        "in_echos": 1,
        "out_msgs": 1 + neighbor,
        "out_echo_replies": 1,
    }


def test_large_echo_between_stacks(world: World, family: int) -> None:
    a, b = world.pair()
    got = []
    icmp = a.stack.icmp_for(a.address(family))
    icmp.listen(5, lambda src, seq, size, ttl, when: got.append((src, seq, size)))
    for number, size in enumerate((0, 1472, 1473, 9000, 60_000)):
        icmp.echo(b.address(family), 5, number, bytes(size))
        world.run(0)
    expected = [(b.address(family), n, s) for n, s in enumerate((0, 1472, 1473, 9000, 60_000))]
    assert got == expected


def test_bad_checksum_and_short(world: World, family: int) -> None:
    host, peer = setup(world, family)
    proto = 1 if family == addr.V4 else 58
    peer.packet(proto, bytes((request_type(family), 0, 1, 2, 3, 4, 5, 6)))
    peer.packet(proto, bytes((request_type(family), 0, 0)))
    world.run(0)
    assert host.drops() == {"icmp_checksum": 1, "icmp_short": 1}
    assert peer.next_ip() is None


def test_echo_to_a_group(world: World, family: int) -> None:
    """IPv4 groups stay silent by default (RFC 1122 allows), IPv6 ones are answered (RFC 4443)."""
    host, peer = setup(world, family)
    group = bytes((10, 77, 0, 255)) if family == addr.V4 else addr.ALL_NODES
    mac = addr.MAC_BROADCAST if family == addr.V4 else addr.multicast_mac(group)
    bare = bytes((request_type(family), 0, 0, 0, 0, 1, 0, 1))
    if family == addr.V4:
        body = bare[:2] + (0xFFFF - 0x0802).to_bytes(2, "big") + bare[4:]
        proto = 1
    else:
        body = peer.checked(58, bare, 2, peer.v6, group)
        proto = 58
    peer.frame(*peer.packet_bytes(proto, body, dst=group), mac)
    world.run(0)
    seen = peer.next_ip()
    if family == addr.V4:
        assert seen is None
        assert host.drops() == {"icmp_echo_group": 1}
    else:
        assert seen is not None
        assert seen.pkt.src in host.stack.v6.local


def test_port_unreachable_quotes_the_offender(world: World, family: int) -> None:
    host, peer = setup(world, family)
    peer.sends_udp(b"anybody?", dport=4321)
    world.run(0)
    seen = peer.next_ip()
    assert seen is not None
    assert seen.body[:2] == (bytes((3, 3)) if family == addr.V4 else bytes((1, 4)))
    quote = seen.body[8:]
    assert quote.endswith(b"anybody?")
    assert quote[0] >> 4 == (4 if family == addr.V4 else 6)
    assert host.drops() == {"udp_no_port": 1}


def test_errors_are_as_long_as_allowed(world: World, family: int) -> None:
    _, peer = setup(world, family)
    peer.sends_udp(bytes(1400), dport=4321)
    world.run(0)
    seen = peer.next_ip()
    assert seen is not None
    assert seen.pkt.end - seen.pkt.net == (576 if family == addr.V4 else 1280)


def test_errors_are_rate_limited_per_host_and_recover(world: World, family: int) -> None:
    host, peer = setup(world, family, icmp_host_rate=10, icmp_host_burst=5)
    for _ in range(50):
        peer.sends_udp(b"x", dport=9)
    world.run(0)
    assert len(peer.received()) == 5
    assert host.stack.host.gate.suppressed == 45
    peer.inbox.clear()
    world.run(SECOND)
    peer.sends_udp(b"x", dport=9)
    world.run(0)
    assert len(peer.received()) == 1


def test_errors_are_rate_limited_in_total(world: World) -> None:
    host, peer = setup(world, addr.V4, icmp_error_rate=1, icmp_error_burst=3)
    for number in range(10, 60):
        src = bytes((10, 77, 0, number))
        bare = b"\x9c\x40\0\x09\0\x08\0\0"
        peer.packet(17, peer.checked(17, bare, 6, src, host.v4), src=src)
    world.run(0)
    assert host.stack.v4.icmp.out_types[3] == 3
    assert host.stack.v4.icmp.counters.out_errors == 47


@pytest.mark.parametrize("kind", [3, 4, 5, 11, 12])
def test_no_error_about_an_icmp_error(world: World, kind: int) -> None:
    """Protocol unreachable would be due for its unknown inner protocol; but never for errors."""
    host, peer = setup(world, addr.V4)
    inner = ipv4.build(0, 28, 1, 0, 64, 200, host.v4, peer.v4) + bytes(8)
    peer.sends_icmp(kind, 0, 0, inner)
    world.run(0)
    assert peer.next_ip() is None


def test_no_error_about_broadcast_or_fragment(world: World) -> None:
    host, peer = setup(world, addr.V4)
    bare = b"\x9c\x40\0\x09\0\x08\0\0"
    group = bytes((10, 77, 0, 255))
    data = peer.checked(17, bare, 6, peer.v4, group)
    peer.frame(*peer.packet_bytes(17, data, dst=group), addr.MAC_BROADCAST)
    peer.packet(200, bytes(16), frag=100)
    world.run(0)
    assert peer.next_ip() is None
    assert host.drops()["udp_no_port"] == 1


def test_source_quench_and_unknown_types_are_ignored(world: World) -> None:
    host, peer = setup(world, addr.V4)
    inner = ipv4.build(0, 28, 1, 0, 64, 6, host.v4, peer.v4) + bytes(8)
    for kind in (4, 6, 9, 10, 13, 15, 16, 17, 18, 30, 39, 40, 255):
        peer.sends_icmp(kind, 0, 0, inner)
    world.run(0)
    assert host.drops() == {"icmp_type_unknown": 5, "icmp_deprecated": 8}
    assert peer.next_ip() is None


@pytest.mark.parametrize("kind", [133, 134, 137, 130, 131, 132, 143, 200])
def test_v6_messages_that_are_not_for_us(world: World, kind: int) -> None:
    host, peer = setup(world, addr.V6)
    peer.sends_icmp(kind, 0, 0, bytes(40))
    world.run(0)
    assert sum(host.drops().values()) == 1
    assert peer.next_ip() is None


def quoted(host: Host, peer: Peer, body: bytes, proto: int = 17) -> bytes:
    """A packet of the stack's own as an ICMP error would quote it."""
    if peer.family == addr.V4:
        return ipv4.build(0, 20 + len(body), 1, 0, 64, proto, host.v4, peer.v4) + body
    return ipv6.build(0, 0, len(body), proto, 64, host.v6, peer.v6) + body


def too_big(peer: Peer, mtu: int, inner: bytes) -> None:
    if peer.family == addr.V4:
        peer.sends_icmp(3, 4, mtu, inner)
    else:
        peer.sends_icmp(2, 0, mtu, inner)


def sender(world: World, family: int) -> tuple[Host, Peer, bytes]:
    """A host that has sent a datagram to its peer, and how an error would quote it."""
    host, peer = setup(world, family)
    endpoint = host.datagram()
    endpoint.bind(b"", 5000, 0)
    assert endpoint.send([b"data"], 4, peer.mine, 9, 0) == 0
    world.run(0)
    assert peer.next_ip() is not None
    body = (5000).to_bytes(2, "big") + (9).to_bytes(2, "big") + bytes(8)
    return host, peer, quoted(host, peer, body)


def path_mtu(host: Host, peer: Peer) -> int:
    path = host.stack.host.layer_of(peer.mine).path(peer.mine)
    assert path is not None
    return path.mtu


def test_path_mtu_is_lowered_believed_and_forgotten(world: World, family: int) -> None:
    host, peer, inner = sender(world, family)
    too_big(peer, 1300, inner)
    world.run(0)
    assert path_mtu(host, peer) == 1300
    too_big(peer, 1400, inner)
    world.run(0)
    assert path_mtu(host, peer) == 1300  # never raised by a report
    world.run(host.stack.config.pmtu_age - SECOND)
    assert path_mtu(host, peer) == 1300  # nor tried too soon
    world.run(2 * SECOND)
    assert path_mtu(host, peer) == 1500


def test_too_soon_can_not_be_configured() -> None:
    """RFC 8201 4: not within five minutes; ten are recommended."""
    assert quiet().pmtu_age == 10 * MINUTE
    assert quiet(pmtu_age=5 * MINUTE).pmtu_age == 5 * MINUTE
    with pytest.raises(ValueError, match="pmtu_age"):
        quiet(pmtu_age=5 * MINUTE - 1)


def test_all_who_use_a_path_share_what_is_known_of_it(world: World, family: int) -> None:
    """RFC 8201 5.2: another endpoint, another transport, another source address."""
    host, peer, inner = sender(world, family)
    own = addr.parse("10.77.0.44" if family == addr.V4 else "fd77::44")
    host.stack.add_address(host.nic, addr.text(own), 24 if family == addr.V4 else 64)
    early = host.datagram()
    early.bind(b"", 5001, 0)
    assert early.send([b"data"], 4, peer.mine, 9, 0) == 0
    too_big(peer, 1300, inner)
    world.run(0)
    peer.received()
    peer.inbox.clear()
    late = host.datagram()
    late.bind(own, 5002, 0)
    for endpoint in (early, late):
        assert endpoint.send([bytes(1400)], 1400, peer.mine, 9, 0) == 0
    host.stack.icmp_for(peer.mine).echo(peer.mine, 1, 1, bytes(1400))
    world.run(0)
    sizes = [seen.pkt.end - seen.pkt.net for seen in peer.received()]
    assert len(sizes) == 6
    assert max(sizes) <= 1300


def test_path_mtu_report_about_nobody_is_not_believed(world: World, family: int) -> None:
    host, peer = setup(world, family)
    body = (5000).to_bytes(2, "big") + (9).to_bytes(2, "big") + bytes(8)
    too_big(peer, 1300, quoted(host, peer, body))
    world.run(0)
    assert path_mtu(host, peer) == 1500


def test_path_mtu_report_about_what_was_never_sent(world: World, family: int) -> None:
    """RFC 5927 4.1: the port is bound, but nothing went to that destination from it."""
    host, peer = setup(world, family)
    endpoint = host.datagram()
    endpoint.bind(b"", 5000, 0)
    body = (5000).to_bytes(2, "big") + (9).to_bytes(2, "big") + bytes(8)
    too_big(peer, 1300, quoted(host, peer, body))
    world.run(0)
    assert path_mtu(host, peer) == 1500


def test_path_mtu_report_with_another_port_than_the_fixed_one(world: World, family: int) -> None:
    host, peer = setup(world, family)
    endpoint = host.datagram()
    endpoint.bind(b"", 5000, 0)
    endpoint.restrict(peer.mine, 9)
    endpoint.send([b"data"], 4, peer.mine, 9, 0)
    for port, mtu in ((10, 1500), (9, 1300)):
        body = (5000).to_bytes(2, "big") + port.to_bytes(2, "big") + bytes(8)
        too_big(peer, 1300, quoted(host, peer, body))
        world.run(0)
        assert path_mtu(host, peer) == mtu


@pytest.mark.parametrize("size", [576, 1006, 1007, 1492, 1500])
def test_routers_that_report_no_size(world: World, size: int) -> None:
    """RFC 1191 5 and 7.1: the next plateau below the packet's size."""
    host, peer, quote = sender(world, addr.V4)
    inner = bytearray(quote)
    inner[2:4] = size.to_bytes(2, "big")
    too_big(peer, 0, bytes(inner))
    world.run(0)
    assert path_mtu(host, peer) == {576: 508, 1006: 508, 1007: 1006, 1492: 1006, 1500: 1492}[size]


@pytest.mark.parametrize("mtu", [1, 40, 67, 1279])
def test_path_mtu_has_a_floor_and_a_plateau(world: World, family: int, mtu: int) -> None:
    """RFC 1191 3: never below 68.  RFC 8201 4: below 1280 the message is discarded.

    Plateaus are in `test_routers_that_report_no_size`."""
    if family == addr.V4:
        mtu = min(mtu, 67)
    host, peer, inner = sender(world, family)
    too_big(peer, mtu, inner)
    world.run(0)
    assert path_mtu(host, peer) == 1500
    assert host.drops() == {"icmp_mtu_invalid": 1}


@pytest.mark.parametrize("mtu", [68, 1279, 1280])
def test_no_atomic_fragments(world: World, mtu: int) -> None:
    """RFC 8021, RFC 8200 4.5: whatever a router says, what fits goes without a fragment header."""
    host, peer, inner = sender(world, addr.V6)
    too_big(peer, mtu, inner)
    world.run(0)
    host.stack.icmp_for(peer.v6).echo(peer.v6, 1, 1, bytes(1200))
    world.run(0)
    seen = peer.next_ip()
    assert seen is not None
    assert seen.frame[seen.pkt.net + 6] == 58
    assert len(seen.body) == 1208


def test_the_smallest_reports(world: World, family: int) -> None:
    least = 68 if family == addr.V4 else 1280
    host, peer, inner = sender(world, family)
    too_big(peer, least, inner)
    world.run(0)
    assert path_mtu(host, peer) == least


def test_malformed_quotes(world: World, family: int) -> None:
    host, peer = setup(world, family)
    body = bytes(12)
    good = quoted(host, peer, body)
    for inner in (b"", good[:10], b"\x55" + good[1:], good[:22]):
        too_big(peer, 1300, inner)
    world.run(0)
    assert host.drops() == {"icmp_quote_invalid": 4}


def test_unsolicited_echo_reply(world: World, family: int) -> None:
    host, peer = setup(world, family)
    peer.sends_icmp(0 if family == addr.V4 else 129, 0, 99 << 16)
    world.run(0)
    assert host.drops() == {"icmp_reply_unexpected": 1}
