# SPDX-License-Identifier: MIT
"""`Connection`: a TCP connection as Python uses one.

    await connection.send(b"hello")          queued, in order; waits only while too much is queued
    data = await connection.receive()        what there is; b"" when the peer has finished
    async for chunk in connection: ...       until the peer has finished

WSK has no send buffer: its sends complete when the peer has acknowledged them.  Here is the one
that programs expect, bounded by `Client.send_limit`; `bytes` are borrowed, everything else is
copied.  What is received is in `inbox`.
Not done: urgent data.
Who calls it: programs; `blocking` for threads.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Final

from wsk_api.facade.addresses import Address, shown
from wsk_api.facade.endpoint import Endpoint
from wsk_api.facade.errors import WskError, error
from wsk_api.facade.inbox import Chunk, Inbox
from wsk_api.facade.waiting import Request
from wsk_api.ntstatus import (
    STATUS_GRACEFUL_DISCONNECT,
    STATUS_INVALID_HANDLE,
    STATUS_IO_TIMEOUT,
)
from wsk_api.types import SOCKADDR, WSK_SOCKET, Ref, wsk_buf

if TYPE_CHECKING:
    from wsk_api.facade.client import Client

_CHUNK: Final = 1 << 16
_OVERHEAD: Final = 512
"""What an outstanding send costs besides its octets."""


class Connection(Endpoint):
    """An established connection."""

    kind = "connection"

    def __init__(
        self,
        client: Client,
        socket: WSK_SOCKET,
        inbox: Inbox,
        local: SOCKADDR | None,
        remote: SOCKADDR | None,
    ) -> None:
        super().__init__(client, socket, local)
        self.remote: Address = shown(remote)
        """The peer's address."""
        self._inbox = inbox
        self._fin: Request | None = None
        self._acknowledged = False  # our end, and with it everything before
        self._told = False  # a call has raised what became of the connection
        self._lock = threading.Lock()
        self._charged = 0  # octets and overhead; written by senders
        self._freed = 0  # the same; written by completions, on the stack's thread
        self.queued = 0
        """Octets that `send` has taken."""

    # Receiving.

    async def receive(self, count: int = _CHUNK, timeout: float | None = None) -> bytes:
        """Up to `count` octets, as soon as there are any; b"" once the peer has finished.

        Cancelling it loses nothing.  Raises WskError when the connection broke, after everything
        that had arrived was read.
        """
        if count < 1:
            raise ValueError("receive: ask for one octet at least")
        return await self._take(count, self.client.waiter.limit(timeout))

    async def receive_exactly(self, count: int, timeout: float | None = None) -> bytes:
        """`count` octets, or asyncio.IncompleteReadError (an EOFError) with what there was.

        Cancelled or late, it puts back what it had.
        """
        limit = self.client.waiter.limit(timeout)
        data = bytearray()
        try:
            while len(data) < count:
                piece = await self._take(count - len(data), limit)
                if not piece:
                    break
                data += piece
        except BaseException:
            self._inbox.put_back(bytes(data))
            raise
        if len(data) < count:
            raise asyncio.IncompleteReadError(bytes(data), count)
        return bytes(data)

    async def receive_view(self, timeout: float | None = None) -> Chunk:
        """The next received octets where they lie, read-only and not copied; an empty view once
        the peer has finished.  Until `release` they count against the receive window."""
        limit = self.client.waiter.limit(timeout)
        while True:
            await self._await_data(limit)
            chunk = self._inbox.take_chunk()
            if chunk is not None:
                return chunk
            if self._inbox.finished:
                return Chunk(memoryview(b""), self._inbox, None)

    def __aiter__(self) -> Connection:
        return self

    async def __anext__(self) -> bytes:
        data = await self.receive()
        if not data:
            raise StopAsyncIteration
        return data

    async def _take(self, count: int, limit: float) -> bytes:
        while True:
            await self._await_data(limit)
            data = self._inbox.take(count)
            # Another thread may have been quicker.
            if data or self._inbox.finished:
                return data

    async def _await_data(self, limit: float) -> None:
        self._check()
        inbox = self._inbox
        if not await self.client.waiter.until(inbox.readable, inbox.changed, limit):
            raise error(STATUS_IO_TIMEOUT, f"nothing from {self.remote} in time")
        if inbox.shut:
            raise error(STATUS_INVALID_HANDLE, f"{self} is closed")
        if not inbox.chunks and not inbox.finished:
            raise self._broken()

    # Sending.

    async def send(self, data: Any, timeout: float | None = None) -> int:
        """Queue all of `data` behind what was sent before; its length.

        Waits while `Client.send_limit` octets are unacknowledged.  Cancelled or late, it has
        sent nothing.  Raises what became of the connection, or WskBrokenPipe after `send_eof`.
        """
        waiter = self.client.waiter
        self._may_send()
        if not await waiter.until(self._has_room, self._inbox.changed, waiter.limit(timeout)):
            raise error(STATUS_IO_TIMEOUT, f"{self.remote} does not take what was sent")
        self._may_send()
        memory = data if isinstance(data, bytes) else bytes(memoryview(data))
        if memory:
            self._issue(memory)
        return len(memory)

    sendall = send
    """What `socket` calls it."""

    async def send_borrowed(self, memory: Any, timeout: float | None = None) -> int:
        """Send `memory` without a copy: it must not change until this returns, which is when the
        peer has acknowledged it.

        Cancelled or late before the first octet has left, it has sent nothing; after that the
        connection is aborted, since half a message cannot be taken back.
        """
        self._may_send()
        waiter = self.client.waiter
        request = Request(lambda irp: self._call("WskSend", wsk_buf(memory), 0, irp))
        try:
            in_time = await waiter.until(request.finished, request, waiter.limit(timeout))
        except BaseException:
            await self._take_back(request)
            raise
        if not in_time:
            await self._take_back(request)
            if not request.succeeded:
                raise error(STATUS_IO_TIMEOUT, f"{self.remote} does not take what was sent")
        return int(await waiter.finish(request, f"sending to {self.remote}"))

    async def _take_back(self, request: Request) -> None:
        """Withdraw a send, or abort the connection."""
        request.cancel()
        # Calls are served in order: when this one is, the cancellation has been tried.
        probe = Request(lambda irp: self._call("WskGetLocalAddress", Ref(), irp))
        await self.client.waiter.settle(probe)
        if not request.done:
            await self.abort()

    async def drain(self, timeout: float | None = None) -> None:
        """Wait until the peer has acknowledged everything that was sent."""
        self._check()
        waiter = self.client.waiter
        if not await waiter.until(self._drained, self._inbox.changed, waiter.limit(timeout)):
            raise error(STATUS_IO_TIMEOUT, f"{self.remote} does not acknowledge")
        self._check()
        if self._freed != self._charged:
            raise self._broken()

    def _issue(self, memory: bytes) -> None:
        cost = len(memory) + _OVERHEAD
        with self._lock:
            self._charged += cost
            self.queued += len(memory)

        def told(request: Request) -> None:
            if request.succeeded:
                self._freed += cost
                self._inbox.changed.notify()
            else:
                self._inbox.fail(request.status)

        Request(lambda irp: self._call("WskSend", wsk_buf(memory), 0, irp), told)

    def _drained(self) -> bool:
        return self._freed == self._charged or self._dead()

    def _has_room(self) -> bool:
        return self._charged - self._freed < self.client.send_limit or self._dead()

    def _dead(self) -> bool:
        return bool(self._inbox.failure or self._closing)

    def _may_send(self) -> None:
        self._check()
        if self._fin is not None:
            raise error(STATUS_GRACEFUL_DISCONNECT, f"{self} has sent its end")
        if self._inbox.failure:
            raise self._broken()

    def _broken(self) -> WskError:
        self._told = True
        return error(self._inbox.failure, f"the connection to {self.remote} broke")

    # Ending.

    async def send_eof(self) -> None:
        """Finish sending, after everything queued; receiving goes on.  A second time: nothing."""
        self._check()
        self._finish()

    async def disconnect(self, timeout: float | None = None) -> None:
        """`send_eof`, and wait until the peer has acknowledged everything and the end."""
        self._check()
        fin = self._finish()
        waiter = self.client.waiter
        changed = self._inbox.changed
        done = lambda: fin.done or self._dead()  # noqa: E731
        if not await waiter.until(done, changed, waiter.limit(timeout)):
            raise error(STATUS_IO_TIMEOUT, f"{self.remote} does not acknowledge the end")
        if not (fin.done and fin.succeeded):
            self._check()
            raise self._broken()

    async def close(self, timeout: float | None = None) -> None:
        """Close in order: send everything and the end, wait for the peer's end, close.

        What still comes is discarded.  After `timeout` seconds (`Client.linger` by default) the
        connection is reset; that is an error (WskTimeout) only if the peer has not acknowledged
        what we sent.  A connection that broke closes quietly if all was acknowledged, or if a call
        has already said so.
        """
        if self._closing:
            await self.abort()
            return
        waiter = self.client.waiter
        limit = waiter.limit(self.client.linger if timeout is None else timeout)
        inbox = self._inbox
        inbox.discard()
        try:
            fin = self._finish()
            over = lambda: self._dead() or (fin.done and inbox.over())  # noqa: E731
            await waiter.until(over, inbox.changed, limit)
        except BaseException:
            await self.abort()
            raise
        overtaken, failure = self._closing, inbox.failure
        await self.abort()
        if overtaken or self._acknowledged or self._told:
            return
        if not failure:
            raise error(STATUS_IO_TIMEOUT, f"{self.remote} has not acknowledged what it was sent")
        if self._freed != self._charged:
            raise error(failure, f"the connection to {self.remote} broke")

    async def abort(self) -> None:
        """Close at once.  Unless both directions have ended, the peer gets a reset."""
        await super().abort()

    def _finish(self) -> Request:
        if self._fin is None:
            told = self._finished
            self._fin = Request(lambda irp: self._call("WskDisconnect", None, 0, irp), told)
        return self._fin

    def _finished(self, request: Request) -> None:
        self._acknowledged = request.succeeded
        request.done = True
        self._inbox.changed.notify()

    def _let_go(self) -> None:
        self._inbox.shut_down()

    def _call(self, function: str, *arguments: Any) -> int:
        status = getattr(self.socket.Dispatch, function)(self.socket, *arguments)
        assert isinstance(status, int)
        return status

    def __str__(self) -> str:
        return f"connection {self.local} to {self.remote}"
