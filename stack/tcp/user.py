# SPDX-License-Identifier: MIT
"""TCP: the user's calls on a connection (RFC 9293 3.10.1-6).

OPEN, SEND, CLOSE; ABORT is in `ending`; RECEIVE is the other way round here: data is indicated
and granted back.  STATUS is reading the Tcb.  Every call only queues and marks.
"""

from __future__ import annotations

from collections.abc import Sequence

from stack.base import status
from stack.base.units import View
from stack.tcp import chart, ending, options, pacing, tuning
from stack.tcp.congestion import algorithm
from stack.tcp.names import (
    ACK_NOW,
    CLOSE_WAIT,
    ESTABLISHED,
    FIN_WAIT_1,
    RECEIVING,
    SYN_RECEIVED,
    SYN_SENT,
)
from stack.tcp.tcb import Tcb
from stack.transport.seam import SEND_NODELAY, SEND_URGENT


def open_active(tcb: Tcb, token: object) -> None:
    """OPEN, active: the SYN leaves in the output phase."""
    tcb.connect_token = token
    options.prepare(tcb)
    chart.enter(tcb, SYN_SENT)
    tcb.protocol.counters.active_opens += 1
    tcb.protocol.work.mark(tcb)


def send(tcb: Tcb, views: Sequence[View], count: int, flags: int, token: object) -> int:
    """SEND (3.10.2): borrow `views` until acknowledged."""
    if tcb.fin_wanted:
        return status.STATE
    if tcb.state not in (SYN_SENT, SYN_RECEIVED, ESTABLISHED, CLOSE_WAIT):
        return status.NOT_CONNECTED
    if count == 0:
        tcb.done.append((token, status.OK, 0))
    else:
        tcb.sendq.append(views, count, token)
        if flags & SEND_NODELAY:
            tcb.push_all = tcb.sendq.end
        if flags & SEND_URGENT:
            tcb.snd.up_at = tcb.sendq.end
    tcb.protocol.work.mark(tcb)
    return status.PENDING


def disconnect(tcb: Tcb, token: object) -> int:
    """CLOSE (3.10.4): a FIN behind everything queued."""
    if tcb.fin_wanted:
        return status.STATE
    if tcb.state not in (SYN_RECEIVED, ESTABLISHED, CLOSE_WAIT):
        return status.NOT_CONNECTED
    tcb.fin_wanted = True
    tcb.fin_token = token
    if tcb.state == ESTABLISHED:
        chart.enter(tcb, FIN_WAIT_1)
    tcb.protocol.work.mark(tcb)
    return status.PENDING


def grant(tcb: Tcb, count: int) -> None:
    """`count` octets that the user took are free.

    The next segment tells the peer; if the window has grown by much and none is on its way,
    an ACK is sent for that alone (RFC 9293 3.8.6.2.2).
    """
    rcv = tcb.rcv
    rcv.ungranted -= count
    if tcb.state not in RECEIVING:
        return
    if rcv.limit < rcv.most:
        tuning.taken(tcb, count)
    growth = rcv.limit - tcb.recvq.size - rcv.ungranted - rcv.wnd
    if growth >= rcv.limit >> 1 or (growth >= 2 * rcv.mss and growth >= rcv.wnd):
        tcb.ack = ACK_NOW
        tcb.protocol.work.mark(tcb)


def change_congestion(tcb: Tcb, name: str) -> None:
    """Another algorithm from now on, with what is known so far."""
    old, new = tcb.cc, algorithm(name)()
    if old.window:
        new.start(tcb.snd.mss, tcb.protocol.config.tcp_initial_window)
        new.window, new.ssthresh = old.window, old.ssthresh
    tcb.cc = new
    if old.window:
        pacing.attach(tcb)


def cancel(tcb: Tcb, token: object) -> bool:
    """Withdraw a request if that is still possible."""
    if token is tcb.connect_token:
        tcb.connect_token = None
        ending.abort(tcb)
        return True
    if token is tcb.fin_token:
        # The FIN cannot be recalled; only the wait for its acknowledgment can.
        tcb.fin_token = None
        return True
    return tcb.sendq.withdraw(token, tcb.snd.nxt_at)
