# SPDX-License-Identifier: MIT
"""Floor 6: UDP for both families at once (RFC 768, RFC 1122 4.1, RFC 8200 8.1).

Done: checksums with the zero rules of each family, length checks, port unreachable, super-frames
as one packet (GSO_UDP_L4 of virtio 1.2 5.1.6), delivery of group datagrams to every endpoint, path
MTU reports believed when they quote an endpoint that exists.  Called by `ip/layer` with datagrams
and by `compartment` to settle.
"""

from __future__ import annotations

from typing import Final

from stack.base import fate, status
from stack.base.checksum import data_sum
from stack.base.counters import Counters
from stack.base.head import Head
from stack.base.packet import MULTICAST, UNICAST, Packet
from stack.base.worklist import Worklist
from stack.ip.host import IpHost
from stack.ip.path import Path
from stack.ip.pmtu import smallest
from stack.ip.seam import TOO_BIG, ErrorReport, TransportLayer
from stack.transport.datagram_seam import Received
from stack.transport.demux import Demux
from stack.transport.hosting import HostProvider
from stack.transport.options import (
    OPTION_GROUP_HOPS,
    OPTION_GROUP_LOOP,
    OPTION_HEAR_BROADCASTS,
    OPTION_RECEIVE_BUFFER,
)
from stack.transport.ports import PortTable
from stack.transport.seam import OPTION_HOP_LIMIT, SOCK_DGRAM
from stack.transport.soft_errors import STATUS
from stack.udp.endpoint import UdpEndpoint
from stack.udp.runs import Runs
from stack.wire import udp, vnet

_unpack: Final = udp.HEADER.unpack_from
_PROTO: Final = 17


class UdpCounters(Counters):
    """RFC 4113 names."""

    __slots__ = ("in_datagrams", "in_errors", "no_ports", "out_datagrams")
    in_datagrams: int
    in_errors: int
    no_ports: int
    out_datagrams: int


