# SPDX-License-Identifier: MIT
"""What every socket of the facade has: its addresses, options, and a close nothing interrupts.

Also `Opening`, which lets one call serve `await` and `async with`.
Who calls it: `connection`, `listener`, `datagram`; `client` makes them.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from wsk_api.constants import WskGetOption, WskSetOption
from wsk_api.facade.addresses import Address, shown
from wsk_api.facade.errors import error
from wsk_api.facade.waiting import Issue, Request, Signal
from wsk_api.irp import IRP
from wsk_api.ntstatus import STATUS_INVALID_HANDLE
from wsk_api.types import SOCKADDR, ULONG, WSK_SOCKET, Ref

if TYPE_CHECKING:
    from wsk_api.facade.client import Client

T = TypeVar("T", bound="Endpoint")
Self = TypeVar("Self", bound="Endpoint")


def closing(socket: WSK_SOCKET) -> Issue:
    """The call that closes `socket`."""
    return lambda irp: _status(socket.Dispatch.WskCloseSocket(socket, irp))


def _status(status: Any) -> int:
    assert isinstance(status, int)
    return status


class Endpoint:
    """An open socket.  Not made by hand: a `Client` opens them."""

    kind = "socket"

    def __init__(self, client: Client, socket: WSK_SOCKET, local: SOCKADDR | None) -> None:
        self.client = client
        self.socket = socket
        """The WSK_SOCKET, for those who want to go on in the other spelling."""
        self.local: Address = shown(local)
        """Our address."""
        self.ended = Signal()
        self._closing = False
        self._closed = False
        client.endpoints.add(self)

    @property
    def closed(self) -> bool:
        """Closing has begun."""
        return self._closing

    async def set_option(self, level: int, code: int, value: int | bytes) -> None:
        """Set an option by the numbers of `wsk_api` (SOL_SOCKET, SO_KEEPALIVE, ...)."""
        data = ULONG(value & 0xFFFFFFFF) if isinstance(value, int) else value

        def issue(irp: IRP) -> int:
            control = self.socket.Dispatch.WskControlSocket
            out = (0, None, None)
            return _status(
                control(self.socket, WskSetOption, code, level, len(data), data, *out, irp)
            )

        await self._request(issue, f"option {level}, {code} of {self}")

    async def get_option(self, level: int, code: int) -> int:
        """The value of a ULONG option."""
        memory = bytearray(4)

        def issue(irp: IRP) -> int:
            control = self.socket.Dispatch.WskControlSocket
            out = (4, memory, Ref[int]())
            return _status(control(self.socket, WskGetOption, code, level, 0, None, *out, irp))

        await self._request(issue, f"option {level}, {code} of {self}")
        return int.from_bytes(memory, "little")

    async def close(self) -> None:
        """Close in order.  Again: wait until it is closed."""
        await self.abort()

    async def abort(self) -> None:
        """Close at once."""
        if self._closing:
            await self.client.waiter.until(self._is_closed, self.ended, float("inf"))
            return
        self._closing = True
        await self._close_socket()

    async def __aenter__(self: Self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await (self.close() if kind is None else self.abort())

    def __str__(self) -> str:
        return f"{self.kind} {self.local}"

    def __repr__(self) -> str:
        return f"<{self}{', closed' if self._closing else ''}>"

    # For the categories.

    async def _request(self, issue: Issue, what: str, **how: Any) -> Any:
        self._check()
        return await self.client.waiter.request(issue, what, **how)

    def _check(self) -> None:
        if self._closing:
            raise error(STATUS_INVALID_HANDLE, f"{self} is closed")

    def _is_closed(self) -> bool:
        return self._closed

    def _let_go(self) -> None:
        """Give back what the socket still holds; runs just before it is closed."""

    async def _close_socket(self) -> None:
        """WskCloseSocket.  Whatever comes in between comes up only afterwards."""
        self._let_go()
        waiter = self.client.waiter
        try:
            await waiter.settle(Request(closing(self.socket)))
        finally:
            self._closed = True
            self.client.endpoints.discard(self)
            waiter.changed(self.ended)


class Opening(Generic[T]):
    """Something being opened: `x = await opening`, or `async with opening as x`."""

    def __init__(self, open_it: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._open = open_it
        self._opened: T | None = None

    def __await__(self) -> Generator[Any, Any, T]:
        return self._open().__await__()

    async def __aenter__(self) -> T:
        self._opened = await self._open()
        return self._opened

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._opened is not None
        await self._opened.__aexit__(kind, value, trace)
