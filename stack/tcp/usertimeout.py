# SPDX-License-Identifier: MIT
"""TCP: the user time-out option (RFC 5482): both ends agree on how long to be patient.

Each end says how long it would wait for an acknowledgment; each then waits for the longer of
both, within the limits of the configuration.  A user who has set a time-out of his own keeps it
and only announces it (CHANGEABLE).

Off unless asked for (ENABLED): `Config.tcp_user_timeout_option`, or OPTION_ADVERTISE_TIMEOUT.
The option goes with the SYNs, and with the next ACK after a change; it is not sent reliably.
Called by `options`, `input`, `output`, `preferences`.
"""

from __future__ import annotations

from typing import Final

from stack.base.units import MINUTE, SECOND
from stack.tcp.names import ACK_NOW, ESTABLISHED
from stack.tcp.tcb import Tcb
from stack.wire import tcp

_MOST_SECONDS: Final = 0x7FFF


class UserTimeout:
    """The variables of RFC 5482 3 that an enabled connection has; times in ns.

    own      the user has set USER_TIMEOUT himself: it is not CHANGEABLE
    remote   REMOTE_UTO, what the peer said last; 0: nothing
    due      to be told to the peer with the next segment that has room
    """

    __slots__ = ("due", "own", "remote")

    def __init__(self) -> None:
        self.own = False
        self.remote = 0
        self.due = False


def enable(tcb: Tcb, wanted: bool) -> None:
    """Switch the option on or off."""
    if wanted and tcb.uto is None:
        tcb.uto = UserTimeout()
        tcb.extras = True
        tcb.uto.own = tcb.user_timeout != 0
        announce(tcb, tcb.uto)
    elif not wanted:
        tcb.uto = None


def announce(tcb: Tcb, uto: UserTimeout) -> None:
    """Our wish changed, or was not told yet."""
    if tcb.state >= ESTABLISHED:
        uto.due = True
        tcb.ack = ACK_NOW
        tcb.protocol.work.mark(tcb)


def option(tcb: Tcb) -> bytes:
    """The option, with ADV_UTO in seconds, or in minutes where those would not fit."""
    uto = tcb.uto
    own = tcb.user_timeout if uto is not None and uto.own else 0
    wish = own or tcb.protocol.config.tcp_user_timeout
    seconds = -(-wish // SECOND)
    if seconds <= _MOST_SECONDS:
        return tcp.user_timeout_option(max(seconds, 1))
    return tcp.user_timeout_option(min(-(-wish // MINUTE), _MOST_SECONDS) | 0x8000)


def heard(tcb: Tcb, uto: UserTimeout, field: int) -> None:
    """The peer's option: its granularity bit and fifteen bits of value (RFC 5482 3.1)."""
    value = field & _MOST_SECONDS
    if not value:
        return  # "hosts SHOULD NOT send a zero", and it would mean nothing
    uto.remote = value * (MINUTE if field & 0x8000 else SECOND)
    if uto.own:
        return
    config = tcb.protocol.config
    longest = max(config.tcp_user_timeout, uto.remote, config.tcp_user_timeout_low)
    tcb.user_timeout = min(config.tcp_user_timeout_high, longest)
