# SPDX-License-Identifier: MIT
"""Opening (RFC 9293 3.5, 3.10.7.2-3; RFC 7323; RFC 5961), segment by segment, both families."""

from __future__ import annotations

from itertools import pairwise

import pytest

from stack.base import addr
from stack.base.units import MS, SECOND
from stack.tcp.names import ESTABLISHED, SYN_RECEIVED
from stack.wire.tcp import ACK, FIN, PSH, RST, SYN, URG
from tests.harness import Host, Peer, World, quiet
from tests.tcp.users import User, connect, serve


def setup(world: World, family: int, **settings: object) -> tuple[Host, Peer]:
    host, peer = world.host(quiet(**settings))
    peer.family = family
    return host, peer


def active(world: World, family: int, **settings: object) -> tuple[Host, Peer, User]:
    """The stack has sent a SYN to the peer; `peer.sees` takes it."""
    host, peer = setup(world, family, **settings)
    user = connect(host, peer.mine)
    world.run(0)
    peer.sport = 80
    peer.received()
    syn = next(seen for seen in peer.inbox if seen.seg is not None)
    peer.dport = int.from_bytes(syn.body[:2], "big")
    return host, peer, user


# Passive.


def test_passive_open(world: World, family: int) -> None:
    host, peer = setup(world, family)
    acceptor = serve(host)
    peer.sends(SYN, seq=100, mss=1460, win=5000)
    mss = 1460 if family == addr.V4 else 1440
    synack = peer.sees(SYN | ACK, ack=101, mss=mss)
    assert acceptor.users == []
    peer.sends(ACK, seq=101, ack=synack.seq + 1)
    peer.sees_nothing()
    assert len(acceptor.users) == 1
    name = acceptor.users[0].stream.remote_name()
    assert name is not None
    assert (name.address, name.port) == (peer.mine, peer.sport)
    assert host.stack.tcp.counters.moved() == {
        "passive_opens": 1,
        "curr_estab": 1,
        "in_segs": 2,
        "out_segs": 1,
    }


def test_synack_offers_only_what_was_offered(world: World, family: int) -> None:
    host, peer = setup(world, family)
    serve(host)
    peer.sends(SYN, seq=100)
    bare = peer.sees(SYN | ACK)
    assert (bare.wscale, bare.sack_permitted, bare.has_ts) == (-1, False, False)
    peer.sport += 1
    peer.sends(SYN, seq=100, mss=1000, wscale=3, sack_ok=True, ts=(77, 0))
    full = peer.sees(SYN | ACK)
    assert (full.wscale, full.sack_permitted, full.has_ts, full.ts_ecr) == (8, True, True, 77)


@pytest.mark.parametrize("off", ["tcp_timestamps", "tcp_sack", "tcp_window_scaling"])
def test_options_can_be_switched_off(family: int, off: str) -> None:
    world = World()
    host, peer = setup(world, family, **{off: False})
    serve(host)
    peer.sends(SYN, seq=100, mss=1000, wscale=3, sack_ok=True, ts=(77, 0))
    seg = peer.sees(SYN | ACK)
    assert (seg.has_ts, seg.sack_permitted, seg.wscale >= 0) == (
        off != "tcp_timestamps",
        off != "tcp_sack",
        off != "tcp_window_scaling",
    )


def test_lost_synack_is_sent_again_and_given_up(world: World, family: int) -> None:
    host, peer = setup(world, family, tcp_syn_ack_retries=3)
    acceptor = serve(host)
    peer.sends(SYN, seq=100)
    times = [world.now]
    peer.sees(SYN | ACK)
    for _ in range(3):
        while not peer.received():
            world.run(100 * MS)
        peer.sees(SYN | ACK, ack=101)
        times.append(world.now)
    assert [round((b - a) / SECOND) for a, b in pairwise(times)] == [1, 2, 4]
    world.run()
    peer.sees_nothing()
    assert acceptor.users == []
    assert host.stack.tcp.connections() == []
    assert host.stack.tcp.counters.attempt_fails == 1


def test_repeated_syn_is_answered_with_the_same_synack(world: World, family: int) -> None:
    host, peer = setup(world, family)
    serve(host)
    peer.sends(SYN, seq=100)
    first = peer.sees(SYN | ACK)
    peer.sends(SYN, seq=100)
    peer.sees(SYN | ACK, seq=first.seq, ack=101)


