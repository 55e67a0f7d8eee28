# SPDX-License-Identifier: MIT
"""SYNs that wait for the user's word (wsk.md 3.5): judged before anything is answered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack.base import addr
from stack.base.status import OK, PENDING, STATE
from stack.base.units import SECOND
from stack.transport.options import Name
from stack.transport.seam import (
    INSPECT_ACCEPT,
    INSPECT_PEND,
    INSPECT_REJECT,
    OPTION_FAST_OPEN,
    OPTION_INSPECT,
    SHARE_REUSE,
    Listener,
)
from stack.wire import tcp
from stack.wire.tcp import ACK, PSH, RST, SYN
from tests.harness import Host, Peer, World, quiet
from tests.tcp.users import Acceptor


class Judge(Acceptor):
    """Answers as it was told to, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = INSPECT_ACCEPT
        self.asked: list[tuple[int, Name, Name]] = []
        self.gone: list[int] = []

    def inspect(self, ticket: int, local: Name, remote: Name) -> int:
        self.asked.append((ticket, local, remote))
        return self.answer

    def dropped(self, ticket: int) -> None:
        self.gone.append(ticket)


class Gate:
    """A host with an inspecting listener on port 80, and a peer."""

    def __init__(self, world: World, family: int, answer: int, **settings: object) -> None:
        self.world = world
        self.host: Host
        self.peer: Peer
        self.host, self.peer = world.host(quiet(**settings))
        self.peer.family = family
        self.judge = Judge()
        self.judge.answer = answer
        self.listener: Listener = self.host.listener()
        self.listener.attach(self.judge)
        assert self.listener.set_option(OPTION_INSPECT, 1) == OK
        assert self.listener.bind(b"", 80, 0) == OK

    @property
    def ticket(self) -> int:
        return self.judge.asked[-1][0]

    def decide(self, accept: bool) -> bool:
        found = self.listener.decide(self.ticket, accept)
        self.world.run(0)
        return found


def test_accepted_at_once(world: World, family: int) -> None:
    gate = Gate(world, family, INSPECT_ACCEPT)
    gate.peer.handshake()
    ((ticket, local, remote),) = gate.judge.asked
    assert (local.address, local.port) == (gate.peer.theirs, 80)
    assert (remote.address, remote.port) == (gate.peer.mine, gate.peer.sport)
    (user,) = gate.judge.users
    assert user.stream.ticket() == ticket
    gate.peer.sends(RST, seq=101)
    assert gate.judge.gone == []  # the connection was delivered


def test_rejected_is_a_reset(world: World, family: int) -> None:
    gate = Gate(world, family, INSPECT_REJECT)
    gate.peer.sends(SYN, seq=100)
    gate.peer.sees(RST | ACK, ack=101)
    assert not gate.decide(True)
    gate.peer.sees_nothing(10 * SECOND)
    assert (gate.judge.gone, gate.judge.users) == ([], [])
    assert gate.host.stack.tcp.connections() == []


@pytest.mark.parametrize("accept", [True, False])
def test_pended_and_decided_later(world: World, family: int, accept: bool) -> None:
    gate = Gate(world, family, INSPECT_PEND)
    gate.peer.sends(SYN, seq=100, mss=1000, ts=(7, 0))
    gate.peer.sees_nothing(SECOND)
    assert gate.host.stack.tcp.connections() == []
    assert gate.decide(accept)
    if not accept:
        gate.peer.sees(RST | ACK, ack=101)
    else:
        synack = gate.peer.sees(SYN | ACK, ack=101, ts_ecr=7)
        gate.peer.sends(ACK, seq=101, ack=synack.seq + 1, ts=(8, synack.ts_val))
        assert gate.judge.users[0].stream.ticket() == gate.ticket
    assert not gate.decide(accept)
    assert gate.judge.gone == []


def test_a_repeated_syn_is_asked_about_once_and_answered_freshly(world: World, family: int) -> None:
    gate = Gate(world, family, INSPECT_PEND)
    for stamp in (10, 1010, 3010):
        gate.peer.sends(SYN, seq=100, ts=(stamp, 0))
        gate.peer.sees_nothing(SECOND)
    assert len(gate.judge.asked) == 1
    gate.decide(True)
    gate.peer.sees(SYN | ACK, ack=101, ts_ecr=3010)


def test_a_peer_that_begins_anew(world: World, family: int) -> None:
    gate = Gate(world, family, INSPECT_PEND)
    gate.peer.sends(SYN, seq=100)
    gate.peer.sends(SYN, seq=5000)
    first, second = (ticket for ticket, _, _ in gate.judge.asked)
    assert gate.judge.gone == [first]
    assert not gate.listener.decide(first, True)
    assert gate.listener.decide(second, True)
    world.run(0)
    gate.peer.sees(SYN | ACK, ack=5001)


