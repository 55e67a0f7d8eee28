# SPDX-License-Identifier: MIT
"""Floor 5: who has which local port, and who may share it.

The sharing matrix is Winsock's (SO_REUSEADDR, SO_EXCLUSIVEADDRUSE): rows are how the second
endpoint binds, columns how the first one is bound, each on the wildcard (W) or on a specific
address (S).  Two different specific addresses never conflict.  CHECK would ask the first
endpoint's security descriptor; the default descriptor refuses, and there is no other yet.

Ephemeral ports by RFC 6056 algorithm 1 (random start) in the range of RFC 6335.

One table per transport; called by its endpoints.
"""

from __future__ import annotations

from typing import Final

from stack.base.config import Config
from stack.base.seam import Env
from stack.base.status import ACCESS, IN_USE, INVALID, NO_PORTS, OK
from stack.transport.options import Claim

_OK, _INUSE, _DENIED, _CHECK = range(4)

# second \ first:  default W, default S, reuse W, reuse S, exclusive W, exclusive S
_MATRIX: Final = (
    (_INUSE, _OK, _INUSE, _OK, _INUSE, _OK),  # default W
    (_CHECK, _INUSE, _CHECK, _DENIED, _DENIED, _INUSE),  # default S
    (_DENIED, _OK, _OK, _OK, _DENIED, _OK),  # reuse W
    (_CHECK, _DENIED, _OK, _OK, _DENIED, _DENIED),  # reuse S
    (_INUSE, _INUSE, _INUSE, _INUSE, _INUSE, _INUSE),  # exclusive W
    (_CHECK, _INUSE, _CHECK, _INUSE, _DENIED, _INUSE),  # exclusive S
)
_ANSWER: Final = {_OK: OK, _INUSE: IN_USE, _DENIED: ACCESS, _CHECK: ACCESS}

_RANDOM_TRIES: Final = 32


class Binding:
    """One endpoint's hold on a port."""

    __slots__ = ("address", "claim", "families", "port", "sharing")

    def __init__(
        self, families: int, address: bytes, port: int, sharing: int, claim: Claim | None = None
    ) -> None:
        self.families = families
        self.address = address  # empty: the wildcard
        self.port = port
        self.sharing = sharing
        self.claim = claim

    @property
    def kind(self) -> int:
        """Row or column of the matrix."""
        return self.sharing * 2 + bool(self.address)


class PortTable:
    """All bindings of one transport."""

    def __init__(self, env: Env, low: int, high: int) -> None:
        self._env = env
        self._low = low
        self._high = high
        self._ports: dict[int, list[Binding]] = {}
        self._blocks: dict[int, range] = {}  # reserved ports by token
        self._reserved: dict[int, int] = {}  # token of each

    @classmethod
    def of(cls, env: Env, config: Config) -> PortTable:
        """The table that `config` describes: of several stacks that are one host each has its own
        part of the ephemeral ports."""
        own = config.own_ports(config.shard)
        return cls(env, own.start, own.stop - 1)

    def bind(
        self,
        families: int,
        address: bytes,
        port: int,
        sharing: int,
        claim: Claim | None = None,
    ) -> tuple[int, Binding | None]:
        """Take `port`, or an ephemeral one if it is 0.  (OK, binding) or (status, None).

        0 with a reservation takes the first port of the block that nobody holds.
        """
        token = 0 if claim is None else claim.reservation
        if port == 0:
            port = self._of_block(token) if token else self._ephemeral()
            if port == 0:
                return NO_PORTS, None
        elif self._reserved.get(port, token) != token:
            return IN_USE, None
        binding = Binding(families, address, port, sharing, claim)
        for other in self._ports.get(port, ()):
            status = _conflict(binding, other)
            if status != OK:
                return status, None
        self._ports.setdefault(port, []).append(binding)
        return OK, binding

    def release(self, binding: Binding) -> None:
        """Give a port back."""
        holders = self._ports[binding.port]
        holders.remove(binding)
        if not holders:
            del self._ports[binding.port]

    def in_use(self) -> int:
        """How many ports somebody holds."""
        return len(self._ports)

    def reserve(self, start: int, count: int) -> tuple[int, int, int]:
        """Keep `count` ports from `start` on, or from anywhere if it is 0: (OK, start, token)."""
        if not 0 < count <= 0x10000 or not 0 <= start <= 0x10000 - count:
            return INVALID, 0, 0
        if start:
            if not self._free(start, count):
                return IN_USE, 0, 0
        else:
            # From the top: ephemeral ports are taken at random, most clashes are avoided so.
            tops = range(self._high - count + 1, self._low - 1, -1)
            start = next((at for at in tops if self._free(at, count)), 0)
            if not start:
                return NO_PORTS, 0, 0
        token = int.from_bytes(self._env.random(8), "little") | 1
        self._blocks[token] = range(start, start + count)
        for port in self._blocks[token]:
            self._reserved[port] = token
        return OK, start, token

    def release_block(self, token: int) -> bool:
        """Give reserved ports back.  False if there is no such reservation."""
        block = self._blocks.pop(token, None)
        for port in block or ():
            del self._reserved[port]
        return block is not None

    def has_block(self, token: int) -> bool:
        """`token` names a reservation."""
        return token in self._blocks

    def _free(self, start: int, count: int) -> bool:
        return not any(p in self._ports or p in self._reserved for p in range(start, start + count))

    def _of_block(self, token: int) -> int:
        return next((p for p in self._blocks.get(token, ()) if p not in self._ports), 0)

    def _ephemeral(self) -> int:
        """A random port nobody holds, or 0."""
        count = self._high - self._low + 1
        for _ in range(_RANDOM_TRIES):
            port = self._low + self._env.random_below(count)
            if port not in self._ports and port not in self._reserved:
                return port
        start = self._env.random_below(count)
        for step in range(count):
            port = self._low + (start + step) % count
            if port not in self._ports and port not in self._reserved:
                return port
        return 0


def _conflict(second: Binding, first: Binding) -> int:
    if not second.families & first.families:
        return OK
    if second.address and first.address and second.address != first.address:
        return OK
    answer = _MATRIX[second.kind][first.kind]
    if answer == _CHECK and first.claim is not None and second.claim is not None:
        return OK if first.claim.admits(second.claim) else ACCESS
    return _ANSWER[answer]
