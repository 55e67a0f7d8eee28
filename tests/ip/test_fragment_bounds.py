# SPDX-License-Identifier: MIT
"""What reassembly may cost, and whom a flood may hurt (RFC 815, RFC 5722, RFC 8200 4.5)."""

from __future__ import annotations

import gc
import sys
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.base import addr, fate
from stack.base.units import KIB, SECOND
from stack.ip.fragments import DATAGRAM_COST, FRAGMENT_COST
from stack.wire import ext6
from tests.harness import World, quiet
from tests.harness.datagrams import Box

MORE = 0x2000


class Room:
    """A host that listens on port 7, and fragments from anybody to it."""

    def __init__(self, family: int, **knobs: object) -> None:
        self.world = World()
        self.world.env.trace = None
        self.host, self.peer = self.world.host(quiet(**knobs))
        self.peer.family = family
        self.box = Box()
        self.host.hears(self.box)

    @property
    def host_table(self) -> int:
        return len(self.host.stack.host.reassembler)

    @property
    def held(self) -> int:
        return self.host.stack.host.reassembler.held

    def source(self, number: int) -> bytes:
        """One of many neighbours."""
        base = self.peer.mine[:-3] if self.peer.family == addr.V6 else b"\x0a"
        return base + (number + 256).to_bytes(3, "big")

    def put(self, part: bytes, at: int, more: bool, ident: int = 9, src: bytes = b"") -> None:
        """One fragment, at once and past the harness, which keeps a log."""
        peer = self.peer
        src = src or peer.mine
        if peer.family == addr.V4:
            frag = at // 8 | (MORE if more else 0)
            kind, packet = peer.packet_bytes(17, part, frag=frag, ident=ident & 0xFFFF, src=src)
        else:
            body = ext6.build_fragment(17, at, more, ident) + part
            kind, packet = peer.packet_bytes(44, body, src=src)
        frame = self.host.port.mac + peer.port.mac + kind + packet
        self.host.stack.receive(self.host.nic, frame)

    def datagram(self, data: bytes, src: bytes = b"") -> bytes:
        """UDP to port 7, checked."""
        bare = b"\x9c\x40\0\x07" + (8 + len(data)).to_bytes(2, "big") + b"\0\0" + data
        return self.peer.checked(17, bare, 6, src or self.peer.mine, self.peer.theirs)


# What it costs.


def cost(room: Room, part: bytes, at: int, sources: int) -> int:
    """Octets that 10,000 fragments of as many datagrams leave behind."""
    most = room.host.stack.config.reassembly_memory
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(10_000):
        room.put(part, at, True, number, room.source(number % sources))
        assert room.held <= most
    gc.collect()
    spent = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return spent


@pytest.mark.parametrize("sources", [1, 10_000])
@pytest.mark.parametrize("first", [True, False])
def test_ten_thousand_halves_cost_what_is_configured(
    family: int, sources: int, first: bool
) -> None:
    """Measured, with everything that Python spends on them, less what packets that are no
    fragments cost too: the table of sources that were found good."""
    memory = 256 * KIB
    knobs = {"reassembly_memory": memory, "reassembly_limit": 4096}
    at = 0 if first else 1448
    idle = cost(Room(family, **knobs), b"", at or 8, sources)
    room = Room(family, **knobs)
    assert cost(room, bytes(1448), at, sources) - idle <= memory
    assert room.host_table >= 50  # and it is used


