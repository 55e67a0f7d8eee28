# SPDX-License-Identifier: MIT
"""RFC 9293 3.8.6 and RFC 6298, 5681, 6582: windows that shrink or stay closed; timers; recovery."""

from __future__ import annotations

from itertools import pairwise

import pytest

from stack.base.units import MS, SECOND
from stack.tcp.names import ESTABLISHED
from stack.wire.tcp import ACK, SYN
from tests.harness import World
from tests.tcp.scenes import Scene
from tests.tcp.test_handshake import active
from tests.tcp.test_loss import flight

HOUR = 3600 * SECOND


def test_behind_a_shrunk_window_only_what_is_inside_goes_again(world: World, family: int) -> None:
    """SHLD-15, SHLD-16; MAY-7 is declined: what lies beyond is not repeated."""
    scene = Scene(world, family)
    scene.user.send(bytes(8000))
    world.run(0)
    assert len(scene.sent()) == 8
    scene.sends(ack=1000, win=2000)
    again = set()
    for _ in range(20):
        world.run(SECOND)
        again.update(scene.sent())
    assert (1000, 1000) in again
    assert all(1000 <= start < 3000 and start + length <= 3000 for start, length in again)


def test_a_shrunk_window_alone_never_ends_the_connection(world: World, family: int) -> None:
    """SHLD-17: for hours data lies beyond the edge; the peer lives and says so."""
    scene = Scene(world, family)
    scene.user.send(bytes(8000))
    world.run(0)
    scene.sent()
    scene.sends(ack=3000, win=0)
    for _ in range(300):
        world.run(60 * SECOND)
        scene.sent()
        scene.sends(ack=3000, win=0)
    assert scene.tcb.state == ESTABLISHED
    assert scene.user.events == []


def test_the_first_probe_comes_after_one_time_out(world: World, family: int) -> None:
    """SHLD-29."""
    scene = Scene(world, family)
    scene.sends(win=0)
    scene.user.send(b"waiting")
    world.run(0)
    rto = scene.tcb.rtt.rto
    scene.sees_nothing(rto - MS)
    world.run(2 * MS)
    assert scene.sent() == [(0, 1)]


def test_we_may_keep_our_window_closed_for_ever(world: World, family: int) -> None:
    """MAY-8: each probe is answered, nothing is taken, nobody gives up."""
    scene = Scene(world, family, tcp_receive_buffer=2000)
    scene.user.keep = True
    scene.sends(data=bytes(2000))
    scene.sees(ACK, wnd=0)
    for _ in range(100):
        scene.sees_nothing(HOUR)
        scene.sends(seq=2000, data=b"p")
        scene.sees(ACK, ack=2000, wnd=0)
    assert scene.tcb.state == ESTABLISHED


# The retransmission timer (RFC 6298).


def test_the_timer_runs_from_the_last_progress(world: World, family: int) -> None:
    """RTO-7, RTO-8: on while something is out, started anew by each new ACK, off at the end."""
    scene = Scene(world, family)
    assert scene.host.tcp_timers() == []
    scene.user.send(bytes(3000))
    world.run(0)
    scene.sent()
    for acked in (1000, 2000):
        rto = scene.tcb.rtt.timeout()
        world.run(rto - 10 * MS)
        assert scene.sent() == []
        scene.sends(ack=acked)
    assert len(scene.host.tcp_timers()) == 1
    scene.sends(ack=3000)
    assert scene.host.tcp_timers() == []


def test_back_off_has_a_ceiling_of_a_minute(world: World, family: int) -> None:
    """RTO-5: 60 s at least, if there is one."""
    scene = Scene(world, family, tcp_user_timeout=1000 * SECOND)
    scene.user.send(b"x")
    times = []
    while not scene.user.events:
        world.run(SECOND)
        times += [world.now // SECOND] * len(scene.sent())
    gaps = [b - a for a, b in pairwise(times)]
    assert max(gaps) == 60
    assert gaps[-3:] == [60, 60, 60]


def test_slow_start_has_no_threshold_at_first(world: World, family: int) -> None:
    """CC-5, CC-3: arbitrarily high; and the handshake itself has not opened the window."""
    scene = Scene(world, family)
    assert scene.tcb.cc.ssthresh >= 1 << 30
    assert scene.tcb.cc.window == 10_000


def test_no_fast_retransmit_for_what_was_out_at_a_time_out(world: World, family: int) -> None:
    """NR-1, NR-4: duplicates below `recover` are echoes of our own repetition."""
    scene = Scene(world, family)
    flight(scene)
    world.run(SECOND + 100 * MS)
    assert set(scene.sent()) == {(0, 1000)}
    scene.sends(ack=1000)
    scene.sent()
    for _ in range(5):
        scene.sends(ack=1000)
    assert (1000, 1000) not in scene.sent()
    assert not scene.tcb.fast


def test_a_lost_retransmission_is_congestion_again(world: World, family: int) -> None:
    """CC-10."""
    scene = Scene(world, family)
    flight(scene)
    for _ in range(3):
        scene.sends(ack=0)
    first = scene.tcb.cc.window
    world.run(3 * SECOND)
    assert scene.tcb.cc.window < first


def test_an_acknowledged_syn_opens_no_window(world: World, family: int) -> None:
    """CC-3, on the active side."""
    host, peer, user = active(world, family)
    syn = peer.sees(SYN)
    peer.sends(SYN | ACK, seq=500, ack=syn.seq + 1, mss=1000)
    peer.sees(ACK)
    assert host.stack.tcp.info()[0].cwnd == 10_000
    user.send(bytes(50_000))
    world.run(0)
    assert sum(seen.seg.length for seen in peer.received() if seen.seg) == 10_000
    assert len(host.stack.tcp.connections()) == 1


@pytest.mark.parametrize("rack", [True, False])
def test_recovery_with_sack_ends_with_what_was_out_when_it_began(family: int, rack: bool) -> None:
    """SK-5, SK-6: RecoveryPoint, whether losses are found by time or by counting."""
    scene = Scene(World(), family, {"sack_ok": True}, tcp_rack=rack)
    flight(scene)
    base = scene.iss + 1
    for top in (3000, 4000, 5000):
        scene.sends(ack=0, sacks=[(base + 1000, base + top)])
    assert scene.tcb.fast
    scene.sends(ack=9000)
    assert scene.tcb.fast
    scene.sends(ack=scene.tcb.snd.nxt_at - 1)
    assert not scene.tcb.fast


def test_the_window_of_a_synack_is_not_scaled(world: World, family: int) -> None:
    """WS-2, on the active side, where it is all we know until the next segment."""
    _, peer, user = active(world, family)
    syn = peer.sees(SYN)
    peer.sends(SYN | ACK, seq=500, ack=syn.seq + 1, mss=1000, wscale=7, win=2000)
    peer.sees(ACK)
    user.send(bytes(50_000))
    world.run(0)
    assert sum(seen.seg.length for seen in peer.received() if seen.seg) == 2000


def test_no_recovery_with_sack_for_what_was_out_at_a_time_out(world: World, family: int) -> None:
    """SK-7: not before RecoveryPoint is acknowledged, whatever is reported."""
    scene = Scene(world, family, {"sack_ok": True}, tcp_rack=False)
    flight(scene)
    world.run(SECOND + 100 * MS)
    scene.sends(ack=1000)
    window = scene.tcb.cc.ssthresh
    base = scene.iss + 1
    for top in (4000, 5000, 6000, 7000):
        scene.sends(ack=1000, sacks=[(base + 3000, base + top)])
    assert not scene.tcb.fast
    assert scene.tcb.cc.ssthresh == window
