# SPDX-License-Identifier: MIT
"""RFC 9293 3.1-3.4, 3.7.1, 3.9.2: what every segment looks like, options, MSS, IP options, ISNs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stack.base import addr
from stack.base.checksum import finish
from stack.base.units import MS, SECOND
from stack.tcp.names import ESTABLISHED
from stack.tcp.options import for_syn
from stack.wire import ethernet, ipv4, ipv6, tcp
from stack.wire.tcp import ACK, FIN, PSH, RST, SYN
from tests.harness import Peer, Seen, World, quiet
from tests.tcp.scenes import Scene
from tests.tcp.test_handshake import active, setup
from tests.tcp.test_loss import icmp_about, quote
from tests.tcp.users import connect, serve

ALL = {"sack_ok": True, "ts": (1000, 0), "wscale": 3}


def a_whole_life(world: World, family: int) -> list[Seen]:
    """Every segment of a connection: handshake, data, SACKs, resets, FIN, TIME-WAIT."""
    scene = Scene(world, family, ALL)
    peer, seen = scene.peer, []
    keep = peer.received

    def collect() -> None:
        seen.extend(keep())
        peer.inbox.clear()

    peer.sport += 1
    peer.sends(SYN, seq=1, **ALL)
    collect()
    peer.sends(RST, seq=2)
    peer.sport -= 1
    scene.user.send(b"odd")
    scene.user.send(bytes(2999))
    world.run(0)
    collect()
    scene.sends(seq=1000, data=b"ahead", ts=(1005, 0))
    scene.sends(seq=3000, data=b"further", ts=(1006, 0))
    collect()
    world.run(2 * SECOND)
    collect()
    scene.sends(ack=3002, ts=(1007, 0))
    peer.sends(ACK, seq=5, ack=7, dport=99)
    peer.sends(SYN, seq=5, dport=99)
    scene.user.stream.disconnect("d")
    world.run(0)
    collect()
    scene.sends(ACK | FIN, data=bytes(1000), ack=3003, ts=(1008, 0))
    collect()
    user = connect(scene.host, peer.mine, 4000)
    world.run(0)
    user.stream.abort()
    collect()
    return [one for one in seen if one.seg is not None]


def test_every_checksum_we_send_is_right(world: World, family: int) -> None:
    """MUST-2: recomputed here from nothing but the octets."""
    life = a_whole_life(world, family)
    assert len(life) > 12
    for seen in life:
        body = seen.body
        pseudo = seen.pkt.src + seen.pkt.dst + len(body).to_bytes(4, "big") + bytes((0, 0, 0, 6))
        words = pseudo + body + bytes(len(body) % 2)
        total = sum(int.from_bytes(words[at : at + 2], "big") for at in range(0, len(words), 2))
        assert total % 0xFFFF == 0
        assert total


def options_of(seen: Seen) -> Iterator[tuple[int, bytes]]:
    """The options of a segment, by a reader that forgives nothing."""
    body = seen.body
    rest = body[20 : (body[12] >> 4) * 4]
    while rest:
        kind = rest[0]
        if kind == tcp.OPT_END:
            assert not any(rest), "after the end of the list there are zeros only"
            return
        if kind == tcp.OPT_NOP:
            rest = rest[1:]
            continue
        size = rest[1]
        assert 2 <= size <= len(rest)
        yield kind, rest[2:size]
        rest = rest[size:]


def test_the_options_we_send_are_well_formed(world: World, family: int) -> None:
    """MUST-68, MUST-69: a length octet in each, zeros after the end."""
    kinds = {kind for seen in a_whole_life(world, family) for kind, _ in options_of(seen)}
    assert kinds == {
        tcp.OPT_MSS,
        tcp.OPT_WSCALE,
        tcp.OPT_SACK_PERMITTED,
        tcp.OPT_SACK,
        tcp.OPT_TIMESTAMPS,
    }


def test_some_options_go_with_a_syn_only(world: World, family: int) -> None:
    """MUST-65, and WS-1, SA-1 for two more."""
    for seen in a_whole_life(world, family):
        kinds = {kind for kind, _ in options_of(seen)}
        assert seen.seg is not None
        if not seen.seg.flags & SYN:
            assert not kinds & {tcp.OPT_MSS, tcp.OPT_WSCALE, tcp.OPT_SACK_PERMITTED}


def test_timestamps_on_the_reset_of_an_abort(world: World, family: int) -> None:
    """TS-1."""
    scene = Scene(world, family, ALL)
    scene.user.stream.abort()
    world.run(0)
    assert scene.sees(RST | ACK).has_ts


@pytest.mark.parametrize("lead", [b"", b"\1", b"\1\1\1", bytes((99, 3, 7)), bytes((99, 2, 253, 5))])
def test_options_may_start_anywhere(world: World, family: int, lead: bytes) -> None:
    """MUST-4, MUST-6, MUST-64: behind no-operations and strangers, on no boundary."""
    if lead.startswith(bytes((99, 2, 253))):
        lead += b"abc"
    host, peer = setup(world, family)
    acceptor = serve(host)
    peer.sends(SYN, seq=100, options=lead + tcp.mss_option(700) + bytes((0,)))
    synack = peer.sees(SYN | ACK)
    peer.sends(ACK, seq=101, ack=synack.seq + 1)
    acceptor.users[0].send(bytes(2000))
    world.run(0)
    assert peer.sees(ACK).length == 700


def test_an_option_may_come_on_any_segment(world: World, family: int) -> None:
    """MUST-5: on data, on a pure ACK, on a FIN; those that mean nothing there are passed over."""
    scene = Scene(world, family, {"ts": (1000, 0)})
    late = tcp.mss_option(100) + tcp.wscale_option(9) + tcp.SACK_PERMITTED
    scene.sends(data=b"data", options=late, ts=(1001, 0))
    scene.sends(seq=4, options=late, ts=(1002, 0))
    assert scene.user.data == b"data"
    assert (scene.tcb.snd.peer_mss, scene.tcb.snd.wscale, scene.tcb.sack_ok) == (1000, 0, False)
    scene.sends(ACK | FIN, seq=4, options=late, ts=(1003, 0))
    assert scene.sees(ACK, ack=5).ts_ecr == 1001


# MSS.


@pytest.mark.parametrize("mtu", [1280, 1500, 9000])
def test_the_mss_we_announce_follows_from_the_mtu(family: int, mtu: int) -> None:
    """MUST-14, MUST-67, SHLD-5, MAY-3: in every SYN, not reduced for options."""
    world = World()
    host, peer = world.host(quiet(), mtu=mtu)
    peer.family = family
    serve(host)
    expected = mtu - (40 if family == addr.V4 else 60)
    peer.sends(SYN, seq=1, mss=500, ts=(5, 0))
    peer.sees(SYN | ACK, mss=expected)
    connect(host, peer.mine)
    world.run(0)
    peer.sees(SYN, mss=expected)


def test_a_reduced_path_mtu_does_not_reduce_what_we_announce(world: World, family: int) -> None:
    """PM-8."""
    scene = Scene(world, family, {"mss": 1400})
    scene.user.send(bytes(1400))
    world.run(0)
    icmp_about(scene, "big", 1300)
    assert scene.tcb.path.mtu == 1300
    scene.sent()
    scene.peer.sport += 1
    scene.peer.sends(SYN, seq=1)
    scene.peer.sees(SYN | ACK, mss=1460 if family == addr.V4 else 1440)


@pytest.mark.parametrize("mtu", [1280, 1500])
def test_a_segment_fits_what_ip_can_send(family: int, mtu: int) -> None:
    """MUST-16: the other side of the minimum; the peer could take more."""
    world = World()
    host, peer = world.host(quiet(), mtu=mtu)
    peer.family = family
    acceptor = serve(host)
    peer.handshake(mss=8960)
    acceptor.users[0].send(bytes(20_000))
    world.run(0)
    first = peer.next_tcp()
    assert first is not None
    assert first.pkt.end - first.pkt.net == mtu


# Windows and sequence numbers.


def test_windows_need_more_than_sixteen_bits(world: World, family: int) -> None:
    """REC-1: a gigabyte is offered, and a gigabyte it is."""
    host, peer = setup(world, family)
    serve(host)
    peer.sends(SYN, seq=100, wscale=14)
    synack = peer.sees(SYN | ACK)
    peer.sends(ACK, seq=101, ack=synack.seq + 1, win=65535)
    assert host.stack.tcp.connections()[0].snd.wnd == 65535 << 14


def test_initial_sequence_numbers_cannot_be_computed_outside(family: int) -> None:
    """MUST-9: another stack's secret gives other numbers for the same names at the same time."""
    numbers = set()
    for seed in range(8):
        world = World(seed)
        host, peer = setup(world, family)
        serve(host)
        peer.sends(SYN, seq=100)
        numbers.add(peer.sees(SYN | ACK).seq)
    assert len(numbers) == 8


