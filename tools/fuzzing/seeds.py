# SPDX-License-Identifier: MIT
"""Conversations: what the search begins with, made of the frames of `frames`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from stack.base import addr
from stack.base.units import MS, SECOND
from stack.wire import arp, ethernet, icmp4, icmp6, ndp, tcp, udp
from tools.fuzzing.frames import (
    BEYOND,
    DHCP_OPTIONS,
    ELSEWHERE,
    LINK,
    NODES,
    OURS,
    THEIRS,
    THEM,
    US,
    advertisement,
    datagram,
    dhcp,
    dhcp6,
    discovery,
    fragments,
    ip,
    lladdr,
    message,
    names,
    prefix_option,
    segment,
)
from tools.fuzzing.program import ANSWER, FRAME, QUOTE, Step, call, wait


def _frames(*data: bytes) -> list[Step]:
    return [Step(FRAME, 0, one) for one in data]


def resolution() -> list[Step]:
    """ARP and neighbour discovery in all their forms."""
    query = arp.build(arp.REQUEST, THEIRS, THEM[4], bytes(6), US[4])
    reply = arp.build(arp.REPLY, THEIRS, THEM[4], OURS, US[4])
    probe = arp.build(arp.REQUEST, THEIRS, bytes(4), bytes(6), US[4])
    announce = arp.build(arp.REQUEST, THEIRS, THEM[4], bytes(6), THEM[4])
    claim = arp.build(arp.REQUEST, THEIRS, US[4], bytes(6), US[4])
    kind = ethernet.TYPE_ARP
    node = addr.solicited_node(US[6])
    source, target = lladdr(ndp.OPT_SOURCE_LLADDR), lladdr(ndp.OPT_TARGET_LLADDR)
    ask, tell = icmp6.NEIGHBOR_SOLICITATION, icmp6.NEIGHBOR_ADVERTISEMENT
    return _frames(
        addr.MAC_BROADCAST + THEIRS + kind + query + bytes(18),
        OURS + THEIRS + kind + reply + bytes(18),
        addr.MAC_BROADCAST + THEIRS + kind + probe,
        addr.MAC_BROADCAST + THEIRS + kind + announce,
        addr.MAC_BROADCAST + THEIRS + kind + claim,
        discovery(ask, 0, US[6], source, node, THEM[6]),
        discovery(ask, 0, US[6], source, US[6], LINK),
        discovery(ask, 0, US[6], b"", node, addr.ANY6),
        discovery(tell, 0x60000000, THEM[6], target, US[6], THEM[6]),
        discovery(tell, 0x20000000, THEM[6], target, NODES, THEM[6]),
        discovery(tell, 0xA0000000, US[6], target, NODES, LINK),
    )


def routers() -> list[Step]:
    """Router advertisements and redirects."""
    source = lladdr(ndp.OPT_SOURCE_LLADDR)
    mtu = bytes((5, 1, 0, 0, 0, 0, 5, 120))
    servers = bytes((25, 3, 0, 0, 0, 0, 2, 0)) + THEM[6]
    search = bytes((31, 2, 0, 0, 0, 0, 2, 0)) + b"\x05local\0\0"
    route = bytes((24, 2, 48, 8, 0, 0, 1, 0)) + bytes((32, 1, 13, 184, 0, 2, 0, 0))
    prefix = prefix_option(0xC0, 7200, 3600)
    header = bytes((4, 1)) + bytes(6)
    body = THEM[6] + ELSEWHERE[6] + lladdr(ndp.OPT_TARGET_LLADDR) + header
    gateway = icmp4.HEADER.pack(5, 1, 0, 0)[:4] + THEM[4]
    return [
        *_frames(
            advertisement(1800, source + mtu + prefix),
            advertisement(0, source),
            advertisement(9000, source + prefix_option(0x40, 0xFFFFFFFF, 0xFFFFFFFF, "fd01::")),
            advertisement(600, servers + search + route, 0xC8),
            advertisement(600, prefix_option(0xC0, 0, 0)),
            message(6, icmp6.REDIRECT, 0, 0, body, src=LINK, ttl=255),
            message(
                6,
                icmp6.ROUTER_SOLICITATION,
                0,
                0,
                source,
                src=LINK,
                dst=addr.parse("ff02::2"),
                ttl=255,
            ),
        ),
        Step(QUOTE, 0, ip(4, 1, gateway)),
    ]


def groups() -> list[Step]:
    """IGMP and MLD: queries of every version, and reports."""
    alert = bytes((0x94, 4, 0, 0))
    hop = bytes((58, 0, 5, 2, 0, 0, 1, 0))
    group4, group6 = addr.parse("239.1.2.3"), addr.parse("ff0e::1234")
    queries = []
    for group, dst in ((bytes(4), "224.0.0.1"), (group4, "239.1.2.3")):
        to = addr.parse(dst)
        queries += [
            ip(4, 2, bytes((0x11, 0, 0, 0)) + group, dst=to, ttl=1),
            ip(4, 2, bytes((0x11, 100, 0, 0)) + group, dst=to, ttl=1, extra=alert),
            ip(
                4,
                2,
                bytes((0x11, 20, 0, 0)) + group + bytes((2, 125, 0, 0)),
                dst=to,
                ttl=1,
                extra=alert,
            ),
        ]
    sources = bytes((0x11, 20, 0, 0)) + group4 + bytes((2, 125, 0, 1)) + ELSEWHERE[4]
    queries.append(ip(4, 2, sources, dst=group4, ttl=1, extra=alert))
    queries.append(ip(4, 2, bytes((0x16, 0, 0, 0)) + group4, dst=group4, ttl=1, extra=alert))
    queries.append(
        ip(
            4,
            2,
            bytes((0x22, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0)) + group4,
            dst=addr.parse("224.0.0.22"),
            ttl=1,
            extra=alert,
        )
    )
    for group, to in ((bytes(16), NODES), (group6, group6)):
        for tail in (b"", bytes((2, 125, 0, 0)), bytes((2, 125, 0, 1)) + ELSEWHERE[6]):
            body = bytes((130, 0, 0, 0, 0, 200, 0, 0)) + group + tail
            queries.append(ip(6, 0, body, src=LINK, dst=to, ttl=1, extra=hop))
    report = bytes((131, 0, 0, 0, 0, 0, 0, 0)) + group6
    queries.append(ip(6, 0, report, src=LINK, dst=group6, ttl=1, extra=hop))
    return [call("join"), *_frames(*queries), wait(3 * SECOND), call("leave")]


def echo() -> list[Step]:
    """Echo both ways, and messages nobody should answer."""
    return [
        *_frames(
            message(4, 8, 0, 0x12340001, b"abcdefgh"),
            message(6, 128, 0, 0x12340001, b"abcdefgh"),
            message(4, 0, 0, 0x12340001, b"abcdefgh"),
            message(6, 129, 0, 0x12340001, b"abcdefgh"),
            message(4, 8, 0, 0x12340001, b"abc", dst=addr.BROADCAST4),
            message(6, 128, 0, 1, b"abc", dst=NODES),
            message(4, 13, 0, 1, bytes(12)),
            message(6, 139, 0, 1, bytes(24)),
            message(6, 200, 0, 1, bytes(24)),
            message(4, 8, 0, 1, bytes(1400)),
        ),
        call("ping4"),
        call("ping6"),
    ]


def errors() -> list[Step]:
    """ICMP errors about what the stack sent."""
    steps: list[Step] = []
    for what in ("udp4", "connect4", "ping4"):
        steps.append(call(what))
        for kind, code, rest in (
            (3, 3, 0),
            (3, 4, 576),
            (3, 4, 0),
            (11, 0, 0),
            (12, 0, 0),
            (4, 0, 0),
        ):
            steps.append(Step(QUOTE, 0, message(4, kind, code, rest)))
    for what in ("udp6", "connect6", "ping6"):
        steps.append(call(what))
        for kind, code, rest in ((1, 4, 0), (2, 0, 1280), (2, 0, 500), (3, 0, 0), (4, 1, 40)):
            steps.append(Step(QUOTE, 0, message(6, kind, code, rest)))
    return steps


def headers() -> list[Step]:
    """IPv4 options, IPv6 extension headers, protocols nobody speaks."""
    ping = icmp4.HEADER.pack(128, 0, 0, 1) + b"data"
    data = udp.HEADER.pack(40000, 7, 0, 0) + b"data"
    pad = bytes((1, 4, 0, 0, 0, 0))
    return _frames(
        ip(4, 17, data, extra=bytes((1, 1, 1, 0))),
        ip(4, 17, data, extra=bytes((7, 7, 4, 0, 0, 0, 0, 0))),
        ip(4, 17, data, extra=bytes((68, 12, 5, 0)) + bytes(8)),
        ip(4, 17, data, extra=bytes((131, 7, 4)) + ELSEWHERE[4] + b"\0"),
        ip(4, 17, data, extra=bytes((148, 4, 0, 0, 130, 11)) + bytes(10)),
        ip(6, 0, ping, extra=bytes((58, 0)) + pad),
        ip(6, 60, ping, extra=bytes((58, 0)) + pad),
        ip(
            6,
            0,
            ping,
            extra=bytes((60, 0)) + pad + bytes((43, 0)) + pad + bytes((58, 0, 0, 0, 0, 0, 0, 0)),
        ),
        ip(6, 43, ping, extra=bytes((58, 2, 0, 1, 0, 0, 0, 0)) + ELSEWHERE[6]),
        ip(6, 43, ping, extra=bytes((58, 2, 4, 1, 0, 0, 0, 0)) + ELSEWHERE[6]),
        ip(6, 0, ping, extra=bytes((58, 0, 0x3E, 4, 0, 0, 0, 0))),
        ip(6, 0, ping, extra=bytes((58, 0, 0xBE, 4, 0, 0, 0, 0))),
        ip(6, 0, ping, extra=bytes((58, 0, 0xC2, 4, 0, 1, 0, 0))),
        ip(6, 44, ping, extra=bytes((58, 0, 0, 0, 0, 0, 0, 9))),
        ip(6, 59, b""),
        ip(6, 51, bytes(16)),
        ip(4, 253, b"experiment"),
        ip(6, 253, b"experiment"),
        ip(4, 41, bytes(40)),
    )


def datagrams() -> list[Step]:
    """UDP: to those who listen, to those who do not, to groups, to well-known ports."""
    return [
        *_frames(
            datagram(4, 40000, 7, b"echo"),
            datagram(6, 40000, 7, b"echo"),
            datagram(4, 40000, 9999, b"nobody"),
            datagram(6, 40000, 9999, b"nobody"),
            datagram(4, 40000, 7, b"all", dst=addr.BROADCAST4),
            datagram(4, 5353, 5353, names(0x8400), dst=addr.parse("224.0.0.251")),
            datagram(6, 5353, 5353, names(0x8400), dst=addr.parse("ff02::fb")),
            datagram(6, 5355, 5355, names(0), dst=addr.parse("ff02::1:3")),
            datagram(4, 67, 68, dhcp(2), dst=addr.BROADCAST4),
            datagram(6, 547, 546, dhcp6(2), src=LINK),
        ),
        call("udp4"),
        Step(ANSWER, 0, b"answer"),
        call("udp6"),
        Step(ANSWER, 0, b"answer"),
        call("raw"),
    ]


def leases() -> list[Step]:
    """DHCP as a server does it: every message the client may wait for."""
    return [
        call("dhcp"),
        wait(2 * SECOND),
        Step(ANSWER, 0, dhcp(2, DHCP_OPTIONS)),
        Step(ANSWER, 0, dhcp(5, DHCP_OPTIONS)),
        wait(10 * SECOND),
        Step(ANSWER, 0, dhcp6(2)),
        Step(ANSWER, 0, dhcp6(7)),
        wait(60 * SECOND),
        Step(ANSWER, 0, dhcp(5, DHCP_OPTIONS)),
        wait(40 * SECOND),
        Step(ANSWER, 0, dhcp(6)),
        wait(30 * SECOND),
    ]


def lookups() -> list[Step]:
    """A question of the stack's resolver and its answers."""
    return [
        call("lookup"),
        Step(ANSWER, 0, names()),
        Step(ANSWER, 0, names(0x8183)),
        Step(ANSWER, 0, names(0x8380)),
        wait(3 * SECOND),
    ]


