# SPDX-License-Identifier: MIT
"""The reachability machine (RFC 4861 7.3), one body for ARP and NDP."""

from __future__ import annotations

from itertools import pairwise

import pytest

from stack import Config
from stack.base import addr
from stack.base.status import OK
from stack.base.units import MS, SECOND
from stack.link import neighbor
from stack.link.neighbor import Neighbor
from stack.wire import describe, icmp6, ndp
from stack.wire.tcp import ACK
from tests.harness import Host, Peer, World, quiet
from tests.harness.segment import Segment

OTHER = bytes.fromhex("020000000099")


def setup(world: World, family: int, config: Config | None = None) -> tuple[Host, Peer]:
    host, peer = world.host(config)
    peer.family = family
    return host, peer


def ping(host: Host, peer: Peer, count: int = 1) -> None:
    for number in range(count):
        host.stack.icmp_for(peer.mine).echo(peer.mine, 7, number, b"data")


def entry(host: Host, peer: Peer) -> Neighbor:
    return host.nic.neighbors.entries[peer.mine]


def questions(peer: Peer) -> int:
    """ARP requests or neighbor solicitations the stack has sent."""
    peer.received()
    marks = ("who-has", "neighbor solicitation")
    return sum(any(m in line for m in marks) for line in peer.log if line[0] == "<")


def test_resolves_on_use_and_sends_what_waited(world: World, family: int) -> None:
    host, peer = setup(world, family)
    ping(host, peer, 3)
    world.run(0)
    assert entry(host, peer).state == neighbor.INCOMPLETE
    assert questions(peer) == 1
    assert len(peer.inbox) == 3
    assert entry(host, peer).state == neighbor.REACHABLE


@pytest.mark.parametrize("limit", [1, 16])
def test_queue_keeps_the_latest_and_counts_the_rest(world: World, family: int, limit: int) -> None:
    host, peer = setup(world, family, quiet(neighbor_queue=limit))
    peer.silent = True
    ping(host, peer, limit + 5)
    world.run(0)
    assert host.drops() == {"neighbor_queue_full": 5}
    assert len(entry(host, peer).queue) == limit


def test_gives_up_after_three_questions(world: World, family: int) -> None:
    host, peer = setup(world, family)
    peer.silent = True
    ping(host, peer, 2)
    world.run(10 * SECOND)
    assert questions(peer) == 3
    assert host.drops() == {"neighbor_failed": 2}
    assert peer.mine not in host.nic.neighbors.entries


def test_a_failed_neighbour_can_come_back(world: World, family: int) -> None:
    host, peer = setup(world, family)
    peer.silent = True
    ping(host, peer)
    world.run(10 * SECOND)
    peer.silent = False
    ping(host, peer)
    world.run(0)
    peer.received()
    assert entry(host, peer).state == neighbor.REACHABLE
    assert len(peer.inbox) == 1


def test_reachable_grows_stale_without_traffic(world: World, family: int) -> None:
    host, peer = setup(world, family)
    ping(host, peer)
    peer.received()
    world.run(46 * SECOND)
    assert entry(host, peer).state == neighbor.STALE
    assert questions(peer) == 1


def test_stale_is_used_then_probed_by_unicast(world: World, family: int) -> None:
    host, peer = setup(world, family)
    ping(host, peer)
    peer.received()
    world.run(46 * SECOND)
    ping(host, peer)
    world.run(0)
    assert entry(host, peer).state == neighbor.DELAY
    world.run(5 * SECOND + MS)
    assert entry(host, peer).state == neighbor.PROBE
    probe = None
    while (frame := peer.port.read()) is not None:
        probe = frame
    assert probe is not None
    assert probe[:6] == peer.port.mac
    assert ("who-has" in describe.frame(probe)) or ("solicitation" in describe.frame(probe))


def test_probe_without_answer_ends_the_entry(world: World, family: int) -> None:
    """RFC 4861 7.3.3, to the letter."""
    host, peer = setup(world, family, quiet(neighbor_patience=False))
    ping(host, peer)
    peer.received()
    peer.silent = True
    world.run(46 * SECOND)
    ping(host, peer)
    world.run(9 * SECOND)
    assert peer.mine not in host.nic.neighbors.entries
    assert questions(peer) == 4  # the first, and three probes


