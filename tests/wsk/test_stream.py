# SPDX-License-Identifier: MIT
"""Stream sockets (wsk.md 2.2, 2.3, 2.7): one role or the other; and the order of all tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import World
from tests.wsk.kit import (
    Party,
    Request,
    accept,
    bind,
    close,
    data_of,
    disconnect,
    events,
    get_option,
    mapped,
    receive,
    send,
    set_option,
)
from wsk_api import (
    IPPROTO_IPV6,
    IPPROTO_UDP,
    IPV6_V6ONLY,
    SO_CONDITIONAL_ACCEPT,
    SO_KEEPALIVE,
    SOCK_DGRAM,
    SOCKADDR_IN6,
    SOL_SOCKET,
    STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER,
    STATUS_PENDING,
    STATUS_SUCCESS,
    WSK_CLIENT_CONNECTION_DISPATCH,
    WSK_CLIENT_LISTEN_DISPATCH,
    WSK_CLIENT_STREAM_DISPATCH,
    WSK_EVENT_ACCEPT,
    WSK_EVENT_DISCONNECT,
    WSK_EVENT_RECEIVE,
    WSK_FLAG_BASIC_SOCKET,
    WSK_FLAG_CONNECTION_SOCKET,
    WSK_FLAG_DATAGRAM_SOCKET,
    WSK_FLAG_LISTEN_SOCKET,
    WSK_FLAG_STREAM_SOCKET,
    Ref,
    wsk_buf,
)

BASIC = ["WskControlSocket", "WskCloseSocket"]


@pytest.mark.parametrize(
    ("flags", "how", "names"),
    [
        (WSK_FLAG_BASIC_SOCKET, {}, ""),
        (WSK_FLAG_LISTEN_SOCKET, {}, "WskBind WskAccept WskInspectComplete WskGetLocalAddress"),
        (
            WSK_FLAG_DATAGRAM_SOCKET,
            {"kind": SOCK_DGRAM, "protocol": IPPROTO_UDP},
            "WskBind WskSendTo WskReceiveFrom WskRelease WskGetLocalAddress WskSendMessages",
        ),
        (
            WSK_FLAG_CONNECTION_SOCKET,
            {},
            "WskBind WskConnect WskGetLocalAddress WskGetRemoteAddress WskSend WskReceive "
            "WskDisconnect WskRelease WskConnectEx",
        ),
        (
            WSK_FLAG_STREAM_SOCKET,
            {},
            "WskBind WskAccept WskConnect WskListen WskSend WskReceive WskDisconnect WskRelease "
            "WskGetLocalAddress WskGetRemoteAddress WskConnectEx",
        ),
    ],
    ids=["basic", "listen", "datagram", "connection", "stream"],
)
def test_members_in_their_order(world: World, flags: int, how: dict[str, int], names: str) -> None:
    party = Party(world, world.pair()[0])
    socket = party.socket(flags, dual=False, **how)
    assert list(vars(socket.Dispatch)) == BASIC + names.split()


class Both:
    """Two parties; the far one has stream sockets."""

    def __init__(self, world: World, static: int = 0) -> None:
        a, b = world.pair()
        self.world = world
        self.near, self.far = Party(world, a), Party(world, b, static)
        self.heard: list[bytes] = []
        self.offered: list[Any] = []
        self.inner = WSK_CLIENT_CONNECTION_DISPATCH(self._receive)
        self.dispatch = WSK_CLIENT_STREAM_DISPATCH(
            WSK_CLIENT_LISTEN_DISPATCH(self._accept), self.inner
        )

    def _receive(self, context: Any, flags: int, head: Any, count: int, accepted: Any) -> int:
        self.heard.append(data_of(head))
        return STATUS_SUCCESS

    def _accept(
        self, context: Any, flags: int, a: Any, b: Any, s: Any, out: Any, table: Any
    ) -> int:
        self.offered.append(s)
        table.value = self.inner
        return STATUS_SUCCESS

    def stream(self, port: int = 0) -> Any:
        """A bound stream socket of the far party."""
        socket = self.far.socket(WSK_FLAG_STREAM_SOCKET, self.dispatch, "context")
        assert bind(socket, port).status == "STATUS_SUCCESS"
        return socket

    def server(self, port: int = 80) -> Any:
        """One that listens."""
        socket = self.stream(port)
        assert listen(socket).info == 0
        return socket

    def client(self, family: int) -> Any:
        """One that is connected, and what the near party accepted."""
        accepting = accept(self.near.listener(80))
        socket = self.stream()
        request = connect(socket, self.near.address(family, 80))
        self.world.run(10**9)
        assert request.info == 0
        return socket, accepting.info


def listen(socket: Any) -> Request:
    return Request().issue(socket.Dispatch.WskListen, socket)


def connect(socket: Any, remote: Any) -> Request:
    return Request().issue(socket.Dispatch.WskConnect, socket, remote, 0)


def connect_ex(socket: Any, remote: Any, data: bytes) -> Request:
    return Request().issue(socket.Dispatch.WskConnectEx, socket, remote, wsk_buf(data), 0)


def name(socket: Any, which: str) -> Request:
    return Request().issue(getattr(socket.Dispatch, which), socket, Ref())


def test_listening(world: World, family: int) -> None:
    both = Both(world)
    server = both.server()
    waiting = accept(server)
    client, connecting = both.near.connecting(both.far.address(family, 80))
    world.run(10**9)
    assert connecting.status == "STATUS_SUCCESS"
    accepted = waiting.info
    assert list(vars(accepted.Dispatch))[3] == "WskConnect"  # connection-oriented
    send(client, b"hello")
    request, memory = receive(accepted, 10)
    world.run(10**9)
    assert memory[: request.info] == b"hello"


def test_connecting(world: World, family: int) -> None:
    both = Both(world)
    client, accepted = both.client(family)
    assert name(client, "WskGetRemoteAddress").status == "STATUS_SUCCESS"
    sent = send(client, b"there")
    send(accepted, b"back")
    request, memory = receive(client, 10)
    world.run(10**9)
    assert sent.info == 5
    assert memory[: request.info] == b"back"
    assert events(client, WSK_EVENT_RECEIVE) == "STATUS_SUCCESS"
    send(accepted, b"event")
    world.run(10**9)
    assert both.heard == [b"event"]
    ending = disconnect(client)
    world.run(10**9)
    assert ending.status == "STATUS_SUCCESS"


def test_connecting_with_data(world: World, family: int) -> None:
    both = Both(world)
    accepting = accept(both.near.listener(80))
    socket = both.stream()
    request = connect_ex(socket, both.near.address(family, 80), b"first")
    world.run(10**9)
    assert request.info == 0
    got, memory = receive(accepting.info, 10)
    world.run(0)
    assert memory[: got.info] == b"first"
    assert listen(socket).status == "STATUS_INVALID_DEVICE_STATE"


def test_nothing_answers_between_bind_and_listen(world: World, family: int) -> None:
    """Bind takes the name, and only that."""
    both = Both(world)
    socket = both.stream(80)
    assert name(socket, "WskGetLocalAddress").status == "STATUS_SUCCESS"
    _, refused = both.near.connecting(both.far.address(family, 80))
    other = both.far.socket(WSK_FLAG_LISTEN_SOCKET)
    assert bind(other, 80).status == "STATUS_ADDRESS_ALREADY_EXISTS"
    world.run(10**9)
    assert refused.status == "STATUS_CONNECTION_REFUSED"
    assert listen(socket).status == "STATUS_SUCCESS"
    _, welcome = both.near.connecting(both.far.address(family, 80))
    world.run(10**9)
    assert welcome.status == "STATUS_SUCCESS"


SOMEWHERE = SOCKADDR_IN6(80, mapped(bytes((10, 77, 0, 1))))
OF_A_CONNECTION: list[Callable[[Any], Request]] = [
    lambda s: connect(s, SOMEWHERE),
    lambda s: connect_ex(s, SOMEWHERE, b"x"),
    lambda s: send(s, b"x"),
    lambda s: receive(s, 1)[0],
    lambda s: disconnect(s),
    lambda s: name(s, "WskGetRemoteAddress"),
    listen,
]
OF_A_LISTENER: list[Callable[[Any], Request]] = [
    accept,
    listen,
    lambda s: connect(s, SOMEWHERE),
    lambda s: connect_ex(s, SOMEWHERE, b"x"),
]
OF_NEITHER: list[Callable[[Any], Request]] = [
    accept,
    lambda s: send(s, b"x"),
    lambda s: receive(s, 1)[0],
    lambda s: disconnect(s),
    lambda s: name(s, "WskGetRemoteAddress"),
]


@pytest.mark.parametrize("call", OF_A_CONNECTION)
def test_a_listener_does_not_connect(world: World, call: Callable[[Any], Request]) -> None:
    assert call(Both(world).server()).status == "STATUS_INVALID_DEVICE_STATE"


@pytest.mark.parametrize("call", OF_A_LISTENER)
def test_a_connection_does_not_listen(world: World, call: Callable[[Any], Request]) -> None:
    client, _ = Both(world).client(1)
    assert call(client).status == "STATUS_INVALID_DEVICE_STATE"


@pytest.mark.parametrize("call", OF_NEITHER)
def test_undecided_it_does_nothing(world: World, call: Callable[[Any], Request]) -> None:
    assert call(Both(world).stream()).status == "STATUS_INVALID_DEVICE_STATE"


@pytest.mark.parametrize("call", [listen, lambda s: connect(s, SOMEWHERE)])
def test_unbound_it_does_even_less(world: World, call: Callable[[Any], Request]) -> None:
    both = Both(world)
    socket = both.far.socket(WSK_FLAG_STREAM_SOCKET, both.dispatch)
    assert call(socket).status == "STATUS_INVALID_DEVICE_STATE"
    assert name(socket, "WskGetLocalAddress").status == "STATUS_INVALID_DEVICE_STATE"
    assert bind(socket).status == "STATUS_SUCCESS"
    assert bind(socket).status == "STATUS_INVALID_DEVICE_STATE"


def test_a_connect_that_is_refused_at_once_decides_nothing(world: World) -> None:
    both = Both(world)
    socket = both.stream(80)
    assert connect(socket, SOCKADDR_IN6(80)).status == "STATUS_INVALID_PARAMETER"
    assert listen(socket).status == "STATUS_SUCCESS"


def test_a_connect_on_its_way_decides(world: World, family: int) -> None:
    both = Both(world)
    socket = both.stream(80)
    request = connect(socket, both.near.address(family, 4444))
    assert listen(socket).status == "STATUS_INVALID_DEVICE_STATE"
    world.run(10**9)
    assert request.status == "STATUS_CONNECTION_REFUSED"
    assert listen(socket).status == "STATUS_INVALID_DEVICE_STATE"


def test_events_belong_to_the_role(world: World, family: int) -> None:
    both = Both(world)
    undecided = both.stream(81)
    for mask in (WSK_EVENT_ACCEPT, WSK_EVENT_RECEIVE):
        refused = events(undecided, mask)
        assert refused in ("STATUS_INVALID_DEVICE_STATE", "STATUS_INVALID_PARAMETER")
    server = both.server()
    assert events(server, WSK_EVENT_ACCEPT | WSK_EVENT_RECEIVE) == "STATUS_SUCCESS"
    client, _ = both.near.connecting(both.far.address(family, 80))
    world.run(10**9)
    assert len(both.offered) == 1
    send(client, b"inherited")
    world.run(10**9)
    assert both.heard == [b"inherited"]


def test_static_events_fit_either_role(world: World, family: int) -> None:
    both = Both(world, WSK_EVENT_ACCEPT | WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT)
    both.server()
    both.near.connecting(both.far.address(family, 80))
    world.run(10**9)
    assert len(both.offered) == 1
    _, accepted = both.client(family)
    send(accepted, b"static")
    world.run(10**9)
    assert both.heard == [b"static"]


def test_options_go_along(world: World) -> None:
    both = Both(world)
    socket = both.far.socket(WSK_FLAG_STREAM_SOCKET, both.dispatch)
    set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1)
    bind(socket, 80)
    listen(socket)
    assert get_option(socket, SOL_SOCKET, SO_KEEPALIVE) == 1
    assert get_option(socket, IPPROTO_IPV6, IPV6_V6ONLY) == 0
    waiting = accept(socket)
    both.near.connecting(both.far.address(1, 80))
    world.run(10**9)
    assert get_option(waiting.info, SOL_SOCKET, SO_KEEPALIVE) == 1


def test_no_conditional_accept(world: World) -> None:
    """Its table could not complete an inspection."""
    socket = Both(world).stream()
    answer = set_option(socket, SOL_SOCKET, SO_CONDITIONAL_ACCEPT, 1)
    assert answer.status == "STATUS_INVALID_DEVICE_REQUEST"


def test_release(world: World, family: int) -> None:
    both = Both(world)
    heads: list[Any] = []

    def keep(context: Any, flags: int, head: Any, count: int, accepted: Any) -> int:
        heads.append(head)
        return STATUS_PENDING

    both.inner.WskReceiveEvent = keep
    client, accepted = both.client(family)
    events(client, WSK_EVENT_RECEIVE)
    send(accepted, b"kept")
    world.run(10**9)
    assert client.Dispatch.WskRelease(client, heads[0]) == STATUS_SUCCESS
    assert client.Dispatch.WskRelease(client, heads[0]) == STATUS_INVALID_PARAMETER
    server = both.server(81)
    assert server.Dispatch.WskRelease(server, heads[0]) == STATUS_INVALID_DEVICE_STATE


def test_close_in_every_state(world: World, family: int) -> None:
    both = Both(world)
    fresh = both.far.socket(WSK_FLAG_STREAM_SOCKET)
    undecided = both.stream(81)
    server = both.server()
    client, _ = both.client(family)
    waiting = accept(server)
    for socket in (fresh, undecided, server, client):
        assert close(socket).info == 0
    assert waiting.status == "STATUS_CANCELLED"
    assert both.far.npi.Client.sockets == set()
    both.server()  # the names are free again
    both.server(81)


def test_a_datagram_protocol_cannot_be_a_stream(world: World) -> None:
    party = Party(world, world.pair()[0])
    socket = party.socket(WSK_FLAG_STREAM_SOCKET, kind=SOCK_DGRAM, protocol=IPPROTO_UDP)
    assert bind(socket).status == "STATUS_NOT_IMPLEMENTED"
