# SPDX-License-Identifier: MIT
"""Floor 4: sending over IPv4 (RFC 791 3, RFC 1122 3.2.1, RFC 6864).

Done: fragmentation of what does not ask for DF, options in what is sent, in fragments those that
are to be copied; identifications of datagrams that may be fragmented, by `identities`, and none
in those that may not.
Called by transports through `Path.send`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from stack.base.head import NO_CHECKSUM, Head
from stack.base.status import OK, TOO_BIG
from stack.base.units import View
from stack.ip.hop import Hop
from stack.ip.path import Path, ToMany
from stack.link.neighbor import Neighbor
from stack.link.nic import Nic
from stack.link.offload import finish_checksum
from stack.wire import ipv4, vnet

if TYPE_CHECKING:
    from stack.ip.v4 import V4Layer

_pack_header: Final = ipv4.HEADER.pack_into


class Path4(Path):
    """A path over IPv4."""

    __slots__ = ("_base", "_ident")

    overhead = ipv4.LENGTH

    def __init__(
        self, layer: V4Layer, nic: Nic, src: bytes, dst: bytes, neighbor: Neighbor, mtu: int
    ) -> None:
        super().__init__(layer, nic, src, dst, neighbor, mtu)
        self._base = self.address_sum + 0x4500
        self._ident = layer.host.identities.counter(src, dst)

    def send(
        self,
        head: Head,
        views: Sequence[View],
        length: int,
        proto: int,
        tos: int = 0,
        ttl: int = 0,
        label: int = 0,
        df: bool = True,
    ) -> int:
        field = total = length + 20
        gso = head.gso_size
        if total > self.mtu or head.options:
            if not gso or head.options:
                return self._send_unusual(head, views, length, proto, tos, ttl, df)
            if total > ipv4.MAX_LENGTH:
                field = ipv4.BIG
        if df:
            # An atomic datagram: its identification means nothing (RFC 6864 4.1).
            ident = 0
            frag = 0x4000
        else:
            # Of a super-frame every piece takes one.
            ident = self._ident.take((length - 9) // gso + 1 if gso else 1)
            frag = 0
        ttl = ttl or self._hops
        check = -(self._base + tos + field + ident + frag + (ttl << 8 | proto)) % 0xFFFF
        start = head.start - 20
        _pack_header(
            head.buf, start, 0x45, tos, field, ident, frag, ttl, proto, check, self.src, self.dst
        )
        head.net = head.start = start
        if gso:
            head.gso_type = vnet.GSO_UDP_L4 if proto == ipv4.PROTO_UDP else vnet.GSO_TCPV4
        self.counters.out_requests += 1
        return self.put(head, views, total)

    def _send_unusual(
        self,
        head: Head,
        views: Sequence[View],
        length: int,
        proto: int,
        tos: int,
        ttl: int,
        df: bool,
    ) -> int:
        """With options, or in fragments, or both."""
        options = head.options
        total = ipv4.LENGTH + len(options) + length
        whole = total <= self.mtu
        counters = self.counters
        counters.out_requests += 1
        if not whole:
            counters.out_frag_reqds += 1
            if df or total > ipv4.MAX_LENGTH:
                counters.out_frag_fails += 1
                return TOO_BIG
            if head.csum != NO_CHECKSUM:
                finish_checksum(head, views)
        if df:
            ident, frag = 0, ipv4.DF
        else:
            ident, frag = self._ident.take(), 0
        ttl = ttl or self._hops
        header = ipv4.build(tos, total, ident, frag, ttl, proto, self.src, self.dst, options)
        if not whole:
            return put_pieces(self, header, b"".join((head.written(), *views)))
        head.push(header)
        head.net = head.start
        return self.put(head, views, total)


def put_pieces(hop: Hop, header: bytes, data: bytes) -> int:
    """Hand the link the fragments of a datagram, or of a fragment of one, that `hop` is too small
    for: OK, or NO_MEMORY when the device is full before the last."""
    counters = hop.counters
    counters.out_frag_oks += 1
    head = Head()
    result = OK
    for piece, part in ipv4.pieces(header, data, hop.mtu):
        head.reset()
        head.push(piece)
        head.net = head.start
        counters.out_frag_creates += 1
        result |= hop.put(head, (part,), len(piece) + len(part))
    return result


class GroupPath4(ToMany, Path4):
    """A path to a group or to everybody."""

    __slots__ = ()
