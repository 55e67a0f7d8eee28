# SPDX-License-Identifier: MIT
"""`Datagram`: UDP as Python uses it.

    await socket.send_to(b"ping", ("10.77.0.1", 7))
    data, sender = await socket.receive_from()
    async for data, sender in socket: ...

Received datagrams stay where they lie, retained from WskReceiveFromEvent, until they are read;
what exceeds the receive buffer meanwhile is dropped, as by any UDP.
Not done: ancillary data.
Who calls it: programs; `blocking` for threads.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from wsk_api.buffers import views
from wsk_api.constants import SO_BROADCAST, SOL_SOCKET, WskIoctl
from wsk_api.facade.addresses import Address, pair, shown
from wsk_api.facade.endpoint import Endpoint
from wsk_api.facade.errors import WskError, error
from wsk_api.facade.waiting import Signal
from wsk_api.ntstatus import (
    STATUS_DATA_NOT_ACCEPTED,
    STATUS_FILE_FORCED_CLOSED,
    STATUS_INVALID_HANDLE,
    STATUS_INVALID_PARAMETER,
    STATUS_IO_TIMEOUT,
    STATUS_NOT_SUPPORTED,
    STATUS_PENDING,
    STATUS_SUCCESS,
)
from wsk_api.option_constants import SIO_WSK_SET_REMOTE_ADDRESS
from wsk_api.types import (
    SOCKADDR,
    WSK_CLIENT_DATAGRAM_DISPATCH,
    WSK_DATAGRAM_INDICATION,
    WSK_SOCKET,
    wsk_buf,
)

if TYPE_CHECKING:
    from wsk_api.facade.client import Client

_SOCKADDR_IN6: Final = 28
"""Octets of one, as control buffers are counted."""


class Letters:
    """Datagrams that were not read yet: the SocketContext of a datagram socket.

    Each entry is one datagram, and for the last one of a list the head by which it is released.
    """

    __slots__ = ("_lock", "changed", "failure", "shut", "socket", "waiting")

    def __init__(self) -> None:
        self.socket: WSK_SOCKET | None = None
        self.waiting: deque[tuple[WSK_DATAGRAM_INDICATION, WSK_DATAGRAM_INDICATION | None]] = (
            deque()
        )
        self.failure = STATUS_SUCCESS
        self.shut = False
        self.changed = Signal()
        self._lock = threading.Lock()

    def readable(self) -> bool:
        return bool(self.waiting or self.failure or self.shut)

    def take(self) -> tuple[bytes, Address] | None:
        """The oldest one, if there is one."""
        try:
            node, head = self.waiting.popleft()
        except IndexError:
            return None
        data = b"".join(views(node.Buffer) or ())
        sender = shown(node.RemoteAddress)
        if head is not None:
            self._release(head)
        return data, sender

    def shut_down(self) -> None:
        """Give everything back: the socket is to be closed."""
        with self._lock:
            self.shut = True
        while self.take() is not None:
            pass
        self.changed.notify()

    def arrived(self, head: WSK_DATAGRAM_INDICATION) -> int:
        """Keep a list.  Stack's thread."""
        with self._lock:
            if self.shut:
                return STATUS_DATA_NOT_ACCEPTED
            node: WSK_DATAGRAM_INDICATION | None = head
            while node is not None:
                self.waiting.append((node, None if node.Next else head))
                node = node.Next
        self.changed.notify()
        return STATUS_PENDING

    def _release(self, head: WSK_DATAGRAM_INDICATION) -> None:
        if self.socket is not None:
            self.socket.Dispatch.WskRelease(self.socket, head)


def _receive_from_event(
    SocketContext: Letters, Flags: int, DataIndication: WSK_DATAGRAM_INDICATION | None
) -> int:
    if DataIndication is None:
        SocketContext.failure = STATUS_FILE_FORCED_CLOSED
        SocketContext.changed.notify()
        return STATUS_SUCCESS
    return SocketContext.arrived(DataIndication)


