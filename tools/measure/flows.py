# SPDX-License-Identifier: MIT
"""Connections that fill a wire both ways, with the kernel's own sockets.

    python -m tools.measure.flows PID CONGESTION

joins the namespaces of PID, reads one JSON object per line {"address": A, "flows": N, "settle": S,
"seconds": S} and answers each with {"out": bit/s, "in": bit/s, "resent": share, "round_trip": s}
or {"error": text}.  `out` leaves the subject at A (its character source), `in` enters it (its
discard service); N connections each way at once, counted from when all have run for `settle`.
"""

from __future__ import annotations

import json
import os
import select
import selectors
import socket
import statistics
import struct
import sys
import time
from typing import Final

from tap.netns import join

congestion = b"reno"

_TCP_CONGESTION: Final = 13
_CHUNK: Final = 1 << 18
_DISCARD: Final = 9
_CHARACTERS: Final = 19
_PATIENCE: Final = 10.0
_TCP_INFO: Final = 11
_SEGMENT: Final = 16
_RTT: Final = 68
_TOTAL_RETRANS: Final = 100
_BYTES_ACKED: Final = 120


class Info:
    """The few fields of Linux's struct tcp_info that are wanted."""

    def __init__(self, sock: socket.socket) -> None:
        raw = sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 256)
        (self.mss,) = struct.unpack_from("=I", raw, _SEGMENT)
        (self.round_trip_us,) = struct.unpack_from("=I", raw, _RTT)
        (self.resent,) = struct.unpack_from("=I", raw, _TOTAL_RETRANS)
        (self.acked,) = struct.unpack_from("=Q", raw, _BYTES_ACKED)


class Flows:
    """So many connections to either service of one subject."""

    def __init__(self, address: str, count: int) -> None:
        self._buffer = bytearray(_CHUNK)
        self._block = os.urandom(_CHUNK)
        self._waiting = selectors.DefaultSelector()
        self.received = 0
        self.senders = [_connecting(address, _DISCARD) for _ in range(count)]
        self.receivers = [_connecting(address, _CHARACTERS) for _ in range(count)]
        _connected(self.senders + self.receivers)
        for sock in self.senders:
            self._waiting.register(sock, selectors.EVENT_WRITE)
        for sock in self.receivers:
            self._waiting.register(sock, selectors.EVENT_READ)

    def run(self, seconds: float) -> float:
        """Keep everything moving; the time that took."""
        start = time.perf_counter()
        while (left := start + seconds - time.perf_counter()) > 0:
            for key, events in self._waiting.select(left):
                sock = key.fileobj
                assert isinstance(sock, socket.socket)
                try:
                    if events & selectors.EVENT_READ:
                        self.received += sock.recv_into(self._buffer)
                    else:
                        sock.send(self._block)
                except BlockingIOError:
                    continue
        return time.perf_counter() - start

    def infos(self) -> list[Info]:
        """Of the connections that send."""
        return [Info(sock) for sock in self.senders]

    def close(self) -> None:
        """With resets: what is still queued would load the wire of the next run."""
        self._waiting.close()
        for sock in self.senders + self.receivers:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.close()


def _connecting(address: str, port: int) -> socket.socket:
    """A connection under way: one SYN after the other would take a round trip each."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.IPPROTO_TCP, _TCP_CONGESTION, congestion)
    sock.setblocking(False)
    sock.connect_ex((address, port))
    return sock


def _connected(socks: list[socket.socket]) -> None:
    """Wait for all of them.  Raises OSError."""
    until = time.monotonic() + _PATIENCE
    for sock in socks:
        select.select((), [sock], (), max(until - time.monotonic(), 0))
        if error := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(error, os.strerror(error))
        sock.getpeername()  # ENOTCONN if it has taken too long


def measure(address: str, flows: int, settle: float, seconds: float) -> dict[str, float]:
    """One run."""
    running = Flows(address, flows)
    running.run(settle)
    before, running.received = running.infos(), 0
    took = running.run(seconds)
    after = running.infos()
    received = running.received
    running.close()
    acked = sum(info.acked for info in after) - sum(info.acked for info in before)
    resent = sum(info.resent for info in after) - sum(info.resent for info in before)
    return {
        "out": received * 8 / took,
        "in": acked * 8 / took,
        "resent": resent * after[0].mss / acked if acked else 0.0,
        "round_trip": statistics.median(info.round_trip_us for info in after) / 1e6,
    }


def main() -> None:
    global congestion
    join(int(sys.argv[1]))
    congestion = sys.argv[2].encode()
    for line in sys.stdin:
        try:
            answer: dict[str, object] = {**measure(**json.loads(line))}
        except OSError as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
