# SPDX-License-Identifier: MIT
"""Stack locations: IRPs of one's own and IRPs that a higher driver passed down (wsk.md 2.1)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import World
from tests.wsk.kit import Couple, Party, accept, close, send
from wsk_api import (
    IRP,
    SL_PENDING_RETURNED,
    STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER,
    STATUS_MORE_PROCESSING_REQUIRED,
    STATUS_PENDING,
    STATUS_SUCCESS,
    WSK_FLAG_CONNECTION_SOCKET,
    IoAllocateIrp,
    IoCancelIrp,
    IoCompleteRequest,
    IoCopyCurrentIrpStackLocationToNext,
    IoFreeIrp,
    IoGetCurrentIrpStackLocation,
    IoGetNextIrpStackLocation,
    IoMarkIrpPending,
    IoReuseIrp,
    IoSetCompletionRoutine,
    IoSetCompletionRoutineEx,
    IoSetNextIrpStackLocation,
    IoSkipCurrentIrpStackLocation,
    wsk_buf,
)

Routine = Callable[[Any, IRP, Any], int]


class Above:
    """A higher driver, which passes an IRP down to the client under test."""

    def __init__(self, size: int = 2) -> None:
        self.ends: list[tuple[int, Any, bool]] = []
        self.irp = IoAllocateIrp(size, False)
        self.hand_down()

    def hand_down(self) -> IRP:
        IoSetCompletionRoutine(self.irp, self._done, "above")
        IoSetNextIrpStackLocation(self.irp)
        return self.irp

    def _done(self, device: Any, irp: IRP, context: Any) -> int:
        assert context == "above"
        status = irp.IoStatus
        self.ends.append((status.Status, status.Information, irp.PendingReturned))
        return STATUS_MORE_PROCESSING_REQUIRED


def unconnected(world: World) -> Any:
    return Party(world, world.pair()[0]).socket(WSK_FLAG_CONNECTION_SOCKET)


def send_with(socket: Any, irp: IRP, data: bytes = b"data") -> int:
    status: int = socket.Dispatch.WskSend(socket, wsk_buf(data), 0, irp)
    return status


# Passed down.


def test_without_a_routine_whoever_is_above_hears_at_once(world: World) -> None:
    couple = Couple(world, 2)
    above = Above()
    assert send_with(couple.a, above.irp) == STATUS_PENDING
    couple.run()
    assert above.ends == [(STATUS_SUCCESS, 4, True)]
    IoFreeIrp(above.irp)


def test_inline_it_is_not_pending(world: World) -> None:
    above = Above()
    assert send_with(unconnected(world), above.irp) == STATUS_INVALID_DEVICE_STATE
    assert above.ends == [(STATUS_INVALID_DEVICE_STATE, 0, False)]


@pytest.mark.parametrize("propagate", [False, True])
def test_a_routine_propagates_pending_and_lets_go(world: World, propagate: bool) -> None:
    couple = Couple(world, 2)
    above = Above()
    seen: list[bool] = []

    def routine(device: Any, irp: IRP, context: Any) -> int:
        seen.append(irp.PendingReturned)
        if propagate and irp.PendingReturned:
            IoMarkIrpPending(irp)
        return STATUS_SUCCESS

    IoSetCompletionRoutine(above.irp, routine)
    assert send_with(couple.a, above.irp) == STATUS_PENDING
    couple.run()
    assert seen == [True]
    assert above.ends == [(STATUS_SUCCESS, 4, propagate)]


def test_a_routine_keeps_the_irp_and_completes_it_later(world: World) -> None:
    couple = Couple(world, 2)
    above = Above()
    kept: list[IRP] = []

    def keep(device: Any, irp: IRP, context: Any) -> int:
        kept.append(irp)
        return STATUS_MORE_PROCESSING_REQUIRED

    IoSetCompletionRoutine(above.irp, keep)
    IoMarkIrpPending(above.irp)
    send_with(couple.a, above.irp)
    couple.run()
    assert kept == [above.irp]
    assert above.ends == []
    for refused in (IoFreeIrp, IoReuseIrp):
        with pytest.raises(AssertionError, match="belongs to a driver above"):
            refused(above.irp)
    # The client may use it for another request before.
    IoSetCompletionRoutine(above.irp, keep)
    send_with(couple.a, above.irp, b"more")
    couple.run()
    above.irp.IoStatus.Information = 44
    IoCompleteRequest(above.irp, 0)
    assert above.ends == [(STATUS_SUCCESS, 44, True)]
    with pytest.raises(AssertionError, match="nobody above"):
        IoCompleteRequest(above.irp)


def test_a_routine_holds_for_one_request(world: World) -> None:
    """The second time nothing is set: the location is empty."""
    couple = Couple(world, 2)
    above = Above()
    calls: list[int] = []

    def once(*_: Any) -> int:
        calls.append(1)
        return STATUS_SUCCESS

    IoSetCompletionRoutine(above.irp, once)
    send_with(couple.a, above.irp)
    couple.run()
    IoReuseIrp(above.irp)
    above.hand_down()
    send_with(couple.a, above.irp)
    couple.run()
    assert calls == [1]
    assert len(above.ends) == 2


def test_a_routine_that_raises_does_not_keep_it_from_its_owner(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    above = Above()

    def raises(*_: Any) -> int:
        raise RuntimeError("mine")

    IoSetCompletionRoutine(above.irp, raises)
    with caplog.at_level(logging.ERROR):
        send_with(unconnected(world), above.irp)
    assert "a completion routine raised" in caplog.text
    assert len(above.ends) == 1


def test_cancelled_from_above(world: World) -> None:
    party = Party(world, world.pair()[0])
    listener = party.listener(80)
    above = Above()
    what = (listener, 0, None, None, None, None)
    assert listener.Dispatch.WskAccept(*what, above.irp) == STATUS_PENDING
    assert IoCancelIrp(above.irp)
    assert [status for status, _, _ in above.ends] == [0xC0000120]


def test_locations_can_be_skipped_and_copied(world: World) -> None:
    above = Above(3)
    current = IoGetCurrentIrpStackLocation(above.irp)
    current.MajorFunction, current.Parameters = 14, "what"
    current.Control |= SL_PENDING_RETURNED
    IoCopyCurrentIrpStackLocationToNext(above.irp)
    below = IoGetNextIrpStackLocation(above.irp)
    assert (below.MajorFunction, below.Parameters) == (14, "what")
    assert (below.CompletionRoutine, below.Control) == (None, 0)
    IoSkipCurrentIrpStackLocation(above.irp)
    assert IoGetNextIrpStackLocation(above.irp) is current
    send_with(unconnected(world), above.irp)
    assert len(above.ends) == 1
    IoFreeIrp(above.irp)


def test_without_a_free_location_it_is_refused(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    above = Above(1)
    assert send_with(unconnected(world), above.irp) == STATUS_INVALID_PARAMETER
    assert "without a free stack location" in caplog.text
    assert above.ends == []
    with pytest.raises(AssertionError, match="no free stack location"):
        IoSetCompletionRoutine(above.irp, above._done)


# One's own.


def test_the_routine_may_free_or_issue_it_again(world: World) -> None:
    couple = Couple(world, 2)
    sent: list[int] = []
    irp = IoAllocateIrp(1, False)

    def routine(device: Any, done: IRP, context: Any) -> int:
        assert device is None
        sent.append(done.IoStatus.Information)
        if len(sent) == 3:
            IoFreeIrp(done)
            return STATUS_MORE_PROCESSING_REQUIRED
        IoReuseIrp(done)
        IoSetCompletionRoutineEx(None, done, routine, None, True, True, True)
        send_with(couple.a, done, bytes(len(sent) + 1))
        return STATUS_MORE_PROCESSING_REQUIRED

    IoSetCompletionRoutine(irp, routine)
    send_with(couple.a, irp, b"1")
    couple.run()
    assert sent == [1, 2, 3]
    with pytest.raises(AssertionError, match="freed"):
        IoFreeIrp(irp)
    with pytest.raises(AssertionError, match="freed"):
        IoCancelIrp(irp)
    assert send_with(couple.a, irp) == STATUS_INVALID_PARAMETER


def test_completed_but_not_yet_told_it_may_not_be_touched(world: World) -> None:
    """In the routine of another one it still waits for its own."""
    socket = unconnected(world)
    second = IoAllocateIrp(1, False)
    order: list[str] = []

    def first_routine(*_: Any) -> int:
        status = send_with(socket, second)
        assert status == STATUS_INVALID_DEVICE_STATE
        for refused in (IoFreeIrp, IoReuseIrp):
            with pytest.raises(AssertionError, match="has not run yet"):
                refused(second)
        assert send_with(socket, second) == STATUS_INVALID_PARAMETER
        assert not IoCancelIrp(second)
        order.append("first")
        return STATUS_MORE_PROCESSING_REQUIRED

    def second_routine(device: Any, irp: IRP, context: Any) -> int:
        order.append("second")
        assert irp.IoStatus.Status == STATUS_INVALID_DEVICE_STATE
        return STATUS_MORE_PROCESSING_REQUIRED

    first = IoAllocateIrp(1, False)
    IoSetCompletionRoutine(first, first_routine)
    IoSetCompletionRoutine(second, second_routine)
    send_with(socket, first)
    assert order == ["first", "second"]


def test_of_ones_own_there_is_no_current_location() -> None:
    irp = IoAllocateIrp(1, False)
    with pytest.raises(AssertionError, match="no current location"):
        IoMarkIrpPending(irp)
    with pytest.raises(AssertionError, match="stack location"):
        IoAllocateIrp(0, False)


def test_a_routine_cannot_be_set_once_it_is_issued(world: World) -> None:
    party = Party(world, world.pair()[0])
    request = accept(listener := party.listener(80))
    with pytest.raises(AssertionError, match="still queued"):
        IoSetCompletionRoutine(request.irp, lambda *_: STATUS_SUCCESS)
    close(listener)
    assert request.status == "STATUS_CANCELLED"


@pytest.mark.parametrize(
    ("flags", "cancelled", "heard"),
    [
        ((False, False, True), True, 1),
        ((True, False, False), True, 0),
        ((False, False, True), False, 0),
        ((False, True, False), True, 1),
    ],
)
def test_invoke_on_cancel(
    world: World, flags: tuple[bool, bool, bool], cancelled: bool, heard: int
) -> None:
    couple = Couple(world, 2)
    irp = IoAllocateIrp(1, False)
    calls: list[int] = []

    def routine(*_: Any) -> int:
        calls.append(1)
        return STATUS_MORE_PROCESSING_REQUIRED

    IoSetCompletionRoutine(irp, routine, None, *flags)
    memory = bytearray(4)
    couple.a.Dispatch.WskReceive(couple.a, wsk_buf(memory), 0, irp)
    if cancelled:
        assert IoCancelIrp(irp)
    else:
        send(couple.b, b"data")
        couple.run()
    assert not irp.busy
    assert len(calls) == heard
