# SPDX-License-Identifier: MIT
"""TCP: extended statistics of one connection (RFC 4898), by the MIB's own names.

What the Tcb knows is read from it by `snapshot`, switched on or not; what must be counted is
counted in an `Estats` that exists only with `Config.tcp_estats`, so that a connection without one
pays a test per segment.  The key of an object is its name without "tcpEStatsPerf" and the like.
Times are in the MIB's units, milliseconds where it does not say otherwise; octet counters do not
wrap, so each is its own HC object; switches of the Stack group are 1 or 0.

Not done: SendStall (a full device is not told to TCP), ECESent, CERcvd and the like of one
algorithm (`TcpInfo` has what is known), ECNsignals apart from CongSignals, writing the Tune group.
The SYN that made a listener's connection is not among SegsIn.

Called by `output`, `protocol`, `acking`, `ecn` and `loss/`; read through `TcpProtocol.estats`.
"""

from __future__ import annotations

import re
from typing import Final

from stack.base.units import MS, SECOND
from stack.tcp.congestion.window import UNKNOWN
from stack.tcp.names import SENDING
from stack.tcp.tcb import NO_RECOVERY, Tcb
from stack.wire.tcp import Segment

Group = dict[str, int]
_US: Final = 1000
COUNTED: Final = {
    "perf": [
        "SegsOut",
        "DataSegsOut",
        "DataOctetsOut",
        "SegsRetrans",
        "SegsIn",
        "DataSegsIn",
        "DataOctetsIn",
        "MaxRwinSent",
        "ZeroRwinSent",
        "ZeroRwinRcvd",
        "MaxPipeSize",
        "MaxSsCwnd",
        "MaxCaCwnd",
        "MaxSsthresh",
        "MinSsthresh",
        "CongSignals",
        "Timeouts",
    ],
    "path": [
        "SampleRTT",
        "MaxRTT",
        "SumRTT",
        "CountRTT",
        "MaxRTO",
        "MinRTO",
        "NonRecovDA",
        "NonRecovDAEpisodes",
        "SumOctetsReordered",
        "DSACKDups",
        "PreCongSumCwnd",
        "PreCongSumRTT",
        "PostCongSumRTT",
        "PostCongCountRTT",
        "IpTosIn",
    ],
    "stack": [
        "SACKsRcvd",
        "SACKBlocksRcvd",
        "SlowStart",
        "CongAvoid",
        "OtherReductions",
        "CongOverCount",
        "FastRetran",
        "SubsequentTimeouts",
        "AbruptTimeouts",
        "DupAcksIn",
        "DupAckEpisodes",
        "SpuriousFrDetected",
        "SpuriousRtoDetected",
        "SoftErrors",
        "MaxMSS",
        "MinMSS",
        "MaxRetxQueue",
        "MaxReasmQueue",
    ],
    "app": ["MaxAppWQueue", "MaxAppRQueue"],
}
"""Objects that are counted, by group; `own` has the names they are counted under."""
_LIMITS: Final = ("Snd", "Cwnd", "Rwin")
_SND, _CWND, _RWIN = range(3)


