# SPDX-License-Identifier: MIT
"""Datagram sockets, UDP and raw: table, functions, WskReceiveFromEvent (wsk.md 2.8, 3.4).

Ancillary data both ways (4.9), fixed addresses (4.5), and many datagrams in one buffer (4.4): how
they are put together and taken apart is `segmentation`'s, the list of an event `indications`'.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from stack.base import status as transport_status
from stack.base.packet import BROADCAST, MULTICAST
from stack.transport.datagram_seam import Datagram, DatagramSink, Received, after
from stack.transport.options import BOTH
from wsk_api import ancillary, indications, segmentation
from wsk_api.addresses import Target
from wsk_api.basic import WSK_PROVIDER_BASIC_DISPATCH
from wsk_api.buffers import Filler, views
from wsk_api.constants import (
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_UDP,
    MSG_BCAST,
    MSG_CTRUNC,
    MSG_MCAST,
    MSG_TRUNC,
    SOCK_RAW,
    WSK_EVENT_RECEIVE_FROM,
    WSK_FLAG_AT_DISPATCH_LEVEL,
)
from wsk_api.control.rows import DATAGRAM
from wsk_api.endpoints import EndpointSocket, WskBind, WskGetLocalAddress
from wsk_api.irp import IRP
from wsk_api.ntstatus import (
    STATUS_DATA_NOT_ACCEPTED,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED,
    STATUS_PENDING,
    STATUS_SUCCESS,
    ntstatus,
)
from wsk_api.option_constants import (
    SIO_UDP_CONNRESET,
    SIO_UDP_NETRESET,
    UDP_RECV_MAX_COALESCED_SIZE,
    UDP_SEND_MSG_SIZE,
)
from wsk_api.raw_options import RAW_OPTIONS, RawOptions
from wsk_api.retained import Retained
from wsk_api.sockets import NOTHING_QUEUED, LastEvent
from wsk_api.stream_options import StreamOptions
from wsk_api.types import (
    SOCKADDR,
    SOCKADDR_IN6,
    WSK_BUF,
    WSK_BUF_LIST,
    WSK_DATAGRAM_INDICATION,
    Ref,
)

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

    RemoteAddress may be None if a fixed one is set.  ControlInfo is ancillary data, as octets;
    with a segment size (UDP_SEND_MSG_SIZE, an option or in ControlInfo) the buffer becomes
    datagrams of that many octets, up to 1,024 of them, the last one of what is left.  They leave
    in as few frames as the device allows, which is the cheapest way to send many.

    STATUS_INVALID_DEVICE_STATE (not bound), STATUS_INVALID_PARAMETER (address, buffer),
    STATUS_INVALID_BUFFER_SIZE (too long), STATUS_NETWORK_UNREACHABLE, STATUS_ACCESS_DENIED
    (broadcast without SO_BROADCAST), STATUS_NOT_SUPPORTED (flags, unknown control information),
    STATUS_INVALID_ADDRESS_COMPONENT (a source or interface this host has not).
    """
    address = Socket.engine.kept(RemoteAddress)
    return Socket.engine.issue(
        Irp,
        lambda _: Socket.send_to(Buffer, Flags, address, ControlInfoLength, ControlInfo),
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

    With UDP_RECV_MAX_COALESCED_SIZE it may be several of one source and size that came together;
    UDP_COALESCED_INFO in ControlInfo then tells the size of all but the last.

    What does not fit is lost and MSG_TRUNC set in ControlFlags, with STATUS_SUCCESS.  Ancillary
    data goes to ControlInfo, ControlLength octets at most; what does not fit there is left out
    and MSG_CTRUNC set.  Without ControlLength there is none (wsk.md 12, number 3).
    """
    outs = (RemoteAddress, ControlLength, ControlInfo, ControlFlags)
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
    RemoteAddress may be None if a fixed one is set; ControlInfo holds for all of them.

    Datagrams of one size that follow one another, the last of which may be shorter, leave in as
    few frames as the device allows; the order is that of the list.
    """
    address = Socket.engine.kept(RemoteAddress)
    what = (BufferList, Flags, address, ControlInfoLength, ControlInfo)
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

_Outs = tuple[Ref[SOCKADDR] | None, Ref[int] | None, Any, Ref[int] | None]


def _has_room(outs: _Outs) -> bool:
    """ControlInfo is memory that can be written, as much of it as ControlLength says."""
    _, length, control, _ = outs
    if length is None or control is None or not length.value:
        return True
    view = memoryview(control)
    return not view.readonly and view.nbytes >= length.value


class DatagramSocket(EndpointSocket[Datagram], DatagramSink):
    """A datagram socket."""

    __slots__ = ("_fixed", "_last", "_raw", "_receives", "_retained", "options")

    Dispatch = DISPATCH
    category = DATAGRAM
    category_events = WSK_EVENT_RECEIVE_FROM
    joined = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.endpoint = None
        self._fixed: Target | None = None
        self._last: tuple[tuple[bytes, int, int], Target] | None = None
        self.options = StreamOptions()
        self._receives: deque[tuple[IRP, Filler, _Outs]] = NOTHING_QUEUED
        self._raw = RawOptions(self.protocol) if self.socket_type == SOCK_RAW else None
        self._retained = Retained(self.engine)

    # Requests.

    def open_endpoint(self, families: int) -> Datagram | None:
        datagram = self.client.transports.datagram(self, families)
        if datagram is not None:
            datagram.attach(self)
        return datagram

    def endpoint_bound(self, endpoint: Datagram) -> None:
        self.options.hand_over(endpoint)
        if self._raw is not None:
            self._raw.hand_over(endpoint)

    def send_to(
        self,
        buffer: WSK_BUF | None,
        flags: int,
        remote: SOCKADDR | None,
        control_size: int = 0,
        control: Any = None,
    ) -> tuple[int, int]:
        if flags:
            return STATUS_NOT_SUPPORTED, 0
        if self.endpoint is None:
            return STATUS_INVALID_DEVICE_STATE, 0
        pieces = views(buffer)
        status, target = self._destination(remote)
        if pieces is None or buffer is None or target is None or not target.address:
            return status or STATUS_INVALID_PARAMETER, 0
        how = None
        size = self.settings.get((IPPROTO_UDP, UDP_SEND_MSG_SIZE), 0) if self.settings else 0
        if control_size:
            level = IPPROTO_IP if len(target.address) == 4 else IPPROTO_IPV6
            status, asked = ancillary.taken(control, control_size, level)
            if asked is None:
                return status, 0
            how = asked.how
            size = size if asked.segment < 0 else asked.segment
        total = buffer.Length
        to = (target.address, target.port, target.scope)
        if 0 < size < total:
            if total > size * segmentation.MOST_PIECES:
                return STATUS_INVALID_PARAMETER, 0
            result, _ = self.endpoint.send_segments(pieces, total, size, *to, how)
        else:
            result = self.endpoint.send(pieces, total, *to, how)
        return (ntstatus(result), 0) if result else (STATUS_SUCCESS, total)

    def _destination(self, remote: SOCKADDR | None) -> tuple[int, Target | None]:
        """Where to send; the last one is remembered by its members, for many go where the one
        before went."""
        if remote is None:
            return STATUS_SUCCESS, self._fixed
        if type(remote) is not SOCKADDR_IN6 or type(remote.sin6_addr) is not bytes:
            return self.target(remote)
        name = (remote.sin6_addr, remote.sin6_port, remote.sin6_scope_id)
        known = self._last
        if known is not None and known[0] == name:
            return STATUS_SUCCESS, known[1]
        status, target = self.target(remote)
        if target is not None:
            self._last = (name, target)
        return status, target

    def send_messages(
        self,
        buffers: WSK_BUF_LIST | None,
        flags: int,
        remote: SOCKADDR | None,
        control_size: int = 0,
        control: Any = None,
    ) -> tuple[int, int]:
        if flags:
            return STATUS_NOT_SUPPORTED, 0
        if self.endpoint is None:
            return STATUS_INVALID_DEVICE_STATE, 0
        runs = segmentation.runs(buffers)
        status, target = self._destination(remote)
        if runs is None or target is None or not target.address:
            return status or STATUS_INVALID_PARAMETER, 0
        how = None
        if control_size:
            level = IPPROTO_IP if len(target.address) == 4 else IPPROTO_IPV6
            status, asked = ancillary.taken(control, control_size, level)
            if asked is None:
                return status, 0
            how = asked.how
        to = (target.address, target.port, target.scope)
        sent = 0
        for run in runs:
            if run.total > run.segment:
                result, _ = self.endpoint.send_segments(run.views, run.total, run.segment, *to, how)
            else:
                result = self.endpoint.send(run.views, run.total, *to, how)
            if result:
                return ntstatus(result), 0
            sent += run.total
        return STATUS_SUCCESS, sent

    def receive_from(
        self, buffer: WSK_BUF | None, flags: int, outs: _Outs, irp: IRP
    ) -> tuple[int, int]:
        if flags:
            return STATUS_NOT_SUPPORTED, 0
        if self.endpoint is None:
            return STATUS_INVALID_DEVICE_STATE, 0
        pieces = views(buffer, writable=True)
        if pieces is None or buffer is None or not _has_room(outs):
            return STATUS_INVALID_PARAMETER, 0
        if self._receives is NOTHING_QUEUED:
            self._receives = deque()
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
        most = 0
        if self.settings:
            most = self.settings.get((IPPROTO_UDP, UDP_RECV_MAX_COALESCED_SIZE), 0)
            if most and (self._receives or self._listening()):
                batch = segmentation.join(batch, most)
        taken = 0
        if self._receives:
            taken = self._answer_receives(batch, most > 0)
            batch = after(batch, taken)
        at = 0
        while at < len(batch) and self._listening():
            group = indications.same_group(batch, at)
            if not self._indicate(group, most > 0):
                break
            at += len(group)
            for one in group:
                taken += one.count
        return taken

    def _answer_receives(self, batch: list[Received], joined: bool) -> int:
        """Each queued request gets a datagram, or what is `joined`; how many datagrams those
        were."""
        taken = 0
        for one in batch:
            whole = joined or one.count == 1
            parts = (one,) if whole else (one.part(n, n + 1) for n in range(one.count))
            for part in parts:
                if not self._receives:
                    return taken
                self._answer_receive(part)
                taken += part.count
        return taken

    def _answer_receive(self, datagram: Received) -> None:
        irp, filler, (remote, control_length, control, control_flags) = self._receives.popleft()
        filler.put(datagram.view)
        flags = _GROUP_FLAGS.get(datagram.group, 0)
        if filler.filled < len(datagram.view):
            flags |= MSG_TRUNC
        if remote is not None:
            remote.value = self.shown(datagram.address, datagram.port, datagram.scope)
        if control_length is not None:
            room = control_length.value or 0
            joined = datagram.count > 1
            objects = ancillary.brought(datagram, self.settings, joined) if self.settings else []
            octets, cut = ancillary.fitted(objects, room if control is not None else 0)
            if octets:
                memoryview(control).cast("B")[: len(octets)] = octets
            control_length.value = len(octets)
            flags |= MSG_CTRUNC if cut else 0
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

    def _indicate(self, group: list[Received], joined: bool) -> bool:
        """WskReceiveFromEvent; False if the datagrams stay with the transport."""
        head, charge = indications.listed(group, self.shown, self.settings, joined)
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
        return self._retained.release(head, self._grant)

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

    def troubled(self, status: int, address: bytes, port: int) -> None:
        """An ICMP error about what was sent fails the oldest queued WskReceiveFrom, unless
        SIO_UDP_CONNRESET (unreachable port) or SIO_UDP_NETRESET (anything else) says no."""
        refused = status == transport_status.PORT_UNREACHABLE
        switch = SIO_UDP_CONNRESET if refused else SIO_UDP_NETRESET
        if self._receives and self.settings.get((0, switch), 1):
            self.answer(self._receives.popleft()[0], ntstatus(status))

    def transport_option(self, option: int, value: int, families: int = BOTH) -> int:
        if option in RAW_OPTIONS:
            if self._raw is None:
                return STATUS_INVALID_DEVICE_REQUEST
            return self._raw.set(option, value, self.endpoint)
        return self.options.set(option, value, self.endpoint, families)

    def transport_option_value(self, option: int, families: int = BOTH) -> tuple[int, int]:
        if option in RAW_OPTIONS:
            if self._raw is None:
                return STATUS_INVALID_DEVICE_REQUEST, 0
            return self._raw.get(option)
        return self.options.get(option, families, self.provider.default(option))

    def has_option(self, option: int) -> bool:
        return self.options.has(option)

    @property
    def speaks_ipv4_to_peer(self) -> bool:
        return self._fixed is not None and len(self._fixed.address) == 4

    def set_fixed(self, target: Target | None, restrict: bool) -> int:
        if self.endpoint is None:
            return STATUS_INVALID_DEVICE_STATE
        self._fixed = target
        here = target if restrict else None
        if here is None:
            self.endpoint.restrict(b"", 0)
        else:
            self.endpoint.restrict(here.address, here.port)
        return STATUS_SUCCESS

    def path_mtu(self) -> int:
        fixed = self._fixed
        if self.endpoint is None or fixed is None:
            return 0
        return self.endpoint.path_mtu(fixed.address, fixed.scope)

    def membership(self, action: int, group: bytes, interface: int, source: bytes) -> int:
        if self.endpoint is None:
            return STATUS_INVALID_DEVICE_STATE
        return ntstatus(self.endpoint.membership(action, group, interface, source))

    def release_transport(self) -> None:
        self._receives.clear()
        self._retained.closing()
        super().release_transport()
