# SPDX-License-Identifier: MIT
"""docs/performance.md, made of a record.

The page says nothing about figures that the record does not have, so it can be made again of the
record alone (`tools/bench --page`), and a test sees to it that it is.  docs/performance/profile.md,
where the processor's time goes, is written by hand and included.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any, Final

from tools.measure import plan, plots, report, stats, targets
from tools.measure.report import Record
from tools.measure.stats import BOUND, FEWEST

PAGE: Final = "performance.md"
FOLDER: Final = "performance"
RECORD: Final = f"{FOLDER}/record.json"
PROFILE: Final = f"{FOLDER}/profile.md"
_DIGITS: Final = 6

_COMMANDS: Final = {
    "bulk": "tools/bench --pin --only bulk",
    "loss": "tools/bench --pin --only loss",
    "latency": "tools/bench --pin --only latency",
    "datagrams": "tools/bench --pin --only datagrams",
    "connections": "tools/bench --pin --only connections",
    "state": "tools/bench --pin --only state",
}

_ABOUT: Final = {
    "bulk": """
        One process in C with 1 or 32 connections on kernel sockets sends or receives. The sender's
        congestion control is set on its socket and read back; "in" is into the stack
        (WskReceiveEvent, which takes and forgets), "out" is out of it (WskSend of views of one
        memory, four mebibytes outstanding). What is sent repeats every mebibyte and so stays in a
        processor's cache, as in most benchmarks, which is the kernel's best case: it copies every
        octet twice, the stack none. "Data from memory" repeats every 32 MiB. A rate into a subject
        counts until it has closed after the last octet.
        """,
    "loss": """
        The same on a wire that loses 1 % of the frames each way, with 40 ms of round trip and
        100 Mbit/s; both TAPs are without offloads, so what is lost is one frame of the MTU. Beside
        the stack stands a second kernel behind the same wire with the same seed. `tools/bench tcp`
        measures more of this.
        """,
    "latency": """
        One thing in flight: an ICMP echo every two milliseconds, so that the stack has gone to
        sleep; 64 octets there and back on a TCP connection or by UDP, at once again.
        """,
    "datagrams": """
        Echo keeps 64 datagrams in flight; "in" floods and counts what arrived; "out" asks for
        bursts of 64. "Single calls" are WskReceiveFromEvent and a WskSendTo for each datagram;
        "lists" are sent in super-frames (UDP_SEGMENT, up to 60 in one), indicated as a list of
        datagrams, and leave through WskSendMessages of up to 60; "joined" are the same with
        UDP_RECV_MAX_COALESCED_SIZE and UDP_SEND_MSG_SIZE, one buffer for all of a super-frame. C
        on kernel sockets uses recvmmsg and sendmmsg throughout, Python one call for each datagram;
        neither has UDP_GRO, so each datagram is one to them in all three.
        """,
    "connections": """
        Connect, 64 octets of request, 64 of response, the subject's FIN, ours. The kernel's side
        is an accept loop in C.
        """,
    "state": """
        "launch" is a fresh process, its namespace and TAP included, until the first ping is
        answered; the memory of a connection is what the resident set grows by. Sockets are made
        in memory, without a wire; their octets are counted by tracemalloc, the kernel's by the
        growth of its slab caches.
        """,
}


def as_text(record: Record) -> str:
    """A record as JSON, a line for each answer."""
    rounded = json.loads(json.dumps(record), parse_float=lambda text: _short(float(text)))
    text = json.dumps({**rounded, "cases": None, "verified": None}, indent=1)
    cases = ",\n".join(
        f"  {json.dumps(key)}: {{\n{_subjects(subjects)}\n  }}"
        for key, subjects in rounded["cases"].items()
    )
    verified = ",\n".join(f"  {json.dumps(item)}" for item in rounded["verified"])
    text = text.replace('"verified": null', f'"verified": [\n{verified}\n ]')
    return text.replace('"cases": null', f'"cases": {{\n{cases}\n }}') + "\n"


def _subjects(subjects: dict[str, list[Any]]) -> str:
    return ",\n".join(
        f"   {json.dumps(name)}: [\n"
        + ",\n".join(f"    {json.dumps(answer)}" for answer in answers)
        + "\n   ]"
        for name, answers in subjects.items()
    )


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def write(docs: Path, found: Record, record: bool = False) -> str:
    """The page, and with `record` the record and the plots; why there are no plots, if so."""
    said = ""
    (docs / FOLDER).mkdir(exist_ok=True)
    if record:
        (docs / RECORD).write_text(as_text(found))
        found = json.loads((docs / RECORD).read_text())
        said = plots.draw(found, docs / FOLDER)
    drawn = [name for name in plots.NAMES if (docs / FOLDER / f"{name}.svg").exists()]
    profile = docs / PROFILE
    (docs / PAGE).write_text(text(found, drawn, profile.read_text() if profile.exists() else ""))
    return said


def text(record: Record, drawn: list[str], profile: str) -> str:
    """The page."""
    parts = [
        _head(record),
        _targets(record),
        *(_group(record, group, group in drawn) for group in plan.GROUPS),
        _packets(record),
        _filters(),
        _others(record),
        profile.strip(),
        _noise(record),
        _reproduce(record),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def tables(record: Record) -> list[str]:
    """All tables in Markdown, without the prose."""
    lines: list[str] = []
    for title, found in report.tables(record):
        lines += [f"## {title}", "", *report.markdown(found), ""]
    return lines[:-1]


def _prose(words: str) -> str:
    return textwrap.fill(" ".join(words.split()), 100, break_long_words=False)


def _head(record: Record) -> str:
    about, how = record["machine"], record["settings"]
    pinned = (
        "The generator is pinned to one processor and every subject to another. "
        if how["pinned"]
        else ""
    )
    opening = f"""
        This page is generated from a recorded run (`tools/bench --record`; the record is
        [record.json]({RECORD})) of {record["when"]}: {about["processor"]}, {about["cores"]}
        processors; {about["kernel"]}; {about["python"]}; {about["wire"]}; generator:
        {about["generator"]}; {_rounds(record)} for each figure. {pinned}Every subject is a process
        of its own. **Only the ratios mean anything on
        another machine**; the absolute figures are what this one gave.
        """
    subjects = dict.fromkeys(name for case in record["cases"].values() for name in case)
    names = [
        f"* `{name}`: {plan.SUBJECTS.get(name, record['peers'].get(name, name))}"
        for name in subjects
    ]
    missing = [f"* `{name}` was not measured: {why}" for name, why in record["missing"].items()]
    lines = ["# Performance", "", "<!-- Generated by tools/bench --page: do not edit. -->", ""]
    lines += [_prose(opening), "", *names, *missing, *(f"* {line}" for line in record["said"])]
    lines += ["", _prose(_cells_mean())]
    wrong = report.troubles(record)
    if wrong:
        lines += ["", "What went wrong in this run:", "", *(f"* {line}" for line in wrong)]
    return "\n".join(lines)


def _rounds(record: Record) -> str:
    how = record["settings"]
    said = f"{how['rounds']} alternating rounds of {how['seconds']:g} s"
    most = max(len(one) for case in record["cases"].values() for one in case.values())
    return said if most == how["rounds"] else f"{said}, up to {most} where those did not agree,"


def _cells_mean() -> str:
    return f"""
        A cell is a median with the lowest and the highest round. A ratio is ours over theirs: the
        median of the rounds' own ratios; ↓ marks figures of which less is better. "{stats.NOISY}"
        stands where the rounds did not agree (see [below](#when-there-is-no-ratio)).
        """


def _targets(record: Record) -> str:
    told = """
        They were set before the work on speed began, from what minimal prototypes without loss
        recovery reached on a TAP; "must" is the least, "goal" what would be good.
        """
    return "\n".join(["## Targets", "", _prose(told), "", *targets.table(record)])


def _group(record: Record, group: str, drawn: bool) -> str:
    found = [(title, rows) for title, rows in report.tables(record) if rows[0].case.group == group]
    if not found:
        return ""
    lines = [f"## {plan.GROUPS[group]}", "", f"    {_COMMANDS[group]}", ""]
    lines += [_prose(_ABOUT[group]), ""]
    if group == "bulk":
        lines += [_prose(_verified(record)), ""]
    if drawn:
        lines += [f"![{plan.GROUPS[group]}]({FOLDER}/{group}.svg)", ""]
    for title, rows in found:
        if title != plan.GROUPS[group]:
            what = title.removeprefix(plan.GROUPS[group] + ": ")
            lines += [f"### {what[0].upper()}{what[1:]}", ""]
        lines += [*report.markdown(rows), ""]
    return "\n".join(lines[:-1])


def _verified(record: Record) -> str:
    return f"""
        In every run the receiving generator compares the ends of each piece with what must stand
        at that place of the stream, and counts. Before the rounds, every workload is run once more
        on every subject with each octet checked, {2**25 >> 20} MiB (2 MiB through loss): into a
        subject, crc32 and the number of the octets it got beside those of what was sent; out of
        it, every octet. In this run: {report.digests(record)}. {_generator(record)}
        """


def _generator(record: Record) -> str:
    """How busy the generator was while this stack was measured."""
    shares = [
        answer["cpu"] / answer["seconds"]
        for case in report.cases_of(record)
        for answer in record["cases"][case.key].get(plan.STACK, [])
        if "cpu" in answer and case.group == "bulk"
    ]
    if not shares:
        return ""
    found = stats.summary(shares)
    return f"""
        While this stack was measured in bulk, the generator used {found.median:.0%} of a processor
        ({found.low:.0%} .. {found.high:.0%}); at 100% it would be the limit."""


def _rate(record: Record, key: str, subject: str) -> float | None:
    """Thousands a second."""
    if key not in record["cases"]:
        return None
    case = next(case for case in report.cases_of(record) if case.key == key)
    found = report.figures(record, case, case.figures[0], subject)
    return stats.summary(found).median / 1e3 if found else None


def _packets(record: Record) -> str:
    """The kpps question."""
    names = (plan.STACK, plan.PYTHON, plan.KERNEL)
    lines = [
        "## How many thousand packets a second?",
        "",
        _prose(
            """
            The question has been asked of WSK itself and got no answer. Of this stack, on a TAP,
            one process on one processor, thousands of datagrams of 64 octets a second:
            """
        ),
        "",
        "| | this stack | Python on kernel sockets | C on kernel sockets |",
        "| --- | ---: | ---: | ---: |",
    ]
    some = False
    for text, key in (
        ("received, one by one", "sink-single-64"),
        ("received in super-frames, as lists", "sink-lists-64"),
        ("received in super-frames, joined", "sink-joined-64"),
        ("sent, a WskSendTo each", "burst-single-64"),
        ("sent, 60 in a WskSendMessages", "burst-lists-64"),
        ("sent, 60 in one buffer", "burst-joined-64"),
        ("echoed, one by one", "echo-single-64"),
        ("echoed, in lists", "echo-lists-64"),
        ("echoed, joined", "echo-joined-64"),
    ):
        values = [_rate(record, key, name) for name in names]
        some |= values[0] is not None
        cells = " | ".join("" if value is None else report.number(value) for value in values)
        lines.append(f"| {text} | {cells} |")
    if not some:
        return ""
    single, lists = (_rate(record, f"echo-{style}-64", plan.STACK) for style in ("single", "lists"))
    lines += ["", _prose(_why(single, lists))]
    return "\n".join(lines)


def _why(single: float | None, lists: float | None) -> str:
    cost = f"An echoed datagram costs {1e3 / single:.1f} µs here. " if single else ""
    gain = (
        f"Lists make it {1e3 / lists:.2f} µs, {lists / single:.1f} times as many. "
        if single and lists
        else ""
    )
    return f"""
        {cost}A small packet costs what it costs because it is paid for by the piece. Reading it
        from the device and writing the answer are two system calls, about 1.3 and 1.7 µs, and the
        second runs the kernel's whole receive path on our processor: a C program that does nothing
        else needs 2.4 µs. The rest is the interpreter: every header unpacked, table looked up,
        counter raised and function called is 20 to 100 ns, and a datagram passes some dozens of
        them on its way up and down. No style of writing Python changes that by much, and neither
        does compiling it. The size of a datagram hardly matters, for no octet of it is touched.
        Batching is what changes it: a super-frame brings up to 60 datagrams through the device, the
        checks and the tables at once, and a list hands them to the client in one indication.
        {gain}"""


def _filters() -> str:
    told = """
        No filters are installed in any of these runs, and there is no list of them to pass: the
        hooks of the filtering platform (`stack/filter`) are not written yet. What an empty list
        costs at each of them can be told when there is one.
        """
    return f"## Filter hooks\n\n{_prose(told)}"


def _others(record: Record) -> str:
    told = """
        A stack that is installed and has a plug (`tools/measure/peers`, one small file each) is
        measured in the same run and stands in the tables above. What native stacks gave on another
        day, on two shared processors with the same kind of load, is below; it is not of this run,
        so only the ratio to the kernel of that day may be compared with the ratios above.
        """
    lines = [
        "## Other stacks",
        "",
        _prose(told),
        "",
        "| of that day's kernel to kernel | TCP in, BBR | TCP in, Reno | TCP out |",
        "| --- | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {name} | {bbr} | {reno} | {out} |"
        for name, bbr, reno, out in (
            ("gVisor netstack (Go), with segmentation offload", "86 %", "72 %", "52 %"),
            ("smoltcp (Rust)", "52 %", "19 %", "9 %"),
            ("lwIP (C)", "22 %", "9 %", "8 %"),
            ("PyTCP 3.0.9 (Python 3.14)", "0.3 %", "0.1 %", "under 0.1 %"),
        )
    ]
    ours = [targets.ratio(key, "rate", plan.KERNEL, 100)(record) for key in _HOT]
    cells = " | ".join(v if isinstance(v, str) else f"{report.number(v)} %" for v in ours)
    return "\n".join([*lines, f"| this stack, in the run above | {cells} |"])


_HOT: Final = ("in-bbr-4-1", "in-reno-4-1", "out-reno-4-1")


def _noise(record: Record) -> str:
    told = f"""
        Each round measures all subjects of a figure, in turn and in the other order the next time,
        and gives one ratio. The ratio that is printed is the median of the rounds'. It is withheld
        when its 95 % interval (1.57 times the distance of the quartiles over the root of the number
        of rounds, the notch of a box plot) reaches further than {BOUND:.0%} to either side, or when
        there are fewer than {FEWEST} rounds: then the machine was busy with something else, and a
        figure would be chance. A single disturbed round spoils nothing, and what is not settled is
        measured again while there is time.
        """
    withheld = sum(r.why == stats.NOISY for row in report.rows(record) for r in row.ratios.values())
    total = sum(len(row.ratios) for row in report.rows(record))
    told += f" In this run {withheld} of {total} ratios were withheld."
    return f"## When there is no ratio\n\n{_prose(told)}"


def _reproduce(record: Record) -> str:
    told = f"""
        `tools/bench` needs no root: it makes its own namespaces, in which the stack has a TAP and
        the kernel a veth pair, with offloads and without, and nothing it sends leaves them.
        A C compiler makes the load generator (`tools/measure/load`); where there is none, Python
        processes take its place, and the output says so: then the generator may be the limit.
        The command of each section measures that section again, `--only` with the name of a case
        one row of it. This page was made with {_rounds(record)} for each figure.
        """
    lines = [
        "## How to have these figures again",
        "",
        "    tools/bench                # everything, five rounds and more",
        "    tools/bench --quick        # the main figures, under a minute",
        "    tools/bench --record       # this page, for your machine",
        "    tools/bench --json FILE --markdown FILE --plots DIRECTORY",
        "",
        _prose(told),
        "",
        "The cases of this run:",
        "",
    ]
    lines += [
        f"* {plan.GROUPS[group]}: "
        + ", ".join(f"`{case.key}`" for case in report.cases_of(record) if case.group == group)
        for group in plan.GROUPS
        if any(case.group == group for case in report.cases_of(record))
    ]
    return "\n".join(
        textwrap.fill(line, 100, subsequent_indent="  ", break_on_hyphens=False)
        if line.startswith("* ")
        else line
        for line in lines
    )
