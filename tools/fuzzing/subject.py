# SPDX-License-Identifier: MIT
"""A stack to be tried: its configurations, the station on its wire, the programs above it.

`Subject.run` carries a program out in virtual time and answers with what went wrong, if anything
did: an exception, or a rule of `rules` that did not hold.
"""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from typing import Any, Final

from stack import Config, Stack, Trace
from stack.base import addr
from stack.base.head import Head
from stack.base.packet import UNICAST, Interface, Packet
from stack.base.units import View
from stack.link.nic import Nic
from stack.wire import arp, ethernet, icmp6, ipv4, ipv6, ndp, tcp, udp, vnet
from stack.wire.tcp import FIN, SYN
from tap.clock import VirtualEnv
from tap.frames import join
from tap.port import Port
from tools.fuzzing import frames
from tools.fuzzing.apps import Apps
from tools.fuzzing.frames import OURS, THEIRS, THEM, US
from tools.fuzzing.layout import repaired
from tools.fuzzing.program import ANSWER, CALL, QUOTE, SEGMENT, WAIT, Program, Step
from tools.fuzzing.rules import Broken, Rules

_SMALL: Final[dict[str, Any]] = {
    "dad": False,
    "neighbor_limit": 16,
    "path_limit": 16,
    "reassembly_limit": 30,
    "reassembly_memory": 65_536,
    "tcp_connection_limit": 24,
    "tcp_backlog": 4,
    "tcp_time_wait_limit": 4,
    "tcp_reorder_limit": 16,
    "dns_servers": ("10.77.0.2", "fd77::2"),
    "dns_cache_limit": 8,
}
"""Small tables, so that their bounds are met."""
_SMALL_TOO: Final[dict[str, Any]] = {
    "multicast_group_limit": 16,
    "multicast_source_limit": 8,
    "ra_prefix_limit": 8,
    "ra_route_limit": 8,
    "ra_router_limit": 4,
    "reassembly_fragments": 64,
    "redirect_limit": 8,
    "slaac_limit": 4,
    "host_name": "fuzzed",
    "llmnr": True,
    "mdns": True,
}
"""And of these what this stack has."""
_KNOBS: Final = frozenset(field.name for field in dataclasses.fields(Config))
_KINDS: Final[dict[str, dict[str, Any]]] = {
    "plain": {},
    "probing": {"dad": True},
    "offload": {},
    "silent": {},
    "features": {
        "tcp_fast_open": True,
        "tcp_ecn": "accurate",
        "tcp_mtu_probing": "always",
        "tcp_estats": True,
        "tcp_user_timeout_option": True,
        "echo_broadcast": True,
        "optimistic_dad": True,
        "strict_padding": True,
        "tcp_syn_cookies": True,
    },
    "bare": {"tcp_sack": False, "tcp_timestamps": False, "tcp_fast_path": False},
    "two": {"weak_host": True},
    "router": {"forwarding": True},
    "leased": {"dhcp6": "stateful"},
}
"""plain: addresses up.  probing: still being probed.  offload: virtio-net headers.  silent: nobody
on the wire answers.  features, bare: more of TCP, and less.  two: a second
interface.  router: and packets are passed on.  leased: asking for
addresses, where the stack does."""
_TWO: Final = frozenset(("two", "router"))
STACKS: Final = tuple(_KINDS)
_INSTANT: Final = 300
"""Turns in which a stack must come to rest at one instant."""
_LONGEST: Final = 10
"""Seconds of real time that a run may take, which is some hundred times what it does."""
_TURNS: Final = 20_000
"""Turns in one wait."""
Feature = tuple[str, str, int]
"""A block of counters, a counter, and how many binary digits its value has."""
_PEER: Final = Interface(1, "peer")


class Wire(Port):
    """The stack's end of a wire: keeps what it sends."""

    mtu = 1500

    def __init__(self, mac: bytes, offload: bool) -> None:
        self.mac = mac
        if offload:
            self.header = vnet.LENGTH
            self.features = 7
        self.sent: list[bytes] = []

    def transmit(self, head: Head, views: Sequence[View]) -> bool:
        self.sent.append(join(head, views, self.header))
        return True

    def read(self) -> bytes | None:
        return None


class Watch(Trace):
    """Remembers what was dropped since somebody asked, and the ways that connections took."""

    def __init__(self) -> None:
        self.drops: list[tuple[int, bytes]] = []
        self.arrows: set[tuple[int, int]] = set()

    def dropped(self, reason: int, frame: bytes, offset: int) -> None:
        self.drops.append((reason, frame))

    def tcp_state(self, flow: str, old: int, new: int) -> None:
        self.arrows.add((old, new))


