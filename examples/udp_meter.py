# SPDX-License-Identifier: MIT
"""How many datagrams in a second?  A meter on UDP port 5001.

tools/demo --with examples/udp_meter.py       counts what comes, a line for every second with some
python examples/udp_meter.py [PAYLOAD]        two stacks in memory, one floods the other

The second needs the checkout on PYTHONPATH.  It asks what the facade can do with everything in
one thread; docs/speed.md is about the stack itself.
"""

import asyncio
import contextlib
import sys

from stack import Config, Stack
from tap.aio import AsyncioRuntime
from tap.memory import wire
from wsk_api.facade import Client

UDP_PORT = 5001


class Meter:
    """Counts the datagrams of a socket."""

    def __init__(self):
        self.datagrams = self.octets = 0

    async def count(self, socket):
        async for data, _ in socket:
            self.datagrams += 1
            self.octets += len(data)

    async def report(self):
        clock = asyncio.get_running_loop().time
        while True:
            began, datagrams, octets = clock(), self.datagrams, self.octets
            await asyncio.sleep(1)
            seconds, count = clock() - began, self.datagrams - datagrams
            if count:
                megabits = (self.octets - octets) * 8e-6 / seconds
                print(f"{count / seconds / 1000:.2f} kpps, {megabits:.2f} Mbit/s", flush=True)


async def serve(stack):
    meter = Meter()
    async with Client(stack) as client, client.datagram(UDP_PORT) as socket:
        await asyncio.gather(meter.count(socket), meter.report())


async def flood(stack, address, payload):
    async with Client(stack) as client, client.datagram() as socket:
        while True:
            for _ in range(32):
                await socket.send_to(payload, address)
            await asyncio.sleep(0)  # the stacks live on this loop, too


async def main(size, seconds=3.2):
    runtime, stacks = AsyncioRuntime(), []
    for number, port in enumerate(wire(bytes.fromhex("020000000001"), b"\2\0\0\0\0\2"), 1):
        stack = Stack(runtime.env, Config(dad=False))
        nic = stack.add_nic(port)
        stack.add_address(nic, f"10.77.0.{number}", 24)
        runtime.loop.add(stack, nic, port)
        stacks.append(stack)
    runtime.start()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            group.create_task(serve(stacks[1]))
            group.create_task(flood(stacks[0], ("10.77.0.2", UDP_PORT), bytes(size)))
    runtime.stop()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 64))
