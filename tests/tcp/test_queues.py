# SPDX-License-Identifier: MIT
"""Send queue, receive queue and scoreboard against naive models."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stack.tcp.loss.scoreboard import Scoreboard
from stack.tcp.recvq import ReceiveQueue
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
    queue = ReceiveQueue(1000)
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


@given(st.binary(min_size=1, max_size=200), st.integers(0, 200), st.lists(st.integers(1, 30)))
def test_put_back_keeps_the_rest(text: bytes, taken: int, sizes: list[int]) -> None:
    queue = ReceiveQueue(10)
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
    queue = ReceiveQueue(10)
    for number in range(10_000):
        queue.append(memoryview(bytes((number & 0xFF,))))
    assert len(queue.ready) < 400
    assert queue.size == 10_000


spans = st.lists(st.integers(1, 40), min_size=1, max_size=12)


@given(spans, st.data())
def test_scoreboard_against_a_naive_one(sizes: list[int], data: st.DataObject) -> None:
    """Octet by octet: in flight, sacked, lost, resent."""
    board = Scoreboard()
    state: dict[int, str] = {}
    end = 0
    for number, size in enumerate(sizes):
        board.add(end, end + size, number)
        for at in range(end, end + size):
            state[at] = "out"
        end += size
    una = 0
    for step in range(data.draw(st.integers(0, 25))):
        action = data.draw(st.sampled_from(("ack", "sack", "all", "first", "resend")))
        if action == "ack":
            upto = data.draw(st.integers(una, end))
            news = sum(1 for at, how in state.items() if at < upto and how != "sacked")
            assert board.ack(upto).delivered == news
            state = {at: how for at, how in state.items() if at >= upto}
            una = upto
        elif action == "sack":
            left = data.draw(st.integers(0, end))
            right = data.draw(st.integers(left, end))
            inside = [at for at in state if left <= at < right]
            news = sum(1 for at in inside if state[at] != "sacked")
            assert board.sack(left, right) == news
            for at in inside:
                state[at] = "sacked"
        elif action == "all":
            if state.get(una) == "sacked":
                state = dict.fromkeys(state, "lost")
            else:
                state = {at: how if how == "sacked" else "lost" for at, how in state.items()}
            board.mark_all_lost()
        elif action == "first":
            size = data.draw(st.integers(1, 50))
            first = next(iter(board), None)
            if first is not None and not (first.sacked or first.lost or first.resent):
                for at in range(first.start, min(first.end, first.start + size)):
                    state[at] = "lost"
            board.mark_first_lost(size)
        else:
            span = board.next_lost()
            lost = sorted(at for at, how in state.items() if how == "lost")
            assert (span is None) == (not lost)
            if span is not None:
                assert span.start == lost[0]
                size = data.draw(st.integers(1, 50))
                for at in range(span.start, min(span.end, span.start + size)):
                    state[at] = "resent"
                board.resend(span, size, 100 + step)
        assert board.sacked == sum(1 for how in state.values() if how == "sacked")
        assert board.lost == sum(1 for how in state.values() if how == "lost")
        tiled = [at for span in board for at in range(span.start, span.end)]
        assert tiled == sorted(state)


def test_scoreboard_stays_quick_with_many_holes() -> None:
    """Ten thousand spans, every second one SACKed one by one from behind: no quadratic walk."""
    board = Scoreboard()
    for number in range(10_000):
        board.add(number * 10, number * 10 + 10, 0)
    for number in range(9_999, 0, -2):
        board.sack(number * 10, number * 10 + 10)
    board.mark_lost_by_sack(20)
    sent = 0
    while (span := board.next_lost()) is not None:
        board.resend(span, 10, 1)
        sent += 1
    assert sent >= 4_990
    assert board.ack(100_000).delivered == 50_000
