# SPDX-License-Identifier: MIT
"""Options of levels IPPROTO_IP and IPPROTO_IPV6 (wsk.md 4.4, 6), most of them in both forms.

On a dual socket each form is for its own family.  IPPROTO_IPV6 options of an AF_INET socket are
STATUS_INVALID_PARAMETER.  Memberships are in `groups`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from stack.transport.options import (
    OPTION_GROUP_HOPS,
    OPTION_GROUP_INTERFACE,
    OPTION_GROUP_LOOP,
    OPTION_HEAR_BROADCASTS,
    OPTION_INTERFACE,
    OPTION_LARGEST_PACKET,
    OPTION_PATH_MTU,
    PATH_MTU_DEFAULT,
    PATH_MTU_DO,
    PATH_MTU_PROBE,
)
from stack.transport.seam import (
    OPTION_CHECKSUM_AT,
    OPTION_HEADER_INCLUDED,
    OPTION_HOP_LIMIT,
    OPTION_TRAFFIC_CLASS,
)
from wsk_api import option_constants as codes
from wsk_api.constants import IPPROTO_IP, IPPROTO_IPV6, IPV6_V6ONLY
from wsk_api.control import groups
from wsk_api.control.rows import (
    BEFORE_BIND,
    BOOL_KIND,
    CONNECTION,
    DATAGRAM,
    INTERFACE_KIND,
    KEPT,
    NAMED,
    ULONG_KIND,
    Kind,
    Option,
    Refused,
    Setter,
    keep,
    kept,
    transport,
)
from wsk_api.ntstatus import (
    STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED,
    STATUS_SUCCESS,
)
from wsk_api.sockets import Socket

_UNLIMITED: Final = 0xFFFFFFFF
_LEAST_MTU: Final = {IPPROTO_IP: 68, IPPROTO_IPV6: 1280}
_RECEIVED: Final = (
    *("PKTINFO", "PKTINFO_EX", "HOPLIMIT", "RECVTCLASS", "RECVECN", "RECVIF", "RECVDSTADDR"),
    "ORIGINAL_ARRIVAL_IF",
)
"""Switches of what datagrams bring (see `ancillary`)."""
_ADDRESS_OR_INDEX: Final = Kind("address or index", 4, bytes, bytes)


def _set_class(socket: Socket, row: Option, value: int) -> int:
    if value & 3:
        return STATUS_INVALID_PARAMETER  # these bits are ECN's
    return socket.transport_option(OPTION_TRAFFIC_CLASS, value, row.families)


def _interface(option: int) -> Setter:
    def setter(socket: Socket, row: Option, value: int) -> int:
        if value and not socket.provider.has_interface(value):
            return STATUS_INVALID_PARAMETER
        return socket.transport_option(option, value, row.families)

    return setter


def _set_group_interface4(socket: Socket, row: Option, value: bytes) -> int:
    index = groups.interface_of(socket, value)
    if index is None:
        return STATUS_INVALID_PARAMETER
    status = socket.transport_option(OPTION_GROUP_INTERFACE, index, row.families)
    return status if status != STATUS_SUCCESS else keep(socket, row, value)


def _set_discovery(socket: Socket, row: Option, value: int) -> int:
    """A stream always discovers; that it should not is refused."""
    if socket.category == DATAGRAM:
        return socket.transport_option(OPTION_PATH_MTU, value, row.families)
    if value not in (PATH_MTU_DEFAULT, PATH_MTU_DO):
        return STATUS_NOT_SUPPORTED
    return keep(socket, row, value)


def _get_discovery(socket: Socket, row: Option) -> tuple[int, int]:
    if socket.category == DATAGRAM:
        return socket.transport_option_value(OPTION_PATH_MTU, row.families)
    return kept(socket, row)


def _set_whole(socket: Socket, row: Option, value: int) -> int:
    mode = PATH_MTU_DO if value else PATH_MTU_DEFAULT
    return socket.transport_option(OPTION_PATH_MTU, mode, row.families)


def _get_whole(socket: Socket, row: Option) -> tuple[int, int]:
    status, mode = socket.transport_option_value(OPTION_PATH_MTU, row.families)
    return status, int(mode in (PATH_MTU_DO, PATH_MTU_PROBE))


def _set_largest(socket: Socket, row: Option, value: int) -> int:
    largest = 0 if value == _UNLIMITED else value
    return socket.transport_option(OPTION_LARGEST_PACKET, largest, row.families)


def _get_largest(socket: Socket, row: Option) -> tuple[int, int]:
    status, value = socket.transport_option_value(OPTION_LARGEST_PACKET, row.families)
    return status, value or _UNLIMITED


def _path_mtu(socket: Socket, row: Option) -> tuple[int, int]:
    """Of a connection, or of a datagram socket with a fixed remote address."""
    mtu = socket.path_mtu()
    if not mtu or socket.speaks_ipv4_to_peer != (row.level == IPPROTO_IP):
        return STATUS_INVALID_DEVICE_STATE, 0
    return STATUS_SUCCESS, mtu


def _set_v6only(socket: Socket, row: Option, value: int) -> int:
    socket.v6only = bool(value)
    return STATUS_SUCCESS


def _get_v6only(socket: Socket, row: Option) -> tuple[int, int]:
    return STATUS_SUCCESS, int(socket.v6only)


def _set_protection(socket: Socket, row: Option, value: int) -> int:
    return keep(socket, row, value) if value in (10, 20, 30) else STATUS_INVALID_PARAMETER


def _both(level: int) -> Iterator[Option]:
    """The rows that both levels have, under the names of one."""
    four = level == IPPROTO_IP
    prefix = "IP" if four else "IPV6"

    def code(name: str) -> tuple[str, int, int]:
        full = f"{prefix}_{name}"
        return full, level, getattr(codes, full)

    group_hops = "MULTICAST_TTL" if four else "MULTICAST_HOPS"
    hops = "TTL" if four else "UNICAST_HOPS"
    yield Option(*code(hops), NAMED, transport(OPTION_HOP_LIMIT), low=1, high=255)
    yield Option(*code(group_hops), DATAGRAM, transport(OPTION_GROUP_HOPS), high=255)
    yield Option(*code("MULTICAST_LOOP"), DATAGRAM, transport(OPTION_GROUP_LOOP), BOOL_KIND)
    yield Option(
        *code("UNICAST_IF"),
        DATAGRAM,
        (_interface(OPTION_INTERFACE), transport(OPTION_INTERFACE)[1]),
        INTERFACE_KIND if four else ULONG_KIND,
    )
    yield Option(*code("TCLASS"), NAMED, (_set_class, transport(OPTION_TRAFFIC_CLASS)[1]), high=255)
    yield Option(
        *code("DONTFRAGMENT" if four else "DONTFRAG"), DATAGRAM, (_set_whole, _get_whole), BOOL_KIND
    )
    yield Option(
        *code("MTU_DISCOVER"), NAMED, (_set_discovery, _get_discovery), high=PATH_MTU_PROBE
    )
    yield Option(*code("MTU"), CONNECTION | DATAGRAM, (None, _path_mtu))
    yield Option(*code("USER_MTU"), DATAGRAM, (_set_largest, _get_largest), low=_LEAST_MTU[level])
    for name in _RECEIVED:
        yield Option(*code(name), DATAGRAM, KEPT, BOOL_KIND)


ROWS: Final = (
    *_both(IPPROTO_IP),
    *_both(IPPROTO_IPV6),
    *groups.ROWS,
    Option("IP_TOS", IPPROTO_IP, codes.IP_TOS, NAMED, (None, transport(OPTION_TRAFFIC_CLASS)[1])),
    Option(
        "IP_MULTICAST_IF",
        IPPROTO_IP,
        codes.IP_MULTICAST_IF,
        DATAGRAM,
        (_set_group_interface4, kept),
        _ADDRESS_OR_INDEX,
        default=bytes(4),
    ),
    Option(
        "IPV6_MULTICAST_IF",
        IPPROTO_IPV6,
        codes.IPV6_MULTICAST_IF,
        DATAGRAM,
        (_interface(OPTION_GROUP_INTERFACE), transport(OPTION_GROUP_INTERFACE)[1]),
    ),
    Option(
        "IP_RECEIVE_BROADCAST",
        IPPROTO_IP,
        codes.IP_RECEIVE_BROADCAST,
        DATAGRAM,
        transport(OPTION_HEAR_BROADCASTS),
        BOOL_KIND,
    ),
    Option(
        "IPV6_V6ONLY",
        IPPROTO_IPV6,
        IPV6_V6ONLY,
        NAMED,
        (_set_v6only, _get_v6only),
        BOOL_KIND,
        when=BEFORE_BIND,
    ),
    Option(
        "IPV6_PROTECTION_LEVEL",
        IPPROTO_IPV6,
        codes.IPV6_PROTECTION_LEVEL,
        NAMED,
        (_set_protection, kept),
        when=BEFORE_BIND,
        default=codes.PROTECTION_LEVEL_UNRESTRICTED,
    ),
    # Of raw sockets; others refuse them.
    Option(
        "IP_HDRINCL",
        IPPROTO_IP,
        codes.IP_HDRINCL,
        DATAGRAM,
        transport(OPTION_HEADER_INCLUDED),
        BOOL_KIND,
    ),
    Option(
        "IPV6_HDRINCL",
        IPPROTO_IPV6,
        codes.IPV6_HDRINCL,
        DATAGRAM,
        transport(OPTION_HEADER_INCLUDED),
        BOOL_KIND,
    ),
    Option(
        "IPV6_CHECKSUM",
        IPPROTO_IPV6,
        codes.IPV6_CHECKSUM,
        DATAGRAM,
        transport(OPTION_CHECKSUM_AT),
    ),
)
"""IP_TOS can only be read: setting is what the documents forbid to clients, IP_TCLASS is for that.
A protection level is kept: there is no edge traversal to restrict."""

_WHY: Final = {
    "OPTIONS": "no options of IP are sent",
    "HOPOPTS": "no extension headers are sent",
    "IFLIST": "bind to an address of the interface",
    "ADD_IFLIST": "bind to an address of the interface",
    "DEL_IFLIST": "bind to an address of the interface",
    "GET_IFLIST": "bind to an address of the interface",
    "RTHDR": "source routes are not done",
    "RECVRTHDR": "source routes are not done",
    "WFP_REDIRECT_RECORDS": "nothing redirects",
    "WFP_REDIRECT_CONTEXT": "nothing redirects",
    "NRT_INTERFACE": "every interface is one",
    "RECVERR": "errors fail the request they belong to",
}
REFUSED: Final = tuple(
    Refused(f"{prefix}_{name}", level, getattr(codes, f"{prefix}_{name}"), why)
    for prefix, level in (("IP", IPPROTO_IP), ("IPV6", IPPROTO_IPV6))
    for name, why in _WHY.items()
    if hasattr(codes, f"{prefix}_{name}")
)
