# SPDX-License-Identifier: MIT
"""A host of several shards on one wire, opposite an ordinary stack.

The device between them steers: what the other stack sends goes to the queue that `steer` says.
`by_chance` says anything at any time; only SYNs of one flow stay together, which is all that
`tap/shards` asks of a kernel.  `Kernel` steers as Linux's tun does: a flow goes by its hash, or for
three seconds where it was last written to.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from random import Random

from stack import Stack
from stack.base import addr
from stack.base.units import SECOND
from stack.wire import arp, ethernet
from tap.impair import ImpairedPort, Impairment
from tap.memory import MemoryPort
from tap.port import Port
from tap.shards import Lane, Member, Mesh
from tests.harness.world import Host, World, quiet

Steer = Callable[[bytes, int], int]
"""(frame from its Ethernet header on, queues) -> queue."""

HOST_MAC = bytes.fromhex("020000000001")
PEER_MAC = bytes.fromhex("020000000002")
ANSWERS = {1: (0,), 58: (129, 136)}
"""ICMP types by protocol of which a host sends one for each question."""


def protocol(frame: bytes) -> int:
    """The protocol of an unfragmented IP packet without options; 0 for anything else."""
    kind = frame[12:14]
    if kind == ethernet.TYPE_IPV4:
        return 0 if int.from_bytes(frame[20:22], "big") & 0x3FFF else frame[23]
    return frame[20] if kind == ethernet.TYPE_IPV6 else 0


def transport(frame: bytes) -> int:
    """Where its transport header begins."""
    return 34 if frame[12:14] == ethernet.TYPE_IPV4 else 54


def flow(frame: bytes) -> bytes:
    """What both directions of a flow have in common."""
    at = transport(frame)
    if protocol(frame) not in (6, 17):
        return bytes(sorted((frame[:6], frame[6:12]))[0]) + frame[12:14]
    size = 4 if at == 34 else 16
    one, other = frame[at - 2 * size : at - size], frame[at - size : at]
    ends = sorted((one + frame[at : at + 2], other + frame[at + 2 : at + 4]))
    return b"".join(ends)


def by_chance(seed: int) -> Steer:
    """Any queue, but SYNs by their flow."""
    chance = Random(seed)

    def steer(frame: bytes, count: int) -> int:
        if protocol(frame) == 6 and frame[transport(frame) + 13] & 0x12 == 0x02:
            return zlib.crc32(flow(frame), seed) % count
        return chance.randrange(count)

    return steer


class Kernel:
    """tun's automatic steering."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._seed = seed
        self._table: dict[bytes, tuple[int, int]] = {}

    def __call__(self, frame: bytes, count: int) -> int:
        index, when = self._table.get(flow(frame), (-1, 0))
        if index >= 0 and self._world.now - when < 3 * SECOND:
            return index
        return zlib.crc32(flow(frame), self._seed) % count

    def written(self, frame: bytes, index: int) -> None:
        """A shard wrote to its queue."""
        self._table[flow(frame)] = (index, self._world.now)


class Device(MemoryPort):
    """The kernel's end of the queues: `put` steers."""

    def __init__(self, steer: Steer, offload: bool) -> None:
        super().__init__(HOST_MAC, 1500, offload)
        self.queues: list[Queue] = []
        self.sent: list[bytes] = []
        self._steer = steer

    def put(self, frame: bytes) -> bool:
        bare = frame[self.header :]
        return self.queues[self._steer(bare, len(self.queues))].put(frame)

    def written(self, frame: bytes, index: int) -> None:
        """A shard sent this."""
        self.sent.append(frame[self.header :])
        if isinstance(self._steer, Kernel):
            self._steer.written(self.sent[-1], index)


class _Wire(MemoryPort):
    """The peer's end, which tells the device what was written to which queue."""

    def __init__(self, device: Device, peer: MemoryPort, index: int) -> None:
        super().__init__(HOST_MAC, 1500, bool(device.header))
        self._device = device
        self._other = peer
        self._index = index

    def put(self, frame: bytes) -> bool:
        self._device.written(frame, self._index)
        return self._other.put(frame)


class Queue(MemoryPort):
    """One queue: what is sent by it arrives at the peer."""


class Crowd:
    """Shards that are one host, and `peer`.

    shards   their stacks, the leader first
    """

    def __init__(
        self,
        world: World,
        count: int,
        steer: Steer,
        offload: bool = True,
        bad: Impairment | None = None,
        **settings: object,
    ) -> None:
        self.world = world
        self.device = Device(steer, offload)
        peer = MemoryPort(PEER_MAC, 1500, offload)
        peer.join(self.device)
        end: Port = peer
        if bad is not None:
            end = ImpairedPort(peer, lambda: world.now, bad, bad, world.seed)
        self.peer = world.stack_on(end, 2)
        mesh = Mesh(count, Lane)
        self.members: list[Member] = []
        self.shards: list[Stack] = []
        for index in range(count):
            queue = Queue(HOST_MAC, 1500, offload)
            queue.join(_Wire(self.device, peer, index))
            self.device.queues.append(queue)
            member = mesh.member(index)
            stack = Stack(world.env, member.config(quiet(**settings)))
            nic = member.add(world.loop, stack, queue, "wsk0")
            self.members.append(member)
            self.shards.append(stack)
            if index == 0:
                self.leader = Host(stack, nic, queue)
                stack.add_address(nic, "10.77.0.1", 24)
                stack.add_address(nic, "fd77::1", 64)
        self.leader.v4, self.leader.v6 = addr.parse("10.77.0.1"), addr.parse("fd77::1")
        world.run(0)

    def broken(self) -> int:
        """Connections, and attempts at one, that a reset has ended at either end.

        What comes late for a connection that is over is refused here as by any host.
        """
        counters = [stack.tcp.counters for stack in (*self.shards, self.peer.stack)]
        return sum(each.estab_resets + each.attempt_fails for each in counters)

    def strays(self) -> int:
        return sum(member.counters.strays for member in self.members)

    def answers(self) -> int:
        """Replies to ARP and neighbour questions and to echo requests that left."""
        found = 0
        for frame in self.device.sent:
            if frame[12:14] == ethernet.TYPE_ARP:
                message = arp.parse(frame, 14, len(frame))
                found += message is not None and message.operation == arp.REPLY
            else:
                proto = protocol(frame)
                found += proto in ANSWERS and frame[transport(frame)] in ANSWERS[proto]
        return found
