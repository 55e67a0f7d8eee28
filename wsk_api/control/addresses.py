# SPDX-License-Identifier: MIT
"""SIO_ADDRESS_LIST_QUERY, _CHANGE and _SORT (wsk.md 4.6).

Sizes are those of a 64-bit machine: a SOCKET_ADDRESS_LIST is 8 octets, a SOCKET_ADDRESS 16, and
behind them the addresses.
"""

from __future__ import annotations

from typing import Final

from wsk_api.addresses import families_of
from wsk_api.constants import AF_INET
from wsk_api.control.rows import Call
from wsk_api.irp import IRP
from wsk_api.ntstatus import (
    STATUS_BUFFER_OVERFLOW,
    STATUS_INVALID_PARAMETER,
    STATUS_SUCCESS,
)
from wsk_api.sockets import Socket
from wsk_api.types import SOCKADDR, SOCKADDR_IN, SOCKET_ADDRESS_LIST

_LIST: Final = 8
_ENTRY: Final = 16
_SOCKADDR_IN: Final = 16
_SOCKADDR_IN6: Final = 28


def size_of(addresses: list[SOCKADDR]) -> int:
    """Octets that the list of `addresses` takes."""
    return _LIST + sum(
        _ENTRY + (_SOCKADDR_IN if isinstance(one, SOCKADDR_IN) else _SOCKADDR_IN6)
        for one in addresses
    )


def query(socket: Socket, call: Call, irp: IRP | None) -> tuple[int, int]:
    """The local addresses of the socket's family; STATUS_BUFFER_OVERFLOW and the size needed."""
    found = socket.provider.addresses(families_of(socket.family, True))
    return _tell(call, [socket.shown(name.address, 0, name.scope) for name in found])


def change(socket: Socket, call: Call, irp: IRP | None) -> tuple[int, int]:
    """Pends until the list of local addresses of the socket's family is another."""
    assert irp is not None

    def changed() -> None:
        stop()
        if irp in socket.pending:
            socket.answer(irp, STATUS_SUCCESS)

    def withdraw(_: IRP) -> bool:
        stop()
        return True

    stop = socket.provider.watch(families_of(socket.family, True), changed)
    return socket.hold(irp, withdraw)


def sort(socket: Socket, call: Call, irp: IRP | None) -> tuple[int, int]:
    """Destinations, best first (RFC 6724, which replaced RFC 3484)."""
    given = call.input
    if not isinstance(given, SOCKET_ADDRESS_LIST):
        return STATUS_INVALID_PARAMETER, 0
    by_address: dict[bytes, list[SOCKADDR]] = {}
    for one in given.Address:
        status, target = socket.target(one)
        if target is None or not target.address:
            return status or STATUS_INVALID_PARAMETER, 0
        by_address.setdefault(target.address, []).append(one)
    ordered = socket.provider.sort(list(by_address))
    return _tell(call, [one for address in ordered for one in by_address[address]])


def _tell(call: Call, addresses: list[SOCKADDR]) -> tuple[int, int]:
    size = size_of(addresses)
    if call.output_size < size:
        return STATUS_BUFFER_OVERFLOW, size
    if not isinstance(call.output, SOCKET_ADDRESS_LIST):
        return STATUS_INVALID_PARAMETER, 0
    call.output.Address = addresses
    return STATUS_SUCCESS, size


def sockaddr_size(family: int) -> int:
    """Octets of a SOCKADDR of `family`."""
    return _SOCKADDR_IN if family == AF_INET else _SOCKADDR_IN6
