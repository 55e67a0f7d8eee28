# SPDX-License-Identifier: MIT
"""The IP layer with the real kernel as the peer: its traceroute, its ping with options, its errors
about what we send."""

from __future__ import annotations

import os
import re
import shutil

import pytest

from stack.base import addr, status
from stack.base.units import SECOND
from stack.ip import seam
from stack.ip.seam import ErrorReport
from stack.transport.datagram_seam import DatagramSink
from tests.kernel.conftest import KernelWorld, bring_up, impossible

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("kernel")]


def needs(program: str) -> str:
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        impossible(f"{program} is not installed")
    return path


@pytest.mark.parametrize("how", [["-U"], ["-I"], ["-T", "-p", "80"], ["-T", "-p", "81"], []])
def test_traceroute_to_us(kernel: KernelWorld, address: str, how: list[str]) -> None:
    """By UDP to a port, by echo, by TCP to an open and to a closed port, by UDP to many."""
    words = [needs("traceroute"), "-n", "-q", "3", "-w", "2", "-m", "5", *how, address]
    result = kernel.run("program", words=words)
    assert result["status"] == 0, result
    hops = result["out"].splitlines()[1:]
    assert len(hops) == 1, result
    assert hops[0].split()[:2] == ["1", address]
    assert hops[0].count(" ms") == 3, result
    assert "!" not in hops[0], result  # the last hop itself, and no complaint


@pytest.mark.parametrize("size", [0, 1, 1452, 1453, 1472, 1473, 2967, 9001, 65_507 - 60])
def test_ping_of_every_size(kernel: KernelWorld, address: str, size: int) -> None:
    words = [needs("ping"), "-n", "-s", str(size), "-i", "0.05", "-c", "2", "-W", "2", address]
    result = kernel.run("program", words=words)
    assert " 0% packet loss" in result["out"], result


def test_ping_records_the_route(kernel: KernelWorld) -> None:
    address = kernel.addresses()[0]
    words = [needs("ping"), "-n", "-R", "-c", "1", "-W", "2", address]
    result = kernel.run("program", words=words)
    assert " 0% packet loss" in result["out"], result
    route = result["out"].split("RR:")[1].split("\n\n")[0].split()
    assert address in route, result


@pytest.mark.parametrize("kind", ["tsonly", "tsandaddr"])
def test_ping_takes_times(kernel: KernelWorld, kind: str) -> None:
    """Ours is not of Universal Time, and says so."""
    address = kernel.addresses()[0]
    words = [needs("ping"), "-n", "-T", kind, "-c", "1", "-W", "2", address]
    result = kernel.run("program", words=words)
    assert " 0% packet loss" in result["out"], result
    assert "not-standard" in result["out"], result
    if kind == "tsandaddr":
        assert re.search(rf"^\s*{re.escape(address)}\s", result["out"], re.M), result


@pytest.mark.parametrize("service", ["0xb8", "0x20"])
def test_ping_with_a_service(kernel: KernelWorld, address: str, service: str) -> None:
    words = [needs("ping"), "-n", "-Q", service, "-c", "1", "-W", "2", address]
    result = kernel.run("program", words=words)
    assert " 0% packet loss" in result["out"], result


class Ear(DatagramSink):
    def __init__(self) -> None:
        self.troubles: list[tuple[int, int]] = []

    def troubled(self, status: int, address: bytes, port: int) -> None:
        self.troubles.append((status, port))


def kernels(kernel: KernelWorld, family: int) -> bytes:
    """The kernel's address on the wire: where our default route leads."""
    routes = kernel.stack.host.routes.all()
    size = 4 if family == 0 else 16
    gateways = [route.gateway for route in routes if len(route.gateway) == size]
    if not gateways:
        impossible("no route leads through the kernel")
    return gateways[0]


@pytest.mark.parametrize("family", [0, 1])
def test_the_kernel_says_that_a_port_is_closed(kernel: KernelWorld, family: int) -> None:
    to = kernels(kernel, family)
    ear = Ear()

    def go() -> int:
        endpoint = kernel.stack.udp.open_datagram(addr.V4 | addr.V6)
        endpoint.attach(ear)
        endpoint.bind(b"", 0, 0)
        return endpoint.send([b"anybody?"], 8, to, 33434, 0)

    assert kernel.inside(go) == status.OK
    assert kernel.runtime.wait(lambda: bool(ear.troubles), 5 * SECOND)
    assert ear.troubles == [(status.PORT_UNREACHABLE, 33434)]


@pytest.mark.parametrize("family", [0, 1])
@pytest.mark.parametrize("size", [56, 4000, 60_000])
def test_we_ping_the_kernel(kernel: KernelWorld, family: int, size: int) -> None:
    to = kernels(kernel, family)
    got: list[tuple[bytes, int, int]] = []
    troubles: list[tuple[ErrorReport, int]] = []

    def go() -> int:
        icmp = kernel.stack.icmp_for(to)
        icmp.listen(
            4242,
            lambda src, seq, octets, hops, when: got.append((src, seq, octets)),
            lambda report, seq: troubles.append((report, seq)),
        )
        return icmp.echo(to, 4242, 1, bytes(size), hops=1)

    assert kernel.inside(go) == status.OK
    assert kernel.runtime.wait(lambda: bool(got), 5 * SECOND)
    assert got == [(to, 1, size)]
    assert troubles == []


@pytest.mark.parametrize("family", [0, 1])
def test_the_kernel_as_a_router_reports_what_expires_there(family: int) -> None:
    """A trace of ours: its first hop, and a destination to which the kernel has no way."""
    world = bring_up("userns")
    try:
        switches = ("ipv4/ip_forward", "ipv6/conf/all/forwarding")
        script = "; ".join(f"echo 1 > /proc/sys/net/{name}" for name in switches)
        assert world.run("program", words=[needs("sh"), "-c", script])["status"] == 0
        router = kernels(world, family)
        near = router[:-1] + b"\x63"
        far = addr.parse("198.51.100.1" if family == 0 else "2001:db8:1::1")
        told: list[tuple[int, int, bytes, bytes]] = []

        def trouble(report: ErrorReport, sequence: int) -> None:
            told.append((sequence, report.kind, report.router, report.dst))

        def go() -> list[int]:
            nic = world.stack.host.nics[-1]
            layer = world.stack.host.layer_of(router)
            layer.add_route(near, 8 * len(near), nic, router)
            icmp = world.stack.icmp_for(router)
            icmp.listen(4242, lambda *seen: None, trouble)
            return [
                icmp.echo(near, 4242, 1, b"trace", hops=1),
                icmp.echo(far, 4242, 2, b"trace"),
            ]

        assert world.inside(go) == [status.OK, status.OK]
        assert world.runtime.wait(lambda: len(told) == 2, 5 * SECOND), told
        assert sorted(told) == [
            (1, seam.TIME_EXCEEDED, router, near),
            (2, seam.NET_UNREACHABLE, router, far),
        ]
    finally:
        world.stop()
