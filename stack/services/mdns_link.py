# SPDX-License-Identifier: MIT
"""Floor 6: a host name on one link: probing, announcing, conflicts (RFC 6762 8, 9, 10.1).

    IDLE        no address, no name
    PROBING     8.1: 0 to 250 ms, three probes 250 ms apart, 250 ms
    ANNOUNCING  8.3: two announcements a second apart; queries are answered
    OWNED       everything said; queries are answered

A response with the name during probing takes it away, and another is probed for: host-2, host-3.
Of two who probe at once the one with the later data goes on, the other waits a second (8.2).  A
response that contradicts an owned name leads back to probing, which decides (9).  After 15
conflicts in ten seconds every attempt waits for five (8.1).  New and lost addresses are announced
(8.4); those lost, and all at the end, with a lifetime of zero (10.1).

Both families of an interface are one link with one set of records; each is spoken over both.
Owned by `mdns`; answers are `mdns_answer`'s.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from stack.base.timers import Timer
from stack.base.units import MS, SECOND
from stack.link.nic import Nic
from stack.services import link_message
from stack.services.link_means import LinkMeans, MdnsCounters, send
from stack.services.link_message import (
    ANY,
    AUTHORITATIVE,
    AUTHORITY,
    IN,
    RESPONSE,
    Message,
    Question,
    Record,
    Writer,
)
from stack.services.link_query import MDNS
from stack.services.mdns_answer import Answerer, messages
from stack.services.mdns_records import TTL, Holdings, Own, later
from stack.services.means import AAAA, A
from stack.services.responder import IDLE as IDLE
from stack.services.responder import LinkName
from stack.transport.datagram_seam import Datagram, Received

PROBING: Final = 1
ANNOUNCING: Final = 2
OWNED: Final = 3

STATE_NAMES: Final = ("idle", "probing", "announcing", "owned")

_PROBES: Final = 3
_PROBE_INTERVAL: Final = 250 * MS
_ANNOUNCEMENTS: Final = 2
_ANNOUNCE_INTERVAL: Final = 1 * SECOND
_TIE_WAIT: Final = 1 * SECOND
_MANY: Final = 15
_MANY_WITHIN: Final = 10 * SECOND
_MANY_WAIT: Final = 5 * SECOND
_LABEL: Final = 63
_STEP, _REFRESH = 0, 1


class MdnsLink(LinkName):
    """The host's name on one interface."""

    states = STATE_NAMES
    __slots__ = (
        "_answerer",
        "_conflicts",
        "_counters",
        "_holdings",
        "_label",
        "_number",
        "_refresh",
        "_sent",
        "_slow",
        "_socket",
        "_step",
    )

    def __init__(
        self, means: LinkMeans, counters: MdnsCounters, label: str, nic: Nic, socket: Datagram
    ) -> None:
        super().__init__(means, nic)
        self._counters = counters
        self._label = label
        self._number = 1
        self._socket = socket
        self._holdings = Holdings(self.name, [])
        self._answerer = Answerer(means, counters, nic, socket)
        self._step = Timer(self, _STEP)
        self._refresh = Timer(self, _REFRESH)
        self._sent = 0
        self._conflicts: deque[int] = deque(maxlen=_MANY)
        self._slow = False

    @property
    def name(self) -> str:
        suffix = "" if self._number == 1 else f"-{self._number}"
        return f"{self._label[: _LABEL - len(suffix)]}{suffix}.local"

    def refresh(self) -> None:
        self._means.timers.arm(self._refresh, self._means.env.now)

    def stop(self, goodbye: bool) -> None:
        if goodbye and self.state >= ANNOUNCING:
            self._send(self._holdings.records, 0)
        self._step.disarm()
        self._refresh.disarm()
        self._answerer.stop()
        self._enter(IDLE)

    # Steps.

    def fired(self, timer: Timer) -> None:
        if timer.kind == _REFRESH:
            self._look()
        elif self.state == PROBING and self._sent < _PROBES:
            self._probe()
        elif self.state == PROBING:
            self._slow = False
            self._sent = 0
            self._answerer.holdings = self._holdings
            self._enter(ANNOUNCING)
            self._announce()
        else:
            self._announce()

    def _look(self) -> None:
        """What addresses are there now?"""
        before = self._holdings
        addresses = [a for size in (4, 16) for a in self._means.addresses(self.nic, size)]
        self._holdings = Holdings(self.name, addresses)
        if not addresses:
            self._step.disarm()
            self._answerer.stop()
            self._enter(IDLE)
        elif self.state == IDLE:
            self._begin(self._means.env.random_below(_PROBE_INTERVAL + 1))
        elif self.state != PROBING:
            now = {(own.key, own.type, own.data) for own in self._holdings.records}
            gone = [own for own in before.records if (own.key, own.type, own.data) not in now]
            self._answerer.holdings = self._holdings
            if gone:
                self._send(gone, 0)
            if gone or len(now) != len(before.records):
                self._sent = 0
                self._enter(ANNOUNCING)
                self._announce()

    def _begin(self, delay: int) -> None:
        """Probe, after `delay` ns."""
        self._answerer.stop()
        self._sent = 0
        self._enter(PROBING)
        self._arm(delay)

    def _arm(self, delay: int) -> None:
        self._means.timers.arm(self._step, self._means.env.now + delay)

    def _probe(self) -> None:
        """Ask for everything with the name, and propose ours (RFC 6762 8.1, 8.2)."""
        question = Question(link_message.name(self.name), ANY)
        for size in self._means.families(self.nic):
            writer = Writer(0, 0, self._means.room(self.nic, size, MDNS.most))
            writer.question(question, unicast=True)
            for own in self._holdings.addresses():
                own.write(writer, AUTHORITY, TTL, False)
            self._counters.probes += 1
            self._multicast(writer.wire(), size)
        self._sent += 1
        self._arm(_PROBE_INTERVAL)

    def _announce(self) -> None:
        records, sizes = self._holdings.records, self._means.families(self.nic)
        when = self._answerer.free(records, sizes)
        if when > self._means.env.now:  # once a second, announcements too (6)
            self._means.timers.arm(self._step, when)
            return
        self._send(self._holdings.records, TTL)
        self._sent += 1
        if self._sent < _ANNOUNCEMENTS:
            self._arm(_ANNOUNCE_INTERVAL)
        else:
            self._enter(OWNED)

    def _send(self, records: list[Own], ttl: int) -> None:
        """Tell everybody that `records` are there, or with a `ttl` of 0 that they are not."""
        for size in self._means.families(self.nic):
            room = self._means.room(self.nic, size, MDNS.most)
            for wire in messages(0, RESPONSE | AUTHORITATIVE, records, [], room, ttl):
                if ttl:
                    self._counters.announcements += 1
                else:
                    self._counters.goodbyes += 1
                self._multicast(wire, size)
            for own in records if ttl else ():
                self._answerer.said(own, size)

    def _multicast(self, wire: bytes, size: int) -> None:
        send(self._socket, wire, MDNS.groups[size], MDNS.port, self.nic.index)

    # Hearing.

    def query(self, message: Message, one: Received) -> None:
        """A query, from this link."""
        if self.state >= ANNOUNCING:
            self._answerer.query(message, one)
        elif self.state == PROBING and self._sent:
            self._compare(message)

    def _compare(self, message: Message) -> None:
        """Another who probes for the name at the same time (RFC 6762 8.2)."""
        name = self.name
        if not any(question.key == name for question in message.questions):
            return
        theirs = [record for record in message.authority if record.key == name]
        if theirs and later(theirs, self._holdings.addresses()) > 0:
            self._counters.ties_lost += 1
            self._sent = 0
            self._arm(_TIE_WAIT)

    def response(self, message: Message, one: Received, to_all: bool) -> None:
        """A response of somebody on this link."""
        if self.state == IDLE or (self.state == PROBING and not self._sent):
            return  # what came before the first probe may be stale (8.1)
        for record in (*message.answers, *message.additional):
            own = self._holdings.find(record) if self.state != PROBING else None
            if own is not None:
                self._heard_own(own, record, len(one.address), to_all)
            elif self._contradicts(record):
                self._conflict()
                return

    def _heard_own(self, own: Own, record: Record, size: int, to_all: bool) -> None:
        """Somebody says what we would say (RFC 6762 6.6, 7.4)."""
        if record.ttl * 2 < TTL:
            self._answerer.announce([own], [size])
        elif to_all and record.ttl >= TTL:
            self._answerer.said(own, size)

    def _contradicts(self, record: Record) -> bool:
        """It cannot be true while the name is ours.  Goodbyes, and what this host has on another
        of its interfaces, are no contradiction."""
        if record.key != self.name or not record.ttl or record.rdclass != IN:
            return False
        addresses = {own.data for own in self._holdings.addresses()}
        for layer in self._means.host.layers.values():
            addresses.update(layer.local)
        if record.type in (A, AAAA):
            return record.data not in addresses
        return self.state == PROBING

    def _conflict(self) -> None:
        """RFC 6762 8.1 while probing, 9 afterwards."""
        now = self._means.env.now
        self._counters.conflicts += 1
        self._conflicts.append(now)
        if len(self._conflicts) == _MANY and now - self._conflicts[0] <= _MANY_WITHIN:
            self._slow = True
        if self.state == PROBING:
            self._counters.renamed += 1
            self._number += 1
            addresses = [own.data for own in self._holdings.addresses()]
            self._holdings = Holdings(self.name, addresses)
        self._begin(_MANY_WAIT if self._slow else self._means.env.random_below(_PROBE_INTERVAL + 1))
