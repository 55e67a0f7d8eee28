# SPDX-License-Identifier: MIT
"""Which edges of the stack's code a run took: what tells the search that a program is new.

From Python 3.12 on `sys.monitoring` tells of every line once, which costs next to nothing; before,
`sys.settrace` tells of steps from line to line, and a function that has brought nothing new for a
while is looked at now and then only.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

_HOME: Final = str(Path(__file__).resolve().parent.parent.parent / "stack") + "/"
_TIRED: Final = 200
"""Calls of one function without anything new, after which it is sampled."""
_SAMPLE: Final = 64

Edge = tuple[int, int, int]
"""A function, and the lines from which and to which it went."""


class Coverage:
    """Edges seen so far, and those of the run that is on."""

    def __init__(self) -> None:
        self.seen: set[Edge] = set()
        self.fresh: set[Edge] = set()

    def begin(self) -> None:
        """A run starts: watch it."""
        raise NotImplementedError

    def end(self) -> int:
        """It is over: how many edges nobody had seen before it."""
        raise NotImplementedError

    def _settle(self) -> int:
        count = len(self.fresh)
        self.seen |= self.fresh
        self.fresh = set()
        return count


class Tracing(Coverage):
    """By `sys.settrace`."""

    def __init__(self) -> None:
        super().__init__()
        self._tired: dict[CodeType, int] = {}
        self._ours: dict[CodeType, int] = {}

    def begin(self) -> None:
        sys.settrace(self._called)

    def end(self) -> int:
        sys.settrace(None)
        return self._settle()

    def _called(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        number = self._ours.get(code)
        if number is None:
            ours = code.co_filename.startswith(_HOME)
            number = self._ours[code] = len(self._ours) + 1 if ours else 0
        if not number:
            return None
        calls = self._tired.get(code, 0)
        self._tired[code] = calls + 1
        if calls > _TIRED and calls % _SAMPLE:
            return None
        return _Walk(self, code, number, frame.f_lineno).line

    def rested(self, code: CodeType) -> None:
        """Something new was found in it."""
        self._tired[code] = 0


class _Walk:
    """One call of a function."""

    __slots__ = ("_at", "_code", "_coverage", "_number")

    def __init__(self, coverage: Tracing, code: CodeType, number: int, at: int) -> None:
        self._coverage = coverage
        self._code = code
        self._number = number
        self._at = at

    def line(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            edge = (self._number, self._at, frame.f_lineno)
            self._at = frame.f_lineno
            coverage = self._coverage
            if edge not in coverage.seen and edge not in coverage.fresh:
                coverage.fresh.add(edge)
                coverage.rested(self._code)
        return self.line


class Monitoring(Coverage):
    """By `sys.monitoring`: lines only, each told of once."""

    def __init__(self) -> None:
        super().__init__()
        self._monitor: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
        self._tool = self._monitor.COVERAGE_ID
        self._numbers: dict[CodeType, int] = {}
        self._monitor.use_tool_id(self._tool, "wskstack fuzz")
        self._monitor.register_callback(self._tool, self._monitor.events.LINE, self._line)

    def begin(self) -> None:
        self._monitor.set_events(self._tool, self._monitor.events.LINE)

    def end(self) -> int:
        self._monitor.set_events(self._tool, 0)
        return self._settle()

    def _line(self, code: CodeType, line: int) -> Any:
        if code.co_filename.startswith(_HOME):
            number = self._numbers.setdefault(code, len(self._numbers) + 1)
            self.fresh.add((number, line, line))
        return self._monitor.DISABLE


class Blind(Coverage):
    """Sees nothing, and costs nothing."""

    def begin(self) -> None:
        return

    def end(self) -> int:
        return 0


def best() -> Coverage:
    """What this Python has."""
    return Monitoring() if hasattr(sys, "monitoring") else Tracing()
