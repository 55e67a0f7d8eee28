# SPDX-License-Identifier: MIT
"""Conditional accept (wsk.md 3.5): the client judges a SYN before it is answered."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tap.impair import Impairment
from tests.harness import World
from tests.wsk.kit import (
    Party,
    Request,
    accept,
    bind,
    close,
    events,
    get_option,
    send,
    set_option,
)
from wsk_api import (
    SO_CONDITIONAL_ACCEPT,
    SOCK_DGRAM,
    SOL_SOCKET,
    STATUS_REQUEST_NOT_ACCEPTED,
    STATUS_SUCCESS,
    WSK_CLIENT_LISTEN_DISPATCH,
    WSK_EVENT_ACCEPT,
    WSK_FLAG_CONNECTION_SOCKET,
    WSK_FLAG_DATAGRAM_SOCKET,
    WSK_FLAG_LISTEN_SOCKET,
    WSK_INSPECT_ID,
    Ref,
    WskInspectAccept,
    WskInspectPend,
    WskInspectReject,
)


class Gate:
    """A listening socket with conditional accept on port 80, and somebody to knock."""

    def __init__(
        self, world: World, answer: Any = WskInspectAccept, wire: Impairment | None = None
    ) -> None:
        a, b = world.pair(there=wire)
        self.world = world
        self.near, self.far = Party(world, a), Party(world, b)
        self.answer = answer
        self.asked: list[tuple[Any, Any]] = []
        self.ids: list[WSK_INSPECT_ID] = []
        self.aborted: list[WSK_INSPECT_ID] = []
        self.offered: list[Any] = []
        self.refuse = 0
        self.table = WSK_CLIENT_LISTEN_DISPATCH(self.accept, self.inspect, self.abort)
        self.socket = self.far.socket(WSK_FLAG_LISTEN_SOCKET, self.table, "context")
        assert set_option(*self.option, 1).status == "STATUS_SUCCESS"
        assert bind(self.socket, 80).status == "STATUS_SUCCESS"

    @property
    def option(self) -> tuple[Any, int, int]:
        return self.socket, SOL_SOCKET, SO_CONDITIONAL_ACCEPT

    def inspect(self, context: Any, local: Any, remote: Any, which: WSK_INSPECT_ID) -> Any:
        assert context == "context"
        self.asked.append((local, remote))
        self.ids.append(WSK_INSPECT_ID(which.Key, which.SerialNumber))  # by value
        return self.answer

    def abort(self, context: Any, which: WSK_INSPECT_ID) -> int:
        assert context == "context"
        self.aborted.append(WSK_INSPECT_ID(which.Key, which.SerialNumber))
        return STATUS_SUCCESS

    def accept(self, context: Any, flags: int, a: Any, b: Any, s: Any, out: Any, table: Any) -> int:
        self.offered.append(s)
        return self.refuse

    def knock(self, family: int) -> tuple[Any, Request]:
        socket, connecting = self.near.connecting(self.far.address(family, 80))
        self.world.run(10**8)
        return socket, connecting

    def complete(self, action: int, which: Any = None) -> Request:
        function = self.socket.Dispatch.WskInspectComplete
        chosen = self.ids[-1] if which is None else which
        request = Request().issue(function, self.socket, chosen, action)
        self.world.run(10**8)
        return request


def name_of(socket: Any, which: str) -> Any:
    out: Ref[Any] = Ref()
    function = getattr(socket.Dispatch, which)
    assert Request().issue(function, socket, out).status == "STATUS_SUCCESS"
    return out.value


def test_accepted_and_delivered_by_request(world: World, family: int) -> None:
    gate = Gate(world)
    waiting = accept(gate.socket)
    client, connecting = gate.knock(family)
    assert connecting.status == "STATUS_SUCCESS"
    ((local, remote),) = gate.asked
    assert local == gate.far.address(family, 80)
    assert remote == name_of(client, "WskGetLocalAddress")
    assert waiting.info.inspect_id == gate.ids[0]
    assert gate.aborted == []


def test_accepted_and_delivered_by_event(world: World, family: int) -> None:
    gate = Gate(world)

    events(gate.socket, WSK_EVENT_ACCEPT)
    gate.knock(family)
    (accepted,) = gate.offered
    assert accepted.inspect_id == gate.ids[0]


def test_every_request_has_an_id_of_its_own(world: World, family: int) -> None:
    gate = Gate(world)
    for _ in range(3):
        gate.knock(family)
    assert len(set(gate.ids)) == 3
    assert WSK_INSPECT_ID(1, 2) != WSK_INSPECT_ID(1, 3)
    assert WSK_INSPECT_ID(1, 2) != WSK_INSPECT_ID(3, 2)


def test_rejected_is_refused(world: World, family: int) -> None:
    gate = Gate(world, WskInspectReject)
    _, connecting = gate.knock(family)
    assert connecting.status == "STATUS_CONNECTION_REFUSED"
    world.run(10**10)
    assert gate.aborted == gate.offered == []


def test_pended_until_completed(world: World, family: int) -> None:
    gate = Gate(world, WskInspectPend)
    waiting = accept(gate.socket)
    _, connecting = gate.knock(family)
    world.run(3 * 10**9)
    assert connecting.pending
    assert len(gate.ids) == 1  # the repeated SYN asks nothing new
    assert gate.complete(WskInspectAccept).info == 0
    assert connecting.status == "STATUS_SUCCESS"
    assert waiting.info.inspect_id == gate.ids[0]


def test_pended_and_rejected(world: World, family: int) -> None:
    gate = Gate(world, WskInspectPend)
    _, connecting = gate.knock(family)
    assert gate.complete(WskInspectReject).info == 0
    assert connecting.status == "STATUS_CONNECTION_REFUSED"
    assert gate.aborted == []


def test_an_abort_comes_first(world: World, family: int) -> None:
    """The peer's last SYN is long ago: then accepting has no effect."""
    gate = Gate(world, WskInspectPend)
    client, _ = gate.knock(family)
    close(client)
    world.run(200 * 10**9)
    assert gate.aborted == gate.ids
    assert gate.complete(WskInspectAccept).status == "STATUS_SUCCESS"
    world.run(10**9)
    assert gate.offered == []
    assert gate.far.host.stack.tcp.connections() == []


