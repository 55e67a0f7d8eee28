# SPDX-License-Identifier: MIT
"""A record as tables: rows computed from the raw answers, for the terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.table import Table

from tools.measure import plan, stats
from tools.measure.plan import Case, Figure
from tools.measure.stats import Ratio, Summary

Record = dict[str, Any]
LESS: Final = "↓"


@dataclass(frozen=True, slots=True)
class Row:
    """A figure of a case: what every subject reached, and ours beside the others'."""

    case: Case
    figure: Figure
    cells: dict[str, Summary]
    ratios: dict[str, Ratio]

    @property
    def text(self) -> str:
        """What was measured, in which unit, and which way is better."""
        what = ", ".join(part for part in (self.case.text, self.figure.text) if part)
        return f"{what}, {self.figure.unit}" + f" {LESS}" * self.figure.smaller


def cases_of(record: Record) -> list[Case]:
    """The cases a record has, in order."""
    known = plan.cases(tuple(record["settings"]["senders"]))
    return [case for case in known if case.key in record["cases"]]


def figures(record: Record, case: Case, figure: Figure, subject: str) -> list[float]:
    """A subject's figures, one for each round in which it had one."""
    answers = record["cases"][case.key].get(subject, [])
    values = [figure.of(answer) for answer in answers if "error" not in answer]
    return [value for value in values if value is not None]


def pair(record: Record, case: Case, figure: Figure, ours: str, theirs: str) -> Ratio:
    """Ours over theirs, by rounds in which both had a figure."""
    found = record["cases"][case.key]
    both = [
        (figure.of(a), figure.of(b))
        for a, b in zip(found.get(ours, []), found.get(theirs, []), strict=False)
        if "error" not in a and "error" not in b
    ]
    whole = [(a, b) for a, b in both if a is not None and b is not None]
    return stats.ratio([a for a, _ in whole], [b for _, b in whole])


def unsettled(record: Record, case: Case) -> bool:
    """Further rounds might give a ratio of a case's first figure that there is not yet."""
    ours, *others = record["cases"][case.key] or [""]
    found = (pair(record, case, case.figures[0], ours, name) for name in others)
    return any(one.why == stats.NOISY for one in found)


def rows(record: Record, group: str = "") -> Iterator[Row]:
    """All rows, or a group's."""
    for case in cases_of(record):
        if group and case.group != group:
            continue
        subjects = record["cases"][case.key]
        for figure in case.figures:
            found = {name: figures(record, case, figure, name) for name in subjects}
            cells = {name: stats.summary(values) for name, values in found.items() if values}
            if not cells:
                continue
            ours = case.subjects[0]
            ratios = {
                name: pair(record, case, figure, ours, name)
                for name in subjects
                if name != ours and name in cells and ours in cells
            }
            yield Row(case, figure, cells, ratios)


def number(value: float) -> str:
    """Three digits that matter."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value else "0"


def cell(found: Summary | None, scale: float) -> str:
    """Median and range."""
    if found is None:
        return ""
    middle, low, high = (number(v * scale) for v in (found.median, found.low, found.high))
    return f"{middle} ({low} .. {high})" if low != high else middle


def said(ratio: Ratio | None) -> str:
    """A ratio, or why there is none."""
    if ratio is None:
        return ""
    if ratio.value is None:
        return ratio.why
    return f"{ratio.value:.2f}" if ratio.value < 100 else f"{ratio.value:,.0f}"


def columns(found: list[Row]) -> tuple[str, list[str]]:
    """(ours, the others) of a table's rows: those who have a figure in one of them."""
    ours = found[0].case.subjects[0]
    names = dict.fromkeys(name for row in found for name in row.cells)
    return ours, [name for name in names if name != ours]


def tables(record: Record) -> Iterator[tuple[str, list[Row]]]:
    """(title, rows) of every table: rows of a group that have the same subject of ours."""
    for group, title in plan.GROUPS.items():
        kinds: dict[str, list[Row]] = {}
        for row in rows(record, group):
            kinds.setdefault(row.case.subjects[0], []).append(row)
        for ours, found in kinds.items():
            plain = len(kinds) == 1 or ours == plan.STACK
            yield title if plain else f"{title}: {plan.SUBJECTS.get(ours, ours)}", found


def for_terminal(record: Record) -> Iterator[Table]:
    """The tables for people at a terminal."""
    for title, found in tables(record):
        ours, others = columns(found)
        table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
        table.add_column("", min_width=30)
        table.add_column(ours, justify="right", no_wrap=True)
        for name in others:
            table.add_column(name, justify="right", no_wrap=True)
            table.add_column("ratio", justify="right", no_wrap=True)
        for row in found:
            text, *figures = _cells(row, ours, others)
            table.add_row(text, *(_on_two_lines(figure) for figure in figures))
        yield table


def _on_two_lines(cell: str) -> str:
    """The median, and below it the range: half as wide."""
    middle, _, rest = cell.partition(" (")
    return f"{middle}\n[dim]{rest.removesuffix(')')}[/]" if rest else cell


def markdown(found: list[Row]) -> list[str]:
    """The lines of one table."""
    ours, others = columns(found)
    heads = ["", ours, *(head for name in others for head in (name, f"{ours} / {name}"))]
    lines = [_line(heads), _line(["---", *["---:"] * (len(heads) - 1)])]
    return lines + [_line(_cells(row, ours, others)) for row in found]


def _cells(row: Row, ours: str, others: list[str]) -> list[str]:
    scale = row.figure.scale
    cells = [row.text, cell(row.cells.get(ours), scale)]
    for name in others:
        cells += [cell(row.cells.get(name), scale), said(row.ratios.get(name))]
    return cells


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def troubles(record: Record, peers: bool = True) -> list[str]:
    """What went wrong in the run: figures that were not had, digests that differ; those of other
    stacks too, or not."""
    found = [
        f"{key}, {subject}: {text}"
        for key, subjects in record["cases"].items()
        for subject, answers in subjects.items()
        if peers or subject not in record["peers"]
        for text in dict.fromkeys(a["error"] for a in answers if "error" in a)
    ]
    found += [
        f"{item['case']}, {item['subject']}, digests: {item['error']}"
        for item in record["verified"]
        if "error" in item
    ]
    return found


def digests(record: Record) -> str:
    """How the verifying runs went, in a sentence."""
    good = [item for item in record["verified"] if "error" not in item]
    octets = sum(item["octets"] for item in good)
    return (
        f"digests: {len(good)} of {len(record['verified'])} verifying runs compared, "
        f"{octets / 2**20:,.0f} MiB, all alike"
    )
