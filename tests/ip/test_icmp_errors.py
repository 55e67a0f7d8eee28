# SPDX-License-Identifier: MIT
"""ICMP errors about what we sent: who hears of them, and what is believed (RFC 5927, RFC 4884)."""

from __future__ import annotations

import pytest
from scapy.contrib.mpls import MPLS
from scapy.layers.inet import ICMP, IP, UDP

from stack.base import addr, status
from stack.base.checksum import finish
from stack.ip import seam
from stack.ip.seam import ErrorReport
from stack.transport.datagram_seam import DatagramSink, Received
from stack.transport.options import OPTION_PATH_MTU, PATH_MTU_DO
from stack.transport.seam import SHARE_REUSE
from stack.wire import icmp_extensions, ipv4, ipv6
from tests.harness import Host, Peer, World, quiet

UNREACHABLE = {addr.V4: 3, addr.V6: 1}
EXCEEDED = {addr.V4: 11, addr.V6: 3}
REQUEST = {addr.V4: 8, addr.V6: 128}


def setup(world: World, family: int, **settings: object) -> tuple[Host, Peer]:
    host, peer = world.host(quiet(**settings))
    peer.family = family
    return host, peer


def quote(host: Host, peer: Peer, proto: int, body: bytes) -> bytes:
    """A packet of the stack's as an error quotes it."""
    src, dst = host.address(peer.family), peer.mine
    if peer.family == addr.V4:
        return ipv4.build(0, 20 + len(body), 1, 0, 1, proto, src, dst) + body
    return ipv6.build(0, 0, len(body), proto, 1, src, dst) + body


def too_big(peer: Peer, mtu: int, inner: bytes) -> None:
    if peer.family == addr.V4:
        peer.sends_icmp(3, 4, mtu, inner)
    else:
        peer.sends_icmp(2, 0, mtu, inner)


def icmp_proto(family: int) -> int:
    return 1 if family == addr.V4 else 58


class Tracer:
    """Somebody who sends echo requests and listens."""

    def __init__(self, host: Host, peer: Peer, ident: int = 33) -> None:
        self.icmp = host.stack.icmp_for(peer.mine)
        self.ident = ident
        self.replies: list[int] = []
        self.errors: list[tuple[ErrorReport, int]] = []
        self.icmp.listen(ident, self._reply, lambda *told: self.errors.append(told))

    def _reply(self, src: bytes, sequence: int, size: int, hops: int, when: int) -> None:
        self.replies.append(sequence)


# Echo requests of ours.


def test_a_trace_by_echo_hears_the_routers(world: World, family: int) -> None:
    """Hop by hop: time exceeded from each router, with its address and our sequence number."""
    host, peer = setup(world, family)
    tracer = Tracer(host, peer)
    for hops in (1, 2, 3):
        assert tracer.icmp.echo(peer.mine, 33, hops, b"trace", hops=hops) == status.OK
        world.run(0)
        seen = peer.next_ip()
        assert seen is not None
        assert seen.pkt.ttl == hops
        inner = seen.frame[seen.pkt.net : seen.pkt.end]
        router = peer.mine[:-1] + bytes((0x40 + hops,))
        bare = bytes((EXCEEDED[family], 0, 0, 0, 0, 0, 0, 0)) + inner
        if family == addr.V4:
            total = finish(int.from_bytes(bare + bytes(len(bare) % 2), "big"))
            bare = bare[:2] + total.to_bytes(2, "big") + bare[4:]
        else:
            bare = peer.checked(58, bare, 2, router, peer.theirs)
        peer.packet(icmp_proto(family), bare, src=router)
        world.run(0)
        report, sequence = tracer.errors.pop()
        assert (report.kind, sequence) == (seam.TIME_EXCEEDED, hops)
        assert (report.type, report.code) == (EXCEEDED[family], 0)
        assert (report.router, report.dst, report.src) == (router, peer.mine, peer.theirs)
    assert host.drops() == {}


def test_errors_about_echo_that_was_not_ours(world: World, family: int) -> None:
    host, peer = setup(world, family)
    tracer = Tracer(host, peer)
    tracer.icmp.echo(peer.mine, 33, 1, b"trace")
    world.run(0)
    kind = REQUEST[family]
    for body in (
        bytes((kind, 0, 0, 0, 0, 34, 0, 1)),  # another identifier
        bytes((kind + 1, 0, 0, 0, 0, 33, 0, 1)),  # not an echo request
    ):
        peer.sends_icmp(EXCEEDED[family], 0, 0, quote(host, peer, icmp_proto(family), body))
    elsewhere = peer.mine[:-1] + b"\x77"
    body = bytes((kind, 0, 0, 0, 0, 33, 0, 1))
    inner = quote(host, peer, icmp_proto(family), body)
    at = 16 if family == addr.V4 else 24
    peer.sends_icmp(EXCEEDED[family], 0, 0, inner[:at] + elsewhere + inner[at + len(elsewhere) :])
    world.run(0)
    assert tracer.errors == []
    tracer.icmp.unlisten(33)
    peer.sends_icmp(EXCEEDED[family], 0, 0, inner)
    world.run(0)
    assert tracer.errors == []


