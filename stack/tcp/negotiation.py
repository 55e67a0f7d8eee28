# SPDX-License-Identifier: MIT
"""TCP: which feedback of ECN two SYNs agree on (RFC 3168 6.1.1, RFC 9768 3.1).

Called by `options` for the peer's SYN and by `output` for ours.
"""

from __future__ import annotations

from typing import Final

from stack.tcp import accecn
from stack.tcp.accecn import AccEcn
from stack.tcp.ecn import Ecn
from stack.tcp.tcb import Tcb
from stack.wire.tcp import ACK, AE, CWR, ECE, Segment

_ASKS: Final = {"on": ECE | CWR, "accurate": AE | ECE | CWR}


def syn_flags(tcb: Tcb, flags: int) -> int:
    """Our SYN or SYN-ACK, with its request or answer."""
    if flags & ACK:
        return flags | tcb.ecn.answer() if tcb.ecn is not None else flags
    asks = 0 if tcb.retries else _ASKS.get(tcb.protocol.config.tcp_ecn, 0)
    return flags | asks


def settle(tcb: Tcb, seg: Segment) -> None:
    """The peer's SYN or SYN-ACK: are we agreed?"""
    tcb.ecn = _accepted(tcb, seg) if seg.flags & ACK else _requested(tcb, seg)
    if isinstance(tcb.ecn, AccEcn):
        tcb.extras = True


def _requested(tcb: Tcb, seg: Segment) -> Ecn | None:
    said = seg.flags & (AE | ECE | CWR)
    if tcb.protocol.config.tcp_ecn == "off":
        return None
    if said == AE | ECE | CWR:
        return AccEcn(seg, answered=False)
    return Ecn() if said == ECE | CWR else None


def _accepted(tcb: Tcb, seg: Segment) -> Ecn | None:
    wish = tcb.protocol.config.tcp_ecn
    if wish not in _ASKS or tcb.retries:
        return None
    if wish == "accurate" and accecn.is_answer(seg.flags):
        return AccEcn(seg, answered=True)
    # A server that only knows RFC 3168, or the nonce of RFC 3540, which is no more.
    return Ecn() if seg.flags & (ECE | CWR) == ECE else None
