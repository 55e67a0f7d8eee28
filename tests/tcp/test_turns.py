# SPDX-License-Identifier: MIT
"""What a turn does for one connection: indicate, then send, and then nothing is left to do."""

from __future__ import annotations

from stack.base.units import MS
from stack.tcp.names import DELACK, PERSIST
from stack.wire.tcp import ACK, PSH
from tests.harness import World
from tests.tcp.scenes import Scene
from tests.tcp.users import User


class Answering(User):
    """Answers from inside of what tells him: the first time with `reply`, later with nothing."""

    reply = b"answer"

    def received(self, views: list[memoryview], count: int, flags: int) -> int:
        reply, self.reply = self.reply, b""
        self.send(reply, token=reply)
        return super().received(views, count, flags)


def asked(world: World, family: int, reply: bytes) -> Scene:
    """One turn in which a request arrives at somebody who answers it at once."""
    scene = Scene(world, family)
    user = Answering(scene.user.stream)
    user.reply = reply
    scene.user.stream.attach(user)
    scene.user = user
    world.run(0)
    segment = scene.peer.segment(ACK | PSH, 101, ack=scene.iss + 1, data=b"request")
    scene.peer.packet(6, segment)
    world.loop.turn()
    return scene


def test_an_answer_leaves_in_the_turn_of_its_request(world: World, family: int) -> None:
    scene = asked(world, family, b"answer")
    assert scene.user.data == b"request"
    assert not scene.host.stack.busy()
    world.run(0)
    scene.sees(ACK | PSH, ack=7, data=b"answer")
    scene.sees_nothing(100 * MS)


def test_what_the_user_causes_inside_is_told_in_the_next_turn(world: World, family: int) -> None:
    """Nothing is to be sent, so the request is complete; who is being told is not told more."""
    scene = asked(world, family, b"")
    assert scene.user.events == []
    assert scene.host.stack.busy()
    world.loop.turn()
    assert scene.user.events == [(b"", "OK", 0)]
    assert not scene.host.stack.busy()


def test_an_abort_inside_is_told_in_the_next_turn(world: World, family: int) -> None:
    scene = asked(world, family, b"answer")
    scene.user.stream.abort()
    world.loop.turn()
    assert scene.user.final == "ABORTED"
    assert not scene.host.stack.busy()


def test_no_timer_for_an_ack_that_leaves_with_data(world: World, family: int) -> None:
    """The delay begins where a turn ends without a segment to carry it."""
    scene = asked(world, family, b"answer")
    kinds = [timer.kind for timer in scene.host.tcp_timers()]
    assert DELACK not in kinds
    assert PERSIST not in kinds
    scene.sends(ACK | PSH, seq=7, ack=6, data=b"and more")
    assert DELACK in [timer.kind for timer in scene.host.tcp_timers()]
    world.run(0)
    scene.sees(ACK | PSH, ack=7, data=b"answer")
    scene.sees_nothing(39 * MS)
    world.run(2 * MS)
    scene.sees(ACK, ack=15)
