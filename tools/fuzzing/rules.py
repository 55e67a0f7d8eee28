# SPDX-License-Identifier: MIT
"""What must hold while a stack is tried, whatever arrives.

receive       a frame is dropped once, or delivered, held for reassembly or forwarded; what is
              dropped changes no address and no route, and causes one frame in answer at most
tables        every table is within its bound
traffic       what leaves is in proportion to what came in and to the time that passed
at_the_end    whoever comes new gets an answer to a ping and to a SYN
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stack.base import addr, fate
from stack.base.units import SECOND
from stack.ip.layer import IpLayer
from stack.link.nic import Nic
from stack.wire import arp, ethernet, tcp
from tools.fuzzing import frames
from tools.fuzzing.frames import LATE, THEIRS, US

if TYPE_CHECKING:
    from tools.fuzzing.subject import Subject

FACTOR: Final = 24
"""Octets out for one in: what is echoed is sent again while nobody acknowledges it."""
_ALLOWED: Final = 200_000
"""Octets that leave for nothing: what the programs send of their own."""
_PER_SECOND: Final = 4_000
"""And so many in a second: probes, queries, keep-alives."""
_PER_ENDPOINT: Final = frozenset(
    (
        fate.UDP_QUEUE_FULL,
        fate.UDP_FILTERED,
        fate.UDP_NOT_MEMBER,
        fate.RAW_QUEUE_FULL,
        fate.RAW_CHECKSUM,
    )
)
"""One datagram to a group may meet these at one endpoint and not at another."""


class Broken(Exception):
    """A rule did not hold."""


class Rules:
    """The rules for one subject."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._stack = subject.stack

    # One frame.

    def receive(self, nic: Nic, frame: bytes) -> None:
        """Hand `frame` to the stack and look what becomes of it."""
        subject, stack = self._subject, self._stack
        drops = subject.watch.drops
        drops.clear()
        taken = self._taken()
        known = self._known()
        waiting = sum(len(wire.sent) for wire in subject.wires)
        stack.receive(nic, frame)
        reasons = [reason for reason, dropped in drops if dropped is frame]
        single = [reason for reason in reasons if reason not in _PER_ENDPOINT]
        names = [fate.NAMES[reason] for reason in reasons]
        if len(single) > 1:
            raise Broken(f"dropped more than once: {', '.join(names)}")
        at = subject.wires[0].header + 12
        if not reasons:
            is_ip = frame[at : at + 2] in (ethernet.TYPE_IPV4, ethernet.TYPE_IPV6)
            if is_ip and self._taken() == taken:
                raise Broken("a packet vanished: neither dropped nor delivered")
            return
        if reasons[0] in (fate.ARP_NOT_FOR_US, fate.NDP_NOT_FOR_US):
            # What it says of its sender counts all the same: waiting packets leave (RFC 826), and
            # an address turns out to be somebody else's (RFC 5227, RFC 4862 5.4.4).
            return
        if self._known() != known:
            raise Broken(f"dropped ({names[0]}), but addresses or routes changed")
        answers = sum(len(wire.sent) for wire in subject.wires) - waiting
        if answers > 1:
            raise Broken(f"dropped ({names[0]}), but {answers} frames in answer")

    def _taken(self) -> int:
        """Packets that were delivered, passed on, or are held for reassembly."""
        return sum(
            counters.in_delivers + counters.reasm_reqds + counters.in_forw_datagrams
            for layer in self._layers()
            for counters in layer.stats
        )

    def _known(self) -> tuple[object, ...]:
        routes = self._stack.host.routes.all()
        return (
            *(tuple(layer.addresses.all) for layer in self._layers()),
            [(route.prefix, route.length, route.gateway, route.metric) for route in routes],
        )

    def _layers(self) -> tuple[IpLayer, IpLayer]:
        return self._stack.v4, self._stack.v6

    # Bounds.

    def tables(self) -> None:
        """No table has outgrown its bound."""
        stack, config = self._stack, self._subject.config
        host = stack.host
        neighbors = 0
        for nic in host.nics:
            neighbors += len(nic.neighbors.entries)
            self._most(
                f"neighbours of {nic.name}", len(nic.neighbors.entries), config.neighbor_limit
            )
            for entry in nic.neighbors.entries.values():
                self._most("packets that wait for a neighbour", len(entry.queue), 16)
        self._most("incomplete datagrams", len(host.reassembler), config.reassembly_limit)
        self._most("octets of fragments", host.reassembler.held, config.reassembly_memory)
        connections = len(stack.tcp.connections())
        self._most("connections", connections, config.tcp_connection_limit)
        self._most("connections in TIME-WAIT", len(stack.tcp.time_wait), config.tcp_time_wait_limit)
        self._most("addresses", sum(len(layer.addresses.all) for layer in self._layers()), 100)
        self._most("routes", len(host.routes.all()), 500)
        self._most("timers", len(stack.timers.armed()), 300 + neighbors + 12 * connections)
        self.traffic()

    @staticmethod
    def _most(what: str, count: int, bound: int) -> None:
        if count > bound:
            raise Broken(f"{what}: more than the bound\n{count} > {bound}")

    def traffic(self) -> None:
        """No more leaves than is in proportion."""
        subject = self._subject
        span = (subject.env.now - subject.began) // SECOND
        most = FACTOR * subject.octets_in + _ALLOWED + _PER_SECOND * span
        if subject.octets_out > most:
            raise Broken(f"too much leaves\n{subject.octets_out} octets for {subject.octets_in}")

    # Afterwards.

    def at_the_end(self) -> None:
        """The stack is still there for a station that has been silent until now."""
        subject = self._subject
        subject.patient = True
        subject.apps.call("up")
        subject.pass_time(130 * SECOND)
        subject.settle()
        self.tables()
        if len(self._stack.host.reassembler):
            raise Broken("fragments are still held after more than two minutes")
        for family in (4, 6):
            layer = self._layers()[family == 6]
            entry = layer.local.get(US[family])
            if entry is None or entry.nic is not subject.nics[0]:
                continue  # somebody else had the address, or a program gave it up
            self._greet(family)
            self._pings(family)
            self._opens(family)

    def _greet(self, family: int) -> None:
        """The new station makes itself known, as one does before one speaks."""
        if family == 4:
            body = arp.build(arp.REQUEST, THEIRS, LATE[4], bytes(6), US[4])
            frame = addr.MAC_BROADCAST + THEIRS + ethernet.TYPE_ARP + body
        else:
            frame = frames.discovery(135, 0, US[6], bytes((1, 1)) + THEIRS, US[6], LATE[6])
        self._subject.deliver(0, frame)

    def _pings(self, family: int) -> None:
        counters = self._layers()[family == 6].icmp.counters  # type: ignore[attr-defined]
        before = counters.out_echo_replies
        kind = 8 if family == 4 else 128
        ping = frames.message(family, kind, 0, 0x7777_0001, b"still there?", src=LATE[family])
        self._exchange(ping, f"no answer to a ping over IPv{family}")
        if counters.out_echo_replies != before + 1:
            raise Broken(f"no answer to a ping over IPv{family}")

    def _opens(self, family: int) -> None:
        bare = tcp.HEADER.pack(50_000, 80, 1, 0, 20 << 10 | tcp.SYN, 65535, 0, 0)
        syn = frames.ip(family, 6, bare, src=LATE[family])
        self._exchange(syn, f"no answer to a SYN over IPv{family}")

    def _exchange(self, frame: bytes, trouble: str) -> None:
        subject = self._subject
        before = subject.frames_out
        subject.deliver(0, frame)
        subject.pass_time(SECOND)
        if subject.frames_out == before:
            raise Broken(trouble)
