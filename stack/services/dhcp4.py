# SPDX-License-Identifier: MIT
"""Floor 6: the DHCP client of one IPv4 interface, as the machine of RFC 2131 figure 5::

    STOPPED -> INIT -> SELECTING -> REQUESTING -> CHECKING -> BOUND -> RENEWING -> REBINDING
                 ^                                                                     |
                 +---- a NAK, a conflict, or the end of the lease -------------------- +
    INIT_REBOOT -> REBOOTING -> (CHECKING ->) BOUND

Done: RFC 2131 3.1-3.3, 3.7, 4.1, 4.4 with RFC 5227's check of the address before it is used
(CHECKING) and DHCPDECLINE after it, at least ten seconds before the next attempt; also when an
address in use is lost to another station.  The first acceptable offer is taken, unless
`Config.dhcp4_offer_wait` says to look at others too: then the address we had before wins, else
the first.  Where the link was gone the old address stays and is asked for again; if nobody answers
twice it is used to the end of its lease, which 4.4.2 allows.  After a NAK the next attempt comes at
once, after further ones with growing pauses.  Not done: BOOTP servers (RFC 1534), FORCERENEW (RFC
3203), authentication (RFC 3118), DNA (RFC 4436), rapid commit (RFC 4039).

Owned by `autoconf4`, told by it of links and addresses; messages come through `dhcp4_port`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from stack.base import addr, fate, status
from stack.base.timers import Timer
from stack.base.units import MS, SECOND
from stack.ip.addrconf import DUPLICATED, LocalAddress
from stack.ip.host import IpHost
from stack.link.nic import Nic
from stack.services.dhcp4_lease import Lease, read
from stack.services.dhcp4_port import Dhcp4Port
from stack.services.dhcp4_states import (
    BOUND,
    CHECKING,
    DECLINING,
    INIT,
    INIT_REBOOT,
    REBINDING,
    REBOOTING,
    RELEASING,
    RENEWING,
    REQUESTING,
    SELECTING,
    STOPPED,
    WAITING,
)
from stack.services.dhcp4_talk import PATIENCE, Talker
from stack.wire import dhcp4_options as opt
from stack.wire.dhcp4 import Message

_PHASE: Final = 1
_EXPIRY: Final = 2

_RENEW_PAUSE: Final = 60 * SECOND
_REBOOT_PATIENCE: Final = 2
_OFFERS: Final = 8
_FAREWELL: Final = 250 * MS
"""The address stays that long after DHCPRELEASE: its packet may wait for the server's MAC."""


