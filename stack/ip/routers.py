# SPDX-License-Identifier: MIT
"""Floor 4: what routers advertise, and for how long it holds (RFC 4861 6.1.2, 6.3, RFC 4191 3.1).

Done: validation; hop limit, reachable time, retransmission timer and MTU into `IpInterface`;
default routers with lifetime and preference, more specific routes (a type C host of RFC 4191),
prefixes on the link (never assumed: RFC 5942), name servers and search lists (RFC 8106) into
`IpHost.name_servers`, prefixes and flags to `IpHost.prefix_listeners`.  Information of several
routers adds up.  Routes go into the one route table with a metric behind what is set up by hand;
which router is taken is `gateways`'s.

Times that are out of reason are taken as the nearest one that is not: a router must not make us
ask a thousand times a second, or never.

Bounded: routers, prefixes, routes per interface by `Config`, name servers and domains per router
here.  A flood of advertisements costs its parsing: the first to come stay, but for a router that
does not answer, which gives way to one that has just spoken.

Called by `ndp` with messages, by `host` as an attendant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stack.base import addr, fate
from stack.base.packet import Packet
from stack.base.seam import TimerOwner
from stack.base.timers import NEVER, Timer
from stack.base.units import MS, SECOND
from stack.ip.nameservers import ROUTER
from stack.ip.router import DEFAULT, Prefix, Router
from stack.ip.routes import ADVERTISED, ADVERTISED_METRIC, Route
from stack.ip.seam import Attendant
from stack.ip.solicit import Solicitor
from stack.link.nic import Nic
from stack.wire import ipv6, ndp
from stack.wire.ndp import HIGH, LOW, MEDIUM, RESERVED
from stack.wire.ndp_options import FLAG_AUTONOMOUS, FLAG_ON_LINK, INFINITY

if TYPE_CHECKING:
    from stack.ip.addrconf import LocalAddress
    from stack.ip.host import IpHost
    from stack.ip.interface import IpInterface
    from stack.ip.ndp import NdpResolver
    from stack.ip.v6 import V6Layer

MAX_REACHABLE_TIME: Final = 3600 * SECOND  # RFC 4861 6.2.1
MIN_REACHABLE_TIME: Final = SECOND
MIN_RETRANS_TIMER: Final = 100 * MS
MAX_RETRANS_TIMER: Final = 60 * SECOND

_SERVERS: Final = 8
_DOMAINS: Final = 16

_METRICS: Final = {
    HIGH: ADVERTISED_METRIC - 64,
    MEDIUM: ADVERTISED_METRIC,
    LOW: ADVERTISED_METRIC + 64,
}


class Routers(Attendant, TimerOwner):
    """Router discovery of one host."""

    def __init__(self, host: IpHost, layer: V6Layer, ndp: NdpResolver) -> None:
        self._host = host
        self._layer = layer
        self._ndp = ndp
        self._routers: dict[tuple[int, bytes], Router] = {}
        self._on_link: dict[tuple[int, Prefix], tuple[Nic, int]] = {}
        self._solicitors: dict[int, Solicitor] = {}
        self._before: dict[int, tuple[int, int, int, int]] = {}  # any router told us otherwise
        self._timer = Timer(self)

    # Looking.

    def listing(self) -> list[Router]:
        """Every router of which something is remembered."""
        return list(self._routers.values())

    def prefixes(self) -> list[tuple[Nic, bytes, int, int]]:
        """(interface, prefix, length, until) of everything advertised as on the link."""
        return [(nic, *prefix, until) for (_, prefix), (nic, until) in self._on_link.items()]

    # Attendant.

    def nic_up(self, nic: Nic) -> None:
        interface = self._layer.interface(nic)
        if nic.is_loopback or nic.mtu < ipv6.MIN_MTU:
            return
        if not (interface.solicit and interface.accepts_ra):
            return
        solicitor = self._solicitors.get(nic.index)
        if solicitor is None:
            solicitor = self._solicitors[nic.index] = Solicitor(self._layer, self._ndp, nic)
        solicitor.start()

    def nic_down(self, nic: Nic) -> None:
        """Another link has other routers."""
        if nic.index in self._solicitors:
            self._solicitors[nic.index].stop()
        for router in [r for r in self._routers.values() if r.nic is nic]:
            self._forget(router)
        for index, prefix in [key for key in self._on_link if key[0] == nic.index]:
            del self._on_link[index, prefix]
            self._host.routes.remove(*prefix, nic, b"", ADVERTISED)
        self._host.redirects.forget_all(nic)
        self._host.gateways.forget(nic)
        if nic.index in self._before:
            interface = self._layer.interface(nic)
            (
                interface.hop_limit,
                interface.mtu,
                interface.reachable_time,
                interface.retrans_timer,
            ) = self._before.pop(nic.index)
        self._layer.invalidate()
        self._arm()

    def address_changed(self, entry: LocalAddress) -> None:
        solicitor = self._solicitors.get(entry.nic.index)
        if solicitor is not None:
            solicitor.address_changed()

    # Receiving.

    def receive(self, pkt: Packet, nic: Nic) -> None:
        """A router advertisement, unfragmented and from the link."""
        door = self._host.door
        interface = self._layer.interface(nic)
        message = ndp.parse_advertisement(pkt.frame, pkt.l4, pkt.end)
        if not addr.is_link_local(pkt.src):
            door.drop(pkt, fate.NDP_SOURCE)
            return
        if message is None:
            door.drop(pkt, fate.NDP_MALFORMED)
            return
        if not interface.accepts_ra:
            door.drop(pkt, fate.RA_REFUSED)
            return
        router = self._router(nic, pkt.src, message.lifetime != 0)
        if router is None:
            door.drop(pkt, fate.RA_TOO_MANY_ROUTERS)
            return
        self._parameters(interface, message)
        self._neighbor(nic, pkt.src, message.source_lladdr)
        no_room = self._routes(router, message)
        no_room = self._prefixes(router, message) or no_room
        self._names(router, message)
        self._settle(router)
        if message.lifetime and nic.index in self._solicitors:
            self._solicitors[nic.index].heard()
        for listener in self._host.prefix_listeners:
            listener.flags(
                nic, bool(message.flags & ndp.FLAG_MANAGED), bool(message.flags & ndp.FLAG_OTHER)
            )
        if no_room:
            door.drop(pkt, no_room)

    def resigned(self, nic: Nic, address: bytes) -> None:
        """A neighbour that was a router says that it is none (RFC 4861 7.2.5)."""
        self._host.redirects.forget(nic, address)
        router = self._routers.get((nic.index, address))
        if router is not None:
            for prefix in list(router.routes):
                self._remove_route(router, prefix)
            self._settle(router)

    def _router(self, nic: Nic, address: bytes, default: bool) -> Router | None:
        """Its record, kept only if there turns out to be something to remember.

        Where there is no room a default router takes the place of one that does not answer: what
        invented ones have filled must not keep the true one out for as long as they said.
        """
        known = self._routers.get((nic.index, address))
        if known is not None:
            return known
        others = [router for router in self._routers.values() if router.nic is nic]
        config = self._host.config
        # Routers should not fill the neighbours: leave room for others.
        if len(others) >= min(config.ra_router_limit, config.neighbor_limit // 2):
            dead = (r for r in others if self._host.gateways.get(nic, r.address).dead)
            victim = next(dead, None) if default else None
            if victim is None:
                return None
            self._forget(victim)
        return Router(nic, address)

    def _settle(self, router: Router) -> None:
        key = (router.nic.index, router.address)
        if router.empty():
            self._routers.pop(key, None)
        else:
            self._routers[key] = router
        entry = router.nic.neighbors.entries.get(router.address)
        if entry is not None:
            entry.gateway = not router.empty()
        gateway = self._host.gateways.get(router.nic, router.address)
        gateway.prefixes = set(router.prefixes)
        self._arm()

    def _parameters(self, interface: IpInterface, message: ndp.Advertisement) -> None:
        """RFC 4861 6.3.4: what is unspecified stays as it was."""
        self._before.setdefault(
            interface.nic.index,
            (
                interface.hop_limit,
                interface.mtu,
                interface.reachable_time,
                interface.retrans_timer,
            ),
        )
        if message.reachable:
            interface.reachable_time = min(
                max(message.reachable * MS, MIN_REACHABLE_TIME), MAX_REACHABLE_TIME
            )
        if message.retrans:
            interface.retrans_timer = min(
                max(message.retrans * MS, MIN_RETRANS_TIMER), MAX_RETRANS_TIMER
            )
        hops = message.hop_limit or interface.hop_limit
        mtu = message.mtu if ipv6.MIN_MTU <= message.mtu <= interface.nic.mtu else interface.mtu
        if (hops, mtu) != (interface.hop_limit, interface.mtu):
            interface.hop_limit, interface.mtu = hops, mtu
            self._layer.invalidate()

    @staticmethod
    def _neighbor(nic: Nic, address: bytes, lladdr: bytes) -> None:
        """RFC 4861 6.3.4: STALE if made or changed, and a router in any case."""
        if lladdr and not lladdr[0] & 1 and lladdr != nic.mac:
            nic.neighbors.heard(address, lladdr, create=True)
        entry = nic.neighbors.entries.get(address)
        if entry is not None:
            entry.is_router = True

    # Routes.

    def _routes(self, router: Router, message: ndp.Advertisement) -> int:
        """The default route and more specific ones; a drop reason if there were too many."""
        preference = MEDIUM if message.preference == RESERVED else message.preference
        wanted: dict[Prefix, tuple[int, int]] = {DEFAULT: (message.lifetime, preference)}
        for info in message.routes:
            prefix = (addr.mask(info.prefix, info.length), info.length)
            if info.preference != RESERVED and not _is_local(*prefix):
                # One to ::/0 overrides the header's word (RFC 4191 3.1).
                wanted[prefix] = (info.lifetime, info.preference)
        # Default routes are as many as routers, and need no other room.
        room = self._host.config.ra_route_limit - sum(
            other.more_specific()
            for other in self._routers.values()
            if other.nic is router.nic and other is not router
        )
        full = fate.DELIVERED
        for prefix, (lifetime, preference) in wanted.items():
            if not lifetime:
                self._remove_route(router, prefix)
            elif prefix == DEFAULT or prefix in router.routes or router.more_specific() < room:
                self._add_route(router, prefix, self._until(lifetime), preference)
            else:
                full = fate.RA_TOO_MANY_ROUTES
        return full

    def _add_route(self, router: Router, prefix: Prefix, until: int, preference: int) -> None:
        known = router.routes.get(prefix)
        router.routes[prefix] = (until, preference)
        if known is None or known[1] != preference:
            metric = _METRICS[preference]
            self._host.routes.add(Route(*prefix, router.nic, router.address, metric, ADVERTISED))
            self._layer.invalidate()

    def _remove_route(self, router: Router, prefix: Prefix) -> None:
        if router.routes.pop(prefix, None) is None:
            return
        self._host.routes.remove(*prefix, router.nic, router.address, ADVERTISED)
        if not router.routes:
            self._host.redirects.forget(router.nic, router.address)
        self._layer.reroute(router.nic, router.address)

    # Prefixes.

    def _prefixes(self, router: Router, message: ndp.Advertisement) -> int:
        """Prefixes on the link and for addresses; a drop reason if there were too many."""
        full = fate.DELIVERED
        limit = self._host.config.ra_prefix_limit
        vouched = self._host.gateways.get(router.nic, router.address).prefixes
        for info in message.prefixes:
            prefix = (addr.mask(info.prefix, info.length), info.length)
            if _is_local(*prefix):
                continue
            until = self._until(info.valid)
            on_link = info.flags & FLAG_ON_LINK != 0
            autonomous = info.flags & FLAG_AUTONOMOUS != 0
            if info.valid == 0:
                router.prefixes.pop(prefix, None)
            elif (on_link or autonomous) and (
                prefix in router.prefixes or len(router.prefixes) < limit
            ):
                router.prefixes[prefix] = until
                vouched.add(prefix)
            if on_link and not self._set_on_link(router.nic, prefix, info.valid, until):
                full = fate.RA_TOO_MANY_PREFIXES
            for listener in self._host.prefix_listeners:
                listener.prefix(
                    router.nic,
                    *prefix,
                    _duration(info.valid),
                    _duration(info.preferred),
                    autonomous,
                    on_link,
                    router.address,
                )
        return full

    def _set_on_link(self, nic: Nic, prefix: Prefix, lifetime: int, until: int) -> bool:
        """RFC 4861 6.3.4, RFC 5942 4.  False if there is no room for another."""
        key = (nic.index, prefix)
        known = key in self._on_link
        if not lifetime:
            if known:
                self._off_link(nic, prefix)
            return True
        if not known:
            count = sum(1 for index, _ in self._on_link if index == nic.index)
            if count >= self._host.config.ra_prefix_limit:
                return False
            self._host.routes.add(Route(*prefix, nic, b"", ADVERTISED_METRIC, ADVERTISED))
            self._layer.invalidate()
        self._on_link[key] = (nic, until)
        return True

    def _off_link(self, nic: Nic, prefix: Prefix) -> None:
        del self._on_link[nic.index, prefix]
        self._host.routes.remove(*prefix, nic, b"", ADVERTISED)
        self._layer.invalidate()

    # Names.

    def _names(self, router: Router, message: ndp.Advertisement) -> None:
        """RFC 8106 5: a lifetime of zero takes an address or a domain back."""
        for lifetime, servers in message.servers:
            for server in servers:
                if not lifetime:
                    router.servers.pop(server, None)
                elif server in router.servers or (
                    len(router.servers) < _SERVERS and not addr.is_multicast(server) and any(server)
                ):
                    router.servers[server] = self._until(lifetime)
        for lifetime, domains in message.domains:
            for domain in domains:
                if not lifetime:
                    router.domains.pop(domain, None)
                elif domain in router.domains or len(router.domains) < _DOMAINS:
                    router.domains[domain] = self._until(lifetime)
        if message.servers or message.domains:
            self._publish(router)

    def _publish(self, router: Router) -> None:
        index = router.nic.index
        source = (ROUTER, index, router.address)
        if router.servers or router.domains:
            servers = [(s, index if addr.is_link_local(s) else 0) for s in router.servers]
            self._host.name_servers.learn(source, servers, list(router.domains))
        else:
            self._host.name_servers.forget(source)

    # Time.

    def fired(self, timer: Timer) -> None:
        """Something has reached the end of its lifetime."""
        now = self._host.env.now
        for (_, prefix), (nic, until) in list(self._on_link.items()):
            if until <= now:
                self._off_link(nic, prefix)
        for router in self.listing():
            if router.deadline() <= now:
                self._age(router, now)
        self._arm()

    def _age(self, router: Router, now: int) -> None:
        for prefix in [p for p, (until, _) in router.routes.items() if until <= now]:
            self._remove_route(router, prefix)
        for prefix in [p for p, until in router.prefixes.items() if until <= now]:
            del router.prefixes[prefix]
        servers = [s for s, until in router.servers.items() if until <= now]
        domains = [d for d, until in router.domains.items() if until <= now]
        for server in servers:
            del router.servers[server]
        for domain in domains:
            del router.domains[domain]
        if servers or domains:
            self._publish(router)
        self._settle(router)

    def _forget(self, router: Router) -> None:
        for prefix in list(router.routes):
            self._remove_route(router, prefix)
        router.prefixes.clear()
        router.servers.clear()
        router.domains.clear()
        self._publish(router)
        self._settle(router)

    def _arm(self) -> None:
        until = min((u for _, u in self._on_link.values()), default=NEVER)
        until = min([until, *(router.deadline() for router in self._routers.values())])
        if until < NEVER:
            self._host.timers.arm(self._timer, until)
        else:
            self._timer.disarm()

    def _until(self, lifetime: int) -> int:
        return NEVER if lifetime == INFINITY else self._host.env.now + lifetime * SECOND


def _duration(lifetime: int) -> int:
    """Seconds of an option as ns."""
    return NEVER if lifetime == INFINITY else lifetime * SECOND


def _is_local(prefix: bytes, length: int) -> bool:
    """A prefix of which nobody but us decides: link-local addresses, groups, our own host."""
    return (length >= 10 and addr.is_link_local(prefix)) or (
        length >= 8 and (addr.is_multicast(prefix) or addr.is_loopback(prefix))
    )
