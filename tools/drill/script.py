# SPDX-License-Identifier: MIT
"""The syntax tree of a script: values only, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

ABSOLUTE: Final = "absolute"
RELATIVE: Final = "relative"
ANY: Final = "any"


@dataclass(frozen=True)
class When:
    """When an event is due, ns.  `end` differs from `start` for a range."""

    kind: str
    start: int = 0
    end: int = 0


class Ignored:
    """The value of `...`: equal to anything, and any argument will do."""

    def __repr__(self) -> str:
        return "..."


IGNORED: Final = Ignored()


@dataclass(frozen=True)
class Name:
    """A symbol that no table knows."""

    text: str


@dataclass(frozen=True)
class Struct:
    """{name = value, ...} or {value, ...}; positional fields are named "0", "1", ..."""

    fields: dict[str, Any]

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a field."""
        return self.fields.get(name, default)


@dataclass(frozen=True)
class IpInfo:
    """What [...] says of the IP header; None where it says nothing."""

    ecn: str | None = None
    tos: int | None = None
    ttl: int | None = None
    label: int | None = None


RIGHT: Final = b"TFO_COOKIE"
"""A Fast Open cookie that the script calls by this name, when nobody has said what it is."""


@dataclass(frozen=True)
class Option:
    """One TCP option: kind by name, and its value."""

    name: str
    value: Any = None


@dataclass(frozen=True)
class TcpPacket:
    """A TCP segment.  `options` is None for <...>."""

    inbound: bool
    ip: IpInfo
    ports: tuple[int, int] | None
    flags: int
    seq: int | None
    length: int
    ack: int | None
    win: int | None
    urg: int | None
    options: tuple[Option, ...] | None
    absolute: bool = False


@dataclass(frozen=True)
class UdpPacket:
    """A UDP datagram of `length` octets."""

    inbound: bool
    ip: IpInfo
    ports: tuple[int, int] | None
    length: int


@dataclass(frozen=True)
class IcmpPacket:
    """An ICMP message.  `quoted` is (protocol, start, length) of the packet it is about."""

    inbound: bool
    ip: IpInfo
    kind: str
    code: str
    mtu: int
    ident: int
    quoted: tuple[str, int, int] | None
    length: int = 0


@dataclass(frozen=True)
class SystemCall:
    """name(arguments) = result errno; `end` is the time until which it blocks."""

    name: str
    arguments: list[Any]
    result: Any
    errno: str | None
    end: When | None


@dataclass(frozen=True)
class Command:
    """A shell command in backticks."""

    text: str


@dataclass(frozen=True)
class Code:
    """A Python block %{ ... }%."""

    text: str


Action = TcpPacket | UdpPacket | IcmpPacket | SystemCall | Command | Code


@dataclass(frozen=True)
class Event:
    """One timed line."""

    line: int
    when: When
    action: Action
    text: str


@dataclass
class Script:
    """A whole script."""

    options: list[tuple[int, str, str]] = field(default_factory=list)
    commands: list[tuple[int, str]] = field(default_factory=list)  # before the first event
    events: list[Event] = field(default_factory=list)
