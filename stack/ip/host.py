# SPDX-License-Identifier: MIT
"""Floor 4: `IpHost`, what the two layers of one compartment share: tables, and those who attend.

Made by `compartment`; handed to the layers, the transports and the services.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from stack.base.config import Config
from stack.base.fate import DropDoor
from stack.base.packet import Packet
from stack.base.seam import Env, Siblings
from stack.base.timers import TimerHeap
from stack.ip.announcer import Announcer
from stack.ip.errors import ErrorGate
from stack.ip.fragments import Datagram, Reassembler
from stack.ip.gateways import Gateways
from stack.ip.groups import Groups
from stack.ip.identities import Identities
from stack.ip.nameservers import NameServerTable
from stack.ip.pmtu import PathMtu
from stack.ip.policy import policy
from stack.ip.redirects import Redirects
from stack.ip.routes import RouteTable
from stack.ip.seam import Attendant, PrefixListener
from stack.link.nic import Nic

if TYPE_CHECKING:
    from stack.ip.addrconf import LocalAddress
    from stack.ip.layer import IpLayer


class IpHost:
    """One host, or one compartment of it."""

    def __init__(self, env: Env, timers: TimerHeap, door: DropDoor, config: Config) -> None:
        self.env = env
        self.timers = timers
        self.door = door
        self.config = config
        self.layers: dict[int, IpLayer] = {}
        self.nics: list[Nic] = []
        self.attendants: list[Attendant] = []
        self.prefix_listeners: list[PrefixListener] = []
        self.watchers: list[tuple[int, Callable[[], None]]] = []
        self.siblings: Siblings | None = None
        self.policy = policy(config.address_policy)
        self.routes = RouteTable()
        self.gateways = Gateways(self)
        self.redirects = Redirects(self)
        self.announcer = Announcer(self)
        self.groups = Groups(config.multicast_group_limit, config.multicast_source_limit)
        self.identities = Identities(env, shard=config.shard, shards=config.shards)
        self.name_servers = NameServerTable(env, timers)
        self.pmtu = PathMtu(env, timers, config.pmtu_age, self._mtu_changed)
        self.gate = ErrorGate(
            env,
            config.icmp_error_rate,
            config.icmp_error_burst,
            config.icmp_host_rate,
            config.icmp_host_burst,
        )
        self.reassembler = Reassembler(
            env,
            timers,
            door,
            config,
            self._reassembly_failed,
            self._reassembly_expired,
        )

    def layer_of(self, address: bytes) -> IpLayer:
        """The layer of an address's family."""
        return self.layers[len(address)]

    def nic(self, index: int) -> Nic | None:
        """The interface with this index, counted from 1."""
        return self.nics[index - 1] if 0 < index <= len(self.nics) else None

    # Interfaces come, go down and come up again.

    def add_nic(self, nic: Nic) -> None:
        """`nic` belongs to this host from now on."""
        self.nics.append(nic)
        for layer in self.layers.values():
            layer.add_interface(nic)
        for attendant in self.attendants:
            attendant.nic_up(nic)

    def set_link(self, nic: Nic, up: bool) -> None:
        """The link of `nic` went down, or came up: perhaps another one (RFC 4861 6.3.7)."""
        if nic.up == up:
            return
        nic.up = up
        if not up:
            nic.neighbors.flush()
        for layer in self.layers.values():
            layer.invalidate()
        for attendant in self.attendants:
            if up:
                attendant.nic_up(nic)
            else:
                attendant.nic_down(nic)

    def set_mac(self, nic: Nic, mac: bytes) -> None:
        """`nic` has another link-layer address from now on, and the link is told (RFC 4861 7.2.6).

        The device must already deliver what is for `mac`.
        """
        nic.set_mac(mac)
        for layer in self.layers.values():
            layer.invalidate()
        self.announcer.announce(nic)

    # What the layers tell.

    def address_changed(self, entry: LocalAddress) -> None:
        """`entry` is in another state."""
        for attendant in self.attendants:
            attendant.address_changed(entry)

    def addresses_changed(self, family: int) -> None:
        """Tell those who watch this family, not from inside of whatever changed it."""
        for families, changed in self.watchers:
            if families & family:
                self.env.executor.submit(changed)

    def _mtu_changed(self, dst: bytes, index: int) -> None:
        self.layer_of(dst).mtu_changed(dst, index)

    def _reassembly_failed(self, datagram: Datagram) -> None:
        self.layer_of(datagram.source.address).stats[datagram.index].reasm_fails += 1

    def _reassembly_expired(self, first: Packet) -> None:
        self.layer_of(first.src).reassembly_expired(first)
