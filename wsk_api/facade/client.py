# SPDX-License-Identifier: MIT
"""`Client`: a registered WSK client, and the sockets it opens.

    async with Client(stack) as client:
        async with client.connect(("10.77.0.2", 80)) as connection: ...
        async with client.listen(7) as listener: ...
        async with client.datagram() as socket: ...

Every socket is a dual-stack one, and its events are static (wsk.md 3.7, 6).  There is no task in
the background: everything happens in calls.  Leaving the block closes in order what is open, by
an exception at once.
Who calls it: programs; `blocking` for threads.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Final, Protocol, TypeVar

from stack.base.seam import Env, Executor
from stack.transport.naming import NameService
from stack.transport.seam import Provider
from wsk_api import Subsystem
from wsk_api.constants import (
    AF_INET6,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPPROTO_UDP,
    IPV6_V6ONLY,
    MAKE_WSK_VERSION,
    SOCK_DGRAM,
    SOCK_STREAM,
    WSK_EVENT_DISCONNECT,
    WSK_EVENT_RECEIVE,
    WSK_EVENT_RECEIVE_FROM,
    WSK_FLAG_DATAGRAM_SOCKET,
    WSK_FLAG_LISTEN_SOCKET,
    WSK_NO_WAIT,
    WSK_SET_STATIC_EVENT_CALLBACKS,
    WskSetOption,
)
from wsk_api.facade import names
from wsk_api.facade.addresses import Address, pair, shown
from wsk_api.facade.connection import Connection
from wsk_api.facade.datagram import EVENTS as DATAGRAM_EVENTS
from wsk_api.facade.datagram import Datagram, Letters
from wsk_api.facade.endpoint import Endpoint, Opening, closing
from wsk_api.facade.errors import WskError, error
from wsk_api.facade.inbox import EVENTS, Inbox
from wsk_api.facade.listener import Listener
from wsk_api.facade.waiting import NEVER, AsyncWaiter, Issue, Request, Signal, Waiter
from wsk_api.ntstatus import NT_SUCCESS, STATUS_INVALID_HANDLE
from wsk_api.registration import (
    WSK_REGISTRATION,
    WskCaptureProviderNPI,
    WskDeregister,
    WskRegister,
    WskReleaseProviderNPI,
)
from wsk_api.types import (
    SOCKADDR,
    SOCKADDR_IN6,
    ULONG,
    WSK_CLIENT_DISPATCH,
    WSK_CLIENT_NPI,
    WSK_EVENT_CALLBACK_CONTROL,
    WSK_PROVIDER_NPI,
    WSK_SOCKET,
    Ref,
)

_STATIC: Final = WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT | WSK_EVENT_RECEIVE_FROM
_LISTENER: Final = (SOCK_STREAM, IPPROTO_TCP, WSK_FLAG_LISTEN_SOCKET)
_DATAGRAM: Final = (SOCK_DGRAM, IPPROTO_UDP, WSK_FLAG_DATAGRAM_SOCKET)

E = TypeVar("E", bound=Endpoint)
R = TypeVar("R")


class StackLike(Protocol):
    """What a `Client` needs of a stack: `stack.Stack` is one."""

    env: Env

    @property
    def providers(self) -> list[Provider]:
        """The transports."""

    @property
    def names(self) -> NameService | None:
        """The resolver, if there is one."""


class Client:
    """A program's way into a stack.

    `stack` is a Stack, or a Subsystem that has its provider.  `send_limit` octets of a connection
    may be unacknowledged before `send` waits; `linger` is how many seconds `close` waits for the
    peer to finish.  `send_limit` and `linger` may be changed at any time.
    """

    def __init__(
        self,
        stack: StackLike | Subsystem,
        *,
        send_limit: int = 1 << 18,
        linger: float = 5.0,
        waiter: Waiter | None = None,
    ) -> None:
        self.subsystem = subsystem_of(stack)
        self.send_limit = send_limit
        self.linger = linger
        self.waiter = waiter or AsyncWaiter()
        self.endpoints: set[Endpoint] = set()
        """What is open."""
        self.npi = WSK_PROVIDER_NPI()
        """The captured provider, for those who want to go on in the other spelling."""
        self._registration = WSK_REGISTRATION(self.subsystem)
        self._opening: set[Request] = set()
        self._operations: set[object] = set()
        self._idle = Signal()
        self.is_open = False
        """Between `open` and the beginning of `close`."""

    # Registration.

    def open(self) -> None:
        """Register and capture the provider; `async with` does it.

        WskError with STATUS_DEVICE_NOT_READY if the subsystem has no provider yet.
        """
        registration = self._registration
        npi = WSK_CLIENT_NPI(self, WSK_CLIENT_DISPATCH(MAKE_WSK_VERSION(1, 0)))
        _demand(WskRegister(npi, registration), "registering the client")
        try:
            status = WskCaptureProviderNPI(registration, WSK_NO_WAIT, self.npi)
            _demand(status, "capturing the provider")
        except WskError:
            WskDeregister(registration)
            raise
        events = WSK_EVENT_CALLBACK_CONTROL(_STATIC)
        control = self.npi.Dispatch.WskControlClient
        code = WSK_SET_STATIC_EVENT_CALLBACKS
        status = control(self.npi.Client, code, 8, events, 0, None, None, None)
        _demand(status, "static event callbacks")
        self.is_open = True

    @property
    def registered(self) -> bool:
        """Until `close` has deregistered it."""
        return self._registration.registered

    @property
    def executor(self) -> Executor:
        """The stack's thread."""
        executor: Executor = self.npi.Client.engine.executor
        return executor

    async def close(self, timeout: float | None = None) -> None:
        """Close what is open, in order, within `timeout` seconds (`linger` by default) for all
        of it together, and deregister."""
        limit = self.waiter.limit(self.linger if timeout is None else timeout)
        first: WskError | None = None
        try:
            connections = [one for one in self.endpoints if isinstance(one, Connection)]
            for one in connections:
                if not one.closed:
                    await one.send_eof()
            for one in connections:
                try:
                    await one.close(max(0.0, limit - self.waiter.now()))
                except WskError as why:
                    first = first or why
        finally:
            await self.abort()
        if first is not None:
            raise first

    async def abort(self) -> None:
        """Close what is open, at once, and deregister."""
        if not self.is_open:
            return
        self.is_open = False
        try:
            for request in list(self._opening):
                request.cancel()
            # Whoever was opening something finds the client closed, and closes that too.
            await self.waiter.until(self._quiet, self._idle, NEVER)
        finally:
            await self._close_all()

    async def _close_all(self) -> None:
        try:
            for one in list(self.endpoints):
                await one.abort()
        finally:
            if not self.endpoints and not self._operations:
                WskReleaseProviderNPI(self._registration)
                WskDeregister(self._registration)

    def _quiet(self) -> bool:
        return not self._operations

    async def __aenter__(self) -> Client:
        self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await (self.close() if kind is None else self.abort())

    # Opening.

    def connect(
        self, address: Any, *, local: Any = ("", 0), timeout: float | None = None
    ) -> Opening[Connection]:
        """Connect to (host, port); `local` chooses our side.  Await it, or `async with` it.

        A host with several addresses is tried address by address.  `timeout` is for all of it.
        """
        return Opening(lambda: self._operation(lambda: self._connect(address, local, timeout)))

    def listen(self, port: int, host: str = "") -> Opening[Listener]:
        """Listen on a port; on both families unless `host` says otherwise ("0.0.0.0" and "::"
        are all addresses of one).  Port 0 chooses one: see `Listener.local`."""
        return Opening(lambda: self._operation(lambda: self._listen(host, port)))

    def datagram(self, port: int = 0, host: str = "") -> Opening[Datagram]:
        """A UDP socket, on both families unless `host` says otherwise."""
        return Opening(lambda: self._operation(lambda: self._datagram(host, port)))

    async def resolve(self, host: str, port: int = 0) -> list[SOCKADDR_IN6]:
        """The SOCKADDRs of a host, best first.  WskNameError if it has none."""
        return await self._operation(lambda: names.resolve(self, host, port))

    async def addresses(self, host: str, port: int = 0) -> list[Address]:
        """The addresses of a host, best first."""
        return [shown(one) for one in await self.resolve(host, port)]

    async def request(self, issue: Issue, what: str, limit: float = NEVER, **more: Any) -> Any:
        """A request of the provider's own table: closing the client cancels it."""
        request = Request(issue, more.pop("told", None))
        self._opening.add(request)
        try:
            return await self.waiter.finish(request, what, limit, **more)
        finally:
            self._opening.discard(request)

    async def _operation(self, operation: Callable[[], Awaitable[R]]) -> R:
        """Something that `close` has to wait for."""
        self.check()
        token = object()
        self._operations.add(token)
        try:
            return await operation()
        finally:
            self._operations.discard(token)
            self.waiter.changed(self._idle)

    def check(self) -> None:
        """Raise unless it is open."""
        if not self.is_open:
            raise error(
                STATUS_INVALID_HANDLE,
                "the client is not open: use `async with`, or `with`",
            )

    async def _connect(self, address: Any, local: Any, timeout: float | None) -> Connection:
        limit = self.waiter.limit(timeout)
        host, port = pair(address)
        near = (await names.resolve(self, *pair(local)))[0]
        last: WskError | None = None
        for remote in await names.resolve(self, host, port, limit):
            try:
                return await self._connect_to(near, remote, limit)
            except WskError as why:
                last = why
                self.check()
        assert last is not None
        raise last

    async def _connect_to(
        self, near: SOCKADDR_IN6, remote: SOCKADDR_IN6, limit: float
    ) -> Connection:
        inbox = Inbox()

        def issue(irp: Any) -> int:
            provider = self.npi.Dispatch
            kind = (SOCK_STREAM, IPPROTO_TCP, near, remote, 0)
            more = (inbox, EVENTS, None, None, None)
            return int(provider.WskSocketConnect(self.npi.Client, *kind, *more, irp))

        def undo(socket: Any) -> Issue:
            inbox.shut_down()
            return closing(socket)

        what = f"connecting to {shown(remote)}"
        socket = await self.request(issue, what, limit, undo=undo, told=inbox.created)
        connection = Connection(self, socket, inbox, None, remote)
        return await self._opened(connection)

    async def _listen(self, host: str, port: int) -> Listener:
        socket = await self._bound(_LISTENER, None, None, host, port)
        return await self._opened(Listener(self, socket, None))

    async def _datagram(self, host: str, port: int) -> Datagram:
        letters = Letters()
        socket = await self._bound(_DATAGRAM, letters, DATAGRAM_EVENTS, host, port)
        return await self._opened(Datagram(self, socket, letters, None))

    async def _bound(
        self, kind: tuple[int, int, int], context: Any, dispatch: Any, host: str, port: int
    ) -> WSK_SOCKET:
        """A new socket of some category, bound."""
        address = (await names.resolve(self, host, port))[0]

        def create(irp: Any) -> int:
            more = (*kind, context, dispatch, None, None, None)
            return int(self.npi.Dispatch.WskSocket(self.npi.Client, AF_INET6, *more, irp))

        def created(request: Request) -> None:
            if context is not None and request.succeeded:
                context.socket = request.result

        socket: WSK_SOCKET = await self.request(create, "a new socket", undo=closing, told=created)
        try:
            if host != "::":
                await self._both_families(socket)
            await self.waiter.request(
                lambda irp: int(socket.Dispatch.WskBind(socket, address, 0, irp)),
                f"binding to {shown(address)}",
            )
        except BaseException:
            await self.waiter.settle(Request(closing(socket)))
            raise
        return socket

    async def _both_families(self, socket: WSK_SOCKET) -> None:
        def issue(irp: Any) -> int:
            how = (IPV6_V6ONLY, IPPROTO_IPV6, 4, ULONG(0), 0, None, None)
            return int(socket.Dispatch.WskControlSocket(socket, WskSetOption, *how, irp))

        await self.waiter.request(issue, "IPV6_V6ONLY")

    async def _opened(self, endpoint: E) -> E:
        """A new endpoint learns its local address; if anything comes in between, it is closed."""
        socket, local = endpoint.socket, Ref[SOCKADDR]()
        try:
            await self.waiter.request(
                lambda irp: int(socket.Dispatch.WskGetLocalAddress(socket, local, irp)),
                "the local address",
            )
            self.check()
        except BaseException:
            await endpoint.abort()
            raise
        endpoint.local = shown(local.value)
        return endpoint


def subsystem_of(stack: StackLike | Subsystem) -> Subsystem:
    """The WSK over a stack."""
    if isinstance(stack, Subsystem):
        return stack
    subsystem = Subsystem()
    subsystem.attach(stack.providers, stack.env.executor, stack.names)
    return subsystem


def _demand(status: int, what: str) -> None:
    if not NT_SUCCESS(status):
        raise error(status, what)
