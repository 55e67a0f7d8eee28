# SPDX-License-Identifier: MIT
"""Echo (RFC 862), discard (RFC 863) and character source (RFC 864).

TCP echo copies nothing: it keeps what WskReceiveEvent indicates (STATUS_PENDING), sends the very
same buffers back, and releases them when the peer has acknowledged.  Until then they count
against the receive window, so a peer that does not read slows itself down and nobody else.
"""

from __future__ import annotations

from tools.services.client import Client
from tools.services.connections import Connection, TcpService
from wsk_api import (
    MDL,
    STATUS_PENDING,
    STATUS_SUCCESS,
    WSK_BUF,
    WSK_CLIENT_DATAGRAM_DISPATCH,
    WSK_DATA_INDICATION,
    WSK_DATAGRAM_INDICATION,
    WSK_EVENT_RECEIVE_FROM,
    WSK_SOCKET,
    IoAllocateIrp,
    IoReuseIrp,
    Ref,
    Subsystem,
    wsk_buf,
)


class EchoConnection(Connection):
    """Sends back what comes."""

    def received(self, indication: WSK_DATA_INDICATION, count: int, accepted: Ref[int]) -> int:
        self.send(WSK_BUF(_chain(indication), 0, count), indication)
        return STATUS_PENDING


def _chain(indication: WSK_DATA_INDICATION) -> MDL | None:
    """One MDL chain over the buffers of an indication, which itself must not be changed."""
    head: MDL | None = None
    last: MDL | None = None
    node: WSK_DATA_INDICATION | None = indication
    while node is not None:
        assert node.Buffer.Mdl is not None
        piece = MDL(node.Buffer.Mdl.view)
        if last is None:
            head = piece
        else:
            last.Next = piece
        last = piece
        node = node.Next
    return head


class Echo(TcpService):
    """TCP port 7."""

    connection = EchoConnection


class Discard(TcpService):
    """TCP port 9: `Connection` takes everything and does nothing with it."""


def _characters() -> bytes:
    """RFC 864's pattern: lines of 72 printable characters, each line shifted by one."""
    ring = bytes(range(32, 127))
    lines = [(ring * 2)[start : start + 72] + b"\r\n" for start in range(len(ring))]
    return b"".join(lines) * 144


CHARACTERS = _characters()


class CharacterConnection(Connection):
    """Sends characters as fast as they are taken."""

    def opened(self) -> None:
        for _ in range(4):
            self.send(wsk_buf(CHARACTERS))

    def sent(self) -> None:
        if not self.closing:
            self.send(wsk_buf(CHARACTERS))

    def peer_finished(self) -> None:
        self.close()


class CharacterSource(TcpService):
    """TCP port 19."""

    connection = CharacterConnection


class UdpEcho:
    """UDP port 7: each datagram goes back to where it came from."""

    def __init__(self, subsystem: Subsystem, port: int) -> None:
        self.irp = IoAllocateIrp(1, False)
        self._client = Client(subsystem, WSK_EVENT_RECEIVE_FROM)
        self.socket: WSK_SOCKET = self._client.datagram(
            port, WSK_CLIENT_DATAGRAM_DISPATCH(_receive_from_event), self
        )

    def stop(self) -> None:
        """Close the socket."""
        self._client.close()


def _receive_from_event(
    SocketContext: UdpEcho, Flags: int, DataIndication: WSK_DATAGRAM_INDICATION | None
) -> int:
    socket = getattr(SocketContext, "socket", None)
    if socket is None:
        return STATUS_SUCCESS  # a datagram that was faster than the assignment
    send, irp = socket.Dispatch.WskSendTo, SocketContext.irp
    node = DataIndication
    while node is not None:
        # A datagram is complete when the call returns, so one request serves for all of them.
        IoReuseIrp(irp)
        send(socket, node.Buffer, 0, node.RemoteAddress, 0, None, irp)
        node = node.Next
    return STATUS_SUCCESS
