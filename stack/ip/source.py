# SPDX-License-Identifier: MIT
"""Floor 4: source address selection (RFC 6724 5 for IPv6; RFC 1122 3.3.4.3 for IPv4).

Done: rules 1 (same address), 2 (appropriate scope), 3 (not deprecated, nor optimistic: RFC 4429
3.1), 5 (outgoing interface), 5.5 (a prefix that the next hop advertises), 6 (matching label), 7
(temporary or public, as configured), 8 (longest matching prefix), and for the rest the order of
configuration.  Rule 4 has no object here: no home addresses.  Not done: preferences of single
sockets (RFC 5014); a socket that wants a public address binds to it.

Every candidate has a `rank`, a tuple, and the greatest wins: the order is total by construction.
Called by `outbound`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from stack.base import addr
from stack.ip.addrconf import TEMPORARY, LocalAddress
from stack.ip.policy import DEFAULT, Policy, scope

Rank = tuple[bool, bool, int, bool, bool, bool, bool, bool, int, int]

_ROUTERS: Final = 64
_PREFIXES: Final = 32


class Advertised:
    """Which router advertised which prefixes (RFC 6724 5.5), as long as they are valid.

    Bounded: sixty-four routers, of which the oldest gives way, and thirty-two prefixes of each.
    """

    def __init__(self) -> None:
        self._table: dict[tuple[int, bytes], dict[tuple[bytes, int], int]] = {}

    def learn(self, index: int, router: bytes, prefix: bytes, length: int, until: int) -> None:
        """`router` on interface `index` advertised a prefix, valid until `until` (ns)."""
        found = self._table.get((index, router))
        if found is None:
            if len(self._table) >= _ROUTERS:
                del self._table[next(iter(self._table))]
            found = self._table[(index, router)] = {}
        key = (addr.mask(prefix, length), length)
        if key in found or len(found) < _PREFIXES:
            found[key] = until

    def by(self, index: int, router: bytes, now: int) -> tuple[tuple[bytes, int], ...]:
        """The prefixes of one router that are valid at `now`."""
        found = self._table.get((index, router))
        if not found:
            return ()
        for key in [key for key, until in found.items() if until <= now]:
            del found[key]
        return tuple(found)

    def forget(self, index: int) -> None:
        """Another link: nothing of interface `index` holds."""
        for key in [key for key in self._table if key[0] == index]:
            del self._table[key]


class Chooser:
    """What a choice is about.

    dst         the destination
    index       of the outgoing interface
    prefixes    what the next hop advertises
    temporary   temporary addresses are preferred to public ones, not the reverse
    """

    __slots__ = ("dst", "index", "label", "policy", "prefixes", "scope", "temporary")

    def __init__(
        self,
        dst: bytes,
        index: int = 0,
        prefixes: tuple[tuple[bytes, int], ...] = (),
        policy: Policy = DEFAULT,
        temporary: bool = True,
    ) -> None:
        self.dst = dst
        self.index = index
        self.prefixes = prefixes
        self.policy = policy
        self.temporary = temporary
        self.scope = scope(dst)
        self.label = policy.find(dst)[1]

    def rank(self, entry: LocalAddress) -> Rank:
        """The greater, the better a source; no two are equal."""
        address = entry.address
        own = scope(address)
        wide = own >= self.scope
        return (
            address == self.dst,  # 1
            wide,  # 2: of those that reach as far the nearest, of the others the farthest
            -own if wide else own,
            not entry.shunned,  # 3
            entry.nic.index == self.index,  # 5
            any(addr.mask(address, length) == prefix for prefix, length in self.prefixes),  # 5.5
            self.policy.find(address)[1] == self.label,  # 6
            (entry.origin == TEMPORARY) == self.temporary,  # 7
            min(addr.common_prefix(address, self.dst), entry.prefix_length),  # 8
            -entry.number,
        )


def select(candidates: Iterable[LocalAddress], chooser: Chooser) -> LocalAddress | None:
    """The best source among `candidates`, None if there are none."""
    return max(candidates, key=chooser.rank, default=None)
