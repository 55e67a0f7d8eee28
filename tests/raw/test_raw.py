# SPDX-License-Identifier: MIT
"""Raw endpoints: copies of what arrives, packets of any protocol, headers of one's own."""

from __future__ import annotations

import pytest

from stack.base import addr
from stack.base.checksum import data_sum
from stack.base.status import ACCESS, INVALID, NOT_LOCAL, NOT_SUPPORTED, OK, STATE, TOO_BIG
from stack.transport.datagram_seam import Datagram, DatagramSink, Received
from stack.transport.options import Outgoing
from stack.transport.seam import (
    OPTION_BROADCAST,
    OPTION_CHECKSUM_AT,
    OPTION_HEADER_INCLUDED,
    OPTION_HOP_LIMIT,
    OPTION_NODELAY,
    OPTION_TRAFFIC_CLASS,
)
from stack.wire import icmp6, ipv4, ipv6
from tests.harness import Host, Peer, World, quiet

OWN = 253  # for experiments (RFC 3692)
ICMPV6 = 58


class Ear(DatagramSink):
    """Takes what it is told to, and keeps it."""

    def __init__(self, endpoint: Datagram) -> None:
        self.endpoint = endpoint
        self.heard: list[Received] = []
        self.limit = 1 << 30
        self.keep = False

    def received(self, batch: list[Received]) -> int:
        taken = batch[: self.limit]
        self.heard += taken
        if not self.keep:
            self.endpoint.grant(sum(r.charge for r in taken))
        return len(taken)


def raw(host: Host, protocol: int, address: bytes = b"") -> Ear:
    """A bound endpoint that listens."""
    endpoint = host.raw(protocol)
    ear = Ear(endpoint)
    endpoint.attach(ear)
    assert endpoint.bind(address, 0, 0) == OK
    return ear


def alone(world: World, family: int, **settings: object) -> tuple[Host, Peer]:
    host, peer = world.host(quiet(**settings))
    peer.family = family
    return host, peer


def unreachables(peer: Peer) -> int:
    """ICMP errors that came."""
    kinds = {1: (3,), ICMPV6: (1, 4)}
    return sum(
        seen.body[0] in kinds.get(seen.pkt.proto, ()) for seen in peer.received() if seen.body
    )


def test_ipv4_comes_with_its_header_and_ipv6_without(world: World, family: int) -> None:
    host, peer = alone(world, family)
    ear = raw(host, OWN)
    peer.packet(OWN, b"hello", ttl=9, tos=0x28)
    world.run(0)
    (got,) = ear.heard
    header = 20 if family == addr.V4 else 0
    assert bytes(got.view[header:]) == b"hello"
    assert header == 0 or got.view[0] == 0x45
    assert (got.address, got.local, got.port) == (peer.mine, peer.theirs, 0)
    assert (got.ttl, got.tos) == (9, 0x28)
    assert unreachables(peer) == 0
    assert host.drops() == {}


def test_without_an_endpoint_the_sender_is_told(world: World, family: int) -> None:
    host, peer = alone(world, family)
    ear = raw(host, OWN)
    peer.packet(OWN + 1, b"other")
    world.run(0)
    assert ear.heard == []
    assert unreachables(peer) == 1
    ear.endpoint.close()
    peer.packet(OWN, b"too late")
    world.run(0)
    assert ear.heard == []
    assert unreachables(peer) == 2


def test_every_endpoint_gets_its_copy(world: World, family: int) -> None:
    host, peer = alone(world, family)
    ears = [raw(host, OWN), raw(host, OWN, peer.theirs), raw(host, 0)]
    elsewhere = raw(host, OWN, host.address(3 - family))
    peer.packet(OWN, b"x")
    world.run(0)
    assert [len(ear.heard) for ear in ears] == [1, 1, 1]
    assert elsewhere.heard == []


def test_an_onlooker_of_everything_speaks_no_protocol(world: World, family: int) -> None:
    """Protocol 0 sees it; that nobody speaks 253 is still said."""
    host, peer = alone(world, family)
    ear = raw(host, 0)
    peer.packet(OWN, b"x")
    world.run(0)
    assert len(ear.heard) == 1
    assert unreachables(peer) == 1
    assert ear.endpoint.send([b"x"], 1, peer.mine, 0, 0) == INVALID


def test_a_copy_changes_nothing_for_its_transport(world: World, family: int) -> None:
    """A ping is answered, and seen."""
    host, peer = alone(world, family)
    number, request = (1, 8) if family == addr.V4 else (ICMPV6, icmp6.ECHO_REQUEST)
    ear = raw(host, number)
    peer.sends_icmp(request, 0, 1 << 16 | 1, b"ping")
    world.run(0)
    replies = [s for s in peer.received() if s.pkt.proto == number and s.body[0] in (0, 129)]
    assert len(replies) == 1
    assert any(bytes(got.view).endswith(b"ping") for got in ear.heard)


