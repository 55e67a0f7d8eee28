# SPDX-License-Identifier: MIT
"""Medians, ranges, ratios; and when a ratio is not worth printing.

Each round measures both sides of a pair, so a ratio is the median of the rounds' own ratios: what
slows the machine for a second slows both.  It is withheld, because the machine was too noisy to
tell, when the rounds do not agree: when the middle half of their ratios (between the quartiles)
is wider than `BOUND` of their median, or there are fewer than `FEWEST` rounds.  A single round that
something else disturbed therefore spoils nothing, and a machine that is never quiet gives no ratio.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

BOUND: Final = 0.25
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
    """`value` is None when `why` says why it is withheld; `spread` is what was held against the
    bound, 0 where it could not be told."""

    value: float | None
    spread: float
    why: str = ""


def summary(figures: Sequence[float]) -> Summary:
    """Of at least one figure."""
    return Summary(statistics.median(figures), min(figures), max(figures))


def spread(figures: Sequence[float]) -> float:
    """The width of the middle half, as a part of the median."""
    if len(figures) < 2:
        return 0.0
    low, middle, high = statistics.quantiles(figures, n=4, method="inclusive")
    return (high - low) / middle if middle else float("inf")


def ratio(ours: Sequence[float], theirs: Sequence[float], bound: float = BOUND) -> Ratio:
    """Ours over theirs, a pair from each round."""
    pairs = [a / b for a, b in zip(ours, theirs, strict=False) if b > 0]
    if len(pairs) < FEWEST:
        return Ratio(None, 0.0, FEW)
    wide = spread(pairs)
    if wide > bound:
        return Ratio(None, wide, NOISY)
    return Ratio(statistics.median(pairs), wide)
