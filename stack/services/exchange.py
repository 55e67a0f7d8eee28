# SPDX-License-Identifier: MIT
"""Floor 6: one question to the name servers, until one of them answers (RFC 1035 7.1-7.3).

A server that is silent has its turn again in the next round, with twice the time (RFC 1536 1); one
that refuses, fails, or cannot be reached is not asked again.  Every query has a random id and a
socket of its own on a random port; an answer counts only from the address and port asked, with
that id and that question (RFC 5452 4, 9).  Where too many do not fit, somebody is guessing, and
the question goes by TCP; so it does for a truncated answer (RFC 7766 5).  A server that cannot
take EDNS is asked without (RFC 6891 7).
Not done: DNS cookies (RFC 7873), letters of random case, DNSSEC (a stub believes its server).

Answers, times and errors are only noted here and told to the `question`, which goes on in the
resolver's own turn.
"""

from __future__ import annotations

from typing import Final

from stack.base import status
from stack.base.addr import V4, V6, is_link_scope
from stack.base.seam import TimerOwner
from stack.base.timers import Timer
from stack.services import dns_message
from stack.services.dns_message import Reply
from stack.services.dns_tcp import TcpQuestion, TcpUser
from stack.services.means import PORT, Means, Server
from stack.services.port import Port
from stack.transport.datagram_seam import Received
from stack.transport.seam import SHARE_EXCLUSIVE

GUESSES: Final = 20
"""Answers to one query that may not fit before it is asked by TCP."""

_FINAL: Final = frozenset((dns_message.NOERROR, dns_message.NXDOMAIN))
_NO_EDNS: Final = frozenset((dns_message.FORMERR, dns_message.NOTIMP, dns_message.BADVERS))

_BY_TCP: Final = {
    status.REFUSED: status.PORT_UNREACHABLE,
    status.RESET: status.SERVER_FAILED,
    status.ABORTED: status.SERVER_FAILED,
}
"""What the end of a connection means of a name server."""


class Asker:
    """Who wants to know."""

    __slots__ = ()

    def replied(self, reply: Reply | None, result: int) -> None:
        """A usable reply and OK, or None and why there is none."""


class Exchanger:
    """Who finds out: from name servers, or from the link (`link_exchange`)."""

    __slots__ = ()

    def start(self) -> None:
        """Ask.  The asker may be told at once."""
        raise NotImplementedError

    def stop(self) -> None:
        """Leave nothing open."""
        raise NotImplementedError


