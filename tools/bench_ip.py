# SPDX-License-Identifier: MIT
"""`tools/bench ip`: what a packet costs the IP layer, and whether that grows.

tools/bench ip              both families, half a minute
tools/bench ip --quick      does everything run?
tools/bench ip --family 6   one family
tools/bench ip --json FILE  the figures for a program

In memory, without a device.  The first table has one row for every way through the layer, the
second what a packet costs with 10, 100, 1,000 and 10,000 of something in a table, and by how much
the last costs more than the first: 1 to 2 where nobody walks through the table, because ten
thousand of anything do not fit into a processor's nearest cache.  CPU time, so that what else runs
on the machine counts little.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from tools.measure.process import result
from tools.measure.table import LESS, cell, console, number

GROWS: Final = 3.0
"""A ratio above this is marked: somebody walks.  Below it the processor's caches speak."""

Figures = dict[str, Any]


def arguments(text: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    text.add_argument("--quick", action="store_true", help="one round, and no more than 1,000")
    text.add_argument("--rounds", type=int, default=7, help="alternating rounds (default 7)")
    text.add_argument("--family", type=int, choices=(4, 6), help="only this one")
    text.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")


def main(options: argparse.Namespace) -> int:
    """Measure, print, write."""
    families = (options.family,) if options.family else (4, 6)
    rounds, sizes = (1, (10, 1000)) if options.quick else (options.rounds, ())
    figures = {f"IPv{family}": result("ip", rounds, family, *sizes) for family in families}
    show(figures, rounds)
    if options.json is not None:
        options.json.write_text(json.dumps(as_json(figures), indent=2) + "\n")
    return 0


def show(figures: Figures, rounds: int) -> None:
    """The tables."""
    out = console()
    ways = Table(title=f"one packet, ns{LESS}; {rounds} alternating rounds")
    ways.add_column("")
    for family in figures:
        ways.add_column(family, justify="right", no_wrap=True)
    names = list(dict.fromkeys(name for found in figures.values() for name in found["ways"]))
    for name in names:
        cells = (_cell(found["ways"].get(name)) for found in figures.values())
        ways.add_row(name, *cells)
    out.print(ways)
    for family, found in figures.items():
        out.print(_growth(family, found["growth"]))
    out.print(
        f"median (lowest .. highest)\nPython {platform.python_version()}, {os.cpu_count()} cores",
        highlight=False,
    )


def _cell(found: list[float] | None) -> str:
    return "-" if found is None else cell(found, 1)


def _growth(family: str, growth: dict[str, dict[str, list[float]]]) -> Table:
    sizes = list(next(iter(growth.values())))
    table = Table(title=f"{family}: one packet, ns{LESS}, with so many of them")
    table.add_column("")
    for many in sizes:
        table.add_column(f"{int(many):,}", justify="right", no_wrap=True)
    table.add_column("ratio", justify="right", no_wrap=True)
    for name, costs in growth.items():
        times = ratio(costs)
        mark = " [bold red]![/]" if times > GROWS else ""
        table.add_row(
            name,
            *(number(statistics.median(figures)) for figures in costs.values()),
            f"{times:.2f}{mark}",
        )
    return table


def ratio(costs: dict[str, list[float]]) -> float:
    """The largest number's cost over the smallest one's: the median of the rounds' own ratios."""
    few, many = next(iter(costs.values())), list(costs.values())[-1]
    return statistics.median(b / a for a, b in zip(few, many, strict=True))


def as_json(figures: Figures) -> Figures:
    """Every figure, ns, with the ratios."""
    return {
        family: {
            "ways": found["ways"],
            "growth": {
                name: {"ns": costs, "ratio": ratio(costs)}
                for name, costs in found["growth"].items()
            },
        }
        for family, found in figures.items()
    }
