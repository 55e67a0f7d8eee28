# SPDX-License-Identifier: MIT
"""A small HTTP/1.1 listener in the facade's style: TCP port 8000.

Keep-alive, pipelining, a limit for the head and one for idleness; GET and HEAD of two pages.

tools/demo --with examples/http_facade.py         and in another terminal
tools/wsk in curl http://10.77.0.2:8000/
"""

from wsk_api.facade import Client

PORT = 8000
LONGEST_HEAD = 16384
IDLE = 30.0

HELLO = """<!doctype html><title>Hello</title>
<p>Hello, {host}. You came from port {port}, this is your request number {number}.</p>
<p>Try <a href="/plain">/plain</a>.</p>
"""


def answer(status, body, kind="text/plain", close=False, head_only=False):
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Type: {kind}; charset=utf-8",
        f"Content-Length: {len(body.encode())}",
        *(["Connection: close"] if close else []),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + ("" if head_only else body)).encode()


def respond(head, peer, number):
    """(the answer, whether it is the last one) for a request's head."""
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        return answer("400 Bad Request", "that is not HTTP/1\n", close=True), True
    method, path, version = words
    headers = {
        name.strip().lower(): value.strip().lower()
        for name, _, value in (line.partition(":") for line in lines[1:])
    }
    last = version == "HTTP/1.0" or headers.get("connection") == "close"
    if method not in ("GET", "HEAD"):
        # A body may follow, which nobody will read.
        return answer("405 Method Not Allowed", "GET or HEAD\n", close=True), True
    how = {"close": last, "head_only": method == "HEAD"}
    if path == "/":
        page = HELLO.format(host=peer.host, port=peer.port, number=number)
        return answer("200 OK", page, "text/html", **how), last
    if path == "/plain":
        return answer("200 OK", "plain\n", **how), last
    return answer("404 Not Found", "there are / and /plain\n", **how), last


async def handle(connection):
    pending, number, last = b"", 0, False
    while not last:
        while b"\r\n\r\n" not in pending:
            if len(pending) > LONGEST_HEAD:
                text = "a shorter head, please\n"
                await connection.send(answer("431 Headers Too Large", text, close=True))
                return
            chunk = await connection.receive(timeout=IDLE)
            if not chunk:
                return
            pending += chunk
        head, _, pending = pending.partition(b"\r\n\r\n")
        number += 1
        data, last = respond(head, connection.remote, number)
        await connection.send(data)


async def serve(stack):
    async with Client(stack) as client, client.listen(PORT) as listener:
        await listener.serve(handle)
