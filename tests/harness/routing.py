# SPDX-License-Identifier: MIT
"""A stack between two wires.

`Crossing` has frames at both ends (a `Peer` each), `line` has stacks there.  Network N is
10.N.0.0/24 and fd00:N::/64; the router is number 254 in both, everybody else number 1.
"""

from __future__ import annotations

from stack import Config, Stack
from stack.base import addr
from tap.memory import wire
from tap.port import Port
from tests.harness.peer import Peer
from tests.harness.world import Host, World, quiet

ROUTER = 254


def v4(network: int, number: int) -> str:
    return f"10.{network}.0.{number}"


def v6(network: int, number: int) -> str:
    return f"fd00:{network}::{number:x}"


class Crossing:
    """A forwarding stack with a peer made of frames on either side."""

    def __init__(
        self,
        world: World,
        family: int,
        mtus: tuple[int, int] = (1500, 1500),
        offload: bool = False,
        config: Config | None = None,
        far_features: int | None = None,
    ) -> None:
        """`far_features`: what the far device offers, if not all that its wire does."""
        self.world = world
        self.stack = Stack(world.env, config or quiet(forwarding=True))
        self._far_features = far_features
        self.sides = [self._side(n, family, mtus[n - 1], offload) for n in (1, 2)]
        self.near, self.far = self.sides

    def _side(self, network: int, family: int, mtu: int, offload: bool) -> Peer:
        ours, theirs = wire(_mac(network, ROUTER), _mac(network, 1), mtu, offload)
        if network == 2 and self._far_features is not None:
            ours.features = self._far_features
        host = _attach(self.world, self.stack, ours, network, ROUTER)
        peer = Peer(self.world, theirs, host, 1)
        peer.v4, peer.v6 = addr.parse(v4(network, 1)), addr.parse(v6(network, 1))
        peer.family = family
        return peer

    def drops(self) -> dict[str, int]:
        """What was dropped, by reason."""
        return self.stack.door.snapshot()


def line(world: World, mtu: int = 1500, offload: bool = True) -> tuple[Host, Stack, Host]:
    """A host, a router and a host; the router sends no more than `mtu` octets on the second wire,
    of which the host there knows nothing."""
    router = Stack(world.env, quiet(forwarding=True))
    ends = []
    for network, size in ((1, 1500), (2, mtu)):
        ours, theirs = wire(_mac(network, ROUTER), _mac(network, 1), 1500, offload)
        ours.mtu = size
        _attach(world, router, world.judged(ours), network, ROUTER)
        stack = Stack(world.env, quiet())
        host = _attach(world, stack, world.judged(theirs), network, 1)
        stack.add_route("0.0.0.0", 0, host.nic, v4(network, ROUTER))
        stack.add_route("::", 0, host.nic, v6(network, ROUTER))
        ends.append(host)
    return ends[0], router, ends[1]


def _attach(world: World, stack: Stack, port: Port, network: int, number: int) -> Host:
    nic = stack.add_nic(port, f"net{network}")
    host = Host(stack, nic, port)
    host.v4, host.v6 = addr.parse(v4(network, number)), addr.parse(v6(network, number))
    stack.add_address(nic, v4(network, number), 24)
    if port.mtu >= 1280:
        stack.add_address(nic, v6(network, number), 64)
    world.loop.add(stack, nic, port)
    return host


def _mac(network: int, number: int) -> bytes:
    return bytes((2, 0, 0, network, 0, number))
