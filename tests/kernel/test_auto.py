# SPDX-License-Identifier: MIT
"""Dropped on a network with a router, the demo configures itself: nothing is typed.

    stack -- wsk0 [the holder: a bridge] port1 -- eth0 [gateway: dnsmasq, forwarding] far0 -- [far]

One dnsmasq gives leases, advertises itself, answers DHCPv6 and the DNS.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stack import Config
from stack.base import addr
from stack.base.units import SECOND
from tests.kernel.conftest import KernelWorld, attached, begin, finish
from tests.kernel.lan import Lan, Place, lan, wants
from tools import inspect_stack

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("kernel")]

FAR = ("10.88.0.1", "fd88::1")
QUICK = Config(dad=False, dhcp4_initial_delay=0, linklocal4_delay=2 * SECOND)


class Network:
    """What the demo is dropped on."""

    def __init__(self, world: KernelWorld, net: Lan, room: Path) -> None:
        self.world = world
        self.net = net
        self.gateway = self._gateway()
        self.far = self._far()
        self._room = room

    def _gateway(self) -> Place:
        here = self.net.first
        here.run("ip link add br0 type bridge; ip link set br0 up; ip addr flush dev wsk0")
        here.run("ip link set wsk0 master br0; echo 1 > /proc/sys/net/ipv6/conf/br0/disable_ipv6")
        place = self.net.place()
        self.net.join(here, "port1", place, "eth0")
        here.run("ip link set port1 master br0")
        place.run("ip addr add 192.168.7.1/24 dev eth0; ip addr add fd07::1/64 dev eth0 nodad")
        place.forwards()
        return place

    def _far(self) -> Place:
        place = self.net.place()
        self.net.join(self.gateway, "far0", place, "eth0")
        self.gateway.run("ip addr add 10.88.0.254/24 dev far0")
        self.gateway.run("ip addr add fd88::fe/64 dev far0 nodad")
        place.run("ip addr add 10.88.0.1/24 dev eth0; ip addr add fd88::1/64 dev eth0 nodad")
        place.run("ip route add default via 10.88.0.254; ip route add default via fd88::fe")
        return place

    def serve(self, ranges: str) -> None:
        """Start dnsmasq on the gateway."""
        program = wants("dnsmasq", "dnsmasq-base")
        line = (
            f"exec {program} --no-daemon --conf-file=/dev/null --user=root --group=root --pid-file="
            f" --interface=eth0 --bind-interfaces --except-interface=lo --no-hosts --no-resolv"
            f" --dhcp-authoritative --no-ping --dhcp-leasefile={self._room}/leases"
            f" --domain=lan.test --address=/www.lan.test/10.88.0.1 --address=/www.lan.test/fd88::1"
            f" --enable-ra --ra-param=eth0,4,1800 {ranges}"
        )
        (self._room / "leases").write_text("")
        self.net.keep(self.gateway.start(line, self._room / "log"))


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    attachment = attached(automatic=True)
    world = KernelWorld(attachment, config=QUICK)
    try:
        with lan(attachment.pid) as net:
            yield Network(world, net, tmp_path)
    finally:
        world.stop()


RANGE4 = "--dhcp-range=192.168.7.100,192.168.7.110,255.255.255.0,2m"


@pytest.mark.parametrize(
    ("range6", "origin"),
    [
        ("--dhcp-range=fd07::,ra-only,64,3600", "slaac"),
        ("--dhcp-range=fd07::,ra-stateless,64,3600", "slaac"),
        ("--dhcp-range=fd07::100,fd07::1ff,64,3600", "dhcp"),
    ],
    ids=["slaac", "stateless", "stateful"],
)
def test_it_configures_itself(network: Network, range6: str, origin: str) -> None:
    """Addresses, routes, name servers and search domain of both families; and then it works:
    reached from behind the router, and reaching there by a name."""
    network.serve(f"{RANGE4} {range6}")
    world = network.world
    world.start()
    stack = world.stack
    found = dict(world.hosts())
    assert sorted(found) == [4, 6]
    addresses = [host("", 0)[0] for host in found.values()]
    assert addresses[0].startswith("192.168.7.1")
    assert addresses[1].startswith("fd07::")
    origins = {
        one["origin"]
        for link in world.inside(lambda: inspect_stack.addresses(stack))
        for one in link["addr_info"]
        if one["local"] in addresses
    }
    assert {"dhcp", origin} == origins
    for address in addresses:
        result = finish(
            begin(
                network.far.pid, "check", name="download", address=address, port=80, size=1 << 20
            ),
            60,
        )
        assert result["ok"], result["text"]
    servers = stack.host.name_servers
    assert world.runtime.wait(lambda: len(servers.servers()) >= 2, 10 * SECOND) or (
        "ra-only" in range6 and servers.servers()
    )
    assert "lan.test" in servers.search()


def test_without_any_server_there_is_link_local(network: Network) -> None:
    """RFC 3927: IPv4 among those on the link, as last resort."""
    world = network.world
    world.patience = SECOND
    world.start()
    layer = world.stack.v4
    assert world.runtime.wait(
        lambda: any(addr.is_link_local(own) for own in layer.local), 60 * SECOND
    )
    (own,) = (a for a in world.inside(lambda: list(layer.local)) if addr.is_link_local(a))
    network.gateway.run("ip addr add 169.254.0.1/16 dev eth0")
    ping = wants("ping", "iputils-ping")
    out = network.gateway.run(f"{ping} -n -c 3 -i 0.1 -W 2 {addr.text(own)}")
    assert " 0% packet loss" in out


def test_a_router_that_comes_late_is_heard(network: Network) -> None:
    world = network.world
    world.patience = SECOND
    world.start()
    network.serve(f"{RANGE4} --dhcp-range=fd07::,ra-only,64,3600")
    both = world.runtime.wait(lambda: len(dict(world.hosts())) == 2, 60 * SECOND)
    assert both
    for target in FAR:
        packed = addr.parse(target)
        icmp = world.stack.icmp_for(packed)
        heard: list[int] = []
        world.inside(lambda: icmp.listen(7, lambda *said: heard.append(said[1])))  # noqa: B023
        world.inside(lambda: icmp.echo(packed, 7, 1, b"hello"))  # noqa: B023
        assert world.runtime.wait(lambda: bool(heard), 5 * SECOND)  # noqa: B023