def pieces(family: int) -> list[Step]:
    """Datagrams in fragments: in order, reversed, overlapping, incomplete."""
    first = fragments(family, bytes(range(200)), 64)
    second = fragments(family, bytes(1000), 256, 100)
    third = fragments(family, bytes(100), 24, 101)
    odd = fragments(family, bytes(100), 40, 101)
    return [
        *_frames(*first, *reversed(second), third[0], odd[1], *third[1:]),
        *_frames(*fragments(family, bytes(3000), 1000, 102)[:-1]),
        wait(61 * SECOND),
    ]


_SYN_OPTIONS: Final = bytes((2, 4, 5, 0xB4, 4, 2, 1, 3, 3, 7))


def connection(family: int) -> list[Step]:
    """A connection of ours to the stack: handshake, data, out of order, close."""
    a, s, f, p = tcp.ACK, tcp.SYN, tcp.FIN, tcp.PSH
    return [
        segment(family, s, 1000, options=_SYN_OPTIONS),
        segment(family, a, 1001),
        segment(family, a | p, 1001, 0, b"hello" * 20),
        segment(family, a, 1201, 0, bytes(100)),
        segment(family, a, 1101, 0, bytes(100), bytes((1, 1, 5, 10)) + bytes((0, 0, 5, 0)) * 2),
        segment(family, a, 1301),
        wait(300 * MS),
        segment(family, a | tcp.URG, 1301, 0, b"x"),
        segment(family, a | f, 1302),
        segment(family, a, 1303),
        wait(SECOND),
        segment(family, a, 1303),
    ]


