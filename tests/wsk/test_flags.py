# SPDX-License-Identifier: MIT
"""Flags of WskSend, WskReceive and WskDisconnect, and empty receives (wsk.md 2.7, 5.5)."""

from __future__ import annotations

from typing import Any

import pytest

from stack.wire.tcp import ACK, PSH, URG
from tests.harness import Peer, World
from tests.wsk.kit import Couple, Party, Request, accept, close, disconnect, receive, send
from wsk_api import (
    MDL,
    WSK_BUF,
    WSK_FLAG_ABORTIVE,
    WSK_FLAG_DRAIN,
    WSK_FLAG_NODELAY,
    WSK_FLAG_OOB,
    WSK_FLAG_WAITALL,
    IoCancelIrp,
)

# Receiving.


def test_waitall_that_is_cancelled_keeps_what_it_has(world: World, family: int) -> None:
    """Octets that were taken must not be lost: it completes with them."""
    couple = Couple(world, family)
    request, memory = receive(couple.b, 10, WSK_FLAG_WAITALL)
    send(couple.a, b"01234")
    couple.run()
    assert request.pending
    IoCancelIrp(request.irp)
    assert (request.info, bytes(memory[:5])) == (5, b"01234")
    later, memory = receive(couple.b, 10)
    send(couple.a, b"5")
    couple.run()
    assert memory[: later.info] == b"5"


def test_waitall_that_is_empty_is_simply_cancelled(world: World) -> None:
    couple = Couple(world, 1)
    request, _ = receive(couple.b, 10, WSK_FLAG_WAITALL)
    assert IoCancelIrp(request.irp)
    assert request.status == "STATUS_CANCELLED"


def test_waitall_ends_with_an_abort(world: World, family: int) -> None:
    couple = Couple(world, family)
    request, _ = receive(couple.b, 10, WSK_FLAG_WAITALL)
    send(couple.a, b"01234")
    couple.run()
    disconnect(couple.a, flags=WSK_FLAG_ABORTIVE)
    couple.run()
    assert request.ends == [("STATUS_CONNECTION_RESET", 0)]


def test_waitall_over_a_chain(world: World, family: int) -> None:
    couple = Couple(world, family)
    first, second = bytearray(4), bytearray(8)
    buffer = WSK_BUF(MDL(first, MDL(second)), 1, 9)
    request = Request().issue(couple.b.Dispatch.WskReceive, couple.b, buffer, WSK_FLAG_WAITALL)
    for part in (b"ab", b"cdef", b"ghijk"):
        send(couple.a, part)
        couple.run()
    assert request.info == 9
    assert (bytes(first), bytes(second)) == (b"\0abc", b"defghi\0\0")


def test_drain_takes_what_is_buffered_and_what_comes(world: World, family: int) -> None:
    couple = Couple(world, family)
    send(couple.a, b"buffered")
    couple.run()
    drain, _ = receive(couple.b, 0, WSK_FLAG_DRAIN)
    behind, _ = receive(couple.b, 10)
    send(couple.a, bytes(100_000))
    couple.run()
    assert drain.pending
    assert behind.pending
    assert IoCancelIrp(drain.irp)
    assert drain.status == "STATUS_CANCELLED"
    send(couple.a, b"kept")
    couple.run()
    assert behind.info == 4


@pytest.mark.parametrize(
    ("flags", "status"), [(0, "STATUS_SUCCESS"), (WSK_FLAG_ABORTIVE, "STATUS_CONNECTION_RESET")]
)
def test_drain_lasts_until_the_end(world: World, family: int, flags: int, status: str) -> None:
    couple = Couple(world, family)
    drain, _ = receive(couple.b, 0, WSK_FLAG_DRAIN)
    send(couple.a, bytes(1000))
    couple.run()
    disconnect(couple.a, flags=flags)
    couple.run()
    assert drain.ends == [(status, 0)]


@pytest.mark.parametrize("flags", [WSK_FLAG_WAITALL | WSK_FLAG_DRAIN, 0x1, 0x8, 0x10 | 0x2])
def test_receive_flags_that_are_none(world: World, flags: int) -> None:
    couple = Couple(world, 1)
    assert receive(couple.b, 10, flags)[0].status == "STATUS_NOT_SUPPORTED"


