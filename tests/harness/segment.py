# SPDX-License-Identifier: MIT
"""A link with one stack and any number of stations that are made of frames.

`Peer` answers when it is looked at; stations answer by themselves while virtual time runs, so that
minutes of asking and answering can pass in one `world.run`.
"""

from __future__ import annotations

from stack import Config
from stack.base import addr
from stack.wire import arp, ethernet, icmp6, ipv4, ipv6, ndp
from tap.memory import wire
from tests.harness.peer import Peer, Seen
from tests.harness.world import World

MAC = bytes.fromhex("020000000001")


class Station:
    """One host or router on the link: number 7 is 10.77.0.7, fd77::7, fe80::7.

    alive     it hears and answers
    router    sets the router flag in its advertisements
    heard     IP packets for its MAC address that are no questions for its own
    asked     (ns, unicast) of every question for an address of its own
    """

    def __init__(self, segment: Segment, number: int) -> None:
        self.segment = segment
        self.mac = bytes((2, 0, 0, 0, 1, number))
        self.v4 = addr.parse(f"10.77.0.{number}")
        self.v6 = addr.parse(f"fd77::{number}")
        self.local = addr.parse(f"fe80::{number}")
        self.alive = True
        self.router = False
        self.heard: list[Seen] = []
        self.asked: list[tuple[int, bool]] = []

    def own(self, family: int) -> bytes:
        """Its address as a host."""
        return self.v4 if family == addr.V4 else self.v6

    def address(self, family: int) -> bytes:
        """As a gateway of a family: the link-local one for IPv6."""
        return self.v4 if family == addr.V4 else self.local

    # Speaking.

    def frame(self, ethertype: bytes, payload: bytes, dst: bytes | None = None) -> None:
        """A frame to the stack, or to `dst`."""
        segment = self.segment
        data = (dst or segment.host.nic.mac) + self.mac + ethertype + payload
        host = segment.host
        segment.world.env.executor.submit(lambda: host.stack.receive(host.nic, data))

    def packet6(
        self, proto: int, body: bytes, src: bytes, dst: bytes, hops: int = 255, check: int = 2
    ) -> None:
        """An IPv6 packet whose transport checksum is at offset `check`."""
        body = Peer.checked(proto, body, check, src, dst)
        packet = ipv6.build(0, 0, len(body), proto, hops, src, dst) + body
        group = addr.multicast_mac(dst) if addr.is_multicast(dst) else None
        self.frame(ethernet.TYPE_IPV6, packet, group)

    def packet4(self, proto: int, body: bytes, src: bytes, dst: bytes) -> None:
        """An IPv4 packet whose transport needs no pseudo-header."""
        head = ipv4.build(0, 20 + len(body), 1, 0, 64, proto, src, dst)
        self.frame(ethernet.TYPE_IPV4, head + body)

    def advertises(
        self,
        lifetime: int = 1800,
        hops: int = 0,
        flags: int = 0,
        reachable: int = 0,
        retrans: int = 0,
        options: bytes = b"",
        lladdr: bool = True,
    ) -> None:
        """A router advertisement to all nodes, and the world runs at this instant."""
        self.router = True
        if lladdr:
            options += bytes((1, 1)) + self.mac
        body = ndp.build_advertisement(
            icmp6.ROUTER_ADVERTISEMENT, hops, flags, lifetime, reachable, retrans, options
        )
        self.packet6(58, body, self.local, addr.ALL_NODES)
        self.segment.world.run(0)

    def neighbor_advertisement(
        self, target: bytes, flags: int, dst: bytes = b"", lladdr: bytes = b""
    ) -> None:
        """An advertisement of `target`, to the stack unless it is told otherwise."""
        body = ndp.build(icmp6.NEIGHBOR_ADVERTISEMENT, flags, target, 2, lladdr or self.mac)
        self.packet6(58, body, target, dst or self.segment.host.v6)

    # Hearing.

    def hears(self, seen: Seen, unicast: bool) -> None:
        if not self.alive:
            return
        if seen.ethertype == ethernet.TYPE_ARP:
            self._hears_arp(seen, unicast)
        elif not self._hears_solicitation(seen, unicast) and unicast:
            self.heard.append(seen)

    def _hears_arp(self, seen: Seen, unicast: bool) -> None:
        question = arp.parse(seen.frame, 14, len(seen.frame))
        if question and question.operation == arp.REQUEST and question.tpa == self.v4:
            self.asked.append((seen.when, unicast))
            reply = arp.build(arp.REPLY, self.mac, self.v4, question.sha, question.spa)
            self.frame(ethernet.TYPE_ARP, reply)

    def _hears_solicitation(self, seen: Seen, unicast: bool) -> bool:
        pkt = seen.pkt
        if pkt.proto != icmp6.PROTO or seen.frame[pkt.l4] != icmp6.NEIGHBOR_SOLICITATION:
            return False
        message = ndp.parse(seen.frame, pkt.l4, pkt.end)
        if message is None or message.target not in (self.v6, self.local):
            return True
        self.asked.append((seen.when, unicast))
        if any(pkt.src):
            flags = ndp.FLAG_SOLICITED | ndp.FLAG_OVERRIDE
            flags |= ndp.FLAG_ROUTER if self.router else 0
            body = ndp.build(icmp6.NEIGHBOR_ADVERTISEMENT, flags, message.target, 2, self.mac)
            self.packet6(58, body, message.target, pkt.src)
        return True


class Segment:
    """The link.

    log    (ns, one line) of every frame the stack sent
    """

    def __init__(self, world: World, config: Config | None = None, mtu: int = 1500) -> None:
        self.world = world
        ours, theirs = wire(MAC, bytes.fromhex("0200000000fe"), mtu, offload=False)
        self.stations: list[Station] = []
        self.log: list[tuple[int, str]] = []
        self.frames: list[tuple[int, bytes]] = []
        self._port = theirs
        theirs.announce_to(self._arrived)
        self.host = world.stack_on(ours, 1, config)

    def station(self, number: int) -> Station:
        """A further station."""
        made = Station(self, number)
        self.stations.append(made)
        return made

    def ping(self, dst: bytes) -> int:
        """The stack sends an echo request to `dst`; the status."""
        status = self.host.stack.icmp_for(dst).echo(dst, 7, 1, b"data")
        self.world.run(0)
        return status

    def questions(self, text: str) -> list[int]:
        """When the stack sent frames whose line contains `text`, ns."""
        return [when for when, line in self.log if text in line]

    def _arrived(self) -> None:
        while (frame := self._port.read()) is not None:
            seen = Seen(frame, self.world.now, 0)
            self.log.append((seen.when, seen.text))
            self.frames.append((seen.when, frame))
            for station in self.stations:
                if frame[0] & 1:
                    station.hears(seen, False)
                elif frame[:6] == station.mac:
                    station.hears(seen, True)