@pytest.mark.parametrize("flags", [RST, RST | ACK, RST | SYN])
def test_listener_ignores_resets(world: World, family: int, flags: int) -> None:
    host, peer = setup(world, family)
    serve(host)
    peer.sends(flags, seq=5, ack=9)
    peer.sees_nothing()
    assert host.drops() == {"tcp_rst_invalid": 1}


@pytest.mark.parametrize("flags", [ACK, SYN | ACK, FIN | ACK, PSH | ACK])
def test_listener_resets_acks(world: World, family: int, flags: int) -> None:
    """RFC 9293 3.10.7.2: <SEQ=SEG.ACK><CTL=RST>."""
    host, peer = setup(world, family)
    serve(host)
    peer.sends(flags, seq=5, ack=900, data=b"x")
    peer.sees(RST, seq=900)


@pytest.mark.parametrize("flags", [0, FIN, PSH, URG, FIN | PSH | URG])
def test_listener_drops_the_rest(world: World, family: int, flags: int) -> None:
    host, peer = setup(world, family)
    serve(host)
    peer.sends(flags, seq=5)
    peer.sees_nothing()
    assert host.drops() == {"tcp_flags": 1}


@pytest.mark.parametrize(
    ("flags", "answer"),
    [(SYN, RST | ACK), (FIN, RST | ACK), (0, RST | ACK), (PSH, RST | ACK), (SYN | FIN, RST | ACK)],
)
def test_closed_port_without_ack(world: World, family: int, flags: int, answer: int) -> None:
    """RFC 9293 3.10.7.1: <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>."""
    host, peer = setup(world, family)
    peer.sends(flags, seq=1000, data=b"abc")
    length = 3 + bool(flags & SYN) + bool(flags & FIN)
    peer.sees(answer, seq=0, ack=1000 + length)
    assert host.drops() == {"tcp_no_port": 1}


def test_closed_port_with_ack(world: World, family: int) -> None:
    _host, peer = setup(world, family)
    peer.sends(ACK, seq=1000, ack=777, data=b"abc")
    peer.sees(RST, seq=777)
    peer.sends(RST | ACK, seq=1000, ack=777)
    peer.sees_nothing()


def test_wrong_ack_in_syn_received(world: World, family: int) -> None:
    """RFC 9293 3.10.7.4, fifth: <SEQ=SEG.ACK><CTL=RST>, and the connection waits on."""
    host, peer = setup(world, family)
    acceptor = serve(host)
    peer.sends(SYN, seq=100)
    synack = peer.sees(SYN | ACK)
    for wrong in (synack.seq, synack.seq + 2, synack.seq - 1):
        peer.sends(ACK, seq=101, ack=wrong)
        peer.sees(RST, seq=wrong & 0xFFFFFFFF)
    peer.sends(ACK, seq=101, ack=synack.seq + 1)
    assert len(acceptor.users) == 1


def test_reset_in_syn_received_returns_to_listen(world: World, family: int) -> None:
    """MUST-11: nobody hears of it, and the listener goes on."""
    host, peer = setup(world, family)
    acceptor = serve(host)
    peer.sends(SYN, seq=100)
    peer.sees(SYN | ACK)
    peer.sends(RST, seq=101)
    peer.sees_nothing()
    assert host.stack.tcp.connections() == []
    peer.handshake(seq=500)
    assert len(acceptor.users) == 1


def test_syn_in_syn_received_returns_to_listen(world: World, family: int) -> None:
    host, peer = setup(world, family)
    serve(host)
    peer.sends(SYN, seq=100)
    peer.sees(SYN | ACK)
    peer.sends(SYN, seq=150)
    assert host.stack.tcp.connections() == []
    assert host.drops() == {"tcp_syn_in_window": 1}


def test_data_with_the_third_segment(world: World, family: int) -> None:
    host, peer = setup(world, family)
    acceptor = serve(host)
    peer.sends(SYN, seq=100)
    synack = peer.sees(SYN | ACK)
    peer.sends(ACK | PSH, seq=101, ack=synack.seq + 1, data=b"hello")
    assert acceptor.users[0].data == b"hello"


def test_fin_with_the_third_segment(world: World, family: int) -> None:
    host, peer = setup(world, family)
    acceptor = serve(host)
    peer.sends(SYN, seq=100)
    synack = peer.sees(SYN | ACK)
    peer.sends(ACK | FIN, seq=101, ack=synack.seq + 1, data=b"bye")
    peer.sees(ACK, ack=105)
    assert acceptor.users[0].data == b"bye"
    assert acceptor.users[0].events == ["finished"]


