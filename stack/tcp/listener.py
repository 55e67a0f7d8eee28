# SPDX-License-Identifier: MIT
"""TCP: LISTEN (RFC 9293 3.10.7.2), the backlog, and handing connections over.

A connection exists from its SYN on; what is limited is how many are in handshake, and how many
wait to be accepted.  Beyond the first, SYNs are answered with a cookie and nothing is kept
(`syncookies`); beyond the second they are dropped and the peer tries again.  An established
connection is offered to the sink in the indicate phase, and one opened by a cookie (`fastopen`)
before it is established.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from stack.base import fate, seq, status
from stack.base.packet import Packet
from stack.base.worklist import Workable
from stack.ip.path import Path
from stack.tcp import chart, ending, handshake, options, syncookies
from stack.tcp.endpoint import TcpStream
from stack.tcp.fastopen import Pending
from stack.tcp.inspection import Inspection, key_of
from stack.tcp.names import LISTEN, SYN_RECEIVED
from stack.tcp.tcb import Tcb
from stack.tcp.wishes import Wishes
from stack.transport.options import BOTH, OPTION_RECEIVE_BUFFER, Claim, Name
from stack.transport.ports import Binding
from stack.transport.seam import (
    OPTION_FAST_OPEN,
    OPTION_HOP_LIMIT,
    OPTION_INSPECT,
    Listener,
    ListenerSink,
    Stream,
)
from stack.wire.tcp import ACK, RST, SYN, Segment

if TYPE_CHECKING:
    from stack.tcp.protocol import TcpProtocol

_SILENT = ListenerSink()
_unpack_ports: Final = Struct("!HH").unpack_from


def ports_of(pkt: Packet) -> tuple[int, int]:
    """(local, remote) port of a segment that arrived."""
    rport, lport = _unpack_ports(pkt.frame, pkt.l4)
    return lport, rport


class TcpListener(Workable, Listener):
    """A passive open."""

    __slots__ = (
        "_binding",
        "_buffer",
        "_cookie_at",
        "_families",
        "_half_open",
        "_hops",
        "_inspection",
        "_offered",
        "_pending",
        "_protocol",
        "_waiting",
        "sink",
    )

    def __init__(self, protocol: TcpProtocol, families: int) -> None:
        super().__init__()
        self.sink: ListenerSink = _SILENT
        self._protocol = protocol
        self._families = families
        self._binding: Binding | None = None
        self._half_open: set[Tcb] = set()
        self._waiting: list[Tcb] = []  # established, not accepted
        self._offered = False  # the sink left the oldest of them waiting
        self._cookie_at = 0  # when the last cookie was sent
        self._pending = Pending()
        self._inspection: Inspection | None = None  # while every SYN is judged by the sink
        self._hops = 0  # hop limit of each connection, its SYN-ACK included; 0: as configured
        self._buffer = 0  # octets held for the user of each connection; 0: as configured

    # The user's side.

    def attach(self, sink: ListenerSink) -> None:
        self.sink = sink

    def bind(self, address: bytes, port: int, sharing: int, claim: Claim | None = None) -> int:
        if self._binding is not None:
            return status.STATE
        if address and not self._protocol.may_bind(address, self._families):
            return status.NOT_LOCAL
        result, binding = self._protocol.ports.bind(self._families, address, port, sharing, claim)
        if binding is not None:
            self.begin(binding)
        return result

    def begin(self, binding: Binding) -> None:
        """Listen on the name that is held by `binding`."""
        self._binding = binding
        self._protocol.listeners.add(self._families, binding.address, binding.port, self)

    def accept(self) -> Stream | None:
        if not self._waiting:
            self._offered = False
            return None
        return self._hand_over(self._waiting.pop(0))

    def resume(self) -> None:
        self._offered = False
        if self._waiting:
            self._protocol.accepting.mark(self)

    def close(self) -> None:
        self.sink = _SILENT
        binding, self._binding = self._binding, None
        if binding is None:
            return
        self._protocol.listeners.remove(self._families, binding.address, binding.port, self)
        self._protocol.ports.release(binding)
        for tcb in [*self._half_open, *self._waiting]:
            ending.abort(tcb)
        if self._inspection is not None:
            self._inspection.close()

    def decide(self, ticket: int, accept: bool) -> bool:
        return self._inspection is not None and self._inspection.decide(ticket, accept)

    def set_option(self, option: int, value: int, families: int = BOTH) -> int:
        if option == OPTION_INSPECT:
            if self._binding is not None:
                return status.STATE
            self._inspection = Inspection(self, self._protocol) if value else None
            return status.OK
        if option not in (OPTION_FAST_OPEN, OPTION_RECEIVE_BUFFER, OPTION_HOP_LIMIT):
            return status.NOT_SUPPORTED
        if value < 0 or (option == OPTION_HOP_LIMIT and value > 255):
            return status.INVALID
        if option == OPTION_HOP_LIMIT:
            self._hops = value
            return status.OK
        if option == OPTION_RECEIVE_BUFFER:
            self._buffer = value
            return status.OK
        self._pending.limit = value if self._protocol.config.tcp_fast_open else 0
        return status.OK

    def local_name(self) -> Name | None:
        binding = self._binding
        return None if binding is None else Name(binding.address, binding.port)

    @property
    def families(self) -> int:
        """A mask of addr.V4 and addr.V6."""
        return self._families

    def queued(self) -> tuple[int, int]:
        """Connections that wait to be accepted, and how many may."""
        return len(self._waiting), self._protocol.config.tcp_backlog

    # The protocol's side.

    def segment_arrives(self, pkt: Packet, seg: Segment) -> None:
        """RFC 9293 3.10.7.2, in its order: RST, ACK, SYN, anything else."""
        protocol = self._protocol
        if seg.flags & RST:
            held = self._inspection is not None and self._inspection.withdrawn(pkt, seg)
            if not held and not protocol.elsewhere(pkt):
                protocol.door.drop(pkt, fate.TCP_RST_INVALID)
        elif seg.flags & ACK:
            if not self._brings_cookie(pkt, seg) and not protocol.elsewhere(pkt):
                protocol.refuse(seg)
                protocol.door.drop(pkt, fate.TCP_ACK_INVALID)
        elif seg.flags & SYN:
            if self._inspection is None:
                self._syn(pkt, seg)
            else:
                self._inspection.arrives(pkt, seg)
        else:
            protocol.door.drop(pkt, fate.TCP_FLAGS)

    def _syn(self, pkt: Packet, seg: Segment) -> None:
        protocol = self._protocol
        limit = protocol.config.tcp_backlog
        crowded = len(self._half_open) >= limit
        if len(self._waiting) >= limit or (crowded and not protocol.config.tcp_syn_cookies):
            protocol.door.drop(pkt, fate.TCP_BACKLOG_FULL)
            return
        path = self._way_back(pkt)
        if path is None:
            return
        tcb = self._new_tcb(path, pkt, not crowded)
        options.prepare(tcb)
        if crowded:
            self._send_cookie(tcb, seg)
            return
        self._answer(tcb, seg)
        if seg.fast_open is not None and self._opens_early(tcb, seg):
            handshake.open_early(tcb, seg)
            self._waiting.append(tcb)
            protocol.accepting.mark(self)
        else:
            self._half_open.add(tcb)

    def admit(self, pkt: Packet, seg: Segment) -> Tcb | None:
        """Answer a SYN that was judged; None if there is no way, no room, or meanwhile a connection
        that was opened from here.

        The user has decided: neither the backlog nor cookies apply, nor does Fast Open.
        """
        path = self._way_back(pkt)
        if path is None or self._protocol.occupied(key_of(pkt)):
            return None
        tcb = self._new_tcb(path, pkt, True)
        options.prepare(tcb)
        self._answer(tcb, seg)
        self._half_open.add(tcb)
        return tcb

    def _answer(self, tcb: Tcb, seg: Segment) -> None:
        """From LISTEN to SYN-RECEIVED; the SYN-ACK leaves in the output phase."""
        tcb.listener = self
        chart.enter(tcb, LISTEN)
        handshake.take_syn(tcb, seg)
        chart.enter(tcb, SYN_RECEIVED)
        self._protocol.counters.passive_opens += 1
        self._protocol.work.mark(tcb)

    def _new_tcb(self, path: Path, pkt: Packet, keep: bool) -> Tcb:
        """A connection with the window its user will have: what is promised is never taken back."""
        lport, rport = ports_of(pkt)
        tcb = self._protocol.new_tcb(path, lport, rport, keep)
        tcb.hops = self._hops
        if self._buffer:
            tcb.wishes = Wishes()
            tcb.wishes.buffer = self._buffer
        return tcb

    def _opens_early(self, tcb: Tcb, seg: Segment) -> bool:
        """May the data of this SYN be delivered now?  (RFC 7413 4.1.2, 4.2.2)"""
        protocol = self._protocol
        if not self._pending.limit:
            return False
        fast_open = protocol.fast_open
        tcb.fast_open = fast_open.answer(tcb.local, tcb.remote, seg)
        if not fast_open.good(tcb.local, tcb.remote, seg):
            return False
        if not self._pending.take(protocol.env.now):
            protocol.counters.fast_open_overflows += 1
            return False
        tcb.early = self._pending
        return True

    def _way_back(self, pkt: Packet) -> Path | None:
        protocol = self._protocol
        if protocol.full():
            protocol.door.drop(pkt, fate.TCP_MEMORY)
            return None
        path = protocol.reply_path(pkt)
        if path is None:
            protocol.door.drop(pkt, fate.TCP_FLAGS)
        return path

    def _send_cookie(self, tcb: Tcb, seg: Segment) -> None:
        """Answer without remembering anything; `tcb` is forgotten here."""
        protocol = self._protocol
        self._cookie_at = protocol.env.now
        mss = protocol.layer_of(tcb).default_mss
        number = protocol.cookies.make(tcb.key, seg, mss)
        extra = syncookies.answer_options(tcb, seg)
        protocol.counters.out_segs += 1
        protocol.bare.send(
            tcb.path,
            tcb.lport,
            tcb.rport,
            number,
            seq.add(seg.seq, 1),
            SYN | ACK,
            min(tcb.rcv.limit, 0xFFFF),
            extra,
            tcb.label,
            0,
            tcb.hops,
        )

    def _brings_cookie(self, pkt: Packet, seg: Segment) -> bool:
        """An ACK for nobody: the end of a handshake that was answered with a cookie?"""
        protocol = self._protocol
        if not self._cookie_at or protocol.env.now - self._cookie_at > syncookies.VALID:
            return False
        frame, l4 = pkt.frame, pkt.l4
        mss = protocol.cookies.check(pkt.src + pkt.dst + frame[l4 : l4 + 4], seg)
        if not mss:
            return False
        if len(self._waiting) >= protocol.config.tcp_backlog:
            protocol.door.drop(pkt, fate.TCP_BACKLOG_FULL)
            return True
        path = self._way_back(pkt)
        if path is None:
            return True
        tcb = self._new_tcb(path, pkt, True)
        tcb.listener = self
        chart.enter(tcb, LISTEN)
        options.prepare(tcb)
        syncookies.restore(tcb, seg, mss)
        chart.enter(tcb, SYN_RECEIVED)
        protocol.counters.passive_opens += 1
        self._half_open.add(tcb)
        protocol.arrives(tcb, seg)
        return True

    def established(self, tcb: Tcb) -> None:
        """The handshake of `tcb` is complete."""
        self._half_open.discard(tcb)
        self._waiting.append(tcb)
        self._protocol.accepting.mark(self)

    def forget(self, tcb: Tcb) -> None:
        """`tcb` ended before it was accepted."""
        self._half_open.discard(tcb)
        if tcb in self._waiting:
            self._waiting.remove(tcb)
        tcb.listener = None
        if self._inspection is not None:
            self._inspection.lost(tcb)

    def indicate(self) -> None:
        """Offer what is established, oldest first, until the sink lets one wait."""
        if self._inspection is not None:
            self._inspection.indicate()
        while self._waiting and not self._offered and self._binding is not None:
            tcb = self._waiting[0]
            stream = self._stream(tcb)
            sink = self.sink.accepted(stream)
            if sink is None:
                if tcb.endpoint is stream:
                    tcb.endpoint = None
                    self._offered = True
                    if self._inspection is not None:
                        self._inspection.put_back(tcb, stream.ticket())
                continue
            if self._waiting and self._waiting[0] is tcb:
                self._waiting.pop(0)
            tcb.listener = None
            stream.sink = sink
            self._protocol.work.mark(tcb)

    def _hand_over(self, tcb: Tcb) -> TcpStream:
        stream = self._stream(tcb)
        tcb.listener = None
        self._protocol.work.mark(tcb)
        if not self._waiting:
            self._offered = False
        return stream

    def _stream(self, tcb: Tcb) -> TcpStream:
        stream = TcpStream(self._protocol, self._families)
        stream.adopt(tcb, 0 if self._inspection is None else self._inspection.take(tcb))
        return stream
