# SPDX-License-Identifier: MIT
"""Floor 4: what one family knows of one interface (RFC 4861 6.3.2, RFC 4293 ipv6InterfaceTable).

Made by `outbound` when an interface is attached; read by paths, neighbours and router discovery.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    metric           added to that of routes over this interface
    """

    __slots__ = (
        "counters",
        "forwarding",
        "hop_limit",
        "layer",
        "metric",
        "mtu",
        "nic",
        "reachable_time",
        "retrans_timer",
        "weak_receive",
        "weak_send",
    )

    def __init__(self, layer: IpLayer, nic: Nic, config: Config, counters: IpCounters) -> None:
        self.layer = layer
        self.nic = nic
        self.mtu = nic.mtu
        self.hop_limit = config.hop_limit
        self.reachable_time = REACHABLE_TIME
        self.retrans_timer = RETRANS_TIMER
        self.forwarding = config.forwarding
        self.weak_send = config.weak_host
        self.weak_receive = config.weak_host
        self.metric = 0
        self.counters = counters