def stamped(family: int) -> list[Step]:
    """The same with timestamps, which go back once, and are left out once."""
    a = tcp.ACK

    def stamp(value: int) -> bytes:
        return b"\1\1" + tcp.timestamps_option(value, 0)

    return [
        segment(family, tcp.SYN, 1000, options=_SYN_OPTIONS + stamp(100)),
        segment(family, a, 1001, options=stamp(101)),
        segment(family, a, 1001, 0, b"first", stamp(102)),
        segment(family, a, 1006, 0, b"older", stamp(50)),
        segment(family, a, 1006, 0, b"none"),
        segment(family, a, 1006, 0, bytes(1400), stamp(103)),
        segment(family, a | tcp.FIN, 2406, 0, b"", stamp(104)),
        wait(SECOND),
        segment(family, a, 2407, 0, b"", stamp(105)),
        segment(family, tcp.SYN, 3000, options=_SYN_OPTIONS + stamp(200)),
    ]


def opened(family: int) -> list[Step]:
    """A connection that a program above the stack opens, and what may answer it."""
    a, s = tcp.ACK, tcp.SYN
    ports = (81, 5000)
    return [
        call(f"connect{family}"),
        segment(family, s | a, 5000, options=_SYN_OPTIONS, ports=ports),
        call("send"),
        segment(family, a, 5001, 0, b"answer", ports=ports),
        segment(family, a, 5007, -50, ports=ports, options=bytes((1, 1, 5, 10)) + bytes(8)),
        wait(250 * MS),
        segment(family, a, 5007, 0, ports=ports, window=0),
        call("send"),
        wait(2 * SECOND),
        segment(family, a, 5007, 0, ports=ports),
        call("close"),
        segment(family, a | tcp.FIN, 5007, 0, ports=ports),
        segment(family, a, 5008, 0, ports=ports),
        wait(SECOND),
    ]


