# SPDX-License-Identifier: MIT
"""Every clause of the RFCs is shown by a test, or refused with a reason.

    python tools/check_clauses.py            # exit status 1 if something is missing or stale
    python tools/check_clauses.py --render   # write docs/conformance.md anew

The registers are `tests/conformance/*.toml`: one table per clause with `level`, `demands` and
either `tests` (file::function) or `refused` (a reason), and perhaps a `note`.  That a named test
shows what the clause demands, only a reader can judge; that it exists, and that no clause of RFC
9293 is left out, is checked here.  Run by `.ci/run`.
"""

from __future__ import annotations

import argparse
import ast
import sys
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
REGISTERS: Final = ROOT / "tests" / "conformance"
PAGE: Final = ROOT / "docs" / "conformance.md"

LEVELS: Final = {
    "M": "must",
    "M-": "must not",
    "S": "should",
    "S-": "should not",
    "O": "may",
    "R": "recommended",
}

RFC9293: Final = (
    *(f"MUST-{number}" for number in range(1, 70)),
    *(f"SHLD-{number}" for number in range(1, 32)),
    *(f"MAY-{number}" for number in range(1, 19)),
    "REC-1",
)
"""Every identifier of RFC 9293, appendix B."""


def run(prefix: str, count: int) -> tuple[str, ...]:
    """The clauses of a group that is numbered by us."""
    return tuple(f"{prefix}-{number}" for number in range(1, count + 1))


GROUPS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "rfc9293.toml": {"TCP (RFC 9293)": RFC9293},
    "tcp.toml": {
        "TCP: retransmission timer (RFC 6298)": run("RTO", 10),
        "TCP: congestion control (RFC 5681, 3042, 3465, 6928)": run("CC", 12),
        "TCP: NewReno (RFC 6582)": run("NR", 4),
        "TCP: recovery with SACK (RFC 6675)": run("SK", 7),
        "TCP: SACK (RFC 2018)": run("SA", 6),
        "TCP: D-SACK (RFC 2883)": run("DS", 2),
        "TCP: RACK-TLP (RFC 8985)": run("RK", 9),
        "TCP: window scale (RFC 7323)": run("WS", 4),
        "TCP: timestamps and PAWS (RFC 7323)": run("TS", 8),
        "TCP: blind attacks (RFC 5961, 6528, 5927, 6191, 1337)": run("BA", 7),
        "TCP: ECN (RFC 3168)": run("EC", 7),
        "TCP: others": run("OT", 5),
    },
    "host.toml": {
        "IPv4 (RFC 791, 1122, 6864)": run("IP4", 25),
        "ICMP (RFC 792, 1122, 6633, 6918)": run("IC4", 15),
        "IPv6 (RFC 8200, 8504 and others)": run("IP6", 21),
        "ICMPv6 (RFC 4443)": run("IC6", 11),
        "Reassembly and its bounds (RFC 791, 1122, 5722, 8200)": run("FRB", 8),
        "Path MTU (RFC 1191, 8201, 8899)": run("PM", 9),
        "Address selection (RFC 6724)": run("SEL", 25),
        "Forwarding (RFC 1812, 8200)": run("FW", 24),
        "UDP (RFC 768, 1122, 8085)": run("UDP", 9),
    },
    "link.toml": {
        "Ethernet (RFC 894, 1122)": run("LNK", 5),
        "ARP (RFC 826, 1122)": run("ARP", 10),
        "Address conflicts (RFC 5227)": run("ACD", 10),
        "Neighbor Discovery (RFC 4861 and others)": run("ND", 25),
        "Neighbours that stop answering (RFC 7048)": run("NUP", 6),
        "Bounds of the neighbour cache (RFC 6583)": run("NDL", 6),
        "Groups: IGMPv3 and MLDv2 (RFC 3376, 3810)": run("GM", 26),
    },
    "addresses.toml": {
        "Asking for routers (RFC 7559)": run("RSB", 6),
        "Router preferences and more specific routes (RFC 4191)": run("RTP", 11),
        "Name servers from routers (RFC 8106)": run("RDN", 8),
        "Stateless address configuration (RFC 4862)": run("SL", 12),
        "Enhanced duplicate address detection (RFC 7527)": run("EDD", 5),
        "Optimistic addresses (RFC 4429)": run("ODD", 7),
        "Opaque identifiers (RFC 7217, 8064)": run("OID", 7),
        "Temporary addresses (RFC 8981)": run("TMP", 12),
        "IPv4 link-local addresses (RFC 3927)": run("LL4", 12),
        "DHCPv4 (RFC 2131, 2132, 3396, 3397, 3442, 4361, 6842)": run("DH4", 27),
        "DHCPv6 (RFC 8415)": run("DH6", 32),
    },
    "names.toml": {
        "LLMNR (RFC 4795)": run("LM", 23),
        "mDNS (RFC 6762)": run("MD", 30),
    },
}
"""Registers, their groups by where they come from, and the clauses of each."""

