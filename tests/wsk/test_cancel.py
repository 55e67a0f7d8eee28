# SPDX-License-Identifier: MIT
"""Cancellation (wsk.md 2.1 point 7, 5.8): every race has one outcome, told once."""

from __future__ import annotations

import threading
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
)
from tests.wsk.real import Real, Threaded, registered
from wsk_api import (
    AF_INET6,
    IPPROTO_TCP,
    IRP,
    SOCK_STREAM,
    SOCKADDR_IN6,
    STATUS_MORE_PROCESSING_REQUIRED,
    STATUS_SUCCESS,
    WSK_CLIENT_CONNECTION_DISPATCH,
    WSK_EVENT_DISABLE,
    WSK_EVENT_RECEIVE,
    WSK_FLAG_LISTEN_SOCKET,
    WSK_NO_WAIT,
    WSK_PROVIDER_NPI,
    IoAllocateIrp,
    IoCancelIrp,
    IoReuseIrp,
    IoSetCompletionRoutine,
    Ref,
    WskCaptureProviderNPI,
    wsk_buf,
)
from wsk_api.provider import WskSocket

CANCELLED = ("STATUS_CANCELLED", 0)


def test_everything_that_is_queued_can_be_cancelled(world: World, family: int) -> None:
    couple = Couple(world, family)
    party = couple.near
    listener, datagram = party.listener(81), party.datagram(82)
    nowhere = SOCKADDR_IN6(80, bytes([0xFD, 0x77] + [0] * 13 + [99]))
    connect = party.npi.Dispatch.WskSocketConnect
    what = (party.npi.Client, SOCK_STREAM, IPPROTO_TCP, SOCKADDR_IN6(), nowhere, 0, *[None] * 5)
    queued = [
        accept(listener),
        receive(couple.a, 10)[0],
        party.connecting(nowhere)[1],
        Request().issue(connect, *what),
        Request().issue(
            datagram.Dispatch.WskReceiveFrom, datagram, wsk_buf(bytearray(4)), 0, *[None] * 4
        ),
    ]
    for request in queued:
        assert request.pending
        assert IoCancelIrp(request.irp)
        assert request.ends == [CANCELLED]
        assert not IoCancelIrp(request.irp)
    world.run(10**9)
    assert [len(request.ends) for request in queued] == [1] * len(queued)


def test_a_completed_request_stays_as_it_is(world: World) -> None:
    couple = Couple(world, 2)
    reading, _ = receive(couple.a, 4)
    send(couple.b, b"data")
    couple.run()
    assert not IoCancelIrp(reading.irp)
    assert reading.ends == [("STATUS_SUCCESS", 4)]


def test_outputs_are_written_only_at_completion(world: World) -> None:
    couple = Couple(world, 2)
    outs: list[Ref[Any]] = [Ref("before"), Ref("before")]
    arguments = (couple.listener, 0, None, None, *outs)
    cancelled = Request().issue(couple.listener.Dispatch.WskAccept, *arguments)
    assert IoCancelIrp(cancelled.irp)
    couple.near.connecting(couple.far.address(2, 80))
    couple.run()
    assert [out.value for out in outs] == ["before", "before"]
    taken = Request().issue(couple.listener.Dispatch.WskAccept, *arguments)
    assert taken.info is not None
    assert all(isinstance(out.value, SOCKADDR_IN6) for out in outs)


def test_in_the_routine_of_another_request(world: World) -> None:
    couple = Couple(world, 2)
    second, _ = receive(couple.a, 4)
    third = accept(couple.listener)
    answers: list[bool] = []

    def routine(device: Any, irp: IRP, context: Any) -> int:
        answers.extend((IoCancelIrp(irp), IoCancelIrp(second.irp), IoCancelIrp(third.irp)))
        assert second.pending  # told after this routine, not inside of it
        return STATUS_MORE_PROCESSING_REQUIRED

    irp = IoAllocateIrp(1, False)
    IoSetCompletionRoutine(irp, routine)
    couple.a.Dispatch.WskSend(couple.a, wsk_buf(b"x"), 0, irp)
    couple.run()
    assert answers == [False, True, True]
    assert second.ends == third.ends == [CANCELLED]


