# SPDX-License-Identifier: MIT
"""What a socket costs: time to make one, octets to keep one; ours and the kernel's.

    python -m tools.measure.sockets ours|kernel     prints one JSON object

A process of its own, because counting octets (tracemalloc) slows everything else down.  The
kernel's octets are the growth of its slab caches (/proc/meminfo), so they are rough.
"""

from __future__ import annotations

import gc
import json
import socket
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tools.measure.pair import Pair
from wsk_api import WSK_CLIENT_CONNECTION_DISPATCH, WSK_FLAG_CONNECTION_SOCKET

COUNT: Final = 2000


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


def ours() -> dict[str, float]:
    """Of this stack's connection sockets."""
    pair = Pair()
    flags = WSK_FLAG_CONNECTION_SOCKET
    table = WSK_CLIENT_CONNECTION_DISPATCH()

    def one() -> Any:
        return pair.socket(0, flags, table)

    return {
        "made": 1 / timed(one),
        "octets": counted(lambda: [one() for _ in range(COUNT)]) / COUNT,
        "linked": counted(lambda: Pair().connections(COUNT // 2)) / COUNT,
    }


def kernels() -> dict[str, float]:
    """Of the kernel's."""
    return {"made": 1 / timed_kernel(), "octets": kernel_octets()}


def main() -> None:
    print(json.dumps(ours() if sys.argv[1] == "ours" else kernels()))


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
