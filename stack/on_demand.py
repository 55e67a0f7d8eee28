# SPDX-License-Identifier: MIT
"""Floor 7: `OnDemand`, the services of a compartment, each made when it is first asked for.

Names, DHCP of both families, names on the link: most hosts use few of them, and whoever uses none
should not pay for importing them.  A service that was not made costs a test for None.  What starts
one is somebody who asks here, `Config`, or a router that says so (DHCPv6).

The other half of `Compartment`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack.ip.host import IpHost
from stack.ip.seam import PrefixListener
from stack.link.nic import Nic
from stack.tcp.protocol import TcpProtocol
from stack.transport.naming import NameService
from stack.udp.protocol import UdpProtocol

if TYPE_CHECKING:
    from stack.services.autoconf4 import Autoconf4
    from stack.services.dhcp4_port import Dhcp4Port
    from stack.services.dhcp6 import Dhcp6
    from stack.services.link_names import LinkNames
    from stack.services.resolver import Resolver


class OnDemand:
    """Services and what they stand on."""

    host: IpHost
    tcp: TcpProtocol
    udp: UdpProtocol

    def __init__(self) -> None:
        self._resolver: Resolver | None = None
        self._link_names: LinkNames | None = None
        self._dhcp4: Dhcp4Port | None = None
        self._autoconf4: dict[int, Autoconf4] = {}
        self._dhcp6: Dhcp6 | None = None

    @property
    def names(self) -> NameService:
        """The name service, for WSK."""
        return self.resolver

    @property
    def resolver(self) -> Resolver:
        """The same, as the resolver it is."""
        if self._resolver is None:
            from stack.services.resolver import Resolver

            self._resolver = Resolver(self.host, self.udp, self.tcp)
        return self._resolver

    @property
    def link_names(self) -> LinkNames:
        """Names on the link: LLMNR and mDNS, and their switches."""
        if self._link_names is None:
            from stack.services.link_names import LinkNames

            self._link_names = LinkNames(self.host, self.udp, self.tcp, self.resolver)
        return self._link_names

    def autoconf4(self, nic: Nic) -> Autoconf4:
        """DHCP, and link-local addresses without it, for `nic`.  Does nothing before `start`."""
        made = self._autoconf4.get(nic.index)
        if made is None:
            from stack.services.autoconf4 import Autoconf4

            made = self._autoconf4[nic.index] = Autoconf4(self.host, self._dhcp4_port(), nic)
        return made

    def _dhcp4_port(self) -> Dhcp4Port:
        if self._dhcp4 is None:
            from stack.services.dhcp4_port import Dhcp4Port

            self._dhcp4 = Dhcp4Port(self.host, self.udp)
        return self._dhcp4

    @property
    def dhcp6(self) -> Dhcp6:
        """DHCPv6: its clients do nothing until they are started, by configuration, by router
        advertisements or by hand."""
        if self._dhcp6 is None:
            from stack.services.dhcp6 import Dhcp6

            self._dhcp6 = Dhcp6(self.host, self.udp)
        return self._dhcp6

    def _start_services(self) -> None:
        """What `Config` asks for, of itself or as soon as a router says so."""
        config = self.host.config
        if config.dhcp6 in ("stateless", "stateful"):
            _ = self.dhcp6  # once made, its clients start with their interfaces
        elif config.dhcp6 == "auto":
            self.host.prefix_listeners.append(_RouterFlags(self))
        if config.llmnr or config.mdns:
            self.link_names.configure()

    # Being driven, and looking.

    def _service_counters(self) -> dict[str, dict[str, int]]:
        """Those of the services that were made."""
        shot: dict[str, dict[str, int]] = {}
        if self._resolver is not None:
            shot["names"] = self._resolver.counters.snapshot()
        if self._dhcp4 is not None:
            shot["dhcp4"] = self._dhcp4.counters.snapshot()
        if self._dhcp6 is not None:
            shot["dhcp6"] = self._dhcp6.counters.snapshot()
        if self._link_names is not None:
            shot.update(self._link_names.snapshot())
        return shot


class _RouterFlags(PrefixListener):
    """Makes DHCPv6 of what routers say about it."""

    def __init__(self, services: OnDemand) -> None:
        self._services = services

    def flags(self, nic: Nic, managed: bool, other: bool) -> None:
        if managed or other:
            self._services.dhcp6.on_router_flags(nic, managed, other)
