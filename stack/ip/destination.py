# SPDX-License-Identifier: MIT
"""Floor 4: destination address selection (RFC 6724 6).

Done: rules 1 (unusable last), 2 (matching scope), 3 (no deprecated source), 5 (matching label),
6 (precedence), 8 (smaller scope), 9 (longest matching prefix), 10 (order given).  Not done: rules
4 and 7 (home addresses, transition mechanisms), which this host has none of.

Called by `transport/hosting`.
"""

from __future__ import annotations

from typing import Final

from stack.base import addr
from stack.ip.addrconf import DEPRECATED
from stack.ip.layer import IpHost
from stack.ip.source import scope

_MAPPED: Final = bytes(10) + b"\xff\xff"
# RFC 6724 2.1: prefix, its length, precedence, label; the longest match counts.
_POLICY: Final = (
    (addr.LOOPBACK6, 128, 50, 0),
    (_MAPPED, 96, 35, 4),
    (bytes(12), 96, 1, 3),
    (bytes.fromhex("20010000"), 32, 5, 5),
    (bytes.fromhex("2002"), 16, 30, 2),
    (bytes.fromhex("3ffe"), 16, 1, 12),
    (bytes.fromhex("fec0"), 10, 1, 11),
    (bytes.fromhex("fc00"), 7, 3, 13),
    (b"", 0, 40, 1),
)


def policy(address: bytes) -> tuple[int, int]:
    """(precedence, label) of an address of either family."""
    whole = address if len(address) == 16 else _MAPPED + address
    for prefix, length, precedence, label in _POLICY:
        if addr.mask(whole, length) == addr.mask(prefix.ljust(16, b"\0"), length):
            return precedence, label
    raise AssertionError("the last row matches everything")


def sort(host: IpHost, addresses: list[bytes]) -> list[bytes]:
    """`addresses`, best first."""
    return sorted(addresses, key=lambda dst: _rank(host, dst))


def _rank(host: IpHost, dst: bytes) -> tuple[int, ...]:
    """Smaller is better, rule by rule; sorting keeps the given order of equals."""
    layer = host.layers.get(len(dst))
    path = None if layer is None else layer.path(dst)
    if layer is None or path is None:
        return (1,)
    src = path.src
    entry = layer.local.get(src)
    deprecated = entry is not None and entry.state == DEPRECATED
    precedence, label = policy(dst)
    return (
        0,
        int(scope(src) != scope(dst)),
        int(deprecated),
        int(policy(src)[1] != label),
        -precedence,
        scope(dst),
        -addr.common_prefix(src, dst),
    )
