# SPDX-License-Identifier: MIT
"""The checksum against RFC 1071's own algorithm, and its laws."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from stack.base import checksum


def naive(data: bytes) -> int:
    """RFC 1071 4.1, word by word."""
    data += bytes(len(data) % 2)
    total = 0
    for at in range(0, len(data), 2):
        total += data[at] << 8 | data[at + 1]
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def same(a: int, b: int) -> bool:
    """Equal up to the two spellings of zero."""
    return a % 0xFFFF == b % 0xFFFF


@given(st.binary(max_size=300))
def test_agrees_with_the_definition(data: bytes) -> None:
    assert same(checksum.finish(checksum.data_sum(data)), naive(data))


@given(st.integers(0, 70000), st.integers(0, 255))
def test_every_size_class_agrees(size: int, salt: int) -> None:
    block = bytes((n * 7 + salt) & 0xFF for n in range(251))
    data = (block * (size // 251 + 1))[:size]
    assert same(checksum.finish(checksum.data_sum(data)), naive(data))


@given(
    st.lists(
        st.one_of(st.binary(max_size=80), st.binary(min_size=1400, max_size=1700)), max_size=9
    ),
    st.booleans(),
)
@example([b"", b""], True)
def test_sums_of_many_are_those_of_each(pieces: list[bytes], numpy: bool) -> None:
    """Odd and even sizes, empty ones, and those that are folded in chunks, with numpy and
    without: it is the same number with its octets swapped."""
    checksum.use_numpy(numpy)
    found = checksum.swapped_sums(pieces)
    checksum.use_numpy(False)
    assert len(found) == len(pieces)
    for piece, total in zip(pieces, found, strict=True):
        assert same(total, checksum.data_sum(piece) << 8)


@given(st.lists(st.binary(max_size=50), max_size=6))
def test_views_count_as_their_concatenation(parts: list[bytes]) -> None:
    assert checksum.views_sum(parts) == checksum.data_sum(b"".join(parts))


@given(st.binary(min_size=4, max_size=80).filter(lambda d: len(d) % 2 == 0))
def test_data_with_its_checksum_is_good(data: bytes) -> None:
    blank = data[:2] + b"\0\0" + data[4:]
    check = checksum.finish(checksum.data_sum(blank))
    whole = blank[:2] + check.to_bytes(2, "big") + blank[4:]
    assert checksum.is_good(checksum.data_sum(whole))


@given(st.binary(min_size=8, max_size=8), st.integers(0, 0xFFFF))
def test_update_is_recomputing(data: bytes, new: int) -> None:
    old = int.from_bytes(data[4:6], "big")
    before = checksum.finish(checksum.data_sum(data))
    changed = data[:4] + new.to_bytes(2, "big") + data[6:]
    after = checksum.finish(checksum.data_sum(changed))
    assert same(checksum.update(before, old, new), after)


def test_zero_has_one_spelling() -> None:
    assert checksum.finish(0) == 0
    assert checksum.finish(0xFFFF) == 0


@given(st.lists(st.binary(max_size=200), max_size=6), st.integers(1, 90), st.booleans())
def test_segments_have_the_sums_of_their_octets(parts: list[bytes], size: int, numpy: bool) -> None:
    data = b"".join(parts)
    checksum.use_numpy(numpy)
    try:
        found = checksum.segment_sums(parts, size)
    finally:
        checksum.use_numpy(False)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert [total % 0xFFFF for total in found] == [checksum.data_sum(one) for one in pieces]
