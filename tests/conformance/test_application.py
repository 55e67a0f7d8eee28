# SPDX-License-Identifier: MIT
"""RFC 9293 3.9.1, what an application may ask of TCP: time-outs, reports, DiffServ, urgent data."""

from __future__ import annotations

import pytest

from stack.base import addr
from stack.base.status import IN_USE, INVALID, NOT_SUPPORTED, OK
from stack.base.units import MS, SECOND
from stack.link.neighbor import REACHABLE
from stack.tcp.names import ESTABLISHED
from stack.transport.seam import (
    OPTION_BROADCAST,
    OPTION_ERROR_REPORTS,
    OPTION_HOP_LIMIT,
    OPTION_TRAFFIC_CLASS,
    OPTION_USER_TIMEOUT,
    RECEIVED_PUSH,
    SEND_URGENT,
    SHARE_REUSE,
)
from stack.wire.tcp import ACK, FIN, PSH, RST, SYN, URG
from tests.harness import Seen, World
from tests.tcp.scenes import Scene
from tests.tcp.test_handshake import active, setup
from tests.tcp.test_loss import icmp_about, quote
from tests.tcp.users import User

# Time-outs and reports.


def life(scene: Scene) -> float:
    """Seconds until the connection ends by itself."""
    start = scene.world.now
    while not scene.user.events:
        scene.world.run(SECOND)
        scene.peer.received()
    return (scene.world.now - start) / SECOND


@pytest.mark.parametrize("seconds", [5, 30, 300])
def test_the_user_sets_the_time_out_of_a_connection(
    world: World, family: int, seconds: int
) -> None:
    """MUST-21; the timer looks once per retransmission, which are up to a minute apart."""
    scene = Scene(world, family)
    assert scene.user.stream.set_option(OPTION_USER_TIMEOUT, seconds * SECOND) == OK
    scene.user.send(b"into the void")
    assert seconds <= life(scene) <= seconds * 2 + 60
    assert scene.user.events == [("send", "TIMED_OUT", 0), ("aborted", "TIMED_OUT")]


