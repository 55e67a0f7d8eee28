# SPDX-License-Identifier: MIT
"""Reassembly and fragmentation, one body for both families."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from stack.base import addr
from stack.base.units import SECOND
from stack.wire import ext6
from tests.harness import Host, Peer, World, quiet
from tests.harness.datagrams import Box


def setup(family: int, **settings: object) -> tuple[World, Host, Peer, Box]:
    world = World()
    host, peer = world.host(quiet(**settings))
    peer.family = family
    box = Box()
    host.hears(box)
    return world, host, peer, box


def pieces(peer: Peer, data: bytes, step: int, ident: int = 9) -> list[tuple[bytes, bytes]]:
    """A UDP datagram as fragments: (ethertype, packet) each."""
    bare = b"\x9c\x40\0\x07" + (8 + len(data)).to_bytes(2, "big") + b"\0\0" + data
    whole = peer.checked(17, bare, 6, peer.mine, peer.theirs)
    found = []
    for at in range(0, len(whole), step):
        part = whole[at : at + step]
        found.append(piece(peer, part, at, at + step < len(whole), ident))
    return found


def piece(peer: Peer, part: bytes, at: int, more: bool, ident: int = 9) -> tuple[bytes, bytes]:
    if peer.family == addr.V4:
        return peer.packet_bytes(17, part, frag=at // 8 | (0x2000 if more else 0), ident=ident)
    return peer.packet_bytes(44, ext6.build_fragment(17, at, more, ident) + part)


@given(st.integers(1, 6000), st.integers(1, 180), st.integers(0, 2**32), st.sampled_from((1, 2)))
def test_any_order_gives_the_datagram(size: int, eighths: int, seed: int, family: int) -> None:
    world, host, peer, box = setup(family)
    data = random.Random(seed).randbytes(size)
    fragments = pieces(peer, data, eighths * 8)
    random.Random(seed).shuffle(fragments)
    for fragment in fragments:
        peer.frame(*fragment)
    world.run(0)
    assert box.data == [data]
    assert host.stack.host.reassembler.held == 0
    assert len(host.stack.host.reassembler) == 0


def test_exact_duplicates_do_no_harm(family: int) -> None:
    world, host, peer, box = setup(family)
    fragments = pieces(peer, bytes(2992), 1000)
    for fragment in (fragments[0], fragments[0], fragments[2], fragments[1]):
        peer.frame(*fragment)
    world.run(0)
    assert len(box.data) == 1
    assert host.drops() == {"fragment_duplicate": 1}


def test_overlap_discards_the_datagram_and_the_rest_of_it(family: int) -> None:
    """RFC 5722 4, for both families."""
    world, host, peer, box = setup(family)
    fragments = pieces(peer, bytes(2992), 1000)
    peer.frame(*fragments[0])
    peer.frame(*piece(peer, bytes(1000), 992, True))
    peer.frame(*fragments[1])
    peer.frame(*fragments[2])
    world.run(0)
    assert box.data == []
    assert host.drops() == {"fragment_overlap": 3}
    world.run(61 * SECOND)
    assert peer.next_ip() is None  # silently: no time exceeded either
    assert len(host.stack.host.reassembler) == 0


def test_contradictory_lengths_discard(family: int) -> None:
    world, host, peer, box = setup(family)
    peer.frame(*piece(peer, bytes(64), 0, True))
    peer.frame(*piece(peer, bytes(64), 128, False))
    peer.frame(*piece(peer, bytes(64), 256, True))
    world.run(0)
    assert host.drops()["fragment_overlap"] == 1
    assert box.data == []


def test_time_out_is_reported_if_the_first_fragment_came(family: int) -> None:
    world, host, peer, _ = setup(family)
    peer.frame(*pieces(peer, bytes(3000), 1000)[0])
    world.run(59 * SECOND)
    assert peer.next_ip() is None
    world.run(2 * SECOND)
    seen = peer.next_ip()
    assert seen is not None
    assert seen.body[:2] == (bytes((11, 1)) if family == addr.V4 else bytes((3, 1)))
    assert host.drops() == {"fragment_timeout": 1}


def test_time_out_is_silent_without_the_first_fragment(family: int) -> None:
    world, host, peer, _ = setup(family)
    peer.frame(*pieces(peer, bytes(3000), 1000)[1])
    world.run(61 * SECOND)
    assert peer.next_ip() is None
    assert host.drops() == {"fragment_timeout": 1}


def test_ten_thousand_halves_cost_a_fixed_amount(family: int) -> None:
    world, host, peer, _ = setup(family, reassembly_limit=64, reassembly_memory=64 * 1024)
    for ident in range(10_000):
        peer.frame(*piece(peer, bytes(1200), 0, True, ident))
        if ident % 500 == 0:
            world.run(0)
            assert len(host.stack.host.reassembler) <= 64
            assert host.stack.host.reassembler.held <= 64 * 1024
    world.run()
    assert host.stack.host.reassembler.held == 0


def test_datagrams_with_different_identifications_do_not_mix(family: int) -> None:
    world, _, peer, box = setup(family)
    a, b = pieces(peer, b"a" * 3000, 1000, 1), pieces(peer, b"b" * 3000, 1000, 2)
    for fragment in (a[0], b[0], b[1], a[1], b[2], a[2], *a[3:], *b[3:]):
        peer.frame(*fragment)
    world.run(0)
    assert sorted(box.data) == [b"a" * 3000, b"b" * 3000]


def test_what_belongs_together(family: int) -> None:
    """RFC 791 3.2: source, destination, protocol, identification.  RFC 8200 4.5: the first two and
    the last; what follows the headers is said by the first fragment."""
    world, host, peer, box = setup(family)
    four = family == addr.V4
    own = "10.77.0.44" if four else "fd77::44"
    host.stack.add_address(host.nic, own, 24 if four else 64)
    data = bytes(n % 251 for n in range(1000))
    first, second = pieces(peer, data, 504)
    peer.frame(*first)
    part = bytes(504)
    stranger = peer.mine[:-1] + b"\x55"
    for how in ({"src": stranger}, {"dst": addr.parse(own)}):
        if four:
            peer.packet(17, part, frag=504 // 8, ident=9, **how)
        else:
            peer.packet(44, ext6.build_fragment(17, 504, False, 9) + part, **how)
    if four:
        peer.packet(200, part, frag=504 // 8, ident=9)
    world.run(0)
    assert box.data == []
    assert len(host.stack.host.reassembler) == (4 if four else 3)
    peer.frame(*second)
    world.run(0)
    assert box.data == [data]
    assert host.drops() == {}


def test_what_is_whole_does_not_wait_for_the_rest_of_another(family: int) -> None:
    """RFC 6864 4.1, RFC 6946 4: an atomic datagram whose identification others use too."""
    world, host, peer, box = setup(family)
    first, second = pieces(peer, b"in pieces" * 100, 504)
    ((kind, whole),) = pieces(peer, b"whole", 504)
    peer.frame(*first)
    peer.frame(kind, whole)
    world.run(0)
    assert box.data == [b"whole"]
    assert len(host.stack.host.reassembler) == 1
    peer.frame(*second)
    world.run(0)
    assert box.data == [b"whole", b"in pieces" * 100]
    assert host.drops() == {}


def test_what_we_send_too_large_arrives_whole(family: int) -> None:
    """Our fragments through our reassembly, every size around the edges."""
    world = World()
    a, b = world.pair(offload=False)
    box = Box()
    b.hears(box)
    sender = a.datagram()
    sender.bind(b"", 0, 0)
    sizes = [1451, 1452, 1453, 1472, 1473, 1480, 2952, 2960, 2961, 65507]
    for size in sizes:
        data = bytes(n % 249 for n in range(size))
        assert sender.send([memoryview(data)], size, b.address(family), 7, 0) == 0
        world.run(0)
    assert [len(data) for data in box.data] == sizes
    assert b.drops() == {}


def test_the_smallest_reassembled_sizes_are_supported(family: int) -> None:
    """RFC 1122 3.3.2: 576 octets; RFC 8200 5: 1500."""
    world, _, peer, box = setup(family)
    for fragment in pieces(peer, bytes(1500), 56):
        peer.frame(*fragment)
    world.run(0)
    assert box.data == [bytes(1500)]
