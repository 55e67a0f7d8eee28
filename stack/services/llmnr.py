# SPDX-License-Identifier: MIT
"""Floor 6: LLMNR responder (RFC 4795): this host's name, for everybody on its links.

Done: 2.1 the header and what is discarded because of it, 2.3 answers for A, AAAA, PTR and ANY with
an empty answer for other types, 2.4 and 2.5 TCP with a hop limit of one and no unicast UDP, 2.6
addresses of the link and in the order of the sender's scope, 2.7 jitter, 2.8 lifetimes, 2.9 SOA and
EDNS, 4 uniqueness (in `llmnr_claim`).  A name that is known to be unique is answered for at once
(2.7 allows it).
Not done: names other than the host's, names shared by design (C bit in answers), TSIG and SIG(0)
(5.3).

Made by `link_names`; messages by TCP come through `llmnr_tcp`.
"""

from __future__ import annotations

from typing import Final

from stack.base import addr, status
from stack.base.packet import MULTICAST
from stack.base.seam import TimerOwner
from stack.base.timers import Timer
from stack.link.nic import Nic
from stack.services import domain, link_message, llmnr_claim
from stack.services.link_means import LinkMeans, LlmnrCounters, send
from stack.services.link_message import (
    ANSWER,
    ANY,
    AUTHORITY,
    CONFLICT,
    IN,
    RESPONSE,
    TENTATIVE,
    TRUNCATED,
    Message,
    Part,
    Question,
    Writer,
)
from stack.services.link_query import JITTER_INTERVAL, LLMNR
from stack.services.llmnr_claim import TTL, Claim
from stack.services.llmnr_tcp import LlmnrListener, TcpResponder
from stack.services.means import AAAA, PTR, SOA, A
from stack.services.responder import Responder
from stack.transport.datagram_seam import Datagram, Received
from stack.transport.seam import SHARE_DEFAULT

_WAITING: Final = 32
"""Answers that wait for their jitter to be over."""
_EDNS_PAYLOAD: Final = 1452
_BADVERS: Final = 16
_TCP_MOST: Final = 65535


class Late(TimerOwner):
    """An answer that waits, because the name is not known to be unique (2.7)."""

    __slots__ = ("_one", "_owner", "_wire", "timer")

    def __init__(self, owner: Llmnr, one: Received, wire: bytes) -> None:
        self._owner = owner
        self._one = one
        self._wire = wire
        self.timer = Timer(self)

    def fired(self, timer: Timer) -> None:
        self._owner.send_late(self, self._one, self._wire)


