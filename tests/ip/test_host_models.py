# SPDX-License-Identifier: MIT
"""The strong and the weak host model (RFC 1122 3.3.4.2), in both directions, and compartments."""

from __future__ import annotations

import pytest

from stack import Config
from stack.base import addr, status
from tap.memory import wire
from tests.harness import World, quiet
from tests.harness.routing import Crossing
from tests.tcp.users import Acceptor, User

STRONG = quiet()
WEAK = quiet(weak_host=True)


def ping(crossing: Crossing, target: bytes) -> bool:
    """The near peer pings `target`; was it answered?"""
    near = crossing.near
    kind = 8 if len(target) == 4 else 128
    request = bytes((kind, 0, 0, 0, 0, 1, 0, 1)) + b"ping"
    if kind == 8:
        request = (
            b"\x08\0"
            + (0xFFFF - (0x0800 + 1 + 1 + 0x7069 + 0x6E67) % 0xFFFF).to_bytes(2, "big")
            + request[4:]
        )
    else:
        request = near.checked(58, request, 2, near.mine, target)
    near.packet(58 if kind == 128 else 1, request, dst=target)
    crossing.world.run(0)
    return near.next_ip() is not None


@pytest.mark.parametrize("config", [STRONG, WEAK], ids=["strong", "weak"])
def test_packets_for_the_address_of_another_interface(
    world: World, family: int, config: Config
) -> None:
    crossing = Crossing(world, family, config=config)
    weak = config is WEAK
    assert ping(crossing, crossing.near.host.address(family))
    assert ping(crossing, crossing.far.host.address(family)) == weak
    assert crossing.drops() == ({} if weak else {"ip_not_local": 1})


def test_loopback_addresses_are_never_taken_from_a_wire(world: World, family: int) -> None:
    crossing = Crossing(world, family, config=WEAK)
    assert not ping(crossing, addr.LOOPBACK4 if family == addr.V4 else addr.LOOPBACK6)


@pytest.mark.parametrize("config", [STRONG, WEAK], ids=["strong", "weak"])
def test_packets_from_the_address_of_another_interface(
    world: World, family: int, config: Config
) -> None:
    """Strong: the source decides the interface, and where that leads nowhere nothing is sent."""
    crossing = Crossing(world, family, config=config)
    layer = crossing.stack.host.layer_of(crossing.near.mine)
    path = layer.path(crossing.near.mine, crossing.far.host.address(family))
    assert (path is not None) == (config is WEAK)
    if path is not None:
        assert path.nic is crossing.near.host.nic


def test_per_interface(world: World, family: int) -> None:
    crossing = Crossing(world, family, config=STRONG)
    layer = crossing.stack.host.layer_of(crossing.near.mine)
    layer.interface(crossing.near.host.nic).weak_receive = True
    layer.interface(crossing.far.host.nic).weak_send = True  # where the answer's source lives
    assert ping(crossing, crossing.far.host.address(family))


def test_a_default_route_does_not_catch_what_another_interface_must_send(world: World) -> None:
    """RFC 1122 3.3.4.2: the route is looked for among those of the source's interface."""
    crossing = Crossing(world, addr.V4, config=STRONG)
    stack = crossing.stack
    near, far = crossing.near.host.nic, crossing.far.host.nic
    stack.add_route("0.0.0.0", 0, near, "10.1.0.1", metric=1)
    stack.add_route("0.0.0.0", 0, far, "10.2.0.1", metric=2)
    for source, nic in ((crossing.near.host.v4, near), (crossing.far.host.v4, far), (b"", near)):
        path = stack.v4.path(addr.parse("192.0.2.1"), source)
        assert path is not None
        assert path.nic is nic


# Compartments.


def test_two_compartments_may_have_the_same_everything(world: World, family: int) -> None:
    """One stack, two networks with one numbering: nothing of one is seen in the other."""
    a, b = world.pair()
    second = a.stack.add_compartment()
    ours, theirs = wire(b"\x02\0\0\0\x01\x01", b"\x02\0\0\0\x01\x02", 1500)
    nic = second.add_nic(ours, "wsk0")
    c = world.stack_on(theirs, 2)
    for text, length in ((addr.text(a.v4), 24), (addr.text(a.v6), 64)):
        second.add_address(nic, text, length)
    world.loop.add(a.stack, nic, ours)
    served: list[tuple[Acceptor, bytes]] = []
    for compartment, word in ((a.stack, b"first"), (second, b"second")):
        acceptor = Acceptor()
        listener = compartment.tcp.open_listener(addr.V4 | addr.V6)
        listener.attach(acceptor)
        assert listener.bind(a.address(family), 80, 0) == status.OK
        served.append((acceptor, word))
    users = []
    for host in (b, c):
        stream = host.stream()
        user = User(stream)
        stream.attach(user)
        assert stream.bind(b"", 0, 0) == status.OK
        assert stream.connect(a.address(family), 80, 0, "connect") == status.PENDING
        users.append(user)
    world.run()
    for (acceptor, word), user in zip(served, users, strict=True):
        assert len(acceptor.users) == 1
        acceptor.users[0].send(word)
        world.run()
        assert user.data == word
    assert len(a.stack.tcp.connections()) == len(second.tcp.connections()) == 1


def test_compartments_share_no_route_and_no_counter(world: World, family: int) -> None:
    host, peer = world.host()
    peer.family = family
    second = host.stack.add_compartment()
    layer = second.host.layer_of(peer.mine)
    assert layer.path(peer.mine) is None
    assert host.stack.host.layer_of(peer.mine).path(peer.mine) is not None
    before = layer.counters.moved()
    host.stack.icmp_for(peer.mine).echo(peer.mine, 1, 1, b"")
    world.run(0)
    assert layer.counters.moved() == before
    shot = host.stack.snapshot()
    assert {"ip4", "2:ip4", "lo", "2:lo2", "drops"} <= set(shot)


def test_each_compartment_has_its_own_loopback(world: World, family: int) -> None:
    host, _ = world.host()
    second = host.stack.add_compartment()
    target = addr.LOOPBACK4 if family == addr.V4 else addr.LOOPBACK6
    heard: list[int] = []
    icmp = second.icmp_for(target)
    icmp.listen(9, lambda src, seq, size, ttl, when: heard.append(seq))
    icmp.echo(target, 9, 5, b"hello")
    world.run()
    assert heard == [5]
    assert host.stack.icmp_for(target).counters.moved() == {}
