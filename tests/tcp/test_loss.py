# SPDX-License-Identifier: MIT
"""Retransmission (RFC 6298), fast retransmit and recovery (RFC 5681, 6582, 6675), windows closed
(RFC 9293 3.8.6.1), path MTU (RFC 1191, 8201), ICMP (RFC 5927)."""

from __future__ import annotations

from itertools import pairwise

import pytest

from stack.base import addr
from stack.base.units import MS, SECOND
from stack.tcp.names import ESTABLISHED
from stack.wire import ipv4, ipv6
from stack.wire.tcp import ACK, FIN, PSH, RST
from tap.impair import Impairment
from tests.harness import Peer, World
from tests.tcp.scenes import Scene
from tests.tcp.test_handshake import active
from tests.tcp.users import joined

# The retransmission timer.


def sample(scene: Scene, rtt: int) -> None:
    """Let the stack measure one round trip."""
    scene.user.send(b"m" * 10, "measure")
    scene.world.run(rtt)
    scene.sent()
    scene.sends(ack=scene.tcb.snd.nxt_at - 1)
    scene.user.events.clear()


def test_estimator_by_rfc6298s_formulas(world: World, family: int) -> None:
    scene = Scene(world, family)
    rtt = scene.tcb.rtt
    rtt.srtt = rtt.var = 0
    sample(scene, 100 * MS)
    assert (rtt.srtt, rtt.var) == (100 * MS, 50 * MS)
    assert rtt.rto == 300 * MS
    sample(scene, 200 * MS)
    assert rtt.var == (3 * 50 * MS + 100 * MS) // 4
    assert rtt.srtt == (7 * 100 * MS + 200 * MS) // 8


def test_time_out_sends_the_first_segment_and_backs_off(world: World, family: int) -> None:
    scene = Scene(world, family, tcp_congestion="reno")
    sample(scene, 100 * MS)
    base = scene.tcb.snd.una_at - 1
    scene.user.send(bytes(3000))
    world.run(0)
    assert len(scene.sent()) == 3
    start = world.now
    times: list[float] = []
    rto = scene.tcb.rtt.rto
    while len(times) < 4:
        world.run(MS)
        for found in scene.sent():
            assert found == (base, 1000)  # CC-6: the window is one segment now
            times.append((world.now - start) / rto)
    assert [round(t) for t in times] == [1, 3, 7, 15]
    assert scene.tcb.cc.window == 1000
    assert scene.tcb.cc.ssthresh == 2000


