# SPDX-License-Identifier: MIT
"""RFC 6724: destinations (6, with the examples of 10.2) and labels of sources (5, rule 6)."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack.base import addr
from stack.ip.destination import Source, order
from stack.ip.policy import label, precedence, scope
from tests.harness import World

# Destinations in the order they should come out, each with its source; 10.2, by its numbers.
EXAMPLES = {
    "1 matching scope": [
        ("2001:db8:1::1", "2001:db8:1::2"),
        ("198.51.100.121", "169.254.13.78"),
    ],
    "2 matching scope": [
        ("198.51.100.121", "198.51.100.117"),
        ("2001:db8:1::1", "fe80::1"),
    ],
    "3 precedence": [("2001:db8:1::1", "2001:db8:1::2"), ("10.1.2.3", "10.1.2.4")],
    "4 smaller scope": [("fe80::1", "fe80::2"), ("2001:db8:1::1", "2001:db8:1::2")],
    # 5 prefers a home address, which this host has none of.
    "6 not deprecated": [("fe80::1", "fe80::2"), ("2001:db8:1::1", "2001:db8:1::2 deprecated")],
    "7 longest prefix": [
        ("2001:db8:1::1", "2001:db8:1::2"),
        ("2001:db8:3ffe::1", "2001:db8:3f44::2"),
    ],
    "8 matching label": [
        ("2002:c633:6401::1", "2002:c633:6401::2"),
        ("2001:db8:1::1", "2002:c633:6401::2"),
    ],
    "9 precedence": [
        ("2001:db8:1::1", "2001:db8:1::2"),
        ("2002:c633:6401::1", "2002:c633:6401::2"),
    ],
    # And the rules that have none there.
    "rule 1": [("192.0.2.1", "192.0.2.2"), ("2001:db8:1::1", "")],
    "ula behind ipv4": [("192.0.2.1", "10.0.0.1"), ("fd00::1", "fd01::1")],
    "ula within a site": [("192.0.2.1", "10.0.0.1"), ("fd77::2", "fd77::1")],
    "loopback first": [("::1", "::1"), ("127.0.0.1", "127.0.0.1"), ("192.0.2.1", "192.0.2.2")],
}


def source(text: str) -> Source | None:
    if not text:
        return None
    word, _, deprecated = text.partition(" ")
    packed = addr.parse(word)
    return Source(packed, 24 if len(packed) == 4 else 64, bool(deprecated))


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples(example: str) -> None:
    sources = {addr.parse(dst): source(src) for dst, src in EXAMPLES[example]}
    expected = list(sources)
    for given_order in itertools.permutations(expected):
        assert order(given_order, sources.__getitem__) == expected


def test_what_is_equal_stays_as_it_came() -> None:
    own = Source(addr.parse("192.0.2.200"), 24)
    one, two = addr.parse("198.51.100.1"), addr.parse("198.51.100.200")
    assert order([one, two], lambda dst: own) == [one, two]
    assert order([two, one, two], lambda dst: own) == [two, one, two]


def test_nothing_counts_beyond_the_prefix_of_the_source() -> None:
    """RFC 6724 2.2: what a host number has in common means nothing."""
    own = Source(addr.parse("192.0.2.200"), 24)
    near, nearer = addr.parse("192.0.2.1"), addr.parse("192.0.2.201")
    assert order([near, nearer], lambda dst: own) == [near, nearer]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("::1", (50, 0, 2)),
        ("2001:db8::1", (40, 1, 14)),
        ("192.0.2.1", (35, 4, 14)),
        ("127.0.0.1", (35, 4, 2)),
        ("169.254.1.1", (35, 4, 2)),
        ("2002:1::1", (30, 2, 14)),
        ("2001::1", (5, 5, 14)),
        ("fd00::1", (3, 13, 14)),
        ("fe80::1", (40, 1, 2)),
        ("fec0::1", (1, 11, 5)),
        ("::192.0.2.1", (1, 3, 14)),
        ("3ffe::1", (1, 12, 14)),
        ("ff05::1", (40, 1, 5)),
    ],
)
def test_the_table(address: str, expected: tuple[int, int, int]) -> None:
    packed = addr.parse(address)
    assert (precedence(packed), label(packed), scope(packed)) == expected


addresses = st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16))


@given(st.lists(addresses, max_size=12), st.data())
def test_an_order_leaves_nothing_out(found: list[bytes], data: st.DataObject) -> None:
    sources = {
        dst: data.draw(
            st.none() | st.builds(Source, st.just(dst), st.integers(0, 32), st.booleans())
        )
        for dst in dict.fromkeys(found)
    }
    out = order(found, sources.__getitem__)
    assert sorted(out) == sorted(found)
    assert order(out, sources.__getitem__) == out
    reached = [sources[dst] is not None for dst in out]
    assert reached == sorted(reached, reverse=True)


def test_by_this_hosts_own_addresses_and_routes(world: World) -> None:
    stack = world.pair()[0].stack
    parse = addr.parse
    texts = ["192.0.2.1", "2001:db8::1", "10.77.0.2", "fd77::2", "127.0.0.1", "::1"]
    packed = [parse(text) for text in texts]
    out = [addr.text(a) for a in stack.resolver.order([*packed, *packed])]  # names give each once
    # Without a default route the rest of the world comes last.
    assert out == ["::1", "127.0.0.1", "10.77.0.2", "fd77::2", "192.0.2.1", "2001:db8::1"]


def test_a_source_of_the_destinations_label_is_taken(world: World) -> None:
    """RFC 6724 5 rule 6: not the ULA for a global destination, whichever came first."""
    host, _ = world.host()
    host.stack.add_address(host.nic, "2600:9::1", 64)
    host.stack.add_address(host.nic, "2001::9", 64)  # shares more bits with the first target
    host.stack.add_route("::", 0, host.nic, "fd77::99")
    for target, expected in (("2001:db8::5", "2600:9::1"), ("fd12::1", "fd77::1")):
        path = host.stack.v6.path(addr.parse(target))
        assert path is not None
        assert addr.text(path.src) == expected
        own = host.stack.v6.source_to(addr.parse(target))
        assert own is not None
        assert own.address == path.src
