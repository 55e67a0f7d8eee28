# SPDX-License-Identifier: MIT
"""Segments that are taken together: with exactly what would have come of them one by one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stack.base import addr, checksum
from stack.base.status import OK
from stack.transport.datagram_seam import DatagramSink, Received
from stack.transport.seam import StreamSink
from stack.wire import vnet
from stack.wire.tcp import ACK, CWR, ECE, FIN, PSH, RST, SYN
from tests.tcp.receiver import SIZE, Receiver, letters, stream


class Ear(DatagramSink):
    def __init__(self) -> None:
        self.heard = 0

    def received(self, batch: list[Received]) -> int:
        self.heard += len(batch)
        return len(batch)


@pytest.fixture(params=[False, True], ids=["integers", "numpy"], autouse=True)
def numpy(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test with either way to sum."""
    if request.param and not checksum.use_numpy():
        pytest.skip("numpy is not there")
    yield
    checksum.use_numpy(False)


def test_a_train_goes_up_once(family: int) -> None:
    here = Receiver(family)
    counters = here.host.nic.counters.snapshot()
    row = here.row(30)
    here.turn(row)
    assert here.counted.came == 1
    assert here.user.data == stream(30)
    assert here.host.drops() == {}
    now = here.host.nic.counters.snapshot()
    assert now["in_packets"] - counters["in_packets"] == 30
    assert now["in_octets"] - counters["in_octets"] == sum(map(len, row))
    here.peer.sees(ACK, ack=101 + 30 * SIZE)
    here.peer.sees_nothing()


@pytest.mark.parametrize("cuts", [(1, 2, 3), (4, 6), (5, 5, 11)])
def test_what_comes_while_the_first_is_worked_on(family: int, cuts: tuple[int, ...]) -> None:
    """It belongs to the same turn, and goes up with what it continues."""
    here = Receiver(family)
    here.port.frames.clear()
    before = here.host.nic.counters.in_packets
    here.turn(here.row(12), cuts=cuts)
    assert here.counted.came == 1
    assert here.user.data == stream(12)
    assert here.user.calls == 1
    assert len(here.port.frames) == 1
    assert here.host.nic.counters.in_packets == before + 12


@pytest.mark.parametrize("close", [False, True])
def test_the_turn_has_gone_on(family: int, close: bool) -> None:
    """What comes then goes the whole way, whether or not anybody has said that a turn was over."""
    here = Receiver(family)
    row = here.row(8)
    here.host.nic.receive_all(row[:4])
    if close:
        here.user.stream.disconnect("bye")
    else:
        here.host.stack.step()
    here.host.nic.receive_all(row[4:])
    here.world.run(0)
    assert here.counted.came == (5 if close else 2)  # who closes has each looked at
    assert here.user.data == stream(8)


def test_segments_of_any_size_go_up_once(family: int) -> None:
    here = Receiver(family)
    sizes, at, row = [SIZE, 300, SIZE, 1401, 101, 77], 0, []
    for index, size in enumerate(sizes):
        row.append(here.frame(at, letters(index, size)))
        at += size
    here.turn(row)
    assert here.counted.came == 1
    assert here.user.data == b"".join(letters(*one) for one in enumerate(sizes))


def test_full_is_what_the_largest_one_was(family: int) -> None:
    """Small segments behind it are acknowledged later, however many (RFC 9293 3.8.6.3)."""
    here = Receiver(family)
    here.turn([here.frame(0, bytes(200)), here.frame(200, bytes(1400))])
    here.peer.sees(ACK, ack=101 + 1600)
    here.turn([here.frame(1600 + n * 200, bytes(200)) for n in range(3)])
    here.peer.sees_nothing()


def test_a_window_that_was_told_out_of_order(family: int) -> None:
    """An acknowledgment from ahead has set the window: the first ones of a row are older than it,
    those behind it are not (RFC 9293 3.10.7.4)."""
    here = Receiver(family)
    here.turn([here.frame(1500, b"", win=40)])
    row = here.row(4)
    here.turn(row[:1])
    (info,) = here.host.stack.tcp.info()
    assert info.snd_wnd == 40 << 7
    here.turn(row[1:])
    (info,) = here.host.stack.tcp.info()
    assert info.snd_wnd == 1000 << 7
    assert here.user.data == stream(4)


