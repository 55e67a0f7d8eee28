# SPDX-License-Identifier: MIT
"""Functions of every socket: WskControlSocket and WskCloseSocket (wsk.md 2.5)."""

from __future__ import annotations

from typing import Any

from wsk_api.control.dispatch import dispatch
from wsk_api.control.rows import BASIC, Call
from wsk_api.irp import IRP
from wsk_api.sockets import Socket
from wsk_api.types import Ref


def WskControlSocket(
    Socket: Socket,
    RequestType: int,
    ControlCode: int,
    Level: int,
    InputSize: int,
    InputBuffer: Any,
    OutputSize: int,
    OutputBuffer: Any,
    OutputSizeReturned: Ref[int] | None,
    Irp: IRP | None,
) -> int:
    """Set or get an option, or issue an IOCTL.

    RequestType is WskSetOption, WskGetOption or WskIoctl.  Whether an IRP is needed depends on
    the operation: see `control.tables`, and docs/wsk-control.md, which shows them.
    STATUS_SUCCESS, STATUS_PENDING, STATUS_EVENT_PENDING, STATUS_INVALID_PARAMETER (size, value,
    IRP missing or not wanted), STATUS_INVALID_DEVICE_REQUEST (category),
    STATUS_INVALID_DEVICE_STATE (too late or too early), STATUS_BUFFER_TOO_SMALL,
    STATUS_BUFFER_OVERFLOW, STATUS_NOT_SUPPORTED (unknown code, or not done).
    """
    call = Call(
        RequestType,
        ControlCode,
        Level,
        InputSize,
        InputBuffer,
        OutputSize,
        OutputBuffer,
        OutputSizeReturned,
    )
    return dispatch(Socket, call, Irp)


def WskCloseSocket(Socket: Socket, Irp: IRP | None) -> int:
    """Close a socket; it must not be used afterwards.

    Queued requests complete with STATUS_CANCELLED.  A connection that is not disconnected in
    both directions is aborted.  Completes, with STATUS_SUCCESS, once no callback of the socket
    is running.  Retained indications are not released.
    """
    return Socket.engine.issue(Irp, Socket.close, closing=True)


class WSK_PROVIDER_BASIC_DISPATCH:
    """The table of a basic socket, and the beginning of every other."""

    def __init__(self) -> None:
        self.WskControlSocket = WskControlSocket
        self.WskCloseSocket = WskCloseSocket

    @property
    def Basic(self) -> WSK_PROVIDER_BASIC_DISPATCH:
        """The basic part by its name in the headers."""
        return self


DISPATCH = WSK_PROVIDER_BASIC_DISPATCH()


class BasicSocket(Socket):
    """A socket that can only be controlled and closed."""

    __slots__ = ()

    Dispatch = DISPATCH
    category = BASIC
