# SPDX-License-Identifier: MIT
"""Stream sockets: a socket that decides after bind what it will be (wsk.md 2.2, 2.3, 2.7).

WskListen makes it a listening socket, WskConnect or WskConnectEx a connection-oriented one; from
then on the functions of the other role answer STATUS_INVALID_DEVICE_STATE.  A connect that is
refused at once (an address that is none, no route) decides nothing; one that fails later does.

There is nothing here of either role: a stream socket *has* a connection-oriented socket, which it
gives up for a listening one in WskListen, and hands every call on.  Options set before go along.

Events can be enabled once the role is decided.  The table has no WskInspectComplete, so that there
is no conditional accept either: SO_CONDITIONAL_ACCEPT is STATUS_INVALID_DEVICE_REQUEST.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wsk_api import basic
from wsk_api.connection import ConnectionSocket
from wsk_api.endpoints import EndpointSocket
from wsk_api.irp import IRP
from wsk_api.listen import AcceptRequest, ListenSocket
from wsk_api.ntstatus import STATUS_INVALID_DEVICE_STATE, STATUS_PENDING, STATUS_SUCCESS
from wsk_api.requests import Engine
from wsk_api.types import (
    SOCKADDR,
    WSK_BUF,
    WSK_CLIENT_CONNECTION_DISPATCH,
    WSK_CLIENT_STREAM_DISPATCH,
    WSK_DATA_INDICATION,
    WSK_SOCKET,
    Ref,
)

_Result = tuple[int, Any]


def WskControlSocket(
    Socket: StreamSocket,
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
    """Set or get an option, or issue an IOCTL: those of a connection-oriented socket, once
    WskListen is through those of a listening one."""
    what = (RequestType, ControlCode, Level, InputSize, InputBuffer)
    outputs = (OutputSize, OutputBuffer, OutputSizeReturned)
    return basic.WskControlSocket(Socket.part, *what, *outputs, Irp)


def WskCloseSocket(Socket: StreamSocket, Irp: IRP | None) -> int:
    """Close a socket, as its role demands."""
    return Socket.engine.issue(Irp, lambda irp: Socket.part.close(irp))


def WskBind(Socket: StreamSocket, LocalAddress: SOCKADDR, Flags: int, Irp: IRP | None) -> int:
    """Bind to a local address.  Listens not yet.  Statuses as for a connection-oriented socket."""
    address = Socket.engine.kept(LocalAddress)
    return Socket.engine.issue(Irp, lambda _: Socket.part.bind(address, Flags))


def WskAccept(
    Socket: StreamSocket,
    Flags: int,
    AcceptSocketContext: Any,
    AcceptSocketDispatch: WSK_CLIENT_CONNECTION_DISPATCH | None,
    LocalAddress: Ref[SOCKADDR] | None,
    RemoteAddress: Ref[SOCKADDR] | None,
    Irp: IRP | None,
) -> int:
    """Accept a connection; Information is the new connection-oriented socket.

    STATUS_INVALID_DEVICE_STATE before WskListen.
    """
    request = AcceptRequest(AcceptSocketContext, AcceptSocketDispatch, LocalAddress, RemoteAddress)
    return Socket.listening(Irp, lambda part, irp: part.accept(Flags, request, irp))


def WskConnect(Socket: StreamSocket, RemoteAddress: SOCKADDR, Flags: int, Irp: IRP | None) -> int:
    """Open a connection.  STATUS_INVALID_DEVICE_STATE after WskListen."""
    address = Socket.engine.kept(RemoteAddress)
    return Socket.connecting(Irp, lambda part, irp: part.connect(address, Flags, irp))


def WskListen(Socket: StreamSocket, Irp: IRP | None) -> int:
    """Start to listen; completes when that is done, with Information 0.

    STATUS_INVALID_DEVICE_STATE unless bound and undecided.
    """
    return Socket.engine.issue(Irp, lambda _: Socket.listen())


def WskSend(Socket: StreamSocket, Buffer: WSK_BUF | None, Flags: int, Irp: IRP | None) -> int:
    """Send.  STATUS_INVALID_DEVICE_STATE unless connected."""
    return Socket.connection(Irp, lambda part, irp: part.send(Buffer, Flags, irp))


def WskReceive(Socket: StreamSocket, Buffer: WSK_BUF | None, Flags: int, Irp: IRP | None) -> int:
    """Receive.  STATUS_INVALID_DEVICE_STATE unless connected."""
    return Socket.connection(Irp, lambda part, irp: part.receive(Buffer, Flags, irp))


def WskDisconnect(Socket: StreamSocket, Buffer: WSK_BUF | None, Flags: int, Irp: IRP | None) -> int:
    """Close our direction, or abort.  STATUS_INVALID_DEVICE_STATE unless connected."""
    return Socket.connection(Irp, lambda part, irp: part.disconnect(Buffer, Flags, irp))


def WskRelease(Socket: StreamSocket, DataIndication: WSK_DATA_INDICATION | None) -> int:
    """Give back a list that WskReceiveEvent retained, by its head.

    STATUS_INVALID_PARAMETER if it is not retained, STATUS_INVALID_DEVICE_STATE on a listener.
    """
    part = Socket.part
    if isinstance(part, ConnectionSocket):
        return part.release(DataIndication)
    return STATUS_INVALID_DEVICE_STATE


def WskGetLocalAddress(
    Socket: StreamSocket, LocalAddress: Ref[SOCKADDR] | None, Irp: IRP | None
) -> int:
    """The local address.  STATUS_INVALID_DEVICE_STATE before bind."""
    return Socket.engine.issue(Irp, lambda _: Socket.part.local_address(LocalAddress))


def WskGetRemoteAddress(
    Socket: StreamSocket, RemoteAddress: Ref[SOCKADDR] | None, Irp: IRP | None
) -> int:
    """The peer's address.  STATUS_INVALID_DEVICE_STATE unless connected."""
    return Socket.connection(Irp, lambda part, _: part.remote_address(RemoteAddress))


