# SPDX-License-Identifier: MIT
"""Options of Neighbor Discovery: reading is total, and undoes building; scapy agrees."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet6 import (
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6ND_Redirect,
    ICMPv6ND_RS,
    ICMPv6NDOptDNSSL,
    ICMPv6NDOptMTU,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptRDNSS,
    ICMPv6NDOptRedirectedHdr,
    ICMPv6NDOptRouteInfo,
    ICMPv6NDOptSrcLLAddr,
)

from stack.base import addr
from stack.wire import ndp, ndp_options
from stack.wire.ndp_options import Options, PrefixInfo, RouteInfo

addresses = st.binary(min_size=16, max_size=16)
lifetimes = st.integers(0, 0xFFFFFFFF)
labels = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=63)
names = st.lists(labels, min_size=1, max_size=3).map(".".join)

prefixes = st.builds(
    PrefixInfo, st.integers(0, 128), st.integers(0, 255), lifetimes, lifetimes, addresses
)


@st.composite
def routes(draw: st.DrawFn) -> RouteInfo:
    length = draw(st.integers(0, 128))
    octets = (length + 63) // 64 * 8
    prefix = draw(addresses)[:octets] + bytes(16 - octets)
    return RouteInfo(length, draw(st.integers(0, 3)), draw(lifetimes), prefix)


def read(data: bytes) -> Options | None:
    """From the middle of a frame, as in life."""
    options = Options()
    return options if options.read(b"before" + data + b"after", 6, 6 + len(data)) else None


@given(
    st.lists(prefixes, max_size=4),
    st.lists(routes(), max_size=4),
    st.lists(st.tuples(lifetimes, st.lists(addresses, min_size=1, max_size=4).map(tuple))),
    st.lists(st.tuples(lifetimes, st.lists(names, min_size=1, max_size=4).map(tuple)), max_size=4),
    st.integers(0, 0xFFFFFFFF),
    st.binary(min_size=6, max_size=6),
    st.sampled_from([6, 14, 22]).flatmap(lambda size: st.binary(min_size=size, max_size=size)),
)
def test_reading_undoes_building(
    prefix_list: list[PrefixInfo],
    route_list: list[RouteInfo],
    servers: list[tuple[int, tuple[bytes, ...]]],
    domains: list[tuple[int, tuple[str, ...]]],
    mtu: int,
    lladdr: bytes,
    nonce: bytes,
) -> None:
    data = b"".join(
        (
            *map(ndp_options.prefix, prefix_list),
            *map(ndp_options.route, route_list),
            *(ndp_options.servers(*s) for s in servers),
            *(ndp_options.domains(*d) for d in domains),
            ndp_options.mtu(mtu),
            ndp_options.lladdr(1, lladdr),
            ndp_options.lladdr(2, lladdr[::-1]),
            ndp_options.nonce(nonce),
        )
    )
    options = read(data)
    assert options is not None
    assert [_fields(p) for p in options.prefixes] == [_fields(p) for p in prefix_list]
    assert [_fields(r) for r in options.routes] == [_fields(r) for r in route_list]
    assert options.servers == servers
    assert options.domains == domains
    assert (options.mtu, options.nonce) == (mtu, nonce)
    assert (options.source_lladdr, options.target_lladdr) == (lladdr, lladdr[::-1])


def _fields(record: PrefixInfo | RouteInfo) -> list[object]:
    return [getattr(record, name) for name in record.__slots__]


@given(st.binary(max_size=300), st.integers(0, 20))
def test_every_message_survives_noise(data: bytes, start: int) -> None:
    start = min(start, len(data))
    for parse in (ndp.parse, ndp.parse_advertisement, ndp.parse_redirect):
        message = parse(data, start, len(data))
        if message is not None:
            at, end = message.redirected
            assert start <= at <= end <= len(data) or (at, end) == (0, 0)


kinds = st.sampled_from([1, 2, 3, 4, 5, 14, 24, 25, 31, 99])


@given(
    st.lists(
        st.tuples(kinds, st.integers(1, 6)).flatmap(
            lambda o: st.binary(min_size=o[1] * 8 - 2, max_size=o[1] * 8 - 2).map(
                lambda data: bytes(o) + data
            )
        ),
        max_size=10,
    )
)
def test_wellformed_options_of_any_content_are_read(options: list[bytes]) -> None:
    found = read(b"".join(options))
    assert found is not None
    assert all(p.length <= 128 for p in found.prefixes)
    assert all(r.length <= 128 and len(r.prefix) == 16 for r in found.routes)
    assert all(len(s) == 16 for _, servers in found.servers for s in servers)
    assert all(len(n) <= 254 for _, domains in found.domains for n in domains)


@pytest.mark.parametrize(
    "data",
    [
        bytes((1,)),
        bytes((1, 1)) + bytes(5),
        bytes((1, 0)) + bytes(6),
        bytes((1, 1)) + bytes(6) + bytes((5, 0)) + bytes(6),
        bytes((99, 3)) + bytes(14),
        (bytes((99, 1)) + bytes(6)) * (ndp_options.LIMIT + 1),
    ],
)
def test_what_spoils_a_message(data: bytes) -> None:
    assert read(data) is None


@pytest.mark.parametrize(
    "data",
    [
        bytes((1, 2)) + bytes(14),  # a link-layer address of another length
        bytes((3, 3)) + bytes(22),
        bytes((3, 4, 129)) + bytes(29),
        bytes((5, 2)) + bytes(14),
        bytes((24, 1, 1)) + bytes(5),  # a route whose prefix is not there
        bytes((24, 2, 65)) + bytes(13),
        bytes((24, 3, 129)) + bytes(21),
        bytes((24, 4, 64)) + bytes(29),
        bytes((25, 1)) + bytes(6),
        bytes((25, 2)) + bytes(14),
        bytes((25, 4)) + bytes(30),
        bytes((31, 1)) + bytes(6),
        bytes((31, 2)) + bytes(14),  # padding alone
        bytes((31, 2, 0, 0, 0, 0, 0, 1, 64)) + bytes(7),  # a label that is none
        bytes((31, 2, 0, 0, 0, 0, 0, 1, 7)) + b"aaaaaaa",  # no end
        bytes((31, 2, 0, 0, 0, 0, 0, 1, 192, 12)) + bytes(6),  # a compression pointer
        bytes((31, 2, 0, 0, 0, 0, 0, 1, 3)) + b"a.b" + bytes(4),
        bytes((31, 2, 0, 0, 0, 0, 0, 1, 3)) + b"a\xffb" + bytes(4),
        bytes((4, 1)) + bytes(6),
    ],
)
def test_what_is_only_ignored(data: bytes) -> None:
    found = read(data)
    assert found is not None
    empty = Options()
    assert [getattr(found, n) for n in Options.__slots__] == [
        getattr(empty, n) for n in Options.__slots__
    ]


def test_a_name_of_more_than_255_octets_is_none() -> None:
    label = "a" * 63
    assert read(ndp_options.domains(1, (".".join([label] * 3),))) is not None
    fits = read(ndp_options.domains(1, (".".join([label] * 3 + ["a" * 61]),)))
    assert fits is not None
    assert fits.domains
    found = read(ndp_options.domains(1, (".".join([label] * 3 + ["a" * 62]),)))
    assert found is not None
    assert found.domains == []


def test_scapy_reads_what_we_build() -> None:
    lladdr = b"\2\0\0\0\0\7"
    net = addr.parse("2001:db8::")
    options = b"".join(
        (
            ndp_options.lladdr(1, lladdr),
            ndp_options.mtu(1400),
            ndp_options.prefix(PrefixInfo(64, 0xC0, 100, 50, net)),
            ndp_options.route(RouteInfo(48, 3, 77, net)),
            ndp_options.servers(60, (addr.parse("2001:db8::53"),)),
            ndp_options.domains(70, ("example.com",)),
        )
    )
    said = ICMPv6ND_RA(ndp.build_advertisement(134, 9, 0x88, 1800, 30, 40, options))
    assert (said.chlim, said.M, said.O, said.prf) == (9, 1, 0, 1)
    assert (said.routerlifetime, said.reachabletime, said.retranstimer) == (1800, 30, 40)
    assert said[ICMPv6NDOptSrcLLAddr].lladdr == "02:00:00:00:00:07"
    assert said[ICMPv6NDOptMTU].mtu == 1400
    info = said[ICMPv6NDOptPrefixInfo]
    assert (info.prefix, info.prefixlen, info.L, info.A) == ("2001:db8::", 64, 1, 1)
    assert (info.validlifetime, info.preferredlifetime) == (100, 50)
    route = said[ICMPv6NDOptRouteInfo]
    assert (route.prefix, route.plen, route.prf, route.rtlifetime) == ("2001:db8::", 48, 3, 77)
    assert said[ICMPv6NDOptRDNSS].dns == ["2001:db8::53"]
    assert said[ICMPv6NDOptDNSSL].searchlist == ["example.com."]
    asked = ICMPv6ND_RS(ndp.build_solicitation(133, lladdr))
    assert asked[ICMPv6NDOptSrcLLAddr].lladdr == "02:00:00:00:00:07"
    assert len(ndp.build_solicitation(133, b"")) == 8
    probe = ICMPv6ND_NS(ndp.build(135, 0, net, 1, b"", b"nonce!"))
    assert bytes(probe)[24:] == bytes((14, 1)) + b"nonce!"
    redirect = ICMPv6ND_Redirect(
        ndp.build_redirect(137, net, net, ndp_options.redirected(bytes(range(50))))
    )
    assert (redirect.tgt, redirect.dst) == ("2001:db8::", "2001:db8::")
    assert redirect[ICMPv6NDOptRedirectedHdr].len == 8


def test_where_a_redirected_packet_is() -> None:
    packet = bytes(range(48))
    body = ndp.build_redirect(137, bytes(16), bytes(16), ndp_options.redirected(packet))
    message = ndp.parse_redirect(b"xx" + body, 2, 2 + len(body))
    assert message is not None
    at, end = message.redirected
    assert (b"xx" + body)[at:end] == packet
