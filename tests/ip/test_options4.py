# SPDX-License-Identifier: MIT
"""IPv4 options both ways (RFC 791 3.1, RFC 1122 3.2.1.8 and 3.2.2.6, RFC 7126)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, IPOption_RR

from stack.base import addr, status
from stack.base.checksum import finish
from stack.ip import options4
from stack.transport.options import OPTION_HEAR_OPTIONS, Outgoing
from stack.wire import ethernet, ipv4
from tests.harness import Host, Peer, World
from tests.harness.datagrams import Box

NOP, END, ROUTE, STAMP, ALERT, LOOSE, STRICT = 1, 0, 7, 68, 148, 131, 137


def send(world: World, host: Host, peer: Peer, options: bytes, proto: int, body: bytes) -> None:
    total = 20 + len(options) + len(body)
    packet = ipv4.build(0, total, 1, 0, 64, proto, peer.v4, host.v4, options) + body
    peer.frame(ethernet.TYPE_IPV4, packet)
    world.run(0)


def echo(data: bytes = b"abcd") -> bytes:
    bare = bytes((8, 0, 0, 0, 0, 1, 0, 2)) + data
    return bare[:2] + finish(int.from_bytes(bare, "big")).to_bytes(2, "big") + bare[4:]


def padded(*options: bytes) -> bytes:
    joined = b"".join(options)
    return joined + bytes(-len(joined) % 4)


# Receiving.


@pytest.mark.parametrize(
    ("options", "pointer"),
    [
        (bytes((ROUTE, 0, 0, 0)), 21),  # no option is that short
        (bytes((ROUTE, 1, 0, 0)), 21),
        (bytes((NOP, NOP, ROUTE, 9)), 23),  # it runs beyond the header
        (bytes((NOP, NOP, NOP, ROUTE)), 23),  # a type without a length
        (bytes((ROUTE, 2, NOP, NOP)), 21),  # no pointer
        (bytes((ROUTE, 7, 3, 0, 0, 0, 0, 0)), 22),  # it points into the option's own head
        (bytes((ROUTE, 7, 5, 0, 0, 0, 0, 0)), 22),  # room for part of an address
        (bytes((STAMP, 3, 5, 0)), 21),
        (bytes((STAMP, 8, 4, 0)) + bytes(4), 22),
        (bytes((STAMP, 8, 6, 0)) + bytes(4), 22),
        (bytes((STAMP, 8, 5, 1)) + bytes(4), 22),  # room for an address, not for both
        (bytes((STAMP, 8, 5, 2)) + bytes(4), 23),  # no such flag
        (bytes((STAMP, 8, 9, 0xF0)) + bytes(4), 23),  # too many had no room already
    ],
)
def test_malformed_options_are_reported_with_the_octet(options: bytes, pointer: int) -> None:
    world = World()
    host, peer = world.host()
    send(world, host, peer, options, 1, echo())
    assert host.drops() == {"ip_option_malformed": 1}
    assert host.stack.v4.counters.in_hdr_errors == 1
    seen = peer.next_ip()
    assert seen is not None
    problem = IP(seen.frame[14:])[ICMP]
    assert (problem.type, problem.code, problem.ptr) == (12, 0, pointer)


@pytest.mark.parametrize("kind", [LOOSE, STRICT])
@pytest.mark.parametrize("pointer", [4, 8])
def test_source_routes_are_refused_in_silence(world: World, kind: int, pointer: int) -> None:
    """Finished or not (RFC 7126 4.3.5, 4.4.5)."""
    host, peer = world.host()
    send(world, host, peer, padded(bytes((kind, 7, pointer, 1, 2, 3, 4))), 1, echo())
    assert host.drops() == {"ip_source_route": 1}
    assert host.stack.v4.counters.in_hdr_errors == 1
    assert peer.next_ip() is None


@pytest.mark.parametrize(
    "options",
    [
        bytes((ALERT, 4, 0, 0)),
        bytes((130, 11)) + bytes(9) + b"\0",  # security
        bytes((136, 4, 0, 1)),  # stream identifier
        bytes((0x9E, 3, 0, 0)),  # somebody's experiment
        bytes((NOP,)) * 40,
        bytes((END,)) + bytes((ROUTE, 0, 9)),  # what follows the end is no option
    ],
)
def test_other_options_are_ignored(world: World, options: bytes) -> None:
    host, peer = world.host()
    send(world, host, peer, options, 1, echo())
    assert host.drops() == {}
    seen = peer.next_ip()
    assert seen is not None
    assert seen.pkt.l4 - seen.pkt.net == 20  # nor are they given back


@given(st.binary(min_size=0, max_size=40))
def test_any_octets_end_in_one_fate(options: bytes) -> None:
    reason, at = options4.judge(options, 0, len(options))
    found = ipv4.options(options, 0, len(options))
    assert (found is None) <= (reason != 0)
    assert 0 <= at < max(len(options), 1)
    if not reason:
        given = options4.answer(options, b"\x0a\0\0\1", 5 * 10**9, (b"\x0a\0\0\1",))
        assert len(given) % 4 == 0
        assert len(given) <= 40
        assert overflowed(options) or options4.judge(given, 0, len(given)) == (0, 0)


def overflowed(options: bytes) -> bool:
    """A timestamp option whose count of those without room is at its end."""
    found = ipv4.options(options, 0, len(options)) or []
    return any(kind == STAMP and options[at + 3] >> 4 >= 14 for kind, at, _ in found)


@pytest.mark.parametrize("asked", [0, 1])
def test_received_options_go_up_where_asked(world: World, asked: int) -> None:
    host, peer = world.host()
    box = Box()
    endpoint = host.datagram()
    endpoint.attach(box)
    assert endpoint.set_option(OPTION_HEAR_OPTIONS, asked) == status.OK
    endpoint.bind(b"", 7, 0)
    options = bytes((ALERT, 4, 0, 0, 0x99, 3, 7, 0))
    bare = b"\x9c\x40\0\x07\0\x0a\0\0hi"
    send(world, host, peer, options, 17, peer.checked(17, bare, 6, peer.v4, host.v4))
    assert [one.options for one in box.got] == [options if asked else b""]
    assert bytes(box.got[0].view) == b"hi"


# Echo.


def reply_to(options: bytes) -> IP:
    world = World()
    host, peer = world.host()
    world.run(1_500_000_000)
    send(world, host, peer, options, 1, echo())
    assert host.drops() == {}
    seen = peer.next_ip()
    assert seen is not None
    answer = IP(seen.frame[14:])
    again = answer.copy()
    for layer, field in ((IP, "chksum"), (ICMP, "chksum"), (IP, "len"), (IP, "ihl")):
        del again[layer].fields[field]
    assert bytes(again) == bytes(answer)  # scapy agrees with every sum and length
    assert bytes(answer[ICMP].payload) == b"abcd"
    return answer


def test_record_route_of_an_echo_is_answered_with_us_in_it() -> None:
    asked = bytes(IPOption_RR(length=39, pointer=8, routers=["1.2.3.4"] + ["0.0.0.0"] * 8))
    answer = reply_to(padded(asked))
    (option,) = answer.options[:1]
    assert option.option == 7
    assert option.routers[:3] == ["1.2.3.4", "10.77.0.1", "0.0.0.0"]
    assert option.pointer == 12


def test_record_route_that_is_full_stays_full() -> None:
    asked = bytes((ROUTE, 7, 8, 1, 2, 3, 4))
    answer = reply_to(padded(asked))
    assert bytes(answer.options[0]) == asked


STARTED = 2500
"""ms on the stack's clock when `reply_to` asks: a world begins at one second."""


