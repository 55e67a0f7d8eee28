# SPDX-License-Identifier: MIT
"""Source address selection: RFC 6724 5 rule by rule, 10.1 by example, and that it is an order."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack import Config
from stack.base import addr
from stack.base.config_ip import ADDRESS_POLICY
from stack.ip.addrconf import (
    DEPRECATED,
    MANUAL,
    OPTIMISTIC,
    PREFERRED,
    SLAAC,
    TEMPORARY,
    LocalAddress,
)
from stack.ip.gateways import Gateway
from stack.ip.policy import DEFAULT, Policy, scope
from stack.ip.source import Candidates, Chooser, select
from tests.harness import World, quiet
from tests.ip.addressing import Scene

Texts = list[tuple[str, str]]
Rows = tuple[tuple[str, int, int, int], ...]

# RFC 6724 10.1: destination, candidates with what they are, the one that is taken.
EXAMPLES = {
    "appropriate scope": ("2001:db8:1::1", ["2001:db8:3::1", "fe80::1"]),
    "appropriate scope, group": ("ff05::1", ["2001:db8:3::1", "fe80::1"]),
    "same address": ("2001:db8:1::1", ["2001:db8:1::1 deprecated", "2001:db8:2::1"]),
    "scope before deprecation": ("fe80::1", ["fe80::2 deprecated", "2001:db8:1::1"]),
    "longest prefix": ("2001:db8:1::1", ["2001:db8:1::2", "2001:db8:3::2"]),
    # The sixth prefers a home address, which this host has none of.
    "matching label": (
        "2002:c633:6401::1",
        ["2002:c633:6401::d5e3:7953:13eb:22e8 temporary", "2001:db8:1::2"],
    ),
    "temporary": (
        "2001:db8:1::d5e3:0:0:1",
        ["2001:db8:1::d5e3:7953:13eb:22e8 temporary", "2001:db8:1::2"],
    ),
    # And what has no example there.
    "nearest of those that reach": ("ff02::1", ["fe80::1", "2001:db8::1"]),
    "farthest of those that do not": ("2001:db8::9", ["fec0::1", "fe80::1"]),
    "not deprecated": ("2001:db8:1::1", ["2001:db8:3::2", "2001:db8:1::2 deprecated"]),
    "not optimistic": ("2001:db8:1::1", ["2001:db8:3::2", "2001:db8:1::2 optimistic"]),
    "interface before label": ("fd00::1", ["2001:db8::2", "fd00::2 elsewhere"]),
    "deprecation before interface": (
        "2001:db8::1",
        ["2001:db8::2 elsewhere", "2001:db8::3 deprecated"],
    ),
    "advertised before label": ("fd00::1", ["2001:db8:5::2", "fd00::2"]),
    "label before temporary": ("2001:db8::1", ["2001:db8::2", "fd00::2 temporary"]),
    "temporary before prefix": ("2001:db8:1::1", ["2001:db8:3::2 temporary", "2001:db8:1::2"]),
    "order of configuration": ("2001:db8:9::1", ["2001:db8:1::2", "2001:db8:1::3"]),
    "ipv4 link-local": ("169.254.9.9", ["169.254.1.1", "192.0.2.1"]),
    "ipv4 global": ("198.51.100.1", ["192.0.2.1", "169.254.1.1"]),
    "ipv4 prefix": ("192.0.2.9", ["192.0.2.1", "198.51.100.1"]),
    "ipv4 same": ("192.0.2.9", ["192.0.2.9 deprecated", "192.0.2.1"]),
}


class Bench:
    """Addresses that belong to no stack's tables."""

    def __init__(self) -> None:
        world = World()
        self.host, _ = world.host()
        self.manager = self.host.stack.v6.addresses
        self.here = self.host.nic
        self.there = self.host.stack.add_nic(world.host()[0].port, "there")
        self.numbers = itertools.count(1)

    def entry(self, text: str) -> LocalAddress:
        word, _, how = text.partition(" ")
        packed = addr.parse(word)
        length = 64 if len(packed) == 16 else 24
        nic = self.there if how == "elsewhere" else self.here
        made = LocalAddress(self.manager, nic, packed, length)
        made.state = {"deprecated": DEPRECATED, "optimistic": OPTIMISTIC}.get(how, PREFERRED)
        made.origin = TEMPORARY if how == "temporary" else SLAAC
        made.number = next(self.numbers)
        return made

    def router(self) -> Gateway:
        found = Gateway(self.here, addr.parse("fe80::5"))
        found.prefixes.add((addr.parse("2001:db8:5::"), 64))
        return found


