# SPDX-License-Identifier: MIT
"""Floor 6: a lease: what an offer or acknowledgement grants, read with suspicion.

Done: RFC 2131 4.4.5 times T1 and T2 with their defaults and fuzz, infinite leases (3.3); RFC 3442
(classless routes make options 3 and 33 invisible; gateway 0.0.0.0 is the link); RFC 3397 before
the domain name; an absent or gappy mask gives way to that of the address's class.  An
address that no host can have, no server identifier, or a lease below `Config.dhcp4_lease_min`
makes the message worthless.  Not done: vendor options (43, 125), boot files.

Made by `dhcp4` of messages, put to use by `dhcp4_apply`.
"""

from __future__ import annotations

from typing import Final

from stack.base import addr
from stack.base.config import Config
from stack.base.lifetimes import after, left, lifetime
from stack.base.seam import Env
from stack.base.timers import NEVER
from stack.base.units import SECOND
from stack.wire import dhcp4_options as opt
from stack.wire.dhcp4 import Message

ROUTERS: Final = 4
ROUTES: Final = 64
SERVERS: Final = 8
"""How many of each are taken; the list is in order of preference."""


class Parameters:
    """What is configured beside the address: the answer to DHCPINFORM, a part of every lease.

    routes        (prefix, length, gateway, metric); an empty gateway is the link
    name_servers  addresses, the preferred one first
    search        domains, the first the host's own
    mtu           octets, 0 if the server does not say
    broadcast     the subnet's, as the server sees it; only to be shown, since the stack knows it
                  from the prefix.  Empty if it does not say
    """

    __slots__ = ("broadcast", "mtu", "name_servers", "routes", "search")

    def __init__(self, options: dict[int, bytes], own: bytes, mtu_min: int) -> None:
        self.routes = _routes(options, own)
        servers = opt.addresses(options.get(opt.NAME_SERVER)) or []
        self.name_servers = [one for one in servers if addr.is_host4(one)][:SERVERS]
        search = opt.domain_search(options.get(opt.DOMAIN_SEARCH))
        domain = opt.text(options.get(opt.DOMAIN_NAME))
        self.search = search or ([domain] if domain else [])
        self.broadcast = opt.address(options.get(opt.BROADCAST_ADDRESS)) or b""
        mtu = opt.number(options.get(opt.INTERFACE_MTU), 2) or 0
        self.mtu = mtu if mtu >= mtu_min else 0


class Lease:
    """An address with all that came with it.

    server     the server identifier
    since      ns when the request was sent that this answers: a lease runs from there (4.4.1)
    duration, t1, t2   ns from `since`; NEVER for what does not end
    """

    __slots__ = (
        "address",
        "duration",
        "parameters",
        "prefix_length",
        "server",
        "since",
        "t1",
        "t2",
    )

    def __init__(self, address: bytes, server: bytes, parameters: Parameters) -> None:
        self.address = address
        self.server = server
        self.parameters = parameters
        self.prefix_length = 32
        self.since = 0
        self.duration = self.t1 = self.t2 = NEVER

    @property
    def renews(self) -> int:
        """When T1 is over."""
        return after(self.since, self.t1)

    @property
    def rebinds(self) -> int:
        """When T2 is over."""
        return after(self.since, self.t2)

    @property
    def expires(self) -> int:
        """When the address must not be used any more."""
        return after(self.since, self.duration)

    def left(self, now: int) -> int:
        """ns until then."""
        return left(now, self.expires)

    def loosen(self, env: Env) -> None:
        """Move T1 and T2 forward by up to a twentieth, so that hosts which were switched on
        together do not renew together (RFC 2131 4.4.5)."""
        if self.duration < NEVER:
            share = env.random_below(1 << 16)
            self.t1 -= (self.t1 // 20 * share) >> 16
            self.t2 -= (self.t2 // 20 * share) >> 16


def read(message: Message, config: Config, since: int) -> Lease | None:
    """The lease that an OFFER or ACK grants, or None if it is none to live with."""
    options = message.options
    server = opt.address(options.get(opt.SERVER_ID))
    seconds = opt.number(options.get(opt.LEASE_TIME), 4)
    if server is None or seconds is None or not any(server):
        return None
    own = message.yiaddr
    given = opt.prefix_length(options.get(opt.SUBNET_MASK))
    length = opt.natural_mask(own) if given is None else given
    if not addr.is_routable(own) or not _is_host(own, length):
        return None
    lease = Lease(own, server, Parameters(options, own, config.dhcp4_mtu_min))
    lease.prefix_length = length
    lease.since = since
    lease.duration = lifetime(seconds)
    if lease.duration < config.dhcp4_lease_min:
        return None
    if lease.duration < NEVER:
        lease.t1, lease.t2 = _times(options, lease.duration)
    return lease


def _is_host(address: bytes, length: int) -> bool:
    """Neither the subnet's own address nor its broadcast (RFC 1122 3.2.1.3, RFC 3021)."""
    if length >= 31:
        return True
    return address not in (addr.mask(address, length), addr.directed_broadcast(address, length))


def _times(options: dict[int, bytes], duration: int) -> tuple[int, int]:
    """T1 and T2.  They must come in this order before the end (4.4.5); else both are defaults."""
    early = opt.number(options.get(opt.RENEWAL_TIME), 4)
    late = opt.number(options.get(opt.REBINDING_TIME), 4)
    t1 = duration // 2 if early is None else early * SECOND
    t2 = duration * 7 // 8 if late is None else late * SECOND
    if 0 < t1 < t2 < duration:
        return t1, t2
    return duration // 2, duration * 7 // 8


def _routes(options: dict[int, bytes], own: bytes) -> list[tuple[bytes, int, bytes, int]]:
    found = opt.classless_routes(options.get(opt.CLASSLESS_ROUTES))
    if found is not None:
        routes = [(prefix, length, router, 0) for prefix, length, router in found]
    else:
        routers = opt.addresses(options.get(opt.ROUTER)) or []
        routes = [(addr.ANY4, 0, router, rank) for rank, router in enumerate(routers[:ROUTERS])]
        old = opt.static_routes(options.get(opt.STATIC_ROUTE)) or []
        routes += [(prefix, length, router, 0) for prefix, length, router in old]
        routes = [route for route in routes if any(route[2])]
    return [
        (prefix, length, router if any(router) else b"", rank)
        for prefix, length, router, rank in routes[:ROUTES]
        if router != own and (not any(router) or addr.is_host4(router))
    ]