def first_option(answer: IP) -> bytes:
    """The octets themselves: scapy keeps only one entry of a timestamp option."""
    raw = bytes(answer)
    return raw[20 : 20 + raw[21]]


def test_timestamps_alone() -> None:
    raw = first_option(reply_to(bytes((STAMP, 12, 5, 0)) + bytes(8)))
    assert raw[:4] == bytes((STAMP, 12, 9, 0))
    assert int.from_bytes(raw[4:8], "big") == 1 << 31 | STARTED  # ms, not since midnight
    assert raw[8:] == bytes(4)


def test_timestamps_with_addresses() -> None:
    raw = first_option(reply_to(bytes((STAMP, 20, 5, 1)) + bytes(16)))
    assert raw[:4] == bytes((STAMP, 20, 13, 1))
    assert raw[4:8] == addr.parse("10.77.0.1")
    assert int.from_bytes(raw[8:12], "big") == 1 << 31 | STARTED
    assert raw[12:] == bytes(8)


@pytest.mark.parametrize("who", ["10.77.0.1", "10.77.0.9"])
def test_timestamps_of_hosts_that_are_named(who: str) -> None:
    asked = bytes((STAMP, 12, 5, 3)) + addr.parse(who) + bytes(4)
    raw = first_option(reply_to(asked))
    if who == "10.77.0.1":
        assert raw[2] == 13
        assert raw[8:12] != bytes(4)
    else:
        assert raw == asked