BENCH = Bench()


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples(example: str) -> None:
    """The first is taken, in whatever order they are looked at."""
    dst, texts = EXAMPLES[example]
    entries = [BENCH.entry(text) for text in texts]
    router = BENCH.router() if ":" in dst else None
    chooser = Chooser(addr.parse(dst), BENCH.here.index, router)
    for candidates in itertools.permutations(entries):
        assert select(candidates, chooser) is entries[0]


def test_nothing_to_choose_from() -> None:
    assert select([], Chooser(addr.parse("2001:db8::1"))) is None


def test_public_if_so_preferred() -> None:
    """Rule 7 reversed."""
    entries = [BENCH.entry("2001:db8:1::2"), BENCH.entry("2001:db8:1::3 temporary")]
    chooser = Chooser(addr.parse("2001:db8:1::1"), BENCH.here.index, temporary=False)
    assert select(reversed(entries), chooser) is entries[0]


def test_nothing_counts_beyond_the_sources_prefix() -> None:
    """2.2: CommonPrefixLen ends where the prefix of the source does."""
    first, second = BENCH.entry("2001:db8:1::8000:0:0:1"), BENCH.entry("2001:db8:1::1")
    assert select([second, first], Chooser(addr.parse("2001:db8:1::2"))) is first


# An order.

POOL = (
    "fe80::1",
    "fec0::1",
    "fd00::1",
    "2001:db8:1::1",
    "2001:db8:1::2",
    "2001:db8:5::1",
    "2002:c633::1",
    "2001::1",
    "::1",
    "3ffe::1",
)
HOW = ("", " deprecated", " optimistic", " temporary", " elsewhere")


@given(
    st.lists(st.tuples(st.sampled_from(POOL), st.sampled_from(HOW)), min_size=3, max_size=3),
    st.sampled_from((*POOL, "ff02::1", "ff05::1", "ff0e::1", "2600::1")),
    st.booleans(),
    st.booleans(),
)
def test_a_total_order(texts: Texts, dst: str, temporary: bool, routed: bool) -> None:
    """Antisymmetric, transitive, and never undecided between two."""
    a, b, c = (BENCH.entry(word + how) for word, how in texts)
    router = BENCH.router() if routed else None
    chooser = Chooser(addr.parse(dst), BENCH.here.index, router, temporary=temporary)

    def better(x: LocalAddress, y: LocalAddress) -> bool:
        return select((x, y), chooser) is x and select((y, x), chooser) is x

    for x, y in itertools.permutations((a, b, c), 2):
        assert better(x, y) != better(y, x)
    for x, y, z in itertools.permutations((a, b, c)):
        if better(x, y) and better(y, z):
            assert better(x, z)


@given(
    st.lists(st.tuples(st.sampled_from(POOL), st.sampled_from(HOW)), min_size=2, max_size=2),
    st.sampled_from((*POOL, "ff02::1", "ff05::1", "2600::1")),
)
def test_against_the_rules_read_aloud(texts: Texts, dst: str) -> None:
    """Section 5, pairwise, as it is written."""
    sa, sb = (BENCH.entry(word + how) for word, how in texts)
    target = addr.parse(dst)
    router = BENCH.router()
    chosen = select((sa, sb), Chooser(target, BENCH.here.index, router))
    assert chosen is (sa if literal(sa, sb, target, router) else sb)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(POOL), st.sampled_from(HOW), st.sampled_from((0, 16, 48, 64, 128))
        ),
        min_size=1,
        max_size=12,
        unique_by=lambda one: one[0],
    ),
    st.sampled_from((*POOL, "ff02::1", "ff0e::1", "2600::1", "2001:db8:5::9")),
    st.sampled_from((None, 40, 64, 112)),
)
def test_one_of_each_kind_is_enough(
    texts: list[tuple[str, str, int]], dst: str, advertised: int | None
) -> None:
    """Leaving out what no rule can tell apart changes no choice, whatever a router advertised."""
    entries = []
    for word, how, length in texts:
        entries.append(BENCH.entry(word + how))
        entries[-1].prefix_length = length
    target, router = addr.parse(dst), None
    if advertised is not None:
        router = Gateway(BENCH.here, addr.parse("fe80::5"))
        router.prefixes.add((addr.mask(addr.parse("2001:db8:1::2"), advertised), advertised))
    chooser = Chooser(target, BENCH.here.index, router)
    # Those of one interface are grouped together, as a layer does it.
    kinds: list[LocalAddress] = []
    for nic in (BENCH.here, BENCH.there):
        own = [entry for entry in entries if entry.nic is nic]
        kinds += Candidates(own, DEFAULT).among(target, router)
    assert select(kinds, chooser) is select(entries, chooser)


