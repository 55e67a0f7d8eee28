# SPDX-License-Identifier: MIT
"""Floor 6: one question to everybody on the link, asked again until somebody answers.

One socket on a random port for both families and all interfaces; what was sent on an interface is
answered on it.  LLMNR waits and repeats by RFC 4795 2.7 and 7; mDNS is asked by one-shot queries
(RFC 6762 5.1), repeated at growing intervals (5.2).  A response counts from the protocol's port,
from the link, with the id and the question that were sent.

Used by `llmnr_claim` to find out who has a name, and by `link_exchange` for lookups.
"""

from __future__ import annotations

from typing import Final

from stack.base import addr, status
from stack.base.addr import V4, V6
from stack.base.packet import UNICAST
from stack.base.seam import TimerOwner
from stack.base.timers import Timer
from stack.base.units import MS, SECOND
from stack.link.nic import Nic
from stack.services import link_message
from stack.services.link_means import LinkMeans, LlmnrCounters, MdnsCounters, send
from stack.services.link_message import Message, Question, Writer
from stack.services.port import Port
from stack.transport.datagram_seam import Received
from stack.transport.seam import SHARE_EXCLUSIVE

JITTER_INTERVAL: Final = 100 * MS  # RFC 4795 7
LLMNR_TIMEOUT: Final = 100 * MS  # of IEEE 802 media, which all of ours are


class Protocol:
    """The numbers of a protocol.

    waits   ns after each transmission: as many transmissions as there are
    delay   longest random wait before the first
    strict  a response has to repeat the question
    """

    __slots__ = ("delay", "groups", "most", "port", "strict", "waits")

    def __init__(
        self, port: int, groups: tuple[str, str], waits: tuple[int, ...], delay: int, most: int
    ) -> None:
        self.port = port
        self.groups = {len(group): group for group in map(addr.parse, groups)}
        self.waits = waits
        self.delay = delay
        self.most = most  # octets of the largest packet
        self.strict = delay > 0


# A verified responder may wait JITTER_INTERVAL too, so the last wait is longer by that.
LLMNR: Final = Protocol(
    5355,
    ("224.0.0.252", "ff02::1:3"),
    (LLMNR_TIMEOUT, LLMNR_TIMEOUT, LLMNR_TIMEOUT + JITTER_INTERVAL),
    JITTER_INTERVAL,
    9194,
)
MDNS: Final = Protocol(5353, ("224.0.0.251", "ff02::fb"), (SECOND, 2 * SECOND, SECOND), 0, 9000)


class QueryUser:
    """Who asks."""

    __slots__ = ()

    def heard(self, one: Received, message: Message) -> None:
        """A response to the question."""

    def over(self) -> None:
        """Nothing is waited for any more."""


class LinkQuery(Port, TimerOwner):
    """One question on one interface or all of them."""

    __slots__ = (
        "_counters",
        "_ident",
        "_means",
        "_nics",
        "_protocol",
        "_question",
        "_sent",
        "_timer",
        "_user",
        "answered",
        "asked",
    )

    def __init__(
        self,
        user: QueryUser,
        means: LinkMeans,
        counters: LlmnrCounters | MdnsCounters,
        protocol: Protocol,
        question: Question,
        nics: list[Nic],
    ) -> None:
        super().__init__()
        self._user: QueryUser | None = user
        self._means = means
        self._counters = counters
        self._protocol = protocol
        self._question = question
        self._nics = nics
        self._ident = means.env.random_below(1 << 16)
        self._sent = 0
        self._timer = Timer(self)
        self.asked: set[tuple[int, int]] = set()  # interfaces and families
        self.answered: set[tuple[int, int]] = set()

    @property
    def ident(self) -> int:
        return self._ident

    def start(self) -> int:
        """OK, or why nothing can be asked."""
        result = self._open(self._means.udp, V4 | V6, 0, SHARE_EXCLUSIVE)
        if result == status.OK:
            delay = self._protocol.delay
            self._wait(self._means.env.random_below(delay) if delay else 0)
        return result

    def stop(self) -> None:
        """The answer is not wanted any more."""
        self._user = None
        self._timer.disarm()
        self._close()

    def linger(self, span: int) -> None:
        """Repeat nothing, and listen for `span` ns."""
        if self._socket is not None:
            self._sent = len(self._protocol.waits)
            self._wait(span)

    def tell(self, wire: bytes, index: int, size: int) -> None:
        """Send something else from the same port to everybody on one interface."""
        if self._socket is not None:
            self._counters.asked += 1
            protocol = self._protocol
            send(self._socket, wire, protocol.groups[size], protocol.port, index)

    def _wait(self, span: int) -> None:
        self._means.timers.arm(self._timer, self._means.env.now + span)

    def fired(self, timer: Timer) -> None:
        waits = self._protocol.waits
        if self._sent < len(waits):
            self._transmit()
            self._wait(waits[self._sent])
            self._sent += 1
            return
        user = self._user
        self.stop()
        if user is not None:
            user.over()

    def _transmit(self) -> None:
        writer = Writer(self._ident, 0, 512)
        writer.question(self._question)
        wire = writer.wire()
        for nic in self._nics:
            for size in self._means.families(nic) if nic.up else ():
                link = (nic.index, size)
                if link not in self.answered:
                    self.asked.add(link)
                    self.tell(wire, nic.index, size)

    # Hearing.

    def hear(self, one: Received) -> None:
        if self._socket is None:
            return
        nic = self._means.nic(one.scope)
        allowed = nic is not None and nic in self._nics and one.group == UNICAST
        allowed = allowed and one.port == self._protocol.port
        if nic is None or not allowed or not self._means.on_link(nic, one.address):
            self._counters.refused += 1
            return
        message = link_message.read(bytes(one.view))
        if message is None:
            self._counters.malformed += 1
        elif message.rcode or not self.fits(message):
            self._counters.refused += 1
        elif self._user is not None:
            self._counters.replies += 1
            self._user.heard(one, message)

    def fits(self, message: Message) -> bool:
        """It answers what was asked (RFC 4795 2.1.1, RFC 6762 6.7, 18)."""
        if not message.response or message.opcode or message.ident != self._ident:
            return False
        if len(message.questions) != 1:
            return not message.questions and not self._protocol.strict
        (asked,) = message.questions
        return asked.same(self._question)
