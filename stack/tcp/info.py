# SPDX-License-Identifier: MIT
"""TCP: what is known about one connection, for people and programs that look (RFC 4898's ideas in
the words of Linux's TCP_INFO).

Everything is read from the Tcb when somebody asks; nothing is counted for it on the way but what
was sent again.  STATUS of RFC 9293 3.10.6.
"""

from __future__ import annotations

from dataclasses import dataclass

from stack.base import addr
from stack.tcp import mtu_probe
from stack.tcp.names import STATE_NAMES
from stack.tcp.tcb import NO_RECOVERY, Tcb


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpInfo:
    """A snapshot.  Times in ns, sizes in octets, 0 for what is not known.

    local, remote          addresses with ports, as text
    state                  RFC 9293's name
    recovery               "open", "recovery" (fast) or "loss" (after a time-out)
    options                what the SYNs agreed on: timestamps, sack, wscale, ecn or accecn,
                           fastopen (data went with the SYN)
    congestion             the algorithm's name
    cwnd, ssthresh         of congestion control
    snd_wnd, rcv_wnd       what the peer accepts, what we promised
    snd_mss, rcv_mss       payload of a full segment now, the MSS we announced
    pmtu                   path MTU
    mtu_search             probing for a larger segment: "off", "base", "searching", "complete" or
                           "error"
    srtt, rttvar, min_rtt  round trip: smoothed, its variation, the least one
    rto, retransmits       time-out now, and how many in a row have expired
    unacked, sacked, lost  in flight: all of it, reported out of order, given up
    bytes_sent, bytes_acked, bytes_received, bytes_retrans
    notsent, unread        in the send queue not sent once; received and not taken
    reordering             reordering was seen on the path
    """

    local: str
    remote: str
    state: str
    recovery: str
    options: tuple[str, ...]
    congestion: str
    cwnd: int
    ssthresh: int
    snd_wnd: int
    rcv_wnd: int
    snd_mss: int
    rcv_mss: int
    pmtu: int
    mtu_search: str
    srtt: int
    rttvar: int
    min_rtt: int
    rto: int
    retransmits: int
    unacked: int
    sacked: int
    lost: int
    bytes_sent: int
    bytes_acked: int
    bytes_received: int
    bytes_retrans: int
    notsent: int
    unread: int
    reordering: bool


def snapshot(tcb: Tcb) -> TcpInfo:
    """What is known about `tcb` now."""
    snd, rcv, rtt, board = tcb.snd, tcb.rcv, tcb.rtt, tcb.board
    return TcpInfo(
        local=f"[{addr.text(tcb.local)}]:{tcb.lport}",
        remote=f"[{addr.text(tcb.remote)}]:{tcb.rport}",
        state=STATE_NAMES[tcb.state],
        recovery=_recovery(tcb),
        options=_options(tcb),
        congestion=type(tcb.cc).__name__.lower(),
        cwnd=tcb.cc.window,
        ssthresh=tcb.cc.ssthresh,
        snd_wnd=snd.wnd,
        rcv_wnd=rcv.wnd,
        snd_mss=snd.mss,
        rcv_mss=rcv.mss,
        pmtu=tcb.path.mtu,
        mtu_search="off" if tcb.search is None else mtu_probe.STATES[tcb.search.state],
        srtt=rtt.srtt,
        rttvar=rtt.var,
        min_rtt=rtt.least,
        rto=rtt.timeout(),
        retransmits=tcb.retries,
        unacked=snd.flight,
        sacked=board.sacked,
        lost=board.lost,
        # Offsets count the SYN as one.
        bytes_sent=max(min(snd.nxt_at, tcb.sendq.end) - 1, 0),
        bytes_acked=max(min(snd.una_at, tcb.sendq.end) - 1, 0),
        bytes_received=tcb.recvq.next,
        bytes_retrans=tcb.resent,
        notsent=max(tcb.sendq.end - max(snd.nxt_at, 1), 0),
        unread=tcb.recvq.size,
        reordering=tcb.rack is not None and tcb.rack.reordering_seen,
    )


def _recovery(tcb: Tcb) -> str:
    if tcb.recover == NO_RECOVERY:
        return "open"
    return "recovery" if tcb.fast else "loss"


def _options(tcb: Tcb) -> tuple[str, ...]:
    agreed = {
        "timestamps": tcb.ts_ok,
        "sack": tcb.sack_ok,
        "wscale": bool(tcb.snd.wscale or tcb.rcv.wscale),
        "" if tcb.ecn is None else tcb.ecn.name: tcb.ecn is not None,
        "fastopen": tcb.syn_data,
    }
    return tuple(name for name, is_so in agreed.items() if is_so)
