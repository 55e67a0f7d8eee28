# SPDX-License-Identifier: MIT
"""Floor 1: what IGMPv3 and MLDv2 messages have in common (RFC 3376 4, RFC 3810 5): queries,
group records, and the floating point of their codes.

    IGMP, eight bits     |1| exp | mant  |      value = (mant | 0x10)   << (exp + 3)
    MLD, sixteen bits    |1| exp |      mant (12)     |   (mant | 0x1000) << (exp + 3)

The two protocols differ in the width of addresses and of that field: `igmp` and `mld` read and
write the messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from stack.base import addr
from stack.base.units import SECOND

# Types of group records (RFC 3376 4.2.12, RFC 3810 5.2.12).
IS_INCLUDE: Final = 1
IS_EXCLUDE: Final = 2
TO_INCLUDE: Final = 3
TO_EXCLUDE: Final = 4
ALLOW: Final = 5
BLOCK: Final = 6

RECORD_NAMES: Final = ("", "IS_IN", "IS_EX", "TO_IN", "TO_EX", "ALLOW", "BLOCK")
TRUNCATED: Final = frozenset((IS_EXCLUDE, TO_EXCLUDE))
"""Records of which only as many sources are sent as fit (RFC 3376 4.2.16)."""

REPORT_LENGTH: Final = 8
"""Octets in front of a report's records."""
REST_LENGTH: Final = 4
"""Octets between the group and the sources of a query of the newest version."""
_QQIC_MANTISSA: Final = 4


class Query:
    """A membership query, whatever its protocol and version.

    version        1, 2 or 3 of IGMP, 1 or 2 of MLD
    group          the group asked about; empty in a general query
    max_response   ns within which to answer
    robustness     the querier's robustness variable; 0 if it does not say
    interval       the querier's query interval in ns; 0 if it does not say
    sources        the sources asked about; empty unless it is a group-and-source query
    """

    __slots__ = ("group", "interval", "max_response", "robustness", "sources", "version")

    def __init__(self, version: int, group: bytes, max_response: int) -> None:
        self.version = version
        self.group = group
        self.max_response = max_response
        self.robustness = 0
        self.interval = 0
        self.sources: tuple[bytes, ...] = ()

    def describe(self) -> str:
        """The query for a trace, without its protocol."""
        about = addr.text(self.group) if self.group else "general"
        return f"query v{self.version} " + ", ".join((about, *map(addr.text, self.sources)))


class Record:
    """One group record of a report: what is wanted, or no longer wanted, of one group."""

    __slots__ = ("group", "kind", "sources")

    def __init__(self, kind: int, group: bytes, sources: Iterable[bytes] = ()) -> None:
        self.kind = kind
        self.group = group
        self.sources = tuple(sources)

    def describe(self) -> str:
        """The record for a trace."""
        name = RECORD_NAMES[self.kind] if self.kind <= BLOCK else f"record {self.kind}"
        return f"{name}({', '.join(map(addr.text, (self.group, *self.sources)))})"


def expand(code: int, mantissa: int) -> int:
    """The number behind a code whose mantissa has so many bits (RFC 3376 4.1.1, 4.1.7,
    RFC 3810 5.1.3, 5.1.9); codes below the top bit are the number itself."""
    top = 1 << (mantissa + 3)
    if code < top:
        return code
    low = code & (1 << mantissa) - 1
    exponent = code >> mantissa & 7
    return (low | 1 << mantissa) << (exponent + 3)


def shrink(value: int, mantissa: int) -> int:
    """The code of the largest number that is not above `value`: what a querier sends."""
    top = 1 << (mantissa + 3)
    if value < top:
        return value
    exponent = min(7, value.bit_length() - mantissa - 4)
    low = min(value >> (exponent + 3), (2 << mantissa) - 1)
    return top | exponent << mantissa | low & (1 << mantissa) - 1


def addresses(frame: bytes, at: int, count: int, size: int) -> tuple[bytes, ...]:
    """`count` addresses of `size` octets, from frame[at] on."""
    return tuple([frame[i : i + size] for i in range(at, at + count * size, size)])


def parse_rest(query: Query, frame: bytes, at: int, end: int, size: int) -> bool:
    """What stands behind the group in a query of the newest version, into `query`: S and QRV, QQIC,
    and the sources, addresses of `size` octets.  False if they run past the end; what follows them
    is not looked at (RFC 3376 4.1.10, RFC 3810 5.1.12)."""
    if end - at < REST_LENGTH:
        return False
    count = int.from_bytes(frame[at + 2 : at + 4], "big")
    if end - at < REST_LENGTH + count * size:
        return False
    query.robustness = frame[at] & 7
    query.interval = expand(frame[at + 1], _QQIC_MANTISSA) * SECOND
    query.sources = addresses(frame, at + REST_LENGTH, count, size)
    return True


def build_rest(robustness: int, qqic: int, sources: Sequence[bytes]) -> bytes:
    """The same; `qqic` as it stands there."""
    head = bytes((robustness, qqic)) + len(sources).to_bytes(2, "big")
    return b"".join((head, *sources))


def build_record(record: Record) -> bytes:
    """One group record, without auxiliary data (RFC 3376 4.2.6: there is none)."""
    head = bytes((record.kind, 0)) + len(record.sources).to_bytes(2, "big")
    return b"".join((head, record.group, *record.sources))


def build_report(kind: int, records: Sequence[Record]) -> bytes:
    """A report of the newest version, its checksum field zero."""
    head = bytes((kind, 0, 0, 0, 0, 0)) + len(records).to_bytes(2, "big")
    return b"".join((head, *map(build_record, records)))


def parse_report(frame: bytes, start: int, end: int, size: int) -> tuple[Record, ...] | None:
    """The records of one, of addresses of `size` octets; None if they run past the end.

    Auxiliary data is passed over (RFC 3376 4.2.10).
    """
    at = start + REPORT_LENGTH
    if at > end:
        return None
    found: list[Record] = []
    for _ in range(int.from_bytes(frame[start + 6 : start + 8], "big")):
        first = at + 4 + size
        if first > end:
            return None
        sources = int.from_bytes(frame[at + 2 : at + 4], "big")
        after = first + sources * size
        if after > end:
            return None
        group = frame[at + 4 : first]
        found.append(Record(frame[at], group, addresses(frame, first, sources, size)))
        at = after + frame[at + 1] * 4
        if at > end:
            return None
    return tuple(found)
