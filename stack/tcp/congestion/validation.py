# SPDX-License-Identifier: MIT
"""TCP congestion control: is the window used at all?  (RFC 7661)

Done: pipeACK (4.2), the non-validated phase (4.3) and its end after five minutes (4.4.3), what
counts as used when something is lost in it (4.4.1).  Stricter than 4.4 in congestion avoidance:
there the window never grows unless it was what held the connection back (`AckSample.limited`).
Not done: keeping the window through silence.  Unpaced, as by default, the burst afterwards would be
the whole window, so RFC 5681 4.1 stays in force after a time-out's length without sending.
"""

from __future__ import annotations

from typing import Final

from stack.base.units import MINUTE, SECOND

UNDEFINED: Final = -1
_SHORTEST: Final = 1 * SECOND  # the pipeACK sampling period is three round trips, or this
_PATIENCE: Final = 5 * MINUTE  # the non-validated period


class Validation:
    """What a connection really had in the network of late.

    pipe_ack   octets acknowledged in a round trip, the most of the sampling period, or UNDEFINED
    """

    __slots__ = ("_best", "_since", "_unused_since", "pipe_ack")

    def __init__(self) -> None:
        self.pipe_ack = UNDEFINED
        self._best = UNDEFINED  # of the sampling period under way
        self._since = 0
        self._unused_since = 0

    def forget(self) -> None:
        """After recovery old measurements mean nothing (RFC 7661 4.4.1)."""
        self.pipe_ack = self._best = UNDEFINED
        self._unused_since = 0

    def measured(self, volume: int, rtt: int, now: int) -> None:
        """`volume` octets were acknowledged in one round trip of `rtt` ns.

        Two periods are kept, the last and the current one, which makes a maximum over one to
        two sampling periods.
        """
        elapsed = now - self._since
        if elapsed > _SHORTEST and elapsed > 3 * rtt:
            self.pipe_ack, self._best, self._since = self._best, UNDEFINED, now
        if volume > self._best:
            self._best = volume
        if self._best > self.pipe_ack:
            self.pipe_ack = self._best

    def valid(self, window: int) -> bool:
        """At least half of the window is in use, or nothing is known."""
        return self.pipe_ack == UNDEFINED or self.pipe_ack * 2 >= window

    def used(self, window: int, flight: int) -> int:
        """What was in use when something got lost: less than a window that was not used.

        `flight` counts what arrived out of order; in a long recovery that is much more than the
        window, and no measure of what the network can hold.
        """
        if not self.valid(window):
            flight = max(self.pipe_ack, flight)
        return min(flight, window)

    def expired(self, window: int, now: int) -> bool:
        """The window has gone unused for too long; the next five minutes begin."""
        if self.valid(window):
            self._unused_since = 0
        elif not self._unused_since:
            self._unused_since = now
        elif now - self._unused_since >= _PATIENCE:
            self._unused_since = now
            return True
        return False
