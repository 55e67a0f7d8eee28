# SPDX-License-Identifier: MIT
"""Changes of a running stack that `tools/wsk ip` asks for: addresses, routes, neighbours, links.

Each takes the stack and what was said, and raises `Refused` with a line for people where it cannot
be done.  Called by `control` on the stack's own thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from stack.base import addr
from stack.compartment import Compartment
from stack.link.nic import Nic


class Refused(Exception):
    """It cannot be done, and why."""


def nic_of(stack: Compartment, name: str) -> Nic:
    """The interface called so.  Raises Refused."""
    for nic in stack.host.nics:
        if nic.name == name:
            return nic
    raise Refused(f'Cannot find device "{name}"')


def address(text: str) -> bytes:
    """A packed address.  Raises Refused."""
    try:
        return addr.parse(text)
    except ValueError:
        raise Refused(f'"{text}" is not an address') from None


def prefix(text: str, family: int = 4) -> tuple[bytes, int]:
    """Address and length of 192.0.2.0/24, fd00::/8, a single address or "default"."""
    if text in ("default", "all", "any"):
        return (addr.ANY4, 0) if family == 4 else (addr.ANY6, 0)
    name, slash, length = text.partition("/")
    packed = address(name)
    bits = 8 * len(packed)
    if not slash:
        return packed, bits
    if not length.isdecimal() or int(length) > bits:
        raise Refused(f'"{text}" is not a prefix')
    return packed, int(length)


def add_address(stack: Compartment, said: dict[str, Any]) -> None:
    packed, length = prefix(said["prefix"])
    if packed in stack.host.layer_of(packed).addresses.all:
        raise Refused("File exists")
    if addr.is_multicast(packed) or addr.is_unspecified(packed) or addr.is_loopback(packed):
        raise Refused(f"{addr.text(packed)} cannot be an interface's address")
    nic = nic_of(stack, said["dev"])
    if nic.is_loopback:
        raise Refused("the loopback interface has its addresses")
    stack.host.layer_of(packed).add_address(nic, packed, length)


def remove_address(stack: Compartment, said: dict[str, Any]) -> None:
    packed, _ = prefix(said["prefix"])
    entry = stack.host.layer_of(packed).addresses.all.get(packed)
    if entry is None or entry.nic is not nic_of(stack, said["dev"]):
        raise Refused("Cannot assign requested address")
    if entry.nic.is_loopback:
        raise Refused("the loopback interface keeps its addresses")
    stack.host.layer_of(packed).remove_address(packed)


def _route(stack: Compartment, said: dict[str, Any]) -> tuple[bytes, int, Nic, bytes]:
    gateway = address(said["via"]) if said.get("via") else b""
    family = said.get("family") or (6 if len(gateway) == 16 else 4)
    packed, length = prefix(said["prefix"], family)
    if gateway and len(gateway) != len(packed):
        raise Refused("the gateway is of another family")
    if said.get("dev"):
        return packed, length, nic_of(stack, said["dev"]), gateway
    route = stack.host.routes.lookup(gateway) if gateway else None
    if route is None or route.gateway:
        raise Refused("Nexthop has invalid gateway, or no dev was given")
    return packed, length, route.nic, gateway


def add_route(stack: Compartment, said: dict[str, Any]) -> None:
    packed, length, nic, gateway = _route(stack, said)
    layer = stack.host.layer_of(packed)
    layer.add_route(packed, length, nic, gateway, int(said.get("metric", 0)))


def remove_route(stack: Compartment, said: dict[str, Any]) -> None:
    gateway = address(said["via"]) if said.get("via") else None
    family = said.get("family") or (6 if gateway and len(gateway) == 16 else 4)
    packed, length = prefix(said["prefix"], family)
    nics = [nic_of(stack, said["dev"])] if said.get("dev") else stack.host.nics
    layer = stack.host.layer_of(packed)
    if not any(layer.remove_route(packed, length, nic, gateway) for nic in nics):
        raise Refused("No such process")


def remove_neighbor(stack: Compartment, said: dict[str, Any]) -> None:
    if not nic_of(stack, said["dev"]).neighbors.remove(address(said["address"])):
        raise Refused("No such file or directory")


def flush_neighbors(stack: Compartment, said: dict[str, Any]) -> None:
    nics = [nic_of(stack, said["dev"])] if said.get("dev") else stack.host.nics
    for nic in nics:
        for known in list(nic.neighbors.entries):
            if said.get("family") in (None, 0, 4 if len(known) == 4 else 6):
                nic.neighbors.remove(known)


def set_link(stack: Compartment, said: dict[str, Any]) -> None:
    nic = nic_of(stack, said["dev"])
    if nic.is_loopback:
        raise Refused("the loopback interface stays up")
    stack.set_link(nic, bool(said["up"]))


CHANGES: Final[dict[str, Callable[[Compartment, dict[str, Any]], None]]] = {
    "address-add": add_address,
    "address-del": remove_address,
    "route-add": add_route,
    "route-del": remove_route,
    "neighbor-del": remove_neighbor,
    "neighbor-flush": flush_neighbors,
    "link-set": set_link,
}
"""What can be asked for by name."""
