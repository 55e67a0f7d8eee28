# SPDX-License-Identifier: MIT
"""What the fuzzer begins with and what it has kept breaks no rule: minutes of search, replayed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.fuzz import corpus
from tools.fuzzing.hunt import beginnings
from tools.fuzzing.program import Program, load, parse
from tools.fuzzing.subject import STACKS, try_out

CORPUS = Path(__file__).parent / "corpus"
FILES = sorted(CORPUS.glob("*.txt"))


@pytest.mark.parametrize("stack", STACKS)
def test_every_conversation_with_every_stack(stack: str) -> None:
    for program in beginnings(1, (stack,)):
        assert not try_out(program), program.text()


@pytest.mark.parametrize("part", range(4))
def test_the_corpus(part: int) -> None:
    mine = FILES[part::4]
    assert mine
    for path in mine:
        assert not try_out(load(path)), f"tools/fuzz --replay {path}"


def test_the_corpus_is_small_and_can_be_read() -> None:
    assert sum(path.stat().st_size for path in FILES) < 200_000
    programs = corpus(CORPUS)
    assert len(programs) == len(FILES)
    for program in programs:
        assert program.stack in STACKS
        assert parse(program.text()) == program


def test_a_run_repeats() -> None:
    """The same program, the same frames: findings can be replayed."""
    from tools.fuzzing.subject import Subject

    def shot(program: Program) -> tuple[int, int, dict[str, dict[str, int]]]:
        subject = Subject(program.stack, program.seed)
        assert not subject.run(program)
        return subject.octets_in, subject.octets_out, subject.stack.snapshot()

    for program in beginnings(5, ("probing", "features")):
        assert shot(program) == shot(program)
