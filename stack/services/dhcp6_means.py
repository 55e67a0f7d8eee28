# SPDX-License-Identifier: MIT
"""Floor 6: what the DHCPv6 client of one interface works with: the world, the way out, counters.

Made by `dhcp6`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from stack.base.counters import Counters
from stack.ip.addrconf import DHCP
from stack.ip.host import IpHost
from stack.link.nic import Nic
from stack.services.dhcp6_retransmit import RateLimit
from stack.wire import dhcp6

_SENT: Final = {
    dhcp6.SOLICIT: "solicits",
    dhcp6.REQUEST: "requests",
    dhcp6.CONFIRM: "confirms",
    dhcp6.RENEW: "renews",
    dhcp6.REBIND: "rebinds",
    dhcp6.RELEASE: "releases",
    dhcp6.DECLINE: "declines",
    dhcp6.INFORMATION_REQUEST: "information_requests",
}
_SAID: Final = {
    dhcp6.NO_ADDRS_AVAIL: "no_addresses",
    dhcp6.NO_BINDING: "no_bindings",
    dhcp6.NOT_ON_LINK: "not_on_links",
    dhcp6.USE_MULTICAST: "use_multicasts",
}


class Dhcp6Counters(Counters):
    """What the clients of one host sent, heard and met."""

    __slots__ = (
        "advertises",
        "confirms",
        "declines",
        "expiries",
        "failures",
        "held_back",
        "information_requests",
        "no_addresses",
        "no_bindings",
        "not_on_links",
        "other_failures",
        "rebinds",
        "reconfigures",
        "releases",
        "renews",
        "replies",
        "requests",
        "send_failures",
        "solicits",
        "use_multicasts",
    )
    advertises: int
    confirms: int
    declines: int
    expiries: int
    failures: int
    held_back: int
    information_requests: int
    no_addresses: int
    no_bindings: int
    not_on_links: int
    other_failures: int
    rebinds: int
    reconfigures: int
    releases: int
    renews: int
    replies: int
    requests: int
    send_failures: int
    solicits: int
    use_multicasts: int

    def count_sent(self, kind: int) -> None:
        """A message of this type goes out."""
        self.count(_SENT[kind])

    def count_status(self, code: int) -> None:
        """A server objects."""
        self.count(_SAID.get(code, "other_failures"))


class Means:
    """One client's.

    send      one message to all servers on the link: a status
    finished  the client has nothing more to say
    """

    __slots__ = (
        "config",
        "counters",
        "duid",
        "env",
        "finished",
        "host",
        "layer",
        "limit",
        "nic",
        "send",
        "timers",
    )

    def __init__(
        self,
        host: IpHost,
        nic: Nic,
        duid: bytes,
        counters: Dhcp6Counters,
        send: Callable[[Nic, bytes], int],
        finished: Callable[[], None],
    ) -> None:
        self.host = host
        self.layer = host.layers[16]
        self.env = host.env
        self.timers = host.timers
        self.config = host.config
        self.nic = nic
        self.duid = duid
        self.counters = counters
        self.limit = RateLimit(host.env)
        self.send = send
        self.finished = finished

    def ready(self) -> bool:
        """The link is up and has a link-local address of ours to send from."""
        return self.nic.up and bool(self.layer.link_local(self.nic))

    def give(self, address: bytes, preferred: int, valid: int) -> None:
        """The interface has `address` for so long (ns).  Whatever prefix it is of, nothing is
        thereby on the link (RFC 8415 18.2.10.1, RFC 5942 4)."""
        known = self.layer.addresses.all.get(address)
        if known is None or (known.origin == DHCP and known.nic is self.nic):
            self.layer.add_address(
                self.nic,
                address,
                128,
                preferred=preferred,
                valid=valid,
                origin=DHCP,
                on_link=False,
            )

    def take(self, address: bytes) -> None:
        """It has no longer."""
        known = self.layer.addresses.all.get(address)
        if known is not None and known.origin == DHCP and known.nic is self.nic:
            self.layer.remove_address(address)
