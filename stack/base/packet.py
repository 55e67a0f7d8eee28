# SPDX-License-Identifier: MIT
"""Floor 0: `Packet`, one received frame and what each floor learned about it.

The frame is immutable; floors add offsets and never strip or copy.  Made by `link/nic`,
filled in by `ip/`, read by the transports.  A packet may be kept as long as anybody likes:
it owns nothing but a reference to its frame.
"""

from __future__ import annotations

from typing import Any, Final

UNICAST: Final = 0
BROADCAST: Final = 1
MULTICAST: Final = 2


class Taker:
    """Somebody who has taken a packet, and takes frames that continue it as a train does."""

    __slots__ = ()

    def more(self, what: Any, frames: list[bytes]) -> None:
        """Take what can be taken of `frames`, and remove it from there.  `what` is from him."""
        raise NotImplementedError


class Interface:
    """What a packet remembers of where it came in.  `link/nic` is the real thing.

    taker   who takes what continues the last packet, and what he wants to be told then; or None
    """

    __slots__ = ("index", "name", "taker")

    def __init__(self, index: int, name: str) -> None:
        self.index = index
        self.name = name
        self.taker: tuple[Taker, Any] | None = None


WHOLE: Final = (0, False)
"""Offset and "more" of a fragment that is all there is: an atomic one (RFC 6946)."""


class Packet:
    """One received frame.

    net, l4, end    offsets of the network header, the transport header and the end of data
    src, dst        addresses as bytes
    proto, tos, ttl from the IP header (next header after extension headers, traffic class)
    csum_ok         the device vouches for the transport checksum
    gso_size        payload octets per wire segment if this is a super-frame, else 0
    cast            how the *link* addressed it: UNICAST, BROADCAST or MULTICAST
    group           how *IP* addressed it, the same three values
    fragment        None; (identification, offset, more) of a fragment; a packet that was put
                    together from fragments keeps an offset of 0 here
    arrived         ns; the clock of every measurement this packet causes
    train           frames that continue this one, or None (`link/train`): the same headers, up to
                    lengths and identification, PSH and checksum, and sequence numbers in a row;
                    or datagrams of the same flow.
                    Who takes some with this packet removes them from the front; he looks at their
                    checksums, which nobody has, unless `csum_ok`
    """

    __slots__ = (
        "arrived",
        "cast",
        "csum_ok",
        "dst",
        "end",
        "fragment",
        "frame",
        "group",
        "gso_size",
        "l4",
        "net",
        "nic",
        "proto",
        "src",
        "tos",
        "train",
        "ttl",
    )

    def __init__(
        self,
        frame: bytes,
        nic: Interface,
        net: int,
        end: int,
        csum_ok: bool,
        gso_size: int,
        cast: int,
        arrived: int,
        train: list[bytes] | None = None,
    ) -> None:
        self.frame = frame
        self.nic = nic
        self.net = net
        self.l4 = net
        self.end = end
        self.src = b""
        self.dst = b""
        self.proto = 0
        self.tos = 0
        self.ttl = 0
        self.csum_ok = csum_ok
        self.gso_size = gso_size
        self.cast = cast
        self.group = UNICAST
        self.fragment: tuple[int, int, bool] | None = None
        self.arrived = arrived
        self.train = train