def test_data_with_the_syn_is_for_later(world: World, family: int) -> None:
    """RFC 9293 3.10.7.2: not before ESTABLISHED.  We let the peer send it again."""
    host, peer = setup(world, family)
    acceptor = serve(host)
    peer.sends(SYN, seq=100, data=b"early")
    synack = peer.sees(SYN | ACK)
    assert synack.ack == 101
    peer.sends(ACK, seq=101, ack=synack.seq + 1, data=b"early")
    assert acceptor.users[0].data == b"early"


def test_syn_to_a_group_is_ignored(world: World, family: int) -> None:
    """MUST-57."""
    host, peer = setup(world, family)
    serve(host)
    if family == addr.V4:
        groups = [bytes((10, 77, 0, 255)), addr.BROADCAST4, addr.ALL_HOSTS]
    else:
        groups = [addr.ALL_NODES]
    for group in groups:
        bare = peer.segment(SYN, seq=1)
        bare = peer.checked(6, bare[:16] + b"\0\0" + bare[18:], 16, peer.mine, group)
        mac = addr.multicast_mac(group) if addr.is_multicast(group) else addr.MAC_BROADCAST
        peer.frame(*peer.packet_bytes(6, bare, dst=group), mac)
        world.run(0)
    peer.sees_nothing()
    assert host.drops() == {"tcp_group": len(groups)}


def test_window_scale_applies_after_the_syns(world: World, family: int) -> None:
    """RFC 7323 2.2: the window of a SYN is never scaled, later ones are."""
    host, peer = setup(world, family)
    acceptor = serve(host)
    peer.sends(SYN, seq=100, win=1000, wscale=4, mss=1000)
    synack = peer.sees(SYN | ACK)
    peer.sends(ACK, seq=101, ack=synack.seq + 1, win=1000)
    acceptor.users[0].send(bytes(20_000))
    world.run(0)
    got = sum(seen.seg.length for seen in peer.received() if seen.seg is not None)
    assert got == 10_000  # the initial congestion window, beyond the unscaled 1000
    assert synack.wnd == 65535


def test_window_scale_above_14_counts_as_14(world: World, family: int) -> None:
    host, peer = setup(world, family)
    serve(host)
    peer.sends(SYN, seq=100, wscale=200)
    peer.sees(SYN | ACK)
    assert host.stack.tcp.connections()[0].snd.wscale == 14


def test_backlog_is_bounded_and_recovers(world: World, family: int) -> None:
    host, peer = setup(world, family, tcp_backlog=4, tcp_syn_cookies=False)
    serve(host)
    for port in range(10):
        peer.sport = 41000 + port
        peer.sends(SYN, seq=100)
    assert len(host.stack.tcp.connections()) == 4
    assert host.drops() == {"tcp_backlog_full": 6}
    world.run()
    peer.inbox.clear()
    peer.sport = 42000
    peer.handshake()


def test_accept_queue_is_bounded(world: World, family: int) -> None:
    host, peer = setup(world, family, tcp_backlog=3, tcp_syn_cookies=False)
    listener = host.listener()
    listener.bind(b"", 80, 0)
    for port in range(3):
        peer.sport = 41000 + port
        peer.handshake()
    peer.sport = 42000
    peer.sends(SYN, seq=1)
    peer.sees_nothing()
    assert listener.accept() is not None
    peer.sends(SYN, seq=1)
    peer.sees(SYN | ACK)


def test_connection_table_is_bounded(world: World, family: int) -> None:
    host, peer = setup(world, family, tcp_connection_limit=2)
    serve(host)
    for port in range(5):
        peer.sport = 41000 + port
        peer.sends(SYN, seq=100)
    assert host.drops() == {"tcp_memory": 3}


def test_a_connection_that_dies_in_the_queue_is_not_offered(world: World, family: int) -> None:
    host, peer = setup(world, family)
    listener = host.listener()
    listener.bind(b"", 80, 0)
    peer.handshake()
    peer.sends(RST, seq=101)
    assert listener.accept() is None


def test_closing_the_listener_resets_what_was_not_accepted(world: World, family: int) -> None:
    host, peer = setup(world, family)
    listener = host.listener()
    listener.bind(b"", 80, 0)
    synack = peer.handshake()
    listener.close()
    world.run(0)
    peer.sees(RST | ACK, seq=synack.seq + 1)
    peer.sport += 1
    peer.sends(SYN, seq=5)
    peer.sees(RST | ACK)


# Active.


