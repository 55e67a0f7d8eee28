# SPDX-License-Identifier: MIT
"""The provider leaves while sockets are open (wsk.md 2.1 point 11, 3.3), and comes back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness import World
from tests.wsk.kit import (
    Couple,
    Party,
    Request,
    accept,
    bind,
    close,
    disconnect,
    events,
    receive,
    send,
    set_option,
)
from tests.wsk.real import Real, Threaded, after, registered
from wsk_api import (
    AF_INET6,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPV6_V6ONLY,
    SOCK_STREAM,
    SOCKADDR_IN6,
    STATUS_DATA_NOT_ACCEPTED,
    STATUS_DEVICE_NOT_READY,
    STATUS_FILE_FORCED_CLOSED,
    STATUS_INVALID_PARAMETER,
    STATUS_PENDING,
    STATUS_REQUEST_NOT_ACCEPTED,
    STATUS_SUCCESS,
    WSK_CLIENT_CONNECTION_DISPATCH,
    WSK_CLIENT_DATAGRAM_DISPATCH,
    WSK_CLIENT_LISTEN_DISPATCH,
    WSK_EVENT_ACCEPT,
    WSK_EVENT_DISABLE,
    WSK_EVENT_DISCONNECT,
    WSK_EVENT_RECEIVE,
    WSK_EVENT_RECEIVE_FROM,
    WSK_EVENT_SEND_BACKLOG,
    WSK_FLAG_AT_DISPATCH_LEVEL,
    WSK_FLAG_BASIC_SOCKET,
    WSK_FLAG_CONNECTION_SOCKET,
    WSK_FLAG_LISTEN_SOCKET,
    WSK_INFINITE_WAIT,
    WSK_NO_WAIT,
    WSK_PROVIDER_NPI,
    WSK_SET_STATIC_EVENT_CALLBACKS,
    WSK_TRANSPORT_LIST_QUERY,
    Ref,
    Subsystem,
    WskCaptureProviderNPI,
    WskDeregister,
    WskReleaseProviderNPI,
    wsk_buf,
)

DEAD = "STATUS_FILE_FORCED_CLOSED"


class Heard:
    """Every callback, and what came with it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.then: Any = None

    def _note(self, name: str, status: int, *arguments: Any) -> int:
        self.calls.append((name, arguments))
        if self.then is not None:
            self.then()
        return status

    def accept(self, *arguments: Any) -> int:
        return self._note("accept", STATUS_REQUEST_NOT_ACCEPTED, *arguments)

    def receive(self, *arguments: Any) -> int:
        return self._note("receive", STATUS_DATA_NOT_ACCEPTED, *arguments)

    def receive_from(self, *arguments: Any) -> int:
        return self._note("receive from", STATUS_DATA_NOT_ACCEPTED, *arguments)

    def disconnect(self, *arguments: Any) -> int:
        return self._note("disconnect", STATUS_SUCCESS, *arguments)

    def backlog(self, *arguments: Any) -> int:
        return self._note("backlog", STATUS_SUCCESS, *arguments)

    @property
    def connection(self) -> WSK_CLIENT_CONNECTION_DISPATCH:
        return WSK_CLIENT_CONNECTION_DISPATCH(self.receive, self.disconnect, self.backlog)


# What is queued.


def test_what_is_queued_completes_once(world: World, family: int) -> None:
    couple = Couple(world, family)
    near = couple.near
    connecting = near.connecting(SOCKADDR_IN6(80, bytes([0xFD, 0x77] + [0] * 13 + [99])))[1]
    listener, datagram = near.listener(81), near.datagram(82)
    memory = bytearray(10)
    queued = [
        connecting,
        accept(listener),
        accept(listener),
        receive(couple.a, 10)[0],
        send(couple.a, bytes(10**6)),
        disconnect(couple.a),
        Request().issue(
            datagram.Dispatch.WskReceiveFrom, datagram, wsk_buf(memory), 0, *[None] * 4
        ),
    ]
    assert all(request.pending for request in queued)
    near.subsystem.detach()
    assert [request.ends for request in queued] == [[(DEAD, 0)]] * len(queued)
    world.run()
    assert [len(request.ends) for request in queued] == [1] * len(queued)


