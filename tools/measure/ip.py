# SPDX-License-Identifier: MIT
"""What one packet costs the IP layer, by its way through it, and how that grows with the tables:
python -m tools.measure.ip ROUNDS [FAMILY]

In memory, without a device: frames that were made beforehand go in at `Stack.receive`, what comes
out is thrown away.  `tools/bench ip` prints the figures as tables; they are nanoseconds a packet,
one figure a round, the rounds of all cases alternating.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from stack import Config, Stack
from stack.base import addr
from stack.base.head import Head
from stack.base.units import View
from stack.link.nic import Nic
from stack.link.seam import Device
from stack.transport.datagram_seam import Datagram, DatagramSink, Received
from stack.transport.options import JOIN
from stack.wire import ext6
from tap.clock import SystemEnv
from tap.loop import VirtualExecutor
from tools.fuzzing import frames
from tools.fuzzing.frames import ELSEWHERE, OURS, THEIRS, THEM, US
from tools.fuzzing.layout import repaired

SIZES: Final = (10, 100, 1000, 10_000)
_STEPS: Final = 400
"""Packets of one figure,"""
_CHUNK: Final = 10
_LONGEST: Final = 200_000_000
"""but no more than fit into so many ns, looked at every tenth packet."""
_DATA: Final = bytes(64)

Go = Callable[[], None]
"""One packet."""


class Nowhere(Device):
    """A device that takes everything."""

    mtu = 1500

    def __init__(self, mac: bytes) -> None:
        self.mac = mac
        self.count = 0

    def transmit(self, head: Head, views: Sequence[View]) -> bool:
        self.count += 1
        return True


class Taker(DatagramSink):
    """Takes everything and gives it back at once."""

    def __init__(self, endpoint: Datagram) -> None:
        self.endpoint = endpoint
        self.count = 0

    def received(self, batch: list[Received]) -> int:
        self.count += len(batch)
        self.endpoint.grant(sum(one.charge for one in batch))
        return len(batch)


class Bench:
    """A stack with a socket at port 7, and its neighbour."""

    def __init__(self, family: int, **settings: object) -> None:
        self.family = family
        self.env = SystemEnv(VirtualExecutor())
        room: dict[str, object] = {
            "dad": False,
            "neighbor_limit": 65_536,
            "path_limit": 65_536,
            "multicast_group_limit": 65_536,
            "reassembly_limit": 65_536,
            "reassembly_memory": 1 << 30,
        }
        self.stack = Stack(self.env, Config(**{**room, **settings}))  # type: ignore[arg-type]
        self.wire = Nowhere(OURS)
        self.nic = self.stack.add_nic(self.wire, "wsk0")
        self.stack.add_address(self.nic, addr.text(US[family]), 16 if family == 4 else 64)
        self.knows(self.nic, THEM[family], THEIRS)
        self.endpoint = self.stack.udp.open_datagram(addr.V4 | addr.V6)
        self.taker = Taker(self.endpoint)
        self.endpoint.attach(self.taker)
        self.endpoint.bind(b"", 7, 0)
        self._turn = itertools.cycle([False] * 31 + [True])

    @property
    def layer(self) -> object:
        return self.stack.v4 if self.family == 4 else self.stack.v6

    def knows(self, nic: Nic, address: bytes, mac: bytes) -> None:
        """A neighbour whose address is resolved and will stay so."""
        entry = nic.neighbors.lookup(address)
        nic.neighbors.heard(address, mac, create=True)
        nic.neighbors.reached(entry)

    def takes(self, frame: bytes) -> None:
        """One frame; the socket is served every 32."""
        self.stack.receive(self.nic, frame)
        if next(self._turn):
            self.stack.step()

    def sends(self, address: bytes, data: bytes) -> None:
        self.endpoint.send((data,), len(data), address, 9, 0)


def each(bench: Bench, given: Sequence[bytes]) -> Go:
    """These frames in turn."""
    following = itertools.cycle(given).__next__
    return lambda: bench.takes(following())


# Ways through the layer.


def ways(family: int) -> Iterator[tuple[str, Go]]:
    """(name, one packet's way) for every way there is."""
    plain = frames.datagram(family, 9, 7, _DATA)
    bench = Bench(family)
    yield "datagram in", each(bench, [plain])
    yield (
        "with options" if family == 4 else "with an extension header",
        each(Bench(family), [_extended(family)]),
    )
    pair = frames.fragments(family, bytes(1000), 512)
    yield "datagram in, two fragments", _joined(Bench(family), pair)
    yield "datagram out", _sending(Bench(family), 64)
    yield "datagram out, two fragments", _sending(Bench(family), 2000)
    yield (
        "echo, in and out",
        each(Bench(family), [frames.message(family, 8 if family == 4 else 128, 0, 1, _DATA)]),
    )
    forwarding = _forwarding(family)
    if forwarding is not None:
        yield "forwarded", forwarding
    yield (
        "dropped: another host's frame",
        each(Bench(family), [bytes((2, 0, 0, 0, 9, 9)) + plain[6:]]),
    )
    broken = plain[:-1] + b"\1"
    yield "dropped: UDP checksum", each(Bench(family), [broken])
    away = frames.datagram(family, 9, 7, _DATA, dst=ELSEWHERE[family], to=OURS)
    yield "dropped: not for us", each(Bench(family), [away])
    closed = frames.datagram(family, 9, 9999, _DATA)
    yield "dropped: no such port", each(Bench(family), [closed])
    yield "dropped: no such protocol", each(Bench(family), [frames.ip(family, 253, _DATA)])


def _extended(family: int) -> bytes:
    body = frames.datagram(family, 9, 7, _DATA)[34 if family == 4 else 54 :]
    if family == 4:
        return frames.ip(4, 17, body, extra=bytes((7, 7, 4, 0, 0, 0, 0, 0)))
    return frames.ip(6, ext6.DESTINATION, body, extra=bytes((17, 0, 1, 4, 0, 0, 0, 0)))


def _joined(bench: Bench, pair: Sequence[bytes]) -> Go:
    """One datagram: both of its fragments."""

    def go() -> None:
        for frame in pair:
            bench.takes(frame)

    return go


def _sending(bench: Bench, size: int) -> Go:
    data, to = bytes(size), THEM[bench.family]
    return lambda: bench.sends(to, data)


def _forwarding(family: int) -> Go | None:
    """A packet from one interface to another; None if this stack does not do that."""
    bench = Bench(family, forwarding=True)
    wire = Nowhere(bytes((2, 0, 0, 0, 1, 1)))
    nic = bench.stack.add_nic(wire, "wsk1")
    net, there = ("10.99.0.1", "10.99.0.2") if family == 4 else ("fd99::1", "fd99::2")
    bench.stack.add_address(nic, net, 24 if family == 4 else 64)
    bench.knows(nic, addr.parse(there), THEIRS)
    frame = frames.datagram(family, 9, 7, _DATA, dst=addr.parse(there), to=OURS)
    before = wire.count
    bench.takes(frame)
    bench.stack.step()
    return each(bench, [frame]) if wire.count > before else None


# Growth.


def growth(family: int, many: int) -> Iterator[tuple[str, Go]]:
    """(name, one packet) with so many of something in the tables."""
    yield "routes: a new destination", _routes(family, many)
    yield "neighbours: echo with each in turn", _neighbors(family, many)
    yield "addresses: datagrams to each in turn", _addresses(family, many)
    yield "addresses: a new destination", _fresh_paths(family, many)
    yield "groups: datagrams to each in turn", _groups(family, many)
    yield "destinations: datagrams to each in turn", _destinations(family, many)
    yield "sources: datagrams from each in turn", _sources(family, many)
    yield "sockets: datagrams to each in turn", _sockets(family, many)
    yield "incomplete datagrams: one more, in two fragments", _fragments(family, many)


def host(family: int, number: int, net: int = 0) -> bytes:
    """The so-manieth address of a network: of the link's, or of another."""
    if family == 4:
        base = 0x0A4D_0100 if not net else 0x0B00_0000 + (net << 16)
        return (base + number).to_bytes(4, "big")
    base = 0xFD77 << 112 if not net else (0x20010DB8 << 96) + (net << 80)
    return (base + 0x1_0000 + number).to_bytes(16, "big")


def _routes(family: int, many: int) -> Go:
    """The route, the source and the neighbour are looked up anew for every packet."""
    bench = Bench(family, path_limit=16)
    routes = bench.stack.host.layers[4 if family == 4 else 16]
    base = 0x0B00_0000 if family == 4 else 0x20010DB8 << 96
    size, step = (4, 24) if family == 4 else (16, 64)
    prefixes = [(base + (n << 8 * size - step)).to_bytes(size, "big") for n in range(many)]
    for number, prefix in enumerate(prefixes):
        routes.add_route(prefix, step - number % 8, bench.nic, THEM[family])
    # Never one of the few that are remembered: hosts that follow each other differ.
    there = [prefixes[n * 7919 % many][:-1] + bytes((n % 251 + 1,)) for n in range(_STEPS)]
    following = itertools.cycle(there).__next__
    return lambda: bench.sends(following(), _DATA)


def _neighbors(family: int, many: int) -> Go:
    bench = Bench(family)
    kind = 8 if family == 4 else 128
    sources = [host(family, n) for n in range(many)]
    for source in sources:
        bench.knows(bench.nic, source, THEIRS)
    return each(
        bench, [frames.message(family, kind, 0, 1, _DATA, src=one) for one in _sample(sources)]
    )


def _addresses(family: int, many: int) -> Go:
    bench = Bench(family)
    own = [host(family, n) for n in range(many)]
    for address in own:
        bench.stack.add_address(bench.nic, addr.text(address), 16 if family == 4 else 64)
    return each(bench, [frames.datagram(family, 9, 7, _DATA, dst=one) for one in _sample(own)])


def _fresh_paths(family: int, many: int) -> Go:
    bench = Bench(family, path_limit=16)
    for number in range(many):
        address = addr.text(host(family, number))
        bench.stack.add_address(bench.nic, address, 16 if family == 4 else 64)
    bench.stack.add_route("0.0.0.0" if family == 4 else "::", 0, bench.nic, addr.text(THEM[family]))
    following = itertools.cycle(host(family, n, 1) for n in range(_STEPS)).__next__
    return lambda: bench.sends(following(), _DATA)


def _groups(family: int, many: int) -> Go:
    bench = Bench(family)
    base = 0xEF010000 if family == 4 else 0xFF0E << 112 | 1 << 16
    groups = [(base + n).to_bytes(4 if family == 4 else 16, "big") for n in range(many)]
    for group in groups:
        refused = bench.endpoint.membership(JOIN, group, bench.nic.index, b"")
        assert not refused, "not every group is joined"
    return each(bench, [frames.datagram(family, 9, 7, _DATA, dst=one) for one in _sample(groups)])


def _destinations(family: int, many: int) -> Go:
    bench = Bench(family)
    others = [host(family, n) for n in range(many)]
    for address in others:
        bench.knows(bench.nic, address, THEIRS)
        bench.sends(address, _DATA)
    following = itertools.cycle(_sample(others)).__next__
    return lambda: bench.sends(following(), _DATA)


def _sources(family: int, many: int) -> Go:
    bench = Bench(family)
    others = [host(family, n, 1) for n in range(many)]
    return each(bench, [frames.datagram(family, 9, 7, _DATA, src=one) for one in others])


def _sockets(family: int, many: int) -> Go:
    bench = Bench(family)
    for number in range(many):
        endpoint = bench.stack.udp.open_datagram(addr.V4 | addr.V6)
        endpoint.attach(Taker(endpoint))
        endpoint.bind(b"", 10_000 + number, 0)
    ports = _sample(range(10_000, 10_000 + many))
    return each(bench, [frames.datagram(family, 9, port, _DATA) for port in ports])


def _fragments(family: int, many: int) -> Go:
    bench = Bench(family, reassembly_time=3600 * 10**9)
    for number in range(many):
        source = host(family, number, 1)
        first = frames.fragments(family, bytes(200), 128, number)[0]
        at = 26 if family == 4 else 22
        frame = first[:at] + source + first[at + len(source) :]
        bench.takes(repaired(frame, lengths=False))
    assert len(bench.stack.host.reassembler) == many, "not every fragment is held"
    return _joined(bench, frames.fragments(family, bytes(200), 128, 77))


def _sample(among: Sequence[bytes] | range) -> list:  # type: ignore[type-arg]
    """At most so many as one figure has packets, from all over."""
    step = max(len(among) // _STEPS, 1)
    return list(among[::step][:_STEPS])


# Measuring.


def figure(go: Go) -> float:
    """Nanoseconds of CPU time a packet: of so many, or of as many as fit into a while."""
    start = time.thread_time_ns()
    count = 0
    while count < _STEPS:
        for _ in range(_CHUNK):
            go()
        count += _CHUNK
        if time.thread_time_ns() - start > _LONGEST:
            break
    return (time.thread_time_ns() - start) / count


def measure(rounds: int, family: int, sizes: Sequence[int] = SIZES) -> dict[str, object]:
    """All figures: ways by name, growth by name and number."""
    through = list(ways(family))
    by_way: dict[str, list[float]] = {name: [] for name, _ in through}
    for _, go in through:
        figure(go)  # once without counting: paths, caches
    for _ in range(rounds):
        for name, go in through:
            by_way[name].append(figure(go))
    cases = {many: dict(growth(family, many)) for many in sizes}
    for case in cases.values():
        for go in case.values():
            figure(go)
    by_size: dict[str, dict[str, list[float]]] = {}
    for turn in range(rounds):
        for many in sizes if turn % 2 else reversed(sizes):
            for name, go in cases[many].items():
                by_size.setdefault(name, {}).setdefault(str(many), []).append(figure(go))
    ordered = {
        name: {str(many): figures[str(many)] for many in sizes} for name, figures in by_size.items()
    }
    return {"ways": by_way, "growth": ordered}


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    family = int(sys.argv[2]) if len(sys.argv) > 2 else 4
    sizes = [int(word) for word in sys.argv[3:]] or SIZES
    print(json.dumps(measure(rounds, family, sizes)))


if __name__ == "__main__":
    main()
