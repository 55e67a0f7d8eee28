# SPDX-License-Identifier: MIT
"""asyncio on the virtual clock."""

from __future__ import annotations

import asyncio

import pytest

from stack.base import addr
from stack.base.units import SECOND
from tap.virtual import Deadlock, run_virtual
from tests.harness import World
from tests.tcp.users import User


def test_sleeping_moves_the_clock_and_nothing_else(world: World) -> None:
    async def main() -> float:
        before = asyncio.get_running_loop().time()
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time() - before

    began = world.now
    assert run_virtual(world.loop, main()) == pytest.approx(3600)
    assert world.now - began == 3600 * SECOND


def test_tasks_and_stacks_share_the_clock(world: World) -> None:
    """A SYN nobody answers gives up after its three minutes, and a task sees it on the way."""
    a, _ = world.pair()
    stream = a.stream()
    user = User(stream)
    stream.attach(user)
    stream.bind(b"", 0, 0)
    seen: list[int] = []

    async def main() -> None:
        began = world.now
        stream.connect(addr.parse("10.77.0.99"), 80, 0, "connect")  # nobody has it
        while not user.events:
            await asyncio.sleep(0.25)
            seen.append(world.now - began)

    run_virtual(world.loop, main())
    assert user.events[0][1] == "HOST_UNREACHABLE"
    assert seen == [n * SECOND // 4 for n in range(1, len(seen) + 1)]
    assert len(seen) > 2


def test_time_outs_are_exact(world: World) -> None:
    async def main() -> int:
        began = world.now
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5):
                await asyncio.get_running_loop().create_future()
        return world.now - began

    assert run_virtual(world.loop, main()) == 3 * SECOND // 2


def test_waiting_for_nothing_is_an_error(world: World) -> None:
    world.pair()

    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Deadlock):
        run_virtual(world.loop, main())
