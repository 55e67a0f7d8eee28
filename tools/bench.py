# SPDX-License-Identifier: MIT
"""`tools/bench`: how fast is it here, beside the kernel in the same run?

tools/bench             five rounds, about a minute
tools/bench --quick     one short round: does everything run?
tools/bench --segments  what one TCP segment costs, and how that grows
tools/bench --json FILE the figures for a program
tools/bench tcp         goodput through loss and delay, and the cost of a segment: `bench_tcp`
tools/bench wsk         what a WSK call costs: `bench_wsk`
tools/bench ip          what a packet costs the IP layer, and whether that grows: `bench_ip`

One generator, with the kernel's own sockets, loads two subjects in turn: the stack with the demo
services, behind a TAP or a veth pair; and the same services in Python on kernel sockets, behind
another veth pair, in a namespace of their own.  Only the ratio of alternating runs means
anything on another machine; the table has medians and ranges.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from stack import Config
from stack.tcp.congestion import ALGORITHMS
from tap.ladder import Attachment, Refused, Wish, attach
from tools import bench_ip, bench_tcp, bench_wsk
from tools.measure.process import asking, result, serving
from tools.measure.table import LESS, cell, console, number, ratio, show_segments
from tools.world import DemoWorld

_ROOT: Final = Path(__file__).resolve().parent.parent
STACK: Final = {4: "10.77.0.2", 6: "fd77::2"}
KERNEL: Final = {4: "10.78.0.2", 6: "fd78::2"}


@dataclass(frozen=True, slots=True)
class Measure:
    """One row.  `scale` and `unit` are for people; `smaller` says which way is better."""

    name: str
    text: str
    scale: float
    unit: str
    smaller: bool = False


MEASURES: Final = (
    Measure("tcp_in", "TCP in", 1e-9, "Gbit/s"),
    Measure("tcp_out", "TCP out", 1e-9, "Gbit/s"),
    Measure("round_trips", "TCP round trips", 1, "/s"),
    Measure("udp_echo", "UDP echo, 64 octets", 1, "/s"),
    Measure("ping", "ping, median", 1e6, "µs", smaller=True),
    Measure("connections", "connections", 1, "/s"),
)


@dataclass(slots=True)
class Row:
    """A measure's figures: one pair per round."""

    measure: Measure
    stack: list[float]
    kernel: list[float]

    @property
    def ratio(self) -> float:
        """Stack over kernel: the median of the rounds' own ratios."""
        return ratio(self.stack, self.kernel)


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    if options.what == "tcp":
        return bench_tcp.main(options)
    if options.what == "wsk":
        return bench_wsk.main(options)
    if options.what == "ip":
        return bench_ip.main(options)
    if options.segments:
        show_segments(result("segments"))
        return 0
    rounds, seconds = (1, 0.2) if options.quick else (options.rounds, options.seconds)
    try:
        attachment = best(options.wire, not options.no_offload)
    except Refused as why:
        print(f"tools/bench: no wire to a kernel here: {why}", file=sys.stderr)
        return 2
    world = DemoWorld(
        attachment, config=Config(dad=False, tcp_congestion=own_algorithm(options.congestion))
    )
    try:
        world.start()
        with (
            serving("baseline", attachment.pid, options.congestion, 1500),
            asking("generator", attachment.pid, options.congestion, 1500) as ask,
        ):
            rows = run(ask, rounds, seconds, options.family)
    finally:
        world.stop()
    sockets = result("sockets")
    show(rows, sockets, attachment.line, options, rounds, seconds)
    if options.json is not None:
        options.json.write_text(json.dumps(as_json(rows, sockets), indent=2) + "\n")
    return 0


