# SPDX-License-Identifier: MIT
"""Lookups that go to the link: LLMNR after the DNS (RFC 4795 2.2, 2.7, 3), mDNS for .local."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR, DNSRR, DNSRRNSEC
from scapy.layers.llmnr import LLMNRResponse

from stack.base import addr, status
from stack.base.units import MS, SECOND
from stack.services import llmnr_claim
from stack.wire.tcp import ACK, FIN, PSH, SYN
from tests.harness import Host, World, quiet
from tests.harness.hub import Hub, HubPort
from tests.services.linkpeer import Heard, LinkScene, record, response
from tests.services.nameserver import Asking, Scene

BOTH = addr.V4 | addr.V6


class AskingScene(LinkScene):
    """A host without a name, which asks."""

    def __init__(self, world: World, family: int, port: int, **settings: object) -> None:
        settings.setdefault("host_name", "")
        settings.setdefault("llmnr", port == 5355)
        settings.setdefault("mdns", port == 5353)
        super().__init__(world, family, port, 1500, **settings)

    def ask(self, name: str, families: int = addr.V4) -> Asking:
        asking = Asking(self.world)
        result = self.stack.resolver.find_addresses(name, families, False, asking, asking)
        if result != status.PENDING:
            asking.named(asking, result, None)
        self.world.run(0)
        return asking

    def first(self) -> Heard:
        """The host's query."""
        for _ in range(40):
            self.run(5 * MS)
            if heard := self.heard():
                return heard[0]
        raise AssertionError("no query came")

    def tells(self, one: Heard, *answers: Any, src: str = "", **flags: Any) -> None:
        """A response to a query of the host's."""
        made: Any = LLMNRResponse if self.port == 5355 else DNS
        more = {} if self.port == 5355 else {"aa": 1, "rd": 0}
        message = made(id=one.dns.id, qr=1, qd=list(one.dns.qd), an=list(answers), **more, **flags)
        self.says(message, dst=one.src, sport=self.port, dport=one.sport, src=src)

    def over(self) -> bool:
        self.run(20 * SECOND)
        resolver = self.stack.resolver
        return not (self.left() or resolver.lookups or resolver.asking())


def llmnr(world: World, family: int, **settings: object) -> AskingScene:
    return AskingScene(world, family, 5355, **settings)


def mdns(world: World, family: int, **settings: object) -> AskingScene:
    return AskingScene(world, family, 5353, **settings)


def is_at(name: str, data: str, ttl: int = 30) -> DNSRR:
    return DNSRR(rrname=name, type="AAAA" if ":" in data else "A", rdata=data, ttl=ttl)


# Two stacks.


@pytest.mark.parametrize("name", ["beta", "BETA", "beta.", "beta.local", "beta.local."])
def test_two_stacks_know_each_other(world: World, family: int, name: str) -> None:
    a, _ = world.pair(quiet(llmnr=True, mdns=True), quiet(host_name="beta", llmnr=True, mdns=True))
    world.run(10 * SECOND)
    asking = Asking(world)
    assert a.stack.resolver.find_addresses(name, family, False, asking, asking) == status.PENDING
    world.run(5 * SECOND)
    expected = {"10.77.0.2"} if family == addr.V4 else {"fd77::2", "fe80::ff:fe00:2"}
    assert set(asking.addresses) == expected
    assert asking.when <= 110 * MS
    assert asking.found is not None
    near = {address: 2 for address in map(addr.parse, expected) if addr.is_link_local(address)}
    assert dict(asking.found.scopes) == near
    # What was heard is kept for its lifetime.
    again = Asking(world)
    a.stack.resolver.find_addresses(name, family, False, again, again)
    world.run(0)
    assert set(again.addresses) == expected
    assert again.when == 0


def test_a_family_the_other_has_not(world: World) -> None:
    """An AAAA of a host without one: told at once by mDNS, after both families by LLMNR."""
    a, b = world.pair(quiet(llmnr=True, mdns=True), quiet(host_name="beta", llmnr=True, mdns=True))
    for address in ("fd77::2", "fe80::ff:fe00:2"):
        b.stack.remove_address(address)
    world.run(10 * SECOND)
    for name, most in (("beta.local", 10 * MS), ("beta", 510 * MS)):
        asking = Asking(world)
        a.stack.resolver.find_addresses(name, addr.V6, False, asking, asking)
        world.run(5 * SECOND)
        assert asking.result == "NO_NAME"
        assert asking.when <= most


