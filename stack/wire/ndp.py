# SPDX-License-Identifier: MIT
"""Floor 1: Neighbor Discovery messages (RFC 4861 4)::

    solicitation and advertisement:         router advertisement:
    +-------+-------+---------------+       +-------+-------+---------------+
    |  type | code 0|   checksum    |       |  type | code 0|   checksum    |
    +-+-+-+-+-------+---------------+       +-------+-+-+---+---------------+
    |R|S|O|        reserved         |       | hops  |M|O|H|Prf| lifetime, s |
    +-+-+-+-------------------------+       +-------+-+-+-+---+-------------+
    |      target address (16)      |       |      reachable time, ms       |
    +-------------------------------+       +-------------------------------+
    |           options ...         |       |       retrans timer, ms       |
                                            |           options ...         |

A redirect has a destination address (16) behind the target; a router solicitation has nothing
between the reserved word and its options.  Options are `ndp_options`'s.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from stack.wire import ndp_options
from stack.wire.ndp_options import Options

MESSAGE: Final = Struct("!BBHI16s")
LENGTH: Final = MESSAGE.size  # 24
SOLICITATION: Final = Struct("!BBHI")  # of routers
ADVERTISEMENT: Final = Struct("!BBHBBHII")  # by routers
REDIRECT: Final = Struct("!BBHI16s16s")

FLAG_ROUTER: Final = 0x80000000
FLAG_SOLICITED: Final = 0x40000000
FLAG_OVERRIDE: Final = 0x20000000

FLAG_MANAGED: Final = 0x80
FLAG_OTHER: Final = 0x40
PREFERENCE_AT: Final = 3  # bits, in the same octet

# RFC 4191 2.1: two bits, signed.
MEDIUM: Final = 0
HIGH: Final = 1
RESERVED: Final = 2
LOW: Final = 3

OPT_SOURCE_LLADDR: Final = ndp_options.SOURCE_LLADDR
OPT_TARGET_LLADDR: Final = ndp_options.TARGET_LLADDR


class Message(Options):
    """A neighbor solicitation or advertisement."""

    __slots__ = ("flags", "target")

    def __init__(self, flags: int, target: bytes) -> None:
        super().__init__()
        self.flags = flags
        self.target = target


class Advertisement(Options):
    """A router advertisement.

    hop_limit         0 if unspecified
    flags             FLAG_MANAGED, FLAG_OTHER
    preference        MEDIUM, HIGH, RESERVED or LOW
    lifetime          s for which the sender is a default router
    reachable         ms, 0 if unspecified
    retrans           ms, 0 if unspecified
    """

    __slots__ = ("flags", "hop_limit", "lifetime", "preference", "reachable", "retrans")

    def __init__(
        self, hop_limit: int, flags: int, lifetime: int, reachable: int, retrans: int
    ) -> None:
        super().__init__()
        self.hop_limit = hop_limit
        self.flags = flags & (FLAG_MANAGED | FLAG_OTHER)
        self.preference = flags >> PREFERENCE_AT & 3
        self.lifetime = lifetime
        self.reachable = reachable
        self.retrans = retrans


class Redirect(Options):
    """A redirect: packets to `destination` should go to `target`, which may be the same."""

    __slots__ = ("destination", "target")

    def __init__(self, target: bytes, destination: bytes) -> None:
        super().__init__()
        self.target = target
        self.destination = destination


def parse(frame: bytes, start: int, end: int) -> Message | None:
    """The neighbor solicitation or advertisement at frame[start:end]; None if it is too short,
    its code is not 0, or its options cannot be read (RFC 4861 7.1)."""
    if end - start < LENGTH:
        return None
    _, code, _, flags, target = MESSAGE.unpack_from(frame, start)
    if code != 0:
        return None
    message = Message(flags, target)
    return message if message.read(frame, start + LENGTH, end) else None


def parse_advertisement(frame: bytes, start: int, end: int) -> Advertisement | None:
    """The router advertisement at frame[start:end], None likewise (RFC 4861 6.1.2)."""
    if end - start < ADVERTISEMENT.size:
        return None
    _, code, _, hops, flags, life, reachable, retrans = ADVERTISEMENT.unpack_from(frame, start)
    if code != 0:
        return None
    message = Advertisement(hops, flags, life, reachable, retrans)
    return message if message.read(frame, start + ADVERTISEMENT.size, end) else None


def parse_redirect(frame: bytes, start: int, end: int) -> Redirect | None:
    """The redirect at frame[start:end], None likewise (RFC 4861 8.1)."""
    if end - start < REDIRECT.size:
        return None
    _, code, _, _, target, destination = REDIRECT.unpack_from(frame, start)
    if code != 0:
        return None
    message = Redirect(target, destination)
    return message if message.read(frame, start + REDIRECT.size, end) else None


def build(
    kind: int, flags: int, target: bytes, option: int, lladdr: bytes, nonce: bytes = b""
) -> bytes:
    """A neighbor solicitation or advertisement with its checksum field zero; no option if
    `lladdr` is empty, no nonce if that is."""
    body = MESSAGE.pack(kind, 0, 0, flags, target)
    if lladdr:
        body += ndp_options.lladdr(option, lladdr)
    if nonce:
        body += ndp_options.nonce(nonce)
    return body


def build_solicitation(kind: int, lladdr: bytes) -> bytes:
    """A router solicitation with its checksum field zero; no option if `lladdr` is empty."""
    body = SOLICITATION.pack(kind, 0, 0, 0)
    return body + ndp_options.lladdr(OPT_SOURCE_LLADDR, lladdr) if lladdr else body


def build_advertisement(
    kind: int,
    hop_limit: int,
    flags: int,
    lifetime: int,
    reachable: int = 0,
    retrans: int = 0,
    options: bytes = b"",
) -> bytes:
    """A router advertisement with its checksum field zero; `flags` include the preference."""
    return ADVERTISEMENT.pack(kind, 0, 0, hop_limit, flags, lifetime, reachable, retrans) + options


def build_redirect(kind: int, target: bytes, destination: bytes, options: bytes = b"") -> bytes:
    """A redirect with its checksum field zero."""
    return REDIRECT.pack(kind, 0, 0, 0, target, destination) + options
