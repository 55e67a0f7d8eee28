# SPDX-License-Identifier: MIT
"""Where the fields of a frame are, and putting its lengths and checksums right again.

Reads what is there as far as it can be read, however broken: for mutators, not for receivers.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from stack.base.checksum import data_sum, finish
from stack.wire import ethernet, ext6, ipv4

_EXTENSIONS: Final = frozenset((ext6.HOP_BY_HOP, ext6.ROUTING, ext6.DESTINATION))
_CHECKSUM_AT: Final = {6: 16, 17: 6, 1: 2, 2: 2, 58: 2}


class Field(NamedTuple):
    """Octets of one meaning."""

    at: int
    size: int
    name: str


class Layout:
    """What was found in a frame.

    l4, proto   where the upper layer begins and which it is; `l4` is the frame's end if nothing
                could be read
    whole       it is not a fragment, so its upper layer has a checksum
    """

    def __init__(self, frame: bytes) -> None:
        self.fields = [Field(0, 6, "to"), Field(6, 6, "from"), Field(12, 2, "ethertype")]
        self.version = 0
        self.l4 = len(frame)
        self.proto = -1
        self.whole = True
        if len(frame) < 15:
            return
        kind = frame[12:14]
        if kind == ethernet.TYPE_ARP:
            self._add(14, "2 2 1 1 2operation 6 4address 6 4address")
        elif kind == ethernet.TYPE_IPV4 and len(frame) >= 34:
            self._ipv4(frame)
        elif kind == ethernet.TYPE_IPV6 and len(frame) >= 54:
            self._ipv6(frame)
        self._upper(frame)
        self.fields = [field for field in self.fields if field.at + field.size <= len(frame)]

    def _add(self, at: int, sizes: str) -> int:
        """Fields in a row, each its size and perhaps a name; where they end."""
        for word in sizes.split():
            digits = len(word) - len(word.lstrip("0123456789"))
            size = int(word[:digits])
            self.fields.append(Field(at, size, word[digits:]))
            at += size
        return at

    def _ipv4(self, frame: bytes) -> None:
        self.version = 4
        self._add(14, "1 1 2length 2 2fragment 1hops 1proto 2checksum 4address 4address")
        size = max((frame[14] & 15) * 4, 20)
        self._options(frame, 34, min(14 + size, len(frame)), frozenset((0, 1)))
        self.l4 = min(14 + size, len(frame))
        self.proto = frame[23]
        self.whole = not int.from_bytes(frame[20:22], "big") & 0x3FFF

    def _ipv6(self, frame: bytes) -> None:
        self.version = 6
        self._add(14, "4 2length 1proto 1hops 16address 16address")
        proto, at = frame[20], 54
        while at + 8 <= len(frame):
            if proto in _EXTENSIONS:
                size = (frame[at + 1] + 1) * 8
                self._add(at, "1proto 1length")
                self._options(frame, at + 2, min(at + size, len(frame)), frozenset((0,)), 2)
            elif proto == ext6.FRAGMENT:
                size = 8
                self._add(at, "1proto 1 2fragment 4")
                if int.from_bytes(frame[at + 2 : at + 4], "big") & ~6:
                    self.whole = False
            else:
                break
            proto, at = frame[at], at + size
        self.l4, self.proto = min(at, len(frame)), proto

    def _upper(self, frame: bytes) -> None:
        at = self.l4
        if self.proto == 6:
            end = self._add(at, "2port 2port 4seq 4seq 1offset 1flags 2 2checksum 2")
            top = min(at + (frame[at + 12] >> 4) * 4, len(frame)) if at + 12 < len(frame) else end
            self._options(frame, end, top, frozenset((0, 1)))
        elif self.proto == 17:
            self._add(at, "2port 2port 2length 2checksum")
        elif self.proto in (1, 2, 58):
            end = self._add(at, "1type 1code 2checksum 4")
            if self.proto == 58 and at < len(frame) and 133 <= frame[at] <= 137:
                for octets, kinds in ((16, (135, 136)), (8, (134,)), (32, (137,))):
                    if frame[at] in kinds:
                        end = self._add(end, f"{octets}address")
                self._options(frame, end, len(frame), frozenset(), 0, 8)
            elif self.proto != 1:
                while end + 4 <= len(frame) and end < at + 120:
                    end = self._add(end, "1 1length 2")

    def _options(
        self,
        frame: bytes,
        at: int,
        end: int,
        single: frozenset[int],
        beyond: int = 0,
        unit: int = 1,
    ) -> None:
        """Kind, size and content, one after the other.

        single   kinds of one octet
        beyond   octets that the size does not count
        unit     octets that it counts by
        """
        while at < end:
            self.fields.append(Field(at, 1, "kind"))
            if frame[at] in single or at + 1 >= end:
                at += 1
                continue
            self.fields.append(Field(at + 1, 1, "size"))
            following = at + max(frame[at + 1] * unit + beyond, 2)
            for octet in range(at + 2, min(following, end)):
                self.fields.append(Field(octet, 1, "option"))
            at = following


def repaired(frame: bytes, lengths: bool = True) -> bytes:
    """The frame with right checksums and, with `lengths`, right length fields."""
    found = Layout(frame)
    if not found.version:
        return frame
    out = bytearray(frame)
    if found.version == 4:
        if lengths and len(out) - 14 <= ipv4.MAX_LENGTH:
            out[16:18] = (len(out) - 14).to_bytes(2, "big")
        out[24:26] = b"\0\0"
        out[24:26] = finish(data_sum(bytes(out[14 : _even(14, found.l4, len(out))]))).to_bytes(
            2, "big"
        )
        names = bytes(out[26:34])
    else:
        if lengths and len(out) - 54 <= 65535:
            out[18:20] = (len(out) - 54).to_bytes(2, "big")
        names = bytes(out[22:54])
    l4, proto = found.l4, found.proto
    place = _CHECKSUM_AT.get(proto)
    if found.whole and place is not None and l4 + place + 2 <= len(out):
        if proto == 17 and lengths:
            out[l4 + 4 : l4 + 6] = (len(out) - l4 & 0xFFFF).to_bytes(2, "big")
        out[l4 + place : l4 + place + 2] = b"\0\0"
        total = data_sum(bytes(out[l4:]))
        if proto in (6, 17, 58):
            total += data_sum(names) + proto + len(out) - l4
        value = finish(total) or (0xFFFF if proto == 17 else 0)
        out[l4 + place : l4 + place + 2] = value.to_bytes(2, "big")
    return bytes(out)


def _even(start: int, end: int, most: int) -> int:
    return min(end + (end - start) % 2, most)
