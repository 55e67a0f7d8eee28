# SPDX-License-Identifier: MIT
"""Several stacks, one host: whatever the steering, nobody notices."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack.base import addr
from stack.base.units import MS, SECOND
from stack.wire import ethernet, ipv6, ndp
from tap.impair import Impairment
from tap.virtual import run_virtual
from tests.facade.kit import accounted
from tests.harness import Peer, World
from tests.harness.shards import PEER_MAC, Crowd, Kernel, by_chance
from wsk_api.facade import Client, Connection

SECONDS = 4
"""A pause after which the kernel has forgotten a flow."""


def at(crowd: Crowd, family: int, port: int) -> tuple[str, int]:
    return addr.text(crowd.leader.address(family)), port


def peer_at(crowd: Crowd, family: int, port: int) -> tuple[str, int]:
    return addr.text(crowd.peer.address(family)), port


async def echo(connection: Connection) -> None:
    async for chunk in connection:
        await connection.send(chunk)


async def echo_datagrams(socket: Any) -> None:
    while True:
        data, sender = await socket.receive_from()
        await socket.send_to(data, sender)


async def talk(connection: Connection, chance: random.Random, pause: float) -> None:
    """Some octets, a pause, some more; all of them come back."""
    async with connection:
        for size in (chance.randrange(1, 200_000), chance.randrange(1, 3000)):
            data = chance.randbytes(size)
            sending = asyncio.create_task(connection.send(data))
            assert await connection.receive_exactly(size) == data
            await sending
            await asyncio.sleep(pause)


class Programs:
    """The same program in every shard, and clients of the peer."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd
        self.shards = [Client(accounted(stack)) for stack in crowd.shards]
        self.peer = Client(accounted(crowd.peer.stack))
        self._tasks: list[asyncio.Task[Any]] = []

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        self._tasks.append(asyncio.create_task(work))

    def run(self, main: Coroutine[Any, Any, Any]) -> None:
        run_virtual(self.crowd.world.loop, self._alone(main))

    async def _alone(self, main: Coroutine[Any, Any, Any]) -> None:
        for client in (*self.shards, self.peer):
            client.open()
        try:
            await main
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for client in (*self.shards, self.peer):
                await client.close()

    async def listen(self, clients: list[Client], port: int) -> None:
        for client in clients:
            listener = await client.listen(port)
            self.spawn(listener.serve(echo))


def begun_by_peer(programs: Programs, family: int, count: int, seed: int, pause: float) -> None:
    crowd = programs.crowd

    async def main() -> None:
        await programs.listen(programs.shards, 7)
        chances = [random.Random(seed + n) for n in range(count)]
        opened = [await programs.peer.connect(at(crowd, family, 7)) for _ in chances]
        talks = (talk(c, chance, pause) for c, chance in zip(opened, chances, strict=True))
        await asyncio.gather(*talks)

    programs.run(main())


@given(
    count=st.integers(2, 4),
    seed=st.integers(0, 1 << 30),
    loss=st.sampled_from((0.0, 0.02)),
    offload=st.booleans(),
)
@pytest.mark.parametrize("family", [addr.V4, addr.V6])
def test_what_peers_begin(family: int, count: int, seed: int, loss: float, offload: bool) -> None:
    """Whatever the steering: data arrives whole, and nothing is reset."""
    world = World(seed)
    bad = Impairment(loss=loss, delay=MS, reorder=loss, reorder_by=MS)
    crowd = Crowd(world, count, by_chance(seed), offload, bad)
    begun_by_peer(Programs(crowd), family, 6, seed, 0.01)
    assert crowd.broken() == 0
    assert crowd.strays() > 0


@given(count=st.integers(2, 4), seed=st.integers(0, 1 << 30), hostile=st.booleans())
@pytest.mark.parametrize("family", [addr.V4, addr.V6])
def test_what_shards_begin(family: int, count: int, seed: int, hostile: bool) -> None:
    """A shard's own connections, with a pause after which they may be answered anywhere."""
    world = World(seed)
    crowd = Crowd(world, count, by_chance(seed) if hostile else Kernel(world, seed))
    programs = Programs(crowd)

    async def main() -> None:
        await programs.listen([programs.peer], 7)
        chances = [random.Random(seed + n) for n in range(4 * count)]
        opened = [
            await programs.shards[n % count].connect(peer_at(crowd, family, 7))
            for n in range(4 * count)
        ]
        for number, connection in enumerate(opened):
            assert connection.local.port in crowd.shards[0].config.own_ports(number % count)
        talks = (talk(c, x, SECONDS) for c, x in zip(opened, chances, strict=True))
        await asyncio.gather(*talks)

    programs.run(main())
    assert crowd.broken() == 0


