# SPDX-License-Identifier: MIT
"""Floor 6: the half of a DHCPv6 client that speaks: exchanges, and what comes of silence.

RFC 8415 18.2.1-18.2.8, with one identity association for non-temporary addresses and one exchange
at a time about it; Release and Decline go on beside that.  `dhcp6_client` is the half that hears,
and says what is left to choice and how it was chosen.
"""

from __future__ import annotations

from typing import Final

from stack.base.seam import TimerOwner
from stack.base.timers import Timer
from stack.base.units import SECOND
from stack.services import dhcp6_retransmit as schedules
from stack.services.dhcp6_auth import ReconfigureKey
from stack.services.dhcp6_exchange import Exchange, ExchangeOwner
from stack.services.dhcp6_lease import Lease
from stack.services.dhcp6_means import Means
from stack.services.dhcp6_offers import MaxRt, Offers
from stack.wire import dhcp6
from stack.wire.dhcp6 import Ia, Message

# Modes.
OFF: Final = 0
STATELESS: Final = 1
STATEFUL: Final = 2

MODE_NAMES: Final = ("off", "stateless", "stateful")

# Phases.
STOPPED: Final = 0
WAITING: Final = 1
"""For the link, or for a link-local address."""
SOLICITING: Final = 2
REQUESTING: Final = 3
CONFIRMING: Final = 4
BOUND: Final = 5
RENEWING: Final = 6
REBINDING: Final = 7
DECLINING: Final = 8
"""Every address was a duplicate; the server is being told before a new discovery."""
INFORMING: Final = 9
INFORMED: Final = 10

PHASE_NAMES: Final = (
    "stopped",
    "waiting",
    "soliciting",
    "requesting",
    "confirming",
    "bound",
    "renewing",
    "rebinding",
    "declining",
    "informing",
    "informed",
)

_WANTED: Final = (dhcp6.OPT_NAME_SERVERS, dhcp6.OPT_DOMAINS, dhcp6.OPT_NTP)
_STATEFUL: Final = (*_WANTED, dhcp6.OPT_SOL_MAX_RT)
_STATELESS: Final = (*_WANTED, dhcp6.OPT_REFRESH_TIME, dhcp6.OPT_INF_MAX_RT)
_ACCEPTING: Final = (dhcp6.SOLICIT, dhcp6.REQUEST, dhcp6.RENEW, dhcp6.REBIND)

# Kinds of timers.
T_BEGIN: Final = 0
T_DECLINE: Final = 1
T_RENEW: Final = 2
T_REBIND: Final = 3
T_EXPIRE: Final = 4
T_REFRESH: Final = 5

_PARTING_LIMIT: Final = 8
_PATIENCE: Final = 7
"""The delay before a discovery doubles so often."""


