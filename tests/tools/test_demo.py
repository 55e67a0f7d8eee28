# SPDX-License-Identifier: MIT
"""The commands' own small parts: arguments, and what the first use installs."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import pytest

from stack.base.units import MS
from tools import bootstrap
from tools.demo import hosts, impairment, mtu, name_server

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.parametrize(
    ("text", "attribute", "value"),
    [
        ("loss=1%", "loss", 0.01),
        ("corrupt=0.5", "corrupt", 0.5),
        ("delay=20ms", "delay", 20 * MS),
        ("jitter=50us", "jitter", 50_000),
        ("rate=10mbit", "rate", 10_000_000),
        ("duplicate=3%", "duplicate", 0.03),
        ("reorder=2%,delay=1ms", "reorder_by", 5 * MS),
    ],
)
def test_impairments(text: str, attribute: str, value: float) -> None:
    assert getattr(impairment(text), attribute) == value


@pytest.mark.parametrize("text", ["loss", "loss=x", "delay=20", "speed=3ms", "loss=200%", ""])
def test_impairments_that_make_no_sense(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        impairment(text)


@pytest.mark.parametrize("text", ["1279", "65522"])
def test_mtu_limits(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="1280"):
        mtu(text)


def test_name_servers_and_hosts_files(tmp_path: Path) -> None:
    assert name_server("fd77::1") == "fd77::1"
    with pytest.raises(argparse.ArgumentTypeError, match="not an address"):
        name_server("ns.example")
    file = tmp_path / "hosts"
    file.write_bytes(b"192.0.2.1 a\xff b\n")
    assert "192.0.2.1" in hosts(str(file))
    with pytest.raises(argparse.ArgumentTypeError, match="No such file"):
        hosts(str(tmp_path / "none"))


def test_what_is_installed_is_what_the_project_lists() -> None:
    listed = bootstrap.requirements(("demo", "test"))
    names = {re.split(r"[>=; ]", line)[0] for line in listed}
    assert {"pyroute2", "h11", "pytest", "hypothesis", "scapy", "ruff", "mypy"} <= names
    assert all(">=" in line for line in listed)


def test_what_is_offered_is_an_extra_of_the_project() -> None:
    for name, extra in bootstrap.OPTIONAL.items():
        assert name in bootstrap.EXTRAS
        assert set(bootstrap.requirements((extra,))) > set(bootstrap.requirements(()))


def test_test_arguments() -> None:
    assert bootstrap.default_test_arguments(["-k", "tcp"])[0] == "-n"
    assert bootstrap.default_test_arguments(["--pdb"]) == []
    assert bootstrap.default_test_arguments(["-n", "0"]) == []


def test_help_needs_no_wire() -> None:
    for module in ("tools.demo", "tools.wsk", "tools.bench", "tools.fuzz"):
        result = subprocess.run(
            [sys.executable, "-m", module, "--help"],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=True,
        )
        assert "usage: tools/" in result.stdout
