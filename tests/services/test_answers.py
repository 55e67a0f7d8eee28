# SPDX-License-Identifier: MIT
"""Answers nobody should believe (RFC 5452), and octets that are no answers at all."""

from __future__ import annotations

import dns.message
import dns.name
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack.base import addr, status
from stack.base.units import MS, SECOND
from stack.services import dns_message
from stack.services.exchange import GUESSES
from tests.harness import World
from tests.services.nameserver import Query, Scene

WWW = {("www.example", "A"): ["192.0.2.1"]}
FORGED = "192.0.2.66"


def forged(scene: Scene, query: Query, name: str = "www.example", kind: str = "A") -> bytearray:
    """What a liar would send, in everything else like the true answer."""
    other = dns.message.make_query(name, kind, id=query.message.id, use_edns=0)
    lie = Query(other.to_wire(), "udp", 0)
    zone, scene.server.zone = scene.server.zone, {(name, kind): [FORGED]}
    if kind != "A":
        scene.server.zone = {(name, kind): ["2001:db8::66"]}
    wire = bytearray(scene.server.usual(lie))
    scene.server.zone = zone
    return wire


@pytest.mark.parametrize("wrong", ["id", "name", "type", "class", "query", "opcode", "two"])
def test_an_answer_that_does_not_fit(world: World, family: int, wrong: str) -> None:
    scene = Scene(world, family, WWW)

    def answer(query: Query) -> list[bytes]:
        name = "xww.example" if wrong == "name" else "www.example"
        lie = forged(scene, query, name, "AAAA" if wrong == "type" else "A")
        if wrong == "id":
            lie[1] ^= 1
        elif wrong == "class":
            lie[28] = 3
        elif wrong == "query":
            lie[2] &= 0x7F
        elif wrong == "opcode":
            lie[2] |= 0x10
        elif wrong == "two":
            lie[5] = 2
        return [bytes(lie), scene.server.usual(query)]

    scene.server.answer = answer
    assert scene.find("www.example", addr.V4).addresses == ["192.0.2.1"]
    counted = scene.counted()
    assert counted.get("mismatched", 0) + counted.get("malformed", 0) == 1
    assert scene.nothing_is_left()


def test_an_answer_that_fits_but_for_where_it_is_from(world: World, family: int) -> None:
    """From another port of the server, and from another address."""
    scene = Scene(world, family, WWW)
    other = scene.host  # this host has addresses the server has not
    liar = scene.server.host.datagram()
    assert liar.bind(b"", 5353, 0) == status.OK
    inside = other.datagram()
    assert inside.bind(b"", 53, 0) == status.OK
    target = scene.host.address(family)

    def answer(query: Query) -> list[bytes]:
        lie = bytes(forged(scene, query))
        assert liar.send((lie,), len(lie), target, query.port, 0) == status.OK
        assert inside.send((lie,), len(lie), target, query.port, 0) == status.OK
        return []

    scene.server.answer = answer
    asking = scene.ask("www.example", addr.V4)
    world.run(500 * MS)
    assert asking.ends == []
    assert scene.counted()["mismatched"] == 2
    scene.server.answer = lambda query: [scene.server.usual(query)]
    world.run(SECOND)
    assert asking.addresses == ["192.0.2.1"]
    inside.close()
    assert scene.nothing_is_left()


def test_guessing_ends_in_tcp(world: World, family: int) -> None:
    scene = Scene(world, family, WWW)

    def answer(query: Query) -> list[bytes]:
        if query.by == "tcp":
            return [scene.server.usual(query)]
        lie = forged(scene, query)
        return [bytes((i, i)) + bytes(lie[2:]) for i in range(GUESSES + 30)]

    scene.server.answer = answer
    asking = scene.find("www.example", addr.V4)
    assert asking.addresses == ["192.0.2.1"]
    assert asking.when < 100 * MS
    assert [query.by for query in scene.server.asked] == ["udp", "tcp"]


def test_an_answer_counts_once(world: World) -> None:
    scene = Scene(world, zone=WWW)
    scene.server.answer = lambda query: [scene.server.usual(query)] * 3
    assert scene.find("www.example", addr.V4).addresses == ["192.0.2.1"]
    assert scene.counted() == {"lookups": 1, "queries_udp": 1, "replies": 1}


def test_case_does_not_matter(world: World) -> None:
    scene = Scene(world, zone=WWW)

    def shouting(query: Query) -> list[bytes]:
        return [scene.server.usual(query).replace(b"\x03www", b"\x03WwW")]

    scene.server.answer = shouting
    assert scene.find("www.EXAMPLE", addr.V4).addresses == ["192.0.2.1"]