def test_the_own_name_is_known_without_asking(world: World, family: int) -> None:
    a, _ = world.pair(quiet(host_name="beta", llmnr=True, mdns=True), quiet())
    world.run(10 * SECOND)
    a.stack.udp.counters.out_datagrams = 0
    for name in ("beta", "beta.local"):
        asking = Asking(world)
        a.stack.resolver.find_addresses(name, family, False, asking, asking)
        world.run(0)
        expected = {"10.77.0.1"} if family == addr.V4 else {"fd77::1", "fe80::ff:fe00:1"}
        assert set(asking.addresses) == expected
        assert asking.found is not None
        assert set(asking.found.scopes.values()) == (set() if family == addr.V4 else {2})
    assert a.stack.udp.counters.out_datagrams == 0


def test_the_name_of_a_link_local_address(world: World) -> None:
    """RFC 6762 4: asked of the link, and of nobody while mDNS is off."""
    a, _ = world.pair(quiet(mdns=True), quiet(host_name="beta", mdns=True))
    world.run(10 * SECOND)
    for on, expected in ((True, "OK"), (False, "NO_NAME")):
        a.stack.link_names.switch_mdns(on)
        asking = Asking(world)
        a.stack.resolver.find_name(addr.parse("fe80::ff:fe00:2"), asking, asking)
        world.run(10 * SECOND)
        assert asking.result == expected
        if on:
            assert asking.found is not None
            assert asking.found.canonical == "beta.local"


# Off: as before.


@pytest.mark.parametrize("name", ["www", "www.local"])
def test_while_it_is_off_the_dns_is_asked_and_nobody_else(
    world: World, family: int, name: str
) -> None:
    scene = Scene(world, family, {(name, "A"): ["192.0.2.1"]})
    assert scene.find(name, addr.V4).addresses == ["192.0.2.1"]
    assert scene.server.seen == [f"udp {name} A"]


def test_local_names_are_the_links_and_nobody_elses(world: World, family: int) -> None:
    """RFC 6762 3: not even when nobody answers, and not with a search domain."""
    zone = {("www.local", "A"): ["192.0.2.1"], ("www.local.example", "A"): ["192.0.2.2"]}
    scene = Scene(world, family, zone, mdns=True, dns_search=("example",))
    asking = scene.find("www.local", addr.V4)
    assert asking.result == "NO_NAME"
    assert asking.when == 4 * SECOND
    assert scene.server.seen == []
    assert scene.find("www.local.example", addr.V4).addresses == ["192.0.2.2"]
    assert scene.nothing_is_left()


# LLMNR after the DNS (3, 3.1).


@pytest.mark.parametrize("how", ["none", "nodata", "silent", "servfail", "no server"])
def test_llmnr_is_asked_when_the_dns_has_nothing(world: World, family: int, how: str) -> None:
    zone = {("beta", "AAAA"): ["2001:db8::1"]} if how == "nodata" else {}
    servers: dict[str, object] = {"dns_servers": ()} if how == "no server" else {}
    scene = Scene(world, family, zone, llmnr=True, dns_attempts=1, **servers)
    scene.server.silent = how == "silent"
    scene.server.code = 2 if how == "servfail" else 0
    other = scene.server.host.stack.link_names
    other.set_host_name("beta")
    assert other.switch_llmnr(True) == 0
    world.run(2 * SECOND)
    asking = scene.find("beta", addr.V4)
    assert asking.addresses == ["10.77.0.2"]
    assert scene.server.seen == ([] if how == "no server" else ["udp beta A"])
    assert scene.nothing_is_left()


def test_what_the_dns_says_is_enough(world: World, family: int) -> None:
    scene = Scene(world, family, {("beta", "A"): ["192.0.2.1"]}, llmnr=True)
    assert scene.find("beta", addr.V4).addresses == ["192.0.2.1"]
    assert scene.host.stack.link_names.llmnr_counters.moved() == {}


@pytest.mark.parametrize("silent", [True, False])
def test_nobody_answers_anywhere(world: World, family: int, silent: bool) -> None:
    """The lookup ends as it would have without LLMNR, after the whole search list."""
    scene = Scene(world, family, {}, llmnr=True, dns_attempts=1, dns_search=("example",))
    scene.server.silent = silent
    asking = scene.find("beta", addr.V4)
    assert asking.result == ("TIMED_OUT" if silent else "NO_NAME")
    seen = ["udp beta.example A"] if silent else ["udp beta.example A", "udp beta A"]
    assert scene.server.seen == seen
    # Three transmissions of either family, none of them for anything but the name itself.
    assert scene.host.stack.link_names.llmnr_counters.moved() == {"asked": 6}


@pytest.mark.parametrize("name", ["beta.example", "localhost", "123", "x.invalid"])
def test_names_that_llmnr_is_not_asked_for(world: World, family: int, name: str) -> None:
    mine = llmnr(world, family)
    asking = mine.ask(name)
    mine.run(5 * SECOND)
    assert len(asking.ends) == 1
    assert mine.heard() == []


# LLMNR's own rules (2.2, 2.7, 4.2).


def test_a_query_is_sent_three_times(world: World, family: int) -> None:
    mine = llmnr(world, family)
    began = world.now
    asking = mine.ask("beta")
    mine.run(2 * SECOND)
    heard = mine.heard()
    first = heard[0].when - began
    assert 0 <= first < 100 * MS
    assert [one.when - began - first for one in heard] == [0, 100 * MS, 200 * MS]
    for one in heard:
        assert (one.dst, one.dport, one.hops) == (mine.group, 5355, 255)
        assert one.question == ("beta.", 1)
        assert one.wire[2:12] == b"\0\0\0\1\0\0\0\0\0\0"
        assert one.sport >= 49152
    assert asking.result == "NO_NAME"
    assert asking.when == first + 400 * MS
    assert mine.over()


def test_ids_and_ports_are_not_to_be_guessed(world: World, family: int) -> None:
    mine = llmnr(world, family)
    seen = set()
    for number in range(8):
        mine.ask(f"beta{number}")
        one = mine.first()
        seen |= {one.dns.id, one.sport + (1 << 16)}
        mine.run(SECOND)
        mine.heard()
    assert len(seen) > 14


def test_the_first_answer_ends_it(world: World, family: int) -> None:
    mine = llmnr(world, family)
    asking = mine.ask("beta")
    mine.tells(mine.first(), is_at("BETA.", "10.77.0.5"), is_at("beta.", "10.77.0.4"))
    assert set(asking.addresses) == {"10.77.0.4", "10.77.0.5"}
    mine.run(SECOND)
    assert mine.heard() == []  # no retransmission
    assert mine.over()


@pytest.mark.parametrize(
    "what",
    ["t", "rcode", "id", "name", "type", "port", "far", "group", "query", "opcode", "none", "two"],
)
def test_what_is_no_answer(world: World, family: int, what: str) -> None:
    """2.1.1: T, RCODE, QDCOUNT; 2.5: not from the link."""
    mine = llmnr(world, family)
    asking = mine.ask("beta")
    one = mine.first()
    far = {addr.V4: "192.0.2.9", addr.V6: "2001:db8::9"}[family] if what == "far" else ""
    asked = DNSQR(qname="x." if what == "name" else "beta.", qtype=28 if what == "type" else 1)
    count = {"none": 0, "two": 2}.get(what, 1)
    flags: Any = {
        "t": {"t": 1},
        "rcode": {"rcode": 3},
        "query": {"qr": 0},
        "opcode": {"opcode": 1},
    }.get(what, {})
    message = LLMNRResponse(
        id=one.dns.id ^ (what == "id"),
        qd=[asked] * count,
        an=[is_at("beta.", "10.77.0.66")],
        **{"qr": 1, **flags},
    )
    mine.says(
        message,
        dst=mine.group if what == "group" else one.src,
        sport=5350 if what == "port" else 5355,
        dport=one.sport,
        src=far,
    )
    mine.run(2 * SECOND)
    assert asking.result == "NO_NAME"
    assert mine.over()


@pytest.mark.parametrize("answer", ["other name", "class", "length", "goodbye"])
def test_records_that_say_nothing_about_the_name(world: World, family: int, answer: str) -> None:
    mine = llmnr(world, family)
    asking = mine.ask("beta")
    made: Any = is_at("x." if answer == "other name" else "beta.", "10.77.0.66")
    if answer == "class":
        made.rclass = 3
    elif answer == "goodbye":
        made.ttl = 0
    elif answer == "length":
        made = DNSRR(rrname="beta.", type=1, rdlen=3, rdata="10.77.0.66")
    mine.tells(mine.first(), made)
    mine.run(2 * SECOND)
    assert asking.result == "NO_NAME"