def test_a_timestamp_clock_of_milliseconds_from_a_random_start(family: int) -> None:
    """TS-7."""
    world = World()
    host, peer = setup(world, family)
    serve(host)
    starts = []
    for port in (41000, 41001):
        peer.sport = port
        peer.sends(SYN, seq=100, ts=(1, 0))
        starts.append(peer.sees(SYN | ACK).ts_val)
    assert abs(starts[0] - starts[1]) > 1_000_000
    world.run(250 * MS)
    peer.sends(SYN, seq=100, ts=(1, 0))
    assert peer.sees(SYN | ACK).ts_val - starts[1] == 250


def test_no_more_than_one_ack_for_a_segment(world: World, family: int) -> None:
    """CC-12."""
    scene = Scene(world, family)
    for seq, data in ((0, b"a" * 1000), (2000, b"c" * 1000), (2000, b"c" * 1000), (1000, b"b")):
        scene.sends(seq=seq, data=data)
        assert len(scene.peer.received()) <= 1
        scene.peer.inbox.clear()


# Sources, IP options, ICMP.


def test_a_syn_from_an_impossible_source_is_ignored(world: World, family: int) -> None:
    """MUST-63."""
    host, peer = setup(world, family)
    serve(host)
    if family == addr.V4:
        sources = [addr.BROADCAST4, addr.ALL_HOSTS, bytes((10, 77, 0, 255)), bytes((127, 0, 0, 1))]
    else:
        sources = [addr.ALL_NODES, addr.LOOPBACK6]
    for source in sources:
        bare = peer.segment(SYN, seq=1)
        bare = peer.checked(6, bare[:16] + b"\0\0" + bare[18:], 16, source, peer.theirs)
        peer.frame(*peer.packet_bytes(6, bare, src=source))
        world.run(0)
    peer.sees_nothing()
    assert host.drops() == {"ip_source_invalid": len(sources)}
    assert host.stack.tcp.connections() == []