class Association(ExchangeOwner, TimerOwner):
    """One interface's."""

    def __init__(self, means: Means, iaid: int) -> None:
        self.mode = OFF
        self.phase = STOPPED
        self.lease = Lease(iaid)
        self.key = ReconfigureKey()
        self.ntp_servers: list[bytes] = []
        self._means = means
        self._main: Exchange | None = None
        self._parting: list[Exchange] = []
        self._offers = Offers()
        self._sol_max_rt = MaxRt(schedules.SOL_MAX_RT // SECOND)
        self._inf_max_rt = MaxRt(schedules.INF_MAX_RT // SECOND)
        self._setbacks = 0
        self._not_on_link = False
        self._duplicates: list[bytes] = []
        self._timers = [Timer(self, kind) for kind in range(T_REFRESH + 1)]

    @property
    def active(self) -> bool:
        """It has, or may have, something to say or to hear."""
        return self.mode != OFF or bool(self._parting)

    # Timers.

    def fired(self, timer: Timer) -> None:
        kind = timer.kind
        if kind == T_BEGIN:
            self._begin()
        elif kind == T_DECLINE:
            self._decline()
        elif kind == T_RENEW:
            if self.phase in (BOUND, INFORMING):
                self._extend(RENEWING, dhcp6.RENEW, schedules.RENEW)
        elif kind == T_REBIND:
            if self.phase in (BOUND, INFORMING, RENEWING):
                self._extend(REBINDING, dhcp6.REBIND, schedules.REBIND)
        elif kind == T_EXPIRE:
            self._expire()
        elif self.phase == INFORMED:
            self._inform()

    def _arm(self, kind: int, when: int) -> None:
        self._means.timers.arm(self._timers[kind], when)

    def _wait(self) -> None:
        """Begin as soon as there is an address to send from (6.1)."""
        self.phase = WAITING
        if self._means.ready():
            self._arm(T_BEGIN, self._means.env.now)

    def _begin(self) -> None:
        if self.phase != WAITING or not self._means.ready():
            return
        if self.mode == STATELESS:
            self._inform()
        elif self.lease.addresses:
            self._confirm()
        else:
            self._discover()

    def _halt(self) -> None:
        """End the exchange about the association and every timer of it."""
        if self._main is not None:
            self._main.stop()
            self._main = None
        for timer in self._timers:
            timer.disarm()

    # Exchanges.

    def _message(self, kind: int) -> Message:
        means = self._means
        message = Message(kind, means.env.random_below(1 << 24))
        message.client = means.duid
        if kind in _ACCEPTING:
            message.wanted = _STATEFUL
            message.reconfigure_accept = means.config.dhcp6_reconfigure
        elif kind == dhcp6.INFORMATION_REQUEST:
            message.wanted = _STATELESS
            message.reconfigure_accept = means.config.dhcp6_reconfigure
        return message

    def _run(
        self, phase: int, message: Message, schedule: schedules.Schedule, mrt: int = 0
    ) -> Exchange:
        """`message` is what the association is about now; nothing is sent yet."""
        if self._main is not None:
            self._main.stop()
        self.phase = phase
        self._main = Exchange(self, self._means, message, schedule, mrt)
        return self._main

    def _part(self, exchange: Exchange) -> None:
        """An exchange of which only the end matters."""
        if len(self._parting) == _PARTING_LIMIT:
            self._parting.pop(0).stop()
        self._parting.append(exchange)
        exchange.start()

    def _parted(self, exchange: Exchange) -> None:
        exchange.stop()
        self._parting.remove(exchange)
        if self.phase == DECLINING and exchange.message.kind == dhcp6.DECLINE:
            self._start_over()
        self._finish()

    def _finish(self) -> None:
        if not self.active:
            self._means.finished()

    def _discover(self) -> None:
        """18.2.1."""
        self._offers = Offers()
        self._sol_max_rt.begin()
        self._inf_max_rt.begin()
        message = self._message(dhcp6.SOLICIT)
        message.associations = [Ia(self.lease.iaid)]
        message.rapid_commit = self._means.config.dhcp6_rapid_commit
        mrt = self._sol_max_rt.value * SECOND
        exchange = self._run(SOLICITING, message, schedules.SOLICIT, mrt)
        exchange.start_after(schedules.SOLICIT.delay << min(self._setbacks, _PATIENCE))

    def _request(self, server: bytes, addresses: list[bytes]) -> None:
        """18.2.2."""
        message = self._message(dhcp6.REQUEST)
        message.server = server
        message.associations = [self.lease.name(addresses)]
        self._run(REQUESTING, message, schedules.REQUEST).start()

    def _confirm(self) -> None:
        """18.2.3."""
        self._not_on_link = False
        message = self._message(dhcp6.CONFIRM)
        message.associations = [self.lease.ask()]
        self._run(CONFIRMING, message, schedules.CONFIRM).start_after(schedules.CONFIRM.delay)

    def _extend(self, phase: int, kind: int, schedule: schedules.Schedule) -> None:
        """Renew with the server we have, or Rebind with any (18.2.4, 18.2.5)."""
        message = self._message(kind)
        message.associations = [self.lease.ask()]
        if kind == dhcp6.RENEW:
            message.server = self.lease.server
        self._run(phase, message, schedule).start()

    def _inform(self, server: bytes = b"") -> None:
        """18.2.6; `server` has asked for it."""
        message = self._message(dhcp6.INFORMATION_REQUEST)
        message.server = server
        mrt = self._inf_max_rt.value * SECOND
        exchange = self._run(INFORMING, message, schedules.INFORMATION_REQUEST, mrt)
        if server:
            exchange.start()
        else:
            exchange.start_after(schedules.INFORMATION_REQUEST.delay)

    def _decline(self) -> None:
        """18.2.8: duplicate address detection has found out."""
        addresses = [a for a in dict.fromkeys(self._duplicates) if a in self.lease.addresses]
        self._duplicates = []
        if not addresses:
            return
        message = self._message(dhcp6.DECLINE)
        message.server = self.lease.server
        message.associations = [self.lease.name(addresses)]
        for address in addresses:
            del self.lease.addresses[address]
            self._means.take(address)
        if not self.lease.addresses:
            self._halt()
            self._forget()
            self.phase = DECLINING
        self._part(Exchange(self, self._means, message, schedules.DECLINE))

    # Silence.

    def waited(self, exchange: Exchange) -> bool:
        kind = exchange.message.kind
        if kind == dhcp6.SOLICIT:
            return self._take_offer()
        if kind == dhcp6.CONFIRM and self._not_on_link:
            self._start_over()
            return True
        return False

    def failed(self, exchange: Exchange) -> None:
        if exchange is not self._main:
            self._parted(exchange)
        elif exchange.message.kind == dhcp6.CONFIRM:
            self._resume()  # nobody says otherwise
        elif not self._take_offer():
            self._start_over()

    def _take_offer(self) -> bool:
        """Ask the best server left for what it has offered; False if none is left."""
        offer = self._offers.take()
        if offer is None:
            return False
        self._request(offer.server, offer.addresses)
        return True

    def _start_over(self) -> None:
        """Discover servers anew, with nothing in hand (18.2.10.1)."""
        self._setbacks += 1
        self._halt()
        self._forget()
        self._discover()

    def _resume(self) -> None:
        """The association is good until T1."""
        if self._main is not None:
            self._main.stop()
            self._main = None
        self.phase = BOUND
        self._arm(T_RENEW, self.lease.t1)
        self._arm(T_REBIND, self.lease.t2)
        self._arm(T_EXPIRE, self.lease.next_expiry())
        if self._duplicates:
            self._arm(T_DECLINE, self._means.env.now)  # the link went down before it was told

    def _expire(self) -> None:
        """Addresses have come to the end of their valid lifetime."""
        for address in self.lease.expire(self._means.env.now):
            self._means.counters.expiries += 1
            self._means.take(address)
        if self.lease.addresses:
            self._arm(T_EXPIRE, self.lease.next_expiry())
            return
        self._halt()
        self._forget()
        if self.phase != WAITING:
            self._discover()

    def _forget(self) -> bool:
        """Nothing is known of any server any more.  True if there were addresses."""
        gone = self.lease.clear()
        for address in gone:
            self._means.take(address)
        self._duplicates.clear()
        self.key.forget()
        self.ntp_servers = []
        self._means.host.name_servers.forget(self._source)
        return bool(gone)

    @property
    def _source(self) -> tuple[object, ...]:
        return ("dhcp6", self._means.nic.index)
