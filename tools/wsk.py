# SPDX-License-Identifier: MIT
"""`tools/wsk`: run anything on the kernel's side of a running demo's wire.

tools/wsk in ping -c3 10.77.0.2
tools/wsk in curl http://10.77.0.2/
tools/wsk shell
tools/wsk ping 10.77.0.2        when no ping program is installed
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from typing import NoReturn

from tap.netns import join
from tools import peer, state
from tools.state import Running

_PACKAGES = {"ping": "iputils-ping", "curl": "curl", "ip": "iproute2", "nc": "netcat-openbsd"}


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    running = state.find()
    if running is None:
        return complain(
            "no demo of yours is running; start one with tools/demo in another terminal"
        )
    if options.command == "in" and not options.words:
        return complain("in what? For example: tools/wsk in ping -c3 10.77.0.2")
    if running.rung == "memory":
        return complain(
            "this demo's wire is in memory: there is no kernel side to be on. "
            "Use the loopback ports it printed, or see why in its first lines"
        )
    if options.command == "ping":
        enter(running)
        ok, text = peer.perform("ping", {"address": options.address, "count": options.count})
        print(text)
        return 0 if ok else 1
    if options.command == "shell":
        return run(running, [os.environ.get("SHELL") or "/bin/sh"])
    return run(running, options.words)


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    text = argparse.ArgumentParser(
        prog="tools/wsk", description="Run things on the kernel's side of a running demo's wire."
    )
    commands = text.add_subparsers(dest="command", required=True, metavar="in|shell|ping")
    inside = commands.add_parser("in", help="run one command inside", prefix_chars="\0")
    inside.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND ...")
    commands.add_parser("shell", help="your shell inside")
    ping = commands.add_parser("ping", help="ICMP echo without a ping program")
    ping.add_argument("address")
    ping.add_argument("-c", dest="count", type=int, default=3, metavar="COUNT")
    return text


def enter(running: Running) -> None:
    """Join the demo's namespaces, if its wire is in some."""
    if running.namespace_pid:
        join(running.namespace_pid)


def run(running: Running, words: list[str]) -> NoReturn:
    """Become the command, inside."""
    program = shutil.which(words[0])
    if program is None:
        package = _PACKAGES.get(words[0], words[0])
        hint = f"sudo apt-get install {package}"
        if words[0] == "ping":
            hint += ", or use: tools/wsk ping ADDRESS"
        sys.exit(complain(f"{words[0]} is not installed ({hint})"))
    try:
        enter(running)
    except OSError as error:
        sys.exit(complain(f"the demo's namespace cannot be entered: {error}"))
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    os.execve(program, words, environment)


def complain(text: str) -> int:
    print(f"tools/wsk: {text}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