def with_ip_options(peer: Peer, segment: bytes) -> tuple[bytes, bytes]:
    """`segment` behind IP options TCP knows nothing of: record route; a destination option."""
    if peer.family == addr.V4:
        extra = bytes((7, 7, 4, 0, 0, 0, 0, 0))
        total = 28 + len(segment)
        head = bytearray(ipv4.build(0, total, 1, 0, 64, 6, peer.mine, peer.theirs) + extra)
        head[0] = 0x47
        head[10:12] = b"\0\0"
        head[10:12] = finish(int.from_bytes(head, "big")).to_bytes(2, "big")
        return ethernet.TYPE_IPV4, bytes(head) + segment
    extra = bytes((6, 0, 0x1E, 2, 9, 9, 0, 0))
    head6 = ipv6.build(0, 0, 8 + len(segment), 60, 64, peer.mine, peer.theirs)
    return ethernet.TYPE_IPV6, head6 + extra + segment


def test_ip_options_are_ignored(world: World, family: int) -> None:
    """MUST-50."""
    scene = Scene(world, family)
    segment = scene.peer.segment(ACK | PSH, seq=101, ack=scene.iss + 1, data=b"behind options")
    scene.peer.frame(*with_ip_options(scene.peer, segment))
    world.run(0)
    assert scene.user.data == b"behind options"


