# SPDX-License-Identifier: MIT
"""A host with a name, and a station on its link that writes DNS messages frame by frame.

What the host says is read by scapy; what the station says is written by scapy.
"""

from __future__ import annotations

from typing import Any

from scapy.layers.dns import DNS, DNSQR, DNSRR, DNSRRNSEC, bitmap2RRlist
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.layers.llmnr import LLMNRQuery, LLMNRResponse

from stack.base import addr
from stack.base.units import MS, SECOND
from stack.wire import udp
from tests.harness import Peer, StampedPort, World, quiet

GROUPS = {
    5353: {addr.V4: "224.0.0.251", addr.V6: "ff02::fb"},
    5355: {addr.V4: "224.0.0.252", addr.V6: "ff02::1:3"},
}
TYPES = {1: "A", 12: "PTR", 28: "AAAA"}
ALPHA = "alpha"


class Heard:
    """One message of the host's."""

    def __init__(self, when: int, frame: bytes) -> None:
        packet = Ether(frame)
        ip = packet[IP] if IP in packet else packet[IPv6]
        self.when = when
        self.family = addr.V4 if IP in packet else addr.V6
        self.mac = packet.dst
        self.src, self.dst = ip.src, ip.dst
        self.hops = ip.ttl if IP in packet else ip.hlim
        self.sport, self.dport = packet[UDP].sport, packet[UDP].dport
        self.wire = bytes(frame)[len(frame) - (packet[UDP].len - 8) :]
        self.dns = DNS(self.wire)

    @property
    def llmnr(self) -> Any:
        return LLMNRResponse(self.wire) if self.dns.qr else LLMNRQuery(self.wire)

    @property
    def question(self) -> tuple[str, int] | None:
        asked = self.dns.qd[0] if self.dns.qdcount else None
        return (asked.qname.decode(), asked.qtype) if asked is not None else None

    @property
    def answers(self) -> list[tuple[str, str, int]]:
        return records(self.dns.an)

    @property
    def authority(self) -> list[tuple[str, str, int]]:
        return records(self.dns.ns)

    @property
    def additional(self) -> list[tuple[str, str, int]]:
        return records(self.dns.ar)


def records(section: Any) -> list[tuple[str, str, int]]:
    """(name, type and data, lifetime) of every record."""
    found = []
    for record in section or ():
        kind = record.sprintf("%type%")
        data: Any = getattr(record, "rdata", b"")
        if isinstance(record, DNSRRNSEC):
            data = " ".join(TYPES[kind] for kind in bitmap2RRlist(record.typebitmaps))
        text = data.decode() if isinstance(data, bytes) else str(data)
        found.append((record.rrname.decode(), f"{kind} {text}", record.ttl))
    return found


class LinkScene:
    """One host called alpha, and the station."""

    def __init__(
        self, world: World, family: int, port: int, mtu: int = 1500, **settings: object
    ) -> None:
        settings.setdefault("host_name", ALPHA)
        self.world = world
        self.family = family
        self.port = port
        self.host, self.peer = self._made(mtu, settings)
        self.peer.family = family
        self.began = world.now
        self.stack = self.host.stack
        self.links = self.stack.link_names

    def _made(self, mtu: int, settings: dict[str, object]) -> tuple[Any, Peer]:
        stamped: list[StampedPort] = []

        def wrap(inner: Any) -> StampedPort:
            stamped.append(StampedPort(inner, lambda: self.world.now))
            return stamped[0]

        made = self.world.host(quiet(**settings), mtu=mtu, wrap=wrap)
        (self.stamped,) = stamped
        return made

    @property
    def group(self) -> str:
        return GROUPS[self.port][self.family]

    @property
    def mine(self) -> str:
        return addr.text(self.host.address(self.family))

    @property
    def counters(self) -> Any:
        mdns = self.port == 5353
        return self.links.mdns_counters if mdns else self.links.llmnr_counters

    def run(self, span: int) -> None:
        """Let time pass; the station answers ARP and solicitations meanwhile, soon at first."""
        end = self.world.now + span
        soon = self.world.now + 2 * SECOND
        while True:
            self.peer.received()
            if self.world.now >= end:
                return
            step = 5 * MS if self.world.now < soon else 500 * MS
            self.world.run(min(step, end - self.world.now))

    def heard(self, both: bool = False) -> list[Heard]:
        """What the host has said since this was last asked: of one family, or of both."""
        self.peer.received()
        frames, self.stamped.frames = self.stamped.frames, []
        found = []
        for when, frame in frames:
            if frame[12:14] in (b"\x08\x00", b"\x86\xdd") and UDP in Ether(frame):
                one = Heard(when, frame)
                if self.port in (one.sport, one.dport) and (both or one.family == self.family):
                    found.append(one)
        return found

    def says(
        self,
        message: Any,
        dst: str = "",
        sport: int = 0,
        dport: int = 0,
        src: str = "",
        ttl: int = 255,
    ) -> None:
        """One message of the station's, to the group unless told otherwise."""
        to = addr.parse(dst or self.group)
        source = addr.parse(src) if src else self.peer.mine
        data = bytes(message)
        sport, dport = sport or self.port, dport or self.port
        bare = udp.HEADER.pack(sport, dport, 8 + len(data), 0) + data
        checked = self.peer.checked(17, bare, 6, source, to)
        ethertype, packet = self.peer.packet_bytes(17, checked, src=source, dst=to, ttl=ttl)
        mac = addr.multicast_mac(to) if addr.is_multicast(to) else self.host.port.mac
        self.peer.frame(ethertype, packet, mac)
        self.world.run(0)
        self.peer.received()

    def left(self) -> bool:
        """Something of the services is still there."""
        timers = [t for t in self.stack.timers.armed() if "services" in type(t.owner).__module__]
        ports = self.stack.udp.ports.in_use() or self.stack.tcp.ports.in_use()
        return bool(timers or ports or self.stack.tcp.connections())


def query(name: str, kind: str | int, ident: int = 0, **flags: Any) -> DNS:
    """A query; `unicast` for mDNS's QU, `known` and `proposed` records."""
    known = flags.pop("known", [])
    proposed = flags.pop("proposed", [])
    unicast = flags.pop("unicast", 0)
    rdclass = flags.pop("qclass", 1)
    asked = DNSQR(qname=name, qtype=kind, unicastresponse=unicast, qclass=rdclass)
    return DNS(id=ident, rd=0, qd=[asked], an=known, ns=proposed, **flags)


def record(name: str, kind: str, data: str, ttl: int = 120, flush: int = 0) -> DNSRR:
    return DNSRR(rrname=name, type=kind, ttl=ttl, rdata=data, cacheflush=flush)


def response(*answers: DNSRR, **flags: Any) -> DNS:
    """An mDNS response."""
    return DNS(id=0, qr=1, aa=1, rd=0, qd=[], an=list(answers), **flags)
