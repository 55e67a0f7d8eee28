# SPDX-License-Identifier: MIT
"""A whole script, text to syntax tree: options, times, and one line after the other."""

from __future__ import annotations

import re
import textwrap
from decimal import Decimal
from typing import Final

from tools.drill.expressions import expression
from tools.drill.outcome import ScriptError
from tools.drill.packet_text import packet
from tools.drill.scanner import Scanner, prepare
from tools.drill.script import (
    ABSOLUTE,
    ANY,
    RELATIVE,
    Action,
    Code,
    Command,
    Event,
    Script,
    SystemCall,
    When,
)

_OPTION: Final = re.compile(r'\s*--([A-Za-z]\w*)(?:=("[^"]*"|\S+))?\s*(?://.*|#.*)?$')
_TIME: Final = r"\d+(?:\.\d+)?|\.\d+"
_NOTE: Final = r"\([^()]*\)"


def options_of(text: str) -> list[tuple[int, str, str]]:
    """(line, name, value) of the `--name=value` lines at the top."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        match = _OPTION.match(line)
        if match:
            found.append((number, match[1], (match[2] or "").strip('"')))
        elif line.strip().startswith("--"):
            raise ScriptError(number, f"not an option: {line.strip()}")
    return found


def parse(text: str, defined: dict[str, str]) -> Script:
    """The script in `text`.  Raises ScriptError and Unsupported with line numbers."""
    options = options_of(text)
    symbols = dict(defined)
    for _, name, value in options:
        if name == "define":
            symbol, _, meaning = value.partition("=")
            symbols.setdefault(symbol, meaning)
    taken = {number for number, _, _ in options}
    body = "\n".join(
        "" if number in taken else line for number, line in enumerate(text.split("\n"), 1)
    )
    scan = Scanner(prepare(body, symbols))
    script = Script(options)
    while not scan.done:
        line = scan.line
        if scan.peek("`"):
            command = scan.need(r"`([^`]*)`", "a command")
            if not script.events:
                script.commands.append((line, command))
            elif not scan.done:
                raise ScriptError(line, "a command without a time, in the middle of the script")
            continue  # what cleans up afterwards has nothing to clean here
        script.events.append(_event(scan))
    return script


def _event(scan: Scanner) -> Event:
    line, begin = scan.line, scan.at
    when = _when(scan)
    end = None
    if scan.take(r"\.\.\."):
        end = When(when.kind, *[_nanoseconds(scan.need(r"\+?\s*(" + _TIME + ")", "a time"))] * 2)
    action = _action(scan, end)
    text = " ".join(scan.text[begin : scan.at].split("\n")[0].split())
    return Event(line, when, action, text)


def _when(scan: Scanner) -> When:
    if scan.take(r"\*"):
        return When(ANY)
    kind = RELATIVE if scan.take(r"\+") else ABSOLUTE
    start = _nanoseconds(scan.need(_TIME, "a time"))
    end = start
    if scan.take("~"):
        scan.take(r"\+")
        end = _nanoseconds(scan.need(_TIME, "a time"))
    return When(kind, start, end)


def _nanoseconds(text: str) -> int:
    return int(Decimal(text) * 10**9)


def _action(scan: Scanner, end: When | None) -> Action:
    if end is None:
        if scan.peek("[<>]"):
            return packet(scan)
        if scan.peek("`"):
            return Command(scan.need(r"`([^`]*)`", "a command"))
        if scan.peek("%{"):
            return Code(_dedent(scan.need(r"%\{(.*?)\}%", "a block that ends with }%")))
    return _system_call(scan, end)


def _dedent(code: str) -> str:
    """The first line often follows `%{` and stands elsewhere than the others."""
    first, newline, rest = code.partition("\n")
    if not first.strip():
        return textwrap.dedent(rest)
    return first.strip() + newline + textwrap.dedent(rest)


def _system_call(scan: Scanner, end: When | None) -> SystemCall:
    name = scan.need(r"([A-Za-z_]\w*)\s*(?=\()", "a packet, a system call, a command or code")
    scan.need(r"\(", "'('")
    arguments = []
    if not scan.take(r"\)"):
        while True:
            arguments.append(expression(scan))
            if scan.take(r"\)"):
                break
            scan.need(",", "',' or ')'")
    scan.need("=", "'=' and a result")
    result = expression(scan)
    errno = scan.take(r"E[A-Z0-9]+\b")
    scan.take(_NOTE)
    return SystemCall(name, arguments, result, errno, end)
