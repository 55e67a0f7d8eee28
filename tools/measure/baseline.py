# SPDX-License-Identifier: MIT
"""What the stack is compared with: the same services in Python on the kernel's sockets.

    python -m tools.measure.baseline PID CONGESTION [MTU]

makes a veth pair between the network namespace of PID and one of its own, takes 10.78.0.2 and
fd78::2 there, and serves echo 7 (TCP, UDP), discard 9 and characters 19 until its input closes.
Without an MTU it serves in the namespaces of PID as they are.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import sys
from typing import Final

from tap import kernel
from tap.netns import join, unshare
from tools.services.echo import CHARACTERS

_CLONE_NEWNET: Final = 0x40000000
_TCP_CONGESTION: Final = 13
_CHUNK: Final = 1 << 18


def enter(pid: int, mtu: int) -> None:
    """A namespace beside that of `pid`, and a link to it."""
    from pyroute2 import IPRoute

    join(pid)
    with IPRoute() as route:  # stays where it was opened
        unshare(_CLONE_NEWNET)
        peer = {"ifname": "wskb1", "net_ns_pid": os.getpid()}
        route.link("add", ifname="wskb0", kind="veth", peer=peer)
    kernel.loopback_up()
    kernel.configure("wskb1", mtu, (("10.78.0.2", 24), ("fd78::2", 64)))


class Server:
    """One thread, one selector: as lean as Python on kernel sockets gets."""

    def __init__(self, congestion: bytes) -> None:
        self._congestion = congestion
        self._waiting = selectors.DefaultSelector()
        self._buffer = bytearray(_CHUNK)
        for port in (7, 9, 19):
            self._listen(port)
        udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        udp.bind(("::", 7))
        udp.setblocking(False)
        self._waiting.register(udp, selectors.EVENT_READ, self._echo_udp)
        self._waiting.register(sys.stdin, selectors.EVENT_READ, None)

    def run(self) -> None:
        """Serve until standard input closes."""
        while True:
            for key, _ in self._waiting.select():
                if key.data is None:
                    return
                with contextlib.suppress(BlockingIOError):
                    key.data(key.fileobj)

    def _listen(self, port: int) -> None:
        listener = socket.create_server(
            ("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=256
        )
        listener.setsockopt(socket.IPPROTO_TCP, _TCP_CONGESTION, self._congestion)
        listener.setblocking(False)

        def accept(_: object) -> None:
            sock, _ = listener.accept()
            sock.setblocking(False)
            if port == 19:
                self._waiting.register(sock, selectors.EVENT_WRITE, self._characters)
            else:
                self._waiting.register(
                    sock, selectors.EVENT_READ, self._echo if port == 7 else self._discard
                )

        self._waiting.register(listener, selectors.EVENT_READ, accept)

    def _echo_udp(self, sock: socket.socket) -> None:
        while True:
            data, source = sock.recvfrom(2048)
            sock.sendto(data, source)

    def _echo(self, sock: socket.socket) -> None:
        try:
            data = sock.recv(65536)
        except ConnectionError:
            data = b""
        if data:
            sock.send(data)
        else:
            self._done(sock)

    def _discard(self, sock: socket.socket) -> None:
        try:
            more = sock.recv_into(self._buffer)
        except ConnectionError:
            more = 0
        if not more:
            self._done(sock)

    def _characters(self, sock: socket.socket) -> None:
        try:
            sock.send(CHARACTERS)
        except ConnectionError:
            self._done(sock)

    def _done(self, sock: socket.socket) -> None:
        self._waiting.unregister(sock)
        sock.close()


def main() -> None:
    pid = int(sys.argv[1])
    if len(sys.argv) > 3:
        enter(pid, int(sys.argv[3]))
    else:
        join(pid)
    server = Server(sys.argv[2].encode())
    print("ready", flush=True)
    server.run()


if __name__ == "__main__":
    main()
