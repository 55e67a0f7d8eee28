# SPDX-License-Identifier: MIT
"""The real clocks: a stack on a thread, stacks on an asyncio loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from stack import Stack
from stack.base import addr
from stack.base.units import MS, SECOND
from tap.aio import AsyncioRuntime
from tap.memory import wire
from tap.thread import ThreadRuntime
from tests.harness import quiet
from tests.tcp.users import Acceptor, User


def two_stacks(runtime: ThreadRuntime | AsyncioRuntime) -> tuple[Stack, Stack]:
    """Joined in memory, both turned by `runtime`."""
    ports = wire(bytes((2, 0, 0, 0, 0, 1)), bytes((2, 0, 0, 0, 0, 2)))
    stacks = []
    for number, port in enumerate(ports, 1):
        stack = Stack(runtime.env, quiet())
        nic = stack.add_nic(port, f"wsk{number}")
        stack.add_address(nic, f"10.77.0.{number}", 24)
        stack.add_address(nic, f"fd77::{number}", 64)
        runtime.loop.add(stack, nic, port)
        stacks.append(stack)
    return stacks[0], stacks[1]


def exchange(a: Stack, b: Stack, address: str) -> tuple[User, Acceptor]:
    """Begin a connection that sends a megabyte.  On the stack's thread."""
    acceptor = Acceptor()
    listener = b.tcp.open_listener(addr.V4 | addr.V6)
    listener.attach(acceptor)
    listener.bind(b"", 80, 0)
    stream = a.tcp.open_stream(addr.V4 | addr.V6)
    user = User(stream)
    stream.attach(user)
    stream.bind(b"", 0, 0)
    stream.connect(addr.parse(address), 80, 0, "connect")
    user.send(bytes(1 << 20))
    stream.disconnect("bye")
    return user, acceptor


def arrived(acceptor: Acceptor) -> bool:
    return bool(acceptor.users) and len(acceptor.users[0].data) == 1 << 20


def test_thread() -> None:
    runtime = ThreadRuntime()
    a, b = two_stacks(runtime)
    with runtime:
        box: list[tuple[User, Acceptor]] = []
        runtime.submit(lambda: box.append(exchange(a, b, "10.77.0.2")))
        assert runtime.wait(lambda: bool(box) and arrived(box[0][1]), 20 * SECOND)
    assert runtime.failure is None


def test_a_thread_that_polls_does_the_same() -> None:
    """For a millisecond after whatever comes, frames or calls."""
    runtime = ThreadRuntime(busy_poll=MS)
    a, b = two_stacks(runtime)
    with runtime:
        box: list[tuple[User, Acceptor]] = []
        runtime.submit(lambda: box.append(exchange(a, b, "10.77.0.2")))
        assert runtime.wait(lambda: bool(box) and arrived(box[0][1]), 20 * SECOND)
        heard = runtime.loop.heard
        runtime.submit(lambda: None)
        assert runtime.wait(lambda: runtime.loop.heard > heard, 20 * SECOND)
    assert runtime.failure is None


def test_timers_fire_without_traffic() -> None:
    runtime = ThreadRuntime()
    a, _ = two_stacks(runtime)
    box: list[User] = []

    def begin() -> None:
        stream = a.tcp.open_stream(addr.V4)
        user = User(stream)
        stream.attach(user)
        stream.bind(b"", 0, 0)
        stream.connect(addr.parse("10.77.0.99"), 80, 0, "connect")  # nobody has it
        box.append(user)

    with runtime:
        runtime.submit(begin)
        assert runtime.wait(lambda: bool(box) and bool(box[0].events), 20 * SECOND)
    assert box[0].events[0][:2] == ("connect", "HOST_UNREACHABLE")


def test_calls_from_many_threads_all_run_on_the_stacks() -> None:
    runtime = ThreadRuntime()
    two_stacks(runtime)
    seen: list[int] = []
    with runtime:

        def caller() -> None:
            for _ in range(200):
                runtime.submit(lambda: seen.append(threading.get_ident()))

        threads = [threading.Thread(target=caller) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert runtime.wait(lambda: len(seen) == 1000, 20 * SECOND)
    assert len(set(seen)) == 1
    assert threading.get_ident() not in seen


def test_a_bug_ends_the_thread_and_frees_who_waits() -> None:
    runtime = ThreadRuntime()
    two_stacks(runtime)

    def bug() -> None:
        raise RuntimeError("a bug of ours")

    runtime.start()
    runtime.submit(bug)
    assert not runtime.wait(lambda: False, 20 * SECOND)
    assert isinstance(runtime.failure, RuntimeError)
    runtime.stop()


def test_asyncio() -> None:
    async def main() -> None:
        runtime = AsyncioRuntime()
        a, b = two_stacks(runtime)
        runtime.start()
        user, acceptor = exchange(a, b, "fd77::2")
        await until(lambda: arrived(acceptor))
        assert user.events[0] == ("connect", "OK", 0)
        runtime.stop()

    asyncio.run(asyncio.wait_for(main(), 20))


def test_asyncio_wakes_for_a_frame_sent_outside_of_a_turn() -> None:
    """A datagram leaves at once, not at the next timer."""

    async def main() -> None:
        runtime = AsyncioRuntime()
        a, _ = two_stacks(runtime)
        runtime.start()
        peer = addr.parse("10.77.0.2")
        answers: list[int] = []
        icmp = a.icmp_for(peer)
        icmp.listen(1, lambda *_: answers.append(1))
        for number in range(20):
            icmp.echo(peer, 1, number, bytes(10))
            await until(lambda n=number: len(answers) > n)  # type: ignore[misc]
        runtime.stop()

    asyncio.run(asyncio.wait_for(main(), 5))


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0)
