# SPDX-License-Identifier: MIT
"""UDP by the facade."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from stack.base import addr
from tests.facade.kit import Pair
from tests.harness import World
from wsk_api import SO_RCVBUF, SOL_SOCKET
from wsk_api.facade import Client, Datagram, WskError


async def both(client: Client, server: Client) -> tuple[Datagram, Datagram]:
    return await client.datagram(), await server.datagram(53)


def with_both(pair: Pair, body: Any) -> None:
    async def main() -> None:
        async with pair.client() as client, pair.server() as server:
            await body(*await both(client, server))

    pair.run(main())


async def receiving_for_ever(socket: Datagram, got: list[bytes]) -> None:
    while True:
        got.append(await socket.receive(timeout=1))


def test_there_and_back(pair: Pair) -> None:
    async def body(near: Datagram, far: Datagram) -> None:
        assert await near.send_to(b"ping", pair.at(53)) == 4
        data, sender = await far.receive_from()
        assert (data, sender) == (b"ping", (pair.nearby, near.local.port))
        await far.send_to(bytearray(b"pong"), sender)
        assert await near.receive() == b"pong"
        await near.send_to(b"", pair.at(53))
        assert await far.receive() == b""

    with_both(pair, body)


def test_one_socket_serves_both_families(world: World) -> None:
    pair = Pair(world, addr.V4)

    async def body(near: Datagram, far: Datagram) -> None:
        for packed in pair.hosts[1].v4, pair.hosts[1].v6:
            await near.send_to(b"?", (addr.text(packed), 53))
            _, sender = await far.receive_from()
            assert len(addr.parse(sender.host)) == len(packed)

    with_both(pair, body)


def test_a_fixed_remote_address(pair: Pair) -> None:
    async def body(near: Datagram, far: Datagram) -> None:
        with pytest.raises(WskError, match="connect"):
            await near.send(b"where to?")
        await near.connect(pair.at(53))
        assert near.remote == pair.at(53)
        await near.send(b"hello")
        _, sender = await far.receive_from()
        other = await far.client.datagram(54)
        await other.send_to(b"not wanted", sender)
        await far.send_to(b"wanted", sender)
        assert await near.receive() == b"wanted"
        await other.send_to(b"wanted now", sender)
        await near.connect(None)
        assert await near.receive() == b"wanted now"

    with_both(pair, body)


def test_iteration_in_order_and_until_closed(pair: Pair) -> None:
    async def body(near: Datagram, far: Datagram) -> None:
        async def collect() -> list[bytes]:
            return [data async for data, _ in far]

        await near.send_to(b"who has that address?", pair.at(53))
        await far.receive()
        collecting = asyncio.create_task(collect())
        for number in range(100):
            await near.send_to(bytes([number]), pair.at(53))
        await asyncio.sleep(1)
        await far.close()
        assert await collecting == [bytes([number]) for number in range(100)]
        with pytest.raises(WskError, match="STATUS_INVALID_HANDLE"):
            await far.receive()
        with pytest.raises(WskError, match="STATUS_INVALID_HANDLE"):
            await far.send_to(b"", pair.at(53))

    with_both(pair, body)


def test_who_does_not_read_loses_datagrams_and_no_memory(pair: Pair) -> None:
    """What waits is charged to the receive buffer; the rest is dropped and counted."""

    async def body(near: Datagram, far: Datagram) -> None:
        await far.set_option(SOL_SOCKET, SO_RCVBUF, 1 << 20)
        for number in range(2000):
            await near.send_to(bytes(1000) + number.to_bytes(2, "big"), pair.at(53))
            await asyncio.sleep(0)
        await asyncio.sleep(1)
        assert pair.hosts[1].drops()["udp_queue_full"] > 0
        first = await far.receive()
        assert first == bytes(1002)
        got: list[bytes] = []
        with pytest.raises(TimeoutError):
            await receiving_for_ever(far, got)
        assert 1 < len(got) < 2000
        await near.send_to(b"room again", pair.at(53))
        assert await far.receive() == b"room again"

    with_both(pair, body)


def test_too_long_and_nowhere(pair: Pair) -> None:
    async def body(near: Datagram, far: Datagram) -> None:
        with pytest.raises(WskError, match="STATUS_INVALID_BUFFER_SIZE"):
            await near.send_to(bytes(70_000), pair.at(53))
        with pytest.raises(WskError, match="STATUS_NETWORK_UNREACHABLE"):
            await near.send_to(b"?", ("192.0.2.1", 53))

    with_both(pair, body)


def test_broadcast_must_be_allowed(world: World) -> None:
    pair = Pair(world, addr.V4)

    async def body(near: Datagram, far: Datagram) -> None:
        with pytest.raises(PermissionError):
            await near.send_to(b"all", ("10.77.0.255", 53))
        await near.allow_broadcast()
        await near.send_to(b"all", ("10.77.0.255", 53))
        assert await far.receive() == b"all"

    with_both(pair, body)


def test_cancelled_receives_lose_nothing(pair: Pair) -> None:
    async def body(near: Datagram, far: Datagram) -> None:
        for turns in range(12):
            receiving = asyncio.create_task(far.receive())
            await near.send_to(bytes([turns]), pair.at(53))
            for _ in range(turns):
                await asyncio.sleep(0)
            receiving.cancel()
            await asyncio.wait([receiving])
            got = await far.receive(1) if receiving.cancelled() else receiving.result()
            assert got == bytes([turns])

    with_both(pair, body)
