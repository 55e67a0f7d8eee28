# SPDX-License-Identifier: MIT
"""What is measured: this stack in several shapes, the kernel in several shapes, peers.

A subject is a process that serves at an address of each family, and a namespace from where the
generator reaches it.  `measuring` brackets every measurement: who is not being measured and would
not be quiet by itself is stopped meanwhile.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tap.ladder import STACK_ADDRESSES
from tools.measure.far import addresses
from tools.measure.loader import Loader, Trouble

_ROOT: Final = Path(__file__).resolve().parent.parent.parent
STACK: Final = dict(zip((4, 6), (address for address, _ in STACK_ADDRESSES), strict=True))
_SETTLE: Final = 0.05


def spawn(
    words: list[str], cores: tuple[int, ...] = (), fds: tuple[int, ...] = ()
) -> subprocess.Popen[str]:
    """A process that talks in lines."""
    process = subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=fds,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        start_new_session=True,  # Ctrl-C is for us; it goes when its input ends
    )
    if cores:
        os.sched_setaffinity(process.pid, cores)
    return process


def cpu_time(pid: int) -> float:
    """Seconds of processor that a process has used: clock_getcpuclockid(3)."""
    return time.clock_gettime(~pid << 3 | 2)


class Subject:
    """A process with services, seen from the namespaces of `near`."""

    def __init__(
        self, name: str, process: subprocess.Popen[str], near: int, where: dict[int, str]
    ) -> None:
        self.name = name
        self.process = process
        self.near = near
        self.addresses = where

    def cpu(self) -> float:
        """Seconds of processor it has used."""
        return cpu_time(self.process.pid)

    def counters(self) -> dict[str, Any]:
        """What it counts itself."""
        return {}

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Be ready while the block runs."""
        yield

    def stop(self) -> None:
        """End it.  What is stopped goes on first."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class StackSubject(Subject):
    """This stack, in a process of its own."""

    def __init__(self, name: str, wanted: dict[str, Any], cores: tuple[int, ...] = ()) -> None:
        """Comes back when the kernel's side of the wire is there.  Raises Trouble."""
        words = [sys.executable, "-m", "tools.measure.target", json.dumps(wanted)]
        super().__init__(name, spawn(words, cores), 0, STACK)
        self._quiet = not wanted.get("busy")
        wire = self.answer()
        self.near = int(wire["pid"])
        self.line = str(wire["line"])

    def ready(self) -> StackSubject:
        """Wait for the services.  Raises Trouble."""
        self.answer()
        self._pause(True)
        return self

    def answer(self) -> dict[str, Any]:
        """The next line it says.  Raises Trouble."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        said: dict[str, Any] = json.loads(line or '{"error": "it ended"}')
        if "error" in said:
            self.process.wait(timeout=10)
            raise Trouble(f"{self.name}: {said['error']}")
        return said

    def counters(self) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.answer()

    @contextmanager
    def measuring(self) -> Iterator[None]:
        self._pause(False)
        try:
            yield
        finally:
            self._pause(True)

    def stop(self) -> None:
        self._pause(False)
        super().stop()

    def _pause(self, stop: bool) -> None:
        """Who polls would take a processor away from everybody else."""
        if not self._quiet:
            os.kill(self.process.pid, signal.SIGSTOP if stop else signal.SIGCONT)


class KernelSubject(Subject):
    """The kernel's sockets behind a veth pair."""

    def __init__(
        self,
        name: str,
        near: int,
        number: int,
        offload: bool,
        words: list[str],
        cores: tuple[int, ...] = (),
    ) -> None:
        """`number` tells the pairs of one namespace apart.  Raises Trouble."""
        how = [str(near), str(number), "on" if offload else "off", "1500"]
        process = spawn([sys.executable, "-m", "tools.measure.far", *how, *words], cores)
        super().__init__(name, process, near, addresses(number, 2))
        assert process.stdout is not None
        said = process.stdout.readline()
        if said != "ready\n":
            raise Trouble(f"{name}: {said.strip() or 'it did not come up'}")


class FixedSubject(Subject):
    """The kernel's sockets in a namespace that somebody else holds: behind a bad wire."""

    def __init__(
        self, name: str, wire: dict[str, Any], words: list[str], cores: tuple[int, ...] = ()
    ) -> None:
        """Comes back when the services are there.  Raises Trouble."""
        how = [sys.executable, "-m", "tools.measure.badwire", json.dumps(wire)]
        process = spawn([*how, *words], cores)
        assert process.stdout is not None
        said = json.loads(process.stdout.readline() or '{"error": "it did not come up"}')
        if "error" in said:
            raise Trouble(f"{name}: {said['error']}")
        super().__init__(name, process, int(said["pid"]), STACK)


class Idle(Subject):
    """Another subject, while it has so many connections on which nothing happens."""

    def __init__(self, name: str, inner: Subject, loader: Loader, connections: int) -> None:
        super().__init__(name, inner.process, inner.near, inner.addresses)
        self._inner = inner
        self._loader = loader
        self._connections = connections

    def counters(self) -> dict[str, Any]:
        return self._inner.counters()

    @contextmanager
    def measuring(self) -> Iterator[None]:
        address = self.addresses[4]
        holder = self._loader.start(
            self.near, "hold", address=address, connections=self._connections
        )
        try:
            assert holder.stdout is not None
            if "held" not in holder.stdout.readline():
                raise Trouble(f"{self._connections} connections could not be opened")
            time.sleep(_SETTLE)
            yield
        finally:
            holder.communicate()
            time.sleep(_SETTLE)

    def stop(self) -> None:
        """It is not ours."""
