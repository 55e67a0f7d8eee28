# SPDX-License-Identifier: MIT
"""Floor 4: telling the link that our link-layer address is another one.

RFC 4861 7.2.6: three unsolicited advertisements of each address, a RetransTimer apart; gratuitous
ARP likewise (RFC 5227 3).  Addresses that are given up meanwhile are left out.
Called by `host`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stack.base.seam import TimerOwner
from stack.base.timers import Timer
from stack.link.nic import Nic

if TYPE_CHECKING:
    from stack.ip.host import IpHost

MAX_NEIGHBOR_ADVERTISEMENT: Final = 3  # RFC 4861 10


class Announcer(TimerOwner):
    """Announces whole interfaces."""

    def __init__(self, host: IpHost) -> None:
        self._host = host
        self._left: dict[int, tuple[Nic, int]] = {}
        self._timer = Timer(self)

    def announce(self, nic: Nic) -> None:
        """All addresses of `nic`, from the next turn on."""
        self._left[nic.index] = (nic, MAX_NEIGHBOR_ADVERTISEMENT)
        self._host.timers.arm(self._timer, self._host.env.now)

    def fired(self, timer: Timer) -> None:
        pause = 0
        for nic, left in list(self._left.values()):
            del self._left[nic.index]
            if not nic.up:
                continue
            for layer in self._host.layers.values():
                for entry in list(layer.local.values()):
                    if entry.nic is nic:
                        nic.neighbors.announce(entry.address)
                pause = max(pause, layer.interface(nic).retrans_timer)
            if left > 1:
                self._left[nic.index] = (nic, left - 1)
        if self._left:
            self._host.timers.arm(timer, self._host.env.now + pause)