class Subject:
    """One stack for one run."""

    def __init__(self, kind: str, seed: int) -> None:
        self.kind = kind
        self.env = VirtualEnv(seed)
        self.watch = self.env.trace = Watch()
        wanted = {**_SMALL, **_SMALL_TOO, **_KINDS[kind]}
        self.config = Config(**{name: wanted[name] for name in wanted if name in _KNOBS})
        self.stack = Stack(self.env, self.config)
        self.wires: list[Wire] = []
        self.nics: list[Nic] = []
        self.octets_in = 0
        self.octets_out = 0
        self.frames_out = 0
        self.began = self.env.now
        self.patient = False
        """The station answers for the address that `Rules.at_the_end` uses, too."""
        self._next: dict[bytes, int] = {}  # what the stack sends next, by flow
        self._last: dict[int, bytes] = {}  # its last packet, by family
        self._datagram = b""
        for number in range(2 if kind in _TWO else 1):
            self._attach(number)
        self.apps = Apps(self.stack, self.nics[0])
        self.rules = Rules(self)

    def _attach(self, number: int) -> None:
        wire = Wire(OURS[:5] + bytes((1 + 16 * number,)), self.kind == "offload")
        nic = self.stack.add_nic(wire, f"wsk{number}")
        self.wires.append(wire)
        self.nics.append(nic)
        self.env.loop.add(self.stack, nic, wire)
        if number == 0:
            self.stack.add_address(nic, addr.text(US[4]), 24)
            self.stack.add_address(nic, addr.text(US[6]), 64)
            self.stack.add_route("0.0.0.0", 0, nic, addr.text(THEM[4]))
            self.stack.add_route("::", 0, nic, addr.text(THEM[6]))
        else:
            self.stack.add_address(nic, "10.78.0.1", 24)
            self.stack.add_address(nic, "fd78::1", 64)

    def run(self, program: Program) -> str:
        """Carry it out: "" or what is wrong, the kind of it in the first line."""
        try:
            with bounded(_LONGEST):
                self._all(program)
        except Broken as error:
            return str(error)
        except Late as error:
            return _described(error, "it does not end")
        except Exception as error:  # noqa: BLE001 - that is what we look for
            return _described(error)
        return ""

    def _all(self, program: Program) -> None:
        self.settle()
        for number, step in enumerate(program.steps):
            self._take(step)
            if number % 8 == 7:
                self.rules.tables()
        self.rules.tables()
        self.rules.at_the_end()

    def features(self) -> set[Feature]:
        """What happened in the run, roughly: a cheap hint whether it was something new."""
        blocks = self.stack.snapshot()
        found: set[Feature] = {
            (name, counter, count.bit_length())
            for name, block in blocks.items()
            for counter, count in block.items()
            if count and not counter.endswith("octets")
        }
        return found | {("arrow", f"{old}", new) for old, new in self.watch.arrows}

    def _take(self, step: Step) -> None:
        if step.kind == WAIT:
            self.pass_time(step.nic)
        elif step.kind == CALL:
            self.apps.call(step.data.decode())
            self.settle()
        else:
            data = self._meant(step)
            if data:
                self.deliver(step.nic % len(self.nics), data)

    def deliver(self, number: int, data: bytes) -> None:
        """One frame, and everything that follows from it at this instant."""
        prefix = vnet.PLAIN if self.wires[number].header else b""
        self.octets_in += len(data)
        self.rules.receive(self.nics[number], prefix + data)
        self.settle()

    def settle(self) -> None:
        """Turn until the stack is at rest."""
        for _ in range(_INSTANT):
            more = self.env.loop.turn()
            if not self._heed() and not more:
                return
        raise Broken("it does not come to rest at one instant")

    def pass_time(self, span: int) -> None:
        """Let so many ns pass."""
        loop, env = self.env.loop, self.env
        end = env.now + span
        for _ in range(_TURNS):
            when = loop.deadline()
            if when > end:
                env.now = end
                return
            env.now = max(env.now, when)
            loop.turn()
            if self._heed():
                self.settle()
            self.rules.traffic()
        raise Broken("more than so many turns in one wait")

    # The station on the wire.

    def _heed(self) -> bool:
        """Look at what the stack sent; answer what a neighbour answers.  True if it did."""
        answered = False
        for number, wire in enumerate(self.wires):
            sent, wire.sent = wire.sent, []
            for frame in sent:
                self.frames_out += 1
                self.octets_out += len(frame) - wire.header
                reply = self._learn(frame[wire.header :])
                if reply and self.kind != "silent":
                    self.octets_in += len(reply)
                    prefix = vnet.PLAIN if wire.header else b""
                    self.rules.receive(self.nics[number], prefix + reply)
                    answered = True
        return answered

    def _learn(self, frame: bytes) -> bytes:
        """Remember what later steps refer to; an answer to a question about an address."""
        kind = frame[12:14]
        if kind == ethernet.TYPE_ARP:
            ask = arp.parse(frame, 14, len(frame))
            if ask is None or ask.operation != arp.REQUEST or not self._there(ask.tpa):
                return b""
            body = arp.build(arp.REPLY, THEIRS, ask.tpa, ask.sha, ask.spa)
            return frame[6:12] + THEIRS + kind + body
        pkt = Packet(frame, _PEER, 14, len(frame), True, 0, UNICAST, 0)
        family = 4 if kind == ethernet.TYPE_IPV4 else 6
        if (ipv4.read(pkt) if family == 4 else ipv6.read(pkt)) > 0:
            return b""
        self._last[family] = frame[14:]
        room = pkt.end - pkt.l4
        if pkt.proto == 6 and room >= tcp.LENGTH and (seg := tcp.parse(pkt)) is not None:
            size = seg.end - seg.start + bool(seg.flags & SYN) + bool(seg.flags & FIN)
            self._next[pkt.dst + frame[pkt.l4 : pkt.l4 + 4]] = (seg.seq + size) & 0xFFFFFFFF
        elif pkt.proto == 17 and room >= udp.LENGTH:
            self._datagram = frame
        elif pkt.proto == icmp6.PROTO and room and frame[pkt.l4] == icmp6.NEIGHBOR_SOLICITATION:
            return self._advertise(pkt)
        return b""

    def _advertise(self, pkt: Packet) -> bytes:
        ask = ndp.parse(pkt.frame, pkt.l4, pkt.end)
        if ask is None or not self._there(ask.target) or pkt.src == addr.ANY6:
            return b""
        option = bytes((ndp.OPT_TARGET_LLADDR, 1)) + THEIRS
        return frames.discovery(
            icmp6.NEIGHBOR_ADVERTISEMENT, 0x60000000, ask.target, option, pkt.src, ask.target
        )

    def _there(self, address: bytes) -> bool:
        """The station has this address."""
        known = address in (*THEM.values(), *frames.BEYOND.values(), frames.LINK)
        return known or (self.patient and address in frames.LATE.values())

    # Frames that depend on what the stack sent.

    def _meant(self, step: Step) -> bytes:
        data = step.data
        if step.kind == SEGMENT:
            return self._acknowledging(data)
        if step.kind == QUOTE:
            family = 4 if data[12:14] == ethernet.TYPE_IPV4 else 6
            quoted = self._last.get(family, b"")
            return repaired(data + quoted[: 548 if family == 4 else 1232]) if quoted else data
        if step.kind == ANSWER:
            return self._answering(data)
        return data

    def _acknowledging(self, data: bytes) -> bytes:
        """The acknowledgement made absolute; a checksum that was right stays right."""
        found = frames.tcp_at(data)
        if not found:
            return data
        l4, names = found
        ports = data[l4 : l4 + 4]
        at = self._next.get(names[: len(names) // 2] + ports[2:] + ports[:2])
        if at is None:
            return data
        ack = (int.from_bytes(data[l4 + 8 : l4 + 12], "big") + at) & 0xFFFFFFFF
        changed = data[: l4 + 8] + ack.to_bytes(4, "big") + data[l4 + 12 :]
        sound = repaired(data, lengths=False) == data
        return repaired(changed, lengths=False) if sound else changed

    def _answering(self, data: bytes) -> bytes:
        """UDP back to where the stack's last datagram came from, with its identifiers."""
        asked = self._datagram
        if not asked:
            return b""
        family = 4 if asked[12:14] == ethernet.TYPE_IPV4 else 6
        l4 = 34 if family == 4 else 54
        sport, dport = asked[l4 : l4 + 2], asked[l4 + 2 : l4 + 4]
        question = asked[l4 + 8 :]
        if dport == b"\0\x35":
            data = question[:2] + data[2:]
        elif dport == b"\0\x43":
            data = data[:4] + question[4:8] + data[8:]
        elif dport == b"\2\x23":
            data = data[:1] + question[1:4] + data[4:]
        names = asked[26:34] if family == 4 else asked[22:54]
        half = len(names) // 2
        theirs, ours = names[half:], names[:half]
        if addr.is_multicast(theirs) or theirs == addr.BROADCAST4:
            theirs = THEM[4] if family == 4 else frames.LINK
        if ours == addr.ANY4:
            ours = addr.BROADCAST4
        return frames.ip(family, 17, dport + sport + bytes(4) + data, src=theirs, dst=ours)


def _described(error: BaseException, what: str = "") -> str:
    """The kind of an exception and where it arose, then all of it."""
    # Who was interrupted is one before the last.
    last = traceback.extract_tb(error.__traceback__)[-2 if isinstance(error, Late) else -1]
    place = f"{last.filename.rpartition('/stack/')[2]}:{last.name}"
    return f"{what or type(error).__name__} in {place}: {error}\n{traceback.format_exc()}"


class Late(BaseException):
    """A run takes too long.  Not an `Exception`: nobody is to catch it on the way."""


@contextlib.contextmanager
def bounded(seconds: int) -> Iterator[None]:
    """Raise `Late` if the block takes longer.  On the main thread; elsewhere nothing is bounded."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def late(number: int, frame: object) -> None:
        raise Late

    before = signal.signal(signal.SIGALRM, late)
    began = time.monotonic()
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        # The timer is one for the whole process: somebody else may have set it.
        if left:
            left = max(left - (time.monotonic() - began), 0.001)
        signal.setitimer(signal.ITIMER_REAL, left, interval)
        signal.signal(signal.SIGALRM, before)


def try_out(program: Program) -> str:
    """Run `program` on a fresh stack: "" or what is wrong."""
    return Subject(program.stack, program.seed).run(program)
