# SPDX-License-Identifier: MIT
"""Paths: path MTU by destination and interface, the strong host model, identifications."""

from __future__ import annotations

from itertools import pairwise

import pytest

from stack.base import addr, status
from stack.base.packet import Packet
from stack.base.units import SECOND
from stack.ip.identities import Identities
from stack.ip.path import Path
from stack.link.nic import Nic
from stack.transport.options import OPTION_LARGEST_PACKET
from stack.wire import ethernet, ipv4, ipv6
from tap.clock import VirtualEnv
from tap.memory import wire
from tests.harness import Host, Peer, World, quiet


def second(host: Host, mtu: int = 1500) -> Nic:
    """Another interface: 10.88.0.1/24 and fd88::1/64."""
    port, _ = wire(b"\2\0\0\0\0\x31", b"\2\0\0\0\0\x32", mtu)
    nic = host.stack.add_nic(port, "other")
    host.stack.add_address(nic, "10.88.0.1", 24)
    host.stack.add_address(nic, "fd88::1", 64)
    return nic


def way(host: Host, dst: bytes, src: bytes = b"", nic: Nic | None = None) -> Path:
    path = host.stack.host.layer_of(dst).path(dst, src, nic)
    assert path is not None
    return path


# Path MTU.


def test_an_estimate_belongs_to_an_interface(world: World, family: int) -> None:
    host, peer = world.host()
    peer.family = family
    other = second(host)
    default = ("0.0.0.0", "10.77.0.9", "10.88.0.9")
    if family == addr.V6:
        default = ("::", "fd77::9", "fd88::9")
    for metric, (nic, gateway) in enumerate(((host.nic, default[1]), (other, default[2]))):
        host.stack.add_route(default[0], 0, nic, gateway, metric)
    far = addr.parse("192.0.2.7" if family == addr.V4 else "2001:db8::7")
    paths = [way(host, far, b"", nic) for nic in (host.nic, other)]
    host.stack.host.pmtu.lower(paths[0], 1300)
    assert [path.mtu for path in paths] == [1300, 1500]
    assert way(host, far).mtu == 1300
    host.stack.remove_route(default[0], 0, host.nic, default[1])
    assert way(host, far).mtu == 1500
    host.stack.host.pmtu.lower(way(host, far), 1400)
    world.run(host.stack.config.pmtu_age + SECOND)
    assert way(host, far).mtu == 1500


def test_paths_follow_the_interface(world: World, family: int) -> None:
    """A router may say what a link takes, and take it back (RFC 4861 6.3.4)."""
    host, peer = world.host()
    peer.family = family
    path = way(host, peer.mine)
    interface = host.stack.host.layer_of(peer.mine).interface(host.nic)
    interface.mtu = 1400
    assert (path.mtu, path.valid) == (1400, True)
    host.stack.host.pmtu.lower(path, 1300)
    interface.mtu = 1350
    assert path.mtu == 1300
    interface.mtu = 9000
    assert interface.mtu == 1500  # the device takes no more
    assert path.mtu == 1300
    assert way(host, peer.mine[:-1] + b"\x09").mtu == 1500


def test_estimates_are_bounded_and_the_oldest_goes(world: World, family: int) -> None:
    host, peer = world.host()
    peer.family = family
    base = peer.mine[:-2]
    paths = []
    for number in range(1100):
        dst = base + number.to_bytes(2, "big")
        nic, source = host.nic, peer.theirs
        layer = host.stack.host.layer_of(dst)
        path = layer.make_path(nic, source, dst, nic.neighbors.fixed(dst, peer.port.mac), 1500)
        host.stack.host.pmtu.lower(path, 1300)
        paths.append(path)
    known = [host.stack.host.pmtu.limit(p.dst, p.nic.index, 1500) for p in paths]
    assert known == [1500] * 76 + [1300] * 1024


