# SPDX-License-Identifier: MIT
"""Connections by request (wsk.md 2.7): send, receive, disconnect, close."""

from __future__ import annotations

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
    disconnect,
    receive,
    send,
)
from wsk_api import (
    MDL,
    SOCKADDR_IN6,
    WSK_BUF,
    WSK_FLAG_ABORTIVE,
    WSK_FLAG_CONNECTION_SOCKET,
    WSK_FLAG_DRAIN,
    WSK_FLAG_NODELAY,
    WSK_FLAG_WAITALL,
    Ref,
    wsk_buf,
)


def test_names_of_both_ends(world: World, family: int) -> None:
    couple = Couple(world, family)
    shown: list[SOCKADDR_IN6] = []
    for socket in (couple.a, couple.b):
        for name in ("WskGetLocalAddress", "WskGetRemoteAddress"):
            out: Ref[SOCKADDR_IN6] = Ref()
            request = Request().issue(getattr(socket.Dispatch, name), socket, out)
            assert request.status == "STATUS_SUCCESS"
            assert out.value is not None
            shown.append(out.value)
    assert shown[0] == shown[3]
    assert shown[1] == shown[2] == couple.far.address(family, 80)


def test_data_both_ways(world: World, family: int) -> None:
    couple = Couple(world, family)
    requests = [send(couple.a, b"there"), send(couple.b, b"and back")]
    couple.run()
    assert [request.info for request in requests] == [5, 8]
    for socket, expected in ((couple.b, b"there"), (couple.a, b"and back")):
        request, memory = receive(socket, 100)
        couple.run(0)
        assert memory[: request.info] == expected


def test_a_send_completes_when_acknowledged_with_its_full_length(world: World) -> None:
    couple = Couple(world, 1)
    request = send(couple.a, bytes(10_000_000))
    couple.run(10**9)
    assert request.pending  # the receiver takes nothing: the window is full
    drain, _ = receive(couple.b, 0, WSK_FLAG_DRAIN)
    couple.run()
    assert request.info == 10_000_000
    assert drain.pending
    disconnect(couple.a)
    couple.run()
    assert drain.info == 0


def test_a_send_over_an_mdl_chain(world: World) -> None:
    couple = Couple(world, 1)
    chain = MDL(b"xxfirst ", MDL(b"second ", MDL(b"thirdyy")))
    request = Request().issue(couple.a.Dispatch.WskSend, couple.a, WSK_BUF(chain, 2, 18), 0)
    couple.run()
    assert request.info == 18
    got, memory = receive(couple.b, 50)
    couple.run(0)
    assert memory[: got.info] == b"first second third"


@pytest.mark.parametrize(
    "buffer",
    [
        None,
        WSK_BUF(None, 0, 1),
        WSK_BUF(MDL(b"abc"), 0, 4),
        WSK_BUF(MDL(b"abc"), 4, 1),
        WSK_BUF(MDL(b"abc"), 3, 1),
        WSK_BUF(MDL(b"abc"), -1, 1),
        WSK_BUF(MDL(b"abc"), 0, -1),
    ],
)
def test_buffers_that_describe_nothing(world: World, buffer: WSK_BUF | None) -> None:
    couple = Couple(world, 1)
    request = Request().issue(couple.a.Dispatch.WskSend, couple.a, buffer, 0)
    assert request.status == "STATUS_INVALID_PARAMETER"


def test_a_ring_of_empty_mdls(world: World) -> None:
    couple = Couple(world, 1)
    ring = MDL(b"")
    ring.Next = MDL(b"", ring)
    request = Request().issue(couple.a.Dispatch.WskSend, couple.a, WSK_BUF(ring, 0, 1), 0)
    assert request.status == "STATUS_INVALID_PARAMETER"


def test_receiving_needs_writable_memory(world: World) -> None:
    couple = Couple(world, 1)
    request = Request().issue(couple.a.Dispatch.WskReceive, couple.a, wsk_buf(b"const"), 0)
    assert request.status == "STATUS_INVALID_PARAMETER"


def test_receive_takes_what_is_there(world: World) -> None:
    """One completion with at least one octet; the rest goes to the next request."""
    couple = Couple(world, 1)
    first, one = receive(couple.b, 4)
    second, two = receive(couple.b, 100)
    send(couple.a, b"0123456789")
    couple.run()
    assert (first.info, bytes(one)) == (4, b"0123")
    assert (second.info, bytes(two[:6])) == (6, b"456789")


def test_waitall_waits_for_all(world: World) -> None:
    couple = Couple(world, 1)
    request, memory = receive(couple.b, 10, WSK_FLAG_WAITALL)
    send(couple.a, b"01234")
    couple.run()
    assert request.pending
    send(couple.a, b"56789")
    couple.run()
    assert (request.info, bytes(memory)) == (10, b"0123456789")


def test_waitall_ends_with_the_peers_direction(world: World) -> None:
    couple = Couple(world, 1)
    request, memory = receive(couple.b, 10, WSK_FLAG_WAITALL)
    disconnect(couple.a, b"0123")
    couple.run()
    assert (request.info, bytes(memory[:4])) == (4, b"0123")


def test_an_empty_receive_completes_at_once(world: World) -> None:
    couple = Couple(world, 1)
    send(couple.a, b"data")
    couple.run()
    request, _ = receive(couple.b, 0)
    assert request.info == 0
    later, memory = receive(couple.b, 10)
    couple.run(0)
    assert memory[: later.info] == b"data"


def test_drain_wants_no_buffer(world: World) -> None:
    couple = Couple(world, 1)
    request, _ = receive(couple.b, 10, WSK_FLAG_DRAIN)
    assert request.status == "STATUS_INVALID_PARAMETER"
    request, _ = receive(couple.b, 10, 0x40)
    assert request.status == "STATUS_NOT_SUPPORTED"


def test_zero_information_means_the_peer_has_closed(world: World, family: int) -> None:
    couple = Couple(world, family)
    waiting, _ = receive(couple.b, 10)
    disconnect(couple.a)
    couple.run()
    assert waiting.info == 0
    again, _ = receive(couple.b, 10)
    assert again.info == 0
    # Half-closed: the other direction goes on.
    send(couple.b, b"still")
    couple.run()
    got, memory = receive(couple.a, 10)
    couple.run(0)
    assert memory[: got.info] == b"still"


def test_graceful_disconnect_with_data(world: World) -> None:
    couple = Couple(world, 1)
    request = disconnect(couple.a, b"last words")
    couple.run()
    assert request.status == "STATUS_SUCCESS"
    got, memory = receive(couple.b, 100)
    couple.run(0)
    assert memory[: got.info] == b"last words"
    assert send(couple.a, b"x").status == "STATUS_INVALID_DEVICE_STATE"
    assert disconnect(couple.a).status == "STATUS_INVALID_DEVICE_STATE"


def test_abortive_disconnect(world: World, family: int) -> None:
    couple = Couple(world, family)
    stuck = send(couple.a, bytes(10_000_000))
    couple.run()
    reading, _ = receive(couple.a, 10)
    request = disconnect(couple.a, flags=WSK_FLAG_ABORTIVE)
    couple.run()
    assert request.status == "STATUS_SUCCESS"
    assert stuck.status == "STATUS_CONNECTION_ABORTED"
    assert reading.status == "STATUS_CONNECTION_ABORTED"
    assert send(couple.b, b"x").status == "STATUS_CONNECTION_RESET"
    assert receive(couple.b, 10)[0].status == "STATUS_CONNECTION_RESET"


def test_an_abortive_disconnect_carries_no_data(world: World) -> None:
    couple = Couple(world, 1)
    refused = disconnect(couple.a, b"data", WSK_FLAG_ABORTIVE)
    assert refused.status == "STATUS_INVALID_PARAMETER"


def test_an_abort_ends_a_graceful_disconnect_that_hangs(world: World) -> None:
    couple = Couple(world, 1)
    send(couple.a, bytes(10_000_000))
    graceful = disconnect(couple.a)
    couple.run()
    assert graceful.pending
    disconnect(couple.a, flags=WSK_FLAG_ABORTIVE)
    couple.run(0)
    assert graceful.status == "STATUS_CONNECTION_ABORTED"


def test_close_cancels_what_is_queued_and_aborts(world: World, family: int) -> None:
    couple = Couple(world, family)
    reading, _ = receive(couple.a, 10)
    stuck = send(couple.a, bytes(10_000_000))
    couple.run()
    closing = close(couple.a)
    assert closing.info == 0
    assert reading.status == stuck.status == "STATUS_CANCELLED"
    couple.run()
    assert send(couple.b, b"x").status == "STATUS_CONNECTION_RESET"
    assert close(couple.a).status == "STATUS_INVALID_DEVICE_STATE"


