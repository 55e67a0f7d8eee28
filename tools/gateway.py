# SPDX-License-Identifier: MIT
"""Ports of the real loopback, forwarded through a stack: the door of the in-memory rung.

    curl http://127.0.0.1:8080/  ->  kernel socket  ->  gateway stack  ->  wire  ->  10.77.0.2:80

The gateway is a WSK client on its own stack and an asyncio server on the kernel's loopback, in one
thread.  Back-pressure crosses in both directions: what the kernel's socket does not take stays
retained in WSK, and reading from it pauses while sends are outstanding.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any, Final

from stack.base import addr
from tools.services.client import then
from wsk_api import (
    IPPROTO_TCP,
    IPPROTO_UDP,
    IRP,
    MAKE_WSK_VERSION,
    NT_SUCCESS,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOCKADDR,
    SOCKADDR_IN,
    SOCKADDR_IN6,
    STATUS_PENDING,
    STATUS_SUCCESS,
    WSK_CLIENT_CONNECTION_DISPATCH,
    WSK_CLIENT_DATAGRAM_DISPATCH,
    WSK_CLIENT_DISPATCH,
    WSK_CLIENT_NPI,
    WSK_DATA_INDICATION,
    WSK_DATAGRAM_INDICATION,
    WSK_EVENT_CALLBACK_CONTROL,
    WSK_EVENT_DISCONNECT,
    WSK_EVENT_RECEIVE,
    WSK_EVENT_RECEIVE_FROM,
    WSK_FLAG_ABORTIVE,
    WSK_FLAG_DATAGRAM_SOCKET,
    WSK_INFINITE_WAIT,
    WSK_PROVIDER_NPI,
    WSK_REGISTRATION,
    WSK_SET_STATIC_EVENT_CALLBACKS,
    WSK_SOCKET,
    Ref,
    Subsystem,
    WskCaptureProviderNPI,
    WskRegister,
    wsk_buf,
)

_AHEAD: Final = 4
"""Sends outstanding before reading from the kernel's socket pauses."""
_BUFFERED: Final = 256 * 1024
_UDP_PEERS: Final = 64


def sockaddr(address: str, port: int) -> SOCKADDR:
    """The SOCKADDR of a numeric address."""
    packed = addr.parse(address)
    return SOCKADDR_IN(port, packed) if len(packed) == 4 else SOCKADDR_IN6(port, packed)


def _wildcard(address: str) -> SOCKADDR:
    return SOCKADDR_IN() if len(addr.parse(address)) == 4 else SOCKADDR_IN6()