def test_progress_above_confirms(world: World, family: int) -> None:
    """RFC 4861 7.3.1: a TCP acknowledgment spares the probe."""
    host, peer = setup(world, family)
    listener = host.listener()
    listener.bind(b"", 80, 0)
    synack = peer.handshake()
    stream = listener.accept()
    assert stream is not None
    world.run(46 * SECOND)
    assert entry(host, peer).state == neighbor.STALE
    stream.send([memoryview(b"hello")], 5, 0, None)
    world.run(0)
    assert entry(host, peer).state == neighbor.DELAY
    peer.sends(ACK, seq=101, ack=synack.seq + 6)
    assert entry(host, peer).state == neighbor.REACHABLE
    before = questions(peer)
    world.run(10 * SECOND)
    assert questions(peer) == before


def test_the_table_is_bounded(family: int) -> None:
    world = World()
    host, peer = world.host(quiet(neighbor_limit=16))
    base = peer.v4[:3] if family == addr.V4 else peer.v6[:15]
    for number in range(100, 200):
        target = base + bytes((number,))
        host.stack.icmp_for(target).echo(target, 1, 1, b"")
    world.run(0)
    assert len(host.nic.neighbors.entries) <= 16
    assert host.drops()["neighbor_table_full"] >= 84


def test_advertisement_without_override_does_not_change_the_address(world: World) -> None:
    """RFC 4861 7.2.5: O=0 with another address turns REACHABLE into STALE and no more."""
    host, peer = setup(world, addr.V6)
    ping(host, peer)
    peer.received()
    cache = host.nic.neighbors
    other = bytes.fromhex("020000000077")
    cache.advertised(peer.v6, other, solicited=False, override=False, router=False)
    assert entry(host, peer).state == neighbor.STALE
    assert entry(host, peer).lladdr == peer.port.mac
    cache.advertised(peer.v6, other, solicited=False, override=True, router=False)
    assert entry(host, peer).state == neighbor.STALE
    assert entry(host, peer).lladdr == other
    cache.advertised(peer.v6, other, solicited=True, override=False, router=True)
    assert entry(host, peer).state == neighbor.REACHABLE
    assert entry(host, peer).is_router


def test_unasked_advertisement_creates_nothing(world: World) -> None:
    host, peer = setup(world, addr.V6)
    body = ndp.build(icmp6.NEIGHBOR_ADVERTISEMENT, ndp.FLAG_OVERRIDE, peer.v6, 2, peer.port.mac)
    body = peer.checked(58, body, 2, peer.v6, host.v6)
    peer.frame(*peer.packet_bytes(58, body, src=peer.v6, dst=host.v6, ttl=255))
    world.run(0)
    assert host.drops() == {"ndp_unknown_neighbor": 1}
    assert host.nic.neighbors.entries == {}


# Patience (RFC 7048).


def test_an_unanswered_probe_ends_in_patience(world: World, family: int) -> None:
    """Three unicast probes, then multicast ones 3, 9, 27 and then 60 s apart while it is used, and
    packets go where it was all the while."""
    segment = Segment(world)
    station = segment.station(9)
    target = station.own(family)
    segment.ping(target)
    station.alive = False
    world.run(46 * SECOND)
    began = len(segment.log)
    for _ in range(400):
        segment.ping(target)
        world.run(SECOND)
    lines = [(when, line) for when, line in segment.log[began:] if "echo" not in line]
    asked = [(frame[0] & 1, when) for when, frame in segment.frames if _asks(frame)]
    asked = [entry for entry in asked if entry[1] >= lines[0][0]]
    assert [cast for cast, _ in asked][:3] == [0, 0, 0]
    assert all(cast for cast, _ in asked[3:])
    pauses = [b - a for (_, a), (_, b) in pairwise(asked)]
    assert pauses[:9] == [n * SECOND for n in (1, 1, 1, 3, 9, 27, 60, 60, 60)]
    assert sum("echo" in line for _, line in segment.log[began:]) == 400
    assert segment.host.drops() == {}
    entry = segment.host.nic.neighbors.entries[target]
    assert entry.state == neighbor.UNREACHABLE
    station.alive = True
    world.run(60 * SECOND)
    assert entry.state in (neighbor.REACHABLE, neighbor.STALE)