def icmp(peer: Peer, kind: int, code: int, ports: tuple[int, int], seq: int) -> None:
    """Any ICMP message that quotes a segment of the stack's."""
    inner = b"".join(port.to_bytes(2, "big") for port in ports)
    inner += (seq & 0xFFFFFFFF).to_bytes(4, "big") + bytes(12)
    if peer.family == addr.V4:
        head = ipv4.build(0, 40, 1, 0, 64, 6, peer.theirs, peer.mine)
    else:
        head = ipv6.build(0, 0, 20, 6, 64, peer.theirs, peer.mine)
    peer.sends_icmp(kind, code, 0, head + inner)
    peer.world.run(0)


SOFT = {
    addr.V4: [(3, 0), (3, 1), (3, 5), (11, 0), (11, 1), (12, 0), (12, 1)],
    addr.V6: [(1, 0), (1, 3), (3, 0), (3, 1), (4, 0), (4, 2), (100, 0)],
}
HARD = {addr.V4: [(3, 2), (3, 3)], addr.V6: [(1, 4), (4, 1)]}


def test_soft_errors_end_nothing(family: int) -> None:
    """MUST-56: every code the RFC names, before and after the handshake; IC6-2: unknown ones."""
    for kind, code in SOFT[family]:
        world = World()
        scene = Scene(world, family)
        scene.user.send(b"data")
        world.run(0)
        icmp(scene.peer, kind, code, (80, scene.peer.sport), scene.iss + 1)
        assert scene.tcb.state == ESTABLISHED
        assert len(scene.user.troubles) == 1
        host, peer, user = active(World(), family)
        syn = peer.sees(SYN)
        icmp(peer, kind, code, (peer.dport, peer.sport), syn.seq)
        assert user.events == []
        assert len(host.stack.tcp.connections()) == 1


def test_hard_errors_end_an_attempt(family: int) -> None:
    """SHLD-26; a connection that is established only hears of them (RFC 5927 5.2)."""
    for kind, code in HARD[family]:
        _, peer, user = active(World(), family)
        syn = peer.sees(SYN)
        icmp(peer, kind, code, (peer.dport, peer.sport), syn.seq)
        assert user.events[-1][0] == "aborted"
        scene = Scene(World(), family)
        scene.user.send(b"data")
        scene.world.run(0)
        icmp(scene.peer, kind, code, (80, scene.peer.sport), scene.iss + 1)
        assert scene.tcb.state == ESTABLISHED
        assert len(scene.user.troubles) == 1


def test_source_quench_is_discarded(world: World) -> None:
    """MUST-55: no window, no report, nothing."""
    scene = Scene(world, addr.V4)
    scene.user.send(bytes(30_000))
    world.run(0)
    window = scene.tcb.cc.window
    icmp(scene.peer, 4, 0, (80, scene.peer.sport), scene.iss + 1)
    assert scene.tcb.cc.window == window
    assert scene.user.troubles == []
    assert scene.host.drops() == {"icmp_deprecated": 1}


def test_errors_go_to_the_connection_that_caused_them(world: World, family: int) -> None:
    """MUST-54."""
    host, peer, first = active(world, family)
    one = peer.sees(SYN)
    ports = (peer.dport, peer.sport)
    second = connect(host, peer.mine)
    world.run(0)
    peer.sees(SYN)
    quote(peer, "port", ports, one.seq)
    assert first.events[-1][0] == "aborted"
    assert second.events == []


def test_the_syn_options_are_a_multiple_of_four(family: int) -> None:
    for off in ({}, {"tcp_sack": False}, {"tcp_timestamps": False}, {"tcp_window_scaling": False}):
        host, peer, _ = active(World(), family, **off)
        peer.sees(SYN)
        assert len(for_syn(host.stack.tcp.connections()[0], False)) % 4 == 0