def test_a_reset_takes_a_pended_syn_back(world: World, family: int) -> None:
    gate = Gate(world, family, INSPECT_PEND)
    gate.peer.sends(SYN, seq=100)
    gate.peer.sends(RST, seq=300)  # a guess
    assert gate.judge.gone == []
    gate.peer.sends(RST, seq=101)
    assert gate.judge.gone == [gate.ticket]
    assert not gate.decide(True)
    gate.peer.sees_nothing(SECOND)


def test_silence_takes_it_back_too(world: World, family: int) -> None:
    gate = Gate(world, family, INSPECT_PEND, tcp_pended_syn_time=60 * SECOND)
    gate.peer.sends(SYN, seq=100)
    world.run(40 * SECOND)
    gate.peer.sends(SYN, seq=100)
    gate.peer.sends(SYN, seq=100, sport=41_000)
    world.run(40 * SECOND)
    assert gate.judge.gone == []
    world.run(25 * SECOND)
    assert gate.judge.gone == [ticket for ticket, _, _ in gate.judge.asked]
    assert len(gate.judge.gone) == 2


def test_accepted_and_then_dropped(world: World, family: int) -> None:
    """In the handshake, and while it waits for somebody to take it."""
    gate = Gate(world, family, INSPECT_ACCEPT)
    gate.peer.sends(SYN, seq=100)
    gate.peer.sees(SYN | ACK)
    gate.peer.sends(RST, seq=101)
    assert gate.judge.gone == [gate.ticket]
    assert gate.judge.users == []


def test_established_and_dropped_before_anybody_took_it(world: World, family: int) -> None:
    gate = Gate(world, family, INSPECT_ACCEPT)
    gate.judge.accepted = lambda stream: None  # type: ignore[method-assign, assignment, return-value]
    gate.peer.handshake()
    gate.peer.sends(RST, seq=101)
    assert gate.judge.gone == [gate.ticket]
    assert gate.listener.accept() is None


def test_a_waiting_connection_keeps_its_ticket(world: World, family: int) -> None:
    gate = Gate(world, family, INSPECT_ACCEPT)
    gate.judge.accepted = lambda stream: None  # type: ignore[method-assign, assignment, return-value]
    gate.peer.handshake()
    stream = gate.listener.accept()
    assert stream is not None
    assert stream.ticket() == gate.ticket
    stream.abort()
    world.run(0)
    assert gate.judge.gone == []


def test_deciding_while_being_asked(world: World, family: int) -> None:
    gate = Gate(world, family, INSPECT_PEND)

    def at_once(ticket: int, local: Name, remote: Name) -> int:
        assert gate.listener.decide(ticket, True)
        return INSPECT_PEND

    gate.judge.inspect = at_once  # type: ignore[method-assign]
    gate.peer.handshake()
    assert len(gate.judge.users) == 1


def test_closing_refuses_who_waits(world: World, family: int) -> None:
    gate = Gate(world, family, INSPECT_PEND)
    gate.peer.sends(SYN, seq=100)
    gate.listener.close()
    gate.peer.sees(RST | ACK, ack=101)
    world.run(300 * SECOND)
    assert gate.judge.gone == []
    assert not gate.listener.decide(gate.ticket, True)


def test_closing_while_being_asked(world: World, family: int) -> None:
    gate = Gate(world, family, INSPECT_PEND)

    def leave(ticket: int, local: Name, remote: Name) -> int:
        gate.listener.close()
        return INSPECT_ACCEPT

    gate.judge.inspect = leave  # type: ignore[method-assign]
    gate.peer.sends(SYN, seq=100)
    gate.peer.sees(RST | ACK, ack=101)
    gate.peer.sees_nothing(SECOND)


def test_pended_syns_are_bounded(world: World, family: int) -> None:
    gate = Gate(world, family, INSPECT_PEND, tcp_pended_syns=3)
    for port in range(5):
        gate.peer.sends(SYN, seq=100, sport=50_000 + port)
    assert len(gate.judge.asked) == 3
    assert gate.host.drops()["tcp_backlog_full"] == 2
    gate.listener.decide(gate.judge.asked[0][0], False)
    gate.peer.sends(SYN, seq=100, sport=50_003)
    assert len(gate.judge.asked) == 4


