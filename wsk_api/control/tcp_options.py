# SPDX-License-Identifier: MIT
"""Options of level IPPROTO_TCP (wsk.md 4.4)."""

from __future__ import annotations

from typing import Final

from stack.base.timers import NEVER
from stack.base.units import MS, SECOND
from stack.transport.options import (
    OPTION_CONNECT_ERRORS,
    OPTION_SYN_RETRIES,
    OPTION_TIMESTAMPS,
)
from stack.transport.seam import (
    OPTION_FAST_OPEN,
    OPTION_KEEPALIVE_COUNT,
    OPTION_KEEPALIVE_INTERVAL,
    OPTION_KEEPALIVE_TIME,
    OPTION_NODELAY,
    OPTION_USER_TIMEOUT,
)
from wsk_api.constants import (
    IPPROTO_TCP,
    TCP_FASTOPEN,
    TCP_KEEPCNT,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    TCP_MAXRT,
    TCP_NODELAY,
)
from wsk_api.control.rows import (
    BEFORE_CONNECT,
    BOOL_KIND,
    CONNECTION,
    STREAMS,
    Option,
    Refused,
    kept,
    transport,
)
from wsk_api.ntstatus import STATUS_INVALID_DEVICE_STATE, STATUS_SUCCESS
from wsk_api.option_constants import (
    TCP_ATMARK,
    TCP_BSDURGENT,
    TCP_CONGESTION_ALGORITHM,
    TCP_DELAY_FIN_ACK,
    TCP_EXPEDITED_1122,
    TCP_FAIL_CONNECT_ON_ICMP_ERROR,
    TCP_ICMP_ERROR_INFO,
    TCP_MAXRTMS,
    TCP_MAXSEG,
    TCP_NOSYNRETRIES,
    TCP_NOURG,
    TCP_OFFLOAD_PREFERENCE,
    TCP_STDURG,
    TCP_TIMESTAMPS,
)
from wsk_api.sockets import Socket

ALGORITHMS: Final = ("", "newreno", "compound", "cubic", "ledbat")
"""Congestion control by the option's value, whose numbers are not documented; 0: as configured."""


def _segment(socket: Socket, row: Option) -> tuple[int, int]:
    known = socket.statistics()
    if known is None:
        return STATUS_INVALID_DEVICE_STATE, 0
    return STATUS_SUCCESS, known["Mss"]


def _set_algorithm(socket: Socket, row: Option, value: int) -> int:
    if not value and socket.settings.get((row.level, row.code)):
        return STATUS_INVALID_DEVICE_STATE  # what was configured is not asked for again
    status = socket.set_congestion(ALGORITHMS[value]) if value else STATUS_SUCCESS
    if status == STATUS_SUCCESS:
        socket.settings[row.level, row.code] = value
    return status


def _set_no_retries(socket: Socket, row: Option, value: int) -> int:
    return socket.transport_option(OPTION_SYN_RETRIES, 0 if value else -1)


def _get_no_retries(socket: Socket, row: Option) -> tuple[int, int]:
    status, value = socket.transport_option_value(OPTION_SYN_RETRIES)
    return status, int(value == 0 and socket.has_option(OPTION_SYN_RETRIES))


ROWS: Final = (
    Option("TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, STREAMS, transport(OPTION_NODELAY), BOOL_KIND),
    Option(
        "TCP_KEEPIDLE",
        IPPROTO_TCP,
        TCP_KEEPIDLE,
        STREAMS,
        transport(OPTION_KEEPALIVE_TIME, SECOND),
        low=1,
    ),
    Option(
        "TCP_KEEPINTVL",
        IPPROTO_TCP,
        TCP_KEEPINTVL,
        STREAMS,
        transport(OPTION_KEEPALIVE_INTERVAL, SECOND),
        low=1,
    ),
    Option(
        "TCP_KEEPCNT",
        IPPROTO_TCP,
        TCP_KEEPCNT,
        STREAMS,
        transport(OPTION_KEEPALIVE_COUNT),
        low=2,  # RFC 9293 MUST-29
        high=255,
    ),
    Option("TCP_MAXSEG", IPPROTO_TCP, TCP_MAXSEG, CONNECTION, (None, _segment)),
    Option(
        "TCP_MAXRT",
        IPPROTO_TCP,
        TCP_MAXRT,
        STREAMS,
        transport(OPTION_USER_TIMEOUT, SECOND, NEVER),
    ),
    Option(
        "TCP_MAXRTMS",
        IPPROTO_TCP,
        TCP_MAXRTMS,
        STREAMS,
        transport(OPTION_USER_TIMEOUT, MS, NEVER),
    ),
    Option(
        "TCP_NOSYNRETRIES",
        IPPROTO_TCP,
        TCP_NOSYNRETRIES,
        CONNECTION,
        (_set_no_retries, _get_no_retries),
        BOOL_KIND,
        when=BEFORE_CONNECT,
    ),
    Option(
        "TCP_TIMESTAMPS",
        IPPROTO_TCP,
        TCP_TIMESTAMPS,
        CONNECTION,
        transport(OPTION_TIMESTAMPS),
        BOOL_KIND,
        when=BEFORE_CONNECT,
    ),
    Option(
        "TCP_CONGESTION_ALGORITHM",
        IPPROTO_TCP,
        TCP_CONGESTION_ALGORITHM,
        CONNECTION,
        (_set_algorithm, kept),
        high=len(ALGORITHMS) - 1,
    ),
    Option(
        "TCP_FASTOPEN", IPPROTO_TCP, TCP_FASTOPEN, STREAMS, transport(OPTION_FAST_OPEN), BOOL_KIND
    ),
    Option(
        "TCP_FAIL_CONNECT_ON_ICMP_ERROR",
        IPPROTO_TCP,
        TCP_FAIL_CONNECT_ON_ICMP_ERROR,
        CONNECTION,
        transport(OPTION_CONNECT_ERRORS),
        BOOL_KIND,
        when=BEFORE_CONNECT,
    ),
)

_URGENT: Final = "urgent data is RFC 6093's: it points behind the last octet and stays in line"

REFUSED: Final = (
    Refused("TCP_EXPEDITED_1122", IPPROTO_TCP, TCP_EXPEDITED_1122, _URGENT),
    Refused("TCP_BSDURGENT", IPPROTO_TCP, TCP_BSDURGENT, _URGENT),
    Refused("TCP_STDURG", IPPROTO_TCP, TCP_STDURG, _URGENT),
    Refused("TCP_NOURG", IPPROTO_TCP, TCP_NOURG, _URGENT),
    Refused("TCP_ATMARK", IPPROTO_TCP, TCP_ATMARK, _URGENT),
    Refused(
        "TCP_OFFLOAD_PREFERENCE", IPPROTO_TCP, TCP_OFFLOAD_PREFERENCE, "no device offloads TCP"
    ),
    Refused("TCP_DELAY_FIN_ACK", IPPROTO_TCP, TCP_DELAY_FIN_ACK, "a FIN is acknowledged at once"),
    Refused("TCP_ICMP_ERROR_INFO", IPPROTO_TCP, TCP_ICMP_ERROR_INFO, "the router is not noted"),
)
