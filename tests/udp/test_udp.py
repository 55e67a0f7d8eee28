# SPDX-License-Identifier: MIT
"""UDP (RFC 768, RFC 1122 4.1, RFC 8200 8.1), one body for both families."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stack.base import addr
from stack.base.packet import BROADCAST, MULTICAST, UNICAST
from stack.base.status import ACCESS, INVALID, NO_ROUTE, NOT_LOCAL, OK, STATE, TOO_BIG
from stack.transport.datagram_seam import Datagram
from stack.transport.seam import OPTION_BROADCAST
from tap.impair import Impairment
from tests.harness import Host, Peer, World, quiet
from tests.harness.datagrams import Box


def setup(
    world: World, family: int, port: int = 7, **settings: object
) -> tuple[Host, Peer, Box, Datagram]:
    host, peer = world.host(quiet(**settings))
    peer.family = family
    box = Box()
    return host, peer, box, host.hears(box, port)


def raw(peer: Peer, data: bytes, **changes: int) -> None:
    """A UDP packet with some fields bent, checksum over what is sent unless given."""
    length = changes.get("length", 8 + len(data))
    bare = b"\x9c\x40\0\x07" + length.to_bytes(2, "big") + b"\0\0" + data
    if "check" in changes:
        bare = bare[:6] + changes["check"].to_bytes(2, "big") + bare[8:]
    else:
        bare = peer.checked(17, bare, 6, peer.mine, peer.theirs)
    peer.packet(17, bare)
    peer.world.run(0)


def test_delivers_with_who_and_where(world: World, family: int) -> None:
    host, peer, box, _ = setup(world, family)
    peer.sends_udp(b"hello", sport=1234)
    world.run(0)
    one = box.got[0]
    assert (bytes(one.view), one.address, one.port) == (b"hello", peer.mine, 1234)
    assert (one.local, one.group, one.scope) == (peer.theirs, UNICAST, host.nic.index)
    assert host.stack.udp.counters.moved() == {"in_datagrams": 1}


def test_short(world: World, family: int) -> None:
    host, peer, *_ = setup(world, family)
    peer.packet(17, bytes(7))
    world.run(0)
    assert host.drops() == {"udp_short": 1}


def test_length_field(world: World, family: int) -> None:
    """Below 8 or beyond the packet: discarded; a longer packet: the excess is ignored."""
    host, peer, box, _ = setup(world, family)
    raw(peer, b"abcd", length=7)
    raw(peer, b"abcd", length=13)
    assert host.drops() == {"udp_length": 2}
    bare = b"\x9c\x40\0\x07\0\x0a\0\0ab"
    peer.packet(17, peer.checked(17, bare, 6, peer.mine, peer.theirs) + b"excess")
    world.run(0)
    assert [bytes(one.view) for one in box.got] == [b"ab"]


def test_checksum(world: World, family: int) -> None:
    host, peer, box, _ = setup(world, family)
    raw(peer, b"abcd", check=0x1234)
    assert host.drops() == {"udp_checksum": 1}
    assert box.got == []


def test_zero_checksum_by_family(world: World, family: int) -> None:
    """IPv4: none was computed, accept; IPv6: forbidden."""
    host, peer, box, _ = setup(world, family)
    raw(peer, b"abcd", check=0)
    if family == addr.V4:
        assert len(box.got) == 1
    else:
        assert host.drops() == {"udp_no_checksum": 1}


def test_destination_port_zero(world: World, family: int) -> None:
    host, peer, *_ = setup(world, family)
    peer.sends_udp(b"x", dport=0)
    world.run(0)
    assert host.drops() == {"udp_port_zero": 1}
    assert peer.next_ip() is None


@given(st.integers(0, 65535), st.sampled_from((addr.V4, addr.V6)))
def test_sent_checksum_is_never_zero_and_always_right(salt: int, family: int) -> None:
    """Whatever the data, also when the sum comes out as zero (RFC 768)."""
    world = World()
    _, peer, _, endpoint = setup(world, family)
    for tail in (salt, 0xFFFF - salt):
        data = salt.to_bytes(2, "big") + tail.to_bytes(2, "big")
        assert endpoint.send([memoryview(data)], 4, peer.mine, 9, 0) == OK
        world.run(0)
        seen = peer.next_ip()
        assert seen is not None
        assert seen.body[6:8] != b"\0\0"
        blank = seen.body[:6] + b"\0\0" + seen.body[8:]
        assert peer.checked(17, blank, 6, peer.theirs, peer.mine) == seen.body


def test_the_most_specific_endpoint_receives(world: World, family: int) -> None:
    host, peer, wild, _ = setup(world, family)
    exact = Box()
    endpoint = host.stack.udp.open_datagram(family)
    endpoint.attach(exact)
    assert endpoint.bind(peer.theirs, 7, 0) == ACCESS  # default sharing asks the first
    endpoint = host.stack.udp.open_datagram(family)
    endpoint.attach(exact)
    other = host.stack.udp.open_datagram(addr.V4 | addr.V6)
    other.attach(wild)
    assert endpoint.bind(peer.theirs, 8, 0) == OK
    assert other.bind(b"", 8, 0) == OK
    peer.sends_udp(b"to whom", dport=8)
    world.run(0)
    assert (len(exact.got), len(wild.got)) == (1, 0)


def test_bind_checks(world: World, family: int) -> None:
    host, peer, _, endpoint = setup(world, family)
    assert endpoint.bind(b"", 9, 0) == STATE
    fresh = host.datagram()
    assert fresh.bind(peer.mine, 9, 0) == NOT_LOCAL
    assert fresh.send([], 0, peer.mine, 9, 0) == STATE


def test_send_checks(world: World, family: int) -> None:
    host, peer, _, endpoint = setup(world, family)
    data = memoryview(bytes(65536))
    assert endpoint.send([data], len(data), peer.mine, 9, 0) == TOO_BIG
    assert endpoint.send([], 0, peer.mine, 0, 0) == INVALID
    far = addr.parse("8.8.8.8" if family == addr.V4 else "2001:db8::8")
    assert endpoint.send([], 0, far, 9, 0) == NO_ROUTE
    single = host.stack.udp.open_datagram(family)
    single.bind(b"", 0, 0)
    other = peer.v6 if family == addr.V4 else peer.v4
    assert single.send([], 0, other, 9, 0) == INVALID


def test_broadcast_needs_the_option(world: World) -> None:
    _, peer, _, endpoint = setup(world, addr.V4)
    everybody = bytes((10, 77, 0, 255))
    assert endpoint.send([], 0, everybody, 9, 0) == ACCESS
    assert endpoint.set_option(OPTION_BROADCAST, 1) == OK
    for target in (everybody, addr.BROADCAST4):
        assert endpoint.send([], 0, target, 9, 0) == OK
        world.run(0)
        seen = peer.next_ip()
        assert seen is not None
        assert seen.frame[:6] == addr.MAC_BROADCAST


def test_broadcast_and_multicast_arrive_marked(world: World, family: int) -> None:
    host, peer, box, _ = setup(world, family)
    bare = b"\x9c\x40\0\x07\0\x09\0\0x"
    if family == addr.V4:
        groups = [(bytes((10, 77, 0, 255)), BROADCAST), (addr.BROADCAST4, BROADCAST)]
        groups.append((addr.ALL_HOSTS, MULTICAST))
    else:
        groups = [(addr.ALL_NODES, MULTICAST)]
    for group, mark in groups:
        mac = addr.multicast_mac(group) if mark == MULTICAST else addr.MAC_BROADCAST
        data = peer.checked(17, bare, 6, peer.mine, group)
        peer.frame(*peer.packet_bytes(17, data, dst=group), mac)
        world.run(0)
        assert box.got[-1].group == mark
    assert host.drops() == {}


def test_group_datagrams_go_to_every_sharer(world: World) -> None:
    host, peer, first, _ = setup(world, addr.V4, port=9)
    boxes = [Box(), Box()]
    for box in boxes:
        host.hears(box, share=1)
    bare = b"\x9c\x40\0\x07\0\x09\0\0x"
    group = addr.ALL_HOSTS
    data = peer.checked(17, bare, 6, peer.v4, group)
    peer.frame(*peer.packet_bytes(17, data, dst=group), addr.multicast_mac(group))
    world.run(0)
    assert [len(box.got) for box in (*boxes, first)] == [1, 1, 0]


def test_one_turn_one_batch(world: World, family: int) -> None:
    _, peer, box, _ = setup(world, family)
    for _ in range(20):
        peer.sends_udp(b"x")
    world.run(0)
    assert (len(box.got), box.calls) == (20, 1)


def test_a_sink_that_takes_less_is_left_in_peace_until_resume(world: World, family: int) -> None:
    _, peer, box, endpoint = setup(world, family)
    box.take = 1
    for number in range(3):
        peer.sends_udp(bytes((number,)))
    world.run(0)
    peer.sends_udp(b"\x03")
    world.run(0)
    assert (len(box.got), box.calls) == (1, 1)
    box.take = 10
    endpoint.resume()
    world.run(0)
    assert [bytes(one.view)[0] for one in box.got] == [0, 1, 2, 3]


def test_receive_buffer_is_bounded_and_grants_free_it(world: World, family: int) -> None:
    host, peer, box, endpoint = setup(world, family, udp_receive_buffer=5000)
    for _ in range(20):
        peer.sends_udp(bytes(900))
        world.run(0)
    assert len(box.got) == 5
    assert host.drops() == {"udp_queue_full": 15}
    endpoint.grant(sum(one.charge for one in box.got))
    peer.sends_udp(bytes(900))
    world.run(0)
    assert len(box.got) == 6


def test_closed_endpoints_hear_nothing_and_free_their_port(world: World, family: int) -> None:
    host, peer, box, endpoint = setup(world, family)
    peer.sends_udp(b"in the queue")
    endpoint.close()
    world.run(0)
    assert box.got == []
    again = host.datagram()
    assert again.bind(b"", 7, 0) == OK


@given(
    st.lists(st.integers(0, 3000), min_size=1, max_size=20),
    st.integers(0, 2**32),
    st.sampled_from((addr.V4, addr.V6)),
)
def test_what_arrives_over_a_bad_wire_is_what_was_sent(
    sizes: list[int], seed: int, family: int
) -> None:
    """Datagrams may be lost, doubled or reordered; never altered, never invented."""
    world = World(seed)
    bad = Impairment(loss=0.1, duplicate=0.1, reorder=0.2, reorder_by=1000, corrupt=0.1)
    a, b = world.pair(there=bad, back=bad)
    box = Box()
    b.hears(box)
    sender = a.datagram()
    sender.bind(b"", 0, 0)
    sent = []
    for number, size in enumerate(sizes):
        data = bytes((number,)) + bytes((size + n) & 0xFF for n in range(size))
        sent.append(data)
        sender.send([memoryview(data)], len(data), b.address(family), 7, 0)
    world.run()
    assert all(bytes(one.view) in sent for one in box.got)