def test_the_user_time_out_may_be_infinite(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.user.stream.set_option(OPTION_USER_TIMEOUT, 1 << 62)
    scene.user.send(b"patience")
    world.run(24 * 3600 * SECOND)
    assert scene.tcb.state == ESTABLISHED
    scene.sends(ack=8)
    assert scene.user.events == [("send", "OK", 8)]


def test_r1_asks_ip_and_tells_the_user_before_r2(world: World, family: int) -> None:
    """MUST-20, SHLD-9, SHLD-10: after three retransmissions, not before, long before the end."""
    scene = Scene(world, family)
    scene.user.send(b"into the void")
    world.run(0)
    scene.sent()
    neighbor = scene.tcb.path.neighbor
    neighbor.confirm()
    resent = 0
    while not scene.user.troubles:
        assert neighbor.state == REACHABLE
        world.run(10 * MS)
        resent += len(scene.sent())
    assert resent == 3
    assert neighbor.state != REACHABLE  # it is being asked
    assert scene.user.troubles == ["TIMED_OUT"]
    assert scene.user.events == []
    assert scene.tcb.state == ESTABLISHED


def test_soft_errors_reach_the_application(world: World, family: int) -> None:
    """MUST-47, SHLD-25: at once, and the connection goes on."""
    scene = Scene(world, family)
    scene.user.send(b"data")
    world.run(0)
    icmp_about(scene, "host")
    assert scene.user.troubles == ["HOST_UNREACHABLE"]
    icmp_about(scene, "ttl")
    assert scene.user.troubles == ["HOST_UNREACHABLE"] * 2
    assert scene.tcb.state == ESTABLISHED


def test_soft_errors_while_connecting_reach_the_application(world: World, family: int) -> None:
    _, peer, user = active(world, family)
    syn = peer.sees()
    quote(peer, "host", (peer.dport, peer.sport), syn.seq)
    assert user.troubles == ["HOST_UNREACHABLE"]
    assert user.events == []


def test_reports_can_be_switched_off(world: World, family: int) -> None:
    """SHLD-20."""
    scene = Scene(world, family)
    assert scene.user.stream.set_option(OPTION_ERROR_REPORTS, 0) == OK
    scene.user.send(b"data")
    world.run(0)
    icmp_about(scene, "host")
    assert scene.user.troubles == []
    scene.user.stream.set_option(OPTION_ERROR_REPORTS, 1)
    icmp_about(scene, "host")
    assert scene.user.troubles == ["HOST_UNREACHABLE"]


# What goes into the IP header.


def packets(scene: Scene) -> list[Seen]:
    found = [seen for seen in scene.peer.received() if seen.seg is not None]
    scene.peer.inbox.clear()
    return found


def test_the_diffserv_field_is_the_applications(world: World, family: int) -> None:
    """MUST-48, SHLD-21, SHLD-22: set, changed on the way, and passed to IP as it is."""
    scene = Scene(world, family)
    scene.user.send(b"plain")
    world.run(0)
    assert [seen.pkt.tos for seen in packets(scene)] == [0]
    for dscp in (46, 8):
        assert scene.user.stream.set_option(OPTION_TRAFFIC_CLASS, dscp << 2) == OK
        scene.sends(ack=scene.tcb.snd.nxt_at - 1)
        scene.user.send(b"marked")
        world.run(0)
        assert [seen.pkt.tos >> 2 for seen in packets(scene)] == [dscp]
    scene.user.stream.abort()
    world.run(0)
    assert [seen.pkt.tos >> 2 for seen in packets(scene)] == [8]


def test_the_ecn_bits_are_not_the_applications(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.user.stream.set_option(OPTION_TRAFFIC_CLASS, 255)
    scene.user.send(b"x")
    world.run(0)
    assert packets(scene)[0].pkt.tos & 3 == 0


def test_the_hop_limit_is_configurable(family: int) -> None:
    """MUST-49: for the stack, and for one connection."""
    scene = Scene(World(), family, hop_limit=17)
    scene.user.send(b"x")
    scene.world.run(0)
    assert [seen.pkt.ttl for seen in packets(scene)] == [17]
    assert scene.user.stream.set_option(OPTION_HOP_LIMIT, 3) == OK
    scene.sends(ack=1)
    scene.user.send(b"y")
    scene.world.run(0)
    assert [seen.pkt.ttl for seen in packets(scene)] == [3]


def test_options_have_bounds(world: World, family: int) -> None:
    stream = Scene(world, family).user.stream
    assert stream.set_option(OPTION_HOP_LIMIT, 256) == INVALID
    assert stream.set_option(OPTION_TRAFFIC_CLASS, -1) == INVALID
    assert stream.set_option(OPTION_USER_TIMEOUT, -1) == INVALID
    assert stream.set_option(OPTION_BROADCAST, 1) == NOT_SUPPORTED


# Local addresses and ports.


def test_a_local_address_may_be_chosen(world: World, family: int) -> None:
    """MUST-43."""
    host, peer = setup(world, family)
    second = addr.parse("10.77.0.9" if family == addr.V4 else "fd77::9")
    host.stack.add_address(host.nic, addr.text(second), 24 if family == addr.V4 else 64)
    for own in (second, host.address(family)):
        stream = host.stream()
        assert stream.bind(own, 0, 0) == OK
        stream.connect(peer.mine, 80, 0, "c")
        world.run(0)
        seen = peer.next_tcp()
        assert seen is not None
        assert seen.pkt.src == own


def test_otherwise_ip_chooses_and_it_stays(world: World, family: int) -> None:
    """MUST-44, MUST-45: even when addresses and routes change under the connection."""
    host, peer, user = active(world, family)
    syn = peer.next_tcp()
    assert syn is not None
    assert syn.seg is not None
    assert syn.pkt.src == host.address(family)
    peer.sends(SYN | ACK, seq=500, ack=syn.seg.seq + 1)
    better = addr.parse("10.77.0.3" if family == addr.V4 else "fd77::3")
    host.stack.add_address(host.nic, addr.text(better), 32 if family == addr.V4 else 128)
    user.send(b"still from there")
    world.run(0)
    sources = {seen.pkt.src for seen in peer.received() if seen.seg is not None}
    assert sources == {host.address(family)}
    name = user.stream.local_name()
    assert name is not None
    assert name.address == host.address(family)


def test_listening_beside_a_connection_being_opened(world: World, family: int) -> None:
    """MUST-42: on the port of a SYN-SENT, and of a SYN-RECEIVED."""
    host, peer = setup(world, family)
    stream = host.stream()
    assert stream.bind(b"", 80, SHARE_REUSE) == OK
    stream.connect(peer.mine, 4000, 0, "c")
    world.run(0)
    peer.sees(SYN)
    listener = host.listener()
    assert listener.bind(b"", 80, SHARE_REUSE) == OK
    for port in (41000, 41001):
        peer.sport = port
        peer.handshake()
    assert listener.accept() is not None
    peer.sport = 41002
    peer.sends(SYN, seq=1)
    second = host.listener()
    assert second.bind(host.address(family), 80, SHARE_REUSE) == OK


def test_a_passive_open_disturbs_nothing(world: World, family: int) -> None:
    """MUST-41: a new record, or an error; what exists goes on."""
    scene = Scene(world, family)
    listener = scene.host.listener()
    assert listener.bind(b"", 80, 0) == IN_USE
    assert scene.tcb.state == ESTABLISHED
    scene.peer.sport += 1
    scene.peer.handshake()
    scene.peer.sport -= 1
    scene.sends(data=b"still here")
    assert scene.user.data == b"still here"


# Closing.


def test_the_user_can_tell_a_close_from_an_abort(family: int) -> None:
    """MUST-12."""
    closed, aborted = Scene(World(), family), Scene(World(), family)
    closed.sends(ACK | FIN)
    aborted.sends(RST)
    assert closed.user.events == ["finished"]
    assert aborted.user.events == [("aborted", "RESET")]


def test_closing_with_unread_data_is_a_reset(family: int) -> None:
    """SHLD-3: what was not read, or comes afterwards, is not silently lost."""
    scene = Scene(World(), family)
    scene.user.limit = 0
    scene.sends(ACK | FIN, data=b"unread")
    scene.sees(ACK, ack=7)
    scene.user.stream.close()
    scene.world.run(0)
    scene.sees(RST | ACK)
    late = Scene(World(), family)
    late.user.stream.close()
    late.world.run(0)
    late.sees(RST | ACK)
    late.sends(data=b"late")
    late.sees(RST)


# Urgent data (RFC 9293 3.8.5, RFC 6093).


def test_the_application_hears_of_urgent_data_and_how_much(world: World, family: int) -> None:
    """MUST-30, MUST-32, MUST-33: before it has read that far, and again when it advances."""
    scene = Scene(world, family)
    scene.user.limit = 0
    scene.sends(ACK | URG, data=b"abcdef", up=4)
    assert scene.user.events == [("urgent", 4)]
    assert scene.user.stream.urgent_left() == 4
    scene.user.limit = 3
    scene.user.stream.resume()
    world.run(0)
    assert scene.user.stream.urgent_left() == 1
    scene.sends(ACK | URG, seq=6, data=b"ghi", up=3)
    assert scene.user.events == [("urgent", 4), ("urgent", 6)]
    scene.user.limit = 100
    scene.user.stream.resume()
    world.run(0)
    assert scene.user.data == b"abcdefghi"
    assert scene.user.stream.urgent_left() == 0


def test_the_urgent_pointer_may_be_far_ahead(world: World, family: int) -> None:
    """MUST-31, MUST-32: told before the data is there."""
    scene = Scene(world, family)
    scene.sends(ACK | URG, data=b"x" * 1000, up=50_000)
    assert scene.user.events == [("urgent", 50_000)]
    assert scene.user.stream.urgent_left() == 49_000
    scene.sends(ACK | URG, seq=1000, data=b"x" * 1000, up=49_000)
    assert scene.user.events == [("urgent", 50_000)]  # the same pointer is no news


def test_old_urgent_pointers_are_no_news(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.sends(data=b"abcdef")
    scene.sends(ACK | URG, seq=3, data=b"defghi", up=2)  # points at what has been read
    assert scene.user.events == []
    scene.sends(ACK | URG, seq=6, data=b"ghijkl", up=5)  # counts from SEG.SEQ, trimmed or not
    assert scene.user.events == [("urgent", 2)]
    assert scene.user.data == b"abcdefghijkl"


def test_the_urgent_pointer_we_send_is_behind_the_last_octet(world: World, family: int) -> None:
    """MUST-62, and MUST-31 in our direction: every segment says how far it is from itself."""
    scene = Scene(world, family)
    scene.user.send(b"x" * 3500, flags=SEND_URGENT)
    world.run(0)
    seen = [(seg.flags & URG > 0, seg.up) for seg in segments(scene)]
    assert seen == [(True, 3500), (True, 2500), (True, 1500), (True, 500)]
    scene.sends(ack=3500)
    scene.user.send(b"calm")
    world.run(0)
    last = scene.sees(data=b"calm")
    assert (last.flags & URG, last.up) == (0, 0)


def segments(scene: Scene):
    return [seen.seg for seen in packets(scene) if seen.seg is not None]


def test_urgent_data_longer_than_the_pointer_can_say(world: World, family: int) -> None:
    """MUST-31: the pointer stays at its largest until the end comes near."""
    scene = Scene(world, family, {"wscale": 4})
    scene.user.send(b"x" * 100_000, flags=SEND_URGENT)
    world.run(0)
    acked = 0
    ups = []
    while acked < 100_000:
        for seg in segments(scene):
            at = (seg.seq - scene.iss - 1) & 0xFFFFFFFF
            ups.append(seg.up == min(100_000 - at, 65535) and seg.flags & URG > 0)
            acked = max(acked, at + seg.length)
        scene.sends(ack=acked)
    assert len(ups) == 100
    assert all(ups)


def test_urg_counts_when_the_window_is_closed(world: World, family: int) -> None:
    """MUST-66."""
    scene = Scene(world, family, tcp_receive_buffer=2000)
    scene.user.keep = True
    scene.sends(data=bytes(2000))
    scene.sees(ACK, wnd=0)
    scene.sends(ACK | URG, seq=2000, data=b"hurry", up=5)
    assert scene.user.events == [("urgent", 5)]
    scene.sees(ACK, ack=2000, wnd=0)


def test_urgent_data_with_the_fin(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.user.limit = 0
    scene.sends(ACK | URG | FIN, data=b"bye", up=3)
    assert scene.user.events == [("urgent", 3)]
    assert scene.user.stream.urgent_left() == 3


# Push.


def test_push_is_reported(world: World, family: int) -> None:
    """MAY-17."""
    scene = Scene(world, family)
    flags: list[int] = []
    take = scene.user.received

    class Watcher(User):
        def received(self, views: list[memoryview], count: int, how: int) -> int:
            flags.append(how)
            return take(views, count, how)

    scene.user.stream.attach(Watcher(scene.user.stream))
    scene.sends(data=b"more to come")
    scene.sends(ACK | PSH, seq=12, data=b"that is all")
    assert flags == [0, RECEIVED_PUSH]


def test_successive_pushes_are_merged(world: World, family: int) -> None:
    """SHLD-27, MAY-16, MUST-61: what is gathered into segments is pushed once, at its end."""
    scene = Scene(world, family)
    for _ in range(10):
        scene.user.send(b"x" * 250)
    world.run(0)
    assert [(seg.length, seg.flags & PSH) for seg in segments(scene)] == [
        (1000, 0),
        (1000, 0),
        (500, PSH),
    ]


def test_data_is_never_held_for_ever(world: World, family: int) -> None:
    """MUST-60: Nagle's rule waits for an ACK, silly window avoidance for a second at most."""
    scene = Scene(world, family)
    scene.user.send(b"one")
    scene.user.send(b"two")
    world.run(0)
    assert scene.sent() == [(0, 6)]
    scene.user.send(b"three")
    scene.sends(ack=6, win=2)
    world.run(SECOND + MS)
    assert scene.sent()[0] == (6, 2)


def test_the_override_of_silly_window_avoidance_comes_within_a_second(
    world: World, family: int
) -> None:
    """MUST-38: 0.1 to 1 s, however long the retransmission time-out is."""
    scene = Scene(world, family, tcp_rto_initial=8 * SECOND, tcp_rto_min=8 * SECOND)
    scene.sends(win=100)
    scene.user.send(bytes(3000))
    scene.sees_nothing(100 * MS)
    world.run(900 * MS)
    assert scene.sent() == [(0, 100)]
