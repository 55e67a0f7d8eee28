# SPDX-License-Identifier: MIT
"""Packets as octets: what a script sends is built here, what the stack sent is read here."""

from __future__ import annotations

from typing import Any, Final

from stack.base.checksum import finish, pseudo_sum
from stack.base.packet import UNICAST, Interface, Packet
from stack.wire import ethernet, icmp4, icmp6, ipv4, ipv6, tcp, udp
from tools.drill.outcome import Unsupported
from tools.drill.packet_text import FLAGS
from tools.drill.script import IcmpPacket, IpInfo, Option

TCP: Final = 6
UDP: Final = 17
ECN_BITS: Final = {"noecn": 0, "ect1": 1, "ect0": 2, "ce": 3}

_NIC: Final = Interface(1, "script")
ACCECN: Final = {
    tcp.OPT_ACCECN_0: ("e0b", "ceb", "e1b"),
    tcp.OPT_ACCECN_1: ("e1b", "ceb", "e0b"),
}
COOKIES: Final = {
    "FO": bytes((tcp.OPT_FAST_OPEN,)),
    "FOEXP": bytes((tcp.OPT_EXPERIMENT,)) + tcp.FAST_OPEN_MAGIC,
}
_SIMPLE: Final = {"nop": b"\x01", "eol": b"\x00", "sackok": b"\x04\x02"}
_U4: Final = {
    "net_unreachable": 0, "host_unreachable": 1, "protocol_unreachable": 2,
    "port_unreachable": 3, "frag_needed": 4, "source_route_failed": 5, "net_unknown": 6,
    "host_unknown": 7, "source_host_isolated": 8, "net_prohibited": 9, "host_prohibited": 10,
    "net_tos": 11, "host_tos": 12, "packet_filtered": 13, "precedence_violation": 14,
    "precedence_cutoff": 15,
}  # fmt: skip
_U6: Final = {
    "no_route": 0, "net_unreachable": 0, "admin_prohibited": 1, "not_neighbour": 2,
    "host_unreachable": 3, "addr_unreachable": 3, "address_unreachable": 3,
    "port_unreachable": 4,
}  # fmt: skip
ICMP4: Final[dict[str, tuple[int, dict[str, int]]]] = {
    "echo_reply": (0, {}), "unreachable": (3, _U4), "source_quench": (4, {}),
    "redirect": (5, {}), "echo_request": (8, {}),
    "time_exceeded": (11, {"exceeded_in_transit": 0, "exceeded_reassembly": 1}),
    "parameter_problem": (12, {}),
}  # fmt: skip
ICMP6: Final[dict[str, tuple[int, dict[str, int]]]] = {
    "unreachable": (1, _U6), "packet_too_big": (2, {}),
    "time_exceeded": (3, {"exceed_hoplimit": 0, "exceed_fragment_reassembly": 1}),
    "parameter_problem": (4, {}), "echo_request": (128, {}), "echo_reply": (129, {}),
}  # fmt: skip


class Seen:
    """One IP packet that the stack sent, taken apart.

    `kind` is "tcp", "udp", "icmp" or "ip"; the other attributes are those of the kind.
    """

    def __init__(self, frame: bytes, when: int) -> None:
        self.frame = frame
        self.when = when
        self.v6 = frame[12:14] == ethernet.TYPE_IPV6
        pkt = Packet(frame, _NIC, 14, len(frame), True, 0, UNICAST, when)
        self.fate = ipv6.read(pkt) if self.v6 else ipv4.read(pkt)
        self.pkt = pkt
        self.kind = "ip"
        self.label = int.from_bytes(frame[14:18], "big") & 0xFFFFF if self.v6 else 0
        self.sport = self.dport = 0
        self.length = pkt.end - pkt.l4
        self.flags = self.seq = self.ack = self.win = self.urg = self.reserved = 0
        self.options: tuple[Option, ...] = ()
        self.icmp: tuple[int, int, int] = (0, 0, 0)
        self.data = frame[pkt.l4 : pkt.end]
        if pkt.proto == TCP and len(self.data) >= tcp.LENGTH:
            self._tcp()
        elif pkt.proto == UDP and len(self.data) >= udp.LENGTH:
            self.kind = "udp"
            self.sport, self.dport, _, _ = udp.HEADER.unpack_from(self.data)
            self.data = self.data[udp.LENGTH :]
            self.length = len(self.data)
        elif pkt.proto == (icmp6.PROTO if self.v6 else 1) and len(self.data) >= icmp4.LENGTH:
            self.kind = "icmp"
            kind, code, _, rest = icmp4.HEADER.unpack_from(self.data)
            self.icmp = (kind, code, rest)

    def _tcp(self) -> None:
        self.kind = "tcp"
        fields = tcp.HEADER.unpack_from(self.data)
        self.sport, self.dport, self.seq, self.ack, bits, self.win, _, self.urg = fields
        size = (bits >> 12) * 4
        self.flags = bits & 0x1FF
        self.reserved = bits >> 9 & 7
        self.options = read_options(self.data[tcp.LENGTH : size])
        self.data = self.data[size:]
        self.length = len(self.data)

    @property
    def checksum_good(self) -> bool:
        """The transport checksum, which no offload has touched."""
        pkt = self.pkt
        body = self.frame[pkt.l4 : pkt.end]
        total = int.from_bytes(body + bytes(len(body) % 2), "big")
        if self.kind != "icmp" or self.v6:
            total += pseudo_sum(pkt.src, pkt.dst, pkt.proto, len(body))
        return total % 0xFFFF == 0


