# SPDX-License-Identifier: MIT
"""Connection-oriented sockets: requests, receive and disconnect events (wsk.md 2.7, 3.4).

WSK buffers nothing: a send completes when the peer has acknowledged it, received data stays in
the transport's frames until the client takes it, and what the client keeps stays charged to the
receive window.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from stack.base.status import ABORTED, OK, PENDING
from stack.transport.options import BOTH
from stack.transport.seam import (
    OPTION_KEEPALIVE,
    RECEIVED_CROWDED,
    RECEIVED_PUSH,
    SEND_NODELAY,
    SEND_URGENT,
    Stream,
    StreamSink,
)
from wsk_api.buffers import Filler, indication, views
from wsk_api.connection_table import DISPATCH
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
    WSK_FLAG_RELEASE_ASAP,
    WSK_FLAG_WAITALL,
)
from wsk_api.control.rows import CONNECTION
from wsk_api.endpoints import EndpointSocket
from wsk_api.irp import IRP
from wsk_api.ntstatus import (
    NT_SUCCESS,
    STATUS_BUFFER_OVERFLOW,
    STATUS_DATA_NOT_ACCEPTED,
    STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED,
    STATUS_PENDING,
    STATUS_SUCCESS,
    ntstatus,
)
from wsk_api.retained import Retained
from wsk_api.sockets import NOTHING_QUEUED, LastEvent
from wsk_api.stream_options import StreamOptions
from wsk_api.stream_requests import FirstData, ReceiveRequest, inspect_id_of, never
from wsk_api.types import SOCKADDR, WSK_BUF, WSK_DATA_INDICATION, WSK_INSPECT_ID, Ref

_NOBODY: Final = object()
"""The token of data that travels with WskDisconnect: its request is the disconnect."""
_FIRST_DATA: Final = 65_535
"""Octets that WskConnectEx takes."""
_PUSH: Final = WSK_FLAG_AT_DISPATCH_LEVEL | WSK_FLAG_ENTIRE_MESSAGE
_SHOWN: Final = {
    0: WSK_FLAG_AT_DISPATCH_LEVEL,
    RECEIVED_PUSH: _PUSH,
    RECEIVED_CROWDED: WSK_FLAG_AT_DISPATCH_LEVEL | WSK_FLAG_RELEASE_ASAP,
    RECEIVED_PUSH | RECEIVED_CROWDED: _PUSH | WSK_FLAG_RELEASE_ASAP,
}
"""Flags of WskReceiveEvent for those of `StreamSink.received`."""


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
        "inspect_id",
        "options",
        "out_parameters",
    )

    Dispatch = DISPATCH
    category = CONNECTION
    category_events = WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT | WSK_EVENT_SEND_BACKLOG

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.endpoint = None
        self._connected = False
        self._finished = False  # the peer's FIN was told
        self._ended = 0  # NTSTATUS of a connection that is gone
        self._suspended = False  # no receive indications until a WskReceive completes
        self.options = StreamOptions()
        self._receives: deque[ReceiveRequest] = NOTHING_QUEUED
        self._retained = Retained(self.engine)
        self.inspect_id: WSK_INSPECT_ID | None = None  # for SIO_WSK_QUERY_INSPECT_ID
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
        ticket = stream.ticket()
        self.inspect_id = inspect_id_of(ticket) if ticket else None
        if self.enabled & WSK_EVENT_SEND_BACKLOG:
            self.watch_backlog()

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
        irp.token = _NOBODY
        status = ntstatus(stream.connect(target.address, target.port, target.scope, irp))
        if status != STATUS_PENDING:
            return status, 0
        return self.hold(irp, stream.cancel)

    def connect_ex(
        self, address: SOCKADDR, buffer: WSK_BUF | None, flags: int, irp: IRP
    ) -> tuple[int, int]:
        pieces = [] if buffer is None else views(buffer)
        if flags or pieces is None:
            return STATUS_INVALID_PARAMETER, 0
        if buffer is not None and buffer.Length > _FIRST_DATA:
            return STATUS_BUFFER_OVERFLOW, 0
        result = self.connect(address, 0, irp)
        stream = self.endpoint
        if result[0] != STATUS_PENDING or buffer is None or not pieces or stream is None:
            return result
        # In the turn of the connect, which is what lets the data travel with the SYN.
        irp.token = data = FirstData(irp)
        stream.send(pieces, buffer.Length, 0, data)
        return self.hold(irp, data.abandoning(stream.cancel))

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
        status = stream.send(pieces, buffer.Length, how, irp)
        if status != PENDING:
            return ntstatus(status), 0
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
        # What travels with it is borrowed until it completes: then it cannot be given up.
        return self.hold(irp, never if pieces else stream.cancel)

    def done(self, token: object, status: int, count: int) -> None:
        if isinstance(token, IRP):
            if token.token is not None and self._opened(token, status):
                return
            if status == OK:
                self.answer(token, STATUS_SUCCESS, count)
            else:
                self.answer(token, ntstatus(status))
        elif isinstance(token, FirstData) and self._connected and token.irp is not None:
            # While not connected the answer is that of the connect, which is still to come.
            self.answer(token.irp, ntstatus(status))

    def _opened(self, irp: IRP, status: int) -> bool:
        """The answer to a connect.  True if its request goes on, until its data is through."""
        data, irp.token = irp.token, None
        if status == OK:
            self._connected = True
            self.watch_backlog()
            if self.static & WSK_EVENT_RECEIVE and self.endpoint is not None:
                self.endpoint.resume()
        if not isinstance(data, FirstData):
            return False
        if status == OK:
            self.pending[irp] = never
            return True
        data.irp = None
        return False

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
        if self._receives is NOTHING_QUEUED:
            self._receives = deque()
        self._receives.append(ReceiveRequest(irp, Filler(pieces, buffer.Length), flags))
        self.hold(irp, self._withdraw_receive)
        stream.resume()
        return STATUS_PENDING, 0

    def _withdraw_receive(self, irp: IRP) -> bool:
        for request in self._receives:
            if request.irp is irp:
                self._receives.remove(request)
                if not request.filler.filled:
                    return True
                # WSK_FLAG_WAITALL: what it has taken must not be lost.
                self.answer(irp, STATUS_SUCCESS, request.filler.filled)
                return False
        return False

    def _resume(self) -> None:
        self._suspended = False
        if self.endpoint is not None:
            self.endpoint.resume()

    def received(self, arrived: list[memoryview], count: int, flags: int) -> int:
        """Queued requests first, then the event; what nobody takes stays in the transport."""
        taken = 0
        if self._receives:
            taken, arrived = self._fill(arrived, count)
            if taken and self.endpoint is not None:
                self.endpoint.grant(taken)
        if taken == count or self._suspended or not self.enabled & WSK_EVENT_RECEIVE:
            return taken
        if self.out_parameters is not None:
            self.take_out_parameters()
        if self.dispatch is None or self.dispatch.WskReceiveEvent is None:
            return taken
        return taken + self._indicate(arrived, count - taken, flags)

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

    def _indicate(self, rest: list[memoryview], count: int, flags: int) -> int:
        """WskReceiveEvent with its four answers (wsk.md 3.4)."""
        head = indication(rest)
        accepted: Ref[int] = Ref(count)
        # Retained before the call: the client may release inside of it.
        self._retained.keep(head, count)
        status = self.callback(
            WSK_EVENT_RECEIVE,
            self.dispatch.WskReceiveEvent,
            STATUS_DATA_NOT_ACCEPTED,
            self.context,
            _SHOWN[flags],
            head,
            count,
            accepted,
        )
        if status == STATUS_PENDING:
            return count
        if not self._retained.forgo(head):
            return count  # released inside: that it was not retained comes too late
        used = 0
        if NT_SUCCESS(status):
            used = min(max(accepted.value or 0, 0), count)
        if used < count:
            self._suspended = True
        self._grant(used)
        return used

    def _grant(self, count: int) -> None:
        if self.endpoint is not None:
            self.endpoint.grant(count)

    def release(self, head: WSK_DATA_INDICATION | None) -> int:
        stream = self.endpoint
        return self._retained.release(head, self._grant if stream is None else stream.grant)

    # The end.

    def finished(self) -> None:
        self._finished = True
        while self._receives:
            self._receive_done(STATUS_SUCCESS)
        self._tell_disconnect(0)

    def aborted(self, status: int) -> None:
        if not self._connected:
            return  # an attempt that failed: its request says so, and it may be made again
        result = ntstatus(status)
        local = status == ABORTED
        self._ended = self._ended or result
        while self._receives:
            self._receive_done(self._ended)
        if not local:
            self._tell_disconnect(WSK_FLAG_ABORTIVE)

    def _tell_disconnect(self, flags: int) -> None:
        if self.out_parameters is not None:
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

    # The ideal send backlog.

    def watch_backlog(self) -> None:
        """Have changes of the ideal backlog told, if anybody wants to hear of them."""
        if self.endpoint is not None:
            self.endpoint.watch_backlog(bool(self.enabled & WSK_EVENT_SEND_BACKLOG))

    def backlog_changed(self, ideal: int) -> None:
        self.take_out_parameters()
        if self.enabled & WSK_EVENT_SEND_BACKLOG and self.dispatch is not None:
            function = self.dispatch.WskSendBacklogEvent
            if function is not None:
                event = WSK_EVENT_SEND_BACKLOG
                self.callback(event, function, STATUS_SUCCESS, self.context, ideal)

    def ideal_send_backlog(self) -> int:
        """Octets of send data to keep outstanding (SIO_WSK_QUERY_IDEAL_SEND_BACKLOG)."""
        return 0 if self.endpoint is None else self.endpoint.ideal_backlog()

    def last_events(self) -> list[LastEvent]:
        self.take_out_parameters()
        if self.dispatch is None:
            return []
        arguments = (WSK_FLAG_AT_DISPATCH_LEVEL, None, 0, Ref(0))
        return [(WSK_EVENT_RECEIVE, self.dispatch.WskReceiveEvent, arguments)]

    # What a socket must say.

    def may_enable(self) -> bool:
        return self._connected

    def events_enabled(self, mask: int) -> None:
        if mask & WSK_EVENT_RECEIVE and self.endpoint is not None:
            self.endpoint.resume()
        if mask & WSK_EVENT_SEND_BACKLOG:
            self.watch_backlog()

    def events_disabled(self, event: int) -> None:
        if event == WSK_EVENT_SEND_BACKLOG:
            self.watch_backlog()

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
        return any(irp.token is not None for irp in self.pending)

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
        self._retained.closing()
        super().release_transport()
