# SPDX-License-Identifier: MIT
"""Which ICMP errors are sent, and how (RFC 1122 3.2.2, RFC 4443 2.4, RFC 1812 4.3.2); echo."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6EchoReply, IPv6

from stack.base import addr, status
from stack.base.checksum import finish
from stack.wire import ethernet, ipv4, ipv6
from tests.harness import Host, Peer, Seen, World, quiet


def setup(world: World, family: int, **settings: object) -> tuple[Host, Peer]:
    host, peer = world.host(quiet(**settings))
    peer.family = family
    return host, peer


def datagram(peer: Peer, src: bytes, dst: bytes, size: int = 4, port: int = 9) -> bytes:
    """UDP to a port nobody has."""
    bare = b"\x9c\x40" + port.to_bytes(2, "big") + (8 + size).to_bytes(2, "big") + bytes(2 + size)
    return peer.checked(17, bare, 6, src, dst)


def dissect(seen: Seen) -> IP | IPv6:
    """scapy's view, after it agreed with every length and checksum."""
    data = seen.frame[seen.pkt.net :]
    packet = IP(data) if data[0] >> 4 == 4 else IPv6(data)
    again = packet.copy()
    message = again.payload
    for layer in (again, message):
        for field in ("chksum", "cksum", "len", "plen", "ihl"):
            if field in layer.fields:
                delattr(layer, field)
    assert bytes(again) == bytes(packet)
    return packet


# No error about these.


@pytest.mark.parametrize("dst", ["10.77.0.255", "255.255.255.255", "224.0.0.1", "ff02::1"])
def test_none_about_what_went_to_a_group(world: World, dst: str) -> None:
    to = addr.parse(dst)
    host, peer = setup(world, addr.family(to))
    mac = addr.multicast_mac(to) if addr.is_multicast(to) else addr.MAC_BROADCAST
    peer.frame(*peer.packet_bytes(17, datagram(peer, peer.mine, to), dst=to), mac)
    peer.frame(*peer.packet_bytes(222, bytes(8), dst=to), mac)
    world.run(0)
    assert host.stack.door.snapshot() == {"udp_no_port": 1, "ip_protocol_unknown": 1}
    assert peer.next_ip() is None


@pytest.mark.parametrize("mac", ["ff:ff:ff:ff:ff:ff", "33:33:00:00:00:01"])
def test_none_about_what_the_link_sent_to_many(world: World, mac: str) -> None:
    """RFC 4443 2.4 e.4-5; IPv4 drops it before (RFC 1122 3.3.6)."""
    host, peer = setup(world, addr.V6)
    body = datagram(peer, peer.mine, peer.theirs)
    peer.frame(*peer.packet_bytes(17, body), addr.parse_mac(mac))
    world.run(0)
    assert host.drops() == {"udp_no_port": 1}
    assert peer.next_ip() is None


def test_none_about_a_later_fragment(world: World) -> None:
    """RFC 1122 3.2.2: not even about its unknown protocol, since it waits for the first."""
    host, peer = setup(world, addr.V4)
    peer.packet(222, bytes(16), frag=100)
    options = bytes((7, 0, 0, 0))
    packet = ipv4.build(0, 40, 1, 100, 64, 222, peer.v4, host.v4, options) + bytes(16)
    peer.frame(ethernet.TYPE_IPV4, packet)
    world.run(0)
    assert host.drops() == {"ip_option_malformed": 1}
    assert peer.next_ip() is None


@pytest.mark.parametrize(
    "source", ["0.0.0.0", "127.0.0.1", "10.77.0.255", "224.0.0.1", "250.1.1.1", "::", "ff02::9"]
)
def test_none_to_a_source_that_is_not_one_host(world: World, source: str) -> None:
    src = addr.parse(source)
    host, peer = setup(world, addr.family(src))
    peer.packet(222, bytes(8), src=src)
    world.run(0)
    assert peer.next_ip() is None
    assert sum(host.drops().values()) == 1
    proto = 1 if len(src) == 4 else 4
    assert host.stack.icmp_for(src).out_types[proto] == 0


