# SPDX-License-Identifier: MIT
"""Addresses made of advertised prefixes: RFC 4862 5.3 and 5.5.3, RFC 7217, RFC 5453, RFC 8064."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack import Config
from stack.base import addr
from stack.base.timers import NEVER
from stack.base.units import SECOND
from stack.ip import interface_ids
from stack.ip.addrconf import (
    DEPRECATED,
    DUPLICATED,
    LINK_LOCAL,
    PREFERRED,
    SLAAC,
    TEMPORARY,
    TENTATIVE,
)
from tests.harness import quiet
from tests.ip.addressing import FOREVER, Scene

PREFIX = "2001:db8:1::"
SECRET = bytes(range(16))


def plain(**settings: object) -> Config:
    """No detection, no temporary addresses: what an advertisement makes is there at once."""
    return quiet(temporary_addresses=False, **settings)


def formed(scene: Scene) -> list[str]:
    return [addr.text(entry.address) for entry in scene.of_origin(SLAAC)]


# RFC 4862 5.3.


@pytest.mark.parametrize(("ids", "expected"), [("eui64", True), ("opaque", False)])
def test_a_link_local_address_when_the_interface_comes_up(ids: str, expected: bool) -> None:
    scene = Scene(quiet(link_local_ids=ids))
    (entry,) = scene.of_origin(LINK_LOCAL)
    assert addr.is_link_local(entry.address)
    assert entry.address[2:8] == bytes(6)  # RFC 4291 2.5.6
    assert (entry.address == addr.link_local(scene.host.port.mac)) == expected
    assert (entry.valid_until, entry.preferred_until) == (NEVER, NEVER)
    assert scene.source("fe80::99") == addr.text(entry.address)


def test_none_where_ipv6_does_not_fit() -> None:
    """RFC 8200 5: a link carries 1280 octets or no IPv6; and loopback has ::1."""
    scene = Scene(quiet())
    small, _ = scene.world.host(mtu=1279)
    assert list(small.stack.v6.addresses.on(small.nic.index)) == []
    loopback = scene.stack.v6.loopback
    assert loopback is not None
    assert [addr.text(e.address) for e in scene.stack.v6.addresses.on(loopback.index)] == ["::1"]


# RFC 4862 5.5.3.


def test_an_advertised_prefix_makes_an_address() -> None:
    scene = Scene(plain())
    scene.advertise(valid=1000, preferred=500)
    (entry,) = scene.of_origin(SLAAC)
    assert entry.address[:8] == addr.parse(PREFIX)[:8]
    assert entry.state == PREFERRED
    assert entry.preferred_until == scene.world.now + 500 * SECOND
    assert entry.valid_until == scene.world.now + 1000 * SECOND
    assert scene.source("2001:db8:ffff::1") == addr.text(entry.address)
    scene.run(501)
    assert entry.state == DEPRECATED
    scene.run(500)
    assert formed(scene) == []


def test_infinite_lifetimes() -> None:
    scene = Scene(plain())
    scene.advertise(valid=FOREVER, preferred=FOREVER)
    (entry,) = scene.of_origin(SLAAC)
    assert (entry.valid_until, entry.preferred_until) == (NEVER, NEVER)


@pytest.mark.parametrize(
    ("how", "counted"),
    [
        ({"autonomous": False}, 0),  # a
        ({"prefix": "fe80::"}, 0),  # b: router discovery does not pass it on
        ({"preferred": 1001, "valid": 1000}, 1),  # c
        ({"preferred": FOREVER, "valid": 1000}, 1),
        ({"valid": 0, "preferred": 0}, 0),  # d
        ({"length": 63}, 1),  # d: the lengths do not add up to 128
        ({"length": 65}, 1),
        ({"length": 0}, 1),
        ({"length": 128}, 1),
    ],
)
def test_what_makes_none(how: dict[str, Any], counted: int) -> None:
    scene = Scene(plain())
    scene.advertise(**{"prefix": PREFIX, **how})
    assert formed(scene) == []
    assert scene.stack.v6.addresses.counters.prefixes_ignored == counted


def test_equal_lifetimes_are_right() -> None:
    """c speaks of *greater*."""
    scene = Scene(plain())
    scene.advertise(valid=1000, preferred=1000)
    assert len(formed(scene)) == 1


def test_a_prefix_that_is_not_on_the_link_makes_one_too() -> None:
    scene = Scene(plain())
    scene.advertise(on_link=False)
    assert len(formed(scene)) == 1
    assert all(route.prefix != addr.parse(PREFIX) for route in scene.stack.host.routes.all())


def test_repetitions_make_no_more() -> None:
    scene = Scene(plain())
    for _ in range(5):
        scene.advertise()
        scene.run(100)
    assert len(formed(scene)) == 1
    scene.advertise(router="fe80::6")
    assert len(formed(scene)) == 1


def test_it_can_be_switched_off() -> None:
    """SL-12."""
    scene = Scene(quiet(slaac=False))
    scene.advertise()
    assert formed(scene) == []
    assert scene.of_origin(TEMPORARY) == []


def test_each_address_is_probed() -> None:
    """5.4: before it is used, and again for each new one."""
    scene = Scene(Config(temporary_addresses=False))
    scene.run(10)
    scene.advertise()
    (text,) = formed(scene)
    assert scene.state(text) == TENTATIVE
    start = scene.world.now
    scene.run(3)
    assert scene.state(text) == PREFERRED
    ((when, _),) = scene.probes(text)
    assert 0 <= when - start <= SECOND  # 5.4.2: an advertisement to all delays the probe


def test_an_address_that_was_given_is_left_alone() -> None:
    """5.5.3 d: the list has it already; its lifetimes are not the router's business."""
    scene = Scene(plain(slaac_ids="eui64"))
    own = addr.text(addr.parse(PREFIX)[:8] + addr.eui64(scene.host.port.mac))
    scene.stack.add_address(scene.nic, own, 64)
    scene.advertise(valid=10, preferred=5)
    assert formed(scene) == []
    scene.run(20)
    assert scene.state(own) == PREFERRED


