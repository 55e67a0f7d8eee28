# SPDX-License-Identifier: MIT
"""IRPs (wsk.md 2.1): completed exactly once, on every path; reuse; cancellation."""

from __future__ import annotations

import inspect
import itertools
import logging
import sys
from typing import Any

import pytest

from tests.harness import World
from tests.wsk.kit import Couple, Party, Request, accept, bind, close, receive, send
from wsk_api import (
    AF_INET6,
    IPPROTO_TCP,
    IRP,
    SOCK_STREAM,
    SOCKADDR_IN6,
    STATUS_INVALID_HANDLE,
    STATUS_INVALID_PARAMETER,
    STATUS_MORE_PROCESSING_REQUIRED,
    WSK_FLAG_BASIC_SOCKET,
    WSK_FLAG_CONNECTION_SOCKET,
    WSK_FLAG_LISTEN_SOCKET,
    IoAllocateIrp,
    IoCancelIrp,
    IoFreeIrp,
    IoReuseIrp,
    IoSetCompletionRoutine,
    wsk_buf,
)


def refused(basic: Any, routine: Any, context: Any) -> int:
    """Issue a request that fails at once."""
    irp = IoAllocateIrp(1, False)
    IoSetCompletionRoutine(irp, routine, context, True, True, True)
    status: int = basic.Dispatch.WskControlSocket(basic, 99, 1, 1, 0, None, 0, None, None, irp)
    return status


class Chain:
    """A client whose every completion issues the next call."""

    def __init__(self, party: Party, left: int) -> None:
        self.basic = party.socket(WSK_FLAG_BASIC_SOCKET, dual=False)
        self.left = left
        self.calls = self.depth = self.deepest = 0

    def issue(self) -> None:
        refused(self.basic, self.routine, None)

    def routine(self, device: Any, irp: IRP, context: Any) -> int:
        self.calls += 1
        self.depth += 1
        self.deepest = max(self.deepest, self.depth)
        if self.left:
            self.left -= 1
            self.issue()
        self.depth -= 1
        return STATUS_MORE_PROCESSING_REQUIRED


def test_an_error_at_once_completes_too(world: World) -> None:
    party = Party(world, world.pair()[0])
    socket = party.socket(WSK_FLAG_CONNECTION_SOCKET)
    early = send(socket, b"x")
    assert (early.returned, early.status) == ("STATUS_INVALID_DEVICE_STATE",) * 2


def test_without_an_irp(world: World) -> None:
    party = Party(world, world.pair()[0])
    socket = party.socket(WSK_FLAG_LISTEN_SOCKET)
    assert socket.Dispatch.WskBind(socket, SOCKADDR_IN6(), 0, None) == STATUS_INVALID_PARAMETER
    assert socket.Dispatch.WskCloseSocket(socket, None) == STATUS_INVALID_PARAMETER


def test_an_irp_in_use_is_refused_and_stays_with_its_owner(world: World) -> None:
    party = Party(world, world.pair()[0])
    listener = party.listener(80)
    request = accept(listener)
    assert request.pending
    again = listener.Dispatch.WskAccept(listener, 0, None, None, None, None, request.irp)
    assert again == STATUS_INVALID_PARAMETER
    assert request.pending
    close(listener)
    assert request.status == "STATUS_CANCELLED"


def test_reuse(world: World) -> None:
    couple = Couple(world, 1)
    request = send(couple.a, b"one")
    couple.run()
    assert request.info == 3
    IoReuseIrp(request.irp)
    request.ends.clear()
    request.issue(couple.a.Dispatch.WskSend, couple.a, wsk_buf(b"three"), 0)
    with pytest.raises(AssertionError, match="still queued"):
        IoReuseIrp(request.irp)
    with pytest.raises(AssertionError, match="still queued"):
        IoFreeIrp(request.irp)
    couple.run()
    assert request.info == 5
    IoFreeIrp(request.irp)


def test_cancel_what_is_queued(world: World) -> None:
    couple = Couple(world, 1)
    reading, _ = receive(couple.a, 10)
    accepting = accept(couple.listener)
    for request in (reading, accepting):
        assert IoCancelIrp(request.irp)
        assert request.status == "STATUS_CANCELLED"
        assert not IoCancelIrp(request.irp)
    # Nothing that arrives later goes to them.
    send(couple.b, b"data")
    couple.run()
    assert len(reading.ends) == 1
    later, memory = receive(couple.a, 10)
    couple.run(0)
    assert later.info == 4
    assert memory[:4] == b"data"


def test_a_cancelled_connect_frees_everything(world: World) -> None:
    a, b = world.pair()
    party = Party(world, a)
    socket, connecting = party.connecting(SOCKADDR_IN6(80, b.v6))
    assert IoCancelIrp(connecting.irp)
    assert connecting.status == "STATUS_CANCELLED"
    world.run(10**9)
    assert a.stack.tcp.connections() == []
    assert close(socket).status == "STATUS_SUCCESS"


