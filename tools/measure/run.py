# SPDX-License-Identifier: MIT
"""One run of `tools/bench`: bring the subjects up, measure in rounds, verify, take down.

The result is a record, a JSON object; `report`, `plots` and `page` make of it what people read.
"""

from __future__ import annotations

import datetime
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stack.base.units import MS
from tools.measure import congestion, plan, report
from tools.measure.loader import Answer, Loader, Trouble
from tools.measure.peers import Peer, PeerSubject, found
from tools.measure.plan import Case
from tools.measure.subjects import (
    FixedSubject,
    Idle,
    KernelSubject,
    StackSubject,
    Subject,
)
from tools.measure.workloads import InMemory, Launcher, measure, verify

FORMAT: Final = 1
LOSS: Final = {
    "loss": 0.01,
    "delay": 20 * MS,
    "rate": 100_000_000,
    "queue": 500_000,
    "seed": 1,
}
BUSY: Final = 20 * MS
"""Longer than from one ping to the next."""

_AT_MOST: Final = 4
"""Times the rounds that were asked for."""

Figures = dict[str, dict[str, list[Any]]]
"""Answers by case and subject, one from each round."""
Progress = Callable[[str, str], None]
"""Told of every measurement: (case, subject)."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run is like.

    rounds    of everything
    seconds   per measurement
    patience  seconds for further rounds of what the first did not settle
    pin       the generator on one core, every subject on another
    only      a group, or a part of a case's key; empty for all
    compiler  for the generator, if there is one
    """

    rounds: int = 5
    seconds: float = 0.5
    patience: float = 0.0
    quick: bool = False
    pin: bool = False
    wire: str = ""
    peers: bool = True
    only: str = ""
    compiler: bool = True


class Bench:
    """The generator and the subjects that are up."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.subjects: dict[str, Subject] = {}
        self.missing: dict[str, str] = {}
        self.peers: list[Peer] = []
        self._stack = ExitStack()
        self.cores = cores(settings.pin)
        place = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="wskstack-")))
        self.loader = Loader(place, self.cores[0], settings.compiler)

    def up(self, wanted: set[str]) -> None:
        """Start what is wanted.  Who does not come up is missing, with the reason; without the
        first there is no run.  Raises Trouble."""
        first = self._add(self._our_stack(plan.STACK))
        makers: dict[str, Callable[[], Subject]] = {
            plan.PLAIN: lambda: self._our_stack(plan.PLAIN, offload=False),
            plan.BAD: lambda: self._our_stack(plan.BAD, offload=False, impair=LOSS),
            plan.BUSY: lambda: self._our_stack(plan.BUSY, busy=BUSY),
            plan.IDLE: lambda: Idle(plan.IDLE, first, self.loader, plan.IDLE_CONNECTIONS),
            plan.KERNEL: lambda: self._kernel(plan.KERNEL, first.near, 0, True),
            plan.KERNEL_PLAIN: lambda: self._kernel(plan.KERNEL_PLAIN, first.near, 1, False),
            plan.PYTHON: lambda: KernelSubject(
                plan.PYTHON, first.near, 2, True, self._python(), self.cores[1]
            ),
            plan.KERNEL_BAD: self._kernel_behind_loss,
            plan.FRESH: lambda: Launcher(self.loader, self.cores[1]),
            plan.MEMORY: lambda: InMemory(plan.MEMORY),
            plan.KERNEL_MEMORY: lambda: InMemory(plan.KERNEL_MEMORY),
        }
        for name, make in makers.items():
            if name not in wanted or name in self.missing:
                continue
            try:
                self._add(make())
            except Trouble as why:
                self.missing[name] = str(why)
        if self.settings.peers:
            self._start_peers()

    def down(self) -> None:
        """End everything."""
        self._stack.close()

    def _add(self, subject: Subject) -> Subject:
        self._stack.callback(subject.stop)
        self.subjects[subject.name] = subject
        return subject

    def _our_stack(self, name: str, **more: Any) -> StackSubject:
        wanted = {"pattern": str(self.loader.pattern), "wire": self.settings.wire, **more}
        return StackSubject(name, wanted, self.cores[1]).ready()

    def _python(self) -> list[str]:
        words = [sys.executable, "-m", "tools.measure.baseline"]
        return [*words, "0", "reno", str(self.loader.pattern)]

    def _kernel(self, name: str, near: int, number: int, offload: bool) -> Subject:
        words = self.loader.serve_words("reno")
        return KernelSubject(name, near, number, offload, words, self.cores[1])

    def _kernel_behind_loss(self) -> Subject:
        words = self.loader.serve_words("reno")
        return FixedSubject(plan.KERNEL_BAD, LOSS, words, self.cores[1])

    def _start_peers(self) -> None:
        for peer in found():
            why = peer.unavailable()
            if not why:
                try:
                    self._add(PeerSubject(peer, self.loader.pattern, self.cores[1]))
                    self.peers.append(peer)
                    continue
                except Trouble as trouble:
                    why = str(trouble)
            self.missing[peer.name] = why


def cores(pin: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(the generator's, the subjects'), empty for all.  Raises Trouble if there is only one."""
    if not pin:
        return (), ()
    have = sorted(os.sched_getaffinity(0))
    if len(have) < 2:
        raise Trouble("--pin needs two processors")
    return (have[0],), (have[1],)


