# SPDX-License-Identifier: MIT
"""A connection that is over leaves nothing to the garbage collector: no object of it refers to
itself by way of others, so memory comes back at once and nobody is held up later."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest

from tests.harness import World
from tests.wsk.kit import Couple, accept, close, disconnect, send
from wsk_api import WSK_FLAG_ABORTIVE


def garbage(work: Callable[[], object]) -> int:
    """Objects that only the collector could free, of doing `work` a hundred times."""
    work()  # whatever is made once
    gc.collect()
    gc.disable()
    try:
        for _ in range(100):
            work()
        return gc.collect()
    finally:
        gc.enable()


@pytest.mark.parametrize("flags", [0, WSK_FLAG_ABORTIVE])
def test_connections_are_freed_as_they_end(world: World, family: int, flags: int) -> None:
    hosts = world.pair()
    first = Couple(world, family, hosts=hosts)
    near, far, listener = first.near, first.far, first.listener

    def connection() -> None:
        accepting = accept(listener)
        a, _ = near.connecting(far.address(family, 80))
        world.run(10**9)
        send(a, bytes(3000))
        world.run(10**9)
        disconnect(a, flags=flags)
        world.run(10**9)
        close(accepting.info)
        close(a)
        world.run(200 * 10**9)  # every timer's place in the heap is free again

    assert garbage(connection) < 100  # less than one object for each
