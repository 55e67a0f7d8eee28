# SPDX-License-Identifier: MIT
"""Echo requests that a running stack sends: `tools/wsk from-stack ping` and `traceroute`.

One probe is one request and what came of it.  Called by `control`, on a thread of its own that
waits; everything that touches the stack is done on the stack's.
"""

from __future__ import annotations

import os
import threading
from typing import Any, Final

from stack.base import addr, status
from stack.base.seam import Env, Executor
from stack.base.units import MS
from stack.compartment import Compartment
from stack.ip import seam
from stack.ip.seam import ErrorReport
from stack.wire import icmp_extensions
from tools.change_stack import Refused, address

TROUBLES: Final = {
    seam.TIME_EXCEEDED: "expired",
    seam.NET_UNREACHABLE: "net",
    seam.HOST_UNREACHABLE: "host",
    seam.PROTOCOL_UNREACHABLE: "protocol",
    seam.PORT_UNREACHABLE: "port",
    seam.PROHIBITED: "prohibited",
    seam.TOO_BIG: "too big",
    seam.PARAMETER: "parameter",
    seam.UNRESOLVED: "host",
}
"""What a router, or our own link, says of a request, in a word."""

_LONGEST: Final = 10.0
_MOST_DATA: Final = 65_000


class _Waiting:
    """The request that is out, and its answer."""

    def __init__(self, env: Env) -> None:
        self._env = env
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

    def troubled(self, report: ErrorReport, sequence: int) -> None:
        self.answer = {
            "from": addr.text(report.router) if report.router else "",
            "error": TROUBLES.get(report.kind, "error"),
            "mtu": report.mtu,
            "mpls": [
                list(label)
                for one in icmp_extensions.parse(report.extensions)
                for label in icmp_extensions.labels(one)
            ],
            "ms": round((self._env.now - self.sent) / MS, 3),
        }
        self.done.set()


def probe(stack: Compartment, executor: Executor, said: dict[str, Any]) -> dict[str, Any] | None:
    """{"from", "size", "ttl", "ms"} of the reply; {"from", "error", "mtu", "mpls", "ms"} of an ICMP
    error about it, `error` one of `TROUBLES`; None if neither came in time.

    address, sequence, size (octets of data), hops (0: as configured), timeout (s).  Raises
    Refused if the request cannot be sent.
    """
    target = address(str(said["address"]))
    sequence = int(said.get("sequence", 0)) & 0xFFFF
    size, hops = int(said.get("size", 56)), int(said.get("hops", 0))
    if not 0 <= size <= _MOST_DATA or not 0 <= hops <= 255:
        raise Refused("no such size or hop limit")
    ident = int.from_bytes(os.urandom(2), "big")
    waiting = _Waiting(stack.env)
    icmp = stack.icmp_for(target)
    data = bytes(at & 0xFF for at in range(size))

    def send() -> None:
        icmp.listen(ident, waiting.replied, waiting.troubled)
        waiting.sent = stack.env.now
        waiting.status = icmp.echo(target, ident, sequence, data, hops)
        if waiting.status != status.OK:
            waiting.done.set()

    executor.submit(send)
    waiting.done.wait(min(float(said.get("timeout", 1.0)), _LONGEST))
    executor.submit(lambda: icmp.unlisten(ident))
    if waiting.status == status.NO_ROUTE:
        raise Refused("connect: Network is unreachable")
    if waiting.status != status.OK:
        raise Refused(f"sendmsg: {status.name(waiting.status)}")
    return waiting.answer
