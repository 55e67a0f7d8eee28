# SPDX-License-Identifier: MIT
"""More network than one wire: further namespaces of the kernel, veth pairs between them, daemons.

Everything is made inside the namespaces of a holder (`tap/netns`), by its pid, with `nsenter` and
`ip`, and disappears with it.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.kernel.conftest import impossible

_INSIDE: Final = ("nsenter", "--preserve-credentials", "-U", "-n", "-t")


class Place:
    """A network namespace, known by the pid of a process in it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def run(self, line: str, check: bool = True) -> str:
        """A line of shell there; its output."""
        words = [*_INSIDE, str(self.pid), "sh", "-c", line]
        result = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        if check and result.returncode:
            raise AssertionError(f"{line}: {result.stderr.strip()}")
        return result.stdout

    def start(self, line: str, log: Path | None = None) -> subprocess.Popen[bytes]:
        """A program that goes on; `exec` it in the line so that ending it ends it."""
        with contextlib.ExitStack() as stack:
            out = subprocess.DEVNULL if log is None else stack.enter_context(log.open("wb"))
            return subprocess.Popen(
                [*_INSIDE, str(self.pid), "sh", "-c", line],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def sysctl(self, **values: object) -> None:
        """`net__ipv4__ip_forward=1` and the like."""
        for name, value in values.items():
            path = "/proc/sys/" + name.replace("__", "/")
            self.run(f"echo {value} > {path}")

    def forwards(self) -> None:
        """Make a router of it."""
        self.run("echo 1 > /proc/sys/net/ipv4/ip_forward")
        self.run("echo 1 > /proc/sys/net/ipv6/conf/all/forwarding")


class Lan:
    """The places around one holder, which is the first of them."""

    def __init__(self, pid: int) -> None:
        if shutil.which("nsenter") is None or shutil.which("ip") is None:
            impossible("nsenter (util-linux) and ip (iproute2) are needed")
        self.first = Place(pid)
        self._running: list[subprocess.Popen[bytes]] = []

    def place(self) -> Place:
        """A further namespace, its loopback up."""
        made = self.keep(self.first.start("exec unshare -n sleep 3600"))
        until = time.monotonic() + 10
        mine = Path(f"/proc/{self.first.pid}/ns/net").stat().st_ino
        while True:
            with contextlib.suppress(OSError):
                net = Path(f"/proc/{made.pid}/ns/net").stat().st_ino
                name = Path(f"/proc/{made.pid}/comm").read_text().strip()
                if net != mine and name == "sleep":
                    break
            assert time.monotonic() < until, "no namespace"
            time.sleep(0.01)
        place = Place(made.pid)
        place.run("ip link set lo up")
        return place

    def keep(self, process: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
        """End `process` with this network."""
        self._running.append(process)
        return process

    def join(self, a: Place, name_a: str, b: Place, name_b: str, mtu: int = 1500) -> None:
        """A veth pair between two places, up at both ends, without offload and without DAD."""
        a.run(f"ip link add {name_a} type veth peer name {name_b} netns {b.pid}")
        for place, name in ((a, name_a), (b, name_b)):
            place.run(f"echo 0 > /proc/sys/net/ipv6/conf/{name}/accept_dad")
            place.run(f"ip link set {name} mtu {mtu} up")

    def close(self) -> None:
        """End what was started, by its id."""
        for process in reversed(self._running):
            process.terminate()
        for process in self._running:
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def lan(pid: int) -> Iterator[Lan]:
    """A network for the length of a block."""
    made = Lan(pid)
    try:
        yield made
    finally:
        made.close()


def wants(program: str, package: str) -> str:
    """The path of a program; without it the test cannot be."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin:/usr/bin:/bin")
    if path is None:
        impossible(f"{program} is not installed (Debian's {package})")
    return path
