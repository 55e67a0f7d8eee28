# SPDX-License-Identifier: MIT
"""What one TCP segment costs the stack, and how that grows: python -m tools.measure.segments

In memory, without a device: in order with so many connections beside; out of order with so many
holes held; an acknowledgment in recovery with so many spans in flight, and the scoreboard's part
of that.  Microseconds, the best of several goes, because the machine has other things to do.
`tools/bench --segments` and `tools/bench tcp` print it as a table.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Final

from stack import Config, Stack
from stack.base import addr
from stack.base.checksum import finish, pseudo_sum
from stack.base.units import MS
from stack.link.nic import Nic
from stack.tcp.loss.scoreboard import Acked, Scoreboard
from stack.transport.seam import ListenerSink, Stream, StreamSink
from stack.wire import ethernet, ipv6, tcp
from tap.clock import SystemEnv
from tap.loop import VirtualExecutor
from tap.memory import MemoryPort, wire

MSS: Final = 1000
HOLES: Final = (0, 10, 100, 1000, 10_000)
SPANS: Final = (10, 100, 1000, 10_000)
CONNECTIONS: Final = (10, 100, 1000, 10_000)
_GOES: Final = 5
_SMALL_MSS: Final = 100
_SYN_OPTIONS: Final = bytes((2, 4, 0, _SMALL_MSS, 4, 2, 1, 1, 3, 3, 14, 0))
"""Maximum segment size, SACK, and a window scale that lets everything be in flight."""
_MACS: Final = (bytes((2, 0, 0, 0, 0, 1)), bytes((2, 0, 0, 0, 0, 2)))
_PEER: Final = addr.parse("fd77::2")
_OURS: Final = addr.parse("fd77::1")


class Taker(StreamSink):
    """Takes everything and gives it back at once."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    def received(self, views: list[memoryview], count: int, flags: int) -> int:
        self.stream.grant(count)
        return count


class Door(ListenerSink):
    """Accepts everything."""

    def __init__(self) -> None:
        self.last: Taker | None = None

    def accepted(self, stream: Stream) -> StreamSink:
        self.last = Taker(stream)
        return self.last


class Bench:
    """A stack with a listener, and a peer who knows how to write segments."""

    def __init__(self) -> None:
        self.env = SystemEnv(VirtualExecutor())
        config = Config(
            dad=False,
            multicast_reports=False,
            tcp_backlog=1 << 20,
            tcp_reorder_limit=1 << 16,
            tcp_initial_window=1000,
            tcp_congestion="reno",
        )
        self.stack = Stack(self.env, config)
        port, self.far = wire(*_MACS, offload=False)
        self.port: MemoryPort = port
        self.nic: Nic = self.stack.add_nic(port, "wsk1")
        self.stack.add_address(self.nic, "fd77::1", 64)
        self.nic.neighbors.heard(_PEER, _MACS[1], create=True)
        self.door = Door()
        listener = self.stack.tcp.open_listener(addr.V6)
        listener.attach(self.door)
        listener.bind(b"", 80, 0)

    def frame(
        self, sport: int, flags: int, seq: int, ack: int, data: bytes = b"", options: bytes = b""
    ) -> bytes:
        offset = 20 + len(options) << 10
        bare = tcp.HEADER.pack(sport, 80, seq, ack, offset | flags, 65535, 0, 0) + options + data
        total = int.from_bytes(bare + bytes(len(bare) % 2), "big")
        total += pseudo_sum(_PEER, _OURS, 6, len(bare))
        bare = bare[:16] + finish(total).to_bytes(2, "big") + bare[18:]
        head = ipv6.build(0, 0, len(bare), 6, 64, _PEER, _OURS)
        return _MACS[0] + _MACS[1] + ethernet.TYPE_IPV6 + head + bare

    def takes(self, frame: bytes) -> None:
        self.stack.receive(self.nic, frame)
        self.settle()

    def sends(self, segments: int) -> None:
        """One at a time: together they would be one span."""
        assert self.door.last is not None
        for _ in range(segments):
            self.door.last.stream.send([memoryview(bytes(_SMALL_MSS))], _SMALL_MSS, 0, "sent")
            self.settle()

    def settle(self) -> None:
        """Let it send all that it may."""
        more = True
        while more:
            more = self.stack.step()
            while self.far.read() is not None:
                pass

    def connects(self, sport: int, options: bytes = b"") -> int:
        """An established connection; our first sequence number."""
        self.stack.receive(self.nic, self.frame(sport, tcp.SYN, 0, 0, options=options))
        self.stack.step()
        answer = self.far.read()
        assert answer is not None
        assert answer[67] == tcp.SYN | tcp.ACK
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
    steps = max(1000, 2 * connections)  # every other segment of a connection is answered

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

    cost = best(go)
    taken = sum(tcb.recvq.next for tcb in bench.stack.tcp.connections())
    assert taken == sum(sent) - connections, "not every segment was taken"
    return cost


