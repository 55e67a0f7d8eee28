# SPDX-License-Identifier: MIT
"""A guest of `tools/demo` that calls out: from every shard it runs in, some connections and some
datagram sockets to port 9001 of the kernel, of both families.  What comes back it echoes.
"""

from __future__ import annotations

import asyncio
from typing import Final

from wsk_api import Subsystem
from wsk_api.facade import Client

EACH: Final = 8
"""Connections of one shard to one address, and datagram sockets."""
KERNEL: Final = (("10.77.0.1", 9001), ("fd77::1", 9001))


async def serve(subsystem: Subsystem) -> None:
    async with Client(subsystem) as client:
        calls = [stream(client, peer) for peer in KERNEL for _ in range(EACH)]
        letters = [datagrams(client, peer) for peer in KERNEL for _ in range(EACH)]
        await asyncio.gather(*calls, *letters)


async def stream(client: Client, peer: tuple[str, int]) -> None:
    """Call until somebody is there, then echo until he goes."""
    while True:
        try:
            async with client.connect(peer) as connection:
                async for chunk in connection:
                    await connection.send(chunk)
        except OSError:
            pass
        await asyncio.sleep(0.2)


async def datagrams(client: Client, peer: tuple[str, int]) -> None:
    """Say hello until there is an answer; echo answers."""
    async with client.datagram() as socket:
        answered = False
        while True:
            if not answered:
                await socket.send_to(b"hello", peer)
            try:
                data, sender = await socket.receive_from(timeout=None if answered else 10)
            except OSError:
                continue
            answered = True
            await socket.send_to(data, sender)
