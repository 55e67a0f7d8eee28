# SPDX-License-Identifier: MIT
"""Finding the path MTU by probing (RFC 4821, RFC 8899), over wires that swallow what is too large
without a word."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack import Config
from stack.base import addr
from stack.base.units import MINUTE, MS, SECOND
from stack.tcp.mtu_probe import BASE, COMMON, COMPLETE, ERROR, SEARCHING, MtuSearch
from stack.tcp.tcb import NO_RECOVERY, Tcb
from stack.wire import ipv4
from stack.wire.tcp import ACK, SYN
from tap.impair import Impairment
from tap.port import Port
from tests.harness import Host, World, quiet
from tests.harness.world import RecordingPort
from tests.tcp.scenes import Scene
from tests.tcp.test_loss import icmp_about
from tests.tcp.users import User, connect, joined

ETHERNET = 14
PROBING = quiet(tcp_mtu_probing="always")


def base_of(family: int) -> int:
    return 1024 + 40 if family == addr.V4 else 1280


class Wire:
    """Two hosts, and a path that takes packets up to `limit` octets; `limit` may change."""

    def __init__(self, world: World, config: Config, limit: int, mtu: int = 1500) -> None:
        self.world = world
        self.limit = limit
        self.ports: list[RecordingPort] = []
        there = Impairment(delay=5 * MS, drop=self._swallows)
        back = Impairment(delay=5 * MS)
        self.a: Host
        self.b: Host
        self.a, self.b = world.pair(
            config, mtu=mtu, offload=False, there=there, back=back, wrap=self._recorded
        )

    def _swallows(self, number: int, frame: bytes) -> bool:
        return len(frame) - ETHERNET > self.limit

    def _recorded(self, port: Port) -> Port:
        self.ports.append(RecordingPort(port))
        return self.ports[-1]

    def sizes(self) -> list[int]:
        """Of the packets `a` has sent since the last question."""
        found = [len(frame) - ETHERNET for frame in self.ports[0].frames]
        self.ports[0].frames.clear()
        return found

    def connection(self) -> Tcb:
        return self.a.stack.tcp.connections()[0]

    def opened(self, family: int) -> tuple[User, User]:
        return joined(self.world, self.a, self.b, family)

    def bulk(self, user: User, seconds: int) -> int:
        """Send in spurts, so that no window grows out of hand; returns the octets."""
        for _ in range(seconds * 10):
            user.send(bytes(20_000))
            self.world.run(100 * MS)
        return seconds * 200_000


# The search itself.


def test_a_search_begins_at_the_base_and_tries_everything_first() -> None:
    search = MtuSearch(1064, 576, 0)
    assert search.settle(1500) == 1064
    assert (search.state, search.wanted) == (BASE, 1500)
    search.sent(100, 1460)
    search.succeeded()
    assert (search.low, search.state) == (1500, COMPLETE)


def test_a_size_is_given_up_after_three_losses() -> None:
    """RFC 8899 5.1.2."""
    search = MtuSearch(1064, 576, 0)
    search.settle(1500)
    for expected in (1500, 1500, 1499):
        search.sent(100, 1460)
        search.failed(0)
        assert search.high == expected
    assert search.wanted in COMMON
    assert search.again_at > 0


def test_a_path_that_may_have_grown_is_searched_again() -> None:
    search = MtuSearch(1064, 576, 0)
    search.settle(1400)
    search.sent(1, 1360)
    search.succeeded()
    assert search.state == COMPLETE
    assert search.settle(1500) == 1400
    assert (search.state, search.wanted) == (SEARCHING, 1500)
    assert search.settle(1300) == 1300
    assert search.state == COMPLETE


def test_below_the_base_is_an_error_from_which_it_climbs() -> None:
    search = MtuSearch(1064, 576, 0)
    search.settle(1500)
    search.black_hole(False, 0)
    assert (search.low, search.state) == (1064, BASE)
    search.black_hole(True, 0)
    assert (search.low, search.state, search.wanted) == (576, ERROR, 1500)


@given(st.integers(576, 65_535), st.integers(576, 65_535), st.integers(576, 1400))
def test_every_search_ends_close_below_the_path(path: int, ceiling: int, base: int) -> None:
    """It never settles on more than the path takes, nor, but for a sixteenth, on less."""
    search = MtuSearch(base, 576, 0)
    if path < base:
        search.black_hole(True, 0)
    search.settle(ceiling)
    for _ in range(100):
        if not search.wanted:
            break
        assert search.low < search.wanted <= ceiling
        search.sent(1, search.wanted)
        if search.wanted <= path:
            search.succeeded()
        else:
            search.failed(0)
    true = min(path, ceiling)
    assert not search.wanted
    assert search.low <= true or search.low == base
    assert true - search.low <= max(8, search.low // 16)


# Over a wire.


@pytest.mark.parametrize(
    ("limit", "mtu", "found"),
    [(1500, 1500, 1500), (1400, 1500, 1400), (1500, 9000, 1500), (9000, 9000, 9000)],
)
def test_the_path_mtu_is_found(world: World, family: int, limit: int, mtu: int, found: int) -> None:
    wire = Wire(world, PROBING, limit, mtu)
    client, server = wire.opened(family)
    tcb = wire.connection()
    assert tcb.snd.mss <= base_of(family) - tcb.path.overhead - 20 - 12
    sent = wire.bulk(client, 40)
    world.run(SECOND)
    assert len(server.data) == sent
    search = tcb.search
    assert search is not None
    assert (search.low, search.state) == (found, COMPLETE)
    assert tcb.snd.mss == found - tcb.path.overhead - 32
    assert max(wire.sizes()) == mtu  # it was tried, and never more
    wire.bulk(client, 1)
    assert max(wire.sizes()) == found
    assert wire.a.stack.tcp.info()[0].mtu_search == "complete"
    assert tcb.path.mtu == found  # and others need not search


def test_a_lost_probe_is_not_congestion(world: World, family: int) -> None:
    """RFC 4821 7.6.2: its data goes again, the window stays as it was."""
    wire = Wire(world, PROBING, 1400)
    client, server = wire.opened(family)
    tcb = wire.connection()
    window, resent, probes = tcb.cc.window, 0, 0
    for _ in range(400):
        client.send(bytes(20_000))
        for _ in range(10):
            world.run(5 * MS)
            assert tcb.cc.window >= window
            window = tcb.cc.window
            assert tcb.recover == NO_RECOVERY
            assert tcb.cc.ssthresh >= 1 << 30
            if tcb.resent > resent:
                assert tcb.resent - resent <= 1460  # the probe and nothing else
                resent = tcb.resent
                probes += 1
    assert probes >= 3
    world.run(SECOND)
    assert len(server.data) == 400 * 20_000
    assert server.data == bytes(400 * 20_000)


@pytest.mark.parametrize("rack", [True, False])
def test_a_lost_probe_is_told_from_a_loss(world: World, family: int, rack: bool) -> None:
    """With RACK or without: by SACK."""
    wire = Wire(world, quiet(tcp_mtu_probing="always", tcp_rack=rack), 1300)
    client, server = wire.opened(family)
    sent = wire.bulk(client, 40)
    world.run(SECOND)
    tcb = wire.connection()
    assert len(server.data) == sent
    assert tcb.cc.ssthresh >= 1 << 30
    assert tcb.search is not None
    assert tcb.search.state == COMPLETE
    assert 1280 <= tcb.search.low <= 1300


def test_without_sack_nothing_is_probed(world: World, family: int) -> None:
    wire = Wire(world, quiet(tcp_mtu_probing="always", tcp_sack=False), 1500)
    client, _ = wire.opened(family)
    wire.bulk(client, 2)
    assert max(wire.sizes()) <= base_of(family)


def test_a_probe_is_one_unfragmentable_packet(world: World, family: int) -> None:
    """RFC 4821 4.1: DF, and no super-segment a device would cut."""
    host, peer = world.host(PROBING, offload=True)
    peer.family = family
    user = connect(host, peer.mine)
    world.run(0)
    peer.sport = 80
    peer.received()
    peer.dport = int.from_bytes(peer.inbox[-1].body[:2], "big")
    syn = peer.sees(SYN)
    peer.sends(SYN | ACK, seq=1, ack=syn.seq + 1, mss=1460, sack_ok=True)
    user.send(bytes(10_000))
    world.run(0)
    seen = [s for s in peer.received() if s.seg is not None and s.seg.length]
    probe = seen[0]
    assert probe.seg is not None
    assert probe.gso_size == 0
    assert probe.seg.length == (1460 if family == addr.V4 else 1440)
    assert seen[1].gso_size == base_of(family) - (40 if family == addr.V4 else 60)
    if family == addr.V4:
        flags = int.from_bytes(probe.frame[probe.pkt.l4 - 14 :][:2], "big")
        assert flags & ipv4.DF


def test_too_little_data_is_not_probed_with(world: World, family: int) -> None:
    wire = Wire(world, PROBING, 1500)
    client, server = wire.opened(family)
    for _ in range(50):
        client.send(bytes(4000))
        world.run(50 * MS)
    assert max(wire.sizes()) <= base_of(family)
    assert len(server.data) == 200_000


def test_a_real_loss_beside_the_probe_is_congestion(world: World, family: int) -> None:
    """RFC 4821 7.6.4: then the probe proves nothing."""
    scene = Scene(world, family, {"mss": 1460, "sack_ok": True}, tcp_mtu_probing="always")
    scene.user.send(bytes(9000))
    world.run(0)
    segments = scene.sent()
    mss = scene.tcb.snd.mss
    probe = segments[0][1]
    assert probe > mss
    base = scene.iss + 1
    scene.sends(ack=0, sacks=[(base + probe + mss, base + 9000)])
    world.run(50 * MS)
    assert sum(length for _, length in scene.sent()) == probe + mss
    scene.sends(ack=9000)
    search = scene.tcb.search
    assert search is not None
    assert search.size == 0
    assert search.low < search.high == search.ceiling
    assert search.again_at > 0
    assert scene.tcb.cc.ssthresh < 1 << 30


def test_a_time_out_of_the_probe_counts_and_is_congestion(world: World, family: int) -> None:
    """RFC 4821 7.6.3."""
    scene = Scene(world, family, {"mss": 1460, "sack_ok": True}, tcp_mtu_probing="always")
    scene.user.send(bytes(9000))
    world.run(0)
    search = scene.tcb.search
    assert search is not None
    assert search.size
    world.run(2 * SECOND)
    assert search.size == 0
    assert search.again_at > 0
    assert scene.tcb.cc.ssthresh < 1 << 30
    scene.sends(ack=9000)
    assert search.low < 1460  # the pieces that arrived prove nothing about the whole


def test_a_report_about_the_probe_ends_it(world: World, family: int) -> None:
    """RFC 8899 4.6.2: the reported size is tried next."""
    scene = Scene(world, family, {"mss": 1460, "sack_ok": True}, tcp_mtu_probing="always")
    scene.user.send(bytes(30_000))
    world.run(0)
    window = scene.tcb.cc.window
    first = scene.sent()[0]
    icmp_about(scene, "big", 1400)
    search = scene.tcb.search
    assert search is not None
    assert scene.tcb.path.mtu == 1400
    assert sum(length for start, length in scene.sent() if start < first[1]) == first[1]
    assert scene.tcb.cc.window == window
    scene.sends(ack=scene.tcb.snd.nxt_at - 1)
    world.run(0)
    assert max(length for _, length in scene.sent()) == 1400 - scene.tcb.path.overhead - 20
    scene.sends(ack=scene.tcb.snd.nxt_at - 1)
    assert (search.low, search.state) == (1400, COMPLETE)


def test_a_finding_is_forgotten_and_the_search_goes_on(world: World, family: int) -> None:
    """RFC 4821 7.3: the path may have grown."""
    wire = Wire(world, PROBING, 1400)
    client, server = wire.opened(family)
    tcb = wire.connection()
    wire.bulk(client, 20)
    search = tcb.search
    assert search is not None
    assert (search.low, search.state, tcb.path.mtu) == (1400, COMPLETE, 1400)
    wire.limit = 1500
    wire.sizes()
    wire.bulk(client, 2)
    assert max(wire.sizes()) == 1400
    world.run(10 * MINUTE)
    wire.bulk(client, 2)
    assert (search.low, search.state, tcb.path.mtu) == (1500, COMPLETE, 1500)
    assert len(server.data) == 24 * 200_000


def test_what_one_found_others_begin_with(world: World, family: int) -> None:
    wire = Wire(world, PROBING, 1500)
    client, _ = wire.opened(family)
    wire.bulk(client, 1)
    connect(wire.a, wire.b.address(family))
    world.run(SECOND)
    second = wire.a.stack.tcp.connections()[-1]
    assert second.snd.mss == wire.connection().snd.mss == 1500 - second.path.overhead - 32


def test_a_hole_is_left_by_probing(world: World, family: int) -> None:
    """Mode "black-hole": full size until it vanishes, then the base, and up again."""
    wire = Wire(world, quiet(tcp_mtu_probing="black-hole"), 1500)
    client, server = wire.opened(family)
    tcb = wire.connection()
    wire.bulk(client, 1)
    assert tcb.search is None
    wire.limit = 1400
    sent = 200_000 + wire.bulk(client, 30)
    world.run(SECOND)
    search = tcb.search
    assert search is not None
    assert len(server.data) == sent
    assert (search.low, search.state) == (1400, COMPLETE)
    assert tcb.path.mtu == 1400


def test_a_hole_below_the_base(world: World) -> None:
    """IPv4 goes down to the floor; IPv6 has none below 1280 octets."""
    wire = Wire(world, PROBING, 700)
    client, server = wire.opened(addr.V4)
    sent = wire.bulk(client, 1)
    world.run(30 * SECOND)
    sent += wire.bulk(client, 20)
    world.run(SECOND)
    tcb = wire.connection()
    assert len(server.data) == sent
    assert tcb.search is not None
    assert 576 <= tcb.search.low <= 700


def test_ipv6_never_goes_below_1280(world: World) -> None:
    wire = Wire(world, PROBING, 1200)
    client, server = wire.opened(addr.V6)
    wire.bulk(client, 1)
    world.run(60 * SECOND)
    tcb = wire.connection()
    assert server.data == b""
    assert tcb.search is not None
    assert tcb.search.low == 1280
    assert tcb.snd.mss == 1280 - 40 - 32


def test_off_sends_nothing_odd(world: World, family: int) -> None:
    wire = Wire(world, quiet(), 1500)
    client, server = wire.opened(family)
    wire.bulk(client, 2)
    tcb = wire.connection()
    assert tcb.search is None
    assert set(wire.sizes()) <= set(range(1501))
    assert tcb.snd.mss == 1500 - tcb.path.overhead - 32
    assert tcb.resent == 0
    assert wire.a.stack.tcp.info()[0].mtu_search == "off"
    assert len(server.data) == 400_000


@settings(max_examples=25)
@given(
    st.sampled_from((addr.V4, addr.V6)),
    st.integers(576, 1500),
    st.sampled_from(("always", "black-hole")),
    st.sampled_from((0.0, 0.02)),
    st.booleans(),
    st.integers(0, 1 << 30),
)
def test_what_is_sent_is_received_whatever_the_path_swallows(
    family: int, limit: int, mode: str, loss: float, rack: bool, seed: int
) -> None:
    if family == addr.V6:
        limit = max(limit, 1280)
    world = World(seed)
    config = quiet(tcp_mtu_probing=mode, tcp_rack=rack, tcp_user_timeout=10_000 * SECOND)
    hole = Impairment(loss=loss, delay=5 * MS, drop=lambda _, frame: len(frame) - ETHERNET > limit)
    a, b = world.pair(config, offload=False, there=hole, back=Impairment(delay=5 * MS))
    client, server = joined(world, a, b, family)
    data = random.Random(seed).randbytes(400_000)
    client.send(data)
    for _ in range(600):
        world.run(SECOND)
        if len(server.data) == len(data):
            break
    assert server.data == data
    assert a.stack.tcp.connections()[0].snd.mss + 20 <= 1500
