# SPDX-License-Identifier: MIT
"""HTTP/1.1 on port 80: h11 does the protocol, WSK the transport.

    GET /            a small page that says what this is
    GET /bytes/N     N octets of a fixed pattern; with ?digest they are hashed as they are sent
    GET /sha256      the SHA-256 of this connection's last ?digest answer
    POST /sha256     the SHA-256 of the request's body

Keep-alive and pipelining are h11's; back-pressure is WSK's: a large answer keeps a few sends
outstanding and goes on as they are acknowledged.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

import h11

from tools.services.connections import Connection, TcpService
from wsk_api import STATUS_SUCCESS, WSK_DATA_INDICATION, Ref, wsk_buf

_CHUNK: Final = 1 << 20
_AHEAD: Final = 4
"""Sends kept outstanding by a large answer."""
_PIPELINED: Final = 1 << 17
"""Requests that may wait, in octets, while an answer is under way."""
LIMIT: Final = 1 << 34
"""Largest N of /bytes/N."""
_BYTES: Final = re.compile(rb"/bytes/(\d{1,11})(\?digest)?")

PATTERN: Final = memoryview(
    b"".join(hashlib.sha256(n.to_bytes(4, "big")).digest() for n in range(_CHUNK // 32))
)

PAGE: Final = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>wskstack</title></head>
<body style="font-family: sans-serif; max-width: 40em; margin: 3em auto">
<h1>It works</h1>
<p>This page came to you through a TCP/IP stack written in Python. Ethernet frames, ARP, IPv4 and
IPv6, TCP: all of it in user space. The server behind it is a Winsock Kernel client with one
listening socket for both families and receive event callbacks.</p>
<p><a href="/bytes/1000000">/bytes/1000000</a> sends you a million octets;
<code>POST /sha256</code> answers with the digest of what you send.</p>
</body></html>
"""


class HttpConnection(Connection):
    """One client."""

    def __init__(self, service: TcpService, socket: object) -> None:
        super().__init__(service, socket)  # type: ignore[arg-type]
        self._h11 = h11.Connection(h11.SERVER)
        self._hash: hashlib._Hash | None = None
        self._body_left = 0  # octets of the current answer's pattern not yet queued
        self._queued = 0  # and how many of them are
        self._ahead = 0  # octets of requests that came during an answer
        self._sent_hash: hashlib._Hash | None = None

    # Events.

    def received(self, indication: WSK_DATA_INDICATION, count: int, accepted: Ref[int]) -> int:
        node: WSK_DATA_INDICATION | None = indication
        self._ahead = self._ahead + count if self._body_left else 0
        if self._ahead > _PIPELINED:
            self.close()  # asks and asks, and does not read the answers
            return STATUS_SUCCESS
        while node is not None:
            assert node.Buffer.Mdl is not None
            self._h11.receive_data(bytes(node.Buffer.Mdl.view))
            self._advance()
            node = node.Next
        return STATUS_SUCCESS

    def peer_finished(self) -> None:
        if self._body_left or self.outstanding:
            return  # the answer is still wanted; `sent` finishes
        self.finish()

    def sent(self) -> None:
        if self._body_left:
            self._stream()
        elif not self.outstanding and self._h11.our_state in (h11.MUST_CLOSE, h11.CLOSED):
            self.finish()

    # HTTP.

    def _advance(self) -> None:
        """Take events from h11 until it wants more data, or an answer is under way."""
        try:
            while not self._body_left and not self.closing:
                event = self._h11.next_event()
                if isinstance(event, h11.Request):
                    self._request(event)
                elif isinstance(event, h11.Data):
                    if self._hash is not None:
                        self._hash.update(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    self._respond()
                elif event is h11.PAUSED and self._h11.our_state is h11.DONE:
                    self._h11.start_next_cycle()
                else:
                    return
        except h11.RemoteProtocolError as error:
            self._refuse(error)

    def _request(self, request: h11.Request) -> None:
        self._current = request
        is_digest = request.method == b"POST" and request.target == b"/sha256"
        self._hash = hashlib.sha256() if is_digest else None
        if self._h11.they_are_waiting_for_100_continue:
            self._write(h11.InformationalResponse(status_code=100, headers=[]))

    def _respond(self) -> None:
        request = self._current
        path = request.target
        if self._hash is not None:
            self._answer(200, b"text/plain", self._hash.hexdigest().encode() + b"\n")
        elif request.method not in (b"GET", b"HEAD"):
            self._answer(405, b"text/plain", b"GET, HEAD, or POST /sha256\n")
        elif path == b"/":
            self._answer(200, b"text/html; charset=utf-8", PAGE)
        elif path == b"/sha256" and self._sent_hash is not None:
            self._answer(200, b"text/plain", self._sent_hash.hexdigest().encode() + b"\n")
        elif (asked := _BYTES.fullmatch(path)) and int(asked[1]) <= LIMIT:
            self._sent_hash = hashlib.sha256() if asked[2] else None
            self._answer_bytes(int(asked[1]))
        else:
            self._answer(404, b"text/plain", b"there is /, /bytes/N and POST /sha256\n")

    def _answer(self, status: int, kind: bytes, body: bytes) -> None:
        self._headers(status, kind, len(body))
        if self._current.method != b"HEAD":
            self._write(h11.Data(data=body))
        self._end()

    def _answer_bytes(self, count: int) -> None:
        self._headers(200, b"application/octet-stream", count)
        if self._current.method == b"HEAD" or count == 0:
            self._end()
            return
        self._body_left = count
        self._queued = 0
        self._stream()

    def _stream(self) -> None:
        """Queue more of the pattern; h11 passes each piece on as it is."""
        while self._body_left and self.outstanding < _AHEAD and not self.closing:
            at = self._queued % _CHUNK
            size = min(_CHUNK - at, self._body_left)
            self._queued += size
            self._body_left -= size
            if self._sent_hash is not None:
                self._sent_hash.update(PATTERN[at : at + size])
            data = h11.Data(data=PATTERN[at : at + size])  # type: ignore[arg-type]
            for piece in self._h11.send_with_data_passthrough(data) or ():
                self.send(wsk_buf(piece))
        if not self._body_left:
            self._end()

    def _headers(self, status: int, kind: bytes, length: int) -> None:
        headers = [
            (b"server", b"wskstack"),
            (b"content-type", kind),
            (b"content-length", str(length).encode()),
        ]
        self._write(h11.Response(status_code=status, headers=headers))

    def _end(self) -> None:
        self._write(h11.EndOfMessage())
        if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()
            self._advance()
        elif self._h11.our_state is h11.MUST_CLOSE and not self.outstanding:
            self.finish()

    def _write(self, event: h11.Event) -> None:
        data = self._h11.send(event)
        if data:
            self.send(wsk_buf(data))

    def _refuse(self, error: h11.RemoteProtocolError) -> None:
        if self._h11.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._write(
                h11.Response(
                    status_code=error.error_status_hint,
                    headers=[(b"content-length", b"0"), (b"connection", b"close")],
                )
            )
            self._write(h11.EndOfMessage())
        self.finish()


class Http(TcpService):
    """TCP port 80."""

    connection = HttpConnection
