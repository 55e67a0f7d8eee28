# SPDX-License-Identifier: MIT
"""Floor 6: how mDNS answers on one link (RFC 6762 5.4-7.4).

Everything of a host name is unique and answered at once (6), but for queries with several
questions (6.3: after 20 to 120 ms) and for those whose known answers come in several messages (7.2:
400 to 500 ms after the last).  By multicast a record goes once a second, four times to defend the
name (6); what comes sooner waits for that, and for somebody else to say it (7.4).  By unicast go
answers to queries that want it and were answered to all lately (5.4), and to queriers on other
ports, who know nothing of mDNS (6.7).

Owned by `mdns_link`.
"""

from __future__ import annotations

from typing import Final

from stack.base import status
from stack.base.packet import UNICAST
from stack.base.seam import TimerOwner
from stack.base.timers import NEVER, Timer
from stack.base.units import MS, SECOND
from stack.link.nic import Nic
from stack.services import link_message
from stack.services.link_means import LinkMeans, MdnsCounters, send
from stack.services.link_message import (
    ADDITIONAL,
    ANSWER,
    AUTHORITATIVE,
    AUTHORITY,
    RESPONSE,
    Message,
    Question,
    Record,
    Writer,
)
from stack.services.link_query import MDNS
from stack.services.mdns_records import LEGACY_TTL, TTL, Holdings, Own
from stack.transport.datagram_seam import Datagram, Received

_INTERVAL: Final = 1 * SECOND
_DEFENCE: Final = 250 * MS
_RECENT: Final = TTL * SECOND // 4
_SHORT: Final = (20 * MS, 100 * MS)
"""Least delay and random addition; inclusive of what RFC 6762 6 wants."""
_LONG: Final = (400 * MS, 100 * MS)
_DEFERRED: Final = 16
_EXTENSIONS: Final = 16
"""Messages of known answers that are waited for, so that waiting has an end."""
_WAITING: Final = 32
_HISTORY: Final = 512
_FLAGS: Final = RESPONSE | AUTHORITATIVE


class Deferred:
    """A query whose known answers are still coming (RFC 6762 7.2)."""

    __slots__ = ("due", "ident", "known", "messages", "one", "questions")

    def __init__(self, one: Received, ident: int) -> None:
        self.one = one
        self.ident = ident
        self.due = 0
        self.messages = 0
        self.questions: list[Question] = []
        self.known: list[Record] = []


class Direct:
    """An answer by unicast that waits."""

    __slots__ = ("due", "ident", "one", "records")

    def __init__(self, one: Received, ident: int, records: list[Own], due: int) -> None:
        self.one = one
        self.ident = ident
        self.records = records
        self.due = due


