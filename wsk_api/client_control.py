# SPDX-License-Identifier: MIT
"""WskControlClient as a table (wsk.md 4.1): static callbacks, transports, descriptors, TDI.

A code's row says whether an IRP must or must not be given, and whether it is too late once the
client has had a socket (STATUS_INVALID_DEVICE_STATE; the documents give no status).  There are no
translated transports yet: the TDI mapping and behaviour are checked and kept for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from wsk_api.constants import (
    NPI_WSK_INTERFACE_ID,
    WSK_CACHE_SD,
    WSK_EVENT_ACCEPT,
    WSK_EVENT_DISABLE,
    WSK_EVENT_DISCONNECT,
    WSK_EVENT_RECEIVE,
    WSK_EVENT_RECEIVE_FROM,
    WSK_EVENT_SEND_BACKLOG,
    WSK_RELEASE_SD,
    WSK_SET_STATIC_EVENT_CALLBACKS,
    WSK_TDI_BEHAVIOR,
    WSK_TDI_DEVICENAME_MAPPING,
    WSK_TRANSPORT_LIST_CHANGE,
    WSK_TRANSPORT_LIST_QUERY,
)
from wsk_api.irp import IRP
from wsk_api.ntstatus import (
    STATUS_BUFFER_OVERFLOW,
    STATUS_BUFFER_TOO_SMALL,
    STATUS_CANCELLED,
    STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED,
    STATUS_PENDING,
    STATUS_SUCCESS,
)
from wsk_api.option_constants import WSK_TDI_BEHAVIOR_BYPASS_TDI
from wsk_api.security import SECURITY_DESCRIPTOR, CachedDescriptor
from wsk_api.types import WSK_EVENT_CALLBACK_CONTROL, WSK_TDI_MAP, WSK_TDI_MAP_INFO, Ref

if TYPE_CHECKING:
    from wsk_api.provider import Client

_ALL_EVENTS: Final = (
    WSK_EVENT_ACCEPT
    | WSK_EVENT_RECEIVE
    | WSK_EVENT_DISCONNECT
    | WSK_EVENT_SEND_BACKLOG
    | WSK_EVENT_RECEIVE_FROM
)
_TRANSPORT: Final = 28
"""Octets of a WSK_TRANSPORT."""
_POINTER: Final = 8


class ClientCall:
    """The arguments of one WskControlClient."""

    __slots__ = ("code", "input", "input_size", "output", "output_size", "returned")

    def __init__(
        self,
        code: int,
        input_size: int,
        input_buffer: Any,
        output_size: int,
        output_buffer: Any,
        returned: Ref[int] | None,
    ) -> None:
        self.code = code
        self.input_size = input_size
        self.input = input_buffer
        self.output_size = output_size
        self.output = output_buffer
        self.returned = returned


def dispatch(client: Client, call: ClientCall, irp: IRP | None) -> int:
    """Do what `call` asks, completing `irp` if there is one."""
    if irp is None:
        return client.engine.call(lambda: _perform(client, call, None)[0])
    return client.engine.issue(irp, lambda held: _perform(client, call, held))


def _perform(client: Client, call: ClientCall, irp: IRP | None) -> tuple[int, int]:
    row = CODES.get(call.code)
    if row is None:
        return STATUS_NOT_SUPPORTED, 0
    handler, needs_irp, early = row
    if needs_irp != (irp is not None):
        return STATUS_INVALID_PARAMETER, 0
    if early and client.had_socket:
        return STATUS_INVALID_DEVICE_STATE, 0
    return handler(client, call, irp), 0


def _set_static(client: Client, call: ClientCall, irp: IRP | None) -> int:
    control = call.input
    if not isinstance(control, WSK_EVENT_CALLBACK_CONTROL):
        return STATUS_INVALID_PARAMETER
    mask = control.EventMask
    if control.NpiId != NPI_WSK_INTERFACE_ID:
        return STATUS_NOT_SUPPORTED
    if mask == 0 or mask & (WSK_EVENT_DISABLE | ~_ALL_EVENTS):
        return STATUS_INVALID_PARAMETER
    client.static_events = mask
    return STATUS_SUCCESS


def _list_transports(client: Client, call: ClientCall, irp: IRP | None) -> int:
    found = client.transports.list()
    if call.returned is None:
        return STATUS_INVALID_PARAMETER
    call.returned.value = len(found) * _TRANSPORT
    if call.output_size < len(found) * _TRANSPORT or not isinstance(call.output, list):
        return STATUS_BUFFER_OVERFLOW
    call.output[:] = found
    return STATUS_SUCCESS


def _watch_transports(client: Client, call: ClientCall, irp: IRP | None) -> int:
    """Pends until a transport is added or removed."""
    assert irp is not None
    client.list_changes.append(irp)
    irp.set_cancel(lambda held: _end_watch(client, held, STATUS_CANCELLED))
    return STATUS_PENDING


def _end_watch(client: Client, irp: IRP, status: int) -> None:
    if irp in client.list_changes:
        client.list_changes.remove(irp)
        client.engine.complete(irp, status)


def transports_changed(client: Client, status: int = STATUS_SUCCESS) -> None:
    """A transport came or went; or, with STATUS_CANCELLED, the client deregisters."""
    if status != STATUS_SUCCESS and client.transports_changed in client.transports.watchers:
        client.transports.watchers.remove(client.transports_changed)
    for irp in list(client.list_changes):
        _end_watch(client, irp, status)


def _cache(client: Client, call: ClientCall, irp: IRP | None) -> int:
    if not isinstance(call.input, SECURITY_DESCRIPTOR) or call.input_size != _POINTER:
        return STATUS_INVALID_PARAMETER
    if call.output_size < _POINTER:
        return STATUS_BUFFER_TOO_SMALL
    if not isinstance(call.output, Ref):
        return STATUS_INVALID_PARAMETER
    call.output.value = CachedDescriptor(client, call.input)
    if call.returned is not None:
        call.returned.value = _POINTER
    return STATUS_SUCCESS


def _release(client: Client, call: ClientCall, irp: IRP | None) -> int:
    cached = call.input
    if not isinstance(cached, CachedDescriptor) or call.input_size != _POINTER:
        return STATUS_INVALID_PARAMETER
    if not cached.usable(client):
        return STATUS_INVALID_PARAMETER
    cached.released = True
    return STATUS_SUCCESS


def _map_devices(client: Client, call: ClientCall, irp: IRP | None) -> int:
    info = call.input
    if not isinstance(info, WSK_TDI_MAP_INFO) or info.ElementCount != len(info.Map):
        return STATUS_INVALID_PARAMETER
    if not all(isinstance(one, WSK_TDI_MAP) and one.TdiDeviceName for one in info.Map):
        return STATUS_INVALID_PARAMETER
    client.tdi_devices = {
        (one.AddressFamily, one.SocketType, one.Protocol): one.TdiDeviceName for one in info.Map
    }
    return STATUS_SUCCESS


def _set_behavior(client: Client, call: ClientCall, irp: IRP | None) -> int:
    try:
        raw = bytes(memoryview(call.input))
    except TypeError:
        return STATUS_INVALID_PARAMETER
    flags = int.from_bytes(raw, "little")
    if call.input_size != 4 or len(raw) != 4 or flags & ~WSK_TDI_BEHAVIOR_BYPASS_TDI:
        return STATUS_INVALID_PARAMETER
    client.tdi_behavior = flags
    return STATUS_SUCCESS


Handler = Callable[["Client", ClientCall, "IRP | None"], int]

CODES: Final[dict[int, tuple[Handler, bool, bool]]] = {
    WSK_TRANSPORT_LIST_QUERY: (_list_transports, False, False),
    WSK_TRANSPORT_LIST_CHANGE: (_watch_transports, True, False),
    WSK_CACHE_SD: (_cache, False, False),
    WSK_RELEASE_SD: (_release, False, False),
    WSK_TDI_DEVICENAME_MAPPING: (_map_devices, False, True),
    WSK_SET_STATIC_EVENT_CALLBACKS: (_set_static, False, True),
    WSK_TDI_BEHAVIOR: (_set_behavior, False, True),
}
"""By code: what does it, whether it takes an IRP, whether only before the first socket."""