def _asks(frame: bytes) -> bool:
    line = describe.frame(frame)
    return "who-has" in line or "neighbor solicitation" in line


def test_who_is_not_used_is_not_asked_for_and_forgotten(world: World, family: int) -> None:
    host, peer = setup(world, family)
    ping(host, peer)
    peer.received()
    peer.silent = True
    world.run(46 * SECOND)
    ping(host, peer)
    world.run(9 * SECOND)
    assert entry(host, peer).state == neighbor.UNREACHABLE
    world.run(3 * SECOND)
    assert peer.mine not in host.nic.neighbors.entries
    before = questions(peer)
    world.run(600 * SECOND)
    assert questions(peer) == before


def test_progress_above_ends_the_patience(world: World, family: int) -> None:
    host, peer = setup(world, family)
    ping(host, peer)
    peer.received()
    peer.silent = True
    world.run(46 * SECOND)
    ping(host, peer)
    world.run(9 * SECOND)
    entry(host, peer).confirm()
    assert entry(host, peer).state == neighbor.REACHABLE


@pytest.mark.parametrize(("lladdr", "state"), [(b"", "UNREACHABLE"), (OTHER, "STALE")])
def test_what_is_heard_of_an_unreachable_one(
    world: World, family: int, lladdr: bytes, state: str
) -> None:
    """The same link-layer address says nothing new, another one is tried."""
    host, peer = setup(world, family)
    ping(host, peer)
    peer.received()
    peer.silent = True
    world.run(46 * SECOND)
    ping(host, peer)
    world.run(9 * SECOND)
    host.nic.neighbors.heard(peer.mine, lladdr or peer.port.mac, create=True)
    assert neighbor.STATE_NAMES[entry(host, peer).state] == state


# Hold-off (RFC 1122 2.3.2.1).


def test_after_a_failure_nobody_is_asked_for_a_while(world: World, family: int) -> None:
    """What is sent meanwhile fails at once, and its sender hears of it."""
    host, peer = setup(world, family, quiet(neighbor_hold_off=5 * SECOND))
    peer.silent = True
    endpoint = host.datagram()
    endpoint.bind(b"", 0, 0)
    ping(host, peer)
    world.run(3 * SECOND)
    assert host.drops() == {"neighbor_failed": 1}
    layer = host.stack.host.layer_of(peer.mine)
    for count in range(2, 6):
        ping(host, peer)
        world.run(SECOND)
        assert host.drops() == {"neighbor_failed": count}
        assert layer.counters.out_discards == count
    assert questions(peer) == 3
    world.run(SECOND)
    assert peer.mine not in host.nic.neighbors.entries
    peer.silent = False
    ping(host, peer)
    world.run(0)
    peer.received()
    assert entry(host, peer).state == neighbor.REACHABLE


def test_a_failed_neighbour_that_speaks_is_believed(world: World, family: int) -> None:
    host, peer = setup(world, family, quiet(neighbor_hold_off=60 * SECOND))
    peer.silent = True
    ping(host, peer)
    world.run(5 * SECOND)
    host.nic.neighbors.heard(peer.mine, peer.port.mac, create=True)
    assert entry(host, peer).state == neighbor.STALE


# Bounds (RFC 6583).


def fill(host: Host, family: int, numbers: range) -> list[bytes]:
    """Echo requests to so many addresses that nobody has."""
    base = bytes((10, 77, 0)) if family == addr.V4 else host.v6[:15]
    targets = [base + bytes((number,)) for number in numbers]
    for target in targets:
        host.stack.icmp_for(target).echo(target, 1, 1, b"")
    return targets


