# SPDX-License-Identifier: MIT
"""Floor 3: ARP (RFC 826, RFC 1122 2.3.2) as the resolver of IPv4 neighbours.

Done: the reception algorithm with its merge, requests by broadcast and by unicast, probes
and announcements in RFC 5227's form, replies only for addresses that are ours.

What to make of a conflict, and when to probe, is `ip/dad`'s; this file only knows messages.
"""

from __future__ import annotations

from stack.base import addr, fate
from stack.base.fate import DropDoor
from stack.base.head import Parked
from stack.base.packet import Packet
from stack.link.nic import Nic
from stack.link.seam import NetworkLayer, Resolver
from stack.wire import arp, ethernet


class ArpResolver(NetworkLayer, Resolver):
    """ARP for one stack: a resolver for IPv4, and the receiver of ethertype 0x0806."""

    ethertype = ethernet.TYPE_IPV4

    def __init__(self, layer: NetworkLayer, door: DropDoor) -> None:
        self._layer = layer
        self._door = door

    def receive(self, pkt: Packet) -> None:
        """RFC 826 "Packet Reception", with the checks of RFC 5227 1.1 in front."""
        message = arp.parse(pkt.frame, pkt.net, pkt.end)
        nic = pkt.nic
        if message is None or not isinstance(nic, Nic):
            self._door.drop(pkt, fate.ARP_MALFORMED)
            return
        sha, spa, tpa = message.sha, message.spa, message.tpa
        if sha[0] & 1 or sha == addr.MAC_NONE or sha == nic.mac:
            self._door.drop(pkt, fate.ARP_SENDER_INVALID)
            return
        if spa == addr.ANY4:
            # A probe: somebody wants `tpa`.  It carries no mapping, and is a conflict only while
            # we want it too (RFC 5227 2.1.1); once it is ours, the answer says so.
            if not self._layer.answers_for(nic, tpa):
                self._layer.claimed(nic, tpa, sha)
        elif not addr.is_host4(spa):
            self._door.drop(pkt, fate.ARP_SENDER_INVALID)
            return
        else:
            self._layer.claimed(nic, spa, sha)
            if self._layer.answers_for(nic, spa):
                self._door.drop(pkt, fate.ARP_SENDER_INVALID)
                return
            self._merge(nic, message)
        if not self._layer.answers_for(nic, tpa):
            if spa != tpa:
                self._door.drop(pkt, fate.ARP_NOT_FOR_US)
            return
        if message.operation == arp.REQUEST:
            reply = arp.build(arp.REPLY, nic.mac, tpa, sha, spa)
            # RFC 3927 2.5: so that everybody who has the same link-local address hears it.
            target = addr.MAC_BROADCAST if addr.is_link_local(tpa) else sha
            nic.send_raw(target, ethernet.TYPE_ARP, reply)

    def _merge(self, nic: Nic, message: arp.Arp) -> None:
        cache = nic.neighbors
        spa, sha = message.spa, message.sha
        for_us = self._layer.answers_for(nic, message.tpa)
        if message.operation == arp.REPLY and for_us and cache.asking(spa):
            cache.advertised(spa, sha, solicited=True, override=True, router=False)
        else:
            cache.heard(spa, sha, create=for_us)

    def solicit(
        self, nic: Nic, target: bytes, lladdr: bytes, waiting: Parked | None = None
    ) -> None:
        source = self._layer.source_for(nic, target, waiting)
        if addr.is_link_local(source):
            lladdr = addr.MAC_BROADCAST  # RFC 3927 2.5
        request = arp.build(arp.REQUEST, nic.mac, source, addr.MAC_NONE, target)
        nic.send_raw(lladdr or addr.MAC_BROADCAST, ethernet.TYPE_ARP, request)

    def probe(self, nic: Nic, address: bytes, nonce: bytes = b"") -> None:
        request = arp.build(arp.REQUEST, nic.mac, addr.ANY4, addr.MAC_NONE, address)
        nic.send_raw(addr.MAC_BROADCAST, ethernet.TYPE_ARP, request)

    def announce(self, nic: Nic, address: bytes) -> None:
        request = arp.build(arp.REQUEST, nic.mac, address, addr.MAC_NONE, address)
        nic.send_raw(addr.MAC_BROADCAST, ethernet.TYPE_ARP, request)