def test_so_many_prefixes_and_no_more() -> None:
    scene = Scene(plain(slaac_limit=4, ra_prefix_limit=64))
    for number in range(10):
        scene.advertise(f"2001:db8:{number:x}::")
    assert len(formed(scene)) == 4
    assert scene.stack.v6.addresses.counters.prefixes_refused == 6
    scene.advertise("2001:db8:0::", valid=7200, preferred=0)
    assert scene.stack.v6.addresses.counters.prefixes_refused == 6  # known ones are heard
    scene.run(90000)
    assert formed(scene) == []
    scene.advertise("2001:db8:77::")
    assert len(formed(scene)) == 1  # those that ended make room


def test_what_a_person_removes_comes_back_with_the_next_advertisement() -> None:
    scene = Scene(plain())
    scene.advertise()
    (text,) = formed(scene)
    scene.stack.remove_address(text)
    assert formed(scene) == []
    scene.advertise()
    assert formed(scene) == [text]


# Identifiers: RFC 7217, RFC 8064, RFC 5453.


def test_opaque_by_default() -> None:
    """RFC 8064: stable, different per prefix, and nothing of the MAC in it."""
    scene = Scene(plain())
    scene.advertise(PREFIX, more=("2001:db8:2::",))
    one, two = (entry.address for entry in scene.of_origin(SLAAC))
    assert one[8:] != two[8:]
    assert addr.eui64(scene.host.port.mac) not in (one[8:], two[8:])


def test_the_same_again_with_the_same_secret() -> None:
    scenes = [Scene(plain(stable_secret=SECRET), seed=seed) for seed in (1, 2)]
    for scene in scenes:
        scene.advertise()
    assert formed(scenes[0]) == formed(scenes[1])
    strangers = [Scene(plain(), seed=seed) for seed in (1, 2)]
    for scene in strangers:
        scene.advertise()
    assert formed(strangers[0]) != formed(strangers[1])


def test_the_mac_if_wanted() -> None:
    scene = Scene(plain(slaac_ids="eui64"))
    scene.advertise()
    (entry,) = scene.of_origin(SLAAC)
    assert entry.address[8:] == addr.eui64(scene.host.port.mac)


def test_what_the_function_is() -> None:
    """RFC 7217 5: F is SHA-256 over all of it, and the lowest 64 bits are taken."""
    prefix = addr.parse(PREFIX)
    made = interface_ids.opaque(prefix, "wsk1", 2, SECRET)
    octets = prefix[:8] + b"\0\4wsk1" + bytes((0, 0, 0, 2)) + SECRET
    assert made == hashlib.sha256(octets).digest()[24:]


@given(
    st.lists(
        st.tuples(
            st.binary(min_size=8, max_size=8),
            st.text(max_size=6),
            st.integers(0, 3),
            st.binary(min_size=16, max_size=20),
        ),
        min_size=2,
        max_size=2,
        unique=True,
    )
)
def test_different_for_different_parameters(cases: list[tuple[bytes, str, int, bytes]]) -> None:
    one, two = (interface_ids.opaque(p + bytes(8), n, c, s) for p, n, c, s in cases)
    assert one != two


@pytest.mark.parametrize(
    ("identifier", "reserved"),
    [
        ("0000000000000000", True),
        ("0000000000000001", False),
        ("02005efffe000000", True),
        ("02005efffe005213", True),
        ("02005efffeffffff", True),
        ("02005effff000000", False),
        ("02005efffdffffff", False),
        ("fdffffffffffff7f", False),
        ("fdffffffffffff80", True),
        ("fdffffffffffffff", True),
        ("fe00000000000000", False),
    ],
)
def test_reserved_identifiers(identifier: str, reserved: bool) -> None:
    assert interface_ids.is_reserved(bytes.fromhex(identifier)) == reserved


# A taken address: RFC 7217 6, RFC 4862 5.4.5.


