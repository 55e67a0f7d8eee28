# SPDX-License-Identifier: MIT
"""Floor 6: what a DHCPv6 server has lent: one identity association and its times.

RFC 8415 14.2, 18.2.10.1 (what a Reply changes), 21.4, 21.6.  The record only: `dhcp6_client` gives
addresses to the interface and takes them away.
"""

from __future__ import annotations

from typing import Final

from stack.base import addr
from stack.base.lifetimes import after, lifetime
from stack.base.timers import NEVER
from stack.base.units import SECOND
from stack.wire.dhcp6 import ADDRESS_LIMIT, SUCCESS, Ia, IaAddress, Message

_SOONEST: Final = SECOND
"""T1 at the client's choice is not sooner."""


def association(message: Message, iaid: int) -> Ia | None:
    """The association `iaid` of a message, None if it is not there or its times make no sense:
    T1 after T2 (21.4)."""
    for one in message.associations:
        if one.iaid == iaid and not 0 < one.t2 < one.t1:
            return one
    return None


def sound(one: IaAddress) -> bool:
    """An address a host can have, with lifetimes that make sense (21.6), and no objection."""
    return addr.is_routable(one.address) and one.preferred <= one.valid and one.status <= SUCCESS


def usable(one: Ia | None) -> list[bytes]:
    """The addresses an association offers."""
    if one is None or one.status > SUCCESS:
        return []
    return [lease.address for lease in one.addresses if lease.valid and sound(lease)]


class Leased:
    """One address, and until when (ns)."""

    __slots__ = ("preferred_until", "valid_until")

    def __init__(self, preferred_until: int, valid_until: int) -> None:
        self.preferred_until = preferred_until
        self.valid_until = valid_until


class Lease:
    """An association as the client has recorded it."""

    __slots__ = ("addresses", "iaid", "server", "t1", "t2")

    def __init__(self, iaid: int) -> None:
        self.iaid = iaid
        self.server = b""
        self.addresses: dict[bytes, Leased] = {}
        self.t1 = NEVER  # when to renew, ns
        self.t2 = NEVER  # when to rebind

    def clear(self) -> list[bytes]:
        """Forget everything; the addresses that were."""
        gone = list(self.addresses)
        self.addresses.clear()
        self.server = b""
        self.t1 = self.t2 = NEVER
        return gone

    def learn(self, one: Ia, server: bytes, now: int) -> tuple[list[bytes], list[bytes]]:
        """What `server` says now: (addresses to have, addresses to give up).

        An address it does not mention stays as it is.
        """
        self.server = server
        fresh: list[bytes] = []
        gone: list[bytes] = []
        for said in one.addresses:
            address = said.address
            if not sound(said):
                continue
            if said.valid == 0:
                if self.addresses.pop(address, None) is not None:
                    gone.append(address)
            elif address in self.addresses or len(self.addresses) < ADDRESS_LIMIT:
                until = (after(now, lifetime(said.preferred)), after(now, lifetime(said.valid)))
                self.addresses[address] = Leased(*until)
                fresh.append(address)
        self._set_times(one.t1, one.t2, now)
        return fresh, gone

    def expire(self, now: int) -> list[bytes]:
        """Forget the addresses whose time is over; which they were."""
        gone = [a for a, leased in self.addresses.items() if leased.valid_until <= now]
        for address in gone:
            del self.addresses[address]
        return gone

    def next_expiry(self) -> int:
        """When the next address is over; NEVER if none is."""
        return min((leased.valid_until for leased in self.addresses.values()), default=NEVER)

    def ask(self) -> Ia:
        """The association as a client names it to a server: times are the server's to set."""
        return self.name(list(self.addresses))

    def name(self, addresses: list[bytes]) -> Ia:
        """The same with these addresses."""
        one = Ia(self.iaid)
        one.addresses = [IaAddress(address, 0, 0) for address in addresses]
        return one

    def _set_times(self, t1: int, t2: int, now: int) -> None:
        """T1 and T2 in seconds from now, 0 where we may choose.

        By choice they are 0.5 and 0.8 of the shortest preferred lifetime, as 21.4 recommends to
        servers.  Finite ones that would come after the last address has gone are of no use, and are
        chosen too.
        """
        if not self.addresses:
            self.t1 = self.t2 = NEVER
            return
        leased = self.addresses.values()
        last = max(one.valid_until for one in leased)
        preferred = [one.preferred_until for one in leased if one.preferred_until > now]
        room = min(preferred or [one.valid_until for one in leased]) - now
        endless = now + room >= NEVER
        early = NEVER if endless else now + max(room // 2, _SOONEST)
        late = NEVER if endless else max(now + room * 4 // 5, early)
        first = after(now, lifetime(t1)) if t1 else early
        second = after(now, lifetime(t2)) if t2 else max(late, first)
        if NEVER > second >= last:
            second = now + (last - now) * 4 // 5
        if NEVER > first >= last:
            first = now + (last - now) // 2
        self.t1 = min(first, second) if not t1 else first
        self.t2 = second