def test_small_pieces_become_one(family: int) -> None:
    """What a segment costs to hold is bounded, in a train as elsewhere."""
    here = Receiver(family)
    pieces: list[int] = []

    class Keeper(StreamSink):
        def received(self, views: list[memoryview], count: int, flags: int) -> int:
            pieces.extend(map(len, views))
            return count

    here.user.stream.attach(Keeper())
    here.turn([here.frame(n * 100, bytes(100)) for n in range(200)])
    assert here.counted.came == 1
    assert sum(pieces) == 200 * 100
    assert len(pieces) < 100


def test_with_vouched_checksums(family: int) -> None:
    """Behind a virtio-net header; what the device vouches for is not looked at."""
    here = Receiver(family, offload=True)
    plain = here.row(4)
    wrong = [frame[:-1] + bytes((frame[-1] ^ 1,)) for frame in plain]
    here.turn(wrong)
    assert here.host.drops() == {"tcp_checksum": 4}
    vouched = [vnet.build(0, 66, 0, 34, 16) + frame[vnet.LENGTH :] for frame in wrong]
    here.counted.came = 0
    here.turn(vouched)
    assert here.counted.came == 1
    assert here.user.data == b"".join(frame[-SIZE:] for frame in vouched)


def test_super_frames(family: int) -> None:
    """Each counts as its segments; they are acknowledged once."""
    here = Receiver(family, offload=True, segment=SIZE)
    here.port.frames.clear()
    here.turn(here.row(6, 10 * SIZE))
    assert here.counted.came == 1
    assert here.user.data == stream(6, 10 * SIZE)
    assert len(here.port.frames) == 1


@pytest.mark.parametrize("segment", [0, SIZE])
def test_no_octet_is_copied(family: int, segment: int) -> None:
    """Every view that the user is shown lies in the very frame."""
    here = Receiver(family, offload=segment > 0, segment=segment)
    seen: list[memoryview] = []

    class Keeper(StreamSink):
        def received(self, views: list[memoryview], count: int, flags: int) -> int:
            seen.extend(views)
            return count

    here.user.stream.attach(Keeper())
    row = here.row(8, SIZE + segment)
    here.turn(row)
    assert here.counted.came == 1
    assert [id(view.obj) for view in seen] == [id(frame) for frame in row]


@pytest.mark.parametrize("at", [1, 4, 7])
def test_a_wrong_checksum_is_dropped_alone(family: int, at: int) -> None:
    """What is before it is taken with the first, what is behind it waits for its repetition."""
    here = Receiver(family)
    row = here.row(8)
    right = row[at]
    row[at] = right[:-1] + bytes((right[-1] ^ 0x10,))
    here.turn(row)
    assert here.user.data == stream(8)[: at * SIZE]
    assert here.host.drops() == {"tcp_checksum": 1}
    assert here.host.stack.tcp.counters.in_errs == 1
    here.turn([right])
    assert here.user.data == stream(8)


def test_swapped_words_are_not_noticed_but_swapped_octets_are(family: int) -> None:
    """The sum is that of RFC 1071, of words, whichever way it is computed."""
    here = Receiver(family)
    row = here.row(4)
    row[1] = row[1][:-4] + row[1][-2:] + row[1][-4:-2]
    row[2] = row[2][:-2] + row[2][-1:] + row[2][-2:-1]
    here.turn(row)
    assert here.host.drops() == {"tcp_checksum": 1}
    assert len(here.user.data) == 2 * SIZE


def test_no_more_than_the_window(family: int) -> None:
    here = Receiver(family, tcp_receive_buffer=5500)
    here.user.keep = True
    here.turn(here.row(8))
    assert here.user.data == stream(8)[:5500]
    assert here.host.drops() == {"tcp_window": 2}


def test_what_ends_a_row(family: int) -> None:
    """A FIN behind it, a reset in it."""
    here = Receiver(family)
    here.turn([*here.row(4), here.frame(4 * SIZE, b"end", FIN | ACK)])
    assert here.user.data == stream(4) + b"end"
    assert here.user.events == ["finished"]
    here = Receiver(family)
    here.turn([*here.row(4), here.frame(4 * SIZE, b"", RST), here.frame(4 * SIZE, b"late")])
    assert here.user.final == "RESET"
    assert here.host.stack.tcp.counters.estab_resets == 1
    assert here.host.drops() == {"tcp_ack_invalid": 1}


