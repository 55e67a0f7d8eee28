# SPDX-License-Identifier: MIT
"""The stack under test, in a process of its own: python -m tools.measure.target '{...}'

The argument is a JSON object, all of it optional:

    pattern     file with the octets that bulk data repeats
    wire, offload, mtu, fd     of the wire: `tap.ladder.Wish`
    congestion  the stack's
    impair      {"loss", "delay", "rate", "queue", "seed"}: between device and stack
    busy        poll for so many nanoseconds before sleeping

Prints {"pid": N, ...} when the kernel's side of the wire is there, {"ready": true} when the
services are; then answers every line it reads with its counters, and ends with its input.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any, Final

from stack import Config, Stack
from stack.link.nic import Nic
from tap.impair import ImpairedPort, Impairment
from tap.ladder import KERNEL_ADDRESSES, STACK_ADDRESSES, Attachment, Refused, Wish, attach
from tap.port import Port
from tap.thread import ThreadRuntime
from tools.measure.services import all_services
from tools.world import spare_the_collector
from wsk_api import Subsystem

_LARGEST_UNIT: Final = 1024 if sys.platform == "linux" else 1


def wire(wanted: dict[str, Any]) -> Attachment:
    """A TAP in a private namespace if that works, else a veth pair.  Raises Refused."""
    kind = str(wanted.get("wire", ""))
    offload = bool(wanted.get("offload", True))
    mtu = int(wanted.get("mtu", 1500))
    try:
        return attach(Wish(wire=kind or "userns", offload=offload, mtu=mtu))
    except Refused:
        if kind:
            raise
        return attach(Wish(wire="veth", offload=offload, mtu=mtu))


class Target:
    """A wire, a runtime, a stack, the services."""

    def __init__(self, wanted: dict[str, Any]) -> None:
        self.attachment = wire(wanted)
        self._runtime: ThreadRuntime = ThreadRuntime(busy_poll=int(wanted.get("busy", 0)))
        config = Config(dad=False, tcp_congestion=str(wanted.get("congestion", "reno")))
        self.stack = Stack(self._runtime.env, config)
        self._pattern = Path(wanted["pattern"]).read_bytes()
        self._services: list[Any] = []
        port = self._impaired(wanted.get("impair"))
        self.nic: Nic = self.stack.add_nic(port, "wsk0")
        for address, length in STACK_ADDRESSES:
            self.stack.add_address(self.nic, address, length)
        self.stack.add_route("0.0.0.0", 0, self.nic, KERNEL_ADDRESSES[0][0])
        self.stack.add_route("::", 0, self.nic, KERNEL_ADDRESSES[1][0])
        self._runtime.loop.add(self.stack, self.nic, port)

    def _impaired(self, how: dict[str, Any] | None) -> Port:
        port: Port = self.attachment.port
        if how is None:
            return port
        both = Impairment(
            loss=how["loss"], delay=how["delay"], rate=how["rate"], queue=how["queue"]
        )
        env = self._runtime.env
        return ImpairedPort(port, lambda: env.now, both, both, how["seed"])

    def start(self) -> None:
        """Ping is answered from here on; the services come one by one."""
        self._runtime.start()
        subsystem = Subsystem()
        subsystem.attach(self.stack.providers, self._runtime, self.stack.names)
        self._services = all_services(subsystem, self._pattern)
        spare_the_collector()

    def stop(self) -> None:
        """Leave nothing behind."""
        while self._services:
            self._services.pop().stop()
        self._runtime.stop()
        self.attachment.close()

    def counters(self) -> dict[str, Any]:
        """What the figures of a run are made of."""
        nic = self.nic.counters
        return {
            "in_packets": nic.in_packets,
            "out_packets": nic.out_packets,
            "in_octets": nic.in_octets,
            "out_octets": nic.out_octets,
            "cpu": time.process_time(),
            "memory": _resident(),
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _LARGEST_UNIT,
            "connections": len(self.stack.tcp.connections()),
        }


def _resident() -> int:
    """Octets of memory in use."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def _say(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)


def main() -> int:
    try:
        target = Target(json.loads(sys.argv[1]))
    except Refused as why:
        _say({"error": str(why)})
        return 2
    _say({"pid": target.attachment.pid, "line": target.attachment.line})
    try:
        target.start()
        _say({"ready": True})
        for _ in sys.stdin:
            _say(target.counters())
    finally:
        target.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
