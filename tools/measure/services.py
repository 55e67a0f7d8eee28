# SPDX-License-Identifier: MIT
"""What the stack serves while `tools/bench` measures it: WSK clients, the fastest honest way.

The ports are those of load/common.h, where the same services stand on the kernel's sockets.
Bulk data is a pattern that repeats, so that the other side can tell of every octet whether it is
the right one: out goes WskSend of one buffer, four of it outstanding; in comes WskReceiveEvent,
which counts nothing and keeps nothing.  `Checked` digests what it receives, in verifying runs.
"""

from __future__ import annotations

import struct
import zlib
from itertools import cycle
from typing import Any, Final

from tools.measure.loader import HOT
from tools.services.client import Client, ignore, then, wait_for
from tools.services.connections import Connection, TcpService
from tools.services.echo import Discard, Echo, UdpEcho
from wsk_api import (
    IPPROTO_UDP,
    IRP,
    MDL,
    NT_SUCCESS,
    STATUS_SUCCESS,
    ULONG,
    WSK_BUF,
    WSK_BUF_LIST,
    WSK_CLIENT_DATAGRAM_DISPATCH,
    WSK_DATA_INDICATION,
    WSK_DATAGRAM_INDICATION,
    WSK_EVENT_RECEIVE_FROM,
    WSK_SOCKET,
    IoAllocateIrp,
    IoReuseIrp,
    Ref,
    Subsystem,
    WskSetOption,
    wsk_buf,
)
from wsk_api.ancillary import CMSGHDR, HEADER_SIZE
from wsk_api.option_constants import UDP_RECV_MAX_COALESCED_SIZE, UDP_SEND_MSG_SIZE

ECHO: Final = 7
DISCARD: Final = 9
CHECKED: Final = 10
SOURCE: Final = 19
RESPOND: Final = 20
COLD_SOURCE: Final = 29
LIST_ECHO: Final = 37
LIST_SOURCE: Final = 49
"""The services of 7 and 19, answering through WskSendMessages."""
JOINED_ECHO: Final = 67
JOINED_SINK: Final = 69
JOINED_SOURCE: Final = 79
"""Those of 7, 9 and 19, with one buffer for many datagrams."""
TOGETHER: Final = 60
LARGEST: Final = 65000
MESSAGE: Final = 64
AHEAD: Final = 4
"""Buffers of a mebibyte that are outstanding at a source."""
_WISH: Final = struct.Struct("!HH")
_COUNT: Final = struct.Struct("=Q")


class PatternConnection(Connection):
    """Sends the service's buffers, over and over."""

    def opened(self) -> None:
        self._next = cycle(self.service.buffers).__next__  # type: ignore[attr-defined]
        for _ in range(AHEAD):
            self.send(self._next())

    def sent(self) -> None:
        if not self.closing:
            self.send(self._next())

    def peer_finished(self) -> None:
        self.close()


class Source(TcpService):
    """TCP port 19 sends the pattern's beginning, port 29 all of it, in views of one memory."""

    connection = PatternConnection

    def __init__(self, subsystem: Subsystem, port: int, pattern: memoryview) -> None:
        pieces = (pattern[at : at + HOT] for at in range(0, len(pattern), HOT))
        self.buffers = [WSK_BUF(MDL(piece), 0, len(piece)) for piece in pieces]
        super().__init__(subsystem, port)


class CheckedConnection(Connection):
    """After the peer's FIN: crc32 and number of its octets, in hexadecimal."""

    def __init__(self, service: TcpService, socket: WSK_SOCKET) -> None:
        super().__init__(service, socket)
        self._crc = 0
        self._count = 0

    def received(self, indication: WSK_DATA_INDICATION, count: int, accepted: Ref[int]) -> int:
        node: WSK_DATA_INDICATION | None = indication
        while node is not None:
            assert node.Buffer.Mdl is not None
            self._crc = zlib.crc32(node.Buffer.Mdl.view, self._crc)
            node = node.Next
        self._count += count
        return STATUS_SUCCESS

    def peer_finished(self) -> None:
        self.send(wsk_buf(b"%08x%016x" % (self._crc, self._count)))
        self.finish()


class Checked(TcpService):
    """TCP port 10."""

    connection = CheckedConnection


class RespondConnection(Connection):
    """One request, one response; the response and FIN are one call."""

    def __init__(self, service: TcpService, socket: WSK_SOCKET) -> None:
        super().__init__(service, socket)
        self._left = MESSAGE
        self._done = self._over = False

    def received(self, indication: WSK_DATA_INDICATION, count: int, accepted: Ref[int]) -> int:
        self._left -= count
        if self._left == 0:
            socket = self.socket
            answer = self.service.answer  # type: ignore[attr-defined]
            socket.Dispatch.WskDisconnect(socket, answer, 0, then(self._sent))
        return STATUS_SUCCESS

    def peer_finished(self) -> None:
        self._over = True
        if self._done or self._left > 0:
            self.close()

    def _sent(self, irp: IRP) -> None:
        self._done = True
        if self._over or not NT_SUCCESS(irp.IoStatus.Status):
            self.close()