def test_after_a_time_out_the_rest_follows_in_slow_start(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.user.send(bytes(6000))
    world.run(0)
    scene.sent()
    world.run(SECOND)
    sent = scene.sent()
    assert set(sent) == {(0, 1000)}
    scene.sends(ack=1000)
    assert scene.sent() == [(1000, 1000), (2000, 1000)]
    scene.sends(ack=3000)
    assert scene.sent() == [(3000, 1000), (4000, 1000), (5000, 1000)]
    scene.sends(ack=6000)
    assert scene.user.events == [("send", "OK", 6000)]
    assert scene.host.tcp_timers() == []


def test_karn_no_sample_from_a_retransmission(world: World, family: int) -> None:
    scene = Scene(world, family)
    sample(scene, 100 * MS)
    before = scene.tcb.rtt.srtt
    scene.user.send(b"lost")
    world.run(2 * SECOND)
    scene.sent()
    backoff = scene.tcb.rtt.backoff
    scene.sends(ack=14)
    assert scene.tcb.rtt.srtt == before
    assert scene.tcb.rtt.backoff == backoff  # RFC 6298 5.7: until new data is measured
    sample(scene, 100 * MS)
    assert scene.tcb.rtt.backoff == 0


def test_timestamps_disambiguate_retransmissions(world: World, family: int) -> None:
    """RTO-6: with the echoed timestamp a retransmission can be measured."""
    scene = Scene(world, family, {"ts": (10, 0)})
    scene.user.send(b"lost")
    world.run(2 * SECOND)
    stamps = [s.seg.ts_val for s in scene.peer.received() if s.seg]
    scene.peer.inbox.clear()
    world.run(30 * MS)
    scene.sends(ack=4, ts=(20, stamps[-1]))
    assert scene.tcb.rtt.backoff == 0
    assert scene.tcb.rtt.srtt > 0


def test_r2_ends_the_connection_after_two_minutes(world: World, family: int) -> None:
    """MUST-20, SHLD-11."""
    scene = Scene(world, family)
    scene.user.send(b"into the void")
    start = world.now
    while len(scene.user.events) < 2:
        world.run(SECOND)
        scene.peer.received()
        assert world.now - start < 300 * SECOND
    assert world.now - start >= 100 * SECOND
    assert scene.user.events == [("send", "TIMED_OUT", 0), ("aborted", "TIMED_OUT")]
    assert scene.host.tcp_timers() == []


def test_progress_keeps_a_slow_connection_alive(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.user.send(bytes(20_000))
    for number in range(1, 20):
        world.run(60 * SECOND)
        scene.sends(ack=1000 * number)
    assert scene.tcb.state == ESTABLISHED


# Fast retransmit and recovery.


def flight(scene: Scene) -> None:
    """Ten segments of 1000 octets are out, and more is queued."""
    scene.user.send(bytes(40_000))
    scene.world.run(0)
    assert scene.sent() == [(1000 * n, 1000) for n in range(10)]


def test_third_duplicate_retransmits(world: World, family: int) -> None:
    """CC-8, CC-9: limited transmit for the first two, fast retransmit with the third."""
    scene = Scene(world, family, tcp_congestion="reno")
    flight(scene)
    scene.sends(ack=0)
    assert scene.sent() == [(10_000, 1000)]
    scene.sends(ack=0)
    assert scene.sent() == [(11_000, 1000)]
    scene.sends(ack=0)
    assert scene.sent() == [(0, 1000)]
    assert scene.tcb.cc.ssthresh == 5000  # half of what was out before limited transmit
    assert scene.tcb.fast


def test_more_duplicates_let_new_data_out(world: World, family: int) -> None:
    scene = Scene(world, family, tcp_congestion="reno")
    flight(scene)
    out = 0
    for _ in range(9):
        scene.sends(ack=0)
        out += len(scene.sent())
    # 2 by limited transmit, 1 retransmission, then a new one for each that leaves below 5.
    assert out == 2 + 1 + 2
    scene.sends(ack=10_000)
    assert scene.tcb.fast


def test_partial_acknowledgment_retransmits_the_next_hole(world: World, family: int) -> None:
    """NR-2."""
    scene = Scene(world, family)
    flight(scene)
    for _ in range(3):
        scene.sends(ack=0)
    scene.sent()
    scene.sends(ack=3000)
    assert (3000, 1000) in scene.sent()
    assert scene.tcb.fast


def test_full_acknowledgment_ends_recovery(world: World, family: int) -> None:
    """NR-3."""
    scene = Scene(world, family)
    flight(scene)
    for _ in range(3):
        scene.sends(ack=0)
    scene.sent()
    scene.sends(ack=12_000)
    assert not scene.tcb.fast
    assert scene.tcb.cc.window <= scene.tcb.cc.ssthresh + 1000


def test_a_window_update_is_no_duplicate(world: World, family: int) -> None:
    scene = Scene(world, family)
    flight(scene)
    for win in (60_000, 61_000, 62_000, 63_000):
        scene.sends(ack=0, win=win)
    assert (0, 1000) not in scene.sent()


def test_segments_with_data_are_no_duplicates(world: World, family: int) -> None:
    scene = Scene(world, family)
    flight(scene)
    for number in range(4):
        scene.sends(seq=number, ack=0, data=b"d")
    assert (0, 1000) not in scene.sent()


def test_sack_recovery_sends_exactly_the_holes(world: World, family: int) -> None:
    """RFC 6675, which counts what is reported above a hole."""
    scene = Scene(world, family, {"sack_ok": True}, tcp_rack=False, tcp_congestion="reno")
    flight(scene)
    scene.sends(ack=0, sacks=[(scene.iss + 2001, scene.iss + 3001)])
    scene.sends(ack=0, sacks=[(scene.iss + 2001, scene.iss + 4001)])
    scene.sent()
    scene.sends(
        ack=0,
        sacks=[
            (scene.iss + 5001, scene.iss + 9001),
            (scene.iss + 2001, scene.iss + 4001),
        ],
    )
    again = [start for start, _ in scene.sent() if start < 10_000]
    assert again == [0, 1000]  # as far as cwnd less the pipe allows
    scene.sends(ack=1000, sacks=[(scene.iss + 5001, scene.iss + 10_001)])
    again += [start for start, _ in scene.sent() if start < 10_000]
    assert again == [0, 1000, 4000]


def test_sack_blocks_and_full_segments_do_not_share_a_packet(world: World, family: int) -> None:
    """Both directions lose: blocks must never push a full segment over the MTU."""
    mss = 1460 if family == addr.V4 else 1440
    scene = Scene(world, family, {"sack_ok": True, "mss": mss})
    scene.user.send(bytes(2 * mss))
    world.run(0)
    scene.sent()
    scene.sends(seq=1000, data=b"ahead")
    assert scene.sees(ACK, ack=0).sacks
    scene.sends(ack=2 * mss, seq=2000, data=b"further ahead")
    assert scene.sees(ACK).sacks
    scene.user.send(bytes(2 * mss))
    scene.sends(ack=2 * mss, seq=3000, data=b"and more")
    world.run(0)
    full = [scene.sees(length=mss, sacks=()), scene.sees(length=mss, sacks=())]
    assert all(seg.length == mss for seg in full)
    assert len(scene.sees(ACK, length=0).sacks) == 3  # what was owed is still said
    scene.user.send(bytes(500))
    world.run(0)
    assert scene.sees(length=500).sacks


def test_a_super_segment_is_split_by_sack(world: World, family: int) -> None:
    """One span on the scoreboard, one hole in the middle: only the hole goes again."""
    scene = Scene(world, family, {"sack_ok": True})
    scene.user.send(bytes(10_000))
    world.run(0)
    assert len(scene.tcb.board) == 1
    scene.sent()
    scene.sends(ack=3000, sacks=[(scene.iss + 4001, scene.iss + 10_001)])
    world.run(0)
    assert scene.sent() == [(3000, 1000)]


@pytest.mark.parametrize(
    "block",
    [(5, 1), (0, 0), (-5000, -4000), (20_000, 30_000), (0, 2**31), (9000, 10_001), (-10, 10)],
)
def test_absurd_sack_blocks_change_nothing(
    world: World, family: int, block: tuple[int, int]
) -> None:
    scene = Scene(world, family, {"sack_ok": True})
    flight(scene)
    base = scene.iss + 1
    for _ in range(3):
        scene.sends(ack=0, sacks=[(base + block[0], base + block[1])])
    assert scene.tcb.board.sacked == 0
    assert (0, 1000) not in scene.sent()


def test_single_octets_reported_do_not_fill_memory(world: World, family: int) -> None:
    """Each block of one octet would split a span in three."""
    scene = Scene(world, family, {"sack_ok": True}, tcp_scoreboard_limit=100)
    flight(scene)
    base = scene.iss + 1
    for at in range(1, 8000, 8):
        blocks = [(base + at + n, base + at + n + 1) for n in (0, 2, 4, 6)]
        scene.sends(ack=0, sacks=blocks)
        scene.peer.received()
        scene.peer.inbox.clear()
    assert len(scene.tcb.board) < 200
    scene.sends(ack=scene.tcb.snd.nxt_at - 1)
    world.run(SECOND)
    scene.sends(ack=scene.tcb.snd.nxt_at - 1)
    assert len(scene.tcb.board) <= 40


def test_reneging_is_survived(world: World, family: int) -> None:
    """RFC 2018 8: what was SACKed may be dropped by the receiver; the time-out forgets SACKs."""
    scene = Scene(world, family, {"sack_ok": True})
    scene.user.send(bytes(4000))
    world.run(0)
    scene.sent()
    scene.sends(ack=0, sacks=[(scene.iss + 1001, scene.iss + 4001)])
    world.run(0)
    scene.sent()
    scene.sends(ack=1000)
    world.run(2 * SECOND)
    assert (1000, 1000) in scene.sent()
    scene.sends(ack=4000)
    assert scene.user.events == [("send", "OK", 4000)]


def test_lost_retransmission_waits_for_the_time_out(world: World, family: int) -> None:
    scene = Scene(world, family)
    flight(scene)
    for _ in range(3):
        scene.sends(ack=0)
    assert (0, 1000) in scene.sent()
    world.run(SECOND)
    assert (0, 1000) in scene.sent()
    assert not scene.tcb.fast


# Congestion window.


def test_initial_window_is_ten_segments(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.user.send(bytes(50_000))
    world.run(0)
    assert sum(length for _, length in scene.sent()) == 10_000


def test_slow_start_then_congestion_avoidance(world: World, family: int) -> None:
    scene = Scene(world, family, tcp_congestion="reno")
    scene.tcb.cc.ssthresh = 14_000
    scene.user.send(bytes(500_000))
    world.run(0)
    sent = sum(length for _, length in scene.sent())
    windows = []
    acked = 0
    for _ in range(40):
        acked += 1000
        scene.sends(ack=acked, win=65535)
        sent += sum(length for _, length in scene.sent())
        windows.append(scene.tcb.cc.window)
    assert windows[:4] == [11_000, 12_000, 13_000, 14_000]
    assert windows[16] == 14_000
    assert windows[17] == 15_000  # one segment per window, not per ACK


def test_an_unused_window_does_not_grow(world: World, family: int) -> None:
    """RFC 7661's point: what was not used proves nothing."""
    scene = Scene(world, family)
    for number in range(20):
        scene.user.send(bytes(1000))
        world.run(0)
        scene.sent()
        scene.sends(ack=1000 * (number + 1))
    assert scene.tcb.cc.window == 10_000


def test_idleness_shrinks_the_window(world: World, family: int) -> None:
    """CC-11."""
    scene = Scene(world, family)
    scene.user.send(bytes(30_000))
    world.run(0)
    acked = 0
    while acked < 30_000:
        acked += 1000
        scene.sends(ack=acked)
    assert scene.tcb.cc.window > 10_000
    world.run(10 * SECOND)
    scene.sent()
    scene.user.send(bytes(30_000))
    world.run(0)
    assert sum(length for _, length in scene.sent()) == 10_000


# A closed window.


def test_zero_window_is_probed_with_backoff_and_for_ever(world: World, family: int) -> None:
    """MUST-36, MUST-37, SHLD-29, SHLD-30."""
    scene = Scene(world, family)
    scene.sends(win=0)
    scene.user.send(bytes(5000))
    world.run(0)
    assert scene.sent() == []
    start = world.now
    times: list[float] = []
    while len(times) < 12:
        world.run(20 * MS)
        for found in scene.sent():
            assert found == (0, 1)
            times.append((world.now - start) / SECOND)
            scene.sends(ack=0, win=0)
    gaps = [b - a for a, b in pairwise(times)]
    assert 0.15 < times[0] < 1.1
    assert all(1.7 < b / a < 2.3 for a, b in pairwise(gaps[:8]))
    for _ in range(60):
        world.run(60 * SECOND)
        scene.sent()
        scene.sends(ack=0, win=0)
    assert scene.tcb.state == ESTABLISHED
    assert scene.user.events == []


def test_window_that_opens_is_used_at_once(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.sends(win=0)
    scene.user.send(bytes(5000))
    world.run(5 * SECOND)
    scene.sent()
    scene.sends(ack=0, win=65535)
    sent = scene.sent()
    assert sum(length for _, length in sent) == 5000
    scene.sends(ack=5000)
    assert scene.user.events == [("send", "OK", 5000)]
    assert scene.host.tcp_timers() == []


def test_a_probe_that_is_accepted_counts(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.sends(win=0)
    scene.user.send(bytes(3000))
    world.run(SECOND)
    scene.sent()
    scene.sends(ack=1, win=2000)
    assert scene.sent() == [(1, 1000), (1001, 1000)]


def test_unanswered_probes_end_the_connection(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.sends(win=0)
    scene.user.send(bytes(3000))
    for _ in range(400):
        world.run(SECOND)
        scene.peer.received()
    assert scene.user.events == [("send", "TIMED_OUT", 0), ("aborted", "TIMED_OUT")]


def test_a_shrunk_window_is_survived(world: World, family: int) -> None:
    """MUST-34, SHLD-15, MUST-35."""
    scene = Scene(world, family)
    scene.user.send(bytes(8000))
    world.run(0)
    assert len(scene.sent()) == 8
    scene.sends(ack=1000, win=2000)
    scene.user.send(bytes(5000))
    world.run(0)
    assert scene.sent() == []
    scene.sends(ack=3000, win=0)
    world.run(20 * SECOND)
    assert {start for start, _ in scene.sent()} == {3000}
    scene.sends(ack=8000, win=9000)
    assert sum(length for _, length in scene.sent()) == 5000


def test_a_window_too_small_for_a_segment_is_used_in_the_end(world: World, family: int) -> None:
    """MUST-38: silly window avoidance has an override timer."""
    scene = Scene(world, family)
    scene.sends(win=100)
    scene.user.send(bytes(3000))
    world.run(0)
    assert scene.sent() == []
    world.run(SECOND)
    assert scene.sent()[0] == (0, 100)


# Path MTU and ICMP.


_ERRORS = {
    addr.V4: {"big": (3, 4), "port": (3, 3), "host": (3, 1), "ttl": (11, 0)},
    addr.V6: {"big": (2, 0), "port": (1, 4), "host": (1, 3), "ttl": (3, 0)},
}


def quote(peer: Peer, what: str, ports: tuple[int, int], seq: int, mtu: int = 0) -> None:
    """An ICMP error that quotes a segment of the stack's."""
    head = b"".join(port.to_bytes(2, "big") for port in ports)
    head += (seq & 0xFFFFFFFF).to_bytes(4, "big") + bytes(12)
    if peer.family == addr.V4:
        inner = ipv4.build(0, 40, 1, 0, 64, 6, peer.theirs, peer.mine) + head
    else:
        inner = ipv6.build(0, 0, 20, 6, 64, peer.theirs, peer.mine) + head
    kind, code = _ERRORS[peer.family][what]
    peer.sends_icmp(kind, code, mtu, inner)
    peer.world.run(0)


def icmp_about(scene: Scene, what: str, mtu: int = 0, seq: int = 0) -> None:
    """One about the segment at offset `seq` of the scene's connection."""
    quote(scene.peer, what, (80, scene.peer.sport), scene.iss + 1 + seq, mtu)


def test_path_mtu_report_resends_in_smaller_pieces(world: World, family: int) -> None:
    """RFC 1191 6.5, PM-5: at once, and not as congestion."""
    scene = Scene(world, family, {"mss": 1400})
    scene.user.send(bytes(5600))
    world.run(0)
    assert scene.sent()[0] == (0, 1400)
    window = scene.tcb.cc.window
    icmp_about(scene, "big", 1300)
    sizes = [length for _, length in scene.sent()]
    expected = 1260 if family == addr.V4 else 1240
    assert max(sizes) == expected
    assert sum(sizes) == 5600
    assert scene.tcb.cc.window >= window * expected // 1400 - 1400


@pytest.mark.parametrize("limit", [1400, 1290, 700])
def test_a_black_hole_is_found(world: World, family: int, limit: int) -> None:
    """RFC 4821 7.7: what is too large vanishes, and no ICMP message says so."""
    hole = Impairment(drop=lambda number, frame: len(frame) > limit)
    a, b = world.pair(there=hole, offload=False)
    client, server = joined(world, a, b, family)
    client.send(bytes(200_000))
    world.run(60 * SECOND)
    smallest = 1280 if family == addr.V6 else 576
    assert (len(server.data) == 200_000) == (limit >= smallest + 14)


def test_an_outage_is_no_black_hole_for_small_segments(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.user.send(bytes(500))
    world.run(30 * SECOND)
    assert scene.tcb.path.mtu == 1500


def test_forged_path_mtu_report_is_not_believed(world: World, family: int) -> None:
    """RFC 5927 4.1: it must quote something in flight."""
    scene = Scene(world, family, {"mss": 1400})
    icmp_about(scene, "big", 1300, seq=5)
    scene.user.send(bytes(2800))
    world.run(0)
    scene.sent()
    icmp_about(scene, "big", 1300, seq=-100)
    icmp_about(scene, "big", 1300, seq=2800)
    assert scene.tcb.path.mtu == 1500


@pytest.mark.parametrize("what", ["port", "host", "ttl"])
def test_icmp_errors_do_not_end_an_established_connection(
    world: World, family: int, what: str
) -> None:
    """MUST-56; hard errors too are only advice now (RFC 5927 5.2)."""
    scene = Scene(world, family)
    scene.user.send(b"data")
    world.run(0)
    scene.sent()
    icmp_about(scene, what)
    assert scene.tcb.state == ESTABLISHED
    world.run(200 * SECOND)
    # But they explain the time-out when it comes (SHLD-25).
    assert scene.user.events[-1][0] == "aborted"
    assert scene.user.events[-1][1] in ("HOST_UNREACHABLE", "PORT_UNREACHABLE")


@pytest.mark.parametrize(("what", "fatal"), [("port", True), ("host", False), ("ttl", False)])
def test_icmp_errors_while_connecting(world: World, family: int, what: str, fatal: bool) -> None:
    """Hard errors end the attempt (SHLD-26), soft ones do not (MUST-56)."""
    _, peer, user = active(world, family)
    syn = peer.sees()
    quote(peer, what, (peer.dport, peer.sport), syn.seq)
    assert bool(user.events) == fatal


# Timestamps and PAWS (RFC 7323).


def test_timestamps_on_every_segment(world: World, family: int) -> None:
    scene = Scene(world, family, {"ts": (1000, 0)})
    scene.sends(data=b"x", ts=(1005, 0))
    world.run(50 * MS)
    assert scene.sees(ACK).ts_ecr == 1005
    scene.user.send(b"y")
    scene.user.stream.disconnect("d")
    world.run(0)
    seg = scene.sees(ACK | PSH | FIN)
    assert (seg.has_ts, seg.ts_ecr) == (True, 1005)


def test_old_timestamps_are_answered_and_dropped(world: World, family: int) -> None:
    """TS-5."""
    scene = Scene(world, family, {"ts": (1000, 0)})
    scene.sends(data=b"old", ts=(900, 0))
    scene.sees(ACK, ack=0)
    assert scene.host.drops() == {"tcp_paws": 1}
    assert scene.user.data == b""


def test_a_refused_segment_sets_no_timestamp(world: World, family: int) -> None:
    """RFC 5961 5.2 refuses the ACK: its timestamp must not make PAWS drop what follows."""
    scene = Scene(world, family, {"ts": (1000, 0)})
    scene.sends(ack=5000, ts=(500_000, 0))
    scene.sees(ACK)
    scene.sends(ACK | PSH, data=b"x" * 10, ts=(1001, 0))
    assert scene.user.data == b"x" * 10


def test_timestamps_wrap(world: World, family: int) -> None:
    scene = Scene(world, family, {"ts": (0xFFFFFFF0, 0)})
    scene.sends(data=b"a", ts=(0xFFFFFFFE, 0))
    scene.sends(seq=1, data=b"b", ts=(5, 0))
    assert scene.user.data == b"ab"


def test_missing_timestamps_are_dropped(world: World, family: int) -> None:
    """TS-2."""
    scene = Scene(world, family, {"ts": (1000, 0)})
    scene.sends(data=b"x")
    scene.sees_nothing(100 * MS)
    assert scene.host.drops() == {"tcp_no_timestamp": 1}


def test_resets_are_not_subject_to_paws(world: World, family: int) -> None:
    """TS-6."""
    scene = Scene(world, family, {"ts": (1000, 0)})
    scene.sends(RST, ts=(1, 0))
    assert scene.user.events == [("aborted", "RESET")]


def test_delayed_ack_echoes_the_earliest(world: World, family: int) -> None:
    """TS-4."""
    scene = Scene(world, family, {"ts": (1000, 0)})
    scene.sends(data=b"x" * 100, ts=(1010, 0))
    scene.sends(seq=100, data=b"x" * 100, ts=(1020, 0))
    world.run(50 * MS)
    assert scene.sees(ACK, ack=200).ts_ecr == 1010


def test_out_of_order_does_not_move_ts_recent(world: World, family: int) -> None:
    scene = Scene(world, family, {"ts": (1000, 0)})
    scene.sends(seq=1000, data=b"x" * 1000, ts=(1050, 0))
    assert scene.sees(ACK, ack=0).ts_ecr == 1001
    scene.sends(data=b"x" * 1000, ts=(1040, 0))
    assert scene.sees(ACK, ack=2000).ts_ecr == 1040


def test_paws_expires_after_24_days(world: World, family: int) -> None:
    scene = Scene(world, family, {"ts": (1000, 0)})
    world.run(25 * 24 * 3600 * SECOND)
    scene.sends(data=b"from another age", ts=(1, 0))
    assert scene.user.data == b"from another age"


def test_unasked_timestamps_are_ignored(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.sends(data=b"x", ts=(7, 7))
    assert scene.user.data == b"x"
    world.run(50 * MS)
    assert not scene.sees(ACK).has_ts
