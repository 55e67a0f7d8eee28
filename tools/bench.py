# SPDX-License-Identifier: MIT
"""`tools/bench`: how fast is it here, beside the kernel and whoever else is there, in the same run?

tools/bench              everything, five alternating rounds, more where they do not agree: ten
                         minutes
tools/bench --quick      the main figures in three short rounds, under a minute
tools/bench --only NAME  one group (bulk, loss, latency, datagrams, connections, state) or case
tools/bench --record     seven rounds and more, pinned, under half an hour; makes
                         docs/performance.md of them
tools/bench --page       that page again of the record that is there
tools/bench --json FILE  the record for a program; --markdown FILE; --plots DIRECTORY
tools/bench --segments   what one TCP segment costs, and how that grows
tools/bench --profile    what the hot paths cost in memory, and where
tools/bench tcp          goodput through loss and delay, and the cost of a segment: `bench_tcp`
tools/bench wsk          what a WSK call costs: `bench_wsk`
tools/bench ip           what a packet costs the IP layer, and whether that grows: `bench_ip`

What is measured, on whom and how is in `measure/plan`; `measure/run` does it.  Only the ratio of
alternating runs means anything on another machine, and none is printed where the rounds do not
agree: `measure/stats`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tools import bench_ip, bench_tcp, bench_wsk
from tools.measure import page, plots, report, run
from tools.measure.loader import Trouble
from tools.measure.process import result
from tools.measure.run import Settings
from tools.measure.stats import BOUND
from tools.measure.table import show_profile, show_segments

_DOCS: Final = Path(__file__).resolve().parent.parent / "docs"
_WIDTH: Final = 128
_MORE: Final = {"tcp": bench_tcp.main, "wsk": bench_wsk.main, "ip": bench_ip.main}


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    if options.what in _MORE:
        return _MORE[options.what](options)
    if options.segments:
        show_segments(result("segments"))
        return 0
    if options.profile:
        show_profile(result("hot"))
        return 0
    if options.page:
        page.write(_DOCS, json.loads((_DOCS / page.RECORD).read_text()))
        return 0
    try:
        found = measured(settings(options))
    except Trouble as why:
        print(f"tools/bench: {why}", file=sys.stderr)
        return 2
    show(found)
    write(found, options)
    return 1 if report.troubles(found, peers=False) else 0


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    text = argparse.ArgumentParser(
        prog="tools/bench",
        description="This stack beside the kernel and other stacks, in the same run.",
    )
    text.add_argument("--quick", action="store_true", help="the main figures, under a minute")
    text.add_argument("--record", action="store_true", help="write docs/performance.md")
    text.add_argument("--page", action="store_true", help="docs/performance.md, not measured again")
    text.add_argument("--segments", action="store_true", help="the cost of one TCP segment")
    text.add_argument("--profile", action="store_true", help="the hot paths' cost, and where")
    text.add_argument("--only", default="", metavar="NAME", help="a group, or a part of a case")
    text.add_argument(
        "--rounds",
        type=int,
        help="alternating rounds (default 5, and more where they do not agree)",
    )
    text.add_argument("--seconds", type=float, help="per figure (default 0.5)")
    text.add_argument(
        "--pin", action="store_true", help="generator on one processor, every subject on another"
    )
    text.add_argument("--wire", choices=("userns", "veth"), default="", help="of the stack")
    text.add_argument("--no-compiler", action="store_true", help="a generator in Python")
    text.add_argument("--no-peers", action="store_true", help="leave other stacks out")
    text.add_argument("--json", type=Path, metavar="FILE", help="write the record there")
    text.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there")
    text.add_argument("--plots", type=Path, metavar="DIRECTORY", help="draw them there")
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


def settings(options: argparse.Namespace) -> Settings:
    """What a run is to be like."""
    rounds, seconds, patience = 5, 0.5, 120.0
    if options.quick:
        rounds, seconds, patience = 3, 0.15, 8.0
    elif options.record:
        rounds, seconds, patience = 7, 0.4, 360.0
    return Settings(
        rounds=options.rounds or rounds,
        seconds=options.seconds or seconds,
        patience=0.0 if options.rounds else patience,
        quick=options.quick,
        pin=options.pin or options.record,
        wire=options.wire,
        peers=not (options.no_peers or options.quick),
        only=options.only,
        compiler=not options.no_compiler,
    )


def measured(wanted: Settings) -> dict[str, Any]:
    """A record, with the run's progress on standard error.  Raises Trouble."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("bringing everything up", total=None)

        def total(count: int) -> None:
            progress.update(task, total=count)

        def told(case: str, subject: str) -> None:
            progress.update(task, advance=1, description=f"{subject}: {case}")

        return run.record(wanted, total, told)


def show(found: dict[str, Any]) -> None:
    """The tables, and what must be known to read them."""
    out = Console(width=max(Console().width, _WIDTH))
    for table in report.for_terminal(found):
        out.print(table)
    for line in notes(found):
        out.print(line, highlight=False, markup=False)


def notes(found: dict[str, Any]) -> list[str]:
    """What must be known to read the tables."""
    about = found["machine"]
    lines = [
        "median (lowest .. highest); ratio: ours over theirs, median of the rounds' own; ↓ less is "
        "better;\n'too noisy': the 95 % interval of that median reaches further than "
        f"{BOUND:.0%} to either side",
        f"{about['processor']}, {about['cores']} processors; {about['kernel']}; {about['python']}",
        f"{about['wire']}; generator: {about['generator']}; "
        f"{'pinned' if found['settings']['pinned'] else 'not pinned'}",
        "congestion control: set on every kernel socket, as each row says; reno in the stack",
        report.digests(found),
        *(f"{name}: {text}" for name, text in found["peers"].items()),
        *found["said"],
        *(f"not measured: {name}: {why}" for name, why in found["missing"].items()),
    ]
    wrong = report.troubles(found)
    return lines + [f"NOT DONE: {line}" for line in wrong]


def write(found: dict[str, Any], options: argparse.Namespace) -> None:
    """The files that were asked for."""
    if options.json is not None:
        options.json.write_text(page.as_text(found))
    if options.markdown is not None:
        options.markdown.write_text("\n".join(page.tables(found)) + "\n")
    if options.plots is not None:
        said = plots.draw(found, options.plots)
        if said:
            print(said)
    if options.record:
        said = page.write(_DOCS, found, record=True)
        if said:
            print(said)


if __name__ == "__main__":
    sys.exit(main())
