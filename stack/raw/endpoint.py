# SPDX-License-Identifier: MIT
"""Floor 6: a raw endpoint, the `Datagram` of the transport seam without ports.

What arrives is indicated as views of its frame: with its IP header in IPv4, from the upper-layer
header on in IPv6 (RFC 3542 3), as raw sockets everywhere have it.  What is sent gets an IP header,
and is fragmented if it must be, unless the user brings the header himself (`header`).

Over IPv6 the checksum of ICMPv6, and of others where OPTION_CHECKSUM_AT says where it is, is
written on sending and verified on receiving (RFC 3542 3.1).
ICMP errors about what was sent are told to the user, whoever else speaks the protocol.
Not done: IPV6_RECVPKTINFO and the like, fragmenting what has a header.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from stack.base import addr, fate, status
from stack.base.checksum import data_sum, finish
from stack.base.packet import Packet
from stack.base.units import View
from stack.ip.path import Path
from stack.raw import header
from stack.transport.datagram_seam import Received
from stack.transport.inbox import Inbox
from stack.transport.options import BOTH, Claim, Name, Outgoing
from stack.transport.seam import (
    OPTION_BROADCAST,
    OPTION_CHECKSUM_AT,
    OPTION_HEADER_INCLUDED,
    OPTION_HOP_LIMIT,
    OPTION_TRAFFIC_CLASS,
)
from stack.wire import icmp6

if TYPE_CHECKING:
    from stack.raw.protocol import RawProtocol

IPPROTO_RAW: Final = 255
_NOWHERE: Final = -1
_MOST: Final = 0xFFFF
_REMEMBERED: Final = 64


class RawEndpoint(Inbox):
    """One raw endpoint."""

    __slots__ = (
        "_address",
        "_bound",
        "_broadcast",
        "_checksum_at",
        "_header",
        "_hops",
        "_protocol",
        "_sent",
        "_tos",
        "number",
    )

    def __init__(self, protocol: RawProtocol, families: int, number: int) -> None:
        super().__init__(families, protocol.receive_buffer, protocol.work)
        self.number = number  # the IP protocol; 0 hears every one
        self._protocol = protocol
        self._address = b""
        self._bound = False
        self._broadcast = False
        self._checksum_at = icmp6.CHECKSUM_AT if number == icmp6.PROTO else _NOWHERE
        self._header = number == IPPROTO_RAW
        self._hops = 0
        self._sent: dict[bytes, Path] = {}
        self._tos = 0

    # The user's side.

    def bind(self, address: bytes, port: int, sharing: int, claim: Claim | None = None) -> int:
        """Hear what is sent to `address`, empty for any.  Ports and sharing mean nothing here."""
        if self._bound:
            return status.STATE
        if address and not self._protocol.may_bind(address, self._families):
            return status.NOT_LOCAL
        self._address = address
        self._bound = True
        self._protocol.add(self)
        return status.OK

    def send(
        self,
        views: Sequence[View],
        count: int,
        address: bytes,
        port: int,
        scope: int,
        how: Outgoing | None = None,
    ) -> int:
        if not self._bound:
            return status.STATE
        if count > _MOST:
            return status.TOO_BIG
        if not addr.family(address) & self._families:
            return status.INVALID
        result, path = self._choose(address, scope, how)
        if path is None:
            return result
        if not self._broadcast and self._protocol.is_broadcast(path):
            return status.ACCESS
        if self._header:
            return self._send_whole(path, b"".join(views))
        if not self.number:
            return status.INVALID  # "any" is no protocol to send
        if self._checksum_at >= 0 and len(address) == 16:
            data = self._with_checksum(path, b"".join(views))
            if not data:
                return status.INVALID
            views = (data,)
        tos, hops, df = self._tos, self._hops, False
        if how is not None:
            tos, df = how.service(tos, df)
            hops = how.hops if how.hops > 0 else hops
        head = self._protocol.head
        head.reset()
        if how is not None and how.options:
            if not how.options_fit(len(address)):
                return status.INVALID
            head.options = how.options
        self._protocol.counters.out_datagrams += 1
        return path.send(head, views, count, self.number, tos, hops, path.flow(), df=df)

    def _choose(self, address: bytes, scope: int, how: Outgoing | None) -> tuple[int, Path | None]:
        """The path of a packet, or the status that says why there is none."""
        own = self._address if len(self._address) == len(address) else b""
        if how is not None:
            if how.hops == 0:
                return status.INVALID, None
            if how.source and not self._protocol.may_bind(how.source, addr.family(address)):
                return status.NOT_LOCAL, None
            own = how.source or own
            scope = scope or how.interface
            if scope and self._protocol.interface(scope) is None:
                return status.NOT_LOCAL, None
        path = self._protocol.find_path(address, own, scope)
        if path is None:
            return status.NO_ROUTE, None
        if address not in self._sent and len(self._sent) >= _REMEMBERED:
            del self._sent[next(iter(self._sent))]
        self._sent[address] = path
        return status.OK, path

    def _send_whole(self, path: Path, data: bytes) -> int:
        """`data` begins with an IP header."""
        packet = bytearray(data)
        ident = self._protocol.identify(path)
        size = header.complete(packet, path.src, ident)
        if not size:
            return status.INVALID
        if len(packet) > path.mtu:
            return status.TOO_BIG
        head = self._protocol.head
        head.reset()
        head.push(bytes(packet[:size]))
        head.net = head.start
        self._protocol.counters.out_datagrams += 1
        return path.send_built(head, (memoryview(packet)[size:],), len(packet))

    def _with_checksum(self, path: Path, data: bytes) -> bytes:
        """`data` with its checksum; nothing if it is too short to have one."""
        at = self._checksum_at
        if len(data) < at + 2:
            return b""
        bare = data[:at] + b"\0\0" + data[at + 2 :]
        total = data_sum(bare) + path.pseudo(self.number, len(bare))
        return data[:at] + (finish(total) or 0xFFFF).to_bytes(2, "big") + data[at + 2 :]

    def set_option(self, option: int, value: int, families: int = BOTH) -> int:
        if option == OPTION_BROADCAST:
            self._broadcast = bool(value)
        elif option == OPTION_HEADER_INCLUDED:
            self._header = bool(value)
        elif option == OPTION_CHECKSUM_AT:
            if self.number == icmp6.PROTO or (value % 2 and value >= 0) or value >= _MOST:
                return status.INVALID  # ICMPv6's is where it is (RFC 3542 3.1)
            self._checksum_at = max(value, _NOWHERE)
        elif option not in (OPTION_TRAFFIC_CLASS, OPTION_HOP_LIMIT):
            return status.NOT_SUPPORTED
        elif not 0 <= value <= 255:
            return status.INVALID
        elif option == OPTION_TRAFFIC_CLASS:
            self._tos = value & 0xFC
        else:
            self._hops = value
        return status.OK

    def close(self) -> None:
        self._shut()
        if self._bound:
            self._bound = False
            self._protocol.remove(self)

    def local_name(self) -> Name | None:
        return Name(self._address, 0) if self._bound else None

    # The protocol's side.

    def sent_by(self, own: bytes, address: bytes) -> Path | None:
        """By which path something was sent from `own` to `address` of late, None if not."""
        path = self._sent.get(address)
        return path if path is not None and path.src == own else None

    def trouble(self, result: int, address: bytes) -> None:
        """ICMP says that a packet to `address` did not arrive."""
        self._went_wrong(result, address, 0)

    def hears(self, pkt: Packet) -> bool:
        """`pkt` is for the address and the families of this endpoint."""
        if self._address:
            return self._address == pkt.dst
        return bool(addr.family(pkt.dst) & self._families)

    def deliver(self, pkt: Packet) -> None:
        """A copy of a packet: its frame is shared, and charged to each that holds it."""
        protocol = self._protocol
        charge = len(pkt.frame)
        if self._charged + charge > self._room:
            protocol.door.drop(pkt, fate.RAW_QUEUE_FULL)
            return
        six = len(pkt.dst) == 16
        if six and self._checksum_at >= 0 and not (pkt.csum_ok or self._checksum_good(pkt)):
            protocol.door.drop(pkt, fate.RAW_CHECKSUM)
            return
        protocol.counters.in_datagrams += 1
        view = memoryview(pkt.frame)[pkt.l4 if six else pkt.net : pkt.end]
        received = Received(view, pkt.src, 0, pkt.dst, pkt.nic.index, pkt.group, charge)
        received.tos = pkt.tos
        received.ttl = pkt.ttl
        self._arrived(received)

    def _checksum_good(self, pkt: Packet) -> bool:
        length = pkt.end - pkt.l4
        total = data_sum(memoryview(pkt.frame)[pkt.l4 : pkt.end])
        total += int.from_bytes(pkt.src + pkt.dst, "big") + pkt.proto + length
        return length >= self._checksum_at + 2 and total % 0xFFFF == 0
