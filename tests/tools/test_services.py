# SPDX-License-Identifier: MIT
"""The demo services as a peer sees them, in virtual time, over both families."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stack.base import addr
from stack.base.units import SECOND
from tap.impair import Impairment
from tap.thread import ThreadRuntime
from tests.harness import Host, World
from tests.tap.test_runtimes import two_stacks
from tests.tcp.users import User, connect
from tests.wsk.kit import Party
from tools.guests import Guest
from tools.services.echo import CHARACTERS, CharacterSource, Discard, Echo
from tools.services.http import Http
from tools.services.wskecho import EchoServer
from wsk_api import Subsystem

ROOT = Path(__file__).resolve().parent.parent.parent


class Client:
    """A raw TCP client of one service on another host."""

    def __init__(
        self,
        world: World,
        family: int,
        make: Callable[[Subsystem], Any],
        port: int,
        wire: Impairment | None = None,
    ) -> None:
        self.world = world
        self.a: Host
        self.b: Host
        self.a, self.b = world.pair(there=wire, back=wire)
        self.service = make(Party(world, self.b).subsystem)
        self.port = port
        self.family = family
        self.user = self.connect()

    def connect(self) -> User:
        user = connect(self.a, self.b.address(self.family), self.port)
        self.world.run(10**9)
        assert user.events == [("connect", "OK", 0)]
        return user

    def ask(self, data: bytes) -> bytes:
        before = len(self.user.data)
        self.user.send(data)
        self.world.run(30 * 10**9)
        return self.user.data[before:]

    def gone(self) -> bool:
        """Nothing of any connection is left on the serving side."""
        self.world.run(10**9)
        return self.b.stack.tcp.connections() == []


@pytest.fixture
def http(world: World, family: int) -> Client:
    return Client(world, family, lambda subsystem: Http(subsystem, 80), 80)


def get(path: bytes, method: bytes = b"GET", more: bytes = b"") -> bytes:
    return method + b" " + path + b" HTTP/1.1\r\nHost: x\r\n" + more + b"\r\n"


def test_page_and_keep_alive(http: Client) -> None:
    for _ in range(3):
        answer = http.ask(get(b"/"))
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"It works" in answer
    assert "finished" not in http.user.events


def test_head_has_no_body(http: Client) -> None:
    answer = http.ask(get(b"/", b"HEAD"))
    assert answer.endswith(b"\r\n\r\n")
    assert b"content-length: " in answer


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_bytes(http: Client, size: int) -> None:
    head, _, body = http.ask(get(b"/bytes/%d?digest" % size)).partition(b"\r\n\r\n")
    assert b"content-length: %d" % size in head
    assert len(body) == size
    digest = http.ask(get(b"/sha256")).split(b"\r\n\r\n")[1].strip()
    assert digest.decode() == hashlib.sha256(body).hexdigest()


def test_post_sha256(http: Client) -> None:
    body = bytes(range(256)) * 5000
    answer = http.ask(get(b"/sha256", b"POST", b"Content-Length: %d\r\n" % len(body)) + body)
    assert hashlib.sha256(body).hexdigest().encode() in answer


def test_chunked_post(http: Client) -> None:
    request = get(b"/sha256", b"POST", b"Transfer-Encoding: chunked\r\n")
    answer = http.ask(request + b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")
    assert hashlib.sha256(b"abcdefg").hexdigest().encode() in answer


def test_pipelining(http: Client) -> None:
    answer = http.ask(get(b"/bytes/3000000") + get(b"/") + get(b"/nothing"))
    assert answer.count(b"HTTP/1.1 200 ") == 2
    assert answer.count(b"HTTP/1.1 404 ") == 1


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (get(b"/nothing"), b"404"),
        (get(b"/", b"DELETE"), b"405"),
        (get(b"/bytes/99999999999"), b"404"),
        (b"\x16\x03\x01 nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"A" * 100_000, b"431"),
    ],
)
def test_refused(http: Client, request_: bytes, status: bytes) -> None:
    assert http.ask(request_).split()[1] == status


def test_connection_close(http: Client) -> None:
    http.ask(get(b"/", more=b"Connection: close\r\n"))
    assert "finished" in http.user.events
    http.user.stream.disconnect("bye")
    assert http.gone()


def test_a_client_that_asks_without_reading_is_cut_off(http: Client) -> None:
    http.user.limit = 0
    http.ask(get(b"/bytes/100000000"))
    http.ask(get(b"/") * 20_000)
    assert ("aborted", "RESET") in http.user.events
    assert http.gone()


def test_echo_keeps_nothing(world: World, family: int) -> None:
    client = Client(world, family, lambda subsystem: Echo(subsystem, 7), 7)
    data = bytes(range(256)) * 8000
    assert client.ask(data) == data
    client.user.stream.disconnect("bye")
    world.run(10**9)
    assert "finished" in client.user.events
    assert client.gone()


def test_a_peer_of_echo_that_does_not_read_slows_itself(world: World, family: int) -> None:
    client = Client(world, family, lambda subsystem: Echo(subsystem, 7), 7)
    client.user.limit = 0
    data = bytes(range(256)) * 80_000
    client.ask(data)
    assert ("send", "OK", len(data)) not in client.user.events
    client.user.limit = 1 << 62
    client.user.stream.resume()
    world.run(600 * 10**9)
    assert client.user.data == data


def test_discard_takes_everything(world: World, family: int) -> None:
    client = Client(world, family, lambda subsystem: Discard(subsystem, 9), 9)
    assert client.ask(bytes(5_000_000)) == b""
    assert ("send", "OK", 5_000_000) in client.user.events


def test_characters(world: World, family: int) -> None:
    slow = Impairment(rate=10_000_000)  # for ever is long on a wire without a rate
    client = Client(world, family, lambda subsystem: CharacterSource(subsystem, 19), 19, slow)
    client.user.limit = 500_000
    world.run(10**9)
    assert CHARACTERS[:7400] == client.user.data[:7400]
    client.user.stream.abort()
    assert client.gone()


class Real:
    """The WSK sample has a worker thread of its own, so its world runs on the real clock."""

    def __init__(self, style: str) -> None:
        self.runtime = ThreadRuntime()
        self.a, self.b = two_stacks(self.runtime)
        self.runtime.start()
        subsystem = Subsystem()
        subsystem.attach(self.b.providers, self.runtime)
        self.service = EchoServer(subsystem, style=style)

    def inside(self, work: Callable[[], Any]) -> Any:
        box: list[Any] = []
        self.runtime.submit(lambda: box.append(work()))
        self.until(lambda: bool(box))
        return box[0]

    def until(self, condition: Callable[[], bool]) -> None:
        assert self.runtime.wait(condition, 20 * SECOND)

    def connect(self, address: str) -> User:
        def begin() -> User:
            stream = self.a.tcp.open_stream(addr.V4 | addr.V6)
            user = User(stream)
            stream.attach(user)
            stream.bind(b"", 0, 0)
            stream.connect(addr.parse(address), 40007, 0, "connect")
            return user

        user: User = self.inside(begin)
        self.until(lambda: bool(user.events))
        return user


@pytest.fixture(params=["events", "requests"])
def real(request: pytest.FixtureRequest) -> Iterator[Real]:
    """Both ways the sample can be written: with receive events, and with queued requests."""
    made = Real(request.param)
    yield made
    made.runtime.stop()
    assert made.runtime.failure is None


@pytest.mark.parametrize("address", ["10.77.0.2", "fd77::2"])
def test_the_wsk_sample(real: Real, address: str) -> None:
    user = real.connect(address)
    data = bytes(range(256)) * 3000
    real.inside(lambda: user.send(data))
    real.until(lambda: len(user.data) == len(data))
    assert user.data == data
    real.inside(lambda: user.stream.disconnect("bye"))
    real.until(lambda: "finished" in user.events)
    real.until(lambda: real.b.tcp.connections() == [])
    real.service.stop()


def test_the_wsk_sample_stops_with_connections_open(real: Real) -> None:
    user = real.connect("fd77::2")
    real.inside(lambda: user.send(b"hello"))
    real.until(lambda: user.data == b"hello")
    real.service.stop()
    real.until(lambda: ("aborted", "RESET") in user.events)
    assert real.b.tcp.connections() == []


def test_the_example_of_the_readme(world: World, family: int) -> None:
    """examples/shout.py, as `tools/demo --with` runs it."""
    guest = Guest(ROOT / "examples" / "shout.py")
    client = Client(world, family, guest.serve, guest.port)
    assert client.ask(b"hello, world") == b"HELLO, WORLD"
    client.user.stream.disconnect("bye")
    world.run(10**9)
    assert "finished" in client.user.events
    assert client.gone()


def test_the_example_that_looks_names_up(world: World, family: int) -> None:
    """examples/lookup.py; without a name server there are numbers and localhost."""
    guest = Guest(ROOT / "examples" / "lookup.py")
    client = Client(world, family, guest.serve, guest.port)
    answer = client.ask(b"localhost\n192.0.2.1\nno-such.example\n").decode().splitlines()
    assert sorted(answer) == [
        "192.0.2.1: SOCKADDR_IN(192.0.2.1 port 0)",
        "localhost: SOCKADDR_IN(127.0.0.1 port 0)",
        "localhost: SOCKADDR_IN6(::1 port 0)",
        "no-such.example: STATUS_NO_MATCH",
    ]
    client.user.stream.disconnect("bye")
    world.run(10**9)
    assert client.gone()
