# SPDX-License-Identifier: MIT
"""Blocking calls: in virtual time, where waiting turns the world, and from real threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from stack import Stack
from stack.base import addr
from stack.base.units import SECOND
from tap.thread import ThreadRuntime
from tests.facade.kit import Pair
from tests.tap.test_runtimes import two_stacks
from wsk_api import IPPROTO_TCP, TCP_NODELAY, Subsystem
from wsk_api.facade import BlockingClient, BlockingConnection, BlockingDatagram, WskError

HOSTS = {addr.V4: "10.77.0.2", addr.V6: "fd77::2"}
DATA = bytes(range(256)) * 2000


# In virtual time.


@contextmanager
def couple(pair: Pair) -> Iterator[tuple[BlockingConnection, BlockingConnection]]:
    with (
        BlockingClient(pair.near) as client,
        BlockingClient(pair.far) as server,
        server.listen(80) as listener,
        client.connect(pair.at(80)) as near,
        listener.accept() as far,
    ):
        yield near, far
        near.abort()
        far.abort()
    pair.clients += [client.inner, server.inner]
    pair.check()


def test_there_and_back(pair: Pair) -> None:
    with couple(pair) as (near, far):
        assert near.remote == far.local == pair.at(80)
        near.set_option(IPPROTO_TCP, TCP_NODELAY, 1)
        assert near.get_option(IPPROTO_TCP, TCP_NODELAY) == 1
        assert near.send(DATA[:1000]) == 1000
        near.drain()
        assert far.receive_exactly(1000) == DATA[:1000]
        assert near.send_borrowed(b"borrowed") == 8
        with far.receive_view() as view:
            assert bytes(view) == b"borrowed"
        near.send_eof()
        assert list(far) == []
        far.sendall(b"bye")
        far.disconnect()
        assert list(near) == [b"bye"]
        far.close()
        assert far.closed
        near.close(timeout=1)


def test_time_outs(pair: Pair) -> None:
    with couple(pair) as (near, _):
        with pytest.raises(TimeoutError):
            near.receive(timeout=0.5)
        with pytest.raises(TimeoutError):
            sending_for_ever(near)


def test_datagrams(pair: Pair) -> None:
    with BlockingClient(pair.near) as client, BlockingClient(pair.far) as server:
        near, far = client.datagram(), server.datagram(53)
        near.connect(pair.at(53))
        assert near.remote == pair.at(53)
        assert near.send(b"ping") == 4
        data, sender = far.receive_from()
        assert data == b"ping"
        far.send_to(b"pong", sender)
        assert near.receive() == b"pong"
        with pytest.raises(TimeoutError):
            near.receive(timeout=0.1)
        if pair.family == addr.V4:
            near.allow_broadcast()
            near.send_to(b"all", ("10.77.0.255", 53))
            assert far.receive() == b"all"
    pair.clients += [client.inner, server.inner]
    pair.check()


def test_an_exception_in_the_block_resets(pair: Pair) -> None:
    with couple(pair) as (near, far):
        with pytest.raises(ZeroDivisionError), near:
            raise ZeroDivisionError
        with pytest.raises(ConnectionResetError):
            far.receive()


def test_refused(pair: Pair) -> None:
    with BlockingClient(pair.near) as client, pytest.raises(ConnectionRefusedError):
        client.connect(pair.at(9), timeout=5)
    assert client.inner.endpoints == set()


def test_a_provider_that_is_not_there() -> None:
    client = BlockingClient(Subsystem())
    with pytest.raises(WskError, match="STATUS_DEVICE_NOT_READY"):
        client.__enter__()
    with pytest.raises(WskError, match="not open"):
        client.listen(80)
    client.close()


def test_inside_of_a_turn_a_blocking_call_is_refused(pair: Pair) -> None:
    """In virtual time, too: a callback may not wait for what only the next turn can bring."""
    refused: list[str] = []
    with couple(pair) as (near, _):

        def callback() -> None:
            with pytest.raises(RuntimeError, match="own thread") as told:
                near.receive()
            refused.append(str(told.value))

        pair.world.loop.call(callback)
        pair.world.run(SECOND)
    assert len(refused) == 1


def sending_for_ever(connection: BlockingConnection) -> None:
    while True:
        connection.send(DATA, timeout=0.5)


# On real threads.


@pytest.fixture
def stacks() -> Iterator[tuple[ThreadRuntime, Stack, Stack]]:
    runtime = ThreadRuntime()
    a, b = two_stacks(runtime)
    with runtime:
        yield runtime, a, b
    assert runtime.failure is None
    for stack in (a, b):
        assert stack.tcp.connections() == []


def in_thread(work: Callable[[], Any]) -> Callable[[], Any]:
    """Start `work` on a thread; calling the result joins it and gives its value."""
    box: list[Any] = []

    def body() -> None:
        try:
            box.append(work())
        except OSError as why:
            box.append(why)

    thread = threading.Thread(target=body)
    thread.start()

    def join() -> Any:
        thread.join(30)
        assert not thread.is_alive()
        return box[0]

    return join


def test_two_threads_talk(stacks: Any, family: int) -> None:
    _, a, b = stacks

    def serve() -> int:
        count = 0
        with BlockingClient(b) as server, server.listen(7) as listener:
            ready.set()
            with listener.accept() as connection:
                for chunk in connection:
                    count += connection.send(chunk)
        return count

    ready = threading.Event()
    serving = in_thread(serve)
    assert ready.wait(30)
    with BlockingClient(a) as client, client.connect((HOSTS[family], 7)) as connection:
        sending = in_thread(lambda: connection.send(DATA))
        assert connection.receive_exactly(len(DATA)) == DATA
        assert sending() == len(DATA)
    assert serving() == len(DATA)


def test_many_threads_share_a_client(stacks: Any, family: int) -> None:
    _, a, b = stacks
    count = 8
    with BlockingClient(b) as server, server.listen(7) as listener, BlockingClient(a) as client:

        def serve() -> None:
            with listener.accept() as connection:
                for chunk in connection:
                    connection.send(chunk)

        def ask(number: int) -> bool:
            data = bytes([number]) * 10_000
            with client.connect((HOSTS[family], 7)) as connection:
                connection.send(data)
                connection.send_eof()
                return b"".join(connection) == data

        servers = [in_thread(serve) for _ in range(count)]
        askers = [in_thread(lambda n=n: ask(n)) for n in range(count)]  # type: ignore[misc]
        assert [join() for join in askers] == [True] * count
        assert [join() for join in servers] == [None] * count


def test_many_threads_share_a_connection_and_a_datagram_socket(stacks: Any, family: int) -> None:
    """Every octet and every datagram goes to exactly one of them."""
    _, a, b = stacks
    size, count = 400_000, 200
    with BlockingClient(b) as server, BlockingClient(a) as client, server.listen(7) as listener:
        near, far = client.connect((HOSTS[family], 7)), listener.accept()
        readers = [in_thread(lambda: sum(len(chunk) for chunk in far)) for _ in range(4)]
        senders = [in_thread(lambda: near.send(bytes(size // 4))) for _ in range(4)]
        assert [join() for join in senders] == [size // 4] * 4
        near.send_eof()
        assert sum(join() for join in readers) == size
        sink, source = server.datagram(7), client.datagram()
        takers = [in_thread(lambda: [sink.receive() for _ in range(count // 4)]) for _ in range(4)]
        for number in range(count):
            source.send_to(bytes([number]), (HOSTS[family], 7))
        got = [data[0] for join in takers for data in join()]
        assert sorted(got) == list(range(count))


def test_closing_wakes_the_threads_that_wait(stacks: Any, family: int) -> None:
    runtime, a, b = stacks
    with BlockingClient(b) as server, BlockingClient(a) as client:
        listener, datagram = server.listen(7), server.datagram(7)
        near = client.connect((HOSTS[family], 7))
        far = listener.accept()
        waiting = [
            in_thread(far.receive),
            in_thread(lambda: list(listener)),
            in_thread(lambda: list(datagram)),
        ]
        submitted: list[int] = []
        runtime.submit(lambda: submitted.append(1))
        assert runtime.wait(lambda: bool(submitted), 20 * SECOND)
        for each in (far, listener, datagram):
            each.abort()
        ends = [join() for join in waiting]
        assert isinstance(ends[0], WskError)
        assert ends[1:] == [[], []]
        with pytest.raises(ConnectionResetError):
            near.receive()


def test_on_the_stacks_own_thread_it_is_refused(stacks: Any) -> None:
    runtime, a, _ = stacks
    refused: list[BaseException] = []
    client = BlockingClient(a)

    def callback() -> None:
        try:
            client.connect(("10.77.0.2", 7))
        except RuntimeError as why:
            refused.append(why)

    with client:
        runtime.submit(callback)
        assert runtime.wait(lambda: bool(refused), 20 * SECOND)
    assert "own thread" in str(refused[0])


def test_a_stack_that_stops_frees_who_waits() -> None:
    runtime = ThreadRuntime()
    _, b = two_stacks(runtime)
    runtime.start()
    client = BlockingClient(b)
    client.__enter__()
    socket: BlockingDatagram = client.datagram(7)
    receiving = in_thread(socket.receive)
    runtime.stop()
    why = receiving()
    assert isinstance(why, WskError)
    assert "stopped" in str(why)
