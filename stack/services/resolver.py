# SPDX-License-Identifier: MIT
"""Floor 6: the `NameService`: a stub resolver over this host's own UDP and TCP (RFC 1034 5.3.1).

Done: RFC 1035 7, RFC 1123 6.1 for stubs, RFC 2308, 3596, 5452, 6724 6, 6761, 6891, 7766, 9520.
Names on the link (RFC 4795, RFC 6762) are asked for through `link`, where that is switched on.
Not done: iteration, DNSSEC, encrypted transports (RFC 7858, 8484).

Everything goes on in `settle`, in the indicate phase: what arrives meanwhile only marks.  Made by
`on_demand`; asked by WSK through the seam.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stack.base import addr, status
from stack.base.worklist import Worklist
from stack.ip import destination
from stack.ip.host import IpHost
from stack.ip.policy import scope
from stack.services import domain
from stack.services.dns_cache import Cache, Outcome
from stack.services.hosts import Hosts
from stack.services.lookup import AddressLookup, Lookup, NameLookup
from stack.services.means import DNS, LLMNR, MDNS, Means, NameCounters, Server
from stack.transport.naming import NameService, NameSink
from stack.transport.seam import Provider

if TYPE_CHECKING:
    from stack.services.exchange import Asker, Exchanger
    from stack.services.link_names import LinkNames
    from stack.services.question import Question

_GLOBAL = 5


class Resolver(NameService):
    """Names for one stack."""

    def __init__(self, host: IpHost, udp: Provider, tcp: Provider) -> None:
        config = host.config
        self._host = host
        self._config = config
        self._questions: dict[tuple[str, int, int], Question] = {}
        self._search: list[str] = []
        self.means = Means(host.env, host.timers, udp, tcp, config)
        self.counters: NameCounters = self.means.counters
        self.hosts = Hosts(config.dns_hosts)
        self.cache = Cache(
            config.dns_cache_limit,
            config.dns_max_ttl,
            config.dns_negative_ttl,
            config.dns_failure_ttl,
        )
        self._link_cache = Cache(
            config.dns_cache_limit,
            config.dns_max_ttl,
            config.dns_negative_ttl,
            config.dns_failure_ttl,
        )
        self.link: LinkNames | None = None
        self.work: Worklist[Lookup | Question] = Worklist(host.env.executor)
        self.lookups: dict[Lookup, None] = {}
        self._given: tuple[list[Server], list[str]] = ([], [])
        host.name_servers.watchers.append(self._follow)
        self.use(config.dns_servers, config.dns_search)

    def use(self, servers: Sequence[str], search: Sequence[str] = ()) -> None:
        """Ask these servers from now on, and try these domains, before those that the network
        names.  Raises ValueError for a server that is no address.  What older servers said is
        forgotten."""
        self._given = ([Server.read(text) for text in servers], list(search))
        self._follow()

    def _follow(self) -> None:
        """Servers and domains are others: given ones first, then those of RAs and DHCP."""
        servers, search = self._given
        heard = self._host.name_servers
        self.means.servers = [*servers, *(Server(*one) for one in heard.servers())][:8]
        names = (name for name, _ in map(domain.read, [*search, *heard.search()]) if name)
        self._search = list(dict.fromkeys(names))[:16]
        self.cache.clear()

    # NameService.

    def find_addresses(
        self, name: str, families: int, configured: bool, sink: NameSink, token: object
    ) -> int:
        text, absolute = domain.read(name)
        if not text or not families & (addr.V4 | addr.V6):
            return status.INVALID
        names = domain.candidates(text, absolute, self._search, self._config.dns_ndots)
        if self.via(text) != DNS:
            names = [text]
        tries = [(one, self.via(one)) for one in names]
        if self.link is not None and self.link.asks_llmnr and domain.single(text):
            tries.append((text, LLMNR))  # after all of the DNS has failed (RFC 4795 3)
        asked = self.families() if configured else families
        return self._begin(AddressLookup(self, sink, token, tries, families, asked))

    def find_name(self, address: bytes, sink: NameSink, token: object) -> int:
        if len(address) not in (4, 16):
            return status.INVALID
        return self._begin(NameLookup(self, sink, token, address))

    def _begin(self, lookup: Lookup) -> int:
        if len(self.lookups) >= self._config.dns_lookup_limit:
            return status.NO_MEMORY
        self.counters.lookups += 1
        self.lookups[lookup] = None
        self.work.mark(lookup)
        return status.PENDING

    def cancel(self, token: object) -> bool:
        for lookup in self.lookups:
            if lookup.token is token:
                self.finished(lookup)
                return True
        return False

    def order(self, addresses: Sequence[bytes]) -> list[bytes]:
        return destination.sort(self._host, dict.fromkeys(addresses))

    def families(self) -> int:
        mask = 0
        for layer in self._host.layers.values():
            if any(scope(address) >= _GLOBAL for address in layer.local):
                mask |= layer.mask
        return mask

    def domain(self) -> str:
        return self._search[0] if self._search else ""

    # For lookups and questions.

    def via(self, name: str) -> int:
        """Whom a name is asked of: what is the link's, nobody else (RFC 6762 3, 4)."""
        mdns = self.link is not None and self.link.asks_mdns
        return MDNS if mdns and domain.of_link(name) else DNS

    def ask(self, name: str, kind: int, via: int, lookup: Lookup) -> Outcome | None:
        """What is known of `name`, or None and `lookup` has a question to wait for."""
        if via == DNS and not self.means.servers:
            return Outcome(status.NO_NAME, name)
        known = self.known(name, kind, via)
        if known is not None:
            return known
        question = self._questions.get((name, kind, via))
        if question is None:
            # The codec is imported with the first question that has a server to go to.
            from stack.services.question import Question

            question = self._questions[name, kind, via] = Question(self, name, kind, via)
        question.join(lookup)
        lookup.asked(question)
        return None

    def exchange(self, asker: Asker, name: str, kind: int, via: int) -> Exchanger:
        """A way to find out."""
        from stack.services.exchange import Exchange

        if via == DNS or self.link is None:
            return Exchange(asker, self.means, name, kind)
        return self.link.exchange(asker, name, kind, via, self.means)

    def own(self, name: str) -> dict[bytes, int]:
        """This host's addresses, if `name` is its own on a link, and the interface of each."""
        return {} if self.link is None else self.link.own(name)

    def link_changed(self) -> None:
        """What is asked on the link is another: what was heard there is forgotten."""
        self._link_cache.clear()

    def _cache(self, via: int) -> Cache:
        """The link's answers are kept apart from the DNS's (RFC 4795)."""
        return self.cache if via == DNS else self._link_cache

    def known(self, name: str, kind: int, via: int) -> Outcome | None:
        """What the cache has."""
        known = self._cache(via).get(name, kind, self.means.env.now)
        if known is not None:
            self.counters.cache_hits += 1
        return known

    def keep(self, question: Question, outcome: Outcome) -> None:
        """A question was answered."""
        cache = self._cache(question.via)
        cache.put(question.name, question.kind, outcome, self.means.env.now)

    def forget(self, question: Question) -> None:
        """A question is not asked any more."""
        key = (question.name, question.kind, question.via)
        if self._questions.get(key) is question:
            del self._questions[key]

    def finished(self, lookup: Lookup) -> None:
        """A lookup is over."""
        self.lookups.pop(lookup, None)
        lookup.stop()

    def asking(self) -> int:
        """Questions under way."""
        return len(self._questions)

    # Settling.

    def settle(self) -> None:
        """Go on with whatever something happened to, once each."""
        for item in self.work.take():
            item.advance()
