# SPDX-License-Identifier: MIT
"""Addresses as Python writes them: ("10.77.0.2", 80), ("fe80::1%2", 80).

Below, every socket of the facade is a dual-stack AF_INET6 one, so that an IPv4 address travels
as ::ffff:a.b.c.d (wsk.md 6).  Nobody above this file sees that.
Who calls it: the rest of the facade.
"""

from __future__ import annotations

import ipaddress
from typing import Any, Final, NamedTuple

from stack.base import addr
from wsk_api.types import SOCKADDR, SOCKADDR_IN6

_MAPPED: Final = bytes(10) + b"\xff\xff"


class Address(NamedTuple):
    """Where a socket is: compares equal to the plain (host, port)."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def literal(host: str, port: int) -> SOCKADDR_IN6 | None:
    """The SOCKADDR of an address written in digits, "" for the wildcard of both families;
    None if `host` is a name."""
    if not isinstance(port, int) or not 0 <= port <= 0xFFFF:
        raise ValueError(f"{port!r} is no port: an integer from 0 to 65535")
    if not host:
        return SOCKADDR_IN6(port)
    text, _, scope = host.partition("%")
    try:
        packed = addr.parse(text)
    except ValueError:
        return None
    if len(packed) == 4:
        return SOCKADDR_IN6(port, _MAPPED + packed)
    if scope and not scope.isdigit():
        raise ValueError(f"{host!r}: a scope is the number of an interface, as in fe80::1%2")
    return SOCKADDR_IN6(port, packed, 0, int(scope or 0))


def shown(sockaddr: SOCKADDR | None) -> Address:
    """The address a SOCKADDR means."""
    if not isinstance(sockaddr, SOCKADDR_IN6):
        if sockaddr is None:
            return Address("", 0)
        return Address(addr.text(sockaddr.sin_addr), sockaddr.sin_port)
    packed = sockaddr.sin6_addr
    if packed.startswith(_MAPPED):
        packed = packed[12:]
    text = str(ipaddress.ip_address(packed))
    if sockaddr.sin6_scope_id:
        text += f"%{sockaddr.sin6_scope_id}"
    return Address(text, sockaddr.sin6_port)


def pair(address: Any) -> tuple[str, int]:
    """(host, port) of what a caller gave; longer tuples, as of `socket`, lose the rest."""
    try:
        host, port = address[0], address[1]
    except (TypeError, IndexError, KeyError):
        host = port = None
    if not isinstance(host, str) or not isinstance(port, int):
        raise TypeError(f"{address!r} is no address: give (host, port)")
    return host, port