def test_shared_names_are_collected(world: World, family: int) -> None:
    """2.2, 2.7: with the C bit, all of them within LLMNR_TIMEOUT and JITTER_INTERVAL; those
    without it do not stand beside them."""
    mine = llmnr(world, family)
    asking = mine.ask("beta")
    one = mine.first()
    near = ["10.77.0.5", "10.77.0.6", "10.77.0.7"]
    sources = near if family == addr.V4 else ["fe80::5", "fe80::6", "fe80::7"]
    when = world.now
    mine.tells(one, is_at("beta.", near[0]), src=sources[0], c=1)
    mine.run(50 * MS)
    mine.tells(one, is_at("beta.", near[1]), src=sources[1], c=1)
    mine.tells(one, is_at("beta.", "10.77.0.99"), src=sources[2])
    assert asking.ends == []
    mine.run(SECOND)
    assert set(asking.addresses) == {"10.77.0.5", "10.77.0.6"}
    assert asking.when >= world.now - SECOND - when
    assert mine.over()


def test_two_who_answer_for_one_name_are_told(world: World, family: int) -> None:
    """4.2: once, with the C bit and what they said; also after the lookup is over."""
    mine = llmnr(world, family)
    asking = mine.ask("beta")
    one = mine.first()
    sources = ["10.77.0.5", "10.77.0.6"] if family == addr.V4 else ["fe80::5", "fe80::6"]
    mine.tells(one, is_at("beta.", "10.77.0.5"), src=sources[0])
    assert asking.addresses == ["10.77.0.5"]
    mine.tells(one, is_at("beta.", "10.77.0.5"), src=sources[0])  # a duplicate is no conflict
    assert mine.heard() == []
    mine.tells(one, is_at("beta.", "10.77.0.6"), src=sources[1])
    (told,) = mine.heard()
    assert (told.dst, told.dport, told.sport, told.hops) == (mine.group, 5355, one.sport, 255)
    assert (told.llmnr.qr, told.llmnr.c, told.llmnr.t) == (0, 1, 0)
    assert told.question == ("beta.", 1)
    assert {text for _, text, _ in told.additional} == {"A 10.77.0.5", "A 10.77.0.6"}
    third = "10.77.0.7" if family == addr.V4 else "fe80::7"
    mine.tells(one, is_at("beta.", "10.77.0.7"), src=third)
    mine.run(2 * SECOND)
    assert mine.heard() == []  # 2.7: not again
    assert mine.over()


def test_a_conflict_found_by_a_third_is_resolved(family: int) -> None:
    """Two have got the name each on his own link; who asks for it once the links are joined brings
    it to an end: the smaller address keeps it (4.2)."""
    world = World(1)
    named = quiet(host_name="beta", llmnr=True)
    hosts = world.hub([quiet(llmnr=True), named, named])
    a, b, c = hosts
    join([a, b])
    join([c])
    world.run(2 * SECOND)
    assert llmnr_states([b, c]) == [llmnr_claim.UNIQUE] * 2
    join(hosts)
    asking = Asking(world)
    a.stack.resolver.find_addresses("beta", family, False, asking, asking)
    world.run(2 * SECOND)
    assert asking.result == "OK"
    assert llmnr_states([b, c]) == [llmnr_claim.UNIQUE, llmnr_claim.CONFLICTED]


def join(hosts: list[Host]) -> None:
    """These are on one link, and nobody else is."""
    link = Hub()
    for host in hosts:
        assert isinstance(host.port, HubPort)
        host.port.move(link)


def llmnr_states(hosts: list[Host]) -> list[int]:
    responders = [(host.stack.link_names.llmnr, host.nic) for host in hosts]
    return [responder.state(nic) for responder, nic in responders if responder is not None]


