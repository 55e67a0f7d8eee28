# SPDX-License-Identifier: MIT
"""Floor 6: who gets copies of which packets; the `Provider` of raw endpoints.

A packet for this host, whole again if it came in fragments, is copied to every endpoint of its
protocol, and of protocol 0, that is bound to its destination or to any; then it goes its usual
way.  Only if nobody else speaks its protocol does an endpoint for exactly that one keep the
sender from being told so.  While there are no endpoints the IP layers do not call here at all.

Called by `ip/layer` through its `RawTap`, and by `compartment` to settle.
"""

from __future__ import annotations

from stack.base import status
from stack.base.counters import Counters
from stack.base.head import Head
from stack.base.packet import Packet
from stack.base.worklist import Worklist
from stack.ip.host import IpHost
from stack.ip.path import Path
from stack.ip.seam import TOO_BIG, ErrorReport, RawTap
from stack.raw.endpoint import IPPROTO_RAW, RawEndpoint
from stack.transport.hosting import HostPaths
from stack.transport.seam import SOCK_RAW, Provider
from stack.transport.soft_errors import STATUS


class RawCounters(Counters):
    """Copies handed on, and packets sent."""

    __slots__ = ("in_datagrams", "out_datagrams")
    in_datagrams: int
    out_datagrams: int


class RawProtocol(RawTap, HostPaths, Provider):
    """Raw endpoints of one stack."""

    socket_type = SOCK_RAW
    protocol = 0

    def __init__(self, host: IpHost) -> None:
        self.env = host.env
        self.door = host.door
        self.counters = RawCounters()
        self.head = Head()
        self.receive_buffer = host.config.udp_receive_buffer
        self.work: Worklist[RawEndpoint] = Worklist(host.env.executor)
        self._host = host
        self._endpoints: dict[int, list[RawEndpoint]] = {}

    def open_raw(self, families: int, protocol: int) -> RawEndpoint | None:
        return RawEndpoint(self, families, protocol) if 0 <= protocol <= 255 else None

    # RawTap.

    def wants(self, proto: int) -> bool:
        return proto in self._endpoints

    def copy(self, pkt: Packet) -> bool:
        for endpoint in self._endpoints.get(0, ()):
            if endpoint.hears(pkt):
                endpoint.deliver(pkt)
        heard = False
        if pkt.proto:
            for endpoint in self._endpoints.get(pkt.proto, ()):
                if endpoint.hears(pkt):
                    endpoint.deliver(pkt)
                    heard = True
        return heard

    def on_error(self, report: ErrorReport) -> None:
        """Believed of what an endpoint sent lately, as everywhere."""
        result = status.TOO_BIG if report.kind == TOO_BIG else STATUS.get(report.kind, 0)
        for number in (report.proto, IPPROTO_RAW):
            for endpoint in self._endpoints.get(number, ()):
                path = endpoint.sent_by(report.src, report.dst)
                if path is None:
                    continue
                if report.kind == TOO_BIG:
                    self._host.pmtu.lower(path, report.mtu)
                endpoint.trouble(result or status.HOST_UNREACHABLE, report.dst)

    # For endpoints.

    def identify(self, path: Path) -> int:
        """An identification for a packet on `path` whose sender gave none."""
        return self._host.identities.take(path.src, path.dst)

    def add(self, endpoint: RawEndpoint) -> None:
        """`endpoint` is bound."""
        self._endpoints.setdefault(endpoint.number, []).append(endpoint)
        self._listen()

    def remove(self, endpoint: RawEndpoint) -> None:
        """`endpoint` is closed."""
        known = self._endpoints[endpoint.number]
        known.remove(endpoint)
        if not known:
            del self._endpoints[endpoint.number]
            self._listen()

    def all(self) -> list[RawEndpoint]:
        """Every endpoint, for those who look."""
        return [one for known in self._endpoints.values() for one in known]

    def _listen(self) -> None:
        for layer in self._host.layers.values():
            layer.raw = self if self._endpoints else None

    def settle(self) -> None:
        """Indicate to every endpoint that received something."""
        for endpoint in self.work.take():
            endpoint.indicate()
