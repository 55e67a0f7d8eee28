# SPDX-License-Identifier: MIT
"""What one run of the fuzzer is: a configuration, a seed and steps, kept as text.

    # what it is good for
    stack plain
    seed 7
    frame 0 ffffffffffff020000000002 0806 ...     octets to interface 0, blanks where one likes
    segment 0 ...     the same, but its TCP acknowledgement counts from the stack's SND.NXT
    quote 0 ...       an ICMP error about the packet that the stack sent last
    answer 0 ...      UDP data in answer to the datagram that the stack sent last
    wait 1000000000   ns
    call connect4     something that a program above the stack does

Frames that depend on what the stack chose (sequence numbers, ports, identifiers) are relative, so
that a program means the same when the stack draws its random numbers in another order.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

FRAME: Final = "frame"
SEGMENT: Final = "segment"
QUOTE: Final = "quote"
ANSWER: Final = "answer"
WAIT: Final = "wait"
CALL: Final = "call"
DATA: Final = (FRAME, SEGMENT, QUOTE, ANSWER)


class Step(NamedTuple):
    """One step.  `nic` and `data` of frames; `nic` is the time of a wait, `data` a call's name."""

    kind: str
    nic: int
    data: bytes

    def text(self) -> str:
        if self.kind == WAIT:
            return f"{WAIT} {self.nic}"
        if self.kind == CALL:
            return f"{CALL} {self.data.decode()}"
        return f"{self.kind} {self.nic} {self.data.hex()}"


class Program(NamedTuple):
    """A configuration's name, the seed of the stack's randomness, and steps."""

    stack: str
    seed: int
    steps: tuple[Step, ...]

    def text(self, *remarks: str) -> str:
        """What `parse` reads."""
        lines = [*(f"# {remark}" for remark in remarks), f"stack {self.stack}", f"seed {self.seed}"]
        return "\n".join([*lines, *(step.text() for step in self.steps)]) + "\n"

    def having(self, steps: Iterable[Step]) -> Program:
        """The same with other steps."""
        return Program(self.stack, self.seed, tuple(steps))


def wait(ns: int) -> Step:
    return Step(WAIT, ns, b"")


def call(name: str) -> Step:
    return Step(CALL, 0, name.encode())


def parse(text: str) -> Program:
    """A program from its text.  ValueError if it is none."""
    program = Program("plain", 0, ())
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if words and not words[0].startswith("#"):
            try:
                program = _more(program, words[0], words[1:])
            except (IndexError, ValueError) as error:
                raise ValueError(f"line {number}: {error}") from None
    return program


def _more(program: Program, kind: str, rest: list[str]) -> Program:
    """The program with what one line adds to it."""
    if kind == "stack":
        return program._replace(stack=rest[0])
    if kind == "seed":
        return program._replace(seed=int(rest[0]))
    if kind == WAIT:
        step = wait(int(rest[0]))
    elif kind == CALL:
        step = call(rest[0])
    elif kind in DATA:
        step = Step(kind, int(rest[0]), bytes.fromhex("".join(rest[1:])))
    else:
        raise ValueError(f"no step is called {kind}")
    return program.having([*program.steps, step])


def load(path: Path) -> Program:
    """The program in a file."""
    return parse(path.read_text())