def test_an_answer_that_does_not_fit_is_fetched_by_tcp(world: World, family: int) -> None:
    """2.1.1, 2.4, 2.5: from who gave it, with a hop limit of 1."""
    mine = llmnr(world, family)
    asking = mine.ask("beta")
    one = mine.first()
    peer = mine.peer
    mine.tells(one, is_at("beta.", "10.77.0.66"), tc=1)
    world.run(0)
    syn = peer.sees(SYN)
    peer.sport, peer.dport = 5355, int.from_bytes(syn.pkt.frame[syn.pkt.l4 : syn.pkt.l4 + 2], "big")
    assert syn.pkt.ttl == 1
    peer.sends(SYN | ACK, seq=100, ack=syn.seq + 1)
    seen = peer.next_tcp()
    octets = b""
    while seen is not None:
        octets += seen.data
        assert seen.pkt.ttl == 1
        seen = peer.next_tcp()
    asked: Any = DNS(octets[2:])
    assert (asked.id, asked.qd[0].qname) == (one.dns.id, b"beta.")
    wire = bytes(LLMNRResponse(id=asked.id, qd=asked.qd, an=[is_at("beta.", "10.77.0.5")]))
    data = len(wire).to_bytes(2, "big") + wire
    peer.sends(ACK | PSH, seq=101, ack=syn.seq + 1 + len(octets), data=data)
    assert asking.addresses == ["10.77.0.5"]
    assert mine.counters.asked_tcp == mine.counters.truncated == 1
    peer.sends(ACK | FIN, seq=101 + len(data), ack=syn.seq + 2 + len(octets))
    mine.run(30 * SECOND)
    world.run(60 * SECOND)
    assert mine.over()


@pytest.mark.parametrize("how", ["refused", "silent"])
def test_tcp_that_does_not_work_is_no_answer(world: World, family: int, how: str) -> None:
    mine = llmnr(world, family)
    asking = mine.ask("beta")
    one = mine.first()
    mine.tells(one, tc=1)
    syn = mine.peer.sees(SYN)
    if how == "refused":
        mine.peer.sport = 5355
        mine.peer.dport = int.from_bytes(syn.pkt.frame[syn.pkt.l4 : syn.pkt.l4 + 2], "big")
        mine.peer.sends(4 | ACK, seq=0, ack=syn.seq + 1)
    mine.run(10 * SECOND)
    assert asking.result == "NO_NAME"
    assert mine.over()


def test_a_lookup_that_is_given_up(world: World, family: int) -> None:
    for port in (5355, 5353):
        mine = AskingScene(world, family, port)
        asking = mine.ask("beta" if port == 5355 else "beta.local")
        mine.run(50 * MS)
        assert mine.stack.resolver.cancel(asking)
        mine.run(SECOND)
        assert asking.ends == []
        assert mine.over()


# mDNS: one-shot queries (RFC 6762 5.1).


def test_a_one_shot_query(world: World, family: int) -> None:
    mine = mdns(world, family)
    began = world.now
    asking = mine.ask("beta.local")
    mine.run(10 * SECOND)
    heard = mine.heard()
    assert [one.when - began for one in heard] == [0, SECOND, 3 * SECOND]
    for one in heard:
        assert (one.dst, one.dport, one.hops) == (mine.group, 5353, 255)
        assert one.sport >= 49152
        assert one.wire[2:12] == b"\0\0\0\1\0\0\0\0\0\0"
        assert one.question == ("beta.local.", 1)
        assert one.dns.qd[0].unicastresponse == 0
    assert asking.result == "NO_NAME"
    assert asking.when == 4 * SECOND
    assert mine.over()


@pytest.mark.parametrize("repeats", [True, False])
def test_the_answer_to_a_one_shot_query(world: World, family: int, repeats: bool) -> None:
    mine = mdns(world, family)
    asking = mine.ask("beta.local")
    one = mine.first()
    if repeats:
        mine.tells(one, is_at("beta.local.", "10.77.0.5", 10))
    else:
        answer = response(record("beta.local.", "A", "10.77.0.5", flush=1))
        answer.id = one.dns.id
        mine.says(answer, dst=one.src, dport=one.sport)
    assert asking.addresses == ["10.77.0.5"]
    assert mine.over()


@pytest.mark.parametrize("what", ["id", "port", "far", "rcode", "other", "other name", "query"])
def test_what_is_no_answer_to_a_one_shot_query(world: World, family: int, what: str) -> None:
    mine = mdns(world, family)
    asking = mine.ask("beta.local")
    one = mine.first()
    answer = response(
        record("x.local." if what == "other name" else "beta.local.", "A", "10.77.0.5")
    )
    answer.id = one.dns.id ^ (what == "id")
    if what == "rcode":
        answer.rcode = 3
    elif what == "query":
        answer.qr = 0
    elif what == "other":
        answer.qd = [DNSQR(qname="x.local.", qtype=1)]
    far = {addr.V4: "192.0.2.9", addr.V6: "2001:db8::9"}[family] if what == "far" else ""
    mine.says(answer, dst=one.src, sport=5354 if what == "port" else 5353, dport=one.sport, src=far)
    mine.run(5 * SECOND)
    assert asking.result == "NO_NAME"
    assert asking.when == 4 * SECOND
    assert mine.over()


