# SPDX-License-Identifier: MIT
"""TCP: what an acknowledgment brings (RFC 9293 3.10.7.4, fifth; RFC 5681; RFC 6298 3, 5.3).

Called by `input` once an ACK field is known to be acceptable, from the fast path and from the
slow one alike.
"""

from __future__ import annotations

from stack.base import seq
from stack.base.status import OK
from stack.base.units import MS
from stack.tcp import mtu_probe, options, path_mtu
from stack.tcp.loss import recovery, tlp, undo
from stack.tcp.loss.rack import Rack
from stack.tcp.loss.scoreboard import Acked
from stack.tcp.names import CLOSED
from stack.tcp.tcb import NO_PROBE, Tcb
from stack.wire.tcp import Segment


def hold(tcb: Tcb, seg: Segment, acked: int) -> None:
    """SEG.ACK acknowledges `acked` sequence numbers, and nothing else is to be said of it.

    A peer acknowledges every super-frame, and dozens of ACKs are read in one turn, before anything
    is sent: only the last of them is taken, for all.  Where one ACK proves something by coming at
    all (after a time-out, a tail loss probe, a retransmission) it is taken at once.
    """
    protocol, undo = tcb.protocol, tcb.undo
    telling = undo is not None and undo.first_at > 0
    if not protocol.joint_acks or telling or tcb.frto or tcb.tlp_end != NO_PROBE:
        if tcb.held is not None:
            release(tcb)
            acked = seq.sub(seg.ack, tcb.snd.una)
        advance(tcb, seg, acked, Acked())
        return
    if tcb.held is None:
        protocol.holding.append(tcb)
        if not tcb.marked:
            protocol.work.mark(tcb)
    tcb.held = seg
    tcb.held_octets = acked
    tcb.held_acks += 1


def release(tcb: Tcb) -> None:
    """Take what was held, if it is still of interest."""
    seg, acked, count = tcb.held, tcb.held_octets, tcb.held_acks
    tcb.held = None
    tcb.held_octets = tcb.held_acks = 0
    if seg is not None and tcb.state != CLOSED:
        advance(tcb, seg, acked, Acked(), count)


def advance(tcb: Tcb, seg: Segment, acked: int, result: Acked, count: int = 1) -> None:
    """SEG.ACK acknowledges `acked` sequence numbers for the first time.

    `result` has what its SACK blocks brought already; `count` ACKs are taken together.
    """
    snd = tcb.snd
    protocol = tcb.protocol
    now = protocol.env.now
    flight = snd.nxt_at - snd.una_at
    if snd.proven < snd.mss and snd.proven < acked:
        path_mtu.prove(tcb, acked)
    snd.acked(acked)
    board = tcb.board
    board.ack(snd.una_at, result)
    rate = board.rate
    if rate is not None:
        rate.arrived(result)
    rtt = _measure(tcb, seg, result)
    if tcb.sendq.start < snd.una_at:
        for token, size in tcb.sendq.release(snd.una_at):
            tcb.done.append((token, OK, size))
    tcb.progress_at = now
    tcb.retries = 0
    tcb.soft_error = 0
    if tcb.undo is not None:
        undo.echoed(tcb, seg)
    restart = recovery.acknowledged(tcb, result, acked, flight, rtt, count)
    if tcb.rack is not None:
        recovery.look(tcb, seg, result, True)
    if tcb.tlp_end != NO_PROBE:
        tlp.acknowledged(tcb, bool(seg.sacks), False)
    if tcb.search is not None:
        mtu_probe.acknowledged(tcb, tcb.search)
    if rate is not None:
        rate.report(tcb, result)
    if tcb.estats is not None:
        tcb.estats.advanced()
    if snd.nxt_at == snd.una_at:
        tcb.rexmit.disarm()
    elif restart or not tcb.rexmit.armed:
        protocol.timers.arm(tcb.rexmit, now + tcb.rtt.timeout())
    tcb.path.confirm()
    if not tcb.marked:
        protocol.work.mark(tcb)


