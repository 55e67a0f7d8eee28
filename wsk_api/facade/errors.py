# SPDX-License-Identifier: MIT
"""What goes wrong, as Python says it: an NTSTATUS becomes an OSError people already catch.

`error` is the only place where that happens.  Every exception is a `WskError`, keeps the status
it came from, and is also the builtin (ConnectionRefusedError, TimeoutError, ...) of its kind.
Who calls it: the rest of the facade.
"""

from __future__ import annotations

import errno
import socket
from typing import Any, Final

from wsk_api.ntstatus import (
    STATUS_ACCESS_DENIED,
    STATUS_ADDRESS_ALREADY_ASSOCIATED,
    STATUS_ADDRESS_ALREADY_EXISTS,
    STATUS_CANCELLED,
    STATUS_CONNECTION_ABORTED,
    STATUS_CONNECTION_DISCONNECTED,
    STATUS_CONNECTION_REFUSED,
    STATUS_CONNECTION_RESET,
    STATUS_DEVICE_NOT_READY,
    STATUS_FILE_FORCED_CLOSED,
    STATUS_GRACEFUL_DISCONNECT,
    STATUS_HOST_UNREACHABLE,
    STATUS_INSUFFICIENT_RESOURCES,
    STATUS_INVALID_ADDRESS,
    STATUS_INVALID_ADDRESS_COMPONENT,
    STATUS_INVALID_BUFFER_SIZE,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_HANDLE,
    STATUS_INVALID_PARAMETER,
    STATUS_IO_TIMEOUT,
    STATUS_LOCAL_DISCONNECT,
    STATUS_NETWORK_UNREACHABLE,
    STATUS_NO_MEMORY,
    STATUS_NOINTERFACE,
    STATUS_NOT_FOUND,
    STATUS_NOT_IMPLEMENTED,
    STATUS_NOT_SUPPORTED,
    STATUS_PORT_UNREACHABLE,
    STATUS_PROTOCOL_UNREACHABLE,
    STATUS_REMOTE_DISCONNECT,
    STATUS_REQUEST_ABORTED,
    STATUS_TIMEOUT,
    STATUS_TOO_MANY_ADDRESSES,
    status_name,
)


class WskError(OSError):
    """A WSK request failed.

    status       the NTSTATUS
    status_name  its name
    errno        the nearest number of errno.h
    """

    def __init__(self, status: int, what: str) -> None:
        super().__init__(_ERRNO.get(status, errno.EIO), what)
        self.status = status
        self.what = what

    @property
    def status_name(self) -> str:
        """STATUS_CONNECTION_REFUSED, ..."""
        return status_name(self.status)

    def __str__(self) -> str:
        return f"[{self.status_name} 0x{self.status:08X}] {self.what}"

    def __reduce__(self) -> Any:
        return type(self), (self.status, self.what)


class WskConnectionRefused(WskError, ConnectionRefusedError):
    """Nobody listens there."""


class WskConnectionReset(WskError, ConnectionResetError):
    """The peer broke the connection off."""


class WskConnectionAborted(WskError, ConnectionAbortedError):
    """This side broke the connection off."""


class WskTimeout(WskError, TimeoutError):
    """Too late: the peer has not answered, or the caller's time-out is over."""


class WskBrokenPipe(WskError, BrokenPipeError):
    """Sending after the end was sent."""


class WskPermission(WskError, PermissionError):
    """A port that somebody has, a broadcast that was not asked for."""


class WskNameError(WskError, socket.gaierror):
    """A name that has no address."""


_CLASSES: Final[dict[int, type[WskError]]] = {
    STATUS_CONNECTION_REFUSED: WskConnectionRefused,
    STATUS_CONNECTION_RESET: WskConnectionReset,
    STATUS_CONNECTION_ABORTED: WskConnectionAborted,
    STATUS_REQUEST_ABORTED: WskConnectionAborted,
    STATUS_LOCAL_DISCONNECT: WskConnectionAborted,
    STATUS_CONNECTION_DISCONNECTED: WskConnectionReset,
    STATUS_REMOTE_DISCONNECT: WskConnectionReset,
    STATUS_IO_TIMEOUT: WskTimeout,
    STATUS_TIMEOUT: WskTimeout,
    STATUS_GRACEFUL_DISCONNECT: WskBrokenPipe,
    STATUS_ACCESS_DENIED: WskPermission,
}

_ERRNO: Final = {
    STATUS_CONNECTION_REFUSED: errno.ECONNREFUSED,
    STATUS_CONNECTION_RESET: errno.ECONNRESET,
    STATUS_CONNECTION_DISCONNECTED: errno.ECONNRESET,
    STATUS_REMOTE_DISCONNECT: errno.ECONNRESET,
    STATUS_CONNECTION_ABORTED: errno.ECONNABORTED,
    STATUS_REQUEST_ABORTED: errno.ECONNABORTED,
    STATUS_LOCAL_DISCONNECT: errno.ECONNABORTED,
    STATUS_IO_TIMEOUT: errno.ETIMEDOUT,
    STATUS_TIMEOUT: errno.ETIMEDOUT,
    STATUS_GRACEFUL_DISCONNECT: errno.EPIPE,
    STATUS_ACCESS_DENIED: errno.EACCES,
    STATUS_CANCELLED: errno.ECANCELED,
    STATUS_INVALID_HANDLE: errno.EBADF,
    STATUS_INVALID_PARAMETER: errno.EINVAL,
    STATUS_INVALID_ADDRESS: errno.EINVAL,
    STATUS_INVALID_DEVICE_REQUEST: errno.EOPNOTSUPP,
    STATUS_INVALID_DEVICE_STATE: errno.ENOTCONN,
    STATUS_NOT_SUPPORTED: errno.EOPNOTSUPP,
    STATUS_NOT_IMPLEMENTED: errno.ENOSYS,
    STATUS_INVALID_ADDRESS_COMPONENT: errno.EADDRNOTAVAIL,
    STATUS_TOO_MANY_ADDRESSES: errno.EADDRNOTAVAIL,
    STATUS_ADDRESS_ALREADY_EXISTS: errno.EADDRINUSE,
    STATUS_ADDRESS_ALREADY_ASSOCIATED: errno.EADDRINUSE,
    STATUS_INVALID_BUFFER_SIZE: errno.EMSGSIZE,
    STATUS_INSUFFICIENT_RESOURCES: errno.ENOBUFS,
    STATUS_NO_MEMORY: errno.ENOMEM,
    STATUS_NETWORK_UNREACHABLE: errno.ENETUNREACH,
    STATUS_HOST_UNREACHABLE: errno.EHOSTUNREACH,
    STATUS_PROTOCOL_UNREACHABLE: errno.ENOPROTOOPT,
    STATUS_PORT_UNREACHABLE: errno.ECONNREFUSED,
    STATUS_FILE_FORCED_CLOSED: errno.ENETDOWN,
    STATUS_DEVICE_NOT_READY: errno.ENETDOWN,
    STATUS_NOINTERFACE: errno.EPROTONOSUPPORT,
    STATUS_NOT_FOUND: errno.ENOENT,
}


def error(status: int, what: str) -> WskError:
    """The exception for an NTSTATUS; `what` says what was tried."""
    return _CLASSES.get(status, WskError)(status, what)
