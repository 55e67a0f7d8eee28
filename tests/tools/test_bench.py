# SPDX-License-Identifier: MIT
"""`tools/bench`: what it makes of figures.  How it gets them is for tests/kernel/test_bench.py."""

from __future__ import annotations

import json
import os
import re
import statistics
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools import bench
from tools.measure import page, peers, plan, plots, report, run, stats, targets
from tools.measure.loader import Trouble
from tools.measure.peers import Wire

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"
POSITIVE = st.floats(min_value=1e-3, max_value=1e6)


def answer(case: plan.Case, factor: float) -> dict[str, Any]:
    """What a measurement might have said; `factor` times as much of everything."""
    return {
        "octets": 1e9 * factor,
        "count": 1e5 * factor,
        "seconds": 1.0,
        "p50": 1e-5 * factor,
        "p99": 5e-5 * factor,
        "share": 0.0,
        "each": 5000.0,
        "made": 1e5 * factor,
        "octets_each": 900.0,
        "subject_cpu": 0.4,
        "in_packets": 1e5,
    }


def record(factors: dict[str, list[float]] | None = None, **settings: Any) -> dict[str, Any]:
    """A record in which every subject has the same in each round, but for `factors`."""
    said = factors or {}
    steady = [1.0, 1.1, 0.9, 1.0, 1.0]
    return {
        "format": run.FORMAT,
        "when": "2026-01-01 00:00 UTC",
        "machine": {
            "processor": "a processor",
            "cores": "2",
            "kernel": "a kernel",
            "python": "a Python",
            "wire": "a wire",
            "generator": "C, compiled here",
        },
        "settings": {
            "rounds": 5,
            "seconds": 0.5,
            "quick": False,
            "pinned": True,
            "senders": ["bbr", "reno"],
        }
        | settings,
        "said": [],
        "missing": {"somebody": "not installed"},
        "peers": {},
        "verified": [
            {"case": "in-reno-4-1", "subject": "stack", "octets": 1 << 25, "digest": "0a0b0c0d"}
        ],
        "cases": {
            case.key: {
                name: [answer(case, factor) for factor in said.get(name, steady)]
                for name in case.subjects
            }
            for case in plan.cases(("bbr", "reno"))
        },
    }


# Statistics.


@given(st.lists(st.tuples(POSITIVE, POSITIVE), min_size=stats.FEWEST, max_size=12))
def test_a_ratio_is_the_median_of_the_rounds_own_or_there_is_none(
    pairs: list[tuple[float, float]],
) -> None:
    ratios = [a / b for a, b in pairs]
    found = stats.ratio([a for a, _ in pairs], [b for _, b in pairs])
    if stats.doubt(ratios) <= stats.BOUND:
        assert found.value == statistics.median(ratios)
        assert found.why == ""
    else:
        assert found.value is None
        assert found.why == stats.NOISY


@given(POSITIVE, st.lists(POSITIVE, min_size=stats.FEWEST, max_size=9))
def test_what_slows_both_sides_of_a_round_alike_is_no_noise(
    times: float, theirs: list[float]
) -> None:
    found = stats.ratio([times * figure for figure in theirs], theirs)
    assert found.value == pytest.approx(times)


def test_one_disturbed_round_spoils_nothing() -> None:
    theirs = [10.0, 10.0, 10.0, 10.0, 100.0]
    assert stats.ratio([5.0] * 5, theirs).value == 0.5


def test_a_machine_that_is_never_quiet_gives_no_ratio() -> None:
    found = stats.ratio([10.0, 10.0, 10.0, 10.0, 10.0], [10.0, 5.0, 20.0, 10.0, 5.0])
    assert found.value is None
    assert found.why == stats.NOISY
    assert found.doubt > stats.BOUND


def test_more_rounds_tell_more() -> None:
    """The same disagreement, by rounds: what ten cannot tell a hundred can."""
    ours = [1.0, 0.8, 1.2, 0.7, 1.4]
    doubts = [stats.doubt(ours * times) for times in (1, 2, 4, 20)]
    assert doubts == sorted(doubts, reverse=True)
    assert stats.ratio(ours, [1.0] * 5).why == stats.NOISY
    assert stats.ratio(ours * 20, [1.0] * 100).value == 1.0


def test_what_the_rounds_agree_on_is_not_measured_again() -> None:
    agreed = record({"stack": [0.5] * 3, "kernel": [1.0] * 3})
    apart = record({"stack": [0.5, 0.1, 0.9], "kernel": [1.0] * 3})
    for case in report.cases_of(agreed):
        assert not report.unsettled(agreed, case)
        if case.subjects[0] == plan.STACK and plan.KERNEL in case.subjects:
            assert report.unsettled(apart, case)