class Gateway:
    """A WSK client that opens connections for others.  Everything on the event loop's thread."""

    def __init__(self, subsystem: Subsystem) -> None:
        registration = WSK_REGISTRATION(subsystem)
        self._npi = WSK_PROVIDER_NPI()
        dispatch = WSK_CLIENT_DISPATCH(MAKE_WSK_VERSION(1, 0))
        WskRegister(WSK_CLIENT_NPI(self, dispatch), registration)
        WskCaptureProviderNPI(registration, WSK_INFINITE_WAIT, self._npi)
        events = WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT | WSK_EVENT_RECEIVE_FROM
        self._npi.Dispatch.WskControlClient(
            self._npi.Client,
            WSK_SET_STATIC_EVENT_CALLBACKS,
            8,
            WSK_EVENT_CALLBACK_CONTROL(events),
            0,
            None,
            None,
            None,
        )
        self._servers: list[asyncio.Server] = []
        self._relays: list[asyncio.DatagramTransport] = []

    async def forward_tcp(self, host: str, port: int, address: str, to_port: int) -> int:
        """Listen on the loopback's `host`:`port` (any free port if that is taken) and forward."""
        loop = asyncio.get_running_loop()

        def make() -> Pipe:
            return Pipe(self, address, to_port)

        try:
            server = await loop.create_server(make, host, port)
        except OSError:
            server = await loop.create_server(make, host, 0)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def forward_udp(self, host: str, port: int, address: str, to_port: int) -> int:
        """The same for datagrams."""
        loop = asyncio.get_running_loop()
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.bind((host, port))
        except OSError:
            sock.bind((host, 0))
        sock.setblocking(False)
        transport, _ = await loop.create_datagram_endpoint(
            lambda: Relay(self, address, to_port, sock), sock=sock
        )
        self._relays.append(transport)
        return int(sock.getsockname()[1])

    def connect(self, address: str, port: int, dispatch: Any, context: Any, irp: IRP) -> None:
        """WskSocketConnect."""
        self._npi.Dispatch.WskSocketConnect(
            self._npi.Client,
            SOCK_STREAM,
            IPPROTO_TCP,
            _wildcard(address),
            sockaddr(address, port),
            0,
            context,
            dispatch,
            None,
            None,
            None,
            irp,
        )

    def datagram(self, address: str, dispatch: Any, context: Any) -> WSK_SOCKET:
        """A bound datagram socket of the address's family."""
        box: list[Any] = []
        local = _wildcard(address)
        family = local.sin_family if isinstance(local, SOCKADDR_IN) else local.sin6_family
        self._npi.Dispatch.WskSocket(
            self._npi.Client,
            family,
            SOCK_DGRAM,
            IPPROTO_UDP,
            WSK_FLAG_DATAGRAM_SOCKET,
            context,
            dispatch,
            None,
            None,
            None,
            then(lambda irp: box.append(irp.IoStatus.Information)),
        )
        socket: WSK_SOCKET = box[0]
        socket.Dispatch.WskBind(socket, local, 0, then(lambda _: None))
        return socket

    def close(self) -> None:
        """Stop listening."""
        for server in self._servers:
            server.close()
        for transport in self._relays:
            transport.close()


class Pipe(asyncio.Protocol):
    """One forwarded connection: a kernel transport on one side, a WSK socket on the other."""

    def __init__(self, gateway: Gateway, address: str, port: int) -> None:
        self._gateway = gateway
        self._target = (address, port)
        self._kernel: asyncio.Transport | None = None
        self._socket: WSK_SOCKET | None = None
        self._sending = 0
        self._disconnecting = False
        self._finished = [False, False]  # the kernel's direction, the stack's direction
        self._retained: list[WSK_DATA_INDICATION] = []
        self._stuck = False  # the kernel's socket takes no more
        self._early: list[bytes] = []  # came before the stack's side was connected

    # From the kernel.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._kernel = transport
        transport.set_write_buffer_limits(_BUFFERED)
        transport.pause_reading()
        self._gateway.connect(*self._target, _EVENTS, self, then(self._connected))

    def data_received(self, data: bytes) -> None:
        if self._socket is None:
            # Reading is paused, which before Python 3.11.4 does not hold this early.
            self._early.append(data)
            return
        self._sending += 1
        if self._sending >= _AHEAD and self._kernel is not None:
            self._kernel.pause_reading()
        self._socket.Dispatch.WskSend(self._socket, wsk_buf(data), 0, then(self._sent))

    def eof_received(self) -> bool:
        self._finished[0] = True
        self._disconnect()
        return not self._finished[1]  # half-close: the other direction may live on

    def _disconnect(self) -> None:
        if self._socket is not None:
            self._disconnecting = True
            irp = then(self._disconnected)
            self._socket.Dispatch.WskDisconnect(self._socket, None, 0, irp)

    def connection_lost(self, exc: Exception | None) -> None:
        self._kernel = None
        self._close()

    def pause_writing(self) -> None:
        self._stuck = True

    def resume_writing(self) -> None:
        self._stuck = False
        retained, self._retained = self._retained, []
        if self._socket is not None:
            for indication in retained:
                self._socket.Dispatch.WskRelease(self._socket, indication)

    # From WSK.

    def _connected(self, irp: IRP) -> None:
        if not NT_SUCCESS(irp.IoStatus.Status):
            if self._kernel is not None:
                self._kernel.abort()
            return
        self._socket = irp.IoStatus.Information
        if self._kernel is None:
            self._close()
            return
        early, self._early = self._early, []
        for data in early:
            self.data_received(data)
        if self._finished[0]:
            self._disconnect()
        elif self._sending < _AHEAD:
            self._kernel.resume_reading()

    def _sent(self, irp: IRP) -> None:
        self._sending -= 1
        if not NT_SUCCESS(irp.IoStatus.Status):
            self._end()
        elif self._sending < _AHEAD and self._kernel is not None:
            with contextlib.suppress(RuntimeError):
                self._kernel.resume_reading()

    def on_receive(self, indication: WSK_DATA_INDICATION) -> int:
        """WskReceiveEvent: on to the kernel; kept while that one is stuck."""
        node: WSK_DATA_INDICATION | None = indication
        while node is not None and self._kernel is not None:
            assert node.Buffer.Mdl is not None
            self._kernel.write(node.Buffer.Mdl.view)
            node = node.Next
        if self._stuck:
            self._retained.append(indication)
            return STATUS_PENDING
        return STATUS_SUCCESS

    def on_disconnect(self, flags: int) -> int:
        """WskDisconnectEvent."""
        if flags & WSK_FLAG_ABORTIVE:
            self._end()
            return STATUS_SUCCESS
        self._finished[1] = True
        if self._finished[0]:
            self._end()
        elif self._kernel is not None:
            self._kernel.write_eof()
        return STATUS_SUCCESS

    def _disconnected(self, _: IRP) -> None:
        self._disconnecting = False
        if self._kernel is None:
            self._close()

    def _end(self) -> None:
        if self._kernel is not None:
            self._kernel.close()

    def _close(self) -> None:
        """Close the WSK socket; a disconnect under way is waited for."""
        if self._disconnecting and all(self._finished):
            return
        socket, self._socket = self._socket, None
        if socket is not None:
            for indication in self._retained:
                socket.Dispatch.WskRelease(socket, indication)
            socket.Dispatch.WskCloseSocket(socket, then(lambda _: None))


