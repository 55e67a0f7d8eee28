# SPDX-License-Identifier: MIT
"""Loss by time (RFC 8985), tail loss probes, proportional rate reduction (RFC 9937), duplicates
reported and used (RFC 2883, 3708), undo (RFC 3522, 4015), F-RTO (RFC 5682)."""

from __future__ import annotations

from typing import Any

import pytest

from stack.base.units import MS, SECOND
from stack.tcp.loss.prr import Prr
from stack.wire.tcp import ACK
from tests.harness import World
from tests.tcp.scenes import Scene

RTT = 100 * MS


def measured(world: World, family: int, **more: Any) -> Scene:
    """SACK, and a round trip of 100 ms; 10 octets are acknowledged, so data goes on at 10."""
    options: dict[str, Any] = {"sack_ok": True} | more.pop("options", {})
    scene = Scene(world, family, options, **more)
    rtt = scene.tcb.rtt
    rtt.srtt = rtt.var = rtt.least = 0  # the handshake took no time
    scene.user.send(bytes(10), "measure")
    world.run(RTT)
    scene.sent()
    scene.sends(ack=10)
    return scene


def flight(scene: Scene, size: int = 10_000) -> None:
    """Ten segments of 1000 octets, then one round trip; more is queued."""
    scene.user.send(bytes(size + 30_000))
    scene.world.run(0)
    assert scene.sent() == [(10 + 1000 * n, 1000) for n in range(10)]
    scene.world.run(RTT)


def sacked(scene: Scene, ack: int, *blocks: tuple[int, int], **how: Any) -> None:
    """An ACK with SACK blocks, in octets of the stack's data."""
    base = scene.iss + 1
    scene.sends(ack=ack, sacks=[(base + a, base + b) for a, b in blocks], **how)


# By time.


def test_three_segments_out_of_order_need_no_patience(world: World, family: int) -> None:
    scene = measured(world, family)
    flight(scene)
    sacked(scene, 10, (1010, 3010))
    assert (10, 1000) not in scene.sent()
    sacked(scene, 10, (1010, 4010))
    assert (10, 1000) in scene.sent()


def test_one_is_enough_after_a_quarter_of_a_round_trip(world: World, family: int) -> None:
    scene = measured(world, family)
    flight(scene)
    sacked(scene, 10, (1010, 2010))
    world.run(24 * MS)
    assert (10, 1000) not in scene.sent()
    world.run(2 * MS)
    assert (10, 1000) in scene.sent()


def test_a_lost_retransmission_is_found(world: World, family: int) -> None:
    """What was sent after it is delivered: no time-out is needed."""
    scene = measured(world, family)
    flight(scene)
    sacked(scene, 10, (1010, 9010))
    assert (10, 1000) in scene.sent()
    for number in range(10, 13):
        world.run(RTT)
        sacked(scene, 10, (1010, 1010 + number * 1000))
        if (10, 1000) in scene.sent():
            break
    else:
        pytest.fail("not sent again")
    assert scene.tcb.retries == 0


def test_reordering_teaches_patience(world: World, family: int) -> None:
    """What came late without having been sent again was reordered, not lost."""
    scene = measured(world, family)
    flight(scene)
    sacked(scene, 10, (1010, 2010))
    sacked(scene, 2010)
    assert scene.tcb.rack is not None
    assert scene.tcb.rack.reordering_seen
    scene.sent()
    sacked(scene, 2010, (3010, 10_010))
    assert (2010, 1000) not in scene.sent()  # seven above it, and yet
    world.run(26 * MS)
    assert (2010, 1000) in scene.sent()


def test_duplicates_widen_the_window(world: World, family: int) -> None:
    scene = measured(world, family)
    flight(scene)
    sacked(scene, 10, (1010, 4010))
    assert (10, 1000) in scene.sent()
    assert scene.tcb.rack is not None
    assert scene.tcb.rack.reo_wnd_mult == 1
    sacked(scene, 4010, (10, 1010))  # it had only been late
    assert scene.tcb.rack.reo_wnd_mult == 2
    sacked(scene, 4010, (10, 1010))
    assert scene.tcb.rack.reo_wnd_mult == 2  # once per round


def test_off_it_counts_instead(world: World, family: int) -> None:
    scene = measured(world, family, tcp_rack=False)
    flight(scene)
    sacked(scene, 10, (1010, 2010))
    world.run(90 * MS)
    assert (10, 1000) not in scene.sent()


# Tail loss probe.


