# SPDX-License-Identifier: MIT
"""Structures of the name functions: UNICODE_STRING, ADDRINFOEXW, and what hints may say (wsk.md
2.4, 5.9).

Where the documents give no status: a family, socket type or protocol that names no transport here
is STATUS_NOT_SUPPORTED, everything else that hints must not contain STATUS_INVALID_PARAMETER.
"""

from __future__ import annotations

from typing import Final

from stack.base.addr import V4, V6
from wsk_api.constants import (
    AF_INET,
    AF_INET6,
    AF_UNSPEC,
    AI_ADDRCONFIG,
    AI_ALL,
    AI_CANONNAME,
    AI_FQDN,
    AI_NUMERICHOST,
    AI_NUMERICSERV,
    AI_PASSIVE,
    AI_V4MAPPED,
    IPPROTO_TCP,
    IPPROTO_UDP,
    SOCK_DGRAM,
    SOCK_RAW,
    SOCK_STREAM,
)
from wsk_api.ntstatus import STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED, STATUS_SUCCESS
from wsk_api.types import SOCKADDR

_CODING: Final = "utf-16-le"
_NUL: Final = b"\0\0"


class UNICODE_STRING:
    """Counted UTF-16.  `Length` and `MaximumLength` count octets, the first without a NUL."""

    __slots__ = ("Buffer", "Length", "MaximumLength")

    def __init__(
        self,
        Length: int = 0,
        MaximumLength: int = 0,
        Buffer: bytes | bytearray | None = None,
    ) -> None:
        self.Length = Length
        self.MaximumLength = MaximumLength
        self.Buffer = Buffer

    def __repr__(self) -> str:
        return f"UNICODE_STRING({string_text(self)!r})"


def RtlInitUnicodeString(DestinationString: UNICODE_STRING, SourceString: str | None) -> None:
    """Make a UNICODE_STRING of text; its NUL is behind it, not in `Length`."""
    data = b"" if SourceString is None else SourceString.encode(_CODING)
    DestinationString.Buffer = None if SourceString is None else data + _NUL
    DestinationString.Length = len(data)
    DestinationString.MaximumLength = 0 if SourceString is None else len(data) + 2


def unicode_string(text: str) -> UNICODE_STRING:
    """`text` to be passed in.  (A convenience: not part of the DDI.)"""
    string = UNICODE_STRING()
    RtlInitUnicodeString(string, text)
    return string


def unicode_room(characters: int) -> UNICODE_STRING:
    """Room for so many characters and a NUL, to be written.  (Not part of the DDI.)"""
    size = 2 * (characters + 1)
    return UNICODE_STRING(0, size, bytearray(size))


def string_text(string: object) -> str | None:
    """What a UNICODE_STRING says; None if it is none.  (Not part of the DDI.)"""
    if not isinstance(string, UNICODE_STRING):
        return None
    raw = bytes(string.Buffer or b"")
    if string.Length < 0 or string.Length % 2 or string.Length > len(raw):
        return None
    try:
        return raw[: string.Length].decode(_CODING)
    except UnicodeDecodeError:
        return None


def terminated_text(string: object) -> str | None:
    """The same of an input, which must end with a NUL, and have none inside."""
    text = string_text(string)
    if text is None or not isinstance(string, UNICODE_STRING) or "\0" in text:
        return None
    end = bytes((string.Buffer or b"")[string.Length : string.Length + 2])
    return text if end == _NUL or not text else None


def fits(string: UNICODE_STRING, text: str) -> bool:
    """`text` and its NUL fit into the memory of `string`, which can be written."""
    size = len(text.encode(_CODING)) + 2
    memory = string.Buffer
    return isinstance(memory, bytearray) and size <= min(string.MaximumLength, len(memory))


def write(string: UNICODE_STRING, text: str) -> None:
    """Write what `fits`."""
    data = text.encode(_CODING)
    assert isinstance(string.Buffer, bytearray)
    string.Buffer[: len(data) + 2] = data + _NUL
    string.Length = len(data)