@pytest.mark.parametrize("count", [2, 3])
def test_the_kernel_keeps_a_flow_on_one_queue(world: World, family: int, count: int) -> None:
    """Steered as tun does, nothing that a peer began ever strays, pauses or not."""
    crowd = Crowd(world, count, Kernel(world, 5))
    begun_by_peer(Programs(crowd), family, 24, 9, SECONDS)
    assert crowd.strays() == 0
    assert crowd.broken() == 0
    served = [stack.tcp.counters.passive_opens for stack in crowd.shards]
    assert sum(served) == 24
    assert min(served) > 0


@given(count=st.integers(2, 4), seed=st.integers(0, 1 << 30))
@pytest.mark.parametrize("family", [addr.V4, addr.V6])
def test_datagrams(family: int, count: int, seed: int) -> None:
    """Every shard answers at port 7; each shard's own questions are answered to it."""
    world = World(seed)
    crowd = Crowd(world, count, by_chance(seed))
    programs = Programs(crowd)

    async def main() -> None:
        for client in (*programs.shards, programs.peer):
            programs.spawn(echo_datagrams(await client.datagram(7)))
        for client in programs.shards:
            socket = await client.datagram()
            for number in range(10):
                await socket.send_to(b"%d" % number, peer_at(crowd, family, 7))
                assert await socket.receive(timeout=5) == b"%d" % number
        socket = await programs.peer.datagram()
        for number in range(10):
            await socket.send_to(b"%d" % number, at(crowd, family, 7))
            assert await socket.receive(timeout=5) == b"%d" % number

    programs.run(main())


@pytest.mark.parametrize("where", [0, 1, 2])
def test_a_port_that_is_open_in_one_shard(world: World, family: int, where: int) -> None:
    """A program in one shard alone is found from every queue."""
    crowd = Crowd(world, 3, by_chance(3))
    programs = Programs(crowd)

    async def main() -> None:
        await programs.listen([programs.shards[where]], 7)
        programs.spawn(echo_datagrams(await programs.shards[where].datagram(9)))
        for number in range(12):
            connection = await programs.peer.connect(at(crowd, family, 7))
            await talk(connection, random.Random(number), 0.01)
        socket = await programs.peer.datagram()
        for number in range(12):
            await socket.send_to(b"%d" % number, at(crowd, family, 9))
            assert await socket.receive(timeout=5) == b"%d" % number

    programs.run(main())
    assert crowd.broken() == 0


def test_a_port_that_nobody_has_is_refused_once(world: World, family: int) -> None:
    crowd = Crowd(world, 3, by_chance(4))
    programs = Programs(crowd)

    async def main() -> None:
        for _ in range(10):
            with pytest.raises(ConnectionRefusedError):
                await programs.peer.connect(at(crowd, family, 81))
        for number in range(1, 11):
            socket = await programs.peer.datagram()
            await socket.connect(at(crowd, family, 81))
            await socket.send(b"?")
            await asyncio.sleep(1)
            errors = crowd.peer.stack.icmp_for(crowd.peer.address(family)).in_types
            assert errors[3 if family == addr.V4 else 1] == number

    programs.run(main())
    assert crowd.broken() == 10


def test_questions_to_the_host_have_one_answer(world: World, family: int) -> None:
    """Neighbour resolution and echo, in any queue."""
    crowd = Crowd(world, 3, by_chance(1))
    target = crowd.leader.address(family)
    icmp = crowd.peer.stack.icmp_for(target)
    heard: list[int] = []
    icmp.listen(5, lambda _, sequence, *__: heard.append(sequence))
    for number in range(20):
        icmp.echo(target, 5, number, bytes(56))
        world.run(100 * MS)
    asked = crowd.peer.nic.counters.out_packets
    assert heard == list(range(20))
    assert crowd.answers() == asked


def test_large_echo_requests_are_put_together(world: World, family: int) -> None:
    crowd = Crowd(world, 3, by_chance(1))
    target = crowd.leader.address(family)
    icmp = crowd.peer.stack.icmp_for(target)
    heard: list[int] = []
    icmp.listen(5, lambda _, sequence, size, *__: heard.append(size))
    for number in range(10):
        icmp.echo(target, 5, number, bytes(5000))
        world.run(100 * MS)
    assert heard == [5000] * 10


