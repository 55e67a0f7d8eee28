# SPDX-License-Identifier: MIT
"""Floor 4: sending over IPv6 (RFC 8200 3 and 4.5, RFC 6437, RFC 7739).

Done: fragmentation of what is larger than the path takes, never of anything else (RFC 8021), with
identifications by `identities`; flow labels.  Extension headers other than the fragment header are
pushed by whoever wants them, who names the first of them as the protocol.
Called by transports through `Path.send`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from stack.base.head import NO_CHECKSUM, Head
from stack.base.status import OK, TOO_BIG
from stack.base.units import View
from stack.ip.fragments import MAX_DATAGRAM
from stack.ip.path import Path, ToMany
from stack.link.neighbor import Neighbor
from stack.link.nic import Nic
from stack.link.offload import finish_checksum
from stack.wire import ext6, ipv4, ipv6, vnet

if TYPE_CHECKING:
    from stack.ip.v6 import V6Layer

_pack_header: Final = ipv6.HEADER.pack_into
_UNLABELLED: Final = -1


class Path6(Path):
    """A path over IPv6."""

    __slots__ = ("_flow", "_layer")

    overhead = ipv6.LENGTH

    def __init__(
        self, layer: V6Layer, nic: Nic, src: bytes, dst: bytes, neighbor: Neighbor, mtu: int
    ) -> None:
        super().__init__(layer, nic, src, dst, neighbor, mtu)
        self._layer = layer
        self._flow = _UNLABELLED

    def flow(self) -> int:
        if self._flow == _UNLABELLED:
            self._flow = self._layer.host.identities.label(self.src, self.dst)
        return self._flow

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
        field = length
        gso = head.gso_size
        if gso:
            head.gso_type = vnet.GSO_UDP_L4 if proto == ipv4.PROTO_UDP else vnet.GSO_TCPV6
        if length > self.room:
            if not gso:
                return self._send_large(head, views, length, proto, tos, ttl, label, df)
            if length > MAX_DATAGRAM:
                length += ext6.JUMBO_LENGTH
                head.push(ext6.build_jumbo(proto, length))
                field, proto = 0, ext6.HOP_BY_HOP
        start = head.start - 40
        _pack_header(
            head.buf,
            start,
            0x60000000 | tos << 20 | label,
            field,
            proto,
            ttl or self._hops,
            self.src,
            self.dst,
        )
        head.net = head.start = start
        self.counters.out_requests += 1
        return self.put(head, views, length + 40)

    def _send_large(
        self,
        head: Head,
        views: Sequence[View],
        length: int,
        proto: int,
        tos: int,
        ttl: int,
        label: int,
        df: bool,
    ) -> int:
        """RFC 8200 4.5: only the source fragments, and only what is larger than the path MTU."""
        counters = self.counters
        counters.out_requests += 1
        counters.out_frag_reqds += 1
        if df or length > MAX_DATAGRAM:
            counters.out_frag_fails += 1
            return TOO_BIG
        if head.csum != NO_CHECKSUM:
            finish_checksum(head, views)
        data = memoryview(b"".join((head.written(), *views)))
        ident = self._layer.host.identities.take_hidden(self.src, self.dst)
        counters.out_frag_oks += 1
        step = (self.room - ext6.FRAGMENT_LENGTH) & ~7
        hops = ttl or self._hops
        piece = Head()
        result = OK
        for offset in range(0, length, step):
            part = data[offset : offset + step]
            piece.reset()
            piece.push(ext6.build_fragment(proto, offset, offset + step < length, ident))
            payload = ext6.FRAGMENT_LENGTH + len(part)
            piece.push(ipv6.build(tos, label, payload, ext6.FRAGMENT, hops, self.src, self.dst))
            piece.net = piece.start
            counters.out_frag_creates += 1
            result |= self.put(piece, (part,), payload + ipv6.LENGTH)
        return result


class GroupPath6(ToMany, Path6):
    """A path to a group."""

    __slots__ = ()
