# SPDX-License-Identifier: MIT
"""A namespace behind a veth pair: python -m tools.measure.far PID NUMBER on|off MTU COMMAND ...

makes a network namespace beside that of PID and a veth pair between them, gives both ends their
addresses (`addresses`), switches their offloads off if told to, and becomes COMMAND in there.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from tap import kernel
from tap.ioctls import without_offload
from tap.netns import join, unshare

_CLONE_NEWNET = 0x40000000


def addresses(number: int, host: int) -> dict[int, str]:
    """Of pair `number`: host 1 is near, host 2 far."""
    return {4: f"10.{78 + number}.0.{host}", 6: f"fd{78 + number}::{host}"}


def _configure(name: str, number: int, host: int, offload: bool, mtu: int) -> None:
    own = addresses(number, host)
    kernel.configure(name, mtu, ((own[4], 24), (own[6], 64)))
    if not offload:
        without_offload(name, receiving=True)


def make(pid: int, number: int, offload: bool, mtu: int) -> None:
    """Both ends, each configured by a process that is where it is; this one ends up far."""
    from pyroute2 import IPRoute

    near, far = f"wskn{number}", f"wskf{number}"
    made, ready = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ready)
        os.read(made, 1)
        join(pid)
        _configure(near, number, 1, offload, mtu)
        os._exit(0)
    join(pid)
    with IPRoute() as route:  # stays where it was opened
        unshare(_CLONE_NEWNET)
        route.link("add", ifname=near, kind="veth", peer={"ifname": far, "net_ns_pid": os.getpid()})
    os.write(ready, b"!")
    kernel.loopback_up()
    _configure(far, number, 2, offload, mtu)
    if os.waitpid(child, 0)[1]:
        raise SystemExit("tools/bench: the near end of a veth pair could not be configured")


def main() -> NoReturn:
    pid, number, offload, mtu, *command = sys.argv[1:]
    make(int(pid), int(number), offload == "on", int(mtu))
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
