# SPDX-License-Identifier: MIT
"""Two queues of a TAP, two processes, one host, and the real kernel as its peer."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kernel import caller
from tests.kernel.conftest import ROOT, begin, finish, impossible

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("kernel")]

SHARDS = 2
FORGOTTEN = 4.5
"""Seconds after which tun has forgotten a flow (three, and its timer rounds up)."""
ADDRESSES = ("10.77.0.2", "fd77::2")
KERNEL = ("10.77.0.1", "fd77::1")


class Demo:
    """`tools/demo` in a process, as people start it."""

    def __init__(self, place: Path, *more: str) -> None:
        self._env = {**os.environ, "XDG_RUNTIME_DIR": str(place), "PYTHONPATH": str(ROOT)}
        words = ["--wire", "userns", "--queues", str(SHARDS), *more]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tools.demo", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._env,
            text=True,
        )
        assert self.process.stdout is not None
        self.said = ""
        for line in self.process.stdout:
            self.said += line
            if line.startswith("Ctrl-C"):
                break
        else:
            self.process.wait()
            impossible(f"no TAP with several queues: {self.said}")
        (record,) = place.glob("*/*.json")
        self.pid: int = json.loads(record.read_text())["namespace_pid"]
        self.place = record.parent

    def run(self, deed: str, **arguments: Any) -> dict[str, Any]:
        return finish(begin(self.pid, deed, **arguments), 60)

    def counts(self, name: str) -> list[int]:
        """A counter of every shard."""
        return [self._count(f"shard{number}", name) for number in range(SHARDS)]

    def total(self, name: str) -> int:
        """The same, of the host."""
        return self._count("", name)

    def _count(self, who: str, name: str) -> int:
        words = [sys.executable, "-m", "tools.wsk", "nstat", "-jz", "-N", who, name]
        out = subprocess.run(words, env=self._env, capture_output=True, check=True, text=True)
        count: int = json.loads(out.stdout)["kernel"][name]
        return count

    def sockets(self) -> list[dict[str, Any]]:
        words = [sys.executable, "-m", "tools.wsk", "ss", "-jlt"]
        out = subprocess.run(words, env=self._env, capture_output=True, check=True, text=True)
        rows: list[dict[str, Any]] = json.loads(out.stdout)
        return rows

    def followers(self) -> list[int]:
        """The processes of the other queues."""
        leader = self.process.pid
        words = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
        mine = Path(f"/proc/{leader}/cmdline").read_bytes()
        return [int(pid) for pid in words if Path(f"/proc/{pid}/cmdline").read_bytes() == mine]

    def end(self) -> int:
        """Ctrl-C; the exit status."""
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(15)
        assert self.process.stdout is not None
        self.said += self.process.stdout.read()
        self.process.stdout.close()
        return status


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    demo = Demo(tmp_path_factory.mktemp("run"))
    yield demo
    assert demo.end() == 0, demo.said
    assert not demo.place.exists()


@pytest.fixture(params=[0, 1], ids=["ipv4", "ipv6"])
def family(request: pytest.FixtureRequest) -> int:
    index: int = request.param
    return index


def test_every_check_of_the_demo(tmp_path: Path) -> None:
    words = ["--wire", "userns", "--queues", "3", "--check"]
    result = subprocess.run(
        [sys.executable, "-m", "tools.demo", *words],
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    if result.returncode == 2:
        impossible(result.stderr)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "everything holds" in result.stdout


def test_the_kernel_keeps_what_it_begins_on_one_queue(demo: Demo, family: int) -> None:
    """64 connections, spread over the shards; not one segment comes to a shard that has not got
    its connection, not even after a pause in which tun forgets the flow."""
    strays, served = demo.total("MeshStrays"), demo.counts("TcpPassiveOpens")
    address = ADDRESSES[family]
    found = demo.run("patient", address=address, port=7, count=64, size=20_000, pause=FORGOTTEN)
    assert found["right"] == 128
    shares = [b - a for a, b in zip(served, demo.counts("TcpPassiveOpens"), strict=True)]
    assert sum(shares) == 64
    assert min(shares) > 8
    assert demo.total("MeshStrays") == strays
    assert demo.total("TcpOutRsts") == 0
    assert demo.total("MeshLost") == 0


def test_what_shards_begin(tmp_path: Path, family: int) -> None:
    """Connections and datagrams of each shard's own: after the pause the kernel's answers come in
    any queue, and reach the shard all the same."""
    demo = Demo(tmp_path, "--with", str(ROOT / "tests/kernel/caller.py"))
    count = SHARDS * caller.EACH
    strays = demo.total("MeshStrays")
    resets = demo.total("TcpEstabResets")
    found = demo.run(
        "callers",
        address=KERNEL[family],
        port=9001,
        count=count,
        shards=SHARDS,
        size=100_000,
        pause=FORGOTTEN,
    )
    assert found == {"right": count, "by_shard": [caller.EACH] * SHARDS, "datagrams": 20}
    assert demo.total("MeshStrays") > strays
    assert demo.total("MeshLost") == 0
    assert demo.total("TcpEstabResets") == resets
    assert demo.end() == 0, demo.said


def test_datagrams_of_the_kernel(demo: Demo, family: int) -> None:
    """Each check is a flow of its own, and chance decides to which shard the kernel gives it."""
    before = after = demo.counts("UdpInDatagrams")
    for flows in range(1, 33):
        result = demo.run("check", name="echo_udp", address=ADDRESSES[family], port=7)
        assert result["ok"], result["text"]
        after = demo.counts("UdpInDatagrams")
        if flows >= 8 and all(b > a for a, b in zip(before, after, strict=True)):
            break
    assert all(b > a for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("size", [56, 4000])
def test_ping_has_one_answer(demo: Demo, family: int, size: int) -> None:
    words = ["ping", "-n", "-i", "0.05", "-c", "10", "-W", "2", "-s", str(size), ADDRESSES[family]]
    result = demo.run("program", words=words)
    assert "10 received" in result["out"], result
    assert "duplicates" not in result["out"]


def test_arp_has_one_answer(demo: Demo) -> None:
    for _ in range(4):
        assert len(demo.run("arp_probe", link="wsk0", address=ADDRESSES[0])["macs"]) == 1


def test_every_shard_listens(demo: Demo) -> None:
    assert sum(row["local_port"] == 7 for row in demo.sockets()) == SHARDS


def test_the_program_on_the_page() -> None:
    page = (ROOT / "docs" / "queues.md").read_text()
    shown = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert shown is not None
    process = subprocess.Popen(
        [sys.executable, "-c", shown[1].replace("queues=2", 'queues=2, wire="userns"')],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    words = process.stdout.readline().split()
    if not words:
        impossible("no TAP with several queues")
    found = finish(
        begin(int(words[-1]), "patient", address="10.77.0.2", port=7, count=16, size=9000, pause=0),
        30,
    )
    assert found["right"] == 32
    process.communicate("\n", timeout=15)
    assert process.returncode == 0


def test_all_end_if_one_does(tmp_path: Path) -> None:
    demo = Demo(tmp_path)
    (follower,) = demo.followers()
    os.kill(follower, signal.SIGKILL)
    assert demo.process.wait(15) == 1
    assert demo.process.stdout is not None
    assert "ended by itself" in demo.process.stdout.read()
    demo.process.stdout.close()


def test_nobody_stays_behind_a_leader_that_was_killed(tmp_path: Path) -> None:
    demo = Demo(tmp_path)
    (follower,) = demo.followers()
    demo.process.kill()
    demo.process.wait(15)
    assert demo.process.stdout is not None
    demo.process.stdout.close()
    assert _soon(lambda: not Path(f"/proc/{follower}").exists())


def _soon(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + 10
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