@pytest.mark.parametrize("flags", [0, WSK_FLAG_WAITALL])
def test_an_empty_receive_is_never_queued(world: World, family: int, flags: int) -> None:
    """Neither behind others, nor for want of data; it takes nothing and is no FIN."""
    couple = Couple(world, family)
    queued, memory = receive(couple.b, 10)
    assert receive(couple.b, 0, flags)[0].info == 0
    send(couple.a, b"data")
    couple.run()
    assert memory[: queued.info] == b"data"
    disconnect(couple.a, b"rest")
    couple.run()
    assert receive(couple.b, 0, flags)[0].info == 0
    last, memory = receive(couple.b, 10)
    couple.run(0)
    assert memory[: last.info] == b"rest"
    assert receive(couple.b, 0, flags)[0].info == 0


def test_an_empty_receive_of_what_is_not_connected(world: World) -> None:
    couple = Couple(world, 1)
    disconnect(couple.a, flags=WSK_FLAG_ABORTIVE)
    couple.run()
    assert receive(couple.b, 0)[0].status == "STATUS_CONNECTION_RESET"


# Sending.


def wire(world: World, family: int) -> tuple[Any, Peer, int]:
    """A connection to a peer who sees every segment; his next acknowledgment."""
    host, peer = world.host()
    peer.family = family
    accepting = accept(Party(world, host).listener(80))
    synack = peer.handshake(mss=1000)
    return accepting.info, peer, synack.seq + 1


def test_oob_marks_the_last_octet_urgent(world: World, family: int) -> None:
    socket, peer, at = wire(world, family)
    send(socket, b"normal")
    world.run(0)
    peer.sees(ACK | PSH, data=b"normal")
    peer.sends(ACK, seq=101, ack=at + 6)
    request = send(socket, b"urgent!", WSK_FLAG_OOB)
    world.run(0)
    peer.sees(ACK | PSH | URG, data=b"urgent!", up=7)
    peer.sends(ACK, seq=101, ack=at + 13)
    assert request.info == 7
    send(socket, b"normal again")
    world.run(0)
    peer.sees(ACK | PSH, data=b"normal again")


def test_nodelay_overrules_nagle_for_this_and_what_is_before(world: World, family: int) -> None:
    socket, peer, _ = wire(world, family)
    send(socket, b"1")
    world.run(0)
    peer.sees(data=b"1")
    send(socket, b"2")
    world.run(0)
    peer.sees_nothing()  # Nagle
    send(socket, b"3", WSK_FLAG_NODELAY)
    world.run(0)
    peer.sees(data=b"23")
    send(socket, b"4")
    world.run(0)
    peer.sees_nothing()  # and again


def test_both_flags_at_once(world: World, family: int) -> None:
    socket, peer, _ = wire(world, family)
    send(socket, b"1")
    send(socket, b"!", WSK_FLAG_OOB | WSK_FLAG_NODELAY)
    world.run(0)
    assert peer.sees(data=b"1!").up == 2


@pytest.mark.parametrize("flags", [0x4, 0x8, 0x10, WSK_FLAG_NODELAY | 0x4])
def test_send_flags_that_are_none(world: World, flags: int) -> None:
    couple = Couple(world, 1)
    assert send(couple.a, b"x", flags).status == "STATUS_NOT_SUPPORTED"


def test_an_empty_send_completes_in_its_turn(world: World, family: int) -> None:
    couple = Couple(world, family)
    request = Request().issue(couple.a.Dispatch.WskSend, couple.a, WSK_BUF(None, 0, 0), 0)
    couple.run(0)
    assert request.info == 0


# Disconnecting.


@pytest.mark.parametrize("flags", [0x2, 0x4, WSK_FLAG_ABORTIVE | 0x2])
def test_disconnect_flags_that_are_none(world: World, flags: int) -> None:
    couple = Couple(world, 1)
    assert disconnect(couple.a, flags=flags).status == "STATUS_NOT_SUPPORTED"


def test_a_disconnect_without_data_can_be_cancelled(world: World, family: int) -> None:
    """The FIN cannot be recalled, the wait for its acknowledgment can."""
    couple = Couple(world, family)
    send(couple.a, bytes(10_000_000))
    request = disconnect(couple.a)
    couple.run()
    assert IoCancelIrp(request.irp)
    assert request.status == "STATUS_CANCELLED"
    assert send(couple.a, b"x").status == "STATUS_INVALID_DEVICE_STATE"


def test_a_disconnect_with_data_holds_its_buffer(world: World, family: int) -> None:
    couple = Couple(world, family)
    send(couple.a, bytes(10_000_000))
    request = disconnect(couple.a, b"last words")
    couple.run()
    assert not IoCancelIrp(request.irp)
    assert request.pending
    close(couple.a)
    assert request.status == "STATUS_CANCELLED"
