# SPDX-License-Identifier: MIT
"""Multicast membership by option: what the structures say, and what is asked of the endpoint.

ip_mreq, ip_mreq_source, ipv6_mreq, group_req, group_source_req (wsk.md 4.4).  Sockets must be
bound.  STATUS_INVALID_PARAMETER: no group, or not of this kind of membership;
STATUS_INVALID_ADDRESS_COMPONENT: no such interface or membership; STATUS_ADDRESS_ALREADY_EXISTS:
joined already.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from stack.transport.options import BLOCK, JOIN, JOIN_SOURCE, LEAVE, LEAVE_SOURCE, UNBLOCK
from wsk_api.constants import AF_INET, AF_INET6, IPPROTO_IP, IPPROTO_IPV6
from wsk_api.control.rows import AFTER_BIND, DATAGRAM, Kind, Option, Setter
from wsk_api.ntstatus import STATUS_INVALID_ADDRESS_COMPONENT, STATUS_INVALID_PARAMETER
from wsk_api.option_constants import (
    IP_ADD_MEMBERSHIP,
    IP_ADD_SOURCE_MEMBERSHIP,
    IP_BLOCK_SOURCE,
    IP_DROP_MEMBERSHIP,
    IP_DROP_SOURCE_MEMBERSHIP,
    IP_UNBLOCK_SOURCE,
    IPV6_JOIN_GROUP,
    IPV6_LEAVE_GROUP,
    MCAST_BLOCK_SOURCE,
    MCAST_JOIN_GROUP,
    MCAST_JOIN_SOURCE_GROUP,
    MCAST_LEAVE_GROUP,
    MCAST_LEAVE_SOURCE_GROUP,
    MCAST_UNBLOCK_SOURCE,
)
from wsk_api.sockets import Socket

_MREQ: Final = Kind("ip_mreq", 8, lambda raw: (raw[:4], raw[4:], b""))
_MREQ_SOURCE: Final = Kind("ip_mreq_source", 12, lambda raw: (raw[:4], raw[8:], raw[4:8]))
_MREQ6: Final = Kind("ipv6_mreq", 20, lambda raw: (raw[:16], _index(raw[16:]), b""))
_STORAGE: Final = 128
_GROUP: Final = Kind(
    "group_req", 8 + _STORAGE, lambda raw: (_address(raw[8:]), _index(raw[:4]), b"")
)
_GROUP_SOURCE: Final = Kind(
    "group_source_req",
    8 + 2 * _STORAGE,
    lambda raw: (_address(raw[8:]), _index(raw[:4]), _address(raw[8 + _STORAGE :])),
)
_FAMILY: Final = Struct("<H")


def _index(raw: bytes) -> int:
    return int.from_bytes(raw, "little")


def _address(storage: bytes) -> bytes:
    """The address in a SOCKADDR_STORAGE; empty if it is of neither family."""
    family = _FAMILY.unpack_from(storage)[0]
    if family == AF_INET:
        return storage[4:8]
    return storage[8:24] if family == AF_INET6 else b""


def interface_of(socket: Socket, raw: bytes) -> int | None:
    """The index four octets name: 0.x.x.x is one in network order, anything else a local address.

    0: by the routes.  None: there is no such interface.
    """
    provider = socket.provider
    index = int.from_bytes(raw, "big")
    if index == 0:
        return 0
    if raw[0]:
        return provider.interface_of(raw) or None
    return index if provider.has_interface(index) else None


def _change(action: int) -> Setter:
    def setter(socket: Socket, row: Option, value: tuple[bytes, bytes | int, bytes]) -> int:
        group, where, source = value
        size = 4 if row.level == IPPROTO_IP else 16
        if len(group) != size or (action > UNBLOCK or action in (BLOCK, UNBLOCK)) != bool(source):
            return STATUS_INVALID_PARAMETER
        if source and len(source) != size:
            return STATUS_INVALID_PARAMETER
        index = interface_of(socket, where) if isinstance(where, bytes) else where
        if index is None or (index and not socket.provider.has_interface(index)):
            return STATUS_INVALID_ADDRESS_COMPONENT
        return socket.membership(action, group, index, source)

    return setter


def _row(name: str, level: int, code: int, action: int, kind: Kind) -> Option:
    return Option(name, level, code, DATAGRAM, (_change(action), None), kind, when=AFTER_BIND)


_MCAST: Final = (
    ("MCAST_JOIN_GROUP", MCAST_JOIN_GROUP, JOIN, _GROUP),
    ("MCAST_LEAVE_GROUP", MCAST_LEAVE_GROUP, LEAVE, _GROUP),
    ("MCAST_BLOCK_SOURCE", MCAST_BLOCK_SOURCE, BLOCK, _GROUP_SOURCE),
    ("MCAST_UNBLOCK_SOURCE", MCAST_UNBLOCK_SOURCE, UNBLOCK, _GROUP_SOURCE),
    ("MCAST_JOIN_SOURCE_GROUP", MCAST_JOIN_SOURCE_GROUP, JOIN_SOURCE, _GROUP_SOURCE),
    ("MCAST_LEAVE_SOURCE_GROUP", MCAST_LEAVE_SOURCE_GROUP, LEAVE_SOURCE, _GROUP_SOURCE),
)
_V4: Final = (
    ("IP_ADD_MEMBERSHIP", IP_ADD_MEMBERSHIP, JOIN, _MREQ),
    ("IP_DROP_MEMBERSHIP", IP_DROP_MEMBERSHIP, LEAVE, _MREQ),
    ("IP_ADD_SOURCE_MEMBERSHIP", IP_ADD_SOURCE_MEMBERSHIP, JOIN_SOURCE, _MREQ_SOURCE),
    ("IP_DROP_SOURCE_MEMBERSHIP", IP_DROP_SOURCE_MEMBERSHIP, LEAVE_SOURCE, _MREQ_SOURCE),
    ("IP_BLOCK_SOURCE", IP_BLOCK_SOURCE, BLOCK, _MREQ_SOURCE),
    ("IP_UNBLOCK_SOURCE", IP_UNBLOCK_SOURCE, UNBLOCK, _MREQ_SOURCE),
)
_V6: Final = (
    ("IPV6_JOIN_GROUP", IPV6_JOIN_GROUP, JOIN, _MREQ6),
    ("IPV6_LEAVE_GROUP", IPV6_LEAVE_GROUP, LEAVE, _MREQ6),
)
ROWS: Final = (
    *(_row(name, IPPROTO_IP, code, action, kind) for name, code, action, kind in _V4 + _MCAST),
    *(_row(name, IPPROTO_IPV6, code, action, kind) for name, code, action, kind in _V6 + _MCAST),
)
