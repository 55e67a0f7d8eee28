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

from stack.base.seam import Env
from stack.base.status import ACCESS, IN_USE, NO_PORTS, OK

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

    __slots__ = ("address", "families", "port", "sharing")

    def __init__(self, families: int, address: bytes, port: int, sharing: int) -> None:
        self.families = families
        self.address = address  # empty: the wildcard
        self.port = port
        self.sharing = sharing

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

    def bind(
        self, families: int, address: bytes, port: int, sharing: int
    ) -> tuple[int, Binding | None]:
        """Take `port`, or an ephemeral one if it is 0.  (OK, binding) or (status, None)."""
        if port == 0:
            port = self._ephemeral()
            if port == 0:
                return NO_PORTS, None
        binding = Binding(families, address, port, sharing)
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

    def _ephemeral(self) -> int:
        """A random port nobody holds, or 0."""
        count = self._high - self._low + 1
        for _ in range(_RANDOM_TRIES):
            port = self._low + self._env.random_below(count)
            if port not in self._ports:
                return port
        start = self._env.random_below(count)
        for step in range(count):
            port = self._low + (start + step) % count
            if port not in self._ports:
                return port
        return 0


def _conflict(second: Binding, first: Binding) -> int:
    if not second.families & first.families:
        return OK
    if second.address and first.address and second.address != first.address:
        return OK
    return _ANSWER[_MATRIX[second.kind][first.kind]]
