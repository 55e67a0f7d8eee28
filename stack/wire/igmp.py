# SPDX-License-Identifier: MIT
"""Floor 1: IGMP, all three versions (RFC 1112 appendix I, RFC 2236, RFC 3376)::

    +---------------+---------------+-------------------------------+
    |     type      | max resp code |           checksum            |
    +---------------+---------------+-------------------------------+
    |                         group address                         |
    +-------+-+-----+---------------+-------------------------------+
    | resv  |S| QRV |     QQIC      |       number of sources       |  a version 3 query goes
    +-------+-+-----+---------------+-------------------------------+  on like this
    |                        source addresses ...                   |
    +---------------------------------------------------------------+

    version 3 report:
    +---------------+---------------+-------------------------------+
    |   type 0x22   |    reserved   |           checksum            |
    +---------------+---------------+-------------------------------+
    |            reserved           |    number of group records    |
    +-------------------------------+-------------------------------+
    | type | aux length | number of sources | group | sources | aux |  ...
    +---------------------------------------------------------------+

The checksum is over the whole IP payload (RFC 3376 4.1.2) and is checked by `ip/igmp`.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Final

from stack.base import addr
from stack.base.checksum import data_sum, finish
from stack.base.units import MS, SECOND
from stack.wire import groups
from stack.wire.groups import Query, Record, build_rest, expand, parse_rest

HEADER: Final = Struct("!BBH4s")
LENGTH: Final = HEADER.size  # 8

QUERY: Final = 0x11
REPORT1: Final = 0x12
REPORT2: Final = 0x16
LEAVE: Final = 0x17
REPORT3: Final = 0x22

_MANTISSA: Final = 4
_TENTH: Final = 100 * MS
_V1_RESPONSE: Final = 10 * SECOND
_NAMES: Final = {REPORT1: "report v1", REPORT2: "report v2", LEAVE: "leave"}


def parse_query(frame: bytes, start: int, end: int) -> Query | None:
    """The query at frame[start:end].

    The version follows from length and code (RFC 3376 7.1); None if it has none, or if the
    sources run past the end.  What follows them is not looked at (RFC 3376 4.1.10).
    """
    size = end - start
    if size < LENGTH:
        return None
    _, code, _, group = HEADER.unpack_from(frame, start)
    if size == LENGTH:
        if code == 0:
            # Its group field means nothing (RFC 1112 appendix I), its time is fixed (RFC 3376
            # 7.2.1).
            return Query(1, b"", _V1_RESPONSE)
        return Query(2, b"" if group == addr.ANY4 else group, code * _TENTH)
    query = Query(3, b"" if group == addr.ANY4 else group, expand(code, _MANTISSA) * _TENTH)
    return query if parse_rest(query, frame, start + LENGTH, end, 4) else None


def parse_report(frame: bytes, start: int, end: int) -> tuple[Record, ...] | None:
    """The records of a version 3 report; None if they run past the end."""
    return groups.parse_report(frame, start, end, 4)


def group_of(frame: bytes, start: int, end: int) -> bytes:
    """The group of a version 1 or 2 report or of a leave; empty if there is none."""
    if end - start < LENGTH or not addr.is_multicast(frame[start + 4 : start + 8]):
        return b""
    return frame[start + 4 : start + 8]


def build(kind: int, group: bytes, code: int = 0) -> bytes:
    """An eight-octet message: a version 1 or 2 report, leave or query."""
    return _checked(HEADER.pack(kind, code, 0, group or addr.ANY4))


def build_query(
    group: bytes, code: int, robustness: int, qqic: int, sources: Sequence[bytes] = ()
) -> bytes:
    """A version 3 query; `code` and `qqic` as they stand in the message."""
    head = HEADER.pack(QUERY, code, 0, group or addr.ANY4)
    return _checked(head + build_rest(robustness, qqic, sources))


def build_report(records: Sequence[Record]) -> bytes:
    """A version 3 report."""
    return _checked(groups.build_report(REPORT3, records))


def _checked(message: bytes) -> bytes:
    check = finish(data_sum(message)).to_bytes(2, "big")
    return message[:2] + check + message[4:]


def describe(frame: bytes, start: int, end: int) -> str:
    """One line for a trace."""
    if end - start < LENGTH:
        return "igmp short"
    kind = frame[start]
    if kind == QUERY:
        query = parse_query(frame, start, end)
        return f"igmp {query.describe() if query else 'query malformed'}"
    if kind == REPORT3:
        records = parse_report(frame, start, end)
        if records is None:
            return "igmp report v3 malformed"
        return " ".join(("igmp report v3", *(record.describe() for record in records)))
    group = addr.text(frame[start + 4 : start + 8])
    return f"igmp {_NAMES.get(kind, f'type {kind}')} {group}"
