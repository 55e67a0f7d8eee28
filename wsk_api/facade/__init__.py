# SPDX-License-Identifier: MIT
"""Floor 9: WSK for Python programs.  Itself a WSK client, it uses nothing but `wsk_api`.

    async with Client(stack) as client:
        async with client.connect(("10.77.0.2", 7)) as connection:
            await connection.send(b"hello")
            print(await connection.receive())

    client      the registration; connect, listen, datagram, names
    connection  TCP; `inbox` is what it has received
    listener, datagram, endpoint (what they share), addresses, names
    waiting     an IRP as something to await
    blocking    the same for threads
    errors      NTSTATUS to OSError

docs/facade.md is its page.
"""

from wsk_api.facade.addresses import Address
from wsk_api.facade.blocking import (
    BlockingClient,
    BlockingConnection,
    BlockingDatagram,
    BlockingListener,
)
from wsk_api.facade.client import Client
from wsk_api.facade.connection import Connection
from wsk_api.facade.datagram import Datagram
from wsk_api.facade.errors import (
    WskBrokenPipe,
    WskConnectionAborted,
    WskConnectionRefused,
    WskConnectionReset,
    WskError,
    WskNameError,
    WskPermission,
    WskTimeout,
)
from wsk_api.facade.inbox import Chunk
from wsk_api.facade.listener import Listener

__all__ = [
    "Address",
    "BlockingClient",
    "BlockingConnection",
    "BlockingDatagram",
    "BlockingListener",
    "Chunk",
    "Client",
    "Connection",
    "Datagram",
    "Listener",
    "WskBrokenPipe",
    "WskConnectionAborted",
    "WskConnectionRefused",
    "WskConnectionReset",
    "WskError",
    "WskNameError",
    "WskPermission",
    "WskTimeout",
]
