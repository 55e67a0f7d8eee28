# SPDX-License-Identifier: MIT
"""Ancillary data: CMSGHDRs in memory, and what datagrams bring and take (wsk.md 4.9, 6).

The layout is that of a 64-bit machine: SIZE_T cmsg_len, INT cmsg_level, INT cmsg_type, then data,
everything aligned to 8.  `cmsg_len` counts header and data, not the padding behind.

The WSA_CMSG_* functions are the macros of the headers, over any buffer with offsets for pointers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from struct import Struct
from typing import Any, Final

from stack.base.units import View
from stack.transport.datagram_seam import Received
from stack.transport.options import Outgoing
from wsk_api.constants import IPPROTO_IP, IPPROTO_IPV6, IPPROTO_UDP
from wsk_api.ntstatus import STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED, STATUS_SUCCESS
from wsk_api.option_constants import (
    IP_DONTFRAGMENT,
    IP_ECN,
    IP_HOPLIMIT,
    IP_ORIGINAL_ARRIVAL_IF,
    IP_PKTINFO,
    IP_PKTINFO_EX,
    IP_RECVDSTADDR,
    IP_RECVIF,
    IP_RECVTOS,
    IP_TOS,
    IP_TTL,
    IPV6_DONTFRAG,
    IPV6_ECN,
    IPV6_HOPLIMIT,
    IPV6_ORIGINAL_ARRIVAL_IF,
    IPV6_PKTINFO,
    IPV6_PKTINFO_EX,
    IPV6_RECVDSTADDR,
    IPV6_RECVIF,
    IPV6_RECVTCLASS,
    IPV6_TCLASS,
    UDP_COALESCED_INFO,
    UDP_SEND_MSG_SIZE,
)

_HEADER: Final = Struct("<Qii")
_INT: Final = Struct("<i")
_ULONG: Final = Struct("<I")
_ALIGN: Final = 8
HEADER_SIZE: Final = _HEADER.size


class CMSGHDR:
    """One object: its header, and `data` behind it."""

    __slots__ = ("cmsg_len", "cmsg_level", "cmsg_type", "data")

    def __init__(self, cmsg_level: int, cmsg_type: int, data: bytes) -> None:
        self.cmsg_len = WSA_CMSG_LEN(len(data))
        self.cmsg_level = cmsg_level
        self.cmsg_type = cmsg_type
        self.data = data

    def packed(self) -> bytes:
        """Its octets, padded to where the next one may stand."""
        head = _HEADER.pack(self.cmsg_len, self.cmsg_level, self.cmsg_type)
        return (head + self.data).ljust(WSA_CMSG_SPACE(len(self.data)), b"\0")


def WSA_CMSG_SPACE(Length: int) -> int:
    """Octets an object with `Length` octets of data takes, padding included."""
    return HEADER_SIZE + -(-Length // _ALIGN) * _ALIGN


def WSA_CMSG_LEN(Length: int) -> int:
    """The `cmsg_len` of an object with `Length` octets of data."""
    return HEADER_SIZE + Length


def WSA_CMSG_FIRSTHDR(Control: View, Length: int) -> int | None:
    """Offset of the first object; None if there is no room for a header."""
    return 0 if min(Length, len(Control)) >= HEADER_SIZE else None


def WSA_CMSG_NXTHDR(Control: View, Length: int, At: int) -> int | None:
    """Offset of the object behind the one at `At`, or None."""
    size = _HEADER.unpack_from(Control, At)[0]
    following = At + -(-max(size, HEADER_SIZE) // _ALIGN) * _ALIGN
    return following if following + HEADER_SIZE <= min(Length, len(Control)) else None


def WSA_CMSG_DATA(Control: View, At: int) -> bytes:
    """The data of the object at `At`."""
    size = _HEADER.unpack_from(Control, At)[0]
    return bytes(memoryview(Control)[At + HEADER_SIZE : At + size])


def parse(control: View, length: int) -> list[CMSGHDR] | None:
    """All objects in `length` octets; None if one does not fit or is no object."""
    found: list[CMSGHDR] = []
    if length < 0 or length > len(control):
        return None
    at = WSA_CMSG_FIRSTHDR(control, length)
    if at is None:
        return None
    while at is not None:
        size, level, kind = _HEADER.unpack_from(control, at)
        if size < HEADER_SIZE or at + size > length:
            return None
        found.append(CMSGHDR(level, kind, WSA_CMSG_DATA(control, at)))
        at = WSA_CMSG_NXTHDR(control, length, at)
    return found


# What a datagram brought.

Maker = Callable[[Received], bytes]


def _int(value: int) -> bytes:
    return _INT.pack(value)


def _pktinfo(one: Received) -> bytes:
    return one.local + _ULONG.pack(one.scope)


def _pktinfo_ex(one: Received) -> bytes:
    # The scope id is the interface's index, as in the SOCKADDRs.
    return _pktinfo(one) + _ULONG.pack(one.scope)


def _index(one: Received) -> bytes:
    return _ULONG.pack(one.scope)


_BROUGHT: Final[dict[int, tuple[tuple[int, int, Maker], ...]]] = {
    IPPROTO_IP: (
        (IP_PKTINFO, IP_PKTINFO, _pktinfo),
        (IP_PKTINFO_EX, IP_PKTINFO_EX, _pktinfo_ex),
        (IP_HOPLIMIT, IP_TTL, lambda one: _int(one.ttl)),
        (IP_RECVTOS, IP_TOS, lambda one: _int(one.tos)),
        (IP_ECN, IP_ECN, lambda one: _int(one.tos & 3)),
        (IP_RECVIF, IP_RECVIF, _index),
        (IP_ORIGINAL_ARRIVAL_IF, IP_ORIGINAL_ARRIVAL_IF, _index),
        (IP_RECVDSTADDR, IP_RECVDSTADDR, lambda one: one.local),
    ),
    IPPROTO_IPV6: (
        (IPV6_PKTINFO, IPV6_PKTINFO, _pktinfo),
        (IPV6_PKTINFO_EX, IPV6_PKTINFO_EX, _pktinfo_ex),
        (IPV6_HOPLIMIT, IPV6_HOPLIMIT, lambda one: _int(one.ttl)),
        (IPV6_RECVTCLASS, IPV6_TCLASS, lambda one: _int(one.tos)),
        (IPV6_ECN, IPV6_ECN, lambda one: _int(one.tos & 3)),
        (IPV6_RECVIF, IPV6_RECVIF, _index),
        (IPV6_ORIGINAL_ARRIVAL_IF, IPV6_ORIGINAL_ARRIVAL_IF, _index),
        (IPV6_RECVDSTADDR, IPV6_RECVDSTADDR, lambda one: one.local),
    ),
}
"""By level: the option that enables an object, the object's type, its data.

