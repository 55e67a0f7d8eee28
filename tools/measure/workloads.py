# SPDX-License-Identifier: MIT
"""How one measurement is made: the generator's verbs, and what the generator cannot do.

`measure` answers what the generator said, plus what the subject used meanwhile: `subject_cpu`, and
for this stack its frames and octets each way.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import Any, Final

from tools.measure import plan
from tools.measure.loader import Answer, Loader, Trouble
from tools.measure.plan import Case
from tools.measure.process import result
from tools.measure.services import (
    CHECKED,
    JOINED_ECHO,
    JOINED_SINK,
    JOINED_SOURCE,
    LIST_ECHO,
    LIST_SOURCE,
)
from tools.measure.subjects import StackSubject, Subject

_STYLES: Final[dict[tuple[str, str], int]] = {
    ("echo", "lists"): LIST_ECHO,
    ("burst", "lists"): LIST_SOURCE,
    ("echo", "joined"): JOINED_ECHO,
    ("sink", "joined"): JOINED_SINK,
    ("burst", "joined"): JOINED_SOURCE,
}
"""Ports of this stack's services in other styles than call by call."""
_SETTLE: Final = 0.02
CHECK: Final = 32 << 20
"""Octets of a verifying run, of all connections together."""
_CHECK_BAD: Final = 2 << 20


def measure(loader: Loader, subject: Subject, case: Case, seconds: float) -> Answer:
    """One figure's worth.  Raises Trouble."""
    with subject.measuring():
        special = SPECIAL.get(case.verb)
        if special is not None:
            return special(loader, subject, seconds * case.length)
        before, used = subject.counters(), subject.cpu()
        arguments = words(case, subject, seconds)
        answer = loader.run(subject.near, case.verb, **arguments)
        time.sleep(_SETTLE)
        answer["subject_cpu"] = subject.cpu() - used
        after = subject.counters()
        for name in ("in_packets", "out_packets", "in_octets", "out_octets"):
            if name in after:
                answer[name] = after[name] - before[name]
        return answer


def words(case: Case, subject: Subject, seconds: float) -> dict[str, Any]:
    """What the generator is told."""
    told = dict(case.more)
    port = _STYLES.get((case.verb, told.pop("style", "single")))
    if port is not None and isinstance(subject, StackSubject):
        told["port"] = port
    return {
        "address": subject.addresses[case.family],
        "seconds": seconds * case.length,
        **told,
    }


def verify(loader: Loader, subject: Subject, case: Case) -> dict[str, Any]:
    """A bounded run in which every octet counts.  Raises Trouble if one was wrong.

    Into the subject: it digests what came (crc32, and the number of octets), the generator what it
    sent, and the two must be the same.  Out of it: the generator compares every octet with the
    pattern's, and digests them.
    """
    bad = subject.name in (plan.BAD, plan.KERNEL_BAD)
    each = (_CHECK_BAD if bad else CHECK) // int(case.more["connections"])
    told = {name: value for name, value in case.more.items() if name != "settle"}
    if case.verb == "in":
        told["port"] = CHECKED
    with subject.measuring():
        address = subject.addresses[case.family]
        answer = loader.run(subject.near, case.verb, address=address, octets=each, **told)
    return {
        "case": case.key,
        "subject": subject.name,
        "octets": answer["octets"],
        "digest": answer["digest"],
    }


def nothing(loader: Loader, subject: Subject, seconds: float) -> Answer:
    """Processor used while nothing happens."""
    time.sleep(1.0)  # what opening the connections began is over
    used, start = subject.cpu(), time.perf_counter()
    time.sleep(seconds)
    return {"share": (subject.cpu() - used) / (time.perf_counter() - start)}


class Launcher(Subject):
    """Not there until it is launched."""

    def __init__(self, loader: Loader, cores: tuple[int, ...]) -> None:
        self.name = plan.FRESH
        self._wanted = {"pattern": str(loader.pattern)}
        self._cores = cores

    def launch(self, loader: Loader) -> Answer:
        """Seconds from the start of the process, namespace and device included, to the answer of
        the first ping; then the memory that 1,000 connections take."""
        start = time.perf_counter()
        held: subprocess.Popen[str] | None = None
        fresh = StackSubject(plan.FRESH, self._wanted, self._cores)
        try:
            loader.run(fresh.near, "first", address=fresh.addresses[4])
            took = time.perf_counter() - start
            fresh.ready()
            before = fresh.counters()["memory"]
            count = plan.IDLE_CONNECTIONS
            held = loader.start(fresh.near, "hold", address=fresh.addresses[4], connections=count)
            assert held.stdout is not None
            if "held" not in held.stdout.readline():
                raise Trouble("the connections could not be opened")
            time.sleep(0.2)
            grown = fresh.counters()["memory"] - before
        finally:
            if held is not None:
                held.communicate()
            fresh.stop()
        return {"seconds": took, "each": grown / count}

    def stop(self) -> None:
        """It is not running."""


def launch(loader: Loader, subject: Subject, seconds: float) -> Answer:
    """`Launcher.launch`."""
    assert isinstance(subject, Launcher)
    return subject.launch(loader)


class InMemory(Subject):
    """Sockets of this stack or of the kernel, which nobody connects to."""

    def __init__(self, name: str) -> None:
        self.name = name

    def stop(self) -> None:
        """It is not running."""


def sockets(loader: Loader, subject: Subject, seconds: float) -> Answer:
    """Connection sockets made per second, octets of one."""
    who = "ours" if subject.name == plan.MEMORY else "kernel"
    answer: Answer = result("sockets", who)
    return answer


SPECIAL: Final[dict[str, Callable[[Loader, Subject, float], Answer]]] = {
    "nothing": nothing,
    "launch": launch,
    "sockets": sockets,
}
