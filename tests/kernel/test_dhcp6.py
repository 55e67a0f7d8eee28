# SPDX-License-Identifier: MIT
"""The DHCPv6 client with dnsmasq as its server, on a TAP in a namespace.

dnsmasq grants two minutes at least, so renewals are left to the tests in virtual time.  No address
is probed (`Config.dad`) but where a duplicate is the point.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stack import Config, Stack
from stack.base import addr
from stack.base.units import SECOND
from stack.link.nic import Nic
from stack.services.dhcp6_client import Client
from tap.thread import ThreadRuntime
from tests.kernel.conftest import attached
from tests.kernel.lan import Lan, lan, wants

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("kernel")]

RANGE = (addr.parse("fd77::100"), addr.parse("fd77::1ff"))


class Served:
    """A stack, and dnsmasq on the kernel's side of its wire."""

    def __init__(
        self, net: Lan, room: Path, stack: Stack, nic: Nic, runtime: ThreadRuntime
    ) -> None:
        self.net = net
        self.place = net.first
        self.stack = stack
        self.nic = nic
        self.runtime = runtime
        self._room = room
        self._server: subprocess.Popen[bytes] | None = None
        client = stack.dhcp6.client(nic)
        assert client is not None
        self.client: Client = client

    def serve(self, span: str = "fd77::100,fd77::1ff,64,2m", more: str = "") -> None:
        """Start dnsmasq, or start it anew."""
        program = wants("dnsmasq", "dnsmasq-base")
        if self._server is not None:
            self._server.terminate()
            self._server.wait(timeout=5)
        (self._room / "leases").write_text("")
        line = (
            f"exec {program} --no-daemon --conf-file=/dev/null --user=root --group=root"
            f" --pid-file= --port=0 --interface=wsk0 --bind-interfaces --except-interface=lo"
            f" --no-hosts --no-resolv --log-dhcp --dhcp-leasefile={self._room}/leases"
            f" --dhcp-range={span} --dhcp-option=option6:dns-server,[fd77::53],[fe80::53]"
            f" --dhcp-option=option6:domain-search,example.test,more.example.test"
            f" --dhcp-option=option6:information-refresh-time,1000"
            f" --dhcp-option=option6:ntp-server,[fd77::123] {more}"
        )
        self._server = self.net.keep(self.place.start(line, self._room / "log"))
        self.until(lambda: "DHCPv6, IP range" in self.log())

    def inside(self, work: Callable[[], Any]) -> Any:
        """Call `work` on the stack's thread."""
        box: list[Any] = []
        self.runtime.submit(lambda: box.append(work()))
        assert self.runtime.wait(lambda: bool(box), 5 * SECOND)
        return box[0]

    def until(self, done: Callable[[], bool], seconds: int = 15) -> None:
        assert self.runtime.wait(done, seconds * SECOND), (self.state(), self.log())

    def state(self) -> dict[str, Any]:
        return self.client.state()

    def is_at(self, name: str) -> None:
        self.until(lambda: self.client.state()["state"] == name)

    def log(self) -> str:
        """What dnsmasq says it did."""
        log = self._room / "log"
        return log.read_text() if log.exists() else ""

    def leases(self) -> str:
        """Its table of leases."""
        return (self._room / "leases").read_text()

    def obtain(self, stateful: bool = True) -> None:
        self.inside(lambda: self.client.start(stateful))
        self.is_at("bound" if stateful else "informed")

    def address(self) -> str:
        (lease,) = self.state()["addresses"]
        return str(lease["address"])

    def names(self) -> list[tuple[str, int]]:
        table = self.stack.host.name_servers
        return [(addr.text(server), scope) for server, scope in table.servers()]


def wire(room: Path, **settings: Any) -> Iterator[Served]:
    attachment = attached()
    runtime = ThreadRuntime(None)
    stack = Stack(runtime.env, Config(**{"dad": False, **settings}))
    nic = stack.add_nic(attachment.port, "wsk0")
    runtime.loop.add(stack, nic, attachment.port)
    try:
        with lan(attachment.pid) as net:
            served = Served(net, room, stack, nic, runtime)
            runtime.start()
            yield served
    finally:
        runtime.stop()
        attachment.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    yield from wire(tmp_path)


@pytest.fixture
def rapid(tmp_path: Path) -> Iterator[Served]:
    yield from wire(tmp_path, dhcp6_rapid_commit=True)


@pytest.fixture
def probing(tmp_path: Path) -> Iterator[Served]:
    yield from wire(tmp_path, dad=True)


