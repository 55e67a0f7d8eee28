# SPDX-License-Identifier: MIT
"""Floor 1: Neighbor Discovery messages (RFC 4861 4)::

    solicitation and advertisement:
    +---------------+---------------+-------------------------------+
    |  type 135/136 |    code 0     |           checksum            |
    +-+-+-+---------+---------------+-------------------------------+
    |R|S|O|                       reserved                          |
    +-+-+-+---------------------------------------------------------+
    |                       target address (16)                     |
    +---------------------------------------------------------------+
    |  options: type, length in units of eight octets, data ...     |
    +---------------------------------------------------------------+

Not done here: router and prefix options (they come with address configuration).
"""

from __future__ import annotations

from struct import Struct
from typing import Final

MESSAGE: Final = Struct("!BBHI16s")
LENGTH: Final = MESSAGE.size  # 24

FLAG_ROUTER: Final = 0x80000000
FLAG_SOLICITED: Final = 0x40000000
FLAG_OVERRIDE: Final = 0x20000000

OPT_SOURCE_LLADDR: Final = 1
OPT_TARGET_LLADDR: Final = 2


class Message:
    """A neighbor solicitation or advertisement."""

    __slots__ = ("flags", "source_lladdr", "target", "target_lladdr")

    def __init__(self, flags: int, target: bytes) -> None:
        self.flags = flags
        self.target = target
        self.source_lladdr = b""
        self.target_lladdr = b""


def parse(frame: bytes, start: int, end: int) -> Message | None:
    """The message at frame[start:end]; None if it is too short, its code is not 0, or an
    option has length zero or runs past the end (RFC 4861 7.1)."""
    if end - start < LENGTH:
        return None
    _, code, _, flags, target = MESSAGE.unpack_from(frame, start)
    if code != 0:
        return None
    message = Message(flags, target)
    at = start + LENGTH
    while at < end:
        if end - at < 8:
            return None
        kind = frame[at]
        size = frame[at + 1] * 8
        if size == 0 or at + size > end:
            return None
        if size == 8:
            if kind == OPT_SOURCE_LLADDR:
                message.source_lladdr = frame[at + 2 : at + 8]
            elif kind == OPT_TARGET_LLADDR:
                message.target_lladdr = frame[at + 2 : at + 8]
        at += size
    return message


def build(kind: int, flags: int, target: bytes, option: int, lladdr: bytes) -> bytes:
    """The message with its checksum field zero; no option if `lladdr` is empty."""
    body = MESSAGE.pack(kind, 0, 0, flags, target)
    if lladdr:
        body += bytes((option, 1)) + lladdr
    return body