class ADDRINFOEXW:
    """One address of an answer, and the next; or, with four members set, hints."""

    __slots__ = (
        "ai_addr",
        "ai_addrlen",
        "ai_blob",
        "ai_bloblen",
        "ai_canonname",
        "ai_family",
        "ai_flags",
        "ai_next",
        "ai_protocol",
        "ai_provider",
        "ai_socktype",
    )

    def __init__(
        self,
        ai_flags: int = 0,
        ai_family: int = AF_UNSPEC,
        ai_socktype: int = 0,
        ai_protocol: int = 0,
    ) -> None:
        self.ai_flags = ai_flags
        self.ai_family = ai_family
        self.ai_socktype = ai_socktype
        self.ai_protocol = ai_protocol
        self.ai_addrlen = 0
        self.ai_canonname: str | None = None
        self.ai_addr: SOCKADDR | None = None
        self.ai_blob: bytes | None = None
        self.ai_bloblen = 0
        self.ai_provider: str | None = None
        self.ai_next: ADDRINFOEXW | None = None


_FLAGS: Final = (
    AI_PASSIVE
    | AI_CANONNAME
    | AI_NUMERICHOST
    | AI_NUMERICSERV
    | AI_ALL
    | AI_ADDRCONFIG
    | AI_V4MAPPED
    | AI_FQDN
)
_FAMILIES: Final = {AF_UNSPEC: V4 | V6, AF_INET: V4, AF_INET6: V6}
_PROTOCOLS: Final = {SOCK_STREAM: IPPROTO_TCP, SOCK_DGRAM: IPPROTO_UDP}
_SOCKTYPES: Final = {protocol: kind for kind, protocol in _PROTOCOLS.items()}


class Wanted:
    """Hints, read: flags, families, and the kind of socket as far as it is said.

    Of socket type and protocol either says the other: what comes back can go into WskSocket.
    """

    __slots__ = ("families", "flags", "mapped", "protocol", "socktype")

    def __init__(self) -> None:
        self.flags = 0
        self.families = V4 | V6
        self.mapped = False
        self.socktype = 0
        self.protocol = 0

    def read(self, hints: ADDRINFOEXW | None, has_node: bool) -> int:
        """Take over hints: STATUS_SUCCESS, or why they cannot be."""
        if hints is None:
            return STATUS_SUCCESS
        if not isinstance(hints, ADDRINFOEXW) or _more_than_hints(hints):
            return STATUS_INVALID_PARAMETER
        flags = hints.ai_flags
        names = flags & (AI_CANONNAME | AI_FQDN)
        if flags & ~_FLAGS or names == AI_CANONNAME | AI_FQDN or (names and not has_node):
            return STATUS_INVALID_PARAMETER
        families = _FAMILIES.get(hints.ai_family)
        if families is None:
            return STATUS_NOT_SUPPORTED
        self.flags = flags
        self.families = families
        if hints.ai_family == AF_INET6 and flags & AI_V4MAPPED:
            self.mapped = True
            self.families |= V4
        return self._kind(hints.ai_socktype, hints.ai_protocol)

    def _kind(self, socktype: int, protocol: int) -> int:
        socktype = socktype or _SOCKTYPES.get(protocol, 0)
        if socktype not in (0, SOCK_STREAM, SOCK_DGRAM, SOCK_RAW):
            return STATUS_NOT_SUPPORTED
        own = _PROTOCOLS.get(socktype, protocol)
        if protocol not in (0, own) or not 0 <= protocol <= 255 or (protocol and not socktype):
            return STATUS_NOT_SUPPORTED
        self.socktype = socktype
        self.protocol = own
        return STATUS_SUCCESS


def _more_than_hints(hints: ADDRINFOEXW) -> bool:
    """A member is set that only answers have."""
    return bool(hints.ai_addrlen or hints.ai_bloblen) or not all(
        member is None
        for member in (
            hints.ai_canonname,
            hints.ai_addr,
            hints.ai_blob,
            hints.ai_provider,
            hints.ai_next,
        )
    )