def test_fragments_arrive_whole(world: World, family: int) -> None:
    a, b = world.pair()
    ear = raw(b, OWN)
    sender = raw(a, OWN)
    data = bytes(range(256)) * 20
    assert sender.endpoint.send([data], len(data), b.address(family), 0, 0) == OK
    world.run(10**9)
    (got,) = ear.heard
    assert bytes(got.view[-len(data) :]) == data


def test_sending_any_protocol(world: World, family: int) -> None:
    host, peer = alone(world, family)
    endpoint = raw(host, OWN).endpoint
    assert endpoint.set_option(OPTION_HOP_LIMIT, 3) == OK
    assert endpoint.set_option(OPTION_TRAFFIC_CLASS, 0x2B) == OK
    assert endpoint.send([b"one ", b"two"], 7, peer.mine, 99, 0) == OK
    world.run(0)
    peer.received()
    world.run(0)
    seen = peer.next_ip()
    assert seen is not None
    assert (seen.pkt.proto, seen.body) == (OWN, b"one two")
    assert (seen.pkt.ttl, seen.pkt.tos) == (3, 0x28)


def headed(family: int, peer: Peer, data: bytes) -> bytes:
    """A packet whose header leaves open what the host may fill in."""
    if family == addr.V4:
        return ipv4.build(0, 0, 0, 0, 77, OWN, addr.ANY4, peer.mine) + data
    return ipv6.build(0, 0, 0, OWN, 77, addr.ANY6, peer.mine) + data


def test_a_header_of_ones_own(world: World, family: int) -> None:
    host, peer = alone(world, family)
    endpoint = raw(host, OWN).endpoint
    assert endpoint.set_option(OPTION_HEADER_INCLUDED, 1) == OK
    packet = headed(family, peer, b"data")
    assert endpoint.send([packet], len(packet), peer.mine, 0, 0) == OK
    world.run(0)
    peer.received()
    world.run(0)
    seen = peer.next_ip()
    assert seen is not None
    assert (seen.pkt.ttl, seen.pkt.proto, seen.body) == (77, OWN, b"data")
    assert seen.pkt.src == host.address(family)  # it was left open
    if family == addr.V4:
        assert data_sum(seen.frame[seen.pkt.net : seen.pkt.l4]) % 0xFFFF == 0


def test_a_source_of_ones_own_is_left_alone(world: World) -> None:
    host, peer = alone(world, addr.V4)
    endpoint = raw(host, 255).endpoint  # IPPROTO_RAW: the header is always the user's
    packet = ipv4.build(0, 0, 7, 0, 1, OWN, b"\x0a\x4d\x00\x63", peer.mine)
    assert endpoint.send([packet], len(packet), peer.mine, 0, 0) == OK
    world.run(0)
    peer.received()
    world.run(0)
    seen = peer.next_ip()
    assert seen is not None
    assert seen.pkt.src == b"\x0a\x4d\x00\x63"


def test_headers_that_are_none(world: World, family: int) -> None:
    host, peer = alone(world, family)
    endpoint = raw(host, 255).endpoint
    other = headed(3 - family, peer, b"x" * 60)
    for wrong in (b"", b"short", bytes(60), other, b"\x4f" + bytes(30)):
        assert endpoint.send([wrong], len(wrong), peer.mine, 0, 0) == INVALID
    long = headed(family, peer, bytes(2000))
    assert endpoint.send([long], len(long), peer.mine, 0, 0) == TOO_BIG
    assert endpoint.send([bytes(70_000)], 70_000, peer.mine, 0, 0) == TOO_BIG


def test_icmpv6_has_a_checksum_both_ways(world: World) -> None:
    """RFC 3542 3.1: written and verified by the stack."""
    host, peer = alone(world, addr.V6)
    ear = raw(host, ICMPV6)
    body = bytes((200, 0, 0x12, 0x34)) + b"private use"
    assert ear.endpoint.send([body], len(body), peer.mine, 0, 0) == OK
    world.run(0)
    peer.received()
    world.run(0)
    sent = [s for s in peer.received() if s.pkt.proto == ICMPV6 and s.body[0] == 200]
    assert len(sent) == 1
    good = peer.checked(ICMPV6, body[:2] + b"\0\0" + body[4:], 2, peer.theirs, peer.mine)
    assert sent[0].body == good
    ear.heard.clear()
    peer.packet(ICMPV6, body)
    world.run(0)
    assert ear.heard == []
    assert host.drops()["raw_checksum"] == 1
    peer.sends_icmp(200, 0, 5, b"sound")
    world.run(0)
    assert len(ear.heard) == 1
    assert ear.endpoint.send([b"x"], 1, peer.mine, 0, 0) == INVALID  # no room for one
    assert ear.endpoint.set_option(OPTION_CHECKSUM_AT, 4) == INVALID


