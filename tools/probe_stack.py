# SPDX-License-Identifier: MIT
"""Echo requests that a running stack sends: `tools/wsk from-stack ping`.

One probe is one request and what came of it.  Called by `control`, on a thread of its own that
waits; everything that touches the stack is done on the stack's.
"""

from __future__ import annotations

import os
import threading
from typing import Any, Final

from stack.base import addr, status
from stack.base.seam import Executor
from stack.base.units import MS
from stack.compartment import Compartment
from tools.change_stack import Refused, address

_LONGEST: Final = 10.0
_MOST_DATA: Final = 65_000


class _Waiting:
    """The request that is out, and its answer."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.sent = 0
        self.status = status.OK
        self.answer: dict[str, Any] | None = None

    def replied(self, source: bytes, sequence: int, size: int, hops: int, when: int) -> None:
        self.answer = {
            "from": addr.text(source),
            "size": size + 8,
            "ttl": hops,
            "ms": round((when - self.sent) / MS, 3),
        }
        self.done.set()


def probe(stack: Compartment, executor: Executor, said: dict[str, Any]) -> dict[str, Any] | None:
    """{"from", "size", "ttl", "ms"} of the reply, or None if none came in time.

    address, sequence, size (octets of data), hops (0: as configured), timeout (s).  Raises
    Refused if the request cannot be sent.
    """
    target = address(str(said["address"]))
    sequence = int(said.get("sequence", 0)) & 0xFFFF
    size, hops = int(said.get("size", 56)), int(said.get("hops", 0))
    if not 0 <= size <= _MOST_DATA or not 0 <= hops <= 255:
        raise Refused("no such size or hop limit")
    ident = int.from_bytes(os.urandom(2), "big")
    waiting = _Waiting()
    icmp = stack.icmp_for(target)

    def send() -> None:
        path = icmp.layer.path(target)
        if path is None:
            waiting.status = status.NO_ROUTE
            waiting.done.set()
            return
        icmp.listen(ident, waiting.replied)
        waiting.sent = stack.env.now
        icmp.counters.out_echos += 1
        rest = ident << 16 | sequence
        data = bytes(at & 0xFF for at in range(size))
        waiting.status = icmp.send(path, icmp.echo_request, 0, rest, (data,), df=False, hops=hops)

    executor.submit(send)
    waiting.done.wait(min(float(said.get("timeout", 1.0)), _LONGEST))
    executor.submit(lambda: icmp.unlisten(ident))
    if waiting.status == status.NO_ROUTE:
        raise Refused("connect: Network is unreachable")
    if waiting.status != status.OK:
        raise Refused(f"sendmsg: {status.name(waiting.status)}")
    return waiting.answer
