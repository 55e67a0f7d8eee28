# SPDX-License-Identifier: MIT
"""RangeSet against a naive set of integers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stack.base.ranges import RangeSet

spans = st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda t: (min(t), max(t)))


def build(parts: list[tuple[int, int]]) -> tuple[RangeSet, set[int]]:
    ranges, naive = RangeSet(), set()
    for start, end in parts:
        ranges.add(start, end)
        naive |= set(range(start, end))
    return ranges, naive


def members(ranges: RangeSet) -> set[int]:
    return {n for start, end in ranges for n in range(start, end)}


@given(st.lists(spans, max_size=12))
def test_holds_exactly_what_was_added(parts: list[tuple[int, int]]) -> None:
    ranges, naive = build(parts)
    assert members(ranges) == naive
    assert ranges.total() == len(naive)


@given(st.lists(spans, max_size=12))
def test_sorted_disjoint_and_not_adjacent(parts: list[tuple[int, int]]) -> None:
    ranges, _ = build(parts)
    flat = [edge for span in ranges for edge in span]
    assert flat == sorted(set(flat))


@given(st.lists(spans, max_size=8), spans)
def test_questions(parts: list[tuple[int, int]], probe: tuple[int, int]) -> None:
    ranges, naive = build(parts)
    wanted = set(range(*probe))
    assert ranges.overlaps(*probe) == bool(wanted & naive)
    assert ranges.covers(*probe) == (wanted <= naive)
    first = ranges.first_overlap(*probe)
    both = sorted(wanted & naive)
    assert (first is None) == (not both)
    if first is not None:
        assert first[0] == both[0]
        assert set(range(*first)) <= wanted & naive
        assert first[1] not in wanted & naive
    found = ranges.find(probe[0])
    assert (found is not None) == (probe[0] in naive)
    missing = [n for start, end in ranges.gaps(*probe) for n in range(start, end)]
    assert missing == sorted(wanted - naive)


@given(st.lists(spans, max_size=8), st.integers(0, 61))
def test_remove_below(parts: list[tuple[int, int]], limit: int) -> None:
    ranges, naive = build(parts)
    ranges.remove_below(limit)
    assert members(ranges) == {n for n in naive if n >= limit}
