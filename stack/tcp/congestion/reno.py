# SPDX-License-Identifier: MIT
"""TCP congestion control: Reno (RFC 5681), with byte counting in congestion avoidance (RFC 3465).

Slow start, time-outs, idleness and validation are in `window`; RFC 6582's NewReno is recovery and
lies in `loss/`.
"""

from __future__ import annotations

from stack.tcp.congestion.seam import AckSample
from stack.tcp.congestion.window import WindowBased


class Reno(WindowBased):
    """The algorithm every other is compared with."""

    __slots__ = ("_counted",)

    def __init__(self) -> None:
        super().__init__()
        self._counted = 0  # octets acknowledged towards the next increase

    def avoid(self, sample: AckSample, round_ended: bool) -> None:
        if not sample.limited:
            return
        self._counted += sample.acked
        if self._counted >= self.window:
            self._counted -= self.window
            self.window += self.mss

    def reduced(self, used: int) -> int:
        self._counted = 0
        return used // 2
