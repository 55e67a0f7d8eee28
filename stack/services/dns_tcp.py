# SPDX-License-Identifier: MIT
"""Floor 6: one DNS question by TCP (RFC 1035 4.2.2, RFC 7766).

A connection of its own for one message each way, each behind its length and in one piece (RFC
7766 8).  Afterwards it is closed gracefully, within a bounded time.
Not done: reuse and pipelining (RFC 7766 6.2), which a stub's rare questions do not repay.
"""

from __future__ import annotations

from typing import Final

from stack.base import status
from stack.base.addr import family
from stack.base.seam import TimerOwner
from stack.base.timers import Timer
from stack.base.units import SECOND
from stack.services.means import PORT, Means, Server
from stack.transport.seam import OPTION_HOP_LIMIT, SHARE_DEFAULT, Stream, StreamSink

_LINGER: Final = 2 * SECOND
_CONNECT, _SEND, _DISCONNECT = "connect", "send", "disconnect"


class TcpUser:
    """Who asks."""

    __slots__ = ()

    def tcp_answered(self, wire: bytes) -> None:
        """The server's message."""

    def tcp_failed(self, result: int) -> None:
        """No message will come."""


class TcpQuestion(StreamSink, TimerOwner):
    """One connection to one server."""

    __slots__ = ("_buffer", "_means", "_stream", "_timer", "_user", "_wire")

    def __init__(self, user: TcpUser, means: Means, wire: bytes) -> None:
        self._user: TcpUser | None = user
        self._means = means
        self._timer = Timer(self)
        self._wire = len(wire).to_bytes(2, "big") + wire
        self._buffer = bytearray()
        self._stream: Stream | None = None

    def start(self, server: Server, port: int = PORT, hops: int = 0) -> int:
        """Connect and ask; `hops` 0 as configured.  PENDING, or why that cannot be."""
        means = self._means
        stream = means.tcp.open_stream(family(server.address))
        if stream is None:
            return status.NOT_SUPPORTED
        stream.attach(self)
        if hops:
            stream.set_option(OPTION_HOP_LIMIT, hops)
        result = stream.bind(b"", 0, SHARE_DEFAULT)
        if result == status.OK:
            result = stream.connect(server.address, port, server.scope, _CONNECT)
        if result != status.PENDING:
            stream.close()
            return result
        self._stream = stream
        means.timers.arm(self._timer, means.env.now + means.config.dns_tcp_timeout)
        return result

    def stop(self) -> None:
        """The answer is not wanted any more."""
        self._user = None
        self._timer.disarm()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    # StreamSink.

    def done(self, token: object, result: int, count: int) -> None:
        if result != status.OK:
            self._fail(result)
        elif token == _CONNECT and self._stream is not None:
            self._stream.send((self._wire,), len(self._wire), 0, _SEND)

    def received(self, views: list[memoryview], count: int, flags: int) -> int:
        if self._stream is not None:
            self._stream.grant(count)
        if self._user is None:
            return count
        for view in views:
            self._buffer += view
        size = int.from_bytes(self._buffer[:2], "big")
        if len(self._buffer) >= 2 + size and size:
            self._answer(bytes(self._buffer[2 : 2 + size]))
        elif len(self._buffer) >= 2 and not size:
            self._fail(status.SERVER_FAILED)
        return count

    def finished(self) -> None:
        self._fail(status.RESET)  # without an answer; with one there is nobody left to tell
        self.stop()

    def aborted(self, result: int) -> None:
        self._fail(result)

    def fired(self, timer: Timer) -> None:
        self._fail(status.TIMED_OUT)
        self.stop()

    def _answer(self, wire: bytes) -> None:
        user, self._user = self._user, None
        self._buffer.clear()
        if self._stream is not None:
            self._means.timers.arm(self._timer, self._means.env.now + _LINGER)
            self._stream.disconnect(_DISCONNECT)
        if user is not None:
            user.tcp_answered(wire)

    def _fail(self, result: int) -> None:
        user = self._user
        self.stop()
        if user is not None:
            user.tcp_failed(result)
