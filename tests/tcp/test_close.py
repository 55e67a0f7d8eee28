# SPDX-License-Identifier: MIT
"""Closing (RFC 9293 3.6, 3.10.4-5), resets (RFC 5961), TIME-WAIT (RFC 1337, RFC 6191)."""

from __future__ import annotations

from typing import Any

import pytest

from stack.base import seq as sequence
from stack.base.status import NOT_CONNECTED, PENDING, STATE
from stack.base.units import MS, SECOND
from stack.tcp.names import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LAST_ACK,
    TIME_WAIT,
)
from stack.wire.tcp import ACK, FIN, PSH, RST, SYN
from tests.harness import World, quiet
from tests.tcp.scenes import Scene
from tests.tcp.users import joined


def test_we_close_first(world: World, family: int) -> None:
    """ESTABLISHED -> FIN-WAIT-1 -> FIN-WAIT-2 -> TIME-WAIT -> CLOSED."""
    scene = Scene(world, family)
    scene.user.stream.disconnect("disconnect")
    world.run(0)
    scene.sees(ACK | FIN, seq=0)
    assert scene.tcb.state == FIN_WAIT_1
    assert scene.user.events == []
    scene.sends(ack=1)
    assert scene.tcb.state == FIN_WAIT_2
    assert scene.user.events == [("disconnect", "OK", 0)]
    scene.sends(ACK | FIN, ack=1)
    scene.sees(ACK, seq=1, ack=1)
    assert scene.tcb.state == TIME_WAIT
    assert scene.user.events[-1] == "finished"
    assert len(scene.host.stack.tcp.time_wait) == 1
    world.run(59 * SECOND)
    assert len(scene.host.stack.tcp.time_wait) == 1
    world.run(2 * SECOND)
    assert len(scene.host.stack.tcp.time_wait) == 0
    assert scene.host.tcp_timers() == []


def test_they_close_first(world: World, family: int) -> None:
    """ESTABLISHED -> CLOSE-WAIT -> LAST-ACK -> CLOSED."""
    scene = Scene(world, family)
    scene.sends(ACK | FIN)
    scene.sees(ACK, ack=1)
    assert scene.tcb.state == CLOSE_WAIT
    assert scene.user.events == ["finished"]
    scene.user.send(b"still sending")
    world.run(0)
    scene.sees(ACK | PSH, data=b"still sending")
    scene.user.stream.disconnect("disconnect")
    world.run(0)
    scene.sees(ACK | FIN, seq=13)
    assert scene.tcb.state == LAST_ACK
    scene.sends(seq=1, ack=14)
    assert scene.tcb.state == CLOSED
    assert scene.user.events[1:] == [("send", "OK", 13), ("disconnect", "OK", 0)]
    assert scene.host.stack.tcp.connections() == []
    assert len(scene.host.stack.tcp.time_wait) == 0


def test_both_close_at_once(world: World, family: int) -> None:
    """FIN-WAIT-1 -> CLOSING -> TIME-WAIT."""
    scene = Scene(world, family)
    scene.user.stream.disconnect("disconnect")
    world.run(0)
    scene.sees(ACK | FIN, seq=0)
    scene.sends(ACK | FIN, ack=0)
    scene.sees(ACK, seq=1, ack=1)
    assert scene.tcb.state == CLOSING
    scene.sends(seq=1, ack=1)
    assert scene.tcb.state == TIME_WAIT
    assert scene.user.events == ["finished", ("disconnect", "OK", 0)]


def test_fin_and_ack_of_ours_together(world: World, family: int) -> None:
    """FIN-WAIT-1 straight to TIME-WAIT."""
    scene = Scene(world, family)
    scene.user.stream.disconnect("disconnect")
    world.run(0)
    scene.sees(ACK | FIN)
    scene.sends(ACK | FIN, ack=1)
    scene.sees(ACK, seq=1, ack=1)
    assert scene.tcb.state == TIME_WAIT