def test_two_rounds_are_too_few_for_a_ratio() -> None:
    assert stats.ratio([1.0, 1.0], [1.0, 1.0]).why == stats.FEW


def test_a_median_has_its_range() -> None:
    assert stats.summary([3.0, 1.0, 2.0]) == stats.Summary(2.0, 1.0, 3.0)


# Tables.


def test_rows_have_every_subjects_median_and_the_ratios_of_pairs() -> None:
    found = record({"stack": [0.5, 0.5, 0.5], "kernel": [1.0, 1.0, 1.0]})
    rows = {row.text: row for row in report.rows(found)}
    row = rows["TCP in, 1 connection, IPv4, BBR sender, Gbit/s"]
    assert row.cells["stack"].median == 4e9
    assert row.ratios["kernel"].value == 0.5
    assert rows["ping, IPv4, p50, µs ↓"].ratios["kernel"].value == 0.5


def test_noise_is_said_where_a_ratio_would_stand() -> None:
    found = record({"stack": [1.0, 3.0, 9.0], "kernel": [1.0, 1.0, 1.0]})
    row = next(row for row in report.rows(found) if row.case.key == "in-reno-4-1")
    assert report.said(row.ratios["kernel"]) == "too noisy"
    assert "too noisy" in "\n".join(report.markdown([row]))


def test_what_went_wrong_is_no_figure_and_is_told() -> None:
    found = record()
    answers = found["cases"]["connect-1"]["stack"]
    answers[2] = {"error": "connect: Connection timed out"}
    row = next(row for row in report.rows(found) if row.case.key == "connect-1")
    kernels = found["cases"]["connect-1"]["kernel"]
    assert row.ratios["kernel"].value == 1.0
    assert len(kernels) == len(answers)
    (trouble,) = report.troubles(found)
    assert trouble == "connect-1, stack: connect: Connection timed out"


def test_digests_that_differ_are_told() -> None:
    found = record()
    found["verified"].append({"case": "out-plain", "subject": "stack", "error": "one was wrong"})
    assert report.troubles(found) == ["out-plain, stack, digests: one was wrong"]
    assert "1 of 2 verifying runs" in report.digests(found)


def test_a_peers_trouble_is_not_ours() -> None:
    found = record()
    found["peers"] = {"other": "another stack"}
    found["cases"]["ping-4"]["other"] = [{"error": "no answer"}]
    assert report.troubles(found)
    assert report.troubles(found, peers=False) == []


def test_every_table_has_as_many_cells_in_each_line() -> None:
    for line_group in re.split(r"\n\n+", "\n".join(page.tables(record()))):
        lines = [line for line in line_group.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines}) <= 1, lines


def test_the_terminals_tables_are_those_of_the_page() -> None:
    found = record()
    shown = [table.row_count for table in report.for_terminal(found)]
    assert shown == [len(rows) for _, rows in report.tables(found)]


# Targets.


@pytest.mark.parametrize(
    ("value", "smaller", "verdict"),
    [
        (10.0, False, "goal reached"),
        (5.0, False, "must reached"),
        (4.9, False, "missed"),
        (5.0, True, "goal reached"),
        (10.0, True, "must reached"),
        (10.1, True, "missed"),
        ("too noisy", True, "too noisy"),
    ],
)
def test_verdicts(value: float | str, smaller: bool, verdict: str) -> None:
    must, goal = (10.0, 5.0) if smaller else (5.0, 10.0)
    target = targets.Target("something", must, goal, lambda _: value, smaller=smaller)
    assert target.verdict(value) == verdict


def test_every_target_has_a_case() -> None:
    """But for a record without it: then it is not measured, and nothing fails."""
    found = record()
    for case in plan.cases(("bbr", "reno")):
        for figure in case.figures:
            for item in found["cases"][case.key][case.subjects[0]]:
                item.setdefault("octets", 1.0)
                assert figure.of(item) is not None or figure.key == "linked"
    for target in targets.TARGETS:
        value = target.value(found)
        assert value != "not measured", target.text
        assert target.value(found | {"cases": {}}) == "not measured"


def test_idle_connections_change_is_in_per_cent_either_way() -> None:
    steady = [1.0, 1.0, 1.0]
    for factor in (0.9, 1.1):
        found = record({plan.IDLE: [factor] * 3, plan.STACK: steady})
        assert targets.change("idle-in")(found) == pytest.approx(10.0)


