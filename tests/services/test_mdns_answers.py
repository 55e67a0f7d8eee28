# SPDX-License-Identifier: MIT
"""mDNS (RFC 6762): what is answered, to whom, when, and what is not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR

from stack.base import addr
from stack.base.units import MS, SECOND
from stack.services import link_message, mdns_link
from tests.harness import World
from tests.services.linkpeer import query, record, response
from tests.services.mdnsscene import LOCAL, NAME, MdnsScene, everything, scene, told

FORWARD = {f"{NAME} A 10.77.0.1", f"{NAME} AAAA fd77::1", f"{NAME} AAAA {LOCAL}"}
A_ONLY = {f"{NAME} A 10.77.0.1"}
AAAA_ONLY = FORWARD - A_ONLY
NSEC = f"{NAME} NSEC A AAAA"


def settled(world: World, family: int, **settings: object) -> MdnsScene:
    mine = scene(world, family, **settings)
    mine.settle()
    return mine


# What (6).


@pytest.mark.parametrize(
    ("name", "kind", "answers", "beside"),
    [
        (NAME, "A", A_ONLY, AAAA_ONLY),
        (NAME, "AAAA", AAAA_ONLY, A_ONLY),
        (NAME, "ANY", FORWARD, set()),
        ("ALPHA.Local.", "A", A_ONLY, AAAA_ONLY),  # 16: case does not matter
        (NAME, "TXT", {NSEC}, set()),  # 6.1
        (NAME, "SRV", {NSEC}, set()),
        ("1.0.77.10.in-addr.arpa.", "PTR", {f"1.0.77.10.in-addr.arpa. PTR {NAME}"}, set()),
        ("1.0.77.10.in-addr.arpa.", "A", {"1.0.77.10.in-addr.arpa. NSEC PTR"}, set()),
    ],
)
def test_what_is_answered(
    world: World, family: int, name: str, kind: str, answers: set[str], beside: set[str]
) -> None:
    mine = settled(world, family)
    when = world.now
    mine.says(query(name, 255 if kind == "ANY" else kind, ident=77))
    (one,) = mine.heard(both=True)
    assert one.family == family
    assert one.when == when  # 6: nobody else answers for a unique name
    assert (one.dst, one.sport, one.dport, one.hops) == (mine.group, 5353, 5353, 255)
    assert (one.dns.id, one.dns.qr, one.dns.aa, one.dns.tc) == (0, 1, 1, 0)
    assert one.dns.qdcount == 0
    assert told(one) == answers
    assert {f"{n} {data}" for n, data, _ in one.additional} == beside
    every = [*one.dns.an, *(one.dns.ar or ())]
    assert all((r.ttl, r.cacheflush, r.rclass) == (120, 1, 1) for r in every)
    mine.run(5 * SECOND)
    assert mine.heard(both=True) == []


def test_nsec_says_so_itself(world: World, family: int) -> None:
    """6.1: next name is the name itself, and NSEC is not in its own list."""
    mine = settled(world, family)
    mine.says(query(NAME, "TXT"))
    (one,) = mine.heard()
    (nsec,) = one.dns.an
    assert nsec.nextname == NAME.encode()
    assert nsec.typebitmaps == bytes((0, 4, 0x40, 0, 0, 8))  # block 0, bits 1 and 28


def test_a_host_of_one_family_says_that_it_has_no_other(world: World, family: int) -> None:
    """6.2: the NSEC goes with the address."""
    mine = settled(world, family)
    for address in ("fd77::1", LOCAL) if family == addr.V4 else ("10.77.0.1",):
        mine.stack.remove_address(address)
    mine.settle()
    mine.says(query(NAME, mine.theirs()))
    (one,) = mine.heard()
    has = "A" if family == addr.V4 else "AAAA"
    assert {data for _, data, _ in one.additional} == {f"NSEC {has}"}
    missing = "AAAA" if family == addr.V4 else "A"
    mine.run(SECOND)
    mine.says(query(NAME, missing))
    assert told(mine.heard()[0]) == {f"{NAME} NSEC {has}"}


@pytest.mark.parametrize(
    "asked",
    [
        query("beta.local.", "A"),
        query("alpha.", "A"),
        query("x.alpha.local.", "A"),
        query("2.0.77.10.in-addr.arpa.", "PTR"),
        query(NAME, "A", qclass=3),
    ],
)
def test_what_is_somebody_elses_is_not_answered(world: World, family: int, asked: Any) -> None:
    mine = settled(world, family)
    mine.says(asked)
    mine.run(2 * SECOND)
    assert mine.heard(both=True) == []
    assert mine.counters.queries == 1


def test_any_class_is_answered(world: World, family: int) -> None:
    mine = settled(world, family)
    mine.says(query(NAME, "A", qclass=255))
    assert told(mine.heard()[0]) == A_ONLY


def test_nothing_is_answered_before_the_name_is_owned(world: World, family: int) -> None:
    mine = scene(world, family)
    mine.run(600 * MS)
    mine.heard()
    assert mine.state == mdns_link.PROBING
    mine.says(query(NAME, "A"))
    mine.says(query("1.0.77.10.in-addr.arpa.", "PTR"))
    mine.says(query(NAME, "A"), sport=4444)
    assert mine.heard() == []
    mine.run(600 * MS)
    assert mine.state == mdns_link.ANNOUNCING
    mine.heard()
    mine.says(query(NAME, "A"), sport=4444)
    assert len(mine.heard()) == 1


# When (6, 6.3).


def test_a_record_goes_to_all_once_a_second(world: World, family: int) -> None:
    mine = settled(world, family)
    when = world.now
    for _ in range(28):
        mine.says(query(NAME, "A"))
        mine.run(100 * MS)
    times = [one.when - when for one in mine.heard() if told(one) == A_ONLY]
    mine.run(SECOND)
    times += [one.when - when for one in mine.heard()]
    assert times == [0, SECOND, 2 * SECOND, 3 * SECOND]


def test_what_went_beside_counts_as_said(world: World, family: int) -> None:
    mine = settled(world, family)
    when = world.now
    mine.says(query(NAME, "A"))
    mine.run(10 * MS)
    mine.says(query(NAME, "AAAA"))
    mine.run(2 * SECOND)
    _, second = mine.heard()
    assert second.when - when == SECOND
    assert told(second) == AAAA_ONLY


def test_several_questions_are_answered_later_and_together(family: int) -> None:
    """6.3: 20 to 120 ms."""
    waits = []
    for seed in range(10):
        mine = settled(World(seed), family)
        asked = DNS(qd=[DNSQR(qname=NAME, qtype=t) for t in ("A", "AAAA", "TXT")], rd=0)
        asked.qd.append(DNSQR(qname="beta.local.", qtype="A"))
        when = mine.world.now
        mine.says(asked)
        assert mine.heard() == []
        mine.run(SECOND)
        (one,) = mine.heard()
        assert told(one) == FORWARD | {NSEC}
        waits.append((one.when - when) // MS)
    assert all(20 <= wait <= 120 for wait in waits)
    assert len(set(waits)) > 5


def test_both_families_are_answered_apart(world: World) -> None:
    """The same question over both: the answer goes where it was asked, each on its own clock."""
    mine = settled(world, addr.V4)
    mine.says(query(NAME, "A"))
    mine.run(100 * MS)
    mine.peer.family = mine.family = addr.V6
    mine.says(query(NAME, "A"))
    heard = mine.heard(both=True)
    assert [one.family for one in heard] == [addr.V4, addr.V6]


# Defence (8.1, 6).


def probe(mine: MdnsScene, unicast: int = 0) -> DNS:
    proposed = [record(NAME, mine.theirs(), mine.other())]
    return query(NAME, 255, unicast=unicast, proposed=proposed, ident=5)


def test_the_name_is_defended_at_once_and_four_times_a_second(world: World, family: int) -> None:
    mine = settled(world, family)
    when = world.now
    for _ in range(4):
        mine.says(probe(mine))
        mine.run(100 * MS)
    times = [one.when - when for one in mine.heard() if told(one) == FORWARD]
    assert times == [0, 250 * MS, 500 * MS][: len(times)]
    assert len(times) >= 2


def test_a_probe_that_wants_unicast_has_it_and_all_hear_it(world: World, family: int) -> None:
    """5.4: unicast always; by multicast too, if the last is a quarter of the lifetime ago."""
    mine = settled(world, family)
    mine.says(probe(mine, unicast=1))
    heard = mine.heard()
    other = mine.other(2)
    assert sorted(one.dst for one in heard) == sorted([mine.group, other])
    (direct,) = [one for one in heard if one.dst == other]
    assert (direct.sport, direct.dport, direct.hops, direct.dns.id) == (5353, 5353, 255, 5)
    assert told(direct) == FORWARD
    mine.run(5 * SECOND)
    mine.heard()
    mine.says(probe(mine, unicast=1))
    assert [one.dst for one in mine.heard()] == [other]


def test_a_probe_with_several_questions_is_not_kept_waiting(world: World, family: int) -> None:
    mine = settled(world, family)
    asked = probe(mine)
    asked.qd.append(DNSQR(qname="x.local.", qtype=255))
    when = world.now
    mine.says(asked)
    assert mine.heard()[0].when == when


# By unicast (5.4, 5.5, 6.7).


def test_unicast_is_given_if_all_have_heard_it_lately(world: World, family: int) -> None:
    mine = settled(world, family)
    mine.says(query(NAME, "A", unicast=1))
    assert [one.dst for one in mine.heard()] == [mine.group]
    mine.run(29 * SECOND)
    mine.says(query(NAME, "A", unicast=1, ident=9))
    (one,) = mine.heard()
    assert one.dst == mine.other(2)
    assert (one.dns.id, one.dns.qdcount) == (9, 0)
    assert told(one) == A_ONLY
    assert all((r.cacheflush, r.ttl) == (1, 120) for r in one.dns.an)
    mine.run(2 * SECOND)  # a quarter of 120 s is over
    mine.says(query(NAME, "A", unicast=1))
    assert [one.dst for one in mine.heard()] == [mine.group]


def test_a_query_sent_to_the_host_alone_is_like_one_that_wants_unicast(
    world: World, family: int
) -> None:
    mine = settled(world, family)
    mine.says(query(NAME, "A"), dst=mine.mine)
    assert [one.dst for one in mine.heard()] == [mine.group]
    mine.says(query(NAME, "A"), dst=mine.mine)
    assert [one.dst for one in mine.heard()] == [mine.other(2)]


def test_a_conventional_resolver_gets_a_conventional_answer(world: World, family: int) -> None:
    """6.7: id and question repeated, ten seconds at most, no cache-flush bit, straight back."""
    mine = settled(world, family)
    for ident, unicast in ((0x1234, 0), (0xFFFF, 1), (0x1234, 0)):
        mine.says(query("Alpha.LOCAL.", "A", ident=ident, unicast=unicast), sport=40001)
        (one,) = mine.heard()
        assert (one.dst, one.sport, one.dport, one.hops) == (mine.other(2), 5353, 40001, 255)
        assert (one.dns.id, one.dns.qr, one.dns.qdcount) == (ident, 1, 1)
        assert one.question == ("Alpha.LOCAL.", 1)
        assert {text.lower() for text in told(one)} == {text.lower() for text in A_ONLY}
        assert all((r.ttl, r.cacheflush) == (10, 0) for r in one.dns.an)
    assert mine.counters.unicast == 3
    mine.says(query(NAME, "TXT"), sport=40001)
    (one,) = mine.heard()
    assert one.answers == []
    assert [data for _, data, _ in one.authority] == ["NSEC A AAAA"]


def test_nobody_beyond_the_link_is_answered(world: World, family: int) -> None:
    """11: what is not sent to the group has to come from a prefix of the link; what is answered
    by unicast goes nowhere else either."""
    mine = settled(world, family)
    mine.stack.add_route(
        *(("0.0.0.0", 0) if family == addr.V4 else ("::", 0)), mine.host.nic, mine.other(2)
    )
    far = "192.0.2.9" if family == addr.V4 else "2001:db8::9"
    mine.says(query(NAME, "A"), src=far, dst=mine.mine)
    mine.says(query(NAME, "A"), src=far, sport=40001)
    mine.says(response(record(NAME, "A", "192.0.2.1")), src=far, dst=mine.mine)
    assert mine.heard() == []
    assert mine.counters.refused == 3
    assert mine.counters.conflicts == 0
    # To the group it must have been on the link, whatever address it has.
    mine.says(query(NAME, "A"), src=far)
    assert [one.dst for one in mine.heard()] == [mine.group]
    mine.says(response(record(NAME, "A", "192.0.2.1")), src=far)
    assert mine.counters.conflicts == 1


# What is known (7.1, 7.2).


@pytest.mark.parametrize(
    ("known", "suppressed"),
    [
        ([("A", "10.77.0.1", 60)], True),
        ([("A", "10.77.0.1", 59)], False),  # less than half of it
        ([("A", "10.77.0.2", 120)], False),
        ([("AAAA", "fd77::1", 120)], False),
    ],
)
def test_known_answers_are_not_given(
    world: World, family: int, known: list[tuple[str, str, int]], suppressed: bool
) -> None:
    mine = settled(world, family)
    mine.says(query(NAME, "A", known=[record(NAME, k, data, ttl) for k, data, ttl in known]))
    mine.run(2 * SECOND)
    assert len(mine.heard()) == (not suppressed)
    assert mine.counters.suppressed == suppressed


def test_a_set_of_records_is_given_as_a_whole(world: World, family: int) -> None:
    """10.2: with the cache-flush bit, half of it would take the other half away."""
    mine = settled(world, family)
    mine.says(query(NAME, "AAAA", known=[record(NAME, "AAAA", "fd77::1")]))
    assert told(mine.heard()[0]) == AAAA_ONLY
    mine.run(2 * SECOND)
    both = [record(NAME, "AAAA", "fd77::1"), record(NAME, "AAAA", LOCAL)]
    mine.says(query(NAME, "AAAA", known=both))
    mine.run(2 * SECOND)
    assert mine.heard() == []


def test_known_answers_of_several_messages_are_waited_for(world: World, family: int) -> None:
    """7.2: 400 to 500 ms after the last that says that there is more."""
    mine = settled(world, family)
    mine.says(query(NAME, "A", tc=1))
    mine.run(300 * MS)
    mine.says(DNS(qd=[], rd=0, tc=1, an=[record("b.local.", "A", "192.0.2.1")]))
    extended = world.now
    mine.run(300 * MS)
    assert mine.heard() == []
    mine.run(SECOND)
    (one,) = mine.heard()
    assert 400 * MS <= one.when - extended <= 500 * MS
    assert told(one) == A_ONLY


def test_a_later_message_can_have_the_known_answer(world: World, family: int) -> None:
    mine = settled(world, family)
    mine.says(query(NAME, "A", tc=1))
    mine.run(100 * MS)
    mine.says(DNS(qd=[], rd=0, an=[record(NAME, "A", "10.77.0.1")]))
    mine.run(2 * SECOND)
    assert mine.heard() == []
    assert mine.counters.suppressed == 1
    # Somebody else's known answers are not the querier's.
    mine.says(query(NAME, "A", tc=1))
    known = DNS(qd=[], rd=0, an=[record(NAME, "A", "10.77.0.1")])
    mine.says(known, src=mine.other(7))
    mine.run(2 * SECOND)
    assert len(mine.heard()) == 1


def test_waiting_for_known_answers_has_an_end(world: World, family: int) -> None:
    mine = settled(world, family)
    when = world.now
    for _ in range(60):
        mine.says(query(NAME, "A", tc=1))
        mine.run(300 * MS)
        if heard := mine.heard():
            break
    assert heard[0].when - when < 17 * 300 * MS + 500 * MS


def test_more_who_make_us_wait_than_are_waited_for(world: World, family: int) -> None:
    mine = settled(world, family)
    for last in range(20, 20 + 16):
        mine.says(query(NAME, "A", tc=1), src=mine.other(last))
    assert mine.heard() == []
    mine.says(query(NAME, "A", tc=1), src=mine.other(99))
    assert len(mine.heard()) == 1
    assert mine.counters.deferred == 16


# What others say (6.6, 7.4).


def test_an_answer_another_gives_first_is_not_given_again(world: World, family: int) -> None:
    mine = settled(world, family)
    asked = DNS(qd=[DNSQR(qname=NAME, qtype=t) for t in ("A", "SRV")], rd=0)
    mine.says(asked)
    mine.says(response(record(NAME, "A", "10.77.0.1", 120, flush=1)))
    mine.run(SECOND)
    (one,) = mine.heard()
    assert told(one) == {NSEC}
    assert mine.counters.conflicts == 0


def test_an_answer_with_less_of_a_lifetime_is_no_answer(world: World, family: int) -> None:
    mine = settled(world, family)
    asked = DNS(qd=[DNSQR(qname=NAME, qtype=t) for t in ("A", "SRV")], rd=0)
    mine.says(asked)
    mine.says(response(record(NAME, "A", "10.77.0.1", 100)))
    mine.run(SECOND)
    (one,) = mine.heard()
    assert told(one) == A_ONLY | {NSEC}


@pytest.mark.parametrize("ttl", [0, 59])
def test_a_record_that_another_would_end_is_said_again(world: World, family: int, ttl: int) -> None:
    """6.6: less than half of its lifetime, and all hear the true one."""
    mine = settled(world, family)
    mine.says(response(record(NAME, "A", "10.77.0.1", ttl)))
    (one,) = mine.heard()
    assert told(one) == A_ONLY
    mine.says(response(record(NAME, "A", "10.77.0.1", ttl)))
    assert mine.heard() == []
    mine.run(2 * SECOND)
    assert len(mine.heard()) == 1


# What is no message of ours (18), and sizes (17).


@pytest.mark.parametrize(
    ("message", "counter"),
    [
        (DNS(opcode=1, rd=0, qd=[DNSQR(qname=NAME)]), "refused"),
        (DNS(rcode=2, rd=0, qd=[DNSQR(qname=NAME)]), "refused"),
        (b"", "malformed"),
        (b"\0" * 11, "malformed"),
        (b"\0\0\0\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1", "malformed"),  # a name in a circle
        (b"\0\0\0\0\0\1\0\0\0\0\0\0\xc0\xff\0\1\0\1", "malformed"),
        (b"\0\0\0\0\xff\xff\0\0\0\0\0\0" + b"\0\0\1\0\1" * 280, "malformed"),
    ],
)
def test_what_is_not_for_us(world: World, family: int, message: Any, counter: str) -> None:
    mine = settled(world, family)
    mine.says(message)
    mine.run(SECOND)
    assert mine.heard() == []
    assert getattr(mine.counters, counter) == 1


def test_bits_that_mean_nothing_are_not_heeded(world: World, family: int) -> None:
    """18: AA, RD, RA, Z, AD, CD and the id of a query."""
    mine = settled(world, family)
    mine.says(query(NAME, "A", ident=3, aa=1, ra=1, z=1, ad=1, cd=1))
    (one,) = mine.heard()
    assert one.wire[:4] == b"\0\0\x84\0"


def test_answers_fit_into_a_packet_of_the_link(world: World, family: int) -> None:
    """17: more records than one packet takes go in several, whole ones."""
    mine = MdnsScene(world, family, mtu=1280)
    for last in range(10, 34):
        mine.stack.add_address(mine.host.nic, f"fd77::{last}", 64)
    mine.run(20 * SECOND)
    mine.heard()
    mine.run(60 * SECOND)
    mine.says(query("1.0.77.10.in-addr.arpa.", "PTR"))
    mine.stack.remove_address("fd77::33")
    mine.run(5 * SECOND)
    heard = [one for one in mine.heard() if one.answers and one.answers[0][2] == 120]
    room = 1280 - (28 if family == addr.V4 else 48)
    assert all(len(one.wire) <= room for one in heard)
    assert len(heard) > 3
    seen = set().union(*(told(one) for one in heard))
    assert seen >= everything()
    assert f"{NAME} AAAA fd77::32" in seen


# Anything.


@given(st.binary(max_size=300), st.booleans())
def test_any_octets_are_read_or_refused(octets: bytes, headed: bool) -> None:
    head = b"\0\0\x84\0\0\1\0\1\0\1\0\1" if headed else b""
    message = link_message.read(head + octets)
    assert message is None or len(message.questions) <= link_message.QUESTIONS


SAMPLES = [
    bytes(query(NAME, 255, known=[record(NAME, "A", "10.77.0.1")])),
    bytes(query(NAME, 255, proposed=[record(NAME, "A", "10.99.0.1")])),
    bytes(response(record(NAME, "A", "10.77.0.1"), record("x.", "PTR", NAME))),
]


@given(st.data())
def test_any_message_is_survived(data: st.DataObject) -> None:
    """At any stage, changed anywhere: nothing raises, and the host goes on."""
    mine = scene(World(1), data.draw(st.sampled_from([addr.V4, addr.V6])))
    for _ in range(data.draw(st.integers(1, 6))):
        mine.run(data.draw(st.sampled_from([0, 200, 700, 1500, 9000])) * MS)
        wire = bytearray(data.draw(st.sampled_from(SAMPLES)))
        for _ in range(data.draw(st.integers(0, 4))):
            wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
        sport = data.draw(st.sampled_from([5353, 40000]))
        dst = data.draw(st.sampled_from(["", mine.mine]))
        mine.says(bytes(wire), dst=dst, sport=sport)
    mine.run(120 * SECOND)
    assert mine.state == mdns_link.OWNED
    mine.links.switch_mdns(False)
    assert not mine.left()