class Dhcp4Client(Talker):
    """One interface's client.  `changed` is called after every change of state."""

    __slots__ = (
        "_changed",
        "_expiry",
        "_offer",
        "_offers",
        "_phase",
        "_refusals",
        "_secs_sent",
        "_sent",
        "_wish",
        "lease",
        "state",
    )

    def __init__(
        self, host: IpHost, port: Dhcp4Port, nic: Nic, changed: Callable[[], None]
    ) -> None:
        super().__init__(host, port, nic)
        self.state = STOPPED
        self.lease: Lease | None = None
        """What a server granted us, until it ends or is lost."""
        self._changed = changed
        self._phase = Timer(self, _PHASE)
        self._expiry = Timer(self, _EXPIRY)
        self._offer: Lease | None = None  # what is being requested
        self._offers: list[Lease] = []
        self._wish = b""  # an address to ask for
        self._sent = 0  # when the first request of this transaction went out
        self._secs_sent = 0
        self._refusals = 0  # NAKs in a row

    # The owner's side.

    def start(self, address: bytes = b"") -> int:
        """Begin.  `address` is one this interface had once: it is asked for first (3.2).

        OK; STATE if it runs already; IN_USE if the port is taken.
        """
        if self.state == RELEASING:
            self._leave()
        if self.state != STOPPED:
            return status.STATE
        result = self._port.join(self._nic, self)
        if result == status.OK:
            self._wish = address
            self._refusals = 0
            self._enter(INIT_REBOOT if address else INIT)
            self.nic_up()
        return result

    def stop(self, release: bool = True) -> None:
        """End, giving the lease back (4.4.6) unless told to keep it for another day.

        The address stays for a quarter of a second after that, so that the message gets away;
        everything else goes at once.
        """
        lease = self.lease
        if self.state in (STOPPED, RELEASING):
            return
        if not release or lease is None or not self._applied.owns(lease) or not self._nic.up:
            self._leave()
            return
        self._quiet()
        self._begin()
        message = self._composer.release(self._xid, lease.address, lease.server)
        self._port.send(self._nic, message, lease.address, lease.server)
        self._applied.clear()
        self._enter(RELEASING)
        self._pause(_FAREWELL)

    def nic_up(self) -> None:
        """The link came up: perhaps another one (3.7)."""
        if self._nic.up and self.state in (INIT, INIT_REBOOT):
            # 4.4.1: a random while, of 1 to 10 seconds if the RFC has its way.
            longest = self._config.dhcp4_initial_delay
            shortest = longest // 10
            share = self._env.random_below(1001)
            self._pause(shortest + (longest - shortest) * share // 1000)

    def nic_down(self) -> None:
        """The link is gone.  What we hold is kept until it expires."""
        if self.state in (STOPPED, RELEASING, DECLINING):
            return
        self._quiet()
        if self.lease is not None:
            self._wish = self.lease.address
            self._enter(INIT_REBOOT)
        elif self.state not in (INIT_REBOOT, REBOOTING):
            self._enter(INIT)
        else:
            self._enter(INIT_REBOOT)

    def address_changed(self, entry: LocalAddress) -> None:
        """`entry`, of this interface, is in another state."""
        lease = self.lease
        if self._applied.busy or lease is None or entry.address != lease.address:
            return
        if self.state in (RELEASING, DECLINING):
            return
        if entry.state == DUPLICATED and not entry.removed:
            self._port.counters.conflicts += 1
            self._abandon(DECLINING)
        elif entry.removed:
            # Somebody took it away: begin again, when whoever tells this has returned.
            self._abandon(INIT)
        elif self.state == CHECKING and entry.usable:
            self._bind()

    # Timers.

    def fired(self, timer: Timer) -> None:
        lease = self.lease
        ending = self.state in (RELEASING, DECLINING)
        if lease is not None and lease.expires <= self._env.now and not ending:
            self._expire()
        elif timer is self._phase and lease is not None:
            self._enter(RENEWING if self._env.now < lease.rebinds else REBINDING)
            self._began = self._env.now
            self._extend()
        elif timer is self._retry:
            self._again()

    def _again(self) -> None:
        """The time to send, or to send again."""
        state = self.state
        if state == INIT:
            self._discover()
        elif state == INIT_REBOOT:
            self._reboot()
        elif state == SELECTING:
            if self._offers:
                self._choose()
            else:
                self._send_discover()
        elif state in (REQUESTING, REBOOTING):
            self._ask_again()
        elif state in (RENEWING, REBINDING):
            self._extend()
        elif state == DECLINING:
            self._decline()
        elif state == RELEASING:
            self._leave()

    # INIT and SELECTING (4.4.1).

    def _discover(self) -> None:
        self._drop_lease()
        self._begin()
        self._offers = []
        self._enter(SELECTING)
        self._send_discover()

    def _send_discover(self) -> None:
        self._secs_sent = self._secs()
        message = self._composer.discover(self._xid, self._secs_sent, self._wish)
        self._port.send(self._nic, message, addr.ANY4)
        self._wait()

    def _offered(self, message: Message) -> int:
        offer = read(message, self._config, 0)
        if offer is None:
            return fate.DHCP4_INVALID
        if len(self._offers) >= _OFFERS:
            return fate.DHCP4_UNEXPECTED
        self._offers.append(offer)
        wait = self._config.dhcp4_offer_wait
        if not wait or offer.address == self._wish:
            self._choose()
        elif len(self._offers) == 1:
            self._pause(wait)
        return fate.DELIVERED

    def _choose(self) -> None:
        """Of the offers that of the address we wished for, or the first."""
        offers, self._offers = self._offers, []
        wished = (offer for offer in offers if offer.address == self._wish)
        self._offer = next(wished, offers[0])
        self._tries = 0
        self._sent = self._env.now
        self._enter(REQUESTING)
        self._send_request()

    # REQUESTING and REBOOTING.

    def _reboot(self) -> None:
        self._begin()
        self._sent = self._env.now
        self._enter(REBOOTING)
        self._send_request()

    def _send_request(self) -> None:
        offer = self._offer
        if self.state == REQUESTING:
            assert offer is not None
            # 4.4.1: the secs of the DISCOVER.
            secs, address, server = self._secs_sent, offer.address, offer.server
        else:
            secs, address, server = self._secs(), self._wish, b""
        message = self._composer.select(self._xid, secs, address, server)
        self._port.send(self._nic, message, addr.ANY4)
        self._wait()

    def _ask_again(self) -> None:
        most = PATIENCE if self.state == REQUESTING else _REBOOT_PATIENCE
        if self._tries < most:
            self._send_request()
        elif self.state == REBOOTING and self.lease is not None:
            self._check()
        else:
            self._discover()

    def _take(self, lease: Lease) -> None:
        """The server granted it: put the address there."""
        old = self.lease
        if old is not None and old.prefix_length != lease.prefix_length:
            self._applied.drop(old)
        lease.loosen(self._env)
        self.lease = lease
        self._offer = None
        self._refusals = 0
        self._wish = lease.address
        self._quiet()
        self._timers.arm(self._expiry, lease.expires)
        self._applied.take(lease)
        self._check()

    def _check(self) -> None:
        """Use the lease once nobody else has its address (4.4.1, RFC 5227 2.1)."""
        assert self.lease is not None
        if self._applied.owns(self.lease):
            self._bind()
        else:
            self._quiet()
            self._enter(CHECKING)

    # BOUND, RENEWING and REBINDING (4.4.5).

    def _bind(self) -> None:
        lease = self.lease
        assert lease is not None
        self._quiet()
        self._applied.put(lease.parameters, lease.left(self._env.now))
        self._timers.arm(self._phase, lease.renews)
        self._enter(BOUND)

    def _extend(self) -> None:
        """Ask for more time: the server, after T2 anybody.

        Each request is a transaction of its own, so that it is plain when the lease that is
        granted began.  The next one comes after half of the time that is left, a minute at
        least (4.4.5).
        """
        lease = self.lease
        assert lease is not None
        began, now = self._began, self._env.now
        self._begin()
        self._began, self._sent = began, now
        renewing = self.state == RENEWING
        message = self._composer.extend(self._xid, self._secs(), lease.address)
        self._port.send(self._nic, message, lease.address, lease.server if renewing else b"")
        end = lease.rebinds if renewing else lease.expires
        if renewing:
            self._timers.arm(self._phase, end)
        pause = max((end - now) // 2, _RENEW_PAUSE)
        if now + pause < end:
            self._pause(pause)

    def _expire(self) -> None:
        """The lease has run out: nothing of it may be used any more."""
        self._port.counters.expiries += 1
        self._quiet()
        self._drop_lease()
        self._enter(INIT)
        if self._nic.up:
            self._pause(0)

    # When it is lost.

    def _abandon(self, state: int) -> None:
        """The address is not ours.  Called from inside of what found out: the rest comes later."""
        self._quiet()
        self._enter(state)
        if self._nic.up or state == DECLINING:
            self._pause(0)

    def _decline(self) -> None:
        lease = self.lease
        assert lease is not None
        self._begin()
        message = self._composer.decline(self._xid, lease.address, lease.server)
        self._drop_lease()
        self._port.send(self._nic, message, addr.ANY4)
        self._wish = b""
        self._enter(INIT)
        self._pause(self._config.dhcp4_decline_wait)

    def _refused(self) -> None:
        """DHCPNAK: begin again, at once the first time."""
        self._quiet()
        self._drop_lease()
        self._wish = b""
        pause = SECOND << min(self._refusals, 6) if self._refusals else 0
        self._refusals += 1
        self._enter(INIT)
        self._pause(pause)

    def _leave(self) -> None:
        self._quiet()
        self._drop_lease()
        self._offers = []
        self._port.leave(self._nic)
        self._enter(STOPPED)

    def _drop_lease(self) -> None:
        lease, self.lease = self.lease, None
        self._offer = None
        self._expiry.disarm()
        self._applied.clear()
        if lease is not None:
            self._applied.drop(lease)

    # Hearing.

    def heard(self, message: Message) -> int:
        if message.xid != self._xid:
            return fate.DHCP4_NOT_FOR_US
        kind, state = message.type, self.state
        if kind == opt.OFFER and state == SELECTING:
            return self._offered(message)
        if kind == opt.OFFER or state not in WAITING:
            return fate.DHCP4_UNEXPECTED
        if kind == opt.NAK:
            return self._judge_nak(message)
        lease = read(message, self._config, self._sent)
        if lease is None:
            return fate.DHCP4_INVALID
        if lease.address != self._asked() or not self._selected(lease.server):
            return fate.DHCP4_UNEXPECTED
        self._take(lease)
        return fate.DELIVERED

    def _judge_nak(self, message: Message) -> int:
        server = opt.address(message.options.get(opt.SERVER_ID))
        if server is None:
            return fate.DHCP4_INVALID
        if not self._selected(server):
            return fate.DHCP4_UNEXPECTED
        self._refused()
        return fate.DELIVERED

    def _asked(self) -> bytes:
        """The address of the last request."""
        return self._wish if self._offer is None else self._offer.address

    def _selected(self, server: bytes) -> bool:
        """While one server's offer is being requested no other has a say."""
        return self._offer is None or server == self._offer.server

    # Small change.

    def _pause(self, span: int) -> None:
        self._timers.arm(self._retry, self._env.now + span)

    def _quiet(self) -> None:
        """No timer of ours runs but that of the expiry."""
        self._retry.disarm()
        self._phase.disarm()

    def _enter(self, state: int) -> None:
        if state != self.state:
            self.state = state
            self._changed()