class Respond(TcpService):
    """TCP port 20."""

    connection = RespondConnection

    def __init__(self, subsystem: Subsystem, pattern: bytes) -> None:
        self.answer = wsk_buf(pattern[:MESSAGE])
        super().__init__(subsystem, RESPOND)


class Datagrams:
    """A UDP service: one socket whose events come to `arrived`."""

    port: int

    def __init__(self, subsystem: Subsystem) -> None:
        self.irp = IoAllocateIrp(1, False)
        self.socket: WSK_SOCKET | None = None
        self._client = Client(subsystem, WSK_EVENT_RECEIVE_FROM)
        table = WSK_CLIENT_DATAGRAM_DISPATCH(self._event)
        self.socket = self._client.datagram(self.port, table, self)

    def stop(self) -> None:
        """Close the socket."""
        self._client.close()

    def arrived(self, socket: WSK_SOCKET, indication: WSK_DATAGRAM_INDICATION) -> None:
        """A list of datagrams."""
        raise NotImplementedError

    def _event(self, context: Any, flags: int, indication: WSK_DATAGRAM_INDICATION | None) -> int:
        if indication is not None and self.socket is not None:
            self.arrived(self.socket, indication)
        return STATUS_SUCCESS


class Sink(Datagrams):
    """UDP port 9: counts."""

    port = DISCARD
    count = 0

    def arrived(self, socket: WSK_SOCKET, indication: WSK_DATAGRAM_INDICATION) -> None:
        node: WSK_DATAGRAM_INDICATION | None = indication
        count = 0
        while node is not None:
            count += 1
            node = node.Next
        self.count += count


class HowMany(Datagrams):
    """UDP port 10: what the sinks have counted."""

    port = CHECKED

    def __init__(self, subsystem: Subsystem, sinks: tuple[Sink | JoinedSink, ...]) -> None:
        self._sinks = sinks
        super().__init__(subsystem)

    def arrived(self, socket: WSK_SOCKET, indication: WSK_DATAGRAM_INDICATION) -> None:
        answer = wsk_buf(_COUNT.pack(sum(sink.count for sink in self._sinks)))
        to = indication.RemoteAddress
        socket.Dispatch.WskSendTo(socket, answer, 0, to, 0, None, then(ignore))


class Burst(Datagrams):
    """UDP port 19: as many datagrams of a size as a request asks for, a WskSendTo each."""

    port = SOURCE

    def __init__(self, subsystem: Subsystem, pattern: bytes) -> None:
        self._once = pattern[:2048]
        self._mdl = MDL(self._once)
        super().__init__(subsystem)

    def arrived(self, socket: WSK_SOCKET, indication: WSK_DATAGRAM_INDICATION) -> None:
        assert indication.Buffer.Mdl is not None
        count, size = _WISH.unpack(indication.Buffer.Mdl.view)
        self.answer(socket, WSK_BUF(self._mdl, 0, size), count, indication.RemoteAddress)

    def answer(self, socket: WSK_SOCKET, buffer: WSK_BUF, count: int, to: Any) -> None:
        """One request."""
        send, irp = socket.Dispatch.WskSendTo, self.irp
        for _ in range(count):
            # A datagram is complete when the call returns, so one request serves for all of them.
            IoReuseIrp(irp)
            send(socket, buffer, 0, to, 0, None, irp)


class ListBurst(Burst):
    """UDP port 49: the same in WskSendMessages of up to 60 datagrams, with memory for each."""

    port = LIST_SOURCE

    def __init__(self, subsystem: Subsystem, pattern: bytes) -> None:
        self._lists: dict[tuple[int, int], WSK_BUF_LIST] = {}
        super().__init__(subsystem, pattern)

    def answer(self, socket: WSK_SOCKET, buffer: WSK_BUF, count: int, to: Any) -> None:
        while count > 0:
            many = min(count, TOGETHER)
            head = self._lists.get((buffer.Length, many)) or self._made(buffer.Length, many)
            IoReuseIrp(self.irp)
            socket.Dispatch.WskSendMessages(socket, head, 0, to, 0, None, self.irp)
            count -= many

    def _made(self, size: int, count: int) -> WSK_BUF_LIST:
        memory = memoryview(self._once[:size] * count)
        head: WSK_BUF_LIST | None = None
        for at in range(size * (count - 1), -1, -size):
            head = WSK_BUF_LIST(WSK_BUF(MDL(memory[at : at + size]), 0, size), head)
        assert head is not None
        self._lists[size, count] = head
        return head


