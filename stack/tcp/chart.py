# SPDX-License-Identifier: MIT
"""TCP: the state chart (RFC 9293 3.3.2, figure 5) as a table, and the only way along it.

Rule 1: everything that says which state may follow which is in this file.
Rule 2: nobody assigns `tcb.state` but `enter`.

Beyond the figure: every state may end in CLOSED (reset, abort, time-out), and a connection
made by a listener starts in LISTEN's place, so that LISTEN -> SYN-RECEIVED is one of its arrows.
"""

from __future__ import annotations

from typing import Final

from stack.tcp.names import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LAST_ACK,
    LISTEN,
    STATE_NAMES,
    SYN_RECEIVED,
    SYN_SENT,
    TIME_WAIT,
)
from stack.tcp.tcb import Tcb

ARROWS: Final[dict[int, dict[int, str]]] = {
    CLOSED: {LISTEN: "passive OPEN", SYN_SENT: "active OPEN / snd SYN"},
    LISTEN: {SYN_RECEIVED: "rcv SYN / snd SYN,ACK", CLOSED: "CLOSE"},
    SYN_SENT: {
        ESTABLISHED: "rcv SYN,ACK / snd ACK",
        SYN_RECEIVED: "rcv SYN / snd SYN,ACK",
        CLOSED: "CLOSE, RST or time-out",
    },
    SYN_RECEIVED: {
        ESTABLISHED: "rcv ACK of SYN",
        FIN_WAIT_1: "CLOSE / snd FIN",
        CLOSE_WAIT: "rcv FIN / snd ACK",
        CLOSED: "RST, ABORT or time-out",
    },
    ESTABLISHED: {
        FIN_WAIT_1: "CLOSE / snd FIN",
        CLOSE_WAIT: "rcv FIN / snd ACK",
        CLOSED: "RST, ABORT or time-out",
    },
    FIN_WAIT_1: {
        FIN_WAIT_2: "rcv ACK of FIN",
        CLOSING: "rcv FIN / snd ACK",
        TIME_WAIT: "rcv FIN,ACK of FIN / snd ACK",
        CLOSED: "RST, ABORT or time-out",
    },
    FIN_WAIT_2: {TIME_WAIT: "rcv FIN / snd ACK", CLOSED: "RST or ABORT"},
    CLOSE_WAIT: {LAST_ACK: "CLOSE / snd FIN", CLOSED: "RST, ABORT or time-out"},
    CLOSING: {TIME_WAIT: "rcv ACK of FIN", CLOSED: "RST, ABORT or time-out"},
    LAST_ACK: {CLOSED: "rcv ACK of FIN"},
    TIME_WAIT: {CLOSED: "2MSL time-out"},
}


def enter(tcb: Tcb, state: int) -> None:
    """Move `tcb` along an arrow.  A move that is not in the chart is a bug here, not a fate."""
    old = tcb.state
    assert state in ARROWS[old], f"{STATE_NAMES[old]} -> {STATE_NAMES[state]}"
    tcb.state = state
    trace = tcb.protocol.env.trace
    if trace is not None:
        trace.tcp_state(tcb.describe(), old, state)