Which type carries the TTL is not documented; IPv4's is IP_TTL, after the option that sets it."""


_ENABLING: Final = frozenset((level, row[0]) for level in _BROUGHT for row in _BROUGHT[level])
_COALESCED: Final = Struct("<QiiI4x")
_COALESCED_HEADER: Final = (HEADER_SIZE + 4, IPPROTO_UDP, UDP_COALESCED_INFO)


def brought(one: Received, enabled: Mapping[tuple[int, int], Any], joined: bool) -> list[CMSGHDR]:
    """The objects of a received datagram, or with `joined` of several in one piece, out of what
    the socket asked for."""
    level = IPPROTO_IP if len(one.local) == 4 else IPPROTO_IPV6
    found = [
        CMSGHDR(level, kind, make(one))
        for option, kind, make in _BROUGHT[level]
        if enabled.get((level, option))
    ]
    if joined:
        found.append(CMSGHDR(IPPROTO_UDP, UDP_COALESCED_INFO, _ULONG.pack(one.segment)))
    return found


def packed(one: Received, enabled: Mapping[tuple[int, int], Any], joined: bool) -> bytes:
    """The same as octets, all of them."""
    if _ENABLING.isdisjoint(enabled):
        return _COALESCED.pack(*_COALESCED_HEADER, one.segment) if joined else b""
    return b"".join(made.packed() for made in brought(one, enabled, joined))


def fitted(objects: list[CMSGHDR], room: int) -> tuple[bytes, bool]:
    """(octets, some were left out): whole objects only, in order, as many as fit."""
    octets = b""
    for one in objects:
        packed = one.packed()
        # The last one needs no room for its padding.
        if len(octets) + one.cmsg_len > room:
            return octets[:room], True
        octets += packed
    return octets[:room], False


# What a datagram is sent with.

_SEGMENT_HEADER: Final = _HEADER.pack(HEADER_SIZE + 4, IPPROTO_UDP, UDP_SEND_MSG_SIZE)
_SEGMENT_ALONE: Final = WSA_CMSG_SPACE(4)


