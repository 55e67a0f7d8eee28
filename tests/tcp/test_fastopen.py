# SPDX-License-Identifier: MIT
"""TCP Fast Open (RFC 7413): cookies, data before the handshake is over, and every way back."""

from __future__ import annotations

import pytest

from stack.base import addr
from stack.base.status import INVALID, NOT_SUPPORTED, OK, PENDING
from stack.base.units import SECOND
from stack.tcp.names import ESTABLISHED, FIN_WAIT_2, SYN_RECEIVED
from stack.transport.seam import (
    OPTION_FAST_OPEN,
    OPTION_NODELAY,
    Listener,
    ListenerSink,
    Stream,
    StreamSink,
)
from stack.wire import tcp
from stack.wire.tcp import ACK, FIN, PSH, RST, SYN, Segment
from tests.harness import Host, Peer, World, quiet
from tests.tcp.users import Acceptor, User

DAY = 24 * 3600 * SECOND
FAST_OPEN = tcp.OPT_FAST_OPEN
COOKIE = bytes(range(8))


def option(cookie: bytes = b"", kind: int = FAST_OPEN) -> bytes:
    return tcp.fast_open_option(cookie, kind)


# The server's side.


def listening(
    world: World, family: int, pending: int = 4, **settings: object
) -> tuple[Host, Peer, Acceptor, Listener]:
    host, peer = world.host(quiet(**settings))
    peer.family = family
    acceptor = Acceptor()
    listener = host.listener()
    listener.attach(acceptor)
    assert listener.set_option(OPTION_FAST_OPEN, pending) == OK
    assert listener.bind(b"", 80, 0) == OK
    return host, peer, acceptor, listener


def idles(world: World, peer: Peer, seconds: int) -> None:
    """Time passes; the peer answers nothing but questions of the link."""
    for _ in range(seconds):
        world.run(SECOND)
        peer.received()
    peer.inbox.clear()


def cookie_for(peer: Peer, kind: int = FAST_OPEN, sport: int = 30_000) -> bytes:
    """Ask for a cookie, and let go of the connection."""
    peer.sends(SYN, seq=1, options=option(kind=kind), mss=1000, sport=sport)
    synack = peer.sees(SYN | ACK, ack=2)
    assert synack.fast_open is not None
    assert synack.fast_open[0] == kind
    peer.sends(RST, seq=2, sport=sport)
    return synack.fast_open[1]


def opens(peer: Peer, cookie: bytes, data: bytes, seq: int = 100, **how: object) -> Segment:
    """A SYN with cookie and data; returns the answer."""
    peer.sends(SYN, seq=seq, options=option(cookie), mss=1000, data=data, **how)
    return peer.sees(SYN | ACK)


def test_data_is_delivered_and_answered_before_the_handshake_is_over(
    world: World, family: int
) -> None:
    host, peer, acceptor, _ = listening(world, family)
    cookie = cookie_for(peer)
    assert len(cookie) == 8
    synack = opens(peer, cookie, b"GET /")
    assert synack.ack == 106
    assert synack.fast_open is None
    (user,) = acceptor.users
    assert user.data == b"GET /"
    name = user.stream.remote_name()
    assert name is not None
    assert name.port == peer.sport
    user.send(b"answer")
    world.run(0)
    peer.sees(ACK | PSH, seq=synack.seq + 1, ack=106, data=b"answer")
    assert host.stack.tcp.connections()[0].state == SYN_RECEIVED
    peer.sends(ACK, seq=106, ack=synack.seq + 7)
    assert host.stack.tcp.connections()[0].state == ESTABLISHED
    assert user.events == [("send", "OK", 6)]
    peer.sends(ACK | PSH, seq=106, ack=synack.seq + 7, data=b"more")
    assert user.data == b"GET /more"
    assert len(acceptor.users) == 1
    assert host.stack.tcp.counters.fast_open_passive == 1


def test_a_cookie_without_data_lets_the_server_speak_first(world: World, family: int) -> None:
    _, peer, acceptor, _ = listening(world, family)
    synack = opens(peer, cookie_for(peer), b"")
    acceptor.users[0].send(b"220 ready")
    world.run(0)
    peer.sees(ACK | PSH, seq=synack.seq + 1, data=b"220 ready")