# The page.


def test_a_record_survives_being_written() -> None:
    found = record()
    again = json.loads(page.as_text(found))
    assert again == json.loads(page.as_text(again))
    assert page.text(again, [], "") == page.text(json.loads(json.dumps(again)), [], "")
    assert len(page.as_text(found)) < 400_000


def test_the_page_is_what_the_generator_makes_of_the_record() -> None:
    found = json.loads((DOCS / page.RECORD).read_text())
    drawn = [name for name in plots.NAMES if (DOCS / page.FOLDER / f"{name}.svg").exists()]
    profile = DOCS / page.PROFILE
    text = page.text(found, drawn, profile.read_text() if profile.exists() else "")
    assert (DOCS / page.PAGE).read_text() == text, "run tools/bench --page"


def test_plots_of_the_page_are_small() -> None:
    for path in (DOCS / page.FOLDER).glob("*.svg"):
        assert path.stat().st_size < 200_000, path


def test_the_page_includes_the_profile_and_only_drawn_plots() -> None:
    text = page.text(record(), ["bulk"], "## What one segment costs\n\nThis.\n")
    assert "## What one segment costs\n\nThis." in text
    assert "performance/bulk.svg" in text
    assert "latency.svg" not in text


def test_lines_of_prose_fit() -> None:
    lines = page.text(record(), [], "").splitlines()
    assert [line for line in lines if len(line) > 100 and not line.startswith("|")] == []


def test_plots_are_drawn_or_a_sentence_says_why_not(tmp_path: Path) -> None:
    said = plots.draw(record(), tmp_path)
    if plots.possible():
        assert said == ""
        for name in plots.NAMES:
            assert "<svg" in (tmp_path / f"{name}.svg").read_text()
    else:
        assert "matplotlib is not installed" in said


# Plugs.


def test_plugs_are_found_and_say_why_they_cannot_be_measured() -> None:
    found = peers.found()
    assert "pmd-pytcp" in [peer.name for peer in found]
    wire = Wire(3, bytes(6), "10.0.0.2", "fd00::2", "10.0.0.1", "fd00::1", 1500, Path("pattern"))
    verbs = {case.verb for case in plan.cases(("reno",))}
    for peer in found:
        assert isinstance(peer.unavailable(), str)
        assert peer.verbs <= verbs
        assert peer.command(wire)
        assert peer.name in peer.text


def test_peers_are_measured_where_they_can_be() -> None:
    found = [peer for peer in peers.found() if peer.name == "pmd-pytcp"]
    for case in plan.cases(("reno",)):
        named = run.subjects_of(case, found)
        assert ("pmd-pytcp" in named) == (case.peers and case.verb in found[0].verbs)


# The command.


def test_keys_of_cases_are_unique() -> None:
    keys = [case.key for case in plan.cases(("bbr", "reno"))]
    assert len(set(keys)) == len(keys)
    assert {case.group for case in plan.cases(("bbr", "reno"))} == set(plan.GROUPS)


def test_every_bulk_workload_is_verified_and_names_its_congestion_control() -> None:
    for case in plan.cases(("bbr", "reno")):
        assert case.bulk == (case.group in ("bulk", "loss"))
        if case.bulk:
            assert f"{case.more['cc'].upper()} sender" in case.text


def test_only_chooses_a_group_or_a_case() -> None:
    loss, _ = run.chosen(run.Settings(only="loss"))
    assert [case.key for case in loss] == ["in-loss", "out-loss"]
    ping, _ = run.chosen(run.Settings(only="ping"))
    assert [case.key for case in ping] == ["ping-4", "ping-6", "ping-busy"]


def test_a_kernel_without_bbr_has_rows_without_it() -> None:
    keys = [case.key for case in plan.cases(("reno",))]
    assert not [key for key in keys if "bbr" in key]
    assert "in-reno-4-1" in keys


def test_a_record_is_pinned_and_has_rounds_enough() -> None:
    asked = bench.settings(bench.parser().parse_args(["--record"]))
    assert asked.pin
    assert asked.rounds >= 5
    quick = bench.settings(bench.parser().parse_args(["--quick"]))
    assert quick.rounds >= stats.FEWEST
    assert not quick.pin


def test_pinning_needs_two_processors() -> None:
    if len(os.sched_getaffinity(0)) < 2:
        with pytest.raises(Trouble, match="two processors"):
            run.cores(True)
    else:
        generator, subjects = run.cores(True)
        assert generator != subjects
    assert run.cores(False) == ((), ())
