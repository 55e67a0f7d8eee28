# SPDX-License-Identifier: MIT
"""Floor 5 seam, continued: options beyond the everyday ones, and what calls carry beside their
arguments.  `seam` has the rules and the classes that use these.
"""

from __future__ import annotations

from typing import Final

from stack.base.addr import V4, V6
from stack.wire import ipv4

BOTH: Final = V4 | V6
"""An option is meant for both families of a dual endpoint."""

# Options of Stream.set_option and Datagram.set_option, after those of `seam`.
OPTION_RECEIVE_BUFFER: Final = 13
"""Octets held for the user.  A stream's window does not grow by itself any more."""
OPTION_GROUP_HOPS: Final = 14
"""TTL or hop limit of what is sent to groups; 1 unless set.  0 stays on this host."""
OPTION_GROUP_INTERFACE: Final = 15
"""Index of the interface by which groups are sent to and joined.  0: by the routes."""
OPTION_GROUP_LOOP: Final = 16
"""Receive what this host sends to groups that the endpoint has joined; on unless cleared."""
OPTION_INTERFACE: Final = 17
"""Index of the interface by which everything else is sent.  0: by the routes."""
OPTION_PATH_MTU: Final = 18
"""A PATH_MTU_*: what is done about datagrams larger than the path takes."""
OPTION_LARGEST_PACKET: Final = 19
"""An upper bound of the path MTU, octets.  0: none."""
OPTION_NO_CHECKSUM: Final = 20
"""Send IPv4 datagrams without a checksum."""
OPTION_TIMESTAMPS: Final = 21
"""Offer and accept RFC 7323's timestamps; as configured unless set, before the handshake."""
OPTION_INITIAL_RTO: Final = 22
"""ns before the first retransmission of a SYN.  0: as configured."""
OPTION_SYN_RETRIES: Final = 23
"""How often an unanswered SYN is sent again.  Negative: until the user time-out."""
OPTION_INITIAL_WINDOW: Final = 24
"""Initial congestion window in segments.  0: as configured."""
OPTION_ACK_FREQUENCY: Final = 25
"""Full-sized segments that are acknowledged together; 2 unless set (RFC 9293 SHLD-19)."""
OPTION_CONNECT_ERRORS: Final = 26
"""Any ICMP error ends an attempt to connect."""

OPTION_HEAR_BROADCASTS: Final = 27
"""Receive what is sent to broadcast addresses; on unless cleared."""

OPTION_HEAR_OPTIONS: Final = 28
"""Fill in `Received.options`; off unless set."""

PATH_MTU_DEFAULT: Final = 0
"""Fragment by the path MTU, without DF."""
PATH_MTU_DO: Final = 1
"""DF; TOO_BIG beyond the path MTU."""
PATH_MTU_DONT: Final = 2
"""Never DF; fragment by the interface's MTU."""
PATH_MTU_PROBE: Final = 3
"""DF; TOO_BIG beyond the interface's MTU."""

# Actions of Datagram.membership.
JOIN: Final = 1
LEAVE: Final = 2
BLOCK: Final = 3
"""Not from this source (after JOIN)."""
UNBLOCK: Final = 4
JOIN_SOURCE: Final = 5
"""From this source only, and from others that are joined so."""
LEAVE_SOURCE: Final = 6


class Name:
    """A local or remote name: address, port and scope."""

    __slots__ = ("address", "port", "scope")

    def __init__(self, address: bytes, port: int, scope: int = 0) -> None:
        self.address = address
        self.port = port
        self.scope = scope


class Claim:
    """What a bind brings beside the name: who asks, and out of which reserved ports."""

    __slots__ = ("reservation",)

    def __init__(self) -> None:
        self.reservation = 0
        """Token of `Provider.reserve_ports`; 0: none."""

    def admits(self, other: Claim) -> bool:
        """`other` may share the name this claim holds, where the sharing matrix says CHECK."""
        return False


class Outgoing:
    """How one datagram differs from the others of its endpoint."""

    __slots__ = ("ecn", "fragment", "hops", "interface", "options", "source", "tos")

    def __init__(self) -> None:
        # Empty: the endpoint's, or by the routes.  0.0.0.0 to 255.255.255.255 on `interface`:
        # there is none yet, as DHCP has it.
        self.source = b""
        self.interface = 0  # 0: the endpoint's, or by the routes
        self.hops = -1  # negative: the endpoint's
        self.tos = -1  # the whole octet; negative: the endpoint's
        self.ecn = -1  # its two lowest bits; negative: those of `tos`
        self.fragment = -1  # 0: DF, 1: never DF; negative: the endpoint's
        self.options = b""  # of the IPv4 header

    def service(self, tos: int, df: bool) -> tuple[int, bool]:
        """Traffic class and DF, given those of the endpoint."""
        if self.tos >= 0:
            tos = self.tos
        if self.ecn >= 0:
            tos = tos & 0xFC | self.ecn
        return tos, df if self.fragment < 0 else not self.fragment

    def options_fit(self, size: int) -> bool:
        """The options are those of a sound header to an address of `size` octets."""
        given = self.options
        fits = size == 4 and len(given) % 4 == 0 and len(given) <= ipv4.MAX_OPTIONS
        return fits and ipv4.options(given, 0, len(given)) is not None
