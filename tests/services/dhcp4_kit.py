# SPDX-License-Identifier: MIT
"""A DHCP server made of frames, and a host without an IPv4 address on the same wire."""

from __future__ import annotations

from typing import Any, NamedTuple

from stack import Config
from stack.base import addr
from stack.base.units import SECOND
from stack.services.autoconf4 import Autoconf4
from stack.wire import arp, dhcp4, ethernet, udp
from stack.wire import dhcp4_options as opt
from stack.wire.dhcp4 import Message
from tests.harness import Host, Peer, World

LEASE = 3600
MASK24 = b"\xff\xff\xff\0"
OTHER_MAC = bytes.fromhex("020000000099")


class Heard(NamedTuple):
    """A message of the client, when it was sent, and how it was addressed."""

    when: int
    message: Message
    src: bytes
    dst: bytes
    mac: bytes
    frame: bytes

    @property
    def kind(self) -> str:
        return opt.MESSAGE_NAMES[self.message.type]


class Server:
    """Hears everything; answers as its attributes say.

    offers, acks   whether a DISCOVER and a REQUEST are answered
    nak            answers requests with NAK
    options        of OFFER and ACK beside the message type and the server identifier
    """

    def __init__(self, world: World, host: Host, peer: Peer, address: str = "192.0.2.1") -> None:
        self.world = world
        self.host = host
        self.peer = peer
        self.address = peer.v4 = addr.parse(address)
        self.yiaddr = addr.parse("192.0.2.50")
        self.offers = self.acks = True
        self.nak = False
        self.options: dict[int, bytes] = {
            opt.SUBNET_MASK: MASK24,
            opt.ROUTER: self.address,
            opt.NAME_SERVER: addr.parse("192.0.2.53"),
            opt.DOMAIN_NAME: b"example.org",
            opt.LEASE_TIME: LEASE.to_bytes(4, "big"),
        }
        self.log: list[Heard] = []

    def set_lease(self, seconds: int) -> None:
        self.options[opt.LEASE_TIME] = seconds.to_bytes(4, "big")

    # Time passes.

    def run(self, span: int = 0) -> None:
        """Let `span` ns pass, answering at once whatever is heard."""
        end = self.world.now + span
        while True:
            self._listen()
            now = self.world.now
            if now >= end:
                return
            due = max(self.host.stack.next_deadline(), now + 1)
            self.world.run(min(due, end) - now)

    def run_until(self, kind: str, limit: int = 3600 * SECOND) -> Heard:
        """Until the client says something of `kind` that it has not said yet."""
        known = len(self.log)
        end = self.world.now + limit
        while self.world.now < end:
            self.run(min(max(self.host.stack.next_deadline() - self.world.now, 1), SECOND))
            for heard in self.log[known:]:
                if heard.kind == kind:
                    return heard
        raise AssertionError(f"no {kind} in {limit / SECOND} s; {self.kinds()}")

    def kinds(self) -> list[str]:
        return [heard.kind for heard in self.log]

    def take(self) -> list[Heard]:
        """What was heard since this was last asked."""
        log, self.log = self.log, []
        return log

    def _listen(self) -> None:
        while True:
            self.world.run(0)
            seen = self.peer.next_ip()
            if seen is None:
                return
            pkt = seen.pkt
            if pkt.proto != 17:
                continue
            sport, dport, _, _ = udp.HEADER.unpack_from(seen.frame, pkt.l4)
            if dport != dhcp4.SERVER_PORT:
                continue
            message = dhcp4.parse(seen.frame, pkt.l4 + udp.LENGTH, pkt.end)
            assert message is not None
            assert sport == dhcp4.CLIENT_PORT
            heard = Heard(seen.when, message, pkt.src, pkt.dst, seen.frame[:6], seen.frame)
            self.log.append(heard)
            self._answer(heard.message)

    def _answer(self, message: Message) -> None:
        if message.type == opt.DISCOVER and self.offers:
            self.offer(message)
        elif message.type == opt.REQUEST and self.nak:
            self.refuse(message)
        elif message.type == opt.REQUEST and self.acks:
            self.ack(message)

    # Answers.

    def reply(self, kind: int, question: Message) -> Message:
        """An answer to `question` with everything it should have."""
        answer = Message(dhcp4.BOOTREPLY, question.xid, question.chaddr)
        answer.flags = question.flags
        answer.options[opt.MESSAGE_TYPE] = bytes((kind,))
        answer.options[opt.SERVER_ID] = self.address
        if kind != opt.NAK:
            answer.yiaddr = self.yiaddr
            answer.ciaddr = question.ciaddr
            answer.options.update(self.options)
        return answer

    def offer(self, question: Message) -> None:
        self.send(self.reply(opt.OFFER, question))

    def ack(self, question: Message) -> None:
        self.send(self.reply(opt.ACK, question))

    def refuse(self, question: Message) -> None:
        self.send(self.reply(opt.NAK, question))

    def send(self, message: Message) -> None:
        """To everybody, unless the client can be addressed."""
        renewing = any(message.ciaddr) and not message.flags & dhcp4.BROADCAST
        self.send_bytes(dhcp4.build(message, 1400), message.ciaddr if renewing else addr.BROADCAST4)

    def send_bytes(self, data: bytes, dst: bytes = addr.BROADCAST4) -> None:
        peer = self.peer
        bare = udp.HEADER.pack(dhcp4.SERVER_PORT, dhcp4.CLIENT_PORT, 8 + len(data), 0) + data
        body = peer.checked(17, bare, 6, self.address, dst)
        kind, packet = peer.packet_bytes(17, body, src=self.address, dst=dst)
        peer.frame(kind, packet, addr.MAC_BROADCAST if dst == addr.BROADCAST4 else None)
        self.world.run(0)

    def claims(self, address: bytes) -> None:
        """Another station answers a probe for `address`."""
        reply = arp.build(arp.REPLY, OTHER_MAC, address, self.host.port.mac, addr.ANY4)
        self.peer.frame(ethernet.TYPE_ARP, reply)
        self.world.run(0)


