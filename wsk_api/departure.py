# SPDX-License-Identifier: MIT
"""The provider leaves while clients have sockets open (wsk.md 2.1 point 11, 3.3).

Every socket becomes dead.  What is queued completes with STATUS_FILE_FORCED_CLOSED, each enabled
event that can say so is called once with its NULL argument, and from then on every function
answers STATUS_FILE_FORCED_CLOSED, save WskCloseSocket, which succeeds, and WskRelease.

`Socket.lose_transport` and `Socket.say_dead` are a socket's part.  Called by `subsystem`, in a
task of its own on the stack's thread, so that no callback is running.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsk_api.ntstatus import STATUS_FILE_FORCED_CLOSED

if TYPE_CHECKING:
    from wsk_api.provider import Client


def depart(client: Client) -> None:
    """Tell one client, its sockets and its requests."""
    engine = client.engine
    engine.dead = True
    sockets = list(client.sockets)
    for socket in sockets:
        if socket in client.sockets and socket.closing is None:
            socket.lose_transport()
    for lookup in list(client.lookups):
        lookup.withdraw(STATUS_FILE_FORCED_CLOSED)
    # What else belongs to no socket: whoever holds it stops when it is withdrawn.
    for irp in [each for each in list(engine.outstanding) if each.begun]:
        irp.run_cancel()
        if irp in engine.outstanding:
            engine.complete(irp, STATUS_FILE_FORCED_CLOSED)
    for socket in sockets:
        if socket in client.sockets and socket.closing is None:
            socket.say_dead()
