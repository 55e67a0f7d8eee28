# SPDX-License-Identifier: MIT
"""RFC 4898's objects say what happened, and nothing is counted unless asked for."""

from __future__ import annotations

from stack.base.units import MS, SECOND
from stack.tcp.estats import COUNTED, Estats, own
from tests.harness import World, quiet
from tests.tcp.scenes import Scene
from tests.tcp.test_rack import flight, measured, sacked
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


def of(scene: Scene, group: str) -> dict[str, int]:
    (groups,) = scene.host.stack.tcp.estats()
    return groups[group]


def test_a_recovery(world: World, family: int) -> None:
    scene = Scene(world, family, {"sack_ok": True}, tcp_estats=True)
    scene.user.send(bytes(10_000))
    world.run(MS)
    base = scene.iss + 1
    window = scene.tcb.cc.window
    for end in (2000, 3000, 4000):
        scene.sends(ack=0, sacks=[(base + 1000, base + end)])
    scene.sends(ack=10_000)
    perf, path, stack = of(scene, "perf"), of(scene, "path"), of(scene, "stack")
    assert (perf["CongSignals"], perf["Timeouts"], stack["FastRetran"]) == (1, 0, 1)
    assert path["PreCongSumCwnd"] == window
    assert (stack["DupAcksIn"], stack["DupAckEpisodes"]) == (3, 1)
    assert perf["MinSsthresh"] == perf["MaxSsthresh"] == scene.tcb.cc.ssthresh
    assert perf["MaxSsCwnd"] == window
    assert stack["MaxRetxQueue"] == 10_000
    assert path["SumOctetsReordered"] == 0


def test_reordering(world: World, family: int) -> None:
    """What was reported out of order and needed nothing sent again."""
    scene = measured(world, family, tcp_estats=True)
    flight(scene)
    sacked(scene, 10, (1010, 2010))
    scene.sends(ack=2010)
    path = of(scene, "path")
    assert (path["NonRecovDA"], path["NonRecovDAEpisodes"]) == (1, 1)
    assert path["SumOctetsReordered"] == 1000


def test_time_outs(world: World, family: int) -> None:
    scene = Scene(world, family, tcp_estats=True)
    scene.user.send(bytes(1000))
    while scene.tcb.retries < 3:
        world.run(100 * MS)
        scene.peer.received()
    perf, stack = of(scene, "perf"), of(scene, "stack")
    assert (perf["Timeouts"], perf["CongSignals"]) == (3, 1)
    assert (stack["SubsequentTimeouts"], stack["AbruptTimeouts"]) == (2, 1)
    assert stack["CurTimeoutCount"] == 3


def test_what_limits_sending(world: World, family: int) -> None:
    """The application, then the congestion window, then the peer's window."""
    scene = Scene(world, family, tcp_estats=True)
    world.run(SECOND)
    scene.user.send(bytes(30_000))
    world.run(100 * MS)
    scene.sends(ack=10_000, win=2000)
    world.run(50 * MS)
    perf = of(scene, "perf")
    assert perf["SndLimTimeSnd"] == 1000
    assert (perf["SndLimTransCwnd"], perf["SndLimTimeCwnd"]) == (1, 100)
    assert (perf["SndLimTransRwin"], perf["SndLimTimeRwin"]) == (1, 50)
    assert perf["SndLimBytesSnd"] + perf["SndLimBytesCwnd"] + perf["SndLimBytesRwin"] == 12_000
    assert (perf["ElapsedSecs"], perf["ElapsedMicroSecs"]) == (1, 150_000)


def test_every_counter_has_a_place() -> None:
    """The counters that exist are the objects that are told."""
    told = {own(name) for names in COUNTED.values() for name in names}
    assert told == set(Estats.__slots__) - {"watch"}
    assert told == set(Estats.__annotations__) - {"watch"}
