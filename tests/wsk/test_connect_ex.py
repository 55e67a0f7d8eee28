# SPDX-License-Identifier: MIT
"""WskConnectEx (wsk.md 2.7): connecting with data, in the SYN where the peer allows it."""

from __future__ import annotations

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
    mapped,
    receive,
    send,
    set_option,
)
from wsk_api import (
    IPPROTO_TCP,
    MDL,
    SOCKADDR_IN6,
    TCP_FASTOPEN,
    WSK_BUF,
    WSK_FLAG_CONNECTION_SOCKET,
    IoCancelIrp,
    wsk_buf,
)

LIMIT = 65_535


class Pair:
    """A client, and a listener on port 80 of the other host."""

    def __init__(self, world: World, family: int, wire: Impairment | None = None) -> None:
        a, b = world.pair(there=wire)
        self.world = world
        self.near, self.far = Party(world, a), Party(world, b)
        self.remote = self.far.address(family, 80)
        self.listener = self.far.listener(80)

    def socket(self) -> Any:
        socket = self.near.socket(WSK_FLAG_CONNECTION_SOCKET)
        assert bind(socket).status == "STATUS_SUCCESS"
        return socket

    def connect(self, socket: Any, buffer: WSK_BUF | None, flags: int = 0) -> Request:
        return Request().issue(socket.Dispatch.WskConnectEx, socket, self.remote, buffer, flags)

    def takes(self, request: Request, count: int) -> bytes:
        """What a WskAccept's connection received."""
        got, memory = receive(request.info, count + 1)
        self.world.run(0)
        return bytes(memory[: got.info])


def test_data_follows_the_handshake(world: World, family: int) -> None:
    pair = Pair(world, family)
    accepting = accept(pair.listener)
    chain = MDL(b"xfirst ", MDL(b"wordsx"))
    request = pair.connect(pair.socket(), WSK_BUF(chain, 1, 11))
    assert request.returned == "STATUS_PENDING"
    world.run(10**9)
    assert request.info == 0
    assert pair.takes(accepting, 20) == b"first words"


@pytest.mark.parametrize("buffer", [None, WSK_BUF(None, 0, 0)])
def test_without_data_it_is_a_connect(world: World, family: int, buffer: WSK_BUF | None) -> None:
    pair = Pair(world, family)
    request = pair.connect(pair.socket(), buffer)
    world.run(10**9)
    assert request.info == 0


def test_with_fast_open_the_data_travels_in_the_syn(world: World, family: int) -> None:
    pair = Pair(world, family)
    set_option(pair.listener, IPPROTO_TCP, TCP_FASTOPEN, 1)
    for expected in (0, 1):  # the first asks for a cookie
        accepting = accept(pair.listener)
        socket = pair.socket()
        set_option(socket, IPPROTO_TCP, TCP_FASTOPEN, 1)
        request = pair.connect(socket, wsk_buf(b"GET /"))
        world.run(10**9)
        assert request.info == 0
        assert pair.takes(accepting, 10) == b"GET /"
        assert pair.near.host.stack.tcp.counters.fast_open_active == expected
        assert pair.far.host.stack.tcp.counters.fast_open_passive == expected


def test_the_most_it_takes(world: World, family: int) -> None:
    pair = Pair(world, family)
    accepting = accept(pair.listener)
    socket = pair.socket()
    long = pair.connect(socket, wsk_buf(bytes(LIMIT + 1)))
    assert long.status == "STATUS_BUFFER_OVERFLOW"
    request = pair.connect(socket, wsk_buf(bytes(LIMIT)))
    world.run(10**9)
    assert request.info == 0
    assert len(pair.takes(accepting, LIMIT)) == LIMIT


def test_refusals(world: World) -> None:
    pair = Pair(world, 1)
    socket = pair.socket()
    assert pair.connect(socket, None, 1).status == "STATUS_INVALID_PARAMETER"
    beyond = WSK_BUF(MDL(b"abc"), 0, 4)
    assert pair.connect(socket, beyond).status == "STATUS_INVALID_PARAMETER"
    unbound = pair.near.socket(WSK_FLAG_CONNECTION_SOCKET)
    assert pair.connect(unbound, wsk_buf(b"x")).status == "STATUS_INVALID_DEVICE_STATE"
    pair.connect(socket, wsk_buf(b"x"))
    world.run(10**9)
    assert pair.connect(socket, wsk_buf(b"x")).status == "STATUS_INVALID_DEVICE_STATE"


