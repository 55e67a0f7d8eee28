# SPDX-License-Identifier: MIT
"""IOCTLs (wsk.md 4.5, 4.6)."""

from __future__ import annotations

from struct import Struct
from typing import Final

from stack.base.units import MS
from stack.transport.options import (
    OPTION_ACK_FREQUENCY,
    OPTION_INITIAL_RTO,
    OPTION_INITIAL_WINDOW,
    OPTION_SYN_RETRIES,
)
from stack.transport.seam import (
    OPTION_KEEPALIVE,
    OPTION_KEEPALIVE_INTERVAL,
    OPTION_KEEPALIVE_TIME,
)
from wsk_api import option_constants as codes
from wsk_api.control import addresses, reservation, tcp_info
from wsk_api.control.rows import (
    AFTER_BIND,
    ALL,
    BEFORE_BIND,
    BEFORE_CONNECT,
    CONNECTED,
    CONNECTION,
    DATAGRAM,
    FORBIDDEN,
    NAMED,
    OPTIONAL,
    REQUIRED,
    STREAMS,
    Call,
    Handler,
    Ioctl,
    Refused,
)
from wsk_api.extension import WSK_EXTENSION_CONTROL_IN, WSK_EXTENSION_CONTROL_OUT
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

_KEEPALIVE_VALS: Final = Struct("<III")
_INITIAL_RTO: Final = Struct("<HBx")
_SIZE_T: Final = 8
_POINTER: Final = 8
_INSPECT_ID: Final = 16
INITIAL_WINDOWS: Final = {0: 0, 1: 10, 2: 16, 3: 32, 4: 64, 254: 2}
"""Segments by level of SIO_TCP_SET_ICW; the documents give names only.  0: as configured."""


def _input(call: Call) -> memoryview:
    return memoryview(call.input).cast("B")


def _fixed(restrict: bool) -> Handler:
    """SIO_WSK_SET_REMOTE_ADDRESS (`restrict`: hear nobody else) and SIO_WSK_SET_SENDTO_ADDRESS."""

    def handler(socket: Socket, call: Call, irp: IRP | None) -> tuple[int, int]:
        if not call.input_size:
            return socket.set_fixed(None, restrict), 0
        if call.input is None or call.input_size < addresses.sockaddr_size(socket.family):
            return STATUS_INVALID_PARAMETER, 0
        status, target = socket.target(call.input)
        if target is None or not target.address or not target.port:
            return status or STATUS_INVALID_PARAMETER, 0
        return socket.set_fixed(target, restrict), 0

    return handler


def _register_extension(socket: Socket, call: Call, irp: IRP | None) -> tuple[int, int]:
    wanted, told = call.input, call.output
    if not isinstance(wanted, WSK_EXTENSION_CONTROL_IN) or call.input_size != wanted.size:
        return STATUS_INVALID_PARAMETER, 0
    if call.output_size < WSK_EXTENSION_CONTROL_OUT.size:
        return STATUS_BUFFER_TOO_SMALL, 0
    if not isinstance(told, WSK_EXTENSION_CONTROL_OUT):
        return STATUS_INVALID_PARAMETER, 0
    extension = socket.client.transports.extensions.get(wanted.NpiId)
    if extension is None:
        return STATUS_NOT_SUPPORTED, 0
    if wanted.NpiId in socket.extensions:
        return STATUS_INVALID_DEVICE_STATE, 0
    status, context = extension.register(socket, wanted.ClientContext, wanted.ClientDispatch)
    if status != STATUS_SUCCESS:
        return status, 0
    socket.extensions = {**socket.extensions, wanted.NpiId: (extension, context)}
    socket.at_close(lambda: extension.closed(context))
    told.ProviderContext = context
    told.ProviderDispatch = extension.ProviderDispatch
    return STATUS_SUCCESS, told.size


def _size(value: int, call: Call) -> tuple[int, int]:
    _output(call)[:_SIZE_T] = value.to_bytes(_SIZE_T, "little")
    return STATUS_SUCCESS, _SIZE_T


def _output(call: Call) -> memoryview:
    return memoryview(call.output).cast("B")


def _receive_backlog(socket: Socket, call: Call, irp: IRP | None) -> tuple[int, int]:
    return _size(socket.receive_backlog(), call)


def _send_backlog(socket: Socket, call: Call, irp: IRP | None) -> tuple[int, int]:
    ideal = socket.ideal_send_backlog()
    return (STATUS_NOT_SUPPORTED, 0) if ideal is None else _size(ideal, call)


def _inspect_id(socket: Socket, call: Call, irp: IRP | None) -> tuple[int, int]:
    """Of a connection that a conditional listener accepted; the output is a Ref."""
    found = socket.inspect_id
    if found is None:
        return STATUS_INVALID_DEVICE_REQUEST, 0
    if call.output_size < _INSPECT_ID:
        return STATUS_BUFFER_TOO_SMALL, 0
    call.output.value = found
    return STATUS_SUCCESS, _INSPECT_ID


