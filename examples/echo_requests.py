# SPDX-License-Identifier: MIT
"""The echo server in WSK's *request* style: TCP port 40008.

Accept, receive, send, receive, ...: each a request with an IRP.  One worker thread makes every
call; completion routines only hand it the next step, which is how a kernel module keeps to "no WSK
calls in completion routines".  tools/services/wskecho.py is the public sample in full.

tools/demo --with examples/echo_requests.py
"""

from tools.services.client import Client, then
from tools.services.wskecho import Worker
from wsk_api import *

PORT = 40008


class Server:
    def __init__(self, subsystem):
        self.stopping, self.connections, self.worker = False, set(), Worker()
        self.client = Client(subsystem)
        self.listener = self.client.listen(PORT, None, None)  # no callbacks
        self.worker.push(self.accept)

    def step(self, function):
        """An IRP whose completion makes the worker call `function(status, information)`."""
        return then(lambda irp: self.completed(function, irp.IoStatus))

    def completed(self, function, result):
        status, information = result.Status, result.Information
        self.worker.push(lambda: function(status, information))

    def accept(self):
        irp = self.step(self.accepted)
        self.listener.Dispatch.WskAccept(self.listener, 0, None, None, None, None, irp)

    def accepted(self, status, socket):
        if NT_SUCCESS(status):
            connection = Connection(self, socket)
            connection.close() if self.stopping else connection.receive()
            self.accept()

    def stop(self):
        self.stopping = True
        self.worker.push(lambda: [each.close() for each in list(self.connections)])
        self.client.close()  # cancels the accept, and waits until every socket is closed
        self.worker.stop()


class Connection:
    def __init__(self, server, socket):
        self.server, self.socket, self.closing = server, socket, False
        self.memory = bytearray(2048)
        server.connections.add(self)

    def call(self, function, *arguments, then):
        """Issue a request; the worker calls `then` when it is complete."""
        if not self.closing:
            irp = self.server.step(then)
            getattr(self.socket.Dispatch, function)(self.socket, *arguments, irp)

    def receive(self):
        self.call("WskReceive", wsk_buf(self.memory), 0, then=self.received)

    def received(self, status, count):
        if not NT_SUCCESS(status):
            self.close()
        elif count:  # exactly what came goes back; then the next receive
            self.call("WskSend", WSK_BUF(MDL(self.memory), 0, count), 0, then=self.sent)
        else:  # the peer has finished: so do we
            self.call("WskDisconnect", None, 0, then=self.close)

    def sent(self, status, count):
        self.receive() if NT_SUCCESS(status) else self.close()

    def close(self, *_):
        self.call("WskCloseSocket", then=lambda *_: self.server.connections.discard(self))
        self.closing = True


serve = Server
