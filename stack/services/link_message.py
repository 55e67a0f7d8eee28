# SPDX-License-Identifier: MIT
"""Floor 6: messages of LLMNR and mDNS (RFC 4795 2.1, RFC 6762 18), in dnspython's names.

Both are DNS messages (RFC 1035 4.1) with bits of their own.  Like `dns_message` this reads records
itself and leaves names to dnspython: no more than QUESTIONS questions and RECORDS records are
looked at, and types nobody has heard of stay octets.  Data are kept uncompressed, for comparison
(RFC 6762 8.2).

`read` is total: for any octets a `Message` or None.  `Writer` is asked, record by record, whether
there is room.  Imported when LLMNR or mDNS is switched on, not before.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

import dns.exception
import dns.name

from stack.services.means import CNAME, OPT, PTR, SOA

# Bits of the header: QR, AA, TC of all DNS, C and T of LLMNR, which has AA and RD's places.
RESPONSE: Final = 0x8000
AUTHORITATIVE: Final = 0x0400
TRUNCATED: Final = 0x0200
CONFLICT: Final = 0x0400
TENTATIVE: Final = 0x0100
_OPCODE: Final = 0x7800
_RCODE: Final = 0x000F

IN: Final = 1
ANY: Final = 255
"""Of types and of classes."""
NSEC: Final = 47
TOP: Final = 0x8000
"""Of a class in mDNS: unicast wanted of a question, cache flush of a record."""

ANSWER, AUTHORITY, ADDITIONAL = 1, 2, 3

QUESTIONS: Final = 64
RECORDS: Final = 256

_HEADER: Final = struct.Struct("!6H")
_QUESTION: Final = struct.Struct("!HH")
_RECORD: Final = struct.Struct("!HHIH")
_LENGTH: Final = struct.Struct("!H")
_NAMED: Final = {2: 0, CNAME: 0, PTR: 0, 15: 2, 33: 6, 39: 0, NSEC: 0}
"""Types whose data have a name, and how many octets are in front of it."""
_BAD: Final = (dns.exception.DNSException, ValueError, struct.error)

Part = bytes | dns.name.Name


def name(text: str) -> dns.name.Name:
    """The name written as `text`, which `domain` has found sound."""
    return dns.name.from_text(text)


def key(found: dns.name.Name) -> str:
    """A name as it is looked up: lower case, no final dot."""
    return str(found.to_text(omit_final_dot=True)).lower()


class Question:
    """A question; `name` is as it was written, `key` as it is looked up."""

    __slots__ = ("key", "name", "rdclass", "type", "unicast")

    def __init__(self, asked: dns.name.Name, kind: int, rdclass: int = IN) -> None:
        self.name = asked
        self.key = key(asked)
        self.type = kind
        self.rdclass = rdclass
        self.unicast = False  # mDNS: the top bit of the class

    def same(self, other: Question) -> bool:
        """The same is asked."""
        return (self.key, self.type, self.rdclass) == (other.key, other.type, other.rdclass)


class Record:
    """A record; `ttl` in seconds, `data` uncompressed, `target` the name in it, if any."""

    __slots__ = ("data", "flush", "key", "rdclass", "target", "ttl", "type")

    def __init__(self, owner: str, kind: int, rdclass: int, ttl: int, data: bytes) -> None:
        self.key = owner
        self.type = kind
        self.rdclass = rdclass & ~TOP
        self.flush = bool(rdclass & TOP)
        self.ttl = ttl if ttl < 1 << 31 else 0  # RFC 2181 8
        self.data = data
        self.target = ""


class Message:
    """What a message says.  `counts` are the header's own, whatever is behind it."""

    __slots__ = (
        "additional",
        "answers",
        "authority",
        "counts",
        "edns",
        "flags",
        "ident",
        "payload",
        "questions",
    )

    def __init__(self, ident: int, flags: int, counts: Sequence[int]) -> None:
        self.ident = ident
        self.flags = flags
        self.counts = tuple(counts)
        self.questions: list[Question] = []
        self.answers: list[Record] = []
        self.authority: list[Record] = []
        self.additional: list[Record] = []
        self.payload = 0  # octets that the sender can take by UDP, if it says so (RFC 6891)
        self.edns = -1  # EDNS version, negative: none

    @property
    def response(self) -> bool:
        return bool(self.flags & RESPONSE)

    @property
    def opcode(self) -> int:
        return self.flags & _OPCODE

    @property
    def rcode(self) -> int:
        return self.flags & _RCODE


def read(wire: bytes) -> Message | None:
    """The message in `wire`, None if it is none."""
    try:
        return _read(wire)
    except _BAD:
        return None


def _read(wire: bytes) -> Message:
    ident, flags, *counts = _HEADER.unpack_from(wire)
    message = Message(ident, flags, counts)
    if counts[0] > QUESTIONS:
        raise ValueError("more questions than anybody asks")
    at = _HEADER.size
    for _ in range(counts[0]):
        asked, used = dns.name.from_wire(wire, at)
        kind, rdclass = _QUESTION.unpack_from(wire, at + used)
        question = Question(asked, kind, rdclass & ~TOP)
        question.unicast = bool(rdclass & TOP)
        message.questions.append(question)
        at += used + _QUESTION.size
    left = RECORDS
    for section, count in enumerate(counts[1:], ANSWER):
        for _ in range(min(count, left)):
            at = _record(wire, at, section, message)
        left -= min(count, left)
    return message


