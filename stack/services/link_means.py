# SPDX-License-Identifier: MIT
"""Floor 6: what names on the link work with, and what a host is on one interface.

Everything here is per interface: an answer has addresses of the link it is given on and no others
(RFC 4795 2.6, RFC 6762 6.2), and whoever is not on the link is not talked to (RFC 4795 2.5, RFC
6762 11).  Read by LLMNR and mDNS, responders and queriers.
"""

from __future__ import annotations

from typing import Final

from stack.base import addr
from stack.base.counters import Counters
from stack.ip.addrconf import PREFERRED
from stack.ip.host import IpHost
from stack.link.nic import Nic
from stack.transport.datagram_seam import Datagram
from stack.transport.options import Outgoing
from stack.transport.seam import Provider

HOPS: Final = 255
ADDRESSES: Final = 32
"""Own addresses of one interface that are told, at most."""
_HEADERS: Final = {4: 28, 16: 48}


class LlmnrCounters(Counters):
    """What LLMNR did and saw."""

    __slots__ = (
        "answers",
        "asked",
        "asked_tcp",
        "conflicts",
        "malformed",
        "others",
        "queries",
        "queries_tcp",
        "refused",
        "replies",
        "throttled",
        "truncated",
        "verified",
    )
    answers: int  # sent
    asked: int  # queries sent, each to one family of one interface
    asked_tcp: int
    conflicts: int  # somebody else has the name: it was given up
    malformed: int  # no messages at all
    others: int  # queries for names that are not ours
    queries: int  # received
    queries_tcp: int
    refused: int  # messages that break a rule
    replies: int  # responses to our own queries
    throttled: int  # not done because too much is being done
    truncated: int  # answers, ours and others', that did not fit into a datagram
    verified: int  # the name turned out to be unique


class MdnsCounters(Counters):
    """What mDNS did and saw."""

    __slots__ = (
        "announcements",
        "answers",
        "asked",
        "conflicts",
        "deferred",
        "goodbyes",
        "malformed",
        "probes",
        "queries",
        "refused",
        "renamed",
        "replies",
        "responses",
        "suppressed",
        "ties_lost",
        "unicast",
    )
    announcements: int  # messages, as the three below
    answers: int  # by multicast
    asked: int  # one-shot queries sent, each to one family of one interface
    conflicts: int
    deferred: int  # queries of several messages that were waited for
    goodbyes: int
    malformed: int
    probes: int
    queries: int  # received
    refused: int  # messages that break a rule
    renamed: int
    replies: int  # responses to our own one-shot queries
    responses: int  # other responses
    suppressed: int  # answers not given because they are known, or were given
    ties_lost: int  # simultaneous probes that another won
    unicast: int  # answers by unicast


class LinkMeans:
    """The world, the host and the transports, for one protocol's names on its links."""

    __slots__ = ("config", "env", "host", "tcp", "timers", "udp")

    def __init__(self, host: IpHost, udp: Provider, tcp: Provider) -> None:
        self.host = host
        self.env = host.env
        self.timers = host.timers
        self.config = host.config
        self.udp = udp
        self.tcp = tcp

    def links(self) -> list[Nic]:
        """The interfaces that names are spoken on."""
        return [nic for nic in self.host.nics if nic.up and not nic.is_loopback]

    def nic(self, index: int) -> Nic | None:
        """The interface with this index, if names are spoken on it."""
        nic = self.host.nic(index)
        return None if nic is None or nic.is_loopback or not nic.up else nic

    def families(self, nic: Nic) -> list[int]:
        """The families, as lengths of addresses, of which `nic` has one."""
        return [size for size in (4, 16) if self.addresses(nic, size)]

    def addresses(self, nic: Nic, size: int) -> list[bytes]:
        """Usable addresses of one family on `nic`, preferred ones first."""
        own = [entry for entry in self.host.layers[size].local.values() if entry.nic is nic]
        own.sort(key=lambda entry: entry.state != PREFERRED)
        return [entry.address for entry in own[:ADDRESSES]]

    def on_link(self, nic: Nic, address: bytes) -> bool:
        """`address` is on a prefix of `nic`'s link (RFC 6762 11)."""
        if len(address) == 16 and addr.is_link_local(address):
            return True
        route = self.host.routes.lookup(address, nic)
        return route is not None and not route.gateway

    def room(self, nic: Nic, size: int, most: int) -> int:
        """Octets of a message that go in one packet on `nic`, of `most` octets at most."""
        return min(self.host.layers[size].interface(nic).mtu, most) - _HEADERS[size]


def send(socket: Datagram, wire: bytes, address: bytes, port: int, index: int) -> int:
    """Send a message over one interface with a hop limit of 255 (RFC 4795 2.5, RFC 6762 11)."""
    how = Outgoing()
    how.hops = HOPS
    how.interface = index
    return socket.send((wire,), len(wire), address, port, index, how)
