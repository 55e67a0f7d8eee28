# SPDX-License-Identifier: MIT
"""TCP loss: proportional rate reduction, how much to send in recovery (RFC 9937).

For what arrives, proportionally less is sent, so that the flight comes down to ssthresh evenly
over one round trip.  When losses have taken it below, it grows back by slow start, or by plain
conservation of packets while more losses turn up (the safe reduction bound).

One `Prr` per recovery with SACK.  `recovery` tells it what was delivered, `output` asks how much
may go and says how much went.
"""

from __future__ import annotations


class Prr:
    """One recovery.

    allowance   octets that may be sent now
    """

    __slots__ = ("_delivered", "_flight", "_out", "_ssthresh", "allowance")

    def __init__(self, flight: int, ssthresh: int) -> None:
        """`flight` octets were in the network when the loss was found (RecoverFS)."""
        self._flight = max(flight, 1)
        self._ssthresh = ssthresh
        self._delivered = 0
        self._out = 0
        self.allowance = 0

    def arrived(self, delivered: int, pipe: int, mss: int, safe: bool) -> None:
        """An acknowledgment brought `delivered` octets; `pipe` are still in the network.

        `safe`: it advanced SND.UNA and told of no further loss.
        """
        if not delivered and self._out:
            return
        self._delivered += delivered
        if pipe > self._ssthresh:
            share = -(-self._delivered * self._ssthresh // self._flight)
            count = share - self._out
        else:
            count = max(self._delivered - self._out, delivered)
            if safe:
                count += mss
            count = min(self._ssthresh - pipe, count)
        count = max(count, 0)
        if not self._out and not count:
            count = mss  # the fast retransmit itself
        self.allowance = count

    def sent(self, size: int) -> None:
        """`size` octets left."""
        self._out += size
        self.allowance -= size
