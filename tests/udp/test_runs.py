# SPDX-License-Identifier: MIT
"""Datagrams that one turn sends one by one: the first at once, the others in one frame."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack.base import addr
from stack.base.head import Head
from stack.base.status import OK
from stack.base.units import View
from stack.transport.options import OPTION_NO_CHECKSUM, Outgoing
from stack.transport.seam import OPTION_HOP_LIMIT
from tap.port import Port, Wrapper
from tests.harness import World
from tests.udp.test_super_frames import Sender, pattern


class OneByOne(Sender):
    """Sends with a call for each."""

    def each(self, *datagrams: View, port: int = 7) -> None:
        for data in datagrams:
            assert self.endpoint.send((data,), len(data), self.to, port, 0) == OK

    def frames(self) -> list[tuple[int, int]]:
        """What the device was given: octets of a segment, or 0, and of all payload."""
        return [(size, sum(map(len, views))) for size, views in self.out.sent]

    def settle(self) -> list[bytes]:
        self.world.run(10**9)
        return self.heard()


@pytest.fixture
def sender(world: World, family: int) -> OneByOne:
    made = OneByOne(world, family)
    world.run(world.now + 1)  # another instant than that of what was sent to get to know each other
    return made


def test_the_first_goes_at_once_and_the_others_together(sender: OneByOne) -> None:
    datagrams = [pattern(64 + n)[n:] for n in range(33)]
    sender.each(*datagrams)
    assert sender.frames() == [(0, 64)]
    assert sender.settle() == datagrams
    assert sender.frames() == [(0, 64), (64, 32 * 64)]
    assert sender.a.stack.udp.counters.out_datagrams == 34


def test_memory_that_cannot_change_is_not_copied(sender: OneByOne) -> None:
    datagrams = [pattern(1400 + n)[n:] for n in range(4)]
    sender.each(datagrams[0], memoryview(datagrams[1]), datagrams[2], memoryview(datagrams[3]))
    sender.settle()
    _, views = sender.out.sent[1]
    memory = [getattr(view, "obj", view) for view in views]
    assert all(one is data for one, data in zip(memory, datagrams[1:], strict=True))


@pytest.mark.parametrize(("size", "frames"), [(64, [64, 0]), (1400, [0, 0, 0])])
def test_memory_is_the_callers_again_at_once(
    sender: OneByOne, size: int, frames: list[int]
) -> None:
    """Small datagrams are copied, large ones leave before the call returns."""
    memory = bytearray(size)
    sent = []
    for n in range(3):
        memory[:] = bytes((n,)) * size
        sent.append(bytes(memory))
        sender.each(memoryview(memory))
    memory[:] = b"!" * size
    assert sender.settle() == sent
    assert sorted(size for size, _ in sender.out.sent) == sorted(frames)


def test_a_smaller_one_is_the_last_of_its_frame(sender: OneByOne) -> None:
    datagrams = [pattern(n) for n in (64, 64, 64, 10, 64, 64)]
    sender.each(*datagrams)
    assert sender.settle() == datagrams
    assert sender.frames() == [(0, 64), (64, 138), (64, 128)]


def test_a_larger_one_begins_another(sender: OneByOne) -> None:
    datagrams = [pattern(n) for n in (10, 10, 10, 64, 64, 64)]
    sender.each(*datagrams)
    assert sender.settle() == datagrams
    assert sender.frames() == [(0, 10), (10, 20), (64, 192)]


def test_no_more_than_a_kernel_takes(sender: OneByOne) -> None:
    small, large = [pattern(64)] * 150, [pattern(1000)] * 100
    sender.each(*small, *large)
    assert sender.settle() == small + large
    assert sender.frames()[:4] == [(0, 64), (64, 4096), (64, 4096), (64, 21 * 64)]
    assert all(0 < total <= 65535 - 48 for _, total in sender.frames()[4:])
    assert len(sender.frames()) == 4 + 2


def test_each_place_has_its_own(world: World, sender: OneByOne) -> None:
    """Two peers who are answered in turns: the order is kept for each."""
    for n in range(10):
        sender.each(bytes((n,)) * 8)
        sender.each(bytes((n,)) * 8, port=8)
    assert sender.settle() == [bytes((n,)) * 8 for n in range(10)]
    assert sorted(sender.frames()) == [(0, 8), (8, 72), (8, 80)]
    assert sender.b.drops() == {"udp_no_port": 1}


def test_what_cannot_wait_goes_behind_what_waits(sender: OneByOne) -> None:
    datagrams: list[bytes] = [b"first", b"held", b"", b"held again", pattern(4000), b"last"]
    sender.each(*datagrams)
    assert sender.settle() == datagrams


def test_what_is_asked_for_alone_goes_behind_what_waits(sender: OneByOne) -> None:
    """A datagram with ancillary data of its own, for the same place."""
    sender.each(b"first", b"held", b"held again")
    data = b"with a traffic class"
    how = Outgoing()
    how.tos = 8
    assert sender.endpoint.send((data,), len(data), sender.to, 7, 0, how) == OK
    sender.each(b"last")
    assert sender.settle() == [b"first", b"held", b"held again", data, b"last"]


def test_without_a_checksum_each_goes_for_itself(world: World) -> None:
    sender = OneByOne(world, addr.V4)
    assert sender.endpoint.set_option(OPTION_NO_CHECKSUM, 1) == OK
    sender.each(b"one", b"two", b"three")
    assert len(sender.out.sent) == 3


def test_a_device_that_cuts_nothing_gets_each_at_once(world: World, family: int) -> None:
    sender = OneByOne(world, family, offload=False)
    sender.each(b"one", b"two", b"six")
    assert len(sender.out.sent) == 3
    assert sender.settle() == [b"one", b"two", b"six"]


def test_options_hold_for_what_is_sent_after_them(sender: OneByOne, family: int) -> None:
    sender.each(b"old", b"old", b"old")
    assert sender.endpoint.set_option(OPTION_HOP_LIMIT, 9) == OK
    sender.each(b"new", b"new")
    sender.settle()
    at = 14 + (8 if family == addr.V4 else 7)
    assert [head[at] for head in sender.out.heads[-4:]] == [64, 64, 9, 9]


def test_closing_loses_nothing(sender: OneByOne) -> None:
    sender.each(b"one", b"two", b"six")
    sender.endpoint.close()
    assert sender.settle() == [b"one", b"two", b"six"]


class Full(Wrapper):
    """A device that has no room for super-frames."""

    def transmit(self, head: Head, views: list[View]) -> bool:  # type: ignore[override]
        return not head.gso_size and super().transmit(head, views)


def test_what_the_device_has_no_room_for_is_counted(world: World) -> None:
    ports: list[Full] = []

    def wrap(port: Port) -> Port:
        ports.append(Full(port))
        return ports[-1]

    a, b = world.pair(offload=True, wrap=wrap)
    endpoint = a.datagram()
    endpoint.bind(b"", 1000, 0)
    endpoint.send((b"who is there",), 12, b.address(addr.V4), 7, 0)
    world.run(10**9)
    before = a.stack.v4.counters.out_discards
    for _ in range(4):
        assert endpoint.send((b"data",), 4, b.address(addr.V4), 7, 0) == OK
    world.run(2 * 10**9)
    assert a.stack.v4.counters.out_discards - before == 1
    assert a.drops() == {"device_full": 1}


@given(
    st.lists(
        st.tuples(st.integers(0, 200) | st.integers(0, 3000), st.booleans(), st.booleans()),
        max_size=150,
    ),
    st.booleans(),
)
def test_whatever_is_sent_arrives_in_order(
    sends: list[tuple[int, bool, bool]], offload: bool
) -> None:
    """Sizes, memory of either kind, and turns between them; with a device that cuts and without."""
    sender = OneByOne(World(1), addr.V4, offload)
    memory = bytearray(3000)
    sent = []
    for n, (size, changes, turn) in enumerate(sends):
        data = bytes((n & 0xFF,)) * size
        sent.append(data)
        if changes:
            memory[:size] = data
            sender.each(memoryview(memory)[:size])
        else:
            sender.each(data)
        if turn:
            sender.world.run(0)
    assert sender.settle() == sent
    assert sender.a.stack.udp.counters.out_datagrams == len(sends) + 1
