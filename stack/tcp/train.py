# SPDX-License-Identifier: MIT
"""TCP: the segments of a train (`link/train`) behind its first, taken with it.

The first has gone the whole way, and the fast path took it.  What it checked holds for those
behind: same acknowledgment, window and options, numbers in a row.  What is left to do for each is
its checksum (RFC 9293 3.1), whether it fits the window, and how it counts for the acknowledgment
(RFC 9293 3.8.6.3).  Everything else is done once.  Those that are not taken come again, one by
one.

Called by `input`, and again when more has come before the turn has gone on (`more`).
"""

from __future__ import annotations

from stack.base import seq
from stack.tcp.names import ACK_NOW, ESTABLISHED
from stack.tcp.tcb import Tcb
from stack.transport.train import intact
from stack.wire.tcp import PSH, Segment


def more(tcb: Tcb, seg: Segment, frames: list[bytes]) -> None:
    """Take what can be taken of `frames`, which continue `seg` and what was taken with it.

    Nothing else has come since; nor has the turn gone on, or the connection been closed.
    """
    if tcb.marked and tcb.state == ESTABLISHED:
        take(tcb, seg, frames)


def take(tcb: Tcb, seg: Segment, frames: list[bytes]) -> None:
    """Take what can be taken of `frames`, which continue `seg`, and remove it from there."""
    snd, rcv = tcb.snd, tcb.rcv
    pkt = seg.pkt
    if tcb.estats is not None or seg.wnd << snd.wscale != snd.wnd:
        return  # each counts for itself; the window of one further on may be news
    start, flags_at, gso = seg.start, pkt.l4 + 13, pkt.gso_size
    room, mss, full, owed = rcv.wnd, rcv.mss, rcv.seen, rcv.owed
    views = []
    for frame in frames if pkt.csum_ok else frames[: intact(pkt, frames)]:
        size = len(frame) - start
        if size > room:
            break
        room -= size
        views.append(memoryview(frame)[start:])
        unit = gso or (size if size < mss else mss)
        if unit > full:
            full = unit
        if size >= full:
            owed += -(-size // unit)
        if frame[flags_at] & PSH:
            rcv.pushed = True
    if not views:
        return
    taken, octets = len(views), rcv.wnd - room
    tcb.recvq.extend(views, octets)
    last = seq.sub(seq.add(rcv.nxt, octets), len(views[-1]))
    if not seq.gt(snd.wl1, last):
        snd.wl1 = last
        snd.wl2 = seg.ack
    rcv.nxt = seq.add(rcv.nxt, octets)
    rcv.wnd = room
    rcv.seen = full
    rcv.owed = owed
    if owed >= rcv.every:
        tcb.ack = ACK_NOW
    tcb.protocol.counters.in_segs += taken
    del frames[:taken]