def test_a_request_that_is_too_big_lowers_the_path_and_is_told(world: World, family: int) -> None:
    host, peer = setup(world, family)
    tracer = Tracer(host, peer)
    tracer.icmp.echo(peer.mine, 33, 1, bytes(1400), df=True)
    world.run(0)
    body = bytes((REQUEST[family], 0, 0, 0, 0, 33, 0, 1)) + bytes(100)
    too_big(peer, 1300, quote(host, peer, icmp_proto(family), body))
    world.run(0)
    ((report, sequence),) = tracer.errors
    assert (report.kind, report.mtu, sequence) == (seam.TOO_BIG, 1300, 1)
    assert tracer.icmp.echo(peer.mine, 33, 2, bytes(1400), df=True) == status.TOO_BIG


def test_a_reply_that_is_too_big_is_sent_in_pieces_next_time(world: World, family: int) -> None:
    """RFC 8201 5.4 for those that keep no state: only the latest replies can be quoted."""
    host, peer = setup(world, family)
    reply = bytes((0 if family == addr.V4 else 129, 0, 0, 0, 0, 5, 0, 1)) + bytes(100)
    inner = quote(host, peer, icmp_proto(family), reply)
    too_big(peer, 1300, inner)  # nothing was answered yet
    peer.sends_icmp(REQUEST[family], 0, 5 << 16 | 1, bytes(1400))
    world.run(0)
    assert len(peer.received()) == 1
    peer.inbox.clear()
    too_big(peer, 1300, inner.replace(bytes((0, 5, 0, 1)), bytes((0, 5, 0, 9))))
    peer.sends_icmp(REQUEST[family], 0, 5 << 16 | 1, bytes(1400))
    world.run(0)
    assert len(peer.received()) == 1
    peer.inbox.clear()
    too_big(peer, 1300, inner)
    peer.sends_icmp(REQUEST[family], 0, 5 << 16 | 1, bytes(1400))
    world.run(0)
    assert len(peer.received()) == 2


def test_which_replies_can_be_too_big(world: World, family: int) -> None:
    """Many were on their way when the router saw the first (RFC 8201 4): its error counts.  One
    about what was never said, or very long ago, does not."""
    host, peer = setup(world, family)

    def answers(sequence: int) -> int:
        peer.inbox.clear()
        peer.sends_icmp(REQUEST[family], 0, 5 << 16 | sequence, bytes(1400))
        world.run(0)
        return len(peer.received())

    def complains(sequence: int) -> None:
        kind = 0 if family == addr.V4 else 129
        reply = bytes((kind, 0, 0, 0)) + (5 << 16 | sequence).to_bytes(4, "big") + bytes(100)
        too_big(peer, 1300, quote(host, peer, icmp_proto(family), reply))
        world.run(0)

    for sequence in (0xFFFE, 0xFFFF, *range(100)):
        assert answers(sequence) == 1
    for sequence in (100, 35):
        complains(sequence)
        assert answers(99) == 1
    assert [answers(sequence) for sequence in range(3)] == [1, 1, 1]
    complains(0xFFFF)
    assert answers(3) == 2


# Datagrams and raw packets of ours.


class Ear(DatagramSink):
    def __init__(self) -> None:
        self.troubles: list[tuple[int, bytes, int]] = []

    def received(self, batch: list[Received]) -> int:
        return len(batch)

    def troubled(self, status: int, address: bytes, port: int) -> None:
        self.troubles.append((status, address, port))


def ports(near: int, far: int) -> bytes:
    return near.to_bytes(2, "big") + far.to_bytes(2, "big") + bytes(4)


def test_datagrams_hear_of_theirs_only(world: World, family: int) -> None:
    host, peer = setup(world, family)
    ears = []
    for port in (5000, 5001):
        ear = Ear()
        endpoint = host.hears(ear, port)
        ears.append(ear)
        if port == 5000:
            endpoint.send([b"x"], 1, peer.mine, 9, 0)
    world.run(0)
    for port in (5000, 5001, 5002):
        peer.sends_icmp(UNREACHABLE[family], 0, 0, quote(host, peer, 17, ports(port, 9)))
    world.run(0)
    assert ears[0].troubles == [(status.NO_ROUTE, peer.mine, 9)]
    assert ears[1].troubles == []  # it sent nothing there


