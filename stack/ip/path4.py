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
from stack.base.status import NO_MEMORY, OK, TOO_BIG
from stack.base.units import View
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

    __slots__ = ("_base", "_counters", "_ident", "_ttl")

    overhead = ipv4.LENGTH

    def __init__(
        self, layer: V4Layer, nic: Nic, src: bytes, dst: bytes, neighbor: Neighbor, mtu: int
    ) -> None:
        super().__init__(nic, src, dst, neighbor, mtu)
        interface = layer.interfaces[nic.index]
        self._counters = interface.counters
        self._ttl = interface.hop_limit
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
        if head.options:
            return self._send_optioned(head, views, length, proto, tos, ttl, df)
        total = length + 20
        gso = head.gso_size
        if total > self.mtu and not gso:
            return self._send_large(head, views, length, proto, tos, ttl, df)
        if df:
            # An atomic datagram: its identification means nothing (RFC 6864 4.1).
            ident = 0
            frag = 0x4000
        else:
            counter = self._ident
            counter[0] = ident = (counter[0] + 1) & 0xFFFF
            frag = 0
        ttl = ttl or self._ttl
        check = -(self._base + tos + total + ident + frag + (ttl << 8 | proto)) % 0xFFFF
        start = head.start - 20
        _pack_header(
            head.buf, start, 0x45, tos, total, ident, frag, ttl, proto, check, self.src, self.dst
        )
        head.net = head.start = start
        if gso:
            head.gso_type = vnet.GSO_TCPV4
        counters = self._counters
        counters.out_requests += 1
        counters.out_octets += total
        if self.nic.send(self.neighbor, head, views):
            return OK
        counters.out_octets -= total
        counters.out_discards += 1
        return NO_MEMORY

    def _next(self) -> int:
        counter = self._ident
        counter[0] = ident = (counter[0] + 1) & 0xFFFF
        return ident

    def _send_optioned(
        self,
        head: Head,
        views: Sequence[View],
        length: int,
        proto: int,
        tos: int,
        ttl: int,
        df: bool,
    ) -> int:
        """With options the header is longer."""
        total = ipv4.LENGTH + len(head.options) + length
        if total > self.mtu:
            return self._send_large(head, views, length, proto, tos, ttl, df)
        self._counters.out_requests += 1
        frag = ipv4.DF if df else 0
        ident = 0 if df else self._next()
        return self._send_piece(head, views, total, ident, frag, proto, tos, ttl, head.options)

    def _send_piece(
        self,
        head: Head,
        views: Sequence[View],
        total: int,
        ident: int,
        frag: int,
        proto: int,
        tos: int,
        ttl: int,
        options: bytes,
    ) -> int:
        ttl = ttl or self._ttl
        head.push(ipv4.build(tos, total, ident, frag, ttl, proto, self.src, self.dst, options))
        head.net = head.start
        counters = self._counters
        if self.nic.send(self.neighbor, head, views):
            counters.out_octets += total
            return OK
        counters.out_discards += 1
        return NO_MEMORY

    def _send_large(
        self,
        head: Head,
        views: Sequence[View],
        length: int,
        proto: int,
        tos: int,
        ttl: int,
        df: bool,
    ) -> int:
        """RFC 791 3.2: pieces in units of eight octets, all with one identification, the first
        with all options and the others with those that say so."""
        options = head.options
        counters = self._counters
        counters.out_requests += 1
        counters.out_frag_reqds += 1
        if df or length + ipv4.LENGTH + len(options) > ipv4.MAX_LENGTH:
            counters.out_frag_fails += 1
            return TOO_BIG
        if head.csum != NO_CHECKSUM:
            finish_checksum(head, views)
        data = memoryview(b"".join((head.written(), *views)))
        counters.out_frag_oks += 1
        ident = self._next()
        piece = Head()
        result = OK
        at = 0
        while at < length:
            header = ipv4.LENGTH + len(options)
            end = at + ((self.mtu - header) & ~7)
            part = data[at:end]
            frag = at // 8 | (ipv4.MF if end < length else 0)
            piece.reset()
            counters.out_frag_creates += 1
            size = header + len(part)
            result |= self._send_piece(piece, (part,), size, ident, frag, proto, tos, ttl, options)
            if at == 0 and options:
                options = ipv4.copied_options(options)
            at = end
        return result


class GroupPath4(ToMany, Path4):
    """A path to a group or to everybody."""

    __slots__ = ()
