# SPDX-License-Identifier: MIT
"""The DHCPv4 client with dnsmasq as its server, on a TAP in a namespace.

dnsmasq grants two minutes at least, so renewals are left to the tests in virtual time.  Real time
stays short by what the RFCs leave to us: no random wait before the first message
(`Config.dhcp4_initial_delay`; RFC 2131 4.4.1 is a SHOULD), and no probing (`Config.dad`; RFC 5227
is one too) but where a conflict is the point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stack import Config, Stack
from stack.base import addr, status
from stack.base.units import SECOND
from stack.services.autoconf4 import Autoconf4
from stack.transport.naming import Found, NameSink
from tap.thread import ThreadRuntime
from tests.kernel.conftest import attached
from tests.kernel.lan import Place, lan, wants

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("kernel")]

POOL = [addr.parse(f"10.77.0.{n}") for n in range(100, 111)]


class Served:
    """A stack without an address, and dnsmasq on the kernel's side of its wire."""

    def __init__(
        self, runtime: ThreadRuntime, stack: Stack, auto: Autoconf4, place: Place, room: Path
    ) -> None:
        self.runtime = runtime
        self.stack = stack
        self.auto = auto
        self.place = place
        self._room = room

    def inside(self, work: Callable[[], Any]) -> Any:
        """Call `work` on the stack's thread."""
        box: list[Any] = []
        self.runtime.submit(lambda: box.append(work()))
        assert self.runtime.wait(lambda: bool(box), 5 * SECOND)
        return box[0]

    def until(self, done: Callable[[], bool], seconds: int = 10) -> None:
        assert self.runtime.wait(done, seconds * SECOND), self.log()

    def is_bound(self) -> bool:
        return str(self.auto.state()["state"]) == "bound"

    def obtain(self, address: str = "") -> dict[str, Any]:
        assert self.inside(lambda: self.auto.start(address)) == status.OK
        self.until(self.is_bound)
        state: dict[str, Any] = self.inside(self.auto.state)
        return state

    def leave(self, release: bool) -> None:
        self.inside(lambda: self.auto.stop(release))
        self.until(lambda: self.auto.state()["state"] == "stopped")

    def log(self) -> str:
        """What dnsmasq says it did."""
        return (self._room / "log").read_text()

    def said(self, *words: str) -> bool:
        return all(word in self.log() for word in words)

    def leases(self) -> str:
        """Its table of leases."""
        return (self._room / "leases").read_text()


def serve(room: Path, more: str = "", **settings: Any) -> Iterator[Served]:
    program = wants("dnsmasq", "dnsmasq-base")
    attachment = attached()
    config = Config(**{"dad": False, "dhcp4_initial_delay": 0, "linklocal4": False, **settings})
    runtime = ThreadRuntime(None)
    stack = Stack(runtime.env, config)
    nic = stack.add_nic(attachment.port, "wsk0")
    runtime.loop.add(stack, nic, attachment.port)
    try:
        with lan(attachment.pid) as net:
            line = (
                f"exec {program} --no-daemon --conf-file=/dev/null --user=root --group=root"
                f" --pid-file= --interface=wsk0 --bind-interfaces --except-interface=lo"
                f" --no-hosts --no-resolv --dhcp-authoritative --log-dhcp --no-ping"
                f" --dhcp-leasefile={room}/leases --address=/www.example.test/10.77.0.80"
                f" --dhcp-range=10.77.0.100,10.77.0.110,255.255.255.0,2m"
                f" --dhcp-option=option:domain-name,example.test"
                f" --dhcp-option=option:domain-search,example.test,more.example.test"
                f" --dhcp-option=option:mtu,1400"
                f" --dhcp-option=option:classless-static-route,"
                f"10.88.0.0/16,10.77.0.1,10.89.0.0/16,0.0.0.0,0.0.0.0/0,10.77.0.1 {more}"
            )
            (room / "leases").write_text("")
            net.keep(net.first.start(line, room / "log"))
            served = Served(runtime, stack, stack.autoconf4(nic), net.first, room)
            runtime.start()
            served.until(lambda: served.said("DHCP, IP range"))
            yield served
    finally:
        runtime.stop()
        attachment.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    yield from serve(tmp_path, dhcp4_hostname="toaster")


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[Served]:
    """T1 is over after three seconds."""
    yield from serve(tmp_path, "--dhcp-option=option:T1,3")


@pytest.fixture
def checking(tmp_path: Path) -> Iterator[Served]:
    yield from serve(tmp_path, dad=True)


class Answer(NameSink):
    """What the resolver found."""

    def __init__(self) -> None:
        self.addresses: list[bytes] | None = None

    def named(self, token: object, status: int, found: Found | None) -> None:
        self.addresses = [] if found is None else found.addresses


