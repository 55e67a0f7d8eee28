# SPDX-License-Identifier: MIT
"""The stack under test, a clock that jumps, and a link whose other end is the script.

The other end answers ARP and neighbour solicitations by itself; every other frame the stack
sends is kept, with its time, for the script's next `>`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from stack import Stack
from stack.base import addr
from stack.base.head import Head
from stack.base.timers import NEVER
from stack.base.units import SECOND, View
from stack.tcp.tcb import Tcb
from stack.transport.seam import Stream
from stack.wire import arp, ethernet, icmp6, ndp
from tap.clock import VirtualEnv
from tap.frames import join
from tap.pcapng import Capture, CapturingPort
from tap.port import Port
from tools.drill.script import IpInfo
from tools.drill.settings import DrillConfig, Settings
from tools.drill.wire import Builder, Seen

_STACK_MAC: Final = bytes((2, 0, 0, 0, 0, 1))
_OTHER_MAC: Final = bytes((2, 0, 0, 0, 0, 2))
_EPOCH: Final = 1_700_000_000 * SECOND  # captures want dates
_BACKGROUND: Final = frozenset((130, 131, 132, 133, 134, 135, 136, 137, 143))
"""ICMPv6 types that keep the link and its groups going, and no script speaks of."""


class Link(Port):
    """The stack's end of the link."""

    def __init__(self, mtu: int, sent: Callable[[bytes], None]) -> None:
        self.mac = _STACK_MAC
        self.mtu = mtu
        self.header = 0
        self.features = 0
        self._sent = sent
        self._inbox: deque[bytes] = deque()

    def transmit(self, head: Head, views: Sequence[View]) -> bool:
        self._sent(join(head, views, 0))
        return True

    def read(self) -> bytes | None:
        return self._inbox.popleft() if self._inbox else None

    def deadline(self) -> int:
        return 0 if self._inbox else super().deadline()

    def arrives(self, frame: bytes) -> None:
        """A frame from the other end."""
        self._inbox.append(frame)


class World:
    """Everything around one stack for one script."""

    def __init__(self, settings: Settings, config: DrillConfig, capture: Path | None) -> None:
        self.settings = settings
        self.config = config
        self.env = VirtualEnv(1, 10 * SECOND)
        self.loop = self.env.loop
        self.link = Link(settings.mtu, self._sent)
        port: Port = self.link
        if capture is not None:
            capture.parent.mkdir(parents=True, exist_ok=True)
            writer = Capture(capture.open("wb"))
            port = CapturingPort(port, writer, lambda: _EPOCH + self.env.now)
        local, remote, gateway, prefix = settings.addresses()
        self.gateway = addr.parse(gateway)
        self.builder = Builder(addr.parse(local), addr.parse(remote), _OTHER_MAC, _STACK_MAC)
        self.stack = Stack(self.env, config)
        nic = self.stack.add_nic(port, "tun0")
        self.stack.add_address(nic, local, prefix)
        self.stack.add_route("::" if settings.v6 else "0.0.0.0", 0, nic, gateway)
        self.loop.add(self.stack, nic, port)
        self.inbox: deque[Seen] = deque()
        self._alarms: list[int] = []
        self.watch: Callable[[], None] = lambda: None  # called after every turn
        self.settle()
        self.start = self.env.now

    @property
    def now(self) -> int:
        return self.env.now

    def close(self) -> None:
        """Finish the capture."""
        self.loop.close()

    # Time.

    def run(self, limit: int, stop: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass until `stop()`, which is then true, or until `limit`."""
        loop, env = self.loop, self.env
        while True:
            more = loop.turn()
            self.watch()
            if stop():
                return True
            if more:
                continue
            when = min(loop.deadline(), self._next_alarm())
            if when >= NEVER or when > limit:
                break
            env.now = max(env.now, when)
        env.now = max(env.now, limit)
        return False

    def alarm(self, when: int) -> None:
        """Do not sleep past `when`: somebody waits for it."""
        self._alarms.append(when)

    def _next_alarm(self) -> int:
        self._alarms = [when for when in self._alarms if when > self.now]
        return min(self._alarms, default=NEVER)

    def settle(self) -> None:
        """Everything that can happen now happens."""
        self.run(self.now)

    # Frames.

    def inject(self, proto: int, payload: bytes, ip: IpInfo) -> None:
        """A packet from the other end arrives now."""
        self.link.arrives(self.builder.frame(proto, payload, ip))
        self.settle()

    def _sent(self, frame: bytes) -> None:
        ethertype = frame[12:14]
        if ethertype == ethernet.TYPE_ARP:
            self._answer_arp(frame)
            return
        seen = Seen(frame, self.now)
        if seen.kind == "icmp" and seen.v6 and seen.icmp[0] in _BACKGROUND:
            self._answer_solicitation(seen)
        elif seen.kind != "ip" or seen.pkt.proto != 2:
            self.inbox.append(seen)

    def _answer_arp(self, frame: bytes) -> None:
        question = arp.parse(frame, 14, len(frame))
        if question is None or question.operation != arp.REQUEST:
            return
        if question.tpa == self.builder.local:
            return
        reply = arp.build(arp.REPLY, _OTHER_MAC, question.tpa, question.sha, question.spa)
        self.link.arrives(_STACK_MAC + _OTHER_MAC + ethernet.TYPE_ARP + reply)

    def _answer_solicitation(self, seen: Seen) -> None:
        pkt = seen.pkt
        if seen.icmp[0] != icmp6.NEIGHBOR_SOLICITATION or not any(pkt.src):
            return
        message = ndp.parse(seen.frame, pkt.l4, pkt.end)
        if message is None or message.target == self.builder.local:
            return
        flags = ndp.FLAG_SOLICITED | ndp.FLAG_OVERRIDE | ndp.FLAG_ROUTER
        body = ndp.build(
            icmp6.NEIGHBOR_ADVERTISEMENT, flags, message.target, ndp.OPT_TARGET_LLADDR, _OTHER_MAC
        )
        maker = Builder(pkt.src, message.target, _OTHER_MAC, _STACK_MAC)
        body = maker.checked(icmp6.PROTO, body, 2)
        self.link.arrives(maker.frame(icmp6.PROTO, body, IpInfo(ttl=255)))

    # Looking inside.

    def tcb(self, lport: int, rport: int) -> Tcb | None:
        """The connection of these ports."""
        for tcb in self.stack.tcp.connections():
            if (tcb.lport, tcb.rport) == (lport, rport):
                return tcb
        return None

    def tcb_of(self, stream: Stream) -> Tcb | None:
        """The connection behind a stream."""
        local, remote = stream.local_name(), stream.remote_name()
        for tcb in self.stack.tcp.connections():
            mine = local is not None and tcb.lport == local.port
            if mine and (remote is None or tcb.rport == remote.port):
                return tcb
        return None
