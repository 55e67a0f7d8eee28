# SPDX-License-Identifier: MIT
"""TCP: explicit congestion notification (RFC 3168 6.1): agreement, and the classic feedback.

A router marks a packet instead of dropping it.  The receiver says so in every acknowledgment
(ECE) until the sender has answered with CWR; the sender treats it as a loss, once per window.
New data alone is sent as capable of being marked: not pure ACKs, not retransmissions, not window
probes (6.1.4-6.1.6), not SYNs.  What the SYNs agree on is an `Ecn`, or, if both ends know how to
count, an `accecn.AccEcn`.  A SYN that was not answered goes again without the request, in case
somebody on the way cannot bear it (6.1.1.1).
Not done: ECN on control packets (RFC 8311 would allow it).

`Config.tcp_ecn`: "on" asks for the classic feedback, "accurate" for the counting one, "passive"
agrees to what it is asked for, "off" does neither.
"""

from __future__ import annotations

from typing import ClassVar, Final

from stack.tcp.names import ACK_NOW
from stack.tcp.tcb import NO_RECOVERY, Tcb
from stack.wire.tcp import CWR, ECE, Segment

ECT_0: Final = 2
CE: Final = 3


class Ecn:
    """What a connection that agreed on ECN remembers.

    capable   new data is sent as ECT(0)
    echo      a mark arrived: ECE on every ACK
    reduced   we have reduced our window: CWR with the next new data
    high      SND.NXT at that time; what is acknowledged beyond it may tell of another mark
    """

    __slots__ = ("capable", "echo", "high", "reduced")

    name: ClassVar[str] = "ecn"

    def __init__(self) -> None:
        self.capable = True
        self.echo = False
        self.reduced = False
        self.high = 0

    def answer(self) -> int:
        """Flags of a SYN-ACK."""
        return ECE

    def flags(self) -> int:
        """Flags of a segment with ACK and without SYN, beside those of its own."""
        return ECE if self.echo else 0

    def arrived(self, tcb: Tcb, seg: Segment) -> None:
        """A segment in the window: the peer's CWR, and a router's mark."""
        if seg.flags & CWR:
            self.echo = False
        if seg.length and seg.pkt.tos & 3 == CE:
            self.echo = True
            tcb.ack = ACK_NOW

    def acknowledged(self, tcb: Tcb, seg: Segment, acked: int) -> None:
        """An ACK, which acknowledged `acked` numbers: does it tell of marks?"""
        if seg.flags & ECE and self.reduce(tcb):
            self.reduced = True

    def reduce(self, tcb: Tcb) -> bool:
        """Packets were marked: reduce, once per window."""
        if tcb.snd.una_at <= self.high:
            return False
        self.high = tcb.snd.nxt_at
        if tcb.recover == NO_RECOVERY:
            if tcb.estats is not None:
                tcb.estats.reduced(tcb, ecn=True)
            tcb.cc.on_congestion(tcb.snd.flight, tcb.protocol.env.now)
        return True