def test_the_server_may_close_at_once(world: World, family: int) -> None:
    host, peer, acceptor, _ = listening(world, family)
    synack = opens(peer, cookie_for(peer), b"GET /")
    user = acceptor.users[0]
    user.send(b"bye")
    user.stream.disconnect("fin")
    world.run(0)
    peer.sees(ACK | PSH | FIN, seq=synack.seq + 1, data=b"bye")
    peer.sends(ACK, seq=106, ack=synack.seq + 5)
    assert host.stack.tcp.connections()[0].state == FIN_WAIT_2
    assert ("fin", "OK", 0) in user.events


@pytest.mark.parametrize("cookie", [bytes(8), b"1234", bytes(16)])
def test_a_wrong_cookie_gets_the_right_one_and_data_waits(
    world: World, family: int, cookie: bytes
) -> None:
    _, peer, acceptor, _ = listening(world, family)
    right = cookie_for(peer)
    synack = opens(peer, cookie, b"GET /")
    assert synack.ack == 101
    assert synack.fast_open == (FAST_OPEN, right)
    assert acceptor.users == []
    peer.sends(ACK | PSH, seq=101, ack=synack.seq + 1, data=b"GET /")
    assert acceptor.users[0].data == b"GET /"


def test_the_experimental_option_is_answered_in_kind(world: World, family: int) -> None:
    _, peer, acceptor, _ = listening(world, family)
    cookie = cookie_for(peer, kind=tcp.OPT_EXPERIMENT)
    peer.sends(SYN, seq=100, options=option(cookie, tcp.OPT_EXPERIMENT), data=b"x")
    peer.sees(SYN | ACK, ack=102)
    assert acceptor.users[0].data == b"x"


@pytest.mark.parametrize(
    "wrong", [b"\x22\x05abc", b"\x22\x03a", b"\x22\x13" + bytes(17), b"\xfe\x04\x00\x00"]
)
def test_a_malformed_option_is_none(world: World, family: int, wrong: bytes) -> None:
    _, peer, acceptor, _ = listening(world, family)
    peer.sends(SYN, seq=100, options=wrong + bytes(-len(wrong) % 4), data=b"x")
    peer.sees(SYN | ACK, ack=101, fast_open=None)
    assert acceptor.users == []


def test_nobody_gets_a_cookie_who_was_not_let(world: World, family: int) -> None:
    """The user of the listener must ask; so must the configuration allow it."""
    _, peer, acceptor, listener = listening(world, family, pending=0)
    peer.sends(SYN, seq=1, options=option())
    peer.sees(SYN | ACK, ack=2, fast_open=None)
    assert listener.set_option(OPTION_FAST_OPEN, -1) == INVALID
    assert listener.set_option(OPTION_NODELAY, 1) == NOT_SUPPORTED
    assert acceptor.users == []


def test_off_for_the_whole_stack(world: World, family: int) -> None:
    _, peer, _, _ = listening(world, family, tcp_fast_open=False)
    peer.sends(SYN, seq=1, options=option())
    peer.sees(SYN | ACK, ack=2, fast_open=None)


def test_a_cookie_belongs_to_an_address(world: World, family: int) -> None:
    _, peer, acceptor, _ = listening(world, family)
    mine = cookie_for(peer)
    if family == addr.V4:
        peer.v4 = peer.v4[:3] + b"\x09"
    else:
        peer.v6 = peer.v6[:15] + b"\x09"
    assert opens(peer, mine, b"x").ack == 101
    assert acceptor.users == []


def test_a_cookie_lasts_a_day_and_is_replaced_on_the_next(world: World, family: int) -> None:
    _, peer, acceptor, _ = listening(world, family)
    cookie = cookie_for(peer)
    world.run(DAY)
    synack = opens(peer, cookie, b"x")
    assert synack.ack == 102
    assert synack.fast_open is not None
    fresh = synack.fast_open[1]
    assert fresh != cookie
    peer.sends(RST, seq=102)
    world.run(DAY)
    peer.received()
    peer.inbox.clear()
    assert opens(peer, cookie, b"x").ack == 101
    peer.sends(RST, seq=101)
    assert opens(peer, fresh, b"x").ack == 102
    assert len(acceptor.users) == 2