def chosen(settings: Settings) -> tuple[list[Case], list[str]]:
    """The cases of a run, and sentences about what is left out."""
    have = congestion.kernel_congestion()
    senders = tuple(name for name in ("bbr", "reno") if name in have)
    said = []
    if "bbr" not in senders:
        said.append("no rows with a BBR sender: this kernel has no BBR (modprobe tcp_bbr)")
    cases = plan.cases(senders)
    if settings.quick:
        cases = [case for case in cases if case.quick]
    if settings.only:
        cases = [case for case in cases if settings.only in case.key or settings.only == case.group]
    return cases, said


def subjects_of(case: Case, peers: Sequence[Peer]) -> list[str]:
    """Those a case is measured on, peers too."""
    own = [peer.name for peer in peers if case.peers and case.verb in peer.verbs]
    return [*case.subjects, *own]


@contextmanager
def running(settings: Settings, wanted: set[str]) -> Iterator[Bench]:
    """A bench with its subjects up.  Raises Trouble."""
    bench = Bench(settings)
    try:
        bench.up(wanted)
        yield bench
    finally:
        bench.down()


def record(
    settings: Settings, total: Callable[[int], None] | None = None, told: Progress | None = None
) -> dict[str, Any]:
    """Measure everything.  Raises Trouble if there is no wire at all."""
    cases, said = chosen(settings)
    wanted = {name for case in cases for name in case.subjects}
    with running(settings, wanted) as bench:
        jobs = {case.key: _present(bench, case) for case in cases}
        checks = [
            (case, name)
            for case in cases
            for name in jobs[case.key]
            if case.bulk and _can_check(bench.subjects[name], case)
        ]
        tell = told or _silent
        figures: Figures = {case.key: {name: [] for name in jobs[case.key]} for case in cases}
        expected = len(checks) + sum(map(len, jobs.values())) * settings.rounds
        if total is not None:
            total(expected)
        verified = [_verified(bench, case, name, tell) for case, name in checks]
        for turn in range(settings.rounds):
            for case in cases:
                _round(bench, case, figures[case.key], turn, tell)
        for turn, case in _further(settings, cases, figures):
            expected += len(jobs[case.key])
            if total is not None:
                total(expected)
            _round(bench, case, figures[case.key], turn, tell)
        stack = bench.subjects[plan.STACK]
        assert isinstance(stack, StackSubject)
        return {
            **_about(settings, cases),
            "machine": machine() | {"wire": stack.line, "generator": bench.loader.kind},
            "said": said,
            "missing": bench.missing,
            "peers": {peer.name: peer.text for peer in bench.peers},
            "verified": verified,
            "cases": {key: found for key, found in figures.items() if found},
        }


def _round(
    bench: Bench, case: Case, figures: dict[str, list[Any]], turn: int, tell: Progress
) -> None:
    """Once more on every subject, in the other order the next time."""
    for name in figures if turn % 2 else reversed(figures):
        tell(case.text, name)
        figures[name].append(_answer(bench, case, name))


def _further(settings: Settings, cases: list[Case], figures: Figures) -> Iterator[tuple[int, Case]]:
    """What to measure again, for as long as there is time: of which the rounds do not agree."""
    until = time.monotonic() + settings.patience
    for turn in range(settings.rounds, settings.rounds * _AT_MOST):
        left = [case for case in cases if report.unsettled({"cases": figures}, case)]
        if not left:
            return
        for case in left:
            if time.monotonic() >= until:
                return
            yield turn, case


def _about(settings: Settings, cases: list[Case]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "when": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "settings": {
            "rounds": settings.rounds,
            "seconds": settings.seconds,
            "quick": settings.quick,
            "pinned": settings.pin,
            "senders": [cc for cc in ("bbr", "reno") if any(cc in case.key for case in cases)],
        },
    }


def _silent(case: str, subject: str) -> None:
    """Nobody is told."""


def _present(bench: Bench, case: Case) -> list[str]:
    if case.subjects[0] not in bench.subjects:
        return []  # without ours there is nothing to compare
    return [name for name in subjects_of(case, bench.peers) if name in bench.subjects]


def _answer(bench: Bench, case: Case, name: str) -> Answer:
    try:
        return measure(bench.loader, bench.subjects[name], case, bench.settings.seconds)
    except Trouble as why:
        return {"error": str(why)}


def _can_check(subject: Subject, case: Case) -> bool:
    """What comes out is checked by the generator; what goes in, by who receives it."""
    return case.verb == "out" or not isinstance(subject, PeerSubject) or subject.peer.checks


def _verified(bench: Bench, case: Case, name: str, tell: Progress) -> dict[str, Any]:
    tell(f"{case.text}: digests", name)
    try:
        return verify(bench.loader, bench.subjects[name], case)
    except Trouble as why:
        return {"case": case.key, "subject": name, "error": str(why)}


def machine() -> dict[str, str]:
    """What the figures are of."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.lower().startswith(("model name", "cpu model", "hardware")):
            model = line.split(":", 1)[1].strip()
            break
    return {
        "processor": model,
        "cores": str(len(os.sched_getaffinity(0))),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }
