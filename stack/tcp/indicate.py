# SPDX-License-Identifier: MIT
"""TCP: the indicate phase.  What happened to a connection is told to its user, in one place.

Order: answers to requests, the ideal backlog, soft errors, that data is urgent, the data, the
peer's FIN (only behind all its data), the end.  The user may make any call from inside; what he
does is seen before the next step.
"""

from __future__ import annotations

from stack.base.status import OK
from stack.tcp import backlog
from stack.tcp.endpoint import SILENT
from stack.tcp.names import SYN_RECEIVED
from stack.tcp.tcb import Tcb
from stack.transport.seam import RECEIVED_CROWDED, RECEIVED_PUSH, StreamSink


def indicate(tcb: Tcb) -> None:
    """Tell the user of `tcb`, if there is one, everything that is new."""
    if tcb.endpoint is None:
        tcb.done.clear()
        return
    if tcb.opened:
        tcb.opened = False
        tcb.done.insert(0, (tcb.connect_token, OK, 0))
        tcb.connect_token = None
    while tcb.done:
        token, status, count = tcb.done.pop(0)
        endpoint = tcb.endpoint
        if endpoint is not None:
            endpoint.sink.done(token, status, count)
    if tcb.backlog_told >= 0 and backlog.changed(tcb):
        _sink(tcb).backlog_changed(tcb.backlog_told)
    if tcb.trouble:
        trouble, tcb.trouble = tcb.trouble, 0
        if tcb.reports:
            _sink(tcb).troubled(trouble)
    if tcb.rcv.up_new:
        tcb.rcv.up_new = False
        _sink(tcb).urgent(tcb.urgent_left)
    if tcb.recvq.size and not tcb.paused:
        _data(tcb)
    if tcb.fin_taken and not tcb.fin_told and not tcb.recvq.size:
        tcb.fin_told = True
        _sink(tcb).finished()
    if tcb.final >= 0 and not tcb.told:
        tcb.told = True
        if tcb.final != OK:
            _sink(tcb).aborted(tcb.final)


def untold(tcb: Tcb) -> bool:
    """`indicate` has something to say again: the user caused it himself when it was called."""
    if tcb.endpoint is None:
        return False
    if tcb.done or tcb.opened or tcb.trouble or tcb.rcv.up_new:
        return True
    if tcb.recvq.size:
        return not tcb.paused or (tcb.final >= 0 and not tcb.told)
    return (tcb.fin_taken and not tcb.fin_told) or (tcb.final >= 0 and not tcb.told)


def _sink(tcb: Tcb) -> StreamSink:
    """Whoever listens now: the user may let go of the stream between any two steps."""
    return SILENT if tcb.endpoint is None else tcb.endpoint.sink


def _data(tcb: Tcb) -> None:
    """Offer all data in order; what the user leaves stays queued and he is left in peace.

    What he takes counts against the window until granted back, from before he is called:
    he may grant inside the call.
    """
    rcv, recvq = tcb.rcv, tcb.recvq
    count = recvq.size
    flags = RECEIVED_PUSH if rcv.pushed else 0
    rcv.pushed = False
    views = recvq.take()
    if rcv.ungranted > rcv.limit >> 1:
        flags |= RECEIVED_CROWDED
    rcv.ungranted += count
    endpoint = tcb.endpoint
    taken = 0 if endpoint is None else endpoint.sink.received(views, count, flags)
    if taken < count:
        rcv.ungranted -= count - taken
        if tcb.endpoint is not None and tcb.state >= SYN_RECEIVED:
            recvq.put_back(views, taken)
            tcb.paused = True