def own_algorithm(congestion: str) -> str:
    """What the stack uses: the kernel's algorithm if it has it too."""
    return congestion if congestion in ALGORITHMS else Config().tcp_congestion


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    text = argparse.ArgumentParser(
        prog="tools/bench", description="The stack beside the kernel, in the same run."
    )
    text.add_argument("--quick", action="store_true", help="one short round")
    text.add_argument("--segments", action="store_true", help="the cost of one TCP segment")
    text.add_argument("--rounds", type=int, default=5, help="alternating rounds (default 5)")
    text.add_argument("--seconds", type=float, default=0.7, help="per figure (default 0.7)")
    text.add_argument("--wire", choices=("userns", "veth"), default="", help="of the stack")
    text.add_argument("--family", type=int, choices=(4, 6), default=4, help="IPv4 or IPv6")
    text.add_argument("--no-offload", action="store_true", help="plain frames for the stack")
    text.add_argument(
        "--congestion", default="reno", help="congestion control of every kernel socket"
    )
    text.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    more = text.add_subparsers(dest="what", metavar="tcp | wsk | ip", title="more")
    bench_tcp.arguments(
        more.add_parser(
            "tcp",
            help="goodput through 1 %% loss and 40 ms, and the cost of a segment",
            description="Goodput through a bad wire, beside two kernels on the same one.",
        )
    )
    bench_wsk.arguments(
        more.add_parser(
            "wsk",
            help="sockets, requests and datagrams: what a WSK call costs",
            description="WSK calls, beside the kernel's own sockets used from Python.",
        )
    )
    bench_ip.arguments(
        more.add_parser(
            "ip",
            help="what a packet costs the IP layer, and whether that grows",
            description="The IP layer in memory: ns a packet, by way and by size of the tables.",
        )
    )
    return text


def best(wire: str, offload: bool) -> Attachment:
    """A TAP in a private namespace if that works, else a veth pair.  Raises Refused."""
    try:
        return attach(Wish(wire=wire or "userns", offload=offload))
    except Refused:
        if wire:
            raise
        return attach(Wish(wire="veth", offload=offload))


def run(ask: Any, rounds: int, seconds: float, family: int) -> list[Row]:
    """All figures, stack and kernel alternating."""
    rows = [Row(measure, [], []) for measure in MEASURES]
    for row in rows:  # once without counting: routes, neighbours, caches
        for address in (STACK[family], KERNEL[family]):
            figure(ask, row, address, min(seconds, 0.1))
    for turn in range(rounds):
        for row in rows:
            subjects = [(row.stack, STACK[family]), (row.kernel, KERNEL[family])]
            for figures, address in subjects if turn % 2 else reversed(subjects):
                figures.append(figure(ask, row, address, seconds))
    return rows


def figure(ask: Any, row: Row, address: str, seconds: float) -> float:
    """What the generator measures."""
    asked = {"measure": row.measure.name, "address": address, "seconds": seconds}
    return float(ask(asked)["value"])


def show(
    rows: list[Row],
    sockets: dict[str, float],
    wire: str,
    options: argparse.Namespace,
    rounds: int,
    seconds: float,
) -> None:
    """The table."""
    table = Table(title=f"{wire}; IPv{options.family}, {rounds} alternating rounds of {seconds} s")
    table.add_column("")
    for name in ("stack", "kernel", "ratio"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        measure = row.measure
        label = f"{measure.text}, {measure.unit}" + LESS * measure.smaller
        table.add_row(
            label,
            cell(row.stack, measure.scale),
            cell(row.kernel, measure.scale),
            f"{row.ratio:.2f}",
        )
    for text, scale, ours, theirs in (
        ("making a socket, µs", 1e6, sockets["ours_seconds"], sockets["kernel_seconds"]),
        ("a fresh socket, octets", 1, sockets["ours_octets"], sockets["kernel_octets"]),
    ):
        row_ratio = f"{ours / theirs:.2f}" if theirs > 0 else "-"
        table.add_row(text + LESS, number(ours * scale), number(theirs * scale), row_ratio)
    table.add_row("a connected socket, octets", number(sockets["connection_octets"]))
    out = console()
    out.print(table)
    out.print(
        "median (lowest .. highest); ratio: stack over kernel, median of the rounds' own; "
        "↓ less is better\n"
        f"kernel {platform.release()}, Python {platform.python_version()}, {os.cpu_count()} cores\n"
        f"congestion control: {options.congestion} on every kernel socket, "
        f"{own_algorithm(options.congestion)} in the stack\n"
        "the kernel's services are Python on kernel sockets, over a veth pair",
        highlight=False,
    )


def as_json(rows: list[Row], sockets: dict[str, float]) -> dict[str, Any]:
    """Every figure, unrounded, in SI units."""
    found: dict[str, Any] = {
        row.measure.name: {"stack": row.stack, "kernel": row.kernel, "ratio": row.ratio}
        for row in rows
    }
    return found | {"sockets": sockets}


if __name__ == "__main__":
    sys.exit(main())
