# SPDX-License-Identifier: MIT
"""TCP: how often the unusual happened on one connection, for `statistics`.

Counted only where something went wrong anyway, so that a connection to which nothing happens pays
nothing and has no `Episodes`.  Called by `input`, `ecn`, `timeouts` and `loss`.
"""

from __future__ import annotations

from stack.base.counters import Counters
from stack.tcp.tcb import Tcb


class Episodes(Counters):
    """What is counted."""

    __slots__ = (
        "dup_acks",
        "ece_acks",
        "fast_retrans",
        "octets_reordered",
        "probes",
        "reordered",
        "syn_retrans",
        "timeouts",
    )
    dup_acks: int
    ece_acks: int
    fast_retrans: int
    octets_reordered: int
    probes: int
    reordered: int
    syn_retrans: int
    timeouts: int


def of(tcb: Tcb) -> Episodes:
    """The counters of `tcb`, made when something is counted for the first time."""
    found = tcb.episodes
    if found is None:
        found = tcb.episodes = Episodes()
    return found
