# SPDX-License-Identifier: MIT
"""Floor 4: asking for routers (RFC 4861 6.3.7, RFC 7559).

::

    link up --0..1 s--> first --4 s--> second --8 s--> ... --3600 s--> until a router answers

Each pause is twice the one before, give or take a tenth of that.  It ends with an
advertisement by somebody who is a default router; one that came before anything was asked spares
all but one solicitation, for it may not be complete (RFC 4861 6.3.7).

The source is the link-local address.  While that is still tentative the first solicitation waits
for it, four seconds at most: then, or if the address turned out to be a duplicate, it leaves from
the unspecified address, without a link-layer address (RFC 4861 4.1).

Owned by `routers`, one per interface.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stack.base import addr
from stack.base.seam import TimerOwner
from stack.base.timers import Timer
from stack.base.units import SECOND
from stack.link.nic import Nic
from stack.wire import icmp6, ndp

if TYPE_CHECKING:
    from stack.ip.ndp import NdpResolver
    from stack.ip.v6 import V6Layer

MAX_RTR_SOLICITATION_DELAY: Final = SECOND
IRT: Final = 4 * SECOND
MRT: Final = 3600 * SECOND
SPREAD: Final = 10
"""RAND of RFC 7559 is one in so many, either way."""


class Solicitor(TimerOwner):
    """Asks on one interface."""

    __slots__ = ("_answered", "_layer", "_ndp", "_nic", "_pause", "_timer", "_waiting")

    def __init__(self, layer: V6Layer, ndp: NdpResolver, nic: Nic) -> None:
        self._layer = layer
        self._ndp = ndp
        self._nic = nic
        self._timer = Timer(self)
        self._pause = 0  # before the last solicitation; 0 before the first
        self._answered = False
        self._waiting = False  # for a source address

    def start(self) -> None:
        """The link came up."""
        self._pause = 0
        self._answered = self._waiting = False
        self._arm(self._layer.env.random_below(MAX_RTR_SOLICITATION_DELAY))

    def stop(self) -> None:
        """The link went down."""
        self._timer.disarm()
        self._waiting = False

    def heard(self) -> None:
        """A default router advertised itself."""
        self._answered = True
        if self._pause:
            self._timer.disarm()

    def address_changed(self) -> None:
        """The link-local address it may be waiting for is another now."""
        if self._waiting and self._layer.link_local(self._nic):
            self._arm(0)

    def fired(self, timer: Timer) -> None:
        if self._layer.interface(self._nic).disabled:
            return
        source = self._layer.link_local(self._nic)
        if not source and not self._waiting and not self._pause:
            self._waiting = True
            self._arm(IRT)
            return
        self._waiting = False
        self._ask(source or addr.ANY6)
        if self._answered:
            return
        before = self._pause
        pause = 2 * before + self._jitter(before) if before else IRT + self._jitter(IRT)
        self._pause = MRT + self._jitter(MRT) if pause > MRT else pause
        self._arm(self._pause)

    def _ask(self, source: bytes) -> None:
        nic = self._nic
        # A source that may be another's carries no link-layer address (RFC 4429 3.2).
        sure = source != addr.ANY6 and not self._layer.is_optimistic(source)
        lladdr = nic.mac if sure else b""
        body = ndp.build_solicitation(icmp6.ROUTER_SOLICITATION, lladdr)
        self._ndp.send(nic, source, addr.ALL_ROUTERS, b"", body)

    def _jitter(self, pause: int) -> int:
        return self._layer.env.random_below(2 * pause // SPREAD) - pause // SPREAD

    def _arm(self, delay: int) -> None:
        self._layer.host.timers.arm(self._timer, self._layer.env.now + delay)
