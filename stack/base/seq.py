# SPDX-License-Identifier: MIT
"""Floor 0: arithmetic on 32-bit sequence numbers (RFC 9293 section 3.4).

The only place that compares sequence numbers.  They live on a circle of 2**32, so "less"
means "at most half the circle behind"; every other module asks here and never uses `<`
on them.  TCP timestamps (RFC 7323 section 5.2) are compared by the same rule.
"""

from typing import Final

MASK: Final = 0xFFFFFFFF
_HALF: Final = 0x80000000


def add(number: int, count: int) -> int:
    """The sequence number `count` octets after `number` (before it, if negative)."""
    return (number + count) & MASK


def sub(later: int, earlier: int) -> int:
    """How far `later` lies ahead of `earlier` on the circle: 0 .. 2**32 - 1."""
    return (later - earlier) & MASK


def diff(a: int, b: int) -> int:
    """The signed distance a - b: -2**31 .. 2**31 - 1."""
    return ((a - b + _HALF) & MASK) - _HALF


def lt(a: int, b: int) -> bool:
    """a lies before b."""
    return (a - b) & _HALF != 0


def le(a: int, b: int) -> bool:
    """a lies before b or is b."""
    return (b - a) & _HALF == 0


def gt(a: int, b: int) -> bool:
    """a lies after b."""
    return (b - a) & _HALF != 0


def ge(a: int, b: int) -> bool:
    """a lies after b or is b."""
    return (a - b) & _HALF == 0


def within(number: int, start: int, length: int) -> bool:
    """`number` is one of the `length` sequence numbers that begin at `start`."""
    return (number - start) & MASK < length
