# SPDX-License-Identifier: MIT
"""Two stacks in memory, in one process and at full speed, with a WSK client on each.

What the benchmarks of sockets measure on.  Every call completes within `Pair.run` or before.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from stack import Config, Stack
from tap.clock import SystemEnv
from tap.loop import VirtualExecutor, VirtualLoop
from tap.memory import wire
from tools.services.client import then
from wsk_api import (
    AF_INET6,
    IPPROTO_TCP,
    IPPROTO_UDP,
    MAKE_WSK_VERSION,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOCKADDR_IN6,
    WSK_CLIENT_CONNECTION_DISPATCH,
    WSK_CLIENT_DISPATCH,
    WSK_CLIENT_LISTEN_DISPATCH,
    WSK_CLIENT_NPI,
    WSK_EVENT_CALLBACK_CONTROL,
    WSK_FLAG_CONNECTION_SOCKET,
    WSK_FLAG_DATAGRAM_SOCKET,
    WSK_FLAG_LISTEN_SOCKET,
    WSK_NO_WAIT,
    WSK_PROVIDER_NPI,
    WSK_REGISTRATION,
    WSK_SET_STATIC_EVENT_CALLBACKS,
    Subsystem,
    WskCaptureProviderNPI,
    WskRegister,
)


def address(which: int, port: int) -> SOCKADDR_IN6:
    """Stack 0 or 1 of a pair."""
    return SOCKADDR_IN6(port, socket.inet_pton(socket.AF_INET6, f"fd77::{which + 1}"))


class Pair:
    """The stacks, their clients, and the loop that drives them."""

    def __init__(self, static: int = 0) -> None:
        """`static`: events that every socket has from its birth."""
        executor = VirtualExecutor()
        env = SystemEnv(executor)
        self.loop = VirtualLoop(env, executor)
        ports = wire(bytes((2, 0, 0, 0, 0, 1)), bytes((2, 0, 0, 0, 0, 2)))
        self.clients = []
        for number, port in enumerate(ports, 1):
            stack = Stack(env, Config(dad=False, multicast_reports=False))
            nic = stack.add_nic(port, f"wsk{number}")
            stack.add_address(nic, f"fd77::{number}", 64)
            self.loop.add(stack, nic, port)
            subsystem = Subsystem()
            subsystem.attach(stack.providers, executor)
            self.clients.append(self._client(subsystem, static))

    @staticmethod
    def _client(subsystem: Subsystem, static: int) -> WSK_PROVIDER_NPI:
        registration = WSK_REGISTRATION(subsystem)
        dispatch = WSK_CLIENT_DISPATCH(MAKE_WSK_VERSION(1, 0))
        WskRegister(WSK_CLIENT_NPI(None, dispatch), registration)
        npi = WSK_PROVIDER_NPI()
        WskCaptureProviderNPI(registration, WSK_NO_WAIT, npi)
        if static:
            control = WSK_EVENT_CALLBACK_CONTROL(static)
            code = WSK_SET_STATIC_EVENT_CALLBACKS
            npi.Dispatch.WskControlClient(npi.Client, code, 8, control, 0, None, None, None)
        return npi

    def run(self, seconds: float = 1.0) -> None:
        """Let everything under way happen, for so long at most."""
        self.loop.run(self.loop.env.now + int(seconds * 1e9))

    def turn(self) -> None:
        """One turn of both stacks."""
        self.loop.turn()

    def until(self, true: Callable[[], bool], turns: int = 10_000) -> None:
        """Turn until `true()`.  RuntimeError if it does not come true: something was lost."""
        while not true():
            if turns == 0:
                raise RuntimeError("what was waited for did not come")
            turns -= 1
            self.loop.turn()

    def socket(self, which: int, flags: int, dispatch: Any = None) -> Any:
        """A fresh socket of a category."""
        datagram = flags == WSK_FLAG_DATAGRAM_SOCKET
        box: list[Any] = []
        npi = self.clients[which]
        npi.Dispatch.WskSocket(
            npi.Client,
            AF_INET6,
            SOCK_DGRAM if datagram else SOCK_STREAM,
            IPPROTO_UDP if datagram else IPPROTO_TCP,
            flags,
            None,
            dispatch,
            None,
            None,
            None,
            then(lambda irp: box.append(irp.IoStatus.Information)),
        )
        return box[0]

    def bound(self, which: int, flags: int, dispatch: Any = None, port: int = 0) -> Any:
        """A socket that is bound to the wildcard."""
        made = self.socket(which, flags, dispatch)
        made.Dispatch.WskBind(made, SOCKADDR_IN6(port), 0, then(lambda _: None))
        return made

    def connections(self, count: int) -> list[Any]:
        """`count` established connections, both ends of each, and their listener."""
        listener = self.bound(1, WSK_FLAG_LISTEN_SOCKET, WSK_CLIENT_LISTEN_DISPATCH(), 80)
        made: list[Any] = [listener]
        for _ in range(count):
            listener.Dispatch.WskAccept(
                listener,
                0,
                None,
                None,
                None,
                None,
                then(lambda irp: made.append(irp.IoStatus.Information)),
            )
            made.append(self.connect())
            if len(made) % 100 == 0:
                self.run()
        self.run()
        return made

    def connect(self) -> Any:
        """A socket of stack 0 that connects to port 80 of stack 1."""
        made = self.bound(0, WSK_FLAG_CONNECTION_SOCKET, WSK_CLIENT_CONNECTION_DISPATCH())
        made.Dispatch.WskConnect(made, address(1, 80), 0, then(lambda _: None))
        return made