def test_an_irp_that_was_cancelled_is_cancelled_when_issued_unless_reused(world: World) -> None:
    couple = Couple(world, 2)
    request = accept(couple.listener)
    assert IoCancelIrp(request.irp)
    again = (couple.listener, 0, None, None, None, None)
    request.issue(couple.listener.Dispatch.WskAccept, *again)
    assert request.ends == [CANCELLED, CANCELLED]
    IoReuseIrp(request.irp)
    request.issue(couple.listener.Dispatch.WskAccept, *again)
    assert len(request.ends) == 2
    assert IoCancelIrp(request.irp)


def test_a_disconnect_that_waits_for_the_peer(world: World) -> None:
    couple = Couple(world, 2)
    request = disconnect(couple.a)
    could = IoCancelIrp(request.irp)
    couple.run()
    # It may have gone too far: then it completes by itself, and only then.
    assert request.ends == [CANCELLED if could else ("STATUS_SUCCESS", 0)]


def test_a_close_is_not_cancelled(world: World) -> None:
    party = Party(world, world.pair()[0])
    socket = party.listener(80)
    request = Request()
    IoCancelIrp(request.irp)
    assert request.issue(socket.Dispatch.WskCloseSocket, socket).ends == [("STATUS_SUCCESS", 0)]
    assert bind(party.socket(WSK_FLAG_LISTEN_SOCKET), 80).status == "STATUS_SUCCESS"


# Close against callback.


@pytest.mark.parametrize("disabling", [False, True])
def test_closing_in_a_callback_completes_after_it(world: World, disabling: bool) -> None:
    """With a disable that waits for the same callback: each completes once."""
    steps: list[str] = []
    requests: list[Request] = []

    def receive_event(context: Any, flags: int, indication: Any, *_: Any) -> int:
        if disabling:
            request = Request()
            mask = WSK_EVENT_RECEIVE | WSK_EVENT_DISABLE
            assert events(couple.a, mask, request) == "STATUS_PENDING"
            requests.append(request)
        reading, _memory = receive(couple.a, 4)
        requests.extend((reading, close(couple.a)))
        steps.append("returns" if requests[-1].pending else "closed too early")
        return STATUS_SUCCESS

    couple = Couple(world, 2, near=WSK_CLIENT_CONNECTION_DISPATCH(receive_event))
    assert events(couple.a, WSK_EVENT_RECEIVE) == "STATUS_SUCCESS"
    send(couple.b, b"x")
    couple.run()
    assert steps == ["returns"]
    assert [request.ends for request in requests[:-1]] == [[CANCELLED]] * (1 + disabling)
    assert requests[-1].ends == [("STATUS_SUCCESS", 0)]


def test_a_closed_socket_cannot_be_bound(world: World) -> None:
    party = Party(world, world.pair()[0])
    socket = party.socket(WSK_FLAG_LISTEN_SOCKET)
    assert close(socket).status == "STATUS_SUCCESS"
    assert bind(socket, 80).status == "STATUS_INVALID_DEVICE_STATE"
    assert close(socket).status == "STATUS_INVALID_DEVICE_STATE"
    assert bind(party.socket(WSK_FLAG_LISTEN_SOCKET), 80).status == "STATUS_SUCCESS"


# Other threads.


def listening(real: Real) -> Any:
    npi = WSK_PROVIDER_NPI()
    registration = registered(real.subsystem)
    assert WskCaptureProviderNPI(registration, WSK_NO_WAIT, npi) == STATUS_SUCCESS
    kind = (npi.Client, AF_INET6, SOCK_STREAM, IPPROTO_TCP, WSK_FLAG_LISTEN_SOCKET)

    def make() -> Any:
        request = Request().issue(npi.Dispatch.WskSocket, *kind, None, None, None, None, None)
        assert bind(request.info, 80).status == "STATUS_SUCCESS"
        return request.info

    return real.inside(make)


