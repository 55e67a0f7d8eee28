# SPDX-License-Identifier: MIT
"""A name server on the other stack, in dnspython's own words, and somebody who asks."""

from __future__ import annotations

from collections.abc import Callable

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from stack.base import addr, status
from stack.base.units import SECOND
from stack.transport.datagram_seam import Datagram, DatagramSink, Received
from stack.transport.naming import Found, NameSink
from stack.transport.seam import ListenerSink, Stream, StreamSink
from tests.harness import Host, World, quiet

SOA = "ns.example. host.example. 1 7200 900 1209600 60"
Answer = Callable[["Query"], list[bytes]]


class Query:
    """One question as the server got it, and by what."""

    def __init__(self, wire: bytes, by: str, port: int) -> None:
        self.wire = wire
        self.by = by
        self.port = port
        self.message = dns.message.from_wire(wire)
        (question,) = self.message.question
        self.name = question.name.to_text(omit_final_dot=True)
        self.type = dns.rdatatype.to_text(question.rdtype)

    def __repr__(self) -> str:
        return f"{self.by} {self.name} {self.type}"


class NameServer(DatagramSink, ListenerSink):
    """Answers from `zone`, {(name, type): [data]}, unless told otherwise by `answer`.

    A name in the zone with nothing of the type asked for has no data; others do not exist.
    """

    __slots__ = (
        "answer",
        "asked",
        "closes",
        "code",
        "endpoint",
        "host",
        "silent",
        "soa",
        "ttl",
        "zone",
    )

    def __init__(self, host: Host, zone: dict[tuple[str, str], list[str]] | None = None) -> None:
        self.host = host
        self.zone = zone or {}
        self.asked: list[Query] = []
        self.answer: Answer = lambda query: [self.usual(query)]
        self.silent = False
        self.closes = True
        self.ttl = 300
        self.soa = True
        self.code = 0
        self.endpoint: Datagram = host.datagram()
        self.endpoint.attach(self)
        assert self.endpoint.bind(b"", 53, 0) == status.OK
        listener = host.listener()
        listener.attach(self)
        assert listener.bind(b"", 53, 0) == status.OK

    @property
    def seen(self) -> list[str]:
        return [repr(query) for query in self.asked]

    def usual(self, query: Query, **flags: bool) -> bytes:
        """What a recursive server says."""
        reply = dns.message.make_response(query.message, recursion_available=True)
        if self.code:
            reply.set_rcode(dns.rcode.Rcode(self.code))
            return reply.to_wire()
        name, hops = query.name, 0
        while (name, "CNAME") in self.zone and query.type != "CNAME" and hops < 5:
            (target,) = self.zone[name, "CNAME"]
            reply.answer.append(self._rrset(name, "CNAME", [target + "."]))
            name, hops = target, hops + 1
        data = self.zone.get((name, query.type))
        if data:
            reply.answer.append(self._rrset(name, query.type, data))
        elif not hops or any(owner == name for owner, _ in self.zone):
            if not any(owner == name for owner, _ in self.zone):
                reply.set_rcode(dns.rcode.NXDOMAIN)
            if self.soa:
                reply.authority.append(self._rrset("example", "SOA", [SOA]))
        if flags.get("truncated"):
            reply.flags |= dns.flags.TC
            reply.answer.clear()
        return reply.to_wire(max_size=65535)

    def _rrset(self, name: str, kind: str, data: list[str]) -> dns.rrset.RRset:
        return dns.rrset.from_text_list(dns.name.from_text(name), self.ttl, "IN", kind, data)

    def say(self, wire: bytes, address: bytes, port: int) -> None:
        assert self.endpoint.send((wire,), len(wire), address, port, 0) == status.OK

    # DatagramSink.

    def received(self, batch: list[Received]) -> int:
        for one in batch:
            self.endpoint.grant(one.charge)
            query = Query(bytes(one.view), "udp", one.port)
            self.asked.append(query)
            for wire in [] if self.silent else self.answer(query):
                self.say(wire, one.address, one.port)
        return len(batch)

    # ListenerSink.

    def accepted(self, stream: Stream) -> StreamSink:
        return TcpSession(self, stream)


