# SPDX-License-Identifier: MIT
"""The load generator where there is no C compiler: the same words, a process for each connection.

    python -m tools.measure.generator PID VERB [name=value ...]

load/load.c says what each verb does and answers; this one is slower, so that a figure may be the
generator's.  The super-frames of datagrams (segments=) and digests are the C program's alone; what
is received in bulk is compared with the pattern at the ends of each piece there too.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import statistics
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tap.netns import join
from tools.measure.loader import HOT
from tools.peer import CheckFailed, ping_once

_TCP_CONGESTION: Final = 13
_CHUNK: Final = 1 << 18
_EDGE: Final = 64
_MESSAGE: Final = 64
_PATIENCE: Final = 5.0
_COUNT: Final = struct.Struct("=Q")
_WISH: Final = struct.Struct("!HH")
_PORTS: Final = {
    "in": 9,
    "out": 19,
    "trips": 7,
    "echo": 7,
    "sink": 9,
    "burst": 19,
    "connect": 20,
    "hold": 9,
}

Answer = dict[str, Any]


class Words:
    """What we were told: name=value."""

    def __init__(self, verb: str, words: list[str]) -> None:
        self._told = dict(word.split("=", 1) for word in words)
        self.address = self._told.get("address", "")
        self.port = int(self._told.get("port", _PORTS.get(verb, 0)))
        self.seconds = float(self._told.get("seconds", 1))
        self.family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        self.pattern = memoryview(Path(self._told["pattern"]).read_bytes())
        self.period = len(self.pattern) if self.number("cold", 0) else HOT

    def number(self, name: str, otherwise: int) -> int:
        """A number."""
        return int(float(self._told.get(name, otherwise)))

    def text(self, name: str, otherwise: str) -> str:
        """A word."""
        return self._told.get(name, otherwise)


def connected(told: Words) -> socket.socket:
    """A connection with the congestion control that was asked for."""
    sock = socket.socket(told.family, socket.SOCK_STREAM)
    sock.setsockopt(socket.IPPROTO_TCP, _TCP_CONGESTION, told.text("cc", "reno").encode())
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.settimeout(_PATIENCE)
    sock.connect((told.address, told.port))
    return sock


def datagrams(told: Words, port: int = 0) -> socket.socket:
    """A UDP socket to a service."""
    sock = socket.socket(told.family, socket.SOCK_DGRAM)
    sock.connect((told.address, port or told.port))
    return sock


def _each(told: Words, work: Callable[[socket.socket, float], tuple[int, int]]) -> Answer:
    """`work` on every connection, in a process each; (octets, wrong) are added up."""
    socks = [connected(told) for _ in range(told.number("connections", 1))]
    start = time.perf_counter()
    pipes = []
    for sock in socks:
        read, write = os.pipe()
        if os.fork() == 0:
            result = work(sock, start)
            os.write(write, struct.pack("=QQd", *result, time.process_time()))
            os._exit(0)
        os.close(write)
        pipes.append(read)
    for sock in socks:
        sock.close()  # the peer's FIN is for the child alone to see
    results = [struct.unpack("=QQd", os.read(read, 24)) for read in pipes]
    return {
        "octets": sum(octets for octets, _, _ in results),
        "wrong": sum(wrong for _, wrong, _ in results),
        "seconds": time.perf_counter() - start,
        "cpu": time.process_time() + sum(cpu for _, _, cpu in results),
        "resent": 0,
        "digest": "",
        "congestion": told.text("cc", "reno"),
    }


def into(told: Words) -> Answer:
    """Bulk data into the subject."""

    def work(sock: socket.socket, start: float) -> tuple[int, int]:
        count = 0
        while time.perf_counter() < start + told.seconds:
            at = count % told.period
            count += sock.send(told.pattern[at : min(at + _CHUNK, told.period)])
        sock.shutdown(socket.SHUT_WR)
        return count, len(sock.recv(1))

    _only_without_digests(told)
    return _each(told, work)


def out(told: Words) -> Answer:
    """Bulk data out of the subject."""

    def work(sock: socket.socket, start: float) -> tuple[int, int]:
        buffer = memoryview(bytearray(_CHUNK))
        count = wrong = 0
        while time.perf_counter() < start + told.seconds:
            size = sock.recv_into(buffer)
            if not size:
                raise SystemExit("the source ended")
            edge = min(size, _EDGE)
            last = count + size - edge
            wrong += not _alike(told, buffer[:edge], count)
            wrong += not _alike(told, buffer[size - edge : size], last)
            count += size
        return count, wrong

    _only_without_digests(told)
    return _each(told, work)


def _alike(told: Words, data: memoryview, at: int) -> bool:
    at %= told.period
    room = min(len(data), told.period - at)
    rest = len(data) - room
    return data[:room] == told.pattern[at : at + room] and data[room:] == told.pattern[:rest]


def _only_without_digests(told: Words) -> None:
    if told.number("octets", 0):
        raise OSError("digests need the generator in C, and that a compiler")


def _times(times: list[float], start: float) -> Answer:
    times.sort()
    return {
        "count": len(times),
        "seconds": time.perf_counter() - start,
        "cpu": time.process_time(),
        "min": times[0],
        "p50": statistics.median(times),
        "p99": times[len(times) * 99 // 100],
    }


def trips(told: Words) -> Answer:
    """One request in flight."""
    sock = datagrams(told) if told.text("proto", "tcp") == "udp" else connected(told)
    sock.settimeout(1)
    data = bytes(told.pattern[: told.number("size", _MESSAGE)])
    times: list[float] = []
    start = before = now = time.perf_counter()
    while now < start + told.seconds:
        sock.send(data)
        left = len(data)
        while left:
            left -= len(sock.recv(left))
        now = time.perf_counter()
        times.append(now - before)
        before = now
    return _times(times, start)


def ping(told: Words) -> Answer:
    """ICMP echo every two milliseconds."""
    start = time.perf_counter()
    times: list[float] = []
    while time.perf_counter() < start + told.seconds:
        times.append(ping_once(told.address, len(times)))
        time.sleep(0.002)
    return _times(times, start)


def first(told: Words) -> Answer:
    """Until one ping is answered."""
    start = time.perf_counter()
    ping_once(told.address, 0)
    return {"seconds": time.perf_counter() - start}


def _counted(count: int, start: float, **more: int) -> Answer:
    took = time.perf_counter() - start
    return {"count": count, "seconds": took, "cpu": time.process_time(), **more}


def _one_by_one(told: Words) -> None:
    if told.number("segments", 1) > 1:
        raise OSError("super-frames need the generator in C, and that a compiler")


def echo(told: Words) -> Answer:
    """A window of datagrams in flight; lost ones are replaced."""
    _one_by_one(told)
    sock = datagrams(told)
    sock.setblocking(False)
    data, window = bytes(told.pattern[: told.number("size", 64)]), told.number("window", 64)
    waiting = selectors.DefaultSelector()
    waiting.register(sock, selectors.EVENT_READ)
    count = lost = 0
    start = time.perf_counter()
    for _ in range(window):
        sock.send(data)
    while time.perf_counter() < start + told.seconds:
        if not waiting.select(0.1):
            lost += window
            for _ in range(window):
                sock.send(data)
        try:
            while True:
                sock.recv(2048)
                count += 1
                sock.send(data)
        except BlockingIOError:
            continue
    return _counted(count, start, lost=lost)


def _arrived(sock: socket.socket) -> int:
    sock.settimeout(0.1)
    for _ in range(50):
        sock.send(b"?")
        try:
            count: int = _COUNT.unpack(sock.recv(8))[0]
        except TimeoutError:
            continue
        return count
    raise OSError("the sink does not say how many came")


def sink(told: Words) -> Answer:
    """A flood; how many arrived."""
    _one_by_one(told)
    sock, asked = datagrams(told), datagrams(told, 10)
    data = bytes(told.pattern[: told.number("size", 64)])
    before = _arrived(asked)
    start = time.perf_counter()
    while time.perf_counter() < start + told.seconds:
        for _ in range(32):
            sock.send(data)
    return _counted(_arrived(asked) - before, start)


def burst(told: Words) -> Answer:
    """Bursts that were asked for."""
    sock = datagrams(told)
    sock.settimeout(0.1)
    many = told.number("burst", 64)
    wish = _WISH.pack(many, told.number("size", 64))
    count = expected = 0
    start = time.perf_counter()
    while time.perf_counter() < start + told.seconds:
        while expected <= many:
            sock.send(wish)
            expected += many
        try:
            sock.recv(2048)
        except TimeoutError:
            expected = 0
            continue
        count += 1
        expected -= 1
    return _counted(count, start)


def connect(told: Words) -> Answer:
    """Connections, so many processes at a time: request, response, FIN."""
    data = bytes(told.pattern[:_MESSAGE])

    def work(start: float) -> int:
        count = 0
        while time.perf_counter() < start + told.seconds:
            with connected(told) as sock:
                sock.send(data)
                while sock.recv(_MESSAGE):
                    pass
            count += 1
        return count

    start = time.perf_counter()
    pipes = []
    for _ in range(told.number("together", 1)):
        read, write = os.pipe()
        if os.fork() == 0:
            os.write(write, _COUNT.pack(work(start)))
            os._exit(0)
        os.close(write)
        pipes.append(read)
    return _counted(sum(_COUNT.unpack(os.read(read, 8))[0] for read in pipes), start)


def hold(told: Words) -> Answer:
    """Idle connections, until standard input ends."""
    kept = [connected(told) for _ in range(told.number("connections", 1000))]
    print(json.dumps({"held": len(kept)}), flush=True)
    sys.stdin.read()
    return {"held": 0}


VERBS: Final[dict[str, Callable[[Words], Answer]]] = {
    "in": into,
    "out": out,
    "trips": trips,
    "ping": ping,
    "first": first,
    "echo": echo,
    "sink": sink,
    "burst": burst,
    "connect": connect,
    "hold": hold,
}


def main() -> None:
    if int(sys.argv[1]):
        join(int(sys.argv[1]))
    verb = sys.argv[2]
    try:
        answer = VERBS[verb](Words(verb, sys.argv[3:]))
    except (OSError, CheckFailed) as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