def test_another_identifier_for_one_that_is_taken() -> None:
    """RFC 7217 6: DAD_Counter, a random delay, IDGEN_RETRIES attempts after the first."""
    scene = Scene(Config(temporary_addresses=False, stable_secret=SECRET))
    scene.run(10)
    scene.advertise()
    tried: list[str] = []
    for _ in range(4):
        (text,) = formed(scene)
        tried.append(text)
        scene.advertise_self(text)
        assert scene.state(text) == DUPLICATED
        scene.advertise()  # which must not hurry anything
        scene.run(1)
    assert len(set(tried)) == 4
    prefix = addr.parse(PREFIX)
    expected = [interface_ids.opaque(prefix, "wsk1", n, SECRET) for n in range(4)]
    assert [addr.parse(text)[8:] for text in tried] == expected
    scene.run(1000)
    scene.advertise()
    scene.run(10)
    assert formed(scene) == [tried[-1]]  # given up, and never the MAC instead
    assert scene.state(tried[-1]) == DUPLICATED
    assert scene.stack.v6.addresses.counters.duplicates == 4


def test_the_second_attempt_may_do() -> None:
    scene = Scene(Config(temporary_addresses=False))
    scene.run(10)
    scene.advertise(valid=1000, preferred=500)
    until = scene.world.now + 1000 * SECOND
    (text,) = formed(scene)
    scene.solicit(text)
    scene.run(5)
    (entry,) = scene.of_origin(SLAAC)
    assert entry.state == PREFERRED
    assert addr.text(entry.address) != text
    assert entry.valid_until == until  # the lifetimes are the prefix's


def test_an_opaque_link_local_address_is_tried_again_too() -> None:
    scene = Scene(Config(link_local_ids="opaque"))
    (first,) = scene.of_origin(LINK_LOCAL)
    scene.solicit(addr.text(first.address))
    scene.run(5)
    (second,) = scene.of_origin(LINK_LOCAL)
    assert second.address != first.address
    assert second.state == PREFERRED
    assert not scene.stack.v6.interface(scene.nic).disabled
    assert scene.source("fe80::99") == addr.text(second.address)


def test_one_made_of_the_mac_is_given_up() -> None:
    scene = Scene(Config(temporary_addresses=False, slaac_ids="eui64"))
    scene.run(10)
    scene.advertise()
    (text,) = formed(scene)
    scene.solicit(text)
    scene.run(100)
    assert formed(scene) == [text]
    assert scene.state(text) == DUPLICATED


# The link goes, and the same or another one comes.


def flap(scene: Scene) -> None:
    scene.stack.set_link(scene.nic, False)
    scene.run(5)
    scene.stack.set_link(scene.nic, True)


def test_the_same_link_again_keeps_the_addresses() -> None:
    scene = Scene(quiet())
    scene.advertise()
    before = sorted(scene.stack.v6.addresses.all)
    flap(scene)
    assert sorted(scene.stack.v6.addresses.all) == before
    scene.advertise("2001:db8:9::", more=(PREFIX,))  # one advertisement, the known one second
    assert set(before) <= set(scene.stack.v6.addresses.all)


def test_another_link_has_other_addresses() -> None:
    """RFC 8981 3.6 for the temporary ones; none of the others would work there either."""
    scene = Scene(quiet())
    scene.advertise(PREFIX, more=("2001:db8:2::",))
    before = {entry.address for entry in scene.of_origin(SLAAC) + scene.of_origin(TEMPORARY)}
    assert len(before) == 4
    flap(scene)
    scene.advertise("2001:db8:9::")
    after = {entry.address for entry in scene.of_origin(SLAAC) + scene.of_origin(TEMPORARY)}
    assert len(after) == 2
    assert {address[:8] for address in after} == {addr.parse("2001:db8:9::")[:8]}


def test_a_full_table_takes_the_other_link_at_its_first_word() -> None:
    """RFC 4862 5.5.3: what the old link has filled must not cost the new one an advertisement."""
    scene = Scene(plain(slaac_limit=2))
    scene.advertise(PREFIX, valid=FOREVER, preferred=FOREVER, more=("2001:db8:2::",))
    flap(scene)
    scene.advertise("2001:db8:9::", more=("2001:db8:a::", "2001:db8:b::"))
    first, second = formed(scene)
    assert first.startswith("2001:db8:9:")
    assert second.startswith("2001:db8:a:")


def test_a_full_table_keeps_what_is_still_advertised() -> None:
    """On the same link again only what nobody has advertised since gives way."""
    scene = Scene(plain(slaac_limit=2))
    scene.advertise(PREFIX, more=("2001:db8:2::",))
    before = formed(scene)
    flap(scene)
    scene.advertise("2001:db8:9::", more=(PREFIX,))
    assert before[0] in formed(scene)
    assert any(text.startswith("2001:db8:9:") for text in formed(scene))


def test_given_addresses_stay_on_any_link(family: int) -> None:
    scene = Scene(quiet())
    scene.advertise()
    flap(scene)
    scene.advertise("2001:db8:9::")
    assert scene.state(addr.text(scene.host.address(family))) == PREFERRED
