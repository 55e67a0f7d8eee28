# SPDX-License-Identifier: MIT
"""TCP by the facade, in virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from stack.base.units import MS
from tap.impair import Impairment
from tests.facade.kit import Pair, couple, with_couple
from tests.harness import World
from wsk_api.facade import (
    Chunk,
    Connection,
    WskBrokenPipe,
    WskConnectionRefused,
    WskConnectionReset,
    WskError,
    WskTimeout,
)


async def everything(connection: Connection) -> bytes:
    return b"".join([chunk async for chunk in connection])


async def fill(connection: Connection, size: int) -> int:
    """Send until the peer takes no more; how much that was."""
    with pytest.raises(TimeoutError):
        await sending_for_ever(connection, size)
    return connection.queued


async def sending_for_ever(connection: Connection, size: int) -> None:
    while True:
        await connection.send(bytes(size), timeout=5)


async def views_for_ever(connection: Connection, kept: list[Chunk]) -> None:
    while True:
        kept.append(await connection.receive_view(timeout=5))


async def failing(connection: Connection) -> None:
    async with connection:
        await connection.send(bytes(1_000_000))
        raise ZeroDivisionError


async def writing_into_a_reset(connection: Connection) -> None:
    await connection.send(b"hello?")
    await connection.drain()


async def echo(connection: Connection) -> None:
    async for chunk in connection:
        await connection.send(chunk)


def test_echo(pair: Pair) -> None:
    data = bytes(range(256)) * 4000

    async def main() -> None:
        async with pair.server() as server, server.listen(7) as listener:
            serving = asyncio.create_task(listener.serve(echo))
            async with pair.client() as client, client.connect(pair.at(7)) as connection:
                assert connection.remote == pair.at(7)
                assert connection.local.host == pair.nearby
                sending = asyncio.create_task(connection.send(data))
                assert await connection.receive_exactly(len(data)) == data
                assert await sending == len(data)
                await connection.send_eof()
                assert await connection.receive() == b""
            await listener.close()
            await serving

    pair.run(main())


def test_iteration_ends_at_the_end(pair: Pair) -> None:
    async def body(near: Connection, far: Connection) -> None:
        await near.send(b"one")
        await near.send(bytearray(b"two"))
        await near.send_eof()
        assert await everything(far) == b"onetwo"
        assert await far.receive() == b""

    with_couple(pair, body)


def test_half_close(pair: Pair) -> None:
    """After our end we still receive; sending is a broken pipe."""

    async def body(near: Connection, far: Connection) -> None:
        await near.send_eof()
        await near.send_eof()
        assert await far.receive() == b""
        with pytest.raises(BrokenPipeError) as told:
            await near.send(b"more")
        assert isinstance(told.value, WskBrokenPipe)
        await far.send(b"still here")
        assert await near.receive() == b"still here"
        await far.disconnect()
        assert await near.receive() == b""

    with_couple(pair, body)


def test_disconnect_waits_for_the_peers_acknowledgment(world: World, family: int) -> None:
    async def body(near: Connection, far: Connection) -> None:
        await near.send(bytes(100_000))
        before = world.now
        await near.disconnect()
        assert world.now - before >= 40 * MS
        assert len(await everything(far)) == 100_000

    delay = Impairment(delay=20 * MS)
    with_couple(Pair(world, family, delay), body)


def test_refused(pair: Pair) -> None:
    async def main() -> None:
        async with pair.client() as client, pair.server():
            with pytest.raises(ConnectionRefusedError) as told:
                await client.connect(pair.at(9))
            assert isinstance(told.value, WskConnectionRefused)
            assert told.value.status_name == "STATUS_CONNECTION_REFUSED"

    pair.run(main())


def test_connect_time_out(world: World, family: int) -> None:
    """Nobody answers: the caller's own limit counts, in virtual time."""

    async def main() -> None:
        async with pair.client() as client:
            before = world.now
            with pytest.raises(TimeoutError) as told:
                await client.connect(pair.at(80), timeout=0.5)
            assert isinstance(told.value, WskTimeout)
            assert world.now - before == 500 * MS

    pair = Pair(world, family, Impairment(loss=1.0))
    pair.run(main())


def test_abort(pair: Pair) -> None:
    """What had arrived is read first; then the reset is told, to readers and senders."""

    async def body(near: Connection, far: Connection) -> None:
        await near.send(b"last words")
        await near.drain()
        await near.abort()
        with pytest.raises(WskError, match="closed"):
            await near.send(b"")
        with pytest.raises(WskError, match="closed"):
            await near.receive()
        assert await far.receive() == b"last words"
        with pytest.raises(ConnectionResetError) as told:
            await far.receive()
        assert isinstance(told.value, WskConnectionReset)
        await far.drain()  # nothing was outstanding
        for call in (far.send, far.send_borrowed):
            with pytest.raises(ConnectionResetError):
                await call(b"x")
        with pytest.raises(ConnectionResetError):
            await far.disconnect()

    with_couple(pair, body)


