# SPDX-License-Identifier: MIT
"""Options of level SOL_SOCKET (wsk.md 4.2, 4.3)."""

from __future__ import annotations

from typing import Any, Final

from stack.transport.options import OPTION_RECEIVE_BUFFER
from stack.transport.seam import (
    OPTION_BROADCAST,
    OPTION_KEEPALIVE,
    SHARE_DEFAULT,
    SHARE_EXCLUSIVE,
    SHARE_REUSE,
)
from wsk_api.constants import (
    SO_ACCEPTCONN,
    SO_BROADCAST,
    SO_EXCLUSIVEADDRUSE,
    SO_KEEPALIVE,
    SO_REUSEADDR,
    SO_TYPE,
    SOL_SOCKET,
)
from wsk_api.control.rows import (
    ALL,
    BEFORE_BIND,
    BOOL_KIND,
    CONNECTION,
    DATAGRAM,
    KEPT,
    LISTEN,
    NAMED,
    REQUIRED,
    STREAMS,
    Getter,
    Kind,
    Option,
    Refused,
    Setter,
    fixed,
    transport,
)
from wsk_api.ntstatus import (
    STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER,
    STATUS_SUCCESS,
)
from wsk_api.option_constants import (
    SO_BSP_STATE,
    SO_COMPARTMENT_ID,
    SO_CONDITIONAL_ACCEPT,
    SO_CONNECT_TIME,
    SO_DEBUG,
    SO_DONTLINGER,
    SO_DONTROUTE,
    SO_ERROR,
    SO_LINGER,
    SO_MAX_MSG_SIZE,
    SO_MAXDG,
    SO_MAXPATHDG,
    SO_OOBINLINE,
    SO_ORIGINAL_DST,
    SO_PAUSE_ACCEPT,
    SO_PORT_SCALABILITY,
    SO_RANDOMIZE_PORT,
    SO_RCVBUF,
    SO_RCVLOWAT,
    SO_RCVTIMEO,
    SO_RECEIVED_HOPLIMIT,
    SO_RECEIVED_PROCESSOR,
    SO_REUSE_MULTICASTPORT,
    SO_REUSE_UNICASTPORT,
    SO_SNDBUF,
    SO_SNDLOWAT,
    SO_SNDTIMEO,
    SO_TIMESTAMP,
    SO_TIMESTAMP_ID,
    SO_UPDATE_ACCEPT_CONTEXT,
    SO_UPDATE_CONNECT_CONTEXT,
    SO_USELOOPBACK,
    SO_WSK_SECURITY,
)
from wsk_api.security import CachedDescriptor
from wsk_api.sockets import Socket

_MAX_DATAGRAM: Final = 65507
"""Largest UDP payload over IPv4."""
_SECURITY_KIND: Final = Kind("PSECURITY_DESCRIPTOR", 0)
_MILLISECONDS: Final = 1000


def _sharing(mode: int) -> tuple[Setter, Getter]:
    """SO_REUSEADDR and SO_EXCLUSIVEADDRUSE exclude each other."""

    def setter(socket: Socket, row: Option, value: int) -> int:
        if value and socket.sharing not in (SHARE_DEFAULT, mode):
            return STATUS_INVALID_PARAMETER
        if value:
            socket.sharing = mode
        elif socket.sharing == mode:
            socket.sharing = SHARE_DEFAULT
        return STATUS_SUCCESS

    return setter, lambda socket, row: (STATUS_SUCCESS, int(socket.sharing == mode))


def _set_security(socket: Socket, row: Option, value: Any) -> int:
    """Only a cached descriptor of this client, not released; it replaces the earlier one."""
    if not isinstance(value, CachedDescriptor) or not value.usable(socket.client):
        return STATUS_INVALID_PARAMETER
    socket.claim.descriptor = value
    return STATUS_SUCCESS


def _get_security(socket: Socket, row: Option) -> tuple[int, Any]:
    """A cached copy, to be given back with WSK_RELEASE_SD."""
    return STATUS_SUCCESS, CachedDescriptor(socket.client, socket.claim.descriptor)


