# SPDX-License-Identifier: MIT
"""Datagrams a second through the list calls, against the kernel's UDP_SEGMENT and UDP_GRO.

    python -m tools.measure.lists [SECONDS]    on a TAP in a private namespace; one JSON object

`MEASURES` are functions (address, seconds) -> datagrams a second for a generator that runs on the
kernel's side; the subject needs `tools.services.lists.Lists`.  In: the kernel sends 60 datagrams
of 64 octets with one call as fast as it can, and the subject says how many have reached its
client.  Out: the subject sends as many in each list, when asked, and the kernel counts.  Echo: 16
such calls are under way.  "joined" has one buffer for each frame, "each" one for each datagram.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from tap.netns import join
from tools.services import lists

UDP_SEGMENT: Final = 103
UDP_GRO: Final = 104
SIZE: Final = 64
COUNT: Final = 60
_SOL_UDP: Final = 17
_SO_RCVBUFFORCE: Final = 33
_BUFFER: Final = 8 << 20
_ROOM: Final = 65536
_UNDER_WAY: Final = 16
_PATIENCE: Final = 0.2


def opened(address: str, port: int, segment: int = 0) -> socket.socket:
    """A connected socket that takes what comes together, and sends datagrams of `segment`."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    sock.setsockopt(_SOL_UDP, UDP_GRO, 1)
    if segment:
        sock.setsockopt(_SOL_UDP, UDP_SEGMENT, segment)
    sock.connect((address, port))
    return sock


def received(sock: socket.socket, flags: int = 0) -> tuple[bytes, int]:
    """What came together, and the size of its datagrams.  Raises OSError."""
    data, control, _, _ = sock.recvmsg(_ROOM, 64, flags)
    for level, kind, value in control:
        if (level, kind) == (_SOL_UDP, UDP_GRO):
            return data, int(struct.unpack("=i", value)[0])
    return data, max(len(data), 1)


def counted(address: str, port: int) -> int:
    """How many datagrams a counter has seen.  Raises OSError if it does not answer."""
    with opened(address, port) as sock:
        sock.settimeout(_PATIENCE)
        for _ in range(20):
            sock.send(b"?")
            with contextlib.suppress(TimeoutError):
                return int(sock.recv(100))
    raise OSError("the subject does not say what it counted")


def into(address: str, seconds: float, port: int) -> float:
    """From the kernel to the subject."""
    data = os.urandom(SIZE * COUNT)
    with opened(address, port, SIZE) as sock:
        before = counted(address, port)
        start = time.perf_counter()
        until = start + seconds
        while time.perf_counter() < until:
            with contextlib.suppress(OSError):  # no room at the moment
                sock.send(data)
        took = time.perf_counter() - start
        return (counted(address, port) - before) / took


def out_of(address: str, seconds: float, how: bytes) -> float:
    """From the subject to the kernel: few requests are under way, each answered with 16 lists."""
    request = b"%b %d %d %d" % (how, SIZE, COUNT, _UNDER_WAY)
    each = COUNT * _UNDER_WAY
    with opened(address, lists.SOURCE) as sock:
        sock.settimeout(_PATIENCE)
        start = time.perf_counter()
        until = start + seconds
        count, asked = 0, 0
        while time.perf_counter() < until:
            while asked - count < 4 * each:
                sock.send(request)
                asked += each
            try:
                count += len(received(sock)[0]) // SIZE
            except TimeoutError:
                asked = count  # something was lost
        return count / (time.perf_counter() - start)


def echo(address: str, seconds: float, port: int) -> float:
    """There and back."""
    data = os.urandom(SIZE * COUNT)
    with opened(address, port, SIZE) as sock:
        sock.settimeout(_PATIENCE)
        start = time.perf_counter()
        until = start + seconds
        count, under_way = 0, 0
        while time.perf_counter() < until:
            while under_way + COUNT <= _UNDER_WAY * COUNT:
                sock.send(data)
                under_way += COUNT
            try:
                got = len(received(sock)[0]) // SIZE
                count += got
                under_way -= got
            except TimeoutError:
                under_way = 0
        return count / (time.perf_counter() - start)


def singles(address: str, seconds: float, port: int = 7) -> float:
    """The same, each datagram for itself: 32 under way at the demo's echo."""
    data = os.urandom(SIZE)
    with opened(address, port) as sock:
        sock.settimeout(_PATIENCE)
        start = time.perf_counter()
        until = start + seconds
        count, under_way = 0, 0
        while time.perf_counter() < until:
            while under_way < 2 * _UNDER_WAY:
                sock.send(data)
                under_way += 1
            try:
                got = len(received(sock)[0]) // SIZE
                count += got
                under_way -= got
            except TimeoutError:
                under_way = 0
        return count / (time.perf_counter() - start)


MEASURES: Final[dict[str, Callable[[str, float], float]]] = {
    "lists_in_joined": lambda address, seconds: into(address, seconds, lists.COUNT_JOINED),
    "lists_in_each": lambda address, seconds: into(address, seconds, lists.COUNT_EACH),
    "lists_out_buffer": lambda address, seconds: out_of(address, seconds, b"buffer"),
    "lists_out_list": lambda address, seconds: out_of(address, seconds, b"list"),
    "lists_echo_joined": lambda address, seconds: echo(address, seconds, lists.ECHO_JOINED),
    "lists_echo_each": lambda address, seconds: echo(address, seconds, lists.ECHO_EACH),
    "echo_singles": singles,
}


def measured(seconds: float, wire: str = "userns") -> dict[str, dict[str, float]]:
    """Every measure over both families, and the microseconds of CPU time that the subject's
    process needed for a datagram."""
    from stack import Config
    from tap.ladder import Wish, attach
    from tools.world import DemoWorld
    from wsk_api import Subsystem

    world = DemoWorld(attach(Wish(wire=wire)), config=Config(dad=False))
    world.start()
    try:
        subsystem = Subsystem()
        subsystem.attach(world.stack.providers, world.runtime, world.stack.names)
        service = lists.Lists(subsystem)
        found: dict[str, dict[str, float]] = {}
        for address in world.addresses()[:2]:
            for name in MEASURES:
                words = [str(world.attachment.pid), name, address, str(seconds)]
                found[f"{name} {address}"] = _one(words)
        service.stop()
        return found
    finally:
        world.stop()


def _one(words: list[str]) -> dict[str, float]:
    before = time.process_time()
    command = [sys.executable, "-m", "tools.measure.lists", *words]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    answer: dict[str, float] = json.loads(run.stdout)
    cpu = time.process_time() - before
    return {"rate": answer["rate"], "cpu_us": cpu / max(answer["rate"] * answer["took"], 1) * 1e6}


def main(words: list[str]) -> Any:
    if len(words) < 2:
        return measured(float(words[0]) if words else 1.0)
    join(int(words[0]))
    start = time.perf_counter()
    rate = MEASURES[words[1]](words[2], float(words[3]))
    return {"rate": rate, "took": time.perf_counter() - start}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))
