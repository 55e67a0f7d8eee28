# SPDX-License-Identifier: MIT
"""Floor 3: one neighbour, and the states of RFC 4861 7.3 with those of RFC 7048, for both families.

::

    INCOMPLETE --answer--> REACHABLE --30 s--> STALE --use--> DELAY --5 s--> PROBE --3 tries--.
         |                     ^                                |             |               |
         | 3 tries             '------------ confirmed ---------'-------------'               v
         v                     ^                                                        UNREACHABLE
      FAILED --1 s--> GONE     '-- confirmed, asked for ever more rarely while used ------'   |
                       ^                                                              unused  |
                       '----------------------------------------------------------------------'

FAILED remembers for a moment that nobody answered, so that what is sent meanwhile fails at once
instead of asking anew (RFC 1122 2.3.2.1).  UNREACHABLE still sends to where the neighbour was: who
has another way was told and takes it, who has none loses nothing by being patient.

Called by `nic` for every packet, by transports (through `ip/path`) with word of forward progress.
The machine itself is `neighbor_cache`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from stack.base import fate
from stack.base.head import Head, Parked
from stack.base.seam import TimerOwner
from stack.base.timers import Timer
from stack.base.units import SECOND, View

if TYPE_CHECKING:
    from stack.link.neighbor_cache import NeighborCache

INCOMPLETE: Final = 0
REACHABLE: Final = 1
STALE: Final = 2
DELAY: Final = 3
PROBE: Final = 4
GONE: Final = 5
UNREACHABLE: Final = 6
FAILED: Final = 7

STATE_NAMES: Final = (
    "INCOMPLETE",
    "REACHABLE",
    "STALE",
    "DELAY",
    "PROBE",
    "GONE",
    "UNREACHABLE",
    "FAILED",
)

# RFC 4861 10
MAX_SOLICIT: Final = 3
RETRANS_TIMER: Final = SECOND
REACHABLE_TIME: Final = 30 * SECOND
DELAY_FIRST_PROBE: Final = 5 * SECOND

# RFC 7048 4
BACKOFF_MULTIPLE: Final = 3
MAX_RETRANS_TIMER: Final = 60 * SECOND


class Neighbor(TimerOwner):
    """A next hop.  `header` is the finished Ethernet header for packets to it.

    gateway     a route leads through it: nothing drives it out
    is_router   it says that it is one (RFC 4861 7.2.5)
    confirmed   it has answered us from where it is now
    permanent   configured: nothing heard changes it
    used        UNREACHABLE: a packet was sent to it since it was asked for last
    """

    __slots__ = (
        "address",
        "cache",
        "confirmed",
        "gateway",
        "header",
        "is_router",
        "lladdr",
        "permanent",
        "queue",
        "state",
        "timer",
        "tries",
        "until",
        "used",
    )

    def __init__(self, cache: NeighborCache, address: bytes) -> None:
        self.cache = cache
        self.address = address
        self.state = GONE
        self.lladdr = b""
        self.header = b""
        self.is_router = self.gateway = False
        self.confirmed = self.permanent = False
        self.used = False
        self.queue: list[Parked] = []
        self.timer = Timer(self)
        self.tries = 0
        self.until = 0  # FAILED: ns

    def ready(self, head: Head, views: Sequence[View]) -> bool:
        """May this packet go out now?  If not it has been queued, or gone another way.

        Called by `Nic.send` for every state but REACHABLE.
        """
        state = self.state
        if state == STALE:
            self.cache.delay(self)
            return True
        if state in (DELAY, PROBE):
            return True
        if state == UNREACHABLE:
            self.used = True
            return True
        cache = self.cache
        if state == GONE:
            living = cache.entries.get(self.address, self)
            if living is not self:
                # Evicted, and asked for anew since: whoever still holds this goes through that.
                total = head.end - head.start + sum(map(len, views))
                cache.nic.send(living, head, views, total)
                return False
        if len(self.queue) >= cache.queue_limit:
            lost = self.queue.pop(0)
            cache.door.drop_frame(lost.headers, fate.NEIGHBOR_QUEUE_FULL)
        self.queue.append(Parked(head, views))
        if state == GONE:
            cache.begin(self)
        elif state == FAILED:
            cache.refuse(self)
        return False

    def confirm(self) -> None:
        """A protocol above saw forward progress through this neighbour (RFC 4861 7.3.1)."""
        if self.state in (STALE, DELAY, PROBE, UNREACHABLE):
            self.cache.reached(self)
        elif self.state == GONE:
            living = self.cache.entries.get(self.address, self)
            if living is not self:
                living.confirm()

    def doubt(self) -> None:
        """A protocol above gets no answers through this neighbour (RFC 1122 4.2.3.5, R1).

        The next packet starts the delay after which the neighbour is probed.
        """
        if self.state == REACHABLE and self.timer.armed:
            self.cache.suspect(self)

    def fired(self, timer: Timer) -> None:
        self.cache.expired(self)
