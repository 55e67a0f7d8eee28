# SPDX-License-Identifier: MIT
"""The snapshot of a connection says what is so."""

from __future__ import annotations

from stack.base.units import MS, SECOND
from stack.wire.tcp import CWR, ECE, SYN
from tests.harness import World
from tests.tcp.scenes import Scene
from tests.tcp.users import joined


def test_two_ends_of_a_quiet_connection(world: World, family: int) -> None:
    a, b = world.pair()
    client, server = joined(world, a, b, family)
    client.send(bytes(100_000))
    server.send(bytes(5000))
    world.run(SECOND)
    (near,), (far,) = a.stack.tcp.info(), b.stack.tcp.info()
    assert (near.local, near.remote) == (far.remote, far.local)
    assert near.state == far.state == "ESTABLISHED"
    assert near.options == far.options == ("timestamps", "sack", "wscale")
    assert near.bytes_sent == near.bytes_acked == far.bytes_received == 100_000
    assert far.bytes_sent == far.bytes_acked == near.bytes_received == 5000
    assert near.unacked == near.notsent == near.bytes_retrans == far.unread == 0
    assert near.recovery == "open"
    assert near.congestion == "cubic"
    assert near.snd_wnd == far.rcv_wnd
    assert 0 < near.min_rtt <= near.srtt < SECOND
    assert near.pmtu == 1500


def test_what_is_out_and_what_is_lost(world: World, family: int) -> None:
    scene = Scene(world, family, {"sack_ok": True})
    scene.user.send(bytes(30_000))
    world.run(10 * MS)
    base = scene.iss + 1
    scene.sends(ack=0, sacks=[(base + 1000, base + 4000)])
    (info,) = scene.host.stack.tcp.info()
    assert info.recovery == "recovery"
    assert info.sacked == 3000
    assert info.unacked == scene.tcb.snd.flight
    assert info.notsent == 30_000 - info.bytes_sent
    assert info.bytes_retrans == 1000
    world.run(2 * SECOND)
    (info,) = scene.host.stack.tcp.info()
    assert info.recovery == "loss"
    assert info.retransmits > 0


def test_what_is_agreed_on(world: World, family: int) -> None:
    scene = Scene(world, family, flags=SYN | ECE | CWR)
    (info,) = scene.host.stack.tcp.info()
    assert info.options == ("ecn",)
    assert info.snd_mss == 1000
