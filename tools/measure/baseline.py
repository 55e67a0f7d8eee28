# SPDX-License-Identifier: MIT
"""What the stack is compared with: the same services in Python on the kernel's sockets.

    python -m tools.measure.baseline PID CONGESTION [PATTERN]

serves in the namespaces of PID, 0 for the present ones, until its input closes: on TCP echo 7,
discard 9, digest 10, sources 19 and 29 and respond 20, on UDP echo 7, sink 9 and how many 10,
burst 19; load/common.h says what each does.  A process for each kind, blocking where one socket is
all it has: as lean as Python on kernel sockets gets.
"""

from __future__ import annotations

import contextlib
import os
import random
import selectors
import signal
import socket
import struct
import sys
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tap.netns import join
from tools.measure.loader import HOT

_TCP_CONGESTION: Final = 13
_CHUNK: Final = 1 << 18
_SEND: Final = 1 << 20
_MESSAGE: Final = 64
_WISH: Final = struct.Struct("!HH")
_COUNT: Final = struct.Struct("=Q")
_HOT: Final = 19
_COLD: Final = 29
_BULK: Final = (7, 9, 10, _HOT, _COLD)


def listening(port: int, congestion: bytes) -> socket.socket:
    """A listener for both families."""
    made = socket.create_server(
        ("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024
    )
    made.setsockopt(socket.IPPROTO_TCP, _TCP_CONGESTION, congestion)
    return made


def datagrams(port: int) -> socket.socket:
    """A UDP socket for both families."""
    made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    made.bind(("::", port))
    return made


@dataclass(slots=True)
class Flow:
    """A connection, or a listener, of the bulk services."""

    port: int
    listener: bool
    count: int = 0
    crc: int = 0


class Bulk:
    """TCP services on one thread with one selector."""

    def __init__(self, congestion: bytes, pattern: bytes) -> None:
        self._pattern = memoryview(pattern)
        self._periods = {_HOT: min(HOT, len(pattern)), _COLD: len(pattern)}
        self._buffer = bytearray(_CHUNK)
        self._view = memoryview(self._buffer)
        self._waiting = selectors.DefaultSelector()
        for port in _BULK:
            made = listening(port, congestion)
            made.setblocking(False)
            self._waiting.register(made, selectors.EVENT_READ, Flow(port, True))

    def run(self) -> None:
        """For ever."""
        while True:
            for key, _ in self._waiting.select():
                assert isinstance(key.fileobj, socket.socket)
                try:
                    going = self._ready(key.fileobj, key.data)
                except BlockingIOError:
                    continue
                except OSError:
                    going = False
                if not going:
                    self._waiting.unregister(key.fileobj)
                    key.fileobj.close()

    def _ready(self, sock: socket.socket, flow: Flow) -> bool:
        if flow.listener:
            made, _ = sock.accept()
            made.setblocking(False)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            way = selectors.EVENT_WRITE if flow.port in self._periods else selectors.EVENT_READ
            self._waiting.register(made, way, Flow(flow.port, False))
            return True
        if flow.port in self._periods:
            period = self._periods[flow.port]
            at = flow.count % period
            flow.count += sock.send(self._pattern[at : min(at + _SEND, period)])
            return True
        size = sock.recv_into(self._buffer)
        if not size:
            if flow.port == 10:
                sock.send(b"%08x%016x" % (flow.crc, flow.count))
            return False
        flow.count += size
        if flow.port == 10:
            flow.crc = zlib.crc32(self._view[:size], flow.crc)
        elif flow.port == 7:
            sock.send(self._view[:size])
        return True


def respond(congestion: bytes, pattern: bytes) -> None:
    """One request, one response, FIN."""
    door = listening(20, congestion)
    while True:
        sock, _ = door.accept()
        with sock, contextlib.suppress(OSError):
            sock.send(sock.recv(_MESSAGE))


def echo(congestion: bytes, pattern: bytes) -> None:
    """Datagrams, back."""
    sock = datagrams(7)
    receive, send = sock.recvfrom, sock.sendto
    while True:
        data, source = receive(2048)
        send(data, source)


def sink(congestion: bytes, pattern: bytes) -> None:
    """Datagrams, counted; and how many those were."""
    sock, asked = datagrams(9), datagrams(10)
    sock.setblocking(False)
    receive, buffer = sock.recv_into, bytearray(2048)
    waiting = selectors.DefaultSelector()
    waiting.register(sock, selectors.EVENT_READ)
    waiting.register(asked, selectors.EVENT_READ)
    count = 0
    while True:
        ready = {key.fileobj for key, _ in waiting.select()}
        if sock in ready:
            with contextlib.suppress(BlockingIOError):
                while True:
                    receive(buffer)
                    count += 1
        if asked in ready:
            _, source = asked.recvfrom(8)
            asked.sendto(_COUNT.pack(count), source)


def burst(congestion: bytes, pattern: bytes) -> None:
    """As many datagrams of a size as a request asks for."""
    sock = datagrams(19)
    send = sock.sendto
    while True:
        wish, source = sock.recvfrom(8)
        count, size = _WISH.unpack(wish)
        data = pattern[:size]
        for _ in range(count):
            send(data, source)


def bulk(congestion: bytes, pattern: bytes) -> None:
    """`Bulk`."""
    Bulk(congestion, pattern).run()


_SERVICES: Final[tuple[Callable[[bytes, bytes], None], ...]] = (bulk, respond, echo, sink, burst)


def main() -> None:
    if int(sys.argv[1]):
        join(int(sys.argv[1]))
    congestion = sys.argv[2].encode()
    pattern = Path(sys.argv[3]).read_bytes() if len(sys.argv) > 3 else None
    children = []
    for service in _SERVICES:
        child = os.fork()
        if child == 0:
            service(congestion, pattern or random.Random(1).randbytes(_CHUNK * 4))
            os._exit(1)
        children.append(child)
    until_listening(20)
    print("ready", flush=True)
    sys.stdin.read()
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def until_listening(port: int) -> None:
    """Wait until the services are there."""
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("::1", port), 1) as sock:
            sock.send(bytes(_MESSAGE))
            sock.recv(_MESSAGE)
            return
        time.sleep(0.01)


if __name__ == "__main__":
    main()
