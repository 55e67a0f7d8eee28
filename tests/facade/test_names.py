# SPDX-License-Identifier: MIT
"""Names: without a resolver, and with a stand-in for the provider's name functions (wsk.md 5.9)."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

import wsk_api
from stack.base import addr
from tests.facade.kit import Pair
from wsk_api import IRP, SOCKADDR_IN6, STATUS_CANCELLED, STATUS_PENDING, STATUS_SUCCESS, Subsystem
from wsk_api.facade import Client, WskError, WskNameError

STATUS_NO_MATCH = 0xC0000272
ddi: Any = wsk_api


def test_a_provider_without_a_resolver_says_what_to_do(pair: Pair) -> None:
    nameless = Subsystem()
    stack = pair.hosts[0].stack
    nameless.attach(stack.providers, stack.env.executor)

    async def main() -> None:
        async with Client(nameless) as client, client.datagram() as datagram:
            for call in (
                client.resolve("example.org"),
                datagram.send_to(b"?", ("example.org", 53)),
            ):
                with pytest.raises(socket.gaierror, match="in digits") as told:
                    await call
                assert isinstance(told.value, WskNameError)
            with pytest.raises(socket.gaierror, match="in digits"):
                await client.connect(("example.org", 80))

    pair.run(main())


class Names:
    """A provider's table with a resolver in it."""

    def __init__(self, hosts: dict[str, list[bytes]]) -> None:
        self.table: Any = None
        self.engine: Any = None
        self.hosts = hosts
        self.given: set[Any] = set()
        self.silent = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.table, name)

    def WskGetAddressInfo(
        self,
        client: Any,
        node: Any,
        service: Any,
        space: int,
        provider: Any,
        hints: Any,
        result: Any,
        process: Any,
        thread: Any,
        irp: IRP,
    ) -> int:
        assert (hints.ai_flags, hints.ai_family, hints.ai_socktype) == (0x900, 23, 1)
        name = ddi.string_text(node)

        def operation(irp: IRP) -> tuple[int, int]:
            if self.silent:
                irp.set_cancel(lambda irp: self.engine.complete(irp, STATUS_CANCELLED))
                return STATUS_PENDING, 0
            head = None
            for address in reversed(self.hosts.get(name, [])):
                entry = ddi.ADDRINFOEXW()
                entry.ai_addr = SOCKADDR_IN6(
                    0, address if len(address) == 16 else bytes(10) + b"\xff\xff" + address
                )
                entry.ai_next, head = head, entry
            if head is None:
                return STATUS_NO_MATCH, STATUS_NO_MATCH
            self.given.add(head)
            result.value = head
            return STATUS_SUCCESS, 0

        return int(self.engine.issue(irp, operation))

    def WskFreeAddressInfo(self, client: Any, head: Any) -> None:
        self.given.remove(head)


@pytest.fixture
def names(pair: Pair) -> Names:
    """The hosts `far` and `both`, whose first address does not answer."""
    dead = addr.parse("10.77.0.99" if pair.family == addr.V4 else "fd77::99")
    hosts = {"far": [pair.hosts[1].address(pair.family)], "both": []}
    hosts["both"] = [dead, *hosts["far"]]
    return Names(hosts)


def with_names(client: Client, names: Names) -> None:
    names.table = client.npi.Dispatch
    names.engine = client.npi.Client.engine
    client.npi.Dispatch = names


def test_names_are_looked_up(pair: Pair, names: Names) -> None:
    async def main() -> None:
        async with pair.client() as client, pair.server() as server, server.listen(80):
            with_names(client, names)
            assert await client.addresses("far", 80) == [pair.at(80)]
            for name in ("far", "both"):  # the second address is tried when the first is dead
                async with client.connect((name, 80)) as connection:
                    assert connection.remote == pair.at(80)
                    await connection.abort()
            with pytest.raises(WskError, match="STATUS_CONNECTION_REFUSED"):
                await client.connect(("far", 81))
            with pytest.raises(socket.gaierror, match="nowhere"):
                await client.connect(("nowhere", 80))

    pair.run(main())
    assert names.given == set()


@pytest.mark.parametrize("end", ["time-out", "cancel", "close"])
def test_a_lookup_that_does_not_end(pair: Pair, names: Names, end: str) -> None:
    names.silent = True

    async def connect(client: Client, timeout: float | None) -> None:
        await client.connect(("far", 80), timeout=timeout)

    async def main() -> None:
        async with pair.client() as client:
            with_names(client, names)
            task = asyncio.create_task(connect(client, 2 if end == "time-out" else None))
            await asyncio.sleep(1)
            if end == "cancel":
                task.cancel()
            if end != "close":
                await asyncio.wait([task])
        await asyncio.wait([task])
        if end == "cancel":
            assert task.cancelled()
        else:
            assert isinstance(task.exception(), TimeoutError if end == "time-out" else WskError)

    pair.run(main())
    assert names.given == set()
