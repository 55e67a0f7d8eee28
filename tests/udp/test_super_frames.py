# SPDX-License-Identifier: MIT
"""Many UDP datagrams in one frame: GSO_UDP_L4 of virtio 1.2 5.1.6, both ways and both families."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack.base import addr
from stack.base.packet import MULTICAST
from stack.base.status import NO_ROUTE, OK, STATE, TOO_BIG
from stack.base.units import View
from stack.transport.datagram_seam import Datagram, Received
from stack.transport.options import (
    JOIN,
    OPTION_NO_CHECKSUM,
    OPTION_PATH_MTU,
    PATH_MTU_DO,
    Outgoing,
)
from stack.wire import ipv4, udp, vnet
from tests.harness import Host, Peer, World, quiet
from tests.harness.datagrams import WHATEVER, Box, Joiner, Out, give, super_frame
from tests.harness.judge import JudgingPort


def pattern(octets: int) -> bytes:
    return bytes((n * 7 + n // 251) & 0xFF for n in range(octets))


def apart(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


class Scene:
    """A host with an endpoint on port 7, and a peer that can send super-frames."""

    def __init__(self, world: World, family: int, **settings: object) -> None:
        self.host, self.peer = world.host(quiet(**settings), offload=True)
        self.peer.family = family
        self.world = world

    def give(self, data: bytes, size: int, **how: int) -> bytes:
        frame = super_frame(self.peer, data, size, **how)  # type: ignore[arg-type]
        give(self.peer, frame)
        return frame


@pytest.fixture
def scene(world: World, family: int) -> Scene:
    return Scene(world, family)


# In.


@pytest.mark.parametrize("octets", [3840, 3841, 3903, 65])
def test_one_frame_is_one_record_and_a_view_of_the_frame(scene: Scene, octets: int) -> None:
    sink = Joiner()
    scene.host.hears(sink)
    data = pattern(octets)
    frame = scene.give(data, 64)
    (one,) = sink.got
    assert (bytes(one.view), one.count, one.segment) == (data, -(-octets // 64), 64)
    assert one.view.obj is frame
    assert (one.address, one.port, one.local) == (scene.peer.mine, 40000, scene.peer.theirs)
    assert scene.host.stack.udp.counters.moved() == {"in_datagrams": one.count}
    assert scene.host.nic.counters.in_packets == 1
    assert scene.host.drops() == {}


def test_who_cannot_do_with_that_gets_each_for_itself(scene: Scene) -> None:
    box = Box()
    scene.host.hears(box)
    data = pattern(1000)
    frame = scene.give(data, 64)
    assert [bytes(one.view) for one in box.got] == apart(data, 64)
    assert {one.count for one in box.got} == {1}
    assert all(one.view.obj is frame for one in box.got)


def test_it_costs_as_much_as_if_each_had_come_alone(world: World, family: int) -> None:
    whole, each = Scene(world, family), Scene(world, family)
    joiner, box = Joiner(), Box()
    whole.host.hears(joiner)
    each.host.hears(box)
    data = pattern(1000)
    whole.give(data, 64)
    for part in apart(data, 64):
        each.peer.sends_udp(part)
    world.run(0)
    assert joiner.got[0].charge == sum(one.charge for one in box.got)


@pytest.mark.parametrize(
    ("data", "size", "how", "reason"),
    [
        (100, 0, {}, "vnet_invalid"),
        (100, 100, {}, "udp_super_frame"),
        (100, 101, {}, "udp_super_frame"),
        (0, 1, {}, "udp_super_frame"),
        (100, 50, {"length": 107}, "udp_length"),
        (100, 50, {"length": 109}, "udp_length"),
        (100, 50, {"length": 0}, "udp_length"),
        (100, 50, {"kind": vnet.GSO_TCPV4}, "udp_super_frame"),
        (100, 50, {"kind": vnet.GSO_TCPV6 | vnet.GSO_ECN}, "udp_super_frame"),
        (100, 50, {"kind": vnet.GSO_UDP}, "vnet_invalid"),
        (100, 50, {"kind": 0x7F}, "vnet_invalid"),
        (100, 50, {"flags": 0}, "udp_checksum"),
    ],
)
def test_lies_have_names(
    scene: Scene, data: int, size: int, how: dict[str, int], reason: str
) -> None:
    sink = Joiner()
    scene.host.hears(sink)
    scene.give(pattern(data), size, **how)
    assert scene.host.drops() == {reason: 1}
    assert sink.got == []


@given(
    st.sampled_from((addr.V4, addr.V6)),
    *WHATEVER,
    st.integers(0, 3),
)
def test_whatever_the_headers_say_it_has_one_fate(
    family: int, octets: int, size: int, kind: int, length: int | None, flags: int
) -> None:
    """Delivered, all of it or what the UDP length leaves, or dropped for one reason."""
    scene = Scene(World(), family)
    sink = Joiner()
    scene.host.hears(sink)
    data = pattern(octets)
    frame = super_frame(scene.peer, data, size, kind=kind, length=length, flags=flags)
    give(scene.peer, frame)
    drops = scene.host.drops()
    assert len(sink.got) + sum(drops.values()) == 1
    if sink.got:
        (one,) = sink.got
        assert one.view == data[: len(one.view)]
        whole = one.count > 1
        assert not whole or (kind, one.segment, len(one.view)) == (vnet.GSO_UDP_L4, size, octets)
        assert one.count == (-(-octets // size) if whole else 1)


def test_a_header_cut_short(scene: Scene) -> None:
    scene.host.hears(Joiner())
    kind, packet = scene.peer.packet_bytes(17, bytes(7))
    prefix = vnet.HEADER.pack(1, vnet.GSO_UDP_L4, 0, 1, 34, 6)
    give(scene.peer, prefix + scene.host.port.mac + scene.peer.port.mac + kind + packet)
    assert scene.host.drops() == {"udp_short": 1}


def test_datagrams_of_one_octet(scene: Scene) -> None:
    sink = Joiner()
    scene.host.hears(sink)
    scene.give(b"abc", 1)
    assert [bytes(sink.got[0].part(n, n + 1).view) for n in range(3)] == [b"a", b"b", b"c"]


def test_those_that_fit_are_kept_and_the_others_counted(world: World, family: int) -> None:
    scene = Scene(world, family, udp_receive_buffer=1000)
    sink = Joiner()
    endpoint = scene.host.hears(sink)
    data = pattern(1000)
    frame = scene.give(data, 100)
    each = len(frame) - 1000 + 100
    (one,) = sink.got
    kept = 1000 // each
    assert (one.count, bytes(one.view), one.charge) == (kept, data[: kept * 100], kept * each)
    assert scene.host.drops() == {"udp_queue_full": 10 - kept}
    counters = scene.host.stack.udp.counters
    assert (counters.in_datagrams, counters.in_errors) == (kept, 10 - kept)
    scene.give(data, 900)
    assert scene.host.drops() == {"udp_queue_full": 12 - kept}
    endpoint.grant(one.charge)
    scene.give(data, 100)
    assert sink.got[-1].count == kept


def test_one_that_fits_alone_is_no_super_frame_any_more(world: World, family: int) -> None:
    scene = Scene(world, family, udp_receive_buffer=200)
    sink = Joiner()
    scene.host.hears(sink)
    scene.give(pattern(300), 100)
    assert [(one.count, one.segment) for one in sink.got] == [(1, 0)]


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=60),
    st.integers(1, 500),
    st.integers(1, 100),
)
def test_parts_make_up_the_whole(steps: list[int], octets: int, size: int) -> None:
    """However it is taken apart: the data, the number and the charge remain the same."""
    data = memoryview(pattern(octets))
    count = -(-octets // size)
    one = Received(data, b"src.", 9, b"dst.", 1, 0, octets + 53 * count + 5, 1, 2, count, size)
    parts, at = [], 0
    for step in steps:
        stop = min(at + step, count)
        if stop > at:
            parts.append(one.part(at, stop))
        at = stop
    if at < count:
        parts.append(one.part(at, count))
    assert b"".join(part.view for part in parts) == data
    assert sum(part.count for part in parts) == count
    assert sum(part.charge for part in parts) == one.charge
    assert {(part.tos, part.ttl, part.address, part.port) for part in parts} == {(1, 2, b"src.", 9)}


@pytest.mark.parametrize("take", [1, 3, 7, 15, 16])
def test_what_was_not_taken_comes_again(scene: Scene, take: int) -> None:
    sink = Joiner(take)
    endpoint = scene.host.hears(sink)
    data = pattern(1000)
    scene.give(data, 64)
    scene.peer.sends_udp(b"behind it")
    for _ in range(20):
        endpoint.resume()
        scene.world.run(0)
    assert b"".join(one.view for one in sink.got) == data + b"behind it"
    assert max(sum(one.count for one in batch) for batch in sink.offered) <= 17
    endpoint.grant(sum(one.charge for one in sink.got))
    assert endpoint.queued() == 0  # type: ignore[attr-defined]


def test_to_a_group_each_member_gets_it(world: World) -> None:
    scene = Scene(world, addr.V4)
    group = addr.parse("239.1.2.3")
    sinks = [Joiner(), Joiner()]
    for sink in sinks:
        endpoint = scene.host.hears(sink, share=1)
        assert endpoint.membership(JOIN, group, scene.host.nic.index, b"") == OK
    frame = super_frame(scene.peer, pattern(300), 100, dst=group)
    frame = frame[:10] + addr.multicast_mac(group) + frame[16:]
    give(scene.peer, frame)
    assert [(s.got[0].count, s.got[0].group) for s in sinks] == [(3, MULTICAST)] * 2


def test_nobody_there_is_said_once(scene: Scene) -> None:
    scene.give(pattern(300), 100)
    assert scene.host.drops() == {"udp_no_port": 1}
    assert scene.peer.next_ip() is not None
    assert scene.peer.next_ip() is None


# Out.


class Sender:
    """A bound endpoint, and what is handed to the device."""

    def __init__(self, world: World, family: int, offload: bool = True, mtu: int = 1500) -> None:
        self.outs: list[Out] = []

        def wrap(port: object) -> Out:
            self.outs.append(Out(port))  # type: ignore[arg-type]
            return self.outs[-1]

        self.a, self.b = world.pair(offload=offload, mtu=mtu, wrap=wrap)
        self.world = world
        self.box = Box()
        self.to = self.b.address(family)
        self.b.hears(self.box)
        self.endpoint = self.a.datagram()
        self.endpoint.bind(b"", 1000, 0)
        self.endpoint.send((b"who is there",), 12, self.to, 7, 0)
        world.run(0)
        self.out = self.outs[0]
        self.out.sent.clear()
        self.box.got.clear()

    def send(self, views: list[View], size: int, how: Outgoing | None = None) -> tuple[int, int]:
        total = sum(map(len, views))
        result = self.endpoint.send_segments(views, total, size, self.to, 7, 0, how)
        self.world.run(10**9)
        return result

    def heard(self) -> list[bytes]:
        return [bytes(one.view) for one in self.box.got]


def test_a_run_is_one_frame_of_the_callers_memory(world: World, family: int) -> None:
    sender = Sender(world, family)
    memory = [bytearray(pattern(64)) for _ in range(60)]
    views: list[View] = [memoryview(one) for one in memory]
    assert sender.send(views, 64) == (OK, 3840)
    ((size, sent),) = sender.out.sent
    assert size == 64
    assert all(view.obj is one for view, one in zip(sent, memory, strict=True))  # type: ignore[union-attr]
    assert sender.heard() == [pattern(64)] * 60
    assert sender.a.stack.udp.counters.out_datagrams == 61


def test_one_buffer_of_many_and_a_shorter_last(world: World, family: int) -> None:
    sender = Sender(world, family)
    memory = pattern(64 * 150 + 1)
    assert sender.send([memoryview(memory)], 64) == (OK, len(memory))
    assert [size for size, _ in sender.out.sent] == [64, 64, 64]
    assert all(view.obj is memory for _, views in sender.out.sent for view in views)  # type: ignore[union-attr]
    assert sender.heard() == apart(memory, 64)


def test_a_last_frame_with_one_datagram_is_an_ordinary_one(world: World, family: int) -> None:
    sender = Sender(world, family)
    assert sender.send([memoryview(pattern(100 * 65))], 100) == (OK, 6500)
    assert [size for size, _ in sender.out.sent] == [100, 0]
    assert sender.heard() == apart(pattern(6500), 100)


def test_large_ones_fill_64_kib(world: World, family: int) -> None:
    sender = Sender(world, family)
    memory = pattern(1400 * 100)
    assert sender.send([memoryview(memory)], 1400) == (OK, len(memory))
    lengths = [sum(map(len, views)) for _, views in sender.out.sent]
    assert lengths == [1400 * 46, 1400 * 46, 1400 * 8]
    assert sender.heard() == apart(memory, 1400)


def test_pieces_across_datagrams(world: World, family: int) -> None:
    sender = Sender(world, family)
    memory = memoryview(pattern(1000))
    views: list[View] = [memory[:5], memory[5:5], memory[5:250], memory[250:999], memory[999:]]
    assert sender.send(views, 90) == (OK, 1000)
    assert sender.heard() == apart(bytes(memory), 90)


def test_more_pieces_than_a_writev_takes(world: World, family: int) -> None:
    sender = Sender(world, family)
    memory = memoryview(pattern(1500))
    assert sender.send([memory[n : n + 1] for n in range(1500)], 100) == (OK, 1500)
    assert all(len(views) <= 1000 for _, views in sender.out.sent)
    assert sender.heard() == apart(bytes(memory), 100)


def test_identifications_are_those_of_the_pieces(world: World) -> None:
    """No two datagrams that may be fragmented have one (RFC 6864 4.3), whoever cuts them."""
    sender = Sender(world, addr.V4)
    for _ in range(2):
        sender.send([memoryview(pattern(500))], 100)
    sender.endpoint.send((b"last",), 4, sender.to, 7, 0)
    idents = [int.from_bytes(head[18:20], "big") for head in sender.out.heads[-3:]]
    assert [(one - idents[0]) & 0xFFFF for one in idents] == [0, 5, 10]


@pytest.mark.parametrize("size", [1473, 3000])
def test_what_needs_fragments_goes_alone(world: World, family: int, size: int) -> None:
    sender = Sender(world, family)
    memory = pattern(size * 5)
    assert sender.send([memoryview(memory)], size) == (OK, len(memory))
    assert {kind for kind, _ in sender.out.sent} == {0}
    assert sender.heard() == apart(memory, size)
    assert sender.endpoint.set_option(OPTION_PATH_MTU, PATH_MTU_DO) == OK
    assert sender.send([memoryview(memory)], size) == (TOO_BIG, 0)


def test_without_a_checksum_each_goes_alone(world: World) -> None:
    sender = Sender(world, addr.V4)
    assert sender.endpoint.set_option(OPTION_NO_CHECKSUM, 1) == OK
    assert sender.send([memoryview(pattern(500))], 100) == (OK, 500)
    assert [kind for kind, _ in sender.out.sent] == [0] * 5
    assert sender.heard() == apart(pattern(500), 100)


def test_with_options_each_goes_alone_and_with_a_class_they_do_not(world: World) -> None:
    sender = Sender(world, addr.V4)
    how = Outgoing()
    how.tos = 0x48
    assert sender.send([memoryview(pattern(500))], 100, how) == (OK, 500)
    assert [kind for kind, _ in sender.out.sent] == [100]
    assert {one.tos for one in sender.box.got} == {0x48}
    how.options = ipv4.ROUTER_ALERT
    assert sender.send([memoryview(pattern(500))], 100, how) == (OK, 500)
    assert [kind for kind, _ in sender.out.sent] == [100, 0, 0, 0, 0, 0]
    assert sender.heard() == apart(pattern(500), 100) * 2


def test_to_a_group_each_goes_alone_and_is_heard_here(world: World, family: int) -> None:
    sender = Sender(world, family)
    sender.to = addr.parse("239.1.2.3" if family == addr.V4 else "ff05::1:3")
    here = Box()
    member = sender.a.hears(here, share=1)
    assert member.membership(JOIN, sender.to, sender.a.nic.index, b"") == OK
    assert sender.send([memoryview(pattern(300))], 100) == (OK, 300)
    assert [bytes(one.view) for one in here.got] == apart(pattern(300), 100)
    assert [kind for kind, views in sender.out.sent if sum(map(len, views)) == 100] == [0] * 3


def test_refusals(world: World, family: int) -> None:
    sender = Sender(world, family)
    data: list[View] = [memoryview(bytes(200))]
    fresh = sender.a.datagram()
    assert fresh.send_segments(data, 200, 100, sender.to, 7, 0) == (STATE, 0)
    far = addr.parse("8.8.8.8" if family == addr.V4 else "2001:db8::8")
    assert sender.endpoint.send_segments(data, 200, 100, far, 7, 0) == (NO_ROUTE, 0)


def test_while_the_neighbour_is_asked_for(world: World, family: int) -> None:
    """A super-frame waits as one packet, whole."""
    a, b = world.pair()
    box = Box()
    b.hears(box)
    endpoint = a.datagram()
    endpoint.bind(b"", 0, 0)
    memory = bytearray(pattern(6000))
    endpoint.send_segments([memoryview(memory)], 6000, 100, b.address(family), 7, 0)
    memory[:] = bytes(6000)  # it is the caller's again
    world.run(10**9)
    assert [bytes(one.view) for one in box.got] == apart(pattern(6000), 100)


@pytest.mark.parametrize("own", [False, True])
def test_to_this_host_itself(world: World, family: int, own: bool) -> None:
    host, _ = world.host()
    loop = addr.LOOPBACK4 if family == addr.V4 else addr.LOOPBACK6
    sink = Joiner()
    endpoint = host.hears(sink)
    to = host.address(family) if own else loop
    assert endpoint.send_segments([memoryview(pattern(3000))], 3000, 100, to, 7, 0) == (OK, 3000)
    world.run(0)
    assert [(one.count, bytes(one.view)) for one in sink.got] == [(30, pattern(3000))]


def run_through(
    family: int, offload: bool, sends: list[tuple[int, int]], judges: list[JudgingPort]
) -> list[tuple[bytes, int, int]]:
    world = World()

    def wrap(port: object) -> JudgingPort:
        judges.append(JudgingPort(port))  # type: ignore[arg-type]
        return judges[-1]

    a, b = world.pair(offload=offload, wrap=wrap)
    box = Box()
    b.hears(box)
    endpoint = a.datagram()
    endpoint.bind(b"", 1000, 0)
    endpoint.send((b"",), 0, b.address(family), 7, 0)
    world.run(0)
    for number, (total, size) in enumerate(sends):
        data = bytes((number + n * 3 + n // 256) & 0xFF for n in range(total))
        assert endpoint.send_segments((data,), total, size, b.address(family), 7, 0) == (OK, total)
    world.run()
    assert b.drops() == {}
    return [(bytes(one.view), one.tos, one.ttl) for one in box.got]


@given(
    st.sampled_from((addr.V4, addr.V6)),
    st.lists(st.tuples(st.integers(1, 9000), st.integers(40, 2000)), min_size=1, max_size=6),
)
def test_offload_changes_nothing_but_the_frames(family: int, sends: list[tuple[int, int]]) -> None:
    """The same datagrams arrive in the same order; what is cut here scapy finds sound."""
    judges: list[JudgingPort] = []
    whole = run_through(family, True, sends, [])
    cut = run_through(family, False, sends, judges)
    assert whole == cut
    assert len(cut) == 1 + sum(-(-total // size) for total, size in sends)
    assert judges[0].judged >= len(cut)


def test_checksums_of_pieces_are_never_zero(world: World, family: int) -> None:
    """A sum of zero is sent as 0xFFFF (RFC 768), in what is cut here too."""
    host, peer = world.host(offload=False)
    peer.family = family
    endpoint = host.datagram()
    endpoint.bind(b"", 1000, 0)
    seen = sums(host, peer, endpoint, b"\0\0")
    # Adding its complement makes the sum of the second datagram come out as zero.
    (check,) = {int.from_bytes(body[6:8], "big") for body in seen}
    seen = sums(host, peer, endpoint, check.to_bytes(2, "big"))
    assert {body[6:8] for body in seen} == {b"\xff\xff"}


def sums(host: Host, peer: Peer, endpoint: Datagram, data: bytes) -> list[bytes]:
    assert endpoint.send_segments((data * 3,), 6, 2, peer.mine, 9, 0) == (OK, 6)
    found = []
    while (one := peer.next_ip()) is not None:
        assert udp.HEADER.unpack_from(one.body)[2] == 10
        found.append(one.body)
    assert len(found) == 3
    return found
