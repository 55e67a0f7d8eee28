# SPDX-License-Identifier: MIT
"""TCP: how a connection ends (RFC 9293 3.10.4-5, 3.6).

Whatever the way (a reset, a time-out, an abort, the last ACK), it goes through `finish`: timers
off, out of the table, every token answered.  The user hears of it in the indicate phase.
"""

from __future__ import annotations

from stack.base.status import ABORTED, OK
from stack.tcp import chart, reset
from stack.tcp.names import (
    CLOSED,
    LISTEN,
    SYN_SENT,
    TIME_WAIT,
)
from stack.tcp.tcb import Tcb


def finish(tcb: Tcb, status: int) -> None:
    """The connection is over with `status`; OK means both sides closed in order."""
    if tcb.state == CLOSED:
        return
    protocol = tcb.protocol
    if tcb.state != TIME_WAIT:
        protocol.forget(tcb)
    chart.enter(tcb, CLOSED)
    _retire(tcb)
    _answer_all(tcb, status)
    if status == OK:
        tcb.recvq.drop_ahead()
    else:
        tcb.recvq.clear()
    tcb.final = status
    if tcb.early is not None:
        tcb.early.confirmed()
        tcb.early = None
    if tcb.listener is not None:
        tcb.listener.forget(tcb)
    protocol.work.mark(tcb)


def time_wait(tcb: Tcb) -> None:
    """Both FINs are through: a small record takes the connection's place for 2*MSL."""
    chart.enter(tcb, TIME_WAIT)
    tcb.recvq.drop_ahead()
    _retire(tcb)
    _answer_all(tcb, OK)
    tcb.protocol.rest(tcb)
    tcb.protocol.work.mark(tcb)


def abort(tcb: Tcb) -> None:
    """The user gives up (RFC 9293 3.10.5): a reset if the peer knows of us, and the end."""
    if tcb.state in (CLOSED, TIME_WAIT):
        return
    if tcb.state not in (SYN_SENT, LISTEN):
        reset.abort(tcb)
    finish(tcb, ABORTED)


def silence(tcb: Tcb) -> None:
    """Nothing leaves any more and nothing comes in, and nobody is told; the name stays taken."""
    tcb.protocol.hush(tcb)
    chart.enter(tcb, CLOSED)
    _retire(tcb)
    tcb.recvq.clear()


def _retire(tcb: Tcb) -> None:
    """No timer of `tcb` fires any more."""
    tcb.rexmit.retire()
    tcb.reorder.retire()
    if tcb.delack is not None:
        tcb.delack.retire()
    if tcb.persist is not None:
        tcb.persist.retire()
    if tcb.pacer is not None:
        tcb.pacer.stop()
        tcb.pacer = None
    if tcb.keepalive is not None:
        tcb.keepalive.timer.retire()
        tcb.keepalive = None


def _answer_all(tcb: Tcb, status: int) -> None:
    if tcb.sendq.end != tcb.sendq.start:
        for token in tcb.sendq.drain():
            tcb.done.append((token, status, 0))
    if tcb.connect_token is not None:
        tcb.done.append((tcb.connect_token, status, 0))
        tcb.connect_token = None
    if tcb.fin_token is not None:
        tcb.done.append((tcb.fin_token, status, 0))
        tcb.fin_token = None
