# SPDX-License-Identifier: MIT
"""The registers are complete, true to the tests there are, and rendered; the checker notices."""

from __future__ import annotations

import pytest

from tools.check_clauses import (
    GROUPS,
    PAGE,
    REGISTERS,
    RFC9293,
    entry_faults,
    faults,
    register,
    render,
)

GOOD = {"level": "M", "demands": "something", "refused": "a reason"}
HERE = "tests/conformance/test_register.py"


def test_nothing_is_missing_or_stale() -> None:
    assert list(faults()) == []


def test_the_page_is_what_the_registers_say() -> None:
    assert PAGE.read_text() == render(), "python tools/check_clauses.py --render"


def test_all_clauses_of_rfc_9293_are_asked_for() -> None:
    """119 of them (appendix B)."""
    assert len(set(RFC9293)) == 119
    assert set(register("rfc9293.toml")) == set(RFC9293)


def test_no_must_not_level_is_lost() -> None:
    """Levels agree with the identifiers."""
    letters = {"MUST": "M", "SHLD": "S", "MAY": "O", "REC": "R"}
    for clause, entry in register("rfc9293.toml").items():
        assert entry["level"][0] == letters[clause.split("-")[0]], clause


def test_every_register_has_groups() -> None:
    """`wsk.toml` has a checker of its own."""
    files = {path.name for path in REGISTERS.glob("*.toml")}
    assert set(GROUPS) == files - {"wsk.toml"}


def test_no_clause_is_in_two_groups() -> None:
    clauses = [
        clause for groups in GROUPS.values() for group in groups.values() for clause in group
    ]
    assert len(set(clauses)) == len(clauses)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({}, None),
        ({"level": "X"}, "level is 'X'"),
        ({"demands": ""}, "says not what it demands"),
        ({"refused": ""}, "needs either tests or refused"),
        ({"tests": [f"{HERE}::test_nothing_is_missing_or_stale"]}, "needs either tests or refused"),
        ({"refused": "", "tests": [f"{HERE}::test_gone"]}, f"{HERE} has no test_gone"),
        ({"refused": "", "tests": ["tests/none.py::test_x"]}, "there is no file tests/none.py"),
        ({"refused": "", "tests": [f"{HERE}::helper"]}, "helper is not a test"),
        ({"because": "x"}, "strange keys ['because']"),
    ],
)
def test_the_checker_complains(change: dict[str, object], complaint: str | None) -> None:
    found = list(entry_faults(GOOD | change))
    assert found == ([] if complaint is None else [complaint])


def helper() -> None:
    """Something that is no test."""
