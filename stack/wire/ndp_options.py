# SPDX-License-Identifier: MIT
"""Floor 1: the options of Neighbor Discovery messages::

    +---------------+---------------+-------------------------------+
    |     type      |    length     |  data: length * 8 - 2 octets  |
    +---------------+---------------+-------------------------------+

Done: source and target link-layer address, prefix information, redirected header, MTU (RFC 4861
4.6), route information (RFC 4191 2.3), recursive DNS server and DNS search list (RFC 8106 5), nonce
(RFC 3971 5.3.2, RFC 7527).  Everything else is stepped over, the flags extension of RFC 5175 too,
which extends nothing a host reads.

An option of a known type whose length cannot be right is ignored like an unknown one (RFC 4861 9);
only a length of zero, an option that runs past the end, or more than `LIMIT` options spoil the
whole message.  Read by `ndp`.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

SOURCE_LLADDR: Final = 1
TARGET_LLADDR: Final = 2
PREFIX: Final = 3
REDIRECTED: Final = 4
MTU: Final = 5
NONCE: Final = 14
ROUTE: Final = 24
RDNSS: Final = 25
DNSSL: Final = 31

LIMIT: Final = 128
"""Options looked at in one message.  An Ethernet frame holds no more than 182."""

PREFIX_INFO: Final = Struct("!BBBBIIxxxx16s")
ROUTE_INFO: Final = Struct("!BBBBI")
MTU_INFO: Final = Struct("!BBxxI")
DNS_INFO: Final = Struct("!BBxxI")

FLAG_ON_LINK: Final = 0x80
FLAG_AUTONOMOUS: Final = 0x40

"""A lifetime that does not end."""

_LABEL: Final = 63
_NAME: Final = 255


class PrefixInfo:
    """RFC 4861 4.6.2; lifetimes in seconds, bits of `prefix` beyond `length` as they came."""

    __slots__ = ("flags", "length", "preferred", "prefix", "valid")

    def __init__(self, length: int, flags: int, valid: int, preferred: int, prefix: bytes) -> None:
        self.length = length
        self.flags = flags
        self.valid = valid
        self.preferred = preferred
        self.prefix = prefix


class RouteInfo:
    """RFC 4191 2.3; `preference` is the two bits, `lifetime` seconds, `prefix` sixteen octets."""

    __slots__ = ("length", "lifetime", "preference", "prefix")

    def __init__(self, length: int, preference: int, lifetime: int, prefix: bytes) -> None:
        self.length = length
        self.preference = preference
        self.lifetime = lifetime
        self.prefix = prefix


class Options:
    """What the options of one message say.

    source_lladdr, target_lladdr   six octets, or empty
    nonce                          empty if there is none
    mtu                            as it came, 0 if there is none
    prefixes, routes               in order
    servers, domains               (lifetime in seconds, addresses or names), in order
    redirected                     where the redirected header's packet is in the frame, or (0, 0)
    """

    __slots__ = (
        "domains",
        "mtu",
        "nonce",
        "prefixes",
        "redirected",
        "routes",
        "servers",
        "source_lladdr",
        "target_lladdr",
    )

    def __init__(self) -> None:
        self.source_lladdr = b""
        self.target_lladdr = b""
        self.nonce = b""
        self.mtu = 0
        self.prefixes: list[PrefixInfo] = []
        self.routes: list[RouteInfo] = []
        self.servers: list[tuple[int, tuple[bytes, ...]]] = []
        self.domains: list[tuple[int, tuple[str, ...]]] = []
        self.redirected = (0, 0)

    def read(self, frame: bytes, at: int, end: int) -> bool:
        """Take up frame[at:end].  False if an option has length zero or runs past the end (RFC
        4861 6.1, 7.1, 8.1), or if there are too many."""
        count = 0
        while at < end:
            count += 1
            if end - at < 8 or count > LIMIT:
                return False
            size = frame[at + 1] * 8
            if size == 0 or at + size > end:
                return False
            self._take(frame, at, size)
            at += size
        return True

    def _take(self, frame: bytes, at: int, size: int) -> None:
        kind = frame[at]
        if kind == SOURCE_LLADDR and size == 8:
            self.source_lladdr = frame[at + 2 : at + 8]
        elif kind == TARGET_LLADDR and size == 8:
            self.target_lladdr = frame[at + 2 : at + 8]
        elif kind == PREFIX and size == PREFIX_INFO.size:
            _, _, length, flags, valid, preferred, prefix = PREFIX_INFO.unpack_from(frame, at)
            if length <= 128:
                self.prefixes.append(PrefixInfo(length, flags, valid, preferred, prefix))
        elif kind == REDIRECTED and size > 8:
            self.redirected = (at + 8, at + size)
        elif kind == MTU and size == 8:
            _, _, self.mtu = MTU_INFO.unpack_from(frame, at)
        elif kind == NONCE:
            self.nonce = frame[at + 2 : at + size]
        elif kind == ROUTE and size <= 24:
            self._take_route(frame, at, size)
        elif kind == RDNSS and size >= 24 and size % 16 == 8:
            found = tuple(frame[n : n + 16] for n in range(at + 8, at + size, 16))
            self.servers.append((DNS_INFO.unpack_from(frame, at)[2], found))
        elif kind == DNSSL and size >= 16:
            names = _names(frame, at + 8, at + size)
            if names:
                self.domains.append((DNS_INFO.unpack_from(frame, at)[2], names))

    def _take_route(self, frame: bytes, at: int, size: int) -> None:
        """RFC 4191 2.3: one, two or three units long, as the prefix needs."""
        _, _, length, flags, lifetime = ROUTE_INFO.unpack_from(frame, at)
        if length > 128 or length > (size - 8) * 8:
            return
        prefix = frame[at + 8 : at + size] + bytes(24 - size)
        self.routes.append(RouteInfo(length, flags >> 3 & 3, lifetime, prefix))


def _names(frame: bytes, at: int, end: int) -> tuple[str, ...]:
    """Uncompressed domain names up to the padding; nothing at all if one is no name."""
    names: list[str] = []
    while at < end and frame[at]:
        labels: list[str] = []
        start = at
        while True:
            size = frame[at] if at < end else _LABEL + 1
            label = frame[at + 1 : at + 1 + size]
            if size > _LABEL or at + 1 + size > end:
                return ()
            at += 1 + size
            if not size:
                break
            if not all(33 <= octet <= 126 and octet not in b'."\\' for octet in label):
                return ()
            labels.append(label.decode("ascii"))
        if at - start > _NAME:
            return ()
        names.append(".".join(labels))
    return tuple(names)


# Building.


def lladdr(kind: int, address: bytes) -> bytes:
    """A link-layer address option."""
    return bytes((kind, 1)) + address


def nonce(value: bytes) -> bytes:
    """A nonce option; `value` is six octets, or six more than a multiple of eight."""
    return bytes((NONCE, (len(value) + 2) // 8)) + value


def mtu(value: int) -> bytes:
    """An MTU option."""
    return MTU_INFO.pack(MTU, 1, value)


def prefix(info: PrefixInfo) -> bytes:
    """A prefix information option."""
    return PREFIX_INFO.pack(
        PREFIX, 4, info.length, info.flags, info.valid, info.preferred, info.prefix
    )


def route(info: RouteInfo) -> bytes:
    """A route information option, as short as its prefix allows."""
    units = 1 + (info.length + 63) // 64
    fixed = ROUTE_INFO.pack(ROUTE, units, info.length, info.preference << 3, info.lifetime)
    return fixed + info.prefix[: (units - 1) * 8]


def servers(lifetime: int, addresses: tuple[bytes, ...]) -> bytes:
    """A recursive DNS server option."""
    return DNS_INFO.pack(RDNSS, 1 + 2 * len(addresses), lifetime) + b"".join(addresses)


def domains(lifetime: int, names: tuple[str, ...]) -> bytes:
    """A DNS search list option."""
    data = b"".join(
        b"".join(bytes((len(label),)) + label.encode() for label in name.split(".")) + b"\0"
        for name in names
    )
    data += bytes(-len(data) % 8)
    return DNS_INFO.pack(DNSSL, 1 + len(data) // 8, lifetime) + data


def redirected(packet: bytes) -> bytes:
    """A redirected header option with as much of `packet` as makes whole units."""
    data = packet + bytes(-len(packet) % 8)
    return bytes((REDIRECTED, 1 + len(data) // 8)) + bytes(6) + data