class Exchange(Exchanger, Port, TcpUser, TimerOwner):
    """One name and type, all servers."""

    __slots__ = (
        "_asker",
        "_at",
        "_edns",
        "_guesses",
        "_ident",
        "_kind",
        "_means",
        "_name",
        "_round",
        "_servers",
        "_tcp",
        "_timer",
    )

    def __init__(self, asker: Asker, means: Means, name: str, kind: int) -> None:
        super().__init__()
        self._asker = asker
        self._means = means
        self._name = name
        self._kind = kind
        self._servers = list(means.servers)
        self._at = 0
        self._round = 0
        self._ident = 0
        self._edns = means.config.dns_edns_size
        self._guesses = 0
        self._tcp: TcpQuestion | None = None
        self._timer = Timer(self)

    def start(self) -> None:
        """Ask the first server."""
        if self._servers:
            self._ask()
        else:
            self._asker.replied(None, status.NO_NAME)

    def stop(self) -> None:
        """Leave nothing open."""
        self._timer.disarm()
        self._close()
        tcp, self._tcp = self._tcp, None
        if tcp is not None:
            tcp.stop()

    # Asking.

    @property
    def _server(self) -> Server:
        return self._servers[self._at]

    def _ask(self) -> None:
        means = self._means
        self.stop()
        self._guesses = 0
        result = self._open(means.udp, V4 | V6, 0, SHARE_EXCLUSIVE)
        socket = self._socket
        if result != status.OK or socket is None:
            self._end(None, result)
            return
        wire = self._query()
        server = self._server
        means.counters.queries_udp += 1
        result = socket.send((wire,), len(wire), server.address, PORT, server.scope)
        if result in (status.OK, status.NO_MEMORY):  # a full device loses it like any wire
            patience = means.config.dns_timeout << self._round
            means.timers.arm(self._timer, means.env.now + patience)
        else:
            self._unreachable(result)

    def _query(self) -> bytes:
        self._ident = self._means.env.random_below(1 << 16)
        return dns_message.query(self._ident, self._name, self._kind, self._edns)

    def _ask_by_tcp(self) -> None:
        self.stop()
        self._means.counters.queries_tcp += 1
        self._tcp = TcpQuestion(self, self._means, self._query())
        result = self._tcp.start(self._server)
        if result != status.PENDING:
            self._unreachable(result)

    def _next_server(self) -> None:
        """This one is silent."""
        self._at += 1
        self._ask_current(status.TIMED_OUT)

    def _without(self, result: int) -> None:
        """This one is of no use."""
        self._servers.pop(self._at)
        self._ask_current(result)

    def _ask_current(self, result: int) -> None:
        if self._at >= len(self._servers):
            self._at = 0
            self._round += 1
        if not self._servers or self._round >= self._means.config.dns_attempts:
            self._end(None, result)
        else:
            self._ask()

    def _unreachable(self, result: int) -> None:
        self._means.counters.unreachable += 1
        self._without(result)

    def _end(self, reply: Reply | None, result: int) -> None:
        self.stop()
        self._asker.replied(reply, result)

    # Hearing.

    def received(self, batch: list[Received]) -> int:
        socket = self._socket
        if socket is not None:
            socket.grant(sum(one.charge for one in batch))
        for one in batch:
            if self._socket is not socket:
                break  # it is decided, or asked anew
            self.hear(one)
        return len(batch)

    def hear(self, one: Received) -> None:
        server = self._server
        right_link = not is_link_scope(one.address) or server.scope in (0, one.scope)
        reply = None
        if one.address == server.address and one.port == PORT and right_link:
            reply = self._fitting(bytes(one.view))
        else:
            self._means.counters.mismatched += 1
        if reply is not None and not reply.truncated:
            self._judge(reply)
        elif reply is not None:
            self._means.counters.truncated += 1
            self._ask_by_tcp()
        else:
            self._guesses += 1
            if self._guesses > GUESSES:
                self._ask_by_tcp()

    def _fitting(self, wire: bytes) -> Reply | None:
        """The reply in `wire`, if it is one to what was asked."""
        reply = dns_message.read(wire)
        if reply is None:
            self._means.counters.malformed += 1
            return None
        fits = (reply.name, reply.type) == (self._name, self._kind)
        baffled = not reply.name and reply.code in _NO_EDNS
        if reply.ident != self._ident or not (fits or baffled):
            self._means.counters.mismatched += 1
            return None
        return reply

    def _judge(self, reply: Reply) -> None:
        """A reply that fits: is it an answer?"""
        if reply.code in _NO_EDNS and self._edns:
            self._edns = 0
            self._ask()
        elif reply.code not in _FINAL or _lame(reply):
            self._means.counters.server_failures += 1
            self._without(status.SERVER_FAILED)
        else:
            self._means.counters.replies += 1
            self._means.prefer(self._server)
            self._end(reply, status.OK)

    def troubled(self, result: int, address: bytes, port: int) -> None:
        if self._socket is not None and (address, port) == (self._server.address, PORT):
            self._unreachable(result)

    def tcp_answered(self, wire: bytes) -> None:
        self._tcp = None  # it ends by itself
        reply = self._fitting(wire)
        if reply is None or reply.truncated:
            self._means.counters.server_failures += 1
            self._without(status.SERVER_FAILED)
        else:
            self._judge(reply)

    def tcp_failed(self, result: int) -> None:
        self._tcp = None
        if result == status.TIMED_OUT:
            self._means.counters.timeouts += 1
            self._next_server()
        else:
            self._unreachable(_BY_TCP.get(result, result))

    def fired(self, timer: Timer) -> None:
        self._means.counters.timeouts += 1
        self._next_server()


def _lame(reply: Reply) -> bool:
    """A server that neither knows nor asks others (RFC 2308 2.2: a referral is no answer)."""
    empty = not reply.answers and reply.negative_ttl < 0
    return empty and not (reply.recursion or reply.authoritative)
