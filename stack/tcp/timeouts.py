# SPDX-License-Identifier: MIT
"""TCP: what happens when a timer fires (RFC 9293 3.10.8, 3.8.1, 3.8.3, 3.8.6.1; RFC 6298 5).

Retransmission with its thresholds R1 and R2, window probes, delayed ACKs.  Firing only leaves
marks; `output` sends, and calls `keep` when it has.
"""

from __future__ import annotations

from typing import Final

from stack.base.status import TIMED_OUT
from stack.base.timers import Timer
from stack.base.units import SECOND
from stack.tcp import ending, episodes, keepalive, path_mtu
from stack.tcp.loss import recovery, tlp
from stack.tcp.names import (
    ACK_DELAYED,
    ACK_NOW,
    DELACK,
    KEEPALIVE,
    PERSIST,
    REORDER,
    REXMIT,
    SENDING,
    SYN_RECEIVED,
    SYN_SENT,
)
from stack.tcp.tcb import NO_RECOVERY, Tcb

_OVERRIDE: Final = SECOND
"""How long silly window avoidance may hold data back (RFC 9293 3.8.6.2.1)."""
_R1: Final = 3  # SHLD-10: at least three retransmissions before IP is asked to look


def fired(tcb: Tcb, kind: int) -> None:
    """A timer of `tcb` expired."""
    if kind == REXMIT:
        _retransmission(tcb)
    elif kind == DELACK:
        if tcb.ack == ACK_DELAYED:
            tcb.ack = ACK_NOW
    elif kind == PERSIST:
        # RFC 9293 3.8.6.1: a segment beyond the window asks whether it has opened.  Once sent
        # it is in flight, and the retransmission timer asks again with back-off (SHLD-30).
        tcb.probe = True
    elif kind == REORDER:
        # One timer for two that never wait at once: RACK's for what may only be late, and the
        # tail loss probe's while nothing is reported missing.
        if tcb.board.sacked or tcb.recover != NO_RECOVERY:
            recovery.look_again(tcb)
        else:
            tlp.send(tcb)
    elif kind == KEEPALIVE:
        keepalive.fired(tcb)
    # What pacing held back, PACE, needs no more than the mark.
    tcb.protocol.work.mark(tcb)


def _retransmission(tcb: Tcb) -> None:
    """RFC 6298 5.4-5.7, and RFC 9293 3.8.3 for when to give up."""
    snd = tcb.snd
    if snd.flight == 0:
        return
    if _out_of_patience(tcb):
        ending.finish(tcb, tcb.soft_error or TIMED_OUT)
        return
    tcb.retries += 1
    if tcb.pacer is not None:
        tcb.pacer.stop()  # what is sent again now waits for nothing
    tcb.rtt.back_off()
    if tcb.retries >= _R1:
        tcb.path.doubt()
        if tcb.retries == _R1:
            tcb.trouble = tcb.soft_error or TIMED_OUT  # SHLD-9
    path_mtu.timed_out(tcb)
    if tcb.state in (SYN_SENT, SYN_RECEIVED):
        episodes.of(tcb).syn_retrans += 1
        tcb.board.mark_all_lost()
    elif snd.wnd == 0:
        tcb.board.mark_all_lost()
        tcb.probe = True
    else:
        episodes.of(tcb).timeouts += tcb.retries == 1
        recovery.timed_out(tcb)


def _out_of_patience(tcb: Tcb) -> bool:
    """R2 (MUST-20, MUST-23): too long without progress."""
    protocol = tcb.protocol
    config = protocol.config
    waited = protocol.env.now - tcb.progress_at
    if tcb.state == SYN_SENT:
        most = -1 if tcb.wishes is None else tcb.wishes.syn_retries
        over = waited >= (tcb.user_timeout or config.tcp_syn_timeout) or 0 <= most <= tcb.retries
        protocol.counters.attempt_fails += over
        if over and tcb.fast_open is not None:
            protocol.fast_open.unanswered(tcb.local + tcb.remote, tcb.fast_open)
        return over
    if tcb.state == SYN_RECEIVED and (tcb.listener is not None or tcb.early is not None):
        over = tcb.retries >= config.tcp_syn_ack_retries
        protocol.counters.attempt_fails += over
        return over
    return waited >= (tcb.user_timeout or config.tcp_user_timeout)


def keep(tcb: Tcb) -> None:
    """The retransmission timer runs while something is out (RFC 6298 5.1), the persist timer
    while nothing is and the peer's window is in the way (RFC 9293 3.8.6.1), that of the delayed
    ACK while one is owed (3.8.6.3)."""
    protocol, snd = tcb.protocol, tcb.snd
    timers = protocol.timers
    now = protocol.env.now
    if tcb.ack == ACK_DELAYED:
        if tcb.delack is None:
            tcb.delack = Timer(tcb, DELACK)
        if not tcb.delack.armed:
            timers.arm(tcb.delack, now + protocol.config.tcp_delayed_ack)
    elif tcb.delack is not None:
        tcb.delack.disarm()
    if snd.nxt_at != snd.una_at:
        if not tcb.rexmit.armed:
            timers.arm(tcb.rexmit, now + tcb.rtt.timeout())
        if tcb.persist is not None:
            tcb.persist.disarm()
        if tcb.rack_on:
            tlp.arm(tcb)
        return
    tcb.reorder.disarm()
    if tcb.sendq.end <= snd.nxt_at:
        return
    if snd.wnd and tcb.pacer is not None and tcb.pacer.waiting:
        return
    if tcb.state not in SENDING:
        return
    if tcb.persist is None:
        tcb.persist = Timer(tcb, PERSIST)
    if not tcb.persist.armed:
        wait = tcb.rtt.timeout()
        if snd.wnd:
            wait = min(wait, _OVERRIDE)
        timers.arm(tcb.persist, now + wait)
