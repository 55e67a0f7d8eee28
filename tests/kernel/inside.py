# SPDX-License-Identifier: MIT
"""Run a command in namespaces of its own: ``python -m tests.kernel.inside [HOW] COMMAND ...``

    --tap-fd     with a new TAP open there, whose descriptor is appended to the command
    --tap-name   with a persistent TAP wskq0 there

Root makes only a network namespace, anybody else a user namespace too, so no traffic of a test
ever touches the machine's own interfaces.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from tap import kernel
from tap.ioctls import open_tap
from tap.netns import StepError, enter_new


def main() -> NoReturn:
    how, command = "", sys.argv[1:]
    if command[0].startswith("--tap"):
        how, command = command[0], command[1:]
    try:
        enter_new(network_only=True)
    except StepError:
        enter_new()
    kernel.loopback_up()
    if how == "--tap-fd":
        tap = open_tap("wskq%d")
        os.set_inheritable(tap.fd, True)
        command = [*command, str(tap.fd)]
    elif how == "--tap-name":
        from pyroute2 import IPRoute

        with IPRoute() as route:
            route.link("add", ifname="wskq0", kind="tuntap", mode="tap")
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
