# SPDX-License-Identifier: MIT
"""Floor 0: the Internet checksum (RFC 1071; incremental update RFC 1624).

The one's complement sum of 16-bit words is, up to the two spellings of zero, the number
modulo 0xFFFF that the octets form when read as one big integer, because 2**16 is 1 modulo
0xFFFF.  CPython turns octets into an integer and reduces it in C, which makes this the
fastest checksum that needs no library:

* short data: one conversion, one `%`;
* an Ethernet-sized payload: fold the integer in halves before the `%`, whose cost grows
  with the number of digits;
* a super-frame: sum 4 KiB chunks first, so that only one chunk's worth is divided.

* many segments at once: numpy, if whoever runs the stack asked for it and there is one.

A *sum* below is any integer congruent to the data; `finish` turns it into header bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from stack.base.units import View
from stack.base.views import cut

_FOLD_LIMIT: Final = 1536  # octets that four foldings bring below 96
_CHUNK: Final = 4096
_M6144: Final = (1 << 6144) - 1
_M3072: Final = (1 << 3072) - 1
_M1536: Final = (1 << 1536) - 1
_M768: Final = (1 << 768) - 1

_from_bytes = int.from_bytes


def data_sum(data: View) -> int:
    """The sum of `data`, an odd last octet padded with zero; in 0 .. 0xFFFE."""
    size = len(data)
    if size <= 128:
        total = _from_bytes(data, "big")
    elif size <= _FOLD_LIMIT:
        total = _from_bytes(data, "big")
        total = (total >> 6144) + (total & _M6144)
        total = (total >> 3072) + (total & _M3072)
        total = (total >> 1536) + (total & _M1536)
        total = (total >> 768) + (total & _M768)
    else:
        # Chunks keep an even length, so each starts on a word; the last may be odd and is
        # shifted alone.
        view = memoryview(data)
        even = size - size % _CHUNK
        total = 0
        for start in range(0, even, _CHUNK):
            total += _from_bytes(view[start : start + _CHUNK], "big")
        tail = _from_bytes(view[even:], "big")
        total += tail << 8 if size & 1 else tail
        return total % 0xFFFF
    if size & 1:
        total <<= 8
    return total % 0xFFFF


def swapped_sums(pieces: Sequence[bytes]) -> list[int]:
    """The sum of each piece with the octets of every word swapped: 256 times `data_sum`."""
    if _sum_rows is not None and len(pieces) > 1:
        size = (max(map(len, pieces)) + 1 & ~1) or 2
        # Zeroes at the end change nothing.
        return _sum_rows(b"".join([piece.ljust(size, b"\0") for piece in pieces]), size)
    return list(map(_swapped_sum, pieces))


def segment_sums(views: Sequence[View], size: int) -> list[int]:
    """The sums of `views`, put together, in pieces of `size` octets; the last may be shorter."""
    if _sum_rows is None or size & 1:
        return [
            data_sum(part[0]) if len(part) == 1 else views_sum(part) for part in cut(views, size)
        ]
    data = memoryview(views[0] if len(views) == 1 else b"".join(views))
    whole = len(data) - len(data) % size
    # Swapping the octets of a word twice leaves it as it was.
    found = [total << 8 for total in _sum_rows(data[:whole], size)] if whole else []
    if whole < len(data):
        found.append(data_sum(data[whole:]))
    return found


def _swapped_sum(piece: bytes) -> int:
    if len(piece) > _FOLD_LIMIT:
        return data_sum(piece) << 8
    total = _from_bytes(piece, "little")  # a little faster than "big"
    total = (total >> 6144) + (total & _M6144)
    total = (total >> 3072) + (total & _M3072)
    total = (total >> 1536) + (total & _M1536)
    return (total >> 768) + (total & _M768)


_sum_rows: Callable[[View, int], list[int]] | None = None


def use_numpy(wanted: bool = True) -> bool:
    """Let numpy do what it does faster from now on, or not.  False if there is none.

    For whoever has a device that verifies no checksums.  The import takes a tenth of a second and
    some megabytes, so that it is not made before somebody asks.
    """
    global _sum_rows
    if not wanted:
        _sum_rows = None
        return True
    try:
        import numpy as np
    except ImportError:
        return False

    def sum_rows(data: View, size: int) -> list[int]:
        words = np.frombuffer(data, "<u2").reshape(-1, size >> 1)
        found: list[int] = np.add.reduce(words, 1, np.uint32).tolist()
        return found

    _sum_rows = sum_rows
    return True


def views_sum(views: Sequence[View]) -> int:
    """The sum of the concatenation of `views`, without concatenating them.

    A view that starts at an odd offset contributes with its octets swapped, which is a
    factor of 256 modulo 0xFFFF.
    """
    total = 0
    odd = False
    for view in views:
        part = data_sum(view)
        total += part << 8 if odd else part
        odd ^= bool(len(view) & 1)
    return total % 0xFFFF


def finish(total: int) -> int:
    """The checksum field that makes `total` come out right: its complement, in 0 .. 0xFFFE.

    Of the two spellings of zero this gives 0x0000.  UDP, where 0 means "no checksum", sends
    0xFFFF instead (RFC 768), which the caller does with `or 0xFFFF`.
    """
    return -total % 0xFFFF


def partial(total: int) -> int:
    """`total` folded to 16 bits but not complemented: what a device is asked to finish."""
    return total % 0xFFFF


def pseudo_sum(src: bytes, dst: bytes, proto: int, length: int) -> int:
    """The pseudo-header's sum: the same number for IPv4 and IPv6 (RFC 9293 3.1, RFC 8200 8.1)."""
    return _from_bytes(src + dst, "big") + proto + length


def is_good(total: int) -> bool:
    """A sum taken over data *and* its checksum field proves the data intact."""
    return total % 0xFFFF == 0


def update(check: int, old: int, new: int) -> int:
    """The checksum after one 16-bit word changed from `old` to `new` (RFC 1624 eqn. 3)."""
    return (check + old - new) % 0xFFFF
