# SPDX-License-Identifier: MIT
"""The asynchronous facade on real clocks: the stack on the same event loop, or on a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from stack import Stack
from stack.base import addr
from tap.aio import AsyncioRuntime
from tap.thread import ThreadRuntime
from tests.facade.kit import accounted
from tests.tap.test_runtimes import two_stacks
from wsk_api.facade import Client, Connection

HOSTS = {addr.V4: "10.77.0.2", addr.V6: "fd77::2"}
DATA = bytes(range(256)) * 4000


@asynccontextmanager
async def running(kind: str) -> AsyncIterator[tuple[Stack, Stack]]:
    runtime = AsyncioRuntime() if kind == "same loop" else ThreadRuntime()
    a, b = two_stacks(runtime)
    runtime.start()
    try:
        yield a, b
    finally:
        runtime.stop()
    if isinstance(runtime, ThreadRuntime):
        assert runtime.failure is None


async def echo(connection: Connection) -> None:
    async for chunk in connection:
        await connection.send(chunk)


@pytest.mark.parametrize("kind", ["same loop", "thread"])
def test_echo(kind: str, family: int) -> None:
    async def one(client: Client) -> None:
        async with client.connect((HOSTS[family], 7)) as connection:
            async with asyncio.TaskGroup() as group:
                group.create_task(connection.send(DATA))
                receiving = group.create_task(connection.receive_exactly(len(DATA)))
            assert receiving.result() == DATA

    async def main() -> None:
        before = asyncio.all_tasks()
        async with running(kind) as (a, b), Client(b) as server, server.listen(7) as listener:
            serving = asyncio.create_task(listener.serve(echo))
            async with Client(a) as client, asyncio.TaskGroup() as group:
                for _ in range(5):
                    group.create_task(one(client))
            await listener.close()
            await serving
            assert asyncio.all_tasks() == before

    asyncio.run(asyncio.wait_for(main(), 30))


@pytest.mark.parametrize("kind", ["same loop", "thread"])
def test_cancellation(kind: str, family: int) -> None:
    """Every operation is cancelled after some turns of the event loop, again and again."""

    async def everything(client: Client) -> None:
        async with client.datagram() as socket, client.connect((HOSTS[family], 7)) as connection:
            await socket.send_to(b"?", (HOSTS[family], 7))
            await connection.send_borrowed(DATA)
            await connection.receive_exactly(len(DATA))
            await connection.disconnect()

    async def main() -> None:
        async with (
            running(kind) as (a, b),
            Client(b, linger=0.1) as server,
            server.listen(7) as listener,
        ):
            serving = asyncio.create_task(listener.serve(echo))
            async with Client(accounted(a), linger=0.1) as client:
                for turns in range(0, 60, 3):
                    task = asyncio.create_task(everything(client))
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    task.cancel()
                    await asyncio.wait([task])
                    assert task.cancelled() or task.exception() is None
                    assert client.endpoints == set()
                    assert client.npi.Client.engine.outstanding == set()
                    assert client.npi.Client.sockets == set()
            serving.cancel()
            await asyncio.wait([serving])
            assert server.endpoints == {listener}

    asyncio.run(asyncio.wait_for(main(), 30))


def test_datagrams_on_a_thread(family: int) -> None:
    async def main() -> None:
        async with running("thread") as (a, b), Client(a) as client, Client(b) as server:
            near, far = await client.datagram(), await server.datagram(53)
            for number in range(50):
                await near.send_to(bytes([number]), (HOSTS[family], 53))
                data, sender = await far.receive_from()
                assert data == bytes([number])
                assert sender.port == near.local.port

    asyncio.run(asyncio.wait_for(main(), 30))


def test_callbacks_of_the_stack_never_run_programs() -> None:
    """What a task does after a completion happens on its own thread."""
    threads: set[int] = set()

    async def main() -> None:
        async with (
            running("thread") as (a, b),
            Client(b) as server,
            server.listen(7) as listener,
            Client(a) as client,
        ):
            near = await client.connect(("10.77.0.2", 7))
            threads.add(threading.get_ident())
            async with await listener.accept() as far:
                threads.add(threading.get_ident())
                await near.send(b"x")
                await far.receive()
                threads.add(threading.get_ident())
                await near.abort()

    asyncio.run(asyncio.wait_for(main(), 30))
    assert threads == {threading.get_ident()}
