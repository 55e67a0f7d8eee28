# SPDX-License-Identifier: MIT
"""Floor 4: what RFC 6724 says of single addresses: scope (3.1) and policy table (2.1).

An IPv4 address is looked up as the mapped one (3.2).  The table is `Config.address_policy`; being
told another by DHCPv6 (RFC 7078) is not done.  Read by `source` and by `destination`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from stack.base import addr
from stack.base.config_ip import ADDRESS_POLICY

_MAPPED: Final = 0xFFFF << 32


def _number(address: bytes) -> int:
    number = int.from_bytes(address, "big")
    return number | _MAPPED if len(address) == 4 else number


class Policy:
    """A policy table: longest prefix first, one look into a dictionary per length in use."""

    __slots__ = ("_levels",)

    def __init__(self, rows: Iterable[tuple[str, int, int, int]] = ADDRESS_POLICY) -> None:
        levels: dict[int, dict[int, tuple[int, int]]] = {}
        for text, length, precedence, label in rows:
            prefix = addr.parse(text)
            shift = len(prefix) * 8 - length
            level = levels.setdefault(shift, {})
            level[_number(prefix) >> shift] = (precedence, label)
        self._levels = sorted(levels.items())

    def find(self, address: bytes) -> tuple[int, int]:
        """(precedence, label).  The higher the precedence, the sooner a destination is tried;
        sources and destinations of one label belong together."""
        number = _number(address)
        for shift, rows in self._levels:
            row = rows.get(number >> shift)
            if row is not None:
                return row
        raise AssertionError("Config has seen to it that ::/0 is there")


DEFAULT: Final = Policy()


def policy(rows: tuple[tuple[str, int, int, int], ...]) -> Policy:
    """The table of these rows; the default one is made but once."""
    return DEFAULT if rows is ADDRESS_POLICY else Policy(rows)


def scope(address: bytes) -> int:
    """RFC 6724 3.1: 2 link-local, 5 site-local, 14 global, the scope field of a multicast address.

    IPv4 is scoped as if mapped (3.2): 127/8 and 169.254/16 are link-local.
    """
    if len(address) == 16 and address[0] == 0xFF:
        return address[1] & 0x0F
    if addr.is_link_local(address) or addr.is_loopback(address):
        return 2
    if len(address) == 16 and address[0] == 0xFE and address[1] & 0xC0 == 0xC0:
        return 5
    return 14


def label(address: bytes) -> int:
    """By the default table."""
    return DEFAULT.find(address)[1]


def precedence(address: bytes) -> int:
    """By the default table."""
    return DEFAULT.find(address)[0]
