# SPDX-License-Identifier: MIT
"""Sequence arithmetic against the definition: signed distance on a circle of 2**32."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stack.base import seq

numbers = st.integers(0, 2**32 - 1)
steps = st.integers(-(2**31) + 1, 2**31 - 1)


@given(numbers, steps)
def test_distance_undoes_add(number: int, step: int) -> None:
    assert seq.diff(seq.add(number, step), number) == step


@given(numbers, steps)
def test_order_is_the_sign_of_the_distance(number: int, step: int) -> None:
    other = seq.add(number, step)
    assert seq.lt(number, other) == (step > 0)
    assert seq.le(number, other) == (step >= 0)
    assert seq.gt(number, other) == (step < 0)
    assert seq.ge(number, other) == (step <= 0)


@given(numbers, numbers)
def test_opposites(a: int, b: int) -> None:
    assert seq.lt(a, b) == seq.gt(b, a) or seq.sub(a, b) == 2**31
    assert seq.add(b, seq.sub(a, b)) == a


@given(numbers, st.integers(0, 2**31), st.integers(0, 2**32 - 1))
def test_within_counts_from_the_start(start: int, length: int, number: int) -> None:
    assert seq.within(number, start, length) == ((number - start) % 2**32 < length)


def test_wraparound_by_example() -> None:
    assert seq.lt(0xFFFFFFF0, 0x10)
    assert seq.gt(0x10, 0xFFFFFFF0)
    assert seq.add(0xFFFFFFFF, 1) == 0
    assert seq.sub(5, 0xFFFFFFFB) == 10
