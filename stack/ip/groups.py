# SPDX-License-Identifier: MIT
"""Floor 4: which multicast groups this host listens to, per interface, and from which sources.

The *interface state* of RFC 3376 3.2 and RFC 3810 4.2: for every group a filter mode and a source
list, merged from what all users asked for.

    somebody excludes     EXCLUDE (what all excluders exclude, less what anybody includes)
    nobody does           INCLUDE (what anybody includes)

A user that wants nothing is none: INCLUDE {} is "not a member", in users and in the result.

`listen` is for endpoints: one filter per holder and group, RFC 3376 2's IPMulticastListen.  `join`
and `leave` count users of everything, and are for the host itself (solicited-node groups).  Whoever
tells the routers hears of every change of a merged filter (`Watcher`).  Filtering by source is the
endpoints' business; `joined`, which every received group packet asks, is one look into one table.
"""

from __future__ import annotations

from typing import Final

from stack.base import addr
from stack.base.status import NO_MEMORY, OK
from stack.base.timers import NEVER
from stack.link.nic import Nic

_ALWAYS: Final = (addr.ALL_NODES, addr.ALL_HOSTS)


class Filter:
    """INCLUDE or EXCLUDE a list of sources.  Immutable."""

    __slots__ = ("include", "sources")

    def __init__(self, include: bool, sources: frozenset[bytes] = frozenset()) -> None:
        self.include = include
        self.sources = sources

    @property
    def wanted(self) -> bool:
        """Anything at all comes through."""
        return not self.include or bool(self.sources)

    def passes(self, source: bytes) -> bool:
        """What `source` sends comes through."""
        return (source in self.sources) == self.include

    def same(self, other: Filter) -> bool:
        """Both let through the same."""
        return self.include == other.include and self.sources == other.sources


NOTHING: Final = Filter(True)
EVERYTHING: Final = Filter(False)


class Watcher:
    """Who is told of changes: the protocol that tells the routers."""

    def changed(self, nic: Nic, group: bytes, before: Filter, after: Filter) -> None:
        """What the host wants of `group` on `nic` is different now.

        Called on the stack's thread from inside of joins and leaves: it may arm timers, and sends
        nothing.
        """
        raise NotImplementedError

    def pending(self, nic: Nic, group: bytes) -> tuple[int, int]:
        """When (ns) the next report of a change and the next answer are due; NEVER if none is."""
        raise NotImplementedError


class Listed:
    """One group in a listing.  `change_at` and `answer_at` are ns, NEVER if nothing is due."""

    __slots__ = ("answer_at", "change_at", "group", "include", "sources", "users")

    def __init__(self, group: bytes, users: int, wanted: Filter, due: tuple[int, int]) -> None:
        self.group = group
        self.users = users
        self.include = wanted.include
        self.sources = tuple(sorted(wanted.sources))
        self.change_at, self.answer_at = due


class Reception:
    """The state of one group on one interface, kept so that a user costs only his own sources."""

    __slots__ = ("_blocked", "_excluding", "_included", "anonymous", "filter", "nic", "users")

    def __init__(self, nic: Nic) -> None:
        self.nic = nic
        self.filter = NOTHING
        self.users: dict[object, Filter] = {}
        self.anonymous = 0  # users of everything, who are only counted
        self._excluding = 0  # among `users`
        self._blocked: dict[bytes, int] = {}  # how many of those do not want the source
        self._included: dict[bytes, int] = {}  # how many others want it

    def set(self, holder: object, wanted: Filter) -> None:
        """What `holder` wants from now on."""
        before = self.users.pop(holder, NOTHING)
        self._count(before, -1)
        if wanted.wanted:
            self.users[holder] = wanted
            self._count(wanted, 1)

    def _count(self, user: Filter, step: int) -> None:
        table = self._included if user.include else self._blocked
        if not user.include:
            self._excluding += step
        for source in user.sources:
            count = table.get(source, 0) + step
            if count:
                table[source] = count
            else:
                del table[source]

    def merged(self, most: int) -> Filter:
        """RFC 3376 3.2.  More than `most` sources are not kept apart: then everything is wanted."""
        if self.anonymous:
            return EVERYTHING
        if self._excluding:
            everyone, included = self._excluding, self._included
            blocked = (s for s, n in self._blocked.items() if n == everyone and s not in included)
            result = Filter(False, frozenset(blocked))
        else:
            result = Filter(True, frozenset(self._included))
        return EVERYTHING if len(result.sources) > most else result


