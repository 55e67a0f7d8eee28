# SPDX-License-Identifier: MIT
"""From a WskControlSocket to its row and back (wsk.md 2.5, 4).

What is looked at, in this order, and the status if it is wrong:

    is the code known?                       STATUS_NOT_SUPPORTED, or the row's of a refused one
    is the IRP there, or absent, as it must? STATUS_INVALID_PARAMETER
    can it be set, or read?                  STATUS_INVALID_PARAMETER
    has a socket of this category it?        STATUS_INVALID_DEVICE_REQUEST
    has a socket of this family it?          STATUS_INVALID_PARAMETER
    is there a buffer of the right size?     STATUS_INVALID_PARAMETER, for outputs
                                             STATUS_BUFFER_TOO_SMALL
    is it the time for it?                   STATUS_INVALID_DEVICE_STATE
    is the value within bounds?              STATUS_INVALID_PARAMETER
"""

from __future__ import annotations

from typing import Any, Final

from wsk_api.constants import (
    AF_INET6,
    IPPROTO_IPV6,
    NPI_WSK_INTERFACE_ID,
    SO_WSK_EVENT_CALLBACK,
    SOL_SOCKET,
    WSK_EVENT_DISABLE,
    WskGetOption,
    WskIoctl,
    WskSetOption,
)
from wsk_api.control.rows import (
    AFTER_BIND,
    BEFORE_BIND,
    BEFORE_CONNECT,
    CONNECTED,
    FORBIDDEN,
    REQUIRED,
    Call,
    Ioctl,
    Option,
    Refused,
)
from wsk_api.control.tables import IOCTLS, OPTIONS
from wsk_api.irp import IRP
from wsk_api.ntstatus import (
    STATUS_BUFFER_OVERFLOW,
    STATUS_BUFFER_TOO_SMALL,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED,
    STATUS_SUCCESS,
)
from wsk_api.sockets import Socket
from wsk_api.types import WSK_EVENT_CALLBACK_CONTROL

_POINTER: Final = 8
_EVENTS: Final = (WskSetOption, SOL_SOCKET, SO_WSK_EVENT_CALLBACK)


def dispatch(socket: Socket, call: Call, irp: IRP | None) -> int:
    """Do what `call` asks, completing `irp` if there is one."""
    if (call.type, call.level, call.code) == _EVENTS:
        return _events(socket, call, irp)
    if irp is not None:
        return socket.engine.issue(irp, lambda held: _perform(socket, call, held))
    return socket.engine.call(lambda: _at_once(socket, call))


def _at_once(socket: Socket, call: Call) -> int:
    """Without an IRP the size goes to OutputSizeReturned."""
    status, size = _perform(socket, call, None)
    if call.returned is not None and status in (STATUS_SUCCESS, STATUS_BUFFER_OVERFLOW):
        call.returned.value = size
    return status


def _perform(socket: Socket, call: Call, irp: IRP | None) -> tuple[int, int]:
    """(status, octets written)."""
    row: Option | Ioctl | Refused | None
    if call.type == WskIoctl:
        row = IOCTLS.get(call.code)
    elif call.type in (WskSetOption, WskGetOption):
        row = OPTIONS.get((call.level, call.code))
    else:
        return STATUS_INVALID_PARAMETER, 0
    if row is None or isinstance(row, Refused):
        return (STATUS_NOT_SUPPORTED if row is None else row.status), 0
    if row.irp == (REQUIRED if irp is None else FORBIDDEN):
        return STATUS_INVALID_PARAMETER, 0
    if isinstance(row, Ioctl):
        return _ioctl(socket, row, call, irp)
    if call.type == WskSetOption:
        return _set(socket, row, call), 0
    return _get(socket, row, call)


def _ioctl(socket: Socket, row: Ioctl, call: Call, irp: IRP | None) -> tuple[int, int]:
    if not row.categories & socket.category:
        return STATUS_INVALID_DEVICE_REQUEST, 0
    if row.input_size is not None and octets(call, row.input_size) is None:
        return STATUS_INVALID_PARAMETER, 0
    if row.output_size is not None:
        if call.output_size < row.output_size:
            return STATUS_BUFFER_TOO_SMALL, 0
        if room(call, row.output_size) is None:
            return STATUS_INVALID_PARAMETER, 0
    if not _timely(socket, row.when):
        return STATUS_INVALID_DEVICE_STATE, 0
    return row.handler(socket, call, irp)


