# SPDX-License-Identifier: MIT
"""What a socket costs: time to make one, octets to keep one; ours and the kernel's.

    python -m tools.measure.sockets     prints one JSON object

A process of its own, because counting octets (tracemalloc) slows everything else down.  The
kernel's octets are the growth of its slab caches (/proc/meminfo), so they are rough.
"""

from __future__ import annotations

import gc
import json
import socket
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from stack import Config, Stack
from tap.clock import SystemEnv
from tap.loop import VirtualExecutor, VirtualLoop
from tap.memory import wire
from tools.services.client import then
from wsk_api import (
    AF_INET6,
    IPPROTO_TCP,
    MAKE_WSK_VERSION,
    SOCK_STREAM,
    SOCKADDR_IN6,
    WSK_CLIENT_CONNECTION_DISPATCH,
    WSK_CLIENT_DISPATCH,
    WSK_CLIENT_LISTEN_DISPATCH,
    WSK_CLIENT_NPI,
    WSK_FLAG_CONNECTION_SOCKET,
    WSK_FLAG_LISTEN_SOCKET,
    WSK_NO_WAIT,
    WSK_PROVIDER_NPI,
    WSK_REGISTRATION,
    Subsystem,
    WskCaptureProviderNPI,
    WskRegister,
)

COUNT: Final = 2000


class Ours:
    """Two stacks in memory, in virtual time, and a WSK client on each."""

    def __init__(self) -> None:
        executor = VirtualExecutor()
        env = SystemEnv(executor)
        self.loop = VirtualLoop(env, executor)
        ports = wire(bytes((2, 0, 0, 0, 0, 1)), bytes((2, 0, 0, 0, 0, 2)))
        self.clients = []
        for number, port in enumerate(ports, 1):
            stack = Stack(env, Config(dad=False))
            nic = stack.add_nic(port, f"wsk{number}")
            stack.add_address(nic, f"fd77::{number}", 64)
            self.loop.add(stack, nic, port)
            subsystem = Subsystem()
            subsystem.attach(stack.providers, executor)
            registration = WSK_REGISTRATION(subsystem)
            dispatch = WSK_CLIENT_DISPATCH(MAKE_WSK_VERSION(1, 0))
            WskRegister(WSK_CLIENT_NPI(None, dispatch), registration)
            npi = WSK_PROVIDER_NPI()
            WskCaptureProviderNPI(registration, WSK_NO_WAIT, npi)
            self.clients.append(npi)

    def run(self) -> None:
        """Let everything under way happen."""
        self.loop.run(self.loop.env.now + 10**9)

    def socket(self, which: int, flags: int, dispatch: Any) -> Any:
        box: list[Any] = []
        npi = self.clients[which]
        npi.Dispatch.WskSocket(
            npi.Client,
            AF_INET6,
            SOCK_STREAM,
            IPPROTO_TCP,
            flags,
            None,
            dispatch,
            None,
            None,
            None,
            then(lambda irp: box.append(irp.IoStatus.Information)),
        )
        return box[0]

    def connections(self, count: int) -> list[Any]:
        """`count` established connections, both ends of each."""
        listener = self.socket(1, WSK_FLAG_LISTEN_SOCKET, WSK_CLIENT_LISTEN_DISPATCH())
        made: list[Any] = [listener]
        listener.Dispatch.WskBind(listener, SOCKADDR_IN6(80), 0, then(lambda _: None))
        remote = SOCKADDR_IN6(80, socket.inet_pton(socket.AF_INET6, "fd77::2"))
        for _ in range(count):
            listener.Dispatch.WskAccept(
                listener, 0, None, None, None, None, then(lambda i: made.append(i.IoStatus))
            )
            sock = self.socket(0, WSK_FLAG_CONNECTION_SOCKET, WSK_CLIENT_CONNECTION_DISPATCH())
            sock.Dispatch.WskBind(sock, SOCKADDR_IN6(), 0, then(lambda _: None))
            sock.Dispatch.WskConnect(sock, remote, 0, then(lambda _: None))
            made.append(sock)
            if len(made) % 100 == 0:
                self.run()
        self.run()
        return made


def timed(make: Callable[[], Any]) -> float:
    """Seconds per call of `make`, the best of several goes."""
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        kept = [make() for _ in range(COUNT)]
        best = min(best, (time.perf_counter() - start) / COUNT)
        del kept
    return best


def counted(make: Callable[[], Any]) -> float:
    """Octets of Python memory that what `make` returns keeps alive."""
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = make()
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    del kept
    return grown


def slab() -> int:
    """Octets in the kernel's slab caches."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("Slab:"):
            return int(line.split()[1]) * 1024
    return 0


def kernel_socket() -> socket.socket:
    return socket.socket(socket.AF_INET6, socket.SOCK_STREAM)


def kernel_octets() -> float:
    """Per socket; the middle one of three tries."""
    tries = []
    for _ in range(3):
        before = slab()
        kept = [kernel_socket() for _ in range(500)]
        tries.append((slab() - before) / len(kept))
        for sock in kept:
            sock.close()
    return sorted(tries)[1]


def main() -> None:
    ours = Ours()
    flags = WSK_FLAG_CONNECTION_SOCKET
    table = WSK_CLIENT_CONNECTION_DISPATCH()

    def one() -> Any:
        return ours.socket(0, flags, table)

    result = {
        "ours_seconds": timed(one),
        "kernel_seconds": timed_kernel(),
        "ours_octets": counted(lambda: [one() for _ in range(COUNT)]) / COUNT,
        "kernel_octets": kernel_octets(),
        "connection_octets": counted(lambda: Ours().connections(COUNT // 2)) / COUNT,
    }
    print(json.dumps(result))


def timed_kernel() -> float:
    """The descriptor limit is often 1024: fewer at a time."""
    best = float("inf")
    for _ in range(20):
        start = time.perf_counter()
        kept = [kernel_socket() for _ in range(500)]
        best = min(best, (time.perf_counter() - start) / 500)
        for sock in kept:
            sock.close()
    return best


if __name__ == "__main__":
    main()
