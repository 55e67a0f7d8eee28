# SPDX-License-Identifier: MIT
"""TCP congestion control: HyStart++, a slow start that ends before the queue is full (RFC 9406).

Done: 4.2 and 4.3 whole: delay increase over rounds of at least eight samples, conservative slow
start (CSS) for five rounds, return to slow start if the delay was a spurious one, L = 8 for a
sender that does not pace.  Used for the initial slow start only, as 4.3 recommends.
"""

from __future__ import annotations

from typing import Final

from stack.base.units import MS
from stack.tcp.congestion.rounds import NO_RTT, Rounds

MIN_RTT_THRESH: Final = 4 * MS
MAX_RTT_THRESH: Final = 16 * MS
MIN_RTT_DIVISOR: Final = 8
N_RTT_SAMPLE: Final = 8
CSS_GROWTH_DIVISOR: Final = 4
CSS_ROUNDS: Final = 5
L: Final = 8
"""Segments of growth per acknowledgment."""


class HyStart:
    """Watches the round trips of one slow start.

    css   the number of the conservative round, or 0 in ordinary slow start
    """

    __slots__ = ("_baseline", "css")

    def __init__(self) -> None:
        self.css = 0
        self._baseline = NO_RTT

    def growth(self, acked: int, full: int) -> int:
        """By how much the window grows for `acked` octets; `full` is a segment for each ACK."""
        grown = min(acked, L * full)
        return grown // CSS_GROWTH_DIVISOR if self.css else grown

    def watch(self, rounds: Rounds) -> None:
        """After every measurement: has the delay increased, or was that a false alarm?"""
        if rounds.samples < N_RTT_SAMPLE:
            return
        if self.css:
            if rounds.rtt < self._baseline:
                self.css = 0
                self._baseline = NO_RTT
        elif rounds.last != NO_RTT:
            thresh = max(MIN_RTT_THRESH, min(rounds.last // MIN_RTT_DIVISOR, MAX_RTT_THRESH))
            if rounds.rtt >= rounds.last + thresh:
                self._baseline = rounds.rtt
                self.css = 1

    def round_ended(self) -> bool:
        """True if slow start is over: the conservative rounds have passed.

        The round in which they began counts, however little of it was left.
        """
        if not self.css:
            return False
        self.css += 1
        return self.css > CSS_ROUNDS