def test_a_checksum_where_the_user_says(world: World) -> None:
    host, peer = alone(world, addr.V6)
    endpoint = raw(host, OWN).endpoint
    for wrong in (3, 0x10000):
        assert endpoint.set_option(OPTION_CHECKSUM_AT, wrong) == INVALID
    assert endpoint.set_option(OPTION_CHECKSUM_AT, 4) == OK
    assert endpoint.send([b"datadata"], 8, peer.mine, 0, 0) == OK
    world.run(0)
    peer.received()
    world.run(0)
    seen = peer.next_ip()
    assert seen is not None
    assert seen.body == peer.checked(OWN, b"data\0\0ta", 4, peer.theirs, peer.mine)
    assert endpoint.set_option(OPTION_CHECKSUM_AT, -1) == OK
    assert endpoint.send([b"datadata"], 8, peer.mine, 0, 0) == OK
    seen = peer.next_ip()
    assert seen is not None
    assert seen.body == b"datadata"


def test_what_is_kept_is_bounded_and_waits_when_paused(world: World, family: int) -> None:
    host, peer = alone(world, family, udp_receive_buffer=1000)
    ear = raw(host, OWN)
    ear.limit = 0
    for _ in range(5):
        peer.packet(OWN, bytes(300))
    world.run(0)
    assert host.drops()["raw_queue_full"] == 3
    ear.limit, ear.keep = 10, True
    ear.endpoint.resume()
    world.run(0)
    assert len(ear.heard) == 2
    peer.packet(OWN, bytes(300))
    world.run(0)
    assert host.drops()["raw_queue_full"] == 4  # what is kept stays charged
    ear.endpoint.grant(ear.heard[0].charge)
    peer.packet(OWN, bytes(300))
    world.run(0)
    assert len(ear.heard) == 3


def test_rules_of_the_endpoint(world: World, family: int) -> None:
    host, peer = alone(world, family)
    endpoint = host.raw(OWN)
    assert endpoint.send([b"x"], 1, peer.mine, 0, 0) == STATE
    assert endpoint.local_name() is None
    assert endpoint.bind(peer.mine, 0, 0) == NOT_LOCAL
    assert endpoint.bind(peer.theirs, 7, 0) == OK
    name = endpoint.local_name()
    assert name is not None
    assert (name.address, name.port) == (peer.theirs, 0)
    assert endpoint.bind(b"", 0, 0) == STATE
    assert endpoint.set_option(OPTION_NODELAY, 1) == NOT_SUPPORTED
    assert endpoint.set_option(OPTION_HOP_LIMIT, 300) == INVALID
    assert host.stack.raw.open_raw(family, 256) is None


def test_broadcasts_need_permission(world: World) -> None:
    host, _ = alone(world, addr.V4)
    endpoint = raw(host, OWN).endpoint
    assert endpoint.send([b"x"], 1, addr.BROADCAST4, 0, 0) == ACCESS
    assert endpoint.set_option(OPTION_BROADCAST, 1) == OK
    assert endpoint.send([b"x"], 1, addr.BROADCAST4, 0, 0) == OK


@pytest.mark.parametrize("protocol", [0, OWN])
def test_closing_inside_the_callback(world: World, family: int, protocol: int) -> None:
    host, peer = alone(world, family)

    class Closes(Ear):
        def received(self, batch: list[Received]) -> int:
            self.endpoint.close()
            return 0

    endpoint = host.raw(protocol)
    endpoint.attach(Closes(endpoint))
    endpoint.bind(b"", 0, 0)
    peer.packet(OWN, b"x")
    world.run(0)
    assert not host.stack.raw.work
    assert endpoint.local_name() is None


def test_one_packet_may_differ_from_the_others(world: World, family: int) -> None:
    host, peer = alone(world, family)
    endpoint = raw(host, OWN).endpoint
    endpoint.set_option(OPTION_HOP_LIMIT, 7)
    endpoint.set_option(OPTION_TRAFFIC_CLASS, 0x28)
    how = Outgoing()
    how.hops, how.tos, how.ecn = 33, 0xB8, 1
    how.source, how.interface = host.address(family), host.nic.index
    for given in (how, None):
        assert endpoint.send((b"data",), 4, peer.mine, 0, 0, given) == OK
        world.run(0)
    first, second = (seen.pkt for seen in peer.received() if seen.pkt.proto == OWN)
    assert (first.ttl, first.tos, first.src) == (33, 0xB9, host.address(family))
    assert (second.ttl, second.tos) == (7, 0x28)


def test_how_a_packet_cannot_differ(world: World, family: int) -> None:
    host, peer = alone(world, family)
    endpoint = raw(host, OWN).endpoint
    strange = (
        ("hops", 0, INVALID),
        ("source", peer.mine, NOT_LOCAL),
        ("interface", 9, NOT_LOCAL),
    )
    for name, value, answer in strange:
        how = Outgoing()
        setattr(how, name, value)
        assert endpoint.send((b"data",), 4, peer.mine, 0, 0, how) == answer