def read_options(data: bytes) -> tuple[Option, ...]:
    """TCP options in order, NOP and EOL included; what follows the first EOL is more EOL."""
    found = []
    at = 0
    while at < len(data):
        kind = data[at]
        if kind <= tcp.OPT_NOP:
            found.append(Option("nop" if kind else "eol"))
            at += 1
            continue
        size = data[at + 1] if at + 1 < len(data) else 0
        if size < 2 or at + size > len(data):
            found.append(Option("raw", (kind, data[at + 1 :])))
            break
        found.append(_option(kind, data[at + 2 : at + size]))
        at += size
    return tuple(found)


def _option(kind: int, body: bytes) -> Option:
    if kind == tcp.OPT_MSS and len(body) == 2:
        return Option("mss", int.from_bytes(body, "big"))
    if kind == tcp.OPT_WSCALE and len(body) == 1:
        return Option("wscale", body[0])
    if kind == tcp.OPT_SACK_PERMITTED and not body:
        return Option("sackok")
    words = [int.from_bytes(body[i : i + 4], "big") for i in range(0, len(body), 4)]
    if kind == tcp.OPT_SACK and len(body) % 8 == 0:
        return Option("sack", tuple(zip(words[::2], words[1::2], strict=True)))
    if kind == tcp.OPT_TIMESTAMPS and len(body) == 8:
        return Option("TS", (words[0], words[1]))
    if kind == tcp.OPT_FAST_OPEN:
        return Option("FO", body)
    if kind in ACCECN and len(body) in (0, 3, 6, 9):
        counts = (int.from_bytes(body[i : i + 3], "big") for i in range(0, len(body), 3))
        return Option("ECN", (kind, tuple(counts)))
    if kind == tcp.OPT_EXPERIMENT and body[:2] == tcp.FAST_OPEN_MAGIC:
        return Option("FOEXP", body[2:])
    return Option("raw", (kind, body))


def write_options(options: tuple[Option, ...]) -> bytes:
    """Octets of options, padded to a multiple of four."""
    data = b"".join(_written(option) for option in options)
    return data + bytes(-len(data) % 4)


def _written(option: Option) -> bytes:
    name, value = option.name, option.value
    if name in _SIMPLE:
        return _SIMPLE[name]
    if name == "mss":
        return bytes((2, 4)) + int(value).to_bytes(2, "big")
    if name == "wscale":
        return bytes((3, 3, value))
    if name == "raw":
        return bytes((value[0], 2 + len(value[1]))) + bytes(value[1])
    if name == "ECN":
        body = b"".join(count.to_bytes(3, "big") for count in value[1])
        return bytes((value[0], 2 + len(body))) + body
    if name in COOKIES:
        body = COOKIES[name][1:] + bytes(value)
        return COOKIES[name][:1] + bytes((2 + len(body),)) + body
    words: Any = value if name == "TS" else [edge for block in value for edge in block]
    body = b"".join((word & 0xFFFFFFFF).to_bytes(4, "big") for word in words)
    return bytes((8 if name == "TS" else 5, 2 + len(body))) + body