def test_active_open(world: World, family: int) -> None:
    _host, peer, user = active(world, family)
    syn = peer.sees(SYN, ack=0)
    assert syn.mss == (1460 if family == addr.V4 else 1440)
    assert (syn.wscale, syn.sack_permitted, syn.has_ts, syn.ts_ecr) == (8, True, True, 0)
    peer.sends(SYN | ACK, seq=500, ack=syn.seq + 1, mss=1400)
    peer.sees(ACK, seq=syn.seq + 1, ack=501)
    assert user.events == [("connect", "OK", 0)]


def test_refused(world: World, family: int) -> None:
    host, peer, user = active(world, family)
    syn = peer.sees(SYN)
    peer.sends(RST | ACK, seq=0, ack=syn.seq + 1)
    assert user.events == [("connect", "REFUSED", 0), ("aborted", "REFUSED")]
    assert host.stack.tcp.counters.attempt_fails == 1
    assert host.stack.tcp.connections() == []


@pytest.mark.parametrize("wrong", [0, 2, -1])
def test_unacceptable_ack_in_syn_sent_is_reset(world: World, family: int, wrong: int) -> None:
    _host, peer, user = active(world, family)
    syn = peer.sees(SYN)
    for flags in (ACK, SYN | ACK):
        peer.sends(flags, seq=500, ack=syn.seq + wrong)
        peer.sees(RST, seq=(syn.seq + wrong) & 0xFFFFFFFF)
    assert user.events == []


def test_resets_without_an_acceptable_ack_are_not_believed(world: World, family: int) -> None:
    _host, peer, user = active(world, family)
    syn = peer.sees(SYN)
    peer.sends(RST, seq=0)
    peer.sends(RST | ACK, seq=0, ack=syn.seq + 5)
    peer.sees_nothing()
    assert user.events == []


def test_segments_with_neither_syn_nor_rst_are_dropped(world: World, family: int) -> None:
    host, peer, user = active(world, family)
    syn = peer.sees(SYN)
    peer.sends(ACK, seq=500, ack=syn.seq + 1, data=b"x")
    peer.sends(FIN, seq=500)
    peer.sees_nothing()
    assert host.drops() == {"tcp_flags": 2}
    assert user.events == []


def test_simultaneous_open(world: World, family: int) -> None:
    """RFC 9293 3.5, figure 7 (MUST-10)."""
    host, peer, user = active(world, family)
    syn = peer.sees(SYN)
    peer.sends(SYN, seq=500, mss=1400)
    peer.sees(SYN | ACK, seq=syn.seq, ack=501)
    assert host.stack.tcp.connections()[0].state == SYN_RECEIVED
    assert user.events == []
    peer.sends(SYN | ACK, seq=500, ack=syn.seq + 1, mss=1400)
    assert host.stack.tcp.connections()[0].state == ESTABLISHED
    assert user.events == [("connect", "OK", 0)]


def test_reset_after_simultaneous_open_fails_the_attempt(world: World, family: int) -> None:
    _host, peer, user = active(world, family)
    peer.sees(SYN)
    peer.sends(SYN, seq=500)
    peer.sees(SYN | ACK)
    peer.sends(RST, seq=501)
    assert user.events == [("connect", "REFUSED", 0), ("aborted", "REFUSED")]


def test_two_stacks_open_towards_each_other(world: World, family: int) -> None:
    a, b = world.pair()
    users = []
    for host, other in ((a, b), (b, a)):
        stream = host.stream()
        user = User(stream)
        stream.attach(user)
        stream.bind(b"", 5000, 0)
        stream.connect(other.address(family), 5000, 0, "connect")
        users.append(user)
    world.run(5 * SECOND)
    assert [u.events for u in users] == [[("connect", "OK", 0)]] * 2
    users[0].send(b"hello")
    world.run(SECOND)
    assert users[1].data == b"hello"


def test_connecting_to_oneself(world: World, family: int) -> None:
    """One socket, its own port: a simultaneous open with itself over the loopback."""
    host, _ = world.host()
    stream = host.stream()
    user = User(stream)
    stream.attach(user)
    stream.bind(b"", 5000, 0)
    loop = addr.LOOPBACK4 if family == addr.V4 else addr.LOOPBACK6
    stream.connect(loop, 5000, 0, "connect")
    world.run(5 * SECOND)
    assert user.events == [("connect", "OK", 0)]
    user.send(b"to myself")
    world.run(SECOND)
    assert user.data == b"to myself"


def test_data_and_fin_with_the_synack(world: World, family: int) -> None:
    _host, peer, user = active(world, family)
    syn = peer.sees(SYN)
    peer.sends(SYN | ACK | FIN, seq=500, ack=syn.seq + 1, data=b"all at once")
    peer.sees(ACK, ack=500 + 1 + 11 + 1)
    assert user.data == b"all at once"
    assert user.events == [("connect", "OK", 0), "finished"]


