# SPDX-License-Identifier: MIT
"""TCP loss: the tail loss probe (RFC 8985 7).

When the last segments of a flight are lost nothing comes back that could tell.  So after about
two round trips of silence one segment is sent, new data if there is some, else the last one
again; what it provokes lets RACK see the loss long before the retransmission time-out.

Called by `timeouts` when the probe is due, by `output` to arm it, by `recovery` for every ACK.
"""

from __future__ import annotations

from typing import Final

from stack.base.units import MS, SECOND
from stack.tcp import episodes
from stack.tcp.names import SENDING
from stack.tcp.tcb import NO_PROBE, NO_RECOVERY, Tcb

_MAX_ACK_DELAY: Final = 200 * MS  # a peer may wait so long with its ACK of a single segment
_NOT_MEASURED_YET: Final = SECOND
_SLACK: Final = 2 * MS  # on a fast link two round trips are shorter than a peer's attention


def arm(tcb: Tcb) -> None:
    """Schedule the probe, if one would tell something (RFC 8985 7.2)."""
    snd = tcb.snd
    if tcb.board.sacked or tcb.recover != NO_RECOVERY:
        return  # the timer is RACK's now
    if not may_probe(tcb):
        tcb.reorder.disarm()
        return
    srtt = tcb.rtt.srtt
    due = 2 * srtt + _SLACK if srtt else _NOT_MEASURED_YET
    if snd.nxt_at - snd.una_at <= snd.mss:
        due += _MAX_ACK_DELAY
    due += tcb.last_sent if tcb.last_sent > tcb.progress_at else tcb.progress_at
    if due >= tcb.rexmit.deadline:
        # No later than the time-out: a probe in its place costs nothing, and may spare it.
        due = tcb.rexmit.deadline - 1
    tcb.protocol.timers.arm(tcb.reorder, due)


def may_probe(tcb: Tcb) -> bool:
    """SACK, something in flight, nothing reported missing, no probe out, the window open."""
    return (
        tcb.rack_on
        and tcb.recover == NO_RECOVERY
        and not tcb.board.sacked
        and tcb.tlp_end == NO_PROBE
        and tcb.snd.wnd > 0
        and tcb.snd.nxt_at != tcb.snd.una_at
        and tcb.state in SENDING
    )


def send(tcb: Tcb) -> None:
    """The probe is due (RFC 8985 7.3); `output` sends it, whatever the congestion window."""
    if not may_probe(tcb):
        return
    snd = tcb.snd
    new = min(snd.una_at + snd.wnd, tcb.sendq.end) - snd.nxt_at
    tcb.tlp_new = new > 0
    episodes.of(tcb).probes += 1
    if not tcb.tlp_new:
        tcb.board.mark_last_lost(snd.mss)
    tcb.tlp_end = snd.nxt_at + max(min(snd.mss, new), 0)
    tcb.urge = True
    tcb.rexmit.disarm()  # it starts anew behind the probe


def acknowledged(tcb: Tcb, duplicate: bool, plain: bool) -> None:
    """An ACK while a probe is out (RFC 8985 7.4.2).

    `duplicate`: it has a D-SACK of the probe, so the original had arrived; `plain`: it repeats
    SND.UNA without any block, which says the same.
    """
    una = tcb.snd.una_at
    if una < tcb.tlp_end:
        return
    if not tcb.tlp_new and not duplicate and una > tcb.tlp_end:
        # The probe repaired a loss that nobody else has noticed: it counts as one.
        tcb.cc.on_congestion(tcb.cc.window, tcb.protocol.env.now)
    elif not tcb.tlp_new and not duplicate and not plain:
        return
    tcb.tlp_end = NO_PROBE
