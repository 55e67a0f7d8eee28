# SPDX-License-Identifier: MIT
"""Floor 6: a UDP endpoint, the `Datagram` of the transport seam.

Done: RFC 768 with checksums always generated, RFC 1122 4.1.3.  Received datagrams wait as
views of their frames, charged by frame size, until the indicate phase hands over all of them
in one call.  ICMP errors about what was sent are told to the user (RFC 1122 4.1.3.3).  Not done: IP
options; TTL and TOS of single datagrams (those of the endpoint can be set).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from stack.base import addr, fate, status
from stack.base.packet import Packet
from stack.base.units import View
from stack.base.worklist import Workable
from stack.ip.path import Path
from stack.transport.ports import Binding
from stack.transport.seam import (
    OPTION_BROADCAST,
    OPTION_HOP_LIMIT,
    OPTION_TRAFFIC_CLASS,
    Datagram,
    DatagramSink,
    Name,
    Received,
)
from stack.wire import udp

if TYPE_CHECKING:
    from stack.udp.protocol import UdpProtocol

_pack: Final = udp.HEADER.pack_into
_PROTO: Final = 17
_MAX_PAYLOAD: Final = 65535 - udp.LENGTH
_MAX_TROUBLES: Final = 16
_SILENT: Final = DatagramSink()


class UdpEndpoint(Workable, Datagram):
    """One UDP endpoint."""

    __slots__ = (
        "_binding",
        "_broadcast",
        "_charged",
        "_families",
        "_flow",
        "_hops",
        "_paths",
        "_paused",
        "_protocol",
        "_queue",
        "_tos",
        "_troubles",
        "sink",
    )

    def __init__(self, protocol: UdpProtocol, families: int) -> None:
        super().__init__()
        self.sink: DatagramSink = _SILENT
        self._protocol = protocol
        self._families = families
        self._binding: Binding | None = None
        self._broadcast = False
        self._charged = 0
        self._flow = 0
        self._paths: dict[bytes, Path] = {}
        self._paused = False
        self._queue: list[Received] = []
        self._hops = 0
        self._tos = 0
        self._troubles: list[tuple[int, bytes, int]] = []

    # The user's side.

    def attach(self, sink: DatagramSink) -> None:
        self.sink = sink

    def bind(self, address: bytes, port: int, sharing: int) -> int:
        if self._binding is not None:
            return status.STATE
        if address and not self._protocol.may_bind(address, self._families):
            return status.NOT_LOCAL
        result, binding = self._protocol.ports.bind(self._families, address, port, sharing)
        if binding is not None:
            self._binding = binding
            # One label per endpoint keeps its flow on one path (RFC 6437 2).
            self._flow = self._protocol.env.random_below(1 << 20)
            self._protocol.bound.add(self._families, address, binding.port, self)
        return result

    def send(self, views: Sequence[View], count: int, address: bytes, port: int, scope: int) -> int:
        binding = self._binding
        if binding is None:
            return status.STATE
        if count > _MAX_PAYLOAD:
            return status.TOO_BIG
        if not 0 < port < 65536 or not addr.family(address) & self._families:
            return status.INVALID
        path = self._paths.get(address)
        if path is None or not path.valid or scope:
            path = self._find_path(address, scope)
            if path is None:
                return status.NO_ROUTE
            if not self._broadcast and self._protocol.is_broadcast(path):
                return status.ACCESS
        head = self._protocol.head
        head.reset()
        length = count + 8
        start = head.end - 8
        _pack(head.buf, start, binding.port, port, length, path.pseudo(_PROTO, length))
        head.start = head.l4 = start
        head.csum = udp.CHECKSUM_AT
        self._protocol.counters.out_datagrams += 1
        tos, hops = self._tos, self._hops
        return path.send(head, views, length, _PROTO, tos, hops, self._flow, df=False)

    def resume(self) -> None:
        self._paused = False
        if self._queue:
            self._protocol.work.mark(self)

    def grant(self, charge: int) -> None:
        self._charged -= charge

    def set_option(self, option: int, value: int) -> int:
        if option == OPTION_BROADCAST:
            self._broadcast = bool(value)
        elif option not in (OPTION_TRAFFIC_CLASS, OPTION_HOP_LIMIT):
            return status.NOT_SUPPORTED
        elif not 0 <= value <= 255:
            return status.INVALID
        elif option == OPTION_TRAFFIC_CLASS:
            self._tos = value & 0xFC  # the other two bits are ECN's
        else:
            self._hops = value
        return status.OK

    def close(self) -> None:
        self.sink = _SILENT
        self._queue = []
        self._troubles.clear()
        binding, self._binding = self._binding, None
        if binding is not None:
            self._protocol.bound.remove(self._families, binding.address, binding.port, self)
            self._protocol.ports.release(binding)

    def local_name(self) -> Name | None:
        binding = self._binding
        return None if binding is None else Name(binding.address, binding.port)

    # The protocol's side.

    def deliver(self, pkt: Packet, port: int) -> None:
        """A sound datagram for this endpoint, from `port`."""
        charge = len(pkt.frame)
        if self._charged + charge > self._protocol.receive_buffer:
            self._protocol.counters.in_errors += 1
            self._protocol.door.drop(pkt, fate.UDP_QUEUE_FULL)
            return
        self._charged += charge
        self._protocol.counters.in_datagrams += 1
        view = memoryview(pkt.frame)[pkt.l4 + 8 : pkt.end]
        received = Received(view, pkt.src, port, pkt.dst, pkt.nic.index, pkt.group, charge)
        received.tos = pkt.tos
        received.ttl = pkt.ttl
        self._queue.append(received)
        if not self._paused and not self.marked:
            self._protocol.work.mark(self)

    def trouble(self, result: int, address: bytes, port: int) -> None:
        """ICMP says that a datagram to `address` and `port` did not arrive.

        Believed only of addresses that something was sent to, since anybody can say it.
        """
        if address in self._paths and len(self._troubles) < _MAX_TROUBLES:
            self._troubles.append((result, address, port))
            self._protocol.work.mark(self)

    def indicate(self) -> None:
        """Hand everything queued to the sink."""
        while self._troubles:
            self.sink.troubled(*self._troubles.pop(0))
        if self._paused or not self._queue:
            return
        batch = self._queue
        self._queue = []
        taken = self.sink.received(batch)
        if taken < len(batch) and self._binding is not None:
            self._queue = batch[taken:] + self._queue
            self._paused = True

    def _find_path(self, address: bytes, scope: int) -> Path | None:
        assert self._binding is not None
        own = self._binding.address
        src = own if len(own) == len(address) else b""
        path = self._protocol.find_path(address, src, scope)
        # What goes to everybody is looked at every time: the permission may be taken back.
        if path is not None and not scope and not self._protocol.is_broadcast(path):
            if len(self._paths) >= 64:
                self._paths.clear()
            self._paths[address] = path
        return path