def octets(call: Call, size: int) -> bytes | None:
    """The input, if there are `size` octets of it."""
    if size == 0:
        return b""
    try:
        raw = bytes(memoryview(call.input))
    except TypeError:
        return None
    return raw[:size] if call.input_size == size and len(raw) >= size else None


def room(call: Call, size: int) -> memoryview | None:
    """The output, if it can take `size` octets."""
    try:
        view = memoryview(call.output).cast("B")
    except TypeError:
        return None
    return None if view.readonly or len(view) < size else view


def _misplaced(socket: Socket, row: Option) -> int:
    """The status if a socket like this has no such option."""
    if not row.categories & socket.category:
        return STATUS_INVALID_DEVICE_REQUEST
    if row.level == IPPROTO_IPV6 and socket.family != AF_INET6:
        return STATUS_INVALID_PARAMETER
    return STATUS_SUCCESS


def _set(socket: Socket, row: Option, call: Call) -> int:
    if row.set is None:
        return STATUS_INVALID_PARAMETER
    status = _misplaced(socket, row)
    if status != STATUS_SUCCESS:
        return status
    value: Any = call.input
    if row.kind.size:
        raw = octets(call, row.kind.size)
        if raw is None:
            return STATUS_INVALID_PARAMETER
        value = row.kind.decode(raw)
    elif call.input_size != _POINTER:
        return STATUS_INVALID_PARAMETER
    if not _timely(socket, row.when):
        return STATUS_INVALID_DEVICE_STATE
    if isinstance(value, int) and not row.low <= value <= row.high:
        return STATUS_INVALID_PARAMETER
    return row.set(socket, row, value)


def _get(socket: Socket, row: Option, call: Call) -> tuple[int, int]:
    if row.get is None:
        return STATUS_INVALID_PARAMETER, 0
    status = _misplaced(socket, row)
    if status != STATUS_SUCCESS:
        return status, 0
    size = row.kind.size
    if call.output_size < (size or _POINTER):
        return STATUS_BUFFER_TOO_SMALL, 0
    view = room(call, size) if size else None
    if size and view is None:
        return STATUS_INVALID_PARAMETER, 0
    status, value = row.get(socket, row)
    if status != STATUS_SUCCESS:
        return status, 0
    if view is None:
        call.output.value = value  # a pointer, written through
        return STATUS_SUCCESS, _POINTER
    view[:size] = row.kind.encode(value)
    return STATUS_SUCCESS, size


def _timely(socket: Socket, when: str) -> bool:
    if when == BEFORE_BIND:
        return not socket.bound
    if when == AFTER_BIND:
        return socket.bound
    if when == BEFORE_CONNECT:
        return not socket.is_connected and not socket.is_connecting
    if when == CONNECTED:
        return socket.is_connected
    return True


# Events.


def _events(socket: Socket, call: Call, irp: IRP | None) -> int:
    """SO_WSK_EVENT_CALLBACK: enabling takes no IRP, disabling may (wsk.md 3.6)."""
    control = call.input
    if not isinstance(control, WSK_EVENT_CALLBACK_CONTROL):
        return _refuse(socket, irp, STATUS_INVALID_PARAMETER)
    mask = control.EventMask
    if control.NpiId != NPI_WSK_INTERFACE_ID:
        registered = socket.extensions.get(control.NpiId)
        if registered is None:
            return _refuse(socket, irp, STATUS_NOT_SUPPORTED)
        extension, context = registered
        if irp is not None:
            return socket.engine.issue(irp, lambda _: (extension.enable(context, mask), 0))
        return socket.engine.call(lambda: extension.enable(context, mask))
    if mask & WSK_EVENT_DISABLE:
        if irp is None:
            return socket.engine.call(lambda: socket.disable(mask, None))
        return socket.engine.issue(irp, lambda held: (socket.disable(mask, held), 0))
    if irp is not None:
        return _refuse(socket, irp, STATUS_INVALID_PARAMETER)
    return socket.engine.call(lambda: socket.enable(mask))


def _refuse(socket: Socket, irp: IRP | None, status: int) -> int:
    if irp is None:
        return status
    return socket.engine.issue(irp, lambda _: (status, 0))