def test_none_to_the_unspecified_source_that_icmp6_may_have(world: World) -> None:
    """Duplicate address detection speaks so; an option it does not understand is not reported."""
    host, peer = setup(world, addr.V6)
    rest = bytes((58, 0, 0x85, 2, 0, 0, 1, 0)) + bytes(24)
    packet = ipv6.build(0, 0, len(rest), 0, 255, addr.ANY6, host.v6) + rest
    peer.frame(ethernet.TYPE_IPV6, packet)
    world.run(0)
    assert host.drops() == {"ext_option_unknown": 1}
    assert peer.next_ip() is None
    assert host.stack.v6.icmp.counters.out_errors == 1


def test_unreachables_can_be_switched_off(world: World, family: int) -> None:
    """RFC 4443 3.1; other errors are not meant."""
    host, peer = setup(world, family, icmp_unreachables=False)
    peer.packet(17, datagram(peer, peer.mine, peer.theirs))
    world.run(0)
    assert peer.next_ip() is None
    assert host.drops() == {"udp_no_port": 1}
    if family == addr.V6:
        peer.packet(222, bytes(8))
        world.run(0)
        assert peer.next_ip() is not None


# How they look.


def test_an_error_has_plain_service_and_quotes_from_the_header_on(
    world: World, family: int
) -> None:
    _, peer = setup(world, family)
    peer.packet(17, datagram(peer, peer.mine, peer.theirs), tos=0xB9)
    world.run(0)
    seen = peer.next_ip()
    assert seen is not None
    packet = dissect(seen)
    assert seen.pkt.tos == 0
    if family == addr.V4:
        quote = bytes(packet[ICMP].payload)
        assert packet[IP].flags == 0
    else:
        quote = bytes(packet[ICMPv6DestUnreach].payload)
        assert packet[IPv6].fl != 0  # a label of its own (RFC 6437 3)
    assert quote == peer.packet_bytes(17, datagram(peer, peer.mine, peer.theirs), tos=0xB9)[1]


def test_padding_of_the_frame_is_not_quoted(world: World, family: int) -> None:
    _, peer = setup(world, family)
    kind, packet = peer.packet_bytes(17, datagram(peer, peer.mine, peer.theirs))
    peer.frame(kind, packet + b"padding of the link")
    world.run(0)
    seen = peer.next_ip()
    assert seen is not None
    assert seen.body[8:] == packet


@pytest.mark.parametrize("mtu", [68, 300])
def test_an_error_is_no_larger_than_the_path(world: World, mtu: int) -> None:
    host, peer = setup(world, addr.V4)
    path = host.stack.v4.path(peer.v4)
    assert path is not None
    host.stack.host.pmtu.lower(path, mtu)
    peer.packet(17, datagram(peer, peer.mine, peer.theirs, 1000))
    world.run(0)
    (seen,) = peer.received()
    assert seen.pkt.end - seen.pkt.net == mtu
    assert seen.pkt.fragment is None


def test_the_error_leaves_from_the_address_that_was_asked(world: World, family: int) -> None:
    host, peer = setup(world, family)
    other = "10.77.0.44" if family == addr.V4 else "fd77::44"
    host.stack.add_address(host.nic, other, 24 if family == addr.V4 else 64)
    to = addr.parse(other)
    peer.packet(17, datagram(peer, peer.mine, to), dst=to)
    world.run(0)
    seen = peer.next_ip()
    assert seen is not None
    assert seen.pkt.src == to


# Echo.


@pytest.mark.parametrize("tos", [0x00, 0xB8, 0xE3])
def test_echo_has_the_service_of_the_request(world: World, family: int, tos: int) -> None:
    """RFC 1349 5.1; the two bits of ECN are not service, and not for us to copy."""
    host, peer = setup(world, family)
    kind = 8 if family == addr.V4 else 128
    bare = bytes((kind, 0, 0, 0, 0, 7, 0, 1)) + b"payload!"
    if family == addr.V4:
        total = finish(int.from_bytes(bare, "big"))
        peer.packet(1, bare[:2] + total.to_bytes(2, "big") + bare[4:], tos=tos, ttl=0)
    else:
        peer.packet(58, peer.checked(58, bare, 2, peer.mine, peer.theirs), tos=tos, ttl=0)
    world.run(0)
    seen = peer.next_ip()
    assert seen is not None
    assert seen.pkt.tos == tos & 0xFC
    packet = dissect(seen)
    reply = packet[ICMP] if family == addr.V4 else packet[ICMPv6EchoReply]
    assert (reply.id, reply.seq) == (7, 1)
    assert host.drops() == {}  # a hop limit of zero is no fault at the destination


