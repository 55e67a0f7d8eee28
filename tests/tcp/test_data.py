# SPDX-License-Identifier: MIT
"""Data in and out: acknowledging, reordering, Nagle, PSH, windows seen from both sides."""

from __future__ import annotations

import pytest

from stack.base import fate
from stack.base.units import MS, SECOND
from stack.tcp.names import ESTABLISHED
from stack.transport.seam import OPTION_NODELAY, SEND_NODELAY, SEND_URGENT
from stack.wire.tcp import ACK, FIN, PSH, RST, SYN, URG
from tests.harness import World, quiet
from tests.tcp.scenes import Scene
from tests.tcp.users import serve

# Acknowledging (RFC 9293 3.8.6.3, RFC 5681 4.2).


def test_one_small_segment_is_acknowledged_late(world: World, family: int) -> None:
    """SHLD-18, MUST-40."""
    scene = Scene(world, family)
    scene.sends(ACK | PSH, data=b"x" * 1000)
    scene.sees_nothing(39 * MS)
    world.run(2 * MS)
    scene.sees(ACK, ack=1000)


def test_every_second_full_segment_at_once(world: World, family: int) -> None:
    """SHLD-19."""
    scene = Scene(world, family)
    scene.sends(data=bytes(1000))
    scene.sees_nothing()
    scene.sends(seq=1000, data=bytes(1000))
    scene.sees(ACK, ack=2000)
    scene.sees_nothing(100 * MS)


def test_a_burst_is_acknowledged_once(world: World, family: int) -> None:
    """MUST-58, MUST-59: all that is queued is processed before an ACK is sent."""
    scene = Scene(world, family)
    for number in range(10):
        segment = scene.peer.segment(
            ACK, seq=101 + 1000 * number, ack=scene.iss + 1, data=bytes(1000)
        )
        scene.peer.packet(6, segment)
    world.run(0)
    scene.sees(ACK, ack=10_000)
    scene.sees_nothing(100 * MS)