# Octets.


def sample() -> bytes:
    query = dns.message.make_query("www.example", "A", id=1, use_edns=0)
    reply = dns.message.make_response(query, recursion_available=True)
    text = "www.example. 300 IN CNAME b.example.\nb.example. 300 IN A 192.0.2.1"
    reply.answer = dns.message.from_text(
        f"id 1\nopcode QUERY\nrcode NOERROR\nflags QR\n;ANSWER\n{text}\n"
    ).answer
    return reply.to_wire()


def test_what_is_read() -> None:
    reply = dns_message.read(sample())
    assert reply is not None
    assert (reply.ident, reply.name, reply.type, reply.code) == (1, "www.example", 1, 0)
    assert [(r.owner, r.ttl, r.value) for r in reply.answers] == [
        ("www.example", 300 * SECOND, "b.example"),
        ("b.example", 300 * SECOND, b"\xc0\x00\x02\x01"),
    ]


@pytest.mark.parametrize("ttl", [0x80000000, 0xFFFFFFFF])
def test_a_lifetime_with_its_highest_bit_is_none(ttl: int) -> None:
    wire = sample().replace((300).to_bytes(4, "big"), ttl.to_bytes(4, "big"))
    reply = dns_message.read(wire)
    assert reply is not None
    assert [record.ttl for record in reply.answers] == [0, 0]


@pytest.mark.parametrize("wrong", ["cut", "long address", "long name", "one octet less"])
def test_data_that_are_not_as_long_as_they_say(wrong: str) -> None:
    """The alias's 4 octets begin behind its header, the address is what the answers end with."""
    wire = bytearray(sample()[:-11])  # without the OPT record
    wire[10:12] = bytes(2)
    assert dns_message.read(bytes(wire)) is not None
    if wrong == "cut":
        del wire[-2:]
    elif wrong == "long address":
        wire[-5] += 1
        wire += b"x"
    elif wrong == "long name":
        at = wire.index((300).to_bytes(4, "big")) + 5
        wire[at] += 1
        wire.insert(at + 1 + wire[at] - 1, 0)
    else:
        wire[-5] -= 1
    assert dns_message.read(bytes(wire)) is None


def test_more_records_than_anybody_needs_are_not_looked_at() -> None:
    one = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x01\x2c\x00\x04"
    body = b"".join(one + number.to_bytes(4, "big") for number in range(3000))
    head = sample()[:6] + (3000).to_bytes(2, "big") + bytes(4)
    reply = dns_message.read(head + sample()[12:29] + body)
    assert reply is not None
    assert len(reply.answers) == dns_message.RECORDS


@given(st.binary(max_size=600))
def test_any_octets_are_read_or_refused(wire: bytes) -> None:
    reply = dns_message.read(wire)
    assert reply is None or reply.ident == int.from_bytes(wire[:2], "big")


@given(st.data())
def test_any_change_to_an_answer_is_read_or_refused(data: st.DataObject) -> None:
    wire = bytearray(sample())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(wire) - 1))
        wire[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(wire)))
    reply = dns_message.read(bytes(wire[:cut]))
    assert reply is None or len(reply.answers) <= dns_message.RECORDS


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=5), st.booleans(), st.booleans())
def test_any_octets_from_a_server_end_in_an_answer(
    junk: list[bytes], headed: bool, by_tcp: bool
) -> None:
    """By UDP and by TCP, with or without a header that fits: the lookup ends, nothing raises."""
    scene = Scene(World(1), zone=WWW, dns_attempts=1)

    def answer(query: Query) -> list[bytes]:
        head = query.wire[:2] + b"\x81\x80\x00\x01" + query.wire[6:12] if headed else b""
        if by_tcp and query.by == "udp":
            return [scene.server.usual(query, truncated=True)]
        return [head + octets for octets in junk]

    scene.server.answer = answer
    asking = scene.find("www.example")
    assert asking.result in ("OK", "NO_NAME", "TIMED_OUT", "SERVER_FAILED")
    scene.world.run(70 * SECOND)
    assert scene.nothing_is_left()


names = st.lists(
    st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=63),
    min_size=1,
    max_size=3,
).map(".".join)


@given(names, st.sampled_from(["A", "AAAA", "PTR"]), st.integers(0, 0xFFFF))
def test_queries_say_what_they_are_told(name: str, kind: str, ident: int) -> None:
    value = dns.rdatatype.from_text(kind)
    message = dns.message.from_wire(dns_message.query(ident, name, value, 1232))
    (question,) = message.question
    assert message.id == ident
    assert (question.name, question.rdtype) == (dns.name.from_text(name), value)
