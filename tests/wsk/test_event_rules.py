# SPDX-License-Identifier: MIT
"""Events of every category by one table of rules (wsk.md 3.2, 3.4, 3.6, 3.7).

Each category has a scene: a socket with one event, something that makes the event happen, and a
request that competes with it.  What differs between categories is in the tests below the table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tap.impair import Impairment
from tests.harness import World
from tests.wsk.kit import (
    Couple,
    Party,
    Request,
    accept,
    bind,
    close,
    data_of,
    disconnect,
    events,
    receive,
    send,
)
from tests.wsk.test_datagram import receive_from, send_to
from wsk_api import (
    IPPROTO_UDP,
    SOCK_DGRAM,
    STATUS_DATA_NOT_ACCEPTED,
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
    WSK_FLAG_CONNECTION_SOCKET,
    WSK_FLAG_DATAGRAM_SOCKET,
    WSK_FLAG_LISTEN_SOCKET,
    Ref,
)

EVERY = (
    WSK_EVENT_ACCEPT
    | WSK_EVENT_RECEIVE
    | WSK_EVENT_DISCONNECT
    | WSK_EVENT_SEND_BACKLOG
    | WSK_EVENT_RECEIVE_FROM
)


class Scene:
    """A socket, its event, and the world around it."""

    event: int
    refusal: int
    """What the callback returns to refuse."""
    socket: Any

    def __init__(self, world: World, family: int, static: int = 0) -> None:
        self.world = world
        self.family = family
        a, b = world.pair()
        self.near, self.far = Party(world, a), Party(world, b, static)
        self.calls = 0
        self.depth = 0
        self.deepest = 0
        self.answer: Callable[[], int] = lambda: STATUS_SUCCESS
        self.set_up()

    def called(self, *arguments: Any) -> int:
        """The callback."""
        self.calls += 1
        self.depth += 1
        self.deepest = max(self.deepest, self.depth)
        answer = self.answer()
        self.depth -= 1
        return answer

    def set_up(self) -> None:
        raise NotImplementedError

    def cause(self) -> None:
        """Make the event happen."""
        raise NotImplementedError

    def request(self) -> Request:
        """Ask for what the event would bring."""
        raise NotImplementedError

    def happens(self) -> None:
        self.cause()
        self.world.run(10**9)

    def disable(self, request: Request | None = None) -> str:
        return events(self.socket, WSK_EVENT_DISABLE | self.event, request)


class Listening(Scene):
    event = WSK_EVENT_ACCEPT
    refusal = STATUS_REQUEST_NOT_ACCEPTED

    def set_up(self) -> None:
        self.socket = self.far.listener(80, WSK_CLIENT_LISTEN_DISPATCH(self.called))

    def cause(self) -> None:
        self.near.connecting(self.far.address(self.family, 80))

    def request(self) -> Request:
        return accept(self.socket)


class Connected(Scene):
    event = WSK_EVENT_RECEIVE
    refusal = STATUS_DATA_NOT_ACCEPTED

    def set_up(self) -> None:
        listener = self.far.listener(80)
        accepting = accept(listener, WSK_CLIENT_CONNECTION_DISPATCH(self.called))
        self.peer, _ = self.near.connecting(self.far.address(self.family, 80))
        self.world.run(10**9)
        self.socket = accepting.info

    def cause(self) -> None:
        send(self.peer, b"data")

    def request(self) -> Request:
        return receive(self.socket, 10)[0]


class Datagrams(Scene):
    event = WSK_EVENT_RECEIVE_FROM
    refusal = STATUS_DATA_NOT_ACCEPTED

    def set_up(self) -> None:
        self.socket = self.far.datagram(2000, WSK_CLIENT_DATAGRAM_DISPATCH(self.called))
        self.peer = self.near.datagram(1000)

    def cause(self) -> None:
        send_to(self.peer, b"data", self.far.address(self.family, 2000))

    def request(self) -> Request:
        return receive_from(self.socket, 10)[0]


@pytest.fixture(params=[Listening, Connected, Datagrams])
def scene(request: pytest.FixtureRequest) -> type[Scene]:
    kind: type[Scene] = request.param
    return kind


# The same for all.


def test_off_until_enabled(world: World, family: int, scene: type[Scene]) -> None:
    it = scene(world, family)
    it.happens()
    assert it.calls == 0
    assert events(it.socket, it.event) == "STATUS_SUCCESS"
    assert events(it.socket, it.event) == "STATUS_SUCCESS"  # again is harmless
    it.world.run(0)
    assert it.calls == 1  # what waited is told
    it.happens()
    assert it.calls == 2


def test_static_from_the_beginning(world: World, family: int, scene: type[Scene]) -> None:
    it = scene(world, family, EVERY)
    it.happens()
    assert it.calls == 1
    assert it.disable() == "STATUS_INVALID_DEVICE_REQUEST"
    held = Request()
    assert it.disable(held) == held.status == "STATUS_INVALID_DEVICE_REQUEST"
    assert events(it.socket, it.event) == "STATUS_INVALID_DEVICE_REQUEST"
    it.happens()
    assert it.calls == 2


def test_a_queued_request_goes_first(world: World, family: int, scene: type[Scene]) -> None:
    it = scene(world, family)
    events(it.socket, it.event)
    first, second = it.request(), it.request()
    it.happens()
    it.happens()
    it.happens()
    assert first.status == second.status == "STATUS_SUCCESS"
    assert it.calls == 1


@pytest.mark.parametrize("with_irp", [False, True])
def test_disabling_at_rest(world: World, family: int, scene: type[Scene], with_irp: bool) -> None:
    it = scene(world, family)
    events(it.socket, it.event)
    request = Request() if with_irp else None
    assert it.disable(request) == "STATUS_SUCCESS"
    assert request is None or request.info == 0
    it.happens()
    assert it.calls == 0
    waiting = it.request()
    it.world.run(0)
    assert waiting.status == "STATUS_SUCCESS"


@pytest.mark.parametrize("with_irp", [False, True])
def test_disabling_while_it_runs(
    world: World, family: int, scene: type[Scene], with_irp: bool
) -> None:
    it = scene(world, family)
    events(it.socket, it.event)
    requests: list[Request] = []
    returned: list[str] = []

    def inside() -> int:
        request = Request() if with_irp else None
        returned.append(it.disable(request))
        if request is not None:
            assert request.pending
            requests.append(request)
        return STATUS_SUCCESS

    it.answer = inside
    it.happens()
    assert returned == ["STATUS_PENDING" if with_irp else "STATUS_EVENT_PENDING"]
    assert all(request.info == 0 for request in requests)
    it.happens()
    assert it.calls == 1
    it.answer = lambda: STATUS_SUCCESS
    events(it.socket, it.event)
    it.world.run(0)
    assert it.calls == 2


def test_one_at_a_time(world: World, family: int, scene: type[Scene]) -> None:
    """Serial, whatever the callback does."""
    it = scene(world, family)
    events(it.socket, it.event)

    def more() -> int:
        if it.calls < 5:
            it.cause()
            it.request()
            events(it.socket, it.event)
        return STATUS_SUCCESS

    it.answer = more
    it.happens()
    it.world.run(10**9)
    assert it.calls >= 1
    assert it.deepest == 1


def test_one_bit_at_a_time_is_disabled(world: World, family: int, scene: type[Scene]) -> None:
    it = scene(world, family)
    off = WSK_EVENT_DISABLE
    for mask in (off, off | 0x1000, off | EVERY, off | it.event | 0x1000):
        assert events(it.socket, mask) == "STATUS_INVALID_PARAMETER"
    assert events(it.socket, 0x1000) == "STATUS_INVALID_PARAMETER"
    with_irp = Request()
    assert events(it.socket, it.event, with_irp) == "STATUS_INVALID_PARAMETER"


def test_closing_inside_waits_for_the_callback(
    world: World, family: int, scene: type[Scene]
) -> None:
    it = scene(world, family)
    events(it.socket, it.event)
    closing: list[Request] = []

    def shut() -> int:
        closing.append(close(it.socket))
        assert closing[0].pending
        return it.refusal

    it.answer = shut
    it.happens()
    it.happens()
    assert [request.info for request in closing] == [0]
    assert it.calls == 1


# Suspension, where categories differ.


def test_a_refused_connection_suspends_nothing(world: World, family: int) -> None:
    it = Listening(world, family)
    events(it.socket, it.event)
    it.answer = lambda: it.refusal
    it.happens()
    it.happens()
    assert it.calls == 2


def test_refused_data_suspends_until_a_receive(world: World, family: int) -> None:
    it = Connected(world, family)
    events(it.socket, it.event)
    it.answer = lambda: it.refusal
    it.happens()
    it.happens()
    events(it.socket, it.event)  # enabling again is no receive
    world.run(0)
    assert it.calls == 1
    it.answer = lambda: STATUS_SUCCESS
    assert receive(it.socket, 0)[0].info == 0
    world.run(0)
    assert it.calls == 2


def test_a_receive_resumes_when_it_completes(world: World, family: int) -> None:
    """Reading 1 of wsk.md 12: posted and completed, its buffer filled first."""
    it = Connected(world, family)
    events(it.socket, it.event)
    it.answer = lambda: it.refusal
    it.happens()
    whole, memory = receive(it.socket, 8, 0x2)  # WSK_FLAG_WAITALL: 4 octets are there
    world.run(0)
    assert (whole.pending, it.calls) == (True, 1)
    it.answer = lambda: STATUS_SUCCESS
    send(it.peer, b"1234and the rest")
    world.run(10**9)
    assert whole.info == 8
    assert bytes(memory) == b"data1234"
    assert it.calls == 2


def test_static_data_is_suspended_too(world: World, family: int) -> None:
    it = Connected(world, family, EVERY)
    it.answer = lambda: it.refusal
    it.happens()
    it.happens()
    assert it.calls == 1
    it.answer = lambda: STATUS_SUCCESS
    receive(it.socket, 0)
    world.run(0)
    assert it.calls == 2


def test_retaining_suspends_nothing(world: World, family: int) -> None:
    it = Connected(world, family)
    events(it.socket, it.event)
    it.answer = lambda: STATUS_PENDING
    it.happens()
    it.happens()
    assert it.calls == 2


def test_a_graceful_end_waits_behind_refused_data(world: World, family: int) -> None:
    heir = Heir(world, family, EVERY)
    answers = [STATUS_DATA_NOT_ACCEPTED, STATUS_SUCCESS]

    def refuse_first(context: Any, flags: int, head: Any, count: int, accepted: Any) -> int:
        heir.told.append(data_of(head).decode())
        return answers.pop(0)

    heir.table.WskReceiveEvent = refuse_first
    accept(heir.socket, heir.table)
    assert heir.visit() == ["hello"]
    sockets = [s for s in heir.far.npi.Client.sockets if s is not heir.socket]
    receive(sockets[0], 0)
    world.run(0)
    assert heir.told == ["hello", "disconnect"]


def test_a_refused_datagram_disables_the_event(world: World, family: int) -> None:
    it = Datagrams(world, family)
    events(it.socket, it.event)
    it.answer = lambda: it.refusal
    it.happens()
    it.happens()
    assert it.calls == 1
    it.answer = lambda: STATUS_SUCCESS
    request = it.request()  # takes the oldest, and enables nothing
    world.run(0)
    assert (request.info, it.calls) == (4, 1)
    events(it.socket, it.event)
    world.run(0)
    assert it.calls == 2


def test_a_static_one_stays_enabled_and_loses_it(world: World, family: int) -> None:
    it = Datagrams(world, family, EVERY)
    it.answer = lambda: it.refusal
    it.happens()
    it.happens()
    assert it.calls == 2
    late = it.request()
    world.run(0)
    assert late.pending


# Inheritance.


class Heir:
    """A listener whose accepted sockets may inherit, and what they are told."""

    def __init__(self, world: World, family: int, static: int = 0) -> None:
        a, b = world.pair()
        self.world, self.family = world, family
        self.near, self.far = Party(world, a), Party(world, b, static)
        self.told: list[str] = []
        self.table = WSK_CLIENT_CONNECTION_DISPATCH(self._receive, self._disconnect, self._backlog)
        self.socket = self.far.listener(80, WSK_CLIENT_LISTEN_DISPATCH(self._accept))

    def _receive(self, context: Any, flags: int, head: Any, count: int, accepted: Any) -> int:
        assert flags & WSK_FLAG_AT_DISPATCH_LEVEL
        self.told.append(data_of(head).decode())
        return STATUS_SUCCESS

    def _disconnect(self, context: Any, flags: int) -> int:
        self.told.append("disconnect")
        return STATUS_SUCCESS

    def _backlog(self, context: Any, size: int) -> int:
        self.told.append("backlog")
        return STATUS_SUCCESS

    def _accept(
        self, context: Any, flags: int, a: Any, b: Any, s: Any, out: Ref[Any], table: Ref[Any]
    ) -> int:
        table.value = self.table
        return STATUS_SUCCESS

    def visit(self) -> list[str]:
        """Somebody connects, says hello and leaves."""
        client, _ = self.near.connecting(self.far.address(self.family, 80))
        self.world.run(10**9)
        send(client, b"hello")
        disconnect(client)
        self.world.run(10**9)
        told, self.told = self.told, []
        return told


def test_inherited_through_the_event_only(world: World, family: int) -> None:
    heir = Heir(world, family)
    both = WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT
    assert events(heir.socket, WSK_EVENT_ACCEPT | both) == "STATUS_SUCCESS"
    assert heir.visit() == ["hello", "disconnect"]
    accept(heir.socket, heir.table)
    assert heir.visit() == []


def test_inheritance_outlives_the_accept_event(world: World, family: int) -> None:
    heir = Heir(world, family)
    events(heir.socket, WSK_EVENT_RECEIVE)
    events(heir.socket, WSK_EVENT_ACCEPT)
    off = WSK_EVENT_DISABLE
    assert events(heir.socket, off | WSK_EVENT_RECEIVE) == "STATUS_INVALID_PARAMETER"
    assert events(heir.socket, off | WSK_EVENT_ACCEPT) == "STATUS_SUCCESS"
    assert events(heir.socket, WSK_EVENT_ACCEPT) == "STATUS_SUCCESS"
    assert heir.visit() == ["hello"]


def test_static_ones_reach_sockets_of_either_way(world: World, family: int) -> None:
    heir = Heir(world, family, WSK_EVENT_RECEIVE | WSK_EVENT_ACCEPT)
    assert heir.visit() == ["hello"]
    accept(heir.socket, heir.table)
    assert heir.visit() == ["hello"]


# Which socket may have which event, and when.


@pytest.mark.parametrize(
    ("flags", "how", "own"),
    [
        (WSK_FLAG_LISTEN_SOCKET, {}, EVERY & ~WSK_EVENT_RECEIVE_FROM),
        (
            WSK_FLAG_DATAGRAM_SOCKET,
            {"kind": SOCK_DGRAM, "protocol": IPPROTO_UDP},
            WSK_EVENT_RECEIVE_FROM,
        ),
    ],
)
def test_bits_by_category(world: World, flags: int, how: dict[str, Any], own: int) -> None:
    socket = Party(world, world.pair()[0]).socket(flags, **how)
    bits = [1 << n for n in range(16) if EVERY >> n & 1]
    for bit in bits:
        early = "STATUS_INVALID_DEVICE_STATE" if bit & own else "STATUS_INVALID_PARAMETER"
        assert events(socket, bit) == early
    bind(socket)
    for bit in bits:
        expected = "STATUS_SUCCESS" if bit & own else "STATUS_INVALID_PARAMETER"
        assert events(socket, bit) == expected


def test_a_refused_connect_is_no_disconnect(world: World, family: int) -> None:
    heir = Heir(world, family, EVERY)
    _, refused = heir.far.connecting(heir.near.address(family, 81), heir.table)
    world.run(10**9)
    assert refused.status == "STATUS_CONNECTION_REFUSED"
    assert heir.told == []


def test_a_connection_has_them_once_connected(world: World, family: int) -> None:
    near = Party(world, world.pair()[0])
    socket = near.socket(WSK_FLAG_CONNECTION_SOCKET)
    bind(socket)
    assert events(socket, WSK_EVENT_RECEIVE) == "STATUS_INVALID_DEVICE_STATE"
    couple = Couple(World(seed=2), family)
    mine = WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT | WSK_EVENT_SEND_BACKLOG
    assert events(couple.a, mine) == "STATUS_SUCCESS"
    assert events(couple.a, WSK_EVENT_ACCEPT) == "STATUS_INVALID_PARAMETER"


# The ideal send backlog.


FAR = Impairment(delay=10**7)


class Told:
    """Backlog sizes as they were told."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.dispatch = WSK_CLIENT_CONNECTION_DISPATCH(None, None, self._backlog)

    def _backlog(self, context: Any, size: int) -> int:
        assert context == "context"
        self.sizes.append(size)
        return STATUS_SUCCESS


