# SPDX-License-Identifier: MIT
"""Accurate ECN feedback (RFC 9768): agreeing, counting, and reacting to what is counted."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack.base import addr
from stack.base.checksum import finish
from stack.base.units import MS, SECOND
from stack.tcp.accecn import AccEcn
from stack.wire import tcp
from stack.wire.tcp import ACK, AE, CWR, ECE, SYN, Segment
from tap.port import Port, Wrapper
from tests.harness import World, quiet
from tests.harness.peer import Seen
from tests.tcp.scenes import Scene
from tests.tcp.test_ecn import CE, ECT_0, NOT_ECT, ecn_of, marked, segments
from tests.tcp.test_handshake import active, setup
from tests.tcp.users import joined, serve

ECT_1 = 1
ASKS = SYN | AE | CWR | ECE
REFLECTED = {NOT_ECT: CWR, ECT_1: CWR | ECE, ECT_0: AE, CE: AE | CWR}  # RFC 9768 table 2


def ace(seg: Segment) -> int:
    """The counter in a segment's flags."""
    return seg.flags >> 6 & 7


def counting(count: int) -> int:
    """Flags that say `count`."""
    return (count & 7) << 6


def agreed(world: World, family: int, third: int = REFLECTED[NOT_ECT]) -> Scene:
    """A connection with counters, opened by the peer; `third`: flags of his third segment."""
    scene = Scene(world, family, flags=ASKS, third=third)
    assert isinstance(scene.tcb.ecn, AccEcn)
    return scene


# Agreeing.


@pytest.mark.parametrize("wish", ["passive", "on", "accurate", "off"])
@pytest.mark.parametrize("mark", REFLECTED)
def test_the_answer_says_how_the_syn_came(world: World, family: int, wish: str, mark: int) -> None:
    host, peer = setup(world, family, tcp_ecn=wish)
    serve(host)
    peer.packet(6, peer.segment(ASKS, 100), tos=mark)
    world.run(0)
    expected = 0 if wish == "off" else REFLECTED[mark]
    peer.sees(SYN | ACK | expected, accecn=None if wish == "off" else (1, 0, 1))


@pytest.mark.parametrize("mark", REFLECTED)
def test_so_does_the_third_segment(world: World, family: int, mark: int) -> None:
    _, peer, user = active(world, family, tcp_ecn="accurate")
    syn = peer.sees(ASKS)
    answer = peer.segment(SYN | ACK | REFLECTED[NOT_ECT], 100, syn.seq + 1)
    peer.packet(6, answer, tos=mark)
    world.run(0)
    peer.sees(ACK | REFLECTED[mark])
    user.send(b"x")
    world.run(0)
    assert ace(peer.sees()) == (6 if mark == CE else 5)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (ECE, "ecn"),  # a server that knows RFC 3168
        (AE | ECE, "ecn"),  # and one that knows the nonce
        (0, None),
        (AE | CWR | ECE, None),  # it reflects what it does not understand
        (CWR, "accecn"),
        (AE, "accecn"),
    ],
)
def test_falling_back(world: World, family: int, answer: int, kind: str | None) -> None:
    host, peer, _ = active(world, family, tcp_ecn="accurate")
    syn = peer.sees(ASKS)
    peer.sends(SYN | ACK | answer, seq=100, ack=syn.seq + 1)
    ecn = host.stack.tcp.connections()[0].ecn
    assert (ecn.name if ecn else None) == kind
    options = host.stack.tcp.info()[0].options
    assert [o for o in options if "ecn" in o] == ([kind] if kind else [])


def test_a_lost_syn_goes_again_without(world: World, family: int) -> None:
    host, peer, _ = active(world, family, tcp_ecn="accurate")
    syn = peer.sees(ASKS)
    world.run(SECOND)
    peer.sees(SYN, seq=syn.seq)
    peer.sends(SYN | ACK | CWR, seq=100, ack=syn.seq + 1)
    assert host.stack.tcp.connections()[0].ecn is None


