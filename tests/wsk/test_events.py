# SPDX-License-Identifier: MIT
"""Event callbacks (wsk.md 3): the four answers of WskReceiveEvent, accept, disconnect, enabling."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import World
from tests.wsk.kit import (
    Couple,
    Party,
    Request,
    accept,
    close,
    data_of,
    disconnect,
    events,
    receive,
    send,
)
from wsk_api import (
    STATUS_DATA_NOT_ACCEPTED,
    STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER,
    STATUS_PENDING,
    STATUS_REQUEST_NOT_ACCEPTED,
    STATUS_SUCCESS,
    WSK_CLIENT_CONNECTION_DISPATCH,
    WSK_CLIENT_LISTEN_DISPATCH,
    WSK_EVENT_ACCEPT,
    WSK_EVENT_DISABLE,
    WSK_EVENT_DISCONNECT,
    WSK_EVENT_RECEIVE,
    WSK_FLAG_ABORTIVE,
    WSK_FLAG_ENTIRE_MESSAGE,
    WSK_FLAG_LISTEN_SOCKET,
    WSK_SET_STATIC_EVENT_CALLBACKS,
    Ref,
)

BOTH = WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT


class Listener:
    """Keeps what its connection is told, and answers as it was told to."""

    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.flags: list[int] = []
        self.heads: list[Any] = []
        self.ends: list[int] = []
        self.answer: Callable[[Any, int, Ref[int]], int] = lambda *_: STATUS_SUCCESS
        self.dispatch = WSK_CLIENT_CONNECTION_DISPATCH(self.receive, self.disconnect)

    def receive(self, context: Any, flags: int, head: Any, count: int, accepted: Ref[int]) -> int:
        self.heads.append(head)
        self.flags.append(flags)
        self.data.append(data_of(head))
        assert len(self.data[-1]) == count == accepted.value
        return self.answer(head, count, accepted)

    def disconnect(self, context: Any, flags: int) -> int:
        self.ends.append(flags & WSK_FLAG_ABORTIVE)
        return STATUS_SUCCESS


def listening(world: World, family: int = 1) -> tuple[Couple, Listener]:
    """Events are enabled on the far end."""
    listener = Listener()
    couple = Couple(world, family, far=listener.dispatch)
    assert events(couple.b, BOTH) == "STATUS_SUCCESS"
    return couple, listener


# The four answers.


def test_taken(world: World, family: int) -> None:
    couple, listener = listening(world, family)
    for part in (b"one", b"two", b"three"):
        send(couple.a, part)
        couple.run()
    assert listener.data == [b"one", b"two", b"three"]
    assert all(flags & WSK_FLAG_ENTIRE_MESSAGE for flags in listener.flags)


def test_taken_in_part_suspends_until_a_receive(world: World) -> None:
    couple, listener = listening(world)

    def some(head: Any, count: int, accepted: Ref[int]) -> int:
        accepted.value = 3
        return STATUS_SUCCESS

    listener.answer = some
    send(couple.a, b"0123456789")
    couple.run()
    send(couple.a, b"more")
    couple.run()
    assert listener.data == [b"0123456789"]
    listener.answer = lambda *_: STATUS_SUCCESS
    request, memory = receive(couple.b, 2)
    couple.run()
    assert memory[: request.info] == b"34"
    assert listener.data[1:] == [b"56789more"]


def test_not_accepted_suspends_and_an_empty_receive_resumes(world: World) -> None:
    couple, listener = listening(world)
    listener.answer = lambda *_: STATUS_DATA_NOT_ACCEPTED
    send(couple.a, b"later")
    couple.run()
    send(couple.a, b" and more")
    couple.run()
    assert listener.data == [b"later"]
    listener.answer = lambda *_: STATUS_SUCCESS
    receive(couple.b, 0)
    couple.run()
    assert listener.data == [b"later", b"later and more"]


def test_retained_until_released(world: World, family: int) -> None:
    """What is retained stays intact and closes the window; releasing opens it."""
    couple, listener = listening(world, family)
    listener.answer = lambda *_: STATUS_PENDING
    whole = bytes(range(256)) * 40_000
    sending = send(couple.a, whole)
    couple.run(5 * 10**9)
    assert sending.pending
    held = list(listener.heads)
    before = b"".join(map(data_of, held))
    assert whole.startswith(before)
    listener.answer = lambda *_: STATUS_SUCCESS
    for head in held:
        assert couple.b.Dispatch.WskRelease(couple.b, head) == STATUS_SUCCESS
        assert couple.b.Dispatch.WskRelease(couple.b, head) == STATUS_INVALID_PARAMETER
    couple.run(60 * 10**9)
    assert sending.info == len(whole)
    assert b"".join(listener.data) == whole


def test_released_inside_the_callback(world: World) -> None:
    couple, listener = listening(world)

    def at_once(head: Any, count: int, accepted: Ref[int]) -> int:
        assert couple.b.Dispatch.WskRelease(couple.b, head) == STATUS_SUCCESS
        return STATUS_PENDING

    listener.answer = at_once
    sending = send(couple.a, bytes(5_000_000))
    couple.run(60 * 10**9)
    assert sending.info == 5_000_000


def test_release_of_nothing(world: World) -> None:
    couple, _ = listening(world)
    assert couple.b.Dispatch.WskRelease(couple.b, None) == STATUS_INVALID_PARAMETER


def test_retained_data_survives_the_close(world: World) -> None:
    couple, listener = listening(world)
    listener.answer = lambda *_: STATUS_PENDING
    send(couple.a, b"mine")
    couple.run()
    close(couple.b)
    couple.run()
    assert data_of(listener.heads[0]) == b"mine"
    assert couple.b.Dispatch.WskRelease(couple.b, listener.heads[0]) == STATUS_SUCCESS


def test_a_queued_receive_goes_before_the_event(world: World) -> None:
    couple, listener = listening(world)
    request, memory = receive(couple.b, 4)
    send(couple.a, b"0123456789")
    couple.run()
    assert (request.info, bytes(memory)) == (4, b"0123")
    assert listener.data == [b"456789"]


def test_a_callback_that_raises_counts_as_not_accepted(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    couple, listener = listening(world)

    def bad(head: Any, count: int, accepted: Ref[int]) -> int:
        raise RuntimeError("mine")

    listener.answer = bad
    send(couple.a, b"kept")
    with caplog.at_level(logging.ERROR):
        couple.run()
    assert "raised" in caplog.text
    assert "mine" in caplog.text
    request, memory = receive(couple.b, 10)
    couple.run(0)
    assert memory[: request.info] == b"kept"


def test_data_before_the_event_was_enabled_is_indicated(world: World) -> None:
    listener = Listener()
    couple = Couple(world, 1, far=listener.dispatch)
    send(couple.a, b"early")
    couple.run()
    assert listener.data == []
    assert events(couple.b, WSK_EVENT_RECEIVE) == "STATUS_SUCCESS"
    couple.run(0)
    assert listener.data == [b"early"]


# The end.


def test_disconnect_event_comes_after_the_data(world: World, family: int) -> None:
    couple, listener = listening(world, family)
    disconnect(couple.a, b"last")
    couple.run()
    assert listener.data == [b"last"]
    assert listener.ends == [0]


def test_abortive_disconnect_event(world: World, family: int) -> None:
    couple, listener = listening(world, family)
    disconnect(couple.a, flags=WSK_FLAG_ABORTIVE)
    couple.run()
    assert listener.ends == [WSK_FLAG_ABORTIVE]


def test_ones_own_abort_is_not_told(world: World) -> None:
    couple, listener = listening(world)
    disconnect(couple.b, flags=WSK_FLAG_ABORTIVE)
    couple.run()
    assert listener.ends == []


def test_closing_inside_a_callback_completes_after_it(world: World) -> None:
    couple, listener = listening(world)
    closing: list[Request] = []

    def shut(head: Any, count: int, accepted: Ref[int]) -> int:
        closing.append(close(couple.b))
        assert closing[0].pending
        assert closing[0].returned == "STATUS_PENDING"
        return STATUS_SUCCESS

    listener.answer = shut
    send(couple.a, b"x")
    couple.run()
    assert closing[0].status == "STATUS_SUCCESS"
    assert len(listener.data) == 1


# Accepting.


class Acceptor:
    """A listening socket with WskAcceptEvent."""

    def __init__(self, world: World, static: int = 0) -> None:
        a, b = world.pair()
        self.world = world
        self.near, self.far = Party(world, a), Party(world, b, static)
        self.calls: list[tuple[Any, Any, Any]] = []
        self.inner = Listener()
        self.answer: Callable[[Any, Ref[Any], Ref[Any]], int] = self.take
        dispatch = WSK_CLIENT_LISTEN_DISPATCH(self.accept)
        self.socket = self.far.listener(80, dispatch, "the listener's context")

    def accept(
        self, context: Any, flags: int, local: Any, remote: Any, socket: Any, out: Any, table: Any
    ) -> int:
        assert context == "the listener's context"
        self.calls.append((local, remote, socket))
        return self.answer(socket, out, table)

    def take(self, socket: Any, out: Ref[Any], table: Ref[Any]) -> int:
        out.value, table.value = "its own context", self.inner.dispatch
        return STATUS_SUCCESS

    def connect(self, family: int) -> tuple[Any, Request]:
        made: tuple[Any, Request] = self.near.connecting(self.far.address(family, 80))
        self.world.run(10**9)
        return made


def test_accept_event_on_one_socket_for_both_families(world: World) -> None:
    acceptor = Acceptor(world, WSK_EVENT_ACCEPT | BOTH)
    for family in (1, 2):
        client, connecting = acceptor.connect(family)
        assert connecting.status == "STATUS_SUCCESS"
        send(client, b"hello %d" % family)
        world.run(10**9)
    assert acceptor.inner.data == [b"hello 1", b"hello 2"]
    locals_ = [local for local, _, _ in acceptor.calls]
    assert locals_ == [acceptor.far.address(family, 80) for family in (1, 2)]


def test_events_enabled_on_the_listener_are_inherited(world: World) -> None:
    acceptor = Acceptor(world)
    assert events(acceptor.socket, WSK_EVENT_ACCEPT | WSK_EVENT_RECEIVE) == "STATUS_SUCCESS"
    client, _ = acceptor.connect(1)
    send(client, b"inherited")
    disconnect(client)
    world.run(10**9)
    assert acceptor.inner.data == [b"inherited"]
    assert acceptor.inner.ends == []  # that one was not enabled


def refuse(socket: Any, out: Ref[Any], table: Ref[Any]) -> int:
    return STATUS_REQUEST_NOT_ACCEPTED


def fail(socket: Any, out: Ref[Any], table: Ref[Any]) -> int:
    raise RuntimeError("mine")


@pytest.mark.parametrize("answer", [refuse, fail])
def test_a_refused_connection_is_closed_by_the_provider(
    world: World, family: int, answer: Callable[..., int]
) -> None:
    acceptor = Acceptor(world, WSK_EVENT_ACCEPT)
    acceptor.answer = answer
    client, _ = acceptor.connect(family)
    assert send(client, b"x").status == "STATUS_CONNECTION_RESET"
    assert acceptor.far.npi.Client.sockets == {acceptor.socket}
    acceptor.answer = acceptor.take
    assert acceptor.connect(family)[1].status == "STATUS_SUCCESS"


def test_a_queued_accept_goes_before_the_event(world: World) -> None:
    acceptor = Acceptor(world, WSK_EVENT_ACCEPT)
    first, second = accept(acceptor.socket), accept(acceptor.socket)
    acceptor.connect(1)
    acceptor.connect(2)
    acceptor.connect(1)
    assert first.status == second.status == "STATUS_SUCCESS"
    assert len(acceptor.calls) == 1


def test_connections_wait_for_an_accept(world: World, family: int) -> None:
    acceptor = Acceptor(world)
    client, connecting = acceptor.connect(family)
    assert connecting.status == "STATUS_SUCCESS"
    send(client, b"patient")
    world.run(10**9)
    request = accept(acceptor.socket)
    got, memory = receive(request.info, 20)
    world.run(0)
    assert memory[: got.info] == b"patient"


def test_enabling_the_accept_event_offers_who_waits(world: World) -> None:
    acceptor = Acceptor(world)
    acceptor.connect(1)
    assert acceptor.calls == []
    events(acceptor.socket, WSK_EVENT_ACCEPT)
    world.run(0)
    assert len(acceptor.calls) == 1


def test_closing_the_listener_resets_who_waits(world: World, family: int) -> None:
    acceptor = Acceptor(world)
    client, _ = acceptor.connect(family)
    close(acceptor.socket)
    world.run(10**9)
    assert send(client, b"x").status == "STATUS_CONNECTION_RESET"


# Enabling and disabling.


def test_rules_of_enabling(world: World) -> None:
    listener = Listener()
    couple = Couple(world, 1, far=listener.dispatch)
    assert events(couple.b, 0) == "STATUS_INVALID_PARAMETER"
    assert events(couple.b, WSK_EVENT_ACCEPT) == "STATUS_INVALID_PARAMETER"
    with_irp = Request()
    assert events(couple.b, WSK_EVENT_RECEIVE, with_irp) == "STATUS_INVALID_PARAMETER"
    assert with_irp.status == "STATUS_INVALID_PARAMETER"
    unbound = couple.near.socket(WSK_FLAG_LISTEN_SOCKET)
    assert events(unbound, WSK_EVENT_ACCEPT) == "STATUS_INVALID_DEVICE_STATE"


def test_rules_of_disabling(world: World) -> None:
    couple, listener = listening(world)
    both = WSK_EVENT_DISABLE | BOTH
    assert events(couple.b, both) == "STATUS_INVALID_PARAMETER"
    assert events(couple.b, WSK_EVENT_DISABLE) == "STATUS_INVALID_PARAMETER"
    assert events(couple.b, WSK_EVENT_DISABLE | WSK_EVENT_RECEIVE) == "STATUS_SUCCESS"
    send(couple.a, b"unheard")
    couple.run()
    assert listener.data == []
    events(couple.b, WSK_EVENT_RECEIVE)
    couple.run(0)
    assert listener.data == [b"unheard"]


@pytest.mark.parametrize("with_irp", [False, True])
def test_disabling_while_the_callback_runs(world: World, with_irp: bool) -> None:
    couple, listener = listening(world)
    off = WSK_EVENT_DISABLE | WSK_EVENT_RECEIVE
    request = Request() if with_irp else None

    def inside(head: Any, count: int, accepted: Ref[int]) -> int:
        answer = events(couple.b, off, request)
        assert answer == ("STATUS_PENDING" if with_irp else "STATUS_EVENT_PENDING")
        assert request is None or request.pending
        return STATUS_SUCCESS

    listener.answer = inside
    send(couple.a, b"1")
    couple.run()
    send(couple.a, b"2")
    couple.run()
    assert listener.data == [b"1"]
    if request is not None:
        assert request.status == "STATUS_SUCCESS"


def test_static_events_cannot_be_switched(world: World) -> None:
    acceptor = Acceptor(world, WSK_EVENT_ACCEPT)
    assert events(acceptor.socket, WSK_EVENT_ACCEPT) == "STATUS_INVALID_DEVICE_REQUEST"
    off = WSK_EVENT_DISABLE | WSK_EVENT_ACCEPT
    assert events(acceptor.socket, off) == "STATUS_INVALID_DEVICE_REQUEST"


def test_static_events_come_before_the_first_socket(world: World) -> None:
    party = Party(world, world.pair()[0])
    for wrong in (0, WSK_EVENT_DISABLE | WSK_EVENT_ACCEPT, 0x1000):
        answer = party.control(WSK_SET_STATIC_EVENT_CALLBACKS, wrong)
        assert answer == STATUS_INVALID_PARAMETER
    party.socket(WSK_FLAG_LISTEN_SOCKET)
    late = party.control(WSK_SET_STATIC_EVENT_CALLBACKS, WSK_EVENT_ACCEPT)
    assert late == STATUS_INVALID_DEVICE_STATE
