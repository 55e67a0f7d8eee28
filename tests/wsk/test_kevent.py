# SPDX-License-Identifier: MIT
"""KEVENT: a client's thread waits for its completion routine (wsk.md 2.1 points 3 and 9)."""

from __future__ import annotations

import queue
from typing import Any

import pytest

from tests.harness import World
from tests.wsk.kit import Couple
from tests.wsk.real import Real, Threaded, after
from wsk_api import (
    IRP,
    KEVENT,
    STATUS_MORE_PROCESSING_REQUIRED,
    STATUS_SUCCESS,
    STATUS_TIMEOUT,
    Executive,
    IoAllocateIrp,
    IoSetCompletionRoutine,
    KeClearEvent,
    KeInitializeEvent,
    KeReadStateEvent,
    KeResetEvent,
    KernelMode,
    KeSetEvent,
    KeWaitForSingleObject,
    NotificationEvent,
    StackThreadWait,
    Subsystem,
    SynchronizationEvent,
    wsk_buf,
)

MS = 10**6


def wait(event: KEVENT, timeout: int | None = None) -> int:
    return KeWaitForSingleObject(event, Executive, KernelMode, False, timeout)


def fresh(subsystem: Subsystem, kind: int = SynchronizationEvent) -> KEVENT:
    event = KEVENT(subsystem)
    KeInitializeEvent(event, kind, False)
    return event


def signal(device: Any, irp: IRP, context: KEVENT) -> int:
    """The usual completion routine of a client that waits."""
    KeSetEvent(context, 0, False)
    return STATUS_MORE_PROCESSING_REQUIRED


def test_a_synchronous_client_in_virtual_time(world: World) -> None:
    couple = Couple(world, 2)
    event = fresh(couple.near.subsystem)
    irp = IoAllocateIrp(1, False)
    IoSetCompletionRoutine(irp, signal, event, True, True, True)
    couple.a.Dispatch.WskSend(couple.a, wsk_buf(b"data"), 0, irp)
    assert wait(event) == STATUS_SUCCESS
    assert irp.IoStatus.Information == 4
    assert KeReadStateEvent(event) == 0


def test_the_time_out_passes_in_virtual_time(world: World) -> None:
    host, _ = world.host()
    event = fresh(Subsystem(world.env.executor))
    after(world, host, 30 * MS, lambda: KeSetEvent(event))
    began = world.now
    assert wait(event, 0) == STATUS_TIMEOUT
    assert wait(event, -20 * MS // 100) == STATUS_TIMEOUT
    assert world.now - began == 20 * MS
    assert wait(event, -20 * MS // 100) == STATUS_SUCCESS
    assert world.now - began == 30 * MS
    with pytest.raises(ValueError, match="span"):
        wait(event, 1)


@pytest.mark.parametrize("kind", [NotificationEvent, SynchronizationEvent])
def test_one_or_all(kind: int) -> None:
    event = fresh(Subsystem(), kind)
    assert KeSetEvent(event) == 0
    assert KeSetEvent(event) == 1
    assert wait(event, 0) == STATUS_SUCCESS
    stays = kind == NotificationEvent
    assert wait(event, 0) == (STATUS_SUCCESS if stays else STATUS_TIMEOUT)
    assert KeResetEvent(event) == int(stays)
    KeSetEvent(event)
    KeClearEvent(event)
    assert wait(event, 0) == STATUS_TIMEOUT


def test_one_signal_lets_one_thread_go() -> None:
    event = fresh(Subsystem())
    through: queue.SimpleQueue[int] = queue.SimpleQueue()
    threads = [Threaded(lambda: through.put(wait(event))) for _ in range(2)]
    for _ in threads:
        assert through.empty()
        KeSetEvent(event)
        assert through.get(timeout=20) == STATUS_SUCCESS
    assert KeReadStateEvent(event) == 0


def test_on_the_stacks_own_thread_it_is_refused() -> None:
    with Real() as real:
        event = fresh(real.subsystem, NotificationEvent)
        refused = real.inside(lambda: wait(event))
        assert isinstance(refused, StackThreadWait)
        assert "stack's own thread" in str(refused)
        assert isinstance(real.inside(lambda: wait(event, -10)), StackThreadWait)
        assert real.inside(lambda: wait(event, 0)) == STATUS_TIMEOUT
        waiting = Threaded(lambda: wait(event))
        real.inside(lambda: KeSetEvent(event))
        assert waiting.result() == STATUS_SUCCESS
        assert real.inside(lambda: wait(event)) == STATUS_SUCCESS


def test_in_a_completion_routine_it_is_refused(world: World) -> None:
    couple = Couple(world, 2)
    event = fresh(couple.near.subsystem)
    caught: list[str] = []

    def routine(device: Any, irp: IRP, context: Any) -> int:
        with pytest.raises(StackThreadWait) as refusal:
            wait(event)
        caught.append(str(refusal.value))
        return STATUS_MORE_PROCESSING_REQUIRED

    irp = IoAllocateIrp(1, False)
    IoSetCompletionRoutine(irp, routine)
    couple.a.Dispatch.WskSend(couple.a, wsk_buf(b"x"), 0, irp)
    couple.run()
    assert caught == ["KeWaitForSingleObject cannot wait on the stack's own thread"]
