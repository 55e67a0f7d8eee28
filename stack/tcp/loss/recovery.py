# SPDX-License-Identifier: MIT
"""TCP loss: fast retransmit and fast recovery (RFC 5681 3.2, RFC 6582, RFC 6675, RFC 3042).

With SACK time tells what is lost (`rack`), or, with `Config.tcp_rack` off, how much is reported
above it (RFC 6675); without SACK three duplicate ACKs say that the first segment is, and every
partial acknowledgment that the next one is (NewReno).  This file marks spans and moves the
recovery point; `output` sends what is marked, as far as `prr` or the window less the pipe allows,
which includes limited transmit: a duplicate ACK takes a segment out of the pipe, so a new one
may leave.  For congestion control with `own_recovery` it is always the window less the pipe.
"""

from __future__ import annotations

from typing import Final

from stack.base import seq
from stack.tcp import episodes, mtu_probe
from stack.tcp.congestion.seam import AckSample
from stack.tcp.loss import frto
from stack.tcp.loss.prr import Prr
from stack.tcp.loss.rack import Rack
from stack.tcp.loss.scoreboard import NOT_MEASURED, Acked
from stack.tcp.loss.undo import Undo
from stack.tcp.tcb import NO_PROBE, NO_RECOVERY, Tcb
from stack.wire.tcp import Segment

DUP_THRESHOLD: Final = 3


def duplicate(tcb: Tcb, sacked: int) -> None:
    """A duplicate acknowledgment; with SACK, one that reported `sacked` octets of news."""
    board, snd = tcb.board, tcb.snd
    if tcb.estats is not None:
        tcb.estats.duplicate(tcb)
    if tcb.dupacks == 0:
        tcb.dup_nxt = snd.nxt_at
    tcb.dupacks += 1
    episodes.of(tcb).dup_acks += 1
    tcb.frto = frto.OFF
    if tcb.rack_on:
        return
    if not tcb.sack_ok:
        board.credit = min(board.credit + snd.mss, snd.flight - board.lost)
    if tcb.recover != NO_RECOVERY:
        if tcb.fast and tcb.sack_ok:
            board.mark_lost_by_sack((DUP_THRESHOLD - 1) * snd.mss)
        return
    # The count decides also with SACK, for a peer whose SACKs are lost or useless.
    found = tcb.sack_ok and board.mark_lost_by_sack((DUP_THRESHOLD - 1) * snd.mss)
    if found or tcb.dupacks >= DUP_THRESHOLD:
        _begin(tcb, 0)


def _begin(tcb: Tcb, delivered: int) -> None:
    """Enter fast recovery; the acknowledgment that told of the loss brought `delivered`."""
    snd = tcb.snd
    if tcb.search is not None and mtu_probe.lost(tcb, tcb.search):
        return
    _remember(tcb)
    episodes.of(tcb).fast_retrans += 1
    tcb.recover = snd.nxt_at
    tcb.fast = True
    tcb.partials = 0
    # FlightSize without what limited transmit has added to it (RFC 5681 3.2).
    flight = (tcb.dup_nxt if tcb.dupacks else snd.nxt_at) - snd.una_at
    if tcb.estats is not None:
        tcb.estats.reduced(tcb, ecn=False)
    tcb.cc.on_loss(flight, tcb.protocol.env.now)
    if tcb.rack_on and not tcb.cc.own_recovery:
        before = snd.nxt_at - snd.una_at - tcb.board.sacked + delivered
        tcb.prr = Prr(before, tcb.cc.ssthresh)
    if not tcb.rack_on:
        tcb.board.mark_first_lost(snd.mss)
    tcb.urge = True  # the first retransmission goes whatever the pipe (RFC 6675 5, step 4.3)


def _remember(tcb: Tcb) -> None:
    """What is about to be reduced, should it turn out that nothing was lost."""
    if tcb.recover == NO_RECOVERY:
        tcb.undo = Undo(tcb.cc, tcb.snd.una_at)


# By time.


def look(tcb: Tcb, seg: Segment, result: Acked, advanced: bool) -> None:
    """What an acknowledgment delivered tells about what else was lost (RFC 8985 6.2)."""
    rack = tcb.rack
    assert rack is not None
    now = seg.pkt.arrived
    genuine = True
    if tcb.ts_ok and seg.has_ts and result.resent_at != NOT_MEASURED:
        genuine = not seq.lt(seg.ts_ecr, tcb.stamp(result.resent_at))
    rack.delivered(result, now, tcb.rtt.least, genuine)
    marked = _detect(tcb, rack, now, result.delivered)
    if tcb.prr is not None:
        safe = advanced and not marked
        tcb.prr.arrived(result.delivered, tcb.pipe, tcb.snd.mss, safe)