def test_a_refused_one_completes_once_and_may_be_repeated(world: World, family: int) -> None:
    pair = Pair(world, family)
    close(pair.listener)
    socket = pair.socket()
    request = pair.connect(socket, wsk_buf(b"lost"))
    world.run(10**9)
    assert request.status == "STATUS_CONNECTION_REFUSED"
    accepting = accept(pair.far.listener(80))
    again = pair.connect(socket, wsk_buf(b"found"))
    world.run(10**9)
    assert again.info == 0
    assert pair.takes(accepting, 10) == b"found"
    sent = send(socket, b"more")
    world.run(10**9)
    assert sent.info == 4
    assert pair.takes(accepting, 10) == b"more"


def test_a_cancelled_one_may_be_repeated(world: World, family: int) -> None:
    pair = Pair(world, family)
    socket = pair.socket()
    request = pair.connect(socket, wsk_buf(b"x"))
    assert IoCancelIrp(request.irp)
    accepting = accept(pair.listener)
    again = pair.connect(socket, wsk_buf(b"found"))
    world.run(10**9)
    assert again.info == 0
    assert pair.takes(accepting, 10) == b"found"
    sent = send(socket, b"more")
    world.run(10**9)
    assert sent.info == 4


def test_cancelled_while_connecting(world: World, family: int) -> None:
    pair = Pair(world, family, Impairment(loss=1.0))
    socket = pair.socket()
    request = pair.connect(socket, wsk_buf(b"x"))
    world.run(10**9)
    assert IoCancelIrp(request.irp)
    assert request.status == "STATUS_CANCELLED"
    # Its IRP is free at once: nothing that is left over may complete it a second time.
    request.irp.Cancel = False
    request.ends.clear()
    request.issue(socket.Dispatch.WskConnectEx, socket, pair.remote, wsk_buf(b"y"), 0)
    world.run(10**9)
    assert request.pending


@pytest.mark.parametrize("withdraw", [IoCancelIrp, None])
def test_its_irp_serves_for_something_else_afterwards(world: World, withdraw: Any) -> None:
    """Without IoReuseIrp, as clients may: nothing of the connect clings to it."""
    couple = Couple(world, 1)
    party = couple.near
    socket = party.socket(WSK_FLAG_CONNECTION_SOCKET)
    bind(socket)
    nobody = SOCKADDR_IN6(80, mapped(bytes((10, 77, 0, 99))))
    request = Request()
    request.issue(socket.Dispatch.WskConnectEx, socket, nobody, wsk_buf(b"x"), 0)
    if withdraw is None:
        close(socket)
    else:
        withdraw(request.irp)
    assert request.status == "STATUS_CANCELLED"
    request.irp.Cancel = False
    request.ends.clear()
    request.issue(couple.a.Dispatch.WskSend, couple.a, wsk_buf(b"data"), 0)
    couple.run()
    assert request.info == 4


def data_is_lost(number: int, frame: bytes) -> bool:
    return len(frame) > 1000


def test_once_connected_the_data_is_on_its_way(world: World, family: int) -> None:
    """Complete only when acknowledged; it can no longer be recalled."""
    pair = Pair(world, family, Impairment(drop=data_is_lost))
    accepting = accept(pair.listener)
    request = pair.connect(pair.socket(), wsk_buf(bytes(1000)))
    world.run(10**9)
    assert accepting.status == "STATUS_SUCCESS"
    assert not IoCancelIrp(request.irp)
    assert request.pending
    close(accepting.info)
    world.run(10**9)
    assert request.status == "STATUS_CONNECTION_RESET"


def test_closing_cancels_it(world: World, family: int) -> None:
    pair = Pair(world, family, Impairment(drop=data_is_lost))
    socket = pair.socket()
    request = pair.connect(socket, wsk_buf(bytes(1000)))
    world.run(10**9)
    close(socket)
    assert request.status == "STATUS_CANCELLED"
    world.run(10**9)
    assert pair.near.npi.Client.sockets == set()
