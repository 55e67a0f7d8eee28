# SPDX-License-Identifier: MIT
"""Floor 4: what ICMP and ICMPv6 have in common: echo both ways, errors in, errors out.

Done: echo server (RFC 1122 3.2.2.6, RFC 4443 4.2) and client, errors handed to the transport
that the quoted packet names, errors sent within the rules of `errors`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stack.base import fate
from stack.base.checksum import data_sum, finish
from stack.base.counters import Counters
from stack.base.packet import Packet
from stack.base.status import NO_ROUTE
from stack.base.units import View
from stack.ip.layer import IpLayer
from stack.ip.path import Path
from stack.ip.seam import TransportLayer
from stack.wire.icmp4 import HEADER, LENGTH

EchoSink = Callable[[bytes, int, int, int, int], None]
"""Told (source, sequence, payload octets, hop limit, arrival ns) of a matching echo reply."""


class IcmpCounters(Counters):
    """RFC 4293's ICMP group, in short."""

    __slots__ = (
        "in_echo_replies",
        "in_echos",
        "in_errors",
        "in_msgs",
        "out_echo_replies",
        "out_echos",
        "out_errors",
        "out_msgs",
    )
    in_echo_replies: int
    in_echos: int
    in_errors: int
    in_msgs: int
    out_echo_replies: int
    out_echos: int
    out_errors: int
    out_msgs: int


class Icmp(TransportLayer):
    """The part of ICMP that does not care about the family."""

    proto: int
    echo_request: int
    echo_reply: int

    def __init__(self, layer: IpLayer) -> None:
        self.layer = layer
        self.door = layer.door
        self.counters = IcmpCounters()
        self._waiting: dict[int, EchoSink] = {}

    # What a family must say.

    def is_error(self, kind: int) -> bool:
        """Messages of type `kind` report errors; no error is sent about them."""
        raise NotImplementedError

    def message(self, pkt: Packet, kind: int, code: int, rest: int) -> None:
        """A sound message that is not echo."""
        raise NotImplementedError

    def address_sum(self, pkt: Packet, length: int) -> int:
        """The pseudo-header's share of a received checksum: 0 in IPv4."""
        raise NotImplementedError

    def path_sum(self, path: Path, length: int) -> int:
        """The pseudo-header's share of a sent checksum."""
        raise NotImplementedError

    def echo_welcome(self, pkt: Packet) -> bool:
        """Answer an echo request with this destination?"""
        raise NotImplementedError

    # Receiving.

    def receive(self, pkt: Packet) -> None:
        counters = self.counters
        counters.in_msgs += 1
        length = pkt.end - pkt.l4
        if length < LENGTH:
            counters.in_errors += 1
            self.door.drop(pkt, fate.ICMP_SHORT)
            return
        view = memoryview(pkt.frame)[pkt.l4 : pkt.end]
        if not pkt.csum_ok and (data_sum(view) + self.address_sum(pkt, length)) % 0xFFFF:
            counters.in_errors += 1
            self.door.drop(pkt, fate.ICMP_CHECKSUM)
            return
        kind, code, _, rest = HEADER.unpack_from(pkt.frame, pkt.l4)
        if kind == self.echo_request:
            self._answer_echo(pkt, rest, view[LENGTH:])
        elif kind == self.echo_reply:
            self._take_reply(pkt, rest, length - LENGTH)
        else:
            self.message(pkt, kind, code, rest)

    def _answer_echo(self, pkt: Packet, rest: int, data: memoryview) -> None:
        """Same identifier, sequence and data, from the address that was asked."""
        self.counters.in_echos += 1
        if pkt.src == self.layer.any or not self.echo_welcome(pkt):
            self.door.drop(pkt, fate.ICMP_ECHO_GROUP)
            return
        path = self.layer.reply_path(pkt)
        if path is not None:
            self.counters.out_echo_replies += 1
            self.send(path, self.echo_reply, 0, rest, (data,), df=False)

    def _take_reply(self, pkt: Packet, rest: int, size: int) -> None:
        self.counters.in_echo_replies += 1
        sink = self._waiting.get(rest >> 16)
        if sink is None:
            self.door.drop(pkt, fate.ICMP_REPLY_UNEXPECTED)
            return
        sink(pkt.src, rest & 0xFFFF, size, pkt.ttl, pkt.arrived)

    # Sending.

    def send(
        self,
        path: Path,
        kind: int,
        code: int,
        rest: int,
        views: Sequence[View],
        df: bool = True,
        hops: int = 0,
    ) -> int:
        """Send one message with its checksum; a status as from `Path.send`."""
        head = self.layer.head
        head.reset()
        length = LENGTH + sum(len(v) for v in views)
        body = views[0] if len(views) == 1 else b"".join(views)
        bare = HEADER.pack(kind, code, 0, rest)
        total = data_sum(bare) + data_sum(body) + self.path_sum(path, length)
        head.push(HEADER.pack(kind, code, finish(total), rest))
        head.l4 = head.start
        self.counters.out_msgs += 1
        return path.send(head, (body,), length, self.proto, ttl=hops, df=df)

    def echo(self, dst: bytes, ident: int, sequence: int, payload: bytes) -> int:
        """Send an echo request; replies go to whoever listens for `ident`."""
        path = self.layer.path(dst)
        if path is None:
            return NO_ROUTE
        self.counters.out_echos += 1
        rest = ident << 16 | sequence
        return self.send(path, self.echo_request, 0, rest, (payload,), df=False)

    def listen(self, ident: int, sink: EchoSink) -> None:
        """Echo replies with identifier `ident` go to `sink`."""
        self._waiting[ident] = sink

    def unlisten(self, ident: int) -> None:
        """No longer."""
        self._waiting.pop(ident, None)

    def may_report(self, pkt: Packet, group_ok: bool) -> bool:
        """An error about `pkt` is allowed by the rules and by the rate limits."""
        if pkt.src == self.layer.any:
            return False
        if pkt.proto == self.proto and pkt.end > pkt.l4 and self.is_error(pkt.frame[pkt.l4]):
            return False
        return self.layer.host.gate.allows(pkt, group_ok)

    def report(self, pkt: Packet, kind: int, code: int, rest: int, quote: int) -> None:
        """Send the error with at most `quote` octets of the packet it is about."""
        path = self.layer.reply_path(pkt)
        if path is not None:
            self.counters.out_errors += 1
            end = min(pkt.end, pkt.net + quote)
            self.send(path, kind, code, rest, (memoryview(pkt.frame)[pkt.net : end],))
