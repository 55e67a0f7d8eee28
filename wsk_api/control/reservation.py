# SPDX-License-Identifier: MIT
"""Port reservation: SIO_ACQUIRE_, SIO_RELEASE_ and SIO_ASSOCIATE_PORT_RESERVATION (wsk.md 4.6).

A socket acquires a block of ports and gets a token; a socket that is associated with the token may
bind to them, and one that binds to port 0 then gets one of them.  Others get
STATUS_ADDRESS_ALREADY_EXISTS.  What is not released is given back when the socket that acquired it
is closed; sockets that are bound stay bound.

    INET_PORT_RANGE                  USHORT StartPort (network order), USHORT NumberOfPorts
    INET_PORT_RESERVATION_INSTANCE   INET_PORT_RANGE, 4 octets of nothing, ULONG64 Token
    INET_PORT_RESERVATION_TOKEN      ULONG64 Token
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from stack.base.status import OK
from wsk_api.control.rows import Call
from wsk_api.irp import IRP
from wsk_api.ntstatus import STATUS_INVALID_PARAMETER, STATUS_NOT_FOUND, STATUS_SUCCESS, ntstatus
from wsk_api.sockets import Socket

RANGE: Final = Struct("<2sH")
INSTANCE: Final = Struct("<2sH4xQ")
TOKEN: Final = Struct("<Q")


def acquire(socket: Socket, call: Call, irp: IRP | None) -> tuple[int, int]:
    """STATUS_ADDRESS_ALREADY_EXISTS, STATUS_TOO_MANY_ADDRESSES (no room for a block)."""
    start, count = RANGE.unpack_from(memoryview(call.input))
    first = int.from_bytes(start, "big")
    provider = socket.provider
    result, first, token = provider.reserve_ports(first, count)
    if result != OK:
        return ntstatus(result), 0
    socket.at_close(lambda: provider.release_ports(token))
    view = memoryview(call.output).cast("B")
    INSTANCE.pack_into(view, 0, first.to_bytes(2, "big"), count, token)
    return STATUS_SUCCESS, INSTANCE.size


def release(socket: Socket, call: Call, irp: IRP | None) -> tuple[int, int]:
    """STATUS_NOT_FOUND: no such reservation."""
    (token,) = TOKEN.unpack_from(memoryview(call.input))
    found = socket.provider.release_ports(token)
    return STATUS_SUCCESS if found else STATUS_NOT_FOUND, 0


def associate(socket: Socket, call: Call, irp: IRP | None) -> tuple[int, int]:
    """Before bind.  A token is as good as any until bind looks at it; 0 is none."""
    (token,) = TOKEN.unpack_from(memoryview(call.input))
    if not token:
        return STATUS_INVALID_PARAMETER, 0
    if not socket.provider.has_reservation(token):
        return STATUS_NOT_FOUND, 0
    socket.claim.reservation = token
    return STATUS_SUCCESS, 0