def refusals(family: int) -> list[Step]:
    """Segments for nobody, resets, floods of SYNs."""
    a, s, r = tcp.ACK, tcp.SYN, tcp.RST
    return [
        segment(family, s, 1, ports=(40000, 9999)),
        segment(family, a, 1, 5, ports=(40000, 80)),
        segment(family, r, 1),
        *(segment(family, s, 77, options=_SYN_OPTIONS, ports=(41000 + n, 80)) for n in range(12)),
        segment(family, a, 78, ports=(41003, 80)),
        segment(family, r | a, 78, ports=(41004, 80)),
        segment(family, s, 500, 0, b"early", bytes((34, 10)) + bytes(8), ports=(42000, 82)),
        wait(4 * SECOND),
    ]


def crowds() -> list[Step]:
    """More of everything than there is room for: neighbours, fragments, sources."""
    steps = []
    for number in range(30):
        octet = bytes((100 + number,))
        query = arp.build(arp.REQUEST, THEIRS, THEM[4][:3] + octet, bytes(6), US[4])
        other = THEM[6][:15] + octet
        option = lladdr(ndp.OPT_SOURCE_LLADDR)
        steps += _frames(
            addr.MAC_BROADCAST + THEIRS + ethernet.TYPE_ARP + query,
            discovery(icmp6.NEIGHBOR_SOLICITATION, 0, US[6], option, US[6], other),
        )
    for number in range(40):
        for family in (4, 6):
            steps += _frames(fragments(family, bytes(2900), 2800, 200 + number)[0])
    return [*steps, wait(61 * SECOND)]


