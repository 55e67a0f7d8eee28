# SPDX-License-Identifier: MIT
"""Other stacks, each by a plug of one small file in this directory.

A plug is a module with an object `PEER: Peer`.  `tools/bench` gives it a TAP in a namespace of its
own, starts `command(wire)` with the TAP's descriptor inherited, waits for the line "ready" on its
standard output, loads it like every other subject, and closes its standard input at the end.  It
stands still (SIGSTOP) while others are measured.  The services it needs are those of its `verbs`:

    in      TCP 9, takes and forgets; and TCP 10 if `checks`: crc32 and number of octets after FIN
    out     TCP 19, sends the octets of the file `wire.pattern`, over and over
    trips   TCP 7 and UDP 7, echo
    echo    UDP 7, echo
    connect TCP 20, answers 64 octets with the first 64 of the pattern and closes
    ping    none

pytcp.py is the one to copy.  A stack that is a program of another language is the same: `command`
is its words.  `unavailable` is asked first, and what it says is printed.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tap import netns
from tap.ladder import KERNEL_ADDRESSES, STACK_MAC
from tap.netns import Plan, StepError
from tools.measure.loader import Trouble
from tools.measure.subjects import STACK, Subject, spawn


@dataclass(frozen=True, slots=True)
class Wire:
    """What a peer is to use.

    fd        of an open TAP, non-blocking; frames behind a virtio-net header if `offload`
    mac       the peer's hardware address
    address4, address6, gateway4, gateway6    with prefix lengths 24 and 64
    mtu       of the TAP
    pattern   file with the octets of bulk data
    """

    fd: int
    mac: bytes
    address4: str
    address6: str
    gateway4: str
    gateway6: str
    mtu: int
    pattern: Path


class Peer(Protocol):
    """What a plug's `PEER` is.

    name, text   short, and with its version
    verbs        what it can be measured on
    offload      it understands virtio-net headers and super-frames
    checks       it has the digest service, TCP 10
    """

    name: str
    text: str
    verbs: frozenset[str]
    offload: bool
    checks: bool

    def unavailable(self) -> str:
        """Why it cannot be measured here; empty if it can."""

    def command(self, wire: Wire) -> list[str]:
        """The words that start it."""


def found() -> list[Peer]:
    """The plugs of this directory."""
    modules = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return [importlib.import_module(f"{__name__}.{module}").PEER for module in modules]


class PeerSubject(Subject):
    """A peer at work."""

    def __init__(self, peer: Peer, pattern: Path, cores: tuple[int, ...] = ()) -> None:
        """Comes back when it is ready.  Raises Trouble."""
        self.peer = peer
        try:
            self._holder = netns.hold(Plan("tap", offload=peer.offload, addresses=KERNEL_ADDRESSES))
        except StepError as error:
            raise Trouble(f"no TAP for it: {error}") from None
        fd = self._holder.tap.fd
        (gateway4, _), (gateway6, _) = KERNEL_ADDRESSES
        wire = Wire(fd, STACK_MAC, STACK[4], STACK[6], gateway4, gateway6, 1500, pattern)
        process = spawn(peer.command(wire), cores, (fd,))
        super().__init__(peer.name, process, self._holder.pid, STACK)
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            self.stop()
            raise Trouble("it did not come up")
        os.kill(process.pid, signal.SIGSTOP)

    @contextmanager
    def measuring(self) -> Iterator[None]:
        os.kill(self.process.pid, signal.SIGCONT)
        try:
            yield
        finally:
            os.kill(self.process.pid, signal.SIGSTOP)

    def stop(self) -> None:
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGCONT)
        super().stop()
        os.close(self._holder.tap.fd)
        self._holder.close()
