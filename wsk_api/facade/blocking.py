# SPDX-License-Identifier: MIT
"""The facade for threads: every call blocks until it is answered.

    with BlockingClient(stack) as client, client.connect(("10.77.0.2", 7)) as connection:
        connection.send(b"hello")
        print(connection.receive())

Same code, other waiter: a coroutine of the facade that waits by blocking never suspends, so it
runs to its end in one go.  Any number of threads may share a client.
On the stack's own thread a call would wait for itself; there it raises RuntimeError.
Who calls it: programs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, Generic, TypeVar

from stack.base.seam import Executor
from stack.base.units import SECOND
from wsk_api import Subsystem
from wsk_api.facade.addresses import Address
from wsk_api.facade.client import Client, StackLike
from wsk_api.facade.connection import Connection
from wsk_api.facade.datagram import Datagram
from wsk_api.facade.endpoint import Endpoint
from wsk_api.facade.errors import WskError, error
from wsk_api.facade.inbox import Chunk
from wsk_api.facade.listener import Listener
from wsk_api.facade.waiting import NEVER, Request, Signal, Waiter
from wsk_api.ntstatus import STATUS_FILE_FORCED_CLOSED

T = TypeVar("T")
E = TypeVar("E", bound=Endpoint)


class ThreadWaiter(Waiter):
    """Blocks the calling thread."""

    def __init__(self) -> None:
        self.executor: Executor
        """Of the stack; known once the provider was captured."""

    def now(self) -> float:
        return time.monotonic()

    async def until(self, condition: Callable[[], bool], signal: Signal, limit: float) -> bool:
        left = None if limit == NEVER else max(0, int((limit - self.now()) * SECOND))
        if self.executor.wait(condition, left):
            return True
        if left is None:
            raise error(STATUS_FILE_FORCED_CLOSED, "the stack has stopped")
        return False

    def changed(self, signal: Signal) -> None:
        self.executor.submit(_nothing)  # threads look again after every turn

    async def settle(self, request: Request) -> None:
        await self.until(request.finished, request, NEVER)

    def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine of the facade to its end."""
        if not self.executor.may_wait():
            raise RuntimeError(
                "a blocking call on the stack's own thread would wait for itself: "
                "use another thread, or `Client` and `await`"
            )
        try:
            work().send(None)
        except StopIteration as end:
            value: T = end.value
            return value
        raise AssertionError("a coroutine suspended that waits by blocking")


def _nothing() -> None:
    """A turn is all that is wanted."""


class _Blocking(Generic[E]):
    """What every blocking socket has."""

    def __init__(self, waiter: ThreadWaiter, inner: E) -> None:
        self._run = waiter.run
        self._waiter = waiter
        self.inner = inner
        """The facade's own object."""

    @property
    def local(self) -> Address:
        """Our address."""
        return self.inner.local

    @property
    def closed(self) -> bool:
        """Closing has begun."""
        return self.inner.closed

    def set_option(self, level: int, code: int, value: int | bytes) -> None:
        """As `Endpoint.set_option`."""
        self._run(lambda: self.inner.set_option(level, code, value))

    def get_option(self, level: int, code: int) -> int:
        """As `Endpoint.get_option`."""
        return self._run(lambda: self.inner.get_option(level, code))

    def close(self) -> None:
        """Close in order."""
        self._run(lambda: self.inner.close())

    def abort(self) -> None:
        """Close at once."""
        self._run(lambda: self.inner.abort())

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close() if kind is None else self.abort()

    def __repr__(self) -> str:
        return repr(self.inner)


Self = TypeVar("Self", bound=_Blocking[Any])


class BlockingConnection(_Blocking[Connection]):
    """A `Connection` for threads; the calls mean the same."""

    @property
    def remote(self) -> Address:
        """The peer's address."""
        return self.inner.remote

    def receive(self, count: int = 1 << 16, timeout: float | None = None) -> bytes:
        """Up to `count` octets; b"" once the peer has finished."""
        return self._run(lambda: self.inner.receive(count, timeout))

    def receive_exactly(self, count: int, timeout: float | None = None) -> bytes:
        """`count` octets, or asyncio.IncompleteReadError (an EOFError)."""
        return self._run(lambda: self.inner.receive_exactly(count, timeout))

    def receive_view(self, timeout: float | None = None) -> Chunk:
        """What came, where it lies; to be released."""
        return self._run(lambda: self.inner.receive_view(timeout))

    def send(self, data: Any, timeout: float | None = None) -> int:
        """Queue all of `data`."""
        return self._run(lambda: self.inner.send(data, timeout))

    sendall = send

    def send_borrowed(self, memory: Any, timeout: float | None = None) -> int:
        """Send without a copy, and wait until it was acknowledged."""
        return self._run(lambda: self.inner.send_borrowed(memory, timeout))

    def drain(self, timeout: float | None = None) -> None:
        """Wait until everything was acknowledged."""
        self._run(lambda: self.inner.drain(timeout))

    def send_eof(self) -> None:
        """Finish sending."""
        self._run(lambda: self.inner.send_eof())

    def disconnect(self, timeout: float | None = None) -> None:
        """Finish sending, and wait until the peer has acknowledged that."""
        self._run(lambda: self.inner.disconnect(timeout))

    def close(self, timeout: float | None = None) -> None:
        """Close in order; see `Connection.close`."""
        self._run(lambda: self.inner.close(timeout))

    def __iter__(self) -> Iterator[bytes]:
        while data := self.receive():
            yield data


