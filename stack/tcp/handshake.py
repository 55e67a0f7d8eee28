# SPDX-License-Identifier: MIT
"""TCP: opening (RFC 9293 3.5, 3.10.7.3): SYN-SENT, simultaneous open, becoming established.

`syn_sent` has the RFC's steps in the RFC's order.  The passive side starts in `listener`.
"""

from __future__ import annotations

from stack.base import fate, seq
from stack.base.status import REFUSED
from stack.tcp import acking, chart, ending, input, options, pacing
from stack.tcp.loss.scoreboard import Acked
from stack.tcp.names import ACK_NOW, ESTABLISHED, FIN_WAIT_1, SYN_RECEIVED
from stack.tcp.tcb import Tcb
from stack.wire.tcp import ACK, RST, SYN, Segment


def syn_sent(tcb: Tcb, seg: Segment) -> None:
    """A segment arrives in SYN-SENT."""
    snd, protocol = tcb.snd, tcb.protocol
    good_ack = False
    if seg.flags & ACK:
        acked = seq.diff(seg.ack, snd.iss)
        good_ack = 0 < acked <= snd.nxt_at
        if not good_ack:
            protocol.refuse(seg)
            protocol.door.drop(seg.pkt, fate.TCP_ACK_INVALID)
            return
    if seg.flags & RST:
        # Believed only with an acceptable ACK (RFC 5961 3 asks for nothing more here).
        if good_ack:
            protocol.counters.attempt_fails += 1
            ending.finish(tcb, REFUSED)
        else:
            protocol.door.drop(seg.pkt, fate.TCP_RST_INVALID)
        return
    if not seg.flags & SYN:
        protocol.door.drop(seg.pkt, fate.TCP_FLAGS)
        return
    take_syn(tcb, seg)
    if good_ack:
        establish(tcb, seg)
        acking.advance(tcb, seg, seq.sub(seg.ack, snd.una), Acked())
        tcb.ack = ACK_NOW
    else:
        # Simultaneous open (MUST-10): our SYN goes again, as SYN-ACK.
        chart.enter(tcb, SYN_RECEIVED)
        tcb.board.mark_all_lost()
    protocol.work.mark(tcb)
    _take_text(tcb, seg)


def take_syn(tcb: Tcb, seg: Segment) -> None:
    """What the peer's SYN says: its sequence number, its options, its window (unscaled)."""
    snd, rcv = tcb.snd, tcb.rcv
    rcv.irs = seg.seq
    rcv.nxt = rcv.acked = seq.add(seg.seq, 1)
    options.learn(tcb, seg)
    snd.wnd = snd.max_wnd = seg.wnd
    snd.wl1 = seg.seq
    snd.wl2 = seg.ack


def _take_text(tcb: Tcb, seg: Segment) -> None:
    """Text and FIN that came with a SYN (RFC 9293 3.10.7.3).

    With a SYN-ACK the connection is established and they count at once.  With a bare SYN they
    are left for the peer to send again: nothing proves yet that he is there.
    """
    if tcb.state == ESTABLISHED:
        seg.seq = seq.add(seg.seq, 1)
        seg.up = max(seg.up - 1, 0)
        seg.flags &= ~SYN
        input.urgent(tcb, seg)
        over = seg.length - tcb.rcv.wnd
        if over > 0:
            seg.length -= over
            seg.end -= over
        input.text(tcb, seg)
        input.fin_bit(tcb)


def establish(tcb: Tcb, seg: Segment) -> None:
    """Our SYN is acknowledged: ESTABLISHED, and everything that starts with it."""
    protocol, snd = tcb.protocol, tcb.snd
    chart.enter(tcb, ESTABLISHED)
    if not seg.flags & SYN:
        # The window of a SYN is never scaled, that of the third segment is (RFC 7323 2.2).
        snd.wnd = seg.wnd << snd.wscale
        snd.max_wnd = max(snd.max_wnd, snd.wnd)
    snd.wl1 = seg.seq
    snd.wl2 = seg.ack
    segments = protocol.config.tcp_initial_window
    if tcb.retries:
        segments = 1  # RFC 5681 3.1: after a lost SYN
        tcb.rtt.syn_was_lost()
    tcb.cc.start(snd.mss, segments)
    pacing.attach(tcb)
    protocol.counters.curr_estab += 1
    if tcb.listener is not None:
        tcb.listener.established(tcb)
    else:
        tcb.opened = True
    if tcb.fin_wanted:
        chart.enter(tcb, FIN_WAIT_1)
    protocol.work.mark(tcb)
