# SPDX-License-Identifier: MIT
"""Floor 1: DHCP for IPv4, the message and its options as they lie there (RFC 2131 2)::

 0                   1                   2                   3
+---------------+---------------+---------------+---------------+
|     op (1)    |   htype (1)   |   hlen (1)    |   hops (1)    |
+---------------+---------------+---------------+---------------+
|                            xid (4)                            |
+-------------------------------+-------------------------------+
|           secs (2)            |           flags (2)           |
+-------------------------------+-------------------------------+
|          ciaddr (4)   yiaddr (4)   siaddr (4)   giaddr (4)    |
+---------------------------------------------------------------+
|          chaddr (16)  sname (64)   file (128)                 |
+---------------------------------------------------------------+
|          magic cookie 99.130.83.99, options (variable)        |
+---------------------------------------------------------------+

Done: RFC 2132 framing of options with pad and end, option overload in RFC 3396's order (options,
file, sname), and its joining of an option that comes in several pieces.  An options field that
just ends, without its end option, is taken as it is.  Not done: BOOTP without the cookie
(RFC 1534).  What options mean is `dhcp4_options`' business.

Called by `services/dhcp4_port` and by the servers of the tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final

from stack.base import addr
from stack.wire.dhcp4_options import MESSAGE_NAMES, MESSAGE_TYPE, OVERLOAD

_HEADER: Final = Struct("!BBBBIHH4s4s4s4s16s64s128s4s")
LENGTH: Final = _HEADER.size  # 240, the cookie included
_COOKIE: Final = b"\x63\x82\x53\x63"

LEAST: Final = 300
"""A BOOTP message is never shorter (RFC 951 3, RFC 1542 2.1)."""
ROOM: Final = 548
"""What every client and server must be able to take (RFC 2131 2): 576 less IP and UDP headers."""

BOOTREQUEST: Final = 1
BOOTREPLY: Final = 2
ETHERNET: Final = 1
BROADCAST: Final = 0x8000
"""Flag: answer to everybody, I cannot be addressed yet (RFC 2131 4.1)."""

SERVER_PORT: Final = 67
CLIENT_PORT: Final = 68

_PAD: Final = 0
_END: Final = 255
_IN_FILE: Final = 1
_IN_SNAME: Final = 2


class Message:
    """One DHCP message.

    chaddr      hardware address, `hlen` octets
    options     by code, the pieces of one joined; order is the order they came in
    sname, file the fields as text octets, empty when options lay there
    """

    __slots__ = (
        "chaddr",
        "ciaddr",
        "file",
        "flags",
        "giaddr",
        "hops",
        "htype",
        "op",
        "options",
        "secs",
        "siaddr",
        "sname",
        "xid",
        "yiaddr",
    )

    def __init__(self, op: int, xid: int, chaddr: bytes) -> None:
        self.op = op
        self.htype = ETHERNET
        self.hops = 0
        self.xid = xid
        self.secs = 0
        self.flags = 0
        self.ciaddr = addr.ANY4
        self.yiaddr = addr.ANY4
        self.siaddr = addr.ANY4
        self.giaddr = addr.ANY4
        self.chaddr = chaddr
        self.sname = b""
        self.file = b""
        self.options: dict[int, bytes] = {}

    @property
    def type(self) -> int:
        """The DHCP message type, 0 if there is none or it is not one octet."""
        value = self.options.get(MESSAGE_TYPE, b"")
        return value[0] if len(value) == 1 else 0


def parse(frame: bytes | memoryview, start: int, end: int) -> Message | None:
    """The message at frame[start:end], or None if it is none.

    None too for an option that reaches beyond its field and for a nonsensical overload.
    """
    if end - start < LENGTH:
        return None
    fields = _HEADER.unpack_from(frame, start)
    op, htype, hlen, hops, xid, secs, flags = fields[:7]
    chaddr, sname, file, cookie = fields[11:]
    if cookie != _COOKIE or hlen > 16:
        return None
    message = Message(op, xid, chaddr[:hlen])
    message.htype, message.hops, message.secs, message.flags = htype, hops, secs, flags
    message.ciaddr, message.yiaddr, message.siaddr, message.giaddr = fields[7:11]
    pieces: dict[int, list[bytes]] = {}
    if not _collect(bytes(frame[start + LENGTH : end]), pieces):
        return None
    overload = b"".join(pieces.pop(OVERLOAD, [b"\0"]))
    if len(overload) != 1 or overload[0] > _IN_FILE | _IN_SNAME:
        return None
    where = overload[0]
    if where & _IN_FILE:
        if not _collect(file, pieces):
            return None
    else:
        message.file = file.partition(b"\0")[0]
    if where & _IN_SNAME:
        if not _collect(sname, pieces):
            return None
    else:
        message.sname = sname.partition(b"\0")[0]
    pieces.pop(OVERLOAD, None)  # inside an overloaded field it means nothing
    message.options = {code: b"".join(parts) for code, parts in pieces.items()}
    return message


def _collect(data: bytes, pieces: dict[int, list[bytes]]) -> bool:
    """Add the options of one field.  False if one does not fit into it."""
    at, end = 0, len(data)
    while at < end:
        code = data[at]
        if code == _PAD:
            at += 1
            continue
        if code == _END:
            break
        if at + 2 > end:
            return False
        stop = at + 2 + data[at + 1]
        if stop > end:
            return False
        pieces.setdefault(code, []).append(data[at + 2 : stop])
        at = stop
    return True


def build(message: Message, room: int = ROOM) -> bytes:
    """The octets of a message of at most `room` octets, LEAST at least.

    Options that do not fit go on in `file` and then in `sname` where the message leaves these
    empty (RFC 2131 4.1); an option over 255 octets is cut into pieces (RFC 3396 5).  What does
    not fit even so is left out, whole options at a time.
    """
    spaces = [max(room - LENGTH - 4, 0)]  # the overload option and the end
    spaces.append(0 if message.file else 128 - 1)
    spaces.append(0 if message.sname else 64 - 1)
    fields = [bytearray(), bytearray(), bytearray()]
    for code, value in message.options.items():
        if code not in (_PAD, _END, OVERLOAD):
            _place(code, value, fields, spaces)
    main, in_file, in_sname = fields
    overload = (_IN_FILE if in_file else 0) | (_IN_SNAME if in_sname else 0)
    if overload:
        main += bytes((OVERLOAD, 1, overload))
    main.append(_END)
    if in_file:
        in_file.append(_END)
    if in_sname:
        in_sname.append(_END)
    head = _HEADER.pack(
        message.op,
        message.htype,
        len(message.chaddr),
        message.hops,
        message.xid,
        message.secs,
        message.flags,
        message.ciaddr,
        message.yiaddr,
        message.siaddr,
        message.giaddr,
        message.chaddr,
        bytes(in_sname) or message.sname[:63],
        bytes(in_file) or message.file[:127],
        _COOKIE,
    )
    return (head + main).ljust(LEAST, b"\0")


def _place(code: int, value: bytes, fields: list[bytearray], spaces: list[int]) -> None:
    """Write one option where there is space, whole or in pieces, or not at all."""
    laid: list[tuple[int, bytes]] = []
    at = 0
    for index, field in enumerate(fields):
        space = spaces[index] - len(field)
        while space > 2 or (space == 2 and not value):
            part = value[at : at + min(255, space - 2)]
            laid.append((index, part))
            at += len(part)
            space -= 2 + len(part)
            if at == len(value):
                for where, octets in laid:
                    fields[where] += bytes((code, len(octets))) + octets
                return


def describe(frame: bytes | memoryview, start: int, end: int) -> str:
    """One line for a trace."""
    message = parse(frame, start, end)
    if message is None:
        return "dhcp malformed"
    line = f"dhcp {MESSAGE_NAMES.get(message.type, 'bootp')} xid {message.xid:08x}"
    for name, address in _named(message):
        line += f" {name} {addr.text(address)}"
    return line


def _named(message: Message) -> Iterator[tuple[str, bytes]]:
    for name in ("ciaddr", "yiaddr", "giaddr"):
        address = getattr(message, name)
        if any(address):
            yield name, address
