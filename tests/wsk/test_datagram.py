# SPDX-License-Identifier: MIT
"""Datagram sockets (wsk.md 2.8, 3.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import World
from tests.wsk.kit import Party, Request, bind, close, data_of, events, mapped, set_option
from wsk_api import (
    AF_INET,
    IPPROTO_UDP,
    MSG_BCAST,
    MSG_TRUNC,
    SO_BROADCAST,
    SOCK_DGRAM,
    SOCKADDR_IN,
    SOCKADDR_IN6,
    SOL_SOCKET,
    STATUS_DATA_NOT_ACCEPTED,
    STATUS_INVALID_PARAMETER,
    STATUS_PENDING,
    STATUS_SUCCESS,
    WSK_CLIENT_DATAGRAM_DISPATCH,
    WSK_EVENT_RECEIVE_FROM,
    WSK_FLAG_DATAGRAM_SOCKET,
    IoCancelIrp,
    Ref,
    wsk_buf,
)


def send_to(socket: Any, data: bytes, remote: Any) -> Request:
    arguments = (socket, wsk_buf(data), 0, remote, 0, None)
    return Request().issue(socket.Dispatch.WskSendTo, *arguments)


def receive_from(socket: Any, room: int) -> tuple[Request, bytearray, Ref[Any], Ref[int]]:
    memory = bytearray(room)
    remote: Ref[Any] = Ref()
    flags: Ref[int] = Ref()
    arguments: Any = (socket, wsk_buf(memory), 0, remote, Ref(), None, flags)
    request = Request().issue(socket.Dispatch.WskReceiveFrom, *arguments)
    return request, memory, remote, flags


class Ends:
    """A socket on each of two hosts."""

    def __init__(self, world: World, dispatch: Any = None, static: int = 0) -> None:
        a, b = world.pair()
        self.world = world
        self.near, self.far = Party(world, a), Party(world, b, static)
        self.a = self.near.datagram(1000)
        self.b = self.far.datagram(2000, dispatch)

    def send(self, family: int, *parts: bytes) -> list[Request]:
        sent = [send_to(self.a, part, self.far.address(family, 2000)) for part in parts]
        self.world.run(10**9)
        return sent


class Hearer:
    """A receive-from callback."""

    def __init__(self) -> None:
        self.lists: list[list[bytes]] = []
        self.heads: list[Any] = []
        self.flags: list[int] = []
        self.sources: list[Any] = []
        self.answer: Callable[[Any], int] = lambda head: STATUS_SUCCESS
        self.dispatch = WSK_CLIENT_DATAGRAM_DISPATCH(self.receive)

    def receive(self, context: Any, flags: int, head: Any) -> int:
        self.heads.append(head)
        self.flags.append(flags)
        parts, node = [], head
        while node is not None:
            parts.append(bytes(node.Buffer.Mdl.view))
            self.sources.append(node.RemoteAddress)
            assert node.ControlInfo is None
            node = node.Next
        self.lists.append(parts)
        return self.answer(head)


def test_there_and_back_by_request(world: World, family: int) -> None:
    ends = Ends(world)
    request, memory, remote, flags = receive_from(ends.b, 100)
    (sent,) = ends.send(family, b"hello")
    assert sent.info == request.info == 5
    assert (bytes(memory[:5]), flags.value) == (b"hello", 0)
    assert remote.value == ends.near.address(family, 1000)
    back, there, _, _ = receive_from(ends.a, 100)
    send_to(ends.b, b"world", remote.value)
    world.run(10**9)
    assert there[: back.info] == b"world"


def test_what_does_not_fit_is_cut(world: World, family: int) -> None:
    ends = Ends(world)
    request, memory, _, flags = receive_from(ends.b, 3)
    ends.send(family, b"truncated", b"whole")
    assert (request.info, bytes(memory), flags.value) == (3, b"tru", MSG_TRUNC)
    later, memory, _, flags = receive_from(ends.b, 10)
    world.run(0)
    assert (bytes(memory[: later.info]), flags.value) == (b"whole", 0)


def test_empty_and_fragmented_datagrams(world: World, family: int) -> None:
    ends = Ends(world)
    whole = bytes(range(256)) * 100
    for data in (b"", whole):
        request, memory, _, _ = receive_from(ends.b, 60_000)
        ends.send(family, data)
        assert memory[: request.info] == data


def test_indicated_with_sources(world: World, family: int) -> None:
    hearer = Hearer()
    ends = Ends(world, hearer.dispatch, WSK_EVENT_RECEIVE_FROM)
    ends.send(family, b"one", b"two")
    assert [part for parts in hearer.lists for part in parts] == [b"one", b"two"]
    assert set(hearer.sources) == {ends.near.address(family, 1000)}


def test_retained_and_released(world: World, family: int) -> None:
    hearer = Hearer()
    hearer.answer = lambda head: STATUS_PENDING
    ends = Ends(world, hearer.dispatch, WSK_EVENT_RECEIVE_FROM)
    ends.send(family, b"kept")
    release = ends.b.Dispatch.WskRelease
    assert data_of(hearer.heads[0]) == b"kept"
    assert release(ends.b, hearer.heads[0]) == STATUS_SUCCESS
    assert release(ends.b, hearer.heads[0]) == STATUS_INVALID_PARAMETER
    assert release(ends.b, None) == STATUS_INVALID_PARAMETER


def test_what_is_retained_is_charged(world: World) -> None:
    """A client that keeps everything loses datagrams, not the machine's memory."""
    hearer = Hearer()
    hearer.answer = lambda head: STATUS_PENDING
    ends = Ends(world, hearer.dispatch, WSK_EVENT_RECEIVE_FROM)
    for _ in range(80):
        ends.send(1, *[bytes(1400)] * 50)
    kept = sum(len(parts) for parts in hearer.lists)
    assert 0 < kept < 3000  # of 1,400 octets and their headers in four mebibytes
    lost = [*ends.near.host.drops().values(), *ends.far.host.drops().values()]
    assert sum(lost) == 4000 - kept
    for head in hearer.heads:
        ends.b.Dispatch.WskRelease(ends.b, head)
    ends.send(1, b"room again")
    assert hearer.lists[-1] == [b"room again"]


