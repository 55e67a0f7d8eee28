# SPDX-License-Identifier: MIT
"""Floor 4: Neighbor Discovery as the resolver of IPv6 neighbours (RFC 4861 7.1-7.2).

Done: solicitations and advertisements with every validation rule of 7.1, including that none
was fragmented (RFC 6980); answers for our addresses, for anycast ones after a random delay
(7.2.7); duplicate address detection both as prober and as owner (RFC 4862 5.4), with nonces (RFC
7527); telling routers of a new address (RFC 9131).  What routers say goes on to `routers` and
`redirects`.  Not done: proxying.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stack.base import addr, fate
from stack.base.head import Head, Parked
from stack.base.packet import Packet
from stack.base.seam import TimerOwner
from stack.base.timers import Timer
from stack.base.units import SECOND
from stack.ip.v6 import V6Layer
from stack.link.nic import Nic
from stack.link.seam import Resolver
from stack.wire import ethernet, icmp6, ndp

if TYPE_CHECKING:
    from stack.ip.routers import Routers

MAX_ANYCAST_DELAY_TIME: Final = SECOND  # RFC 4861 10

_HOPS: Final = 255
_DELAYED: Final = 64


class _Answer(TimerOwner):
    """An advertisement for an anycast address that waits for its time."""

    __slots__ = ("dst", "nic", "resolver", "target", "timer")

    def __init__(self, resolver: NdpResolver, nic: Nic, target: bytes, dst: bytes) -> None:
        self.resolver = resolver
        self.nic = nic
        self.target = target
        self.dst = dst
        self.timer = Timer(self)

    def fired(self, timer: Timer) -> None:
        self.resolver.answer(self)


class NdpResolver(Resolver):
    """Neighbour discovery for one stack."""

    ethertype = ethernet.TYPE_IPV6

    def __init__(self, layer: V6Layer) -> None:
        self._layer = layer
        self._door = layer.door
        self._head = Head()
        self._delayed: set[_Answer] = set()
        self.routers: Routers
        self.anycast: set[bytes] = set()
        """Those of our addresses that others have too; they are never probed for."""

    # Receiving.

    def receive(self, pkt: Packet, kind: int) -> None:
        """A message whose checksum is right."""
        nic = pkt.nic
        if pkt.fragment is not None:
            self._door.drop(pkt, fate.ICMP_FRAGMENTED)
            return
        if pkt.ttl != _HOPS:
            self._door.drop(pkt, fate.NDP_HOP_LIMIT)
            return
        assert isinstance(nic, Nic)
        if kind == icmp6.ROUTER_ADVERTISEMENT:
            self.routers.receive(pkt, nic)
            return
        if kind == icmp6.REDIRECT:
            self._layer.host.redirects.receive6(pkt, nic)
            return
        message = ndp.parse(pkt.frame, pkt.l4, pkt.end)
        if message is None or addr.is_multicast(message.target):
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
        if probing and (message.nonce or not self._is_echo(pkt, nic)):
            lladdr = pkt.frame[pkt.net - 8 : pkt.net - 2]
            self._layer.claimed(nic, target, lladdr, message.nonce)
        if not self._layer.answers_for(nic, target):
            self._door.drop(pkt, fate.NDP_NOT_FOR_US)
            return
        lladdr = message.source_lladdr
        if lladdr == nic.mac:
            self._door.drop(pkt, fate.NDP_OWN_LLADDR)
            return
        if lladdr and not lladdr[0] & 1:
            nic.neighbors.heard(pkt.src, lladdr, create=True)
        dst = addr.ALL_NODES if probing else pkt.src
        if target in self.anycast:
            self._answer_later(nic, target, dst)
        else:
            solicited = 0 if probing else ndp.FLAG_SOLICITED
            self._advertise(nic, target, dst, ndp.FLAG_OVERRIDE | solicited)

    def _answer_later(self, nic: Nic, target: bytes, dst: bytes) -> None:
        """RFC 4861 7.2.7: not all who have the address at once, and nobody's word overrides."""
        if len(self._delayed) >= _DELAYED:
            return
        env = self._layer.env
        answer = _Answer(self, nic, target, dst)
        self._delayed.add(answer)
        delay = env.random_below(MAX_ANYCAST_DELAY_TIME)
        self._layer.host.timers.arm(answer.timer, env.now + delay)

    def answer(self, answer: _Answer) -> None:
        """Its time has come."""
        self._delayed.discard(answer)
        if self._layer.answers_for(answer.nic, answer.target):
            solicited = 0 if answer.dst == addr.ALL_NODES else ndp.FLAG_SOLICITED
            self._advertise(answer.nic, answer.target, answer.dst, solicited)

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
        router = self._is_router(nic, message.target)
        known = nic.neighbors.advertised(
            message.target,
            lladdr,
            solicited,
            override=flags & ndp.FLAG_OVERRIDE != 0,
            router=flags & ndp.FLAG_ROUTER != 0,
        )
        if not known:
            self._door.drop(pkt, fate.NDP_UNKNOWN_NEIGHBOR)
        elif router and not self._is_router(nic, message.target):
            self.routers.resigned(nic, message.target)

    @staticmethod
    def _is_router(nic: Nic, address: bytes) -> bool:
        entry = nic.neighbors.entries.get(address)
        return entry is not None and entry.is_router

    @staticmethod
    def _is_echo(pkt: Packet, nic: Nic) -> bool:
        """Our own probe without a nonce, looped back by the link (RFC 4862 5.4.3).  One with a
        nonce is known by that (RFC 7527 4.2)."""
        return pkt.frame[pkt.net - 8 : pkt.net - 2] == nic.mac

    # Sending.

    def solicit(
        self, nic: Nic, target: bytes, lladdr: bytes, waiting: Parked | None = None
    ) -> None:
        src = self._layer.source_for(nic, target, waiting)
        if src == addr.ANY6:
            return  # that would be a duplicate address probe, which this is not
        dst = target if lladdr else addr.solicited_node(target)
        option = ndp.OPT_SOURCE_LLADDR
        body = ndp.build(icmp6.NEIGHBOR_SOLICITATION, 0, target, option, nic.mac)
        self.send(nic, src, dst, lladdr, body)

    def probe(self, nic: Nic, address: bytes, nonce: bytes = b"") -> None:
        dst = addr.solicited_node(address)
        body = ndp.build(icmp6.NEIGHBOR_SOLICITATION, 0, address, 0, b"", nonce)
        self.send(nic, addr.ANY6, dst, b"", body)

    def announce(self, nic: Nic, address: bytes, routers: bool = False) -> None:
        """Tell everybody that `address` is ours; or, with `routers`, only them, and without
        overriding what they know (RFC 9131 6.1)."""
        if routers:
            self._advertise(nic, address, addr.ALL_ROUTERS, 0)
        else:
            self._advertise(nic, address, addr.ALL_NODES, ndp.FLAG_OVERRIDE)

    def _advertise(self, nic: Nic, target: bytes, dst: bytes, flags: int) -> None:
        if self._layer.is_optimistic(target):
            flags &= ~ndp.FLAG_OVERRIDE  # RFC 4429 3.2
        option = ndp.OPT_TARGET_LLADDR
        if self._layer.interface(nic).forwarding:
            flags |= ndp.FLAG_ROUTER
        body = ndp.build(icmp6.NEIGHBOR_ADVERTISEMENT, flags, target, option, nic.mac)
        self.send(nic, target, dst, b"", body)

    def send(self, nic: Nic, src: bytes, dst: bytes, lladdr: bytes, body: bytes) -> None:
        """Send a message whose checksum field is zero: to `lladdr`, or wherever `dst` is."""
        entry = nic.neighbors.fixed(dst, lladdr) if lladdr else self._layer.neighbor(nic, dst)
        path = self._layer.make_path(nic, src, dst, entry, nic.mtu)
        body = self._layer.icmp.complete(path, body)
        # `begin` may be sending a packet of its own through the layer's head right now.
        head = self._head
        head.reset()
        path.send(head, (body,), len(body), icmp6.PROTO, ttl=_HOPS)