def test_fin_goes_behind_queued_data_and_with_its_last(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.user.send(bytes(1500))
    scene.user.stream.disconnect("disconnect")
    world.run(0)
    scene.sees(ACK, seq=0)
    scene.sees(ACK | PSH | FIN, seq=1000)
    scene.sends(ack=1501)
    assert scene.user.events == [("send", "OK", 1500), ("disconnect", "OK", 0)]


def test_fin_waits_for_data_that_has_no_window(world: World, family: int) -> None:
    scene = Scene(world, family, {"win": 1000})
    scene.user.send(bytes(1500))
    scene.user.stream.disconnect("disconnect")
    world.run(0)
    assert scene.sees(ACK).length == 1000
    scene.sees_nothing()
    scene.sends(ack=1000, win=1000)
    scene.sees(ACK | PSH | FIN, seq=1000)


def test_half_close_receives_on(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.user.stream.disconnect("disconnect")
    world.run(0)
    scene.sees(ACK | FIN)
    scene.sends(ack=1, data=b"more for you")
    assert scene.user.data == b"more for you"
    assert scene.tcb.state == FIN_WAIT_2
    assert scene.user.send(b"no") == STATE
    assert scene.user.stream.disconnect("again") == STATE


def test_lost_fin_is_sent_again(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.user.stream.disconnect("disconnect")
    world.run(0)
    scene.sees(ACK | FIN, seq=0)
    world.run(250 * MS)
    scene.sees(ACK | FIN, seq=0)
    scene.sees_nothing()


def test_their_fin_again_is_acknowledged_again(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.sends(ACK | FIN)
    scene.sees(ACK, ack=1)
    scene.sends(ACK | FIN)
    scene.sees(ACK, ack=1)
    assert scene.user.events == ["finished"]


def test_fin_out_of_order_waits_for_its_data(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.sends(ACK | FIN, seq=5, data=b"fghij")
    scene.sees(ACK, ack=0)
    assert scene.tcb.state == ESTABLISHED
    scene.sends(data=b"abcde")
    scene.sees(ACK, ack=11)
    assert scene.user.data == b"abcdefghij"
    assert scene.user.events == ["finished"]


def test_data_after_fin_is_ignored(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.sends(ACK | FIN, data=b"abc")
    scene.sees(ACK, ack=4)
    scene.sends(seq=4, data=b"nonsense")
    world.run(0)
    assert scene.user.data == b"abc"
    assert scene.host.drops() == {"tcp_after_fin": 1}


# Abort and reset.


def test_abort_resets_and_answers_everything(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.user.send(b"never acknowledged")
    world.run(0)
    scene.sees(ACK | PSH)
    scene.user.stream.disconnect("disconnect")
    scene.user.stream.abort()
    world.run(0)
    scene.sees(RST | ACK, seq=18)
    assert scene.user.events == [
        ("send", "ABORTED", 0),
        ("disconnect", "ABORTED", 0),
        ("aborted", "ABORTED"),
    ]
    assert scene.host.tcp_timers() == []


def test_reset_is_reported_with_its_reason(world: World, family: int) -> None:
    """MUST-12."""
    scene = Scene(world, family)
    scene.user.send(b"x")
    world.run(0)
    scene.sends(RST)
    assert scene.user.events == [("send", "RESET", 0), ("aborted", "RESET")]
    assert scene.host.stack.tcp.counters.estab_resets == 1
    assert scene.user.send(b"y") == NOT_CONNECTED


def test_reset_with_data(world: World, family: int) -> None:
    """SHLD-2."""
    scene = Scene(world, family)
    scene.sends(RST, data=b"because I can")
    assert scene.user.events == [("aborted", "RESET")]


def test_reset_in_the_window_is_challenged(world: World, family: int) -> None:
    """RFC 5961 3."""
    scene = Scene(world, family)
    for seq in (1, 100, 60_000):
        scene.sends(RST, seq=seq)
        scene.sees(ACK, ack=0)
    assert scene.user.events == []


def test_reset_outside_the_window_is_dropped(world: World, family: int) -> None:
    scene = Scene(world, family, tcp_receive_buffer=5000)
    for seq in (-1, 5000, 2**31):
        scene.sends(RST, seq=seq)
    scene.sees_nothing()
    assert scene.host.drops() == {"tcp_rst_invalid": 3}
    assert scene.user.events == []


@pytest.mark.parametrize("state", [FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT, CLOSING, LAST_ACK])
def test_reset_ends_every_synchronized_state(world: World, family: int, state: int) -> None:
    scene = Scene(world, family)
    theirs = state in (CLOSE_WAIT, CLOSING, LAST_ACK)
    if state == CLOSE_WAIT:
        scene.sends(ACK | FIN)
    elif state == LAST_ACK:
        scene.sends(ACK | FIN)
        scene.user.stream.disconnect("d")
        world.run(0)
    else:
        scene.user.stream.disconnect("d")
        world.run(0)
        if state == FIN_WAIT_2:
            scene.sends(ack=1)
        elif state == CLOSING:
            scene.sends(ACK | FIN)
    assert scene.tcb.state == state
    scene.sends(RST, seq=1 if theirs else 0)
    assert scene.tcb.state == CLOSED
    assert ("aborted", "RESET") in scene.user.events
    assert scene.host.tcp_timers() == []


def test_challenges_are_limited_per_connection(world: World, family: int) -> None:
    """RFC 5961 7 and 10: a limit, and none that one connection can read of another's."""
    scene = Scene(world, family, tcp_challenge_rate=5)
    for _ in range(50):
        scene.sends(SYN)
    count = len([s for s in scene.peer.received() if s.seg])
    assert count == 5
    assert scene.host.stack.tcp.counters.challenge_limited == 45
    scene.peer.inbox.clear()
    world.run(SECOND)
    scene.sends(SYN)
    scene.sees(ACK)


def test_ack_beyond_what_was_sent(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.sends(ack=1, data=b"x")
    scene.sees(ACK, ack=0)
    assert scene.host.drops() == {"tcp_ack_invalid": 1}
    assert scene.user.data == b""


def test_ack_too_old_to_be_true(world: World, family: int) -> None:
    """RFC 5961 5.2."""
    scene = Scene(world, family)
    scene.sends(ack=-70_000, data=b"x")
    scene.sees(ACK, ack=0)
    assert scene.host.drops() == {"tcp_ack_invalid": 1}
    scene.sends(ack=-60_000, data=b"y")
    assert scene.user.data == b"y"


def test_a_reset_behind_an_unaccepted_probe_is_exactly_what_is_expected(
    world: World, family: int
) -> None:
    """RFC 5961 3.2: a reset that is not at the peer's RCV.NXT would only be challenged."""
    scene = Scene(world, family)
    scene.sends(win=0)
    scene.user.send(bytes(100))
    world.run(10 * SECOND)
    assert (0, 1) in scene.sent()  # the probe, for which there is no room
    scene.user.stream.abort()
    world.run(0)
    scene.sees(RST | ACK, seq=0)


def test_close_before_the_fins_is_an_abort(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.user.stream.close()
    world.run(0)
    scene.sees(RST | ACK)
    assert scene.user.events == []
    assert scene.host.stack.tcp.connections() == []


def test_close_after_both_fins_is_quiet(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.user.stream.disconnect("d")
    world.run(0)
    scene.sees(ACK | FIN)
    scene.sends(ACK | FIN, ack=1)
    scene.sees(ACK)
    scene.user.stream.close()
    scene.sees_nothing(61 * SECOND)


# TIME-WAIT.


def resting(world: World, family: int, **options: object) -> Scene:
    """In TIME-WAIT."""
    scene = Scene(world, family, options)
    ts: dict[str, Any] = {"ts": (5002, 0)} if "ts" in options else {}
    scene.user.stream.disconnect("d")
    world.run(0)
    scene.sees(ACK | FIN)
    scene.sends(ACK | FIN, ack=1, **ts)
    scene.sees(ACK, seq=1, ack=1)
    return scene


def test_time_wait_acknowledges_the_fin_again_and_starts_over(world: World, family: int) -> None:
    scene = resting(world, family)
    world.run(40 * SECOND)
    scene.sends(ACK | FIN, ack=1)
    scene.sees(ACK, seq=1, ack=1)
    world.run(40 * SECOND)
    assert len(scene.host.stack.tcp.time_wait) == 1
    world.run(30 * SECOND)
    assert len(scene.host.stack.tcp.time_wait) == 0


def test_time_wait_ignores_resets(world: World, family: int) -> None:
    """RFC 1337."""
    scene = resting(world, family)
    scene.sends(RST, seq=1, ack=1)
    scene.sees_nothing()
    assert len(scene.host.stack.tcp.time_wait) == 1


def test_time_wait_answers_strays(world: World, family: int) -> None:
    scene = resting(world, family)
    world.run(MS)
    scene.sends(seq=500, ack=1, data=b"late")
    scene.sees(ACK, seq=1, ack=1)


def test_time_wait_gives_way_to_a_newer_syn(world: World, family: int) -> None:
    """MAY-2."""
    scene = resting(world, family)
    scene.peer.sends(SYN, seq=100_000)
    scene.peer.sees(SYN | ACK, ack=100_001)
    assert len(scene.host.stack.tcp.time_wait) == 0


def test_time_wait_does_not_give_way_to_an_older_syn(world: World, family: int) -> None:
    scene = resting(world, family)
    world.run(MS)
    scene.peer.sends(SYN, seq=50)
    scene.sees(ACK, seq=1, ack=1)
    assert len(scene.host.stack.tcp.time_wait) == 1


def test_time_wait_by_timestamp(world: World, family: int) -> None:
    """RFC 6191: a later timestamp proves a SYN new even if its number is below."""
    scene = resting(world, family, ts=(5000, 0))
    world.run(MS)
    scene.peer.sends(SYN, seq=50, ts=(4000, 0))
    scene.sees(ACK)
    scene.peer.sends(SYN, seq=50, ts=(6000, 0))
    scene.peer.sees(SYN | ACK, ack=51)


def test_new_isn_is_ahead_of_the_old_connection(world: World, family: int) -> None:
    scene = resting(world, family)
    old = scene.tcb.snd.nxt
    scene.peer.sends(SYN, seq=100_000)
    synack = scene.peer.sees(SYN | ACK)
    assert sequence.gt(synack.seq, old) or synack.seq == scene.iss


def test_time_wait_table_is_bounded(family: int) -> None:
    world = World()
    a, b = world.pair(quiet(tcp_time_wait_limit=3))
    for _ in range(6):
        client, server = joined(world, a, b, family)
        client.stream.disconnect("d")
        server.stream.disconnect("d")
        world.run(SECOND)
        client.stream.close()
        server.stream.close()
        for listener in list(b.stack.tcp.listeners.find_all(b.address(family), b"\0\x50")):
            listener.close()
    assert len(a.stack.tcp.time_wait) + len(b.stack.tcp.time_wait) <= 6
    assert len(a.stack.tcp.time_wait) <= 3


def test_orderly_close_leaves_nothing(world: World, family: int) -> None:
    a, b = world.pair()
    client, server = joined(world, a, b, family)
    assert client.send(b"x" * 5000) == PENDING
    client.stream.disconnect("d")
    world.run(SECOND)
    server.stream.disconnect("d")
    world.run()
    client.stream.close()
    server.stream.close()
    world.run()
    for host in (a, b):
        assert host.stack.tcp.connections() == []
        assert len(host.stack.tcp.time_wait) == 0
        assert host.stack.tcp.counters.curr_estab == 0
        assert host.stack.tcp.work.take() == []


def test_a_bare_fin_out_of_order_is_acknowledged_at_once(world: World, family: int) -> None:
    """RFC 5681 4.2 says so of any out-of-order segment, text or not."""
    scene = Scene(world, family)
    scene.sends(ACK | FIN, seq=100)
    scene.sees(ACK, ack=0)
    scene.sends(ACK | PSH, data=b"x" * 100)
    scene.sees(ACK, ack=101)
    assert scene.tcb.state == CLOSE_WAIT


def test_time_wait_does_not_answer_without_the_ack_bit(world: World, family: int) -> None:
    """RFC 9293 3.10.7.4, fifth; a segment that has it is answered."""
    scene = Scene(world, family)
    scene.user.stream.disconnect("disconnect")
    world.run(0)
    scene.sees(ACK | FIN, seq=0)
    scene.sends(ACK | FIN, ack=1)
    scene.sees(ACK, ack=1)
    scene.sends(FIN, seq=2)
    scene.sees_nothing()
    scene.sends(ACK | FIN, seq=2, ack=1)
    scene.sees(ACK, ack=1)
