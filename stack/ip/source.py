# SPDX-License-Identifier: MIT
"""Floor 4: source address selection (RFC 6724 5 for IPv6; RFC 1122 3.3.4.3 for IPv4).

Done: rules 1 (same address), 2 (appropriate scope), 3 (not deprecated, nor optimistic: RFC 4429
3.1), 5 (outgoing interface), 5.5 (a prefix that the next hop advertises), 6 (matching label), 7
(temporary or public, as configured), 8 (longest matching prefix), and for the rest the order of
configuration.  Rule 4 has no object here: no home addresses.  Not done: preferences of single
sockets (RFC 5014); a socket that wants a public address binds to it.

Every candidate has a `rank`, a tuple, and the greatest wins: the order is total by construction.
Called by `holding`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stack.base import addr
from stack.ip.addrconf import TEMPORARY, LocalAddress
from stack.ip.gateways import Gateway
from stack.ip.policy import DEFAULT, Policy, scope

Rank = tuple[bool, bool, int, bool, bool, bool, bool, bool, int, int]


class Chooser:
    """What a choice is about.

    dst         the destination
    index       of the outgoing interface
    gateway     the next hop, None if the destination is on the link
    temporary   temporary addresses are preferred to public ones, not the reverse
    """

    __slots__ = ("dst", "gateway", "index", "label", "policy", "scope", "temporary")

    def __init__(
        self,
        dst: bytes,
        index: int = 0,
        gateway: Gateway | None = None,
        policy: Policy = DEFAULT,
        temporary: bool = True,
    ) -> None:
        self.dst = dst
        self.index = index
        self.gateway = gateway
        self.policy = policy
        self.temporary = temporary
        self.scope = scope(dst)
        self.label = policy.find(dst)[1]

    def rank(self, entry: LocalAddress) -> Rank:
        """The greater, the better a source; no two are equal."""
        address = entry.address
        own = scope(address)
        wide = own >= self.scope
        gateway = self.gateway
        return (
            address == self.dst,  # 1
            wide,  # 2: of those that reach as far the nearest, of the others the farthest
            -own if wide else own,
            not entry.shunned,  # 3
            entry.nic.index == self.index,  # 5
            gateway is not None and gateway.advertised(address),  # 5.5
            self.policy.find(address)[1] == self.label,  # 6
            (entry.origin == TEMPORARY) == self.temporary,  # 7
            min(addr.common_prefix(address, self.dst), entry.prefix_length),  # 8
            -entry.number,
        )


class Candidates:
    """The usable addresses of one interface, those together that no rule can tell apart.

    Addresses of one prefix have the same longest match with any destination (rule 8): where they
    also agree in state, scope, label and origin, the one configured first stands for all, so that
    ten thousand addresses of one prefix cost what one costs.
    """

    __slots__ = ("_by_address", "_groups")

    def __init__(self, entries: Iterable[LocalAddress], policy: Policy) -> None:
        self._by_address: dict[bytes, LocalAddress] = {}
        groups: dict[tuple[object, ...], list[LocalAddress]] = {}
        for entry in sorted(entries, key=lambda one: one.number):
            address, length = entry.address, entry.prefix_length
            self._by_address[address] = entry
            key = (
                addr.mask(address, length),
                length,
                entry.state,
                scope(address),
                policy.find(address)[1],
                entry.origin == TEMPORARY,
            )
            groups.setdefault(key, []).append(entry)
        self._groups = list(groups.values())

    def among(self, dst: bytes, gateway: Gateway | None) -> Iterator[LocalAddress]:
        """One of each kind; all of a kind of which `gateway` may have advertised but a part; and
        `dst`, if it is one of them (rule 1)."""
        if dst in self._by_address:
            yield self._by_address[dst]
        longest = 0 if gateway is None else gateway.longest()
        for group in self._groups:
            if longest > group[0].prefix_length:
                yield from group
            else:
                yield group[0]


def select(candidates: Iterable[LocalAddress], chooser: Chooser) -> LocalAddress | None:
    """The best source among `candidates`, None if there are none."""
    return max(candidates, key=chooser.rank, default=None)
