# SPDX-License-Identifier: MIT
"""Receive coalescing: which frames make a train, and in which order all of them leave."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stack.base import addr
from stack.link.train import assemble, begun
from stack.wire import ethernet, udp, vnet
from stack.wire.tcp import ACK, AE, CWR, ECE, FIN, PSH, RST, SYN, URG
from tests.harness import Peer, World

SIZE = 1000


class Line:
    """Frames that a peer sends, and how they leave."""

    def __init__(self, world: World, family: int) -> None:
        _, self.peer = world.host()
        self.peer.family = family
        self.left: list[list[bytes]] = []

    def frame(
        self,
        index: int = 0,
        flags: int = ACK,
        size: int = SIZE,
        seq: int | None = None,
        ack: int = 500,
        win: int = 1000,
        ts: tuple[int, int] | None = (7, 9),
        sport: int = 40000,
        up: int = 0,
        **packet: int,
    ) -> bytes:
        """The segment number `index` of a row."""
        peer = self.peer
        seq = 100 + index * SIZE if seq is None else seq
        data = bytes([index & 0xFF]) * size
        segment = peer.segment(flags, seq, ack, data, win, up, ts=ts, sport=sport)
        kind, whole = peer.packet_bytes(6, segment, **packet)  # type: ignore[arg-type]
        return peer.host.port.mac + peer.port.mac + kind + whole

    def gives(self, frames: list[bytes], header: int = 0) -> list[list[bytes]]:
        """What goes up together."""
        left: list[list[bytes]] = []
        assemble(frames, header + ethernet.LENGTH, lambda f: left.append([f]), left.append)
        assert sorted(frames) == sorted(frame for group in left for frame in group)
        return left


@pytest.fixture
def line(world: World, family: int) -> Line:
    return Line(world, family)


def test_a_row_of_segments_goes_up_together(line: Line) -> None:
    frames = [line.frame(index, ident=index * 7) for index in range(40)]
    assert line.gives(frames) == [frames]


def test_numbers_go_round(line: Line) -> None:
    frames = [line.frame(seq=(0xFFFFFFFF - 1500 + index * SIZE) % 2**32) for index in range(4)]
    assert line.gives(frames) == [frames]


def test_sizes_and_push_may_differ(line: Line) -> None:
    """Every frame has its own length: a message in the middle ends nothing."""
    sizes, seq, frames = [SIZE, SIZE, 300, SIZE, 1401, 77], 100, []
    for index, size in enumerate(sizes):
        frames.append(line.frame(index, PSH | ACK if index % 2 else ACK, size, seq))
        seq += size
    assert line.gives(frames) == [frames]


def test_a_frame_alone_goes_up_alone(line: Line) -> None:
    frames = [line.frame()]
    assert line.gives(frames) == [frames]


def changed(frame: bytes, at: int, value: int) -> bytes:
    return frame[:at] + bytes((value,)) + frame[at + 1 :]


NET = ethernet.LENGTH

OTHERWISE: dict[str, Callable[[Line], bytes]] = {
    "later": lambda line: line.frame(1, seq=100 + SIZE + 1),
    "overlapping": lambda line: line.frame(1, seq=100 + SIZE - 1),
    "again": lambda line: line.frame(0),
    "acknowledgment": lambda line: line.frame(1, ack=501),
    "window": lambda line: line.frame(1, win=999),
    "timestamp": lambda line: line.frame(1, ts=(8, 9)),
    "echoed timestamp": lambda line: line.frame(1, ts=(7, 8)),
    "no timestamp": lambda line: line.frame(1, ts=None),
    "urgent pointer": lambda line: line.frame(1, up=3),
    "hop limit": lambda line: line.frame(1, ttl=63),
    "congestion experienced": lambda line: line.frame(1, tos=3),
    "source": lambda line: changed(line.frame(1), 11, 0x77),
    "destination": lambda line: changed(line.frame(1), 5, 0x77),
    "padding": lambda line: line.frame(1) + b"\0",
    "pure acknowledgment": lambda line: line.frame(1, size=0),
    **{
        f"flags {flags:#x}": lambda line, flags=flags: line.frame(1, flags)  # type: ignore[misc]
        for flags in (0, *(ACK | bit for bit in (FIN, SYN, RST, URG, ECE, CWR, AE)))
    },
}


@pytest.mark.parametrize("what", OTHERWISE)
def test_what_is_otherwise_goes_by_itself(line: Line, what: str) -> None:
    """And begins a row of its own, if it can: two of its kind do not meet either."""
    before, after = line.frame(0), OTHERWISE[what](line)
    assert line.gives([before, after]) == [[before], [after]]
    assert line.gives([after, before]) == [[after], [before]]


@pytest.mark.parametrize("flags", [FIN | ACK, SYN | ACK, RST | ACK, URG | ACK, ECE | ACK, 0])
def test_nothing_follows_other_flags(line: Line, flags: int) -> None:
    frames = [line.frame(index, flags) for index in range(3)]
    assert line.gives(frames) == [[frame] for frame in frames]


def test_a_wrong_header_checksum_goes_by_itself(world: World) -> None:
    """IPv4 has one: each of the three fields that may differ is covered by it."""
    line = Line(world, addr.V4)
    first, second = line.frame(0), line.frame(1)
    for at in (NET + 4, NET + 5, NET + 10, NET + 11):
        wrong = changed(second, at, second[at] ^ 4)
        assert line.gives([first, wrong]) == [[first], [wrong]]
    assert line.gives([first, second]) == [[first, second]]


def test_the_other_spelling_of_a_zero_checksum(world: World) -> None:
    """Header checksums of 0x0000 and 0xFFFF mean the same to who sums."""
    line = Line(world, addr.V4)
    first = line.frame(0)
    second = next(
        frame
        for ident in range(65536)
        if not any((frame := line.frame(1, ident=ident))[NET + 10 : NET + 12])
    )
    other = second[: NET + 10] + b"\xff\xff" + second[NET + 12 :]
    for frame in (second, other):
        assert line.gives([first, frame]) == [[first, frame]]


def test_fragments_go_by_themselves(world: World) -> None:
    line = Line(world, addr.V4)
    for bits in (0x2000, 0x0010):
        frames = [line.frame(index, frag=bits) for index in range(2)]
        assert line.gives(frames) == [[frame] for frame in frames]
        assert begun(frames[0], NET) is None
    whole = [line.frame(index, frag=0x4000) for index in range(2)]
    assert line.gives(whole) == [whole]
    mixed = [line.frame(0, frag=0x4000), line.frame(1, frag=0)]
    assert line.gives(mixed) == [[frame] for frame in mixed]


def test_options_go_by_themselves(world: World) -> None:
    """An IPv4 header with options, and a packet behind the row that has the same ports."""
    line = Line(world, addr.V4)
    frames = [changed(line.frame(index), NET, 0x46) for index in range(2)]
    assert line.gives(frames) == [[frame] for frame in frames]
    assert begun(frames[0], NET) is None
    row = [line.frame(index) for index in range(2)]
    assert begun(row[0], NET) is not None
    assert line.gives([*row, frames[0], line.frame(2)]) == [row, [frames[0]], [line.frame(2)]]


def test_flow_labels_and_extension_headers(world: World) -> None:
    line = Line(world, addr.V6)
    first = line.frame(0)
    for at, value in ((NET + 3, 9), (NET + 6, 60)):
        other = changed(line.frame(1), at, value)
        assert line.gives([first, other]) == [[first], [other]]


def test_a_header_length_that_cannot_be(line: Line) -> None:
    at = NET + (20 if line.peer.family == addr.V4 else 40) + 12
    for words in (0, 4, 15):
        frames = [changed(line.frame(index, size=40), at, words << 4) for index in range(2)]
        assert line.gives(frames) == [[frame] for frame in frames]


def test_two_flows_in_turns(line: Line) -> None:
    """Each in its own order, together with its own."""
    here = [line.frame(index) for index in range(5)]
    there = [line.frame(index, sport=40001) for index in range(5)]
    mixed = [frame for both in zip(here, there, strict=True) for frame in both]
    assert line.gives(mixed) == [here, there]


def test_what_cannot_join_goes_behind_its_flow(line: Line) -> None:
    """An acknowledgment or a FIN waits for its own flow, and for no other."""
    here = [line.frame(index) for index in range(4)]
    there = [line.frame(index, sport=40001) for index in range(4)]
    for behind in (line.frame(2, size=0), line.frame(2, FIN | ACK), line.frame(2, RST, size=0)):
        given = line.gives([here[0], there[0], here[1], there[1], behind, there[2]])
        assert given.index(here[:2]) < given.index([behind])
        assert there[:3] in given


def test_strangers_let_everything_through_first(line: Line) -> None:
    """Of a packet that is neither plain TCP nor UDP nobody knows here what it belongs to."""
    here = [line.frame(index) for index in range(3)]
    there = [line.frame(index, sport=40001) for index in range(2)]
    peer = line.peer
    short = peer.host.port.mac + peer.port.mac + ethernet.TYPE_ARP + bytes(28)
    for size in (50, SIZE):
        tunnel = here[0][:NET] + bytes((0x45, *bytes(8), 47)) + bytes(size)
        part = here[0][: NET + (25 if peer.family == addr.V4 else 45)]
        for stranger in (short, tunnel, part, b"", bytes(14)):
            given = line.gives([here[0], there[0], here[1], there[1], stranger, here[2]])
            assert given == [here[:2], there, [stranger], here[2:]]


def datagram(
    line: Line, index: int = 0, size: int = 100, dport: int = 7, extra: int = 0, **packet: int
) -> bytes:
    """The `index`th of a flow; `extra` makes its length wrong."""
    peer = line.peer
    bare = udp.HEADER.pack(40000, dport, 8 + size + extra, 0) + bytes([index & 0xFF]) * size
    bare = peer.checked(17, bare, 6, peer.mine, peer.theirs)
    kind, whole = peer.packet_bytes(17, bare, **packet)  # type: ignore[arg-type]
    return peer.host.port.mac + peer.port.mac + kind + whole


def test_datagrams_of_one_flow(line: Line) -> None:
    """Of any size but none at all."""
    frames = [datagram(line, n, size, ident=n) for n, size in enumerate((9, 400, 1, 1400, 9))]
    assert line.gives(frames) == [frames]
    empty = [datagram(line, size=0), datagram(line, size=0)]
    assert line.gives(empty) == [[frame] for frame in empty]
    assert line.gives([frames[0], empty[0], frames[1]]) == [frames[:1], empty[:1], frames[1:2]]


@pytest.mark.parametrize(
    "how", [{"extra": 1}, {"extra": -1}, {"ttl": 63}, {"tos": 1}, {"extra": -101}]
)
def test_datagrams_that_are_otherwise(line: Line, how: dict[str, int]) -> None:
    before, after = datagram(line), datagram(line, 1, **how)
    assert line.gives([before, after]) == [[before], [after]]
    assert line.gives([after, before]) == [[after], [before]]


def test_flows_of_datagrams_in_turns(line: Line) -> None:
    here = [datagram(line, n) for n in range(3)]
    there = [datagram(line, n, dport=8) for n in range(3)]
    mixed = [frame for both in zip(here, there, strict=True) for frame in both]
    assert line.gives(mixed) == [here, there]


def test_a_segment_between_datagrams_of_its_ports(line: Line) -> None:
    """It is none of them, and no mistake is made if it is taken for a part of the flow."""
    here = [datagram(line, n, dport=80) for n in range(2)]
    frames = [here[0], line.frame(), here[1]]
    assert line.gives(frames) == [[frame] for frame in frames]


def test_behind_a_virtio_net_header(line: Line) -> None:
    """What the device says of a frame is part of what must be the same."""
    plain = [vnet.PLAIN + line.frame(index) for index in range(3)]
    assert line.gives(plain, vnet.LENGTH) == [plain]
    vouched = [vnet.build(0, 66, 0, 34, 16) + line.frame(index) for index in range(3)]
    assert line.gives(vouched, vnet.LENGTH) == [vouched]
    mixed = [plain[0], vouched[1]]
    assert line.gives(mixed, vnet.LENGTH) == [[frame] for frame in mixed]


def cut(line: Line, index: int, segment: int, headers: int = 66, size: int = 30_000) -> bytes:
    """Super-frame number `index`, to be cut at `segment` octets."""
    header = vnet.build(vnet.GSO_TCPV4, headers, segment, 34, 16)
    return header + line.frame(index, size=size, seq=100 + index * size)


def test_super_frames_of_one_segment_size(line: Line) -> None:
    """How much of one the device has in one piece says nothing of the segments."""
    frames = [cut(line, index, 1400, headers=66 + index) for index in range(3)]
    assert line.gives(frames, vnet.LENGTH) == [frames]
    other = cut(line, 3, 1300)
    assert line.gives([*frames, other], vnet.LENGTH) == [frames, [other]]
    last = vnet.PLAIN + line.frame(seq=100 + 3 * 30_000)
    assert line.gives([*frames, last], vnet.LENGTH) == [frames, [last]]


def test_rows_of_datagrams_go_by_themselves(line: Line) -> None:
    """They are trains already, whose users may be told so (USO)."""
    header = vnet.build(vnet.GSO_UDP_L4, 42, 500, 34, 6)
    frames = [header + datagram(line, n) for n in range(3)]
    assert line.gives(frames, vnet.LENGTH) == [[frame] for frame in frames]


def test_two_hosts_with_the_same_ports(line: Line) -> None:
    """Flows are told apart by addresses too."""
    other = Peer(line.peer.world, line.peer.port, line.peer.host, 3)
    other.family = line.peer.family
    here = [line.frame(index) for index in range(2)]
    line.peer = other
    there = [line.frame(index) for index in range(2)]
    assert line.gives([here[0], there[0], here[1], there[1]]) == [here, there]