def look_again(tcb: Tcb) -> None:
    """The reordering window of something is over (RFC 8985 6.2, the timer)."""
    if tcb.rack is None:
        return
    if _detect(tcb, tcb.rack, tcb.protocol.env.now, 0) and tcb.prr is not None:
        tcb.prr.arrived(0, tcb.pipe, tcb.snd.mss, False)


def _detect(tcb: Tcb, rack: Rack, now: int, delivered: int) -> int:
    marked, due = rack.detect(tcb.board, _patience(tcb, rack), now)
    if marked and tcb.recover == NO_RECOVERY:
        _begin(tcb, delivered)
    if due:
        tcb.protocol.timers.arm(tcb.reorder, due)
    elif tcb.board.sacked:
        tcb.reorder.disarm()
    return marked


def _patience(tcb: Tcb, rack: Rack) -> int:
    many = tcb.dupacks >= DUP_THRESHOLD or tcb.board.sacked > (DUP_THRESHOLD - 1) * tcb.snd.mss
    impatient = many or tcb.recover != NO_RECOVERY
    return rack.patience(tcb.rtt.least, tcb.rtt.srtt, impatient)


# What an acknowledgment of new data does.


def acknowledged(tcb: Tcb, result: Acked, acked: int, flight: int, rtt: int, count: int) -> bool:
    """SND.UNA advanced by `acked` in `count` ACKs, `flight` having been out.

    Returns True if the retransmission timer is to be restarted.
    """
    tcb.dupacks = 0
    if tcb.frto:
        frto.advanced(tcb, result)
    if tcb.recover == NO_RECOVERY or not tcb.fast:
        if tcb.recover != NO_RECOVERY and tcb.snd.una_at >= tcb.recover:
            _leave(tcb)
        if not tcb.sack_ok:
            tcb.board.credit = 0
        if tcb.snd.una_at == acked:
            return True  # the ACK of our SYN opens no window (RFC 5681 3.1)
        now = tcb.protocol.env.now
        cc = tcb.cc
        window = cc.window
        cc.on_ack(AckSample(acked, flight, rtt, tcb.cwnd_limited, now, count))
        if tcb.estats is not None and cc.window > window:
            tcb.estats.grown(slow_start=window < cc.ssthresh)
        return True
    if tcb.snd.una_at >= tcb.recover:
        # PRR has spread the reduction already: the window is ssthresh (RFC 9937 6).
        tcb.cc.on_recovered(tcb.snd.flight if tcb.prr is None else tcb.cc.ssthresh)
        _leave(tcb)
        return True
    return _partial(tcb, acked)


def _partial(tcb: Tcb, acked: int) -> bool:
    """RFC 6582 3.2 step 3: the next hole is lost too.

    The retransmission itself was in the pipe, the rest of what is now acknowledged had left it
    by duplicate ACKs: so much of the credit is used up.
    """
    board, snd = tcb.board, tcb.snd
    tcb.partials += 1
    if tcb.rack_on:
        return True
    if tcb.sack_ok:
        board.mark_lost_by_sack((DUP_THRESHOLD - 1) * snd.mss)
        board.mark_first_lost(snd.mss)
        return True
    board.credit = max(0, board.credit - max(acked - snd.mss, 0))
    board.credit = min(board.credit, snd.flight - board.lost)
    board.mark_first_lost(snd.mss)
    tcb.urge = True
    return tcb.partials == 1  # the "impatient" variant


def _leave(tcb: Tcb) -> None:
    tcb.recover = NO_RECOVERY
    tcb.fast = False
    tcb.prr = None
    tcb.board.credit = 0
    tcb.board.forgive()
    if tcb.rack is not None:
        tcb.rack.recovered()


def timed_out(tcb: Tcb) -> None:
    """The retransmission timer expired (RFC 5681 3.1, RFC 6582 4, RFC 6675 5.1, RFC 8985 6.3).

    No fast recovery until everything sent so far is acknowledged.
    """
    snd = tcb.snd
    now = tcb.protocol.env.now
    again = tcb.retries > 1
    tcb.frto = frto.OFF
    if tcb.recover == NO_RECOVERY and not again:
        frto.begin(tcb)
    _remember(tcb)
    if tcb.estats is not None:
        tcb.estats.timed_out(tcb, again)
    tcb.cc.on_timeout(snd.flight, again, now)
    if tcb.rack_on:
        rack = tcb.rack = tcb.rack or Rack()
        patience = _patience(tcb, rack) if rack.rtt else tcb.rtt.srtt
        tcb.board.mark_expired(now - patience)
        tcb.urge = True
    else:
        tcb.board.mark_all_lost(congestion=True)
    tcb.recover = snd.nxt_at
    tcb.fast = False
    tcb.prr = None
    tcb.dupacks = 0
    tcb.tlp_end = NO_PROBE
