# SPDX-License-Identifier: MIT
"""What an endpoint hears of ICMP, and what it may put into the IP header (RFC 1122 4.1.3-4)."""

from __future__ import annotations

from stack.base import addr, status
from stack.base.status import INVALID, NOT_SUPPORTED, OK
from stack.base.units import SECOND
from stack.transport.datagram_seam import Datagram
from stack.transport.options import JOIN, Outgoing
from stack.transport.seam import OPTION_HOP_LIMIT, OPTION_NODELAY, OPTION_TRAFFIC_CLASS
from stack.wire import ipv4, ipv6
from tests.harness import Host, Peer, Seen, World, quiet
from tests.harness.datagrams import Box


class Listening(Box):
    """Also writes down what went wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.troubles: list[tuple[str, bytes, int]] = []

    def troubled(self, result: int, address: bytes, port: int) -> None:
        self.troubles.append((status.name(result), address, port))


def setup(world: World, family: int) -> tuple[Host, Peer, Listening, Datagram]:
    host, peer = world.host(quiet())
    peer.family = family
    box = Listening()
    return host, peer, box, host.hears(box, 5000)


def say(endpoint: Datagram, peer: Peer) -> Seen:
    assert endpoint.send([memoryview(b"x")], 1, peer.mine, 9, 0) == OK
    peer.world.run(0)
    seen = peer.next_ip()
    assert seen is not None
    return seen


def complain(peer: Peer, kind: int, code: int, port: int = 5000) -> None:
    """An ICMP error about a datagram from `port` to port 9."""
    inner = port.to_bytes(2, "big") + (9).to_bytes(2, "big") + bytes((0, 9, 0, 0))
    if peer.family == addr.V4:
        head = ipv4.build(0, 28, 1, 0, 64, 17, peer.theirs, peer.mine)
    else:
        head = ipv6.build(0, 0, 8, 17, 64, peer.theirs, peer.mine)
    peer.sends_icmp(kind, code, 0, head + inner)
    peer.world.run(0)


def test_errors_about_what_was_sent_are_told(world: World, family: int) -> None:
    """UDP-6: with whom and which port they are about."""
    _, peer, box, endpoint = setup(world, family)
    say(endpoint, peer)
    complain(peer, *((3, 3) if family == addr.V4 else (1, 4)))
    complain(peer, *((11, 0) if family == addr.V4 else (3, 0)))
    assert box.troubles == [
        ("PORT_UNREACHABLE", peer.mine, 9),
        ("HOST_UNREACHABLE", peer.mine, 9),
    ]
    say(endpoint, peer)  # and the endpoint goes on


def test_errors_about_what_was_never_sent_are_not(world: World, family: int) -> None:
    _, peer, box, endpoint = setup(world, family)
    what = (3, 3) if family == addr.V4 else (1, 4)
    complain(peer, *what)
    say(endpoint, peer)
    complain(peer, *what, port=5001)
    assert box.troubles == []


def test_a_flood_of_errors_is_bounded(world: World, family: int) -> None:
    _, peer, box, endpoint = setup(world, family)
    say(endpoint, peer)
    inner = (5000).to_bytes(2, "big") + (9).to_bytes(2, "big") + bytes((0, 9, 0, 0))
    head = (
        ipv4.build(0, 28, 1, 0, 64, 17, peer.theirs, peer.mine)
        if family == addr.V4
        else ipv6.build(0, 0, 8, 17, 64, peer.theirs, peer.mine)
    )
    for _ in range(50):
        peer.sends_icmp(3 if family == addr.V4 else 1, 3, 0, head + inner)
    world.run(0)
    assert len(box.troubles) == 16


def test_a_neighbour_that_does_not_answer_is_trouble(world: World, family: int) -> None:
    _, peer, box, endpoint = setup(world, family)
    peer.silent = True
    assert endpoint.send([memoryview(b"x")], 1, peer.mine, 9, 0) == OK
    world.run(10 * SECOND)
    assert box.troubles == [("HOST_UNREACHABLE", peer.mine, 9)]


def test_two_stacks_tell_each_other(world: World, family: int) -> None:
    a, b = world.pair()
    box = Listening()
    endpoint = a.hears(box, 0)
    endpoint.send([memoryview(b"anybody?")], 8, b.address(family), 4321, 0)
    world.run(SECOND)
    assert box.troubles == [("PORT_UNREACHABLE", b.address(family), 4321)]


def test_traffic_class_and_hop_limit(world: World, family: int) -> None:
    """UDP-7, IP4-14: both can be set, and both are there with what arrives."""
    _, peer, box, endpoint = setup(world, family)
    assert endpoint.set_option(OPTION_TRAFFIC_CLASS, 46 << 2) == OK
    assert endpoint.set_option(OPTION_HOP_LIMIT, 7) == OK
    seen = say(endpoint, peer)
    assert (seen.pkt.tos, seen.pkt.ttl) == (46 << 2, 7)
    assert endpoint.set_option(OPTION_HOP_LIMIT, 256) == INVALID
    assert endpoint.set_option(OPTION_NODELAY, 1) == NOT_SUPPORTED
    bare = (9).to_bytes(2, "big") + (5000).to_bytes(2, "big") + bytes((0, 9, 0, 0)) + b"y"
    checked = peer.checked(17, bare, 6, peer.mine, peer.theirs)
    peer.packet(17, checked, tos=0x28, ttl=33)
    world.run(0)
    assert [(one.tos, one.ttl) for one in box.got] == [(0x28, 33)]


def test_no_packet_leaves_without_hops(world: World, family: int) -> None:
    """IP4-15, RFC 1122 3.2.1.7: zero means the default, or is refused; for a group it keeps the
    datagram on this host (RFC 1112 6.1)."""
    host, peer, box, endpoint = setup(world, family)
    assert endpoint.set_option(OPTION_HOP_LIMIT, 7) == OK
    assert endpoint.set_option(OPTION_HOP_LIMIT, 0) == OK
    assert say(endpoint, peer).pkt.ttl == 64
    how = Outgoing()
    how.hops = 0
    assert endpoint.send([b"x"], 1, peer.mine, 9, 0, how) == INVALID
    group = addr.parse("239.1.1.1" if family == addr.V4 else "ff05::7")
    assert endpoint.membership(JOIN, group, host.nic.index, b"") == OK
    assert endpoint.send([b"x"], 1, group, 5000, host.nic.index, how) == OK
    world.run(0)
    assert len(box.got) == 1
    assert peer.next_ip() is None
