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
from stack.ip.policy import DEFAULT, Policy, scope


class Source(NamedTuple):
    """The address a destination would be written to from."""

    address: bytes
    prefix_length: int
    deprecated: bool = False


def sort(host: IpHost, addresses: Iterable[bytes]) -> list[bytes]:
    """`addresses` as this host should try them, best first."""
    return order(addresses, lambda dst: _source_to(host, dst), host.policy)


def _source_to(host: IpHost, dst: bytes) -> Source | None:
    layer = host.layers.get(len(dst))
    own = None if layer is None else layer.source_to(dst)
    if own is None:
        return None
    return Source(own.address, own.prefix_length, own.state == DEPRECATED)


def order(
    addresses: Iterable[bytes],
    source_to: Callable[[bytes], Source | None],
    policy: Policy = DEFAULT,
) -> list[bytes]:
    """The same for any way to find sources; None where there is no way."""
    found = [_Target(address, source_to(address), policy) for address in addresses]
    found.sort(key=cmp_to_key(_compare))
    return [target.address for target in found]


class _Target:
    """A destination, and the rules' answers about it."""

    __slots__ = ("address", "rank", "shared")

    def __init__(self, address: bytes, source: Source | None, policy: Policy) -> None:
        self.address = address
        self.rank: tuple[int, ...] = (0,)
        self.shared = 0
        if source is None:
            return
        precedence, label = policy.find(address)
        self.shared = _shared(address, source)
        self.rank = (
            1,  # rule 1
            scope(address) == scope(source.address),  # 2
            not source.deprecated,  # 3
            policy.find(source.address)[1] == label,  # 5
            precedence,  # 6
            -scope(address),  # 8
        )


def _compare(a: _Target, b: _Target) -> int:
    """Below zero if `a` goes first."""
    if a.rank != b.rank:
        return -1 if a.rank > b.rank else 1
    if len(a.address) != len(b.address):
        return 0
    return b.shared - a.shared  # 9


def _shared(dst: bytes, src: Source) -> int:
    """Bits that a destination has in common with the prefix of its source (RFC 6724 2.2)."""
    return min(addr.common_prefix(dst, src.address), src.prefix_length)
