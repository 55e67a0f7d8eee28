# SPDX-License-Identifier: MIT
"""What WSK costs: sockets, accepts, IRPs, datagrams; beside the kernel's own sockets from Python.

    python -m tools.measure.wsk times [SECONDS]   prints one JSON object: seconds per call
    python -m tools.measure.wsk octets            ... octets that an idle socket keeps

Both ends are in this process, of the stack's sockets and of the kernel's: two stacks joined in
memory here, the loopback there.  A figure of the one is made right after that of the other.
Counting octets (tracemalloc) slows everything else down, and so has a process of its own.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from tools.measure.pair import Pair, address
from tools.measure.sockets import counted
from tools.services.client import ignore, then
from wsk_api import (
    IRP,
    MDL,
    STATUS_MORE_PROCESSING_REQUIRED,
    STATUS_SUCCESS,
    WSK_BUF,
    WSK_BUF_LIST,
    WSK_CLIENT_CONNECTION_DISPATCH,
    WSK_CLIENT_DATAGRAM_DISPATCH,
    WSK_CLIENT_LISTEN_DISPATCH,
    WSK_EVENT_ACCEPT,
    WSK_EVENT_DISCONNECT,
    WSK_EVENT_RECEIVE,
    WSK_EVENT_RECEIVE_FROM,
    WSK_FLAG_CONNECTION_SOCKET,
    WSK_FLAG_DATAGRAM_SOCKET,
    WSK_FLAG_LISTEN_SOCKET,
    IoAllocateIrp,
    IoReuseIrp,
    IoSetCompletionRoutine,
    Ref,
)

SIZES: Final = (64, 512, 1400)
STYLES: Final = ("request", "event", "messages")
CATEGORIES: Final[dict[str, tuple[int, Callable[[], Any], int]]] = {
    "listening": (WSK_FLAG_LISTEN_SOCKET, WSK_CLIENT_LISTEN_DISPATCH, WSK_EVENT_ACCEPT),
    "datagram": (WSK_FLAG_DATAGRAM_SOCKET, WSK_CLIENT_DATAGRAM_DISPATCH, WSK_EVENT_RECEIVE_FROM),
    "connection": (
        WSK_FLAG_CONNECTION_SOCKET,
        WSK_CLIENT_CONNECTION_DISPATCH,
        WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT,
    ),
}
_BATCH: Final = 32
_PORT: Final = 7
_BURST: Final = 16


def per_call(call: Callable[[], int], seconds: float) -> float:
    """Seconds per unit of `call`, which says how many units it did; the best of five goes."""
    best = float("inf")
    for _ in range(5):
        done = 0
        start = time.perf_counter()
        end = start + seconds / 5
        while True:
            done += call()
            now = time.perf_counter()
            if now >= end:
                break
        best = min(best, (now - start) / done)
    return best


# Making and closing.


def make_and_close(pair: Pair, category: str) -> Callable[[], int]:
    flags, table, _ = CATEGORIES[category]
    dispatch = table()
    closed = then(ignore)

    def call() -> int:
        for _ in range(_BATCH):
            made = pair.socket(0, flags, dispatch)
            made.Dispatch.WskCloseSocket(made, again(closed))
        pair.turn()
        return _BATCH

    return call


def kernel_make_and_close(kind: int) -> Callable[[], int]:
    def call() -> int:
        for _ in range(_BATCH):
            socket.socket(socket.AF_INET6, kind).close()
        return _BATCH

    return call


def again(irp: IRP) -> IRP:
    """A completed IRP for another request, completion routine included."""
    IoReuseIrp(irp, STATUS_SUCCESS)
    IoSetCompletionRoutine(irp, _done, None, True, True, True)
    return irp


def _done(_: Any, __: IRP, ___: Any) -> int:
    return STATUS_MORE_PROCESSING_REQUIRED


# Accepting, and the cost of a request.


def accept(pair: Pair) -> Callable[[], int]:
    listener = pair.bound(1, WSK_FLAG_LISTEN_SOCKET, WSK_CLIENT_LISTEN_DISPATCH(), 80)

    def call() -> int:
        accepted: list[Any] = []
        for _ in range(_BURST):
            irp = then(lambda done: accepted.append(done.IoStatus.Information))
            listener.Dispatch.WskAccept(listener, 0, None, None, None, None, irp)
        connected = [pair.connect() for _ in range(_BURST)]
        pair.until(lambda: len(accepted) >= _BURST)
        for made in connected + accepted:
            made.Dispatch.WskCloseSocket(made, then(ignore))
        pair.turn()
        return _BURST

    return call


def kernel_accept() -> Callable[[], int]:
    listener = socket.create_server(("::1", 0), family=socket.AF_INET6, backlog=128)
    where = listener.getsockname()

    def call() -> int:
        connected = []
        for _ in range(_BURST):
            made = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
            # Closing resets, as ours does: no TIME-WAIT fills the ports.
            made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            made.connect(where)
            connected.append(made)
        accepted = [listener.accept()[0] for _ in range(_BURST)]
        for made in connected + accepted:
            made.close()
        return _BURST

    return call


def request(pair: Pair) -> Callable[[], int]:
    """The cheapest request there is, with an IRP that is used again."""
    made = pair.bound(0, WSK_FLAG_DATAGRAM_SOCKET, WSK_CLIENT_DATAGRAM_DISPATCH())
    get, out = made.Dispatch.WskGetLocalAddress, Ref[Any]()
    irp = IoAllocateIrp(1, False)
    IoSetCompletionRoutine(irp, _done, None, True, True, True)

    def call() -> int:
        for _ in range(_BATCH):
            get(made, out, again(irp))
        return _BATCH

    get(made, out, irp)
    return call


def kernel_request() -> Callable[[], int]:
    made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    made.bind(("::", 0))

    def call() -> int:
        for _ in range(_BATCH):
            made.getsockname()
        return _BATCH

    return call


# Datagrams: one process sends and receives them.


class Meter:
    """Counts what a datagram socket indicates."""

    def __init__(self) -> None:
        self.count = 0

    def arrived(self, context: Any, flags: int, indication: Any) -> int:
        while indication is not None:
            self.count += 1
            indication = indication.Next
        return STATUS_SUCCESS


def datagrams(style: str, size: int) -> Callable[[], int]:
    """Send a burst and see it arrive."""
    pair = Pair(WSK_EVENT_RECEIVE_FROM if style != "request" else 0)
    meter = Meter()
    sender = pair.bound(0, WSK_FLAG_DATAGRAM_SOCKET, WSK_CLIENT_DATAGRAM_DISPATCH())
    table = WSK_CLIENT_DATAGRAM_DISPATCH(meter.arrived)
    receiver = pair.bound(1, WSK_FLAG_DATAGRAM_SOCKET, table, _PORT)
    send, to = sender.Dispatch.WskSendTo, address(1, _PORT)
    buffer = WSK_BUF(MDL(bytearray(size)), 0, size)
    irps = [then(ignore) for _ in range(_BURST)]
    # Who has never been spoken to is asked for first, and few datagrams wait for the answer.
    send(sender, buffer, 0, to, 0, None, then(ignore))
    pair.run()
    if style == "messages":
        return _in_lists(pair, sender, meter, buffer)
    if style == "event":

        def call() -> int:
            before = meter.count
            for irp in irps:
                send(sender, buffer, 0, to, 0, None, again(irp))
            pair.until(lambda: meter.count - before >= _BURST)
            return _BURST

        return call
    return _by_requests(pair, sender, receiver, buffer, irps)


def _by_requests(
    pair: Pair, sender: Any, receiver: Any, buffer: WSK_BUF, irps: list[IRP]
) -> Callable[[], int]:
    send, to = sender.Dispatch.WskSendTo, address(1, _PORT)
    receive = receiver.Dispatch.WskReceiveFrom
    done = [0]

    def count(_: IRP) -> None:
        done[0] += 1

    room = WSK_BUF(MDL(bytearray(2048)), 0, 2048)

    def call() -> int:
        done[0] = 0
        for irp in irps:
            receive(receiver, room, 0, None, None, None, None, then(count))
            send(sender, buffer, 0, to, 0, None, again(irp))
        pair.until(lambda: done[0] >= _BURST)
        return _BURST

    return call


def _in_lists(pair: Pair, sender: Any, meter: Meter, buffer: WSK_BUF) -> Callable[[], int]:
    send, to = sender.Dispatch.WskSendMessages, address(1, _PORT)
    head: Any = None
    for _ in range(_BATCH):
        head = WSK_BUF_LIST(buffer, head)

    def call() -> int:
        before = meter.count
        send(sender, head, 0, to, 0, None, then(ignore))
        pair.until(lambda: meter.count - before >= _BATCH)
        return _BATCH

    return call


def kernel_datagrams(size: int) -> Callable[[], int]:
    receiver = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    receiver.bind(("::1", 0))
    sender = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    where, data = receiver.getsockname(), bytes(size)

    def call() -> int:
        for _ in range(_BURST):
            sender.sendto(data, where)
        for _ in range(_BURST):
            receiver.recvfrom(2048)
        return _BURST

    return call


# All of it.


def times(seconds: float) -> dict[str, dict[str, float]]:
    """Seconds per unit, by what is measured: ours and the kernel's."""
    found: dict[str, dict[str, float]] = {}
    for name, (_, _, events) in CATEGORIES.items():
        kind = socket.SOCK_DGRAM if name == "datagram" else socket.SOCK_STREAM
        kernel = per_call(kernel_make_and_close(kind), seconds)
        for how, static in (("", 0), (", static callbacks", events)):
            ours = per_call(make_and_close(Pair(static), name), seconds)
            found[f"make and close, {name}{how}"] = {"stack": ours, "kernel": kernel}
    found["connect, accept and close"] = {
        "stack": per_call(accept(Pair()), seconds),
        "kernel": per_call(kernel_accept(), seconds),
    }
    found["a request (local address)"] = {
        "stack": per_call(request(Pair()), seconds),
        "kernel": per_call(kernel_request(), seconds),
    }
    for size in SIZES:
        kernel = per_call(kernel_datagrams(size), seconds)
        for style in STYLES:
            ours = per_call(datagrams(style, size), seconds)
            found[f"datagram, {size}, {style}"] = {"stack": ours, "kernel": kernel}
    return found


def octets() -> dict[str, float]:
    """Octets of Python memory that one idle socket keeps, everything included."""
    count = 1000
    found = {}
    for name in ("datagram", "listening"):
        pair = Pair()
        flags, table, _ = CATEGORIES[name]
        dispatch = table()
        ports = iter(range(1000, 60_000))

        def made() -> Any:
            return [pair.bound(0, flags, dispatch, next(ports)) for _ in range(count)]  # noqa: B023

        found[name] = counted(made) / count
    found["connection"] = counted(lambda: Pair().connections(count)) / count / 2
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["octets"]:
        print(json.dumps(octets()))
    else:
        print(json.dumps(times(float(sys.argv[2]) if len(sys.argv) > 2 else 0.3)))