def test_ten_thousand_of_one_prefix_are_one_kind() -> None:
    entries = [BENCH.entry(f"2001:db8:7::{n:x}") for n in range(1, 1000)]
    kinds = Candidates(entries, DEFAULT)
    assert list(kinds.among(addr.parse("2600::1"), None)) == [entries[0]]


def literal(sa: LocalAddress, sb: LocalAddress, d: bytes, router: Gateway) -> bool:
    """SA is preferred to SB."""
    if (sa.address == d) != (sb.address == d):
        return sa.address == d  # 1
    a, b, reach = scope(sa.address), scope(sb.address), scope(d)
    if a < b:
        return not a < reach  # 2
    if b < a:
        return b < reach
    if (sa.state == PREFERRED) != (sb.state == PREFERRED):
        return sa.state == PREFERRED  # 3
    if sa.nic is not sb.nic:
        return sa.nic is BENCH.here  # 5
    if router.advertised(sa.address) != router.advertised(sb.address):
        return router.advertised(sa.address)  # 5.5
    wanted = DEFAULT.find(d)[1]
    labels = DEFAULT.find(sa.address)[1] == wanted, DEFAULT.find(sb.address)[1] == wanted
    if labels[0] != labels[1]:
        return labels[0]  # 6
    if (sa.origin == TEMPORARY) != (sb.origin == TEMPORARY):
        return sa.origin == TEMPORARY  # 7
    shared = [min(addr.common_prefix(s.address, d), s.prefix_length) for s in (sa, sb)]
    if shared[0] != shared[1]:
        return shared[0] > shared[1]  # 8
    return sa.number < sb.number


# In a stack.


def test_rule_5_5_in_a_stack() -> None:
    """Of two routers' prefixes, the one of the router that is the next hop."""
    scene = Scene(quiet(temporary_addresses=False))
    scene.advertise("2001:db8:1::", router="fe80::5")
    scene.advertise("2001:db8:2::", router="fe80::6")
    one, two = (addr.text(entry.address) for entry in scene.of_origin(SLAAC))
    stack, nic = scene.stack, scene.nic
    stack.add_route("2001:db8:a::", 48, nic, "fe80::5")
    stack.add_route("2001:db8:b::", 48, nic, "fe80::6")
    assert scene.source("2001:db8:a::1") == one
    assert scene.source("2001:db8:b::1") == two


def test_each_interface_speaks_for_itself(family: int) -> None:
    """The strong host model; with the weak one, the others' addresses are candidates too."""
    for weak in (False, True):
        world = World()
        host, _ = world.host(quiet(weak_host=weak))
        other = host.stack.add_nic(world.host()[0].port, "other")
        if family == addr.V4:
            host.stack.add_route("192.0.2.0", 24, other, "")
            target, expected = "192.0.2.1", "10.77.0.1"
        else:
            host.stack.add_route("2001:db8::", 32, other, "")
            target, expected = "2001:db8::1", "fd77::1"
        packed = addr.parse(target)
        own = host.stack.host.layer_of(packed).source_to(packed)
        if weak:
            assert own is not None
            assert addr.text(own.address) == expected
        elif family == addr.V4:
            assert own is None
        else:
            assert own is not None
            assert addr.is_link_local(own.address)


