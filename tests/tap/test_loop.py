# SPDX-License-Identifier: MIT
"""The turn: bounded, and in order."""

from __future__ import annotations

import pytest

from stack.base.head import Head
from stack.base.units import MS
from stack.wire import ethernet
from tap.loop import BATCH, PLAIN_BATCH
from tests.harness import World


@pytest.mark.parametrize("offload", [False, True])
def test_a_turn_reads_a_bounded_batch(world: World, offload: bool) -> None:
    """One busy port starves neither calls nor timers; plain frames are smaller."""
    host, peer = world.host(offload=offload)
    batch = BATCH if offload else PLAIN_BATCH
    world.run()
    for _ in range(batch * 3):
        peer.port.transmit(frame(host.port.mac, peer.port.mac), ())
    seen: list[int] = []
    world.loop.call(lambda: seen.append(host.nic.counters.in_packets))
    before = host.nic.counters.in_packets
    assert world.loop.turn()
    assert seen == [before + batch]
    world.run()
    assert host.nic.counters.in_packets == before + 3 * batch


def test_calls_made_in_a_call_wait_for_the_next_turn(world: World) -> None:
    order: list[str] = []

    def first() -> None:
        order.append("first")
        world.loop.call(lambda: order.append("second"))

    world.host()
    world.loop.call(first)
    assert world.loop.turn()
    assert order == ["first"]
    world.loop.turn()
    assert order == ["first", "second"]


def test_the_virtual_clock_jumps_and_stops_where_told(world: World) -> None:
    world.host()
    start = world.now
    world.run(10 * MS)
    assert world.now == start + 10 * MS


def frame(dst: bytes, src: bytes) -> Head:
    head = Head()
    head.push(ethernet.build(dst, src, b"\x88\xb5") + bytes(46))
    return head
