# SPDX-License-Identifier: MIT
"""Floor 6: how one interface comes by its IPv4 address: DHCP, and link-local while that fails.

    start() -> DHCP --- no lease for Config.linklocal4_delay ---> link-local beside it
                 ^                                                        |
                 +------ a lease, or any routable address: retired -------+

DHCP goes on asking all the time (RFC 3927 1.9, 2.11).  `inform` is for interfaces that have an
address and want only parameters.  Made by `OnDemand.autoconf4`, one per interface; told by the
IP host of links and addresses.
"""

from __future__ import annotations

from typing import Any, Final

from stack.base import addr, status
from stack.base.lifetimes import seconds_left
from stack.base.seam import TimerOwner
from stack.base.timers import Timer
from stack.ip.addrconf import LocalAddress
from stack.ip.host import IpHost
from stack.ip.seam import Attendant
from stack.link.nic import Nic
from stack.services import dhcp4_inform, dhcp4_states, linklocal4
from stack.services.dhcp4 import Dhcp4Client
from stack.services.dhcp4_inform import Dhcp4Inform
from stack.services.dhcp4_lease import Parameters
from stack.services.dhcp4_port import Dhcp4Port
from stack.services.linklocal4 import LinkLocal4

_ABSENT: Final = (linklocal4.STOPPED, linklocal4.RETIRING)


class Autoconf4(Attendant, TimerOwner):
    """One interface's."""

    def __init__(self, host: IpHost, port: Dhcp4Port, nic: Nic) -> None:
        self._host = host
        self._nic = nic
        self._layer = host.layers[4]
        self._fallback = Timer(self)
        self._on = False
        self.client = Dhcp4Client(host, port, nic, self._progressed)
        self.link_local = LinkLocal4(host, nic, self._progressed)
        self.informer = Dhcp4Inform(host, port, nic, self._progressed)
        host.attendants.append(self)

    # The user's side.

    def start(self, address: str = "") -> int:
        """Get an address; `address` is one that the interface had once, to be asked for first.

        OK; STATE if it was started already; IN_USE if something else has UDP port 68.  Raises
        ValueError if `address` is no IPv4 address.
        """
        wish = addr.parse(address) if address else b""
        if len(wish) not in (0, 4):
            raise ValueError(f"{address!r} is no IPv4 address")
        if self.informer.state != dhcp4_inform.IDLE:
            return status.STATE
        result = self.client.start(wish)
        if result == status.OK:
            self._on = True
            self._progressed()
        return result

    def stop(self, release: bool = True) -> None:
        """Give the address up, or back to its server unless `release` is False."""
        self._on = False
        self._fallback.disarm()
        self.link_local.stop()
        self.client.stop(release)
        self.informer.stop()

    def inform(self, address: str) -> int:
        """Ask for parameters only.  OK, STATE (DHCP runs), NOT_LOCAL, IN_USE; ValueError for what
        is no address."""
        if self.client.state != dhcp4_states.STOPPED:
            return status.STATE
        self.informer.stop()
        return self.informer.start(addr.parse(address))

    def state(self) -> dict[str, Any]:
        """How it stands, for tools: names and texts; times are whole seconds from now, None for
        what never comes."""
        client, lease, now = self.client, self.client.lease, self._host.env.now
        shown: dict[str, Any] = {
            "interface": self._nic.name,
            "state": dhcp4_states.STATE_NAMES[client.state],
            "link_local": linklocal4.STATE_NAMES[self.link_local.state],
            "link_local_address": "",
            "inform": dhcp4_inform.STATE_NAMES[self.informer.state],
            "address": "",
            "server": "",
            "t1": None,
            "t2": None,
            "expires": None,
        }
        if self.link_local.state != linklocal4.STOPPED:
            shown["link_local_address"] = addr.text(self.link_local.address)
        if lease is not None:
            shown["address"] = f"{addr.text(lease.address)}/{lease.prefix_length}"
            shown["server"] = addr.text(lease.server)
            shown["t1"] = seconds_left(now, lease.renews)
            shown["t2"] = seconds_left(now, lease.rebinds)
            shown["expires"] = seconds_left(now, lease.expires)
        parameters = self.informer.parameters if lease is None else lease.parameters
        shown.update(_shown(parameters))
        return shown

    # Attendant.

    def nic_up(self, nic: Nic) -> None:
        if nic is self._nic:
            self.link_local.nic_up()
            self.client.nic_up()
            self._progressed()

    def nic_down(self, nic: Nic) -> None:
        if nic is self._nic:
            self.client.nic_down()

    def address_changed(self, entry: LocalAddress) -> None:
        if entry.nic is self._nic:
            self.client.address_changed(entry)
            self.link_local.address_changed(entry)
            self._progressed()

    # Which of the two it is to be.

    def fired(self, timer: Timer) -> None:
        if self._on and self._nic.up and not self._has_address():
            self.link_local.start()

    def _progressed(self) -> None:
        """Something changed: a link-local address is wanted only while there is no other."""
        if not self._on or not self._host.config.linklocal4:
            return
        if self._has_address():
            self._fallback.disarm()
            if self.link_local.state in (linklocal4.CLAIMING, linklocal4.CLAIMED):
                self.link_local.retire(self._host.config.linklocal4_linger)
        elif self.link_local.state in _ABSENT and not self._fallback.armed:
            when = self._host.env.now + self._host.config.linklocal4_delay
            self._host.timers.arm(self._fallback, when)

    def _has_address(self) -> bool:
        """The interface has an address that is good beyond the link."""
        return any(
            entry.nic is self._nic and not addr.is_link_local(entry.address)
            for entry in self._layer.local.values()
        )


def _shown(parameters: Parameters | None) -> dict[str, Any]:
    if parameters is None:
        return {"routes": [], "name_servers": [], "search": [], "mtu": 0, "broadcast": ""}
    return {
        "routes": [
            (f"{addr.text(prefix)}/{length}", addr.text(gateway) if gateway else "")
            for prefix, length, gateway, _ in parameters.routes
        ],
        "name_servers": [addr.text(server) for server in parameters.name_servers],
        "search": list(parameters.search),
        "mtu": parameters.mtu,
        "broadcast": addr.text(parameters.broadcast) if parameters.broadcast else "",
    }
