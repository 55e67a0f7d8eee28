# SPDX-License-Identifier: MIT
"""TCP: states, marks and timers by name (RFC 9293 3.3.2).  Plain ints, for speed."""

from __future__ import annotations

from typing import Final

CLOSED: Final = 0
LISTEN: Final = 1
SYN_SENT: Final = 2
SYN_RECEIVED: Final = 3
ESTABLISHED: Final = 4
FIN_WAIT_1: Final = 5
FIN_WAIT_2: Final = 6
CLOSE_WAIT: Final = 7
CLOSING: Final = 8
LAST_ACK: Final = 9
TIME_WAIT: Final = 10

STATE_NAMES: Final = (
    "CLOSED",
    "LISTEN",
    "SYN-SENT",
    "SYN-RECEIVED",
    "ESTABLISHED",
    "FIN-WAIT-1",
    "FIN-WAIT-2",
    "CLOSE-WAIT",
    "CLOSING",
    "LAST-ACK",
    "TIME-WAIT",
)

SENDING: Final = frozenset((ESTABLISHED, CLOSE_WAIT, FIN_WAIT_1, CLOSING, LAST_ACK))
"""States in which queued data, or our FIN, may still have to be (re)sent."""
RECEIVING: Final = frozenset((ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2))
"""States in which segment text is accepted (RFC 9293 3.10.7.4, seventh)."""

# Tcb.ack: what we owe the peer.
ACK_NONE: Final = 0
ACK_DELAYED: Final = 1
ACK_NOW: Final = 2

# Timer kinds.
REXMIT: Final = 1
DELACK: Final = 2
PERSIST: Final = 3
REORDER: Final = 4
KEEPALIVE: Final = 5
PACE: Final = 6

PROTO: Final = 6
HEADER: Final = 20
"""Octets of a TCP header without options."""
