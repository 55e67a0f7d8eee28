# SPDX-License-Identifier: MIT
"""TCP input: SEGMENT ARRIVES for a synchronized connection (RFC 9293 3.10.7.4).

The RFC's steps are functions in the RFC's order; each says whether to go on:

    sequence  reset_bit  syn_bit  ack_field  urgent  text  fin_bit

(the third, security, is not done: there are no security labels).  RFC 5961's checks stand where
RFC 9293 merged them; RFC 7323's PAWS stands before the acceptability test.  Above them is the
fast path for the everyday segment: it tests a few things and then calls the same functions.

Nothing is sent and no user is called here.
"""

from __future__ import annotations

from typing import Final

from stack.base import fate, seq
from stack.base.status import OK, REFUSED, RESET
from stack.base.units import SECOND
from stack.tcp import acking, chart, ending, episodes, handshake, train, usertimeout
from stack.tcp.challenge import challenge
from stack.tcp.ecn import CE
from stack.tcp.loss.scoreboard import Acked
from stack.tcp.names import (
    ACK_DELAYED,
    ACK_NONE,
    ACK_NOW,
    CLOSE_WAIT,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LAST_ACK,
    RECEIVING,
    SYN_RECEIVED,
)
from stack.tcp.tcb import NO_RECOVERY, Tcb
from stack.wire.tcp import ACK, AE, CWR, ECE, FIN, PSH, RST, SYN, URG, Segment

_PREDICTED: Final = FIN | SYN | RST | URG | ACK | ECE | CWR | AE
_PAWS_IDLE: Final = 24 * 24 * 3600 * SECOND  # RFC 7323 5.5


def segment_arrives(tcb: Tcb, seg: Segment) -> None:
    """A segment for a connection in SYN-RECEIVED or later, its checksum verified."""
    if (
        tcb.state == ESTABLISHED
        and seg.seq == tcb.rcv.nxt
        and seg.flags & _PREDICTED == ACK
        and tcb.protocol.fast_path
        and _fast(tcb, seg)
    ):
        return
    if tcb.held is not None:
        acking.release(tcb)
    _otherwise(tcb, seg)


def _otherwise(tcb: Tcb, seg: Segment) -> None:
    if not sequence(tcb, seg):
        return
    if seg.flags & (RST | SYN) and not (reset_bit(tcb, seg) and syn_bit(tcb, seg)):
        return
    if not ack_field(tcb, seg):
        return
    if seg.flags & URG:
        urgent(tcb, seg)
    if seg.length or seg.flags & FIN or tcb.ecn is not None:
        text(tcb, seg)
    if tcb.rcv.has_fin:
        fin_bit(tcb)


# The fast path.


def _fast(tcb: Tcb, seg: Segment) -> bool:
    """Handle the next in-order segment of an undisturbed connection; False to take the steps."""
    snd, rcv = tcb.snd, tcb.rcv
    if tcb.ts_ok != seg.has_ts:
        return False
    clock_moved = tcb.ts_ok and seg.ts_val != tcb.ts_recent
    if clock_moved and seq.lt(seg.ts_val, tcb.ts_recent):
        return False
    length = seg.length
    if (
        not seg.wnd
        or not snd.wnd
        or seg.sacks
        or tcb.extras
        or length > rcv.wnd
        or tcb.recover != NO_RECOVERY
        or tcb.dupacks
        or tcb.recvq.ahead
        or rcv.has_fin
        or (tcb.ecn is not None and seg.pkt.tos & 3 == CE)
    ):
        return False
    acked = (seg.ack - snd.una) & seq.MASK
    news = acked - tcb.held_octets
    if acked > snd.nxt_at - snd.una_at or news < 0 or (not news and not length):
        return False
    if clock_moved:
        _note_timestamp(tcb, seg)
    if tcb.keepalive is not None:
        tcb.keepalive.heard(tcb.protocol.env.now)
    if news:
        acking.hold(tcb, seg, acked)
    if seg.wnd << snd.wscale != snd.wnd or seq.gt(snd.wl1, seg.seq):
        acking.update_window(tcb, seg)
    else:
        snd.wl1 = seg.seq
        snd.wl2 = seg.ack
    if length:
        view = memoryview(seg.pkt.frame)[seg.start : seg.end]
        tcb.recvq.append(view)
        _received(tcb, seg, length, False)
        pkt = seg.pkt
        if pkt.train:
            train.take(tcb, seg, pkt.train)
        if not pkt.train:
            pkt.nic.taker = (tcb.protocol, (tcb, seg))
    return True