def test_resolutions_at_once_are_bounded_and_the_oldest_gives_way(family: int) -> None:
    world = World()
    host, _ = world.host(quiet(neighbor_unresolved_limit=8))
    targets = fill(host, family, range(100, 120))
    world.run(0)
    assert list(host.nic.neighbors.entries) == targets[-8:]
    assert host.drops() == {"neighbor_table_full": 12}


def test_resolutions_in_a_second_are_bounded(family: int) -> None:
    world = World()
    host, peer = world.host(quiet(neighbor_rate=10))
    fill(host, family, range(100, 150))
    world.run(0)
    assert questions(peer) == 10
    assert host.drops() == {"neighbor_rate": 40}
    world.run(SECOND // 2)
    before = questions(peer)  # the first ten may have been asked for again
    fill(host, family, range(150, 200))
    world.run(0)
    assert questions(peer) - before == 5


def test_neither_routers_nor_reachable_neighbours_give_way(family: int) -> None:
    world = World()
    segment = Segment(world, quiet(neighbor_limit=16))
    host = segment.host
    stations = [segment.station(number) for number in range(20, 34)]
    targets = [s.own(family) for s in stations]
    for target in targets:
        segment.ping(target)
    router = segment.station(40)
    gateway = router.address(family)
    any_ = "0.0.0.0" if family == addr.V4 else "::"
    host.stack.add_route(any_, 0, host.nic, addr.text(gateway))
    far = addr.parse("192.0.2.1" if family == addr.V4 else "2001:db8::1")
    segment.ping(far)
    fill(host, family, range(100, 200))
    world.run(0)
    entries = host.nic.neighbors.entries
    assert len(entries) == 16
    assert all(entries[target].state == neighbor.REACHABLE for target in targets)
    assert gateway in entries
    world.run(60 * SECOND)
    assert entries[gateway].state == neighbor.STALE
    fill(host, family, range(100, 200))
    world.run(0)
    assert gateway in entries
    assert not any(target in entries for target in targets)


def acquainted(family: int) -> tuple[Segment, bytes]:
    """A link where the host has room for 16, and has just spoken with who has this address."""
    segment = Segment(World(), quiet(neighbor_limit=16))
    own = segment.station(9).own(family)
    segment.ping(own)
    return segment, own


def test_strangers_who_only_spoke_leave_room_for_others(family: int) -> None:
    """RFC 6583 7.1: nobody has confirmed that they are there, though we sent them something."""
    segment, own = acquainted(family)
    cache = segment.host.nic.neighbors
    cache.heard(own, OTHER, create=True)  # it was confirmed elsewhere, and is asked for again
    for number in range(100, 140):
        stranger = own[:-1] + bytes((number,))
        cache.heard(stranger, OTHER, create=True)
        segment.ping(stranger)
        assert cache.entries[stranger].state == neighbor.DELAY
    assert len(cache.entries) == 16
    newcomer = segment.station(10)
    segment.ping(newcomer.own(family))
    assert newcomer.heard


def test_who_was_confirmed_and_is_asked_for_again_gives_way_to_nobody(family: int) -> None:
    segment, own = acquainted(family)
    cache = segment.host.nic.neighbors
    segment.world.run(46 * SECOND)
    segment.ping(own)
    assert cache.entries[own].state == neighbor.DELAY
    for number in range(100, 140):
        cache.heard(own[:-1] + bytes((number,)), OTHER, create=True)
        segment.ping(own[:-1] + bytes((number,)))
    assert cache.entries[own].state == neighbor.DELAY


def test_who_speaks_to_us_drives_out_nobody_in_resolution(family: int) -> None:
    """A flood of requests for our own address costs no packet of ours."""
    world = World()
    host, _ = world.host(quiet(neighbor_limit=16))
    targets = fill(host, family, range(100, 116))
    base = targets[0][:-1]
    for number in range(20, 90):
        host.nic.neighbors.heard(base + bytes((number,)), OTHER, create=True)
    assert set(host.nic.neighbors.entries) == set(targets)
    assert host.drops() == {}


def test_an_evicted_neighbour_is_found_again_by_those_who_hold_it(
    world: World, family: int
) -> None:
    """Whoever still holds the old entry goes through the new one, and vouches for that."""
    segment = Segment(world)
    station = segment.station(9)
    target = station.own(family)
    layer = segment.host.stack.host.layer_of(target)
    cache = segment.host.nic.neighbors
    old = layer.path(target)
    assert old is not None
    assert cache.remove(target)
    layer.invalidate()
    segment.ping(target)
    fresh = cache.entries[target]
    assert fresh is not old.neighbor
    head = layer.head
    head.reset()
    assert old.send(head, (bytes(8),), 8, 253) == OK
    world.run(0)
    assert len(station.heard) == 2
    assert len(station.asked) == 1
    world.run(46 * SECOND)
    segment.ping(target)
    assert fresh.state == neighbor.DELAY
    old.confirm()
    assert fresh.state == neighbor.REACHABLE


# Configured ones.


def test_a_static_neighbour_is_never_asked_for_nor_changed(world: World, family: int) -> None:
    segment = Segment(world)
    station = segment.station(9)
    target = station.own(family)
    cache = segment.host.nic.neighbors
    cache.add_static(target, station.mac)
    for _ in range(100):
        segment.ping(target)
        world.run(SECOND)
    assert station.asked == []
    assert len(station.heard) == 100
    cache.heard(target, OTHER, create=True)
    assert cache.advertised(target, OTHER, solicited=True, override=True, router=False)
    cache.entries[target].doubt()
    segment.host.stack.set_link(segment.host.nic, False)
    segment.host.stack.set_link(segment.host.nic, True)
    assert (cache.entries[target].lladdr, cache.entries[target].permanent) == (station.mac, True)
    assert cache.remove(target)
    assert not cache.remove(target)
    segment.ping(target)
    assert len(station.asked) == 1


def test_a_static_neighbour_gets_what_waited(world: World, family: int) -> None:
    segment = Segment(world)
    station = segment.station(9)
    target = station.own(family)
    station.alive = False
    segment.ping(target)
    station.alive = True
    segment.host.nic.neighbors.add_static(target, station.mac)
    world.run(0)
    assert len(station.heard) == 1
    segment.host.nic.neighbors.add_static(target, OTHER)
    segment.ping(target)
    assert segment.frames[-1][1][:6] == OTHER


# Ourselves.


def test_a_new_link_layer_address_is_told_three_times(world: World, family: int) -> None:
    """ND-21, RFC 4861 7.2.6; and everything from then on comes from there."""
    segment = Segment(world)
    host = segment.host
    station = segment.station(9)
    target = station.own(family)
    segment.ping(target)
    began = len(segment.frames)
    host.stack.host.set_mac(host.nic, OTHER)
    world.run(10 * SECOND)
    mark = "10.77.0.1 tell 10.77.0.1" if family == addr.V4 else "fd77::1 > ff02::1 "
    told = segment.questions(mark)
    assert [b - a for a, b in pairwise(told)] == [SECOND, SECOND]
    assert len(told) == 3
    segment.ping(target)
    world.run(0)
    assert all(frame[6:12] == OTHER for _, frame in segment.frames[began:])
    assert len(station.heard) == 2


def test_the_question_comes_from_the_address_of_what_waits(world: World, family: int) -> None:
    """RFC 4861 7.2.2; ARP does as much."""
    segment = Segment(world)
    host = segment.host
    station = segment.station(9)
    target = station.own(family)
    other = "10.77.0.200" if family == addr.V4 else "fd77::200"
    host.stack.add_address(host.nic, other, 24 if family == addr.V4 else 64)
    endpoint = host.datagram()
    assert endpoint.bind(addr.parse(other), 4000, 0) == OK
    assert endpoint.send([memoryview(b"hello")], 5, target, 7, 0) == OK
    world.run(0)
    (line,) = [line for _, line in segment.log if "who-has" in line or "solicitation" in line]
    assert (f"tell {other}" if family == addr.V4 else f"{other} > ") in line