def own(name: str) -> str:
    """The attribute of `Estats` that counts an object."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


class _Limit:
    """One of the reasons for which no more is sent: how often, how long, how much meanwhile."""

    __slots__ = ("octets", "time", "transitions")

    def __init__(self) -> None:
        self.transitions = self.time = self.octets = 0


class Estats:
    """What is counted.  Times in ms."""

    __slots__ = (*(own(name) for names in COUNTED.values() for name in names), "watch")
    cong_avoid: int
    cong_over_count: int
    cong_signals: int
    count_rtt: int
    data_octets_in: int
    data_octets_out: int
    data_segs_in: int
    data_segs_out: int
    dsackdups: int
    dup_ack_episodes: int
    dup_acks_in: int
    fast_retran: int
    ip_tos_in: int
    max_app_rqueue: int
    max_app_wqueue: int
    max_ca_cwnd: int
    max_mss: int
    max_pipe_size: int
    max_reasm_queue: int
    max_retx_queue: int
    max_rto: int
    max_rtt: int
    max_rwin_sent: int
    max_ss_cwnd: int
    max_ssthresh: int
    min_mss: int
    min_rto: int
    min_ssthresh: int
    non_recov_da: int
    non_recov_daepisodes: int
    other_reductions: int
    post_cong_count_rtt: int
    post_cong_sum_rtt: int
    pre_cong_sum_cwnd: int
    pre_cong_sum_rtt: int
    sample_rtt: int
    sackblocks_rcvd: int
    sacks_rcvd: int
    segs_in: int
    segs_out: int
    segs_retrans: int
    slow_start: int
    soft_errors: int
    spurious_fr_detected: int
    spurious_rto_detected: int
    subsequent_timeouts: int
    sum_octets_reordered: int
    sum_rtt: int
    timeouts: int
    zero_rwin_rcvd: int
    zero_rwin_sent: int
    abrupt_timeouts: int
    watch: Watch

    def __init__(self, now: int) -> None:
        for name in self.__slots__:
            setattr(self, name, 0)
        self.watch = Watch(now)

    # Segments.

    def sent(self, at: int, size: int, mss: int, window: int) -> None:
        """`size` octets from offset `at` left in segments of `mss`."""
        count = -(-size // mss) if size > mss else 1
        self.segs_out += count
        watch = self.watch
        if size:
            self.data_segs_out += count
            self.data_octets_out += size
            if at < watch.high:
                self.segs_retrans += count
            watch.high = max(watch.high, at + size)
        self.max_rwin_sent = max(self.max_rwin_sent, window)
        self.zero_rwin_sent += not window and not watch.closed
        watch.closed = not window

    def arrived(self, tcb: Tcb, seg: Segment) -> None:
        """A segment, before anything is done with it; a super-frame counts as its segments."""
        gso = seg.pkt.gso_size
        count = -(-seg.length // gso) if gso else 1
        self.segs_in += count
        self.ip_tos_in = seg.pkt.tos
        if seg.length:
            self.data_segs_in += count
            self.data_octets_in += seg.length
        if seg.sacks:
            self.sacks_rcvd += 1
            self.sackblocks_rcvd += len(seg.sacks)
        self.zero_rwin_rcvd += not seg.wnd and tcb.snd.wnd > 0

    def measured(self, tcb: Tcb, rtt: int) -> None:
        """A round trip in ns."""
        self.sample_rtt = rtt // MS
        self.count_rtt += 1
        self.sum_rtt += rtt // MS
        self.max_rtt = max(self.max_rtt, rtt // MS)
        rto = tcb.rtt.timeout() // MS
        self.max_rto = max(self.max_rto, rto)
        self.min_rto = min(self.min_rto or rto, rto)
        if self.watch.recovered:
            self.watch.recovered = False
            self.post_cong_count_rtt += 1
            self.post_cong_sum_rtt += rtt // MS

    # Congestion and what looks like it.

    def grown(self, slow_start: bool) -> None:
        """The window grew."""
        self.slow_start += slow_start
        self.cong_avoid += not slow_start

    def reduced(self, tcb: Tcb, ecn: bool) -> None:
        """Fast recovery begins, or a router's mark was echoed."""
        self._signal(tcb)
        self.fast_retran += not ecn
        self.other_reductions += ecn

    def timed_out(self, tcb: Tcb, again: bool) -> None:
        """The retransmission timer expired."""
        self.timeouts += 1
        self.subsequent_timeouts += again
        self.abrupt_timeouts += not again and not tcb.dupacks and tcb.recover == NO_RECOVERY
        if not again:
            self._signal(tcb)

    def _signal(self, tcb: Tcb) -> None:
        self.cong_signals += 1
        self.pre_cong_sum_cwnd += tcb.cc.window
        self.pre_cong_sum_rtt += tcb.rtt.srtt // MS
        self.watch.recovered = True
        self.watch.behind = 0

    def undone(self, fast: bool) -> None:
        """It was a mistake."""
        self.cong_over_count += 1
        self.spurious_fr_detected += fast
        self.spurious_rto_detected += not fast

    def duplicate(self, tcb: Tcb) -> None:
        """A duplicate acknowledgment."""
        self.dup_acks_in += 1
        self.dup_ack_episodes += tcb.dupacks == 0
        if tcb.recover == NO_RECOVERY:
            self.non_recov_da += 1
            self.non_recov_daepisodes += tcb.dupacks == 0
            self.watch.behind = tcb.board.sacked

    def advanced(self) -> None:
        """SND.UNA advanced.  If nothing had to be sent again for it, what was reported out of
        order had only been reordered."""
        self.sum_octets_reordered += self.watch.behind
        self.watch.behind = 0

    def settled(self, tcb: Tcb) -> None:
        """A turn's output is over: why is no more sent, and how large has everything become?"""
        if tcb.state in SENDING:
            self.watch.limited(_reason(tcb), tcb.protocol.env.now, self.data_octets_out)
        cc, snd = tcb.cc, tcb.snd
        if cc.window < cc.ssthresh:
            self.max_ss_cwnd = max(self.max_ss_cwnd, cc.window)
        else:
            self.max_ca_cwnd = max(self.max_ca_cwnd, cc.window)
        if cc.ssthresh != UNKNOWN:
            self.max_ssthresh = max(self.max_ssthresh, cc.ssthresh)
            self.min_ssthresh = min(self.min_ssthresh or cc.ssthresh, cc.ssthresh)
        self.max_pipe_size = max(self.max_pipe_size, tcb.pipe)
        self.max_retx_queue = max(self.max_retx_queue, snd.flight)
        self.max_reasm_queue = max(self.max_reasm_queue, tcb.recvq.ahead)
        self.max_app_wqueue = max(self.max_app_wqueue, _unsent(tcb))
        self.max_app_rqueue = max(self.max_app_rqueue, tcb.recvq.size)
        self.max_mss = max(self.max_mss, snd.mss)
        self.min_mss = min(self.min_mss or snd.mss, snd.mss)


