# SPDX-License-Identifier: MIT
"""Routers that are not ours: radvd's advertisements, Linux' redirects, and a Linux router that
dies.

    stack -- wsk0 [the holder: br0, a router] port1 -- eth0 [another router]
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from stack import Config, Stack
from stack.base import addr
from stack.base.units import SECOND
from stack.ip.router import Router
from stack.ip.routes import ADVERTISED
from stack.link.nic import Nic
from stack.wire import ndp
from tap.thread import ThreadRuntime
from tests.kernel.conftest import attached
from tests.kernel.lan import Lan, Place, lan, wants

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("kernel")]

FAR = ("10.99.0.1", "fd99::1")
"""Behind the second router."""

NEAR = ("10.98.0.1", "fd98::1")
"""Both routers have it."""


class Link:
    """The stack, the two routers, and the daemons on them."""

    def __init__(self, stack: Stack, nic: Nic, runtime: ThreadRuntime, net: Lan, tmp: Path) -> None:
        self.stack = stack
        self.nic = nic
        self.runtime = runtime
        self.net = net
        self.one = net.first
        self._tmp = tmp
        self._count = 0

    def second(self) -> Place:
        """A further router on the link, fd77::9, 10.77.0.9, fe80::9."""
        self.one.run("ip link add br0 type bridge; ip link set br0 address 02:77:73:6b:00:01 up")
        self.one.run("ip addr flush dev wsk0; ip link set wsk0 master br0")
        self.one.run("echo 0 > /proc/sys/net/ipv6/conf/br0/accept_dad")
        self.one.run("ip addr add 10.77.0.1/24 dev br0; ip addr add fd77::1/64 dev br0 nodad")
        two = self.net.place()
        two.forwards()
        self.net.join(self.one, "port1", two, "eth0")
        self.one.run("ip link set port1 master br0")
        two.run("ip addr add 10.77.0.9/24 dev eth0; ip addr add fd77::9/64 dev eth0 nodad")
        two.run("ip addr add fe80::9/64 dev eth0 nodad")
        two.run(f"ip addr add {FAR[0]}/32 dev lo; ip addr add {FAR[1]}/128 dev lo nodad")
        for place in (self.one, two):
            place.run(f"ip addr add {NEAR[0]}/32 dev lo; ip addr add {NEAR[1]}/128 dev lo nodad")
        return two

    def radvd(self, place: Place, interface: str, options: str) -> subprocess.Popen[bytes]:
        """The daemon there; its own interval is short."""
        program = wants("radvd", "radvd")
        self._count += 1
        config = self._tmp / f"radvd{self._count}.conf"
        config.write_text(
            f"interface {interface} {{ AdvSendAdvert on; MinRtrAdvInterval 3;"
            f" MaxRtrAdvInterval 4; {options} }};\n"
        )
        pid = self._tmp / f"radvd{self._count}.pid"
        log = self._tmp / f"radvd{self._count}.log"
        return self.net.keep(
            place.start(f"exec {program} -n -d 1 -m stderr -C {config} -p {pid}", log)
        )

    def ends(self, daemon: subprocess.Popen[bytes]) -> None:
        """Stop it, and not before it can say goodbye: it advertises before it is ready to."""
        assert self.until(lambda: catches(daemon.pid, signal.SIGTERM))
        daemon.terminate()

    def solicits(self) -> None:
        """The link goes down and comes up: routers are asked."""
        self.runtime.submit(lambda: self.stack.set_link(self.nic, False))
        self.runtime.submit(lambda: self.stack.set_link(self.nic, True))

    def until(self, what: Callable[[], bool], patience: int = 20) -> bool:
        return bool(self.runtime.wait(what, patience * SECOND))

    def defaults(self) -> list[bytes]:
        """The advertised default gateways, best first."""
        return [
            r.gateway
            for r in self.stack.host.routes.all()
            if r.origin == ADVERTISED and r.length == 0
        ]

    def router(self, address: str = "") -> Router | None:
        """The record of a router, or of the only one."""
        found = self.stack.routers.listing()
        if address:
            found = [r for r in found if r.address == addr.parse(address)]
        return found[0] if len(found) == 1 else None

    def pings(self, target: str, count: int = 1, pause: float = 0.0) -> int:
        """So many echo requests; how many replies."""
        packed = addr.parse(target)
        icmp = self.stack.icmp_for(packed)
        got: list[int] = []
        self.runtime.submit(lambda: icmp.listen(77, lambda *reply: got.append(reply[1])))
        for number in range(count):
            self.runtime.submit(partial(self._ping, packed, number))
            time.sleep(pause)
        self.runtime.wait(lambda: len(got) == count, SECOND)
        return len(got)

    def _ping(self, target: bytes, number: int) -> None:
        self.stack.icmp_for(target).echo(target, 77, number, b"data")


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether the process has a handler for the signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


@pytest.fixture
def link(tmp_path: Path) -> Iterator[Link]:
    wants("radvd", "radvd")
    runtime = ThreadRuntime(None)
    stack = Stack(runtime.env, Config(dad=False))
    attachment = attached()
    try:
        port = attachment.port
        nic = stack.add_nic(port, "wsk0")
        stack.add_address(nic, "10.77.0.2", 24)
        stack.add_address(nic, "fd77::2", 64)
        runtime.loop.add(stack, nic, port)
        runtime.start()
        with lan(attachment.pid) as net:
            net.first.forwards()
            yield Link(stack, nic, runtime, net, tmp_path)
    finally:
        runtime.stop()
        attachment.close()


def test_the_stack_learns_what_radvd_says(link: Link) -> None:
    """Router, prefix, MTU, route, name servers and times; asked for by a solicitation."""
    link.radvd(
        link.one,
        "wsk0",
        "AdvDefaultLifetime 600; AdvDefaultPreference high; AdvLinkMTU 1400; AdvCurHopLimit 33;"
        " AdvReachableTime 20000; AdvRetransTimer 500; AdvOtherConfigFlag on;"
        " prefix fd00:1::/64 { AdvOnLink on; AdvAutonomous off; AdvValidLifetime 300;"
        " AdvPreferredLifetime 200; };"
        " route fd00:5::/48 { AdvRoutePreference low; AdvRouteLifetime 500; };"
        " RDNSS fd77::1 { AdvRDNSSLifetime 400; };"
        " DNSSL example.com { AdvDNSSLLifetime 400; };",
    )
    link.solicits()
    assert link.until(lambda: bool(link.defaults()))
    router = link.router()
    assert router is not None
    assert router.preference == ndp.HIGH
    assert router.routes[addr.parse("fd00:5::"), 48][1] == ndp.LOW
    interface = link.stack.v6.interface(link.nic)
    assert (interface.mtu, interface.hop_limit) == (1400, 33)
    assert (interface.reachable_time, interface.retrans_timer) == (20 * SECOND, SECOND // 2)
    assert [(p, length) for _, p, length, _ in link.stack.routers.prefixes()] == [
        (addr.parse("fd00:1::"), 64)
    ]
    assert link.stack.host.name_servers.servers() == [(addr.parse("fd77::1"), 0)]
    assert link.stack.host.name_servers.search() == ["example.com"]
    link.one.run(f"ip addr add {NEAR[1]}/128 dev lo nodad")
    assert link.pings(NEAR[1], 3) == 3
    path = link.stack.v6.path(addr.parse(NEAR[1]))
    assert path is not None
    assert (path.neighbor.address, path.mtu) == (router.address, 1400)


def test_a_daemon_that_ends_takes_its_word_back(link: Link) -> None:
    """radvd's last advertisement has a lifetime of zero."""
    process = link.radvd(
        link.one, "wsk0", "AdvDefaultLifetime 600; prefix fd00:1::/64 { DeprecatePrefix on; };"
    )
    link.solicits()
    assert link.until(lambda: bool(link.defaults()))
    assert link.stack.routers.prefixes()
    link.ends(process)
    assert link.until(lambda: not link.defaults(), 20)