@pytest.mark.parametrize("answering", [False, True])
def test_echo_to_a_group_by_configuration(world: World, family: int, answering: bool) -> None:
    host, peer = setup(world, family, echo_broadcast=answering, echo_multicast6=answering)
    groups = ["10.77.0.255", "224.0.0.1"] if family == addr.V4 else ["ff02::1"]
    for text in groups:
        group = addr.parse(text)
        mac = addr.multicast_mac(group) if addr.is_multicast(group) else addr.MAC_BROADCAST
        if family == addr.V4:
            body = bytes((8, 0, 0xF7, 0xFD, 0, 1, 0, 1))
        else:
            body = peer.checked(58, bytes((128, 0, 0, 0, 0, 1, 0, 1)), 2, peer.mine, group)
        proto = 1 if family == addr.V4 else 58
        peer.frame(*peer.packet_bytes(proto, body, dst=group), mac)
        world.run(0)
        seen = peer.next_ip()
        assert (seen is not None) == answering
        if seen is not None:
            assert seen.pkt.src == peer.theirs
    assert host.drops() == ({} if answering else {"icmp_echo_group": len(groups)})


def test_every_message_is_counted_by_type(world: World, family: int) -> None:
    """RFC 4293 icmpMsgStatsTable."""
    host, peer = setup(world, family)
    icmp = host.stack.icmp_for(peer.mine)
    request, reply = (8, 0) if family == addr.V4 else (128, 129)
    for number in range(3):
        peer.sends_icmp(request, 0, number)
    peer.sends_icmp(200, 0, 0)
    peer.packet(17, datagram(peer, peer.mine, peer.theirs))
    world.run(0)
    unreachable = 3 if family == addr.V4 else 1
    assert (icmp.in_types[request], icmp.in_types[200]) == (3, 1)
    assert (icmp.out_types[reply], icmp.out_types[unreachable]) == (3, 1)
    assert sum(icmp.in_types) == icmp.counters.in_msgs
    assert sum(icmp.out_types) == icmp.counters.out_msgs
    peer.packet(1 if family == addr.V4 else 58, bytes((request, 0, 9, 9, 0, 0, 0, 0)))
    world.run(0)
    assert icmp.counters.in_errors == 1
    assert sum(icmp.in_types) == icmp.counters.in_msgs - 1  # nobody knows what it was


def test_an_echo_request_of_ours(world: World, family: int) -> None:
    """Its hop limit, service and source are for the caller to say."""
    host, peer = setup(world, family)
    icmp = host.stack.icmp_for(peer.mine)
    assert icmp.echo(peer.mine, 9, 3, b"probe", hops=5, tos=0x20, src=peer.theirs) == status.OK
    world.run(0)
    seen = peer.next_ip()
    assert seen is not None
    packet = dissect(seen)
    assert (seen.pkt.ttl, seen.pkt.tos, seen.pkt.src) == (5, 0x20, peer.theirs)
    assert seen.body[4:] == bytes((0, 9, 0, 3)) + b"probe"
    if family == addr.V6:
        assert packet[IPv6].fl != 0
        icmp.echo(peer.mine, 9, 4, b"probe")
        world.run(0)
        again = peer.next_ip()
        assert again is not None
        assert dissect(again)[IPv6].fl == packet[IPv6].fl


def test_an_echo_request_that_must_not_be_fragmented(world: World, family: int) -> None:
    host, peer = setup(world, family)
    icmp = host.stack.icmp_for(peer.mine)
    fits = 1472 if family == addr.V4 else 1452
    assert icmp.echo(peer.mine, 9, 3, bytes(fits), df=True) == status.OK
    assert icmp.echo(peer.mine, 9, 3, bytes(fits + 1), df=True) == status.TOO_BIG
    far = addr.parse("192.0.2.1" if family == addr.V4 else "2001:db8::1")
    assert icmp.echo(far, 9, 3, b"") == status.NO_ROUTE
