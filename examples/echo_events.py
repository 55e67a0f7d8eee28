# SPDX-License-Identifier: MIT
"""The echo server in WSK's *event* style: TCP port 40009.

Accept, receive and disconnect are static callbacks, which only hand work to one worker thread.
What arrives is kept (STATUS_PENDING), sent back from the very same memory, and released: nothing
is copied.  tools/services/wskecho.py is the public sample in full.

tools/demo --with examples/echo_events.py
"""

from tools.services.client import Client, then
from tools.services.wskecho import Worker
from wsk_api import *

PORT = 40009


class Server:
    def __init__(self, subsystem):
        self.stopping, self.connections, self.worker = False, set(), Worker()
        self.client = Client(subsystem, WSK_EVENT_ACCEPT | WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT)
        self.client.listen(PORT, WSK_CLIENT_LISTEN_DISPATCH(accept), self)

    def stop(self):
        self.stopping = True
        self.worker.push(lambda: [each.close() for each in list(self.connections)])
        self.client.close()  # waits until every socket is closed
        self.worker.stop()


class Connection:  # its methods run on the worker
    def __init__(self, server, socket):
        self.server, self.socket, self.closing, self.kept = server, socket, False, set()
        self.push, self.call = server.worker.push, socket.Dispatch
        server.connections.add(self)

    def echo(self, data):
        node = data
        while node is not None and not self.closing:  # one send for each buffer, done in order
            self.send(node.Buffer, data if node.Next is None else None)
            node = node.Next

    def send(self, buffer, data):
        irp = then(lambda irp: self.push(lambda: self.sent(irp.IoStatus.Status, data)))
        self.call.WskSend(self.socket, buffer, 0, irp)

    def sent(self, status, data):
        if data in self.kept:
            self.kept.remove(data)
            self.call.WskRelease(self.socket, data)
        if not NT_SUCCESS(status):
            self.close()

    def finish(self):  # behind every echo, in the worker's queue and on the wire
        if not self.closing:
            self.call.WskDisconnect(self.socket, None, 0, then(lambda _: self.push(self.close)))

    def close(self):
        if not self.closing:
            self.closing = True
            while self.kept:  # a socket must not be closed before
                self.call.WskRelease(self.socket, self.kept.pop())
            irp = then(lambda _: self.server.connections.discard(self))
            self.call.WskCloseSocket(self.socket, irp)


def accept(server, flags, local, remote, socket, context, dispatch):  # WskAcceptEvent
    if socket is None or server.stopping:
        return STATUS_REQUEST_NOT_ACCEPTED
    context.value = Connection(server, socket)
    dispatch.value = WSK_CLIENT_CONNECTION_DISPATCH(receive, disconnect)
    return STATUS_SUCCESS


def receive(connection, flags, data, count, accepted):  # WskReceiveEvent
    if data is None or connection.closing:
        return STATUS_DATA_NOT_ACCEPTED
    connection.kept.add(data)
    connection.push(lambda: connection.echo(data))
    return STATUS_PENDING  # ours until WskRelease


def disconnect(connection, flags):  # WskDisconnectEvent: the peer's end, or a reset
    connection.push(connection.close if flags & WSK_FLAG_ABORTIVE else connection.finish)
    return STATUS_SUCCESS


serve = Server