def test_no_cookies_no_backlog_no_fast_open(world: World, family: int) -> None:
    gate = Gate(world, family, INSPECT_ACCEPT, tcp_backlog=1)
    assert gate.listener.set_option(OPTION_FAST_OPEN, 4) == OK
    cookie = gate.host.stack.tcp.fast_open.cookie(gate.peer.theirs, gate.peer.mine)
    option = tcp.fast_open_option(cookie)
    for port in range(4):
        sport = 50_000 + port
        gate.peer.sends(SYN | PSH, seq=100, sport=sport, options=option, data=b"early")
        gate.peer.sees(SYN | ACK, ack=101)
    assert len(gate.host.stack.tcp.connections()) == 4
    assert gate.judge.users == []


def test_no_room_for_who_was_accepted(world: World, family: int) -> None:
    gate = Gate(world, family, INSPECT_ACCEPT, tcp_connection_limit=1)
    gate.peer.handshake()
    gate.peer.sends(SYN, seq=100, sport=50_000)
    assert gate.judge.gone == [gate.ticket]
    assert gate.host.drops()["tcp_memory"] == 1


def test_inspection_is_settled_by_bind(world: World) -> None:
    gate = Gate(world, addr.V4, INSPECT_ACCEPT)
    assert gate.listener.set_option(OPTION_INSPECT, 0) == STATE
    other = gate.host.listener()
    other.attach(gate.judge)
    assert other.set_option(OPTION_INSPECT, 1) == OK
    assert other.set_option(OPTION_INSPECT, 0) == OK
    assert other.bind(b"", 81, 0) == OK
    gate.peer.sends(SYN, seq=1, dport=81)
    gate.peer.sees(SYN | ACK)
    assert gate.judge.asked == []
    assert not other.decide(1, True)


def test_a_connection_that_was_opened_from_here_meanwhile(world: World, family: int) -> None:
    """The peer's SYN waits, and our own to the same place has left: that one counts."""
    gate = Gate(world, family, INSPECT_PEND)
    gate.listener.close()
    gate.listener = gate.host.listener()
    gate.listener.attach(gate.judge)
    assert gate.listener.set_option(OPTION_INSPECT, 1) == OK
    assert gate.listener.bind(b"", 80, SHARE_REUSE) == OK
    gate.peer.sends(SYN, seq=100)
    stream = gate.host.stream()
    assert stream.bind(b"", 80, SHARE_REUSE) == OK
    assert stream.connect(gate.peer.mine, gate.peer.sport, 0, "connect") == PENDING
    world.run(0)
    (ours,) = gate.host.stack.tcp.connections()
    gate.peer.sees(SYN)
    assert gate.decide(True)
    assert gate.judge.gone == [gate.ticket]
    assert gate.host.stack.tcp.connections() == [ours]
    gate.peer.sees_nothing()


STEPS = st.tuples(
    st.sampled_from(("syn", "anew", "reset", "ack", "accept", "reject", "wait", "judge")),
    st.integers(0, 2),
)


@given(steps=st.lists(STEPS, max_size=25), family=st.sampled_from((addr.V4, addr.V6)))
def test_everybody_who_was_not_rejected_ends_once(
    steps: list[tuple[str, int]], family: int
) -> None:
    """As a connection or in `dropped`: never in both, never in neither."""
    world = World(seed=1)
    gate = Gate(world, family, INSPECT_PEND)
    peer, judge = gate.peer, gate.judge
    rejected: set[int] = set()
    numbers = [100, 200, 300]
    synacks: dict[int, int] = {}
    for what, which in steps:
        sport = 50_000 + which
        if what == "anew":
            numbers[which] += 10_000
        if what in ("syn", "anew"):
            peer.sends(SYN, seq=numbers[which], sport=sport)
        elif what == "reset":
            peer.sends(RST, seq=numbers[which] + 1, sport=sport)
        elif what == "ack" and which in synacks:
            peer.sends(ACK, seq=numbers[which] + 1, ack=synacks[which], sport=sport)
        elif what in ("accept", "reject") and judge.asked:
            ticket = judge.asked[-1 - which % len(judge.asked)][0]
            if gate.listener.decide(ticket, what == "accept") and what == "reject":
                rejected.add(ticket)
            world.run(0)
        elif what == "wait":
            world.run((50 + which * 50) * SECOND)
        elif what == "judge":
            judge.answer = (INSPECT_PEND, INSPECT_ACCEPT, INSPECT_PEND)[which]
        while (seen := peer.next_tcp()) is not None:
            assert seen.seg is not None
            if seen.seg.flags == SYN | ACK:
                port = int.from_bytes(seen.body[2:4], "big")
                synacks[port - 50_000] = seen.seg.seq + 1
    world.run(600 * SECOND)
    delivered = [user.stream.ticket() for user in judge.users]
    asked = [ticket for ticket, _, _ in judge.asked]
    assert sorted([*delivered, *judge.gone, *rejected]) == asked
