# SPDX-License-Identifier: MIT
"""Floor 4: identifications of fragmented datagrams, both families (RFC 6864, RFC 7739 5.1), and
flow labels for what belongs to no endpoint (RFC 6437 3).

One counter for each pair of source and destination, which begins anywhere: nobody learns from
packets to one destination how many go to another, and none repeats before all have been used,
whatever becomes of the path in between.  IPv4 sends the counter itself, IPv6 what a keyed
permutation makes of it: the next one cannot be told from those before it either.
Called by paths.

Several stacks that are one host (`Config.shards`) divide the numbers of IPv4 among them.

Not done: holding a sender of small IPv4 datagrams back to 65,536 in the two minutes that one may
live (RFC 6864 4.3 leaves that to him: he sets DF).
"""

from __future__ import annotations

from hashlib import blake2s
from typing import Final

from stack.base.seam import Env

LIMIT: Final = 4096
"""Pairs remembered; the one that was made first gives way."""


class Counter:
    """The identifications of one pair over IPv4, from `first` to `last` and over again."""

    __slots__ = ("first", "last", "used")

    def __init__(self, first: int, last: int, used: int) -> None:
        self.first = first
        self.last = last
        self.used = used

    def take(self, count: int = 1) -> int:
        """The first of `count` in a row, which are used up by that."""
        ident = self.used + 1
        if ident + count - 1 > self.last:
            ident = self.first
        self.used = ident + count - 1
        return ident


class Identities:
    """Counters by source and destination."""

    def __init__(self, env: Env, limit: int = LIMIT, shard: int = 0, shards: int = 1) -> None:
        self._env = env
        self._limit = limit
        self._span = 0x10000 // shards
        self._first = shard * self._span
        self._counters: dict[bytes, Counter] = {}
        self._hidden: dict[bytes, int] = {}
        self._key = b""

    def counter(self, src: bytes, dst: bytes) -> Counter:
        """The counter of a pair, for IPv4."""
        key = src + dst
        found = self._counters.get(key)
        if found is None:
            if len(self._counters) >= self._limit:
                del self._counters[next(iter(self._counters))]
            used = self._first + self._env.random_below(self._span)
            found = Counter(self._first, self._first + self._span - 1, used)
            self._counters[key] = found
        return found

    def take(self, src: bytes, dst: bytes) -> int:
        """The next identification for IPv4, 16 bits."""
        return self.counter(src, dst).take()

    def take_hidden(self, src: bytes, dst: bytes) -> int:
        """The next identification for IPv6, 32 bits: four rounds of Luby and Rackoff's."""
        pair = src + dst
        used = self._hidden.get(pair)
        if used is None:
            if len(self._hidden) >= self._limit:
                del self._hidden[next(iter(self._hidden))]
            used = self._env.random_below(1 << 32)
        self._hidden[pair] = used = (used + 1) & 0xFFFFFFFF
        left, right = used >> 16, used & 0xFFFF
        for number in range(4):
            mixed = self._digest(pair + bytes((number, right >> 8, right & 0xFF)), 2)
            left, right = right, left ^ mixed
        return left << 16 | right

    def label(self, src: bytes, dst: bytes) -> int:
        """The flow label between two hosts: always the same, like any other to everybody else."""
        return self._digest(src + dst, 4) >> 12

    def _digest(self, data: bytes, size: int) -> int:
        if not self._key:
            self._key = self._env.random(16)
        return int.from_bytes(blake2s(data, digest_size=size, key=self._key).digest(), "big")
