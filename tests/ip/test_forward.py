# SPDX-License-Identifier: MIT
"""Forwarding between interfaces: what passes, what changes on the way, and every refusal."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from stack.base import addr
from stack.base.units import SECOND
from stack.link.seam import CSUM, TSO4, TSO6
from stack.wire import ethernet, ipv4, vnet
from stack.wire.describe import frame as describe
from tests.harness import World, quiet
from tests.harness.datagrams import WHATEVER, give, super_frame
from tests.harness.peer import Seen
from tests.harness.routing import Crossing, line
from tests.tcp.users import joined


@pytest.fixture
def crossing(world: World, family: int) -> Crossing:
    return Crossing(world, family)


def send(crossing: Crossing, data: bytes = b"data", **how: object) -> bytes:
    """A datagram from the near peer to the far one; its bytes."""
    near, far = crossing.near, crossing.far
    kind, packet = near.packet_bytes(253, data, **({"dst": far.mine} | how))  # type: ignore[arg-type]
    near.frame(kind, packet)
    crossing.world.run(0)
    return packet


def answer(crossing: Crossing) -> Seen:
    """The one packet that came back to the sender: an error."""
    seen = crossing.near.next_ip()
    assert seen is not None, crossing.drops()
    assert crossing.near.next_ip() is None
    return seen


def kind_of(seen: Seen) -> tuple[int, int]:
    return seen.body[0], seen.body[1]


def test_passes_with_one_hop_less_and_nothing_else_changed(crossing: Crossing) -> None:
    sent = send(crossing, b"some data", ttl=17, tos=0x2E)
    seen = crossing.far.next_ip()
    assert seen is not None
    got = bytearray(seen.frame[seen.pkt.net : seen.pkt.end])
    at = 8 if len(crossing.near.mine) == 4 else 7
    assert got[at] == 16
    got[at] = 17
    if at == 8:
        judged = IP(seen.frame[14:])
        checksum = judged.chksum
        del judged.chksum
        assert IP(bytes(judged)).chksum == checksum
        got[10:12] = sent[10:12]
    assert bytes(got) == sent
    assert seen.frame[6:12] == crossing.far.host.port.mac
    assert crossing.near.next_ip() is None
    assert crossing.drops() == {}


def test_counters(crossing: Crossing) -> None:
    layer = crossing.stack.host.layer_of(crossing.near.mine)
    came = layer.interface(crossing.near.host.nic).counters
    went = layer.interface(crossing.far.host.nic).counters
    send(crossing)
    assert crossing.far.next_ip() is not None  # the neighbour is known now
    before = went.out_requests
    send(crossing)
    assert (came.in_receives, came.in_forw_datagrams, came.in_delivers) == (2, 2, 0)
    assert (went.out_forw_datagrams, went.out_requests) == (2, before)
    assert layer.counters.in_forw_datagrams == 2


def test_not_without_being_told(world: World, family: int) -> None:
    crossing = Crossing(world, family, config=quiet())
    send(crossing)
    assert crossing.far.next_ip() is None
    assert crossing.drops() == {"ip_not_local": 1}


def test_per_interface(world: World, family: int) -> None:
    """What counts is where a packet came in (RFC 4861 6.2.1, IsRouter is per interface)."""
    crossing = Crossing(world, family, config=quiet())
    layer = crossing.stack.host.layer_of(crossing.near.mine)
    layer.interface(crossing.near.host.nic).forwarding = True
    send(crossing)
    assert crossing.far.next_ip() is not None
    crossing.far.packet(253, b"back", dst=crossing.near.mine)
    world.run(0)
    assert crossing.drops() == {"ip_not_local": 1}


@pytest.mark.parametrize("ttl", [0, 1])
def test_the_last_hop_is_used_up(crossing: Crossing, ttl: int) -> None:
    sent = send(crossing, ttl=ttl)
    error = answer(crossing)
    assert kind_of(error) == ((11, 0) if len(crossing.near.mine) == 4 else (3, 0))
    assert error.body[8:] == sent
    assert error.pkt.src == crossing.near.host.address(crossing.near.family)
    assert crossing.drops() == {"forward_hops": 1}


def test_no_route(crossing: Crossing) -> None:
    far = addr.parse("192.0.2.1" if len(crossing.near.mine) == 4 else "2001:db8::1")
    send(crossing, dst=far)
    assert kind_of(answer(crossing)) == ((3, 0) if len(far) == 4 else (1, 0))
    assert crossing.drops() == {"forward_no_route": 1}


def test_a_next_hop_that_does_not_answer(crossing: Crossing) -> None:
    """Host unreachable (RFC 1812 5.2.7.1), address unreachable (RFC 4443 3.1), after three
    questions."""
    crossing.far.silent = True
    sent = send(crossing)
    crossing.world.run(5 * SECOND)
    error = answer(crossing)
    assert kind_of(error) == ((3, 1) if len(crossing.near.mine) == 4 else (1, 3))
    quoted = bytearray(error.body[8:])
    assert quoted[-4:] == sent[-4:]
    assert crossing.drops() == {"neighbor_failed": 1}


def test_too_big_with_df_and_in_ipv6(world: World, family: int) -> None:
    crossing = Crossing(world, family, mtus=(1500, 1300))
    sent = send(crossing, bytes(1400), frag=ipv4.DF)
    error = answer(crossing)
    assert kind_of(error) == ((3, 4) if family == addr.V4 else (2, 0))
    assert int.from_bytes(error.body[4:8], "big") == 1300
    assert sent.startswith(error.body[8:])
    assert len(error.frame) - 14 <= (576 if family == addr.V4 else 1280)
    assert crossing.drops() == {"forward_too_big": 1}
    layer = crossing.stack.host.layer_of(crossing.far.mine)
    assert layer.interface(crossing.far.host.nic).counters.out_frag_fails == 1


def test_ipv4_without_df_is_fragmented(world: World) -> None:
    crossing = Crossing(world, addr.V4, mtus=(1500, 600))
    data = bytes(range(256)) * 5
    send(crossing, data, ident=77)
    pieces = [IP(seen.frame[14:]) for seen in crossing.far.received()]
    assert [piece.flags.MF for piece in pieces] == [1, 1, 0]
    assert {piece.id for piece in pieces} == {77}
    assert all(len(piece) <= 600 for piece in pieces)
    assert b"".join(bytes(piece.payload) for piece in pieces) == data
    assert [piece.frag * 8 for piece in pieces] == [0, 576, 1152]


ROUTE = b"\x07\x07\x04\0\0\0\0\0"
ALERT = b"\x94\x04\0\0"


@given(
    size=st.integers(1, 3000),
    mtu=st.integers(68, 1500),
    first=st.integers(0, 500),
    more=st.booleans(),
    options=st.sampled_from(
        [b"", b"\x07\x07\x04\0\0\0\0\0", b"\x94\x04\0\0", b"\x94\x04\0\0\1\1\1\1"]
    ),
)
def test_pieces(size: int, mtu: int, first: int, more: bool, options: bytes) -> None:
    """Whatever is cut, even a fragment, comes together again; only copied options go along."""
    frag = first | (ipv4.MF if more else 0)
    src, dst = b"\x0a\0\0\1", b"\x0a\0\0\2"
    header = ipv4.build(0, 20 + len(options) + size, 9, frag, 9, 253, src, dst, options)
    data = bytes(i % 251 for i in range(size))
    pieces = ipv4.pieces(header, data, mtu)
    at = first * 8
    for number, (head, part) in enumerate(pieces):
        judged = IP(head + bytes(part))
        assert len(head) + len(part) == judged.len <= mtu
        assert judged.frag * 8 == at
        at += len(part)
        last = number == len(pieces) - 1
        assert bool(judged.flags.MF) == (more or not last)
        kinds = {option.option for option in judged.options if option.option > 1}
        wanted = {20} if options[:1] == b"\x94" else {7} if options and not number else set()
        assert kinds == wanted
        checksum = judged.chksum
        del judged.chksum
        assert IP(bytes(judged)).chksum == checksum
    assert b"".join(bytes(part) for _, part in pieces) == data


STRANGE4 = [
    "127.0.0.1",
    "239.1.1.1",
    "169.254.1.1",
    "240.0.0.1",
    "0.0.0.1",
    "255.255.255.255",
    "10.2.0.255",
]
STRANGE6 = ["::1", "ff0e::5", "fe80::99", "::ffff:10.2.0.1"]


@pytest.mark.parametrize("text", STRANGE4 + STRANGE6)
def test_destinations_that_never_cross(world: World, text: str) -> None:
    """RFC 1812 5.3.7, RFC 2644, RFC 3927 2.6.2, RFC 4291 2.5."""
    family = addr.V6 if ":" in text else addr.V4
    crossing = Crossing(world, family)
    send(crossing, dst=addr.parse(text))
    crossing.world.run(5 * SECOND)
    assert crossing.far.next_ip() is None
    assert sum(crossing.drops().values()) == 1


def test_a_link_local_source_never_crosses(crossing: Crossing) -> None:
    """RFC 4291 2.5.6; ICMPv6 says "beyond scope of source address" (RFC 4443 3.1)."""
    v4 = len(crossing.near.mine) == 4
    src = addr.parse("169.254.7.7" if v4 else "fe80::200:ff:fe01:1")
    send(crossing, src=src)
    assert crossing.far.next_ip() is None
    assert crossing.drops() == {"forward_scope": 1}
    if not v4:
        crossing.near.v6 = src
        assert kind_of(answer(crossing)) == (1, 2)


def test_link_broadcasts_are_not_forwarded(crossing: Crossing) -> None:
    """RFC 1812 5.3.4."""
    near = crossing.near
    kind, packet = near.packet_bytes(253, b"data", dst=crossing.far.mine)
    near.frame(kind, packet, addr.MAC_BROADCAST)
    crossing.world.run(0)
    assert crossing.far.next_ip() is None
    assert crossing.drops() == {"ip_link_broadcast": 1}


def test_no_error_about_an_error(crossing: Crossing) -> None:
    """RFC 1122 3.2.2, RFC 4443 2.4 e.1; also behind an extension header."""
    near = crossing.near
    kind = 3 if len(near.mine) == 4 else 1
    body = bytes((kind, 0, 0, 0)) + bytes(60)
    if kind == 3:
        near.packet(1, body, dst=crossing.far.mine, ttl=1)
    else:
        near.packet(60, bytes((58, 0, 1, 4, 0, 0, 0, 0)) + body, dst=crossing.far.mine, ttl=1)
    crossing.world.run(0)
    assert near.next_ip() is None
    assert crossing.drops() == {"forward_hops": 1}


def test_no_error_about_a_later_fragment(world: World) -> None:
    crossing = Crossing(world, addr.V6)
    later = bytes((253, 0, 1, 0)) + bytes(4) + bytes(16)  # offset 32
    crossing.near.packet(44, later, dst=crossing.far.mine, ttl=1)
    world.run(0)
    assert crossing.near.next_ip() is None


def test_a_router_is_one_of_all_routers(world: World, family: int) -> None:
    """RFC 4291 2.8, RFC 1112 4: as long as it is one, and where it is one."""
    crossing = Crossing(world, family, config=quiet())
    stack, nic = crossing.stack, crossing.near.host.nic
    group = addr.ALL_ROUTERS4 if family == addr.V4 else addr.ALL_ROUTERS
    interface = stack.host.layer_of(crossing.near.mine).interface(nic)
    assert not stack.host.groups.joined(nic.index, group)
    for on in (True, True, False):
        interface.forwarding = on
        assert stack.host.groups.joined(nic.index, group) == on
    assert not stack.host.groups.joined(crossing.far.host.nic.index, group)


def test_fragments_pass_as_they_are(crossing: Crossing) -> None:
    """A router does not reassemble."""
    if len(crossing.near.mine) == 4:
        send(crossing, bytes(64), frag=ipv4.MF | 5, ident=4)
    else:
        body = bytes((253, 0)) + (40 | 1).to_bytes(2, "big") + bytes(4) + bytes(64)
        crossing.near.packet(44, body, dst=crossing.far.mine)
        crossing.world.run(0)
    assert crossing.far.next_ip() is not None
    assert len(crossing.stack.host.reassembler) == 0


def test_source_routes_are_refused(world: World) -> None:
    """RFC 7126 4.3."""
    crossing = Crossing(world, addr.V4)
    near, far = crossing.near, crossing.far
    option = bytes((131, 7, 4)) + far.mine + b"\0"
    header = ipv4.build(0, 28 + 4, 1, 0, 9, 253, near.mine, far.mine, option)
    near.frame(ethernet.TYPE_IPV4, header + b"data")
    world.run(0)
    assert far.next_ip() is None
    assert crossing.drops() == {"ip_source_route": 1}


ROUTER = bytes((10, 2, 0, 254))
"""By this address packets leave for the far side."""
NEAR = bytes((10, 1, 0, 254))
ELSEWHERE = bytes((10, 9, 9, 9))
NOW = (1 << 31 | 1000).to_bytes(4, "big")
"""A second after this world began, in a time that is not Universal."""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (bytes((148, 4, 0, 0)), bytes((148, 4, 0, 0))),
        # Record route (RFC 1812 5.3.13.5): ours behind what is there; full, it stays as it is.
        (bytes((1, 7, 7, 4)) + bytes(4), bytes((1, 7, 7, 8)) + ROUTER),
        (bytes((7, 11, 8)) + ELSEWHERE + bytes(5), bytes((7, 11, 12)) + ELSEWHERE + ROUTER + b"\0"),
        (bytes((7, 7, 8)) + ELSEWHERE + b"\0", bytes((7, 7, 8)) + ELSEWHERE + b"\0"),
        # Timestamps (RFC 1812 5.3.13.6), and one more who had no room.
        (bytes((68, 8, 5, 0)) + bytes(4), bytes((68, 8, 9, 0)) + NOW),
        (bytes((68, 12, 5, 1)) + bytes(8), bytes((68, 12, 13, 1)) + ROUTER + NOW),
        (bytes((68, 8, 9, 0x30)) + NOW, bytes((68, 8, 9, 0x40)) + NOW),
        # Whose turn it is was prescribed: by any address of ours, or it is not ours.
        (bytes((68, 12, 5, 3)) + NEAR + bytes(4), bytes((68, 12, 13, 3)) + NEAR + NOW),
        (
            bytes((68, 12, 5, 3)) + ELSEWHERE + bytes(4),
            bytes((68, 12, 5, 3)) + ELSEWHERE + bytes(4),
        ),
        # The others stay where they were.
        (
            bytes((148, 4, 0, 0, 7, 7, 4)) + bytes(4) + bytes((0x9E, 3, 5, 0, 0)),
            bytes((148, 4, 0, 0, 7, 7, 8)) + ROUTER + bytes((0x9E, 3, 5, 0, 0)),
        ),
    ],
)
def test_options_pass_and_those_that_record_have_us_in_them(before: bytes, after: bytes) -> None:
    world = World()
    crossing = Crossing(world, addr.V4)
    near, far = crossing.near, crossing.far
    header = ipv4.build(0, 20 + len(before) + 4, 1, 0, 9, 253, near.mine, far.mine, before)
    near.frame(ethernet.TYPE_IPV4, header + b"data")
    world.run(0)
    seen = far.next_ip()
    assert seen is not None
    assert seen.frame[14 + 20 : 14 + 20 + len(after)] == after
    judged = IP(seen.frame[14:])
    assert (judged.ttl, bytes(judged.payload)) == (8, b"data")
    checksum = judged.chksum
    del judged.chksum
    assert IP(bytes(judged)).chksum == checksum


def test_the_loopback_interface_is_not_behind_a_router(crossing: Crossing) -> None:
    """Neither what everybody has there nor what was given to it (RFC 1812 5.3.7)."""
    own = "10.77.7.7" if len(crossing.near.mine) == 4 else "fd77:7::7"
    stack = crossing.stack
    stack.add_address(stack.host.nics[0], own, 32 if len(crossing.near.mine) == 4 else 128)
    for dst in (own, "127.0.0.1" if len(crossing.near.mine) == 4 else "::1"):
        send(crossing, dst=addr.parse(dst))
        assert crossing.near.next_ip() is None
        assert crossing.far.next_ip() is None
    assert crossing.drops() == {"ip_not_local": 2}


@pytest.mark.parametrize("kind", [0, 60, 43])
def test_extension_headers_pass(world: World, kind: int) -> None:
    """RFC 8200 4: they are the destination's to look at; hop-by-hop ones too, as long as nobody
    configured otherwise."""
    crossing = Crossing(world, addr.V6)
    header = bytes((253, 0, 0x85, 2, 0, 0, 1, 0))  # whoever reads it must object to either reading
    crossing.near.packet(kind, header + b"data", dst=crossing.far.mine)
    world.run(0)
    seen = crossing.far.next_ip()
    assert seen is not None
    assert seen.frame[14 + 6] == kind
    assert seen.frame[14 + 40 :] == header + b"data"
    assert crossing.drops() == {}


def test_a_routers_other_address_is_answered(crossing: Crossing) -> None:
    """A router is one host, whichever interface is asked (RFC 1812 2.2.1)."""
    near = crossing.near
    other = crossing.far.host.address(near.family)
    kind = 8 if len(near.mine) == 4 else 128
    bare = bytes((kind, 0, 0, 0, 0, 1, 0, 1)) + b"ping"
    if kind == 8:
        request = ICMP(bare)
        del request.chksum
        near.packet(1, bytes(request), dst=other)
    else:
        near.packet(58, near.checked(58, bare, 2, near.mine, other), dst=other)
    crossing.world.run(0)
    seen = near.next_ip()
    assert seen is not None
    assert seen.pkt.src == other


def test_unfinished_checksums_are_finished_where_they_leave(world: World, family: int) -> None:
    """The near wire carries virtio-net headers; behind the far one is an ordinary network."""
    a, _, b = line(world, offload=True)
    endpoint, listener = a.datagram(), b.datagram()
    assert listener.bind(b"", 9, 0) == 0
    assert endpoint.bind(b"", 0, 0) == 0
    endpoint.send((b"x" * 5000,), 5000, b.address(family), 9, 0)
    world.run(SECOND)
    assert b.stack.udp.counters.in_datagrams == 1
    assert b.drops() == {}


def test_a_super_frame_that_nobody_could_split_is_dropped(world: World, family: int) -> None:
    """Without a word where its checksum is it cannot be told where its headers end."""
    crossing = Crossing(world, family, offload=True)
    near = crossing.near
    kind, packet = near.packet_bytes(6, bytes(3000), dst=crossing.far.mine)
    prefix = vnet.HEADER.pack(0, vnet.GSO_TCPV4, 0, 1000, 0, 0)
    frame = prefix + near.host.port.mac + near.port.mac + kind + packet
    crossing.stack.receive(near.host.nic, frame)
    world.run(0)
    assert crossing.drops() == {"forward_headers": 1}
    assert crossing.far.received() == []


@pytest.mark.parametrize(
    ("features", "mtu"),
    [(None, 1500), (None, 1280), (0, 1500), (0, 1280), (CSUM | TSO4 | TSO6, 1500)],
)
def test_datagrams_in_one_frame(world: World, family: int, features: int | None, mtu: int) -> None:
    """They cross whole to a wire that can cut them, and are cut for one that cannot."""
    crossing = Crossing(world, family, mtus=(1500, mtu), offload=True, far_features=features)
    far = crossing.far
    data = bytes(n % 253 for n in range(9990))
    give(crossing.near, super_frame(crossing.near, data, 1000, dst=far.mine))
    seen = far.received()
    assert [one.gso_size for one in seen] == ([1000] if features is None else [0] * 10)
    assert b"".join(one.body[8:] for one in seen) == data
    assert crossing.drops() == {}
    for one in seen:
        length = int.from_bytes(one.body[4:6], "big")
        assert length == len(one.body)
        if features == 0:
            blank = one.body[:6] + b"\0\0" + one.body[8:]
            mine, theirs = crossing.near.mine, far.mine
            assert far.checked(17, blank, 6, mine, theirs) == one.body


@pytest.mark.parametrize("free", [True, False])
def test_datagrams_in_one_frame_that_do_not_fit(world: World, family: int, free: bool) -> None:
    """Each is fragmented where that is allowed; otherwise the sender is told, once."""
    crossing = Crossing(world, family, mtus=(1500, 1280), offload=True)
    far = crossing.far
    data = bytes(n % 253 for n in range(4000))
    frag = 0 if free else ipv4.DF
    give(crossing.near, super_frame(crossing.near, data, 1400, dst=far.mine, frag=frag))
    seen = far.received()
    if family == addr.V6 or not free:
        assert seen == []
        assert crossing.drops() == {"forward_too_big": 1}
        error = answer(crossing)
        assert int.from_bytes(error.body[6:8], "big") == 1280
        return
    assert crossing.drops() == {}
    whole: dict[int, bytes] = {}
    for one in seen:
        packet = IP(one.frame[far.port.header + 14 :])
        assert packet.len <= 1280
        whole[packet.id] = whole.get(packet.id, b"") + bytes(packet.payload)
    assert b"".join(body[8:] for body in whole.values()) == data
    assert [len(body) for body in whole.values()] == [1408, 1408, 1208]
    for body in whole.values():
        blank = body[:6] + b"\0\0" + body[8:]
        assert far.checked(17, blank, 6, crossing.near.mine, far.mine) == body


@given(
    st.sampled_from((addr.V4, addr.V6)),
    *WHATEVER,
    st.booleans(),
    st.sampled_from((68, 1500)),
)
def test_whatever_a_device_says_of_a_frame(
    family: int, octets: int, size: int, kind: int, length: int | None, cuts: bool, mtu: int
) -> None:
    """It passes, in pieces or whole, or is dropped for one reason."""
    mtus = (1500, mtu if family == addr.V4 else max(mtu, 1280))
    crossing = Crossing(World(), family, mtus=mtus, offload=True, far_features=None if cuts else 0)
    near, data = crossing.near, bytes(octets)
    give(near, super_frame(near, data, size, dst=crossing.far.mine, kind=kind, length=length))
    seen = crossing.far.received()
    assert bool(seen) != bool(crossing.drops()), crossing.drops()
    assert sum(crossing.drops().values()) <= 1
    assert len(seen) <= 2 * max(octets, 8)


@pytest.mark.parametrize(
    "how",
    [
        {"kind": vnet.GSO_TCPV4},
        {"kind": vnet.GSO_TCPV6},
        {"size": 3000},
        {"length": 3007},
        {"length": 3009},
        {"data": b""},
    ],
)
def test_a_super_frame_that_is_not_what_it_says_is_dropped(
    world: World, family: int, how: dict[str, Any]
) -> None:
    crossing = Crossing(world, family, offload=True)
    how = {"data": bytes(3000), "size": 1000, "dst": crossing.far.mine, **how}
    give(crossing.near, super_frame(crossing.near, **how))
    assert crossing.drops() == {"forward_headers": 1}
    assert crossing.far.received() == []


@pytest.mark.parametrize("offload", [True, False])
@pytest.mark.parametrize("mtu", [1500, 1400])
def test_tcp_through_a_router(world: World, family: int, offload: bool, mtu: int) -> None:
    """Super-frames cross whole; a smaller MTU behind the router is found out and used."""
    a, router, b = line(world, mtu=mtu, offload=offload)
    here, there = joined(world, a, b, family)
    data = bytes(range(256)) * 1000
    here.send(data)
    world.run(20 * SECOND)
    assert there.data == data
    expected = set() if mtu == 1500 else {"forward_too_big"}
    assert set(router.door.snapshot()) == expected
    assert here.stream.path_mtu() == mtu


def test_floods_of_errors_are_bounded(crossing: Crossing) -> None:
    for _ in range(500):
        near = crossing.near
        near.frame(*near.packet_bytes(253, b"data", dst=crossing.far.mine, ttl=1))
    crossing.world.run(0)
    assert crossing.drops()["forward_hops"] == 500
    assert 1 <= len(crossing.near.received()) <= crossing.stack.config.icmp_host_burst


@given(data=st.binary(max_size=120), v6=st.booleans(), proto=st.integers(0, 255))
def test_random_packets_end_somewhere(data: bytes, v6: bool, proto: int) -> None:
    world = World(seed=2)
    crossing = Crossing(world, addr.V6 if v6 else addr.V4)
    near = crossing.near
    near.frame(*near.packet_bytes(proto, data, dst=crossing.far.mine, ttl=2))
    world.run(0)
    passed = crossing.far.next_ip() is not None
    assert passed == (crossing.drops() == {})


def test_scapy_reads_what_was_forwarded(crossing: Crossing) -> None:
    near, far = crossing.near, crossing.far
    v4 = len(near.mine) == 4
    ip: Any = IP if v4 else IPv6
    hops = {"ttl": 9} if v4 else {"hlim": 9}
    made = ip(src=addr.text(near.mine), dst=addr.text(far.mine), **hops)
    packet = bytes(made / UDP(sport=1, dport=2) / Raw(b"hello"))
    near.frame(ethernet.TYPE_IPV4 if v4 else ethernet.TYPE_IPV6, packet)
    crossing.world.run(0)
    seen = far.next_ip()
    assert seen is not None, describe(packet)
    judged = ip(seen.frame[14:])
    assert judged[UDP].payload.load == b"hello"
    assert (judged.ttl if v4 else judged.hlim) == 8
