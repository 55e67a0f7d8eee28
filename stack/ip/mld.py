# SPDX-License-Identifier: MIT
"""Floor 4: Multicast Listener Discovery as a host speaks it (RFC 3810, whose successor is RFC 9777;
RFC 2710 in its queriers' presence; RFC 3590).

What is sent has a hop limit of 1 and a router alert in a hop-by-hop options header.  Its source is
a link-local address, or none while that one is being probed; then everything is said again once
there is one, because routers do not heed what has no source (RFC 3810 5.2.13).  What is received
must come from a link-local address with a hop limit of 1 and, if it is a query, a router alert
(6.2).

Called by `icmp6` with the four message types; the machine is `listener`.  Not done: the random
delay of a tentative address's report (RFC 4862 5.4.2); its first probe is delayed, the report goes
before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from stack.base import addr, fate
from stack.base.head import Head
from stack.base.packet import Packet
from stack.ip.layer import IpLayer
from stack.ip.listener import Listener
from stack.ip.membership import Membership
from stack.link.nic import Nic
from stack.wire import ext6, groups, icmp6, ipv6, mld
from stack.wire.groups import Query, Record

if TYPE_CHECKING:
    from stack.ip.addrconf import LocalAddress
    from stack.ip.icmp6 import Icmp6

_ROUTERS: Final = bytes.fromhex("ff02") + bytes(13) + b"\x02"
_V2_ROUTERS: Final = bytes.fromhex("ff02") + bytes(13) + b"\x16"
_ALERT_HEADER: Final = ext6.build_hop_by_hop(icmp6.PROTO, ext6.ROUTER_ALERT_MLD)
_LINK_SCOPE: Final = 2


class Mld(Membership):
    """MLD on one host."""

    oldest = 1
    newest = 2
    knob = "mld_version"

    def __init__(self, layer: IpLayer, icmp: Icmp6) -> None:
        super().__init__(layer)
        self._icmp = icmp
        self._head = Head()

    def reported(self, group: bytes) -> bool:
        return group[1] & 0x0F >= _LINK_SCOPE and group != addr.ALL_NODES

    def proves_older(self, query: Query) -> bool:
        return True

    def address_changed(self, entry: LocalAddress) -> None:
        """RFC 3810 5.2.13: once there is a link-local address, all that was said without one is
        said again."""
        listener = self.listeners.get(entry.nic.index)
        if listener is None or not listener.anonymous:
            return
        if entry.usable and len(entry.address) == 16 and addr.is_link_local(entry.address):
            listener.anonymous = False
            listener.announce()

    # Receiving.

    def receive(self, pkt: Packet, kind: int) -> None:
        """A message of one of MLD's types; its checksum is right."""
        nic = pkt.nic
        if not self.enabled or not isinstance(nic, Nic) or nic.is_loopback:
            self.door.drop(pkt, fate.MULTICAST_MEMBERSHIP)
        elif pkt.ttl != 1 or not addr.is_link_local(pkt.src):
            self.refuse(pkt, fate.MEMBERSHIP_OFF_LINK)
        elif kind == icmp6.MLD_QUERY:
            self._query(pkt)
        elif kind == icmp6.MLD_REPORT:
            self.take_report(pkt, mld.group_of(pkt.frame, pkt.l4, pkt.end))
        else:
            self.door.drop(pkt, fate.MEMBERSHIP_NOT_FOR_HOSTS)

    def _query(self, pkt: Packet) -> None:
        query = mld.parse_query(pkt.frame, pkt.l4, pkt.end)
        if query is None:
            self.refuse(pkt, fate.MEMBERSHIP_MALFORMED)
        elif not _alerts(pkt):
            self.refuse(pkt, fate.MEMBERSHIP_NO_ALERT)
        else:
            self.take_query(pkt, query)

    # Sending.

    def room(self, nic: Nic) -> int:
        mtu = self.layer.interface(nic).mtu
        return mtu - ipv6.LENGTH - len(_ALERT_HEADER) - groups.REPORT_LENGTH

    def send_report(self, listener: Listener, records: Sequence[Record]) -> None:
        self._send(listener, _V2_ROUTERS, mld.build_report(records))

    def send_old(self, listener: Listener, group: bytes, leave: bool) -> bool:
        if leave:
            self._send(listener, _ROUTERS, mld.build(icmp6.MLD_DONE, group))
        else:
            self._send(listener, group, mld.build(icmp6.MLD_REPORT, group))
        return True

    def _send(self, listener: Listener, dst: bytes, message: bytes) -> None:
        nic = listener.nic
        src = self.layer.link_local(nic)
        listener.anonymous = listener.anonymous or not src
        if self.layer.interface(nic).disabled:
            return  # RFC 4862 5.4.5
        path = self.layer.unnumbered_path(nic, dst, src)
        message = self._icmp.complete(path, message)
        head = self._head
        head.reset()
        head.push(_ALERT_HEADER)
        length = len(_ALERT_HEADER) + len(message)
        path.send(head, (message,), length, ext6.HOP_BY_HOP, ttl=1)


def _alerts(pkt: Packet) -> bool:
    """The packet begins with a hop-by-hop options header with a router alert (RFC 2711)."""
    frame, at = pkt.frame, pkt.net + ipv6.LENGTH
    if frame[pkt.net + 6] != ext6.HOP_BY_HOP:
        return False
    found = ext6.options(frame, at + 2, at + ext6.length(frame, at, pkt.end))
    return any(kind == ext6.OPT_ROUTER_ALERT for kind, _, _ in found or ())
