# SPDX-License-Identifier: MIT
"""TCP: opening (RFC 9293 3.5, 3.10.7.3): SYN-SENT, simultaneous open, becoming established;
what Fast Open changes about it (RFC 7413 4.2).

`syn_sent` has the RFC's steps in the RFC's order.  The passive side starts in `listener`.
"""

from __future__ import annotations

from stack.base import fate, seq
from stack.base.status import REFUSED
from stack.tcp import acking, chart, ending, input, mtu_probe, options, pacing
from stack.tcp.fastopen import Offer
from stack.tcp.loss.scoreboard import Acked
from stack.tcp.names import ACK_NOW, ESTABLISHED, FIN_WAIT_1, SYN_RECEIVED
from stack.tcp.tcb import Tcb
from stack.wire.tcp import ACK, PSH, RST, SYN, Segment


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
        if tcb.fast_open is not None:
            _learn(tcb, seg, tcb.fast_open)
    else:
        # Simultaneous open (MUST-10): our SYN goes again, as SYN-ACK.
        chart.enter(tcb, SYN_RECEIVED)
        tcb.fast_open = None
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


def _learn(tcb: Tcb, seg: Segment, offer: Offer) -> None:
    """Our SYN spoke of Fast Open: what came of it."""
    tcb.fast_open = None
    protocol = tcb.protocol
    taken = min(tcb.snd.una_at - 1, offer.carried)
    given = b"" if seg.fast_open is None else seg.fast_open[1]
    key = tcb.local + tcb.remote
    protocol.fast_open.answered(key, offer, given, tcb.snd.peer_mss, taken)
    if offer.carried:
        if taken == offer.carried:
            protocol.counters.fast_open_active += 1
            tcb.syn_data = True
        else:
            protocol.counters.fast_open_active_fails += 1
            tcb.board.mark_all_lost()  # what was not taken goes again at once


def open_early(tcb: Tcb, seg: Segment) -> None:
    """A SYN with a good cookie: its data counts, and data may be sent (RFC 7413 4.2.2)."""
    rcv, protocol = tcb.rcv, tcb.protocol
    tcb.cc.start(tcb.snd.mss, tcb.initial_window)
    tcb.cc.window += 1  # the SYN-ACK is in flight too, and no data
    pacing.attach(tcb)
    protocol.counters.fast_open_passive += 1
    length = min(seg.length, rcv.limit)
    if length:
        tcb.recvq.append(memoryview(seg.pkt.frame)[seg.start : seg.start + length])
        rcv.nxt = seq.add(rcv.nxt, length)
        rcv.pushed = seg.flags & PSH != 0
        tcb.syn_data = True


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
        if snd.wnd > snd.max_wnd:
            snd.max_wnd = snd.wnd
    snd.wl1 = seg.seq
    snd.wl2 = seg.ack
    segments = tcb.initial_window
    if tcb.retries:
        segments = 1  # RFC 5681 3.1: after a lost SYN
        tcb.rtt.syn_was_lost()
    mtu_probe.begin(tcb)
    if tcb.early is None or tcb.retries:
        tcb.cc.start(snd.mss, segments)
        pacing.attach(tcb)
    protocol.counters.curr_estab += 1
    if tcb.early is not None:
        tcb.early.confirmed()
        tcb.early = None
    elif tcb.listener is not None:
        tcb.listener.established(tcb)
    else:
        tcb.opened = True
    if tcb.fin_wanted:
        chart.enter(tcb, FIN_WAIT_1)
    protocol.work.mark(tcb)
