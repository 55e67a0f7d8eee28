# SPDX-License-Identifier: MIT
"""Floor 5: finding the endpoint that a local name belongs to.

Most specific first: the exact address, then the family's wildcard.  Keys are bytes as they
lie in the frame (address followed by port), so a lookup costs a slice and a dictionary probe.
Connected endpoints are found by the four-tuple, which each transport keeps itself.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from stack.base.addr import V4, V6

E = TypeVar("E")


class Demux(Generic[E]):
    """Bound endpoints of one transport."""

    def __init__(self) -> None:
        self._table: dict[bytes, list[E]] = {}

    def add(self, families: int, address: bytes, port: int, endpoint: E) -> None:
        """`endpoint` receives what is sent to this name; on equal names the latest wins."""
        for key in _keys(families, address, port):
            self._table.setdefault(key, []).append(endpoint)

    def remove(self, families: int, address: bytes, port: int, endpoint: E) -> None:
        """No longer."""
        for key in _keys(families, address, port):
            holders = self._table[key]
            holders.remove(endpoint)
            if not holders:
                del self._table[key]

    def find(self, dst: bytes, port: bytes) -> E | None:
        """The endpoint for a packet to `dst` and the two octets `port`."""
        table = self._table
        found = table.get(dst + port) or table.get(_WILD[len(dst)] + port)
        return found[-1] if found else None

    def find_all(self, dst: bytes, port: bytes) -> list[E]:
        """All endpoints for a packet to a group."""
        return [*self._table.get(dst + port, ()), *self._table.get(_WILD[len(dst)] + port, ())]

    def all(self) -> list[E]:
        """Every endpoint, each once: for those who look, not for the packet path."""
        return list(dict.fromkeys(one for holders in self._table.values() for one in holders))


_WILD = {4: b"4", 16: b"6"}


def _keys(families: int, address: bytes, port: int) -> list[bytes]:
    octets = port.to_bytes(2, "big")
    if address:
        return [address + octets]
    return [_WILD[size] + octets for bit, size in ((V4, 4), (V6, 16)) if families & bit]
