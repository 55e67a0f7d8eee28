# SPDX-License-Identifier: MIT
"""A TCP service: one listener, and an object per accepted connection that gets its events.

A subclass of `Connection` says what to do with data and with the peer's FIN.  Everything here
runs on the stack's thread, in event callbacks and completion routines, so nothing needs a lock.
"""

from __future__ import annotations

from typing import Any

from tools.services.client import Client, then
from wsk_api import (
    IRP,
    NT_SUCCESS,
    SOCKADDR,
    STATUS_MORE_PROCESSING_REQUIRED,
    STATUS_SUCCESS,
    WSK_BUF,
    WSK_CLIENT_CONNECTION_DISPATCH,
    WSK_CLIENT_LISTEN_DISPATCH,
    WSK_DATA_INDICATION,
    WSK_EVENT_ACCEPT,
    WSK_EVENT_DISCONNECT,
    WSK_EVENT_RECEIVE,
    WSK_FLAG_ABORTIVE,
    WSK_SOCKET,
    IoAllocateIrp,
    IoSetCompletionRoutine,
    Ref,
    Subsystem,
)


class Connection:
    """One accepted connection."""

    def __init__(self, service: TcpService, socket: WSK_SOCKET) -> None:
        self.service = service
        self.socket = socket
        self.closing = False
        self._outstanding = 0
        self._disconnecting = False
        self._peer_done = False

    # For subclasses.

    def opened(self) -> None:
        """The connection is there."""

    def received(self, indication: WSK_DATA_INDICATION, count: int, accepted: Ref[int]) -> int:
        """Data: one of the four answers of WskReceiveEvent."""
        return STATUS_SUCCESS

    def peer_finished(self) -> None:
        """The peer closed its direction."""
        self.finish()

    def sent(self) -> None:
        """A send of ours was acknowledged."""

    def send(self, buffer: WSK_BUF, release: Any = None) -> None:
        """Send, and give `release` (an indication) back when it is done."""
        self._outstanding += 1
        irp = IoAllocateIrp(1, False)
        IoSetCompletionRoutine(irp, self._acknowledged, release, True, True, True)
        self.socket.Dispatch.WskSend(self.socket, buffer, 0, irp)

    def _acknowledged(self, _: Any, irp: IRP, release: Any) -> int:
        self._outstanding -= 1
        if release is not None and not self.closing:
            self.socket.Dispatch.WskRelease(self.socket, release)
        if NT_SUCCESS(irp.IoStatus.Status):
            self.sent()
        else:
            self.close()
        return STATUS_MORE_PROCESSING_REQUIRED

    @property
    def outstanding(self) -> int:
        """Sends not yet acknowledged."""
        return self._outstanding

    def finish(self) -> None:
        """Close our direction in order, and the socket once both are closed."""
        if self._disconnecting or self.closing:
            return
        self._disconnecting = True

        def done(irp: IRP) -> None:
            self._disconnecting = False
            if self._peer_done or not NT_SUCCESS(irp.IoStatus.Status):
                self.close()

        self.socket.Dispatch.WskDisconnect(self.socket, None, 0, then(done))

    def close(self) -> None:
        """Close the socket; aborts what is not finished."""
        if not self.closing:
            self.closing = True
            irp = IoAllocateIrp(1, False)
            IoSetCompletionRoutine(irp, self._closed, None, True, True, True)
            self.socket.Dispatch.WskCloseSocket(self.socket, irp)

    # Events.

    def on_disconnect(self, flags: int) -> None:
        self._peer_done = True
        if flags & WSK_FLAG_ABORTIVE:
            self.close()
        else:
            self.peer_finished()

    def _closed(self, _: Any, irp: IRP, context: Any) -> int:
        self.service.connections.discard(self)
        return STATUS_MORE_PROCESSING_REQUIRED


class TcpService:
    """A listener on one port."""

    connection: type[Connection] = Connection

    def __init__(self, subsystem: Subsystem, port: int) -> None:
        self.connections: set[Connection] = set()
        self.events = WSK_CLIENT_CONNECTION_DISPATCH(_receive_event, _disconnect_event)
        self._client = Client(
            subsystem, WSK_EVENT_ACCEPT | WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT
        )
        self._client.listen(port, WSK_CLIENT_LISTEN_DISPATCH(_accept_event), self)

    def accept(self, socket: WSK_SOCKET) -> Connection:
        """A connection arrived."""
        connection = self.connection(self, socket)
        self.connections.add(connection)
        return connection

    def stop(self) -> None:
        """Close every connection and the listener.  From the program's thread."""
        for connection in list(self.connections):
            connection.close()
        self._client.close()


def _accept_event(
    SocketContext: TcpService,
    Flags: int,
    LocalAddress: SOCKADDR,
    RemoteAddress: SOCKADDR,
    AcceptSocket: WSK_SOCKET,
    AcceptSocketContext: Ref[Connection],
    AcceptSocketDispatch: Ref[WSK_CLIENT_CONNECTION_DISPATCH],
) -> int:
    connection = SocketContext.accept(AcceptSocket)
    AcceptSocketContext.value = connection
    AcceptSocketDispatch.value = SocketContext.events
    connection.opened()
    return STATUS_SUCCESS


def _receive_event(
    SocketContext: Connection,
    Flags: int,
    DataIndication: WSK_DATA_INDICATION | None,
    BytesIndicated: int,
    BytesAccepted: Ref[int],
) -> int:
    if DataIndication is None:
        SocketContext.close()
        return STATUS_SUCCESS
    return SocketContext.received(DataIndication, BytesIndicated, BytesAccepted)


def _disconnect_event(SocketContext: Connection, Flags: int) -> int:
    SocketContext.on_disconnect(Flags)
    return STATUS_SUCCESS