def _receive(pipe: Pipe, flags: int, indication: Any, count: int, accepted: Ref[int]) -> int:
    return STATUS_SUCCESS if indication is None else pipe.on_receive(indication)


def _disconnect(pipe: Pipe, flags: int) -> int:
    return pipe.on_disconnect(flags)


_EVENTS: Final = WSK_CLIENT_CONNECTION_DISPATCH(_receive, _disconnect)


class Relay(asyncio.DatagramProtocol):
    """Datagrams from loopback clients, each through a WSK socket of its own."""

    def __init__(self, gateway: Gateway, address: str, port: int, sock: socket.socket) -> None:
        self._gateway = gateway
        self._address = address
        self._remote = sockaddr(address, port)
        self._kernel = sock
        self._peers: dict[Any, WSK_SOCKET] = {}

    def datagram_received(self, data: bytes, source: Any) -> None:
        ours = self._peers.get(source)
        if ours is None:
            if len(self._peers) >= _UDP_PEERS:
                self._forget(next(iter(self._peers)))
            dispatch = WSK_CLIENT_DATAGRAM_DISPATCH(self._answer(source))
            ours = self._peers[source] = self._gateway.datagram(self._address, dispatch, None)
        ours.Dispatch.WskSendTo(ours, wsk_buf(data), 0, self._remote, 0, None, then(lambda _: None))

    def connection_lost(self, exc: Exception | None) -> None:
        for source in list(self._peers):
            self._forget(source)

    def _answer(self, source: Any) -> Callable[..., int]:
        def event(context: Any, flags: int, node: WSK_DATAGRAM_INDICATION | None) -> int:
            while node is not None:
                assert node.Buffer.Mdl is not None
                # Not through the transport, which never sends an empty datagram.
                with contextlib.suppress(OSError):
                    self._kernel.sendto(node.Buffer.Mdl.view, source)
                node = node.Next
            return STATUS_SUCCESS

        return event

    def _forget(self, source: Any) -> None:
        ours = self._peers.pop(source)
        ours.Dispatch.WskCloseSocket(ours, then(lambda _: None))
