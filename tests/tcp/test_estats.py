# SPDX-License-Identifier: MIT
"""RFC 4898's objects say what happened, and nothing is counted unless asked for."""

from __future__ import annotations

from stack.base.units import MS, SECOND
from tests.harness import World, quiet
from tests.tcp.scenes import Scene
from tests.tcp.users import joined


def test_both_ends_agree(world: World, family: int) -> None:
    a, b = world.pair(quiet(tcp_estats=True))
    client, _ = joined(world, a, b, family)
    client.send(bytes(100_000))
    world.run(SECOND)
    (near,), (far,) = a.stack.tcp.estats(), b.stack.tcp.estats()
    assert near["perf"]["DataOctetsOut"] == far["perf"]["DataOctetsIn"] == 100_000
    assert near["perf"]["DataSegsOut"] == far["perf"]["DataSegsIn"]
    assert near["app"]["ThruOctetsAcked"] == far["app"]["ThruOctetsReceived"] == 100_000
    assert near["app"]["SndNxt"] == far["app"]["RcvNxt"]
    assert near["perf"]["SegsRetrans"] == near["perf"]["OctetsRetrans"] == 0
    assert near["path"]["CountRTT"] > 0
    assert far["perf"]["MaxRwinSent"] == near["perf"]["MaxRwinRcvd"] > 0


def test_what_is_lost_and_what_is_reported(world: World, family: int) -> None:
    scene = Scene(world, family, {"sack_ok": True}, tcp_estats=True)
    scene.user.send(bytes(8000))
    world.run(MS)
    base = scene.iss + 1
    scene.sends(ack=0, sacks=[(base + 1000, base + 5000)])
    scene.sends(ack=8000, win=0)
    (groups,) = scene.host.stack.tcp.estats()
    assert groups["perf"]["SegsRetrans"] == 1
    assert groups["perf"]["OctetsRetrans"] == 1000
    assert groups["perf"]["DataOctetsOut"] == 9000
    assert (groups["stack"]["SACKsRcvd"], groups["stack"]["SACKBlocksRcvd"]) == (1, 1)
    assert groups["perf"]["ZeroRwinRcvd"] == 1


def test_nothing_is_counted_unless_asked_for(world: World, family: int) -> None:
    scene = Scene(world, family)
    assert scene.tcb.estats is None
    (groups,) = scene.host.stack.tcp.estats()
    assert "SegsOut" not in groups["perf"]
    assert groups["perf"]["CurMSS"] == 1000
