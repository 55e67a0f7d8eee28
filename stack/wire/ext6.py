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

The walk over them and its judgements are in `ip/extensions`.
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
OPT_ROUTER_ALERT: Final = 5
OPT_JUMBO: Final = 0xC2

ROUTER_ALERT_MLD: Final = bytes((OPT_ROUTER_ALERT, 2, 0, 0))
"""Routers look at the packet, for it is MLD's (RFC 2711 2.1)."""


JUMBO: Final = Struct("!BBBBI")
JUMBO_LENGTH: Final = JUMBO.size  # 8


def build_jumbo(proto: int, length: int) -> bytes:
    """A hop-by-hop header with the jumbo payload option and nothing else, in front of `proto`:
    `length` octets behind the IPv6 header, these eight included (RFC 2675 2)."""
    return JUMBO.pack(proto, 0, OPT_JUMBO, 4, length)


def jumbo_length(frame: bytes, at: int, end: int) -> int:
    """What such a header at `at` says, 0 if there is none."""
    if end - at < JUMBO_LENGTH:
        return 0
    _, size, kind, octets, length = JUMBO.unpack_from(frame, at)
    return int(length) if (size, kind, octets) == (0, OPT_JUMBO, 4) else 0


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


def padding_fault(frame: bytes, start: int, end: int) -> int:
    """Where padding in sound options is longer than an alignment to eight octets needs, or is not
    zero (RFC 4942 2.1.9.5, RFC 8504 5.3); 0 if nowhere.
    """
    at, run = start, 0
    while at < end:
        kind = frame[at]
        size = 1 if kind == OPT_PAD1 else frame[at + 1] + 2
        run = run + size if kind in (OPT_PAD1, OPT_PADN) else 0
        if run > 7 or (kind == OPT_PADN and any(frame[at + 2 : at + size])):
            return at
        at += size
    return 0


def build_fragment(proto: int, offset: int, more: bool, ident: int) -> bytes:
    """A fragment header; `offset` is a multiple of eight."""
    return FRAGMENT_HEADER.pack(proto, 0, offset | more, ident)


def build_hop_by_hop(proto: int, options: bytes) -> bytes:
    """A hop-by-hop options header, padded (RFC 8200 4.3)."""
    missing = -(2 + len(options)) % 8
    padding = (
        b"\0" * missing if missing < 2 else bytes((OPT_PADN, missing - 2)) + bytes(missing - 2)
    )
    return bytes((proto, (2 + len(options) + missing) // 8 - 1)) + options + padding


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
