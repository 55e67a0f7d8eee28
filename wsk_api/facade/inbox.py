# SPDX-License-Identifier: MIT
"""What arrived on a connection and was not read yet, as WskReceiveEvent left it.

Nothing is copied here: every indication is retained (STATUS_PENDING) and released when the last
of its octets was taken.  Until then it counts against the receive window, so that a program which
does not read slows its peer and nobody else (wsk.md 3.4).

An `Inbox` is the SocketContext of its socket: the events below write it on the stack's thread,
`connection` reads it on the caller's.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, Final

from wsk_api.buffers import views
from wsk_api.constants import WSK_FLAG_ABORTIVE
from wsk_api.facade.waiting import Request, Signal
from wsk_api.irp import IRP, IoAllocateIrp, IoSetCompletionRoutine
from wsk_api.ntstatus import (
    NT_SUCCESS,
    STATUS_CONNECTION_RESET,
    STATUS_DATA_NOT_ACCEPTED,
    STATUS_FILE_FORCED_CLOSED,
    STATUS_MORE_PROCESSING_REQUIRED,
    STATUS_PENDING,
    STATUS_SUCCESS,
)
from wsk_api.types import (
    WSK_CLIENT_CONNECTION_DISPATCH,
    WSK_DATA_INDICATION,
    WSK_SOCKET,
    Ref,
    wsk_buf,
)


class _Retained:
    """One indication, and how many of its views are still in use."""

    __slots__ = ("head", "left")

    def __init__(self, head: WSK_DATA_INDICATION, left: int) -> None:
        self.head = head
        self.left = left


class Chunk:
    """A received view of the frame it came in, to be released by whoever took it.

    with await connection.receive_view() as view: ...
    """

    __slots__ = ("_inbox", "_retained", "view")

    def __init__(self, view: memoryview, inbox: Inbox, retained: _Retained | None) -> None:
        self.view = view
        self._inbox = inbox
        self._retained = retained

    def release(self) -> None:
        """Done with the view: the window may open.  A second time changes nothing."""
        retained, self._retained = self._retained, None
        if retained is not None:
            self._inbox.release(retained)

    def __enter__(self) -> memoryview:
        return self.view

    def __exit__(self, *_: object) -> None:
        self.release()


class Inbox:
    """One connection's received data, its end and its failure."""

    __slots__ = (
        "_held",
        "_lock",
        "_reading",
        "changed",
        "chunks",
        "discarding",
        "failure",
        "finished",
        "shut",
        "socket",
    )

    def __init__(self) -> None:
        self.socket: WSK_SOCKET | None = None
        self.chunks: deque[Chunk] = deque()
        self.finished = False
        """The peer has sent everything."""
        self.failure = STATUS_SUCCESS
        """Why the connection is gone."""
        self.changed = Signal()
        self.discarding = False
        """What still comes is taken and forgotten."""
        self.shut = False
        """The socket is about to be closed: nothing more is retained."""
        self._held: set[_Retained] = set()
        self._lock = threading.Lock()  # over what is retained
        self._reading = threading.Lock()  # over the front of `chunks`

    # On the caller's thread.

    def readable(self) -> bool:
        """A read has something to say."""
        return bool(self.chunks or self.finished or self.failure or self.shut)

    def over(self) -> bool:
        """Nothing more will come."""
        return bool(self.finished or self.failure)

    def take(self, count: int) -> bytes:
        """Up to `count` octets of what is there, copied; their frames are released."""
        parts: list[bytes] = []
        with self._reading:
            while self.chunks and count:
                chunk = self.chunks[0]
                piece = chunk.view[:count]
                parts.append(bytes(piece))
                count -= len(piece)
                if len(piece) == len(chunk.view):
                    self.chunks.popleft()
                    chunk.release()
                else:
                    chunk.view = chunk.view[len(piece) :]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def take_chunk(self) -> Chunk | None:
        """The first piece of what is there; whoever takes it releases it."""
        with self._reading:
            return self.chunks.popleft() if self.chunks else None

    def put_back(self, data: bytes) -> None:
        """Octets that were taken and could not be used come first again."""
        if data:
            self.chunks.appendleft(Chunk(memoryview(data), self, None))

    def release(self, retained: _Retained) -> None:
        """One view of an indication is free; WskRelease after the last."""
        with self._lock:
            retained.left -= 1
            if retained.left or retained not in self._held:
                return
            self._held.discard(retained)
        self._release(retained)

    def discard(self) -> None:
        """Forget what is there and what will come."""
        self.discarding = True
        while (chunk := self.take_chunk()) is not None:
            chunk.release()

    def shut_down(self) -> None:
        """Give everything back, also what callers still hold: the socket is to be closed."""
        with self._lock:
            self.shut = True
            held, self._held = self._held, set()
        with self._reading:
            self.chunks.clear()
        for retained in held:
            self._release(retained)
        self.changed.notify()

    def _release(self, retained: _Retained) -> None:
        if self.socket is not None:
            self.socket.Dispatch.WskRelease(self.socket, retained.head)

    # On the stack's thread.

    def created(self, request: Request) -> None:
        """The request that makes the socket of this context is complete."""
        if request.succeeded:
            self.socket = request.result

    def arrived(self, head: WSK_DATA_INDICATION) -> int:
        """Keep an indication."""
        if self.discarding and not self.shut:
            return STATUS_SUCCESS
        pieces: list[memoryview] = []
        node: WSK_DATA_INDICATION | None = head
        while node is not None:
            pieces += views(node.Buffer) or ()
            node = node.Next
        retained = _Retained(head, len(pieces))
        with self._lock:
            if self.shut:
                return STATUS_DATA_NOT_ACCEPTED
            self._held.add(retained)
        self.chunks.extend(Chunk(piece, self, retained) for piece in pieces)
        self.changed.notify()
        return STATUS_PENDING

    def fail(self, status: int) -> None:
        """The connection is gone; the first reason counts."""
        self.failure = self.failure or status
        self.changed.notify()

    def ended(self, flags: int) -> None:
        """The peer's FIN, or the end of everything."""
        if flags & WSK_FLAG_ABORTIVE:
            self._ask_why()
        else:
            self.finished = True
            self.changed.notify()

    def _ask_why(self) -> None:
        """The event does not say why the connection is gone; a receive's status does."""
        irp = IoAllocateIrp(1, False)

        def told(_: Any, irp: IRP, __: Any) -> int:
            status = irp.IoStatus.Status
            self.fail(STATUS_CONNECTION_RESET if NT_SUCCESS(status) else status)
            return STATUS_MORE_PROCESSING_REQUIRED

        IoSetCompletionRoutine(irp, told, None, True, True, True)
        if self.socket is None or self.shut:
            self.fail(STATUS_CONNECTION_RESET)
        else:
            self.socket.Dispatch.WskReceive(self.socket, wsk_buf(bytearray(1)), 0, irp)


def _receive_event(
    SocketContext: Inbox,
    Flags: int,
    DataIndication: WSK_DATA_INDICATION | None,
    BytesIndicated: int,
    BytesAccepted: Ref[int],
) -> int:
    if DataIndication is None:
        SocketContext.fail(STATUS_FILE_FORCED_CLOSED)
        return STATUS_SUCCESS
    return SocketContext.arrived(DataIndication)


def _disconnect_event(SocketContext: Inbox, Flags: int) -> int:
    SocketContext.ended(Flags)
    return STATUS_SUCCESS


EVENTS: Final = WSK_CLIENT_CONNECTION_DISPATCH(_receive_event, _disconnect_event)
