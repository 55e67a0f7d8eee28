# SPDX-License-Identifier: MIT
"""Floor 6: one name and type on behalf of everybody who asks for it at the moment.

Asking once for all keeps a guesser from getting many tries (RFC 5452 5).  Aliases are followed,
within an answer and by asking on, LINKS of them at most (RFC 1034 3.6.2, 5.2.2): more are a loop.
Only records of the chain that begins with the name asked for are believed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stack.base import status
from stack.base.worklist import Workable
from stack.services.dns_cache import Outcome
from stack.services.dns_message import NXDOMAIN, Record, Reply
from stack.services.exchange import Asker, Exchanger
from stack.services.means import CNAME, DNS

if TYPE_CHECKING:
    from stack.services.lookup import Lookup
    from stack.services.resolver import Resolver

LINKS: Final = 8


class Question(Workable, Asker):
    """A question that is being asked."""

    __slots__ = (
        "_exchange",
        "_lifetime",
        "_links",
        "_resolver",
        "_target",
        "_waiters",
        "kind",
        "name",
        "reply",
        "result",
        "via",
    )

    def __init__(self, resolver: Resolver, name: str, kind: int, via: int = DNS) -> None:
        super().__init__()
        self.name = name
        self.kind = kind
        self.via = via
        self._resolver = resolver
        self._waiters: list[Lookup] = []
        self._target = name  # where the aliases have led so far
        self._links = 0
        self._lifetime = resolver.means.config.dns_max_ttl
        self._exchange: Exchanger | None = None
        self.reply: Reply | None = None
        self.result = status.OK
        self._ask()

    def join(self, lookup: Lookup) -> None:
        """`lookup` wants to know too."""
        self._waiters.append(lookup)

    def leave(self, lookup: Lookup) -> None:
        """`lookup` does not any more; the last one stops the asking."""
        self._waiters.remove(lookup)
        if not self._waiters:
            self._stop()

    def replied(self, reply: Reply | None, result: int) -> None:
        self._exchange = None
        self.reply = reply
        self.result = result
        self._resolver.work.mark(self)

    def advance(self) -> None:
        """Go on from what was replied.  Called in the resolver's turn."""
        if not self._waiters:
            return
        if self.reply is None:
            self._finish(Outcome(self.result, self._target))
            return
        values = self._follow(self.reply)
        if values:
            scopes = {
                record.value: record.scope
                for record in self.reply.answers
                if record.scope and isinstance(record.value, bytes)
            }
            self._finish(Outcome(status.OK, self._target, values, self._lifetime, scopes=scopes))
        elif self._links > LINKS:
            self._finish(Outcome(status.SERVER_FAILED, self.name))
        elif (
            self._moved
            and self.via == DNS
            and self.reply.code != NXDOMAIN
            and self.reply.negative_ttl < 0
        ):
            self._ask_on()
        else:
            self._finish(self._nothing(self.reply))

    @property
    def _moved(self) -> bool:
        assert self.reply is not None
        return self._target != self.reply.name

    def _follow(self, reply: Reply) -> list[bytes | str]:
        """What the chain in `reply` ends with, moving `_target` along it."""
        by_owner: dict[str, list[Record]] = {}
        for record in reply.answers:
            if record.type in (self.kind, CNAME):
                by_owner.setdefault(record.owner, []).append(record)
        while self._links <= LINKS:
            here = by_owner.get(self._target, [])
            wanted = [record for record in here if record.type == self.kind]
            if wanted:
                self._lifetime = min(self._lifetime, *(record.ttl for record in wanted))
                return [record.value for record in wanted]
            alias = next(iter(here), None)
            if alias is None:
                return []
            self._links += 1
            self._lifetime = min(self._lifetime, alias.ttl)
            self._target = str(alias.value)
        return []

    def _ask_on(self) -> None:
        """The answer ends in an alias whose target it does not have."""
        known = self._resolver.known(self._target, self.kind, self.via)
        if known is None:
            self._ask()
            return
        lifetime = min(self._lifetime, known.lifetime)
        self._finish(Outcome(known.status, known.canonical, known.values, lifetime))

    def _nothing(self, reply: Reply) -> Outcome:
        """There is no such name, or it has nothing of the kind."""
        lifetime = min(self._lifetime, max(reply.negative_ttl, 0))
        return Outcome(status.NO_NAME, self._target, (), lifetime, reply.code == NXDOMAIN)

    def _ask(self) -> None:
        self._exchange = self._resolver.exchange(self, self._target, self.kind, self.via)
        self._exchange.start()

    def _finish(self, outcome: Outcome) -> None:
        waiters, self._waiters = self._waiters, []
        self._stop()
        self._resolver.keep(self, outcome)
        for lookup in waiters:
            lookup.answered(self, outcome)

    def _stop(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.stop()
        self._resolver.forget(self)
