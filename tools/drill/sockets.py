# SPDX-License-Identifier: MIT
"""Sockets as a kernel has them, on the seam of the transports.

Received octets go into a buffer that only counts (payload is all zeros) and are granted back
as the script reads them, so the window behaves like a kernel's.  A call that would block is a
generator: it yields what it waits for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from typing import Final

from stack.base import status
from stack.transport.datagram_seam import Datagram, DatagramSink, Received
from stack.transport.seam import (
    OPTION_FAST_OPEN,
    OPTION_NODELAY,
    SEND_URGENT,
    SHARE_DEFAULT,
    Listener,
    ListenerSink,
    Stream,
    StreamSink,
)
from tools.drill.outcome import CallError, Unsupported
from tools.drill.world import World

Waiting = Generator[Callable[[], bool], None, int]
"""A call in progress."""

ERRNO: Final = {
    status.INVALID: "EINVAL",
    status.IN_USE: "EADDRINUSE",
    status.ACCESS: "EADDRINUSE",
    status.NOT_LOCAL: "EADDRNOTAVAIL",
    status.NO_PORTS: "EADDRNOTAVAIL",
    status.NO_ROUTE: "ENETUNREACH",
    status.HOST_UNREACHABLE: "EHOSTUNREACH",
    status.PROTOCOL_UNREACHABLE: "ENOPROTOOPT",
    status.PORT_UNREACHABLE: "ECONNREFUSED",
    status.REFUSED: "ECONNREFUSED",
    status.RESET: "ECONNRESET",
    status.ABORTED: "ECONNABORTED",
    status.TIMED_OUT: "ETIMEDOUT",
    status.TOO_BIG: "EMSGSIZE",
    status.NO_MEMORY: "ENOBUFS",
    status.NOT_CONNECTED: "ENOTCONN",
    status.STATE: "EINVAL",
}
_PENDING: Final = 1024
CONNECT: Final = "connect"
FIN: Final = "fin"
POLLIN, POLLPRI, POLLOUT, POLLERR, POLLHUP = 1, 2, 4, 8, 16
POLLRDHUP = 0x2000


def check(result: int) -> int:
    """Raise the error of a status; OK and PENDING are 0."""
    if result in (status.OK, status.PENDING):
        return 0
    raise CallError(ERRNO.get(result, "EIO"))


class Socket:
    """What all descriptors have."""

    def __init__(self, world: World, families: int) -> None:
        self.world = world
        self.families = families
        self.nonblocking = False
        self.error: str | None = None
        self.options: dict[tuple[int, int], int] = {}
        self.bound: tuple[bytes, int] | None = None

    def take_error(self) -> None:
        """A pending error is told once."""
        error, self.error = self.error, None
        if error is not None:
            raise CallError(error)

    def events(self) -> int:
        """What poll() would say."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class TcpSocket(Socket, StreamSink):
    """A connection, or what may become one."""

    def __init__(self, world: World, families: int, stream: Stream | None = None) -> None:
        super().__init__(world, families)
        self.stream = stream or world.stack.tcp.open_stream(families)
        self.stream.attach(self)
        self.listener: Listening | None = None
        self.connected = stream is not None
        self.connecting = False
        self.fresh = False  # connected, and no connect() has said so yet
        self.available = 0
        self.eof = False
        self.gone = False
        self.read_shut = False
        self.write_shut = False
        self.fin_done = False
        self.orphan = False
        self.send_buffer = world.settings.policy.send_buffer
        self.receive_buffer = world.stack.config.tcp_receive_buffer
        self.linger: tuple[int, int] = (0, 0)
        self.implied = False  # sendto() connects, and connect() may wait for it
        self.deferred: tuple[bytes, int] | None = None  # where connect() wanted to go

    # The sink.

    def done(self, token: object, result: int, count: int) -> None:
        if token == CONNECT:
            self.connecting = False
            if result == status.OK:
                self.connected = self.fresh = True
            else:
                self.error = ERRNO.get(result, "EIO")
        elif token == FIN:
            self.fin_done = True

    def received(self, views: list[memoryview], count: int, flags: int) -> int:
        if self.orphan:
            # RFC 1122 4.2.2.13: nobody will ever read this.
            self.stream.abort()
            return 0
        self.available += count
        return count

    def finished(self) -> None:
        self.eof = True

    def aborted(self, result: int) -> None:
        self.gone = True
        self.connected = self.connecting = False
        if result != status.ABORTED:
            self.error = ERRNO.get(result, "EIO")
            if result == status.RESET and self.eof and self.world.settings.policy.pipe_after_fin:
                self.error = "EPIPE"

    # The calls.

    def bind(self, address: bytes, port: int) -> int:
        if self.bound is not None:
            raise CallError("EINVAL")
        check(self.stream.bind(address, port, SHARE_DEFAULT))
        name = self.stream.local_name()
        assert name is not None
        self.bound = (address, name.port)
        return 0

    def listen(self) -> int:
        if self.connected or self.connecting:
            raise CallError("EINVAL")
        if self.listener is None:
            if self.bound is None:
                self.bind(b"", 0)
            assert self.bound is not None
            self.stream.close()
            self.listener = Listening(self.world, self.families, *self.bound)
            if self.world.config.opens_early:
                self.listener.open_early(_PENDING)
        return 0

    def accept(self, nonblocking: bool) -> Generator[Callable[[], bool], None, TcpSocket]:
        listener = self.listener
        if listener is None:
            raise CallError("EINVAL")
        if not listener.ready() and nonblocking:
            raise CallError("EAGAIN")
        while not listener.ready():
            yield listener.ready
        return TcpSocket(self.world, self.families, listener.take())

    def connect(self, address: bytes, port: int) -> Waiting:
        if self.connected:
            if self.fresh and self.world.settings.policy.connect_twice:
                self.fresh = False
                return 0
            raise CallError("EISCONN")
        if self.listener is not None:
            raise CallError("EISCONN")
        self.take_error()
        if self.implied and not self.connecting and self.world.settings.policy.defers_connect:
            if self.knows_cookie(address):
                self.deferred = address, port
                return 0
            check(self.stream.set_option(OPTION_FAST_OPEN, 1))
        if self.connecting:
            if self.nonblocking:
                raise CallError("EALREADY")
        else:
            if self.bound is None:
                self.bind(b"", 0)
            check(self.stream.connect(address, port, 0, CONNECT))
            self.connecting, self.gone = True, False
            if self.nonblocking:
                raise CallError("EINPROGRESS")
        while self.connecting:
            yield lambda: not self.connecting
        self.fresh = False
        self.take_error()
        return 0

    def connect_early(
        self, count: int, address: bytes, port: int, nonblocking: bool, queue: bool
    ) -> Waiting:
        """Connect with `count` octets to send at once (RFC 7413).

        What goes with the SYN is what there is a cookie and room for; `queue`: the rest need not
        wait for the connection.
        """
        if self.connected or self.connecting:
            raise CallError("EISCONN" if self.connected else "EALREADY")
        self.take_error()
        if self.bound is None:
            self.bind(b"", 0)
        check(self.stream.set_option(OPTION_FAST_OPEN, 1))
        check(self.stream.connect(address, port, 0, CONNECT))
        self.connecting, self.gone, self.deferred = True, False, None
        first = min(count, self._early_room() if nonblocking and not queue else self.send_buffer)
        if first:
            check(self.stream.send([memoryview(bytes(first))], first, 0, None))
        if queue:
            return first  # FreeBSD's sendto() does not wait for the connection
        if nonblocking:
            if not first:
                raise CallError("EINPROGRESS")
            return first
        while self.connecting:
            yield lambda: not self.connecting
        self.fresh = False
        self.take_error()
        return first + (yield from self.send(count - first, False, False)) if count else 0

    def _early_room(self) -> int:
        tcb = self.world.tcb_of(self.stream)
        if tcb is None or tcb.fast_open is None:
            return 0
        return min(tcb.fast_open.room, tcb.path.room - 60)

    def knows_cookie(self, address: bytes) -> bool:
        """A SYN to `address` could carry data."""
        world = self.world
        offer = world.stack.tcp.fast_open.offer(world.builder.local + address)
        return offer is not None and offer.room > 0

    def send(self, count: int, urgent: bool, nonblocking: bool) -> Waiting:
        self.take_error()
        if self.deferred is not None:
            return (yield from self.connect_early(count, *self.deferred, nonblocking, False))
        if self.write_shut or self.gone or self.listener is not None:
            raise CallError("EPIPE")
        if self.connecting and not nonblocking:
            yield lambda: not self.connecting
            self.take_error()
        if not self.connected:
            raise CallError("EAGAIN" if self.connecting else "EPIPE")
        sent = 0
        while sent < count or count == 0:
            piece = min(count - sent, max(self.send_buffer - self.queued, 0))
            if piece or count == 0:
                last = sent + piece == count
                flags = SEND_URGENT if urgent and last else 0
                check(self.stream.send([memoryview(bytes(piece))], piece, flags, None))
                sent += piece
                if last:
                    break
            if nonblocking:
                if not sent:
                    raise CallError("EAGAIN")
                break
            yield lambda: self._writable() or self.gone
            if self._ended():
                if sent:
                    break
                self.take_error()
                raise CallError("EPIPE")
        return sent

    def _writable(self) -> bool:
        """A third of the buffer is free: worth waking the writer."""
        return self.send_buffer - self.queued >= self.send_buffer // 3

    @property
    def queued(self) -> int:
        """Octets the peer has not acknowledged."""
        return self.unsent()[0]

    def _ended(self) -> bool:
        return self.gone

    def receive(self, count: int, peek: bool, all_of_it: bool, nonblocking: bool) -> Waiting:
        if self.listener is not None or not (self.connected or self.eof or self.gone):
            self.take_error()
            raise CallError("EAGAIN" if self.connecting and nonblocking else "ENOTCONN")
        least = count if all_of_it else min(count, 1)
        while self.available < least and not (self.eof or self.error or self.gone):
            if self.read_shut:
                return 0
            if nonblocking:
                if self.available:
                    break
                raise CallError("EAGAIN")
            yield lambda: self.available >= least or self.eof or self.gone
        taken = min(self.available, count)
        if not taken and count:
            self.take_error()
            return 0
        if not peek:
            self.available -= taken
            self.stream.grant(taken)
        return taken

    def shutdown(self, how: int) -> int:
        if how not in (0, 1, 2):
            raise CallError("EINVAL")
        if self.listener is not None:
            self.listener.close()
            return 0
        if not self.connected or (self.eof and self.fin_done):
            raise CallError("ENOTCONN")
        if how != 1:
            self.read_shut = True
        if how and not self.write_shut:
            self.write_shut = True
            check(self.stream.disconnect(FIN))
        return 0

    def close(self) -> None:
        if self.listener is not None:
            self.listener.close()
            return
        self.orphan = True
        if not self.connected:
            self.stream.close()
        elif self.available or self.linger == (1, 0):
            # RFC 2525 2.17: the peer must learn that data was lost.
            self.stream.abort()
        elif not self.write_shut:
            self.write_shut = True
            self.stream.disconnect(FIN)

    def set_nodelay(self, value: int) -> None:
        check(self.stream.set_option(OPTION_NODELAY, value))

    def unsent(self) -> tuple[int, int]:
        """(octets not acknowledged, octets not sent)."""
        tcb = self.world.tcb_of(self.stream)
        if tcb is None:
            return 0, 0
        end = tcb.sendq.end
        return max(end - max(tcb.snd.una_at, 1), 0), max(end - max(tcb.snd.nxt_at, 1), 0)

    def events(self) -> int:
        if self.listener is not None:
            return POLLIN if self.listener.ready() else 0
        found = 0
        if self.available or self.eof or self.error or self.gone or self.read_shut:
            found |= POLLIN
        if self.eof or self.read_shut or self.gone:
            found |= POLLRDHUP
        if self.deferred is not None:
            return POLLOUT
        writable = self.connected and (self._writable() or self.write_shut)
        if self.error or self.gone or writable:
            found |= POLLOUT
        if self.error:
            found |= POLLERR
        if self.gone or (self.eof and self.write_shut) or not (self.connected or self.connecting):
            found |= POLLHUP
        return found


