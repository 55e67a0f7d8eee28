# SPDX-License-Identifier: MIT
"""A multicast router at the other end of the wire: it asks, and writes down what it is told.

One for both families: `newest` is IGMPv3 or MLDv2, `older` IGMPv2 or MLDv1.  Times are ns, codes as
they stand in messages.
"""

from __future__ import annotations

from typing import Any

from stack.base import addr
from stack.base.addr import V4
from stack.base.units import MS, SECOND
from stack.ip.groups import Groups
from stack.wire import ethernet, ext6, igmp, ipv4, ipv6, mld
from stack.wire.groups import RECORD_NAMES, shrink
from tests.harness import Host, Peer, Seen, World, quiet

SOLICITED = addr.solicited_node(addr.ANY6)[:13]

Row = tuple[str, bytes, frozenset[bytes]]


def group(family: int, number: int = 1) -> bytes:
    """A group nobody is in by himself."""
    if family == V4:
        return b"\xef\x01" + number.to_bytes(2, "big")
    return b"\xff\x15" + number.to_bytes(14, "big")


def source(family: int, number: int = 1) -> bytes:
    """The address of somebody who sends to groups."""
    if family == V4:
        return b"\x0a\x09" + number.to_bytes(2, "big")
    return b"\xfd\x09" + number.to_bytes(14, "big")


def sources(family: int, numbers: str | range) -> frozenset[bytes]:
    """Several: "13" is the first and the third."""
    return frozenset(source(family, int(number)) for number in numbers)


class Heard:
    """One membership message of the stack.

    kind    "report" (of the newest version), "old" or "leave"
    rows    (record type, group, sources) of a report; one row with the group alone otherwise
    """

    def __init__(self, seen: Seen, kind: str, version: int, rows: list[Row]) -> None:
        self.when = seen.when
        self.frame = seen.frame
        self.src = seen.pkt.src
        self.dst = seen.pkt.dst
        self.kind = kind
        self.version = version
        self.rows = rows

    @property
    def plain(self) -> list[Row]:
        """The rows without those about solicited-node groups."""
        return [row for row in self.rows if row[1][:13] != SOLICITED]