def test_a_lease_and_everything_with_it(served: Served) -> None:
    served.serve()
    served.obtain()
    state = served.state()
    address = served.address()
    assert RANGE[0] <= addr.parse(address) <= RANGE[1]
    (lease,) = state["addresses"]
    assert 115 < lease["valid"] <= 120
    assert 55 < state["t1"] <= 60
    assert state["t1"] < state["t2"] < lease["valid"]
    assert served.names() == [("fd77::53", 0), ("fe80::53", served.nic.index)]
    assert served.stack.host.name_servers.search() == ["example.test", "more.example.test"]
    assert state["ntp_servers"] == ["fd77::123"]
    served.until(lambda: address in served.leases())
    assert state["duid"] in served.leases().replace(":", "")
    counted = served.stack.dhcp6.counters
    assert (counted.requests, counted.advertises) == (1, 1)
    assert served.stack.door.snapshot().keys().isdisjoint({"dhcp6_malformed", "dhcp6_client_id"})


def test_the_kernel_reaches_the_leased_address(served: Served) -> None:
    served.serve()
    served.obtain()
    wants("ping", "iputils-ping")
    # What a router advertisement would say: the lease does not tell what is on the link.
    served.inside(lambda: served.stack.add_route("fd77::", 64, served.nic, ""))
    assert "1 received" in served.place.run(f"ping -6 -n -c1 -W3 {served.address()}")


def test_an_authoritative_server_is_taken_at_once(served: Served) -> None:
    """dnsmasq's preference is then 255."""
    served.serve(more="--dhcp-authoritative")
    served.obtain()
    assert served.stack.dhcp6.counters.solicits == 1


def test_rapid_commit(rapid: Served) -> None:
    rapid.serve(more="--dhcp-authoritative")
    rapid.obtain()
    counted = rapid.stack.dhcp6.counters
    assert (counted.requests, counted.advertises, counted.replies) == (0, 0, 1)
    rapid.until(lambda: rapid.address() in rapid.leases())


def test_release(served: Served) -> None:
    served.serve()
    served.obtain()
    address = served.address()
    served.inside(served.client.stop)
    served.until(lambda: "DHCPRELEASE" in served.log())
    served.until(lambda: not served.client.active)
    served.until(lambda: address not in served.leases())
    assert served.stack.dhcp6.counters.releases == 1


def test_the_same_client_gets_the_same_address_again(served: Served) -> None:
    served.serve()
    served.obtain()
    address = served.address()
    served.inside(lambda: served.client.stop(release=False))
    served.obtain()
    assert served.address() == address


def test_information_only(served: Served) -> None:
    served.serve()
    served.obtain(stateful=False)
    assert served.names() == [("fd77::53", 0), ("fe80::53", served.nic.index)]
    assert 990 < served.state()["refresh"] <= 1000
    assert served.state()["addresses"] == []
    assert "DHCPINFORMATION-REQUEST" in served.log()


def test_confirm_on_the_same_link(served: Served) -> None:
    served.serve()
    served.obtain()
    address = served.address()
    served.inside(lambda: served.stack.set_link(served.nic, False))
    served.inside(lambda: served.stack.set_link(served.nic, True))
    served.is_at("bound")
    assert "DHCPCONFIRM" in served.log()
    assert served.address() == address
    assert served.stack.dhcp6.counters.solicits == 1


def test_confirm_on_another_link(served: Served) -> None:
    """Same wire, other prefix: dnsmasq says that the address is not on the link any more."""
    served.serve()
    served.obtain()
    served.place.run("ip addr add fd99::1/64 dev wsk0; ip addr del fd77::1/64 dev wsk0")
    served.serve("fd99::100,fd99::1ff,64,2m")
    served.inside(lambda: served.stack.set_link(served.nic, False))
    served.inside(lambda: served.stack.set_link(served.nic, True))
    served.until(lambda: served.stack.dhcp6.counters.not_on_links > 0)
    served.is_at("bound")
    assert served.address().startswith("fd99::1")


def test_decline(probing: Served) -> None:
    """The kernel has the address that dnsmasq wants to give."""
    probing.serve()
    probing.obtain()
    address = probing.address()
    probing.inside(lambda: probing.client.stop(release=False))
    probing.place.run(f"ip -6 addr add {address}/128 dev wsk0 nodad")
    probing.inside(lambda: probing.client.start(True))
    probing.until(lambda: "DHCPDECLINE" in probing.log())
    probing.until(lambda: probing.stack.dhcp6.counters.advertises == 3, 30)
    probing.is_at("bound")
    assert probing.address() != address
    assert probing.stack.dhcp6.counters.declines == 1
    probing.until(lambda: addr.parse(probing.address()) in probing.stack.v6.local)
