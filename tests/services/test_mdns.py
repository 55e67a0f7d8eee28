# SPDX-License-Identifier: MIT
"""mDNS (RFC 6762): getting a name, keeping it, and giving it up."""

from __future__ import annotations

import itertools

import pytest
from scapy.layers.dns import DNS

from stack.base import addr
from stack.base.units import MS, SECOND
from stack.services import mdns_link
from tests.harness import Host, World, quiet
from tests.services.linkpeer import GROUPS, query, record, response
from tests.services.mdnsscene import LOCAL, NAME, MdnsScene, everything, probes, said, scene, told

ANY = 255


# Off.


@pytest.mark.parametrize("settings", [{}, {"host_name": "alpha"}, {"mdns": True, "host_name": ""}])
def test_without_switch_or_name_nothing_is_said_or_held(
    world: World, family: int, settings: dict[str, object]
) -> None:
    """Two stacks that hear each other: no frame, no socket, no group, no timer."""
    hosts = world.pair(quiet(**settings))
    world.run(10 * SECOND)
    for host in hosts:
        stack = host.stack
        assert stack.udp.ports.in_use() == stack.tcp.ports.in_use() == 0
        assert stack.udp.counters.moved() == {}
        for groups in GROUPS.values():
            for group in groups.values():
                assert not stack.host.groups.joined(host.nic.index, addr.parse(group))
        assert not [t for t in stack.timers.armed() if "services" in type(t.owner).__module__]
    if not settings.get("mdns"):
        attendants = [
            [type(one) for one in host.stack.host.attendants] for host in (hosts[0], *world.pair())
        ]
        assert attendants[0] == attendants[1]
        assert "mdns" not in hosts[0].stack.snapshot()


# Probing (8.1).


def test_three_probes_then_two_announcements(world: World, family: int) -> None:
    mine = scene(world, family)
    mine.run(10 * SECOND)
    heard = mine.heard()
    assert [bool(one.dns.qr) for one in heard] == [False, False, False, True, True]
    first = heard[0].when - mine.began
    assert 0 <= first <= 250 * MS
    gaps = [b.when - a.when for a, b in itertools.pairwise(heard)]
    assert gaps == [250 * MS, 250 * MS, 250 * MS, SECOND]
    for one in heard:
        assert (one.sport, one.dport, one.hops) == (5353, 5353, 255)
        assert one.dst == mine.group
        assert one.mac == addr.mac_text(addr.multicast_mac(addr.parse(mine.group)))
        assert one.src == ("10.77.0.1" if family == addr.V4 else LOCAL)
        assert one.dns.id == 0


