# SPDX-License-Identifier: MIT
"""Several stacks, one host: each has a queue of the same TAP, and connections of its own.

        kernel:   flow table, else a hash of the flow
              /                                \\
        queue 0                              queue 1
           |                                    |
    shard 0, the leader  <--- mesh --->  shard 1, a follower
    answers for the host                 has the leader's addresses and routes

The kernel keeps a flow on one queue as long as it goes by its hash; a write to a queue moves the
flow there for three seconds (tun's flow table).  So what peers begin stays where it began.  What a
shard begins is answered in its own queue at first, and after a pause anywhere; and a port may be
open in one shard alone.  Whoever gets a segment that is none of his hands it on (`Member.took`):
to the shard whose ephemeral port it is, then to the others one by one, to the leader in the end,
and only when nobody wants it does the leader refuse it.

The one thing that is asked of the kernel: SYNs of one flow that were not answered yet come to one
queue.  Not so for frames without a flow (`steering`).

A `Mesh` is made before the processes part (`crew`); each takes its `Member` out of it.  Called by
whoever attaches a stack: `tools/world`, the tests.
"""

from __future__ import annotations

import json
import os
import select
import socket
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from stack.base.config import Config
from stack.base.counters import Counters
from stack.base.head import Head
from stack.base.packet import Packet
from stack.base.seam import Siblings
from stack.base.timers import NEVER
from stack.base.units import MS, View
from stack.wire import ethernet, vnet
from tap import steering
from tap.port import Port, Wrapper

if TYPE_CHECKING:
    from stack.core import Stack
    from stack.link.nic import Nic
    from tap.loop import Loop

_LARGEST: Final = 1 << 17
_BUFFER: Final = 4 << 20
_AGAIN: Final = 100 * MS
"""What found an inbox full, and must arrive, is sent again then."""

# The first octet of a message: how many more shards to ask, which follow; or one of these.
_COPY: Final = b"\xff"  # everybody has this frame
_FRESH: Final = b"\xfe"  # as if it had been in the leader's own queue
_NEWS: Final = b"\xfd"  # how the leader is configured
_READY: Final = b"\xfc"  # a follower is


class Lane:
    """The inbox of one shard, in memory: a datagram arrives whole, or not at all."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self.notify: Callable[[], None] | None = None

    def put(self, parts: Sequence[bytes]) -> bool:
        """False if there is no room."""
        self._waiting.append(b"".join(parts))
        if self.notify is not None:
            self.notify()
        return True

    def get(self) -> bytes | None:
        """The next message, if there is one."""
        return self._waiting.popleft() if self._waiting else None

    def fileno(self) -> int:
        """Readable when a message waits; -1 if `notify` tells."""
        return -1

    def waiting(self) -> bool:
        """`get` has something, without a descriptor that says so."""
        return bool(self._waiting)

    def close(self) -> None:
        """No more."""


class SocketLane(Lane):
    """The same between processes: a pair of Unix datagram sockets, one end shared by the others."""

    def __init__(self) -> None:
        super().__init__()
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for end in (self._ours, self._theirs):
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        poller = select.poll()
        poller.register(self._ours, select.POLLIN)
        self._poll = poller.poll

    def put(self, parts: Sequence[bytes]) -> bool:
        try:
            self._theirs.sendmsg(parts)
        except OSError:
            return False
        return True

    def get(self) -> bytes | None:
        if not self._poll(0):  # dearer to learn from an exception, and asked in every turn
            return None
        return os.read(self._ours.fileno(), _LARGEST)

    def fileno(self) -> int:
        return self._ours.fileno()

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()


class Mesh:
    """The inboxes of `count` shards."""

    def __init__(self, count: int, lane: Callable[[], Lane] = SocketLane) -> None:
        self.lanes = [lane() for _ in range(count)]

    def member(self, index: int) -> Member:
        """One shard's part in it; 0 is the leader."""
        return Member(self.lanes, index)

    def close(self) -> None:
        """Every process closes its own."""
        for lane in self.lanes:
            lane.close()


class MeshCounters(Counters):
    """What passed between one shard and its siblings.

    strays    packets of our queue for connections or ports that are not here
    relayed   frames of our queue that others heard too, or instead of us
    taken     packets that siblings handed to us
    muted     what we left to the leader to say
    lost      messages that found an inbox full
    """

    __slots__ = ("lost", "muted", "relayed", "strays", "taken")
    lost: int
    muted: int
    relayed: int
    strays: int
    taken: int