class TcpSession(StreamSink):
    """One connection: a message, its answer, and what the client does then."""

    __slots__ = ("buffer", "server", "stream")

    def __init__(self, server: NameServer, stream: Stream) -> None:
        self.server = server
        self.stream = stream
        self.buffer = b""

    def received(self, views: list[memoryview], count: int, flags: int) -> int:
        self.buffer += b"".join(views)
        self.stream.grant(count)
        size = int.from_bytes(self.buffer[:2], "big")
        if len(self.buffer) >= 2 + size:
            query = Query(self.buffer[2:], "tcp", 0)
            self.server.asked.append(query)
            for wire in [] if self.server.silent else self.server.answer(query):
                data = len(wire).to_bytes(2, "big") + wire
                self.stream.send((data,), len(data), 0, "answer")
        return count

    def finished(self) -> None:
        if self.server.closes:
            self.stream.disconnect("bye")


class Asking(NameSink):
    """Writes down what it is told."""

    __slots__ = ("_world", "ends", "found", "when")

    def __init__(self, world: World | None = None) -> None:
        self._world = world
        self.when = 0  # how much time that took
        if world is not None:
            self.when -= world.now
        self.ends: list[str] = []
        self.found: Found | None = None

    def named(self, token: object, result: int, found: Found | None) -> None:
        self.ends.append(status.name(result))
        if self._world is not None:
            self.when += self._world.now
        self.found = found

    @property
    def result(self) -> str:
        """How it ended; exactly once."""
        assert len(self.ends) == 1, self.ends
        return self.ends[0]

    @property
    def addresses(self) -> list[str]:
        assert self.result == "OK"
        assert self.found is not None
        return [addr.text(address) for address in self.found.addresses]


class Scene:
    """A host that asks, and a server it asks over `family`."""

    def __init__(
        self,
        world: World,
        family: int = addr.V4,
        zone: dict[tuple[str, str], list[str]] | None = None,
        **settings: object,
    ) -> None:
        self.world = world
        server = {addr.V4: "10.77.0.2", addr.V6: "fd77::2"}[family]
        settings.setdefault("dns_servers", (server,))
        there = settings.pop("there", None)
        self.host, other = world.pair(quiet(**settings), quiet(), there=there)  # type: ignore[arg-type]
        self.server = NameServer(other, zone)
        self.resolver = self.host.stack.resolver
        self.family = family

    def ask(self, name: str, families: int = addr.V4 | addr.V6, configured: bool = False) -> Asking:
        """Begin a lookup; the token is who asks."""
        asking = Asking(self.world)
        result = self.resolver.find_addresses(name, families, configured, asking, asking)
        if result != status.PENDING:
            asking.named(asking, result, None)
        return asking

    def find(self, name: str, families: int = addr.V4 | addr.V6) -> Asking:
        """A whole lookup."""
        asking = self.ask(name, families)
        self.world.run(40 * SECOND)
        return asking

    def find_name(self, address: str) -> Asking:
        asking = Asking(self.world)
        assert self.resolver.find_name(addr.parse(address), asking, asking) == status.PENDING
        self.world.run(40 * SECOND)
        return asking

    def counted(self) -> dict[str, int]:
        return self.resolver.counters.moved()

    def nothing_is_left(self) -> bool:
        """No port, timer, connection, lookup or question."""
        self.world.run(40 * SECOND)
        stack = self.host.stack
        own = [t for t in stack.timers.armed() if "services" in type(t.owner).__module__]
        return not (
            own
            or stack.udp.ports.in_use()
            or stack.tcp.connections()
            or stack.tcp.ports.in_use()
            or self.resolver.lookups
            or self.resolver.asking()
        )