def test_refusing_disables_a_dynamic_event(world: World) -> None:
    hearer = Hearer()
    hearer.answer = lambda head: STATUS_DATA_NOT_ACCEPTED
    ends = Ends(world, hearer.dispatch)
    assert events(ends.b, WSK_EVENT_RECEIVE_FROM) == "STATUS_SUCCESS"
    ends.send(1, b"first")
    ends.send(1, b"second")
    assert hearer.lists == [[b"first"]]
    hearer.answer = lambda head: STATUS_SUCCESS
    assert events(ends.b, WSK_EVENT_RECEIVE_FROM) == "STATUS_SUCCESS"
    world.run(0)
    assert [part for parts in hearer.lists[1:] for part in parts] == [b"first", b"second"]


def test_refusing_leaves_a_static_event_enabled(world: World) -> None:
    hearer = Hearer()
    hearer.answer = lambda head: STATUS_DATA_NOT_ACCEPTED
    ends = Ends(world, hearer.dispatch, WSK_EVENT_RECEIVE_FROM)
    ends.send(1, b"first")
    ends.send(1, b"second")
    assert hearer.lists == [[b"first"], [b"second"]]


def test_a_callback_that_raises(world: World) -> None:
    hearer = Hearer()

    def fail(head: Any) -> int:
        raise RuntimeError("mine")

    hearer.answer = fail
    ends = Ends(world, hearer.dispatch, WSK_EVENT_RECEIVE_FROM)
    ends.send(1, b"first")
    hearer.answer = lambda head: STATUS_SUCCESS
    ends.send(1, b"second")
    assert hearer.lists[-1] == [b"second"]


