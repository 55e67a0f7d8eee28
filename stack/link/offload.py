# SPDX-License-Identifier: MIT
"""Floor 3: segmentation and transport checksums in software, where the device offers neither.

Transports hand down super-frames with an unfinished checksum.  A device that can cut them takes
them as they are; for any other the work is done here, at the last moment, so that nothing above
has a second code path.  Per wire segment: patch lengths and identification, for TCP sequence
number and flags, finish two checksums, and send views of the same payload.

Called by `nic`, and by `ip/forward` for what is to be fragmented further.  TCP and UDP over IPv4
and IPv6 without extension headers, which is all that is ever marked with a segment size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Final

from stack.base.checksum import finish, segment_sums, views_sum
from stack.base.head import NO_CHECKSUM, Head
from stack.base.units import View
from stack.base.views import cut
from stack.link.seam import CSUM, TSO4, TSO6, USO, Device
from stack.wire import ipv4, tcp, udp, vnet

_FIRST_ONLY = tcp.CWR
_LAST_ONLY = tcp.FIN | tcp.PSH
_NEEDED: Final = {vnet.GSO_TCPV4: TSO4, vnet.GSO_TCPV6: TSO6, vnet.GSO_UDP_L4: USO}

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
            if not features & _NEEDED[head.gso_type]:
                return self._segment(head, views, not features & CSUM)
        elif head.csum != NO_CHECKSUM and not features & CSUM:
            finish_checksum(head, views)
        return self._device.transmit(head, views)

    def _segment(self, head: Head, views: Sequence[View], finish_here: bool) -> bool:
        """Cut the super-frame into packets of `head.gso_size` octets of payload; send each."""
        out = self._out
        parts = _datagrams if head.gso_type == vnet.GSO_UDP_L4 else _segments
        sent = True
        for part in parts(head, views, out, finish_here):
            sent = self._device.transmit(out, part) and sent
        return sent


def datagrams(head: Head, views: Sequence[View], out: Head) -> Iterator[Sequence[View]]:
    """The packets of a UDP super-frame one by one, complete: their headers in `out`, which is
    used again for the next, and views of their payload."""
    return _datagrams(head, views, out, True)


def _begin(head: Head, out: Head, finish_here: bool) -> None:
    out.buf[head.start : head.end] = head.buf[head.start : head.end]
    out.net, out.l4 = head.net, head.l4
    out.csum = NO_CHECKSUM if finish_here else head.csum


def _segments(
    head: Head, views: Sequence[View], out: Head, finish_here: bool
) -> Iterator[Sequence[View]]:
    _begin(head, out, finish_here)
    buf, net, l4 = out.buf, head.net, head.l4
    size = head.gso_size
    header = head.end - l4
    above = l4 - net
    is_v4 = buf[net] >> 4 == 4
    left = _from_bytes(buf[net + 2 : net + 4], "big") - above - header
    ident, lower = 0, 0
    if is_v4:
        ident = _from_bytes(buf[net + 4 : net + 6], "big")
        _LENGTH_ID(buf, net + 2, 0, 0)
        _U16(buf, net + 10, 0)
        lower = _from_bytes(buf[net:l4], "big")  # what all IP headers have in common
    else:
        left = _from_bytes(buf[net + 4 : net + 6], "big") - header
    seq = _from_bytes(buf[l4 + 4 : l4 + 8], "big")
    flags = buf[l4 + 13]
    # The pseudo-header's sum without the length, which differs per segment.
    upper = _from_bytes(buf[l4 + 16 : l4 + 18], "big") - (header + left)
    if finish_here:
        # And the header's without what differs, which stands at even places too.
        _U32(buf, l4 + 4, 0)
        buf[l4 + 13] = 0
        _U16(buf, l4 + 16, 0)
        upper += _from_bytes(buf[l4 : out.end], "big")
    sums = iter(segment_sums(views, size) if finish_here else ())
    marks = flags & ~_LAST_ONLY
    for part in cut(views, size):
        count = size if left > size else left
        left -= count
        length = header + count
        if is_v4:
            total = above + length
            _LENGTH_ID(buf, net + 2, total, ident)
            _U16(buf, net + 10, -(lower + total + ident) % 0xFFFF)
            ident = (ident + 1) & 0xFFFF
        else:
            _U16(buf, net + 4, length)
        if not left:
            marks |= flags & _LAST_ONLY
        _U32(buf, l4 + 4, seq)
        buf[l4 + 13] = marks
        if finish_here:
            _U16(buf, l4 + 16, -(upper + length + seq + marks + next(sums)) % 0xFFFF)
        else:
            _U16(buf, l4 + 16, (upper + length) % 0xFFFF)
        seq = (seq + count) & 0xFFFFFFFF
        marks &= ~_FIRST_ONLY
        out.start = head.start
        yield part


def _datagrams(
    head: Head, views: Sequence[View], out: Head, finish_here: bool
) -> Iterator[Sequence[View]]:
    _begin(head, out, finish_here)
    buf, net, l4 = out.buf, head.net, head.l4
    is_v4 = buf[net] >> 4 == 4
    ident = _from_bytes(buf[net + 4 : net + 6], "big") if is_v4 else 0
    whole = _from_bytes(buf[l4 + 4 : l4 + 6], "big")
    pseudo = _from_bytes(buf[l4 + 6 : l4 + 8], "big") - whole
    for part in cut(views, head.gso_size):
        length = udp.LENGTH
        for view in part:
            length += len(view)
        if is_v4:
            _fit_ipv4(buf, net, ipv4.LENGTH + length, ident)
            ident += 1
        else:
            _U16(buf, net + 4, length)
        _U16(buf, l4 + 4, length)
        _U16(buf, l4 + 6, (pseudo + length) % 0xFFFF)
        if finish_here:
            # The header has the length a second time: the pseudo-header's is in the field.
            total = _from_bytes(buf[l4 : out.end], "big") + views_sum(part)
            _U16(buf, l4 + 6, finish(total) or 0xFFFF)
        out.start = head.start
        yield part


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
