# SPDX-License-Identifier: MIT
"""The register of what WSK demands: whole, and its page is not stale."""

from __future__ import annotations

from tools.check_wsk_clauses import PAGE, faults, register, render


def test_whole() -> None:
    assert list(faults(register())) == []


def test_the_page_is_not_stale() -> None:
    assert PAGE.read_text() == render(register()), "python tools/check_wsk_clauses.py --render"


def test_what_is_left_out_is_noticed() -> None:
    groups = register()
    for group in groups.values():
        for name in [name for name in group if "WskAcceptEvent" in name]:
            del group[name]
    assert list(faults(groups)) == ["WskAcceptEvent is missing"]


def test_what_is_wrong_with_a_demand_is_noticed() -> None:
    groups = register()
    groups["more"] = {
        "one": {"section": "1", "demands": "something"},
        "two": {"demands": "something", "refused": "no"},
        "three": {"section": "1", "demands": "it", "tests": ["tests/wsk/test_no.py::test_no"]},
    }
    assert len(list(faults(groups))) == 3
