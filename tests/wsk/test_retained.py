# SPDX-License-Identifier: MIT
"""Retained indications (wsk.md 2.5, 2.7, 3.4): given back once, and inside the window."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.harness import World
from tests.wsk.kit import Couple, Party, accept, bind, close, data_of, events, receive, send
from tests.wsk.test_messages import Ends, send_to
from wsk_api import (
    SOCK_RAW,
    STATUS_DATA_NOT_ACCEPTED,
    STATUS_INVALID_PARAMETER,
    STATUS_PENDING,
    STATUS_SUCCESS,
    WSK_CLIENT_CONNECTION_DISPATCH,
    WSK_DATA_INDICATION,
    WSK_EVENT_RECEIVE,
    WSK_FLAG_CONNECTION_SOCKET,
    WSK_FLAG_DRAIN,
    WSK_FLAG_RELEASE_ASAP,
    Ref,
)


class Keeper:
    """Retains what it is told of."""

    def __init__(self) -> None:
        self.heads: list[Any] = []
        self.flags: list[int] = []
        self.answer = STATUS_PENDING
        self.socket: Any = None
        self.inside = False
        self.dispatch = WSK_CLIENT_CONNECTION_DISPATCH(self.receive)

    def receive(self, context: Any, flags: int, head: Any, count: int, accepted: Ref[int]) -> int:
        self.heads.append(head)
        self.flags.append(flags)
        if self.inside:
            assert self.release(head) == STATUS_SUCCESS
        return self.answer

    def release(self, head: Any) -> int:
        answer: int = self.socket.Dispatch.WskRelease(self.socket, head)
        return answer


def keeping(world: World, family: int = 1) -> tuple[Couple, Keeper]:
    keeper = Keeper()
    couple = Couple(world, family, far=keeper.dispatch)
    keeper.socket = couple.b
    assert events(couple.b, WSK_EVENT_RECEIVE) == "STATUS_SUCCESS"
    return couple, keeper


def charged(couple: Couple) -> int:
    """Octets that the far end's connection has given out and not got back."""
    (tcb,) = couple.far.host.stack.tcp.connections()
    return tcb.rcv.ungranted


def test_the_head_names_the_list_and_only_the_head(world: World, family: int) -> None:
    couple, keeper = keeping(world, family)
    send(couple.a, bytes(4000))
    couple.run()
    head = keeper.heads[0]
    node = head
    while node.Next is not None:
        node = node.Next
        assert keeper.release(node) == STATUS_INVALID_PARAMETER
    twin = WSK_DATA_INDICATION(head.Buffer, head.Next)
    wrongs: tuple[Any, ...] = (twin, None, "head", [], {})
    for wrong in wrongs:
        assert keeper.release(wrong) == STATUS_INVALID_PARAMETER
    other, _ = keeping(World(seed=2), family)
    assert other.b.Dispatch.WskRelease(other.b, head) == STATUS_INVALID_PARAMETER
    assert charged(couple) > 0
    for held in keeper.heads:
        assert keeper.release(held) == STATUS_SUCCESS
        assert keeper.release(held) == STATUS_INVALID_PARAMETER
    assert charged(couple) == 0


@given(
    order=st.lists(st.integers(0, 5), max_size=20),
    sizes=st.lists(st.integers(1, 3000), min_size=6, max_size=6),
)
def test_whatever_the_order_each_is_granted_once(order: list[int], sizes: list[int]) -> None:
    couple, keeper = keeping(World(seed=1))
    for size in sizes:
        send(couple.a, bytes(size))
        couple.run(10**8)
    held = {index: len(data_of(head)) for index, head in enumerate(keeper.heads)}
    assert sum(held.values()) == sum(sizes)
    for index in order:
        if index < len(keeper.heads):
            known = held.pop(index, 0) > 0
            answer = STATUS_SUCCESS if known else STATUS_INVALID_PARAMETER
            assert keeper.release(keeper.heads[index]) == answer
        assert charged(couple) == sum(held.values())


@pytest.mark.parametrize("answer", [STATUS_SUCCESS, STATUS_DATA_NOT_ACCEPTED])
def test_released_inside_and_not_retained_is_granted_once(
    world: World, family: int, answer: int
) -> None:
    """It was given back: that the callback then says otherwise changes nothing."""
    couple, keeper = keeping(world, family)
    keeper.inside, keeper.answer = True, answer
    for _ in range(3):
        send(couple.a, b"x" * 1000)
        couple.run()
    assert len(keeper.heads) == 3
    assert charged(couple) == 0


def test_keeping_everything_slows_the_peer_and_nobody_else(world: World, family: int) -> None:
    couple, keeper = keeping(world, family)
    accepting = accept(couple.listener)
    other, connecting = couple.near.connecting(couple.far.address(family, 80))
    whole = bytes(range(256)) * 12_000
    stuck = send(couple.a, whole)
    couple.run(5 * 10**9)
    assert stuck.pending
    assert connecting.status == "STATUS_SUCCESS"
    (kept,) = (t for t in couple.far.host.stack.tcp.connections() if t.rcv.ungranted)
    # Promises are rounded up to what the window field can say (RFC 7323 2.3).
    held = kept.rcv.ungranted
    assert held <= kept.rcv.limit + kept.rcv.limit // 64
    drain, _ = receive(accepting.info, 0, WSK_FLAG_DRAIN)
    free = send(other, bytes(5_000_000))
    couple.run(5 * 10**9)
    assert free.info == 5_000_000
    assert drain.pending
    assert kept.rcv.ungranted == held
    keeper.inside = True
    for head in list(keeper.heads):
        keeper.release(head)
    couple.run(60 * 10**9)
    assert stuck.info == len(whole)
    assert b"".join(map(data_of, keeper.heads)) == whole