class BlockingListener(_Blocking[Listener]):
    """A `Listener` for threads."""

    def accept(self, timeout: float | None = None) -> BlockingConnection:
        """The next connection."""
        accepted = self._run(lambda: self.inner.accept(timeout))
        return BlockingConnection(self._waiter, accepted)

    def __iter__(self) -> Iterator[BlockingConnection]:
        while True:
            try:
                yield self.accept()
            except WskError:
                if not self.closed:
                    raise
                return


class BlockingDatagram(_Blocking[Datagram]):
    """A `Datagram` for threads."""

    @property
    def remote(self) -> Address | None:
        """The fixed remote address."""
        return self.inner.remote

    def connect(self, address: Any) -> None:
        """Fix the remote address, or None."""
        self._run(lambda: self.inner.connect(address))

    def send(self, data: Any) -> int:
        """Send to the fixed remote address."""
        return self._run(lambda: self.inner.send(data))

    def send_to(self, data: Any, address: Any) -> int:
        """Send one datagram."""
        return self._run(lambda: self.inner.send_to(data, address))

    def receive(self, timeout: float | None = None) -> bytes:
        """The next datagram."""
        return self._run(lambda: self.inner.receive(timeout))

    def receive_from(self, timeout: float | None = None) -> tuple[bytes, Address]:
        """The next datagram and its sender."""
        return self._run(lambda: self.inner.receive_from(timeout))

    def allow_broadcast(self, allowed: bool = True) -> None:
        """Allow sending to broadcast addresses."""
        self._run(lambda: self.inner.allow_broadcast(allowed))

    def __iter__(self) -> Iterator[tuple[bytes, Address]]:
        while True:
            try:
                yield self.receive_from()
            except WskError:
                if not self.closed:
                    raise
                return


class BlockingClient:
    """A `Client` for threads.  The stack turns on a thread of its own, or (in virtual time) while
    a call waits."""

    def __init__(self, stack: StackLike | Subsystem, **how: Any) -> None:
        self._waiter = ThreadWaiter()
        self.inner = Client(stack, waiter=self._waiter, **how)
        """The facade's own object."""

    def connect(
        self, address: Any, *, local: Any = ("", 0), timeout: float | None = None
    ) -> BlockingConnection:
        """Connect to (host, port)."""
        return BlockingConnection(
            self._waiter,
            self._run(lambda: _opened(self.inner.connect(address, local=local, timeout=timeout))),
        )

    def listen(self, port: int, host: str = "") -> BlockingListener:
        """Listen on a port."""
        inner = self._run(lambda: _opened(self.inner.listen(port, host)))
        return BlockingListener(self._waiter, inner)

    def datagram(self, port: int = 0, host: str = "") -> BlockingDatagram:
        """A UDP socket."""
        inner = self._run(lambda: _opened(self.inner.datagram(port, host)))
        return BlockingDatagram(self._waiter, inner)

    def addresses(self, host: str, port: int = 0) -> list[Address]:
        """The addresses of a host, best first."""
        return self._run(lambda: self.inner.addresses(host, port))

    def close(self, timeout: float | None = None) -> None:
        """Close what is open, in order, and deregister."""
        if self.inner.is_open:
            self._run(lambda: self.inner.close(timeout))

    def abort(self) -> None:
        """Close what is open, at once, and deregister."""
        if self.inner.is_open:
            self._run(lambda: self.inner.abort())

    def __enter__(self) -> BlockingClient:
        self.inner.open()
        self._waiter.executor = self.inner.executor
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close() if kind is None else self.abort()

    def _run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        self.inner.check()
        return self._waiter.run(work)


async def _opened(opening: Any) -> Any:
    return await opening
