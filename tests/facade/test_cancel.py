# SPDX-License-Identifier: MIT
"""Everything that can be awaited, cancelled at every point: nothing is left behind.

`Pair.run` looks for IRPs, sockets, connections, timers and tasks afterwards.  The wire takes 10 ms
each way, so a cancellation after k milliseconds meets every phase of a handshake and an exchange.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stack.base.addr import V4, V6
from stack.base.units import MS
from tap.impair import Impairment
from tests.facade.kit import Pair, couple
from tests.harness import World
from wsk_api.facade import Client, Connection, Listener

Operation = Callable[[Client, Pair], Awaitable[Any]]
SLOW = Impairment(delay=10 * MS)
MEGABYTE = bytes(1 << 20)


async def connect(client: Client, pair: Pair) -> None:
    async with client.connect(pair.at(80)) as connection:
        await connection.receive()


async def refused(client: Client, pair: Pair) -> None:
    with pytest.raises(ConnectionRefusedError):
        await client.connect(pair.at(81))


async def listen(client: Client, pair: Pair) -> None:
    async with client.listen(81) as listener:
        await listener.accept()


async def datagram(client: Client, pair: Pair) -> None:
    async with client.datagram() as socket:
        await socket.send_to(b"?", pair.at(53))
        await socket.receive_from()


async def send(client: Client, pair: Pair) -> None:
    async with client.connect(pair.at(80)) as connection:
        for _ in range(4):
            await connection.send(MEGABYTE)
        await connection.disconnect()


async def borrowed(client: Client, pair: Pair) -> None:
    async with client.connect(pair.at(80)) as connection:
        await connection.send_borrowed(b"x" * 3000)
        await connection.send_borrowed(MEGABYTE)
        await connection.drain()


async def exactly(client: Client, pair: Pair) -> None:
    async with client.connect(pair.at(80)) as connection:
        await connection.receive_exactly(10_000)


async def option(client: Client, pair: Pair) -> None:
    async with client.connect(pair.at(80)) as connection:
        await connection.set_option(6, 1, 1)
        await connection.close(timeout=0.2)


OPERATIONS = [connect, refused, listen, datagram, send, borrowed, exactly, option]


def cancelled(family: int, operation: Operation, after: int, how: str) -> None:
    # Turns follow one another at one instant, in which a wire without a delay gets everything done.
    pair = Pair(World(seed=1), family, None if how == "turns" else SLOW)

    async def main() -> None:
        async with pair.server() as server, server.listen(80) as listener:
            serving = asyncio.create_task(listener.serve(swallow))
            async with pair.client(linger=0.5) as client:
                task = asyncio.create_task(attempt(operation, client, pair))
                if how == "turns":
                    for _ in range(after):
                        await asyncio.sleep(0)
                else:
                    await asyncio.sleep(after / 1000)
                task.cancel()
                if how == "twice":
                    await asyncio.sleep(0)
                    task.cancel()
                await asyncio.wait([task])
                assert task.cancelled() or task.exception() is None
            serving.cancel()
            await asyncio.wait([serving])

    pair.run(main())


async def attempt(operation: Operation, client: Client, pair: Pair) -> None:
    await operation(client, pair)


async def swallow(connection: Connection) -> None:
    async for _ in connection:
        pass


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
@given(
    family=st.sampled_from((V4, V6)),
    after=st.integers(0, 300),
    how=st.sampled_from(("once", "twice", "turns")),
)
@example(family=V4, after=0, how="once")
@example(family=V6, after=20, how="once")
@example(family=V6, after=40, how="twice")
def test_cancelled_at_any_point(operation: Operation, family: int, after: int, how: str) -> None:
    cancelled(family, operation, after, how)


@given(family=st.sampled_from((V4, V6)), after=st.integers(0, 60), count=st.integers(1, 4))
def test_leaving_the_client_ends_what_is_being_opened(family: int, after: int, count: int) -> None:
    """Tasks that are connecting when the client closes get an error, and leave nothing."""
    pair = Pair(World(seed=1), family, SLOW)

    async def one(client: Client) -> None:
        connection = await client.connect(pair.at(80))
        await connection.receive()

    async def main() -> None:
        async with pair.server(linger=0.5) as server, server.listen(80):
            async with pair.client(linger=0.1) as client:
                tasks = [asyncio.create_task(one(client)) for _ in range(count)]
                await asyncio.sleep(after / 1000)
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(end, OSError) for end in ends)

    pair.run(main())


@pytest.mark.parametrize("late", range(16))
def test_an_accept_that_is_cancelled_in_the_last_moment(pair: Pair, late: int) -> None:
    """The connection that had come is reset, or goes to the next accept; it is not lost."""

    async def main() -> None:
        async with pair.client() as client, pair.server() as server, server.listen(80) as listener:
            accepting = asyncio.create_task(listener.accept())
            await asyncio.sleep(0.1)
            connecting = asyncio.create_task(connect_to(client, pair))
            for _ in range(late):
                await asyncio.sleep(0)
            accepting.cancel()
            await asyncio.wait([accepting])
            near = await connecting
            if accepting.cancelled():
                await told(near, listener)
            else:
                await accepting.result().abort()
            await near.abort()

    pair.run(main())


async def connect_to(client: Client, pair: Pair) -> Connection:
    return await client.connect(pair.at(80))


async def told(near: Connection, listener: Listener) -> None:
    """`near` is either accepted after all, or reset."""
    try:
        async with await listener.accept(timeout=1) as far:
            assert far.remote == near.local
    except TimeoutError:
        with pytest.raises(ConnectionResetError):
            await near.receive()


def test_a_time_out_of_asyncio_is_a_cancellation(pair: Pair) -> None:
    """What arrives later is not lost."""

    async def main() -> None:
        async with pair.client() as client, pair.server() as server:
            near, far = await couple(pair, client, server)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(3):
                    await far.receive()
            await near.send(b"late")
            assert await far.receive() == b"late"

    pair.run(main())


def test_cancelling_serve_cancels_the_handlers_and_waits(pair: Pair) -> None:
    ended: list[str] = []

    async def handler(connection: Connection) -> None:
        try:
            await connection.receive()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async def main() -> None:
        async with pair.client() as client, pair.server() as server, server.listen(80) as listener:
            serving = asyncio.create_task(listener.serve(handler))
            ends = [await client.connect(pair.at(80)) for _ in range(3)]
            await asyncio.sleep(0.1)
            serving.cancel()
            await asyncio.wait([serving])
            assert ended == ["cancelled"] * 3
            for end in ends:
                with pytest.raises(ConnectionResetError):
                    await end.receive()

    pair.run(main())
