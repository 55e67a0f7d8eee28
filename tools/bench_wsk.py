# SPDX-License-Identifier: MIT
"""`tools/bench wsk`: what a WSK call costs, beside the kernel's own sockets used from Python.

tools/bench wsk             half a minute
tools/bench wsk --quick     does everything run?
tools/bench wsk --json FILE the figures for a program

Everything is in one process and without a device: sockets made and closed, connections accepted,
the cheapest request, datagrams by size and style of call, octets of an idle socket.  The kernel's
datagrams and connections go over the loopback.  Rounds alternate between the two.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from tools.measure.process import result
from tools.measure.table import LESS, cell, console, number, ratio

_LIMITS: Final = {"datagram": 1024, "listening": 2048, "connection": 6144}
"""What an idle socket may keep: the targets."""

Rounds = dict[str, dict[str, list[float]]]


def arguments(text: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    text.add_argument("--quick", action="store_true", help="one short round")
    text.add_argument("--rounds", type=int, default=5, help="alternating rounds (default 5)")
    text.add_argument("--seconds", type=float, default=0.15, help="per figure (default 0.15)")
    text.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")


def main(options: argparse.Namespace) -> int:
    """Measure, print, write."""
    rounds, seconds = (1, 0.02) if options.quick else (options.rounds, options.seconds)
    times: Rounds = {}
    for _ in range(rounds):
        for name, costs in result("wsk", "times", seconds).items():
            figures = times.setdefault(name, {"stack": [], "kernel": []})
            for subject, cost in costs.items():
                figures[subject].append(1 / cost)
    octets = result("wsk", "octets")
    show(times, octets, rounds)
    if options.json is not None:
        options.json.write_text(json.dumps({"rates": times, "octets": octets}, indent=2) + "\n")
    return 0


def show(times: Rounds, octets: dict[str, float], rounds: int) -> None:
    """The tables."""
    rates = Table(title=f"thousands a second; {rounds} rounds")
    rates.add_column("")
    for name in ("stack", "kernel", "ratio"):
        rates.add_column(name, justify="right", no_wrap=True)
    for name, figures in times.items():
        share = ratio(figures["stack"], figures["kernel"])
        rates.add_row(
            name, cell(figures["stack"], 1e-3), cell(figures["kernel"], 1e-3), f"{share:.2f}"
        )
    sizes = Table(title="octets that an idle socket keeps, everything included")
    for name in ("", "octets" + LESS, "target"):
        sizes.add_column(name, justify="right" if name else "left")
    for name, count in octets.items():
        sizes.add_row(name, number(count), f"{_LIMITS[name]:,}")
    out = console()
    out.print(rates)
    out.print(sizes)
    out.print(_footer(), highlight=False)


def _footer() -> str:
    found: dict[str, Any] = {"kernel": platform.release(), "Python": platform.python_version()}
    machine = ", ".join(f"{name} {value}" for name, value in found.items())
    return (
        "median (lowest .. highest); ratio: stack over kernel, median of the rounds' own\n"
        "datagrams are sent and received in one process: by the stack's sockets over a wire in\n"
        "memory, by the kernel's over the loopback\n"
        f"{machine}, {os.cpu_count()} cores"
    )
