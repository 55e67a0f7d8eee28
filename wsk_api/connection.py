# SPDX-License-Identifier: MIT
"""Connection-oriented sockets: table, functions, receive and disconnect events (wsk.md 2.7, 3.4).

WSK buffers nothing: a send completes when the peer has acknowledged it, received data stays in
the transport's frames until the client takes it, and what the client keeps stays charged to the
receive window.
Not done: WskConnectEx; WskSendBacklogEvent is accepted and never called.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from stack.base.status import ABORTED, OK
from stack.transport.options import BOTH
from stack.transport.seam import (
    OPTION_KEEPALIVE,
    RECEIVED_PUSH,
    SEND_NODELAY,
    SEND_URGENT,
    Stream,
    StreamSink,
)
from wsk_api.basic import WSK_PROVIDER_BASIC_DISPATCH
from wsk_api.buffers import Filler, indication, views
from wsk_api.constants import (
    WSK_EVENT_DISCONNECT,
    WSK_EVENT_RECEIVE,
    WSK_EVENT_SEND_BACKLOG,
    WSK_FLAG_ABORTIVE,
    WSK_FLAG_AT_DISPATCH_LEVEL,
    WSK_FLAG_DRAIN,
    WSK_FLAG_ENTIRE_MESSAGE,
    WSK_FLAG_NODELAY,
    WSK_FLAG_OOB,
    WSK_FLAG_WAITALL,
)
from wsk_api.control.rows import CONNECTION
from wsk_api.endpoints import EndpointSocket, WskBind, WskGetLocalAddress
from wsk_api.irp import IRP
from wsk_api.ntstatus import (
    NT_SUCCESS,
    STATUS_DATA_NOT_ACCEPTED,
    STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED,
    STATUS_PENDING,
    STATUS_SUCCESS,
    ntstatus,
)
from wsk_api.stream_options import StreamOptions
from wsk_api.types import SOCKADDR, WSK_BUF, WSK_DATA_INDICATION, Ref

_NOBODY: Final = object()
"""The token of data that travels with WskDisconnect: its request is the disconnect."""


def WskConnect(
    Socket: ConnectionSocket, RemoteAddress: SOCKADDR, Flags: int, Irp: IRP | None
) -> int:
    """Open a connection.

    STATUS_SUCCESS; STATUS_INVALID_DEVICE_STATE (not bound, or connected already),
    STATUS_INVALID_PARAMETER, STATUS_CONNECTION_REFUSED, STATUS_IO_TIMEOUT,
    STATUS_NETWORK_UNREACHABLE, STATUS_HOST_UNREACHABLE, STATUS_CANCELLED.
    """
    return Socket.engine.issue(Irp, lambda irp: Socket.connect(RemoteAddress, Flags, irp))


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
    return Socket.engine.issue(Irp, lambda irp: Socket.send(Buffer, Flags, irp))


def WskReceive(
    Socket: ConnectionSocket, Buffer: WSK_BUF | None, Flags: int, Irp: IRP | None
) -> int:
    """Receive; completes with what is there, at least one octet.

    Information 0 on a buffer that is not empty means that the peer has closed its direction.
    WSK_FLAG_WAITALL waits for a full buffer; WSK_FLAG_DRAIN, with an empty buffer, discards
    everything until the connection ends.  An empty buffer without DRAIN completes at once,
    takes nothing, and resumes suspended WskReceiveEvent indications.
    """
    return Socket.engine.issue(Irp, lambda irp: Socket.receive(Buffer, Flags, irp))


def WskDisconnect(
    Socket: ConnectionSocket, Buffer: WSK_BUF | None, Flags: int, Irp: IRP | None
) -> int:
    """Close our direction: graceful after everything queued and `Buffer`, or WSK_FLAG_ABORTIVE.

    A graceful one completes when the peer has acknowledged it, which may be never; an abortive
    one, or WskCloseSocket, makes it complete.
    """
    return Socket.engine.issue(Irp, lambda irp: Socket.disconnect(Buffer, Flags, irp))


def WskRelease(Socket: ConnectionSocket, DataIndication: WSK_DATA_INDICATION | None) -> int:
    """Give back a list that WskReceiveEvent retained, by its head.

    STATUS_SUCCESS, or STATUS_INVALID_PARAMETER if it is not retained.  Any thread.
    """
    return Socket.release(DataIndication)


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


DISPATCH = WSK_PROVIDER_CONNECTION_DISPATCH()


class ReceiveRequest:
    """A queued WskReceive."""

    __slots__ = ("filler", "flags", "irp")

    def __init__(self, irp: IRP, filler: Filler, flags: int) -> None:
        self.irp = irp
        self.filler = filler
        self.flags = flags


class ConnectionSocket(EndpointSocket[Stream], StreamSink):
    """A connection-oriented socket."""

    __slots__ = (
        "_connected",
        "_disconnect_irp",
        "_ended",
        "_finished",
        "_receives",
        "_retained",
        "_suspended",
        "options",
        "out_parameters",
    )

    Dispatch = DISPATCH
    category = CONNECTION
    category_events = WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT | WSK_EVENT_SEND_BACKLOG

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._connected = False
        self._finished = False  # the peer's FIN was told
        self._ended = 0  # NTSTATUS of a connection that is gone
        self._suspended = False  # no receive indications until a WskReceive completes
        self.options = StreamOptions()
        self._receives: deque[ReceiveRequest] = deque()
        self._retained: dict[WSK_DATA_INDICATION, int] = {}
        self._disconnect_irp: IRP | None = None
        self.out_parameters: tuple[Ref[Any], Ref[Any]] | None = None

    # Becoming a connection.

    def adopt(self, stream: Stream, options: StreamOptions) -> None:
        """This socket is for an accepted connection."""
        self.endpoint = stream
        stream.attach(self)
        self.bound = True
        self._connected = True
        self.options.inherit(options, stream)

    def take_out_parameters(self) -> None:
        """Context and table that WskAcceptEvent set (also when an event comes inside of it)."""
        if self.out_parameters is not None:
            context, dispatch = self.out_parameters
            self.context = context.value
            self.dispatch = dispatch.value

    def discard(self) -> None:
        """The client refused the connection in WskAcceptEvent."""
        self.release_transport()
        self.client.sockets.discard(self)

    def open_endpoint(self, families: int) -> Stream | None:
        stream = self.client.transports.stream(self, families)
        if stream is not None:
            stream.attach(self)
        return stream

    def endpoint_bound(self, endpoint: Stream) -> None:
        self.options.hand_over(endpoint)

    def connect(self, address: SOCKADDR, flags: int, irp: IRP) -> tuple[int, int]:
        stream = self.endpoint
        if stream is None or self._connected:
            return STATUS_INVALID_DEVICE_STATE, 0
        status, target = self.target(address)
        if target is None or flags or not target.address:
            return status or STATUS_INVALID_PARAMETER, 0
        irp.token = "connect"
        status = ntstatus(stream.connect(target.address, target.port, target.scope, irp))
        if status != STATUS_PENDING:
            return status, 0
        return self.hold(irp, stream.cancel)

    def remote_address(self, out: Ref[SOCKADDR] | None) -> tuple[int, int]:
        known = self.endpoint is not None and self._connected
        return self.tell_name(self.endpoint.remote_name() if self.endpoint and known else None, out)

    # Sending.

    def send(self, buffer: WSK_BUF | None, flags: int, irp: IRP) -> tuple[int, int]:
        if flags & ~(WSK_FLAG_NODELAY | WSK_FLAG_OOB):
            return STATUS_NOT_SUPPORTED, 0
        pieces = views(buffer)
        if pieces is None or buffer is None:
            return STATUS_INVALID_PARAMETER, 0
        stream = self.endpoint
        if stream is None or not self._connected:
            return STATUS_INVALID_DEVICE_STATE, 0
        if self._ended:
            return self._ended, 0
        how = SEND_NODELAY if flags & WSK_FLAG_NODELAY else 0
        if flags & WSK_FLAG_OOB:
            how |= SEND_URGENT
        status = ntstatus(stream.send(pieces, buffer.Length, how, irp))
        if status != STATUS_PENDING:
            return status, 0
        return self.hold(irp, stream.cancel)

    def disconnect(self, buffer: WSK_BUF | None, flags: int, irp: IRP) -> tuple[int, int]:
        stream = self.endpoint
        if flags & ~WSK_FLAG_ABORTIVE:
            return STATUS_NOT_SUPPORTED, 0
        if stream is None or not self._connected:
            return STATUS_INVALID_DEVICE_STATE, 0
        if flags & WSK_FLAG_ABORTIVE:
            if buffer is not None and buffer.Length:
                return STATUS_INVALID_PARAMETER, 0
            self._ended = self._ended or ntstatus(ABORTED)
            stream.abort()
            return STATUS_SUCCESS, 0
        if self._ended:
            return self._ended, 0
        pieces = views(buffer) if buffer is not None else []
        if pieces is None or self._disconnect_irp is not None:
            return STATUS_INVALID_PARAMETER if pieces is None else STATUS_INVALID_DEVICE_STATE, 0
        if pieces and buffer is not None:
            status = ntstatus(stream.send(pieces, buffer.Length, 0, _NOBODY))
            if status != STATUS_PENDING:
                return status, 0
        status = ntstatus(stream.disconnect(irp))
        if status != STATUS_PENDING:
            return status, 0
        self._disconnect_irp = irp
        return self.hold(irp, stream.cancel)

    def done(self, token: object, status: int, count: int) -> None:
        if not isinstance(token, IRP):
            return
        result = ntstatus(status)
        if token.token == "connect":
            token.token = None
            if status == OK:
                self._connected = True
                if self.static & WSK_EVENT_RECEIVE and self.endpoint is not None:
                    self.endpoint.resume()
        self.answer(token, result, count if NT_SUCCESS(result) else 0)

    # Receiving by request.

    def receive(self, buffer: WSK_BUF | None, flags: int, irp: IRP) -> tuple[int, int]:
        if flags not in (0, WSK_FLAG_WAITALL, WSK_FLAG_DRAIN):
            return STATUS_NOT_SUPPORTED, 0
        pieces = views(buffer, writable=True)
        if pieces is None or buffer is None:
            return STATUS_INVALID_PARAMETER, 0
        if flags == WSK_FLAG_DRAIN and buffer.Length:
            return STATUS_INVALID_PARAMETER, 0
        stream = self.endpoint
        if stream is None or not self._connected:
            return STATUS_INVALID_DEVICE_STATE, 0
        if self._ended:
            return self._ended, 0
        if not buffer.Length and flags != WSK_FLAG_DRAIN:
            self._resume()
            return STATUS_SUCCESS, 0
        if self._finished:
            return STATUS_SUCCESS, 0
        self._receives.append(ReceiveRequest(irp, Filler(pieces, buffer.Length), flags))
        self.hold(irp, self._withdraw_receive)
        stream.resume()
        return STATUS_PENDING, 0

    def _withdraw_receive(self, irp: IRP) -> bool:
        for request in self._receives:
            # A request that has already taken octets completes with them instead.
            if request.irp is irp and not request.filler.filled:
                self._receives.remove(request)
                return True
        return False

    def _resume(self) -> None:
        self._suspended = False
        if self.endpoint is not None:
            self.endpoint.resume()

    def received(self, arrived: list[memoryview], count: int, flags: int) -> int:
        """Queued requests first, then the event; what nobody takes stays in the transport."""
        taken, rest = self._fill(arrived, count)
        if taken and self.endpoint is not None:
            self.endpoint.grant(taken)
        if taken == count or self._suspended or not self._listening():
            return taken
        return taken + self._indicate(rest, count - taken, flags)

    def _fill(self, arrived: list[memoryview], count: int) -> tuple[int, list[memoryview]]:
        """Copy into queued WskReceives; (octets used, views that are left)."""
        taken = 0
        while self._receives and taken < count:
            request = self._receives[0]
            if request.flags == WSK_FLAG_DRAIN:
                return count, []
            view = arrived[0]
            used = request.filler.put(view)
            taken += used
            rest = [view[used:]] if used < len(view) else []
            arrived = rest + arrived[1:]
            if not request.filler.room:
                self._receive_done(STATUS_SUCCESS)
        if self._receives and not self._receives[0].flags and self._receives[0].filler.filled:
            self._receive_done(STATUS_SUCCESS)
        return taken, arrived

    def _receive_done(self, status: int) -> None:
        request = self._receives.popleft()
        count = request.filler.filled
        self._suspended = False
        self.answer(request.irp, status, count if NT_SUCCESS(status) else 0)

    # Receiving by event.

    def _listening(self) -> bool:
        self.take_out_parameters()
        return (
            bool(self.enabled & WSK_EVENT_RECEIVE)
            and self.dispatch is not None
            and self.dispatch.WskReceiveEvent is not None
        )

    def _indicate(self, rest: list[memoryview], count: int, flags: int) -> int:
        """WskReceiveEvent with its four answers (wsk.md 3.4)."""
        stream = self.endpoint
        head = indication(rest)
        accepted: Ref[int] = Ref(count)
        # Retained before the call: the client may release inside of it.
        self._retained[head] = count
        status = self.callback(
            WSK_EVENT_RECEIVE,
            self.dispatch.WskReceiveEvent,
            STATUS_DATA_NOT_ACCEPTED,
            self.context,
            WSK_FLAG_AT_DISPATCH_LEVEL | (WSK_FLAG_ENTIRE_MESSAGE if flags & RECEIVED_PUSH else 0),
            head,
            count,
            accepted,
        )
        if status == STATUS_PENDING:
            return count
        self._retained.pop(head, None)
        used = 0
        if NT_SUCCESS(status):
            used = min(max(accepted.value or 0, 0), count)
        if used < count:
            self._suspended = True
        if used and stream is not None:
            stream.grant(used)
        return used

    def release(self, head: WSK_DATA_INDICATION | None) -> int:
        if head is None:
            return STATUS_INVALID_PARAMETER
        count = self._retained.pop(head, None)
        if count is None:
            return STATUS_INVALID_PARAMETER
        stream = self.endpoint
        if stream is not None:
            self.engine.later(lambda: stream.grant(count))
        return STATUS_SUCCESS

    # The end.

    def finished(self) -> None:
        self._finished = True
        while self._receives:
            self._receive_done(STATUS_SUCCESS)
        self._tell_disconnect(0)

    def aborted(self, status: int) -> None:
        result = ntstatus(status)
        local = status == ABORTED
        self._ended = self._ended or result
        while self._receives:
            self._receive_done(self._ended)
        if not local:
            self._tell_disconnect(WSK_FLAG_ABORTIVE)

    def _tell_disconnect(self, flags: int) -> None:
        self.take_out_parameters()
        if self.enabled & WSK_EVENT_DISCONNECT and self.dispatch is not None:
            function = self.dispatch.WskDisconnectEvent
            if function is not None:
                self.callback(
                    WSK_EVENT_DISCONNECT,
                    function,
                    STATUS_SUCCESS,
                    self.context,
                    flags | WSK_FLAG_AT_DISPATCH_LEVEL,
                )

    # What a socket must say.

    def may_enable(self) -> bool:
        return self._connected

    def events_enabled(self, mask: int) -> None:
        if mask & WSK_EVENT_RECEIVE and self.endpoint is not None:
            self.endpoint.resume()

    def transport_option(self, option: int, value: int, families: int = BOTH) -> int:
        if option == OPTION_KEEPALIVE and self.is_connecting:
            return STATUS_INVALID_PARAMETER  # not while a connect is in progress (wsk.md 4.8)
        return self.options.set(option, value, self.endpoint, families)

    def transport_option_value(self, option: int, families: int = BOTH) -> tuple[int, int]:
        return self.options.get(option, families, self.provider.default(option))

    def has_option(self, option: int) -> bool:
        return self.options.has(option)

    @property
    def is_connected(self) -> bool:
        return self._connected and not self._ended

    @property
    def is_connecting(self) -> bool:
        return any(irp.token == "connect" for irp in self.pending)

    @property
    def speaks_ipv4_to_peer(self) -> bool:
        peer = None if self.endpoint is None else self.endpoint.remote_name()
        return peer is not None and len(peer.address) == 4

    def set_congestion(self, name: str) -> int:
        if self.endpoint is None:
            return STATUS_INVALID_DEVICE_STATE
        return ntstatus(self.endpoint.set_congestion(name))

    def statistics(self) -> dict[str, Any] | None:
        return None if self.endpoint is None else self.endpoint.statistics()

    def path_mtu(self) -> int:
        return 0 if self.endpoint is None else self.endpoint.path_mtu()

    def receive_backlog(self) -> int:
        return 0 if self.endpoint is None else self.endpoint.backlog()

    def silence(self) -> int:
        if self.endpoint is None:
            return STATUS_INVALID_DEVICE_STATE
        result = self.endpoint.silence()
        if result == OK:
            self._connected = False  # only closing is left
        return ntstatus(result)

    def release_transport(self) -> None:
        self._receives.clear()
        super().release_transport()
