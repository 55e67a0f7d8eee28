# SPDX-License-Identifier: MIT
"""`tools/wsk`: look at a running demo's stack, or run anything on the kernel's side of its wire.

tools/wsk ip addr               addresses; also route, neigh, maddr, link: as iproute2's ip
tools/wsk ss -tan               sockets: as iproute2's ss
tools/wsk nstat                 counters, by the names of Linux's nstat
tools/wsk from-stack ping 10.77.0.1
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
from tools.control import Trouble
from tools.everyone import asking
from tools.show import ip, nstat, probes, ss
from tools.state import Running

_PACKAGES = {"ping": "iputils-ping", "curl": "curl", "ip": "iproute2", "nc": "netcat-openbsd"}

_LOOKS = {
    "ip": "addresses, routes, neighbours, groups, links",
    "ss": "sockets",
    "nstat": "counters",
    "from-stack": "ping from the stack outwards",
}


def main(arguments: list[str] | None = None) -> int:
    words = sys.argv[1:] if arguments is None else arguments
    options = parser().parse_args(words)
    running = state.find()
    if running is None:
        return complain(
            "no demo of yours is running; start one with tools/demo in another terminal"
        )
    if options.command in _LOOKS:
        return look(running, options.command, options.words)
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
        prog="tools/wsk",
        description="A running demo: look at its stack, run things on the other side of its wire.",
    )
    commands = text.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, what in _LOOKS.items():
        some = commands.add_parser(name, help=what, prefix_chars="\0", add_help=False)
        some.add_argument("words", nargs=argparse.REMAINDER)
    inside = commands.add_parser("in", help="run one command inside", prefix_chars="\0")
    inside.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND ...")
    commands.add_parser("shell", help="your shell inside")
    ping = commands.add_parser("ping", help="ICMP echo without a ping program")
    ping.add_argument("address")
    ping.add_argument("-c", dest="count", type=int, default=3, metavar="COUNT")
    return text


def look(running: Running, command: str, words: list[str]) -> int:
    """Ask the demo and print."""
    try:
        return _LOOKING[command](running, words)
    except (Trouble, ip.Usage) as why:
        print(why, file=sys.stderr)
        return 2 if isinstance(why, Trouble) else 255


def _ip(running: Running, words: list[str]) -> int:
    said = ip.parse(words)
    with asking(running, said.stack) as client:
        _say(ip.run(said, client.ask))
    return 0


def _ss(running: Running, words: list[str]) -> int:
    options = ss.parser().parse_args(words)
    with asking(running, options.net) as client:
        _say(ss.run(options, client.ask))
    return 0


def _nstat(running: Running, words: list[str]) -> int:
    options = nstat.parser().parse_args(words)
    with asking(running, options.net) as client:
        _say(nstat.run(options, client.ask))
    return 0


def _from_stack(running: Running, words: list[str]) -> int:
    options = probes.parser().parse_args(words)
    with asking(running, options.net) as client:
        return probes.run(options, client.ask, _say)


_LOOKING = {"ip": _ip, "ss": _ss, "nstat": _nstat, "from-stack": _from_stack}


def _say(text: str) -> None:
    if text:
        print(text, flush=True)


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
