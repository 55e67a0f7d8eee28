# SPDX-License-Identifier: MIT
"""TCP loss: RACK, loss detection by time (RFC 8985 6).

What was sent well before something that has been delivered is lost.  "Well before" is one round
trip and a reordering window, which is nothing until reordering has been seen, and grows by a
quarter of the least round trip with every round in which the peer reports duplicates (D-SACK).
A retransmission that is lost again is found like anything else.

One `Rack` per connection, made at the first SACK.  `recovery` calls it and acts on what it finds.
The tail loss probe is in `tlp`.
"""

from __future__ import annotations

from typing import Final

from stack.tcp.loss.scoreboard import NOT_MEASURED, Acked, Scoreboard

PERSISTENCE: Final = 16  # recoveries without a D-SACK after which the window is small again
NO_ROUND: Final = -1


class Rack:
    """The variables of RFC 8985 5.2.

    xmit_ts, end_seq     of the segment sent last among those delivered
    rtt                  its round trip, ns
    fack                 the highest offset delivered
    reordering_seen      something arrived after what was sent behind it
    reo_wnd_mult         quarters of the least round trip to wait
    reo_wnd_persist      recoveries for which that lasts
    dsack_round          SND.NXT at the last D-SACK, until acknowledged
    """

    __slots__ = (
        "dsack_round",
        "end_seq",
        "fack",
        "reo_wnd_mult",
        "reo_wnd_persist",
        "reordering_seen",
        "rtt",
        "xmit_ts",
    )

    def __init__(self) -> None:
        self.xmit_ts = NOT_MEASURED
        self.end_seq = 0
        self.rtt = 0
        self.fack = 0
        self.reordering_seen = False
        self.reo_wnd_mult = 1
        self.reo_wnd_persist = PERSISTENCE
        self.dsack_round = NO_ROUND

    def delivered(self, result: Acked, now: int, least: int, genuine: bool) -> None:
        """Steps 2 and 3: what an acknowledgment delivered.

        `genuine` is False if timestamps prove that what was sent again was not what arrived;
        without them a round trip shorter than `least`, the least one seen, proves the same.
        """
        if result.sent_at != NOT_MEASURED:
            self._newer(result.sent_at, result.end, now)
        if result.resent_at != NOT_MEASURED and genuine and now - result.resent_at >= least:
            self._newer(result.resent_at, result.resent_end, now)
        if result.lowest and result.lowest < self.fack:
            self.reordering_seen = True
        if result.highest > self.fack:
            self.fack = result.highest

    def doubt(self) -> None:
        """What was sent again had not been lost: that it was delivered proves nothing."""
        self.xmit_ts = NOT_MEASURED
        self.end_seq = 0

    def duplicate_reported(self, una: int, nxt: int) -> None:
        """Step 4: a D-SACK.  We waited too little; wait longer, once per round."""
        if self.dsack_round != NO_ROUND and una < self.dsack_round:
            return
        self.dsack_round = nxt
        self.reo_wnd_mult += 1
        self.reo_wnd_persist = PERSISTENCE

    def recovered(self) -> None:
        """Step 4: a recovery ended."""
        self.reo_wnd_persist -= 1
        if self.reo_wnd_persist <= 0:
            self.reo_wnd_mult = 1
            self.reo_wnd_persist = PERSISTENCE

    def patience(self, least: int, srtt: int, impatient: bool) -> int:
        """Step 4: how long after its transmission a segment is lost, in ns.

        `impatient`: in recovery already, or three segments are reported delivered out of order.
        """
        if not self.reordering_seen and impatient:
            return self.rtt
        return self.rtt + min(self.reo_wnd_mult * least // 4, srtt)

    def detect(self, board: Scoreboard, patience: int, now: int) -> tuple[int, int]:
        """Step 5: mark what is lost; (octets marked, when to look again or 0)."""
        if self.xmit_ts == NOT_MEASURED:
            return 0, 0
        return board.mark_lost_by_time((self.xmit_ts, self.end_seq), patience, now)

    def _newer(self, sent_at: int, end: int, now: int) -> None:
        if (sent_at, end) > (self.xmit_ts, self.end_seq):
            self.rtt = now - sent_at
            self.xmit_ts = sent_at
            self.end_seq = end
