# SPDX-License-Identifier: MIT
"""Floor 4: which of several routes is taken, and what becomes of those whose gateway is dead.

One rule for both families and for routes from every source:

1.  The longest prefix (RFC 1122 3.3.1, RFC 4861 5.2).
2.  Of its routes, those whose gateway answers, or may: neighbour unreachability detection knows
    (RFC 4861 6.3.6; RFC 1122 3.3.1.4, RFC 816 by ARP's unicast poll and the doubts of transports).
3.  Of these, the ones through a router that advertised the source address's prefix (RFC 8028 3.2).
4.  Of these, the lowest metric; a router's preference (RFC 4191) is part of it.

Routers nobody has asked yet are tried in turn, and so are all of a prefix if none answers (RFC 4861
6.3.6).  If all of an *advertised* prefix are dead, the next shorter prefix is consulted (RFC 4191
3.2); routes set up by hand keep their traffic.

A better gateway that is avoided is asked for once a minute, and only while there is traffic for it
(RFC 4191 3.5): paths that avoid one are looked up anew every minute, if anybody uses them.
Not done: load sharing between equal routers (RFC 4311).

Called by `outbound` for paths and with what neighbours do.  Bounded by the routes there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stack.base import addr
from stack.base.seam import TimerOwner
from stack.base.timers import Timer
from stack.base.units import MINUTE
from stack.ip.routes import ADVERTISED, Route
from stack.link.neighbor import DELAY, PROBE, REACHABLE, STALE, Neighbor
from stack.link.nic import Nic

if TYPE_CHECKING:
    from stack.ip.host import IpHost
    from stack.ip.outbound import Outbound

CHECK_INTERVAL: Final = MINUTE  # RFC 4191 3.5

_LIMIT: Final = 1024

_ANSWERS: Final = 0
_UNKNOWN: Final = 1
_DEAD: Final = 2

_PRESENT: Final = frozenset((REACHABLE, STALE, DELAY, PROBE))


class Gateway:
    """What is known of one gateway, beside its neighbour entry, which may come and go.

    dead       it did not answer, and has not since
    checked    ns, when it was asked for last because something better is missed
    turn       the larger, the later it was chosen
    prefixes   what it advertised as prefixes of addresses: (prefix, length)
    """

    __slots__ = ("address", "checked", "dead", "nic", "prefixes", "turn")

    def __init__(self, nic: Nic, address: bytes) -> None:
        self.nic = nic
        self.address = address
        self.dead = False
        self.checked = -CHECK_INTERVAL
        self.turn = 0
        self.prefixes: set[tuple[bytes, int]] = set()

    def advertised(self, address: bytes) -> bool:
        """`address` belongs to a prefix that it advertised."""
        return any(addr.mask(address, length) == prefix for prefix, length in self.prefixes)

    def longest(self) -> int:
        """The length of the longest of these prefixes."""
        return max((length for _, length in self.prefixes), default=0)


class Gateways(TimerOwner):
    """The gateways of one host."""

    def __init__(self, host: IpHost) -> None:
        self._host = host
        self._known: dict[tuple[int, bytes], Gateway] = {}
        self._turns = 0
        self._timer = Timer(self)

    def get(self, nic: Nic, address: bytes) -> Gateway:
        """The record of a gateway, made if need be."""
        key = (nic.index, address)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _LIMIT:
                self._prune()
            known = self._known[key] = Gateway(nic, address)
        return known

    def find(self, nic: Nic, address: bytes) -> Gateway | None:
        """The record of a gateway, None if no route leads through it."""
        return self._known.get((nic.index, address))

    def listing(self) -> list[Gateway]:
        """Every gateway that was ever considered."""
        return list(self._known.values())

    def advertised(self, nic: Nic, gateway: bytes, address: bytes) -> bool:
        """`address` belongs to a prefix that `gateway` advertised on `nic` (RFC 6724 5, 5.5)."""
        known = self._known.get((nic.index, gateway))
        return known is not None and known.advertised(address)

    def vouch(self, nic: Nic, prefix: bytes, length: int, speaker: bytes) -> bool:
        """The prefix was advertised by a gateway on `nic` that is not known to be dead, or by
        `speaker`, who is just being heard."""
        return any(
            known.nic is nic
            and (prefix, length) in known.prefixes
            and not (known.dead and known.address != speaker)
            for known in self._known.values()
        )

    def forget(self, nic: Nic) -> None:
        """`nic` is on another link, or on none."""
        for key in [key for key in self._known if key[0] == nic.index]:
            del self._known[key]

    # Choosing.

    def choose(
        self, layer: Outbound, dst: bytes, src: bytes, nic: Nic | None, sending: bool
    ) -> tuple[Route | None, bool]:
        """The route to `dst`, from `src` and over `nic` if those are given, None if there is none;
        and whether a better one is avoided because its gateway does not answer.

        `sending`: something will be sent, so the avoided one may be asked for, and turns count.
        """
        missed: list[Gateway] = []
        dead: list[tuple[int, Route]] = []
        for routes in self._host.routes.matching(dst):
            best = self._best(layer, routes, src, nic, missed, dead)
            if best is not None:
                return self._take(best, missed, sending)
            if any(route.origin != ADVERTISED for _, route in dead):
                break
        if not dead:
            return None, False
        # All are dead: in turn, and the others are asked for, so that each is tried.
        dead.sort(key=lambda entry: entry[0])
        others = [self.get(route.nic, route.gateway) for _, route in dead[1:]]
        return self._take(dead[0][1], others, sending)

    def _best(
        self,
        layer: Outbound,
        routes: list[Route],
        src: bytes,
        nic: Nic | None,
        missed: list[Gateway],
        dead: list[tuple[int, Route]],
    ) -> Route | None:
        """The best of one prefix's routes that is not dead; who would have been better, and who is
        dead, is added to the lists."""
        best: Route | None = None
        best_key = (0, 0, 0, 0)
        others: list[tuple[tuple[int, int], Gateway]] = []
        for route in routes:
            if route.nic is not (nic or route.nic) or not route.nic.up:
                continue
            rank, stranger, turn = _ANSWERS, 0, 0
            metric = route.metric + layer.interfaces[route.nic.index].metric
            if route.gateway:
                gateway = self.get(route.nic, route.gateway)
                rank = self._rank(gateway, route)
                if src and gateway.prefixes and not gateway.advertised(src):
                    stranger = 1
                if rank != _ANSWERS:
                    turn = gateway.turn
                    others.append(((stranger, metric), gateway))
            if rank == _DEAD:
                dead.append((turn, route))
                continue
            key = (rank, stranger, metric, turn)
            if best is None or key < best_key:
                best, best_key = route, key
        for merit, gateway in others:
            if best is None or merit < best_key[1:3]:
                missed.append(gateway)
        return best

    @staticmethod
    def _rank(gateway: Gateway, route: Route) -> int:
        if gateway.dead:
            return _DEAD
        entry = gateway.nic.neighbors.entries.get(gateway.address)
        if entry is not None and entry.state in _PRESENT:
            return _ANSWERS
        # Who configures gateways by hand says which comes first; they are asked when used.
        return _UNKNOWN if route.origin == ADVERTISED else _ANSWERS

    def _take(self, route: Route, missed: list[Gateway], sending: bool) -> tuple[Route, bool]:
        if sending:
            if route.gateway:
                self._turns += 1
                self.get(route.nic, route.gateway).turn = self._turns
            for gateway in missed:
                self._miss(gateway)
        return route, bool(missed)

    def _miss(self, gateway: Gateway) -> None:
        """A packet would have gone through `gateway`, if it answered."""
        now = self._host.env.now
        if now - gateway.checked >= CHECK_INTERVAL:
            gateway.checked = now
            gateway.nic.neighbors.check(gateway.address)
        if not self._timer.armed:
            self._host.timers.arm(self._timer, gateway.checked + CHECK_INTERVAL)

    def fired(self, timer: Timer) -> None:
        """Who still sends past a better gateway asks anew for a path, and that for the gateway."""
        for layer in self._host.layers.values():
            layer.reconsider()

    # What neighbours do.

    def failed(self, neighbor: Neighbor) -> None:
        """`neighbor` does not answer."""
        nic, address = neighbor.cache.nic, neighbor.address
        self._host.redirects.forget(nic, address)
        gateway = self._known.get((nic.index, address))
        if gateway is not None:
            gateway.dead = True
            gateway.checked = self._host.env.now
            self._host.layer_of(address).reroute(nic, address)

    def answers(self, neighbor: Neighbor) -> None:
        """`neighbor` is there, or there again."""
        gateway = self._known.get((neighbor.cache.nic.index, neighbor.address))
        if gateway is not None:
            gateway.dead = False
            self._host.layer_of(neighbor.address).reconsider()

    def _prune(self) -> None:
        used = {(r.nic.index, r.gateway) for r in self._host.routes.all()}
        for key in [key for key in self._known if key not in used]:
            del self._known[key]