def test_a_reset_wakes_who_waits(pair: Pair) -> None:
    async def body(near: Connection, far: Connection) -> None:
        reading = asyncio.create_task(far.receive())
        writing = asyncio.create_task(far.send_borrowed(bytes(10_000_000)))
        await asyncio.sleep(0.1)
        await near.abort()
        for task in (reading, writing):
            with pytest.raises(ConnectionResetError):
                await task

    with_couple(pair, body)


def test_an_exception_in_the_block_resets(pair: Pair) -> None:
    async def body(near: Connection, far: Connection) -> None:
        with pytest.raises(ZeroDivisionError):
            await failing(near)
        with pytest.raises(ConnectionResetError):
            await everything(far)

    with_couple(pair, body)


def test_leaving_the_block_sends_everything(pair: Pair) -> None:
    data = bytes(range(256)) * 8000

    async def body(near: Connection, far: Connection) -> None:
        async def writer() -> None:
            async with near:
                await near.send(data)

        writing = asyncio.create_task(writer())
        async with far:
            assert await everything(far) == data
        await writing

    with_couple(pair, body)


def test_leaving_the_client_finishes_its_connections(pair: Pair) -> None:
    """Both ends at once, nobody has closed anything by himself."""

    async def main() -> None:
        async with pair.client() as client, pair.server() as server:
            near, far = await couple(pair, client, server)
            await near.send(b"bye")
            assert await far.receive() == b"bye"

    pair.run(main())


def test_a_peer_that_does_not_finish_is_reset_after_the_linger_time(pair: Pair) -> None:
    async def body(near: Connection, far: Connection) -> None:
        await far.send(b"nobody will read this")
        before = pair.world.now
        await near.close(timeout=2)
        assert pair.world.now - before == 2 * 10**9
        assert await far.receive() == b""  # our end was in order
        with pytest.raises(ConnectionResetError):
            await writing_into_a_reset(far)

    with_couple(pair, body)


def test_what_was_not_acknowledged_in_time_is_an_error_of_close(pair: Pair) -> None:
    async def body(near: Connection, far: Connection) -> None:
        await near.send(bytes(50_000_000))  # far does not read
        with pytest.raises(TimeoutError, match="acknowledged"):
            await near.close(timeout=1)
        assert near.closed
        await far.abort()

    with_couple(pair, body)


def test_who_does_not_read_slows_the_sender_down(pair: Pair) -> None:
    """The window closes over what was retained, `send` waits, and goes on when it is read."""

    async def body(near: Connection, far: Connection) -> None:
        sent = await fill(near, 100_000)
        assert sent < 20_000_000
        reading = asyncio.create_task(far.receive_exactly(sent))
        await near.send(b"and on", timeout=5)
        assert len(await reading) == sent
        assert await far.receive() == b"and on"

    with_couple(pair, body, send_limit=200_000)


def test_receive_exactly(pair: Pair) -> None:
    async def body(near: Connection, far: Connection) -> None:
        await near.send(b"abcdef")
        assert await far.receive_exactly(0) == b""
        assert await far.receive_exactly(2) == b"ab"
        with pytest.raises(TimeoutError):
            await far.receive_exactly(5, timeout=1)
        assert await far.receive(3) == b"cde"  # it was put back
        await near.send_eof()
        with pytest.raises(EOFError) as told:
            await far.receive_exactly(2)
        assert isinstance(told.value, asyncio.IncompleteReadError)
        assert told.value.partial == b"f"

    with_couple(pair, body)


def test_views_are_not_copied_and_keep_the_window_closed(pair: Pair) -> None:
    async def body(near: Connection, far: Connection) -> None:
        await near.send(b"look at me")
        with await far.receive_view() as view:
            assert bytes(view) == b"look at me"
            assert view.readonly
            assert isinstance(view.obj, bytes)
            assert len(view.obj) > len(view)  # it is the frame
        kept: list[Chunk] = []
        await near.send(bytes(3_000_000))
        with pytest.raises(TimeoutError):
            await views_for_ever(far, kept)
        got = sum(len(chunk.view) for chunk in kept)
        assert 0 < got < 3_000_000
        for chunk in kept:
            chunk.release()
            chunk.release()
        await far.receive_exactly(3_000_000 - got)
        await near.send_eof()
        with await far.receive_view() as view:
            assert len(view) == 0

    with_couple(pair, body, send_limit=4_000_000)


