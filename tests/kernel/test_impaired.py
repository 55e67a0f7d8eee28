# SPDX-License-Identifier: MIT
"""The stack and the kernel on the same bad wire: what arrives must be the same.

The kernel fetches octets from port 80 and sends as many there, over a TAP and an `ImpairedPort`
that loses, delays, reorders and duplicates in both directions, from a fixed seed.  Behind that is
the stack, or, by way of a patch cable, another kernel with the same service.  Compared are the
digests at both ends of both directions, and all of them between the two.

WSKSTACK_VOLUME=1024 in the environment (continuous integration) moves that many MiB each way
through the stack in all, and as many through the kernel; without it that is 32.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from stack import Config
from stack.base.units import MS
from tap.impair import ImpairedPort, Impairment
from tap.ladder import Refused, Wish, attach
from tap.port import Port
from tests.kernel.conftest import ROOT, KernelWorld, begin, finish, impossible
from tools.measure.kernels import KernelPair
from tools.services.http import PATTERN

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("kernel"), pytest.mark.timeout(400)]

FAMILIES = {"ipv4": "10.77.0.2", "ipv6": "fd77::2"}
SEED = 19
"""Of those that lose something early in both directions on both wires."""
CONGESTION = "reno"
"""Of everybody: every kernel has it and lets everybody use it."""
TOTAL = int(os.environ.get("WSKSTACK_VOLUME", "32")) << 20
EACH = TOTAL // 4
"""Each way, for one of two families on one of two wires."""


def bad(loss: float) -> Impairment:
    """Every fault a little, in proportion."""
    return Impairment(
        loss=loss,
        duplicate=loss,
        reorder=2 * loss,
        reorder_by=MS,
        delay=MS // 5,
        jitter=MS // 10,
    )


WIRES = {"frames": (False, bad(0.001)), "super-frames": (True, bad(0.01))}
"""Whether super-frames cross, each then lost or late as one, and what is done to frames."""


class ImpairedWorld(KernelWorld):
    """The stack behind a bad wire, which super-frames may cross whole."""

    def __init__(self, offload: bool, bad: Impairment) -> None:
        attachment = attach(Wish(wire="userns", offload=offload))
        super().__init__(attachment, config=Config(dad=False, tcp_congestion=CONGESTION))
        self.offload = offload
        self.bad = bad
        self.impaired: ImpairedPort

    def wrap(self, port: Port, now: Callable[[], int]) -> Port:
        self.impaired = ImpairedPort(port, now, self.bad, self.bad, SEED, self.offload)
        return self.impaired


def exchange(pid: int, address: str) -> dict[str, Any]:
    """What the kernel in the namespaces of `pid` saw."""
    return finish(begin(pid, "exchange", address=address, size=EACH, congestion=CONGESTION), 390)


def through_the_stack(wire: str, address: str) -> tuple[dict[str, Any], ImpairedPort]:
    world = ImpairedWorld(*WIRES[wire])
    try:
        world.start()
        return exchange(world.attachment.pid, address), world.impaired
    finally:
        world.stop()


def through_the_kernel(wire: str, address: str) -> tuple[dict[str, Any], ImpairedPort]:
    offload, bad = WIRES[wire]
    pair = KernelPair(bad, SEED, offload)
    words = [sys.executable, "-m", "tests.kernel.server", str(pair.far), CONGESTION]
    server = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        return exchange(pair.near, address), pair.port
    finally:
        server.communicate()
        pair.stop()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("wire", WIRES)
def test_the_stack_and_the_kernel_make_the_same_of_a_bad_wire(wire: str, family: str) -> None:
    try:
        ours, our_port = through_the_stack(wire, FAMILIES[family])
        theirs, their_port = through_the_kernel(wire, FAMILIES[family])
    except Refused as why:
        impossible(str(why))
    fetched = hashlib.sha256(bytes(PATTERN) * (EACH >> 20)).hexdigest()
    assert ours["down"] == {"got": EACH, "sent": fetched, "received": fetched}
    assert ours["up"]["sent"] == ours["up"]["received"]
    assert ours == theirs
    for port in (our_port, their_port):
        assert port.out.lost, "that was no bad wire"
        assert port.into.lost, "that was no bad wire"
