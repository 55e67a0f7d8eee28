# SPDX-License-Identifier: MIT
"""SYN cookies (RFC 4987 3.6): beyond the backlog nothing is kept, and nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest

from stack.base.units import SECOND
from stack.tcp.names import ESTABLISHED
from stack.wire.tcp import ACK, PSH, RST, SYN, Segment
from tests.harness import Host, Peer, World
from tests.tcp.test_handshake import setup
from tests.tcp.users import Acceptor, serve

BACKLOG = 4


def flooded(world: World, family: int, **settings: Any) -> tuple[Host, Peer, Acceptor]:
    """A listener with as many half-open connections as it may have."""
    host, peer = setup(world, family, tcp_backlog=BACKLOG, **settings)
    acceptor = serve(host)
    for number in range(BACKLOG):
        peer.sends(SYN, seq=number, sport=50_000 + number)
    peer.received()
    peer.inbox.clear()
    assert len(host.stack.tcp.connections()) == BACKLOG
    return host, peer, acceptor


def cookie(peer: Peer, **options: Any) -> Segment:
    """The answer to a SYN from port 40000 with sequence number 100."""
    peer.sends(SYN, seq=100, **options)
    return peer.sees(SYN | ACK, ack=101)


def test_nothing_is_kept(world: World, family: int) -> None:
    host, peer, _ = flooded(world, family)
    for number in range(1000):
        peer.sends(SYN, seq=number, sport=20_000 + number)
    answers = peer.received()
    assert len(answers) == 1000
    assert len(host.stack.tcp.connections()) == BACKLOG
    assert host.drops() == {}


@pytest.mark.parametrize("mss", [0, 100, 536, 1000, 1460, 9000])
def test_the_peers_mss_comes_back_rounded_down(world: World, family: int, mss: int) -> None:
    host, peer, acceptor = flooded(world, family)
    synack = cookie(peer, mss=mss)
    peer.sends(ACK, seq=101, ack=synack.seq + 1)
    assert len(acceptor.users) == 1
    (tcb,) = [t for t in host.stack.tcp.connections() if t.state == ESTABLISHED]
    known = mss or (536 if family == 1 else 1220)
    assert known * 0.4 < tcb.snd.peer_mss <= known


def test_options_come_back_in_the_timestamp(world: World, family: int) -> None:
    host, peer, _ = flooded(world, family)
    synack = cookie(peer, mss=1460, wscale=7, sack_ok=True, ts=(5000, 0))
    assert synack.sack_permitted
    assert synack.wscale > 0
    assert synack.ts_ecr == 5000
    peer.sends(ACK, seq=101, ack=synack.seq + 1, win=100, ts=(5001, synack.ts_val))
    (tcb,) = [t for t in host.stack.tcp.connections() if t.state == ESTABLISHED]
    assert tcb.snd.wscale == 7
    assert tcb.snd.wnd == 100 << 7
    assert tcb.rcv.wscale == synack.wscale
    assert tcb.sack_ok
    assert tcb.ts_ok


def test_without_timestamps_they_are_lost(world: World, family: int) -> None:
    host, peer, _ = flooded(world, family)
    synack = cookie(peer, mss=1460, wscale=7, sack_ok=True)
    assert (synack.wscale, synack.sack_permitted, synack.has_ts) == (-1, False, False)
    peer.sends(ACK, seq=101, ack=synack.seq + 1)
    (tcb,) = [t for t in host.stack.tcp.connections() if t.state == ESTABLISHED]
    assert (tcb.snd.wscale, tcb.rcv.wscale, tcb.sack_ok) == (0, 0, False)


def test_data_goes_both_ways(world: World, family: int) -> None:
    _, peer, acceptor = flooded(world, family)
    synack = cookie(peer, mss=1000)
    peer.sends(ACK | PSH, seq=101, ack=synack.seq + 1, data=b"with the third segment")
    (user,) = acceptor.users
    assert user.data == b"with the third segment"
    user.send(b"answer")
    world.run(0)
    assert [s.data for s in peer.received() if s.data] == [b"answer"]


def test_time_does_not_run_backwards(world: World, family: int) -> None:
    """The timestamp of the cookie is not later than the next one."""
    _, peer, acceptor = flooded(world, family)
    synack = cookie(peer, ts=(5000, 0))
    peer.sends(ACK, seq=101, ack=synack.seq + 1, ts=(5001, synack.ts_val))
    acceptor.users[0].send(b"x")
    world.run(0)
    assert 0 <= (peer.sees(ACK | PSH).ts_val - synack.ts_val) & 0xFFFFFFFF < 200


@pytest.mark.parametrize("wrong", ["ack", "seq", "port", "late"])
def test_what_is_not_a_cookie_is_reset(world: World, family: int, wrong: str) -> None:
    host, peer, acceptor = flooded(world, family)
    synack = cookie(peer, mss=1460)
    seq, ack, sport = 101, synack.seq + 1, 40_000
    if wrong == "ack":
        ack ^= 1 << 7
    elif wrong == "seq":
        seq += 1
    elif wrong == "port":
        sport += 1
    else:
        world.run(200 * SECOND)
        peer.received()
        peer.inbox.clear()
    peer.sends(ACK, seq=seq, ack=ack & 0xFFFFFFFF, sport=sport)
    peer.sees(RST, seq=ack & 0xFFFFFFFF)
    assert acceptor.users == []
    assert not [t for t in host.stack.tcp.connections() if t.state == ESTABLISHED]


def test_a_cookie_lasts_a_minute(world: World, family: int) -> None:
    _, peer, acceptor = flooded(world, family)
    synack = cookie(peer, mss=1460)
    world.run(60 * SECOND)
    peer.received()
    peer.inbox.clear()
    peer.sends(ACK, seq=101, ack=synack.seq + 1)
    assert len(acceptor.users) == 1


def test_off_the_syn_is_dropped(world: World, family: int) -> None:
    host, peer, _ = flooded(world, family, tcp_syn_cookies=False)
    peer.sends(SYN, seq=100)
    peer.sees_nothing()
    assert host.drops() == {"tcp_backlog_full": 1}


def test_below_the_backlog_there_are_none(world: World, family: int) -> None:
    host, peer = setup(world, family)
    serve(host)
    peer.sends(SYN, seq=100)
    peer.sees(SYN | ACK)
    assert len(host.stack.tcp.connections()) == 1