def selective(tcb: Tcb, seg: Segment, result: Acked) -> int:
    """Enter the SACK blocks into the scoreboard (RFC 2018 5).  Returns octets that are news.

    A block outside of what is in flight is passed over, but for a D-SACK, which comes first.
    """
    news = 0
    snd = tcb.snd
    _duplicate(tcb, seg)
    if len(tcb.board) > tcb.protocol.config.tcp_scoreboard_limit:
        return 0  # a peer who reports single octets makes a span of each
    for left, right in seg.sacks:
        size = seq.sub(right, left)
        start = seq.sub(left, snd.una)
        flight = snd.nxt_at - snd.una_at
        if 0 < size <= flight and start < flight and start + size <= flight:
            begin = snd.una_at + start
            news += tcb.board.sack(begin, begin + size, result)
    if news:
        if tcb.rack is None and tcb.rack_on:
            tcb.rack = Rack()
            tcb.rack.fack = snd.una_at
        tcb.protocol.work.mark(tcb)
    return news


def _duplicate(tcb: Tcb, seg: Segment) -> None:
    """Is the first block a D-SACK (RFC 2883 4)?  Then something arrived twice."""
    snd = tcb.snd
    left, right = seg.sacks[0]
    size = seq.sub(right, left)
    if not 0 < size <= max(snd.max_wnd, 1):
        return
    if not seq.le(right, seg.ack):
        if len(seg.sacks) < 2:
            return
        outer_left, outer_right = seg.sacks[1]
        if not (seq.le(outer_left, left) and seq.le(right, outer_right)):
            return
    start = snd.at(left)
    if not 0 < start < snd.nxt_at:
        return
    if tcb.estats is not None:
        tcb.estats.dsackdups += 1
    if tcb.rack is not None:
        tcb.rack.duplicate_reported(snd.una_at, snd.nxt_at)
    undo.duplicate(tcb, start, size)


def again(tcb: Tcb, seg: Segment, news: int, window_same: bool, result: Acked) -> None:
    """SEG.ACK is SND.UNA again."""
    rate = tcb.board.rate
    if rate is None or not news:
        repeat(tcb, seg, news, window_same, result)
        return
    rate.arrived(result)
    repeat(tcb, seg, news, window_same, result)
    rate.report(tcb, result)


def repeat(tcb: Tcb, seg: Segment, news: int, window_same: bool, result: Acked) -> None:
    """Is it a duplicate in RFC 5681's sense?"""
    if tcb.snd.nxt_at == tcb.snd.una_at:
        return
    if tcb.rack_on:
        # What the blocks say counts also on a segment with data of its own.
        if news:
            recovery.duplicate(tcb, news)
            recovery.look(tcb, seg, result, False)
        if tcb.tlp_end != NO_PROBE:
            tlp.acknowledged(tcb, bool(seg.sacks), window_same and not seg.space)
        return
    if seg.space:
        return
    if tcb.sack_ok:
        # RFC 6675 2: with SACK a duplicate is what brings news.
        if not news:
            return
    elif not window_same:
        return
    recovery.duplicate(tcb, news)
    tcb.protocol.work.mark(tcb)


def update_window(tcb: Tcb, seg: Segment) -> None:
    """RFC 9293 3.10.7.4: SND.WND from a segment that is not older than the last that set it."""
    snd = tcb.snd
    if snd.wl1 == seg.seq:
        if seq.lt(seg.ack, snd.wl2):
            return
    elif not seq.lt(snd.wl1, seg.seq):
        return
    old = snd.wnd
    snd.wnd = seg.wnd << snd.wscale
    snd.wl1 = seg.seq
    snd.wl2 = seg.ack
    if snd.wnd > snd.max_wnd:
        snd.max_wnd = snd.wnd
    if snd.wnd == old:
        return
    if old == 0 and snd.wnd and tcb.snd.flight:
        # What went out as window probes was not accepted: it goes again at once.
        tcb.board.mark_all_lost()
        tcb.rtt.backoff = 0
        tcb.retries = 0
    if snd.wnd > old and tcb.persist is not None:
        tcb.persist.disarm()
    tcb.protocol.work.mark(tcb)


def _measure(tcb: Tcb, seg: Segment, result: Acked) -> int:
    """Take a round-trip sample where Karn's rule allows one (RFC 6298 3, RFC 7323 4.1)."""
    arrived = seg.pkt.arrived
    if not result.resent:
        if result.sent_at < 0:
            return 0
        rtt = arrived - result.sent_at
    elif tcb.ts_ok and seg.has_ts and seg.ts_ecr:
        elapsed = seq.sub(options.timestamp(tcb), seg.ts_ecr)
        rtt = max(elapsed, 1) * MS
        if rtt > tcb.protocol.config.tcp_rto_max:
            return 0
    else:
        return 0
    tcb.rtt.sample(rtt if rtt > 0 else 1, arrived)
    if tcb.estats is not None:
        tcb.estats.measured(tcb, rtt)
    return rtt