def test_link_local_destinations_have_sources_of_their_link() -> None:
    """Section 4: whatever the host model."""
    world = World()
    host, _ = world.host(quiet(weak_host=True))
    other = host.stack.add_nic(world.host()[0].port, "other")
    path = host.stack.v6.path(addr.parse("fe80::9"), b"", other)
    assert path is not None
    assert path.src == addr.link_local(other.mac)
    path = host.stack.v6.path(addr.parse("ff02::9"), b"", other)
    assert path is not None
    assert path.src == addr.link_local(other.mac)


def test_addresses_of_other_interfaces_cost_nothing(family: int) -> None:
    """The candidates of an interface are looked up, not searched for."""
    scene = Scene(quiet())
    world = scene.world
    other = scene.stack.add_nic(world.host()[0].port, "other")
    layer = scene.stack.host.layer_of(scene.host.address(family))
    for number in range(1, 200):
        text = f"172.16.0.{number}" if family == addr.V4 else f"fd99::{number:x}"
        scene.stack.add_address(other, text, 32 if family == addr.V4 else 128)
    own = layer.addresses.usable(scene.nic.index)
    assert len(own) == (1 if family == addr.V4 else 2)
    assert all(entry.nic is scene.nic for entry in own)
    assert len(layer.addresses.usable(other.index)) >= 199


# The policy table (2.1).


def test_another_table_for_sources_and_destinations() -> None:
    rows = (*ADDRESS_POLICY, ("10.0.0.0", 8, 90, 77), ("2001:db8:9::", 48, 80, 77))
    scene = Scene(quiet(address_policy=rows))
    stack = scene.stack
    stack.add_route("2001:db8::", 32, scene.nic, "fd77::2")
    stack.add_address(scene.nic, "2001:db8:9::1", 64)
    stack.add_address(scene.nic, "2001:db8:8::1", 64)
    # 6724's own table would say by the longest prefix: the one in 2001:db8:8.
    assert scene.source("2001:db8:9:1::1") == "2001:db8:9::1"
    assert scene.source("2001:db8:8:1::1") == "2001:db8:8::1"
    ordered = stack.tcp.sort([addr.parse("fd77::2"), addr.parse("10.77.0.2")])
    assert [addr.text(address) for address in ordered] == ["10.77.0.2", "fd77::2"]
    plain = Scene(quiet()).stack.tcp.sort([addr.parse("10.77.0.2"), addr.parse("fd77::2")])
    assert [addr.text(address) for address in plain] == ["10.77.0.2", "fd77::2"]


@given(st.binary(min_size=16, max_size=16) | st.binary(min_size=4, max_size=4))
def test_the_longest_prefix_of_the_table_counts(address: bytes) -> None:
    mapped = bytes(10) + b"\xff\xff" + address if len(address) == 4 else address
    fitting = [
        (length, precedence, label)
        for text, length, precedence, label in ADDRESS_POLICY
        if addr.common_prefix(mapped, addr.parse(text)) >= length
    ]
    assert DEFAULT.find(address) == max(fitting)[1:]


def test_rows_for_ipv4_are_rows_for_mapped_addresses() -> None:
    table = Policy((("::", 0, 40, 1), ("10.0.0.0", 8, 9, 9), ("::ffff:10.9.0.0", 112, 7, 7)))
    assert table.find(addr.parse("10.1.1.1")) == (9, 9)
    assert table.find(addr.parse("10.9.1.1")) == (7, 7)
    assert table.find(addr.parse("11.1.1.1")) == (40, 1)


@pytest.mark.parametrize(
    "rows",
    [
        (("fc00::", 7, 3, 13),),
        (("::", 0, 40, 1), ("nonsense", 7, 3, 13)),
        (("::", 0, 40, 1), ("fc00::", 129, 3, 13)),
        (("::", 0, 40, 1), ("10.0.0.0", 33, 3, 13)),
        (("::", 0, 40, 256),),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(
    rows: tuple[tuple[str, int, int, int], ...],
) -> None:
    with pytest.raises(ValueError, match="address_policy"):
        Config(address_policy=rows)


def test_the_pool_has_every_state() -> None:
    """What the properties above draw from reaches every rule."""
    assert {BENCH.entry(f"fd00::1{how}").state for how in HOW} == {
        PREFERRED,
        DEPRECATED,
        OPTIMISTIC,
    }
    assert MANUAL not in {BENCH.entry(f"fd00::1{how}").origin for how in HOW}