def _set_conditional(socket: Socket, row: Option, value: int) -> int:
    return socket.set_conditional_accept(bool(value))


def _get_conditional(socket: Socket, row: Option) -> tuple[int, int]:
    return STATUS_SUCCESS, int(socket.conditional_accept)


def _listens(socket: Socket, row: Option) -> tuple[int, int]:
    return STATUS_SUCCESS, int(bool(socket.category & LISTEN) and socket.bound)


def _connect_time(socket: Socket, row: Option) -> tuple[int, int]:
    """Seconds since the connection was made; 0xFFFFFFFF if there is none."""
    known = socket.statistics()
    if known is None:
        return STATUS_SUCCESS, 0xFFFFFFFF
    return STATUS_SUCCESS, known["ConnectionTimeMs"] // _MILLISECONDS


def _path_datagram(socket: Socket, row: Option) -> tuple[int, int]:
    """What fits into one packet on the way to the fixed remote address."""
    mtu = socket.path_mtu()
    if not mtu:
        return STATUS_INVALID_DEVICE_STATE, 0
    header = 28 if socket.speaks_ipv4_to_peer else 48
    return STATUS_SUCCESS, mtu - header


ROWS: Final = (
    # wsk.md 4.2: set and get need an IRP.
    Option(
        "SO_BROADCAST",
        SOL_SOCKET,
        SO_BROADCAST,
        DATAGRAM,
        transport(OPTION_BROADCAST),
        BOOL_KIND,
        REQUIRED,
    ),
    Option(
        "SO_CONDITIONAL_ACCEPT",
        SOL_SOCKET,
        SO_CONDITIONAL_ACCEPT,
        LISTEN,
        (_set_conditional, _get_conditional),
        BOOL_KIND,
        REQUIRED,
        BEFORE_BIND,
    ),
    Option(
        "SO_EXCLUSIVEADDRUSE",
        SOL_SOCKET,
        SO_EXCLUSIVEADDRUSE,
        NAMED,
        _sharing(SHARE_EXCLUSIVE),
        BOOL_KIND,
        REQUIRED,
        BEFORE_BIND,
    ),
    Option(
        "SO_REUSEADDR",
        SOL_SOCKET,
        SO_REUSEADDR,
        NAMED,
        _sharing(SHARE_REUSE),
        BOOL_KIND,
        REQUIRED,
        BEFORE_BIND,
    ),
    Option(
        "SO_KEEPALIVE",
        SOL_SOCKET,
        SO_KEEPALIVE,
        STREAMS,
        transport(OPTION_KEEPALIVE),
        BOOL_KIND,
        REQUIRED,
    ),
    Option(
        "SO_RCVBUF",
        SOL_SOCKET,
        SO_RCVBUF,
        NAMED,
        transport(OPTION_RECEIVE_BUFFER),
        irp=REQUIRED,
        low=1,
        high=1 << 30,
    ),
    Option(
        "SO_WSK_SECURITY",
        SOL_SOCKET,
        SO_WSK_SECURITY,
        NAMED,
        (_set_security, _get_security),
        _SECURITY_KIND,
        REQUIRED,
        BEFORE_BIND,
    ),
    # wsk.md 4.3.  Of some it is documented that nothing comes of them: those are kept.
    Option("SO_DEBUG", SOL_SOCKET, SO_DEBUG, ALL, KEPT, BOOL_KIND),
    Option("SO_DONTROUTE", SOL_SOCKET, SO_DONTROUTE, ALL, KEPT, BOOL_KIND),
    Option("SO_ACCEPTCONN", SOL_SOCKET, SO_ACCEPTCONN, ALL, (None, _listens), BOOL_KIND),
    Option(
        "SO_TYPE",
        SOL_SOCKET,
        SO_TYPE,
        ALL,
        (None, lambda socket, row: (STATUS_SUCCESS, socket.socket_type)),
    ),
    Option("SO_MAX_MSG_SIZE", SOL_SOCKET, SO_MAX_MSG_SIZE, DATAGRAM, fixed(_MAX_DATAGRAM)),
    Option("SO_MAXDG", SOL_SOCKET, SO_MAXDG, DATAGRAM, fixed(_MAX_DATAGRAM)),
    Option("SO_MAXPATHDG", SOL_SOCKET, SO_MAXPATHDG, DATAGRAM, (None, _path_datagram)),
    Option(
        "SO_RANDOMIZE_PORT",
        SOL_SOCKET,
        SO_RANDOMIZE_PORT,
        NAMED,
        KEPT,
        BOOL_KIND,
        when=BEFORE_BIND,
        default=1,
        low=1,
    ),
    Option("SO_CONNECT_TIME", SOL_SOCKET, SO_CONNECT_TIME, CONNECTION, (None, _connect_time)),
)
"""SO_RANDOMIZE_PORT: ephemeral ports are always random, so that it can be set, but not cleared."""