def test_tiny_fragments_cost_no_more(family: int) -> None:
    """Eight octets each: nearly all of it is overhead, and that is counted."""
    memory = 128 * KIB
    room = Room(family, reassembly_memory=memory)
    room.put(bytes(8), 8, True, 0)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(10_000):
        room.put(bytes(8), 16 * (1 + number % 500), True, number // 500)
        assert room.held <= memory
    gc.collect()
    spent = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert spent <= memory


def test_the_charge_is_at_least_what_is_stated(family: int) -> None:
    room = Room(family)
    room.put(bytes(800), 800, True)
    assert room.held == DATAGRAM_COST + FRAGMENT_COST + 800
    room.put(bytes(80), 8, True)
    assert room.held == DATAGRAM_COST + 2 * FRAGMENT_COST + 880


def test_fragments_of_one_datagram_are_bounded(family: int) -> None:
    room = Room(family, reassembly_fragments=10)
    whole = room.datagram(bytes(96))
    for at in range(0, len(whole), 8):
        room.put(whole[at : at + 8], at, at + 8 < len(whole))
    assert room.box.data == []
    assert room.host.drops() == {"fragment_too_many": 1, "fragment_overlap": 2}
    assert room.host.stack.host.layer_of(room.peer.mine).counters.reasm_fails == 1


def test_the_default_takes_the_longest_datagram_over_the_smallest_link() -> None:
    """65,535 octets over an MTU of 68: 48 at a time."""
    room = Room(addr.V4)
    whole = room.datagram(bytes(65_507))
    for at in range(0, len(whole), 48):
        room.put(whole[at : at + 48], at, at + 48 < len(whole))
    room.world.run(0)
    assert [len(data) for data in room.box.data] == [65_507]


def test_worst_order_costs_no_more_than_the_best(family: int) -> None:
    """Every other fragment first makes the most holes; steps are counted, not time."""
    steps = []
    count = 1200
    for order in (range(count), [*range(0, count, 2), *range(1, count, 2)]):
        room = Room(family)
        whole = room.datagram(bytes(8 * count - 8))
        taken = 0

        def profile(*_: object) -> None:
            nonlocal taken
            taken += 1

        sys.setprofile(profile)
        for number in order:
            at = 8 * number
            room.put(whole[at : at + 8], at, at + 8 < len(whole))
        sys.setprofile(None)
        room.world.run(0)
        assert len(room.box.data) == 1
        steps.append(taken)
    assert steps[1] < 1.2 * steps[0]


# Whom a flood hurts.


@pytest.mark.parametrize("limit", ["reassembly_limit", "reassembly_memory"])
def test_a_flood_from_one_source_evicts_only_its_own(family: int, limit: str) -> None:
    knobs = {"reassembly_source_limit": 4096, limit: 64 * KIB if "memory" in limit else 32}
    room = Room(family, **knobs)
    honest, flood = room.source(1), room.source(2)
    data = bytes(n % 253 for n in range(3000))
    whole = room.datagram(data, honest)
    room.put(whole[:1000], 0, True, 77, honest)
    for number in range(2000):
        room.put(bytes(1000), 1000, True, number, flood)
    room.put(whole[2000:], 2000, False, 77, honest)
    room.put(whole[1000:2000], 1000, True, 77, honest)
    room.world.run(0)
    assert room.box.data == [data]
    assert room.host.drops()["fragment_table_full"] > 1900


def test_a_source_has_a_limit_of_its_own(family: int) -> None:
    room = Room(family, reassembly_source_limit=8)
    for number in range(20):
        room.put(bytes(80), 80, True, number)
    assert room.host_table == 8
    assert room.host.drops() == {"fragment_table_full": 12}
    assert room.host.stack.host.layer_of(room.peer.mine).counters.reasm_fails == 12


def test_among_equals_the_oldest_gives_way(family: int) -> None:
    room = Room(family, reassembly_limit=16)
    for number in range(20):
        room.put(bytes(80), 80, True, 5, room.source(number))
    whole = room.datagram(bytes(72), room.source(19))
    room.put(bytes(whole[80:]) or bytes(8), 160, False, 5, room.source(19))
    room.put(whole[:80], 0, True, 5, room.source(3))  # it was forgotten: this begins anew
    assert room.host_table == 16
    assert room.host.drops() == {"fragment_table_full": 5}


def test_the_table_is_empty_in_the_end(family: int) -> None:
    room = Room(family, reassembly_memory=64 * KIB)
    for number in range(500):
        room.put(bytes(200), 8 * (number % 3), True, number % 50, room.source(number % 7))
    room.world.run(61 * SECOND)
    assert room.host_table == 0
    assert room.held == 0


def test_the_error_quotes_the_first_fragment_whenever_it_came(family: int) -> None:
    """RFC 1122 3.3.2, RFC 8200 4.5."""
    room = Room(family)
    whole = room.datagram(bytes(range(200)))
    room.put(whole[160:], 160, False)
    room.world.run(30 * SECOND)
    room.put(whole[:80], 0, True)
    room.world.run(29 * SECOND)
    assert room.peer.next_ip() is None
    room.world.run(2 * SECOND)
    seen = room.peer.next_ip()
    assert seen is not None
    assert seen.body[:2] == (bytes((11, 1)) if family == addr.V4 else bytes((3, 1)))
    header = 20 if family == addr.V4 else 48
    assert seen.body[8 + header :] == whole[:80]
    counters = room.host.stack.host.layer_of(room.peer.mine).counters
    assert (counters.reasm_reqds, counters.reasm_fails, counters.reasm_oks) == (2, 1, 0)


# Fragments that cannot be right.


def test_fragments_without_anything_in_them(family: int) -> None:
    room = Room(family)
    whole = room.datagram(bytes(32))
    room.put(whole[:16], 0, True)
    room.put(b"", 16, True)
    room.put(b"", 40, False)
    room.put(whole[16:], 16, False)
    room.world.run(0)
    assert room.host.drops() == {"fragment_malformed": 2}
    assert len(room.box.data) == 1  # and they spoil nothing


def test_lengths_that_are_no_multiple_of_eight(family: int) -> None:
    room = Room(family)
    room.put(bytes(13), 0, True)
    assert room.host.drops() == {"fragment_malformed": 1}
    seen = room.peer.next_ip()
    if family == addr.V4:
        assert seen is None
    else:
        assert seen is not None
        assert seen.body[:2] == bytes((4, 0))
        assert int.from_bytes(seen.body[4:8], "big") == 4


def test_beyond_the_longest_datagram(family: int) -> None:
    room = Room(family)
    room.put(bytes(64), 0xFFF8, False)
    assert room.host.drops() == {"fragment_too_long": 1}
    assert room.host_table == 0


def test_a_second_end_and_data_beyond_the_end(family: int) -> None:
    room = Room(family)
    room.put(bytes(16), 32, False, 1)
    room.put(bytes(16), 64, False, 1)
    room.put(bytes(16), 64, True, 2)
    room.put(bytes(16), 32, False, 2)
    assert room.host.drops() == {"fragment_overlap": 2}


def test_the_same_place_with_other_data_is_no_duplicate(family: int) -> None:
    room = Room(family)
    room.put(bytes(16), 16, True)
    room.put(b"x" * 16, 16, True)
    assert room.host.drops() == {"fragment_overlap": 1}


def test_the_same_data_as_the_last_is_no_duplicate_of_one_in_the_middle(family: int) -> None:
    room = Room(family)
    room.put(bytes(16), 16, True)
    room.put(bytes(16), 16, False)
    assert room.host.drops() == {"fragment_overlap": 1}


@pytest.mark.parametrize(
    ("marks", "tos"),
    [((1, 3, 1), 3), ((2, 2, 3), 3), ((1, 2, 1), 1), ((0, 0, 0), 0), ((0, 3, 0), None)],
)
def test_marks_of_congestion(family: int, marks: tuple[int, ...], tos: int | None) -> None:
    """RFC 3168 5.3: one mark marks the whole, unless somebody cannot know what it means."""
    room = Room(family)
    peer = room.peer
    whole = room.datagram(bytes(40))
    for number, mark in enumerate(marks):
        at = 16 * number
        part, more = whole[at : at + 16], number < 2
        if family == addr.V4:
            frag = at // 8 | (MORE if more else 0)
            peer.packet(17, part, frag=frag, tos=0x50 | mark)
        else:
            peer.packet(44, ext6.build_fragment(17, at, more, 9) + part, tos=0x50 | mark)
    room.world.run(0)
    assert room.box.tos == ([] if tos is None else [0x50 | tos])
    assert room.host.drops() == ({"fragment_ecn": 1} if tos is None else {})


# Against a reference.


class Reference:
    """RFC 8200 4.5 and RFC 5722 in the plainest words: octets by position."""

    def __init__(self) -> None:
        self.octets: dict[int, int] = {}
        self.seen: set[tuple[int, bytes, bool]] = set()
        self.total = -1
        self.dead = False

    def add(self, at: int, part: bytes, more: bool) -> bytes | None:
        if self.dead or (at, part, more) in self.seen:
            return None
        positions = range(at, at + len(part))
        clash = any(position in self.octets for position in positions)
        highest = max(self.octets, default=-1) + 1
        if self.total >= 0:
            clash |= not more or positions.stop > self.total
        elif not more:
            clash |= highest > positions.stop
        if clash:
            self.dead = True
            return None
        self.seen.add((at, part, more))
        self.octets.update(zip(positions, part, strict=True))
        if not more:
            self.total = positions.stop
        if self.total >= 0 and len(self.octets) == self.total:
            return bytes(self.octets[n] for n in range(self.total))
        return None


moves = st.lists(
    st.tuples(st.integers(0, 7), st.integers(1, 4), st.booleans(), st.booleans()), max_size=12
)


@settings(max_examples=150)
@given(moves, st.sampled_from((addr.V4, addr.V6)))
def test_any_fragments_at_all_by_the_reference(
    script: list[tuple[int, int, bool, bool]], family: int
) -> None:
    """Fragments that overlap, repeat, contradict each other, in any order."""
    room = Room(family)
    base = room.datagram(bytes(range(80)))
    whole: list[bytes] = []
    reference = Reference()
    for place, eighths, more, other in script:
        at = 8 * place
        more |= at == 0  # else it would be whole, and no fragment at all
        part = base[at : at + 8 * eighths]
        if other:
            part = bytes(octet ^ 1 for octet in part)
        room.put(part, at, more)
        expected = reference.add(at, part, more)
        if expected is not None:
            whole.append(expected)
            reference = Reference()
    door = room.host.stack.door.counts
    delivered = room.host.stack.host.layer_of(room.peer.mine).counters.reasm_oks
    assert delivered == len(whole)
    assert (room.host_table == 0) == (not reference.octets and not reference.dead)
    assert door[fate.FRAGMENT_MALFORMED] == 0
    room.world.run(0)
    good = [data[8:] for data in whole if data == base[: len(data)] and len(data) == len(base)]
    assert room.box.data == good
