# SPDX-License-Identifier: MIT
"""Floor 1: Multicast Listener Discovery, both versions (RFC 2710 3, RFC 3810 5)::

    +---------------+---------------+-------------------------------+
    | type 130..132 |    code 0     |           checksum            |
    +---------------+---------------+-------------------------------+
    |     maximum response code     |            reserved           |
    +-------------------------------+-------------------------------+
    |                     multicast address (16)                    |
    +-------+-+-----+---------------+-------------------------------+
    | resv  |S| QRV |     QQIC      |       number of sources       |  a version 2 query goes
    +-------+-+-----+---------------+-------------------------------+  on like this
    |                      source addresses (16) ...                |
    +---------------------------------------------------------------+

    version 2 report (type 143): as IGMPv3's, with addresses of sixteen octets

The messages are ICMPv6's: their checksum is checked by `ip/icmp` and put in by `ip/mld`.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Final

from stack.base import addr
from stack.base.units import MS
from stack.wire import groups
from stack.wire.groups import Query, Record, build_rest, expand, parse_rest
from stack.wire.icmp6 import MLD2_REPORT, MLD_DONE, MLD_QUERY, MLD_REPORT

MESSAGE: Final = Struct("!BBHHH16s")
LENGTH: Final = MESSAGE.size  # 24

TYPES: Final = frozenset((MLD_QUERY, MLD_REPORT, MLD_DONE, MLD2_REPORT))

_MANTISSA: Final = 12
_NAMES: Final = {MLD_REPORT: "report v1", MLD_DONE: "done"}


def parse_query(frame: bytes, start: int, end: int) -> Query | None:
    """The query at frame[start:end].

    The version follows from the length (RFC 3810 8.1); None if it has none, or if the sources
    run past the end.  What follows them is not looked at (RFC 3810 5.1.12).
    """
    size = end - start
    if size < LENGTH:
        return None
    _, _, _, code, _, group = MESSAGE.unpack_from(frame, start)
    named = b"" if group == addr.ANY6 else group
    if size == LENGTH:
        return Query(1, named, code * MS)
    query = Query(2, named, expand(code, _MANTISSA) * MS)
    return query if parse_rest(query, frame, start + LENGTH, end, 16) else None


def parse_report(frame: bytes, start: int, end: int) -> tuple[Record, ...] | None:
    """The records of a version 2 report; None if they run past the end."""
    return groups.parse_report(frame, start, end, 16)


def group_of(frame: bytes, start: int, end: int) -> bytes:
    """The group of a version 1 report or done; empty if there is none."""
    if end - start < LENGTH or frame[start + 8] != 0xFF:
        return b""
    return frame[start + 8 : start + 24]


def build(kind: int, group: bytes, code: int = 0) -> bytes:
    """A version 1 message, its checksum field zero; an empty group in a general query."""
    return MESSAGE.pack(kind, 0, 0, code, 0, group or addr.ANY6)


def build_query(
    group: bytes, code: int, robustness: int, qqic: int, sources: Sequence[bytes] = ()
) -> bytes:
    """A version 2 query, its checksum field zero; `code` and `qqic` as in the message."""
    return build(MLD_QUERY, group, code) + build_rest(robustness, qqic, sources)


def build_report(records: Sequence[Record]) -> bytes:
    """A version 2 report, its checksum field zero."""
    return groups.build_report(MLD2_REPORT, records)


def describe(frame: bytes, start: int, end: int) -> str:
    """One line for a trace."""
    kind = frame[start] if start < end else 0
    if kind == MLD_QUERY:
        query = parse_query(frame, start, end)
        return f"mld {query.describe() if query else 'query malformed'}"
    if kind == MLD2_REPORT:
        records = parse_report(frame, start, end)
        if records is None:
            return "mld report v2 malformed"
        return " ".join(("mld report v2", *(record.describe() for record in records)))
    if end - start < LENGTH:
        return "mld short"
    group = addr.text(frame[start + 8 : start + 24])
    return f"mld {_NAMES.get(kind, f'type {kind}')} {group}"
