# SPDX-License-Identifier: MIT
"""Floor 6: whose a name is on one link: uniqueness verification and conflicts (RFC 4795 4).

    TENTATIVE   being verified: answers have the T bit
    UNIQUE      nobody else answered: answers do not have it
    CONFLICTED  somebody else has the name: no answers, until his answer's lifetime is over

A name is verified when its interface comes up and when it gets an address (4.1), by asking for it.
An established answer takes the name away, a tentative one does if it comes from the smaller
address.  A query with the C bit says that there may be a conflict (4.2): then the name is asked for
again, and the smaller address keeps it.

Owned by `llmnr`.
"""

from __future__ import annotations

from typing import Final

from stack.base import status
from stack.base.timers import Timer
from stack.base.units import SECOND
from stack.link.nic import Nic
from stack.services import link_message
from stack.services.link_means import LinkMeans, LlmnrCounters
from stack.services.link_message import ANY, Message, Question
from stack.services.link_message import TENTATIVE as T_BIT
from stack.services.link_query import LLMNR, LinkQuery, QueryUser
from stack.services.responder import IDLE as IDLE
from stack.services.responder import LinkName
from stack.transport.datagram_seam import Received

TENTATIVE: Final = 1
UNIQUE: Final = 2
CONFLICTED: Final = 3

STATE_NAMES: Final = ("idle", "tentative", "unique", "conflicted")

TTL: Final = 30
"""Seconds; RFC 4795 2.8."""
_LONGEST_REST: Final = 3600
_CHECK_INTERVAL: Final = 1 * SECOND
"""C bits are advice from anybody, each worth up to three queries: they are heeded so often."""


class Claim(QueryUser, LinkName):
    """The host's name on one interface."""

    __slots__ = ("_checked", "_counters", "_label", "_query", "_timer")

    states = STATE_NAMES

    def __init__(self, means: LinkMeans, counters: LlmnrCounters, label: str, nic: Nic) -> None:
        super().__init__(means, nic)
        self._counters = counters
        self._label = label
        self._query: LinkQuery | None = None
        self._timer = Timer(self)
        self._checked = -_CHECK_INTERVAL

    @property
    def name(self) -> str:
        return self._label

    @property
    def answers(self) -> bool:
        """Queries for the name are answered."""
        return self.state in (TENTATIVE, UNIQUE)

    def refresh(self) -> None:
        if self.state != CONFLICTED:
            self._means.timers.arm(self._timer, self._means.env.now)

    def check(self, question: Question) -> None:
        """Somebody says that there is a conflict (RFC 4795 4.2)."""
        now = self._means.env.now
        if self.state != UNIQUE:
            return  # found out already, or being found out
        if self._query is not None or now - self._checked < _CHECK_INTERVAL:
            self._counters.throttled += 1
            return
        self._checked = now
        self._ask(question)

    def stop(self, goodbye: bool) -> None:
        self._timer.disarm()
        self._forget()
        self.state = IDLE

    def fired(self, timer: Timer) -> None:
        """Time to verify, at first or after a conflict."""
        self._forget()
        if self._means.families(self.nic):
            self._enter(TENTATIVE)
            self._ask(Question(link_message.name(self._label), ANY))
        else:
            self.state = IDLE

    def _ask(self, question: Question) -> None:
        means = self._means
        query = LinkQuery(self, means, self._counters, LLMNR, question, [self.nic])
        if query.start() == status.OK:
            self._query = query
        else:
            means.timers.arm(self._timer, means.env.now + SECOND)

    def _forget(self) -> None:
        query, self._query = self._query, None
        if query is not None:
            query.stop()

    # Hearing, as the sender of the query.

    def heard(self, one: Received, message: Message) -> None:
        smaller = one.address < one.local
        if (message.flags & T_BIT or self.state == UNIQUE) and not smaller:
            return  # it is for him to give way
        self._counters.conflicts += 1
        self._forget()
        self._enter(CONFLICTED)
        rest = max((record.ttl for record in message.answers), default=TTL)
        rest = min(max(rest, TTL), _LONGEST_REST)
        self._means.timers.arm(self._timer, self._means.env.now + rest * SECOND)

    def over(self) -> None:
        self._query = None
        if self.state == TENTATIVE:
            self._counters.verified += 1
            self._enter(UNIQUE)
