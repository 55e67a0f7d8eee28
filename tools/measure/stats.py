# SPDX-License-Identifier: MIT
"""Medians, ranges, ratios; and when a ratio is not worth printing.

Each round measures both sides of a pair, so a ratio is the median of the rounds' own ratios: what
slows the machine for a second slows both.  It is withheld, because the machine was too noisy to
tell, when it is not known well enough: when the 95 % interval of the median reaches further than
`BOUND` of it to either side, or there are fewer than `FEWEST` rounds.  That interval is the notch
of a box plot, 1.57 times the distance of the quartiles over the root of the number of rounds
(McGill, Tukey, Larsen 1978): a single round that something else disturbed spoils nothing, and more
rounds tell more.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

BOUND: Final = 0.15
_NOTCH: Final = 1.57
FEWEST: Final = 3
NOISY: Final = "too noisy"
FEW: Final = "too few rounds"


@dataclass(frozen=True, slots=True)
class Summary:
    """Some figures in three numbers."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """`value` is None when `why` says why it is withheld; `doubt` is what was held against the
    bound, 0 where it could not be told."""

    value: float | None
    doubt: float
    why: str = ""


def summary(figures: Sequence[float]) -> Summary:
    """Of at least one figure."""
    return Summary(statistics.median(figures), min(figures), max(figures))


def doubt(figures: Sequence[float]) -> float:
    """How far to either side of the median its 95 % interval reaches, as a part of it."""
    if len(figures) < 2:
        return 0.0
    low, middle, high = statistics.quantiles(figures, n=4, method="inclusive")
    return _NOTCH * (high - low) / math.sqrt(len(figures)) / middle if middle else math.inf


def ratio(ours: Sequence[float], theirs: Sequence[float], bound: float = BOUND) -> Ratio:
    """Ours over theirs, a pair from each round."""
    pairs = [a / b for a, b in zip(ours, theirs, strict=False) if b > 0]
    if len(pairs) < FEWEST:
        return Ratio(None, 0.0, FEW)
    wide = doubt(pairs)
    if wide > bound:
        return Ratio(None, wide, NOISY)
    return Ratio(statistics.median(pairs), wide)
