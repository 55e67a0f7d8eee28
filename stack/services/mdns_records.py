# SPDX-License-Identifier: MIT
"""Floor 6: the records of a host name on one link, and how mDNS compares them.

A and AAAA of the name, PTR of the addresses, all of them unique (RFC 6762 2), and the NSEC that
says what else there is not (6.1).  Data are compared as uncompressed octets (8.2).

Used by `mdns_link` and `mdns_answer`.
"""

from __future__ import annotations

from typing import Final

from stack.services import domain, link_message
from stack.services.link_message import ANY, IN, NSEC, TOP, Part, Question, Record, Writer
from stack.services.means import AAAA, PTR, A

TTL: Final = 120
"""Seconds, of every record with a host's name in it (RFC 6762 10)."""
LEGACY_TTL: Final = 10
"""For queriers that are no mDNS (RFC 6762 6.7)."""


class Own:
    """One record of ours."""

    __slots__ = ("data", "key", "owner", "parts", "type")

    def __init__(self, owner: str, kind: int, parts: tuple[Part, ...]) -> None:
        self.key = owner
        self.owner = link_message.name(owner)
        self.type = kind
        self.parts = parts
        octets = (part if isinstance(part, bytes) else part.to_wire() for part in parts)
        self.data = b"".join(part for part in octets if part is not None)

    def same(self, other: Record) -> bool:
        """`other` says the same."""
        return (self.key, self.type, IN, self.data) == (
            other.key,
            other.type,
            other.rdclass,
            other.data,
        )

    def known(self, others: list[Record]) -> bool:
        """The querier knows it, and for half its lifetime at least (RFC 6762 7.1)."""
        return any(self.same(other) and other.ttl * 2 >= TTL for other in others)

    def write(self, writer: Writer, section: int, ttl: int, flush: bool) -> bool:
        """Add it to a message.  False if there is no room."""
        rdclass = IN | (TOP if flush else 0)
        return writer.record(section, self.owner, self.type, ttl, self.parts, rdclass)


class Holdings:
    """What a name has on a link."""

    __slots__ = ("_denials", "name", "records")

    def __init__(self, name: str, addresses: list[bytes]) -> None:
        self.name = name
        forward = [Own(name, A if len(a) == 4 else AAAA, (a,)) for a in addresses]
        target = link_message.name(name)
        reverse = [Own(domain.reverse(a), PTR, (target,)) for a in addresses]
        self.records = [*forward, *reverse]
        self._denials = {record.key: self._denial(record.key) for record in self.records}

    def _denial(self, owner: str) -> Own:
        types = sorted({record.type for record in self.records if record.key == owner})
        return Own(owner, NSEC, (link_message.name(owner), link_message.type_bitmap(types)))

    def has(self, owner: str) -> bool:
        """A name of ours."""
        return owner in self._denials

    def denial(self, owner: str) -> Own:
        """The NSEC of a name of ours."""
        return self._denials[owner]

    def addresses(self) -> list[Own]:
        """A and AAAA."""
        return [record for record in self.records if record.key == self.name]

    def answers(self, question: Question) -> list[Own]:
        """What answers `question`; the NSEC if the name is ours but has nothing of the type."""
        if question.rdclass not in (IN, ANY) or not self.has(question.key):
            return []
        found = [
            record
            for record in self.records
            if record.key == question.key and question.type in (record.type, ANY)
        ]
        return found or [self.denial(question.key)]

    def beside(self, chosen: list[Own]) -> list[Own]:
        """What goes with addresses: those of the other family, or that there is none (6.2)."""
        types = {record.type for record in chosen if record.key == self.name}
        if not types & {A, AAAA} or {A, AAAA} <= types:
            return []
        (missing,) = {A, AAAA} - types
        return [r for r in self.addresses() if r.type == missing] or [self.denial(self.name)]

    def rest(self, chosen: list[Own]) -> list[Own]:
        """Those that have the name and type of a chosen one, and are not chosen."""
        kinds = {(own.key, own.type) for own in chosen}
        return [r for r in self.records if (r.key, r.type) in kinds and r not in chosen]

    def find(self, record: Record) -> Own | None:
        """The record of ours that says what `record` says."""
        return next((own for own in self.records if own.same(record)), None)


def later(theirs: list[Record], ours: list[Own]) -> int:
    """Who wins a tie (RFC 6762 8.2.1): positive for them, negative for us, 0 if all is the same."""
    first = sorted((record.rdclass, record.type, record.data) for record in theirs)
    second = sorted((IN, record.type, record.data) for record in ours)
    return (first > second) - (first < second)
