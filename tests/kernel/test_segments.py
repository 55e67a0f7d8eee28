# SPDX-License-Identifier: MIT
"""Many datagrams in one frame with the real kernel: its UDP_SEGMENT and UDP_GRO."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial

import pytest

from stack.base import addr
from stack.base.status import OK
from stack.link.seam import USO
from stack.transport.datagram_seam import Datagram
from stack.udp.endpoint import UdpEndpoint
from tap.ioctls import finished_by_kernel
from tests.harness.datagrams import Joiner
from tests.kernel.client import digest_of
from tests.kernel.conftest import KernelWorld, attached
from tests.kernel.test_traffic import eventually
from tools.measure import services as measure
from tools.measure.loader import Loader
from wsk_api import Subsystem

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("kernel")]

PORT = 5000
SENDS = [(3840, 64), (3841, 64), (6000, 1000), (30_000, 1400), (1000, 999), (500, 500), (7, 2)]
"""(octets, size of the datagrams) of one send; none is more than a super-frame."""
CALLS = [
    ("sink", measure.JOINED_SINK),
    ("sink", measure.DISCARD),
    ("burst", measure.JOINED_SOURCE),
    ("burst", measure.LIST_SOURCE),
    ("echo", measure.JOINED_ECHO),
    ("echo", measure.LIST_ECHO),
    ("echo", measure.ECHO),
]
"""What the generator does with a service of joined datagrams, of lists, of single ones."""
COUNT = sum(-(-octets // size) for octets, size in SENDS)


class Ear(Joiner):
    """Takes everything, and gives its room back."""

    def __init__(self, world: KernelWorld) -> None:
        super().__init__()
        self._world = world
        self.endpoint: Datagram = world.inside(self._open)

    def _open(self) -> UdpEndpoint:
        made = self._world.stack.udp.open_datagram(addr.V4 | addr.V6)
        made.attach(self)
        assert made.bind(b"", PORT, 0) == OK
        return made

    def datagrams(self) -> list[bytes]:
        return [bytes(one.part(n, n + 1).view) for one in list(self.got) for n in range(one.count)]

    def close(self) -> None:
        self._world.inside(self.endpoint.close)


@pytest.fixture
def ear(kernel: KernelWorld) -> Iterator[Ear]:
    made = Ear(kernel)
    yield made
    made.close()


def hears(ear: Ear, world: KernelWorld, address: str) -> None:
    """What the kernel sends arrives, each datagram as it was."""
    sent = world.run("send_segments", address=address, port=PORT, sends=SENDS)
    assert sent["count"] == COUNT
    assert eventually(lambda: len(ear.datagrams()) >= COUNT, 5)
    assert digest_of(ear.datagrams()) == sent["digest"]


def test_the_device_takes_them(kernel: KernelWorld) -> None:
    assert kernel.attachment.port.features == finished_by_kernel()


def test_what_the_kernel_sends_in_one_call(kernel: KernelWorld, address: str, ear: Ear) -> None:
    hears(ear, kernel, address)
    if finished_by_kernel() & USO:
        assert len(ear.got) == len(SENDS)


def speaks(
    ear: Ear, world: KernelWorld, address: str, sends: list[tuple[int, int]], joined: bool
) -> int:
    """What we send arrives at the kernel, each datagram as it was; in how many calls."""
    ear.got.clear()
    counts = [-(-octets // size) for octets, size in sends]
    process = world.begin("hear_segments", address=address, port=PORT, counts=counts, joined=joined)
    sent: list[bytes] = []
    for number, (octets, size) in enumerate(sends):
        assert eventually(lambda n=number: len(ear.got) > n, 10)  # type: ignore[misc]
        asked, data = ear.got[number], os.urandom(octets)
        what = ([data], octets, size, asked.address, asked.port, 0)
        assert world.inside(partial(ear.endpoint.send_segments, *what)) == (OK, octets)
        sent += [data[at : at + size] for at in range(0, octets, size)]
    result = world.finish(process)
    assert (result["count"], result["digest"]) == (len(sent), digest_of(sent))
    calls: int = result["calls"]
    return calls


@pytest.mark.parametrize("joined", [True, False])
def test_what_the_kernel_hears(kernel: KernelWorld, address: str, ear: Ear, joined: bool) -> None:
    """With UDP_GRO a frame of ours is one recvmsg; without, the kernel cuts it."""
    calls = speaks(ear, kernel, address, SENDS, joined)
    if finished_by_kernel() & USO:
        assert calls == (len(SENDS) if joined else COUNT)


@pytest.mark.parametrize("wire", ["userns", "veth"])
def test_without_offload_none_is_longer_than_the_link(wire: str) -> None:
    attachment = attached(wire, offload=False)
    world = KernelWorld(attachment)
    world.start()
    ear = Ear(world)
    try:
        for address in world.addresses():
            ear.got.clear()
            hears(ear, world, address)
            assert {one.count for one in ear.got} == {1}
            speaks(ear, world, address, [(9999, 1000)], joined=False)
    finally:
        world.stop()


@pytest.fixture(scope="module")
def loader(tmp_path_factory: pytest.TempPathFactory) -> Loader:
    """The generator of `tools/bench`."""
    return Loader(tmp_path_factory.mktemp("load"))


def test_the_list_calls_can_be_measured(address: str, kernel: KernelWorld, loader: Loader) -> None:
    """Every call of `tools/bench` finds a rate; how high it is says the benchmark."""
    subsystem = Subsystem()
    subsystem.attach(kernel.stack.providers, kernel.runtime, kernel.stack.names)
    services = measure.datagram_services(subsystem, loader.pattern.read_bytes())
    try:
        for verb, port in CALLS:
            alone = port == measure.ECHO or not loader.in_c
            how = {"port": port, "segments": 1 if alone else measure.TOGETHER, "seconds": 0.1}
            answer = loader.run(kernel.attachment.pid, verb, address=address, window=8, **how)
            assert answer["count"] / answer["seconds"] > 0, (verb, port)
    finally:
        for service in services:
            service.stop()
