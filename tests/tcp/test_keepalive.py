# SPDX-License-Identifier: MIT
"""Keep-alive (RFC 9293 3.8.4): when it asks, what it sends, what it makes of silence."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from stack import Config
from stack.base.status import INVALID, OK
from stack.base.units import MS, SECOND
from stack.tcp.names import CLOSE_WAIT, ESTABLISHED, FIN_WAIT_2
from stack.transport.seam import (
    OPTION_KEEPALIVE,
    OPTION_KEEPALIVE_COUNT,
    OPTION_KEEPALIVE_INTERVAL,
    OPTION_KEEPALIVE_TIME,
)
from stack.wire.tcp import ACK, FIN, PSH
from tests.harness import World
from tests.tcp.scenes import Scene
from tests.tcp.users import connect

HOUR = 3600 * SECOND


def kept(world: World, family: int, **settings: object) -> Scene:
    """A connection with keep-alive on: after 100 s, every 10 s, three times."""
    times: dict[str, Any] = {
        "tcp_keepalive_time": 100 * SECOND,
        "tcp_keepalive_interval": 10 * SECOND,
        "tcp_keepalive_count": 3,
    }
    scene = Scene(world, family, **(times | settings))
    assert scene.user.stream.set_option(OPTION_KEEPALIVE, 1) == OK
    return scene


def test_off_by_default(world: World, family: int) -> None:
    """MUST-25."""
    scene = Scene(world, family)
    assert scene.host.tcp_timers() == []
    scene.sees_nothing(1000 * HOUR)
    assert scene.tcb.state == ESTABLISHED


def test_two_hours_by_default(world: World, family: int) -> None:
    """MUST-28."""
    assert Config().tcp_keepalive_time == 2 * HOUR
    scene = Scene(world, family)
    scene.user.stream.set_option(OPTION_KEEPALIVE, 1)
    scene.sees_nothing(2 * HOUR - SECOND)
    world.run(2 * SECOND)
    scene.sees(ACK, seq=-1)


def test_the_interval_is_configurable(world: World, family: int) -> None:
    """MUST-27, for the stack and for one connection."""
    scene = kept(world, family)
    scene.sees_nothing(99 * SECOND)
    world.run(2 * SECOND)
    scene.sees(ACK, seq=-1)
    scene.sends()
    assert scene.user.stream.set_option(OPTION_KEEPALIVE_TIME, 30 * SECOND) == OK
    scene.sees_nothing(29 * SECOND)
    world.run(2 * SECOND)
    scene.sees(ACK, seq=-1)


def test_on_and_off_for_one_connection(world: World, family: int) -> None:
    """MUST-24."""
    scene = kept(world, family)
    scene.user.stream.set_option(OPTION_KEEPALIVE, 0)
    assert scene.host.tcp_timers() == []
    scene.sees_nothing(HOUR)
    scene.user.stream.set_option(OPTION_KEEPALIVE, 1)
    world.run(101 * SECOND)
    scene.sees(ACK, seq=-1)


def test_an_answered_probe_starts_the_wait_anew(world: World, family: int) -> None:
    """The probe lies below the window, so the peer's TCP answers with an ACK."""
    scene = kept(world, family)
    for _ in range(5):
        scene.sees_nothing(99 * SECOND)
        world.run(1 * SECOND)
        scene.sees(ACK, seq=-1, ack=0, length=0)
        scene.sends()
    assert scene.tcb.state == ESTABLISHED
    assert scene.user.events == []


def test_a_probe_carries_no_data(world: World, family: int) -> None:
    """SHLD-12."""
    scene = kept(world, family)
    world.run(101 * SECOND)
    scene.sees(ACK, data=b"")


def test_a_probe_may_carry_one_octet_of_garbage(world: World, family: int) -> None:
    """MAY-6; the octet repeats a sequence number that is acknowledged."""
    scene = kept(world, family, tcp_keepalive_garbage=True)
    world.run(101 * SECOND)
    scene.sees(ACK, seq=-1, data=b"\0")
    scene.sends()
    scene.user.send(b"real data")
    world.run(0)
    scene.sees(ACK | PSH, seq=0, data=b"real data")


def test_only_when_nothing_was_received(world: World, family: int) -> None:
    """MUST-26: data and bare ACKs alike put the probe off."""
    scene = kept(world, family)
    for number in range(4):
        scene.sees_nothing(60 * SECOND)
        scene.sends(seq=number, data=b"d")
        world.run(50 * MS)
        scene.sees(ACK, ack=number + 1)
        scene.sees_nothing(60 * SECOND)
        scene.sends(seq=number + 1)
    world.run(101 * SECOND)
    scene.sees(ACK, seq=-1, ack=4)


