# SPDX-License-Identifier: MIT
"""The search: programs from the corpus, changed, run, kept if they reach something new.

Everything follows from one seed.  What breaks a rule is made as short as it can be and still break
the same one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from tools.fuzzing import mutate
from tools.fuzzing.coverage import Coverage
from tools.fuzzing.mutate import Chance
from tools.fuzzing.program import DATA, Program, Step
from tools.fuzzing.seeds import CONVERSATIONS
from tools.fuzzing.subject import STACKS, Feature, Subject, try_out

_TRIES: Final = 2000
"""Runs that one minimisation may take."""
_WATCHED: Final = 16
"""One run of so many is watched by its edges; others only if their counters show something new."""
_POOL: Final = 3000
"""Programs kept in memory."""


@dataclass(slots=True)
class Found:
    """What went wrong, and the shortest program that was found to show it."""

    trouble: str
    program: Program

    @property
    def kind(self) -> str:
        """The same for the same trouble."""
        return kind(self.trouble)


@dataclass(slots=True)
class Hunt:
    """Where a search stands."""

    seed: int
    coverage: Coverage
    pool: list[Program] = field(default_factory=list)
    found: dict[str, Found] = field(default_factory=dict)
    features: set[Feature] = field(default_factory=set)
    kept: list[tuple[int, Program]] = field(default_factory=list)
    runs: int = 0
    steps: int = 0

    def chance(self) -> Chance:
        """The source of all choices of this search."""
        random = Random(self.seed)
        return Chance(random.randrange, random.randbytes)

    def begin(self, corpus: Sequence[Program] = (), stacks: Sequence[str] = STACKS) -> None:
        """The conversations as they are, and what an earlier search has kept."""
        for program in [*beginnings(self.seed, stacks), *corpus]:
            self.attempt(program, keep=True)

    def go(self, chance: Chance, until: Callable[[], bool]) -> None:
        """Search until then."""
        while not until():
            # What was added last is the least explored: half of the time one of those.
            recent = max(len(self.pool) * 3 // 4, 0) if chance.often(50) else 0
            old = self.pool[recent + chance.below(len(self.pool) - recent)]
            others = [chance.pick(self.pool) for _ in range(3)]
            program = mutate.program(old, chance, others)
            self.attempt(program)

    def attempt(self, program: Program, keep: bool = False) -> str:
        """Run it, note what it found."""
        self.runs += 1
        self.steps += len(program.steps)
        subject = Subject(program.stack, program.seed)
        watched = keep or self.runs % _WATCHED == 0
        if watched:
            self.coverage.begin()
        try:
            trouble = subject.run(program)
        finally:
            gained = self.coverage.end() if watched else 0
        if trouble:
            if kind(trouble) not in self.found:
                self.found[kind(trouble)] = Found(trouble, program)
            if not keep:
                return trouble
        fresh = subject.features() - self.features
        if fresh:
            self.features |= fresh
            if not watched:
                gained = self._watch(program)
        if gained or fresh or keep:
            self.pool.append(program)
            self.kept.append((gained, program))
            if len(self.pool) > _POOL:
                del self.pool[len(self.pool) // 4]
        return trouble

    def _watch(self, program: Program) -> int:
        """Run it once more, looking at the edges it takes."""
        self.coverage.begin()
        try:
            try_out(program)
        finally:
            gained = self.coverage.end()
        return gained


def beginnings(seed: int, stacks: Sequence[str] = STACKS) -> list[Program]:
    """Every conversation with every stack."""
    return [
        Program(stack, seed, tuple(conversation()))
        for stack in stacks
        for conversation in CONVERSATIONS.values()
    ]


def kind(trouble: str) -> str:
    """What two reports of one trouble have in common."""
    first = trouble.partition("\n")[0]
    return first.partition(": ")[0] if " in " in first.partition(": ")[0] else first


def deadline(seconds: float) -> Callable[[], bool]:
    """True once so many seconds have passed."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def minimised(program: Program, shows: Callable[[Program], bool]) -> Program:
    """A shorter program of which `shows` still says so: fewer steps, then fewer octets."""
    budget = [_TRIES]

    def still(candidate: Program) -> bool:
        budget[0] -= 1
        return budget[0] >= 0 and shows(candidate)

    steps = _fewer(list(program.steps), lambda rest: still(program.having(rest)))
    for at, step in enumerate(steps):
        if step.kind in DATA:
            steps[at] = _shorter(steps, at, step, lambda rest: still(program.having(rest)))
    return program.having(steps)


def _fewer(steps: list[Step], still: Callable[[list[Step]], bool]) -> list[Step]:
    """Take halves out, then quarters, down to single steps."""
    size = max(len(steps) // 2, 1)
    while True:
        at, progress = 0, False
        while at < len(steps):
            rest = steps[:at] + steps[at + size :]
            if still(rest):
                steps, progress = rest, True
            else:
                at += size
        if size == 1 and not progress:
            return steps
        size = max(size // 2, 1)


def _shorter(steps: list[Step], at: int, step: Step, still: Callable[[list[Step]], bool]) -> Step:
    """Cut the end of a frame off, as much as can be: halves, quarters, down to octets."""
    data = step.data
    cut = max(len(data) // 2, 1)
    while data:
        one = step._replace(data=data[: -min(cut, len(data))])
        if still([*steps[:at], one, *steps[at + 1 :]]):
            data = one.data
        elif cut == 1:
            break
        else:
            cut //= 2
    return step._replace(data=data)