def test_silence_after_the_last_segment_is_probed(world: World, family: int) -> None:
    scene = measured(world, family)
    scene.user.send(bytes(3000))
    world.run(0)
    scene.sent()
    world.run(2 * RTT)
    assert scene.sent() == []
    world.run(3 * MS)
    assert scene.sent() == [(2010, 1000)]
    assert scene.tcb.cc.window >= 10_000  # a probe is no time-out


def test_a_probe_is_new_data_where_there_is_some(world: World, family: int) -> None:
    scene = measured(world, family)
    scene.user.send(bytes(30_000))
    world.run(0)
    assert len(scene.sent()) == 10
    world.run(2 * RTT + 3 * MS)
    assert scene.sent() == [(10_010, 1000)]


def test_a_single_segment_waits_for_a_delayed_ack(world: World, family: int) -> None:
    scene = measured(world, family)
    scene.user.send(bytes(500))
    world.run(0)
    scene.sent()
    world.run(2 * RTT + 50 * MS)
    assert scene.sent() == []


def test_a_probe_comes_in_the_place_of_an_earlier_time_out(world: World, family: int) -> None:
    """RFC 8985 7.2: it leaves when the timer would expire, which then starts anew."""
    scene = measured(world, family)
    scene.user.send(bytes(500))
    world.run(0)
    scene.sent()
    wait = scene.tcb.rtt.timeout()
    assert wait < 2 * RTT + 200 * MS
    world.run(wait)
    assert scene.sent() == [(10, 500)]
    assert scene.tcb.retries == 0
    assert scene.tcb.cc.window >= 10_000
    world.run(wait)
    assert scene.sent() == [(10, 500)]
    assert scene.tcb.retries == 1


def test_the_probe_lets_sack_find_the_tail(world: World, family: int) -> None:
    """Seven of ten are lost; the probe's SACK brings the rest without a time-out."""
    scene = measured(world, family)
    scene.user.send(bytes(10_000))
    world.run(RTT)
    scene.sent()
    scene.sends(ack=3010)
    world.run(2 * RTT + 3 * MS)
    assert scene.sent() == [(9010, 1000)]
    world.run(RTT)
    sacked(scene, 3010, (9010, 10_010))
    world.run(30 * MS)
    again = scene.sent()
    assert (3010, 1000) in again
    assert scene.tcb.retries == 0


def test_a_probe_that_repaired_a_loss_counts_as_one(world: World, family: int) -> None:
    scene = measured(world, family)
    scene.user.send(bytes(3000))
    world.run(2 * RTT + 3 * MS)
    scene.sent()
    before = scene.tcb.cc.window
    scene.sends(ack=3010)
    scene.user.send(bytes(1000))
    world.run(0)
    scene.sends(ack=4010)
    assert scene.tcb.cc.window < before


def test_a_probe_that_was_a_duplicate_does_not(world: World, family: int) -> None:
    scene = measured(world, family)
    scene.user.send(bytes(3000))
    world.run(2 * RTT + 3 * MS)
    scene.sent()
    before = scene.tcb.cc.window
    sacked(scene, 3010, (2010, 3010))
    scene.user.send(bytes(1000))
    world.run(0)
    scene.sends(ack=4010)
    assert scene.tcb.cc.window >= before


def test_what_remains_of_a_flight_is_waited_for_as_a_single_segment(
    world: World, family: int
) -> None:
    """The peer may delay the ACK of the last one; the timer of the flight before must not stay."""
    scene = measured(world, family)
    scene.user.send(bytes(2000))
    world.run(RTT)
    scene.sent()
    scene.sends(ack=1010)
    world.run(2 * RTT + 10 * MS)
    assert scene.sent() == []
    assert scene.tcb.resent == 0


# Proportional rate reduction.


def test_prr_halves_over_one_round_trip() -> None:
    """RFC 9937: of 100 segments in flight 50 leave while the others arrive."""
    prr = Prr(100_000, 50_000)
    pipe = 99_000
    sent = 0
    for _ in range(97):
        pipe -= 1000
        prr.arrived(1000, pipe, 1000, True)
        while prr.allowance >= 1000:
            prr.sent(1000)
            sent += 1
            pipe += 1000
    assert 48 <= sent <= 50
    assert 49_000 <= pipe <= 51_000


@pytest.mark.parametrize(("safe", "grows"), [(True, 2000), (False, 1000)])
def test_prr_below_ssthresh(safe: bool, grows: int) -> None:
    """Slow start while nothing more is lost, conservation of packets while there is."""
    prr = Prr(100_000, 50_000)
    prr.sent(0)
    prr.arrived(1000, 10_000, 1000, safe)
    assert prr.allowance == grows


