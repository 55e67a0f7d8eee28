# SPDX-License-Identifier: MIT
"""Floor 6: which groups one endpoint has joined, and which sources it hears them from.

RFC 3376 3.1's socket state: INCLUDE a list of sources, or EXCLUDE one, per interface and group.
The filter works on what arrives at the endpoint; `ip/groups` merges it with those of other
endpoints into what the host asks the routers for.

Called by `endpoint` and by `protocol` for delivery.
"""

from __future__ import annotations

from typing import Final

from stack.base import addr, status
from stack.ip.groups import Groups
from stack.link.nic import Nic
from stack.transport.options import BLOCK, JOIN, JOIN_SOURCE, LEAVE, LEAVE_SOURCE, UNBLOCK

_MOST_SOURCES: Final = 256
_ALWAYS: Final = (addr.ALL_HOSTS, addr.ALL_NODES)


class Membership:
    """One group on one interface."""

    __slots__ = ("include", "nic", "sources")

    def __init__(self, nic: Nic, include: bool) -> None:
        self.nic = nic
        self.include = include  # `sources` are the only ones heard; else those not heard
        self.sources: frozenset[bytes] = frozenset()


class Memberships:
    """The groups of one endpoint."""

    __slots__ = ("_groups", "_joined")

    def __init__(self, groups: Groups) -> None:
        self._groups = groups
        self._joined: dict[tuple[int, bytes], Membership] = {}

    def change(self, action: int, nic: Nic, group: bytes, source: bytes) -> int:
        """JOIN, LEAVE, ... of the seam; a status."""
        key = (nic.index, group)
        found = self._joined.get(key)
        if action == JOIN:
            return status.IN_USE if found else self._join(key, nic, group, False, b"")
        if action == JOIN_SOURCE and found is None:
            return self._join(key, nic, group, True, source)
        if found is None:
            return status.NOT_LOCAL
        if action == LEAVE:
            return self._leave(key, found)
        if found.include != (action in (JOIN_SOURCE, LEAVE_SOURCE)):
            return status.INVALID
        if action in (JOIN_SOURCE, BLOCK):
            return self._add(group, found, source)
        assert action in (LEAVE_SOURCE, UNBLOCK)
        if source not in found.sources:
            return status.NOT_LOCAL
        if found.include and len(found.sources) == 1:
            return self._leave(key, found)
        found.sources -= {source}
        return self._tell(group, found)

    def hears(self, index: int, group: bytes, source: bytes) -> bool:
        """A datagram from `source` to `group`, seen on interface `index`, is for the endpoint."""
        found = self._joined.get((index, group))
        if found is None:
            return group in _ALWAYS
        return (source in found.sources) == found.include

    def leave_all(self) -> None:
        """The endpoint is closed."""
        for key, found in list(self._joined.items()):
            self._leave(key, found)

    def _join(
        self, key: tuple[int, bytes], nic: Nic, group: bytes, include: bool, source: bytes
    ) -> int:
        made = Membership(nic, include)
        if include:
            made.sources = frozenset((source,))
        result = self._tell(group, made)
        if result == status.OK:
            self._joined[key] = made
        return result

    def _leave(self, key: tuple[int, bytes], found: Membership) -> int:
        del self._joined[key]
        return self._groups.listen(self, found.nic, key[1], True, frozenset())

    def _add(self, group: bytes, found: Membership, source: bytes) -> int:
        if source in found.sources:
            return status.IN_USE
        if len(found.sources) >= _MOST_SOURCES:
            return status.NO_MEMORY
        found.sources |= {source}
        return self._tell(group, found)

    def _tell(self, group: bytes, found: Membership) -> int:
        """What the host is to listen to for this endpoint."""
        return self._groups.listen(self, found.nic, group, found.include, found.sources)