def test_release_asap_is_asked_for_when_most_of_the_window_is_kept(
    world: World, family: int
) -> None:
    couple, keeper = keeping(world, family)
    (tcb,) = couple.far.host.stack.tcp.connections()
    half = tcb.rcv.limit // 2
    send(couple.a, bytes(half * 4))
    couple.run()
    kept = 0
    for head, flags in zip(keeper.heads, keeper.flags, strict=True):
        assert bool(flags & WSK_FLAG_RELEASE_ASAP) == (kept > half)
        kept += len(data_of(head))
    assert keeper.flags[-1] & WSK_FLAG_RELEASE_ASAP
    keeper.inside = True
    for head in list(keeper.heads):
        keeper.release(head)
    couple.run()
    send(couple.a, b"x")
    couple.run()
    assert not keeper.flags[-1] & WSK_FLAG_RELEASE_ASAP


def test_indications_are_views_of_frames(world: World, family: int) -> None:
    """Nothing was copied: the memory is the frame's, and read-only."""
    couple, keeper = keeping(world, family)
    send(couple.a, b"data")
    ends = Ends(World(seed=2))
    ends.ear.answer = STATUS_PENDING
    send_to(ends.a, b"data", ends.far.address(family, 2000))
    couple.run()
    ends.world.run(10**9)
    for head in (keeper.heads[0], ends.ear.heads[0]):
        view = head.Buffer.Mdl.view
        assert view.readonly
        assert bytes(view) == b"data"
        assert len(view.obj) > 40
        assert (head.Buffer.Offset, head.Buffer.Length) == (0, 4)


def test_closing_while_retaining_is_detected(
    world: World, family: int, caplog: pytest.LogCaptureFixture
) -> None:
    couple, keeper = keeping(world, family)
    send(couple.a, b"mine")
    couple.run()
    with caplog.at_level(logging.ERROR, "wskstack.wsk"):
        assert close(couple.b).info == 0
    (record,) = caplog.records
    assert "1 indications (4 octets) are retained" in record.getMessage()
    couple.run()
    assert data_of(keeper.heads[0]) == b"mine"  # the memory stays the client's
    assert keeper.release(keeper.heads[0]) == STATUS_SUCCESS
    assert keeper.release(keeper.heads[0]) == STATUS_INVALID_PARAMETER


def test_closing_after_releasing_is_not_complained_about(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    couple, keeper = keeping(world)
    send(couple.a, b"mine")
    couple.run()
    keeper.release(keeper.heads[0])
    with caplog.at_level(logging.ERROR):
        close(couple.b)
    assert caplog.records == []


def test_datagrams_kept_stay_charged(
    world: World, family: int, caplog: pytest.LogCaptureFixture
) -> None:
    ends = Ends(world)
    ends.ear.answer = STATUS_PENDING
    remote = ends.far.address(family, 2000)
    limit = ends.far.host.stack.udp.receive_buffer
    for _ in range(limit // 1000 + 50):
        send_to(ends.a, bytes(1000), remote)
        world.run(10**6)
    drops = ends.far.host.drops()["udp_queue_full"]
    assert drops > 0
    for head in ends.ear.heads:
        assert ends.b.Dispatch.WskRelease(ends.b, head) == STATUS_SUCCESS
        assert ends.b.Dispatch.WskRelease(ends.b, head) == STATUS_INVALID_PARAMETER
    before = len(ends.ear.heard)
    send_to(ends.a, b"room again", remote)
    world.run(10**9)
    assert ends.ear.heard[before:] == [b"room again"]
    assert ends.far.host.drops()["udp_queue_full"] == drops
    with caplog.at_level(logging.ERROR):
        close(ends.b)
    assert "1 indications" in caplog.text


def test_a_datagram_released_inside_and_not_retained(world: World, family: int) -> None:
    """Twice given back would be twice the room."""
    ends = Ends(world, SOCK_RAW, 253)

    def both(context: Any, flags: int, head: Any) -> int:
        ends.ear.heard.append(data_of(head))
        assert ends.b.Dispatch.WskRelease(ends.b, head) == STATUS_SUCCESS
        return STATUS_SUCCESS

    ends.ear.dispatch.WskReceiveFromEvent = both
    for _ in range(3):
        send_to(ends.a, b"x", ends.far.address(family, 0))
        world.run(10**9)
    assert len(ends.ear.heard) == 3
    ends.ear.dispatch.WskReceiveFromEvent = ends.ear.receive
    ends.ear.answer = STATUS_PENDING
    size = 1000
    limit = ends.far.host.stack.raw.receive_buffer
    for _ in range(limit // size + 10):
        send_to(ends.a, bytes(size), ends.far.address(family, 0))
        world.run(10**6)
    kept = sum(len(head.Buffer.Mdl.view) for head in ends.ear.heads)
    assert kept <= limit


def test_a_socket_that_never_received_has_nothing_to_release(world: World) -> None:
    party = Party(world, world.pair()[0])
    socket = party.socket(WSK_FLAG_CONNECTION_SOCKET)
    bind(socket)
    assert socket.Dispatch.WskRelease(socket, None) == STATUS_INVALID_PARAMETER
