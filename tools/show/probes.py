# SPDX-License-Identifier: MIT
"""`tools/wsk from-stack ping`: echo requests that the stack sends, in the words of ping(8)."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    text = argparse.ArgumentParser(
        prog="tools/wsk from-stack", description="Send echo requests from a running stack."
    )
    commands = text.add_subparsers(dest="what", required=True, metavar="ping")
    ping = commands.add_parser("ping", help="ICMP echo")
    ping.add_argument("address")
    ping.add_argument("-c", dest="count", type=int, default=3, help="how many (default 3)")
    ping.add_argument("-s", dest="size", type=int, default=56, help="octets of data (default 56)")
    ping.add_argument("-i", dest="interval", type=float, default=1.0, help="s between two")
    ping.add_argument("-t", dest="hops", type=int, default=0, help="hop limit")
    ping.add_argument("-W", dest="timeout", type=float, default=1.0, help="s to wait for an answer")
    ping.add_argument("-N", "--net", default="", metavar="STACK", help="which stack of the demo")
    return text


def run(
    options: argparse.Namespace,
    ask: Callable[..., Any],
    say: Callable[[str], None],
    pause: Callable[[float], None] = time.sleep,
) -> int:
    """Ping; 0 if something answered."""
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