def test_unconfirmed_connections_are_bounded(world: World, family: int) -> None:
    host, peer, acceptor, _ = listening(world, family, pending=2)
    cookie = cookie_for(peer)
    first = opens(peer, cookie, b"a", sport=1001)
    opens(peer, cookie, b"b", sport=1002)
    third = opens(peer, cookie, b"c", sport=1003)
    assert third.ack == 101  # as without Fast Open
    assert third.fast_open is None
    assert [user.data for user in acceptor.users] == [b"a", b"b"]
    assert host.stack.tcp.counters.fast_open_overflows == 1
    peer.sends(ACK, seq=102, ack=first.seq + 1, sport=1001)
    assert opens(peer, cookie, b"d", sport=1004).ack == 102


def test_a_reset_does_not_make_room_at_once(world: World, family: int) -> None:
    """RFC 7413 5.1: else spoofed resets would undo the bound."""
    _, peer, acceptor, _ = listening(world, family, pending=1)
    cookie = cookie_for(peer)
    opens(peer, cookie, b"a", sport=1001)
    peer.sends(RST, seq=102, sport=1001)
    assert acceptor.users[0].events == [("aborted", "RESET")]
    assert opens(peer, cookie, b"b", sport=1002).ack == 101
    peer.sends(RST, seq=101, sport=1002)
    world.run(61 * SECOND)
    assert opens(peer, cookie, b"c", sport=1003).ack == 102


def test_a_lost_synack_is_sent_again_and_so_is_what_followed(world: World, family: int) -> None:
    _, peer, acceptor, _ = listening(world, family)
    synack = opens(peer, cookie_for(peer), b"GET /")
    acceptor.users[0].send(b"answer")
    world.run(0)
    peer.sees(ACK | PSH, data=b"answer")
    world.run(SECOND)
    peer.sees(SYN | ACK, seq=synack.seq, ack=106)
    peer.sees_nothing()
    peer.sends(ACK, seq=106, ack=synack.seq + 1)
    peer.sees(ACK | PSH, seq=synack.seq + 1, data=b"answer")


def test_a_repeated_syn_delivers_nothing_twice(world: World, family: int) -> None:
    _, peer, acceptor, _ = listening(world, family)
    cookie = cookie_for(peer)
    synack = opens(peer, cookie, b"GET /")
    again = opens(peer, cookie, b"GET /")
    assert (again.seq, again.ack) == (synack.seq, 106)
    peer.sends(SYN, seq=100, mss=1000)  # the client has given up on Fast Open
    peer.sees(SYN | ACK, seq=synack.seq, ack=106)
    assert acceptor.users[0].data == b"GET /"
    assert len(acceptor.users) == 1


def test_a_client_that_vanishes_costs_its_time_and_no_more(world: World, family: int) -> None:
    host, peer, acceptor, _ = listening(world, family, pending=1)
    cookie = cookie_for(peer)
    opens(peer, cookie, b"a", sport=1001)
    idles(world, peer, 200)
    assert acceptor.users[0].events == [("aborted", "TIMED_OUT")]
    assert host.stack.tcp.connections() == []
    assert host.tcp_timers() == []
    assert opens(peer, cookie, b"b", sport=1002).ack == 102


def test_what_the_user_leaves_stays_queued(world: World, family: int) -> None:
    _, peer, acceptor, listener = listening(world, family)
    cookie = cookie_for(peer)

    class Slow(Acceptor):
        def accepted(self, stream: Stream) -> StreamSink:
            user = User(stream)
            user.limit = 3
            self.users.append(user)
            return user

    slow = Slow()
    listener.attach(slow)
    opens(peer, cookie, b"GET /")
    (user,) = slow.users
    assert user.data == b"GET"
    user.limit = 100
    user.stream.resume()
    world.run(0)
    assert user.data == b"GET /"
    assert acceptor.users == []


def test_closing_the_listener_resets_what_was_not_accepted(world: World, family: int) -> None:
    host, peer, acceptor, listener = listening(world, family)

    class Full(ListenerSink):
        def accepted(self, stream: Stream) -> None:
            return None

    listener.attach(Full())
    synack = opens(peer, cookie_for(peer), b"GET /")
    listener.close()
    world.run(0)
    peer.sees(RST | ACK, seq=synack.seq + 1, ack=106)
    assert host.stack.tcp.connections() == []
    assert acceptor.users == []


# The client's side.


def client(world: World, family: int, **settings: object) -> tuple[Host, Peer]:
    host, peer = world.host(quiet(**settings))
    peer.family = family
    peer.sport = 80
    return host, peer


def connects(world: World, host: Host, peer: Peer, data: bytes = b"") -> tuple[User, Segment]:
    """A stream connects, sends in the same turn, and the SYN is out."""
    stream = host.stream()
    user = User(stream)
    stream.attach(user)
    assert stream.bind(b"", 0, 0) == OK
    assert stream.set_option(OPTION_FAST_OPEN, 1) == OK
    assert stream.connect(peer.mine, 80, 0, "connect") == PENDING
    if data:
        assert user.send(data) == PENDING
    world.run(0)
    seen = peer.next_tcp()
    assert seen is not None
    assert seen.seg is not None
    assert seen.seg.flags == SYN
    peer.dport = int.from_bytes(seen.body[:2], "big")
    return user, seen.seg


def with_cookie(
    world: World, family: int, mss: int = 1000, cookie: bytes = COOKIE, **settings: object
) -> tuple[Host, Peer]:
    """A client that has a cookie."""
    host, peer = client(world, family, **settings)
    user, syn = connects(world, host, peer)
    assert syn.fast_open == (FAST_OPEN, b"")
    peer.sends(SYN | ACK, seq=500, ack=syn.seq + 1, mss=mss, options=option(cookie))
    peer.sees(ACK)
    user.stream.abort()
    world.run(0)
    peer.sees()
    return host, peer


def test_the_first_syn_asks_and_data_follows_the_handshake(world: World, family: int) -> None:
    host, peer = client(world, family)
    user, syn = connects(world, host, peer, b"GET /")
    assert syn.fast_open == (FAST_OPEN, b"")
    assert syn.length == 0
    peer.sends(SYN | ACK, seq=500, ack=syn.seq + 1, mss=1000, options=option(COOKIE))
    peer.sees(ACK | PSH, seq=syn.seq + 1, ack=501, data=b"GET /")
    assert user.events[0] == ("connect", "OK", 0)


def test_the_next_syn_carries_cookie_and_data(world: World, family: int) -> None:
    host, peer = with_cookie(world, family)
    user, syn = connects(world, host, peer, b"GET /")
    assert syn.fast_open == (FAST_OPEN, COOKIE)
    assert syn.length == 5
    peer.sends(SYN | ACK, seq=700, ack=syn.seq + 6, mss=1000, data=b"200")
    peer.sees(ACK, seq=syn.seq + 6, ack=704)
    assert user.events == [("connect", "OK", 0), ("send", "OK", 5)]
    assert user.data == b"200"
    assert host.stack.tcp.counters.fast_open_active == 1
    assert host.stack.tcp.counters.retrans_segs == 0


@pytest.mark.parametrize("mss", [536, 1000, 1460])
def test_as_much_goes_along_as_fits(world: World, family: int, mss: int) -> None:
    """The MSS is remembered with the cookie; forty octets are left to options."""
    host, peer = with_cookie(world, family, mss=mss)
    _, syn = connects(world, host, peer, bytes(5000))
    assert syn.length == min(mss, 1460 if family == addr.V4 else 1440) - 40
    peer.sends(SYN | ACK, seq=700, ack=syn.seq + 1 + syn.length, mss=mss)
    following = peer.sees()
    assert following.seq == (syn.seq + 1 + syn.length) & 0xFFFFFFFF
    assert following.length == min(mss, 1460 if family == addr.V4 else 1440)


def test_data_that_was_not_taken_goes_again_at_once(world: World, family: int) -> None:
    host, peer = with_cookie(world, family)
    user, syn = connects(world, host, peer, b"GET /")
    peer.sends(SYN | ACK, seq=700, ack=syn.seq + 1, mss=1000)
    peer.sees(ACK | PSH, seq=syn.seq + 1, ack=701, data=b"GET /")
    peer.sends(ACK, seq=701, ack=syn.seq + 6)
    assert ("send", "OK", 5) in user.events
    tcb = host.stack.tcp.connections()[0]
    assert tcb.cc.window >= 10 * 1000  # it was not congestion
    assert host.stack.tcp.counters.fast_open_active_fails == 1


def test_data_that_was_taken_in_part(world: World, family: int) -> None:
    host, peer = with_cookie(world, family)
    _, syn = connects(world, host, peer, b"0123456789")
    peer.sends(SYN | ACK, seq=700, ack=syn.seq + 5, mss=1000)
    peer.sees(ACK | PSH, seq=syn.seq + 5, ack=701, data=b"456789")


def test_an_ack_of_more_than_the_data_is_refused(world: World, family: int) -> None:
    host, peer = with_cookie(world, family)
    _, syn = connects(world, host, peer, b"GET /")
    peer.sends(SYN | ACK, seq=700, ack=syn.seq + 7, mss=1000)
    peer.sees(RST, seq=syn.seq + 7)


def test_a_lost_syn_goes_again_without(world: World, family: int) -> None:
    """Somebody on the way may not bear it (RFC 7413 4.1.3.1); nor do the next connections try."""
    host, peer = with_cookie(world, family)
    user, syn = connects(world, host, peer, b"GET /")
    world.run(SECOND)
    peer.sees(SYN, seq=syn.seq, length=0, fast_open=None)
    peer.sends(SYN | ACK, seq=700, ack=syn.seq + 1, mss=1000)
    peer.sees(ACK | PSH, seq=syn.seq + 1, data=b"GET /")
    user.stream.abort()
    world.run(0)
    peer.sees()
    for wait, expected in ((0, None), (150 * SECOND, (FAST_OPEN, COOKIE))):
        world.run(wait)
        again, syn = connects(world, host, peer, b"GET /")
        assert syn.fast_open == expected
        again.stream.close()
        world.run(0)


def test_a_server_that_stays_silent_is_remembered(world: World, family: int) -> None:
    host, peer = with_cookie(world, family)
    user, _ = connects(world, host, peer, b"GET /")
    idles(world, peer, 200)
    assert ("connect", "TIMED_OUT", 0) in user.events
    assert ("send", "TIMED_OUT", 0) in user.events
    user.stream.close()
    for wait, expected in ((0, None), (130, (FAST_OPEN, COOKIE))):
        idles(world, peer, wait)
        again, syn = connects(world, host, peer, b"GET /")
        assert syn.fast_open == expected
        again.stream.close()
        world.run(0)


def test_a_refused_connection(world: World, family: int) -> None:
    host, peer = with_cookie(world, family)
    user, syn = connects(world, host, peer, b"GET /")
    peer.sends(RST | ACK, ack=syn.seq + 6)
    assert user.events[:2] == [("send", "REFUSED", 0), ("connect", "REFUSED", 0)]
    assert host.tcp_timers() == []


def test_a_new_cookie_replaces_the_old_one(world: World, family: int) -> None:
    host, peer = with_cookie(world, family)
    user, syn = connects(world, host, peer, b"GET /")
    peer.sends(SYN | ACK, seq=700, ack=syn.seq + 1, mss=900, options=option(b"freshcookie!"))
    peer.sees(ACK | PSH, data=b"GET /")
    user.stream.abort()
    world.run(0)
    peer.sees()
    _, syn = connects(world, host, peer, bytes(5000))
    assert syn.fast_open == (FAST_OPEN, b"freshcookie!")
    assert syn.length == 860


def test_nobody_asks_unless_told(world: World, family: int) -> None:
    host, peer = client(world, family, tcp_fast_open=False)
    _, syn = connects(world, host, peer, b"GET /")
    assert syn.fast_open is None
    assert syn.length == 0


