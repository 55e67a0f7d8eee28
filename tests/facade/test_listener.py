# SPDX-License-Identifier: MIT
"""Listeners: accept, iteration, serve, both families on one socket."""

from __future__ import annotations

import asyncio

import pytest

from stack.base import addr
from tests.facade.kit import Pair
from tests.harness import World
from wsk_api.facade import Connection, WskError


def test_one_listener_serves_both_families(world: World) -> None:
    pair = Pair(world, addr.V4)

    async def main() -> None:
        async with pair.client() as client, pair.server() as server, server.listen(80) as listener:
            assert listener.local == ("::", 80)
            for host in pair.hosts[1].v4, pair.hosts[1].v6:
                async with client.connect((addr.text(host), 80)) as near:
                    far = await listener.accept()
                    assert far.local.host == addr.text(host)
                    assert far.remote == near.local
                    await far.send_eof()
                    await near.receive()
                    await near.send_eof()
                    await far.close()

    pair.run(main())


@pytest.mark.parametrize(("host", "reached"), [("0.0.0.0", addr.V4), ("::", addr.V6)])
def test_all_addresses_of_one_family(world: World, family: int, host: str, reached: int) -> None:
    pair = Pair(world, family)

    async def main() -> None:
        async with (
            pair.client() as client,
            pair.server() as server,
            server.listen(80, host) as listener,
        ):
            assert listener.local.port == 80
            if family == reached:
                await (await client.connect(pair.at(80))).abort()
            else:
                with pytest.raises(ConnectionRefusedError):
                    await client.connect(pair.at(80))

    pair.run(main())


def test_a_port_that_is_taken(pair: Pair) -> None:
    async def main() -> None:
        async with pair.server() as server, server.listen(80):
            with pytest.raises(OSError, match="binding to \\[::\\]:80") as told:
                await server.listen(80)
            assert isinstance(told.value, WskError)
            assert told.value.errno is not None

    pair.run(main())


def test_a_chosen_port(pair: Pair) -> None:
    async def main() -> None:
        async with (
            pair.client() as client,
            pair.server() as server,
            server.listen(0, pair.at(0)[0]) as listener,
        ):
            assert listener.local.port >= 49152
            async with client.connect(listener.local) as near, await listener.accept() as far:
                assert near.remote == far.local == listener.local

    pair.run(main())


def test_connections_wait_until_they_are_accepted(pair: Pair) -> None:
    """In order, with what they have sent meanwhile."""

    async def main() -> None:
        async with pair.client() as client, pair.server() as server, server.listen(80) as listener:
            for number in range(5):
                near = await client.connect(pair.at(80))
                await near.send(bytes([number]))
                await near.send_eof()
            await asyncio.sleep(1)
            got = []
            async for far in listener:
                async with far:
                    got.append(b"".join([chunk async for chunk in far]))
                if len(got) == 5:
                    break
            assert got == [bytes([number]) for number in range(5)]

    pair.run(main())


def test_many_accepts_are_served_in_order(pair: Pair) -> None:
    async def main() -> None:
        async with pair.client() as client, pair.server() as server, server.listen(80) as listener:
            accepts = [asyncio.create_task(listener.accept()) for _ in range(3)]
            nears = [await client.connect(pair.at(80)) for _ in range(3)]
            fars = await asyncio.gather(*accepts)
            assert [far.remote for far in fars] == [near.local for near in nears]

    pair.run(main())


def test_iteration_ends_when_the_listener_is_closed(pair: Pair) -> None:
    async def main() -> None:
        async with pair.server() as server:
            listener = await server.listen(80)

            async def loop() -> int:
                return len([one async for one in listener])

            looping = asyncio.create_task(loop())
            accepting = asyncio.create_task(listener.accept())
            await asyncio.sleep(1)
            await listener.close()
            assert await looping == 0
            with pytest.raises(WskError, match="STATUS_CANCELLED"):
                await accepting
            with pytest.raises(WskError, match="STATUS_INVALID_HANDLE"):
                await listener.accept()
            assert await loop() == 0

    pair.run(main())


def test_accept_time_out(pair: Pair) -> None:
    async def main() -> None:
        async with pair.server() as server, server.listen(80) as listener:
            before = pair.world.now
            with pytest.raises(TimeoutError):
                await listener.accept(timeout=2)
            assert pair.world.now - before == 2 * 10**9

    pair.run(main())


def test_a_handler_that_raises_ends_its_connection_alone(
    pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(connection: Connection) -> None:
        async for word in connection:
            if word == b"raise":
                raise ZeroDivisionError
            await connection.send(word)

    async def main() -> None:
        async with pair.server() as server, server.listen(80) as listener:
            serving = asyncio.create_task(listener.serve(handler))
            async with pair.client() as client, client.connect(pair.at(80)) as good:
                bad = await client.connect(pair.at(80))
                await bad.send(b"raise")
                with pytest.raises(ConnectionResetError):
                    await bad.receive()
                worse = await client.connect(pair.at(80))
                await worse.send(b"x")
                await worse.receive()
                await worse.abort()
                await good.send(b"still")
                assert await good.receive() == b"still"
            await listener.close()
            await serving

    pair.run(main())
    assert [record.exc_info and record.exc_info[0] for record in caplog.records] == [
        ZeroDivisionError
    ]