def test_prr_sends_the_first_retransmission_at_once() -> None:
    prr = Prr(100_000, 50_000)
    prr.arrived(0, 99_000, 1000, False)
    assert prr.allowance == 1000


def test_in_recovery_as_much_leaves_as_may(world: World, family: int) -> None:
    scene = measured(world, family)
    flight(scene)
    out = 0
    for number in range(1, 10):
        sacked(scene, 10, (1010, 1010 + number * 1000))
        out += sum(size for _, size in scene.sent())
    assert 4000 <= out <= 7000  # half of ten, and limited transmit


def test_a_loss_told_by_an_ack_that_advances_halves_what_is_out(world: World, family: int) -> None:
    """The duplicates before it were lost; those of an earlier recovery are no measure."""
    scene = measured(world, family)
    flight(scene)
    sacked(scene, 10, (1010, 10_010))  # an earlier recovery
    world.run(RTT)
    scene.sent()
    top = scene.tcb.snd.nxt_at - 1
    sacked(scene, top)
    world.run(RTT)
    out = scene.tcb.snd.flight
    assert out >= 5000
    una = scene.tcb.snd.una_at - 1
    sacked(scene, una + 1000, (una + 2000, una + 5000))
    assert scene.tcb.fast
    assert scene.tcb.cc.ssthresh >= (out - 1000) // 2


def test_after_recovery_the_window_is_ssthresh(world: World, family: int) -> None:
    """RFC 9937: however little is in flight then."""
    scene = measured(world, family)
    scene.user.send(bytes(10_000))
    world.run(RTT)
    scene.sent()
    sacked(scene, 10, (1010, 10_010))
    assert scene.tcb.fast
    world.run(RTT)
    sacked(scene, 10_010)
    assert not scene.tcb.fast
    assert scene.tcb.cc.window == scene.tcb.cc.ssthresh >= 5000


# Duplicates reported.


def test_a_duplicate_below_is_reported(world: World, family: int) -> None:
    scene = measured(world, family)
    scene.sends(data=b"x" * 500)
    world.run(SECOND)
    scene.sees(ACK)
    scene.sends(data=b"x" * 500)
    seen = scene.sees(ACK, ack=500)
    assert seen.sacks == ((101, 601),)
    scene.sends(seq=500, data=b"y" * 500)
    world.run(SECOND)
    assert scene.sees(ACK, ack=1000).sacks == ()  # once


def test_a_duplicate_above_is_reported_before_its_block(world: World, family: int) -> None:
    scene = measured(world, family)
    scene.sends(seq=1000, data=b"x" * 1000)
    scene.sees(ACK)
    scene.sends(seq=1200, data=b"x" * 300)
    assert scene.sees(ACK, ack=0).sacks == ((1301, 1601), (1101, 2101))


def test_an_overlap_below_is_reported(world: World, family: int) -> None:
    scene = measured(world, family)
    scene.sends(data=b"x" * 500)
    world.run(SECOND)
    scene.sees(ACK)
    scene.sends(seq=200, data=b"x" * 500)
    assert scene.sees(ACK, ack=700).sacks == ((301, 601),)


@pytest.mark.parametrize(
    ("start", "size", "ack", "blocks"),
    [
        (0, 1500, 2000, ((1101, 1601),)),  # reaches into what is held
        (0, 3000, 3000, ((1101, 2101),)),  # around it
        (500, 1000, 0, ((1101, 1601), (601, 2101))),  # from before, out of order
        (1800, 1000, 0, ((1901, 2101), (1101, 2901))),  # from inside
    ],
)
def test_the_part_that_is_held_already_is_reported(
    world: World,
    family: int,
    start: int,
    size: int,
    ack: int,
    blocks: tuple[tuple[int, int], ...],
) -> None:
    """RFC 2883 4: the first contiguous duplicate, whatever else is new."""
    scene = measured(world, family)
    scene.sends(seq=1000, data=b"x" * 1000)
    scene.sees(ACK)
    scene.sends(seq=start, data=b"x" * size)
    assert scene.sees(ACK, ack=ack).sacks == blocks


def test_without_sack_nothing_is_reported(world: World, family: int) -> None:
    scene = Scene(world, family)
    for _ in range(2):
        scene.sends(data=b"x" * 500)
        world.run(SECOND)
        assert scene.sees(ACK, ack=500).sacks == ()


# Undo.


def test_a_reported_duplicate_undoes_a_spurious_recovery(world: World, family: int) -> None:
    scene = measured(world, family)
    flight(scene)
    before = scene.tcb.cc.window
    sacked(scene, 10, (1010, 4010))
    assert (10, 1000) in scene.sent()
    assert scene.tcb.cc.window < before
    sacked(scene, 4010, (10, 1010))
    assert scene.tcb.cc.ssthresh >= before
    assert scene.tcb.cc.window >= before
    assert not scene.tcb.fast


