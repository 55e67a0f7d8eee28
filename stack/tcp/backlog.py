# SPDX-License-Identifier: MIT
"""TCP: how much a user should have outstanding (wsk.md 3.8), for users who want to be told.

Nothing is copied when data is queued, and a request is over when it was acknowledged: a user who
keeps too little outstanding lets the path run dry, one who keeps more ties up memory for nothing.
What fills a path is the bandwidth-delay product, and the congestion window is the estimate of it
that there is; twice as much leaves something to send by when the window opens.  Beyond the
peer's window nothing helps.

Called by `endpoint` when asked, and by `indicate` once per turn for connections that are watched.
"""

from __future__ import annotations

from typing import Final

from stack.base.units import MIB
from stack.tcp.names import SENDING
from stack.tcp.tcb import Tcb

_MOST: Final = 16 * MIB
_STEP: Final = 4
"""A change by less than one part in so many is not worth telling."""


def ideal(tcb: Tcb) -> int:
    """Octets that should be queued or in flight; 0 once nothing can be sent any more.

    Never less than a segment: window probes, which find a lost window update, need data.
    """
    if tcb.state not in SENDING or tcb.fin_wanted:
        return 0
    snd = tcb.snd
    return max(min(2 * tcb.cc.window, snd.wnd, _MOST), snd.mss)


def changed(tcb: Tcb) -> bool:
    """The ideal is much another than the user was told; it is noted as told."""
    value = ideal(tcb)
    told = tcb.backlog_told
    if value == told or not value or abs(value - told) * _STEP < told:
        return False
    tcb.backlog_told = value
    return True