def test_outputs_of_what_never_happened_stay_untouched(world: World) -> None:
    party = Party(world, world.pair()[0])
    listener = party.listener(80)
    local: Ref[Any] = Ref("before")
    remote: Ref[Any] = Ref("before")
    arguments = (listener, 0, None, None, local, remote)
    request = Request().issue(listener.Dispatch.WskAccept, *arguments)
    party.subsystem.detach()
    assert request.ends == [(DEAD, 0)]
    assert (local.value, remote.value) == ("before", "before")


def test_a_socket_connect_in_progress_ends_without_a_socket(world: World) -> None:
    party = Party(world, world.pair()[0])
    heard = Heard()
    assert party.control(WSK_SET_STATIC_EVENT_CALLBACKS, WSK_EVENT_RECEIVE) == STATUS_SUCCESS
    remote = SOCKADDR_IN6(80, bytes([0xFD, 0x77] + [0] * 13 + [99]))
    what = (SOCK_STREAM, IPPROTO_TCP, SOCKADDR_IN6(), remote, 0, None, heard.connection)
    connect = party.npi.Dispatch.WskSocketConnect
    request = Request().issue(connect, party.npi.Client, *what, None, None, None)
    assert request.pending
    party.subsystem.detach()
    assert request.ends == [(DEAD, 0)]
    assert heard.calls == []
    WskReleaseProviderNPI(party.registration)
    WskDeregister(party.registration)  # no socket is left to close


# Events.


def test_each_enabled_event_says_so_once(world: World, family: int) -> None:
    heard = Heard()
    couple = Couple(world, family, near=heard.connection, context="connection")
    party = couple.near
    listener = party.listener(81, WSK_CLIENT_LISTEN_DISPATCH(heard.accept), "listener")
    datagram = party.datagram(82, WSK_CLIENT_DATAGRAM_DISPATCH(heard.receive_from), "datagram")
    mask = WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT | WSK_EVENT_SEND_BACKLOG
    for socket, bits in (
        (couple.a, mask),
        (listener, WSK_EVENT_ACCEPT),
        (datagram, WSK_EVENT_RECEIVE_FROM),
    ):
        assert events(socket, bits) == "STATUS_SUCCESS"
    world.run(10**9)
    heard.calls.clear()
    party.subsystem.detach()
    world.run()
    told = dict(heard.calls)
    # The end of a stream is something else: no disconnect, no backlog.
    assert sorted(name for name, _ in heard.calls) == ["accept", "receive", "receive from"]
    context, flags, _, _, socket, out_context, out_dispatch = told["accept"]
    assert (context, flags, socket) == ("listener", WSK_FLAG_AT_DISPATCH_LEVEL, None)
    assert isinstance(out_context, Ref)
    assert isinstance(out_dispatch, Ref)
    context, flags, indication, count, accepted = told["receive"]
    assert (context, indication, count, accepted.value) == ("connection", None, 0, 0)
    assert told["receive from"] == ("datagram", WSK_FLAG_AT_DISPATCH_LEVEL, None)


def test_events_that_are_not_enabled_stay_silent(world: World) -> None:
    heard = Heard()
    couple = Couple(world, 2, near=heard.connection)
    assert events(couple.a, WSK_EVENT_RECEIVE) == "STATUS_SUCCESS"
    assert events(couple.a, WSK_EVENT_RECEIVE | WSK_EVENT_DISABLE) == "STATUS_SUCCESS"
    couple.near.listener(81, WSK_CLIENT_LISTEN_DISPATCH(heard.accept))
    couple.near.subsystem.detach()
    assert heard.calls == []


