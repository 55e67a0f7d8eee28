# SPDX-License-Identifier: MIT
"""How often Python copies payload between a device and a WSK client: never.

Every view that a client is shown must lie in the very frame the device read, every view that a
device is given in the very memory the client sent.  What is anywhere else was copied.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from stack.base.head import Head
from stack.base.units import View
from tap.port import Port, Wrapper
from tests.harness import World
from tests.wsk.kit import Couple, events, send
from wsk_api import (
    MDL,
    STATUS_PENDING,
    STATUS_SUCCESS,
    WSK_BUF,
    WSK_CLIENT_CONNECTION_DISPATCH,
    WSK_DATA_INDICATION,
    WSK_EVENT_RECEIVE,
    IoAllocateIrp,
    Ref,
)


class Watched(Wrapper):
    """Remembers the frames that were read, and the memory that was sent."""

    def __init__(self, inner: Port) -> None:
        super().__init__(inner)
        self.frames: dict[int, bytes] = {}
        self.sent: list[View] = []

    def read(self) -> bytes | None:
        frame = self.inner.read()
        if frame is not None:
            self.frames[id(frame)] = frame  # kept, so that no other gets its place
        return frame

    def transmit(self, head: Head, views: Sequence[View]) -> bool:
        self.sent += views
        return self.inner.transmit(head, views)

    def copied_in(self, view: memoryview) -> int:
        """Octets of an indication that lie in no frame."""
        return 0 if id(view.obj) in self.frames else len(view)

    def copied_out(self, memory: list[bytes]) -> int:
        """Octets that left and lie in none of `memory`."""
        places = {id(block) for block in memory}
        return sum(len(view) for view in self.sent if id(memoryview(view).obj) not in places)


class Client:
    """Counts what is copied of what it is shown; keeps some of it, as clients do."""

    def __init__(self) -> None:
        self.port: Watched | None = None
        self.octets = self.copied = self.pieces = 0
        self.heads: list[WSK_DATA_INDICATION] = []
        self.dispatch = WSK_CLIENT_CONNECTION_DISPATCH(self.received)

    def received(self, _: Any, flags: int, head: Any, count: int, accepted: Ref[int]) -> int:
        assert self.port is not None
        node = head
        while node is not None:
            view = node.Buffer.Mdl.view
            self.octets += node.Buffer.Length
            self.copied += self.port.copied_in(view)
            self.pieces += 1
            node = node.Next
        keep = len(self.heads) < 2
        if keep:
            self.heads.append(head)
        return STATUS_PENDING if keep else STATUS_SUCCESS


def couple(world: World, family: int, offload: bool) -> tuple[Couple, Client, Watched, Watched]:
    ports: list[Watched] = []

    def watch(port: Port) -> Port:
        ports.append(Watched(port))
        return ports[-1]

    client = Client()
    made = Couple(world, family, far=client.dispatch, hosts=world.pair(offload=offload, wrap=watch))
    client.port = ports[1]
    assert events(made.b, WSK_EVENT_RECEIVE) == "STATUS_SUCCESS"
    ports[0].sent.clear()
    return made, client, ports[0], ports[1]


def test_bulk_data_is_not_copied(world: World, family: int) -> None:
    """In super-frames: 4 MiB through both stacks, in the client's own blocks."""
    made, client, out, _ = couple(world, family, offload=True)
    memory = [random.Random(seed).randbytes(1 << 20) for seed in range(4)]
    requests = [send(made.a, block) for block in memory]
    made.run()
    assert [request.status for request in requests] == ["STATUS_SUCCESS"] * 4
    assert client.octets == 4 << 20
    assert client.copied == 0
    assert out.copied_out(memory) == 0
    assert client.pieces < 200  # they were super-frames


def test_nor_in_plain_frames(world: World, family: int) -> None:
    """Without offload: the checksum reads the octets, nobody moves them."""
    made, client, out, _ = couple(world, family, offload=False)
    memory = [random.Random(7).randbytes(300_000)]
    send(made.a, memory[0])
    made.run()
    assert client.octets == 300_000
    assert client.copied == 0
    assert out.copied_out(memory) == 0


def test_a_message_in_pieces_is_gathered_by_the_device(world: World, family: int) -> None:
    """A chain of MDLs leaves as views of each."""
    made, client, out, _ = couple(world, family, offload=True)
    memory = [bytes([number]) * 700 for number in range(20)]
    buffer: WSK_BUF = chain(memory)
    made.a.Dispatch.WskSend(made.a, buffer, 0, IoAllocateIrp(1, False))
    made.run()
    assert client.octets == 14_000
    assert client.copied == 0
    assert out.copied_out(memory) == 0


def chain(memory: list[bytes]) -> WSK_BUF:
    head = None
    for block in reversed(memory):
        mdl = MDL(block)
        mdl.Next = head
        head = mdl
    return WSK_BUF(head, 0, sum(map(len, memory)))