class SendControl:
    """The ControlInfo of one send: how it goes, and the size of the datagrams made of it."""

    __slots__ = ("how", "segment")

    def __init__(self) -> None:
        self.how: Outgoing | None = None  # as the others of the socket
        self.segment = -1  # negative: the socket's


def taken(control: View, length: int, level: int) -> tuple[int, SendControl | None]:
    """What ControlInfo asks of a datagram in the family of `level`: (NTSTATUS, it).

    STATUS_INVALID_PARAMETER: malformed, a value out of bounds, or an object of the other family.
    STATUS_NOT_SUPPORTED: an object that is not known here.
    """
    result = SendControl()
    if length == _SEGMENT_ALONE <= len(control) and control[:HEADER_SIZE] == _SEGMENT_HEADER:
        result.segment = _ULONG.unpack_from(control, HEADER_SIZE)[0]
        return STATUS_SUCCESS, result
    objects = parse(control, length)
    if objects is None:
        return STATUS_INVALID_PARAMETER, None
    for one in objects:
        key = (one.cmsg_level, one.cmsg_type)
        if key == (IPPROTO_UDP, UDP_SEND_MSG_SIZE):
            if len(one.data) != 4:
                return STATUS_INVALID_PARAMETER, None
            result.segment = _ULONG.unpack(one.data)[0]
            continue
        if one.cmsg_level not in (IPPROTO_IP, IPPROTO_IPV6):
            return STATUS_NOT_SUPPORTED, None
        apply = _TAKEN.get(key)
        if one.cmsg_level != level or apply is None:
            known = key in _TAKEN
            return STATUS_INVALID_PARAMETER if known else STATUS_NOT_SUPPORTED, None
        result.how = result.how or Outgoing()
        if not apply(result.how, one.data):
            return STATUS_INVALID_PARAMETER, None
    return STATUS_SUCCESS, result


def _value(data: bytes, most: int) -> int:
    """An INT of 0 to `most`; -1 if it is none."""
    if len(data) != 4:
        return -1
    value: int = _INT.unpack(data)[0]
    return value if 0 <= value <= most else -1


def _take_hops(how: Outgoing, data: bytes) -> bool:
    how.hops = _value(data, 255)
    return how.hops >= 0


def _take_tos(how: Outgoing, data: bytes) -> bool:
    how.tos = _value(data, 255)
    return how.tos >= 0 and how.tos & 3 != 3


def _take_ecn(how: Outgoing, data: bytes) -> bool:
    how.ecn = _value(data, 2)  # CE is for routers
    return how.ecn >= 0


def _take_fragment(how: Outgoing, data: bytes) -> bool:
    value = _value(data, 1)
    how.fragment = 1 - value
    return value >= 0


def _take_pktinfo(size: int, extra: int) -> Callable[[Outgoing, bytes], bool]:
    def take(how: Outgoing, data: bytes) -> bool:
        if len(data) != size + 4 + extra:
            return False
        source = data[:size]
        how.source = source if any(source) else b""  # zero leaves it to the routes
        how.interface = _ULONG.unpack_from(data, size)[0]
        return True

    return take


_TAKEN: Final[dict[tuple[int, int], Callable[[Outgoing, bytes], bool]]] = {
    (IPPROTO_IP, IP_PKTINFO): _take_pktinfo(4, 0),
    (IPPROTO_IP, IP_PKTINFO_EX): _take_pktinfo(4, 4),
    (IPPROTO_IP, IP_TTL): _take_hops,
    (IPPROTO_IP, IP_HOPLIMIT): _take_hops,
    (IPPROTO_IP, IP_TOS): _take_tos,
    (IPPROTO_IP, IP_ECN): _take_ecn,
    (IPPROTO_IP, IP_DONTFRAGMENT): _take_fragment,
    (IPPROTO_IPV6, IPV6_PKTINFO): _take_pktinfo(16, 0),
    (IPPROTO_IPV6, IPV6_PKTINFO_EX): _take_pktinfo(16, 4),
    (IPPROTO_IPV6, IPV6_HOPLIMIT): _take_hops,
    (IPPROTO_IPV6, IPV6_TCLASS): _take_tos,
    (IPPROTO_IPV6, IPV6_ECN): _take_ecn,
    (IPPROTO_IPV6, IPV6_DONTFRAG): _take_fragment,
}
