# SPDX-License-Identifier: MIT
"""Every demand of WSK is shown by a test, or refused with a reason.

    python tools/check_wsk_clauses.py            # exit status 1 if something is missing or stale
    python tools/check_wsk_clauses.py --render   # write docs/wsk-conformance.md anew

The register is `tests/conformance/wsk.toml`: one table per demand, in groups by subject, with its
`section`, what it `demands`, and `tests`, or `refused` (a reason; its tests show the refusal).
Checked here: that the tests exist, and that no function, event, IOCTL or socket option of the
provider is left out.  Run by `.ci/run`.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import wsk_api  # noqa: E402
from tools.check_clauses import links, missing  # noqa: E402
from wsk_api import option_constants, types  # noqa: E402

REGISTER: Final = ROOT / "tests" / "conformance" / "wsk.toml"
PAGE: Final = ROOT / "docs" / "wsk-conformance.md"
FUNCTION: Final = re.compile(r"(Wsk|Nmr|Io|Ke)[A-Z]\w+")
CODE: Final = re.compile(r"SIO_\w+|SO_\w+")

Group = dict[str, dict[str, Any]]


def register() -> dict[str, Group]:
    """Group, identifier, demand."""
    with REGISTER.open("rb") as file:
        return tomllib.load(file)


def wanted() -> Iterator[str]:
    """What must be spoken of: functions, members of dispatch tables, control codes."""
    for name, thing in vars(wsk_api).items():
        if FUNCTION.fullmatch(name) and callable(thing):
            yield name
    for name, table in vars(types).items():
        if name.endswith("DISPATCH"):
            yield from filter(FUNCTION.fullmatch, getattr(table, "__slots__", ()))
    yield from filter(CODE.fullmatch, vars(option_constants))


def faults(groups: dict[str, Group]) -> Iterator[str]:
    """What is wrong with the register."""
    spoken = {
        word for group in groups.values() for name in group for word in re.findall(r"\w+", name)
    }
    yield from (f"{name} is missing" for name in sorted(set(wanted()) - spoken))
    for group in groups.values():
        for name, entry in group.items():
            if not entry.get("demands") or not entry.get("section"):
                yield f"{name}: says not what it demands, or where that is written"
            if not entry.get("tests") and not entry.get("refused"):
                yield f"{name}: needs tests or refused"
            for test in entry.get("tests", ()):
                if fault := missing(test):
                    yield f"{name}: {fault}"
            strange = set(entry) - {"section", "demands", "tests", "refused", "note"}
            if strange:
                yield f"{name}: strange keys {sorted(strange)}"


def render(groups: dict[str, Group]) -> str:
    """The page for people."""
    lines = [
        "# WSK, demand by demand",
        "",
        "<!-- Written by `python tools/check_wsk_clauses.py --render`; do not edit. -->",
        "",
        "What Microsoft's pages on WSK, the socket options and the name functions demand, in",
        "our words; each is shown by tests, or refused with a reason (then the tests show the",
        "refusal). `.ci/run` checks that every named test exists, and that no function, event,",
        "IOCTL or socket option of the provider is left out. [WSK](wsk.md) is the guide;",
        "[conformance](conformance.md) does the same for the RFCs.",
        "",
    ]
    for title, group in groups.items():
        refused = sum("refused" in entry for entry in group.values())
        lines += [
            f"## {title}",
            "",
            f"{len(group) - refused} shown by tests, {refused} refused.",
            "",
        ]
        lines += ["| what | what is demanded | how |", "| --- | --- | --- |"]
        lines += [row(name, entry) for name, entry in group.items()]
        lines.append("")
    return "\n".join(lines)


def row(name: str, entry: dict[str, Any]) -> str:
    """One line of a table."""
    how = links(entry.get("tests", ()))
    if "refused" in entry:
        how = ": ".join(part for part in (f"*refused:* {entry['refused']}", how) if part)
    if "note" in entry:
        how += f" — {entry['note']}"
    demands = entry["demands"].replace("|", "\\|")
    return f"| {name} | {demands} | {how} |"


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--render", action="store_true", help="write docs/wsk-conformance.md")
    asked = arguments.parse_args()
    groups = register()
    found = list(faults(groups))
    page = render(groups)
    if asked.render:
        PAGE.write_text(page)
    elif not PAGE.is_file() or PAGE.read_text() != page:
        found.append(f"docs/{PAGE.name} is stale: python tools/check_wsk_clauses.py --render")
    for fault in found:
        print(fault)
    entries = [entry for group in groups.values() for entry in group.values()]
    refused = sum("refused" in entry for entry in entries)
    print(f"WSK: {len(entries) - refused} shown by tests, {refused} refused, {len(found)} faults")
    return min(len(found), 1)


if __name__ == "__main__":
    sys.exit(main())
