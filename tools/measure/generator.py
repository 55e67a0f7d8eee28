# SPDX-License-Identifier: MIT
"""Loads both subjects of a benchmark alike, with the kernel's own sockets.

    python -m tools.measure.generator PID CONGESTION

joins the namespaces of PID, reads one JSON object per line {"measure": name, "address": A,
"seconds": S} and answers each with {"value": number} or {"error": text}.
"""

from __future__ import annotations

import json
import os
import select
import socket
import statistics
import sys
import time
from collections.abc import Callable
from typing import Final

from tap import kernel
from tap.netns import join
from tools.peer import CheckFailed, ping_once

BLOCK: Final = 1 << 18
_WINDOW: Final = 32
"""Datagrams in flight of the UDP echo."""
_DATAGRAM: Final = 64
_TCP_CONGESTION: Final = 13
_PATIENCE: Final = 5.0

congestion = b"reno"


def unconnected(address: str) -> socket.socket:
    """A socket with the congestion control that was asked for."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.IPPROTO_TCP, _TCP_CONGESTION, congestion)
    return sock


def tcp(address: str, port: int) -> socket.socket:
    """A connection."""
    sock = unconnected(address)
    sock.settimeout(_PATIENCE)
    sock.connect((address, port))
    return sock


def tcp_in(address: str, seconds: float) -> float:
    """bit/s into the subject, counted until it has closed after the last octet."""
    block = os.urandom(BLOCK)
    with tcp(address, 9) as sock:
        count = 0
        start = time.perf_counter()
        until = start + seconds
        while time.perf_counter() < until:
            sock.sendall(block)
            count += BLOCK
        sock.shutdown(socket.SHUT_WR)
        sock.recv(1)
        return count * 8 / (time.perf_counter() - start)


def tcp_out(address: str, seconds: float) -> float:
    """bit/s out of the subject."""
    buffer = bytearray(BLOCK)
    with tcp(address, 19) as sock:
        count = 0
        start = time.perf_counter()
        until = start + seconds
        while time.perf_counter() < until:
            count += sock.recv_into(buffer)
        return count * 8 / (time.perf_counter() - start)


def round_trips(address: str, seconds: float) -> float:
    """TCP requests of one octet per second, one in flight."""
    with tcp(address, 7) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        count = 0
        start = time.perf_counter()
        until = start + seconds
        while time.perf_counter() < until:
            sock.send(b"x")
            sock.recv(1)
            count += 1
        return count / (time.perf_counter() - start)


def udp_echo(address: str, seconds: float) -> float:
    """Datagrams echoed per second, a window of them in flight; a lost one is replaced."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    data = os.urandom(_DATAGRAM)
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect((address, 7))
        sock.setblocking(False)
        count = 0
        start = time.perf_counter()
        until = start + seconds
        for _ in range(_WINDOW):
            sock.send(data)
        while time.perf_counter() < until:
            if not select.select([sock], (), (), 0.1)[0]:
                for _ in range(_WINDOW):
                    sock.send(data)
                continue
            try:
                while True:
                    sock.recv(2048)
                    count += 1
                    sock.send(data)
            except BlockingIOError:
                pass
        return count / (time.perf_counter() - start)


def ping(address: str, seconds: float) -> float:
    """Median round trip of ICMP echo, in seconds."""
    return statistics.median(ping_once(address, number) for number in range(int(200 * seconds)))


def connections(address: str, seconds: float) -> float:
    """Connections per second, one after the other: connect, one octet there and back, close."""
    count = 0
    start = time.perf_counter()
    until = start + seconds
    while time.perf_counter() < until:
        with tcp(address, 7) as sock:
            # Closing with a reset keeps TIME-WAIT from using up the ports.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.send(b"x")
            sock.recv(1)
        count += 1
    return count / (time.perf_counter() - start)


MEASURES: Final[dict[str, Callable[[str, float], float]]] = {
    "tcp_in": tcp_in,
    "tcp_out": tcp_out,
    "round_trips": round_trips,
    "udp_echo": udp_echo,
    "ping": ping,
    "connections": connections,
}


def main() -> None:
    global congestion
    join(int(sys.argv[1]))
    congestion = sys.argv[2].encode()
    # The baseline has made its link by now; this end is ours to configure.
    kernel.configure("wskb0", int(sys.argv[3]), (("10.78.0.1", 24), ("fd78::1", 64)))
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            value = MEASURES[asked["measure"]](asked["address"], asked["seconds"])
            answer: dict[str, object] = {"value": value}
        except (OSError, CheckFailed) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
