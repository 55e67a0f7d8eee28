# SPDX-License-Identifier: MIT
"""Plots of a record, as SVG.  matplotlib draws them where it is installed (the extra `plots`).

Every plot has a light ground of its own, so that it is legible on a dark page too.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tools.measure import plan, report
from tools.measure.report import Record, Row

NAMES: Final = ("bulk", "datagrams", "latency")
_SAID: Final = (
    "no plots: matplotlib is not installed (the extra `plots` of pyproject.toml: "
    "pip install 'matplotlib>=3.8')"
)
_GROUND: Final = "#fbfbf8"
_INK: Final = "#222222"
_COLOURS: Final = {
    plan.STACK: "#1f6fb4",
    plan.PLAIN: "#1f6fb4",
    plan.BUSY: "#63a7db",
    plan.KERNEL: "#7a7a7a",
    plan.KERNEL_PLAIN: "#7a7a7a",
    plan.PYTHON: "#e0952b",
}
_OTHER: Final = ("#7b4fa3", "#3a9164", "#b8433f")


def possible() -> bool:
    """matplotlib is there."""
    return importlib.util.find_spec("matplotlib") is not None


def draw(record: Record, place: Path) -> str:
    """Write `NAMES`.svg into `place`; why not, if not."""
    if not possible():
        return _SAID
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update(
        {
            "figure.facecolor": _GROUND,
            "axes.facecolor": _GROUND,
            "savefig.facecolor": _GROUND,
            "text.color": _INK,
            "axes.labelcolor": _INK,
            "xtick.color": _INK,
            "ytick.color": _INK,
            "svg.hashsalt": "wskstack",
            "svg.fonttype": "none",
            "font.family": "sans-serif",
            "font.size": 10,
        }
    )
    place.mkdir(parents=True, exist_ok=True)
    for name, make in _PLOTS.items():
        found = make(record)
        if found:
            _bars(found, _TITLES[name], place / f"{name}.svg", log=name != "bulk")
    return ""


def _bulk(record: Record) -> list[Row]:
    return [row for row in report.rows(record, "bulk") if row.figure.key == "rate"]


def _datagrams(record: Record) -> list[Row]:
    return list(report.rows(record, "datagrams"))


def _latency(record: Record) -> list[Row]:
    return [row for row in report.rows(record, "latency") if row.figure.key == "p50"]


_PLOTS: Final[dict[str, Callable[[Record], list[Row]]]] = {
    "bulk": _bulk,
    "datagrams": _datagrams,
    "latency": _latency,
}
_TITLES: Final = {
    "bulk": "Bulk TCP, Gbit/s (more is better)",
    "datagrams": "Datagrams, thousands a second (more is better, logarithmic)",
    "latency": "Round trips, µs at the median (less is better, logarithmic)",
}


def _bars(rows: list[Row], title: str, path: Path, log: bool) -> None:
    """Horizontal bars of the medians, a group for each row, with the range as a whisker."""
    from matplotlib import pyplot

    names = list(dict.fromkeys(name for row in rows for name in row.cells))
    colours = dict(_COLOURS)
    colours.update(zip([name for name in names if name not in colours], _OTHER, strict=False))
    ends: list[int] = []
    labels: list[str] = []
    figure, axes = pyplot.subplots(figsize=(9, 0.7 + sum(0.2 * len(r.cells) + 0.2 for r in rows)))
    at = 0.0
    seen: dict[str, Any] = {}
    for row in rows:
        scale = row.figure.scale
        start = at
        for name, found in row.cells.items():
            middle = found.median * scale
            whiskers = [[middle - found.low * scale], [found.high * scale - middle]]
            colour = colours.get(name, _INK)
            style = {"elinewidth": 1, "ecolor": _INK, "capsize": 2}
            bar = axes.barh(at, middle, 0.85, color=colour, xerr=whiskers, error_kw=style)
            seen.setdefault(_kind(name), bar)
            axes.annotate(
                f" {report.number(middle)}",
                (found.high * scale, at),
                va="center",
                fontsize=8,
                textcoords="offset points",
                xytext=(4, 0),
            )
            at += 1
        ends.append(int((start + at - 1) * 50))
        labels.append(row.case.text)
        at += 1
    axes.set_yticks([end / 100 for end in ends], labels)
    axes.invert_yaxis()
    if log:
        axes.set_xscale("log")
    axes.margins(x=0.12, y=0.01)
    axes.set_title(title, loc="left", fontsize=11)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.legend(seen.values(), seen.keys(), frameon=False, fontsize=9, loc="best")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _kind(name: str) -> str:
    """Shapes of the same subject that no row shows together share a colour and a name."""
    return {plan.PLAIN: plan.STACK, plan.KERNEL_PLAIN: plan.KERNEL}.get(name, name)
