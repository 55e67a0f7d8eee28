# SPDX-License-Identifier: MIT
"""LLMNR (RFC 4795): the responder, its answers, and whose a name is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dns import DNSQR, DNSRR, DNSRROPT
from scapy.layers.llmnr import LLMNRQuery, LLMNRResponse

from stack.base import addr
from stack.base.units import MS, SECOND
from stack.services import llmnr_claim
from tests.harness import World, quiet
from tests.services.linkpeer import GROUPS
from tests.services.llmnrscene import (
    ALL,
    LOCAL,
    NAME,
    SPORT,
    Session,
    ask,
    data,
    larger,
    scene,
    settled,
    smaller,
)

# Off.


@pytest.mark.parametrize("settings", [{}, {"host_name": "alpha"}, {"llmnr": True}])
def test_without_switch_or_name_nothing_is_said_or_held(
    world: World, settings: dict[str, object]
) -> None:
    hosts = world.pair(quiet(**settings))
    world.run(10 * SECOND)
    for host in hosts:
        stack = host.stack
        assert stack.udp.ports.in_use() == stack.tcp.ports.in_use() == 0
        assert stack.udp.counters.moved() == {}
        for groups in GROUPS.values():
            for group in groups.values():
                assert not stack.host.groups.joined(host.nic.index, addr.parse(group))


# Uniqueness (4.1).


def test_a_name_is_verified_before_it_is_unique(world: World, family: int) -> None:
    """A query for everything, with a jitter of up to 100 ms, three times 100 ms apart (2.7, 7)."""
    mine = scene(world, family)
    mine.run(2 * SECOND)
    heard = mine.heard()
    first = heard[0].when - mine.began
    assert 0 <= first < 100 * MS
    assert [one.when - mine.began - first for one in heard] == [0, 100 * MS, 200 * MS]
    assert len({one.sport for one in heard}) == len({one.dns.id for one in heard}) == 1
    for one in heard:
        asked = one.llmnr
        assert (one.dst, one.dport, one.hops) == (mine.group, 5355, 255)
        assert one.sport != 5355
        assert one.src == ("10.77.0.1" if family == addr.V4 else LOCAL)
        assert (asked.qr, asked.opcode, asked.c, asked.tc, asked.z, asked.rcode) == (0,) * 6
        assert (asked.qdcount, asked.ancount, asked.nscount, asked.arcount) == (1, 0, 0, 0)
        assert one.question == (NAME, 255)
    assert mine.state == llmnr_claim.UNIQUE
    assert mine.counters.verified == 1
    mine.run(120 * SECOND)
    assert mine.heard() == []  # 4.1: not periodically


def test_the_name_is_tentative_until_the_last_wait_is_over(world: World, family: int) -> None:
    mine = scene(world, family)
    mine.run(200 * MS)
    began = mine.heard()[0].when
    mine.run(began + 399 * MS - world.now)
    assert mine.state == llmnr_claim.TENTATIVE
    mine.run(10 * MS)
    assert mine.state == llmnr_claim.UNIQUE


@pytest.mark.parametrize(
    ("tentative", "from_smaller", "lost"),
    [(0, True, True), (0, False, True), (1, True, True), (1, False, False)],
)
def test_who_else_has_the_name(
    world: World, family: int, tentative: int, from_smaller: bool, lost: bool
) -> None:
    """4.1: an established answer takes it, a tentative one only if it is from the smaller
    address."""
    mine = scene(world, family)
    mine.run(150 * MS)
    heard = mine.heard()
    src = smaller(mine) if from_smaller else larger(mine)
    mine.answers(heard[0], src=src, t=tentative)
    assert (mine.state == llmnr_claim.CONFLICTED) == lost
    mine.run(2 * SECOND)
    assert mine.counters.conflicts == lost
    mine.heard()
    replies = mine.asks(ask())
    assert (replies == []) == lost
    # Not by the other family either (4.1).
    mine.family = mine.peer.family = addr.V4 + addr.V6 - family
    assert (mine.asks(ask()) == []) == lost


def test_a_lost_name_is_tried_again_after_the_lifetime_of_the_answer(
    world: World, family: int
) -> None:
    mine = scene(world, family)
    mine.run(150 * MS)
    kind, text = ("A", "10.77.0.9") if family == addr.V4 else ("AAAA", "fd77::9")
    mine.answers(mine.heard()[0], DNSRR(rrname=NAME, type=kind, rdata=text, ttl=90))
    lost = world.now
    mine.run(89 * SECOND)
    assert mine.heard() == []
    assert mine.state == llmnr_claim.CONFLICTED
    mine.run(5 * SECOND)
    assert 90 * SECOND <= mine.heard()[0].when - lost <= 90 * SECOND + 100 * MS
    assert mine.state == llmnr_claim.UNIQUE


@pytest.mark.parametrize(
    "what", ["id", "port", "name", "type", "opcode", "rcode", "query", "two", "off", "group"]
)
def test_what_is_no_answer_to_the_verification(world: World, family: int, what: str) -> None:
    mine = scene(world, family)
    mine.run(150 * MS)
    one = mine.heard()[0]
    name, kind = ("beta." if what == "name" else NAME), (1 if what == "type" else 255)
    questions = [DNSQR(qname=name, qtype=kind)] * (2 if what == "two" else 1)
    flags: Any = {"opcode": {"opcode": 1}, "rcode": {"rcode": 3}}.get(what, {})
    ident = one.dns.id ^ (what == "id")
    made: Any = LLMNRResponse(id=ident, qd=questions, **flags)
    if what == "query":
        made.qr = 0
    off = "192.0.2.9" if family == addr.V4 else "2001:db8::9"
    mine.says(
        made,
        dst=mine.group if what == "group" else one.src,
        sport=5356 if what == "port" else 5355,
        dport=one.sport,
        src=off if what == "off" else "",
    )
    mine.run(2 * SECOND)
    assert mine.state == llmnr_claim.UNIQUE
    assert mine.counters.conflicts == 0
    assert mine.counters.refused == (what != "group")


def test_a_new_address_is_a_reason_to_verify_again(world: World, family: int) -> None:
    mine = settled(world, family)
    text, length = ("10.77.0.77", 24) if family == addr.V4 else ("fd77::77", 64)
    mine.stack.add_address(mine.host.nic, text, length)
    mine.run(50 * MS)
    assert mine.state == llmnr_claim.TENTATIVE
    mine.run(2 * SECOND)
    assert len(mine.heard()) == 3
    assert mine.state == llmnr_claim.UNIQUE


def test_a_link_that_comes_up_is_a_reason_to_verify_again(world: World, family: int) -> None:
    mine = settled(world, family)
    mine.stack.set_link(mine.host.nic, False)
    mine.run(SECOND)
    assert mine.heard() == []
    mine.stack.set_link(mine.host.nic, True)
    mine.run(2 * SECOND)
    assert len(mine.heard()) == 3


@pytest.mark.parametrize("seed", range(6))
def test_of_three_stacks_one_has_the_name(seed: int) -> None:
    world = World(seed)
    hosts = world.hub([quiet(host_name="alpha", llmnr=True)] * 3)
    world.run(5 * SECOND)
    states = [h.stack.link_names.llmnr.state(h.nic) for h in hosts]  # type: ignore[union-attr]
    assert sorted(states) == [2, 3, 3]


# Answers (2.3, 2.6, 2.8, 2.9).


@pytest.mark.parametrize(
    ("name", "kind", "answers"),
    [
        (NAME, 1, {"A 10.77.0.1"}),
        ("ALPHA.", 1, {"A 10.77.0.1"}),
        (NAME, 28, {"AAAA fd77::1", f"AAAA {LOCAL}"}),
        (NAME, 255, ALL),
        ("1.0.77.10.in-addr.arpa.", 12, {f"PTR {NAME}"}),
        ("1.0.77.10.in-addr.arpa.", 255, {f"PTR {NAME}"}),
        (".".join(reversed(addr.parse("fd77::1").hex())) + ".ip6.arpa.", 12, {f"PTR {NAME}"}),
    ],
)
def test_what_is_answered(
    world: World, family: int, name: str, kind: int, answers: set[str]
) -> None:
    mine = settled(world, family)
    when = world.now
    (one,) = mine.asks(ask(name, kind, ident=0xBEEF))
    assert one.when == when  # 2.7: a name known to be unique needs no jitter
    reply = one.llmnr
    assert (one.dst, one.sport, one.dport, one.hops) == (
        addr.text(mine.peer.mine),
        5355,
        SPORT,
        255,
    )
    assert one.src == mine.mine
    assert (reply.id, reply.qr, reply.opcode, reply.rcode) == (0xBEEF, 1, 0, 0)
    assert (reply.c, reply.tc, reply.z) == (0, 0, 0)
    assert one.wire[2:4] == b"\x80\0"
    assert one.question == (name, kind)
    assert data(one.answers) == answers
    assert all(ttl == 30 for _, _, ttl in one.answers)
    assert not one.dns.ns
    assert not one.dns.ar


@pytest.mark.parametrize("name", [NAME, "1.0.77.10.in-addr.arpa."])
def test_a_type_there_is_none_of_is_answered_with_nothing(
    world: World, family: int, name: str
) -> None:
    """2.3 (f); 2.9: with an SOA of the name asked for."""
    mine = settled(world, family)
    (one,) = mine.asks(ask(name, 15))
    assert (one.llmnr.rcode, one.dns.ancount, one.dns.nscount) == (0, 0, 1)
    (soa,) = one.dns.ns
    assert (soa.rrname.decode(), soa.type, soa.mname.decode()) == (name, 6, name)
    assert soa.ttl == soa.minimum == 30


@pytest.mark.parametrize("near", [True, False])
def test_addresses_of_the_scope_of_the_asker_are_first(world: World, near: bool) -> None:
    """2.6 (d), (e)."""
    mine = settled(world, addr.V6)
    if near:
        mine.peer.v6 = addr.parse("fe80::9")
    (one,) = mine.asks(ask(NAME, 28))
    expected = [f"AAAA {LOCAL}", "AAAA fd77::1"]
    assert [text for _, text, _ in one.answers] == (expected if near else expected[::-1])


@pytest.mark.parametrize(
    "message",
    [
        ask("beta."),
        ask("x.alpha."),
        ask("alpha.local."),
        ask("2.0.77.10.in-addr.arpa.", 12),
        ask(qclass=3),
    ],
)
def test_what_is_somebody_elses_is_not_answered(world: World, family: int, message: Any) -> None:
    mine = settled(world, family)
    assert mine.asks(message) == []
    assert mine.counters.others == mine.counters.queries == 1


@pytest.mark.parametrize(
    "message",
    [
        ask(opcode=1),
        LLMNRResponse(id=7, qd=[DNSQR(qname=NAME)]),
        LLMNRQuery(id=7, qd=[]),
        LLMNRQuery(id=7, qd=[DNSQR(qname=NAME), DNSQR(qname=NAME)]),
        ask(an=[DNSRR(rrname=NAME, rdata="192.0.2.1")]),
        ask(ns=[DNSRR(rrname=NAME, rdata="192.0.2.1")]),
    ],
)
def test_what_is_discarded_by_its_header(world: World, family: int, message: Any) -> None:
    """2.1.1."""
    mine = settled(world, family)
    assert mine.asks(message) == []
    assert mine.counters.refused == 1
    assert mine.counters.queries == 0


@pytest.mark.parametrize("message", [b"", b"x" * 11, bytes(ask())[:-1], bytes(ask())[:14]])
def test_what_is_no_message(world: World, family: int, message: bytes) -> None:
    mine = settled(world, family)
    assert mine.asks(message) == []
    assert mine.counters.malformed == 1


def test_bits_of_a_query_that_mean_nothing(world: World, family: int) -> None:
    """2.1.1: TC, T, Z and RCODE."""
    mine = settled(world, family)
    wire = bytearray(bytes(ask()))
    wire[2:4] = b"\x03\xff"
    (one,) = mine.asks(bytes(wire))
    assert one.wire[2:4] == b"\x80\0"
    assert data(one.answers) == ALL


@pytest.mark.parametrize("how", ["unicast", "other group", "far", "broadcast"])
def test_what_is_not_from_the_link_or_not_to_it(world: World, family: int, how: str) -> None:
    """2.4: no unicast UDP; 2.5: no other group, nobody from elsewhere."""
    mine = settled(world, family)
    socket = mine.host.datagram()
    assert socket.bind(b"", 9, 0) == 0
    other = addr.parse(GROUPS[5353][family])
    socket.membership(1, other, mine.host.nic.index, b"")
    far = "192.0.2.9" if family == addr.V4 else "2001:db8::9"
    if how == "unicast":
        heard = mine.asks(ask(), dst=mine.mine)
    elif how == "other group":
        heard = mine.asks(ask(), dst=addr.text(other))
    elif how == "far":
        heard = mine.asks(ask(), src=far)
    else:
        heard = mine.asks(ask(), dst="10.77.0.255" if family == addr.V4 else "ff02::1")
    assert heard == []
    assert mine.counters.queries == 0


def test_until_the_name_is_verified_answers_say_so(family: int) -> None:
    """4.1: the T bit; 2.7: and a jitter of up to 100 ms."""
    waits = set()
    for seed in range(10):
        mine = scene(World(seed), family)
        mine.run(150 * MS)
        mine.heard()
        when = mine.world.now
        mine.says(ask(), sport=SPORT)
        mine.run(120 * MS)
        (one,) = [one for one in mine.heard() if one.dns.qr]
        assert one.llmnr.t == 1
        assert data(one.answers) == ALL
        assert 0 <= one.when - when < 100 * MS
        waits.add((one.when - when) // (10 * MS))
    assert len(waits) > 4


def test_too_many_answers_that_wait(world: World, family: int) -> None:
    mine = scene(world, family)
    mine.run(150 * MS)
    mine.heard()
    for number in range(40):
        mine.says(ask(ident=number), sport=SPORT)
    mine.run(150 * MS)
    assert len([one for one in mine.heard() if one.dns.qr]) <= 40
    assert mine.counters.throttled + mine.counters.answers == 40
    assert mine.counters.answers >= 32


# The C bit (4.2).


def test_a_query_with_the_c_bit_is_not_answered_but_checked(world: World, family: int) -> None:
    mine = settled(world, family)
    heard = mine.asks(ask(kind=1, c=1))
    assert heard == []
    mine.run(SECOND)
    heard = mine.heard()
    # Its own query for the same, with the C bit clear; nobody answers, and the name stays.
    assert [one.question for one in heard] == [(NAME, 1)] * 3
    assert all(one.llmnr.c == 0 for one in heard)
    assert mine.state == llmnr_claim.UNIQUE
    assert mine.counters.answers == 0


@pytest.mark.parametrize("from_smaller", [True, False])
def test_a_conflict_is_lost_to_the_smaller_address(
    world: World, family: int, from_smaller: bool
) -> None:
    mine = settled(world, family)
    mine.says(ask(c=1), sport=SPORT)
    mine.run(110 * MS)
    (one, *_) = mine.heard()
    assert data(mine.asks(ask())[0].answers) == ALL  # still his while he checks
    mine.answers(one, src=smaller(mine) if from_smaller else larger(mine))
    assert (mine.state == llmnr_claim.CONFLICTED) == from_smaller
    assert (mine.asks(ask()) == []) == from_smaller


def test_advice_is_not_taken_more_than_once_a_second(world: World, family: int) -> None:
    mine = settled(world, family)
    for _ in range(20):
        mine.says(ask(c=1), sport=SPORT)
        mine.run(20 * MS)
    mine.run(400 * MS)
    assert len(mine.heard()) == 3
    assert mine.counters.throttled == 19
    mine.run(SECOND)
    mine.says(ask(c=1), sport=SPORT)
    mine.run(SECOND)
    assert len(mine.heard()) == 3


def test_the_c_bit_for_other_names_is_nothing_to_us(world: World, family: int) -> None:
    mine = settled(world, family)
    mine.says(ask("beta.", c=1), sport=SPORT)
    mine.run(SECOND)
    assert mine.heard() == []


# Sizes and EDNS (2.1, 2.9).


def test_an_answer_that_does_not_fit_says_so(world: World, family: int) -> None:
    """The TC bit and nothing else: the rest is for TCP.  The link's MTU bounds it, or EDNS."""
    mine = scene(world, family)
    for last in range(10, 34):
        mine.stack.add_address(mine.host.nic, f"fd77::{last}", 64)
    mine.run(2 * SECOND)
    (one,) = mine.asks(ask())
    assert 512 < len(one.wire) <= 1500 - (28 if family == addr.V4 else 48)
    assert len(one.answers) == 27
    small = DNSRROPT(rclass=512, z=0)
    (one,) = mine.asks(ask(ar=[small]))
    assert len(one.wire) <= 512
    assert (one.llmnr.tc, one.dns.ancount) == (1, 0)
    assert mine.counters.truncated == 1


