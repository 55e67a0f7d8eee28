# SPDX-License-Identifier: MIT
"""TCP loss: a recovery that was none is taken back (RFC 3522, RFC 3708, RFC 4015).

Two things prove that what was sent again had not been lost: the first acknowledgment after the
retransmission echoes a timestamp from before it (Eifel), or the peer reports every octet that
was sent again as a duplicate (D-SACK).  Then the window becomes what it was, by slow start, and
what was given up is in flight again.

Not done: the adaptation of RTO after a spurious time-out (RFC 4015 3.3, 3.4).
"""

from __future__ import annotations

from typing import Final

from stack.base import seq
from stack.tcp.congestion.seam import CongestionControl
from stack.tcp.tcb import NO_RECOVERY, Tcb
from stack.wire.tcp import Segment

_JUDGED: Final = -1


class Undo:
    """What there was before a reduction.

    marker      SND.UNA then; duplicates before it are of no interest
    resent      octets sent again and not reported as duplicates
    first_at    when the first of them left, 0 before that, _JUDGED once its acknowledgment has come
    """

    __slots__ = ("first_at", "marker", "resent", "ssthresh", "window")

    def __init__(self, cc: CongestionControl, marker: int) -> None:
        self.window = cc.window
        self.ssthresh = cc.ssthresh
        self.marker = marker
        self.resent = 0
        self.first_at = 0


def sent_again(tcb: Tcb, size: int) -> None:
    """`size` octets left another time."""
    undo = tcb.undo
    if undo is not None:
        undo.resent += size
        if not undo.first_at:
            undo.first_at = tcb.protocol.env.now


def echoed(tcb: Tcb, seg: Segment) -> None:
    """SND.UNA advanced: does the echo tell which transmission it was?  (RFC 3522 3.2)"""
    undo = tcb.undo
    if undo is None or undo.first_at <= 0:
        return
    first_at, undo.first_at = undo.first_at, _JUDGED
    if tcb.ts_ok and seg.has_ts and seq.lt(seg.ts_ecr, tcb.stamp(first_at)):
        take_back(tcb)


def duplicate(tcb: Tcb, start: int, size: int) -> None:
    """A D-SACK of `size` octets from offset `start` on (RFC 3708 3)."""
    undo = tcb.undo
    if undo is None or start < undo.marker or not undo.resent:
        return
    undo.resent -= size
    if undo.resent <= 0:
        take_back(tcb)


def take_back(tcb: Tcb) -> None:
    """RFC 4015 3.2: no burst, but the way back is open."""
    cc, undo = tcb.cc, tcb.undo
    if undo is None:
        return
    tcb.undo = None
    if tcb.estats is not None:
        tcb.estats.undone(tcb.fast)
    held = cc.window
    cc.on_undo()
    if not cc.own_recovery:
        cc.ssthresh = max(cc.ssthresh, undo.ssthresh, undo.window)
        least = tcb.pipe + tcb.board.lost + tcb.protocol.config.tcp_initial_window * tcb.snd.mss
        cc.window = max(held, min(undo.window, least))
    tcb.board.restore()
    if tcb.rack is not None:
        tcb.rack.doubt()
    tcb.recover = NO_RECOVERY
    tcb.fast = False
    tcb.prr = None
    tcb.frto = 0
    tcb.rtt.backoff = 0
    tcb.retries = 0
    tcb.protocol.work.mark(tcb)
