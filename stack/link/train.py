# SPDX-License-Identifier: MIT
"""Floor 3: receive coalescing: TCP segments in a row, and datagrams of one flow, go up together.

A bulk transfer comes as a row of frames, super-frames where the device makes them, that differ in
little but sequence number, checksum and payload; datagrams of one flow differ in no more.  Of the
frames that are read in one turn those that continue each other are put into a train.  Its first
frame goes up as the ordinary packet that it is, with the others beside it (`Packet.train`).
Whoever understands that takes as many as he can use with the first (`tcp/train`, `udp/endpoint`);
what is left goes up as if it had never been in a train, in order.  So nothing is dropped here and
nothing is decided here: a frame joins if its link and IP headers say what the first one's say and
are sound if those are, and its transport header differs in nothing but

    TCP   the sequence number, which is the next, PSH and the checksum
    UDP   the length, which is that of the packet, and the checksum

Super-frames of TCP's join those with the same segment size; those of datagrams, of which each is a
row already, go up alone.  The checksum is the transport's to verify.  IPv4 without options
(RFC 791), IPv6 without extension headers (RFC 8200); TCP segments with payload and no flags but ACK
and PSH (RFC 9293), UDP datagrams with payload (RFC 768).  Frames of one flow are never reordered;
those of different flows may be.  No frame waits beyond the call it came with; one that continues
what the call before has given up goes to who took that (`Nic.pause` ends it).

Called by `nic`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from struct import Struct
from typing import Final

from stack.wire import ethernet, ipv4, ipv6, tcp, udp, vnet

_PLAIN4: Final = 0x45  # version 4, a header of twenty octets
_PLAIN: Final = 0x0FFF & ~tcp.PSH  # of the sixteen bits with the flags: all but length and PSH
_PURE: Final = ipv6.LENGTH + tcp.LENGTH + tcp.MAX_OPTIONS
"""A packet of so many octets or less may be a pure acknowledgment."""

_TCP: Final = ipv4.PROTO_TCP
_UDP: Final = ipv4.PROTO_UDP
_COUPLED: Final = (ipv4.PROTO_TCP, ipv4.PROTO_UDP)
_LEAST: Final = ipv4.LENGTH + udp.LENGTH
_LEAST6: Final = ipv6.LENGTH + udp.LENGTH
WORTHWHILE: Final = 4
"""Frames; fewer are given up faster than they are looked at."""
_NOBODY: Final = 1 << 20  # longer than any frame

# Total length, identification, checksum; payload length.  Then the second word of what follows:
# TCP's sequence number, or UDP's length and checksum.
_fields4 = Struct("!2xHH4xH12xI").unpack_from
_fields6 = Struct("!4xH38xI").unpack_from
_bits = Struct("!12xH").unpack_from
_from_bytes = int.from_bytes


class Train:
    """A segment or datagram and those that continue it.

    first   a frame of a flow, its network header at `net`
    """

    __slots__ = (
        "_common",
        "_end",
        "_is_udp",
        "_is_v4",
        "_mask",
        "_net",
        "_next",
        "_sum",
        "frames",
    )

    def __init__(self, first: bytes, net: int) -> None:
        self.frames = [first]
        self._net = net
        self._next = 0
        self._end = self._begin(first)

    def joins(self, frame: bytes) -> bool:
        """Append `frame` if it continues what is here."""
        end = self._end
        size = len(frame)
        if size <= end or _from_bytes(frame[:end], "little") & self._mask != self._common:
            return False
        net = self._net
        if self._is_v4:
            total, ident, check, word = _fields4(frame, net)
            if (total + ident + check - self._sum) % 0xFFFF:
                return False
        else:
            total, word = _fields6(frame, net)
            total += ipv6.LENGTH
        if total != size - net:
            return False
        if self._is_udp:
            if word >> 16 != size - end + udp.LENGTH:
                return False
        elif word != self._next:
            return False
        else:
            self._next = (word + size - end) & 0xFFFFFFFF
        self.frames.append(frame)
        return True

    def _begin(self, frame: bytes) -> int:
        """Read the first frame's headers.  Their end; more than any frame has if none may join."""
        net = self._net
        self._is_v4 = frame[net] == _PLAIN4
        if self._is_v4:
            l4, proto = net + ipv4.LENGTH, frame[net + 9]
            total, ident, check, word = _fields4(frame, net)
            self._sum = total + ident + check
        else:
            l4, proto = net + ipv6.LENGTH, frame[net + 6]
            total, word = _fields6(frame, net)
            total += ipv6.LENGTH
        size = len(frame)
        self._is_udp = proto == _UDP
        if self._is_udp:
            end = l4 + udp.LENGTH
            plain = word >> 16 == size - l4
        else:
            (bits,) = _bits(frame, l4)
            end = l4 + (bits >> 12) * 4
            plain = bits & _PLAIN == tcp.ACK and end >= l4 + tcp.LENGTH
        if not plain or end >= size or total != size - net:
            return _NOBODY
        self._mask = _mask(net, l4, end)
        self._common = _from_bytes(frame[:end], "little") & self._mask
        self._next = (word + size - end) & 0xFFFFFFFF
        return end


