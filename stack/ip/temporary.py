# SPDX-License-Identifier: MIT
"""Floor 4: temporary addresses of one prefix on one interface (RFC 8981).

A random identifier, kept for a day and replaced shortly before it is deprecated, so that nobody
can tell for long that two connections are one host's.  Done: 3.3.1 (random identifiers), 3.4
(making them), 3.5-3.6 (renewal), 3.7 (a switch, and exceptions to it by prefix), 3.8.

Owned by `slaac`, which holds the timer.  Bounded: eight for one prefix, of which one is preferred.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from stack.base import addr
from stack.base.timers import NEVER
from stack.base.units import MS, SECOND
from stack.ip import interface_ids
from stack.ip.addrconf import DUPLICATED, PREFERRED, TEMPORARY, LocalAddress
from stack.link.nic import Nic

if TYPE_CHECKING:
    from stack.ip.v6 import V6Layer

TEMP_IDGEN_RETRIES: Final = 3  # RFC 8981 3.8
_MOST: Final = 8
_LENGTH: Final = 64


class Temporaries:
    """The temporary addresses of one prefix."""

    __slots__ = (
        "_caps",
        "_failures",
        "_layer",
        "_nic",
        "_preferred_until",
        "_prefix",
        "_valid_until",
        "_wanted",
    )

    def __init__(self, layer: V6Layer, nic: Nic, prefix: bytes) -> None:
        self._layer = layer
        self._nic = nic
        self._prefix = prefix
        self._preferred_until = self._valid_until = 0  # of the prefix
        self._caps: dict[LocalAddress, tuple[int, int]] = {}  # longest lifetimes, as deadlines
        self._failures = 0  # identifiers in succession that were taken
        config = layer.config
        self._wanted = config.temporary_addresses
        for text in config.temporary_exceptions:
            base, _, length = text.partition("/")
            if addr.common_prefix(addr.parse(base), prefix) >= int(length):
                self._wanted = not config.temporary_addresses

    @property
    def entries(self) -> tuple[LocalAddress, ...]:
        """Those there are, oldest first."""
        return tuple(self._caps)

    def reset(self) -> None:
        """Another link, perhaps: what was taken need not be."""
        self._failures = 0

    def hear(
        self,
        preferred_until: int,
        valid_until: int,
        preferred: int,
        valid: int,
        renewed: Callable[[int, int], int],
    ) -> None:
        """The prefix was advertised (RFC 8981 3.4 step 1): its deadlines now, what was said, and
        the rule that makes one of the other."""
        now = self._layer.env.now
        self._preferred_until, self._valid_until = preferred_until, valid_until
        for entry, (preferred_cap, valid_cap) in list(self._caps.items()):
            left = renewed(entry.valid_until - now, valid)
            lasting = max(min(preferred, preferred_cap - now), 0)
            self._layer.addresses.renew(entry, lasting, min(left, valid_cap - now))
        self.tend()

    def changed(self, entry: LocalAddress) -> None:
        """One of `entries` is in another state."""
        if entry.removed:
            del self._caps[entry]
        elif entry.state == PREFERRED:
            self._failures = 0

    def tend(self) -> None:
        """Put another in the place of one that is taken, or will soon be deprecated."""
        addresses = self._layer.addresses
        for entry in self.entries:
            if entry.state == DUPLICATED:
                self._failures += 1
                if self._failures >= TEMP_IDGEN_RETRIES:
                    addresses.note(entry, "duplicated, and no other will be tried")
                self._layer.remove_address(entry.address)
        soon = self._layer.env.now + self._advance()
        if not any(entry.preferred_until > soon for entry in self._caps):
            self._make()

    def due(self) -> int:
        """When `tend` has something to do, ns."""
        if not self._caps or not self._wanted:
            return NEVER
        if any(entry.state == DUPLICATED for entry in self._caps):
            return self._layer.env.now
        at = max(entry.preferred_until for entry in self._caps) - self._advance()
        return at if at > self._layer.env.now else NEVER

    def _advance(self) -> int:
        """REGEN_ADVANCE: as long as it takes to find out that all attempts are in vain."""
        attempt = self._layer.config.dad_transmits * self._layer.interface(self._nic).retrans_timer
        return 2 * SECOND + TEMP_IDGEN_RETRIES * attempt

    def _make(self) -> None:
        """RFC 8981 3.4 steps 3-6."""
        config, env = self._layer.config, self._layer.env
        now = env.now
        if not self._wanted or self._failures >= TEMP_IDGEN_RETRIES or len(self._caps) >= _MOST:
            return
        advance = self._advance()
        most = min(
            config.temporary_preferred * 2 // 5, config.temporary_preferred - advance - MS
        )  # MAX_DESYNC_FACTOR, and DESYNC_FACTOR's bound
        if most < 0:
            return
        desync = env.random_below(most // MS + 1) * MS
        preferred_cap = now + config.temporary_preferred - desync
        valid_cap = now + config.temporary_valid
        preferred = min(self._preferred_until, preferred_cap) - now
        if preferred <= advance:
            return
        address = self._prefix[:8] + interface_ids.temporary(env)
        while address in self._layer.addresses.all:
            address = self._prefix[:8] + interface_ids.temporary(env)
        entry = self._layer.add_address(
            self._nic,
            address,
            _LENGTH,
            preferred=preferred,
            valid=min(self._valid_until, valid_cap) - now,
            origin=TEMPORARY,
            on_link=False,
        )
        self._caps[entry] = (preferred_cap, valid_cap)
