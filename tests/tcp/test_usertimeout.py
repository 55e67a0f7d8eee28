# SPDX-License-Identifier: MIT
"""The user time-out option (RFC 5482): told, heard, and what comes of both."""

from __future__ import annotations

from typing import Any

import pytest

from stack.base.status import OK
from stack.base.units import MINUTE, SECOND
from stack.transport.seam import (
    OPTION_ADVERTISE_TIMEOUT,
    OPTION_FAST_OPEN,
    OPTION_USER_TIMEOUT,
)
from stack.wire import tcp
from stack.wire.tcp import ACK, PSH, SYN
from tests.harness import World
from tests.tcp.scenes import Scene
from tests.tcp.test_handshake import active, setup
from tests.tcp.users import User, serve

MINUTES = 0x8000


def scene_with(world: World, family: int, said: int = 0, **settings: Any) -> Scene:
    """A connection with the option on; the peer's SYN says `said`."""
    options = {"options": tcp.user_timeout_option(said)} if said else {}
    return Scene(world, family, options, **{"tcp_user_timeout_option": True} | settings)


def patience(world: World, scene: Scene) -> int:
    """Seconds until unacknowledged data ends the connection."""
    began = world.now
    scene.user.send(b"x")
    while not scene.user.final and world.now - began < 5000 * SECOND:
        world.run(SECOND)
        scene.peer.received()
    assert scene.user.final == "TIMED_OUT"
    return (world.now - began) // SECOND


def test_the_syn_carries_it(world: World, family: int) -> None:
    _, peer, _ = active(world, family, tcp_user_timeout_option=True)
    assert peer.sees(SYN).uto == 120


def test_so_does_the_answer(world: World, family: int) -> None:
    host, peer = setup(world, family, tcp_user_timeout_option=True)
    serve(host)
    peer.sends(SYN, seq=1, options=tcp.user_timeout_option(600))
    assert peer.sees(SYN | ACK).uto == 120


def test_a_long_cookie_leaves_it_to_the_next_ack(world: World, family: int) -> None:
    """Forty octets are all there is for options."""
    host, peer = setup(world, family, tcp_user_timeout_option=True)
    peer.sport = 80
    for cookie in (b"", bytes(16)):
        stream = host.stream()
        stream.attach(User(stream))
        stream.bind(b"", 0, 0)
        stream.set_option(OPTION_FAST_OPEN, 1)
        stream.connect(peer.mine, 80, 0, "connect")
        world.run(0)
        seen = peer.next_tcp()
        assert seen is not None
        syn = seen.seg
        assert syn is not None
        assert syn.fast_open == (tcp.OPT_FAST_OPEN, cookie)
        assert syn.uto == (0 if cookie else 120)
        peer.dport = int.from_bytes(seen.body[:2], "big")
        given = tcp.fast_open_option(bytes(16))
        peer.sends(SYN | ACK, seq=500, ack=syn.seq + 1, mss=1000, options=given)
        assert peer.sees(ACK).uto == (120 if cookie else 0)


def test_off_nothing_is_sent_and_nothing_heard(world: World, family: int) -> None:
    scene = scene_with(world, family, 600, tcp_user_timeout_option=False)
    assert scene.tcb.uto is None
    assert 120 <= patience(world, scene) < 200


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [
        (600, 600, 700),  # the longer of both
        (10, 120, 200),  # ours is longer
        (10 | MINUTES, 600, 700),
        (0x7FFF | MINUTES, 3600, 3800),  # not beyond the limit
        (MINUTES, 120, 200),  # a zero says nothing
    ],
)
def test_the_longer_of_both_within_limits(
    world: World, family: int, said: int, least: int, most: int
) -> None:
    scene = scene_with(world, family, said)
    assert least <= patience(world, scene) < most


def test_never_below_the_lower_limit(world: World, family: int) -> None:
    settings = {"tcp_user_timeout": 20 * SECOND, "tcp_user_timeout_low": 300 * SECOND}
    scene = scene_with(world, family, 30, **settings)
    assert 300 <= patience(world, scene) < 400


def test_a_user_with_a_wish_of_his_own_keeps_it(world: World, family: int) -> None:
    """CHANGEABLE is false from then on; the peer is told with the next ACK, once."""
    scene = scene_with(world, family, 600)
    assert scene.user.stream.set_option(OPTION_USER_TIMEOUT, 30 * SECOND) == OK
    world.run(0)
    assert scene.sees(ACK, length=0).uto == 30
    scene.sends(ACK, options=tcp.user_timeout_option(900))
    scene.sends(ACK | PSH, data=b"y")
    world.run(SECOND)
    assert scene.sees(ACK).uto == 0
    assert 30 <= patience(world, scene) < 60


def test_the_peer_may_change_his_mind(world: World, family: int) -> None:
    scene = scene_with(world, family, 600)
    scene.sends(ACK, options=tcp.user_timeout_option(200))
    assert 200 <= patience(world, scene) < 300


def test_minutes_where_seconds_do_not_fit(world: World, family: int) -> None:
    scene = scene_with(world, family)
    scene.user.stream.set_option(OPTION_USER_TIMEOUT, 1000 * MINUTE)
    world.run(0)
    assert scene.sees(ACK).uto == 1000 | MINUTES


def test_switched_on_and_off_for_one_stream(world: World, family: int) -> None:
    scene = scene_with(world, family, tcp_user_timeout_option=False)
    assert scene.user.stream.set_option(OPTION_ADVERTISE_TIMEOUT, 1) == OK
    world.run(0)
    assert scene.sees(ACK).uto == 120
    assert scene.user.stream.set_option(OPTION_ADVERTISE_TIMEOUT, 0) == OK
    scene.sends(ACK, options=tcp.user_timeout_option(900))
    assert 120 <= patience(world, scene) < 200


@pytest.mark.parametrize("wrong", [b"\x1c\x03\x01", b"\x1c\x05\x01\x02\x03", b"\x1c\x02"])
def test_a_wrong_length_is_passed_over(world: World, family: int, wrong: bytes) -> None:
    scene = scene_with(world, family)
    scene.sends(ACK, options=wrong + bytes(-len(wrong) % 4))
    assert scene.tcb.user_timeout == 0
    assert scene.host.drops() == {}
