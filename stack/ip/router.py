# SPDX-License-Identifier: MIT
"""Floor 4: `Router`, what one router said that still holds.  Kept by `routers`; read by tools."""

from __future__ import annotations

from typing import Final

from stack.base import addr
from stack.base.timers import NEVER
from stack.link.nic import Nic
from stack.wire.ndp import MEDIUM

Prefix = tuple[bytes, int]
"""A prefix and its length."""

DEFAULT: Final[Prefix] = (addr.ANY6, 0)
"""The prefix of a default route."""


class Router:
    """What one router said that still holds; times in ns, NEVER for ever.

    routes     prefix -> (until, preference); the one to ::/0 makes it a default router
    prefixes   that it advertised, for addresses or as on the link -> until
    servers    address -> until
    domains    name -> until
    """

    __slots__ = ("address", "domains", "nic", "prefixes", "routes", "servers")

    def __init__(self, nic: Nic, address: bytes) -> None:
        self.nic = nic
        self.address = address
        self.routes: dict[Prefix, tuple[int, int]] = {}
        self.prefixes: dict[Prefix, int] = {}
        self.servers: dict[bytes, int] = {}
        self.domains: dict[str, int] = {}

    @property
    def default_until(self) -> int:
        """Until when it is a default router, ns; 0 if it is none."""
        return self.routes.get(DEFAULT, (0, 0))[0]

    @property
    def preference(self) -> int:
        """As a default router."""
        return self.routes.get(DEFAULT, (0, MEDIUM))[1]

    def more_specific(self) -> int:
        """How many of its routes are no default routes."""
        return len(self.routes) - (DEFAULT in self.routes)

    def empty(self) -> bool:
        """There is no reason to remember it."""
        return not (self.routes or self.prefixes or self.servers or self.domains)

    def deadline(self) -> int:
        """When the first of it ends."""
        return min(
            NEVER,
            *(until for until, _ in self.routes.values()),
            *self.prefixes.values(),
            *self.servers.values(),
            *self.domains.values(),
        )