class Answerer(TimerOwner):
    """The answers of one link.  `holdings` is None while there is no name to answer for."""

    __slots__ = (
        "_counters",
        "_deferred",
        "_direct",
        "_last",
        "_means",
        "_nic",
        "_pending",
        "_timer",
        "holdings",
        "socket",
    )

    def __init__(
        self, means: LinkMeans, counters: MdnsCounters, nic: Nic, socket: Datagram
    ) -> None:
        self.holdings: Holdings | None = None
        self.socket = socket
        self._means = means
        self._counters = counters
        self._nic = nic
        self._timer = Timer(self)
        self._deferred: dict[bytes, Deferred] = {}
        self._direct: list[Direct] = []
        self._pending: dict[tuple[int, str, int, bytes], tuple[int, Own]] = {}
        self._last: dict[tuple[int, str, int, bytes], int] = {}

    def stop(self) -> None:
        """Answer nothing any more, not even what is waiting."""
        self._timer.disarm()
        self._deferred.clear()
        self._direct.clear()
        self._pending.clear()
        self.holdings = None

    # Queries.

    def query(self, message: Message, one: Received) -> None:
        """A query; the name is ours."""
        waiting = self._deferred.get(one.address)
        plain = one.port == MDNS.port and not message.authority  # no stranger, and no probe
        more = plain and bool(message.flags & link_message.TRUNCATED)
        if waiting is None and more and len(self._deferred) < _DEFERRED:
            waiting = self._deferred[one.address] = Deferred(one, message.ident)
            self._counters.deferred += 1
        if waiting is None or not plain:
            self._respond(message, one)
            return
        waiting.questions = (waiting.questions + message.questions)[: link_message.QUESTIONS]
        waiting.known = (waiting.known + message.answers)[: link_message.RECORDS]
        waiting.messages += 1
        if more and waiting.messages <= _EXTENSIONS:
            waiting.due = self._after(_LONG)
            self._arm()

    def _respond(self, message: Message, one: Received) -> None:
        """Answer a query that is whole."""
        found = self._unknown(message.questions, message.answers)
        if one.port != MDNS.port:
            if found:
                self._legacy(message, list(found), one)
            return
        probe = self.holdings is not None and _is_probe(message, self.holdings)
        delay = self._random(_SHORT) if len(message.questions) > 1 and not probe else 0
        self._choose(found, message.ident, one, delay, probe)

    def _unknown(self, questions: list[Question], known: list[Record]) -> dict[Own, bool]:
        """The answers that the querier does not have, and whether it wants them by unicast.

        A set of records goes as a whole or not at all: it has the cache-flush bit (10.2).
        """
        found: dict[Own, bool] = {}
        for question in questions if self.holdings is not None else ():
            assert self.holdings is not None
            answers = self.holdings.answers(question)
            for kind in {own.type for own in answers}:
                whole = [own for own in answers if own.type == kind]
                if all(own.known(known) for own in whole):
                    self._counters.suppressed += len(whole)
                    continue
                for own in whole:
                    found[own] = found.get(own, True) and question.unicast
        return found

    def _choose(
        self, found: dict[Own, bool], ident: int, one: Received, delay: int, probe: bool
    ) -> None:
        """To all, to the querier, or both (5.4, 5.5)."""
        size = len(one.address)
        direct = [own for own, unicast in found.items() if unicast or one.group == UNICAST]
        to_all = [own for own in found if own not in direct or not self._recent(size, own)]
        to_one = [own for own in direct if probe or own not in to_all]
        due = self._means.env.now + delay
        self._say(to_all, size, due, _DEFENCE if probe else _INTERVAL)
        if to_one:
            self._tell(to_one, ident, one, due)

    def _recent(self, size: int, own: Own) -> bool:
        """Everybody has heard it in the last quarter of its lifetime (5.4)."""
        last = self._last.get(_ident(size, own))
        return last is not None and self._means.env.now - last < _RECENT

    # By multicast.

    def announce(self, records: list[Own], sizes: list[int]) -> None:
        """Say `records` on these families as soon as that is allowed."""
        for size in sizes:
            self._say(records, size, self._means.env.now, _INTERVAL)

    def _say(self, records: list[Own], size: int, due: int, interval: int) -> None:
        for own in records:
            ident = _ident(size, own)
            when = max(due, self._last.get(ident, -interval) + interval)
            before = self._pending.get(ident)
            if before is None or when < before[0]:
                self._pending[ident] = (when, own)
        self._flush()

    def free(self, records: list[Own], sizes: list[int]) -> int:
        """When all of `records` may be multicast again (RFC 6762 6)."""
        idents = (_ident(size, own) for own in records for size in sizes)
        return max((self._last.get(ident, -_INTERVAL) + _INTERVAL for ident in idents), default=0)

    def said(self, own: Own, size: int) -> None:
        """Everybody has heard it: from us, or from another who says the same (7.4)."""
        ident = _ident(size, own)
        if self._pending.pop(ident, None) is not None:
            self._counters.suppressed += 1
        self.note(own, size)

    def note(self, own: Own, size: int) -> None:
        """It was multicast just now."""
        while len(self._last) >= _HISTORY:
            del self._last[next(iter(self._last))]
        ident = _ident(size, own)
        self._last.pop(ident, None)
        self._last[ident] = self._means.env.now

    def _flush(self) -> None:
        """Send what is due; wait for the rest."""
        now = self._means.env.now
        for size in (4, 16):
            due = [
                own
                for ident, (when, own) in self._pending.items()
                if ident[0] == size and when <= now
            ]
            if due:
                for own in due:
                    del self._pending[_ident(size, own)]
                self._multicast(due, size)
        direct, self._direct = self._direct, []
        for one in direct:
            if one.due <= now:
                self._unicast(one)
            else:
                self._direct.append(one)
        self._arm()

    def _multicast(self, records: list[Own], size: int) -> None:
        holdings = self.holdings
        if holdings is None or size not in self._means.families(self._nic):
            return
        records += self._fresh(holdings.rest(records), size)
        beside = self._fresh(holdings.beside(records), size)
        room = self._means.room(self._nic, size, MDNS.most)
        for wire in messages(0, _FLAGS, records, beside, room):
            send(self.socket, wire, MDNS.groups[size], MDNS.port, self._nic.index)
            self._counters.answers += 1
        for own in (*records, *beside):
            self._pending.pop(_ident(size, own), None)
            self.note(own, size)

    def _fresh(self, records: list[Own], size: int) -> list[Own]:
        """Those that may be said again."""
        old = self._means.env.now - _INTERVAL
        return [own for own in records if self._last.get(_ident(size, own), old) <= old]

    # By unicast.

    def _tell(self, records: list[Own], ident: int, one: Received, due: int) -> None:
        if not self._means.on_link(self._nic, one.address):
            self._counters.refused += 1
            return
        if len(self._direct) < _WAITING:
            self._direct.append(Direct(one, ident, records, due))
        self._flush()

    def _unicast(self, direct: Direct) -> None:
        holdings, one = self.holdings, direct.one
        if holdings is None:
            return
        room = self._means.room(self._nic, len(one.address), MDNS.most)
        beside = holdings.beside(direct.records)
        for wire in messages(direct.ident, _FLAGS, direct.records, beside, room):
            self._send(wire, one)

    def _legacy(self, message: Message, records: list[Own], one: Received) -> None:
        """A conventional answer, for a resolver that knows nothing of mDNS (6.7)."""
        if not self._means.on_link(self._nic, one.address):
            self._counters.refused += 1
            return
        writer = Writer(
            message.ident, _FLAGS, self._means.room(self._nic, len(one.address), MDNS.most)
        )
        for question in message.questions:
            writer.question(question, question.unicast)
        for own in records:
            section = AUTHORITY if own.type == link_message.NSEC else ANSWER
            if not own.write(writer, section, LEGACY_TTL, False):
                writer.mark(link_message.TRUNCATED)
        self._send(writer.wire(), one)

    def _send(self, wire: bytes, one: Received) -> None:
        if send(self.socket, wire, one.address, one.port, self._nic.index) == status.OK:
            self._counters.unicast += 1
        else:
            self._counters.refused += 1

    # Waiting.

    def _random(self, span: tuple[int, int]) -> int:
        return span[0] + self._means.env.random_below(span[1] + 1)

    def _after(self, span: tuple[int, int]) -> int:
        return self._means.env.now + self._random(span)

    def _arm(self) -> None:
        due = min(
            min((when for when, _ in self._pending.values()), default=NEVER),
            min((one.due for one in self._direct), default=NEVER),
            min((one.due for one in self._deferred.values()), default=NEVER),
        )
        self._means.timers.arm(self._timer, due)

    def fired(self, timer: Timer) -> None:
        now = self._means.env.now
        for address, one in list(self._deferred.items()):
            if one.due <= now:
                del self._deferred[address]
                found = self._unknown(one.questions, one.known)
                self._choose(found, one.ident, one.one, 0, False)
        self._flush()


def _ident(size: int, own: Own) -> tuple[int, str, int, bytes]:
    return size, own.key, own.type, own.data


def _is_probe(message: Message, holdings: Holdings) -> bool:
    """Somebody proposes records with a name of ours (RFC 6762 8.1)."""
    return any(holdings.has(record.key) for record in message.authority)


def messages(
    ident: int, flags: int, records: list[Own], beside: list[Own], room: int, ttl: int = TTL
) -> list[bytes]:
    """Responses with `records` and, where there is room, what goes `beside` them."""
    wires: list[bytes] = []
    writer = Writer(ident, flags, room)
    for own in records:
        if not own.write(writer, ANSWER, ttl, True):
            if not writer.empty:
                wires.append(writer.wire())
            writer = Writer(ident, flags, room)
            own.write(writer, ANSWER, ttl, True)
    for own in beside:
        if not own.write(writer, ADDITIONAL, ttl, True):
            break
    if not writer.empty:
        wires.append(writer.wire())
    return wires
