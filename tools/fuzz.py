# SPDX-License-Identifier: MIT
"""`tools/fuzz`: a stack in virtual time, and frames that nobody should send it.

tools/fuzz                        a minute from seed 1
tools/fuzz --seconds 600 --seed 7
tools/fuzz --stack probing --stack offload     only these configurations
tools/fuzz --replay FILE ...      what a file of the corpus, or a finding, does
tools/fuzz --minimise FILE        a shorter program that shows the same trouble
tools/fuzz --keep                 add what reached something new to the corpus
tools/fuzz --engine atheris       led by libFuzzer (pip install atheris)

Exit status 1 if a rule was broken; each finding is minimised and written to a file whose path is
printed, and which `--replay` takes.  The rules are in tools/fuzzing/rules.py.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from pathlib import Path
from typing import Final

from stack.base import fate
from tools.fuzzing.coverage import Blind, best
from tools.fuzzing.hunt import Found, Hunt, deadline, kind, minimised
from tools.fuzzing.program import Program, load
from tools.fuzzing.subject import STACKS, Subject, try_out

CORPUS: Final = Path(__file__).resolve().parent.parent / "tests" / "fuzz" / "corpus"
_BUDGET: Final = 180_000
"""Octets that the corpus may have altogether."""
_LONGEST: Final = 6_000
"""Octets of one program that is kept."""


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        if options.replay:
            return max([replay(path) for path in options.replay])
        if options.minimise:
            return minimise(options.minimise)
    except (OSError, ValueError) as error:
        print(f"tools/fuzz: {error}", file=sys.stderr)
        return 2
    if options.engine == "atheris":
        return atheris(options)
    return search(options)


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    text = argparse.ArgumentParser(
        prog="tools/fuzz", description="Frames that nobody should send, to a stack in virtual time."
    )
    text.add_argument("--seconds", type=float, default=60, help="how long (default 60)")
    text.add_argument("--runs", type=int, default=0, help="stop after so many runs instead")
    text.add_argument("--seed", type=int, default=1, help="of everything (default 1)")
    text.add_argument(
        "--stack", action="append", choices=STACKS, default=[], help="only this configuration"
    )
    text.add_argument("--corpus", type=Path, default=CORPUS, metavar="DIRECTORY")
    text.add_argument("--keep", action="store_true", help="add what is new to the corpus")
    text.add_argument("--no-guidance", action="store_true", help="do not look at coverage")
    text.add_argument("--engine", choices=("own", "atheris"), default="own")
    text.add_argument("--replay", type=Path, nargs="+", metavar="FILE", help="run these, and stop")
    text.add_argument("--minimise", type=Path, metavar="FILE", help="make this one shorter")
    return text


def corpus(place: Path) -> list[Program]:
    """Every program in a directory."""
    return [load(path) for path in sorted(place.glob("*.txt"))]


def search(options: argparse.Namespace) -> int:
    """Look for trouble; say what was found."""
    hunt = Hunt(options.seed, Blind() if options.no_guidance else best())
    stacks = tuple(options.stack) or STACKS
    known = [one for one in corpus(options.corpus) if one.stack in stacks]
    began = time.monotonic()
    hunt.begin(known, stacks)
    before = len(hunt.kept)
    print(f"{hunt.runs} programs to begin with, {len(hunt.coverage.seen)} edges", flush=True)
    if options.runs:
        hunt.go(hunt.chance(), lambda: hunt.runs >= options.runs)
    else:
        hunt.go(hunt.chance(), deadline(options.seconds))
    took = time.monotonic() - began
    print(
        f"seed {options.seed}: {hunt.runs} runs, {hunt.steps} steps in {took:.0f} s; "
        f"{len(hunt.coverage.seen)} edges, {len(hunt.features)} counters at some size, "
        f"{_reasons(hunt)} of {len(fate.NAMES) - 1} drop reasons"
    )
    if options.keep:
        keep(hunt.kept[before:], options.corpus)
    for found in hunt.found.values():
        report(found, options.corpus)
    print("no rule was broken" if not hunt.found else f"{len(hunt.found)} rules were broken")
    return min(len(hunt.found), 1)


def _reasons(hunt: Hunt) -> int:
    return len({counter for block, counter, _ in hunt.features if block == "drops"})


def report(found: Found, place: Path) -> None:
    """Minimise a finding, write it, say where."""
    shorter = minimised(found.program, lambda one: kind(try_out(one)) == found.kind)
    trouble = try_out(shorter)
    path = write(shorter, place, "found", found.kind)
    print(f"\n{trouble}\n{len(shorter.steps)} steps: tools/fuzz --replay {path}", flush=True)


def write(program: Program, place: Path, prefix: str, *remarks: str) -> Path:
    """A program's file, named after what is in it."""
    text = program.text(*remarks)
    digest = hashlib.sha256(program.text().encode()).hexdigest()[:10]
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"{prefix}-{digest}.txt"
    path.write_text(text)
    return path


def keep(found: list[tuple[int, Program]], place: Path) -> None:
    """What reached the most new edges, as long as there is room."""
    size = sum(path.stat().st_size for path in place.glob("*.txt")) if place.is_dir() else 0
    count = 0
    for gained, program in sorted(found, key=lambda one: -one[0]):
        length = len(program.text())
        if gained and length <= _LONGEST and size + length <= _BUDGET:
            write(program, place, "seed")
            size += length
            count += 1
    print(f"{count} programs added to {place}, which has {size} octets")


def replay(path: Path) -> int:
    """Run one file; print what went wrong, or what became of its frames."""
    program = load(path)
    subject = Subject(program.stack, program.seed)
    trouble = subject.run(program)
    if trouble:
        print(f"{path}: {trouble}")
        return 1
    drops = ", ".join(f"{name} {n}" for name, n in subject.stack.door.snapshot().items())
    print(f"{path}: no rule was broken; dropped: {drops or 'nothing'}")
    return 0


def minimise(path: Path) -> int:
    """Print a shorter program."""
    program = load(path)
    trouble = kind(try_out(program))
    if not trouble:
        print(f"tools/fuzz: {path} breaks no rule", file=sys.stderr)
        return 2
    print(minimised(program, lambda one: kind(try_out(one)) == trouble).text(trouble), end="")
    return 1


def atheris(options: argparse.Namespace) -> int:
    """The same programs, chosen by libFuzzer."""
    try:
        from tools.fuzzing import libfuzzer
    except ImportError as error:
        print(f"tools/fuzz: {error}; pip install atheris, or leave --engine out", file=sys.stderr)
        return 2
    return libfuzzer.run(
        options.seconds, options.seed, tuple(options.stack) or STACKS, report, options.corpus
    )


if __name__ == "__main__":
    sys.exit(main())
