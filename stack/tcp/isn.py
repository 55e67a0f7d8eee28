# SPDX-License-Identifier: MIT
"""TCP: initial sequence numbers (RFC 9293 3.4.1, RFC 6528), and two more per-flow secrets.

ISN = clock of 4 us ticks + F(local, remote, ports, secret); F is BLAKE2s keyed with bytes from
`Env.random` at start.  The same digest gives the timestamp offset (RFC 7323 5.4) and the IPv6
flow label (RFC 6437 3), so neither reveals the clock or another flow's value.
"""

from __future__ import annotations

from hashlib import blake2s
from struct import Struct

from stack.base.seam import Env

_DIGEST = Struct("!III")
_TICK = 4_000  # ns


class IsnGenerator:
    """The secrets of one stack."""

    def __init__(self, env: Env) -> None:
        self._env = env
        self._keyed = blake2s(key=env.random(32), digest_size=12)

    def secrets(self, key: bytes) -> tuple[int, int, int]:
        """(ISS, timestamp offset, flow label) for the flow with demultiplexing key `key`."""
        flow = self._keyed.copy()  # a quarter of the time that a new one takes
        flow.update(key)
        base, offset, label = _DIGEST.unpack(flow.digest())
        return (base + self._env.now // _TICK) & 0xFFFFFFFF, offset, label & 0xFFFFF