def test_accepted_and_aborted_in_the_handshake(world: World, family: int) -> None:
    """The third segment never comes."""
    silent: list[bool] = []
    gate = Gate(world, WskInspectPend, Impairment(drop=lambda number, frame: bool(silent)))
    gate.knock(family)
    silent.append(True)
    gate.complete(WskInspectAccept)
    assert gate.aborted == []
    world.run(200 * 10**9)
    assert gate.aborted == gate.ids
    assert gate.offered == []


def test_a_refusal_in_the_accept_event_is_no_abort(world: World, family: int) -> None:
    gate = Gate(world)
    gate.refuse = STATUS_REQUEST_NOT_ACCEPTED
    events(gate.socket, WSK_EVENT_ACCEPT)
    client, _ = gate.knock(family)
    assert send(client, b"x").status == "STATUS_CONNECTION_RESET"
    assert gate.aborted == []


@pytest.mark.parametrize("answer", ["what", 7, None, -1])
def test_an_answer_that_is_none_rejects(
    world: World, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate(world, answer)
    with caplog.at_level(logging.ERROR):
        _, connecting = gate.knock(1)
    assert connecting.status == "STATUS_CONNECTION_REFUSED"


def test_rules_of_completing(world: World) -> None:
    gate = Gate(world, WskInspectPend)
    _, connecting = gate.knock(1)
    assert gate.complete(WskInspectPend).status == "STATUS_INVALID_PARAMETER"
    assert gate.complete(3).status == "STATUS_INVALID_PARAMETER"
    assert gate.complete(WskInspectAccept, "no id").status == "STATUS_INVALID_PARAMETER"
    assert gate.complete(WskInspectAccept, WSK_INSPECT_ID(9, 9)).status == "STATUS_SUCCESS"
    assert connecting.pending
    plain = gate.far.listener(81)
    function = plain.Dispatch.WskInspectComplete
    refused = Request().issue(function, plain, gate.ids[0], WskInspectAccept)
    assert refused.status == "STATUS_INVALID_DEVICE_STATE"


def test_rules_of_the_option(world: World) -> None:
    gate = Gate(world)
    assert get_option(*gate.option) == 1
    assert set_option(*gate.option, 0).status == "STATUS_INVALID_DEVICE_STATE"
    lame = gate.far.socket(WSK_FLAG_LISTEN_SOCKET, WSK_CLIENT_LISTEN_DISPATCH(gate.accept))
    how = (SOL_SOCKET, SO_CONDITIONAL_ACCEPT)
    assert set_option(lame, *how, 1).status == "STATUS_INVALID_PARAMETER"
    assert set_option(lame, *how, 0).status == "STATUS_SUCCESS"
    assert get_option(lame, *how) == 0
    stream = gate.far.socket(WSK_FLAG_CONNECTION_SOCKET)
    datagram = gate.far.socket(WSK_FLAG_DATAGRAM_SOCKET, kind=SOCK_DGRAM, protocol=17)
    for socket in (stream, datagram):
        assert set_option(socket, *how, 1).status == "STATUS_INVALID_DEVICE_REQUEST"


def test_no_inspection_no_id(world: World) -> None:
    gate = Gate(world)
    waiting = accept(gate.far.listener(81))
    gate.near.connecting(gate.far.address(1, 81))
    world.run(10**9)
    assert waiting.info.inspect_id is None
    assert gate.asked == []


def test_closing_the_listener(world: World, family: int) -> None:
    gate = Gate(world, WskInspectPend)
    _, connecting = gate.knock(family)
    assert close(gate.socket).info == 0
    world.run(10**9)
    assert connecting.status == "STATUS_CONNECTION_REFUSED"
    assert gate.aborted == []


def test_closing_inside_the_callback(world: World, family: int) -> None:
    gate = Gate(world)
    closing: list[Request] = []

    def shut(context: Any, local: Any, remote: Any, which: Any) -> int:
        closing.append(close(gate.socket))
        assert closing[0].pending
        return WskInspectAccept

    gate.table.WskInspectEvent = shut
    _, connecting = gate.knock(family)
    assert closing[0].info == 0
    assert connecting.status == "STATUS_CONNECTION_REFUSED"
