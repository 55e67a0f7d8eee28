# SPDX-License-Identifier: MIT
"""Floor 6: DNS messages (RFC 1035 4, RFC 6891), in dnspython's words.

Queries are its messages.  Answers are read with its parser of names, but not with its parser of
messages: that one remembers every type of record it is ever shown, which is for strangers to
decide, and loads code for it.  Only what a stub resolver asks about is looked at, and no more than
RECORDS of it.

`read` is total: for any octets a `Reply` or None.
"""

from __future__ import annotations

import struct
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdatatype

from stack.base.units import SECOND
from stack.services.means import AAAA, CNAME, OPT, PTR, SOA, A

NOERROR: Final = 0
FORMERR: Final = 1
NXDOMAIN: Final = 3
NOTIMP: Final = 4
BADVERS: Final = 16

RECORDS: Final = 256
_CLASS_IN: Final = 1
_OPCODE: Final = 0x7800
_HEADER: Final = struct.Struct("!6H")
_QUESTION: Final = struct.Struct("!HH")
_RECORD: Final = struct.Struct("!HHIH")
_VALUES: Final = {A: 4, AAAA: 16, CNAME: 0, PTR: 0}
"""Answers that are of use, and how long their data are; 0 is a name."""
_BAD: Final = (dns.exception.DNSException, ValueError, struct.error)


class Record:
    """An answer: `value` is an address, or the name an alias or pointer leads to.

    `scope` is the interface it was heard on, for addresses that mean nothing without one.
    """

    __slots__ = ("owner", "scope", "ttl", "type", "value")

    def __init__(self, owner: str, kind: int, ttl: int, value: bytes | str, scope: int = 0) -> None:
        self.owner = owner
        self.type = kind
        self.ttl = ttl  # ns
        self.value = value
        self.scope = scope


class Reply:
    """What an answer says."""

    __slots__ = (
        "answers",
        "authoritative",
        "code",
        "ident",
        "name",
        "negative_ttl",
        "recursion",
        "truncated",
        "type",
    )
    """`name` is empty if a server did not even understand the question."""

    def __init__(self, ident: int, flags: int) -> None:
        self.ident = ident
        self.code = flags & 15
        self.truncated = bool(flags & dns.flags.TC)
        self.recursion = bool(flags & dns.flags.RA)
        self.authoritative = bool(flags & dns.flags.AA)
        self.name = ""
        self.type = 0
        self.answers: list[Record] = []
        self.negative_ttl = -1  # ns that "there is none" may be kept; -1: it may not


def query(ident: int, name: str, kind: int, edns_size: int) -> bytes:
    """A recursive query; `edns_size` 0 leaves EDNS out."""
    message = dns.message.make_query(
        dns.name.from_text(name),
        dns.rdatatype.RdataType.make(kind),
        use_edns=0 if edns_size else False,
        payload=edns_size or None,
        id=ident,
    )
    wire: bytes = message.to_wire()
    return wire


def read(wire: bytes) -> Reply | None:
    """The answer in `wire`; None if it is none, or to something other than one question."""
    try:
        return _read(wire)
    except _BAD:
        return None


def _read(wire: bytes) -> Reply | None:
    ident, flags, questions, *counts = _HEADER.unpack_from(wire)
    if not flags & dns.flags.QR or flags & _OPCODE or questions > 1:
        return None
    reply = Reply(ident, flags)
    if not questions:
        return reply if reply.code else None  # a server that could not read it
    reply.name, at = _name(wire, _HEADER.size)
    reply.type, rdclass = _QUESTION.unpack_from(wire, at)
    if rdclass != _CLASS_IN:
        return None
    at += _QUESTION.size
    left = 0 if reply.truncated else RECORDS  # what was cut is asked for again
    for section, count in enumerate(counts):
        for _ in range(min(count, left)):
            at = _record(wire, at, section, reply)
        left -= min(count, left)
    return reply


def _record(wire: bytes, at: int, section: int, reply: Reply) -> int:
    """Note the record at `at` if it is of use; where the next one begins."""
    owner, at = _name(wire, at)
    kind, rdclass, ttl, length = _RECORD.unpack_from(wire, at)
    start = at + _RECORD.size
    end: int = start + length
    if end > len(wire):
        raise ValueError("the record ends behind the message")
    if kind == OPT and section == 2:
        reply.code |= ttl >> 24 << 4  # the upper bits of the code (RFC 6891 6.1.3)
    elif rdclass == _CLASS_IN:
        seconds = ttl if ttl < 1 << 31 else 0  # RFC 2181 8
        if section == 1 and kind == SOA and length >= 4:
            minimum = int.from_bytes(wire[end - 4 : end], "big")
            reply.negative_ttl = min(seconds, minimum) * SECOND  # RFC 2308 5
        elif section == 0 and kind in _VALUES:
            value = _value(wire, start, end, kind)
            reply.answers.append(Record(owner, kind, seconds * SECOND, value))
    return end


def _value(wire: bytes, start: int, end: int, kind: int) -> bytes | str:
    size = _VALUES[kind]
    if not size:
        value, stop = _name(wire, start)
        if stop != end:
            raise ValueError("a name that is not as long as its record")
        return value
    if end - start != size:
        raise ValueError("an address of another length")
    return wire[start:end]


def _name(wire: bytes, at: int) -> tuple[str, int]:
    """The name at `at` as `domain` keeps them, escaped where no host's name could be so; and
    where it ends."""
    name, used = dns.name.from_wire(wire, at)
    return str(name.to_text(omit_final_dot=True)).lower(), at + used
