# SPDX-License-Identifier: MIT
"""The provider's own table: WskSocket, WskSocketConnect, WskControlClient (wsk.md 2.4, 4.1).

The name functions of the table are in `names`.  Not done: of the client controls, those other than
WSK_SET_STATIC_EVENT_CALLBACKS and WSK_TRANSPORT_LIST_QUERY answer STATUS_NOT_SUPPORTED.
"""

from __future__ import annotations

from typing import Any, Final

from wsk_api.addrinfo import ADDRINFOEXW
from wsk_api.basic import BasicSocket
from wsk_api.connection import ConnectionSocket
from wsk_api.constants import (
    MAKE_WSK_VERSION,
    NPI_WSK_INTERFACE_ID,
    WSK_EVENT_DISABLE,
    WSK_FLAG_BASIC_SOCKET,
    WSK_FLAG_CONNECTION_SOCKET,
    WSK_FLAG_DATAGRAM_SOCKET,
    WSK_FLAG_LISTEN_SOCKET,
    WSK_SET_STATIC_EVENT_CALLBACKS,
    WSK_TRANSPORT_LIST_QUERY,
)
from wsk_api.datagram import DatagramSocket
from wsk_api.irp import IRP
from wsk_api.listen import ListenSocket
from wsk_api.names import WskFreeAddressInfo, WskGetAddressInfo, WskGetNameInfo
from wsk_api.ntstatus import (
    NT_SUCCESS,
    STATUS_BUFFER_OVERFLOW,
    STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_HANDLE,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED,
    STATUS_PENDING,
    STATUS_SUCCESS,
)
from wsk_api.requests import Engine
from wsk_api.sockets import Socket
from wsk_api.transports import Transports
from wsk_api.types import (
    SOCKADDR,
    SOCKADDR_IN6,
    WSK_CLIENT_CONNECTION_DISPATCH,
    WSK_EVENT_CALLBACK_CONTROL,
    Ref,
)

VERSION: Final = MAKE_WSK_VERSION(1, 0)

_CATEGORIES: Final[dict[int, type[Socket]]] = {
    WSK_FLAG_BASIC_SOCKET: BasicSocket,
    WSK_FLAG_LISTEN_SOCKET: ListenSocket,
    WSK_FLAG_CONNECTION_SOCKET: ConnectionSocket,
    WSK_FLAG_DATAGRAM_SOCKET: DatagramSocket,
}
_ALL_EVENTS: Final = (
    ListenSocket.category_events | ConnectionSocket.category_events | DatagramSocket.category_events
)


class Client:
    """A registered client: the PWSK_CLIENT of the interface."""

    def __init__(self, engine: Engine, transports: Transports) -> None:
        self.engine = engine
        self.transports = transports
        self.sockets: set[Socket] = set()
        self.static_events = 0
        self.calls = 0  # requests of the provider's own table that are not complete
        self.had_socket = False
        self.address_lists: set[ADDRINFOEXW] = set()  # given out and not freed


def WskSocket(
    Client: Client | None,
    AddressFamily: int,
    SocketType: int,
    Protocol: int,
    Flags: int,
    SocketContext: Any,
    Dispatch: Any,
    OwningProcess: Any,
    OwningThread: Any,
    SecurityDescriptor: Any,
    Irp: IRP | None,
) -> int:
    """Create a socket; Information is the WSK_SOCKET.

    STATUS_INVALID_HANDLE (no client), STATUS_INVALID_PARAMETER (no IRP, not exactly one category,
    a table or context for a basic socket), STATUS_NOT_SUPPORTED (no such transport, or a stream
    socket).  Security descriptors are not done: anything but None is STATUS_NOT_SUPPORTED.
    """
    if Irp is None:
        return STATUS_INVALID_PARAMETER
    if Client is None:
        return _without_client(Irp)
    client = Client
    return client.engine.issue(
        Irp,
        lambda _: _create(
            client,
            (AddressFamily, SocketType, Protocol),
            Flags,
            SocketContext,
            Dispatch,
            SecurityDescriptor,
        ),
    )


def _create(
    client: Client,
    transport: tuple[int, int, int],
    flags: int,
    context: Any,
    dispatch: Any,
    security: Any,
) -> tuple[int, Any]:
    category = _CATEGORIES.get(flags)
    if security is not None or not client.transports.known(*transport):
        return STATUS_NOT_SUPPORTED, 0
    if category is None:
        return STATUS_INVALID_PARAMETER if flags & ~0x8 else STATUS_NOT_SUPPORTED, 0
    if category is BasicSocket and (context is not None or dispatch is not None):
        return STATUS_INVALID_PARAMETER, 0
    client.had_socket = True
    return STATUS_SUCCESS, category(client, *transport, context, dispatch)


def _without_client(irp: IRP) -> int:
    """There is no engine to complete through; the IRP is completed all the same."""
    irp.IoStatus.Status = STATUS_INVALID_HANDLE
    irp.IoStatus.Information = 0
    irp.run_routine()
    return STATUS_INVALID_HANDLE