def test_data_going_back_carries_the_ack(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.sends(data=b"question")
    scene.user.send(b"answer")
    world.run(0)
    scene.sees(ACK | PSH, ack=8, data=b"answer")
    scene.sees_nothing(100 * MS)


def test_out_of_order_is_kept_and_acknowledged_at_once(world: World, family: int) -> None:
    """SHLD-31, MAY-13, RFC 5681 4.2."""
    scene = Scene(world, family)
    scene.sends(seq=1000, data=b"b" * 1000)
    scene.sees(ACK, ack=0)
    assert scene.user.data == b""
    scene.sends(seq=2000, data=b"c" * 1000)
    scene.sees(ACK, ack=0)
    scene.sends(data=b"a" * 1000)
    scene.sees(ACK, ack=3000)
    assert scene.user.data == b"a" * 1000 + b"b" * 1000 + b"c" * 1000


def test_filling_part_of_a_gap_is_acknowledged_at_once(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.sends(seq=2000, data=bytes(1000))
    scene.sees(ACK, ack=0)
    scene.sends(data=bytes(1000))
    scene.sees(ACK, ack=1000)


def test_duplicates_are_acknowledged_at_once(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.sends(data=b"hello")
    world.run(50 * MS)
    scene.sees(ACK, ack=5)
    scene.sends(data=b"hello")
    scene.sees(ACK, ack=5)
    assert scene.user.data == b"hello"


def test_overlaps_are_trimmed(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.sends(data=b"abcdef")
    scene.sends(seq=3, data=b"DEFghi")
    scene.sends(seq=0, data=b"ABCDEFGHIjkl")
    assert scene.user.data == b"abcdefghijkl"


def test_sack_blocks_newest_first(world: World, family: int) -> None:
    """RFC 2018 4."""
    scene = Scene(world, family, {"sack_ok": True})
    for start in (1000, 3000, 5000, 7000, 9000):
        scene.sends(seq=start, data=bytes(1000))
    segs = [scene.sees(ACK, ack=0) for _ in range(5)]
    relative = [[((a - 101), (b - 101)) for a, b in seg.sacks] for seg in segs]
    assert relative[0] == [(1000, 2000)]
    assert relative[4] == [(9000, 10000), (7000, 8000), (5000, 6000), (3000, 4000)]
    scene.sends(seq=2000, data=bytes(1000))
    last = scene.sees(ACK, ack=0)
    assert (last.sacks[0][0] - 101, last.sacks[0][1] - 101) == (1000, 4000)


def test_three_sack_blocks_beside_timestamps(world: World, family: int) -> None:
    scene = Scene(world, family, {"sack_ok": True, "ts": (1, 0)})
    for start in (1000, 3000, 5000, 7000):
        scene.sends(seq=start, data=bytes(1000), ts=(3, 0))
    segs = [scene.sees(ACK) for _ in range(4)]
    assert [len(seg.sacks) for seg in segs] == [1, 2, 3, 3]


def test_no_sack_without_permission(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.sends(seq=1000, data=bytes(1000))
    assert scene.sees(ACK).sacks == ()


def test_out_of_order_memory_is_bounded(world: World, family: int) -> None:
    scene = Scene(world, family, tcp_reorder_limit=10)
    for number in range(40):
        scene.sends(seq=1000 + 20 * number, data=bytes(10))
    assert scene.host.drops() == {"tcp_queue_full": 30}
    scene.sends(data=bytes(2000))
    assert len(scene.user.data) == 2000


# The receiver's window.


def test_window_shrinks_and_opens_with_the_user(world: World, family: int) -> None:
    scene = Scene(world, family, tcp_receive_buffer=10_000)
    scene.user.keep = True
    for number in range(10):
        scene.sends(seq=1000 * number, data=bytes(1000))
    windows = []
    while scene.peer.received():
        windows.append(scene.sees(ACK).wnd)
    assert windows == [8000, 6000, 4000, 2000, 0]
    scene.user.stream.grant(1000)
    scene.sees_nothing(SECOND)  # MUST-39: no silly little opening
    scene.user.stream.grant(9000)
    world.run(0)
    scene.sees(ACK, ack=10_000, wnd=10_000)


def test_right_edge_never_moves_left(world: World, family: int) -> None:
    """SHLD-14, with odd sizes and a scaled window."""
    scene = Scene(world, family, {"wscale": 7}, tcp_receive_buffer=300_000)
    scene.user.limit = 0
    offset, edge = 0, 0
    for size in (1, 999, 7, 1000, 1000, 3, 512, 1000):
        scene.sends(seq=offset, data=bytes(size))
        offset += size
        world.run(50 * MS)
        while scene.peer.received():
            seg = scene.sees(ACK)
            right = seg.ack + (seg.wnd << scene.tcb.rcv.wscale)
            assert right >= edge
            edge = right


def test_data_beyond_the_window_is_cut_off(world: World, family: int) -> None:
    scene = Scene(world, family, tcp_receive_buffer=5000)
    scene.user.keep = True
    scene.sends(data=bytes(4000) + b"y" * 2000)
    scene.sees(ACK, ack=5000, wnd=0)
    assert len(scene.user.data) == 5000


def test_segments_outside_the_window_are_answered_and_dropped(world: World, family: int) -> None:
    scene = Scene(world, family, tcp_receive_buffer=5000)
    for seq in (5000, 70_000, -4, 2**31):
        scene.sends(seq=seq, data=b"zzz")
        scene.sees(ACK, ack=0)
    assert scene.host.drops() == {"tcp_window": 4}
    assert scene.user.data == b""


def test_zero_window_still_takes_acks_and_resets(world: World, family: int) -> None:
    """MUST-66."""
    scene = Scene(world, family, tcp_receive_buffer=2000)
    scene.user.keep = True
    scene.user.send(b"ours")
    world.run(0)
    scene.sees(ACK | PSH)
    scene.sends(data=bytes(2000))
    scene.sees(ACK, wnd=0)
    scene.sends(seq=2000, ack=4, data=b"beyond")
    scene.sees(ACK, ack=2000)
    assert scene.user.events == [("send", "OK", 4)]
    scene.sends(RST, seq=2000)
    assert scene.user.events[-1] == ("aborted", "RESET")


def test_window_probe_is_answered(world: World, family: int) -> None:
    scene = Scene(world, family, tcp_receive_buffer=2000)
    scene.user.keep = True
    scene.sends(data=bytes(2000))
    scene.sees(ACK, wnd=0)
    scene.sends(seq=2000, data=b"p")
    scene.sees(ACK, ack=2000, wnd=0)
    scene.sends(seq=1999, data=b"p")
    scene.sees(ACK, ack=2000, wnd=0)


def test_partly_taken_data_waits_for_resume(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.user.limit = 3
    scene.sends(data=b"abcdef")
    scene.sends(seq=6, data=b"ghi")
    assert (scene.user.data, scene.user.calls) == (b"abc", 1)
    scene.user.limit = 100
    scene.user.stream.resume()
    world.run(0)
    assert scene.user.data == b"abcdefghi"


def test_fin_is_told_only_behind_all_data(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.user.limit = 3
    scene.sends(ACK | FIN, data=b"abcdef")
    assert scene.user.events == []
    scene.user.limit = 100
    scene.user.stream.resume()
    world.run(0)
    assert scene.user.data == b"abcdef"
    assert scene.user.events == ["finished"]


# The sender: segmenting, PSH, Nagle.


def test_full_segments_and_push_at_the_end(world: World, family: int) -> None:
    """SHLD-28, MUST-61."""
    scene = Scene(world, family)
    scene.user.send(bytes(2500))
    world.run(0)
    assert [
        (s.seg.length, s.seg.flags & PSH) for s in scene.peer.received() if s.seg is not None
    ] == [(1000, 0), (1000, 0), (500, PSH)]


def test_nagle_holds_a_second_small_segment(world: World, family: int) -> None:
    """SHLD-7."""
    scene = Scene(world, family)
    scene.user.send(b"one")
    world.run(0)
    scene.user.send(b"two")
    scene.user.send(b"three")
    world.run(0)
    assert scene.sent() == [(0, 3)]
    scene.sends(ack=3)
    assert scene.sent() == [(3, 8)]


def test_nagle_can_be_switched_off(world: World, family: int) -> None:
    """MUST-17."""
    scene = Scene(world, family)
    scene.user.stream.set_option(OPTION_NODELAY, 1)
    for text in (b"one", b"two", b"three"):
        scene.user.send(text)
        world.run(0)
    assert scene.sent() == [(0, 3), (3, 3), (6, 5)]


def test_nodelay_for_one_send_pushes_what_is_before_it(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.user.send(b"one")
    world.run(0)
    scene.user.send(b"two")
    scene.user.send(b"three", flags=SEND_NODELAY)
    world.run(0)
    assert scene.sent() == [(0, 3), (3, 8)]


def test_small_sends_are_gathered(world: World, family: int) -> None:
    scene = Scene(world, family)
    for number in range(300):
        scene.user.send(bytes((number & 0xFF,)), token=number)
    world.run(0)
    assert scene.sent() == [(0, 300)]
    scene.sends(ack=300)
    assert [event[0] for event in scene.user.events] == list(range(300))


def test_sends_complete_when_acknowledged_and_not_before(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.user.send(bytes(1500), "first")
    scene.user.send(bytes(1500), "second")
    world.run(0)
    assert scene.user.events == []
    scene.sends(ack=1499)
    assert scene.user.events == []
    scene.sends(ack=1500)
    assert scene.user.events == [("first", "OK", 1500)]
    scene.sends(ack=3000)
    assert scene.user.events == [("first", "OK", 1500), ("second", "OK", 1500)]


def test_empty_sends_complete(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.user.send(b"")
    world.run(0)
    assert scene.user.events == [("send", "OK", 0)]
    scene.sees_nothing()


def test_sender_obeys_the_peers_window(world: World, family: int) -> None:
    scene = Scene(world, family, {"win": 2500})
    scene.user.send(bytes(10_000))
    world.run(0)
    assert scene.sent() == [(0, 1000), (1000, 1000)]  # MUST-38: not the 500 that are left
    scene.sends(ack=2000, win=2500)
    assert scene.sent() == [(2000, 1000), (3000, 1000)]


def test_a_small_window_is_used_up_to_its_half(world: World, family: int) -> None:
    """A receiver whose whole buffer is below a segment must not stall us (RFC 9293 3.8.6.2.1)."""
    scene = Scene(world, family, {"win": 600})
    scene.user.send(bytes(3000))
    world.run(0)
    assert scene.sent() == [(0, 600)]
    scene.sends(ack=600, win=600)
    assert scene.sent() == [(600, 600)]


def test_old_segments_do_not_update_the_window(world: World, family: int) -> None:
    """RFC 9293 3.10.7.4: SND.WL1, SND.WL2."""
    scene = Scene(world, family)
    scene.sends(seq=0, data=b"abc", win=3000)
    assert scene.tcb.snd.wnd == 3000
    scene.user.send(bytes(10))
    world.run(0)
    scene.sends(seq=3, ack=10, win=4000)
    assert scene.tcb.snd.wnd == 4000
    scene.sends(seq=3, ack=5, win=9000)
    assert scene.tcb.snd.wnd == 4000


def test_window_is_unsigned(world: World, family: int) -> None:
    """MUST-1."""
    scene = Scene(world, family, {"win": 0xFFFF})
    assert scene.tcb.snd.wnd == 65535


# Urgent data (RFC 9293 3.8.5, RFC 6093).


def test_urgent_data_is_in_line_and_marked(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.sends(ACK | URG, data=b"look here", up=4)
    assert scene.user.data == b"look here"
    assert scene.user.events == [("urgent", 4)]
    scene.user.send(b"watch out", flags=SEND_URGENT)
    world.run(0)
    seg = scene.sees(ACK | URG | PSH, data=b"watch out")
    assert seg.up == 9  # MUST-62: the octet after the urgent data


# Odd segments.


@pytest.mark.parametrize("flags", [0, PSH, FIN, URG])
def test_segments_without_ack_are_dropped(world: World, family: int, flags: int) -> None:
    scene = Scene(world, family)
    scene.sends(flags, data=b"x")
    scene.sees_nothing(100 * MS)
    assert scene.host.drops() == {"tcp_no_ack": 1}
    assert scene.tcb.state == ESTABLISHED


def test_header_length_fields(world: World, family: int) -> None:
    scene = Scene(world, family)
    for words in (0, 4, 15):
        segment = bytearray(scene.peer.segment(ACK, seq=101, ack=scene.iss + 1, data=b"x"))
        segment[12] = words << 4
        fixed = scene.peer.checked(6, bytes(segment), 16, scene.peer.mine, scene.peer.theirs)
        blank = fixed[:16] + b"\0\0" + fixed[18:]
        scene.peer.packet(6, scene.peer.checked(6, blank, 16, scene.peer.mine, scene.peer.theirs))
    scene.peer.packet(6, bytes(19))
    world.run(0)
    assert scene.host.drops() == {"tcp_header_length": 3, "tcp_short": 1}


def test_wrong_checksum(world: World, family: int) -> None:
    """MUST-3."""
    scene = Scene(world, family)
    segment = bytearray(scene.peer.segment(ACK, seq=101, ack=scene.iss + 1, data=b"x"))
    segment[-1] ^= 1
    scene.peer.packet(6, bytes(segment))
    world.run(0)
    assert scene.host.drops() == {"tcp_checksum": 1}


@pytest.mark.parametrize(
    "options",
    [
        bytes((0,)),
        bytes((1, 1, 1, 0)),
        bytes((99, 4, 1, 2)),
        bytes((1, 99, 3, 7)),
        bytes((2, 0, 0, 0)),
        bytes((3, 1, 0, 0)),
        bytes((8, 40, 0, 0)),
        bytes((5, 3, 0, 0)),
        bytes((99, 2, 99, 2)),
        bytes((2, 3, 9, 0)),
        bytes((0, 255, 255, 255)),
    ],
)
def test_options_unknown_odd_or_broken_do_no_harm(
    world: World, family: int, options: bytes
) -> None:
    """MUST-4 to MUST-7, MUST-64, MUST-69."""
    scene = Scene(world, family)
    scene.sends(data=b"data", options=options)
    assert scene.user.data == b"data"


def test_reserved_bits_are_ignored_and_sent_zero(world: World, family: int) -> None:
    scene = Scene(world, family)
    segment = bytearray(scene.peer.segment(ACK, seq=101, ack=scene.iss + 1, data=b"x"))
    segment[12] |= 0x0F
    blank = bytes(segment[:16]) + b"\0\0" + bytes(segment[18:])
    scene.peer.packet(6, scene.peer.checked(6, blank, 16, scene.peer.mine, scene.peer.theirs))
    world.run(50 * MS)
    assert scene.user.data == b"x"
    seen = scene.peer.next_tcp()
    assert seen is not None
    assert seen.body[12] & 0x0F == 0


def test_a_syn_in_the_window_is_challenged(world: World, family: int) -> None:
    """RFC 5961 4, irrespective of the sequence number."""
    scene = Scene(world, family)
    for seq in (0, 10, -1, 100_000):
        scene.sends(SYN, seq=seq)
        scene.sees(ACK, ack=0)
    scene.sends(SYN | ACK, seq=5, ack=0)
    scene.sees(ACK, ack=0)
    assert scene.tcb.state == ESTABLISHED


def test_the_urgent_pointer_is_right_in_every_segment(world: World, family: int) -> None:
    """RFC 9293 3.8.5: it is an offset from the segment's own sequence number."""
    scene = Scene(world, family)
    scene.user.send(bytes(2500), flags=SEND_URGENT)
    world.run(0)
    for start, length in ((0, 1000), (1000, 1000), (2000, 500)):
        seg = scene.sees(seq=start, length=length)
        assert seg.flags & URG
        assert seg.up == 2500 - start
    world.run(2 * SECOND)
    seg = scene.sees(seq=0, length=1000)
    assert seg.up == 2500


def test_what_waits_out_of_order_is_bounded_for_all_together(world: World, family: int) -> None:
    """A thousand strangers who never send the first octet hold no more than one does."""

    host, peer = world.host(quiet(tcp_reorder_memory=5000))
    peer.family = family
    acceptor = serve(host)
    budget = host.stack.tcp.reorder_budget
    for number in range(10):
        peer.sport = 40_000 + number
        synack = peer.handshake(seq=100, mss=1000)
        peer.sends(ACK, seq=102, ack=synack.seq + 1, data=bytes(1000))
        assert budget.used <= 5000
        peer.received()
        peer.inbox.clear()
    assert host.drops()[fate.NAMES[fate.TCP_QUEUE_FULL]] == 5
    peer.sends(ACK, seq=101, ack=synack.seq + 1, data=bytes(1001))  # in order there is room
    assert len(acceptor.users[-1].data) == 1001
    for user in acceptor.users:
        user.stream.abort()
    assert budget.used == 0


@pytest.mark.parametrize("strict", [True, False])
def test_a_missing_timestamp(world: World, family: int, strict: bool) -> None:
    """RFC 7323 3.2: dropped, unless the configuration is lenient; an echo is sent either way."""
    scene = Scene(world, family, {"ts": (5000, 0)}, tcp_strict_timestamps=strict)
    scene.sends(ACK | PSH, data=b"plain")
    assert scene.user.data == (b"" if strict else b"plain")
    assert scene.host.drops() == ({"tcp_no_timestamp": 1} if strict else {})
    if not strict:
        world.run(SECOND)
        assert scene.sees(ACK, ack=5).ts_ecr == 5001