def test_only_when_nothing_is_outstanding(world: World, family: int) -> None:
    """MUST-26: what is retransmitted asks well enough."""
    scene = kept(world, family, tcp_user_timeout=500 * SECOND)
    scene.user.send(b"unanswered")
    world.run(400 * SECOND)
    assert {start for start, _ in scene.sent()} == {0}
    scene.sends(ack=10)
    world.run(101 * SECOND)
    scene.sees(ACK, seq=9, length=0)


def test_not_beside_a_window_probe(world: World, family: int) -> None:
    scene = kept(world, family)
    scene.sends(win=0)
    scene.user.send(b"waiting")
    for _ in range(60):
        world.run(10 * SECOND)
        assert all(start == 0 for start, _ in scene.sent())
        scene.sends(win=0)


def test_silence_to_all_probes_ends_the_connection(world: World, family: int) -> None:
    """MUST-29: not one alone, but all of them."""
    scene = kept(world, family)
    times = []
    while not scene.user.events:
        world.run(SECOND)
        while scene.peer.received():
            scene.sees(ACK, seq=-1)
            times.append(world.now // SECOND)
    assert [b - a for a, b in pairwise(times)] == [10, 10]
    assert world.now // SECOND - times[-1] == 10
    assert scene.user.events == [("aborted", "TIMED_OUT")]
    assert scene.host.tcp_timers() == []


def test_an_answer_to_the_last_probe_is_in_time(world: World, family: int) -> None:
    """MUST-29."""
    scene = kept(world, family)
    for _ in range(129):
        world.run(SECOND)
        scene.peer.received()  # which answers for the neighbour's address
    assert len(scene.peer.inbox) == 3
    scene.peer.inbox.clear()
    scene.sends()
    scene.sees_nothing(98 * SECOND)
    assert scene.tcb.state == ESTABLISHED


def test_times_and_count_of_one_connection(world: World, family: int) -> None:
    scene = kept(world, family)
    stream = scene.user.stream
    assert stream.set_option(OPTION_KEEPALIVE_INTERVAL, 1 * SECOND) == OK
    assert stream.set_option(OPTION_KEEPALIVE_COUNT, 2) == OK
    assert stream.set_option(OPTION_KEEPALIVE_COUNT, 1) == INVALID
    assert stream.set_option(OPTION_KEEPALIVE_TIME, 0) == INVALID
    world.run(103 * SECOND)
    assert scene.user.events == [("aborted", "TIMED_OUT")]


def test_half_closed_connections_are_watched_too(world: World, family: int) -> None:
    scene = kept(world, family)
    scene.sends(ACK | FIN)
    scene.sees(ACK, ack=1)
    assert scene.tcb.state == CLOSE_WAIT
    world.run(101 * SECOND)
    scene.sees(ACK, seq=-1, ack=1)
    other = kept(World(2), family)
    other.user.stream.disconnect("d")
    other.world.run(0)
    other.sees(ACK | FIN)
    other.sends(ack=1)
    assert other.tcb.state == FIN_WAIT_2
    other.world.run(101 * SECOND)
    other.sees(ACK, seq=0)


def test_asked_for_before_the_connection(world: World, family: int) -> None:
    a, b = world.pair()
    stream = a.stream()
    stream.set_option(OPTION_KEEPALIVE, 1)
    stream.bind(b"", 0, 0)
    listener = b.listener()
    listener.bind(b"", 80, 0)
    stream.connect(b.address(family), 80, 0, "c")
    world.run(SECOND)
    assert len(a.tcp_timers()) == 1
    plain = connect(a, b.address(family))
    world.run(SECOND)
    assert plain.events == [("connect", "OK", 0)]
    assert len(a.tcp_timers()) == 1


def test_two_stacks_keep_each_other(world: World, family: int) -> None:
    """What we send is answered by what we are."""
    a, b = world.pair()
    listener = b.listener()
    listener.bind(b"", 80, 0)
    user = connect(a, b.address(family))
    user.stream.set_option(OPTION_KEEPALIVE, 1)
    user.stream.set_option(OPTION_KEEPALIVE_TIME, 10 * SECOND)
    world.run(HOUR)
    assert user.events == [("connect", "OK", 0)]
    assert a.stack.tcp.counters.out_segs > 300


@pytest.mark.parametrize("count", [0, 1, 256])
def test_one_probe_is_never_enough(count: int) -> None:
    """MUST-29, by configuration."""
    with pytest.raises(ValueError, match="tcp_keepalive_count"):
        Config(tcp_keepalive_count=count)
