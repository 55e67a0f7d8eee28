# SPDX-License-Identifier: MIT
"""The provider's own table: WskSocket, WskSocketConnect, WskControlClient (wsk.md 2.4, 4.1).

What WskControlClient does is in `client_control`, the name functions of the table are in `names`.
"""

from __future__ import annotations

import copy
from typing import Any, Final, TypeVar

from wsk_api import client_control, versions
from wsk_api.addrinfo import ADDRINFOEXW
from wsk_api.basic import BasicSocket
from wsk_api.connection import ConnectionSocket
from wsk_api.constants import (
    WSK_FLAG_BASIC_SOCKET,
    WSK_FLAG_CONNECTION_SOCKET,
    WSK_FLAG_DATAGRAM_SOCKET,
    WSK_FLAG_LISTEN_SOCKET,
    WSK_FLAG_STREAM_SOCKET,
    WSK_MINOR_VERSION,
)
from wsk_api.datagram import DatagramSocket
from wsk_api.irp import IRP, IoSetCompletionRoutine
from wsk_api.listen import ListenSocket
from wsk_api.names import WskFreeAddressInfo, WskGetAddressInfo, WskGetNameInfo
from wsk_api.ntstatus import (
    NT_SUCCESS,
    STATUS_CANCELLED,
    STATUS_INVALID_HANDLE,
    STATUS_INVALID_PARAMETER,
    STATUS_MORE_PROCESSING_REQUIRED,
    STATUS_NOT_SUPPORTED,
    STATUS_PENDING,
    STATUS_SUCCESS,
)
from wsk_api.requests import Engine, refuse
from wsk_api.security import CachedDescriptor
from wsk_api.sockets import Socket
from wsk_api.stream import StreamSocket
from wsk_api.transports import Transports
from wsk_api.types import (
    SOCKADDR,
    SOCKADDR_IN6,
    WSK_CLIENT_CONNECTION_DISPATCH,
    Ref,
)

VERSION: Final = versions.HIGHEST
_NEWEST: Final = WSK_MINOR_VERSION(VERSION)

S = TypeVar("S")

_CATEGORIES: Final[dict[int, type[Socket] | type[StreamSocket]]] = {
    WSK_FLAG_BASIC_SOCKET: BasicSocket,
    WSK_FLAG_LISTEN_SOCKET: ListenSocket,
    WSK_FLAG_CONNECTION_SOCKET: ConnectionSocket,
    WSK_FLAG_DATAGRAM_SOCKET: DatagramSocket,
    WSK_FLAG_STREAM_SOCKET: StreamSocket,
}


