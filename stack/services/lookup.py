# SPDX-License-Identifier: MIT
"""Floor 6: one user's lookup, from what he wrote to what he is told.

Names to try come from the search list; each is looked for in the hosts file and, all its types at
once, in the DNS.  The next name is tried where the last one does not exist; silence of the servers
ends it, since the next name would meet the same silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack.base import addr, status
from stack.base.worklist import Workable
from stack.services import domain
from stack.services.dns_cache import Outcome
from stack.services.means import AAAA, DNS, PTR, A
from stack.transport.naming import Found, NameSink

if TYPE_CHECKING:
    from stack.services.question import Question
    from stack.services.resolver import Resolver

_TYPES = ((addr.V6, AAAA), (addr.V4, A))


class Lookup(Workable):
    """Names to try, and what has been learnt of the current one."""

    __slots__ = (
        "_at",
        "_fatal",
        "_outcomes",
        "_questions",
        "_tries",
        "_trouble",
        "_types",
        "resolver",
        "sink",
        "token",
    )

    def __init__(
        self,
        resolver: Resolver,
        sink: NameSink,
        token: object,
        tries: list[tuple[str, int]],
        types: list[int],
    ) -> None:
        """`tries` are names, and whom each is asked of."""
        super().__init__()
        self.resolver = resolver
        self.sink = sink
        self.token = token
        self._tries = tries
        self._types = types
        self._at = -1
        self._questions: list[Question] = []
        self._outcomes: list[Outcome] = []
        self._trouble = status.NO_NAME
        self._fatal = False  # the DNS does not answer: no more of it

    @property
    def name(self) -> str:
        """The name that is being tried."""
        return self._tries[self._at][0]

    @property
    def via(self) -> int:
        """Whom it is asked of."""
        return self._tries[self._at][1]

    def answered(self, question: Question, outcome: Outcome) -> None:
        """One of the questions is over."""
        self._questions.remove(question)
        self._outcomes.append(outcome)
        if not self._questions:
            self.resolver.work.mark(self)

    def stop(self) -> None:
        """Nobody waits any more."""
        questions, self._questions = self._questions, []
        for question in questions:
            question.leave(self)

    def advance(self) -> None:
        """Judge what came, or try the next name.  Called in the resolver's turn."""
        if self not in self.resolver.lookups or self._questions:
            return
        if self._at >= 0 and self._judged():
            return
        self._at += 1
        while self._fatal and self._at < len(self._tries) and self.via == DNS:
            self._at += 1
        if self._at >= len(self._tries):
            self._end(self._trouble, None)
            return
        found = self.local()
        if found is not None:
            self._end(status.OK if found.addresses or found.canonical else status.NO_NAME, found)
            return
        self._ask()

    def _ask(self) -> None:
        self._outcomes = []
        for kind in self._types:
            known = self.resolver.ask(self.name, kind, self.via, self)
            if known is not None:
                self._outcomes.append(known)
        if not self._questions:
            self.resolver.work.mark(self)

    def asked(self, question: Question) -> None:
        """The resolver asks `question` for this lookup."""
        self._questions.append(question)

    def _judged(self) -> bool:
        """What came decides the lookup."""
        values = [value for outcome in self._outcomes for value in outcome.values]
        if values:
            canonical = next(o.canonical for o in self._outcomes if o.values)
            scopes = {a: index for o in self._outcomes for a, index in o.scopes.items()}
            found = self.found(canonical, values, scopes)
            self._end(status.OK if found else status.NO_NAME, found)
            return True
        for outcome in self._outcomes:
            if outcome.status == status.NO_NAME or self._fatal:
                continue
            self._trouble = outcome.status
            self._fatal = outcome.status != status.SERVER_FAILED
        return False

    def _end(self, result: int, found: Found | None) -> None:
        self.resolver.finished(self)
        self.sink.named(self.token, result, found if result == status.OK else None)

    # What is looked for.

    def local(self) -> Found | None:
        """What this host knows of `name` without asking; an empty one if it must not ask."""
        raise NotImplementedError

    def found(
        self, canonical: str, values: list[bytes | str], scopes: dict[bytes, int]
    ) -> Found | None:
        """The answer made of `values`, None if they are of no use."""
        raise NotImplementedError


class AddressLookup(Lookup):
    """The addresses of a name."""

    __slots__ = ("_families",)

    def __init__(
        self,
        resolver: Resolver,
        sink: NameSink,
        token: object,
        tries: list[tuple[str, int]],
        families: int,
        asked: int,
    ) -> None:
        """`families` are wanted, `asked` of them may be asked for."""
        types = [kind for family, kind in _TYPES if family & families & asked]
        super().__init__(resolver, sink, token, tries, types)
        self._families = families

    def local(self) -> Found | None:
        name = self.name
        hosts = self.resolver.hosts
        addresses = hosts.addresses(name)
        own = self.resolver.own(name) if addresses is None else {}
        if own:
            addresses = list(own)
        kind = domain.kind(name)
        if kind == domain.LOOPBACK:
            addresses = [addr.LOOPBACK6, addr.LOOPBACK4]
        elif kind == domain.NOWHERE:
            return Found(name, "")
        elif addresses is None:
            return None
        addresses = [a for a in addresses if addr.family(a) & self._families]
        canonical = hosts.canonical(name) if addresses else ""
        scopes = {a: own[a] for a in addresses if a in own and addr.is_link_scope(a)}
        return Found(name, canonical, self.resolver.order(addresses), scopes)

    def found(
        self, canonical: str, values: list[bytes | str], scopes: dict[bytes, int]
    ) -> Found | None:
        addresses = [value for value in values if isinstance(value, bytes)]
        shown = canonical if domain.sound(canonical) else self.name
        return Found(self.name, shown, self.resolver.order(addresses), scopes)


class NameLookup(Lookup):
    """The name of an address."""

    __slots__ = ("_address",)

    def __init__(self, resolver: Resolver, sink: NameSink, token: object, address: bytes) -> None:
        name = domain.reverse(address)
        super().__init__(resolver, sink, token, [(name, resolver.via(name))], [PTR])
        self._address = address

    def local(self) -> Found | None:
        name = self.resolver.hosts.name(self._address)
        if not name and addr.is_loopback(self._address):
            name = "localhost"
        elif not name and not self._nobodys():
            return None
        return Found(name, name)

    def _nobodys(self) -> bool:
        """No server can know the name of the address (RFC 6303 4)."""
        address = self._address
        near = addr.is_link_local(address) and self.via == DNS
        return addr.is_unspecified(address) or near

    def found(
        self, canonical: str, values: list[bytes | str], scopes: dict[bytes, int]
    ) -> Found | None:
        """The first name that can be a host's: what a stranger chose is shown to users."""
        for value in values:
            if isinstance(value, str) and domain.sound(value):
                return Found(value, value)
        return None
