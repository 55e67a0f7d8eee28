# SPDX-License-Identifier: MIT
"""Floor 4: which multicast groups this host listens to, per interface.

Membership is counted: a group stays joined until the last who joined leaves (RFC 4861 7.2.1
asks that of solicited-node groups).  Not done: telling routers and switches about it (IGMPv3,
MLDv2); on a link without snooping switches, which is every TAP, nobody needs to know.
"""

from __future__ import annotations

from stack.base import addr
from stack.link.nic import Nic


class Listed:
    """One group in a listing."""

    __slots__ = ("group", "include", "sources", "users")

    def __init__(self, group: bytes, users: int) -> None:
        self.group = group
        self.users = users
        self.include = False
        self.sources: tuple[bytes, ...] = ()


class Groups:
    """Memberships of one family."""

    def __init__(self) -> None:
        self._members: dict[tuple[int, bytes], int] = {}

    def join(self, nic: Nic, group: bytes) -> None:
        """One more listener for `group` on `nic`."""
        key = (nic.index, group)
        self._members[key] = self._members.get(key, 0) + 1

    def leave(self, nic: Nic, group: bytes) -> None:
        """One listener less.  Leaving what was not joined does nothing."""
        key = (nic.index, group)
        count = self._members.get(key, 0)
        if count > 1:
            self._members[key] = count - 1
        else:
            self._members.pop(key, None)

    def listing(self, index: int) -> list[Listed]:
        """Every group on interface `index`, in order."""
        found = [
            Listed(group, users)
            for (where, group), users in self._members.items()
            if where == index
        ]
        return sorted(found, key=lambda one: (len(one.group), one.group))

    def joined(self, index: int, group: bytes) -> bool:
        """Packets to `group` arriving on interface `index` are for us."""
        return group in (addr.ALL_NODES, addr.ALL_HOSTS) or (index, group) in self._members