@pytest.mark.parametrize(
    ("third", "capable"),
    [
        (counting(0), False),  # wiped out on the way
        (REFLECTED[NOT_ECT], True),
        (REFLECTED[ECT_0], False),  # our SYN-ACK was Not-ECT
        (REFLECTED[CE], False),
        (counting(5), True),  # the third segment was lost
    ],
)
def test_a_field_that_is_tampered_with_is_not_used(
    world: World, family: int, third: int, capable: bool
) -> None:
    """RFC 9768 3.2.2.3-4: feedback goes on, but nothing is sent as capable."""
    scene = agreed(world, family, third)
    segments(scene.peer)
    scene.user.send(bytes(1000))
    world.run(0)
    (seen,) = segments(scene.peer)
    assert ecn_of(seen) == (ECT_0 if capable else NOT_ECT)
    marked(scene, 0, b"y")
    (answer,) = segments(scene.peer)
    assert answer.seg is not None
    assert ace(answer.seg) == 6


# Counting what arrives.


def test_every_mark_is_counted(world: World, family: int) -> None:
    scene = agreed(world, family)
    segments(scene.peer)
    expected = [1, 0, 1]
    at = 0
    count = 5
    for mark, size in ((ECT_0, 10), (CE, 20), (ECT_1, 30), (CE, 40), (CE, 50), (NOT_ECT, 60)):
        marked(scene, at, bytes(size), tos=mark)
        at += size
        count += mark == CE
        if mark:
            expected[{ECT_0: 0, CE: 1, ECT_1: 2}[mark]] += size
        world.run(SECOND)
        answer = segments(scene.peer)[-1].seg
        assert answer is not None
        assert ace(answer) == count & 7
        assert answer.accecn == (tuple(expected) if mark else None)  # only what is new is told


def test_a_marked_segment_is_acknowledged_at_once(world: World, family: int) -> None:
    scene = agreed(world, family)
    segments(scene.peer)
    marked(scene, 0, b"a", tos=ECT_0)
    assert segments(scene.peer) == []
    marked(scene, 1, b"b", tos=CE)
    assert len(segments(scene.peer)) == 1


def test_marked_acknowledgments_count_as_packets(world: World, family: int) -> None:
    scene = agreed(world, family)
    segments(scene.peer)
    marked(scene, 0, b"")
    scene.user.send(b"x")
    world.run(0)
    (seen,) = segments(scene.peer)
    assert seen.seg is not None
    assert ace(seen.seg) == 6


def test_sack_blocks_go_before_the_option(world: World, family: int) -> None:
    """Timestamps, three blocks: forty octets are full."""
    scene = Scene(
        world, family, {"ts": (1, 0), "sack_ok": True}, flags=ASKS, third=REFLECTED[NOT_ECT]
    )
    segments(scene.peer)
    lengths = []
    for number in range(1, 5):
        segment = scene.peer.segment(
            ACK, 101 + 100 * number, scene.iss + 1, b"x", ts=(2, scene.tcb.ts_recent)
        )
        scene.peer.packet(6, segment, tos=CE)
        world.run(0)
        seg = segments(scene.peer)[-1].seg
        assert seg is not None
        lengths.append((len(seg.sacks), seg.accecn is not None))
    assert lengths == [(1, True), (2, False), (3, False), (3, False)]


# Reacting to what is told.


def in_flight(world: World, family: int, size: int = 10_000) -> Scene:
    scene = agreed(world, family)
    scene.user.send(bytes(size))
    world.run(0)
    segments(scene.peer)
    return scene


def test_a_mark_reduces_once_per_window(world: World, family: int) -> None:
    scene = in_flight(world, family)
    window = scene.tcb.cc.window
    scene.sends(ACK | counting(7), ack=2000)
    reduced = scene.tcb.cc.window
    assert reduced < window
    assert isinstance(scene.tcb.ecn, AccEcn)
    assert scene.tcb.ecn.marked == 2
    scene.sends(ACK | counting(8), ack=4000)
    assert scene.tcb.cc.window >= reduced
    assert scene.tcb.ecn.marked == 3


