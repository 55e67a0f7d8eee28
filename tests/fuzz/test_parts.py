# SPDX-License-Identifier: MIT
"""The fuzzer's own parts: programs as text, frames put right, mutation, minimising, coverage."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from stack.base import addr
from stack.wire import ext6
from tools import fuzz
from tools.fuzzing import mutate
from tools.fuzzing.coverage import Blind, Coverage, Tracing, best
from tools.fuzzing.frames import datagram, fragments, ip, message, segment
from tools.fuzzing.hunt import Hunt, kind, minimised
from tools.fuzzing.layout import Layout, repaired
from tools.fuzzing.mutate import Chance
from tools.fuzzing.program import FRAME, Program, Step, call, parse, wait
from tools.fuzzing.seeds import CONVERSATIONS
from tools.fuzzing.subject import try_out


def chance(seed: int = 1) -> Chance:
    random = Random(seed)
    return Chance(random.randrange, random.randbytes)


def of(version: int) -> int:
    return 4 if version == addr.V4 else 6


# Programs.

steps = st.one_of(
    st.builds(wait, st.integers(0, 10**12)),
    st.sampled_from(mutate.CALLS).map(call),
    st.builds(
        Step,
        st.sampled_from(("frame", "segment", "quote", "answer")),
        st.integers(0, 3),
        st.binary(max_size=100),
    ),
)


@given(st.lists(steps, max_size=20), st.integers(0, 2**31))
def test_a_program_is_its_text(some: list[Step], seed: int) -> None:
    program = Program("probing", seed, tuple(some))
    assert parse(program.text("a remark", "another")) == program


@pytest.mark.parametrize("text", ["frame x 00", "frame 0 0", "wait", "jump 3", "seed one", "stack"])
def test_text_that_is_no_program(text: str) -> None:
    with pytest.raises(ValueError, match="line 2"):
        parse(f"# first\n{text}\n")


# Frames.


def test_what_is_built_is_right(family: int) -> None:
    """Scapy finds nothing to correct."""
    version = of(family)
    for frame in (
        datagram(version, 1000, 7, b"odd"),
        message(version, 8 if version == 4 else 128, 0, 1, b"data"),
        segment(version, 2, 100, options=bytes((2, 4, 5, 180))).data,
        ip(version, 253, b"data"),
    ):
        packet = Ether(frame)
        for layer in (IP, IPv6, UDP, TCP):
            if layer in packet:
                for field in ("len", "plen", "chksum"):
                    if field in packet[layer].fields:
                        delattr(packet[layer], field)
        assert bytes(packet) == frame


def test_headers_between() -> None:
    frame = ip(6, ext6.DESTINATION, b"12345678", extra=bytes((17, 0, 1, 4, 0, 0, 0, 0)))
    found = Layout(frame)
    assert (found.version, found.proto, found.l4) == (6, 17, 62)
    options = ip(4, 17, b"12345678", extra=bytes((7, 7, 4, 0, 0, 0, 0, 0)))
    found = Layout(options)
    assert (found.version, found.proto, found.l4) == (4, 17, 42)
    places = [(field.at, field.name) for field in found.fields if 34 <= field.at < 42]
    assert places[:3] == [(34, "kind"), (35, "size"), (36, "option")]
    assert places[-1] == (41, "kind")  # the end of options


def test_a_fragment_has_no_checksum_to_put_right(family: int) -> None:
    for piece in fragments(of(family), bytes(100), 40):
        assert repaired(piece) == piece


@given(st.binary(max_size=120), st.booleans(), st.sampled_from([b"\x08\0", b"\x86\xdd", b"\x08\6"]))
def test_any_octets_can_be_put_right_and_stay_so(data: bytes, lengths: bool, kind: bytes) -> None:
    frame = bytes(12) + kind + data
    right = repaired(frame, lengths)
    assert len(right) == len(frame)
    assert repaired(right, lengths) == right
    for field in Layout(frame).fields:
        assert field.at >= 0
        assert field.at + field.size <= len(frame)


def test_a_flow_is_answered_as_it_was_chosen() -> None:
    """Programs do not depend on the random numbers of the stack."""
    connection = CONVERSATIONS["connection4"]()
    for seed in (1, 2, 3):
        program = Program("plain", seed, tuple(connection))
        from tools.fuzzing.subject import Subject

        subject = Subject("plain", seed)
        assert not subject.run(program)
        assert (4, 7) in subject.watch.arrows  # ESTABLISHED to CLOSE-WAIT


# Mutation.


@given(st.integers(0, 2**32), st.sampled_from(sorted(CONVERSATIONS)))
def test_mutants_are_bounded_and_come_from_the_seed(seed: int, name: str) -> None:
    old = Program("plain", 1, tuple(CONVERSATIONS[name]()))
    new = mutate.program(old, chance(seed), [old])
    assert new == mutate.program(old, chance(seed), [old])
    assert len(new.steps) <= mutate.MOST_STEPS
    assert parse(new.text()) == new
    for step in new.steps:
        assert len(step.data) <= mutate.MOST_OCTETS


def test_mutants_differ() -> None:
    old = Program("plain", 1, tuple(CONVERSATIONS["echo"]()))
    new = {mutate.program(old, chance(seed), [old]) for seed in range(50)}
    assert len(new) > 40


# Search.


def shows(program: Program) -> bool:
    """Two frames, of which the first begins with an octet of one: a bug to be made small."""
    frames = [step.data for step in program.steps if step.kind == FRAME]
    return len(frames) >= 2 and frames[0][:1] == b"\1"


def test_minimising() -> None:
    some = [Step(FRAME, 0, bytes((at % 3,)) * 100) for at in range(40)]
    program = Program("plain", 1, (wait(1), *some[1:], call("join")))
    shorter = minimised(program, shows)
    assert shows(shorter)
    assert [step.data for step in shorter.steps] == [b"\1", b""]


def test_one_trouble_is_one_kind() -> None:
    one = "KeyError in ip/v4.py:read: b'1'\nTraceback"
    other = "KeyError in ip/v4.py:read: b'2'\nelsewhere"
    assert kind(one) == kind(other) == "KeyError in ip/v4.py:read"
    assert kind("too much leaves\n5 octets for 1") == "too much leaves"
    assert kind("dropped more than once: a, b") != kind("dropped more than once: a, c")


def drive(coverage: Coverage, do: Callable[[], object]) -> int:
    coverage.begin()
    try:
        do()
    finally:
        gained = coverage.end()
    return gained


@pytest.mark.parametrize("make", [Tracing, best])
def test_coverage_tells_what_is_new(make: Callable[[], Coverage]) -> None:
    """Of the stack, and of nothing else."""
    if sys.gettrace() is not None:
        pytest.skip("somebody traces already")
    coverage = make()
    plain = Program("plain", 1, ())
    pings = Program("plain", 1, tuple(CONVERSATIONS["echo"]()))
    assert drive(coverage, lambda: try_out(plain)) > 100
    assert drive(coverage, lambda: try_out(plain)) == 0
    assert drive(coverage, lambda: try_out(pings)) > 10
    assert drive(coverage, lambda: parse("wait 1")) == 0


def test_a_search_repeats() -> None:
    def search() -> tuple[list[Program], int]:
        hunt = Hunt(3, Blind())
        hunt.begin(stacks=("plain",))
        hunt.go(hunt.chance(), lambda: hunt.runs >= 60)
        return hunt.pool, hunt.steps

    assert search() == search()


# The command.


def test_the_command_searches_and_replays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(tmp_path / "corpus")
    status = fuzz.main(
        ["--runs", "40", "--seed", "5", "--stack", "bare", "--corpus", place, "--no-guidance"]
    )
    assert status == 0
    assert "seed 5: 40 runs" in capsys.readouterr().out
    path = tmp_path / "one.txt"
    path.write_text(Program("plain", 1, tuple(CONVERSATIONS["headers"]())).text())
    assert fuzz.main(["--replay", str(path)]) == 0
    assert "ip_source_route 1" in capsys.readouterr().out
    assert fuzz.main(["--minimise", str(path)]) == 2  # it breaks no rule
    assert fuzz.main(["--replay", str(tmp_path / "none.txt")]) == 2


def test_findings_are_written_where_replay_finds_them(tmp_path: Path) -> None:
    program = Program("two", 9, (wait(5), call("ping4")))
    path = fuzz.write(program, tmp_path / "new", "found", "what it is")
    assert path.read_text().startswith("# what it is\nstack two\n")
    assert fuzz.corpus(tmp_path / "new") == [program]
    assert path == fuzz.write(program, tmp_path / "new", "found", "said otherwise")


def test_only_so_much_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = Program("plain", 1, (wait(5),))
    large = Program("plain", 1, (Step(FRAME, 0, bytes(3000)), Step(FRAME, 0, bytes(3000))))
    fuzz.keep([(3, small), (9, large), (0, Program("two", 1, ()))], tmp_path)
    assert fuzz.corpus(tmp_path) == [small]
    assert "1 programs added" in capsys.readouterr().out