def passing() -> list[Step]:
    """What a router would pass on: at the end of its life, too large, to where it came from."""
    steps = []
    for family in (4, 6):
        there, proto = BEYOND[family], 17
        data = udp.HEADER.pack(40000, 7, 0, 0) + b"data"
        steps += _frames(
            ip(family, proto, data, dst=there, to=OURS),
            ip(family, proto, data, dst=there, to=OURS, ttl=1),
            ip(family, proto, data, dst=there, to=OURS, ttl=0),
            ip(family, proto, data + bytes(1440), dst=there, to=OURS),
            ip(family, proto, data, dst=THEM[family], src=ELSEWHERE[family], to=OURS),
            ip(family, proto, data, dst=ELSEWHERE[family], to=OURS),
            ip(family, proto, data, src=LINK if family == 6 else b"", dst=there, to=OURS),
            message(family, 3 if family == 4 else 1, 0, 0, data, dst=there, to=OURS),
        )
    first = datagram(4, 1, 7, bytes(1500), dst=BEYOND[4], to=OURS)
    return [*steps, *_frames(first), wait(4 * SECOND)]


CONVERSATIONS: Final[dict[str, Callable[[], list[Step]]]] = {
    "resolution": resolution,
    "routers": routers,
    "groups": groups,
    "echo": echo,
    "errors": errors,
    "headers": headers,
    "datagrams": datagrams,
    "leases": leases,
    "lookups": lookups,
    "crowds": crowds,
    "passing": passing,
    "pieces4": lambda: pieces(4),
    "pieces6": lambda: pieces(6),
    "connection4": lambda: connection(4),
    "connection6": lambda: connection(6),
    "stamped4": lambda: stamped(4),
    "stamped6": lambda: stamped(6),
    "opened4": lambda: opened(4),
    "opened6": lambda: opened(6),
    "refusals4": lambda: refusals(4),
    "refusals6": lambda: refusals(6),
}
"""Everything that the search begins with."""
