# SPDX-License-Identifier: MIT
"""TCP: a connection in the numbers of Windows' TCP_INFO, versions 0 to 2, by its member names.

Times in µs where the name says Us, in ms where it says Ms; octets otherwise.  BytesIn counts what
arrived in order.  Not counted, and so left out: SndLimTrans*, SndLimTime* and SndLimBytes* (what
held the sender back).  EceAcksIn knows classic ECN only.

Called by `endpoint`; `wsk_api/control/tcp_info` lays it out.
"""

from __future__ import annotations

from typing import Any, Final

from stack.base.units import MS
from stack.tcp.episodes import Episodes
from stack.tcp.tcb import Tcb

_US: Final = 1000
_NOTHING: Final = Episodes()


def snapshot(tcb: Tcb) -> dict[str, Any]:
    """What is known about `tcb` now."""
    snd, rcv, rtt = tcb.snd, tcb.rcv, tcb.rtt
    seen = tcb.episodes or _NOTHING
    return {
        "State": tcb.state,
        "Mss": snd.mss,
        "ConnectionTimeMs": (tcb.protocol.env.now - tcb.born) // MS,
        "TimestampsEnabled": int(tcb.ts_ok),
        "RttUs": rtt.srtt // _US,
        "MinRttUs": rtt.least // _US,
        "BytesInFlight": snd.flight,
        "Cwnd": tcb.cc.window,
        "SndWnd": snd.wnd,
        "RcvWnd": rcv.wnd,
        "RcvBuf": rcv.limit,
        "BytesOut": max(min(snd.nxt_at, tcb.sendq.end) - 1, 0) + tcb.resent,
        "BytesIn": tcb.recvq.next,
        "BytesReordered": seen.octets_reordered,
        "BytesRetrans": tcb.resent,
        "FastRetrans": seen.fast_retrans,
        "DupAcksIn": seen.dup_acks,
        "TimeoutEpisodes": seen.timeouts,
        "SynRetrans": seen.syn_retrans,
        "OutOfOrderPktsIn": seen.reordered,
        "EcnNegotiated": int(tcb.ecn is not None),
        "EceAcksIn": seen.ece_acks,
        "PtoEpisodes": seen.probes,
    }
