# SPDX-License-Identifier: MIT
"""Floor 5 seam, continued: datagrams, cooked and raw.  `seam` has the rules and the options.

Who implements it: `stack.udp` and `stack.raw`; who uses it: WSK.
"""

from __future__ import annotations

from collections.abc import Sequence

from stack.base.status import NOT_SUPPORTED, OK
from stack.base.units import View
from stack.base.views import cut
from stack.transport.options import BOTH, Claim, Name, Outgoing


class Received:
    """One received datagram, or several of one flow: a super-frame, or some that were joined.

    What is not data they have in common.
    """

    __slots__ = (
        "address",
        "charge",
        "count",
        "group",
        "local",
        "options",
        "port",
        "scope",
        "segment",
        "tos",
        "ttl",
        "view",
    )

    def __init__(
        self,
        view: memoryview,
        address: bytes,
        port: int,
        local: bytes,
        scope: int,
        group: int,
        charge: int,
        tos: int = 0,
        ttl: int = 0,
        count: int = 1,
        segment: int = 0,
    ) -> None:
        self.view = view
        self.address = address
        self.port = port
        self.local = local  # the destination address it was sent to
        self.scope = scope  # index of the interface it came in on
        self.group = group  # UNICAST, BROADCAST or MULTICAST of `base.packet`
        self.charge = charge  # octets it costs of the receive buffer
        self.tos = tos
        self.ttl = ttl
        self.options = b""  # of the IPv4 header, where OPTION_HEAR_OPTIONS is set
        self.count = count  # datagrams in it
        self.segment = segment  # payload of each but the last, if there are several

    def part(self, first: int, stop: int) -> Received:
        """Its datagrams from number `first` up to, but not with, `stop`; nothing is copied.

        Each is charged the same beside its data, the last one what remains.
        """
        size, count = self.segment or len(self.view), self.count
        view = self.view[first * size : stop * size]
        beside = self.charge - len(self.view)
        charge = len(view) + beside // count * (stop - first)
        if stop == count:
            charge += beside % count
        several = stop - first > 1
        made = Received(
            view,
            self.address,
            self.port,
            self.local,
            self.scope,
            self.group,
            charge,
            self.tos,
            self.ttl,
            stop - first,
            size if several else 0,
        )
        made.options = self.options
        return made


def apart(batch: list[Received]) -> list[Received]:
    """`batch` with each datagram for itself."""
    if all(one.count == 1 for one in batch):
        return batch
    return [one.part(n, n + 1) if one.count > 1 else one for one in batch for n in range(one.count)]


def after(batch: list[Received], taken: int) -> list[Received]:
    """What is left of `batch` without its first `taken` datagrams."""
    for index, one in enumerate(batch):
        if taken < one.count:
            rest = batch[index:]
            if taken:
                rest[0] = one.part(taken, one.count)
            return rest
        taken -= one.count
    return []


class DatagramSink:
    """Who uses a `Datagram`."""

    __slots__ = ()

    joined = False
    """It can do with several datagrams in one `Received`; otherwise each comes for itself."""

    def received(self, batch: list[Received]) -> int:
        """Datagrams arrived.  Returns how many leading ones were taken; of a `Received` with
        several, some may be.

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

    def bind(self, address: bytes, port: int, sharing: int, claim: Claim | None = None) -> int:
        """Take a local name.  Statuses as `Stream.bind`."""
        raise NotImplementedError

    def send(
        self,
        views: Sequence[View],
        count: int,
        address: bytes,
        port: int,
        scope: int,
        how: Outgoing | None = None,
    ) -> int:
        """Send one datagram.  The views are free when this returns.

        OK, STATE (not bound), INVALID, TOO_BIG, NO_ROUTE, NO_MEMORY (the device is full),
        ACCESS (broadcast without OPTION_BROADCAST), NOT_LOCAL (`how.source`).
        """
        raise NotImplementedError

    def send_segments(
        self,
        views: Sequence[View],
        total: int,
        segment: int,
        address: bytes,
        port: int,
        scope: int,
        how: Outgoing | None = None,
    ) -> tuple[int, int]:
        """Send the `total` octets of `views` to one place as datagrams of `segment` octets, which
        is more than 0; the last may be shorter: (status, octets sent).

        The status is OK, or that of the first that could not be sent, at which it ends.
        """
        sent = 0
        for part in cut(views, segment):
            size = min(segment, total - sent)
            result = self.send(part, size, address, port, scope, how)
            if result:
                return result, sent
            sent += size
        return OK, sent

    def membership(self, action: int, group: bytes, interface: int, source: bytes) -> int:
        """Join or leave `group`, or change which sources it is heard from.

        OK, STATE (not bound), INVALID (no group, wrong kind of membership), NOT_LOCAL (no such
        interface or membership), IN_USE (joined already), NO_MEMORY (the limits
        of `Config.multicast_group_limit` groups and 256 sources of each).
        """
        return NOT_SUPPORTED

    def restrict(self, address: bytes, port: int) -> None:
        """Drop what is not from here; an empty address lifts that."""
        raise NotImplementedError

    def path_mtu(self, address: bytes, scope: int) -> int:
        """Largest IP packet that fits on the way to `address`; 0 if there is no way."""
        return 0

    def resume(self) -> None:
        """Indicate again what is queued."""
        raise NotImplementedError

    def grant(self, charge: int) -> None:
        """Datagrams that were taken are free again."""
        raise NotImplementedError

    def set_option(self, option: int, value: int, families: int = BOTH) -> int:
        """Set an OPTION_* for the named families.  OK, INVALID or NOT_SUPPORTED."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the endpoint.  No sink method is called afterwards."""
        raise NotImplementedError

    def local_name(self) -> Name | None:
        """The local name, None before `bind`."""
        raise NotImplementedError
