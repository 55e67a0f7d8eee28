# SPDX-License-Identifier: MIT
"""Floor 4: source address selection (RFC 6724 5 for IPv6; RFC 1122 3.3.4.3 for IPv4).

Done: rules 1 (same address), 2 (appropriate scope), 3 (not deprecated), 5 (outgoing
interface, by construction), 6 (matching label), 8 (longest matching prefix).  Not done: rules
4, 5.5, 7 (home addresses, advertised prefixes, temporary addresses): they come with address
autoconfiguration.
"""

from __future__ import annotations

from collections.abc import Iterable

from stack.base import addr
from stack.ip.addrconf import DEPRECATED, LocalAddress
from stack.ip.policy import label, scope


def select(candidates: Iterable[LocalAddress], dst: bytes) -> LocalAddress | None:
    """The best source among usable addresses of the outgoing interface, or None."""
    best: LocalAddress | None = None
    for candidate in candidates:
        if best is None or _better(candidate, best, dst):
            best = candidate
    return best


def _better(a: LocalAddress, b: LocalAddress, dst: bytes) -> bool:
    """`a` is a better source for `dst` than `b`; ties keep the one configured first."""
    if a.address == dst or b.address == dst:
        return a.address == dst
    scope_a, scope_b, scope_d = scope(a.address), scope(b.address), scope(dst)
    if scope_a != scope_b:
        return scope_b < scope_d if scope_a > scope_b else scope_a >= scope_d
    if (a.state == DEPRECATED) != (b.state == DEPRECATED):
        return b.state == DEPRECATED
    label_a, label_b, label_d = label(a.address), label(b.address), label(dst)
    if (label_a == label_d) != (label_b == label_d):
        return label_a == label_d
    limit_a, limit_b = a.prefix_length, b.prefix_length
    shared_a = min(addr.common_prefix(a.address, dst), limit_a)
    shared_b = min(addr.common_prefix(b.address, dst), limit_b)
    return shared_a > shared_b