EVENTS: Final = WSK_CLIENT_DATAGRAM_DISPATCH(_receive_from_event)


class Datagram(Endpoint):
    """A bound UDP socket."""

    kind = "datagram socket"

    def __init__(
        self, client: Client, socket: WSK_SOCKET, letters: Letters, local: SOCKADDR | None
    ) -> None:
        super().__init__(client, socket, local)
        self.remote: Address | None = None
        """The fixed remote address, after `connect`."""
        self._letters = letters
        self._known: tuple[Any, SOCKADDR] | None = None  # the last destination

    async def connect(self, address: Any) -> None:
        """Fix the remote address: `send` goes there, and only what comes from there is received,
        also of what is here already.  None takes it back.
        """
        self._check()
        remote = None if address is None else await self._destination(address)
        await self._fix(remote)
        self.remote = None if remote is None else shown(remote)

    async def _fix(self, remote: SOCKADDR | None) -> None:
        """SIO_WSK_SET_REMOTE_ADDRESS.  A provider without it leaves strangers to `receive_from`,
        which sorts them out in any case."""
        size = 0 if remote is None else _SOCKADDR_IN6

        def issue(irp: Any) -> int:
            control = self.socket.Dispatch.WskControlSocket
            code = SIO_WSK_SET_REMOTE_ADDRESS
            more = (code, 0, size, remote, 0, None, None)
            return int(control(self.socket, WskIoctl, *more, irp))

        try:
            await self._request(issue, f"fixing the remote address of {self}")
        except WskError as why:
            if why.status != STATUS_NOT_SUPPORTED:
                raise

    async def send(self, data: Any) -> int:
        """Send one datagram to the fixed remote address; its length."""
        if self.remote is None:
            raise error(STATUS_INVALID_PARAMETER, f"{self}: `connect` it first, or use `send_to`")
        return await self.send_to(data, self.remote)

    async def send_to(self, data: Any, address: Any) -> int:
        """Send one datagram; its length.  Complete when the device has it."""
        self._check()
        destination = await self._destination(address)
        memory = wsk_buf(data)

        def issue(irp: Any) -> int:
            call = self.socket.Dispatch.WskSendTo
            return int(call(self.socket, memory, 0, destination, 0, None, irp))

        return int(await self._request(issue, f"sending to {shown(destination)}"))

    async def receive(self, timeout: float | None = None) -> bytes:
        """The next datagram."""
        return (await self.receive_from(timeout))[0]

    async def receive_from(self, timeout: float | None = None) -> tuple[bytes, Address]:
        """The next datagram and who sent it.  Cancelling it loses nothing."""
        waiter = self.client.waiter
        limit = waiter.limit(timeout)
        letters = self._letters
        while True:
            self._check()
            if not await waiter.until(letters.readable, letters.changed, limit):
                raise error(STATUS_IO_TIMEOUT, f"nothing came to {self} in time")
            if letters.shut:
                raise error(STATUS_INVALID_HANDLE, f"{self} is closed")
            taken = letters.take()
            if taken is None and letters.failure:
                raise error(letters.failure, f"{self} is out of order")
            # None: another thread was quicker.
            if taken is not None and self.remote in (None, taken[1]):
                return taken

    async def allow_broadcast(self, allowed: bool = True) -> None:
        """Sending to a broadcast address is refused (PermissionError) unless allowed."""
        await self.set_option(SOL_SOCKET, SO_BROADCAST, int(allowed))

    def __aiter__(self) -> Datagram:
        return self

    async def __anext__(self) -> tuple[bytes, Address]:
        try:
            return await self.receive_from()
        except OSError:
            if self._closing:
                raise StopAsyncIteration from None
            raise

    async def _destination(self, address: Any) -> SOCKADDR:
        known = self._known
        if known is not None and known[0] == address:
            return known[1]
        host, port = pair(address)
        found = (await self.client.resolve(host, port))[0]
        self._known = (address, found)
        return found

    def _let_go(self) -> None:
        self._letters.shut_down()