class Groups:
    """Memberships of both families: a group's family is its length.

    group_limit     groups that endpoints may have on one interface, per family
    source_limit    sources of one group that are kept apart
    """

    def __init__(self, group_limit: int = 1024, source_limit: int = 256) -> None:
        self.watchers: dict[int, Watcher] = {}
        """By length of address."""
        self._group_limit = group_limit
        self._source_limit = source_limit
        self._table: dict[tuple[int, bytes], Reception] = {}
        self._sizes: dict[tuple[int, int], int] = {}  # endpoints' groups per interface and length

    def joined(self, index: int, group: bytes) -> bool:
        """Packets to `group` arriving on interface `index` are for us, from some source."""
        return (index, group) in self._table or group in _ALWAYS

    def listen(
        self, holder: object, nic: Nic, group: bytes, include: bool, sources: frozenset[bytes]
    ) -> int:
        """What `holder` wants of `group` on `nic` from now on, in place of what he wanted before.

        INCLUDE with no sources: nothing any more.  OK, or NO_MEMORY when the interface has its
        fill of groups; then nothing has changed.
        """
        wanted = Filter(include, sources)
        reception = self._table.get((nic.index, group))
        if reception is None and not wanted.wanted:
            return OK
        key = (nic.index, len(group))
        size = self._sizes.get(key, 0)
        if (reception is None or not reception.users) and wanted.wanted:
            if size >= self._group_limit:
                return NO_MEMORY
            size += 1
        if reception is None:
            reception = self._table[(nic.index, group)] = Reception(nic)
        before = len(reception.users)
        reception.set(holder, wanted)
        self._sizes[key] = size - (before > 0 and not reception.users)
        self._merge(reception, group)
        return OK

    def join(self, nic: Nic, group: bytes) -> None:
        """One more user of everything that is sent to `group` on `nic`: the host itself."""
        reception = self._table.get((nic.index, group))
        if reception is None:
            reception = self._table[(nic.index, group)] = Reception(nic)
        reception.anonymous += 1
        self._merge(reception, group)

    def leave(self, nic: Nic, group: bytes) -> None:
        """One of those less.  Leaving what was not joined does nothing."""
        reception = self._table.get((nic.index, group))
        if reception is not None and reception.anonymous:
            reception.anonymous -= 1
            self._merge(reception, group)

    def filter(self, index: int, group: bytes) -> Filter:
        """The merged filter: NOTHING if nobody joined."""
        reception = self._table.get((index, group))
        return NOTHING if reception is None else reception.filter

    def listing(self, index: int) -> list[Listed]:
        """Every group on interface `index`, of both families, in order."""
        found = []
        for (where, group), reception in sorted(self._table.items(), key=lambda item: item[0]):
            if where == index:
                watcher = self.watchers.get(len(group))
                due = watcher.pending(reception.nic, group) if watcher else (NEVER, NEVER)
                users = len(reception.users) + reception.anonymous
                found.append(Listed(group, users, reception.filter, due))
        return found

    def _merge(self, reception: Reception, group: bytes) -> None:
        """Find the filter anew, and tell of it if it is another."""
        before, nic = reception.filter, reception.nic
        after = reception.filter = reception.merged(self._source_limit)
        if not after.wanted:
            del self._table[(nic.index, group)]
        watcher = self.watchers.get(len(group))
        if watcher is not None and not before.same(after):
            watcher.changed(nic, group, before, after)