class Llmnr(Responder[Claim], TcpResponder):
    """The responder of one host."""

    __slots__ = ("_late", "_listener", "_record", "counters")

    protocol = LLMNR
    sharing = SHARE_DEFAULT

    def __init__(self, means: LinkMeans, counters: LlmnrCounters, label: str) -> None:
        super().__init__(means, label)
        self.counters = counters
        self._record = link_message.name(label)
        self._late: dict[Late, None] = {}
        self._listener: LlmnrListener | None = None

    def start(self) -> int:
        listener = LlmnrListener(self, self._means)
        result = listener.start() or super().start()
        if result == status.OK:
            self._listener = listener
        else:
            listener.stop()
        return result

    def stop(self) -> None:
        super().stop()
        for late in self._late:
            late.timer.disarm()
        self._late.clear()
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.stop()

    def make(self, nic: Nic) -> Claim:
        return Claim(self._means, self.counters, self.label, nic)

    def owns(self, nic: Nic, name: str) -> bool:
        claim = self._names.get(nic.index)
        return name == self.label and claim is not None and claim.answers

    # Answering.

    def hear(self, one: Received) -> None:
        socket, counters = self._socket, self.counters
        if socket is None:
            return
        claim = self._names.get(one.scope)
        # 2.4: unicast UDP queries are discarded; 2.5: so is what went to another group.
        right = one.group == MULTICAST and one.local in LLMNR.groups.values()
        right = right and len(one.view) <= LLMNR.most
        if claim is None or not right or not self._means.on_link(claim.nic, one.address):
            counters.refused += 1
            return
        message = link_message.read(bytes(one.view))
        if message is None:
            counters.malformed += 1
            return
        if not _proper(message):
            counters.refused += 1
            return
        counters.queries += 1
        limit = self._means.room(claim.nic, len(one.address), LLMNR.most)
        if message.payload:
            limit = min(limit, max(message.payload, 512))
        wire = self._answer(claim, message, one.address, limit, False)
        if not wire:
            return
        if claim.state == llmnr_claim.UNIQUE:
            self._send(socket, one, wire)
        elif len(self._late) < _WAITING:
            late = Late(self, one, wire)
            self._late[late] = None
            delay = self._means.env.random_below(JITTER_INTERVAL)
            self._means.timers.arm(late.timer, self._means.env.now + delay)
        else:
            counters.throttled += 1

    def send_late(self, late: Late, one: Received, wire: bytes) -> None:
        """The jitter of an answer is over."""
        del self._late[late]
        claim = self._names.get(one.scope)
        if self._socket is not None and claim is not None and claim.answers:
            self._send(self._socket, one, wire)

    def _send(self, socket: Datagram, one: Received, wire: bytes) -> None:
        if send(socket, wire, one.address, one.port, one.scope) == status.OK:
            self.counters.answers += 1
        else:
            self.counters.refused += 1  # there is no way back

    # TcpResponder.

    def admits(self, local: bytes, remote: bytes) -> bool:
        nic = self._nic_of(local)
        return nic is not None and self._means.on_link(nic, remote)

    def tcp_query(self, wire: bytes, local: bytes, remote: bytes) -> bytes:
        nic = self._nic_of(local)
        claim = None if nic is None else self._names.get(nic.index)
        message = link_message.read(wire)
        if message is None:
            self.counters.malformed += 1
            return b""
        if claim is None or not _proper(message):
            self.counters.refused += 1
            return b""
        self.counters.queries_tcp += 1
        answer = self._answer(claim, message, remote, _TCP_MOST, True)
        if answer:
            self.counters.answers += 1
        return answer

    def _nic_of(self, local: bytes) -> Nic | None:
        return self._means.nic(self._means.tcp.interface_of(local))

    # What there is to say.

    def _answer(
        self, claim: Claim, message: Message, asker: bytes, limit: int, by_tcp: bool
    ) -> bytes:
        """The response to a proper query; empty if there is none."""
        (question,) = message.questions
        found = self._found(claim, question, asker)
        if found is None or not claim.answers:
            self.counters.others += found is None
            return b""
        if message.flags & CONFLICT:
            if question.key == self.label:
                claim.check(question)
            return b""
        flags = RESPONSE | (TENTATIVE if claim.state == llmnr_claim.TENTATIVE else 0)
        writer = Writer(message.ident, flags, limit)
        writer.question(question)
        bad = message.edns > 0
        if (bad and not by_tcp) or not self._fill(writer, question, [] if bad else found, bad):
            # Errors and what is too long have their place in TCP (2.1.1).
            writer = Writer(message.ident, flags | TRUNCATED, limit)
            writer.question(question)
            self.counters.truncated += 1
        if message.edns >= 0:
            writer.opt(_EDNS_PAYLOAD, _BADVERS if bad and by_tcp else 0)
        return writer.wire()

    def _fill(
        self, writer: Writer, question: Question, found: list[tuple[int, Part]], bad: bool
    ) -> bool:
        """Write the answer, or that there is none (2.9).  False if there is no room."""
        for kind, part in found:
            if not writer.record(ANSWER, question.name, kind, TTL, (part,)):
                return False
        if found or bad:
            return True
        parts = link_message.soa_parts(question.name, TTL)
        return writer.record(AUTHORITY, question.name, SOA, TTL, parts)

    def _found(
        self, claim: Claim, question: Question, asker: bytes
    ) -> list[tuple[int, Part]] | None:
        """The records that fit, as type and data; None if the name is not ours."""
        if question.rdclass not in (IN, ANY):
            return None
        wanted = question.type
        if question.key == self.label:
            return [
                (kind, address)
                for kind, size in ((A, 4), (AAAA, 16))
                if wanted in (kind, ANY)
                for address in self._ordered(claim.nic, size, asker)
            ]
        for size in (4, 16):
            for address in self._means.addresses(claim.nic, size):
                if domain.reverse(address) == question.key:
                    return [(PTR, self._record)] if wanted in (PTR, ANY) else []
        return None

    def _ordered(self, nic: Nic, size: int, asker: bytes) -> list[bytes]:
        """2.6: addresses of the scope that the asker has first."""
        near = addr.is_link_local(asker)
        own = self._means.addresses(nic, size)
        own.sort(key=lambda address: addr.is_link_local(address) != near)
        return own


def _proper(message: Message) -> bool:
    """A query that 2.1.1 does not want discarded.  TC, T, Z and RCODE of one mean nothing."""
    questions, answers, authority, _ = message.counts
    plain = not message.response and not message.opcode
    return plain and questions == 1 and not answers and not authority
