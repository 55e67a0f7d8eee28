# SPDX-License-Identifier: MIT
"""Congestion control in virtual time: what each algorithm makes of a bottleneck, and of another.

    python -m tools.measure.simulate              print the tables
    python -m tools.measure.simulate --write      and make them the golden values of tests/sim and
                                                  the tables of docs/congestion.md
    python -m tools.measure.simulate --only cubic cells whose name has this in it

Two stacks on one wire in memory; the way there has a rate, a queue that drops at its tail, random
loss and half the round trip's delay, the way back the other half.  A cell says which share of the
rate arrived as payload, in per cent; a pair says so for both of its flows.  The same seeds give
the same result.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from stack import Config, Stack
from stack.base import addr
from stack.base.units import MS, SECOND
from stack.transport.seam import ListenerSink, Stream, StreamSink
from tap.clock import VirtualEnv
from tap.impair import ImpairedPort, Impairment
from tap.memory import wire
from tap.port import Port

_ROOT: Final = Path(__file__).resolve().parent.parent.parent
GOLDEN: Final = _ROOT / "tests" / "sim" / "golden.json"
PAGE: Final = _ROOT / "docs" / "congestion.md"
BEGIN: Final = "<!-- measured: begin -->"
END: Final = "<!-- measured: end -->"
ALGORITHMS: Final = ("reno", "cubic", "compound", "ledbat", "bbr")
LOSSES: Final = (0.0, 0.001, 0.01, 0.05)
ROUND_TRIPS: Final = (1, 20, 100, 300)
BUFFERS: Final = (0.5, 2.0)
"""Of the bottleneck, in bandwidth-delay products."""
DISORDERS: Final = {
    "1% of segments reordered": (0.01, 0.0),
    "10% of segments reordered": (0.1, 0.0),
    "30% of segments reordered": (0.3, 0.0),
    "10% of ACKs lost": (0.0, 0.1),
    "30% of ACKs lost": (0.0, 0.3),
    "50% of ACKs lost": (0.0, 0.5),
}
RATE: Final = 10_000_000
LEAST_BUFFER: Final = 15_000
"""Ten full frames, where the product is less than that."""
TOLERANCE: Final = 10
"""Per cent of a golden value that a cell may lose: a different order of draws, not a worse rule."""
_SEEDS: Final = (7, 8, 9)
_PORT: Final = 80
_PAIR_ROUND_TRIP: Final = 20
_PAIR_BUFFER: Final = 4.0  # more than LEDBAT++ tolerates, or it has nothing to step aside for
_PAIR_SECONDS: Final = 30


class Source(StreamSink):
    """Sends more than the wire can carry."""

    def __init__(self, stream: Stream, octets: int) -> None:
        self._stream = stream
        self._data = memoryview(bytes(octets))

    def done(self, token: object, status: int, count: int) -> None:
        if token == "connect":
            self._stream.send([self._data], len(self._data), 0, "data")


class Sink(StreamSink):
    """Counts what arrives."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.octets = 0

    def received(self, views: list[memoryview], count: int, flags: int) -> int:
        self.octets += count
        self._stream.grant(count)
        return count


class Sinks(ListenerSink):
    """Accepts everything."""

    def __init__(self) -> None:
        self.all: list[Sink] = []

    def accepted(self, stream: Stream) -> StreamSink:
        sink = Sink(stream)
        self.all.append(sink)
        return sink


class Bottleneck:
    """Two stacks, and between them a wire that is narrow in one direction."""

    def __init__(
        self,
        round_trip: int,
        buffer: float,
        loss: float = 0.0,
        rate: int = RATE,
        seed: int = _SEEDS[0],
        reorder: float = 0.0,
        ack_loss: float = 0.0,
    ) -> None:
        """`round_trip` in ms, `buffer` in bandwidth-delay products, `rate` in bit/s.

        What is reordered is held back by a quarter of the round trip.
        """
        self.rate = rate
        self.env = VirtualEnv(seed)
        self.sinks = Sinks()
        product = rate // 8 * round_trip // 1000
        delay = round_trip * MS // 2
        there = Impairment(
            loss=loss,
            delay=delay,
            rate=rate,
            queue=max(int(product * buffer), LEAST_BUFFER),
            reorder=reorder,
            reorder_by=delay // 2,
        )
        back = Impairment(loss=ack_loss, delay=delay)
        mac = bytes((2, 0, 0, 0, 0))
        a, b = wire(mac + b"\1", mac + b"\2", 1500, offload=False)
        port = ImpairedPort(a, lambda: self.env.now, there, back, seed)
        self.sender = self._host(port, "10.77.0.1")
        receiver = self._host(b, "10.77.0.2")
        listener = receiver.tcp.open_listener(addr.V4)
        listener.attach(self.sinks)
        listener.bind(b"", _PORT, 0)

    def _host(self, port: Port, address: str) -> Stack:
        stack = Stack(self.env, Config(dad=False, multicast_reports=False))
        nic = stack.add_nic(port, "wsk0")
        stack.add_address(nic, address, 24)
        self.env.loop.add(stack, nic, port)
        return stack

    def connect(self, algorithm: str, seconds: float) -> Sink:
        """A connection that is sending, with the sink at its other end."""
        stream = self.sender.tcp.open_stream(addr.V4)
        stream.attach(Source(stream, int(self.rate / 8 * seconds)))
        stream.bind(b"", 0, 0)
        stream.set_congestion(algorithm)
        stream.connect(addr.parse("10.77.0.2"), _PORT, 0, "connect")
        before = len(self.sinks.all)
        while len(self.sinks.all) == before:
            self.run(0.001)
        return self.sinks.all[-1]

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.env.loop.run(self.env.now + int(seconds * SECOND))

    def share(self, octets: int, seconds: float) -> float:
        """`octets` in per cent of what the rate allows in that time."""
        return round(octets * 800 / (self.rate * seconds), 1)


