# SPDX-License-Identifier: MIT
"""Every state against every kind of segment, call and time-out.

No assertion of the stack fails, no exception leaves it, every request is answered once, and
when the user is gone and time has passed, nothing is left: no connection, no timer, no work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.base import addr
from stack.base.status import PENDING
from stack.base.units import MS, SECOND
from stack.tcp.names import (
    CLOSE_WAIT,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LAST_ACK,
    STATE_NAMES,
    SYN_RECEIVED,
    SYN_SENT,
    TIME_WAIT,
)
from stack.transport.seam import OPTION_NODELAY, SEND_NODELAY
from stack.wire.tcp import ACK, FIN, SYN
from tests.harness import Host, Peer, World, quiet
from tests.tcp.users import Acceptor, User, connect, serve


class Stage:
    """One connection and what its two ends know."""

    def __init__(self, family: int, seed: int, options: dict[str, Any]) -> None:
        self.world = World(seed)
        self.host: Host
        self.peer: Peer
        self.host, self.peer = self.world.host(quiet())
        self.peer.family = family
        self.options = options
        self.acceptor: Acceptor = serve(self.host)
        self.active: User | None = None
        self.tokens: Counter[object] = Counter()
        self.nxt = 100  # the peer's next sequence number
        self.una = 0  # the stack's next one, as the peer knows it

    @property
    def users(self) -> list[User]:
        found = list(self.acceptor.users)
        if self.active is not None:
            found.append(self.active)
        return found

    def opens(self) -> None:
        self.una = self.peer.handshake(seq=self.nxt, **self.options).seq + 1
        self.nxt += 1

    def connects(self) -> None:
        self.active = connect(self.host, self.peer.mine, 4000)
        self.world.run(0)
        self.peer.received()
        name = self.active.stream.local_name()
        assert name is not None
        self.peer.dport, self.peer.sport = name.port, 4000
        self.una = self.peer.sees(SYN).seq + 1

    def says(self, flags: int) -> None:
        self.peer.sends(flags, seq=self.nxt, ack=self.una, ts=self.usual_ts)

    def closes(self) -> None:
        for user in self.users:
            self.asks("bye", user.stream.disconnect("bye"))
        self.world.run(0)

    def asks(self, token: object, answer: int) -> None:
        if answer == PENDING:
            self.tokens[token] += 1

    @property
    def usual_ts(self) -> tuple[int, int] | None:
        return (2, 0) if "ts" in self.options else None

    def state(self) -> int:
        tcbs = self.host.stack.tcp.connections()
        return tcbs[0].state if tcbs else TIME_WAIT


def syn_received(stage: Stage) -> None:
    stage.peer.sends(SYN, seq=stage.nxt, **stage.options)
    stage.una = stage.peer.sees(SYN | ACK).seq + 1
    stage.nxt += 1


def crossed(stage: Stage) -> None:
    """SYN-RECEIVED by a simultaneous open."""
    stage.connects()
    stage.peer.sends(SYN, seq=stage.nxt, **stage.options)
    stage.nxt += 1


def fin_wait_1(stage: Stage) -> None:
    stage.opens()
    stage.closes()


def fin_wait_2(stage: Stage) -> None:
    fin_wait_1(stage)
    stage.una += 1
    stage.says(ACK)


def closing(stage: Stage) -> None:
    fin_wait_1(stage)
    stage.says(ACK | FIN)
    stage.nxt += 1


def time_wait(stage: Stage) -> None:
    fin_wait_2(stage)
    stage.says(ACK | FIN)
    stage.nxt += 1


def close_wait(stage: Stage) -> None:
    stage.opens()
    stage.says(ACK | FIN)
    stage.nxt += 1


def last_ack(stage: Stage) -> None:
    close_wait(stage)
    stage.closes()


ROADS: dict[str, tuple[int, Callable[[Stage], None]]] = {
    "syn-sent": (SYN_SENT, Stage.connects),
    "syn-received": (SYN_RECEIVED, syn_received),
    "syn-received-crossed": (SYN_RECEIVED, crossed),
    "established": (ESTABLISHED, Stage.opens),
    "fin-wait-1": (FIN_WAIT_1, fin_wait_1),
    "fin-wait-2": (FIN_WAIT_2, fin_wait_2),
    "closing": (CLOSING, closing),
    "time-wait": (TIME_WAIT, time_wait),
    "close-wait": (CLOSE_WAIT, close_wait),
    "last-ack": (LAST_ACK, last_ack),
}

USUAL = (-1, -1)  # as the connection agreed on
near = st.sampled_from((0, 0, 0, 1, -1, 2, 500, 1000, -1000, 65535, -65535, 2**31, 2**31 - 1))
segments = st.fixed_dictionaries(
    {
        "flags": st.integers(0, 63) | st.sampled_from((ACK, ACK | FIN, SYN | ACK)),
        "seq": near,
        "ack": near,
        "size": st.sampled_from((0, 0, 1, 100, 1000)),
        "win": st.sampled_from((0, 1, 1000, 65535)),
        "up": st.sampled_from((0, 1, 65535)),
        "ts": st.sampled_from((USUAL, USUAL, None, (1, 0), (2**32 - 1, 2**32 - 1), (1000, 1000))),
        "sacks": st.sampled_from((None, [(0, 500)], [(500, 1000), (-5, 5)], [(9, 3)])),
        "takes": st.booleans(),
    }
)
calls = st.sampled_from(
    ("send", "send now", "disconnect", "abort", "close", "resume", "stop", "cancel", "nodelay")
)
pauses = st.sampled_from((0, MS, 40 * MS, SECOND, 10 * SECOND, 130 * SECOND))
deeds = st.one_of(segments, segments, calls, pauses)


def segment(stage: Stage, what: dict[str, object]) -> None:
    how = {name: what[name] for name in ("win", "up", "ts")}
    size = what["size"]
    assert isinstance(size, int)
    assert isinstance(what["flags"], int)
    if how["ts"] == USUAL:
        how["ts"] = stage.usual_ts
    seq = stage.nxt + what["seq"]  # type: ignore[operator]
    sacks = what["sacks"]
    if sacks is not None:
        how["sacks"] = [(stage.una + a, stage.una + b) for a, b in sacks]  # type: ignore[attr-defined]
    stage.peer.sends(
        what["flags"],
        seq=seq,
        ack=(stage.una + what["ack"]) & 0xFFFFFFFF,  # type: ignore[operator]
        data=bytes(size),
        **how,
    )
    if what["takes"] and what["seq"] == 0:
        stage.nxt += size + (what["flags"] & FIN > 0)
    last = [seen.seg for seen in stage.peer.received() if seen.seg is not None]
    if last and what["takes"]:
        stage.una = (last[-1].seq + last[-1].length) & 0xFFFFFFFF
    stage.peer.inbox.clear()


def call(stage: Stage, number: int, what: str) -> None:
    for user in stage.users:
        stream = user.stream
        if what.startswith("send"):
            flags = SEND_NODELAY if what == "send now" else 0
            stage.asks(number, user.send(bytes(1500), number, flags))
        elif what == "disconnect":
            stage.asks(number, stream.disconnect(number))
        elif what == "abort":
            stream.abort()
        elif what == "close":
            stream.close()
        elif what == "resume":
            user.limit = 1 << 62
            stream.resume()
        elif what == "stop":
            user.limit = 10
        elif what == "cancel":
            stream.cancel(number - 1)
        else:
            stream.set_option(OPTION_NODELAY, 1)
    stage.world.run(0)


@pytest.mark.parametrize("road", ROADS)
@settings(max_examples=150)
@given(
    st.sampled_from((addr.V4, addr.V6)),
    st.sampled_from(({}, {"ts": (1, 0), "sack_ok": True, "wscale": 14, "mss": 536})),
    st.lists(deeds, max_size=12),
)
def test_nothing_breaks_and_nothing_is_left(
    road: str, family: int, options: dict[str, Any], plan: list[object]
) -> None:
    state, way = ROADS[road]
    stage = Stage(family, 1, options)
    if road in ("syn-sent", "syn-received-crossed"):
        stage.tokens["connect"] += 1
    way(stage)
    assert STATE_NAMES[stage.state()] == STATE_NAMES[state]
    for number, deed in enumerate(plan):
        if isinstance(deed, dict):
            segment(stage, deed)
        elif isinstance(deed, str):
            call(stage, number, deed)
        else:
            assert isinstance(deed, int)
            stage.world.run(deed)
    for user in stage.users:
        user.stream.abort()
    stage.world.run(0)
    for user in stage.users:
        user.stream.close()
    stage.world.run(40 * 60 * SECOND)
    assert stage.host.stack.tcp.connections() == []
    assert len(stage.host.stack.tcp.time_wait) == 0
    assert stage.host.tcp_timers() == []
    assert not stage.host.stack.busy()
    answered: Counter[object] = Counter()
    for user in stage.users:
        for event in user.events:
            if isinstance(event, tuple) and len(event) == 3:
                answered[event[0]] += 1
    assert all(times == stage.tokens[token] for token, times in answered.items())
    if not {"close", "cancel"} & {deed for deed in plan if isinstance(deed, str)}:
        # A user who closes or cancels is told nothing more.
        assert answered == stage.tokens
