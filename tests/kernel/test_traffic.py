# SPDX-License-Identifier: MIT
"""The real Linux kernel as the peer: its ping, its curl, its TCP."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Sequence

import pytest

from stack import Config
from stack.base.head import Head
from stack.base.units import MS, SECOND, View
from stack.link.seam import LARGEST
from stack.wire import ethernet
from tap.impair import Impairment
from tap.ioctls import OpenTap, big_peer
from tap.port import Port, Wrapper
from tests.kernel.conftest import KernelWorld, attached, bring_up, impossible
from tools.services.echo import CHARACTERS

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("kernel")]


def needs(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        impossible(f"{program} is not installed")
    return path


def eventually(condition: Callable[[], bool], seconds: float) -> bool:
    """Real time passes here, and only here."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def test_ping(kernel: KernelWorld, address: str) -> None:
    words = [needs("ping"), "-n", "-i", "0.05", "-c", "5", "-W", "2", address]
    result = kernel.run("program", words=words)
    assert result["status"] == 0, result
    assert " 0% packet loss" in result["out"]


def test_large_ping_is_fragmented_and_put_together(kernel: KernelWorld, address: str) -> None:
    words = [needs("ping"), "-n", "-s", "20000", "-i", "0.05", "-c", "3", "-W", "2", address]
    result = kernel.run("program", words=words)
    assert " 0% packet loss" in result["out"], result


def test_ping_to_the_link_local_address(kernel: KernelWorld) -> None:
    words = [needs("ping"), "-n", "-c", "2", "-i", "0.05", "-W", "2"]
    result = kernel.run("program", words=[*words, "fe80::77:73ff:fe6b:2%wsk0"])
    assert " 0% packet loss" in result["out"], result


def test_curl(kernel: KernelWorld, address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    url = f"http://{host}/"
    curl = needs("curl")
    words = [curl, "-gsS", "--noproxy", "*", "--max-time", "10", "-w", "%{http_code}", url, url]
    result = kernel.run("program", words=words)
    assert result["status"] == 0, result
    assert result["out"].count("It works") == 2
    assert result["out"].endswith("200")


@pytest.mark.parametrize("name", ["download", "upload"])
def test_64_mib_with_digests(kernel: KernelWorld, address: str, name: str) -> None:
    result = kernel.run("check", name=name, address=address, port=80, size=64 << 20)
    assert result["ok"], result["text"]


def test_udp_of_all_sizes(kernel: KernelWorld, address: str) -> None:
    result = kernel.run("check", name="echo_udp", address=address, port=7)
    assert result["ok"], result["text"]


def test_200_connections_at_once(kernel: KernelWorld, address: str) -> None:
    result = kernel.run("crowd", address=address, port=7, count=200, size=20_000)
    assert result == {"right": 200}
    assert eventually(lambda: not kernel.inside(kernel.stack.tcp.connections), 5)


def test_connections_in_a_row_leave_nothing(kernel: KernelWorld, address: str) -> None:
    result = kernel.run("churn", address=address, port=40007, count=100)
    assert result == {"right": 100}
    assert eventually(lambda: not kernel.inside(kernel.stack.tcp.connections), 5)


def test_a_peer_that_never_reads_costs_nobody_else(kernel: KernelWorld, address: str) -> None:
    """Its window closes and is probed; others are served; nothing is lost when it does read."""
    size = 8 << 20
    process = kernel.begin("lazy", address=address, port=19, pause=2.0, size=size)
    time.sleep(1.0)
    queued = [len(tcb.sendq) for tcb in kernel.inside(kernel.stack.tcp.connections)]
    assert max(queued) > 0
    assert sum(queued) <= 8 * len(CHARACTERS)
    assert kernel.run("check", name="echo_tcp", address=address, port=7)["ok"]
    result = kernel.finish(process)
    assert result["got"] == size
    whole = (CHARACTERS * (size // len(CHARACTERS) + 1))[:size]
    assert result["digest"] == hashlib.sha256(whole).hexdigest()


@pytest.mark.parametrize("wire", ["userns", "veth"])
def test_a_peer_that_vanishes_is_given_up(wire: str) -> None:
    """No FIN, no RST, no answer: after the user time-out nothing is left of it."""
    world = bring_up(wire, Config(dad=False, tcp_user_timeout=2 * SECOND))
    try:
        for address in world.addresses()[:1]:
            assert world.run("vanish", address=address, port=19, link="wsk0") == {"gone": True}
        assert world.inside(world.stack.tcp.connections)
        assert eventually(lambda: not world.inside(world.stack.tcp.connections), 10)
        assert world.inside(lambda: [t for t in world.stack.timers.armed() if t.owner]) is not None
    finally:
        world.stop()


class Longest(Wrapper):
    """Remembers the longest frame that came in, and the longest that left."""

    longest = 0
    sent = 0

    def transmit(self, head: Head, views: Sequence[View]) -> bool:
        self.sent = max(self.sent, head.end - head.start + sum(map(len, views)))
        return self.inner.transmit(head, views)

    def read(self) -> bytes | None:
        frame = self.inner.read()
        self.longest = max(self.longest, len(frame or b""))
        return frame


class Watched(KernelWorld):
    """A world whose frames are looked at."""

    def wrap(self, port: Port, now: Callable[[], int]) -> Port:
        self.seen = Longest(port)
        return self.seen


@pytest.mark.parametrize(("wire", "beyond"), [("userns", True), ("veth", False)])
def test_what_a_tap_takes_is_longer_than_a_packet(wire: str, beyond: bool) -> None:
    """BIG TCP, both families, where the kernel is new enough; not where it leaves by a device."""
    attachment = attached(wire)
    recent = big_peer(OpenTap(attachment.port.fileno(), "", 10, attachment.port.features))
    world = Watched(attachment)
    world.start()
    try:
        for address in world.addresses():
            world.seen.sent = 0
            result = world.run("check", name="download", address=address, port=80, size=64 << 20)
            assert result["ok"], result["text"]
            assert (world.seen.sent > LARGEST + ethernet.LENGTH) == (beyond and bool(recent))
    finally:
        world.stop()


@pytest.mark.parametrize("wire", ["userns", "veth"])
def test_without_offload_the_kernel_sends_no_super_frames(wire: str) -> None:
    attachment = attached(wire, offload=False)
    world = Watched(attachment)
    world.start()
    try:
        for address in world.addresses():
            result = world.run("check", name="upload", address=address, port=80, size=4 << 20)
            assert result["ok"], result["text"]
        assert attachment.port.header == 0
        assert world.seen.longest == 1514
    finally:
        world.stop()


@pytest.mark.parametrize("name", ["download", "upload"])
def test_the_kernel_and_we_agree_over_a_bad_wire(name: str) -> None:
    """Loss, reordering, duplicates and wrong bits in both directions; the digests are equal."""
    wire = Impairment(
        loss=0.01, reorder=0.02, reorder_by=3 * MS, duplicate=0.01, corrupt=0.005, delay=2 * MS
    )
    world = bring_up("userns", impairment=wire)
    try:
        for address in world.addresses():
            result = world.run("check", name=name, address=address, port=80, size=8 << 20)
            assert result["ok"], result["text"]
    finally:
        world.stop()