def test_the_preferred_of_two(link: Link) -> None:
    """And the other one, once that has taken its word back."""
    two = link.second()
    link.radvd(link.one, "br0", "AdvDefaultLifetime 600; AdvDefaultPreference low;")
    preferred = link.radvd(two, "eth0", "AdvDefaultLifetime 600; AdvDefaultPreference high;")
    assert link.until(lambda: len(link.defaults()) == 2)
    first = link.defaults()[0]
    assert link.pings(FAR[1], 3) == 3
    path = link.stack.v6.path(addr.parse(FAR[1]))
    assert path is not None
    assert path.neighbor.address == first
    link.ends(preferred)
    assert link.until(lambda: len(link.defaults()) == 1, 20)
    assert link.defaults()[0] != first
    assert link.pings(NEAR[1], 3) == 3


@pytest.mark.parametrize("index", [0, 1], ids=["ipv4", "ipv6"])
def test_a_router_that_dies_and_one_that_does_not(link: Link, index: int) -> None:
    """The first does not answer any more; what it routed goes over the second."""
    link.second()
    gateways = ("10.77.0.9", "10.77.0.1") if index == 0 else ("fd77::9", "fd77::1")
    any_ = ("0.0.0.0", "::")[index]
    for metric, gateway in enumerate(gateways):
        link.runtime.submit(partial(link.stack.add_route, any_, 0, link.nic, gateway, metric))
    assert link.pings(NEAR[index], 3) == 3
    path = link.stack.host.layer_of(addr.parse(NEAR[index])).path(addr.parse(NEAR[index]))
    assert path is not None
    assert path.neighbor.address == addr.parse(gateways[0])
    link.one.run("ip link set port1 down")
    link.runtime.submit(path.doubt)
    assert link.until(lambda: link.pings(NEAR[index]) == 1, 15)
    assert not path.valid


@pytest.mark.parametrize("index", [0, 1], ids=["ipv4", "ipv6"])
def test_a_linux_router_redirects(link: Link, index: int) -> None:
    """It knows a better first hop on the same link, and the stack heeds it."""
    link.second()
    one = link.one
    one.run("for f in /proc/sys/net/ipv4/conf/*/send_redirects; do echo 1 > $f; done")
    one.run(f"ip route add {FAR[0]} via 10.77.0.9; ip route add {FAR[1]} via fe80::9 dev br0")
    any_, gateway = (("0.0.0.0", "10.77.0.1"), ("::", "fe80::77:73ff:fe6b:1"))[index]
    link.runtime.submit(lambda: link.stack.add_route(any_, 0, link.nic, gateway))
    assert link.pings(FAR[index], 4, 0.3) == 4
    assert link.until(lambda: len(link.stack.host.redirects.listing()) == 1, 5), (
        link.stack.door.snapshot()
    )
    (redirect,) = link.stack.host.redirects.listing()
    assert (redirect.dst, redirect.router) == (addr.parse(FAR[index]), addr.parse(gateway))
    assert redirect.target == addr.parse(("10.77.0.9", "fe80::9")[index])
    assert link.pings(FAR[index], 3) == 3
    path = link.stack.host.layer_of(redirect.dst).path(redirect.dst)
    assert path is not None
    assert path.neighbor.address == redirect.target