_BLOCKING: Final = "of blocking user-mode calls; there are none"
_USER_MODE: Final = "a helper of user-mode extensions; there is nothing to update"
_UNSUPPORTED: Final = "documented as unsupported: an invalid argument"

REFUSED: Final = (
    Refused("SO_USELOOPBACK", SOL_SOCKET, SO_USELOOPBACK, _UNSUPPORTED, STATUS_INVALID_PARAMETER),
    Refused("SO_SNDLOWAT", SOL_SOCKET, SO_SNDLOWAT, _UNSUPPORTED, STATUS_INVALID_PARAMETER),
    Refused("SO_RCVLOWAT", SOL_SOCKET, SO_RCVLOWAT, _UNSUPPORTED, STATUS_INVALID_PARAMETER),
    Refused("SO_LINGER", SOL_SOCKET, SO_LINGER, "WSK close never lingers"),
    Refused("SO_DONTLINGER", SOL_SOCKET, SO_DONTLINGER, "WSK close never lingers"),
    Refused("SO_OOBINLINE", SOL_SOCKET, SO_OOBINLINE, "urgent data always stays in line"),
    Refused("SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, "WSK buffers nothing that is sent"),
    Refused("SO_SNDTIMEO", SOL_SOCKET, SO_SNDTIMEO, _BLOCKING),
    Refused("SO_RCVTIMEO", SOL_SOCKET, SO_RCVTIMEO, _BLOCKING),
    Refused("SO_ERROR", SOL_SOCKET, SO_ERROR, "every request has a status of its own"),
    Refused("SO_BSP_STATE", SOL_SOCKET, SO_BSP_STATE, "WskGetLocalAddress and the like tell"),
    Refused("SO_PAUSE_ACCEPT", SOL_SOCKET, SO_PAUSE_ACCEPT, "close the listener"),
    Refused("SO_COMPARTMENT_ID", SOL_SOCKET, SO_COMPARTMENT_ID, "one routing compartment"),
    Refused("SO_PORT_SCALABILITY", SOL_SOCKET, SO_PORT_SCALABILITY, "ports are per host"),
    Refused("SO_REUSE_UNICASTPORT", SOL_SOCKET, SO_REUSE_UNICASTPORT, "ports are per host"),
    Refused("SO_REUSE_MULTICASTPORT", SOL_SOCKET, SO_REUSE_MULTICASTPORT, "use SO_REUSEADDR"),
    Refused("SO_TIMESTAMP", SOL_SOCKET, SO_TIMESTAMP, "packets carry no device time"),
    Refused("SO_TIMESTAMP_ID", SOL_SOCKET, SO_TIMESTAMP_ID, "packets carry no device time"),
    Refused("SO_ORIGINAL_DST", SOL_SOCKET, SO_ORIGINAL_DST, "nothing redirects"),
    Refused("SO_RECEIVED_HOPLIMIT", SOL_SOCKET, SO_RECEIVED_HOPLIMIT, "IP_RECVTTL tells"),
    Refused("SO_RECEIVED_PROCESSOR", SOL_SOCKET, SO_RECEIVED_PROCESSOR, "one thread runs a stack"),
    Refused("SO_UPDATE_ACCEPT_CONTEXT", SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, _USER_MODE),
    Refused("SO_UPDATE_CONNECT_CONTEXT", SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, _USER_MODE),
)
