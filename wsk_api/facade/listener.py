# SPDX-License-Identifier: MIT
"""`Listener`: connections as they come.

    async for connection in listener: ...
    await listener.serve(handler)            a task for each, none left behind

Each accept is one queued WskAccept; connections nobody has asked for yet wait in the transport.
Who calls it: programs; `blocking` for threads.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from wsk_api.facade.connection import Connection
from wsk_api.facade.endpoint import Endpoint, closing
from wsk_api.facade.errors import WskError
from wsk_api.facade.inbox import EVENTS, Inbox
from wsk_api.facade.waiting import Issue, Request
from wsk_api.types import SOCKADDR, Ref

log = logging.getLogger("wskstack.facade")

Handler = Callable[[Connection], Awaitable[Any]]


class Listener(Endpoint):
    """Something that waits for connections."""

    kind = "listener"

    async def accept(self, timeout: float | None = None) -> Connection:
        """The next connection.  Cancelled in the last moment, it resets the one that came."""
        self._check()
        local, remote = Ref[SOCKADDR](), Ref[SOCKADDR]()
        inbox = Inbox()

        def issue(irp: Any) -> int:
            call = self.socket.Dispatch.WskAccept
            return int(call(self.socket, 0, inbox, EVENTS, local, remote, irp))

        def undo(socket: Any) -> Issue:
            inbox.shut_down()
            return closing(socket)

        waiter = self.client.waiter
        request = Request(issue, inbox.created)
        socket = await waiter.finish(request, f"accepting on {self}", waiter.limit(timeout), undo)
        return Connection(self.client, socket, inbox, local.value, remote.value)

    def __aiter__(self) -> Listener:
        return self

    async def __anext__(self) -> Connection:
        try:
            return await self.accept()
        except WskError:
            if self._closing:
                raise StopAsyncIteration from None
            raise

    async def serve(self, handler: Handler) -> None:
        """Run `handler(connection)` in a task for each connection, inside of its `async with`.

        What a connection raises ends that connection alone: it is reset, and anything but a
        WskError is logged.  Ends when the listener is closed, after the last handler; cancelled,
        it cancels them and waits.
        """
        async with asyncio.TaskGroup() as group:
            async for connection in self:
                group.create_task(_handle(handler, connection))


async def _handle(handler: Handler, connection: Connection) -> None:
    try:
        async with connection:
            await handler(connection)
    except WskError as why:
        log.debug("%s: %s", connection, why)
    except Exception:
        log.exception("the handler of %s raised", connection)
