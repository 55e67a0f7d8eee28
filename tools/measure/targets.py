# SPDX-License-Identifier: MIT
"""What was aimed for, and whether a record reaches it.

A target is a figure or a ratio of the record, what it must be, and what would be better still.
Both have been set before the work on speed began, from what minimal prototypes reached.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tools.measure import plan, report, stats
from tools.measure.plan import Case, Figure
from tools.measure.report import Record

Value = Callable[[Record], float | str]
"""The figure, or why there is none."""


@dataclass(frozen=True, slots=True)
class Target:
    """`smaller`: less is better.  `unit` is written after each number."""

    text: str
    must: float
    goal: float
    value: Value
    unit: str = ""
    smaller: bool = False

    def verdict(self, value: float | str) -> str:
        """In a word."""
        if isinstance(value, str):
            return value
        good = (
            (value <= self.goal, value <= self.must)
            if self.smaller
            else (value >= self.goal, value >= self.must)
        )
        return "goal reached" if good[0] else "must reached" if good[1] else "missed"


def _case(record: Record, key: str) -> Case | None:
    return next((case for case in report.cases_of(record) if case.key == key), None)


def _figure(case: Case, key: str) -> Figure:
    return next(figure for figure in case.figures if figure.key == key)


def ratio(key: str, figure: str, theirs: str, scale: float = 1.0) -> Value:
    """Ours over theirs in a case, times `scale`."""

    def value(record: Record) -> float | str:
        case = _case(record, key)
        if case is None:
            return "not measured"
        found = report.pair(record, case, _figure(case, figure), case.subjects[0], theirs)
        return found.why if found.value is None else found.value * scale

    return value


def own(key: str, figure: str, scale: float = 1.0) -> Value:
    """Our median in a case, times `scale`."""

    def value(record: Record) -> float | str:
        case = _case(record, key)
        if case is None:
            return "not measured"
        found = report.figures(record, case, _figure(case, figure), case.subjects[0])
        return stats.summary(found).median * scale if found else "not measured"

    return value


def change(key: str) -> Value:
    """By how many per cent a case's first subject differs from the second."""
    of = ratio(key, "rate", plan.STACK)

    def value(record: Record) -> float | str:
        found = of(record)
        return found if isinstance(found, str) else abs(1 - found) * 100

    return value


def _per_cent(key: str, theirs: str = plan.KERNEL) -> Value:
    return ratio(key, "rate", theirs, 100)


TARGETS: Final = (
    Target("TCP in, BBR sender, of kernel to kernel", 75, 90, _per_cent("in-bbr-4-1"), " %"),
    Target("TCP in, Reno sender, of kernel to kernel", 45, 75, _per_cent("in-reno-4-1"), " %"),
    Target("... data from memory", 45, 75, _per_cent("in-memory"), " %"),
    Target("TCP out, of kernel to kernel", 75, 120, _per_cent("out-reno-4-1"), " %"),
    Target("... data from memory", 75, 120, _per_cent("out-memory"), " %"),
    Target("stack CPU for 64 KB in", 20, 15, own("in-reno-4-1", "cost", 1e6), " µs", True),
    Target("stack CPU for 64 KB out", 16, 11, own("out-reno-4-1", "cost", 1e6), " µs", True),
    Target(
        "TCP in, no offloads, of the kernel without",
        20,
        30,
        _per_cent("in-reno-plain", plan.KERNEL_PLAIN),
        " %",
    ),
    Target(
        "TCP out, no offloads, of the kernel without",
        12,
        17,
        _per_cent("out-plain", plan.KERNEL_PLAIN),
        " %",
    ),
    Target(
        "UDP echo, 64 octets, beside Python on kernel sockets",
        0.75,
        1.0,
        ratio("echo-single-64", "rate", plan.PYTHON),
    ),
    Target("UDP echo, 64 octets", 100, 150, own("echo-single-64", "rate", 1e-3), " k/s"),
    *(
        Target(f"UDP {way}, super-frames of 64 octets, {style}", 1000, 4000, value, " k/s")
        for way, style, value in (
            ("in", "lists", own("sink-lists-64", "rate", 1e-3)),
            ("in", "joined", own("sink-joined-64", "rate", 1e-3)),
            ("out", "lists", own("burst-lists-64", "rate", 1e-3)),
            ("out", "joined", own("burst-joined-64", "rate", 1e-3)),
        )
    ),
    Target("ping, beside the kernel", 12, 8, ratio("ping-4", "p50", plan.KERNEL), "", True),
    Target("ping, polling", 3, 1.5, ratio("ping-busy", "p50", plan.KERNEL), "", True),
    Target(
        "UDP round trip, beside Python on kernel sockets",
        1.3,
        1.0,
        ratio("trips-udp-4", "p50", plan.PYTHON),
        "",
        True,
    ),
    Target("connections, 1 at a time, of a C accept loop", 40, 80, _per_cent("connect-1"), " %"),
    Target("connections, 16 at a time, of a C accept loop", 40, 80, _per_cent("connect-16"), " %"),
    Target("1,000 idle connections change UDP echo by", 5, 2, change("idle-echo"), " %", True),
    Target("1,000 idle connections change TCP in by", 5, 2, change("idle-in"), " %", True),
    Target(
        "CPU with 1,000 idle connections (0 %, told to a tenth)",
        0.1,
        0.1,
        own("idle-cpu", "cpu", 100),
        " %",
        True,
    ),
    Target("launch to the first ping answered", 1, 0.4, own("launch", "first"), " s", True),
)


def table(record: Record) -> list[str]:
    """Lines of Markdown."""
    lines = ["| | must | goal | here | |", "| --- | ---: | ---: | ---: | --- |"]
    for target in TARGETS:
        value = target.value(record)
        here = "" if isinstance(value, str) else f"{report.number(value)}{target.unit}"
        sign = "≤ " if target.smaller else ""
        must, goal = (f"{sign}{x:,g}{target.unit}" for x in (target.must, target.goal))
        lines.append(f"| {target.text} | {must} | {goal} | {here} | {target.verdict(value)} |")
    return lines
