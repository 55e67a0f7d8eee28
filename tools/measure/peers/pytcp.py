# SPDX-License-Identifier: MIT
"""The Python peer: pmd-pytcp, the fork of PyTCP that runs on this interpreter.

PyTCP itself needs Python 3.14 from its version 3 on; with that, its fork runs as well.  Install it
where tools/bench runs (its licence is the GPL, so it is no dependency of ours, not even an extra):

    .venv/bin/pip install pmd-pytcp

As a program (`python -m tools.measure.peers.pytcp FD MAC ADDRESS4 ADDRESS6 MTU PATTERN`) this file
is the peer: its stack on the TAP, on asyncio, which is how it runs, and the services on its own
sockets.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.metadata
import os
import sys
from pathlib import Path
from typing import Any, Final

from tools.measure.loader import HOT
from tools.measure.peers import Wire

_DISTRIBUTION: Final = "pmd-pytcp"
_CHUNK: Final = 1 << 16
_AHEAD: Final = 1 << 18
_PATIENCE: Final = 15
_NOT_SENT: Final = 144


class PyTcp:
    """The plug."""

    name = "pmd-pytcp"
    verbs = frozenset(("in", "out", "trips", "echo", "ping", "connect"))
    offload = False
    checks = False

    @property
    def text(self) -> str:
        """With its version."""
        return f"pmd-pytcp {_version()} (Python), TAP without offloads"

    def unavailable(self) -> str:
        """Why not."""
        if _version():
            return ""
        return (
            "not installed: .venv/bin/pip install pmd-pytcp (PyTCP itself needs Python 3.14; "
            "this is its fork)"
        )

    def command(self, wire: Wire) -> list[str]:
        """This file."""
        words = [sys.executable, "-m", "tools.measure.peers.pytcp", wire.fd, wire.mac.hex(":")]
        words += [f"{wire.address4}/24", f"{wire.address6}/64", wire.mtu, wire.pattern]
        return list(map(str, words))


def _version() -> str:
    try:
        return importlib.metadata.version(_DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return ""


PEER: Final = PyTcp()


class Services:
    """Ports 7, 9, 19 and 20 on its sockets, one task for each connection."""

    def __init__(self, module: Any, pattern: bytes) -> None:
        self._socket = module
        self._pattern = pattern
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, addresses: tuple[str, str]) -> None:
        """Listen on both addresses, as soon as it has made sure that nobody else has them."""
        module = self._socket
        kinds = {7: self._echo, 9: self._discard, 19: self._send, 20: self._respond}
        for address in addresses:
            family = module.AF_INET6 if ":" in address else module.AF_INET4
            for port, serve in kinds.items():
                listener = module.socket(family, module.SOCK_STREAM)
                await self._bound(listener, (address, port))
                listener.listen(backlog=128)
                self._keep(self._accept(listener, serve))
            datagrams = module.socket(family, module.SOCK_DGRAM)
            datagrams.bind((address, 7))
            self._keep(self._echo_datagrams(datagrams))

    async def _bound(self, listener: Any, where: tuple[str, int]) -> None:
        for _ in range(_PATIENCE * 10):
            try:
                listener.bind(where)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                return
        raise SystemExit(f"{where[0]} is not its address after {_PATIENCE} s")

    def _keep(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listener: Any, serve: Any) -> None:
        while True:
            connection, _ = await listener.accept()
            connection.setsockopt(self._socket.IPPROTO_TCP, self._socket.TCP_NODELAY, 1)
            self._keep(self._served(connection, serve))

    async def _served(self, connection: Any, serve: Any) -> None:
        try:
            await serve(connection)
        except OSError:
            connection.abort()
        else:
            connection.close()

    async def _echo(self, connection: Any) -> None:
        while data := await connection.recv(_CHUNK):
            await connection.send(data)

    async def _discard(self, connection: Any) -> None:
        while await connection.recv(_CHUNK):
            pass

    async def _send(self, connection: Any) -> None:
        at = 0
        while True:
            piece = self._pattern[at : at + _CHUNK]
            sent = await connection.send(piece)
            at = (at + sent) % len(self._pattern)
            while self._unsent(connection) > _AHEAD:  # its send takes all that it is given
                await asyncio.sleep(0)

    def _unsent(self, connection: Any) -> int:
        info = connection.getsockopt(self._socket.IPPROTO_TCP, self._socket.TCP_INFO)
        return int.from_bytes(info[_NOT_SENT : _NOT_SENT + 4], sys.byteorder)

    async def _respond(self, connection: Any) -> None:
        if await connection.recv(64):
            await connection.send(self._pattern[:64])

    async def _echo_datagrams(self, datagrams: Any) -> None:
        while True:
            data, source = await datagrams.recvfrom()
            await datagrams.sendto(data, source)


async def main() -> None:
    """Be the peer until standard input ends."""
    names = ("pmd_net_addr", "pmd_pytcp.stack", "pmd_pytcp.socket")
    address, stack, socket = map(importlib.import_module, names)
    fd, mac, address4, address6, mtu, pattern = sys.argv[1:]
    os.set_blocking(int(fd), False)
    stack.LOG__CHANNEL.clear()
    stack.init(sysctls={"arp.probe_num": 1, "arp.probe_wait": 1, "arp.announce_wait": 1})
    stack.add_interface(
        fd=int(fd),
        layer=stack.InterfaceLayer.L2,
        mtu=int(mtu),
        mac_address=address.MacAddress(mac),
        interface_name="wsk0",
        ip4_host=address.Ip4IfAddr(address4),
        ip6_host=address.Ip6IfAddr(address6),
    )
    await stack.start()
    services = Services(socket, Path(pattern).read_bytes()[:HOT])
    await services.start((address4.split("/")[0], address6.split("/")[0]))
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
