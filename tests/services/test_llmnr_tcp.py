# SPDX-License-Identifier: MIT
"""LLMNR by TCP (RFC 4795 2.4, 2.5)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR, DNSRROPT
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.layers.llmnr import LLMNRQuery, LLMNRResponse

from stack.base import addr
from stack.base.units import MS, SECOND
from stack.transport.seam import OPTION_HOP_LIMIT
from stack.wire.tcp import ACK, FIN, SYN
from tests.harness import World
from tests.services.llmnrscene import (
    NAME,
    LlmnrScene,
    Session,
    ask,
    scene,
    settled,
)


def tcp_hops(mine: LlmnrScene) -> set[int]:
    hops = set()
    for _, frame in mine.stamped.frames:
        packet = Ether(frame)
        if TCP in packet:
            hops.add(packet[IP].ttl if IP in packet else packet[IPv6].hlim)
    return hops


def test_a_query_by_tcp(world: World, family: int) -> None:
    mine = settled(world, family)
    session = Session(mine)
    for kind in (255, 15):
        session.ask(ask(kind=kind, ident=kind))
        octets, _ = session.answer()
        assert int.from_bytes(octets[:2], "big") == len(octets) - 2
        reply: Any = LLMNRResponse(octets[2:])
        assert (reply.id, reply.qr, reply.tc, reply.rcode) == (kind, 1, 0, 0)
        assert reply.ancount == (3 if kind == 255 else 0)
    assert tcp_hops(mine) == {1}
    assert mine.counters.queries_tcp == mine.counters.answers == 2
    session.send(b"", FIN)
    session.seq += 1
    assert session.answer()[1] & FIN
    mine.peer.sends(ACK, seq=session.seq, ack=session.next + 1)
    assert mine.stack.tcp.connections() == []


def test_a_query_by_tcp_may_come_in_pieces(world: World, family: int) -> None:
    mine = settled(world, family)
    session = Session(mine)
    wire = bytes(ask())
    whole = len(wire).to_bytes(2, "big") + wire
    for octet in whole[:-1]:
        session.send(bytes((octet,)))
    assert session.answer()[0] == b""
    session.send(whole[-1:] + whole)
    assert session.answer()[0].count(b"\x05alpha") == 2


@pytest.mark.parametrize("what", ["other", "malformed", "response", "c", "long", "two"])
def test_a_query_by_tcp_that_is_not_answered_ends_the_connection(
    world: World, family: int, what: str
) -> None:
    mine = settled(world, family)
    session = Session(mine)
    message: Any = {
        "other": ask("beta."),
        "malformed": b"xyz",
        "response": LLMNRResponse(id=1, qd=[DNSQR(qname=NAME)]),
        "c": ask(c=1),
        "two": LLMNRQuery(id=7, qd=[DNSQR(qname=NAME), DNSQR(qname=NAME)]),
        "long": b"x",
    }[what]
    if what == "long":
        session.send(b"\xff\xff")
    else:
        session.ask(message)
    octets, flags = session.answer()
    assert octets == b""
    assert flags & FIN
    world.run(20 * SECOND)
    assert mine.stack.tcp.connections() == []


def test_an_error_has_its_code_by_tcp(world: World, family: int) -> None:
    mine = settled(world, family)
    session = Session(mine)
    session.ask(ask(ar=[DNSRROPT(rclass=1232, z=0, version=1)]))
    reply: Any = DNS(session.answer()[0][2:])
    assert (reply.ancount, reply.ar[0].extrcode, reply.rcode) == (0, 1, 0)  # 16, BADVERS


def test_connections_are_few_and_short(world: World, family: int) -> None:
    mine = settled(world, family)
    for number in range(16):
        Session(mine, 41000 + number)
    assert len(mine.stack.tcp.connections()) == 16
    peer = mine.peer
    peer.sport = 42000
    peer.handshake(seq=100)
    mine.run(100 * MS)
    assert len(mine.stack.tcp.connections()) == 16
    mine.run(5 * SECOND)
    assert mine.stack.tcp.connections() == []


def test_nobody_beyond_the_link_is_served_by_tcp(world: World, family: int) -> None:
    """His handshake ends with a reset, if he has ever heard our SYN-ACK with its hop limit of 1."""
    mine = settled(world, family)
    gateway = addr.text(mine.peer.mine)
    mine.stack.add_route("0.0.0.0" if family == addr.V4 else "::", 0, mine.host.nic, gateway)
    far = addr.parse("192.0.2.9" if family == addr.V4 else "2001:db8::9")
    peer = mine.peer

    def sends(flags: int, seq: int, ack: int = 0) -> None:
        bare = peer.segment(flags, seq, ack, sport=40000, dport=5355)
        bare = bare[:16] + b"\0\0" + bare[18:]
        peer.packet(6, peer.checked(6, bare, 16, far, mine.host.address(family)), src=far)
        world.run(0)

    sends(SYN, 100)
    synack = peer.sees(SYN | ACK)
    assert tcp_hops(mine) == {1}
    sends(ACK, 101, synack.seq + 1)
    mine.run(100 * MS)
    assert mine.stack.tcp.connections() == []
    assert mine.counters.queries_tcp == 0


def test_the_hop_limit_of_a_listener(world: World, family: int) -> None:
    """What LLMNR needs of TCP, cookies and resets included."""
    mine = scene(world, family, llmnr=False, tcp_backlog=1)
    listener = mine.host.listener()
    assert listener.set_option(OPTION_HOP_LIMIT, 256) != 0
    assert listener.set_option(OPTION_HOP_LIMIT, 1) == 0
    assert listener.bind(b"", 80, 0) == 0
    for number in range(3):
        mine.peer.sport = 40000 + number
        mine.peer.sends(SYN, seq=100)
        mine.peer.sees(SYN | ACK)
    assert tcp_hops(mine) == {1}


@given(st.lists(st.binary(max_size=60), max_size=4), st.booleans())
def test_any_octets_by_tcp_are_survived(octets: list[bytes], framed: bool) -> None:
    mine = settled(World(1), addr.V4)
    session = Session(mine)
    for one in octets:
        session.send(len(one).to_bytes(2, "big") + one if framed else one)
        session.answer()
    mine.run(10 * SECOND)
    assert mine.stack.tcp.connections() == []
    assert len(mine.asks(ask())) == 1
