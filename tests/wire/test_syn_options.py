# SPDX-License-Identifier: MIT
"""The usual options of a SYN, read and written at once, are the same as one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stack.wire import tcp
from tests.wire.strategies import packet

FIELDS = ("mss", "has_ts", "ts_val", "ts_ecr", "wscale", "sack_permitted", "sacks", "uto")

mss, clock, shift = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFF)


def parsed(options: bytes) -> list[object]:
    """What a SYN with these options says."""
    header = tcp.HEADER.pack(1, 2, 3, 4, (20 + len(options)) << 10 | tcp.SYN, 5, 6, 7)
    pkt = packet(header + options)
    seg = tcp.parse(pkt)
    assert seg is not None
    return [getattr(seg, field) for field in FIELDS]


@given(mss, clock, clock, shift)
def test_written_at_once(size: int, val: int, ecr: int, scale: int) -> None:
    single = (
        tcp.mss_option(size),
        tcp.SACK_PERMITTED,
        tcp.timestamps_option(val, ecr)[2:],
        tcp.wscale_option(scale),
    )
    assert tcp.usual_options(size, val, ecr, scale) == b"".join(single)


@given(mss, clock, clock, shift)
def test_read_at_once(size: int, val: int, ecr: int, scale: int) -> None:
    """In another order they are read one by one, with the same result."""
    other = (
        tcp.wscale_option(scale),
        tcp.SACK_PERMITTED,
        tcp.timestamps_option(val, ecr)[2:],
        tcp.mss_option(size),
    )
    found = parsed(tcp.usual_options(size, val, ecr, scale))
    assert found == parsed(b"".join(other))
    assert found == [size, True, val, ecr, min(scale, 14), True, (), 0]


@given(st.binary(min_size=20, max_size=20), st.integers(0, 19))
def test_nearly_usual(noise: bytes, keep: int) -> None:
    """An octet that differs makes them what they are one by one: with options before them that
    say nothing they are not read at once."""
    usual = tcp.usual_options(1460, 1, 2, 7)
    options = usual[:keep] + noise[keep : keep + 1] + usual[keep + 1 :]
    assert parsed(options) == parsed(bytes((tcp.OPT_NOP,) * 4) + options)
