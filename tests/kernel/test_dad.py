# SPDX-License-Identifier: MIT
"""Duplicate address detection against the real kernel, both ways round."""

from __future__ import annotations

import time

import pytest

from stack.base import addr
from stack.ip.addrconf import DUPLICATED, PREFERRED, TENTATIVE
from tap.ladder import KERNEL_ADDRESSES, STACK_ADDRESSES
from tests.kernel.conftest import KernelWorld

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("kernel")]

FREE = (("10.77.0.99", 24), ("fd77::99", 64))


def outcome(kernel: KernelWorld, text: str, length: int) -> int:
    """What detection on the real wire finds out about an address; then it is given up."""
    packed = addr.parse(text)
    layer = kernel.stack.host.layer_of(packed)
    nic = kernel.stack.host.nics[1]
    kernel.inside(lambda: layer.add_address(nic, packed, length, probe=True))
    state = TENTATIVE
    until = time.monotonic() + 12
    while state == TENTATIVE and time.monotonic() < until:
        time.sleep(0.1)
        state = kernel.inside(lambda: layer.addresses.all[packed].state)
    kernel.inside(lambda: layer.remove_address(packed))
    return state


@pytest.mark.parametrize("family", [0, 1], ids=["ipv4", "ipv6"])
def test_the_kernel_has_it(kernel: KernelWorld, family: int) -> None:
    assert outcome(kernel, *KERNEL_ADDRESSES[family]) == DUPLICATED


@pytest.mark.parametrize("family", [0, 1], ids=["ipv4", "ipv6"])
def test_nobody_has_it(kernel: KernelWorld, family: int) -> None:
    assert outcome(kernel, *FREE[family]) == PREFERRED


def test_the_kernels_own_detection_finds_ours(kernel: KernelWorld) -> None:
    """It asks by RFC 4862, and does not get the address."""
    result = kernel.run("take", link="wsk0", address=STACK_ADDRESSES[1][0], length=64)
    assert result["failed"], result
    result = kernel.run("take", link="wsk0", address="fd77::98", length=64)
    assert not result["failed"], result


def test_a_probe_by_arp_is_answered(kernel: KernelWorld) -> None:
    """What arping -D does: a request from nobody (RFC 5227 2.1.1)."""
    result = kernel.run("arp_probe", link="wsk0", address=STACK_ADDRESSES[0][0])
    mac = kernel.stack.host.nics[1].mac
    assert result["macs"] == [addr.mac_text(mac)]
    assert kernel.run("arp_probe", link="wsk0", address="10.77.0.98") == {"macs": []}