def test_static_events_say_so_and_so_do_suspended_ones(world: World, family: int) -> None:
    heard = Heard()
    a, b = world.pair()
    near = Party(world, a, WSK_EVENT_RECEIVE | WSK_EVENT_ACCEPT)
    far = Party(world, b)
    accepting = accept(far.listener(80))
    socket, _ = near.connecting(far.address(family, 80), heard.connection)
    near.socket(WSK_FLAG_LISTEN_SOCKET, WSK_CLIENT_LISTEN_DISPATCH(heard.accept))  # not bound
    near.socket(WSK_FLAG_CONNECTION_SOCKET)  # without a table: nobody to tell
    world.run(10**9)
    send(accepting.info, b"refused")
    world.run(10**9)
    assert [name for name, _ in heard.calls] == ["receive"]  # and suspended
    near.subsystem.detach()
    assert sorted(name for name, _ in heard.calls) == ["accept", "receive", "receive"]
    assert close(socket).status == "STATUS_SUCCESS"


def test_closing_inside_of_the_news(world: World) -> None:
    heard = Heard()
    couple = Couple(world, 2, near=heard.connection)
    assert events(couple.a, WSK_EVENT_RECEIVE) == "STATUS_SUCCESS"
    closing: list[Request] = []
    heard.then = lambda: closing.append(close(couple.a))
    couple.near.subsystem.detach()
    assert [request.ends for request in closing] == [[("STATUS_SUCCESS", 0)]]
    WskReleaseProviderNPI(couple.near.registration)
    WskDeregister(couple.near.registration)


def test_a_completion_routine_that_closes_keeps_the_event_away(world: World) -> None:
    heard = Heard()
    couple = Couple(world, 2, near=heard.connection)
    assert events(couple.a, WSK_EVENT_RECEIVE) == "STATUS_SUCCESS"
    receiving, _ = receive(couple.a, 10)
    closing: list[Request] = []
    first = receiving.irp.location(1)
    told = first.CompletionRoutine

    def and_close(device: Any, irp: Any, context: Any) -> int:
        assert told is not None
        closing.append(close(couple.a))
        return told(device, irp, context)

    first.CompletionRoutine = and_close
    couple.near.subsystem.detach()
    assert receiving.ends == [(DEAD, 0)]
    assert closing[0].status == "STATUS_SUCCESS"
    assert heard.calls == []


# Functions.


def test_every_function_says_so(world: World) -> None:
    couple = Couple(world, 2)
    party = couple.near
    a, listener, datagram = couple.a, party.listener(81), party.datagram(82)
    unbound = party.socket(WSK_FLAG_CONNECTION_SOCKET)
    party.subsystem.detach()
    out: Ref[Any] = Ref("before")
    somewhere = SOCKADDR_IN6(1, bytes(15) + b"\x01")
    kind = (AF_INET6, SOCK_STREAM, IPPROTO_TCP, WSK_FLAG_BASIC_SOCKET, None, None)
    calls = [
        (a.Dispatch.WskSend, (a, wsk_buf(b"x"), 0)),
        (a.Dispatch.WskReceive, (a, wsk_buf(bytearray(1)), 0)),
        (a.Dispatch.WskDisconnect, (a, None, 0)),
        (a.Dispatch.WskConnect, (a, somewhere, 0)),
        (a.Dispatch.WskGetLocalAddress, (a, out)),
        (a.Dispatch.WskGetRemoteAddress, (a, out)),
        (listener.Dispatch.WskAccept, (listener, 0, None, None, out, out)),
        (listener.Dispatch.WskGetLocalAddress, (listener, out)),
        (datagram.Dispatch.WskSendTo, (datagram, wsk_buf(b"x"), 0, somewhere, 0, None)),
        (datagram.Dispatch.WskReceiveFrom, (datagram, wsk_buf(bytearray(1)), 0, *[None] * 4)),
        (unbound.Dispatch.WskBind, (unbound, SOCKADDR_IN6(), 0)),
        # The client's own functions have no socket to speak of, and say the same.
        (party.npi.Dispatch.WskSocket, (party.npi.Client, *kind, None, None, None)),
        (
            party.npi.Dispatch.WskSocketConnect,
            (party.npi.Client, SOCK_STREAM, IPPROTO_TCP, somewhere, somewhere, 0, *[None] * 5),
        ),
    ]
    for function, arguments in calls:
        request = Request().issue(function, *arguments)
        assert (request.returned, request.ends) == (DEAD, [(DEAD, 0)]), function
    assert set_option(unbound, IPPROTO_IPV6, IPV6_V6ONLY, 0).status == DEAD
    assert events(datagram, WSK_EVENT_RECEIVE_FROM) == DEAD
    assert party.control(WSK_TRANSPORT_LIST_QUERY, 0) == STATUS_FILE_FORCED_CLOSED
    assert out.value == "before"
    for socket in (a, listener, datagram, unbound):
        closing = close(socket)
        assert (closing.returned, closing.ends) == ("STATUS_SUCCESS", [("STATUS_SUCCESS", 0)])
    assert len(couple.b.pending) == 0


