# SPDX-License-Identifier: MIT
"""TCP loss: F-RTO, finding a spurious time-out without any option (RFC 5682 2).

After the first time-out only the first segment is sent again.  If the next ACK advances, two new
segments are sent instead of old ones: should the ACK after that advance too, and over data that
was sent only once, then the originals are arriving, and the time-out was spurious.  A duplicate
ACK in between, or nothing new to send, and recovery goes on as always.

With timestamps `undo` knows after the first ACK already.  Not done: the SACK-enhanced variant (3).
Called by `recovery`; `output` asks what may be sent.
"""

from __future__ import annotations

from typing import Final

from stack.tcp.loss import undo
from stack.tcp.loss.scoreboard import NOT_MEASURED, Acked
from stack.tcp.tcb import NO_RECOVERY, Tcb

OFF: Final = 0
WAITING: Final = 1  # for the first ACK after the time-out
PROBING: Final = 2  # two new segments may leave
JUDGING: Final = 3  # they have; the next ACK tells


def begin(tcb: Tcb) -> None:
    """The first time-out after a time without trouble."""
    tcb.frto = WAITING if tcb.protocol.config.tcp_frto else OFF


def advanced(tcb: Tcb, result: Acked) -> None:
    """SND.UNA advanced while this was going on."""
    snd = tcb.snd
    step, tcb.frto = tcb.frto, OFF
    if tcb.recover == NO_RECOVERY or snd.una_at >= tcb.recover:
        return  # everything is here, which proves nothing either way
    if step == WAITING:
        if min(tcb.sendq.end, snd.una_at + snd.wnd) > snd.nxt_at:
            tcb.frto = PROBING
    elif step == JUDGING and result.sent_at != NOT_MEASURED:
        undo.take_back(tcb)
