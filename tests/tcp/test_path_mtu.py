# SPDX-License-Identifier: MIT
"""What reports about the path do to a connection (RFC 5927 7, RFC 5461), and the MSS clamp."""

from __future__ import annotations

import pytest

from stack import Config
from stack.base import addr
from stack.base.units import MS, SECOND
from stack.tcp.names import ESTABLISHED
from stack.wire.tcp import ACK, SYN
from tests.harness import World
from tests.tcp.scenes import Scene
from tests.tcp.test_handshake import active
from tests.tcp.test_loss import icmp_about, quote
from tests.tcp.users import joined, serve


def proven(world: World, family: int, size: int = 1400) -> Scene:
    """A connection that has had a full segment acknowledged, and has two more in flight."""
    options = {"mss": size, "sack_ok": True}
    scene = Scene(world, family, options, tcp_black_hole_detection=False)
    scene.user.send(bytes(size))
    world.run(10 * MS)
    scene.sends(ack=size)
    scene.user.send(bytes(2 * size))
    world.run(0)
    scene.sent()
    return scene


def test_a_report_against_progress_waits(world: World, family: int) -> None:
    """RFC 5927 7.2: segments of that size have arrived."""
    scene = proven(world, family)
    icmp_about(scene, "big", 1300, seq=1400)
    assert scene.tcb.path.mtu == 1500
    scene.sees_nothing()
    scene.sends(ack=4200)
    scene.user.send(bytes(2800))
    world.run(10 * SECOND)  # time-outs later on are no reason to believe it
    assert scene.tcb.path.mtu == 1500
    assert {length for _, length in scene.sent()} == {1400}


def test_a_report_is_believed_when_the_data_times_out(world: World, family: int) -> None:
    """RFC 5927 7.2: then the path has shrunk indeed."""
    scene = proven(world, family)
    icmp_about(scene, "big", 1300, seq=1400)
    world.run(2 * SECOND)
    assert scene.tcb.path.mtu == 1300
    expected = 1300 - scene.tcb.path.overhead - 20
    sizes = [length for _, length in scene.sent()]
    assert max(sizes[1:]) == expected  # the tail loss probe came first
    icmp_about(scene, "big", 1290, seq=1400)  # nothing of the new size has arrived yet
    assert scene.tcb.path.mtu == 1290


def test_a_report_that_names_no_less_than_was_sent_is_forged(world: World, family: int) -> None:
    """RFC 5927 7.2: no router would have said that."""
    scene = Scene(world, family, {"mss": 1000})
    scene.user.send(bytes(3000))
    world.run(0)
    size = 1000 + 20 + scene.tcb.path.overhead
    icmp_about(scene, "big", 1400)
    assert scene.tcb.path.mtu == 1500
    if family == addr.V4:
        icmp_about(scene, "big", size)
        assert scene.tcb.path.mtu == 1500
        icmp_about(scene, "big", size - 1)
        assert scene.tcb.path.mtu == size - 1


@pytest.mark.parametrize(
    ("errors", "fatal"),
    [
        ("hard", {"port": True, "host": False, "ttl": False}),
        ("all", {"port": True, "host": True, "ttl": True}),
        ("none", {"port": False, "host": False, "ttl": False}),
    ],
)
def test_which_errors_end_an_attempt(family: int, errors: str, fatal: dict[str, bool]) -> None:
    """RFC 5461 4.1, RFC 5927 5.2."""
    for what, ends in fatal.items():
        _, peer, user = active(World(), family, tcp_connect_errors=errors)
        syn = peer.sees(SYN)
        quote(peer, what, (peer.dport, peer.sport), syn.seq)
        assert bool(user.events) == ends


@pytest.mark.parametrize("errors", ["hard", "all"])
@pytest.mark.parametrize("what", ["port", "host", "ttl"])
def test_none_ends_what_is_established(world: World, family: int, errors: str, what: str) -> None:
    """RFC 5461 4: soft once synchronized, however it is set."""
    scene = Scene(world, family, tcp_connect_errors=errors)
    scene.user.send(b"data")
    world.run(0)
    icmp_about(scene, what)
    assert scene.tcb.state == ESTABLISHED
    assert len(scene.user.troubles) == 1
    scene.sees(ack=0)
    scene.sends(ack=4)
    assert scene.user.events == [("send", "OK", 4)]


def test_the_clamp_bounds_what_is_announced_and_used(world: World, family: int) -> None:
    host, peer, _ = active(world, family, tcp_mss_clamp=1200)
    syn = peer.sees(SYN, mss=1200)
    peer.sends(SYN | ACK, seq=1, ack=syn.seq + 1, mss=1400)
    (tcb,) = host.stack.tcp.connections()
    assert (tcb.snd.mss, tcb.rcv.mss) == (1200, 1200)
    serve(host, 81)
    peer.sport, peer.dport = 40000, 81
    peer.received()
    peer.inbox.clear()
    peer.sends(SYN, seq=1, mss=1000)
    peer.sees(SYN | ACK, mss=1200)
    assert host.stack.tcp.connections()[-1].snd.mss == 1000


def test_a_clamp_above_the_interface_does_nothing(world: World, family: int) -> None:
    a, b = world.pair(Config(dad=False, tcp_mss_clamp=9000))
    joined(world, a, b, family)
    (tcb,) = a.stack.tcp.connections()
    assert tcb.rcv.mss == 1500 - tcb.path.overhead - 20


@pytest.mark.parametrize(
    "setting",
    [
        {"tcp_mss_clamp": 47},
        {"tcp_base_mss": 0},
        {"tcp_mtu_probing": "sometimes"},
        {"tcp_connect_errors": "soft"},
    ],
)
def test_nonsense_is_refused(setting: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        Config(**setting)  # type: ignore[arg-type]