@pytest.mark.parametrize("largest", [1, 60, 100])
def test_a_bound_below_what_every_link_takes(world: World, family: int, largest: int) -> None:
    """The user's bound is heeded down to there: nothing is cut into nothing."""
    host, peer = world.host()
    peer.family = family
    endpoint = host.datagram()
    endpoint.bind(b"", 7, 0)
    endpoint.set_option(OPTION_LARGEST_PACKET, largest)
    assert endpoint.send([bytes(2000)], 2000, peer.mine, 9, 0) == status.OK
    world.run(0)
    longest = max(seen.pkt.end - seen.pkt.net for seen in peer.received())
    assert longest <= max(largest, 68 if family == addr.V4 else 1280)


# The strong host model (RFC 1122 3.3.4.2).


@pytest.mark.parametrize("weak", [False, True])
def test_an_address_leaves_by_its_own_interface(family: int, weak: bool) -> None:
    world = World()
    host, peer = world.host(quiet(weak_host=weak))
    peer.family = family
    other = second(host)
    own = addr.parse("10.88.0.1" if family == addr.V4 else "fd88::1")
    layer = host.stack.host.layer_of(own)
    path = layer.path(peer.mine, own)
    if weak:
        assert path is not None
        assert path.nic is host.nic
    else:
        assert path is None  # nothing leads there from that interface
        gateway = "10.88.0.9" if family == addr.V4 else "fd88::9"
        prefix = ("0.0.0.0", 0) if family == addr.V4 else ("::", 0)
        host.stack.add_route(*prefix, other, gateway)
        path = layer.path(peer.mine, own)
        assert path is not None
        assert path.nic is other
    named = layer.path(peer.mine, own, host.nic)
    assert (named is not None) == weak


def test_a_source_that_is_not_ours(world: World, family: int) -> None:
    host, peer = world.host()
    peer.family = family
    assert host.stack.host.layer_of(peer.mine).path(peer.mine, peer.mine[:-1] + b"\x55") is None


def test_a_source_is_judged_by_the_interface(world: World) -> None:
    """One host there, everybody's address here."""
    host, _ = world.host()
    other = second(host)
    host.stack.add_address(other, "10.99.0.1", 16)  # 10.99.255.255 is a broadcast there
    src = addr.parse("10.99.255.255")
    layer = host.stack.v4
    fates = []
    for nic, dst in ((host.nic, host.v4), (other, addr.parse("10.88.0.1"))) * 2:
        data = bytes(14) + ipv4.build(0, 28, 1, 0, 64, 200, src, dst) + bytes(8)
        layer.receive(Packet(data, nic, 14, len(data), False, 0, 0, world.now))
        fates.append(dict(host.drops()))
    assert fates[-1] == {"ip_protocol_unknown": 2, "ip_source_invalid": 2}


def test_a_broadcast_address_lasts_as_long_as_any_address_of_its_subnet(world: World) -> None:
    host, _ = world.host()
    layer = host.stack.v4
    to = addr.parse("10.77.0.255")
    host.stack.add_address(host.nic, "10.77.0.50", 24)
    assert layer.is_broadcast(host.nic.index, to)
    host.stack.remove_address("10.77.0.50")
    assert layer.is_broadcast(host.nic.index, to)
    host.stack.remove_address("10.77.0.1")
    assert not layer.is_broadcast(host.nic.index, to)


# Identifications (RFC 6864 4, RFC 7739).


def idents(peer: Peer) -> list[int]:
    found = []
    for seen in peer.received():
        frame, at = seen.frame, seen.pkt.net
        if seen.ethertype == ethernet.TYPE_IPV4:
            found.append(int.from_bytes(frame[at + 4 : at + 6], "big"))
        else:
            assert frame[at + 6] == 44
            at += ipv6.LENGTH
            found.append(int.from_bytes(frame[at + 4 : at + 8], "big"))
    peer.inbox.clear()
    return found


def test_identifications_go_on_when_the_path_is_another(world: World, family: int) -> None:
    """None is used twice while all are not used up, whatever becomes of routes."""
    host, peer = world.host()
    peer.family = family
    used: list[int] = []
    for round_ in range(20):
        endpoint = host.datagram()
        endpoint.bind(b"", 0, 0)
        assert endpoint.send([bytes(2000)], 2000, peer.mine, 9, 0) == status.OK
        endpoint.close()
        host.stack.icmp_for(peer.mine).echo(peer.mine, 1, round_, bytes(2000))
        world.run(0)
        used += idents(peer)
        host.stack.host.layer_of(peer.mine).invalidate()
    assert len(used) == 80
    assert len(set(used)) == 40  # two fragments each
    if family == addr.V4:
        assert [(b - a) & 0xFFFF for a, b in pairwise(used)] == [0, 1] * 39 + [0]


