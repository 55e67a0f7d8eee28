# SPDX-License-Identifier: MIT
"""What every service does first: register, capture the provider, open a dual-stack socket.

Calls here are made from the program's own thread and wait for their IRPs, as a kernel module
would at PASSIVE_LEVEL.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from wsk_api import (
    AF_INET6,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPPROTO_UDP,
    IPV6_V6ONLY,
    IRP,
    MAKE_WSK_VERSION,
    NT_SUCCESS,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOCKADDR_IN6,
    STATUS_MORE_PROCESSING_REQUIRED,
    ULONG,
    WSK_CLIENT_DISPATCH,
    WSK_CLIENT_NPI,
    WSK_EVENT_CALLBACK_CONTROL,
    WSK_FLAG_DATAGRAM_SOCKET,
    WSK_FLAG_LISTEN_SOCKET,
    WSK_INFINITE_WAIT,
    WSK_PROVIDER_NPI,
    WSK_REGISTRATION,
    WSK_SET_STATIC_EVENT_CALLBACKS,
    WSK_SOCKET,
    IoAllocateIrp,
    IoSetCompletionRoutine,
    Subsystem,
    WskCaptureProviderNPI,
    WskDeregister,
    WskRegister,
    WskReleaseProviderNPI,
    WskSetOption,
    status_name,
)


class WskFailure(Exception):
    """A WSK call of ours did not succeed."""


def then(routine: Callable[[IRP], None]) -> IRP:
    """A fresh IRP whose completion calls `routine`."""
    return hear(IoAllocateIrp(1, False), routine)


def hear(irp: IRP, routine: Callable[[IRP], None]) -> IRP:
    """Have the next completion of `irp` call `routine`."""

    def completed(_: Any, done: IRP, __: Any) -> int:
        routine(done)
        return STATUS_MORE_PROCESSING_REQUIRED

    IoSetCompletionRoutine(irp, completed, None, True, True, True)
    return irp


def ignore(_: IRP) -> None:
    """Completion of a request whose outcome changes nothing."""


def wait_for(issue: Callable[[IRP], int], what: str) -> Any:
    """Issue a request and wait for it; its Information.  Raises WskFailure.

    Not on the stack's own thread.
    """
    finished = threading.Event()
    irp = then(lambda _: finished.set())
    issue(irp)
    finished.wait()
    if not NT_SUCCESS(irp.IoStatus.Status):
        raise WskFailure(f"{what}: {status_name(irp.IoStatus.Status)}")
    return irp.IoStatus.Information


class Client:
    """A registration and the sockets made through it."""

    def __init__(self, subsystem: Subsystem, static_events: int = 0) -> None:
        self._registration = WSK_REGISTRATION(subsystem)
        self._npi = WSK_PROVIDER_NPI()
        self._sockets: list[WSK_SOCKET] = []
        dispatch = WSK_CLIENT_DISPATCH(MAKE_WSK_VERSION(1, 0))
        self._demand(WskRegister(WSK_CLIENT_NPI(self, dispatch), self._registration), "WskRegister")
        self._demand(
            WskCaptureProviderNPI(self._registration, WSK_INFINITE_WAIT, self._npi),
            "WskCaptureProviderNPI",
        )
        if static_events:
            control = WSK_EVENT_CALLBACK_CONTROL(static_events)
            self._demand(
                self._npi.Dispatch.WskControlClient(
                    self._npi.Client,
                    WSK_SET_STATIC_EVENT_CALLBACKS,
                    8,
                    control,
                    0,
                    None,
                    None,
                    None,
                ),
                "WSK_SET_STATIC_EVENT_CALLBACKS",
            )

    def listen(self, port: int, dispatch: Any, context: Any) -> WSK_SOCKET:
        """A listening socket for both families on `port`."""
        how = (SOCK_STREAM, IPPROTO_TCP, WSK_FLAG_LISTEN_SOCKET)
        return self._open(how, port, dispatch, context)

    def datagram(self, port: int, dispatch: Any, context: Any) -> WSK_SOCKET:
        """A UDP socket for both families on `port`."""
        how = (SOCK_DGRAM, IPPROTO_UDP, WSK_FLAG_DATAGRAM_SOCKET)
        return self._open(how, port, dispatch, context)

    def _open(
        self, how: tuple[int, int, int], port: int, dispatch: Any, context: Any
    ) -> WSK_SOCKET:
        kind, protocol, category = how
        provider = self._npi.Dispatch
        socket: WSK_SOCKET = wait_for(
            lambda irp: provider.WskSocket(
                self._npi.Client,
                AF_INET6,
                kind,
                protocol,
                category,
                context,
                dispatch,
                None,
                None,
                None,
                irp,
            ),
            "WskSocket",
        )
        wait_for(
            lambda irp: socket.Dispatch.WskControlSocket(
                socket, WskSetOption, IPV6_V6ONLY, IPPROTO_IPV6, 4, ULONG(0), 0, None, None, irp
            ),
            "IPV6_V6ONLY",
        )
        wait_for(
            lambda irp: socket.Dispatch.WskBind(socket, SOCKADDR_IN6(port), 0, irp),
            f"WskBind to port {port}",
        )
        self._sockets.append(socket)
        return socket

    def close(self) -> None:
        """Close the sockets made here, release the provider, and deregister."""
        for socket in self._sockets:
            wait_for(
                lambda irp, s=socket: s.Dispatch.WskCloseSocket(s, irp),  # type: ignore[misc]
                "WskCloseSocket",
            )
        WskReleaseProviderNPI(self._registration)
        WskDeregister(self._registration)

    @staticmethod
    def _demand(status: int, what: str) -> None:
        if not NT_SUCCESS(status):
            raise WskFailure(f"{what}: {status_name(status)}")
