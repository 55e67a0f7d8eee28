# SPDX-License-Identifier: MIT
"""A host called alpha.local, and a station on its link."""

from __future__ import annotations

from stack.base import addr
from stack.base.units import SECOND
from stack.services import mdns_link
from tests.harness import World
from tests.services.linkpeer import Heard, LinkScene

NAME = "alpha.local."
LOCAL = "fe80::ff:fe00:1"
"""The link-local address of the first stack of a world."""


class MdnsScene(LinkScene):
    """A host that speaks mDNS."""

    def __init__(self, world: World, family: int, mtu: int = 1500, **settings: object) -> None:
        settings.setdefault("mdns", True)
        super().__init__(world, family, 5353, mtu, **settings)

    @property
    def name(self) -> str:
        assert self.links.mdns is not None
        return str(self.links.mdns.name(self.host.nic))

    @property
    def state(self) -> int:
        assert self.links.mdns is not None
        return int(self.links.mdns.state(self.host.nic))

    def settle(self) -> None:
        """The name is the host's, and all that is long ago."""
        self.run(60 * SECOND)
        assert self.state == mdns_link.OWNED
        self.heard()

    def theirs(self) -> str:
        """The type of addresses of the family."""
        return "A" if self.family == addr.V4 else "AAAA"

    def other(self, last: int = 9) -> str:
        """An address that is not the host's."""
        return f"10.77.0.{last}" if self.family == addr.V4 else f"fd77::{last}"


def scene(world: World, family: int, **settings: object) -> MdnsScene:
    return MdnsScene(world, family, 1500, **settings)


def probes(heard: list[Heard]) -> list[Heard]:
    return [one for one in heard if not one.dns.qr]


def said(heard: list[Heard]) -> list[Heard]:
    return [one for one in heard if one.dns.qr]


def everything() -> set[str]:
    """All that alpha announces, without lifetimes."""
    six, local = (".".join(reversed(addr.parse(a).hex())) for a in ("fd77::1", LOCAL))
    return {
        f"{NAME} A 10.77.0.1",
        f"{NAME} AAAA fd77::1",
        f"{NAME} AAAA {LOCAL}",
        f"1.0.77.10.in-addr.arpa. PTR {NAME}",
        f"{six}.ip6.arpa. PTR {NAME}",
        f"{local}.ip6.arpa. PTR {NAME}",
    }


def told(heard: Heard) -> set[str]:
    return {f"{name} {data}" for name, data, _ in heard.answers}
