# SPDX-License-Identifier: MIT
"""What a row of the control tables is (wsk.md 4): options, IOCTLs, and those that are refused.

A row says everything that decides the fate of a call but the work itself: level and code, type
and size, which sockets have it, whether an IRP must, may or must not be given, and when.
`dispatch` reads rows; the tables are in the files beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from stack.base.addr import V4, V6
from stack.transport.options import BOTH
from wsk_api.constants import (
    IPPROTO_IP,
    IPPROTO_IPV6,
    WSK_FLAG_CONNECTION_SOCKET,
    WSK_FLAG_DATAGRAM_SOCKET,
    WSK_FLAG_LISTEN_SOCKET,
)
from wsk_api.irp import IRP
from wsk_api.ntstatus import STATUS_NOT_SUPPORTED, STATUS_SUCCESS
from wsk_api.types import Ref

if TYPE_CHECKING:
    from wsk_api.sockets import Socket

# Categories, as a mask of the flags of WskSocket; a stream socket is LISTEN | CONNECTION.
BASIC: Final = 0x100
LISTEN: Final = WSK_FLAG_LISTEN_SOCKET
CONNECTION: Final = WSK_FLAG_CONNECTION_SOCKET
DATAGRAM: Final = WSK_FLAG_DATAGRAM_SOCKET
STREAMS: Final = LISTEN | CONNECTION
NAMED: Final = STREAMS | DATAGRAM
ALL: Final = NAMED | BASIC

# IRP rules.
OPTIONAL: Final = "optional"
REQUIRED: Final = "required"
FORBIDDEN: Final = "none"

# When a value may be set, or an IOCTL issued.
ALWAYS: Final = "always"
BEFORE_BIND: Final = "before bind"
AFTER_BIND: Final = "after bind"
BEFORE_CONNECT: Final = "before connect"
CONNECTED: Final = "connected"


class Kind:
    """A type: its name in the headers, its size, and how octets become a value and back."""

    __slots__ = ("decode", "encode", "name", "size")

    def __init__(
        self,
        name: str,
        size: int,
        decode: Callable[[bytes], Any] = lambda raw: int.from_bytes(raw, "little"),
        encode: Callable[[Any], bytes] | None = None,
    ) -> None:
        self.name = name
        self.size = size
        self.decode = decode
        self.encode = encode or (lambda value: int(value).to_bytes(size, "little"))


ULONG_KIND: Final = Kind("ULONG", 4)
BOOL_KIND: Final = Kind("BOOL", 4, lambda raw: int(any(raw)))
INTERFACE_KIND: Final = Kind(
    "index, network order",
    4,
    lambda raw: int.from_bytes(raw, "big"),
    lambda value: int(value).to_bytes(4, "big"),
)

Setter = Callable[["Socket", "Option", Any], int]
"""Set a decoded value; an NTSTATUS."""
Getter = Callable[["Socket", "Option"], tuple[int, Any]]
"""(NTSTATUS, value)."""


class Option:
    """One socket option."""

    __slots__ = (
        "categories",
        "code",
        "default",
        "families",
        "get",
        "high",
        "irp",
        "kind",
        "level",
        "low",
        "name",
        "set",
        "when",
    )

    def __init__(
        self,
        name: str,
        level: int,
        code: int,
        categories: int,
        how: tuple[Setter | None, Getter | None],
        kind: Kind = ULONG_KIND,
        irp: str = OPTIONAL,
        when: str = ALWAYS,
        default: Any = 0,
        low: int = 0,
        high: int = 0xFFFFFFFF,
    ) -> None:
        self.name = name
        self.level = level
        self.code = code
        self.categories = categories
        self.set, self.get = how
        self.kind = kind
        self.irp = irp
        self.when = when
        self.default = default  # what `kept` says until something is set
        self.low = low
        self.high = high
        self.families = {IPPROTO_IP: V4, IPPROTO_IPV6: V6}.get(level, BOTH)


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


Handler = Callable[["Socket", Call, "IRP | None"], tuple[int, int]]
"""Do what an IOCTL asks: (NTSTATUS, octets written); (STATUS_PENDING, 0) if the IRP is held."""


class Ioctl:
    """One IOCTL.  `input_size` is the exact size of its input, `output_size` the least of its
    output; None where the handler looks for itself."""

    __slots__ = (
        "categories",
        "code",
        "handler",
        "input_size",
        "irp",
        "name",
        "output_size",
        "when",
    )

    def __init__(
        self,
        name: str,
        code: int,
        categories: int,
        handler: Handler,
        irp: str,
        sizes: tuple[int | None, int | None] = (None, None),
        when: str = ALWAYS,
    ) -> None:
        self.name = name
        self.code = code
        self.categories = categories
        self.handler = handler
        self.irp = irp
        self.input_size, self.output_size = sizes
        self.when = when


class Refused:
    """An option (with a level) or IOCTL (without) that is known and not done."""

    __slots__ = ("code", "level", "name", "status", "why")

    def __init__(
        self, name: str, level: int | None, code: int, why: str, status: int = STATUS_NOT_SUPPORTED
    ) -> None:
        self.name = name
        self.level = level
        self.code = code
        self.why = why
        self.status = status


# Ways to set and get that many rows share.


def keep(socket: Socket, row: Option, value: Any) -> int:
    """Remember the value, for the socket or for whoever asks."""
    socket.settings[row.level, row.code] = value
    return STATUS_SUCCESS


def kept(socket: Socket, row: Option) -> tuple[int, Any]:
    """What was set, or the row's default."""
    return STATUS_SUCCESS, socket.settings.get((row.level, row.code), row.default)


KEPT: Final = (keep, kept)


def fixed(value: int) -> tuple[None, Getter]:
    """Can only be read, and is always the same."""
    return None, lambda socket, row: (STATUS_SUCCESS, value)


def transport(option: int, unit: int = 1, never: int | None = None) -> tuple[Setter, Getter]:
    """An option of the transport, whose numbers are `unit` times the caller's.

    `never` is what 0xFFFFFFFF means, where it means anything.
    """

    def setter(socket: Socket, row: Option, value: int) -> int:
        below = never if never is not None and value == 0xFFFFFFFF else value * unit
        return socket.transport_option(option, below, row.families)

    def getter(socket: Socket, row: Option) -> tuple[int, int]:
        status, value = socket.transport_option_value(option, row.families)
        return status, 0xFFFFFFFF if value == never else value // unit

    return setter, getter
