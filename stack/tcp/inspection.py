# SPDX-License-Identifier: MIT
"""TCP: SYNs that are not answered before the user has judged them (wsk.md 3.5).

A SYN is held with its packet and the user asked in the indicate phase of the same turn.  He
accepts it, and the handshake goes on as if it had just come; or rejects it, and the peer gets a
reset; or leaves it pending and decides later.  Who was not rejected ends as a connection that is
accepted, or the user hears that it was dropped: never both, never neither.

Bounds: `Config.tcp_pended_syns` are held at once, more are dropped for the peer to send again;
one that has not been heard of for `Config.tcp_pended_syn_time` is forgotten, its peer has given
up.  A repeated SYN takes the place of the one that is held, so that its timestamp is fresh.

Called by `listener`, of which it is the part that only listeners with OPTION_INSPECT have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stack.base import fate, seq
from stack.base.packet import Packet
from stack.base.seam import TimerOwner
from stack.base.timers import Timer
from stack.tcp.tcb import Tcb
from stack.transport.options import Name
from stack.transport.seam import INSPECT_ACCEPT, INSPECT_PEND, INSPECT_REJECT
from stack.wire.tcp import Segment

if TYPE_CHECKING:
    from stack.tcp.listener import TcpListener
    from stack.tcp.protocol import TcpProtocol

_UNASKED: Final = -1


class Held:
    """One SYN that waits.

    verdict     an INSPECT_*, as far as it is known; _UNASKED before the user was asked
    early       what was decided while the user was being asked; INSPECT_PEND if nothing
    """

    __slots__ = ("early", "heard", "key", "pkt", "seg", "ticket", "verdict")

    def __init__(self, key: bytes, ticket: int, pkt: Packet, seg: Segment) -> None:
        self.key = key
        self.ticket = ticket
        self.pkt = pkt
        self.seg = seg
        self.heard = pkt.arrived
        self.verdict = _UNASKED
        self.early = INSPECT_PEND


def key_of(pkt: Packet) -> bytes:
    """What names the connection that a segment belongs to, as in `TcpProtocol`."""
    return pkt.src + pkt.dst + pkt.frame[pkt.l4 : pkt.l4 + 4]


class Inspection(TimerOwner):
    """What one listener holds."""

    def __init__(self, listener: TcpListener, protocol: TcpProtocol) -> None:
        self._listener = listener
        self._protocol = protocol
        self._held: dict[bytes, Held] = {}  # longest silent first
        self._by_ticket: dict[int, Held] = {}
        self._unasked: list[Held] = []
        self._admitted: dict[Tcb, int] = {}  # accepted here, by nobody yet
        self._dropped: list[int] = []  # tickets the user has not been told of
        self._asking: Held | None = None
        self._timer = Timer(self, 0)

    # Segments.

    def arrives(self, pkt: Packet, seg: Segment) -> None:
        """A SYN, for which there is no connection."""
        key = key_of(pkt)
        held = self._held.pop(key, None)
        if held is not None and held.seg.seq == seg.seq:
            held.pkt, held.seg, held.heard = pkt, seg, pkt.arrived
            self._held[key] = held
            return
        if held is not None:
            self._gone(held)  # the peer has begun anew
        config = self._protocol.config
        if len(self._held) >= config.tcp_pended_syns:
            self._protocol.door.drop(pkt, fate.TCP_BACKLOG_FULL)
            return
        held = Held(key, self._protocol.next_ticket(), pkt, seg)
        self._held[key] = held
        self._by_ticket[held.ticket] = held
        self._unasked.append(held)
        self._mark()
        if not self._timer.armed:
            due = held.heard + config.tcp_pended_syn_time
            self._protocol.timers.arm(self._timer, due)

    def withdrawn(self, pkt: Packet, seg: Segment) -> bool:
        """A reset: for a SYN that is held?  It must be the next of its sequence numbers."""
        held = self._held.get(key_of(pkt))
        if held is None or seg.seq != seq.add(held.seg.seq, 1):
            return False
        del self._held[held.key]
        self._gone(held)
        return True

    def fired(self, timer: Timer) -> None:
        """Forget those that have been silent for too long."""
        now = self._protocol.env.now
        patience = self._protocol.config.tcp_pended_syn_time
        while self._held:
            held = next(iter(self._held.values()))
            if held.heard + patience > now:
                self._protocol.timers.arm(self._timer, held.heard + patience)
                return
            del self._held[held.key]
            self._gone(held)

    def _gone(self, held: Held) -> None:
        """`held`, which is no longer in the table, will not be a connection."""
        self._by_ticket.pop(held.ticket, None)
        if held.verdict != _UNASKED:
            self._drop(held.ticket)

    def _drop(self, ticket: int) -> None:
        self._dropped.append(ticket)
        self._mark()

    # Judging.

    def indicate(self) -> None:
        """Ask about what is new, and tell what was dropped."""
        listener = self._listener
        unasked, self._unasked = self._unasked, []
        for held in unasked:
            if self._by_ticket.get(held.ticket) is not held:
                continue
            verdict = self._ask(held)
            if self._by_ticket.get(held.ticket) is held:
                self._judge(held, verdict)
        dropped, self._dropped = self._dropped, []
        for ticket in dropped:
            listener.sink.dropped(ticket)

    def _ask(self, held: Held) -> int:
        pkt, key, scope = held.pkt, held.key, held.pkt.nic.index
        local = Name(pkt.dst, int.from_bytes(key[-2:], "big"), scope)
        remote = Name(pkt.src, int.from_bytes(key[-4:-2], "big"), scope)
        held.verdict = INSPECT_PEND
        self._asking = held
        verdict = self._listener.sink.inspect(held.ticket, local, remote)
        self._asking = None
        return held.early if verdict == INSPECT_PEND else verdict

    def decide(self, ticket: int, accept: bool) -> bool:
        """The user's later word."""
        held = self._by_ticket.get(ticket)
        if held is None or held.verdict == _UNASKED:
            return False
        verdict = INSPECT_ACCEPT if accept else INSPECT_REJECT
        if self._asking is held:
            held.early = verdict
        else:
            self._judge(held, verdict)
        return True

    def _judge(self, held: Held, verdict: int) -> None:
        if verdict == INSPECT_PEND:
            return
        del self._held[held.key], self._by_ticket[held.ticket]
        if verdict != INSPECT_ACCEPT:
            self._protocol.refuse(held.seg)
            return
        tcb = self._listener.admit(held.pkt, held.seg)
        if tcb is None:
            self._drop(held.ticket)
        else:
            self._admitted[tcb] = held.ticket

    # What became of those that were accepted.

    def take(self, tcb: Tcb) -> int:
        """The ticket of a connection that is offered: whatever follows, the user has seen it."""
        return self._admitted.pop(tcb, 0)

    def put_back(self, tcb: Tcb, ticket: int) -> None:
        """The user left it waiting."""
        if ticket:
            self._admitted[tcb] = ticket

    def lost(self, tcb: Tcb) -> None:
        """It ended before anybody had it."""
        ticket = self._admitted.pop(tcb, 0)
        if ticket:
            self._drop(ticket)

    def close(self) -> None:
        """The listener is closed: whoever waits is refused."""
        self._timer.disarm()
        for held in self._held.values():
            self._protocol.refuse(held.seg)
        self._held.clear()
        self._by_ticket.clear()
        self._unasked.clear()
        self._dropped.clear()

    def _mark(self) -> None:
        self._protocol.accepting.mark(self._listener)
