# SPDX-License-Identifier: MIT
"""Floor 4: what one family knows of one interface (RFC 4861 6.3.2, RFC 4293 ipv6InterfaceTable).

Made by `outbound` when an interface is attached; read by paths, neighbours and router discovery.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack.base import addr
from stack.base.config import Config
from stack.ip.counters import IpCounters
from stack.link.neighbor import REACHABLE_TIME, RETRANS_TIMER
from stack.link.nic import Nic

if TYPE_CHECKING:
    from stack.ip.layer import IpLayer


class IpInterface:
    """Settings and counters of a family on an interface.

    mtu              largest packet sent on the link (LinkMTU), never above the device's
    hop_limit        of packets that say none (CurHopLimit)
    reachable_time   BaseReachableTime, ns: neighbours are believed half to one and a half times as
                     long
    retrans_timer    ns between solicitations (RetransTimer)
    forwarding       packets for others that come in here are passed on
    weak_send        packets from an address of this interface may leave by another
    weak_receive     packets for an address of another interface are taken
    disabled         nothing is sent or taken: the MAC is not unique (RFC 4862 5.4.5)
    metric           added to that of routes over this interface
    accept_ra        router advertisements are heeded, unless it forwards (RFC 4861 6.2.8 is for
                     routers); with `accept_ra_forwarding` even then
    solicit          router solicitations are sent when its link comes up
    accept_redirects redirects are heeded, unless it forwards
    """

    __slots__ = (
        "_forwarding",
        "_mtu",
        "accept_ra",
        "accept_ra_forwarding",
        "accept_redirects",
        "counters",
        "disabled",
        "hop_limit",
        "layer",
        "metric",
        "nic",
        "reachable_time",
        "retrans_timer",
        "solicit",
        "weak_receive",
        "weak_send",
    )

    def __init__(self, layer: IpLayer, nic: Nic, config: Config, counters: IpCounters) -> None:
        self.layer = layer
        self.nic = nic
        self._mtu = nic.mtu
        self.hop_limit = config.hop_limit
        self.reachable_time = REACHABLE_TIME
        self.retrans_timer = RETRANS_TIMER
        self._forwarding = False
        self.weak_send = config.weak_host
        self.weak_receive = config.weak_host
        self.disabled = False
        self.metric = 0
        self.accept_ra = config.accept_ra
        self.accept_ra_forwarding = False
        self.accept_redirects = config.accept_redirects
        self.solicit = config.router_solicitations
        self.counters = counters
        self.forwarding = config.forwarding and not nic.is_loopback

    @property
    def mtu(self) -> int:
        """Largest packet sent on the link, octets."""
        return self._mtu

    @mtu.setter
    def mtu(self, mtu: int) -> None:
        self._mtu = min(mtu, self.nic.mtu)
        self.layer.link_mtu_changed(self)

    @property
    def forwarding(self) -> bool:
        """Packets for others that come in here are passed on."""
        return self._forwarding

    @forwarding.setter
    def forwarding(self, on: bool) -> None:
        if on == self._forwarding:
            return
        self._forwarding = on
        groups = self.layer.host.groups
        change = groups.join if on else groups.leave
        # A router is one of all routers (RFC 4291 2.8, RFC 1112 4).
        change(self.nic, addr.ALL_ROUTERS4 if self.layer.size == 4 else addr.ALL_ROUTERS)

    @property
    def accepts_ra(self) -> bool:
        """Router advertisements are heeded as things stand."""
        return self.accept_ra and (self.accept_ra_forwarding or not self.forwarding)

    @property
    def accepts_redirects(self) -> bool:
        """Redirects are."""
        return self.accept_redirects and not self.forwarding
