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

from collections.abc import Callable, Sequence
from typing import Any, Final

from stack.base.status import NOT_SUPPORTED
from stack.base.units import View
from stack.transport.datagram_seam import Datagram
from stack.transport.options import BOTH, Claim, Name

SOCK_STREAM: Final = 1
SOCK_DGRAM: Final = 2
SOCK_RAW: Final = 3

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
RECEIVED_CROWDED: Final = 2
"""Most of the window was taken before and not granted back: this should not be kept for long."""

# Options of Stream.set_option and Datagram.set_option; more of them in `options`.
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
OPTION_INSPECT: Final = 40
"""A listener, before `bind`: no SYN is answered before `ListenerSink.inspect` has judged it."""
OPTION_HEADER_INCLUDED: Final = 41
"""A raw endpoint: what is sent begins with its IP header."""
OPTION_CHECKSUM_AT: Final = 42
"""A raw endpoint: where in the data of IPv6 the checksum is (RFC 3542 3.1); negative: nowhere."""

# What ListenerSink.inspect answers.
INSPECT_REJECT: Final = 0
INSPECT_ACCEPT: Final = 1
INSPECT_PEND: Final = 2
"""`Listener.decide` will say."""


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

    def backlog_changed(self, ideal: int) -> None:
        """`Stream.ideal_backlog` is another; told while `Stream.watch_backlog` is on."""


class Stream:
    """A connection, before, during and after its life."""

    __slots__ = ()

    def attach(self, sink: StreamSink) -> None:
        """What happens is told to `sink` from now on."""
        raise NotImplementedError

    def bind(self, address: bytes, port: int, sharing: int, claim: Claim | None = None) -> int:
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

    def set_option(self, option: int, value: int, families: int = BOTH) -> int:
        """Set an OPTION_* for the named families.  OK, INVALID or NOT_SUPPORTED."""
        raise NotImplementedError

    def urgent_left(self) -> int:
        """Octets up to the end of the peer's urgent data that have not been taken; 0 if none."""
        raise NotImplementedError

    def silence(self) -> int:
        """Send nothing any more and drop all input; only `close` is left.

        OK; NOT_CONNECTED, STATE (a send or disconnect is pending), NOT_SUPPORTED (loopback).
        """
        return NOT_SUPPORTED

    def statistics(self) -> dict[str, Any] | None:
        """What is known about the connection, by name; None unless connected."""
        return None

    def path_mtu(self) -> int:
        """Largest IP packet that fits, 0 unless connected."""
        return 0

    def set_congestion(self, name: str) -> int:
        """Choose the congestion control of this stream.  OK or NOT_SUPPORTED.

        On a live connection the new algorithm takes over the window of the old one.
        """
        raise NotImplementedError

    def listen(self) -> Listener | None:
        """Become a listener: the local name is his from now on, and this stream is not used any
        more.  None if it is not bound, or has been connected."""
        raise NotImplementedError

    def ideal_backlog(self) -> int:
        """Octets that should be sent and not done, so that the path never runs dry."""
        raise NotImplementedError

    def watch_backlog(self, on: bool) -> None:
        """Tell the sink when the ideal backlog becomes much another, or no longer."""
        raise NotImplementedError

    def ticket(self) -> int:
        """What `ListenerSink.inspect` was told of this connection; 0 if it was not asked."""
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

    def inspect(self, ticket: int, local: Name, remote: Name) -> int:
        """May `remote` connect to `local`?  An INSPECT_*.  Asked with OPTION_INSPECT only."""
        return INSPECT_REJECT

    def dropped(self, ticket: int) -> None:
        """What `inspect` accepted or left pending will never be a connection."""


class Listener:
    """Something that waits for connections."""

    __slots__ = ()

    def attach(self, sink: ListenerSink) -> None:
        """What happens is told to `sink` from now on."""
        raise NotImplementedError

    def bind(self, address: bytes, port: int, sharing: int, claim: Claim | None = None) -> int:
        """Take a local name and start listening.  Statuses as `Stream.bind`."""
        raise NotImplementedError

    def accept(self) -> Stream | None:
        """The oldest connection that waits, or None.  Its sink is a silent one until set."""
        raise NotImplementedError

    def resume(self) -> None:
        """Offer again, in the next indicate phase, what the sink left waiting."""
        raise NotImplementedError

    def decide(self, ticket: int, accept: bool) -> bool:
        """Judge what `inspect` left pending.  False if it does not wait (any more)."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop listening.  Connections not yet accepted are reset."""
        raise NotImplementedError

    def set_option(self, option: int, value: int, families: int = BOTH) -> int:
        """Set an OPTION_* for the named families.  OK, INVALID or NOT_SUPPORTED."""
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

    def open_raw(self, families: int, protocol: int) -> Datagram | None:
        """A new endpoint for the packets of an IP protocol, or None if this transport has none.

        Its ports mean nothing.
        """
        return None

    def default(self, option: int) -> int:
        """What an OPTION_* is that nobody has set."""
        return 0

    # The host below.

    def addresses(self, families: int) -> list[Name]:
        """Usable local addresses, the loopback ones left out; `scope` is the interface."""
        return []

    def sort(self, addresses: list[bytes]) -> list[bytes]:
        """Destinations, best first (RFC 6724 6)."""
        return addresses

    def watch(self, families: int, changed: Callable[[], None]) -> Callable[[], None]:
        """Call `changed`, on the stack's thread, once the list of `addresses` is another.

        Returns what ends that.
        """
        raise NotImplementedError

    def interface_of(self, address: bytes) -> int:
        """Index of the interface that has `address`, or 0."""
        return 0

    def has_interface(self, index: int) -> bool:
        """There is an interface with this index."""
        return False

    def reserve_ports(self, start: int, count: int) -> tuple[int, int, int]:
        """Keep ports for those who hold the token: (status, first port, token).

        A `start` of 0 takes any.  OK, INVALID, IN_USE, NO_PORTS.
        """
        return NOT_SUPPORTED, 0, 0

    def has_reservation(self, token: int) -> bool:
        """`token` names reserved ports."""
        return False

    def release_ports(self, token: int) -> bool:
        """Give reserved ports back; False if the token is unknown.  Bound ones stay bound."""
        return False
