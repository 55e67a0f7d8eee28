# SPDX-License-Identifier: MIT
"""IGMP and MLD as packets: how reports leave, which messages are believed, and which groups are
nobody's business.  scapy judges what leaves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.igmp import IGMPv2_LG, IGMPv2_MR, IGMPv3_MR
from scapy.layers.inet import IP, IPOption_Router_Alert
from scapy.layers.inet6 import (
    ICMPv6MLDone,
    ICMPv6MLReport,
    ICMPv6MLReport2,
    IPv6,
    IPv6ExtHdrHopByHop,
    PadN,
    RouterAlert,
)
from scapy.layers.l2 import Ether

from stack.base import addr
from stack.base.units import SECOND
from stack.ip.reports import length, pack
from stack.wire import igmp, ipv4, mld
from stack.wire.groups import (
    ALLOW,
    BLOCK,
    IS_EXCLUDE,
    IS_INCLUDE,
    TO_EXCLUDE,
    TO_INCLUDE,
    Record,
)
from tap.memory import wire
from tests.harness import Host, Peer, World, quiet
from tests.ip.querier import Heard, Querier, group, source, sources
from tests.wire.test_scapy import recompute

NONE: frozenset[bytes] = frozenset()
ALL_ROUTERS = {addr.V4: "224.0.0.2", addr.V6: "ff02::2"}
REPORTS_TO = {addr.V4: "224.0.0.22", addr.V6: "ff02::16"}


@pytest.fixture
def querier(world: World, family: int) -> Querier:
    return Querier(world, family)


# What leaves.


def check(querier: Querier, message: Heard, dst: str, layer: type) -> None:
    """The packet around a message is as RFC 3376 4 and RFC 3810 5 want it."""
    packet = Ether(message.frame)
    assert bytes(packet) == recompute(packet)
    assert packet.dst == addr.mac_text(addr.multicast_mac(addr.parse(dst)))
    assert layer in packet
    if querier.family == addr.V4:
        head = packet[IP]
        assert (head.dst, head.ttl, head.tos, head.ihl) == (dst, 1, 0xC0, 6)
        assert head.src == addr.text(querier.host.v4)
        (alert,) = head.options
        assert isinstance(alert, IPOption_Router_Alert)
        assert alert.alert == 0
    else:
        head = packet[IPv6]
        assert (head.dst, head.hlim, head.nh) == (dst, 1, 0)
        assert head.src == addr.text(addr.link_local(querier.host.nic.mac))
        options = packet[IPv6ExtHdrHopByHop].options
        assert [type(option) for option in options] == [RouterAlert, PadN]
        assert options[0].value == 0


def test_reports_of_the_newest_version(querier: Querier) -> None:
    family = querier.family
    querier.wants(group(family), False, sources(family, "12"))
    (message,) = querier.heard()
    layer = IGMPv3_MR if family == addr.V4 else ICMPv6MLReport2
    check(querier, message, REPORTS_TO[family], layer)
    (record,) = Ether(message.frame)[layer].records
    listed = record.srcaddrs if family == addr.V4 else record.sources
    assert sorted(map(addr.parse, listed)) == sorted(sources(family, "12"))


def test_reports_and_leaves_of_older_versions(querier: Querier) -> None:
    family, name = querier.family, group(querier.family)
    querier.asks(version=querier.older, seconds=0.1)
    querier.heard(SECOND)
    querier.joins(name)
    (message,) = querier.heard()
    layer = IGMPv2_MR if family == addr.V4 else ICMPv6MLReport
    check(querier, message, addr.text(name), layer)
    querier.leaves(name)
    (message,) = querier.heard()
    check(querier, message, ALL_ROUTERS[family], IGMPv2_LG if family == addr.V4 else ICMPv6MLDone)


def test_igmp_speaks_without_an_address(world: World) -> None:
    """RFC 3376 4.2.13."""
    querier = Querier(world, addr.V4)
    querier.host.stack.remove_address(addr.text(querier.host.v4))
    querier.joins(group(addr.V4))
    (message,) = querier.heard()
    assert message.src == addr.ANY4


def test_mld_speaks_without_an_address_and_says_it_again(world: World) -> None:
    """RFC 3810 5.2.13, RFC 3590: `::` while the address is probed, then all groups from it."""
    host, peer = world.host(quiet(multicast_reports=True, dad=True))
    querier = Querier(World(), addr.V6)
    querier.world, querier.host, querier.peer = world, host, peer
    own = addr.link_local(host.nic.mac)
    querier.joins(group(addr.V6))
    early = querier.heard()
    assert [m.src for m in early] == [addr.ANY6]
    told = {name for _, name, _ in early[0].rows}
    assert told == {group(addr.V6), addr.solicited_node(own), addr.solicited_node(host.v6)}
    later = querier.heard(10 * SECOND)
    assert [m.src for m in later] == [addr.ANY6] * (len(later) - 2) + [own] * 2
    for message in later[-2:]:
        assert {name for _, name, _ in message.rows} == told
    # Another address is no news.
    host.stack.add_address(host.nic, "fe80::77", 64)
    more = querier.heard(10 * SECOND)
    assert {name for m in more for _, name, _ in m.rows} == {
        addr.solicited_node(addr.parse("fe80::77"))
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("224.0.0.1", False),
        ("224.0.0.2", True),
        ("224.0.0.251", True),
        ("239.255.255.250", True),
        ("ff02::1", False),
        ("ff02::fb", True),
        ("ff02::1:ff00:99", True),
        ("ff00::5", False),
        ("ff01::1", False),
        ("ff11::5", False),
        ("ff05::2", True),
        ("ff3e::8000:1", True),
    ],
)
def test_which_groups_are_told(world: World, text: str, told: bool) -> None:
    """RFC 3376 5, RFC 3810 6: not all nodes, and nothing that does not reach the link."""
    name = addr.parse(text)
    querier = Querier(world, addr.family(name))
    querier.joins(name)
    assert bool(querier.heard(5 * SECOND)) == told
    querier.asks(name, seconds=1)
    querier.asks(seconds=1)
    answered = {name for m in querier.heard(5 * SECOND) for _, name, _ in m.rows}
    assert (name in answered) == told
    querier.leaves(name)
    assert bool(querier.heard(5 * SECOND)) == told


def test_the_loopback_interface_keeps_silent(querier: Querier) -> None:
    nic = querier.host.stack.host.nics[0]
    assert nic.is_loopback
    querier.groups.listen("a", nic, group(querier.family), False, NONE)
    before = querier.counters
    querier.world.run(5 * SECOND)
    assert querier.counters == before


def test_interfaces_have_machines_of_their_own(world: World, family: int) -> None:
    """A query on one wire says nothing about the other."""
    querier = Querier(world, family)
    stack, name = querier.host.stack, group(family)
    near, far = wire(bytes.fromhex("020000000051"), bytes.fromhex("020000000052"), 1500, False)
    nic = stack.add_nic(near, "second")
    world.loop.add(stack, nic, near)
    second = Peer(world, far, Host(stack, nic, near), 3)
    querier.joins(name)
    stack.host.groups.listen("user", nic, name, False, NONE)
    querier.heard(5 * SECOND)
    second.received()
    second.inbox.clear()
    querier.asks(seconds=1)
    assert querier.hears(2 * SECOND) == [("IS_EX", name, NONE)]
    assert second.received() == []
    querier.leaves(name)
    assert len(querier.hears(5 * SECOND)) == 2
    assert second.received() == []
    assert stack.host.groups.joined(nic.index, name)


def test_reports_can_be_off(world: World, family: int) -> None:
    querier = Querier(world, family)
    host, peer = world.host(quiet(multicast_reports=False))
    peer.family = family
    querier.host, querier.peer = host, peer
    querier.joins(group(family))
    querier.asks(seconds=1)
    assert querier.heard(5 * SECOND) == []
    assert host.drops() == {"multicast_membership": 1}
    assert querier.counters == {}
    index = host.nic.index
    assert querier.groups.joined(index, group(family))
    assert group(family) in [g.group for g in querier.groups.listing(index)]


# Large reports: RFC 3376 4.2.16, RFC 3810 5.2.15.


def test_reports_are_split_by_the_mtu(world: World, family: int) -> None:
    querier = Querier(world, family, mtu=1280)
    count = 500
    for number in range(1, count + 1):
        querier.groups.listen("a", querier.host.nic, group(family, number), False, NONE)
    heard = querier.heard()
    sizes = [len(message.frame) - 14 for message in heard]
    assert len(heard) == (4 if family == addr.V4 else 9)
    assert all(1240 < size <= 1280 for size in sizes[:-1])
    assert [row[1] for m in heard for row in m.rows] == [
        group(family, number) for number in range(1, count + 1)
    ]


def test_an_exclude_record_is_cut_and_the_same_way_each_time(world: World, family: int) -> None:
    querier = Querier(world, family, mtu=1280, multicast_source_limit=1000)
    most = (1280 - 32 - 8) // 4 if family == addr.V4 else (1280 - 56 - 20) // 16
    name, listed = group(family), sources(family, range(1, 501))
    querier.wants(name, False, listed)
    cut = frozenset(sorted(listed)[:most])
    assert querier.hears(5 * SECOND) == [("TO_EX", name, cut)] * 2
    querier.asks(name, seconds=1)
    assert querier.hears(5 * SECOND) == [("IS_EX", name, cut)]


def test_other_records_are_split_into_reports(world: World, family: int) -> None:
    querier = Querier(world, family, mtu=1280, multicast_source_limit=1000)
    name, listed = group(family), sources(family, range(1, 501))
    querier.wants(name, True, listed)
    heard = querier.heard()
    assert len(heard) == (2 if family == addr.V4 else 7)
    assert all(len(message.rows) == 1 for message in heard)
    assert {row[0] for m in heard for row in m.rows} == {"ALLOW"}
    parts = [row[2] for m in heard for row in m.rows]
    assert frozenset().union(*parts) == listed
    assert sum(map(len, parts)) == len(listed)


kinds = st.sampled_from((IS_INCLUDE, IS_EXCLUDE, TO_INCLUDE, TO_EXCLUDE, ALLOW, BLOCK))


@given(
    st.sampled_from((addr.V4, addr.V6)),
    st.lists(st.tuples(kinds, st.integers(0, 60)), max_size=20),
    st.integers(52, 400),
)
def test_packing_loses_nothing_but_excluded_sources(
    family: int, shape: list[tuple[int, int]], room: int
) -> None:
    records = [
        Record(kind, group(family, n), [source(family, i) for i in range(count)])
        for n, (kind, count) in enumerate(shape)
    ]
    reports = pack(records, room)
    assert all(report for report in reports)
    assert all(sum(map(length, report)) <= room for report in reports)
    for record in records:
        parts = [r for report in reports for r in report if r.group == record.group]
        assert {r.kind for r in parts} == {record.kind}
        said = [s for r in parts for s in r.sources]
        assert len(said) == len(set(said))
        if length(record) <= room:
            assert [r.sources for r in parts] == [record.sources]
        elif record.kind in (IS_EXCLUDE, TO_EXCLUDE):
            assert len(parts) == 1
            assert set(said) < set(record.sources)
            assert length(parts[0]) + len(record.group) > room
        else:
            assert set(said) == set(record.sources)


# What is believed.

REFUSED: list[tuple[str, dict[str, object], str]] = [
    ("hop limit", {"ttl": 2}, "membership_off_link"),
    ("far away", {"ttl": 255}, "membership_off_link"),
    ("no router alert", {"alert": False}, "membership_no_alert"),
]


@pytest.mark.parametrize(("what", "packet", "reason"), REFUSED, ids=[r[0] for r in REFUSED])
@pytest.mark.parametrize("about", ["all", "one", "source"])
def test_queries_that_are_not_believed(
    querier: Querier, what: str, packet: dict[str, object], reason: str, about: str
) -> None:
    family, name = querier.family, group(querier.family)
    querier.joins(name)
    querier.heard(5 * SECOND)
    asked = b"" if about == "all" else name
    named = sources(family, "1") if about == "source" else NONE
    querier.asks(asked, named, seconds=1, robustness=7, **packet)  # type: ignore[arg-type]
    assert querier.heard(5 * SECOND) == []
    assert querier.host.drops() == {reason: 1}
    assert querier.counters["in_errors"] == 1
    # Nor has it left anything behind.
    querier.leaves(name)
    assert len(querier.heard(5 * SECOND)) == 2


@pytest.mark.parametrize("src", ["fd77::2", "::", "2001:db8::1"])
def test_mld_is_heard_from_link_local_addresses_only(world: World, src: str) -> None:
    """RFC 3810 5.1.14, RFC 2710 4: queries and reports."""
    querier = Querier(world, addr.V6)
    querier.asks(version=1, seconds=0.1)
    querier.heard(SECOND)
    name = group(addr.V6)
    querier.joins(name)
    querier.heard(20 * SECOND)
    querier.asks(version=1, seconds=10)
    querier.sends(mld.build(131, name), name, src=addr.parse(src))
    assert [m.kind for m in querier.heard(11 * SECOND) if m.plain] == ["old"]
    querier.asks(seconds=1, src=addr.parse(src))
    assert querier.heard(5 * SECOND) == []
    assert querier.host.drops() == {"membership_off_link": 2}


def test_checksums_are_checked(querier: Querier) -> None:
    querier.joins(group(querier.family))
    querier.heard(5 * SECOND)
    querier.asks(seconds=1, checksum=False)
    assert querier.heard(5 * SECOND) == []
    wrong = "membership_checksum" if querier.family == addr.V4 else "icmp_checksum"
    assert querier.host.drops() == {wrong: 1}


def test_malformed_messages(querier: Querier) -> None:
    family = querier.family
    if family == addr.V4:
        lengths, kind = (4, 7, 9, 11, 15), b"\x11\x05"
        many = b"\x11\x05\0\0" + bytes(4) + b"\x02\x7d\0\x05" + bytes(16)
    else:
        lengths, kind = (8, 23, 25, 27, 43), b"\x82\0"
        many = b"\x82\0\0\0\0\x05\0\0" + bytes(16) + b"\x02\x7d\0\x05" + bytes(64)
    messages = [kind + bytes(size - 2) for size in lengths[:-1]] + [many]
    for number, message in enumerate(messages, 1):
        bare = message[:2] + b"\0\0" + message[4:]
        if family == addr.V4:
            total = int.from_bytes(bare + bytes(len(bare) % 2), "big")
            bare = bare[:2] + (-total % 0xFFFF).to_bytes(2, "big") + bare[4:]
        querier.sends(bare, querier.all_hosts)
        assert querier.host.drops() == {"membership_malformed": number}
    assert querier.counters["in_errors"] == len(messages)


def test_groups_asked_for_or_reported_must_be_groups(querier: Querier) -> None:
    family = querier.family
    host = source(family)
    own = querier.host.v4 if family == addr.V4 else addr.link_local(querier.host.nic.mac)
    for version in (querier.older, querier.newest):
        if family == addr.V4:
            asked = igmp.build(igmp.QUERY, host, 9) if version == 2 else b""
            message = asked or igmp.build_query(host, 9, 2, 125)
        else:
            message = mld.build(130, host, 9) if version == 1 else mld.build_query(host, 9, 2, 125)
        querier.sends(message, own)
    report = igmp.build(igmp.REPORT2, host) if family == addr.V4 else mld.build(131, host)
    querier.sends(report, own)
    assert querier.host.drops() == {"membership_malformed": 3}


def test_queries_come_to_any_address_of_ours(querier: Querier) -> None:
    """RFC 3376 4.1.12, RFC 3810 5.1.15: unicast too."""
    family, name = querier.family, group(querier.family)
    own = querier.host.v4 if family == addr.V4 else addr.link_local(querier.host.nic.mac)
    querier.joins(name)
    querier.heard(5 * SECOND)
    for asked in (b"", name):
        if family == addr.V4:
            message = igmp.build_query(asked, 9, 2, 125)
        else:
            message = mld.build_query(asked, 9, 2, 125)
        querier.sends(message, own)
        assert querier.hears(5 * SECOND) == [("IS_EX", name, NONE)]
        # To another group that we have joined, about this one.
        querier.joins(group(family, 2))
        querier.heard(5 * SECOND)
        if asked:
            querier.sends(message, group(family, 2))
            assert querier.hears(5 * SECOND) == [("IS_EX", name, NONE)]
        querier.leaves(group(family, 2))
        querier.heard(5 * SECOND)
    assert querier.host.drops() == {}


def test_a_general_igmp_query_is_for_all_hosts(world: World) -> None:
    """RFC 3376 9.1: not for another group, nor for everybody by broadcast."""
    querier = Querier(world, addr.V4)
    querier.joins(group(addr.V4))
    querier.heard(5 * SECOND)
    for code in (0, 9):
        querier.sends(igmp.build(igmp.QUERY, b"", code), group(addr.V4))
    querier.sends(igmp.build_query(b"", 9, 2, 125), group(addr.V4))
    assert querier.host.drops() == {"membership_destination": 3}
    message = igmp.build_query(b"", 9, 2, 125)
    head = ipv4.build(
        0, 24 + len(message), 0, 0, 1, 2, querier.link_local, b"\xff" * 4, ipv4.ROUTER_ALERT
    )
    querier.peer.frame(b"\x08\x00", head + message, b"\xff" * 6)
    assert querier.heard(30 * SECOND) == []
    assert querier.host.drops() == {"membership_destination": 4}


def test_version_1_queries_carry_no_alert(world: World) -> None:
    querier = Querier(world, addr.V4)
    querier.joins(group(addr.V4))
    querier.heard(5 * SECOND)
    querier.asks(version=1, alert=False)
    assert [m.version for m in querier.heard(11 * SECOND)] == [1]
    querier.asks(version=2, alert=False)
    assert querier.host.drops() == {"membership_no_alert": 1}


def test_an_igmp_querier_may_have_no_address(world: World) -> None:
    """RFC 4541 2.1.1: a switch that asks in a router's place does so from 0.0.0.0.  Nothing else
    may come from there."""
    querier = Querier(world, addr.V4)
    querier.joins(group(addr.V4))
    querier.heard(5 * SECOND)
    querier.asks(seconds=1, src=addr.ANY4)
    assert len(querier.heard(5 * SECOND)) == 1
    querier.peer.packet(17, bytes(8), src=addr.ANY4)
    querier.world.run(0)
    assert querier.host.drops() == {"ip_source_invalid": 1}


def test_what_routers_are_told_is_not_for_us(querier: Querier) -> None:
    family, name = querier.family, group(querier.family)
    routers = addr.parse(REPORTS_TO[family])
    querier.joins(routers)
    record = Record(IS_EXCLUDE, name)
    if family == addr.V4:
        messages = [igmp.build(igmp.LEAVE, name), igmp.build_report([record])]
    else:
        messages = [mld.build(132, name), mld.build_report([record])]
    for message in messages:
        querier.sends(message, routers)
    assert querier.host.drops() == {"membership_not_for_hosts": 2}
    assert "in_errors" not in querier.counters


def test_other_types_of_igmp_are_ignored(world: World) -> None:
    """RFC 3376 4: unrecognised types MUST be silently ignored."""
    querier = Querier(world, addr.V4)
    for kind in (0x00, 0x13, 0x14, 0x30, 0xFF):
        querier.sends(igmp.build(kind, b""), addr.ALL_HOSTS)
    querier.sends(igmp.build(0x40, b""), querier.host.v4)
    assert querier.host.drops() == {"membership_type": 6}
    assert querier.peer.next_ip() is None


@given(st.sampled_from((addr.V4, addr.V6)), st.data())
def test_any_message_leaves_the_machine_sound(family: int, data: st.DataObject) -> None:
    """Noise with a right checksum: no exception, every message has a fate, timers end."""
    world = World()
    querier = Querier(world, family)
    querier.joins(group(family))
    querier.heard(5 * SECOND)
    types = (0x11, 0x12, 0x16, 0x17, 0x22) if family == addr.V4 else (130, 131, 132, 143)
    before = querier.host.stack.snapshot()
    sent = data.draw(st.lists(st.tuples(st.sampled_from(types), st.binary(max_size=60))))
    for kind, body in sent:
        name = group(family) if data.draw(st.booleans()) else b""
        message = bytes((kind, body[0] if body else 0, 0, 0)) + body[1:]
        if name and family == addr.V4:
            message = message[:4] + name + message[8:]
        elif name:
            message = message[:8] + name + message[24:]
        if family == addr.V4:
            total = int.from_bytes(message + bytes(len(message) % 2), "big")
            message = message[:2] + (-total % 0xFFFF).to_bytes(2, "big") + message[4:]
        querier.sends(message, querier.all_hosts)
    after = querier.host.stack.snapshot()
    block = "igmp" if family == addr.V4 else "mld"
    taken = ("in_reports", "in_v1_queries", "in_v2_queries", "in_v3_queries")
    heard = sum(after[block][name] - before[block][name] for name in taken)
    assert heard + sum(after["drops"].values()) == len(sent)
    assert len(querier.host.stack.timers.armed()) <= 6
    world.run()
    assert querier.host.stack.timers.armed() == []