def test_the_random_wait_before_the_first_probe_uses_its_range(family: int) -> None:
    waits = set()
    for seed in range(12):
        mine = scene(World(seed), family)
        mine.run(SECOND)
        waits.add((mine.heard()[0].when - mine.began) // MS)
    assert len(waits) > 8
    assert min(waits) < 80 < 170 < max(waits) <= 250


def test_what_a_probe_looks_like(world: World, family: int) -> None:
    mine = scene(world, family)
    mine.run(300 * MS)
    probe = mine.heard()[0].dns
    assert (probe.qr, probe.aa, probe.rcode, probe.opcode) == (0, 0, 0, 0)
    (asked,) = probe.qd
    assert (asked.qname, asked.qtype, asked.qclass) == (NAME.encode(), ANY, 1)
    assert asked.unicastresponse == 1
    assert not probe.an
    assert not probe.ar
    proposed = [(r.rrname.decode(), r.rdata, r.ttl, r.cacheflush) for r in probe.ns]
    assert sorted(proposed) == sorted(
        (NAME, address, 120, 0) for address in ("10.77.0.1", "fd77::1", LOCAL)
    )


def test_what_an_announcement_looks_like(world: World, family: int) -> None:
    mine = scene(world, family)
    mine.run(10 * SECOND)
    for one in said(mine.heard()):
        assert (one.dns.qr, one.dns.aa, one.dns.tc, one.dns.rcode) == (1, 1, 0, 0)
        assert one.dns.qdcount == 0
        assert told(one) == everything()
        assert all(r.cacheflush == 1 and r.rclass == 1 and r.ttl == 120 for r in one.dns.an)


def test_nothing_is_announced_again_without_a_reason(world: World, family: int) -> None:
    mine = scene(world, family)
    mine.settle()
    mine.run(3600 * SECOND // 10)
    assert mine.heard() == []


# Conflicts while probing (8.1, 9).


def test_a_name_that_another_has_is_left_to_him(world: World, family: int) -> None:
    mine = scene(world, family)
    mine.run(300 * MS)
    mine.says(response(record(NAME, mine.theirs(), mine.other(), flush=1)))
    mine.heard()
    assert mine.name == "alpha-2.local"
    mine.run(3 * SECOND)
    heard = mine.heard()
    assert {one.question for one in probes(heard)} == {("alpha-2.local.", ANY)}
    assert len(probes(heard)) == 3
    assert all("alpha-2.local." in str(told(one)) for one in said(heard))
    assert NAME not in {name for one in said(heard) for name, _, _ in one.answers}
    assert mine.counters.conflicts == mine.counters.renamed == 1


@pytest.mark.parametrize("kind", ["A", "AAAA", "TXT", "additional", "unicast"])
def test_any_record_with_the_name_is_a_conflict_while_probing(
    world: World, family: int, kind: str
) -> None:
    mine = scene(world, family)
    mine.run(300 * MS)
    if kind == "additional":
        mine.says(response(ar=[record(NAME, mine.theirs(), mine.other())]))
    elif kind == "unicast":
        mine.says(response(record(NAME, mine.theirs(), mine.other())), dst=mine.mine)
    else:
        data = {"A": "192.0.2.1", "AAAA": "2001:db8::1", "TXT": "x"}[kind]
        mine.says(response(record(NAME, kind, data)))
    assert mine.name == "alpha-2.local"


@pytest.mark.parametrize("what", ["early", "own data", "goodbye", "other name", "port", "rcode"])
def test_what_is_no_conflict_while_probing(world: World, family: int, what: str) -> None:
    """8.1: what comes before the first probe is stale; 9: the same data never conflict."""
    mine = scene(world, family)
    world.run(0)
    mine.run(0 if what == "early" else 300 * MS)
    if what == "early":
        assert mine.heard() == []
    answer = record(NAME, mine.theirs(), mine.other())
    flags = {}
    if what == "own data":
        answer = record(NAME, mine.theirs(), mine.mine)
    elif what == "goodbye":
        answer = record(NAME, mine.theirs(), mine.other(), ttl=0)
    elif what == "other name":
        answer = record("beta.local.", mine.theirs(), mine.other())
    elif what == "rcode":
        flags["rcode"] = 3
    mine.says(response(answer, **flags), sport=5354 if what == "port" else 5353)
    assert mine.name == "alpha.local"
    mine.settle()
    assert mine.counters.conflicts == 0
    assert mine.counters.refused == (what in ("port", "rcode"))


def test_the_next_names_are_tried_until_one_is_free(world: World, family: int) -> None:
    mine = scene(world, family, host_name="a" * 63)
    taken = ["a" * 63, "a" * 61 + "-2", "a" * 61 + "-3"]
    for name in taken:
        assert mine.name == f"{name}.local"
        while not probes(mine.heard()):
            mine.run(50 * MS)
        mine.says(response(record(f"{name}.local.", mine.theirs(), mine.other())))
    assert mine.name == "a" * 61 + "-4.local"
    mine.settle()
    assert mine.counters.renamed == 3


def test_fifteen_conflicts_in_ten_seconds_slow_it_down(world: World, family: int) -> None:
    """8.1: then five seconds at least before every attempt."""
    mine = scene(world, family)
    attempts = []
    for _ in range(18):
        while not (heard := probes(mine.heard())):
            mine.run(10 * MS)
        attempts.append(heard[0].when)
        mine.says(response(record(f"{mine.name}.", mine.theirs(), mine.other())))
    gaps = [b - a for a, b in itertools.pairwise(attempts)]
    assert all(gap <= 300 * MS for gap in gaps[:14])
    assert all(gap >= 5 * SECOND for gap in gaps[14:])
    assert len(gaps[14:]) == 3
    assert mine.counters.conflicts == 18
    # Once it has a name that is over.
    mine.settle()
    mine.says(response(record(f"{mine.name}.", mine.theirs(), mine.other())))
    before = world.now
    while not (heard := probes(mine.heard())):
        mine.run(10 * MS)
    assert heard[0].when - before <= 250 * MS


# Simultaneous probes (8.2).


def tie(mine: MdnsScene, proposed: list[tuple[str, str]]) -> DNS:
    ns = [record(NAME, kind, data) for kind, data in proposed]
    return query(NAME, ANY, unicast=1, proposed=ns)


MINE = [("A", "10.77.0.1"), ("AAAA", "fd77::1"), ("AAAA", LOCAL)]


@pytest.mark.parametrize(
    ("proposed", "lost"),
    [
        ([("A", "10.77.0.2")], True),  # later data
        ([("A", "10.77.0.0")], False),
        ([("A", "10.77.0.200")], True),  # compared as octets without a sign (8.2)
        ([("A", "9.255.255.255")], False),
        ([("AAAA", "::1")], True),  # a later type, whatever the data
        ([("TXT", "x")], True),
        (MINE, False),  # all the same: no conflict
        (MINE[:2], False),  # 8.2.1: who has more is later
        ([*MINE, ("AAAA", "ff00::1")], True),
        ([*MINE[1:], MINE[0]], False),  # the order in the message does not matter
    ],
)
def test_who_proposes_later_data_goes_on(
    world: World, family: int, proposed: list[tuple[str, str]], lost: bool
) -> None:
    mine = scene(world, family)
    mine.run(300 * MS)
    first = mine.heard()
    mine.says(tie(mine, proposed))
    when = world.now
    mine.run(10 * SECOND)
    heard = mine.heard()
    assert mine.name == "alpha.local"
    assert mine.counters.ties_lost == lost
    assert mine.counters.conflicts == 0
    again = probes(heard)
    if lost:
        assert [one.when - when for one in again] == [SECOND, 1250 * MS, 1500 * MS]
    else:
        assert len(first) + len(again) == 3


def test_records_of_other_names_do_not_decide_a_tie(world: World, family: int) -> None:
    mine = scene(world, family)
    mine.run(300 * MS)
    zulu = [record("zulu.local.", "A", "255.0.0.1")]
    mine.says(query(NAME, ANY, unicast=1, proposed=zulu))
    mine.says(query("zulu.local.", ANY, unicast=1, proposed=[record(NAME, "A", "255.0.0.1")]))
    assert mine.counters.ties_lost == 0


def hub_names(hosts: list[Host]) -> list[str]:
    names = []
    for host in hosts:
        assert host.stack.link_names.mdns is not None
        names.append(host.stack.link_names.mdns.name(host.nic))
        assert host.stack.link_names.mdns.state(host.nic) == mdns_link.OWNED
    return names


@pytest.mark.parametrize("seed", range(6))
def test_three_stacks_of_one_name_share_it_out(seed: int) -> None:
    world = World(seed)
    hosts = world.hub([quiet(host_name="alpha", mdns=True)] * 3)
    world.run(20 * SECOND)
    assert sorted(hub_names(hosts)) == ["alpha-2.local", "alpha-3.local", "alpha.local"]


def test_a_late_comer_finds_the_name_taken(family: int) -> None:
    world = World(1)
    hosts = world.hub([quiet(host_name="alpha", mdns=True)] * 2)
    late = hosts[1].stack.link_names
    assert late.switch_mdns(False) == 0
    world.run(10 * SECOND)
    assert late.switch_mdns(True) == 0
    world.run(10 * SECOND)
    assert hub_names(hosts) == ["alpha.local", "alpha-2.local"]
    assert hosts[0].stack.link_names.mdns_counters.conflicts == 0


# Conflicts afterwards (9).


def test_a_contradiction_leads_back_to_probing(world: World, family: int) -> None:
    mine = scene(world, family)
    mine.settle()
    mine.says(response(record(NAME, mine.theirs(), mine.other(), flush=1)))
    when = world.now
    assert mine.state == mdns_link.PROBING
    mine.says(query(NAME, mine.theirs()))
    mine.run(5 * SECOND)
    heard = mine.heard()
    # The name is kept if nobody defends it; nothing is answered for meanwhile.
    assert mine.name == "alpha.local"
    assert [bool(one.dns.qr) for one in heard] == [False, False, False, True, True]
    assert 0 <= heard[0].when - when <= 250 * MS
    assert mine.counters.conflicts == 1
    assert mine.counters.renamed == 0


def test_who_is_contradicted_and_then_told_off_gives_way(world: World, family: int) -> None:
    mine = scene(world, family)
    mine.settle()
    mine.says(response(record(NAME, mine.theirs(), mine.other(), flush=1)))
    mine.run(300 * MS)
    mine.says(response(record(NAME, mine.theirs(), mine.other(), flush=1)))
    assert mine.name == "alpha-2.local"


@pytest.mark.parametrize("what", ["same", "goodbye", "other type", "other name", "class"])
def test_what_is_no_contradiction(world: World, family: int, what: str) -> None:
    mine = scene(world, family)
    mine.settle()
    answer = record(NAME, mine.theirs(), mine.other())
    if what == "same":
        answer = record(NAME, mine.theirs(), mine.mine)
    elif what == "goodbye":
        answer = record(NAME, mine.theirs(), mine.other(), ttl=0)
    elif what == "other type":
        answer = record(NAME, "TXT", "x")
    elif what == "other name":
        answer = record("beta.local.", mine.theirs(), mine.other())
    elif what == "class":
        answer.rclass = 3
    mine.says(response(answer))
    assert mine.state == mdns_link.OWNED
    assert mine.counters.conflicts == 0


def test_a_joined_link_leaves_the_name_to_one(family: int) -> None:
    """Two who have had the name each on his own link, until somebody joins the links."""
    for seed in range(4):
        world = World(seed)
        config = quiet(host_name="alpha", mdns=True)
        hosts = world.hub([config, config])
        world.run(0)
        hosts[0].stack.set_link(hosts[0].nic, False)
        world.run(10 * SECOND)
        hosts[1].stack.set_link(hosts[1].nic, False)
        hosts[0].stack.set_link(hosts[0].nic, True)
        world.run(10 * SECOND)
        hosts[1].stack.set_link(hosts[1].nic, True)
        world.run(20 * SECOND)
        assert hub_names(hosts) == ["alpha.local", "alpha-2.local"]


# Addresses come and go (8.4, 10.1).


def test_a_new_address_is_announced(world: World, family: int) -> None:
    mine = scene(world, family)
    mine.settle()
    when = world.now
    length = 24 if family == addr.V4 else 64
    mine.stack.add_address(mine.host.nic, mine.other(), length)
    mine.run(5 * SECOND)
    heard = mine.heard()
    assert [one.when - when for one in heard] == [0, SECOND]
    for one in heard:
        assert f"{NAME} {mine.theirs()} {mine.other()}" in told(one)
        assert told(one) > everything()


def test_a_lost_address_is_said_goodbye_to(world: World, family: int) -> None:
    mine = scene(world, family)
    length = 24 if family == addr.V4 else 64
    mine.stack.add_address(mine.host.nic, mine.other(), length)
    mine.settle()
    assert mine.stack.remove_address(mine.other())
    when = world.now
    mine.run(5 * SECOND)
    goodbye, *announced = mine.heard()
    assert goodbye.when == when
    assert {(name, data.split()[0], ttl) for name, data, ttl in goodbye.answers} == {
        (NAME, mine.theirs(), 0),
        (goodbye.answers[1][0], "PTR", 0),
    }
    assert goodbye.answers[0][1].endswith(mine.other())
    assert [one.when - when for one in announced] == [0, SECOND]
    assert all(told(one) == everything() for one in announced)
    assert mine.counters.goodbyes == 2  # one per family


def test_changes_within_a_second_wait_for_it(world: World, family: int) -> None:
    """6: a record goes once a second, announcements too."""
    mine = scene(world, family)
    mine.settle()
    length = 24 if family == addr.V4 else 64
    when = world.now
    mine.stack.add_address(mine.host.nic, mine.other(8), length)
    mine.run(300 * MS)
    mine.stack.add_address(mine.host.nic, mine.other(9), length)
    mine.run(5 * SECOND)
    times: dict[str, list[int]] = {}
    for one in mine.heard():
        for text in told(one):
            times.setdefault(text, []).append(one.when - when)
    assert times[f"{NAME} {mine.theirs()} {mine.mine}"] == [0, SECOND, 2 * SECOND]
    assert times[f"{NAME} {mine.theirs()} {mine.other(9)}"] == [SECOND, 2 * SECOND]


def test_without_addresses_there_is_no_name(world: World, family: int) -> None:
    mine = scene(world, family)
    mine.settle()
    for address in ("10.77.0.1", "fd77::1", LOCAL):
        assert mine.stack.remove_address(address)
    mine.run(5 * SECOND)
    assert mine.state == mdns_link.IDLE
    mine.heard()
    mine.stack.add_address(mine.host.nic, mine.mine, 24 if family == addr.V4 else 64)
    mine.run(5 * SECOND)
    assert len(probes(mine.heard())) == 3


def test_a_link_that_comes_up_is_probed_again(world: World, family: int) -> None:
    mine = scene(world, family)
    mine.settle()
    mine.stack.set_link(mine.host.nic, False)
    mine.run(5 * SECOND)
    assert mine.heard() == []
    mine.stack.set_link(mine.host.nic, True)
    mine.run(5 * SECOND)
    assert [bool(one.dns.qr) for one in mine.heard()] == [False, False, False, True, True]


def test_addresses_are_probed_for_once_they_are_usable(world: World, family: int) -> None:
    """With DAD on: the name waits for the first address, and tells of later ones."""
    mine = scene(world, family, dad=True)
    mine.run(20 * SECOND)
    heard = mine.heard(both=True)
    assert probes(heard)
    assert all(one.authority for one in probes(heard))
    last = [one for one in said(heard) if one.family == family][-1]
    assert told(last) == everything()
    assert mine.state == mdns_link.OWNED


def test_stopping_says_goodbye_and_leaves_nothing(world: World, family: int) -> None:
    mine = scene(world, family)
    mine.settle()
    assert mine.links.switch_mdns(False) == 0
    (goodbye,) = mine.heard()
    assert told(goodbye) == everything()
    assert all(ttl == 0 for _, _, ttl in goodbye.answers)
    assert (goodbye.dns.qr, goodbye.dns.aa) == (1, 1)
    assert not mine.left()
    mine.says(query(NAME, mine.theirs()))
    mine.run(SECOND)
    assert mine.heard() == []
    group = addr.parse(mine.group)
    assert not mine.stack.host.groups.joined(mine.host.nic.index, group)


def test_stopping_while_probing_says_nothing(world: World, family: int) -> None:
    mine = scene(world, family)
    mine.run(300 * MS)
    mine.heard()
    mine.links.switch_mdns(False)
    mine.run(5 * SECOND)
    assert mine.heard() == []
    assert not mine.left()


def test_another_name_at_run_time(world: World, family: int) -> None:
    mine = scene(world, family)
    mine.settle()
    assert mine.links.set_host_name("Beta") == 0
    mine.run(5 * SECOND)
    goodbye, *rest = mine.heard()
    assert told(goodbye) == everything()
    assert {one.question for one in probes(rest)} == {("beta.local.", ANY)}
    assert mine.name == "beta.local"
    for bad in ("a.b", "-a", "a" * 64, "ä", "12"):
        assert mine.links.set_host_name(bad) != 0
    assert mine.name == "beta.local"
    assert mine.links.set_host_name("") == 0
    assert mine.links.mdns is None
    assert not mine.left()


@pytest.mark.parametrize("name", ["a.b", "-a", "a-", "a" * 64, "ä", "12", "a b", "a_b"])
def test_names_that_no_host_can_have(name: str) -> None:
    with pytest.raises(ValueError, match="host_name"):
        quiet(host_name=name)


def test_each_interface_is_a_link_of_its_own(family: int) -> None:
    """The name is lost on one link and kept on the other; each says its own addresses only."""
    world = World(3)
    mine = MdnsScene(world, family)
    from tap.memory import wire

    near, far = wire(b"\x02\0\0\0\x09\x01", b"\x02\0\0\0\x09\x02", 1500, False)
    nic = mine.stack.add_nic(near, "wsk9")
    mine.stack.add_address(nic, "10.99.0.1" if family == addr.V4 else "fd99::1", 24)
    world.loop.add(mine.stack, nic, near)
    mine.run(300 * MS)
    mine.says(response(record(NAME, mine.theirs(), mine.other())))
    mine.run(5 * SECOND)
    assert mine.links.mdns is not None
    assert mine.links.mdns.name(mine.host.nic) == "alpha-2.local"
    assert mine.links.mdns.name(nic) == "alpha.local"
    other = {addr.V4: b"\x0a\x63\x00\x01", addr.V6: addr.parse("fd99::1")}[family]
    assert not any(other in one.wire for one in mine.heard())
    frames = []
    while (frame := far.read()) is not None:
        frames.append(frame)
    announced = [frame for frame in frames if b"\x05alpha\x05local" in frame]
    assert len(announced) >= 5
    assert all(addr.parse(mine.mine) not in frame for frame in announced)
