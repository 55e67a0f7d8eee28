# SPDX-License-Identifier: MIT
"""The kernel's side of the wire: addresses, links, veth pairs, through pyroute2.

Everything here acts in the network namespace of the calling process.  pyroute2 is imported only
when something is brought up.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path


def configure(name: str, mtu: int, addresses: Iterable[tuple[str, int]]) -> None:
    """Give `name` its MTU and addresses and set it up, quietly: no router solicitations, no
    duplicate address detection.  Raises OSError (EPERM without CAP_NET_ADMIN)."""
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError

    _sysctl(name, "accept_dad", "0")
    _sysctl(name, "router_solicitations", "0")
    _sysctl(name, "accept_ra", "0")
    try:
        with IPRoute() as route:
            index = route.link_lookup(ifname=name)[0]
            route.link("set", index=index, mtu=mtu)
            for address, length in addresses:
                route.addr("replace", index=index, address=address, prefixlen=length)
            route.link("set", index=index, state="up")
    except NetlinkError as error:
        raise OSError(error.code, str(error)) from None


def loopback_up() -> None:
    """A new namespace has its loopback down."""
    from pyroute2 import IPRoute

    with IPRoute() as route:
        route.link("set", index=1, state="up")


def make_veth(name: str, peer: str) -> None:
    """A pair of interfaces; IPv6 is off on `peer`, where only our packet socket listens."""
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        with IPRoute() as route:
            route.link("add", ifname=name, kind="veth", peer={"ifname": peer})
            _sysctl(peer, "disable_ipv6", "1")
            route.link("set", index=route.link_lookup(ifname=peer)[0], state="up")
    except NetlinkError as error:
        raise OSError(error.code, str(error)) from None


def open_ping_to_all() -> None:
    """Let every user of this namespace ping without a raw socket."""
    with contextlib.suppress(OSError):
        Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 0")


def _sysctl(name: str, key: str, value: str) -> None:
    """An IPv6 setting of one interface; a kernel without IPv6 has none."""
    with contextlib.suppress(OSError):
        Path(f"/proc/sys/net/ipv6/conf/{name}/{key}").write_text(value)