class Scene(NamedTuple):
    """Everything a test needs."""

    world: World
    host: Host
    server: Server
    auto: Autoconf4

    def state(self) -> str:
        return str(self.auto.state()["state"])

    def address(self) -> bytes:
        """The host's routable address on the wire, empty if there is none."""
        for entry in self.host.stack.v4.local.values():
            if entry.nic is self.host.nic and not addr.is_link_local(entry.address):
                return entry.address
        return b""

    def bind(self) -> None:
        """Go through with it until there is an address."""
        assert self.auto.start() == 0
        self.server.run(10 * SECOND)
        assert self.state() == "bound"
        self.server.take()

    def counters(self) -> dict[str, int]:
        """Those that moved."""
        shot = self.host.stack.snapshot()["dhcp4"]
        return {name: value for name, value in shot.items() if value}

    def dhcp_drops(self) -> dict[str, int]:
        return {n: c for n, c in self.host.drops().items() if n.startswith("dhcp4")}

    def routes(self) -> set[tuple[str, str]]:
        """(prefix, gateway) of every IPv4 route on the wire."""
        return {
            (f"{addr.text(r.prefix)}/{r.length}", addr.text(r.gateway) if r.gateway else "")
            for r in self.host.stack.host.routes.all()
            if len(r.prefix) == 4 and r.nic is self.host.nic
        }


def scene(seed: int = 1, mtu: int = 1500, **settings: Any) -> Scene:
    """A host that wants an address.  No link-local ones, and no probing, unless set."""
    given: dict[str, Any] = {"dad": False, "linklocal4": False, **settings}
    world = World(seed)
    host, peer = world.host(Config(**given), mtu=mtu)
    host.stack.remove_address("10.77.0.1")
    host.v4 = addr.parse("192.0.2.50")
    server = Server(world, host, peer)
    return Scene(world, host, server, host.stack.autoconf4(host.nic))
