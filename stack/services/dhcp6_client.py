# SPDX-License-Identifier: MIT
"""Floor 6: the DHCPv6 client of one interface: addresses, or other configuration only (RFC 8415).

Done: 6.1, 6.2, 16 (every rule for clients), 18.2 but for prefixes, 20.4; RFC 3646.  Everything is
multicast: Server Unicast, which RFC 9915 has taken out, is not listened to, so UseMulticast asks
for nothing new.  Where the RFC leaves a choice: every discovery begins after a random delay, longer
the more of them have come to nothing; NotOnLink, NoAddrsAvail and a Request without an answer go on
with the next server that had offered something, then with a new discovery, NotOnLink with that at
once; NotOnLink for a Confirm counts at the end of a time-out, if nobody has said Success by then;
a Reply to Renew or Rebind without our association is as if it had not come.
Not done: temporary addresses (IA_TA), prefix delegation (6.3), relays.

Driven by `dhcp6` with what happens to the interface and with what arrives.
"""

from __future__ import annotations

from typing import Final

from stack.base import addr, fate
from stack.base.lifetimes import after, left, lifetime, seconds_left
from stack.base.packet import UNICAST
from stack.base.units import SECOND
from stack.ip.addrconf import DUPLICATED, LocalAddress
from stack.services import dhcp6_retransmit as schedules
from stack.services.dhcp6_association import (
    BOUND,
    INFORMED,
    MODE_NAMES,
    OFF,
    PHASE_NAMES,
    REBINDING,
    RENEWING,
    STATEFUL,
    STATELESS,
    STOPPED,
    T_BEGIN,
    T_DECLINE,
    T_EXPIRE,
    T_REFRESH,
    WAITING,
    Association,
)
from stack.services.dhcp6_exchange import Exchange
from stack.services.dhcp6_lease import association, sound, usable
from stack.services.dhcp6_offers import AT_ONCE, Offer, Offers
from stack.transport.datagram_seam import Received
from stack.wire import dhcp6, dhcp6_codec
from stack.wire.dhcp6 import Ia, Message

IRT_DEFAULT: Final = 86400
IRT_MINIMUM: Final = 600

_ANSWERS: Final = (dhcp6.RENEW, dhcp6.REBIND, dhcp6.INFORMATION_REQUEST)


