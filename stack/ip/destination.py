# SPDX-License-Identifier: MIT
"""Floor 4: in which order to try destinations (RFC 6724 6).

Done: rules 1 (reachable), 2 (matching scope), 3 (source not deprecated), 5 (matching label), 6
(precedence), 8 (smaller scope), 9 (longest matching prefix, within a family), 10 (as they came).
Rules 4 and 7 have no object here: no home addresses, no tunnels.  Called by `services.resolver`
and `transport.hosting`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cmp_to_key
from typing import NamedTuple

from stack.base import addr
from stack.ip.addrconf import DEPRECATED
from stack.ip.host import IpHost
from stack.ip.policy import label, precedence, scope


class Source(NamedTuple):
    """The address a destination would be written to from."""

    address: bytes
    prefix_length: int
    deprecated: bool = False


def sort(host: IpHost, addresses: Iterable[bytes]) -> list[bytes]:
    """`addresses` as this host should try them, best first."""
    return order(addresses, lambda dst: _source_to(host, dst))


def _source_to(host: IpHost, dst: bytes) -> Source | None:
    layer = host.layers.get(len(dst))
    own = None if layer is None else layer.source_to(dst)
    if own is None:
        return None
    return Source(own.address, own.prefix_length, own.state == DEPRECATED)


def order(addresses: Iterable[bytes], source_to: Callable[[bytes], Source | None]) -> list[bytes]:
    """The same for any way to find sources; None where there is no way."""
    pairs = [(address, source_to(address)) for address in addresses]
    pairs.sort(key=cmp_to_key(_compare))
    return [address for address, _ in pairs]


Pair = tuple[bytes, Source | None]


def _compare(a: Pair, b: Pair) -> int:
    """Below zero if `a` goes first."""
    (dst_a, src_a), (dst_b, src_b) = a, b
    if src_a is None or src_b is None:
        return (src_a is None) - (src_b is None)
    for better_a, better_b in (
        (scope(dst_a) == scope(src_a.address), scope(dst_b) == scope(src_b.address)),
        (not src_a.deprecated, not src_b.deprecated),
        (label(dst_a) == label(src_a.address), label(dst_b) == label(src_b.address)),
    ):
        if better_a != better_b:
            return better_b - better_a
    if precedence(dst_a) != precedence(dst_b):
        return precedence(dst_b) - precedence(dst_a)
    if scope(dst_a) != scope(dst_b):
        return scope(dst_a) - scope(dst_b)
    if len(dst_a) != len(dst_b):
        return 0
    return _shared(dst_b, src_b) - _shared(dst_a, src_a)


def _shared(dst: bytes, src: Source) -> int:
    """Bits that a destination has in common with the prefix of its source (RFC 6724 2.2)."""
    return min(addr.common_prefix(dst, src.address), src.prefix_length)