def test_identifications_to_one_tell_nothing_of_another(world: World, family: int) -> None:
    host, peer = world.host()
    peer.family = family
    host.nic.neighbors.heard(peer.mine[:-1] + b"\x09", peer.port.mac, True)
    icmp = host.stack.icmp_for(peer.mine)
    icmp.echo(peer.mine, 1, 1, bytes(2000))
    world.run(0)
    before = idents(peer)[-1]
    for _ in range(50):
        icmp.echo(peer.mine[:-1] + b"\x09", 1, 1, bytes(2000))
    world.run(0)
    others = idents(peer)
    icmp.echo(peer.mine, 1, 1, bytes(2000))
    world.run(0)
    after = idents(peer)[0]
    if family == addr.V4:
        assert after == before + 1
        assert abs(others[0] - before) > 50
    else:
        # Not even one of the same destination is told by another (RFC 7739 4).
        assert all(abs(b - a) > 1 for a, b in pairwise((before, after, *others[::2])))


def test_hidden_identifications_do_not_repeat() -> None:
    table = Identities(VirtualEnv(1))
    taken = [table.take_hidden(b"a", b"b") for _ in range(20_000)]
    assert len(set(taken)) == 20_000  # a permutation: chance would not do it for ever
    assert sum(one & 1 for one in taken) in range(9_500, 10_500)
    assert len({b - a for a, b in pairwise(taken)}) > 19_900


def test_identifications_are_remembered_of_so_many() -> None:
    table = Identities(VirtualEnv(1), limit=3)
    first = table.take(b"a", b"0")
    assert table.take(b"a", b"0") == first + 1
    for number in b"123":
        table.take(b"a", bytes((number,)))
    assert table.take(b"a", b"0") != first + 2  # anywhere again


def test_identifications_of_several_stacks() -> None:
    """What two stacks that are one host send at the same time is never the same."""
    tables = [Identities(VirtualEnv(n), shard=n, shards=3) for n in range(3)]
    taken = [{table.take(b"a", b"b") for _ in range(30_000)} for table in tables]
    assert all(len(each) == 0x10000 // 3 for each in taken)
    assert sum(map(len, taken)) == len(set.union(*taken))
    assert max(set.union(*taken)) <= 0xFFFF


def test_pieces_of_a_super_frame_do_not_leave_the_range() -> None:
    """Each takes one; where not all fit before the end, they begin anew."""
    table = Identities(VirtualEnv(1), shard=1, shards=4)
    counter = table.counter(b"a", b"b")
    for _ in range(5_000):
        before = counter.used
        first = counter.take(60)
        assert 0x4000 <= first <= 0x8000 - 60
        assert first == before + 1 or (first == 0x4000 and before + 60 >= 0x8000)
        assert counter.take() in (first + 60, 0x4000)


def test_labels_are_of_a_pair_and_look_random() -> None:
    table = Identities(VirtualEnv(1))
    labels = [table.label(b"a", bytes((number,))) for number in range(200)]
    assert labels == [table.label(b"a", bytes((number,))) for number in range(200)]
    assert len(set(labels)) > 195
    assert all(0 <= label < 1 << 20 for label in labels)
    assert 60 < sum(label & 1 for label in labels) < 140
    assert Identities(VirtualEnv(2)).label(b"a", b"\0") != labels[0]


def test_atomic_datagrams_have_no_identification(world: World) -> None:
    """RFC 6864 4.1: with DF it means nothing."""
    host, peer = world.host()
    icmp = host.stack.v4.icmp
    for number in range(3):
        icmp.echo(peer.v4, 1, number, b"x", df=True)
    world.run(0)
    assert idents(peer) == [0, 0, 0]
