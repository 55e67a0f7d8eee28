# SPDX-License-Identifier: MIT
"""Floor 4: destinations to which a router knew a better first hop (RFC 4861 8, RFC 1122 3.2.2.2).

A redirect holds while the router that sent it is the one our routes lead to, while the hop it
named answers, and for `Config.redirect_age` at most; the oldest gives way to a new one.  Redirects
for nets count for the one host (RFC 1122 3.2.2.2), those for a type of service for all.

Done: every check of RFC 4861 8.1 and RFC 1122 3.2.2.2, and that the message comes from the current
first hop of something we send to the destination over the same interface.  Hosts send none.

Called by `ndp` and `icmp4` with messages, by `outbound` for paths, by `gateways` and `routers` when
a router is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stack.base import addr, fate
from stack.base.packet import Packet
from stack.base.seam import TimerOwner
from stack.base.timers import Timer
from stack.link.nic import Nic
from stack.wire import icmp4, ipv4, ndp

if TYPE_CHECKING:
    from stack.ip.host import IpHost

_CODES: Final = 4


class Redirect:
    """`dst` is reached through `target` instead of `router`; straight if it is `dst` itself."""

    __slots__ = ("dst", "nic", "router", "target", "until")

    def __init__(self, nic: Nic, dst: bytes, router: bytes, target: bytes, until: int) -> None:
        self.nic = nic
        self.dst = dst
        self.router = router
        self.target = target
        self.until = until


class Redirects(TimerOwner):
    """All of one host."""

    def __init__(self, host: IpHost) -> None:
        self._host = host
        self._all: dict[tuple[int, bytes], Redirect] = {}
        self._hops: dict[tuple[int, bytes], int] = {}  # how many are concerned if a hop is gone
        self._timer = Timer(self)

    def target(self, nic: Nic, dst: bytes, router: bytes) -> bytes:
        """The gateway to `dst` where routes say `router`; empty if `dst` is on the link."""
        known = self._all.get((nic.index, dst))
        if known is None or known.router != router:
            return router
        return b"" if known.target == dst else known.target

    def listing(self) -> list[Redirect]:
        """All that hold, the oldest first."""
        return list(self._all.values())

    def forget(self, nic: Nic, hop: bytes) -> None:
        """`hop` is no router any more, or does not answer: what it said, and what leads there."""
        if (nic.index, hop) in self._hops:
            for known in self.listing():
                if known.nic is nic and hop in (known.router, known.target):
                    self._remove(known)

    def forget_all(self, nic: Nic) -> None:
        """`nic` is on another link, or on none."""
        for known in self.listing():
            if known.nic is nic:
                self._remove(known)

    def fired(self, timer: Timer) -> None:
        """The oldest have aged."""
        now = self._host.env.now
        for known in self.listing():
            if known.until > now:
                self._host.timers.arm(timer, known.until)
                return
            self._remove(known)

    # Receiving.

    def receive6(self, pkt: Packet, nic: Nic) -> None:
        """A redirect of RFC 4861, unfragmented and from the link."""
        message = ndp.parse_redirect(pkt.frame, pkt.l4, pkt.end)
        reason = fate.NDP_MALFORMED
        if message is not None:
            reason = self._judge6(pkt, nic, message)
        if reason or message is None:
            self._host.door.drop(pkt, reason)
            return
        target, dst = message.target, message.destination
        lladdr = message.target_lladdr
        if lladdr and not lladdr[0] & 1 and lladdr != nic.mac:
            nic.neighbors.heard(target, lladdr, create=True)
        if target != dst:
            nic.neighbors.lookup(target).is_router = True
        self._learn(nic, dst, pkt.src, target)

    def _judge6(self, pkt: Packet, nic: Nic, message: ndp.Redirect) -> int:
        """RFC 4861 8.1: a drop reason, or 0."""
        layer = self._host.layers[16]
        target, dst = message.target, message.destination
        if not addr.is_link_local(pkt.src):
            return fate.NDP_SOURCE
        if not layer.interface(nic).accepts_redirects:
            return fate.REDIRECT_REFUSED
        if addr.is_multicast(dst) or dst in layer.local or target in layer.addresses.all:
            return fate.REDIRECT_INVALID
        if not addr.is_link_local(target) and target != dst:
            return fate.REDIRECT_INVALID
        # 8.3 wants an entry made where there is none; RFC 1122 does not ask that of IPv4.
        if layer.goes_through(nic, dst, pkt.src) or layer.would_go_through(nic, dst, pkt.src):
            return fate.DELIVERED
        return fate.REDIRECT_NOT_FIRST_HOP

    def receive4(self, pkt: Packet, code: int, gateway: bytes) -> None:
        """A redirect of RFC 792 whose checksum is right."""
        nic = pkt.nic
        assert isinstance(nic, Nic)
        frame, at = pkt.frame, pkt.l4 + icmp4.LENGTH
        if pkt.end - at < ipv4.LENGTH + 8 or frame[at] >> 4 != 4:
            self._host.door.drop(pkt, fate.ICMP_QUOTE_INVALID)
            return
        src, dst = frame[at + 12 : at + 16], frame[at + 16 : at + 20]
        reason = self._judge4(pkt, nic, code, gateway, src, dst)
        if reason:
            self._host.door.drop(pkt, reason)
            return
        self._learn(nic, dst, pkt.src, gateway)

    def _judge4(
        self, pkt: Packet, nic: Nic, code: int, gateway: bytes, src: bytes, dst: bytes
    ) -> int:
        """RFC 1122 3.2.2.2: a drop reason, or 0."""
        layer = self._host.layers[4]
        if not layer.interface(nic).accepts_redirects:
            return fate.REDIRECT_REFUSED
        if src not in layer.local:
            return fate.ICMP_QUOTE_INVALID
        if code >= _CODES or dst in layer.local or gateway in (pkt.src, *layer.addresses.all):
            return fate.REDIRECT_INVALID
        if addr.is_multicast(dst) or any(map(layer.is_broadcast_anywhere, (dst, gateway))):
            return fate.REDIRECT_INVALID
        route = self._host.routes.lookup(gateway, nic)
        if route is None or route.gateway or not addr.is_host4(gateway):
            return fate.REDIRECT_INVALID
        if not layer.goes_through(nic, dst, pkt.src):
            return fate.REDIRECT_NOT_FIRST_HOP
        return fate.DELIVERED

    def _learn(self, nic: Nic, dst: bytes, sender: bytes, target: bytes) -> None:
        host = self._host
        known = self._all.get((nic.index, dst))
        router = sender
        if known is not None:
            if known.target == sender:
                router = known.router  # redirected once more, by the hop of the first
            self._remove(known)
        while len(self._all) >= host.config.redirect_limit:
            self._remove(next(iter(self._all.values())))
        if router != target:  # or it is back where it was
            until = host.env.now + host.config.redirect_age
            made = self._all[nic.index, dst] = Redirect(nic, dst, router, target, until)
            for hop in (made.router, made.target):
                key = (nic.index, hop)
                self._hops[key] = self._hops.get(key, 0) + 1
            if not self._timer.armed:
                host.timers.arm(self._timer, until)
        host.layer_of(dst).redirect(dst)

    def _remove(self, known: Redirect) -> None:
        index = known.nic.index
        del self._all[index, known.dst]
        for hop in (known.router, known.target):
            count = self._hops.pop((index, hop)) - 1
            if count:
                self._hops[index, hop] = count
        self._host.layer_of(known.dst).redirect(known.dst)
