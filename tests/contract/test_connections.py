# SPDX-License-Identifier: MIT
"""The contract of connections: order, half-close, back-pressure, retention, cancels, ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.transports import CONNECTIONS
from tests.harness import Host, World
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
    STATUS_INVALID_PARAMETER,
    STATUS_PENDING,
    STATUS_SUCCESS,
    WSK_CLIENT_CONNECTION_DISPATCH,
    WSK_EVENT_DISCONNECT,
    WSK_EVENT_RECEIVE,
    WSK_FLAG_ABORTIVE,
    WSK_FLAG_WAITALL,
    IoCancelIrp,
)

LONG = 60 * 10**9


@pytest.fixture(params=list(CONNECTIONS.values()), ids=list(CONNECTIONS))
def hosts(request: pytest.FixtureRequest, world: World) -> tuple[Host, Host]:
    made: tuple[Host, Host] = request.param(world)
    return made


def couple_of(world: World, family: int, hosts: tuple[Host, Host], **how: Any) -> Couple:
    return Couple(world, family, hosts=hosts, **how)


def finished(order: list[str], request: Request, name: str) -> Request:
    """Note in `order` when a request ends."""

    class Noting(list[tuple[str, Any]]):
        def append(self, end: tuple[str, Any]) -> None:
            order.append(name)
            super().append(end)

    request.ends = Noting(request.ends)
    return request


def test_accepts_complete_in_order(world: World, family: int, hosts: tuple[Host, Host]) -> None:
    near, far = (Party(world, host) for host in hosts)
    listener = far.listener(80)
    order: list[str] = []
    accepting = [finished(order, accept(listener), str(n)) for n in range(4)]
    connecting = [near.connecting(far.address(family, 80))[1] for _ in range(3)]
    world.run(LONG)
    assert [request.status for request in connecting] == ["STATUS_SUCCESS"] * 3
    assert order == ["0", "1", "2"]
    assert accepting[3].pending
    assert close(listener).status == "STATUS_SUCCESS"
    assert accepting[3].status == "STATUS_CANCELLED"


def test_sends_complete_in_order_and_arrive_whole(
    world: World, family: int, hosts: tuple[Host, Host]
) -> None:
    couple = couple_of(world, family, hosts)
    order: list[str] = []
    pieces = [bytes([n]) * (n * 7_001) for n in range(1, 8)]
    sending = [finished(order, send(couple.a, piece), str(n)) for n, piece in enumerate(pieces)]
    reading, memory = receive(couple.b, sum(map(len, pieces)), WSK_FLAG_WAITALL)
    assert all(request.pending for request in sending)  # not before the peer has it
    couple.run(LONG)
    assert order == [str(n) for n in range(len(pieces))]
    assert [request.info for request in sending] == [len(piece) for piece in pieces]
    assert reading.info == len(memory)
    assert memory == b"".join(pieces)


def test_receives_complete_in_order(world: World, family: int, hosts: tuple[Host, Host]) -> None:
    couple = couple_of(world, family, hosts)
    order: list[str] = []
    reading = [receive(couple.b, room, WSK_FLAG_WAITALL) for room in (3, 1, 4, 1, 5)]
    for number, (request, _) in enumerate(reading):
        finished(order, request, str(number))
    send(couple.a, b"abcdefghijklm")
    couple.run(LONG)
    assert order == ["0", "1", "2", "3"]
    assert b"".join(bytes(memory) for _, memory in reading[:4]) == b"abcdefghi"
    send(couple.a, b"n")
    couple.run(LONG)
    assert order[4:] == ["4"]
    assert bytes(reading[4][1]) == b"jklmn"


def test_half_close(world: World, family: int, hosts: tuple[Host, Host]) -> None:
    couple = couple_of(world, family, hosts)
    ending = disconnect(couple.a, b"last words")
    (words, memory), (end, _) = receive(couple.b, 100), receive(couple.b, 100)
    couple.run(LONG)
    assert (words.info, bytes(memory[:10])) == (10, b"last words")
    assert end.info == 0
    assert ending.status == "STATUS_SUCCESS"
    assert send(couple.a, b"no").status == "STATUS_INVALID_DEVICE_STATE"
    # The other way is as open as it was.
    answer, (heard, _), (end, _) = (
        send(couple.b, b"still here"),
        receive(couple.a, 100),
        receive(couple.a, 100),
    )
    couple.run(LONG)
    assert (answer.info, heard.info) == (10, 10)
    assert end.pending
    ending = disconnect(couple.b)
    couple.run(LONG)
    assert (ending.status, end.info) == ("STATUS_SUCCESS", 0)


def test_back_pressure(world: World, family: int, hosts: tuple[Host, Host]) -> None:
    couple = couple_of(world, family, hosts)
    whole = bytes(range(256)) * 20_000
    sending = send(couple.a, whole)
    couple.run(LONG)
    assert sending.pending  # nobody reads
    reading, memory = receive(couple.b, len(whole), WSK_FLAG_WAITALL)
    couple.run(10 * LONG)
    assert (sending.info, reading.info) == (len(whole), len(whole))
    assert memory == whole


class Keeper:
    """Retains everything."""

    def __init__(self) -> None:
        self.kept: list[Any] = []
        self.ends: list[int] = []
        self.dispatch = WSK_CLIENT_CONNECTION_DISPATCH(self.receive, self.disconnect)

    def receive(self, context: Any, flags: int, head: Any, count: int, accepted: Any) -> int:
        if head is not None:
            self.kept.append(head)
        return STATUS_PENDING

    def disconnect(self, context: Any, flags: int) -> int:
        self.ends.append(flags & WSK_FLAG_ABORTIVE)
        return STATUS_SUCCESS


def test_what_is_retained_stays_and_counts(
    world: World, family: int, hosts: tuple[Host, Host]
) -> None:
    keeper = Keeper()
    couple = couple_of(world, family, hosts, far=keeper.dispatch)
    assert events(couple.b, WSK_EVENT_RECEIVE) == "STATUS_SUCCESS"
    whole = bytes(range(256)) * 20_000
    sending = send(couple.a, whole)
    couple.run(LONG)
    assert sending.pending  # what is kept is charged to the window
    got = b""
    release = couple.b.Dispatch.WskRelease
    while keeper.kept:
        for head in keeper.kept[:]:
            keeper.kept.remove(head)
            got += data_of(head)
            assert release(couple.b, head) == STATUS_SUCCESS
            assert release(couple.b, head) == STATUS_INVALID_PARAMETER
        couple.run(LONG)
    assert got == whole
    assert sending.info == len(whole)


@pytest.mark.parametrize("turns", [*range(12), 20, 40, 80])
def test_cancel_at_every_point(
    world: World, family: int, hosts: tuple[Host, Host], turns: int
) -> None:
    """After so many ms of a connection's life everything is cancelled."""
    near, far = (Party(world, host) for host in hosts)
    listener = far.listener(80)
    requests = [accept(listener), accept(listener)]
    socket, connecting = near.connecting(far.address(family, 80))
    requests.append(connecting)
    steps: list[Callable[[], Request]] = [
        lambda: send(socket, bytes(100_000)),
        lambda: receive(socket, 10)[0],
        lambda: disconnect(socket),
    ]
    for turn in range(turns):
        world.run(10**6 if turn < 12 else 10**7)
        if steps and connecting.ends == [("STATUS_SUCCESS", 0)]:
            requests.append(steps.pop(0)())
    for request in requests:
        IoCancelIrp(request.irp)
    world.run(LONG)
    assert close(socket).status == close(listener).status == "STATUS_SUCCESS"
    for made in [one.info for one in requests[:2] if one.status == "STATUS_SUCCESS"]:
        assert close(made).status == "STATUS_SUCCESS"
    assert {request.status for request in requests} <= {
        "STATUS_SUCCESS",
        "STATUS_CANCELLED",
        "STATUS_CONNECTION_ABORTED",
    }
    for party in (near, far):
        assert party.npi.Client.engine.outstanding == set()
        assert party.npi.Client.sockets == set()