def _record(wire: bytes, at: int, section: int, message: Message) -> int:
    """Note the record at `at`; where the next one begins."""
    owner, used = dns.name.from_wire(wire, at)
    kind, rdclass, ttl, length = _RECORD.unpack_from(wire, at + used)
    start = at + used + _RECORD.size
    end: int = start + length
    if end > len(wire):
        raise ValueError("the record ends behind the message")
    if kind == OPT:
        if section == ADDITIONAL:
            message.payload = rdclass
            message.edns = ttl >> 16 & 0xFF
        return end
    record = Record(key(owner), kind, rdclass, ttl, wire[start:end])
    if kind in _NAMED:
        _expand(record, wire, start, end)
    sections = (message.answers, message.authority, message.additional)
    sections[section - ANSWER].append(record)
    return end


def _expand(record: Record, wire: bytes, start: int, end: int) -> None:
    """Data with a name in them: whole, as if nothing had been compressed (RFC 6762 8.2)."""
    at = start + _NAMED[record.type]
    found, used = dns.name.from_wire(wire, at)
    if at + used > end:
        raise ValueError("a name that is longer than its record")
    octets = found.to_wire()
    assert octets is not None
    record.target = key(found)
    record.data = wire[start:at] + octets + wire[at + used : end]


class _Sheet:
    """What dnspython writes names to."""

    __slots__ = ("octets",)

    def __init__(self) -> None:
        self.octets = bytearray(_HEADER.size)

    def write(self, data: bytes) -> None:
        self.octets += data

    def tell(self) -> int:
        return len(self.octets)


class Writer:
    """A message of at most `limit` octets, in the order of its sections."""

    __slots__ = ("_compress", "_counts", "_flags", "_ident", "_limit", "_sheet")

    def __init__(self, ident: int, flags: int, limit: int) -> None:
        self._ident = ident
        self._flags = flags
        self._limit = limit
        self._sheet = _Sheet()
        self._compress: dict[dns.name.Name, int] = {}
        self._counts = [0, 0, 0, 0]

    @property
    def empty(self) -> bool:
        """Nothing is in it yet."""
        return not any(self._counts)

    def mark(self, flags: int) -> None:
        """Set flags of the header."""
        self._flags |= flags

    def question(self, asked: Question, unicast: bool = False) -> None:
        """Ask, or repeat what was asked."""
        asked.name.to_wire(self._sheet, self._compress)
        self._sheet.write(_QUESTION.pack(asked.type, asked.rdclass | (TOP if unicast else 0)))
        self._counts[0] += 1

    def record(
        self,
        section: int,
        owner: dns.name.Name,
        kind: int,
        ttl: int,
        parts: Sequence[Part],
        rdclass: int = IN,
    ) -> bool:
        """Add a record, its data octets and names.  False, and nothing, if there is no room."""
        sheet = self._sheet
        before = len(sheet.octets)
        owner.to_wire(sheet, self._compress)
        sheet.write(_RECORD.pack(kind, rdclass, ttl, 0))
        start = len(sheet.octets)
        for part in parts:
            if isinstance(part, bytes):
                sheet.write(part)
            else:
                part.to_wire(sheet, self._compress)
        if len(sheet.octets) > self._limit:
            del sheet.octets[before:]
            self._compress = {n: at for n, at in self._compress.items() if at < before}
            return False
        _LENGTH.pack_into(sheet.octets, start - 2, len(sheet.octets) - start)
        self._counts[section] += 1
        return True

    def opt(self, payload: int, code: int = 0) -> bool:
        """EDNS: how much we can take, and the upper bits of the code (RFC 6891 6.1)."""
        return self.record(ADDITIONAL, dns.name.root, OPT, code >> 4 << 24, (), payload)

    def wire(self) -> bytes:
        """The whole message."""
        _HEADER.pack_into(self._sheet.octets, 0, self._ident, self._flags, *self._counts)
        return bytes(self._sheet.octets)


def type_bitmap(types: Sequence[int]) -> bytes:
    """NSEC's list of types below 256, in its one window block (RFC 6762 6.1, RFC 4034 4.1.2)."""
    octets = bytearray(max(types) // 8 + 1)
    for kind in types:
        octets[kind // 8] |= 0x80 >> kind % 8
    return bytes((0, len(octets))) + bytes(octets)


def soa_parts(owner: dns.name.Name, minimum: int) -> tuple[Part, ...]:
    """Data of the SOA that says how long there is none (RFC 4795 2.9, RFC 2308)."""
    return owner, dns.name.root, struct.pack("!5I", 1, minimum, minimum, minimum, minimum)


def negative_ttl(message: Message) -> int:
    """Seconds that "there is none" may be kept; -1: it may not (RFC 4795 2.9)."""
    for record in message.authority:
        if record.type == SOA and len(record.data) >= 4:
            return min(record.ttl, int.from_bytes(record.data[-4:], "big"))
    return -1
