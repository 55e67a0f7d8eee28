# SPDX-License-Identifier: MIT
"""Floor 6: what every exchange of a DHCP client has: a transaction, its beginning, its patience.

RFC 2131 4.1: 4 seconds before the first retransmission, doubled up to 64, each with a random
second more or less; a random transaction identifier.  Base of `dhcp4` (leases) and of
`dhcp4_inform`.
"""

from __future__ import annotations

from typing import Final

from stack.base.seam import TimerOwner
from stack.base.timers import Timer
from stack.base.units import MS, SECOND
from stack.ip.host import IpHost
from stack.link.nic import Nic
from stack.services.dhcp4_apply import Applied
from stack.services.dhcp4_compose import Composer, identify
from stack.services.dhcp4_port import Dhcp4Port, Party
from stack.services.duid import duid

FIRST_WAIT: Final = 4 * SECOND
LONGEST_WAIT: Final = 64 * SECOND
PATIENCE: Final = 4
"""Transmissions of a request before it is given up: 60 seconds (RFC 2131 3.1.5)."""

RETRY: Final = 0
"""Kind of the timer that every conversation has."""


class Talker(Party, TimerOwner):
    """One side of a conversation with DHCP servers on one interface."""

    __slots__ = (
        "_applied",
        "_began",
        "_composer",
        "_config",
        "_env",
        "_host",
        "_layer",
        "_nic",
        "_port",
        "_retry",
        "_timers",
        "_tries",
        "_xid",
    )

    def __init__(self, host: IpHost, port: Dhcp4Port, nic: Nic) -> None:
        self._host = host
        self._env = host.env
        self._timers = host.timers
        self._config = host.config
        self._layer = host.layers[4]
        self._port = port
        self._nic = nic
        self.client_id = identify(nic, host.config, duid(host))
        self._composer = Composer(nic, host.config, self.client_id)
        self._applied = Applied(host, nic)
        self._retry = Timer(self, RETRY)
        self._began = 0
        self._tries = 0
        self._xid = 0

    def _begin(self) -> None:
        """A new transaction begins."""
        self._xid = int.from_bytes(self._env.random(4), "big")
        self._began = self._env.now
        self._tries = 0

    def _secs(self) -> int:
        """Whole seconds since then, as the header has room for."""
        return min((self._env.now - self._began) // SECOND, 0xFFFF)

    def _wait(self) -> None:
        """One more was sent: come back if nobody answers."""
        wait = min(FIRST_WAIT << min(self._tries, 4), LONGEST_WAIT)
        self._tries += 1
        wait += self._env.random_below(2001) * MS - SECOND
        self._timers.arm(self._retry, self._env.now + wait)
