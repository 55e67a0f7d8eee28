# SPDX-License-Identifier: MIT
"""Datagrams in lists and in one piece, as a WSK client: what `tools/measure/lists` loads.

    COUNT_JOINED, COUNT_EACH   counts what comes; a datagram of one octet is answered with the count
    ECHO_JOINED, ECHO_EACH     sends back what comes
    SOURCE                     a datagram "list SIZE COUNT TIMES" is answered with so many times
                               WskSendMessages of COUNT datagrams of SIZE octets; with "buffer"
                               they are one WskSendTo with a segment size

The joined ones have UDP_RECV_MAX_COALESCED_SIZE set, and are indicated what came in one frame as
one buffer; the others get a list with an element for each datagram.
"""

from __future__ import annotations

from typing import Any, Final

from tools.services.client import Client, wait_for
from wsk_api import (
    IPPROTO_UDP,
    IRP,
    MDL,
    STATUS_SUCCESS,
    ULONG,
    WSK_BUF,
    WSK_BUF_LIST,
    WSK_CLIENT_DATAGRAM_DISPATCH,
    WSK_DATAGRAM_INDICATION,
    WSK_EVENT_RECEIVE_FROM,
    WSK_SOCKET,
    IoAllocateIrp,
    IoReuseIrp,
    Subsystem,
    WskSetOption,
    wsk_buf,
)
from wsk_api.ancillary import CMSGHDR, HEADER_SIZE
from wsk_api.option_constants import UDP_RECV_MAX_COALESCED_SIZE, UDP_SEND_MSG_SIZE

COUNT_JOINED: Final = 40011
COUNT_EACH: Final = 40012
ECHO_JOINED: Final = 40013
ECHO_EACH: Final = 40014
SOURCE: Final = 40015

_Node = WSK_DATAGRAM_INDICATION | None


class _Port:
    """One socket, and the request that serves for all it sends: a datagram is complete when the
    call returns."""

    def __init__(self, client: Client, port: int, joined: bool) -> None:
        self.irp: IRP = IoAllocateIrp(1, False)
        self.socket: WSK_SOCKET | None = None
        dispatch = WSK_CLIENT_DATAGRAM_DISPATCH(_receive_from_event)
        socket = client.datagram(port, dispatch, self)
        if joined:
            control = socket.Dispatch.WskControlSocket
            what = (WskSetOption, UDP_RECV_MAX_COALESCED_SIZE, IPPROTO_UDP, 4, ULONG(0xFFFF))
            wait_for(lambda irp: int(control(socket, *what, 0, None, None, irp)), "coalescing")
        self.socket = socket

    def arrived(self, socket: WSK_SOCKET, node: _Node) -> None:
        """An indication; what came before the socket was ready is lost."""
        raise NotImplementedError

    def send(self, buffer: WSK_BUF, remote: Any, control: bytes | None = None) -> None:
        """WskSendTo."""
        assert self.socket is not None
        IoReuseIrp(self.irp)
        size = len(control) if control else 0
        self.socket.Dispatch.WskSendTo(self.socket, buffer, 0, remote, size, control, self.irp)

    def send_list(self, head: WSK_BUF_LIST | None, remote: Any) -> None:
        """WskSendMessages."""
        assert self.socket is not None
        IoReuseIrp(self.irp)
        self.socket.Dispatch.WskSendMessages(self.socket, head, 0, remote, 0, None, self.irp)


def _receive_from_event(SocketContext: _Port, Flags: int, DataIndication: _Node) -> int:
    if SocketContext.socket is not None:
        SocketContext.arrived(SocketContext.socket, DataIndication)
    return STATUS_SUCCESS


def segment_of(node: WSK_DATAGRAM_INDICATION) -> int:
    """The size that UDP_COALESCED_INFO tells, the only object there is; 0 for one datagram."""
    info = node.ControlInfo
    return int.from_bytes(info[HEADER_SIZE : HEADER_SIZE + 4], "little") if info else 0


class _Counter(_Port):
    """COUNT_JOINED, COUNT_EACH."""

    count = 0

    def arrived(self, socket: WSK_SOCKET, node: _Node) -> None:
        while node is not None:
            length = node.Buffer.Length
            if node.ControlInfo is not None:
                self.count += -(-length // segment_of(node))
            elif length > 1:
                self.count += 1
            else:
                self.send(wsk_buf(b"%d" % self.count), node.RemoteAddress)
            node = node.Next


class _EchoJoined(_Port):
    """ECHO_JOINED: one call for what came in one frame."""

    _controls: dict[int, bytes]

    def __init__(self, client: Client, port: int) -> None:
        self._controls = {}
        super().__init__(client, port, True)

    def arrived(self, socket: WSK_SOCKET, node: _Node) -> None:
        while node is not None:
            segment = segment_of(node)
            control = self._controls.get(segment)
            if control is None:
                made = CMSGHDR(IPPROTO_UDP, UDP_SEND_MSG_SIZE, ULONG(segment)).packed()
                control = self._controls[segment] = made
            self.send(node.Buffer, node.RemoteAddress, control)
            node = node.Next


class _EchoEach(_Port):
    """ECHO_EACH: a list in, a list out for each source."""

    def arrived(self, socket: WSK_SOCKET, node: _Node) -> None:
        while node is not None:
            remote = node.RemoteAddress
            head = last = WSK_BUF_LIST(node.Buffer)
            node = node.Next
            while node is not None and node.RemoteAddress is remote:
                last.Next = last = WSK_BUF_LIST(node.Buffer)
                node = node.Next
            self.send_list(head, remote)


class _Source(_Port):
    """SOURCE."""

    def __init__(self, client: Client, port: int) -> None:
        self._lists: dict[tuple[int, int], tuple[WSK_BUF, WSK_BUF_LIST | None]] = {}
        super().__init__(client, port, False)

    def arrived(self, socket: WSK_SOCKET, node: _Node) -> None:
        while node is not None:
            assert node.Buffer.Mdl is not None
            words = bytes(node.Buffer.Mdl.view).split()
            if len(words) == 4:
                size, count, times = map(int, words[1:])
                self._answer(words[0], size, count, times, node.RemoteAddress)
            node = node.Next

    def _answer(self, how: bytes, size: int, count: int, times: int, remote: Any) -> None:
        buffer, head = self._made(size, count)
        control = CMSGHDR(IPPROTO_UDP, UDP_SEND_MSG_SIZE, ULONG(size)).packed()
        for _ in range(times):
            if how == b"list":
                self.send_list(head, remote)
            else:
                self.send(buffer, remote, control)

    def _made(self, size: int, count: int) -> tuple[WSK_BUF, WSK_BUF_LIST | None]:
        found = self._lists.get((size, count))
        if found is None:
            memory = memoryview(bytes(n % 251 for n in range(size * count)))
            head: WSK_BUF_LIST | None = None
            for at in range(size * (count - 1), -1, -size):
                head = WSK_BUF_LIST(WSK_BUF(MDL(memory[at : at + size]), 0, size), head)
            found = self._lists[size, count] = (wsk_buf(memory), head)
        return found


class Lists:
    """All of them."""

    def __init__(self, subsystem: Subsystem) -> None:
        self._client = Client(subsystem, WSK_EVENT_RECEIVE_FROM)
        self._ports = [
            _Counter(self._client, COUNT_JOINED, True),
            _Counter(self._client, COUNT_EACH, False),
            _EchoJoined(self._client, ECHO_JOINED),
            _EchoEach(self._client, ECHO_EACH, False),
            _Source(self._client, SOURCE),
        ]

    def stop(self) -> None:
        """Close the sockets."""
        self._client.close()