def test_fragmented_datagrams_find_their_shard(world: World, family: int) -> None:
    """Only the leader puts them together, and hands them on."""
    crowd = Crowd(world, 3, by_chance(6))
    programs = Programs(crowd)

    async def main() -> None:
        programs.spawn(echo_datagrams(await programs.shards[2].datagram(7)))
        socket = await programs.peer.datagram()
        for size in (4000, 20_000, 60_000):
            data = random.Random(size).randbytes(size)
            await socket.send_to(data, at(crowd, family, 7))
            assert await socket.receive(timeout=5) == data

    programs.run(main())


def test_a_shard_pings(world: World, family: int) -> None:
    """The reply may come in any queue."""
    crowd = Crowd(world, 3, by_chance(2))
    target = crowd.peer.address(family)
    for number, stack in enumerate(crowd.shards):
        heard: list[int] = []
        stack.icmp_for(target).listen(40 + number, lambda _, seq, *__, h=heard: h.append(seq))
        for sequence in range(10):
            stack.icmp_for(target).echo(target, 40 + number, sequence, b"data")
            world.run(100 * MS)
        assert heard == list(range(10))


def test_followers_have_what_the_leader_has(world: World, family: int) -> None:
    """Addresses, routes, name servers: given, and given up."""
    crowd = Crowd(world, 3, by_chance(2))
    leader = crowd.leader
    text, gateway, prefix = ("10.9.9.9", "10.77.0.2", "192.0.2.0")
    if family == addr.V6:
        text, gateway, prefix = ("fd99::9", "fd77::2", "2001:db8::")
    own = addr.parse(text)
    leader.stack.add_address(leader.nic, text, 24)
    leader.stack.add_route(prefix, 24, leader.nic, gateway, 7)
    leader.stack.host.name_servers.learn(("test",), leader.nic, [own], ["example"])
    world.run(MS)
    told = leader.stack.configuration(leader.nic)
    for stack in crowd.shards[1:]:
        nic = stack.host.nics[-1]
        assert stack.configuration(nic) == told
        assert own in stack.host.layer_of(own).local
        route = stack.host.routes.lookup(addr.parse(prefix))
        assert route is not None
        assert route.gateway == addr.parse(gateway)
    leader.stack.remove_address(text)
    assert leader.stack.remove_route(prefix, 24, leader.nic, gateway)
    leader.stack.host.name_servers.forget(("test",))
    world.run(MS)
    for stack in crowd.shards[1:]:
        assert own not in stack.host.layer_of(own).local
        assert stack.host.routes.lookup(addr.parse(prefix)) is None
        assert stack.host.name_servers.servers() == []


def test_only_the_leader_looks_for_duplicates(world: World) -> None:
    """And the others have no address before he has."""
    crowd = Crowd(world, 2, by_chance(2), dad=True)
    follower = crowd.shards[1]
    assert crowd.leader.v4 not in follower.v4.local
    world.run(20 * SECOND)
    assert crowd.leader.v4 in follower.v4.local
    assert crowd.leader.v6 in follower.v6.local
    assert crowd.members[1].counters.muted == 0
    assert follower.host.nics[-1].counters.out_packets == 0


def test_what_a_router_says_is_for_the_leader(world: World) -> None:
    """He asks routers and probes his address; the others have it then, and the way out."""
    crowd = Crowd(world, 3, by_chance(7), offload=False, dad=True, router_solicitations=True)
    world.run(2 * SECOND)
    prefix = addr.parse("2001:db8:7::")
    router = addr.link_local(PEER_MAC)
    information = bytes((3, 4, 64, 0xC0)) + b"\0\0\x0e\x10" * 2 + bytes(4) + prefix
    body = ndp.build_advertisement(134, 64, 0, 1800, options=information)
    body = Peer.checked(58, body, 2, router, addr.ALL_NODES)
    packet = ipv6.build(0, 0, len(body), 58, 255, router, addr.ALL_NODES) + body
    group = addr.multicast_mac(addr.ALL_NODES)
    crowd.device.put(group + PEER_MAC + ethernet.TYPE_IPV6 + packet)
    world.run(10 * SECOND)
    own = [own for own in crowd.leader.stack.v6.local if own.startswith(prefix[:8])]
    assert own
    for stack in crowd.shards:
        assert [a for a in stack.v6.local if a.startswith(prefix[:8])] == own
        route = stack.host.routes.lookup(addr.parse("2001:db8:ffff::1"))
        assert route is not None
        assert route.gateway == router
    for stack in crowd.shards[1:]:
        assert stack.v6.icmp.out_types[133] == 0
        assert stack.v6.icmp.out_types[135] == 0