def test_abort(world: World, family: int, hosts: tuple[Host, Host]) -> None:
    keeper = Keeper()
    couple = couple_of(world, family, hosts, far=keeper.dispatch)
    assert events(couple.b, WSK_EVENT_DISCONNECT) == "STATUS_SUCCESS"
    stuck, (reading, _) = send(couple.a, bytes(10_000_000)), receive(couple.a, 10)
    couple.run()
    ending = disconnect(couple.a, flags=WSK_FLAG_ABORTIVE)
    couple.run(LONG)
    assert ending.status == "STATUS_SUCCESS"
    assert stuck.status == reading.status == "STATUS_CONNECTION_ABORTED"
    # The word of it may be lost on the way; then who speaks next is told.
    send(couple.b, b"?")
    couple.run(LONG)
    assert keeper.ends == [WSK_FLAG_ABORTIVE]
    assert send(couple.b, b"x").status == "STATUS_CONNECTION_RESET"


def test_dead_provider(world: World, family: int, hosts: tuple[Host, Host]) -> None:
    couple = couple_of(world, family, hosts)
    queued = [
        receive(couple.a, 10)[0],
        send(couple.a, bytes(10**7)),
        disconnect(couple.a),
        accept(couple.near.listener(81)),
    ]
    couple.near.subsystem.detach()
    assert [request.status for request in queued] == ["STATUS_FILE_FORCED_CLOSED"] * len(queued)
    assert send(couple.a, b"x").status == "STATUS_FILE_FORCED_CLOSED"
    assert close(couple.a).status == "STATUS_SUCCESS"
    couple.run(LONG)
    assert all(len(request.ends) == 1 for request in queued)
