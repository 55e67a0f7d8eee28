# SPDX-License-Identifier: MIT
"""Floor 6: an IPv4 link-local address for one interface (RFC 3927).

Done: 2.1 candidates from 169.254.1.0 to 169.254.254.255 in an order that the hardware address
decides, the last good one first; 2.2.1 probing, through the IP layer's RFC 5227 machine and
whatever `Config.dad` says, and at most one new candidate a minute after ten conflicts; 2.5
another address when this one is lost (defending it is the IP layer's); 1.9 deprecated at once and
removed a little later when the interface gets a routable address.  2.6.2 and 2.7 (nothing from or
to 169.254/16 goes through a router) are `ip/outbound`'s, broadcast ARP (2.5) `link/arp`'s.  The
drafts' rule that a packet must arrive with a TTL of 255 is not in the RFC and not here.  Not done:
3 (hosts with link-local addresses on several interfaces): each interface goes its own way.

Owned by `autoconf4`, which decides when it is wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2s
from typing import Final

from stack.base.seam import TimerOwner
from stack.base.timers import NEVER, Timer
from stack.base.units import MINUTE
from stack.ip.addrconf import DUPLICATED, LINK_LOCAL, LocalAddress
from stack.ip.host import IpHost
from stack.link.nic import Nic

PREFIX_LENGTH: Final = 16
MAX_CONFLICTS: Final = 10
RATE_LIMIT_INTERVAL: Final = MINUTE

_FIRST: Final = int.from_bytes(b"\xa9\xfe\x01\x00", "big")
_COUNT: Final = 254 * 256

STOPPED: Final = 0
CLAIMING: Final = 1
CLAIMED: Final = 2
RETIRING: Final = 3

STATE_NAMES: Final = ("stopped", "claiming", "claimed", "retiring")


def candidate(mac: bytes, number: int) -> bytes:
    """The address that a host tries after `number` others (2.1): the same after every start,
    another one on every host."""
    digest = blake2s(mac + number.to_bytes(8, "big"), digest_size=8).digest()
    return (_FIRST + int.from_bytes(digest, "big") % _COUNT).to_bytes(4, "big")


class LinkLocal4(TimerOwner):
    """The link-local address of one interface.  `changed` is called after changes of state."""

    __slots__ = (
        "_busy",
        "_changed",
        "_host",
        "_layer",
        "_next",
        "_nic",
        "_timer",
        "address",
        "conflicts",
        "state",
    )

    def __init__(self, host: IpHost, nic: Nic, changed: Callable[[], None]) -> None:
        self.state = STOPPED
        self.address = b""
        """The current candidate, remembered when nothing uses it; empty before the first."""
        self.conflicts = 0
        """Candidates in a row that others had."""
        self._busy = False
        self._changed = changed
        self._host = host
        self._layer = host.layers[4]
        self._next = 0
        self._nic = nic
        self._timer = Timer(self)

    def start(self) -> None:
        """An address is wanted."""
        if self.state == RETIRING:
            self._timer.disarm()
            self._add(NEVER, NEVER)
            self._enter(CLAIMED)
        elif self.state == STOPPED:
            self._claim()

    def stop(self) -> None:
        """No address any more, from now on."""
        self._timer.disarm()
        self._remove()
        self._enter(STOPPED)

    def retire(self, linger: int) -> None:
        """A routable address is there: let what goes on come to its end within `linger` ns, and
        nothing new begin (1.9)."""
        if self.state == CLAIMED and linger:
            self._add(0, linger)
            self._enter(RETIRING)
            self._wait(linger)
        elif self.state in (CLAIMING, CLAIMED):
            self.stop()

    def nic_up(self) -> None:
        """The link may be another one, with others on it: claim the address anew (2.2), unless
        the IP layer is doing that already."""
        entry = self._layer.addresses.all.get(self.address)
        if self.state == CLAIMED and entry is not None and entry.usable:
            self._remove()
            self._claim()

    def address_changed(self, entry: LocalAddress) -> None:
        """`entry`, of this interface, is in another state."""
        if self._busy or entry.address != self.address or self.state == STOPPED:
            return
        if entry.state == DUPLICATED and not entry.removed:
            self.conflicts += 1
            self._enter(CLAIMING)
            self._wait(RATE_LIMIT_INTERVAL if self.conflicts > MAX_CONFLICTS else 0)
        elif entry.removed:
            self._timer.disarm()
            self._enter(STOPPED)
        elif entry.usable and self.state == CLAIMING:
            self.conflicts = 0
            self._enter(CLAIMED)
        elif not entry.usable and self.state == CLAIMED:
            self._enter(CLAIMING)

    def fired(self, timer: Timer) -> None:
        if self.state == RETIRING:
            self.stop()
        elif self.state == CLAIMING:
            self._remove()
            self.address = b""
            self._claim()

    def _claim(self) -> None:
        if not self.address:
            self.address = candidate(self._nic.mac, self._next)
            self._next += 1
        self._enter(CLAIMING)
        self._add(NEVER, NEVER)

    def _add(self, preferred: int, valid: int) -> None:
        self._busy = True
        self._layer.add_address(
            self._nic,
            self.address,
            PREFIX_LENGTH,
            probe=True,
            preferred=preferred,
            valid=valid,
            origin=LINK_LOCAL,
        )
        self._busy = False

    def _remove(self) -> None:
        entry = self._layer.addresses.all.get(self.address)
        if entry is not None and entry.nic is self._nic and entry.origin == LINK_LOCAL:
            self._busy = True
            self._layer.remove_address(self.address)
            self._busy = False

    def _wait(self, span: int) -> None:
        self._host.timers.arm(self._timer, self._host.env.now + span)

    def _enter(self, state: int) -> None:
        if state != self.state:
            self.state = state
            self._changed()
