# SPDX-License-Identifier: MIT
"""Floor 7: `Compartment`, one isolated host: interfaces, tables, transports and names of its own.

What Windows' next generation stack calls a routing compartment.  Two compartments of a stack share
the clock, the timers, the drop door and the configuration, and nothing else: the same address or
port may exist in both, and no packet crosses.  Made by `core`, which drives all of them.  Its
services are in `on_demand`.
"""

from __future__ import annotations

from stack.base import addr
from stack.base.config import Config
from stack.base.fate import DropDoor
from stack.base.seam import Env
from stack.base.timers import TimerHeap
from stack.ip import mirror
from stack.ip.addrconf import LocalAddress
from stack.ip.host import IpHost
from stack.ip.icmp import Icmp
from stack.ip.icmp4 import Icmp4
from stack.ip.icmp6 import Icmp6
from stack.ip.igmp import Igmp
from stack.ip.mld import Mld
from stack.ip.ndp import NdpResolver
from stack.ip.routers import Routers
from stack.ip.slaac import Autoconf
from stack.ip.v4 import V4Layer
from stack.ip.v6 import V6Layer
from stack.link.arp import ArpResolver
from stack.link.loopback import LoopbackDevice
from stack.link.nic import Nic
from stack.link.seam import Device
from stack.on_demand import OnDemand
from stack.raw.protocol import RawProtocol
from stack.tcp.protocol import TcpProtocol
from stack.transport.seam import Provider
from stack.udp.protocol import UdpProtocol
from stack.wire import ethernet, icmp6, ipv4


class Compartment(OnDemand):
    """One host's TCP/IP.  `number` is 1 for the one that every stack has."""

    def __init__(
        self, number: int, env: Env, timers: TimerHeap, door: DropDoor, config: Config
    ) -> None:
        super().__init__()
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
        self._loopback = LoopbackDevice()
        name = "lo" if number == 1 else f"lo{number}"
        self._loopback_nic = self._attach(self._loopback, name, is_loopback=True)
        for layer, text, length in ((self.v4, "127.0.0.1", 8), (self.v6, "::1", 128)):
            layer.loopback = self._loopback_nic
            layer.add_address(self._loopback_nic, addr.parse(text), length)
        self._start_services()

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

    def configuration(self, nic: Nic) -> mirror.Mirror:
        """Addresses, routes and name servers of `nic`, for a stack that is this host with us."""
        return mirror.look(self.host, nic)

    def configuration_state(self) -> int:
        """Another value whenever addresses or routes may be others."""
        return self.v4.generation + self.v6.generation

    def follow(self, nic: Nic, configuration: mirror.Mirror) -> None:
        """Have what another stack of this host says that it has, and nothing else."""
        mirror.follow(self.host, nic, configuration)

    @property
    def providers(self) -> list[Provider]:
        """The transports, for WSK."""
        return [self.tcp, self.udp, self.raw]

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

    def settle(self) -> bool:
        """Settle once, each who has something to settle.  True if there is more to do."""
        tcp, udp, raw, resolver = self.tcp, self.udp, self.raw, self._resolver
        if self._loopback.queue:
            for frame in self._loopback.drain():
                self._loopback_nic.receive(frame)
            self._loopback_nic.pause()
        if raw.work.items:
            raw.settle()
        if udp.work.items or udp.runs.held:
            udp.settle()
        if resolver is not None and resolver.work.items:
            resolver.settle()
        if tcp.work.items or tcp.accepting.items or tcp.holding:
            tcp.settle()
        return self.waiting()

    def waiting(self) -> bool:
        """Something waits for the next step."""
        resolver = self._resolver
        if self.tcp.work.items or self.udp.work.items or self._loopback.queue:
            return True
        if self.udp.runs.held or self.tcp.accepting.items or self.raw.work.items:
            return True
        return resolver is not None and bool(resolver.work.items)

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
        if self.host.siblings is not None:
            shot["mesh"] = self.host.siblings.counters.snapshot()
        shot.update(self._service_counters())
        for nic in self.host.nics:
            shot[nic.name] = nic.counters.snapshot()
        return shot
