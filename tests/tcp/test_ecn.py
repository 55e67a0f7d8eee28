# SPDX-License-Identifier: MIT
"""Explicit congestion notification (RFC 3168)."""

from __future__ import annotations

import pytest

from stack.base.addr import V4
from stack.base.units import MS, SECOND
from stack.wire.tcp import ACK, CWR, ECE, FIN, PSH, RST, SYN
from tests.harness import Peer, World, quiet
from tests.harness.peer import Seen
from tests.tcp.scenes import Scene
from tests.tcp.test_handshake import active, setup
from tests.tcp.users import connect, serve

CE, ECT_0, NOT_ECT = 3, 2, 0


def ecn_of(seen: Seen) -> int:
    return seen.pkt.tos & 3


def segments(peer: Peer) -> list[Seen]:
    """Every TCP segment that came, taken off the list."""
    found = [seen for seen in peer.received() if seen.seg is not None]
    peer.inbox.clear()
    return found


def marked(scene: Scene, seq: int, data: bytes, flags: int = ACK, tos: int = CE) -> None:
    """Data of the peer's, marked by a router."""
    segment = scene.peer.segment(flags, 101 + seq, scene.iss + 1, data)
    scene.peer.packet(6, segment, tos=tos)
    scene.world.run(0)


def agreed(world: World, family: int) -> Scene:
    """A connection with ECN, opened by the peer."""
    scene = Scene(world, family, flags=SYN | ECE | CWR)
    assert scene.tcb.ecn is not None
    return scene


# Agreeing.


@pytest.mark.parametrize("wish", ["passive", "on", "off"])
@pytest.mark.parametrize("asked", [ECE | CWR, 0, ECE, CWR])
def test_answering(world: World, family: int, wish: str, asked: int) -> None:
    host, peer = setup(world, family, tcp_ecn=wish)
    serve(host)
    peer.sends(SYN | asked, seq=100)
    agreed = wish != "off" and asked == ECE | CWR
    peer.sees(SYN | ACK | (ECE if agreed else 0))


@pytest.mark.parametrize("answer", [ECE, 0, ECE | CWR, CWR])
def test_asking(world: World, family: int, answer: int) -> None:
    host, peer, _ = active(world, family, tcp_ecn="on")
    syn = peer.sees(SYN | ECE | CWR)
    peer.sends(SYN | ACK | answer, seq=100, ack=syn.seq + 1)
    tcb = host.stack.tcp.connections()[0]
    assert (tcb.ecn is not None) == (answer == ECE)


def test_passive_does_not_ask(world: World, family: int) -> None:
    _, peer, _ = active(world, family)
    peer.sees(SYN)


def test_a_second_syn_does_not_ask(world: World, family: int) -> None:
    """RFC 3168 6.1.1.1: somebody on the way may drop what he does not know."""
    _, peer, _ = active(world, family, tcp_ecn="on")
    peer.sees(SYN | ECE | CWR)
    world.run(SECOND)
    syn = peer.sees(SYN)
    peer.sends(SYN | ACK | ECE, seq=100, ack=syn.seq + 1)


def test_two_of_us_agree(world: World, family: int) -> None:
    a, b = world.pair(quiet(tcp_ecn="on"))
    serve(b)
    connect(a, b.address(family))
    world.run(SECOND)
    for host in (a, b):
        assert host.stack.tcp.connections()[0].ecn is not None


def test_configuration() -> None:
    with pytest.raises(ValueError, match="passive"):
        quiet(tcp_ecn="perhaps")


# Receiving marks.


def test_a_mark_is_echoed_until_cwr(world: World, family: int) -> None:
    scene = agreed(world, family)
    marked(scene, 0, b"x" * 100)
    scene.sees(ACK | ECE, ack=100)
    scene.sends(seq=100, data=b"y" * 100)
    world.run(SECOND)
    scene.sees(ACK | ECE, ack=200)
    scene.user.send(b"mine")
    world.run(0)
    scene.sees(ACK | PSH | ECE)
    scene.sends(ACK | CWR, seq=200, ack=4, data=b"z" * 100)
    world.run(SECOND)
    scene.sees(ACK, ack=300)


def test_a_mark_on_the_segment_with_cwr_counts_again(world: World, family: int) -> None:
    scene = agreed(world, family)
    marked(scene, 0, b"x" * 100)
    scene.sees(ACK | ECE)
    marked(scene, 100, b"y" * 100, ACK | CWR)
    scene.sees(ACK | ECE, ack=200)


def test_without_agreement_marks_mean_nothing(world: World, family: int) -> None:
    scene = Scene(world, family)
    marked(scene, 0, b"x" * 100)
    world.run(SECOND)
    scene.sees(ACK, ack=100)


