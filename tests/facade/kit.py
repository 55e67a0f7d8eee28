# SPDX-License-Identifier: MIT
"""Two hosts, a facade client on each, and an account of every IRP.

`run` runs a coroutine in virtual time and then looks whether anything was left behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from stack import Stack
from stack.base import addr
from stack.base.units import SECOND
from tap.impair import Impairment
from tap.virtual import run_virtual
from tests.harness import Host, World
from wsk_api import Subsystem
from wsk_api.facade import Client, Connection


def accounted(stack: Stack) -> Subsystem:
    """A WSK over a stack, of its own."""
    subsystem = Subsystem()
    subsystem.attach(stack.providers, stack.env.executor, stack.names)
    return subsystem


class Pair:
    """Two hosts on one wire; `near` and `far` are what clients are made over."""

    def __init__(self, world: World, family: int, wire: Impairment | None = None) -> None:
        self.world = world
        self.family = family
        self.hosts: tuple[Host, Host] = world.pair(there=wire, back=wire)
        self.near, self.far = (self._subsystem(host) for host in self.hosts)
        self.clients: list[Client] = []

    @staticmethod
    def _subsystem(host: Host) -> Subsystem:
        return accounted(host.stack)

    def at(self, port: int) -> tuple[str, int]:
        """The far host, as a caller writes it."""
        return addr.text(self.hosts[1].address(self.family)), port

    @property
    def nearby(self) -> str:
        return addr.text(self.hosts[0].address(self.family))

    def client(self, **how: Any) -> Client:
        """A client on the near host."""
        return self._known(Client(self.near, **how))

    def server(self, **how: Any) -> Client:
        """A client on the far host."""
        return self._known(Client(self.far, **how))

    def _known(self, client: Client) -> Client:
        self.clients.append(client)
        return client

    def run(self, main: Coroutine[Any, Any, Any]) -> Any:
        """Run in virtual time; nothing may be left."""
        result = run_virtual(self.world.loop, _alone(main))
        self.check()
        return result

    def check(self) -> None:
        """No socket, IRP, connection or timer is left."""
        for client in self.clients:
            assert client.endpoints == set()
            assert not client.registered
            if client.npi.Client is not None:
                assert client.npi.Client.sockets == set()
                assert client.npi.Client.engine.outstanding == set()
        self.world.run(600 * SECOND)  # whoever was left half open by a reset gives up
        for host in self.hosts:
            assert host.stack.tcp.connections() == []
            assert host.tcp_timers() == []


async def _alone(main: Coroutine[Any, Any, Any]) -> Any:
    """Await `main`; no task of its may be left."""
    try:
        return await main
    finally:
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def couple(pair: Pair, client: Client, server: Client) -> tuple[Connection, Connection]:
    """One connection: (near end, far end)."""
    async with server.listen(80) as listener:
        near = await client.connect(pair.at(80))
        return near, await listener.accept()


def with_couple(pair: Pair, body: Callable[..., Awaitable[Any]], **how: Any) -> Any:
    """Run `body(near, far)` with a connection between the hosts."""

    async def main() -> Any:
        async with pair.client(**how) as client, pair.server(**how) as server:
            near, far = await couple(pair, client, server)
            async with near, far:
                return await body(near, far)

    return pair.run(main())