def test_a_cookie_nobody_asked_for_is_passed_over(world: World, family: int) -> None:
    host, peer = client(world, family)
    stream = host.stream()
    stream.attach(User(stream))
    stream.bind(b"", 0, 0)
    stream.connect(peer.mine, 80, 0, "connect")
    world.run(0)
    seen = peer.next_tcp()
    assert seen is not None
    assert seen.seg is not None
    peer.dport = int.from_bytes(seen.body[:2], "big")
    assert seen.seg.fast_open is None
    peer.sends(SYN | ACK, seq=500, ack=seen.seg.seq + 1, mss=1000, options=option(COOKIE))
    peer.sees(ACK)
    stream.abort()
    world.run(0)
    peer.sees()
    _, syn = connects(world, host, peer)
    assert syn.fast_open == (FAST_OPEN, b"")


def test_the_cache_is_bounded(world: World, family: int) -> None:
    host, peer = with_cookie(world, family, tcp_fast_open_cache=2)
    home = peer.mine
    for last in (7, 8):
        if family == addr.V4:
            peer.v4 = home[:3] + bytes((last,))
        else:
            peer.v6 = home[:15] + bytes((last,))
        user, syn = connects(world, host, peer)
        peer.sends(SYN | ACK, seq=500, ack=syn.seq + 1, mss=1000, options=option(COOKIE))
        peer.sees(ACK)
        user.stream.abort()
        world.run(0)
        peer.sees()
    peer.v4 = home if family == addr.V4 else peer.v4
    peer.v6 = home if family == addr.V6 else peer.v6
    _, syn = connects(world, host, peer)
    assert syn.fast_open == (FAST_OPEN, b"")


def test_simultaneous_open_goes_on_without(world: World, family: int) -> None:
    host, peer = with_cookie(world, family)
    user, syn = connects(world, host, peer, b"GET /")
    peer.sends(SYN, seq=700, mss=1000, data=b"crossing", options=option(b"theirs.."))
    peer.sees(SYN | ACK, seq=syn.seq, ack=701, length=0, fast_open=None)
    peer.sends(SYN | ACK, seq=700, ack=syn.seq + 6, mss=1000)
    assert user.events[0] == ("send", "OK", 5) or user.events[0] == ("connect", "OK", 0)
    peer.sends(ACK | PSH, seq=701, ack=syn.seq + 6, data=b"crossing")
    assert user.data == b"crossing"
    assert host.stack.tcp.connections()[0].state == ESTABLISHED


# Both.


@pytest.mark.parametrize("size", [1, 1000, 100_000])
def test_between_two_stacks(world: World, family: int, size: int) -> None:
    a, b = world.pair()
    acceptor = Acceptor()
    listener = b.listener()
    listener.attach(acceptor)
    listener.set_option(OPTION_FAST_OPEN, 10)
    listener.bind(b"", 80, 0)
    for number in range(3):
        stream = a.stream()
        user = User(stream)
        stream.attach(user)
        stream.bind(b"", 0, 0)
        stream.set_option(OPTION_FAST_OPEN, 1)
        stream.connect(b.address(family), 80, 0, "connect")
        user.send(bytes(size))
        world.run(SECOND)
        server = acceptor.users[number]
        assert len(server.data) == size
        server.send(b"thanks")
        for end in (user, server):
            end.stream.disconnect("bye")
        world.run(SECOND)
        assert user.data == b"thanks"
    assert a.stack.tcp.counters.fast_open_active == 2
    assert b.stack.tcp.counters.fast_open_passive == 2


def test_a_cookie_without_data_is_no_failure(world: World, family: int) -> None:
    """The server has nothing new to say: that is not a refusal."""
    host, peer = with_cookie(world, family)
    for _ in range(2):
        user, syn = connects(world, host, peer)
        assert syn.fast_open == (FAST_OPEN, COOKIE)
        peer.sends(SYN | ACK, seq=700, ack=syn.seq + 1, mss=1000)
        peer.sees(ACK)
        user.stream.abort()
        world.run(0)
        peer.sees()


def test_a_server_without_it_is_not_asked_each_time(world: World, family: int) -> None:
    host, peer = client(world, family)
    for asked in (True, False):
        user, syn = connects(world, host, peer)
        assert (syn.fast_open == (FAST_OPEN, b"")) is asked
        peer.sends(SYN | ACK, seq=700, ack=syn.seq + 1, mss=1000)
        peer.sees(ACK)
        user.stream.abort()
        world.run(0)
        peer.sees()
