# SPDX-License-Identifier: MIT
"""TCP: keep-alive (RFC 9293 3.8.4): is anybody there, when nobody says anything?

Off until the user of a connection asks for it (MUST-24, MUST-25).  After `time` without a word
from the peer, and only while nothing is outstanding, a probe with SEQ=SND.NXT-1 asks for an ACK;
`count` unanswered ones, `interval` apart, are needed before the peer is given up (MUST-29), since
nobody retransmits an ACK.  A timer is set once per period, not moved for every segment.

Firing only leaves a mark; `output` sends the probe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stack.base.config import Config
from stack.base.seam import TimerOwner
from stack.base.status import TIMED_OUT
from stack.base.timers import Timer
from stack.tcp import ending
from stack.tcp.names import CLOSE_WAIT, ESTABLISHED, FIN_WAIT_2, KEEPALIVE

if TYPE_CHECKING:
    from stack.tcp.tcb import Tcb

_STATES: Final = frozenset((ESTABLISHED, CLOSE_WAIT, FIN_WAIT_2))
"""Where waiting in silence may last; elsewhere a segment of ours is out or a timer ends it."""
GARBAGE: Final = b"\0"
"""The octet of a probe for peers that answer to nothing less (MAY-6)."""


class KeepAlive:
    """The keep-alive of one connection that has it switched on."""

    __slots__ = ("asked", "count", "due", "garbage", "heard_at", "interval", "time", "timer")

    def __init__(self, owner: TimerOwner, config: Config, now: int) -> None:
        self.timer = Timer(owner, KEEPALIVE)
        self.time = config.tcp_keepalive_time
        self.interval = config.tcp_keepalive_interval
        self.count = config.tcp_keepalive_count
        self.garbage = config.tcp_keepalive_garbage
        self.heard_at = now  # when the peer last said something
        self.asked = 0  # probes since then
        self.due = False  # a probe is to be sent

    def heard(self, now: int) -> None:
        """An acceptable segment arrived."""
        self.heard_at = now
        self.asked = 0
        self.due = False


def watch(tcb: Tcb) -> None:
    """Set the timer for the present settings."""
    keep = tcb.keepalive
    if keep is not None:
        wait = keep.interval if keep.asked else keep.time
        tcb.protocol.timers.arm(keep.timer, max(keep.heard_at, tcb.protocol.env.now) + wait)


def fired(tcb: Tcb) -> None:
    """The time is over; was there silence all along?"""
    keep = tcb.keepalive
    if keep is None:
        return
    now = tcb.protocol.env.now
    timers = tcb.protocol.timers
    if keep.asked >= keep.count:
        ending.finish(tcb, tcb.soft_error or TIMED_OUT)
        return
    if not keep.asked and now < keep.heard_at + keep.time:
        timers.arm(keep.timer, keep.heard_at + keep.time)
        return
    if not _silent(tcb):
        # The retransmission or the persist timer asks now; its answers count as heard.
        timers.arm(keep.timer, now + keep.time)
        return
    keep.asked += 1
    keep.due = True
    timers.arm(keep.timer, now + keep.interval)


def _silent(tcb: Tcb) -> bool:
    """Nothing outstanding, nothing waiting to go (MUST-26)."""
    snd = tcb.snd
    return tcb.state in _STATES and snd.nxt_at == snd.una_at and tcb.sendq.end <= snd.nxt_at