def test_nsec_ends_it_at_once(world: World, family: int) -> None:
    mine = mdns(world, family)
    asking = mine.ask("beta.local", addr.V6)
    nsec = DNSRRNSEC(rrname="beta.local.", nextname="beta.local.", typebitmaps=[1])
    mine.tells(mine.first(), ns=[nsec])
    assert asking.result == "NO_NAME"


def test_an_empty_answer_over_one_family_does_not_end_it(world: World) -> None:
    """A responder may know one family over each: the other one is waited for."""
    for port, name in ((5355, "beta"), (5353, "beta.local")):
        mine = AskingScene(world, addr.V4, port)
        asking = mine.ask(name, addr.V6)
        first = mine.first()
        mine.tells(first)
        assert asking.ends == []
        mine.peer.family = mine.family = addr.V6
        mine.run(100 * MS)
        made: Any = LLMNRResponse if port == 5355 else DNS
        answer = made(
            id=first.dns.id, qr=1, qd=list(first.dns.qd), an=[is_at(f"{name}.", "fd77::5")]
        )
        mine.says(answer, dst="fe80::ff:fe00:1", dport=first.sport, src="fe80::5")
        if not asking.ends:
            mine.says(answer, dst="fd77::1", dport=first.sport, src="fd77::5")
        assert asking.addresses == ["fd77::5"]
        world = World(2)


def test_an_alias_on_the_link(world: World, family: int) -> None:
    mine = llmnr(world, family)
    asking = mine.ask("beta")
    alias = DNSRR(rrname="beta.", type="CNAME", rdata="gamma.", ttl=30)
    mine.tells(mine.first(), alias, is_at("gamma.", "10.77.0.5"))
    assert asking.addresses == ["10.77.0.5"]
    assert asking.found is not None
    assert asking.found.canonical == "gamma"


@pytest.mark.parametrize("target", ["gamma.", "www.example."])
def test_an_alias_without_its_end_leads_nowhere(world: World, family: int, target: str) -> None:
    """What the link says is not carried on to it again, or to the DNS."""
    mine = llmnr(world, family)
    asking = mine.ask("beta")
    mine.tells(mine.first(), DNSRR(rrname="beta.", type="CNAME", rdata=target, ttl=30))
    mine.run(2 * SECOND)
    assert asking.result == "NO_NAME"
    assert mine.heard() == []


def test_switching_forgets_what_was_heard(world: World, family: int) -> None:
    mine = llmnr(world, family)
    asking = mine.ask("beta")
    mine.tells(mine.first(), is_at("beta.", "10.77.0.5"))
    assert asking.addresses == ["10.77.0.5"]
    assert mine.links.switch_llmnr(False) == 0
    assert mine.ask("beta").result == "NO_NAME"
    assert mine.links.switch_llmnr(True) == 0
    assert mine.ask("beta").ends == []
    mine.run(SECOND)


@given(st.data())
def test_any_response_ends_in_an_answer(drawn: st.DataObject) -> None:
    port = int(drawn.draw(st.sampled_from([5355, 5353])))
    mine = AskingScene(World(1), addr.V4, port)
    name = "beta" if port == 5355 else "beta.local"
    asking = mine.ask(name)
    one = mine.first()
    for _ in range(drawn.draw(st.integers(0, 4))):
        wire = bytearray(
            bytes(DNS(id=one.dns.id, qr=1, qd=list(one.dns.qd), an=[is_at(name + ".", "10.0.0.1")]))
        )
        for _ in range(drawn.draw(st.integers(0, 4))):
            at = drawn.draw(st.integers(2, len(wire) - 1))
            wire[at] = drawn.draw(st.integers(0, 255))
        src = drawn.draw(st.sampled_from(["", "10.77.0.7", "10.77.0.8"]))
        mine.says(bytes(wire), dst=one.src, sport=port, dport=one.sport, src=src)
    mine.run(20 * SECOND)
    assert asking.result in ("OK", "NO_NAME", "SERVER_FAILED")
    mine.world.run(120 * SECOND)
    assert mine.over()
