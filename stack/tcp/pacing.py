# SPDX-License-Identifier: MIT
"""TCP: pacing, segments that leave at a rate and not in bursts (draft-ietf-ccwg-bbr 5.6.2, 5.6.3;
RFC 9293 leaves it open).

What left pushes the time at which the next may leave on by its size over the rate.  Until then a
timer holds data back; nobody sleeps.  A super-segment is at most what the rate is in a millisecond,
so that pacing costs large ones only where the rate is low: two segments at least, 64 KB at most.

The rate is congestion control's own, or with `Config.tcp_pacing` so many windows per round trip
that the window stays what decides: two in slow start, 1.2 later, as Linux has it.

Never held back: what a retransmission time-out, a tail loss probe or a window probe sends, pure
ACKs, a FIN without data, the two segments of F-RTO.

A `Pacer` exists only on a connection that paces, and its timer only once something was held back.
`output` asks it, `attach` makes it.
"""

from __future__ import annotations

from typing import Final

from stack.base.timers import Timer
from stack.base.units import MS, SECOND
from stack.tcp.loss.rate import RateSampler
from stack.tcp.names import PACE
from stack.tcp.tcb import Tcb

_BURST: Final = MS
_LEAST_SEGMENTS: Final = 2
_LATE: Final = MS
"""A timer that fires late, as on a busy machine it will, is made up for by so much."""
_SLOW_START: Final = 200  # per cent of a window per round trip
_AVOIDANCE: Final = 120


class Pacer:
    """Release times of one connection.

    next_at   when the next segment may leave
    held      something has had to wait for that
    timer     what wakes it, or None before the first time
    """

    __slots__ = ("held", "next_at", "timer")

    def __init__(self) -> None:
        self.next_at = 0
        self.held = False
        self.timer: Timer | None = None

    @property
    def waiting(self) -> bool:
        """The timer will say when something may leave."""
        return self.timer is not None and self.timer.armed

    def holds(self, tcb: Tcb) -> bool:
        """Not yet: the timer will say when."""
        if self.next_at <= tcb.protocol.env.now:
            return False
        self.held = True
        if self.timer is None:
            self.timer = Timer(tcb, PACE)
        tcb.protocol.timers.arm(self.timer, self.next_at)
        return True

    def left(self, tcb: Tcb, size: int) -> None:
        """`size` octets are on their way."""
        rate = pace(tcb)
        if not rate:
            return
        now = tcb.protocol.env.now
        since = now - _LATE if self.held else now
        self.next_at = max(self.next_at, since) + size * SECOND // rate
        self.held = False

    def stop(self) -> None:
        """Hold nothing back any more, until something leaves again."""
        self.next_at = 0
        self.held = False
        if self.timer is not None:
            self.timer.disarm()


def pace(tcb: Tcb) -> int:
    """Octets per second; 0 where nothing is known yet."""
    cc = tcb.cc
    if cc.pacing_rate or not tcb.protocol.config.tcp_pacing:
        return cc.pacing_rate
    srtt = tcb.rtt.srtt
    if not srtt:
        return 0
    share = _SLOW_START if cc.window < cc.ssthresh else _AVOIDANCE
    return cc.window * share * SECOND // (100 * srtt)


def quantum(tcb: Tcb, most: int) -> int:
    """Octets that may leave in one go; `most` without pacing."""
    rate = pace(tcb)
    if not rate:
        return most
    if tcb.cc.send_quantum:
        return min(tcb.cc.send_quantum, most)
    return min(max(rate * _BURST // SECOND, _LEAST_SEGMENTS * tcb.snd.mss), most)


def attach(tcb: Tcb) -> None:
    """Congestion control has been chosen: give it what it needs beside the connection."""
    cc, env = tcb.cc, tcb.protocol.env
    if cc.wants_rate:
        cc.settle_in(tcb.rtt.srtt, tcb.sack_ok, env.random_below(1 << 32), env.now)
        tcb.board.sample(RateSampler(cc, env))
    elif tcb.board.rate is not None:
        tcb.board.sample(None)
    paced = bool(cc.pacing_rate) or cc.wants_rate or tcb.protocol.config.tcp_pacing
    if paced and tcb.pacer is None:
        tcb.pacer = Pacer()
    elif not paced and tcb.pacer is not None:
        tcb.pacer.stop()
        tcb.pacer = None