class Watch:
    """What counting has to remember.

    began       ns
    high        offset behind the last octet sent
    closed      the last window we told was zero
    behind      octets reported out of order, while nothing was found to be lost
    recovered   a congestion signal came, and no round trip since
    """

    __slots__ = ("_limit", "_octets", "_since", "began", "behind", "closed", "high", "limits",
                 "recovered")  # fmt: skip

    def __init__(self, now: int) -> None:
        self.began = self._since = now
        self.high = 0
        self.closed = False
        self.behind = 0
        self.recovered = False
        self.limits = tuple(_Limit() for _ in _LIMITS)
        self._limit = _SND
        self._octets = 0

    def limited(self, limit: int, now: int, octets: int) -> None:
        """Sending is limited by `limit` now, `octets` having been sent in all."""
        old = self.limits[self._limit]
        old.time += now - self._since
        old.octets += octets - self._octets
        self._since, self._octets = now, octets
        if limit != self._limit:
            self._limit = limit
            self.limits[limit].transitions += 1


def _reason(tcb: Tcb) -> int:
    snd = tcb.snd
    ready = tcb.sendq.end - snd.nxt_at
    if ready <= 0:
        return _SND
    if snd.una_at + snd.wnd - snd.nxt_at < min(ready, snd.mss):
        return _RWIN
    return _CWND if tcb.cwnd_limited else _SND


def _unsent(tcb: Tcb) -> int:
    return max(tcb.sendq.end - max(tcb.snd.nxt_at, 1), 0)


# Reading.


def snapshot(tcb: Tcb) -> dict[str, Group]:
    """Groups perf, path, stack, app and tune; counted objects only where they are counted."""
    groups = {
        "perf": _perf(tcb),
        "path": _path(tcb),
        "stack": _stack(tcb),
        "app": _app(tcb),
        "tune": {"LimRwin": tcb.rcv.most, "LimMSS": tcb.protocol.config.tcp_mss_clamp},
    }
    estats = tcb.estats
    if estats is not None:
        for group, names in COUNTED.items():
            groups[group] |= {name: getattr(estats, own(name)) for name in names}
        groups["perf"] |= _limits(tcb, estats)
    return groups


def _limits(tcb: Tcb, estats: Estats) -> Group:
    now = tcb.protocol.env.now
    elapsed = now - estats.watch.began
    found = {"ElapsedSecs": elapsed // SECOND, "ElapsedMicroSecs": elapsed % SECOND // _US}
    estats.watch.limited(_reason(tcb), now, estats.data_octets_out)
    for name, limit in zip(_LIMITS, estats.watch.limits, strict=True):
        found[f"SndLimTrans{name}"] = limit.transitions
        found[f"SndLimTime{name}"] = limit.time // MS
        found[f"SndLimBytes{name}"] = limit.octets
    return found


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


def _path(tcb: Tcb) -> Group:
    return {
        "RTTVar": tcb.rtt.var // MS,
        "MinRTT": tcb.rtt.least // MS,
        "RetranThresh": 3,
        "IpTtl": tcb.hops or tcb.protocol.config.hop_limit,
        "IpTosOut": tcb.tos,
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
        "WillUseSACK": int(tcb.sack_ok),
        "Nagle": int(not tcb.nodelay),
        "InRecovery": _disorder(tcb),
        "CurTimeoutCount": tcb.retries,
        "CurRetxQueue": tcb.snd.flight,
        "CurReasmQueue": tcb.recvq.ahead,
        "SndInitial": tcb.snd.iss,
        "RecInitial": tcb.rcv.irs,
    }


def _disorder(tcb: Tcb) -> int:
    """tcpESDataContiguous, tcpESDataUnordered or tcpESDataRecovery."""
    if tcb.recover != NO_RECOVERY:
        return 3
    return 2 if tcb.board.sacked else 1


def _app(tcb: Tcb) -> Group:
    snd = tcb.snd
    return {
        "SndUna": snd.una,
        "SndNxt": snd.nxt,
        "SndMax": snd.nxt,
        "ThruOctetsAcked": max(min(snd.una_at, tcb.sendq.end) - 1, 0),
        "RcvNxt": tcb.rcv.nxt,
        "ThruOctetsReceived": tcb.recvq.next,
        "CurAppWQueue": _unsent(tcb),
        "CurAppRQueue": tcb.recvq.size,
    }
