# SPDX-License-Identifier: MIT
"""Listening sockets: table, functions, WskAcceptEvent (wsk.md 2.6, 3.4).

Bind starts listening.  Connections go to queued WskAccept requests first, then to WskAcceptEvent
if it is enabled, and otherwise wait in the transport.

Conditional accept (SO_CONDITIONAL_ACCEPT, wsk.md 3.5): WskInspectEvent sees every SYN before it is
answered.  Rejecting resets the peer; neither SYN cookies, nor the backlog, nor Fast Open apply.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from stack.transport.options import BOTH, OPTION_RECEIVE_BUFFER, Name
from stack.transport.seam import (
    INSPECT_ACCEPT,
    INSPECT_PEND,
    INSPECT_REJECT,
    OPTION_FAST_OPEN,
    OPTION_INSPECT,
    Listener,
    ListenerSink,
    Stream,
    StreamSink,
)
from wsk_api.addresses import from_transport
from wsk_api.basic import WSK_PROVIDER_BASIC_DISPATCH
from wsk_api.connection import ConnectionSocket
from wsk_api.constants import (
    WSK_EVENT_ACCEPT,
    WSK_FLAG_AT_DISPATCH_LEVEL,
    WskInspectAccept,
    WskInspectPend,
    WskInspectReject,
)
from wsk_api.control.rows import LISTEN
from wsk_api.endpoints import EndpointSocket, WskBind, WskGetLocalAddress
from wsk_api.irp import IRP
from wsk_api.ntstatus import (
    STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER,
    STATUS_REQUEST_NOT_ACCEPTED,
    STATUS_SUCCESS,
)
from wsk_api.sockets import NOTHING_QUEUED, LastEvent
from wsk_api.stream_options import StreamOptions
from wsk_api.stream_requests import inspect_id_of
from wsk_api.types import SOCKADDR, WSK_CLIENT_CONNECTION_DISPATCH, WSK_INSPECT_ID, Ref

_EARLY: Final = 256
"""Connections of a listener with TCP_FASTOPEN that may deliver data before they are confirmed."""
_VERDICTS: Final = {
    WskInspectReject: INSPECT_REJECT,
    WskInspectAccept: INSPECT_ACCEPT,
    WskInspectPend: INSPECT_PEND,
}
_NO_EVENT: Final = 0
"""WskInspectEvent and WskAbortEvent have no bit: they cannot be disabled."""


def WskAccept(
    ListenSocket: ListenSocket,
    Flags: int,
    AcceptSocketContext: Any,
    AcceptSocketDispatch: WSK_CLIENT_CONNECTION_DISPATCH | None,
    LocalAddress: Ref[SOCKADDR] | None,
    RemoteAddress: Ref[SOCKADDR] | None,
    Irp: IRP | None,
) -> int:
    """Accept a connection; Information is the new socket.  Queued if none waits; any number
    may be queued, first come, first served.  Outputs are written at completion.

    STATUS_INVALID_DEVICE_STATE if the socket is not bound.
    """
    request = AcceptRequest(AcceptSocketContext, AcceptSocketDispatch, LocalAddress, RemoteAddress)
    return ListenSocket.engine.issue(Irp, lambda irp: ListenSocket.accept(Flags, request, irp))


def WskInspectComplete(
    ListenSocket: ListenSocket, InspectID: WSK_INSPECT_ID, Action: int, Irp: IRP | None
) -> int:
    """Decide what WskInspectEvent left pending: WskInspectAccept or WskInspectReject.

    Completes when the decision was taken note of, STATUS_SUCCESS also if the request was dropped
    meanwhile or decided before, which changes nothing any more.  STATUS_INVALID_PARAMETER (no id,
    another action), STATUS_INVALID_DEVICE_STATE (no listener with SO_CONDITIONAL_ACCEPT).
    """
    return ListenSocket.engine.issue(Irp, lambda _: ListenSocket.decide(InspectID, Action))


class WSK_PROVIDER_LISTEN_DISPATCH(WSK_PROVIDER_BASIC_DISPATCH):
    """The table of a listening socket."""

    def __init__(self) -> None:
        super().__init__()
        self.WskBind = WskBind
        self.WskAccept = WskAccept
        self.WskInspectComplete = WskInspectComplete
        self.WskGetLocalAddress = WskGetLocalAddress


DISPATCH = WSK_PROVIDER_LISTEN_DISPATCH()


class AcceptRequest:
    """What a queued WskAccept wants to know."""

    __slots__ = ("context", "dispatch", "local", "remote")

    def __init__(
        self,
        context: Any,
        dispatch: WSK_CLIENT_CONNECTION_DISPATCH | None,
        local: Ref[SOCKADDR] | None,
        remote: Ref[SOCKADDR] | None,
    ) -> None:
        self.context = context
        self.dispatch = dispatch
        self.local = local
        self.remote = remote


class ListenSocket(EndpointSocket[Listener], ListenerSink):
    """A listening socket."""

    __slots__ = ("_accepts", "_inherited", "conditional_accept", "options")

    Dispatch = DISPATCH
    category = LISTEN
    category_events = WSK_EVENT_ACCEPT

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.endpoint = None
        self._accepts: deque[tuple[IRP, AcceptRequest]] = NOTHING_QUEUED
        self.conditional_accept = False
        self._inherited = 0
        self.options = StreamOptions()  # accepted sockets inherit them

    # Requests.

    def open_endpoint(self, families: int) -> Listener | None:
        listener = self.client.transports.listener(self, families)
        if listener is not None:
            listener.attach(self)
            if self.conditional_accept:
                listener.set_option(OPTION_INSPECT, 1)
        return listener

    def accept(self, flags: int, request: AcceptRequest, irp: IRP) -> tuple[int, Any]:
        if flags:
            return STATUS_INVALID_PARAMETER, 0
        if self.endpoint is None:
            return STATUS_INVALID_DEVICE_STATE, 0
        stream = None if self._accepts else self.endpoint.accept()
        if stream is not None:
            return STATUS_SUCCESS, self._take(stream, request)
        if self._accepts is NOTHING_QUEUED:
            self._accepts = deque()
        self._accepts.append((irp, request))
        return self.hold(irp, self._withdraw)

    def _withdraw(self, irp: IRP) -> bool:
        for entry in self._accepts:
            if entry[0] is irp:
                self._accepts.remove(entry)
                return True
        return False

    def _take(self, stream: Stream, request: AcceptRequest) -> ConnectionSocket:
        socket = self._socket(stream, request.context, request.dispatch)
        for out, name in (
            (request.local, stream.local_name()),
            (request.remote, stream.remote_name()),
        ):
            if out is not None and name is not None:
                out.value = self.shown(name.address, name.port, name.scope)
        return socket

    def _socket(self, stream: Stream, context: Any, dispatch: Any) -> ConnectionSocket:
        socket = self.client.category(ConnectionSocket)(
            self.client, self.family, self.socket_type, self.protocol, context, dispatch
        )
        socket.v6only = self.v6only
        socket.adopt(stream, self.options)
        return socket

    def take_over(self, other: ConnectionSocket) -> bool:
        """Listen on the name that a socket has bound.  False if it cannot be had."""
        listener = other.endpoint.listen() if other.endpoint is not None else None
        if listener is None:
            return False
        other.endpoint = None
        other.discard()
        listener.attach(self)
        self.v6only, self.sharing, self.options = other.v6only, other.sharing, other.options
        self._claim, self.settings = other.claim, other.settings
        self.endpoint = listener
        self.bound = True
        self.endpoint_bound(listener)
        return True

    def discard(self) -> None:
        """This socket was never handed out."""
        self.client.sockets.discard(self)

    # Conditional accept.

    def inspect(self, ticket: int, local: Name, remote: Name) -> int:
        """WskInspectEvent.  Whatever is no answer is a refusal."""
        answer = self.callback(
            _NO_EVENT,
            self.dispatch.WskInspectEvent,
            WskInspectReject,
            self.context,
            self.shown(local.address, local.port, local.scope),
            self.shown(remote.address, remote.port, remote.scope),
            inspect_id_of(ticket),
        )
        return _VERDICTS.get(answer, INSPECT_REJECT)

    def dropped(self, ticket: int) -> None:
        function = self.dispatch.WskAbortEvent
        self.callback(_NO_EVENT, function, STATUS_SUCCESS, self.context, inspect_id_of(ticket))

    def decide(self, which: Any, action: int) -> tuple[int, int]:
        if self.endpoint is None or not self.conditional_accept:
            return STATUS_INVALID_DEVICE_STATE, 0
        decisive = action in (WskInspectAccept, WskInspectReject)
        if not isinstance(which, WSK_INSPECT_ID) or not decisive:
            return STATUS_INVALID_PARAMETER, 0
        ticket = which.Key << 32 | which.SerialNumber
        self.endpoint.decide(ticket, action == WskInspectAccept)
        return STATUS_SUCCESS, 0

    def set_conditional_accept(self, wanted: bool) -> int:
        """SO_CONDITIONAL_ACCEPT: before bind, and not without the callbacks it lives by."""
        table = self.dispatch
        if self.bound:
            return STATUS_INVALID_DEVICE_STATE
        if wanted and (table is None or not (table.WskInspectEvent and table.WskAbortEvent)):
            return STATUS_INVALID_PARAMETER
        self.conditional_accept = wanted
        return STATUS_SUCCESS

    # Events.

    def accepted(self, stream: Stream) -> StreamSink | None:
        if self._accepts:
            irp, request = self._accepts.popleft()
            socket = self._take(stream, request)
            self.answer(irp, STATUS_SUCCESS, socket)
            return socket
        if self.enabled & WSK_EVENT_ACCEPT and self.dispatch is not None:
            return self._offer(stream)
        return None

    def _offer(self, stream: Stream) -> StreamSink | None:
        """WskAcceptEvent.  A refused socket is closed by the provider."""
        function = self.dispatch.WskAcceptEvent
        local, remote = stream.local_name(), stream.remote_name()
        if function is None or local is None or remote is None:
            return None
        socket = self._socket(stream, None, None)
        if self._inherited:
            socket.enabled |= self._inherited
            socket.watch_backlog()
        context: Ref[Any] = Ref()
        dispatch: Ref[WSK_CLIENT_CONNECTION_DISPATCH] = Ref()
        socket.out_parameters = (context, dispatch)
        status = self.callback(
            WSK_EVENT_ACCEPT,
            function,
            STATUS_REQUEST_NOT_ACCEPTED,
            self.context,
            WSK_FLAG_AT_DISPATCH_LEVEL,
            from_transport(local.address, local.port, local.scope, self.family),
            from_transport(remote.address, remote.port, remote.scope, self.family),
            socket,
            context,
            dispatch,
        )
        socket.take_out_parameters()
        socket.out_parameters = None
        if status != STATUS_SUCCESS:
            socket.discard()
        return socket

    def allowed_events(self) -> int:
        return self.category_events | ConnectionSocket.category_events

    def enable(self, mask: int) -> int:
        """Connection events enabled here are inherited through WskAcceptEvent."""
        own = mask & self.category_events
        theirs = mask & ConnectionSocket.category_events
        if mask != own | theirs or not mask:
            return STATUS_INVALID_PARAMETER
        if not self.bound:
            return STATUS_INVALID_DEVICE_STATE
        if own:
            status = super().enable(own)
            if status != STATUS_SUCCESS:
                return status
        self._inherited |= theirs
        return STATUS_SUCCESS

    def events_enabled(self, mask: int) -> None:
        if self.endpoint is not None:
            self.endpoint.resume()

    def last_events(self) -> list[LastEvent]:
        if self.dispatch is None:
            return []
        # The addresses mean nothing; the out parameters may be written all the same.
        outs: tuple[Ref[Any], Ref[Any]] = (Ref(), Ref())
        arguments = (WSK_FLAG_AT_DISPATCH_LEVEL, None, None, None, *outs)
        events: list[LastEvent] = [(WSK_EVENT_ACCEPT, self.dispatch.WskAcceptEvent, arguments)]
        if self.conditional_accept:
            events.append((0, self.dispatch.WskInspectEvent, (None, None, None)))
        return events

    # Options and closing.

    def transport_option(self, option: int, value: int, families: int = BOTH) -> int:
        status = self.options.set(option, value, None, families)
        if option in (OPTION_FAST_OPEN, OPTION_RECEIVE_BUFFER) and self.endpoint is not None:
            self.endpoint_bound(self.endpoint)
        return status

    def endpoint_bound(self, endpoint: Listener) -> None:
        wanted = self.options.get(OPTION_FAST_OPEN)[1]
        endpoint.set_option(OPTION_FAST_OPEN, _EARLY if wanted else 0)
        if self.options.has(OPTION_RECEIVE_BUFFER):
            endpoint.set_option(OPTION_RECEIVE_BUFFER, self.options.get(OPTION_RECEIVE_BUFFER)[1])

    def transport_option_value(self, option: int, families: int = BOTH) -> tuple[int, int]:
        return self.options.get(option, families, self.provider.default(option))

    def has_option(self, option: int) -> bool:
        return self.options.has(option)

    def release_transport(self) -> None:
        self._accepts.clear()
        super().release_transport()