def test_a_push_in_the_middle_is_told(family: int) -> None:
    here = Receiver(family)
    flags: list[int] = []

    class Listening(StreamSink):
        def received(self, views: list[memoryview], count: int, told: int) -> int:
            flags.append(told)
            return count

    here.user.stream.attach(Listening())
    for push in (None, 0, 2, 4):
        at = len(flags) * 5 * SIZE
        here.turn(
            [
                here.frame(at + n * SIZE, bytes(SIZE), ACK | PSH if n == push else ACK)
                for n in range(5)
            ]
        )
    assert flags == [flags[0], flags[1], flags[1], flags[1]]
    assert flags[0] != flags[1]


def test_raw_endpoints_hear_each(family: int) -> None:
    """As long as one listens, nothing goes up together."""
    here = Receiver(family)
    endpoint = here.host.raw(6)
    ear = Ear()
    endpoint.attach(ear)
    assert endpoint.bind(b"", 0, 0) == OK
    here.turn(here.row(6))
    here.turn([here.frame(n * SIZE, letters(n, SIZE)) for n in range(6, 9)], cuts=(1, 2))
    assert here.counted.came == 9
    assert here.user.data == stream(9)
    assert ear.heard == 9


@pytest.mark.parametrize("setting", [{"tcp_estats": True}, {"tcp_fast_path": False}])
def test_who_wants_each_segment_gets_it(family: int, setting: dict[str, bool]) -> None:
    here = Receiver(family, **setting)
    here.turn(here.row(6))
    assert here.counted.came == 6
    assert here.user.data == stream(6)


def test_marked_segments_are_counted_one_by_one(family: int) -> None:
    """Congestion experienced is not for the fast path where ECN was agreed on."""
    here = Receiver(family, flags=SYN | ECE | CWR)
    row = [here.frame(n * SIZE, letters(n, SIZE), packet={"tos": 3}) for n in range(4)]
    here.turn(row)
    assert here.counted.came == 4
    here.peer.sees(ACK | ECE, ack=101 + 4 * SIZE)
    row = [here.frame(n * SIZE, letters(n, SIZE), packet={"tos": 2}) for n in range(4, 8)]
    here.turn(row)
    assert here.counted.came == 5
    assert here.user.data == stream(8)


def test_who_is_not_connected(family: int) -> None:
    """Each segment is refused, as each would be alone."""
    here = Receiver(family)
    row = [here.frame(n * SIZE, letters(n, SIZE), dport=81) for n in range(3)]
    here.turn(row)
    assert here.host.drops() == {"tcp_no_port": 3}
    assert here.host.stack.tcp.counters.out_rsts == 3


def test_forwarded_segments_leave_one_by_one(family: int) -> None:
    """For another host: each is a packet of its own, in order."""
    here = Receiver(family)
    stack, peer = here.host.stack, here.peer
    layer = stack.v4 if family == addr.V4 else stack.v6
    layer.interface(here.host.nic).forwarding = True
    away = addr.parse("10.88.0.9" if family == addr.V4 else "fd88::9")
    prefix = addr.text(away[:-1] + b"\0")
    stack.add_route(prefix, 24 if family == addr.V4 else 64, here.host.nic, addr.text(peer.mine))
    here.port.frames.clear()
    here.turn([here.frame(n * SIZE, letters(n, SIZE), packet={"dst": away}) for n in range(4)])
    assert here.counted.came == 4
    sent = [frame[-SIZE:] for frame in here.port.frames if len(frame) > SIZE]
    assert sent == [letters(n, SIZE) for n in range(4)]


def test_out_of_order_rows(family: int) -> None:
    """Behind a gap everything waits; what fills the gap brings the rest."""
    here = Receiver(family)
    row = here.row(12)
    here.turn([*row[:3], *row[5:]])
    assert here.user.data == stream(3)
    here.turn(row[3:5])
    assert here.user.data == stream(12)
    here.turn([*row[2:], here.frame(12 * SIZE, b"more")])
    assert here.user.data == stream(12) + b"more"
