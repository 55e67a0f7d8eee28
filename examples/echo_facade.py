# SPDX-License-Identifier: MIT
"""An echo server for Python: TCP port 7007, over IPv4 and IPv6.

tools/demo --with examples/echo_facade.py         and in another terminal
tools/wsk in nc 10.77.0.2 7007
"""

from wsk_api.facade import Client

PORT = 7007


async def echo(connection):
    async for chunk in connection:  # until the peer has finished
        await connection.send(chunk)  # waits when the peer does not read


async def serve(stack):
    async with Client(stack) as client, client.listen(PORT) as listener:
        await listener.serve(echo)
