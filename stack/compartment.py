# SPDX-License-Identifier: MIT
"""Floor 7: `Compartment`, one isolated host: interfaces, tables, transports and names of its own.

What Windows' next generation stack calls a routing compartment.  Two compartments of a stack share
the clock, the timers, the drop door and the configuration, and nothing else: the same address or
port may exist in both, and no packet crosses.  Made by `core`, which drives all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack.base import addr
from stack.base.config import Config
from stack.base.fate import DropDoor
from stack.base.seam import Env
from stack.base.timers import TimerHeap
from stack.ip.addrconf import LocalAddress
from stack.ip.host import IpHost
from stack.ip.icmp import Icmp
from stack.ip.icmp4 import Icmp4
from stack.ip.icmp6 import Icmp6
from stack.ip.igmp import Igmp
from stack.ip.mld import Mld
from stack.ip.ndp import NdpResolver
from stack.ip.routers import Routers
from stack.ip.seam import PrefixListener
from stack.ip.slaac import Autoconf
from stack.ip.v4 import V4Layer
from stack.ip.v6 import V6Layer
from stack.link.arp import ArpResolver
from stack.link.loopback import LoopbackDevice
from stack.link.nic import Nic
from stack.link.seam import Device
from stack.raw.protocol import RawProtocol
from stack.tcp.protocol import TcpProtocol
from stack.transport.naming import NameService
from stack.transport.seam import Provider
from stack.udp.protocol import UdpProtocol
from stack.wire import ethernet, icmp6, ipv4

if TYPE_CHECKING:
    from stack.services.autoconf4 import Autoconf4
    from stack.services.dhcp4_port import Dhcp4Port
    from stack.services.dhcp6 import Dhcp6
    from stack.services.link_names import LinkNames
    from stack.services.resolver import Resolver


class _RouterFlags(PrefixListener):
    """Makes DHCPv6 of what routers say about it; it is not imported before one does."""

    def __init__(self, compartment: Compartment) -> None:
        self._compartment = compartment

    def flags(self, nic: Nic, managed: bool, other: bool) -> None:
        if managed or other:
            self._compartment.dhcp6.on_router_flags(nic, managed, other)


class Compartment:
    """One host's TCP/IP.  `number` is 1 for the one that every stack has."""

    def __init__(
        self, number: int, env: Env, timers: TimerHeap, door: DropDoor, config: Config
    ) -> None:
        self.number = number
        self.env = env
        self.config = config
        self._timers = timers
        self._door = door
        self.host = IpHost(env, timers, door, config)
        self.v4 = V4Layer(self.host)
        self.v6 = V6Layer(self.host)
        self.v4.icmp = Icmp4(self.v4)
        self.v6.icmp = Icmp6(self.v6)
        self._arp = ArpResolver(self.v4, door)
        self._ndp = NdpResolver(self.v6)
        self.v6.icmp.ndp = self._ndp
        self.igmp = Igmp(self.v4)
        self.mld = self.v6.icmp.mld = Mld(self.v6, self.v6.icmp)
        self.routers = Routers(self.host, self.v6, self._ndp)
        self._ndp.routers = self.routers
        self.host.attendants.append(self.routers)
        self.v4.addresses.serve(self._arp)
        self.v6.addresses.serve(self._ndp)
        self.autoconf = Autoconf(self.v6)
        self.tcp = TcpProtocol(self.host)
        self.udp = UdpProtocol(self.host)
        self.raw = RawProtocol(self.host)
        self.v4.protocols.update(
            {
                ipv4.PROTO_TCP: self.tcp,
                ipv4.PROTO_UDP: self.udp,
                ipv4.PROTO_ICMP: self.v4.icmp,
                ipv4.PROTO_IGMP: self.igmp,
            }
        )
        self.v6.protocols.update(
            {ipv4.PROTO_TCP: self.tcp, ipv4.PROTO_UDP: self.udp, icmp6.PROTO: self.v6.icmp}
        )
        self._resolver: Resolver | None = None
        self._dhcp4: Dhcp4Port | None = None
        self._autoconf4: dict[int, Autoconf4] = {}
        self._dhcp6: Dhcp6 | None = None
        self._link_names: LinkNames | None = None
        self._loopback = LoopbackDevice()
        name = "lo" if number == 1 else f"lo{number}"
        self._loopback_nic = self._attach(self._loopback, name, is_loopback=True)
        for layer, text, length in ((self.v4, "127.0.0.1", 8), (self.v6, "::1", 128)):
            layer.loopback = self._loopback_nic
            layer.add_address(self._loopback_nic, addr.parse(text), length)
        if config.dhcp6 in ("stateless", "stateful"):
            self._make_dhcp6()
        elif config.dhcp6 == "auto":
            self.host.prefix_listeners.append(_RouterFlags(self))
        if config.llmnr or config.mdns:
            self.link_names.configure()

    # Setting up.

    def add_nic(self, device: Device, name: str = "") -> Nic:
        """Attach a device.  It has no address yet but its IPv6 link-local one."""
        return self._attach(device, name or f"nic{len(self.host.nics)}")

    def configure(self, nic: Nic) -> None:
        """Let the network give `nic` its IPv4 addresses: DHCP, or link-local ones (`autoconf4`).

        IPv6 needs nobody to start it: routers are asked and believed (`Config.accept_ra`), and say
        whether there is DHCPv6 (`Config.dhcp6`).
        """
        self.autoconf4(nic).start()

    def add_address(self, nic: Nic, address: str, prefix_length: int) -> LocalAddress:
        """Give `nic` an address of either family.  It becomes usable at once, or after
        duplicate address detection if `Config.dad` says so."""
        packed = addr.parse(address)
        return self.host.layer_of(packed).add_address(nic, packed, prefix_length)

    def remove_address(self, address: str) -> bool:
        """Give an address up; False if it is not ours."""
        packed = addr.parse(address)
        return self.host.layer_of(packed).remove_address(packed)

    def add_route(self, prefix: str, length: int, nic: Nic, gateway: str, metric: int = 0) -> None:
        """Reach a prefix through a gateway on `nic`'s link ("0.0.0.0", 0 for the default)."""
        packed = addr.parse(prefix)
        layer = self.host.layer_of(packed)
        layer.add_route(packed, length, nic, addr.parse(gateway) if gateway else b"", metric)

    def remove_route(self, prefix: str, length: int, nic: Nic, gateway: str = "") -> bool:
        """Undo `add_route`; False if there is no such route."""
        packed = addr.parse(prefix)
        layer = self.host.layer_of(packed)
        return layer.remove_route(packed, length, nic, addr.parse(gateway) if gateway else b"")

    def set_link(self, nic: Nic, up: bool) -> None:
        """The link of `nic` went down, or came up (perhaps another one)."""
        self.host.set_link(nic, up)

    @property
    def providers(self) -> list[Provider]:
        """The transports, for WSK."""
        return [self.tcp, self.udp, self.raw]

    @property
    def names(self) -> NameService:
        """The name service, for WSK.  Made when it is first asked for."""
        return self.resolver

    @property
    def resolver(self) -> Resolver:
        """The same, as the resolver it is."""
        if self._resolver is None:
            # Not before: whoever looks up no names should not pay for importing the means.
            from stack.services.resolver import Resolver

            self._resolver = Resolver(self.host, self.udp, self.tcp)
        return self._resolver

    def autoconf4(self, nic: Nic) -> Autoconf4:
        """DHCP, and link-local addresses without it, for `nic`.  Does nothing before `start`."""
        made = self._autoconf4.get(nic.index)
        if made is None:
            from stack.services.autoconf4 import Autoconf4
            from stack.services.dhcp4_port import Dhcp4Port

            if self._dhcp4 is None:
                self._dhcp4 = Dhcp4Port(self.host, self.udp)
            made = self._autoconf4[nic.index] = Autoconf4(self.host, self._dhcp4, nic)
        return made

    @property
    def dhcp6(self) -> Dhcp6:
        """DHCPv6: its clients do nothing until they are started, by configuration, by router
        advertisements or by hand."""
        return self._dhcp6 or self._make_dhcp6()

    def _make_dhcp6(self) -> Dhcp6:
        from stack.services.dhcp6 import Dhcp6  # not before somebody wants it

        self._dhcp6 = Dhcp6(self.host, self.udp)
        return self._dhcp6

    @property
    def link_names(self) -> LinkNames:
        """Names on the link: LLMNR and mDNS, and their switches.  Made when first asked for."""
        if self._link_names is None:
            from stack.services.link_names import LinkNames

            self._link_names = LinkNames(self.host, self.udp, self.tcp, self.resolver)
        return self._link_names

    def icmp_for(self, address: bytes) -> Icmp:
        """The ICMP of an address's family, for those who ping."""
        return self.v4.icmp if len(address) == 4 else self.v6.icmp

    def _attach(self, device: Device, name: str, is_loopback: bool = False) -> Nic:
        host = self.host
        nic = Nic(
            len(host.nics) + 1,
            name,
            device,
            self.env,
            self._timers,
            self._door,
            self.config,
            is_loopback,
        )
        nic.attach(ethernet.TYPE_IPV4, self.v4)
        nic.attach(ethernet.TYPE_IPV6, self.v6)
        nic.attach(ethernet.TYPE_ARP, self._arp)
        nic.neighbors.serve(4, self._arp, self.v4)
        nic.neighbors.serve(16, self._ndp, self.v6)
        host.add_nic(nic)
        return nic

    # Being driven.

    def settle(self) -> None:
        """Settle once."""
        if self._loopback.waiting():
            for frame in self._loopback.drain():
                self._loopback_nic.receive(frame)
        if self.raw.work:
            self.raw.settle()
        self.udp.settle()
        if self._resolver is not None:
            self._resolver.settle()
        self.tcp.settle()

    def waiting(self) -> bool:
        """Something waits for the next step."""
        return bool(
            self.tcp.work
            or self.udp.work
            or self.tcp.accepting
            or self.raw.work
            or self._loopback.waiting()
            or (self._resolver is not None and self._resolver.work)
        )

    # Looking.

    def snapshot(self) -> dict[str, dict[str, int]]:
        """Every counter, by block."""
        blocks = {
            "ip4": self.v4.counters,
            "ip6": self.v6.counters,
            "addresses4": self.v4.addresses.counters,
            "addresses6": self.v6.addresses.counters,
            "icmp4": self.v4.icmp.counters,
            "icmp6": self.v6.icmp.counters,
            "igmp": self.igmp.counters,
            "mld": self.mld.counters,
            "udp": self.udp.counters,
            "raw": self.raw.counters,
            "tcp": self.tcp.counters,
        }
        shot = {name: block.snapshot() for name, block in blocks.items()}
        if self._resolver is not None:
            shot["names"] = self._resolver.counters.snapshot()
        if self._dhcp4 is not None:
            shot["dhcp4"] = self._dhcp4.counters.snapshot()
        if self._dhcp6 is not None:
            shot["dhcp6"] = self._dhcp6.counters.snapshot()
        if self._link_names is not None:
            shot.update(self._link_names.snapshot())
        for nic in self.host.nics:
            shot[nic.name] = nic.counters.snapshot()
        return shot
