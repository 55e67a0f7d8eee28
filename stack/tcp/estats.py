# SPDX-License-Identifier: MIT
"""TCP: extended statistics of one connection (RFC 4898), by the MIB's own names.

What the Tcb knows is read from it by `snapshot`, switched on or not; what must be counted is
counted in an `Estats` that exists only with `Config.tcp_estats`, so that a connection without one
pays a test per segment.  The key of an object is its name without "tcpEStatsPerf" and the like.
Times are in the MIB's units, milliseconds where it does not say otherwise; octet counters do not
wrap, so each is its own HC object.

Not done: SndLim* and the counters of reordering, spurious recoveries and congestion signals, for
which nothing is counted yet; SendStall, because a full device is not told to TCP; writing the Tune
group.  The SYN that made a listener's connection is not among SegsIn.

Called by `output`, `protocol` and `acking`; read through `TcpProtocol.estats`.
"""

from __future__ import annotations

from typing import Final

from stack.base.counters import Counters
from stack.base.units import MS
from stack.tcp.tcb import NO_RECOVERY, Tcb
from stack.wire.tcp import Segment

Group = dict[str, int]
_COUNTED: Final = {
    "perf": {
        "SegsOut": "segs_out",
        "DataSegsOut": "data_segs_out",
        "DataOctetsOut": "data_octets_out",
        "SegsRetrans": "segs_retrans",
        "SegsIn": "segs_in",
        "DataSegsIn": "data_segs_in",
        "DataOctetsIn": "data_octets_in",
        "MaxRwinSent": "max_rwin_sent",
        "ZeroRwinSent": "zero_rwin_sent",
        "ZeroRwinRcvd": "zero_rwin_rcvd",
    },
    "path": {"MaxRTT": "max_rtt", "SumRTT": "sum_rtt", "CountRTT": "count_rtt"},
    "stack": {"SACKsRcvd": "sacks_rcvd", "SACKBlocksRcvd": "sack_blocks_rcvd"},
}


class Estats(Counters):
    """What is counted.  Round trips in ms."""

    __slots__ = (
        "_high",
        "_sent_zero",
        "count_rtt",
        "data_octets_in",
        "data_octets_out",
        "data_segs_in",
        "data_segs_out",
        "max_rtt",
        "max_rwin_sent",
        "sack_blocks_rcvd",
        "sacks_rcvd",
        "segs_in",
        "segs_out",
        "segs_retrans",
        "sum_rtt",
        "zero_rwin_rcvd",
        "zero_rwin_sent",
    )
    _high: int
    _sent_zero: int
    count_rtt: int
    data_octets_in: int
    data_octets_out: int
    data_segs_in: int
    data_segs_out: int
    max_rtt: int
    max_rwin_sent: int
    sack_blocks_rcvd: int
    sacks_rcvd: int
    segs_in: int
    segs_out: int
    segs_retrans: int
    sum_rtt: int
    zero_rwin_rcvd: int
    zero_rwin_sent: int

    def sent(self, at: int, size: int, mss: int, window: int) -> None:
        """`size` octets from offset `at` left in segments of `mss`."""
        count = -(-size // mss) if size > mss else 1
        self.segs_out += count
        if size:
            self.data_segs_out += count
            self.data_octets_out += size
            if at < self._high:
                self.segs_retrans += count
            self._high = max(self._high, at + size)
        self.max_rwin_sent = max(self.max_rwin_sent, window)
        zero = int(window == 0)
        self.zero_rwin_sent += zero > self._sent_zero
        self._sent_zero = zero

    def arrived(self, tcb: Tcb, seg: Segment) -> None:
        """A segment, before anything is done with it; a super-frame counts as its segments."""
        gso = seg.pkt.gso_size
        count = -(-seg.length // gso) if gso else 1
        self.segs_in += count
        if seg.length:
            self.data_segs_in += count
            self.data_octets_in += seg.length
        if seg.sacks:
            self.sacks_rcvd += 1
            self.sack_blocks_rcvd += len(seg.sacks)
        self.zero_rwin_rcvd += not seg.wnd and tcb.snd.wnd > 0

    def measured(self, rtt: int) -> None:
        """A round trip in ns."""
        self.count_rtt += 1
        self.sum_rtt += rtt // MS
        self.max_rtt = max(self.max_rtt, rtt // MS)


def snapshot(tcb: Tcb) -> dict[str, Group]:
    """Groups perf, path, stack, app and tune; counted objects only where they are counted."""
    groups = {
        "perf": _perf(tcb),
        "path": {"RTTVar": tcb.rtt.var // MS, "MinRTT": tcb.rtt.least // MS, "RetranThresh": 3},
        "stack": _stack(tcb),
        "app": _app(tcb),
        "tune": {"LimRwin": tcb.rcv.most, "LimMSS": tcb.protocol.config.tcp_mss_clamp},
    }
    if tcb.estats is not None:
        for group, names in _COUNTED.items():
            groups[group] |= {name: getattr(tcb.estats, own) for name, own in names.items()}
    return groups


def _perf(tcb: Tcb) -> Group:
    return {
        "OctetsRetrans": tcb.resent,
        "CurMSS": tcb.snd.mss,
        "PipeSize": tcb.pipe,
        "SmoothedRTT": tcb.rtt.srtt // MS,
        "CurRTO": tcb.rtt.timeout() // MS,
        "CurCwnd": tcb.cc.window,
        "CurSsthresh": tcb.cc.ssthresh,
        "CurRwinSent": tcb.rcv.wnd,
        "CurRwinRcvd": tcb.snd.wnd,
        "MaxRwinRcvd": tcb.snd.max_wnd,
    }


def _stack(tcb: Tcb) -> Group:
    return {
        "MSSSent": tcb.rcv.mss,
        "MSSRcvd": tcb.snd.peer_mss,
        "WinScaleSent": tcb.rcv.wscale,
        "WinScaleRcvd": tcb.snd.wscale,
        "TimeStamps": int(tcb.ts_ok),
        "ECN": int(tcb.ecn is not None),
        "WillSendSACK": int(tcb.sack_ok),
        "Nagle": int(not tcb.nodelay),
        "InRecovery": int(tcb.recover != NO_RECOVERY),
        "CurTimeoutCount": tcb.retries,
        "CurRetxQueue": tcb.snd.flight,
        "SndInitial": tcb.snd.iss,
        "RecInitial": tcb.rcv.irs,
    }


def _app(tcb: Tcb) -> Group:
    snd = tcb.snd
    return {
        "SndUna": snd.una,
        "SndNxt": snd.nxt,
        "ThruOctetsAcked": max(min(snd.una_at, tcb.sendq.end) - 1, 0),
        "RcvNxt": tcb.rcv.nxt,
        "ThruOctetsReceived": tcb.recvq.next,
        "CurAppWQueue": max(tcb.sendq.end - max(snd.nxt_at, 1), 0),
        "CurAppRQueue": tcb.recvq.size,
    }
