# SPDX-License-Identifier: MIT
"""Floor 6: a UDP endpoint, the `Datagram` of the transport seam.

Done: RFC 768, RFC 1122 4.1.3.  Received datagrams wait as views of their frames, charged by frame
size, until the indicate phase hands over all of them in one call; those of a super-frame stay
together, and are charged as if each had come alone.  ICMP errors about what was sent are told to
the user (RFC 1122 4.1.3.3).  The half that sends is `sending`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stack.base import addr, fate, status
from stack.base.packet import UNICAST, Packet
from stack.ip.path import Path
from stack.transport.datagram_seam import Received
from stack.transport.options import (
    BLOCK,
    BOTH,
    JOIN_SOURCE,
    OPTION_HEAR_BROADCASTS,
    OPTION_HEAR_OPTIONS,
    OPTION_NO_CHECKSUM,
    OPTION_RECEIVE_BUFFER,
    Claim,
    Name,
)
from stack.transport.seam import OPTION_BROADCAST
from stack.transport.train import intact
from stack.udp.membership import Memberships
from stack.udp.sending import Sending
from stack.udp.way import MOST, PLAIN4, PLAIN6, fresh

if TYPE_CHECKING:
    from stack.udp.protocol import UdpProtocol

_NO_CHECKSUM: Final = b"\0\0"


class UdpEndpoint(Sending):
    """One UDP endpoint."""

    __slots__ = (
        "_hears_options",
        "_only",
        "hears_broadcasts",
        "memberships",
    )

    def __init__(self, protocol: UdpProtocol, families: int) -> None:
        super().__init__(protocol, families)
        self.hears_broadcasts = True
        self._hears_options = False
        self._only: tuple[bytes, int] | None = None  # the one we receive from
        self.memberships = Memberships(protocol.groups)

    # The user's side.

    def bind(self, address: bytes, port: int, sharing: int, claim: Claim | None = None) -> int:
        if self._binding is not None:
            return status.STATE
        if address and not self._protocol.may_bind(address, self._families):
            return status.NOT_LOCAL
        result, binding = self._protocol.ports.bind(self._families, address, port, sharing, claim)
        if binding is not None:
            self._binding = binding
            # One label per endpoint keeps its flow on one path (RFC 6437 2).
            self._flow = self._protocol.env.random_below(1 << 20)
            self._protocol.bound.add(self._families, address, binding.port, self)
        return result

    def remote_name(self) -> Name | None:
        """The one it receives from, None unless restricted."""
        return None if self._only is None else Name(*self._only)

    def set_option(self, option: int, value: int, families: int = BOTH) -> int:
        if option == OPTION_BROADCAST:
            self._broadcast = bool(value)
            return status.OK
        if option == OPTION_HEAR_BROADCASTS:
            self.hears_broadcasts = bool(value)
            return status.OK
        if option == OPTION_RECEIVE_BUFFER:
            self._room = value
            return status.OK
        if option == OPTION_HEAR_OPTIONS:
            self._hears_options = bool(value)
            return status.OK
        if option not in MOST:
            return status.NOT_SUPPORTED
        if not 0 <= value <= MOST[option]:
            return status.INVALID
        self._protocol.runs.flush()  # what was sent before goes as it was
        if option == OPTION_NO_CHECKSUM:
            families &= addr.V4  # RFC 8200 8.1 wants one in IPv6
        if families & addr.V4:
            if self._way4 is PLAIN4:
                self._way4 = fresh(4)
            self._way4.set(option, value)
        if families & addr.V6:
            if self._way6 is PLAIN6:
                self._way6 = fresh(16)
            self._way6.set(option, value)
        self._paths.clear()
        return status.OK

    def membership(self, action: int, group: bytes, interface: int, source: bytes) -> int:
        if self._binding is None:
            return status.STATE
        if not addr.is_multicast(group) or not addr.family(group) & self._families:
            return status.INVALID
        if source and len(source) != len(group):
            return status.INVALID
        if action in (JOIN_SOURCE, BLOCK) and addr.is_multicast(source):
            return status.INVALID
        way = self._way4 if len(group) == 4 else self._way6
        nic = self._protocol.interface(interface or way.group_interface)
        if nic is None and not interface:
            path = self._protocol.find_path(group, b"", 0)
            nic = None if path is None else path.nic
        if nic is None:
            return status.NOT_LOCAL
        return self.memberships.change(action, nic, group, source)

    def restrict(self, address: bytes, port: int) -> None:
        self._only = (address, port) if address else None

    def path_mtu(self, address: bytes, scope: int) -> int:
        if self._binding is None:
            return 0
        way = self._way4 if len(address) == 4 else self._way6
        path = self._choose(address, scope, None, way)[1]
        return 0 if path is None else path.mtu

    def close(self) -> None:
        self._protocol.runs.flush()
        self._shut()
        self.memberships.leave_all()
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
        if self._only is not None and self._only != (pkt.src, port):
            self._protocol.door.drop(pkt, fate.UDP_FILTERED)
            return
        frame = pkt.frame
        start, end, size = pkt.l4 + 8, pkt.end, pkt.gso_size
        charge = len(frame)
        count = 1
        if size:
            # As many octets as if each had come alone.
            count = -(-(end - start) // size)
            charge += (count - 1) * (charge - end + start)
        if self._charged + charge > self._room:
            count, charge = self._that_fit(pkt, count, charge)
            if not count:
                return
            end = start + count * size
        received = Received(
            memoryview(frame)[start:end],
            pkt.src,
            port,
            pkt.dst,
            pkt.nic.index,
            pkt.group,
            charge,
            pkt.tos,
            pkt.ttl,
            count,
            size if count > 1 else 0,
        )
        if self._hears_options and len(pkt.src) == 4:
            received.options = frame[pkt.net + 20 : pkt.l4]
        self._protocol.counters.in_datagrams += count
        self._arrived(received)

    def deliver_train(self, pkt: Packet, port: int, frames: list[bytes]) -> None:
        """Take what can be taken of `frames`, datagrams of one flow behind `pkt` from `port`, and
        remove it from there."""
        if self._only is not None and self._only != (pkt.src, port):
            return
        vouched, check = pkt.csum_ok, pkt.l4 + 6
        if not vouched and frames[0][check : check + 2] == _NO_CHECKSUM:
            return  # the others will be without one too: there is nothing to sum
        start, src, dst, index = pkt.l4 + 8, pkt.src, pkt.dst, pkt.nic.index
        tos, ttl = pkt.tos, pkt.ttl
        room = self._room - self._charged
        found = []
        for frame in frames if vouched else frames[: intact(pkt, frames)]:
            charge = len(frame)
            if charge > room or (not vouched and frame[check : check + 2] == _NO_CHECKSUM):
                break
            room -= charge
            view = memoryview(frame)[start:]
            found.append(Received(view, src, port, dst, index, UNICAST, charge, tos, ttl))
        if found:
            self._charged = self._room - room
            self._protocol.counters.in_datagrams += len(found)
            self._queue += found
            if not self._paused and not self.marked:
                self._protocol.work.mark(self)
            del frames[: len(found)]

    def _that_fit(self, pkt: Packet, count: int, charge: int) -> tuple[int, int]:
        """Drop what the buffer has no room for: how many of `count` datagrams, all of which would
        cost `charge`, are left, and what those cost."""
        payload = pkt.end - pkt.l4 - 8
        each = (charge - payload) // count + (pkt.gso_size or payload)
        fit = max(self._room - self._charged, 0) // each if count > 1 else 0
        self._protocol.counters.in_errors += count - fit
        self._protocol.door.drop(pkt, fate.UDP_QUEUE_FULL, count - fit)
        return fit, fit * each

    def accept(self, one: Received) -> None:
        """A datagram that never was a packet, if there is room for it."""
        unwanted = self._only is not None and self._only != (one.address, one.port)
        if unwanted or self._charged + one.charge > self._room:
            return
        self._protocol.counters.in_datagrams += 1
        self._arrived(one)

    def loops(self, index: int, group: bytes, source: bytes) -> bool:
        """What this host sends to `group` is to be heard here."""
        way = self._way4 if len(group) == 4 else self._way6
        return way.loop and self.memberships.hears(index, group, source)

    def sent_by(self, address: bytes, port: int) -> Path | None:
        """By which path something was sent to `address` and `port` of late, None if it was not.

        Ports are remembered of whom we receive from only.
        """
        if self._only is not None and self._only != (address, port):
            return None
        return self._paths.get(address) or self._sent.get(address)

    def trouble(self, result: int, address: bytes, port: int) -> None:
        """ICMP says that a datagram to `address` and `port` did not arrive.

        That one was too big is told to those who asked for it not to be fragmented.
        """
        way = self._way4 if len(address) == 4 else self._way6
        if result == status.TOO_BIG and not way.df:
            return
        self._went_wrong(result, address, port)
