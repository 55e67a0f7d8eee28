# SPDX-License-Identifier: MIT
"""`tools/demo`: bring up a wire, a stack and the services; say what to type; wait for Ctrl-C.

tools/demo                     the best wire that works here
tools/demo --check             bring it up, try everything against it, take it down
tools/demo --wire userns       exactly this wire, or fail saying why
tools/demo --tap NAME --auto   configured by the network that the TAP leads to
tools/demo --pcap FILE         capture everything for Wireshark
tools/demo --queues 2            two queues, two processes, one host
tools/demo --impair loss=1%,delay=20ms
tools/demo --with examples/shout.py
tools/demo --dns 10.77.0.1 --hosts /etc/hosts --with examples/lookup.py
"""

from __future__ import annotations

import argparse
import logging
import re
import signal
import sys
import threading
from pathlib import Path
from typing import Final

from stack import Config
from stack.base import addr
from stack.base.units import MS, SECOND, US
from tap.impair import Impairment
from tap.ladder import RUNGS, Attachment, Refused, Wish, attach
from tap.logtrace import LogTrace
from tap.netns import MAX_QUEUES
from tools import check, control, state
from tools.sharded import ShardedWorld, Unready
from tools.world import AddressTaken, DemoWorld, MemoryWorld

_TIMES: Final = {"us": US, "ms": MS, "s": SECOND}
_RATES: Final = {"kbit": 10**3, "mbit": 10**6, "gbit": 10**9}


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    level = logging.INFO if options.trace else logging.WARNING
    logging.basicConfig(format="%(asctime)s %(message)s", level=level)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    wish = Wish(
        wire=options.wire,
        tap=options.tap,
        fd=options.fd,
        mtu=options.mtu,
        offload=not options.no_offload and options.impair is None,
        queues=options.queues,
        automatic=options.auto,
        mac=options.mac,
    )
    try:
        attachment = attach(wish)
    except Refused as why:
        wire = f"--wire {options.wire}: " if options.wire else ""
        print(f"tools/demo: {wire}{why}", file=sys.stderr)
        return 2
    kind = DemoWorld if attachment.peer is None else MemoryWorld
    if attachment.more:
        kind = ShardedWorld
    world = kind(
        attachment,
        trace=LogTrace() if options.trace else None,
        pcap=options.pcap,
        impairment=options.impair,
        seed=options.seed,
        # A wire that somebody gave us may lead to other stations: look before taking an address.
        config=Config(
            dad=attachment.rung == "given" or attachment.automatic,
            dns_servers=tuple(options.dns),
            dns_hosts="\n".join(options.hosts),
        ),
        guests=tuple(options.guests),
        busy_poll=options.busy_poll,
    )
    tell_wire(attachment)
    try:
        if attachment.automatic:
            print("waiting for the network to give addresses (some seconds) ...")
        elif attachment.rung == "given":
            print("asking whether anybody on this wire has our addresses (some seconds) ...")
        sys.stdout.flush()
        world.start()
        with (
            state.published(attachment) as place,
            control.serving(place, world.executor, world.stacks()),
        ):
            if options.check:
                return check.run(world)
            tell(world, options.pcap)
            world.end_with(stop.set)
            stop.wait()
    except (AddressTaken, Unready) as why:
        print(f"tools/demo: {why}", file=sys.stderr)
        return 2
    else:
        return world.status()
    finally:
        world.stop()


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    text = argparse.ArgumentParser(
        prog="tools/demo",
        description="A TCP/IP stack in Python on a TAP, with services to try: HTTP 80, echo 7, "
        "discard 9, characters 19, the WSK echo sample 40007.",
    )
    text.add_argument("--check", action="store_true", help="try everything, print, and exit")
    text.add_argument(
        "--wire", choices=RUNGS, default="", help="take exactly this wire (default: the best)"
    )
    text.add_argument("--tap", default="", metavar="NAME", help="an existing TAP to use")
    text.add_argument("--fd", type=int, default=-1, metavar="N", help="an open TAP's descriptor")
    text.add_argument(
        "--auto",
        action="store_true",
        help="let the network configure the stack: router advertisements, DHCP, or link-local "
        "addresses (the default on a TAP that is a bridge's port)",
    )
    text.add_argument(
        "--mac", type=mac, default=b"", metavar="MAC", help="the stack's hardware address"
    )
    text.add_argument("--mtu", type=mtu, default=1500, help="of the wire, 1280 to 65521")
    text.add_argument(
        "--queues",
        type=queues,
        default=1,
        metavar="N",
        help="of a TAP, each with a process of its own: one host, its flows spread by the kernel",
    )
    text.add_argument("--no-offload", action="store_true", help="plain frames, no super-frames")
    text.add_argument(
        "--busy-poll",
        type=microseconds,
        default=0,
        metavar="US",
        help="look for frames that long before sleeping: faster answers for a busy processor",
    )
    text.add_argument("--pcap", type=Path, metavar="FILE", help="capture to a pcapng file")
    text.add_argument(
        "--with",
        dest="guests",
        type=guest,
        action="append",
        default=[],
        metavar="FILE",
        help="also run a program of yours: a Python file with serve(subsystem), async or not",
    )
    text.add_argument(
        "--impair",
        type=impairment,
        metavar="WHAT",
        help="loss=1%%,delay=20ms,jitter=5ms,rate=10mbit,reorder=2%%,duplicate=1%%,corrupt=1%%",
    )
    text.add_argument(
        "--dns",
        type=name_server,
        action="append",
        default=[],
        metavar="ADDRESS",
        help="a name server that the stack can reach, for clients that look names up",
    )
    text.add_argument(
        "--hosts", type=hosts, action="append", default=[], metavar="FILE", help="a hosts file"
    )
    text.add_argument("--seed", type=int, default=0, help="of the impairments")
    text.add_argument("--trace", action="store_true", help="log drops and TCP state changes")
    return text