def test_edns_is_answered_with_edns(world: World, family: int) -> None:
    mine = settled(world, family)
    (one,) = mine.asks(ask(ar=[DNSRROPT(rclass=1232, z=0)]))
    (opt,) = one.dns.ar
    assert (opt.type, opt.extrcode, opt.version) == (41, 0, 0)
    assert data(one.answers) == ALL
    # An EDNS of tomorrow: an error, which goes by TCP only (2.1.1, RFC 6891 6.1.3).
    (one,) = mine.asks(ask(ar=[DNSRROPT(rclass=1232, z=0, version=1)]))
    assert (one.llmnr.tc, one.llmnr.rcode, one.dns.ancount) == (1, 0, 0)


# Switches.


def test_stopping_leaves_nothing(world: World, family: int) -> None:
    mine = scene(world, family)
    mine.run(50 * MS)
    assert mine.links.switch_llmnr(False) == 0
    assert not mine.left()
    mine.heard()
    assert mine.asks(ask()) == []
    mine.run(10 * SECOND)
    assert mine.heard() == []
    assert mine.links.switch_llmnr(True) == 0
    mine.run(2 * SECOND)
    assert len(mine.heard()) == 3
    Session(mine)
    assert mine.links.switch_llmnr(False) == 0
    mine.run(SECOND)
    assert not mine.left()