# First: check sequence number.


def sequence(tcb: Tcb, seg: Segment) -> bool:
    """PAWS, acceptability, and trimming to the window."""
    rcv = tcb.rcv
    if tcb.ts_ok and not seg.flags & RST and not _timestamp_good(tcb, seg):
        return False
    next_one = seg.seq == rcv.nxt and rcv.wnd > 0
    if not (
        next_one or acceptable(rcv.nxt, rcv.wnd, seg) or _crossing(tcb, seg) or _excused(tcb, seg)
    ):
        if seg.flags & RST:
            _drop(tcb, seg, fate.TCP_RST_INVALID)
            return False
        if seg.flags & SYN and tcb.state == SYN_RECEIVED and seg.seq == rcv.irs:
            # The peer has not seen our SYN-ACK: it is the acknowledgment to send.  It echoes the
            # SYN that brought it about, or the peer would measure his own time-out.
            if tcb.ts_ok and seg.has_ts and seq.ge(seg.ts_val, tcb.ts_recent):
                tcb.ts_recent = seg.ts_val
            tcb.board.mark_all_lost()
            tcb.protocol.work.mark(tcb)
        elif seg.space:
            # A retransmission or a probe: the peer needs to hear where we are.
            tcb.ack = ACK_NOW
            if seq.le(seq.add(seg.seq, seg.length), rcv.nxt):
                _arrived_twice(tcb, seg.seq, seg.length)
            tcb.protocol.work.mark(tcb)
        else:
            challenge(tcb)
        _drop(tcb, seg, fate.TCP_WINDOW)
        return False
    if seg.ts_val != tcb.ts_recent and tcb.ts_ok and seg.has_ts and _ack_possible(tcb, seg):
        _note_timestamp(tcb, seg)
    if not seg.flags & RST and not (next_one and seg.length < rcv.wnd):
        _trim(tcb, seg)
    return True


def acceptable(nxt: int, wnd: int, seg: Segment) -> bool:
    """The four cases of RFC 9293 3.4, table 6."""
    start = (seg.seq - nxt) & seq.MASK
    space = seg.space
    if space == 0:
        return start < wnd or (wnd == 0 and start == 0)
    if wnd == 0:
        return False
    return start < wnd or seq.sub(seq.add(seg.seq, space - 1), nxt) < wnd


def _crossing(tcb: Tcb, seg: Segment) -> bool:
    """The SYN-ACK of a simultaneous open (RFC 9293 3.5, figure 7).

    It repeats a SYN that has been taken, which table 6 would refuse, and brings the
    acknowledgment that the handshake waits for.
    """
    snd = tcb.snd
    return (
        tcb.state == SYN_RECEIVED
        and seg.flags & (SYN | ACK | RST) == SYN | ACK
        and seg.seq == tcb.rcv.irs
        and 0 < seq.sub(seg.ack, snd.una) <= snd.flight
    )


def _excused(tcb: Tcb, seg: Segment) -> bool:
    """With a closed window the ACK, URG and RST of the next segment still count (MUST-66).

    Its text is cut off and an ACK is owed, as the acceptability test would have it.
    """
    rcv = tcb.rcv
    if rcv.wnd or seg.seq != rcv.nxt or seg.flags & SYN:
        return False
    seg.end = seg.start
    seg.length = 0
    seg.flags &= ~FIN
    tcb.ack = ACK_NOW
    tcb.protocol.work.mark(tcb)
    return True