class Listening(ListenerSink):
    """The queue of connections that wait for accept()."""

    def __init__(self, world: World, families: int, address: bytes, port: int) -> None:
        self._listener: Listener = world.stack.tcp.open_listener(families)
        self._listener.attach(self)
        self._ready: deque[Stream] = deque()
        check(self._listener.bind(address, port, SHARE_DEFAULT))

    def open_early(self, pending: int) -> None:
        """Do Fast Open."""
        check(self._listener.set_option(OPTION_FAST_OPEN, pending))

    def accepted(self, stream: Stream) -> StreamSink | None:
        return None  # it waits in the transport, and so counts against the backlog

    def ready(self) -> bool:
        """Somebody waits."""
        if not self._ready:
            stream = self._listener.accept()
            if stream is not None:
                self._ready.append(stream)
        return bool(self._ready)

    def take(self) -> Stream:
        stream = self._ready.popleft()
        self._listener.resume()
        return stream

    def close(self) -> None:
        for stream in self._ready:
            stream.abort()
        self._listener.close()


class UdpSocket(Socket, DatagramSink):
    """A UDP socket."""

    def __init__(self, world: World, families: int) -> None:
        super().__init__(world, families)
        self.endpoint: Datagram = world.stack.udp.open_datagram(families)
        self.endpoint.attach(self)
        self.peer: tuple[bytes, int] | None = None
        self.queue: deque[tuple[int, int]] = deque()  # (octets, charge)

    def received(self, batch: list[Received]) -> int:
        for one in batch:
            if self.peer is None or self.peer == (one.address, one.port):
                self.queue.append((len(one.view), one.charge))
            else:
                self.endpoint.grant(one.charge)
        return len(batch)

    def bind(self, address: bytes, port: int) -> int:
        if self.bound is not None:
            raise CallError("EINVAL")
        check(self.endpoint.bind(address, port, SHARE_DEFAULT))
        name = self.endpoint.local_name()
        assert name is not None
        self.bound = (address, name.port)
        return 0

    def connect(self, address: bytes, port: int) -> int:
        if self.bound is None:
            self.bind(b"", 0)
        self.peer = (address, port)
        return 0

    def send(self, count: int, to: tuple[bytes, int] | None) -> int:
        to = to or self.peer
        if to is None:
            raise CallError("EDESTADDRREQ")
        if self.bound is None:
            self.bind(b"", 0)
        check(self.endpoint.send([memoryview(bytes(count))], count, to[0], to[1], 0))
        return count

    def receive(self, count: int, peek: bool, nonblocking: bool) -> Waiting:
        if not self.queue and nonblocking:
            raise CallError("EAGAIN")
        while not self.queue:
            yield lambda: bool(self.queue)
        size, charge = self.queue[0]
        if not peek:
            self.queue.popleft()
            self.endpoint.grant(charge)
        return min(size, count)

    def shutdown(self, how: int) -> int:
        if self.peer is None:
            raise CallError("ENOTCONN")
        raise Unsupported("shutdown of a UDP socket")

    def close(self) -> None:
        self.endpoint.close()

    def events(self) -> int:
        return POLLOUT | (POLLIN if self.queue else 0)