def out_of_order(holes: int) -> float:
    """One segment that closes no hole, with so many held out of order."""

    def go() -> tuple[float, int]:
        bench = Bench()
        ack = bench.connects(20_000)
        # Few octets, so that ten thousand holes fit into a window without a scale.
        held = [bench.frame(20_000, tcp.ACK, 4 + 6 * n, ack, bytes(3)) for n in range(holes)]
        for frame in held:
            bench.takes(frame)
        base = 4 + 6 * holes
        frames = [bench.frame(20_000, tcp.ACK, base + 6 * n, ack, bytes(3)) for n in range(100)]
        start = time.perf_counter()
        for frame in frames:
            bench.takes(frame)
        took = time.perf_counter() - start
        last = base - 1 + 6 * (len(frames) - 1)
        kept = bench.stack.tcp.connections()[0].recvq.held_of(last, last + 3)
        assert kept == (last, last + 3), "the last segment was not kept"
        return took, len(frames)

    return best(go)


def in_flight(spans: int) -> tuple[Bench, int]:
    """A connection with so many unacknowledged segments, and the first one's sequence number."""
    bench = Bench()
    una = bench.connects(20_000, _SYN_OPTIONS)
    first = min(spans, bench.stack.config.tcp_initial_window)
    bench.sends(first)
    for _ in range(spans - first):  # slow start: one is acknowledged, two may leave
        una = una + _SMALL_MSS & 0xFFFFFFFF
        bench.takes(bench.frame(20_000, tcp.ACK, 1, una))
        bench.sends(2)
    bench.env.now += 10 * MS
    assert len(bench.stack.tcp.connections()[0].board) >= spans - 1
    return bench, una


def recovering(spans: int) -> float:
    """One ACK with news of a loss, and what is sent again for it, with so many in flight.

    Every other segment of the second half arrives; the first half is lost.
    """

    def go() -> tuple[float, int]:
        bench, una = in_flight(spans)
        frames = []
        for number in range(spans // 2 + 1, min(spans, spans // 2 + 200), 2):
            left = una + number * _SMALL_MSS
            block = bytes((1, 1, 5, 10)) + b"".join(
                (edge & 0xFFFFFFFF).to_bytes(4, "big") for edge in (left, left + _SMALL_MSS)
            )
            frames.append(bench.frame(20_000, tcp.ACK, 1, una, options=block))
        bench.takes(frames[0])  # this one finds what is lost
        start = time.perf_counter()
        for frame in frames[1:]:
            bench.takes(frame)
        took = time.perf_counter() - start
        assert bench.stack.tcp.connections()[0].board.lost
        return took, len(frames) - 1

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
        "in recovery, spans in flight": {n: recovering(n) for n in SPANS},
        "the scoreboard alone, spans": {n: selective(n) for n in SPANS},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
