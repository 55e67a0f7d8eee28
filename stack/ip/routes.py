# SPDX-License-Identifier: MIT
"""Floor 4: routes.  Longest prefix, then lowest metric (RFC 1122 3.3.1, RFC 4861 5.2).

A dictionary per prefix length, so a lookup costs one probe per *length in use*, not per
route.  Both families share one table: keys of 4 and of 16 octets never meet.
Which of several that match is taken, and what becomes of those whose gateway is dead, is
`gateways`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from stack.base import addr
from stack.link.nic import Nic

# Who gave a route.
CONNECTED: Final = 0
STATIC: Final = 1
ADVERTISED: Final = 2
LEASED: Final = 3

ORIGIN_NAMES: Final = ("connected", "static", "ra", "dhcp")

ADVERTISED_METRIC: Final = 256
"""Of a route that a router advertised: what was configured by hand comes first."""


class Route:
    """How to reach a prefix: over `nic`, straight or through `gateway` (empty: on-link)."""

    __slots__ = ("gateway", "length", "metric", "nic", "origin", "prefix")

    def __init__(
        self,
        prefix: bytes,
        length: int,
        nic: Nic,
        gateway: bytes,
        metric: int,
        origin: int = STATIC,
    ) -> None:
        self.prefix = prefix
        self.length = length
        self.nic = nic
        self.gateway = gateway
        self.metric = metric
        self.origin = origin


class RouteTable:
    """All routes of one stack."""

    def __init__(self) -> None:
        self._by_length: dict[tuple[int, int], dict[bytes, list[Route]]] = {}
        self._lengths: dict[int, list[int]] = {4: [], 16: []}

    def add(self, route: Route) -> None:
        """Add a route; one with the same prefix, interface, gateway and origin is replaced."""
        size = len(route.prefix)
        table = self._by_length.setdefault((size, route.length), {})
        if route.length not in self._lengths[size]:
            self._lengths[size].append(route.length)
            self._lengths[size].sort(reverse=True)
        routes = table.setdefault(route.prefix, [])
        routes[:] = [
            r
            for r in routes
            if (r.nic, r.gateway, r.origin) != (route.nic, route.gateway, route.origin)
        ]
        routes.append(route)
        routes.sort(key=lambda r: r.metric)

    def remove(
        self,
        prefix: bytes,
        length: int,
        nic: Nic,
        gateway: bytes | None = None,
        origin: int | None = None,
    ) -> bool:
        """Remove the routes to a prefix over `nic`, of one gateway and origin if those are given;
        False if there was none."""
        size = len(prefix)
        table = self._by_length.get((size, length), {})
        routes = table.get(prefix, [])
        kept = [
            route
            for route in routes
            if route.nic is not nic
            or (gateway is not None and route.gateway != gateway)
            or (origin is not None and route.origin != origin)
        ]
        found = len(kept) < len(routes)
        routes[:] = kept
        if found and not kept:
            del table[prefix]
            if not table:
                del self._by_length[size, length]
                self._lengths[size].remove(length)
        return found

    def lookup(self, dst: bytes, nic: Nic | None = None) -> Route | None:
        """The best route to `dst`, over `nic` if one is given."""
        size = len(dst)
        for length in self._lengths[size]:
            for route in self._by_length[(size, length)].get(addr.mask(dst, length), ()):
                if nic is None or route.nic is nic:
                    return route
        return None

    def matching(self, dst: bytes) -> Iterator[list[Route]]:
        """The routes that lead to `dst`, of one prefix at a time, longest first."""
        size = len(dst)
        for length in self._lengths[size]:
            routes = self._by_length[(size, length)].get(addr.mask(dst, length))
            if routes:
                yield routes

    def all(self) -> list[Route]:
        """Every route, longest prefix first."""
        return [
            route
            for (_, _), table in sorted(self._by_length.items(), key=lambda i: -i[0][1])
            for routes in table.values()
            for route in routes
        ]
