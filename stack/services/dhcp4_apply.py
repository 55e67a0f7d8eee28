# SPDX-License-Identifier: MIT
"""Floor 6: what a lease says, put into the host's tables and taken out of them again.

The address goes first, and what comes with it once nobody else turned out to have it: routes, name
servers, search domains and the MTU of one interface.  An address or route that is there already,
from whomever, is left alone: it is not ours to take back.

Used by `dhcp4` and `dhcp4_inform`.
"""

from __future__ import annotations

from stack.base.timers import NEVER
from stack.ip.addrconf import DHCP
from stack.ip.host import IpHost
from stack.ip.routes import LEASED
from stack.link.nic import Nic
from stack.services.dhcp4_lease import Lease, Parameters

_Key = tuple[bytes, int, bytes]


class Applied:
    """The traces of one interface's DHCP.

    busy    we are changing the address ourselves: what is heard of it meanwhile is no news
    """

    __slots__ = ("_host", "_layer", "_nic", "_routes", "_sized", "busy")

    def __init__(self, host: IpHost, nic: Nic) -> None:
        self._host = host
        self._layer = host.layers[4]
        self._nic = nic
        self._routes: dict[_Key, int] = {}  # with their metrics
        self._sized = False
        self.busy = False

    # The address.

    def take(self, lease: Lease) -> None:
        """Put the address there, to be probed, or give it new lifetimes."""
        left = lease.left(self._host.env.now)
        self.busy = True
        self._layer.add_address(
            self._nic, lease.address, lease.prefix_length, preferred=left, valid=left, origin=DHCP
        )
        self.busy = False

    def owns(self, lease: Lease) -> bool:
        """The address is one of the interface's, and probed."""
        entry = self._layer.local.get(lease.address)
        return entry is not None and entry.nic is self._nic

    def drop(self, lease: Lease) -> None:
        """Take it away, unless it was given by hand."""
        entry = self._layer.addresses.all.get(lease.address)
        if entry is not None and entry.nic is self._nic and entry.origin == DHCP:
            self.busy = True
            self._layer.remove_address(entry.address)
            self.busy = False

    # What comes with it.

    def put(self, parameters: Parameters, lifetime: int = NEVER, routes: bool = True) -> None:
        """Let `parameters` hold, for `lifetime` ns from now, and nothing that held before.

        Without `routes` only what is no route: that is for an interface configured by hand.
        """
        wanted = parameters.routes if routes else []
        self._put_routes(wanted)
        self._put_mtu(parameters.mtu)
        self._host.name_servers.learn(
            self._source, self._nic, parameters.name_servers, parameters.search, lifetime
        )

    def clear(self) -> None:
        """Take everything back."""
        self._put_routes([])
        self._put_mtu(0)
        self._host.name_servers.forget(self._source)

    @property
    def _source(self) -> tuple[object, ...]:
        return ("dhcp4", self._nic.index)

    def _put_routes(self, wanted: list[tuple[bytes, int, bytes, int]]) -> None:
        nic, layer, ours = self._nic, self._layer, self._routes
        keys = {(prefix, length, gateway) for prefix, length, gateway, _ in wanted}
        for prefix, length, gateway in [key for key in ours if key not in keys]:
            layer.remove_route(prefix, length, nic, gateway, LEASED)
            del ours[prefix, length, gateway]
        others = {
            (route.prefix, route.length, route.gateway)
            for route in self._host.routes.all()
            if route.nic is nic
        }.difference(ours)
        for prefix, length, gateway, metric in wanted:
            key = (prefix, length, gateway)
            if key not in others and ours.get(key) != metric:
                ours[key] = metric
                layer.add_route(prefix, length, nic, gateway, metric, LEASED)

    def _put_mtu(self, mtu: int) -> None:
        """The server's, within the device's; the device's when it stops saying one."""
        if not mtu and not self._sized:
            return
        self._sized = mtu > 0
        self._layer.interface(self._nic).mtu = mtu or self._nic.mtu
        self._layer.invalidate()
