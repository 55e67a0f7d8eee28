# SPDX-License-Identifier: MIT
"""Helpers of a benchmark: modules of this package as processes of their own, so that they do not
share the stack's interpreter lock.  They end when their input closes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

_ROOT: Final = Path(__file__).resolve().parent.parent.parent


def helper(module: str, *arguments: object, stdin: int | None = subprocess.PIPE) -> Any:
    """A running `tools.measure` module."""
    words = [sys.executable, "-m", f"tools.measure.{module}", *map(str, arguments)]
    return subprocess.Popen(
        words,
        stdin=stdin,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )


def result(module: str, *arguments: object) -> Any:
    """What a module that asks for nothing has measured."""
    return json.loads(helper(module, *arguments, stdin=None).communicate()[0])


@contextmanager
def serving(module: str, *arguments: object) -> Iterator[None]:
    """A module that says "ready" and serves, while the block runs."""
    process = helper(module, *arguments)
    try:
        if process.stdout.readline() != "ready\n":
            raise SystemExit("tools/bench: the kernel's side did not come up")
        yield
    finally:
        _end(process)


@contextmanager
def asking(module: str, *arguments: object) -> Iterator[Callable[[dict[str, Any]], Any]]:
    """A function that asks a module one question; an answer with "error" ends the program."""
    process = helper(module, *arguments)

    def ask(question: dict[str, Any]) -> Any:
        process.stdin.write(json.dumps(question) + "\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline() or f'{{"error": "{module} ended"}}')
        if "error" in answer:
            raise SystemExit(f"tools/bench: {question}: {answer['error']}")
        return answer

    try:
        yield ask
    finally:
        _end(process)


def _end(process: Any) -> None:
    process.stdin.close()
    process.wait(timeout=10)
    process.stdout.close()