def mtu(text: str) -> int:
    """An MTU both families can live with."""
    value = int(text)
    if not 1280 <= value <= 65521:
        raise argparse.ArgumentTypeError("an MTU lies between 1280 (IPv6) and 65521 (a TAP)")
    return value


def microseconds(text: str) -> int:
    """A time in microseconds, as ns."""
    value = int(text)
    if not 0 <= value <= 1_000_000:
        raise argparse.ArgumentTypeError("a busy poll lasts 0 to 1000000 microseconds")
    return value * US


def queues(text: str) -> int:
    """As many as a TAP can have here."""
    value = int(text)
    if not 1 <= value <= MAX_QUEUES:
        raise argparse.ArgumentTypeError(f"1 to {MAX_QUEUES} queues")
    return value


def mac(text: str) -> bytes:
    """A hardware address that one station can have."""
    try:
        value = addr.parse_mac(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if value[0] & 1 or not any(value):
        raise argparse.ArgumentTypeError(f"{text} is a group's address, or none")
    return value


def name_server(text: str) -> str:
    """An address, and nothing else: who would look its name up?"""
    try:
        addr.parse(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an address") from None
    return text


def hosts(text: str) -> str:
    """What is in a hosts file."""
    try:
        return Path(text).read_text(errors="replace")
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error.strerror}") from None


def guest(text: str) -> Path:
    """A file that can be run beside the demo's own services."""
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text}")
    return path


def impairment(text: str) -> Impairment:
    """Parse what `--impair` takes."""
    values: dict[str, float | int] = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        match = re.fullmatch(r"([0-9.]+)\s*(%|us|ms|s|kbit|mbit|gbit)?", value.strip())
        if match is None:
            raise argparse.ArgumentTypeError(f"{part!r}: write it like loss=1% or delay=20ms")
        number, unit = float(match[1]), match[2] or ""
        if name in ("loss", "reorder", "duplicate", "corrupt"):
            values[name] = number / 100 if unit == "%" else number
        elif name in ("delay", "jitter") and unit in _TIMES:
            values[name] = int(number * _TIMES[unit])
        elif name == "rate" and unit in _RATES:
            values[name] = int(number * _RATES[unit])
        else:
            raise argparse.ArgumentTypeError(f"{part!r}: unknown, or without its unit")
    if "reorder" in values:
        values["reorder_by"] = 5 * MS
    if "rate" in values:
        values["queue"] = max(64_000, int(values["rate"]) // 80)
    try:
        return Impairment(**values)  # type: ignore[arg-type]
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def tell_wire(attachment: Attachment) -> None:
    """Which rung, and why not a higher one."""
    print(attachment.line)
    for rung, why in attachment.refused:
        if rung != "given":
            print(f"      not {rung}: {why}")


def tell(world: DemoWorld, pcap: Path | None) -> None:
    """What is there, and what to type next."""
    if world.kernel_peer:
        kernel = "" if world.attachment.automatic else "kernel 10.77.0.1, fd77::1 | "
        print(f"{kernel}stack {', '.join(world.addresses())}")
        if world.attachment.automatic and not any(True for _ in world.hosts()):
            print(
                "the network has given no address: no router advertised itself, no DHCP server "
                "answered.  They are asked again; tools/wsk ip addr shows what comes"
            )
    print("services: HTTP 80, echo 7 (TCP, UDP), discard 9, characters 19, WSK echo 40007")
    if pcap is not None:
        print(f"capturing to {pcap}")
    print("try:")
    for hint in world.hints():
        print(f"  {hint}")
    print("Ctrl-C ends it and leaves nothing behind.", flush=True)


if __name__ == "__main__":
    sys.exit(main())