def alone(algorithm: str, loss: float, round_trip: int, buffer: float) -> float:
    """Goodput of one flow from its beginning; with random loss, the mean of three."""
    seconds = max(10.0, round_trip * 0.06)
    seeds = _SEEDS if loss else _SEEDS[:1]
    shares = []
    for seed in seeds:
        world = Bottleneck(round_trip, buffer, loss, seed=seed)
        sink = world.connect(algorithm, seconds)
        world.run(seconds)
        shares.append(world.share(sink.octets, seconds))
    return round(sum(shares) / len(shares), 1)


def disordered(algorithm: str, reorder: float, ack_loss: float) -> float:
    """Goodput of one flow whose segments or whose ACKs the wire mistreats; the mean of three."""
    seconds = 10.0
    shares = []
    for seed in _SEEDS:
        world = Bottleneck(_PAIR_ROUND_TRIP, 2.0, seed=seed, reorder=reorder, ack_loss=ack_loss)
        sink = world.connect(algorithm, seconds)
        world.run(seconds)
        shares.append(world.share(sink.octets, seconds))
    return round(sum(shares) / len(shares), 1)


def together(first: str, second: str) -> list[float]:
    """Goodput of two flows after the second has joined, the start-up left out."""
    world = Bottleneck(_PAIR_ROUND_TRIP, _PAIR_BUFFER)
    one = world.connect(first, _PAIR_SECONDS)
    world.run(1)
    two = world.connect(second, _PAIR_SECONDS)
    world.run(4)
    before = one.octets, two.octets
    seconds = _PAIR_SECONDS - 5
    world.run(seconds)
    return [
        world.share(now.octets - then, seconds)
        for now, then in zip((one, two), before, strict=True)
    ]


def cells() -> dict[str, tuple[str, float, int, float]]:
    """Every cell of the goodput table by its name."""
    return {
        f"{algorithm} loss {loss:.1%} rtt {rtt} ms buffer {buffer} BDP": (
            algorithm,
            loss,
            rtt,
            buffer,
        )
        for algorithm in ALGORITHMS
        for loss in LOSSES
        for rtt in ROUND_TRIPS
        for buffer in BUFFERS
    }


def disorders() -> dict[str, tuple[str, float, float]]:
    """Every cell of the table of reordering and lost ACKs by its name."""
    return {
        f"{algorithm} {what}": (algorithm, reorder, ack_loss)
        for algorithm in ALGORITHMS
        for what, (reorder, ack_loss) in DISORDERS.items()
    }


def pairs() -> dict[str, tuple[str, str]]:
    """Every pair of algorithms by its name, the one that is there first in front."""
    return {
        f"{first} then {second}": (first, second) for first in ALGORITHMS for second in ALGORITHMS
    }


def measured(only: str) -> Iterator[tuple[str, list[float]]]:
    """Every cell and pair whose name has `only` in it."""
    for name, cell in cells().items():
        if only in name:
            yield name, [alone(*cell)]
    for name, disorder in disorders().items():
        if only in name:
            yield name, [disordered(*disorder)]
    for name, pair in pairs().items():
        if only in name:
            yield name, together(*pair)


def tables(values: dict[str, list[float]]) -> str:
    """The values as two tables in Markdown."""
    lines = ["| loss | round trip | buffer | " + " | ".join(ALGORITHMS) + " |"]
    lines.append("| ---: " * (3 + len(ALGORITHMS)) + "|")
    for loss in LOSSES:
        for rtt in ROUND_TRIPS:
            for buffer in BUFFERS:
                where = f"loss {loss:.1%} rtt {rtt} ms buffer {buffer} BDP"
                row = [f"{values[f'{name} {where}'][0]:.0f}" for name in ALGORITHMS]
                lines.append(f"| {loss:.1%} | {rtt} ms | {buffer} | " + " | ".join(row) + " |")
    lines += ["", "Round trip 20 ms, buffer 2 BDP:", ""]
    lines += ["| | " + " | ".join(ALGORITHMS) + " |", "| --- " + "| ---: " * len(ALGORITHMS) + "|"]
    for what in DISORDERS:
        row = [f"{values[f'{name} {what}'][0]:.0f}" for name in ALGORITHMS]
        lines.append(f"| {what} | " + " | ".join(row) + " |")
    lines += ["", "Two flows:", "", "| first \\ second | " + " | ".join(ALGORITHMS) + " |"]
    lines.append("| --- " + "| ---: " * len(ALGORITHMS) + "|")
    for first in ALGORITHMS:
        row = ["{:.0f} : {:.0f}".format(*values[f"{first} then {second}"]) for second in ALGORITHMS]
        lines.append(f"| {first} | " + " | ".join(row) + " |")
    return "\n".join(lines)


def write(values: dict[str, list[float]]) -> None:
    """Make these the golden values, and put the tables on the page."""
    golden = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {"values": {}}
    merged = golden["values"] | values
    GOLDEN.write_text(json.dumps({"tolerance": TOLERANCE, "values": merged}, indent=1) + "\n")
    before, rest = PAGE.read_text().split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{tables(merged)}\n{END}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description="congestion control in virtual time")
    parser.add_argument("--only", default="", help="cells whose name has this in it")
    parser.add_argument("--write", action="store_true", help="make these the golden values")
    options = parser.parse_args()
    values: dict[str, list[float]] = {}
    for name, value in measured(options.only):
        values[name] = value
        print(name, *value, flush=True)
    if not options.only:
        print(f"\n{tables(values)}")
    if options.write:
        write(values)


if __name__ == "__main__":
    main()
