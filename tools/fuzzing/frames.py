# SPDX-License-Identifier: MIT
"""Builders of valid frames of every protocol that a host speaks; mutators make them invalid.

The stack has 10.77.0.1/24 and fd77::1/64 and the Ethernet address `OURS`; the station that sends
has 10.77.0.2, fd77::2, fe80::2 and `THEIRS`.
"""

from __future__ import annotations

from typing import Final

from stack.base import addr
from stack.wire import ethernet, ext6, icmp4, icmp6, ipv4, ipv6, tcp, udp
from tools.fuzzing.layout import Layout, repaired
from tools.fuzzing.program import SEGMENT, Step

OURS: Final = bytes((2, 0, 0, 0, 0, 1))
THEIRS: Final = bytes((2, 0, 0, 0, 0, 2))
US: Final = {4: addr.parse("10.77.0.1"), 6: addr.parse("fd77::1")}
THEM: Final = {4: addr.parse("10.77.0.2"), 6: addr.parse("fd77::2")}
LINK: Final = addr.parse("fe80::2")
NODES: Final = addr.parse("ff02::1")
ELSEWHERE: Final = {4: addr.parse("192.0.2.9"), 6: addr.parse("2001:db8::9")}
ABSENT: Final = {4: addr.parse("10.77.0.77"), 6: addr.parse("fd77::77")}
"""Nobody."""
BEYOND: Final = {4: addr.parse("10.78.0.2"), 6: addr.parse("fd78::2")}
"""On the second interface's link."""
ADDRESSES: Final = tuple(
    addr.parse(text)
    for text in (
        "10.77.0.1",
        "10.77.0.2",
        "10.77.0.77",
        "10.77.0.255",
        "10.78.0.2",
        "192.0.2.9",
        "0.0.0.0",
        "127.0.0.1",
        "169.254.1.1",
        "224.0.0.1",
        "224.0.0.22",
        "224.0.0.251",
        "239.1.2.3",
        "240.0.0.1",
        "255.255.255.255",
        "fd77::1",
        "fd77::2",
        "fe80::2",
        "fe80::ff:fe00:1",
        "2001:db8::9",
        "fd78::2",
        "::",
        "::1",
        "::ffff:10.77.0.2",
        "ff01::1",
        "ff02::1",
        "ff02::2",
        "ff02::16",
        "ff02::fb",
        "ff02::1:ff00:1",
        "ff0e::1234",
        "fd77::ffff",
    )
)
"""What mutators put where an address is."""
HEADERS: Final = (
    ext6.HOP_BY_HOP,
    ext6.DESTINATION,
    ext6.ROUTING,
    ext6.FRAGMENT,
    ext6.NO_NEXT,
    1,
    2,
    6,
    17,
    51,
    58,
    135,
    253,
)


def ip(
    family: int,
    proto: int,
    body: bytes,
    src: bytes = b"",
    dst: bytes = b"",
    ttl: int = 64,
    extra: bytes = b"",
    to: bytes = b"",
) -> bytes:
    """A frame with one IP packet, right in every length and checksum.

    `extra`: options of IPv4; of IPv6 extension headers, whose chain must name its first one in
    `proto` and the upper layer in its last.
    """
    src, dst = src or THEM[family], dst or US[family]
    if family == 4:
        head = bytearray(ipv4.build(0, 20, 7, 0, ttl, proto, src, dst)) + extra
        head[0] = 0x40 | len(head) // 4
        kind = ethernet.TYPE_IPV4
    else:
        head = bytearray(ipv6.build(0, 0, 0, proto, ttl, src, dst)) + extra
        kind = ethernet.TYPE_IPV6
    if not to:
        to = addr.multicast_mac(dst) if addr.is_multicast(dst) else OURS
        if dst in (addr.BROADCAST4, addr.parse("10.77.0.255")):
            to = addr.MAC_BROADCAST
    return repaired(to + THEIRS + kind + bytes(head) + body)


def datagram(family: int, sport: int, dport: int, data: bytes, **how: bytes) -> bytes:
    """UDP."""
    return ip(family, 17, udp.HEADER.pack(sport, dport, 0, 0) + data, **how)  # type: ignore[arg-type]


def message(
    family: int, kind: int, code: int, rest: int, data: bytes = b"", **how: object
) -> bytes:
    """ICMP."""
    proto = 1 if family == 4 else 58
    return ip(family, proto, icmp4.HEADER.pack(kind, code, 0, rest) + data, **how)  # type: ignore[arg-type]


def segment(
    family: int,
    flags: int,
    seq: int,
    ack: int = 0,
    data: bytes = b"",
    options: bytes = b"",
    ports: tuple[int, int] = (40000, 80),
    window: int = 65535,
) -> Step:
    """TCP, its acknowledgement relative."""
    options += bytes(-len(options) % 4)
    bare = tcp.HEADER.pack(
        *ports, seq, ack & 0xFFFFFFFF, (20 + len(options)) << 10 | flags, window, 0, 0
    )
    return Step(SEGMENT, 0, ip(family, 6, bare + options + data))


