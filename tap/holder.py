# SPDX-License-Identifier: MIT
"""The holder process: ``python -m tap.holder SOCKET-FD PLAN-AS-JSON`` (see `netns`).

Makes the namespaces and the device, answers over the socket, and waits for it to close.
"""

from __future__ import annotations

import contextlib
import errno
import json
import signal
import socket
import sys

from tap import kernel
from tap.ioctls import OpenTap, open_queues, without_offload
from tap.netns import Plan, StepError, enter_new, send
from tap.packetsock import open_packet


def build(plan: Plan) -> list[OpenTap]:
    """Everything inside the new namespace.  Raises StepError."""
    enter_new()
    try:
        kernel.loopback_up()
        kernel.open_ping_to_all()
        if plan.kind == "tap":
            step = "device node"
            queues = open_queues(plan.name, plan.node, plan.offload, plan.queues)
        else:
            step = "veth pair"
            kernel.make_veth(plan.name, plan.name + "p")
            if not plan.offload:
                step = "offload"
                without_offload(plan.name)
            step = "packet socket"
            queues = [open_packet(plan.name + "p", plan.offload)]
        step = "configuration"
        kernel.configure(plan.name, plan.mtu, plan.addresses)
        if plan.kind == "veth":
            kernel.configure(plan.name + "p", plan.mtu, ())
    except OSError as error:
        raise StepError(step, error.errno or errno.EIO, error.strerror or str(error)) from None
    return queues


def main() -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sock = socket.socket(fileno=int(sys.argv[1]))
    given = json.loads(sys.argv[2])
    given["addresses"] = tuple((a, n) for a, n in given["addresses"])
    try:
        queues = build(Plan(**given))
    except StepError as error:
        send(sock, {"step": error.step, "errno": error.errno, "text": str(error)})
        return 1
    tap = queues[0]
    answer: dict[str, str | int] = {
        "name": tap.name,
        "header": tap.header,
        "features": tap.features,
    }
    send(sock, answer, [queue.fd for queue in queues])
    with contextlib.suppress(OSError):
        sock.recv(1)  # until the other side closes
    return 0


if __name__ == "__main__":
    sys.exit(main())
