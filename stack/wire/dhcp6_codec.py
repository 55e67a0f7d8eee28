# SPDX-License-Identifier: MIT
"""Floor 1: DHCPv6 messages between client and server as octets (RFC 8415 8, 21)::

    +---------------+-----------------------------------------------+
    |   msg-type    |                transaction-id                 |
    +---------------+-----------------------------------------------+
    |  options: code (2), length (2), data ...                      |
    +---------------------------------------------------------------+

Done: the options that a client of addresses and of other configuration writes or reads, name
servers and domains (RFC 3646), NTP servers (RFC 5908).  An option that decides what a message
means and cannot be read makes the whole message unreadable; one that only informs is passed over.
Of an option that may appear once the first counts.  Unknown options are ignored (16).
Not done: prefix delegation; IA_TA, Server Unicast (RFC 9915 has dropped both); vendor and user
classes; messages of relays, which are told apart by their type and not read.

Called by `services/dhcp6`.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from stack.base import addr
from stack.wire.dhcp6 import (
    ABSENT,
    ADDRESS_LIMIT,
    DUID_MAX,
    DUID_MIN,
    IA_LIMIT,
    KIND_NAMES,
    OPT_AUTH,
    OPT_CLIENT_ID,
    OPT_DOMAINS,
    OPT_ELAPSED_TIME,
    OPT_IA_ADDRESS,
    OPT_IA_NA,
    OPT_INF_MAX_RT,
    OPT_NAME_SERVERS,
    OPT_NTP,
    OPT_PREFERENCE,
    OPT_RAPID_COMMIT,
    OPT_RECONFIGURE,
    OPT_RECONFIGURE_ACCEPT,
    OPT_REFRESH_TIME,
    OPT_REQUEST,
    OPT_SERVER_ID,
    OPT_SOL_MAX_RT,
    OPT_STATUS,
    OPTION_LIMIT,
    RELAY_FORWARD,
    RELAY_REPLY,
    TEXT_LIMIT,
    Auth,
    Ia,
    IaAddress,
    Message,
)

_WORD: Final = Struct("!I")
_OPTION: Final = Struct("!HH")
_IA: Final = Struct("!III")
_IA_ADDRESS: Final = Struct("!16sII")
_AUTH: Final = Struct("!BBBQ")

_Span = tuple[int, int, int]
"""An option: its code, where its data starts, where it ends."""

# Reading.


def parse(frame: bytes, start: int, end: int) -> Message | None:
    """The message at frame[start:end]; None if it is no message that can be read."""
    if end - start < _WORD.size:
        return None
    word: int = _WORD.unpack_from(frame, start)[0]
    message = Message(word >> 24, word & 0xFFFFFF)
    if message.kind in (RELAY_FORWARD, RELAY_REPLY):
        return message
    options = _options(frame, start + _WORD.size, end)
    if options is None:
        return None
    seen: set[int] = set()
    for code, at, stop in options:
        if code in seen or code not in _READERS:
            continue
        if code != OPT_IA_NA:
            seen.add(code)
        if not _READERS[code](message, frame, at, stop):
            return None
    if message.auth is not None:
        message.auth.at -= start
    return message


def _options(frame: bytes, at: int, end: int) -> list[_Span] | None:
    """The options at frame[at:end]; None if one runs past the end or there are too many."""
    found: list[_Span] = []
    while at < end:
        if end - at < _OPTION.size or len(found) == OPTION_LIMIT:
            return None
        code, size = _OPTION.unpack_from(frame, at)
        at += _OPTION.size
        if size > end - at:
            return None
        found.append((code, at, at + size))
        at += size
    return found


def _client_id(message: Message, frame: bytes, at: int, end: int) -> bool:
    message.client = frame[at:end]
    return DUID_MIN <= end - at <= DUID_MAX


def _server_id(message: Message, frame: bytes, at: int, end: int) -> bool:
    message.server = frame[at:end]
    return DUID_MIN <= end - at <= DUID_MAX


def _ia_na(message: Message, frame: bytes, at: int, end: int) -> bool:
    if end - at < _IA.size:
        return False
    options = _options(frame, at + _IA.size, end)
    if options is None:
        return False
    found = Ia(*_IA.unpack_from(frame, at))
    for code, start, stop in options:
        if code == OPT_STATUS and found.status == ABSENT:
            if stop - start < 2:
                return False
            found.status = int.from_bytes(frame[start : start + 2], "big")
        elif code == OPT_IA_ADDRESS:
            one = _ia_address(frame, start, stop)
            if one is None:
                return False
            if len(found.addresses) < ADDRESS_LIMIT:
                found.addresses.append(one)
    if len(message.associations) < IA_LIMIT:
        message.associations.append(found)
    return True


def _ia_address(frame: bytes, at: int, end: int) -> IaAddress | None:
    if end - at < _IA_ADDRESS.size:
        return None
    options = _options(frame, at + _IA_ADDRESS.size, end)
    if options is None:
        return None
    one = IaAddress(*_IA_ADDRESS.unpack_from(frame, at))
    for code, start, stop in options:
        if code == OPT_STATUS and one.status == ABSENT:
            if stop - start < 2:
                return None
            one.status = int.from_bytes(frame[start : start + 2], "big")
    return one


def _wanted(message: Message, frame: bytes, at: int, end: int) -> bool:
    codes = range(at, min(end, at + 2 * OPTION_LIMIT) - 1, 2)
    message.wanted = tuple(int.from_bytes(frame[i : i + 2], "big") for i in codes)
    return (end - at) % 2 == 0


def _preference(message: Message, frame: bytes, at: int, end: int) -> bool:
    message.preference = frame[at] if end > at else ABSENT
    return end - at == 1


def _elapsed(message: Message, frame: bytes, at: int, end: int) -> bool:
    message.elapsed = int.from_bytes(frame[at:end], "big")
    return end - at == 2


def _auth(message: Message, frame: bytes, at: int, end: int) -> bool:
    if end - at < _AUTH.size:
        return False
    information = at + _AUTH.size
    protocol, algorithm, rdm, replay = _AUTH.unpack_from(frame, at)
    message.auth = Auth(protocol, algorithm, rdm, replay, frame[information:end])
    message.auth.at = information
    return True


def _status(message: Message, frame: bytes, at: int, end: int) -> bool:
    message.status = int.from_bytes(frame[at : at + 2], "big")
    message.text = frame[at + 2 : end].decode("utf-8", "replace")[:TEXT_LIMIT]
    return end - at >= 2


def _rapid_commit(message: Message, frame: bytes, at: int, end: int) -> bool:
    message.rapid_commit = True
    return end == at


def _reconfigure(message: Message, frame: bytes, at: int, end: int) -> bool:
    message.reconfigure = frame[at] if end > at else ABSENT
    return end - at == 1


def _reconfigure_accept(message: Message, frame: bytes, at: int, end: int) -> bool:
    message.reconfigure_accept = True
    return end == at


def _name_servers(message: Message, frame: bytes, at: int, end: int) -> bool:
    message.name_servers = _addresses(frame, at, end)
    return True


def _domains(message: Message, frame: bytes, at: int, end: int) -> bool:
    message.domains = _names(frame, at, end)
    return True


def _refresh_time(message: Message, frame: bytes, at: int, end: int) -> bool:
    message.refresh_time = _number(frame, at, end)
    return True


def _ntp(message: Message, frame: bytes, at: int, end: int) -> bool:
    """RFC 5908: suboptions 1 and 2 are a server's and a group's address; names are not kept."""
    for code, start, stop in _options(frame, at, end) or ():
        if code in (1, 2) and stop - start == 16 and len(message.ntp_servers) < ADDRESS_LIMIT:
            message.ntp_servers.append(frame[start:stop])
    return True


def _sol_max_rt(message: Message, frame: bytes, at: int, end: int) -> bool:
    message.sol_max_rt = _number(frame, at, end)
    return True


def _inf_max_rt(message: Message, frame: bytes, at: int, end: int) -> bool:
    message.inf_max_rt = _number(frame, at, end)
    return True


_READERS: Final[dict[int, Callable[[Message, bytes, int, int], bool]]] = {
    OPT_CLIENT_ID: _client_id,
    OPT_SERVER_ID: _server_id,
    OPT_IA_NA: _ia_na,
    OPT_REQUEST: _wanted,
    OPT_PREFERENCE: _preference,
    OPT_ELAPSED_TIME: _elapsed,
    OPT_AUTH: _auth,
    OPT_STATUS: _status,
    OPT_RAPID_COMMIT: _rapid_commit,
    OPT_RECONFIGURE: _reconfigure,
    OPT_RECONFIGURE_ACCEPT: _reconfigure_accept,
    OPT_NAME_SERVERS: _name_servers,
    OPT_DOMAINS: _domains,
    OPT_REFRESH_TIME: _refresh_time,
    OPT_NTP: _ntp,
    OPT_SOL_MAX_RT: _sol_max_rt,
    OPT_INF_MAX_RT: _inf_max_rt,
}
"""Each fills in its part of the message; False: the message cannot be read."""


def _number(frame: bytes, at: int, end: int) -> int:
    return int.from_bytes(frame[at:end], "big") if end - at == 4 else ABSENT


def _addresses(frame: bytes, at: int, end: int) -> list[bytes]:
    """A list of addresses; none if it does not come out even (RFC 3646 3)."""
    if (end - at) % 16:
        return []
    end = min(end, at + 16 * ADDRESS_LIMIT)
    return [frame[i : i + 16] for i in range(at, end, 16)]


def _names(frame: bytes, at: int, end: int) -> list[str]:
    """Domain names, uncompressed (10, RFC 3646 4); none if one of them is no name."""
    names: list[str] = []
    labels: list[str] = []
    size = 0
    while at < end:
        length = frame[at]
        size += 1 + length
        if length > 63 or size > 255 or at + 1 + length > end:
            return []
        label = frame[at + 1 : at + 1 + length]
        if length:
            if not _printable(label):
                return []
            labels.append(label.decode("ascii"))
        elif labels and len(names) < ADDRESS_LIMIT:
            names.append(".".join(labels))
        if not length:
            labels, size = [], 0
        at += 1 + length
    return [] if labels else names


def _printable(label: bytes) -> bool:
    return all(33 <= octet <= 126 and octet != 46 for octet in label)


# Writing.


def build(message: Message) -> bytes:
    """The octets of `message`; what is absent is left out."""
    parts = [_WORD.pack(message.kind << 24 | message.transaction)]
    if message.client:
        parts.append(option(OPT_CLIENT_ID, message.client))
    if message.server:
        parts.append(option(OPT_SERVER_ID, message.server))
    parts.extend(option(OPT_IA_NA, _build_ia(one)) for one in message.associations)
    if message.wanted:
        codes = b"".join(code.to_bytes(2, "big") for code in message.wanted)
        parts.append(option(OPT_REQUEST, codes))
    for code, value, size in (
        (OPT_PREFERENCE, message.preference, 1),
        (OPT_ELAPSED_TIME, message.elapsed, 2),
        (OPT_RECONFIGURE, message.reconfigure, 1),
        (OPT_REFRESH_TIME, message.refresh_time, 4),
        (OPT_SOL_MAX_RT, message.sol_max_rt, 4),
        (OPT_INF_MAX_RT, message.inf_max_rt, 4),
    ):
        if value != ABSENT:
            parts.append(option(code, value.to_bytes(size, "big")))
    if message.status != ABSENT:
        parts.append(_build_status(message.status, message.text))
    if message.rapid_commit:
        parts.append(option(OPT_RAPID_COMMIT, b""))
    if message.reconfigure_accept:
        parts.append(option(OPT_RECONFIGURE_ACCEPT, b""))
    if message.name_servers:
        parts.append(option(OPT_NAME_SERVERS, b"".join(message.name_servers)))
    if message.domains:
        parts.append(option(OPT_DOMAINS, b"".join(map(_build_name, message.domains))))
    if message.ntp_servers:
        inner = (option(2 if addr.is_multicast(a) else 1, a) for a in message.ntp_servers)
        parts.append(option(OPT_NTP, b"".join(inner)))
    auth = message.auth
    if auth is not None:
        head = _AUTH.pack(auth.protocol, auth.algorithm, auth.rdm, auth.replay)
        parts.append(option(OPT_AUTH, head + auth.information))
    return b"".join(parts)


def option(code: int, data: bytes) -> bytes:
    """One option, or suboption of the same form."""
    return _OPTION.pack(code, len(data)) + data


def _build_ia(one: Ia) -> bytes:
    parts = [_IA.pack(one.iaid, one.t1, one.t2)]
    for lease in one.addresses:
        body = _IA_ADDRESS.pack(lease.address, lease.preferred, lease.valid)
        if lease.status != ABSENT:
            body += _build_status(lease.status, "")
        parts.append(option(OPT_IA_ADDRESS, body))
    if one.status != ABSENT:
        parts.append(_build_status(one.status, ""))
    return b"".join(parts)


def _build_status(status: int, text: str) -> bytes:
    return option(OPT_STATUS, status.to_bytes(2, "big") + text.encode())


def _build_name(name: str) -> bytes:
    labels = (label.encode("ascii") for label in name.split("."))
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


def describe(frame: bytes, start: int, end: int) -> str:
    """One line for a trace."""
    message = parse(frame, start, end)
    if message is None:
        return "dhcp6 malformed"
    known = message.kind < len(KIND_NAMES)
    name = KIND_NAMES[message.kind] if known else f"type {message.kind}"
    leases = [lease.address for one in message.associations for lease in one.addresses]
    return " ".join([f"dhcp6 {name} {message.transaction:06x}", *map(addr.text, leases)])
