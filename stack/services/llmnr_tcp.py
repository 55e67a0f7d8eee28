# SPDX-License-Identifier: MIT
"""Floor 6: LLMNR queries by TCP (RFC 4795 2.4, 2.5), each behind its length (RFC 1035 4.2.2).

Everything of a connection leaves with a hop limit of one, the SYN-ACK too, so that nobody beyond a
router can complete a handshake.  A few connections at a time, each for a short while; a query that
is not to be answered closes its connection.
"""

from __future__ import annotations

from typing import Final

from stack.base import status
from stack.base.addr import V4, V6
from stack.base.seam import TimerOwner
from stack.base.timers import Timer
from stack.base.units import SECOND
from stack.services.link_means import LinkMeans
from stack.services.link_query import LLMNR
from stack.transport.seam import (
    OPTION_HOP_LIMIT,
    SHARE_DEFAULT,
    Listener,
    ListenerSink,
    Stream,
    StreamSink,
)

SESSIONS: Final = 16
PATIENCE: Final = 5 * SECOND
"""How long a connection may last, whatever happens on it."""
_LONGEST: Final = 4096  # of a query
_SENT, _CLOSED = "sent", "closed"


class TcpResponder:
    """Who answers."""

    __slots__ = ()

    def admits(self, local: bytes, remote: bytes) -> bool:
        """`remote` may connect to `local`."""
        raise NotImplementedError

    def tcp_query(self, wire: bytes, local: bytes, remote: bytes) -> bytes:
        """The answer to a query, empty if there is none."""
        raise NotImplementedError


class LlmnrListener(ListenerSink):
    """Connections to port 5355."""

    __slots__ = ("_listener", "means", "responder", "sessions")

    def __init__(self, responder: TcpResponder, means: LinkMeans) -> None:
        self.means = means
        self.responder = responder
        self.sessions: dict[Session, None] = {}
        self._listener: Listener | None = None

    def start(self) -> int:
        """OK, or why nobody can connect."""
        listener = self.means.tcp.open_listener(V4 | V6)
        if listener is None:
            return status.NOT_SUPPORTED
        listener.attach(self)
        listener.set_option(OPTION_HOP_LIMIT, 1)
        result = listener.bind(b"", LLMNR.port, SHARE_DEFAULT)
        if result == status.OK:
            self._listener = listener
        return result

    def stop(self) -> None:
        """Leave nothing open."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
        for session in list(self.sessions):
            session.stop()

    def accepted(self, stream: Stream) -> StreamSink | None:
        local, remote = stream.local_name(), stream.remote_name()
        full = len(self.sessions) >= SESSIONS
        if local is None or remote is None or full:
            stream.close()
            return None
        if not self.responder.admits(local.address, remote.address):
            stream.close()
            return None
        session = Session(self, stream, local.address, remote.address)
        self.sessions[session] = None
        return session


class Session(StreamSink, TimerOwner):
    """One connection."""

    __slots__ = (
        "_buffer",
        "_closed",
        "_ending",
        "_finished",
        "_listener",
        "_local",
        "_remote",
        "_stream",
        "_timer",
    )

    def __init__(
        self, listener: LlmnrListener, stream: Stream, local: bytes, remote: bytes
    ) -> None:
        self._listener = listener
        self._stream: Stream | None = stream
        self._local = local
        self._remote = remote
        self._buffer = bytearray()
        self._ending = False
        self._closed = False  # this side
        self._finished = False  # the other one
        self._timer = Timer(self)
        stream.set_option(OPTION_HOP_LIMIT, 1)
        listener.means.timers.arm(self._timer, listener.means.env.now + PATIENCE)

    def stop(self) -> None:
        """End it at once."""
        self._timer.disarm()
        self._listener.sessions.pop(self, None)
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def received(self, views: list[memoryview], count: int, flags: int) -> int:
        stream = self._stream
        if stream is None:
            return count
        stream.grant(count)
        if self._ending:
            return count
        for view in views:
            self._buffer += view
        while len(self._buffer) >= 2 and not self._ending:
            size = int.from_bytes(self._buffer[:2], "big")
            if size > _LONGEST:
                self._end()
            if len(self._buffer) < 2 + size:
                break
            query = bytes(self._buffer[2 : 2 + size])
            del self._buffer[: 2 + size]
            self._answer(stream, query)
        return count

    def _answer(self, stream: Stream, query: bytes) -> None:
        wire = self._listener.responder.tcp_query(query, self._local, self._remote)
        if wire:
            data = len(wire).to_bytes(2, "big") + wire
            stream.send((data,), len(data), 0, _SENT)
        else:
            self._end()

    def _end(self) -> None:
        """Nothing more is answered."""
        if not self._ending and self._stream is not None:
            self._ending = True
            self._buffer.clear()
            self._stream.disconnect(_CLOSED)

    def _both(self) -> None:
        if self._closed and self._finished:
            self.stop()

    def finished(self) -> None:
        self._finished = True
        self._end()
        self._both()

    def done(self, token: object, result: int, count: int) -> None:
        if result != status.OK:
            self.stop()
        elif token == _CLOSED:
            self._closed = True
            self._both()

    def aborted(self, result: int) -> None:
        self.stop()

    def fired(self, timer: Timer) -> None:
        self.stop()
