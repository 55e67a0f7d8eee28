# SPDX-License-Identifier: MIT
"""The table of connection-oriented sockets: names, arguments, statuses (wsk.md 2.3, 2.7).

Every function hands over to `ConnectionSocket` of `connection`, on the stack's thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsk_api.basic import WSK_PROVIDER_BASIC_DISPATCH
from wsk_api.endpoints import WskBind, WskGetLocalAddress
from wsk_api.irp import IRP
from wsk_api.types import SOCKADDR, WSK_BUF, WSK_DATA_INDICATION, Ref

if TYPE_CHECKING:
    from wsk_api.connection import ConnectionSocket


def WskConnect(
    Socket: ConnectionSocket, RemoteAddress: SOCKADDR, Flags: int, Irp: IRP | None
) -> int:
    """Open a connection.

    STATUS_SUCCESS; STATUS_INVALID_DEVICE_STATE (not bound, or connected already),
    STATUS_INVALID_PARAMETER, STATUS_CONNECTION_REFUSED, STATUS_IO_TIMEOUT,
    STATUS_NETWORK_UNREACHABLE, STATUS_HOST_UNREACHABLE, STATUS_CANCELLED.
    """
    address = Socket.engine.kept(RemoteAddress)
    return Socket.engine.issue(Irp, lambda irp: Socket.connect(address, Flags, irp))


def WskGetRemoteAddress(
    Socket: ConnectionSocket, RemoteAddress: Ref[SOCKADDR] | None, Irp: IRP | None
) -> int:
    """The peer's address.  STATUS_INVALID_DEVICE_STATE unless connected."""
    return Socket.engine.issue(Irp, lambda _: Socket.remote_address(RemoteAddress))


def WskSend(Socket: ConnectionSocket, Buffer: WSK_BUF | None, Flags: int, Irp: IRP | None) -> int:
    """Send; completes with the full length when everything was acknowledged.

    The memory is borrowed until then.  WSK_FLAG_NODELAY overrules Nagle for this and everything
    before it; WSK_FLAG_OOB marks the last octet urgent.
    STATUS_NOT_SUPPORTED (flag), STATUS_INVALID_PARAMETER (buffer), STATUS_INVALID_DEVICE_STATE
    (not connected, or after a disconnect), STATUS_CONNECTION_RESET, STATUS_CONNECTION_ABORTED,
    STATUS_IO_TIMEOUT, STATUS_CANCELLED.
    """
    return Socket.engine.transfer(Irp, Socket.send, Buffer, Flags)


def WskReceive(
    Socket: ConnectionSocket, Buffer: WSK_BUF | None, Flags: int, Irp: IRP | None
) -> int:
    """Receive; completes with what is there, at least one octet.

    Information 0 on a buffer that is not empty means that the peer has closed its direction.
    WSK_FLAG_WAITALL waits for a full buffer; WSK_FLAG_DRAIN, with an empty buffer, discards
    everything until the connection ends.  An empty buffer without DRAIN completes at once,
    takes nothing, and resumes suspended WskReceiveEvent indications.
    """
    return Socket.engine.transfer(Irp, Socket.receive, Buffer, Flags)


def WskDisconnect(
    Socket: ConnectionSocket, Buffer: WSK_BUF | None, Flags: int, Irp: IRP | None
) -> int:
    """Close our direction: graceful after everything queued and `Buffer`, or WSK_FLAG_ABORTIVE.

    A graceful one completes when the peer has acknowledged it, which may be never; an abortive
    one, or WskCloseSocket, makes it complete.
    """
    return Socket.engine.transfer(Irp, Socket.disconnect, Buffer, Flags)


def WskRelease(Socket: ConnectionSocket, DataIndication: WSK_DATA_INDICATION | None) -> int:
    """Give back a list that WskReceiveEvent retained, by its head.

    STATUS_SUCCESS, or STATUS_INVALID_PARAMETER if it is not retained.  Any thread.
    """
    return Socket.release(DataIndication)


def WskConnectEx(
    Socket: ConnectionSocket,
    RemoteAddress: SOCKADDR,
    Buffer: WSK_BUF | None,
    Flags: int,
    Irp: IRP | None,
) -> int:
    """Open a connection and send; with TCP_FASTOPEN the data may travel in the SYN.

    Completes once connected and all data is acknowledged, with Information 0 as for WskConnect.
    If the data cannot be delivered the status says why, although there was a connection.
    STATUS_BUFFER_OVERFLOW (more than 65535 octets), STATUS_INVALID_PARAMETER (flags, buffer);
    otherwise as WskConnect and WskSend.
    """
    ex = (Socket.engine.kept(RemoteAddress), Buffer, Flags)
    return Socket.engine.issue(Irp, lambda irp: Socket.connect_ex(*ex, irp))


class WSK_PROVIDER_CONNECTION_DISPATCH(WSK_PROVIDER_BASIC_DISPATCH):
    """The table of a connection-oriented socket."""

    def __init__(self) -> None:
        super().__init__()
        self.WskBind = WskBind
        self.WskConnect = WskConnect
        self.WskGetLocalAddress = WskGetLocalAddress
        self.WskGetRemoteAddress = WskGetRemoteAddress
        self.WskSend = WskSend
        self.WskReceive = WskReceive
        self.WskDisconnect = WskDisconnect
        self.WskRelease = WskRelease
        self.WskConnectEx = WskConnectEx


DISPATCH = WSK_PROVIDER_CONNECTION_DISPATCH()
