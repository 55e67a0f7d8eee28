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


class Identities:
    """Counters by source and destination."""

    def __init__(self, env: Env, limit: int = LIMIT, shard: int = 0, shards: int = 1) -> None:
        self._env = env
        self._limit = limit
        self._shard = shard
        self._shards = shards
        self._range = 0x10000 // shards
        self._counters: dict[bytes, list[int]] = {}
        self._key = b""

    def counter(self, src: bytes, dst: bytes) -> list[int]:
        """A list of one number, the last that was used: whoever uses one adds to it."""
        key = src + dst
        found = self._counters.get(key)
        if found is None:
            if len(self._counters) >= self._limit:
                del self._counters[next(iter(self._counters))]
            found = self._counters[key] = [self._env.random_below(1 << 32)]
        return found

    def take(self, src: bytes, dst: bytes) -> int:
        """The next identification for IPv4, 16 bits."""
        counter = self.counter(src, dst)
        counter[0] = (counter[0] + 1) % self._range
        return counter[0] * self._shards + self._shard

    def take_hidden(self, src: bytes, dst: bytes) -> int:
        """The next identification for IPv6, 32 bits: four rounds of Luby and Rackoff's."""
        counter = self.counter(src, dst)
        counter[0] = (counter[0] + 1) & 0xFFFFFFFF
        left, right = counter[0] >> 16, counter[0] & 0xFFFF
        pair = src + dst
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
