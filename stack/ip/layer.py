# SPDX-License-Identifier: MIT
"""Floor 4: `IpLayer`, everything both families share, in the order a packet is received.

    read -> source -> ours? -> options or extension headers -> reassembly -> transport

RFC 1122 3.2-3.3, RFC 8200; strong host model (RFC 1122 3.3.4.2) unless an interface says
otherwise.  The other half, what goes out, is `outbound`.

Called by `link/nic` with packets.
"""

from __future__ import annotations

from typing import Final

from stack.base import addr, fate
from stack.base.head import Parked
from stack.base.packet import BROADCAST, MULTICAST, UNICAST, WHOLE, Packet
from stack.ip.addrconf import LocalAddress
from stack.ip.counters import IpCounters
from stack.ip.forward import Forwarder
from stack.ip.fragments import Datagram
from stack.ip.host import IpHost
from stack.ip.outbound import Outbound
from stack.ip.seam import RawTap
from stack.link.nic import Nic

_KNOWN_SOURCES: Final = 4096


class IpLayer(Outbound):
    """One family.  `V4Layer` and `V6Layer` fill in what differs."""

    checksum_optional: bool
    """A UDP checksum of zero means that there is none."""
    default_mss: int
    """What a TCP peer can take that does not say (RFC 9293 MUST-15)."""

    def __init__(self, host: IpHost) -> None:
        super().__init__(host)
        host.layers[self.size] = self
        self.raw: RawTap | None = None  # while there are raw endpoints
        self.forwarder: Forwarder

    # What a family must say.

    def read(self, pkt: Packet) -> int:
        """Fill `pkt` from the header: a drop reason, 0, or a negative number if options or
        extension headers follow."""
        raise NotImplementedError

    def walk(self, pkt: Packet) -> bool:
        """Process options or extension headers.  False if the packet ended there."""
        raise NotImplementedError

    def bad_source(self, pkt: Packet) -> bool:
        """`pkt.src` cannot be the source of a packet from the wire."""
        raise NotImplementedError

    def bad_destination(self, dst: bytes) -> bool:
        """`dst`, which is not ours, cannot be the destination of a packet from the wire."""
        raise NotImplementedError

    def fragment_fault(self, pkt: Packet, offset: int, more: bool) -> int:
        """Why a fragment cannot be right, a drop reason; DELIVERED if it can."""
        return fate.DELIVERED

    def fragment_key(self, pkt: Packet, ident: int) -> bytes:
        """What fragments of one datagram have in common."""
        raise NotImplementedError

    def rebuild(self, datagram: Datagram) -> bytes:
        """A whole datagram as one unfragmented IP packet; empty if it grew too long."""
        raise NotImplementedError

    def protocol_unknown(self, pkt: Packet) -> None:
        """Nobody here speaks `pkt.proto`: count, answer, drop."""
        raise NotImplementedError

    def port_unreachable(self, pkt: Packet) -> None:
        """Tell the source that no endpoint has the port it addressed."""
        raise NotImplementedError

    def reassembly_expired(self, first: Packet) -> None:
        """Tell the source that its datagram never became whole."""
        raise NotImplementedError

    def forwarded_in_vain(self, parked: Parked) -> None:
        self.forwarder.unresolved(parked)

    # Receiving.

    def receive(self, pkt: Packet) -> None:
        index = pkt.nic.index
        counters = self.stats[index]
        counters.in_receives += 1
        reason = self.read(pkt)
        counters.in_octets += pkt.end - pkt.net
        if reason > 0:
            if reason == fate.IP_TRUNCATED or reason == fate.IP_SHORT:
                counters.in_truncated_pkts += 1
            else:
                counters.in_hdr_errors += 1
            self.door.drop(pkt, reason)
            return
        if pkt.src not in self.sources[index] and not self._source_is_good(pkt):
            return
        entry = self.local.get(pkt.dst)
        if entry is not None and (entry.nic is pkt.nic or self._reachable(entry, pkt)):
            if pkt.cast != UNICAST and self.size == 4:
                counters.in_discards += 1
                self.door.drop(pkt, fate.IP_LINK_BROADCAST)  # RFC 1122 3.3.6
                return
        elif not self._for_group(pkt):
            return
        if reason and not self.walk(pkt):
            return
        if pkt.fragment is not None and pkt.fragment[1:] != WHOLE:
            self._reassemble(pkt)
            return
        handler = self.protocols.get(pkt.proto)
        if handler is None or self.raw is not None:
            self._deliver(pkt, counters)
            return
        counters.in_delivers += 1
        handler.receive(pkt)

    def taken(self, nic: Nic, packets: int, octets: int) -> None:
        counters = self.stats[nic.index]
        counters.in_receives += packets
        counters.in_octets += octets
        counters.in_delivers += packets

    def _deliver(self, pkt: Packet, counters: IpCounters) -> None:
        pkt.train = None  # raw endpoints hear packets one by one
        heard = self.raw is not None and self.raw.copy(pkt)
        handler = self.protocols.get(pkt.proto)
        if handler is not None:
            counters.in_delivers += 1
            handler.receive(pkt)
            pkt.nic.taker = None
        elif heard:
            counters.in_delivers += 1
        else:
            self.protocol_unknown(pkt)

    def _source_is_good(self, pkt: Packet) -> bool:
        """RFC 1122 3.2.1.3: a source must be able to be one host's, and not be us.

        What is good on one interface may be the broadcast address of another.
        """
        nic = pkt.nic
        looped = isinstance(nic, Nic) and nic.is_loopback
        if looped:
            return True
        if self.bad_source(pkt) or pkt.src in self.local:
            self.stats[nic.index].in_addr_errors += 1
            if self.size == 16 and isinstance(nic, Nic) and pkt.src in self.local:
                # Advertisements of an address often come from that address.
                self.claimed(nic, pkt.src, pkt.frame[pkt.net - 8 : pkt.net - 2])
            self.door.drop(pkt, fate.IP_SOURCE_INVALID)
            return False
        if pkt.src != self.any:
            known = self.sources[nic.index]
            if len(known) >= _KNOWN_SOURCES:
                known.clear()
            known.add(pkt.src)
        return True

    def _reachable(self, entry: LocalAddress, pkt: Packet) -> bool:
        """An own address may be addressed through another interface."""
        nic = pkt.nic
        if isinstance(nic, Nic) and nic.is_loopback:
            return True
        interface = self.interfaces[nic.index]
        return (interface.weak_receive or interface.forwarding) and not entry.nic.is_loopback

    def _for_group(self, pkt: Packet) -> bool:
        """A group destination we listen to; anything else is forwarded or dropped."""
        nic = pkt.nic
        counters = self.stats[nic.index]
        if addr.is_multicast(pkt.dst):
            pkt.group = MULTICAST
            counters.in_mcast_pkts += 1
            counters.in_mcast_octets += pkt.end - pkt.net
            joined = self.host.groups.joined(nic.index, pkt.dst)
            if joined and not self._impossible(pkt):
                return True
        elif self.is_broadcast(nic.index, pkt.dst):
            pkt.group = BROADCAST
            counters.in_bcast_pkts += 1
            return True
        elif self.interfaces[nic.index].forwarding:
            self.forwarder.forward(pkt)
            return False
        counters.in_addr_errors += 1
        if self._impossible(pkt):
            reason = fate.IP_DESTINATION_INVALID
        else:
            tentative = pkt.dst in self.addresses.all and pkt.dst not in self.local
            reason = fate.IP_TENTATIVE if tentative else fate.IP_NOT_LOCAL
        self.door.drop(pkt, reason)
        return False

    def _impossible(self, pkt: Packet) -> bool:
        """No packet from the wire can be for this destination."""
        nic = pkt.nic
        looped = isinstance(nic, Nic) and nic.is_loopback
        return not looped and self.bad_destination(pkt.dst)

    def _reassemble(self, pkt: Packet) -> None:
        counters = self.stats[pkt.nic.index]
        assert pkt.fragment is not None
        ident, offset, more = pkt.fragment
        reason = self.fragment_fault(pkt, offset, more)
        if reason:
            counters.in_hdr_errors += 1
            self.door.drop(pkt, reason)
            return
        counters.reasm_reqds += 1
        key = self.fragment_key(pkt, ident)
        whole = self.host.reassembler.add(pkt, key, offset, more)
        if whole is None:
            return
        if whole.contradicts:
            counters.reasm_fails += 1
            self.door.drop(pkt, fate.FRAGMENT_ECN)
            return
        frame = self.rebuild(whole)
        if not frame:
            counters.reasm_fails += 1
            self.door.drop(pkt, fate.FRAGMENT_TOO_LONG)
            return
        counters.reasm_oks += 1
        joined = Packet(frame, pkt.nic, 0, len(frame), False, 0, pkt.cast, pkt.arrived)
        reason = self.read(joined)
        joined.group = pkt.group
        joined.fragment = None
        if reason < 0 and not self.walk(joined):
            return
        joined.fragment = (ident, 0, False)
        if whole.marked:
            joined.tos |= 3
        self._deliver(joined, counters)