class Client(Association):
    """One interface's."""

    # What it is told.

    def on_router_flags(self, managed: bool, other: bool) -> None:
        """A router advertisement has these flags (RFC 4861 4.2).  They are hints: with
        `Config.dhcp6` "auto" they start a client, or turn a stateless one into a stateful one; none
        is stopped by them (RFC 4862 5.5.2 has left that out)."""
        if self._means.config.dhcp6 == "auto" and (managed or other):
            self.start(managed)

    def start(self, stateful: bool) -> None:
        """Get addresses and everything else, or only everything else.

        The former includes the latter: it is never turned back by this.
        """
        if self.mode == STATEFUL or (self.mode == STATELESS and not stateful):
            return
        self.mode = STATEFUL if stateful else STATELESS
        self._halt()
        self._wait()

    def stop(self, release: bool = True) -> None:
        """Be off; with `release` the server is told that the addresses are free (18.2.7)."""
        message = self._message(dhcp6.RELEASE)
        message.server = self.lease.server
        message.associations = [self.lease.ask()]
        self.mode = OFF
        self._halt()
        self.phase = STOPPED
        if self._forget() and release and self._means.ready():
            self._part(Exchange(self, self._means, message, schedules.RELEASE))
        self._finish()

    def nic_up(self) -> None:
        """The link is up, and may be another one (18.2.12)."""
        if self.mode != OFF and self.phase == WAITING:
            self._wait()

    def nic_down(self) -> None:
        """The link is down.  What is known is kept for when it is up again."""
        for exchange in self._parting:
            exchange.stop()
        self._parting.clear()
        if self.mode != OFF:
            self._halt()
            self._arm(T_EXPIRE, self.lease.next_expiry())
            self.phase = WAITING
        self._finish()

    def address_changed(self, entry: LocalAddress) -> None:
        """An address of this host is in another state."""
        if entry.nic is not self._means.nic or self.mode == OFF:
            return
        if entry.address in self.lease.addresses:
            if entry.state == DUPLICATED and not entry.removed:
                self._duplicates.append(entry.address)
                self._arm(T_DECLINE, self._means.env.now)
        elif self.phase == WAITING and entry.usable and addr.is_link_local(entry.address):
            self._arm(T_BEGIN, self._means.env.now)

    # Hearing (16).

    def receive(self, one: Received, data: bytes) -> int:
        """A datagram for port 546 of this interface: 0, or the reason to drop it."""
        if one.group != UNICAST:
            return fate.DHCP6_NOT_UNICAST
        message = dhcp6_codec.parse(data, 0, len(data))
        if message is None:
            return fate.DHCP6_MALFORMED
        if message.kind not in (dhcp6.ADVERTISE, dhcp6.REPLY, dhcp6.RECONFIGURE):
            return fate.DHCP6_KIND
        if not message.server:
            return fate.DHCP6_SERVER_ID
        if message.client != self._means.duid:
            return fate.DHCP6_CLIENT_ID
        if message.kind == dhcp6.RECONFIGURE:
            return self._reconfigure(message, data)
        exchange = self._exchange_of(message)
        if exchange is None:
            return fate.DHCP6_TRANSACTION
        if message.kind == dhcp6.ADVERTISE:
            return self._advertised(exchange, message)
        return self._replied(exchange, message)

    def _exchange_of(self, message: Message) -> Exchange | None:
        """What `message` answers."""
        for exchange in (self._main, *self._parting):
            if exchange is None or exchange.retry.count == 0:
                continue
            soliciting = exchange.message.kind == dhcp6.SOLICIT
            if message.kind == dhcp6.ADVERTISE and not soliciting:
                continue
            if exchange.message.transaction == message.transaction:
                return exchange
        return None

    def _advertised(self, exchange: Exchange, message: Message) -> int:
        """18.2.9."""
        self._means.counters.advertises += 1
        self._sol_max_rt.advertised(message.sol_max_rt)
        self._inf_max_rt.advertised(message.inf_max_rt)
        exchange.retry.mrt = self._sol_max_rt.value * SECOND
        addresses = usable(association(message, self.lease.iaid))
        if message.failed or not addresses:
            return fate.DHCP6_NO_ADDRESSES
        self._offers.add(Offer(message, addresses))
        if message.preference == AT_ONCE or exchange.rounds:
            self._take_offer()
        return fate.DELIVERED

    def _replied(self, exchange: Exchange, message: Message) -> int:
        """18.2.10."""
        counters = self._means.counters
        asked = exchange.message
        if asked.kind == dhcp6.SOLICIT and not (asked.rapid_commit and message.rapid_commit):
            return fate.DHCP6_RAPID_COMMIT
        if exchange is not self._main:
            counters.replies += 1
            self._parted(exchange)  # whatever the server says about it (18.2.10.2)
            return fate.DELIVERED
        accepting = self._means.config.dhcp6_reconfigure
        if accepting and not self.key.learn(message):
            return fate.DHCP6_AUTHENTICATION
        counters.replies += 1
        self._sol_max_rt.replied(message.sol_max_rt)
        self._inf_max_rt.replied(message.inf_max_rt)
        if message.status in (dhcp6.UNSPEC_FAIL, dhcp6.USE_MULTICAST):
            self._means.counters.count_status(message.status)
        elif asked.kind == dhcp6.CONFIRM:
            self._confirmed(message)
        elif asked.kind == dhcp6.INFORMATION_REQUEST:
            self._informed(message)
        else:
            return self._associated(exchange, message)
        return fate.DELIVERED

    def _confirmed(self, message: Message) -> None:
        """18.2.10.3."""
        if not message.failed:
            self._resume()
        else:
            self._means.counters.count_status(message.status)
            self._not_on_link = self._not_on_link or message.status == dhcp6.NOT_ON_LINK

    def _informed(self, message: Message) -> None:
        """18.2.10.4, 21.23."""
        if message.failed:
            self._means.counters.count_status(message.status)
            return
        self._configure(message)
        if self.mode == STATEFUL:
            self._resume()
            return
        self._halt()
        self.phase = INFORMED
        said = IRT_DEFAULT if message.refresh_time == dhcp6.ABSENT else message.refresh_time
        longest = self._means.config.dhcp6_refresh_max
        refresh = min(lifetime(max(said, IRT_MINIMUM)), longest)
        self._arm(T_REFRESH, after(self._means.env.now, refresh))

    def _associated(self, exchange: Exchange, message: Message) -> int:
        """18.2.10.1: a Reply to Solicit, Request, Renew or Rebind."""
        one = association(message, self.lease.iaid)
        status = message.status if one is None or one.status <= dhcp6.SUCCESS else one.status
        if status > dhcp6.SUCCESS:
            self._refused(exchange, message, status)
            return fate.DELIVERED
        extending = exchange.message.kind in (dhcp6.RENEW, dhcp6.REBIND)
        news = [lease for lease in one.addresses if sound(lease)] if one is not None else []
        if one is None or not (news if extending else usable(one)):
            if exchange.message.kind == dhcp6.REQUEST:
                self._next_server()
            return fate.DHCP6_NO_ASSOCIATION
        self._learn(one, message)
        return fate.DELIVERED

    def _refused(self, exchange: Exchange, message: Message, status: int) -> None:
        """The server does not want to; where nothing is done the exchange goes on."""
        self._means.counters.count_status(status)
        kind = exchange.message.kind
        if status == dhcp6.NOT_ON_LINK:
            self._start_over()
        elif kind == dhcp6.REQUEST and status in (dhcp6.NO_ADDRS_AVAIL, dhcp6.NO_BINDING):
            self._next_server()
        elif status == dhcp6.NO_BINDING and kind != dhcp6.SOLICIT:
            self._offers = Offers()
            self._request(message.server, list(self.lease.addresses))

    def _next_server(self) -> None:
        if not self._take_offer():
            self._start_over()

    def _learn(self, one: Ia, message: Message) -> None:
        """Addresses to have, to keep for longer, or to give up."""
        now = self._means.env.now
        fresh, gone = self.lease.learn(one, message.server, now)
        for address in gone:
            self._means.take(address)
        if not self.lease.addresses:
            self._start_over()
            return
        self._setbacks = 0
        self._configure(message)
        self._resume()
        for address in fresh:
            leased = self.lease.addresses[address]
            self._means.give(
                address,
                left(now, leased.preferred_until),
                left(now, leased.valid_until),
            )

    def _configure(self, message: Message) -> None:
        """What is not in the latest Reply is not in force any more (18.2.10)."""
        self.ntp_servers = message.ntp_servers
        self._means.host.name_servers.learn(
            self._source, self._means.nic, message.name_servers, message.domains
        )

    def _reconfigure(self, message: Message, data: bytes) -> int:
        """18.2.11; only the server whose key we have may ask (16.11)."""
        if message.reconfigure not in _ANSWERS:
            return fate.DHCP6_RECONFIGURE
        if self.phase not in (BOUND, INFORMED):
            return fate.DHCP6_BUSY
        if self.phase == INFORMED and message.reconfigure != dhcp6.INFORMATION_REQUEST:
            return fate.DHCP6_RECONFIGURE
        if not self.key.verify(message, data):
            return fate.DHCP6_AUTHENTICATION
        self._means.counters.reconfigures += 1
        if message.reconfigure == dhcp6.RENEW:
            self._extend(RENEWING, dhcp6.RENEW, schedules.RENEW)
        elif message.reconfigure == dhcp6.REBIND:
            self._extend(REBINDING, dhcp6.REBIND, schedules.REBIND)
        else:
            self._inform(message.server)
        return fate.DELIVERED

    # Looking.

    def state(self) -> dict[str, object]:
        """What there is to know, for people and tools.  Times are whole seconds from now,
        None for never."""
        now = self._means.env.now
        lease = self.lease
        return {
            "interface": self._means.nic.name,
            "mode": MODE_NAMES[self.mode],
            "state": PHASE_NAMES[self.phase],
            "duid": self._means.duid.hex(),
            "iaid": lease.iaid,
            "server": lease.server.hex(),
            "addresses": [
                {
                    "address": addr.text(address),
                    "preferred": seconds_left(now, leased.preferred_until),
                    "valid": seconds_left(now, leased.valid_until),
                }
                for address, leased in lease.addresses.items()
            ],
            "t1": seconds_left(now, lease.t1),
            "t2": seconds_left(now, lease.t2),
            "refresh": seconds_left(now, self._timers[T_REFRESH].deadline),
            "ntp_servers": [addr.text(address) for address in self.ntp_servers],
            "sol_max_rt": self._sol_max_rt.value,
            "inf_max_rt": self._inf_max_rt.value,
            "reconfigure_key": self.key.known,
        }
