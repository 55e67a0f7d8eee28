# SPDX-License-Identifier: MIT
"""Floor 5 seam: the pair of base classes on which WSK and the transports meet.

WSK knows this file and no transport; a transport knows this file and no WSK.  The rules:

* Addresses are `bytes` of 4 or 16, the empty bytes are the wildcard; ports are ints; `scope`
  is an interface index for link-local addresses, 0 when it does not matter.
* A request carries a *token*, any object; its answer is `sink.done(token, status, count)`,
  exactly once, unless the call itself returned something other than PENDING.
* Everything here runs on the stack's thread.  Sinks are called only in the indicate phase of
  a turn, never from inside a call to a transport; they may make any call.
* Payload goes up as views of received frames.  What a sink takes stays charged against the
  receive window until it is granted back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stack.base.units import View

SOCK_STREAM: Final = 1
SOCK_DGRAM: Final = 2

# How an endpoint shares its local address (wsk.md 2.9; see `ports`).
SHARE_DEFAULT: Final = 0
SHARE_REUSE: Final = 1
SHARE_EXCLUSIVE: Final = 2

# Flags of Stream.send.
SEND_NODELAY: Final = 1
"""Send this, and all that was queued before, without Nagle's delay."""
SEND_URGENT: Final = 2
"""The last octet is urgent (RFC 9293 3.8.5, RFC 6093)."""

# Flags of StreamSink.received.
RECEIVED_PUSH: Final = 1
"""PSH was set on one of the segments at least."""

# Options of Stream.set_option and Datagram.set_option.
OPTION_NODELAY: Final = 1
OPTION_BROADCAST: Final = 2
OPTION_KEEPALIVE: Final = 3
"""Ask a silent peer whether it is there (RFC 9293 3.8.4); off unless set."""
OPTION_KEEPALIVE_TIME: Final = 4
"""ns of silence before the first question."""
OPTION_KEEPALIVE_INTERVAL: Final = 5
"""ns between questions."""
OPTION_KEEPALIVE_COUNT: Final = 6
"""Unanswered questions that end the connection."""
OPTION_USER_TIMEOUT: Final = 7
"""ns that data (or a SYN) may stay unacknowledged: RFC 9293's R2.  0: as configured."""
OPTION_TRAFFIC_CLASS: Final = 8
"""The DiffServ field of what is sent, in the upper six bits of an octet."""
OPTION_HOP_LIMIT: Final = 9
"""TTL or hop limit of what is sent.  0: as configured."""
OPTION_ERROR_REPORTS: Final = 10
"""Call `StreamSink.troubled`; on unless cleared."""
OPTION_FAST_OPEN: Final = 11
"""RFC 7413.  A stream: what is sent before the turn of `connect` is over may go with the SYN.
A listener: how many connections may deliver data before they are confirmed.  0: off.

Only for what may arrive twice: a duplicated SYN is delivered again."""
OPTION_ADVERTISE_TIMEOUT: Final = 12
"""Tell the peer of the user time-out, and be as patient as he would be (RFC 5482)."""


class Name:
    """A local or remote name: address, port and scope."""

    __slots__ = ("address", "port", "scope")

    def __init__(self, address: bytes, port: int, scope: int = 0) -> None:
        self.address = address
        self.port = port
        self.scope = scope


class StreamSink:
    """Who uses a `Stream`."""

    __slots__ = ()

    def done(self, token: object, status: int, count: int) -> None:
        """The request of `token` (connect, send or disconnect) is over.

        A send is over when all its octets were acknowledged, with `count` of them, or when
        the connection ended; only then may its buffers change.
        """

    def received(self, views: list[memoryview], count: int, flags: int) -> int:
        """`count` octets arrived, in order.  Returns how many leading octets were taken.

        What was taken is granted back with `Stream.grant` when its memory is free again.  If
        less than `count` is returned the stream is paused: the rest stays queued, and nothing
        more is indicated until `Stream.resume`.
        """
        return 0

    def urgent(self, left: int) -> None:
        """The peer's urgent pointer moved: the next `left` octets lead up to it (RFC 9293 3.8.5).

        Urgent data stays in line; `Stream.urgent_left` says at any time how much is to come.
        """

    def troubled(self, status: int) -> None:
        """Trouble that the connection is trying to live with (RFC 9293 3.9.1.8, SHLD-9): an ICMP
        error, or TIMED_OUT when some retransmissions have not been answered."""

    def finished(self) -> None:
        """The peer closed its direction; everything before that has been taken."""

    def aborted(self, status: int) -> None:
        """The connection is gone: RESET by the peer, TIMED_OUT, ...  Nothing follows."""


