# SPDX-License-Identifier: MIT
"""The text of a script, read from left to right: comments, conditions, words, line numbers.

The language has no tokens of its own: `S.` is flags in a packet and a field access elsewhere.
So the parser says what it looks for at each place, as a regular expression.
"""

from __future__ import annotations

import re
from typing import Final

from tools.drill.outcome import ScriptError

_BLANK: Final = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/|#[^\n]*)+", re.DOTALL)
_CONDITION: Final = re.compile(r"\s*#\s*(ifdef|ifndef|else|endif|define)\b\s*(\w*)\s*(.*?)\s*$")
_WORD: Final = re.compile(r"[A-Za-z_]\w*")


class Scanner:
    """A place in a text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.skip()

    @property
    def line(self) -> int:
        """The number of the current line, from 1."""
        return self.text.count("\n", 0, self.at) + 1

    @property
    def done(self) -> bool:
        return self.at >= len(self.text)

    def skip(self) -> None:
        """Pass over blanks and comments."""
        found = _BLANK.match(self.text, self.at)
        if found:
            self.at = found.end()
        if self.text.startswith("/*", self.at):
            raise ScriptError(self.line, "a comment begins here and does not end")

    def peek(self, pattern: str) -> bool:
        """Does `pattern` come next?"""
        return re.compile(pattern).match(self.text, self.at) is not None

    def take(self, pattern: str) -> str | None:
        """What `pattern` matches here (its first group if it has one), and go behind it."""
        found = re.compile(pattern, re.DOTALL).match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        self.skip()
        return found[1] if found.re.groups else found[0]

    def need(self, pattern: str, what: str) -> str:
        """As `take`, but it must be there."""
        found = self.take(pattern)
        if found is None:
            raise ScriptError(self.line, f"{what} expected, found {self.rest()}")
        return found

    def rest(self) -> str:
        """The rest of the line, for messages."""
        rest = self.text[self.at :].split("\n", 1)[0].strip()
        return repr(rest[:40]) if rest else "the end"


def prepare(text: str, defined: dict[str, str]) -> str:
    """Conditions and definitions done; every line keeps its number."""
    lines = []
    alive = [True]
    symbols = dict(defined)
    for number, line in enumerate(text.split("\n"), 1):
        found = _CONDITION.match(line)
        if found is None:
            lines.append(line if all(alive) else "")
            continue
        lines.append("")
        word, symbol, value = found[1], found[2], found[3]
        if word in ("ifdef", "ifndef"):
            alive.append((symbol in symbols) == (word == "ifdef"))
        elif word == "define":
            if all(alive):
                symbols[symbol] = value
        elif len(alive) == 1:
            raise ScriptError(number, f"#{word} without #ifdef")
        elif word == "else":
            alive[-1] = not alive[-1]
        else:
            alive.pop()
    if len(alive) > 1:
        raise ScriptError(len(lines), "#ifdef without #endif")
    return substitute("\n".join(lines), symbols)


def substitute(text: str, symbols: dict[str, str]) -> str:
    """Replace the words that stand for something else."""
    if not symbols:
        return text
    return _WORD.sub(lambda found: symbols.get(found[0], found[0]), text)
