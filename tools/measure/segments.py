# SPDX-License-Identifier: MIT
"""What one TCP segment costs the stack, and how that grows: python -m tools.measure.segments

In memory, without a device: in order; out of order with so many holes held; a SACK with so many
spans in flight; in order with so many connections beside.  Microseconds, the best of several
goes, because the machine has other things to do.  `tools/bench --segments` prints it as a table.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Final

from stack import Config, Stack
from stack.base import addr
from stack.base.checksum import finish, pseudo_sum
from stack.link.nic import Nic
from stack.tcp.loss.scoreboard import Acked, Scoreboard
from stack.transport.seam import ListenerSink, Stream, StreamSink
from stack.wire import ethernet, ipv6, tcp
from tap.clock import SystemEnv
from tap.loop import VirtualExecutor
from tap.memory import MemoryPort, wire

MSS: Final = 1000
HOLES: Final = (0, 10, 100, 1000)
SPANS: Final = (10, 100, 1000, 10_000)
CONNECTIONS: Final = (10, 100, 1000, 10_000)
_GOES: Final = 5
_MACS: Final = (bytes((2, 0, 0, 0, 0, 1)), bytes((2, 0, 0, 0, 0, 2)))
_PEER: Final = addr.parse("fd77::2")
_OURS: Final = addr.parse("fd77::1")


class Taker(StreamSink):
    """Takes everything and gives it back at once."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def received(self, views: list[memoryview], count: int, flags: int) -> int:
        self._stream.grant(count)
        return count


class Door(ListenerSink):
    """Accepts everything."""

    def accepted(self, stream: Stream) -> StreamSink:
        return Taker(stream)


class Bench:
    """A stack with a listener, and a peer who knows how to write segments."""

    def __init__(self) -> None:
        self.env = SystemEnv(VirtualExecutor())
        config = Config(dad=False, tcp_backlog=1 << 20, tcp_reorder_limit=1 << 16)
        self.stack = Stack(self.env, config)
        port, self.far = wire(*_MACS, offload=False)
        self.port: MemoryPort = port
        self.nic: Nic = self.stack.add_nic(port, "wsk1")
        self.stack.add_address(self.nic, "fd77::1", 64)
        self.nic.neighbors.fixed(_PEER, _MACS[1])
        listener = self.stack.tcp.open_listener(addr.V6)
        listener.attach(Door())
        listener.bind(b"", 80, 0)

    def frame(self, sport: int, flags: int, seq: int, ack: int, data: bytes = b"") -> bytes:
        bare = tcp.HEADER.pack(sport, 80, seq, ack, 20 << 10 | flags, 65535, 0, 0) + data
        total = int.from_bytes(bare + bytes(len(bare) % 2), "big")
        total += pseudo_sum(_PEER, _OURS, 6, len(bare))
        bare = bare[:16] + finish(total).to_bytes(2, "big") + bare[18:]
        head = ipv6.build(0, 0, len(bare), 6, 64, _PEER, _OURS)
        return _MACS[0] + _MACS[1] + ethernet.TYPE_IPV6 + head + bare

    def takes(self, frame: bytes) -> None:
        self.stack.receive(self.nic, frame)
        self.stack.step()
        while self.far.read() is not None:
            pass

    def connects(self, sport: int) -> int:
        """An established connection; our initial sequence number."""
        self.stack.receive(self.nic, self.frame(sport, tcp.SYN, 0, 0))
        self.stack.step()
        ack = 0
        while (answer := self.far.read()) is not None:
            ack = int.from_bytes(answer[58:62], "big") + 1 & 0xFFFFFFFF
        self.takes(self.frame(sport, tcp.ACK, 1, ack))
        return ack


def best(go: Callable[[], tuple[float, int]]) -> float:
    """Seconds per step of the best of several goes; `go` answers (seconds, steps)."""
    return min(seconds / steps for seconds, steps in (go() for _ in range(_GOES)))


def in_order(connections: int) -> float:
    """One segment of 1000 octets, with so many connections; they take turns."""
    bench = Bench()
    acks = [bench.connects(20_000 + number) for number in range(connections)]
    sent = [1] * connections
    steps = max(1000, connections)

    def go() -> tuple[float, int]:
        frames = []
        for step in range(steps):
            number = step % connections
            frames.append(
                bench.frame(20_000 + number, tcp.ACK, sent[number], acks[number], bytes(MSS))
            )
            sent[number] += MSS
        start = time.perf_counter()
        for frame in frames:
            bench.takes(frame)
        return time.perf_counter() - start, steps

    return best(go)


def out_of_order(holes: int) -> float:
    """One segment that closes no hole, with so many held out of order."""

    def go() -> tuple[float, int]:
        bench = Bench()
        ack = bench.connects(20_000)
        held = [bench.frame(20_000, tcp.ACK, 11 + 20 * n, ack, bytes(10)) for n in range(holes)]
        for frame in held:
            bench.takes(frame)
        base = 11 + 20 * holes
        frames = [bench.frame(20_000, tcp.ACK, base + 20 * n, ack, bytes(10)) for n in range(100)]
        start = time.perf_counter()
        for frame in frames:
            bench.takes(frame)
        return time.perf_counter() - start, len(frames)

    return best(go)


def selective(spans: int) -> float:
    """One SACK block in the middle of so many spans, and finding what is lost by it."""

    def go() -> tuple[float, int]:
        board = Scoreboard()
        for number in range(spans):
            board.add(number * MSS, number * MSS + MSS, number)
        steps = min(spans // 2, 200)
        start = time.perf_counter()
        for step in range(steps):
            at = (spans // 2 + step) * MSS
            board.sack(at, at + MSS, Acked())
            board.mark_lost_by_time((step, 0), 0, spans)
        return time.perf_counter() - start, steps

    return best(go)


def main() -> None:
    result = {
        "in order, connections": {n: in_order(n) for n in CONNECTIONS},
        "out of order, holes": {n: out_of_order(n) for n in HOLES},
        "SACK, spans in flight": {n: selective(n) for n in SPANS},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