class UdpProtocol(TransportLayer, HostProvider):
    """UDP of one stack."""

    socket_type = SOCK_DGRAM
    protocol = _PROTO

    def __init__(self, host: IpHost) -> None:
        self.env = host.env
        self.door = host.door
        self.counters = UdpCounters()
        self.head = Head()
        self.receive_buffer = host.config.udp_receive_buffer
        self.ports = PortTable.of(host.env, host.config)
        self.groups = host.groups
        self.bound: Demux[UdpEndpoint] = Demux()
        self.work: Worklist[UdpEndpoint] = Worklist(host.env.executor)
        self.runs = Runs(host.env.executor)
        self._host = host
        self._defaults = {
            OPTION_HOP_LIMIT: host.config.hop_limit,
            OPTION_GROUP_HOPS: 1,
            OPTION_GROUP_LOOP: 1,
            OPTION_RECEIVE_BUFFER: self.receive_buffer,
            OPTION_HEAR_BROADCASTS: 1,
        }

    # Provider.

    def open_datagram(self, families: int) -> UdpEndpoint:
        return UdpEndpoint(self, families)

    def default(self, option: int) -> int:
        return self._defaults.get(option, 0)

    # Receiving.

    def receive(self, pkt: Packet) -> None:
        frame = pkt.frame
        l4 = pkt.l4
        room = pkt.end - l4
        if room < 8:
            self._error(pkt, fate.UDP_SHORT)
            return
        sport, dport, length, check = _unpack(frame, l4)
        if pkt.gso_size and not self._sound_super_frame(pkt, length, room):
            return
        if length != room:
            if not 8 <= length < room:
                self._error(pkt, fate.UDP_LENGTH)
                return
            pkt.end = l4 + length
        if not pkt.csum_ok and not self._checksum_good(pkt, check, length):
            return
        if dport == 0:
            self._error(pkt, fate.UDP_PORT_ZERO)
            return
        if pkt.group != UNICAST:
            self._deliver_to_group(pkt, sport)
            return
        endpoint = self.bound.find(pkt.dst, frame[l4 + 2 : l4 + 4])
        if endpoint is None:
            siblings = self._host.siblings
            if siblings is not None and siblings.took(pkt):
                return
            self.counters.no_ports += 1
            self._host.layer_of(pkt.dst).port_unreachable(pkt)
            self.door.drop(pkt, fate.UDP_NO_PORT)
            return
        endpoint.deliver(pkt, sport)
        if pkt.train:
            endpoint.deliver_train(pkt, sport, pkt.train)

    def _deliver_to_group(self, pkt: Packet, sport: int) -> None:
        endpoints = self.bound.find_all(pkt.dst, pkt.frame[pkt.l4 + 2 : pkt.l4 + 4])
        if not endpoints:
            self.counters.no_ports += 1
            self.door.drop(pkt, fate.UDP_NO_PORT)
            return
        if pkt.group == MULTICAST:
            index, group, source = pkt.nic.index, pkt.dst, pkt.src
            endpoints = [e for e in endpoints if e.memberships.hears(index, group, source)]
            if not endpoints:
                self.door.drop(pkt, fate.UDP_NOT_MEMBER)
        else:
            endpoints = [e for e in endpoints if e.hears_broadcasts]
            if not endpoints:
                self.door.drop(pkt, fate.UDP_FILTERED)
        for endpoint in endpoints:
            endpoint.deliver(pkt, sport)

    def _sound_super_frame(self, pkt: Packet, length: int, room: int) -> bool:
        """Datagrams of `pkt.gso_size` octets, more than one, behind a header that counts them all.

        A segment size comes from a virtio-net header, which is where the frame begins.
        """
        if pkt.frame[1] != vnet.GSO_UDP_L4 or pkt.gso_size >= room - 8:
            self._error(pkt, fate.UDP_SUPER_FRAME)
        elif length != room:
            self._error(pkt, fate.UDP_LENGTH)
        else:
            return True
        return False

    def _checksum_good(self, pkt: Packet, check: int, length: int) -> bool:
        """Zero means "none" in IPv4 and is forbidden in IPv6 (RFC 8200 8.1)."""
        if check == 0:
            if self._host.layer_of(pkt.src).checksum_optional:
                return True
            self._error(pkt, fate.UDP_NO_CHECKSUM)
            return False
        total = data_sum(memoryview(pkt.frame)[pkt.l4 : pkt.end])
        total += int.from_bytes(pkt.src + pkt.dst, "big") + _PROTO + length
        if total % 0xFFFF:
            self._error(pkt, fate.UDP_CHECKSUM)
            return False
        return True

    def _error(self, pkt: Packet, reason: int) -> None:
        self.counters.in_errors += 1
        self.door.drop(pkt, reason)

    def on_error(self, report: ErrorReport) -> None:
        """RFC 1122 4.1.3.3; believed of what an endpoint sent lately (RFC 5927 4.1)."""
        quoted, kind = report.quoted, report.kind
        port = int.from_bytes(quoted[2:4], "big")
        result = status.TOO_BIG if kind == TOO_BIG else STATUS.get(kind, status.HOST_UNREACHABLE)
        for endpoint in self.bound.find_all(report.src, quoted[:2]):
            path = endpoint.sent_by(report.dst, port)
            if path is not None:
                if kind == TOO_BIG:
                    self._host.pmtu.lower(path, report.mtu)
                endpoint.trouble(result, report.dst, port)

    # For endpoints.

    def narrow(self, path: Path, mtu: int, ignore_reports: bool) -> Path:
        """`path` with no more than `mtu`, or with its interface's MTU for all that was reported.

        A path of the caller's own, made for one datagram: no report reaches it.
        """
        layer = self._host.layer_of(path.dst)
        own = layer.interface(path.nic).mtu if ignore_reports else path.mtu
        if mtu:
            own = min(own, max(mtu, smallest(path.dst)))
        if own == path.mtu:
            return path
        return layer.make_path(path.nic, path.src, path.dst, path.neighbor, own)

    def loop_back(
        self, path: Path, ports: tuple[int, int], data: bytes, tos: int, ttl: int
    ) -> None:
        """What was sent to a group, for this host's own members on that interface.

        Sinks hear of it in the next indicate phase, as of anything else.
        """
        index, sport = path.nic.index, ports[0]
        for endpoint in self.bound.find_all(path.dst, ports[1].to_bytes(2, "big")):
            if endpoint.loops(index, path.dst, path.src):
                view = memoryview(data)
                one = Received(view, path.src, sport, path.dst, index, MULTICAST, len(data) + 64)
                one.tos, one.ttl = tos, ttl
                endpoint.accept(one)

    # Settling.

    def settle(self) -> None:
        """Indicate to every endpoint that received something; then what was sent leaves."""
        for endpoint in self.work.take():
            endpoint.indicate()
        if self.runs.held:
            self.runs.flush()