def _timestamp_good(tcb: Tcb, seg: Segment) -> bool:
    """RFC 7323 3.2 and 5.3: timestamps on every segment but resets, and none older than the
    last."""
    if not seg.has_ts:
        if not tcb.protocol.config.tcp_strict_timestamps:
            return True
        _drop(tcb, seg, fate.TCP_NO_TIMESTAMP)
        return False
    if not seq.lt(seg.ts_val, tcb.ts_recent):
        return True
    if seg.pkt.arrived - tcb.ts_recent_at > _PAWS_IDLE:
        return True
    tcb.ack = ACK_NOW
    tcb.protocol.work.mark(tcb)
    _drop(tcb, seg, fate.TCP_PAWS)
    return False


def _ack_possible(tcb: Tcb, seg: Segment) -> bool:
    """Will `ack_field` accept it?  TS.Recent must not come from a segment that is refused:
    one forged without knowing SND.UNA could otherwise make PAWS drop all that follows."""
    snd = tcb.snd
    acked = seq.diff(seg.ack, snd.una)
    if acked > snd.nxt_at - snd.una_at or (acked < 0 and acked < -max(snd.max_wnd, 1)):
        return False
    return seg.flags & ACK != 0


def _note_timestamp(tcb: Tcb, seg: Segment) -> None:
    """TS.Recent follows what is at or before the last acknowledgment (RFC 7323 4.3).

    Called if the peer's clock has moved; otherwise we do not look at ours either.
    """
    if seq.le(seg.seq, tcb.rcv.acked) and seq.ge(seg.ts_val, tcb.ts_recent):
        tcb.ts_recent = seg.ts_val
        tcb.ts_recent_at = seg.pkt.arrived


def _trim(tcb: Tcb, seg: Segment) -> None:
    """Cut off what lies before RCV.NXT or beyond the window, SYN and FIN included."""
    rcv = tcb.rcv
    behind = seq.sub(rcv.nxt, seg.seq)
    if 0 < behind <= seg.space:
        if seg.flags & SYN:
            seg.flags &= ~SYN
            behind -= 1
        cut = min(behind, seg.length)
        _arrived_twice(tcb, seg.seq, cut)
        seg.start += cut
        seg.length -= cut
        seg.up = max(seg.up - seq.sub(rcv.nxt, seg.seq), 0)  # it counts from SEG.SEQ
        seg.seq = rcv.nxt
        if cut < behind:
            seg.flags &= ~FIN
    over = seq.sub(seg.seq, rcv.nxt) + seg.length + (seg.flags & SYN > 0) - rcv.wnd
    if over >= 0 and seg.length + (seg.flags & FIN):
        if over > 0:
            seg.length -= over
            seg.end -= over
            seg.flags &= ~FIN
        elif seg.flags & FIN and rcv.wnd == 0:
            seg.flags &= ~FIN


def _arrived_twice(tcb: Tcb, left: int, size: int) -> None:
    """Say so in the next acknowledgment (RFC 2883 4), which is at once."""
    if size and tcb.sack_ok:
        tcb.rcv.dsack = (left, seq.add(left, size))
        tcb.ack = ACK_NOW


# Second: check the RST bit.


def reset_bit(tcb: Tcb, seg: Segment) -> bool:
    """RFC 9293 as RFC 5961 3 has it: exactly RCV.NXT resets, elsewhere in the window is asked
    to say it again."""
    if not seg.flags & RST:
        return True
    if seg.seq != tcb.rcv.nxt:
        challenge(tcb)
        _drop(tcb, seg, fate.TCP_RST_INVALID)
        return False
    counters = tcb.protocol.counters
    if tcb.state == SYN_RECEIVED:
        # Back to LISTEN for a passive open (MUST-11): the listener never left it.
        counters.attempt_fails += 1
        if tcb.early is not None:
            tcb.early.reset(tcb.protocol.env.now)
            tcb.early = None
            ending.finish(tcb, RESET)
        else:
            ending.finish(tcb, REFUSED)
    elif tcb.state in (CLOSING, LAST_ACK):
        ending.finish(tcb, RESET)
    else:
        counters.estab_resets += 1
        ending.finish(tcb, RESET)
    return False


# Fourth: check the SYN bit.


def syn_bit(tcb: Tcb, seg: Segment) -> bool:
    """A SYN in the window of a synchronized connection is challenged (RFC 5961 4)."""
    if not seg.flags & SYN:
        return True
    if tcb.state == SYN_RECEIVED and tcb.listener is not None:
        tcb.protocol.counters.attempt_fails += 1
        ending.finish(tcb, RESET)
    else:
        challenge(tcb)
    _drop(tcb, seg, fate.TCP_SYN_IN_WINDOW)
    return False


# Fifth: check the ACK field.


def ack_field(tcb: Tcb, seg: Segment) -> bool:
    if not seg.flags & ACK:
        _drop(tcb, seg, fate.TCP_NO_ACK)
        return False
    snd = tcb.snd
    acked = seq.diff(seg.ack, snd.una)
    if tcb.state == SYN_RECEIVED:
        if not 0 < acked <= snd.nxt_at - snd.una_at:
            tcb.protocol.refuse(seg)
            _drop(tcb, seg, fate.TCP_ACK_INVALID)
            return False
        handshake.establish(tcb, seg)
    elif acked > snd.nxt_at - snd.una_at or (acked < 0 and acked < -max(snd.max_wnd, 1)):
        # RFC 5961 5.2: beyond what we sent, or older than any window could explain.
        challenge(tcb)
        _drop(tcb, seg, fate.TCP_ACK_INVALID)
        return False
    if tcb.keepalive is not None:
        tcb.keepalive.heard(tcb.protocol.env.now)
    if seg.uto and tcb.uto is not None:
        usertimeout.heard(tcb, tcb.uto, seg.uto)
    result = Acked()
    news = acking.selective(tcb, seg, result) if seg.sacks and tcb.sack_ok else 0
    if snd.wnd == 0:
        tcb.progress_at = tcb.protocol.env.now  # the peer is alive (MUST-37)
    if acked > 0:
        acking.advance(tcb, seg, acked, result)
        if news and tcb.recover == NO_RECOVERY and not tcb.rack_on:
            acking.repeat(tcb, seg, news, False, result)
    elif acked == 0:
        acking.again(tcb, seg, news, seg.wnd << snd.wscale == snd.wnd, result)
    if acked >= 0:
        acking.update_window(tcb, seg)
        if tcb.ecn is not None:
            tcb.ecn.acknowledged(tcb, seg, acked)
    return snd.una_at <= tcb.sendq.end or _our_fin_acked(tcb)


def _our_fin_acked(tcb: Tcb) -> bool:
    """Our FIN was acknowledged: per state.  False when the connection ended by it."""
    if tcb.fin_token is not None:
        tcb.done.append((tcb.fin_token, OK, 0))
        tcb.fin_token = None
        tcb.protocol.work.mark(tcb)
    if tcb.state == FIN_WAIT_1:
        chart.enter(tcb, FIN_WAIT_2)
    elif tcb.state == CLOSING:
        ending.time_wait(tcb)
        return False
    elif tcb.state == LAST_ACK:
        ending.finish(tcb, OK)
        return False
    return True


# Sixth: check the URG bit.


def urgent(tcb: Tcb, seg: Segment) -> None:
    """RCV.UP advances (RFC 9293 3.8.5); urgent data stays in line (RFC 6093 3.1)."""
    if not seg.flags & URG or tcb.state not in RECEIVING:
        return
    rcv = tcb.rcv
    up = seq.add(seg.seq, seg.up)
    taken = seq.sub(rcv.nxt, tcb.recvq.size)  # the user is there
    if seq.gt(up, taken) and (not tcb.urgent_left or seq.gt(up, rcv.up)):
        rcv.up = up
        rcv.urgent = True
        rcv.up_new = True
        tcb.protocol.work.mark(tcb)


# Seventh: process the segment text.


def text(tcb: Tcb, seg: Segment) -> None:
    """Queue the text and decide when to acknowledge it."""
    rcv = tcb.rcv
    if tcb.ecn is not None:
        tcb.ecn.arrived(tcb, seg)
    if tcb.state not in RECEIVING:
        if seg.length:
            _drop(tcb, seg, fate.TCP_AFTER_FIN)
        return
    if seg.flags & FIN and not rcv.has_fin:
        rcv.has_fin = True
        rcv.fin = seq.add(seg.seq, seg.length)
    if not seg.length:
        if seg.flags & FIN and seg.seq != rcv.nxt:
            # Out of order like text would be: say at once what is missing (RFC 5681 4.2).
            tcb.ack = ACK_NOW
            tcb.protocol.work.mark(tcb)
        return
    ahead = seq.sub(seg.seq, rcv.nxt)
    if rcv.has_fin and seq.gt(seq.add(seg.seq, seg.length), rcv.fin):
        _drop(tcb, seg, fate.TCP_AFTER_FIN)
        return
    if ahead:
        seen = episodes.of(tcb)
        seen.reordered += 1
        seen.octets_reordered += seg.length
    held = tcb.recvq.reordered
    at = tcb.recvq.next + ahead
    twice = tcb.recvq.held_of(at, at + seg.length) if held and rcv.dsack is None else None
    if twice is not None:
        _arrived_twice(tcb, seq.add(seg.seq, twice[0] - at), twice[1] - twice[0])
    view = memoryview(seg.pkt.frame)[seg.start : seg.end]
    advanced = tcb.recvq.insert(at, view)
    if advanced < 0:
        tcb.ack = ACK_NOW
        tcb.protocol.work.mark(tcb)
        _drop(tcb, seg, fate.TCP_QUEUE_FULL)
        return
    _received(tcb, seg, advanced, held or ahead > 0)


def _received(tcb: Tcb, seg: Segment, advanced: int, disorder: bool) -> None:
    """RCV.NXT moved by `advanced`.  Acknowledge now or soon (RFC 9293 3.8.6.3, RFC 5681 4.2).

    At once when there is disorder, or for every second full-sized segment; a super-frame counts
    as the segments it was made of.
    """
    rcv = tcb.rcv
    rcv.nxt = (rcv.nxt + advanced) & seq.MASK
    rcv.wnd -= advanced
    if seg.flags & PSH:
        rcv.pushed = True
    length = seg.length
    size = seg.pkt.gso_size or (length if length < rcv.mss else rcv.mss)
    if size > rcv.seen:
        rcv.seen = size
    if length >= rcv.seen:
        rcv.owed += -(-length // size) if size else 1
    if disorder or rcv.owed >= rcv.every:
        tcb.ack = ACK_NOW
    elif tcb.ack == ACK_NONE:
        tcb.ack = ACK_DELAYED  # unless the turn ends with a segment, `timeouts.keep` says how long
    if not tcb.marked:
        tcb.protocol.work.mark(tcb)


# Eighth: check the FIN bit.


def fin_bit(tcb: Tcb) -> None:
    """The peer's FIN counts once everything before it is here."""
    rcv = tcb.rcv
    if not rcv.has_fin or tcb.fin_taken or rcv.nxt != rcv.fin:
        return
    tcb.fin_taken = True
    rcv.nxt = seq.add(rcv.nxt, 1)
    rcv.wnd = max(rcv.wnd - 1, 0)
    tcb.ack = ACK_NOW
    tcb.protocol.work.mark(tcb)
    if tcb.state == ESTABLISHED:
        chart.enter(tcb, CLOSE_WAIT)
    elif tcb.state == FIN_WAIT_1:
        chart.enter(tcb, CLOSING)
    elif tcb.state == FIN_WAIT_2:
        ending.time_wait(tcb)


def _drop(tcb: Tcb, seg: Segment, reason: int) -> None:
    tcb.protocol.door.drop(seg.pkt, reason)
