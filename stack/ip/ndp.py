# SPDX-License-Identifier: MIT
"""Floor 4: Neighbor Discovery as the resolver of IPv6 neighbours (RFC 4861 7.1-7.2).

Done: solicitations and advertisements with every validation rule of 7.1, including that none
was fragmented (RFC 6980); answers for our addresses; duplicate address detection both as
prober and as owner (RFC 4862 5.4).  Not done: router discovery, prefixes, redirects, and the
random delay before answering for an anycast address, of which there are none.
"""

from __future__ import annotations

from typing import Final

from stack.base import addr, fate
from stack.base.checksum import data_sum, finish
from stack.base.head import Head
from stack.base.packet import Packet
from stack.ip.v6 import V6Layer
from stack.link.neighbor import Neighbor
from stack.link.nic import Nic
from stack.link.seam import Resolver
from stack.wire import ethernet, icmp6, ndp

_HOPS: Final = 255


class NdpResolver(Resolver):
    """Neighbour discovery for one stack."""

    ethertype = ethernet.TYPE_IPV6

    def __init__(self, layer: V6Layer) -> None:
        self._layer = layer
        self._door = layer.door
        self._head = Head()

    # Receiving.

    def receive(self, pkt: Packet, kind: int) -> None:
        """A solicitation or advertisement whose checksum is right."""
        nic = pkt.nic
        if pkt.fragment is not None:
            self._door.drop(pkt, fate.ICMP_FRAGMENTED)
            return
        if pkt.ttl != _HOPS:
            self._door.drop(pkt, fate.NDP_HOP_LIMIT)
            return
        message = ndp.parse(pkt.frame, pkt.l4, pkt.end)
        if message is None or addr.is_multicast(message.target) or not isinstance(nic, Nic):
            self._door.drop(pkt, fate.NDP_MALFORMED)
            return
        if kind == icmp6.NEIGHBOR_SOLICITATION:
            self._solicitation(pkt, nic, message)
        else:
            self._advertisement(pkt, nic, message)

    def _solicitation(self, pkt: Packet, nic: Nic, message: ndp.Message) -> None:
        """RFC 4861 7.2.3-4."""
        target = message.target
        probing = pkt.src == addr.ANY6
        if probing and (pkt.dst != addr.solicited_node(target) or message.source_lladdr):
            self._door.drop(pkt, fate.NDP_MALFORMED)
            return
        if probing and not self._is_echo(pkt, nic):
            self._layer.claimed(nic, target, pkt.frame[pkt.net - 8 : pkt.net - 2])
        if not self._layer.answers_for(nic, target):
            self._door.drop(pkt, fate.NDP_NOT_FOR_US)
            return
        if probing:
            self._advertise(nic, target, addr.ALL_NODES, solicited=False)
            return
        lladdr = message.source_lladdr
        if lladdr and not lladdr[0] & 1:
            nic.neighbors.heard(pkt.src, lladdr, create=True)
        self._advertise(nic, target, pkt.src, solicited=True)

    def _advertisement(self, pkt: Packet, nic: Nic, message: ndp.Message) -> None:
        """RFC 4861 7.2.5."""
        flags = message.flags
        solicited = flags & ndp.FLAG_SOLICITED != 0
        lladdr = message.target_lladdr
        if (solicited and addr.is_multicast(pkt.dst)) or (lladdr and lladdr[0] & 1):
            self._door.drop(pkt, fate.NDP_MALFORMED)
            return
        if message.target in self._layer.addresses.all:
            self._layer.claimed(nic, message.target, lladdr)
            self._door.drop(pkt, fate.NDP_NOT_FOR_US)
            return
        known = nic.neighbors.advertised(
            message.target,
            lladdr,
            solicited,
            override=flags & ndp.FLAG_OVERRIDE != 0,
            router=flags & ndp.FLAG_ROUTER != 0,
        )
        if not known:
            self._door.drop(pkt, fate.NDP_UNKNOWN_NEIGHBOR)

    @staticmethod
    def _is_echo(pkt: Packet, nic: Nic) -> bool:
        """Our own probe, looped back by the link (RFC 4862 5.4.3)."""
        return pkt.frame[pkt.net - 8 : pkt.net - 2] == nic.mac

    # Sending.

    def solicit(self, nic: Nic, target: bytes, lladdr: bytes) -> None:
        src = self._layer.source_for(nic, target)
        if src == addr.ANY6:
            return  # that would be a duplicate address probe, which this is not
        dst = target if lladdr else addr.solicited_node(target)
        self._send(nic, src, dst, lladdr, icmp6.NEIGHBOR_SOLICITATION, 0, target)

    def probe(self, nic: Nic, address: bytes) -> None:
        dst = addr.solicited_node(address)
        self._send(nic, addr.ANY6, dst, b"", icmp6.NEIGHBOR_SOLICITATION, 0, address)

    def announce(self, nic: Nic, address: bytes) -> None:
        self._advertise(nic, address, addr.ALL_NODES, solicited=False)

    def _advertise(self, nic: Nic, target: bytes, dst: bytes, solicited: bool) -> None:
        flags = ndp.FLAG_OVERRIDE | (ndp.FLAG_SOLICITED if solicited else 0)
        self._send(nic, target, dst, b"", icmp6.NEIGHBOR_ADVERTISEMENT, flags, target)

    def _send(
        self,
        nic: Nic,
        src: bytes,
        dst: bytes,
        lladdr: bytes,
        kind: int,
        flags: int,
        target: bytes,
    ) -> None:
        option = ndp.OPT_TARGET_LLADDR
        if kind == icmp6.NEIGHBOR_SOLICITATION:
            option = ndp.OPT_SOURCE_LLADDR
        own = nic.mac if src != addr.ANY6 else b""
        body = bytearray(ndp.build(kind, flags, target, option, own))
        path = self._layer.make_path(nic, src, dst, self._next_hop(nic, dst, lladdr), nic.mtu)
        total = data_sum(body) + path.address_sum + icmp6.PROTO + len(body)
        body[2:4] = finish(total).to_bytes(2, "big")
        # `begin` may be sending a packet of its own through the layer's head right now.
        head = self._head
        head.reset()
        self._layer.icmp.count_out(kind)
        path.send(head, (bytes(body),), len(body), icmp6.PROTO, ttl=_HOPS)

    @staticmethod
    def _next_hop(nic: Nic, dst: bytes, lladdr: bytes) -> Neighbor:
        if addr.is_multicast(dst):
            return nic.neighbors.fixed(dst, addr.multicast_mac(dst))
        if lladdr:
            return nic.neighbors.fixed(dst, lladdr)
        return nic.neighbors.lookup(dst)
