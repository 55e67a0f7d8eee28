# SPDX-License-Identifier: MIT
"""Floor 6: what name servers said, for as long as they said (RFC 1035 7.4, 2308, 9520).

Kept are outcomes of whole questions, aliases followed: values, "there is none", "nobody answers".
That a name does not exist is kept for all types at once (RFC 2308 5).  Bounded: the oldest gives
way.  Used by `question`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from stack.base.status import NO_NAME, OK

_ALL_TYPES: Final = 0


class Outcome:
    """How a question ended.

    status      OK, NO_NAME, or why there was no answer
    canonical   the name at the end of the aliases
    values      addresses, or names
    absent      the name asked for, or what it is an alias of, does not exist at all
    lifetime    ns it may be kept
    scopes      interfaces of those values that are link-local addresses
    """

    __slots__ = ("absent", "canonical", "lifetime", "scopes", "status", "values")

    def __init__(
        self,
        status: int,
        canonical: str,
        values: Sequence[bytes | str] = (),
        lifetime: int = 0,
        absent: bool = False,
        scopes: Mapping[bytes, int] | None = None,
    ) -> None:
        self.status = status
        self.canonical = canonical
        self.values = values
        self.lifetime = lifetime
        self.absent = absent
        self.scopes = scopes or {}


class Cache:
    """Outcomes by name and type.  Times are ns."""

    __slots__ = ("_entries", "_failure", "_limit", "_negative", "_positive")

    def __init__(self, limit: int, positive: int, negative: int, failure: int) -> None:
        self._limit = limit
        self._positive = positive
        self._negative = negative
        self._failure = failure
        self._entries: dict[tuple[str, int], tuple[int, Outcome]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, name: str, kind: int, outcome: Outcome, now: int) -> None:
        """Keep `outcome` for its time, at most for the time its sort has."""
        if outcome.status == OK:
            lifetime = min(outcome.lifetime, self._positive)
        elif outcome.status == NO_NAME:
            lifetime = min(outcome.lifetime, self._negative)
        else:
            lifetime = self._failure
        if lifetime <= 0:
            return
        key = (name, _ALL_TYPES if outcome.absent else kind)
        entries = self._entries
        entries.pop(key, None)
        while len(entries) >= self._limit:
            del entries[next(iter(entries))]
        entries[key] = (now + lifetime, outcome)

    def get(self, name: str, kind: int, now: int) -> Outcome | None:
        """What is known, with the time it has left."""
        for key in ((name, kind), (name, _ALL_TYPES)):
            entry = self._entries.get(key)
            if entry is None:
                continue
            until, kept = entry
            if until > now:
                left = until - now
                return Outcome(
                    kept.status, kept.canonical, kept.values, left, kept.absent, kept.scopes
                )
            del self._entries[key]
        return None

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