class Client:
    """A registered client: the PWSK_CLIENT of the interface."""

    def __init__(self, engine: Engine, transports: Transports, minor: int = _NEWEST) -> None:
        self.engine = engine
        self.transports = transports
        self.minor = minor  # of the provider's highest version
        self.sockets: set[Socket] = set()
        self.static_events = 0
        self.had_socket = False
        self.address_lists: set[ADDRINFOEXW] = set()  # given out and not freed
        self.lookups: set[Any] = set()  # name functions that are pending
        self.list_changes: list[IRP] = []  # they wait for ever: WskDeregister withdraws them
        self.tdi_devices: dict[tuple[int, int, int], str] = {}
        self.tdi_behavior = 0
        transports.watchers.append(self.transports_changed)

    def transports_changed(self) -> None:
        """A transport came or went."""
        client_control.transports_changed(self)

    def category(self, full: type[S]) -> type[S]:
        """A class of sockets as this client's version of the interface has it."""
        return full if self.minor == _NEWEST else versions.category(full, self.minor)

    def quiet(self) -> bool:
        """Nothing is open or outstanding that would hold up deregistration."""
        return not self.sockets and not self.engine.outstanding.difference(self.list_changes)

    def gone(self) -> bool:
        """Nothing at all is open or outstanding."""
        return not self.sockets and not self.engine.outstanding

    def heard(self) -> bool:
        """Gone, and every completion routine has returned.  Not on the stack's thread."""
        return self.gone() and self.engine.completions.idle

    def leave(self) -> None:
        """The client deregisters.  Any thread."""
        self.engine.later(self._withdraw_waiting)

    def _withdraw_waiting(self) -> None:
        client_control.transports_changed(self, STATUS_CANCELLED)


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
    a table or context for a basic socket, a descriptor that is not a cached one of this client),
    STATUS_NOT_SUPPORTED (no such transport).  OwningProcess and OwningThread
    are in whose name the socket binds where sharing is checked (wsk.md 2.9).
    """
    if Irp is None:
        return STATUS_INVALID_PARAMETER
    if Client is None:
        return refuse(Irp, STATUS_INVALID_HANDLE)
    client = Client
    return client.engine.issue(
        Irp,
        lambda _: _create(
            client,
            (AddressFamily, SocketType, Protocol),
            Flags,
            SocketContext,
            Dispatch,
            (SecurityDescriptor, OwningProcess, OwningThread),
        ),
    )


def _create(
    client: Client,
    transport: tuple[int, int, int],
    flags: int,
    context: Any,
    dispatch: Any,
    security: tuple[Any, Any, Any],
) -> tuple[int, Any]:
    category = _CATEGORIES.get(flags)
    descriptor, process, thread = security
    if client.minor != _NEWEST and not versions.has_category(flags, client.minor):
        return STATUS_NOT_SUPPORTED, 0
    if not client.transports.known(*transport):
        return STATUS_NOT_SUPPORTED, 0
    if category is None:
        return STATUS_INVALID_PARAMETER, 0
    if category is BasicSocket and (context is not None or dispatch is not None):
        return STATUS_INVALID_PARAMETER, 0
    if descriptor is not None and not (
        isinstance(descriptor, CachedDescriptor) and descriptor.usable(client)
    ):
        return STATUS_INVALID_PARAMETER, 0
    client.had_socket = True
    socket = client.category(category)(client, *transport, context, dispatch)
    claim = socket.part.claim if isinstance(socket, StreamSocket) else socket.claim
    claim.owned_by(process, thread)
    if descriptor is not None:
        claim.descriptor = descriptor
    return STATUS_SUCCESS, socket


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
        return refuse(Irp, STATUS_INVALID_HANDLE)
    client = Client
    local = client.engine.kept(LocalAddress)
    remote = client.engine.kept(RemoteAddress)
    family = 23 if isinstance(LocalAddress, SOCKADDR_IN6) else 2

    def operation(irp: IRP) -> tuple[int, Any]:
        status, socket = _create(
            client,
            (family, SocketType, Protocol),
            WSK_FLAG_CONNECTION_SOCKET,
            SocketContext,
            Dispatch,
            (SecurityDescriptor, OwningProcess, OwningThread),
        )
        if status != STATUS_SUCCESS:
            return status, 0
        # A mapped peer asks for a socket that speaks both families.
        socket.v6only = False
        return _bind_and_connect(client, socket, local, remote, Flags, irp)

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
    inner, serial = IRP(), irp.serial

    def connected(_: Any, finished: IRP, __: Any) -> int:
        result = finished.IoStatus.Status
        if not irp.queued or irp.serial != serial:
            socket.discard()  # the provider left meanwhile
        elif NT_SUCCESS(result):
            engine.complete(irp, STATUS_SUCCESS, socket)
        else:
            socket.discard()
            engine.complete(irp, result)
        return STATUS_MORE_PROCESSING_REQUIRED

    IoSetCompletionRoutine(inner, connected)
    inner.take(engine.executor)
    status, _ = socket.connect(remote, flags, inner)
    if status != STATUS_PENDING:
        inner.give_back()
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
    receives WSK_TRANSPORTs; sizes are octets): STATUS_BUFFER_OVERFLOW if it is too small.
    WSK_TRANSPORT_LIST_CHANGE pends.  WSK_CACHE_SD (input a SECURITY_DESCRIPTOR, output a Ref) and
    WSK_RELEASE_SD.  WSK_TDI_DEVICENAME_MAPPING (input WSK_TDI_MAP_INFO) and WSK_TDI_BEHAVIOR
    (input a ULONG), both before the first socket.  Any other code is STATUS_NOT_SUPPORTED.
    """
    if Client is None:
        return STATUS_INVALID_HANDLE if Irp is None else refuse(Irp, STATUS_INVALID_HANDLE)
    client = Client

    call = client_control.ClientCall(
        ControlCode, InputSize, InputBuffer, OutputSize, OutputBuffer, OutputSizeReturned
    )
    return client_control.dispatch(client, call, Irp)


class WSK_PROVIDER_DISPATCH:
    """The provider's table, handed out by WskCaptureProviderNPI (see `table`)."""

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


def table(version: int) -> WSK_PROVIDER_DISPATCH:
    """The provider's table of a version."""
    if version == VERSION:
        return DISPATCH
    older = copy.copy(versions.table(DISPATCH, WSK_MINOR_VERSION(version)))
    older.Version = version
    return older
