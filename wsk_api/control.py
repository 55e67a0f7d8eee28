# SPDX-License-Identifier: MIT
"""Options (wsk.md 4.2-4.4): which exist, what they take, when they may be set.

An option is a row of `OPTIONS`: level and code, the functions that set and get it, and whether an
IRP is required.  Integers travel as four octets, little-endian.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from stack.base.timers import NEVER
from stack.base.units import SECOND
from stack.transport.seam import (
    OPTION_BROADCAST,
    OPTION_CHECKSUM_AT,
    OPTION_FAST_OPEN,
    OPTION_HEADER_INCLUDED,
    OPTION_INSPECT,
    OPTION_KEEPALIVE,
    OPTION_KEEPALIVE_COUNT,
    OPTION_KEEPALIVE_INTERVAL,
    OPTION_KEEPALIVE_TIME,
    OPTION_NODELAY,
    OPTION_USER_TIMEOUT,
    SHARE_DEFAULT,
    SHARE_EXCLUSIVE,
    SHARE_REUSE,
)
from wsk_api.constants import (
    AF_INET6,
    IP_HDRINCL,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPV6_CHECKSUM,
    IPV6_HDRINCL,
    IPV6_V6ONLY,
    NPI_WSK_INTERFACE_ID,
    SO_BROADCAST,
    SO_CONDITIONAL_ACCEPT,
    SO_EXCLUSIVEADDRUSE,
    SO_KEEPALIVE,
    SO_REUSEADDR,
    SO_TYPE,
    SO_WSK_EVENT_CALLBACK,
    SOL_SOCKET,
    TCP_FASTOPEN,
    TCP_KEEPCNT,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    TCP_MAXRT,
    TCP_NODELAY,
    WSK_EVENT_DISABLE,
    WskGetOption,
    WskIoctl,
    WskSetOption,
)
from wsk_api.irp import IRP
from wsk_api.ntstatus import (
    STATUS_BUFFER_TOO_SMALL,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED,
    STATUS_SUCCESS,
)
from wsk_api.sockets import Socket
from wsk_api.types import WSK_EVENT_CALLBACK_CONTROL, Ref

_ULONG: Final = 4
_FOREVER: Final = 0xFFFFFFFF  # -1


class Call:
    """The arguments of one WskControlSocket."""

    __slots__ = (
        "code",
        "input",
        "input_size",
        "level",
        "output",
        "output_size",
        "returned",
        "type",
    )

    def __init__(
        self,
        request: int,
        code: int,
        level: int,
        input_size: int,
        input_buffer: Any,
        output_size: int,
        output_buffer: Any,
        returned: Ref[int] | None,
    ) -> None:
        self.type = request
        self.code = code
        self.level = level
        self.input_size = input_size
        self.input = input_buffer
        self.output_size = output_size
        self.output = output_buffer
        self.returned = returned


def dispatch(socket: Socket, call: Call, irp: IRP | None) -> int:
    """Do what `call` asks, completing `irp` if there is one."""
    if call.type == WskSetOption and (call.level, call.code) == (
        SOL_SOCKET,
        SO_WSK_EVENT_CALLBACK,
    ):
        return _events(socket, call, irp)
    if irp is None:
        return socket.engine.call(lambda: _without_irp(socket, call))
    return socket.engine.issue(irp, lambda _: _perform(socket, call))


def _without_irp(socket: Socket, call: Call) -> int:
    if (call.level, call.code) in _NEED_IRP or call.type == WskIoctl:
        return STATUS_INVALID_PARAMETER
    status, size = _perform(socket, call)
    if call.returned is not None and status == STATUS_SUCCESS:
        call.returned.value = size
    return status


def _perform(socket: Socket, call: Call) -> tuple[int, int]:
    """(status, octets written)."""
    if call.type == WskIoctl:
        return STATUS_NOT_SUPPORTED, 0
    if call.type not in (WskSetOption, WskGetOption):
        return STATUS_INVALID_PARAMETER, 0
    entry = OPTIONS.get((call.level, call.code))
    if entry is None:
        return STATUS_NOT_SUPPORTED, 0
    setter, getter = entry
    if call.type == WskSetOption:
        return _set(socket, call, setter), 0
    return _get(socket, call, getter)


def _set(socket: Socket, call: Call, setter: Setter | None) -> int:
    if setter is None:
        return STATUS_INVALID_PARAMETER
    try:
        raw = bytes(memoryview(call.input))
    except TypeError:
        return STATUS_INVALID_PARAMETER
    if call.input_size != _ULONG or len(raw) < _ULONG:
        return STATUS_INVALID_PARAMETER
    return setter(socket, int.from_bytes(raw[:_ULONG], "little"))


def _get(socket: Socket, call: Call, getter: Getter | None) -> tuple[int, int]:
    if getter is None:
        return STATUS_INVALID_PARAMETER, 0
    if call.output_size < _ULONG:
        return STATUS_BUFFER_TOO_SMALL, 0
    try:
        view = memoryview(call.output)
    except TypeError:
        return STATUS_INVALID_PARAMETER, 0
    if view.readonly or len(view) < _ULONG:
        return STATUS_INVALID_PARAMETER, 0
    status, value = getter(socket)
    if status != STATUS_SUCCESS:
        return status, 0
    view[:_ULONG] = value.to_bytes(_ULONG, "little")
    return STATUS_SUCCESS, _ULONG


# Events.


def _events(socket: Socket, call: Call, irp: IRP | None) -> int:
    """SO_WSK_EVENT_CALLBACK: enabling takes no IRP, disabling may (wsk.md 3.6)."""
    control = call.input
    if not isinstance(control, WSK_EVENT_CALLBACK_CONTROL):
        return _refuse(socket, irp, STATUS_INVALID_PARAMETER)
    if control.NpiId != NPI_WSK_INTERFACE_ID:
        return _refuse(socket, irp, STATUS_NOT_SUPPORTED)
    mask = control.EventMask
    if mask & WSK_EVENT_DISABLE:
        if irp is None:
            return socket.engine.call(lambda: socket.disable(mask, None))
        return socket.engine.issue(irp, lambda held: _disable(socket, mask, held))
    if irp is not None:
        return _refuse(socket, irp, STATUS_INVALID_PARAMETER)
    return socket.engine.call(lambda: socket.enable(mask))


def _disable(socket: Socket, mask: int, irp: IRP) -> tuple[int, int]:
    return socket.disable(mask, irp), 0


def _refuse(socket: Socket, irp: IRP | None, status: int) -> int:
    if irp is None:
        return status
    return socket.engine.issue(irp, lambda _: (status, 0))


# Options.

Setter = Callable[[Socket, int], int]
Getter = Callable[[Socket], tuple[int, int]]


def _set_v6only(socket: Socket, value: int) -> int:
    if socket.family != AF_INET6:
        return STATUS_INVALID_PARAMETER
    if socket.bound:
        return STATUS_INVALID_DEVICE_STATE
    socket.v6only = bool(value)
    return STATUS_SUCCESS


def _get_v6only(socket: Socket) -> tuple[int, int]:
    if socket.family != AF_INET6:
        return STATUS_INVALID_PARAMETER, 0
    return STATUS_SUCCESS, int(socket.v6only)


def _set_sharing(mode: int) -> Setter:
    def setter(socket: Socket, value: int) -> int:
        if not socket.category_events:
            return STATUS_INVALID_DEVICE_REQUEST
        if socket.bound:
            return STATUS_INVALID_DEVICE_STATE
        if value and socket.sharing not in (SHARE_DEFAULT, mode):
            return STATUS_INVALID_PARAMETER  # one or the other
        if value:
            socket.sharing = mode
        elif socket.sharing == mode:
            socket.sharing = SHARE_DEFAULT
        return STATUS_SUCCESS

    return setter


def _get_sharing(mode: int) -> Getter:
    return lambda socket: (STATUS_SUCCESS, int(socket.sharing == mode))


def _transport(option: int, unit: int = 1) -> tuple[Setter, Getter]:
    """An option of the transport; the caller's numbers count in `unit`s of the transport's."""

    def setter(socket: Socket, value: int) -> int:
        if value == _FOREVER and unit > 1:
            return socket.transport_option(option, NEVER)
        return socket.transport_option(option, value * unit)

    def getter(socket: Socket) -> tuple[int, int]:
        status, value = socket.transport_option_value(option)
        return status, _FOREVER if value == NEVER else value // unit

    return setter, getter


OPTIONS: Final[dict[tuple[int, int], tuple[Setter | None, Getter | None]]] = {
    (IPPROTO_IPV6, IPV6_V6ONLY): (_set_v6only, _get_v6only),
    (SOL_SOCKET, SO_REUSEADDR): (_set_sharing(SHARE_REUSE), _get_sharing(SHARE_REUSE)),
    (SOL_SOCKET, SO_EXCLUSIVEADDRUSE): (
        _set_sharing(SHARE_EXCLUSIVE),
        _get_sharing(SHARE_EXCLUSIVE),
    ),
    (SOL_SOCKET, SO_BROADCAST): _transport(OPTION_BROADCAST),
    (SOL_SOCKET, SO_KEEPALIVE): _transport(OPTION_KEEPALIVE),
    (SOL_SOCKET, SO_CONDITIONAL_ACCEPT): _transport(OPTION_INSPECT),
    (IPPROTO_IP, IP_HDRINCL): _transport(OPTION_HEADER_INCLUDED),
    (IPPROTO_IPV6, IPV6_HDRINCL): _transport(OPTION_HEADER_INCLUDED),
    (IPPROTO_IPV6, IPV6_CHECKSUM): _transport(OPTION_CHECKSUM_AT),
    (SOL_SOCKET, SO_TYPE): (None, lambda socket: (STATUS_SUCCESS, socket.socket_type)),
    (IPPROTO_TCP, TCP_NODELAY): _transport(OPTION_NODELAY),
    (IPPROTO_TCP, TCP_KEEPIDLE): _transport(OPTION_KEEPALIVE_TIME, SECOND),
    (IPPROTO_TCP, TCP_KEEPINTVL): _transport(OPTION_KEEPALIVE_INTERVAL, SECOND),
    (IPPROTO_TCP, TCP_KEEPCNT): _transport(OPTION_KEEPALIVE_COUNT),
    (IPPROTO_TCP, TCP_FASTOPEN): _transport(OPTION_FAST_OPEN),
    (IPPROTO_TCP, TCP_MAXRT): _transport(OPTION_USER_TIMEOUT, SECOND),
}

_NEED_IRP: Final = frozenset(
    (SOL_SOCKET, code)
    for code in (
        SO_REUSEADDR,
        SO_EXCLUSIVEADDRUSE,
        SO_BROADCAST,
        SO_CONDITIONAL_ACCEPT,
        SO_KEEPALIVE,
    )
)
"""Options for which the documents require an IRP."""
