# SPDX-License-Identifier: MIT
"""Floor 6: one name and type asked for on the link, for a lookup (RFC 4795 2.2, RFC 6762 5.1).

The first answer that has something ends it, and so does one without anything from every interface
and family asked: some speak of one family over one.  mDNS's NSEC is said for both (6.1, 6.2).  An
LLMNR answer that did not fit is fetched by TCP from who gave it; tentative ones are not
believed; answers with the C bit are collected and stand before others.  After the end the socket
listens on for a moment: two responders on one link who both think that a name is theirs are told
so, by a query with the C bit (4.2).

Asked for by `question`, made by `link_names`.
"""

from __future__ import annotations

from typing import Final

from stack.base import addr, status
from stack.base.units import SECOND
from stack.services import link_message
from stack.services.dns_message import Record as Answer
from stack.services.dns_message import Reply
from stack.services.dns_tcp import TcpQuestion, TcpUser
from stack.services.exchange import Asker, Exchanger
from stack.services.link_means import LinkMeans, LlmnrCounters, MdnsCounters
from stack.services.link_message import (
    ADDITIONAL,
    CONFLICT,
    IN,
    NSEC,
    RESPONSE,
    TENTATIVE,
    TRUNCATED,
    Message,
    Question,
    Record,
    Writer,
)
from stack.services.link_query import (
    JITTER_INTERVAL,
    LLMNR,
    LLMNR_TIMEOUT,
    MDNS,
    LinkQuery,
    Protocol,
    QueryUser,
)
from stack.services.means import AAAA, CNAME, PTR, A, Means, Server
from stack.transport.datagram_seam import Received

_RESPONDERS: Final = 16
"""Different ones that are remembered; answers of more are not looked at."""
_ADDRESSES: Final = {A: 4, AAAA: 16}


class LinkExchange(Exchanger, QueryUser, TcpUser):
    """One name and type, everybody on the link."""

    __slots__ = (
        "_asker",
        "_chosen",
        "_clear",
        "_counters",
        "_fetch",
        "_from",
        "_kind",
        "_means",
        "_means_tcp",
        "_name",
        "_protocol",
        "_query",
        "_question",
        "_responders",
        "_shared",
        "_told",
    )

    def __init__(
        self,
        asker: Asker,
        means: LinkMeans,
        counters: LlmnrCounters | MdnsCounters,
        protocol: Protocol,
        wanted: tuple[str, int],
        by_tcp: Means,
    ) -> None:
        self._asker: Asker | None = asker
        self._means = means
        self._means_tcp = by_tcp
        self._counters = counters
        self._protocol = protocol
        self._name, self._kind = wanted
        self._question = Question(link_message.name(self._name), self._kind)
        nics = means.links()
        self._query = LinkQuery(self, means, counters, protocol, self._question, nics)
        self._responders: dict[tuple[int, int], dict[bytes, Message]] = {}
        self._clear: Reply | None = None  # the best answer without the C bit
        self._shared: Reply | None = None  # all those with it
        self._fetch: TcpQuestion | None = None
        self._from = (0, 0)  # interface and family of that
        self._told: set[tuple[int, int]] = set()

    def start(self) -> None:
        """Ask."""
        result = self._query.start()
        if result != status.OK:
            self._end(None, result)

    def stop(self) -> None:
        """Nobody waits any more.  The socket closes when the last answers have come."""
        self._asker = None
        fetch, self._fetch = self._fetch, None
        if fetch is not None:
            fetch.stop()
        if self._protocol is LLMNR and self._responders:
            self._query.linger(LLMNR_TIMEOUT + JITTER_INTERVAL)
        else:
            self._query.stop()

    def _end(self, reply: Reply | None, result: int) -> None:
        asker = self._asker
        self.stop()
        if asker is not None:
            asker.replied(reply, result)

    # QueryUser.

    def heard(self, one: Received, message: Message) -> None:
        llmnr = self._protocol is LLMNR
        if llmnr and message.flags & TENTATIVE:
            return
        link = (one.scope, len(one.address))
        known = self._responders.setdefault(link, {})
        if one.address in known or len(known) >= _RESPONDERS:
            return
        known[one.address] = message
        if llmnr and len(known) > 1:
            self._warn(link, known)
        if self._asker is None:
            return
        if llmnr and message.flags & TRUNCATED:
            self._fetch_from(one)
            return
        self._judge(message, link, llmnr and bool(message.flags & CONFLICT))

    def over(self) -> None:
        if self._fetch is None:
            self._conclude()

    def _conclude(self) -> None:
        """Nobody else will answer."""
        reply = self._shared or self._clear
        self._end(reply, status.OK if reply is not None else status.NO_NAME)

    def _judge(self, message: Message, link: tuple[int, int], shared: bool) -> None:
        """A whole answer from `link`, an interface and a family."""
        reply = self._reply(message, link[0])
        if shared:
            # Others with the bit belong to it; a clear one that comes yet does not (2.2).
            if self._shared is None:
                self._shared = reply
                self._query.linger(LLMNR_TIMEOUT + JITTER_INTERVAL)
            else:
                self._shared.answers += reply.answers
            return
        query = self._query
        useful = any(answer.owner == self._name for answer in reply.answers)
        if self._protocol is MDNS and not useful:
            if not message.questions:
                return  # an answer to something else
            useful = self._denied(message)
        query.answered.add(link)
        if self._clear is None or useful:
            self._clear = reply
        if self._shared is None and (useful or query.asked <= query.answered):
            self._end(self._clear, status.OK)

    def _reply(self, message: Message, index: int) -> Reply:
        """The message as a name server would have said it."""
        reply = Reply(message.ident, RESPONSE)
        reply.name, reply.type = self._name, self._kind
        seconds = link_message.negative_ttl(message)
        reply.negative_ttl = max(seconds, 0) * SECOND
        for record in message.answers:
            value = _value(record)
            if value is not None and record.ttl and record.rdclass == IN:
                far = isinstance(value, str) or not addr.is_link_local(value)
                scope = 0 if far else index
                ttl = record.ttl * SECOND
                reply.answers.append(Answer(record.key, record.type, ttl, value, scope))
        return reply

    def _denied(self, message: Message) -> bool:
        """mDNS says that the name has nothing of the kind (RFC 6762 6.1)."""
        sections = (message.answers, message.authority, message.additional)
        records = [record for section in sections for record in section]
        return any(r.type == NSEC and r.key == self._name for r in records)

    # Conflicts.

    def _warn(self, link: tuple[int, int], known: dict[bytes, Message]) -> None:
        """Two responders for one name (RFC 4795 4.2), told once."""
        clear = any(not message.flags & CONFLICT for message in known.values())
        if not clear or link in self._told:
            return
        self._told.add(link)
        writer = Writer(self._query.ident, CONFLICT, 512)
        writer.question(self._question)
        for message in known.values():
            for record in message.answers:
                if record.key == self._name and record.type in _ADDRESSES:
                    owner, ttl = self._question.name, record.ttl
                    writer.record(ADDITIONAL, owner, record.type, ttl, (record.data,))
        self._query.tell(writer.wire(), *link)

    # By TCP.

    def _fetch_from(self, one: Received) -> None:
        """The answer did not fit: ask for it by TCP, on this link only (RFC 4795 2.4, 2.5)."""
        if self._fetch is not None or not isinstance(self._counters, LlmnrCounters):
            return
        self._counters.truncated += 1
        self._counters.asked_tcp += 1
        writer = Writer(self._query.ident, 0, 512)
        writer.question(self._question)
        self._from = (one.scope, len(one.address))
        self._fetch = TcpQuestion(self, self._means_tcp, writer.wire())
        result = self._fetch.start(Server(one.address, one.scope), LLMNR.port, 1)
        if result != status.PENDING:
            self._fetch = None
            return
        self._query.linger(self._means_tcp.config.dns_tcp_timeout)

    def tcp_answered(self, wire: bytes) -> None:
        self._fetch = None
        message = link_message.read(wire)
        if message is None:
            self._counters.malformed += 1
        elif message.rcode or message.flags & TRUNCATED or not self._query.fits(message):
            self._counters.refused += 1
        else:
            self._counters.replies += 1
            self._judge(message, self._from, bool(message.flags & CONFLICT))
            if self._asker is None:
                return
        self._conclude()

    def tcp_failed(self, result: int) -> None:
        self._fetch = None
        self._conclude()


def _value(record: Record) -> bytes | str | None:
    """What a lookup makes of a record, None if nothing."""
    if record.type in (CNAME, PTR):
        return record.target
    return record.data if len(record.data) == _ADDRESSES.get(record.type, -1) else None
