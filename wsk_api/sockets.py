# SPDX-License-Identifier: MIT
"""What every socket has, whatever its category (wsk.md 2.2, 2.5, 3.2, 3.6).

Queued requests and how they are withdrawn, event masks, callbacks with their guard, and closing:
cancel what is queued, wait for callbacks in progress, only then complete the close.

A category subclasses `Socket` and fills in its transport endpoint and its events.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from stack.transport.options import BOTH, Name
from stack.transport.seam import SHARE_DEFAULT, Provider
from wsk_api.addresses import Target, families_of, from_transport, to_transport
from wsk_api.constants import (
    AF_INET6,
    WSK_EVENT_DISABLE,
)
from wsk_api.extension import Extension
from wsk_api.irp import IRP
from wsk_api.ntstatus import (
    STATUS_CANCELLED,
    STATUS_EVENT_PENDING,
    STATUS_FILE_FORCED_CLOSED,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED,
    STATUS_PENDING,
    STATUS_SUCCESS,
    ntstatus,
)
from wsk_api.security import SocketClaim
from wsk_api.types import SOCKADDR, WSK_SOCKET, Ref

if TYPE_CHECKING:
    from wsk_api.provider import Client

log = logging.getLogger("wskstack.wsk")

LastEvent = tuple[int, Any, tuple[Any, ...]]
_NO_EXTENSIONS: Final[Mapping[str, tuple[Extension, Any]]] = {}
"""By NpiId: the extension interface and its context for the socket.  Most sockets have none."""

Withdraw = Callable[[IRP], bool]
"""Takes a queued request back; False if it has gone too far."""
NOTHING_QUEUED: Final[deque[Any]] = deque(maxlen=0)
"""The queue of a socket that never had one: an empty deque takes 760 octets."""


class Socket(WSK_SOCKET):
    """The part of a socket that does not depend on its category."""

    __slots__ = (
        "_at_close",
        "_claim",
        "bound",
        "client",
        "closing",
        "context",
        "disabling",
        "dispatch",
        "enabled",
        "engine",
        "extensions",
        "family",
        "pending",
        "protocol",
        "running",
        "settings",
        "sharing",
        "socket_type",
        "static",
        "v6only",
    )

    category = 0
    """The category as `control.rows` counts them: the flags of WskSocket, or BASIC."""
    category_events = 0
    """Event bits this category knows."""
    inspect_id: Any = None
    """Of a connection that a conditional listener accepted."""
    conditional_accept = False

    socket_type: int
    protocol: int

    def __init__(
        self,
        client: Client,
        family: int,
        socket_type: int,
        protocol: int,
        context: Any,
        dispatch: Any,
    ) -> None:
        self.client = client
        self.engine = client.engine
        self.family = family
        self.socket_type = socket_type
        self.protocol = protocol
        self.context = context
        self.dispatch = dispatch
        self.static = client.static_events & self.category_events
        self.enabled = self.static
        self.pending: dict[IRP, Withdraw] = {}
        self.running: list[int] = []  # event bits of callbacks in progress, innermost last
        self.disabling: list[tuple[int, IRP]] = []
        self.closing: IRP | None = None
        self.v6only: bool = family == AF_INET6
        self.sharing = SHARE_DEFAULT
        self.bound = False
        self._claim: SocketClaim | None = None
        self.settings: dict[tuple[int, int], Any] = {}  # options nobody below knows
        self.extensions = _NO_EXTENSIONS
        self._at_close: tuple[Callable[[], object], ...] = ()
        client.sockets.add(self)

    @property
    def claim(self) -> SocketClaim:
        """What its name is bound with, made when somebody asks: an accepted socket has none to
        bind."""
        if self._claim is None:
            self._claim = SocketClaim()
        return self._claim

    # Requests.

    def hold(self, irp: IRP, withdraw: Withdraw) -> tuple[int, int]:
        """Keep `irp` queued; `withdraw` takes it back when it is cancelled."""
        self.pending[irp] = withdraw
        irp.set_cancel(self._cancel)
        return STATUS_PENDING, 0

    def answer(self, irp: IRP, status: int, information: Any = 0) -> None:
        """Complete a queued request."""
        self.pending.pop(irp, None)
        self.engine.complete(irp, status, information)

    def _cancel(self, irp: IRP) -> None:
        withdraw = self.pending.get(irp)
        if withdraw is not None and withdraw(irp):
            self.answer(irp, STATUS_CANCELLED)
        elif withdraw is not None and irp.queued:
            irp.set_cancel(self._cancel)

    # Names.

    def target(self, sockaddr: object) -> tuple[int, Target | None]:
        """The transport name of a SOCKADDR given to this socket."""
        return to_transport(sockaddr, self.family, self.v6only)

    def shown(self, address: bytes, port: int, scope: int = 0) -> SOCKADDR:
        """The SOCKADDR this socket shows for a transport name."""
        return from_transport(address, port, scope, self.family)

    def families(self, target: Target) -> int:
        """The families an endpoint bound to `target` serves."""
        return target.families & families_of(self.family, self.v6only)

    def tell_name(self, name: Name | None, out: Ref[SOCKADDR] | None) -> tuple[int, int]:
        """Answer a get-address request."""
        if name is None:
            return STATUS_INVALID_DEVICE_STATE, 0
        if out is None:
            return STATUS_INVALID_PARAMETER, 0
        out.value = self.shown(name.address, name.port, name.scope)
        return STATUS_SUCCESS, 0

    # Events.

    def enable(self, mask: int) -> int:
        """SO_WSK_EVENT_CALLBACK without WSK_EVENT_DISABLE."""
        if mask == 0 or mask & ~self.allowed_events():
            return STATUS_INVALID_PARAMETER
        if not self.may_enable():
            return STATUS_INVALID_DEVICE_STATE
        if mask & self.static:
            return STATUS_INVALID_DEVICE_REQUEST
        self.enabled |= mask
        self.events_enabled(mask)
        return STATUS_SUCCESS

    def disable(self, mask: int, irp: IRP | None) -> int:
        """SO_WSK_EVENT_CALLBACK with WSK_EVENT_DISABLE: one event, IRP optional.

        With an IRP the answer is its completion: STATUS_PENDING is returned if the callback is
        running.  Without, STATUS_EVENT_PENDING says so.
        """
        event = mask & ~WSK_EVENT_DISABLE
        if event == 0 or event & (event - 1) or event & ~self.category_events:
            return STATUS_INVALID_PARAMETER
        if event & self.static:
            return STATUS_INVALID_DEVICE_REQUEST
        self.enabled &= ~event
        self.events_disabled(event)
        if event not in self.running:
            return STATUS_SUCCESS
        if irp is None:
            return STATUS_EVENT_PENDING
        self.disabling.append((event, irp))
        self.hold(irp, lambda _: False)
        return STATUS_PENDING

    def allowed_events(self) -> int:
        """Event bits that may be enabled on this socket."""
        return self.category_events

    def may_enable(self) -> bool:
        """Whether the socket has come far enough for events."""
        return self.bound

    def events_enabled(self, mask: int) -> None:
        """Events were enabled: what waits is to be indicated."""

    def events_disabled(self, event: int) -> None:
        """An event was disabled."""

    def callback(self, event: int, function: Any, failure: int, *arguments: Any) -> int:
        """Call a client's event callback.

        What it raises is logged and counts as `failure`, as does an answer that is no status.
        """
        self.running.append(event)
        try:
            result = function(*arguments)
            if not isinstance(result, int):
                log.error("%s returned %r, which is no NTSTATUS", _name(function), result)
                result = failure
        except Exception:
            log.exception("%s raised; it counts as refused", _name(function))
            result = failure
        self.running.pop()
        if (self.disabling or self.closing is not None) and event not in self.running:
            self._callback_ended(event)
        return result

    def _callback_ended(self, event: int) -> None:
        """Somebody waits for the end of a callback."""
        waiting, self.disabling = self.disabling, []
        for bit, irp in waiting:
            if bit == event:
                self.answer(irp, STATUS_SUCCESS)
            else:
                self.disabling.append((bit, irp))
        if self.closing is not None and not self.running:
            self._closed()

    # Closing.

    def close(self, irp: IRP) -> tuple[int, int]:
        """WskCloseSocket: cancel what is queued, then complete once no callback runs."""
        if self.closing is not None or self not in self.client.sockets:
            return STATUS_INVALID_DEVICE_STATE, 0
        self.closing = irp
        self.enabled = 0
        for function in self._at_close:
            function()
        self._give_up(STATUS_CANCELLED)
        if self.running:
            return STATUS_PENDING, 0
        self._forget()
        return STATUS_SUCCESS, 0

    def _closed(self) -> None:
        irp, self.closing = self.closing, None
        self._forget()
        if irp is not None:
            self.engine.complete(irp, STATUS_SUCCESS)

    def _forget(self) -> None:
        """The socket is gone.  Nobody is called any more, so let go of what the client gave."""
        self.client.sockets.discard(self)
        self.context = self.dispatch = None

    def _give_up(self, status: int) -> None:
        """Let go of the transport, and complete whatever is queued."""
        self.release_transport()
        self.disabling.clear()
        for queued in list(self.pending):
            if queued.queued:
                self.answer(queued, status)

    def lose_transport(self) -> None:
        """The provider leaves (see `departure`)."""
        self._give_up(STATUS_FILE_FORCED_CLOSED)

    def say_dead(self) -> None:
        """Call each enabled event that has a NULL argument for it, once (wsk.md 3.3)."""
        for event, function, arguments in self.last_events():
            if self.closing is not None or self not in self.client.sockets:
                return  # the one before has closed it
            if function is not None and (not event or self.enabled & event):
                self.enabled &= ~event
                self.callback(event, function, STATUS_SUCCESS, self.context, *arguments)
        self.enabled = 0

    def last_events(self) -> list[LastEvent]:
        """The events that tell of a dead socket: bit (0: it has none, and cannot be disabled),
        callback, and arguments after the context."""
        return []

    def release_transport(self) -> None:
        """Let go of the transport endpoint."""

    def at_close(self, function: Callable[[], object]) -> None:
        """Call `function` when the socket is closed."""
        self._at_close = (*self._at_close, function)

    # What control asks of a socket.  A category overrides what it has.

    @property
    def provider(self) -> Provider:
        """The transport this socket was made for."""
        return self.client.transports.provider(self)

    @property
    def is_connected(self) -> bool:
        """It is one end of a connection."""
        return False

    @property
    def is_connecting(self) -> bool:
        """A connect is in progress."""
        return False

    @property
    def speaks_ipv4_to_peer(self) -> bool:
        """The peer, or the fixed remote address, is an IPv4 one."""
        return False

    def transport_option(self, option: int, value: int, families: int = BOTH) -> int:
        """Set an option of the transport, now or as soon as there is an endpoint."""
        return STATUS_INVALID_DEVICE_REQUEST

    def transport_option_value(self, option: int, families: int = BOTH) -> tuple[int, int]:
        """(status, value) of an option of the transport: what was set, or its default."""
        return STATUS_INVALID_DEVICE_REQUEST, 0

    def has_option(self, option: int) -> bool:
        """An option of the transport was set."""
        return False

    def set_congestion(self, name: str) -> int:
        """Choose the congestion control; an NTSTATUS."""
        return STATUS_NOT_SUPPORTED

    def statistics(self) -> dict[str, Any] | None:
        """What is known about the connection; None unless connected."""
        return None

    def path_mtu(self) -> int:
        """Largest packet to the peer or the fixed remote address; 0 if there is none."""
        return 0

    def receive_backlog(self) -> int:
        """Octets received and not yet delivered."""
        return 0

    def ideal_send_backlog(self) -> int | None:
        """Octets of send data to keep outstanding; None if that is not known."""
        return None

    def silence(self) -> int:
        """Send nothing any more, drop all input; an NTSTATUS."""
        return STATUS_INVALID_DEVICE_REQUEST

    def set_conditional_accept(self, wanted: bool) -> int:
        """SO_CONDITIONAL_ACCEPT; an NTSTATUS."""
        return STATUS_NOT_SUPPORTED if wanted else STATUS_SUCCESS

    def set_fixed(self, target: Target | None, restrict: bool) -> int:
        """A fixed destination, or None to clear it; `restrict`: receive from there only."""
        return STATUS_INVALID_DEVICE_REQUEST

    def membership(self, action: int, group: bytes, interface: int, source: bytes) -> int:
        """Join or leave a group; an NTSTATUS."""
        return STATUS_INVALID_DEVICE_REQUEST

    def transport_status(self, result: int) -> tuple[int, int]:
        """A transport's answer as the result of an operation."""
        return ntstatus(result), 0


def _name(function: Any) -> str:
    return str(getattr(function, "__qualname__", function))
