# SPDX-License-Identifier: MIT
"""`tools/wsk from-stack`: echo requests that the stack sends, in the words of ping(8) and of
traceroute(8)."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any, Final


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    text = argparse.ArgumentParser(
        prog="tools/wsk from-stack", description="Send echo requests from a running stack."
    )
    commands = text.add_subparsers(dest="what", required=True, metavar="ping|traceroute")
    ping = commands.add_parser("ping", help="ICMP echo")
    ping.add_argument("address")
    ping.add_argument("-c", dest="count", type=int, default=3, help="how many (default 3)")
    ping.add_argument("-s", dest="size", type=int, default=56, help="octets of data (default 56)")
    ping.add_argument("-i", dest="interval", type=float, default=1.0, help="s between two")
    ping.add_argument("-t", dest="hops", type=int, default=0, help="hop limit")
    ping.add_argument("-W", dest="timeout", type=float, default=1.0, help="s to wait for an answer")
    trace = commands.add_parser("traceroute", help="the routers on the way, by rising hop limits")
    trace.add_argument("address")
    trace.add_argument("-f", dest="first", type=int, default=1, help="first hop limit (default 1)")
    trace.add_argument("-m", dest="most", type=int, default=30, help="last one (default 30)")
    trace.add_argument("-q", dest="queries", type=int, default=3, help="requests for each")
    trace.add_argument("-s", dest="size", type=int, default=32, help="octets of data (default 32)")
    trace.add_argument("-w", dest="timeout", type=float, default=1.0, help="s to wait")
    trace.add_argument("-e", dest="extensions", action="store_true", help="show MPLS labels")
    for one in (ping, trace):
        one.add_argument("-N", "--net", default="", metavar="STACK", help="which stack of the demo")
    return text


_MARKS: Final = {
    "net": "!N",
    "host": "!H",
    "protocol": "!P",
    "prohibited": "!X",
    "too big": "!F",
    "parameter": "!Z",
}
"""As traceroute(8) marks an error that ends the way."""


def run(
    options: argparse.Namespace,
    ask: Callable[..., Any],
    say: Callable[[str], None],
    pause: Callable[[float], None] = time.sleep,
) -> int:
    """Do what was asked for; 0 if the target answered."""
    if options.what == "traceroute":
        return _trace(options, ask, say)
    say(f"PING {options.address}: {options.size} data bytes, from the stack")
    times = []
    for number in range(1, options.count + 1):
        if number > 1:
            pause(options.interval)
        answer = ask(
            "probe",
            address=options.address,
            sequence=number,
            size=options.size,
            hops=options.hops,
            timeout=options.timeout,
        )
        if answer is None:
            say(f"no answer: icmp_seq={number}")
            continue
        if "error" in answer:
            say(f"From {answer['from'] or 'the stack'}: icmp_seq={number} {_words(answer)}")
            continue
        times.append(answer["ms"])
        say(
            f"{answer['size']} bytes from {answer['from']}: "
            f"icmp_seq={number} ttl={answer['ttl']} time={answer['ms']} ms"
        )
    lost = 100 * (options.count - len(times)) // max(options.count, 1)
    say(f"{options.count} packets transmitted, {len(times)} received, {lost}% packet loss")
    if times:
        say(f"rtt min/avg/max = {min(times)}/{round(statistics.mean(times), 3)}/{max(times)} ms")
    return 0 if times else 1


def _words(answer: dict[str, Any]) -> str:
    error = str(answer["error"])
    if error == "expired":
        return "Time to live exceeded"
    if error == "too big":
        return f"Packet too big (mtu = {answer['mtu']})"
    return f"Destination unreachable: {error}"


def _trace(options: argparse.Namespace, ask: Callable[..., Any], say: Callable[[str], None]) -> int:
    """One line for each hop limit, until the target answers or somebody says that it cannot."""
    say(f"traceroute to {options.address}, {options.most} hops max, from the stack")
    number = 0
    for hops in range(options.first, options.most + 1):
        line, last, over, reached = f"{hops:2} ", "", False, False
        for _ in range(options.queries):
            number += 1
            answer = ask(
                "probe",
                address=options.address,
                sequence=number,
                size=options.size,
                hops=hops,
                timeout=options.timeout,
            )
            if answer is None:
                line += " *"
                continue
            if answer["from"] != last:
                last = answer["from"]
                line += f" {last or 'this host'}"
            line += f"  {answer['ms']} ms"
            error = answer.get("error", "")
            line += f" {_MARKS[error]}" if error in _MARKS else ""
            if options.extensions and answer.get("mpls"):
                line += " <MPLS:" + "/".join(_label(one) for one in answer["mpls"]) + ">"
            over |= error != "expired"
            reached |= not error
        say(line)
        if over:
            return 0 if reached else 1
    return 1


def _label(one: list[Any]) -> str:
    label, service, last, hops = one
    return f"L={label},E={service},S={int(last)},T={hops}"
