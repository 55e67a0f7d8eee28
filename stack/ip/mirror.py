# SPDX-License-Identifier: MIT
"""Floor 4: one interface's configuration as plain values, and taking over another stack's.

Several stacks can be one host (`base/seam` Siblings): one of them is configured, by people, DHCP or
routers, and the others just have what it has, and give up what it has given up: addresses, routes,
name servers.  Whatever the values say, they only ever come from a stack of this host.

Called by `compartment`.
"""

from __future__ import annotations

from typing import Any, Final

from stack.base.timers import NEVER
from stack.ip.addrconf import DEPRECATED, LocalAddress
from stack.ip.host import IpHost
from stack.ip.routes import CONNECTED, Route
from stack.link.nic import Nic

Mirror = dict[str, list[Any]]

_SOURCE: Final = ("sibling",)


def look(host: IpHost, nic: Nic) -> Mirror:
    """How `nic` is configured, in values that JSON can carry."""
    names = host.name_servers
    return {
        "addresses": [
            _entry(entry)
            for layer in host.layers.values()
            for entry in layer.addresses.usable(nic.index)
        ],
        "routes": [_row(route) for route in _routes(host, nic)],
        "servers": [server.hex() for server, _ in names.servers()],
        "search": names.search(),
    }


def follow(host: IpHost, nic: Nic, told: Mirror) -> None:
    """Configure `nic` like that, without asking anybody whether the addresses are free."""
    kept = {bytes.fromhex(row[0]) for row in told["addresses"]}
    for layer in host.layers.values():
        for entry in list(layer.addresses.on(nic.index)):
            if entry.address not in kept:
                layer.remove_address(entry.address)
    for text, length, on_link, origin, preferred in told["addresses"]:
        address = bytes.fromhex(text)
        host.layer_of(address).add_address(
            nic,
            address,
            length,
            probe=False,
            preferred=NEVER if preferred else 0,
            origin=origin,
            on_link=on_link,
        )
    wanted = {tuple(row) for row in told["routes"]}
    for route in _routes(host, nic):
        row = tuple(_row(route))
        if row in wanted:
            wanted.discard(row)
        else:
            layer = host.layer_of(route.prefix)
            layer.remove_route(route.prefix, route.length, nic, route.gateway, route.origin)
    for text, length, gateway, metric, origin in sorted(wanted):
        prefix, way = bytes.fromhex(text), bytes.fromhex(gateway)
        host.layer_of(prefix).add_route(prefix, length, nic, way, metric, origin)
    servers = [bytes.fromhex(server) for server in told["servers"]]
    host.name_servers.learn(_SOURCE, nic, servers, told["search"])


def _routes(host: IpHost, nic: Nic) -> list[Route]:
    return [r for r in host.routes.all() if r.nic is nic and r.origin != CONNECTED]


def _entry(entry: LocalAddress) -> list[Any]:
    preferred = entry.state != DEPRECATED
    return [entry.address.hex(), entry.prefix_length, entry.on_link, entry.origin, preferred]


def _row(route: Route) -> list[Any]:
    return [route.prefix.hex(), route.length, route.gateway.hex(), route.metric, route.origin]