def test_a_port_that_is_taken(world: World) -> None:
    mine = scene(world, addr.V4, llmnr=False)
    other = mine.host.datagram()
    assert other.bind(b"", 5355, 0) == 0
    assert mine.links.switch_llmnr(True) != 0
    assert mine.links.llmnr is None
    other.close()
    listener = mine.host.listener()
    assert listener.bind(b"", 5355, 0) == 0
    assert mine.links.switch_llmnr(True) != 0
    assert mine.stack.udp.ports.in_use() == 0
    listener.close()
    assert mine.links.switch_llmnr(True) == 0


# Anything.


@given(st.data())
def test_any_message_is_survived(drawn: st.DataObject) -> None:
    """At any stage, changed anywhere, to the group or to a query of the host's."""
    mine = scene(World(1), drawn.draw(st.sampled_from([addr.V4, addr.V6])))
    samples = [bytes(ask()), bytes(ask(c=1)), bytes(LLMNRResponse(qd=[DNSQR(qname=NAME)]))]
    for _ in range(drawn.draw(st.integers(1, 6))):
        mine.run(drawn.draw(st.sampled_from([0, 60, 200, 1500])) * MS)
        wire = bytearray(drawn.draw(st.sampled_from(samples)))
        for _ in range(drawn.draw(st.integers(0, 4))):
            wire[drawn.draw(st.integers(0, len(wire) - 1))] = drawn.draw(st.integers(0, 255))
        own = [one for one in mine.heard() if not one.dns.qr]
        to_us = bool(drawn.draw(st.booleans()))
        if own and to_us:
            wire[:2] = own[-1].wire[:2]
            mine.says(bytes(wire), dst=own[-1].src, dport=own[-1].sport)
        else:
            mine.says(bytes(wire), sport=SPORT)
    mine.world.run(3990 * SECOND)
    mine.run(10 * SECOND)
    assert mine.state == llmnr_claim.UNIQUE
    mine.links.switch_llmnr(False)
    assert not mine.left()