def test_a_duplicate_that_was_not_sent_again_undoes_nothing(world: World, family: int) -> None:
    scene = measured(world, family)
    flight(scene)
    sacked(scene, 10, (1010, 4010))
    reduced = scene.tcb.cc.ssthresh
    sacked(scene, 10, (0, 5), (1010, 4010))
    assert scene.tcb.cc.ssthresh == reduced


def test_eifel_a_spurious_time_out_is_undone(world: World, family: int) -> None:
    """The echo is older than the retransmission: the original had only been late."""
    scene = Scene(world, family, {"sack_ok": True, "ts": (1000, 0)})
    scene.user.send(bytes(10_000))
    world.run(0)
    first = scene.sees().ts_val
    scene.sent()
    before = scene.tcb.cc.window
    world.run(250 * MS)
    assert scene.tcb.retries == 1
    assert scene.tcb.cc.window < before
    scene.sent()
    scene.sends(ack=2000, ts=(1001, first))
    assert scene.tcb.cc.ssthresh >= before
    assert scene.tcb.retries == 0
    assert scene.sent() == []  # the others are in flight, not lost


def test_eifel_a_real_time_out_stays(world: World, family: int) -> None:
    scene = Scene(world, family, {"sack_ok": True, "ts": (1000, 0)})
    scene.user.send(bytes(10_000))
    world.run(0)
    scene.sent()
    world.run(250 * MS)
    again = [seen.seg for seen in scene.peer.received() if seen.seg is not None]
    reduced = scene.tcb.cc.ssthresh
    scene.sends(ack=1000, ts=(1001, again[-1].ts_val))
    assert scene.tcb.cc.ssthresh == reduced


def test_eifel_judges_the_first_retransmission_only(world: World, family: int) -> None:
    """An echo of the first is older than a later one, which proves nothing (RFC 3522 3.2)."""
    scene = Scene(world, family, {"mss": 1012, "sack_ok": True, "ts": (1000, 0)})
    scene.user.send(bytes(40_000))
    world.run(0)
    original = scene.sees().ts_val
    world.run(RTT)
    sacked(scene, 0, (2000, 6000), ts=(1001, original))
    again = scene.tcb.stamp(world.now)
    assert {(0, 1000), (1000, 1000)} <= set(scene.sent())
    world.run(50 * MS)
    sacked(scene, 1000, (2000, 6000), (7000, 10_000), ts=(1001, again))
    assert (6000, 1000) in scene.sent()
    reduced = scene.tcb.cc.ssthresh
    sacked(scene, 6000, (7000, 10_000), ts=(1001, again))
    assert scene.tcb.cc.ssthresh == reduced
    assert scene.tcb.fast


# F-RTO.


@pytest.mark.parametrize("sack", [False, True])
def test_frto_two_acks_that_advance_undo_a_time_out(world: World, family: int, sack: bool) -> None:
    """RFC 5682 2.1: without timestamps, without SACK: new data first, and then it is known."""
    scene = Scene(world, family, {"sack_ok": sack})
    scene.user.send(bytes(30_000))
    world.run(0)
    assert len(scene.sent()) == 10
    before = scene.tcb.cc.window
    world.run(300 * MS)
    assert set(scene.sent()) <= {(0, 1000), (10_000, 1000)}  # the latter is a tail loss probe
    top = scene.tcb.snd.nxt_at - 1
    assert scene.tcb.cc.window < before
    scene.sends(ack=1000)
    assert scene.sent() == [(top, 1000), (top + 1000, 1000)]
    scene.sends(ack=2000)
    assert scene.tcb.cc.ssthresh >= before
    assert (1000, 1000) not in scene.sent()


def test_frto_a_duplicate_means_that_it_was_lost(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.user.send(bytes(30_000))
    world.run(0)
    scene.sent()
    world.run(300 * MS)
    scene.sent()
    reduced = scene.tcb.cc.ssthresh
    scene.sends(ack=1000)
    assert scene.sent() == [(10_000, 1000), (11_000, 1000)]
    scene.sends(ack=1000)
    assert (1000, 1000) in scene.sent()
    assert scene.tcb.cc.ssthresh == reduced


def test_frto_without_new_data_goes_on_as_always(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.user.send(bytes(5000))
    world.run(0)
    scene.sent()
    world.run(300 * MS)
    scene.sent()
    scene.sends(ack=1000)
    assert scene.sent() == [(1000, 1000), (2000, 1000)]