def WskConnectEx(
    Socket: StreamSocket,
    RemoteAddress: SOCKADDR,
    Buffer: WSK_BUF | None,
    Flags: int,
    Irp: IRP | None,
) -> int:
    """Open a connection and send.  STATUS_INVALID_DEVICE_STATE after WskListen."""
    ex = (Socket.engine.kept(RemoteAddress), Buffer, Flags)
    return Socket.connecting(Irp, lambda part, irp: part.connect_ex(*ex, irp))


class WSK_PROVIDER_STREAM_DISPATCH(basic.WSK_PROVIDER_BASIC_DISPATCH):
    """The table of a stream socket."""

    def __init__(self) -> None:
        self.WskControlSocket: Any = WskControlSocket
        self.WskCloseSocket: Any = WskCloseSocket
        self.WskBind = WskBind
        self.WskAccept = WskAccept
        self.WskConnect = WskConnect
        self.WskListen = WskListen
        self.WskSend = WskSend
        self.WskReceive = WskReceive
        self.WskDisconnect = WskDisconnect
        self.WskRelease = WskRelease
        self.WskGetLocalAddress = WskGetLocalAddress
        self.WskGetRemoteAddress = WskGetRemoteAddress
        self.WskConnectEx = WskConnectEx


DISPATCH = WSK_PROVIDER_STREAM_DISPATCH()


class StreamSocket(WSK_SOCKET):
    """A stream socket: its table, and the socket that does the work."""

    __slots__ = ("_decided", "_tables", "engine", "part")

    Dispatch = DISPATCH

    engine: Engine
    part: EndpointSocket[Any]
    """A connection-oriented socket until WskListen, then a listening one."""

    def __init__(
        self,
        client: Any,
        family: int,
        socket_type: int,
        protocol: int,
        context: Any,
        dispatch: WSK_CLIENT_STREAM_DISPATCH | None,
    ) -> None:
        self.engine = client.engine
        self._tables = dispatch or WSK_CLIENT_STREAM_DISPATCH()
        self._decided = False
        what = (family, socket_type, protocol)
        self.part = ConnectionSocket(client, *what, context, self._tables.Connect)

    def listen(self) -> _Result:
        """Become a listening socket."""
        old = self.part
        if self._decided or not isinstance(old, ConnectionSocket) or not old.bound:
            return STATUS_INVALID_DEVICE_STATE, 0
        what = (old.family, old.socket_type, old.protocol)
        part = ListenSocket(old.client, *what, old.context, self._tables.Listen)
        if not part.take_over(old):
            part.discard()
            return STATUS_INVALID_DEVICE_STATE, 0
        self.part = part
        self._decided = True
        return STATUS_SUCCESS, 0

    # Handing on.

    def connection(
        self, irp: IRP | None, operation: Callable[[ConnectionSocket, IRP], _Result]
    ) -> int:
        """A function of the connection role."""

        def run(held: IRP) -> _Result:
            if not isinstance(self.part, ConnectionSocket):
                return STATUS_INVALID_DEVICE_STATE, 0
            return operation(self.part, held)

        return self.engine.issue(irp, run)

    def connecting(
        self, irp: IRP | None, operation: Callable[[ConnectionSocket, IRP], _Result]
    ) -> int:
        """A function that decides for the connection role, if it gets as far as the network."""

        def run(part: ConnectionSocket, held: IRP) -> _Result:
            result = operation(part, held)
            self._decided |= result[0] in (STATUS_SUCCESS, STATUS_PENDING)
            return result

        return self.connection(irp, run)

    def listening(self, irp: IRP | None, operation: Callable[[ListenSocket, IRP], _Result]) -> int:
        """A function of the listening role."""

        def run(held: IRP) -> _Result:
            if not isinstance(self.part, ListenSocket):
                return STATUS_INVALID_DEVICE_STATE, 0
            return operation(self.part, held)

        return self.engine.issue(irp, run)