def test_retained_data_is_still_released(world: World) -> None:
    kept: list[Any] = []

    def keep(context: Any, flags: int, indication: Any, count: int, accepted: Any) -> int:
        if indication is None:
            return STATUS_SUCCESS
        kept.append(indication)
        return STATUS_PENDING

    couple = Couple(world, 2, near=WSK_CLIENT_CONNECTION_DISPATCH(keep))
    assert events(couple.a, WSK_EVENT_RECEIVE) == "STATUS_SUCCESS"
    send(couple.b, b"mine")
    couple.run()
    couple.near.subsystem.detach()
    release = couple.a.Dispatch.WskRelease
    assert [bytes(each.Buffer.Mdl.view) for each in kept] == [b"mine"]
    assert release(couple.a, kept[0]) == STATUS_SUCCESS
    assert release(couple.a, kept[0]) == STATUS_INVALID_PARAMETER
    assert close(couple.a).status == "STATUS_SUCCESS"


def test_the_peer_sees_a_reset_and_others_see_nothing(world: World) -> None:
    couple = Couple(world, 2)
    reading, _ = receive(couple.b, 10)
    couple.near.subsystem.detach()
    couple.run()
    assert reading.status == "STATUS_CONNECTION_RESET"
    assert bind(couple.far.socket(WSK_FLAG_LISTEN_SOCKET), 90).status == "STATUS_SUCCESS"


# The next provider.


def test_the_registration_captures_the_next_provider(world: World, family: int) -> None:
    couple = Couple(world, family)
    party, host = couple.near, couple.near.host
    old = party.npi.Client
    assert party.subsystem.transports is not None
    party.subsystem.detach()
    assert party.subsystem.transports is None
    party.subsystem.detach()  # there is none: nothing happens
    npi = WSK_PROVIDER_NPI()
    assert WskCaptureProviderNPI(party.registration, WSK_NO_WAIT, npi) == STATUS_DEVICE_NOT_READY
    attach = party.subsystem.attach
    after(world, host, 10**6, lambda: attach(host.stack.providers, world.env.executor))
    assert WskCaptureProviderNPI(party.registration, WSK_INFINITE_WAIT, party.npi) == STATUS_SUCCESS
    assert party.npi.Client is not old
    accepting = accept(couple.listener)
    socket, connecting = party.connecting(couple.far.address(family, 80))
    world.run(10**9)
    assert connecting.status == accepting.status == "STATUS_SUCCESS"
    # Both captures, the dead socket and the new one hold up deregistration.
    WskReleaseProviderNPI(party.registration)
    WskReleaseProviderNPI(party.registration)
    assert close(socket).status == close(couple.a).status == "STATUS_SUCCESS"
    WskDeregister(party.registration)


