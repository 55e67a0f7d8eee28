# SPDX-License-Identifier: MIT
"""`tools/bench tcp`: what a bad wire leaves of TCP, and what one segment costs.

tools/bench tcp              reno, cubic and whatever else both have, under a minute
tools/bench tcp --quick      one short round: does everything run?
tools/bench tcp --loss 0.1 --round-trip 100 --rate 50
tools/bench tcp --json FILE  the figures for a program

Goodput through random loss and delay, with the Linux kernel as the peer: the stack and the kernel,
and beside it two kernels on the same wire.  The wire is an `ImpairedPort` on the TAP of the asking
kernel, in both cases; behind it is the stack, or a patch cable to the TAP of the second kernel.
Both TAPs are without offload, so that what is lost is a frame of one MTU and no super-frame.
Sender and receiver use the same congestion control by name, and are measured in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from stack import Config
from stack.base.units import MS
from stack.tcp.congestion import ALGORITHMS
from tap.impair import Impairment
from tap.ladder import STACK_ADDRESSES, Refused, Wish, attach
from tools.measure.kernels import KernelPair
from tools.measure.process import asking, result, serving
from tools.measure.table import cell, console, ratio, show_segments
from tools.world import DemoWorld

WANTED: Final = ("reno", "cubic", "bbr")
_AVAILABLE: Final = Path("/proc/sys/net/ipv4/tcp_available_congestion_control")
_SETTLE: Final = 0.5
_SUBJECTS: Final = ("stack", "kernel")
_DIRECTIONS: Final = {"out": "out of the subject", "in": "into the subject"}

Ask = Callable[[dict[str, Any]], Any]


@dataclass(slots=True)
class Figures:
    """One congestion control: a figure per round, by subject and by what `flows` answers."""

    stack: dict[str, list[float]] = field(default_factory=dict)
    kernel: dict[str, list[float]] = field(default_factory=dict)

    def add(self, subject: str, answer: dict[str, float]) -> None:
        for name, value in answer.items():
            getattr(self, subject).setdefault(name, []).append(value)


def arguments(text: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    text.add_argument("--quick", action="store_true", help="one short round")
    text.add_argument("--loss", type=float, default=1.0, help="per cent, each way (default 1)")
    text.add_argument("--round-trip", type=float, default=40.0, help="ms (default 40)")
    text.add_argument("--rate", type=float, default=100.0, help="Mbit/s, each way (default 100)")
    text.add_argument("--flows", type=int, default=8, help="connections each way (default 8)")
    text.add_argument("--rounds", type=int, default=3, help="alternating rounds (default 3)")
    text.add_argument("--seconds", type=float, default=1.6, help="per figure (default 1.6)")
    text.add_argument("--family", type=int, choices=(4, 6), default=4, help="IPv4 or IPv6")
    text.add_argument("--seed", type=int, default=1, help="of what is lost")
    text.add_argument(
        "--congestion",
        action="append",
        metavar="NAME",
        help="of both ends; may be repeated (default: those of reno, cubic, bbr that both have)",
    )
    text.add_argument("--part", choices=("goodput", "segments"), help="only this (default both)")
    text.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")


def main(options: argparse.Namespace) -> int:
    """Measure, print, write."""
    figures: dict[str, Any] = {}
    if options.part != "segments":
        try:
            figures["goodput"] = all_goodput(options)
        except Refused as why:
            print(f"tools/bench: {why}", file=sys.stderr)
            return 2
    if options.part != "goodput":
        figures["segments"] = result("segments")
        show_segments(figures["segments"])
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def all_goodput(options: argparse.Namespace) -> dict[str, Any]:
    """Every congestion control that was asked for, printed.  Raises Refused."""
    names = on_both_sides(options.congestion or WANTED)
    if options.quick:
        names, options.rounds, options.seconds = names[:1], 1, 0.3
    found = {name: goodput(name, options) for name in names}
    show(found, options)
    return as_json(found)


def on_both_sides(wanted: Sequence[str]) -> list[str]:
    """Those that the kernel and the stack have.  Raises Refused if that is none."""
    available = _AVAILABLE.read_text().split() if _AVAILABLE.exists() else []
    names = [name for name in wanted if name in available and name in ALGORITHMS]
    if not names:
        raise Refused(
            f"no congestion control on both sides: the kernel has {', '.join(available)}, "
            f"the stack {', '.join(ALGORITHMS)}"
        )
    return names


def wire(options: argparse.Namespace) -> Impairment:
    """One direction: loss, half the delay, and a bottleneck with a queue of one product."""
    rate = int(options.rate * 1e6)
    return Impairment(
        loss=options.loss / 100,
        delay=int(options.round_trip * MS / 2),
        rate=rate,
        queue=int(rate / 8 * options.round_trip / 1e3),
    )


def goodput(congestion: str, options: argparse.Namespace) -> Figures:
    """All rounds with one congestion control.  Raises Refused."""
    figures = Figures()
    question = {
        "address": STACK_ADDRESSES[options.family == 6][0],
        "flows": options.flows,
        "settle": min(_SETTLE, options.seconds),
        "seconds": options.seconds,
    }
    bad = wire(options)
    with ExitStack() as lines:
        asks = {
            "stack": lines.enter_context(stack_line(congestion, bad, options.seed)),
            "kernel": lines.enter_context(kernel_line(congestion, bad, options.seed)),
        }
        for number in range(options.rounds):
            for subject in _SUBJECTS if number % 2 else reversed(_SUBJECTS):
                figures.add(subject, asks[subject](question))
    return figures


@contextmanager
def stack_line(congestion: str, bad: Impairment, seed: int) -> Iterator[Ask]:
    """A kernel, the wire, the stack."""
    attachment = attach(Wish(wire="userns", offload=False))
    config = Config(dad=False, tcp_congestion=congestion)
    world = DemoWorld(attachment, impairment=bad, seed=seed, config=config)
    try:
        world.start()
        with asking("flows", attachment.pid, congestion) as ask:
            yield ask
    finally:
        world.stop()


@contextmanager
def kernel_line(congestion: str, bad: Impairment, seed: int) -> Iterator[Ask]:
    """A kernel, the wire, another kernel."""
    pair = KernelPair(bad, seed)
    try:
        with (
            serving("baseline", pair.far, congestion),
            asking("flows", pair.near, congestion) as ask,
        ):
            yield ask
    finally:
        pair.stop()


def show(found: dict[str, Figures], options: argparse.Namespace) -> None:
    """The table."""
    title = (
        f"goodput, Mbit/s: {options.loss:g} % loss each way, {options.round_trip:g} ms, "
        f"{options.rate:g} Mbit/s;\n{options.flows} connections each way at once, "
        f"IPv{options.family}, {options.rounds} alternating rounds of {options.seconds} s"
    )
    table = Table(title=title)
    table.add_column("")
    for name in (*_SUBJECTS, "ratio"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, figures in found.items():
        for direction, text in _DIRECTIONS.items():
            ours, theirs = figures.stack[direction], figures.kernel[direction]
            row = cell(ours, 1e-6), cell(theirs, 1e-6), f"{ratio(ours, theirs):.2f}"
            table.add_row(f"{name}, {text}", *row)
    out = console()
    out.print(table)
    out.print(
        "median (lowest .. highest); ratio: stack over kernel, median of the rounds' own\n"
        f"round trip as measured: {trip(found, 'stack')} to the stack, "
        f"{trip(found, 'kernel')} between kernels\n"
        "both TAPs without offload: every frame is one of at most 1500 octets of payload, lost "
        "by itself\n"
        f"kernel {platform.release()}, Python {platform.python_version()}, {os.cpu_count()} cores",
        highlight=False,
    )


def trip(found: dict[str, Figures], subject: str) -> str:
    """The smoothed round trip of the asking kernel's senders, median of all rounds."""
    all_of_them = [t for figures in found.values() for t in getattr(figures, subject)["round_trip"]]
    return f"{statistics.median(all_of_them) * 1e3:.1f} ms"


def as_json(found: dict[str, Figures]) -> dict[str, Any]:
    """Every figure, unrounded, in SI units."""
    return {
        name: {
            direction: {
                "stack": figures.stack[direction],
                "kernel": figures.kernel[direction],
                "ratio": ratio(figures.stack[direction], figures.kernel[direction]),
            }
            for direction in _DIRECTIONS
        }
        for name, figures in found.items()
    }
