# SPDX-License-Identifier: MIT
"""Floor 6: the half of a UDP endpoint that sends.

RFC 768 with checksums always generated, RFC 1122 4.1.3.  What can be set is kept per family
(`way`), and a single datagram can differ (the seam's `Outgoing`), by IPv4 options too (RFC 1122
4.1.3.2).  Several for one place leave in super-frames: those that are given together, and those
that one turn sends one by one (`runs`).  Not done: IPv6 extension headers.

The other half is `endpoint`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from stack.base import addr, status
from stack.base.addr import V4, V6
from stack.base.head import NO_CHECKSUM
from stack.base.units import View
from stack.base.views import cut
from stack.ip.path import Path
from stack.transport.inbox import Inbox
from stack.transport.options import PATH_MTU_DONT, PATH_MTU_PROBE, Outgoing
from stack.transport.ports import Binding
from stack.udp.runs import MAX_SUPER, MOST_SEGMENTS, MOST_VIEWS, Run
from stack.udp.way import PLAIN4, PLAIN6, Way
from stack.wire import udp

if TYPE_CHECKING:
    from stack.udp.protocol import UdpProtocol

_pack: Final = udp.HEADER.pack_into
_PROTO: Final = 17
_CHECKSUM_AT: Final = udp.CHECKSUM_AT
_MAX_PAYLOAD: Final = 65535 - udp.LENGTH
_REMEMBERED: Final = 64


class Sending(Inbox):
    """What an endpoint has and does to send."""

    __slots__ = (
        "_binding",
        "_broadcast",
        "_flow",
        "_paths",
        "_protocol",
        "_sent",
        "_turn",
        "_way4",
        "_way6",
    )

    def __init__(self, protocol: UdpProtocol, families: int) -> None:
        super().__init__(families, protocol.receive_buffer, protocol.work)
        self._protocol = protocol
        self._binding: Binding | None = None
        self._broadcast = False
        self._flow = 0
        self._paths: dict[bytes, Path] = {}
        self._sent: dict[bytes, Path] = {}  # what differed from the others went by these
        self._turn = -1  # when it last sent something
        self._way4 = PLAIN4
        self._way6 = PLAIN6

    def send(
        self,
        views: Sequence[View],
        count: int,
        address: bytes,
        port: int,
        scope: int,
        how: Outgoing | None = None,
    ) -> int:
        binding = self._binding
        if binding is None:
            return status.STATE
        if count > _MAX_PAYLOAD:
            return status.TOO_BIG
        way = self._way4 if len(address) == 4 else self._way6
        path = self._paths.get(address)
        tos, hops, df = way.tos, way.hops, way.df
        usual = how is None and not scope and not way.narrow and address[0] < way.groups
        if not usual or path is None or not path.valid or not 0 < port < 65536:
            result, path, tos, hops, df = self._way_out(address, port, scope, how, way)
            if path is None:
                return result
            usual = False
            if path.to_many and not self._to_group(path, port, views, tos, hops):
                return status.OK
        protocol = self._protocol
        length = count + 8
        if self._turn != protocol.env.now:
            self._turn = protocol.env.now  # the first of a turn waits for no other
        elif usual and not way.bare and self._follows(path, port, views, count):
            protocol.counters.out_datagrams += 1
            return status.OK
        else:
            protocol.runs.flush()  # in the order of the calls
        head = protocol.head
        if way.bare:
            start = head.begin(8, NO_CHECKSUM)
            _pack(head.buf, start, binding.port, port, length, 0)
        else:
            start = head.begin(8, _CHECKSUM_AT)
            check = (path.address_sum + _PROTO + length) % 0xFFFF
            _pack(head.buf, start, binding.port, port, length, check)
        if how is not None and how.options:
            head.options = how.options
        protocol.counters.out_datagrams += 1
        return path.send(head, views, length, _PROTO, tos, hops, self._flow, df)

    def send_segments(
        self,
        views: Sequence[View],
        total: int,
        segment: int,
        address: bytes,
        port: int,
        scope: int,
        how: Outgoing | None = None,
    ) -> tuple[int, int]:
        """In super-frames, where nothing needs a datagram to be looked at alone: a group, options,
        no checksum, more than the path takes in one piece."""
        binding = self._binding
        if binding is None:
            return status.STATE, 0
        way = self._way4 if len(address) == 4 else self._way6
        most = min(MOST_SEGMENTS, MAX_SUPER // segment)
        if most < 2 or total <= segment or way.bare or (how is not None and how.options):
            return super().send_segments(views, total, segment, address, port, scope, how)
        result, path, tos, hops, df = self._way_out(address, port, scope, how, way)
        if path is None:
            return result, 0
        if path.to_many or segment + 8 > path.room:
            return super().send_segments(views, total, segment, address, port, scope, how)
        self._protocol.runs.flush()
        step = most * segment
        sent = 0
        for part in (views,) if total <= step else cut(views, step):
            size = min(step, total - sent)
            self._protocol.counters.out_datagrams += -(-size // segment)
            result = self._send_super(path, port, part, size, segment, tos, hops, df)
            if result:
                return result, sent
            sent += size
        return status.OK, sent

    def send_run(self, path: Path, port: int, run: Run) -> None:
        """Datagrams that waited for one another leave."""
        way = self._way_to(path)
        self._send_super(path, port, run.views, run.total, run.size, way.tos, way.hops, way.df)

    def _send_super(
        self,
        path: Path,
        port: int,
        views: Sequence[View],
        size: int,
        segment: int,
        tos: int,
        hops: int,
        df: bool,
    ) -> int:
        """`size` octets as datagrams of `segment` octets, in one frame."""
        assert self._binding is not None
        if len(views) > MOST_VIEWS:
            views = (b"".join(views),)
        length = size + 8
        head = self._protocol.head
        start = head.begin(8, _CHECKSUM_AT)
        _pack(head.buf, start, self._binding.port, port, length, path.pseudo(_PROTO, length))
        if size > segment:
            head.gso_size = segment
        return path.send(head, views, length, _PROTO, tos, hops, self._flow, df)

    def _follows(self, path: Path, port: int, views: Sequence[View], count: int) -> bool:
        """A datagram that is not this turn's first may wait for others to the same place (`runs`):
        True if it does."""
        fits = path.nic.takes_runs and 0 < count <= path.room - 8
        return fits and self._protocol.runs.add(self, path, port, views, count)

    def _way_out(
        self, address: bytes, port: int, scope: int, how: Outgoing | None, way: Way
    ) -> tuple[int, Path | None, int, int, bool]:
        """By which path something is to be sent and how: traffic class, hops, DF.

        Without a path there is the status that says why.
        """
        tos, hops, df = way.tos, way.hops, way.df
        four = len(address) == 4
        if not 0 < port < 65536 or not self._families & (V4 if four else V6):
            return status.INVALID, None, 0, 0, False
        path = self._paths.get(address)
        if path is None or not path.valid or scope or how is not None:
            result, path = self._choose(address, scope, how, way)
            if path is None:
                return result, None, 0, 0, False
        group = addr.is_multicast(address)
        if how is not None:
            if how.hops == 0 and not group:
                return status.INVALID, None, 0, 0, False
            if how.options and not how.options_fit(len(address)):
                return status.INVALID, None, 0, 0, False
            tos, df = how.service(tos, df)
        if way.narrow:
            by_interface = way.mode in (PATH_MTU_DONT, PATH_MTU_PROBE)
            path = self._protocol.narrow(path, way.largest, by_interface)
        if group:
            hops = way.group_hops
        if how is not None and how.hops >= 0:
            hops = how.hops
        return status.OK, path, tos, hops, df

    def _to_group(self, path: Path, port: int, views: Sequence[View], tos: int, hops: int) -> bool:
        """Let members on this host have it.  False if nobody else is to."""
        assert self._binding is not None
        if not addr.is_multicast(path.dst):
            return True
        if self._protocol.groups.joined(path.nic.index, path.dst):
            ports = (self._binding.port, port)
            self._protocol.loop_back(path, ports, b"".join(views), tos, hops)
        return hops > 0

    def _choose(
        self, address: bytes, scope: int, how: Outgoing | None, way: Way
    ) -> tuple[int, Path | None]:
        """The path of a datagram, or the status that says why there is none."""
        assert self._binding is not None
        protocol = self._protocol
        own = self._binding.address
        src = own if len(own) == len(address) else b""
        fixed = scope
        if how is not None:
            fixed = scope or how.interface
            if how.source:
                if addr.is_unspecified(how.source) and address == addr.BROADCAST4:
                    return self._unnumbered(fixed)
                if not protocol.may_bind(how.source, addr.family(address)):
                    return status.NOT_LOCAL, None
                src = how.source
        if fixed and protocol.interface(fixed) is None:
            return status.NOT_LOCAL, None
        group = addr.is_multicast(address)
        chosen = fixed or (way.group_interface if group else way.interface)
        path = protocol.find_path(address, src, chosen)
        if path is None:
            return status.NO_ROUTE, None
        everybody = protocol.is_broadcast(path)
        if everybody and not self._broadcast:
            return status.ACCESS, None
        # What goes to everybody is looked at every time: the permission may be taken back.
        usual = how is None and not scope and not everybody
        known = self._paths if usual else self._sent
        if address not in known and len(known) >= _REMEMBERED:
            del known[next(iter(known))]
        known[address] = path
        return status.OK, path

    def _unnumbered(self, index: int) -> tuple[int, Path | None]:
        """The way to everybody on an interface, for those who have no address there yet: DHCP
        (RFC 1122 3.2.1.3 a)."""
        path = self._protocol.unnumbered_path(index, addr.BROADCAST4)
        if path is None:
            return status.NOT_LOCAL, None
        return (status.OK, path) if self._broadcast else (status.ACCESS, None)

    def _way_to(self, path: Path) -> Way:
        return self._way4 if len(path.dst) == 4 else self._way6
