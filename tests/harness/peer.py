# SPDX-License-Identifier: MIT
"""`Peer`: the other end of the wire, written segment by segment.

    peer.sends(SYN, seq=100, mss=1460)
    peer.sees(SYN | ACK, ack=101)

It answers ARP and neighbour solicitations by itself and nothing else.  Sequence numbers are
given as the wire has them; `peer.iss` remembers the stack's once a SYN was seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stack.base import addr
from stack.base.checksum import finish, pseudo_sum
from stack.base.packet import UNICAST, Interface, Packet
from stack.wire import arp, describe, ethernet, icmp6, ipv4, ipv6, ndp, tcp, udp, vnet
from stack.wire.tcp import ACK, SYN, Segment
from tap.port import Port

if TYPE_CHECKING:
    from tests.harness.world import Host, World


_NIC = Interface(1, "peer")


class Seen:
    """One IP packet the stack sent, taken apart."""

    def __init__(self, frame: bytes, when: int, header: int) -> None:
        self.frame = frame
        self.when = when
        self.text = describe.frame(frame, header)
        gso = vnet.HEADER.unpack_from(frame)[3] if header else 0
        self.gso_size = gso
        self.ethertype = frame[header + 12 : header + 14]
        pkt = Packet(frame, _NIC, header + 14, len(frame), True, gso, UNICAST, when)
        self.pkt = pkt
        self.seg: Segment | None = None
        if self.ethertype == ethernet.TYPE_IPV4:
            ipv4.read(pkt)
        elif self.ethertype == ethernet.TYPE_IPV6:
            ipv6.read(pkt)
        if pkt.proto == 6 and pkt.end - pkt.l4 >= 20:
            self.seg = tcp.parse(pkt)

    @property
    def body(self) -> bytes:
        """From the transport header on."""
        return self.frame[self.pkt.l4 : self.pkt.end]

    @property
    def data(self) -> bytes:
        """Payload of a TCP segment."""
        assert self.seg is not None
        return self.frame[self.seg.start : self.seg.end]


class Peer:
    """Frames in, frames out, for one family at a time (`family`)."""

    def __init__(self, world: World, port: Port, host: Host, number: int) -> None:
        self.world = world
        self.port = port
        self.host = host
        self.v4 = addr.parse(f"10.77.0.{number}")
        self.v6 = addr.parse(f"fd77::{number}")
        self.family = addr.V4
        self.sport = 40000
        self.dport = 80
        self.iss = 0  # of the stack
        self.silent = False
        self.inbox: list[Seen] = []
        self.log: list[str] = []

    # Addresses.

    @property
    def mine(self) -> bytes:
        return self.v4 if self.family == addr.V4 else self.v6

    @property
    def theirs(self) -> bytes:
        return self.host.address(self.family)

    # Raw frames.

    def frame(self, ethertype: bytes, payload: bytes, dst: bytes | None = None) -> None:
        """One Ethernet frame to the stack."""
        to = self.host.port.mac if dst is None else dst
        data = to + self.port.mac + ethertype + payload
        self.log.append("> " + describe.frame(data))
        prefix = vnet.PLAIN if self.port.header else b""
        self.world.env.executor.submit(
            lambda: self.host.stack.receive(self.host.nic, prefix + data)
        )

    def packet(self, proto: int, payload: bytes, **how: object) -> None:
        """One IP packet of the current family to the stack."""
        self.frame(*self.packet_bytes(proto, payload, **how))  # type: ignore[arg-type]

    def packet_bytes(
        self,
        proto: int,
        payload: bytes,
        src: bytes | None = None,
        dst: bytes | None = None,
        ttl: int = 64,
        tos: int = 0,
        frag: int = 0,
        ident: int = 1,
    ) -> tuple[bytes, bytes]:
        """(ethertype, packet)."""
        src = self.mine if src is None else src
        dst = self.theirs if dst is None else dst
        if len(dst) == 4:
            head = ipv4.build(tos, 20 + len(payload), ident, frag, ttl, proto, src, dst)
            return ethernet.TYPE_IPV4, head + payload
        head = ipv6.build(tos, 0, len(payload), proto, ttl, src, dst)
        return ethernet.TYPE_IPV6, head + payload

    @staticmethod
    def checked(proto: int, data: bytes, at: int, src: bytes, dst: bytes) -> bytes:
        """`data` with its transport checksum at offset `at`."""
        total = int.from_bytes(data + bytes(len(data) % 2), "big")
        total += pseudo_sum(src, dst, proto, len(data))
        check = finish(total) or (0xFFFF if proto == 17 else 0)
        return data[:at] + check.to_bytes(2, "big") + data[at + 2 :]

    # UDP and ICMP.

    def sends_udp(self, data: bytes, sport: int = 40000, dport: int = 7) -> None:
        bare = udp.HEADER.pack(sport, dport, 8 + len(data), 0) + data
        self.packet(17, self.checked(17, bare, 6, self.mine, self.theirs))

    def sends_icmp(self, kind: int, code: int, rest: int, data: bytes = b"") -> None:
        bare = bytes((kind, code, 0, 0)) + rest.to_bytes(4, "big") + data
        if self.family == addr.V4:
            check = finish(int.from_bytes(bare + bytes(len(bare) % 2), "big"))
            self.packet(1, bare[:2] + check.to_bytes(2, "big") + bare[4:])
        else:
            self.packet(58, self.checked(58, bare, 2, self.mine, self.theirs))

    # TCP.

    def segment(
        self,
        flags: int,
        seq: int = 0,
        ack: int = 0,
        data: bytes = b"",
        win: int = 65535,
        up: int = 0,
        mss: int = 0,
        wscale: int = -1,
        sack_ok: bool = False,
        ts: tuple[int, int] | None = None,
        sacks: list[tuple[int, int]] | None = None,
        options: bytes = b"",
        sport: int | None = None,
        dport: int | None = None,
    ) -> bytes:
        """The bytes of one TCP segment, checksum included."""
        parts = [options]
        if mss:
            parts.append(tcp.mss_option(mss))
        if wscale >= 0:
            parts.append(tcp.wscale_option(wscale))
        if sack_ok:
            parts.append(b"\1\1" + tcp.SACK_PERMITTED)
        if ts is not None:
            parts.append(tcp.timestamps_option(*ts))
        if sacks:
            parts.append(tcp.sack_option([(a & 0xFFFFFFFF, b & 0xFFFFFFFF) for a, b in sacks]))
        extra = b"".join(parts)
        extra += bytes(-len(extra) % 4)
        bare = tcp.HEADER.pack(
            self.sport if sport is None else sport,
            self.dport if dport is None else dport,
            seq & 0xFFFFFFFF,
            ack & 0xFFFFFFFF,
            (20 + len(extra)) << 10 | flags,
            win,
            0,
            up,
        )
        return self.checked(6, bare + extra + data, 16, self.mine, self.theirs)

    def sends(self, flags: int, seq: int = 0, **how: object) -> None:
        """Send one segment and let the world run at this instant."""
        self.packet(6, self.segment(flags, seq, **how))  # type: ignore[arg-type]
        self.world.run(0)

    def sees(self, flags: int | None = None, **expected: object) -> Segment:
        """The next TCP segment of the stack, which must be as described.

        `flags` exactly; keywords are attributes of the segment, `data` its payload.
        """
        seen = self.next_tcp()
        assert seen is not None, self._story("nothing came")
        seg = seen.seg
        assert seg is not None
        if flags is not None:
            assert seg.flags == flags, self._story(f"flags are {tcp.flag_text(seg.flags)}")
        for name, value in expected.items():
            actual = seen.data if name == "data" else getattr(seg, name)
            assert actual == value, self._story(f"{name} is {actual!r}, expected {value!r}")
        if seg.flags & SYN:
            self.iss = seg.seq
        return seg

    def sees_nothing(self, span: int = 0) -> None:
        """No TCP segment comes for `span` ns."""
        self.world.run(span)
        seen = self.next_tcp()
        assert seen is None, self._story(f"unexpected: {seen.text if seen else ''}")

    def next_tcp(self) -> Seen | None:
        """The next TCP segment, None if there is none now."""
        for index, seen in enumerate(self.received()):
            if seen.seg is not None:
                del self.inbox[index]
                return seen
        return None

    def next_ip(self) -> Seen | None:
        """The next IP packet of any protocol."""
        self.received()
        return self.inbox.pop(0) if self.inbox else None

    def received(self) -> list[Seen]:
        """Everything the stack sent and nobody has looked at, answered where it is a question."""
        while True:
            asked = False
            while (frame := self.port.read()) is not None:
                asked |= self._take(frame)
            if not asked or self.silent:
                return self.inbox
            self.world.run(0)

    def handshake(
        self, seq: int = 100, win: int = 65535, flags: int = SYN, third: int = 0, **options: Any
    ) -> Segment:
        """Open a connection to a listener of the stack; returns its SYN-ACK.

        `third`: flags of the third segment beside ACK.
        """
        self.sends(flags, seq=seq, win=win, **options)
        synack = self.sees(ack=(seq + 1) & 0xFFFFFFFF)
        assert synack.flags & (SYN | ACK) == SYN | ACK
        given = options.get("ts")
        ts = (given[0] + 1, synack.ts_val) if given else None
        self.sends(ACK | third, seq=seq + 1, ack=synack.seq + 1, win=win, ts=ts)
        return synack

    def _take(self, frame: bytes) -> bool:
        header = self.port.header
        seen = Seen(frame, self.world.now, header)
        self.log.append("< " + seen.text)
        if seen.ethertype == ethernet.TYPE_ARP:
            question = arp.parse(frame, header + 14, len(frame))
            if question and question.operation == arp.REQUEST and question.tpa == self.v4:
                reply = arp.build(arp.REPLY, self.port.mac, self.v4, question.sha, question.spa)
                if not self.silent:
                    self.frame(ethernet.TYPE_ARP, reply)
                    return True
            return False
        if seen.pkt.proto == icmp6.PROTO and self._answer_solicitation(seen):
            return not self.silent
        self.inbox.append(seen)
        return False

    def _answer_solicitation(self, seen: Seen) -> bool:
        pkt = seen.pkt
        if seen.frame[pkt.l4] != icmp6.NEIGHBOR_SOLICITATION:
            return False
        message = ndp.parse(seen.frame, pkt.l4, pkt.end)
        if message is None or message.target != self.v6 or self.silent:
            return message is not None and message.target == self.v6
        body = ndp.build(
            icmp6.NEIGHBOR_ADVERTISEMENT,
            ndp.FLAG_SOLICITED | ndp.FLAG_OVERRIDE,
            self.v6,
            ndp.OPT_TARGET_LLADDR,
            self.port.mac,
        )
        body = self.checked(58, body, 2, self.v6, pkt.src)
        self.frame(*self.packet_bytes(58, body, src=self.v6, dst=pkt.src, ttl=255))
        return True

    def _story(self, what: str) -> str:
        return "\n".join([what, "so far:", *self.log[-30:]])
