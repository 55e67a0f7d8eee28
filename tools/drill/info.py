# SPDX-License-Identifier: MIT
"""`tcp_info` of a connection, by Linux's names and in Linux's units."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from stack import Stack
from stack.tcp import names
from stack.tcp.tcb import NO_RECOVERY, Tcb
from tools.drill.constants import BSD_STATES, CA_STATES, TCP_STATES
from tools.drill.outcome import Unsupported

_STATES: Final = {
    names.ESTABLISHED: "TCP_ESTABLISHED",
    names.SYN_SENT: "TCP_SYN_SENT",
    names.SYN_RECEIVED: "TCP_SYN_RECV",
    names.FIN_WAIT_1: "TCP_FIN_WAIT1",
    names.FIN_WAIT_2: "TCP_FIN_WAIT2",
    names.TIME_WAIT: "TCP_TIME_WAIT",
    names.CLOSED: "TCP_CLOSE",
    names.CLOSE_WAIT: "TCP_CLOSE_WAIT",
    names.LAST_ACK: "TCP_LAST_ACK",
    names.LISTEN: "TCP_LISTEN",
    names.CLOSING: "TCP_CLOSING",
}
_OPTIONS: Final = {
    "TCPI_OPT_TIMESTAMPS": 1,
    "TCPI_OPT_SACK": 2,
    "TCPI_OPT_WSCALE": 4,
    "TCPI_OPT_ECN": 8,
    "TCPI_OPT_ECN_SEEN": 16,
    "TCPI_OPT_SYN_DATA": 32,
}
SOCKSTAT: Final = re.compile(
    r"sockstat (?:(?!-p )[^|])*(?:-p (\d+))?[^|]*(?:\| *grep packetdril *)?"
    r"\| *grep -c[ow]* (\w+) *\| *grep -?[wqx]* ?(\d+)"
)
"""FreeBSD's way to ask how many connections of a port are in a state."""
_INFINITE: Final = 0x7FFFFFFF


def _ca_state(tcb: Tcb) -> int:
    if tcb.recover != NO_RECOVERY:
        return CA_STATES["TCP_CA_Recovery" if tcb.fast else "TCP_CA_Loss"]
    disorder = tcb.board.sacked or tcb.dupacks
    return CA_STATES["TCP_CA_Disorder" if disorder else "TCP_CA_Open"]


def _options(tcb: Tcb) -> int:
    scaled = tcb.rcv.wscale > 0 or tcb.snd.wscale > 0
    ecn = tcb.ecn is not None
    return tcb.ts_ok | tcb.sack_ok << 1 | scaled << 2 | ecn << 3 | tcb.syn_data << 5


def _segments(tcb: Tcb, octets: int) -> int:
    return -(-octets // max(tcb.snd.mss, 1))


def _threshold(tcb: Tcb) -> int:
    value: int = getattr(tcb.cc, "ssthresh", _INFINITE)
    return _INFINITE if value >= 1 << 30 else value // max(tcb.snd.mss, 1)


def _resent(tcb: Tcb) -> int:
    return _segments(tcb, sum(s.end - s.start for s in tcb.board if s.resent and not s.sacked))


_FIELDS: Final[dict[str, Callable[[Tcb], int]]] = {
    "state": lambda t: TCP_STATES[_STATES[t.state]],
    "ca_state": _ca_state,
    "retransmits": lambda t: t.retries,
    "backoff": lambda t: t.rtt.backoff,
    "options": _options,
    "snd_wscale": lambda t: t.snd.wscale,
    "rcv_wscale": lambda t: t.rcv.wscale,
    "rto": lambda t: t.rtt.timeout() // 1000,
    "ato": lambda t: t.protocol.config.tcp_delayed_ack // 1000,
    "snd_mss": lambda t: t.snd.mss,
    "rcv_mss": lambda t: t.rcv.seen or t.rcv.mss,
    "advmss": lambda t: t.rcv.mss,
    "pmtu": lambda t: t.path.mtu,
    "unacked": lambda t: _segments(t, t.snd.flight),
    "sacked": lambda t: _segments(t, t.board.sacked) or t.dupacks,
    "lost": lambda t: _segments(t, t.board.lost),
    "retrans": _resent,
    "total_retrans": lambda t: t.protocol.counters.retrans_segs,
    "rtt": lambda t: t.rtt.srtt // 1000,
    "rttvar": lambda t: t.rtt.var // 1000,
    "snd_ssthresh": _threshold,
    "snd_cwnd": lambda t: t.cc.window // max(t.snd.mss, 1),
    "snd_wnd": lambda t: t.snd.wnd,
    "rcv_wnd": lambda t: t.rcv.wnd,
    "rcv_space": lambda t: t.rcv.limit,
    "notsent_bytes": lambda t: max(t.sendq.end - max(t.snd.nxt_at, 1), 0),
    "bytes_acked": lambda t: max(t.snd.una_at - 1, 0),
    "bytes_received": lambda t: t.recvq.next,
}


class Info(dict[str, Any]):
    """What a code block sees: `tcpi_...` of one connection and the names of its states.

    A dictionary, so that the block may have variables of its own.
    """

    def __init__(self, tcb: Tcb | None, listening: bool) -> None:
        super().__init__(TCP_STATES | CA_STATES | _OPTIONS)
        self._idle = TCP_STATES["TCP_LISTEN" if listening else "TCP_CLOSE"]
        self._tcb = tcb

    def __missing__(self, name: str) -> int:
        if name.removeprefix("TCPI_") in BSD_STATES:
            return TCP_STATES[BSD_STATES[name.removeprefix("TCPI_")]]
        if name.startswith("tcpi_"):
            field = _FIELDS.get(name[5:])
            if field is None:
                raise Unsupported(name)
            if self._tcb is None:
                return self._idle if name == "tcpi_state" else 0
            return field(self._tcb)
        if name.startswith(("tcp_", "sk_", "so_", "vegas_", "bbr_", "dctcp_")):
            raise Unsupported(name)
        raise KeyError(name)


def count_states(stack: Stack, port: int, bsd_name: str) -> int:
    """How many connections of a port are in a state, as FreeBSD's `sockstat -s` calls it."""
    wanted = TCP_STATES[BSD_STATES[bsd_name]]
    if wanted == TCP_STATES["TCP_TIME_WAIT"]:
        return len(stack.tcp.time_wait)
    return sum(
        TCP_STATES[_STATES[tcb.state]] == wanted
        for tcb in stack.tcp.connections()
        if not port or port in (tcb.lport, tcb.rport)
    )