def test_statuses(world: World) -> None:
    ends = Ends(world)
    party = ends.near
    how: dict[str, Any] = {"kind": SOCK_DGRAM, "protocol": IPPROTO_UDP}
    unbound = party.socket(WSK_FLAG_DATAGRAM_SOCKET, **how)
    there = ends.far.address(1, 2000)
    assert send_to(unbound, b"x", there).status == "STATUS_INVALID_DEVICE_STATE"
    assert receive_from(unbound, 10)[0].status == "STATUS_INVALID_DEVICE_STATE"
    assert send_to(ends.a, b"x", None).status == "STATUS_INVALID_PARAMETER"
    assert send_to(ends.a, b"x", SOCKADDR_IN6(0, there.sin6_addr)).status == (
        "STATUS_INVALID_PARAMETER"
    )
    assert send_to(ends.a, b"x", SOCKADDR_IN(2000, bytes(4))).status == "STATUS_INVALID_PARAMETER"
    assert send_to(ends.a, bytes(65_508), there).status == "STATUS_INVALID_BUFFER_SIZE"
    nowhere = SOCKADDR_IN6(7, bytes.fromhex("20010db8") + bytes(11) + b"\1")
    assert send_to(ends.a, b"x", nowhere).status == "STATUS_NETWORK_UNREACHABLE"
    again = bind(party.socket(WSK_FLAG_DATAGRAM_SOCKET, **how), 1000)
    assert again.status == "STATUS_ADDRESS_ALREADY_EXISTS"


def test_broadcast_needs_the_option(world: World) -> None:
    hearer = Hearer()
    ends = Ends(world, hearer.dispatch, WSK_EVENT_RECEIVE_FROM)
    everybody = SOCKADDR_IN6(2000, mapped(bytes((10, 77, 0, 255))))
    assert send_to(ends.a, b"x", everybody).status == "STATUS_ACCESS_DENIED"
    assert set_option(ends.a, SOL_SOCKET, SO_BROADCAST, 1).status == "STATUS_SUCCESS"
    assert send_to(ends.a, b"to all", everybody).info == 6
    world.run(10**9)
    assert hearer.lists == [[b"to all"]]
    assert hearer.flags[0] & MSG_BCAST


def test_close_and_cancel(world: World) -> None:
    ends = Ends(world)
    first, second = receive_from(ends.b, 10)[0], receive_from(ends.b, 10)[0]
    assert IoCancelIrp(first.irp)
    assert first.status == "STATUS_CANCELLED"
    assert second.pending
    assert close(ends.b).info == 0
    assert second.status == "STATUS_CANCELLED"


def test_an_ipv4_socket_speaks_ipv4_addresses(world: World) -> None:
    ends = Ends(world)
    how: dict[str, Any] = {"family": AF_INET, "kind": SOCK_DGRAM, "protocol": IPPROTO_UDP}
    plain = ends.near.socket(WSK_FLAG_DATAGRAM_SOCKET, **how)
    bound = Request().issue(plain.Dispatch.WskBind, plain, SOCKADDR_IN(3000), 0)
    assert bound.status == "STATUS_SUCCESS"
    there, memory, remote, _ = receive_from(ends.b, 10)
    send_to(plain, b"four", SOCKADDR_IN(2000, ends.far.host.v4))
    world.run(10**9)
    assert memory[: there.info] == b"four"
    assert remote.value == SOCKADDR_IN6(3000, mapped(ends.near.host.v4))
    wrong = send_to(plain, b"six", SOCKADDR_IN6(2000, ends.far.host.v6))
    assert wrong.status == "STATUS_INVALID_PARAMETER"


@pytest.mark.parametrize("control", [1, 100])
def test_control_information_must_be_some(world: World, control: int) -> None:
    ends = Ends(world)
    arguments = (ends.a, wsk_buf(b"x"), 0, ends.far.address(1, 2000), control, b"?" * control)
    request = Request().issue(ends.a.Dispatch.WskSendTo, *arguments)
    assert request.status == "STATUS_INVALID_PARAMETER"
