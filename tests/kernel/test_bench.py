# SPDX-License-Identifier: MIT
"""`tools/bench` measures: a short run of everything, with either generator.

Like tests/kernel/test_rungs.py, in namespaces of its own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.conftest import bench
from tools.measure import plan

pytestmark = [pytest.mark.kernel, pytest.mark.slow]
SHORT = ("--rounds", "1", "--seconds", "0.1", "--no-peers")


def measured(tmp_path: Path, *arguments: str) -> tuple[dict[str, Any], str]:
    """The record, and what was printed."""
    result, figures = bench(tmp_path, *SHORT, *arguments, patience=110)
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads(figures.read_text()), result.stdout


def test_a_quick_run_measures_and_verifies_everything(tmp_path: Path) -> None:
    markdown = tmp_path / "tables.md"
    found, out = measured(tmp_path, "--quick", "--markdown", str(markdown))
    cases = {case.key: case for case in plan.cases(("bbr", "reno")) if case.quick}
    assert set(found["cases"]) <= set(cases)
    for key, subjects in found["cases"].items():
        assert list(subjects) == list(cases[key].subjects)
        for name, answers in subjects.items():
            for figure in cases[key].figures:
                value = figure.of(answers[0])
                assert value is None or value > 0, (key, name, figure.key)
    bulk = [key for key in found["cases"] if cases[key].bulk]
    assert {item["case"] for item in found["verified"]} == set(bulk)
    assert all(item["octets"] >= 1 << 24 for item in found["verified"])
    assert "generator:" in out
    assert "RENO sender" in out
    assert "too few rounds" in markdown.read_text()


@pytest.mark.parametrize("only", ["plain", "loss", "idle", "sockets", "echo-lists-1472"])
def test_what_a_quick_run_leaves_out(tmp_path: Path, only: str) -> None:
    found, _ = measured(tmp_path, "--only", only)
    assert found["cases"]
    for subjects in found["cases"].values():
        assert all("error" not in answers[0] for answers in subjects.values())


@pytest.mark.parametrize("only", ["in-reno-4-1", "trips", "connect", "echo-single-64", "ping-4"])
def test_a_generator_in_python_does_where_there_is_no_compiler(tmp_path: Path, only: str) -> None:
    result, figures = bench(tmp_path, *SHORT, "--no-compiler", "--only", only, patience=60)
    assert "Python, for want of a C compiler" in result.stdout
    found = json.loads(figures.read_text())
    for subjects in found["cases"].values():
        assert all("error" not in answers[0] for answers in subjects.values()), subjects
    for item in found["verified"]:
        assert "need the generator in C" in item["error"]