class Member(Siblings):
    """One shard among its siblings.

    counters  what passed between us
    ready     leader: followers that have their configuration and their services
    told      follower: the leader has configured us
    """

    counters: MeshCounters

    def __init__(self, lanes: list[Lane], index: int) -> None:
        self.index = index
        self.count = len(lanes)
        self.lanes = lanes
        self.counters = MeshCounters()
        self.ready = 0
        self.told = False
        self._serving = False
        self._stack: Stack
        self._nic: Nic
        self._owned: list[range] = []
        self._frame = b""
        self._path: bytes | None = None
        self._said = -1
        self._renamed = 0
        self._again = 0

    # Setting up.

    def config(self, config: Config) -> Config:
        """`config` as this shard is to have it: a follower asks nobody but the leader."""
        config = replace(config, shard=self.index, shards=self.count)
        if self.index == 0:
            return config
        return replace(
            config,
            dad=False,
            router_solicitations=False,
            accept_ra=False,
            dhcp6="off",
            llmnr=False,
            mdns=False,
        )

    def add(self, loop: Loop, stack: Stack, port: Port, name: str = "") -> Nic:
        """Attach this shard's queue, and the way to its siblings, to `stack`."""
        queue = QueuePort(port, self)
        nic = stack.add_nic(queue, name)
        self._stack, self._nic = stack, nic
        config = stack.config
        self._owned = [config.own_ports(index) for index in range(self.count)]
        stack.host.siblings = self
        stack.host.name_servers.watchers.append(self._servers_changed)
        loop.add(stack, nic, queue)
        loop.add(stack, nic, _Inbox(port, self))
        return nic

    def serving(self) -> None:
        """A follower's services are there: when it is configured too, the leader hears of it.  On
        the stack's thread."""
        self._serving = True
        if self.told:
            self.send(0, _READY, b"")

    # Frames of our queue.

    def keeps(self, frame: bytes, header: int) -> bool:
        """Let the siblings hear a frame from our queue, if it concerns them.  False if it is the
        leader's alone, and that is not us."""
        where = steering.sort(frame, header)
        if where == steering.HERE:
            return True
        if where == steering.ALL:
            self.counters.relayed += 1
            self._frame, self._path = frame, None
            for other in range(self.count):
                if other != self.index:
                    self.send(other, _COPY, frame)
            return True
        if self.index == 0:
            return True
        self.counters.relayed += 1
        self.send(0, _FRESH, frame)
        return False

    # What is not for us.

    def took(self, pkt: Packet) -> bool:
        if pkt.nic is not self._nic:
            return False
        if pkt.frame is self._frame:
            if self._path is None:
                return True  # everybody has it, and whoever it is for answers
            path = self._path
        else:
            self.counters.strays += 1
            path = self._route(pkt.frame[pkt.l4 + 2] << 8 | pkt.frame[pkt.l4 + 3])
        if not path:
            return False
        self.send(path[0], bytes((len(path) - 1,)) + path[1:], self._whole(pkt))
        return True

    def _route(self, port: int) -> bytes:
        """Whom to ask about `port`, in turn: the leader last, who answers if nobody else does."""
        others = [n for n in range(self.count) if n != self.index]
        others.sort(key=lambda n: (port not in self._owned[n], n == 0))
        if self.index == 0 or others[-1]:
            others.append(0)
        return bytes(others)

    def _whole(self, pkt: Packet) -> bytes:
        """The frame of `pkt`, or one for what was put together from fragments."""
        if pkt.net:
            return pkt.frame
        nic = self._nic
        kind = ethernet.TYPE_IPV4 if len(pkt.dst) == 4 else ethernet.TYPE_IPV6
        prefix = vnet.PLAIN[: nic.device.header]
        return b"".join((prefix, nic.mac, bytes(6), kind, pkt.frame))

    # Messages.

    def send(self, index: int, kind: bytes, body: bytes) -> bool:
        """A message to shard `index`; False if it has too many already."""
        sent = self.lanes[index].put((kind, body))
        self.counters.lost += not sent
        return sent

    def receive(self) -> bytes | None:
        """The next frame that a sibling has for us."""
        while (message := self.lanes[self.index].get()) is not None:
            kind = message[:1]
            if kind == _NEWS:
                self._stack.follow(self._nic, json.loads(message[1:]))
                if self._serving and not self.told:
                    self.send(0, _READY, b"")
                self.told = True
            elif kind == _READY:
                self.ready += 1
            elif kind == _FRESH:
                return message[1:]
            elif kind == _COPY:
                self._frame, self._path = message[1:], None
                return self._frame
            else:
                at = 1 + kind[0]
                self._frame, self._path = message[at:], message[1:at]
                self.counters.taken += 1
                return self._frame
        return None

    # What the leader is told by the network, the followers are told by him.

    def _state(self) -> int:
        return self._stack.configuration_state() + self._renamed

    def _servers_changed(self) -> None:
        self._renamed += 1

    def news_at(self) -> int:
        """When to `tell`: the leader's configuration may be another one than the followers have."""
        return self._again if self.index == 0 and self._said != self._state() else NEVER

    def tell(self) -> None:
        """Say how the leader is configured."""
        now = self._state()
        news = json.dumps(self._stack.configuration(self._nic)).encode()
        for other in range(1, self.count):
            if not self.send(other, _NEWS, news):
                self._again = self._stack.env.now + _AGAIN  # all of them
                return
        self._said = now


class QueuePort(Wrapper):
    """A shard's queue: its siblings hear what concerns them, and a follower does not say what is
    the leader's to say."""

    def __init__(self, inner: Port, member: Member) -> None:
        super().__init__(inner)
        self._member = member

    def read(self) -> bytes | None:
        while (frame := self.inner.read()) is not None:
            if self._member.keeps(frame, self.header):
                return frame
        return None

    def transmit(self, head: Head, views: Sequence[View]) -> bool:
        member = self._member
        # What leaves its checksum to the device is a segment or a datagram.
        if member.index and head.csum < 0 and steering.speaks_for_host(head, views):
            member.counters.muted += 1
            return True
        return self.inner.transmit(head, views)

    def poll(self, now: int) -> None:
        if self._member.news_at() <= now:
            self._member.tell()
        self.inner.poll(now)

    def deadline(self) -> int:
        return min(self._member.news_at(), self.inner.deadline())


class _Inbox(Port):
    """What siblings hand over, for the loop to read like the frames of a queue."""

    def __init__(self, queue: Port, member: Member) -> None:
        self.mac = queue.mac
        self.mtu = queue.mtu
        self.header = queue.header
        self._member = member
        self._lane = member.lanes[member.index]

    def read(self) -> bytes | None:
        return self._member.receive()

    def fileno(self) -> int:
        return self._lane.fileno()

    def deadline(self) -> int:
        return 0 if self._lane.waiting() else super().deadline()

    def announce_to(self, notify: Callable[[], None]) -> None:
        self._lane.notify = notify

    def close(self) -> None:
        for lane in self._member.lanes:
            lane.close()
