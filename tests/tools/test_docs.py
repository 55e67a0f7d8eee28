# SPDX-License-Identifier: MIT
"""What the pages say is so: the example, the links, the commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stack.tcp.congestion import ALGORITHMS
from tools.demo import parser
from tools.measure.simulate import Bottleneck

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = r"(?<![\w/])((?:tools|tests|stack|tap|wsk_api|examples)/[\w/.]+\w)"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_readmes_examples_are_the_files() -> None:
    shown = re.findall(r"```python\n(.*?)```", PAGES[0].read_text(), re.DOTALL)
    names = ("echo_facade.py", "shout.py")
    assert len(shown) == len(names)
    for text, name in zip(shown, names, strict=True):
        assert (ROOT / "examples" / name).read_text().endswith(text)
    assert shown[0].count("\n") <= 20


@pytest.mark.slow
def test_the_congestion_controls_example_works() -> None:
    """It is chosen by its name and fills most of a bottleneck."""
    shown = re.search(
        r"```python\n(.*?)```", (ROOT / "docs" / "congestion.md").read_text(), re.DOTALL
    )
    assert shown is not None
    assert shown[1].count("\n") <= 30
    try:
        exec(shown[1], {"__name__": "page"})
        world = Bottleneck(round_trip=20, buffer=1.0)
        sink = world.connect("scalable", 6)
        world.run(6)
        assert world.share(sink.octets, 6) > 50
        (tcb,) = world.sender.tcp.connections()
        assert type(tcb.cc).__name__ == "Scalable"
    finally:
        ALGORITHMS.pop("scalable", None)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_files_exist(page: Path) -> None:
    text = page.read_text()
    for name in re.findall(
        r"(?<![\w/])((?:tools|tests|stack|tap|wsk_api|examples)/[\w/.]+\w)", text
    ):
        assert (ROOT / name).exists() or (page.parent / name).exists(), name


def test_options_of_the_demo_that_the_readme_names() -> None:
    known = parser().format_help()
    text = PAGES[0].read_text()
    for option in re.findall(r"`(?:tools/demo )?(--[a-z]+)", text):
        assert option in known


def test_every_named_drop_reason_on_the_pages_exists() -> None:
    from stack.base import fate

    text = (ROOT / "docs" / "limits.md").read_text()
    for reason in re.findall(r"`((?:ip|tcp|ndp|udp|icmp)_[a-z_]+)`", text):
        assert reason in fate.NAMES