def _silence(socket: Socket, call: Call, irp: IRP | None) -> tuple[int, int]:
    return socket.silence(), 0


def _keepalive_values(socket: Socket, call: Call, irp: IRP | None) -> tuple[int, int]:
    """tcp_keepalive {onoff, time in ms, interval in ms}; the times count only when switched on."""
    switch, time, interval = _KEEPALIVE_VALS.unpack_from(_input(call))
    if switch and not (time and interval):
        return STATUS_INVALID_PARAMETER, 0
    if switch:
        for option, value in (
            (OPTION_KEEPALIVE_TIME, time),
            (OPTION_KEEPALIVE_INTERVAL, interval),
        ):
            status = socket.transport_option(option, value * MS)
            if status != STATUS_SUCCESS:
                return status, 0
    return socket.transport_option(OPTION_KEEPALIVE, int(bool(switch))), 0


def _initial_rto(socket: Socket, call: Call, irp: IRP | None) -> tuple[int, int]:
    rtt, retries = _INITIAL_RTO.unpack_from(_input(call))
    status = STATUS_SUCCESS
    if rtt != codes.TCP_INITIAL_RTO_UNSPECIFIED_RTT:
        status = socket.transport_option(OPTION_INITIAL_RTO, rtt * MS)
    if (
        status == STATUS_SUCCESS
        and retries != codes.TCP_INITIAL_RTO_UNSPECIFIED_MAX_SYN_RETRANSMISSIONS
    ):
        none = retries == codes.TCP_INITIAL_RTO_NO_SYN_RETRANSMISSIONS
        status = socket.transport_option(OPTION_SYN_RETRIES, 0 if none else retries or -1)
    return status, 0


def _initial_window(socket: Socket, call: Call, irp: IRP | None) -> tuple[int, int]:
    segments = INITIAL_WINDOWS.get(int.from_bytes(_input(call)[:4], "little"))
    if segments is None:
        return STATUS_INVALID_PARAMETER, 0
    return socket.transport_option(OPTION_INITIAL_WINDOW, segments), 0


def _ack_frequency(socket: Socket, call: Call, irp: IRP | None) -> tuple[int, int]:
    if not _input(call)[0]:
        return STATUS_INVALID_PARAMETER, 0
    return socket.transport_option(OPTION_ACK_FREQUENCY, _input(call)[0]), 0


def _switch(socket: Socket, call: Call, irp: IRP | None) -> tuple[int, int]:
    """SIO_UDP_CONNRESET and SIO_UDP_NETRESET: do ICMP errors fail a receive?"""
    socket.settings[0, call.code] = int(any(_input(call)[:4]))
    return STATUS_SUCCESS, 0


