# SPDX-License-Identifier: MIT
"""Floor 4 seam: what the IP layer asks of a transport, and whom it tells of its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stack.base.packet import Packet

if TYPE_CHECKING:
    from stack.ip.addrconf import LocalAddress
    from stack.link.nic import Nic

# Kinds of trouble a transport hears about (RFC 1122 3.2.2, RFC 4443 3).
NET_UNREACHABLE: Final = 1
HOST_UNREACHABLE: Final = 2
PROTOCOL_UNREACHABLE: Final = 3
PORT_UNREACHABLE: Final = 4
TOO_BIG: Final = 5
PROHIBITED: Final = 6
TIME_EXCEEDED: Final = 7
PARAMETER: Final = 8
UNRESOLVED: Final = 9
"""Not an ICMP message: this host's own link layer found no neighbour."""


class ErrorReport:
    """Trouble that a packet of ours met.

    kind        one of the above
    mtu         the largest packet that fits, for TOO_BIG, else 0
    src, dst    of the packet: ours, and where it was going
    proto       its transport
    quoted      its transport header and what followed, at least eight octets and as much as came
                back.  A transport checks by it that it really sent this (RFC 5927 4.1)
    router      who says so; empty if that is this host
    type, code  of the ICMP message; both 0 for UNRESOLVED
    extensions  what the router appended (RFC 4884), for `wire.icmp_extensions.parse`; or empty
    """

    __slots__ = (
        "code",
        "dst",
        "extensions",
        "kind",
        "mtu",
        "proto",
        "quoted",
        "router",
        "src",
        "type",
    )

    def __init__(self, kind: int, src: bytes, dst: bytes, proto: int, quoted: bytes) -> None:
        self.kind = kind
        self.src = src
        self.dst = dst
        self.proto = proto
        self.quoted = quoted
        self.mtu = 0
        self.router = b""
        self.type = 0
        self.code = 0
        self.extensions = b""


class RawTap:
    """Somebody who gets copies of packets, whatever their protocol."""

    def wants(self, proto: int) -> bool:
        """He speaks `proto`, as far as anybody does."""
        raise NotImplementedError

    def copy(self, pkt: Packet) -> bool:
        """A whole packet for us.  True if it has found one who speaks its protocol."""
        raise NotImplementedError

    def on_error(self, report: ErrorReport) -> None:
        """A packet of ours, of any protocol, met trouble."""


class TransportLayer:
    """A protocol above IP: TCP, UDP, ICMP."""

    def receive(self, pkt: Packet) -> None:
        """A whole datagram for us: `pkt.l4` to `pkt.end` is this protocol's.

        Whatever is wrong with it ends at the drop door; nothing is raised.
        """
        raise NotImplementedError

    def on_error(self, report: ErrorReport) -> None:
        """A packet of ours met trouble; whether this transport sent it is for it to find out."""

    def address_lost(self, address: bytes, farewell: bool) -> None:
        """`address` is about to be this host's no longer.

        What talks from it ends; what merely is bound to it stays bound, to no avail until the
        address is back.  With `farewell` the peers may still be told from there (RFC 5227 2.4).
        """


class Attendant:
    """Somebody who configures the host, or announces what is configured.

    Told on the stack's thread, from inside of whatever changed: a lot of work, and sending, waits
    for a timer or the executor.
    """

    def nic_up(self, nic: Nic) -> None:
        """`nic` was attached, or its link came up."""

    def nic_down(self, nic: Nic) -> None:
        """The link of `nic` went down."""

    def address_changed(self, entry: LocalAddress) -> None:
        """`entry` became tentative, optimistic, preferred, deprecated or duplicated, or was removed
        (`entry.removed`)."""


class PrefixListener:
    """Somebody who makes addresses of what routers advertise (`IpHost.prefix_listeners`).

    Told on the stack's thread for every option of every valid router advertisement, repetitions
    included; whether lifetimes are acceptable is the listener's to judge (RFC 4862 5.5.3).
    """

    def prefix(
        self,
        nic: Nic,
        prefix: bytes,
        length: int,
        valid: int,
        preferred: int,
        autonomous: bool,
        on_link: bool,
        router: bytes,
    ) -> None:
        """`router` (a link-local address) advertised a prefix information option on `nic`.

        prefix       sixteen octets, bits beyond `length` zero; never fe80::/10 or a group's
        length       0 .. 128
        valid        ns, NEVER for infinity; likewise `preferred`, which may be larger: not checked
        autonomous   the A flag
        on_link      the L flag; its route is set up by `routers`, not by listeners
        """

    def flags(self, nic: Nic, managed: bool, other: bool) -> None:
        """The M and O flags of a valid router advertisement on `nic` (RFC 4861 4.2)."""