class Querier:
    """The router, its wire and the stack."""

    def __init__(self, world: World, family: int, mtu: int = 1500, **settings: Any) -> None:
        self.world = world
        self.family = family
        self.host: Host
        self.peer: Peer
        self.host, self.peer = world.host(quiet(multicast_reports=True, **settings), mtu)
        self.peer.family = family
        self.newest = 3 if family == V4 else 2
        self.older = self.newest - 1
        self.all_hosts = addr.ALL_HOSTS if family == V4 else addr.ALL_NODES
        self.link_local = addr.parse("10.77.0.2" if family == V4 else "fe80::2")
        # What the host says of itself when it comes up is over.
        world.run(30 * SECOND)
        self.heard()

    @property
    def groups(self) -> Groups:
        return self.host.stack.host.groups

    @property
    def counters(self) -> dict[str, int]:
        """What the stack counted, without zeros."""
        block = "igmp" if self.family == V4 else "mld"
        return {name: n for name, n in self.host.stack.snapshot()[block].items() if n}

    # What the host wants.

    def wants(
        self, name: bytes, include: bool, wanted: frozenset[bytes], holder: object = "user"
    ) -> None:
        """A user's filter for a group, and the stack's turn."""
        self.groups.listen(holder, self.host.nic, name, include, wanted)
        self.world.run(0)

    def joins(self, name: bytes, holder: object = "user") -> None:
        self.wants(name, False, frozenset(), holder)

    def leaves(self, name: bytes, holder: object = "user") -> None:
        self.wants(name, True, frozenset(), holder)

    # Asking.

    def asks(
        self,
        name: bytes = b"",
        named: frozenset[bytes] = frozenset(),
        version: int = 0,
        seconds: float = 10,
        robustness: int = 2,
        qqic: int = 125,
        **packet: object,
    ) -> None:
        """A query, to be answered within `seconds`; `packet` bends it (`sends`)."""
        version = version or self.newest
        listed = sorted(named)
        if self.family == V4:
            code = 0 if version == 1 else round(seconds * 10)
            if version == 3:
                code = shrink(code, 4)
                message = igmp.build_query(name, code, robustness, qqic, listed)
            else:
                message = igmp.build(igmp.QUERY, name, code)
        elif version == 2:
            code = shrink(round(seconds * 1000), 12)
            message = mld.build_query(name, code, robustness, qqic, listed)
        else:
            message = mld.build(130, name, round(seconds * 1000))
        self.sends(message, name or self.all_hosts, **packet)  # type: ignore[arg-type]

    def reports(self, name: bytes, version: int = 0) -> None:
        """Another host's report in an older version."""
        version = version or self.older
        if self.family == V4:
            message = igmp.build(igmp.REPORT1 if version == 1 else igmp.REPORT2, name)
        else:
            message = mld.build(131, name)
        self.sends(message, name)

    def sends(
        self,
        message: bytes,
        dst: bytes,
        src: bytes | None = None,
        ttl: int = 1,
        alert: bool = True,
        checksum: bool = True,
    ) -> None:
        """A membership message to the stack, and its turn."""
        src = self.link_local if src is None else src
        mac = addr.multicast_mac(dst) if addr.is_multicast(dst) else None
        if self.family == V4:
            if not checksum:
                message = message[:2] + b"\x12\x34" + message[4:]
            options = ipv4.ROUTER_ALERT if alert else b""
            total = 20 + len(options) + len(message)
            head = ipv4.build(0xC0, total, 0, 0, ttl, 2, src, dst, options)
            self.peer.frame(ethernet.TYPE_IPV4, head + message, mac)
        else:
            message = self.peer.checked(58, message, 2, src, dst)
            if not checksum:
                message = message[:2] + b"\x12\x34" + message[4:]
            proto = 58
            if alert:
                message = ext6.build_hop_by_hop(58, ext6.ROUTER_ALERT_MLD) + message
                proto = 0
            head = ipv6.build(0, 0, len(message), proto, ttl, src, dst)
            self.peer.frame(ethernet.TYPE_IPV6, head + message, mac)
        self.world.run(0)

    # Hearing.

    def heard(self, span: int = 0) -> list[Heard]:
        """The membership messages of the next `span` ns, and those nobody has looked at."""
        world, end = self.world, self.world.now + span
        world.run(0)
        self.peer.received()  # notes the time of what it reads
        while world.now < end:
            world.loop.run(max(world.now, min(end, world.loop.deadline())))
            self.peer.received()
        found = [self._read(seen) for seen in self.peer.inbox]
        self.peer.inbox.clear()
        return [message for message in found if message is not None]

    def hears(self, span: int = 0) -> list[Row]:
        """The rows of those, less those about solicited-node groups."""
        return [row for message in self.heard(span) for row in message.plain]

    def answers(self, seconds: float) -> list[Row]:
        """The same, and the answer came within so many seconds of now, and not at once."""
        start = self.world.now
        rows: list[Row] = []
        for message in self.heard(int(seconds * SECOND) + MS):
            assert start < message.when <= start + int(seconds * SECOND)
            rows += message.plain
        return rows

    def _read(self, seen: Seen) -> Heard | None:
        frame, pkt = seen.frame, seen.pkt
        l4, kind = pkt.l4, 0
        if self.family == V4:
            if pkt.proto != 2:
                return None
            kind = frame[l4]
            if kind == igmp.REPORT3:
                return self._report(seen, igmp.parse_report(frame, l4, pkt.end))
            name = igmp.group_of(frame, l4, pkt.end)
            version = 1 if kind == igmp.REPORT1 else 2
            what = "leave" if kind == igmp.LEAVE else "old"
            return Heard(seen, what, version, [(what, name, frozenset())])
        if pkt.proto != ext6.HOP_BY_HOP:
            return None
        l4 += 8
        kind = frame[l4]
        if kind == 143:
            return self._report(seen, mld.parse_report(frame, l4, pkt.end))
        name = mld.group_of(frame, l4, pkt.end)
        what = "leave" if kind == 132 else "old"
        return Heard(seen, what, 1, [(what, name, frozenset())])

    def _report(self, seen: Seen, records: object) -> Heard:
        assert isinstance(records, tuple)
        rows = [(RECORD_NAMES[r.kind], r.group, frozenset(r.sources)) for r in records]
        return Heard(seen, "report", self.newest, rows)
