# SPDX-License-Identifier: MIT
"""The WSK echo sample on TCP port 40007 (0x9C47), after its public description.

One listening socket, AF_INET6 with IPV6_V6ONLY cleared, on the wildcard; accept is a *static*
event.  One worker thread makes every WSK call that is not in the accept event's own scope:
callbacks and completion routines only push work to it, which is how a kernel module keeps to
"no WSK calls in completion routines".

Data comes in either of WSK's two styles:

    events     WskReceiveEvent keeps what arrives (STATUS_PENDING); the worker sends those very
               buffers back and releases them
    requests   two operations per connection, each with its own IRP and 2048-octet buffer, go
               round: receive, send, receive, ...
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, Final

from tools.services.client import Client, hear, then
from wsk_api import (
    IRP,
    MDL,
    NT_SUCCESS,
    SOCKADDR,
    STATUS_PENDING,
    STATUS_REQUEST_NOT_ACCEPTED,
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
    IoReuseIrp,
    Ref,
    Subsystem,
    wsk_buf,
)

PORT: Final = 40007
_BUFFER: Final = 2048
_OPERATIONS: Final = 2

Work = Callable[[], None]


class Worker:
    """One thread that does work items in order."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="wskecho", daemon=True)
        self._thread.start()

    def push(self, work: Work) -> None:
        """Any thread; never blocks."""
        self._queue.put(work)

    def stop(self) -> None:
        """Finish what is queued, then end."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            work()


class SocketContext:
    """An accepted connection.  Its methods run on the worker."""

    def __init__(self, server: EchoServer, socket: WSK_SOCKET) -> None:
        self.server = server
        self.socket = socket
        self.disconnecting = False
        self.closing = False
        self.peer_done = False

    def push(self, work: Work) -> None:
        """Hand work to the worker; what comes after close has begun is dropped there."""
        self.server.worker.push(work)

    def disconnect(self) -> None:
        """The peer has finished and everything was echoed: finish too, then close."""
        if self.disconnecting or self.closing:
            return
        self.disconnecting = True
        irp = then(lambda _: self.push(self.close))
        self.socket.Dispatch.WskDisconnect(self.socket, None, 0, irp)

    def close(self) -> None:
        """Close; its completion promises that nothing else of this socket is outstanding."""
        if self.closing:
            return
        self.closing = True
        irp = then(lambda _: self.push(self._free))
        self.socket.Dispatch.WskCloseSocket(self.socket, irp)

    def _free(self) -> None:
        self.server.contexts.discard(self)


class RequestOperation:
    """One of the two operations of the request style: a buffer and an IRP that go round."""

    def __init__(self, context: SocketContext) -> None:
        self._context = context
        self._memory = bytearray(_BUFFER)
        self._irp = IoAllocateIrp(1, False)
        self._sending = False

    def receive(self) -> None:
        """RECEIVE."""
        if self._context.closing or self._context.disconnecting:
            return
        self._sending = False
        IoReuseIrp(self._irp)
        hear(self._irp, self._completed)
        socket = self._context.socket
        socket.Dispatch.WskReceive(socket, wsk_buf(self._memory), 0, self._irp)

    def _send(self, count: int) -> None:
        """SEND exactly what came."""
        if self._context.closing:
            return
        self._sending = True
        IoReuseIrp(self._irp)
        hear(self._irp, self._completed)
        socket = self._context.socket
        buffer = WSK_BUF(MDL(self._memory), 0, count)
        socket.Dispatch.WskSend(socket, buffer, 0, self._irp)

    def _completed(self, irp: IRP) -> None:
        status, count = irp.IoStatus.Status, irp.IoStatus.Information
        self._context.push(lambda: self._next(status, count))

    def _next(self, status: int, count: int) -> None:
        if not NT_SUCCESS(status):
            self._context.close()
        elif self._sending:
            self.receive()
        elif count == 0:
            self._context.disconnect()
        else:
            self._send(count)


class EventOperation:
    """The event style: what was indicated goes back, then is released."""

    def __init__(self, context: SocketContext) -> None:
        self.context = context
        self._outstanding = 0

    def echo(self, indication: WSK_DATA_INDICATION) -> None:
        """Send every buffer of the list; the last completion releases the list."""
        context = self.context
        if context.closing:
            return
        node: WSK_DATA_INDICATION | None = indication
        while node is not None:
            self._outstanding += 1
            irp = then(self._completion(None if node.Next else indication))
            context.socket.Dispatch.WskSend(context.socket, node.Buffer, 0, irp)
            node = node.Next

    def _completion(self, release: WSK_DATA_INDICATION | None) -> Callable[[IRP], None]:
        def sent(irp: IRP) -> None:
            status = irp.IoStatus.Status
            self.context.push(lambda: self._after(status, release))

        return sent

    def _after(self, status: int, release: WSK_DATA_INDICATION | None) -> None:
        self._outstanding -= 1
        context = self.context
        if release is not None and not context.closing:
            context.socket.Dispatch.WskRelease(context.socket, release)
        if not NT_SUCCESS(status):
            context.close()
        elif context.peer_done and not self._outstanding:
            context.disconnect()

    def peer_finished(self) -> None:
        """FIN: when everything has gone back, finish."""
        self.context.peer_done = True
        if not self._outstanding:
            self.context.disconnect()


class EchoServer:
    """The sample.  `style` is "events" or "requests"."""

    def __init__(self, subsystem: Subsystem, port: int = PORT, style: str = "events") -> None:
        self.worker = Worker()
        self.contexts: set[SocketContext] = set()
        self._style = style
        self._stopping = False
        static = WSK_EVENT_ACCEPT
        if style == "events":
            static |= WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT
        self._client = Client(subsystem, static)
        self._client.listen(port, WSK_CLIENT_LISTEN_DISPATCH(self._accept_event), self)

    def stop(self) -> None:
        """Close the connections and the listener, and end the worker."""
        self._stopping = True
        for context in list(self.contexts):
            self.worker.push(context.close)
        self._client.close()
        self.worker.stop()

    def _accept_event(
        self,
        SocketContext_: Any,
        Flags: int,
        LocalAddress: SOCKADDR,
        RemoteAddress: SOCKADDR,
        AcceptSocket: WSK_SOCKET | None,
        AcceptSocketContext: Ref[Any],
        AcceptSocketDispatch: Ref[Any],
    ) -> int:
        if AcceptSocket is None or self._stopping:
            return STATUS_REQUEST_NOT_ACCEPTED
        context = SocketContext(self, AcceptSocket)
        self.contexts.add(context)
        if self._style == "events":
            AcceptSocketContext.value = EventOperation(context)
            AcceptSocketDispatch.value = _EVENTS
        else:
            for _ in range(_OPERATIONS):
                self.worker.push(RequestOperation(context).receive)
        return STATUS_SUCCESS


def _receive_event(
    SocketContext: EventOperation,
    Flags: int,
    DataIndication: WSK_DATA_INDICATION | None,
    BytesIndicated: int,
    BytesAccepted: Ref[int],
) -> int:
    if DataIndication is None:
        return STATUS_SUCCESS
    SocketContext.context.push(lambda: SocketContext.echo(DataIndication))
    return STATUS_PENDING


def _disconnect_event(SocketContext: EventOperation, Flags: int) -> int:
    context = SocketContext.context
    aborted = Flags & WSK_FLAG_ABORTIVE
    context.push(context.close if aborted else SocketContext.peer_finished)
    return STATUS_SUCCESS


_EVENTS: Final = WSK_CLIENT_CONNECTION_DISPATCH(_receive_event, _disconnect_event)
