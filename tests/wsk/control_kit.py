# SPDX-License-Identifier: MIT
"""WskControlSocket with everything in the tests' hands: octets, sizes, with and without an IRP."""

from __future__ import annotations

from typing import Any

from tests.wsk.kit import Party, Request
from wsk_api import (
    IPPROTO_UDP,
    SOCK_DGRAM,
    WSK_FLAG_CONNECTION_SOCKET,
    WSK_FLAG_DATAGRAM_SOCKET,
    WSK_FLAG_LISTEN_SOCKET,
    Ref,
    WskGetOption,
    WskIoctl,
    WskSetOption,
    status_name,
)

FLAGS = {
    "L": WSK_FLAG_LISTEN_SOCKET,
    "C": WSK_FLAG_CONNECTION_SOCKET,
    "D": WSK_FLAG_DATAGRAM_SOCKET,
    "B": 0,
}


def make(party: Party, letter: str) -> Any:
    """A dual socket of a category: Listen, Connection, Datagram, Basic."""
    how: dict[str, Any] = {"kind": SOCK_DGRAM, "protocol": IPPROTO_UDP} if letter == "D" else {}
    return party.socket(FLAGS[letter], dual=letter != "B", **how)


def _call(
    socket: Any, arguments: tuple[Any, ...], returned: Ref[int], irp: bool
) -> tuple[str, Any]:
    control = socket.Dispatch.WskControlSocket
    if irp:
        request = Request().issue(control, socket, *arguments, returned)
        assert len(request.ends) == 1
        return request.ends[0]
    status = status_name(control(socket, *arguments, returned, None))
    return status, returned.value


def put(
    socket: Any, level: int, code: int, value: Any, size: int | None = None, irp: bool = True
) -> str:
    """Set an option; the status."""
    size = len(value) if size is None else size
    arguments = (WskSetOption, code, level, size, value, 0, None)
    return _call(socket, arguments, Ref(), irp)[0]


def get(
    socket: Any, level: int, code: int, room: int = 4, irp: bool = True, output: Any = None
) -> tuple[str, bytes]:
    """Get an option: (status, the octets Information speaks of)."""
    memory = bytearray(room) if output is None else output
    arguments = (WskGetOption, code, level, 0, None, room, memory)
    status, size = _call(socket, arguments, Ref(), irp)
    if status != "STATUS_SUCCESS" or output is not None:
        return status, b""
    return status, bytes(memory[:size])


def ioctl(
    socket: Any,
    code: int,
    given: Any = None,
    room: Any = 0,
    irp: bool = True,
    sizes: tuple[int, int] | None = None,
) -> tuple[str, Any]:
    """Issue an IOCTL with octets in, and octets out of `room`: (status, what came out).

    With `sizes` both are whatever objects the IOCTL takes, and what comes out is the size.
    """
    if sizes is not None:
        return _call(socket, (WskIoctl, code, 0, sizes[0], given, sizes[1], room), Ref(), irp)
    memory = bytearray(room)
    size = 0 if given is None else len(given)
    arguments = (WskIoctl, code, 0, size, given, room, memory)
    status, written = _call(socket, arguments, Ref(), irp)
    return status, bytes(memory[:written]) if status == "STATUS_SUCCESS" else b""