def test_timestamps_without_room_count_us() -> None:
    raw = first_option(reply_to(bytes((STAMP, 8, 9, 0x20)) + b"time"))
    assert raw == bytes((STAMP, 8, 9, 0x30)) + b"time"


# Sending.


def outgoing(options: bytes, fragment: int = -1) -> Outgoing:
    how = Outgoing()
    how.options = options
    how.fragment = fragment
    return how


def test_a_datagram_with_options(world: World) -> None:
    host, peer = world.host()
    endpoint = host.datagram()
    endpoint.bind(b"", 7, 0)
    options = bytes((ALERT, 4, 0, 0, ROUTE, 7, 4, 0, 0, 0, 0, 0))
    assert endpoint.send([b"hello"], 5, peer.v4, 9, 0, outgoing(options)) == status.OK
    assert endpoint.send([b"plain"], 5, peer.v4, 9, 0) == status.OK
    world.run(0)
    seen, plain = peer.next_ip(), peer.next_ip()
    assert seen is not None
    assert plain is not None
    packet = IP(seen.frame[14:])
    assert [option.option for option in packet.options] == [20, 7, 0]
    assert bytes(packet.payload)[8:] == b"hello"
    again = packet.copy()
    del again.chksum
    assert bytes(again) == bytes(packet)
    assert plain.pkt.l4 - plain.pkt.net == 20


@pytest.mark.parametrize(
    ("options", "address"),
    [
        (bytes(44), "10.77.0.2"),
        (bytes(3), "10.77.0.2"),
        (bytes((ROUTE, 9, 4, 0)), "10.77.0.2"),
        (bytes(4), "fd77::2"),
    ],
)
def test_options_that_no_header_could_have(world: World, options: bytes, address: str) -> None:
    host, _ = world.host()
    endpoint = host.datagram()
    endpoint.bind(b"", 7, 0)
    how = outgoing(options)
    assert endpoint.send([b"x"], 1, addr.parse(address), 9, 0, how) == status.INVALID


def test_fragments_carry_the_options_that_are_to_be_copied(world: World) -> None:
    """RFC 791 3.1: all in the first, those with the copied flag in the others."""
    host, peer = world.host()
    endpoint = host.datagram()
    endpoint.bind(b"", 7, 0)
    options = bytes((ROUTE, 7, 4, 0, 0, 0, 0, ALERT, 4, 0, 0, 0x99, 3, 5, 0, 0))
    data = bytes(n % 251 for n in range(4000))
    assert endpoint.send([data], 4000, peer.v4, 9, 0, outgoing(options)) == status.OK
    world.run(0)
    packets = [IP(seen.frame[14:]) for seen in peer.received()]
    assert [[o.option for o in p.options if o.option] for p in packets] == [
        [7, 20, 25],
        *[[20, 25]] * (len(packets) - 1),
    ]
    assert len({p.id for p in packets}) == 1
    assert all(len(p) <= 1500 for p in packets)
    whole = b"".join(bytes(p.payload) for p in packets)
    assert whole[8:] == data
    at = 0
    for p in packets:
        again = p.copy()
        del again.chksum
        assert bytes(again) == bytes(p)
        assert p.frag * 8 == at
        at += len(p.payload)
    assert [int(p.flags) & 1 for p in packets] == [1] * (len(packets) - 1) + [0]


def test_options_and_df_beyond_the_path(world: World) -> None:
    host, peer = world.host()
    endpoint = host.datagram()
    endpoint.bind(b"", 7, 0)
    options = bytes((ALERT, 4, 0, 0))
    for size, expected in ((1468, status.OK), (1469, status.TOO_BIG)):
        result = endpoint.send([bytes(size)], size, peer.v4, 9, 0, outgoing(options, fragment=0))
        assert result == expected
    assert host.stack.v4.counters.out_frag_fails == 1


def test_raw_packets_can_have_options_too(world: World) -> None:
    host, peer = world.host()
    endpoint = host.raw(200)
    endpoint.bind(b"", 0, 0)
    how = outgoing(bytes((ALERT, 4, 0, 0)))
    assert endpoint.send([b"data"], 4, peer.v4, 0, 0, how) == status.OK
    world.run(0)
    seen = peer.next_ip()
    assert seen is not None
    assert [o.option for o in IP(seen.frame[14:]).options] == [20]
