# SPDX-License-Identifier: MIT
"""TCP: the receive window grows with the path and with its reader (dynamic right-sizing).

A window must hold what is under way in a round trip, and as much again for what the sender may
add in the next one.  Nobody says how much that is, but the user shows it: what he takes in one
round trip came in about that time.  So whenever he takes more than half of a window per round
trip the window doubles, up to the most that the level allows.  A reader who is slow, or a path
that is short, never makes it grow, and it never shrinks.

The levels are those of the next generation stack: "disabled", "highlyrestricted", "restricted",
"normal", "experimental" (`Config.tcp_autotuning`).  Called by `user.grant` and `options`.
"""

from __future__ import annotations

from typing import Final

from stack.base.config import Config
from stack.base.config_transport import AUTOTUNING
from stack.base.units import MS
from stack.tcp.tcb import Tcb

_SHORTEST: Final = MS


def most(config: Config) -> int:
    """The largest window of a connection; it decides the window scale we offer."""
    return AUTOTUNING[config.tcp_autotuning] or config.tcp_receive_buffer


def taken(tcb: Tcb, count: int) -> None:
    """The user took `count` octets and gave their memory back, and the window may still grow."""
    rcv = tcb.rcv
    rcv.taken += count
    now = tcb.protocol.env.now
    rtt = tcb.rtt.srtt
    elapsed = now - rcv.taken_at
    if elapsed < rtt or elapsed < _SHORTEST:
        return
    if rcv.taken * rtt // elapsed * 2 > rcv.limit:
        rcv.limit = min(rcv.limit * 2, rcv.most)
    rcv.taken = 0
    rcv.taken_at = now