def test_the_dead_socket_of_an_old_provider_holds_up_deregistration(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    party = Party(world, world.pair()[0])
    party.socket(WSK_FLAG_LISTEN_SOCKET)
    party.subsystem.detach()
    party.subsystem.attach(party.host.stack.providers, world.env.executor)
    assert WskCaptureProviderNPI(party.registration, WSK_NO_WAIT, party.npi) == STATUS_SUCCESS
    WskReleaseProviderNPI(party.registration)
    WskReleaseProviderNPI(party.registration)
    WskDeregister(party.registration)
    assert "0 captures, 1 sockets open" in caplog.text


def test_one_provider_at_a_time(world: World) -> None:
    party = Party(world, world.pair()[0])
    with pytest.raises(AssertionError, match="detach it first"):
        party.subsystem.attach(party.host.stack.providers, world.env.executor)


def test_a_provider_that_leaves_in_the_middle_of_a_callback(world: World) -> None:
    """It is told in the next turn: callbacks of one socket do not nest."""
    subsystems: list[Subsystem] = []
    depth: list[int] = []
    deepest: list[int] = []

    def receive_event(context: Any, flags: int, indication: Any, *_: Any) -> int:
        depth.append(1)
        deepest.append(len(depth))
        if indication is not None:
            subsystems[0].detach()
        depth.pop()
        return STATUS_SUCCESS

    couple = Couple(world, 2, near=WSK_CLIENT_CONNECTION_DISPATCH(receive_event))
    subsystems.append(couple.near.subsystem)
    assert events(couple.a, WSK_EVENT_RECEIVE) == "STATUS_SUCCESS"
    send(couple.b, b"x")
    couple.run()
    assert deepest == [1, 1]


def test_a_thread_unloads_the_provider() -> None:
    with Real() as real:
        registration = registered(real.subsystem)
        npi = WSK_PROVIDER_NPI()
        assert WskCaptureProviderNPI(registration, WSK_NO_WAIT, npi) == STATUS_SUCCESS
        kind = (npi.Client, AF_INET6, SOCK_STREAM, IPPROTO_TCP, WSK_FLAG_LISTEN_SOCKET)
        made = real.inside(
            lambda: Request().issue(npi.Dispatch.WskSocket, *kind, None, None, None, None, None)
        )
        socket = made.info
        assert real.inside(lambda: bind(socket, 80)).status == "STATUS_SUCCESS"
        # From this thread, so that it may still be on its way when the provider leaves.
        queued = accept(socket)
        real.subsystem.detach()
        assert queued.ends == [(DEAD, 0)]
        closing = close(socket)
        real.inside(lambda: None)
        assert closing.ends == [("STATUS_SUCCESS", 0)]
        WskReleaseProviderNPI(registration)
        WskDeregister(registration)


def test_calls_on_their_way_when_the_provider_leaves() -> None:
    """They meet a dead socket; a close is still a close."""
    with Real() as real:
        registration = registered(real.subsystem)
        npi = WSK_PROVIDER_NPI()
        assert WskCaptureProviderNPI(registration, WSK_NO_WAIT, npi) == STATUS_SUCCESS
        kind = (npi.Client, AF_INET6, SOCK_STREAM, IPPROTO_TCP, WSK_FLAG_LISTEN_SOCKET)

        def make() -> Any:
            request = Request().issue(npi.Dispatch.WskSocket, *kind, None, None, None, None, None)
            return request.info

        first, second = real.inside(make), real.inside(make)

        def leave_and_call() -> Any:
            real.subsystem.detach()  # here, in the next turn
            return Threaded(lambda: (accept(first), close(second))).result()

        calling, closing = real.inside(leave_and_call)
        real.inside(lambda: None)
        assert calling.ends == [(DEAD, 0)]
        assert closing.ends == [("STATUS_SUCCESS", 0)]
