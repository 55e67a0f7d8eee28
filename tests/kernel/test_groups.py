# SPDX-License-Identifier: MIT
"""The kernel's bridge as snooping switch and querier: it learns our groups, keeps them for as long
as we answer, and forgets them when we leave."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from stack import Config
from stack.base import addr
from stack.transport.options import BLOCK, JOIN, JOIN_SOURCE, LEAVE
from tests.kernel.conftest import KernelWorld, bring_up, impossible
from tests.kernel.test_traffic import eventually, needs

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("kernel")]

BRIDGE = "wskbr0"
GROUPS = ("239.77.1.1", "ff15::77:1")
CHOSEN = ("232.77.1.1", "ff35::77:1")
SOURCES = ("10.9.0.1", "fd09::1")

Entry = dict[str, Any]


class Switch:
    """A bridge around the kernel's end of the wire, asking every second."""

    def __init__(self, world: KernelWorld, igmp: int, mld: int) -> None:
        self.world = world
        settings = {
            "forward_delay": 0,
            "mcast_snooping": 1,
            "mcast_querier": 1,
            "mcast_igmp_version": igmp,
            "mcast_mld_version": mld,
            # Hundredths of a second.
            "mcast_query_interval": 100,
            "mcast_query_response_interval": 50,
            "mcast_startup_query_interval": 100,
            "mcast_last_member_interval": 30,
            "mcast_membership_interval": 300,
        }
        words = [str(word) for item in settings.items() for word in item]
        made = self.ip("link", "add", BRIDGE, "type", "bridge", *words)
        if made["status"]:
            impossible(f"no bridge can be made: {made['err'].strip()}")
        for more in (("wsk0", "master", BRIDGE), (BRIDGE, "up")):
            assert self.ip("link", "set", *more)["status"] == 0

    def ip(self, *words: str) -> dict[str, Any]:
        return self.world.run("program", words=[needs("ip"), *words])

    def entries(self) -> dict[str, Entry]:
        """What it knows of the wire's groups."""
        words = [needs("bridge"), "-d", "-j", "mdb", "show", "dev", BRIDGE]
        shown = json.loads(self.world.run("program", words=words)["out"])
        found = shown[0]["mdb"]
        return {e["grp"]: e for e in found if e["port"] == "wsk0" and "src" not in e}

    def knows(self, *groups: str) -> bool:
        return set(groups) <= set(self.entries())


@pytest.fixture(
    params=[("userns", 3, 2), ("veth", 2, 1)], ids=["newest versions", "older versions"]
)
def switch(request: pytest.FixtureRequest) -> Iterator[Switch]:
    wire, igmp, mld = request.param
    world = bring_up(wire, Config(dad=False))
    try:
        yield Switch(world, igmp, mld)
    finally:
        world.stop()


def test_a_snooping_switch_follows_us(switch: Switch) -> None:
    world = switch.world
    stack = world.stack

    def join() -> Any:
        endpoint = stack.udp.open_datagram(addr.V4 | addr.V6)
        endpoint.bind(b"", 7777, 0)
        index = next(nic.index for nic in stack.host.nics if nic.name == "wsk0")
        for text, chosen, sender in zip(GROUPS, CHOSEN, SOURCES, strict=True):
            group, source = addr.parse(text), addr.parse(sender)
            assert endpoint.membership(JOIN, group, index, b"") == 0
            assert endpoint.membership(BLOCK, group, index, source) == 0
            only = addr.parse(chosen)
            assert endpoint.membership(JOIN_SOURCE, only, index, source) == 0
        return endpoint, index

    endpoint, index = world.inside(join)
    assert eventually(lambda: switch.knows(*GROUPS, *CHOSEN), 10), switch.entries()

    # It asks, and we answer, or it would have forgotten after three seconds.
    def asked() -> int:
        shot: dict[str, dict[str, int]] = world.inside(stack.snapshot)
        return min(
            sum(n for name, n in shot[block].items() if name.endswith("_queries"))
            for block in ("igmp", "mld")
        )

    assert eventually(lambda: asked() >= 6, 20), asked()
    entries = switch.entries()
    assert set(entries) >= {*GROUPS, *CHOSEN}
    shot = world.inside(stack.snapshot)
    assert shot["igmp"]["in_errors"] == shot["mld"]["in_errors"] == 0
    if shot["igmp"]["in_v3_queries"]:
        for text, chosen, sender in zip(GROUPS, CHOSEN, SOURCES, strict=True):
            assert entries[text]["filter_mode"] == "exclude"
            assert [s["address"] for s in entries[text]["source_list"]] == [sender]
            assert entries[chosen]["filter_mode"] == "include"
            assert [s["address"] for s in entries[chosen]["source_list"]] == [sender]
    else:
        assert shot["igmp"]["in_v2_queries"] >= 5
        assert shot["mld"]["in_v1_queries"] >= 5

    # From now on it would take a minute to find out by itself that we have left.
    switch.ip("link", "set", BRIDGE, "type", "bridge", "mcast_membership_interval", "6000")
    before = asked()
    assert eventually(lambda: asked() >= before + 3, 20)
    for text in (*GROUPS, *CHOSEN):
        group = addr.parse(text)
        assert world.inside(lambda g=group: endpoint.membership(LEAVE, g, index, b"")) == 0
    assert eventually(lambda: not set(switch.entries()) & {*GROUPS, *CHOSEN}, 20)