def test_views_that_were_not_released_are_when_it_closes(pair: Pair) -> None:
    async def body(near: Connection, far: Connection) -> None:
        await near.send(b"kept")
        await near.drain()
        chunk = await far.receive_view()
        await far.abort()
        assert bytes(chunk.view) == b"kept"
        chunk.release()

    with_couple(pair, body)


def test_borrowed_memory(world: World, family: int) -> None:
    """It returns when the peer has acknowledged: the memory may change then."""

    async def body(near: Connection, far: Connection) -> None:
        memory = bytearray(b"x" * 100_000)
        before = world.now
        assert await near.send_borrowed(memory) == 100_000
        assert world.now - before >= 40 * MS
        memory[:] = bytes(100_000)
        assert await far.receive_exactly(100_000) == b"x" * 100_000

    with_couple(Pair(world, family, Impairment(delay=20 * MS)), body)


def test_borrowed_memory_comes_back_in_time(pair: Pair) -> None:
    """Some of it has left: the connection cannot go on."""

    async def body(near: Connection, far: Connection) -> None:
        with pytest.raises(TimeoutError):
            await near.send_borrowed(bytes(50_000_000), timeout=1)
        assert near.closed
        with pytest.raises(ConnectionResetError):
            await everything(far)

    with_couple(pair, body)


def test_borrowed_memory_that_has_not_left_is_withdrawn(pair: Pair) -> None:
    async def body(near: Connection, far: Connection) -> None:
        sent = await fill(near, 100_000)
        with pytest.raises(TimeoutError):
            await near.send_borrowed(b"not this", timeout=1)
        await near.send_eof()
        assert len(await everything(far)) == sent

    with_couple(pair, body, send_limit=10_000_000)


def test_options(pair: Pair) -> None:
    from wsk_api import IPPROTO_TCP, SO_KEEPALIVE, SOL_SOCKET, TCP_NODELAY

    async def body(near: Connection, far: Connection) -> None:
        for level, code in ((IPPROTO_TCP, TCP_NODELAY), (SOL_SOCKET, SO_KEEPALIVE)):
            assert await near.get_option(level, code) == 0
            await near.set_option(level, code, 1)
            assert await near.get_option(level, code) == 1
        with pytest.raises(WskError) as told:
            await near.set_option(IPPROTO_TCP, 9999, 1)
        assert told.value.status_name == "STATUS_NOT_SUPPORTED"

    with_couple(pair, body)


def test_local_address(pair: Pair) -> None:
    async def main() -> None:
        async with pair.client() as client, pair.server() as server, server.listen(80) as listener:
            connecting = client.connect(pair.at(80), local=(pair.nearby, 5555))
            async with connecting as near, await listener.accept() as far:
                assert near.local == far.remote == (pair.nearby, 5555)
                assert near.remote == far.local == pair.at(80)
                with pytest.raises(WskError) as told:
                    await client.connect(pair.at(80), local=("192.0.2.1", 0))
                assert told.value.status_name == "STATUS_INVALID_ADDRESS_COMPONENT"

    pair.run(main())


def test_many_connections_at_once(pair: Pair) -> None:
    async def main() -> None:
        async with pair.server() as server, server.listen(7) as listener:
            serving = asyncio.create_task(listener.serve(echo))
            async with pair.client() as client:

                async def one(number: int) -> None:
                    data = bytes([number]) * (1000 * number + 1)
                    async with client.connect(pair.at(7)) as connection:
                        await connection.send(data)
                        await connection.send_eof()
                        assert await everything(connection) == data

                async with asyncio.TaskGroup() as group:
                    for number in range(100):
                        group.create_task(one(number))
            await listener.close()
            await serving

    pair.run(main())


@pytest.mark.parametrize("data", ["text", 5, None])
def test_only_octets_are_sent(pair: Pair, data: Any) -> None:
    async def body(near: Connection, far: Connection) -> None:
        with pytest.raises(TypeError):
            await near.send(data)
        with pytest.raises(TypeError):
            await near.send_borrowed(data)
        with pytest.raises(ValueError, match="one octet"):
            await near.receive(0)

    with_couple(pair, body)


def test_two_close_together(pair: Pair) -> None:
    """The second waits for the first; a reader is told."""

    async def body(near: Connection, far: Connection) -> None:
        reading = asyncio.create_task(near.receive())
        await asyncio.sleep(0)
        await asyncio.gather(near.close(timeout=1), near.close(timeout=1), near.abort())
        assert near.closed
        with pytest.raises(WskError, match="closed"):
            await reading
        await far.abort()

    with_couple(pair, body)
