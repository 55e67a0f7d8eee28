# SPDX-License-Identifier: MIT
"""Reading is total: any octets give a record or a refusal, never an exception."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stack.wire import arp, describe, ext6, icmp_extensions, ipv4, ipv6, ndp, tcp
from tests.harness import World
from tests.wire.strategies import frames, noise, packet


@given(noise, st.integers(0, 60))
def test_every_parser_survives_noise(data: bytes, start: int) -> None:
    start = min(start, len(data))
    arp.parse(data, start, len(data))
    ndp.parse(data, start, len(data))
    ipv4.read(packet(data, start))
    ipv6.read(packet(data, start))
    ipv4.options(data, start, len(data))
    ext6.options(data, start, len(data))
    ext6.length(data, start, len(data))
    for proto in (*ext6.KNOWN, 17):
        _, at, _ = ext6.upper(data, proto, start, len(data))
        assert start <= at <= len(data)
    for stated in (0, 128, 136, 1020):
        end, extensions = icmp_extensions.locate(data, start, len(data), stated)
        assert start <= end <= extensions <= len(data)
    for one in icmp_extensions.parse(data[start:]):
        icmp_extensions.labels(one)
        icmp_extensions.interface(one)
    if len(data) - start >= 20:
        pkt = packet(data, start)
        seg = tcp.parse(pkt)
        assert seg is None or seg.start <= seg.end
    describe.frame(data, start)


@given(noise, st.integers(0, 255))
def test_every_object_of_an_error_is_read_or_refused(data: bytes, kind: int) -> None:
    for number in (icmp_extensions.CLASS_MPLS, icmp_extensions.CLASS_INTERFACE, 99):
        one = icmp_extensions.Object(number, kind, data)
        assert len(icmp_extensions.labels(one)) <= len(data) // 4
        info = icmp_extensions.interface(one)
        assert info is None or number == icmp_extensions.CLASS_INTERFACE


_world = World()
_host, _ = _world.host()


@given(frames(_host.port.mac, _host.v4, _host.v6))
def test_the_stack_survives_any_frame(frame: bytes) -> None:
    """From raw octets into `Stack.receive`: no exception, and the frame has a fate."""
    _host.stack.receive(_host.nic, frame)
    _world.run(0)
    describe.frame(frame)


@given(st.lists(frames(_host.port.mac, _host.v4, _host.v6), max_size=30))
def test_what_noise_leaves_behind_goes_away(batch: list[bytes]) -> None:
    world = World()
    host, _ = world.host()
    for frame in batch:
        host.stack.receive(host.nic, frame)
        world.run(0)
    world.run()
    assert host.stack.timers.armed() == [] or all(
        entry.timer.armed for entry in host.nic.neighbors.entries.values() if entry.state == 1
    )
    assert len(host.stack.host.reassembler) == 0
    assert host.stack.tcp.connections() == []
