# SPDX-License-Identifier: MIT
"""The load generator: C, compiled on the spot; or Python processes where there is no compiler.

Both understand the same words (load/load.c, `generator`) and print one JSON object.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

_ROOT: Final = Path(__file__).resolve().parent.parent.parent
_SOURCES: Final = Path(__file__).resolve().parent / "load"
HOT: Final = 1_048_573
COLD: Final = 33_554_393
"""Octets after which bulk data repeats: primes, so that no frame's size divides them.  The first
stays in a processor's own cache, as what a benchmark sends over and over does; the second does not
fit there, nor into the share of the last cache that one core can count on: data from memory."""
_PATIENCE: Final = 30.0

Answer = dict[str, Any]


class Trouble(Exception):
    """A measurement did not come about; the text says why."""


def write_pattern(place: Path) -> Path:
    """The octets that bulk data repeats: random, and the same in every run."""
    path = place / "pattern"
    path.write_bytes(random.Random(1).randbytes(COLD))
    return path


class Loader:
    """Runs the generator's verbs in a namespace."""

    def __init__(self, place: Path, cores: tuple[int, ...] = (), compiler: bool = True) -> None:
        """`place` is a directory for the program; `cores` where it may run, empty for all."""
        self.pattern = write_pattern(place)
        self._cores = cores
        program = compiled(place) if compiler else None
        self.kind = "C, compiled here" if program else "Python, for want of a C compiler"
        self.in_c = program is not None
        self._words = [str(program)] if program else [sys.executable, "-m", _FALLBACK]

    def start(self, pid: int, verb: str, **arguments: Any) -> subprocess.Popen[str]:
        """A running verb in the namespaces of `pid`; 0 for the present ones."""
        words = [*self._words, str(pid), verb, f"pattern={self.pattern}"]
        words += [f"{name}={value}" for name, value in arguments.items()]
        process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
        )
        if self._cores:
            os.sched_setaffinity(process.pid, self._cores)
        return process

    def serve_words(self, congestion: str) -> list[str]:
        """The command of the kernel's services, to be run where they are to be."""
        if not self.in_c:
            words = [sys.executable, "-m", "tools.measure.baseline"]
            return [*words, "0", congestion, str(self.pattern)]
        return [*self._words, "0", "serve", f"pattern={self.pattern}", f"cc={congestion}"]

    def run(self, pid: int, verb: str, **arguments: Any) -> Answer:
        """A verb's answer.  Raises Trouble."""
        process = self.start(pid, verb, **arguments)
        patience = _PATIENCE + float(arguments.get("seconds", 0))
        try:
            out, _ = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise Trouble(f"{verb}: no end after {patience:.0f} s") from None
        try:
            answer: Answer = json.loads(out)
        except ValueError:
            raise Trouble(f"{verb}: the generator ended with {process.returncode}") from None
        if "error" in answer:
            raise Trouble(f"{verb}: {answer['error']}")
        if answer.get("wrong"):
            raise Trouble(f"{verb}: {answer['wrong']} pieces of data were not what was sent")
        if not answer.get("count", 1):
            raise Trouble(f"{verb}: nothing came back")
        return answer


_FALLBACK: Final = "tools.measure.generator"


def compiled(place: Path) -> Path | None:
    """The C program, if there is a compiler that makes one."""
    for name in (os.environ.get("CC", ""), "cc", "gcc", "clang"):
        compiler = shutil.which(name) if name else None
        if compiler is None:
            continue
        program = place / "load"
        sources = sorted(str(path) for path in _SOURCES.glob("*.c"))
        words = [compiler, "-O2", "-o", str(program), *sources]
        if subprocess.run(words, capture_output=True, check=False).returncode == 0:
            return program
    return None