class Stream:
    """A connection, before, during and after its life."""

    __slots__ = ()

    def attach(self, sink: StreamSink) -> None:
        """What happens is told to `sink` from now on."""
        raise NotImplementedError

    def bind(self, address: bytes, port: int, sharing: int) -> int:
        """Take a local address (empty: any) and port (0: an ephemeral one).

        OK, INVALID, STATE (bound already), NOT_LOCAL, IN_USE, ACCESS, NO_PORTS.
        """
        raise NotImplementedError

    def connect(self, address: bytes, port: int, scope: int, token: object) -> int:
        """Open a connection.  PENDING; or STATE, INVALID, NO_ROUTE, IN_USE, NO_MEMORY."""
        raise NotImplementedError

    def send(self, views: Sequence[View], count: int, flags: int, token: object) -> int:
        """Send `count` octets.  The views are borrowed until the token is done.

        PENDING; or NOT_CONNECTED, STATE (after disconnect).
        """
        raise NotImplementedError

    def resume(self) -> None:
        """Indicate again what is queued."""
        raise NotImplementedError

    def grant(self, count: int) -> None:
        """`count` octets that were taken are free: the window may open by as many."""
        raise NotImplementedError

    def backlog(self) -> int:
        """Octets received and not yet taken."""
        raise NotImplementedError

    def disconnect(self, token: object) -> int:
        """Close our direction after everything queued.  PENDING until the peer acknowledged."""
        raise NotImplementedError

    def abort(self) -> None:
        """End the connection with a reset.  Outstanding requests are done with ABORTED."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the stream; aborts it unless both directions are closed.

        No sink method is called afterwards, and outstanding tokens are forgotten.
        """
        raise NotImplementedError

    def cancel(self, token: object) -> bool:
        """Withdraw a request.  True if it was withdrawn; it is not done then.

        A connect is abandoned; a send can be withdrawn until its first octet has left.
        """
        raise NotImplementedError

    def set_option(self, option: int, value: int) -> int:
        """Set an OPTION_*.  OK, INVALID or NOT_SUPPORTED."""
        raise NotImplementedError

    def urgent_left(self) -> int:
        """Octets up to the end of the peer's urgent data that have not been taken; 0 if none."""
        raise NotImplementedError

    def set_congestion(self, name: str) -> int:
        """Choose the congestion control of this stream.  OK or NOT_SUPPORTED.

        On a live connection the new algorithm takes over the window of the old one.
        """
        raise NotImplementedError

    def local_name(self) -> Name | None:
        """The local name, None before `bind`."""
        raise NotImplementedError

    def remote_name(self) -> Name | None:
        """The peer's name, None unless connected."""
        raise NotImplementedError


class ListenerSink:
    """Who uses a `Listener`."""

    __slots__ = ()

    def accepted(self, stream: Stream) -> StreamSink | None:
        """A connection is established.  Returns its sink, or None to leave it waiting.

        The listener offers a waiting connection again only when asked with `accept`.
        """
        return None


class Listener:
    """Something that waits for connections."""

    __slots__ = ()

    def attach(self, sink: ListenerSink) -> None:
        """What happens is told to `sink` from now on."""
        raise NotImplementedError

    def bind(self, address: bytes, port: int, sharing: int) -> int:
        """Take a local name and start listening.  Statuses as `Stream.bind`."""
        raise NotImplementedError

    def accept(self) -> Stream | None:
        """The oldest connection that waits, or None.  Its sink is a silent one until set."""
        raise NotImplementedError

    def resume(self) -> None:
        """Offer again, in the next indicate phase, what the sink left waiting."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop listening.  Connections not yet accepted are reset."""
        raise NotImplementedError

    def set_option(self, option: int, value: int) -> int:
        """Set an OPTION_*.  OK, INVALID or NOT_SUPPORTED."""
        raise NotImplementedError

    def local_name(self) -> Name | None:
        """The local name, None before `bind`."""
        raise NotImplementedError


class Received:
    """One received datagram."""

    __slots__ = ("address", "charge", "group", "local", "port", "scope", "tos", "ttl", "view")

    def __init__(
        self,
        view: memoryview,
        address: bytes,
        port: int,
        local: bytes,
        scope: int,
        group: int,
        charge: int,
    ) -> None:
        self.view = view
        self.address = address
        self.port = port
        self.local = local  # the destination address it was sent to
        self.scope = scope  # index of the interface it came in on
        self.group = group  # UNICAST, BROADCAST or MULTICAST of `base.packet`
        self.charge = charge  # octets it costs of the receive buffer
        self.tos = 0
        self.ttl = 0


