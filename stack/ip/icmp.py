# SPDX-License-Identifier: MIT
"""Floor 4: what ICMP and ICMPv6 have in common: echo both ways, errors in, errors out.

Done: echo server (RFC 1122 3.2.2.6, RFC 4443 4.2) and client, errors handed to whoever sent the
quoted packet (echo requests of ours among them), extensions of errors (RFC 4884), errors sent
within the rules of `errors`.  Every message is counted by its type (RFC 4293 icmpMsgStatsTable).
Who it was that a report of a path MTU comes from is not asked; whether what it quotes was sent is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from stack.base import fate
from stack.base.checksum import data_sum, finish
from stack.base.counters import Counters
from stack.base.packet import UNICAST, Packet
from stack.base.status import NO_ROUTE
from stack.base.units import View
from stack.ip.layer import IpLayer
from stack.ip.path import Path
from stack.ip.pmtu import smallest
from stack.ip.seam import TOO_BIG, ErrorReport, TransportLayer
from stack.link.nic import Nic
from stack.wire.icmp4 import HEADER, LENGTH

EchoSink = Callable[[bytes, int, int, int, int], None]
"""Told (source, sequence, payload octets, hop limit, arrival ns) of a matching echo reply."""
EchoTrouble = Callable[[ErrorReport, int], None]
"""Told (report, sequence) of an error about an echo request."""

_REMEMBERED: Final = 64
"""Destinations that an error may be about: the latest ones."""
_IN_FLIGHT: Final = 64
"""Large replies to one destination that an error may be about."""


class IcmpCounters(Counters):
    """RFC 4293's icmpStatsTable, and echo.

    in_errors   messages that were too short or had a wrong checksum
    out_errors  messages that the rules or the rate limits kept from being sent
    """

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


class _Asker:
    """Somebody who sends echo requests with an identifier of his own."""

    __slots__ = ("sent", "sink", "trouble")

    def __init__(self, sink: EchoSink, trouble: EchoTrouble | None) -> None:
        self.sink = sink
        self.trouble = trouble
        self.sent: dict[bytes, Path] = {}


class Icmp(TransportLayer):
    """The part of ICMP that does not care about the family."""

    proto: int
    echo_request: int
    echo_reply: int

    def __init__(self, layer: IpLayer) -> None:
        self.layer = layer
        self.door = layer.door
        self.counters = IcmpCounters()
        self.in_types = [0] * 256
        self.out_types = [0] * 256
        self._waiting: dict[int, _Asker] = {}
        self._answered: dict[bytes, int] = {}  # large replies: destination -> id and sequence

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

    def kind_of(self, pkt: Packet) -> int:
        """The type of the ICMP message that `pkt` carries, negative if it carries none."""
        raise NotImplementedError

    def options_for(self, pkt: Packet, own: bytes) -> bytes:
        """IPv4 options of the answer to an echo request, which leaves from `own`."""
        return b""

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
        self.in_types[kind] += 1
        if kind == self.echo_request:
            self._answer_echo(pkt, rest, view[LENGTH:])
        elif kind == self.echo_reply:
            self._take_reply(pkt, rest, length - LENGTH)
        else:
            self.message(pkt, kind, code, rest)

    def _answer_echo(self, pkt: Packet, rest: int, data: memoryview) -> None:
        """Same identifier, sequence and data, from the address that was asked, with the service
        that the request had; marking congestion is between those who agreed on it."""
        self.counters.in_echos += 1
        if pkt.src == self.layer.any or not self.echo_welcome(pkt):
            self.door.drop(pkt, fate.ICMP_ECHO_GROUP)
            return
        path = self.layer.reply_path(pkt)
        if path is None:
            return
        self.counters.out_echo_replies += 1
        options = self.options_for(pkt, path.src)
        tos = pkt.tos & 0xFC
        if len(data) + LENGTH + path.overhead > smallest(path.dst):
            # It may turn out too big for the path, which is for us to hear (RFC 8201 5.4).
            self._answered.pop(path.dst, None)
            if len(self._answered) >= _REMEMBERED:
                del self._answered[next(iter(self._answered))]
            self._answered[path.dst] = rest
        label = path.flow()
        self.send(path, self.echo_reply, 0, rest, (data,), False, 0, tos, label, options)

    def _take_reply(self, pkt: Packet, rest: int, size: int) -> None:
        self.counters.in_echo_replies += 1
        asker = self._waiting.get(rest >> 16)
        if asker is None:
            self.door.drop(pkt, fate.ICMP_REPLY_UNEXPECTED)
            return
        asker.sink(pkt.src, rest & 0xFFFF, size, pkt.ttl, pkt.arrived)

    # Errors that come in.

    def pass_on(self, pkt: Packet, report: ErrorReport) -> None:
        """Hand an error to those whose packet is quoted (RFC 1122 3.2.2, RFC 4443 2.4 d)."""
        layer = self.layer
        handler = layer.protocols.get(report.proto)
        raw = layer.raw
        if pkt.group != UNICAST:
            self.door.drop(pkt, fate.ICMP_ERROR_GROUP)
        elif report.src not in layer.local or (handler is None and raw is None):
            self.door.drop(pkt, fate.ICMP_QUOTE_INVALID)
        else:
            report.router = pkt.src
            if raw is not None:
                raw.on_error(report)
            if handler is not None:
                handler.on_error(report)

    def on_error(self, report: ErrorReport) -> None:
        """An error about an echo request, or about a reply that was too big."""
        if len(report.quoted) < LENGTH:
            return  # somebody else's: of what we forwarded, or was written raw
        kind, _, _, rest = HEADER.unpack_from(report.quoted)
        pmtu = self.layer.host.pmtu
        if kind == self.echo_reply:
            if report.kind == TOO_BIG and self._has_answered(report.dst, rest):
                path = self.layer.path(report.dst, report.src)
                if path is not None:
                    pmtu.lower(path, report.mtu)
            return
        asker = self._waiting.get(rest >> 16)
        if kind != self.echo_request or asker is None or report.dst not in asker.sent:
            return
        if report.kind == TOO_BIG:
            pmtu.lower(asker.sent[report.dst], report.mtu)
        if asker.trouble is not None:
            asker.trouble(report, rest & 0xFFFF)

    def _has_answered(self, dst: bytes, rest: int) -> bool:
        """A large reply like this went to `dst` of late: a round trip holds many of a fast asker's,
        and those are numbered in a row."""
        last = self._answered.get(dst, -1)
        return last >> 16 == rest >> 16 and (last - rest) & 0xFFFF < _IN_FLIGHT

    # Sending.

    def count_out(self, kind: int) -> None:
        """A message of type `kind` leaves: for those, too, who send theirs by themselves."""
        self.counters.out_msgs += 1
        self.out_types[kind] += 1

    def send(
        self,
        path: Path,
        kind: int,
        code: int,
        rest: int,
        views: Sequence[View],
        df: bool = True,
        hops: int = 0,
        tos: int = 0,
        label: int = 0,
        options: bytes = b"",
    ) -> int:
        """Send one message with its checksum; a status as from `Path.send`."""
        head = self.layer.head
        head.reset()
        head.options = options
        body = views[0] if len(views) == 1 else b"".join(views)
        length = LENGTH + len(body)
        # Summed as the one number that its two words and the type make.
        total = (kind << 8 | code) + rest + data_sum(body) + self.path_sum(path, length)
        head.push(HEADER.pack(kind, code, finish(total), rest))
        head.l4 = head.start
        self.count_out(kind)
        return path.send(head, (body,), length, self.proto, tos, hops, label, df)

    def echo(
        self,
        dst: bytes,
        ident: int,
        sequence: int,
        payload: bytes,
        hops: int = 0,
        tos: int = 0,
        df: bool = False,
        src: bytes = b"",
        nic: Nic | None = None,
    ) -> int:
        """Send an echo request; replies and errors go to whoever listens for `ident`.

        hops  hop limit, 0 for the usual one
        tos   traffic class
        df    never fragment; TOO_BIG is returned instead
        src   an own address, empty for the best one
        nic   the interface, for link-local destinations and groups
        """
        path = self.layer.path(dst, src, nic)
        if path is None:
            return NO_ROUTE
        asker = self._waiting.get(ident)
        if asker is not None and asker.sent.get(dst) is not path:
            if len(asker.sent) >= _REMEMBERED:
                del asker.sent[next(iter(asker.sent))]
            asker.sent[dst] = path
        self.counters.out_echos += 1
        rest = ident << 16 | sequence
        label = path.flow()
        return self.send(path, self.echo_request, 0, rest, (payload,), df, hops, tos, label)

    def listen(self, ident: int, sink: EchoSink, trouble: EchoTrouble | None = None) -> None:
        """Echo replies with identifier `ident` go to `sink`, errors about requests to `trouble`.

        Errors are believed of the last 64 destinations only.
        """
        self._waiting[ident] = _Asker(sink, trouble)

    def unlisten(self, ident: int) -> None:
        """No longer."""
        self._waiting.pop(ident, None)

    def may_report(self, pkt: Packet, group_ok: bool) -> bool:
        """An error about `pkt` is allowed by the rules and by the rate limits."""
        kind = self.kind_of(pkt)
        forbidden = pkt.src == self.layer.any or (kind >= 0 and self.is_error(kind))
        if not forbidden and self.layer.host.gate.allows(pkt, group_ok):
            return True
        self.counters.out_errors += 1
        return False

    def report(self, pkt: Packet, kind: int, code: int, rest: int, quote: int) -> None:
        """Send the error with at most `quote` octets of the packet it is about."""
        path = self.layer.reply_path(pkt)
        if path is None:
            self.counters.out_errors += 1
            return
        end = min(pkt.end, pkt.net + quote, pkt.net + path.room - LENGTH)
        views = (memoryview(pkt.frame)[pkt.net : end],)
        self.send(path, kind, code, rest, views, df=False, label=path.flow())
