# SPDX-License-Identifier: MIT
"""Datagram sockets, UDP and raw: table, functions, WskReceiveFromEvent (wsk.md 2.8, 3.4).

Not done: ancillary data (ControlInfo is accepted empty and returned empty), fixed remote
addresses.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from stack.base.packet import BROADCAST, MULTICAST
from stack.transport.seam import OPTION_BROADCAST, Datagram, DatagramSink, Received
from wsk_api.basic import WSK_PROVIDER_BASIC_DISPATCH
from wsk_api.buffers import Filler, views
from wsk_api.constants import (
    MSG_BCAST,
    MSG_MCAST,
    MSG_TRUNC,
    SOCK_RAW,
    WSK_EVENT_RECEIVE_FROM,
    WSK_FLAG_AT_DISPATCH_LEVEL,
)
from wsk_api.endpoints import EndpointSocket, WskBind, WskGetLocalAddress
from wsk_api.irp import IRP
from wsk_api.ntstatus import (
    STATUS_DATA_NOT_ACCEPTED,
    STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED,
    STATUS_PENDING,
    STATUS_SUCCESS,
    ntstatus,
)
from wsk_api.raw_options import RAW_OPTIONS, RawOptions
from wsk_api.retained import Retained
from wsk_api.sockets import LastEvent
from wsk_api.types import (
    MDL,
    SOCKADDR,
    WSK_BUF,
    WSK_BUF_LIST,
    WSK_DATAGRAM_INDICATION,
    Ref,
)

_MOST_MESSAGES: Final = 65_536
"""Elements of one WSK_BUF_LIST; a list that is longer may be a ring."""
_GROUP_FLAGS = {BROADCAST: MSG_BCAST, MULTICAST: MSG_MCAST}


def WskSendTo(
    Socket: DatagramSocket,
    Buffer: WSK_BUF | None,
    Flags: int,
    RemoteAddress: SOCKADDR | None,
    ControlInfoLength: int,
    ControlInfo: Any,
    Irp: IRP | None,
) -> int:
    """Send one datagram; Information is its length.

    STATUS_INVALID_DEVICE_STATE (not bound), STATUS_INVALID_PARAMETER (address, buffer),
    STATUS_INVALID_BUFFER_SIZE (too long), STATUS_NETWORK_UNREACHABLE, STATUS_ACCESS_DENIED
    (broadcast without SO_BROADCAST), STATUS_NOT_SUPPORTED (flags, control information).
    """
    address = Socket.engine.kept(RemoteAddress)
    return Socket.engine.issue(
        Irp,
        lambda _: Socket.send_to(Buffer, Flags, address, ControlInfoLength),
    )


def WskReceiveFrom(
    Socket: DatagramSocket,
    Buffer: WSK_BUF | None,
    Flags: int,
    RemoteAddress: Ref[SOCKADDR] | None,
    ControlLength: Ref[int] | None,
    ControlInfo: Any,
    ControlFlags: Ref[int] | None,
    Irp: IRP | None,
) -> int:
    """Receive one datagram; Information is how much of it is in the buffer.

    What does not fit is lost and MSG_TRUNC set in ControlFlags, with STATUS_SUCCESS.
    """
    outs = (RemoteAddress, ControlLength, ControlFlags)
    return Socket.engine.issue(Irp, lambda irp: Socket.receive_from(Buffer, Flags, outs, irp))


def WskRelease(Socket: DatagramSocket, DatagramIndication: WSK_DATAGRAM_INDICATION | None) -> int:
    """Give back a list that WskReceiveFromEvent retained, by its head.  Any thread.

    STATUS_SUCCESS, or STATUS_INVALID_PARAMETER if it is not retained.
    """
    return Socket.release(DatagramIndication)


def WskSendMessages(
    Socket: DatagramSocket,
    BufferList: WSK_BUF_LIST | None,
    Flags: int,
    RemoteAddress: SOCKADDR | None,
    ControlInfoLength: int,
    ControlInfo: Any,
    Irp: IRP | None,
) -> int:
    """Send one datagram per element of the list, all to one destination; Information is the sum
    of their lengths.

    A buffer that describes nothing is found before anything is sent.  Otherwise statuses are those
    of WskSendTo, of the first datagram that could not be sent; the ones before it were sent.
    """
    what = (BufferList, Flags, RemoteAddress, ControlInfoLength)
    return Socket.engine.issue(Irp, lambda _: Socket.send_messages(*what))


class WSK_PROVIDER_DATAGRAM_DISPATCH(WSK_PROVIDER_BASIC_DISPATCH):
    """The table of a datagram socket."""

    def __init__(self) -> None:
        super().__init__()
        self.WskBind = WskBind
        self.WskSendTo = WskSendTo
        self.WskReceiveFrom = WskReceiveFrom
        self.WskRelease = WskRelease
        self.WskGetLocalAddress = WskGetLocalAddress
        self.WskSendMessages = WskSendMessages


DISPATCH = WSK_PROVIDER_DATAGRAM_DISPATCH()

_Outs = tuple[Ref[SOCKADDR] | None, Ref[int] | None, Ref[int] | None]


class DatagramSocket(EndpointSocket[Datagram], DatagramSink):
    """A datagram socket."""

    __slots__ = ("_broadcast", "_raw", "_receives", "_retained")

    Dispatch = DISPATCH
    category_events = WSK_EVENT_RECEIVE_FROM

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._broadcast = 0
        self._receives: deque[tuple[IRP, Filler, _Outs]] = deque()
        self._raw = RawOptions(self.protocol) if self.socket_type == SOCK_RAW else None
        self._retained = Retained(self.engine, self._grant)

    # Requests.

    def open_endpoint(self, families: int) -> Datagram | None:
        datagram = self.client.transports.datagram(self, families)
        if datagram is not None:
            datagram.attach(self)
        return datagram

    def endpoint_bound(self, endpoint: Datagram) -> None:
        endpoint.set_option(OPTION_BROADCAST, self._broadcast)
        if self._raw is not None:
            self._raw.hand_over(endpoint)

    def send_to(
        self, buffer: WSK_BUF | None, flags: int, remote: SOCKADDR | None, control: int
    ) -> tuple[int, int]:
        if flags or control:
            return STATUS_NOT_SUPPORTED, 0
        if self.endpoint is None:
            return STATUS_INVALID_DEVICE_STATE, 0
        pieces = views(buffer)
        status, target = self.target(remote)
        if pieces is None or buffer is None or target is None or not target.address:
            return status or STATUS_INVALID_PARAMETER, 0
        size = buffer.Length
        result = self.endpoint.send(pieces, size, target.address, target.port, target.scope)
        return ntstatus(result), 0 if result else size

    def send_messages(
        self, buffers: WSK_BUF_LIST | None, flags: int, remote: SOCKADDR | None, control: int
    ) -> tuple[int, int]:
        if flags or control:
            return STATUS_NOT_SUPPORTED, 0
        if self.endpoint is None:
            return STATUS_INVALID_DEVICE_STATE, 0
        batch = _messages(buffers)
        status, target = self.target(remote)
        if batch is None or target is None or not target.address:
            return status or STATUS_INVALID_PARAMETER, 0
        to = (target.address, target.port, target.scope)
        result, sent = self.endpoint.send_all(batch, *to)
        return ntstatus(result), 0 if result else sent

    def receive_from(
        self, buffer: WSK_BUF | None, flags: int, outs: _Outs, irp: IRP
    ) -> tuple[int, int]:
        if flags:
            return STATUS_NOT_SUPPORTED, 0
        if self.endpoint is None:
            return STATUS_INVALID_DEVICE_STATE, 0
        pieces = views(buffer, writable=True)
        if pieces is None or buffer is None:
            return STATUS_INVALID_PARAMETER, 0
        self._receives.append((irp, Filler(pieces, buffer.Length), outs))
        self.hold(irp, self._withdraw)
        self.endpoint.resume()
        return STATUS_PENDING, 0

    def _withdraw(self, irp: IRP) -> bool:
        for entry in self._receives:
            if entry[0] is irp:
                self._receives.remove(entry)
                return True
        return False

    # What arrives.

    def received(self, batch: list[Received]) -> int:
        """Queued requests first, then the event; the rest stays in the transport."""
        taken = 0
        while self._receives and taken < len(batch):
            self._answer_receive(batch[taken])
            taken += 1
        while taken < len(batch) and self._listening():
            group = self._same_group(batch, taken)
            if not self._indicate(group):
                break
            taken += len(group)
        return taken

    def _answer_receive(self, datagram: Received) -> None:
        irp, filler, (remote, control_length, control_flags) = self._receives.popleft()
        filler.put(datagram.view)
        flags = _GROUP_FLAGS.get(datagram.group, 0)
        if filler.filled < len(datagram.view):
            flags |= MSG_TRUNC
        if remote is not None:
            remote.value = self.shown(datagram.address, datagram.port, datagram.scope)
        if control_length is not None:
            control_length.value = 0
        if control_flags is not None:
            control_flags.value = flags
        self._grant(datagram.charge)
        self.answer(irp, STATUS_SUCCESS, filler.filled)

    def _listening(self) -> bool:
        return (
            bool(self.enabled & WSK_EVENT_RECEIVE_FROM)
            and self.dispatch is not None
            and self.dispatch.WskReceiveFromEvent is not None
        )

    @staticmethod
    def _same_group(batch: list[Received], start: int) -> list[Received]:
        """The flags of an event hold for its whole list: unicast, broadcast or multicast."""
        end = start + 1
        while end < len(batch) and batch[end].group == batch[start].group:
            end += 1
        return batch[start:end]

    def _indicate(self, group: list[Received]) -> bool:
        """WskReceiveFromEvent; False if the datagrams stay with the transport."""
        head: WSK_DATAGRAM_INDICATION | None = None
        charge = 0
        before: tuple[bytes, int, int] | None = None
        for datagram in reversed(group):
            source = (datagram.address, datagram.port, datagram.scope)
            if source != before:
                shown, before = self.shown(*source), source
            view = datagram.view
            node = WSK_DATAGRAM_INDICATION(WSK_BUF(MDL(view), 0, len(view)), shown)
            node.Next = head
            head = node
            charge += datagram.charge
        assert head is not None
        self._retained.keep(head, charge)
        status = self.callback(
            WSK_EVENT_RECEIVE_FROM,
            self.dispatch.WskReceiveFromEvent,
            STATUS_DATA_NOT_ACCEPTED,
            self.context,
            _GROUP_FLAGS.get(group[0].group, 0) | WSK_FLAG_AT_DISPATCH_LEVEL,
            head,
        )
        if status == STATUS_PENDING:
            return True
        if not self._retained.forgo(head):
            return True  # released inside: that it was not retained comes too late
        if status != STATUS_SUCCESS and not self.static & WSK_EVENT_RECEIVE_FROM:
            self.enabled &= ~WSK_EVENT_RECEIVE_FROM
            return False
        # Consumed; or refused by a static callback, which stays enabled: then they are lost.
        self._grant(charge)
        return True

    def release(self, head: WSK_DATAGRAM_INDICATION | None) -> int:
        return self._retained.release(head)

    def _grant(self, charge: int) -> None:
        if self.endpoint is not None:
            self.endpoint.grant(charge)

    def last_events(self) -> list[LastEvent]:
        if self.dispatch is None:
            return []
        arguments = (WSK_FLAG_AT_DISPATCH_LEVEL, None)
        return [(WSK_EVENT_RECEIVE_FROM, self.dispatch.WskReceiveFromEvent, arguments)]

    # What a socket must say.

    def events_enabled(self, mask: int) -> None:
        if self.endpoint is not None:
            self.endpoint.resume()

    def transport_option(self, option: int, value: int) -> int:
        if option in RAW_OPTIONS and self._raw is not None:
            return self._raw.set(option, value, self.endpoint)
        if option != OPTION_BROADCAST:
            return super().transport_option(option, value)
        self._broadcast = int(bool(value))
        if self.endpoint is None:
            return STATUS_SUCCESS
        return ntstatus(self.endpoint.set_option(option, self._broadcast))

    def transport_option_value(self, option: int) -> tuple[int, int]:
        if option in RAW_OPTIONS and self._raw is not None:
            return self._raw.get(option)
        if option != OPTION_BROADCAST:
            return super().transport_option_value(option)
        return STATUS_SUCCESS, self._broadcast

    def release_transport(self) -> None:
        self._receives.clear()
        self._retained.closing()
        super().release_transport()


def _messages(node: WSK_BUF_LIST | None) -> list[tuple[list[memoryview], int]] | None:
    """The datagrams of a list; None if it is empty, endless, or a buffer describes nothing."""
    batch: list[tuple[list[memoryview], int]] = []
    while node is not None and len(batch) < _MOST_MESSAGES:
        pieces = views(node.Buffer)
        if pieces is None:
            return None
        batch.append((pieces, node.Buffer.Length))
        node = node.Next
    return batch if batch and node is None else None