class JoinedBurst(Burst):
    """UDP port 79: the same in one buffer for up to 60, with UDP_SEND_MSG_SIZE."""

    port = JOINED_SOURCE

    def __init__(self, subsystem: Subsystem, pattern: bytes) -> None:
        self._buffers: dict[tuple[int, int], WSK_BUF] = {}
        super().__init__(subsystem, pattern)

    def answer(self, socket: WSK_SOCKET, buffer: WSK_BUF, count: int, to: Any) -> None:
        size = buffer.Length
        control = segments_of(size)
        while count > 0:
            many = min(count, TOGETHER, LARGEST // size)
            whole = self._buffers.get((size, many))
            if whole is None:
                whole = self._buffers[size, many] = wsk_buf(self._once[:size] * many)
            IoReuseIrp(self.irp)
            socket.Dispatch.WskSendTo(socket, whole, 0, to, len(control), control, self.irp)
            count -= many


class Joined(Datagrams):
    """A UDP service that is indicated what came in one super-frame as one buffer."""

    def __init__(self, subsystem: Subsystem) -> None:
        self._controls: dict[int, bytes] = {}
        super().__init__(subsystem)
        socket = self.socket
        assert socket is not None
        what = (WskSetOption, UDP_RECV_MAX_COALESCED_SIZE, IPPROTO_UDP, 4, ULONG(0xFFFF))
        control = socket.Dispatch.WskControlSocket
        wait_for(lambda irp: int(control(socket, *what, 0, None, None, irp)), "joining")


class JoinedSink(Joined):
    """UDP port 69: counts."""

    port = JOINED_SINK
    count = 0

    def arrived(self, socket: WSK_SOCKET, indication: WSK_DATAGRAM_INDICATION) -> None:
        node: WSK_DATAGRAM_INDICATION | None = indication
        count = 0
        while node is not None:
            size = segment_of(node)
            count += -(-node.Buffer.Length // size) if size else 1
            node = node.Next
        self.count += count


class JoinedEcho(Joined):
    """UDP port 67: one WskSendTo for what came in one super-frame."""

    port = JOINED_ECHO

    def arrived(self, socket: WSK_SOCKET, indication: WSK_DATAGRAM_INDICATION) -> None:
        send, irp, controls = socket.Dispatch.WskSendTo, self.irp, self._controls
        node: WSK_DATAGRAM_INDICATION | None = indication
        while node is not None:
            size = segment_of(node)
            control = controls.get(size)
            if control is None:
                control = controls[size] = segments_of(size) if size else b""
            IoReuseIrp(irp)
            send(socket, node.Buffer, 0, node.RemoteAddress, len(control), control or None, irp)
            node = node.Next


def segment_of(node: WSK_DATAGRAM_INDICATION) -> int:
    """The size of the datagrams in a buffer, which UDP_COALESCED_INFO tells; 0 for one."""
    info = node.ControlInfo
    return int.from_bytes(info[HEADER_SIZE : HEADER_SIZE + 4], "little") if info else 0


def segments_of(size: int) -> bytes:
    """The ancillary data that has a buffer sent as datagrams of `size` octets."""
    return CMSGHDR(IPPROTO_UDP, UDP_SEND_MSG_SIZE, ULONG(size)).packed()


class ListEcho(Datagrams):
    """UDP port 37: an indicated list goes back as one list, if all of it is one sender's."""

    port = LIST_ECHO

    def arrived(self, socket: WSK_SOCKET, indication: WSK_DATAGRAM_INDICATION) -> None:
        node: WSK_DATAGRAM_INDICATION | None = indication
        while node is not None:
            node = self._run_of_one(socket, node)

    def _run_of_one(
        self, socket: WSK_SOCKET, first: WSK_DATAGRAM_INDICATION
    ) -> WSK_DATAGRAM_INDICATION | None:
        """Answer those from the first one's sender; what comes after them."""
        sender = first.RemoteAddress
        head = last = WSK_BUF_LIST(first.Buffer)
        node = first.Next
        while node is not None and (node.RemoteAddress is sender or node.RemoteAddress == sender):
            more = WSK_BUF_LIST(node.Buffer)
            last.Next = more
            last = more
            node = node.Next
        IoReuseIrp(self.irp)
        socket.Dispatch.WskSendMessages(socket, head, 0, sender, 0, None, self.irp)
        return node


def all_services(subsystem: Subsystem, pattern: bytes) -> list[Any]:
    """Everything, started; each has `stop`."""
    return [
        Echo(subsystem, ECHO),
        Discard(subsystem, DISCARD),
        Checked(subsystem, CHECKED),
        Source(subsystem, SOURCE, memoryview(pattern)[:HOT]),
        Source(subsystem, COLD_SOURCE, memoryview(pattern)),
        Respond(subsystem, pattern),
        UdpEcho(subsystem, ECHO),
        *datagram_services(subsystem, pattern),
    ]


def datagram_services(subsystem: Subsystem, pattern: bytes) -> list[Any]:
    """Those of UDP but for the ordinary echo."""
    sinks = Sink(subsystem), JoinedSink(subsystem)
    return [
        *sinks,
        HowMany(subsystem, sinks),
        Burst(subsystem, pattern),
        ListBurst(subsystem, pattern),
        ListEcho(subsystem),
        JoinedBurst(subsystem, pattern),
        JoinedEcho(subsystem),
    ]
