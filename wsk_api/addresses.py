# SPDX-License-Identifier: MIT
"""SOCKADDRs and what the transports speak (wsk.md 5.6, 6).

IPv4-mapped addresses exist only here: a dual-stack socket writes and reads ::ffff:a.b.c.d, the
transports below get four octets.
"""

from __future__ import annotations

from typing import Final

from stack.base.addr import ANY4, ANY6, V4, V6, is_link_scope, is_mapped
from wsk_api.constants import AF_INET
from wsk_api.ntstatus import STATUS_INVALID_ADDRESS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS
from wsk_api.types import SOCKADDR, SOCKADDR_IN, SOCKADDR_IN6

_MAPPED: Final = bytes(10) + b"\xff\xff"


class Target:
    """A transport name: the address (empty for the wildcard), port, scope."""

    __slots__ = ("address", "families", "port", "scope")

    def __init__(self, address: bytes, port: int, scope: int, families: int) -> None:
        self.address = address
        self.port = port
        self.scope = scope
        self.families = families


def families_of(family: int, v6only: bool) -> int:
    """Which families a socket of `family` serves."""
    if family == AF_INET:
        return V4
    return V6 if v6only else V4 | V6


def to_transport(sockaddr: object, family: int, v6only: bool) -> tuple[int, Target | None]:
    """The transport name of `sockaddr` for a socket of `family`: (STATUS_SUCCESS, name).

    STATUS_INVALID_PARAMETER for an address of another family or nonsense,
    STATUS_INVALID_ADDRESS for a mapped address on a socket that is IPv6 only.
    """
    wild = families_of(family, v6only)
    if family == AF_INET:
        if not isinstance(sockaddr, SOCKADDR_IN) or len(sockaddr.sin_addr) != 4:
            return STATUS_INVALID_PARAMETER, None
        address, port, scope = sockaddr.sin_addr, sockaddr.sin_port, 0
    else:
        if not isinstance(sockaddr, SOCKADDR_IN6) or len(sockaddr.sin6_addr) != 16:
            return STATUS_INVALID_PARAMETER, None
        address, port, scope = (
            sockaddr.sin6_addr,
            sockaddr.sin6_port,
            sockaddr.sin6_scope_id,
        )
        if is_mapped(address):
            if v6only:
                return STATUS_INVALID_ADDRESS, None
            address = address[12:]
            wild = V4
    if not 0 <= port <= 0xFFFF:
        return STATUS_INVALID_PARAMETER, None
    if address in (ANY4, ANY6):
        return STATUS_SUCCESS, Target(b"", port, scope, wild)
    families = V4 if len(address) == 4 else V6
    return STATUS_SUCCESS, Target(bytes(address), port, scope, families)


def from_transport(address: bytes, port: int, scope: int, family: int) -> SOCKADDR:
    """The SOCKADDR a socket of `family` shows for a transport name.

    A scope is shown only where an address means nothing without one (RFC 4007 6).
    """
    if family == AF_INET:
        return SOCKADDR_IN(port, address or ANY4)
    if len(address) == 4:
        return SOCKADDR_IN6(port, _MAPPED + address)
    address = address or ANY6
    return SOCKADDR_IN6(port, address, 0, scope if is_link_scope(address) else 0)
