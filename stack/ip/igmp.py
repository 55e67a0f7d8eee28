# SPDX-License-Identifier: MIT
"""Floor 4: IGMP as a host speaks it (RFC 3376, whose successor is RFC 9776; RFC 2236 and RFC 1112
in their queriers' presence).

What is sent has a TTL of 1, precedence of internetwork control and a router alert (RFC 3376 4),
and a source of 0.0.0.0 while the interface has no address (4.2.13).  What is received must have a
TTL of 1, which no router lets through, and from version 2 on a query must carry the alert (9.1).

Called by `layer` with protocol 2; the machine is `listener`.  Not done: RFC 4604 (groups of the
source-specific range are reported to older queriers like others).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stack.base import addr, fate
from stack.base.checksum import data_sum
from stack.base.head import Head
from stack.base.packet import BROADCAST, MULTICAST, Packet
from stack.ip.layer import IpLayer
from stack.ip.listener import Listener
from stack.ip.membership import Membership
from stack.ip.seam import TransportLayer
from stack.link.nic import Nic
from stack.wire import igmp, ipv4
from stack.wire.groups import Query, Record

_ROUTERS: Final = b"\xe0\x00\x00\x02"
_V3_ROUTERS: Final = b"\xe0\x00\x00\x16"
_TOS: Final = 0xC0


class Igmp(Membership, TransportLayer):
    """IGMP on one host."""

    oldest = 1
    newest = 3
    knob = "igmp_version"

    def __init__(self, layer: IpLayer) -> None:
        super().__init__(layer)
        self._head = Head()

    def reported(self, group: bytes) -> bool:
        return group != addr.ALL_HOSTS

    def proves_older(self, query: Query) -> bool:
        return query.version == 1 or not query.group

    # Receiving.

    def receive(self, pkt: Packet) -> None:
        nic = pkt.nic
        if not self.enabled or not isinstance(nic, Nic) or nic.is_loopback:
            self.door.drop(pkt, fate.MULTICAST_MEMBERSHIP)
            return
        frame, l4, end = pkt.frame, pkt.l4, pkt.end
        if end - l4 < igmp.LENGTH:
            self.refuse(pkt, fate.MEMBERSHIP_MALFORMED)
        elif data_sum(memoryview(frame)[l4:end]):
            self.refuse(pkt, fate.MEMBERSHIP_CHECKSUM)
        elif pkt.ttl != 1:
            self.refuse(pkt, fate.MEMBERSHIP_OFF_LINK)
        elif frame[l4] == igmp.QUERY:
            self._query(pkt)
        elif frame[l4] in (igmp.REPORT1, igmp.REPORT2):
            self.take_report(pkt, igmp.group_of(frame, l4, end))
        elif frame[l4] in (igmp.LEAVE, igmp.REPORT3):
            self.door.drop(pkt, fate.MEMBERSHIP_NOT_FOR_HOSTS)
        else:
            self.door.drop(pkt, fate.MEMBERSHIP_TYPE)

    def _query(self, pkt: Packet) -> None:
        query = igmp.parse_query(pkt.frame, pkt.l4, pkt.end)
        if query is None:
            self.refuse(pkt, fate.MEMBERSHIP_MALFORMED)
        elif query.version > 1 and not _alerts(pkt):
            self.refuse(pkt, fate.MEMBERSHIP_NO_ALERT)
        elif _astray(pkt, query):
            self.refuse(pkt, fate.MEMBERSHIP_DESTINATION)
        else:
            self.take_query(pkt, query)

    # Sending.

    def room(self, nic: Nic) -> int:
        mtu = self.layer.interface(nic).mtu
        return mtu - ipv4.LENGTH - len(ipv4.ROUTER_ALERT) - igmp.LENGTH

    def send_report(self, listener: Listener, records: Sequence[Record]) -> None:
        self._send(listener.nic, _V3_ROUTERS, igmp.build_report(records))

    def send_old(self, listener: Listener, group: bytes, leave: bool) -> bool:
        if not leave:
            kind = igmp.REPORT1 if listener.version == 1 else igmp.REPORT2
            self._send(listener.nic, group, igmp.build(kind, group))
        elif listener.version == 1:
            return False
        else:
            self._send(listener.nic, _ROUTERS, igmp.build(igmp.LEAVE, group))
        return True

    def _send(self, nic: Nic, dst: bytes, message: bytes) -> None:
        path = self.layer.unnumbered_path(nic, dst, self.layer.source_for(nic, dst))
        head = self._head
        head.reset()
        head.options = ipv4.ROUTER_ALERT
        path.send(head, (message,), len(message), ipv4.PROTO_IGMP, tos=_TOS, ttl=1)


def _alerts(pkt: Packet) -> bool:
    """The packet carries a router alert (RFC 2113)."""
    found = ipv4.options(pkt.frame, pkt.net + ipv4.LENGTH, pkt.l4)
    return any(kind == ipv4.OPT_ROUTER_ALERT for kind, _, _ in found or ())


def _astray(pkt: Packet, query: Query) -> bool:
    """RFC 3376 4.1.12 and 9.1: a query comes to one of our addresses, a general one to no group
    but all hosts."""
    if pkt.group == MULTICAST:
        return not query.group and pkt.dst != addr.ALL_HOSTS
    return pkt.group == BROADCAST