def test_of_those_who_share_a_port_the_one_that_sent(world: World, family: int) -> None:
    host, peer = setup(world, family)
    ears = []
    for number in range(3):
        ear = Ear()
        endpoint = host.hears(ear, 5000, SHARE_REUSE)
        ears.append(ear)
        if number == 1:
            endpoint.send([b"x"], 1, peer.mine, 9, 0)
    world.run(0)
    peer.sends_icmp(UNREACHABLE[family], 0, 0, quote(host, peer, 17, ports(5000, 9)))
    world.run(0)
    assert [len(ear.troubles) for ear in ears] == [0, 1, 0]


def test_datagrams_of_special_wishes_hear_of_theirs_too(world: World, family: int) -> None:
    """By an interface of their own, they are remembered apart."""
    host, peer = setup(world, family)
    ear = Ear()
    endpoint = host.hears(ear, 5000)
    endpoint.send([b"x"], 1, peer.mine, 9, host.nic.index)
    world.run(0)
    peer.sends_icmp(UNREACHABLE[family], 0, 0, quote(host, peer, 17, ports(5000, 9)))
    world.run(0)
    assert ear.troubles == [(status.NO_ROUTE, peer.mine, 9)]


@pytest.mark.parametrize("asked", [False, True])
def test_too_big_is_told_to_who_forbids_fragments(world: World, family: int, asked: bool) -> None:
    host, peer = setup(world, family)
    ear = Ear()
    endpoint = host.hears(ear, 5000)
    if asked:
        endpoint.set_option(OPTION_PATH_MTU, PATH_MTU_DO)
    assert endpoint.send([bytes(1400)], 1400, peer.mine, 9, 0) == status.OK
    world.run(0)
    too_big(peer, 1300, quote(host, peer, 17, ports(5000, 9)))
    world.run(0)
    assert ear.troubles == ([(status.TOO_BIG, peer.mine, 9)] if asked else [])
    sent = endpoint.send([bytes(1400)], 1400, peer.mine, 9, 0)
    assert sent == (status.TOO_BIG if asked else status.OK)


@pytest.mark.parametrize("proto", [200, 17])
def test_raw_endpoints_hear_errors(world: World, family: int, proto: int) -> None:
    """About what they sent, beside the transport that speaks the protocol."""
    host, peer = setup(world, family)
    ear, deaf = Ear(), Ear()
    for sink, number in ((ear, proto), (deaf, 201)):
        endpoint = host.raw(number)
        endpoint.attach(sink)
        endpoint.bind(b"", 0, 0)
        if sink is ear:
            assert endpoint.send([bytes(1000)], 1000, peer.mine, 0, 0) == status.OK
    world.run(0)
    inner = quote(host, peer, proto, bytes(8))
    peer.sends_icmp(UNREACHABLE[family], 1 if family == addr.V4 else 3, 0, inner)
    too_big(peer, 1280, inner)
    elsewhere = peer.mine[:-1] + b"\x77"
    at = 16 if family == addr.V4 else 24
    other = inner[:at] + elsewhere + inner[at + len(elsewhere) :]
    peer.sends_icmp(UNREACHABLE[family], 1 if family == addr.V4 else 3, 0, other)
    world.run(0)
    assert ear.troubles == [
        (status.HOST_UNREACHABLE, peer.mine, 0),
        (status.TOO_BIG, peer.mine, 0),
    ]
    assert deaf.troubles == []
    path = host.stack.host.layer_of(peer.mine).path(peer.mine)
    assert path is not None
    assert path.mtu == 1280


# What is not believed.


def test_errors_to_a_group(world: World, family: int) -> None:
    host, peer = setup(world, family)
    tracer = Tracer(host, peer)
    tracer.icmp.echo(peer.mine, 33, 1, b"")
    world.run(0)
    group = addr.parse("10.77.0.255") if family == addr.V4 else addr.ALL_NODES
    mac = addr.MAC_BROADCAST if family == addr.V4 else addr.multicast_mac(group)
    body = bytes((REQUEST[family], 0, 0, 0, 0, 33, 0, 1))
    bare = bytes((EXCEEDED[family], 0)) + bytes(6)
    bare += quote(host, peer, icmp_proto(family), body)
    if family == addr.V4:
        bare = bare[:2] + finish(int.from_bytes(bare, "big")).to_bytes(2, "big") + bare[4:]
    else:
        bare = peer.checked(58, bare, 2, peer.mine, group)
    peer.frame(*peer.packet_bytes(icmp_proto(family), bare, dst=group), mac)
    world.run(0)
    assert host.drops() == {"icmp_error_group": 1}
    assert tracer.errors == []


