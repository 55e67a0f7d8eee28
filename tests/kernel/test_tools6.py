# SPDX-License-Identifier: MIT
"""Other people's IPv6 tools against the stack: ndisc6's (probes) and thc-ipv6's (attacks).

An attack is bounded in time; what counts is that the stack answers the next ping, that what it
dropped has a name, and that it believed nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stack import Config
from stack.base.units import SECOND
from tests.kernel.conftest import KernelWorld, bring_up
from tests.kernel.lan import Place, wants

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("kernel")]

TARGET = "fd77::2"


class Attacked:
    """A stack, and the kernel's side of its wire."""

    def __init__(self, world: KernelWorld) -> None:
        self.world = world
        self.place = Place(world.attachment.pid)

    def state(self) -> tuple[object, ...]:
        """What an attacker would like to change."""
        stack = self.world.stack
        found: tuple[object, ...] = self.world.inside(
            lambda: (
                sorted(stack.v6.local),
                sorted((r.prefix, r.length, r.gateway) for r in stack.host.routes.all()),
                {nic.index: stack.v6.interface(nic).mtu for nic in stack.host.nics},
            )
        )
        return found

    def alive(self) -> bool:
        ping = wants("ping", "iputils-ping")
        return " 0% packet loss" in self.place.run(f"{ping} -n -c 3 -i 0.1 -W 3 {TARGET}", False)

    def settle(self) -> None:
        """Wait until what the attack has queued is worked off."""
        self.world.runtime.wait(lambda: False, SECOND)


@pytest.fixture(scope="module")
def attacked() -> Iterator[Attacked]:
    world = bring_up("userns", Config(dad=False))
    try:
        yield Attacked(world)
    finally:
        world.stop()


def test_ndisc6_finds_the_address(attacked: Attacked) -> None:
    out = attacked.place.run(f"{wants('ndisc6', 'ndisc6')} -q {TARGET} wsk0")
    assert out.strip().lower() == "02:77:73:6b:00:02"


def test_rdisc6_finds_no_router(attacked: Attacked) -> None:
    """A host does not answer router solicitations."""
    out = attacked.place.run(f"{wants('rdisc6', 'ndisc6')} -w 300 -r 1 wsk0", check=False)
    assert "No response" in out


@pytest.mark.parametrize("line", ["tracert6 -q 1 -w 2 fd77::2", "tcptraceroute6 -q 1 fd77::2 80"])
def test_tracert6(attacked: Attacked, line: str) -> None:
    program = wants(line.split()[0], "ndisc6")
    out = attacked.place.run(line.replace(line.split()[0], program, 1)).splitlines()
    assert out[1].split()[:2] == ["1", TARGET]
    assert len(out) == 2


def test_alive6_finds_the_stack(attacked: Attacked) -> None:
    out = attacked.place.run(f"timeout 20 {wants('atk6-alive6', 'thc-ipv6')} wsk0", check=False)
    assert "fe80::77:73ff:fe6b:2" in out


ATTACKS = [
    "atk6-exploit6 wsk0 fd77::2",
    "timeout 2 atk6-denial6 wsk0 fd77::2 1",
    "timeout 2 atk6-denial6 wsk0 fd77::2 2",
    "timeout 2 atk6-flood_advertise6 wsk0",
    "timeout 2 atk6-flood_solicitate6 wsk0 fd77::2",
    "timeout 2 atk6-flood_mld6 wsk0",
    "timeout 2 atk6-flood_mld26 wsk0",
    "timeout 2 atk6-flood_redir6 wsk0 fd77::2 fd77::1 fd77::99",
    "timeout 2 atk6-flood_unreach6 wsk0 fd77::2",
    "timeout 2 atk6-smurf6 wsk0 fd77::2",
    "timeout 2 atk6-kill_router6 wsk0 fe80::1",
    "timeout 2 atk6-fuzz_ip6 -x -1 -2 -3 -4 -5 -6 -7 -8 -9 -F -S -D -H -R wsk0 fd77::2",
    "atk6-toobig6 wsk0 fd77::2 fd77::1 48",
    "atk6-fake_advertise6 -n 3 wsk0 fd77::2",
    "atk6-redir6 wsk0 fd77::2 fd77::77 fe80::1234 fe80::5678",
]


@pytest.mark.parametrize(
    "line", ATTACKS, ids=lambda line: line.removeprefix("timeout 2 ").split()[0]
)
def test_attacks_change_nothing(attacked: Attacked, line: str) -> None:
    program = next(word for word in line.split() if word.startswith("atk6-"))
    line = line.replace(program, wants(program, "thc-ipv6"))
    before = attacked.state()
    nic = attacked.world.stack.host.nics[-1]
    heard = nic.counters.in_packets
    attacked.place.run(f"timeout -k 1 20 {line} >/dev/null 2>&1", check=False)
    attacked.settle()
    assert nic.counters.in_packets > heard, "nothing came of it"
    assert attacked.alive()
    assert attacked.state() == before


FLOODS = [
    "timeout 3 atk6-flood_router26 wsk0",
    "timeout 3 atk6-flood_router26 -R -P -s wsk0",
    "timeout 3 atk6-fake_router26 -A 2001:db8:66::/64 -n 3 -i 1 wsk0",
    "timeout 3 atk6-flood_dhcpc6 wsk0",
]


@pytest.mark.parametrize("line", FLOODS)
def test_floods_of_routers_fill_nothing(line: str) -> None:
    """Advertisements are believed, but only so many (RFC 6104 names the trouble): every table keeps
    its bound, and who is on the link is answered."""
    world = bring_up("userns", Config(dad=False, dhcp4_initial_delay=0))
    try:
        flooded = Attacked(world)
        program = next(word for word in line.split() if word.startswith("atk6-"))
        line = line.replace(program, wants(program, "thc-ipv6"))
        flooded.place.run(f"timeout -k 1 20 {line} >/dev/null 2>&1", check=False)
        flooded.settle()
        stack, config = world.stack, world.stack.config
        index = stack.host.nics[-1].index
        sizes = world.inside(
            lambda: (
                len(stack.routers.listing()),
                len(stack.routers.prefixes()),
                len(stack.v6.addresses.on(index)),
                len(stack.host.nics[-1].neighbors.entries),
                len(stack.timers.armed()),
            )
        )
        assert sizes[0] <= config.ra_router_limit
        assert sizes[1] <= config.ra_prefix_limit
        assert sizes[2] <= 3 * config.slaac_limit + 4
        assert sizes[3] <= config.neighbor_limit
        assert sizes[4] <= 2000
        assert flooded.alive()
    finally:
        world.stop()
