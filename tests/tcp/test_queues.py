# SPDX-License-Identifier: MIT
"""Send queue, receive queue and scoreboard against naive models."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from stack.tcp.loss.scoreboard import Acked, Scoreboard
from stack.tcp.recvq import Budget, ReceiveQueue
from stack.tcp.sendq import SendQueue


@given(
    st.lists(st.lists(st.binary(max_size=30), max_size=4), max_size=20),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 60)), max_size=20),
    st.lists(st.integers(0, 60), max_size=20),
)
def test_send_queue_is_a_string_with_tokens(
    requests: list[list[bytes]], reads: list[tuple[int, int]], acks: list[int]
) -> None:
    queue = SendQueue()
    text = b""
    ends = []
    for number, views in enumerate(requests):
        count = sum(map(len, views))
        queue.append([memoryview(v) for v in views], count, number)
        text += b"".join(views)
        ends.append(len(text))
    released = 0
    done = []
    for (at, count), step in zip(reads, acks + [0] * len(reads), strict=False):
        at = min(max(at, released), len(text))
        count = min(count, len(text) - at)
        if count:
            assert b"".join(queue.take(1 + at, count)) == text[at : at + count]
        released = min(released + step, len(text))
        done += [token for token, _ in queue.release(1 + released)]
        assert queue.start == 1 + released
    assert done == [n for n, end in enumerate(ends) if end <= released and n < len(done)]
    assert queue.end == 1 + len(text)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=8), st.data())
def test_withdrawing_leaves_the_others_in_order(sizes: list[int], data: st.DataObject) -> None:
    queue = SendQueue()
    for number, size in enumerate(sizes):
        queue.append([memoryview(bytes((number,)) * size)], size, number)
    sent = data.draw(st.integers(1, queue.end))
    victim = data.draw(st.integers(0, len(sizes) - 1))
    begin = 1 + sum(sizes[:victim])
    assert queue.withdraw(victim, sent) == (begin >= sent)
    left = [n for n in range(len(sizes)) if n != victim or begin < sent]
    expected = b"".join(bytes((n,)) * sizes[n] for n in left)
    if expected:
        assert b"".join(queue.take(1, len(expected))) == expected
    assert [token for token, _ in queue.release(queue.end)] == left


def test_many_small_pieces_are_joined_into_one() -> None:
    queue = SendQueue()
    for number in range(200):
        queue.append([memoryview(bytes((number,)))], 1, number)
    assert len(queue.take(1, 200)) == 1
    assert len(queue.take(1, 10)) == 10


@given(
    st.binary(min_size=1, max_size=300),
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 80)), max_size=40),
)
def test_receive_queue_delivers_the_stream(text: bytes, pieces: list[tuple[int, int]]) -> None:
    """Any pieces, any order, any overlap: what comes out is a prefix of the text, as long as what
    has arrived without a gap."""
    queue = ReceiveQueue(1000, Budget(1 << 30))
    have: set[int] = set()
    out = b""
    for start, size in pieces:
        start = max(min(start, len(text)), queue.next)
        part = text[start : start + size]
        if not part:
            continue
        before = queue.next
        assert queue.insert(start, memoryview(part)) == queue.next - before
        have |= set(range(start, start + len(part)))
        out += b"".join(queue.take())
        gapless = len(out)
        while gapless in have:
            gapless += 1
        assert gapless == len(out) == queue.next
        for left, right in queue.blocks(4):
            assert set(range(left, right)) <= have
            assert left > queue.next
    assert text.startswith(out)


@settings(max_examples=300)
@given(
    st.binary(min_size=50, max_size=300),
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 80)), max_size=60),
    st.integers(1, 6),
    st.integers(1, 150),
)
def test_receive_queue_with_little_room_never_mixes_up_the_stream(
    text: bytes, pieces: list[tuple[int, int]], limit: int, room: int
) -> None:
    """What has no room is refused, in whole or in part; what is told is still a prefix, and the
    budget is what is held."""
    budget = Budget(room)
    queue = ReceiveQueue(limit, budget)
    out = b""
    for start, size in pieces:
        start = max(min(start, len(text)), queue.next)
        part = text[start : start + size]
        if part:
            queue.insert(start, memoryview(part))
            out += b"".join(queue.take())
        assert text.startswith(out)
        assert len(out) == queue.next
        held = queue.blocks(1000)
        assert budget.used == sum(right - left for left, right in held) <= room
    queue.drop_ahead()
    assert budget.used == 0
    assert not queue.reordered


@given(st.binary(min_size=1, max_size=200), st.integers(0, 200), st.lists(st.integers(1, 30)))
def test_put_back_keeps_the_rest(text: bytes, taken: int, sizes: list[int]) -> None:
    queue = ReceiveQueue(10, Budget(1 << 30))
    at = 0
    for size in [*sizes, len(text)]:
        part = text[at : at + size]
        if part:
            queue.append(memoryview(part))
        at += size
    taken = min(taken, len(text))
    queue.put_back(queue.take(), taken)
    assert b"".join(queue.take()) == text[taken:]


def test_tiny_pieces_do_not_pile_up() -> None:
    queue = ReceiveQueue(10, Budget(1 << 30))
    for number in range(10_000):
        queue.append(memoryview(bytes((number & 0xFF,))))
    assert len(queue.ready) < 400
    assert queue.size == 10_000


def delivered(board: Scoreboard, upto: int) -> int:
    """What a cumulative acknowledgment brings."""
    result = Acked()
    board.ack(upto, result)
    return result.delivered


spans = st.lists(st.integers(1, 40), min_size=1, max_size=12)


FLYING = ("out", "resent")


class Naive:
    """A scoreboard beside the same thing octet by octet: in flight, sacked, lost, sent again."""

    def __init__(self, sizes: list[int], data: st.DataObject) -> None:
        self.board = Scoreboard()
        self.data = data
        self.state: dict[int, str] = {}
        self.sent: dict[int, int] = {}  # when an octet was sent last
        self.end = 0
        self.una = 0
        for number, size in enumerate(sizes):
            self.board.add(self.end, self.end + size, number)
            for at in range(self.end, self.end + size):
                self.state[at] = "out"
                self.sent[at] = number
            self.end += size

    def count(self, *hows: str) -> int:
        return sum(1 for how in self.state.values() if how in hows)

    def size(self) -> int:
        return self.data.draw(st.integers(1, 50))

    def ack(self, _: int) -> None:
        upto = self.data.draw(st.integers(self.una, self.end))
        news = sum(1 for at, how in self.state.items() if at < upto and how != "sacked")
        assert delivered(self.board, upto) == news
        self.state = {at: how for at, how in self.state.items() if at >= upto}
        self.una = upto

    def sack(self, _: int) -> None:
        left = self.data.draw(st.integers(0, self.end))
        right = self.data.draw(st.integers(left, self.end))
        inside = [at for at in self.state if left <= at < right]
        news = sum(1 for at in inside if self.state[at] != "sacked")
        assert self.board.sack(left, right, Acked()) == news
        self.state.update(dict.fromkeys(inside, "sacked"))

    def renege(self) -> None:
        if self.state.get(self.una) == "sacked":
            self.turn(lambda at, how: how == "sacked", "lost")

    def turn(self, which: Callable[[int, str], bool], how: str) -> None:
        self.state = {at: how if which(at, old) else old for at, old in self.state.items()}

    def all(self, _: int) -> None:
        self.renege()
        self.turn(lambda at, how: how in FLYING, "lost")
        self.board.mark_all_lost()

    def first(self, _: int) -> None:
        size = self.size()
        first = next(iter(self.board), None)
        if first is not None and not (first.sacked or first.lost or first.resent):
            upto = min(first.end, first.start + size)
            self.turn(lambda at, how: at < upto, "lost")
        self.board.mark_first_lost(size)

    def last(self, _: int) -> None:
        size = self.size()
        spans = list(self.board)
        if not spans:
            return
        start = max(spans[-1].start, spans[-1].end - size)
        self.turn(lambda at, how: at >= start and how in FLYING, "lost")
        self.board.mark_last_lost(size)

    def time(self, _: int) -> None:
        when = self.data.draw(st.integers(0, 130))
        self.turn(lambda at, how: how in FLYING and self.sent[at] < when, "lost")
        self.board.mark_lost_by_time((when, 0), 0, 1000)

    def expired(self, _: int) -> None:
        when = self.data.draw(st.integers(0, 130))
        self.renege()
        first = next(iter(self.board), None)
        upto = 0 if first is None else first.end
        self.turn(lambda at, how: how in FLYING and (at < upto or self.sent[at] <= when), "lost")
        self.board.mark_expired(when)

    def restore(self, _: int) -> None:
        self.turn(lambda at, how: how == "lost", "out")
        self.board.restore()

    def resend(self, step: int) -> None:
        span = self.board.next_lost()
        lost = [at for at in sorted(self.state) if self.state[at] == "lost"]
        assert (span is None) == (not lost)
        if span is None:
            return
        assert span.start == lost[0]
        size = self.size()
        for at in range(span.start, min(span.end, span.start + size)):
            self.state[at] = "resent"
            self.sent[at] = 100 + step
        self.board.resend(span, size, 100 + step)


ACTIONS = ("ack", "sack", "all", "first", "last", "time", "expired", "restore", "resend")


@settings(max_examples=300)
@given(spans, st.data())
def test_scoreboard_against_a_naive_one(sizes: list[int], data: st.DataObject) -> None:
    naive = Naive(sizes, data)
    for step, action in enumerate(data.draw(st.lists(st.sampled_from(ACTIONS), max_size=25))):
        getattr(naive, action)(step)
        board = naive.board
        assert board.sacked == naive.count("sacked")
        assert board.lost == naive.count("lost")
        assert board.in_flight() == naive.count(*FLYING)
        tiled = [at for span in board for at in range(span.start, span.end)]
        assert tiled == sorted(naive.state)


def test_scoreboard_stays_quick_with_many_holes() -> None:
    """Ten thousand spans, every second one SACKed one by one from behind: no quadratic walk."""
    board = Scoreboard()
    for number in range(10_000):
        board.add(number * 10, number * 10 + 10, 0)
    for number in range(9_999, 0, -2):
        board.sack(number * 10, number * 10 + 10, Acked())
    board.mark_lost_by_sack(20)
    sent = 0
    while (span := board.next_lost()) is not None:
        board.resend(span, 10, 1)
        sent += 1
    assert sent >= 4_990
    assert delivered(board, 100_000) == 50_000