def test_a_close_after_both_directions_is_no_abort(world: World, family: int) -> None:
    couple = Couple(world, family)
    first = disconnect(couple.a)
    couple.run()
    second = disconnect(couple.b)
    couple.run()
    assert first.status == second.status == "STATUS_SUCCESS"
    close(couple.a)
    close(couple.b)
    couple.run(300 * 10**9)
    for party in (couple.near, couple.far):
        counters = party.host.stack.tcp.counters
        assert counters.out_rsts == 0
        assert party.host.stack.tcp.connections() == []


def test_connect_statuses(world: World, family: int) -> None:
    a, b = world.pair()
    near, far = Party(world, a), Party(world, b)
    _, refused = near.connecting(far.address(family, 4444))
    world.run(10**9)
    assert refused.status == "STATUS_CONNECTION_REFUSED"
    nowhere = bytes.fromhex("20010db8") + bytes(11) + b"\1"
    _, unreachable = near.connecting(SOCKADDR_IN6(80, nowhere))
    assert unreachable.status == "STATUS_NETWORK_UNREACHABLE"
    unbound = near.socket(WSK_FLAG_CONNECTION_SOCKET)
    early = Request().issue(unbound.Dispatch.WskConnect, unbound, far.address(family, 80), 0)
    assert early.status == "STATUS_INVALID_DEVICE_STATE"
    bind(unbound)
    for wrong in (SOCKADDR_IN6(0, far.address(family, 1).sin6_addr), SOCKADDR_IN6(80)):
        request = Request().issue(unbound.Dispatch.WskConnect, unbound, wrong, 0)
        assert request.status == "STATUS_INVALID_PARAMETER"


def test_a_refused_connect_may_be_tried_again(world: World, family: int) -> None:
    a, b = world.pair()
    near, far = Party(world, a), Party(world, b)
    socket, refused = near.connecting(far.address(family, 80))
    world.run(10**9)
    assert refused.status == "STATUS_CONNECTION_REFUSED"
    accepting = accept(far.listener(80))
    again = Request().issue(socket.Dispatch.WskConnect, socket, far.address(family, 80), 0)
    world.run(10**9)
    assert again.status == accepting.status == "STATUS_SUCCESS"
    twice = Request().issue(socket.Dispatch.WskConnect, socket, far.address(family, 80), 0)
    assert twice.status == "STATUS_INVALID_DEVICE_STATE"


def test_socket_connect_in_one_call(world: World, family: int) -> None:
    a, b = world.pair()
    near, far = Party(world, a), Party(world, b)
    accepting = accept(far.listener(80))
    how = (near.npi.Client, 1, 6, SOCKADDR_IN6())
    request = Request().issue(
        near.npi.Dispatch.WskSocketConnect,
        *how,
        far.address(family, 80),
        0,
        None,
        None,
        None,
        None,
        None,
    )
    world.run(10**9)
    sent = send(request.info, b"hello", WSK_FLAG_NODELAY)
    got, memory = receive(accepting.info, 10)
    world.run(10**9)
    assert sent.info == got.info == 5
    assert memory[:5] == b"hello"


def test_a_failed_socket_connect_leaves_no_socket(world: World, family: int) -> None:
    a, b = world.pair()
    near, far = Party(world, a), Party(world, b)
    request = Request().issue(
        near.npi.Dispatch.WskSocketConnect,
        near.npi.Client,
        1,
        6,
        SOCKADDR_IN6(),
        far.address(family, 81),
        0,
        None,
        None,
        None,
        None,
        None,
    )
    world.run(10**9)
    assert request.status == "STATUS_CONNECTION_REFUSED"
    assert near.npi.Client.sockets == set()


def test_a_vanished_peer_is_a_time_out(world: World, family: int) -> None:
    silent: list[bool] = []
    wire = Impairment(drop=lambda number, frame: bool(silent))
    couple = Couple(world, family, wire=wire)
    silent.append(True)
    request = send(couple.a, b"anybody?")
    couple.run(200 * 10**9)
    assert request.status in ("STATUS_IO_TIMEOUT", "STATUS_HOST_UNREACHABLE")