def test_a_lease_with_everything_that_comes_with_it(served: Served) -> None:
    state = served.obtain()
    address, length = state["address"].split("/")
    assert addr.parse(address) in POOL
    assert length == "24"
    assert state["server"] == "10.77.0.1"
    assert 110 <= state["expires"] <= 120
    assert state["t1"] < state["t2"] < state["expires"]
    assert state["mtu"] == 1400
    assert state["name_servers"] == ["10.77.0.1"]
    assert state["search"] == ["example.test", "more.example.test"]
    assert state["routes"] == [
        ("10.88.0.0/16", "10.77.0.1"),
        ("10.89.0.0/16", ""),
        ("0.0.0.0/0", "10.77.0.1"),
    ]
    served.until(lambda: "toaster" in served.leases())
    assert served.auto.client.client_id.hex(":") in served.leases()

    ping = wants("ping", "iputils-ping")
    assert " 0% packet loss" in served.place.run(f"{ping} -n -c 2 -i 0.05 -W 2 {address}")
    answer = Answer()
    resolver = served.stack.resolver
    served.inside(lambda: resolver.find_addresses("www", addr.V4, False, answer, "t"))
    served.until(lambda: answer.addresses is not None)
    assert answer.addresses == [addr.parse("10.77.0.80")]
    assert not served.said("ignored")


def test_release_and_again(served: Served) -> None:
    address = served.obtain()["address"].split("/")[0]
    served.until(lambda: address in served.leases())
    served.leave(release=True)
    served.until(lambda: served.said("DHCPRELEASE") and address not in served.leases())
    assert not served.stack.v4.addresses.all.get(addr.parse(address))
    assert served.obtain()["address"].split("/")[0] == address  # by its client identifier


def test_a_remembered_lease_needs_but_two_messages(served: Served) -> None:
    """INIT-REBOOT (RFC 2131 3.2)."""
    address = served.obtain()["address"].split("/")[0]
    served.leave(release=False)
    before = served.log().count("DHCPDISCOVER")
    assert served.obtain(address)["address"].split("/")[0] == address
    assert served.log().count("DHCPDISCOVER") == before == 1
    assert not served.said("DHCPRELEASE")


def test_an_address_of_elsewhere_is_refused_and_another_taken(served: Served) -> None:
    state = served.obtain("198.51.100.7")
    assert addr.parse(state["address"].split("/")[0]) in POOL
    assert served.said("DHCPNAK", "wrong network")
    assert served.auto.client.lease is not None


def test_a_renewal_by_unicast_is_granted(hasty: Served) -> None:
    """RENEWING (RFC 2131 4.4.5): what came is broadcast no more."""
    hasty.obtain()
    first = hasty.auto.client.lease
    heard = hasty.stack.v4.counters.in_bcast_pkts
    hasty.until(lambda: hasty.is_bound() and hasty.auto.client.lease is not first)
    assert hasty.log().count("DHCPDISCOVER") == 1
    assert hasty.stack.v4.counters.in_bcast_pkts == heard
    assert not hasty.stack.door.snapshot().get("dhcp4_unexpected")


def test_after_the_link_was_gone_the_lease_is_confirmed(served: Served) -> None:
    served.obtain()
    first = served.auto.client.lease
    served.inside(lambda: served.stack.set_link(served.stack.host.nics[1], False))
    served.inside(lambda: served.stack.set_link(served.stack.host.nics[1], True))
    served.until(lambda: served.is_bound() and served.auto.client.lease is not first)
    assert served.log().count("DHCPACK") >= 2


def test_inform(served: Served) -> None:
    nic = served.stack.host.nics[1]
    served.inside(lambda: served.stack.add_address(nic, "10.77.0.2", 24))
    assert served.inside(lambda: served.auto.inform("10.77.0.2")) == status.OK
    served.until(lambda: served.auto.state()["inform"] == "informed")
    state = served.inside(served.auto.state)
    assert state["name_servers"] == ["10.77.0.1"]
    assert state["mtu"] == 1400
    assert served.said("DHCPINFORM")


def test_an_address_that_the_kernel_has_is_declined(checking: Served) -> None:
    """RFC 5227 2.1.1: its ARP answers our probe."""
    for address in POOL:
        checking.place.run(f"ip addr add {addr.text(address)}/32 dev lo")
    checking.inside(lambda: checking.auto.start())
    checking.until(lambda: checking.said("DHCPDECLINE"))
    assert not checking.is_bound()
    assert checking.auto.client.lease is None


def test_an_address_is_checked_announced_and_used(checking: Served) -> None:
    state = checking.obtain()
    assert addr.parse(state["address"].split("/")[0]) in POOL
