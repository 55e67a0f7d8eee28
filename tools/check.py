# SPDX-License-Identifier: MIT
"""`tools/demo --check`: does it work here?  One line per check, exit status 0 if all hold.

The peer is the real kernel wherever there is one; on the in-memory rung it is a second stack
behind loopback ports, and what only a kernel could do is listed with the cure.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from tools.world import DemoWorld

_ROOT: Final = Path(__file__).resolve().parent.parent
_BULK: Final = 64 << 20

Check = tuple[str, str, dict[str, Any]]
"""(what people read, name in `peer`, arguments)."""


def checks(world: DemoWorld) -> Iterator[Check]:
    """Everything that is to hold."""
    for family, host in world.hosts():
        if world.kernel_peer:
            yield f"ping, IPv{family}", "ping", {"address": host("icmp", 0)[0]}
        for text, name, service, more in (
            ("page", "fetch", ("tcp", 80), {}),
            ("UDP echo", "echo_udp", ("udp", 7), {}),
            ("TCP echo", "echo_tcp", ("tcp", 7), {}),
            ("WSK echo sample", "echo_tcp", ("tcp", 40007), {}),
            ("discard", "discard", ("tcp", 9), {}),
            ("characters", "characters", ("tcp", 19), {}),
            ("64 MiB from the stack", "download", ("tcp", 80), {"size": _BULK}),
            ("64 MiB to the stack", "upload", ("tcp", 80), {"size": _BULK}),
        ):
            address, port = host(*service)
            yield f"{text}, IPv{family}", name, {"address": address, "port": port, **more}


def run(world: DemoWorld) -> int:
    """Perform every check and print; the exit status."""
    began = time.monotonic()
    failed = 0
    with Asker(world.attachment.pid) as asker:
        for text, name, arguments in checks(world):
            ok, seen = asker.ask(name, arguments)
            failed += not ok
            print(f"{'ok  ' if ok else 'FAIL'}  {text:<32} {seen}", flush=True)
    for text, seen in world.own_checks():
        good = seen.startswith("ok ")
        failed += not good
        print(f"{'ok  ' if good else 'FAIL'}  {text:<32} {seen.removeprefix('ok ')}", flush=True)
    for text, cure in world.not_possible():
        print(f"--    {text:<32} {cure}", flush=True)
    verdict = "everything holds" if not failed else f"{failed} did not hold"
    print(f"{verdict}, {time.monotonic() - began:.1f} s", flush=True)
    return min(failed, 1)


class Asker:
    """Checks run in a process of their own, inside the kernel's namespace."""

    def __init__(self, pid: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tools.peer", str(pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
            text=True,
        )

    def __enter__(self) -> Asker:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe(self._process.stdin).close()
        self._process.wait(timeout=30)
        self._pipe(self._process.stdout).close()

    def ask(self, name: str, arguments: dict[str, Any]) -> tuple[bool, str]:
        """One check: (did it hold, what was seen)."""
        stdin = self._pipe(self._process.stdin)
        stdin.write(json.dumps({"check": name, "arguments": arguments}) + "\n")
        stdin.flush()
        line = self._pipe(self._process.stdout).readline()
        if not line:
            return False, "the peer process ended"
        answer = json.loads(line)
        return bool(answer["ok"]), str(answer["text"])

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe
