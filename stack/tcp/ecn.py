# SPDX-License-Identifier: MIT
"""TCP: explicit congestion notification (RFC 3168 6.1).

Agreed on in the SYNs.  Then new data is sent as ECN-capable; a router marks instead of dropping;
the receiver of a mark says ECE with every ACK until it hears CWR; the sender who hears ECE reduces
its window as for a loss, once per window of data, and says CWR with the next new data.

Retransmissions, window probes and pure ACKs are never ECN-capable (6.1.4-6).  A SYN that was not
answered goes again without the request, in case somebody on the way cannot bear it (6.1.1.1).
Not done: AccECN, ECN on control packets (RFC 8311 would allow it).

`Config.tcp_ecn`: "on" asks, "passive" agrees when asked, "off" does neither.
"""

from __future__ import annotations

from typing import Final

from stack.tcp.names import ACK_NOW
from stack.tcp.tcb import NO_RECOVERY, Tcb
from stack.wire.tcp import ACK, CWR, ECE, SYN, Segment

ECT_0: Final = 2
CE: Final = 3


class Ecn:
    """What a connection that agreed on ECN remembers.

    echo      a mark arrived: ECE on every ACK
    reduced   we have reduced our window: CWR with the next new data
    high      SND.NXT at that time; what is acknowledged beyond it may tell of another mark
    """

    __slots__ = ("echo", "high", "reduced")

    def __init__(self) -> None:
        self.echo = False
        self.reduced = False
        self.high = 0


def syn_flags(tcb: Tcb, flags: int) -> int:
    """Our SYN or SYN-ACK, with its request or answer."""
    if flags & ACK:
        return flags | ECE if tcb.ecn is not None else flags
    asks = tcb.protocol.config.tcp_ecn == "on" and not tcb.retries
    return flags | ECE | CWR if asks else flags


def settle(tcb: Tcb, seg: Segment) -> None:
    """The peer's SYN or SYN-ACK: are we agreed?"""
    wish = tcb.protocol.config.tcp_ecn
    said = seg.flags & (ECE | CWR)
    if seg.flags & ACK:
        agreed = wish == "on" and said == ECE and not tcb.retries
    else:
        agreed = wish != "off" and said == ECE | CWR
    tcb.ecn = Ecn() if agreed else None


def arrived(tcb: Tcb, seg: Segment) -> None:
    """A segment in the window: the peer's CWR, and a router's mark."""
    ecn = tcb.ecn
    assert ecn is not None
    if seg.flags & CWR:
        ecn.echo = False
    if seg.length and seg.pkt.tos & 3 == CE:
        ecn.echo = True
        tcb.ack = ACK_NOW


def echoed(tcb: Tcb, seg: Segment) -> None:
    """An ACK: if it echoes a mark, reduce, once per window."""
    ecn = tcb.ecn
    assert ecn is not None
    if not seg.flags & ECE or seg.flags & SYN or tcb.snd.una_at <= ecn.high:
        return
    ecn.high = tcb.snd.nxt_at
    ecn.reduced = True
    if tcb.recover == NO_RECOVERY:
        tcb.cc.on_congestion(tcb.snd.flight, tcb.protocol.env.now)
