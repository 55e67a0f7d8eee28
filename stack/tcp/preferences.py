# SPDX-License-Identifier: MIT
"""TCP: what a user may set on a stream (the OPTION_* of `transport/seam`), and within which bounds.

Nagle (RFC 9293 MUST-17), keep-alive (MUST-24, MUST-27), the user time-out (MUST-21, RFC 5482),
the traffic class (MUST-48, SHLD-21), the hop limit (MUST-49), reports of soft errors (SHLD-20),
Fast Open (RFC 7413).  Options are remembered by the stream before there is a connection and
applied to it as soon as there is one.
"""

from __future__ import annotations

from typing import Final

from stack.base import status
from stack.base.timers import NEVER
from stack.base.units import MS, SECOND
from stack.tcp import keepalive, user, usertimeout
from stack.tcp.keepalive import KeepAlive
from stack.tcp.names import CLOSED
from stack.tcp.rtt import RttEstimator
from stack.tcp.tcb import Tcb
from stack.tcp.wishes import Wishes
from stack.transport import options, seam

_DSCP: Final = 0xFC  # the other two bits are ECN's

BOUNDS: Final[dict[int, tuple[int, int]]] = {
    seam.OPTION_NODELAY: (0, NEVER),
    seam.OPTION_KEEPALIVE: (0, NEVER),
    seam.OPTION_KEEPALIVE_TIME: (MS, NEVER),
    seam.OPTION_KEEPALIVE_INTERVAL: (MS, NEVER),
    seam.OPTION_KEEPALIVE_COUNT: (2, 255),  # MUST-29: one is not enough
    seam.OPTION_USER_TIMEOUT: (0, NEVER),
    seam.OPTION_TRAFFIC_CLASS: (0, 255),
    seam.OPTION_HOP_LIMIT: (0, 255),
    seam.OPTION_ERROR_REPORTS: (0, NEVER),
    seam.OPTION_ADVERTISE_TIMEOUT: (0, NEVER),
    seam.OPTION_FAST_OPEN: (0, NEVER),
    options.OPTION_RECEIVE_BUFFER: (1, 1 << 30),
    options.OPTION_TIMESTAMPS: (0, NEVER),
    options.OPTION_INITIAL_RTO: (0, 60 * SECOND),
    options.OPTION_SYN_RETRIES: (-1, 255),
    options.OPTION_INITIAL_WINDOW: (0, 1024),
    options.OPTION_ACK_FREQUENCY: (1, 255),
    options.OPTION_CONNECT_ERRORS: (0, NEVER),
}


def check(option: int, value: int) -> int:
    """OK, or why `option` cannot become `value`."""
    bounds = BOUNDS.get(option)
    if bounds is None:
        return status.NOT_SUPPORTED
    return status.OK if bounds[0] <= value <= bounds[1] else status.INVALID


def apply(tcb: Tcb, option: int, value: int) -> None:
    """Let an option that has been checked take effect."""
    if option == seam.OPTION_NODELAY:
        tcb.nodelay = bool(value)
        tcb.protocol.work.mark(tcb)
    elif option == seam.OPTION_USER_TIMEOUT:
        tcb.user_timeout = value
        if tcb.uto is not None:
            tcb.uto.own = value != 0
            usertimeout.announce(tcb, tcb.uto)
    elif option == seam.OPTION_ADVERTISE_TIMEOUT:
        usertimeout.enable(tcb, bool(value))
    elif option == seam.OPTION_TRAFFIC_CLASS:
        tcb.tos = value & _DSCP
    elif option == seam.OPTION_HOP_LIMIT:
        tcb.hops = value
    elif option == seam.OPTION_ERROR_REPORTS:
        tcb.reports = bool(value)
    elif option == seam.OPTION_FAST_OPEN and tcb.state == CLOSED:
        tcb.fast_open = tcb.protocol.offer_fast_open(tcb) if value else None
    elif option == options.OPTION_ACK_FREQUENCY:
        tcb.rcv.every = value
    elif option == options.OPTION_RECEIVE_BUFFER and tcb.state != CLOSED:
        tcb.rcv.limit = tcb.rcv.most = min(value, 0xFFFF << tcb.rcv.wscale)
        user.grant(tcb, 0)  # the window may have grown
    elif tcb.state == CLOSED:
        _wish(tcb, option, value)


def _wish(tcb: Tcb, option: int, value: int) -> None:
    """An option that only the handshake can still heed."""
    wishes = tcb.wishes or Wishes()
    config = tcb.protocol.config
    if option == options.OPTION_RECEIVE_BUFFER:
        wishes.buffer = value
    elif option == options.OPTION_TIMESTAMPS:
        wishes.timestamps = bool(value)
    elif option == options.OPTION_SYN_RETRIES:
        wishes.syn_retries = value
    elif option == options.OPTION_INITIAL_WINDOW:
        wishes.initial_window = value
    elif option == options.OPTION_CONNECT_ERRORS:
        wishes.errors = bool(value)
    elif option == options.OPTION_INITIAL_RTO and value:
        tcb.rtt = RttEstimator(value, config.tcp_rto_min, config.tcp_rto_max)
        return
    else:
        return
    tcb.wishes = wishes


def apply_all(tcb: Tcb, options: dict[int, int]) -> None:
    """Every option of a stream."""
    for option, value in options.items():
        apply(tcb, option, value)
    keep_alive(tcb, options)


def keep_alive(tcb: Tcb, options: dict[int, int]) -> None:
    """Switch the keep-alive on or off, with the times the user set or the configured ones."""
    keep = tcb.keepalive
    if not options.get(seam.OPTION_KEEPALIVE):
        if keep is not None:
            keep.timer.disarm()
            tcb.keepalive = None
        return
    if keep is None:
        keep = KeepAlive(tcb, tcb.protocol.config, tcb.protocol.env.now)
        tcb.keepalive = keep
    keep.time = options.get(seam.OPTION_KEEPALIVE_TIME, keep.time)
    keep.interval = options.get(seam.OPTION_KEEPALIVE_INTERVAL, keep.interval)
    keep.count = options.get(seam.OPTION_KEEPALIVE_COUNT, keep.count)
    keepalive.watch(tcb)


KEEPALIVE_OPTIONS: Final = frozenset(
    (
        seam.OPTION_KEEPALIVE,
        seam.OPTION_KEEPALIVE_TIME,
        seam.OPTION_KEEPALIVE_INTERVAL,
        seam.OPTION_KEEPALIVE_COUNT,
    )
)