ROWS: Final = (
    Ioctl(
        "SIO_WSK_SET_REMOTE_ADDRESS",
        codes.SIO_WSK_SET_REMOTE_ADDRESS,
        DATAGRAM,
        _fixed(True),
        REQUIRED,
        when=AFTER_BIND,
    ),
    Ioctl(
        "SIO_WSK_SET_SENDTO_ADDRESS",
        codes.SIO_WSK_SET_SENDTO_ADDRESS,
        DATAGRAM,
        _fixed(False),
        REQUIRED,
        when=AFTER_BIND,
    ),
    Ioctl(
        "SIO_WSK_REGISTER_EXTENSION",
        codes.SIO_WSK_REGISTER_EXTENSION,
        ALL,
        _register_extension,
        FORBIDDEN,
    ),
    Ioctl(
        "SIO_WSK_QUERY_IDEAL_SEND_BACKLOG",
        codes.SIO_WSK_QUERY_IDEAL_SEND_BACKLOG,
        CONNECTION,
        _send_backlog,
        REQUIRED,
        (None, _SIZE_T),
        CONNECTED,
    ),
    Ioctl(
        "SIO_WSK_QUERY_RECEIVE_BACKLOG",
        codes.SIO_WSK_QUERY_RECEIVE_BACKLOG,
        CONNECTION,
        _receive_backlog,
        REQUIRED,
        (None, _SIZE_T),
        CONNECTED,
    ),
    Ioctl(
        "SIO_WSK_QUERY_INSPECT_ID",
        codes.SIO_WSK_QUERY_INSPECT_ID,
        ALL,
        _inspect_id,
        FORBIDDEN,
    ),
    Ioctl(
        "SIO_WSK_SET_TCP_SILENT_MODE",
        codes.SIO_WSK_SET_TCP_SILENT_MODE,
        CONNECTION,
        _silence,
        REQUIRED,
        when=CONNECTED,
    ),
    Ioctl("SIO_ADDRESS_LIST_QUERY", codes.SIO_ADDRESS_LIST_QUERY, ALL, addresses.query, FORBIDDEN),
    Ioctl(
        "SIO_ADDRESS_LIST_CHANGE", codes.SIO_ADDRESS_LIST_CHANGE, ALL, addresses.change, REQUIRED
    ),
    Ioctl("SIO_ADDRESS_LIST_SORT", codes.SIO_ADDRESS_LIST_SORT, ALL, addresses.sort, OPTIONAL),
    Ioctl(
        "SIO_KEEPALIVE_VALS",
        codes.SIO_KEEPALIVE_VALS,
        STREAMS,
        _keepalive_values,
        OPTIONAL,
        (_KEEPALIVE_VALS.size, None),
    ),
    Ioctl("SIO_UDP_CONNRESET", codes.SIO_UDP_CONNRESET, DATAGRAM, _switch, OPTIONAL, (4, None)),
    Ioctl("SIO_UDP_NETRESET", codes.SIO_UDP_NETRESET, DATAGRAM, _switch, OPTIONAL, (4, None)),
    Ioctl(
        "SIO_TCP_INITIAL_RTO",
        codes.SIO_TCP_INITIAL_RTO,
        CONNECTION,
        _initial_rto,
        OPTIONAL,
        (_INITIAL_RTO.size, None),
        BEFORE_CONNECT,
    ),
    Ioctl(
        "SIO_TCP_SET_ICW",
        codes.SIO_TCP_SET_ICW,
        CONNECTION,
        _initial_window,
        OPTIONAL,
        (4, None),
        BEFORE_CONNECT,
    ),
    Ioctl(
        "SIO_TCP_SET_ACK_FREQUENCY",
        codes.SIO_TCP_SET_ACK_FREQUENCY,
        STREAMS,
        _ack_frequency,
        OPTIONAL,
        (1, None),
    ),
    Ioctl("SIO_TCP_INFO", codes.SIO_TCP_INFO, CONNECTION, tcp_info.query, OPTIONAL, (4, 88)),
    Ioctl(
        "SIO_ACQUIRE_PORT_RESERVATION",
        codes.SIO_ACQUIRE_PORT_RESERVATION,
        NAMED,
        reservation.acquire,
        OPTIONAL,
        (reservation.RANGE.size, reservation.INSTANCE.size),
    ),
    Ioctl(
        "SIO_RELEASE_PORT_RESERVATION",
        codes.SIO_RELEASE_PORT_RESERVATION,
        NAMED,
        reservation.release,
        OPTIONAL,
        (reservation.TOKEN.size, None),
    ),
    Ioctl(
        "SIO_ASSOCIATE_PORT_RESERVATION",
        codes.SIO_ASSOCIATE_PORT_RESERVATION,
        NAMED,
        reservation.associate,
        OPTIONAL,
        (reservation.TOKEN.size, None),
        BEFORE_BIND,
    ),
)

_RAW: Final = "raw sockets are not done"
_IPSEC: Final = "IPsec is not done"
_REDIRECT: Final = "nothing redirects"
_WHY: Final = {
    "SIO_IDEAL_SEND_BACKLOG_QUERY": "SIO_WSK_QUERY_IDEAL_SEND_BACKLOG is WSK's",
    "SIO_IDEAL_SEND_BACKLOG_CHANGE": "WskSendBacklogEvent is WSK's",
    "SIO_RCVALL": _RAW,
    "SIO_RCVALL_MCAST": _RAW,
    "SIO_RCVALL_IGMPMCAST": _RAW,
    "SIO_LOOPBACK_FAST_PATH": "deprecated; there is one loopback path",
    "SIO_APPLY_TRANSPORT_SETTING": "the settings have options of their own",
    "SIO_QUERY_TRANSPORT_SETTING": "the settings have options of their own",
    "SIO_CPU_AFFINITY": "one thread runs a stack",
    "SIO_PRIORITY_HINT": "there are no priorities",
    "SIO_SET_SECURITY": _IPSEC,
    "SIO_QUERY_SECURITY": _IPSEC,
    "SIO_SET_PEER_TARGET_NAME": _IPSEC,
    "SIO_DELETE_PEER_TARGET_NAME": _IPSEC,
    "SIO_QUERY_WFP_ALE_ENDPOINT_HANDLE": "there is no filtering platform",
    "SIO_QUERY_RSS_SCALABILITY_INFO": "one thread runs a stack",
    "SIO_QUERY_WFP_CONNECTION_REDIRECT_RECORDS": _REDIRECT,
    "SIO_QUERY_WFP_CONNECTION_REDIRECT_CONTEXT": _REDIRECT,
    "SIO_SET_WFP_CONNECTION_REDIRECT_RECORDS": _REDIRECT,
    "SIO_GET_TX_TIMESTAMP": "packets carry no device time",
    "SIO_TIMESTAMPING": "packets carry no device time",
}
REFUSED: Final = tuple(Refused(name, None, getattr(codes, name), why) for name, why in _WHY.items())
