# SPDX-License-Identifier: MIT
"""Sharing local addresses (wsk.md 2.9), security descriptors (4.1, 4.2), reserved ports (4.6)."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from stack.base.addr import V4, V6
from tests.harness import World
from tests.wsk.control_kit import get, ioctl, make, put
from tests.wsk.kit import Party, Request, bind, close, mapped
from wsk_api import (
    IPPROTO_UDP,
    SECURITY_DESCRIPTOR,
    SIO_ACQUIRE_PORT_RESERVATION,
    SIO_ASSOCIATE_PORT_RESERVATION,
    SIO_RELEASE_PORT_RESERVATION,
    SO_EXCLUSIVEADDRUSE,
    SO_REUSEADDR,
    SO_WSK_SECURITY,
    SOCK_DGRAM,
    SOCKADDR_IN6,
    SOL_SOCKET,
    ULONG,
    WSK_CACHE_SD,
    WSK_FLAG_DATAGRAM_SOCKET,
    WSK_RELEASE_SD,
    Process,
    Ref,
    status_name,
)

OK = "STATUS_SUCCESS"
INUSE = "STATUS_ADDRESS_ALREADY_EXISTS"
DENIED = "STATUS_ACCESS_DENIED"
CHECK = "check"
KINDS = ("default W", "default S", "reuse W", "reuse S", "exclusive W", "exclusive S")
# Rows: how the second socket binds.  Columns: how the first one is bound, in the same order.
MATRIX = {
    "default W": (INUSE, OK, INUSE, OK, INUSE, OK),
    "default S": (CHECK, INUSE, CHECK, DENIED, DENIED, INUSE),
    "reuse W": (DENIED, OK, OK, OK, DENIED, OK),
    "reuse S": (CHECK, DENIED, OK, OK, DENIED, DENIED),
    "exclusive W": (INUSE, INUSE, INUSE, INUSE, INUSE, INUSE),
    "exclusive S": (CHECK, INUSE, CHECK, INUSE, DENIED, INUSE),
}
SWITCHES = {"reuse": SO_REUSEADDR, "exclusive": SO_EXCLUSIVEADDRUSE}
FRIEND, STRANGER = Process("friend"), Process("stranger")


@pytest.fixture
def party(world: World) -> Party:
    return Party(world, world.pair()[0])


def cached(party: Party, descriptor: Any) -> Any:
    room: Any = Ref()
    control = party.npi.Dispatch.WskControlClient
    args: Any = (party.npi.Client, WSK_CACHE_SD, 8, descriptor, 8, room, Ref(), None)
    assert status_name(control(*args)) == "STATUS_SUCCESS"
    return room.value


def release(party: Party, descriptor: Any) -> str:
    control = party.npi.Dispatch.WskControlClient
    args = (party.npi.Client, WSK_RELEASE_SD, 8, descriptor, 0, None, None, None)
    return status_name(control(*args))


def socket_of(party: Party, process: Any = None, descriptor: Any = None) -> Request:
    """A datagram socket of somebody."""
    args = (party.npi.Client, 23, SOCK_DGRAM, IPPROTO_UDP, WSK_FLAG_DATAGRAM_SOCKET)
    return Request().issue(
        party.npi.Dispatch.WskSocket, *args, None, None, process, None, descriptor
    )


def bound(party: Party, family: int, kind: str, process: Any, descriptor: Any = None) -> str:
    socket = socket_of(party, process, descriptor).info
    assert put(socket, 41, 27, ULONG(0)) == "STATUS_SUCCESS"
    how, where = kind.split()
    if how in SWITCHES:
        assert put(socket, SOL_SOCKET, SWITCHES[how], ULONG(1)) == "STATUS_SUCCESS"
    address = bytes(16)
    if where == "S":
        address = party.host.v6 if family == V6 else mapped(party.host.v4)
    return bind(socket, 5000, address).status


@pytest.mark.parametrize("allowed", [True, False], ids=["allowed", "refused"])
@pytest.mark.parametrize(("second", "first"), list(itertools.product(KINDS, KINDS)))
def test_all_combinations(
    party: Party, family: int, second: str, first: str, allowed: bool
) -> None:
    expected = MATRIX[second][KINDS.index(first)]
    if expected == CHECK:
        expected = OK if allowed else DENIED
    open_to_friends = cached(party, SECURITY_DESCRIPTOR(Allowed=[FRIEND]))
    assert bound(party, family, first, None, open_to_friends) == OK
    assert bound(party, family, second, FRIEND if allowed else STRANGER) == expected


def test_the_default_descriptor_refuses_even_its_own(party: Party) -> None:
    assert bound(party, V6, "default W", FRIEND) == OK
    assert bound(party, V6, "default S", FRIEND) == DENIED


@pytest.mark.parametrize(
    ("descriptor", "answer"),
    [
        (SECURITY_DESCRIPTOR(Owner=FRIEND), OK),
        (SECURITY_DESCRIPTOR(AccessCheck=lambda process, thread: process is FRIEND), OK),
        (SECURITY_DESCRIPTOR(AccessCheck=lambda process, thread: False), DENIED),
        (SECURITY_DESCRIPTOR(AccessCheck=lambda process, thread: 1 // 0 > 0), DENIED),
    ],
)
def test_who_decides(party: Party, descriptor: Any, answer: str) -> None:
    assert bound(party, V6, "default W", None, cached(party, descriptor)) == OK
    assert bound(party, V6, "default S", FRIEND) == answer


def test_different_specific_addresses_never_conflict(party: Party) -> None:
    assert bound(party, V4, "exclusive S", None) == OK
    assert bound(party, V6, "exclusive S", None) == OK


# Descriptors.


def test_cached_and_released(party: Party) -> None:
    plain = SECURITY_DESCRIPTOR(Allowed=[FRIEND])
    copy = cached(party, plain)
    assert copy is not plain
    assert socket_of(party, None, plain).status == "STATUS_INVALID_PARAMETER"  # not cached
    socket = socket_of(party, None, copy).info
    assert release(party, copy) == OK
    assert release(party, copy) == "STATUS_INVALID_PARAMETER"
    assert release(party, plain) == "STATUS_INVALID_PARAMETER"
    assert socket_of(party, None, copy).status == "STATUS_INVALID_PARAMETER"
    # The socket keeps what it has.
    assert bind(socket, 5000).status == OK
    assert bound(party, V6, "default S", FRIEND) == OK


def test_so_wsk_security(party: Party) -> None:
    """Replaces the earlier one before bind; get returns a cached copy to be released."""
    socket = make(party, "D")
    room: Any = Ref()
    assert get(socket, SOL_SOCKET, SO_WSK_SECURITY, 8, output=room)[0] == OK
    assert not room.value.admits(FRIEND, None)  # the default one
    assert release(party, room.value) == OK
    for descriptor in (SECURITY_DESCRIPTOR(Owner=STRANGER), SECURITY_DESCRIPTOR(Owner=FRIEND)):
        value = cached(party, descriptor)
        assert put(socket, SOL_SOCKET, SO_WSK_SECURITY, value, 8) == OK
    assert get(socket, SOL_SOCKET, SO_WSK_SECURITY, 8, output=room)[0] == OK
    assert room.value.Owner is FRIEND
    assert put(socket, SOL_SOCKET, SO_WSK_SECURITY, value, 4) == "STATUS_INVALID_PARAMETER"
    raw = SECURITY_DESCRIPTOR()
    assert put(socket, SOL_SOCKET, SO_WSK_SECURITY, raw, 8) == "STATUS_INVALID_PARAMETER"
    assert bind(socket, 5000).status == OK
    late = put(socket, SOL_SOCKET, SO_WSK_SECURITY, value, 8)
    assert late == "STATUS_INVALID_DEVICE_STATE"
    assert bound(party, V6, "default S", STRANGER) == DENIED
    assert bound(party, V6, "default S", FRIEND) == OK


@pytest.mark.parametrize(
    ("size", "given", "room_size", "room"),
    [(4, SECURITY_DESCRIPTOR(), 8, Ref()), (8, None, 8, Ref()), (8, SECURITY_DESCRIPTOR(), 8, 0)],
)
def test_malformed_caching(party: Party, size: int, given: Any, room_size: int, room: Any) -> None:
    control = party.npi.Dispatch.WskControlClient
    args = (party.npi.Client, WSK_CACHE_SD, size, given, room_size, room, None, None)
    assert status_name(control(*args)) == "STATUS_INVALID_PARAMETER"


# Reserved ports.


def acquire(socket: Any, start: int, count: int) -> tuple[str, int, bytes]:
    given = start.to_bytes(2, "big") + count.to_bytes(2, "little")
    status, octets = ioctl(socket, SIO_ACQUIRE_PORT_RESERVATION, given, 16)
    return status, int.from_bytes(octets[:2], "big"), octets[8:]


@pytest.mark.parametrize("letter", ["L", "C", "D"])
def test_reserved_ports(party: Party, letter: str) -> None:
    keeper, holder, stranger = (make(party, letter) for _ in range(3))
    status, start, token = acquire(keeper, 0, 4)
    assert (status, len(token)) == (OK, 8)
    assert start >= 1024
    assert bind(stranger, start).status == INUSE
    assert ioctl(holder, SIO_ASSOCIATE_PORT_RESERVATION, token)[0] == OK
    assert bind(holder, 0).status == OK  # one of the block
    name: Ref[SOCKADDR_IN6] = Ref()
    Request().issue(holder.Dispatch.WskGetLocalAddress, holder, name)
    assert name.value is not None
    assert name.value.sin6_port == start
    other = make(party, letter)
    assert ioctl(other, SIO_ASSOCIATE_PORT_RESERVATION, token)[0] == OK
    assert bind(other, start + 3).status == OK
    assert ioctl(keeper, SIO_RELEASE_PORT_RESERVATION, token)[0] == OK
    assert ioctl(keeper, SIO_RELEASE_PORT_RESERVATION, token)[0] == "STATUS_NOT_FOUND"
    assert bind(stranger, start + 1).status == OK


def test_reservations_end_with_their_socket(party: Party) -> None:
    keeper = make(party, "D")
    status, start, token = acquire(keeper, 7000, 10)
    assert (status, start) == (OK, 7000)
    assert acquire(make(party, "D"), 7009, 2)[0] == INUSE
    assert acquire(make(party, "D"), 0xFFFF, 2)[0] == "STATUS_INVALID_PARAMETER"
    assert acquire(make(party, "D"), 7100, 0)[0] == "STATUS_INVALID_PARAMETER"
    close(keeper)
    gone = ioctl(make(party, "D"), SIO_ASSOCIATE_PORT_RESERVATION, token)[0]
    assert gone == "STATUS_NOT_FOUND"
    none = ioctl(make(party, "D"), SIO_ASSOCIATE_PORT_RESERVATION, bytes(8))[0]
    assert none == "STATUS_INVALID_PARAMETER"
    assert bind(make(party, "D"), 7000).status == OK


def test_ephemeral_ports_keep_off_reserved_ones(world: World) -> None:
    party = Party(world, world.pair()[0])
    assert acquire(make(party, "D"), 49152, 16000)[0] == OK
    for _ in range(50):
        socket = make(party, "D")
        bind(socket)
        name: Ref[SOCKADDR_IN6] = Ref()
        Request().issue(socket.Dispatch.WskGetLocalAddress, socket, name)
        assert name.value is not None
        assert name.value.sin6_port >= 49152 + 16000
    assert acquire(make(party, "D"), 0, 16000)[0] == "STATUS_TOO_MANY_ADDRESSES"
