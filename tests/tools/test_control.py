# SPDX-License-Identifier: MIT
"""The control channel: what it answers, what it refuses, what it leaves behind; and a whole demo
that `tools/wsk` looks at."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stack import Config, Stack
from tap.memory import wire
from tap.thread import ThreadRuntime
from tools.control import LINE, Client, Server, Trouble, inside, serving
from tools.show import probes

ROOT = Path(__file__).resolve().parent.parent.parent


class Pair:
    """Two stacks on a wire in memory, turned by a thread."""

    def __init__(self) -> None:
        self.runtime = ThreadRuntime()
        ports = wire(b"\2\0\0\0\0\1", b"\2\0\0\0\0\2")
        self.stacks = {}
        for number, (name, port) in enumerate(zip(("stack", "peer"), ports, strict=True), 1):
            stack = Stack(self.runtime.env, Config(dad=False))
            nic = stack.add_nic(port, f"{name}0")
            stack.add_address(nic, f"10.77.0.{number}", 24)
            stack.add_address(nic, f"fd77::{number}", 64)
            self.runtime.loop.add(stack, nic, port)
            self.stacks[name] = stack
        self.stacks["stack"].add_compartment()


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    with made.runtime:
        yield made


@pytest.fixture
def path(pair: Pair, tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "control.sock"
    with serving(place, pair.runtime, pair.stacks):
        yield place
    assert not place.exists()


def test_whose_it_is(path: Path) -> None:
    mode = path.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


def test_questions_and_answers(path: Path) -> None:
    with Client(path) as client:
        assert client.ask("stacks") == ["stack", "peer"]
        assert [row["ifname"] for row in client.ask("links")] == ["lo", "stack0"]
        assert client.ask("counters")["blocks"]["ip4"]["in_receives"] == 0
        for what in ("addresses", "routes", "neighbors", "groups", "sockets"):
            assert isinstance(client.ask(what), list)


def test_which_stack(path: Path) -> None:
    for name, nics in (
        ("peer", ["lo", "peer0"]),
        ("stack:2", ["lo2"]),
        ("stack:1", ["lo", "stack0"]),
    ):
        with Client(path, name) as client:
            assert [row["ifname"] for row in client.ask("links")] == nics
    for name in ("nobody", "stack:9"):
        with Client(path, name) as client, pytest.raises(Trouble, match="no "):
            client.ask("links")


def test_changes_are_made_and_refusals_told(path: Path, pair: Pair) -> None:
    with Client(path) as client:
        client.ask("address-add", prefix="10.77.0.7/24", dev="stack0")
        assert bytes((10, 77, 0, 7)) in pair.stacks["stack"].v4.local
        with pytest.raises(Trouble, match="exists"):
            client.ask("address-add", prefix="10.77.0.7/24", dev="stack0")
        with pytest.raises(Trouble, match='device "eth0"'):
            client.ask("link-set", dev="eth0", up=True)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"nonsense\n", "not JSON"),
        (b"[1]\n", "not an object"),
        (b"{}\n", "nobody knows"),
        (b'{"do": "destroy"}\n', "nobody knows"),
        (b'{"do": "address-add"}\n', "not understood"),
        (b'{"do": "route-get", "address": 5}\n', "not an address"),
        (b'{"do": "probe", "address": "10.77.0.2", "size": 100000}\n', "no such size"),
        (b'{"do": "probe", "address": "10.77.0.2", "hops": "x"}\n', "not understood"),
        (
            b'{"do": "route-add", "prefix": "10.0.0.0/8", "dev": "stack0", "metric": "x"}\n',
            "not und",
        ),
        (b'"' + b"x" * LINE + b'"\n', "too long"),
    ],
)
def test_requests_that_make_no_sense(path: Path, line: bytes, why: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as raw:
        raw.connect(str(path))
        raw.sendall(line)
        answer = json.loads(raw.makefile().readline())
    assert why in answer["error"]
    with Client(path) as client:  # it is still there
        assert client.ask("stacks")


def test_only_so_many_at_once(path: Path) -> None:
    clients = []
    try:
        for _ in range(8):
            clients.append(Client(path))
            clients[-1].ask("stacks")
        with Client(path) as one, pytest.raises(Trouble):
            one.ask("stacks")
    finally:
        for one in clients:
            one.close()


def test_a_path_too_long_for_a_socket(pair: Pair, tmp_path: Path) -> None:
    place = tmp_path / ("d" * 120)
    place.mkdir()
    with (
        serving(place / "control.sock", pair.runtime, pair.stacks),
        Client(place / "control.sock") as client,
    ):
        assert client.ask("stacks") == ["stack", "peer"]


def test_without_a_place_there_is_no_channel(pair: Pair, tmp_path: Path) -> None:
    with serving(None, pair.runtime, pair.stacks):
        pass
    with serving(tmp_path / "no" / "where", pair.runtime, pair.stacks):
        pass
    with pytest.raises(Trouble, match="control socket"):
        Client(tmp_path / "no" / "where")


def test_a_socket_that_was_left_behind_is_replaced(pair: Pair, tmp_path: Path) -> None:
    place = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(place))
    server = Server(place, pair.runtime, pair.stacks)
    server.start()
    with Client(place) as client:
        assert client.ask("stacks")
    server.stop()
    assert not place.exists()


def test_a_mistake_of_ours_does_not_end_the_stack(pair: Pair) -> None:
    def fails() -> None:
        raise LookupError("ours")

    with pytest.raises(LookupError):
        inside(pair.runtime, fails)
    assert inside(pair.runtime, lambda: 5) == 5
    assert pair.runtime.failure is None


# Pings from the stack.


def ping(path: Path, words: str) -> tuple[int, list[str]]:
    said: list[str] = []
    with Client(path) as client:
        options = probes.parser().parse_args(["ping", *words.split()])
        status = probes.run(options, client.ask, said.append, lambda seconds: None)
    return status, said


def test_pings(path: Path) -> None:
    for address in ("10.77.0.2", "fd77::2"):
        status, said = ping(path, f"-c 2 -s 100 {address}")
        assert status == 0
        assert said[1].startswith(f"108 bytes from {address}: icmp_seq=1 ttl=64 time=")
        assert said[-2] == "2 packets transmitted, 2 received, 0% packet loss"


def test_pings_that_nobody_answers(path: Path) -> None:
    status, said = ping(path, "-c 1 -W 0.05 10.77.0.99")
    assert status == 1
    assert "100% packet loss" in said[-1]
    with pytest.raises(Trouble, match="unreachable"):
        ping(path, "203.0.113.1")


# The whole of it.


def wsk(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.wsk", *words],
        cwd=ROOT,
        env={**os.environ, "XDG_RUNTIME_DIR": str(place), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.slow
def test_a_demo_in_memory_is_looked_at(tmp_path: Path) -> None:
    environment: dict[str, Any] = {
        **os.environ,
        "XDG_RUNTIME_DIR": str(tmp_path),
        "PYTHONPATH": str(ROOT),
    }
    demo = subprocess.Popen(
        [sys.executable, "-m", "tools.demo", "--wire", "memory"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert demo.stdout is not None
    try:
        for line in demo.stdout:
            if line.startswith("Ctrl-C"):
                break
        place = next(tmp_path.iterdir())
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        assert {one.suffix for one in place.iterdir()} == {".json", ".sock"}
        found = json.loads(wsk(tmp_path, "ip", "-j", "addr").stdout)
        assert "10.77.0.2" in {one["local"] for row in found for one in row["addr_info"]}
        peer = json.loads(wsk(tmp_path, "ip", "-n", "peer", "-j", "addr").stdout)
        assert "10.77.0.1" in {one["local"] for row in peer for one in row["addr_info"]}
        assert "*:80" in wsk(tmp_path, "ss", "-tln").stdout
        assert wsk(tmp_path, "from-stack", "ping", "-c", "1", "10.77.0.1").returncode == 0
        assert "IcmpOutEchos" in wsk(tmp_path, "nstat").stdout
        assert "10.77.0.1 dev wsk0" in wsk(tmp_path, "ip", "n").stdout
        wrong = wsk(tmp_path, "ip", "nothing")
        assert (wrong.returncode, wrong.stdout) == (255, "")
        assert "unknown" in wrong.stderr
        assert wsk(tmp_path, "ss", "-N", "nobody").returncode == 2
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait(20)
        demo.stdout.close()
    assert list(tmp_path.iterdir()) == []
    assert wsk(tmp_path, "ss").returncode == 2  # no demo is running


# Traces.

EXPIRED = {"from": "10.0.0.1", "error": "expired", "mtu": 0, "mpls": [[16, 1, True, 9]], "ms": 1.5}
THERE = {"from": "10.9.9.9", "size": 40, "ttl": 60, "ms": 2.5}


def trace(answers: list[dict[str, Any] | None], words: str = "-q 1") -> tuple[int, list[str]]:
    left = iter(answers)
    asked: list[int] = []

    def ask(what: str, **more: Any) -> dict[str, Any] | None:
        asked.append(more["hops"])
        return next(left)

    said: list[str] = []
    options = probes.parser().parse_args(["traceroute", *words.split(), "10.9.9.9"])
    status = probes.run(options, ask, said.append)
    assert asked == sorted(asked)
    return status, said[1:]


def test_a_trace_ends_at_the_target() -> None:
    status, said = trace([EXPIRED, None, THERE])
    assert status == 0
    assert said == [" 1  10.0.0.1  1.5 ms", " 2  *", " 3  10.9.9.9  2.5 ms"]


def test_a_trace_ends_where_a_router_says_so() -> None:
    status, said = trace([EXPIRED, EXPIRED | {"error": "host"}])
    assert status == 1
    assert said == [" 1  10.0.0.1  1.5 ms", " 2  10.0.0.1  1.5 ms !H"]


def test_a_trace_has_several_requests_per_line_and_a_last_line() -> None:
    other = EXPIRED | {"from": "10.0.0.2"}
    status, said = trace([EXPIRED, EXPIRED, other] * 2, "-q 3 -m 2 -e")
    assert status == 1
    first = "<MPLS:L=16,E=1,S=1,T=9>"
    assert said[0] == f" 1  10.0.0.1  1.5 ms {first}  1.5 ms {first} 10.0.0.2  1.5 ms {first}"
    assert len(said) == 2


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("expired", "Time to live exceeded"),
        ("host", "Destination unreachable: host"),
        ("too big", "Packet too big (mtu = 1280)"),
    ],
)
def test_ping_says_what_a_router_says(error: str, words: str) -> None:
    said: list[str] = []
    options = probes.parser().parse_args(["ping", "-c", "1", "10.9.9.9"])
    answer = EXPIRED | {"error": error, "mtu": 1280}
    assert probes.run(options, lambda what, **more: answer, said.append) == 1
    assert said[1] == f"From 10.0.0.1: icmp_seq=1 {words}"