def test_a_send_that_has_left_cannot_be_cancelled(world: World) -> None:
    couple = Couple(world, 1)
    request = send(couple.a, b"gone")
    couple.run(0)
    assert not IoCancelIrp(request.irp)
    couple.run()
    assert request.info == 4


def test_routines_do_not_nest(world: World) -> None:
    """A routine that issues the next request runs to its end before the next routine."""
    chain = Chain(Party(world, world.pair()[0]), 10_000)
    deepest = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 60)
    try:
        chain.issue()
        world.run()
    finally:
        sys.setrecursionlimit(deepest)
    assert (chain.calls, chain.deepest) == (10_001, 1)


def test_an_endless_chain_does_not_hold_up_the_turn(world: World) -> None:
    """A client that always issues the next call at once leaves the stack its turns."""
    chain = Chain(Party(world, world.pair()[0]), 10**9)
    turns: list[int] = []

    def turn() -> None:
        turns.append(chain.calls)
        if len(turns) < 10:
            world.env.executor.submit(turn)
        else:
            chain.left = 0

    chain.issue()
    world.env.executor.submit(turn)
    world.run()
    steps = [later - earlier for earlier, later in itertools.pairwise(turns)]
    assert all(0 < step <= 1000 for step in steps)


def test_completions_keep_their_order_across_turns(world: World) -> None:
    party = Party(world, world.pair()[0])
    basic = party.socket(WSK_FLAG_BASIC_SOCKET, dual=False)
    order: list[int] = []

    def note(device: Any, irp: IRP, context: int) -> int:
        order.append(context)
        if context == 0:
            for number in range(1, 1001):
                refused(basic, note, number)
        return STATUS_MORE_PROCESSING_REQUIRED

    refused(basic, note, 0)
    refused(basic, note, 1001)
    world.run()
    assert order == list(range(1002))


@pytest.mark.parametrize("count", [10_000])
def test_without_a_client_a_chain_does_not_nest_either(world: World, count: int) -> None:
    party = Party(world, world.pair()[0])
    left, deepest, depth = count, 0, 0

    def routine(device: Any, irp: IRP, context: Any) -> int:
        nonlocal left, deepest, depth
        depth += 1
        deepest = max(deepest, depth)
        if left:
            left -= 1
            issue()
        depth -= 1
        return STATUS_MORE_PROCESSING_REQUIRED

    def issue() -> None:
        irp = IoAllocateIrp(1, False)
        IoSetCompletionRoutine(irp, routine)
        kind = (None, AF_INET6, SOCK_STREAM, IPPROTO_TCP, WSK_FLAG_BASIC_SOCKET)
        status = party.npi.Dispatch.WskSocket(*kind, None, None, None, None, None, irp)
        assert status == STATUS_INVALID_HANDLE

    issue()
    assert (left, deepest) == (0, 1)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [((True, False, False), 0), ((False, True, False), 1), ((False, False, False), 0)],
)
def test_invoke_flags(world: World, flags: tuple[bool, bool, bool], expected: int) -> None:
    party = Party(world, world.pair()[0])
    socket = party.socket(WSK_FLAG_CONNECTION_SOCKET)
    calls: list[int] = []
    irp = IoAllocateIrp(1, False)

    def routine(*_: Any) -> int:
        calls.append(1)
        return STATUS_MORE_PROCESSING_REQUIRED

    IoSetCompletionRoutine(irp, routine, None, *flags)
    socket.Dispatch.WskSend(socket, wsk_buf(b"x"), 0, irp)  # fails: not connected
    assert len(calls) == expected


def test_a_routine_that_raises_is_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    party = Party(world, world.pair()[0])
    socket = party.socket(WSK_FLAG_LISTEN_SOCKET)

    def routine(*_: Any) -> int:
        raise RuntimeError("mine")

    irp = IoAllocateIrp(1, False)
    IoSetCompletionRoutine(irp, routine, None, True, True, True)
    with caplog.at_level(logging.ERROR):
        socket.Dispatch.WskCloseSocket(socket, irp)
    assert "completion routine raised" in caplog.text
    assert not irp.queued


@pytest.mark.parametrize("nonsense", [42, "text", object()])
def test_arguments_of_a_wrong_kind_are_a_status(world: World, nonsense: object) -> None:
    couple = Couple(world, 1)
    for function, arguments in (
        (couple.a.Dispatch.WskSend, (couple.a, nonsense, 0)),
        (couple.a.Dispatch.WskReceive, (couple.a, nonsense, 0)),
        (couple.a.Dispatch.WskConnect, (couple.a, nonsense, 0)),
        (couple.listener.Dispatch.WskBind, (couple.listener, nonsense, 0)),
    ):
        request = Request().issue(function, *arguments)
        assert request.status in ("STATUS_INVALID_PARAMETER", "STATUS_INVALID_DEVICE_STATE")
    # And it works on.
    request = send(couple.a, b"still here")
    couple.run()
    assert request.info == 10
    assert bind(couple.near.socket(WSK_FLAG_LISTEN_SOCKET), 81).status == "STATUS_SUCCESS"
