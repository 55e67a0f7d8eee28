# SPDX-License-Identifier: MIT
"""Every example does what it says, on the in-memory wire as `tools/demo --with` brings it up."""

from __future__ import annotations

import asyncio
import hashlib
import runpy
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stack.base import addr
from stack.base.units import SECOND
from tap.ladder import Wish, attach
from tap.thread import ThreadRuntime
from tests.facade.kit import Pair
from tests.harness import World
from tests.tap.test_runtimes import two_stacks
from tools.guests import Guest
from tools.world import Host, MemoryWorld
from wsk_api import Subsystem
from wsk_api.facade import BlockingClient, BlockingConnection

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
ECHOES = ["echo_facade", "echo_requests", "echo_events"]
DATA = bytes(range(256)) * 1000


def example(name: str) -> Guest:
    return Guest(ROOT / "examples" / f"{name}.py")


@pytest.fixture(scope="module")
def demo() -> Iterator[MemoryWorld]:
    world = MemoryWorld(attach(Wish(wire="memory")), guests=tuple(EXAMPLES))
    world.start()
    for _, host in world.hosts():
        for name in ECHOES:
            await_service(host("tcp", example(name).port))
    yield world
    world.stop()
    assert world.stack.tcp.connections() == []


@pytest.fixture
def host(demo: MemoryWorld, family: int) -> Host:
    wanted = 4 if family == addr.V4 else 6
    return next(host for number, host in demo.hosts() if number == wanted)


def await_service(at: tuple[str, int]) -> None:
    """A coroutine begins on a thread of its own: its listener may come a moment after the demo."""
    for _ in range(200):
        try:
            if talk(at, b"?") == b"?":
                return
        except OSError:
            pass
        time.sleep(0.02)
    raise AssertionError(f"nobody serves {at}")


def talk(at: tuple[str, int], data: bytes) -> bytes:
    """Send everything, finish, and read to the end."""
    with socket.create_connection(at, 30) as peer:
        peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)
        with peer.makefile("rb") as answer:
            return answer.read()


@pytest.mark.parametrize("name", ECHOES)
def test_echoes(host: Host, name: str) -> None:
    assert talk(host("tcp", example(name).port), DATA) == DATA


def test_shout(host: Host) -> None:
    assert talk(host("tcp", example("shout").port), b"hello") == b"HELLO"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", b"200"),
        (b"HEAD /plain HTTP/1.0\r\n\r\n", b"200"),
        (b"GET /no HTTP/1.0\r\n\r\n", b"404"),
        (b"POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + bytes(100_000), b"405"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"x" * 100_000, b"431"),
    ],
)
def test_http(host: Host, request_: bytes, status: bytes) -> None:
    answer = talk(host("tcp", example("http_facade").port), request_)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == status
    length = next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Length"))
    assert len(body) == (0 if request_.startswith(b"HEAD") else int(length.split()[1]))


def test_http_keeps_alive(host: Host) -> None:
    get = b"GET / HTTP/1.1\r\n\r\n"
    answer = talk(host("tcp", example("http_facade").port), get * 3)
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert b"request number 3" in answer


def test_the_meter_counts(family: int, capsys: pytest.CaptureFixture[str]) -> None:
    """In virtual time it is exact: a datagram of 125 octets every millisecond."""
    pair = Pair(World(seed=1), family)
    serve = runpy.run_path(str(ROOT / "examples" / "udp_meter.py"))["serve"]

    async def main() -> None:
        metering = asyncio.create_task(serve(pair.far))
        async with pair.client() as client, client.datagram() as near:
            await asyncio.sleep(0.0005)
            for _ in range(2000):
                await near.send_to(bytes(125), pair.at(5001))
                await asyncio.sleep(0.001)
            await asyncio.sleep(2)
        metering.cancel()
        await asyncio.wait([metering])

    pair.run(main())
    assert capsys.readouterr().out == "1.00 kpps, 1.00 Mbit/s\n" * 2


@pytest.mark.slow
def test_the_meter_floods_itself() -> None:
    """As a program: lines with rates, and a quiet end."""
    program = (
        "import asyncio, runpy; "
        "names = runpy.run_path('examples/udp_meter.py'); "
        "asyncio.run(names['main'](64, 1.2))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert result.stderr == ""
    rate = float(result.stdout.split(" kpps")[0])
    assert rate > 0.1


@pytest.mark.parametrize("name", ECHOES)
def test_an_echo_is_stopped_with_connections_open(name: str) -> None:
    """The worker model's own end: nothing hangs, the peer is told."""
    runtime = ThreadRuntime()
    a, b = two_stacks(runtime)
    with runtime:
        subsystem = Subsystem()
        subsystem.attach(b.providers, runtime)
        guest = example(name)
        guest.serve(subsystem)
        with BlockingClient(a) as client:
            near = connect(client, guest.port)
            near.send(DATA)
            got = hashlib.sha256(near.receive_exactly(len(DATA))).digest()
            assert got == hashlib.sha256(DATA).digest()
            guest.stop()
            with pytest.raises(ConnectionResetError):
                near.receive(timeout=20)
        assert runtime.wait(lambda: b.tcp.connections() == [], 20 * SECOND)
    assert runtime.failure is None


def connect(client: BlockingClient, port: int) -> BlockingConnection:
    """The guest's listener may be a moment away."""
    while True:
        try:
            return client.connect(("fd77::2", port))
        except ConnectionRefusedError:
            continue


def test_examples_can_be_seen_whole() -> None:
    for path in EXAMPLES:
        lines = [line for line in path.read_text().splitlines() if line.strip()]
        assert len(lines) < 80, path
