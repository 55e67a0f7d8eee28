# SPDX-License-Identifier: MIT
"""The search led by libFuzzer through atheris, which is optional: `tools/fuzz --engine atheris`.

libFuzzer's octets are the choices from which `mutate` makes programs, so that it changes programs
as structured as those of our own search; its coverage is that of the instrumented stack.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from tools.fuzzing import mutate
from tools.fuzzing.hunt import Found, beginnings, kind
from tools.fuzzing.mutate import Chance
from tools.fuzzing.subject import try_out

atheris: Any = importlib.import_module("atheris")

_ROUNDS: Final = 4


class Drawn(Chance):
    """Choices from libFuzzer's octets; zeros when they are used up."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        super().__init__(self._below, self._octets)

    def _octets(self, count: int) -> bytes:
        part = self._data[self._at : self._at + count]
        self._at += count
        return part + bytes(count - len(part))

    def _below(self, limit: int) -> int:
        size = (limit.bit_length() + 7) // 8 or 1
        return int.from_bytes(self._octets(size), "big") % limit


def run(
    seconds: float,
    seed: int,
    stacks: Sequence[str],
    report: Callable[[Found, Path], None],
    place: Path,
) -> int:
    """Search for so long.  Does not return when libFuzzer ends by itself, with status 0."""
    begin = beginnings(seed, stacks)
    found: set[str] = set()

    def one(data: bytes) -> None:
        chance = Drawn(data)
        program = chance.pick(begin)
        for _ in range(_ROUNDS):
            others = [chance.pick(begin) for _ in range(2)]
            program = mutate.program(program, chance, others)
        trouble = try_out(program)
        if trouble and kind(trouble) not in found:
            found.add(kind(trouble))
            report(Found(trouble, program), place)
            raise RuntimeError(kind(trouble))

    for name in [name for name in sys.modules if name.split(".")[0] == "stack"]:
        _instrument(sys.modules[name])
    words = [sys.argv[0], f"-seed={seed}", f"-max_total_time={int(seconds)}", "-max_len=4096"]
    atheris.Setup(words, one)
    atheris.Fuzz()
    return 0


def _instrument(module: Any) -> None:
    """Every function and method that a module of the stack defines."""
    for name, thing in list(vars(module).items()):
        if getattr(thing, "__module__", "") != module.__name__:
            continue
        if isinstance(thing, type):
            for method, body in list(vars(thing).items()):
                if callable(body) and hasattr(body, "__code__"):
                    setattr(thing, method, atheris.instrument_func(body))
        elif hasattr(thing, "__code__"):
            setattr(module, name, atheris.instrument_func(thing))
