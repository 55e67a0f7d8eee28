# SPDX-License-Identifier: MIT
"""Floor 4: destination address selection (RFC 6724 6).

Done: rules 1 (unusable last), 2 (matching scope), 3 (no deprecated source), 5 (matching label),
6 (precedence), 8 (smaller scope), 9 (longest matching prefix), 10 (order given).  Not done: rules
4 and 7 (home addresses, transition mechanisms), which this host has none of.

Called by `transport/hosting`.
"""

from __future__ import annotations

from stack.base import addr
from stack.ip.addrconf import DEPRECATED
from stack.ip.layer import IpHost
from stack.ip.policy import label as label_of
from stack.ip.policy import precedence as precedence_of
from stack.ip.policy import scope


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
    precedence, label = precedence_of(dst), label_of(dst)
    return (
        0,
        int(scope(src) != scope(dst)),
        int(deprecated),
        int(label_of(src) != label),
        -precedence,
        scope(dst),
        -addr.common_prefix(src, dst),
    )
