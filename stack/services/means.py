# SPDX-License-Identifier: MIT
"""Floor 6: what the parts of a resolver work with: the world, the transports, the counters."""

from __future__ import annotations

import ipaddress
from typing import Final

from stack.base.config import Config
from stack.base.counters import Counters
from stack.base.seam import Env
from stack.base.timers import TimerHeap
from stack.transport.seam import Provider

PORT: Final = 53

# Whom a question goes to.
DNS: Final = 0
MDNS: Final = 1
LLMNR: Final = 2

# Types of records (RFC 1035 3.2.2, RFC 3596 2.1).
A: Final = 1
CNAME: Final = 5
SOA: Final = 6
PTR: Final = 12
AAAA: Final = 28
OPT: Final = 41


class NameCounters(Counters):
    """What a resolver did and saw."""

    __slots__ = (
        "cache_hits",
        "lookups",
        "malformed",
        "mismatched",
        "queries_tcp",
        "queries_udp",
        "replies",
        "server_failures",
        "timeouts",
        "truncated",
        "unreachable",
    )
    cache_hits: int
    lookups: int
    malformed: int
    mismatched: int
    queries_tcp: int
    queries_udp: int
    replies: int
    server_failures: int
    timeouts: int
    truncated: int
    unreachable: int


class Server:
    """A recursive name server: its address and, if link-local, the interface's index."""

    __slots__ = ("address", "scope")

    def __init__(self, address: bytes, scope: int = 0) -> None:
        self.address = address
        self.scope = scope

    @classmethod
    def read(cls, text: str) -> Server:
        """The server that `text` names.  Raises ValueError if that is no address."""
        parsed = ipaddress.ip_address(text)
        zone = getattr(parsed, "scope_id", None)
        return cls(parsed.packed, int(zone) if zone else 0)


class Means:
    """One resolver's."""

    __slots__ = ("config", "counters", "env", "servers", "tcp", "timers", "udp")

    def __init__(
        self, env: Env, timers: TimerHeap, udp: Provider, tcp: Provider, config: Config
    ) -> None:
        self.env = env
        self.timers = timers
        self.udp = udp
        self.tcp = tcp
        self.config = config
        self.counters = NameCounters()
        self.servers: list[Server] = []

    def prefer(self, server: Server) -> None:
        """`server` answers: ask it first next time."""
        if server in self.servers and self.servers[0] is not server:
            self.servers.remove(server)
            self.servers.insert(0, server)