def WskSocketConnect(
    Client: Client | None,
    SocketType: int,
    Protocol: int,
    LocalAddress: SOCKADDR,
    RemoteAddress: SOCKADDR,
    Flags: int,
    SocketContext: Any,
    Dispatch: WSK_CLIENT_CONNECTION_DISPATCH | None,
    OwningProcess: Any,
    OwningThread: Any,
    SecurityDescriptor: Any,
    Irp: IRP | None,
) -> int:
    """Create, bind and connect in one; Information is the connected WSK_SOCKET.

    The family is LocalAddress's.  On failure no socket exists.  Statuses as for WskSocket,
    WskBind and WskConnect.
    """
    if Irp is None:
        return STATUS_INVALID_PARAMETER
    if Client is None:
        return _without_client(Irp)
    client = Client
    family = 23 if isinstance(LocalAddress, SOCKADDR_IN6) else 2

    def operation(irp: IRP) -> tuple[int, Any]:
        status, socket = _create(
            client,
            (family, SocketType, Protocol),
            WSK_FLAG_CONNECTION_SOCKET,
            SocketContext,
            Dispatch,
            SecurityDescriptor,
        )
        if status != STATUS_SUCCESS:
            return status, 0
        # A mapped peer asks for a socket that speaks both families.
        socket.v6only = False
        return _bind_and_connect(client, socket, LocalAddress, RemoteAddress, Flags, irp)

    return client.engine.issue(Irp, operation)


def _bind_and_connect(
    client: Client,
    socket: ConnectionSocket,
    local: SOCKADDR,
    remote: SOCKADDR,
    flags: int,
    irp: IRP,
) -> tuple[int, Any]:
    engine = client.engine
    status, _ = socket.bind(local, flags)
    if status != STATUS_SUCCESS:
        socket.discard()
        return status, 0
    inner = IRP()

    def connected(_: Any, finished: IRP, __: Any) -> int:
        client.calls -= 1
        result = finished.IoStatus.Status
        if NT_SUCCESS(result):
            engine.complete(irp, STATUS_SUCCESS, socket)
        else:
            socket.discard()
            engine.complete(irp, result)
        return STATUS_SUCCESS

    inner.set_routine(connected, None, (True, True, True))
    inner.queued = True
    inner.executor = engine.executor
    client.calls += 1
    status, _ = socket.connect(remote, flags, inner)
    if status != STATUS_PENDING:
        client.calls -= 1
        inner.queued = False
        socket.discard()
        return status, 0
    irp.set_cancel(lambda _: inner.run_cancel())
    return STATUS_PENDING, 0


def WskControlClient(
    Client: Client | None,
    ControlCode: int,
    InputSize: int,
    InputBuffer: Any,
    OutputSize: int,
    OutputBuffer: Any,
    OutputSizeReturned: Ref[int] | None,
    Irp: IRP | None,
) -> int:
    """Control a client.

    WSK_SET_STATIC_EVENT_CALLBACKS (input WSK_EVENT_CALLBACK_CONTROL, before the first socket):
    the events of every socket made afterwards.  WSK_TRANSPORT_LIST_QUERY (output: a list that
    receives WSK_TRANSPORTs; sizes count entries): STATUS_BUFFER_OVERFLOW if it is too small.
    """
    if Client is None:
        return STATUS_INVALID_HANDLE if Irp is None else _without_client(Irp)
    client = Client

    def operation() -> int:
        if ControlCode == WSK_SET_STATIC_EVENT_CALLBACKS:
            return _set_static(client, InputBuffer)
        if ControlCode == WSK_TRANSPORT_LIST_QUERY:
            return _list_transports(client, OutputSize, OutputBuffer, OutputSizeReturned)
        return STATUS_NOT_SUPPORTED

    if Irp is None:
        return client.engine.call(operation)
    if ControlCode in (WSK_SET_STATIC_EVENT_CALLBACKS, WSK_TRANSPORT_LIST_QUERY):
        # Both must be called without an IRP (wsk.md 4.1).
        return client.engine.issue(Irp, lambda _: (STATUS_INVALID_PARAMETER, 0))
    return client.engine.issue(Irp, lambda _: (operation(), 0))


def _set_static(client: Client, control: Any) -> int:
    if not isinstance(control, WSK_EVENT_CALLBACK_CONTROL):
        return STATUS_INVALID_PARAMETER
    mask = control.EventMask
    if control.NpiId != NPI_WSK_INTERFACE_ID:
        return STATUS_NOT_SUPPORTED
    if mask == 0 or mask & (WSK_EVENT_DISABLE | ~_ALL_EVENTS):
        return STATUS_INVALID_PARAMETER
    if client.had_socket:
        return STATUS_INVALID_DEVICE_STATE
    client.static_events = mask
    return STATUS_SUCCESS


def _list_transports(client: Client, room: int, output: Any, returned: Ref[int] | None) -> int:
    found = client.transports.list()
    if returned is None:
        return STATUS_INVALID_PARAMETER
    returned.value = len(found)
    if room < len(found) or not isinstance(output, list):
        return STATUS_BUFFER_OVERFLOW
    output[:] = found
    return STATUS_SUCCESS


class WSK_PROVIDER_DISPATCH:
    """The provider's table, handed out by WskCaptureProviderNPI."""

    def __init__(self) -> None:
        self.Version = VERSION
        self.Reserved = 0
        self.WskSocket = WskSocket
        self.WskSocketConnect = WskSocketConnect
        self.WskControlClient = WskControlClient
        self.WskGetAddressInfo = WskGetAddressInfo
        self.WskFreeAddressInfo = WskFreeAddressInfo
        self.WskGetNameInfo = WskGetNameInfo


DISPATCH: Final = WSK_PROVIDER_DISPATCH()
