# SPDX-License-Identifier: MIT
"""TCP: challenge ACKs (RFC 5961 3-5, 7) and how many of them.

The limit is per connection, so that no stranger can read another connection's state from a
shared counter.  The same limit holds for acknowledgments of segments outside the window, which
otherwise could bounce between two confused peers for ever.
"""

from __future__ import annotations

from stack.base.units import SECOND
from stack.tcp.names import ACK_NOW
from stack.tcp.tcb import Tcb


def challenge(tcb: Tcb) -> None:
    """Owe the peer an ACK now, unless it has provoked too many this second."""
    protocol = tcb.protocol
    now = protocol.env.now
    interval = SECOND // protocol.config.tcp_challenge_rate
    when = max(tcb.challenge_when, now)
    if when - now >= SECOND:
        protocol.counters.challenge_limited += 1
        return
    tcb.challenge_when = when + interval
    protocol.counters.challenge_acks += 1
    tcb.ack = ACK_NOW
    protocol.work.mark(tcb)