def discovery(kind: int, rest: int, target: bytes, options: bytes, dst: bytes, src: bytes) -> bytes:
    """A neighbour discovery message with a target."""
    return message(6, kind, 0, rest, target + options, src=src, dst=dst, ttl=255)


def advertisement(lifetime: int, options: bytes, flags: int = 0) -> bytes:
    """A router advertisement."""
    rest = 64 << 24 | flags << 16 | lifetime
    return message(
        6, icmp6.ROUTER_ADVERTISEMENT, 0, rest, bytes(8) + options, src=LINK, dst=NODES, ttl=255
    )


def lladdr(kind: int) -> bytes:
    return bytes((kind, 1)) + THEIRS


def prefix_option(flags: int, valid: int, preferred: int, prefix: str = "2001:db8:1::") -> bytes:
    """RFC 4861 4.6.2."""
    times = valid.to_bytes(4, "big") + preferred.to_bytes(4, "big")
    return bytes((3, 4, 64, flags)) + times + bytes(4) + addr.parse(prefix)


def dhcp(kind: int, extra: bytes = b"", yours: str = "10.77.0.50") -> bytes:
    """A DHCP server's message, to be matched with the client's transaction."""
    names = bytes(4) + addr.parse(yours) + THEM[4] + bytes(4)
    fixed = bytes((2, 1, 6, 0)) + bytes(8) + names + OURS + bytes(10 + 64 + 128)
    options = bytes((53, 1, kind, 54, 4)) + THEM[4] + bytes((51, 4, 0, 0, 0, 120)) + extra
    return fixed + b"\x63\x82\x53\x63" + options + b"\xff"


DHCP_OPTIONS: Final = (
    bytes((1, 4, 255, 255, 255, 0, 3, 4, 10, 77, 0, 2, 6, 8, 10, 77, 0, 2, 10, 77, 0, 3, 15, 2))
    + b"ab"
    + bytes((26, 2, 5, 0, 33, 8, 10, 9, 0, 0, 10, 77, 0, 2, 121, 8, 24, 10, 8, 0, 10, 77, 0, 2))
)


def dhcp6(kind: int, prefix: str = "fd77::50") -> bytes:
    """A DHCPv6 server's message."""
    client = bytes((0, 1, 0, 10, 0, 3, 0, 1)) + OURS
    server = bytes((0, 2, 0, 10, 0, 3, 0, 1)) + THEIRS
    address = bytes((0, 5, 0, 24)) + addr.parse(prefix) + bytes((0, 0, 0, 60, 0, 0, 0, 120))
    ia = bytes((0, 3, 0, 12 + len(address))) + bytes((0, 0, 0, 1, 0, 0, 0, 30, 0, 0, 0, 48))
    names = bytes((0, 23, 0, 16)) + THEM[6]
    return bytes((kind, 0, 0, 0)) + client + server + ia + address + names


def names(flags: int = 0x8180, service: str = "a.local") -> bytes:
    """A DNS answer: one question, one address."""
    label = b"".join(bytes((len(p),)) + p.encode() for p in service.split(".")) + b"\0"
    head = bytes(2) + flags.to_bytes(2, "big") + bytes((0, 1, 0, 1, 0, 0, 0, 0))
    answer = bytes((0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1))
    return head + label + bytes((0, 1, 0, 1)) + answer


def fragments(family: int, data: bytes, size: int, ident: int = 99) -> list[bytes]:
    """A UDP datagram to port 7 in pieces of `size` octets, a multiple of 8."""
    whole = datagram(family, 40001, 7, data)
    l4 = 34 if family == 4 else 54
    body = whole[l4:]
    pieces = []
    for at in range(0, len(body), size):
        more = at + size < len(body)
        part = body[at : at + size]
        if family == 4:
            head = ipv4.build(
                0, 20 + len(part), ident, at // 8 | more << 13, 64, 17, THEM[4], US[4]
            )
        else:
            head = ipv6.build(0, 0, 8 + len(part), ext6.FRAGMENT, 64, THEM[6], US[6])
            head += ext6.build_fragment(17, at, more, ident)
        pieces.append(whole[:14] + head + part)
    return pieces


LATE: Final = {4: addr.parse("10.77.0.200"), 6: addr.parse("fd77::200")}
"""A station that says nothing before the end of a run."""


def tcp_at(frame: bytes) -> tuple[int, bytes] | None:
    """Where the TCP header of a frame is, and the addresses before it; None if there is none."""
    found = Layout(frame)
    if found.proto != 6 or not found.whole or found.l4 + 20 > len(frame):
        return None
    return found.l4, frame[26:34] if found.version == 4 else frame[22:54]