@lru_cache(maxsize=64)
def _mask(net: int, l4: int, end: int) -> int:
    """What the headers of a train have in common, as the ones of a little-endian number."""
    kept = bytearray(b"\xff" * end)
    if net > ethernet.LENGTH:
        kept[2:4] = bytes(2)  # how much of it are headers is a hint
    if l4 - net == ipv4.LENGTH:
        kept[net + 2 : net + 6] = bytes(4)  # total length, identification
        kept[net + 10 : net + 12] = bytes(2)  # checksum
    else:
        kept[net + 4 : net + 6] = bytes(2)  # payload length
    kept[l4 + 4 : l4 + 8] = bytes(4)  # sequence number, or length and checksum of a datagram
    if end > l4 + udp.LENGTH:
        kept[l4 + 13] = 0xFF & ~tcp.PSH
        kept[l4 + tcp.CHECKSUM_AT : l4 + tcp.CHECKSUM_AT + 2] = bytes(2)
    return _from_bytes(kept, "little")


def _flow(frame: bytes, net: int) -> bytes:
    """Addresses and ports of TCP or UDP in an IP packet that can be in a train; else nothing."""
    if len(frame) < net + _LEAST:
        return b""
    first = frame[net]
    if first == _PLAIN4:
        proto = frame[net + 9]
        whole = not (frame[net + 6] & 0x3F or frame[net + 7])
        if whole and proto in _COUPLED:
            return frame[net + 12 : net + 24]
    elif first >> 4 == 6 and frame[net + 6] in _COUPLED and len(frame) >= net + _LEAST6:
        return frame[net + 8 : net + 44]
    return b""


def begun(frame: bytes, net: int) -> Train | None:
    """What could continue `frame`; None if nothing could."""
    return Train(frame, net) if _flow(frame, net) else None


def assemble(
    frames: list[bytes],
    net: int,
    single: Callable[[bytes], None],
    several: Callable[[list[bytes]], None],
) -> None:
    """Give each of `frames`, which were read in a row, to `single`, or to `several` in a list with
    those that continue it.

    net       offset of their network headers
    """
    least, below = net + _LEAST, net + _PURE
    proto4, proto6 = net + 9, net + 6
    plain = net == ethernet.LENGTH
    trains: dict[bytes, bytes | Train] = {}  # by flow; one frame is none yet
    train: Train | None = None  # the last that somebody joined
    for frame in frames:
        size = len(frame)
        if size >= least and (plain or frame[1] != vnet.GSO_UDP_L4):
            if train is not None and train.joins(frame):
                continue
            maybe = size > below or frame[proto4] == _UDP or frame[proto6] == _UDP
            flow = _flow(frame, net) if maybe else b""
            if flow:
                held = trains.get(flow)
                if held is None:
                    trains[flow] = frame
                    continue
                train = held if isinstance(held, Train) else Train(held, net)
                if train.joins(frame):
                    trains[flow] = train
                else:
                    _leave(held, single, several)
                    trains[flow] = frame
                    train = None
                continue
        train = None
        if trains:
            # It goes behind what is held of its flow; if that cannot be told, behind everything.
            flow = _flow(frame, net)
            for key in (flow,) if flow else tuple(trains):
                before = trains.pop(key, None)
                if before is not None:
                    _leave(before, single, several)
        single(frame)
    for rest in trains.values():
        _leave(rest, single, several)


def _leave(
    held: bytes | Train,
    single: Callable[[bytes], None],
    several: Callable[[list[bytes]], None],
) -> None:
    if isinstance(held, Train):
        several(held.frames)
    else:
        single(held)