class DatagramSink:
    """Who uses a `Datagram`."""

    __slots__ = ()

    def received(self, batch: list[Received]) -> int:
        """Datagrams arrived.  Returns how many leading ones were taken.

        What was taken is granted back with `Datagram.grant(sum of charges)`.  If fewer than
        all were taken the endpoint is paused until `Datagram.resume`.
        """
        return 0

    def troubled(self, status: int, address: bytes, port: int) -> None:
        """A datagram that was sent to `address` and `port` did not arrive, says ICMP."""


class Datagram:
    """A datagram endpoint."""

    __slots__ = ()

    def attach(self, sink: DatagramSink) -> None:
        """What happens is told to `sink` from now on."""
        raise NotImplementedError

    def bind(self, address: bytes, port: int, sharing: int) -> int:
        """Take a local name.  Statuses as `Stream.bind`."""
        raise NotImplementedError

    def send(self, views: Sequence[View], count: int, address: bytes, port: int, scope: int) -> int:
        """Send one datagram.  The views are free when this returns.

        OK, STATE (not bound), INVALID, TOO_BIG, NO_ROUTE, NO_MEMORY (the device is full),
        ACCESS (broadcast without OPTION_BROADCAST).
        """
        raise NotImplementedError

    def resume(self) -> None:
        """Indicate again what is queued."""
        raise NotImplementedError

    def grant(self, charge: int) -> None:
        """Datagrams that were taken are free again."""
        raise NotImplementedError

    def set_option(self, option: int, value: int) -> int:
        """Set an OPTION_*.  OK, INVALID or NOT_SUPPORTED."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the endpoint.  No sink method is called afterwards."""
        raise NotImplementedError

    def local_name(self) -> Name | None:
        """The local name, None before `bind`."""
        raise NotImplementedError


class Provider:
    """A transport: makes endpoints of the kinds it offers.

    `families` is a mask of `addr.V4` and `addr.V6`: with both, one endpoint serves both.
    """

    socket_type: int
    protocol: int

    def open_stream(self, families: int) -> Stream | None:
        """A new stream, or None if this transport has none."""
        return None

    def open_listener(self, families: int) -> Listener | None:
        """A new listener, or None if this transport has none."""
        return None

    def open_datagram(self, families: int) -> Datagram | None:
        """A new datagram endpoint, or None if this transport has none."""
        return None


class Found:
    """What a name service found.

    addresses   best first (RFC 6724 6); empty when a name was asked for
    canonical   the name the addresses belong to, after aliases; or the name of an address
    name        the name that was found: the one asked for with the domain it was found in
    """

    __slots__ = ("addresses", "canonical", "name")

    def __init__(self, name: str, canonical: str, addresses: Sequence[bytes] = ()) -> None:
        self.name = name
        self.canonical = canonical
        self.addresses = list(addresses)


class NameSink:
    """Who asks a `NameService`."""

    __slots__ = ()

    def named(self, token: object, status: int, found: Found | None) -> None:
        """The lookup of `token` is over: OK and what was found, or a status and None.

        NO_NAME (it does not exist, or has nothing of the kind), TIMED_OUT, SERVER_FAILED,
        NO_ROUTE, HOST_UNREACHABLE, PORT_UNREACHABLE (of the servers), NO_PORTS, NO_MEMORY.
        """


class NameService:
    """Turns names into addresses and back."""

    __slots__ = ()

    def find_addresses(
        self, name: str, families: int, configured: bool, sink: NameSink, token: object
    ) -> int:
        """Look a name up.  `families` is a mask of `addr.V4` and `addr.V6`; with `configured` only
        those are asked for of which this host has an address.

        PENDING; INVALID (no name can look like that), NO_MEMORY (too many lookups).
        """
        raise NotImplementedError

    def find_name(self, address: bytes, sink: NameSink, token: object) -> int:
        """Look an address's name up.  PENDING; INVALID, NO_MEMORY."""
        raise NotImplementedError

    def cancel(self, token: object) -> bool:
        """Withdraw a lookup.  True if it was withdrawn; the sink is not told then."""
        raise NotImplementedError

    def order(self, addresses: Sequence[bytes]) -> list[bytes]:
        """The same addresses in the order to try them (RFC 6724 6)."""
        raise NotImplementedError

    def families(self) -> int:
        """The families of which this host has an address other than loopback and link-local."""
        raise NotImplementedError

    def domain(self) -> str:
        """The local domain, empty if there is none."""
        raise NotImplementedError
