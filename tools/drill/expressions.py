# SPDX-License-Identifier: MIT
"""Expressions in the arguments of system calls, read straight into Python values.

    1  0x10  "text"  NAME  A|B  ...  [a, b]  {field = value}  htons(8080)

Numbers and known names become ints, lists stay lists, structures become `Struct`.
"""

from __future__ import annotations

from typing import Any

from tools.drill.constants import CA_STATES, CONSTANTS, TCP_STATES
from tools.drill.outcome import ScriptError
from tools.drill.scanner import Scanner
from tools.drill.script import IGNORED, Name, Struct

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}


def expression(scan: Scanner) -> Any:
    """One expression."""
    value = _primary(scan)
    while scan.take(r"\|(?!\|)"):
        value = _both(scan, value, _primary(scan))
    return value


def _both(scan: Scanner, left: Any, right: Any) -> Any:
    if isinstance(left, Name):
        return left
    if isinstance(right, Name):
        return right
    if isinstance(left, int) and isinstance(right, int):
        return left | right
    raise ScriptError(scan.line, "| needs two numbers")


def _primary(scan: Scanner) -> Any:
    if scan.take(r"\.\.\."):
        return IGNORED
    number = scan.take(r"-?0[xX][0-9a-fA-F]+|-?\d+(?:\.\d+)?")
    if number is not None:
        return float(number) if "." in number else int(number, 0 if "x" in number.lower() else 10)
    if scan.peek('"'):
        return string(scan)
    if scan.take(r"\["):
        return _items(scan, r"\]", "]")
    if scan.take(r"\{"):
        return structure(scan)
    if scan.take(r"\("):
        value = expression(scan)
        scan.need(r"\)", "')'")
        return value
    if scan.take("~"):
        value = _primary(scan)
        return ~value if isinstance(value, int) else value
    word = scan.take(r"[A-Za-z_]\w*")
    if word is None:
        raise ScriptError(scan.line, f"an expression expected, found {scan.rest()}")
    if scan.take(r"\("):
        return _function(scan, word, _items(scan, r"\)", ")"))
    for table in (CONSTANTS, TCP_STATES, CA_STATES):
        if word in table:
            return table[word]
    return Name(word)


def string(scan: Scanner) -> str:
    """A string in double quotes."""
    body = scan.need(r'"((?:[^"\\]|\\.)*)"', "a string")
    scan.take(r"\.\.\.")
    parts = body.split("\\")
    return parts[0] + "".join(_ESCAPES.get(p[:1], p[:1]) + p[1:] for p in parts[1:])


def _items(scan: Scanner, close: str, what: str) -> list[Any]:
    items: list[Any] = []
    if scan.take(close):
        return items
    while True:
        items.append(expression(scan))
        if scan.take(close):
            return items
        scan.need(",", f"',' or {what!r}")


def structure(scan: Scanner) -> Struct:
    """What follows an opening brace."""
    fields: dict[str, Any] = {}
    while not scan.take(r"\}"):
        name = scan.take(r"([A-Za-z_]\w*)\s*(?:\([^()]*\))?\s*=(?!=)")
        fields[name or str(len(fields))] = expression(scan)
        if not scan.peek(r"\}"):
            scan.need("[,;]", "',' or '}'")
    return Struct(fields)


def _function(scan: Scanner, name: str, arguments: list[Any]) -> Any:
    """Byte order does not matter here: numbers are numbers, addresses their text."""
    if name in ("htons", "htonl", "ntohs", "ntohl", "inet_addr", "inet6_addr") and arguments:
        return arguments[0]
    if name == "inet_pton" and len(arguments) > 1:
        return arguments[1]
    return Name(f"{name}()")