def test_from_another_thread_it_is_handed_over() -> None:
    with Real() as real:
        listener = listening(real)
        request = accept(listener)
        assert request.returned == "STATUS_PENDING"
        assert IoCancelIrp(request.irp)
        real.inside(lambda: None)
        assert request.ends == [CANCELLED]


def test_an_address_is_the_callers_again_when_the_call_returns() -> None:
    with Real() as real:
        listener = listening(real)
        second = real.inside(lambda: make_listener(listener))

        def call() -> Request:
            name = SOCKADDR_IN6(81)
            request = Request().issue(second.Dispatch.WskBind, second, name, 0)
            name.sin6_port = 80
            return request

        binding = real.inside(lambda: Threaded(call).result())
        told: Any = Ref()
        naming = real.inside(
            lambda: Request().issue(second.Dispatch.WskGetLocalAddress, second, told)
        )
        assert binding.ends == naming.ends == [("STATUS_SUCCESS", 0)]
        assert told.value.sin6_port == 81


def make_listener(like: Any) -> Any:
    """Another socket of the same client."""
    kind = (like.client, AF_INET6, SOCK_STREAM, IPPROTO_TCP, WSK_FLAG_LISTEN_SOCKET)
    return Request().issue(WskSocket, *kind, None, None, None, None, None).info


def test_before_the_stack_has_seen_the_request() -> None:
    """Issued and cancelled while the stack's thread is busy: it never begins."""
    with Real() as real:
        listener = listening(real)
        request = real.inside(lambda: Threaded(lambda: issue_and_cancel(listener)).result())
        real.inside(lambda: None)
        assert request.ends == [CANCELLED]
        assert real.inside(lambda: len(listener.pending)) == 0


def issue_and_cancel(listener: Any) -> Request:
    request = accept(listener)
    assert IoCancelIrp(request.irp)
    return request


def test_a_late_cancel_does_not_meet_the_next_request() -> None:
    """The IRP completes, is reused and issued again before the cancel arrives."""
    with Real() as real:
        listener = listening(real)
        request = accept(listener)

        def complete_and_issue_again() -> None:
            # Handed over by a thread that still saw the first request ...
            assert Threaded(lambda: IoCancelIrp(request.irp)).result()
            listener.answer(request.irp, STATUS_SUCCESS, None)
            # ... while here the client has heard of its completion.
            IoReuseIrp(request.irp)
            request.issue(listener.Dispatch.WskAccept, listener, 0, None, None, None, None)

        real.inside(lambda: None)
        assert real.inside(complete_and_issue_again) is None
        real.inside(lambda: None)
        assert request.ends == [("STATUS_SUCCESS", None)]
        assert request.irp.queued
        assert IoCancelIrp(request.irp)
        real.inside(lambda: None)
        assert request.ends[1:] == [CANCELLED]


def test_cancel_against_close_from_two_threads() -> None:
    with Real() as real:
        for _ in range(20):
            listener = listening(real)
            queued = [accept(listener) for _ in range(5)]
            start = threading.Barrier(2)

            def cancel(start: threading.Barrier = start, queued: Any = queued) -> None:
                start.wait(20)
                for request in queued:
                    IoCancelIrp(request.irp)

            def leave(start: threading.Barrier = start, listener: Any = listener) -> Any:
                start.wait(20)
                return close(listener)

            threads = Threaded(cancel), Threaded(leave)
            closing = [thread.result() for thread in threads][1]
            real.inside(lambda: None)
            assert [request.ends for request in queued] == [[CANCELLED]] * 5
            assert closing.ends == [("STATUS_SUCCESS", 0)]


def test_an_irp_is_not_completed_twice(world: World) -> None:
    party = Party(world, world.pair()[0])
    listener = party.listener(80)
    request = accept(listener)
    listener.answer(request.irp, STATUS_SUCCESS)
    with pytest.raises(AssertionError, match="completed twice"):
        listener.answer(request.irp, STATUS_SUCCESS)
    assert request.ends == [("STATUS_SUCCESS", 0)]
