# SPDX-License-Identifier: MIT
"""How `tools/bench` writes figures, and the table of what a segment costs."""

from __future__ import annotations

import statistics
from typing import Any, Final

from rich.console import Console
from rich.table import Table

LESS: Final = " [dim]↓[/dim]"


def console() -> Console:
    """Wide enough for the tables even where nobody says how wide."""
    return Console(width=max(Console().width, 100))


def number(value: float) -> str:
    """Three digits that matter."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def cell(figures: list[float], scale: float) -> str:
    """Median and range."""
    scaled = [figure * scale for figure in figures]
    middle = number(statistics.median(scaled))
    return f"{middle} ({number(min(scaled))} .. {number(max(scaled))})"


def ratio(stack: list[float], kernel: list[float]) -> float:
    """Stack over kernel: the median of the rounds' own ratios."""
    return statistics.median(a / b for a, b in zip(stack, kernel, strict=True))


def show_profile(found: dict[str, dict[str, Any]]) -> None:
    """The hot paths: cost, and which package has how much of it."""
    table = Table(title="the hot paths in memory, µs of CPU time, median of several goes")
    table.add_column("")
    for path in found:
        table.add_column(path, justify="right")
    table.add_row("", *(number(entry["cost"]) for entry in found.values()))
    packages = sorted({name for entry in found.values() for name in entry["shares"]})
    for package in packages:
        shares = (entry["shares"].get(package, 0.0) for entry in found.values())
        table.add_row(package, *(f"{share:.0%}" for share in shares))
    console().print(table)


def show_segments(found: dict[str, dict[str, float]]) -> None:
    """The cost of one segment, in memory, without a device."""
    table = Table(title="one TCP segment, µs, best of several goes")
    table.add_column("")
    table.add_column("among so many: cost")
    for text, costs in found.items():
        cells = (f"{int(many):,}: {number(cost * 1e6)}" for many, cost in costs.items())
        table.add_row(text, "   ".join(cells))
    console().print(table)
