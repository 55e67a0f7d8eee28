# SPDX-License-Identifier: MIT
"""What can come of a script, as exceptions inside the interpreter and as a result outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PASS: Final = "PASS"
FAIL: Final = "FAIL"
UNSUPPORTED: Final = "UNSUPPORTED"


class ScriptError(Exception):
    """The text is not a script: `line` is where reading stopped."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


class Failure(Exception):
    """The stack did something else than the script says."""


class Unsupported(Exception):
    """The script needs something that the stack or this interpreter does not have."""

    def __init__(self, feature: str, line: int = 0) -> None:
        super().__init__(feature)
        self.line = line


class CallError(Exception):
    """A system call failed: returns -1 with the errno of this name."""


@dataclass(frozen=True)
class Result:
    """One run of one script."""

    name: str
    verdict: str
    line: int = 0
    text: str = ""

    def __str__(self) -> str:
        if self.verdict == PASS:
            return f"{self.name}: PASS"
        if self.verdict == UNSUPPORTED:
            return f"{self.name}:{self.line}: UNSUPPORTED {self.text}"
        return f"{self.name}:{self.line}: {self.text}"