def test_no_cwr_is_sent(world: World, family: int) -> None:
    """The flag is a part of the counter now."""
    scene = in_flight(world, family)
    scene.sends(ACK | counting(6), ack=10_000)
    scene.user.send(bytes(3000))
    world.run(0)
    for seen in segments(scene.peer):
        assert seen.seg is not None
        assert ace(seen.seg) == 5


def test_an_old_acknowledgment_says_nothing(world: World, family: int) -> None:
    """Acknowledgments that overtake each other must not look like seven marks."""
    scene = in_flight(world, family)
    scene.sends(ACK | counting(6), ack=4000)
    assert isinstance(scene.tcb.ecn, AccEcn)
    scene.sends(ACK | counting(5), ack=2000)
    scene.sends(ACK | counting(5), ack=4000)
    assert scene.tcb.ecn.marked == 1


def test_the_option_shows_a_counter_that_went_round(world: World, family: int) -> None:
    scene = in_flight(world, family)
    window = scene.tcb.cc.window
    option = tcp.accecn_option(1, 8000, 1)
    scene.sends(ACK | counting(5), ack=10_000, options=option)
    assert scene.tcb.cc.window < window
    assert isinstance(scene.tcb.ecn, AccEcn)
    assert scene.tcb.ecn.marked == 8


@pytest.mark.parametrize("kind", [tcp.OPT_ACCECN_0, tcp.OPT_ACCECN_1])
@pytest.mark.parametrize("size", [2, 3, 5, 7, 8, 11, 12])
def test_options_of_every_length(world: World, family: int, kind: int, size: int) -> None:
    """Trailing counters may be left out; other lengths are no option."""
    scene = in_flight(world, family)
    option = bytes((kind, size)) + b"\0\0\1\0\0\2\0\0\3\0"[: size - 2]
    scene.sends(ACK | counting(5), ack=1000, options=option + bytes(-len(option) % 4))
    assert scene.host.drops() == {}
    assert isinstance(scene.tcb.ecn, AccEcn)
    assert scene.tcb.ecn.marked == (8 if size in (8, 11) else 0)


# Both.


class Router(Wrapper):
    """Marks what is capable of it, by a plan that is repeated."""

    def __init__(self, inner: Port, plan: Iterator[bool], marked: list[int]) -> None:
        super().__init__(inner)
        self._plan = plan
        self._marked = marked  # packets, one entry for each frame

    def read(self) -> bytes | None:
        frame = self.inner.read()
        if frame is None:
            return None
        seen = Seen(frame, 0, self.header)
        if seen.seg is None or seen.pkt.tos & 3 != ECT_0 or not next(self._plan):
            return frame
        self._marked.append(-(-seen.seg.length // (seen.gso_size or seen.seg.length)))
        data = bytearray(frame)
        at = self.header + 14
        if data[at] >> 4 == 6:
            data[at + 1] |= CE << 4
        else:
            data[at + 1] |= CE
            data[at + 10 : at + 12] = b"\0\0"
            total = int.from_bytes(data[at : at + 20], "big")
            data[at + 10 : at + 12] = finish(total).to_bytes(2, "big")
        return bytes(data)


@given(
    st.integers(0, 2**32),
    st.sampled_from((addr.V4, addr.V6)),
    st.lists(st.booleans(), min_size=1, max_size=60),
    st.booleans(),
)
def test_two_stacks_agree_on_the_count(
    seed: int, family: int, marks: list[bool], offload: bool
) -> None:
    """Whatever a router marks on the way, the sender knows in the end."""
    world = World(seed)
    plan, done = cycle(marks), list[int]()
    a, b = world.pair(
        quiet(tcp_ecn="accurate"),
        offload=offload,
        wrap=lambda port: Router(port, plan, done),
    )
    client, server = joined(world, a, b, family)
    for _ in range(20):
        client.send(bytes(3000))
        world.run(50 * MS)
    world.run(SECOND)
    assert len(server.data) == 60_000
    ecn = a.stack.tcp.connections()[0].ecn
    assert isinstance(ecn, AccEcn)
    assert ecn.marked == sum(done)