@pytest.mark.parametrize("tos", [NOT_ECT, 1, ECT_0])
def test_other_code_points_are_no_marks(world: World, family: int, tos: int) -> None:
    scene = agreed(world, family)
    marked(scene, 0, b"x" * 100, tos=tos)
    world.run(SECOND)
    scene.sees(ACK, ack=100)


# Sending.


def test_new_data_is_capable_and_nothing_else(world: World, family: int) -> None:
    scene = agreed(world, family)
    scene.user.send(bytes(2500))
    world.run(0)
    assert [ecn_of(seen) for seen in segments(scene.peer)] == [ECT_0] * 3
    world.run(3 * SECOND)
    again = segments(scene.peer)
    assert again
    assert {ecn_of(seen) for seen in again} == {NOT_ECT}  # retransmissions
    scene.sends(ack=2500, seq=0, data=b"hello")
    world.run(SECOND)
    assert [ecn_of(seen) for seen in segments(scene.peer)] == [NOT_ECT]  # a pure ACK
    scene.user.stream.disconnect("bye")
    world.run(0)
    (fin,) = segments(scene.peer)
    assert fin.seg is not None
    assert fin.seg.flags & FIN
    scene.user.stream.abort()
    world.run(0)
    (reset,) = segments(scene.peer)
    assert reset.seg is not None
    assert reset.seg.flags & RST
    assert ecn_of(reset) == NOT_ECT


def test_window_probes_are_not_capable(world: World, family: int) -> None:
    scene = agreed(world, family)
    scene.sends(win=0)
    scene.user.send(bytes(100))
    world.run(10 * SECOND)
    probes = segments(scene.peer)
    assert probes
    assert {ecn_of(seen) for seen in probes} == {NOT_ECT}


def test_an_echo_halves_the_window_once_per_window(world: World, family: int) -> None:
    scene = agreed(world, family)
    scene.user.send(bytes(60_000))
    world.run(0)
    scene.sent()
    scene.sends(ACK | ECE, ack=1000)
    reduced = scene.tcb.cc.window
    assert reduced < 10_000
    for at in range(2000, 11_000, 1000):
        scene.sends(ACK | ECE, ack=at)
    assert scene.tcb.cc.ssthresh <= reduced
    first = scene.tcb.cc.ssthresh
    world.run(0)
    after = scene.tcb.snd.nxt_at - 1
    scene.sends(ACK | ECE, ack=after)
    assert scene.tcb.cc.ssthresh < first or scene.tcb.cc.ssthresh == 2000


def test_cwr_comes_with_the_next_new_data_once(world: World, family: int) -> None:
    scene = agreed(world, family)
    scene.user.send(bytes(60_000))
    world.run(0)
    scene.sent()
    scene.sends(ACK | ECE, ack=9000)
    for _ in range(5):
        scene.sends(ack=scene.tcb.snd.nxt_at - 1)
    flags = [seen.seg.flags & CWR for seen in segments(scene.peer) if seen.seg and seen.seg.length]
    assert flags.count(CWR) == 1
    assert flags[0] == CWR


def test_a_stream_with_marks_loses_nothing(world: World, family: int) -> None:
    """The window follows the marks, and nothing is sent twice."""
    scene = agreed(world, family)
    scene.user.send(bytes(100_000))
    world.run(0)
    acked = 0
    while acked < 100_000:
        world.run(10 * MS)
        for seen in segments(scene.peer):
            assert seen.seg is not None
            start = (seen.seg.seq - scene.iss - 1) & 0xFFFFFFFF
            assert start == acked
            acked += seen.seg.length
        scene.sends(ACK | (ECE if acked % 7000 == 0 else 0), ack=acked)
    assert scene.host.stack.tcp.counters.retrans_segs == 0
    assert scene.user.events == [("send", "OK", 100_000)]


# Fragments.


@pytest.mark.parametrize(
    ("first", "second", "arrives"),
    [(ECT_0, ECT_0, ECT_0), (ECT_0, CE, CE), (CE, ECT_0, CE), (NOT_ECT, CE, None), (CE, 0, None)],
)
def test_marks_on_fragments(world: World, first: int, second: int, arrives: int | None) -> None:
    """RFC 3168 5.3."""
    host, peer = world.host()
    peer.family = V4
    seen: list[int] = []

    class Taker:
        def receive(self, pkt) -> None:
            seen.append(pkt.tos & 3)

    host.stack.v4.protocols[99] = Taker()  # type: ignore[assignment]
    for tos, frag in ((first, 0x2000), (second, 1)):
        peer.packet(99, bytes(8), tos=tos, frag=frag)
        world.run(MS)
    assert seen == ([] if arrives is None else [arrives])
    assert host.drops().get("fragment_ecn", 0) == (arrives is None)