class Builder:
    """Makes frames from the other end to the stack."""

    def __init__(self, local: bytes, remote: bytes, own_mac: bytes, stack_mac: bytes) -> None:
        self.local = local
        self.remote = remote
        self._macs = stack_mac + own_mac

    @property
    def v6(self) -> bool:
        return len(self.local) == 16

    def frame(self, proto: int, payload: bytes, ip: IpInfo, src: bytes | None = None) -> bytes:
        """An IP packet to the stack in its Ethernet frame."""
        src = self.remote if src is None else src
        tos = ip.tos or 0
        if ip.ecn is not None:
            tos = tos & ~3 | ECN_BITS.get(ip.ecn, 2)
        ttl = 64 if ip.ttl is None else ip.ttl
        ethertype = ethernet.TYPE_IPV6 if self.v6 else ethernet.TYPE_IPV4
        return self._macs + ethertype + self._ip(proto, payload, src, self.local, tos, ttl, ip)

    def _ip(
        self, proto: int, payload: bytes, src: bytes, dst: bytes, tos: int, ttl: int, ip: IpInfo
    ) -> bytes:
        if self.v6:
            return ipv6.build(tos, ip.label or 0, len(payload), proto, ttl, src, dst) + payload
        return ipv4.build(tos, 20 + len(payload), 0, ipv4.DF, ttl, proto, src, dst) + payload

    def checked(self, proto: int, data: bytes, at: int) -> bytes:
        """`data` with its transport checksum at offset `at`."""
        total = int.from_bytes(data + bytes(len(data) % 2), "big")
        total += pseudo_sum(self.remote, self.local, proto, len(data))
        check = finish(total) or (0xFFFF if proto == UDP else 0)
        return data[:at] + check.to_bytes(2, "big") + data[at + 2 :]

    def tcp(
        self,
        ports: tuple[int, int],
        seq: int,
        ack: int,
        flags: int,
        win: int,
        urg: int,
        options: bytes,
        length: int,
    ) -> bytes:
        """A TCP segment from the other end; `ports` are source and destination."""
        bits = (tcp.LENGTH + len(options)) << 10 | flags
        bare = tcp.HEADER.pack(
            *ports, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, bits, win & 0xFFFF, 0, urg & 0xFFFF
        )
        return self.checked(TCP, bare + options + bytes(length), tcp.CHECKSUM_AT)

    def udp(self, ports: tuple[int, int], length: int) -> bytes:
        """A UDP datagram from the other end."""
        bare = udp.HEADER.pack(*ports, udp.LENGTH + length, 0) + bytes(length)
        return self.checked(UDP, bare, udp.CHECKSUM_AT)

    def icmp(self, kind: int, code: int, rest: int, data: bytes) -> tuple[int, bytes]:
        """(protocol, message)."""
        bare = bytes((kind, code, 0, 0)) + rest.to_bytes(4, "big") + data
        if self.v6:
            return icmp6.PROTO, self.checked(icmp6.PROTO, bare, 2)
        check = finish(int.from_bytes(bare + bytes(len(bare) % 2), "big"))
        return 1, bare[:2] + check.to_bytes(2, "big") + bare[4:]

    def quoted(self, proto: int, ports: tuple[int, int], seq: int, length: int) -> bytes:
        """A packet of the stack's as an ICMP error brings it back; `ports` as it was sent."""
        if proto == UDP:
            body = udp.HEADER.pack(*ports, udp.LENGTH + length, 0)
            size = udp.LENGTH + length
        else:
            body = tcp.HEADER.pack(*ports, seq & 0xFFFFFFFF, 0, 5 << 12, 0, 0, 0)
            size = tcp.LENGTH + length
        if self.v6:
            return ipv6.build(0, 0, size, proto, 63, self.local, self.remote) + body
        head = ipv4.build(0, 20 + size, 0, ipv4.DF, 63, proto, self.local, self.remote)
        return head + body


def icmp_numbers(spec: IcmpPacket, v6: bool) -> tuple[int, int]:
    """(type, code) of an ICMP message by name or number."""
    table = ICMP6 if v6 else ICMP4
    if spec.kind.isdigit():
        kind, codes = int(spec.kind), dict[str, int]()
    elif spec.kind in table:
        kind, codes = table[spec.kind]
    else:
        raise Unsupported(f"ICMP type {spec.kind}{' of IPv6' if v6 else ''}")
    if not spec.code:
        return kind, 0
    if spec.code.isdigit():
        return kind, int(spec.code)
    for name in (spec.code, spec.code + "_unreachable"):
        if name in codes:
            return kind, codes[name]
    raise Unsupported(f"ICMP code {spec.code}{' of IPv6' if v6 else ''}")


def flag_text(flags: int) -> str:
    """Flags as a script writes them."""
    order = "FSRPUEWA."
    return "".join(letter for letter in order if flags & FLAGS[letter]) or "-"


def option_text(options: tuple[Option, ...]) -> str:
    """Options as a script writes them."""
    words = []
    for option in options:
        name, value = option.name, option.value
        if name == "TS":
            words.append(f"TS val {value[0]} ecr {value[1]}")
        elif name == "sack":
            words.append("sack " + " ".join(f"{a}:{b}" for a, b in value))
        elif name == "ECN":
            named = zip(ACCECN[value[0]], value[1], strict=False)
            words.append("ECN " + " ".join(f"{field} {count}" for field, count in named))
        elif name in COOKIES:
            words.append(f"{name} {value.hex()}".rstrip())
        elif name == "raw":
            words.append(f"kind {value[0]} {bytes(value[1]).hex()}")
        elif value is None:
            words.append("sackOK" if name == "sackok" else name)
        else:
            words.append(f"{name} {value}")
    return ",".join(words)