def test_syn_is_retransmitted_with_backoff_for_three_minutes(world: World, family: int) -> None:
    """MUST-22, MUST-23; RFC 6298 2.1: 1, 2, 4 ... s."""
    _host, peer, user = active(world, family)
    start = world.now
    peer.sees(SYN)
    times = []
    while not user.events:
        world.run(100 * MS)
        while peer.received():
            peer.sees(SYN)
            times.append(round((world.now - start) / SECOND))
    assert times[:6] == [1, 3, 7, 15, 31, 63]
    assert 180 <= (world.now - start) / SECOND <= 250
    assert user.events == [("connect", "TIMED_OUT", 0), ("aborted", "TIMED_OUT")]


def test_a_repeated_synack_echoes_the_repeated_syn(world: World, family: int) -> None:
    """Otherwise the peer would take his own time-out for a round trip."""
    host, peer = setup(world, family)
    serve(host)
    peer.sends(SYN, seq=100, ts=(1000, 0))
    assert peer.sees(SYN | ACK).ts_ecr == 1000
    peer.sends(SYN, seq=100, ts=(2000, 0))
    assert peer.sees(SYN | ACK).ts_ecr == 2000
    peer.sends(SYN, seq=100, ts=(1500, 0))  # an old duplicate does not turn it back
    assert peer.received() == [] or peer.sees().ts_ecr == 2000


def test_initial_window_after_a_lost_syn_is_one_segment(world: World, family: int) -> None:
    host, peer, user = active(world, family)
    syn = peer.sees(SYN)
    world.run(SECOND + MS)
    peer.sees(SYN)
    peer.sends(SYN | ACK, seq=500, ack=syn.seq + 1, mss=1000)
    peer.sees(ACK)
    user.send(bytes(5000))
    world.run(0)
    assert sum(s.seg.length for s in peer.received() if s.seg) == 1000
    assert host.stack.tcp.connections()[0].rtt.rto == 3 * SECOND


def test_connecting_to_impossible_addresses(world: World, family: int) -> None:
    """MUST-46."""
    host, peer = setup(world, family)
    stream = host.stream()
    stream.bind(b"", 0, 0)
    if family == addr.V4:
        targets = [addr.ALL_HOSTS, addr.BROADCAST4, bytes((10, 77, 0, 255))]
    else:
        targets = [addr.ALL_NODES]
    for target in targets:
        assert stream.connect(target, 80, 0, "c") == 3  # INVALID
    assert stream.connect(peer.mine, 0, 0, "c") == 3


def test_no_neighbour_fails_the_attempt_soon(world: World, family: int) -> None:
    host, peer = setup(world, family)
    peer.silent = True
    user = connect(host, peer.mine)
    world.run(10 * SECOND)
    assert user.events[0] == ("connect", "HOST_UNREACHABLE", 0)


def test_mss_defaults_when_the_peer_does_not_say(world: World, family: int) -> None:
    """MUST-15: 536 for IPv4, 1220 for IPv6."""
    host, peer = setup(world, family)
    acceptor = serve(host)
    peer.handshake()
    acceptor.users[0].send(bytes(5000))
    world.run(0)
    first = peer.next_tcp()
    assert first is not None
    assert first.seg is not None
    assert first.seg.length == (536 if family == addr.V4 else 1220)


def test_effective_mss_counts_options(world: World, family: int) -> None:
    """MUST-16: timestamps take twelve octets of every segment."""
    host, peer = setup(world, family)
    acceptor = serve(host)
    peer.handshake(mss=1000, ts=(1, 0))
    acceptor.users[0].send(bytes(5000))
    world.run(0)
    first = peer.next_tcp()
    assert first is not None
    assert first.seg is not None
    assert first.seg.length == 988


def test_initial_sequence_numbers_differ_and_advance(world: World, family: int) -> None:
    """RFC 6528: another port, another number; the same port again, a later one."""
    host, peer = setup(world, family)
    serve(host)
    numbers = []
    for port in (41000, 41001, 41000):
        peer.sport = port
        peer.sends(SYN, seq=100)
        seen = peer.sees(SYN | ACK)
        numbers.append(seen.seq)
        peer.sends(RST, seq=101)
        world.run(SECOND)
    assert abs(numbers[0] - numbers[1]) > 1000
    assert (numbers[2] - numbers[0]) % 2**32 == 2 * SECOND // 4000
