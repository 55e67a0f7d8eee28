# SPDX-License-Identifier: MIT
"""Floor 3: segmentation and transport checksums in software, where the device offers neither.

TCP always hands down super-segments with an unfinished checksum.  A device with TSO takes
them as they are; for any other the work is done here, at the last moment, so that nothing
above has a second code path.  Per wire segment: patch length and identification, sequence
number and flags, finish two checksums, and send views of the same payload.

Called by `nic` only.  TCP over IPv4 and IPv6 without extension headers, which is all that is
ever marked with a segment size.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

from stack.base.checksum import data_sum, finish, views_sum
from stack.base.head import NO_CHECKSUM, Head
from stack.base.units import View
from stack.link.seam import CSUM, TSO4, TSO6, Device
from stack.wire import ipv4, ipv6, tcp, vnet

_FIRST_ONLY = tcp.CWR
_LAST_ONLY = tcp.FIN | tcp.PSH

_U16 = Struct("!H").pack_into
_U32 = Struct("!I").pack_into
_LENGTH_ID = Struct("!HH").pack_into
_from_bytes = int.from_bytes


class Offloader:
    """Sends a packet through a device, doing first what the device cannot."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._out = Head()

    def transmit(self, head: Head, views: Sequence[View]) -> bool:
        """Like `Device.transmit`, for any packet and any device."""
        features = self._device.features
        if head.gso_size:
            needed = TSO4 if head.gso_type == vnet.GSO_TCPV4 else TSO6
            if not features & needed:
                return self._segment(head, views)
        elif head.csum != NO_CHECKSUM and not features & CSUM:
            finish_checksum(head, views)
        return self._device.transmit(head, views)

    def _segment(self, head: Head, views: Sequence[View]) -> bool:
        """Cut the super-segment into segments of `head.gso_size` octets and send each."""
        payload = memoryview(views[0] if len(views) == 1 else b"".join(views))
        out = self._out
        out.buf[head.start : head.end] = head.buf[head.start : head.end]
        out.start, out.net, out.l4 = head.start, head.net, head.l4
        finish_here = not self._device.features & CSUM
        out.csum = NO_CHECKSUM if finish_here else head.csum
        buf, net, l4 = out.buf, head.net, head.l4
        size = head.gso_size
        total = len(payload)
        header = head.end - l4
        is_v4 = buf[net] >> 4 == 4
        ident = _from_bytes(buf[net + 4 : net + 6], "big") if is_v4 else 0
        seq = _from_bytes(buf[l4 + 4 : l4 + 8], "big")
        flags = buf[l4 + 13]
        # The pseudo-header's sum without the length, which differs per segment.
        pseudo = _from_bytes(buf[l4 + 16 : l4 + 18], "big") - (header + total)
        sent = True
        for at in range(0, total, size):
            part = payload[at : at + size]
            if is_v4:
                _fit_ipv4(buf, net, head.end - net + len(part), ident + at // size)
            else:
                _U16(buf, net + 4, head.end - net - ipv6.LENGTH + len(part))
            _U32(buf, l4 + 4, (seq + at) & 0xFFFFFFFF)
            keep = 0xFF
            if at:
                keep &= ~_FIRST_ONLY
            if at + size < total:
                keep &= ~_LAST_ONLY
            buf[l4 + 13] = flags & keep
            check = (pseudo + header + len(part)) % 0xFFFF
            _U16(buf, l4 + 16, check)
            if finish_here:
                whole = _from_bytes(buf[l4 : out.end], "big") + data_sum(part)
                _U16(buf, l4 + 16, finish(whole))
            out.start = head.start
            sent = self._device.transmit(out, (part,)) and sent
        return sent


def _fit_ipv4(buf: bytearray, net: int, total: int, ident: int) -> None:
    _LENGTH_ID(buf, net + 2, total, ident & 0xFFFF)
    _U16(buf, net + 10, 0)
    _U16(buf, net + 10, finish(_from_bytes(buf[net : net + ipv4.LENGTH], "big")))


def finish_checksum(head: Head, views: Sequence[View]) -> None:
    """Complete the checksum whose field holds the pseudo-header's sum.

    The field lies on a 16-bit boundary of the header, and the header has an even length,
    so summing it in place adds the pseudo-header too.
    """
    l4 = head.l4
    total = _from_bytes(head.buf[l4 : head.end], "big") + views_sum(views)
    value = finish(total)
    if not value and head.csum == 6:
        value = 0xFFFF  # UDP: zero would say "no checksum" (RFC 768)
    _U16(head.buf, l4 + head.csum, value)
    head.csum = NO_CHECKSUM