Entry = dict[str, Any]


@cache
def names(path: Path) -> frozenset[str]:
    """The tests of a file: functions, classes, Class::method."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found.add(node.name)
            found |= {f"{node.name}::{m.name}" for m in node.body if isinstance(m, ast.FunctionDef)}
        elif isinstance(node, ast.Assign):  # hypothesis makes the test of a state machine so
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return frozenset(found)


def missing(test: str) -> str:
    """Why `test` names no test; empty if it does."""
    file, _, name = test.partition("::")
    path = ROOT / file
    if not (file.startswith("tests/") and path.is_file()):
        return f"there is no file {file}"
    if name not in names(path):
        return f"{file} has no {name}"
    last = name.split("::")[-1]
    return "" if last.startswith(("test", "Test")) else f"{name} is not a test"


def entry_faults(entry: Entry) -> Iterator[str]:
    """What is wrong with one clause."""
    if entry.get("level") not in LEVELS:
        yield f"level is {entry.get('level')!r}"
    if not entry.get("demands"):
        yield "says not what it demands"
    tests, refused = entry.get("tests"), entry.get("refused")
    if bool(tests) == bool(refused):
        yield "needs either tests or refused"
    yield from (fault for test in tests or () if (fault := missing(test)))
    strange = set(entry) - {"level", "demands", "tests", "refused", "note"}
    if strange:
        yield f"strange keys {sorted(strange)}"


def register(name: str) -> dict[str, Entry]:
    """The clauses of one file."""
    with (REGISTERS / name).open("rb") as file:
        return tomllib.load(file)


def faults() -> Iterator[str]:
    """What is wrong with the registers and the page."""
    for name, groups in GROUPS.items():
        entries = register(name)
        wanted = [clause for clauses in groups.values() for clause in clauses]
        for clause in wanted:
            if clause not in entries:
                yield f"{name}: {clause} is missing"
        for clause, entry in entries.items():
            if clause not in wanted:
                yield f"{name}: {clause} is no clause we know"
            yield from (f"{name}: {clause}: {fault}" for fault in entry_faults(entry))


def render() -> str:
    """The page for people."""
    lines = [
        "# Conformance, clause by clause",
        "",
        "<!-- Written by `python tools/check_clauses.py --render`; do not edit. -->",
        "",
        "Each clause is shown by a test or refused with a reason. The words are ours; so are the",
        "numbers, but for RFC 9293, where they are those of its appendix B. `.ci/run` checks that",
        "every named test exists and that no clause is left out. What the stack does not do is",
        "also told, by subject, in [limits](limits.md).",
        "",
    ]
    lines += ["| | shown | refused |", "| --- | --- | --- |"]
    for name, groups in GROUPS.items():
        entries = register(name)
        for title, clauses in groups.items():
            done = sum("tests" in entries.get(clause, {}) for clause in clauses)
            lines.append(f"| {title} | {done} | {len(clauses) - done} |")
    shown, refused = counts()
    lines += [f"| together | {shown} | {refused} |", ""]
    for name, groups in GROUPS.items():
        entries = register(name)
        for title, clauses in groups.items():
            there = [clause for clause in clauses if clause in entries]
            done = sum("tests" in entries[clause] for clause in there)
            lines += [f"## {title}", "", f"{done} shown by tests, {len(there) - done} refused.", ""]
            lines += ["| clause | | what it demands | how |", "| --- | --- | --- | --- |"]
            lines += [row(clause, entries[clause]) for clause in there]
            lines.append("")
    return "\n".join(lines)


def row(clause: str, entry: Entry) -> str:
    """One line of a table."""
    if "refused" in entry:
        how = f"*refused:* {entry['refused']}"
    else:
        how = links(entry["tests"])
        if entry.get("note"):
            how += f" — {entry['note']}"
    demands = entry["demands"].replace("|", "\\|")
    return f"| {clause} | {LEVELS[entry['level']]} | {demands} | {how} |"


def links(tests: Iterable[str]) -> str:
    """Tests, as the pages name them."""
    parts = (test.partition("::") for test in tests)
    return ", ".join(f"[`{name.removeprefix('test_')}`](../{file})" for file, _, name in parts)


def counts() -> tuple[int, int]:
    """(shown, refused) over all registers."""
    entries = [entry for name in GROUPS for entry in register(name).values()]
    shown = sum("tests" in entry for entry in entries)
    return shown, len(entries) - shown


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--render", action="store_true", help="write docs/conformance.md")
    asked = arguments.parse_args()
    found = list(faults())
    if not found:
        page = render()
        if asked.render:
            PAGE.write_text(page)
        elif not PAGE.is_file() or PAGE.read_text() != page:
            found.append("docs/conformance.md is stale: python tools/check_clauses.py --render")
    for fault in found:
        print(fault)
    shown, refused = counts()
    print(f"clauses: {shown} shown by tests, {refused} refused, {len(found)} faults")
    return min(len(found), 1)


if __name__ == "__main__":
    sys.exit(main())
