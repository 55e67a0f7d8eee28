# SPDX-License-Identifier: MIT
"""A system call on its way: started, perhaps waiting, and at last compared with the script."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tools.drill.constants import canonical, explain
from tools.drill.outcome import CallError, Failure, Unsupported
from tools.drill.script import IGNORED, Name, SystemCall
from tools.drill.sockets import Waiting


class Pending:
    """One call."""

    def __init__(self, call: SystemCall, now: int) -> None:
        self.call = call
        self.began = self.ended = self.expected = now
        self.done = False
        self._result = 0
        self._errno: str | None = None
        self._trouble: Exception | None = None
        self._waiting: Waiting | None = None
        self._until: Callable[[], bool] = lambda: True

    def start(self, function: Callable[[list[Any]], int | Waiting]) -> None:
        """Make the call; it is done at once, or waits."""
        try:
            answer = function(self.call.arguments)
            if isinstance(answer, int):
                self._finish(answer, None, self.began)
                return
            self._waiting = answer
        except CallError as error:
            self._finish(-1, str(error), self.began)
        except IndexError:
            raise Failure(f"{self.call.name}: too few arguments") from None
        self.poll(self.began)

    def poll(self, now: int) -> None:
        """Go on if what it waits for has come."""
        while not self.done and self._waiting is not None and self._until():
            try:
                self._until = next(self._waiting)
            except StopIteration as end:
                self._finish(end.value, None, now)
            except CallError as error:
                self._finish(-1, str(error), now)
            except (Failure, Unsupported) as error:
                self._trouble = error
                self._finish(-1, None, now)

    def _finish(self, result: int, errno: str | None, now: int) -> None:
        self.done = True
        self.ended = now
        self._result = result
        self._errno = errno

    def check(self) -> None:
        """Is it what the script says?"""
        call = self.call
        if self._trouble is not None:
            raise self._trouble
        if not self.done:
            raise Failure(f"runtime error in {call.name} call: it does not return")
        if isinstance(call.result, Name):
            raise Unsupported(f"result {call.result.text}")
        came = f"{self._result}" if self._errno is None else f"-1 with {explain(self._errno)}"
        if call.errno is not None:
            if self._errno is None or canonical(self._errno) != canonical(call.errno):
                raise Failure(
                    f"runtime error in {call.name} call: "
                    f"expected -1 with {explain(call.errno)} but got {came}"
                )
        elif call.result is not IGNORED and (call.result != self._result):
            raise Failure(
                f"runtime error in {call.name} call: expected {call.result} but got {came}"
            )
