# SPDX-License-Identifier: MIT
"""A host and two routers, and what routers say, for the tests of router discovery."""

from __future__ import annotations

from stack.base import addr
from stack.ip.routes import ADVERTISED
from stack.ip.seam import PrefixListener
from stack.link.nic import Nic
from stack.wire import ndp_options
from stack.wire.ndp_options import PrefixInfo, RouteInfo
from tests.harness import World, quiet
from tests.harness.segment import Segment

HIGH, LOW, RESERVED = 1 << 3, 3 << 3, 2 << 3  # preferences, where they stand in the flags
FAR = addr.parse("2001:db8:ffff::1")
NET = addr.parse("2001:db8:1::")


class Scene:
    """A host and two routers."""

    def __init__(self, world: World, **settings: object) -> None:
        self.world = world
        self.segment = Segment(world, quiet(**settings))
        self.stack = self.segment.host.stack
        self.nic = self.segment.host.nic
        self.interface = self.stack.v6.interface(self.nic)
        self.x, self.y = self.segment.station(8), self.segment.station(9)

    def defaults(self) -> list[str]:
        """The default routes' gateways, best first."""
        return [
            addr.text(r.gateway)
            for r in self.stack.host.routes.all()
            if len(r.prefix) == 16 and r.length == 0
        ]

    def on_link(self, prefix: bytes = NET, length: int = 64) -> bool:
        """There is an advertised route to the prefix on the link."""
        return any(
            (r.prefix, r.length, r.gateway, r.origin) == (prefix, length, b"", ADVERTISED)
            for r in self.stack.host.routes.all()
        )

    def drops(self) -> dict[str, int]:
        return self.stack.door.snapshot()


def prefix(
    valid: int = 1800, flags: int = 0x80, text: str = "2001:db8:1::", length: int = 64
) -> bytes:
    return ndp_options.prefix(PrefixInfo(length, flags, valid, valid, addr.parse(text)))


def route(text: str, length: int, lifetime: int = 1800, preference: int = 0) -> bytes:
    return ndp_options.route(RouteInfo(length, preference, lifetime, addr.parse(text)))


def servers(lifetime: int, *texts: str) -> bytes:
    return ndp_options.servers(lifetime, tuple(addr.parse(t) for t in texts))


class Listener(PrefixListener):
    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def prefix(
        self,
        nic: Nic,
        prefix: bytes,
        length: int,
        valid: int,
        preferred: int,
        autonomous: bool,
        on_link: bool,
        router: bytes,
    ) -> None:
        self.told.append(
            (addr.text(prefix), length, valid, preferred, autonomous, on_link, addr.text(router))
        )

    def flags(self, nic: Nic, managed: bool, other: bool) -> None:
        self.told.append((managed, other))