def test_quotes_of_later_fragments_and_of_others(world: World, family: int) -> None:
    host, peer = setup(world, family)
    if family == addr.V4:
        later = ipv4.build(0, 40, 1, 100, 64, 17, host.v4, peer.v4) + bytes(20)
        foreign = ipv4.build(0, 40, 1, 0, 64, 17, peer.v4, host.v4) + bytes(20)
    else:
        fragment = bytes((17, 0, 0, 0x88, 0, 0, 0, 1)) + bytes(20)
        later = ipv6.build(0, 0, len(fragment), 44, 64, host.v6, peer.v6) + fragment
        foreign = ipv6.build(0, 0, 20, 17, 64, peer.v6, host.v6) + bytes(20)
    for inner in (later, foreign):
        peer.sends_icmp(UNREACHABLE[family], 0, 0, inner)
    world.run(0)
    assert host.drops() == {"icmp_quote_invalid": 2}


# What routers append (RFC 4884).


def structure(*objects: tuple[int, int, bytes]) -> bytes:
    body = b"".join(
        (4 + len(data)).to_bytes(2, "big") + bytes((number, kind)) + data
        for number, kind, data in objects
    )
    bare = b"\x20\0\0\0" + body
    total = finish(int.from_bytes(bare + bytes(len(bare) % 2), "big")) or 0xFFFF
    return bare[:2] + total.to_bytes(2, "big") + body


LABELS = bytes.fromhex("00010140") + bytes.fromhex("00020303")
INTERFACE = (
    bytes((0, 0, 0, 7))
    + bytes((0, 1, 0, 0, 10, 0, 0, 1))
    + b"\x08eth0\0\0\0"
    + (1500).to_bytes(4, "big")
)
STACK = structure((1, 1, LABELS), (2, 0x0F, INTERFACE))


@pytest.mark.parametrize("stated", [True, False])
def test_extensions_of_an_error_reach_the_one_who_traces(
    world: World, family: int, stated: bool
) -> None:
    """With the length that RFC 4884 has, or without, as older routers do it (5.5)."""
    host, peer = setup(world, family)
    tracer = Tracer(host, peer)
    tracer.icmp.echo(peer.mine, 33, 1, bytes(40))
    world.run(0)
    body = bytes((REQUEST[family], 0, 0, 0, 0, 33, 0, 1)) + bytes(40)
    inner = quote(host, peer, icmp_proto(family), body)
    inner += bytes(128 - len(inner))
    length = 0
    if stated:
        length = 128 // 4 << 16 if family == addr.V4 else 128 // 8 << 24
    peer.sends_icmp(EXCEEDED[family], 0, length, inner + STACK)
    world.run(0)
    ((report, _),) = tracer.errors
    assert report.quoted == body  # neither padding nor extensions
    mpls, interface = icmp_extensions.parse(report.extensions)
    assert icmp_extensions.labels(mpls) == [(16, 0, True, 64), (32, 1, True, 3)]
    info = icmp_extensions.interface(interface)
    assert info is not None
    assert (info.role, info.index, info.address, info.name, info.mtu) == (
        icmp_extensions.ROLE_INCOMING,
        7,
        addr.parse("10.0.0.1"),
        "eth0",
        1500,
    )


def test_what_scapy_builds_is_understood() -> None:
    """An MPLS label as scapy writes it."""
    label = bytes(MPLS(label=777, cos=5, s=1, ttl=9))
    (one,) = icmp_extensions.parse(structure((1, 1, label)))
    assert icmp_extensions.labels(one) == [(777, 5, True, 9)]
    error = IP(src="10.0.0.9", dst="10.0.0.1") / ICMP(type=11, length=32) / (IP() / UDP())
    assert bytes(error)[25] == 32  # where the length is


@pytest.mark.parametrize("spoiled", range(5))
def test_extensions_that_are_not_sound_count_as_none(
    world: World, family: int, spoiled: int
) -> None:
    host, peer = setup(world, family)
    tracer = Tracer(host, peer)
    tracer.icmp.echo(peer.mine, 33, 1, bytes(40))
    world.run(0)
    body = bytes((REQUEST[family], 0, 0, 0, 0, 33, 0, 1)) + bytes(40)
    inner = quote(host, peer, icmp_proto(family), body)
    inner += bytes(128 - len(inner))
    unit, shift = (4, 16) if family == addr.V4 else (8, 24)
    length, tail = 128 // unit, STACK
    if spoiled == 0:
        tail = b"\x10" + STACK[1:]  # another version
    elif spoiled == 1:
        tail = STACK[:-1] + b"?"  # the checksum is wrong
    elif spoiled == 2:
        tail = STACK[:2] + b"\0\0" + STACK[4:]  # there is none
    elif spoiled == 3:
        length = 255  # more than came
    else:
        length = 64 // unit  # less than RFC 4884 allows
    peer.sends_icmp(EXCEEDED[family], 0, length << shift, inner + tail)
    world.run(0)
    ((report, sequence),) = tracer.errors
    assert sequence == 1
    assert report.extensions == b""
