# SPDX-License-Identifier: MIT
"""NTSTATUS to OSError; addresses and names; the client itself."""

from __future__ import annotations

import asyncio
import errno
import pickle

import pytest

import wsk_api
from stack.base import addr
from tests.facade.kit import Pair
from tests.harness import World
from wsk_api import Subsystem
from wsk_api.facade import Address, Client, WskError
from wsk_api.facade.addresses import literal, shown
from wsk_api.facade.errors import error

STATUSES = {
    name: value
    for name, value in vars(wsk_api).items()
    if name.startswith("STATUS_") and value >= 0x80000000
}


@pytest.mark.parametrize(
    ("status", "builtin", "number"),
    [
        ("STATUS_CONNECTION_REFUSED", ConnectionRefusedError, errno.ECONNREFUSED),
        ("STATUS_CONNECTION_RESET", ConnectionResetError, errno.ECONNRESET),
        ("STATUS_CONNECTION_ABORTED", ConnectionAbortedError, errno.ECONNABORTED),
        ("STATUS_IO_TIMEOUT", TimeoutError, errno.ETIMEDOUT),
        ("STATUS_GRACEFUL_DISCONNECT", BrokenPipeError, errno.EPIPE),
        ("STATUS_ACCESS_DENIED", PermissionError, errno.EACCES),
        ("STATUS_ADDRESS_ALREADY_EXISTS", OSError, errno.EADDRINUSE),
        ("STATUS_HOST_UNREACHABLE", OSError, errno.EHOSTUNREACH),
    ],
)
def test_people_catch_what_they_always_caught(
    status: str, builtin: type[OSError], number: int
) -> None:
    why = error(STATUSES[status], "trying")
    assert isinstance(why, builtin)
    assert why.errno == number
    assert str(why) == f"[{status} 0x{STATUSES[status]:08X}] trying"


@pytest.mark.parametrize("name", STATUSES)
def test_every_failure_has_an_exception(name: str) -> None:
    why = error(STATUSES[name], "trying")
    assert isinstance(why, WskError)
    assert (why.status, why.status_name, why.what) == (STATUSES[name], name, "trying")
    assert why.errno in errno.errorcode
    again = pickle.loads(pickle.dumps(why))
    assert (type(again), str(again)) == (type(why), str(why))


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "0.0.0.0", "::1", "2001:db8::1", "fe80::1%3", "255.255.255.255"]
)
def test_addresses_in_digits_come_back(host: str) -> None:
    sockaddr = literal(host, 80)
    assert sockaddr is not None
    assert shown(sockaddr) == (host, 80)


def test_addresses_read_well() -> None:
    assert str(Address("10.0.0.1", 80)) == "10.0.0.1:80"
    assert str(Address("::1", 80)) == "[::1]:80"
    assert shown(literal("", 7)) == ("::", 7)
    assert literal("example.org", 80) is None


@pytest.mark.parametrize("port", [-1, 65536, "80", None])
def test_ports_are_checked(port: object) -> None:
    with pytest.raises(ValueError, match="port"):
        literal("10.0.0.1", port)  # type: ignore[arg-type]


def test_scopes_are_numbers() -> None:
    with pytest.raises(ValueError, match="number of an interface"):
        literal("fe80::1%eth0", 80)


def test_a_link_local_peer(world: World) -> None:
    pair = Pair(world, addr.V6)
    near, far = (host.nic for host in pair.hosts)
    peer = f"{addr.text(addr.link_local(far.device.mac))}%{near.index}"

    async def main() -> None:
        async with (
            pair.client() as client,
            pair.server() as server,
            server.listen(80),
            client.connect((peer, 80)) as connection,
        ):
            assert connection.remote == (peer, 80)
            await connection.abort()

    pair.run(main())


@pytest.mark.parametrize("address", [("10.0.0.1",), "10.0.0.1:80", 80, None, (b"10.0.0.1", 80)])
def test_what_is_no_address(pair: Pair, address: object) -> None:
    async def main() -> None:
        async with pair.client() as client, client.datagram() as socket:
            with pytest.raises((TypeError, ValueError)):
                await client.connect(address)
            with pytest.raises((TypeError, ValueError)):
                await socket.send_to(b"", address)

    pair.run(main())


def test_a_client_that_is_not_open(pair: Pair) -> None:
    async def main() -> None:
        client = pair.client()
        for _ in range(2):
            with pytest.raises(WskError, match="not open"):
                await client.connect(pair.at(80))
            with pytest.raises(WskError, match="not open"):
                await client.listen(80)
            async with client:
                assert await client.addresses("10.0.0.1", 7) == [("10.0.0.1", 7)]
            await client.close()

    pair.run(main())


def test_a_provider_that_is_not_there() -> None:
    async def main() -> None:
        with pytest.raises(WskError, match="STATUS_DEVICE_NOT_READY"):
            async with Client(Subsystem()):
                pass

    asyncio.run(main())


def test_a_stack_is_as_good_as_its_subsystem(pair: Pair) -> None:
    async def main() -> None:
        async with (
            Client(pair.hosts[1].stack) as server,
            server.listen(80),
            Client(pair.hosts[0].stack) as client,
        ):
            await (await client.connect(pair.at(80))).abort()

    pair.run(main())


def test_an_exception_aborts_what_is_open(pair: Pair) -> None:
    async def failing() -> None:
        async with pair.client() as client:
            await client.datagram()
            await client.listen(81)
            await client.connect(pair.at(80))
            await asyncio.sleep(0.1)  # the far end has it, too
            raise ZeroDivisionError

    async def main() -> None:
        async with pair.server() as server, server.listen(80) as listener:
            accepting = asyncio.create_task(listener.accept())
            with pytest.raises(ZeroDivisionError):
                await failing()
            far = await accepting
            with pytest.raises(ConnectionResetError):
                await far.receive()

    pair.run(main())
