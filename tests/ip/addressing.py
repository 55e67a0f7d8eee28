# SPDX-License-Identifier: MIT
"""A link with one stack on it, where scapy writes what others say and reads what the stack says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scapy.layers.inet6 import (
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw

from stack import Config
from stack.base import addr
from stack.base.head import Head
from stack.base.units import SECOND, View
from stack.ip.addrconf import LocalAddress
from stack.ip.seam import Attendant
from tap.frames import join
from tap.port import Port, Wrapper
from tests.harness import Host, World

ROUTER = "fe80::5"
OTHER_MAC = "02:00:00:00:00:99"
FOREVER = 0xFFFFFFFF


class Ear(Wrapper):
    """Hears every frame that leaves, and when."""

    def __init__(self, inner: Port, world: World) -> None:
        super().__init__(inner)
        self.frames: list[tuple[int, bytes]] = []
        self._world = world

    def transmit(self, head: Head, views: Sequence[View]) -> bool:
        self.frames.append((self._world.now, join(head, views, 0)))
        return super().transmit(head, views)


class Moves(Attendant):
    """Every transition of every address: (address, state, removed)."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int, bool]] = []

    def address_changed(self, entry: LocalAddress) -> None:
        self.seen.append((addr.text(entry.address), entry.state, entry.removed))

    def of(self, address: str) -> list[int]:
        return [state for text, state, _ in self.seen if text == address]


class Scene:
    """One stack, fresh on its link; nothing has happened yet."""

    def __init__(self, config: Config | None = None, seed: int = 1) -> None:
        self.world = World(seed)
        self.host: Host
        self.host, self.peer = self.world.host(config or Config(), wrap=self._listen)
        self.nic = self.host.nic
        self.stack = self.host.stack
        self.moves = Moves()
        self.stack.host.attendants.append(self.moves)
        self.mac = addr.mac_text(self.host.port.mac)

    def _listen(self, port: Port) -> Port:
        self.ear = Ear(port, self.world)
        return self.ear

    # Time.

    def run(self, seconds: float) -> None:
        self.world.run(int(seconds * SECOND))

    # What the stack says.

    def heard(self, kind: Any) -> list[tuple[int, Packet]]:
        """(ns, packet) of every packet of a scapy class that the stack has sent."""
        found: list[tuple[int, Packet]] = []
        for when, frame in self.ear.frames:
            packet = Ether(frame)
            if kind in packet:
                found.append((when, packet))
        return found

    def probes(self, address: str) -> list[tuple[int, Packet]]:
        """Duplicate address detection for `address`, of either family."""
        if ":" not in address:
            arps = self.heard(ARP)
            return [(t, p) for t, p in arps if (p[ARP].psrc, p[ARP].pdst) == ("0.0.0.0", address)]
        asked = self.heard(ICMPv6ND_NS)
        return [(t, p) for t, p in asked if p[IPv6].src == "::" and p[ICMPv6ND_NS].tgt == address]

    def announcements(self, address: str) -> list[tuple[int, Packet]]:
        if ":" not in address:
            return [(t, p) for t, p in self.heard(ARP) if p[ARP].psrc == p[ARP].pdst == address]
        said = self.heard(ICMPv6ND_NA)
        return [(t, p) for t, p in said if p[ICMPv6ND_NA].tgt == address]

    # What the link says.

    def inject(self, packet: Packet) -> None:
        """A frame to the stack, at this instant."""
        self.stack.receive(self.nic, bytes(packet))
        self.world.run(0)

    def arp(self, op: int, psrc: str, pdst: str, hwsrc: str = OTHER_MAC) -> None:
        dst = "ff:ff:ff:ff:ff:ff" if op == 1 else self.mac
        self.inject(
            Ether(src=hwsrc, dst=dst)
            / ARP(op=op, hwsrc=hwsrc, psrc=psrc, hwdst=self.mac, pdst=pdst)
        )

    def solicit(
        self, target: str, src: str = "::", mac: str = OTHER_MAC, nonce: bytes = b""
    ) -> None:
        """Somebody asks for `target`: with an unspecified source, because he wants it."""
        group = addr.solicited_node(addr.parse(target))
        ether = Ether(src=mac, dst=addr.mac_text(addr.multicast_mac(group)))
        packet = ether / IPv6(src=src, dst=addr.text(group), hlim=255) / ICMPv6ND_NS(tgt=target)
        if src != "::":
            packet /= ICMPv6NDOptSrcLLAddr(lladdr=mac)
        if nonce:
            packet /= Raw(bytes((14, 1)) + nonce)
        self.inject(packet)

    def advertise_self(self, target: str, mac: str = OTHER_MAC) -> None:
        """Somebody says that he has `target`."""
        ether = Ether(src=mac, dst="33:33:00:00:00:01")
        packet = ether / IPv6(src=target, dst="ff02::1", hlim=255)
        packet /= ICMPv6ND_NA(tgt=target, R=0, S=0, O=1) / ICMPv6NDOptDstLLAddr(lladdr=mac)
        self.inject(packet)

    def advertise(
        self,
        prefix: str = "2001:db8:1::",
        length: int = 64,
        valid: int = 86400,
        preferred: int = 14400,
        autonomous: bool = True,
        on_link: bool = True,
        router: str = ROUTER,
        more: tuple[str, ...] = (),
    ) -> None:
        """A router advertises a prefix, and `more` with the same lifetimes (seconds)."""
        ether = Ether(src="02:00:00:00:00:05", dst="33:33:00:00:00:01")
        packet = (
            ether / IPv6(src=router, dst="ff02::1", hlim=255) / ICMPv6ND_RA(routerlifetime=1800)
        )
        for text in (prefix, *more):
            packet /= ICMPv6NDOptPrefixInfo(
                prefix=text,
                prefixlen=length,
                L=int(on_link),
                A=int(autonomous),
                validlifetime=valid,
                preferredlifetime=preferred,
            )
        self.inject(packet)

    # What the stack has.

    def entry(self, address: str) -> LocalAddress:
        packed = addr.parse(address)
        return self.stack.host.layer_of(packed).addresses.all[packed]

    def has(self, address: str) -> bool:
        packed = addr.parse(address)
        return packed in self.stack.host.layer_of(packed).addresses.all

    def state(self, address: str) -> int:
        return self.entry(address).state

    def of_origin(self, origin: int) -> list[LocalAddress]:
        """IPv6 addresses of one origin, in order of configuration."""
        return [e for e in self.stack.v6.addresses.all.values() if e.origin == origin]

    def source(self, dst: str) -> str | None:
        packed = addr.parse(dst)
        path = self.stack.host.layer_of(packed).path(packed)
        return None if path is None else addr.text(path.src)
