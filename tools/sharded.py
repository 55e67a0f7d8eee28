# SPDX-License-Identifier: MIT
"""The demo on several queues: the same world in as many processes, which are one host together.

The process that was started is the leader: it is configured, answers for the host and has the
control socket that `tools/wsk` asks.  The others are forked from it before it starts a thread,
have the same services and guests, and a control socket each, so that sockets and counters of all
can be shown (`tools/wsk`).

Called by `tools/demo` and the kernel tests.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from stack.base.units import SECOND
from stack.link.nic import Nic
from tap.crew import Crew
from tap.port import Port
from tap.shards import Member, Mesh
from tools import control, state
from tools.world import DemoWorld


class Unready(Exception):
    """The followers did not come up."""


class ShardedWorld(DemoWorld):
    """A demo whose attachment has several queues.

    member     this process's part in the mesh
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.member: Member
        self._crew = Crew()
        self._ended: Callable[[], None] = lambda: None
        self._lost = False

    def start(self) -> None:
        """Bring everything up.  Raises Unready."""
        count = 1 + len(self.attachment.more)
        mesh = Mesh(count)
        state.directory().mkdir(mode=0o700, exist_ok=True)
        leader = os.getpid()
        for index in range(1, count):
            self._crew.fork(lambda until, n=index: self._follow(mesh, n, leader, until))  # type: ignore[misc]
        for port in self.attachment.more:
            port.close()
        self._crew.watch(self._follower_lost)
        self._join(mesh, 0)
        super().start()
        if not self.runtime.wait(lambda: self.member.ready == count - 1, 10 * SECOND):
            raise Unready("a process of another queue did not come up")

    def stop(self) -> None:
        self._crew.stop()
        with contextlib.suppress(OSError):
            state.directory().rmdir()  # the followers' sockets were in it until now
        super().stop()

    def end_with(self, ended: Callable[[], None]) -> None:
        self._ended = ended
        if self._lost:
            ended()

    def status(self) -> int:
        return int(self._lost)

    def connect(self, port: Port) -> Nic:
        return self.member.add(self.runtime.loop, self.stack, port, "wsk0")

    def configure(self, nic: Nic) -> None:
        if self.member.index == 0:
            super().configure(nic)

    def _join(self, mesh: Mesh, index: int) -> None:
        self.member = mesh.member(index)
        self._config = self.member.config(self._config)

    def _follow(self, mesh: Mesh, index: int, leader: int, until: Callable[[], None]) -> None:
        """The life of another queue's process."""
        ports = [self.attachment.port, *self.attachment.more]
        self.attachment.port = ports.pop(index)
        for port in ports:
            port.close()
        if self._pcap is not None:
            self._pcap = self._pcap.with_suffix(f".{index}{self._pcap.suffix}")
        self._join(mesh, index)
        self.bring_up()
        self.serve()
        self.runtime.submit(self.member.serving)
        with control.serving(
            state.follower_control(leader, index), self.runtime, {"stack": self.stack}
        ):
            until()
        self.stop_services()
        time.sleep(0.02)  # let the last resets leave
        self.runtime.stop()

    def _follower_lost(self) -> None:
        self._lost = True
        print("the process of a queue has ended by itself", file=sys.stderr)
        self._ended()
