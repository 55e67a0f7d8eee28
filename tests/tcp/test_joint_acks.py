# SPDX-License-Identifier: MIT
"""ACKs that arrive in one turn are taken together, and runs of super-segments leave in one go."""

from __future__ import annotations

import pytest

from stack.wire.tcp import ACK
from tests.harness import World
from tests.tcp.scenes import Scene

MSS = 1000


def in_one_turn(scene: Scene, acks: list[int], **how: object) -> None:
    """The peer acknowledges so many octets, one after the other, before the stack can send."""
    peer = scene.peer
    for ack in acks:
        peer.packet(6, peer.segment(ACK, 101, ack=scene.iss + 1 + ack, **how))  # type: ignore[arg-type]
    scene.world.run(0)


@pytest.mark.parametrize("joint", [True, False])
def test_the_window_grows_as_if_each_came_alone(world: World, family: int, joint: bool) -> None:
    scene = Scene(world, family, tcp_congestion="reno", tcp_joint_acks=joint)
    scene.user.send(bytes(100 * MSS))
    world.run(0)
    window = scene.tcb.cc.window
    assert scene.tcb.snd.flight == window == 10 * MSS
    in_one_turn(scene, [2 * MSS, 4 * MSS, 6 * MSS])
    assert scene.tcb.cc.window == window + 6 * MSS
    assert scene.tcb.snd.una_at == 1 + 6 * MSS


def test_one_measurement_for_all(world: World, family: int) -> None:
    """That of the last, which left last."""
    scene = Scene(world, family)
    scene.user.send(bytes(4 * MSS))
    world.run(20_000_000)
    in_one_turn(scene, [MSS, 2 * MSS, 3 * MSS, 4 * MSS])
    assert scene.tcb.rtt.least <= 20_000_000
    assert scene.tcb.snd.flight == 0
    assert not scene.tcb.rexmit.armed


def test_an_ack_that_comes_again_is_a_duplicate(world: World, family: int) -> None:
    """The held one is taken first: three more of the same are three duplicates of it."""
    scene = Scene(world, family)
    scene.user.send(bytes(8 * MSS))
    world.run(0)
    scene.sent()
    in_one_turn(scene, [MSS, MSS, MSS, MSS])
    assert scene.tcb.snd.una_at == 1 + MSS
    assert scene.tcb.dupacks == 3
    assert scene.sent()[0] == (MSS, MSS)  # sent again


def test_what_comes_too_late_in_the_turn_still_stops_the_timer(world: World, family: int) -> None:
    """The acknowledgment and the time-out fall into one turn: nothing is sent again."""
    scene = Scene(world, family)
    scene.user.send(bytes(MSS))
    world.run(0)
    deadline = scene.tcb.rexmit.deadline
    world.run(deadline - world.now - 1)
    world.env.now = deadline
    in_one_turn(scene, [MSS])
    assert scene.tcb.resent == 0
    assert scene.host.stack.tcp.counters.retrans_segs == 0


def test_beyond_what_was_sent_is_refused_also_behind_a_held_one(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.user.send(bytes(2 * MSS))
    world.run(0)
    in_one_turn(scene, [MSS, 3 * MSS])
    assert scene.tcb.snd.una_at == 1 + MSS
    assert scene.host.drops() == {"tcp_ack_invalid": 1}


def test_an_abort_in_the_same_turn_makes_it_pointless(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.user.send(bytes(2 * MSS))
    world.run(0)
    peer = scene.peer
    peer.packet(6, peer.segment(ACK, 101, ack=scene.iss + 1 + MSS))
    world.env.executor.submit(scene.user.stream.abort)
    world.run(0)
    assert not scene.host.stack.tcp.connections()
