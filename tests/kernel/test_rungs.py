# SPDX-License-Identifier: MIT
"""Every rung of the ladder, forced: `tools/demo --check` in namespaces made for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tap.ioctls import NODE
from tests.kernel.conftest import ROOT, bench, impossible, in_namespaces

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("kernel")]

DEMO = [sys.executable, "-m", "tools.demo", "--check"]


def check(how: list[str], arguments: list[str]) -> str:
    """The output of a check that must succeed."""
    result = in_namespaces(*how, *DEMO, *arguments, patience=110)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "everything holds" in result.stdout
    assert "FAIL" not in result.stdout
    return result.stdout


def tap_node() -> None:
    if not os.access(NODE, os.R_OK | os.W_OK):
        impossible(f"{NODE} is not accessible")


def test_tap() -> None:
    tap_node()
    out = check([], ["--wire", "tap"])
    assert "(created, removed at exit)" in out
    assert "ping, IPv6" in out


def test_userns() -> None:
    tap_node()
    assert "in a private namespace, no root needed" in check([], ["--wire", "userns"])


def test_veth() -> None:
    assert "a veth pair in a private namespace" in check([], ["--wire", "veth"])


def test_memory() -> None:
    out = check([], ["--wire", "memory"])
    assert "ping from the kernel" in out
    assert "needs a kernel on the wire" in out


def test_given_by_descriptor() -> None:
    tap_node()
    assert "by descriptor" in check(["--tap-fd"], ["--wire", "given", "--fd"])


def test_given_by_name() -> None:
    tap_node()
    assert "wskq0 (yours)" in check(["--tap-name"], ["--wire", "given", "--tap", "wskq0"])


def test_the_best_one_is_taken_and_the_others_explained() -> None:
    out = check([], [])
    assert out.startswith("wire: ")


@pytest.mark.parametrize("more", [["--no-offload"], ["--mtu", "1280"], ["--mtu", "9000"]])
def test_other_shapes_of_wire(more: list[str]) -> None:
    check([], ["--wire", "veth", *more])


def test_a_rung_that_does_not_work_says_why() -> None:
    result = in_namespaces(*DEMO, "--wire", "given", patience=30)
    assert result.returncode == 2
    assert "no TAP was given" in result.stderr


def test_the_benchmark_of_tcp_measures_both_directions_of_both(tmp_path: Path) -> None:
    """One short round through loss and delay: the stack and a kernel, and two kernels."""
    words = ("tcp", "--quick", "--part", "goodput")
    result, figures = bench(tmp_path, *words, patience=60)
    assert result.returncode == 0, result.stderr
    (found,) = json.loads(figures.read_text())["goodput"].values()
    assert all(
        found[way][subject][0] > 0 for way in ("out", "in") for subject in ("stack", "kernel")
    )


def test_the_benchmark_refuses_a_congestion_control_nobody_has() -> None:
    words = [sys.executable, "-m", "tools.bench", "tcp", "--congestion", "quick"]
    result = subprocess.run(
        words, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False
    )
    assert result.returncode == 2
    assert "the kernel has" in result.stderr
