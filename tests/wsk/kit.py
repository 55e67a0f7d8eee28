# SPDX-License-Identifier: MIT
"""Two WSK clients on two stacks on one wire, and requests that remember how they ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stack.base import addr
from tap.impair import Impairment
from tests.harness import Host, World
from wsk_api import (
    AF_INET6,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPPROTO_UDP,
    IPV6_V6ONLY,
    IRP,
    MAKE_WSK_VERSION,
    SO_WSK_EVENT_CALLBACK,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOCKADDR_IN6,
    SOL_SOCKET,
    STATUS_MORE_PROCESSING_REQUIRED,
    STATUS_SUCCESS,
    ULONG,
    WSK_BUF,
    WSK_CLIENT_CONNECTION_DISPATCH,
    WSK_CLIENT_DISPATCH,
    WSK_CLIENT_NPI,
    WSK_EVENT_CALLBACK_CONTROL,
    WSK_FLAG_CONNECTION_SOCKET,
    WSK_FLAG_DATAGRAM_SOCKET,
    WSK_FLAG_LISTEN_SOCKET,
    WSK_NO_WAIT,
    WSK_PROVIDER_NPI,
    WSK_REGISTRATION,
    WSK_SET_STATIC_EVENT_CALLBACKS,
    IoAllocateIrp,
    IoSetCompletionRoutine,
    Ref,
    Subsystem,
    WskCaptureProviderNPI,
    WskGetOption,
    WskRegister,
    WskSetOption,
    status_name,
    wsk_buf,
)


class Request:
    """An IRP, and every completion it got."""

    def __init__(self) -> None:
        self.irp: IRP = IoAllocateIrp(1, False)
        self.ends: list[tuple[str, Any]] = []
        self.returned = ""
        self.hear()

    def hear(self) -> None:
        """Have the next completion told."""
        IoSetCompletionRoutine(self.irp, self._done, None, True, True, True)

    def _done(self, device: Any, irp: IRP, context: Any) -> int:
        self.ends.append((status_name(irp.IoStatus.Status), irp.IoStatus.Information))
        return STATUS_MORE_PROCESSING_REQUIRED

    def issue(self, function: Callable[..., int], *arguments: Any) -> Request:
        if not self.irp.busy:
            self.hear()  # a routine holds for one request, and some tests make several
        self.returned = status_name(function(*arguments, self.irp))
        return self

    @property
    def status(self) -> str:
        """How it ended; exactly once."""
        assert len(self.ends) == 1, self.ends
        return self.ends[0][0]

    @property
    def info(self) -> Any:
        assert self.status == "STATUS_SUCCESS"
        return self.ends[0][1]

    @property
    def pending(self) -> bool:
        return not self.ends


class Party:
    """A registered client on one host."""

    def __init__(self, world: World, host: Host, static: int = 0) -> None:
        self.world = world
        self.host = host
        self.subsystem = Subsystem()
        self.subsystem.attach(host.stack.providers, world.env.executor, host.stack.names)
        self.registration = WSK_REGISTRATION(self.subsystem)
        self.npi = WSK_PROVIDER_NPI()
        npi = WSK_CLIENT_NPI(self, WSK_CLIENT_DISPATCH(MAKE_WSK_VERSION(1, 0)))
        assert WskRegister(npi, self.registration) == STATUS_SUCCESS
        assert WskCaptureProviderNPI(self.registration, WSK_NO_WAIT, self.npi) == STATUS_SUCCESS
        if static:
            assert self.control(WSK_SET_STATIC_EVENT_CALLBACKS, static) == STATUS_SUCCESS

    def control(self, code: int, mask: int) -> int:
        event = WSK_EVENT_CALLBACK_CONTROL(mask)
        answer: int = self.npi.Dispatch.WskControlClient(
            self.npi.Client, code, 8, event, 0, None, None, None
        )
        return answer

    def create(
        self,
        flags: int,
        dispatch: Any = None,
        context: Any = None,
        family: int = AF_INET6,
        kind: int = SOCK_STREAM,
        protocol: int = IPPROTO_TCP,
    ) -> Request:
        arguments = (self.npi.Client, family, kind, protocol, flags, context, dispatch)
        return Request().issue(self.npi.Dispatch.WskSocket, *arguments, None, None, None)

    def socket(self, flags: int, *arguments: Any, dual: bool = True, **more: Any) -> Any:
        """A socket, of both families unless told otherwise."""
        socket = self.create(flags, *arguments, **more).info
        if dual and more.get("family", AF_INET6) == AF_INET6:
            assert set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, 0).status == "STATUS_SUCCESS"
        return socket

    def listener(self, port: int, dispatch: Any = None, context: Any = None) -> Any:
        socket = self.socket(WSK_FLAG_LISTEN_SOCKET, dispatch, context)
        assert bind(socket, port).status == "STATUS_SUCCESS"
        return socket

    def datagram(self, port: int, dispatch: Any = None, context: Any = None) -> Any:
        how: dict[str, Any] = {"kind": SOCK_DGRAM, "protocol": IPPROTO_UDP}
        socket = self.socket(WSK_FLAG_DATAGRAM_SOCKET, dispatch, context, **how)
        assert bind(socket, port).status == "STATUS_SUCCESS"
        return socket

    def connecting(self, remote: SOCKADDR_IN6, dispatch: Any = None, context: Any = None) -> Any:
        """(socket, its connect request)."""
        socket = self.socket(WSK_FLAG_CONNECTION_SOCKET, dispatch, context)
        assert bind(socket).status == "STATUS_SUCCESS"
        return socket, Request().issue(socket.Dispatch.WskConnect, socket, remote, 0)

    def address(self, family: int, port: int) -> SOCKADDR_IN6:
        """This host as a dual-stack socket names it."""
        packed = self.host.address(family)
        return SOCKADDR_IN6(port, packed if len(packed) == 16 else mapped(packed))


def mapped(packed: bytes) -> bytes:
    return bytes(10) + b"\xff\xff" + packed


def bind(socket: Any, port: int = 0, address: bytes = addr.ANY6) -> Request:
    return Request().issue(socket.Dispatch.WskBind, socket, SOCKADDR_IN6(port, address), 0)


def close(socket: Any) -> Request:
    return Request().issue(socket.Dispatch.WskCloseSocket, socket)


def send(socket: Any, data: bytes, flags: int = 0) -> Request:
    return Request().issue(socket.Dispatch.WskSend, socket, wsk_buf(data), flags)


def receive(socket: Any, room: int, flags: int = 0) -> tuple[Request, bytearray]:
    memory = bytearray(room)
    buffer = wsk_buf(memory) if room else WSK_BUF(None, 0, 0)
    return Request().issue(socket.Dispatch.WskReceive, socket, buffer, flags), memory


def disconnect(socket: Any, data: bytes = b"", flags: int = 0) -> Request:
    buffer = wsk_buf(data) if data else None
    return Request().issue(socket.Dispatch.WskDisconnect, socket, buffer, flags)


def accept(socket: Any, dispatch: Any = None, context: Any = None) -> Request:
    arguments: Any = (socket, 0, context, dispatch, Ref(), Ref())
    return Request().issue(socket.Dispatch.WskAccept, *arguments)


def set_option(socket: Any, level: int, code: int, value: int) -> Request:
    control = socket.Dispatch.WskControlSocket
    arguments = (socket, WskSetOption, code, level, 4, ULONG(value), 0, None, None)
    return Request().issue(control, *arguments)


def get_option(socket: Any, level: int, code: int) -> int:
    memory = bytearray(4)
    control = socket.Dispatch.WskControlSocket
    request = Request().issue(control, socket, WskGetOption, code, level, 0, None, 4, memory, Ref())
    assert request.info == 4
    return int.from_bytes(memory, "little")


def events(socket: Any, mask: int, request: Request | None = None) -> str:
    """SO_WSK_EVENT_CALLBACK; what the call returned."""
    control = socket.Dispatch.WskControlSocket
    event = WSK_EVENT_CALLBACK_CONTROL(mask)
    arguments = (socket, WskSetOption, SO_WSK_EVENT_CALLBACK, SOL_SOCKET, 8, event, 0, None, None)
    if request is not None:
        return request.issue(control, *arguments).returned
    return status_name(control(*arguments, None))


def data_of(node: Any) -> bytes:
    """The octets of a data or datagram indication list."""
    parts = []
    while node is not None:
        parts.append(bytes(node.Buffer.Mdl.view))
        node = node.Next
    return b"".join(parts)


class Couple:
    """Two parties with one established connection between them."""

    def __init__(
        self,
        world: World,
        family: int,
        near: WSK_CLIENT_CONNECTION_DISPATCH | None = None,
        far: WSK_CLIENT_CONNECTION_DISPATCH | None = None,
        context: Any = None,
        wire: Impairment | None = None,
        hosts: tuple[Host, Host] | None = None,
    ) -> None:
        a, b = hosts or world.pair(there=wire, back=wire)
        self.world = world
        self.near, self.far = Party(world, a), Party(world, b)
        self.listener = self.far.listener(80)
        accepting = accept(self.listener, far, context)
        self.a, connecting = self.near.connecting(self.far.address(family, 80), near, context)
        world.run(10**9)
        assert connecting.status == "STATUS_SUCCESS"
        self.b = accepting.info

    def run(self, span: int = 10**9) -> None:
        self.world.run(span)
