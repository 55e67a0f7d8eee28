# SPDX-License-Identifier: MIT
"""What `tools/bench` measures: cases, the subjects each is measured on, and what its figures are.

A case is one measurement, repeated in every round on each of its subjects in turn; one measurement
may give several figures.  A record keeps the raw answers, and the figures are computed from them
by what stands here, so a page can be made of a record again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from tools.measure.services import COLD_SOURCE, LARGEST, TOGETHER

Answer = dict[str, Any]

STACK: Final = "stack"
KERNEL: Final = "kernel"
PYTHON: Final = "python"
PLAIN: Final = "stack-plain"
KERNEL_PLAIN: Final = "kernel-plain"
BAD: Final = "stack-loss"
KERNEL_BAD: Final = "kernel-loss"
BUSY: Final = "stack-busy"
IDLE: Final = "stack-idle"
FRESH: Final = "fresh"
MEMORY: Final = "sockets"
KERNEL_MEMORY: Final = "kernel-sockets"

SUBJECTS: Final = {
    STACK: "this stack, TAP with offloads",
    PLAIN: "this stack, TAP without offloads",
    BUSY: "this stack, polling before it sleeps",
    IDLE: "this stack with 1,000 idle connections",
    BAD: "this stack behind 1 % loss",
    KERNEL: "C on kernel sockets, veth with offloads",
    KERNEL_PLAIN: "C on kernel sockets, veth without offloads",
    KERNEL_BAD: "C on kernel sockets behind the same loss",
    PYTHON: "Python on kernel sockets, veth with offloads",
    FRESH: "this stack, just launched",
    MEMORY: "this stack's sockets, in memory",
    KERNEL_MEMORY: "the kernel's sockets, from Python",
}
IDLE_CONNECTIONS: Final = 1000
SIZES: Final = (64, 512, 1472)
STYLES: Final = {"single": "single calls", "lists": "lists", "joined": "joined"}
FRAME: Final = 65536


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of an answer.

    of          the figure, in SI units, or None where this subject gives none
    scale, unit for people
    smaller     less is better
    own         of our stack alone, so without a ratio
    """

    key: str
    text: str
    of: Callable[[Answer], float | None]
    unit: str
    scale: float = 1.0
    smaller: bool = False
    own: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """One measurement.

    subjects    in which order they are shown; the first is ours
    pairs       (ours, theirs) whose ratio is wanted
    verb, more  what the generator is told; special measurements have their own verbs (`workloads`)
    length      times as long as others
    quick       in --quick too
    bulk        a verifying run compares digests
    peers       peers are measured too
    """

    key: str
    group: str
    text: str
    verb: str
    subjects: tuple[str, ...]
    figures: tuple[Figure, ...]
    family: int = 4
    more: dict[str, Any] = field(default_factory=dict)
    length: float = 1.0
    quick: bool = False
    bulk: bool = False
    peers: bool = False

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Ours beside each of the others."""
        return [(self.subjects[0], other) for other in self.subjects[1:]]


def _rate(answer: Answer) -> float | None:
    return float(answer["octets"]) * 8 / float(answer["seconds"])


def _per_second(answer: Answer) -> float | None:
    return float(answer["count"]) / float(answer["seconds"])


def _frame_cost(answer: Answer) -> float | None:
    """Seconds of processor for 64 KB of the stream."""
    if "in_packets" not in answer or not answer["octets"]:
        return None
    return float(answer["subject_cpu"]) * FRAME / float(answer["octets"])


def _of(name: str) -> Callable[[Answer], float | None]:
    def get(answer: Answer) -> float | None:
        value = answer.get(name)
        return None if value is None else float(value)

    return get


RATE: Final = Figure("rate", "", _rate, "Gbit/s", 1e-9)
MEGABITS: Final = Figure("rate", "", _rate, "Mbit/s", 1e-6)
COST: Final = Figure("cost", "stack CPU for 64 KB", _frame_cost, "µs", 1e6, smaller=True, own=True)
COUNT: Final = Figure("rate", "", _per_second, "/s")
THOUSANDS: Final = Figure("rate", "", _per_second, "k/s", 1e-3)
MIDDLE: Final = Figure("p50", "p50", _of("p50"), "µs", 1e6, smaller=True)
TAIL: Final = Figure("p99", "p99", _of("p99"), "µs", 1e6, smaller=True)


def _bulk(senders: tuple[str, ...]) -> list[Case]:
    found = []
    for family in (4, 6):
        for many in (1, 32):
            lanes = "1 connection" if many == 1 else f"{many} connections"
            ways = [("in", cc) for cc in senders] + [("out", "reno")]
            found += [
                Case(
                    f"{way}-{cc}-{family}-{many}",
                    "bulk",
                    f"TCP {way}, {lanes}, IPv{family}, {cc.upper()} sender",
                    way,
                    (STACK, KERNEL),
                    (RATE, COST),
                    family,
                    {"connections": many, "cc": cc},
                    quick=many == 1 and (family == 4 or way == "out"),
                    bulk=True,
                    peers=(cc, family, many) == ("reno", 4, 1),
                )
                for way, cc in ways
            ]
    for way in ("in", "out"):
        more: dict[str, Any] = {"connections": 1, "cc": "reno", "cold": 1}
        found.append(
            Case(
                f"{way}-memory",
                "bulk",
                f"TCP {way}, data from memory, IPv4, RENO sender",
                way,
                (STACK, KERNEL),
                (RATE, COST),
                4,
                more | ({"port": COLD_SOURCE} if way == "out" else {}),
                quick=True,
                bulk=True,
            )
        )
    plain = (PLAIN, KERNEL_PLAIN)
    for cc in senders:
        text = f"TCP in, no offloads, IPv4, {cc.upper()} sender"
        how = {"connections": 1, "cc": cc}
        figures = (RATE, COST)
        found.append(Case(f"in-{cc}-plain", "bulk", text, "in", plain, figures, 4, how, bulk=True))
    text = "TCP out, no offloads, IPv4, RENO sender"
    how = {"connections": 1, "cc": "reno"}
    found.append(Case("out-plain", "bulk", text, "out", plain, (RATE, COST), 4, how, bulk=True))
    return found


def _loss() -> list[Case]:
    bad = (BAD, KERNEL_BAD)
    how = {"connections": 8, "cc": "reno"}
    return [
        Case(
            f"{way}-loss",
            "loss",
            f"TCP {way}, 8 connections, 1 % loss, 40 ms, RENO sender",
            way,
            bad,
            (MEGABITS,),
            4,
            how | ({"settle": 0.5} if way == "out" else {}),
            length=6.0,
            bulk=True,
        )
        for way in ("in", "out")
    ]


def _latency() -> list[Case]:
    found = [
        Case(
            f"ping-{family}",
            "latency",
            f"ping, IPv{family}",
            "ping",
            (STACK, KERNEL),
            (MIDDLE, TAIL),
            family,
            quick=family == 4,
            peers=family == 4,
        )
        for family in (4, 6)
    ]
    found.append(
        Case("ping-busy", "latency", "ping, polling", "ping", (BUSY, KERNEL), (MIDDLE, TAIL))
    )
    three = (STACK, KERNEL, PYTHON)
    for proto, family in (("tcp", 4), ("tcp", 6), ("udp", 4)):
        found.append(
            Case(
                f"trips-{proto}-{family}",
                "latency",
                f"{proto.upper()} request-response, IPv{family}",
                "trips",
                three,
                (MIDDLE, TAIL, COUNT),
                family,
                {"proto": proto, "size": 64},
                quick=family == 4,
                peers=family == 4,
            )
        )
    return found


def _datagrams() -> list[Case]:
    three = (STACK, KERNEL, PYTHON)
    found = []
    for verb, text in (("echo", "UDP echo"), ("sink", "UDP in"), ("burst", "UDP out")):
        for style, how in STYLES.items():
            for size in SIZES:
                more: dict[str, Any] = {"size": size, "style": style}
                if style != "single":
                    together = {"segments": min(TOGETHER, LARGEST // size), "window": 8}
                    more |= {"burst": 8 * TOGETHER} if verb == "burst" else together
                found.append(
                    Case(
                        f"{verb}-{style}-{size}",
                        "datagrams",
                        f"{text}, {size} octets, {how}",
                        verb,
                        three,
                        (THOUSANDS,),
                        4,
                        more,
                        quick=size == 64,
                        peers=(verb, style, size) == ("echo", "single", 64),
                    )
                )
    found.append(
        Case(
            "echo-single-64-v6",
            "datagrams",
            "UDP echo, 64 octets, single calls, IPv6",
            "echo",
            three,
            (THOUSANDS,),
            6,
            {"size": 64},
        )
    )
    return found


def _connections() -> list[Case]:
    return [
        Case(
            f"connect-{many}",
            "connections",
            f"connections, {many} at a time",
            "connect",
            (STACK, KERNEL, PYTHON),
            (COUNT,),
            4,
            {"together": many},
            quick=True,
            peers=many == 1,
        )
        for many in (1, 16)
    ]


def _state() -> list[Case]:
    cpu = Figure("cpu", "CPU", _of("share"), "%", 100, smaller=True, own=True)
    ping = Figure("first", "to the first ping", _of("seconds"), "s", 1, smaller=True, own=True)
    memory = Figure(
        "memory", "memory of one of 1,000 connections", _of("each"), "octets", 1, True, True
    )
    made = Figure("made", "made", _of("made"), "/s")
    size = Figure("octets", "memory", _of("octets"), "octets", 1, True)
    linked = Figure("linked", "memory of a connected one", _of("linked"), "octets", 1, True, True)
    both = (IDLE, STACK)
    echo = {"size": 64}
    bulk = {"connections": 1, "cc": "reno"}
    made_by = (MEMORY, KERNEL_MEMORY)
    about = (made, size, linked)
    return [
        Case("idle-echo", "state", "UDP echo, 64 octets", "echo", both, (THOUSANDS,), 4, echo),
        Case("idle-in", "state", "TCP in, RENO sender", "in", both, (RATE,), 4, bulk),
        Case("idle-cpu", "state", "nothing to do", "nothing", (IDLE,), (cpu,), length=4.0),
        Case("launch", "state", "launch", "launch", (FRESH,), (ping, memory), quick=True),
        Case("sockets", "state", "connection sockets", "sockets", made_by, about),
    ]


def cases(senders: tuple[str, ...]) -> list[Case]:
    """All of them, bulk TCP in with each of these congestion controls as the sender's."""
    return [
        *_bulk(senders),
        *_loss(),
        *_latency(),
        *_datagrams(),
        *_connections(),
        *_state(),
    ]


GROUPS: Final = {
    "bulk": "Bulk TCP",
    "loss": "Bulk TCP through loss",
    "latency": "Latency",
    "datagrams": "Datagrams",
    "connections": "Connections",
    "state": "Idle connections, launch, sockets",
}
