# SPDX-License-Identifier: MIT
"""TCP loss: fast retransmit and fast recovery (RFC 5681 3.2, RFC 6582, RFC 6675, RFC 3042).

With SACK a span is lost once enough is reported above it; without, three duplicate ACKs say
that the first segment is, and every partial acknowledgment that the next one is.  This file
marks spans and moves the recovery point; `output` sends what is marked as far as the window
less the pipe allows, which includes limited transmit: a duplicate ACK takes a segment out of
the pipe, so a new one may leave.

Not done here: proportional rate reduction, undo of spurious recovery, RACK (they come beside).
"""

from __future__ import annotations

from typing import Final

from stack.tcp.congestion.seam import AckSample
from stack.tcp.loss.scoreboard import Acked
from stack.tcp.tcb import NO_RECOVERY, Tcb

DUP_THRESHOLD: Final = 3


def duplicate(tcb: Tcb, sacked: int) -> None:
    """A duplicate acknowledgment; with SACK, one that reported `sacked` octets of news."""
    board, snd = tcb.board, tcb.snd
    if tcb.dupacks == 0:
        tcb.dup_nxt = snd.nxt_at
    tcb.dupacks += 1
    if not tcb.sack_ok:
        board.credit = min(board.credit + snd.mss, snd.flight - board.lost)
    if tcb.recover != NO_RECOVERY:
        if tcb.fast and tcb.sack_ok:
            board.mark_lost_by_sack((DUP_THRESHOLD - 1) * snd.mss)
        return
    # The count decides also with SACK, for a peer whose SACKs are lost or useless.
    found = tcb.sack_ok and board.mark_lost_by_sack((DUP_THRESHOLD - 1) * snd.mss)
    if found or tcb.dupacks >= DUP_THRESHOLD:
        _begin(tcb)


def _begin(tcb: Tcb) -> None:
    snd = tcb.snd
    tcb.recover = snd.nxt_at
    tcb.fast = True
    tcb.partials = 0
    flight = (tcb.dup_nxt or snd.nxt_at) - snd.una_at
    tcb.cc.on_loss(flight, tcb.protocol.env.now)
    tcb.board.mark_first_lost(snd.mss)
    tcb.urge = True  # the first retransmission goes whatever the pipe (RFC 6675 5, step 4.3)


def acknowledged(tcb: Tcb, result: Acked, acked: int, flight: int, rtt: int) -> bool:
    """SND.UNA advanced by `acked`, `flight` having been out.

    Returns True if the retransmission timer is to be restarted.
    """
    tcb.dupacks = 0
    if tcb.recover == NO_RECOVERY or not tcb.fast:
        if tcb.recover != NO_RECOVERY and tcb.snd.una_at >= tcb.recover:
            _leave(tcb)
        if not tcb.sack_ok:
            tcb.board.credit = 0
        now = tcb.protocol.env.now
        tcb.cc.on_ack(AckSample(acked, flight, rtt, tcb.cwnd_limited, now))
        return True
    if tcb.snd.una_at >= tcb.recover:
        tcb.cc.on_recovered(tcb.snd.flight)
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
    tcb.board.credit = 0
    tcb.board.forgive()


def timed_out(tcb: Tcb) -> None:
    """The retransmission timer expired (RFC 5681 3.1, RFC 6582 4, RFC 6675 5.1).

    No fast recovery until everything sent so far is acknowledged.
    """
    snd = tcb.snd
    again = tcb.retries > 1
    tcb.cc.on_timeout(snd.flight, again, tcb.protocol.env.now)
    tcb.board.mark_all_lost()
    tcb.recover = snd.nxt_at
    tcb.fast = False
    tcb.dupacks = 0
