# SPDX-License-Identifier: MIT
"""What `tools/services/http` does, on the kernel's sockets.

    python -m tests.kernel.server PID CONGESTION

Joins the namespaces of PID, says "ready" and serves port 80 of both families until its input
closes: GET /bytes/N?digest, GET /sha256, POST /sha256.  The same requests, the same octets, so
that what the stack makes of a wire can be compared with what the kernel makes of it.
"""

from __future__ import annotations

import hashlib
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tap.netns import join
from tests.kernel.client import TCP_CONGESTION
from tools.services.http import PATTERN


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    sent = ""

    def do_GET(self) -> None:
        if self.path == "/sha256":
            self._answer(self.sent.encode())
            return
        size = int(self.path.removeprefix("/bytes/").removesuffix("?digest"))
        self._head(size)
        digest = hashlib.sha256()
        while size:
            part = PATTERN[:size]
            digest.update(part)
            self.wfile.write(part)
            size -= len(part)
        self.sent = digest.hexdigest()

    def do_POST(self) -> None:
        left = int(self.headers["Content-Length"])
        digest = hashlib.sha256()
        while left and (data := self.rfile.read(min(left, 1 << 20))):
            digest.update(data)
            left -= len(data)
        self._answer(digest.hexdigest().encode())

    def _answer(self, body: bytes) -> None:
        self._head(len(body))
        self.wfile.write(body)

    def _head(self, length: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""


class Server(ThreadingHTTPServer):
    """Both families on one socket."""

    address_family = socket.AF_INET6

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.bind(self.server_address)


def main() -> None:
    join(int(sys.argv[1]))
    server = Server(("::", 80), Handler)
    server.socket.setsockopt(socket.IPPROTO_TCP, TCP_CONGESTION, sys.argv[2].encode())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