def test_the_backlog_event_follows_the_path(world: World, family: int) -> None:
    told = Told()
    couple = Couple(world, family, near=told.dispatch, context="context", wire=FAR)
    before = couple.a.ideal_send_backlog()
    assert events(couple.a, WSK_EVENT_SEND_BACKLOG) == "STATUS_SUCCESS"
    receive(couple.b, 0, 0x4)  # WSK_FLAG_DRAIN
    send(couple.a, bytes(4_000_000))
    couple.run(10**10)
    assert 2 <= len(told.sizes) < 40
    assert told.sizes[-1] > 4 * before
    assert events(couple.a, WSK_EVENT_DISABLE | WSK_EVENT_SEND_BACKLOG) == "STATUS_SUCCESS"
    told.sizes.clear()
    couple.run(60 * 10**9)
    send(couple.a, bytes(4_000_000))
    couple.run(10**10)
    assert told.sizes == []


def test_the_backlog_of_what_is_not_connected(world: World) -> None:
    socket = Party(world, world.pair()[0]).socket(WSK_FLAG_CONNECTION_SOCKET)
    assert socket.ideal_send_backlog() == 0


def test_the_backlog_event_is_inherited(world: World, family: int) -> None:
    heir = Heir(world, family)
    events(heir.socket, WSK_EVENT_ACCEPT | WSK_EVENT_SEND_BACKLOG)
    accepted: list[Any] = []

    def take(context: Any, flags: int, a: Any, b: Any, s: Any, out: Any, table: Any) -> int:
        table.value = heir.table
        accepted.append(s)
        return STATUS_SUCCESS

    heir.socket.dispatch.WskAcceptEvent = take
    client, _ = heir.near.connecting(heir.far.address(family, 80))
    world.run(10**9)
    receive(client, 0, 0x4)
    send(accepted[0], bytes(4_000_000))
    world.run(10**9)
    assert "backlog" in heir.told
