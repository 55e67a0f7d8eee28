# SPDX-License-Identifier: MIT
"""Floor 1: IPv6 extension headers (RFC 8200 4)::

    +---------------+---------------+-------------------------------+
    |  next header  |  hdr ext len  |  options or type specific ... |
    +---------------+---------------+-------------------------------+

    fragment header:
    +---------------+---------------+-------------------------+--+-+
    |  next header  |   reserved    |     fragment offset     |  |M|
    +---------------+---------------+-------------------------+--+-+
    |                        identification                        |
    +--------------------------------------------------------------+

Only reads; the walk and its judgements are in `ip/v6`.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

HOP_BY_HOP: Final = 0
ROUTING: Final = 43
FRAGMENT: Final = 44
NO_NEXT: Final = 59
DESTINATION: Final = 60

KNOWN: Final = frozenset((HOP_BY_HOP, ROUTING, FRAGMENT, NO_NEXT, DESTINATION))

FRAGMENT_HEADER: Final = Struct("!BBHI")
FRAGMENT_LENGTH: Final = FRAGMENT_HEADER.size  # 8

OPT_PAD1: Final = 0
OPT_PADN: Final = 1


def length(frame: bytes, at: int, end: int) -> int:
    """The length in octets of the extension header at `at`, or 0 if it does not fit.

    For headers with the common shape; the fragment header always has eight octets.
    """
    if end - at < 8:
        return 0
    size = (frame[at + 1] + 1) * 8
    return size if at + size <= end else 0


def options(frame: bytes, start: int, end: int) -> list[tuple[int, int, int]] | None:
    """The options in frame[start:end] as (type, offset, data length), padding left out.

    None if an option runs past the end.
    """
    found: list[tuple[int, int, int]] = []
    at = start
    while at < end:
        kind = frame[at]
        if kind == OPT_PAD1:
            at += 1
            continue
        if at + 1 >= end:
            return None
        size = frame[at + 1]
        if at + 2 + size > end:
            return None
        if kind != OPT_PADN:
            found.append((kind, at, size))
        at += 2 + size
    return found


def build_fragment(proto: int, offset: int, more: bool, ident: int) -> bytes:
    """A fragment header; `offset` is a multiple of eight."""
    return FRAGMENT_HEADER.pack(proto, 0, offset | more, ident)


def upper(frame: bytes, proto: int, at: int, end: int) -> tuple[int, int, int]:
    """What lies behind a chain of headers that begins with `proto` at `at`: (protocol, offset,
    fragment offset).  Stops where the chain does not fit, and at a later fragment's data."""
    while proto in KNOWN and proto != NO_NEXT:
        size = FRAGMENT_LENGTH if proto == FRAGMENT else length(frame, at, end)
        if not size or at + size > end:
            break
        if proto == FRAGMENT:
            offset = FRAGMENT_HEADER.unpack_from(frame, at)[2] & ~7
            if offset:
                return frame[at], at + size, offset
        proto, at = frame[at], at + size
    return proto, at, 0
