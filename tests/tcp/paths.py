# SPDX-License-Identifier: MIT
"""A path made of acknowledgments, for congestion control by itself."""

from __future__ import annotations

from stack.base.units import MS, SECOND
from stack.tcp.congestion.seam import AckSample
from stack.tcp.congestion.window import WindowBased

MSS = 1000


class Path:
    """Acknowledges what an algorithm allows, a segment at a time."""

    def __init__(self, cc: WindowBased, window: int = 10, rtt: int = 100 * MS) -> None:
        cc.start(MSS, 10)
        cc.window = window * MSS
        self.cc = cc
        self.rtt = rtt
        self.now = SECOND

    def ack(self, segments: int = 1, limited: bool = True, size: int = MSS, used: int = 0) -> None:
        """So many acknowledgments of `size` octets, spread over the round trip.

        `used`: octets that are in flight, if not the whole window.
        """
        for _ in range(segments):
            flight = used or max(self.cc.window, size)
            self.now += self.rtt * size // flight
            self.cc.on_ack(AckSample(size, flight, self.rtt, limited, self.now))

    def round(self, limited: bool = True) -> None:
        """A window's worth."""
        self.ack(self.cc.window // MSS, limited)

    def avoidance(self) -> Path:
        """From here on in congestion avoidance."""
        self.cc.ssthresh = self.cc.window
        return self

    def lose(self) -> None:
        """Something is lost and recovered."""
        self.cc.on_loss(self.cc.window, self.now)
        self.cc.on_recovered(self.cc.window)
